//! MPLS label stacks [RFC 3032] and Ethernet pseudowires inside them [RFC 4448].

use super::Skip;
use super::decoder::{Next, push};
use super::error::{DecodeError, Header};
use super::ether_type;
use super::ethernet::ETHER_TYPE_OFFSET;
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// Reserved labels that say what is inside [RFC 3032 section 2.1].
const IPV4_EXPLICIT_NULL: u32 = 0;
const IPV6_EXPLICIT_NULL: u32 = 2;

const CONTROL_WORD_BYTES: usize = 4;

/// One label; the next, or what the bottom of the stack carries.
pub(super) fn read(view: &mut View<'_>, encapsulation: &mut Encapsulation) -> Result<Next, DecodeError> {
    let entry = u32::from_be_bytes(*view.take::<4>(Header::Mpls)?);
    let (label, is_bottom) = (entry >> 12, entry & 0x100 != 0);
    push(encapsulation, Layer::Mpls(label))?;
    if !is_bottom {
        return Ok(Next::Mpls);
    }
    match label {
        IPV4_EXPLICIT_NULL => Ok(Next::Ipv4),
        IPV6_EXPLICIT_NULL => Ok(Next::Ipv6),
        _ => payload(view),
    }
}

/// The label does not say what it carries, so the first half byte must: 4 and 6 are IP, 0 the
/// control word of a pseudowire, 1 its control channel [RFC 4928 section 2, RFC 4385]. A pseudowire
/// without control word begins with any MAC address, so where two readings are possible the one
/// with a known EtherType at its place is taken. Where both have one the frame has a control word, by whose four bytes
/// the places differ; or none and a tag of that length, which has an EtherType behind it.
fn payload(view: &mut View<'_>) -> Result<Next, DecodeError> {
    let Some(first) = view.first() else { return Err(DecodeError::truncated(Header::Mpls)) };
    let is_ether_type = |offset: usize| view.u16_at(offset).is_some_and(ether_type::is_plausible);
    match first >> 4 {
        4 if first & 0x0f >= 5 && (!is_ether_type(ETHER_TYPE_OFFSET) || fits(view, 2, 0)) => Ok(Next::Ipv4),
        6 if !is_ether_type(ETHER_TYPE_OFFSET) || fits(view, 4, 40) => Ok(Next::Ipv6),
        0 | 1
            if is_ether_type(ETHER_TYPE_OFFSET)
                && (!is_ether_type(ETHER_TYPE_OFFSET + CONTROL_WORD_BYTES)
                    || view.u16_at(ETHER_TYPE_OFFSET).is_some_and(ether_type::is_tag)) =>
        {
            Ok(Next::Ethernet)
        }
        0 => {
            view.advance(CONTROL_WORD_BYTES, Header::Mpls)?;
            Ok(Next::Ethernet)
        }
        1 => Ok(Next::Skip(Skip::PseudowireControl)),
        _ => Ok(Next::Ethernet),
    }
}

/// Whether the length field at `offset`, plus what it does not count, fits what was on the wire.
fn fits(view: &View<'_>, offset: usize, uncounted: u32) -> bool {
    view.u16_at(offset).is_some_and(|length| u32::from(length) + uncounted <= view.wire_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bottom(label: u32, rest: &[u8]) -> (Result<Next, DecodeError>, usize) {
        let mut bytes = (label << 12 | 0x1ff).to_be_bytes().to_vec();
        bytes.extend_from_slice(rest);
        let mut view = View::new(&bytes, 0);
        let next = read(&mut view, &mut Encapsulation::default());
        (next, bytes.len() - view.bytes.len())
    }

    /// A frame to a MAC address that begins like this.
    fn frame(first: u8) -> Vec<u8> {
        let mut frame = vec![first, 1, 0xff, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x08, 0x00];
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn tells_ip_from_pseudowires() {
        assert_eq!(bottom(16, &[0x45, 0, 0, 20, 0, 0]), (Ok(Next::Ipv4), 4));
        assert_eq!(bottom(16, &[0x60, 0, 0, 0, 0, 0]), (Ok(Next::Ipv6), 4));
        assert_eq!(bottom(0, &[]), (Ok(Next::Ipv4), 4));
        assert_eq!(bottom(2, &[]), (Ok(Next::Ipv6), 4));
        for first in [0x00, 0x10, 0x4a, 0x45, 0x60, 0xa0] {
            assert_eq!(bottom(16, &frame(first)), (Ok(Next::Ethernet), 4), "{first:02x}");
            let with_control_word = [&[0, 0, 0, 1], &frame(first)[..]].concat();
            assert_eq!(bottom(16, &with_control_word), (Ok(Next::Ethernet), 8), "{first:02x}");
        }
        for first in [0x00, 0x02, 0x10, 0xa0] {
            let mut tagged = frame(first);
            tagged.splice(12..12, [0x88, 0xa8, 0, 7, 0x81, 0, 0, 120]);
            assert_eq!(bottom(16, &tagged), (Ok(Next::Ethernet), 4), "{first:02x}");
            tagged.drain(12..16);
            assert_eq!(bottom(16, &tagged), (Ok(Next::Ethernet), 4), "{first:02x}");
            let with_control_word = [&[0, 0, 0, 1], &tagged[..]].concat();
            assert_eq!(bottom(16, &with_control_word), (Ok(Next::Ethernet), 8), "{first:02x}");
        }
        assert_eq!(bottom(16, &[0x10, 0, 0, 0x21, 0, 0]).0, Ok(Next::Skip(Skip::PseudowireControl)));
        assert_eq!(bottom(16, &[]).0, Err(DecodeError::truncated(Header::Mpls)));
    }

    #[test]
    fn goes_on_until_the_bottom() {
        let mut encapsulation = Encapsulation::default();
        let next = read(&mut View::new(&[0xff, 0xff, 0xfe, 0xff], 4), &mut encapsulation);
        assert_eq!(next, Ok(Next::Mpls));
        assert_eq!(encapsulation.layers(), [Layer::Mpls(0xfffff)]);
    }
}
