//! Flows over time, in a bounded number of steps of equal length.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shares::Counts;
use crate::model::{Judgement, Timestamp};

/// The most bars of the chart: what still has a visible width on a narrow screen.
const MAX_STEPS: u64 = 60;

/// Lengths of a step in seconds: what people count time in. The last fits every time there is.
const LENGTHS: [u64; 17] = [
    1,
    5,
    15,
    60,
    300,
    900,
    3_600,
    10_800,
    21_600,
    86_400,
    604_800,
    2_592_000,
    7_776_000,
    31_536_000,
    157_680_000,
    315_360_000,
    1_576_800_000,
];

/// Flows by step and judgement.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// Which of `LENGTHS`.
    length: usize,
    steps: BTreeMap<u64, Counts>,
}

impl Timeline {
    pub(super) fn count(&mut self, at: Timestamp, judgement: Judgement) {
        let step = at.as_seconds() / self.seconds();
        self.steps.entry(step).or_default().add(judgement, 1);
        while self.number() > MAX_STEPS && self.length + 1 < LENGTHS.len() {
            let before = self.seconds();
            self.length += 1;
            let after = self.seconds();
            let mut steps: BTreeMap<u64, Counts> = BTreeMap::new();
            for (step, counts) in std::mem::take(&mut self.steps) {
                steps.entry(step.saturating_mul(before) / after).or_default().merge(&counts);
            }
            self.steps = steps;
        }
    }

    fn seconds(&self) -> u64 {
        LENGTHS.get(self.length).copied().unwrap_or(u64::MAX)
    }

    /// From the first to the last, empty ones included.
    fn number(&self) -> u64 {
        match (self.steps.keys().next(), self.steps.keys().next_back()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }

    /// Every step from the first to the last: its begin and its flows.
    pub(super) fn steps(&self) -> Vec<(Timestamp, Counts)> {
        let (Some(first), Some(last)) = (self.steps.keys().next(), self.steps.keys().next_back()) else {
            return Vec::new();
        };
        (*first..=*last)
            .map(|step| {
                let begin = Timestamp::from_seconds(step.saturating_mul(self.seconds()));
                (begin, self.steps.get(&step).copied().unwrap_or_default())
            })
            .collect()
    }

    /// Length of a step.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_flow_whatever_the_span_and_order() {
        for last in [1, 59, 61, 100_000, 50_000_000, 18_000_000_000] {
            let mut timeline = Timeline::default();
            for at in [last, 0, last / 2, last / 3] {
                timeline.count(Timestamp::from_seconds(at), Judgement::Pass);
            }
            let steps = timeline.steps();
            assert!(steps.len() as u64 <= MAX_STEPS, "{last}: {}", steps.len());
            assert_eq!(steps.iter().map(|(_, counts)| counts.total()).sum::<u64>(), 4);
        }
        assert!(Timeline::default().steps().is_empty());
    }
}
