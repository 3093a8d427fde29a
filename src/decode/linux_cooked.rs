//! Linux "cooked" captures, taken on the device "any".
//!
//! Read here and not by etherparse's slice, which refuses hardware types it does not know; tunnels
//! and virtual devices have such, and the protocol field means the same for them.

use super::Skip;
use super::decoder::Next;
use super::error::{DecodeError, Header};
use super::ether_type::MIN_ETHER_TYPE;
use super::view::View;

/// ARPHRD_ numbers of devices whose protocol field is no EtherType: netlink, and 802.11 with and
/// without radio header [<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>].
const OTHER_HARDWARE: [u16; 4] = [801, 802, 803, 824];

/// "The packet begins with an 802.2 LLC header".
const PROTOCOL_LLC: u16 = 4;

/// LINKTYPE_LINUX_SLL: type, hardware, address length, address (8), protocol.
pub(super) fn read_v1(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let &[_, _, h0, h1, .., p0, p1] = view.take::<16>(Header::LinuxCooked)?;
    Ok(next(u16::from_be_bytes([p0, p1]), u16::from_be_bytes([h0, h1])))
}

/// LINKTYPE_LINUX_SLL2: protocol, reserved (2), interface (4), hardware, type, address length, address (8).
pub(super) fn read_v2(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let &[p0, p1, _, _, _, _, _, _, h0, h1, ..] = view.take::<20>(Header::LinuxCooked)?;
    Ok(next(u16::from_be_bytes([p0, p1]), u16::from_be_bytes([h0, h1])))
}

fn next(protocol: u16, hardware: u16) -> Next {
    if protocol != PROTOCOL_LLC && protocol < MIN_ETHER_TYPE || OTHER_HARDWARE.contains(&hardware) {
        Next::Skip(Skip::NotIp)
    } else {
        // 4 is below the EtherTypes and so leads to LLC like any length does.
        Next::EtherType(protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_protocol_in_both_versions() {
        let v1 = [0, 4, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd];
        assert_eq!(read_v1(&mut View::new(&v1, 16)), Ok(Next::EtherType(0x86dd)));
        let v2 = [0x08, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0];
        assert_eq!(read_v2(&mut View::new(&v2, 20)), Ok(Next::EtherType(0x0800)));
        assert_eq!(read_v1(&mut View::new(&v1[..15], 16)), Err(DecodeError::truncated(Header::LinuxCooked)));
        assert_eq!(read_v2(&mut View::new(&v2[..19], 20)), Err(DecodeError::truncated(Header::LinuxCooked)));
    }

    #[test]
    fn passes_over_netlink_and_raw_frames() {
        assert_eq!(next(0x0800, 824), Next::Skip(Skip::NotIp));
        assert_eq!(next(0x0001, 1), Next::Skip(Skip::NotIp));
        assert_eq!(next(0x0004, 1), Next::EtherType(4));
    }
}
