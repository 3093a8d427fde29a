//! OpenVPN over TCP: takes the TLS bytes out of its control packets.
//!
//! Framing as OpenVPN's "ssl_pkt" writes it: a length of two bytes, one byte of opcode and key id, the
//! sender's session id, with `tls-auth` an HMAC and a replay id, the acknowledged packet ids (with the
//! peer's session id where there are any), the packet's own id, then bytes of a TLS stream. With
//! `tls-crypt` all of that is encrypted and nothing can be taken out.

use std::ops::RangeInclusive;

/// The longest control packet that is taken. OpenVPN keeps them below its link MTU of some 1,500 bytes.
const MAX_CONTROL_BYTES: usize = 16 * 1024;

/// The most packets looked at before a ClientHello; a connection opens with two or three.
const MAX_PACKETS_BEFORE_HELLO: usize = 64;

/// Digest sizes of `--auth` that `tls-auth` may use: none, MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const HMAC_BYTES: &[usize] = &[0, 16, 20, 28, 32, 48, 64];

/// With an HMAC there is a replay packet id and a time.
const REPLAY_ID_BYTES: usize = 8;

/// The most packet ids one packet acknowledges; OpenVPN sends at most eight.
const MAX_ACKS: usize = 8;

const SESSION_ID_BYTES: usize = 8;
const PACKET_ID_BYTES: usize = 4;

/// The opcode of packets that carry TLS, and all that there are.
const P_CONTROL_V1: u8 = 4;
const OPCODES: RangeInclusive<u8> = 1..=11;

/// The opcode in the byte that holds the key id, too; `None` where there is none of this number.
fn opcode_of(byte: u8) -> Option<u8> {
    Some(byte >> 3).filter(|opcode| OPCODES.contains(opcode))
}

/// Takes the TLS stream of one direction out of OpenVPN's framing.
///
/// The default one, as after a gap, has lost the framing and gives nothing any more.
#[derive(Clone, Debug, Default)]
pub struct Deframer {
    /// Size of the HMAC; `None` once the framing is lost.
    hmac_bytes: Option<usize>,
    /// The beginning of a packet, with its length field.
    held: Vec<u8>,
    /// Bytes of a data packet still to be passed over.
    skip_bytes: usize,
    /// The key id the TLS handshake is read of: a later one is a renegotiation.
    key_id: Option<u8>,
    /// Packets are delivered once, in order.
    next_packet_id: u32,
}

/// Tells whether the ClientHello at `at` of what a client said is inside an OpenVPN control packet, and
/// gives a deframer for each direction, both for the beginning of the stream.
#[must_use]
pub fn detect(dialogue: &[u8], at: usize) -> Option<[Deframer; 2]> {
    let mut start = 0_usize;
    for _ in 0..MAX_PACKETS_BEFORE_HELLO {
        let packet = dialogue.get(start..)?;
        let (length, rest) = packet.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let opcode = opcode_of(*rest.first()?).filter(|_| length > 0)?;
        let end = start + 2 + length;
        if at < end {
            if opcode != P_CONTROL_V1 {
                return None;
            }
            let body = rest.get(..length.min(rest.len()))?;
            let payload_at = at.checked_sub(start + 2)?;
            let hmac_bytes = HMAC_BYTES.iter().copied().find(|&hmac_bytes| {
                Control::read(body, hmac_bytes).is_some_and(|control| control.payload_at == payload_at)
            })?;
            let deframer = Deframer { hmac_bytes: Some(hmac_bytes), ..Deframer::default() };
            return Some([deframer.clone(), deframer]);
        }
        start = end;
    }
    None
}

/// False where what a side has said since the beginning is not in this framing, whatever it says yet.
#[must_use]
pub fn may_begin(said: &[u8]) -> bool {
    let mut start = 0_usize;
    for _ in 0..MAX_PACKETS_BEFORE_HELLO {
        let Some(&[high, low, opcode, ..]) = said.get(start..) else { return true };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(1..=MAX_CONTROL_BYTES).contains(&length) || opcode_of(opcode).is_none() {
            return false;
        }
        start += 2 + length;
    }
    false
}

impl Deframer {
    /// Bytes held.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.held.capacity()
    }

    /// Takes the next bytes of the stream and adds the TLS bytes in them to `inner`.
    pub fn push(&mut self, mut bytes: &[u8], inner: &mut Vec<u8>) {
        while let Some(hmac_bytes) = self.hmac_bytes
            && !bytes.is_empty()
        {
            if self.skip_bytes > 0 {
                let skipped = self.skip_bytes.min(bytes.len());
                self.skip_bytes -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            // Length and opcode first, then the whole packet.
            let (wanted, is_known) = match *self.held.as_slice() {
                [high, low, opcode, ..] => {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    match opcode_of(opcode) {
                        Some(P_CONTROL_V1) if (1..=MAX_CONTROL_BYTES).contains(&length) => {}
                        Some(opcode) if opcode != P_CONTROL_V1 && length > 0 => {
                            self.held.clear();
                            self.skip_bytes = length - 1;
                            continue;
                        }
                        _ => {
                            *self = Self::default();
                            return;
                        }
                    }
                    (2 + length, true)
                }
                _ => (3, false),
            };
            let missing = wanted.saturating_sub(self.held.len());
            let (taken, rest) = bytes.split_at_checked(missing.min(bytes.len())).unwrap_or_default();
            self.held.extend_from_slice(taken);
            bytes = rest;
            if is_known && self.held.len() >= wanted {
                self.deliver(hmac_bytes, inner);
                self.held.clear();
            }
        }
    }

    fn deliver(&mut self, hmac_bytes: usize, inner: &mut Vec<u8>) {
        let Some(control) = self.held.get(2..).and_then(|packet| Control::read(packet, hmac_bytes)) else {
            return;
        };
        let is_of_first_key = *self.key_id.get_or_insert(control.key_id) == control.key_id;
        if is_of_first_key && control.packet_id >= self.next_packet_id {
            self.next_packet_id = control.packet_id.saturating_add(1);
            inner.extend_from_slice(control.payload);
        }
    }
}

/// A P_CONTROL_V1 packet, perhaps cut in its payload.
struct Control<'a> {
    key_id: u8,
    packet_id: u32,
    /// Where the TLS bytes begin, from the opcode on.
    payload_at: usize,
    payload: &'a [u8],
}

impl<'a> Control<'a> {
    /// `packet` begins with the opcode byte.
    fn read(packet: &'a [u8], hmac_bytes: usize) -> Option<Self> {
        let key_id = packet.first()? & 0b111;
        let mut at = 1 + SESSION_ID_BYTES;
        if hmac_bytes > 0 {
            at += hmac_bytes + REPLAY_ID_BYTES;
        }
        let acks = usize::from(*packet.get(at)?);
        if acks > MAX_ACKS {
            return None;
        }
        at += 1 + acks * PACKET_ID_BYTES;
        if acks > 0 {
            at += SESSION_ID_BYTES;
        }
        let (packet_id, payload) = packet.get(at..)?.split_first_chunk::<PACKET_ID_BYTES>()?;
        let packet_id = u32::from_be_bytes(*packet_id);
        Some(Self { key_id, packet_id, payload_at: at + PACKET_ID_BYTES, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26 a client hello in two control packets";

    fn packet(opcode: u8, hmac_bytes: usize, acks: u8, packet_id: u32, payload: &[u8]) -> Vec<u8> {
        let mut body = vec![opcode << 3];
        body.extend_from_slice(b"session1");
        if hmac_bytes > 0 {
            body.resize(body.len() + hmac_bytes + REPLAY_ID_BYTES, 0xab);
        }
        body.push(acks);
        body.resize(body.len() + usize::from(acks) * 4 + if acks > 0 { 8 } else { 0 }, 0xcd);
        body.extend_from_slice(&packet_id.to_be_bytes());
        body.extend_from_slice(payload);
        [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    /// Reset, acknowledgement of the server's reset, then the hello in two packets, the first sent twice.
    fn stream(hmac_bytes: usize) -> Vec<u8> {
        let (first, second) = HELLO.split_at(20);
        [
            packet(7, hmac_bytes, 0, 0, b""),
            packet(5, hmac_bytes, 1, 0, b""),
            packet(P_CONTROL_V1, hmac_bytes, 1, 1, first),
            packet(P_CONTROL_V1, hmac_bytes, 1, 1, first),
            packet(P_CONTROL_V1, hmac_bytes, 0, 2, second),
            packet(6, 0, 0, 0, &[0x55; 300]),
            packet(P_CONTROL_V1, hmac_bytes, 0, 3, b"more"),
        ]
        .concat()
    }

    fn hello_at(stream: &[u8]) -> usize {
        memchr::memmem::find(stream, b"\x16\x03\x01").unwrap()
    }

    #[test]
    fn takes_tls_out_of_control_packets_for_every_digest() {
        for &hmac_bytes in HMAC_BYTES {
            let stream = stream(hmac_bytes);
            let [mut deframer, _] = detect(&stream, hello_at(&stream)).unwrap();
            let mut inner = Vec::new();
            deframer.push(&stream, &mut inner);
            assert_eq!(inner, [HELLO, b"more"].concat(), "{hmac_bytes}");
        }
    }

    #[test]
    fn counts_what_waits_for_its_end() {
        let stream = stream(0);
        let [mut deframer, _] = detect(&stream, hello_at(&stream)).unwrap();
        let before = deframer.held_bytes();
        deframer.push(&packet(P_CONTROL_V1, 0, 0, 1, &[0x17; 16_000])[..15_000], &mut Vec::new());
        assert!(deframer.held_bytes() - before >= 15_000);
    }

    #[test]
    fn gives_the_same_for_every_split() {
        let stream = stream(20);
        let [deframer, _] = detect(&stream, hello_at(&stream)).unwrap();
        for cut in 0..=stream.len() {
            let (mut deframer, mut inner) = (deframer.clone(), Vec::new());
            deframer.push(&stream[..cut], &mut inner);
            deframer.push(&stream[cut..], &mut inner);
            assert_eq!(inner, [HELLO, b"more"].concat(), "{cut}");
        }
    }

    #[test]
    fn detects_only_a_hello_that_begins_a_payload() {
        let stream = stream(20);
        let at = hello_at(&stream);
        assert!(detect(&stream, at).is_some());
        for other in (0..stream.len() + 10).filter(|other| *other != at) {
            let is_repeat = stream.get(other..).is_some_and(|rest| rest.starts_with(b"\x16\x03\x01"));
            assert!(detect(&stream, other).is_none() || is_repeat || stream[at..other].len() > 60, "{other}");
        }
        assert!(detect(b"220 mail.example ESMTP\r\n\x16\x03\x01", 24).is_none());
        assert!(detect(b"", 0).is_none());
    }

    #[test]
    fn gives_nothing_once_the_framing_is_lost() {
        let mut deframer = Deframer::default();
        let mut inner = Vec::new();
        deframer.push(&stream(0), &mut inner);
        assert!(inner.is_empty());
        let mut deframer = Deframer { hmac_bytes: Some(0), ..Deframer::default() };
        deframer.push(b"\x00\x10\xff", &mut inner);
        deframer.push(&stream(0), &mut inner);
        assert!(inner.is_empty(), "an unknown opcode ends it");
        let mut deframer = Deframer { hmac_bytes: Some(0), ..Deframer::default() };
        let long = [&[0xff, 0xff, P_CONTROL_V1 << 3][..], &[0; 40_000]].concat();
        deframer.push(&long, &mut inner);
        assert!(inner.is_empty() && deframer.held.is_empty(), "too long to be a control packet");
    }

    #[test]
    fn leaves_a_renegotiation_alone() {
        let mut renegotiated = packet(P_CONTROL_V1, 0, 0, 9, b"another handshake");
        renegotiated[2] |= 1;
        let [mut deframer, _] = detect(&stream(0), hello_at(&stream(0))).unwrap();
        let mut inner = Vec::new();
        deframer.push(&[stream(0), renegotiated].concat(), &mut inner);
        assert_eq!(inner, [HELLO, b"more"].concat());
    }

    proptest! {
        #[test]
        fn never_panics_and_never_holds_more_than_one_packet(
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
            at in 0_usize..2_000,
            step in 1_usize..50,
        ) {
            let _ = detect(&bytes, at);
            let mut deframer = Deframer { hmac_bytes: Some(20), ..Deframer::default() };
            let mut inner = Vec::new();
            for piece in bytes.chunks(step) {
                deframer.push(piece, &mut inner);
                prop_assert!(deframer.held.len() <= MAX_CONTROL_BYTES + 2);
            }
            prop_assert!(inner.len() <= bytes.len());
        }
    }
}
