//! Which of several flows with the same addresses and ports a segment belongs to.

use std::cell::LazyCell;
use std::ops::Range;

use arrayvec::ArrayVec;

use super::delivery::may_start_stream;
use super::slot::{Active, NONE, Phase, Slot, head_hash};
use super::{HANDSHAKE, Sighting, Table};
use crate::decode::TcpFlags;
use crate::flow::stream::{WINDOW, distance};
use crate::flow::{Consumer, Ending};
use crate::model::Side;

/// The most instances that share addresses and ports at once: each is looked at for each packet of one of them.
pub(super) const MAX_INSTANCES: usize = 32;

/// How far behind its initial sequence number the first bytes of a connection may lie, with those sent beside SYN: what may
/// be on its way before the first window is scaled [RFC 7323 section 2.2].
const FIRST_FLIGHT: Range<i32> = 0..65_536;

/// How far from the number of a SYN bytes may lie that were captured before it.
const MAX_BEFORE_SYN: u32 = 1 << 20;

/// Where a segment goes.
pub(super) enum Choice {
    /// To the flow of this slot.
    Instance(u32),
    /// To a flow that begins with it.
    New,
    /// To none: it is too far from what any expects, and begins nothing.
    OutOfWindow,
}

/// True for a flow whose opener was answered, but with nothing beyond SYN-ACK so far. A second answer
/// with another number is then one more answer to the same SYN: the server forgot the first one, and
/// the client will say which it took.
fn is_unheard<S>(slot: &Slot<S>, side: Side) -> bool {
    slot.has_base[side.other().index()]
        && slot.active.as_ref().is_some_and(|active| {
            let stream = &active.streams[side.index()];
            !stream.has_held() && stream.is_at_beginning()
        })
}

/// True for a segment that proves a connection to be one, of which only one side's first segment was seen: the other side
/// acknowledges that, or it goes on.
fn proves<S>(active: &Active<S>, sighting: Sighting<'_>) -> bool {
    let Sighting { side, segment, .. } = sighting;
    let flags = segment.flags;
    if flags.has(TcpFlags::RST) {
        // Who refuses what was said has received all of it. Of a SYN alone a firewall may say so, too.
        return flags.has(TcpFlags::ACK)
            && !active.view.has_packets[side.index()]
            && active.view.has_payload
            && active.streams[side.other().index()].is_next(segment.acknowledgment);
    }
    if active.view.has_packets[side.index()] {
        let stream = &active.streams[side.index()];
        !flags.has(TcpFlags::SYN)
            && stream.is_next(segment.sequence)
            && (segment.payload_wire_bytes > 0 || stream.is_base_from_syn())
    } else {
        flags.has(TcpFlags::ACK)
            && active.streams[side.other().index()].is_acknowledged_by(segment.acknowledgment)
    }
}

impl<C: Consumer> Table<C> {
    /// True where a connection goes on that was seen in this context.
    pub(super) fn goes_on(&self, head: u32, context: u32) -> bool {
        self.chain(head).filter_map(|index| self.slots.get(index as usize)).any(|slot| match &slot.active {
            Some(active) => {
                !slot.is_doubted && active.closing.is_none() && active.view.contexts.contains(&context)
            }
            None => slot.phase == Phase::Decided && slot.context == context,
        })
    }

    /// A connection that was doubted is one, where this segment of it proves it: those before it are over.
    pub(super) fn confirm(&mut self, head: u32, index: u32, sighting: Sighting<'_>, consumer: &mut C) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if slot.is_doubted && slot.active.as_ref().is_some_and(|active| proves(active, sighting)) {
            slot.is_doubted = false;
            self.supersede(head, Some(index), false, sighting.moment.context, consumer);
        }
    }

    /// The connection that is doubted and that this segment proves, unless it is what another one waits for.
    fn proven(&self, head: u32, sighting: Sighting<'_>) -> Option<u32> {
        let Sighting { side, segment, .. } = sighting;
        let mut proven = None;
        for index in self.chain(head) {
            let slot = self.slots.get(index as usize)?;
            let Some(active) = &slot.active else { continue };
            if !slot.is_doubted {
                if active.lingering.is_none() && active.streams[side.index()].is_next(segment.sequence) {
                    return None;
                }
            } else if proves(active, sighting) {
                proven = Some(index);
            }
        }
        proven
    }

    /// Which instance a SYN or SYN-ACK belongs to: the one with this initial sequence number, or
    /// one that has seen nothing from this side that contradicts it.
    pub(super) fn choose_for_syn(&self, head: u32, sighting: Sighting<'_>) -> Choice {
        let Sighting { side, segment, .. } = sighting;
        let base = segment.sequence.wrapping_add(1);
        let is_answer = segment.flags.has(TcpFlags::ACK);
        let (mine, other) = (side.index(), side.other().index());
        // Two connections may begin close to each other: an exact answer wins over a possible one.
        let mut near = None;
        for index in self.chain(head) {
            let Some(slot) = self.slots.get(index as usize) else { continue };
            // The peer's first byte must be the one acknowledged; Fast Open data may be acknowledged with it.
            let is_answer_to_known = is_answer && slot.has_base[other];
            let answered = distance(slot.base[other], segment.acknowledgment);
            let is_exact = !is_answer_to_known || answered == 0;
            let may_be = if slot.has_base[mine] {
                slot.base[mine] == base || is_answer && is_unheard(slot, side)
            } else if is_answer_to_known {
                slot.active.is_some() || is_exact
            } else {
                slot.active.as_ref().is_some_and(|active| {
                    let offset = active.streams[mine].offset_of(base);
                    // Data before its SYN: the capture is out of order.
                    offset.is_none_or(|offset| offset.unsigned_abs() < MAX_BEFORE_SYN)
                })
            };
            if may_be && is_exact {
                return Choice::Instance(index);
            }
            if may_be && FIRST_FLIGHT.contains(&answered) {
                near.get_or_insert(index);
            }
        }
        near.map_or(Choice::New, Choice::Instance)
    }

    /// Which instance a segment without SYN belongs to: one that expects it, or that ended and of which it is a late copy.
    /// One that may begin a stream, and belongs to none, begins another.
    pub(super) fn choose_for_data(&self, head: u32, sighting: Sighting<'_>, consumer: &C) -> Choice {
        let Sighting { side, segment, moment } = sighting;
        let mine = side.index();
        // Mostly not asked: a packet within an open flow belongs to it whatever it carries.
        let is_start = LazyCell::new(|| may_start_stream(segment, consumer));
        let mut fallback = None;
        let mut near = None;
        let is_only_one = self.slots.get(head as usize).is_none_or(|slot| slot.next == NONE);
        if !is_only_one && let Some(index) = self.proven(head, sighting) {
            return Choice::Instance(index);
        }
        let mut is_foreign = false;
        for index in self.chain(head) {
            let Some(slot) = self.slots.get(index as usize) else { continue };
            let Some(active) = slot.active.as_ref().filter(|active| active.lingering.is_none()) else {
                if !*is_start || self.is_late_copy(slot, sighting) {
                    if slot.context == moment.context && slot.has_base[mine] && !*is_start {
                        let offset = distance(slot.base[mine], segment.sequence);
                        if offset >= 0 && (offset as u32) < WINDOW {
                            near.get_or_insert(index);
                        }
                    }
                    fallback.get_or_insert(index);
                }
                continue;
            };
            // Sent, or sent again, by a connection before, or by a stranger: this one's peer never said what is
            // acknowledged, and whoever receives that drops it [RFC 9293 section 3.10.7.4].
            if segment.flags.has(TcpFlags::ACK)
                && !segment.flags.has(TcpFlags::RST)
                && !active.streams[side.other().index()].may_be_acknowledged(segment.acknowledgment)
            {
                is_foreign = true;
                continue;
            }
            let is_known_context = active.view.contexts.contains(&moment.context);
            if let Some(offset) = active.streams[mine].offset_of(segment.sequence) {
                if offset.unsigned_abs() >= WINDOW || self.conflicts(slot, sighting) && *is_start {
                    continue;
                }
                if !is_known_context
                    && slot.has_base[mine]
                    && *is_start
                    && !FIRST_FLIGHT.contains(&distance(slot.base[mine], segment.sequence))
                {
                    continue;
                }
            }
            if is_known_context {
                return Choice::Instance(index);
            }
            near.get_or_insert(index);
        }
        if is_foreign && near.is_none() && *is_start {
            // No copy, where the one that ended never heard the first.
            fallback = fallback.filter(|&index: &u32| {
                self.slots.get(index as usize).is_some_and(|slot| slot.head[mine] != 0)
            });
        }
        match near.or(fallback) {
            Some(index) => Choice::Instance(index),
            None if *is_start => Choice::New,
            None => Choice::OutOfWindow,
        }
    }

    /// True where what may begin a stream is a copy of what a flow that has ended began with: at the place where that did,
    /// and the same as far as it is known, or before the end of what that said.
    fn is_late_copy(&self, slot: &Slot<C::State>, sighting: Sighting<'_>) -> bool {
        let Sighting { side, segment, .. } = sighting;
        let mine = side.index();
        if !slot.has_base[mine] {
            return true;
        }
        let offset = distance(slot.base[mine], segment.sequence);
        if offset == 0 {
            return !self.is_other_head(slot, sighting);
        }
        // Requests follow one another on a connection; no second handshake is in clear.
        let is_hello = segment.payload.first() == Some(&HANDSHAKE);
        let is_behind =
            || is_hello && self.end_of(slot, side).is_some_and(|end| distance(end, segment.sequence) >= 0);
        FIRST_FLIGHT.contains(&offset) && !is_behind()
    }

    /// True where a side of the flow began with other bytes than these.
    fn is_other_head(&self, slot: &Slot<C::State>, sighting: Sighting<'_>) -> bool {
        let known = slot.head[sighting.side.index()];
        known != 0 && head_hash(&self.hasher, sighting.segment.payload).is_some_and(|hash| hash != known)
    }

    /// Sequence number behind the last byte of one side of a flow that has ended, under whichever addresses it was followed;
    /// `None` where it goes on there, or nobody knows any more.
    fn end_of(&self, slot: &Slot<C::State>, side: Side) -> Option<u32> {
        let (followed, side) = match slot.translated {
            Some(there) => (self.slot_there(there)?, there.side(side)),
            None => (slot, side),
        };
        match &followed.active {
            Some(active) if active.lingering.is_some() => active.streams[side.index()].end(),
            Some(_) => None,
            None => Some(followed.ends()[side.index()]),
        }
    }

    /// Another connection's first bytes at the same place in the sequence space, seen elsewhere.
    /// In the same context such bytes are a retransmission that lies, and the first copy wins.
    fn conflicts(&self, slot: &Slot<C::State>, sighting: Sighting<'_>) -> bool {
        let Sighting { side, segment, moment } = sighting;
        slot.base[side.index()] == segment.sequence
            && slot.context != moment.context
            && self.is_other_head(slot, sighting)
    }

    /// Where this segment's first bytes tell two connections apart that began alike, the context
    /// it was seen in was never the older one's. Returns the beginnings both share.
    pub(super) fn part(&mut self, head: u32, sighting: Sighting<'_>) -> Option<([u32; 2], [bool; 2])> {
        let twin = self.chain(head).find(|&index| {
            self.slots.get(index as usize).is_some_and(|slot| self.conflicts(slot, sighting))
        })?;
        let slot = self.slots.get_mut(twin as usize)?;
        if let Some(active) = slot.active.as_deref_mut() {
            active.view.contexts.retain(|context| *context != sighting.moment.context);
        }
        Some((slot.base, slot.has_base))
    }

    /// A new instance, `new` if it is there already, begins where old ones were: in the same context those are over, unless
    /// it `is_doubted`. Of two that are doubted the newer one stays.
    pub(super) fn supersede(
        &mut self,
        head: u32,
        new: Option<u32>,
        is_doubted: bool,
        context: u32,
        consumer: &mut C,
    ) {
        let old: ArrayVec<u32, MAX_INSTANCES> = self.chain(head).take(MAX_INSTANCES).collect();
        for index in old.into_iter().filter(|index| Some(*index) != new) {
            let Some(slot) = self.slots.get(index as usize) else { continue };
            let was_doubted = slot.is_doubted;
            let is_over = slot.active.as_ref().is_some_and(|active| {
                (!is_doubted || was_doubted) && active.view.contexts.contains(&context)
            });
            if is_over {
                let ending = self.ending_without_gaps(index, Ending::Superseded, consumer);
                self.end(index, ending, consumer);
                if was_doubted && index != head {
                    self.remove(index);
                }
            }
        }
    }

    /// Makes room for one more instance, in place of the oldest that is over, of a closed one first. False where all
    /// there may be go on: each of them is worth as much as the new one.
    pub(super) fn make_room_beside(&mut self, head: u32, consumer: &mut C) -> bool {
        if self.chain(head).count() < MAX_INSTANCES {
            return true;
        }
        let over = self.chain(head).filter_map(|index| {
            let slot = self.slots.get(index as usize).filter(|slot| self.is_over(slot))?;
            Some((slot.phase != Phase::Closed, index))
        });
        let Some((_, index)) = over.min_by_key(|&(is_dearer, _)| is_dearer) else { return false };
        // Only where it waited for what other interfaces show of it; then it ends as it did.
        self.end(index, Ending::Superseded, consumer);
        self.remove(index);
        true
    }
}
