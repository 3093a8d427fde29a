//! The interfaces that a live source has met, and what was counted on each.
//!
//! A host that makes containers all day shows thousands of names. An interface that is gone keeps its place, and
//! with it its counts, while there are few of them; beyond, the place of the one that is gone for longest is
//! taken by the next one, and what it had counted goes on in the sum of all [`OTHERS`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::frame::Interface;
use super::live::{Count, LinkCounts, OTHERS};
use crate::model::Timestamp;

/// Places that are made before one is used again.
const KEPT: usize = 256;

/// The places, in the order of [`Frame::interface`](super::Frame::interface).
#[derive(Debug, Default)]
pub(super) struct Places {
    interfaces: Vec<Interface>,
    /// As long as `interfaces`.
    places: Vec<Place>,
    /// Places of interfaces that are gone: frames of them may still be under way, or not any more.
    leaving: Vec<usize>,
    free: VecDeque<usize>,
    /// What places had counted for interfaces before the present ones.
    others: Option<LinkCounts>,
}

#[derive(Debug, Default)]
struct Place {
    /// The kernel's number of the interface while it is watched.
    index: Option<u32>,
    counts: LinkCounts,
}

impl Places {
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The place of a watched interface by the kernel's number of it.
    pub fn of(&self, index: u32) -> Option<usize> {
        self.places.iter().position(|place| place.index == Some(index))
    }

    /// The places of interfaces that are watched, with the kernel's numbers of these.
    pub fn watched(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.index?)))
    }

    /// Where an interface can be put: where it was before, else at the end, else in the place of one that is
    /// gone. `None` where `most` are watched. Nothing changes before [`Places::settle`].
    pub fn find(&mut self, interface: &Interface, most: usize) -> Option<usize> {
        let is_vacant =
            |at: usize, places: &[Place]| places.get(at).is_some_and(|place| place.index.is_none());
        // An interface of the same name may be watched, in the moment between two of a name.
        let known = self
            .interfaces
            .iter()
            .enumerate()
            .find(|(at, known)| *known == interface && is_vacant(*at, &self.places));
        if let Some((at, _)) = known {
            return Some(at);
        }
        if self.places.len() < KEPT.min(most) {
            return Some(self.places.len());
        }
        while let Some(&at) = self.free.front() {
            if is_vacant(at, &self.places) {
                return Some(at);
            }
            self.free.pop_front();
        }
        (self.places.len() < most).then_some(self.places.len())
    }

    /// Puts an interface where [`Places::find`] said.
    pub fn settle(&mut self, at: usize, index: u32, interface: Interface) {
        self.free.retain(|free| *free != at);
        self.leaving.retain(|leaving| *leaving != at);
        let name = interface.name.clone().unwrap_or_default();
        let fresh =
            Place { index: Some(index), counts: LinkCounts { interface: name, ..LinkCounts::default() } };
        match (self.places.get_mut(at), self.interfaces.get_mut(at)) {
            (Some(place), Some(known)) if *known == interface => place.index = Some(index),
            (Some(place), Some(known)) => {
                let gone = std::mem::replace(place, fresh);
                *known = interface;
                let others = self.others.get_or_insert_with(|| LinkCounts {
                    interface: Arc::from(OTHERS),
                    ..LinkCounts::default()
                });
                others.add(&gone.counts);
            }
            _ => {
                self.places.push(fresh);
                self.interfaces.push(interface);
            }
        }
    }

    /// The interface is gone; gives its place.
    pub fn leave(&mut self, index: u32) -> Option<usize> {
        let at = self.of(index)?;
        if let Some(place) = self.places.get_mut(at) {
            place.index = None;
        }
        self.leaving.push(at);
        Some(at)
    }

    /// No frame of an interface that is gone is under way any more.
    pub fn note_empty(&mut self) {
        self.free.extend(self.leaving.drain(..));
    }

    /// Counts a frame that was handed over.
    #[inline]
    pub fn give(&mut self, at: usize, wire_bytes: u32) {
        if let Some(place) = self.places.get_mut(at) {
            place.counts.given.packets += 1;
            place.counts.given.bytes += u64::from(wire_bytes);
        }
    }

    /// Counts what was left out since the kernel part was asked last. Nobody is told when each packet came: some
    /// were there between that time and now, and asking is frequent.
    pub fn skip(&mut self, at: usize, reason: &'static str, count: Count) {
        if let Some(place) = self.places.get_mut(at) {
            place.counts.add_skipped(reason, count);
            if count.packets > 0 {
                place.counts.last_skipped = Some(now());
            }
        }
    }

    /// Counts what was lost; 0 shows that it is looked for.
    pub fn lose(&mut self, at: usize, stage: &'static str, reason: &'static str, packets: u64) {
        if let Some(place) = self.places.get_mut(at) {
            place.counts.add_dropped(stage, reason, packets);
        }
    }

    /// Counts what the kernel part met of one direction; 0 shows that it looks.
    pub fn meet(&mut self, at: usize, is_outgoing: bool, packets: u64) {
        let place = self.places.get_mut(at);
        if let Some(met) = place.and_then(|place| place.counts.met.get_mut(usize::from(is_outgoing))) {
            *met = Some(met.unwrap_or_default() + packets);
        }
    }

    /// What was counted, for each place and then for all others.
    pub fn counts(&self) -> Vec<LinkCounts> {
        let mut all: Vec<LinkCounts> =
            self.places.iter().map(|place| place.counts.clone()).chain(self.others.clone()).collect();
        for counts in &mut all {
            counts.sum_up();
        }
        all
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    fn interface(name: &str) -> Interface {
        Interface { link_type: LinkType::ETHERNET, name: Some(Arc::from(name)), kind: None }
    }

    fn come_and_go(places: &mut Places, name: &str, index: u32) -> usize {
        let at = places.find(&interface(name), 1_000).unwrap();
        places.settle(at, index, interface(name));
        places.give(at, 100);
        places.skip(at, "settled", Count { packets: 2, bytes: 20 });
        places.lose(at, "ring", "full", 3);
        assert_eq!(places.leave(index), Some(at));
        at
    }

    #[test]
    fn thousands_of_names_take_few_places_and_nothing_counted_is_lost() {
        let mut places = Places::default();
        for index in 0..2_000 {
            come_and_go(&mut places, &format!("veth{index}"), index);
            places.note_empty();
        }
        assert_eq!(places.interfaces().len(), KEPT);
        let counts = places.counts();
        assert_eq!((counts.len(), &*counts[KEPT].interface), (KEPT + 1, OTHERS));
        let sum = |of: fn(&LinkCounts) -> u64| counts.iter().map(of).sum::<u64>();
        assert_eq!(sum(|counts| counts.given.packets), 2_000);
        assert_eq!(sum(|counts| counts.seen.packets), 12_000);
        assert_eq!(sum(|counts| counts.dropped.iter().map(|dropped| dropped.2).sum()), 6_000);
        // The newest ones are still told apart.
        assert!(counts.iter().any(|counts| &*counts.interface == "veth1999"));
    }

    #[test]
    fn packets_that_are_left_out_are_packets_that_came() {
        let mut places = Places::default();
        places.settle(0, 1, interface("eth0"));
        places.skip(0, "settled", Count::default());
        assert_eq!(places.counts()[0].last_skipped, None, "nothing came");
        let before = now();
        places.skip(0, "settled", Count { packets: 1, bytes: 60 });
        let newest = places.counts()[0].last_skipped.unwrap();
        assert!(newest >= before && newest <= now(), "{newest}");
        places.skip(0, "settled", Count::default());
        assert_eq!(places.counts()[0].last_skipped, Some(newest));
    }

    #[test]
    fn the_same_name_is_the_same_interface() {
        let mut places = Places::default();
        assert_eq!(come_and_go(&mut places, "vti0", 7), 0);
        assert_eq!(come_and_go(&mut places, "vti0", 8), 0, "also while frames are under way");
        assert_eq!(places.counts().len(), 1);
        // Two of a name at once, for a moment.
        for index in [1, 2] {
            let at = places.find(&interface("vti0"), 1_000).unwrap();
            places.settle(at, index, interface("vti0"));
        }
        assert_eq!(places.of(2), Some(1));
    }

    #[test]
    fn a_place_is_not_taken_while_frames_are_under_way_or_it_is_watched() {
        let mut places = Places::default();
        for index in 0..KEPT as u32 {
            come_and_go(&mut places, &format!("veth{index}"), index);
        }
        assert_eq!(come_and_go(&mut places, "one-more", 9_000), KEPT);
        places.note_empty();
        let at = places.find(&interface("veth0"), 1_000).unwrap();
        places.settle(at, 1, interface("veth0"));
        assert_eq!(places.find(&interface("next"), 1_000), Some(1), "the first is there again");
        assert_eq!(places.find(&interface("next"), KEPT), Some(1));
        let mut full = Places::default();
        full.settle(0, 1, interface("a"));
        assert_eq!(full.find(&interface("b"), 1), None);
    }
}
