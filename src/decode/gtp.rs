//! GTP-U, the tunnel of mobile networks [3GPP TS 29.281].

use super::decoder::{Next, push};
use super::error::{DecodeError, Header};
use super::ip;
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// Version 1, protocol type GTP: the high four bits.
const VERSION_1: u8 = 0x30;
/// Extension header, sequence number, N-PDU number: with any of them all three fields are there.
const HAS_OPTIONAL: u8 = 0x07;
/// Whether the extension header field counts.
const HAS_EXTENSION: u8 = 0x04;
/// A user's packet; other types are the tunnel's own messages.
const USER_PACKET: u8 = 255;

/// The most extension headers that are gone over; 5G uses one.
const MAX_EXTENSIONS: usize = 8;

/// Goes over the header; `None`, and nothing done, where it is none or carries no IP.
pub(super) fn read(
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Option<Next>, DecodeError> {
    let mut inside = *view;
    match go_over(&mut inside) {
        Ok(Some((endpoint, next))) => {
            push(encapsulation, Layer::Gtp(endpoint))?;
            *view = inside;
            Ok(Some(next))
        }
        Ok(None) => Ok(None),
        // Cut by the capture it may be one, a shorter datagram is none.
        Err(_) if view.is_whole() => Ok(None),
        Err(error) => Err(error),
    }
}

fn go_over(inside: &mut View<'_>) -> Result<Option<(u32, Next)>, DecodeError> {
    let [flags, kind, _, _, e0, e1, e2, e3] = *inside.take::<8>(Header::Gtp)?;
    if flags & 0xf0 != VERSION_1 || kind != USER_PACKET {
        return Ok(None);
    }
    if flags & HAS_OPTIONAL != 0 {
        let [.., mut extension] = *inside.take::<4>(Header::Gtp)?;
        let mut count = 0;
        while flags & HAS_EXTENSION != 0 && extension != 0 {
            let Some(units) = inside.first() else { return Err(DecodeError::truncated(Header::Gtp)) };
            count += 1;
            if units == 0 || count > MAX_EXTENSIONS {
                return Ok(None);
            }
            // The last byte of each names the next.
            inside.advance(usize::from(units) * 4 - 1, Header::Gtp)?;
            [extension] = *inside.take::<1>(Header::Gtp)?;
        }
    }
    if inside.bytes.is_empty() && !inside.is_whole() {
        return Err(DecodeError::truncated(Header::Gtp));
    }
    Ok(ip::version(inside).ok().map(|next| (u32::from_be_bytes([e0, e1, e2, e3]), next)))
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
    fn reads_plain_and_extended_headers() {
        let plain = [0x30, 255, 0, 1, 0, 0, 0, 5, 0x45];
        assert_eq!(decode(&plain, 0), (Ok(Some(Next::Ipv4)), vec![Layer::Gtp(5)], 1));
        let numbered = [0x32, 255, 0, 1, 0, 0, 0, 5, 0, 9, 0, 0xff, 0x60];
        // Without the extension flag its field has no meaning.
        assert_eq!(decode(&numbered, 0), (Ok(Some(Next::Ipv6)), vec![Layer::Gtp(5)], 1));
        let extended =
            [0x34, 255, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0x85, 1, 0x10, 9, 0x20, 2, 0, 0, 0, 0, 0, 0, 0, 0x45];
        assert_eq!(decode(&extended, 0), (Ok(Some(Next::Ipv4)), vec![Layer::Gtp(5)], 1));
        for end in 0..extended.len() {
            assert_eq!(decode(&extended[..end], 0).0, Ok(None), "{end}");
            assert_eq!(decode(&extended[..end], 99).0, Err(DecodeError::truncated(Header::Gtp)), "{end}");
        }
    }

    #[test]
    fn leaves_what_carries_no_packet() {
        for bytes in [
            [0x30, 1, 0, 1, 0, 0, 0, 5, 0x45],
            [0x20, 255, 0, 1, 0, 0, 0, 5, 0x45],
            [0x30, 255, 0, 1, 0, 0, 0, 5, 0x15],
        ] {
            assert_eq!(decode(&bytes, 0), (Ok(None), vec![], 9));
        }
        let endless = [&[0x34, 255, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1][..], &[1; 400], &[0x45]].concat();
        assert_eq!(decode(&endless, 0).0, Ok(None));
        assert_eq!(decode(&[0x34, 255, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0x45], 0).0, Ok(None));
    }
}
