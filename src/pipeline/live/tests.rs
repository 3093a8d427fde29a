use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::worker::Worker;
use super::*;
use crate::capture::{
    self, Count, FileSource, Frame, FrameSource as _, Input, Interface, Link, LinkCounts, LinkType,
    LiveError, LiveSource, Outgoing, Take,
};
use crate::export::jsonl::write_record;
use crate::pipeline::{Job, analyze};

mod pressure;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// A capture with several DynamoDB flows.
fn some_capture() -> Input {
    let found = capture::expand([captures()]).unwrap().inputs;
    let of = |input: &Input| analyzed(vec![input.clone()], |_| {}).0.lines().count();
    found.into_iter().find(|input| of(input) >= 2).expect("a capture with two flows")
}

fn analyzed(inputs: Vec<Input>, change: impl Fn(&mut Record)) -> (String, Accounts) {
    let job = Job {
        inputs,
        config: Arc::new(Resolved::default()),
        all_services: false,
        jobs: 1,
        progress: None,
        stop: None,
    };
    let mut text = Vec::new();
    let accounts = analyze(&job, &mut |mut record| {
        change(&mut record);
        write_record(&record, &mut text);
        Ok(())
    })
    .unwrap();
    (String::from_utf8(text).unwrap(), accounts)
}

fn replay(inputs: Vec<Input>, speed: Speed, is_endless: bool) -> (Live<u32>, Receiver<Output<u32>>) {
    let feed = Feed::Replay(Replay { inputs, lost: Vec::new(), speed, is_endless });
    Live::start(feed, Arc::new(Resolved::default())).unwrap()
}

/// Takes outputs until `until` holds of health and records, then stops and takes the rest.
fn drain(
    live: Live<u32>,
    outputs: &Receiver<Output<u32>>,
    mut until: impl FnMut(&Health, usize) -> bool,
) -> (Vec<Record>, Accounts) {
    let (mut records, mut last) = (Vec::new(), None);
    let begin = Instant::now();
    while last.is_none() {
        match outputs.recv_timeout(Duration::from_millis(20)) {
            Ok(Output::Records(some)) => records.extend(some),
            Ok(Output::Finished(accounts)) => last = Some(*accounts),
            Ok(Output::Accounts(..)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the engine ended without its last counts"),
        }
        assert!(begin.elapsed() < Duration::from_secs(100), "{:?}", live.health());
        if until(&live.health(), records.len()) {
            live.stop();
        }
    }
    live.join();
    (records, last.unwrap())
}

fn assert_adds_up(accounts: &Accounts) {
    assert_eq!(
        accounts.flows_opened,
        accounts.records + accounts.evictions.values().sum::<u64>() + accounts.flows_open
    );
    for counts in accounts.interfaces.values() {
        assert_eq!(counts.seen.packets, counts.skipped.packets + counts.parsed.packets);
        assert_eq!(counts.seen.bytes, counts.skipped.bytes + counts.parsed.bytes);
    }
}

fn text_of(records: &[Record], change: impl Fn(&mut Record)) -> String {
    let mut text = Vec::new();
    for record in records {
        let mut record = record.clone();
        change(&mut record);
        write_record(&record, &mut text);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn plays_captures_as_analyze_reads_them() {
    let inputs = capture::expand([captures()]).unwrap().inputs;
    let (expected, offline) = analyzed(inputs.clone(), |_| {});
    let (live, outputs) = replay(inputs, Speed::Max, false);
    let (records, accounts) = drain(live, &outputs, |health, _| health.state == State::Over);
    assert_eq!(text_of(&records, |_| {}), expected);
    assert_adds_up(&accounts);
    assert_eq!(accounts.records, records.len() as u64);
    assert_eq!(
        (accounts.flows_opened, &accounts.evictions, &accounts.decode_errors),
        (offline.flows_opened, &offline.evictions, &offline.decode_errors)
    );
    let damage = |accounts: &Accounts| -> Vec<String> {
        accounts.damage.iter().map(|note| note.what.clone()).collect()
    };
    assert_eq!(damage(&accounts).len(), damage(&offline).len());
    let sum = |accounts: &Accounts| accounts.interfaces.values().map(|i| i.seen.packets).sum::<u64>();
    assert_eq!(sum(&accounts), sum(&offline));
    assert_eq!(accounts.interfaces.len(), 1, "228 files are not 228 label values");
}

#[test]
fn plays_endlessly_with_time_going_on() {
    let (live, outputs) = replay(vec![some_capture()], Speed::Max, true);
    let (records, accounts) = drain(live, &outputs, |health, _| health.rounds >= 3);
    let (once, _) = analyzed(vec![some_capture()], |_| {});
    let per_round = once.lines().count();
    assert!(records.len() >= 3 * per_round);
    assert_adds_up(&accounts);
    for (one, next) in records.iter().zip(records.iter().skip(per_round)) {
        assert_eq!((one.client, one.server), (next.client, next.server), "the same flow in the next round");
        assert!(one.timestamp < next.timestamp);
    }
}

/// One file that cannot be read any more is damage, told once; where there is no other, nothing is captured.
#[test]
fn goes_on_without_a_file_that_vanished() {
    let folder = tempfile::tempdir().unwrap();
    let vanished = folder.path().join("vanished.pcap");
    std::fs::copy(some_capture().path(), &vanished).unwrap();
    let gone = capture::expand([&vanished]).unwrap().inputs.remove(0);
    std::fs::remove_file(&vanished).unwrap();
    let lost =
        DamageNote { file: "closed.pcap".to_owned(), offset: None, what: "may not be read".to_owned() };
    let feed = Feed::Replay(Replay {
        inputs: vec![gone.clone(), some_capture()],
        lost: vec![lost],
        speed: Speed::Max,
        is_endless: true,
    });
    let (live, outputs) = Live::start(feed, Arc::new(Resolved::default())).unwrap();
    let (records, accounts) = drain(live, &outputs, |health, _| {
        assert_eq!(health.state, State::Capturing);
        health.rounds >= 3
    });
    assert!(!records.is_empty());
    let notes: Vec<_> = accounts.damage.iter().map(|note| (&*note.file, note.offset)).collect();
    assert_eq!(notes, [("closed.pcap", None), (vanished.to_str().unwrap(), None)]);
    let (live, outputs) = replay(vec![gone], Speed::Max, true);
    drain(live, &outputs, |health, _| matches!(health.state, State::Failing(_)));
}

#[test]
fn keeps_the_recorded_pace_or_a_multiple() {
    let mut source = capture::open_input(&some_capture()).unwrap();
    let (mut first, mut last) = (None, Timestamp::default());
    while let Some(frame) = source.next_frame().unwrap() {
        first.get_or_insert(frame.timestamp);
        last = frame.timestamp;
    }
    let span = last.since(first.unwrap());
    assert!(!span.is_zero());
    let times = span.as_secs_f64() / 0.5;
    let begin = Instant::now();
    let (live, outputs) = replay(vec![some_capture()], Speed::Times(times), false);
    let (records, _) = drain(live, &outputs, |health, _| health.state == State::Over);
    assert!(begin.elapsed() >= Duration::from_millis(490), "{:?}", begin.elapsed());
    assert!(!records.is_empty());
}

#[test]
fn answers_questions_after_the_records_before_them() {
    let (live, outputs) = replay(vec![some_capture()], Speed::Max, true);
    let (mut reported, mut answers) = (0, 0);
    while answers < 20 {
        assert!(live.ask(answers));
        loop {
            match outputs.recv_timeout(Duration::from_secs(10)).unwrap() {
                Output::Records(records) => reported += records.len() as u64,
                Output::Accounts(accounts, question) => {
                    assert_eq!(question, answers);
                    assert_eq!(accounts.records, reported);
                    assert_adds_up(&accounts);
                    break;
                }
                Output::Finished(_) => panic!("nobody stopped it"),
            }
        }
        answers += 1;
    }
    drain(live, &outputs, |_, _| true);
}

#[test]
fn keeps_records_and_questions_while_nobody_takes_them() {
    let feed = interfaces(Scripted::new("eth7", &Arc::default(), &Arc::default()), never());
    let (outbox, outputs) = sync_channel(1);
    let (engine, inbox) = sync_channel(1_000);
    let config = Arc::new(Resolved::default());
    let worker = Worker::new(config, Arc::new(Shared::new(&feed)), outbox, false, false);
    let (home, _empties) = sync_channel(1);
    let mut file = capture::open_input(&some_capture()).unwrap();
    let interfaces: Arc<[Interface]> =
        Arc::new([Interface { link_type: LinkType::ETHERNET, name: Some(Arc::from("eth7")), kind: None }]);
    // One frame at a time, so that records come one at a time.
    while let Some(frame) = file.next_frame().unwrap() {
        let mut batch = Batch::default();
        batch.interfaces = Arc::clone(&interfaces);
        batch.push(&frame, 0, frame.timestamp);
        assert!(engine.send(ToEngine::Frames { batch, home: home.clone() }).is_ok());
    }
    let end = Timestamp::from_nanos(u64::MAX / 2);
    assert!(engine.send(ToEngine::Clock(end)).is_ok() && engine.send(ToEngine::Ask(7_u32)).is_ok());
    let thread = std::thread::spawn(move || worker.run(&inbox));
    // The engine is through, and stands before a full queue.
    std::thread::sleep(Duration::from_millis(300));
    let mut records = 0;
    loop {
        match outputs.recv_timeout(Duration::from_secs(10)).unwrap() {
            Output::Records(some) => records += some.len() as u64,
            Output::Accounts(accounts, question) => {
                assert_eq!((question, accounts.records), (7, records));
                assert!(records >= 2 && !accounts.evictions.contains_key("records_behind"), "{accounts:?}");
                assert_adds_up(&accounts);
                break;
            }
            Output::Finished(_) => panic!("nobody stopped it"),
        }
    }
    drop(engine);
    assert!(matches!(outputs.recv_timeout(Duration::from_secs(10)), Ok(Output::Finished(_))));
    thread.join().unwrap();
}

/// A source that plays a capture as if it came from an interface, and may get stuck.
struct Scripted {
    file: FileSource,
    interfaces: Vec<Interface>,
    counts: LinkCounts,
    is_stuck: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

/// Long after every packet of the captures.
const LEFT_OUT_AT: Timestamp = Timestamp::from_seconds(4_000_000_000);

impl Scripted {
    fn new(name: &str, is_stuck: &Arc<AtomicBool>, is_over: &Arc<AtomicBool>) -> Self {
        let name: Arc<str> = Arc::from(name);
        let skipped = vec![("flow_settled", Count { packets: 5, bytes: 500 })];
        let counts = LinkCounts {
            interface: Arc::clone(&name),
            skipped,
            last_skipped: Some(LEFT_OUT_AT),
            dropped: vec![("kernel", "no_room", 2)],
            ..LinkCounts::default()
        };
        Self {
            file: capture::open_input(&some_capture()).unwrap(),
            interfaces: vec![Interface { link_type: LinkType::ETHERNET, name: Some(name), kind: None }],
            counts,
            is_stuck: Arc::clone(is_stuck),
            is_over: Arc::clone(is_over),
        }
    }
}

impl LiveSource for Scripted {
    fn backend(&self) -> &'static str {
        "scripted"
    }

    fn attach(&mut self, _: &Link) -> Result<(), LiveError> {
        Ok(())
    }

    fn detach(&mut self, _: u32) {}

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        while self.is_stuck.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        for given in 0..most {
            let Ok(Some(frame)) = self.file.next_frame() else {
                self.is_over.store(true, Ordering::Relaxed);
                std::thread::sleep(wait.min(Duration::from_millis(5)));
                return Ok(given);
            };
            if take(&Frame { interface: 0, ..frame }, &self.interfaces).is_break() {
                return Ok(given + 1);
            }
        }
        Ok(most)
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        vec![self.counts.clone()]
    }
}

fn link(name: &str) -> Link {
    Link { index: 3, name: Arc::from(name), kind: None, link_type: LinkType::ETHERNET }
}

fn interfaces(source: Scripted, reopen: OpenSource) -> Feed {
    let stalled_after = Duration::from_millis(300);
    let refused = vec![("eth8".to_owned(), "not today".to_owned())];
    Feed::Interfaces { source: Box::new(source), reopen, links: vec![link("eth7")], refused, stalled_after }
}

fn never() -> OpenSource {
    Box::new(|| panic!("nothing is wrong with the first source"))
}

fn as_live(record: &mut Record) {
    record.source = Arc::from("live");
    for sighting in &mut record.sightings {
        sighting.interface = Some(Arc::from("eth7"));
    }
}

#[test]
fn gives_the_same_records_live_as_from_a_file() {
    let (is_stuck, is_over) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    let feed = interfaces(Scripted::new("eth7", &is_stuck, &is_over), never());
    let (live, outputs) = Live::start(feed, Arc::new(Resolved::default())).unwrap();
    live.set_lost_before(vec![(Arc::from("eth7"), "rx_missed", 4), (Arc::from("eth7"), "rx_dropped", 0)]);
    let (records, accounts) = drain(live, &outputs, |_, _| is_over.load(Ordering::Relaxed));
    let (expected, offline) = analyzed(vec![some_capture()], as_live);
    let mut lines: Vec<String> = text_of(&records, as_live).lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    assert_adds_up(&accounts);
    let seen = |accounts: &Accounts| accounts.interfaces.values().next().unwrap().seen.packets;
    assert_eq!(seen(&accounts), seen(&offline) + 5, "with what the kernel left out");
    let newest = (accounts.last_packet, accounts.interfaces["eth7"].last_packet);
    assert_eq!(newest, (Some(LEFT_OUT_AT), Some(LEFT_OUT_AT)), "what is left out came, too");
    let dropped = |stage, reason| accounts.dropped[&("eth7".to_owned(), stage, reason)];
    assert_eq!(dropped("kernel", "no_room"), 2);
    assert_eq!((dropped("nic", "rx_missed"), dropped("nic", "rx_dropped")), (4, 0));
}

#[test]
fn replaces_a_reader_that_is_stuck() {
    let (is_stuck, is_over) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    is_stuck.store(true, Ordering::Relaxed);
    let first = Scripted::new("eth7", &is_stuck, &Arc::default());
    let (fine, over) = (Arc::default(), Arc::clone(&is_over));
    let reopen: OpenSource = Box::new(move || Ok(Box::new(Scripted::new("eth7", &fine, &over))));
    let (live, outputs) = Live::start(interfaces(first, reopen), Arc::new(Resolved::default())).unwrap();
    let shared = Arc::clone(&live.shared);
    let (records, accounts) = drain(live, &outputs, |_, _| {
        // The stuck one comes back late and must not disturb.
        is_stuck.fetch_and(!is_over.load(Ordering::Relaxed), Ordering::Relaxed);
        is_over.load(Ordering::Relaxed)
    });
    assert_eq!(shared.health().restarts["eth7"], 1);
    assert_eq!(records.len(), analyzed(vec![some_capture()], |_| {}).0.lines().count());
    assert_adds_up(&accounts);
    // Those of the one that was given up count as well.
    assert_eq!(accounts.skipped["flow_settled"], 10);
}

#[test]
fn follows_interfaces_and_says_which_it_cannot_watch() {
    let (is_stuck, is_over) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    let feed = interfaces(Scripted::new("eth7", &is_stuck, &is_over), never());
    let (live, outputs) = Live::start(feed, Arc::new(Resolved::default())).unwrap();
    live.change(Change::Appeared(Link { index: 9, ..link("vti9") }));
    let mut refused = std::collections::BTreeMap::new();
    drain(live, &outputs, |health, _| {
        refused.clone_from(&health.refused);
        health.interfaces == ["eth7", "vti9"]
    });
    assert_eq!(refused["eth8"], "not today", "known from the start on");
}

const NEVER_GIVEN: &str = "three frames were never given";

/// One place, which every interface that appears takes from the one before; each shows a few frames.
struct Passing {
    interfaces: Vec<Interface>,
    waiting: u64,
    told: Told,
    /// What it gives up when it is asked next; it is refused once after that.
    fails: Arc<Mutex<Option<Link>>>,
    is_refused: bool,
    refusals: usize,
    seen: Arc<AtomicUsize>,
}

impl LiveSource for Passing {
    fn backend(&self) -> &'static str {
        "passing"
    }

    fn attach(&mut self, link: &Link) -> Result<(), LiveError> {
        let interface =
            Interface { link_type: link.link_type, name: Some(Arc::clone(&link.name)), kind: None };
        let is_again = self.refusals > 0;
        if std::mem::take(&mut self.is_refused) {
            self.refusals += 1;
            self.wait_until_seen(self.refusals * 2 - 1);
            return Err(LiveError::Interface {
                interface: Arc::clone(&link.name),
                why: "not yet".to_owned(),
            });
        }
        if is_again {
            self.wait_until_seen(self.refusals * 2);
        }
        self.interfaces = vec![interface];
        if self.waiting > 0 {
            // This one came and the one before it went between two polls.
            self.told.lock().unwrap().push(NEVER_GIVEN.to_owned());
        }
        self.waiting = 3;
        Ok(())
    }

    fn detach(&mut self, _: u32) {}

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn poll(&mut self, wait: Duration, _: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        let given = std::mem::take(&mut self.waiting);
        for number in 0..given {
            let timestamp = Timestamp::from_seconds(1);
            let frame = Frame { number, timestamp, interface: 0, wire_bytes: 60, data: &[0; 60] };
            // So few that no batch is full by them.
            let _ = take(&frame, &self.interfaces);
        }
        if given == 0 {
            std::thread::sleep(wait.min(Duration::from_millis(1)));
        }
        Ok(given as usize)
    }

    fn take_failures(&mut self) -> Vec<(Link, String)> {
        let failure = self.fails.lock().unwrap().take();
        self.is_refused |= failure.is_some();
        failure.into_iter().map(|link| (link, "it went away".to_owned())).collect()
    }

    fn set_interest(&mut self, prefixes: &[ipnet::IpNet]) -> Result<(), LiveError> {
        self.told.lock().unwrap().push(format!("{} prefixes", prefixes.len()));
        Ok(())
    }

    fn set_outgoing(&mut self, outgoing: &Outgoing) -> Result<(), LiveError> {
        self.told.lock().unwrap().push(format!("{outgoing:?}"));
        Err(LiveError::Unsupported { what: "choosing".to_owned(), why: "made up".to_owned() })
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        Vec::new()
    }
}

type Told = Arc<Mutex<Vec<String>>>;

fn passing() -> (Live<u32>, Receiver<Output<u32>>, Told) {
    passing_that_fails(&Arc::default(), &Arc::new(AtomicUsize::new(usize::MAX)))
}

impl Passing {
    /// What is said of a failure stands until it is said anew: the test has to see it, however busy the machine is.
    fn wait_until_seen(&self, number: usize) {
        let begin = Instant::now();
        while self.seen.load(Ordering::Relaxed) < number && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// `seen` is how much of what is said of failures was seen; with a large number nobody waits for that.
fn passing_that_fails(
    fails: &Arc<Mutex<Option<Link>>>,
    seen: &Arc<AtomicUsize>,
) -> (Live<u32>, Receiver<Output<u32>>, Told) {
    let told = Told::default();
    let source = Passing {
        interfaces: Vec::new(),
        waiting: 0,
        told: Arc::clone(&told),
        fails: Arc::clone(fails),
        is_refused: false,
        refusals: 0,
        seen: Arc::clone(seen),
    };
    let feed = Feed::Interfaces {
        source: Box::new(source),
        reopen: never(),
        links: Vec::new(),
        refused: Vec::new(),
        stalled_after: Duration::from_secs(10),
    };
    let (live, outputs) = Live::start(feed, Arc::new(Resolved::default())).unwrap();
    (live, outputs, told)
}

#[test]
fn thousands_of_names_come_and_go_without_growth() {
    let (live, outputs, told) = passing();
    for index in 0..2_000_u32 {
        let name = format!("veth{index}");
        live.change(Change::Appeared(Link { index, ..link(&name) }));
        let begin = Instant::now();
        while live.health().interfaces != [name.clone()] {
            assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", live.health());
            std::thread::sleep(Duration::from_micros(200));
        }
        live.change(Change::Vanished { index, name: Arc::from(name) });
    }
    let shared = Arc::clone(&live.shared);
    let (_, accounts) = drain(live, &outputs, |health, _| health.interfaces.is_empty());
    assert!(shared.interfaces().len() <= 512, "{}", shared.interfaces().len());
    assert!(accounts.interfaces.len() <= 513, "{}", accounts.interfaces.len());
    let seen = |name: &str| accounts.interfaces.get(name).map(|counts| counts.seen.packets);
    assert!(seen("veth0").is_none() && seen("veth1999") == Some(3) && seen("other") > Some(3_000));
    let never_given = told.lock().unwrap().iter().filter(|what| *what == NEVER_GIVEN).count() as u64;
    assert!(never_given < 500, "{never_given}");
    let all = accounts.interfaces.values().map(|counts| counts.seen.packets).sum::<u64>();
    assert_eq!(all, 6_000 - 3 * never_given);
    assert_adds_up(&accounts);
}

#[test]
fn says_what_the_source_gave_up_and_watches_it_again() {
    let (fails, seen) = (Arc::default(), Arc::default());
    let (live, outputs, _) = passing_that_fails(&fails, &seen);
    let shared = Arc::clone(&live.shared);
    live.change(Change::Appeared(link("eth7")));
    let mut words = Vec::new();
    drain(live, &outputs, |health, _| {
        let said = health.refused.get("eth7").cloned();
        if health.interfaces == ["eth7"] && words.is_empty() {
            *fails.lock().unwrap() = Some(link("eth7"));
        }
        words.extend(said.filter(|said| words.last() != Some(said)));
        seen.store(words.len(), Ordering::Relaxed);
        words.len() == 2 && health.interfaces == ["eth7"] && health.refused.is_empty()
    });
    assert_eq!(words, ["it went away", "the interface eth7 cannot be watched: not yet"]);
    assert_eq!(shared.health().restarts, BTreeMap::from([("eth7".to_owned(), 1)]));
}

#[test]
fn what_is_gone_is_not_tried_again_though_the_source_gave_it_up_just_before() {
    let fails: Arc<Mutex<Option<Link>>> = Arc::default();
    let (live, outputs, _) = passing_that_fails(&fails, &Arc::new(AtomicUsize::new(usize::MAX)));
    live.change(Change::Appeared(link("tun0")));
    let mut gone = None;
    let shared = Arc::clone(&live.shared);
    drain(live, &outputs, |health, _| {
        if health.interfaces == ["tun0"] && gone.is_none() {
            *fails.lock().unwrap() = Some(link("tun0"));
            shared.change(Change::Vanished { index: link("tun0").index, name: Arc::from("tun0") });
            gone = Some(Instant::now());
        }
        // The source was asked for what it gave up several times by now.
        gone.is_some_and(|gone| gone.elapsed() > Duration::from_secs(1))
    });
    let health = shared.health();
    assert_eq!((health.interfaces, health.refused), (Vec::new(), std::collections::BTreeMap::new()));
}

#[test]
fn tells_the_source_what_a_new_configuration_is_interested_in() {
    let (live, outputs, told) = passing();
    live.change(Change::Outgoing(Outgoing::None));
    let config = Resolved::default();
    let expected = format!("{} prefixes", config.endpoint.prefixes.networks().count());
    assert!(live.reconfigure(Arc::new(config), 1));
    let shared = Arc::clone(&live.shared);
    drain(live, &outputs, |_, _| told.lock().unwrap().len() == 2);
    assert_eq!(*told.lock().unwrap(), ["None".to_owned(), expected]);
    assert!(shared.health().refused["outgoing frames"].contains("made up"));
}

#[test]
fn swaps_the_configuration_between_flows() {
    let (live, outputs) = replay(vec![some_capture()], Speed::Max, true);
    let strict = "[policy]\nprofile = \"cnsa-2.0\"\n";
    let config = crate::config::parse(strict, &crate::config::CommandLine::default()).unwrap();
    let profiles = |records: &[Record]| -> Vec<String> {
        records.iter().filter_map(|record| Some(record.policy.as_ref()?.profile.to_string())).collect()
    };
    let mut is_asked = false;
    let mut is_swapped = false;
    let begin = Instant::now();
    let mut seen_after = 0;
    while seen_after < 10 {
        assert!(begin.elapsed() < Duration::from_secs(30));
        match outputs.recv_timeout(Duration::from_secs(10)).unwrap() {
            Output::Records(records) => {
                let profiles = profiles(&records);
                let wanted = if is_swapped { "cnsa-2.0" } else { "aws-dynamodb" };
                assert!(is_asked || profiles.iter().all(|profile| profile == "aws-dynamodb"));
                if is_swapped {
                    assert!(profiles.iter().all(|profile| profile == wanted), "{profiles:?}");
                    seen_after += profiles.len();
                }
                if !is_asked {
                    is_asked = live.reconfigure(Arc::new(config.clone()), 1);
                }
            }
            Output::Accounts(..) => is_swapped = true,
            Output::Finished(_) => panic!("nobody stopped it"),
        }
    }
    drain(live, &outputs, |_, _| true);
}
