//! Segments that look as if they were of a flow and are not.

use super::*;

const RST: u8 = TcpFlags::RST | TcpFlags::ACK;

#[test]
fn a_reset_that_no_receiver_believes_ends_nothing() {
    for offset in [1_u32, 70_000, 5_000_000, 5_u32.wrapping_neg(), 100_000_u32.wrapping_neg()] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        wire.send(false, RST, 501_u32.wrapping_add(offset), 161, b"");
        wire.send(false, TcpFlags::ACK, 501, 161, b"answer");
        wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 161, 507, b"");
        wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 507, 162, b"");
        let ended = wire.finish();
        assert_eq!(ended.len(), 1, "{offset}");
        assert_eq!(ended[0].streams[0], b"answer");
        assert_eq!(ended[0].ending, Ending::Closed(Side::B), "{offset}");
    }
}

#[test]
fn a_reset_at_another_place_counts_where_nothing_follows() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.send(false, RST, 5_000, 161, b"");
    assert!(wire.script.ended.is_empty());
    wire.at += 61_000_000_000;
    wire.client = "10.0.0.8:1";
    wire.send(true, TcpFlags::SYN, 1, 0, b"");
    assert_eq!(wire.script.ended[0].ending, Ending::Reset(Side::A));
    // What comes where it is expected counts soon, also behind FIN and with a reason in it.
    for (fin, sequence, text) in [(false, 501, &b""[..]), (true, 502, b""), (false, 501, b"go away")] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        if fin {
            wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 501, 161, b"");
        }
        wire.send(false, RST, sequence, 161, text);
        wire.at += 6_000_000_000;
        wire.client = "10.0.0.8:1";
        wire.send(true, TcpFlags::SYN, 1, 0, b"");
        let expected = if fin { Ending::Closed(Side::A) } else { Ending::Reset(Side::A) };
        assert_eq!(wire.script.ended.first().map(|ended| ended.ending), Some(expected));
    }
}

#[test]
fn what_an_earlier_connection_sends_again_is_not_of_the_next() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
    wire.send(true, TcpFlags::SYN, 7_000_000, 0, b"");
    wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 900_000, 7_000_001, b"");
    wire.send(true, TcpFlags::ACK, 7_000_001, 900_001, &hello(3));
    wire.send(false, TcpFlags::ACK, 900_001, 7_000_061, &hello(4));
    let ended = wire.finish();
    let streams: Vec<_> = ended.into_iter().map(|flow| flow.streams).collect();
    assert_eq!(streams, [[hello(2), hello(1)], [hello(4), hello(3)]]);
}

#[test]
fn a_first_answer_is_kept_whatever_syn_came_before_it() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.send(true, TcpFlags::SYN, 7_000_000, 0, b"");
    wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
    let ended = wire.finish();
    assert!(ended.iter().any(|flow| flow.streams[0] == hello(2)));
}

#[test]
fn hears_a_connection_that_was_opened_long_before() {
    for phases in 1..=3 {
        let mut wire = Wire::new(Limits::default());
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        if phases > 1 {
            wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 500, 101, b"");
        }
        if phases > 2 {
            wire.send(true, TcpFlags::ACK, 101, 501, b"");
        }
        wire.at += 90_000_000_000;
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
        let ended = wire.finish();
        assert_eq!(ended[0].ending, Ending::TimedOut);
        assert_eq!(ended[1].streams, [hello(2), hello(1)], "{phases}");
    }
}

#[test]
fn flows_time_out_after_the_clock_was_set_back() {
    let mut wire = Wire::new(Limits::default());
    wire.at += 100_000_000_000_000;
    wire.open(100, 500);
    wire.at -= 50_000_000_000_000;
    wire.client = "10.0.0.8:1";
    wire.open(100, 500);
    for _ in 0..20 {
        wire.at += 60_000_000_000;
        wire.client = "10.0.0.7:1";
        wire.send(true, TcpFlags::ACK, 1, 1, b"");
    }
    assert_eq!(wire.table.open_flows(), 0);
    assert!(wire.script.ended.iter().all(|flow| flow.ending == Ending::TimedOut));
}
