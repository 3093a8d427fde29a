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

#[test]
fn whoever_leaves_before_the_last_finished_completed_nothing() {
    let alert = record(21, &[0xaa; 26]);
    let data = record(23, &[0xd7; 60]);
    for (name, wire, is_completed) in [
        ("good", waiting().server(&finish()), true),
        // As clients do that do not trust the certificate, which is judged while the Finished is on its way.
        ("FIN", waiting().flag(0, FIN).server(&finish()), false),
        ("RST", waiting().flag(0, RST).server(&finish()), false),
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
            let outcome = if name == "RST" { Outcome::Reset } else { Outcome::Closed };
            assert_eq!((found.outcome, found.ended_by), (outcome, Some(AlertFrom::Client)), "{name}");
        }
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
