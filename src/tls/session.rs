//! Both directions of one connection → [`TlsFacts`].

mod finish;
mod messages;

use std::sync::Arc;

use super::alert::Alerts;
use super::answers::Answers;
use super::certificate;
use super::error::{TlsError, TlsErrors};
use super::finished::{BehindEarlyData, ServerFlight};
use super::forward_secrecy::Flight;
use super::hellos::Hellos;
use super::message::Messages;
use super::numbers::{content, handshake, is_tls13};
use super::order::{Order, Seen};
use super::record::{Layer, Piece, Records, Sender};
use super::{agreement, downgrade, forward_secrecy, session_id};
use crate::model::registry::AlertDescription;
use crate::model::{AlertFrom, Resumption, Timestamp, TlsFacts};
use finish::Begun;

/// One direction.
#[derive(Debug)]
struct Direction {
    records: Records,
    messages: Messages,
    /// The record under way, or that in which bytes were missing.
    begun: Option<Begun>,
    /// The SSLv2 message under way.
    ssl2_message: Vec<u8>,
    ssl2_records: u32,
    /// ChangeCipherSpec was seen: what follows is encrypted (TLS 1.2 and older).
    has_changed_cipher: bool,
    /// A handshake record came after it: Finished (TLS 1.2 and older).
    has_finished: bool,
    /// When the first record of application data came.
    application_data_at: Option<Timestamp>,
    /// Application data that can hold the Finished of TLS 1.3.
    has_finished_size: bool,
    /// When either was first noticed: what waited behind a gap comes with the time at which it was sent.
    finished_at: Option<Timestamp>,
    alerts: Alerts,
}

impl Direction {
    fn new(sender: Sender) -> Self {
        Self {
            records: Records::new(sender),
            messages: Messages::default(),
            begun: None,
            ssl2_message: Vec::new(),
            ssl2_records: 0,
            has_changed_cipher: false,
            has_finished: false,
            application_data_at: None,
            has_finished_size: false,
            finished_at: None,
            alerts: Alerts::default(),
        }
    }

    /// Those of SSLv2 that are there to their end.
    fn whole_ssl2_records(&self) -> u32 {
        self.ssl2_records.saturating_sub(self.begun.is_some().into())
    }

    const fn held_bytes(&self) -> usize {
        self.messages.held_bytes() + self.ssl2_message.capacity()
    }
}

/// The observer of one connection's handshake.
///
/// Bytes of each direction are given in order, as they come; what is missing is told by the `gap`
/// calls. Held are what both said, the leaf certificate, and messages that are cut; [`Session::held_bytes`] counts them.
#[derive(Debug)]
pub struct Session {
    client: Direction,
    server: Direction,
    facts: Box<TlsFacts>,
    leaf: Option<Arc<[u8]>>,
    /// Bytes of hellos and certificate that no other connection counts.
    own_bytes: usize,
    errors: TlsErrors,
    /// The server's clear flight is over: ServerHelloDone, ChangeCipherSpec, or TLS 1.3.
    is_flight_over: bool,
    /// Bytes of the flight between ServerHello and its end are missing.
    has_flight_gap: bool,
    /// The server's flight ended without any message of a full handshake: resumed, if the ids say so.
    is_flight_short: bool,
    /// A ServerKeyExchange was seen, readable or not.
    has_server_key_exchange: bool,
    server_flight: ServerFlight,
    behind_early_data: BehindEarlyData,
    answers: Answers,
    order: Order,
    has_fatal_alert: bool,
    is_ssl2_session_hit: bool,
    /// What the client said before the first hello seen of it is missing.
    lacks_beginning: bool,
    /// The first ClientHello seen is one that answers a HelloRetryRequest, if anything is missing before it: it comes with a
    /// cookie, or behind a change of cipher.
    seems_second: bool,
    /// The second ClientHello has another session id than the first.
    has_other_id: bool,
    /// A ClientKeyExchange was seen, or may have been in what is missing.
    may_have_key_exchange: bool,
    /// The client changed its cipher without one.
    lacks_key_exchange: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// An observer of a connection of which nothing was seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client: Direction::new(Sender::Client),
            server: Direction::new(Sender::Server),
            facts: Box::default(),
            leaf: None,
            own_bytes: 0,
            errors: TlsErrors::default(),
            is_flight_over: false,
            has_flight_gap: false,
            is_flight_short: false,
            has_server_key_exchange: false,
            server_flight: ServerFlight::default(),
            behind_early_data: BehindEarlyData::default(),
            answers: Answers::default(),
            order: Order::default(),
            has_fatal_alert: false,
            is_ssl2_session_hit: false,
            lacks_beginning: false,
            seems_second: false,
            has_other_id: false,
            may_have_key_exchange: false,
            lacks_key_exchange: false,
        }
    }

    /// Learns that the connection had begun before anything of it was seen.
    pub const fn join(&mut self) {
        self.lacks_beginning = true;
    }

    /// Takes the next bytes of the client, seen at `at`.
    pub fn client(&mut self, bytes: &[u8], at: Timestamp) {
        self.client_with(bytes, at.into(), &mut Hellos::default());
    }

    /// The same, with what is kept from one connection to the next.
    pub fn client_with(&mut self, bytes: &[u8], seen: Seen, hellos: &mut Hellos) {
        if self.facts.client_hello.is_none() && self.facts.client_hello_at.is_none() && !bytes.is_empty() {
            self.facts.client_hello_at = Some(seen.at);
        }
        self.push(Sender::Client, bytes, seen, hellos);
        if !self.client.records.is_under_way() {
            // It was not the hello yet.
            self.facts.client_hello_at = None;
        }
    }

    /// Takes the next bytes of the server, seen at `at`.
    pub fn server(&mut self, bytes: &[u8], at: Timestamp) {
        self.server_with(bytes, at.into(), &mut Hellos::default());
    }

    /// The same, with what is kept from one connection to the next.
    pub fn server_with(&mut self, bytes: &[u8], seen: Seen, hellos: &mut Hellos) {
        self.push(Sender::Server, bytes, seen, hellos);
    }

    /// Learns that bytes of the client are missing here, up to the sequence number `until`; without one nobody knows how many.
    pub fn client_gap(&mut self, until: Option<u32>) {
        self.gap(Sender::Client, until);
    }

    /// Learns the same of the server.
    pub fn server_gap(&mut self, until: Option<u32>) {
        self.gap(Sender::Server, until);
    }

    /// True once a ClientHello was read, whole or not.
    #[must_use]
    pub fn has_client_hello(&self) -> bool {
        self.facts.client_hello.is_some()
    }

    /// True once a ServerHello or a HelloRetryRequest was read.
    #[must_use]
    pub fn has_server_hello(&self) -> bool {
        self.facts.server_hello.is_some() || self.facts.hello_retry_request.is_some()
    }

    /// True once nothing more can be learned: both sides have finished, an alert has ended it, or neither
    /// stream is TLS any longer.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.facts.established
            || self.has_fatal_alert && self.is_refused()
            || self.client.records.has_ended() && self.server.records.has_ended()
    }

    /// Bytes held on the heap. What is shared counts for the connection that brought it first.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of::<TlsFacts>() + self.own_bytes + self.client.held_bytes() + self.server.held_bytes()
    }

    /// The server's leaf certificate, DER, where it was in clear.
    #[must_use]
    pub const fn leaf_certificate(&self) -> Option<&Arc<[u8]>> {
        self.leaf.as_ref()
    }

    /// What was not as it should be, so far; [`Session::finish`] may add to it, so ask after
    /// [`Session::close`].
    #[must_use]
    pub const fn errors(&self) -> TlsErrors {
        self.errors
    }

    /// Takes note that no more bytes will come: what is there of a message under way is read. Nothing is missing behind
    /// it, or that was told.
    pub fn close(&mut self) {
        for sender in [Sender::Client, Sender::Server] {
            let direction = self.direction(sender);
            let is_within_message =
                direction.messages.is_within_message() || !direction.ssl2_message.is_empty();
            if is_within_message && !self.is_decided() {
                self.cut(sender);
                if self.is_hello_due(sender) {
                    self.note_gap(sender);
                }
            }
        }
        if self.is_first_hello_lost() {
            self.miss_first_hello();
        }
        if self.client.has_changed_cipher && self.facts.client_hello.is_none() {
            // It is never the first.
            self.note_gap(Sender::Client);
        }
        if self.lacks_second_hello() {
            self.note_gap(Sender::Client);
        }
    }

    /// True where the second ClientHello was missed, which after a HelloRetryRequest is what leads to the ServerHello.
    fn lacks_second_hello(&self) -> bool {
        self.facts.hello_retry_request.is_some()
            && self.facts.client_hello.is_some()
            && self.facts.second_client_hello.is_none()
            && self.facts.server_hello.is_some()
    }

    /// Takes note that a side had closed the connection before it could have received that by which it is decided. True
    /// where that is the Finished that it waited for, so that the handshake, for it, was never complete
    /// [RFC 5246 section 7.4.9, RFC 8446 section 4.4.4].
    pub fn leave(&mut self, by: AlertFrom) -> bool {
        let has_data = self.has_data_both_ways();
        // Of a full handshake before TLS 1.3 the server's Finished is the last one, of others the client's.
        let is_last_of_server = self.is_tls12_or_older() && self.facts.resumed != Some(true);
        let is_waiting = if is_last_of_server { AlertFrom::Client } else { AlertFrom::Server };
        let is_left = self.facts.established && by == is_waiting && !(self.is_tls12_or_older() && has_data);
        if is_left {
            self.facts.established = false;
            self.facts.established_at = None;
        }
        is_left
    }

    /// The facts, at the end of the connection or as soon as it is decided.
    #[must_use]
    pub fn finish(self) -> TlsFacts {
        *self.into_facts()
    }

    /// The same, where they are in memory.
    #[must_use]
    pub fn into_facts(mut self) -> Box<TlsFacts> {
        self.close();
        // In a full handshake it is always sent [RFC 5246 section 7.4.7].
        let lacks_key_exchange =
            self.lacks_key_exchange && self.is_tls12_or_older() && self.facts.resumed == Some(false);
        let mut facts = self.facts;
        if facts.client_hello.is_none() {
            facts.client_hello_at = None;
        }
        if self.is_ssl2_session_hit {
            // No key was sent: what was read for one is ciphertext.
            facts.ssl2_cipher_kind = None;
        }
        facts.is_contradicted |= agreement::is_broken(&facts, self.has_other_id, self.lacks_beginning);
        if let Some(hello) = &facts.server_hello
            && facts.hello_retry_request.is_none()
            && !hello.is_truncated
        {
            facts.second_client_hello = None;
        }
        let first_error =
            [TlsError::CertificateTooLong, TlsError::CertificateTruncated, TlsError::MalformedCertificate]
                .into_iter()
                .find(|error| self.errors.contains(*error));
        if self.leaf.is_none() {
            facts.certificate_error = facts.certificate_error.or(first_error.map(TlsError::reason));
        }
        let is_flight_known =
            self.is_flight_over && !self.has_flight_gap && !self.server.messages.is_foreign();
        if is_flight_known && self.leaf.is_none() && certificate::belongs_to(&facts) {
            facts.certificate_error.get_or_insert(certificate::NOT_SENT);
        }
        let flight = Flight {
            cannot_be_resumed: session_id::cannot_be_resumed(&facts),
            lacks_exchange: is_flight_known && !self.has_server_key_exchange,
        };
        (facts.forward_secrecy, facts.forward_secrecy_reason) = forward_secrecy::judge(&facts, flight);
        facts.downgrade = downgrade::judge(&facts);
        facts.is_contradicted |= session_id::is_of_another(&facts) || lacks_key_exchange;
        facts
    }

    const fn direction(&mut self, sender: Sender) -> &mut Direction {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    fn push(&mut self, sender: Sender, bytes: &[u8], seen: Seen, hellos: &mut Hellos) {
        if self.is_decided() {
            return;
        }
        let mut rest = bytes;
        if let Some(end) = seen.end
            && self.direction(sender).records.is_lost()
        {
            self.pass(sender, end);
        }
        self.direction(sender).records.begin_input(&mut rest);
        while let Some(piece) = self.direction(sender).records.next(&mut rest) {
            let is_last =
                matches!(piece, Piece::Start { length: 0, .. } | Piece::Payload { is_last: true, .. });
            match piece {
                Piece::Start { layer, length } => {
                    let end =
                        seen.end.map(|end| end.wrapping_sub(rest.len() as u32).wrapping_add(length as u32));
                    self.begin_record(sender, layer, length, Seen { end, ..seen });
                }
                Piece::Payload { layer: Layer::Ssl2, bytes, is_last } => {
                    self.ssl2_payload(sender, bytes, is_last)
                }
                Piece::Payload { layer: Layer::Tls(content::HANDSHAKE), bytes, .. } => {
                    self.handshake_payload(sender, bytes, hellos);
                }
                Piece::Payload { layer: Layer::Tls(content::ALERT), bytes, .. } => {
                    self.alert_payload(sender, bytes)
                }
                Piece::Payload { .. } => {}
                Piece::Garbage => self.errors.insert(TlsError::NotTls),
            }
            if is_last {
                self.end_record(sender);
            }
            self.note_established(seen.at);
            if self.is_decided() {
                return;
            }
        }
    }

    fn gap(&mut self, sender: Sender, until: Option<u32>) {
        if let Some(until) = until {
            self.pass(sender, until);
        }
        if self.is_decided() {
            return;
        }
        self.cut(sender);
        self.lacks_beginning |= sender == Sender::Client && self.facts.client_hello.is_none();
        self.may_have_key_exchange |= sender == Sender::Client;
        let direction = self.direction(sender);
        direction.records.gap();
        direction.alerts.gap();
        // Before its hello a server ends no handshake well, whatever is missing of the client.
        self.facts.is_end_hidden |= sender == Sender::Server || self.facts.server_hello.is_some();
        if self.is_gap_in_handshake(sender) {
            self.note_gap(sender);
            self.has_flight_gap |= sender == Sender::Server;
        }
    }

    /// Bytes of the handshake are missing.
    fn note_gap(&mut self, sender: Sender) {
        self.facts.is_truncated = true;
        self.errors.insert(TlsError::HandshakeGap);
        self.facts.lacks_server_bytes |= sender == Sender::Server;
    }

    /// Takes what is there of a message under way.
    fn cut(&mut self, sender: Sender) {
        if let Some(message) = self.direction(sender).messages.cut() {
            // Nothing is kept of what was cut.
            let hellos = &mut Hellos::default();
            match sender {
                Sender::Client => self.client_message(&message, hellos),
                Sender::Server => self.server_message(&message, hellos),
            }
        }
        if !self.direction(sender).ssl2_message.is_empty() {
            let message = std::mem::take(&mut self.direction(sender).ssl2_message);
            self.ssl2_message(sender, &message, false);
        }
    }

    /// True where what comes next of `sender` may be a part of the handshake that is of interest.
    fn is_gap_in_handshake(&self, sender: Sender) -> bool {
        self.is_hello_due(sender) || sender == Sender::Server && !self.is_flight_over
    }

    /// True where what comes next of `sender` may be a part of a hello.
    fn is_hello_due(&self, sender: Sender) -> bool {
        match sender {
            Sender::Client => {
                self.facts.client_hello.as_ref().is_none_or(|hello| hello.is_truncated)
                    || self.facts.hello_retry_request.is_some()
                        && self.facts.second_client_hello.is_none()
                        && self.facts.server_hello.is_none()
            }
            Sender::Server => !self.is_flight_over && self.facts.server_hello.is_none(),
        }
    }

    fn is_tls12_or_older(&self) -> bool {
        self.facts.version().is_some_and(|version| !is_tls13(version))
    }

    /// A record of `sender` begins; `seen` says where it ends.
    fn begin_record(&mut self, sender: Sender, layer: Layer, length: usize, seen: Seen) {
        self.direction(sender).begun = Some(Begun { layer, length, seen });
        match layer {
            Layer::Tls(content::CHANGE_CIPHER_SPEC) => self.change_cipher_spec(sender),
            Layer::Tls(content::ALERT) => self.direction(sender).alerts.begin_record(length),
            Layer::Tls(content::HANDSHAKE) => self.begin_handshake_record(sender),
            Layer::Tls(content::APPLICATION_DATA) => {
                self.direction(sender).application_data_at.get_or_insert(seen.at);
            }
            Layer::Tls(_) => {}
            Layer::Ssl2 => {
                let direction = self.direction(sender);
                direction.ssl2_message.clear();
                // A message of three bytes is an error in clear.
                if length != 3 {
                    direction.ssl2_records = direction.ssl2_records.saturating_add(1);
                }
            }
        }
    }

    fn change_cipher_spec(&mut self, sender: Sender) {
        match sender {
            Sender::Client => {
                self.lacks_key_exchange |= !self.client.has_changed_cipher
                    && !self.may_have_key_exchange
                    && !self.client.messages.is_foreign();
                self.client.has_changed_cipher = true;
                // In TLS 1.3 it is for show, and a second ClientHello may follow it.
                self.client.messages.expect_only_hello(handshake::CLIENT_HELLO);
            }
            Sender::Server => {
                let is_tls13_so_far =
                    self.facts.server_hello.is_none() && self.facts.hello_retry_request.is_some();
                if is_tls13_so_far || self.facts.version().is_some_and(is_tls13) {
                    return;
                }
                self.server.has_changed_cipher = true;
                self.is_flight_over = true;
                self.is_flight_short = !self.has_flight_gap;
                if self.facts.server_hello.is_none() {
                    // Its hello was missed. Or it is that of TLS 1.3 and comes yet: this is for show, at any place
                    // [RFC 8446 section 5], such as behind a HelloRetryRequest that was missed.
                    self.server.messages.expect_only_hello(handshake::SERVER_HELLO);
                }
                self.note_abbreviated_handshake();
            }
        }
    }

    /// A session id that comes back, and no full handshake behind it. The two directions may come out of step, so
    /// this is asked when the flight ends and when the client's hello is there.
    fn note_abbreviated_handshake(&mut self) {
        if self.is_flight_short && self.facts.resumed.is_none() && session_id::is_echoed(&self.facts) {
            self.facts.resumed = Some(true);
            self.facts.resumption =
                self.facts.client_hello.as_ref().and_then(|hello| match hello.session_ticket {
                    Some(_) => Some(Resumption::Ticket),
                    // A ticket may have been in what was cut.
                    None => (!hello.is_truncated).then_some(Resumption::SessionId),
                });
        }
    }

    /// The ChangeCipherSpec of the server came before a hello that can be read: it was for show.
    const fn forget_change_of_cipher(&mut self) {
        self.server.has_changed_cipher = false;
        self.server.has_finished = false;
        self.server.finished_at = None;
        self.server.messages.expect_any();
        self.is_flight_over = false;
        self.is_flight_short = false;
    }

    fn begin_handshake_record(&mut self, sender: Sender) {
        if !self.is_encrypted(sender) {
            self.direction(sender).messages.begin_record();
        }
    }

    fn alert_payload(&mut self, sender: Sender, bytes: &[u8]) {
        if let Some(description) = self.direction(sender).alerts.last_fatal(bytes) {
            let from = match sender {
                Sender::Client => AlertFrom::Client,
                Sender::Server => AlertFrom::Server,
            };
            self.facts.alert = Some((AlertDescription(description), from));
            self.has_fatal_alert = true;
        }
    }

    /// After a fatal alert: what could still come was seen already. The two directions may have
    /// been delivered out of step, so that a hello sent before the alert comes after it.
    fn is_refused(&self) -> bool {
        match self.facts.alert {
            Some((_, AlertFrom::Server)) => self.has_client_hello(),
            Some((_, AlertFrom::Client)) => {
                self.has_client_hello() && self.facts.server_hello.is_some() && self.is_flight_over
            }
            None => false,
        }
    }
}
