//! One direction of a connection: segments in any order → bytes in order, each once.
//!
//! Where two segments disagree about the same bytes the first one seen wins, and it is told that they did: the
//! observer cannot know which one the receiver took. What the receiver has acknowledged before the second came
//! it did not take from that.

use super::consumer::Moment;
use super::unconfirmed::Unconfirmed;
use crate::model::Timestamp;

/// A segment held back because bytes before it are missing.
#[derive(Debug)]
struct Held {
    sequence: u32,
    /// Length on the wire; bytes beyond `bytes.len()` were cut by the capture.
    wire_bytes: u32,
    origin: Origin,
    bytes: Vec<u8>,
}

/// Frame and time of bytes that were held, and what their sender acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub frame: u64,
    pub at: Timestamp,
    pub acknowledgment: Option<u32>,
}

/// What [`Stream::push`] and its companions hand to their caller; bytes with the sequence number behind them.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// The next bytes of the stream.
    Bytes(&'a [u8], u32),
    /// The next bytes, which waited for those before them, and where they were held from.
    Waited(&'a [u8], u32, Origin),
    /// Bytes that come behind a gap, and where they were held from.
    Late(&'a [u8], u32, Origin),
    /// Bytes are missing here and will not come.
    Gap,
}

/// The farthest ahead of the expected byte that a segment may lie to belong to the stream: the
/// largest receive window there is [RFC 7323 section 2.3: 2^30], and far less than half the
/// sequence space.
pub const WINDOW: u32 = 1 << 24;

/// Packets of a flow after which a gap is given up whatever the time: as many as a window of 64 KiB in
/// segments of 16 bytes.
const MAX_PACKETS_IN_GAP: u32 = 4_096;

/// How many segments are held without knowing where the stream begins. More than a flight of a
/// ServerHello with certificates, at ten bytes to a kilobyte each.
const MAX_UNANCHORED: usize = 32;

/// Reassembly of one direction.
#[derive(Debug, Default)]
pub struct Stream {
    /// Sequence number of the next byte to deliver, once the beginning is known.
    next: Option<u32>,
    /// Sequence number of the first byte of the stream (after SYN), once known.
    base: Option<u32>,
    /// The beginning is known from a SYN (of either side) rather than from content.
    is_base_from_syn: bool,
    /// Sequence number of FIN.
    fin: Option<u32>,
    /// The newest byte the peer has acknowledged.
    acknowledged: Option<u32>,
    /// Sequence number of an RST ahead of what was seen.
    reset_ahead: Option<u32>,
    /// There only while segments are held, which in most streams is never.
    waiting: Option<Box<Waiting>>,
    unconfirmed: Unconfirmed,
}

/// Segments held back.
#[derive(Debug, Default)]
struct Waiting {
    /// In order; never empty.
    held: Vec<Held>,
    held_bytes: usize,
    /// When the gap that is now in front opened, and packets of the flow since.
    gap_since: Option<Timestamp>,
    packets_since_gap: u32,
}

/// What a held segment costs beside its bytes: without this, segments of one byte would be cheap to send
/// and dear to keep.
const OVERHEAD_BYTES: usize = 64;

/// Signed distance from `from` to `to` on the sequence circle [RFC 9293 section 3.4].
#[inline]
#[must_use]
pub const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

impl Stream {
    /// Sequence number of the first byte, once known.
    #[must_use]
    pub const fn base(&self) -> Option<u32> {
        self.base
    }

    /// True where a SYN told the beginning.
    #[must_use]
    pub const fn is_base_from_syn(&self) -> bool {
        self.is_base_from_syn
    }

    /// Bytes held back.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.held_bytes)
    }

    /// What was delivered and not acknowledged.
    #[must_use]
    pub(super) const fn unconfirmed(&self) -> &Unconfirmed {
        &self.unconfirmed
    }

    /// Keeps nothing of what was delivered any more, to have room.
    pub fn give_up_unconfirmed(&mut self) {
        self.unconfirmed.give_up();
    }

    /// True while segments wait for missing bytes.
    #[must_use]
    pub const fn has_held(&self) -> bool {
        self.waiting.is_some()
    }

    fn held(&self) -> &[Held] {
        self.waiting.as_ref().map_or(&[], |waiting| &waiting.held)
    }

    /// True once every byte up to FIN was delivered or given up.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match (self.fin, self.next) {
            (Some(fin), Some(next)) => distance(fin, next) >= 0,
            // A FIN alone, with no byte before it that we know of.
            (Some(_), None) => !self.has_held(),
            _ => false,
        }
    }

    /// True where FIN was seen, delivered up to it or not.
    #[must_use]
    pub const fn has_fin(&self) -> bool {
        self.fin.is_some()
    }

    /// True where FIN, RST, or what the peer has acknowledged, says that more was sent than was seen.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let Some(next) = self.next else { return false };
        // One more than the last byte is acknowledged where FIN was.
        self.fin.is_some_and(|fin| distance(next, fin) > 0)
            || self.reset_ahead.is_some_and(|reset| distance(next, reset) > 0)
            || self.acknowledged.is_some_and(|acknowledgment| distance(next, acknowledgment) > 1)
    }

    /// True where a peer that acknowledges this has received FIN: one more than the last byte, with nothing missing before
    /// it. FIN itself need not have been seen.
    #[must_use]
    pub fn is_followed_by_fin(&self, acknowledgment: u32) -> bool {
        let end = self.fin.or(self.next.filter(|_| !self.has_held()));
        end.is_some_and(|end| end.wrapping_add(1) == acknowledgment)
    }

    /// Notes an RST at `sequence`, that is not where one is believed. False where it is nowhere in the receiver's window.
    pub fn note_reset_ahead(&mut self, sequence: u32) -> bool {
        let is_ahead = self.next.is_some_and(|next| (0..WINDOW as i32).contains(&distance(next, sequence)));
        if is_ahead {
            self.reset_ahead = Some(sequence);
        }
        is_ahead
    }

    /// Signed distance of `sequence` from what is expected next, or from what is known at all: held, or acknowledged by the
    /// peer.
    #[must_use]
    pub fn offset_of(&self, sequence: u32) -> Option<i32> {
        let held = || self.held().first().map(|held| held.sequence);
        let reference = self.next.or(self.base).or_else(held).or(self.acknowledged)?;
        Some(distance(reference, sequence))
    }

    /// Sequence number behind the last byte that was delivered, or held.
    #[must_use]
    pub fn end(&self) -> Option<u32> {
        let behind = |held: &Held| held.sequence.wrapping_add(held.wire_bytes);
        self.held().last().map(behind).or(self.next)
    }

    /// Forgets an RST ahead of what was seen: it was none of the sender's.
    pub fn forget_reset_ahead(&mut self) {
        self.reset_ahead = None;
    }

    /// True where a segment with these bytes is what the receiver waits for, as far as can be told.
    #[must_use]
    pub fn expects(&self, sequence: u32, wire_bytes: u32) -> bool {
        let Some(next) = self.next else { return true };
        let is_behind_fin = self.fin.is_some_and(|fin| sequence == fin.wrapping_add(1));
        // Before or after its bytes were taken.
        is_behind_fin || next == sequence || next == sequence.wrapping_add(wire_bytes)
    }

    /// False where an acknowledgment is of bytes that are surely not of this stream.
    #[must_use]
    pub const fn may_be_acknowledged(&self, acknowledgment: u32) -> bool {
        match (self.base, self.next) {
            (Some(base), Some(next)) if self.is_base_from_syn => {
                distance(base, acknowledgment) >= 0 && distance(next, acknowledgment) < WINDOW as i32
            }
            _ => true,
        }
    }

    /// Tells where the stream begins, from a SYN (`from_syn`) or from content. Ignored where known.
    pub fn anchor(&mut self, sequence: u32, from_syn: bool) {
        if self.next.is_none() {
            self.next = Some(sequence);
            self.base = Some(sequence);
            self.is_base_from_syn = from_syn;
            if let Some(waiting) = &mut self.waiting {
                waiting
                    .held
                    .retain(|held| distance(sequence, held.sequence.wrapping_add(held.wire_bytes)) > 0);
                self.recount();
            }
        }
    }

    /// True where no byte was delivered yet.
    #[must_use]
    pub fn is_at_beginning(&self) -> bool {
        self.next == self.base
    }

    /// Forgets a beginning that turned out to be disputed; only sensible at the beginning.
    pub fn forget_beginning(&mut self) {
        self.next = None;
        self.base = None;
        self.is_base_from_syn = false;
    }

    /// True while the beginning is not known.
    #[must_use]
    pub const fn is_unanchored(&self) -> bool {
        self.next.is_none()
    }

    /// Notes the peer's acknowledgement.
    #[inline]
    pub fn acknowledge(&mut self, acknowledgment: u32) {
        match self.acknowledged {
            Some(old) if distance(old, acknowledgment) <= 0 => {}
            _ => {
                self.acknowledged = Some(acknowledgment);
                if self.next.is_some_and(|next| distance(next, acknowledgment) >= 0) {
                    self.unconfirmed.confirm();
                }
            }
        }
    }

    /// Notes FIN at `sequence` (the number of the FIN itself).
    pub fn finish_at(&mut self, sequence: u32) {
        self.fin.get_or_insert(sequence);
    }

    /// Takes a segment. Bytes that continue the stream are delivered at once, together with what
    /// was waiting for them; others are held up to `limit` bytes. Returns false where the segment
    /// could not be held and its bytes are lost.
    #[inline]
    pub fn push(
        &mut self,
        sequence: u32,
        payload: &[u8],
        wire_bytes: u32,
        limit: usize,
        moment: &Moment,
        deliver: &mut dyn FnMut(Delivery<'_>),
    ) -> bool {
        let Some(next) = self.next else {
            return self.hold(sequence, payload, wire_bytes, limit, moment);
        };
        let ahead = distance(next, sequence);
        if ahead > 0 {
            return self.hold(sequence, payload, wire_bytes, limit, moment);
        }
        if ahead < 0 {
            self.compare(next, sequence, payload, self.acknowledged);
        }
        self.next = Some(self.deliver_from(next, sequence, payload, wire_bytes, None, deliver));
        if self.has_held() {
            self.release(deliver);
        }
        true
    }

    /// Copies the first bytes held, as far as they are without a gap, and tells their sequence number
    /// and how many there are.
    pub fn lowest_run(&self, head: &mut [u8]) -> Option<(u32, usize)> {
        let first = self.held().first()?.sequence;
        let mut length = 0;
        for held in self.held() {
            let overlap = distance(held.sequence, first.wrapping_add(length as u32));
            let Ok(overlap) = usize::try_from(overlap) else { break };
            let fresh = held.bytes.get(overlap..).unwrap_or_default();
            for (slot, byte) in head.iter_mut().skip(length).zip(fresh) {
                *slot = *byte;
                length += 1;
            }
            if length == head.len() || held.bytes.len() < held.wire_bytes as usize {
                break;
            }
        }
        Some((first, length))
    }

    /// Where the bytes held that lead up to `sequence` without a gap begin.
    #[must_use]
    pub fn run_before(&self, sequence: u32) -> Option<u32> {
        let first = self.held().first()?.sequence;
        let mut next = first;
        for held in self.held().iter().take_while(|held| distance(held.sequence, sequence) > 0) {
            if distance(next, held.sequence) > 0 {
                return None;
            }
            let end = held.sequence.wrapping_add(held.wire_bytes);
            if distance(next, end) > 0 {
                next = end;
            }
        }
        (distance(sequence, next) >= 0 && distance(first, sequence) > 0).then_some(first)
    }

    /// Delivers everything held that now continues the stream.
    pub fn release(&mut self, deliver: &mut dyn FnMut(Delivery<'_>)) {
        self.release_held(false, deliver);
    }

    fn release_held(&mut self, is_late: bool, deliver: &mut dyn FnMut(Delivery<'_>)) {
        let Some(mut next) = self.next else { return };
        let Some(mut waiting) = self.waiting.take() else { return };
        let mut taken = 0;
        for held in &waiting.held {
            if distance(next, held.sequence) > 0 {
                break;
            }
            // They came before what is acknowledged by now.
            self.compare(next, held.sequence, &held.bytes, None);
            let origin = Some((held.origin, is_late));
            next = self.deliver_from(next, held.sequence, &held.bytes, held.wire_bytes, origin, deliver);
            taken += 1;
        }
        self.next = Some(next);
        if taken > 0 {
            waiting.held.drain(..taken);
            waiting.gap_since = None;
            waiting.packets_since_gap = 0;
        }
        self.waiting = Some(waiting);
        if taken > 0 {
            self.recount();
        }
    }

    /// Counts a packet of the flow and says whether the gap in front must be given up: the missing
    /// bytes reached the receiver without us (it acknowledged them) and did not come late, or
    /// they have been missing too long.
    #[inline]
    pub fn is_gap_hopeless(&mut self, now: Timestamp) -> bool {
        let (Some(next), Some(waiting)) = (self.next, &mut self.waiting) else { return false };
        let Some(since) = waiting.gap_since else { return false };
        waiting.packets_since_gap = waiting.packets_since_gap.saturating_add(1);
        let waited = now.since(since);
        let is_acknowledged =
            self.acknowledged.is_some_and(|acknowledgment| distance(next, acknowledgment) > 0);
        // A mirror may deliver packets out of order by a few dozen, within milliseconds; a retransmission
        // takes at least one round trip and, by RFC 6298, at most a second before the first back-off.
        // Packets alone must not decide, because small segments are many; nor may time alone, because
        // a capture may have none.
        let packets = waiting.packets_since_gap;
        let (few, soon, late) = if is_acknowledged { (64, 200, 1_000) } else { (256, 1_000, 3_000) };
        let waited = waited.as_millis();
        waited >= late || (packets > few && waited >= soon) || packets > MAX_PACKETS_IN_GAP
    }

    /// Gives up the missing bytes in front: a gap, then everything held up to the next gap.
    /// Where the beginning was never found, the lowest byte held counts as a beginning after a gap.
    /// Returns false where nothing is held.
    pub fn skip_gap(&mut self, deliver: &mut dyn FnMut(Delivery<'_>)) -> bool {
        let Some(first) = self.held().first() else { return false };
        let sequence = first.sequence;
        if self.base.is_none() {
            self.base = Some(sequence);
        }
        self.next = Some(sequence);
        self.unconfirmed.clear();
        deliver(Delivery::Gap);
        self.release_held(true, deliver);
        if let Some(waiting) = &mut self.waiting {
            waiting.gap_since.get_or_insert(Timestamp::default());
        }
        true
    }

    /// True where so much is held without a known beginning that waiting for one is over.
    #[must_use]
    pub fn is_beginning_hopeless(&self, limit: usize) -> bool {
        self.next.is_none() && (self.held().len() >= MAX_UNANCHORED || self.held_bytes() * 2 > limit)
    }

    fn hold(
        &mut self,
        sequence: u32,
        payload: &[u8],
        wire_bytes: u32,
        limit: usize,
        moment: &Moment,
    ) -> bool {
        if payload.is_empty() && wire_bytes == 0 {
            return true;
        }
        if self.held_bytes() + payload.len() + OVERHEAD_BYTES > limit {
            return false;
        }
        let reference =
            self.next.unwrap_or_else(|| self.held().first().map_or(sequence, |held| held.sequence));
        let offset = distance(reference, sequence);
        let waiting = self.waiting.get_or_insert_default();
        let at = waiting.held.partition_point(|held| distance(reference, held.sequence) <= offset);
        // The same segment again (retransmission, second sighting) adds nothing.
        if let Some(before) = at.checked_sub(1).and_then(|index| waiting.held.get(index))
            && before.sequence == sequence
            && before.bytes.len() >= payload.len()
        {
            self.unconfirmed.compare_held(&before.bytes, payload);
            return true;
        }
        waiting.held.insert(
            at,
            Held {
                sequence,
                wire_bytes: wire_bytes.max(payload.len() as u32),
                origin: Origin { frame: moment.frame, at: moment.at, acknowledgment: moment.acknowledgment },
                bytes: payload.to_vec(),
            },
        );
        waiting.held_bytes += payload.len() + OVERHEAD_BYTES;
        if self.next.is_some() && waiting.gap_since.is_none() {
            waiting.gap_since = Some(moment.at);
            waiting.packets_since_gap = 0;
        }
        true
    }

    fn recount(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.held_bytes = waiting.held.iter().map(|held| held.bytes.len() + OVERHEAD_BYTES).sum();
            if waiting.held.is_empty() {
                self.waiting = None;
            }
        }
    }

    /// Delivers what a segment adds at `next` and returns the new `next`; `held` is the origin of one that was held, and
    /// whether that was behind a gap.
    #[inline]
    fn deliver_from(
        &mut self,
        next: u32,
        sequence: u32,
        payload: &[u8],
        wire_bytes: u32,
        held: Option<(Origin, bool)>,
        deliver: &mut dyn FnMut(Delivery<'_>),
    ) -> u32 {
        let end = sequence.wrapping_add(wire_bytes.max(payload.len() as u32));
        if distance(next, end) <= 0 {
            return next;
        }
        let known = distance(sequence, next).max(0) as usize;
        let fresh = payload.get(known..).unwrap_or_default();
        if !fresh.is_empty() {
            let offset = self.base.map_or(0, |base| distance(base, next));
            self.unconfirmed.keep(offset.max(0) as usize, fresh);
            let end = next.wrapping_add(fresh.len() as u32);
            deliver(match held {
                None => Delivery::Bytes(fresh, end),
                Some((origin, false)) => Delivery::Waited(fresh, end, origin),
                Some((origin, true)) => Delivery::Late(fresh, end, origin),
            });
        }
        if (payload.len() as u32) < wire_bytes {
            self.unconfirmed.clear();
            deliver(Delivery::Gap);
        }
        end
    }

    /// Compares what a segment says about bytes before `next`, and behind `confirmed`, with what was delivered.
    fn compare(&mut self, next: u32, sequence: u32, payload: &[u8], confirmed: Option<u32>) {
        let before = distance(sequence, next).max(0) as usize;
        let open = confirmed.map_or(usize::MAX, |confirmed| distance(confirmed, next).max(0) as usize);
        self.unconfirmed.compare(before, open, payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 65_536;

    fn moment(seconds: u64) -> Moment {
        Moment {
            at: Timestamp::from_seconds(seconds),
            frame: seconds,
            context: 0,
            interface: 0,
            link: None,
            acknowledgment: None,
            end: None,
        }
    }

    fn collect(base: u32, segments: &[(u32, &[u8])]) -> (Vec<u8>, usize) {
        let mut stream = Stream::default();
        stream.anchor(base, true);
        let (mut bytes, mut gaps) = (Vec::new(), 0);
        for (offset, payload) in segments {
            let mut deliver = |delivery: Delivery<'_>| match delivery {
                Delivery::Bytes(fresh, _) | Delivery::Waited(fresh, ..) => bytes.extend_from_slice(fresh),
                Delivery::Late(..) => panic!("nothing was given up"),
                Delivery::Gap => gaps += 1,
            };
            let sequence = base.wrapping_add(*offset);
            assert!(stream.push(sequence, payload, payload.len() as u32, LIMIT, &moment(0), &mut deliver));
        }
        (bytes, gaps)
    }

    #[test]
    fn orders_reordered_overlapping_and_repeated_segments() {
        for base in [0, 1_000, u32::MAX - 3] {
            for segments in [
                &[(0, &b"abc"[..]), (3, b"def"), (6, b"gh")][..],
                &[(3, b"def"), (0, b"abc"), (6, b"gh")],
                &[(6, b"gh"), (3, b"def"), (0, b"abc")],
                &[(0, b"abc"), (0, b"abc"), (2, b"cdef"), (1, b"bcdefgh")],
                &[(5, b"fgh"), (2, b"cdef"), (2, b"cdef"), (0, b"abcd")],
            ] {
                assert_eq!(collect(base, segments), (b"abcdefgh".to_vec(), 0), "{base} {segments:?}");
            }
        }
    }

    #[test]
    fn first_copy_of_a_byte_wins() {
        assert_eq!(collect(7, &[(0, b"abc"), (1, b"XYZ")]).0, b"abcZ");
    }

    /// How many of the segments, each with a sequence number, disagree with others. An empty one says what the peer
    /// acknowledges.
    fn disagreements(segments: &[(u32, &[u8])]) -> u32 {
        let mut stream = Stream::default();
        stream.anchor(u32::MAX - 2, true);
        for &(sequence, payload) in segments {
            let sequence = (u32::MAX - 2).wrapping_add(sequence);
            if payload.is_empty() {
                stream.acknowledge(sequence);
            } else {
                let wire_bytes = payload.len() as u32;
                stream.push(sequence, payload, wire_bytes, LIMIT, &moment(0), &mut |_| ());
            }
        }
        stream.unconfirmed.disagreements()
    }

    #[test]
    fn tells_of_copies_that_disagree() {
        for (expected, segments) in [
            (0, &[(0, &b"abcdef"[..]), (0, b"abcdef"), (2, b"cd"), (4, b"efgh"), (1, b"bcdefghi")][..]),
            (1, &[(0, b"abcdef"), (0, b"abcdeX")]),
            (1, &[(0, b"abc"), (3, b"def"), (1, b"bcdXfgh")]),
            (2, &[(0, b"abcdef"), (2, b"X"), (3, b"X")]),
            // What is held, by its copy and by what comes before it.
            (1, &[(2, b"cd"), (2, b"cX"), (0, b"ab")]),
            (1, &[(2, b"cd"), (0, b"abX"), (4, b"e")]),
            // Though all of it is acknowledged before it is in order.
            (1, &[(2, b"cdef"), (4, b"Xfg"), (7, b""), (0, b"ab")]),
            // The receiver has it already; the first byte is acknowledged and the others are not.
            (0, &[(0, b"abcdef"), (6, b""), (0, b"XXXXXX")]),
            (0, &[(0, b"abcdef"), (1, b""), (0, b"Xbcdef")]),
            (1, &[(0, b"abcdef"), (1, b""), (0, b"aXcdef")]),
            // The made-up byte of a keep-alive.
            (0, &[(0, b"abcdef"), (5, b"X")]),
        ] {
            assert_eq!(disagreements(segments), expected, "{segments:?}");
        }
    }

    #[test]
    fn reports_bytes_the_capture_cut() {
        let mut stream = Stream::default();
        stream.anchor(1, true);
        let mut seen = Vec::new();
        stream.push(1, b"ab", 10, LIMIT, &moment(0), &mut |delivery| seen.push(format!("{delivery:?}")));
        stream.push(11, b"k", 1, LIMIT, &moment(0), &mut |delivery| seen.push(format!("{delivery:?}")));
        assert_eq!(seen, ["Bytes([97, 98], 3)", "Gap", "Bytes([107], 12)"]);
    }

    #[test]
    fn gives_up_a_gap_only_when_it_is_hopeless() {
        let mut stream = Stream::default();
        stream.anchor(1, true);
        stream.push(5, b"e", 1, LIMIT, &moment(10), &mut |_| panic!("nothing is in order"));
        assert!(!stream.is_gap_hopeless(Timestamp::from_seconds(12)));
        stream.acknowledge(6);
        assert!(stream.is_gap_hopeless(Timestamp::from_seconds(12)));
        let mut seen = Vec::new();
        assert!(stream.skip_gap(&mut |delivery| seen.push(format!("{delivery:?}"))));
        let late = "Late([101], 6, Origin { frame: 10, at: Timestamp(10000000000), acknowledgment: None })";
        assert_eq!(seen, ["Gap", late]);
        assert_eq!(stream.held_bytes(), 0);
    }

    #[test]
    fn holds_no_more_than_the_limit() {
        let mut stream = Stream::default();
        stream.anchor(0, true);
        let mut refused = 0;
        for index in 0..1_000_u32 {
            if !stream.push(10 + index * 3, b"x", 1, 1_000, &moment(0), &mut |_| ()) {
                refused += 1;
            }
        }
        assert!(refused > 900 && stream.held_bytes() <= 1_000);
    }

    #[test]
    fn finds_the_beginning_late() {
        let mut stream = Stream::default();
        assert!(stream.push(105, b"fgh", 3, LIMIT, &moment(0), &mut |_| panic!("no beginning yet")));
        assert!(stream.push(90, b"old", 3, LIMIT, &moment(0), &mut |_| panic!("no beginning yet")));
        stream.anchor(100, false);
        let mut bytes = Vec::new();
        let mut deliver = |delivery: Delivery<'_>| {
            if let Delivery::Bytes(fresh, _) | Delivery::Waited(fresh, ..) = delivery {
                bytes.extend_from_slice(fresh);
            }
        };
        stream.push(100, b"abcde", 5, LIMIT, &moment(0), &mut deliver);
        assert_eq!(bytes, b"abcdefgh");
    }
}
