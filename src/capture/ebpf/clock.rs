//! From the kernel's clock that never jumps to UTC.

use nix::time::{ClockId, clock_gettime};

use crate::model::Timestamp;

/// A difference that changed by less is noise of reading two clocks, or is being slewed away.
const TOLERANCE_NANOSECONDS: i128 = 1_000_000;

/// Adds what lies between the two clocks. Follows steps of the system's time, as every other timestamp of
/// the host does.
#[derive(Debug, Default)]
pub(super) struct Clock {
    difference: i128,
}

impl Clock {
    /// Reads both clocks.
    pub fn look(&mut self) {
        let (Some(before), Some(utc), Some(after)) =
            (read(ClockId::CLOCK_MONOTONIC), read(ClockId::CLOCK_REALTIME), read(ClockId::CLOCK_MONOTONIC))
        else {
            return;
        };
        // The middle of the two is nearest to when the other was read.
        self.adopt(utc - i128::midpoint(before, after));
    }

    fn adopt(&mut self, difference: i128) {
        if (difference - self.difference).abs() > TOLERANCE_NANOSECONDS {
            self.difference = difference;
        }
    }

    /// The time of day of a moment of the kernel's clock.
    pub fn utc(&self, nanoseconds: u64) -> Timestamp {
        timestamp(i128::from(nanoseconds) + self.difference)
    }
}

/// The clock of the program, now.
pub(super) fn monotonic_nanoseconds() -> Option<u64> {
    u64::try_from(read(ClockId::CLOCK_MONOTONIC)?).ok()
}

fn read(clock: ClockId) -> Option<i128> {
    let time = clock_gettime(clock).ok()?;
    Some(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
}

fn timestamp(nanoseconds: i128) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn agrees_with_the_system() {
        let mut clock = Clock::default();
        clock.look();
        let now = read(ClockId::CLOCK_MONOTONIC).unwrap();
        let ours = clock.utc(u64::try_from(now).unwrap());
        let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let system = timestamp(i128::try_from(system.as_nanos()).unwrap());
        assert!(system.since(ours).max(ours.since(system)) < Duration::from_millis(500));
    }

    #[test]
    fn follows_steps_and_ignores_noise() {
        let mut clock = Clock { difference: 1_000_000_000 };
        clock.adopt(1_000_400_000);
        assert_eq!(clock.utc(0), timestamp(1_000_000_000));
        clock.adopt(3_600_000_000_000);
        assert_eq!(clock.utc(5), timestamp(3_600_000_000_005));
        clock.adopt(-10);
        assert_eq!(clock.utc(5), Timestamp::default());
    }
}
