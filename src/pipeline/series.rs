//! Captures that recorders cut into files, by size or by time (`tcpdump -C`, `-G`, `dumpcap -b`), are read as one:
//! a handshake may lie in two files, and a connection goes on in all that follow.
//!
//! Files may be of one series where their names count or tell the time, in the same folder, and each begins later than the
//! one before. Whether they are is seen when the one before was read: the next one has to begin where that ended,
//! on the same interfaces ([`Engine::may_go_on`](super::Engine::may_go_on)).

use std::path::Path;
use std::time::Duration;

use crate::capture::{self, Beginning, Input};

/// An input, and how it begins where it may go on with the one before.
pub(super) struct Part<'a> {
    pub input: &'a Input,
    /// `None` of the first of a series.
    pub goes_on: Option<GoesOn>,
}

/// How an input begins that may go on with the one before.
pub(super) enum GoesOn {
    /// With this.
    With(Beginning),
    /// Nothing is in it: the interval was silent.
    Empty,
}

impl GoesOn {
    /// As it is where all packets come later by `shift`.
    pub fn after(&self, shift: Duration) -> Self {
        match self {
            Self::With(Beginning { first, interfaces }) => {
                Self::With(Beginning { first: first.after(shift), interfaces: interfaces.clone() })
            }
            Self::Empty => Self::Empty,
        }
    }
}

/// The inputs in their order, those together that may be of one series.
pub(super) fn plan(inputs: &[Input]) -> Vec<Vec<Part<'_>>> {
    let mut series: Vec<Vec<Part<'_>>> = Vec::new();
    // How the newest input of the series begins that has packets.
    let mut newest = None;
    for input in inputs {
        if let Some(parts) = series.last_mut()
            && parts.last().is_some_and(|before| is_alike(before.input, input))
            && let Ok(this) = capture::beginning(input)
        {
            if let [first] = parts.as_slice() {
                newest = capture::beginning(first.input).ok().flatten();
            }
            let goes_on = match &this {
                None => true,
                Some(this) => newest.as_ref().is_none_or(|newest| newest.first < this.first),
            };
            if goes_on {
                newest = this.clone().or(newest);
                parts.push(Part { input, goes_on: Some(this.map_or(GoesOn::Empty, GoesOn::With)) });
                continue;
            }
        }
        series.push(vec![Part { input, goes_on: None }]);
    }
    series
}

/// Digits of a name, at least, that tells when its file was begun.
const MIN_DIGITS_OF_TIME: usize = 6;

/// True of files in the same folder whose names differ in numbers alone, and in whether they are compressed by now: in the
/// time they were begun, or in a number of which the second one's is the next. A pipe is no file: its bytes can be read
/// but once.
fn is_alike(one: &Input, other: &Input) -> bool {
    let (Input::File(one), Input::File(other)) = (one, other) else { return false };
    is_named_alike(one, other) && one.is_file() && other.is_file()
}

fn is_named_alike(one: &Path, other: &Path) -> bool {
    let (Some(before), Some(next)) = (name(one), name(other)) else { return false };
    if one.parent() != other.parent() || one == other {
        return false;
    }
    let without_digits = |name: &str| -> String { name.chars().filter(|c| !c.is_ascii_digit()).collect() };
    let is_dated = |name: &str| name.chars().filter(char::is_ascii_digit).count() >= MIN_DIGITS_OF_TIME;
    if is_dated(before) && is_dated(next) {
        return without_digits(before) == without_digits(next);
    }
    // Behind the extension, as in `cap.pcap1`, or in front of it.
    let extension = next.rfind('.').filter(|_| !next.ends_with(|c: char| c.is_ascii_digit()));
    let ending = extension.map_or("", |at| next.split_at(at).1);
    let number = |name| -> Option<(&str, u32)> {
        let stem = str::strip_suffix(name, ending)?;
        let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        Some((bare, stem.strip_prefix(bare)?.parse().unwrap_or(0)))
    };
    match (number(before), number(next)) {
        (Some((bare, before)), Some((bare_of_next, next))) => bare == bare_of_next && next == before + 1,
        _ => false,
    }
}

/// The name of a file before it was compressed.
fn name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    Some([".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_recorders_give_are_alike() {
        for (one, other) in [
            ("a/cap_00001_20261101020700.pcapng", "a/cap_00002_20261101030700.pcapng"),
            ("a/cap.pcap", "a/cap.pcap1"),
            ("a/cap.pcap9", "a/cap.pcap10"),
            ("cap.pcap09.gz", "cap.pcap10"),
            ("part-1.pcapng", "part-2.pcapng"),
            ("cap-1761955620.pcap", "cap-1761959220.pcap"),
            ("2026-11-27T08:00:00.pcap", "2026-11-27T09:00:00.pcap.zst"),
        ] {
            assert!(is_named_alike(Path::new(one), Path::new(other)), "{one} {other}");
        }
        for (one, other) in [
            ("a/cap1.pcap", "b/cap2.pcap"),
            ("inside1.pcap", "outside1.pcap"),
            ("cap1.pcap", "cap1.pcap"),
            ("cap1.pcap", "cap2.pcapng"),
            ("snaplen-96.pcap", "snaplen-400.pcap"),
            ("tls12-x.pcap", "tls13-x.pcap"),
            ("cap2.pcap", "cap1.pcap"),
        ] {
            assert!(!is_named_alike(Path::new(one), Path::new(other)), "{one} {other}");
        }
    }
}
