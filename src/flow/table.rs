//! All flows that are open: which packet belongs to which, and when each ends.
//!
//! A flow is the same addresses and ports, the same initial sequence numbers and the same first
//! bytes. Several such *instances* may share addresses and ports: a port is used again, or address
//! ranges overlap behind two mirror sessions. One instance may be seen through several *contexts*
//! (an interface and what the packets were wrapped in), also under other addresses where they
//! were translated on the way.

mod choose;
mod closing;
mod delivery;
mod ending;
mod going_on;
mod slot;

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::consumer::{Consumer, Ending, Moment};
use super::key::Key;
use super::stream::{Delivery, Stream};
use super::wheel::Wheel;
use crate::decode::{Segment, TcpFlags};
use crate::model::{Side, Timestamp};
use choose::Choice;
use delivery::{begin_by_acknowledgment, begin_by_content, hand_on, release};
use ending::{CLOSING_LINGER, HANDSHAKE_IDLE};
use slot::{Active, Phase, Slot};

/// Record header, handshake header, version and random of a hello: enough to tell two apart.
const HEAD_BYTES: usize = 43;

/// A clock that runs backwards by more than this starts anew: captures were joined.
const CLOCK_RESTART: Duration = Duration::from_secs(3_600);

/// A packet that is later than all before it by more than this may have a wrong time. The next one tells, before any flow
/// ends by it.
const LEAP: Duration = HANDSHAKE_IDLE;

/// Flows looked at per packet once their time is over. Few enough that a jump of the clock does not end
/// the whole table, and make a record of every flow, within one packet.
const DUE_PER_PACKET: usize = 1_024;

const NONE: u32 = u32::MAX;

/// What may grow, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows in the table, decided ones included.
    pub flows: usize,
    /// Bytes held per direction of a flow.
    pub flow_bytes: usize,
    /// Bytes held in all, with what an undecided flow itself takes.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 200_000, flow_bytes: 65_536, memory_bytes: 256 << 20 }
    }
}

/// What happened to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It belongs to an undecided flow.
    Inspected,
    /// Its flow is decided.
    Decided,
    /// No flow is known for it and it can open none (no SYN, no payload).
    NoFlow,
    /// It begins a flow, and as many go on with these addresses and ports as are followed.
    NoRoom,
    /// It lies too far from what its flow expects.
    OutOfWindow,
}

/// Counts of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounts {
    pub opened: u64,
    pub ended: u64,
    pub peak: u64,
    /// Segments whose bytes could not be held, or not be compared with others for want of room.
    pub segments_refused: u64,
    /// Segments of flows that have ended which disagreed with others about the same bytes.
    pub segments_disagreeing: u64,
    /// Flows seen in more contexts than the [`MAX_CONTEXTS`](super::consumer::MAX_CONTEXTS) that are remembered.
    pub contexts_refused: u64,
    /// Segments that began a connection where as many with the same addresses and ports go on as are followed.
    pub beginnings_refused: u64,
}

/// Where the flow of a segment is to be looked for, and perhaps was found already.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    key: Key,
    side: Side,
    hash: u64,
    found: Option<u32>,
    /// Of the table when it was looked for; 0 where it was not.
    edition: u64,
}

/// The flows.
pub struct Table<C: Consumer> {
    limits: Limits,
    hasher: RandomState,
    index: HashTable<u32>,
    slots: Vec<Slot<C::State>>,
    free: Vec<u32>,
    wheel: Wheel,
    /// What [`Table::finish_some`] has still to end, the first at the end.
    finishing: Option<Vec<u32>>,
    /// How long a flow that is over waits for the other interfaces, where there are any.
    linger: Option<Duration>,
    /// Flows that lingered so far.
    lingered: u64,
    /// First bytes and initial sequence number of a client → its slot, to recognise translated flows.
    views: HashMap<u64, u32, RandomState>,
    /// Counts the changes of `index`; never 0.
    edition: u64,
    now: Timestamp,
    /// Where the clock was before it leapt, which no second packet has confirmed yet.
    before_leap: Option<Timestamp>,
    held_bytes: usize,
    hand: usize,
    live: usize,
    counts: TableCounts,
}

impl<C: Consumer> Table<C> {
    /// An empty table. Tables with the same `hasher` give equal flows equal identities.
    #[must_use]
    pub fn new(limits: Limits, hasher: RandomState) -> Self {
        Self {
            limits: Limits { flows: limits.flows.clamp(1, NONE as usize - 1), ..limits },
            hasher,
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::default(),
            finishing: None,
            linger: None,
            lingered: 0,
            views: HashMap::with_hasher(RandomState::default()),
            edition: 1,
            now: Timestamp::default(),
            before_leap: None,
            held_bytes: 0,
            hand: 0,
            live: 0,
            counts: TableCounts::default(),
        }
    }

    /// Counts so far.
    #[must_use]
    pub const fn counts(&self) -> TableCounts {
        self.counts
    }

    /// Flows that have not ended.
    #[must_use]
    pub const fn open_flows(&self) -> usize {
        self.live
    }

    /// Bytes held in reassembly and inspection.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Changes how many bytes may be held in all.
    pub const fn limit_memory(&mut self, memory_bytes: usize) {
        self.limits.memory_bytes = memory_bytes;
    }

    /// Lets a flow that is over wait until everything that `linger` brings was seen: interfaces are read in
    /// turn, so that the packets of one come later than those of another, although they were earlier.
    pub const fn set_linger(&mut self, linger: Duration) {
        self.linger = Some(linger);
    }

    /// Tells where the flow of a segment is to be looked for.
    #[inline(always)]
    pub fn place(&self, segment: &Segment<'_>) -> Place {
        let (key, side) = Key::of(segment.source, segment.destination);
        Place { key, side, hash: key.hash_with(&self.hasher), found: None, edition: 0 }
    }

    /// Looks for a flow ahead of time. Asked for several segments in a row, their flows come from memory at
    /// once instead of one after the other; it changes nothing else.
    #[inline]
    pub fn look_ahead(&self, place: &mut Place) {
        place.found = self.find(&place.key, place.hash);
        place.edition = self.edition;
        if let Some(slot) = place.found.and_then(|index| self.slots.get(index as usize))
            && let Some(active) = &slot.active
        {
            // Only to have it near.
            std::hint::black_box((active.held_bytes, active.view.first_frame));
        }
    }

    /// True where every flow with these addresses and ports is decided.
    #[must_use]
    pub fn is_decided(&self, place: &Place) -> bool {
        self.find(&place.key, place.hash).is_some_and(|head| {
            self.chain(head)
                .all(|index| self.slots.get(index as usize).is_some_and(|slot| self.is_over(slot)))
        })
    }

    /// True where nothing more is learned of the flow of a slot, there or under other addresses.
    fn is_over(&self, slot: &Slot<C::State>) -> bool {
        match (slot.translated, &slot.active) {
            (Some(there), _) => self.open_there(there).is_none(),
            (None, Some(active)) => active.lingering.is_some(),
            (None, None) => matches!(slot.phase, Phase::Decided | Phase::Closed),
        }
    }

    #[inline]
    fn find(&self, key: &Key, hash: u64) -> Option<u32> {
        let slots = &self.slots;
        self.index
            .find(hash, |&index| slots.get(index as usize).is_some_and(|slot| slot.key == *key))
            .copied()
    }

    /// Takes a segment, whose place is known.
    #[inline]
    pub fn push_at(
        &mut self,
        place: &Place,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &mut C,
    ) -> Taken {
        self.hear_time(moment.at, consumer);
        // What was found ahead of time holds as long as no flow began or left since.
        let found =
            if place.edition == self.edition { place.found } else { self.find(&place.key, place.hash) };
        let Some(head) = found else {
            if !segment.flags.has(TcpFlags::SYN) && segment.payload_wire_bytes == 0 {
                return Taken::NoFlow;
            }
            let index = self.open(place, segment, moment, consumer);
            return self.take(index, place.side, segment, moment, consumer);
        };
        if let Some(slot) = self.slots.get_mut(head as usize)
            // What is said where a closed connection was may be another one, of which no SYN was seen.
            && (slot.phase == Phase::Decided
                || slot.phase == Phase::Closed && segment.payload_wire_bytes == 0)
            && slot.next == NONE
            && segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) == 0
            && segment.payload.first() != Some(&0x16)
        {
            // The common packet of a long transfer: its flow is decided, and nothing else matters.
            slot.last_seen = self.now;
            return Taken::Decided;
        }
        self.push_known(head, place, segment, moment, consumer)
    }

    /// Moves the clock to a time that is sure, and ends what is overdue.
    pub fn advance(&mut self, at: Timestamp, consumer: &mut C) {
        self.before_leap = None;
        self.now = self.now.max(at);
        self.hear_time(at, consumer);
    }

    /// Moves the clock by the time of a packet and ends what is overdue.
    #[inline]
    fn hear_time(&mut self, at: Timestamp, consumer: &mut C) {
        if at.since(self.now) > LEAP || self.before_leap.is_some() {
            self.leap(at);
        } else if at > self.now {
            self.now = at;
        } else if self.now.since(at) > CLOCK_RESTART {
            self.now = at;
            self.wheel.restart(at);
        }
        if self.has_overdue() {
            self.expire(consumer);
        }
    }

    /// Moves the clock by a leap, or says what the one before it was.
    #[cold]
    fn leap(&mut self, at: Timestamp) {
        match self.before_leap.take() {
            // Nearer to where the clock was than to where it is: it was one packet with a wrong time.
            Some(before) if at < self.now && at.since(before) < self.now.since(at) => {
                self.now = at.max(before);
                self.wheel.restart(self.now);
            }
            None if self.now != Timestamp::default() => {
                self.before_leap = Some(self.now);
                self.now = at;
            }
            _ => self.now = self.now.max(at),
        }
    }

    /// Whether [`Table::advance`] left something overdue, because it does a bounded amount at a time.
    #[must_use]
    pub fn has_overdue(&self) -> bool {
        self.before_leap.is_none() && self.wheel.is_due(self.now)
    }

    #[inline(never)]
    fn push_known(
        &mut self,
        head: u32,
        place: &Place,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &mut C,
    ) -> Taken {
        let side = place.side;
        let mut next = head;
        while let Some(slot) = self.slots.get(next as usize) {
            let index = next;
            next = slot.next;
            self.unfold(index);
        }
        let choice = if segment.flags.has(TcpFlags::SYN) {
            self.choose_for_syn(head, side, segment)
        } else {
            self.choose_for_data(head, side, segment, moment, consumer)
        };
        match choice {
            Choice::Instance(index) => {
                self.confirm(head, index, side, segment, moment, consumer);
                self.take(index, side, segment, moment, consumer)
            }
            Choice::New => {
                let twin = self.part(head, side, segment, moment);
                let is_doubted = twin.is_none() && self.goes_on(head, moment.context);
                self.supersede(head, None, is_doubted, moment, consumer);
                if !self.make_room_beside(head, consumer) {
                    self.counts.beginnings_refused += 1;
                    return Taken::NoRoom;
                }
                let index = self.open(place, segment, moment, consumer);
                if let Some(slot) = self.slots.get_mut(index as usize) {
                    slot.is_doubted = is_doubted;
                }
                if let Some((base, has_base)) = twin
                    && let Some(active) =
                        self.slots.get_mut(index as usize).and_then(|slot| slot.active.as_mut())
                {
                    for end in [0, 1] {
                        if has_base[end] {
                            active.streams[end].anchor(base[end], true);
                        }
                    }
                }
                self.take(index, side, segment, moment, consumer)
            }
            Choice::OutOfWindow => Taken::OutOfWindow,
        }
    }

    /// Makes a slot for a flow that begins with this segment, and gives the segment to it.
    fn open(&mut self, place: &Place, segment: &Segment<'_>, moment: &Moment, consumer: &mut C) -> u32 {
        let Place { key, side, hash, .. } = *place;
        if self.slots.len() - self.free.len() >= self.limits.flows {
            self.evict(consumer);
        }
        let mut slot = Slot {
            key,
            active: None,
            last_seen: self.now,
            next: NONE,
            generation: 0,
            base: [0; 2],
            head: [0; 2],
            context: moment.context,
            interface: moment.interface,
            first_seen: moment.at,
            frame_or_ends: moment.frame,
            view_hash: 0,
            translated: None,
            has_base: [false; 2],
            phase: Phase::Opened,
            is_doubted: false,
        };
        const OTHERS: u8 = TcpFlags::ACK | TcpFlags::FIN | TcpFlags::RST;
        if segment.flags.has(TcpFlags::SYN)
            && segment.flags.0 & OTHERS == 0
            && segment.payload_wire_bytes == 0
        {
            slot.base[side.index()] = segment.sequence.wrapping_add(1);
            slot.has_base[side.index()] = true;
        } else {
            slot.phase = Phase::Active;
            self.held_bytes += size_of::<Active<C::State>>();
            slot.active = Some(Box::new(Active::new(&slot)));
        }
        let index = if let Some(index) = self.free.pop() {
            if let Some(old) = self.slots.get_mut(index as usize) {
                let generation = old.generation.wrapping_add(1);
                *old = Slot { generation, ..slot };
            }
            index
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        if let Some(head) = self.find(&key, hash) {
            // Appended at the end: the chain stays in order of age.
            let last = self.chain(head).last().unwrap_or(head);
            if let Some(slot) = self.slots.get_mut(last as usize) {
                slot.next = index;
            }
        } else {
            self.edition += 1;
            let (hasher, slots) = (&self.hasher, &self.slots);
            self.index.insert_unique(hash, index, |&index| {
                slots.get(index as usize).map_or(0, |slot| slot.key.hash_with(hasher))
            });
        }
        self.wheel.schedule(index, self.now.after(HANDSHAKE_IDLE), self.now);
        self.live += 1;
        self.counts.opened += 1;
        self.counts.peak = self.counts.peak.max(self.live as u64);
        index
    }

    /// Makes of a SYN what is needed for more than one packet.
    fn unfold(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.phase == Phase::Opened
        {
            slot.active = Some(Box::new(Active::after_syn(slot)));
            slot.phase = Phase::Active;
            self.held_bytes += size_of::<Active<C::State>>();
        }
    }

    /// Gives a segment to its instance.
    fn take(
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

/// Tells connections apart that begin at the same place; never 0.
fn head_hash(hasher: &RandomState, payload: &[u8]) -> Option<u32> {
    let head = payload.get(..HEAD_BYTES)?;
    Some((hasher.hash_one(head) as u32).max(1))
}

#[cfg(test)]
mod tests;
