//! What IPv4 and IPv6 have in common, and what their protocol numbers announce.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use etherparse::{IpAuthHeaderSlice, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice};

use super::decoder::{Next, push};
use super::error::{DecodeError, Fault, Header};
use super::view::View;
use super::{Decoded, Skip, gre, udp};
use crate::model::{Encapsulation, Layer};

/// The IP protocol number of TCP, which the decoder's loop reads itself.
pub(super) const TCP: u8 = 6;

/// That of UDP.
pub(super) const UDP: u8 = 17;

/// IP protocol numbers [IANA, Assigned Internet Protocol Numbers].
mod protocol {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const IPV4: u8 = 4;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AUTHENTICATION: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT_HEADER: u8 = 59;
    pub const DESTINATION_OPTIONS: u8 = 60;
    pub const SCTP: u8 = 132;
    pub const MOBILITY: u8 = 135;
    pub const MPLS: u8 = 137;
    pub const HOST_IDENTITY: u8 = 139;
    pub const SHIM6: u8 = 140;
}

/// Types of routing headers [IANA, IPv6 Parameters] that name where the packet goes in the end.
mod routing {
    pub const SOURCE_ROUTE: u8 = 0;
    pub const MOBILITY: u8 = 2;
    pub const SEGMENTS: u8 = 4;
}

/// The addresses of an IP header; both of the same version. The destination is that in the end, wherever the
/// packet was still to pass by: the one that the peer answers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub source: IpAddr,
    pub destination: IpAddr,
}

impl Ends {
    #[inline]
    pub fn with_ports(self, source: u16, destination: u16) -> (SocketAddr, SocketAddr) {
        (SocketAddr::new(self.source, source), SocketAddr::new(self.destination, destination))
    }

    const fn version(self) -> u8 {
        if self.source.is_ipv4() { 4 } else { 6 }
    }
}

/// Which piece of a packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub identification: u32,
    /// What the piece at offset 0 begins with.
    pub protocol: u8,
    pub offset_bytes: u32,
    pub has_more: bool,
}

/// What is behind an IP header.
#[derive(Debug)]
pub(super) enum Upper<'a> {
    Done(Decoded<'a>),
    Next(Next),
    Fragment(Fragment),
}

/// Which version of IP begins here, by its first half byte.
pub(super) fn version(view: &View<'_>) -> Result<Next, DecodeError> {
    match view.first() {
        Some(first) if first >> 4 == 4 => Ok(Next::Ipv4),
        Some(first) if first >> 4 == 6 => Ok(Next::Ipv6),
        Some(_) => Err(DecodeError::new(Header::Ipv4, Fault::BadVersion)),
        None => Err(DecodeError::truncated(Header::Ipv4)),
    }
}

/// Reads what protocol `number` announces, TCP apart. A routing header changes `ends`.
#[inline]
pub(super) fn upper<'a>(
    number: u8,
    ends: &mut Ends,
    view: &mut View<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Upper<'a>, DecodeError> {
    match number {
        UDP => udp::read(*ends, view, encapsulation),
        _ => upper_other(number, ends, view, encapsulation),
    }
}

#[inline(never)]
fn upper_other<'a>(
    number: u8,
    ends: &mut Ends,
    view: &mut View<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Upper<'a>, DecodeError> {
    let is_v6 = ends.version() == 6;
    let next = match number {
        protocol::IPV4 => {
            push(encapsulation, Layer::IpInIp { outer: ends.version(), inner: 4 })?;
            Next::Ipv4
        }
        protocol::IPV6 => {
            push(encapsulation, Layer::IpInIp { outer: ends.version(), inner: 6 })?;
            Next::Ipv6
        }
        protocol::GRE => gre::read(view, encapsulation)?,
        protocol::ESP => {
            return Ok(Upper::Done(Decoded::Esp { source: ends.source, destination: ends.destination }));
        }
        protocol::AUTHENTICATION => authentication(is_v6, view)?,
        protocol::MPLS => Next::Mpls,
        protocol::FRAGMENT if is_v6 => return fragment(view),
        protocol::ROUTING if is_v6 => {
            if let Some(destination) = destination_in_the_end(view.bytes) {
                ends.destination = destination;
            }
            extension(view)?
        }
        protocol::HOP_BY_HOP
        | protocol::DESTINATION_OPTIONS
        | protocol::MOBILITY
        | protocol::HOST_IDENTITY
        | protocol::SHIM6
            if is_v6 =>
        {
            extension(view)?
        }
        protocol::NO_NEXT_HEADER if is_v6 => Next::Skip(Skip::NoPayload),
        protocol::ICMP | protocol::ICMPV6 => Next::Skip(Skip::Icmp),
        protocol::IGMP => Next::Skip(Skip::Igmp),
        protocol::SCTP => Next::Skip(Skip::Sctp),
        _ => Next::Skip(Skip::IpProtocolOther),
    };
    Ok(Upper::Next(next))
}

/// An extension header of the common form [RFC 8200 section 4, RFC 6564].
fn extension(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(view.bytes) else {
        return Err(DecodeError::truncated(Header::Ipv6));
    };
    let next = Next::Protocol(header.next_header().0);
    view.advance(header.slice().len(), Header::Ipv6)?;
    Ok(next)
}

/// The address a routing header leads to [RFC 8200 section 4.4, RFC 8754, RFC 6275]; `None` where the packet is
/// on its last way already, or the header of a form that is not read.
fn destination_in_the_end(bytes: &[u8]) -> Option<IpAddr> {
    let header = Ipv6RawExtHeaderSlice::from_slice(bytes).ok()?.slice();
    let (&[_, _, kind, segments_left, ..], addresses) = header.split_first_chunk::<8>()?;
    let address: &[u8; 16] = match kind {
        _ if segments_left == 0 => return None,
        routing::SOURCE_ROUTE => addresses.last_chunk()?,
        // Segments are listed from the last one on.
        routing::MOBILITY | routing::SEGMENTS => addresses.first_chunk()?,
        _ => return None,
    };
    Some(Ipv6Addr::from(*address).into())
}

/// The authentication header [RFC 4302]: it signs and does not hide what follows.
fn authentication(is_v6: bool, view: &mut View<'_>) -> Result<Next, DecodeError> {
    use etherparse::err::ip_auth::HeaderSliceError;
    let layer = if is_v6 { Header::Ipv6 } else { Header::Ipv4 };
    let header = IpAuthHeaderSlice::from_slice(view.bytes).map_err(|error| match error {
        HeaderSliceError::Len(_) => DecodeError::truncated(layer),
        HeaderSliceError::Content(_) => DecodeError::new(layer, Fault::BadHeaderLength),
    })?;
    let next = Next::Protocol(header.next_header().0);
    view.advance(header.slice().len(), layer)?;
    Ok(next)
}

/// The fragment header [RFC 8200 section 4.5]. One that splits nothing is just gone over [RFC 6946].
fn fragment<'a>(view: &mut View<'_>) -> Result<Upper<'a>, DecodeError> {
    let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(view.bytes) else {
        return Err(DecodeError::truncated(Header::Ipv6));
    };
    let protocol = header.next_header().0;
    let fragment = Fragment {
        identification: header.identification(),
        protocol,
        offset_bytes: u32::from(header.fragment_offset().value()) * 8,
        has_more: header.more_fragments(),
    };
    let is_fragmenting = header.is_fragmenting_payload();
    view.advance(header.slice().len(), Header::Ipv6)?;
    Ok(if is_fragmenting { Upper::Fragment(fragment) } else { Upper::Next(Next::Protocol(protocol)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_a_routing_header_leads() {
        let [near, far] = [[1; 16], [2; 16]];
        let header = |kind: u8, left: u8, addresses: &[[u8; 16]]| {
            let mut header = vec![6, 2 * addresses.len() as u8, kind, left, 0, 0, 0, 0];
            header.extend(addresses.concat());
            header
        };
        let found = |bytes: &[u8]| destination_in_the_end(bytes);
        let expected = Some(IpAddr::V6(Ipv6Addr::from(far)));
        assert_eq!(found(&header(routing::SOURCE_ROUTE, 2, &[near, near, far])), expected);
        assert_eq!(found(&header(routing::SEGMENTS, 1, &[far, near])), expected);
        assert_eq!(found(&header(routing::MOBILITY, 1, &[far])), expected);
        assert_eq!(found(&header(routing::SEGMENTS, 0, &[far, near])), None);
        assert_eq!(found(&header(3, 1, &[far])), None);
        assert_eq!(found(&header(routing::SEGMENTS, 1, &[])), None);
        assert_eq!(found(&header(routing::SEGMENTS, 1, &[far])[..20]), None);
    }
}
