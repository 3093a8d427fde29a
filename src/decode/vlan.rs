//! VLAN tags of IEEE 802.1Q and 802.1ad, in stacks of any depth that layers are kept for.

use etherparse::SingleVlanHeaderSlice;

use super::decoder::{Next, push};
use super::error::{DecodeError, Header};
use super::view::View;
use crate::model::{Encapsulation, Layer};

pub(super) const HEADER_BYTES: usize = 4;

/// Behind the EtherType of a tag: priority and VLAN id, then the next EtherType or length.
#[inline]
pub(super) fn read(view: &mut View<'_>, encapsulation: &mut Encapsulation) -> Result<Next, DecodeError> {
    let Ok(header) = SingleVlanHeaderSlice::from_slice(view.bytes) else {
        return Err(DecodeError::truncated(Header::Vlan));
    };
    push(encapsulation, Layer::Vlan(header.vlan_identifier().value()))?;
    let next = Next::EtherType(header.ether_type().0);
    view.advance(HEADER_BYTES, Header::Vlan)?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_id_without_priority() {
        let mut encapsulation = Encapsulation::default();
        let next = read(&mut View::new(&[0xff, 0xfe, 0x08, 0x00], 4), &mut encapsulation);
        assert_eq!(next, Ok(Next::EtherType(0x0800)));
        assert_eq!(encapsulation.layers(), [Layer::Vlan(4094)]);
    }

    #[test]
    fn rejects_cut_tag() {
        let next = read(&mut View::new(&[0, 1, 8], 3), &mut Encapsulation::default());
        assert_eq!(next, Err(DecodeError::truncated(Header::Vlan)));
    }
}
