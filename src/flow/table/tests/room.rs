//! What there is room for: instances with the same addresses and ports, contexts of a flow, looks at flows.

use super::choose::MAX_INSTANCES;
use super::*;

/// Sequence numbers of the client and of the server in the connection that a context shows; far from all others.
fn numbers(context: u32) -> (u32, u32) {
    (1_000 + context * 100_000_000, 7_000 + context * 90_000_000)
}

/// The connection of a context opens.
fn open_in(wire: &mut Wire, context: u32) {
    let (client, server) = numbers(context);
    wire.context = context;
    wire.open(client, server);
}

/// It goes on.
fn talk_in(wire: &mut Wire, context: u32) -> [Taken; 2] {
    let (client, server) = numbers(context);
    wire.context = context;
    [
        wire.send(true, TcpFlags::ACK, client + 1, server + 1, &hello(context as u8)),
        wire.send(false, TcpFlags::ACK, server + 1, client + 61, &hello(context as u8)),
    ]
}

/// All connections with equal addresses and ports open, then all of them speak.
fn overlapping(connections: u32) -> Wire {
    let mut wire = Wire::new(Limits::default());
    for context in 0..connections {
        open_in(&mut wire, context);
    }
    for context in 0..connections {
        talk_in(&mut wire, context);
    }
    wire
}

#[test]
fn a_connection_that_there_is_no_room_for_ends_no_other_and_is_counted() {
    let most = MAX_INSTANCES as u32;
    for connections in [most, most + 1, most + 8] {
        let wire = overlapping(connections);
        // SYN, SYN-ACK, and what each side says first.
        assert_eq!(wire.table.counts().beginnings_refused, 4 * u64::from(connections - most));
        let ended = wire.finish();
        assert_eq!(ended.len(), MAX_INSTANCES, "{connections}");
        for (flow, context) in ended.iter().zip(0..) {
            let said = hello(context as u8);
            assert_eq!((&flow.streams[0], &flow.streams[1], flow.gaps), (&said, &said, 0));
            assert_eq!((&flow.contexts[..], flow.ending), (&[context][..], Ending::InputEnded));
        }
    }
}

#[test]
fn connections_that_are_over_make_room_for_others() {
    for linger in [None, Some(Duration::from_secs(2))] {
        let mut wire = Wire::new(Limits::default());
        wire.script.decide_at = 120;
        linger.into_iter().for_each(|linger| wire.table.set_linger(linger));
        for context in 0..40 {
            open_in(&mut wire, context);
            assert_eq!(talk_in(&mut wire, context), [Taken::Inspected; 2]);
        }
        assert_eq!(wire.table.counts().beginnings_refused, 0);
        let ended = wire.finish();
        assert_eq!(ended.len(), 40);
        assert!(ended.iter().all(|flow| flow.ending == Ending::Decided));
    }
}

#[test]
fn a_flow_with_too_many_contexts_is_counted_once() {
    let mut wire = Wire::new(Limits::default());
    for context in 0..=MAX_CONTEXTS as u32 {
        assert_eq!(wire.table.counts().contexts_refused, 0);
        wire.context = context;
        wire.open(100, 900);
    }
    for context in 9..20 {
        wire.context = context;
        wire.send(true, TcpFlags::ACK, 101, 901, b"");
    }
    assert_eq!(wire.table.counts().contexts_refused, 1);
    assert_eq!(wire.finish()[0].contexts, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn plans_one_look_for_each_flow_whatever_happens_to_it() {
    const FLOWS: usize = 10;
    let mut wire = Wire::new(Limits { flows: FLOWS, ..Limits::default() });
    for port in 0..1_000 {
        // Flows that find no room, and one that is refused again and again.
        wire.client = Box::leak(format!("10.0.0.9:{}", 2_000 + port).into_boxed_str());
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.client = CLIENT;
        wire.send(true, TcpFlags::SYN, 100, 0, b"");
        wire.send(false, TcpFlags::RST | TcpFlags::ACK, 0, 101, b"");
        assert!(wire.table.wheel.waiting() <= FLOWS, "{}", wire.table.wheel.waiting());
    }
    assert_eq!(wire.table.wheel.waiting(), FLOWS);
    // All of them are looked at, and no other.
    wire.wait(1_000);
    wire.wait(1_000);
    assert_eq!((wire.table.open_flows(), wire.table.wheel.waiting()), (0, 0));
}

#[test]
fn forgets_what_was_closed_sooner_than_what_goes_on() {
    for (is_closed, remembered) in [(true, 0), (false, 1)] {
        let mut wire = Wire::new(Limits::default());
        wire.script.decide_at = 60;
        wire.open(100, 900);
        wire.send(true, TcpFlags::ACK, 101, 901, &hello(1));
        if is_closed {
            wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 161, 901, b"");
        }
        wire.wait(120);
        wire.wait(1);
        assert_eq!(wire.table.wheel.waiting(), remembered);
    }
}
