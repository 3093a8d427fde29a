//! All flows that are open: which packet belongs to which, and when each ends.
//!
//! A flow is the same addresses and ports, the same initial sequence numbers and the same first
//! bytes. Several such *instances* may share addresses and ports: a port is used again, or address
//! ranges overlap behind two mirror sessions. One instance may be seen through several *contexts*
//! (an interface and what the packets were wrapped in), also under other addresses where they
//! were translated on the way.
//!
//! Here is what it holds, and the way of a packet: `clock` hears its time, `choose` tells whose it is, `opening` makes a flow
//! of it, `taking` gives it to one, `closing` and `delivery` are what that does, `joining` finds flows that are one, and
//! `ending` lets them go; `going_on` knows them again in the next file. A `slot` is what it keeps of each.

mod choose;
mod clock;
mod closing;
mod delivery;
mod ending;
mod going_on;
mod joining;
mod opening;
mod slot;
mod taking;

use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use super::consumer::{Consumer, Moment};
use super::key::Key;
use super::wheel::Wheel;
use crate::decode::{Segment, TcpFlags};
use crate::model::{Side, Timestamp};
use choose::Choice;
pub use going_on::Kinship;
use slot::{Active, NONE, Phase, Slot};

/// What a record of the handshake begins with [RFC 8446 section 5.1].
const HANDSHAKE: u8 = 22;

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
    /// Flows that began.
    pub opened: u64,
    /// Flows that ended, for whichever reason.
    pub ended: u64,
    /// The most flows that were open at once.
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

/// A segment, the side of its flow that sent it, and when and where it was seen.
#[derive(Clone, Copy)]
struct Sighting<'a> {
    side: Side,
    segment: &'a Segment<'a>,
    moment: &'a Moment,
}

/// The flows.
pub struct Table<C: Consumer> {
    limits: Limits,
    hasher: RandomState,
    /// The slot of the oldest flow with the same addresses and ports; the others follow by [`Slot::next`].
    index: HashTable<u32>,
    slots: Vec<Slot<C::State>>,
    /// Slots without a flow.
    free: Vec<u32>,
    /// When each flow is to be looked at.
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
    /// Bytes of all flows that are open, with what they hold.
    held_bytes: usize,
    /// The slot at which a sample was taken last: each begins behind the one before, so that all have their turn.
    hand: usize,
    /// Flows that have not ended.
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

    /// Bytes of all flows that are open, with what is held of them in reassembly and inspection.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
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

    /// What an open flow takes beside its slot.
    fn active(&self, index: u32) -> Option<&Active<C::State>> {
        self.slots.get(index as usize)?.active.as_deref()
    }

    fn active_mut(&mut self, index: u32) -> Option<&mut Active<C::State>> {
        self.slots.get_mut(index as usize)?.active.as_deref_mut()
    }

    /// The slots of all flows with the addresses and ports of the one at `head`, the oldest first.
    fn chain(&self, head: u32) -> impl Iterator<Item = u32> {
        let mut next = head;
        std::iter::from_fn(move || {
            let index = next;
            next = self.slots.get(index as usize)?.next;
            Some(index)
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
            let sighting = Sighting { side: place.side, segment, moment };
            let index = self.open(place, sighting, consumer);
            return self.take(index, sighting, consumer);
        };
        if let Some(slot) = self.slots.get_mut(head as usize)
            // What is said where a closed connection was may be another one, of which no SYN was seen.
            && (slot.phase == Phase::Decided
                || slot.phase == Phase::Closed && segment.payload_wire_bytes == 0)
            && slot.next == NONE
            && segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) == 0
            && segment.payload.first() != Some(&HANDSHAKE)
        {
            // The common packet of a long transfer: its flow is decided, and nothing else matters.
            slot.last_seen = self.now;
            return Taken::Decided;
        }
        self.push_known(head, place, Sighting { side: place.side, segment, moment }, consumer)
    }

    /// Takes a segment whose addresses and ports are those of the flow at `head`, and perhaps of others.
    #[inline(never)]
    fn push_known(&mut self, head: u32, place: &Place, sighting: Sighting<'_>, consumer: &mut C) -> Taken {
        let mut next = head;
        while let Some(slot) = self.slots.get(next as usize) {
            let index = next;
            next = slot.next;
            self.unfold(index);
        }
        let choice = if sighting.segment.flags.has(TcpFlags::SYN) {
            self.choose_for_syn(head, sighting)
        } else {
            self.choose_for_data(head, sighting, consumer)
        };
        match choice {
            Choice::Instance(index) => {
                self.confirm(head, index, sighting, consumer);
                self.take(index, sighting, consumer)
            }
            Choice::New => self.push_new(head, place, sighting, consumer),
            Choice::OutOfWindow => Taken::OutOfWindow,
        }
    }

    /// Takes a segment that begins a flow beside the one at `head`.
    fn push_new(&mut self, head: u32, place: &Place, sighting: Sighting<'_>, consumer: &mut C) -> Taken {
        let context = sighting.moment.context;
        let twin = self.part(head, sighting);
        let is_doubted = twin.is_none() && self.goes_on(head, context);
        self.supersede(head, None, is_doubted, context, consumer);
        if !self.make_room_beside(head, consumer) {
            self.counts.beginnings_refused += 1;
            return Taken::NoRoom;
        }
        let index = self.open(place, sighting, consumer);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.is_doubted = is_doubted;
        }
        if let Some((base, has_base)) = twin
            && let Some(active) = self.active_mut(index)
        {
            for end in [0, 1] {
                if has_base[end] {
                    active.streams[end].anchor(base[end], true);
                }
            }
        }
        self.take(index, sighting, consumer)
    }
}

#[cfg(test)]
mod tests;
