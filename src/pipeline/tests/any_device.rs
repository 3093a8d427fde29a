//! Captures of the device "any" of Linux, which show a host that translates addresses from both sides.

use super::*;

/// LINKTYPE_LINUX_SLL2: IPv4 on an interface of that number.
fn cooked(interface: u8, packet: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 0, interface, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], packet].concat()
}

#[test]
fn both_sides_of_a_translation_are_one_flow_where_frames_tell_their_interface() {
    const OUTSIDE: [u8; 4] = [198, 51, 100, 1];
    let wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&server_hello(1));
    for (far_interface, flows) in [(3, 1), (2, 2)] {
        let config = Arc::new(Resolved::default());
        let mut engine = Engine::new(config, false, Arc::from("test"), RandomState::default());
        let interfaces = [Interface { link_type: LinkType(276), name: None, kind: None }];
        let mut number = 0;
        for near in &wire.packets {
            let is_of_client = near[12..16] == CLIENT.0;
            let mut far = near.clone();
            let at = if is_of_client { 12 } else { 16 };
            far[at..at + 4].copy_from_slice(&OUTSIDE);
            let mut both = [cooked(2, near), cooked(far_interface, &far)];
            if !is_of_client {
                both.reverse();
            }
            for data in &both {
                number += 1;
                let timestamp = Timestamp::from_nanos(1_793_491_200_000_000_000 + number * 1_000_000);
                let wire_bytes = data.len() as u32;
                engine.frame(&Frame { number, timestamp, interface: 0, wire_bytes, data }, &interfaces);
            }
        }
        engine.finish();
        let records: Vec<Record> = engine.take_records().map(|(record, _)| record).collect();
        assert_eq!(records.len(), flows);
        assert_eq!(records[0].client.ip(), std::net::IpAddr::from(CLIENT.0));
        assert_eq!(records[0].translated.len(), 2 - flows);
    }
}
