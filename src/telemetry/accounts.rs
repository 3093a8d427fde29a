//! Plain counters of one run: filled by the pipeline, read by whoever reports.
//!
//! Invariants, asserted by tests: per interface `seen = skipped + parsed`, in packets and in bytes;
//! `flows_opened = records + sum(evictions) + flows_open`.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Timestamp;

/// Packets and bytes at one stage. Bytes are those captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCounts {
    pub packets: u64,
    pub bytes: u64,
}

/// Counts of one capture interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// Every frame read.
    pub seen: StageCounts,
    /// Frames that belong to no TCP flow of interest or could not be decoded; the reasons are in
    /// `Accounts::decode_errors` and `Accounts::skipped`.
    pub skipped: StageCounts,
    /// Frames whose TCP segment or DNS message was taken.
    pub parsed: StageCounts,
    /// Time of the newest frame.
    pub last_packet: Option<Timestamp>,
}

/// A damaged or unreadable part of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamageNote {
    /// Path as given by the user or as found in a folder.
    pub file: String,
    /// Byte offset in the (uncompressed) file where the damage begins; `None` where nothing of the file or folder was read.
    pub offset: Option<u64>,
    /// A sentence: what is wrong there.
    pub what: String,
}

impl fmt::Display for DamageNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{}: damaged at byte {offset}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// What could not be decoded. A message is what one side said (a hello, a certificate, a DNS answer), whose packets may be
/// whole, or one of them missing: it is no packet more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecoded {
    pub packets: u64,
    pub messages: u64,
}

/// The layers of [`Accounts::decode_errors`] that count messages; all others count packets.
const MESSAGES: [&str; 2] = ["dns", "tls"];

/// Everything counted in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// By interface name (file base name where the capture names none).
    pub interfaces: BTreeMap<String, InterfaceCounts>,
    /// By reason, e.g. `not_tcp`, `arp`, `udp`: packets rightly not looked into.
    pub skipped: BTreeMap<&'static str, u64>,
    /// By (layer, reason): packets and messages that claim to be something and are not, or of which a part is missing.
    pub decode_errors: BTreeMap<(&'static str, &'static str), u64>,
    /// By (interface, stage, reason): packets or bytes lost before they could be looked at.
    pub dropped: BTreeMap<(String, &'static str, &'static str), u64>,
    /// Flows that left the table without a record, by [`Eviction`](crate::model::Eviction).
    pub evictions: BTreeMap<&'static str, u64>,
    pub flows_opened: u64,
    /// Flows reported.
    pub records: u64,
    /// TLS and HTTP flows to other services, left out (counted in `evictions` as `not_dynamodb` or `requests_beyond_limit`).
    pub other_services: u64,
    /// Flows neither reported nor evicted yet.
    pub flows_open: u64,
    pub flow_table_limit: u64,
    /// The most flows open at once.
    pub flows_peak: u64,
    /// First and last packet time.
    pub first_packet: Option<Timestamp>,
    pub last_packet: Option<Timestamp>,
    pub damage: Vec<DamageNote>,
    /// The user stopped the run before the end of the input.
    pub is_cut_short: bool,
    /// Files read, and files passed over as no capture.
    pub files: u64,
    pub files_passed_over: Vec<String>,
}

impl InterfaceCounts {
    /// Adds other counts of the same interface.
    pub fn add(&mut self, other: &Self) {
        for (sum, add) in [
            (&mut self.seen, other.seen),
            (&mut self.skipped, other.skipped),
            (&mut self.parsed, other.parsed),
        ] {
            sum.packets += add.packets;
            sum.bytes += add.bytes;
        }
        self.last_packet = self.last_packet.max(other.last_packet);
    }
}

impl Accounts {
    /// Packets and messages that could not be decoded. Those that were read as far as the capture goes, and those whose time
    /// it does not tell, are none of them.
    #[must_use]
    pub fn undecoded(&self) -> Undecoded {
        let is_read = |&(layer, reason): &(&str, &str)| {
            layer == "capture" && matches!(reason, "cut_short" | "no_timestamp")
        };
        let mut undecoded = Undecoded::default();
        for (kind, count) in self.decode_errors.iter().filter(|(kind, _)| !is_read(kind)) {
            let sum =
                if MESSAGES.contains(&kind.0) { &mut undecoded.messages } else { &mut undecoded.packets };
            *sum += count;
        }
        undecoded
    }

    /// Adds the counts of another run (another file).
    pub fn merge(&mut self, other: Self) {
        for (name, counts) in other.interfaces {
            self.interfaces.entry(name).or_default().add(&counts);
        }
        for (key, count) in other.skipped {
            *self.skipped.entry(key).or_default() += count;
        }
        for (key, count) in other.decode_errors {
            *self.decode_errors.entry(key).or_default() += count;
        }
        for (key, count) in other.dropped {
            *self.dropped.entry(key).or_default() += count;
        }
        for (key, count) in other.evictions {
            *self.evictions.entry(key).or_default() += count;
        }
        self.flows_opened += other.flows_opened;
        self.records += other.records;
        self.other_services += other.other_services;
        self.flows_open += other.flows_open;
        self.flow_table_limit = self.flow_table_limit.max(other.flow_table_limit);
        self.flows_peak = self.flows_peak.max(other.flows_peak);
        self.first_packet = match (self.first_packet, other.first_packet) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.last_packet = self.last_packet.max(other.last_packet);
        self.damage.extend(other.damage);
        self.is_cut_short |= other.is_cut_short;
        self.files += other.files;
        self.files_passed_over.extend(other.files_passed_over);
    }
}
