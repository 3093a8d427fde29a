//! The IPv4 header [RFC 791].

use std::net::IpAddr;

use etherparse::Ipv4HeaderSlice;
use etherparse::err::ipv4::{HeaderError, HeaderSliceError};

use super::error::{DecodeError, Fault, Header};
use super::ip::{Ends, Fragment};
use super::view::View;

/// What matters of the header.
#[derive(Debug)]
pub(super) struct Ipv4 {
    pub ends: Ends,
    pub protocol: u8,
    /// Set for all but whole packets.
    pub fragment: Option<Fragment>,
}

/// Goes over the header and cuts the view to the packet's length.
#[inline]
pub(super) fn read(view: &mut View<'_>) -> Result<Ipv4, DecodeError> {
    let header = Ipv4HeaderSlice::from_slice(view.bytes).map_err(fault)?;
    let header_bytes = header.slice().len();
    let total_bytes = usize::from(header.total_len());
    // A length of 0 is left by segmentation offload: the packet is as long as the frame.
    if total_bytes != 0 {
        if total_bytes < header_bytes {
            return Err(DecodeError::new(Header::Ipv4, Fault::BadLength));
        }
        view.limit(total_bytes as u32);
    }
    view.advance(header_bytes, Header::Ipv4)?;
    let protocol = header.protocol().0;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        identification: u32::from(header.identification()),
        protocol,
        offset_bytes: u32::from(header.fragments_offset().value()) * 8,
        has_more: header.more_fragments(),
    });
    let ends =
        Ends { source: IpAddr::V4(header.source_addr()), destination: IpAddr::V4(header.destination_addr()) };
    Ok(Ipv4 { ends, protocol, fragment })
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
        assert_eq!((header.protocol, header.fragment), (6, None));
        assert_eq!((view.bytes, view.wire_bytes), (&[1, 2][..], 2));

        let bytes = packet(|bytes| bytes[2] = 1);
        let mut view = View::new(&bytes, 0);
        read(&mut view).unwrap();
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
