//! All flows that are open: which packet belongs to which, and when each ends.
//!
//! A flow is the same addresses and ports, the same initial sequence numbers and the same first
//! bytes. Several such *instances* may share addresses and ports: a port is used again, or address
//! ranges overlap behind two mirror sessions. One instance may be seen through several *contexts*
//! (an interface and what the packets were wrapped in), also under other addresses where they
//! were translated on the way.

use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::key::Key;
use super::stream::{Delivery, Stream, WINDOW, distance};
use super::wheel::Wheel;
use crate::decode::{Segment, TcpFlags};
use crate::model::{Side, Timestamp};

/// The most contexts remembered per flow; three mirror sessions, each before and after a load
/// balancer, make six.
pub const MAX_CONTEXTS: usize = 8;

/// The most instances that share addresses and ports at once.
const MAX_INSTANCES: usize = 8;

/// Record header, handshake header, version and random of a hello: enough to tell two apart.
const HEAD_BYTES: usize = 43;

/// How long an undecided flow may be silent. Clients give up a handshake sooner: the AWS SDKs'
/// connection time-outs lie between 1 and 60 seconds.
const HANDSHAKE_IDLE: Duration = Duration::from_secs(60);

/// How long a flow that saw one FIN, or RST with bytes missing, may wait for the rest.
const CLOSING_LINGER: Duration = Duration::from_secs(5);

/// How long a decided flow is remembered after its last packet, so that late copies of its
/// packets open no second flow. Longer than the keep-alive pauses of the SDKs' connection pools.
const DECIDED_IDLE: Duration = Duration::from_secs(300);

/// The same, once it is closed: twice the segment life time of common systems is 60 seconds.
const CLOSED_IDLE: Duration = Duration::from_secs(60);

/// A clock that runs backwards by more than this starts anew: captures were joined.
const CLOCK_RESTART: Duration = Duration::from_secs(3_600);

const NONE: u32 = u32::MAX;

/// What may grow, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows in the table, decided ones included.
    pub flows: usize,
    /// Bytes held per direction of a flow.
    pub flow_bytes: usize,
    /// Bytes held in all.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 200_000, flow_bytes: 65_536, memory_bytes: 256 << 20 }
    }
}

/// When and where a segment was seen.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Time of the packet as captured.
    pub at: Timestamp,
    /// Number of the frame.
    pub frame: u64,
    /// The interface and encapsulation, as a number the caller gave them.
    pub context: u32,
    /// The interface alone.
    pub interface: u32,
    /// Source and destination hardware address of the frame, where the caller needs them.
    pub link: Option<([u8; 6], [u8; 6])>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// FIN from both sides, or from one and then silence; the side that began.
    Closed(Side),
    /// The consumer learned enough.
    Decided,
    /// The input ended.
    InputEnded,
    /// RST, and who sent it.
    Reset(Side),
    /// The table was full.
    TableFull,
    /// Silence.
    TimedOut,
    /// The same addresses and ports in the same place began another connection.
    Superseded,
    /// Another flow turned out to be the same one, seen under other addresses.
    Translated,
}

/// What the table knows of a flow.
#[derive(Clone, Debug)]
pub struct FlowView {
    pub key: Key,
    pub first_seen: Timestamp,
    pub first_frame: u64,
    /// Who opened the connection, where a SYN or SYN-ACK told.
    pub originator: Option<Side>,
    /// SYN of the originator was seen.
    pub has_syn: bool,
    /// Packets of each side were seen, in the order of [`Side::index`].
    pub has_packets: [bool; 2],
    /// Any payload was seen.
    pub has_payload: bool,
    /// Contexts the flow was seen in, in order of appearance.
    pub contexts: ArrayVec<u32, MAX_CONTEXTS>,
    /// Other addresses (source and destination of the originator's packets) of the same flow.
    pub translated: Vec<(SocketAddr, SocketAddr)>,
    /// SYN to the ACK that answers SYN-ACK.
    pub round_trip: Option<Duration>,
    /// Bytes arrived that no room was left to hold.
    pub lost_bytes: bool,
    /// Equal for equal flows, whatever they were seen through.
    pub identity: u64,
}

/// Who reads the streams.
pub trait Consumer {
    /// What is known of one flow.
    type State: Default;

    /// True where `bytes` look like the first bytes a client or server sends.
    fn starts_stream(&self, bytes: &[u8]) -> bool;
    /// Takes the next bytes that `side` sent.
    fn data(&mut self, state: &mut Self::State, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment);
    /// Learns that bytes of `side` are missing.
    fn gap(&mut self, state: &mut Self::State, side: Side);
    /// True once no byte of the flow matters any more.
    fn is_decided(&self, state: &Self::State) -> bool;
    /// Bytes the state holds, for the memory limit.
    fn held_bytes(&self, state: &Self::State) -> usize;
    /// Takes leave of a flow.
    fn end(&mut self, state: Self::State, view: FlowView, ending: Ending, now: Timestamp);
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
    /// It lies too far from what its flow expects.
    OutOfWindow,
}

/// Counts of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounts {
    pub opened: u64,
    pub ended: u64,
    pub peak: u64,
    /// Segments whose bytes could not be held.
    pub segments_refused: u64,
    /// Contexts not remembered because a flow had [`MAX_CONTEXTS`] already.
    pub contexts_refused: u64,
}

struct Active<S> {
    view: FlowView,
    interfaces: ArrayVec<u32, MAX_CONTEXTS>,
    streams: [Stream; 2],
    state: S,
    syn_at: Option<Timestamp>,
    syn_ack_at: Option<Timestamp>,
    closing: Option<(Ending, Timestamp)>,
    held_bytes: usize,
}

struct Slot<S> {
    key: Key,
    active: Option<Box<Active<S>>>,
    last_seen: Timestamp,
    /// Next instance with the same key.
    next: u32,
    generation: u32,
    base: [u32; 2],
    head: [u32; 2],
    context: u32,
    interface: u32,
    view_hash: u64,
    has_base: [bool; 2],
    is_closed: bool,
    is_used: bool,
}

/// The flows.
pub struct Table<C: Consumer> {
    limits: Limits,
    hasher: RandomState,
    index: HashTable<u32>,
    slots: Vec<Slot<C::State>>,
    free: Vec<u32>,
    wheel: Wheel,
    /// First bytes and initial sequence number of a client → its slot, to recognise translated flows.
    views: HashMap<u64, u32, RandomState>,
    now: Timestamp,
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
            views: HashMap::with_hasher(RandomState::default()),
            now: Timestamp::default(),
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

    /// Takes a segment.
    #[inline]
    pub fn push(&mut self, segment: &Segment<'_>, moment: &Moment, consumer: &mut C) -> Taken {
        self.advance(moment.at, consumer);
        let (key, side) = Key::of(segment.source, segment.destination);
        let hash = key.hash_with(&self.hasher);
        let slots = &mut self.slots;
        let found =
            self.index.find(hash, |&index| slots.get(index as usize).is_some_and(|slot| slot.key == key));
        let Some(&head) = found else {
            if !segment.flags.has(TcpFlags::SYN) && segment.payload_wire_bytes == 0 {
                return Taken::NoFlow;
            }
            let index = self.open(key, hash, segment, side, moment, consumer);
            return self.take(index, side, segment, moment, consumer);
        };
        if let Some(slot) = slots.get_mut(head as usize)
            && slot.active.is_none()
            && slot.next == NONE
            && segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) == 0
            && segment.payload.first() != Some(&0x16)
        {
            // The common packet of a long transfer: its flow is decided, and nothing else matters.
            slot.last_seen = self.now;
            return Taken::Decided;
        }
        self.push_known(head, key, hash, side, segment, moment, consumer)
    }

    /// Moves the clock and ends what is overdue.
    #[inline]
    pub fn advance(&mut self, at: Timestamp, consumer: &mut C) {
        if at > self.now || self.now.since(at) > CLOCK_RESTART {
            self.now = at;
        }
        if self.wheel.is_due(self.now) {
            self.expire(consumer);
        }
    }

    /// Ends every flow, in the order they were opened.
    pub fn finish(&mut self, consumer: &mut C) {
        let mut order: Vec<(u64, u32)> = self
            .slots
            .iter()
            .zip(0_u32..)
            .filter_map(|(slot, index)| slot.active.as_ref().map(|active| (active.view.first_frame, index)))
            .collect();
        order.sort_unstable();
        for (_, index) in order {
            self.give_up_gaps(index, consumer);
            let ending = self
                .slots
                .get(index as usize)
                .and_then(|slot| slot.active.as_ref())
                .and_then(|active| active.closing)
                .map_or(Ending::InputEnded, |(ending, _)| ending);
            self.end(index, ending, consumer);
        }
        self.index.clear();
        self.slots.clear();
        self.free.clear();
        self.views.clear();
        self.wheel = Wheel::default();
    }

    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "one packet's facts, passed on once")]
    fn push_known(
        &mut self,
        head: u32,
        key: Key,
        hash: u64,
        side: Side,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &mut C,
    ) -> Taken {
        let choice = if segment.flags.has(TcpFlags::SYN) {
            self.choose_for_syn(head, side, segment)
        } else {
            self.choose_for_data(head, side, segment, moment, consumer)
        };
        match choice {
            Choice::Instance(index) => self.take(index, side, segment, moment, consumer),
            Choice::New => {
                let twin = self.part(head, side, segment, moment);
                self.supersede(head, moment, consumer);
                let index = self.open(key, hash, segment, side, moment, consumer);
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

    /// Which instance a SYN or SYN-ACK belongs to: the one with this initial sequence number, or
    /// one that has seen nothing from this side that contradicts it.
    fn choose_for_syn(&self, head: u32, side: Side, segment: &Segment<'_>) -> Choice {
        let base = segment.sequence.wrapping_add(1);
        let is_answer = segment.flags.has(TcpFlags::ACK);
        let (mine, other) = (side.index(), side.other().index());
        for index in self.chain(head) {
            let Some(slot) = self.slots.get(index as usize) else { continue };
            // The peer's first byte must be the one acknowledged; Fast Open data may be acknowledged with it.
            let answers_peer = !is_answer
                || !slot.has_base[other]
                || (0..=65_535).contains(&distance(slot.base[other], segment.acknowledgment));
            if slot.has_base[mine] {
                if slot.base[mine] == base && answers_peer {
                    return Choice::Instance(index);
                }
                continue;
            }
            let Some(active) = &slot.active else { continue };
            if is_answer && slot.has_base[other] {
                if answers_peer {
                    return Choice::Instance(index);
                }
                continue;
            }
            match active.streams[mine].offset_of(base) {
                None => return Choice::Instance(index),
                // Data before its SYN: the capture is out of order.
                Some(offset) if offset.unsigned_abs() < 1 << 20 => return Choice::Instance(index),
                Some(_) => {}
            }
        }
        Choice::New
    }

    fn choose_for_data(
        &self,
        head: u32,
        side: Side,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &C,
    ) -> Choice {
        let mine = side.index();
        let is_start = segment.payload.len() > 5 && consumer.starts_stream(segment.payload);
        let mut fallback = None;
        let mut near = None;
        for index in self.chain(head) {
            let Some(slot) = self.slots.get(index as usize) else { continue };
            let Some(active) = &slot.active else {
                let is_late_copy = !is_start
                    || !slot.has_base[mine]
                    || ((0..65_536).contains(&distance(slot.base[mine], segment.sequence))
                        && !self.conflicts(slot, mine, segment, moment));
                if is_late_copy {
                    if slot.context == moment.context && slot.has_base[mine] && !is_start {
                        let offset = distance(slot.base[mine], segment.sequence);
                        if offset >= 0 && (offset as u32) < WINDOW {
                            near.get_or_insert(index);
                        }
                    }
                    fallback.get_or_insert(index);
                }
                continue;
            };
            let is_known_context = active.view.contexts.contains(&moment.context);
            match active.streams[mine].offset_of(segment.sequence) {
                None => {
                    if is_known_context {
                        return Choice::Instance(index);
                    }
                    near.get_or_insert(index);
                }
                Some(offset) if offset.unsigned_abs() < WINDOW => {
                    if is_start && self.conflicts(slot, mine, segment, moment) {
                        continue;
                    }
                    if is_start && !is_known_context && slot.has_base[mine] {
                        let from_base = distance(slot.base[mine], segment.sequence);
                        if !(0..65_536).contains(&from_base) {
                            continue;
                        }
                    }
                    if is_known_context {
                        return Choice::Instance(index);
                    }
                    near.get_or_insert(index);
                }
                Some(_) => {}
            }
        }
        match near.or(fallback) {
            Some(index) => Choice::Instance(index),
            None if is_start => Choice::New,
            None => Choice::OutOfWindow,
        }
    }

    /// Another connection's first bytes at the same place in the sequence space, seen elsewhere.
    /// In the same context such bytes are a retransmission that lies, and the first copy wins.
    fn conflicts(&self, slot: &Slot<C::State>, side: usize, segment: &Segment<'_>, moment: &Moment) -> bool {
        slot.head[side] != 0
            && slot.base[side] == segment.sequence
            && slot.context != moment.context
            && self.head_hash(segment.payload).is_some_and(|hash| hash != slot.head[side])
    }

    /// Where this segment's first bytes tell two connections apart that began alike, the context
    /// it was seen in was never the older one's. Returns the beginnings both share.
    fn part(
        &mut self,
        head: u32,
        side: Side,
        segment: &Segment<'_>,
        moment: &Moment,
    ) -> Option<([u32; 2], [bool; 2])> {
        let twin = self.chain(head).find(|&index| {
            self.slots
                .get(index as usize)
                .is_some_and(|slot| self.conflicts(slot, side.index(), segment, moment))
        })?;
        let slot = self.slots.get_mut(twin as usize)?;
        if let Some(active) = slot.active.as_deref_mut() {
            active.view.contexts.retain(|context| *context != moment.context);
        }
        Some((slot.base, slot.has_base))
    }

    fn head_hash(&self, payload: &[u8]) -> Option<u32> {
        let head = payload.get(..HEAD_BYTES)?;
        Some((self.hasher.hash_one(head) as u32).max(1))
    }

    fn chain(&self, head: u32) -> impl Iterator<Item = u32> {
        let mut next = head;
        std::iter::from_fn(move || {
            let index = next;
            next = self.slots.get(index as usize)?.next;
            Some(index)
        })
    }

    /// A new instance begins where an old one was: in the same context the old one is over.
    fn supersede(&mut self, head: u32, moment: &Moment, consumer: &mut C) {
        let old: ArrayVec<u32, MAX_INSTANCES> = self.chain(head).take(MAX_INSTANCES).collect();
        let is_full = old.len() == MAX_INSTANCES;
        for (position, index) in old.into_iter().enumerate() {
            let is_over =
                self.slots.get(index as usize).and_then(|slot| slot.active.as_ref()).is_some_and(|active| {
                    active.view.contexts.contains(&moment.context) || (is_full && position == 0)
                });
            if is_over {
                self.give_up_gaps(index, consumer);
                let ending = self.closing_of(index).unwrap_or(Ending::Superseded);
                self.end(index, ending, consumer);
            }
        }
        if is_full {
            self.remove(head);
        }
    }

    fn closing_of(&self, index: u32) -> Option<Ending> {
        self.slots.get(index as usize)?.active.as_ref()?.closing.map(|(ending, _)| ending)
    }

    fn open(
        &mut self,
        key: Key,
        hash: u64,
        segment: &Segment<'_>,
        side: Side,
        moment: &Moment,
        consumer: &mut C,
    ) -> u32 {
        if self.slots.len() - self.free.len() >= self.limits.flows {
            self.evict(consumer);
        }
        let originator = if segment.flags.has(TcpFlags::SYN) {
            Some(if segment.flags.has(TcpFlags::ACK) { side.other() } else { side })
        } else {
            None
        };
        let active = Box::new(Active {
            view: FlowView {
                key,
                first_seen: moment.at,
                first_frame: moment.frame,
                originator,
                has_syn: false,
                has_packets: [false; 2],
                has_payload: false,
                contexts: ArrayVec::new(),
                translated: Vec::new(),
                round_trip: None,
                lost_bytes: false,
                identity: 0,
            },
            interfaces: ArrayVec::new(),
            streams: [Stream::default(), Stream::default()],
            state: C::State::default(),
            syn_at: None,
            syn_ack_at: None,
            closing: None,
            held_bytes: 0,
        });
        let slot = Slot {
            key,
            active: Some(active),
            last_seen: self.now,
            next: NONE,
            generation: 0,
            base: [0; 2],
            head: [0; 2],
            context: moment.context,
            interface: moment.interface,
            view_hash: 0,
            has_base: [false; 2],
            is_closed: false,
            is_used: true,
        };
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
        let slots = &self.slots;
        let found =
            self.index.find(hash, |&index| slots.get(index as usize).is_some_and(|slot| slot.key == key));
        if let Some(&head) = found {
            // Appended at the end: the chain stays in order of age.
            let last = self.chain(head).last().unwrap_or(head);
            if let Some(slot) = self.slots.get_mut(last as usize) {
                slot.next = index;
            }
        } else {
            let hasher = &self.hasher;
            self.index.insert_unique(hash, index, |&index| {
                slots.get(index as usize).map_or(0, |slot| slot.key.hash_with(hasher))
            });
        }
        let generation = self.slots.get(index as usize).map_or(0, |slot| slot.generation);
        self.wheel.schedule(index, generation, self.now.after(HANDSHAKE_IDLE), self.now);
        self.live += 1;
        self.counts.opened += 1;
        self.counts.peak = self.counts.peak.max(self.live as u64);
        index
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
        let head_hash =
            if segment.payload.len() >= HEAD_BYTES { self.head_hash(segment.payload) } else { None };
        let view_hash = head_hash.and_then(|_| {
            let head = segment.payload.get(..HEAD_BYTES)?;
            Some(self.hasher.hash_one((segment.sequence, head)).max(1))
        });
        let Some(slot) = self.slots.get_mut(index as usize) else { return Taken::NoFlow };
        slot.last_seen = now;
        let Some(active) = slot.active.as_deref_mut() else {
            slot.is_closed |= segment.flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0;
            return Taken::Decided;
        };
        if !active.view.contexts.contains(&moment.context)
            && active.view.contexts.try_push(moment.context).is_err()
        {
            self.counts.contexts_refused += 1;
        }
        if !active.interfaces.contains(&moment.interface) {
            // As many as contexts at most; a further interface is only not compared.
            let _ = active.interfaces.try_push(moment.interface);
        }
        let (mine, other) = (side.index(), side.other().index());
        active.view.has_packets[mine] = true;
        let flags = segment.flags;
        let mut sequence = segment.sequence;
        if flags.has(TcpFlags::SYN) {
            sequence = sequence.wrapping_add(1);
            active.streams[mine].anchor(sequence, true);
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
            active.streams[mine].anchor(sequence, false);
        }
        for end in [mine, other] {
            if !slot.has_base[end]
                && let Some(base) = active.streams[end].base()
            {
                slot.base[end] = base;
                slot.has_base[end] = true;
            }
        }
        let mut is_join_candidate = false;
        if segment.payload_wire_bytes > 0 {
            active.view.has_payload = true;
            if slot.head[mine] == 0
                && slot.has_base[mine]
                && slot.base[mine] == sequence
                && let Some(hash) = head_hash
            {
                slot.head[mine] = hash;
                is_join_candidate = consumer.starts_stream(segment.payload) && slot.view_hash == 0;
            }
            let room = self.limits.memory_bytes.saturating_sub(self.held_bytes).min(self.limits.flow_bytes);
            let mut is_lost = false;
            let Active { streams, state, view, .. } = &mut *active;
            let stream = &mut streams[mine];
            let mut deliver = |delivery: Delivery<'_>| match delivery {
                Delivery::Bytes(bytes) => consumer.data(state, view, side, bytes, moment),
                Delivery::Gap => consumer.gap(state, side),
            };
            if !stream.push(
                sequence,
                segment.payload,
                segment.payload_wire_bytes,
                room,
                moment.at,
                &mut deliver,
            ) {
                self.counts.segments_refused += 1;
                // No room: what is held is worth more in order with a gap than waiting for ever.
                is_lost = !stream.skip_gap(&mut deliver)
                    || !stream.push(
                        sequence,
                        segment.payload,
                        segment.payload_wire_bytes,
                        room,
                        moment.at,
                        &mut deliver,
                    );
            }
            if stream.is_beginning_hopeless(self.limits.flow_bytes) || stream.is_gap_hopeless(moment.at) {
                stream.skip_gap(&mut deliver);
            }
            active.view.lost_bytes |= is_lost;
        }
        // A gap in the other direction may turn hopeless by this packet's acknowledgement or time.
        if active.streams[other].has_held() && active.streams[other].is_gap_hopeless(moment.at) {
            let Active { streams, state, view, .. } = active;
            streams[other].skip_gap(&mut |delivery| match delivery {
                Delivery::Bytes(bytes) => consumer.data(state, view, side.other(), bytes, moment),
                Delivery::Gap => consumer.gap(state, side.other()),
            });
        }
        let held = active.streams[0].held_bytes()
            + active.streams[1].held_bytes()
            + consumer.held_bytes(&active.state);
        self.held_bytes = self.held_bytes.saturating_sub(active.held_bytes) + held;
        active.held_bytes = held;

        if flags.has(TcpFlags::FIN) {
            active.streams[mine].finish_at(sequence.wrapping_add(segment.payload_wire_bytes));
        }
        let mut ending = None;
        if consumer.is_decided(&active.state) {
            ending = Some(Ending::Decided);
        } else if flags.has(TcpFlags::RST) {
            let is_waiting = !active.view.has_payload || active.streams.iter().any(Stream::has_held);
            if is_waiting {
                active.closing.get_or_insert((Ending::Reset(side), now));
            } else {
                // FIN answered by RST: the connection was being closed already.
                ending = Some(active.closing.map_or(Ending::Reset(side), |(first, _)| first));
            }
        } else if active.streams[mine].has_fin() || active.streams[other].has_fin() {
            if active.closing.is_none() && flags.has(TcpFlags::FIN) {
                active.closing = Some((Ending::Closed(side), now));
            }
            if active.streams.iter().all(Stream::is_finished) {
                ending = active.closing.map(|(first, _)| first);
            }
        }
        if ending.is_none() && active.closing.is_some_and(|(_, since)| since == now) {
            let generation = slot.generation;
            self.wheel.schedule(index, generation, now.after(CLOSING_LINGER), now);
        }
        if let Some(ending) = ending {
            self.end(index, ending, consumer);
        } else if is_join_candidate && let Some(hash) = view_hash {
            self.join(index, hash, segment, moment, consumer);
        }
        Taken::Inspected
    }

    /// Remembers a client's first bytes, or recognises them as those of a flow under other addresses.
    fn join(&mut self, index: u32, hash: u64, segment: &Segment<'_>, moment: &Moment, consumer: &mut C) {
        let key = self.slots.get(index as usize).map(|slot| slot.key);
        if let Some(&primary) = self.views.get(&hash)
            && primary != index
            && let Some(slot) = self.slots.get_mut(primary as usize)
            && slot.is_used
            && slot.view_hash == hash
            && Some(slot.key) != key
            && slot.interface != moment.interface
        {
            if let Some(active) = slot.active.as_deref_mut() {
                if active.interfaces.contains(&moment.interface) {
                    return;
                }
                active.view.translated.push((segment.source, segment.destination));
                let _ = active.view.contexts.try_push(moment.context);
                let _ = active.interfaces.try_push(moment.interface);
            }
            self.end(index, Ending::Translated, consumer);
            return;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.view_hash = hash;
            self.views.insert(hash, index);
        }
    }

    /// Ends the flow of a slot; the slot stays, to recognise late copies of its packets.
    fn end(&mut self, index: u32, ending: Ending, consumer: &mut C) {
        let now = self.now;
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let Some(mut active) = slot.active.take() else { return };
        slot.is_closed = !matches!(ending, Ending::Decided | Ending::Translated);
        self.held_bytes = self.held_bytes.saturating_sub(active.held_bytes);
        self.live -= 1;
        self.counts.ended += 1;
        let idle = if slot.is_closed { CLOSED_IDLE } else { DECIDED_IDLE };
        self.wheel.schedule(index, slot.generation, now.after(idle), now);
        active.view.identity = self.hasher.hash_one((slot.key, slot.has_base, slot.base, slot.head));
        consumer.end(active.state, active.view, ending, now);
    }

    fn give_up_gaps(&mut self, index: u32, consumer: &mut C) {
        let now = self.now;
        let Some(active) = self.slots.get_mut(index as usize).and_then(|slot| slot.active.as_deref_mut())
        else {
            return;
        };
        let moment = Moment {
            at: now,
            frame: active.view.first_frame,
            context: active.view.contexts.first().copied().unwrap_or_default(),
            interface: active.interfaces.first().copied().unwrap_or_default(),
            link: None,
        };
        let Active { streams, state, view, .. } = active;
        // The opener first: its hello decides who is the client.
        let first = view.originator.unwrap_or(Side::A);
        for side in [first, first.other()] {
            let stream = &mut streams[side.index()];
            while stream.skip_gap(&mut |delivery| match delivery {
                Delivery::Bytes(bytes) => consumer.data(state, view, side, bytes, &moment),
                Delivery::Gap => consumer.gap(state, side),
            }) {}
        }
    }

    fn expire(&mut self, consumer: &mut C) {
        while let Some(due) = self.wheel.take_due(self.now) {
            for (index, generation) in due {
                self.look_at(index, generation, consumer);
            }
        }
    }

    fn look_at(&mut self, index: u32, generation: u32, consumer: &mut C) {
        let now = self.now;
        let Some(slot) = self.slots.get(index as usize) else { return };
        if !slot.is_used || slot.generation != generation {
            return;
        }
        let idle = match &slot.active {
            Some(active) if active.closing.is_some() => CLOSING_LINGER,
            Some(_) => HANDSHAKE_IDLE,
            None if slot.is_closed => CLOSED_IDLE,
            None => DECIDED_IDLE,
        };
        let deadline = slot.last_seen.after(idle);
        if deadline > now {
            self.wheel.schedule(index, generation, deadline, now);
            return;
        }
        if slot.active.is_some() {
            self.give_up_gaps(index, consumer);
            let is_decided = self
                .slots
                .get(index as usize)
                .and_then(|slot| slot.active.as_ref())
                .is_some_and(|active| consumer.is_decided(&active.state));
            let ending =
                if is_decided { Ending::Decided } else { self.closing_of(index).unwrap_or(Ending::TimedOut) };
            self.end(index, ending, consumer);
        } else {
            self.remove(index);
        }
    }

    /// Frees a slot whose flow has ended.
    fn remove(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if !slot.is_used {
            return;
        }
        slot.is_used = false;
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

    /// Makes room: of a sample, the flow whose loss costs least, the longest silent first.
    fn evict(&mut self, consumer: &mut C) {
        const SAMPLE: usize = 32;
        let mut victim = None;
        for _ in 0..SAMPLE.min(self.slots.len()) {
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(slot) = self.slots.get(self.hand) else { continue };
            if !slot.is_used {
                continue;
            }
            let worth = match &slot.active {
                None if slot.is_closed => 0,
                None => 1,
                Some(active) if !active.view.has_payload => 2,
                Some(_) => 3,
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

enum Choice {
    Instance(u32),
    New,
    OutOfWindow,
}

#[cfg(test)]
mod tests;
