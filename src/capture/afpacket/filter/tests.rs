use std::net::SocketAddr;

use super::*;

use crate::decode::frames::{self, Packet};

const SNAPLEN: u32 = 2_048;

/// Runs a program as the kernel does: a load from behind the end drops the frame.
fn run(program: &[Instruction], frame: &[u8], packet_type: u32) -> u32 {
    let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
    let load = |offset: u32, bytes: usize| -> Option<u32> {
        let part = frame.get(offset as usize..offset as usize + bytes)?;
        Some(part.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    loop {
        let Instruction { code, jump_true, jump_false, operand: k } = program[at];
        at += 1;
        let mut branch = |holds: bool| at += usize::from(if holds { jump_true } else { jump_false });
        let loaded = match code {
            code::LOAD_WORD if k == PACKET_TYPE => Some(packet_type),
            code::LOAD_WORD => load(k, 4),
            code::LOAD_HALF => load(k, 2),
            code::LOAD_BYTE => load(k, 1),
            code::LOAD_HALF_AT_X => load(x + k, 2),
            code::LOAD_BYTE_AT_X => load(x + k, 1),
            code::LOAD_LENGTH => Some(frame.len() as u32),
            code::AND => Some(a & k),
            code::SHIFT_RIGHT => Some(a >> k),
            code::ADD_X => Some(a + x),
            _ => {
                match code {
                    code::LOAD_X_HEADER_LENGTH => match load(k, 1) {
                        Some(byte) => x = 4 * (byte & 15),
                        None => return 0,
                    },
                    code::LOAD_X => x = k,
                    code::TO_X => x = a,
                    code::JUMP => at += k as usize,
                    code::IF_EQUAL => branch(a == k),
                    code::IF_GREATER => branch(a > k),
                    code::IF_AT_LEAST => branch(a >= k),
                    code::IF_SET => branch(a & k != 0),
                    code::RETURN => return k,
                    _ => panic!("code {code:#x}"),
                }
                Some(a)
            }
        };
        match loaded {
            Some(value) => a = value,
            None => return 0,
        }
    }
}

fn kept(frame: &[u8], outgoing: &Outgoing, packet_type: u32) -> u32 {
    run(&program(FrameStart::Link, SNAPLEN, outgoing), frame, packet_type)
}

fn ends(of: usize) -> (SocketAddr, SocketAddr) {
    [
        ("10.0.0.1:40000".parse().unwrap(), "192.0.2.10:443".parse().unwrap()),
        ("[fd00::1]:40000".parse().unwrap(), "[2001:db8::2]:443".parse().unwrap()),
    ][of]
}

fn tcp(of: usize, payload: &[u8]) -> Packet {
    let (from, to) = ends(of);
    Packet::tcp(from, to, 1, 0x18, payload).ip()
}

#[test]
fn clips_bulk_data_and_keeps_first_flights() {
    for of in [0, 1] {
        let flight = [&[0x16, 3, 3][..], &[7; 5_000]].concat();
        let middle = [7; 5_000];
        let bulk = [&[0x17, 3, 3][..], &[7; 5_000]].concat();
        for (payload, expected) in
            [(&flight[..], FLIGHT_BYTES), (&middle, FLIGHT_BYTES), (&bulk, SNAPLEN), (&[], FLIGHT_BYTES)]
        {
            let packet = tcp(of, payload);
            assert_eq!(kept(&packet.clone().ethernet().bytes, &Outgoing::All, 0), expected);
            let raw = program(FrameStart::Network, SNAPLEN, &Outgoing::All);
            assert_eq!(run(&raw, &packet.bytes, 0), expected, "without a link header");
        }
    }
}

#[test]
fn keeps_all_that_the_decoder_looks_into() {
    let (from, to) = ends(0);
    let dns: SocketAddr = "10.0.0.2:53".parse().unwrap();
    let inner = || tcp(0, &[0x16; 400]).ethernet();
    let at_least = |packet: Packet, expected: u32| {
        let got = kept(&packet.bytes, &Outgoing::All, 0);
        assert!(got >= expected, "{got} of {:02x?}", &packet.bytes[..40]);
    };
    at_least(Packet::udp(dns, from, &[1; 600]).ip().ethernet(), DATAGRAM_BYTES);
    at_least(inner().vxlan(7).ip().ethernet(), DATAGRAM_BYTES);
    at_least(inner().geneve(7, &[]).ip().ethernet(), DATAGRAM_BYTES);
    at_least(tcp(0, &[0x16; 400]).gre(Some(1), None, false).ip().ethernet(), DATAGRAM_BYTES);
    at_least(tcp(0, &[0x16; 400]).ip_between(frames::OUTER_V6).ethernet(), DATAGRAM_BYTES);
    at_least(tcp(0, &[0x16; 400]).vlan(7).ethernet(), FLIGHT_BYTES);
    at_least(tcp(0, &[0x16; 400]).pppoe(7).ethernet(), FLIGHT_BYTES);
    for fragment in Packet::tcp(from, to, 1, 0x18, &[0x17; 3_000]).ip().fragments(7, 1_000) {
        at_least(fragment.ethernet(), DATAGRAM_BYTES);
    }
}

#[test]
fn gives_the_headers_of_what_is_passed_over() {
    for of in [0, 1] {
        let (from, to) = ends(of);
        let quic = Packet::udp(from, to, &[0x40; 1_200]).ip().ethernet();
        assert_eq!(kept(&quic.bytes, &Outgoing::All, 0), HEADERS_BYTES);
    }
}

#[test]
fn never_drops_what_is_short_or_strange() {
    let whole = tcp(0, &[0x17; 200]).ethernet().bytes;
    let six = tcp(1, &[0x17; 200]).ethernet().bytes;
    let own = Outgoing::OwnOnly(vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]);
    for frame in [&whole, &six] {
        for length in 0..=frame.len() {
            for packet_type in [0, TYPE_OUTGOING] {
                assert!(kept(&frame[..length], &own, packet_type) > 0, "{length} bytes");
            }
        }
        for at in 0..frame.len() {
            for value in [0, 0x4f, 0xff] {
                let mut changed = frame.clone();
                changed[at] = value;
                assert!(kept(&changed, &Outgoing::All, 0) > 0, "byte {at}");
            }
        }
    }
}

#[test]
fn leaves_out_what_others_send_through_this_host() {
    let many: Vec<IpAddr> = (0..MAX_OWN_ADDRESSES - 2)
        .map(|n| {
            if n % 2 == 0 {
                IpAddr::from([172, 16, 0, n as u8])
            } else {
                IpAddr::from([0xfd, n as u16, 0, 0, 0, 0, 0, 1])
            }
        })
        .chain(["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()])
        .collect();
    let own = Outgoing::OwnOnly(many);
    for of in [0, 1] {
        let (own_end, other) = ends(of);
        let sent = Packet::tcp(own_end, other, 1, 2, b"").ip().ethernet().bytes;
        let forwarded = Packet::tcp(other, own_end, 1, 2, b"").ip().ethernet().bytes;
        assert!(kept(&sent, &own, TYPE_OUTGOING) > 0);
        assert_eq!(kept(&forwarded, &own, TYPE_OUTGOING), LEFT_OUT_BYTES);
        assert!(kept(&forwarded, &own, 0) > 0, "it comes in");
        assert!(kept(&forwarded, &Outgoing::All, TYPE_OUTGOING) > 0);
    }
    // More addresses than are compared: everything is taken.
    let too_many = Outgoing::OwnOnly(vec![IpAddr::from([1, 1, 1, 1]); MAX_OWN_ADDRESSES + 1]);
    let (own_end, other) = ends(0);
    let forwarded = Packet::tcp(other, own_end, 1, 2, b"").ip().ethernet().bytes;
    assert_eq!(kept(&forwarded, &too_many, TYPE_OUTGOING), FLIGHT_BYTES);
}

#[test]
fn fits_into_the_kernel_limit() {
    let own = Outgoing::OwnOnly(vec!["fd00::1".parse().unwrap(); MAX_OWN_ADDRESSES]);
    // BPF_MAXINSNS
    assert!(program(FrameStart::Link, SNAPLEN, &own).len() <= 4_096);
}
