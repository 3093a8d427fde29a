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
    wire.wait(61);
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
        wire.wait(90);
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

/// One packet with a wrong time ends nothing.
#[test]
fn a_clock_leaps_where_two_packets_say_so() {
    for (seconds, are_two) in [(65, false), (7_200, false), (80 * 365 * 86_400, false), (7_200, true)] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        let before = wire.at;
        wire.at += seconds * 1_000_000_000;
        wire.client = "10.0.0.8:1";
        for _ in 0..=u8::from(are_two) {
            wire.send(true, TcpFlags::SYN, 1, 0, b"");
        }
        assert_eq!(wire.script.ended.len(), usize::from(are_two), "{seconds}");
        wire.client = CLIENT;
        wire.at = before;
        wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
        if !are_two {
            assert_eq!(wire.table.now.since(Timestamp::from_nanos(before)).as_secs(), 0);
            // And flows that began at that time, or since, are silent from now on.
            for _ in 0..20 {
                wire.wait(61);
            }
            assert_eq!(wire.table.open_flows(), 0, "{seconds}");
            assert_eq!(
                wire.script.ended.iter().filter(|flow| flow.streams == [hello(2), hello(1)]).count(),
                1
            );
        }
    }
}

/// A packet of the flow itself may be the first after a long time.
#[test]
fn what_a_leap_brings_belongs_to_its_flow() {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.at += 65_000_000_000;
    wire.send(false, TcpFlags::ACK, 501, 161, &hello(2));
    wire.send(true, TcpFlags::ACK, 161, 561, b"");
    assert_eq!(wire.finish()[0].streams, [hello(2), hello(1)]);
}

/// Whichever of the two was captured first, or alone.
#[test]
fn who_closed_first_is_told_by_acknowledgments() {
    const FIN: u8 = TcpFlags::FIN | TcpFlags::ACK;
    const RESET: u8 = RST | TcpFlags::ACK;
    // The client is B.
    let (by_client, by_server) = (Ending::Closed(Side::B), Ending::Closed(Side::A));
    let client = |acknowledged| (true, FIN, acknowledged);
    let server = |acknowledged| (false, FIN, acknowledged);
    for (packets, expected) in [
        (&[client(501), server(162)][..], by_client),
        (&[server(162), client(501)], by_client),
        (&[server(162)], by_client),
        (&[server(161), client(502)], by_server),
        (&[client(502), server(161)], by_server),
        (&[server(161)], by_server),
        // Both at once: the one that was seen first.
        (&[server(161), client(501)], by_server),
        (&[client(501), server(161)], by_client),
        (&[(false, RESET, 162)], by_client),
        (&[(false, RESET, 161)], Ending::Reset(Side::A)),
    ] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        for &(from_client, flags, acknowledged) in packets {
            let sequence = if from_client { 161 } else { 501 };
            wire.send(from_client, flags, sequence, acknowledged, b"");
        }
        assert_eq!(wire.finish()[0].ending, expected, "{packets:?}");
    }
}

#[test]
fn what_goes_on_was_not_reset() {
    // Refused, asked for again, and taken.
    let mut wire = Wire::new(Limits::default());
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(false, RST | TcpFlags::ACK, 0, 101, b"");
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    assert_eq!(wire.finish()[0].ending, Ending::InputEnded);
    // Somewhere in the window, and the client goes on: it did not believe it.
    for (goes_on, expected) in [(true, Ending::InputEnded), (false, Ending::Reset(Side::A))] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        wire.send(false, RST, 5_000, 161, b"");
        if goes_on {
            wire.send(true, TcpFlags::ACK, 161, 501, b"more");
        }
        let ended = wire.finish();
        assert_eq!(ended[0].ending, expected);
    }
    // Nowhere in the window.
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    wire.send(false, RST, 500_u32.wrapping_sub(100_000), 161, b"");
    assert_eq!(wire.finish()[0].ending, Ending::InputEnded);
}

/// Its SYN was not captured, and its numbers begin close to those of the one before, or at the very same.
#[test]
fn a_port_that_is_used_again_is_another_flow_by_what_it_says() {
    let start = |number: u8| [b"\x16ELLO", &[number; 60][..]].concat();
    for (offset, number, flows) in [
        // Sent again, in part or whole, or beginning somewhere else in what was said.
        (0, 1, 1),
        (30, 1, 1),
        (0, 2, 2),
        (65, 2, 2),
        (9_000, 2, 2),
        (70_000, 2, 2),
    ] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &start(1));
        wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 501, 166, b"");
        wire.send(true, TcpFlags::FIN | TcpFlags::ACK, 166, 502, b"");
        assert_eq!(wire.script.ended.len(), 1);
        wire.at += 10_000_000_000;
        wire.send(true, TcpFlags::ACK, 101 + offset, 7_501, &start(number));
        assert_eq!(wire.finish().len(), flows, "{offset} {number}");
    }
}

/// Requests follow one another, and what is decided of them stays so.
#[test]
fn a_later_request_is_no_flow_of_its_own() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
    assert_eq!(wire.script.ended.len(), 1);
    assert_eq!(wire.send(true, TcpFlags::ACK, 400, 501, &hello(2)), Taken::Decided);
    assert_eq!(wire.finish().len(), 1);
}

/// A firewall forges several, further and further ahead, in the hope that one is believed.
#[test]
fn a_burst_of_resets_hides_nothing() {
    for resets in [[501, 1_961, 4_881], [1_961, 4_881, 501], [1_961, 501, 4_881]] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        for sequence in resets {
            wire.send(false, RST, sequence, 161, b"");
        }
        let ended = wire.finish();
        assert_eq!((ended[0].ending, ended[0].gaps), (Ending::Reset(Side::A), 0), "{resets:?}");
    }
    for is_before in [true, false] {
        let mut wire = Wire::new(Limits::default());
        wire.open(100, 500);
        wire.send(true, TcpFlags::ACK, 101, 501, &hello(1));
        let forged = |wire: &mut Wire| wire.send(false, RST, 1_961, 161, b"");
        if is_before {
            forged(&mut wire);
        }
        wire.send(false, TcpFlags::FIN | TcpFlags::ACK, 501, 161, b"");
        if !is_before {
            forged(&mut wire);
        }
        let ended = wire.finish();
        assert_eq!((ended[0].ending, ended[0].gaps), (Ending::Closed(Side::A), 0), "{is_before}");
    }
}

#[test]
fn tells_connections_apart_by_what_the_other_side_acknowledges() {
    for is_from_client in [false, true] {
        let mut wire = Wire::new(Limits::default());
        // One side of a connection that began long before, and by another way a new one with the same ports.
        if is_from_client {
            wire.send(true, TcpFlags::ACK, 700_000_000, 2_100_000_000, b"old");
        } else {
            wire.send(false, TcpFlags::ACK, 2_100_000_000, 700_000_000, b"old");
        }
        wire.context = 1;
        wire.open(1_400_000_000, 3_500_000_000);
        wire.send(true, TcpFlags::ACK, 1_400_000_001, 3_500_000_001, &hello(1));
        wire.send(false, TcpFlags::ACK, 3_500_000_001, 1_400_000_061, &hello(2));
        let ended = wire.finish();
        assert_eq!(ended.len(), 2, "{is_from_client}");
        assert_eq!(ended[1].contexts, [1], "{is_from_client}");
        assert_eq!(ended[1].streams.clone().map(|stream| stream.len()), [60, 60], "{is_from_client}");
    }
}

#[test]
fn hears_what_begins_where_a_closed_connection_was() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.open(100, 900);
    wire.send(true, TcpFlags::ACK, 101, 901, &hello(1));
    wire.send(true, TcpFlags::ACK | TcpFlags::FIN, 161, 901, b"");
    wire.send(false, TcpFlags::ACK | TcpFlags::FIN, 901, 162, b"");
    // Nobody saw its SYN.
    wire.send(true, TcpFlags::ACK, 900_000_000, 1_800_000_000, &hello(2));
    let ended = wire.finish();
    assert_eq!(ended.len(), 2);
    assert_eq!(ended[1].streams[FROM_CLIENT], hello(2));
}

/// What begins like a record.
fn start(random: u8) -> Vec<u8> {
    [b"\x16ELLO", &[random; 55][..]].concat()
}

/// A connection that is open, with what its client said.
fn begun() -> Wire {
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    wire.send(true, TcpFlags::ACK, 101, 501, &start(1)[..30]);
    wire
}

/// Goes on with what [`begun`] began.
fn go_on(wire: &mut Wire) {
    wire.send(true, TcpFlags::ACK, 131, 501, &start(1)[30..]);
    wire.send(false, TcpFlags::ACK, 501, 161, &start(2));
}

#[test]
fn what_looks_like_a_beginning_far_away_ends_no_connection() {
    for (is_from_client, flags, text) in [
        (true, TcpFlags::ACK, start(9)),
        (false, TcpFlags::ACK, start(9)),
        (true, TcpFlags::SYN, Vec::new()),
        (false, TcpFlags::SYN | TcpFlags::ACK, Vec::new()),
    ] {
        let mut wire = begun();
        for turn in 0..100 {
            wire.send(is_from_client, flags, 1_600_000_000 + turn * 50_000, 2_000_000_000, &text);
        }
        assert!(wire.table.open_flows() <= 2, "{}", wire.table.open_flows());
        go_on(&mut wire);
        let ended = wire.finish();
        let is_stray = |flow: &&Ended| flow.ending == Ending::Stray || flow.streams.concat().is_empty();
        assert_eq!(ended.iter().filter(|flow| !is_stray(flow)).count(), 1, "{is_from_client} {flags}");
        assert!(ended.iter().any(|flow| flow.streams == [start(2), start(1)]), "{is_from_client} {flags}");
    }
    // Nor does what comes when it is decided.
    let mut wire = begun();
    wire.script.decide_at = 60;
    go_on(&mut wire);
    wire.send(true, TcpFlags::ACK, 1_600_000_000, 2_000_000_000, &start(9));
    let endings: Vec<_> = wire.finish().iter().map(|flow| flow.ending).collect();
    assert_eq!(endings, [Ending::Decided, Ending::Stray]);
}

/// Neither the end of the one nor the SYN of the other need have been seen.
#[test]
fn a_connection_that_is_answered_or_goes_on_takes_the_place_of_another() {
    type Packet = (bool, u8, u32, u32, Vec<u8>);
    const SYN_ACK: u8 = TcpFlags::SYN | TcpFlags::ACK;
    let far: [Packet; 2] = [
        (true, TcpFlags::ACK, 1_600_000_000, 2_000_000_000, start(3)),
        (false, TcpFlags::ACK, 2_000_000_000, 1_600_000_060, start(4)),
    ];
    let one_sided: [Packet; 2] = [
        (true, TcpFlags::ACK, 1_600_000_000, 2_000_000_000, start(3)[..50].to_vec()),
        (true, TcpFlags::ACK, 1_600_000_050, 2_000_000_000, start(3)[50..].to_vec()),
    ];
    // Its numbers are near those of the one before.
    let near: [Packet; 5] = [
        (true, TcpFlags::SYN, 9_000, 0, Vec::new()),
        (false, SYN_ACK, 7_000, 9_001, Vec::new()),
        (true, TcpFlags::ACK, 9_001, 7_001, Vec::new()),
        (true, TcpFlags::ACK, 9_001, 7_001, start(3)),
        (false, TcpFlags::ACK, 7_001, 9_061, start(4)),
    ];
    let near_of_one = [near[0].clone(), near[2].clone(), near[3].clone()];
    for (packets, expected) in
        [(&far[..], start(4)), (&one_sided, Vec::new()), (&near, start(4)), (&near_of_one, Vec::new())]
    {
        for is_decided in [false, true] {
            let mut wire = begun();
            wire.script.decide_at = if is_decided { 60 } else { wire.script.decide_at };
            go_on(&mut wire);
            for (is_from_client, flags, sequence, acknowledgment, text) in packets {
                wire.send(*is_from_client, *flags, *sequence, *acknowledgment, text);
            }
            let ended = wire.finish();
            let said = |side: usize| ended.iter().map(|flow| flow.streams[side].clone()).collect::<Vec<_>>();
            assert_eq!(said(FROM_CLIENT), [start(1), start(3)], "{packets:?} {is_decided}");
            if !is_decided {
                assert_eq!(said(1 - FROM_CLIENT), [start(2), expected.clone()], "{packets:?}");
            }
            assert!(ended.iter().all(|flow| flow.ending != Ending::Stray));
        }
    }
}

/// An RST tells that, too, by what it acknowledges.
#[test]
fn a_connection_that_is_refused_is_told_though_its_opening_was_not_seen() {
    const FAR: u32 = 1_600_000_000;
    const RESET: u8 = TcpFlags::RST | TcpFlags::ACK;
    let refused = |is_from_client: bool, flags: u8, sequence: u32, acknowledgment: u32| {
        let mut wire = begun();
        wire.script.decide_at = 120;
        go_on(&mut wire);
        wire.wait(70);
        wire.send(true, TcpFlags::ACK, FAR, 2_000_000_000, &start(9));
        wire.send(is_from_client, flags, sequence, acknowledgment, b"");
        wire.finish()[1].ending
    };
    assert_eq!(refused(false, RESET, 2_000_000_000, FAR + 60), Ending::Reset(Side::A));
    // What was not received is not refused, and nobody refuses what he says himself.
    for (is_from_client, flags, sequence, acknowledgment) in [
        (false, RESET, 2_000_000_000, FAR),
        (false, RESET, 2_000_000_000, FAR + 61),
        (false, RESET, 561, 161),
        (false, TcpFlags::RST, 2_000_000_000, 0),
        (true, RESET, FAR + 60, 2_000_000_000),
    ] {
        let ending = refused(is_from_client, flags, sequence, acknowledgment);
        assert_eq!(ending, Ending::Stray, "{is_from_client} {flags} {sequence} {acknowledgment}");
    }
    // A SYN alone that is refused, as by a firewall, ends nothing.
    let mut wire = begun();
    wire.send(true, TcpFlags::SYN, FAR, 0, b"");
    wire.send(false, RESET, 0, FAR + 1, b"");
    go_on(&mut wire);
    assert_eq!(wire.finish()[0].streams, [start(2), start(1)]);
}

/// Whoever receives it drops it [RFC 9293 section 3.10.7.4].
#[test]
fn what_acknowledges_bytes_that_were_never_sent_is_not_taken() {
    for acknowledgment in [161 + (1 << 30), 50] {
        let mut wire = begun();
        let taken = wire.send(false, TcpFlags::ACK, 501, acknowledgment, b"alert");
        assert_eq!(taken, Taken::OutOfWindow, "{acknowledgment}");
        go_on(&mut wire);
        assert_eq!(wire.finish()[0].streams, [start(2), start(1)]);
    }
    // Little by little more may be acknowledged than was seen, where one side was not.
    let mut wire = Wire::new(Limits::default());
    wire.open(100, 500);
    for step in 1..=10 {
        let taken = wire.send(true, TcpFlags::ACK, 101, 501 + step * 10_000_000, b"");
        assert_eq!(taken, Taken::Inspected, "{step}");
    }
}

#[test]
fn an_answer_to_a_syn_that_comes_when_all_is_decided_is_of_that_flow() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 60;
    wire.send(true, TcpFlags::SYN, 100, 0, b"");
    wire.send(true, TcpFlags::ACK, 101, 501, &start(1));
    assert_eq!(wire.send(false, TcpFlags::SYN | TcpFlags::ACK, 500, 101, b""), Taken::Decided);
    assert_eq!(wire.finish().len(), 1);
}
