//! What the names of files tell of them: how they follow each other, and when or where they were recorded.
//!
//! A name is taken apart once ([`Name`]), and all that is asked of names is asked of its parts.

use std::net::Ipv4Addr;
use std::path::Path;

use super::NEXT_FILE;
use crate::capture::Input;
use crate::model::Timestamp;

/// How two names of files follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The second one's number is the next, and stands where recorders put it: behind the extension.
    Recorder,
    /// The second one's number is the next.
    Next,
    /// Only digits differ, which may tell when the files were begun.
    Digits,
}

/// The name of a file, before it was compressed, as recorders put it together: of `cap-7.pcap12`, the stem is `cap-`, the
/// number 7, the ending `.pcap`, and 12 the part, which files have that are cut by size, behind what all of them have.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    pub whole: &'a str,
    /// Without the part.
    pub trunk: &'a str,
    /// Of the first one it is 0, or not there.
    part: Option<u32>,
    pub stem: &'a str,
    number: Option<u32>,
    pub ending: &'a str,
}

impl<'a> Name<'a> {
    fn of(path: &'a Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let whole = [".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let (trunk, part) = match counted(whole) {
            (trunk, Some(part)) if ends_with_extension(trunk) => (trunk, Some(part)),
            _ => (whole, None),
        };
        let ending = trunk.rfind('.').filter(|_| !trunk.ends_with(|c: char| c.is_ascii_digit()));
        let (front, ending) = trunk.split_at(ending.unwrap_or(trunk.len()));
        let (stem, number) = counted(front);
        Some(Self { whole, trunk, part, stem, number, ending })
    }

    /// The names of two files in the same folder.
    pub fn both(one: &'a Input, other: &'a Input) -> Option<(Self, Self)> {
        let (Input::File(one), Input::File(other)) = (one, other) else { return None };
        Self::of(one).zip(Self::of(other)).filter(|_| one.parent() == other.parent())
    }

    /// True of the first of those that are cut by size, and where none are.
    fn is_first(self) -> bool {
        self.part.is_none_or(|part| part == 0)
    }

    /// True where a host is named by its IPv4 address, of which the last number counts nothing: `fw-10.0.0.11`,
    /// `ip-10-0-0-11`.
    fn ends_with_address(self) -> bool {
        let front = self.trunk.strip_suffix(self.ending).unwrap_or(self.trunk);
        ['.', '-', '_'].into_iter().any(|separator| {
            let numbers =
                front.rsplit(|c: char| c != separator && !c.is_ascii_digit()).next().unwrap_or_default();
            numbers.trim_matches(separator).replace(separator, ".").parse::<Ipv4Addr>().is_ok()
        })
    }

    /// What of the name before, and of this, may tell the time or the place. The first file of an interval (`tcpdump -G -C`)
    /// comes behind the last one of another, whose part tells neither.
    fn beside(self, before: Self) -> (&'a str, &'a str) {
        if self.is_first() { (before.trunk, self.trunk) } else { (before.whole, self.whole) }
    }
}

/// A text without the digits at its end, and their number: 0 where there are none, nothing where it is too large to count.
fn counted(text: &str) -> (&str, Option<u32>) {
    let bare = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_prefix(bare).unwrap_or_default();
    (bare, if number.is_empty() { Some(0) } else { number.parse().ok() })
}

/// How names in the same folder follow each other.
pub fn follow(one: &Input, other: &Input) -> Option<Names> {
    let (before, next) = Name::both(one, other).filter(|(before, next)| before.whole != next.whole)?;
    let is_next = |before: Option<u32>, next: Option<u32>| {
        before.and_then(|before| before.checked_add(1)).is_some_and(|after| next == Some(after))
    };
    if before.trunk == next.trunk {
        if is_next(before.part, next.part) {
            return Some(Names::Recorder);
        }
        // A ring begins again at its first file.
        if next.is_first() && !before.is_first() {
            return Some(Names::Next);
        }
    } else if next.is_first()
        && (before.stem, before.ending) == (next.stem, next.ending)
        && is_next(before.number, next.number)
        && !next.ends_with_address()
    {
        return Some(Names::Next);
    }
    let (before, next) = next.beside(before);
    let digits = next.chars().filter(char::is_ascii_digit).count();
    (digits >= MIN_DIGITS_OF_TIME && pattern(before) == pattern(next)).then_some(Names::Digits)
}

/// A name with one digit in place of each number.
fn pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if pattern.ends_with('0') => {}
            '0'..='9' => pattern.push('0'),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// Digits of a time, at least: hours and minutes.
const MIN_DIGITS_OF_TIME: usize = 4;

/// True for `cap.pcap`: of `site.1` nothing is an extension.
fn ends_with_extension(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    !extension.is_empty() && extension.chars().all(char::is_alphabetic)
}

/// What the digits in which two names differ tell of the second file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// It is the next.
    Count,
    /// At what time of whatever day it began.
    TimeOfDay,
    /// When it began.
    Date,
}

/// What the digits in which names differ tell of the second file, whose first packet is of this time; `None` where some tell
/// something else: two sites may be recorded on the same day. The digits of an address tell nothing, unless they begin with a date.
pub fn told(one: &Input, other: &Input, first: Timestamp) -> Option<Told> {
    let (before, next) = Name::both(one, other)?;
    let is_address = next.ends_with_address();
    let (before, next) = next.beside(before);
    let dates = dates(first, is_address);
    let mut told = None;
    for (before, next) in numbers(before).iter().zip(&numbers(next)) {
        if before != next {
            told = told.max(Some(told_by(before, next, (&dates, is_address), first)?));
        }
    }
    told.filter(|told| !is_address || *told == Told::Date)
}

/// The same of numbers that stand together.
fn told_by(
    before: &[&str],
    next: &[&str],
    (dates, is_address): (&[String], bool),
    first: Timestamp,
) -> Option<Told> {
    let is_next = counts(before, next);
    // How long the numbers are that begin in so many digits.
    let lengths = |numbers: &[&str], digits: usize| -> Vec<usize> {
        let begins = |begun: &mut usize, number: &&str| {
            let begin = *begun;
            *begun += number.len();
            (begin < digits).then_some(number.len())
        };
        numbers.iter().scan(0, begins).collect()
    };
    let is_alike_until = |digits| lengths(before, digits) == lengths(next, digits);
    let (digits_before, digits) = (before.concat(), next.concat());
    let place_of = |date: &String| digits.find(date).filter(|at| !is_address || *at == 0);
    if let Some(at) = dates.iter().find_map(place_of) {
        let (place_before, time_before) = digits_before.split_at_checked(at)?;
        let (place, time) = digits.split_at_checked(at)?;
        let time_of = |digits: &str| digits.get(..DIGITS_OF_TIME).unwrap_or(digits).to_owned();
        if (is_alike_until(at) && place_before == place || is_next) && time_of(time_before) != time_of(time) {
            return Some(Told::Date);
        }
    }
    let is_time = |at| {
        is_alike_until(usize::MAX)
            && before.get(..at) == next.get(..at)
            && next.get(at..).is_some_and(|time| {
                time.iter().all(|number| number.len() % 2 == 0) && is_time_of_day(&time.concat(), first)
            })
    };
    match () {
        () if (0..next.len()).any(is_time) => Some(Told::TimeOfDay),
        () if is_next => Some(Told::Count),
        () => None,
    }
}

/// Digits of a date and a time, of which the year has two: 261127091230. Of the seconds since 1970 there are fewer.
const DIGITS_OF_TIME: usize = 12;

/// Numbers of a name, those together between which there is no word: a date, and the time.
fn numbers(name: &str) -> Vec<Vec<&str>> {
    name.split(|c: char| c.is_alphabetic() && c != 'T')
        .map(|part| part.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()))
        .map(Iterator::collect)
        .filter(|numbers: &Vec<_>| !numbers.is_empty())
        .collect()
}

/// True where the numbers count as `dumpcap -b` does: with five digits or more, and when each file was begun behind them.
fn counts(before: &[&str], next: &[&str]) -> bool {
    let mut differing = before.iter().zip(next).filter(|(before, next)| before != next);
    let is_next = differing.next().is_some_and(|(before, next)| {
        next.len() >= 5
            && before.parse().is_ok_and(|before: u32| Some(before.saturating_add(1)) == next.parse().ok())
    });
    is_next && differing.all(|(_, time)| matches!(time.len(), 10 | 14))
}

/// True where this is about that time of the day, in whatever time zone: they differ by quarters of an hour.
fn is_time_of_day(digits: &str, first: Timestamp) -> bool {
    const QUARTER: u64 = 900;
    let two = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<u64>().ok());
    // Of the time without seconds there may be most of a minute more.
    let (seconds, more) = match digits.len() {
        4 => (Some(0), 60),
        6 => (two(4), 0),
        _ => return false,
    };
    let (Some(hours @ 0..24), Some(minutes @ 0..60), Some(seconds @ 0..60)) = (two(0), two(2), seconds)
    else {
        return false;
    };
    let begun = hours * 3_600 + minutes * 60 + seconds;
    // A recorder may take the time when it handles the first packet, a little later than that came.
    let after = (first.as_seconds() + 2 + 86_400 - begun) % QUARTER;
    after <= NEXT_FILE.as_secs() + 2 + more
}

/// How names tell that a file began about then: the date, in whatever time zone and order, or the seconds since the Unix
/// epoch; where those digits may be an address, also the date without the year.
fn dates(first: Timestamp, is_address: bool) -> Vec<String> {
    if !first.is_date() {
        return Vec::new();
    }
    let at = |seconds: i64| Timestamp::from_seconds(first.as_seconds().saturating_add_signed(seconds));
    // It may have been begun before anything came, and clocks of another zone show the day before or after.
    let hours = |at: Timestamp| at.as_seconds().to_string().get(..6).map(str::to_owned);
    let days = [at(-DAY), first, at(DAY)].map(|at| at.to_string());
    let days = days.iter().flat_map(|text| {
        let part = |range| text.get(range).unwrap_or_default();
        let (century, year, month, day) = (part(0..2), part(2..4), part(5..7), part(8..10));
        let mut dates = vec![
            format!("{year}{month}{day}"),
            format!("{day}{month}{century}{year}"),
            format!("{month}{day}{century}{year}"),
        ];
        if is_address {
            dates.extend([format!("{day}{month}"), format!("{month}{day}")]);
        }
        dates
    });
    [hours(at(-3_600)), hours(first)].into_iter().flatten().chain(days).collect()
}

/// Seconds of a day.
const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_each_other_as_recorders_give_them() {
        for (one, other, names) in [
            ("a/cap_00001_20261101020700.pcapng", "a/cap_00002_20261101030700.pcapng", Some(Names::Digits)),
            ("2026-11-27T08:00:00.pcap", "2026-11-27T09:00:00.pcap.zst", Some(Names::Digits)),
            ("cap-1761955620.pcap", "cap-1761959220.pcap", Some(Names::Digits)),
            ("cap-235500.pcap", "cap-000000.pcap", Some(Names::Digits)),
            ("a/cap.pcap", "a/cap.pcap1", Some(Names::Recorder)),
            ("a/cap.pcap9", "a/cap.pcap10", Some(Names::Recorder)),
            ("cap-20261127091000.pcap", "cap-20261127091000.pcap1", Some(Names::Recorder)),
            ("cap-20261127091000.pcap11.gz", "cap-20261127091500.pcap", Some(Names::Digits)),
            ("cap-20261127091000.pcap11", "cap-20261127091500.pcap00", Some(Names::Digits)),
            ("cap-20261127091000.pcap1", "cap-20261127091500.pcap2", Some(Names::Digits)),
            ("cap-20261127091000.pcap11", "cap-20261127091500.pcap2", Some(Names::Digits)),
            ("cap_99999_20261127091459.pcap", "cap_100000_20261127091500.pcap", Some(Names::Digits)),
            ("cap.pcap20261130", "cap.pcap20261201", Some(Names::Digits)),
            ("cap.pcap09.gz", "cap.pcap10", Some(Names::Recorder)),
            ("part-1.pcapng", "part-2.pcapng", Some(Names::Next)),
            ("part1", "part2", Some(Names::Next)),
            ("site.1", "site.2", Some(Names::Next)),
            ("fw-10.0.0.pcap", "fw-10.0.1.pcap", Some(Names::Next)),
            ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap", Some(Names::Digits)),
            ("10.0.0.11", "10.0.0.12", Some(Names::Digits)),
            ("10.0.0.9.gz", "10.0.0.10.gz", Some(Names::Digits)),
            ("ip-10-0-0-11.pcap", "ip-10-0-0-12.pcap", Some(Names::Digits)),
            ("cap.pcap19", "cap.pcap00", Some(Names::Next)),
            ("cap-19.pcap", "cap-00.pcap", None),
            ("snaplen-96.pcap", "snaplen-400.pcap", None),
            ("cap2.pcap", "cap1.pcap", None),
            ("a4294967295.pcap", "a0.pcap", None),
            ("a/cap1.pcap", "b/cap2.pcap", None),
            ("inside1.pcap", "outside1.pcap", None),
            ("cap1.pcap", "cap1.pcap", None),
            ("cap1.pcap", "cap2.pcapng", None),
        ] {
            let inputs = [one, other].map(|name| Input::File(name.into()));
            assert_eq!(follow(&inputs[0], &inputs[1]), names, "{one} {other}");
        }
    }

    #[test]
    fn a_name_tells_the_time_where_it_is_that_of_the_file() {
        // 2026-11-27T09:12:30Z
        let first = Timestamp::from_seconds(1_795_770_750);
        for (before, name, expected) in [
            ("cap_00001_20261127081200.pcap", "cap_00002_20261127091230.pcap", Some(Told::Date)),
            ("cap_99999_20261127081200.pcap", "cap_100000_20261127091230.pcap", Some(Told::Date)),
            ("cap-20261127081200.pcap11", "cap-20261127091230.pcap2", None),
            ("cap-26-11-27-08.pcap", "cap-26-11-27-09.pcap", Some(Told::Date)),
            ("cap-26-11-27-10.pcap", "cap-26-11-27-11.pcap", Some(Told::Date)),
            ("cap-27-11-10-15.pcap", "cap-27-11-10-30.pcap", Some(Told::Date)),
            ("cap-11-27-10-15.pcap", "cap-11-27-10-30.pcap", Some(Told::Date)),
            ("fw-10.2.61.120.pcap", "fw-10.2.61.127.pcap", None),
            ("fw-10.26.11.15.pcap", "fw-10.26.11.27.pcap", None),
            ("cap_20261127081200_99999.pcap", "cap_20261127091230_100000.pcap", Some(Told::Date)),
            ("fw-10.0.09.11.pcap", "fw-10.0.09.12.pcap", Some(Told::TimeOfDay)),
            ("fw-10.0.9.11.pcap", "fw-10.0.9.12.pcap", None),
            ("10.0.0.9.gz", "10.0.0.10.gz", None),
            ("site2-261127-0800.pcap", "site22-261127-0900.pcap", None),
            ("vpc-1-261127.pcap", "vpc-12-261127.pcap", None),
            ("site1-11-27-2026.pcap", "site11-11-27-2026.pcap", None),
            ("fw1-1795766400.pcap", "fw11-1795770000.pcap", None),
            ("2026-11-27T08:00:00.pcap", "2026-11-27T09:00:00.pcap", Some(Told::Date)),
            ("261125.pcap", "261126.pcap", Some(Told::Date)),
            ("cap-2026_11_27.pcap", "cap-2026_11_28.pcap", Some(Told::Date)),
            ("cap-26.11.2026.pcap", "cap-27.11.2026.pcap", Some(Told::Date)),
            ("cap-11-26-2026.pcap", "cap-11-27-2026.pcap", Some(Told::Date)),
            ("cap-1795760000.pcap", "cap-1795770000.pcap", Some(Told::Date)),
            ("cap-20261127091000.pcap11", "cap-20261127091200.pcap", Some(Told::Date)),
            ("cap-20261127091000.pcap11", "cap-20261127091200.pcap00", Some(Told::Date)),
            ("cap-20261127091000.pcap1", "cap-20261127091200.pcap2", None),
            ("cap-1795760000.pcap", "cap-1795769000.pcap", Some(Told::Date)),
            ("fw-10.0.0.11_20261127_0800.pcap", "fw-10.0.0.11_20261127_0900.pcap", Some(Told::Date)),
            ("cap-091130.pcap", "cap-091230.pcap", Some(Told::TimeOfDay)),
            ("cap-23-57-10.pcap", "cap-00-12-10.pcap", Some(Told::TimeOfDay)),
            ("cap-0911.pcap", "cap-0912.pcap", Some(Told::TimeOfDay)),
            ("cap_00001_20261124081230.pcap", "cap_00002_20261124091230.pcap", Some(Told::Count)),
            ("cap_00001_20261127091230.pcap", "cap_00002_20261127091230.pcap", Some(Told::Count)),
            ("cap_00001_20261124081230.pcap", "cap_00003_20261124091230.pcap", None),
            ("cap-090730.pcap", "cap-091330.pcap", None),
            ("cap-091130.pcap", "cap-091130-1.pcap", None),
            ("vpc-111111111111.pcap", "vpc-222222222222.pcap", None),
            ("vpc-111111111111-20261127.pcap", "vpc-222222222222-20261127.pcap", None),
            ("site1-20261127.pcap", "site2-20261127.pcap", None),
            ("20261127-site1.pcap", "20261127-site2.pcap", None),
            ("site1-20261127-0800.pcap", "site2-20261127-0900.pcap", None),
            ("fw-10.0.0.11_20261127_0800.pcap", "fw-10.0.0.12_20261127_0900.pcap", None),
            ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap", None),
            ("cap.pcap", "cap.pcap1", None),
        ] {
            let [one, other] = [before, name].map(|name| Input::File(name.into()));
            assert_eq!(told(&one, &other, first), expected, "{before} {name}");
        }
    }
}
