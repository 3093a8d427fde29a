//! Frame → TCP segment or UDP datagram, through whatever it is wrapped in.
//!
//! Input: the bytes of one frame, its link type, its time. Output: [`Decoded`] with the layers that
//! were unwrapped, or a [`Skip`] or [`DecodeError`] that says why there is nothing to look at.
//!
//! It walks one header after the other in a loop that ends after a fixed number of steps, and keeps
//! nothing between frames but incomplete fragments, within [`Limits`]. It never verifies checksums
//! (captures of the sending host have none yet), never looks at a payload, opens nothing and reads no
//! clock.

mod decoder;
mod error;
mod erspan;
mod ether_type;
mod ethernet;
mod fragment;
mod geneve;
mod gre;
mod gtp;
mod ip;
mod ipv4;
mod ipv6;
mod link;
mod linux_cooked;
mod mpls;
mod plain;
mod ppp;
mod tcp;
mod udp;
mod view;
mod vlan;
mod vxlan;

#[cfg(test)]
#[path = "../../tests/support/frames.rs"]
pub(crate) mod frames;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

pub use decoder::{Counts, Decoder, Limits, fuzz_frame};
pub use error::{DecodeError, Fault, Header};
pub use link::{LinkAddresses, cooked_interface, link_addresses};
pub use plain::{is_idle_datagram, read as read_plain};

/// What a frame held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram that is no tunnel known here.
    Udp(Datagram<'a>),
    /// An encrypted packet of IPsec: ESP [RFC 4303], also inside UDP [RFC 3948].
    Esp {
        /// Who sent it.
        source: IpAddr,
        /// Whom it was sent to.
        destination: IpAddr,
    },
    /// A fragment, kept until the rest of its packet comes.
    Held,
    /// Nothing that could carry TCP or DNS.
    Skipped(Skip),
}

/// Why a well-formed frame is not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// ARP or RARP.
    Arp,
    /// ICMP or ICMPv6.
    Icmp,
    /// IGMP.
    Igmp,
    /// IKE, on UDP 500 or behind the zero marker on UDP 4500 [RFC 3948 section 2.2].
    Ike,
    /// An IP protocol that carries neither TCP nor UDP nor a tunnel known here.
    IpProtocolOther,
    /// LLDP.
    Lldp,
    /// MACsec [IEEE 802.1AE].
    Macsec,
    /// The keep-alive byte of IPsec behind NAT [RFC 3948 section 2.3].
    NatKeepalive,
    /// Headers with nothing behind them: IPv6 "no next header", GRE keep-alive or acknowledgment.
    NoPayload,
    /// A network protocol other than IP.
    NotIp,
    /// LCP, IPCP and the other control protocols of PPP.
    PppControl,
    /// PPPoE before there is a session.
    PppoeDiscovery,
    /// The control channel of an MPLS pseudowire [RFC 4385 section 5].
    PseudowireControl,
    /// SCTP.
    Sctp,
    /// Spanning tree.
    Stp,
}

impl Skip {
    /// Every value, for documentation and tests.
    pub const ALL: [Self; 15] = [
        Self::Arp,
        Self::Icmp,
        Self::Igmp,
        Self::Ike,
        Self::IpProtocolOther,
        Self::Lldp,
        Self::Macsec,
        Self::NatKeepalive,
        Self::NoPayload,
        Self::NotIp,
        Self::PppControl,
        Self::PppoeDiscovery,
        Self::PseudowireControl,
        Self::Sctp,
        Self::Stp,
    ];

    /// The metric label.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Icmp => "icmp",
            Self::Igmp => "igmp",
            Self::Ike => "ike",
            Self::IpProtocolOther => "ip_protocol_other",
            Self::Lldp => "lldp",
            Self::Macsec => "macsec",
            Self::NatKeepalive => "nat_keepalive",
            Self::NoPayload => "no_payload",
            Self::NotIp => "not_ip",
            Self::PppControl => "ppp_control",
            Self::PppoeDiscovery => "pppoe_discovery",
            Self::PseudowireControl => "pseudowire_control",
            Self::Sctp => "sctp",
            Self::Stp => "stp",
        }
    }
}

/// One UDP datagram, borrowed from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it, by the innermost IP header.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// All of it was.
    pub is_whole: bool,
}

/// TCP flags as on the wire (low byte of the flags field) [RFC 9293 section 3.1].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender says nothing more.
    pub const FIN: u8 = 0x01;
    /// The sequence number is the initial one.
    pub const SYN: u8 = 0x02;
    /// The connection is over, or was never one.
    pub const RST: u8 = 0x04;
    /// The data is to be handed on at once.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment number counts.
    pub const ACK: u8 = 0x10;

    /// True where all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// One TCP segment, borrowed from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it, by the innermost IP header.
    pub source: SocketAddr,
    /// Whom it was sent to, in the end.
    pub destination: SocketAddr,
    /// Number of its first byte; of SYN, where that is set.
    pub sequence: u32,
    /// Number of the next byte that its sender expects, where [`TcpFlags::ACK`] is set.
    pub acknowledgment: u32,
    /// What it is besides data.
    pub flags: TcpFlags,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire; more than `payload.len()` where the capture cut the packet.
    pub payload_wire_bytes: u32,
    /// By how many bytes the packet says that it is longer than it was on the wire: of one that a tap sliced they were sent,
    /// of one that is wrong they never were.
    pub excess_bytes: u32,
}
