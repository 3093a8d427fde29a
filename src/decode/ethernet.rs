//! Ethernet II, and IEEE 802.3 with LLC and SNAP.

use etherparse::Ethernet2HeaderSlice;

use super::Skip;
use super::decoder::Next;
use super::error::{DecodeError, Header};
use super::view::View;

pub(super) const HEADER_BYTES: usize = 14;

/// Where the EtherType stands, behind two addresses.
pub(super) const ETHER_TYPE_OFFSET: usize = 12;

/// Destination, source, EtherType or length.
#[inline]
pub(super) fn read(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let Ok(header) = Ethernet2HeaderSlice::from_slice(view.bytes) else {
        return Err(DecodeError::truncated(Header::Ethernet));
    };
    let next = Next::EtherType(header.ether_type().0);
    view.advance(HEADER_BYTES, Header::Ethernet)?;
    Ok(next)
}

/// LLC behind a length field [IEEE 802.2], with SNAP [RFC 1042] where the access points say so.
pub(super) fn read_llc(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let [destination, source, control] = *view.take::<3>(Header::Ethernet)?;
    Ok(match (destination, source, control) {
        (0xaa, 0xaa, 0x03) => {
            let [o0, o1, o2, t0, t1] = *view.take::<5>(Header::Ethernet)?;
            let ether_type = u16::from_be_bytes([t0, t1]);
            match ([o0, o1, o2], ether_type) {
                // Cisco's per-VLAN spanning tree.
                ([0, 0, 0x0c], 0x010b) => Next::Skip(Skip::Stp),
                // RFC 1042 and bridge-tunnel encapsulation. A second length field would be a loop.
                ([0, 0, 0] | [0, 0, 0xf8], 0x0600..) => Next::EtherType(ether_type),
                _ => Next::Skip(Skip::NotIp),
            }
        }
        // IP straight on LLC, assigned and never common.
        (0x06, 0x06, 0x03) => Next::Ip,
        (0x42, 0x42, _) => Next::Skip(Skip::Stp),
        _ => Next::Skip(Skip::NotIp),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_snap_and_names_spanning_tree() {
        let read = |bytes: &[u8]| read_llc(&mut View::new(bytes, 0));
        assert_eq!(read(&[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]), Ok(Next::EtherType(0x86dd)));
        assert_eq!(read(&[0xaa, 0xaa, 3, 0, 0, 0xf8, 0x81, 0]), Ok(Next::EtherType(0x8100)));
        assert_eq!(read(&[0xaa, 0xaa, 3, 0, 0, 0, 0, 40]), Ok(Next::Skip(Skip::NotIp)));
        assert_eq!(read(&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x01, 0x0b]), Ok(Next::Skip(Skip::Stp)));
        assert_eq!(read(&[0xaa, 0xaa, 3, 0, 0, 0, 8]), Err(DecodeError::truncated(Header::Ethernet)));
        assert_eq!(read(&[0x42, 0x42, 3]), Ok(Next::Skip(Skip::Stp)));
        assert_eq!(read(&[0xfe, 0xfe, 3]), Ok(Next::Skip(Skip::NotIp)));
        assert_eq!(read(&[0x06, 0x06, 3]), Ok(Next::Ip));
        assert_eq!(read(&[0x42, 0x42]), Err(DecodeError::truncated(Header::Ethernet)));
    }
}
