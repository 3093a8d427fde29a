//! Protocols and cipher suites in use, with purpose and place: what PCI DSS requirement 12.3.3 asks to be
//! listed and reviewed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::words;
use crate::export::fields::Text;
use crate::model::registry::TlsVersion;
use crate::model::{Record, Timestamp};

/// Different lines; there are some 350 suites with a name, of which few are in use anywhere.
const MAX_LINES: usize = 512;
/// Places and groups named in one line.
const MAX_PLACES: usize = 12;
/// Clients told apart in one line.
const MAX_CLIENTS: usize = 1_024;

/// What tells lines apart; the order is that of the table: the oldest protocol first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    rank: u16,
    pub protocol: String,
    pub suite: String,
    pub id: String,
    pub purpose: &'static str,
}

/// What is known of one line.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub flows: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    pub groups: BTreeSet<String>,
    pub places: BTreeSet<String>,
    clients: BTreeSet<IpAddr>,
    /// There were more than are told apart.
    pub has_more_clients: bool,
}

impl Use {
    pub(super) fn clients(&self) -> u64 {
        self.clients.len() as u64
    }
}

/// All lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    pub lines: BTreeMap<Line, Use>,
    /// Flows of lines beyond the limit.
    pub beyond: u64,
    /// Flows where neither a suite nor a plaintext request was seen.
    pub nothing_seen: u64,
}

impl Inventory {
    pub(super) fn take(&mut self, record: &Record) {
        let Some(line) = line(record) else {
            self.nothing_seen += 1;
            return;
        };
        if self.lines.len() >= MAX_LINES && !self.lines.contains_key(&line) {
            self.beyond += 1;
            return;
        }
        let at = record.timestamp;
        let found = self.lines.entry(line).or_insert_with(|| Use {
            flows: 0,
            first: at,
            last: at,
            groups: BTreeSet::new(),
            places: BTreeSet::new(),
            clients: BTreeSet::new(),
            has_more_clients: false,
        });
        found.flows += 1;
        found.first = found.first.min(at);
        found.last = found.last.max(at);
        if let Some(group) = words::group(record) {
            insert_some(&mut found.groups, group);
        }
        insert_some(&mut found.places, format!("{}; {}", words::endpoint(record), words::path(record)));
        if found.clients.len() < MAX_CLIENTS {
            found.clients.insert(record.client.ip());
        } else {
            found.has_more_clients |= !found.clients.contains(&record.client.ip());
        }
    }
}

fn insert_some(set: &mut BTreeSet<String>, value: String) {
    if set.len() < MAX_PLACES {
        set.insert(value);
    } else if !set.contains(&value) {
        set.insert("more".to_owned());
    }
}

fn line(record: &Record) -> Option<Line> {
    let purpose = words::purpose(&record.endpoint);
    let Some(tls) = record.tls.as_deref() else {
        record.http.as_ref()?;
        return Some(Line {
            rank: 0,
            protocol: "none (plaintext)".to_owned(),
            suite: "none".to_owned(),
            id: String::new(),
            purpose,
        });
    };
    let version: TlsVersion = tls.version()?;
    let suite = words::cipher(record)?;
    let id = match (tls.cipher_suite(), tls.ssl2_cipher_kind) {
        (Some(suite), _) => Text::Hex(suite.0.into(), 4).to_string(),
        (None, Some(kind)) => Text::Hex(kind.0, 6).to_string(),
        (None, None) => String::new(),
    };
    Some(Line { rank: version.rank(), protocol: words::version_words(version), suite, id, purpose })
}
