//! What the names of files tell of their order.

use std::path::Path;

use crate::capture::Input;

/// How two names of files follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As a recorder counts its files: in parts behind the extension, or in numbers beside the time.
    Counted,
    /// The last number is the next one. It may tell a place.
    Next,
    /// Numbers differ, which may tell the time or a place.
    Alike,
}

/// The name of a file, before it was compressed: of `cap-7.pcap12`, the stem is `cap-`, the number 7, the ending `.pcap`,
/// and 12 the part, which files have that are cut by size, behind what all of them have.
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
        let (trunk, part) = match split_number(whole) {
            (trunk, Some(part)) if EXTENSIONS.iter().any(|extension| trunk.ends_with(extension)) => {
                (trunk, Some(part))
            }
            _ => (whole, None),
        };
        let ending = trunk.rfind('.').filter(|_| !trunk.ends_with(|c: char| c.is_ascii_digit()));
        let (front, ending) = trunk.split_at(ending.unwrap_or(trunk.len()));
        let (stem, number) = split_number(front);
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

    /// What `dumpcap -b` makes of a name, and `editcap -c`: `cap_00007_20261127091230.pcap`, or the other way round.
    fn numbered(self) -> Option<(&'a str, u32, &'a str)> {
        let front = self.trunk.strip_suffix(self.ending)?;
        let (rest, last) = front.rsplit_once('_')?;
        let (rest, first) = rest.rsplit_once('_')?;
        let is_time = |digits: &str| digits.len() == 14 && is_number(digits);
        let (number, _) = match (is_time(first), is_time(last)) {
            (false, true) => (first, last),
            (true, false) => (last, first),
            _ => return None,
        };
        let number = Some(number).filter(|number| number.len() >= 5 && is_number(number))?.parse().ok()?;
        Some((rest, number, self.ending))
    }
}

/// Behind these, `tcpdump -C` counts.
const EXTENSIONS: [&str; 4] = [".pcap", ".pcapng", ".cap", ".dmp"];

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text without the digits at its end, and their number: 0 where there are none, nothing where it is too large to count.
fn split_number(text: &str) -> (&str, Option<u32>) {
    let bare = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_prefix(bare).unwrap_or_default();
    (bare, if number.is_empty() { Some(0) } else { number.parse().ok() })
}

/// How names in the same folder follow each other.
pub fn follow(one: &Input, other: &Input) -> Option<Names> {
    let (before, next) = Name::both(one, other).filter(|(before, next)| before.whole != next.whole)?;
    let is_next = |(before, next): (u32, u32)| before.checked_add(1) == Some(next);
    let have_same_stem = (before.stem, before.ending) == (next.stem, next.ending);
    let is_counted = if before.trunk == next.trunk {
        // A ring begins again at its first file.
        before.part.zip(next.part).is_some_and(is_next) || next.is_first() && !before.is_first()
    } else {
        before.numbered().zip(next.numbered()).is_some_and(|(before, next)| {
            (before.0, before.2) == (next.0, next.2) && is_next((before.1, next.1))
        })
    };
    if is_counted {
        return Some(Names::Counted);
    }
    if have_same_stem && before.number.zip(next.number).is_some_and(is_next) {
        return Some(Names::Next);
    }
    (have_same_stem || pattern(before.trunk) == pattern(next.trunk)).then_some(Names::Alike)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_each_other_as_recorders_give_them() {
        for (one, other, names) in [
            ("a/cap.pcap", "a/cap.pcap1", Some(Names::Counted)),
            ("a/cap.pcap9", "a/cap.pcap10", Some(Names::Counted)),
            ("cap.pcap09.gz", "cap.pcap10", Some(Names::Counted)),
            ("cap.pcap19", "cap.pcap00", Some(Names::Counted)),
            ("cap-20261127091000.pcap", "cap-20261127091000.pcap1", Some(Names::Counted)),
            ("a/cap_00001_20261101020700.pcapng", "a/cap_00002_20261101030700.pcapng", Some(Names::Counted)),
            ("cap_99999_20261127091459.pcap.gz", "cap_100000_20261127091500.pcap.gz", Some(Names::Counted)),
            ("cap_20261101020700_00001.pcapng", "cap_20261101030700_00002.pcapng", Some(Names::Counted)),
            ("a/cap_00001_20261101020700.pcapng", "a/cap_00003_20261101030700.pcapng", Some(Names::Alike)),
            ("a/one_00001_20261101020700.pcapng", "a/two_00002_20261101030700.pcapng", None),
            ("cap_1_20261101020700.pcapng", "cap_2_20261101030700.pcapng", Some(Names::Alike)),
            ("2026-11-27T08:00:00.pcap", "2026-11-27T09:00:00.pcap.zst", Some(Names::Alike)),
            ("cap-1761955620.pcap", "cap-1761959220.pcap", Some(Names::Alike)),
            ("cap-20261127091000.pcap11.gz", "cap-20261127091500.pcap", Some(Names::Alike)),
            ("cap-20261127091000.pcap11", "cap-20261127091500.pcap00", Some(Names::Alike)),
            ("cap.pcap20261130", "cap.pcap20261201", Some(Names::Alike)),
            ("part-1.pcapng", "part-2.pcapng", Some(Names::Next)),
            ("part.pcapng", "part1.pcapng", Some(Names::Next)),
            ("part1", "part2", Some(Names::Next)),
            ("trace.eth0", "trace.eth1", Some(Names::Next)),
            ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap", Some(Names::Next)),
            ("20261127_111111111111.pcap", "20261127_222222222222.pcap", Some(Names::Alike)),
            ("cap2.pcap", "cap1.pcap", Some(Names::Alike)),
            ("a/cap1.pcap", "b/cap2.pcap", None),
            ("inside1.pcap", "outside1.pcap", None),
            ("cap1.pcap", "cap1.pcap", None),
            ("cap1.pcap", "cap1.pcap.gz", None),
            ("cap1.pcap", "cap2.pcapng", None),
            ("morning.pcap", "noon.pcap", None),
        ] {
            let inputs = [one, other].map(|name| Input::File(name.into()));
            assert_eq!(follow(&inputs[0], &inputs[1]), names, "{one} {other}");
        }
    }
}
