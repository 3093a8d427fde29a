//! The IPv6 header [RFC 8200]. Its extension headers are read like upper protocols are.

use std::net::IpAddr;

use etherparse::Ipv6HeaderSlice;
use etherparse::err::ipv6::HeaderSliceError;

use super::error::{DecodeError, Fault, Header};
use super::ip::Ends;
use super::view::View;

pub(super) const HEADER_BYTES: usize = 40;

/// What matters of the header.
#[derive(Debug)]
pub(super) struct Ipv6 {
    pub ends: Ends,
    pub next_header: u8,
    /// By how many bytes it says that it is longer than there was room for on the wire.
    pub excess_bytes: u32,
}

/// Goes over the header and cuts the view to the packet's length.
#[inline]
pub(super) fn read(view: &mut View<'_>) -> Result<Ipv6, DecodeError> {
    let header = Ipv6HeaderSlice::from_slice(view.bytes).map_err(|error| match error {
        HeaderSliceError::Len(_) => DecodeError::truncated(Header::Ipv6),
        HeaderSliceError::Content(_) => DecodeError::new(Header::Ipv6, Fault::BadVersion),
    })?;
    view.advance(HEADER_BYTES, Header::Ipv6)?;
    // A length of 0 is a jumbogram [RFC 2675] or left by segmentation offload: the packet is as
    // long as the frame.
    let mut excess_bytes = 0;
    if header.payload_length() != 0 {
        excess_bytes = view.limit(u32::from(header.payload_length()));
    }
    let ends =
        Ends { source: IpAddr::V6(header.source_addr()), destination: IpAddr::V6(header.destination_addr()) };
    Ok(Ipv6 { ends, next_header: header.next_header().0, excess_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload_length: u8) -> Vec<u8> {
        let mut bytes = vec![0; 44];
        (bytes[0], bytes[5], bytes[6]) = (0x60, payload_length, 6);
        (bytes[23], bytes[39]) = (1, 2);
        bytes
    }

    #[test]
    fn cuts_padding_and_takes_all_of_jumbograms() {
        for (length, captured, wire, excess) in [(3, 3, 3, 0), (0, 4, 60, 0), (200, 4, 200, 140)] {
            let bytes = packet(length);
            let mut view = View::new(&bytes, 100);
            let header = read(&mut view).unwrap();
            assert_eq!((view.bytes.len(), view.wire_bytes), (captured, wire));
            assert_eq!((header.next_header, header.excess_bytes), (6, excess));
            assert_eq!(header.ends.source.to_string(), "::1");
            assert_eq!(header.ends.destination.to_string(), "::2");
        }
    }

    #[test]
    fn rejects_broken_headers() {
        let mut bytes = packet(0);
        for end in 0..40 {
            assert_eq!(read(&mut View::new(&bytes[..end], 0)).unwrap_err().reason(), "truncated");
        }
        bytes[0] = 0x45;
        assert_eq!(read(&mut View::new(&bytes, 0)).unwrap_err().reason(), "bad_version");
    }
}
