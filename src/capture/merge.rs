//! Frames of several interfaces in one order of time.
//!
//! Each interface gives its frames in order, but in batches that come up late: the answer may be read before
//! the question that came in elsewhere. So a frame is given when every other interface shows a later
//! one, or when it is so old itself that the others' older batches must be up, too.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The frames of one interface, oldest first.
pub(super) trait Queue {
    /// The time of the oldest frame, and the moment of that time as [`moment_of`] tells it; looks for a new batch
    /// where the last one is used up.
    fn head(&mut self, now: Instant) -> Option<(Timestamp, Instant)>;

    /// The time of the oldest frame, if the batch has one more.
    fn head_in_batch(&self) -> Option<Timestamp>;

    /// Gives the oldest frame away; whether another one is wanted.
    fn take_head(&mut self, take: &mut TakeOne<'_>) -> ControlFlow<()>;
}

/// Takes a frame, and says whether it takes the next one as well.
pub(super) type TakeOne<'a> = dyn FnMut(Taken<'_>) -> ControlFlow<()> + 'a;

/// A frame, and where it comes from.
pub(super) struct Taken<'a> {
    /// Index into the interfaces of the source.
    pub interface: u32,
    pub timestamp: Timestamp,
    pub wire_bytes: u32,
    pub data: &'a [u8],
}

/// How far the queues were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Some(usize),
    /// Every queue is empty.
    Nothing,
    /// There are frames, but an older one may still come up elsewhere for this long.
    Held(Duration),
}

/// Gives up to `most` frames, or until `take` breaks off. `hold`: how much later than its frames a batch comes up, at most.
pub(super) fn give<Q: Queue>(
    queues: &mut [Q],
    now: Instant,
    hold: Duration,
    most: usize,
    take: &mut TakeOne<'_>,
) -> Given {
    let mut given = 0;
    while given < most {
        // The oldest head is given, and what is behind it up to the time of the second oldest.
        let mut oldest: Option<(Timestamp, Instant, usize)> = None;
        let (mut second, mut has_empty) = (None, false);
        for (index, queue) in queues.iter_mut().enumerate() {
            let Some((at, since)) = queue.head(now) else {
                has_empty = true;
                continue;
            };
            match oldest {
                Some((first, ..)) if at >= first => {
                    if second.is_none_or(|second| at < second) {
                        second = Some(at);
                    }
                }
                _ => {
                    second = oldest.map(|(at, ..)| at);
                    oldest = Some((at, since, index));
                }
            }
        }
        let Some((_, since, index)) = oldest else { break };
        let age = now.saturating_duration_since(since);
        if has_empty && age < hold {
            return if given > 0 { Given::Some(given) } else { Given::Held(hold - age) };
        }
        let Some(queue) = queues.get_mut(index) else { break };
        while given < most {
            let flow = queue.take_head(take);
            given += 1;
            if flow.is_break() {
                return Given::Some(given);
            }
            match queue.head_in_batch() {
                Some(at) if second.is_none_or(|second| at <= second) => {}
                _ => break,
            }
        }
    }
    if given > 0 { Given::Some(given) } else { Given::Nothing }
}

/// The moment at which a frame of the time `at` came, by the two clocks `now`. Batches that wait to be read are older
/// than the moment at which they are first looked at: to hold each of them from then on would be to read slower than
/// they come. A time in the future, after the clock was set back, is now.
pub(super) fn moment_of(at: Timestamp, now: Instant) -> Instant {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = clock.saturating_sub(Duration::from_nanos(at.as_nanos()));
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const HOLD: Duration = Duration::from_millis(40);

    /// Batches as (when it comes up, times of its frames).
    struct Scripted {
        interface: u32,
        batches: VecDeque<(Duration, VecDeque<u64>)>,
        start: Instant,
        since: Option<Instant>,
    }

    impl Queue for Scripted {
        fn head(&mut self, now: Instant) -> Option<(Timestamp, Instant)> {
            while self.batches.front().is_some_and(|(_, frames)| frames.is_empty()) {
                self.batches.pop_front();
                self.since = None;
            }
            let (at, frames) = self.batches.front()?;
            if self.start + *at > now {
                return None;
            }
            let since = *self.since.get_or_insert(now);
            Some((Timestamp::from_nanos(*frames.front()?), since))
        }

        fn head_in_batch(&self) -> Option<Timestamp> {
            self.batches.front()?.1.front().map(|&at| Timestamp::from_nanos(at))
        }

        fn take_head(&mut self, take: &mut TakeOne<'_>) -> ControlFlow<()> {
            let timestamp = Timestamp::from_nanos(self.batches.front_mut().unwrap().1.pop_front().unwrap());
            take(Taken { interface: self.interface, timestamp, wire_bytes: 0, data: &[] })
        }
    }

    /// Runs to the end; the times of all frames in the order given, and how long it took.
    fn run(queues: &[&[(u64, &[u64])]], most: usize) -> (Vec<u64>, Duration) {
        let start = Instant::now();
        let mut queues: Vec<Scripted> = queues
            .iter()
            .enumerate()
            .map(|(interface, batches)| Scripted {
                interface: interface as u32,
                batches: batches
                    .iter()
                    .map(|(at, frames)| (Duration::from_millis(*at), frames.iter().copied().collect()))
                    .collect(),
                start,
                since: None,
            })
            .collect();
        let (mut now, mut times) = (start, Vec::new());
        while queues.iter().any(|queue| queue.batches.iter().any(|(_, frames)| !frames.is_empty())) {
            let mut take = |taken: Taken<'_>| {
                assert!(taken.interface < 3);
                times.push(taken.timestamp.as_nanos());
                ControlFlow::Continue(())
            };
            match give(&mut queues, now, HOLD, most, &mut take) {
                Given::Some(frames) => assert!(frames <= most),
                Given::Nothing => now += Duration::from_millis(1),
                Given::Held(hold) => now += hold.min(Duration::from_millis(1)),
            }
        }
        (times, now - start)
    }

    #[test]
    fn waits_for_the_question_that_comes_up_after_the_answer() {
        let (times, _) = run(&[&[(0, &[20, 40])], &[(30, &[10, 30])]], 100);
        assert_eq!(times, [10, 20, 30, 40]);
    }

    #[test]
    fn does_not_wait_where_nothing_older_can_come() {
        // One interface alone, or one whose next frame is known.
        assert_eq!(run(&[&[(0, &[1, 2, 3])]], 100), (vec![1, 2, 3], Duration::ZERO));
        assert_eq!(run(&[&[(0, &[1, 3])], &[(0, &[2, 3])]], 1).0, [1, 2, 3, 3]);
        let (times, took) = run(&[&[(0, &[1])], &[]], 100);
        assert_eq!((times.len(), took >= HOLD, took < 2 * HOLD), (1, true, true));
    }

    #[test]
    fn a_batch_that_waited_is_not_held_again() {
        let now = Instant::now();
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let at = |age: Duration| Timestamp::from_nanos(u64::try_from((clock - age).as_nanos()).unwrap());
        assert!(now - moment_of(at(HOLD), now) >= HOLD);
        assert!(now - moment_of(at(Duration::ZERO), now) < HOLD);
        let future = Timestamp::from_nanos(u64::MAX);
        assert_eq!(moment_of(future, now), now, "after the clock was set back");
    }

    #[test]
    fn gives_none_after_the_one_at_which_it_is_told_to_stop() {
        let mut queues = [Scripted {
            interface: 0,
            batches: VecDeque::from([(Duration::ZERO, VecDeque::from([1, 2, 3]))]),
            start: Instant::now(),
            since: None,
        }];
        let mut times = Vec::new();
        let given = give(&mut queues, Instant::now(), HOLD, 100, &mut |taken| {
            times.push(taken.timestamp.as_nanos());
            if times.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!((given, times), (Given::Some(2), vec![1, 2]));
        assert_eq!(queues[0].head_in_batch(), Some(Timestamp::from_nanos(3)), "it stays where it is");
    }

    #[test]
    fn keeps_the_order_over_batches() {
        let (times, _) = run(
            &[
                &[(0, &[1, 4, 7]), (5, &[10, 13])],
                &[(3, &[2, 5, 8]), (9, &[11, 14])],
                &[(7, &[3, 6, 9]), (11, &[12, 15])],
            ],
            2,
        );
        assert_eq!(times, (1..=15).collect::<Vec<u64>>());
    }
}
