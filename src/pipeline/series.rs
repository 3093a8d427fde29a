//! Captures that recorders cut into files, by size or by time (`tcpdump -C`, `-G`, `dumpcap -b`), are read as one:
//! a handshake may lie in two files, and a connection goes on in all that follow.
//!
//! Files may be of one series where their names count, also in a ring, or tell the time at which they begin, in the same
//! folder, and none begins earlier than the one before, but for what interfaces and queues do. Other digits name places: hosts,
//! accounts, addresses. Whether files are of one series is seen when the one before was read: the next one has to begin where
//! that ended, on the same interfaces ([`Engine::may_go_on`](super::Engine::may_go_on)).

mod names;

use std::time::Duration;

use self::names::{Name, Names, Told, follow, told};
use super::engine;
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

/// Files that neither count as recorders do nor tell the date may be those of one place after another. Of a recorder each
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
    for files in inputs.chunk_by(|one, other| is_by_name(one, other) && are_counted(one, other)) {
        let mut best: Vec<&Input> = files.iter().collect();
        let mut counted = best.clone();
        counted.sort_by_cached_key(|input| input.path().file_name().map(InOrder::of));
        let turned = turned(&counted);
        // The order given holds unless another makes one capture of more of them. Whatever interfaces and queues do, time
        // then goes on.
        let strictly = |inputs: &[&Input]| in_turn(inputs, |_| Duration::ZERO).len();
        for other in [counted, turned] {
            if other != best && strictly(&other) < strictly(&best) {
                best = other;
            }
        }
        ordered.extend(best);
    }
    in_turn(&ordered, |beginning| engine::tolerance(beginning.interfaces.len()))
}

/// The same with each ring (`tcpdump -C -W`) from its oldest file on: the first are those that were written again.
fn turned<'a>(counted: &[&'a Input]) -> Vec<&'a Input> {
    let mut turned = counted.to_vec();
    for ring in turned.chunk_by_mut(|one, other| are_of_ring(one, other)) {
        // One alone may be a pipe, whose bytes can be read but once.
        if ring.len() > 1 {
            ring.rotate_left(oldest(ring));
        }
    }
    turned
}

/// Which file of a ring is the oldest: the one before which time goes back, and farthest. As in a ring, that may be the first.
fn oldest(ring: &[&Input]) -> usize {
    let first = |input: &Input| capture::beginning(input).ok().flatten().map(|beginning| beginning.first);
    let begun: Vec<(usize, Timestamp)> =
        ring.iter().enumerate().filter_map(|(at, input)| Some((at, first(input)?))).collect();
    let (mut oldest, mut farthest) = (0, Duration::ZERO);
    for (&(_, before), &(at, this)) in begun.iter().cycle().skip(begun.len().saturating_sub(1)).zip(&begun) {
        if before.since(this) > farthest {
            (oldest, farthest) = (at, before.since(this));
        }
    }
    oldest
}

/// True where the second file may stand there because of its name: as a shell puts it that found it by a pattern, byte by
/// byte, so that `cap.pcap10` comes before `cap.pcap2`, or by the numbers, as in a folder.
fn is_by_name(one: &Input, other: &Input) -> bool {
    let (Input::File(one), Input::File(other)) = (one, other) else { return false };
    let (Some(name), Some(other_name)) = (one.file_name(), other.file_name()) else { return false };
    one.parent() == other.parent() && (name < other_name || InOrder::of(name) < InOrder::of(other_name))
}

/// True where names of files differ in nothing but a number that counts, or may.
fn are_counted(one: &Input, other: &Input) -> bool {
    Name::both(one, other).is_some_and(|(one, other)| {
        one.trunk == other.trunk || (one.stem, one.ending) == (other.stem, other.ending)
    })
}

/// The same of files that may be of a ring, all of which have a part.
fn are_of_ring(one: &Input, other: &Input) -> bool {
    let has_part = |name: Name<'_>| name.trunk != name.whole;
    let names = Name::both(one, other).filter(|(one, other)| has_part(*one) && has_part(*other));
    names.is_some_and(|(one, other)| one.trunk == other.trunk) && are_files(one, other)
}

/// A pipe is no file: its bytes can be read but once.
fn are_files(one: &Input, other: &Input) -> bool {
    one.path().is_file() && other.path().is_file()
}

/// The inputs in this order, those together that may be of one series. `early` is how much earlier than the one before
/// one may begin that begins so.
fn in_turn<'a>(inputs: &[&'a Input], early: impl Fn(&Beginning) -> Duration) -> Vec<Vec<Part<'a>>> {
    let mut series: Vec<Vec<Part<'_>>> = Vec::new();
    // When the newest input of the series begins that has packets.
    let mut newest: Option<Timestamp> = None;
    for &input in inputs {
        if let Some(parts) = series.last_mut()
            && let Some(before) = parts.last().map(|before| before.input)
            && let Some(names) = follow(before, input)
            && are_files(before, input)
            && let Ok(this) = capture::beginning(input)
        {
            if let [first] = parts.as_slice() {
                newest = capture::beginning(first.input).ok().flatten().map(|beginning| beginning.first);
            }
            let goes_on = match this {
                None => Some(GoesOn::Empty),
                Some(this) if newest.is_some_and(|newest| newest > this.first.after(early(&this))) => None,
                Some(this) => match (names, told(before, input, this.first)) {
                    (Names::Recorder, _) | (_, Some(Told::Date)) => Some(GoesOn::With(this, None)),
                    (Names::Digits, None) => None,
                    _ => Some(GoesOn::With(this, Some(NEXT_FILE))),
                },
            };
            if let Some(goes_on) = goes_on {
                if let GoesOn::With(this, _) = &goes_on {
                    newest = newest.max(Some(this.first));
                }
                parts.push(Part { input, goes_on: Some(goes_on) });
                continue;
            }
        }
        series.push(vec![Part { input, goes_on: None }]);
    }
    series
}
