//! Deadlines on packet time, cheap because they are checked late rather than moved on every packet.

use crate::model::Timestamp;

/// Seconds in the wheel; a deadline farther away waits in the last one and is looked at again.
const SECONDS: usize = 512;

/// What is overdue is one list more, behind those of the seconds.
const OVERDUE: usize = SECONDS;

/// Nodes in front of those of the flows: each list has one that stands for its end and its beginning.
const LISTS: usize = SECONDS + 1;

/// A timing wheel of flow indices. A flow waits at one place at most, so the wheel never takes more than its nodes,
/// however often flows are scheduled. It fires at or after its deadline, in the order of deadlines by second and of
/// scheduling within a second, so that the same packets always give the same order.
#[derive(Debug)]
pub struct Wheel {
    /// The second that the list `first` stands for.
    base: u64,
    first: usize,
    /// Those of the lists, then one for each flow.
    nodes: Vec<Node>,
    /// Flows in all lists.
    waiting: usize,
    /// There may be flows in the list of what is overdue.
    has_overdue: bool,
}

/// A place in a list that is closed to a ring. One that is in none is its own neighbour.
#[derive(Clone, Copy, Debug)]
struct Node {
    before: u32,
    after: u32,
}

impl Node {
    const fn alone(at: usize) -> Self {
        Self { before: at as u32, after: at as u32 }
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            base: 0,
            first: 0,
            nodes: (0..LISTS).map(Node::alone).collect(),
            waiting: 0,
            has_overdue: false,
        }
    }
}

impl Wheel {
    /// Plans a look at flow `index` at `deadline`, and no other one.
    pub fn schedule(&mut self, index: u32, deadline: Timestamp, now: Timestamp) {
        self.cancel(index);
        if self.waiting == 0 {
            // Nothing waits: the wheel starts anew, so a long silence costs nothing.
            self.base = now.as_seconds();
        }
        let node = LISTS + index as usize;
        while self.nodes.len() <= node {
            self.nodes.push(Node::alone(self.nodes.len()));
        }
        let ahead = deadline.as_seconds().saturating_sub(self.base).min(SECONDS as u64 - 1) as usize;
        let list = (self.first + ahead) % SECONDS;
        let (last, _) = self.around(list);
        self.link(last, node);
        self.link(node, list);
        self.waiting += 1;
    }

    /// Plans a look at flow `index` at `deadline`, unless one is planned.
    pub fn schedule_first(&mut self, index: u32, deadline: Timestamp, now: Timestamp) {
        let node = LISTS + index as usize;
        if self.around(node) == (node, node) {
            self.schedule(index, deadline, now);
        }
    }

    /// Plans no look at flow `index` any more.
    pub fn cancel(&mut self, index: u32) {
        let node = LISTS + index as usize;
        let (before, after) = self.around(node);
        if before != node {
            self.link(before, after);
            self.link(node, node);
            self.waiting -= 1;
        }
    }

    /// Begins anew at an earlier moment: what waits, waits as long from there.
    pub fn restart(&mut self, now: Timestamp) {
        self.base = self.base.min(now.as_seconds());
    }

    /// True when [`Wheel::next_due`] would give something or move on.
    #[inline]
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.waiting > 0 && (self.has_overdue || now.as_seconds() > self.base)
    }

    /// The next flow whose second is over; it waits no longer.
    pub fn next_due(&mut self, now: Timestamp) -> Option<u32> {
        loop {
            let (_, next) = self.around(OVERDUE);
            if let Some(index) = next.checked_sub(LISTS) {
                self.cancel(index as u32);
                return Some(index as u32);
            }
            self.has_overdue = false;
            self.turn(now);
            if !self.has_overdue {
                return None;
            }
        }
    }

    /// Makes overdue what waits in the oldest second that is over, if one is; in all seconds, where all are over.
    fn turn(&mut self, now: Timestamp) {
        let now = now.as_seconds();
        if now.saturating_sub(self.base) >= SECONDS as u64 {
            // The clock has leapt: what goes on waiting begins from here, not from each of the seconds between, of which
            // there may be billions.
            for list in (self.first..SECONDS).chain(0..self.first) {
                self.end_second(list);
            }
            self.base = now;
        }
        while !self.has_overdue && self.is_due(Timestamp::from_seconds(now)) {
            self.end_second(self.first);
            self.first = (self.first + 1) % SECONDS;
            self.base += 1;
        }
    }

    /// Moves a whole list behind what is overdue.
    fn end_second(&mut self, list: usize) {
        let (last, first) = self.around(list);
        if first != list {
            let (end, _) = self.around(OVERDUE);
            self.link(end, first);
            self.link(last, OVERDUE);
            self.link(list, list);
            self.has_overdue = true;
        }
    }

    /// Both neighbours of a node.
    fn around(&self, node: usize) -> (usize, usize) {
        self.nodes.get(node).map_or((node, node), |node| (node.before as usize, node.after as usize))
    }

    fn link(&mut self, before: usize, after: usize) {
        if let Some(node) = self.nodes.get_mut(before) {
            node.after = after as u32;
        }
        if let Some(node) = self.nodes.get_mut(after) {
            node.before = before as u32;
        }
    }

    /// Flows that wait.
    #[cfg(test)]
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn due(wheel: &mut Wheel, seconds: u64) -> Vec<u32> {
        std::iter::from_fn(|| wheel.next_due(at(seconds))).collect()
    }

    #[test]
    fn fires_after_the_deadline_in_order() {
        let mut wheel = Wheel::default();
        for (index, deadline) in [(1, 105), (2, 103), (4, 105), (0, 105), (3, 9_000)] {
            wheel.schedule(index, at(deadline), at(100));
        }
        assert_eq!(due(&mut wheel, 106), [2, 1, 4, 0]);
        assert_eq!(due(&mut wheel, 10_000), [3]);
        assert!(!wheel.is_due(at(u32::MAX.into())));
    }

    #[test]
    fn a_flow_waits_at_one_place() {
        let mut wheel = Wheel::default();
        wheel.schedule(1, at(110), at(100));
        wheel.schedule(2, at(120), at(100));
        for turn in 0..10_000 {
            wheel.schedule(0, at(100 + turn % 300), at(100));
            assert_eq!((wheel.waiting, wheel.nodes.len()), (3, LISTS + 3));
        }
        // Sooner, or later.
        wheel.schedule(0, at(105), at(100));
        assert_eq!(wheel.next_due(at(106)), Some(0));
        wheel.schedule(0, at(150), at(106));
        wheel.schedule(0, at(115), at(106));
        wheel.schedule(1, at(120), at(106));
        wheel.schedule_first(2, at(110), at(106));
        assert_eq!(due(&mut wheel, 121), [0, 2, 1]);
        wheel.schedule_first(2, at(130), at(121));
        assert_eq!(due(&mut wheel, 131), [2]);
        assert_eq!((due(&mut wheel, 1_000), wheel.waiting), (vec![0; 0], 0));
    }

    #[test]
    fn what_is_overdue_may_be_cancelled_and_wait_anew() {
        let mut wheel = Wheel::default();
        for index in 0..4 {
            wheel.schedule(index, at(105), at(100));
        }
        assert_eq!(wheel.next_due(at(106)), Some(0));
        wheel.cancel(1);
        wheel.cancel(1);
        wheel.schedule(2, at(107), at(106));
        // Still so, though the clock does not move.
        assert!(wheel.is_due(at(106)));
        assert_eq!(due(&mut wheel, 106), [3]);
        assert!(!wheel.is_due(at(106)));
        assert_eq!(due(&mut wheel, 108), [2]);
        assert_eq!(wheel.waiting, 0);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_nothing() {
        let mut wheel = Wheel::default();
        wheel.schedule(1, at(9_060), at(9_000));
        wheel.restart(at(1_000));
        wheel.schedule(2, at(1_005), at(1_000));
        assert_eq!(due(&mut wheel, 1_006), [2]);
        assert_eq!(due(&mut wheel, 1_060), [0; 0]);
        assert_eq!(due(&mut wheel, 1_061), [1]);
    }

    #[test]
    fn a_clock_that_leaps_looks_at_each_flow_once() {
        let mut wheel = Wheel::default();
        let now = 1_793_501_640;
        // The wheel has turned before.
        wheel.schedule(1, at(now - 100), at(now - 400));
        assert_eq!(due(&mut wheel, now - 99), [1]);
        wheel.schedule(1, at(now + 60), at(now));
        wheel.schedule(2, at(now + 5), at(now));
        wheel.restart(at(0));
        assert_eq!(due(&mut wheel, now), [2, 1]);
        wheel.schedule(1, at(now + 60), at(now));
        assert!(!wheel.is_due(at(now)));
        assert_eq!(due(&mut wheel, now + 60), [0; 0]);
        assert_eq!(due(&mut wheel, now + 61), [1]);
    }

    #[test]
    fn starts_anew_once_nothing_waits() {
        let mut wheel = Wheel::default();
        for second in [100, 1_000_000_000, 4_000_000_000] {
            wheel.schedule(1, at(second + 60), at(second));
            assert_eq!(due(&mut wheel, second + 60), [0; 0]);
            assert_eq!(due(&mut wheel, second + 10_000), [1]);
            assert_eq!((wheel.waiting, wheel.is_due(at(second + 20_000))), (0, false));
        }
    }
}
