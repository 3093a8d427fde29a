//! One connection under two pairs of addresses, before and behind a translation.

use super::*;

const FAR_CLIENT: &str = "192.0.2.77:1055";

/// As a record of the handshake begins.
fn record(random: u8) -> Vec<u8> {
    [b"\x16ELLO", &[random; 55][..]].concat()
}

/// Two hellos of each side: as after a HelloRetryRequest, or behind the words with a proxy.
fn dialogue() -> [(bool, u8, u32, u32, Vec<u8>); 7] {
    [
        (true, TcpFlags::SYN, 100, 0, vec![]),
        (false, TcpFlags::SYN | TcpFlags::ACK, 900, 101, vec![]),
        (true, TcpFlags::ACK, 101, 901, hello(1)),
        (false, TcpFlags::ACK, 901, 161, record(2)),
        (true, TcpFlags::ACK, 161, 961, record(3)),
        (false, TcpFlags::ACK, 961, 221, record(4)),
        (true, TcpFlags::ACK, 221, 1_021, vec![5; 9]),
    ]
}

/// The flows that were reported of a dialogue, of which each side is seen twice, `views` saying where of each packet.
fn reported(views: impl Fn(usize, bool) -> Vec<(&'static str, u32)>) -> Vec<Ended> {
    let mut wire = Wire::new(Limits::default());
    for (number, (from_client, flags, sequence, acknowledgment, payload)) in dialogue().iter().enumerate() {
        for (client, place) in views(number, *from_client) {
            (wire.client, wire.context, wire.interface) = (client, place, place);
            wire.send(*from_client, *flags, *sequence, *acknowledgment, payload);
        }
    }
    wire.finish().into_iter().filter(|flow| flow.ending != Ending::Translated).collect()
}

const NEAR: (&str, u32) = (CLIENT, 0);
const FAR: (&str, u32) = (FAR_CLIENT, 1);

#[test]
fn all_hellos_of_a_connection_are_those_of_one_flow() {
    let whole = dialogue().iter().filter(|packet| packet.0).map(|packet| packet.4.len()).sum::<usize>();
    for (name, flows) in [
        // What the server says comes by the far side first.
        ("both", reported(|_, is_client| if is_client { vec![NEAR, FAR] } else { vec![FAR, NEAR] })),
        // The near side shows nothing more of the server once the views are one: an uplink of another way.
        (
            "near of the client",
            reported(|number, is_client| match (is_client, number) {
                (true, _) => vec![NEAR, FAR],
                (false, 0..3) => vec![FAR, NEAR],
                (false, _) => vec![FAR],
            }),
        ),
    ] {
        assert_eq!(flows.len(), 1, "{name}");
        let flow = &flows[0];
        assert_eq!((flow.translated, flow.gaps, &flow.contexts[..]), (1, 0, &[0, 1][..]), "{name}");
        assert_eq!(flow.streams[FROM_CLIENT].len(), whole, "{name}");
        assert_eq!(flow.streams[1 - FROM_CLIENT].len(), 120, "{name}");
    }
}

#[test]
fn no_hello_of_a_flow_that_is_over_begins_another_where_it_is_read_later() {
    for far_client in [CLIENT, FAR_CLIENT] {
        let mut wire = Wire::new(Limits::default());
        wire.script.decide_at = 240;
        wire.table.set_linger(Duration::from_secs(2));
        // All that one interface saw is read before the first that the other saw.
        for (client, place) in [NEAR, (far_client, 1)] {
            (wire.client, wire.context, wire.interface) = (client, place, place);
            for (from_client, flags, sequence, acknowledgment, payload) in &dialogue() {
                wire.send(*from_client, *flags, *sequence, *acknowledgment, payload);
            }
        }
        let ended = wire.finish();
        let reported = ended.iter().filter(|flow| flow.ending == Ending::Decided).count();
        assert_eq!((reported, ended.len()), (1, 1 + usize::from(far_client == FAR_CLIENT)));
    }
}

#[test]
fn a_view_is_joined_where_it_is_seen_elsewhere_too() {
    // The first interface shows both views, as the device "any" does, and others each of them.
    let flows = reported(|_, is_client| {
        let (near, far) = ([(CLIENT, 0), (CLIENT, 1)], [(FAR_CLIENT, 0), (FAR_CLIENT, 2)]);
        if is_client { [near, far].concat() } else { [far, near].concat() }
    });
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].translated, 1);
}

#[test]
fn the_answer_tells_where_the_first_words_do_not() {
    let mut wire = Wire::new(Limits::default());
    let words = b"PROXY TCP4 10.0.0.9 10.0.0.1 40000 443, and so on\r\n";
    for (from_client, sequence, payload) in [(true, 101, &words[..]), (false, 901, &hello(2)[..])] {
        for (client, place) in [NEAR, FAR] {
            (wire.client, wire.context, wire.interface) = (client, place, place);
            if from_client {
                wire.open(100, 900);
            }
            wire.send(from_client, TcpFlags::ACK, sequence, if from_client { 901 } else { 152 }, payload);
        }
    }
    let ended = wire.finish();
    let reported = ended.iter().filter(|flow| flow.ending != Ending::Translated).collect::<Vec<_>>();
    assert_eq!((reported.len(), reported[0].translated), (1, 1));
}

#[test]
fn the_same_port_begins_anew_under_the_other_addresses() {
    let mut wire = Wire::new(Limits::default());
    for isn in [100, 5_000_000] {
        wire.script.decide_at = 120;
        for (from_client, client, place) in
            [(true, CLIENT, 0), (true, FAR_CLIENT, 1), (false, FAR_CLIENT, 1), (false, CLIENT, 0)]
        {
            (wire.client, wire.context, wire.interface) = (client, place, place);
            if from_client {
                wire.send(true, TcpFlags::SYN, isn, 0, b"");
                wire.send(true, TcpFlags::ACK, isn + 1, 901, &record(isn as u8));
            } else {
                wire.send(false, TcpFlags::ACK, 901, isn + 61, &record(9));
            }
        }
    }
    let ended = wire.finish();
    let decided = ended.iter().filter(|flow| flow.ending == Ending::Decided).collect::<Vec<_>>();
    assert_eq!(decided.len(), 2);
    assert!(decided.iter().all(|flow| flow.translated == 1));
}

#[test]
fn a_view_is_joined_though_both_were_over_before_it_was_seen_elsewhere() {
    let mut wire = Wire::new(Limits::default());
    wire.script.decide_at = 240;
    wire.table.set_linger(Duration::from_secs(2));
    // One interface shows both, and is read first.
    for (client, place) in [(CLIENT, 0), (FAR_CLIENT, 0), (CLIENT, 1), (FAR_CLIENT, 2)] {
        (wire.client, wire.context, wire.interface) = (client, place, place);
        for (from_client, flags, sequence, acknowledgment, payload) in &dialogue() {
            wire.send(*from_client, *flags, *sequence, *acknowledgment, payload);
        }
    }
    let ended = wire.finish();
    let decided = ended.iter().filter(|flow| flow.ending == Ending::Decided).collect::<Vec<_>>();
    assert_eq!((decided.len(), decided[0].translated), (1, 1));
}
