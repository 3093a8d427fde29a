//! Which segments prove that a connection goes on: not those of another one with the same addresses and ports.

use super::*;

fn kinship(wire: &Wire, from_client: bool, flags: u8, sequence: u32, acknowledgment: u32) -> Option<Kinship> {
    let (client, server) = (wire.client.parse().unwrap(), SERVER.parse().unwrap());
    let (source, destination) = if from_client { (client, server) } else { (server, client) };
    let segment = Segment {
        source,
        destination,
        sequence,
        acknowledgment,
        flags: TcpFlags(flags),
        payload: b"",
        payload_wire_bytes: 0,
        excess_bytes: 0,
    };
    wire.table.kinship(&segment)
}

fn expects(wire: &Wire, from_client: bool, flags: u8, sequence: u32, acknowledgment: u32) -> bool {
    kinship(wire, from_client, flags, sequence, acknowledgment) == Some(Kinship::Same)
}

const SYN_ACK: u8 = TcpFlags::SYN | TcpFlags::ACK;
const ELSEWHERE: u32 = 3_000_000_000;

#[test]
fn an_opening_goes_on_with_its_answer() {
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    assert!(expects(&wire, true, TcpFlags::SYN, 100, 0));
    assert!(!expects(&wire, true, TcpFlags::SYN, 101, 0));
    assert!(expects(&wire, false, SYN_ACK, 7_000, 101));
    assert!(!expects(&wire, false, SYN_ACK, 7_000, 102));
    assert!(expects(&wire, true, TcpFlags::ACK, 101, 7_001), "the answer was lost");
    wire.client = "10.0.0.9:40001";
    assert!(!expects(&wire, false, SYN_ACK, 7_000, 101));
}

#[test]
fn an_open_connection_goes_on_near_what_was_said() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"HELLO");
    for (from_client, known) in [(true, 106), (false, 901)] {
        assert!(expects(&wire, from_client, TcpFlags::ACK, known, 0));
        assert!(expects(&wire, from_client, TcpFlags::ACK, known + 100_000, 0));
        assert!(!expects(&wire, from_client, TcpFlags::ACK, known + ELSEWHERE, 0));
    }
    // Of one whose other side was not heard, that one answers.
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(true, TcpFlags::ACK, 101, 901, b"HELLO");
    assert!(expects(&wire, false, TcpFlags::ACK, 901, 106));
    assert!(!expects(&wire, false, TcpFlags::ACK, ELSEWHERE, ELSEWHERE));
}

#[test]
fn a_decided_connection_goes_on_ahead_and_a_closed_one_where_it_ended() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.open(100, 900);
    assert_eq!(wire.send(true, TcpFlags::ACK, 101, 901, &hello(1)), Taken::Inspected);
    assert_eq!(wire.script.ended.len(), 1);
    const FAR: u32 = 1_000_000_000;
    // As one side that sends much does, and who receives it.
    for (from_client, sequence, acknowledgment, expected) in [
        (true, 161, 901, Some(Kinship::Same)),
        (true, 161 + FAR, 901, Some(Kinship::Same)),
        (true, 161, 901 + FAR, Some(Kinship::Same)),
        (false, 901 + FAR, 161, Some(Kinship::Same)),
        (true, 161 + FAR, 901 + FAR, None),
        (true, 161 + ELSEWHERE, 901, Some(Kinship::Other)),
        (true, 161 + FAR, 901 + ELSEWHERE, Some(Kinship::Other)),
        (false, 901, 161 + ELSEWHERE, Some(Kinship::Other)),
    ] {
        let found = kinship(&wire, from_client, TcpFlags::ACK, sequence, acknowledgment);
        assert_eq!(found, expected, "{from_client} {sequence} {acknowledgment}");
    }
    // The port is used again.
    assert_eq!(kinship(&wire, true, TcpFlags::SYN, FAR, 0), None);
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"HELLO");
    wire.send(false, TcpFlags::ACK, 901, 106, b"HELLO");
    wire.send(true, TcpFlags::RST, 106, 0, b"");
    wire.wait(30);
    assert_eq!(wire.script.ended.len(), 1);
    assert!(expects(&wire, true, TcpFlags::ACK, 106, 906));
    assert!(!expects(&wire, true, TcpFlags::ACK, 1_000_000_000, 906));
}
