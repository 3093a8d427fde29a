//! What shows that both sides have finished, and when.

use super::Session;
use crate::model::Timestamp;
use crate::tls::finished;
use crate::tls::numbers::{content, is_tls13};
use crate::tls::order::{Seen, is_behind};
use crate::tls::record::{Layer, Sender};

/// A record of which more comes: how long it is, and where it began to be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub layer: Layer,
    pub length: usize,
    /// But its end, which is that of the record.
    pub seen: Seen,
}

impl Session {
    /// What was under way of `sender` was sent whole where it was seen to go on behind it, at `until`.
    pub(super) fn pass(&mut self, sender: Sender, until: u32) {
        let begun = self.direction(sender).begun;
        if let Some(Begun { seen, .. }) = begun
            && seen.end.is_some_and(|end| is_behind(until, end))
        {
            self.end_record(sender);
            self.note_established(seen.at);
        }
    }

    /// The record of `sender` that is under way is there to its end. Only then can it hold a Finished: a stream may end
    /// within it.
    pub(super) fn end_record(&mut self, sender: Sender) {
        let Some(Begun { layer, length, seen }) = self.direction(sender).begun.take() else { return };
        match layer {
            Layer::Tls(content::HANDSHAKE) => {
                // Of a client's that came before its server's hello the content tells.
                let is_ciphertext = sender == Sender::Client
                    && self.client.has_changed_cipher
                    && self.client.messages.is_foreign();
                self.direction(sender).has_finished |=
                    length >= finished::MIN_BYTES && (is_ciphertext || self.is_encrypted(sender));
            }
            Layer::Tls(content::APPLICATION_DATA) => self.application_data(sender, length, seen),
            Layer::Tls(_) | Layer::Ssl2 => {}
        }
    }

    /// True where handshake records of `sender` hold ciphertext alone.
    pub(super) fn is_encrypted(&self, sender: Sender) -> bool {
        match sender {
            Sender::Client => self.client.has_changed_cipher && self.is_tls12_or_older(),
            Sender::Server => self.server.has_changed_cipher && self.facts.server_hello.is_some(),
        }
    }

    /// An encrypted record of TLS 1.3, or data of an older version, is there to its end.
    fn application_data(&mut self, sender: Sender, length: usize, seen: Seen) {
        let suite = self.facts.cipher_suite();
        match sender {
            Sender::Server => {
                if !self.server.has_finished_size && self.server_flight.may_be_over(length, suite) {
                    self.server.has_finished_size = true;
                    self.order.server_finished(seen.end);
                }
                self.answers.server(length, suite, seen);
            }
            Sender::Client => self.client_data(length, seen),
        }
        self.client.has_finished_size |= self.server.has_finished_size && self.order.is_answered();
    }

    /// Takes note of an encrypted record of the client where it can hold its Finished. It has no keys before the
    /// ServerHello but those for early data, which is never offered again in answer to a HelloRetryRequest.
    fn client_data(&mut self, length: usize, seen: Seen) {
        let suite = self.facts.cipher_suite();
        let is_second_hello = self.facts.second_client_hello.is_some();
        let is_finished = match &self.facts.client_hello {
            Some(hello) if hello.offers_early_data && !is_second_hello => {
                self.behind_early_data.is_finished(length, suite)
            }
            Some(hello) if !hello.is_truncated => {
                self.client.has_finished_size |= finished::is_one(length, suite);
                self.answers.client(length, suite, seen);
                return;
            }
            // Whether it offered early data is not known.
            Some(_) | None => finished::is_one(length, suite),
        };
        if is_finished && (is_second_hello || self.facts.hello_retry_request.is_none()) {
            // What waited behind a gap comes later than it was sent.
            let is_later = self.server.application_data_at.is_some_and(|first| first <= seen.at);
            self.order.client_finished(seen, is_later);
        }
    }

    pub(super) const fn has_data_both_ways(&self) -> bool {
        self.client.application_data_at.is_some() && self.server.application_data_at.is_some()
    }

    pub(super) fn note_established(&mut self, at: Timestamp) {
        if self.facts.established {
            return;
        }
        let mut newest = at;
        for side in [&mut self.client, &mut self.server] {
            if side.has_finished || side.has_finished_size {
                newest = newest.max(*side.finished_at.get_or_insert(at));
            }
        }
        let (at, client, server) = (newest, &self.client, &self.server);
        self.facts.established_at = match &self.facts.server_hello {
            Some(hello) if hello.is_ssl2_form => {
                // CLIENT-HELLO, CLIENT-MASTER-KEY (unless the session is known), CLIENT-FINISHED;
                // SERVER-HELLO, SERVER-VERIFY, SERVER-FINISHED.
                (client.whole_ssl2_records() >= if self.is_ssl2_session_hit { 2 } else { 3 }
                    && server.whole_ssl2_records() >= 3)
                    .then_some(at)
            }
            Some(hello) if !is_tls13(hello.version()) => {
                (client.has_finished && server.has_finished || self.has_data_both_ways()).then_some(at)
            }
            // So it is none of TLS 1.3.
            None if client.has_finished => self.has_data_both_ways().then_some(at),
            Some(_) | None if !server.has_finished_size => None,
            Some(_) | None if client.has_finished_size => Some(at),
            // It had finished by then, with what is answered.
            Some(_) | None => self.answers.answered_at(),
        };
        self.facts.established = self.facts.established_at.is_some();
    }
}
