//! What an EtherType announces [IEEE registration authority; RFC 9542 appendix B].

use super::decoder::Next;
use super::error::{DecodeError, Header};
use super::view::View;
use super::{Skip, ethernet, ppp, vlan};
use crate::model::Encapsulation;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
/// Transparent Ethernet bridging: a whole Ethernet frame [RFC 1701, RFC 7637].
pub(super) const BRIDGED: u16 = 0x6558;
pub(super) const MPLS: u16 = 0x8847;
pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
pub(super) const PPP: u16 = 0x880b;
pub(super) const PPPOE_SESSION: u16 = 0x8864;
pub(super) const ARP: u16 = 0x0806;
pub(super) const VLAN: u16 = 0x8100;
pub(super) const VLAN_SERVICE: u16 = 0x88a8;
/// QinQ before 802.1ad, by several vendors.
const VLAN_VENDOR: u16 = 0x9100;
const VLAN_VENDOR_2: u16 = 0x9200;
const RARP: u16 = 0x8035;
const PPPOE_DISCOVERY: u16 = 0x8863;
/// Headers of switch fabrics, which are gone over: Cisco FabricPath, Cisco metadata, VN-Tag, and the
/// backbone tag of 802.1ah.
const FABRIC_PATH: u16 = 0x8903;
const CISCO_METADATA: u16 = 0x8909;
const VN_TAG: u16 = 0x8926;
const BACKBONE: u16 = 0x88e7;
const LLDP: u16 = 0x88cc;
const MACSEC: u16 = 0x88e5;

/// Below this, the field is a length [IEEE 802.3 section 3.2.6].
pub(super) const MIN_ETHER_TYPE: u16 = 0x0600;

#[inline]
pub(super) fn read(
    number: u16,
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    match number {
        IPV4 => Ok(Next::Ipv4),
        IPV6 => Ok(Next::Ipv6),
        VLAN | VLAN_SERVICE | VLAN_VENDOR | VLAN_VENDOR_2 => vlan::read(view, encapsulation),
        _ => read_other(number, view, encapsulation),
    }
}

#[inline(never)]
fn read_other(
    number: u16,
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    match number {
        ..MIN_ETHER_TYPE => ethernet::read_llc(view),
        MPLS | MPLS_UPSTREAM => Ok(Next::Mpls),
        PPPOE_SESSION => ppp::read_pppoe(view, encapsulation),
        BRIDGED => Ok(Next::Ethernet),
        FABRIC_PATH => {
            view.take::<2>(Header::Ethernet)?;
            Ok(Next::Ethernet)
        }
        BACKBONE => {
            view.take::<4>(Header::Ethernet)?;
            Ok(Next::Ethernet)
        }
        CISCO_METADATA => {
            let [.., t0, t1] = *view.take::<8>(Header::Ethernet)?;
            Ok(Next::EtherType(u16::from_be_bytes([t0, t1])))
        }
        VN_TAG => {
            let [.., t0, t1] = *view.take::<6>(Header::Ethernet)?;
            Ok(Next::EtherType(u16::from_be_bytes([t0, t1])))
        }
        PPP => Ok(Next::Ppp),
        ARP | RARP => Ok(Next::Skip(Skip::Arp)),
        PPPOE_DISCOVERY => Ok(Next::Skip(Skip::PppoeDiscovery)),
        LLDP => Ok(Next::Skip(Skip::Lldp)),
        MACSEC => Ok(Next::Skip(Skip::Macsec)),
        _ => Ok(Next::Skip(Skip::NotIp)),
    }
}

/// Whether an EtherType announces a VLAN tag.
pub(super) const fn is_tag(number: u16) -> bool {
    matches!(number, VLAN | VLAN_SERVICE)
}

/// Whether a number at the place of an EtherType is likely one: for headers that must be guessed.
pub(super) const fn is_plausible(number: u16) -> bool {
    matches!(
        number,
        IPV4 | IPV6 | ARP | VLAN | VLAN_SERVICE | MPLS | PPPOE_SESSION | PPPOE_DISCOVERY | LLDP | MACSEC
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_over_headers_of_fabrics() {
        for (number, bytes, expected) in [
            (0x8903, 2, Next::Ethernet),
            (0x88e7, 4, Next::Ethernet),
            (0x8909, 8, Next::EtherType(0x86dd)),
            (0x8926, 6, Next::EtherType(0x86dd)),
        ] {
            let header = [vec![0; bytes - 2], vec![0x86, 0xdd]].concat();
            let mut view = View::new(&header, 0);
            assert_eq!(read(number, &mut view, &mut Encapsulation::default()), Ok(expected));
            assert!(view.bytes.is_empty());
            let mut cut = View::new(&header[1..], 0);
            let next = read(number, &mut cut, &mut Encapsulation::default());
            assert_eq!(next, Err(DecodeError::truncated(Header::Ethernet)));
        }
    }

    #[test]
    fn names_what_is_no_ip() {
        for (number, skip) in [
            (0x0806, Skip::Arp),
            (0x8035, Skip::Arp),
            (0x8863, Skip::PppoeDiscovery),
            (0x88cc, Skip::Lldp),
            (0x88e5, Skip::Macsec),
            (0x8809, Skip::NotIp),
        ] {
            let next = read(number, &mut View::new(&[0; 40], 40), &mut Encapsulation::default());
            assert_eq!(next, Ok(Next::Skip(skip)), "{number:04x}");
        }
    }
}
