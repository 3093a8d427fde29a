//! What the frames around a flow tell of its path.

use super::*;

fn ethernet(from: [u8; 6], to: [u8; 6], packet: &[u8]) -> Vec<u8> {
    [&to[..], &from, &[8, 0], packet].concat()
}

/// The handshake with a server, as packets.
fn handshake(server: ([u8; 4], u16)) -> Vec<Vec<u8>> {
    Wire::opened(server).client(&client_hello()).server(&server_hello(3)).packets
}

fn is_of_client(packet: &[u8]) -> bool {
    packet[12..16] == CLIENT.0
}

/// A VPN exists; only what is known of the site, or a side of the flow that is not seen in clear, ties it to the flow.
#[test]
fn esp_in_the_same_vlan_is_a_sign_of_a_vpn() {
    let esp = [
        &[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 50, 0, 0, 198, 51, 100, 1, 203, 0, 113, 10][..],
        &[0, 0, 0, 1, 0, 0, 0, 1],
    ]
    .concat();
    let tagged = |packet: &[u8], vlan: Option<u8>| {
        let tag = vlan.map_or_else(Vec::new, |id| vec![0x81, 0, 0, id]);
        [&[2; 12][..], &tag, &[8, 0], packet].concat()
    };
    for (vlan_of_esp, vlan_of_flow, role, is_one_sided, expected) in [
        (None, None, "tgw", false, Some(Possible)),
        (None, None, "tgw", true, Some(Likely)),
        (None, None, "vpn", false, Some(Likely)),
        (Some(12), Some(12), "tgw", false, Some(Possible)),
        (None, Some(12), "vpn", false, None),
        (Some(13), Some(12), "vpn", false, None),
    ] {
        let config = configured(&format!("[site]\nrole = \"{role}\"\nvpn_outside = [\"203.0.113.10/32\"]"));
        let packets = handshake(([10, 9, 0, 4], 443)).into_iter();
        let flow = packets
            .filter(|packet| !is_one_sided || !is_of_client(packet))
            .map(|packet| tagged(&packet, vlan_of_flow));
        // Of the server alone nothing says what it is, but its address.
        let told = dns_response_of("dynamodb.eu-west-1.amazonaws.com", [10, 9, 0, 4]);
        let first = [tagged(&told, None), tagged(&esp, vlan_of_esp)];
        let found = records_of(&config, 1, first.into_iter().chain(flow)).remove(0);
        let access = if expected.is_some() { Access::SiteToSiteVpn } else { Access::Unknown };
        let case = format!("{vlan_of_esp:?} {vlan_of_flow:?} {role} {is_one_sided}");
        assert_eq!((found.path.access, found.path.access_confidence), (access, expected), "{case}");
    }
}

#[test]
fn the_next_hop_is_that_of_what_the_client_sends() {
    let (near, far) = ([0xaa, 0, 0, 0, 0, 1], [0xbb, 0, 0, 0, 0, 2]);
    for (next_hop, is_taken) in [("aa:00:00:00:00:01", false), ("bb:00:00:00:00:02", true)] {
        let config = configured(&format!("[[path]]\nnext_hop_mac = \"{next_hop}\"\naccess = \"in_vpc\""));
        // The client's address sorts before the server's, and behind it.
        for server in [DYNAMODB, ([3, 218, 180, 1], 443)] {
            let frames = handshake(server).into_iter().map(|packet| {
                let (from, to) = if is_of_client(&packet) { (near, far) } else { (far, near) };
                ethernet(from, to, &packet)
            });
            let found = records_of(&config, 1, frames).remove(0);
            assert_eq!(found.path.access == Access::InVpc, is_taken, "{next_hop:?} {server:?}");
        }
    }
}

/// A mirror's frames have one direction and addresses of their own. In a tunnel without Ethernet the next hop is not told.
#[test]
fn the_next_hop_of_a_mirrored_packet_is_that_of_its_own_frame() {
    let (near, far) = ([0xaa, 0, 0, 0, 0, 1], [0xbb, 0, 0, 0, 0, 2]);
    let (mirror, collector) = ([0xcc, 0, 0, 0, 0, 3], [0xdd, 0, 0, 0, 0, 4]);
    let outer = |protocol: u8, inside: &[u8]| {
        let mut packet = vec![0x45, 0];
        packet.extend(((20 + inside.len()) as u16).to_be_bytes());
        packet.extend([0, 1, 0x40, 0, 64, protocol, 0, 0, 192, 168, 77, 1, 192, 168, 77, 2]);
        packet.extend(inside);
        packet
    };
    let vxlan = |frame: &[u8]| {
        let length = (16 + frame.len()) as u16;
        let ports = [0xc3, 0x50, 0x12, 0xb5];
        outer(17, &[&ports[..], &length.to_be_bytes(), &[0, 0, 8, 0, 0, 0, 0, 0, 5, 0], frame].concat())
    };
    for (is_mirrored, link_type, next_hop, expected) in [
        (true, 1, "bb:00:00:00:00:02", (Access::InVpc, Some(Certain))),
        (true, 1, "aa:00:00:00:00:01", (Access::Internet, Some(Certain))),
        (true, 1, "cc:00:00:00:00:03", (Access::Internet, Some(Certain))),
        (true, 1, "dd:00:00:00:00:04", (Access::Internet, Some(Certain))),
        (true, 101, "bb:00:00:00:00:02", (Access::InVpc, Some(Certain))),
        (true, 101, "dd:00:00:00:00:04", (Access::Internet, Some(Certain))),
        (false, 1, "dd:00:00:00:00:04", (Access::Internet, Some(Possible))),
        (false, 101, "dd:00:00:00:00:04", (Access::Internet, Some(Possible))),
    ] {
        let config = configured(&format!(
            "[[path]]\nnext_hop_mac = \"{next_hop}\"\naccess = \"in_vpc\"\n[[path]]\naccess = \"internet\""
        ));
        let frames = handshake(DYNAMODB).into_iter().map(|packet| {
            let (from, to) = if is_of_client(&packet) { (near, far) } else { (far, near) };
            let packet = if is_mirrored { vxlan(&ethernet(from, to, &packet)) } else { outer(4, &packet) };
            if link_type == 1 { ethernet(mirror, collector, &packet) } else { packet }
        });
        let found = records_of(&config, link_type, frames).remove(0).path;
        assert_eq!((found.access, found.access_confidence), expected, "{is_mirrored} {link_type} {next_hop}");
    }
}
