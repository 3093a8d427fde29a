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
