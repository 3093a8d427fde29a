//! Whose turn it is, where several inputs are read at once and their records are taken in their order; and who waits for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What was read of inputs and waits for its turn: those who read stop where it would become too much, however many small
/// inputs are behind a large one. So does who holds too much of flows before its turn: what it would have to give up
/// for others is what a record depends on, and no record shall depend on how many files are read at once.
pub(super) struct Turns {
    most_bytes: usize,
    state: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    /// The input whose messages are taken.
    turn: usize,
    /// What waits of all inputs, and of each.
    bytes: usize,
    of_inputs: Vec<usize>,
    /// What is held of the flows of each that are open.
    held: Vec<usize>,
    /// Nobody takes anything any more.
    is_over: bool,
}

impl Line {
    /// True where `bytes` more of an input may wait: where there is room, or else one message at a time of that whose turn
    /// it is, for which all others wait.
    fn has_room(&self, input: usize, bytes: usize, most_bytes: usize) -> bool {
        self.bytes + bytes <= most_bytes
            || input == self.turn && self.of_inputs.get(input).is_none_or(|waiting| *waiting == 0)
    }

    /// True of an input that holds nothing, where it is its turn, or where all that wait for theirs hold no more than that.
    fn may_hold(&self, input: usize, most_bytes: usize) -> bool {
        let early = self.held.iter().enumerate().filter(|(other, _)| *other != self.turn);
        let is_needed = input == self.turn || self.held.get(input).is_none_or(|bytes| *bytes == 0);
        is_needed || early.fold(0_usize, |sum, (_, bytes)| sum.saturating_add(*bytes)) <= most_bytes
    }

    fn add(&mut self, input: usize, bytes: usize) {
        self.bytes += bytes;
        if let Some(waiting) = self.of_inputs.get_mut(input) {
            *waiting += bytes;
        }
    }

    fn take(&mut self, input: usize, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(waiting) = self.of_inputs.get_mut(input) {
            *waiting = waiting.saturating_sub(bytes);
        }
    }
}

impl Turns {
    pub fn new(inputs: usize, most_bytes: usize) -> Self {
        let line = Line { of_inputs: vec![0; inputs], held: vec![0; inputs], ..Line::default() };
        Self { most_bytes, state: Mutex::new(line), changed: Condvar::new() }
    }

    /// Nothing is left half done by whoever panics with it.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` more of an input may wait for whoever takes them; false where nobody does any more.
    pub fn reserve(&self, input: usize, bytes: usize) -> bool {
        let is_full = |line: &mut Line| !line.is_over && !line.has_room(input, bytes, self.most_bytes);
        let mut line = self.changed.wait_while(self.line(), is_full).unwrap_or_else(PoisonError::into_inner);
        if line.is_over {
            return false;
        }
        line.add(input, bytes);
        true
    }

    /// So much is held of the flows of an input: waits for its turn where that is too much. False where nobody takes
    /// anything any more.
    pub fn hold(&self, input: usize, bytes: usize) -> bool {
        let mut line = self.line();
        let is_less = line.held.get_mut(input).is_some_and(|held| std::mem::replace(held, bytes) > bytes);
        if is_less {
            self.changed.notify_all();
        }
        let is_full = |line: &mut Line| !line.is_over && !line.may_hold(input, self.most_bytes);
        !self.changed.wait_while(line, is_full).unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// For whoever takes what was read.
    pub const fn taking(&self) -> Taking<'_> {
        Taking(self)
    }
}

/// Ends the waiting of all who read once nobody takes anything, for whatever reason.
pub(super) struct Taking<'a>(&'a Turns);

impl Taking<'_> {
    /// So many bytes of an input were taken.
    pub fn received(&self, input: usize, bytes: usize) {
        self.0.line().take(input, bytes);
        self.0.changed.notify_all();
    }

    /// It is the turn of the next input.
    pub fn turn_to(&self, input: usize) {
        self.0.line().turn = input;
        self.0.changed.notify_all();
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.line().is_over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::sync_channel;

    use super::*;

    const BYTES: usize = 100;

    #[test]
    fn what_comes_before_its_turn_waits_only_where_there_is_room() {
        let mut line = Turns::new(3, 100).state.into_inner().unwrap();
        line.turn = 1;
        assert!(line.has_room(2, 100, 100) && !line.has_room(2, 101, 100));
        line.add(2, 90);
        assert!(!line.has_room(0, 11, 100) && !line.has_room(2, 11, 100));
        // All wait for the one whose turn it is.
        assert!(line.has_room(1, 1_000, 100));
        line.add(1, 1_000);
        assert!(!line.has_room(1, 1, 100));
        line.take(1, 1_000);
        assert!(line.has_room(1, 1_000, 100) && line.has_room(2, 10, 100));
    }

    #[test]
    fn no_more_waits_than_there_is_room_for_and_nobody_waits_for_ever() {
        const INPUTS: usize = 20;
        let turns = Turns::new(INPUTS, 3 * BYTES);
        let taking = turns.taking();
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..INPUTS).map(|_| sync_channel(4)).unzip();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((input, sender)) = Some(next.fetch_add(1, Ordering::Relaxed))
                        .and_then(|input| Some((input, senders.get(input)?)))
                    {
                        (0..5).for_each(|_| assert!(turns.reserve(input, BYTES) && sender.send(()).is_ok()));
                    }
                });
            }
            for (input, receiver) in receivers.into_iter().enumerate() {
                taking.turn_to(input);
                for () in receiver.iter().take(5) {
                    // One more where it is for the one whose turn it is.
                    assert!(turns.line().bytes <= 4 * BYTES);
                    taking.received(input, BYTES);
                }
            }
        });
        assert_eq!(turns.line().bytes, 0);
        // Who holds too much waits for its turn, and for nobody's end.
        assert!(turns.hold(INPUTS - 1, usize::MAX));
        std::thread::scope(|scope| {
            let early = scope.spawn(|| turns.hold(INPUTS - 2, 4 * BYTES));
            taking.turn_to(INPUTS - 2);
            assert!(early.join().unwrap());
            let late = scope.spawn(|| turns.hold(3, 2 * BYTES));
            assert!(turns.hold(INPUTS - 1, 0));
            assert!(late.join().unwrap());
        });
        // Nor for those who take no more.
        drop(taking);
        assert!(!turns.hold(0, 4 * BYTES));
        assert!(!turns.reserve(0, BYTES));
    }
}
