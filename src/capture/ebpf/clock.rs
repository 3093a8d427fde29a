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
    /// Reads both clocks. Where this thread was held up in between, the readings do not belong together, and the next frames
    /// are a reason to look again.
    pub fn look(&mut self) {
        let (Some(before), Some(utc), Some(after)) =
            (read(ClockId::CLOCK_MONOTONIC), read(ClockId::CLOCK_REALTIME), read(ClockId::CLOCK_MONOTONIC))
        else {
            return;
        };
        self.adopt(before, utc, after);
    }

    fn adopt(&mut self, before: i128, utc: i128, after: i128) {
        // The middle of the two is nearest to when the other was read.
        let difference = utc - i128::midpoint(before, after);
        let is_exact = after - before < TOLERANCE_NANOSECONDS || self.difference == 0;
        if is_exact && (difference - self.difference).abs() > TOLERANCE_NANOSECONDS {
            self.difference = difference;
        }
    }

    /// The time of day of a moment of the kernel's clock.
    pub fn utc(&self, nanoseconds: u64) -> Timestamp {
        timestamp(i128::from(nanoseconds) + self.difference)
    }

    /// The moment of the kernel's clock that [`Clock::utc`] tells as this, while the difference is the same.
    pub fn monotonic(&self, utc: Timestamp) -> u64 {
        u64::try_from(i128::from(utc.as_nanos()) - self.difference).unwrap_or_default()
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
        let mut clock = Clock::default();
        // Better than nothing.
        clock.adopt(0, 1_000_000_000, 20_000_000);
        assert_eq!(clock.utc(10_000_000), timestamp(1_000_000_000));
        clock.adopt(0, 1_000_000_000, 100);
        assert_eq!(clock.utc(50), timestamp(1_000_000_000));
        clock.adopt(0, 1_000_400_000, 100);
        assert_eq!(clock.utc(50), timestamp(1_000_000_000), "noise");
        clock.adopt(0, 1_019_000_000, 20_000_000);
        assert_eq!(clock.utc(50), timestamp(1_000_000_000), "held up between two readings");
        clock.adopt(10, 3_600_000_000_010, 10);
        assert_eq!(clock.utc(5), timestamp(3_600_000_000_005));
        assert_eq!(clock.monotonic(timestamp(3_600_000_000_005)), 5);
        assert_eq!(clock.monotonic(timestamp(5)), 0, "before the clock began");
        clock.adopt(10, 0, 10);
        assert_eq!(clock.utc(5), Timestamp::default());
    }
}
