//! A side of a TLS connection whose records do not begin with its stream, or may not: where do they?

use super::dialogue::MAX_PENDING_BYTES;
use crate::app::Parse;
use crate::app::proxy::{self, Start};
use crate::model::ProxyFacts;
use crate::tls::{self, Probe};

/// What is not at a record boundary yet: the end of what a side said.
pub(super) struct Unaligned {
    bytes: Vec<u8>,
    /// Where what is kept begins; `None` where more of it was there in front.
    start: Option<Start>,
    /// Where to go on: nothing before it is or becomes the beginning of a hello.
    searched: usize,
    /// Bytes that were there in front.
    dropped: usize,
}

/// How the search for the first record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Records begin there in what is kept.
    Found(usize),
    GoesOn,
    /// More than [`tls::MAX_LEADING_BYTES`] came in front.
    GivenUp,
}

impl Default for Unaligned {
    fn default() -> Self {
        Self::at(Some(Start::Connection))
    }
}

impl Unaligned {
    /// What begins there.
    pub const fn at(start: Option<Start>) -> Self {
        Self { bytes: Vec::new(), start, searched: 0, dropped: 0 }
    }

    /// Learns that bytes are missing: what comes does not go on with what is kept.
    pub fn gap(&mut self) {
        let dropped = self.dropped + self.bytes.len();
        *self = Self { dropped, ..Self::at(Some(Start::Loss)) };
    }

    /// Takes the next bytes. Records begin at a hello, where the new bytes (or all there were) begin like a record, as an
    /// alert alone does, or at an alert that ends them.
    pub fn push(&mut self, new: &[u8], is_client: bool) -> Search {
        self.bytes.extend_from_slice(new);
        let fresh = self.bytes.len() - new.len();
        let is_all = self.start == Some(Start::Connection);
        let wanted = if is_client { Probe::ClientHello } else { Probe::ServerHello };
        let found = if is_all && tls::probe(&self.bytes) == wanted {
            // One in the framing of SSL 2 is known by no single byte: it is looked for at the beginning alone.
            Some(0)
        } else {
            self.hello(wanted)
        };
        let is_record = |at: usize| tls::looks_like_record(self.bytes.get(at..).unwrap_or_default());
        let found = found
            .or_else(|| (is_all && is_record(0)).then_some(0))
            .or_else(|| is_record(fresh).then_some(fresh))
            .or_else(|| tls::find_last_alert(&self.bytes));
        if let Some(at) = found {
            return Search::Found(at);
        }
        if self.dropped + self.bytes.len() > tls::MAX_LEADING_BYTES {
            return Search::GivenUp;
        }
        // The end is kept: the next bytes may complete a header, and what is in front of it may belong to it.
        let surplus = self.bytes.len().saturating_sub(MAX_PENDING_BYTES);
        if surplus > 0 {
            self.bytes.drain(..surplus);
            self.dropped += surplus;
            self.start = None;
        }
        self.searched = self.searched.saturating_sub(surplus);
        Search::GoesOn
    }

    /// Where a hello begins, in what was not searched yet.
    fn hello(&mut self, wanted: Probe) -> Option<usize> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        match tls::find_probed(rest, wanted) {
            Ok(at) => Some(self.searched + at),
            Err(open) => {
                self.searched += open;
                None
            }
        }
    }

    /// What it said to proxies in front of what begins `at` there.
    pub fn proxy_before(&self, at: usize) -> Option<ProxyFacts> {
        match proxy::client(self.bytes.get(..at)?, self.start?) {
            Parse::Done(preamble) => preamble.facts,
            Parse::NeedMore | Parse::No => None,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a ServerHello, as far as it is looked at.
    const HELLO: &[u8] = b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03\x07\x07\x07";

    /// What becomes of `bytes` in pieces of `step`, how many were taken until then, and the most that was searched twice.
    fn push(bytes: &[u8], step: usize) -> (Search, usize, usize) {
        let (mut unaligned, mut taken, mut most) = (Unaligned::default(), 0, 0);
        for piece in bytes.chunks(step) {
            let found = unaligned.push(piece, false);
            taken += piece.len();
            if found != Search::GoesOn {
                return (found, taken, most);
            }
            assert!(unaligned.bytes.len() <= MAX_PENDING_BYTES);
            most = most.max(unaligned.bytes.len() - unaligned.searched);
        }
        (Search::GoesOn, taken, most)
    }

    #[test]
    fn finds_a_hello_wherever_it_is_cut() {
        let preamble = b"HTTP/1.1 200 OK\r\n\x16\r\n";
        let all = [&preamble[..], HELLO].concat();
        for step in 1..all.len() {
            let (found, ..) = push(&all, step);
            assert_eq!(found, Search::Found(preamble.len()), "{step}");
        }
        // Behind more than is kept, and behind empty records.
        for (before, step) in [(vec![b'x'; 9_000], 7), (b"\x16\x03\x03\x00\x00".repeat(40), 1)] {
            let (found, taken, _) = push(&[&b"x"[..], &before, HELLO].concat(), step);
            assert!(matches!(found, Search::Found(_)) && taken > before.len() + 6, "{found:?} {taken}");
        }
    }

    #[test]
    fn looks_at_what_is_new_and_gives_up_after_so_much() {
        for filler in [&b"\x16\x03\x00\x00\x00"[..], b"\x16", b"\x16\x03", b"a", b"x\x16\x03\x05\x00\x05\x01"]
        {
            let filler = filler.repeat(2 * tls::MAX_LEADING_BYTES / filler.len());
            // The first bytes begin no record.
            let filler = [b"HTTP", &filler[..]].concat();
            for step in [1, 11, 1_400] {
                let (found, taken, twice) = push(&filler, step);
                assert_eq!(found, Search::GivenUp, "{filler:?}");
                assert!((1..=step).contains(&(taken - tls::MAX_LEADING_BYTES)), "{taken}");
                assert!(twice <= 11, "{twice}");
            }
        }
    }
}
