//! What a daemon or a capture tells at one moment.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use crate::export::read;
use crate::model::{Completeness, Eviction, Judgement, Record, Severity, Sni, Timestamp, Verdict};
use crate::serve::SCHEMA;
use crate::view::Line;

/// The newest flows that are kept, and the bytes of their text.
pub(super) const MAX_FLOWS: usize = 20_000;
pub(super) const MAX_FLOW_BYTES: usize = 64 << 20;

/// Everything that is shown.
#[derive(Debug, Default)]
pub struct Picture {
    pub summary: Summary,
    /// The newest first.
    pub flows: Vec<Flow>,
    /// Flows that were reported and are not among `flows`.
    pub forgotten_flows: u64,
    /// Flows of the answer that this version cannot read.
    pub unreadable_flows: u64,
    /// The summary is of captures, which are over.
    pub is_of_captures: bool,
}

/// Why an answer is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("the answer is not one of ddbwatch")]
    Foreign,
    #[error("the answer is of another version of ddbwatch ({0}); this one reads {SCHEMA}")]
    OtherSchema(String),
}

impl Picture {
    /// From a summary and the body of `/api/v1/flows`.
    ///
    /// # Errors
    /// Where that is not of ddbwatch.
    pub fn read(summary: Summary, flows: &[u8]) -> Result<Self, PictureError> {
        let Ok(Value::Array(found)) = serde_json::from_slice(flows) else {
            return Err(PictureError::Foreign);
        };
        let mut picture = Self { summary, ..Self::default() };
        for value in found {
            let text = value.to_string();
            match read::parse(text.as_bytes()) {
                Ok((record, _)) if picture.flows.len() < MAX_FLOWS => {
                    picture.flows.push(Flow::new(&record, text.into()));
                }
                Ok(_) => {}
                Err(_) => picture.unreadable_flows += 1,
            }
        }
        picture.count_forgotten();
        Ok(picture)
    }

    pub(super) fn count_forgotten(&mut self) {
        let known = self.flows.len() as u64 + self.unreadable_flows;
        self.forgotten_flows = self.summary.flows.reported.saturating_sub(known);
    }
}

/// One flow.
#[derive(Clone, Debug)]
pub struct Flow {
    pub timestamp: Timestamp,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// The name asked for; the server's address where there was none.
    pub name: String,
    pub judged: Judgement,
    pub verdict: Option<Verdict>,
    /// The short words of the flow table.
    pub line: Line,
    /// Broken rules, the gravest first.
    pub rules: Vec<(Severity, &'static str)>,
    /// The record, one JSON object.
    pub json: Box<str>,
}

impl Flow {
    /// The words for a record, which `json` holds.
    #[must_use]
    pub fn new(record: &Record, json: Box<str>) -> Self {
        let violations = record.policy.iter().flat_map(|policy| &policy.violations);
        let mut rules: Vec<_> = violations.map(|found| (found.severity, found.rule)).collect();
        rules.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
        Self {
            timestamp: record.timestamp,
            client: record.client,
            server: record.server,
            name: name(record),
            judged: Judgement::of(record.policy.as_ref()),
            verdict: record.policy.as_ref().map(|policy| policy.verdict),
            line: Line::of(record),
            rules,
            json,
        }
    }

    /// What tells it from all others.
    #[must_use]
    pub const fn identity(&self) -> (Timestamp, SocketAddr, SocketAddr) {
        (self.timestamp, self.client, self.server)
    }

    /// The verdict in words: the gravest rule, and how many more.
    #[must_use]
    pub fn judgement(&self) -> String {
        match self.verdict {
            None => "not judged".to_owned(),
            Some(Verdict::Pass) => "pass".to_owned(),
            Some(Verdict::NotAssessable) => "not assessable".to_owned(),
            Some(Verdict::Violation) => {
                let counting = self.rules.iter().filter(|(severity, _)| severity.counts()).count();
                let rule = self.rules.first().map_or("violation", |(_, rule)| rule);
                if counting > 1 { format!("{rule} +{}", counting - 1) } else { rule.to_owned() }
            }
        }
    }
}

fn name(record: &Record) -> String {
    let asked = match record.tls.as_ref().map(|tls| tls.sni()) {
        Some(Sni::Name(name)) => Some(name.to_owned()),
        _ => record.http.as_ref().and_then(|http| http.host.clone()),
    };
    asked
        .or_else(|| record.endpoint.host.as_deref().map(str::to_owned))
        .unwrap_or_else(|| record.server.ip().to_string())
}

/// The state of a daemon, or of the reading of captures: what `/api/v1/summary` gives. What an older daemon
/// does not tell is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub schema: String,
    pub version: String,
    pub started: String,
    pub now: String,
    pub watching: Watching,
    pub configuration: Configuration,
    pub interfaces: Vec<Interface>,
    pub packets: Packets,
    pub flows: Flows,
    pub verdicts: Verdicts,
    pub coverage: Vec<Share>,
    pub dropped: Vec<Loss>,
    pub decode_errors: Vec<DecodeErrors>,
    pub evictions: Vec<Reason>,
    pub skipped: Vec<Reason>,
    pub violations: Vec<BrokenRule>,
    pub offenders: Offenders,
    /// Damaged places, one sentence each.
    pub notes: Vec<String>,
}

impl Summary {
    /// From JSON.
    ///
    /// # Errors
    /// Where it is no summary of this version.
    pub fn read(json: &[u8]) -> Result<Self, PictureError> {
        let summary: Self = serde_json::from_slice(json).map_err(|_| PictureError::Foreign)?;
        match summary.schema.as_str() {
            SCHEMA => Ok(summary),
            other if other.starts_with("ddbwatch.summary/") => {
                Err(PictureError::OtherSchema(other.chars().take(40).collect()))
            }
            _ => Err(PictureError::Foreign),
        }
    }

    /// Flows whose handshake was not seen whole.
    #[must_use]
    pub fn not_whole(&self) -> u64 {
        let others = self.coverage.iter().filter(|share| share.completeness != Completeness::Full);
        others.map(|share| share.flows).sum()
    }

    /// What was lost at a stage: records that were not written at `export`, what there was no room for, or no rest of, at
    /// `reassembly`.
    #[must_use]
    pub fn lost_at(&self, stage: &str) -> u64 {
        self.dropped.iter().filter(|loss| loss.stage == stage).map(|loss| loss.count).sum()
    }

    /// Flows that were given up for want of room.
    #[must_use]
    pub fn flows_lost(&self) -> u64 {
        let is_loss = |one: &&Reason| Eviction::LOSSES.iter().any(|reason| one.reason == reason.as_str());
        let lost = self.evictions.iter().filter(is_loss);
        lost.map(|one| one.count).sum()
    }
}

/// What is watched, and how that goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Watching {
    pub state: String,
    pub trouble: Option<String>,
    pub backend: String,
    pub reason: String,
    pub interfaces: Vec<String>,
    pub refused: std::collections::BTreeMap<String, String>,
    pub restarts: u64,
}

/// The configuration in force.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Configuration {
    pub file: Option<String>,
    pub profile: String,
    pub refused: Option<String>,
    pub records: String,
    pub address_list: String,
}

/// What was counted of one interface or file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Interface {
    pub name: String,
    pub packets: u64,
    pub bytes: u64,
    pub parsed: u64,
    pub lost: u64,
    pub last_packet: Option<String>,
}

/// Packets of all interfaces together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Packets {
    pub seen: u64,
    pub skipped: u64,
    pub parsed: u64,
    pub bytes: u64,
    pub lost: u64,
    pub decode_errors: u64,
    pub undecoded_messages: u64,
    pub seen_percent: f64,
}

/// What became of the flows: opened = reported + evicted + open.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Flows {
    pub opened: u64,
    pub reported: u64,
    pub evicted: u64,
    pub open: u64,
    pub limit: u64,
}

/// Flows by verdict.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Verdicts {
    pub pass: u64,
    /// Of these, only under an exception.
    pub pass_by_exception: u64,
    pub violation: u64,
    pub not_assessable: u64,
}

/// Flows of which so much of the handshake was seen.
#[derive(Debug, Deserialize)]
pub struct Share {
    pub completeness: Completeness,
    pub flows: u64,
    pub percent: f64,
}

/// Packets or records that were lost at one stage, for one reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Loss {
    pub interface: String,
    pub stage: String,
    pub reason: String,
    pub count: u64,
}

/// Packets, or messages of TLS and DNS, that could not be decoded, for one reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DecodeErrors {
    pub layer: String,
    pub reason: String,
    pub packets: u64,
}

/// What is counted by reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reason {
    pub reason: String,
    pub count: u64,
}

/// One rule that was broken, at one severity.
#[derive(Debug, Deserialize)]
pub struct BrokenRule {
    pub rule: String,
    pub severity: Severity,
    pub flows: u64,
    #[serde(default)]
    pub clients: u64,
    /// The number of clients is a lower bound.
    #[serde(default)]
    pub has_more_clients: bool,
    #[serde(default)]
    pub worst: Vec<RuleClient>,
    #[serde(default)]
    pub last: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub remedy: String,
}

/// A client that breaks a rule, with how many flows.
#[derive(Debug, Deserialize)]
pub struct RuleClient {
    pub address: IpAddr,
    pub flows: u64,
}

/// Clients with violating flows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Offenders {
    pub clients: u64,
    pub has_more_clients: bool,
    pub worst: Vec<Offender>,
}

/// A client with violating flows, over all rules.
#[derive(Debug, Deserialize)]
pub struct Offender {
    pub address: IpAddr,
    pub flows: u64,
    #[serde(default)]
    pub software: Option<String>,
    #[serde(default)]
    pub last: String,
    /// The gravest first.
    #[serde(default)]
    pub rules: Vec<OffenderRule>,
}

/// A rule that a client breaks.
#[derive(Debug, Deserialize)]
pub struct OffenderRule {
    pub rule: String,
    pub severity: Severity,
    pub flows: u64,
    #[serde(default)]
    pub remedy: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_stranger_from_another_version() {
        let read = |text: &str| Picture::read(Summary::read(text.as_bytes())?, b"[]");
        assert!(matches!(read("<html>"), Err(PictureError::Foreign)));
        assert!(matches!(read("{}"), Err(PictureError::Foreign)));
        assert!(matches!(read("{\"schema\":\"ddbwatch.summary/2\"}"), Err(PictureError::OtherSchema(_))));
        let picture =
            read("{\"schema\":\"ddbwatch.summary/1\",\"later\":1,\"flows\":{\"reported\":3}}").unwrap();
        assert_eq!(picture.forgotten_flows, 3);
        assert!(Picture::read(Summary::default(), b"{}").is_err());
    }

    #[test]
    fn counts_flows_it_cannot_read() {
        let picture = Picture::read(Summary::default(), b"[{},7,{\"schema\":\"x\"}]").unwrap();
        assert_eq!((picture.flows.len(), picture.unreadable_flows), (0, 3));
    }

    #[test]
    fn counts_flows_there_was_no_room_for() {
        let evictions = Eviction::ALL.iter().map(|why| Reason { reason: why.as_str().to_owned(), count: 1 });
        let summary = Summary { evictions: evictions.collect(), ..Summary::default() };
        assert_eq!(summary.flows_lost(), Eviction::LOSSES.len() as u64);
    }
}
