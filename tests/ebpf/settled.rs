//! What the program knows of flows that are settled, and how far it looks into those that are not.

use std::net::SocketAddr;
use std::time::Duration;

use ddbwatch::capture::FlowAddresses;
use ddbwatch::capture::ebpf::Options;
use ddbwatch::capture::live::LiveSource;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::frames::{ACK, SYN, addresses, hello, segment, send_in_pieces};
use super::namespace::{self, small};
use super::selection::{BINARY, count, frames, watching};

/// Puts this thread, and what the kernel does in its name, onto a processor.
fn move_to(processor: usize) {
    let mut processors = CpuSet::new();
    processors.set(processor).unwrap();
    sched_setaffinity(Pid::from_raw(0), &processors).unwrap();
}

#[test]
fn knows_an_opening_that_another_processor_took() {
    namespace::run(|| {
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let mut processors = (0..CpuSet::count()).filter(|number| allowed.is_set(*number).unwrap());
        let (Some(one), Some(other)) = (processors.next(), processors.next()) else {
            return crate::support::skip("there is one processor only");
        };
        let (cable, mut source) = watching(&small());
        move_to(one);
        cable.send(&segment(443, 1, SYN, b""));
        cable.send(&segment(443, 2, ACK, &BINARY));
        assert_eq!(count(&mut source), 2);
        source.settle(&addresses(443), namespace::now());
        for again in 1..10 {
            move_to(one);
            for _ in 0..10 {
                cable.send(&segment(443, 5_000, ACK, &BINARY));
            }
            assert_eq!(count(&mut source), 0);
            move_to(other);
            cable.send(&segment(443, again * 100_000, SYN, b""));
            move_to(one);
            cable.send(&segment(443, again * 100_000 + 1, ACK, &BINARY));
            assert_eq!(count(&mut source), 2);
            source.settle(&addresses(443), namespace::now());
            for _ in 0..10 {
                cable.send(&segment(443, again * 100_000 + 2_000, ACK, &BINARY));
            }
            assert_eq!(count(&mut source), 0);
            move_to(other);
            // A hello of a connection whose SYN was not seen.
            cable.send(&segment(443, again * 100_000 + 50_000, ACK, &hello()));
            move_to(one);
            cable.send(&segment(443, again * 100_000 + 50_517, ACK, &BINARY));
            assert_eq!(count(&mut source), 2);
            source.settle(&addresses(443), namespace::now());
            // The program allows few of them in a second.
            std::thread::sleep(Duration::from_millis(300));
        }
    });
}

#[test]
fn takes_no_flow_for_a_settled_one_that_is_like_it() {
    /// Last bytes of both addresses, and both ports.
    type Ends = (u8, u8, u16, u16);
    const SETTLED: Ends = (1, 180, 40_000, 443);
    fn frame((client, server, from, to): Ends, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = segment(to, sequence, flags, payload);
        (frame[29], frame[33]) = (client, server);
        frame[34..36].copy_from_slice(&from.to_be_bytes());
        frame
    }
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let others = || {
            let (client, server, from, to) = SETTLED;
            (1..=70).flat_map(move |n| {
                let (byte, number) = (n as u8, n);
                [
                    (client + byte, server, from, to),
                    (client, server + byte, from, to),
                    (client, server, from + number, to),
                    (client, server, from, to + number),
                ]
            })
        };
        for ends in others().chain([SETTLED]) {
            cable.send(&frame(ends, 1, SYN, b""));
        }
        frames(&mut source);
        let end = |address: [u8; 4], port| SocketAddr::from((address, port));
        let flow = FlowAddresses {
            source: end([10, 0, 0, SETTLED.0], SETTLED.2),
            destination: end([198, 51, 100, SETTLED.1], SETTLED.3),
        };
        source.settle(&flow, namespace::now());
        for ends in others() {
            cable.send(&frame(SETTLED, 5_000, ACK, &BINARY));
            cable.send(&frame(ends, 2, ACK, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"));
            assert_eq!(count(&mut source), 1, "{ends:?}");
        }
    });
}

/// Requests follow one another on a connection, and each is looked at.
#[test]
fn passes_more_of_a_direction_that_asks_in_text() {
    namespace::run(|| {
        let options = Options { flow_bytes: 10_000, request_bytes: 50_000, ..small() };
        let (cable, mut source) = watching(&options);
        for (port, first, expected) in [
            (80, &b"POST / HTTP/1.1\r\n"[..], 50),
            (8_080, b"HTTP/1.1 200 OK\r\n", 10),
            (443, &[0x17, 3, 3], 10),
        ] {
            let mut said = BINARY;
            said[..first.len()].copy_from_slice(first);
            cable.send(&segment(port, 1, SYN, b""));
            cable.send(&segment(port, 2, ACK, &said));
            for number in 1..60 {
                cable.send(&segment(port, 2 + number * 1_000, ACK, &BINARY));
            }
            assert_eq!(count(&mut source), 1 + expected, "{port} {first:?}");
        }
    });
}

/// On whatever port.
#[test]
fn lets_what_socks_carries_through() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        let mut request = vec![5, 1, 0, 3, 60];
        request.extend([b'a'; 60]);
        request.extend([1, 0xbb]);
        cable.send(&segment(2_222, 1, SYN, b""));
        cable.send(&segment(2_222, 2, ACK, &[5, 1, 0]));
        cable.send(&segment(2_222, 5, ACK, &request));
        cable.send(&segment(2_222, 5 + request.len() as u32, ACK, &BINARY));
        assert_eq!(count(&mut source), 4);
    });
}

/// The flight behind a ServerHello is looked at, however much was said before it.
#[test]
fn passes_what_follows_a_late_server_hello() {
    namespace::run(|| {
        let (cable, mut source) = watching(&Options { flow_bytes: 10_000, ..small() });
        let mut server_hello = hello();
        server_hello[5] = 2;
        cable.send(&segment(443, 1, SYN, b""));
        for number in 0..30 {
            cable.send(&segment(443, 2 + number * 1_000, ACK, &BINARY));
        }
        assert_eq!(count(&mut source), 11);
        cable.send(&segment(443, 30_002, ACK, &server_hello));
        cable.send(&segment(443, 30_519, ACK, &BINARY));
        assert_eq!(count(&mut source), 2);
    });
}

#[test]
fn lets_a_few_hellos_through_settled_flows() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        for port in [443, 2_222] {
            let mut server_hello = hello();
            server_hello[5] = 2;
            cable.send(&segment(port, 1, SYN, b""));
            cable.send(&segment(port, 2, ACK, &BINARY));
            frames(&mut source);
            source.settle(&addresses(port), namespace::now());
            cable.send(&segment(port, 5_000, ACK, &BINARY));
            assert_eq!(count(&mut source), 0);
            for _ in 0..50 {
                cable.send(&segment(port, 5_000, ACK, &server_hello));
            }
            let passed = count(&mut source);
            assert!((1..=8).contains(&passed), "{passed}");
            std::thread::sleep(Duration::from_millis(1_100));
            // A client's hello begins the flow anew.
            cable.send(&segment(port, 90_000, ACK, &hello()));
            cable.send(&segment(port, 90_517, ACK, &BINARY));
            assert_eq!(count(&mut source), 2);
        }
    });
}

#[test]
fn lets_hellos_through_settled_flows_wherever_their_bytes_are() {
    namespace::run(|| {
        let (cable, mut source) = watching(&small());
        cable.send(&segment(443, 1, SYN, b""));
        cable.send(&segment(443, 2, ACK, &BINARY));
        frames(&mut source);
        source.settle(&addresses(443), namespace::now());
        let (bulk, mut long_hello) = ([0x9c; 6_000], [0x61; 6_000]);
        long_hello[..6].copy_from_slice(&hello()[..6]);
        for linear in [54, 57, 200] {
            send_in_pieces(&segment(443, 5_000, ACK, &bulk), linear);
            assert_eq!(count(&mut source), 0, "{linear}");
        }
        for (linear, sequence) in [(54, 100_000), (57, 200_000), (200, 300_000)] {
            // A client's hello begins the flow anew.
            send_in_pieces(&segment(443, sequence, ACK, &long_hello), linear);
            cable.send(&segment(443, sequence + 6_000, ACK, &BINARY));
            assert_eq!(count(&mut source), 2, "{linear}");
            source.settle(&addresses(443), namespace::now());
            cable.send(&segment(443, sequence + 7_000, ACK, &BINARY));
            assert_eq!(count(&mut source), 0, "{linear}");
        }
    });
}
