//! Sums and first evidence over all records of a run, in bounded memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::inventory::Inventory;
use super::shares::{Counts, Shares};
use super::timeline::Timeline;
use super::words;
use crate::model::registry::TlsVersion;
use crate::model::{Completeness, Judgement, Outcome, PolicyFacts, Record, Severity, Timestamp, Violation};
use crate::policy::Rule;
use crate::policy::clients::Programs;

/// Different values of one kind: strangers choose some of them.
const MAX_VALUES: usize = 512;
/// Clients told apart, some 250 bytes each. Beyond, those that break no rule make room for those that do.
pub(super) const MAX_CLIENTS: usize = 16_384;
/// Clients told apart for each finding.
const MAX_FINDING_CLIENTS: usize = 4_096;
/// Pieces of evidence kept of one rule at one severity: what a person still reads, and prints. All are in
/// the records.
const MAX_EVIDENCE: usize = 200;
/// The same for findings that change no verdict.
const MAX_EVIDENCE_INFO: usize = 20;
/// Different remedies of one rule: one for each kind of client.
const MAX_REMEDIES: usize = 16;
/// Profiles named in the records.
const MAX_PROFILES: usize = 16;
/// Captures named in the records.
const MAX_SOURCES: usize = 4_096;

/// Where one violation can be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub at: Timestamp,
    pub source: Arc<str>,
    pub first_frame: u64,
    pub client_hello_frame: Option<u64>,
    pub server_hello_frame: Option<u64>,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub name: String,
    pub offending: String,
    pub message: String,
    pub outcome: String,
}

/// One rule broken at one severity.
#[derive(Clone, Debug, Default)]
pub(super) struct Finding {
    pub flows: u64,
    /// Of these, accepted by an exception.
    pub excepted: u64,
    pub clients: BTreeSet<IpAddr>,
    pub has_more_clients: bool,
    pub evidence: Vec<Evidence>,
    /// Remedy → flows.
    pub remedies: BTreeMap<String, u64>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

/// One client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub counts: Counts,
    /// Flows counted beyond those told apart before this client had a place: some of them may be its own.
    pub missed: Counts,
    /// Some of its flows break a rule only under an exception.
    pub is_excused: bool,
    /// Rules broken at warning or critical.
    pub rules: BTreeSet<&'static str>,
    /// The lowest and the highest of the best versions that its hellos offered.
    pub offers: Option<(TlsVersion, TlsVersion)>,
    /// What its violating flows probably come from, and the others.
    pub programs: [Programs; 2],
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Client {
    /// What its violating flows probably come from; where it has none, what its flows do.
    pub(super) fn software(&self) -> Option<String> {
        let [violating, others] = &self.programs;
        if self.counts.violations() > 0 { violating } else { others }.words()
    }
}

/// Everything the report is made of, but what stands in the accounts.
pub(super) struct Collected {
    pub flows: u64,
    pub dynamodb_flows: u64,
    pub judgements: Counts,
    /// Flows that only exceptions keep from being violations.
    pub excused: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub completeness: BTreeMap<Completeness, u64>,
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Rules that could not be judged → flows that are not assessable.
    pub not_assessed: BTreeMap<&'static str, u64>,
    pub profiles: BTreeMap<String, u64>,
    pub sources: BTreeMap<Arc<str>, u64>,
    /// Flows of sources beyond those told apart.
    pub sources_beyond: u64,
    pub versions: Shares,
    pub ciphers: Shares,
    pub groups: Shares,
    pub forward_secrecy: Shares,
    pub paths: Shares,
    pub endpoints: Shares,
    pub timeline: Timeline,
    pub inventory: Inventory,
    pub clients: BTreeMap<IpAddr, Client>,
    /// Flows that found no place with a client: those of clients beyond those told apart, and earlier ones of some that
    /// have a place now.
    pub clients_beyond: Counts,
    /// Some of these are excused.
    pub has_excused_beyond: bool,
    /// The gravest first, then in the order of the rules.
    pub findings: BTreeMap<(Reverse<Severity>, usize, &'static str), Finding>,
    /// How often each exception of the policy was applied, in their order.
    pub exceptions: Vec<u64>,
}

impl Collected {
    pub(super) fn new(exceptions: usize) -> Self {
        let shares = || Shares::new(MAX_VALUES);
        Self {
            flows: 0,
            dynamodb_flows: 0,
            judgements: Counts::default(),
            excused: 0,
            first: None,
            last: None,
            completeness: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            not_assessed: BTreeMap::new(),
            profiles: BTreeMap::new(),
            sources: BTreeMap::new(),
            sources_beyond: 0,
            versions: shares(),
            ciphers: shares(),
            groups: shares(),
            forward_secrecy: shares(),
            paths: shares(),
            endpoints: shares(),
            timeline: Timeline::default(),
            inventory: Inventory::default(),
            clients: BTreeMap::new(),
            clients_beyond: Counts::default(),
            has_excused_beyond: false,
            findings: BTreeMap::new(),
            exceptions: vec![0; exceptions],
        }
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record) {
        let (at, judgement) = (record.timestamp, Judgement::of(record.policy.as_ref()));
        self.flows += 1;
        self.dynamodb_flows += u64::from(record.endpoint.service.is_some());
        self.judgements.add(judgement, 1);
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(Some(at));
        *self.completeness.entry(record.completeness).or_default() += 1;
        *self.outcomes.entry(record.outcome).or_default() += 1;
        if self.sources.len() < MAX_SOURCES || self.sources.contains_key(&record.source) {
            *self.sources.entry(Arc::clone(&record.source)).or_default() += 1;
        } else {
            self.sources_beyond += 1;
        }
        self.timeline.count(at, judgement);
        self.inventory.take(record);

        let none = || words::nothing(record).to_owned();
        self.versions.count(&words::version(record), judgement, at);
        self.ciphers.count(&words::cipher(record).unwrap_or_else(none), judgement, at);
        let group = words::group(record)
            .or_else(|| words::no_group(record).map(str::to_owned))
            .or_else(|| words::session_group(record));
        self.groups.count(&group.unwrap_or_else(none), judgement, at);
        let secrecy = record.tls.as_deref().and_then(|tls| tls.forward_secrecy);
        self.forward_secrecy.count(
            secrecy.map_or(words::nothing(record), |answer| answer.as_str()),
            judgement,
            at,
        );
        self.paths.count(&words::path(record), judgement, at);
        self.endpoints.count(&words::endpoint(record), judgement, at);
        self.take_client(record, judgement);

        let Some(facts) = &record.policy else { return };
        self.excused += u64::from(facts.is_excused());
        if self.profiles.len() < MAX_PROFILES || self.profiles.contains_key(&*facts.profile) {
            *self.profiles.entry(facts.profile.to_string()).or_default() += 1;
        }
        if judgement == Judgement::NotAssessable {
            for &rule in &facts.not_assessed {
                *self.not_assessed.entry(rule).or_default() += 1;
            }
        }
        for violation in &facts.violations {
            self.take_violation(record, violation);
        }
    }

    fn take_client(&mut self, record: &Record, judgement: Judgement) {
        let (at, address) = (record.timestamp, record.client.ip());
        let is_violating = matches!(judgement, Judgement::Warning | Judgement::Critical);
        let is_excused = record.policy.as_ref().is_some_and(PolicyFacts::is_excused);
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&address) {
            if !is_violating {
                self.clients_beyond.add(judgement, 1);
                self.has_excused_beyond |= is_excused;
                return;
            }
            self.fold_clients();
        }
        let missed = self.clients_beyond;
        let client = self.clients.entry(address).or_insert_with(|| Client {
            counts: Counts::default(),
            missed,
            is_excused: false,
            rules: BTreeSet::new(),
            offers: None,
            programs: Default::default(),
            first: at,
            last: at,
        });
        client.counts.add(judgement, 1);
        client.is_excused |= is_excused;
        client.first = client.first.min(at);
        client.last = client.last.max(at);
        let hello = record.tls.as_deref().and_then(|tls| tls.client_hello.as_ref());
        if let Some(offered) = hello.and_then(|hello| hello.max_version()) {
            let (lowest, highest) = client.offers.unwrap_or((offered, offered));
            client.offers = Some((
                if offered.rank() < lowest.rank() { offered } else { lowest },
                if offered.rank() > highest.rank() { offered } else { highest },
            ));
        }
        let [violating, others] = &mut client.programs;
        if is_violating { violating } else { others }.add(record);
        let grave = record.policy.iter().flat_map(|policy| &policy.violations);
        client.rules.extend(grave.filter(|found| found.severity.counts()).map(|found| found.rule));
    }

    /// Keeps the half with most violations; of the others the flows are counted together. Those that come back have what
    /// they missed.
    fn fold_clients(&mut self) {
        let dropped: Vec<IpAddr> = self
            .top_clients(usize::MAX)
            .split_off(MAX_CLIENTS / 2)
            .into_iter()
            .map(|(address, _)| address)
            .collect();
        for client in dropped.iter().filter_map(|address| self.clients.remove(address)) {
            self.clients_beyond.merge(&client.counts);
            self.has_excused_beyond |= client.is_excused;
        }
    }

    /// How many addresses there were; a lower bound where flows are counted beyond those told apart.
    pub(super) fn clients_number(&self) -> u64 {
        let is_bound = self.clients_beyond.total() > 0;
        self.clients.len().max(if is_bound { MAX_CLIENTS } else { 0 }) as u64
    }

    fn take_violation(&mut self, record: &Record, violation: &Violation) {
        let place = Rule::ALL.iter().position(|rule| rule.as_str() == violation.rule);
        let key = (Reverse(violation.severity), place.unwrap_or(Rule::ALL.len()), violation.rule);
        let finding = self.findings.entry(key).or_default();
        finding.flows += 1;
        finding.first = Some(finding.first.map_or(record.timestamp, |first| first.min(record.timestamp)));
        finding.last = finding.last.max(Some(record.timestamp));
        let client = record.client.ip();
        if finding.clients.len() < MAX_FINDING_CLIENTS {
            finding.clients.insert(client);
        } else {
            finding.has_more_clients |= !finding.clients.contains(&client);
        }
        if let Some(excuse) = violation.excuse {
            finding.excepted += 1;
            if let Some(count) = excuse.by.and_then(|place| self.exceptions.get_mut(place)) {
                *count += 1;
            }
        }
        if finding.remedies.len() < MAX_REMEDIES || finding.remedies.contains_key(&*violation.remedy) {
            *finding.remedies.entry(violation.remedy.to_string()).or_default() += 1;
        }
        let most = if violation.severity.counts() { MAX_EVIDENCE } else { MAX_EVIDENCE_INFO };
        if finding.evidence.len() < most {
            finding.evidence.push(Evidence {
                at: record.timestamp,
                source: Arc::clone(&record.source),
                first_frame: record.first_frame,
                client_hello_frame: record.client_hello_frame,
                server_hello_frame: record.server_hello_frame,
                client: record.client,
                server: record.server,
                name: words::server(record),
                offending: words::shown(&violation.offending).into_owned(),
                message: words::shown(&violation.message).into_owned(),
                outcome: words::outcome(record),
            });
        }
    }

    /// Those with most violations first, then those with most flows.
    pub(super) fn top_clients(&self, number: usize) -> Vec<(IpAddr, &Client)> {
        let mut all: Vec<(IpAddr, &Client)> =
            self.clients.iter().map(|(address, client)| (*address, client)).collect();
        all.sort_by_key(|(address, client)| {
            let counts = &client.counts;
            (
                Reverse(counts.of(Judgement::Critical)),
                Reverse(counts.violations()),
                Reverse(counts.total()),
                *address,
            )
        });
        all.truncate(number);
        all
    }
}
