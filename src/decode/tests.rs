//! Whole frames through every encapsulation, damaged in every way.

mod own_link;

use std::net::SocketAddr;

use proptest::prelude::*;

use super::frames::{OUTER_V4, OUTER_V6, Packet, load_balancer_options};
use super::*;
use crate::model::{Encapsulation, Layer, Timestamp};

const PAYLOAD: &[u8] = b"not looked at here";

fn client() -> SocketAddr {
    "10.0.0.1:50123".parse().unwrap()
}

fn server() -> SocketAddr {
    "52.94.0.1:443".parse().unwrap()
}

fn client_v6() -> SocketAddr {
    "[2001:db8:1::1]:50123".parse().unwrap()
}

fn server_v6() -> SocketAddr {
    "[2600:1fff::1]:443".parse().unwrap()
}

fn tcp() -> Packet {
    Packet::tcp(client(), server(), 7, TcpFlags::ACK | TcpFlags::PSH, PAYLOAD)
}

fn tcp_v6() -> Packet {
    Packet::tcp(client_v6(), server_v6(), 7, TcpFlags::ACK | TcpFlags::PSH, PAYLOAD)
}

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

/// The result, owned, in a form that is easy to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Tcp { source: SocketAddr, destination: SocketAddr, payload: Vec<u8>, wire: u32 },
    Udp(Vec<u8>),
    Esp,
    Held,
    Skipped(&'static str),
    Failed(&'static str, &'static str),
}

fn decode_with(decoder: &mut Decoder, link_type: u16, data: &[u8], wire: usize) -> (Outcome, Vec<Layer>) {
    let mut encapsulation = Encapsulation::default();
    let at = Timestamp::default();
    let decoded = decoder.decode(link_type, at, data, wire as u32, &mut encapsulation, &mut None);
    let outcome = match decoded {
        Ok(Decoded::Tcp(segment)) => {
            assert!(segment.payload.len() <= segment.payload_wire_bytes as usize);
            Outcome::Tcp {
                source: segment.source,
                destination: segment.destination,
                payload: segment.payload.to_vec(),
                wire: segment.payload_wire_bytes,
            }
        }
        Ok(Decoded::Udp(datagram)) => Outcome::Udp(datagram.payload.to_vec()),
        Ok(Decoded::Esp { .. }) => Outcome::Esp,
        Ok(Decoded::Held) => Outcome::Held,
        Ok(Decoded::Skipped(skip)) => Outcome::Skipped(skip.reason()),
        Err(error) => Outcome::Failed(error.layer(), error.reason()),
    };
    (outcome, encapsulation.layers().to_vec())
}

fn decode(link_type: u16, data: &[u8]) -> (Outcome, Vec<Layer>) {
    decode_with(&mut decoder(), link_type, data, data.len())
}

fn segment() -> Outcome {
    Outcome::Tcp {
        source: client(),
        destination: server(),
        payload: PAYLOAD.to_vec(),
        wire: PAYLOAD.len() as u32,
    }
}

fn segment_v6() -> Outcome {
    Outcome::Tcp {
        source: client_v6(),
        destination: server_v6(),
        payload: PAYLOAD.to_vec(),
        wire: PAYLOAD.len() as u32,
    }
}

fn gre(key: Option<u32>) -> Layer {
    Layer::Gre { key }
}

fn geneve(vni: u32) -> Layer {
    Layer::Geneve { vni, endpoint_id: Some(0xabc), attachment_id: Some(0xdef) }
}

fn gwlb() -> Vec<u8> {
    load_balancer_options(0xabc, 0xdef)
}

/// Name, link type, frame, layers, whether the inside is IPv6.
type Case = (&'static str, u16, Packet, Vec<Layer>, bool);

/// Each encapsulation once, and the stacks that are met in practice.
fn cases() -> Vec<Case> {
    let (v4, v6) = (|| tcp().ip(), || tcp_v6().ip());
    let erspan = |version, session| Layer::Erspan { version, session };
    vec![
        ("ethernet", 1, v4().ethernet(), vec![], false),
        ("ethernet v6", 1, v6().ethernet(), vec![], true),
        ("padding", 1, v4().ethernet().trailer(&[0xee; 10]), vec![], false),
        ("padding v6", 1, v6().ethernet().trailer(&[0xee; 10]), vec![], true),
        ("snap", 1, v4().ethernet_snap(), vec![], false),
        (
            "snap in vlan",
            1,
            v6().ethernet_snap().vxlan(5).ip_between(OUTER_V4).ethernet(),
            vec![Layer::Vxlan(5)],
            true,
        ),
        ("null little endian", 0, v4().null([2, 0, 0, 0]), vec![], false),
        ("null big endian", 0, v6().null([0, 0, 0, 30]), vec![], true),
        ("loop", 108, v6().null([0, 0, 0, 24]), vec![], true),
        ("raw 12", 12, v4(), vec![], false),
        ("raw 14", 14, v6(), vec![], true),
        ("raw 101", 101, v4(), vec![], false),
        ("raw 228", 228, v4(), vec![], false),
        ("raw 229", 229, v6(), vec![], true),
        ("ppp hdlc", 9, v4().ppp(true), vec![], false),
        ("ppp", 9, v6().ppp(false), vec![], true),
        ("cooked", 113, v4().linux_cooked(), vec![], false),
        ("cooked vlan", 113, v6().vlan(9).linux_cooked(), vec![Layer::Vlan(9)], true),
        ("cooked 2", 276, v6().linux_cooked_v2(), vec![], true),
        ("vlan", 1, v4().vlan(120).ethernet(), vec![Layer::Vlan(120)], false),
        ("qinq", 1, v6().vlan(2).vlan_of(0x88a8, 1).ethernet(), vec![Layer::Vlan(1), Layer::Vlan(2)], true),
        (
            "three tags",
            1,
            v4().vlan(3).vlan_of(0x88a8, 2).vlan_of(0x9100, 1).ethernet(),
            vec![Layer::Vlan(1), Layer::Vlan(2), Layer::Vlan(3)],
            false,
        ),
        (
            "mpls",
            1,
            v4().mpls(17, false).mpls(16, false).ethernet(),
            vec![Layer::Mpls(16), Layer::Mpls(17)],
            false,
        ),
        ("mpls v6", 1, v6().mpls(16, false).ethernet(), vec![Layer::Mpls(16)], true),
        ("pseudowire", 1, v4().ethernet().mpls(16, false).ethernet(), vec![Layer::Mpls(16)], false),
        (
            "pseudowire with control word",
            1,
            v4().vlan(4).ethernet().mpls(16, true).ethernet(),
            vec![Layer::Mpls(16), Layer::Vlan(4)],
            false,
        ),
        ("pppoe", 1, v4().pppoe(0x1234).ethernet(), vec![Layer::Pppoe(0x1234)], false),
        (
            "pppoe over qinq",
            1,
            v6().pppoe(1).vlan(7).vlan(6).ethernet(),
            vec![Layer::Vlan(6), Layer::Vlan(7), Layer::Pppoe(1)],
            true,
        ),
        ("ipip", 1, v4().ip_between(OUTER_V4).ethernet(), vec![Layer::IpInIp { outer: 4, inner: 4 }], false),
        ("6in4", 1, v6().ip_between(OUTER_V4).ethernet(), vec![Layer::IpInIp { outer: 4, inner: 6 }], true),
        ("4in6", 1, v4().ip_between(OUTER_V6).ethernet(), vec![Layer::IpInIp { outer: 6, inner: 4 }], false),
        ("6in6", 1, v6().ip_between(OUTER_V6).ethernet(), vec![Layer::IpInIp { outer: 6, inner: 6 }], true),
        ("mpls in ip", 1, v4().mpls(99, false).ip_between(OUTER_V4).ethernet(), vec![Layer::Mpls(99)], false),
        ("gre", 1, v4().gre(None, None, false).ip_between(OUTER_V4).ethernet(), vec![gre(None)], false),
        (
            "gre with all fields over ipv6",
            1,
            v6().gre(Some(7), Some(1), true).ip_between(OUTER_V6).ethernet(),
            vec![gre(Some(7))],
            true,
        ),
        (
            "bridged gre",
            1,
            v4().vlan(5).ethernet().gre(Some(9), None, false).ip_between(OUTER_V4).ethernet(),
            vec![gre(Some(9)), Layer::Vlan(5)],
            false,
        ),
        (
            "mpls in gre",
            1,
            v4().mpls(33, false).gre(None, None, false).ip_between(OUTER_V4).ethernet(),
            vec![gre(None), Layer::Mpls(33)],
            false,
        ),
        (
            "erspan 1",
            1,
            v4().ethernet().erspan(1, 0).ip_between(OUTER_V4).ethernet(),
            vec![erspan(1, None)],
            false,
        ),
        (
            "erspan 2",
            1,
            v6().ethernet().erspan(2, 100).ip_between(OUTER_V4).ethernet(),
            vec![erspan(2, Some(100))],
            true,
        ),
        (
            "erspan 3",
            1,
            v4().ethernet().erspan(3, 101).ip_between(OUTER_V6).ethernet(),
            vec![erspan(3, Some(101))],
            false,
        ),
        (
            "vxlan",
            1,
            v4().ethernet().vxlan(42).ip_between(OUTER_V4).ethernet(),
            vec![Layer::Vxlan(42)],
            false,
        ),
        ("geneve", 1, v6().geneve(0, &gwlb()).ip_between(OUTER_V4).ethernet(), vec![geneve(0)], true),
        (
            "bridged geneve",
            1,
            v4().ethernet().geneve(9, &gwlb()).ip_between(OUTER_V6).ethernet(),
            vec![geneve(9)],
            false,
        ),
        (
            "mirrored to a load balancer",
            1,
            v4().vlan(8)
                .ethernet()
                .vxlan(42)
                .ip_between(OUTER_V4)
                .geneve(0, &gwlb())
                .ip_between(OUTER_V4)
                .vlan(7)
                .ethernet(),
            vec![Layer::Vlan(7), geneve(0), Layer::Vxlan(42), Layer::Vlan(8)],
            false,
        ),
        (
            "extension headers",
            1,
            tcp_v6()
                .authentication()
                .extension(135, 1)
                .extension(60, 2)
                .extension(43, 3)
                .extension(0, 1)
                .ip()
                .ethernet(),
            vec![],
            true,
        ),
        ("authentication header in IPv4", 1, tcp().authentication().ip().ethernet(), vec![], false),
    ]
}

#[test]
fn unwraps_every_encapsulation() {
    for (name, link_type, packet, layers, is_v6) in cases() {
        let expected = if is_v6 { segment_v6() } else { segment() };
        assert_eq!(decode(link_type, &packet.bytes), (expected, layers), "{name}");
    }
}

#[test]
fn reads_every_prefix_as_cut() {
    for (name, link_type, packet, _, is_v6) in cases() {
        let whole = if is_v6 { segment_v6() } else { segment() };
        let bytes = packet.bytes;
        let mut has_payload = false;
        for end in 0..bytes.len() {
            // With the true length on the wire, as captures with a snap length have it.
            let (outcome, _) = decode_with(&mut decoder(), link_type, &bytes[..end], bytes.len());
            match outcome {
                Outcome::Failed(_, "truncated") if !has_payload => {}
                Outcome::Tcp { payload, wire, .. } => {
                    has_payload = true;
                    assert!(PAYLOAD.starts_with(&payload), "{name} {end}");
                    assert_eq!(wire as usize, PAYLOAD.len(), "{name} {end}");
                }
                outcome => panic!("{name} {end}: {outcome:?} and not {whole:?}"),
            }
            // Without it, as mirrors do that cut packets: never more than there is. Where the packet is in no tunnel it ends
            // with its frame, which is counted.
            let mut decoder = decoder();
            if let (Outcome::Tcp { payload, wire, .. }, _) =
                decode_with(&mut decoder, link_type, &bytes[..end], end)
            {
                let is_counted = decoder.counts().too_long().iter().any(|(_, count)| *count > 0);
                let expected = if is_counted { payload.len() } else { PAYLOAD.len() };
                assert!(PAYLOAD.starts_with(&payload) && wire as usize == expected, "{name} {end}");
            }
        }
        assert!(has_payload, "{name}");
    }
}

#[test]
fn survives_every_changed_byte() {
    for (_, link_type, packet, ..) in cases() {
        let mut decoder = Decoder::new(Limits { datagrams: 16, fragment_bytes: 1 << 16 });
        let mut bytes = packet.bytes;
        for at in 0..bytes.len() {
            let original = bytes[at];
            for value in 0..=255 {
                bytes[at] = value;
                decode_with(&mut decoder, link_type, &bytes, bytes.len());
            }
            bytes[at] = original;
        }
    }
}

#[test]
fn knows_what_a_mirror_cut() {
    let inner = tcp().ip().ethernet();
    let cut = inner.bytes.len() - 5;
    let mut mirrored = inner.clone();
    mirrored.bytes.truncate(cut);
    let frame = mirrored.vxlan(42).ip_between(OUTER_V4).ethernet();
    let expected = Outcome::Tcp {
        source: client(),
        destination: server(),
        payload: PAYLOAD[..PAYLOAD.len() - 5].to_vec(),
        wire: PAYLOAD.len() as u32,
    };
    assert_eq!(decode(1, &frame.bytes).0, expected);
}

/// A packet ends where its frame does, whatever its header says; short frames end with padding.
#[test]
fn believes_no_length_beyond_the_frame() {
    let of = |packet: Packet, at: usize, more: u8, wire: usize| {
        let mut bytes = packet.bytes;
        bytes[at] += more;
        let mut decoder = decoder();
        let (outcome, _) = decode_with(&mut decoder, 1, &bytes, bytes.len().max(wire));
        let plain = read_plain(1, &bytes, bytes.len().max(wire) as u32, &mut Encapsulation::default());
        let counts = decoder.counts();
        (outcome, plain.is_some(), (counts.too_long_v4, counts.too_long_v6))
    };
    for more in [1, 40] {
        assert_eq!(of(tcp().ip().ethernet(), 17, more, 0), (segment(), false, (1, 0)));
        assert_eq!(of(tcp().ip().vlan(7).ethernet(), 21, more, 0), (segment(), false, (1, 0)));
        assert_eq!(of(tcp_v6().ip().ethernet(), 19, more, 0), (segment_v6(), false, (0, 1)));
        // A capture that cut the frame says how long it was.
        let whole = tcp().ip().ethernet().bytes.len() + usize::from(more);
        let (outcome, is_plain, counts) = of(tcp().ip().ethernet(), 17, more, whole);
        assert!(
            matches!(outcome, Outcome::Tcp { wire, .. } if wire as usize == PAYLOAD.len() + usize::from(more))
        );
        assert!(is_plain && counts == (0, 0));
        let (outcome, _, counts) = of(tcp().ip().ethernet(), 17, more + 9, whole);
        assert!(
            matches!(outcome, Outcome::Tcp { wire, .. } if wire as usize == PAYLOAD.len() + usize::from(more))
        );
        assert_eq!(counts, (1, 0));
    }
    let bare = || Packet::tcp(client(), server(), 7, TcpFlags::SYN | TcpFlags::ACK, b"").ip().ethernet();
    for padding in [&[][..], &[0; 6], &[7; 10]] {
        let (outcome, _, counts) = of(bare().trailer(padding), 16, 16, 0);
        assert!(
            matches!(outcome, Outcome::Tcp { ref payload, wire: 0, .. } if payload.is_empty()),
            "{outcome:?}"
        );
        assert_eq!(counts, (1, 0));
    }
    // In a tunnel it is what the mirror cut, also where the frame itself was cut by a tap.
    let frame = tcp().ip().ethernet().vxlan(42).ip_between(OUTER_V4).ethernet();
    let (outcome, _, counts) = of(frame, 14 + 20 + 8 + 8 + 17, 40, 0);
    assert!(matches!(outcome, Outcome::Tcp { wire, .. } if wire as usize == PAYLOAD.len() + 40));
    assert_eq!(counts, (0, 0));
}

#[test]
fn takes_segments_whose_length_offload_left_out() {
    for (mut packet, at, expected) in
        [(tcp().ip().ethernet(), 16, segment()), (tcp_v6().ip().ethernet(), 18, segment_v6())]
    {
        (packet.bytes[at], packet.bytes[at + 1]) = (0, 0);
        assert_eq!(decode(1, &packet.bytes).0, expected);
    }
}

#[test]
fn stops_at_too_many_layers() {
    let stack = |depth: u16| (0..depth).fold(tcp().ip(), |packet, id| packet.vlan(id)).ethernet();
    assert_eq!(decode(1, &stack(8).bytes).0, segment());
    assert_eq!(decode(1, &stack(9).bytes).0, Outcome::Failed("encapsulation", "too_deep"));
    let headers =
        |depth: usize| (0..depth).fold(tcp_v6(), |packet, _| packet.extension(60, 1)).ip().ethernet();
    assert_eq!(decode(1, &headers(40).bytes).0, segment_v6());
    assert_eq!(decode(1, &headers(80).bytes).0, Outcome::Failed("encapsulation", "too_deep"));
}

#[test]
fn names_what_it_skips() {
    let ends = [client().ip(), server().ip()];
    let ends_v6 = [client_v6().ip(), server_v6().ip()];
    for (number, reason) in [
        (1, "icmp"),
        (2, "igmp"),
        (58, "icmp"),
        (132, "sctp"),
        (0, "ip_protocol_other"),
        (103, "ip_protocol_other"),
    ] {
        let packet = Packet::protocol(number, ends, &[0; 20]).ip().ethernet();
        assert_eq!(decode(1, &packet.bytes).0, Outcome::Skipped(reason), "{number}");
    }
    let nothing = Packet::protocol(59, ends_v6, &[]).ip().ethernet();
    assert_eq!(decode(1, &nothing.bytes).0, Outcome::Skipped("no_payload"));
    let esp = Packet::protocol(50, ends, &[0, 0, 0, 1]).ip().ethernet();
    assert_eq!(decode(1, &esp.bytes).0, Outcome::Esp);
    let udp = Packet::udp(server(), client(), b"answer").ip().ethernet();
    assert_eq!(decode(1, &udp.bytes).0, Outcome::Udp(b"answer".to_vec()));
    assert_eq!(decode(147, &udp.bytes).0, Outcome::Failed("link_type", "unsupported"));
}

#[test]
fn puts_fragments_together_inside_and_around_tunnels() {
    for (whole, layers, expected) in [
        (tcp().ip(), vec![], segment()),
        (tcp_v6().ip(), vec![], segment_v6()),
        (tcp().ip().ethernet().vxlan(42).ip_between(OUTER_V4), vec![Layer::Vxlan(42)], segment()),
        (tcp_v6().ip().gre(Some(1), None, false).ip_between(OUTER_V6), vec![gre(Some(1))], segment_v6()),
    ] {
        for in_tunnel in [false, true] {
            let mut decoder = decoder();
            let fragments = whole.fragments(77, 16);
            assert!(fragments.len() > 2);
            for (index, fragment) in fragments.iter().enumerate().rev() {
                let mut expected_layers = layers.clone();
                let frame = if in_tunnel {
                    expected_layers.insert(0, gre(None));
                    fragment.clone().gre(None, None, false).ip_between(OUTER_V4).ethernet()
                } else {
                    fragment.clone().ethernet()
                };
                let (outcome, found) = decode_with(&mut decoder, 1, &frame.bytes, frame.bytes.len());
                if index > 0 {
                    assert_eq!(outcome, Outcome::Held);
                } else {
                    assert_eq!((outcome, found), (expected.clone(), expected_layers));
                }
            }
            assert_eq!(decoder.counts(), Counts { reassembled: 1, ..Counts::default() });
        }
    }
}

#[test]
fn puts_fragments_of_fragments_together() {
    // Fragments, each in a tunnel whose packets are fragmented again.
    let mut decoder = decoder();
    let mut outcomes = Vec::new();
    for (index, inner) in tcp().ip().fragments(5, 24).into_iter().enumerate() {
        let tunnel = inner.gre(None, None, false).ip_between(OUTER_V4);
        for outer in tunnel.fragments(100 + index as u32, 24) {
            let frame = outer.ethernet();
            outcomes.push(decode_with(&mut decoder, 1, &frame.bytes, frame.bytes.len()).0);
        }
    }
    assert_eq!(outcomes.pop(), Some(segment()));
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Held));
    assert_eq!(decoder.counts().reassembled, 3);
}

#[test]
fn goes_over_fragment_headers_that_split_nothing() {
    let mut packet = tcp_v6().ip().fragments(1, 1_024).remove(0);
    assert_eq!(decode(1, &packet.clone().ethernet().bytes).0, segment_v6());
    packet.bytes.truncate(45);
    assert_eq!(decode(1, &packet.ethernet().bytes).0, Outcome::Failed("ipv6", "truncated"));
}

#[test]
fn refuses_fragments_that_disagree_or_were_cut() {
    for whole in [tcp().ip(), tcp_v6().ip()] {
        let layer = if whole.bytes[0] >> 4 == 4 { "ipv4" } else { "ipv6" };
        let mut decoder = decoder();
        let fragments: Vec<Vec<u8>> =
            whole.fragments(9, 16).into_iter().map(|fragment| fragment.ethernet().bytes).collect();
        let mut decode = |bytes: &[u8], wire| decode_with(&mut decoder, 1, bytes, wire).0;
        assert_eq!(decode(&fragments[0], 0), Outcome::Held);
        let mut other = fragments[0].clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&other, 0), Outcome::Failed(layer, "fragment_overlap"));
        assert_eq!(decode(&fragments[1], 0), Outcome::Failed(layer, "fragment_overlap"));
        let cut = &fragments[2][..fragments[2].len() - 1];
        assert_eq!(decode(cut, fragments[2].len()), Outcome::Failed(layer, "fragment_truncated"));
    }
}

/// One step of a random stack, and whether what is there allows it.
#[derive(Clone, Copy, Debug)]
enum Wrap {
    Vlan(u16),
    Mpls(u32),
    Pppoe(u16),
    Ipip,
    Gre(Option<u32>, bool, bool),
    GreEthernet,
    Erspan(u8, u16),
    Vxlan(u32),
    Geneve(u32, bool),
}

fn wrap() -> impl Strategy<Value = Wrap> {
    prop_oneof![
        (0..4_096_u16).prop_map(Wrap::Vlan),
        (16..1_u32 << 20).prop_map(Wrap::Mpls),
        any::<u16>().prop_map(Wrap::Pppoe),
        Just(Wrap::Ipip),
        (any::<Option<u32>>(), any::<bool>(), any::<bool>()).prop_map(|(key, a, b)| Wrap::Gre(key, a, b)),
        Just(Wrap::GreEthernet),
        (1..4_u8, 0..1_024_u16).prop_map(|(version, session)| Wrap::Erspan(version, session)),
        (0..1_u32 << 24).prop_map(Wrap::Vxlan),
        (0..1_u32 << 24, any::<bool>()).prop_map(|(vni, is_bridged)| Wrap::Geneve(vni, is_bridged)),
    ]
}

/// What a stack in the making begins with, as far as it limits what may come next.
#[derive(Clone, Copy, PartialEq)]
enum Top {
    Ip,
    Mpls,
    Tag,
}

fn build(is_v6: bool, wraps: &[Wrap]) -> (Packet, Vec<Layer>) {
    let mut packet = if is_v6 { tcp_v6().ip() } else { tcp().ip() };
    let (mut layers, mut top, mut version) = (Vec::new(), Top::Ip, if is_v6 { 6 } else { 4 });
    for &wrap in wraps {
        let outer = if packet.bytes.len() % 2 == 0 { OUTER_V4 } else { OUTER_V6 };
        let outer_version = if outer == OUTER_V4 { 4 } else { 6 };
        let (next, next_top, layer) = match wrap {
            Wrap::Vlan(id) => (packet.vlan(id), Top::Tag, Layer::Vlan(id)),
            Wrap::Mpls(label) if top != Top::Tag => {
                (packet.mpls(label, false), Top::Mpls, Layer::Mpls(label))
            }
            Wrap::Pppoe(id) if top != Top::Tag => (packet.pppoe(id), Top::Tag, Layer::Pppoe(id)),
            Wrap::Ipip if top == Top::Ip => {
                let layer = Layer::IpInIp { outer: outer_version, inner: version };
                (packet.ip_between(outer), Top::Ip, layer)
            }
            Wrap::Gre(key, has_sequence, has_checksum) => (
                packet.gre(key, has_sequence.then_some(3), has_checksum).ip_between(outer),
                Top::Ip,
                gre(key),
            ),
            Wrap::GreEthernet => {
                (packet.ethernet().gre(None, None, false).ip_between(outer), Top::Ip, gre(None))
            }
            Wrap::Erspan(kind, id) => {
                let session = (kind > 1).then_some(id);
                let layer = Layer::Erspan { version: kind, session };
                (packet.ethernet().erspan(kind, id).ip_between(outer), Top::Ip, layer)
            }
            Wrap::Vxlan(vni) => (packet.ethernet().vxlan(vni).ip_between(outer), Top::Ip, Layer::Vxlan(vni)),
            Wrap::Geneve(vni, is_bridged) => {
                let inside = if is_bridged || top == Top::Tag { packet.ethernet() } else { packet };
                (inside.geneve(vni, &gwlb()).ip_between(outer), Top::Ip, geneve(vni))
            }
            _ => continue,
        };
        if next_top == Top::Ip {
            version = outer_version;
        }
        (packet, top) = (next, next_top);
        layers.insert(0, layer);
    }
    (packet.ethernet(), layers)
}

proptest! {
    #[test]
    fn finds_every_stack_as_built(is_v6: bool, wraps in proptest::collection::vec(wrap(), 0..=8)) {
        let (packet, layers) = build(is_v6, &wraps);
        let expected = if is_v6 { segment_v6() } else { segment() };
        prop_assert_eq!(decode(1, &packet.bytes), (expected, layers));
    }

    #[test]
    fn survives_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_frame(&bytes);
    }

    #[test]
    fn survives_damage_to_any_stack(
        is_v6: bool,
        wraps in proptest::collection::vec(wrap(), 0..=8),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (mut packet, _) = build(is_v6, &wraps);
        for (at, value) in damage {
            let at = at.index(packet.bytes.len());
            packet.bytes[at] = value;
        }
        decode(1, &packet.bytes);
        for end in 0..packet.bytes.len() {
            decode(1, &packet.bytes[..end]);
        }
    }

    /// Where etherparse can follow, it must see the same.
    #[test]
    fn agrees_with_etherparse(
        is_v6: bool,
        tags in proptest::collection::vec(0..4_096_u16, 0..=3),
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let packet = if is_v6 { tcp_v6().extension(60, 1).ip() } else { tcp().ip() };
        let mut bytes = tags.iter().fold(packet, |packet, &id| packet.vlan(id)).ethernet().trailer(&[0; 6]).bytes;
        if let Some((at, value)) = damage {
            // Behind the EtherTypes: what they announce is another matter.
            let headers = 14 + tags.len() * 4;
            let at = headers + at.index(bytes.len() - headers);
            bytes[at] = value;
        }
        let wire_bytes = bytes.len();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // As a capture of a shorter snap length: else its bytes may be the padding of a short frame.
        let decode = |bytes: &[u8]| decode_with(&mut decoder(), 1, bytes, wire_bytes).0;
        let outcome = decode(&bytes);
        let lax = etherparse::LaxSlicedPacket::from_ethernet(&bytes);
        let theirs = lax.as_ref().ok().and_then(|packet| match (&packet.net, &packet.transport) {
            (Some(net), Some(etherparse::TransportSlice::Tcp(tcp))) => {
                let ends = match net {
                    etherparse::LaxNetSlice::Ipv4(ip) => [IpAddr::from(ip.header().source_addr()), ip.header().destination_addr().into()],
                    etherparse::LaxNetSlice::Ipv6(ip) => [IpAddr::from(ip.header().source_addr()), ip.header().destination_addr().into()],
                    _ => return None,
                };
                Some((SocketAddr::new(ends[0], tcp.source_port()), SocketAddr::new(ends[1], tcp.destination_port()), tcp.payload().to_vec()))
            }
            _ => None,
        });
        let ours = match outcome {
            Outcome::Tcp { source, destination, payload, .. } => Some((source, destination, payload)),
            _ => None,
        };
        // etherparse does not walk through mobility, HIP and shim6 headers, which IANA lists as extension headers.
        let is_known_to_both = !(is_v6 && damage.is_some_and(|(_, value)| matches!(value, 135 | 139 | 140)));
        // We refuse lengths shorter than the header, which etherparse's lax reading passes over.
        if is_known_to_both && !(ours.is_none() && matches!(decode(&bytes), Outcome::Failed(_, "bad_length"))) {
            prop_assert_eq!(ours, theirs);
        }
    }
}
