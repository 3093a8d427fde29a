//! The link type of a capture: which header a frame begins with.

use super::decoder::Next;
use super::error::{DecodeError, Fault, Header};
use super::linux_cooked;
use super::view::View;

const NULL: u16 = 0;
pub(super) const ETHERNET: u16 = 1;
const PPP: u16 = 9;
/// DLT_RAW of most systems, and of OpenBSD, both met in files.
const RAW_BSD: u16 = 12;
const RAW_OPENBSD: u16 = 14;
const RAW: u16 = 101;
const LOOP: u16 = 108;
const LINUX_SLL: u16 = 113;
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const LINUX_SLL2: u16 = 276;

/// Every link type that is read.
pub(super) const SUPPORTED: [u16; 11] =
    [NULL, ETHERNET, PPP, RAW_BSD, RAW_OPENBSD, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2];

/// Goes over what is peculiar to the link type [<https://www.tcpdump.org/linktypes.html>].
#[inline]
pub(super) fn read(link_type: u16, view: &mut View<'_>) -> Result<Next, DecodeError> {
    match link_type {
        ETHERNET => Ok(Next::Ethernet),
        NULL | LOOP => null(view),
        PPP => Ok(Next::Ppp),
        RAW_BSD | RAW_OPENBSD | RAW => Ok(Next::Ip),
        IPV4 => Ok(Next::Ipv4),
        IPV6 => Ok(Next::Ipv6),
        LINUX_SLL => linux_cooked::read_v1(view),
        LINUX_SLL2 => linux_cooked::read_v2(view),
        _ => Err(DecodeError::new(Header::LinkType, Fault::Unsupported)),
    }
}

/// Hardware addresses as (source, destination).
pub type LinkAddresses = ([u8; 6], [u8; 6]);

/// The MAC addresses that a frame begins with; `None` where its link type has no such pair or the frame is too short. Of
/// what is in a tunnel they are not the packet's own ([`Decoder::decode`](super::Decoder::decode)).
#[inline]
#[must_use]
pub fn link_addresses(link_type: u16, data: &[u8]) -> Option<LinkAddresses> {
    if link_type != ETHERNET {
        return None;
    }
    let header = etherparse::Ethernet2HeaderSlice::from_slice(data).ok()?;
    Some((header.source(), header.destination()))
}

/// The interface that a frame of the device "any" was taken on, as the system numbered it; `None` where the link type does
/// not tell [<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>].
#[inline]
#[must_use]
pub fn cooked_interface(link_type: u16, data: &[u8]) -> Option<u32> {
    if link_type != LINUX_SLL2 {
        return None;
    }
    data.get(4..).and_then(|rest| rest.first_chunk()).map(|number| u32::from_be_bytes(*number))
}

/// Four bytes of address family, in the byte order of the capturing host (null) or the network
/// (loop); BSDs disagree about the number for IPv6.
fn null(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let family = view.take::<4>(Header::Null)?;
    // All families in use are below 256, so the two orders cannot be confused.
    match u32::from_be_bytes(*family).min(u32::from_le_bytes(*family)) {
        2 => Ok(Next::Ipv4),
        10 | 23 | 24 | 28 | 30 => Ok(Next::Ipv6),
        _ => Ok(Next::Skip(super::Skip::NotIp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Skip;

    #[test]
    fn reads_address_families_in_both_byte_orders() {
        for (family, expected) in [
            (2, Next::Ipv4),
            (10, Next::Ipv6),
            (23, Next::Ipv6),
            (24, Next::Ipv6),
            (28, Next::Ipv6),
            (30, Next::Ipv6),
            (7, Next::Skip(Skip::NotIp)),
        ] {
            for bytes in [u32::to_be_bytes(family), u32::to_le_bytes(family)] {
                for link_type in [NULL, LOOP] {
                    assert_eq!(read(link_type, &mut View::new(&bytes, 4)), Ok(expected));
                }
            }
        }
        assert_eq!(read(NULL, &mut View::new(&[2, 0, 0], 3)), Err(DecodeError::truncated(Header::Null)));
    }

    #[test]
    fn gives_mac_addresses_of_ethernet_only() {
        let frame: Vec<u8> = (0..14).collect();
        assert_eq!(link_addresses(ETHERNET, &frame), Some(([6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 4, 5])));
        assert_eq!(link_addresses(ETHERNET, &frame[..13]), None);
        assert_eq!(link_addresses(LINUX_SLL, &frame), None);
    }

    #[test]
    fn refuses_other_link_types() {
        let refused = (0..=400).filter(|&number| {
            read(number, &mut View::new(&[0; 64], 64))
                == Err(DecodeError::new(Header::LinkType, Fault::Unsupported))
        });
        assert_eq!(refused.count(), 401 - SUPPORTED.len());
    }
}
