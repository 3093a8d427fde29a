//! The short way of nearly every packet: TCP or UDP in IPv4 or IPv6 right behind Ethernet, with at most one VLAN
//! tag, without IP options, extension headers or fragments.
//!
//! It answers only where the general way would say the same; all else, every error included, is left to
//! that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ethernet::HEADER_BYTES as ETHERNET_BYTES;
use super::ipv6::HEADER_BYTES as IPV6_BYTES;
use super::tcp::SHORTEST_FRAME_BYTES;
use super::vlan::HEADER_BYTES as VLAN_BYTES;
use super::{Segment, TcpFlags, ether_type, ip, link, udp};
use crate::model::{Encapsulation, Layer};

/// Those without options.
const IPV4_BYTES: usize = 20;
const TCP_BYTES: usize = 20;

/// Version 4 and a header of 20 bytes.
const IPV4_WITHOUT_OPTIONS: u8 = 0x45;

/// The segment of a plain packet in a frame that was `wire_bytes` long, as [`Decoder::decode`](super::Decoder::decode)
/// gives it. Nothing is added to `encapsulation` where the answer is `None`.
///
/// All of it is compiled into its caller, which keeps the segment: a call would hand it on through memory twice.
#[inline(always)]
pub fn read<'a>(
    link_type: u16,
    data: &'a [u8],
    wire_bytes: u32,
    encapsulation: &mut Encapsulation,
) -> Option<Segment<'a>> {
    if link_type != link::ETHERNET {
        return None;
    }
    let ethernet = data.first_chunk::<ETHERNET_BYTES>()?;
    let room = (wire_bytes as usize).checked_sub(ETHERNET_BYTES)?;
    match u16::from_be_bytes([ethernet[12], ethernet[13]]) {
        ether_type::IPV4 => read_ipv4(data.get(ETHERNET_BYTES..)?, room),
        ether_type::IPV6 => read_ipv6(data.get(ETHERNET_BYTES..)?, room),
        ether_type::VLAN => {
            let [a, b, c, d] = *data.get(ETHERNET_BYTES..)?.first_chunk::<VLAN_BYTES>()?;
            let packet = data.get(ETHERNET_BYTES + VLAN_BYTES..)?;
            let room = room.checked_sub(VLAN_BYTES)?;
            let segment = match u16::from_be_bytes([c, d]) {
                ether_type::IPV4 => read_ipv4(packet, room)?,
                ether_type::IPV6 => read_ipv6(packet, room)?,
                _ => return None,
            };
            encapsulation.push(Layer::Vlan(u16::from_be_bytes([a, b]) & 0x0fff)).then_some(segment)
        }
        _ => None,
    }
}

/// True where the frame holds a whole header of a UDP datagram in which nothing is looked for: neither an answer of DNS
/// nor a tunnel nor IPsec. The general way gives it as [`Decoded::Udp`](super::Decoded::Udp).
#[inline]
#[must_use]
pub fn is_idle_datagram(link_type: u16, data: &[u8]) -> bool {
    link_type == link::ETHERNET && is_idle(data).unwrap_or(false)
}

#[inline(always)]
fn is_idle(data: &[u8]) -> Option<bool> {
    let (ethernet, mut packet) = data.split_first_chunk::<ETHERNET_BYTES>()?;
    let mut ether_type = u16::from_be_bytes([ethernet[12], ethernet[13]]);
    if ether_type == ether_type::VLAN {
        let (&[_, _, high, low], behind) = packet.split_first_chunk::<VLAN_BYTES>()?;
        (ether_type, packet) = (u16::from_be_bytes([high, low]), behind);
    }
    let (wire_bytes, datagram) = match ether_type {
        ether_type::IPV4 => {
            let (header, payload) = packet.split_first_chunk::<IPV4_BYTES>()?;
            let is_whole = header[6] & 0x3f == 0 && header[7] == 0;
            if header[0] != IPV4_WITHOUT_OPTIONS || header[9] != ip::UDP || !is_whole {
                return None;
            }
            (usize::from(u16::from_be_bytes([header[2], header[3]])).checked_sub(IPV4_BYTES)?, payload)
        }
        ether_type::IPV6 => {
            let (header, payload) = packet.split_first_chunk::<IPV6_BYTES>()?;
            if header[0] >> 4 != 6 || header[6] != ip::UDP {
                return None;
            }
            (usize::from(u16::from_be_bytes([header[4], header[5]])), payload)
        }
        _ => return None,
    };
    let header = datagram.first_chunk::<{ udp::HEADER_BYTES }>()?;
    let (from, to) = (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]));
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    Some(wire_bytes >= udp::HEADER_BYTES && length >= udp::HEADER_BYTES && udp::is_idle(from, to))
}

/// `room` is how long the packet can have been on the wire. One that says it is longer is a matter for the general way.
#[inline(always)]
fn read_ipv4(packet: &[u8], room: usize) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<IPV4_BYTES>()?;
    // Neither "more fragments" nor an offset.
    let is_whole = header[6] & 0x3f == 0 && header[7] == 0;
    if header[0] != IPV4_WITHOUT_OPTIONS || header[9] != ip::TCP || !is_whole {
        return None;
    }
    let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let destination = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    let wire_bytes = total_bytes.checked_sub(IPV4_BYTES).filter(|_| total_bytes <= room)?;
    read_tcp(packet.get(IPV4_BYTES..)?, wire_bytes, IpAddr::V4(source), IpAddr::V4(destination))
}

#[inline]
fn read_ipv6(packet: &[u8], room: usize) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<IPV6_BYTES>()?;
    if header[0] >> 4 != 6 || header[6] != ip::TCP {
        return None;
    }
    // A length of 0 says that it is not known; no segment is that short.
    let wire_bytes = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if IPV6_BYTES + wire_bytes > room {
        return None;
    }
    let (_, addresses) = header.split_first_chunk::<8>()?;
    let source = Ipv6Addr::from(*addresses.first_chunk::<16>()?);
    let destination = Ipv6Addr::from(*addresses.last_chunk::<16>()?);
    read_tcp(packet.get(IPV6_BYTES..)?, wire_bytes, IpAddr::V6(source), IpAddr::V6(destination))
}

/// `wire_bytes` is what the IP header says.
#[inline(always)]
fn read_tcp(bytes: &[u8], wire_bytes: usize, source: IpAddr, destination: IpAddr) -> Option<Segment<'_>> {
    let header = bytes.first_chunk::<TCP_BYTES>()?;
    let header_bytes = usize::from(header[12] >> 4) * 4;
    // The shortest frame may have padding that was counted: a matter for the general way.
    if header_bytes < TCP_BYTES || header_bytes > wire_bytes || wire_bytes == SHORTEST_FRAME_BYTES as usize {
        return None;
    }
    let payload = bytes.get(..wire_bytes).unwrap_or(bytes).get(header_bytes..)?;
    Some(Segment {
        source: SocketAddr::new(source, u16::from_be_bytes([header[0], header[1]])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([header[2], header[3]])),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        payload,
        payload_wire_bytes: (wire_bytes - header_bytes) as u32,
        excess_bytes: 0,
    })
}
