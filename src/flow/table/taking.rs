//! What a segment does to the flow it belongs to.

use super::delivery::{
    begin_by_acknowledgment, begin_by_content, begin_by_start, deliver_payload, give_up_gaps, release,
};
use super::ending::CLOSING_LINGER;
use super::slot::{Active, Phase, head_hash};
use super::{Sighting, Table, Taken};
use crate::decode::TcpFlags;
use crate::flow::stream::Stream;
use crate::flow::{Consumer, Ending, Moment};

impl<C: Consumer> Table<C> {
    /// Gives a segment to the flow of a slot.
    pub(super) fn take(&mut self, index: u32, sighting: Sighting<'_>, consumer: &mut C) -> Taken {
        let now = self.now;
        let Sighting { side, segment, moment } = sighting;
        let Some(slot) = self.slots.get_mut(index as usize) else { return Taken::NoFlow };
        slot.last_seen = now;
        let Some(active) = slot.active.as_deref_mut() else {
            return self.take_without_active(index, sighting, consumer);
        };
        if active.note_place(moment) {
            self.counts.contexts_refused += 1;
        }
        if let Some(link) = moment.link {
            consumer.linked(&mut active.state, side, link, moment.context);
        }
        let (mine, other) = (side.index(), side.other().index());
        let is_elsewhere = slot.interface != moment.interface;
        if active.lingering.is_some() {
            if is_elsewhere && slot.view_hash == 0 && slot.has_base[mine] {
                self.join_late(index, sighting, consumer);
            }
            return Taken::Decided;
        }
        active.view.has_packets[mine] = true;
        let flags = segment.flags;
        active.go_on(segment);
        // SYN takes a number, too [RFC 9293 section 3.4].
        let sequence = segment.sequence.wrapping_add(flags.has(TcpFlags::SYN).into());
        let mut is_answer_known = false;
        if flags.has(TcpFlags::SYN) {
            if active.hear_syn(sighting, sequence) {
                slot.has_base[mine] = false;
            }
        } else if flags.has(TcpFlags::ACK) {
            is_answer_known = active.hear_acknowledgment(sighting);
        }
        is_answer_known |= begin_by_start(active, sighting, sequence, consumer);
        for end in [mine, other] {
            if !slot.has_base[end]
                && let Some(base) = active.streams[end].base()
            {
                slot.base[end] = base;
                slot.has_base[end] = true;
            }
        }
        if segment.excess_bytes > 0 {
            let length = segment.payload_wire_bytes.wrapping_add(segment.excess_bytes);
            active.streams[mine].note_said_end(sequence.wrapping_add(length));
        }
        // Another interface may show whole, a little later, what a tap cut off on one.
        let is_seen_once = self.linger.is_none() && active.view.contexts.len() < 2;
        let mut is_join_candidate = false;
        let mut has_changed = flags.has(TcpFlags::SYN);
        if segment.payload_wire_bytes > 0 {
            has_changed = true;
            active.view.has_payload = true;
            // Once more where it came first on an interface that a flow it may be was seen on, too.
            if (slot.head[mine] == 0 || slot.view_hash == 0 && is_elsewhere)
                && slot.has_base[mine]
                && slot.base[mine] == sequence
                && let Some(hash) = head_hash(&self.hasher, segment.payload)
                && (slot.head[mine] == 0 || slot.head[mine] == hash)
            {
                slot.head[mine] = hash;
                is_join_candidate = slot.view_hash == 0
                    && consumer.starts_stream(segment.payload)
                    && !(active.awaits_join && consumer.is_answer(segment.payload));
            }
            let flow_bytes = self.limits.flow_bytes;
            let room = self.limits.memory_bytes.saturating_sub(self.held_bytes).min(flow_bytes);
            if deliver_payload(active, sighting, sequence, [room, flow_bytes], is_seen_once, consumer) {
                self.counts.segments_refused += 1;
            }
            if active.streams[mine].is_unanchored() {
                begin_by_content(active, side, moment, consumer);
            }
        }
        if is_answer_known {
            release(active, side.other(), moment, consumer);
        }
        has_changed |= give_up_gaps(active, side.other(), moment, is_seen_once, consumer);
        if has_changed {
            // Flows are worth more than what their segments are compared with.
            if self.held_bytes > self.limits.memory_bytes / 2 {
                active.streams[mine].give_up_unconfirmed();
            }
            let held = active.total_bytes(consumer);
            self.held_bytes = self.held_bytes.saturating_sub(active.held_bytes) + held;
            active.held_bytes = held;
        }
        // An acknowledgment alone may have made a flow of what was a SYN.
        let is_memory_full = self.held_bytes > self.limits.memory_bytes;

        let is_newly_reset = active.hear_end(side, segment, sequence);
        let mut ending = None;
        if consumer.is_decided(&active.state) && !slot.is_doubted {
            active.view.left = active.left_before(side, segment);
            ending = Some(Ending::Decided);
        } else if is_newly_reset {
            // What the other side has sent by now is still on its way, and so may be what came late.
            self.wheel.schedule(index, now.after(CLOSING_LINGER), now);
        } else if !flags.has(TcpFlags::RST) && active.streams.iter().all(Stream::is_finished) {
            ending = active.closing;
        }
        if let Some(ending) = ending {
            self.end_or_linger(index, ending, consumer);
        }
        if is_join_candidate {
            self.join(index, sighting, consumer);
        }
        if is_memory_full {
            self.release_memory(index, consumer);
        }
        Taken::Inspected
    }

    /// The same of a slot whose flow is over, goes on under other addresses, or was just begun by this segment.
    fn take_without_active(&mut self, index: u32, sighting: Sighting<'_>, consumer: &mut C) -> Taken {
        let Some(slot) = self.slots.get(index as usize) else { return Taken::NoFlow };
        if slot.phase == Phase::Opened {
            return Taken::Inspected;
        }
        if let Some(there) = slot.translated
            && self.open_there(there).is_some()
        {
            let side = there.side(sighting.side);
            return self.take(there.slot, Sighting { side, ..sighting }, consumer);
        }
        let is_ending = sighting.segment.flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0;
        let is_closed = is_ending || slot.phase == Phase::Closed;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.phase = if is_closed { Phase::Closed } else { Phase::Decided };
        }
        Taken::Decided
    }
}

impl<S> Active<S> {
    /// Takes note of where a segment was seen. True where its context finds no room, for the first time.
    fn note_place(&mut self, moment: &Moment) -> bool {
        if !self.interfaces.contains(&moment.interface) {
            // As many as contexts at most; a further interface is only not compared.
            let _ = self.interfaces.try_push(moment.interface);
        }
        !self.view.contexts.contains(&moment.context)
            && self.view.contexts.try_push(moment.context).is_err()
            && self.view.note_more_contexts()
    }

    /// Takes a SYN, or the SYN-ACK that answers one; `sequence` is the number behind it. True where the answers to a SYN
    /// disagree about where the answerer begins.
    fn hear_syn(&mut self, sighting: Sighting<'_>, sequence: u32) -> bool {
        let Sighting { side, segment, moment } = sighting;
        let stream = &mut self.streams[side.index()];
        let is_disputed = stream.base().is_some_and(|base| base != sequence) && stream.is_at_beginning();
        if is_disputed {
            stream.forget_beginning();
            self.is_answer_disputed = true;
        } else if !self.is_answer_disputed {
            stream.anchor(sequence, true);
        }
        if segment.flags.has(TcpFlags::ACK) {
            // Acknowledges the peer's SYN, and its Fast Open data, whose length is not known here.
            let opener = &mut self.streams[side.other().index()];
            if opener.is_unanchored() && !opener.has_held() {
                opener.anchor(segment.acknowledgment, true);
            }
            self.view.originator.get_or_insert(side.other());
            self.syn_ack_at.get_or_insert(moment.at);
        } else {
            self.view.originator.get_or_insert(side);
            self.view.has_syn = true;
            self.syn_at.get_or_insert(moment.at);
        }
        is_disputed
    }

    /// Takes an acknowledgment without SYN. True where it tells where the other side begins.
    fn hear_acknowledgment(&mut self, sighting: Sighting<'_>) -> bool {
        let Sighting { side, segment, moment } = sighting;
        let answerer = &mut self.streams[side.other().index()];
        answerer.acknowledge(segment.acknowledgment);
        // The number that the opener acknowledges is that of the answer it took.
        let is_settled = self.is_answer_disputed && answerer.is_unanchored();
        if is_settled {
            answerer.anchor_before(segment.acknowledgment, true);
        }
        let is_told = begin_by_acknowledgment(self, side, segment);
        if self.view.round_trip.is_none()
            && self.view.originator == Some(side)
            && self.syn_ack_at.is_some()
            && let Some(syn_at) = self.syn_at
        {
            self.view.round_trip = Some(moment.at.since(syn_at));
        }
        is_settled || is_told
    }

    /// Bytes it takes, with all that is held for it.
    fn total_bytes(&self, consumer: &impl Consumer<State = S>) -> usize {
        let held = |stream: &Stream| stream.held_bytes() + stream.unconfirmed().held_bytes();
        size_of::<Self>() + self.streams.iter().map(held).sum::<usize>() + consumer.held_bytes(&self.state)
    }
}
