//! GRE [RFC 2784, RFC 2890], and its version 1 of PPTP [RFC 2637 section 4.1].

use super::Skip;
use super::decoder::{Next, push};
use super::error::{DecodeError, Fault, Header};
use super::view::View;
use super::{erspan, ether_type};
use crate::model::{Encapsulation, Layer};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// Version 1 only.
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Protocol types that are no EtherTypes of frames.
const KEEPALIVE: u16 = 0;
const WCCP: u16 = 0x883e;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

/// Goes over the header, and over that of ERSPAN, which is noted in its place.
pub(super) fn read(view: &mut View<'_>, encapsulation: &mut Encapsulation) -> Result<Next, DecodeError> {
    let [f0, f1, p0, p1] = *view.take::<4>(Header::Gre)?;
    let (flags, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
    match flags & VERSION {
        0 if flags & ROUTING != 0 => Err(DecodeError::new(Header::Gre, Fault::Unsupported)),
        0 => read_v0(flags, protocol, view, encapsulation),
        1 => read_v1(flags, protocol, view, encapsulation),
        _ => Err(DecodeError::new(Header::Gre, Fault::BadVersion)),
    }
}

fn read_v0(
    flags: u16,
    protocol: u16,
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    if flags & CHECKSUM != 0 {
        // With two reserved bytes behind it.
        view.take::<4>(Header::Gre)?;
    }
    let key = if flags & KEY != 0 { Some(u32::from_be_bytes(*view.take::<4>(Header::Gre)?)) } else { None };
    let has_sequence = flags & SEQUENCE != 0;
    if has_sequence {
        view.take::<4>(Header::Gre)?;
    }
    match protocol {
        ERSPAN => return erspan::read(has_sequence, view, encapsulation),
        ERSPAN_III => return erspan::read(true, view, encapsulation),
        _ => push(encapsulation, Layer::Gre { key })?,
    }
    match protocol {
        KEEPALIVE => Ok(Next::Skip(Skip::NoPayload)),
        WCCP => {
            // Version 2 has a redirect header before the packet, version 1 has none.
            if view.first().is_some_and(|first| first >> 4 != 4) {
                view.take::<4>(Header::Gre)?;
            }
            Ok(Next::Ipv4)
        }
        // A number this small would be a length, which GRE has no place for.
        1..ether_type::MIN_ETHER_TYPE => Ok(Next::Skip(Skip::NotIp)),
        _ => Ok(Next::EtherType(protocol)),
    }
}

/// PPTP: the key is the payload's length and the id of the call.
fn read_v1(
    flags: u16,
    protocol: u16,
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    if protocol != ether_type::PPP || flags & KEY == 0 || flags & (CHECKSUM | ROUTING) != 0 {
        return Err(DecodeError::new(Header::Gre, Fault::Unsupported));
    }
    let [_, _, call0, call1] = *view.take::<4>(Header::Gre)?;
    if flags & SEQUENCE != 0 {
        view.take::<4>(Header::Gre)?;
    }
    if flags & ACKNOWLEDGMENT != 0 {
        view.take::<4>(Header::Gre)?;
    }
    push(encapsulation, Layer::Gre { key: Some(u32::from(u16::from_be_bytes([call0, call1]))) })?;
    // Only numbered packets carry data.
    Ok(if flags & SEQUENCE == 0 { Next::Skip(Skip::NoPayload) } else { Next::Ppp })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (Result<Next, DecodeError>, Vec<Layer>, usize) {
        let mut encapsulation = Encapsulation::default();
        let mut view = View::new(bytes, 0);
        let next = read(&mut view, &mut encapsulation);
        (next, encapsulation.layers().to_vec(), view.bytes.len())
    }

    #[test]
    fn goes_over_every_set_of_fields() {
        for flags in 0..8_u8 {
            let (has_checksum, has_key, has_sequence) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
            let first = u8::from(has_checksum) << 7 | u8::from(has_key) << 5 | u8::from(has_sequence) << 4;
            let mut bytes = vec![first, 0, 0x08, 0];
            bytes.extend(std::iter::repeat_n([0xab, 0, 0, 0], usize::from(has_checksum)).flatten());
            bytes.extend(std::iter::repeat_n([0, 0, 0, 7], usize::from(has_key)).flatten());
            bytes.extend(std::iter::repeat_n([0xcd, 0, 0, 0], usize::from(has_sequence)).flatten());
            let header_bytes = bytes.len();
            bytes.push(0x45);
            let layer = Layer::Gre { key: has_key.then_some(7) };
            assert_eq!(decode(&bytes), (Ok(Next::EtherType(0x0800)), vec![layer], 1), "{flags:b}");
            for end in 0..header_bytes {
                assert_eq!(
                    decode(&bytes[..end]).0,
                    Err(DecodeError::truncated(Header::Gre)),
                    "{flags:b} {end}"
                );
            }
        }
    }

    #[test]
    fn refuses_routing_and_unknown_versions() {
        assert_eq!(decode(&[0x40, 0, 8, 0]).0, Err(DecodeError::new(Header::Gre, Fault::Unsupported)));
        assert_eq!(decode(&[0x00, 2, 8, 0]).0, Err(DecodeError::new(Header::Gre, Fault::BadVersion)));
    }

    #[test]
    fn reads_pptp() {
        let data = [0x30, 0x81, 0x88, 0x0b, 0, 2, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x21, 0x45];
        assert_eq!(decode(&data), (Ok(Next::Ppp), vec![Layer::Gre { key: Some(9) }], 2));
        let acknowledgment = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 1];
        assert_eq!(decode(&acknowledgment).0, Ok(Next::Skip(Skip::NoPayload)));
        assert_eq!(decode(&[0x00, 1, 0x88, 0x0b]).0, Err(DecodeError::new(Header::Gre, Fault::Unsupported)));
    }

    #[test]
    fn reads_both_versions_of_wccp() {
        assert_eq!(decode(&[0, 0, 0x88, 0x3e, 0x45]).2, 1);
        assert_eq!(decode(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0, 0x45]).2, 1);
    }

    #[test]
    fn skips_keepalives() {
        assert_eq!(decode(&[0, 0, 0, 0]).0, Ok(Next::Skip(Skip::NoPayload)));
    }
}
