//! What is recorded, sent over a cable, gives the records of the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ddbwatch::capture::ebpf::Options;
use ddbwatch::capture::live::{LinkCounts, LiveSource};
use ddbwatch::capture::{self, Frame, FrameSource, Interface, LinkType};
use ddbwatch::config::Resolved;
use ddbwatch::export::jsonl::write_record;
use ddbwatch::model::Timestamp;
use ddbwatch::pipeline::Engine;
use foldhash::fast::RandomState;
use serde_json::Value;

use super::namespace::{self, Cable};

/// What the clock makes different, and which frame it was: those left out have no number.
const NOT_COMPARED: [&str; 6] = [
    "timestamp",
    "handshake.duration_seconds",
    "tcp.rtt_seconds",
    "capture.frame.first",
    "capture.frame.client_hello",
    "capture.frame.server_hello",
];

/// Frames in flight before the engine says what it has settled.
const BATCH: usize = 4;

struct Recorded {
    name: String,
    frames: Vec<(usize, Vec<u8>)>,
    interfaces: usize,
}

/// Every shipped capture of Ethernet frames.
fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let inputs = capture::expand(&[PathBuf::from(&folder), folder.join("stacks")]).unwrap().inputs;
    let mut all = Vec::new();
    for input in inputs {
        let Ok(mut source) = capture::open_input(&input) else { continue };
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = source.next_frame() {
            frames.push((frame.interface as usize, frame.data.to_vec()));
        }
        let interfaces = source.interfaces();
        if interfaces.iter().all(|interface| interface.link_type == LinkType::ETHERNET) && !frames.is_empty()
        {
            all.push(Recorded { name: input.name(), frames, interfaces: interfaces.len() });
        }
    }
    all
}

fn engine() -> Engine {
    Engine::new(Arc::new(Resolved::default()), true, Arc::from("live"), RandomState::default())
        .telling_settled()
}

fn records(engine: &mut Engine) -> Vec<String> {
    engine.finish();
    let mut all: Vec<String> = engine
        .take_records()
        .map(|(record, _)| {
            let mut line = Vec::new();
            write_record(&record, &mut line);
            let mut value: Value = serde_json::from_slice(&line).unwrap();
            let object = value.as_object_mut().unwrap();
            for key in NOT_COMPARED {
                object.remove(key);
            }
            value.to_string()
        })
        .collect();
    all.sort();
    all
}

/// The records of the frames themselves, one microsecond after another from now on.
fn expected(recorded: &Recorded, interfaces: &[Interface]) -> Vec<String> {
    let mut engine = engine();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    for ((interface, data), number) in recorded.frames.iter().zip(1..) {
        let frame = Frame {
            number,
            timestamp: Timestamp::from_nanos(now + number * 1_000),
            interface: *interface as u32,
            wire_bytes: data.len() as u32,
            data,
        };
        engine.frame(&frame, interfaces);
    }
    records(&mut engine)
}

fn replayed(recorded: &Recorded, cables: &[Cable]) -> (Vec<String>, Vec<LinkCounts>, Vec<Interface>) {
    let mut source = namespace::load(&Options { takes_outgoing: false, ..namespace::small() });
    for cable in cables.iter().take(recorded.interfaces) {
        source.attach(&cable.far_link).unwrap();
    }
    let mut engine = engine();
    let interfaces = source.interfaces().to_vec();
    for batch in recorded.frames.chunks(BATCH) {
        for (interface, frame) in batch {
            cables[*interface].send(frame);
        }
        take_all(&mut source, &mut engine, Duration::ZERO);
    }
    take_all(&mut source, &mut engine, Duration::from_millis(5));
    let counts = source.counts();
    (records(&mut engine), counts, interfaces)
}

fn take_all(source: &mut impl LiveSource, engine: &mut Engine, wait: Duration) {
    while source.poll_all(wait, 1_000, &mut |frame, interfaces| engine.frame(frame, interfaces)).unwrap() > 0
    {
    }
    for (flow, until) in engine.take_settled().collect::<Vec<_>>() {
        source.settle(&flow, until);
    }
}

/// Every packet of every interface is in exactly one count.
pub fn check_counts(counts: &LinkCounts) {
    let skipped: u64 = counts.skipped.iter().map(|(_, count)| count.packets).sum();
    let dropped: u64 = counts.dropped.iter().map(|(.., packets)| packets).sum();
    assert_eq!(counts.seen.packets, counts.given.packets + skipped + dropped, "{counts:?}");
}

#[test]
fn gives_the_records_of_the_file() {
    namespace::run(|| {
        let cables: Vec<Cable> =
            (0..3).map(|number| Cable::new(&format!("near{number}"), &format!("far{number}"))).collect();
        let (mut wrong, mut captures, mut count, mut skipped) = (Vec::new(), 0, 0, 0);
        for recorded in recorded() {
            if recorded.interfaces > cables.len() {
                println!("{}: {} interfaces, passed over", recorded.name, recorded.interfaces);
                continue;
            }
            let (live, counts, interfaces) = replayed(&recorded, &cables);
            let expected = expected(&recorded, &interfaces);
            let sent = recorded.frames.len() as u64;
            let seen: u64 = counts.iter().map(|counts| counts.seen.packets).sum();
            if seen != sent {
                wrong.push(format!("{}: sent {sent}, seen {seen}: {counts:?}", recorded.name));
            }
            for counts in &counts {
                check_counts(counts);
                assert!(counts.dropped.iter().all(|(.., packets)| *packets == 0), "{counts:?}");
                skipped += counts.skipped.iter().map(|(_, count)| count.packets).sum::<u64>();
            }
            if live != expected {
                wrong.push(format!(
                    "{}:\n   live {live:#?}\n   file {expected:#?}\n{counts:?}",
                    recorded.name
                ));
            }
            captures += 1;
            count += live.len();
        }
        println!("{captures} captures, {count} records, {skipped} packets left out");
        assert!(captures > 150 && count > 200 && skipped > 1_000, "{captures} {count} {skipped}");
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    });
}
