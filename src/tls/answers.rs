//! Whether a server has answered what its client sent encrypted in TLS 1.3: it sends nothing but an alert before it has the
//! client's Finished.
//!
//! That tells of a Finished that does not show by its size: padded, in several records, or in one with the certificate of
//! the client, which by itself may have been the last that the client sent.

use super::finished;
use super::order::{Seen, is_behind};
use crate::model::Timestamp;
use crate::model::registry::CipherSuite;

/// What an answer holds, at least: more than two alerts do where every record is padded a little, and less than a ticket
/// does, or what is answered to a request.
const MIN_BYTES: usize = 64;

/// Records that are an answer, at least, of a server that may pad each to any length: the first may be a fatal alert, and
/// then it is the last.
const MIN_PADDED_RECORDS: u32 = 2;

/// What may be the client's last flight, and what its server sent behind that.
#[derive(Debug, Default)]
pub struct Answers {
    /// What the client has sent encrypted.
    client_bytes: usize,
    /// The record with which that was enough for a Finished.
    flight: Option<Seen>,
    /// As long as that is not known: the newest that the server has acknowledged.
    acknowledged: Option<u32>,
    /// Records of the server with that acknowledgment, or behind the flight, and what they hold.
    records: u32,
    bytes: usize,
    /// A record of the server held less: an alert would, too.
    has_short: bool,
}

impl Answers {
    /// Takes note of an encrypted record of the client that is no early data.
    pub fn client(&mut self, record_bytes: usize, suite: Option<CipherSuite>, seen: Seen) {
        if self.flight.is_some() {
            return;
        }
        self.client_bytes = self.client_bytes.saturating_add(finished::content_bytes(record_bytes, suite));
        if self.client_bytes < finished::message_bytes(suite) {
            return;
        }
        self.flight = Some(seen);
        // Taps that see one side each may have told of the answers before.
        if !self.acknowledged.is_some_and(|most| seen.end.is_some_and(|end| is_behind(most, end))) {
            (self.records, self.bytes) = (0, 0);
        }
    }

    /// Takes note of an encrypted record of the server.
    pub fn server(&mut self, record_bytes: usize, suite: Option<CipherSuite>, seen: Seen) {
        let content_bytes = finished::content_bytes(record_bytes, suite);
        self.has_short |= content_bytes < MIN_BYTES;
        match self.flight {
            Some(flight) if is_behind_flight(flight, seen) => {}
            Some(_) => return,
            None if seen.acknowledgment.is_none() => return,
            None if seen.acknowledgment == self.acknowledged => {}
            None => {
                self.acknowledged = seen.acknowledgment;
                (self.records, self.bytes) = (0, 0);
            }
        }
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(content_bytes);
    }

    /// When the client had sent what was answered.
    pub fn answered_at(&self) -> Option<Timestamp> {
        let is_enough = self.bytes >= MIN_BYTES && (self.has_short || self.records >= MIN_PADDED_RECORDS);
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
