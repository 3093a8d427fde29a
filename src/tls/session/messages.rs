//! What the messages of a handshake say, each in clear.

use std::sync::Arc;

use super::Session;
use crate::model::registry::{ExtensionId, KeyExchange};
use crate::model::{ClientHello, Hello, Resumption, ServerHello, TicketDigest};
use crate::tls::certificate::{self, Leaf};
use crate::tls::error::TlsError;
use crate::tls::hellos::{ClientKind, Hellos, IsNew, Keep, ServerKind};
use crate::tls::message::{End, Message};
use crate::tls::numbers::{handshake, is_tls13};
use crate::tls::reader::Reader;
use crate::tls::record::Sender;
use crate::tls::{forward_secrecy, key_exchange, server_hello, ssl2};

impl Session {
    pub(super) fn handshake_payload(&mut self, sender: Sender, payload: &[u8], hellos: &mut Hellos) {
        if self.is_encrypted(sender) {
            return;
        }
        let mut rest = payload;
        while let Some(message) = self.direction(sender).messages.next(&mut rest) {
            match sender {
                Sender::Client => self.client_message(&message, hellos),
                Sender::Server => self.server_message(&message, hellos),
            }
        }
    }

    pub(super) fn client_message(&mut self, message: &Message<'_>, hellos: &mut Hellos) {
        match (message.kind, message.end) {
            (_, End::Foreign) => {}
            (handshake::CLIENT_HELLO, end) if self.facts.second_client_hello.is_some() => {
                // No server takes a third one, so that nobody need read it.
                self.note_end(end);
                self.facts.is_contradicted |= end == End::Whole;
            }
            (handshake::CLIENT_HELLO, end) => {
                self.note_end(end);
                let hello = hellos.client(&message.body, end == End::Whole, &mut self.errors);
                match &self.facts.client_hello {
                    None => {
                        self.facts.is_truncated |= hello.is_none();
                        if let Some(hello) = hello {
                            self.take_client_hello(hello);
                        }
                    }
                    Some(first) => {
                        if let Some((hello, _, is_new)) = hello {
                            let is_whole = !first.is_truncated && !hello.is_truncated;
                            self.has_other_id = is_whole && first.session_id != hello.session_id;
                            self.own_bytes += is_new.own(|| hello.size_bytes());
                            self.facts.second_client_hello = Some(hello.kind);
                        }
                    }
                }
            }
            (handshake::CLIENT_KEY_EXCHANGE, _) => self.may_have_key_exchange = true,
            _ => {}
        }
    }

    fn take_client_hello(&mut self, (hello, kind, is_new): (Hello<ClientHello>, ClientKind, IsNew)) {
        self.own_bytes += is_new.own(|| kind.held_bytes());
        // A cookie comes from a HelloRetryRequest [RFC 8446 section 4.2.2].
        self.seems_second = self.client.has_changed_cipher || hello.extensions.contains(&ExtensionId::COOKIE);
        self.facts.client_hello = Some(hello);
        (self.facts.ja3, self.facts.ja4) = (kind.ja3, kind.ja4);
        self.note_abbreviated_handshake();
    }

    /// The only ClientHello seen is the second one. It says what the first did but for what the HelloRetryRequest asked
    /// for [RFC 8446 section 4.1.2]: of that, and of the fingerprints, which are the first one's, nothing is known.
    pub(super) fn miss_first_hello(&mut self) {
        self.note_gap(Sender::Client);
        (self.facts.ja3, self.facts.ja4) = (None, None);
        if let Some(hello) = self.facts.client_hello.as_mut().filter(|hello| !hello.key_shares.is_empty()) {
            if hello.kind.is_shared() {
                // Who changes it gets one of its own.
                self.own_bytes += hello.size_bytes();
            }
            hello.key_shares.clear();
        }
    }

    /// True where the beginning of the client's stream is missing, and the first ClientHello seen says that it was not the first,
    /// or is the only one and sends a share for what the HelloRetryRequest asks for: that retry answers another hello, as none
    /// is for a group whose share it had been sent [RFC 8446 section 4.2.8].
    pub(super) fn is_first_hello_lost(&self) -> bool {
        let hello = self.facts.client_hello.as_ref().filter(|_| self.facts.second_client_hello.is_none());
        let group = self.facts.hello_retry_request.as_ref().and_then(|retry| retry.key_share);
        let is_answered_otherwise =
            hello.zip(group).is_some_and(|(hello, group)| hello.key_shares.contains(&group));
        self.lacks_beginning && (self.seems_second || is_answered_otherwise)
    }

    pub(super) fn server_message(&mut self, message: &Message<'_>, hellos: &mut Hellos) {
        let is_whole = message.end == End::Whole;
        match message.kind {
            _ if message.end == End::Foreign => {}
            handshake::SERVER_HELLO | handshake::HELLO_RETRY_REQUEST => {
                self.server_hello_message(message, hellos)
            }
            handshake::CERTIFICATE => {
                self.note_full_handshake();
                self.certificate_message(message, hellos);
            }
            handshake::SERVER_KEY_EXCHANGE => {
                self.note_full_handshake();
                self.key_exchange_message(message);
            }
            handshake::NEW_SESSION_TICKET if is_whole => {
                // A lifetime hint, then the ticket [RFC 5077 section 3.3].
                let mut reader = Reader::new(&message.body);
                let ticket = reader.take(4).and_then(|_| reader.vector16()).unwrap_or_default();
                self.facts.issued_ticket = TicketDigest::of(ticket);
            }
            handshake::CERTIFICATE_REQUEST => self.facts.client_certificate_requested = true,
            handshake::SERVER_HELLO_DONE => {
                self.note_full_handshake();
                self.is_flight_over = true;
            }
            _ => {}
        }
    }

    fn server_hello_message(&mut self, message: &Message<'_>, hellos: &mut Hellos) {
        let is_whole = message.end == End::Whole;
        self.note_end(message.end);
        let hello = if message.kind == handshake::SERVER_HELLO {
            hellos.server(&message.body, is_whole, &mut self.errors)
        } else {
            server_hello::read_draft_retry(&message.body, is_whole, &mut self.errors)
                .map(|hello| (hello.clone(), hello.kind.into(), IsNew(true)))
        };
        if hello.is_some() && self.server.has_changed_cipher {
            self.forget_change_of_cipher();
        }
        match hello {
            None => {
                self.facts.is_truncated = true;
                if is_whole {
                    self.errors.insert(TlsError::MalformedHello);
                }
            }
            Some((hello, _, is_new)) if hello.is_hello_retry_request => {
                if self.facts.hello_retry_request.is_none() && self.facts.server_hello.is_none() {
                    self.own_bytes += is_new.own(|| hello.size_bytes());
                    self.facts.hello_retry_request = Some(hello.kind);
                } else {
                    // No client takes a second one [RFC 8446 section 4.1.4].
                    self.facts.is_contradicted = true;
                }
            }
            Some(hello) => self.take_server_hello(hello),
        }
    }

    /// The first certificate that is in clear counts.
    fn certificate_message(&mut self, message: &Message<'_>, hellos: &mut Hellos) {
        if self.leaf.is_some() || self.facts.version().is_some_and(is_tls13) {
            return;
        }
        match certificate::leaf(&message.body, message.end) {
            Ok(Leaf::Certificate(leaf)) => {
                let (leaf, is_new) = hellos.certificate(leaf);
                self.own_bytes += is_new.own(|| leaf.len());
                self.leaf = Some(leaf);
            }
            Ok(Leaf::RawPublicKey) => self.facts.certificate_error = Some(certificate::RAW_PUBLIC_KEY),
            Ok(Leaf::Empty) => {}
            Err(error) => self.errors.insert(error),
        }
    }

    fn key_exchange_message(&mut self, message: &Message<'_>) {
        self.has_server_key_exchange = true;
        let hello = self.facts.server_hello.as_ref();
        let exchange = hello.and_then(|hello| forward_secrecy::key_exchange_of(hello.cipher_suite));
        // No client takes parameters where the suite has the key in the certificate.
        self.facts.is_contradicted |= hello.is_some_and(|hello| !key_exchange::is_legal(hello));
        let read = key_exchange::read(&message.body, exchange, message.end == End::Whole);
        if read.is_none() && exchange.is_some_and(KeyExchange::is_ephemeral) {
            self.errors.insert(TlsError::MalformedKeyExchange);
        }
        if self.facts.key_exchange.is_none() {
            self.facts.key_exchange = read;
        }
    }

    fn take_server_hello(&mut self, (hello, kind, is_new): (Hello<ServerHello>, ServerKind, IsNew)) {
        if let Some(first) = &self.facts.server_hello {
            self.facts.is_contradicted |= *first != hello;
            return;
        }
        if is_tls13(hello.version()) {
            self.is_flight_over = true;
            self.facts.resumed = (hello.selected_psk || !hello.is_truncated).then_some(hello.selected_psk);
            self.facts.resumption = hello.selected_psk.then_some(Resumption::Psk);
        }
        self.own_bytes += is_new.own(|| kind.held_bytes());
        self.facts.server_hello = Some(hello);
        self.facts.ja3s = kind.ja3s;
    }

    /// Certificate, ServerKeyExchange or ServerHelloDone: nothing was resumed.
    fn note_full_handshake(&mut self) {
        if self.is_tls12_or_older() && self.facts.resumed.is_none() {
            self.facts.resumed = Some(false);
        }
    }

    fn note_end(&mut self, end: End) {
        let error = match end {
            End::TooLong => TlsError::HandshakeTooLong,
            End::Cut => TlsError::HandshakeGap,
            End::Whole | End::Foreign => return,
        };
        self.errors.insert(error);
        self.facts.is_truncated = true;
    }

    pub(super) fn ssl2_payload(&mut self, sender: Sender, bytes: &[u8], is_last: bool) {
        let direction = self.direction(sender);
        // Hello and master key are in clear, ciphertext is not kept.
        let is_wanted = direction.ssl2_records <= if sender == Sender::Client { 2 } else { 1 };
        if !is_wanted {
            return;
        }
        if direction.ssl2_message.is_empty() && is_last {
            return self.ssl2_message(sender, bytes, true);
        }
        let room = ssl2::MAX_RECORD_BYTES.saturating_sub(direction.ssl2_message.len());
        direction.ssl2_message.extend(bytes.iter().take(room));
        if is_last {
            let message = std::mem::take(&mut self.direction(sender).ssl2_message);
            self.ssl2_message(sender, &message, true);
        }
    }

    pub(super) fn ssl2_message(&mut self, sender: Sender, body: &[u8], is_whole: bool) {
        match sender {
            Sender::Client if self.facts.client_hello.is_none() => match ssl2::client_hello(body, is_whole) {
                Some(hello) => {
                    self.own_bytes += hello.size_bytes();
                    self.facts.client_hello = Some(hello);
                    self.note_abbreviated_handshake();
                }
                None => self.errors.insert(TlsError::MalformedSsl2),
            },
            Sender::Client => {
                if self.facts.ssl2_cipher_kind.is_none() {
                    self.facts.ssl2_cipher_kind = ssl2::master_key_kind(body);
                }
            }
            Sender::Server if self.facts.server_hello.is_none() => match ssl2::server_hello(body, is_whole) {
                Some(server) => {
                    self.is_flight_over = true;
                    self.is_ssl2_session_hit = server.is_session_hit;
                    self.facts.resumed = Some(server.is_session_hit);
                    self.facts.resumption = server.is_session_hit.then_some(Resumption::SessionId);
                    if !server.certificate.is_empty() {
                        self.leaf = Some(Arc::from(server.certificate));
                        self.own_bytes += server.certificate.len();
                    }
                    self.facts.server_hello = Some(server.hello.into());
                }
                None => self.errors.insert(TlsError::MalformedSsl2),
            },
            Sender::Server => {}
        }
    }
}
