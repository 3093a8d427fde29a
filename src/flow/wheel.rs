//! Deadlines on packet time, cheap because they are checked late rather than moved on every packet.

use std::collections::VecDeque;

use crate::model::Timestamp;

/// Slots of one second each; a deadline farther away waits in the last slot and is looked at again.
const SLOTS: u64 = 512;

/// A timing wheel of flow indices. An entry fires at or after its deadline, in the order of
/// deadlines by second and of insertion within a second, so that the same packets always give the
/// same order.
#[derive(Debug, Default)]
pub struct Wheel {
    /// The second that `slots[0]` stands for.
    base: u64,
    slots: VecDeque<Vec<(u32, u32)>>,
    /// Entries in all slots.
    waiting: usize,
}

impl Wheel {
    /// Plans a look at flow `index` (of `generation`) at `deadline`.
    pub fn schedule(&mut self, index: u32, generation: u32, deadline: Timestamp, now: Timestamp) {
        if self.slots.is_empty() {
            self.base = now.as_seconds();
        }
        let slot = deadline.as_seconds().saturating_sub(self.base).min(SLOTS - 1) as usize;
        while self.slots.len() <= slot {
            self.slots.push_back(Vec::new());
        }
        if let Some(entries) = self.slots.get_mut(slot) {
            entries.push((index, generation));
            self.waiting += 1;
        }
    }

    /// Begins anew at an earlier moment: what waits, waits as long from there.
    pub fn restart(&mut self, now: Timestamp) {
        self.base = self.base.min(now.as_seconds());
    }

    /// True when [`Wheel::take_due`] would give something or move on.
    #[inline]
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.slots.is_empty() && now.as_seconds() > self.base
    }

    /// The entries of the oldest second that is over, if one is; those of all seconds, where all are over.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Vec<(u32, u32)>> {
        // The clock has leapt: what goes on waiting begins from here, not from each of the seconds between, of which
        // there may be billions.
        if now.as_seconds().saturating_sub(self.base) >= self.slots.len() as u64 {
            let entries: Vec<(u32, u32)> = self.slots.drain(..).flatten().collect();
            self.waiting = 0;
            return (!entries.is_empty()).then_some(entries);
        }
        while self.is_due(now) {
            let entries = self.slots.pop_front()?;
            self.base += 1;
            self.waiting -= entries.len();
            if self.waiting == 0 {
                // Nothing waits: the next entry starts the wheel anew, so a long silence costs nothing.
                self.slots.clear();
            }
            if !entries.is_empty() {
                return Some(entries);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn fires_after_the_deadline_in_order() {
        let mut wheel = Wheel::default();
        wheel.schedule(1, 0, at(105), at(100));
        wheel.schedule(2, 0, at(103), at(100));
        wheel.schedule(3, 0, at(9_000), at(100));
        let mut fired = Vec::new();
        while let Some(entries) = wheel.take_due(at(106)) {
            fired.extend(entries.into_iter().map(|(index, _)| index));
        }
        assert_eq!(fired, [2, 1]);
        let mut later = Vec::new();
        while let Some(entries) = wheel.take_due(at(10_000)) {
            later.extend(entries);
        }
        assert_eq!(later, [(3, 0)]);
        assert!(!wheel.is_due(at(u32::MAX.into())));
    }

    #[test]
    fn a_clock_that_was_set_back_delays_nothing() {
        let mut wheel = Wheel::default();
        wheel.schedule(1, 0, at(9_060), at(9_000));
        wheel.restart(at(1_000));
        wheel.schedule(2, 0, at(1_005), at(1_000));
        assert_eq!(wheel.take_due(at(1_006)), Some(vec![(2, 0)]));
        assert_eq!(wheel.take_due(at(1_060)), None);
        assert_eq!(wheel.take_due(at(1_061)), Some(vec![(1, 0)]));
    }

    #[test]
    fn a_clock_that_leaps_looks_at_each_entry_once() {
        let mut wheel = Wheel::default();
        let now = 1_793_501_640;
        wheel.schedule(1, 0, at(now + 60), at(now));
        wheel.schedule(2, 0, at(now + 5), at(now));
        wheel.restart(at(0));
        assert_eq!(wheel.take_due(at(now)), Some(vec![(2, 0), (1, 0)]));
        wheel.schedule(1, 0, at(now + 60), at(now));
        assert!(!wheel.is_due(at(now)));
        assert_eq!(wheel.take_due(at(now + 60)), None);
        assert_eq!(wheel.take_due(at(now + 61)), Some(vec![(1, 0)]));
    }

    #[test]
    fn starts_anew_once_nothing_waits() {
        let mut wheel = Wheel::default();
        for second in [100, 1_000_000_000, 4_000_000_000] {
            wheel.schedule(1, 0, at(second + 60), at(second));
            assert_eq!(wheel.take_due(at(second + 60)), None);
            assert_eq!(wheel.take_due(at(second + 10_000)), Some(vec![(1, 0)]));
            assert_eq!((wheel.waiting, wheel.slots.len()), (0, 0));
        }
    }
}
