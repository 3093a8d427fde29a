//! Captures that recorders cut into files, by size or by time (`tcpdump -C`, `-G`, `dumpcap -b`), are read as one:
//! a handshake may lie in two files, and a connection goes on in all that follow.
//!
//! Files may be of one series where their names count, also in a ring, or tell the time at which they begin, in the same
//! folder, and each begins later than the one before. Whether they are is seen when the one before was read: the next one has to begin where that ended,
//! on the same interfaces ([`Engine::may_go_on`](super::Engine::may_go_on)).

use std::path::Path;
use std::time::Duration;

use crate::capture::{self, Beginning, InOrder, Input};
use crate::model::Timestamp;

/// An input, and how it begins where it may go on with the one before.
pub(super) struct Part<'a> {
    pub input: &'a Input,
    /// `None` of the first of a series.
    pub goes_on: Option<GoesOn>,
}

/// How an input begins that may go on with the one before.
pub(super) enum GoesOn {
    /// With this, and no later behind the one before where names alone do not tell enough.
    With(Beginning, Option<Duration>),
    /// Nothing is in it: the interval was silent.
    Empty,
}

/// Files that neither count as recorders do nor tell the time may be those of one place after another. Of a recorder each
/// begins where the one before was full.
const NEXT_FILE: Duration = Duration::from_secs(30);

impl GoesOn {
    /// As it is where all packets come later by `shift`.
    pub fn after(&self, shift: Duration) -> Self {
        match self {
            Self::With(Beginning { first, interfaces }, within) => {
                let interfaces = interfaces.clone();
                Self::With(Beginning { first: first.after(shift), interfaces }, *within)
            }
            Self::Empty => Self::Empty,
        }
    }
}

/// The inputs in their order, those together that may be of one series.
pub(super) fn plan(inputs: &[Input]) -> Vec<Vec<Part<'_>>> {
    let mut ordered = Vec::with_capacity(inputs.len());
    for group in inputs.chunk_by(is_as_shells_sort) {
        let mut best: Vec<&Input> = group.iter().collect();
        let mut counted = best.clone();
        counted.sort_by_cached_key(|input| input.path().file_name().map(InOrder::of));
        let turned = turned(&counted);
        // The order given holds unless another makes one capture of more of them.
        for other in [counted, turned] {
            if other != best && in_turn(&other).len() < in_turn(&best).len() {
                best = other;
            }
        }
        ordered.extend(best);
    }
    in_turn(&ordered)
}

/// The same with each ring (`tcpdump -C -W`) from its oldest file on: the first are those that were written again.
fn turned<'a>(counted: &[&'a Input]) -> Vec<&'a Input> {
    let mut turned = counted.to_vec();
    let first = |input: &Input| capture::beginning(input).ok().flatten().map(|beginning| beginning.first);
    for ring in turned.chunk_by_mut(|one, other| names(one, other) == Some(Names::Recorder)) {
        // One alone may be a pipe, whose bytes can be read but once.
        if ring.len() < 2 {
            continue;
        }
        let mut newest = None;
        let oldest = ring.iter().position(|input| match first(input) {
            Some(this) if newest.is_some_and(|newest| this < newest) => true,
            this => {
                newest = this.or(newest);
                false
            }
        });
        ring.rotate_left(oldest.unwrap_or(0));
    }
    turned
}

/// True where a shell may have put the second file there that it found by a pattern: byte by byte, so that `cap.pcap10`
/// comes before `cap.pcap2`.
fn is_as_shells_sort(one: &Input, other: &Input) -> bool {
    let (Input::File(one), Input::File(other)) = (one, other) else { return false };
    one.parent() == other.parent() && one.file_name() < other.file_name()
}

/// The inputs in this order, those together that may be of one series.
fn in_turn<'a>(inputs: &[&'a Input]) -> Vec<Vec<Part<'a>>> {
    let mut series: Vec<Vec<Part<'_>>> = Vec::new();
    // When the newest input of the series begins that has packets.
    let mut newest = None;
    for &input in inputs {
        if let Some(parts) = series.last_mut()
            && let Some(names) = parts.last().and_then(|before| names(before.input, input))
            && let Ok(this) = capture::beginning(input)
        {
            if let [first] = parts.as_slice() {
                newest = capture::beginning(first.input).ok().flatten().map(|beginning| beginning.first);
            }
            let goes_on = match this {
                None => Some(GoesOn::Empty),
                Some(this) if newest.is_some_and(|newest| newest >= this.first) => None,
                Some(this) if names == Names::Recorder || is_of_time(input, this.first) => {
                    Some(GoesOn::With(this, None))
                }
                Some(this) => Some(GoesOn::With(this, Some(NEXT_FILE))),
            };
            if let Some(goes_on) = goes_on {
                if let GoesOn::With(this, _) = &goes_on {
                    newest = Some(this.first);
                }
                parts.push(Part { input, goes_on: Some(goes_on) });
                continue;
            }
        }
        series.push(vec![Part { input, goes_on: None }]);
    }
    series
}

/// How two names of files follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// The second one's number is the next, and stands where recorders put it: behind the extension.
    Recorder,
    /// The second one's number is the next, or both have as many digits, which may tell when the files were begun.
    Alike,
}

/// How names in the same folder follow each other, whether or not the files are compressed by now. A pipe is no file: its
/// bytes can be read but once.
fn names(one: &Input, other: &Input) -> Option<Names> {
    let (Input::File(one), Input::File(other)) = (one, other) else { return None };
    follow(one, other).filter(|_| one.is_file() && other.is_file())
}

fn follow(one: &Path, other: &Path) -> Option<Names> {
    let (before, next) = (name(one)?, name(other)?);
    if one.parent() != other.parent() || before == next {
        return None;
    }
    // Behind the extension, as in `cap.pcap1`, or in front of it.
    let extension = next.rfind('.').filter(|_| !next.ends_with(|c: char| c.is_ascii_digit()));
    let ending = extension.map_or("", |at| next.split_at(at).1);
    let number = |name| -> Option<(&str, u32)> {
        let stem = str::strip_suffix(name, ending)?;
        let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        Some((bare, stem.strip_prefix(bare)?.parse().unwrap_or(0)))
    };
    let is_recorders = ending.is_empty() && next.contains('.');
    if let (Some((bare, before)), Some((bare_of_next, next))) = (number(before), number(next))
        && bare == bare_of_next
        && before.checked_add(1) == Some(next)
    {
        return Some(if is_recorders { Names::Recorder } else { Names::Alike });
    }
    // A ring begins again at its first file.
    if is_recorders
        && let (Some((bare, 1..)), Some((bare_of_next, 0))) = (number(before), number(next))
        && bare == bare_of_next
    {
        return Some(Names::Alike);
    }
    let pattern = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "0");
    let digits = next.chars().filter(char::is_ascii_digit).count();
    (digits >= MIN_DIGITS_OF_TIME && pattern(before) == pattern(next)).then_some(Names::Alike)
}

/// Digits of a time, at least: hours and minutes.
const MIN_DIGITS_OF_TIME: usize = 4;

/// True where the digits of a name tell that its file began about then: the date, in whatever time zone, or the seconds
/// since the Unix epoch.
fn is_of_time(input: &Input, first: Timestamp) -> bool {
    let Input::File(path) = input else { return false };
    let digits: String = name(path).unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    let at = |seconds: i64| Timestamp::from_seconds(first.as_seconds().saturating_add_signed(seconds));
    // It may have been begun before anything came, and clocks of another zone show the day before or after.
    let hours = |at: Timestamp| at.as_seconds().to_string().get(..6).map(str::to_owned);
    let day = |at: Timestamp| at.to_string().get(2..10).map(|date| date.replace('-', ""));
    let texts = [hours(at(-3_600)), hours(first), day(at(-DAY)), day(first), day(at(DAY))];
    first.is_date() && texts.into_iter().flatten().any(|text| digits.contains(&text))
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The name of a file before it was compressed.
fn name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    Some([".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_each_other_as_recorders_give_them() {
        for (one, other, names) in [
            ("a/cap_00001_20261101020700.pcapng", "a/cap_00002_20261101030700.pcapng", Some(Names::Alike)),
            ("2026-11-27T08:00:00.pcap", "2026-11-27T09:00:00.pcap.zst", Some(Names::Alike)),
            ("cap-1761955620.pcap", "cap-1761959220.pcap", Some(Names::Alike)),
            ("cap-235500.pcap", "cap-000000.pcap", Some(Names::Alike)),
            ("a/cap.pcap", "a/cap.pcap1", Some(Names::Recorder)),
            ("a/cap.pcap9", "a/cap.pcap10", Some(Names::Recorder)),
            ("cap.pcap09.gz", "cap.pcap10", Some(Names::Recorder)),
            ("part-1.pcapng", "part-2.pcapng", Some(Names::Alike)),
            ("part1", "part2", Some(Names::Alike)),
            ("fw-10.0.0.11.pcap", "fw-10.0.0.12.pcap", Some(Names::Alike)),
            ("cap.pcap19", "cap.pcap00", Some(Names::Alike)),
            ("cap-19.pcap", "cap-00.pcap", None),
            ("snaplen-96.pcap", "snaplen-400.pcap", None),
            ("cap2.pcap", "cap1.pcap", None),
            ("a4294967295.pcap", "a0.pcap", None),
            ("a/cap1.pcap", "b/cap2.pcap", None),
            ("inside1.pcap", "outside1.pcap", None),
            ("cap1.pcap", "cap1.pcap", None),
            ("cap1.pcap", "cap2.pcapng", None),
        ] {
            assert_eq!(follow(Path::new(one), Path::new(other)), names, "{one} {other}");
        }
    }

    #[test]
    fn a_name_tells_the_time_where_it_is_that_of_the_file() {
        // 2026-11-27T09:12:30Z
        let first = Timestamp::from_seconds(1_795_770_750);
        for (name, is_told) in [
            ("cap_00001_20261127091230.pcap", true),
            ("2026-11-27T09:00:00.pcap", true),
            ("261126.pcap", true),
            ("cap-2026_11_28.pcap", true),
            ("cap-1795770000.pcap", true),
            ("cap-1795769000.pcap", true),
            ("cap_00001_20261124091230.pcap", false),
            ("vpc-111111111111.pcap", false),
            ("fw-10.0.0.11.pcap", false),
            ("cap.pcap1", false),
        ] {
            assert_eq!(is_of_time(&Input::File(name.into()), first), is_told, "{name}");
        }
    }
}
