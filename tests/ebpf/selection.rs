//! Which packets go up, which are left out, and that each is counted.

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use ddbwatch::capture::afpacket::SocketSelection as _;
use ddbwatch::capture::ebpf::{EbpfSource, Options, SelectionProgram};
use ddbwatch::capture::live::LiveSource;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};

use super::frames::{ACK, SYN, addresses, ethernet, hello, ipv4, ipv6, segment, tcp, udp};
use super::namespace::{self, Cable, ip, link, load, small};
use super::replay::check_counts;

/// Bytes that nothing recognises.
pub const BINARY: [u8; 1_000] = [0x9c; 1_000];

pub fn watching(options: &Options) -> (Cable, EbpfSource) {
    let cable = Cable::new("near", "far");
    let mut source = load(options);
    source.attach(&cable.far_link).unwrap();
    (cable, source)
}

/// The frames that wait.
pub fn frames(source: &mut EbpfSource) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while source.poll_all(Duration::ZERO, 10_000, &mut |frame, _| frames.push(frame.data.to_vec())).unwrap()
        > 0
    {}
    frames
}

pub fn count(source: &mut EbpfSource) -> usize {
    frames(source).len()
}

/// Packets of the first interface that were left out for this reason.
pub fn skipped(source: &mut EbpfSource, reason: &str) -> u64 {
    let counts = source.counts();
    counts.iter().for_each(check_counts);
    counts[0].skipped.iter().find(|(known, _)| *known == reason).unwrap().1.packets
}

#[test]
fn leaves_out_what_is_settled_until_the_next_opening() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let bulk = segment(443, 5_000, ACK, &BINARY);
        cable.send(&segment(443, 1, SYN, b""));
        cable.send(&bulk);
        assert_eq!(count(&mut source), 2);
        source.settle(&addresses(443), namespace::now());
        for _ in 0..100 {
            cable.send(&bulk);
        }
        assert_eq!((count(&mut source), skipped(&mut source, "settled")), (0, 100));
        assert!(source.counts()[0].last_skipped.is_some(), "they came, though nobody was given them");
        // The same addresses, again.
        cable.send(&segment(443, 700_000, SYN, b""));
        cable.send(&segment(443, 700_001, ACK, &BINARY));
        assert_eq!(count(&mut source), 2);
    });
}

#[test]
fn settles_no_connection_that_was_not_handed_over() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let times = |source: &mut EbpfSource| {
            let mut times = Vec::new();
            source.poll_all(Duration::ZERO, 10, &mut |frame, _| times.push(frame.timestamp)).unwrap();
            times
        };
        // Not by its opening: then both would be believed to exist at once, and neither is settled.
        cable.send(&segment(443, 1, ACK, &BINARY));
        let first = times(&mut source);
        assert_eq!(first.len(), 1);
        cable.send(&segment(443, 900_000, SYN, b""));
        source.settle(&addresses(443), namespace::now());
        cable.send(&segment(443, 900_001, ACK, &BINARY));
        let second = times(&mut source);
        assert_eq!(second.len(), 2);
        // Handed over by now, but not looked at.
        source.settle(&addresses(443), first[0]);
        cable.send(&segment(443, 901_001, ACK, &BINARY));
        assert_eq!(count(&mut source), 1);
        source.settle(&addresses(443), second[0]);
        cable.send(&segment(443, 902_001, ACK, &BINARY));
        assert_eq!(count(&mut source), 0);
    });
}

#[test]
fn leaves_out_other_protocols_on_ports_and_addresses_without_interest() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let send = |source: &mut EbpfSource, port: u16, first: &[u8]| {
            cable.send(&segment(port, 1, SYN, b""));
            cable.send(&segment(port, 2, ACK, first));
            for number in 0..20 {
                cable.send(&segment(port, 2 + first.len() as u32 + number * 1_000, ACK, &BINARY));
            }
            count(source)
        };
        assert_eq!(send(&mut source, 2_222, &BINARY), 1);
        assert_eq!(skipped(&mut source, "other_protocol"), 21);
        assert_eq!(send(&mut source, 443, &BINARY), 22);
        // What may become TLS or HTTP goes up on any port.
        for (first, port) in [
            (&hello()[..], 2_001),
            (b"\x16", 2_002),
            (b"POST / HTTP/1.1\r\n", 2_003),
            (b"220 mail.example ESMTP\r\n", 2_004),
            (b"CONNECT db:443 HTTP/1.1\r\n", 2_005),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", 2_006),
            (b"\x80\x2e\x01\x00\x02\x00\x15\x00", 2_007),
            (b"\x17\x03\x03\x40\x00aaa", 2_008),
            (b"gJ7yne5G\x00", 2_009),
        ] {
            assert_eq!(send(&mut source, port, first), 22, "{port}");
        }
        // Short messages may be a dialogue that becomes TLS: a hello behind them is found.
        cable.send(&segment(2_010, 1, SYN, b""));
        cable.send(&segment(2_010, 2, ACK, &[5, 1, 0]));
        cable.send(&segment(2_010, 5, ACK, &[5, 1, 0, 1, 198, 51, 100, 9, 1, 0xbb]));
        cable.send(&segment(2_010, 15, ACK, &hello()));
        assert_eq!(count(&mut source), 4);
        source.set_interest(&["198.51.100.0/24".parse().unwrap()]).unwrap();
        assert_eq!(send(&mut source, 2_223, &BINARY), 22);
        source.set_interest(&["198.51.100.0/25".parse().unwrap(), "2001:db8::/32".parse().unwrap()]).unwrap();
        assert_eq!(send(&mut source, 2_224, &BINARY), 22);
        source.set_interest(&["198.51.101.0/24".parse().unwrap()]).unwrap();
        assert_eq!(send(&mut source, 2_225, &BINARY), 1);
        assert_eq!(send(&mut source, 8_443, &BINARY), 22);
        // What a name server told is of interest, too, until so many others were told that it is forgotten; what
        // is asked for stays.
        let server = addresses(443).destination.ip();
        source.learn(server);
        assert_eq!(send(&mut source, 2_226, &BINARY), 22);
        source.set_interest(&[]).unwrap();
        assert_eq!(send(&mut source, 2_227, &BINARY), 22);
        for number in 0..2_048_u32 {
            source.learn(std::net::Ipv4Addr::from(0xc0a8_0000 + number).into());
        }
        assert_eq!(send(&mut source, 2_228, &BINARY), 1);
    });
}

#[test]
fn passes_no_more_of_a_direction_than_its_budget() {
    namespace::run(|| {
        let (cable, mut source) = watching(&Options { flow_bytes: 10_000, ..small() });
        cable.send(&segment(443, u32::MAX - 3_000, SYN, b""));
        for number in 0..100_u32 {
            let sequence = (u32::MAX - 2_999).wrapping_add(number * 1_000);
            cable.send(&segment(443, sequence, ACK, &BINARY));
            // Seen a second time, elsewhere.
            cable.send(&segment(443, sequence, ACK, &BINARY));
        }
        assert_eq!((count(&mut source), skipped(&mut source, "over_budget")), (21, 180));
        // A flow of acknowledgments ends, too.
        for _ in 0..6_000 {
            cable.send(&segment(8_443, 1, ACK, b""));
        }
        assert_eq!((count(&mut source), skipped(&mut source, "over_budget")), (4_096, 180 + 1_904));
    });
}

#[test]
fn counts_what_the_ring_has_no_room_for() {
    namespace::run(|| {
        let (cable, mut source) = watching(&Options { ring_mib: 1, ..small() });
        let mut answer = udp(40_000, &BINARY);
        answer[..2].copy_from_slice(&53_u16.to_be_bytes());
        let answer = ethernet(0x0800, &ipv4(17, &answer));
        for _ in 0..3_000 {
            cable.send(&answer);
        }
        let counts = source.counts().remove(0);
        check_counts(&counts);
        let full = counts.dropped.iter().find(|(stage, ..)| *stage == "ring").unwrap().2;
        assert!(full > 1_000, "{counts:?}");
        let given = count(&mut source) as u64;
        assert!(given > 800, "{given}");
        let counts = source.counts().remove(0);
        check_counts(&counts);
        assert_eq!((counts.seen.packets, counts.given.packets), (3_000, 3_000 - full));
        // It goes on afterwards.
        cable.send(&answer);
        assert_eq!(frames(&mut source), [answer]);
    });
}

#[test]
fn gives_frames_as_they_were_on_the_wire() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let inner = ipv4(6, &tcp(443, 1, ACK, &hello()));
        let mut long = hello();
        long.resize(60_000, 0);
        let sent = [
            ethernet(0x0800, &inner),
            ethernet(0x8100, &[&[0x20, 7, 8, 0], &inner[..]].concat()),
            ethernet(0x88a8, &[&[0, 100, 0x81, 0, 0, 7, 8, 0], &inner[..]].concat()),
            ethernet(0x86dd, &ipv6(&tcp(443, 1, SYN, b""))),
            ethernet(0x0800, &ipv4(6, &tcp(8_443, 1, ACK, &long))),
            ethernet(0x0800, &ipv4(4, &inner)),
            ethernet(0x0800, &ipv4(41, &ipv6(&tcp(443, 9, SYN, b"")))),
        ];
        for frame in &sent {
            cable.send(frame);
        }
        let mut wire = Vec::new();
        let mut got = Vec::new();
        while source
            .poll_all(Duration::ZERO, 100, &mut |frame, interfaces| {
                assert_eq!(interfaces[frame.interface as usize].name.as_deref(), Some("far"));
                wire.push(frame.wire_bytes as usize);
                got.push(frame.data.to_vec());
            })
            .unwrap()
            > 0
        {}
        assert!(got == sent, "{} of {}", got.len(), sent.len());
        assert_eq!(wire, sent.iter().map(Vec::len).collect::<Vec<_>>());
        let bytes: usize = wire.iter().sum();
        assert_eq!(source.counts()[0].given.bytes, bytes as u64);
    });
}

#[test]
fn gives_heads_of_esp_once_a_second_and_all_fragments_of_a_chosen_packet() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let esp = ethernet(0x0800, &ipv4(50, &BINARY));
        for _ in 0..10 {
            cable.send(&esp);
        }
        assert_eq!(frames(&mut source), [&esp[..128]]);
        assert_eq!(skipped(&mut source, "esp"), 9);
        let whole = tcp(443, 1, ACK, &hello());
        let fragment = |number: u8, from: usize, to: usize| {
            let mut packet = ipv4(6, &whole[from..to]);
            packet[5] = number;
            let offset = (from / 8) as u16 | if to < whole.len() { 0x2000 } else { 0 };
            packet[6..8].copy_from_slice(&offset.to_be_bytes());
            ethernet(0x0800, &packet)
        };
        cable.send(&fragment(1, 0, 200));
        cable.send(&fragment(1, 200, 400));
        cable.send(&fragment(1, 400, whole.len()));
        assert_eq!(count(&mut source), 3);
        source.settle(&addresses(443), namespace::now());
        // What is no hello: the settled flow's.
        let plain = tcp(443, 900, ACK, &BINARY);
        let mut first = ipv4(6, &plain[..200]);
        (first[5], first[6]) = (2, 0x20);
        cable.send(&ethernet(0x0800, &first));
        let mut second = ipv4(6, &plain[200..]);
        (second[5], second[7]) = (2, 25);
        cable.send(&ethernet(0x0800, &second));
        assert_eq!((count(&mut source), skipped(&mut source, "fragment")), (0, 1));
    });
}

#[test]
fn says_which_privilege_is_missing() {
    const UNPRIVILEGED: &str = "DDBWATCH_TEST_UNPRIVILEGED";
    if std::env::var_os(UNPRIVILEGED).is_some() {
        let error = EbpfSource::load(&small()).err().unwrap();
        assert_eq!(error.reason(), "privilege", "{error}");
        assert!(error.to_string().contains("CAP_BPF"), "{error}");
        let error = SelectionProgram::load(&small()).err().unwrap();
        assert_eq!(error.reason(), "privilege", "{error}");
        return;
    }
    if !crate::support::is_root("becoming nobody") {
        return;
    }
    // From a folder that everybody may enter.
    let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let name = "ebpf::selection::says_which_privilege_is_missing";
    let output = Command::new(&program)
        .args([name, "--exact"])
        .env(UNPRIVILEGED, "1")
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn selects_for_a_packet_socket() {
    namespace::run(|| {
        let cable = Cable::new("near", "far");
        let mut program = SelectionProgram::load(&small()).unwrap();
        program.watch(cable.far_link.index, false).unwrap();
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let reader = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
        program.attach(&reader).unwrap();
        let mut buffer = vec![0; 70_000];
        let mut received = || {
            let mut lengths = Vec::new();
            while let Ok(length) = recv(reader.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                lengths.push(length);
            }
            lengths
        };
        received();
        let (far, before) = (link("far").index, namespace::now());
        cable.send(&segment(443, 1, SYN, b""));
        cable.send(&segment(443, 2, ACK, &hello()));
        cable.send(&segment(2_222, 1, ACK, &BINARY));
        // Going out of one end, coming in at the other. The second went out when its direction was known to come
        // in.
        assert_eq!(received(), [54, 54, 571]);
        // Too young to be what is meant.
        program.settle(&addresses(443), namespace::now());
        cable.send(&segment(443, 600, ACK, &BINARY));
        assert_eq!(received().len(), 1);
        std::thread::sleep(Duration::from_millis(300));
        for (until, expected) in [(before, 1), (namespace::now(), 0)] {
            // However late it is said: by what was seen before the flow began, another one is meant.
            program.settle(&addresses(443), until);
            cable.send(&segment(443, 600, ACK, &BINARY));
            assert_eq!(received().len(), expected);
        }
        let skipped = program.left_out(far).skipped;
        let of = |reason| skipped.iter().find(|(known, _)| *known == reason).unwrap().1.packets;
        assert_eq!((of("settled"), of("other_protocol")), (1, 1));
        assert_eq!(program.chosen(far).packets, 4);
    });
}

#[test]
fn tells_the_control_group_that_opened_a_connection() {
    namespace::run(|| {
        let cable = Cable::new("near", "far");
        ip("address add 10.9.9.1/24 dev far");
        let senders = std::sync::Arc::<ddbwatch::capture::ebpf::Senders>::default();
        let mut source = load(&small()).telling(std::sync::Arc::clone(&senders));
        source.attach(&cable.far_link).unwrap();
        // Nobody answers; when it is asked about, the socket is gone.
        let remote = "10.9.9.9:443".parse().unwrap();
        let refused = std::net::TcpStream::connect_timeout(&remote, Duration::from_millis(50));
        assert!(refused.is_err());
        let opening =
            frames(&mut source).into_iter().find(|frame| frame.len() > 47 && frame[47] == SYN).unwrap();
        let port = u16::from_be_bytes([opening[34], opening[35]]);
        let group = senders.group(std::net::SocketAddr::from(([10, 9, 9, 1], port)), remote).unwrap();
        // What comes in was sent by nobody here.
        cable.send(&segment(443, 1, SYN, b""));
        assert_eq!(count(&mut source), 1);
        let ends = addresses(443);
        assert_eq!(senders.group(ends.source, ends.destination), None);
        assert_eq!(senders.group(ends.destination, ends.source), None);
        // The number of a group is the inode of its folder.
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let root = std::path::Path::new(root);
            if root.join("cgroup.controllers").exists() {
                let folder = std::fs::metadata(root.join(path.trim_start_matches('/'))).unwrap();
                assert_eq!(group, std::os::unix::fs::MetadataExt::ino(&folder));
            }
        }
    });
}
