//! Handshakes that a side left before it could know that they were good, and how long the others took.

use super::*;

fn finish() -> Vec<u8> {
    [record(20, &[1]), record(22, &[0xe5; 40])].concat()
}

/// A client that has sent its Finished.
fn waiting() -> Wire {
    Wire::opened(DYNAMODB)
        .client(&client_hello())
        .server(&server_hello(1))
        .client(&[record(22, &[16, 0, 0, 2, 9, 9]), finish()].concat())
}

/// The client resets as whoever does that from outside, or a system that knows of no connection.
fn bare_reset(mut wire: Wire) -> Wire {
    wire.send(0, RST, b"");
    wire
}

#[test]
fn whoever_leaves_before_the_last_finished_completed_nothing() {
    let alert = record(21, &[0xaa; 26]);
    let data = record(23, &[0xd7; 60]);
    for (name, wire, is_completed) in [
        ("good", waiting().server(&finish()), true),
        // As clients do that do not trust the certificate, which is judged while the Finished is on its way.
        ("FIN", waiting().flag(0, FIN).server(&finish()), false),
        ("RST", waiting().flag(0, RST).server(&finish()), false),
        ("RST without acknowledgment", bare_reset(waiting()).server(&finish()), false),
        ("an alert and FIN", waiting().client(&alert).flag(0, FIN).server(&finish()), false),
        ("an alert when all is over", waiting().server(&finish()).client(&alert), true),
        ("FIN when all is over", waiting().server(&finish()).flag(0, FIN), true),
        ("data both ways", waiting().server(&finish()).server(&data).client(&data), true),
    ] {
        let found = wire.record();
        let tls = found.tls.as_ref().unwrap();
        assert_eq!(tls.established, is_completed, "{name}");
        assert_eq!(found.outcome == Outcome::Completed, is_completed, "{name}");
        assert_eq!(found.handshake_duration.is_some(), is_completed, "{name}");
        if !is_completed {
            let outcome = if name.starts_with("RST") { Outcome::Reset } else { Outcome::Closed };
            assert_eq!((found.outcome, found.ended_by), (outcome, Some(AlertFrom::Client)), "{name}");
        }
    }
}

/// Where a stream ends within a message or a record nothing is missing; where the capture cut a segment, it is.
#[test]
fn the_end_of_a_stream_within_a_flight_is_how_it_ended() {
    let certificate = record(22, &[&[11, 0, 1, 0][..], &[9; 256]].concat());
    let answered = |length: usize| {
        let flight = [server_hello(1), certificate.clone()].concat();
        Wire::opened(DYNAMODB).client(&client_hello()).server(&flight[..length])
    };
    let whole = server_hello(1).len();
    let half = || waiting().server(&finish()[..20]);
    let full = Completeness::Full;
    for (name, wire, outcome, completeness) in [
        ("in the certificate, client's RST", answered(whole + 90).flag(0, RST), Outcome::Reset, full),
        ("server's RST", answered(whole + 90).flag(1, RST), Outcome::Reset, full),
        ("FIN", answered(whole + 90).flag(1, FIN).flag(0, FIN), Outcome::Closed, full),
        ("no end", answered(whole + 90), Outcome::TimedOut, full),
        ("in the hello", answered(whole - 1).flag(0, RST), Outcome::Reset, Completeness::Truncated),
        ("in the Finished", half().flag(0, RST), Outcome::Reset, full),
        ("in the Finished, FIN", half().flag(1, FIN), Outcome::Closed, full),
        ("in the Finished, no end", half(), Outcome::TimedOut, full),
    ] {
        let found = wire.record();
        assert_eq!((found.outcome, found.completeness), (outcome, completeness), "{name}");
        assert!(!found.tls.as_ref().unwrap().established, "{name}");
    }
    // Sent whole, and captured in part; or not even sent whole.
    let long = [record(20, &[1]), record(22, &[0xe5; 400])].concat();
    for (sent, is_whole) in [(long.len(), true), (long.len() - 1, false)] {
        let wire = waiting().server(&long[..sent]).flag(0, RST);
        let found = wire.records_cut(40 + client_hello().len(), false).remove(0);
        assert_eq!(found.tls.unwrap().established, is_whole, "{sent}");
    }
    // Lost: what the client acknowledges was sent, and may have a FIN as its last.
    let lost = |length: usize| {
        let mut wire = half();
        wire.sequence[1] += length as u32;
        wire.flag(0, FIN)
    };
    let rest = finish().len() - 20;
    for (length, is_whole) in [(rest, false), (rest + 1, true)] {
        assert_eq!(lost(length).record().tls.unwrap().established, is_whole, "{length}");
    }
}

#[test]
fn what_waited_for_lost_bytes_keeps_its_time() {
    // The client's key exchange was lost, and what follows was held until the capture ended, much later.
    let mut wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&server_hello(1));
    let lost = wire.packets.len();
    wire = wire.client(&record(22, &[16, 0, 0, 2, 9, 9])).client(&finish()).server(&finish());
    wire.packets.remove(lost);
    let soon = wire.packets.len() as u64;
    let config = Arc::new(Resolved::default());
    let mut engine = Engine::new(config, false, Arc::from("test"), RandomState::default());
    let interfaces = [Interface { link_type: LinkType(101), name: None, kind: None }];
    let stranger = Wire::opened(([198, 51, 100, 8], 443)).packets.remove(0);
    for (data, number) in wire.packets.iter().chain([&stranger]).zip(1..) {
        let milliseconds = if number > soon { 50_000 } else { number };
        let timestamp = Timestamp::from_nanos(1_793_491_200_000_000_000 + milliseconds * 1_000_000);
        let wire_bytes = data.len() as u32;
        engine.frame(&Frame { number, timestamp, interface: 0, wire_bytes, data }, &interfaces);
    }
    engine.finish();
    let (found, _) = engine.take_records().next().unwrap();
    assert!(found.tls.as_ref().unwrap().established);
    assert!(found.handshake_duration.unwrap() < Duration::from_millis(10), "{:?}", found.handshake_duration);
}

fn rules(found: &Record) -> Vec<&str> {
    found.policy.iter().flat_map(|facts| &facts.violations).map(|violation| violation.rule).collect()
}

/// Everything that the server said was lost, up to its end.
#[test]
fn a_handshake_whose_answers_were_lost_was_not_refused() {
    for end in [FIN, RST] {
        for has_syn in [true, false] {
            for is_acknowledged in [true, false] {
                let mut wire = waiting().server(&finish()).client(&record(23, &[0xd7; 60])).flag(1, end);
                if is_acknowledged {
                    wire = wire.flag(0, RST);
                }
                let is_lost = |place: usize| matches!(place, 4 | 6) || place == 1 && !has_syn;
                let mut place = 0..;
                wire.packets.retain(|_| !place.next().is_some_and(is_lost));
                let found = wire.record();
                assert_eq!(found.outcome, Outcome::NotSeen, "{end} {has_syn} {is_acknowledged}");
                assert_eq!(found.completeness, Completeness::Truncated);
                assert!(!rules(&found).contains(&"legacy_client_refused"));
            }
            // And where there was no answer.
            let mut wire = Wire::opened(DYNAMODB).client(&client_hello()).flag(1, end);
            if !has_syn {
                wire.packets.remove(1);
            }
            let found = wire.record();
            let outcome = if end == FIN { Outcome::Closed } else { Outcome::Reset };
            assert_eq!(
                (found.outcome, found.ended_by),
                (outcome, Some(AlertFrom::Server)),
                "{end} {has_syn}"
            );
            assert!(rules(&found).contains(&"legacy_client_refused"));
        }
    }
}

#[test]
fn a_fin_of_an_earlier_connection_refuses_nobody() {
    let stale = |wire: Wire, from: usize, offset: u32| {
        let sequence = wire.sequence;
        let mut wire = Wire { sequence: sequence.map(|next| next.wrapping_add(offset)), ..wire };
        wire.send(from, FIN | ACK, b"");
        Wire { sequence, ..wire }
    };
    for from in [0, 1] {
        for offset in [3_000_u32.wrapping_neg(), 2_000_000] {
            let wire = stale(Wire::opened(DYNAMODB).client(&client_hello()), from, offset);
            assert!(!rules(&wire.record()).contains(&"legacy_client_refused"), "{from} {offset}");
            let wire = stale(waiting(), from, offset).server(&finish());
            assert_eq!(wire.record().outcome, Outcome::Completed, "{from} {offset}");
        }
    }
}

/// Taps that see one side each have clocks of their own, and packets overtake each other: what the client had received
/// tells its Finished from early data of the same size.
#[test]
fn early_data_is_told_from_the_finished_by_what_the_client_had_received() {
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let early_data = [0, 42, 0, 0];
    let hello = client_hello_with(3, &[&versions[..], &early_data].concat());
    let mut answer = vec![2, 0, 0, 46, 3, 3];
    answer.extend([9; 32]);
    answer.extend([0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    let flight = [record(22, &answer), record(20, &[1]), record(23, &[0xaa; 80])].concat();
    let like_finished = record(23, &[0xbb; 53]);
    let finished = [record(23, &[0xcc; 21]), like_finished.clone()].concat();
    let begun = || Wire::opened(DYNAMODB).client(&hello).client(&like_finished);
    // The order in which the hello, early data, the flight and what comes behind it were captured.
    for (name, wire, order, is_completed) in [
        ("as sent", begun().server(&flight).client(&finished), [3, 4, 5, 6], true),
        ("the Finished overtakes", begun().server(&flight).client(&finished), [3, 4, 6, 5], true),
        ("all of the server first", begun().server(&flight).client(&finished), [5, 3, 4, 6], true),
        ("no Finished", begun().server(&flight).flag(0, FIN), [3, 4, 5, 6], false),
        ("early data overtaken", begun().server(&flight).flag(0, FIN), [3, 5, 4, 6], false),
        ("the server overtakes", begun().server(&flight).flag(0, FIN), [5, 3, 4, 6], false),
        ("an alert for an end", begun().server(&flight).client(&record(23, &[1; 19])), [3, 5, 4, 6], false),
    ] {
        let mut wire = wire;
        let packets = wire.packets.clone();
        wire.packets.truncate(3);
        wire.packets.extend(order.map(|index: usize| packets[index].clone()));
        let found = wire.record();
        assert_eq!(found.tls.as_ref().unwrap().established, is_completed, "{name}");
        assert_eq!(found.outcome == Outcome::Completed, is_completed, "{name}");
    }
}
