//! GENEVE [RFC 8926], with the options of the AWS Gateway Load Balancer
//! [<https://github.com/aws-samples/aws-gateway-load-balancer-tunnel-handler>].

use super::decoder::{Next, push};
use super::error::{DecodeError, Header};
use super::ether_type;
use super::view::View;
use crate::model::{Encapsulation, Layer};

/// The option class of AWS.
const CLASS_AWS: u16 = 0x0108;
/// "The receiver must understand this": part of the type field, not of the type.
const CRITICAL: u8 = 0x80;
/// The Gateway Load Balancer endpoint the packet came through, eight bytes.
const TYPE_ENDPOINT: u8 = 1;
/// The attachment, eight bytes.
const TYPE_ATTACHMENT: u8 = 2;

/// Goes over header and options; `None`, and nothing done, where it is none.
pub(super) fn read(
    view: &mut View<'_>,
    encapsulation: &mut Encapsulation,
) -> Result<Option<Next>, DecodeError> {
    let cut = if view.is_whole() { Ok(None) } else { Err(DecodeError::truncated(Header::Geneve)) };
    let mut inside = *view;
    let Ok(header) = inside.take::<8>(Header::Geneve) else { return cut };
    let [version_length, _, p0, p1, v0, v1, v2, _] = *header;
    let protocol = u16::from_be_bytes([p0, p1]);
    let is_known = matches!(
        protocol,
        ether_type::IPV4
            | ether_type::IPV6
            | ether_type::BRIDGED
            | ether_type::MPLS
            | ether_type::MPLS_UPSTREAM
    );
    if version_length >> 6 != 0 || !is_known {
        return Ok(None);
    }
    // Six bits, in units of four bytes.
    let option_bytes = usize::from(version_length) * 4;
    if option_bytes as u64 > u64::from(inside.wire_bytes) {
        return Ok(None);
    }
    let Some(options) = inside.bytes.get(..option_bytes) else { return cut };
    let Some((endpoint_id, attachment_id)) = read_options(options) else { return Ok(None) };
    inside.advance(option_bytes, Header::Geneve)?;
    let vni = u32::from_be_bytes([0, v0, v1, v2]);
    push(encapsulation, Layer::Geneve { vni, endpoint_id, attachment_id })?;
    *view = inside;
    Ok(Some(Next::EtherType(protocol)))
}

/// The ids of endpoint and attachment, where there; `None` where an option goes beyond the end.
fn read_options(mut options: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let (mut endpoint_id, mut attachment_id) = (None, None);
    // At most 63 rounds: each takes four bytes or more.
    while !options.is_empty() {
        let (&[c0, c1, kind, length], rest) = options.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(length & 0x1f) * 4)?;
        if u16::from_be_bytes([c0, c1]) == CLASS_AWS
            && let Ok(id) = <[u8; 8]>::try_from(value).map(u64::from_be_bytes)
        {
            match kind & !CRITICAL {
                TYPE_ENDPOINT => endpoint_id = Some(id),
                TYPE_ATTACHMENT => attachment_id = Some(id),
                _ => {}
            }
        }
        options = rest;
    }
    Some((endpoint_id, attachment_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: [u8; 40] = [
        8, 0, 0x08, 0, 0, 0, 0, 0, // header: eight units of options, IPv4
        1, 8, 1, 2, 0, 0, 0, 0, 0, 0, 0, 7, // endpoint
        1, 8, 0x82, 2, 0, 0, 0, 0, 0, 0, 0, 9, // attachment, critical
        1, 8, 3, 1, 0xde, 0xad, 0xbe, 0xef, // flow cookie
    ];

    fn decode(bytes: &[u8], wire_bytes: u32) -> (Result<Option<Next>, DecodeError>, Vec<Layer>, usize) {
        let mut encapsulation = Encapsulation::default();
        let mut view = View::new(bytes, wire_bytes);
        let next = read(&mut view, &mut encapsulation);
        (next, encapsulation.layers().to_vec(), view.bytes.len())
    }

    #[test]
    fn reads_ids_of_the_load_balancer() {
        let layer = Layer::Geneve { vni: 0, endpoint_id: Some(7), attachment_id: Some(9) };
        assert_eq!(decode(&AWS, 0), (Ok(Some(Next::EtherType(0x0800))), vec![layer], 0));
        for end in 0..AWS.len() {
            assert_eq!(decode(&AWS[..end], 40).0, Err(DecodeError::truncated(Header::Geneve)), "{end}");
            assert_eq!(decode(&AWS[..end], 0).0, Ok(None), "{end}");
        }
    }

    #[test]
    fn ignores_options_of_others() {
        let mut bytes = AWS;
        bytes[9] = 9;
        bytes[22] = 0x84;
        let layer = Layer::Geneve { vni: 0, endpoint_id: None, attachment_id: None };
        assert_eq!(decode(&bytes, 0).1, [layer]);
    }

    #[test]
    fn leaves_what_is_no_geneve() {
        for (at, value) in [(0, 0x48), (2, 0x09), (11, 31)] {
            let mut bytes = AWS;
            bytes[at] = value;
            assert_eq!(decode(&bytes, 0), (Ok(None), vec![], 40), "{at}");
        }
    }
}
