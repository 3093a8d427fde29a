//! Numbers for the ways packets are seen: an interface and what they were wrapped in.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::{Encapsulation, Timestamp};

/// The most ways that are told apart; VXLAN alone could name 16 million. Further ones share the last number, which
/// says nothing, and are counted.
const MAX_CONTEXTS: usize = 65_536;

/// What stands for an interface that is not known any more.
const NO_INTERFACE: u32 = u32::MAX;

/// A way by an interface that is long gone is used again after this time: no flow that was seen by it is still
/// undecided.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

#[derive(Default)]
pub(super) struct Contexts {
    numbers: HashMap<(u32, Encapsulation), u32, RandomState>,
    list: Vec<(u32, Encapsulation)>,
    /// The context of bare packets, per interface.
    bare: Vec<Option<u32>>,
    last: u32,
    refused: u64,
    /// Contexts of interfaces that are gone, and since when, the oldest first.
    free: VecDeque<(Timestamp, u32)>,
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
        if let Some((known_interface, known)) = self.list.get(self.last as usize)
            && *known_interface == interface
            && known == encapsulation
        {
            return self.last;
        }
        self.number_of_new(interface, encapsulation, now)
    }

    /// The interface, where it is known, and the encapsulation of a number.
    pub fn get(&self, number: u32) -> Option<(Option<u32>, &Encapsulation)> {
        let (interface, encapsulation) = self.list.get(number as usize)?;
        Some(((*interface != NO_INTERFACE).then_some(*interface), encapsulation))
    }

    /// How often there was no room for a new way.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The number of an interface stands for another one from now on. Flows that were seen by the former one no
    /// longer tell which it was.
    pub fn forget(&mut self, interface: u32, now: Timestamp) {
        self.numbers.retain(|(known, _), _| *known != interface);
        for (number, (known, _)) in (0..).zip(&mut self.list) {
            if *known == interface {
                *known = NO_INTERFACE;
                self.free.push_back((now, number));
            }
        }
        if let Some(bare) = self.bare.get_mut(interface as usize) {
            *bare = None;
        }
    }

    fn number_of_new(&mut self, interface: u32, encapsulation: &Encapsulation, now: Timestamp) -> u32 {
        let key = (interface, encapsulation.clone());
        let number = match self.numbers.get(&key) {
            Some(&number) => number,
            None => self.make(key, now),
        };
        if encapsulation.is_empty() && (interface as usize) < MAX_CONTEXTS {
            let at = interface as usize;
            if self.bare.len() <= at {
                self.bare.resize(at + 1, None);
            }
            self.bare[at] = Some(number);
        } else {
            self.last = number;
        }
        number
    }

    fn make(&mut self, key: (u32, Encapsulation), now: Timestamp) -> u32 {
        if let Some((since, number)) = self.free.front().copied()
            && now.since(since) >= FORGOTTEN
            && let Some(place) = self.list.get_mut(number as usize)
        {
            self.free.pop_front();
            *place = key.clone();
            self.numbers.insert(key, number);
            return number;
        }
        if self.list.len() >= MAX_CONTEXTS - 1 {
            self.refused += 1;
            if self.list.len() < MAX_CONTEXTS {
                self.list.push((NO_INTERFACE, Encapsulation::default()));
            }
            return (MAX_CONTEXTS - 1) as u32;
        }
        let number = self.list.len() as u32;
        self.list.push(key.clone());
        self.numbers.insert(key, number);
        number
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
            let (interface, encapsulation) = contexts.get(number).unwrap();
            if (vni as usize) < MAX_CONTEXTS - 1 {
                assert_eq!((interface, encapsulation), (Some(3), &wrapped(vni)));
            } else {
                assert_eq!((interface, encapsulation.is_empty()), (None, true));
            }
        }
        assert_eq!(contexts.refused(), 70_000 - (MAX_CONTEXTS as u64 - 1));
        assert_eq!(contexts.list.len(), MAX_CONTEXTS);
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
        assert!(contexts.list.len() < 5 && contexts.refused() == 0);
    }
}
