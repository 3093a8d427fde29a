//! VXLAN [RFC 7348], with the group policy and the generic protocol extension
//! [draft-smith-vxlan-group-policy, draft-ietf-nvo3-vxlan-gpe].

use super::decoder::{Next, push};
use super::error::{DecodeError, Header};
use super::ether_type;
use super::ethernet::ETHER_TYPE_OFFSET;
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// A network identifier is given.
const HAS_VNI: u8 = 0x08;
/// The third and fourth byte are a policy group.
const HAS_GROUP: u8 = 0x80;
/// The fourth byte is a protocol.
const HAS_PROTOCOL: u8 = 0x04;

/// Goes over the header; `None`, and nothing done, where it is none.
pub(super) fn read(
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Option<Next>, DecodeError> {
    let mut inside = *view;
    let Ok(header) = inside.take::<8>(Header::Vxlan) else {
        // Cut by the capture it may be one, a shorter datagram is none.
        return if view.is_whole() { Ok(None) } else { Err(DecodeError::truncated(Header::Vxlan)) };
    };
    let [flags, _, _, protocol, v0, v1, v2, reserved] = *header;
    let next = if reserved == 0 && flags & !HAS_GROUP == HAS_VNI {
        Next::Ethernet
    } else if reserved == 0 && flags == HAS_VNI | HAS_PROTOCOL {
        match protocol {
            1 => Next::Ipv4,
            2 => Next::Ipv6,
            3 => Next::Ethernet,
            5 => Next::Mpls,
            _ => return Ok(None),
        }
    } else if flags & HAS_VNI != 0 && inside.u16_at(ETHER_TYPE_OFFSET).is_some_and(ether_type::is_plausible) {
        // Receivers ignore reserved bits, and some senders use them.
        Next::Ethernet
    } else {
        return Ok(None);
    };
    push(encapsulation, Layer::Vxlan(u32::from_be_bytes([0, v0, v1, v2])))?;
    *view = inside;
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], wire_bytes: u32) -> (Result<Option<Next>, DecodeError>, Vec<Layer>, usize) {
        let mut encapsulation = Encapsulation::default();
        let mut view = View::new(bytes, wire_bytes);
        let next = read(&mut view, &mut encapsulation);
        (next, encapsulation.layers().to_vec(), view.bytes.len())
    }

    #[test]
    fn reads_plain_group_policy_and_generic_protocol() {
        let layers = vec![Layer::Vxlan(0x010203)];
        for (flags, protocol, next) in [
            (0x08, 0, Next::Ethernet),
            (0x88, 9, Next::Ethernet),
            (0x0c, 1, Next::Ipv4),
            (0x0c, 2, Next::Ipv6),
            (0x0c, 3, Next::Ethernet),
            (0x0c, 5, Next::Mpls),
        ] {
            let bytes = [flags, 0, 0, protocol, 1, 2, 3, 0, 0xaa];
            assert_eq!(decode(&bytes, 0), (Ok(Some(next)), layers.clone(), 1));
        }
    }

    #[test]
    fn leaves_what_is_no_vxlan() {
        for bytes in [[0, 0, 0, 0, 1, 2, 3, 0], [0x0c, 0, 0, 4, 1, 2, 3, 0], [8, 0, 0, 0, 1, 2, 3, 1]] {
            assert_eq!(decode(&bytes, 0), (Ok(None), vec![], 8));
        }
        let mut unusual = vec![0xc8, 0x80, 0, 1, 1, 2, 3, 0x10];
        unusual.extend([0; 12]);
        unusual.extend([0x08, 0]);
        assert_eq!(decode(&unusual, 0), (Ok(Some(Next::Ethernet)), vec![Layer::Vxlan(0x010203)], 14));
        assert_eq!(decode(&[8, 0, 0], 3), (Ok(None), vec![], 3));
        assert_eq!(decode(&[8, 0, 0], 99).0, Err(DecodeError::truncated(Header::Vxlan)));
    }
}
