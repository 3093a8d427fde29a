//! Frames for tests, built from the inside out: `Packet::tcp(…).ip().vlan(7).ethernet()`.
//!
//! Every step knows what it wraps, so EtherTypes, protocol numbers and lengths come out right.
//! Plain code: both the unit tests and the tests from the outside include it.
#![allow(dead_code, reason = "each of the including tests needs another part")]

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
};

/// Addresses of the outer headers of tunnels.
pub const OUTER_V4: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2))];
pub const OUTER_V6: [IpAddr; 2] = [
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
];

/// MAC addresses of every Ethernet header.
pub const SOURCE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
pub const DESTINATION_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

/// A packet under construction: its bytes, and what they begin with.
#[derive(Clone, Debug)]
pub struct Packet {
    pub bytes: Vec<u8>,
    kind: Kind,
    ends: [IpAddr; 2],
}

/// What the bytes begin with, in the two ways headers announce it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// By IP protocol number.
    Protocol(u8),
    /// By EtherType.
    EtherType(u16),
}

const ETHERNET: Kind = Kind::EtherType(0x6558);
const IPV4: Kind = Kind::EtherType(0x0800);
const IPV6: Kind = Kind::EtherType(0x86dd);
const PPP: Kind = Kind::EtherType(0x880b);

impl Packet {
    /// A TCP segment. `flags` as on the wire.
    pub fn tcp(
        source: SocketAddr,
        destination: SocketAddr,
        sequence: u32,
        flags: u8,
        payload: &[u8],
    ) -> Self {
        let mut header = TcpHeader::new(source.port(), destination.port(), sequence, 64_000);
        header.acknowledgment_number = if flags & 0x10 != 0 { 1 } else { 0 };
        (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        (header.psh, header.ack) = (flags & 8 != 0, flags & 16 != 0);
        let bytes = [&header.to_bytes()[..], payload].concat();
        Self { bytes, kind: Kind::Protocol(6), ends: [source.ip(), destination.ip()] }
    }

    /// A UDP datagram.
    pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Self {
        let bytes = payload.to_vec();
        let ends = [source.ip(), destination.ip()];
        Self { bytes, kind: Kind::Protocol(0), ends }.in_udp(source.port(), destination.port())
    }

    /// Any bytes of an IP protocol.
    pub fn protocol(number: u8, ends: [IpAddr; 2], bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), kind: Kind::Protocol(number), ends }
    }

    fn wrap(mut self, header: &[u8], kind: Kind) -> Self {
        self.bytes.splice(0..0, header.iter().copied());
        self.kind = kind;
        self
    }

    fn ether_type(&self) -> u16 {
        match self.kind {
            Kind::EtherType(number) => number,
            Kind::Protocol(number) => panic!("IP protocol {number} needs an IP header around it"),
        }
    }

    fn ip_protocol(&self) -> u8 {
        match self.kind {
            Kind::Protocol(number) => number,
            IPV4 => 4,
            IPV6 => 41,
            Kind::EtherType(0x8847) => 137,
            Kind::EtherType(number) => panic!("EtherType {number:04x} has no IP protocol number"),
        }
    }

    /// An IP header with the addresses given at the start.
    pub fn ip(self) -> Self {
        let ends = self.ends;
        self.ip_between(ends)
    }

    /// An IP header between any two addresses of one version.
    pub fn ip_between(self, ends: [IpAddr; 2]) -> Self {
        let protocol = self.ip_protocol();
        match ends {
            [IpAddr::V4(source), IpAddr::V4(destination)] => {
                let length = self.bytes.len() as u16;
                let mut header =
                    Ipv4Header::new(length, 64, IpNumber(protocol), source.octets(), destination.octets())
                        .unwrap();
                header.header_checksum = header.calc_header_checksum();
                self.wrap(&header.to_bytes(), IPV4)
            }
            [IpAddr::V6(source), IpAddr::V6(destination)] => {
                let header = Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: self.bytes.len() as u16,
                    next_header: IpNumber(protocol),
                    hop_limit: 64,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                self.wrap(&header.to_bytes(), IPV6)
            }
            _ => panic!("addresses of two versions"),
        }
    }

    /// An IPv6 extension header of `units` times eight bytes: 0 hop-by-hop, 43 routing, 60
    /// destination options, 135 mobility.
    pub fn extension(self, number: u8, units: u8) -> Self {
        let mut header = vec![0; usize::from(units) * 8];
        (header[0], header[1]) = (self.ip_protocol(), units - 1);
        self.wrap(&header, Kind::Protocol(number))
    }

    /// An authentication header.
    pub fn authentication(self) -> Self {
        let mut header = [0; 24];
        (header[0], header[1]) = (self.ip_protocol(), 4);
        self.wrap(&header, Kind::Protocol(51))
    }

    /// The fragments of an IP packet without options, each with up to `payload_bytes` (a multiple of
    /// eight) of its payload, in order.
    pub fn fragments(&self, identification: u32, payload_bytes: usize) -> Vec<Self> {
        let header_bytes = if self.kind == IPV4 { 20 } else { 40 };
        let (header, payload) = self.bytes.split_at(header_bytes);
        let last = payload.len().div_ceil(payload_bytes) - 1;
        let fragment = |(index, part): (usize, &[u8])| {
            let offset = (index * payload_bytes) as u16;
            let has_more = u16::from(index < last);
            let mut bytes = header.to_vec();
            if self.kind == IPV4 {
                bytes[2..4].copy_from_slice(&((part.len() + 20) as u16).to_be_bytes());
                bytes[4..6].copy_from_slice(&(identification as u16).to_be_bytes());
                bytes[6..8].copy_from_slice(&((offset / 8) | (has_more << 13)).to_be_bytes());
            } else {
                bytes[4..6].copy_from_slice(&((part.len() + 8) as u16).to_be_bytes());
                bytes.extend([bytes[6], 0]);
                bytes[6] = 44;
                bytes.extend((offset | has_more).to_be_bytes());
                bytes.extend(identification.to_be_bytes());
            }
            bytes.extend_from_slice(part);
            Self { bytes, kind: self.kind, ends: self.ends }
        };
        payload.chunks(payload_bytes).enumerate().map(fragment).collect()
    }

    /// An Ethernet II header.
    pub fn ethernet(self) -> Self {
        let ether_type = EtherType(self.ether_type());
        let header = Ethernet2Header { destination: DESTINATION_MAC, source: SOURCE_MAC, ether_type };
        self.wrap(&header.to_bytes(), ETHERNET)
    }

    /// An 802.3 header with LLC and SNAP.
    pub fn ethernet_snap(self) -> Self {
        let length = (self.bytes.len() + 8) as u16;
        let mut header =
            [&DESTINATION_MAC[..], &SOURCE_MAC, &length.to_be_bytes(), &[0xaa, 0xaa, 3, 0, 0, 0]].concat();
        header.extend(self.ether_type().to_be_bytes());
        self.wrap(&header, ETHERNET)
    }

    /// An 802.1Q tag.
    pub fn vlan(self, id: u16) -> Self {
        self.vlan_of(0x8100, id)
    }

    /// A VLAN tag of any EtherType.
    pub fn vlan_of(self, tag: u16, id: u16) -> Self {
        let header = [id.to_be_bytes(), self.ether_type().to_be_bytes()].concat();
        self.wrap(&header, Kind::EtherType(tag))
    }

    /// An MPLS label; with a control word between if this wraps Ethernet and `has_control_word`.
    pub fn mpls(self, label: u32, has_control_word: bool) -> Self {
        let is_bottom = self.kind != Kind::EtherType(0x8847);
        let mut header = (label << 12 | u32::from(is_bottom) << 8 | 64).to_be_bytes().to_vec();
        if has_control_word {
            header.extend([0; 4]);
        }
        self.wrap(&header, Kind::EtherType(0x8847))
    }

    /// PPP, with the address and control fields of HDLC or without.
    pub fn ppp(self, has_hdlc: bool) -> Self {
        let protocol: u16 = match self.kind {
            IPV4 => 0x0021,
            IPV6 => 0x0057,
            Kind::EtherType(0x8847) => 0x0281,
            kind => panic!("no PPP protocol for {kind:?}"),
        };
        let header = protocol.to_be_bytes();
        self.wrap(if has_hdlc { &[0xff, 0x03] } else { &[] }, PPP)
            .insert(if has_hdlc { 2 } else { 0 }, &header)
    }

    fn insert(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes.splice(at..at, bytes.iter().copied());
        self
    }

    /// PPP in a PPPoE session.
    pub fn pppoe(self, session: u16) -> Self {
        let inside = self.ppp(false);
        let length = inside.bytes.len() as u16;
        let header = [&[0x11, 0][..], &session.to_be_bytes(), &length.to_be_bytes()].concat();
        inside.wrap(&header, Kind::EtherType(0x8864))
    }

    /// A GRE header, still without IP.
    pub fn gre(self, key: Option<u32>, sequence: Option<u32>, has_checksum: bool) -> Self {
        let protocol = self.ether_type();
        self.gre_of(protocol, key, sequence, has_checksum)
    }

    fn gre_of(self, protocol: u16, key: Option<u32>, sequence: Option<u32>, has_checksum: bool) -> Self {
        let flags = u16::from(has_checksum) << 15
            | u16::from(key.is_some()) << 13
            | u16::from(sequence.is_some()) << 12;
        let mut header = [flags.to_be_bytes(), protocol.to_be_bytes()].concat();
        if has_checksum {
            header.extend([0; 4]);
        }
        header.extend(key.into_iter().chain(sequence).flat_map(u32::to_be_bytes));
        self.wrap(&header, Kind::Protocol(47))
    }

    /// ERSPAN of type 1, 2 or 3 in GRE, around an Ethernet frame, still without IP.
    pub fn erspan(self, version: u8, session: u16) -> Self {
        assert_eq!(self.kind, ETHERNET);
        let [s0, s1] = session.to_be_bytes();
        match version {
            1 => self.gre_of(0x88be, None, None, false),
            2 => self.wrap(&[0x10, 0, s0, s1, 0, 0, 0, 0], ETHERNET).gre_of(0x88be, None, Some(1), false),
            _ => self.wrap(&[0x20, 0, s0, s1, 0, 0, 0, 0, 0, 0, 0, 0], ETHERNET).gre_of(
                0x22eb,
                None,
                Some(1),
                false,
            ),
        }
    }

    /// A UDP header, still without IP.
    pub fn in_udp(self, source: u16, destination: u16) -> Self {
        let length = (self.bytes.len() + 8) as u16;
        let header = UdpHeader { source_port: source, destination_port: destination, length, checksum: 0 };
        self.wrap(&header.to_bytes(), Kind::Protocol(17))
    }

    /// VXLAN in UDP around an Ethernet frame, still without IP.
    pub fn vxlan(self, vni: u32) -> Self {
        assert_eq!(self.kind, ETHERNET);
        let [_, v0, v1, v2] = vni.to_be_bytes();
        self.wrap(&[8, 0, 0, 0, v0, v1, v2, 0], ETHERNET).in_udp(50_000, 4_789)
    }

    /// GENEVE in UDP with options as on the wire, still without IP.
    pub fn geneve(self, vni: u32, options: &[u8]) -> Self {
        let [_, v0, v1, v2] = vni.to_be_bytes();
        let mut header = vec![(options.len() / 4) as u8, 0];
        header.extend(self.ether_type().to_be_bytes());
        header.extend([v0, v1, v2, 0]);
        header.extend_from_slice(options);
        self.wrap(&header, ETHERNET).in_udp(50_000, 6_081)
    }

    /// The header of LINKTYPE_NULL (0) and LINKTYPE_LOOP (108).
    pub fn null(self, family: [u8; 4]) -> Self {
        self.wrap(&family, ETHERNET)
    }

    /// The header of LINKTYPE_LINUX_SLL (113).
    pub fn linux_cooked(self) -> Self {
        let mut header = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        header.extend(self.ether_type().to_be_bytes());
        self.wrap(&header, ETHERNET)
    }

    /// The header of LINKTYPE_LINUX_SLL2 (276).
    pub fn linux_cooked_v2(self) -> Self {
        let mut header = self.ether_type().to_be_bytes().to_vec();
        header.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
        self.wrap(&header, ETHERNET)
    }

    /// Bytes behind the packet: padding, a trailer, a frame check sequence.
    pub fn trailer(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// The options of the AWS Gateway Load Balancer: endpoint, attachment, flow cookie.
pub fn load_balancer_options(endpoint_id: u64, attachment_id: u64) -> Vec<u8> {
    let mut options = vec![1, 8, 1, 2];
    options.extend(endpoint_id.to_be_bytes());
    options.extend([1, 8, 2, 2]);
    options.extend(attachment_id.to_be_bytes());
    options.extend([1, 8, 3, 1, 1, 2, 3, 4]);
    options
}
