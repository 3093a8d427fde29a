//! Fragmented IP packets, put together within limits.
//!
//! What was put together is remembered for a while: a mirror that shows every packet twice, going in and coming out,
//! shows fragments again of which nothing is missing. They wait for nothing, and are no part of the next packet that
//! happens to have the same identification.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::decoder::{Counts, Limits};
use super::error::{DecodeError, Fault, Header};
use super::ip::{Ends, Fragment};
use super::view::View;
use crate::model::{Encapsulation, Timestamp};

/// How long the rest of a packet is waited for. RFC 8200 says 60 seconds, RFC 791 15 or more; TCP
/// sends its data again well before, so half a minute loses nothing that would still be used.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest payload of a fragmented packet: what the length field of IP can say.
const MAX_PACKET_BYTES: u32 = 65_535;

/// The most pieces of one packet that are kept: 65,535 bytes in packets of 576, the least that
/// every IPv4 host must take, are 119.
const MAX_PIECES: usize = 128;

/// One part in so many of what fragments may hold is given, beside it, to packets that are whole.
const WHOLE_PART: usize = 4;

/// What a piece and a packet cost beyond their bytes, roughly.
const PIECE_BYTES: usize = 64;
const PACKET_BYTES: usize = 1_024;

/// What makes fragments belong together: RFC 791 section 3.2 and RFC 8200 section 4.5, plus the
/// layers around them, since private addresses repeat in every tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    ends: Ends,
    identification: u32,
    /// IPv4 only; with IPv6 just the first fragment's counts.
    protocol: u8,
    encapsulation: Encapsulation,
}

/// Packets that wait for their rest.
#[derive(Debug)]
pub(super) struct Fragments {
    limits: Limits,
    packets: HashMap<Key, Packet, RandomState>,
    /// In order of arrival; an entry whose number is not that of the packet any more is stale.
    order: VecDeque<(u64, Key)>,
    next_number: u64,
    held_bytes: usize,
    whole: HashMap<Key, Whole, RandomState>,
    /// As `order`.
    whole_order: VecDeque<(u64, Key)>,
    whole_bytes: usize,
    counts: Counts,
}

/// A packet that was put together.
#[derive(Debug)]
struct Whole {
    number: u64,
    completed: Timestamp,
    protocol: Option<u8>,
    bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Packet {
    number: u64,
    first_seen: Timestamp,
    /// By offset, none overlapping another.
    pieces: Vec<Piece>,
    /// Known from the last fragment.
    total_bytes: Option<u32>,
    /// Known from the first fragment.
    protocol: Option<u8>,
    /// Sum of the pieces.
    bytes: u32,
    /// Why nothing is held of it any more, and what still comes is refused.
    refused: Option<Fault>,
}

#[derive(Debug)]
struct Piece {
    start: u32,
    bytes: Box<[u8]>,
}

impl Piece {
    fn end(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }
}

impl Fragments {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            packets: HashMap::default(),
            order: VecDeque::new(),
            next_number: 0,
            held_bytes: 0,
            whole: HashMap::default(),
            whole_order: VecDeque::new(),
            whole_bytes: 0,
            counts: Counts::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        let waiting = self.packets.values().filter(|packet| packet.refused.is_none()).count() as u64;
        Counts { waiting, ..self.counts }
    }

    /// Keeps a fragment. Where it completes its packet, the payload is put into `into` and the
    /// protocol of its beginning returned.
    ///
    /// Fragments that repeat bytes are fine where they say the same. Where they do not, the whole
    /// packet is given up, with IPv6 as RFC 5722 demands, with IPv4 because hosts differ in which
    /// bytes they keep, so that nobody but the receiver knows what it read.
    ///
    /// Where a packet that is whole already is shown again, its beginning completes it once more.
    pub fn add(
        &mut self,
        at: Timestamp,
        encapsulation: &Encapsulation,
        ends: Ends,
        fragment: Fragment,
        view: View<'_>,
        into: &mut Vec<u8>,
    ) -> Result<Option<u8>, DecodeError> {
        self.expire(at);
        let is_v4 = ends.source.is_ipv4();
        let header = if is_v4 { Header::Ipv4 } else { Header::Ipv6 };
        let error = |fault| DecodeError::new(header, fault);
        if !view.is_whole() {
            return Err(error(Fault::FragmentTruncated));
        }
        let length = view.bytes.len();
        let end = fragment.offset_bytes.saturating_add(view.wire_bytes);
        if length == 0 || end > MAX_PACKET_BYTES || (fragment.has_more && !length.is_multiple_of(8)) {
            return Err(error(Fault::BadFragment));
        }
        let key = Key {
            ends,
            identification: fragment.identification,
            protocol: if is_v4 { fragment.protocol } else { 0 },
            encapsulation: encapsulation.clone(),
        };
        if let Some(whole) = self.whole.get(&key) {
            if whole.is_shown_by(at, fragment, view.bytes, end) {
                if fragment.offset_bytes > 0 {
                    return Ok(None);
                }
                into.clear();
                into.extend_from_slice(&whole.bytes);
                return Ok(whole.protocol);
            }
            // Another packet; or the copies have come long ago.
            self.forget_whole(&key);
        }
        self.make_room(&key, length).map_err(error)?;

        let number = self.next_number;
        let packet = self.packets.entry(key.clone()).or_insert_with(|| Packet::new(number, at));
        if packet.number == number {
            self.next_number += 1;
            self.held_bytes += PACKET_BYTES;
            self.order.push_back((number, key.clone()));
        }
        let before = packet.held_bytes();
        let kept = packet.add(fragment, view.bytes, end);
        if let Err(fault) = kept {
            packet.refuse(fault);
        }
        self.held_bytes = self.held_bytes.saturating_sub(before) + packet.held_bytes();
        kept.map_err(error)?;
        if !packet.is_complete() {
            return Ok(None);
        }
        let protocol = packet.protocol;
        into.clear();
        into.extend(packet.pieces.iter().flat_map(|piece| piece.bytes.iter().copied()));
        self.forget(&key);
        self.counts.reassembled += 1;
        self.remember(key, at, protocol, into);
        Ok(protocol)
    }

    /// Remembers a packet that is whole, for its copies.
    fn remember(&mut self, key: Key, at: Timestamp, protocol: Option<u8>, bytes: &[u8]) {
        let most_bytes = self.limits.fragment_bytes / WHOLE_PART;
        let needed = bytes.len() + PACKET_BYTES;
        while self.whole_bytes + needed > most_bytes || self.whole_order.len() >= self.limits.datagrams {
            let Some((number, oldest)) = self.whole_order.pop_front() else { return };
            if self.whole.get(&oldest).is_some_and(|whole| whole.number == number) {
                self.forget_whole(&oldest);
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        self.whole_bytes += needed;
        self.whole_order.push_back((number, key.clone()));
        self.whole.insert(key, Whole { number, completed: at, protocol, bytes: bytes.into() });
    }

    fn forget_whole(&mut self, key: &Key) {
        if let Some(whole) = self.whole.remove(key) {
            self.whole_bytes = self.whole_bytes.saturating_sub(whole.bytes.len() + PACKET_BYTES);
        }
    }

    /// Gives up packets that waited too long.
    fn expire(&mut self, at: Timestamp) {
        while let Some((number, key)) = self.order.front() {
            match self.packets.get(key) {
                Some(packet) if packet.number == *number => {
                    if at.since(packet.first_seen) <= TIMEOUT {
                        break;
                    }
                    self.counts.fragment_timeout += u64::from(packet.refused.is_none());
                    self.forget_oldest();
                }
                _ => {
                    self.order.pop_front();
                }
            }
        }
        // Stale entries behind one that waits: no more than there may be packets.
        if self.order.len() > self.limits.datagrams.saturating_mul(2).saturating_add(16) {
            let packets = &self.packets;
            self.order
                .retain(|(number, key)| packets.get(key).is_some_and(|packet| packet.number == *number));
        }
    }

    /// Gives up the oldest packets until there is room for `length` more bytes of `key`.
    fn make_room(&mut self, key: &Key, length: usize) -> Result<(), Fault> {
        let limits = self.limits;
        loop {
            let is_new = !self.packets.contains_key(key);
            let needed = length + PIECE_BYTES + if is_new { PACKET_BYTES } else { 0 };
            let has_room = self.held_bytes + needed <= limits.fragment_bytes
                && (!is_new || self.packets.len() < limits.datagrams);
            if has_room {
                return Ok(());
            }
            let Some((number, oldest)) = self.order.front() else { return Err(Fault::FragmentTableFull) };
            if let Some(packet) = self.packets.get(oldest)
                && packet.number == *number
            {
                self.counts.fragment_evicted += u64::from(packet.refused.is_none());
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((number, key)) = self.order.pop_front()
            && self.packets.get(&key).is_some_and(|packet| packet.number == number)
        {
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(packet) = self.packets.remove(key) {
            self.held_bytes = self.held_bytes.saturating_sub(packet.held_bytes() + PACKET_BYTES);
        }
    }
}

impl Whole {
    /// Whether a fragment, seen `at` this time, is a copy of a part of it.
    fn is_shown_by(&self, at: Timestamp, fragment: Fragment, bytes: &[u8], end: u32) -> bool {
        let is_end = end as usize == self.bytes.len();
        at.since(self.completed) <= TIMEOUT
            && fragment.has_more != is_end
            && (fragment.offset_bytes > 0 || self.protocol == Some(fragment.protocol))
            && self.bytes.get(fragment.offset_bytes as usize..end as usize) == Some(bytes)
    }
}

impl Packet {
    fn new(number: u64, first_seen: Timestamp) -> Self {
        Self {
            number,
            first_seen,
            pieces: Vec::new(),
            total_bytes: None,
            protocol: None,
            bytes: 0,
            refused: None,
        }
    }

    fn held_bytes(&self) -> usize {
        self.bytes as usize + self.pieces.len() * PIECE_BYTES
    }

    fn refuse(&mut self, fault: Fault) {
        self.refused = Some(fault);
        self.pieces = Vec::new();
        self.bytes = 0;
    }

    fn is_complete(&self) -> bool {
        // Pieces do not overlap and none goes beyond the end, so the sum says it.
        self.total_bytes == Some(self.bytes)
    }

    fn add(&mut self, fragment: Fragment, bytes: &[u8], end: u32) -> Result<(), Fault> {
        if let Some(fault) = self.refused {
            return Err(fault);
        }
        let start = fragment.offset_bytes;
        let total = if fragment.has_more { self.total_bytes } else { Some(end) };
        let is_contradiction = match (total, self.total_bytes) {
            (Some(new), Some(known)) if new != known => true,
            (Some(total), _) => end > total || self.pieces.last().is_some_and(|last| last.end() > total),
            (None, _) => false,
        };
        if is_contradiction {
            return Err(Fault::BadFragment);
        }
        self.insert(start, end, bytes)?;
        self.total_bytes = total;
        if start == 0 {
            self.protocol = Some(fragment.protocol);
        }
        Ok(())
    }

    /// Keeps what of `bytes` is new, after a look at what is not.
    fn insert(&mut self, start: u32, end: u32, bytes: &[u8]) -> Result<(), Fault> {
        let part = |from: u32, to: u32| bytes.get((from - start) as usize..(to - start) as usize);
        let mut missing = Vec::new();
        let mut position = start;
        for piece in self.pieces.iter().filter(|piece| piece.start < end && piece.end() > start) {
            let (from, to) = (piece.start.max(start), piece.end().min(end));
            let known = piece.bytes.get((from - piece.start) as usize..(to - piece.start) as usize);
            if known.is_none() || known != part(from, to) {
                return Err(Fault::FragmentOverlap);
            }
            if from > position {
                missing.push((position, from));
            }
            position = to;
        }
        if position < end {
            missing.push((position, end));
        }
        if self.pieces.len() + missing.len() > MAX_PIECES {
            return Err(Fault::TooManyFragments);
        }
        for (from, to) in missing {
            let Some(bytes) = part(from, to) else { continue };
            let at = self.pieces.partition_point(|piece| piece.start < from);
            self.pieces.insert(at, Piece { start: from, bytes: bytes.into() });
            self.bytes += to - from;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const V4: Ends =
        Ends { source: IpAddr::V4(Ipv4Addr::LOCALHOST), destination: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    const V6: Ends =
        Ends { source: IpAddr::V6(Ipv6Addr::LOCALHOST), destination: IpAddr::V6(Ipv6Addr::LOCALHOST) };

    struct Bench {
        fragments: Fragments,
        ends: Ends,
        seconds: u64,
        into: Vec<u8>,
    }

    impl Bench {
        fn new(limits: Limits) -> Self {
            Self { fragments: Fragments::new(limits), ends: V4, seconds: 0, into: vec![0xee; 3] }
        }

        fn add(
            &mut self,
            identification: u32,
            offset: u32,
            has_more: bool,
            bytes: &[u8],
        ) -> Result<Option<u8>, &'static str> {
            let fragment = Fragment { identification, protocol: 6, offset_bytes: offset, has_more };
            let at = Timestamp::from_seconds(self.seconds);
            let encapsulation = Encapsulation::default();
            self.fragments
                .add(at, &encapsulation, self.ends, fragment, View::new(bytes, 0), &mut self.into)
                .map_err(|error| error.reason())
        }
    }

    fn bench() -> Bench {
        Bench::new(Limits::default())
    }

    #[test]
    fn completes_in_any_order_with_repeats() {
        let payload: Vec<u8> = (0..40).collect();
        let parts = [(0, true, 0..16), (16, true, 16..32), (32, false, 32..40)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut bench = bench();
            for (position, index) in order.into_iter().enumerate() {
                let (offset, has_more, range) = parts[index].clone();
                let result = bench.add(1, offset, has_more, &payload[range.clone()]);
                if position == 2 {
                    assert_eq!(result, Ok(Some(6)));
                } else {
                    assert_eq!(result, Ok(None));
                    assert_eq!(bench.add(1, offset, has_more, &payload[range]), Ok(None));
                }
            }
            assert_eq!(bench.into, payload);
            assert_eq!(bench.fragments.held_bytes, 0);
            assert_eq!(bench.fragments.counts(), Counts { reassembled: 1, ..Counts::default() });
        }
    }

    #[test]
    fn keeps_packets_apart_by_identification_and_encapsulation() {
        let mut bench = bench();
        assert_eq!(bench.add(1, 0, true, &[1; 8]), Ok(None));
        assert_eq!(bench.add(2, 8, false, &[2; 8]), Ok(None));
        let mut encapsulation = Encapsulation::default();
        assert!(encapsulation.push(crate::model::Layer::Vlan(7)));
        let fragment = Fragment { identification: 1, protocol: 6, offset_bytes: 8, has_more: false };
        let view = View::new(&[3; 8], 0);
        let result =
            bench.fragments.add(Timestamp::default(), &encapsulation, V4, fragment, view, &mut bench.into);
        assert_eq!(result, Ok(None));
        assert_eq!(bench.fragments.counts().waiting, 3);
        assert_eq!(bench.add(1, 8, false, &[4; 8]), Ok(Some(6)));
        assert_eq!(bench.into, [[1; 8], [4; 8]].concat());
    }

    #[test]
    fn takes_the_protocol_of_ipv6_from_the_first_fragment() {
        let mut bench = bench();
        bench.ends = V6;
        let fragment = Fragment { identification: 1, protocol: 17, offset_bytes: 8, has_more: false };
        let view = View::new(&[3; 8], 0);
        let add = bench.fragments.add(
            Timestamp::default(),
            &Encapsulation::default(),
            V6,
            fragment,
            view,
            &mut bench.into,
        );
        assert_eq!(add, Ok(None));
        assert_eq!(bench.add(1, 0, true, &[1; 8]), Ok(Some(6)));
    }

    #[test]
    fn gives_up_packets_that_contradict_themselves() {
        for ends in [V4, V6] {
            let mut bench = bench();
            bench.ends = ends;
            assert_eq!(bench.add(1, 0, true, &[1; 16]), Ok(None));
            assert_eq!(bench.add(1, 8, true, &[2; 16]), Err("fragment_overlap"));
            assert_eq!(bench.add(1, 0, true, &[1; 16]), Err("fragment_overlap"));
            assert_eq!(bench.add(1, 16, false, &[1; 16]), Err("fragment_overlap"));
            assert_eq!(bench.fragments.held_bytes, PACKET_BYTES);
            assert_eq!(bench.fragments.counts().waiting, 0);
            bench.seconds = 31;
            assert_eq!(bench.add(1, 0, true, &[1; 16]), Ok(None));
            assert_eq!(bench.fragments.counts().fragment_timeout, 0);
        }
    }

    #[test]
    fn copies_of_a_whole_packet_wait_for_nothing() {
        let mut bench = bench();
        let payload: Vec<u8> = (0..40).collect();
        let parts = [(0, true, 0..16), (16, true, 16..32), (32, false, 32..40)];
        let mut shown = 0;
        for (offset, has_more, range) in &parts {
            // Once more each, as it leaves.
            for _ in 0..2 {
                shown +=
                    usize::from(bench.add(1, *offset, *has_more, &payload[range.clone()]) == Ok(Some(6)));
            }
        }
        assert_eq!((shown, bench.fragments.held_bytes), (1, 0));
        // All of it by another interface.
        for (offset, has_more, range) in parts.iter().rev() {
            let expected = (*offset == 0).then_some(6);
            bench.into.clear();
            assert_eq!(bench.add(1, *offset, *has_more, &payload[range.clone()]), Ok(expected));
            assert_eq!(bench.into.is_empty(), expected.is_none());
        }
        assert_eq!(bench.into, payload);
        assert_eq!(bench.fragments.counts(), Counts { reassembled: 1, ..Counts::default() });

        // The next packet with this identification is made of its own parts alone.
        assert_eq!(bench.add(1, 0, true, &[9; 16]), Ok(None));
        assert_eq!(bench.add(1, 16, true, &[8; 16]), Ok(None));
        assert_eq!(bench.add(1, 32, false, &[7; 8]), Ok(Some(6)));
        assert_eq!(bench.into, [&[9; 16][..], &[8; 16], &[7; 8]].concat());
        // After a while what comes is of another one, though it says the same.
        bench.seconds = 31;
        assert_eq!(bench.add(1, 32, false, &[7; 8]), Ok(None));
        assert_eq!(bench.fragments.counts().waiting, 1);
    }

    #[test]
    fn remembers_no_more_whole_packets_than_it_may() {
        for (datagrams, fragment_bytes) in [(3, 1 << 20), (1_000, 20_000)] {
            let mut bench = Bench::new(Limits { datagrams, fragment_bytes });
            for identification in 0..100 {
                assert_eq!(bench.add(identification, 8, false, &[1; 8]), Ok(None));
                assert_eq!(bench.add(identification, 0, true, &[1; 8]), Ok(Some(6)));
                // Another packet takes the place of every second.
                if identification % 2 == 0 {
                    assert_eq!(bench.add(identification, 0, true, &[2; 8]), Ok(None));
                }
                let fragments = &bench.fragments;
                assert!(fragments.whole.len() <= 4 && fragments.whole_order.len() <= 8);
                assert!(fragments.whole_bytes <= fragment_bytes / WHOLE_PART);
            }
            assert_eq!(bench.add(99, 0, true, &[1; 8]), Ok(Some(6)));
        }
    }

    #[test]
    fn takes_overlaps_that_agree() {
        let payload: Vec<u8> = (0..48).collect();
        let mut bench = bench();
        assert_eq!(bench.add(1, 8, true, &payload[8..16]), Ok(None));
        assert_eq!(bench.add(1, 24, true, &payload[24..32]), Ok(None));
        assert_eq!(bench.add(1, 0, true, &payload[0..40]), Ok(None));
        assert_eq!(bench.add(1, 32, false, &payload[32..48]), Ok(Some(6)));
        assert_eq!(bench.into, payload);
    }

    #[test]
    fn rejects_fragments_that_cannot_be() {
        let mut bench = bench();
        assert_eq!(bench.add(1, 0, true, &[]), Err("bad_fragment"));
        assert_eq!(bench.add(1, 0, true, &[0; 9]), Err("bad_fragment"));
        assert_eq!(bench.add(1, 65_528, false, &[0; 8]), Err("bad_fragment"));
        assert_eq!(bench.fragments.counts().waiting, 0);
        // Two ends, and bytes behind the end.
        assert_eq!(bench.add(1, 8, false, &[0; 8]), Ok(None));
        assert_eq!(bench.add(1, 8, false, &[0; 9]), Err("bad_fragment"));
        assert_eq!(bench.add(2, 8, false, &[0; 8]), Ok(None));
        assert_eq!(bench.add(2, 16, true, &[0; 8]), Err("bad_fragment"));
        assert_eq!(bench.add(3, 16, true, &[0; 8]), Ok(None));
        assert_eq!(bench.add(3, 8, false, &[0; 8]), Err("bad_fragment"));
        assert_eq!(bench.add(3, 0, true, &[0; 8]), Err("bad_fragment"), "what follows, for the same reason");

        let fragment = Fragment { identification: 9, protocol: 6, offset_bytes: 0, has_more: true };
        let view = View::new(&[0; 8], 16);
        let cut = bench.fragments.add(
            Timestamp::default(),
            &Encapsulation::default(),
            V4,
            fragment,
            view,
            &mut bench.into,
        );
        assert_eq!(cut.unwrap_err().reason(), "fragment_truncated");
    }

    #[test]
    fn stops_at_too_many_pieces() {
        let mut bench = bench();
        for piece in 0..MAX_PIECES as u32 {
            assert_eq!(bench.add(1, piece * 16, true, &[0; 8]), Ok(None));
        }
        for _ in 0..2 {
            assert_eq!(bench.add(1, 8, true, &[0; 8]), Err("too_many_fragments"));
        }
        assert_eq!(bench.fragments.held_bytes, PACKET_BYTES);
    }

    #[test]
    fn gives_up_after_the_timeout() {
        let mut bench = bench();
        assert_eq!(bench.add(1, 0, true, &[1; 8]), Ok(None));
        bench.seconds = 30;
        assert_eq!(bench.add(2, 0, true, &[1; 8]), Ok(None));
        assert_eq!(bench.fragments.counts().fragment_timeout, 0);
        bench.seconds = 31;
        assert_eq!(bench.add(1, 8, false, &[1; 8]), Ok(None));
        let expected = Counts { fragment_timeout: 1, waiting: 2, ..Counts::default() };
        assert_eq!(bench.fragments.counts(), expected);
        bench.seconds = 3;
        assert_eq!(bench.add(2, 8, false, &[1; 8]), Ok(Some(6)));
    }

    #[test]
    fn stays_within_its_limits() {
        let limits = Limits { datagrams: 3, fragment_bytes: 6_000 };
        let mut bench = Bench::new(limits);
        for identification in 0..10_000 {
            assert_eq!(bench.add(identification, 8, false, &[1; 8]), Ok(None));
            if identification % 3 == 0 {
                assert_eq!(bench.add(identification, 0, true, &[1; 8]), Ok(Some(6)));
            }
            assert!(bench.fragments.packets.len() <= 3);
            assert!(bench.fragments.order.len() <= 23);
        }
        assert_eq!(bench.add(20_000, 0, true, &[1; 4_000]), Ok(None));
        assert!(bench.fragments.held_bytes <= 6_000);
        assert_eq!(bench.add(20_001, 0, true, &[1; 6_000]), Err("fragment_table_full"));
        assert_eq!(bench.fragments.held_bytes, 0);
        assert_eq!(bench.fragments.counts().fragment_evicted, 6_667);
        assert_eq!(
            Bench::new(Limits { datagrams: 0, ..limits }).add(1, 0, true, &[1; 8]),
            Err("fragment_table_full")
        );
    }

    proptest! {
        /// Against a plain model: an array of optional bytes.
        #[test]
        fn agrees_with_a_byte_map(
            payload in proptest::collection::vec(any::<u8>(), 8..400),
            cuts in proptest::collection::vec((0_usize..50, 1_usize..8), 1..60),
        ) {
            let mut bench = bench();
            let mut map = vec![false; payload.len()];
            let mut has_end = false;
            for (start, units) in cuts {
                let start = start * 8;
                let end = (start + units * 8).min(payload.len());
                if start >= end { continue }
                let has_more = end < payload.len();
                let was_complete = has_end && map.iter().all(|&known| known);
                let result = bench.add(1, start as u32, has_more, &payload[start..end]);
                map[start..end].fill(true);
                has_end |= !has_more;
                let is_complete = has_end && map.iter().all(|&known| known);
                if is_complete {
                    // The beginning of a whole packet shows it again.
                    prop_assert_eq!(result, Ok((start == 0 || !was_complete).then_some(6)));
                    prop_assert_eq!(&bench.into, &payload);
                    prop_assert_eq!(bench.fragments.held_bytes, 0);
                } else {
                    prop_assert_eq!(result, Ok(None));
                }
            }
        }
    }
}
