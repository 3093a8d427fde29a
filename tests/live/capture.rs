//! The shipped Ethernet captures over a pair of interfaces: the frames that come out are those that went
//! in, and the records are those of `analyze`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ddbwatch::capture::afpacket::{self, AfPacket};
use ddbwatch::capture::libpcap::{self, Pcap};
use ddbwatch::capture::live::{Link, LiveSource};
use ddbwatch::capture::{self, Frame, FrameSource, Input, Interface, LinkType, Outgoing};
use ddbwatch::config::Resolved;
use ddbwatch::export::{Jsonl, Sink as _};
use ddbwatch::pipeline::Engine;
use foldhash::fast::RandomState;

use super::namespace;
use crate::support::{self, Record};

/// A frame of a capture: interface, time, bytes.
struct Recorded {
    interface: usize,
    frame: Vec<u8>,
    wire_bytes: u32,
    timestamp: ddbwatch::model::Timestamp,
}

/// The frames of a capture of Ethernet, or `None` where it has others, or some that were cut.
fn read(path: &std::path::Path) -> Option<(Vec<Recorded>, Vec<Interface>)> {
    let input = Input::File(path.to_owned());
    let mut source = capture::open_input(&input).ok()?;
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = source.next_frame() {
        frames.push(Recorded {
            interface: frame.interface as usize,
            frame: frame.data.to_vec(),
            wire_bytes: frame.wire_bytes,
            timestamp: frame.timestamp,
        });
    }
    let interfaces = source.interfaces().to_vec();
    let is_ethernet = interfaces.iter().all(|interface| interface.link_type == LinkType::ETHERNET);
    let is_whole = frames.iter().all(|frame| frame.frame.len() == frame.wire_bytes as usize);
    let is_sendable = frames.iter().all(|frame| (14..=65_000).contains(&frame.frame.len()));
    (is_ethernet && is_whole && is_sendable && !frames.is_empty()).then_some((frames, interfaces))
}

fn engine() -> Engine {
    Engine::new(Arc::new(Resolved::default()), true, Arc::from("x"), RandomState::default())
}

/// The records as JSON, without what depends on when and where the packets were seen.
fn records(mut engine: Engine) -> Vec<Record> {
    engine.finish();
    let mut json = Jsonl::new(Vec::new());
    for (record, _) in engine.take_records() {
        json.record(&record).unwrap();
    }
    json.flush().unwrap();
    let mut records = support::records(std::str::from_utf8(&json.into_inner()).unwrap());
    for record in &mut records {
        for key in ["timestamp", "handshake.duration_seconds", "tcp.rtt_seconds"] {
            record.remove(key);
        }
    }
    records
}

fn link(name: &str) -> Link {
    Link { index: namespace::index(name), name: Arc::from(name), kind: None, link_type: LinkType::ETHERNET }
}

/// So long a busy machine may need to send a frame.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes what comes until `expected` frames are there or nothing has come for a while.
fn take(
    source: &mut dyn LiveSource,
    expected: usize,
    each: &mut dyn FnMut(&Frame<'_>, &[Interface]),
) -> usize {
    let (mut taken, mut last) = (0, Instant::now());
    while taken < expected && last.elapsed() < PATIENCE {
        let got = source.poll_all(Duration::from_millis(100), 10_000, each).unwrap();
        taken += got;
        if got > 0 {
            last = Instant::now();
        }
    }
    taken
}

/// Takes what has come and forgets it.
fn drain(source: &mut dyn LiveSource) {
    while source.poll_all(Duration::from_millis(100), 1_000, &mut |_, _| {}).unwrap() > 0 {}
}

/// Three rings for each interface.
const SPREAD: &str = "afpacket with fan-out";

fn sources() -> Vec<(&'static str, Box<dyn LiveSource>)> {
    let options = afpacket::Options { ring_mib: 32, ..afpacket::Options::default() };
    let spread = afpacket::Options { fanout: 3, ..options.clone() };
    let pcap = libpcap::Options { buffer_mib: 32, ..libpcap::Options::default() };
    vec![
        ("afpacket", Box::new(AfPacket::open(options, None).unwrap())),
        (SPREAD, Box::new(AfPacket::open(spread, None).unwrap())),
        ("pcap", Box::new(Pcap::new(pcap))),
    ]
}

/// Every back-end, watching these interfaces.
fn attached(interfaces: &[&str]) -> Vec<(&'static str, Box<dyn LiveSource>)> {
    let mut sources = sources();
    for (_, source) in &mut sources {
        for interface in interfaces {
            source.attach(&link(interface)).unwrap();
        }
    }
    sources
}

#[test]
fn records_are_those_of_the_file() {
    namespace::run(|| {
        namespace::pair("in0", "out0");
        namespace::pair("in1", "out1");
        let mut paths: Vec<_> = std::fs::read_dir(support::captures())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && path.to_string_lossy().contains(".pcap"))
            .collect();
        paths.sort();
        let mut all: Vec<(String, Vec<Recorded>, Vec<Interface>)> = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Some((frames, interfaces)) = read(&path).filter(|(_, interfaces)| interfaces.len() <= 2) {
                all.push((name, frames, interfaces));
            }
        }
        assert!(all.len() > 100, "{} captures", all.len());
        let (mut files, mut frames_sent, mut wrong) = (0, 0, Vec::new());
        let mut sender = namespace::Sender::new();
        // Opening and closing rings takes the kernel longer than all the rest, so one set serves every file with
        // one interface.
        let mut one_interface = attached(&["out0"]);
        for (name, frames, interfaces) in &all {
            if frames.len() > 5_000 {
                continue;
            }
            files += 1;
            frames_sent += frames.len();
            let mut two_interfaces = Vec::new();
            let sources = if interfaces.len() == 1 {
                &mut one_interface
            } else {
                two_interfaces = attached(&["out0", "out1"]);
                &mut two_interfaces
            };
            sender.send(frames.iter().map(|frame| (["in0", "in1"][frame.interface], &frame.frame[..])));
            // What the file gives, on interfaces of the same names.
            let mut offline = engine();
            let named: Vec<Interface> = ["out0", "out1"]
                .iter()
                .take(interfaces.len())
                .map(|name| Interface {
                    link_type: LinkType::ETHERNET,
                    name: Some(Arc::from(*name)),
                    kind: None,
                })
                .collect();
            for (index, frame) in frames.iter().enumerate() {
                offline.frame(
                    &Frame {
                        number: index as u64 + 1,
                        timestamp: frame.timestamp,
                        interface: frame.interface as u32,
                        wire_bytes: frame.wire_bytes,
                        data: &frame.frame,
                    },
                    &named,
                );
            }
            let expected = records(offline);
            for (backend, source) in sources.iter_mut() {
                let mut live = engine();
                let mut position = 0;
                let mut differences = 0;
                let taken = take(&mut **source, frames.len(), &mut |frame, interfaces| {
                    // With fan-out, frames sent at the same moment may change places.
                    if frames
                        .get(position)
                        .is_none_or(|sent| sent.frame != frame.data || sent.wire_bytes != frame.wire_bytes)
                    {
                        differences += 1;
                    }
                    position += 1;
                    live.frame(&Frame { number: position as u64, ..*frame }, interfaces);
                });
                // The kernel puts fragments together before it spreads packets: fewer frames, other numbers.
                let is_joined = *backend == SPREAD && name.contains("fragments");
                if !is_joined && (taken != frames.len() || differences > 0) {
                    wrong.push(format!(
                        "{name}, {backend}: {taken} of {} frames, {differences} of them not as sent",
                        frames.len()
                    ));
                }
                let (mut got, mut expected) = (records(live), expected.clone());
                for record in got.iter_mut().chain(&mut expected).filter(|_| is_joined) {
                    record.retain(|key, _| !key.starts_with("capture.frame."));
                }
                if got != expected {
                    let first = expected.iter().zip(&got).find(|(one, other)| one != other);
                    let keys = first.map(|(one, other)| {
                        let mut keys: Vec<_> = one.keys().chain(other.keys()).collect();
                        keys.retain(|key| one.get(*key) != other.get(*key));
                        keys.iter()
                            .map(|key| format!("{key}: {:?} / {:?}", one.get(*key), other.get(*key)))
                            .collect::<Vec<_>>()
                    });
                    wrong.push(format!(
                        "{name}, {backend}: {} / {} records, {keys:?}",
                        expected.len(),
                        got.len()
                    ));
                }
                if is_joined {
                    drain(&mut **source);
                }
            }
            if !two_interfaces.is_empty() {
                // The others have seen it, too.
                one_interface.iter_mut().for_each(|(_, source)| drain(&mut **source));
            }
        }
        for (backend, source) in &mut one_interface {
            for counts in source.counts() {
                let dropped: u64 = counts.dropped.iter().map(|(_, _, count)| count).sum();
                assert_eq!(counts.seen.packets, counts.given.packets + dropped, "{backend}");
            }
        }
        drop(sender);
        println!("{files} captures, {frames_sent} frames, three ways each");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn every_frame_is_given_or_counted_as_dropped() {
    namespace::run(|| {
        namespace::pair("in0", "out0");
        let options = afpacket::Options { ring_mib: 1, ..afpacket::Options::default() };
        let mut source = AfPacket::open(options, None).unwrap();
        source.attach(&link("out0")).unwrap();
        let frame = vec![0x16_u8; 1_400];
        const SENT: usize = 8_000;
        // Nobody reads meanwhile: 11 MB do not fit into 1 MiB.
        namespace::send(std::iter::repeat_n(("in0", &frame[..]), SENT));
        let given = take(&mut source, SENT, &mut |_, _| {});
        let counts = source.counts().remove(0);
        let dropped: u64 = counts.dropped.iter().map(|(_, _, count)| count).sum();
        assert!(given > 0 && dropped > 0, "{given} given, {dropped} dropped");
        assert_eq!((counts.given.packets, counts.seen.packets), (given as u64, SENT as u64));
        // Counters are read and set to zero by reading; the sums stay.
        assert_eq!(source.counts().remove(0), counts);
    });
}

#[test]
fn outgoing_frames_are_taken_unless_they_came_in() {
    namespace::run(|| {
        namespace::pair("in0", "out0");
        // To the kernel, what a packet socket sends goes out on `in0` and comes in on `out0`.
        let packet = |source: [u8; 4]| {
            let mut frame =
                vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
            frame.extend(source);
            frame.extend([
                192, 0, 2, 9, 0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
            ]);
            frame
        };
        let (own, other) = (packet([10, 0, 0, 1]), packet([10, 9, 9, 9]));
        for (outgoing, expected) in [
            (Outgoing::All, vec![&own, &other]),
            (Outgoing::OwnOnly(vec!["10.0.0.1".parse().unwrap()]), vec![&own]),
            (Outgoing::None, vec![]),
        ] {
            let options =
                afpacket::Options { ring_mib: 1, outgoing: outgoing.clone(), ..afpacket::Options::default() };
            let mut source = AfPacket::open(options, None).unwrap();
            source.attach(&link("in0")).unwrap();
            namespace::send([("in0", &own[..]), ("in0", &other[..])].into_iter());
            let mut got = Vec::new();
            let _ = source
                .poll_all(Duration::from_millis(300), 10, &mut |frame, _| got.push(frame.data.to_vec()));
            assert_eq!(got.iter().collect::<Vec<_>>(), expected, "{outgoing:?}");
            let counts = source.counts();
            let left_out = counts[0].skipped.iter().find(|(reason, _)| *reason == "outgoing");
            let bytes = if matches!(outgoing, Outgoing::OwnOnly(_)) { other.len() as u64 } else { 0 };
            assert_eq!(left_out.map_or(0, |(_, count)| count.bytes), bytes, "{outgoing:?}");
            // Changing it changes the filter of the open sockets.
            if outgoing == Outgoing::All {
                source.set_outgoing(&Outgoing::OwnOnly(vec!["10.9.9.9".parse().unwrap()])).unwrap();
                namespace::send([("in0", &own[..]), ("in0", &other[..])].into_iter());
                let mut got = Vec::new();
                let _ = source
                    .poll_all(Duration::from_millis(300), 10, &mut |frame, _| got.push(frame.data.to_vec()));
                assert_eq!(got, std::slice::from_ref(&other));
            }
        }
    });
}

#[test]
fn merged_packets_of_the_loopback_come_once_and_whole_flights_are_kept() {
    use std::io::{Read as _, Write as _};
    namespace::run(|| {
        namespace::ip("link set lo up");
        for (backend, mut source) in sources() {
            source.attach(&link("lo")).unwrap();
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let mut read = vec![0; 30_000];
            // A flight, then bulk data, each in one write, so in one packet of the loopback.
            for first in [0x16, 0x17] {
                client.write_all(&vec![first; 30_000]).unwrap();
                server.read_exact(&mut read).unwrap();
            }
            let (mut payloads, mut syns) = (Vec::new(), 0);
            while source
                .poll_all(Duration::from_millis(300), 1_000, &mut |frame, _| {
                    // Ethernet 14, IPv4 20, then TCP with its flags, and 32 bytes long with time stamps.
                    let Some(flags) = frame.data.get(47) else { return };
                    syns += u32::from(flags & 2 != 0);
                    if frame.wire_bytes > 1_514 {
                        payloads.push((frame.data[66], frame.wire_bytes, frame.data.len()));
                    }
                })
                .unwrap()
                > 0
            {}
            assert_eq!(syns, 2, "{backend}: SYN and its answer, once each");
            let sum = |first: u8| -> u32 {
                payloads.iter().filter(|payload| payload.0 == first).map(|payload| payload.1 - 66).sum()
            };
            assert_eq!((sum(0x16), sum(0x17)), (30_000, 30_000), "{backend}: {payloads:?}");
            for (first, wire_bytes, kept) in &payloads {
                let most = match (backend, first) {
                    // libpcap cuts all at one length, which no packet has.
                    ("pcap", _) => u32::MAX as usize,
                    (_, 0x17) => 2_048,
                    _ => 16_640,
                };
                assert_eq!(*kept, most.min(*wire_bytes as usize), "{backend}: {payloads:?}");
            }
        }
    });
}

#[test]
fn interfaces_may_vanish_and_come_back() {
    namespace::run(|| {
        for (backend, mut source) in sources() {
            namespace::pair("in0", "out0");
            let there = link("out0");
            source.attach(&there).unwrap();
            source.attach(&there).unwrap();
            let frame = [0x17_u8; 100];
            namespace::send([("in0", &frame[..])].into_iter());
            assert_eq!(take(&mut *source, 1, &mut |_, _| {}), 1, "{backend}");
            // Gone without a word: reading goes on, and nothing spins or fails.
            namespace::ip("link del out0");
            let begin = Instant::now();
            assert_eq!(
                source.poll_all(Duration::from_millis(200), 10, &mut |_, _| {}).unwrap(),
                0,
                "{backend}"
            );
            assert!(begin.elapsed() >= Duration::from_millis(150), "{backend} did not wait");
            source.detach(there.index);
            namespace::pair("in0", "out0");
            source.attach(&link("out0")).unwrap();
            namespace::send([("in0", &frame[..])].into_iter());
            assert_eq!(take(&mut *source, 1, &mut |frame, _| assert_eq!(frame.interface, 0)), 1, "{backend}");
            assert_eq!(source.interfaces().len(), 1, "{backend}: the same name is the same interface");
            let counts = source.counts();
            assert_eq!((counts.len(), counts[0].given.packets), (1, 2), "{backend}");
            // Away for less than a moment: no packet comes twice, and nothing is kept that is not needed.
            let there = link("out0");
            drain(&mut *source);
            let sockets = || std::fs::read_to_string("/proc/thread-self/net/packet").unwrap().lines().count();
            let needed = sockets();
            for _ in 0..3 {
                source.detach(there.index);
                source.attach(&there).unwrap();
            }
            namespace::send([("in0", &frame[..])].into_iter());
            assert_eq!(take(&mut *source, 1, &mut |_, _| {}), 1, "{backend}");
            drain(&mut *source);
            assert_eq!(source.counts()[0].given.packets, 3, "{backend}");
            assert_eq!(sockets(), needed, "{backend}");
            namespace::ip("link del out0");
        }
    });
}

#[test]
fn links_are_followed_as_they_come_and_go() {
    use ddbwatch::host::links::{LinkEvent, LinkWatch, Selection};
    namespace::run(|| {
        let mut watch = LinkWatch::open(Selection::new(&["out*".to_owned()])).unwrap();
        assert_eq!(watch.links().count(), 0);
        namespace::pair("in0", "out0");
        namespace::ip("link add tunnel0 type vxlan id 42 dstport 4789 dev out0");
        let names = |events: Vec<LinkEvent>| {
            events
                .into_iter()
                .filter_map(|event| match event {
                    LinkEvent::Appeared(link) => Some(format!("+{} {:?}", link.name, link.kind.as_deref())),
                    LinkEvent::Vanished { name, .. } => Some(format!("-{name}")),
                    LinkEvent::Changed(_) | LinkEvent::Addresses => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(names(watch.take_events().unwrap()), ["+out0 Some(\"veth\")"]);
        assert_eq!(watch.take_events().unwrap(), []);
        namespace::ip("link set out0 down");
        namespace::ip("link set out0 name outside");
        namespace::ip("link set outside up");
        assert_eq!(names(watch.take_events().unwrap()), ["-out0", "+outside Some(\"veth\")"]);
        namespace::ip("link set tunnel0 up");
        let all = watch.select(Selection::new(&["any".to_owned()])).unwrap();
        assert!(names(all).contains(&"+tunnel0 Some(\"vxlan\")".to_owned()));
        let vni = watch.links().find(|link| &*link.name == "tunnel0").and_then(|link| link.vni);
        assert_eq!(vni, Some(42));
        namespace::ip("address add 10.7.0.1/24 dev outside");
        assert!(watch.take_events().unwrap().contains(&LinkEvent::Addresses));
        assert!(ddbwatch::host::routes::own_addresses().unwrap().contains(&"10.7.0.1".parse().unwrap()));
        let losses = ddbwatch::host::statistics::losses().unwrap();
        assert!(losses.iter().any(|lost| &*lost.name == "outside" && lost.losses.len() == 2));
    });
}

/// The kernel drops notices where many come at once, tells that before those that still wait, and these are older than what is
/// there then.
#[test]
fn links_that_come_in_a_burst_are_all_followed() {
    use ddbwatch::host::links::{LinkWatch, Selection};
    namespace::run(|| {
        let mut watch = LinkWatch::open(Selection::new(&["in*".to_owned()])).unwrap();
        const PAIRS: usize = 80;
        for number in 0..PAIRS {
            namespace::ip(&format!("link add in{number} type veth peer name out{number}"));
        }
        for name in (0..PAIRS).flat_map(|number| [format!("in{number}"), format!("out{number}")]) {
            namespace::ip(&format!("link set {name} up"));
        }
        watch.take_events().unwrap();
        assert_eq!(watch.links().count(), PAIRS);
    });
}

/// The kernel takes any bytes as a name; libraries that go by names take text.
#[test]
fn an_interface_whose_name_is_no_text_is_told_as_that() {
    use std::os::unix::ffi::OsStrExt as _;

    namespace::run(|| {
        let [one, other] = [&b"\xff\xfe0"[..], b"\xff\xfe1"].map(std::ffi::OsStr::from_bytes);
        let words = |text: &'static str| text.split_whitespace().map(std::ffi::OsStr::new);
        let ip = |arguments: Vec<&std::ffi::OsStr>| {
            assert!(std::process::Command::new("ip").args(arguments).status().unwrap().success());
        };
        ip(words("link add").chain([one]).chain(words("type veth peer name")).chain([other]).collect());
        [one, other]
            .iter()
            .for_each(|name| ip(words("link set").chain([*name]).chain(words("up")).collect()));
        for backend in ["ebpf", "pcap"] {
            let ran = support::run(&["watch", "-i", "any", "--backend", backend]);
            assert_eq!(ran.code, Some(1), "{backend}: {}", ran.stderr);
            assert!(ran.stderr.contains("its name is not UTF-8"), "{backend}: {}", ran.stderr);
        }
    });
}
