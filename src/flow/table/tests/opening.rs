//! How flows begin: with a SYN alone, or without one.

use super::*;

#[test]
fn keeps_of_a_syn_alone_only_what_it_said() {
    let mut wire = Wire::new(Limits::default());
    wire.context = 7;
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    assert_eq!((wire.table.open_flows(), wire.table.held_bytes()), (1, 0));
    // Its second packet is one of an open flow, and brings back the first.
    wire.context = 8;
    assert_eq!(wire.send(true, TcpFlags::ACK, 101, 901, b"abc"), Taken::Inspected);
    assert!(wire.table.held_bytes() > 0);
    wire.client = "10.0.0.9:40001";
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.wait(120);
    wire.client = "10.0.0.9:40002";
    wire.send(true, TcpFlags::SYN | 0xc0, 100, 0, b"");
    let ended = wire.finish();
    let tell =
        |at: usize| (ended[at].streams[FROM_CLIENT].as_slice(), &ended[at].contexts[..], ended[at].ending);
    assert_eq!(tell(0), (&b"abc"[..], &[7, 8][..], Ending::TimedOut));
    assert_eq!(tell(1), (&b""[..], &[8][..], Ending::TimedOut));
    assert_eq!(tell(2), (&b""[..], &[8][..], Ending::InputEnded));
}

#[test]
fn a_slot_is_two_lines_of_the_cache() {
    assert_eq!(size_of::<Slot<Heard>>(), 128);
    assert_eq!(std::mem::offset_of!(Slot<Heard>, generation), 64);
}

#[test]
fn without_an_opening_an_answer_begins_where_the_hello_says() {
    for is_answer_first in [false, true] {
        let mut wire = Wire::new(Limits::default());
        let hello: [(bool, u32, u32, &[u8]); 2] =
            [(true, 493, 901, b"before "), (true, 500, 901, b"HELLO..")];
        let answer = [(false, 901, 507, &b"refused"[..])];
        let (first, second) =
            if is_answer_first { (&answer[..], &hello[..]) } else { (&hello[..], &answer[..]) };
        for &(from_client, sequence, acknowledgment, payload) in first.iter().chain(second) {
            wire.send(from_client, TcpFlags::ACK, sequence, acknowledgment, payload);
        }
        let ended = wire.finish();
        assert_eq!(ended[0].streams, [b"refused".to_vec(), b"before HELLO..".to_vec()], "{is_answer_first}");
        assert_eq!((ended.len(), ended[0].gaps), (1, 0), "{is_answer_first}");
    }
}

/// The server's SYN was lost.
#[test]
fn an_answer_begins_where_the_opener_says_first() {
    for has_ack in [true, false] {
        for (sequence, gaps) in [(901, 0), (911, 1)] {
            let mut wire = Wire::new(Limits::default());
            wire.send(true, TcpFlags::SYN, 100, 0, b"");
            if has_ack {
                wire.send(true, TcpFlags::ACK, 101, 901, b"");
            }
            wire.send(true, TcpFlags::ACK, 101, 901, b"question");
            wire.send(false, TcpFlags::ACK, sequence, 109, b"refused");
            wire.send(false, TcpFlags::FIN | TcpFlags::ACK, sequence + 7, 109, b"");
            let ended = wire.finish();
            assert_eq!(ended[0].streams, [b"refused".to_vec(), b"question".to_vec()]);
            assert_eq!((ended.len(), ended[0].gaps), (1, gaps), "{has_ack} {sequence}");
        }
    }
    // All it says is FIN, which the opener acknowledges before it asks.
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 901, 101, b"");
    wire.send(true, TcpFlags::ACK, 101, 902, b"question");
    let ended = wire.finish();
    assert_eq!((ended[0].ending, ended[0].gaps), (Ending::Closed(Side::A), 0));
    // Its SYN comes late, and so does what the opener said before.
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(true, TcpFlags::ACK, 109, 907, b"and more");
    wire.send(true, TcpFlags::ACK, 101, 901, b"question");
    wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, b"");
    wire.send(false, TcpFlags::ACK, 901, 109, b"answer");
    let ended = wire.finish();
    assert_eq!(ended[0].streams, [b"answer".to_vec(), b"questionand more".to_vec()]);
    assert_eq!((ended.len(), ended[0].gaps), (1, 0));
}

#[test]
fn acknowledgments_take_no_more_memory_than_is_allowed() {
    const CLIENTS: [&str; 4] = ["10.0.0.9:40000", "10.0.0.9:40001", "10.0.0.9:40002", "10.0.0.9:40003"];
    let memory_bytes = 2 * size_of::<Active<Heard>>();
    let mut wire = Wire::new(Limits { memory_bytes, ..Limits::default() });
    for client in CLIENTS {
        wire.client = client;
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.send(true, TcpFlags::ACK, 101, 901, b"");
        assert!(wire.table.held_bytes() <= memory_bytes);
    }
    assert!(wire.finish().iter().any(|flow| flow.ending == Ending::MemoryFull));
}
