//! How flows leave the table: decided, closed, silent, or pushed out.

use std::hash::BuildHasher;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::Table;
use super::delivery::hand_on;
use super::slot::{Active, NONE, Phase};
use crate::flow::wheel::Wheel;
use crate::flow::{Consumer, Ending, Identity, Moment};
use crate::model::{Side, Timestamp};

/// How long an undecided flow may be silent. Clients give up a handshake sooner: the AWS SDKs'
/// connection time-outs lie between 1 and 60 seconds.
pub(super) const HANDSHAKE_IDLE: Duration = Duration::from_secs(60);

/// How long an undecided flow that saw RST may wait for what is on its way: the other side's answer, of which the
/// reset knew nothing, and packets out of order.
pub(super) const CLOSING_LINGER: Duration = Duration::from_secs(5);

/// How long a decided flow is remembered after its last packet, so that late copies of its
/// packets open no second flow. Longer than the keep-alive pauses of the SDKs' connection pools.
const DECIDED_IDLE: Duration = Duration::from_secs(300);

/// The same, once it is closed: twice the segment life time of common systems is 60 seconds.
const CLOSED_IDLE: Duration = Duration::from_secs(60);

impl<C: Consumer> Table<C> {
    /// Ends every flow: first those that are over and linger, as they were decided, then the others, as they were opened.
    pub fn finish(&mut self, consumer: &mut C) {
        while self.finish_some(usize::MAX, consumer) {}
    }

    /// Ends up to `most` flows, in the order of [`Table::finish`], and says whether there are more. No segment may be given
    /// in between.
    pub fn finish_some(&mut self, most: usize, consumer: &mut C) -> bool {
        let mut waiting = self.finishing.take().unwrap_or_else(|| self.last_first());
        for _ in 0..most {
            let Some(index) = waiting.pop() else { break };
            let ending = self.ending_without_gaps(index, Ending::InputEnded, consumer);
            self.end(index, ending, consumer);
        }
        if !waiting.is_empty() {
            self.finishing = Some(waiting);
            return true;
        }
        self.edition += 1;
        self.index.clear();
        self.slots.clear();
        self.free.clear();
        self.views.clear();
        self.wheel = Wheel::default();
        false
    }

    /// All flows that have not ended, the one to be ended first at the end.
    fn last_first(&self) -> Vec<u32> {
        let mut order: Vec<((bool, u64), u32)> = self
            .slots
            .iter()
            .zip(0_u32..)
            .filter_map(|(slot, index)| {
                let rank = match (slot.phase, &slot.active) {
                    (Phase::Opened, _) => (true, slot.frame_or_ends),
                    (_, Some(active)) => active
                        .lingering
                        .map_or((true, active.view.first_frame), |(_, _, number)| (false, number)),
                    (_, None) => return None,
                };
                Some((rank, index))
            })
            .collect();
        order.sort_unstable();
        order.into_iter().rev().map(|(_, index)| index).collect()
    }

    /// Ends the flow of a slot, at once or, where other interfaces may still show it, a little later.
    pub(super) fn end_or_linger(&mut self, index: u32, ending: Ending, consumer: &mut C) {
        let Some(linger) = self.linger else { return self.end(index, ending, consumer) };
        let now = self.now;
        let number = self.lingered + 1;
        let Some(active) = self.active_mut(index).filter(|active| active.lingering.is_none()) else { return };
        active.lingering = Some((ending, now, number));
        self.lingered = number;
        self.wheel.schedule(index, now.after(linger), now);
    }

    /// Ends the flow of a slot; the slot stays, to recognise late copies of its packets.
    pub(super) fn end(&mut self, index: u32, ending: Ending, consumer: &mut C) {
        let now = self.now;
        self.unfold(index);
        let is_for_room = matches!(ending, Ending::TableFull | Ending::MemoryFull);
        // What was still waited for may decide it.
        let ending = if is_for_room && self.active(index).is_some_and(|active| active.is_reset) {
            self.ending_without_gaps(index, ending, consumer)
        } else {
            ending
        };
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let Some(mut active) = slot.active.take() else { return };
        // What was over before is no less so for what happened since, be it for want of room.
        let ending = match active.lingering {
            Some((first, ..)) if ending != Ending::Translated => first,
            None if is_for_room && active.is_reset => ending,
            None if slot.is_doubted && active.view.has_payload && ending != Ending::Translated => {
                Ending::Stray
            }
            _ => ending,
        };
        slot.phase = match ending {
            Ending::Decided => Phase::Decided,
            Ending::Translated => Phase::Translated,
            _ => Phase::Closed,
        };
        slot.set_ends([Side::A, Side::B].map(|side| active.streams[side.index()].end().unwrap_or_default()));
        active.view.is_closed_knowingly = active.is_closed_knowingly();
        for side in [Side::A, Side::B] {
            // What was lost at the end leaves no gap in front of anything.
            if active.view.has_packets[side.index()]
                && let Some(until) = active.streams[side.index()].lost_until()
            {
                consumer.gap(&mut active.state, side, until);
            }
            let unconfirmed = active.streams[side.index()].unconfirmed();
            active.view.has_disagreement |= unconfirmed.disagreements() > 0;
            active.view.lost_bytes |= unconfirmed.uncompared() > 0;
            self.counts.segments_disagreeing += u64::from(unconfirmed.disagreements());
            self.counts.segments_refused += u64::from(unconfirmed.uncompared());
        }
        self.held_bytes = self.held_bytes.saturating_sub(active.held_bytes);
        self.live -= 1;
        self.counts.ended += 1;
        // Soon enough for one that is closed by then; the look that is planned at an open flow comes sooner.
        self.wheel.schedule_first(index, now.after(CLOSED_IDLE), now);
        let identity = Identity {
            flow: self.hasher.hash_one((slot.key, slot.has_base, slot.base, slot.head)),
            view: (slot.view_hash != 0).then_some(slot.view_hash),
        };
        consumer.end(active.state, active.view, identity, ending, now);
    }

    /// Gives up the gaps of a flow that ends, and tells how: what stood behind them may decide it, and else it is closed, or
    /// ends for the reason given. So it does not depend on what makes the table look at it.
    pub(super) fn ending_without_gaps(&mut self, index: u32, reason: Ending, consumer: &mut C) -> Ending {
        self.give_up_gaps(index, consumer);
        match self.active(index) {
            Some(active) if consumer.is_decided(&active.state) => Ending::Decided,
            active => active.and_then(|active| active.closing).unwrap_or(reason),
        }
    }

    /// Gives up all gaps of a flow. One that lingers has ended already.
    fn give_up_gaps(&mut self, index: u32, consumer: &mut C) {
        let now = self.now;
        let Some(active) = self.active_mut(index).filter(|active| active.lingering.is_none()) else { return };
        let moment = Moment {
            at: now,
            frame: active.view.first_frame,
            context: active.view.contexts.first().copied().unwrap_or_default(),
            interface: active.interfaces.first().copied().unwrap_or_default(),
            link: None,
            acknowledgment: None,
            end: None,
        };
        let Active { streams, state, view, .. } = active;
        // The opener first: its hello decides who is the client.
        let first = view.originator.unwrap_or(Side::A);
        for side in [first, first.other()] {
            let stream = &mut streams[side.index()];
            while stream.skip_gap(&mut |delivery| hand_on(delivery, consumer, state, view, side, &moment)) {}
        }
        active.settle();
    }

    /// Looks at a flow that may have been silent for too long: ends one that is open, forgets one that has ended, and plans the
    /// next look where neither is due.
    pub(super) fn look_at(&mut self, index: u32, consumer: &mut C) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        // Later than now where the clock began anew since: silence counts from here.
        slot.last_seen = slot.last_seen.min(now);
        let idle = match &slot.active {
            Some(active) if active.lingering.is_some() => Duration::ZERO,
            // After a FIN the other side may still speak, and answers late where its first answer was lost.
            Some(active) if active.is_reset => CLOSING_LINGER,
            Some(_) => HANDSHAKE_IDLE,
            None => match slot.phase {
                Phase::Opened | Phase::Active => HANDSHAKE_IDLE,
                Phase::Closed => CLOSED_IDLE,
                Phase::Decided | Phase::Translated | Phase::Unused => DECIDED_IDLE,
            },
        };
        let since = slot.active.as_ref().and_then(|active| active.lingering).map(|(_, since, _)| since);
        let deadline = match (since, self.linger) {
            (Some(since), Some(linger)) if since <= now => since.after(linger),
            (Some(_), Some(_)) => now,
            _ => slot.last_seen.after(idle),
        };
        if deadline > now {
            self.wheel.schedule(index, deadline, now);
            return;
        }
        if matches!(slot.phase, Phase::Opened | Phase::Active) {
            let ending = self.ending_without_gaps(index, Ending::TimedOut, consumer);
            if let Some(active) = self.active_mut(index)
                && !active.is_reset
                && active.lingering.is_none()
            {
                active.view.is_left_open =
                    active.streams.each_ref().map(|stream| stream.sure_fin().is_none());
            }
            let is_blank = self.slots.get(index as usize).is_none_or(|slot| {
                slot.is_doubted
                    || ending == Ending::TimedOut
                        && slot.active.as_ref().is_none_or(|active| !active.view.has_payload)
            });
            self.end(index, ending, consumer);
            if is_blank {
                // Nothing was said, so nothing can be a late copy: connections are opened ahead of need, and what
                // is said on them after minutes must be heard.
                self.remove(index);
            }
        } else {
            self.remove(index);
        }
    }

    /// Frees a slot whose flow has ended.
    pub(super) fn remove(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if slot.phase == Phase::Unused {
            return;
        }
        slot.phase = Phase::Unused;
        self.wheel.cancel(index);
        let (key, next, view_hash) = (slot.key, slot.next, slot.view_hash);
        slot.next = NONE;
        if view_hash != 0 && self.views.get(&view_hash) == Some(&index) {
            self.views.remove(&view_hash);
        }
        let hash = key.hash_with(&self.hasher);
        let slots = &self.slots;
        let entry =
            self.index.find_entry(hash, |&head| slots.get(head as usize).is_some_and(|slot| slot.key == key));
        if let Ok(mut entry) = entry {
            let head = *entry.get();
            if head == index {
                self.edition += 1;
                if next == NONE {
                    entry.remove();
                } else {
                    *entry.get_mut() = next;
                }
            } else {
                let mut at = head;
                while let Some(slot) = self.slots.get_mut(at as usize) {
                    if slot.next == index {
                        slot.next = next;
                        break;
                    }
                    at = slot.next;
                }
            }
        }
        self.free.push(index);
    }

    /// Gives up undecided flows until some of the memory is free again: each time the longest silent of
    /// a sample, at last the flow at `index`.
    #[cold]
    pub(super) fn release_memory(&mut self, index: u32, consumer: &mut C) {
        const SAMPLE: usize = 8;
        let enough = self.limits.memory_bytes - self.limits.memory_bytes / 16;
        while self.held_bytes > enough {
            let mut sample: ArrayVec<(Timestamp, u32), SAMPLE> = ArrayVec::new();
            for _ in 0..self.slots.len() {
                self.hand = (self.hand + 1) % self.slots.len();
                let Some(slot) = self.slots.get(self.hand) else { continue };
                if slot.active.is_some()
                    && self.hand != index as usize
                    && sample.try_push((slot.last_seen, self.hand as u32)).is_ok()
                    && sample.is_full()
                {
                    break;
                }
            }
            for &(_, sampled) in &sample {
                self.give_up_unconfirmed(sampled);
            }
            if self.held_bytes <= enough {
                return;
            }
            let victim = sample.into_iter().min().map_or(index, |(_, victim)| victim);
            self.end(victim, Ending::MemoryFull, consumer);
            if victim == index {
                return;
            }
        }
    }

    /// Flows are worth more than what their segments are compared with.
    fn give_up_unconfirmed(&mut self, index: u32) {
        let Some(active) = self.active_mut(index) else { return };
        let before = active.held_bytes;
        for stream in &mut active.streams {
            // No more than what was counted of it.
            let freed = stream.unconfirmed().held_bytes().min(active.held_bytes);
            stream.give_up_unconfirmed();
            active.held_bytes -= freed;
        }
        let freed = before - active.held_bytes;
        self.held_bytes = self.held_bytes.saturating_sub(freed);
    }

    /// Makes room: of a sample, the flow whose loss costs least, the longest silent first.
    pub(super) fn evict(&mut self, consumer: &mut C) {
        const SAMPLE: usize = 32;
        let mut victim = None;
        for _ in 0..SAMPLE.min(self.slots.len()) {
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(slot) = self.slots.get(self.hand) else { continue };
            let worth = match (slot.phase, &slot.active) {
                (Phase::Unused, _) => continue,
                (Phase::Closed, _) => 0,
                (Phase::Decided | Phase::Translated, _) => 1,
                (_, Some(active)) if active.lingering.is_some() || active.is_reset => 1,
                (_, Some(active)) if active.view.has_payload => 3,
                (Phase::Opened | Phase::Active, _) => 2,
            };
            let rank = (worth, slot.last_seen, self.hand as u32);
            if victim.is_none_or(|best| rank < best) {
                victim = Some(rank);
            }
        }
        if let Some((_, _, index)) = victim {
            self.end(index, Ending::TableFull, consumer);
            self.remove(index);
        }
    }
}
