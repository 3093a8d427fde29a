//! A TLS connection under way, from the first byte that is known to be of it.

use crate::app::openvpn;
use crate::flow::Moment;
use crate::model::{ProxyFacts, Side};
use crate::pipeline::unaligned::{Search, Unaligned};
use crate::tls::{self, Hellos};

/// A TLS connection under way.
pub struct TlsStage {
    pub session: tls::Session,
    pub client: Side,
    pub proxy: Option<ProxyFacts>,
    pub client_hello_frame: Option<u64>,
    pub server_hello_frame: Option<u64>,
    /// The frame of the newest bytes of this side.
    pub(super) newest_frame: [u64; 2],
    /// The server sent anything at all.
    pub has_server_bytes: bool,
    /// Bytes of the client are missing in front of its hello.
    pub(super) has_gap: bool,
    /// In front of it the client said something that is not understood.
    pub(super) has_preamble: bool,
    /// The stream of this side is known to be at a record boundary.
    pub(super) is_aligned: [bool; 2],
    /// What a side said that is not at a record boundary yet.
    pub(super) pending: Option<Box<[Unaligned; 2]>>,
    pub(super) openvpn: Option<Box<[openvpn::Deframer; 2]>>,
}

impl TlsStage {
    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |of| of.iter().map(Unaligned::held_bytes).sum());
        let framed = self.openvpn.as_ref().map_or(0, |of| of.iter().map(openvpn::Deframer::held_bytes).sum());
        size_of::<Self>() + self.session.held_bytes() + pending + framed
    }

    pub(super) fn feed(&mut self, side: Side, bytes: &[u8], moment: &Moment, hellos: &mut Hellos) {
        self.has_server_bytes |= side != self.client;
        if let Some(deframers) = &mut self.openvpn {
            let mut inner = Vec::new();
            deframers[side.index()].push(bytes, &mut inner);
            if !inner.is_empty() {
                // These are counted otherwise than those of the stream.
                self.feed_tls(side, &inner, &Moment { end: None, ..*moment }, hellos);
            }
            return;
        }
        if self.is_aligned[side.index()] {
            return self.feed_tls(side, bytes, moment, hellos);
        }
        let pending = &mut self.pending.get_or_insert_default()[side.index()];
        let found = pending.push(bytes, side == self.client);
        if found == Search::GoesOn {
            return;
        }
        self.is_aligned[side.index()] = true;
        let pending = std::mem::take(pending);
        let Search::Found(at) = found else {
            self.has_preamble |= side == self.client && self.proxy.is_none();
            return self.gap(side, None);
        };
        let at = at - tls::change_of_cipher_before(pending.bytes().get(..at).unwrap_or_default());
        if side == self.client && self.proxy.is_none() {
            self.proxy = pending.proxy_before(at);
            self.has_preamble |= at > 0 && self.proxy.is_none();
        }
        self.feed_tls(side, pending.bytes().get(at..).unwrap_or_default(), moment, hellos);
    }

    #[inline]
    fn feed_tls(&mut self, side: Side, bytes: &[u8], moment: &Moment, hellos: &mut Hellos) {
        self.newest_frame[side.index()] = moment.frame;
        let seen = tls::Seen { at: moment.at, acknowledgment: moment.acknowledgment, end: moment.end };
        if side == self.client {
            self.session.client_with(bytes, seen, hellos);
        } else {
            self.session.server_with(bytes, seen, hellos);
        }
        self.note_hellos();
    }

    /// Notes which frames completed the hellos, or had the last that was seen of them.
    #[inline]
    fn note_hellos(&mut self) {
        if self.client_hello_frame.is_none() && self.session.has_client_hello() {
            self.client_hello_frame = Some(self.newest_frame[self.client.index()]);
        }
        if self.server_hello_frame.is_none() && self.session.has_server_hello() {
            self.server_hello_frame = Some(self.newest_frame[self.client.other().index()]);
        }
    }

    /// Takes note that no more bytes will come.
    pub fn close(&mut self) {
        self.session.close();
        self.note_hellos();
    }

    pub(super) fn gap(&mut self, side: Side, until: Option<u32>) {
        if let Some(deframers) = &mut self.openvpn {
            deframers[side.index()] = openvpn::Deframer::default();
        }
        if !self.is_aligned[side.index()] {
            self.pending.get_or_insert_default()[side.index()].gap();
        }
        if side == self.client {
            self.session.client_gap(until);
            // In front of a hello that was cut here nothing is missing.
            self.has_gap |= !self.session.has_client_hello();
        } else {
            self.session.server_gap(until);
        }
        self.note_hellos();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn counts_what_waits_in_the_framing_of_openvpn() {
        // A control packet: opcode, session id, no acknowledgment, its number, and the hello.
        let packet = |hello: &[u8], number: u8, length: u16| {
            [&length.to_be_bytes()[..], b"\x20session1\0\0\0\0", &[number], hello].concat()
        };
        let first = packet(b"\x16\x03\x01\0\x2a\x01\0\0\x26", 0, 23);
        let mut stage = TlsStage {
            session: tls::Session::new(),
            client: Side::A,
            proxy: None,
            client_hello_frame: None,
            server_hello_frame: None,
            newest_frame: [0; 2],
            has_server_bytes: false,
            has_gap: false,
            has_preamble: false,
            is_aligned: [true; 2],
            pending: None,
            openvpn: openvpn::detect(&first, 16).map(Box::new),
        };
        let at = Timestamp::from_seconds(1);
        let moment =
            Moment { at, frame: 1, context: 0, interface: 0, link: None, acknowledgment: None, end: None };
        let before = stage.held_bytes();
        let begun = packet(&[0x17; 15_000], 1, 16_000);
        stage.feed(Side::A, &begun, &moment, &mut Hellos::default());
        assert!(stage.held_bytes() - before >= 15_000);
    }
}
