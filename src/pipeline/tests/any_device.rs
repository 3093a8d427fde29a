//! Captures of the device "any" of Linux, which show a host that translates addresses from both sides.

use super::*;

/// LINKTYPE_LINUX_SLL2: IPv4 on an interface of that number.
fn cooked(interface: u8, packet: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 0, interface, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], packet].concat()
}

/// What is reported of a connection that is seen on interface 2, and on another one under other addresses.
fn both_sides(
    config: &Arc<Resolved>,
    wire: &Wire,
    far_interface: u8,
    far_client: [u8; 4],
    far_server: [u8; 4],
) -> Vec<Record> {
    let frames = wire.packets.iter().flat_map(|near| {
        let is_of_client = near[12..16] == CLIENT.0;
        let mut far = near.clone();
        let ends = if is_of_client { [far_client, far_server] } else { [far_server, far_client] };
        far[12..20].copy_from_slice(&ends.concat());
        let mut both = [cooked(2, near), cooked(far_interface, &far)];
        if !is_of_client {
            both.reverse();
        }
        both
    });
    records_of(config, 276, frames.collect::<Vec<_>>())
}

const OUTSIDE: [u8; 4] = [198, 51, 100, 1];

fn handshake(server: ([u8; 4], u16)) -> Wire {
    Wire::opened(server).client(&client_hello()).server(&server_hello(1))
}

#[test]
fn both_sides_of_a_translation_are_one_flow_where_frames_tell_their_interface() {
    for (far_interface, flows) in [(3, 1), (2, 2)] {
        let records = both_sides(&Arc::default(), &handshake(DYNAMODB), far_interface, OUTSIDE, DYNAMODB.0);
        assert_eq!(records.len(), flows);
        assert_eq!(records[0].client.ip(), std::net::IpAddr::from(CLIENT.0));
        assert_eq!(records[0].translated.len(), 2 - flows);
    }
}

#[test]
fn what_either_side_of_a_translation_shows_is_evidence() {
    const PRIVATE: ([u8; 4], u16) = ([10, 50, 0, 9], 443);
    let nat = configured("[site]\nrole = \"nat\"");
    // Behind the translation the source is public: the way leads over the internet.
    let found = both_sides(&nat, &handshake(DYNAMODB), 3, OUTSIDE, DYNAMODB.0).remove(0);
    assert_eq!((found.path.access, found.path.entry), (Access::Internet, Entry::PublicEndpoint));
    // A public name that leads to a private address, and from there to DynamoDB, as by NAT64.
    let overrides = |found: &Record| {
        let policy = found.policy.as_ref().unwrap();
        policy.violations.iter().any(|violation| violation.rule == "dns_override")
    };
    let found = both_sides(&Arc::default(), &handshake(PRIVATE), 3, CLIENT.0, DYNAMODB.0).remove(0);
    assert_eq!(found.endpoint.evidence, [EndpointEvidence::Sni, EndpointEvidence::Prefix]);
    assert!(!overrides(&found) && !found.endpoint.is_address_unproven);
    assert!(overrides(&handshake(PRIVATE).record()));
    // And the other way round.
    let found = both_sides(&Arc::default(), &handshake(DYNAMODB), 3, CLIENT.0, PRIVATE.0).remove(0);
    assert!(!overrides(&found) && found.endpoint.is_address_unproven);
}
