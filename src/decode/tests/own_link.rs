//! Which hardware addresses are those of the inner packet.

use super::*;
use crate::decode::frames::{DESTINATION_MAC, SOURCE_MAC};

/// A frame between other addresses than those of the frames around it.
fn mirrored() -> Packet {
    let mut frame = tcp().ip().ethernet();
    frame.bytes[..12].copy_from_slice(&[[2; 6], [1; 6]].concat());
    frame
}

#[test]
fn the_innermost_ethernet_header_is_the_packets_own() {
    let outer = |packet: Packet| packet.ip_between(OUTER_V4).ethernet();
    let (own, of_frame) = (Some(([1; 6], [2; 6])), Some((SOURCE_MAC, DESTINATION_MAC)));
    let options = load_balancer_options(7, 8);
    for (name, frame, link_type, expected) in [
        ("plain", tcp().ip().ethernet(), 1, of_frame),
        ("tagged", tcp().ip().vlan(5).vlan(7).ethernet(), 1, of_frame),
        ("labelled", tcp().ip().mpls(16, false).ethernet(), 1, of_frame),
        ("dialled", tcp().ip().pppoe(1).ethernet(), 1, of_frame),
        ("extended", tcp_v6().extension(0, 1).ip().ethernet(), 1, of_frame),
        ("mirrored by VXLAN", outer(mirrored().vxlan(42)), 1, own),
        ("mirrored by VXLAN to a load balancer", outer(outer_vxlan().geneve(0, &options)), 1, own),
        ("mirrored by ERSPAN", outer(mirrored().erspan(2, 9)), 1, own),
        ("in GRE as frames", outer(mirrored().gre(None, None, false)), 1, own),
        ("in a pseudowire", mirrored().mpls(16, true).ethernet(), 1, own),
        ("in GRE as packets", outer(tcp().ip().gre(None, None, false)), 1, None),
        ("in IP", outer(tcp().ip()), 1, None),
        ("from a load balancer", outer(tcp().ip().geneve(0, &options)), 1, None),
        ("without a frame", tcp().ip(), 101, None),
        ("cooked", tcp().ip().linux_cooked(), 113, None),
        ("mirrored, cooked", mirrored().vxlan(42).ip_between(OUTER_V4).linux_cooked(), 113, own),
    ] {
        let (mut decoder, mut encapsulation) = (decoder(), Encapsulation::default());
        // What was found of the frame before does not stay.
        let mut link = Some(([9; 6], [9; 6]));
        let decoded =
            decoder.decode(link_type, Timestamp::default(), &frame.bytes, 0, &mut encapsulation, &mut link);
        assert!(matches!(decoded, Ok(Decoded::Tcp(_))), "{name}: {decoded:?}");
        assert_eq!(link, expected, "{name}");
    }
}

fn outer_vxlan() -> Packet {
    mirrored().vxlan(42).ip_between(OUTER_V4)
}
