//! What this host passes on is seen coming in and going out.

use std::time::Duration;

use ddbwatch::capture::afpacket::{self, AfPacket};
use ddbwatch::capture::ebpf::SelectionProgram;
use ddbwatch::capture::live::LiveSource;

use super::frames::{ACK, SYN, addresses, hello, segment, send_in_pieces};
use super::namespace::{self, Cable, ip, load, small};
use super::replay::check_counts;
use super::selection::{BINARY, count};

/// A frame with the checksum that a router looks at.
fn checked(mut frame: Vec<u8>) -> Vec<u8> {
    let words = frame[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// A cable to where this host passes on what comes in by `far`.
fn passing_on() -> Cable {
    let beyond = Cable::new("beyond", "away");
    for key in ["all/rp_filter", "far/rp_filter", "all/forwarding"] {
        let value = if key.ends_with("forwarding") { "1" } else { "0" };
        std::fs::write(format!("/proc/sys/net/ipv4/conf/{key}"), value).unwrap();
    }
    // As in the frames.
    ip("link set far address 02:02:02:02:02:02");
    ip("route add 198.51.100.0/24 dev beyond");
    ip("route add 10.0.0.0/8 dev far");
    beyond
}

#[test]
fn looks_into_what_is_passed_on_where_it_did_not_before() {
    for (is_seen_coming_in, was_seen_before) in [(true, false), (false, false), (false, true)] {
        namespace::run(move || {
            let cable = Cable::new("near", "far");
            let beyond = passing_on();
            let mut source = load(&small());
            source.attach(&beyond.near_link).unwrap();
            if is_seen_coming_in || was_seen_before {
                source.attach(&cable.far_link).unwrap();
            }
            if was_seen_before {
                source.detach(cable.far_link.index);
            }
            let times = if is_seen_coming_in { 2 } else { 1 };
            cable.send(&checked(segment(443, 1, SYN, b"")));
            cable.send(&checked(segment(443, 2, ACK, &BINARY)));
            assert_eq!(count(&mut source), 2 * times, "seen coming in, and going out");
            source.settle(&addresses(443), namespace::now());
            let (bulk, mut long_hello) = ([0x9c; 6_000], [0x61; 6_000]);
            for number in 0..10 {
                send_in_pieces(&checked(segment(443, 5_000 + number * 6_000, ACK, &bulk)), 54);
            }
            assert_eq!(count(&mut source), 0);
            let counts = source.counts();
            counts.iter().for_each(check_counts);
            for counts in &counts[..times] {
                let settled = counts.skipped.iter().find(|(reason, _)| *reason == "settled").unwrap().1;
                assert_eq!((settled.packets, settled.bytes), (10, 60_540), "{}", counts.interface);
            }
            long_hello[..6].copy_from_slice(&hello()[..6]);
            send_in_pieces(&checked(segment(443, 100_000, ACK, &long_hello)), 54);
            assert_eq!(count(&mut source), times, "a hello is let through at each point");
        });
    }
}

#[test]
fn takes_what_goes_out_once_it_is_not_seen_coming_in_any_more() {
    namespace::run(|| {
        let cable = Cable::new("near", "far");
        let beyond = passing_on();
        let options = afpacket::Options { ring_mib: 1, ..afpacket::Options::default() };
        let program = SelectionProgram::load(&small()).unwrap();
        let mut source = AfPacket::open(options, Some(Box::new(program))).unwrap();
        for link in [&cable.far_link, &beyond.near_link] {
            source.attach(link).unwrap();
        }
        let sightings = |source: &mut AfPacket| {
            let mut names = Vec::new();
            while source
                .poll_all(Duration::from_millis(200), 100, &mut |frame, all| {
                    names.push(all[frame.interface as usize].name.clone().unwrap().to_string());
                })
                .unwrap()
                > 0
            {}
            names
        };
        cable.send(&checked(segment(443, 1, SYN, b"")));
        cable.send(&checked(segment(443, 2, ACK, &hello())));
        assert_eq!(sightings(&mut source), ["far", "far"], "what is passed on is seen once");
        source.detach(cable.far_link.index);
        cable.send(&checked(segment(443, 519, ACK, &BINARY)));
        assert_eq!(sightings(&mut source), ["beyond"], "nowhere else any more");
        source.attach(&cable.far_link).unwrap();
        cable.send(&checked(segment(443, 1_519, ACK, &BINARY)));
        assert_eq!(sightings(&mut source), ["far"]);
        source.counts().iter().for_each(check_counts);
    });
}
