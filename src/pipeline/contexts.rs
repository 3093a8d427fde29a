//! Numbers for the ways packets are seen: an interface and what they were wrapped in.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::{Encapsulation, Layer, Layers, Timestamp};

/// The most ways that are told apart; VXLAN alone could name 16 million. Further ones share the last number, which
/// says nothing, and are counted.
const MAX_CONTEXTS: usize = 1 << INDEX_BITS;

/// A number is the place of a way, and above it how often the place was given to another way.
const INDEX_BITS: u32 = 16;
const INDEX: u32 = (1 << INDEX_BITS) - 1;

/// What stands for an interface that is not known any more.
const NO_INTERFACE: u32 = u32::MAX;

/// The place of a way that nothing came by for so long is given to another one; of a flow that is still open
/// then it is no longer told that it was seen there.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// How often those are looked for at most, by packet time.
const SWEEP: Duration = Duration::from_secs(600);

struct Way {
    interface: u32,
    layers: Layers,
    /// At the latest when something came by another way after it.
    used: Timestamp,
    generation: u16,
}

#[derive(Default)]
pub(super) struct Contexts {
    hasher: RandomState,
    /// Places by what is there.
    places: HashTable<u32>,
    ways: Vec<Way>,
    /// The context of bare packets, per interface.
    bare: Vec<Option<u32>>,
    /// The number of the way the last packet took that was none of those.
    last: Option<u32>,
    refused: u64,
    /// Places of forgotten ways.
    free: Vec<u32>,
    swept: Timestamp,
}

impl Contexts {
    /// The number of a way; `now` is packet time.
    #[inline]
    pub fn number(&mut self, interface: u32, encapsulation: &Encapsulation, now: Timestamp) -> u32 {
        if encapsulation.is_empty()
            && let Some(Some(number)) = self.bare.get(interface as usize)
        {
            return *number;
        }
        if let Some(last) = self.last
            && let Some(way) = self.ways.get((last & INDEX) as usize)
            && way.is(interface, encapsulation.layers())
        {
            return last;
        }
        self.number_of_other(interface, encapsulation.layers(), now)
    }

    /// The interface, where it is known, and the layers of a number; `None` where it is known no more.
    pub fn get(&self, number: u32) -> Option<(Option<u32>, &Layers)> {
        let way = self.ways.get((number & INDEX) as usize)?;
        if u32::from(way.generation) != number >> INDEX_BITS {
            return None;
        }
        Some(((way.interface != NO_INTERFACE).then_some(way.interface), &way.layers))
    }

    /// How often there was no room for a new way.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The number of an interface stands for another one from now on. Flows that were seen by the former one no
    /// longer tell which it was.
    pub fn forget(&mut self, interface: u32, now: Timestamp) {
        let ways = &mut self.ways;
        self.places
            .retain(|&mut place| ways.get(place as usize).is_some_and(|way| way.interface != interface));
        for way in ways {
            if way.interface == interface {
                way.interface = NO_INTERFACE;
                way.used = now;
            }
        }
        if let Some(bare) = self.bare.get_mut(interface as usize) {
            *bare = None;
        }
    }

    fn number_of_other(&mut self, interface: u32, layers: &[Layer], now: Timestamp) -> u32 {
        if let Some(left) = self.last.and_then(|last| self.ways.get_mut((last & INDEX) as usize)) {
            left.used = now;
        }
        let hash = self.hasher.hash_one((interface, layers));
        let ways = &self.ways;
        let known = self
            .places
            .find(hash, |&place| ways.get(place as usize).is_some_and(|way| way.is(interface, layers)))
            .copied();
        let place = match known {
            Some(place) => place,
            None => self.make(interface, layers, hash, now),
        };
        let Some(way) = self.ways.get_mut(place as usize) else { return place };
        way.used = now;
        let number = u32::from(way.generation) << INDEX_BITS | place;
        if layers.is_empty() && (interface as usize) < MAX_CONTEXTS && way.interface == interface {
            let at = interface as usize;
            if self.bare.len() <= at {
                self.bare.resize(at + 1, None);
            }
            self.bare[at] = Some(number);
        } else {
            self.last = Some(number);
        }
        number
    }

    /// The place of a way that was not known.
    #[cold]
    fn make(&mut self, interface: u32, layers: &[Layer], hash: u64, now: Timestamp) -> u32 {
        // Not before what the last one found is used up: times that jump shall not make one per packet.
        if self.free.is_empty() && now.since(self.swept) >= SWEEP {
            self.sweep(now);
        }
        let way = Way { interface, layers: layers.into(), used: now, generation: 0 };
        let place = if let Some(place) = self.free.pop() {
            if let Some(old) = self.ways.get_mut(place as usize) {
                let generation = old.generation.wrapping_add(1);
                *old = Way { generation, ..way };
            }
            place
        } else if self.ways.len() < MAX_CONTEXTS - 1 {
            self.ways.push(way);
            (self.ways.len() - 1) as u32
        } else {
            self.refused += 1;
            if self.ways.len() < MAX_CONTEXTS {
                self.ways.push(Way { interface: NO_INTERFACE, layers: Layers::default(), ..way });
            }
            return (MAX_CONTEXTS - 1) as u32;
        };
        let (hasher, ways) = (&self.hasher, &self.ways);
        self.places.insert_unique(hash, place, |&place| {
            ways.get(place as usize).map_or(0, |way| hasher.hash_one((way.interface, &*way.layers)))
        });
        place
    }

    /// Finds the places of ways that nothing came by for long. Bare packets of an interface that is there keep theirs.
    fn sweep(&mut self, now: Timestamp) {
        self.swept = now;
        let last = self.last.map(|last| last & INDEX);
        for (place, way) in (0..INDEX).zip(&self.ways) {
            let may_leave = !way.layers.is_empty() || way.interface == NO_INTERFACE;
            if may_leave && now.since(way.used) >= FORGOTTEN && last != Some(place) {
                self.free.push(place);
            }
        }
        // The oldest place is given first.
        self.free.reverse();
        let (ways, free) = (&mut self.ways, &self.free);
        for place in free {
            if let Some(way) = ways.get_mut(*place as usize) {
                way.interface = NO_INTERFACE;
            }
        }
        self.places
            .retain(|&mut place| ways.get(place as usize).is_some_and(|way| way.interface != NO_INTERFACE));
    }
}

impl Way {
    #[inline]
    fn is(&self, interface: u32, layers: &[Layer]) -> bool {
        self.interface == interface && *self.layers == *layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Layer;

    fn wrapped(vni: u32) -> Encapsulation {
        let mut encapsulation = Encapsulation::default();
        assert!(encapsulation.push(Layer::Vxlan(vni)));
        encapsulation
    }

    #[test]
    fn what_finds_no_room_says_nothing_rather_than_something_else() {
        let mut contexts = Contexts::default();
        let now = Timestamp::default();
        for vni in 0..70_000 {
            let number = contexts.number(3, &wrapped(vni), now);
            let (interface, layers) = contexts.get(number).unwrap();
            if (vni as usize) < MAX_CONTEXTS - 1 {
                assert_eq!((interface, &**layers), (Some(3), &[Layer::Vxlan(vni)][..]));
            } else {
                assert_eq!((interface, layers.is_empty()), (None, true));
            }
        }
        assert_eq!(contexts.refused(), 70_000 - (MAX_CONTEXTS as u64 - 1));
        assert_eq!(contexts.ways.len(), MAX_CONTEXTS);
    }

    #[test]
    fn an_interface_that_is_gone_is_not_taken_for_the_next_one() {
        let mut contexts = Contexts::default();
        let bare = Encapsulation::default();
        let at = Timestamp::from_seconds;
        let first = contexts.number(3, &bare, at(1));
        contexts.forget(3, at(2));
        let second = contexts.number(3, &bare, at(3));
        assert_ne!(first, second);
        assert_eq!(contexts.get(first).unwrap().0, None);
        assert_eq!(contexts.get(second).unwrap().0, Some(3));
        // For years.
        for day in 1..100_000 {
            contexts.forget(3, at(86_400 * day));
            contexts.number(3, &bare, at(86_400 * day + 1));
        }
        assert!(contexts.ways.len() < 5 && contexts.refused() == 0);
    }

    #[test]
    fn a_way_that_was_long_not_used_makes_room() {
        let mut contexts = Contexts::default();
        let at = Timestamp::from_seconds;
        for vni in 0..70_000 {
            contexts.number(3, &wrapped(vni), at(10));
        }
        let refused = contexts.refused();
        let kept = contexts.number(3, &wrapped(7), at(3_000));
        // Too early to forget.
        contexts.number(3, &wrapped(100_000), at(3_500));
        assert_eq!(contexts.refused(), refused + 1);
        let number = contexts.number(3, &wrapped(100_001), at(4_200));
        assert_eq!(contexts.refused(), refused + 1);
        assert_eq!(&**contexts.get(number).unwrap().1, [Layer::Vxlan(100_001)]);
        // What was used since stays, and flows that tell of one that left are told nothing, not something else.
        assert_eq!(contexts.number(3, &wrapped(7), at(4_201)), kept);
        assert_eq!(contexts.get(number & INDEX).map(|(interface, _)| interface), None);
        for vni in 0..65_000 {
            let number = contexts.number(4, &wrapped(vni), at(4_300));
            assert_eq!(
                (contexts.get(number).unwrap().0, &**contexts.get(number).unwrap().1),
                (Some(4), &[Layer::Vxlan(vni)][..])
            );
        }
        assert_eq!((contexts.refused(), contexts.ways.len()), (refused + 1, MAX_CONTEXTS));
    }
}
