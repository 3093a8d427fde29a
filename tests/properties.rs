//! What must not change a record, and what must not hurt the program, for packets in forms nobody wrote down.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestCaseError};

use crate::support::packets::{Direction, Frame, SYN, SYN_FIN_RST, pcap, pcapng, read_pcap};
use crate::support::{self, Record};

/// A shipped capture that can be taken apart, and its records.
pub struct Base {
    pub name: String,
    pub frames: Vec<Frame>,
    pub records: Vec<Record>,
}

/// Captures whose form is a subject of its own: what is done to them here has been done already.
/// After a loss, or where the capture joined later, records are found where segments begin, so there the division
/// into segments counts.
const LEFT_OUT: [&str; 6] = ["damaged", "snaplen", "mirror", "gwlb", "lost", "mid-stream"];

/// The shipped captures that are whole.
pub static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let names: Vec<String> = crate::golden::names()
        .into_iter()
        .filter(|name| name.ends_with(".pcap") && !LEFT_OUT.iter().any(|part| name.contains(part)))
        .collect();
    let bases: Vec<Base> = support::each(&names, |name| {
        let frames = read_pcap(&fs::read(support::capture(name)).unwrap())?;
        let records = analyze(&[support::capture(name)]);
        Some(Base { name: name.clone(), frames, records })
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(bases.len() > 50, "{}", bases.len());
    bases
});

/// The records of some frames.
pub fn records_of(frames: &[Frame]) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    fs::write(&path, pcap(frames)).unwrap();
    analyze(&[path])
}

fn analyze(files: &[PathBuf]) -> Vec<Record> {
    let mut command = support::ddbwatch();
    let ran = support::finish(
        command.args(["analyze", "--all-services", "--format", "jsonl", "--jobs", "1"]).args(files),
    );
    assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
    ran.records()
}

/// Keys that say where, when and in which frame something was seen, and no more.
const PLACES: [&str; 2] = ["capture.source", "capture.interface"];
/// Keys that say how long something took.
const TIMES: [&str; 3] = ["timestamp", "handshake.duration_seconds", "tcp.rtt_seconds"];
/// Keys that depend on what the packets were wrapped in.
const WRAPPINGS: [&str; 1] = ["capture.encapsulation"];

fn is_about(key: &str, keys: &[&str]) -> bool {
    // Frame numbers count for a place wherever they stand.
    keys.contains(&key) || key.contains("frame") || (keys.contains(&WRAPPINGS[0]) && key.starts_with("path."))
}

fn without(records: &[Record], keys: &[&str]) -> Vec<Record> {
    records
        .iter()
        .map(|record| {
            record
                .iter()
                .filter(|(key, _)| !is_about(key, keys))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        })
        .collect()
}

/// Writes the file, analyses it and compares with the records of the base, but for `keys`.
fn same_records(base: &Base, file: &str, bytes: &[u8], keys: &[&str]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::write(&path, bytes).unwrap();
    let keys = [&PLACES[..], keys].concat();
    let (mut found, mut wanted) = (without(&analyze(&[path]), &keys), without(&base.records, &keys));
    if keys.contains(&TIMES[0]) {
        // Records come in the order of decisions, which other times may turn.
        for records in [&mut found, &mut wanted] {
            records.sort_by_key(|record| serde_json::to_string(record).unwrap());
        }
    }
    if found == wanted {
        return Ok(());
    }
    let mut lines = vec![format!("{}: {} records instead of {}", base.name, found.len(), wanted.len())];
    for (found, wanted) in found.iter().zip(&wanted) {
        for key in found.keys().chain(wanted.keys()) {
            if found.get(key) != wanted.get(key) {
                lines.push(format!("{key}: {:?} instead of {:?}", found.get(key), wanted.get(key)));
            }
        }
    }
    lines.dedup();
    Err(TestCaseError::fail(lines.join("\n")))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Every TCP payload in two segments, cut where `cut` says.
fn divided(frames: &[Frame], cut: impl Fn(usize, usize) -> usize) -> Vec<Frame> {
    let mut out = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        match frame.parts() {
            Some(parts) if parts.end - parts.payload >= 2 && frame.flags(parts) & SYN_FIN_RST == 0 => {
                let length = parts.end - parts.payload;
                let at = 1 + cut(number, length - 1);
                out.push(frame.piece(parts, 0, at));
                out.push(frame.piece(parts, at, length));
            }
            _ => out.push(frame.clone()),
        }
    }
    out
}

/// Segments of one direction change places by chance, none by more than three.
fn disordered(frames: &[Frame], choose: &[Index]) -> Vec<Frame> {
    let choices = std::cell::RefCell::new(choose.iter().cycle());
    let next = |size| choices.borrow_mut().next().unwrap().index(size);
    turned_by(frames, |order| {
        order.rotate_left(next(order.len()));
        if next(2) == 1 {
            order.reverse();
        }
    })
}

/// The same by a rule: each four segments are rotated, then reversed or not.
fn turned(frames: &[Frame], turn: impl Fn(usize) -> usize, is_reversed: bool) -> Vec<Frame> {
    turned_by(frames, |order| {
        order.rotate_left(turn(order.len()));
        if is_reversed {
            order.reverse();
        }
    })
}

/// Each four segments of one direction in another order; times stay where they were.
fn turned_by(frames: &[Frame], turn: impl Fn(&mut [usize])) -> Vec<Frame> {
    let mut directions: Vec<(Direction, Vec<usize>)> = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let Some(parts) = frame.parts() else { continue };
        let ends = frame.direction(parts);
        let is_fixed = frame.flags(parts) & SYN_FIN_RST != 0;
        // What opens or ends a connection stays in its place, and nothing passes it.
        match directions.iter_mut().rev().find(|(known, _)| *known == ends) {
            Some((_, places)) if !is_fixed => places.push(number),
            _ => directions.push((ends, if is_fixed { Vec::new() } else { vec![number] })),
        }
    }
    let mut out = frames.to_vec();
    for (_, places) in directions {
        let mut order = places.clone();
        order.chunks_mut(4).for_each(&turn);
        for (place, from) in places.into_iter().zip(order) {
            out[place].data.clone_from(&frames[from].data);
        }
    }
    out
}

fn config() -> ProptestConfig {
    // A longer search: PROPTEST_CASES=2000 cargo test properties
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    // The same cases each time; PROPTEST_RNG_SEED=1 and so on for others.
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn form_of_the_file_changes_nothing(which: Index) {
        let base = &BASES[which.index(BASES.len())];
        let (classic, sectioned) = (pcap(&base.frames), pcapng(&base.frames));
        same_records(base, "a.pcapng", &sectioned, &[])?;
        same_records(base, "a.pcap.gz", &gzip(&classic), &[])?;
        same_records(base, "a.pcapng.zst", &zstd::encode_all(&sectioned[..], 1).unwrap(), &[])?;
    }

    #[test]
    fn frames_seen_twice_change_nothing(which: Index, chosen in proptest::collection::vec(any::<bool>(), 1..20)) {
        let base = &BASES[which.index(BASES.len())];
        let all: Vec<Frame> = base.frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect();
        same_records(base, "all.pcap", &pcap(&all), &[])?;
        let some: Vec<Frame> = base
            .frames
            .iter()
            .zip(chosen.iter().cycle())
            .flat_map(|(frame, twice)| std::iter::repeat_n(frame.clone(), 1 + usize::from(*twice)))
            .collect();
        same_records(base, "some.pcap", &pcap(&some), &[])?;
    }

    #[test]
    fn order_within_a_direction_changes_nothing(which: Index, choose in proptest::collection::vec(any::<Index>(), 16)) {
        let base = &BASES[which.index(BASES.len())];
        same_records(base, "a.pcap", &pcap(&disordered(&base.frames, &choose)), &TIMES)?;
    }

    #[test]
    fn division_into_segments_changes_nothing(which: Index, cuts in proptest::collection::vec(any::<Index>(), 16)) {
        let base = &BASES[which.index(BASES.len())];
        let frames = divided(&base.frames, |number, length| cuts[number % cuts.len()].index(length));
        same_records(base, "a.pcap", &pcap(&frames), &[])?;
    }

    #[test]
    fn wrapping_changes_only_the_wrapping(which: Index, id in 1_u16..4095) {
        let base = &BASES[which.index(BASES.len())];
        let tagged: Vec<Frame> = base.frames.iter().map(|frame| frame.tagged(id)).collect();
        same_records(base, "vlan.pcap", &pcap(&tagged), &WRAPPINGS)?;
        let mirrored: Vec<Frame> = base.frames.iter().map(|frame| frame.in_vxlan(u32::from(id))).collect();
        same_records(base, "vxlan.pcap", &pcap(&mirrored), &WRAPPINGS)?;
        let both: Vec<Frame> = base.frames.iter().map(|frame| frame.in_vxlan(7).tagged(id)).collect();
        same_records(base, "both.pcap", &pcap(&both), &WRAPPINGS)?;
    }

    #[test]
    fn any_changed_bytes_are_survived(
        which: Index,
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..12),
        form in 0..4,
    ) {
        let base = &BASES[which.index(BASES.len())];
        let mut bytes = if form % 2 == 0 { pcap(&base.frames) } else { pcapng(&base.frames) };
        if form >= 2 {
            bytes = gzip(&bytes);
        }
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let ran = support::finish_with(support::ddbwatch().args(["analyze", "--all-services", "--format", "jsonl", "-"]), &bytes);
        prop_assert!(matches!(ran.code, Some(0 | 1 | 4)), "{}: {:?} {}", base.name, ran.code, ran.stderr);
    }
}

/// Does the same to every capture; where records changed.
fn changed(what: &str, change: impl Fn(&[Frame]) -> Vec<Frame> + Sync, keys: &[&str]) -> Vec<String> {
    let wrong = support::each(&BASES, |base| {
        let error = same_records(base, "a.pcap", &pcap(&change(&base.frames)), keys).err()?;
        Some(format!("{what}: {error}"))
    });
    wrong.into_iter().flatten().collect()
}

#[track_caller]
fn none(wrong: &[Vec<String>]) {
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{} captures\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_capture_may_be_divided() {
    none(&[
        changed("in halves", |frames| divided(frames, |_, length| length / 2), &[]),
        changed("after one byte", |frames| divided(frames, |_, _| 0), &[]),
        changed("after the record header", |frames| divided(frames, |_, length| 4.min(length - 1)), &[]),
    ]);
}

#[test]
fn every_capture_may_be_disordered() {
    let check = |what: &str, by: usize, is_backwards: bool| {
        changed(what, |frames| turned(frames, |size| by % size, is_backwards), &TIMES)
    };
    none(&[
        check("turned by one", 1, false),
        check("turned by two", 2, false),
        check("turned by three", 3, false),
        check("backwards", 0, true),
    ]);
}

/// All that one side of each connection says comes before all that the other says, as where two recordings of one
/// direction each were joined by clocks that differ; times stay where they were.
fn one_side_first(frames: &[Frame], is_opener_first: bool) -> Vec<Frame> {
    let mut connections: Vec<(Direction, Vec<(bool, usize)>)> = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let Some(parts) = frame.parts() else { continue };
        // What opens or ends a connection stays in its place, and nothing passes it.
        let is_fixed = frame.flags(parts) & SYN_FIN_RST != 0;
        let direction = frame.direction(parts);
        let answered = (direction.1.clone(), direction.0.clone());
        let known = connections.iter_mut().rev().find(|(known, _)| *known == direction || *known == answered);
        match known {
            Some((first, places)) if !is_fixed => places.push((*first == direction, number)),
            // A new stretch, which goes on with the same side as the opener.
            Some((first, _)) => {
                let first = first.clone();
                connections.push((first, Vec::new()));
            }
            None => connections.push((direction, if is_fixed { Vec::new() } else { vec![(true, number)] })),
        }
    }
    let mut out = frames.to_vec();
    for (_, places) in connections {
        let mut order = places.clone();
        order.sort_by_key(|&(is_opener, number)| (is_opener != is_opener_first, number));
        for ((_, place), (_, from)) in places.into_iter().zip(order) {
            out[place].data.clone_from(&frames[from].data);
        }
    }
    out
}

#[test]
fn one_side_may_be_seen_before_the_other() {
    none(&[
        changed("client first", |frames| one_side_first(frames, true), &TIMES),
        changed("server first", |frames| one_side_first(frames, false), &TIMES),
    ]);
}

/// Without what opened the connections.
fn unopened(frames: &[Frame]) -> Vec<Frame> {
    let is_opening = |frame: &&Frame| {
        frame.parts().is_some_and(|parts| frame.flags(parts) & SYN != 0 && parts.payload == parts.end)
    };
    frames.iter().filter(|frame| !is_opening(frame)).cloned().collect()
}

/// A resolver's answers over TCP are read from the opening on; an acknowledgment alone, without an opening before it,
/// opens no flow, be it all that a server says; only the opening proves that no proxy was asked for a public name at an
/// address that is not DynamoDB's.
const NEED_THE_OPENING: [&str; 5] =
    ["dns-over-tcp", "not-answered", "dax-cleartext", "dns-override", "endpoint-conflict"];

/// True where nothing else differs than that the rules on signatures are open: what may have been asked before the first
/// request seen is not known.
fn leaves_signatures_open(error: &str) -> bool {
    let rules = [r#"String("unsigned_request")"#, r#"String("long_term_credential")"#];
    let lists = [rules[0].to_owned(), rules[1].to_owned(), rules.join(", ")];
    let expected = lists.map(|rules| format!("policy.not_assessed: Some(Array [{rules}]) instead of None"));
    error.lines().skip(1).all(|line| expected.iter().any(|expected| line == expected))
}

#[test]
fn the_opening_of_a_connection_may_be_missing() {
    let mut wrong = [
        changed("unopened", unopened, &TIMES),
        changed("unopened, server first", |frames| one_side_first(&unopened(frames), false), &TIMES),
    ]
    .concat();
    let found = wrong.len();
    wrong.retain(|error| !NEED_THE_OPENING.iter().any(|name| error.contains(name)));
    assert_eq!(found - wrong.len(), 8, "exceptions that are not needed");
    let open: Vec<String> = wrong.extract_if(.., |error| leaves_signatures_open(error)).collect();
    assert_eq!(open.len(), 18, "each request in clear that is signed, or whose key is known, in both ways");
    none(&[wrong]);
}

#[test]
fn every_capture_may_be_seen_twice() {
    let twice = |frames: &[Frame]| frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect();
    none(&[changed("each frame twice", twice, &[])]);
}

#[test]
fn every_capture_may_be_wrapped() {
    let wrapped = |frames: &[Frame]| frames.iter().map(|frame| frame.in_vxlan(7).tagged(120)).collect();
    none(&[changed("in VXLAN in a VLAN", wrapped, &WRAPPINGS)]);
}

/// Files of `bytes` cut after each of `lengths`, in a folder.
fn cuts(folder: &Path, bytes: &[u8], lengths: impl Iterator<Item = usize>) {
    for length in lengths {
        fs::write(folder.join(format!("{length:07}.cut")), &bytes[..length]).unwrap();
    }
}

#[test]
fn truncation_at_any_byte_is_survived() {
    for (name, step) in [
        ("tls12-ecdhe-rsa.pcap", 1),
        ("many-flows.pcap", 37),
        ("seen-twice.pcapng", 7),
        ("gzip.pcap.gz", 7),
        ("zstd.pcapng.zst", 7),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let bytes = fs::read(support::capture(name)).unwrap();
        cuts(folder.path(), &bytes, (0..bytes.len()).step_by(step));
        let ran = support::run(&[
            "analyze",
            "--all-services",
            "--format",
            "jsonl",
            folder.path().to_str().unwrap(),
        ]);
        assert!(matches!(ran.code, Some(0 | 1 | 4)), "{name}: {:?} {}", ran.code, ran.stderr);
        let whole = support::run(&["analyze", "--all-services", "--format", "jsonl", name]).records();
        // What is reported of a part is a part of the truth: the same ends and no name of its own.
        for record in ran.records() {
            assert!(
                whole.iter().any(|whole| {
                    ["client.port", "server.port"].iter().all(|key| {
                        record.get(*key) == whole.get("client.port")
                            || record.get(*key) == whole.get("server.port")
                    })
                }),
                "{name}: {record:?}"
            );
        }
    }
}

#[test]
fn truncation_ends_with_one_of_three_codes() {
    let bytes = fs::read(support::capture("tls12-ecdhe-rsa.pcap")).unwrap();
    let lengths: Vec<usize> = (0..48).chain((48..bytes.len()).step_by(97)).collect();
    let codes = support::each(&lengths, |length| {
        let ran = support::finish_with(support::ddbwatch().args(["analyze", "-"]), &bytes[..*length]);
        assert!(matches!(ran.code, Some(0 | 1 | 4)), "{length}: {ran:?}");
        ran.code
    });
    assert!(codes.contains(&Some(1)) && codes.contains(&Some(4)));
}

#[test]
fn the_tools_of_these_tests_work() {
    let base = BASES.iter().find(|base| base.name == "tls12-ecdhe-rsa.pcap").unwrap();
    assert_eq!(pcap(&base.frames), fs::read(support::capture(&base.name)).unwrap());
    // A frame that is put together again has the checksums that its sender computed.
    for frame in &base.frames {
        let Some(parts) = frame.parts() else { continue };
        if frame.flags(parts) & SYN == 0 {
            assert_eq!(frame.piece(parts, 0, parts.end - parts.payload).data, frame.data);
        }
    }
    assert!(divided(&base.frames, |_, length| length / 2).len() > base.frames.len());
}
