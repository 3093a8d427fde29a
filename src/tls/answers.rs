//! Whether a server has answered what its client sent encrypted in TLS 1.3: before it has the client's Finished, a server
//! sends nothing but an alert, or what it would tell anybody [RFC 8446 section 4.4.4].
//!
//! That tells of a Finished that does not show by its size: padded, in several records, or in one with the certificate of
//! the client. What is answered is more than one record: the first may be the certificate alone, and the last that the
//! client sent, while the server talks on by itself.

use arrayvec::ArrayVec;

use super::finished;
use super::order::{Seen, is_behind};
use crate::model::Timestamp;
use crate::model::registry::CipherSuite;

/// What an answer holds, at least: more than two alerts do where every record is padded a little, and less than a ticket
/// does, or what is answered to a request.
const MIN_BYTES: u32 = 64;

/// The same of a server that pads nothing: more than two alerts [RFC 8446 section 6].
const MIN_PLAIN_BYTES: u32 = 5;

/// Records that are an answer, at least, of a server that may pad each to any length: the first may be a fatal alert, and
/// then it is the last.
const MIN_PADDED_RECORDS: u32 = 2;

/// Records of a client that have been answered, at least.
const MIN_CLIENT_RECORDS: u32 = 2;

/// The most acknowledgments of the server that are told apart until the client's flight is known.
const MAX_HEARD: usize = 6;

/// What may be the client's last flight, and what its server sent behind that.
#[derive(Debug, Default)]
pub struct Answers {
    /// What the client has sent encrypted.
    client_bytes: usize,
    client_records: u32,
    /// The record with which that was enough for a Finished and what is said behind it.
    flight: Option<Seen>,
    /// As long as that is not known: what the server sent by what it had acknowledged. Taps that see one side each, and
    /// packets that overtake others, tell of answers before what is answered.
    heard: ArrayVec<(u32, Sent), MAX_HEARD>,
    /// What it sent behind the flight.
    sent: Sent,
    /// A record of the server held less than an answer may: an alert would, too.
    has_short: bool,
    /// A record of the server holds a Finished and nothing else: it pads nothing.
    is_plain: bool,
}

/// Records, and what they hold.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    records: u32,
    bytes: u32,
}

impl Sent {
    const fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Answers {
    /// Takes note of an encrypted record of the client that is no early data.
    pub fn client(&mut self, record_bytes: usize, suite: Option<CipherSuite>, seen: Seen) {
        if self.flight.is_some() {
            return;
        }
        self.client_bytes = self.client_bytes.saturating_add(finished::content_bytes(record_bytes, suite));
        self.client_records = self.client_records.saturating_add(1);
        if self.client_bytes < finished::message_bytes(suite) || self.client_records < MIN_CLIENT_RECORDS {
            return;
        }
        self.flight = Some(seen);
        for (most, sent) in self.heard.take() {
            if seen.end.is_some_and(|end| is_behind(most, end)) {
                self.sent.add(sent);
            }
        }
    }

    /// Takes note of an encrypted record of the server.
    pub fn server(&mut self, record_bytes: usize, suite: Option<CipherSuite>, seen: Seen) {
        let content_bytes = finished::content_bytes(record_bytes, suite);
        self.has_short |= content_bytes < MIN_BYTES as usize;
        self.is_plain |= suite.is_some() && content_bytes == finished::message_bytes(suite);
        let sent = Sent { records: 1, bytes: u32::try_from(content_bytes).unwrap_or(u32::MAX) };
        match (self.flight, seen.acknowledgment) {
            (Some(flight), _) if is_behind_flight(flight, seen) => self.sent.add(sent),
            (None, Some(most)) => self.hear(most, sent),
            _ => {}
        }
    }

    fn hear(&mut self, most: u32, sent: Sent) {
        if let Some((_, known)) = self.heard.iter_mut().find(|(known, _)| *known == most) {
            return known.add(sent);
        }
        if self.heard.try_push((most, sent)).is_ok() {
            return;
        }
        // Without room it counts as if the server had received less, which is never too much.
        let before = self.heard.iter_mut().filter(|(known, _)| is_behind(most, *known));
        if let Some((_, nearest)) = before.min_by_key(|(known, _)| most.wrapping_sub(*known)) {
            nearest.add(sent);
        }
    }

    /// When the client had sent what was answered.
    pub fn answered_at(&self) -> Option<Timestamp> {
        let Sent { records, bytes } = self.sent;
        let is_enough = if self.is_plain {
            bytes >= MIN_PLAIN_BYTES
        } else {
            bytes >= MIN_BYTES && (self.has_short || records >= MIN_PADDED_RECORDS)
        };
        self.flight.filter(|_| is_enough).map(|flight| flight.at)
    }
}

/// By what its sender had received, else by time.
fn is_behind_flight(flight: Seen, seen: Seen) -> bool {
    match (seen.acknowledgment, flight.end) {
        (Some(most), Some(end)) => is_behind(most, end),
        _ => flight.at < seen.at,
    }
}
