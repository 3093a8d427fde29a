//! Captures that recorders cut into files, by size or by time (`tcpdump -C`, `-G`, `dumpcap -b`), are read as one:
//! a handshake may lie in two files, and a connection goes on in all that follow.
//!
//! Files may be of one series where they lie in the same folder, their names differ in numbers alone, and none begins earlier
//! than the one before, but for what interfaces and queues do. Numbers may as well name places (hosts, accounts, addresses),
//! so that names prove nothing, unless they count as recorders do. Proof is a connection that goes on: one that the
//! file before knows, in the next at the sequence numbers that follow; one with the same addresses and ports at others speaks
//! against it, whatever the names. Which is there is seen when the one before was read ([`GoesOn::holds`]).

mod names;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use self::names::{Name, Names, follow};
use super::engine::{self, Engine};
use crate::capture::{self, Beginning, InOrder, Input};
use crate::decode::{self, Decoded, Decoder};
use crate::flow::{Key, Kinship};
use crate::model::{Encapsulation, Timestamp};

/// An input, and how it begins where it may go on with the one before.
pub(super) struct Part<'a> {
    pub input: &'a Input,
    /// `None` of the first of a series.
    pub goes_on: Option<GoesOn>,
}

/// How an input begins that may go on with the one before.
#[derive(Clone)]
pub(super) enum GoesOn {
    With {
        beginning: Beginning,
        input: Input,
        /// The names count as recorders do, which proves enough where nothing speaks against it.
        is_counted: bool,
    },
    /// Nothing is in it: the interval was silent.
    Empty,
}

/// Connections are forgotten that were silent for longer, in one file, too.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// Frames of a file that are looked at for connections that go on.
const MOST_FRAMES: u64 = 32_768;

/// Connections that decide, of those that are known.
const MOST_CONNECTIONS: usize = 256;

impl GoesOn {
    /// As it is where all packets come later by `shift`.
    pub fn after(&self, shift: Duration) -> Self {
        let mut later = self.clone();
        if let Self::With { beginning, .. } = &mut later {
            beginning.first = beginning.first.after(shift);
        }
        later
    }

    /// True where the input goes on with what this engine has read.
    pub fn holds(&self, engine: &Engine) -> bool {
        let Self::With { beginning, input, is_counted } = self else { return true };
        let is_soon = |last: Timestamp| beginning.first <= last.after(LONGEST_SILENCE);
        engine.may_go_on(beginning)
            && match engine.last_packet() {
                Some(last) if is_soon(last) => match speaks_for(input, engine, *is_counted) {
                    Ordering::Greater => true,
                    Ordering::Equal => *is_counted,
                    Ordering::Less => false,
                },
                _ => *is_counted,
            }
    }
}

/// Whether more of the connections in the beginning of this input are those that the engine knows than are others with the
/// same addresses and ports, each by the first segment that tells. One is enough where `is_enough`. What cannot be read says
/// nothing.
fn speaks_for(input: &Input, engine: &Engine, is_enough: bool) -> Ordering {
    let Ok(mut source) = capture::open_input(input) else { return Ordering::Equal };
    let mut decoder = Decoder::new(decode::Limits::default());
    let (mut encapsulation, mut link) = (Encapsulation::default(), None);
    let (mut frames, mut decided) = (0, HashSet::new());
    let (mut same, mut other) = (0, 0);
    while frames < MOST_FRAMES
        && decided.len() < MOST_CONNECTIONS
        && let Ok(Some(together)) = source.next_frames()
    {
        frames += together.count();
        for frame in together.iter() {
            encapsulation.clear();
            let decoded = decoder.decode(
                engine::link_type(&frame, together.interfaces()).0,
                frame.timestamp,
                frame.data,
                frame.wire_bytes,
                &mut encapsulation,
                &mut link,
            );
            let Ok(Decoded::Tcp(segment)) = decoded else { continue };
            let Some(kinship) = engine.kinship(&segment) else { continue };
            if decided.insert(Key::of(segment.source, segment.destination).0) {
                match kinship {
                    Kinship::Same if is_enough => return Ordering::Greater,
                    Kinship::Same => same += 1,
                    Kinship::Other => other += 1,
                }
            }
        }
    }
    same.cmp(&other)
}

/// The inputs in their order, those together that may be of one series.
pub(super) fn plan(inputs: &[Input]) -> Vec<Vec<Part<'_>>> {
    let mut ordered = Vec::with_capacity(inputs.len());
    for files in inputs.chunk_by(|one, other| is_by_name(one, other) && are_counted(one, other)) {
        let mut best: Vec<&Input> = files.iter().collect();
        let mut counted = best.clone();
        counted.sort_by_cached_key(|input| input.path().file_name().map(InOrder::of));
        let turned = turned(&counted);
        // The order given holds unless another makes one capture of more of them, by numbers that count. Whatever interfaces
        // and queues do, time then goes on.
        let strictly =
            |inputs: &[&Input]| in_turn(inputs, |names| names != Names::Alike, |_| Duration::ZERO).len();
        for other in [counted, turned] {
            if other != best && strictly(&other) < strictly(&best) {
                best = other;
            }
        }
        ordered.extend(best);
    }
    in_turn(&ordered, |_| true, |beginning| engine::tolerance(beginning.interfaces.len()))
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

/// The inputs in this order, those together that may be of one series, where names that follow each other so `may_join`.
/// `early` is how much earlier than the one before one may begin that begins so.
fn in_turn<'a>(
    inputs: &[&'a Input],
    may_join: impl Fn(Names) -> bool,
    early: impl Fn(&Beginning) -> Duration,
) -> Vec<Vec<Part<'a>>> {
    let mut series: Vec<Vec<Part<'_>>> = Vec::new();
    // When the newest input of the series begins that has packets.
    let mut newest: Option<Timestamp> = None;
    for &input in inputs {
        if let Some(parts) = series.last_mut()
            && let Some(before) = parts.last().map(|before| before.input)
            && let Some(names) = follow(before, input).filter(|names| may_join(*names))
            && are_files(before, input)
            && let Ok(this) = capture::beginning(input)
        {
            if let [first] = parts.as_slice() {
                newest = capture::beginning(first.input).ok().flatten().map(|beginning| beginning.first);
            }
            let goes_on = match this {
                None => Some(GoesOn::Empty),
                Some(this) if newest.is_some_and(|newest| newest > this.first.after(early(&this))) => None,
                Some(beginning) => {
                    let is_counted = names == Names::Counted;
                    Some(GoesOn::With { beginning, input: input.clone(), is_counted })
                }
            };
            if let Some(goes_on) = goes_on {
                if let GoesOn::With { beginning, .. } = &goes_on {
                    newest = newest.max(Some(beginning.first));
                }
                parts.push(Part { input, goes_on: Some(goes_on) });
                continue;
            }
        }
        series.push(vec![Part { input, goes_on: None }]);
    }
    series
}
