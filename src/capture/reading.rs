//! Reading several queues of frames as one source: what packet sockets and libpcap have in common.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::frame::Frame;
use super::live::{LiveError, Take};
use super::merge::{self, Given, Queue};
use super::places::Places;

/// Queues, and what belongs to them.
pub(super) trait Queues {
    type Queue: Queue;

    /// How much later than its frames a batch comes up, at most.
    const HOLD: Duration;

    /// Frames between two looks at the clock and at queues that were empty.
    const FRAMES_PER_LOOK: usize;

    /// Where frames are, where they are counted, and the number of the last one.
    fn parts(&mut self) -> (&mut [Self::Queue], &mut Places, &mut u64);

    /// Lets go of queues that are over. Called when every queue was just looked at, and those without a head are
    /// empty.
    fn tidy(&mut self, now: Instant);

    /// Waits until a queue may have frames, at most so long.
    fn wait(&mut self, most: Duration) -> Result<(), LiveError>;
}

/// As [`LiveSource::poll`](super::LiveSource::poll).
pub(super) fn poll<S: Queues>(
    source: &mut S,
    wait: Duration,
    most: usize,
    take: &mut Take<'_>,
) -> Result<usize, LiveError> {
    let until = Instant::now() + wait;
    let (mut given, mut flow) = (0, ControlFlow::Continue(()));
    while given < most && flow.is_continue() {
        let now = Instant::now();
        let (queues, places, number) = source.parts();
        let at_once = S::FRAMES_PER_LOOK.min(most - given);
        let outcome = merge::give(queues, now, S::HOLD, at_once, &mut |taken| {
            places.give(taken.interface as usize, taken.wire_bytes);
            *number += 1;
            let frame = Frame {
                number: *number,
                timestamp: taken.timestamp,
                interface: taken.interface,
                wire_bytes: taken.wire_bytes,
                data: taken.data,
            };
            flow = take(&frame, places.interfaces());
            flow
        });
        if !matches!(outcome, Given::Some(_)) {
            source.tidy(now);
        }
        match outcome {
            Given::Some(frames) => given += frames,
            // What was given is not kept waiting.
            _ if given > 0 => break,
            _ if now >= until => break,
            Given::Nothing => source.wait(until - now)?,
            // The queue is readable all the time, so only the clock helps.
            Given::Held(hold) => std::thread::sleep(hold.min(until - now)),
        }
    }
    Ok(given)
}
