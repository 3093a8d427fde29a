//! When a flow is over, and what is still heard before it is.

use super::*;

#[test]
fn ends_by_fin_reset_and_silence() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 901, 104, b"");
    wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 104, 902, b"");
    assert_eq!(wire.script.ended[0].ending, Ending::Closed(Side::A));

    wire.client = "10.0.0.9:40001";
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    wire.send(false, TcpFlags::RST, 901, 0, b"");
    wire.at += 6_000_000_000;

    wire.client = "10.0.0.9:40002";
    wire.open(100, 900);
    assert_eq!(wire.script.ended[1].ending, Ending::Reset(Side::A));
    wire.at += 120_000_000_000;
    wire.client = "10.0.0.9:40003";
    wire.open(100, 900);
    assert_eq!(wire.script.ended[2].ending, Ending::TimedOut);
}

#[test]
fn waits_for_missing_bytes_before_a_reset_counts() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 104, 901, b"def");
    wire.send(false, TcpFlags::RST, 901, 0, b"");
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    let ended = wire.finish();
    assert_eq!(ended[0].streams[FROM_CLIENT], b"abcdef");
    assert_eq!(ended[0].ending, Ending::Reset(Side::A));
}

#[test]
fn hears_what_was_on_its_way_when_the_reset_came() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 104, 901, b"");
    wire.send(false, TcpFlags::ACK, 901, 104, b"uvw");
    wire.send(true, TcpFlags::RST, 104, 0, b"");
    wire.send(false, TcpFlags::ACK, 904, 104, b"xyz");
    let ended = wire.finish();
    assert_eq!(ended[0].streams[1 - FROM_CLIENT], b"uvwxyz");
    assert!(matches!(ended[0].ending, Ending::Closed(_)), "{:?}", ended[0].ending);
}

#[test]
fn hears_an_answer_that_was_sent_again_long_after_the_others_fin() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
    wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 104, 901, b"");
    wire.at += 11_000_000_000;
    wire.send(false, TcpFlags::ACK, 901, 104, b"xyz");
    let ended = wire.finish();
    assert_eq!(ended[0].streams, [b"xyz", b"abc"]);
    assert_eq!(ended[0].ending, Ending::Closed(Side::B));
}

#[test]
fn a_connection_that_was_reset_is_told_though_there_is_no_room_to_wait() {
    let mut wire = Wire::new(Limits { flows: 2, ..Limits::default() });
    for client in ["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:3", "10.0.0.9:4"] {
        wire.client = client;
        wire.open(100, 900);
        wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
        wire.send(false, TcpFlags::RST, 901, 0, b"");
    }
    let ended = wire.finish();
    assert_eq!(ended.len(), 4);
    assert!(ended.iter().all(|flow| matches!(flow.ending, Ending::Reset(_))));
}

const FIN: u8 = TcpFlags::FIN | TcpFlags::ACK;

/// As one of an earlier connection with the same ports, which is sent again.
#[test]
fn a_fin_that_no_receiver_takes_ends_nothing() {
    for offset in [3_000_u32.wrapping_neg(), 1_u32.wrapping_neg(), 40, 2_000_000] {
        for (from_client, isn) in [(true, 500), (false, 500), (false, u32::MAX - 2)] {
            let mut wire = Wire::new(Limits::default());
            wire.open(100, isn);
            let first = isn.wrapping_add(1);
            wire.send(true, TcpFlags::ACK, 101, first, &hello(1));
            let stale = if from_client { 161_u32 } else { first }.wrapping_add(offset);
            wire.send(from_client, FIN, stale, 0, b"");
            wire.send(false, TcpFlags::ACK, first, 161, b"answer");
            wire.send(false, FIN, first.wrapping_add(6), 161, b"");
            assert!(wire.script.ended.is_empty());
            wire.send(true, FIN, 161, first.wrapping_add(7), b"");
            let ended = &wire.script.ended[0];
            assert_eq!(ended.streams, [b"answer".to_vec(), hello(1)], "{offset} {from_client}");
            assert_eq!((ended.ending, ended.gaps), (Ending::Closed(Side::A), 0), "{offset} {from_client}");
            assert!(!ended.is_doubtful);
        }
    }
}

/// How a connection ends of which the server's FIN comes ahead, and then `packets`.
fn end_of_fin_ahead(packets: &[(bool, u8, u32, u32, &[u8])]) -> (Ending, bool, usize) {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.send(false, FIN, 507, 161, b"");
    for &(from_client, flags, sequence, acknowledgment, payload) in packets {
        wire.send(from_client, flags, sequence, acknowledgment, payload);
    }
    let ended = wire.finish();
    assert_eq!(ended.len(), 1);
    (ended[0].ending, ended[0].is_doubtful, ended[0].gaps)
}

#[test]
fn a_fin_ahead_ends_the_connection_in_the_end() {
    let by_server = Ending::Closed(Side::A);
    // Nothing follows: something was lost, or it is none.
    assert_eq!(end_of_fin_ahead(&[]), (by_server, true, 1));
    // Captured out of order.
    assert_eq!(end_of_fin_ahead(&[(false, TcpFlags::ACK, 501, 161, b"answer")]), (by_server, false, 0));
    assert_eq!(end_of_fin_ahead(&[(false, TcpFlags::ACK, 504, 161, b"wer")]), (by_server, false, 1));
    // The client has received all of it.
    for flags in [TcpFlags::ACK, FIN, TcpFlags::RST | TcpFlags::ACK] {
        assert_eq!(end_of_fin_ahead(&[(true, flags, 161, 508, b"")]), (by_server, false, 1), "{flags}");
    }
    // It lacks something, too, and what it says is no reason to doubt the FIN.
    assert_eq!(end_of_fin_ahead(&[(true, TcpFlags::ACK, 161, 501, b"more")]), (by_server, true, 1));
    // The server says more.
    assert_eq!(
        end_of_fin_ahead(&[(false, TcpFlags::ACK, 501, 161, b"answer and more")]),
        (Ending::InputEnded, false, 0)
    );
    // What an earlier connection sends again is FIN and RST.
    assert_eq!(
        end_of_fin_ahead(&[
            (false, TcpFlags::RST, 508, 0, b""),
            (false, TcpFlags::ACK, 501, 161, b"answer and more")
        ]),
        (Ending::InputEnded, false, 0)
    );
    // The client's comes ahead, too, and then what it follows.
    assert_eq!(
        end_of_fin_ahead(&[(true, FIN, 165, 501, b""), (true, TcpFlags::ACK, 161, 501, b"more")]),
        (Ending::Closed(Side::B), false, 1)
    );
    // Who closes for certain closed it.
    assert_eq!(end_of_fin_ahead(&[(true, FIN, 161, 501, b"")]), (Ending::Closed(Side::B), false, 1));
    assert_eq!(end_of_fin_ahead(&[(false, TcpFlags::RST, 501, 0, b"")]), (Ending::Reset(Side::A), false, 0));
}

#[test]
fn a_fin_before_the_beginning_was_known_is_judged_by_it() {
    for (answer, expected) in [
        (507, (Ending::Closed(Side::A), 0)),
        (501, (Ending::Closed(Side::A), 1)),
        (3_000, (Ending::InputEnded, 0)),
    ] {
        let mut wire = Wire::new(Limits::default());
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.send(false, FIN, 507, 101, b"");
        wire.send(true, TcpFlags::ACK, 101, answer, &hello(1));
        let ended = wire.finish();
        assert_eq!((ended[0].ending, ended[0].gaps), expected, "{answer}");
    }
}

#[test]
fn waits_for_what_is_sent_again_after_seconds() {
    for (acknowledgment, expected) in [(101, b"abcdef"), (104, b"def\0\0\0")] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 900);
        wire.send(true, TcpFlags::ACK, 104, 901, b"def");
        wire.send(false, TcpFlags::ACK, 901, acknowledgment, b"");
        wire.at += 30_000_000_000;
        wire.send(false, TcpFlags::ACK, 901, acknowledgment, b"");
        wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
        let ended = wire.finish();
        let expected: Vec<u8> = expected.iter().copied().filter(|byte| *byte > 0).collect();
        assert_eq!(ended[0].streams[FROM_CLIENT], expected);
    }
}

/// Whatever makes the table look at it: silence, the end of the input, another connection, or want of room.
#[test]
fn what_stands_behind_a_gap_decides_a_flow_in_each_way_it_may_end() {
    let silence: fn(&mut Wire) = |wire| wire.wait(61);
    let input: fn(&mut Wire) = |_| {};
    let another: fn(&mut Wire) = |wire| {
        wire.at += 2_000_000_000;
        wire.open(5_000, 7_000);
    };
    let room: fn(&mut Wire) = |wire| {
        wire.client = "10.0.0.9:2";
        wire.open(100, 900);
    };
    for decide_at in [6, 7] {
        for (way, end) in [silence, input, another, room].into_iter().enumerate() {
            let is_reset = way == 3;
            let flows = if is_reset { 1 } else { 100 };
            let mut wire = Wire::new(Limits { flows, ..Limits::default() });
            wire.script.decide_at = decide_at;
            wire.open(100, 900);
            wire.send(true, TcpFlags::ACK, 101, 901, b"abc");
            wire.send(true, TcpFlags::ACK, 114, 901, b"xyz");
            if is_reset {
                wire.send(false, TcpFlags::RST, 901, 0, b"");
            } else {
                wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 117, 901, b"");
            }
            assert!(wire.script.ended.is_empty());
            end(&mut wire);
            let ended = &wire.finish()[0];
            assert_eq!((&ended.streams[FROM_CLIENT][..], ended.gaps), (&b"abcxyz"[..], 1), "{way}");
            assert_eq!(ended.ending == Ending::Decided, decide_at == 6, "{way}: {:?}", ended.ending);
        }
    }
}
