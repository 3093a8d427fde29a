//! Stream bytes → records: types, lengths and pieces of payload, nothing held but a header.
//!
//! The record layer of TLS [RFC 8446 section 5.1] and of SSLv2 (2 or 3 bytes of header, no type).

use super::error::{MAX_LEADING_BYTES, MAX_RECORD_BYTES};
use super::numbers::content;
use super::probe::{Probe, find_client_hello, find_server_hello, looks_like_record, probe};

/// What kind of record a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// TLS and SSLv3, with the content type.
    Tls(u8),
    /// SSLv2: messages or, later, ciphertext.
    Ssl2,
}

/// What [`Records::next`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A record begins.
    Start { layer: Layer, length: usize },
    /// The next bytes of its payload.
    Payload { layer: Layer, bytes: &'a [u8], is_last: bool },
    /// What follows is no record: the stream ends here for us.
    Garbage,
}

/// Whose stream it is, which says which hello may open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At a record boundary; so many bytes of the header are in `header`.
    Header(usize),
    Payload {
        layer: Layer,
        remaining: usize,
    },
    /// Not at a record boundary: the beginning of the next piece of input may be one.
    Lost,
    Ended,
}

impl State {
    /// Where so many bytes of a record's payload are to come.
    const fn within(layer: Layer, remaining: usize) -> Self {
        if remaining == 0 { Self::Header(0) } else { Self::Payload { layer, remaining } }
    }
}

/// The record framer of one direction.
#[derive(Debug)]
pub struct Records {
    sender: Sender,
    state: State,
    header: [u8; 5],
    /// A record was seen.
    has_begun: bool,
    /// An SSLv2 record was seen; whether another may follow is told by its first byte.
    has_ssl2: bool,
    /// Bytes passed over in search of the first record.
    skipped: usize,
}

impl Records {
    /// The framer of a stream of which nothing was seen yet.
    pub const fn new(sender: Sender) -> Self {
        Self {
            sender,
            state: State::Header(0),
            header: [0; 5],
            has_begun: false,
            has_ssl2: false,
            skipped: 0,
        }
    }

    /// Bytes are missing: where the next record begins is unknown.
    pub const fn gap(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.state = State::Lost;
        }
    }

    /// True once what follows is no record, or none was found for too long.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// True where bytes were missing, and no record was found since.
    pub const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// True once a record, or the beginning of one, was seen.
    pub const fn is_under_way(&self) -> bool {
        self.has_begun || matches!(self.state, State::Header(1..))
    }

    /// Call before the pieces of each new input are asked for.
    pub fn begin_input(&mut self, input: &mut &[u8]) {
        if self.state != State::Lost || input.is_empty() {
            return;
        }
        if looks_like_record(input) {
            self.state = State::Header(0);
            return;
        }
        if !self.has_begun {
            self.seek(input);
        } else {
            *input = &[];
        }
    }

    /// Looks for the first record within `input`.
    fn seek(&mut self, input: &mut &[u8]) {
        let found = match self.sender {
            Sender::Client => find_client_hello(input),
            Sender::Server => find_server_hello(input),
        };
        match found.and_then(|at| input.get(at..)) {
            Some(rest) => {
                *input = rest;
                self.state = State::Header(0);
            }
            None => {
                self.skipped = self.skipped.saturating_add(input.len());
                *input = &[];
                self.state = if self.skipped > MAX_LEADING_BYTES { State::Ended } else { State::Lost };
            }
        }
    }

    /// The next piece of `input`, which is moved past it; `None` once all of it is used.
    #[inline]
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        loop {
            match self.state {
                State::Payload { layer, remaining } => {
                    if input.is_empty() {
                        return None;
                    }
                    let (bytes, rest) = input.split_at_checked(remaining).unwrap_or((input, &[]));
                    *input = rest;
                    let remaining = remaining - bytes.len();
                    self.state = State::within(layer, remaining);
                    return Some(Piece::Payload { layer, bytes, is_last: remaining == 0 });
                }
                // Nearly every record: its header lies whole in the input. The same as byte by byte below.
                State::Header(0)
                    if self.has_begun
                        && let Some((header, rest)) = input.split_first_chunk::<5>()
                        && let Header::Record { layer: layer @ Layer::Tls(_), length } =
                            read_header(header, 5, self.has_ssl2, self.has_ssl2) =>
                {
                    self.header = *header;
                    *input = rest;
                    self.state = State::within(layer, length);
                    return Some(Piece::Start { layer, length });
                }
                State::Header(have) => {
                    let (&byte, rest) = input.split_first()?;
                    if have == 0 && !self.has_begun && self.is_leading_junk(input) {
                        self.seek(input);
                        continue;
                    }
                    *input = rest;
                    if let Some(slot) = self.header.get_mut(have) {
                        *slot = byte;
                    }
                    self.state = State::Header(have + 1);
                    match self.parse_header(have + 1) {
                        Header::NeedMore => {}
                        Header::Record { layer, length } => {
                            self.has_begun = true;
                            self.has_ssl2 |= layer == Layer::Ssl2;
                            self.state = State::within(layer, length);
                            return Some(Piece::Start { layer, length });
                        }
                        Header::Invalid if self.has_begun => {
                            self.state = State::Ended;
                            return Some(Piece::Garbage);
                        }
                        Header::Invalid => {
                            self.skipped += have + 1;
                            self.state = State::Lost;
                            self.seek(input);
                        }
                    }
                }
                State::Lost | State::Ended => {
                    *input = &[];
                    return None;
                }
            }
        }
    }

    /// The stream does not begin with a record.
    fn is_leading_junk(&self, input: &[u8]) -> bool {
        if input.first().is_some_and(|first| first & 0x80 != 0) {
            return probe(input) == Probe::No;
        }
        let mut header = [0; 5];
        let have = input.len().min(5);
        for (slot, byte) in header.iter_mut().zip(input) {
            *slot = *byte;
        }
        matches!(read_header(&header, have, true, false), Header::Invalid)
    }

    fn parse_header(&self, have: usize) -> Header {
        read_header(&self.header, have, !self.has_begun || self.has_ssl2, self.has_ssl2)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Header {
    NeedMore,
    Record { layer: Layer, length: usize },
    Invalid,
}

/// Reads the first `have` bytes of `header`.
fn read_header(header: &[u8; 5], have: usize, may_be_ssl2: bool, has_ssl2: bool) -> Header {
    let [kind, second, third, fourth, fifth] = *header;
    if may_be_ssl2 && kind & 0x80 != 0 {
        if have < 2 {
            return Header::NeedMore;
        }
        let length = usize::from(kind & 0x7f) << 8 | usize::from(second);
        return if length == 0 { Header::Invalid } else { Header::Record { layer: Layer::Ssl2, length } };
    }
    let is_tls = matches!(kind, content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT)
        && (have < 2 || is_record_version(kind, second, third, have));
    if is_tls {
        if have < 5 {
            return Header::NeedMore;
        }
        let length = usize::from(u16::from_be_bytes([fourth, fifth]));
        return if length > MAX_RECORD_BYTES {
            Header::Invalid
        } else {
            Header::Record { layer: Layer::Tls(kind), length }
        };
    }
    if has_ssl2 && kind & 0x40 == 0 {
        // The 3-byte header, for ciphertext with padding.
        if have < 3 {
            return Header::NeedMore;
        }
        let length = usize::from(kind) << 8 | usize::from(second);
        return if length == 0 { Header::Invalid } else { Header::Record { layer: Layer::Ssl2, length } };
    }
    Header::Invalid
}

/// Versions of the record layer: 3.x, and what drafts of TLS 1.3 put there. A hello may have any minor one, and servers
/// take it [RFC 5246 appendix E.1]; in other records those far from any that exists are a sign of other bytes.
const fn is_record_version(kind: u8, major: u8, minor: u8, have: usize) -> bool {
    match major {
        3 => have < 3 || minor <= 0x0f || kind == content::HANDSHAKE,
        0x7e | 0x7f | 0xfb => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(records: &mut Records, input: &[u8]) -> Vec<(Layer, usize)> {
        let mut found = Vec::new();
        let mut rest = input;
        records.begin_input(&mut rest);
        while let Some(piece) = records.next(&mut rest) {
            if let Piece::Start { layer, length } = piece {
                found.push((layer, length));
            }
        }
        found
    }

    const TWO: &[u8] = &[20, 3, 3, 0, 1, 1, 22, 3, 5, 0, 3, 9, 9, 9];

    #[test]
    fn frames_records_however_they_are_cut() {
        let whole = kinds(&mut Records::new(Sender::Client), TWO);
        assert_eq!(whole, [(Layer::Tls(20), 1), (Layer::Tls(22), 3)]);
        for cut in 0..TWO.len() {
            let mut records = Records::new(Sender::Client);
            let (a, b) = TWO.split_at(cut);
            let mut found = kinds(&mut records, a);
            found.extend(kinds(&mut records, b));
            assert_eq!(found, whole, "cut at {cut}");
        }
    }

    #[test]
    fn ends_at_garbage() {
        let mut records = Records::new(Sender::Server);
        kinds(&mut records, TWO);
        kinds(&mut records, b"HTTP/1.1 400");
        assert!(records.has_ended());
        assert_eq!(kinds(&mut records, TWO), []);
    }

    #[test]
    fn refuses_a_record_longer_than_the_protocol_allows() {
        let mut records = Records::new(Sender::Server);
        kinds(&mut records, TWO);
        assert_eq!(kinds(&mut records, &[23, 3, 3, 0x48, 0x00]), [(Layer::Tls(23), MAX_RECORD_BYTES)]);
        let mut records = Records::new(Sender::Server);
        kinds(&mut records, TWO);
        assert_eq!(kinds(&mut records, &[23, 3, 3, 0x48, 0x01]), []);
        assert!(records.has_ended());
    }

    #[test]
    fn finds_the_boundary_again_after_a_gap() {
        let mut records = Records::new(Sender::Server);
        kinds(&mut records, &[22, 3, 3, 0, 9, 1, 2]);
        records.gap();
        assert_eq!(kinds(&mut records, &[1, 2, 3, 4, 5, 6, 7, 8]), []);
        let next = [20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 3, 9, 9, 9];
        assert_eq!(kinds(&mut records, &next), [(Layer::Tls(20), 1), (Layer::Tls(22), 3)]);
    }

    #[test]
    fn gives_up_a_stream_without_records() {
        let mut records = Records::new(Sender::Client);
        let junk = vec![b'x'; MAX_LEADING_BYTES];
        assert_eq!(kinds(&mut records, &junk), []);
        assert!(!records.has_ended());
        kinds(&mut records, b"xx");
        assert!(records.has_ended());
    }
}
