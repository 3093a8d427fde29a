//! One direction of a connection: segments in any order → bytes in order, each once.
//!
//! Where two segments disagree about the same bytes the first one seen wins, and it is told that they did: the
//! observer cannot know which one the receiver took. What the receiver has acknowledged before the second came
//! it did not take from that.

mod fin;
mod gap;

use arrayvec::ArrayVec;

use super::consumer::Moment;
use super::unconfirmed::Unconfirmed;
use crate::model::Timestamp;
use fin::Fin;
pub use fin::Heard;
use gap::Gap;

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
    /// Bytes are missing here and will not come; the sequence number behind them.
    Gap(u32),
}

/// The farthest from the expected byte that a segment may lie to belong to the stream. More than hosts let be on its way
/// during a handshake, though windows may be larger [RFC 7323 section 2.3: 2^30]; and so small a part of the sequence space
/// that another connection's numbers rarely lie there.
pub const WINDOW: u32 = 1 << 24;

/// How many segments are held without knowing where the stream begins. More than a flight of a
/// ServerHello with certificates, at ten bytes to a kilobyte each.
const MAX_UNANCHORED: usize = 32;

/// The most ends of packets that are remembered, of those that were not seen to their end: as many as a flight with a long
/// chain of certificates has.
const MAX_SAID_ENDS: usize = 16;

/// Reassembly of one direction.
#[derive(Debug, Default)]
pub struct Stream {
    /// Sequence number of the next byte to deliver, once the beginning is known.
    next: Option<u32>,
    /// Sequence number of the first byte of the stream (after SYN), once known.
    base: Option<u32>,
    /// The beginning is known from a SYN (of either side) rather than from content.
    is_base_from_syn: bool,
    fin: Option<Fin>,
    /// The newest byte the peer has acknowledged.
    acknowledged: Option<u32>,
    /// Sequence number of an RST ahead of what was seen.
    reset_ahead: Option<u32>,
    /// Where packets end, as they say, that were not seen to their end: the newest ones.
    said_ends: Option<Box<ArrayVec<u32, MAX_SAID_ENDS>>>,
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
    /// The one that is now in front.
    gap: Option<Gap>,
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

    /// Where FIN, RST, or what the peer has acknowledged, says that more was sent than was seen: the sequence number
    /// behind that.
    #[must_use]
    pub fn lost_until(&self) -> Option<u32> {
        let next = self.next?;
        // One more than the last byte is acknowledged where FIN was.
        let acknowledged = self.acknowledged.map(|acknowledgment| acknowledgment.wrapping_sub(1));
        [self.fin.map(|fin| fin.sequence), self.reset_ahead, acknowledged]
            .into_iter()
            .flatten()
            .filter(|&behind| distance(next, behind) > 0)
            .max_by_key(|&behind| distance(next, behind))
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

    /// True where an RST ahead of what was seen was noted.
    #[must_use]
    pub const fn has_reset_ahead(&self) -> bool {
        self.reset_ahead.is_some()
    }

    /// True where a segment with these bytes is what the receiver waits for, as far as can be told.
    #[must_use]
    pub fn expects(&self, sequence: u32, wire_bytes: u32) -> bool {
        let Some(next) = self.next else { return true };
        let is_behind_fin = self.sure_fin().is_some_and(|fin| sequence == fin.wrapping_add(1));
        // Before or after its bytes were taken.
        is_behind_fin || next == sequence || next == sequence.wrapping_add(wire_bytes)
    }

    /// False where an acknowledgment is of bytes that are surely not of this stream. More may be acknowledged than was
    /// seen, little by little.
    #[must_use]
    pub fn may_be_acknowledged(&self, acknowledgment: u32) -> bool {
        match (self.base, self.next) {
            (Some(base), Some(next)) if self.is_base_from_syn => {
                let is_ahead_of = |known: u32| distance(known, acknowledgment) >= WINDOW as i32;
                distance(base, acknowledgment) >= 0
                    && (!is_ahead_of(next) || self.acknowledged.is_some_and(|known| !is_ahead_of(known)))
            }
            _ => true,
        }
    }

    /// True where an acknowledgment is of something that was seen of this stream, be it its SYN alone.
    #[must_use]
    pub const fn is_acknowledged_by(&self, acknowledgment: u32) -> bool {
        let (Some(base), Some(next)) = (self.base, self.next) else { return false };
        // Of FIN, too.
        distance(base, acknowledgment) >= !self.is_base_from_syn as i32 && distance(next, acknowledgment) <= 1
    }

    /// True where a segment is the next one.
    #[must_use]
    pub const fn is_next(&self, sequence: u32) -> bool {
        matches!(self.next, Some(next) if next == sequence)
    }

    /// Tells where the stream begins, from a SYN (`from_syn`) or from content. Ignored where known.
    pub fn anchor(&mut self, sequence: u32, from_syn: bool) {
        if self.next.is_none() {
            self.next = Some(sequence);
            self.base = Some(sequence);
            self.is_base_from_syn = from_syn;
            self.doubt_fin();
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

    /// True where all is known that was said before `sequence`, from the SYN on.
    #[must_use]
    pub fn is_whole_up_to(&self, sequence: u32) -> bool {
        self.is_base_from_syn && self.next == Some(sequence)
    }

    /// True while the beginning is not known.
    #[must_use]
    pub const fn is_unanchored(&self) -> bool {
        self.next.is_none()
    }

    /// The newest byte that the peer has acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> Option<u32> {
        self.acknowledged
    }

    /// Notes the peer's acknowledgement.
    #[inline]
    pub fn acknowledge(&mut self, acknowledgment: u32) {
        if self.next == Some(acknowledgment)
            && let Some(gap) = self.waiting.as_mut().and_then(|waiting| waiting.gap.as_mut())
        {
            gap.note_lacked();
        }
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

    /// Tells where the stream begins by the first number that its peer acknowledges: with what is held in front of that, and
    /// FIN, which takes a number, too.
    pub fn anchor_before(&mut self, acknowledgment: u32, from_syn: bool) {
        let fin = self.fin.map(|fin| fin.sequence).filter(|fin| fin.wrapping_add(1) == acknowledgment);
        let end = fin.unwrap_or(acknowledgment);
        self.anchor(self.run_before(end).unwrap_or(end), from_syn);
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
            waiting.gap = None;
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
        let Some(gap) = &mut waiting.gap else { return false };
        gap.is_hopeless(now, self.acknowledged.is_some_and(|behind| distance(next, behind) > 0))
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
        deliver(Delivery::Gap(sequence));
        self.release_held(true, deliver);
        if let (Some(next), Some(waiting)) = (self.next, &mut self.waiting)
            && let Some(first) = waiting.held.first()
        {
            let acknowledged = self.acknowledged.map(|behind| distance(next, behind));
            waiting.gap = Some(Gap::behind_another(first.origin.at, acknowledged));
        }
        true
    }

    /// Gives up the gap in front where it `is_hopeless`, and those that [`Stream::is_gap_sliced`] tells of where nobody else
    /// shows them whole. True where there were any.
    pub fn skip_gaps(
        &mut self,
        mut is_hopeless: bool,
        is_seen_once: bool,
        deliver: &mut dyn FnMut(Delivery<'_>),
    ) -> bool {
        let mut has_skipped = false;
        while std::mem::take(&mut is_hopeless) || is_seen_once && self.is_gap_sliced() {
            has_skipped = true;
            self.skip_gap(deliver);
        }
        has_skipped
    }

    /// Takes note that a packet says it goes on until `end`, and did not.
    #[cold]
    pub fn note_said_end(&mut self, end: u32) {
        let ends = self.said_ends.get_or_insert_default();
        if ends.contains(&end) {
            return;
        }
        if ends.is_full() {
            ends.remove(0);
        }
        ends.push(end);
    }

    /// True where what is held goes on just there, and the peer has what is missing: it was sent, and cut off by a tap.
    #[inline]
    #[must_use]
    pub fn is_gap_sliced(&self) -> bool {
        self.said_ends.as_ref().is_some_and(|ends| {
            self.held().first().is_some_and(|first| {
                let is_there = self.acknowledged.is_some_and(|behind| distance(first.sequence, behind) >= 0);
                is_there && ends.contains(&first.sequence)
            })
        })
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
        if self.next.is_some() {
            waiting.gap.get_or_insert(Gap::new(moment.at));
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
            deliver(Delivery::Gap(end));
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
mod tests;
