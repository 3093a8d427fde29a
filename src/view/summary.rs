//! Sums over all records of a run, in bounded memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::export::{alert_text, cipher_text, group_text, ssl2_text, version_text};
use crate::model::{
    Access, Completeness, EndpointKind, Entry, ForwardSecrecy, Judgement, KeyExchangeFacts, Outcome, Record,
    Service, Severity, Sni, TlsFacts, Verdict,
};
use crate::telemetry::Tally;

/// Clients told apart over all flows; beyond, the frequent ones stay.
const MAX_CLIENTS: usize = 4_096;
/// Clients told apart for each finding.
const MAX_FINDING_CLIENTS: usize = 256;
/// Other values told apart (suites, offending values): strangers choose some of them.
const MAX_VALUES: usize = 256;
/// Different lines of the flow table, for each judgement.
const MAX_LINES: usize = 512;
/// Letters kept of a value; a host name has at most 253.
const MAX_LETTERS: usize = 256;

/// What the flow table says of a flow; flows that say the same share a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub client: IpAddr,
    /// The region, and what is not the usual about the endpoint; for other flows the name or address.
    pub endpoint: String,
    pub version: String,
    pub cipher: String,
    pub group: String,
    pub forward_secrecy: &'static str,
    pub path: String,
    pub outcome: String,
}

impl Line {
    /// The words for a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let tls = record.tls.as_deref();
        Self {
            client: record.client.ip(),
            endpoint: endpoint(record),
            version: version(record),
            cipher: tls.and_then(cipher).unwrap_or_default(),
            group: tls.and_then(group).unwrap_or_default(),
            forward_secrecy: tls.map_or("", |tls| match tls.forward_secrecy {
                Some(ForwardSecrecy::Yes) => "yes",
                Some(ForwardSecrecy::No) => "no",
                Some(ForwardSecrecy::Unknown) | None => "?",
            }),
            path: path(record),
            outcome: outcome(record),
        }
    }
}

/// One rule broken at one severity.
#[derive(Debug)]
pub(super) struct Finding {
    pub flows: u64,
    pub clients: Tally<IpAddr>,
    pub offending: Tally<String>,
    /// Of the first flow.
    pub remedy: String,
}

/// Sums over all records of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub flows: u64,
    pub profile: Option<String>,
    pub verdicts: BTreeMap<Option<Verdict>, u64>,
    /// Those of flows to DynamoDB alone.
    pub dynamodb_verdicts: BTreeMap<Verdict, u64>,
    /// Of these, flows that only exceptions keep from being violations.
    pub excused: u64,
    pub completeness: BTreeMap<Completeness, u64>,
    /// By service, and whether that is open: of several names, it may be another.
    pub services: BTreeMap<Option<(Service, bool)>, u64>,
    pub versions: Tally<String>,
    pub ciphers: Tally<String>,
    pub paths: Tally<String>,
    pub clients: Tally<IpAddr>,
    /// The gravest first, then in the order of the rules' names.
    pub findings: BTreeMap<(Reverse<Severity>, &'static str), Finding>,
    pub lines: BTreeMap<Judgement, Tally<Line>>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            flows: 0,
            profile: None,
            verdicts: BTreeMap::new(),
            dynamodb_verdicts: BTreeMap::new(),
            excused: 0,
            completeness: BTreeMap::new(),
            services: BTreeMap::new(),
            versions: Tally::new(MAX_VALUES),
            ciphers: Tally::new(MAX_VALUES),
            paths: Tally::new(MAX_VALUES),
            clients: Tally::new(MAX_CLIENTS),
            findings: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }
}

impl Summary {
    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record) {
        let client = record.client.ip();
        let line = Line::of(record);
        self.flows += 1;
        *self.verdicts.entry(record.policy.as_ref().map(|policy| policy.verdict)).or_default() += 1;
        *self.completeness.entry(record.completeness).or_default() += 1;
        let service = record.endpoint.service.map(|service| (service, record.endpoint.has_many_services));
        *self.services.entry(service).or_default() += 1;
        self.versions.count(line.version.clone());
        self.ciphers.count(if line.cipher.is_empty() { "none seen".into() } else { line.cipher.clone() });
        self.paths.count(line.path.clone());
        self.clients.count(client);
        self.lines
            .entry(Judgement::of(record.policy.as_ref()))
            .or_insert_with(|| Tally::new(MAX_LINES))
            .count(line);
        let Some(policy) = &record.policy else { return };
        if record.endpoint.service.is_some() {
            *self.dynamodb_verdicts.entry(policy.verdict).or_default() += 1;
            self.excused += u64::from(policy.is_excused());
        }
        self.profile.get_or_insert_with(|| shortened(&policy.profile));
        for violation in &policy.violations {
            let finding =
                self.findings.entry((Reverse(violation.severity), violation.rule)).or_insert_with(|| {
                    Finding {
                        flows: 0,
                        clients: Tally::new(MAX_FINDING_CLIENTS),
                        offending: Tally::new(MAX_VALUES),
                        remedy: violation.remedy.to_string(),
                    }
                });
            finding.flows += 1;
            finding.clients.count(client);
            if !violation.offending.is_empty() {
                finding.offending.count(shortened(&violation.offending));
            }
        }
    }
}

/// The region, and what is not the usual about the endpoint; for other flows the name or address.
fn endpoint(record: &Record) -> String {
    let endpoint = &record.endpoint;
    let Some(service) = endpoint.service else {
        let name = match record.tls.as_ref().map(|tls| tls.sni()) {
            Some(Sni::Name(name)) => Some(name.to_owned()),
            _ => record.http.as_ref().and_then(|http| http.host.clone()),
        };
        return shortened(&name.unwrap_or_else(|| record.server.ip().to_string()));
    };
    let mut words = vec![endpoint.region.as_deref().unwrap_or("region unknown")];
    match (service, endpoint.has_many_services) {
        (Service::Dynamodb, false) => {}
        (Service::Dynamodb, true) => words.push("dynamodb?"),
        (Service::DynamodbStreams, is_open) => words.push(if is_open { "streams?" } else { "streams" }),
        (Service::DynamodbSearch, is_open) => words.push(if is_open { "search?" } else { "search" }),
        (Service::Dax, is_open) => words.push(if is_open { "dax?" } else { "dax" }),
    }
    match endpoint.kind {
        Some(EndpointKind::Regional | EndpointKind::DaxCluster) => {}
        Some(kind) => words.push(kind.as_str()),
        None => words.extend(["by", endpoint.known_by()]),
    }
    shortened(&words.join(" "))
}

fn version(record: &Record) -> String {
    let Some(tls) = &record.tls else {
        return if record.http.is_some() { "no TLS".into() } else { "unknown".into() };
    };
    match tls.version() {
        Some(version) => {
            let text = version_text(version).to_string();
            if matches!(text.as_str(), "2" | "3") { format!("SSL {text}") } else { format!("TLS {text}") }
        }
        None => "unknown".into(),
    }
}

fn cipher(tls: &TlsFacts) -> Option<String> {
    let kind = || tls.ssl2_cipher_kind.map(ssl2_text);
    Some(tls.cipher_suite().map(cipher_text).or_else(kind)?.to_string())
}

fn group(tls: &TlsFacts) -> Option<String> {
    match (tls.group(), tls.key_exchange) {
        (Some(group), _) => Some(group_text(group).to_string()),
        (None, Some(KeyExchangeFacts::Dhe { bits, .. })) => Some(format!("DH {bits} bits")),
        (None, Some(KeyExchangeFacts::ExplicitCurve { bits })) => Some(format!("curve of {bits} bits")),
        (None, _) => None,
    }
}

fn path(record: &Record) -> String {
    let access = match record.path.access {
        Access::SiteToSiteVpn => "VPN",
        Access::DirectConnectPrivate => "DX private",
        Access::DirectConnectPublic => "DX public",
        Access::DirectConnectTransit => "DX transit",
        Access::InVpc => "in VPC",
        Access::Internet => "internet",
        Access::Unknown => "unknown",
    };
    let entry = match record.path.entry {
        Entry::GatewayEndpoint => "gateway",
        Entry::InterfaceEndpoint => "interface",
        Entry::PublicEndpoint => "public",
        Entry::Unknown => "unknown",
    };
    if access == entry { "unknown".into() } else { format!("{access} > {entry}") }
}

fn outcome(record: &Record) -> String {
    let alert = record.tls.as_ref().and_then(|tls| tls.alert);
    match (record.outcome, alert) {
        (Outcome::RefusedByServer, Some((alert, _))) => format!("refused: {}", alert_text(alert)),
        (Outcome::RefusedByClient, Some((alert, _))) => format!("client refused: {}", alert_text(alert)),
        (outcome, _) => outcome.as_str().replace('_', " "),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LETTERS).collect()
}
