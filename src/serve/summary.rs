//! The state of a daemon at one moment: the same for `/api/v1/summary` and for the status page.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::offenders::Offender;
use super::picture::{COLUMNS, PLAINTEXT, Picture, Violating};
use crate::export::Redactor;
use crate::model::{Access, Completeness, Entry, Eviction, Severity, Timestamp, Verdict};
use crate::telemetry::{Accounts, InterfaceCounts, StageCounts, Undecoded};

/// Which form a summary has; whoever reads one asks for this.
pub const SCHEMA: &str = "ddbwatch.summary/1";

/// Clients named for each broken rule.
const NAMED_CLIENTS: usize = 5;

/// Clients that break rules, over all rules.
const LISTED_OFFENDERS: usize = 50;

/// Interfaces, losses and notes that are listed; a host that makes containers may have thousands.
const MAX_LISTED: usize = 64;

/// How the capture goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    Starting,
    Capturing,
    Failing,
    /// A replay that came to its end.
    Over,
}

/// What is watched, and how that goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Watching {
    pub state: State,
    /// Why nothing is captured, where that is so.
    pub trouble: Option<String>,
    /// `ebpf`, `afpacket`, `pcap`, `replay`.
    pub backend: &'static str,
    /// Why this back-end.
    pub reason: String,
    /// Interfaces watched now, or what is replayed.
    pub interfaces: Vec<String>,
    /// Interfaces that could not be watched, and why.
    pub refused: BTreeMap<String, String>,
    /// Times a capture had to be opened again, over all interfaces.
    pub restarts: u64,
    /// Sockets of this host that flows were looked up among.
    pub sockets: Sockets,
    /// Observations that the metrics count under `other`, because series or regions found no room.
    pub series_folded: u64,
}

impl Watching {
    /// The same without account ids: files and interfaces may be named by them.
    #[must_use]
    pub fn redacted(&self, redactor: &mut Redactor) -> Self {
        let mut shown = self.clone();
        let mut hide = |text: &mut String| *text = redactor.name(text).into_owned();
        shown.interfaces.iter_mut().chain(&mut shown.trouble).for_each(&mut hide);
        hide(&mut shown.reason);
        let refused = std::mem::take(&mut shown.refused).into_iter().map(|(mut name, mut why)| {
            [&mut name, &mut why].into_iter().for_each(&mut hide);
            (name, why)
        });
        shown.refused = refused.collect();
        shown
    }
}

/// How often the socket of a flow was looked for on this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sockets {
    pub asked: u64,
    pub found: u64,
    /// Not looked for, because that would have taken too much of the second.
    pub over_budget: u64,
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Configuration {
    pub file: Option<String>,
    pub profile: String,
    /// RFC 3339: when it was taken.
    pub taken: String,
    /// Why the newest one was refused, where it was.
    pub refused: Option<String>,
    /// Where records go.
    pub records: String,
    /// Of the DynamoDB address list: when it was published.
    pub address_list: String,
}

impl Configuration {
    /// The same without account ids: files and profiles may be named by them.
    #[must_use]
    pub fn redacted(&self, redactor: &mut Redactor) -> Self {
        let mut shown = self.clone();
        let texts = [&mut shown.profile, &mut shown.records, &mut shown.address_list];
        for text in texts.into_iter().chain(&mut shown.file).chain(&mut shown.refused) {
            *text = redactor.name(text).into_owned();
        }
        shown
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub schema: &'static str,
    pub version: &'static str,
    /// RFC 3339.
    pub started: String,
    pub now: String,
    pub watching: &'a Watching,
    pub configuration: &'a Configuration,
    pub interfaces: Vec<Interface<'a>>,
    pub packets: Packets,
    pub flows: Flows,
    pub verdicts: Verdicts,
    pub coverage: Vec<Share>,
    pub dropped: Vec<Loss<'a>>,
    pub decode_errors: Vec<DecodeErrors>,
    pub evictions: Vec<Reason>,
    pub skipped: Vec<Reason>,
    pub matrix: Matrix,
    pub violations: Vec<Rule<'a>>,
    /// Clients with violating flows, those with most first.
    pub offenders: Offenders<'a>,
    pub newest: Vec<&'a Violating>,
    pub notes: Vec<String>,
}

/// What came by on one interface, or of one file.
#[derive(Debug, Serialize)]
pub struct Interface<'a> {
    pub name: &'a str,
    pub packets: u64,
    pub bytes: u64,
    pub parsed: u64,
    pub lost: u64,
    /// RFC 3339.
    pub last_packet: Option<String>,
}

/// Packets over all interfaces.
#[derive(Debug, Default, Serialize)]
pub struct Packets {
    pub seen: u64,
    pub skipped: u64,
    pub parsed: u64,
    pub bytes: u64,
    /// Lost before they could be looked at, at any stage before the engine.
    pub lost: u64,
    /// Packets that could not be decoded.
    pub decode_errors: u64,
    /// Messages of TLS and DNS that could not be.
    pub undecoded_messages: u64,
    /// Of seen and lost ones, those that were seen.
    pub seen_percent: f64,
}

/// What became of the flows that were followed.
#[derive(Debug, Serialize)]
pub struct Flows {
    pub opened: u64,
    pub reported: u64,
    pub evicted: u64,
    /// Of these, those that there was no room for.
    pub lost: u64,
    pub open: u64,
    pub limit: u64,
    /// opened = reported + evicted + open
    pub adds_up: bool,
}

/// Reported flows by verdict.
#[derive(Debug, Default, Serialize)]
pub struct Verdicts {
    pub pass: u64,
    /// Of these, only under an exception.
    pub pass_by_exception: u64,
    pub violation: u64,
    pub not_assessable: u64,
}

/// Reported flows of which so much was seen.
#[derive(Debug, Serialize)]
pub struct Share {
    pub completeness: Completeness,
    pub flows: u64,
    pub percent: f64,
}

/// What was lost for one reason: packets, bytes at the stage `reassembly`, records at `export`.
#[derive(Debug, Serialize)]
pub struct Loss<'a> {
    pub interface: &'a str,
    pub stage: &'static str,
    pub reason: &'static str,
    pub count: u64,
}

/// What could not be decoded, by layer and reason.
#[derive(Debug, Serialize)]
pub struct DecodeErrors {
    pub layer: &'static str,
    pub reason: &'static str,
    /// Packets, or messages where the layer is `tls` or `dns`.
    pub packets: u64,
}

/// How often something happened for one reason.
#[derive(Debug, Serialize)]
pub struct Reason {
    pub reason: &'static str,
    pub count: u64,
}

/// Flows by path and version.
#[derive(Debug, Serialize)]
pub struct Matrix {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// A protocol version, or plaintext.
#[derive(Debug, Serialize)]
pub struct Column {
    pub name: &'static str,
    /// `bad`, `good` or nothing: how the column looks.
    pub look: &'static str,
}

/// The flows of one path.
#[derive(Debug, Serialize)]
pub struct Row {
    pub access: Access,
    pub entry: Entry,
    /// In the order of the columns.
    pub flows: Vec<u64>,
    pub total: u64,
}

/// One rule that was broken.
#[derive(Debug, Serialize)]
pub struct Rule<'a> {
    pub rule: &'static str,
    pub severity: Severity,
    pub flows: u64,
    pub clients: u64,
    /// The number of clients is a lower bound.
    pub has_more_clients: bool,
    pub worst: Vec<Client>,
    /// RFC 3339, of the newest flow.
    pub last: String,
    pub message: &'a str,
    pub remedy: &'a str,
}

/// A client that breaks the rule.
#[derive(Debug, Serialize)]
pub struct Client {
    pub address: IpAddr,
    pub flows: u64,
}

/// Who must act.
#[derive(Debug, Serialize)]
pub struct Offenders<'a> {
    pub clients: u64,
    /// The number of clients is a lower bound.
    pub has_more_clients: bool,
    pub worst: Vec<Offender<'a>>,
}

impl<'a> Summary<'a> {
    /// Joins what was counted with what is remembered; `newest`: how many of the newest violations.
    #[must_use]
    pub fn new(
        picture: &'a Picture,
        accounts: &'a Accounts,
        watching: &'a Watching,
        configuration: &'a Configuration,
        (started, now): (Timestamp, Timestamp),
        newest: usize,
    ) -> Self {
        let evicted: u64 = accounts.evictions.values().sum();
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            started: started.to_string(),
            now: now.to_string(),
            watching,
            configuration,
            interfaces: interfaces(accounts, watching),
            packets: packets(accounts),
            flows: Flows {
                opened: accounts.flows_opened,
                reported: accounts.records,
                evicted,
                lost: Eviction::LOSSES.iter().filter_map(|why| accounts.evictions.get(why.as_str())).sum(),
                open: accounts.flows_open,
                limit: accounts.flow_table_limit,
                adds_up: accounts.flows_opened == accounts.records + evicted + accounts.flows_open,
            },
            verdicts: verdicts(picture),
            coverage: coverage(picture),
            dropped: losses(accounts),
            decode_errors: decode_errors(accounts),
            evictions: reasons(&accounts.evictions),
            skipped: reasons(&accounts.skipped),
            matrix: matrix(picture),
            violations: rules(picture),
            offenders: Offenders {
                clients: picture.offenders.len() as u64,
                has_more_clients: picture.offenders.has_more(),
                worst: picture.offenders.top(LISTED_OFFENDERS),
            },
            newest: picture.violations().take(newest).collect(),
            notes: accounts.damage.iter().take(MAX_LISTED).map(ToString::to_string).collect(),
        }
    }
}

/// What was lost before the engine could look at it; records that were not written were seen.
fn is_loss_of_packets(stage: &str) -> bool {
    matches!(stage, "nic" | "kernel" | "ring")
}

/// What all interfaces are called together that are not watched any more.
const GONE: &str = "gone";

fn interfaces<'a>(accounts: &'a Accounts, watching: &'a Watching) -> Vec<Interface<'a>> {
    let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
    for ((interface, stage, _), count) in &accounts.dropped {
        if is_loss_of_packets(stage) {
            *lost.entry(interface).or_default() += count;
        }
    }
    // A replay has files instead, which do not go.
    let is_live = watching.backend != "replay";
    let watched: BTreeSet<&str> = watching.interfaces.iter().map(String::as_str).collect();
    let mut gone = InterfaceCounts::default();
    let mut lost_of_gone = 0;
    let mut all = Vec::with_capacity(accounts.interfaces.len().min(MAX_LISTED));
    for (name, counts) in &accounts.interfaces {
        let lost = lost.get(name.as_str()).copied().unwrap_or_default();
        if is_live && !watched.contains(name.as_str()) {
            gone.add(counts);
            lost_of_gone += lost;
        } else {
            all.push(interface(name, counts, lost));
        }
    }
    all.sort_by_key(|interface| Reverse(interface.packets));
    all.truncate(MAX_LISTED);
    if gone.seen.packets > 0 || lost_of_gone > 0 {
        all.push(interface(GONE, &gone, lost_of_gone));
    }
    all
}

fn interface<'a>(name: &'a str, counts: &InterfaceCounts, lost: u64) -> Interface<'a> {
    Interface {
        name,
        packets: counts.seen.packets,
        bytes: counts.seen.bytes,
        parsed: counts.parsed.packets,
        lost,
        last_packet: counts.last_packet.map(|time| time.to_string()),
    }
}

fn packets(accounts: &Accounts) -> Packets {
    let mut packets = Packets::default();
    for counts in accounts.interfaces.values() {
        for (sum, StageCounts { packets, .. }) in [
            (&mut packets.seen, counts.seen),
            (&mut packets.skipped, counts.skipped),
            (&mut packets.parsed, counts.parsed),
        ] {
            *sum += packets;
        }
        packets.bytes += counts.seen.bytes;
    }
    let lost = accounts.dropped.iter().filter(|((_, stage, _), _)| is_loss_of_packets(stage));
    packets.lost = lost.map(|(_, count)| count).sum();
    Undecoded { packets: packets.decode_errors, messages: packets.undecoded_messages } = accounts.undecoded();
    packets.seen_percent = percent(packets.seen, packets.seen + packets.lost);
    packets
}

fn verdicts(picture: &Picture) -> Verdicts {
    let of = |verdict| picture.verdicts.get(&verdict).copied().unwrap_or_default();
    Verdicts {
        pass: of(Verdict::Pass),
        pass_by_exception: picture.excused,
        violation: of(Verdict::Violation),
        not_assessable: of(Verdict::NotAssessable),
    }
}

fn coverage(picture: &Picture) -> Vec<Share> {
    let of = |completeness| picture.completeness.get(&completeness).copied().unwrap_or_default();
    Completeness::ALL
        .iter()
        .map(|&completeness| Share {
            completeness,
            flows: of(completeness),
            percent: percent(of(completeness), picture.records),
        })
        .collect()
}

fn losses(accounts: &Accounts) -> Vec<Loss<'_>> {
    let mut losses: Vec<_> = accounts
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|((interface, stage, reason), &count)| Loss { interface, stage, reason, count })
        .collect();
    losses.sort_by_key(|loss| Reverse(loss.count));
    losses.truncate(MAX_LISTED);
    losses
}

fn decode_errors(accounts: &Accounts) -> Vec<DecodeErrors> {
    let mut errors: Vec<_> = accounts
        .decode_errors
        .iter()
        .map(|(&(layer, reason), &packets)| DecodeErrors { layer, reason, packets })
        .collect();
    errors.sort_by_key(|error| Reverse(error.packets));
    errors.truncate(MAX_LISTED);
    errors
}

fn reasons(counts: &BTreeMap<&'static str, u64>) -> Vec<Reason> {
    let mut reasons: Vec<_> = counts.iter().map(|(&reason, &count)| Reason { reason, count }).collect();
    reasons.sort_by_key(|reason| Reverse(reason.count));
    reasons.truncate(MAX_LISTED);
    reasons
}

fn matrix(picture: &Picture) -> Matrix {
    let is_used = |name: &str| picture.matrix.values().any(|row| row.contains_key(name));
    let columns: Vec<Column> = COLUMNS
        .iter()
        .filter(|name| is_used(name))
        .map(|&name| Column {
            name,
            look: match name {
                PLAINTEXT | "SSL 2" | "SSL 3" | "TLS 1.0" | "TLS 1.1" => "bad",
                "TLS 1.2" | "TLS 1.3" => "good",
                _ => "",
            },
        })
        .collect();
    let mut rows: Vec<Row> = picture
        .matrix
        .iter()
        .map(|(&(access, entry), counts)| Row {
            access,
            entry,
            flows: columns
                .iter()
                .map(|column| counts.get(column.name).copied().unwrap_or_default())
                .collect(),
            total: counts.values().sum(),
        })
        .collect();
    rows.sort_by_key(|row| Reverse(row.total));
    Matrix { columns, rows }
}

fn rules(picture: &Picture) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = picture
        .broken
        .iter()
        .map(|(&(severity, rule), broken)| Rule {
            rule,
            severity,
            flows: broken.flows,
            clients: broken.clients.len() as u64,
            has_more_clients: broken.clients.folded() > 0,
            worst: broken
                .clients
                .top(NAMED_CLIENTS)
                .into_iter()
                .map(|(&address, flows)| Client { address, flows })
                .collect(),
            last: broken.last.to_string(),
            message: &broken.message,
            remedy: &broken.remedy,
        })
        .collect();
    rules.sort_by_key(|rule| (Reverse(rule.severity), Reverse(rule.flows)));
    rules
}

/// One decimal; never 100 where something is missing, never 0 where something is there.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if part >= whole {
        return if whole == 0 { 0.0 } else { 100.0 };
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    let tenths = u32::try_from(tenths).unwrap_or(999).clamp(u32::from(part > 0), 999);
    f64::from(tenths) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Redaction;

    #[test]
    fn interfaces_that_are_gone_share_one_line() {
        let mut accounts = Accounts::default();
        for (name, packets) in [("eth0", 5), ("veth1", 7), ("veth2", 8)] {
            let seen = StageCounts { packets, bytes: 100 };
            accounts.interfaces.insert(name.to_owned(), InterfaceCounts { seen, ..Default::default() });
            accounts.dropped.insert((name.to_owned(), "nic", "rx_missed"), 1);
        }
        let watching =
            Watching { backend: "ebpf", interfaces: vec!["eth0".to_owned()], ..Watching::default() };
        let shown = |watching: &Watching| -> Vec<(String, u64, u64)> {
            let all = interfaces(&accounts, watching);
            all.iter().map(|shown| (shown.name.to_owned(), shown.packets, shown.lost)).collect()
        };
        assert_eq!(shown(&watching), [("eth0".to_owned(), 5, 1), (GONE.to_owned(), 15, 2)]);
        assert_eq!(shown(&Watching { backend: "replay", ..watching }).len(), 3);
    }

    #[test]
    fn names_no_account_in_what_is_watched() {
        let raw = || "/captures/222233334444.pcap".to_owned();
        let watching = Watching {
            interfaces: vec![raw(), "dump-202611231000.pcap".to_owned()],
            refused: [(raw(), raw())].into(),
            trouble: Some(raw()),
            reason: raw(),
            ..Watching::default()
        };
        let configuration = Configuration {
            file: Some(raw()),
            records: raw(),
            refused: Some(raw()),
            ..Configuration::default()
        };
        let mut redactor = Redactor::new(Redaction::Numbered);
        let shown = watching.redacted(&mut redactor);
        assert_eq!(shown.interfaces, ["/captures/account-1.pcap", "dump-202611231000.pcap"]);
        let text = format!("{shown:?} {:?}", configuration.redacted(&mut redactor));
        assert!(!text.contains("222233334444") && text.matches("account-1").count() == 8, "{text}");
    }

    #[test]
    fn rounds_towards_what_is_worse() {
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(percent(1, 3), 33.3);
        assert_eq!(percent(9_999_999, 10_000_000), 99.9);
        assert_eq!(percent(1, 10_000_000), 0.1);
        assert_eq!(percent(5, 5), 100.0);
    }
}
