//! The IPv4 header [RFC 791].

use std::net::{IpAddr, Ipv4Addr};

use etherparse::Ipv4HeaderSlice;
use etherparse::err::ipv4::{HeaderError, HeaderSliceError};

use super::error::{DecodeError, Fault, Header};
use super::ip::{Ends, Fragment};
use super::view::View;

/// Options [IANA, Internet Protocol Version 4 Parameters].
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// What matters of the header.
#[derive(Debug)]
pub(super) struct Ipv4 {
    pub ends: Ends,
    pub protocol: u8,
    /// Set for all but whole packets.
    pub fragment: Option<Fragment>,
    /// By how many bytes it says that it is longer than there was room for on the wire.
    pub excess_bytes: u32,
}

/// Goes over the header and cuts the view to the packet's length.
#[inline]
pub(super) fn read(view: &mut View<'_>) -> Result<Ipv4, DecodeError> {
    let header = Ipv4HeaderSlice::from_slice(view.bytes).map_err(fault)?;
    let header_bytes = header.slice().len();
    let total_bytes = usize::from(header.total_len());
    let mut excess_bytes = 0;
    // A length of 0 is left by segmentation offload: the packet is as long as the frame.
    if total_bytes != 0 {
        if total_bytes < header_bytes {
            return Err(DecodeError::new(Header::Ipv4, Fault::BadLength));
        }
        excess_bytes = view.limit(total_bytes as u32);
    }
    view.advance(header_bytes, Header::Ipv4)?;
    let protocol = header.protocol().0;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        identification: u32::from(header.identification()),
        protocol,
        offset_bytes: u32::from(header.fragments_offset().value()) * 8,
        has_more: header.more_fragments(),
    });
    let destination = match header.options() {
        [] => header.destination_addr(),
        options => destination_in_the_end(options).unwrap_or_else(|| header.destination_addr()),
    };
    let ends = Ends { source: IpAddr::V4(header.source_addr()), destination: IpAddr::V4(destination) };
    Ok(Ipv4 { ends, protocol, fragment, excess_bytes })
}

/// The address that a source route leads to [RFC 791 section 3.1], as long as the packet is not on its last way.
#[cold]
fn destination_in_the_end(mut options: &[u8]) -> Option<Ipv4Addr> {
    // At most 40 rounds: each takes a byte or more.
    loop {
        match *options {
            [NO_OPERATION, ref rest @ ..] => options = rest,
            [kind, length, ..] if kind != END_OF_OPTIONS && length >= 2 => {
                let (option, rest) = options.split_at_checked(usize::from(length))?;
                if matches!(kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE) {
                    let (&[_, _, pointer], route) = option.split_first_chunk::<3>()?;
                    let last = route.last_chunk::<4>()?;
                    return (pointer <= length).then(|| Ipv4Addr::from(*last));
                }
                options = rest;
            }
            _ => return None,
        }
    }
}

#[cold]
fn fault(error: HeaderSliceError) -> DecodeError {
    match error {
        HeaderSliceError::Len(_) => DecodeError::truncated(Header::Ipv4),
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { .. }) => {
            DecodeError::new(Header::Ipv4, Fault::BadVersion)
        }
        HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { .. }) => {
            DecodeError::new(Header::Ipv4, Fault::BadHeaderLength)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 20] = [0x45, 0, 0, 22, 0x12, 0x34, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];

    fn packet(change: impl Fn(&mut [u8])) -> Vec<u8> {
        let mut bytes = [&HEADER[..], &[1, 2, 3, 4]].concat();
        change(&mut bytes);
        bytes
    }

    fn error_of(bytes: &[u8]) -> &'static str {
        read(&mut View::new(bytes, 0)).unwrap_err().reason()
    }

    #[test]
    fn cuts_padding_and_knows_what_is_missing() {
        let bytes = packet(|_| {});
        let mut view = View::new(&bytes, 0);
        let header = read(&mut view).unwrap();
        assert_eq!((header.protocol, header.fragment, header.excess_bytes), (6, None, 0));
        assert_eq!((view.bytes, view.wire_bytes), (&[1, 2][..], 2));

        let bytes = packet(|bytes| bytes[2] = 1);
        let mut view = View::new(&bytes, 0);
        assert_eq!(read(&mut view).unwrap().excess_bytes, 256 + 22 - 24);
        assert_eq!((view.bytes, view.wire_bytes), (&[1, 2, 3, 4][..], 256 + 22 - 20));
    }

    #[test]
    fn takes_all_where_offload_left_no_length() {
        let bytes = packet(|bytes| bytes[3] = 0);
        let mut view = View::new(&bytes, 100);
        read(&mut view).unwrap();
        assert_eq!((view.bytes, view.wire_bytes), (&[1, 2, 3, 4][..], 80));
    }

    #[test]
    fn goes_over_options() {
        let bytes = packet(|bytes| (bytes[0], bytes[3]) = (0x46, 24));
        let mut view = View::new(&bytes, 0);
        read(&mut view).unwrap();
        assert_eq!((view.bytes, view.wire_bytes), (&[][..], 0));
    }

    #[test]
    fn knows_where_a_source_route_leads() {
        let route = |kind: u8, pointer: u8| [1, kind, 11, pointer, 10, 9, 9, 1, 10, 9, 9, 2];
        let last = Some(Ipv4Addr::new(10, 9, 9, 2));
        assert_eq!(destination_in_the_end(&route(131, 4)), last);
        assert_eq!(destination_in_the_end(&route(137, 8)), last);
        assert_eq!(destination_in_the_end(&route(131, 12)), None, "on its last way");
        assert_eq!(destination_in_the_end(&route(7, 4)), None, "a record of the route");
        assert_eq!(destination_in_the_end(&[0x94, 4, 0, 0, 131, 7, 4, 10, 9, 9, 2, 0]), last);
        for broken in
            [&[][..], &[0, 131], &[131], &[131, 0, 4], &[131, 3, 4], &[131, 7, 4, 10], &[7, 1, 1, 1]]
        {
            assert_eq!(destination_in_the_end(broken), None, "{broken:?}");
        }
        let bytes = packet(|bytes| (bytes[0], bytes[3]) = (0x48, 32));
        let with_route = [&bytes[..20], &route(131, 4)].concat();
        let ends = read(&mut View::new(&with_route, 0)).unwrap().ends;
        assert_eq!(ends.destination.to_string(), "10.9.9.2");
    }

    #[test]
    fn rejects_broken_headers() {
        assert_eq!(error_of(&packet(|bytes| bytes[0] = 0x65)), "bad_version");
        assert_eq!(error_of(&packet(|bytes| bytes[0] = 0x44)), "bad_header_length");
        assert_eq!(error_of(&packet(|bytes| bytes[3] = 19)), "bad_length");
        assert_eq!(error_of(&packet(|bytes| bytes[0] = 0x4f)), "truncated");
        for end in 0..20 {
            assert_eq!(error_of(&HEADER[..end]), "truncated");
        }
    }

    #[test]
    fn finds_fragments() {
        let bytes = packet(|bytes| (bytes[6], bytes[7]) = (0x20, 0x03));
        let fragment = read(&mut View::new(&bytes, 0)).unwrap().fragment.unwrap();
        let expected = Fragment { identification: 0x1234, protocol: 6, offset_bytes: 24, has_more: true };
        assert_eq!(fragment, expected);
        let bytes = packet(|bytes| bytes[6] = 0x40);
        assert_eq!(read(&mut View::new(&bytes, 0)).unwrap().fragment, None);
    }
}
