//! PPP [RFC 1661, RFC 1662] and PPPoE [RFC 2516].

use super::Skip;
use super::decoder::{Next, push};
use super::error::{DecodeError, Fault, Header};
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// Address and control of HDLC-like framing; left out where both ends agreed on compression.
const HDLC: [u8; 2] = [0xff, 0x03];

/// Cisco's framing, unicast and broadcast; an EtherType follows.
const CISCO_HDLC: [[u8; 2]; 2] = [[0x0f, 0x00], [0x8f, 0x00]];

/// Protocol numbers [IANA, Point-to-Point (PPP) Protocol Field Assignments].
const IPV4: u16 = 0x0021;
const IPV6: u16 = 0x0057;
const MPLS_UNICAST: u16 = 0x0281;
const MPLS_MULTICAST: u16 = 0x0283;

/// PPP with or without HDLC address and control (or the framing of Cisco, which captures of serial
/// lines have under the same link type), with a protocol field of one or two bytes.
pub(super) fn read(view: &mut View<'_>) -> Result<Next, DecodeError> {
    if CISCO_HDLC.iter().any(|framing| view.bytes.starts_with(framing)) {
        let [_, _, t0, t1] = *view.take::<4>(Header::Ppp)?;
        return Ok(Next::EtherType(u16::from_be_bytes([t0, t1])));
    }
    if view.bytes.starts_with(&HDLC) {
        view.advance(HDLC.len(), Header::Ppp)?;
    } else if view.bytes == [0xff] {
        // No protocol has this number, so it is the half of the framing.
        return Err(DecodeError::truncated(Header::Ppp));
    }
    let [first] = *view.take::<1>(Header::Ppp)?;
    // Protocol numbers are odd and their first byte even, so an odd first byte is all there is.
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        let [second] = *view.take::<1>(Header::Ppp)?;
        u16::from_be_bytes([first, second])
    };
    Ok(match protocol {
        IPV4 => Next::Ipv4,
        IPV6 => Next::Ipv6,
        MPLS_UNICAST | MPLS_MULTICAST => Next::Mpls,
        // Network, link and authentication control.
        0x8000..=0xffff => Next::Skip(Skip::PppControl),
        _ => Next::Skip(Skip::NotIp),
    })
}

/// Behind the EtherType of a PPPoE session: version and type, code, session, length.
pub(super) fn read_pppoe(
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    let [version_type, code, s0, s1, _, _] = *view.take::<6>(Header::Pppoe)?;
    if version_type != 0x11 {
        return Err(DecodeError::new(Header::Pppoe, Fault::BadVersion));
    }
    if code != 0 {
        return Ok(Next::Skip(Skip::PppoeDiscovery));
    }
    push(encapsulation, Layer::Pppoe(u16::from_be_bytes([s0, s1])))?;
    Ok(Next::Ppp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_the_protocol_field() {
        let read = |bytes: &[u8]| read(&mut View::new(bytes, 0));
        for bytes in [&[0xff, 3, 0, 0x21][..], &[0xff, 3, 0x21], &[0, 0x21], &[0x21]] {
            assert_eq!(read(bytes), Ok(Next::Ipv4), "{bytes:?}");
        }
        assert_eq!(read(&[0, 0x57]), Ok(Next::Ipv6));
        assert_eq!(read(&[2, 0x81]), Ok(Next::Mpls));
        assert_eq!(read(&[0x0f, 0, 0x86, 0xdd]), Ok(Next::EtherType(0x86dd)));
        assert_eq!(read(&[0x8f, 0, 0x20, 0]), Ok(Next::EtherType(0x2000)));
        assert_eq!(read(&[0xc0, 0x21]), Ok(Next::Skip(Skip::PppControl)));
        assert_eq!(read(&[0, 0x2d]), Ok(Next::Skip(Skip::NotIp)));
        for bytes in [&[][..], &[0], &[0xff], &[0x0f, 0, 8], &[0xff, 3], &[0xff, 3, 0]] {
            assert_eq!(read(bytes), Err(DecodeError::truncated(Header::Ppp)), "{bytes:?}");
        }
    }

    #[test]
    fn knows_a_session_from_discovery() {
        let mut encapsulation = Encapsulation::default();
        assert_eq!(read_pppoe(&mut View::new(&[0x11, 0, 1, 2, 0, 9], 6), &mut encapsulation), Ok(Next::Ppp));
        assert_eq!(encapsulation.layers(), [Layer::Pppoe(0x0102)]);
        let next = read_pppoe(&mut View::new(&[0x11, 9, 0, 0, 0, 0], 6), &mut encapsulation);
        assert_eq!(next, Ok(Next::Skip(Skip::PppoeDiscovery)));
        let next = read_pppoe(&mut View::new(&[0x21, 0, 0, 0, 0, 0], 6), &mut encapsulation);
        assert_eq!(next, Err(DecodeError::new(Header::Pppoe, Fault::BadVersion)));
    }
}
