//! ERSPAN, the mirror sessions of switches [draft-foschiano-erspan-03].

use super::decoder::{Next, push};
use super::error::{DecodeError, Fault, Header};
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// Versions as in the header: type II says 1, type III says 2.
const TYPE_II: u8 = 1;
const TYPE_III: u8 = 2;

/// Frame types of type III.
const FRAME_ETHERNET: u16 = 0;
const FRAME_IP: u16 = 2;

/// Behind the GRE header. Type I has no header of its own, which shows by a GRE header without
/// sequence number.
pub(super) fn read(
    has_header: bool,
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Next, DecodeError> {
    if !has_header {
        push(encapsulation, Layer::Erspan { version: 1, session: None })?;
        return Ok(Next::Ethernet);
    }
    match view.first().map(|first| first >> 4) {
        Some(TYPE_II) => {
            let [_, _, s0, s1, ..] = *view.take::<8>(Header::Erspan)?;
            push(encapsulation, Layer::Erspan { version: 2, session: Some(session(s0, s1)) })?;
            Ok(Next::Ethernet)
        }
        Some(TYPE_III) => {
            let [_, _, s0, s1, .., f0, f1] = *view.take::<12>(Header::Erspan)?;
            push(encapsulation, Layer::Erspan { version: 3, session: Some(session(s0, s1)) })?;
            let bits = u16::from_be_bytes([f0, f1]);
            if bits & 1 != 0 {
                // The optional platform header.
                view.take::<8>(Header::Erspan)?;
            }
            match bits >> 10 & 0x1f {
                FRAME_ETHERNET => Ok(Next::Ethernet),
                FRAME_IP => Ok(Next::Ip),
                _ => Err(DecodeError::new(Header::Erspan, Fault::Unsupported)),
            }
        }
        Some(_) => Err(DecodeError::new(Header::Erspan, Fault::BadVersion)),
        None => Err(DecodeError::truncated(Header::Erspan)),
    }
}

/// The low ten bits.
const fn session(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low]) & 0x03ff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(has_header: bool, bytes: &[u8]) -> (Result<Next, DecodeError>, Vec<Layer>, usize) {
        let mut encapsulation = Encapsulation::default();
        let mut view = View::new(bytes, 0);
        let next = read(has_header, &mut view, &mut encapsulation);
        (next, encapsulation.layers().to_vec(), view.bytes.len())
    }

    #[test]
    fn reads_all_types() {
        let layer = Layer::Erspan { version: 1, session: None };
        assert_eq!(decode(false, &[1, 2, 3]), (Ok(Next::Ethernet), vec![layer], 3));
        let layer = Layer::Erspan { version: 2, session: Some(0x3ff) };
        assert_eq!(
            decode(true, &[0x1f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 9]),
            (Ok(Next::Ethernet), vec![layer], 1)
        );
        let layer = Layer::Erspan { version: 3, session: Some(0x101) };
        let mut type_iii = [0x20, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0x80, 0, 9, 9, 9, 9, 9, 9, 9, 9];
        assert_eq!(decode(true, &type_iii), (Ok(Next::Ethernet), vec![layer], 8));
        type_iii[11] = 1;
        assert_eq!(decode(true, &type_iii), (Ok(Next::Ethernet), vec![layer], 0));
        type_iii[10] = 0x08;
        assert_eq!(decode(true, &type_iii), (Ok(Next::Ip), vec![layer], 0));
        type_iii[10] = 0x04;
        assert_eq!(decode(true, &type_iii).0, Err(DecodeError::new(Header::Erspan, Fault::Unsupported)));
    }

    #[test]
    fn rejects_unknown_versions_and_cut_headers() {
        assert_eq!(decode(true, &[0x30; 20]).0, Err(DecodeError::new(Header::Erspan, Fault::BadVersion)));
        for bytes in [&[][..], &[0x10; 7], &[0x20; 11]] {
            assert_eq!(decode(true, bytes).0, Err(DecodeError::truncated(Header::Erspan)));
        }
    }
}
