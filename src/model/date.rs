//! Dates that are not those of packets.

use std::cmp::Ordering;
use std::fmt;

use super::Timestamp;

/// A second of the calendar, UTC, of the years 0 to 9999: all that a certificate can name [RFC 5280 section 4.1.2.5].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

const DAY_SECONDS: i64 = 86_400;

/// Days from the first of March of the year 0, which begins a cycle of the calendar, to the Unix epoch.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

/// Days of such a cycle.
const CYCLE_DAYS: i64 = 146_097;

impl Date {
    /// 99991231235959Z: no well-defined end [RFC 5280 section 4.1.2.5].
    pub const MAX: Self = Self(253_402_300_799);

    /// The date of these numbers; none where no calendar has that day. A minute may have a leap second, and a day may end
    /// at 24 o'clock.
    #[must_use]
    pub fn from_civil(year: u16, [month, day, hour, minute, second]: [u8; 5]) -> Option<Self> {
        let is_time = hour < 24 && minute < 60 && second <= 60 || (hour, minute, second) == (24, 0, 0);
        if year > 9_999 || !(1..=12).contains(&month) || day == 0 || !is_time {
            return None;
        }
        // Years that begin in March, so that leap days come last.
        let [month, day] = [month, day].map(i64::from);
        let shifted_year = i64::from(year) - i64::from(month <= 2);
        let shifted_month = (month + 9) % 12;
        let century = shifted_year.div_euclid(100);
        let days = 365 * shifted_year + shifted_year.div_euclid(4) - century
            + century.div_euclid(4)
            + (153 * shifted_month + 2) / 5
            + day
            - 1
            - DAYS_BEFORE_EPOCH;
        let [hour, minute, second] = [hour, minute, second].map(i64::from);
        let begun = Self(days * DAY_SECONDS);
        let is_of_month = begun.civil() == (i64::from(year), month, day);
        is_of_month
            .then_some(Self(begun.0 + hour * 3_600 + minute * 60 + second))
            .filter(|date| *date <= Self::MAX)
    }

    /// The same moment where this is what clocks say that go ahead of UTC by so many minutes; none beyond the calendar.
    #[must_use]
    pub fn from_zone(self, minutes_ahead: i16) -> Option<Self> {
        let first = Self::from_civil(0, [1, 1, 0, 0, 0])?;
        Some(Self(self.0 - i64::from(minutes_ahead) * 60)).filter(|date| (first..=Self::MAX).contains(date))
    }

    /// Seconds since the Unix epoch; of dates before it below zero.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0
    }

    /// Year, month and day: Hinnant's algorithm.
    const fn civil(self) -> (i64, i64, i64) {
        let day = self.0.div_euclid(DAY_SECONDS) + DAYS_BEFORE_EPOCH;
        let (cycle, of_cycle) = (day.div_euclid(CYCLE_DAYS), day.rem_euclid(CYCLE_DAYS));
        let year_of_cycle = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let day_of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        (year_of_cycle + cycle * 400 + (month <= 2) as i64, month, day)
    }

    /// The day alone, as in RFC 3339: `2026-12-30`.
    #[must_use]
    pub fn day(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// RFC 3339, UTC, in ASCII, without the formatting machinery: every record has a time.
    #[must_use]
    pub fn rfc3339(self) -> [u8; 20] {
        let (year, month, day) = self.civil();
        let in_day = self.0.rem_euclid(DAY_SECONDS);
        let mut text = *b"0000-00-00T00:00:00Z";
        let mut digits = |until: usize, count: usize, mut number: i64| {
            for digit in text.iter_mut().take(until).rev().take(count) {
                // A digit is below ten.
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        digits(4, 4, year);
        digits(7, 2, month);
        digits(10, 2, day);
        digits(13, 2, in_day / 3_600);
        digits(16, 2, in_day / 60 % 60);
        digits(19, 2, in_day % 60);
        text
    }
}

/// The second that a moment lies in.
impl From<Timestamp> for Date {
    fn from(at: Timestamp) -> Self {
        // Nanoseconds of 64 bits end long before this type.
        Self(at.as_seconds() as i64)
    }
}

impl PartialEq<Timestamp> for Date {
    fn eq(&self, other: &Timestamp) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

/// A date is the moment that its second begins.
impl PartialOrd<Timestamp> for Date {
    fn partial_cmp(&self, other: &Timestamp) -> Option<Ordering> {
        let is_within_second = !other.as_nanos().is_multiple_of(1_000_000_000);
        let order = self.cmp(&Self::from(*other));
        Some(if order == Ordering::Equal && is_within_second { Ordering::Less } else { order })
    }
}

/// As [`Date::rfc3339`].
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.rfc3339()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_date_as_it_is() {
        for (year, rest, text) in [
            (0, [1, 1, 0, 0, 0], "0000-01-01T00:00:00Z"),
            (0, [2, 29, 0, 0, 0], "0000-02-29T00:00:00Z"),
            (1949, [12, 31, 23, 59, 59], "1949-12-31T23:59:59Z"),
            (1970, [1, 1, 0, 0, 0], "1970-01-01T00:00:00Z"),
            (2000, [2, 29, 12, 0, 0], "2000-02-29T12:00:00Z"),
            (2016, [12, 31, 23, 59, 60], "2017-01-01T00:00:00Z"),
            (2026, [12, 31, 24, 0, 0], "2027-01-01T00:00:00Z"),
            (2600, [1, 1, 0, 0, 0], "2600-01-01T00:00:00Z"),
            (9999, [12, 31, 23, 59, 59], "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Date::from_civil(year, rest).unwrap().to_string(), text);
        }
        assert_eq!(Date::from_civil(9999, [12, 31, 23, 59, 59]), Some(Date::MAX));
        for (year, rest) in [
            (2026, [2, 29, 0, 0, 0]),
            (2036, [2, 30, 0, 0, 0]),
            (1900, [2, 29, 0, 0, 0]),
            (2026, [4, 31, 0, 0, 0]),
            (2026, [13, 1, 0, 0, 0]),
            (2026, [0, 1, 0, 0, 0]),
            (2026, [1, 0, 0, 0, 0]),
            (2026, [1, 1, 24, 0, 1]),
            (2026, [1, 1, 0, 60, 0]),
            (9999, [12, 31, 24, 0, 0]),
            (10_000, [1, 1, 0, 0, 0]),
        ] {
            assert_eq!(Date::from_civil(year, rest), None, "{year} {rest:?}");
        }
        // Day by day as the calendar has them.
        let mut last = Date::from_civil(1999, [12, 31, 0, 0, 0]).unwrap();
        for year in 2000..2005 {
            for month in 1..=12 {
                for date in (1..=31).filter_map(|day| Date::from_civil(year, [month, day, 0, 0, 0])) {
                    assert_eq!(date.as_seconds() - last.as_seconds(), DAY_SECONDS, "{date}");
                    last = date;
                }
            }
        }
    }

    #[test]
    fn is_over_as_soon_as_its_second_has_begun() {
        let date = Date::from(Timestamp::from_seconds(7));
        assert!(date == Timestamp::from_seconds(7) && date < Timestamp::from_nanos(7_000_000_001));
        assert!(date > Timestamp::from_nanos(6_999_999_999) && Date::MAX > Timestamp::MAX);
        assert!(Date::from_civil(1969, [12, 31, 23, 59, 59]).unwrap() < Timestamp::default());
    }
}
