//! Packet time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Date;

/// A moment of packet time: nanoseconds since the Unix epoch, UTC.
///
/// Every stage takes time from here; none reads a clock, so that a capture gives the same
/// records on any day and at any speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// How far whole seconds reach in RFC 3339.
const SECONDS_BYTES: usize = 19;

/// The first day of 1995, the year SSL 2.0 was published in, in seconds.
const SSL_2: u64 = 788_918_400;

impl Timestamp {
    /// The latest moment that can be expressed (in the year 2554).
    pub const MAX: Self = Self(u64::MAX);

    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// From whole seconds since the Unix epoch, saturating.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// False where a capture told no time, or one that counts from its own beginning: a moment before there was
    /// anything to observe. Nothing that depends on the date can be judged then.
    #[must_use]
    pub const fn is_date(self) -> bool {
        self.as_seconds() >= SSL_2
    }

    /// The time from `earlier` to `self`; zero where `earlier` is later (packets may be out of order).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved later by `duration`, saturating.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// This moment moved earlier by `duration`, not before the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanoseconds(duration)))
    }

    /// RFC 3339, UTC, always nine fractional digits, in ASCII: every record has one, so it is written without
    /// the formatting machinery.
    #[must_use]
    pub fn rfc3339(self) -> [u8; 30] {
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let whole = Date::from(self).rfc3339();
        let (begin, fraction) = text.split_at_mut(SECONDS_BYTES);
        begin.iter_mut().zip(whole).for_each(|(slot, digit)| *slot = digit);
        let mut number = self.0 % 1_000_000_000;
        for digit in fraction.iter_mut().skip(1).rev().skip(1) {
            // A digit is below ten.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        text
    }
}

/// Of a clock that a caller read, saturating.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(nanoseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// As [`Timestamp::rfc3339`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.rfc3339()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_rfc_3339_with_nanoseconds() {
        assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            Timestamp::from_nanos(951_782_400_000_000_001).to_string(),
            "2000-02-29T00:00:00.000000001Z"
        );
        assert_eq!(Timestamp::MAX.to_string(), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(Timestamp::from_seconds(1_798_675_199).to_string(), "2026-12-30T23:59:59.000000000Z");
    }

    #[test]
    fn knows_what_is_no_date() {
        assert!(!Timestamp::default().is_date());
        assert!(!Timestamp::from_seconds(788_918_399).is_date());
        assert_eq!(Timestamp::from_seconds(SSL_2).to_string(), "1995-01-01T00:00:00.000000000Z");
        assert!(Timestamp::from_seconds(SSL_2).is_date());
    }

    #[test]
    fn never_counts_backwards() {
        let (early, late) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
        assert_eq!(late.since(early), Duration::from_secs(1));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.before(Duration::from_secs(1)), early);
        assert_eq!(early.before(Duration::from_secs(2)), Timestamp::default());
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), Timestamp::default());
    }
}
