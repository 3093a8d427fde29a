//! What a segment does to the flow it belongs to.

use super::delivery::{begin_by_acknowledgment, begin_by_content, hand_on, release};
use super::ending::CLOSING_LINGER;
use super::slot::{Active, Phase, head_hash};
use super::{Table, Taken};
use crate::decode::{Segment, TcpFlags};
use crate::flow::stream::{Delivery, Stream};
use crate::flow::{Consumer, Ending, Moment};
use crate::model::Side;

impl<C: Consumer> Table<C> {
    /// Gives a segment to its instance.
    pub(super) fn take(
        &mut self,
        index: u32,
        side: Side,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &mut C,
    ) -> Taken {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(index as usize) else { return Taken::NoFlow };
        slot.last_seen = now;
        let Some(active) = slot.active.as_deref_mut() else {
            if slot.phase == Phase::Opened {
                // The SYN that opened it.
                return Taken::Inspected;
            }
            let is_ending = segment.flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0;
            if let Some(there) = slot.translated
                && self.open_there(there).is_some()
            {
                // The same connection, under its other addresses.
                return self.take(there.slot, there.side(side), segment, moment, consumer);
            }
            if let Some(slot) = self.slots.get_mut(index as usize) {
                slot.phase =
                    if is_ending || slot.phase == Phase::Closed { Phase::Closed } else { Phase::Decided };
            }
            return Taken::Decided;
        };
        if !active.view.contexts.contains(&moment.context)
            && active.view.contexts.try_push(moment.context).is_err()
        {
            self.counts.contexts_refused += u64::from(active.view.note_more_contexts());
        }
        let is_elsewhere = slot.interface != moment.interface;
        if !active.interfaces.contains(&moment.interface) {
            // As many as contexts at most; a further interface is only not compared.
            let _ = active.interfaces.try_push(moment.interface);
        }
        if let Some(link) = moment.link {
            consumer.linked(&mut active.state, side, link, moment.context);
        }
        if active.lingering.is_some() {
            if is_elsewhere && slot.view_hash == 0 && slot.has_base[side.index()] {
                self.join_late(index, side, segment, moment, consumer);
            }
            return Taken::Decided;
        }
        let (mine, other) = (side.index(), side.other().index());
        active.view.has_packets[mine] = true;
        let flags = segment.flags;
        let mut sequence = segment.sequence;
        active.go_on(segment);
        let mut is_answer_known = false;
        if flags.has(TcpFlags::SYN) {
            sequence = sequence.wrapping_add(1);
            let stream = &mut active.streams[mine];
            if stream.base().is_some_and(|base| base != sequence) && stream.is_at_beginning() {
                stream.forget_beginning();
                slot.has_base[mine] = false;
                active.is_answer_disputed = true;
            } else if !active.is_answer_disputed {
                stream.anchor(sequence, true);
            }
            if flags.has(TcpFlags::ACK) {
                // Acknowledges the peer's SYN, and its Fast Open data, whose length is not known here.
                if active.streams[other].is_unanchored() && !active.streams[other].has_held() {
                    active.streams[other].anchor(segment.acknowledgment, true);
                }
                active.view.originator.get_or_insert(side.other());
                active.syn_ack_at.get_or_insert(moment.at);
            } else {
                active.view.originator.get_or_insert(side);
                active.view.has_syn = true;
                active.syn_at.get_or_insert(moment.at);
            }
        } else if flags.has(TcpFlags::ACK) {
            active.streams[other].acknowledge(segment.acknowledgment);
            if active.is_answer_disputed && active.streams[other].is_unanchored() {
                // The number that the opener acknowledges is that of the answer it took.
                let beginning = active.streams[other].beginning_before(segment.acknowledgment);
                active.streams[other].anchor(beginning, true);
                is_answer_known = true;
            }
            is_answer_known |= begin_by_acknowledgment(active, side, segment);
            if active.view.round_trip.is_none()
                && active.view.originator == Some(side)
                && active.syn_ack_at.is_some()
                && let Some(syn_at) = active.syn_at
            {
                active.view.round_trip = Some(moment.at.since(syn_at));
            }
        }
        if active.streams[mine].is_unanchored()
            && segment.payload.len() > 5
            && consumer.starts_stream(segment.payload)
        {
            // What was held right in front of it, as a proxy's header, belongs to the stream too.
            let beginning = active.streams[mine].run_before(sequence).unwrap_or(sequence);
            active.streams[mine].anchor(beginning, false);
            release(active, side, moment, consumer);
            if flags.has(TcpFlags::ACK)
                && active.streams[other].is_unanchored()
                && !consumer.is_answer(segment.payload)
            {
                // What the other side says from here on is the answer, whatever it begins with.
                let beginning = active.streams[other].beginning_before(segment.acknowledgment);
                active.streams[other].anchor(beginning, false);
                is_answer_known = true;
            }
        }
        for end in [mine, other] {
            if !slot.has_base[end]
                && let Some(base) = active.streams[end].base()
            {
                slot.base[end] = base;
                slot.has_base[end] = true;
            }
        }
        // Another interface may show whole, a little later, what a tap cut off on one.
        let is_seen_once = self.linger.is_none() && active.view.contexts.len() < 2;
        if segment.excess_bytes > 0 {
            let length = segment.payload_wire_bytes.wrapping_add(segment.excess_bytes);
            active.streams[mine].note_said_end(sequence.wrapping_add(length));
        }
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
            let room = self.limits.memory_bytes.saturating_sub(self.held_bytes).min(self.limits.flow_bytes);
            let mut is_lost = false;
            let Active { streams, state, view, .. } = &mut *active;
            let stream = &mut streams[mine];
            let mut deliver = |delivery: Delivery<'_>| hand_on(delivery, consumer, state, view, side, moment);
            if !stream.push(sequence, segment.payload, segment.payload_wire_bytes, room, moment, &mut deliver)
            {
                self.counts.segments_refused += 1;
                // No room: what is held is worth more in order with a gap than waiting for ever.
                is_lost = !stream.skip_gap(&mut deliver)
                    || !stream.push(
                        sequence,
                        segment.payload,
                        segment.payload_wire_bytes,
                        room,
                        moment,
                        &mut deliver,
                    );
            }
            let is_joined = stream.is_beginning_hopeless(self.limits.flow_bytes);
            if is_joined || stream.is_gap_hopeless(moment.at) {
                stream.skip_gap(&mut deliver);
            }
            while is_seen_once && stream.is_gap_sliced() {
                stream.skip_gap(&mut deliver);
            }
            if is_joined && streams[other].is_unanchored() {
                // What both said tells together what it is.
                streams[other].skip_gap(&mut |delivery| {
                    hand_on(delivery, consumer, state, view, side.other(), moment);
                });
            }
            active.view.lost_bytes |= is_lost;
            if active.streams[mine].is_unanchored() {
                begin_by_content(active, side, moment, consumer);
            }
        }
        if is_answer_known {
            release(active, side.other(), moment, consumer);
        }
        // A gap in the other direction may turn hopeless by this packet's acknowledgement or time.
        if active.streams[other].has_held() {
            let Active { streams, state, view, .. } = &mut *active;
            let stream = &mut streams[other];
            let mut deliver =
                |delivery: Delivery<'_>| hand_on(delivery, consumer, state, view, side.other(), moment);
            let mut is_hopeless = stream.is_gap_hopeless(moment.at);
            while std::mem::take(&mut is_hopeless) || is_seen_once && stream.is_gap_sliced() {
                has_changed = true;
                stream.skip_gap(&mut deliver);
            }
        }
        if has_changed {
            // Flows are worth more than what their segments are compared with.
            if self.held_bytes > self.limits.memory_bytes / 2 {
                active.streams[mine].give_up_unconfirmed();
            }
            let held = size_of::<Active<C::State>>()
                + active.streams[0].held_bytes()
                + active.streams[1].held_bytes()
                + active.streams[0].unconfirmed().held_bytes()
                + active.streams[1].unconfirmed().held_bytes()
                + consumer.held_bytes(&active.state);
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
            self.join(index, segment, moment, consumer);
        }
        if is_memory_full {
            self.release_memory(index, consumer);
        }
        Taken::Inspected
    }
}
