//! Flows by a value and by how they were judged, in bounded memory.

use std::collections::BTreeMap;

use crate::model::{Judgement, Timestamp};

/// The order of the parts of a bar.
pub(super) const BARS: [Judgement; Judgement::ALL.len()] = [
    Judgement::Pass,
    Judgement::NotAssessable,
    Judgement::Warning,
    Judgement::Critical,
    Judgement::NotJudged,
];

/// As the page has it.
impl Judgement {
    /// For people.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotAssessable => "not assessable",
            Self::Warning => "violation, warning",
            Self::Critical => "violation, critical",
            Self::NotJudged => "not judged",
        }
    }

    /// Of the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotAssessable => "unclear",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::NotJudged => "unjudged",
        }
    }
}

/// Flows by judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts([u64; Judgement::ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, judgement: Judgement, flows: u64) {
        if let Some(count) = self.0.get_mut(judgement as usize) {
            *count += flows;
        }
    }

    pub(super) fn of(&self, judgement: Judgement) -> u64 {
        self.0.get(judgement as usize).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn violations(&self) -> u64 {
        self.of(Judgement::Warning) + self.of(Judgement::Critical)
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, add) in self.0.iter_mut().zip(other.0) {
            *sum += add;
        }
    }

    /// `3 pass; 1 violation, critical`; judgements without flows are left out.
    pub(super) fn words(&self) -> String {
        let parts: Vec<String> = BARS
            .into_iter()
            .filter(|judgement| self.of(*judgement) > 0)
            .map(|judgement| format!("{} {}", super::words::thousands(self.of(judgement)), judgement.words()))
            .collect();
        parts.join("; ")
    }
}

/// What is known of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub counts: Counts,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Flows by value. The first `limit` values are told apart, the rest is counted as one.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    limit: usize,
    values: BTreeMap<String, Share>,
    pub others: Counts,
}

impl Shares {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, values: BTreeMap::new(), others: Counts([0; Judgement::ALL.len()]) }
    }

    pub(super) fn count(&mut self, value: &str, judgement: Judgement, at: Timestamp) {
        if let Some(share) = self.values.get_mut(value) {
            share.counts.add(judgement, 1);
            share.first = share.first.min(at);
            share.last = share.last.max(at);
        } else if self.values.len() < self.limit {
            let mut counts = Counts::default();
            counts.add(judgement, 1);
            self.values.insert(value.to_owned(), Share { counts, first: at, last: at });
        } else {
            self.others.add(judgement, 1);
        }
    }

    /// The most frequent first, equal ones by name; and what is left of the rest.
    pub(super) fn top(&self, number: usize) -> (Vec<(&str, Share)>, u64, Counts) {
        let mut all: Vec<(&str, Share)> =
            self.values.iter().map(|(value, share)| (value.as_str(), *share)).collect();
        all.sort_by(|one, other| {
            other.1.counts.total().cmp(&one.1.counts.total()).then_with(|| one.0.cmp(other.0))
        });
        let mut rest = self.others;
        let beyond = all.split_off(number.min(all.len()));
        beyond.iter().for_each(|(_, share)| rest.merge(&share.counts));
        (all, beyond.len() as u64, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_no_flow_beyond_the_limit() {
        let mut shares = Shares::new(2);
        let at = Timestamp::from_seconds(1);
        for value in ["a", "b", "c", "b", "d"] {
            shares.count(value, Judgement::Pass, at);
        }
        let (top, beyond, rest) = shares.top(1);
        assert_eq!(top.first().map(|(value, share)| (*value, share.counts.total())), Some(("b", 2)));
        assert_eq!((beyond, rest.total()), (1, 3));
    }
}
