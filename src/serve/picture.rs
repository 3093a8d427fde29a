//! What a daemon remembers of the records it gave, in bounded memory, for people who look.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use serde::Serialize;

use super::offenders::Offenders;
use crate::export::jsonl::write_record;
use crate::model::{
    Access, Completeness, EndpointKind, Entry, Outcome, PathFacts, Record, Severity, Timestamp, Verdict,
};
use crate::telemetry::Tally;

/// The newest flows that are kept whole, and the bytes they may take together.
pub const MAX_FLOWS: usize = 1_000;
const MAX_FLOW_BYTES: usize = 1 << 20;

/// The newest violations that are kept.
pub const MAX_VIOLATIONS: usize = 500;

/// Clients followed for each rule; beyond, the frequent ones stay.
const MAX_CLIENTS: usize = 512;

/// Letters kept of a text that strangers may have chosen.
const MAX_LETTERS: usize = 256;

/// Letters kept of a sentence of our own, in which such a text may stand; the longest without one has half of it.
const MAX_SENTENCE: usize = 2 * MAX_LETTERS + 512;

/// One broken rule of one flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violating {
    /// RFC 3339, of the first packet of the flow.
    pub timestamp: String,
    pub rule: &'static str,
    pub severity: Severity,
    pub client: IpAddr,
    /// The process of this host that holds the connection, where it is one of this host.
    pub process: Option<String>,
    pub server: String,
    pub host: Option<String>,
    pub region: Option<String>,
    pub access: Access,
    pub entry: Entry,
    pub offending: String,
    pub message: String,
    pub remedy: String,
}

/// One rule at one severity, over all flows since the start.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub flows: u64,
    pub clients: Tally<IpAddr>,
    pub last: Timestamp,
    /// Of the newest flow.
    pub message: String,
    pub remedy: String,
}

/// What is remembered.
#[derive(Default)]
pub struct Picture {
    /// JSON, without line ends, the oldest first.
    flows: VecDeque<Box<[u8]>>,
    flow_bytes: usize,
    /// By time, the oldest first.
    violations: VecDeque<Violating>,
    pub(super) broken: BTreeMap<(Severity, &'static str), Broken>,
    pub(super) offenders: Offenders,
    pub(super) verdicts: BTreeMap<Verdict, u64>,
    /// Flows that pass only under exceptions.
    pub(super) excused: u64,
    pub(super) completeness: BTreeMap<Completeness, u64>,
    pub(super) outcomes: BTreeMap<Outcome, u64>,
    /// Flows by path and negotiated version; all from closed sets.
    pub(super) matrix: BTreeMap<(Access, Entry), BTreeMap<&'static str, u64>>,
    pub(super) records: u64,
}

/// The column of flows in which no version was agreed on.
pub(super) const NO_VERSION: &str = "none";
pub(super) const PLAINTEXT: &str = "plaintext";

/// Columns of the matrix, the oldest first.
pub(super) const COLUMNS: &[&str] =
    &[PLAINTEXT, "SSL 2", "SSL 3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3", "other", NO_VERSION];

impl Picture {
    /// Takes one record, in which account ids are replaced already.
    pub fn take(&mut self, record: &Record) {
        self.records += 1;
        *self.completeness.entry(record.completeness).or_default() += 1;
        *self.outcomes.entry(record.outcome).or_default() += 1;
        let PathFacts { access, entry, .. } = record.path;
        let column = column(record);
        *self.matrix.entry((access, entry)).or_default().entry(column).or_default() += 1;
        self.offenders.take(record, |text| cut(text, MAX_SENTENCE));
        self.keep(record);
        let Some(policy) = &record.policy else { return };
        *self.verdicts.entry(policy.verdict).or_default() += 1;
        self.excused += u64::from(policy.verdict == Verdict::Pass && policy.is_excused());
        for violation in &policy.violations {
            let client = record.client.ip();
            let key = (violation.severity, violation.rule);
            let broken = self.broken.entry(key).or_insert_with(|| Broken {
                flows: 0,
                clients: Tally::new(MAX_CLIENTS),
                last: record.timestamp,
                message: String::new(),
                remedy: String::new(),
            });
            broken.flows += 1;
            broken.clients.count(client);
            // Flows are told when they end, which is not the order in which they began.
            if record.timestamp >= broken.last {
                broken.last = record.timestamp;
                broken.message = cut(&violation.message, MAX_SENTENCE);
                broken.remedy = cut(&violation.remedy, MAX_SENTENCE);
            }
            // `info` is no reason to look; it would push out what is.
            if !violation.severity.counts() {
                continue;
            }
            let timestamp = record.timestamp.to_string();
            // Times of this form are in the order of their letters.
            let at = self.violations.partition_point(|known| known.timestamp <= timestamp);
            let violating = Violating {
                timestamp,
                rule: violation.rule,
                severity: violation.severity,
                client,
                process: record.host.as_ref().and_then(|host| host.process.as_deref()).map(short),
                server: record.server.to_string(),
                host: record.endpoint.host.as_deref().map(short),
                region: record
                    .endpoint
                    .region
                    .as_deref()
                    .filter(|_| record.endpoint.kind != Some(EndpointKind::Unrecognised))
                    .map(short),
                access,
                entry,
                offending: short(&violation.offending),
                message: cut(&violation.message, MAX_SENTENCE),
                remedy: cut(&violation.remedy, MAX_SENTENCE),
            };
            self.violations.insert(at, violating);
            if self.violations.len() > MAX_VIOLATIONS {
                self.violations.pop_front();
            }
        }
    }

    fn keep(&mut self, record: &Record) {
        let mut line = Vec::with_capacity(2_048);
        write_record(record, &mut line);
        line.pop();
        self.flow_bytes += line.len();
        self.flows.push_back(line.into());
        while self.flows.len() > MAX_FLOWS || self.flow_bytes > MAX_FLOW_BYTES {
            let Some(oldest) = self.flows.pop_front() else { break };
            self.flow_bytes -= oldest.len();
        }
    }

    /// The newest flows, the newest first, as a JSON array of records.
    #[must_use]
    pub fn flows_json(&self, limit: usize) -> Vec<u8> {
        let mut json = Vec::from(*b"[");
        for (index, flow) in self.flows.iter().rev().take(limit).enumerate() {
            json.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
            json.extend_from_slice(flow);
        }
        json.extend_from_slice(b"\n]\n");
        json
    }

    /// The newest violations of at least `warning`, the newest first.
    pub fn violations(&self) -> impl Iterator<Item = &Violating> {
        self.violations.iter().rev()
    }
}

fn column(record: &Record) -> &'static str {
    if record.outcome == Outcome::Plaintext || record.http.is_some() {
        return PLAINTEXT;
    }
    let Some(version) = record.tls.as_deref().and_then(|tls| tls.version()) else { return NO_VERSION };
    match version.as_str() {
        Some("2") => "SSL 2",
        Some("3") => "SSL 3",
        Some("1.0") => "TLS 1.0",
        Some("1.1") => "TLS 1.1",
        Some("1.2") => "TLS 1.2",
        Some("1.3") => "TLS 1.3",
        _ => "other",
    }
}

fn short(text: &str) -> String {
    cut(text, MAX_LETTERS)
}

fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::Violation;

    #[test]
    fn stays_small_and_keeps_the_newest() {
        let mut picture = Picture::default();
        for round in 0..3_000_u64 {
            let mut record = sample::tls13();
            record.timestamp = Timestamp::from_seconds(round);
            picture.take(&record);
        }
        assert_eq!(picture.records, 3_000);
        assert!(picture.flows.len() <= MAX_FLOWS && picture.flow_bytes <= MAX_FLOW_BYTES);
        assert!(picture.violations.len() <= MAX_VIOLATIONS);
        let flows: serde_json::Value = serde_json::from_slice(&picture.flows_json(2)).unwrap();
        assert_eq!(flows.as_array().unwrap().len(), 2);
        assert_eq!(flows[0]["timestamp"], "1970-01-01T00:49:59.000000000Z");
        assert_eq!(picture.matrix.values().flat_map(BTreeMap::values).sum::<u64>(), 3_000);
    }

    #[test]
    fn gives_an_empty_array_where_nothing_was_seen() {
        let flows: serde_json::Value = serde_json::from_slice(&Picture::default().flows_json(10)).unwrap();
        assert_eq!(flows, serde_json::json!([]));
    }

    #[test]
    fn cuts_long_texts_between_letters() {
        assert_eq!(short("äö"), "äö");
        assert_eq!(short(&"ä".repeat(300)).chars().count(), MAX_LETTERS + 1);
    }

    /// A flow that was open for long is told after others that began later.
    #[test]
    fn tells_of_the_newest_flow_in_whatever_order_they_are_told() {
        let advice = "Say so. ".repeat(50);
        let mut picture = Picture::default();
        for seconds in [30, 10, 20] {
            let mut record = sample::tls12();
            record.timestamp = Timestamp::from_seconds(seconds);
            let policy = record.policy.get_or_insert_with(|| unreachable!());
            policy.verdict = Verdict::Violation;
            policy.violations = vec![Violation {
                rule: "weak_cipher",
                severity: Severity::Critical,
                offending: "".into(),
                message: format!("of {seconds}"),
                remedy: format!("{advice}{seconds}").into(),
                excuse: None,
            }];
            picture.take(&record);
        }
        let broken = &picture.broken[&(Severity::Critical, "weak_cipher")];
        let remedy = format!("{advice}30");
        assert_eq!((broken.last, &*broken.message), (Timestamp::from_seconds(30), "of 30"));
        assert_eq!(broken.remedy, remedy, "whole");
        let messages: Vec<&str> = picture.violations().map(|violating| &*violating.message).collect();
        assert_eq!(messages, ["of 30", "of 20", "of 10"]);
        assert_eq!(picture.offenders.top(1)[0].rules[0].remedy, remedy);
    }
}
