//! Payload of handshake records → handshake messages, across records and segments.
//!
//! Only what is of interest is held, and only where a message is cut: a message that lies whole in
//! one piece of input is handed on as it is.

use std::borrow::Cow;

use super::error::{MAX_HANDSHAKE_BYTES, MAX_LEAF_BYTES};
use super::numbers::handshake;
use super::reader::Reader;

/// Length of the message header [RFC 8446 section 4].
const HEADER_BYTES: usize = 4;

/// Where the first certificate of a Certificate message begins: after the lengths of the list and
/// of the certificate [RFC 5246 section 7.4.2].
const LEAF_OFFSET: usize = 6;

/// A handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u8,
    /// The body, or as much of it as was wanted or seen.
    pub body: Cow<'a, [u8]>,
    pub end: End,
}

/// How much of a message there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All that was wanted.
    Whole,
    /// It is longer than the limit.
    TooLong,
    /// The rest was lost, or the stream ended before it.
    Cut,
    /// The bytes are no handshake message: encrypted.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header {
        have: usize,
    },
    Body {
        kind: u8,
        length: usize,
    },
    Skip {
        remaining: usize,
    },
    /// What follows is encrypted.
    Foreign,
}

/// Puts the messages of one direction together.
#[derive(Debug)]
pub struct Messages {
    state: State,
    header: [u8; HEADER_BYTES],
    buffer: Vec<u8>,
    /// After ChangeCipherSpec: only a hello of this kind can still be in clear.
    only_hello: Option<u8>,
    /// Bytes were missing: a record may begin in the middle of a message.
    is_after_gap: bool,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            state: State::Header { have: 0 },
            header: [0; HEADER_BYTES],
            buffer: Vec::new(),
            only_hello: None,
            is_after_gap: false,
        }
    }
}

impl Messages {
    /// Bytes held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// From here on only a hello of this kind is a message; everything else is ciphertext.
    pub const fn expect_only_hello(&mut self, kind: u8) {
        self.only_hello = Some(kind);
    }

    /// From here on all is in clear again.
    pub const fn expect_any(&mut self) {
        self.only_hello = None;
    }

    /// Ends the message under way, if enough of it is there to be of interest, and begins anew.
    pub fn cut(&mut self) -> Option<Message<'static>> {
        self.is_after_gap = true;
        let state = std::mem::replace(&mut self.state, State::Header { have: 0 });
        let body = std::mem::take(&mut self.buffer);
        match state {
            State::Body { kind, .. } => Some(Message { kind, body: Cow::Owned(body), end: End::Cut }),
            State::Foreign => {
                self.state = State::Foreign;
                None
            }
            State::Header { .. } | State::Skip { .. } => None,
        }
    }

    /// A handshake record begins. After a gap what came before it may have been taken for ciphertext
    /// because it began within a message: this one may begin with one.
    pub const fn begin_record(&mut self) {
        if self.is_after_gap && self.only_hello.is_none() && matches!(self.state, State::Foreign) {
            self.state = State::Header { have: 0 };
        }
    }

    /// True where a message has begun and not ended.
    pub fn is_within_message(&self) -> bool {
        !matches!(self.state, State::Header { have: 0 } | State::Foreign)
    }

    /// True once ciphertext was met.
    pub const fn is_foreign(&self) -> bool {
        matches!(self.state, State::Foreign)
    }

    /// The next message of `input`, which is moved past it; `None` once all of it is used.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Message<'a>> {
        loop {
            match self.state {
                // Nearly every message: its header lies whole in the input. The same as byte by byte below.
                State::Header { have: 0 } if let Some((header, rest)) = input.split_first_chunk() => {
                    self.header = *header;
                    *input = rest;
                    self.state = State::Header { have: HEADER_BYTES };
                    if let Some(message) = self.begin() {
                        return Some(message);
                    }
                }
                State::Header { have } => {
                    let (&byte, rest) = input.split_first()?;
                    *input = rest;
                    if let Some(slot) = self.header.get_mut(have) {
                        *slot = byte;
                    }
                    self.state = State::Header { have: have + 1 };
                    if have + 1 == HEADER_BYTES
                        && let Some(message) = self.begin()
                    {
                        return Some(message);
                    }
                }
                State::Body { kind, length } => {
                    if let Some(message) = self.fill(kind, length, input) {
                        return Some(message);
                    }
                    if input.is_empty() {
                        return None;
                    }
                }
                State::Skip { remaining } => {
                    let (skipped, rest) = input.split_at_checked(remaining).unwrap_or((input, &[]));
                    *input = rest;
                    let remaining = remaining - skipped.len();
                    if remaining > 0 {
                        self.state = State::Skip { remaining };
                        return None;
                    }
                    self.state = State::Header { have: 0 };
                }
                State::Foreign => {
                    *input = &[];
                    return None;
                }
            }
        }
    }

    /// The header is complete.
    fn begin(&mut self) -> Option<Message<'static>> {
        let [kind, a, b, c] = self.header;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let is_foreign = match self.only_hello {
            Some(hello) => kind != hello || !(36..=MAX_HANDSHAKE_BYTES).contains(&length),
            None => !handshake::is_known(kind) || self.is_after_gap && length > MAX_HANDSHAKE_BYTES,
        };
        if is_foreign {
            self.state = State::Foreign;
            return Some(Message { kind, body: Cow::Borrowed(&[]), end: End::Foreign });
        }
        let is_wanted = matches!(
            kind,
            handshake::CLIENT_HELLO
                | handshake::SERVER_HELLO
                | handshake::NEW_SESSION_TICKET
                | handshake::HELLO_RETRY_REQUEST
                | handshake::CERTIFICATE
                | handshake::SERVER_KEY_EXCHANGE
        );
        if is_wanted {
            self.state = State::Body { kind, length };
            return None;
        }
        self.state = State::Skip { remaining: length };
        Some(Message { kind, body: Cow::Borrowed(&[]), end: End::Whole })
    }

    /// Takes what is wanted of a body.
    fn fill<'a>(&mut self, kind: u8, length: usize, input: &mut &'a [u8]) -> Option<Message<'a>> {
        loop {
            let seen = if self.buffer.is_empty() { *input } else { &self.buffer };
            // What follows may be the next message.
            let seen = seen.get(..length).unwrap_or(seen);
            let (wanted, end) = wanted_bytes(kind, length, seen);
            if self.buffer.is_empty() {
                if let Some((body, rest)) = input.split_at_checked(wanted) {
                    // The usual case: nothing is copied. `wanted` may grow with what is seen.
                    if wanted_bytes(kind, length, body).0 == wanted {
                        *input = rest;
                        return Some(self.finish(kind, Cow::Borrowed(body), length - wanted, end));
                    }
                    continue;
                }
            } else if self.buffer.len() >= wanted {
                let body = std::mem::take(&mut self.buffer);
                let left = length - body.len();
                return Some(self.finish(kind, Cow::Owned(body), left, end));
            }
            if input.is_empty() {
                return None;
            }
            let (part, rest) = input.split_at_checked(wanted - self.buffer.len()).unwrap_or((input, &[]));
            self.buffer.extend_from_slice(part);
            *input = rest;
        }
    }

    fn finish<'a>(&mut self, kind: u8, body: Cow<'a, [u8]>, left: usize, end: End) -> Message<'a> {
        self.state = if left == 0 { State::Header { have: 0 } } else { State::Skip { remaining: left } };
        Message { kind, body, end }
    }
}

/// How many bytes of a body are wanted, as far as `seen` of them tells.
fn wanted_bytes(kind: u8, length: usize, seen: &[u8]) -> (usize, End) {
    if kind == handshake::CERTIFICATE {
        let mut reader = Reader::new(seen);
        // Behind the length of the list.
        let Some(leaf) = reader.u24().and_then(|_| reader.u24()) else {
            return (LEAF_OFFSET.min(length), End::Whole);
        };
        let leaf = leaf as usize;
        if leaf > MAX_LEAF_BYTES {
            return (LEAF_OFFSET.min(length), End::TooLong);
        }
        return ((LEAF_OFFSET + leaf).min(length), End::Whole);
    }
    if length > MAX_HANDSHAKE_BYTES { (MAX_HANDSHAKE_BYTES, End::TooLong) } else { (length, End::Whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    fn collect(messages: &mut Messages, input: &[u8]) -> Vec<(u8, Vec<u8>, End)> {
        let mut rest = input;
        let mut found = Vec::new();
        while let Some(message) = messages.next(&mut rest) {
            found.push((message.kind, message.body.to_vec(), message.end));
        }
        found
    }

    fn flight() -> Vec<u8> {
        let leaf = [&[0, 0, 9, 0, 0, 3][..], b"abc", &[0, 0, 0]].concat();
        [
            message(2, b"hello"),
            message(11, &leaf),
            message(25, b"compressed"),
            message(12, b"kx"),
            message(14, b""),
        ]
        .concat()
    }

    #[test]
    fn separates_messages_however_they_are_cut() {
        let flight = flight();
        let whole = collect(&mut Messages::default(), &flight);
        let kinds: Vec<_> = whole.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [2, 11, 25, 12, 14]);
        assert_eq!(whole[1].1, [&[0, 0, 9, 0, 0, 3][..], b"abc"].concat());
        for first in 0..flight.len() {
            for second in first..flight.len() {
                let mut messages = Messages::default();
                let mut found = collect(&mut messages, &flight[..first]);
                found.extend(collect(&mut messages, &flight[first..second]));
                found.extend(collect(&mut messages, &flight[second..]));
                assert_eq!(found, whole, "cut at {first} and {second}");
                assert!(!messages.is_within_message());
            }
        }
    }

    #[test]
    fn limits_what_it_holds() {
        let long = message(1, &vec![7; MAX_HANDSHAKE_BYTES + 100]);
        let mut messages = Messages::default();
        let mut found = Vec::new();
        for piece in long.chunks(1000) {
            found.extend(collect(&mut messages, piece));
            assert!(messages.held_bytes() <= 2 * MAX_HANDSHAKE_BYTES);
        }
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].1.len(), found[0].2), (MAX_HANDSHAKE_BYTES, End::TooLong));
        assert_eq!(collect(&mut messages, &message(14, b"")).len(), 1);
    }

    #[test]
    fn refuses_a_leaf_longer_than_the_limit() {
        let body = [&[2, 0, 3, 2, 0, 0][..], &[0; 20]].concat();
        let found = collect(&mut Messages::default(), &message(11, &body));
        assert_eq!((found[0].0, found[0].2), (11, End::TooLong));
    }

    #[test]
    fn takes_no_length_of_a_leaf_from_the_next_message() {
        let next = message(12, &[0xff; 40]);
        for list in [&[][..], &[0], &[0, 0, 0], &[0, 0, 2, 0, 0]] {
            let found = collect(&mut Messages::default(), &[message(11, list), next.clone()].concat());
            assert_eq!(found[0], (11, list.to_vec(), End::Whole));
            assert_eq!(found[1].0, 12);
        }
    }

    #[test]
    fn hands_over_what_there_is_of_a_cut_message() {
        let mut messages = Messages::default();
        assert_eq!(collect(&mut messages, &message(2, b"hello")[..6]), []);
        let cut = messages.cut().unwrap();
        assert_eq!((cut.kind, &*cut.body, cut.end), (2, &b"he"[..], End::Cut));
        assert_eq!(collect(&mut messages, &message(14, b"")), [(14, Vec::new(), End::Whole)]);
    }

    #[test]
    fn finds_a_message_again_after_a_gap() {
        let mut messages = Messages::default();
        collect(&mut messages, &message(11, &[0, 0, 99, 0, 0, 90, 1, 2])[..10]);
        messages.cut();
        messages.begin_record();
        let rest_of_certificate = [4, 9, 9, 9, 9, 9];
        assert_eq!(collect(&mut messages, &rest_of_certificate)[0].2, End::Foreign);
        messages.begin_record();
        assert_eq!(collect(&mut messages, &message(14, b"")), [(14, Vec::new(), End::Whole)]);
    }

    #[test]
    fn takes_ciphertext_for_nothing_else() {
        let mut messages = Messages::default();
        messages.expect_only_hello(handshake::CLIENT_HELLO);
        assert_eq!(collect(&mut messages, &[0, 0, 0, 0, 1, 2, 3]), [(0, Vec::new(), End::Foreign)]);
        assert_eq!(collect(&mut messages, &message(1, &[3; 40])), []);
        let mut messages = Messages::default();
        messages.expect_only_hello(handshake::CLIENT_HELLO);
        assert_eq!(collect(&mut messages, &message(1, &[3; 40])).len(), 1);
    }
}
