//! One flow as the table keeps it: what stays of every flow, and what an open one takes beside it.

use std::hash::BuildHasher;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;

use crate::flow::consumer::{Ending, FlowView, MAX_CONTEXTS, Moment};
use crate::flow::key::Key;
use crate::flow::stream::Stream;
use crate::model::{Side, Timestamp};

/// In place of the index of a slot, where there is none.
pub(super) const NONE: u32 = u32::MAX;

/// Record header, handshake header, version and random of a hello: enough to tell two apart.
pub(super) const HEAD_BYTES: usize = 43;

/// How far a flow is, as its slot knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The slot is free.
    Unused,
    /// Nothing but one SYN was seen. A flood has nothing else, so no more is kept than it said.
    Opened,
    /// There is an [`Active`].
    Active,
    /// Over: nothing more can be learned, or it was left.
    Decided,
    /// Over: the connection itself has ended.
    Closed,
    /// It is another one, seen under other addresses, and goes on there.
    Translated,
}

/// What stands before `generation` is all that a packet of a decided flow needs: one line of the cache.
#[repr(C, align(64))]
pub(super) struct Slot<S> {
    pub key: Key,
    /// There in [`Phase::Active`].
    pub active: Option<Box<Active<S>>>,
    pub last_seen: Timestamp,
    /// Next instance with the same key.
    pub next: u32,
    pub has_base: [bool; 2],
    pub phase: Phase,
    /// It began where another connection was going on, and nothing has followed that belongs to it.
    pub is_doubted: bool,
    /// Counts the flows that had this slot, to tell one from those before it.
    pub generation: u32,
    /// Sequence number of the first byte of each side, where `has_base` says that it is known.
    pub base: [u32; 2],
    /// [`head_hash`] of what each side began with; 0 where that is not known.
    pub head: [u32; 2],
    /// Of the first packet, as `interface` and `first_seen`.
    pub context: u32,
    pub interface: u32,
    /// Of a flow that turned out to be another one, under other addresses.
    pub translated: Option<Translated>,
    pub first_seen: Timestamp,
    /// Of an open flow the number of its first frame, of an ended one [`Slot::ends`]: neither needs the other.
    pub frame_or_ends: u64,
    /// Of the client's first bytes and where they stand, by which it is known under other addresses; 0 before they came.
    pub view_hash: u64,
}

/// Where a flow goes on that was seen under other addresses, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Translated {
    pub slot: u32,
    pub generation: u32,
    /// Side A of the one is side B of the other.
    pub is_turned: bool,
}

impl Translated {
    /// The side there that is `side` here.
    pub const fn side(self, side: Side) -> Side {
        if self.is_turned { side.other() } else { side }
    }
}

impl<S> Slot<S> {
    /// Of a flow whose first packet was seen at this `moment`, which is yet to be given to it.
    pub const fn opened(key: Key, moment: &Moment, now: Timestamp) -> Self {
        Self {
            key,
            active: None,
            last_seen: now,
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
        }
    }

    /// Sequence numbers behind the last byte that was delivered of each side, of a flow that has ended; 0 where
    /// nothing is known of a side.
    pub const fn ends(&self) -> [u32; 2] {
        [self.frame_or_ends as u32, (self.frame_or_ends >> 32) as u32]
    }

    /// Keeps of a flow that ends how far its sides came.
    pub fn set_ends(&mut self, [a, b]: [u32; 2]) {
        self.frame_or_ends = u64::from(a) | u64::from(b) << 32;
    }
}

/// What an open flow takes beside its slot.
pub(super) struct Active<S> {
    pub view: FlowView,
    pub interfaces: ArrayVec<u32, MAX_CONTEXTS>,
    pub streams: [Stream; 2],
    pub state: S,
    pub syn_at: Option<Timestamp>,
    pub syn_ack_at: Option<Timestamp>,
    /// How it will end, by the first FIN or RST.
    pub closing: Option<Ending>,
    /// What the first FIN or RST that was seen acknowledges.
    pub closing_acknowledges: Option<u32>,
    /// RST was seen, and believed.
    pub is_reset: bool,
    /// How and when it ended, and its number among all that lingered; it waits for what other interfaces show of it.
    pub lingering: Option<(Ending, Timestamp, u64)>,
    /// The opener was answered with different numbers; it has not said yet which it took.
    pub is_answer_disputed: bool,
    /// Its first bytes are those of another flow, from which it cannot be told on the interfaces so far.
    pub awaits_join: bool,
    /// Bytes that the table counted of it.
    pub held_bytes: usize,
}

impl<S: Default> Active<S> {
    /// Of a flow whose first packet, yet to be given to it, is in its slot.
    pub fn new(slot: &Slot<S>) -> Self {
        Self {
            view: FlowView {
                key: slot.key,
                first_seen: slot.first_seen,
                first_frame: slot.frame_or_ends,
                originator: None,
                has_syn: false,
                has_packets: [false; 2],
                has_payload: false,
                contexts: ArrayVec::new(),
                has_more_contexts: false,
                translated: Vec::new(),
                round_trip: None,
                lost_bytes: false,
                has_disagreement: false,
                is_left_open: [false; 2],
                is_end_doubtful: false,
                is_closed_knowingly: false,
                left: None,
            },
            interfaces: ArrayVec::new(),
            streams: [Stream::default(), Stream::default()],
            state: S::default(),
            syn_at: None,
            syn_ack_at: None,
            closing: None,
            closing_acknowledges: None,
            is_reset: false,
            lingering: None,
            is_answer_disputed: false,
            awaits_join: false,
            held_bytes: size_of::<Self>(),
        }
    }

    /// Of a flow whose first packet was the SYN that its slot tells of.
    pub fn after_syn(slot: &Slot<S>) -> Self {
        let mut active = Self::new(slot);
        let side = if slot.has_base[Side::A.index()] { Side::A } else { Side::B };
        active.view.contexts.push(slot.context);
        active.interfaces.push(slot.interface);
        active.view.has_packets[side.index()] = true;
        active.view.originator = Some(side);
        active.view.has_syn = true;
        active.syn_at = Some(slot.first_seen);
        active.streams[side.index()].anchor(slot.base[side.index()], true);
        active
    }
}

/// Tells connections apart that begin at the same place; never 0.
pub(super) fn head_hash(hasher: &RandomState, payload: &[u8]) -> Option<u32> {
    let head = payload.get(..HEAD_BYTES)?;
    Some((hasher.hash_one(head) as u32).max(1))
}
