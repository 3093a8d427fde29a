//! The TCP header [RFC 9293].

use etherparse::TcpHeaderSlice;
use etherparse::err::tcp::HeaderSliceError;

use super::error::{DecodeError, Fault, Header};
use super::ip::Ends;
use super::view::View;
use super::{Segment, TcpFlags};

/// Where the low byte of the flags stands.
const FLAGS_OFFSET: usize = 13;

/// IPv4 payload of the shortest Ethernet frame: 46 bytes less the IP header.
pub(super) const SHORTEST_FRAME_BYTES: u32 = 26;

/// Reads a segment. The checksum is not looked at: captures of a sending host have none yet.
#[inline]
pub(super) fn read<'a>(ends: Ends, mut view: View<'a>) -> Result<Segment<'a>, DecodeError> {
    let header = TcpHeaderSlice::from_slice(view.bytes).map_err(|error| fault(&error, &view))?;
    // Of IPv6 no frame with a segment is that short.
    let is_shortest = view.wire_bytes == SHORTEST_FRAME_BYTES && ends.source.is_ipv4();
    let flags = TcpFlags(header.slice().get(FLAGS_OFFSET).copied().unwrap_or_default());
    view.advance(header.slice().len(), Header::Tcp)?;
    if is_shortest && flags.0 == TcpFlags::ACK && view.bytes.iter().all(|&byte| byte == 0) {
        // Some devices count the padding of a bare acknowledgment into the IP length. Those bytes
        // were never sent and must not take the place of the data that comes next. Six zeros that were
        // sent look the same: the checksum tells nothing, as it is made anew where the length is changed.
        view = View { bytes: &[], wire_bytes: 0 };
    }
    let (source, destination) = ends.with_ports(header.source_port(), header.destination_port());
    Ok(Segment {
        source,
        destination,
        sequence: header.sequence_number(),
        acknowledgment: header.acknowledgment_number(),
        flags,
        payload: view.bytes,
        payload_wire_bytes: view.wire_bytes,
        excess_bytes: 0,
    })
}

/// The FCS of an Ethernet frame, which some devices leave at its end.
const FCS_BYTES: u32 = 4;

/// Reads the segment of a packet whose header says that it is `excess_bytes` longer than it was on the wire.
///
/// A host drops such a packet, and what it says is missing was never in its stream: taken for bytes that were lost, it would
/// stand in the way of those that were sent. But a tap that slices frames says no more of what it cut off than this length, and
/// is read for what it left: what it cut off is a gap, which the sequence numbers of what follows tell. So
/// what is there counts, as it does where a checksum is wrong, but for what may be the padding of a short frame.
#[cold]
pub(super) fn read_too_long<'a>(
    ends: Ends,
    mut view: View<'a>,
    excess_bytes: u32,
) -> Result<Segment<'a>, DecodeError> {
    view.wire_bytes = view.wire_bytes.saturating_sub(excess_bytes).max(view.bytes.len() as u32);
    // Of IPv6 no frame with a segment is that short.
    let may_be_padding = view.wire_bytes <= SHORTEST_FRAME_BYTES + FCS_BYTES && ends.source.is_ipv4();
    let segment = Segment { excess_bytes, ..read(ends, view)? };
    Ok(if may_be_padding {
        let excess_bytes = excess_bytes.saturating_add(segment.payload_wire_bytes);
        Segment { payload: &[], payload_wire_bytes: 0, excess_bytes, ..segment }
    } else {
        segment
    })
}

#[cold]
fn fault(error: &HeaderSliceError, view: &View<'_>) -> DecodeError {
    match error {
        HeaderSliceError::Len(length) if length.required_len as u64 <= u64::from(view.wire_bytes) => {
            DecodeError::truncated(Header::Tcp)
        }
        // Longer than its packet: not the capture's fault.
        HeaderSliceError::Len(length) if length.required_len > etherparse::TcpHeader::MIN_LEN => {
            DecodeError::new(Header::Tcp, Fault::BadHeaderLength)
        }
        HeaderSliceError::Len(_) => DecodeError::truncated(Header::Tcp),
        HeaderSliceError::Content(_) => DecodeError::new(Header::Tcp, Fault::BadHeaderLength),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const ENDS: Ends = Ends {
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        destination: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    };

    fn bytes() -> Vec<u8> {
        let mut bytes = vec![0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, 0x60, 0x18, 1, 0, 0, 0, 0, 0];
        bytes.extend([1, 1, 1, 1, b'h', b'i']);
        bytes
    }

    #[test]
    fn reads_all_fields_behind_options() {
        let bytes = bytes();
        let segment = read(ENDS, View::new(&bytes, 30)).unwrap();
        assert_eq!(segment.source.to_string(), "10.0.0.1:12345");
        assert_eq!(segment.destination.to_string(), "10.0.0.2:443");
        assert_eq!((segment.sequence, segment.acknowledgment), (7, 9));
        assert_eq!(segment.flags, TcpFlags(TcpFlags::ACK | TcpFlags::PSH));
        assert_eq!((segment.payload, segment.payload_wire_bytes), (&b"hi"[..], 6));
    }

    #[test]
    fn leaves_out_padding_that_was_counted() {
        let mut bytes = bytes();
        bytes.truncate(20);
        (bytes[12], bytes[13]) = (0x50, TcpFlags::ACK);
        bytes.extend([0; 6]);
        let length = |bytes: &[u8]| read(ENDS, View::new(bytes, 0)).unwrap().payload_wire_bytes;
        assert_eq!(length(&bytes), 0);
        assert_eq!(length(&[&bytes[..], &[0]].concat()), 7);
        assert_eq!(length(&bytes[..25]), 5);
        bytes[22] = 1;
        assert_eq!(length(&bytes), 6);
        (bytes[22], bytes[13]) = (0, TcpFlags::ACK | TcpFlags::PSH);
        assert_eq!(length(&bytes), 6);
        bytes[13] = TcpFlags::ACK;
        assert_eq!(length(&bytes), 0);
        let ends = Ends { source: Ipv6Addr::LOCALHOST.into(), destination: Ipv6Addr::LOCALHOST.into() };
        assert_eq!(read(ends, View::new(&bytes, 0)).unwrap().payload_wire_bytes, 6, "never padded");
    }

    #[test]
    fn tells_cut_from_wrong_headers() {
        let mut bytes = bytes();
        let reason = |bytes: &[u8], wire| read(ENDS, View::new(bytes, wire)).unwrap_err().reason();
        for end in 0..24 {
            assert_eq!(reason(&bytes[..end], 26), "truncated", "{end}");
        }
        assert_eq!(reason(&bytes[..22], 22), "bad_header_length");
        bytes[12] = 0x40;
        assert_eq!(reason(&bytes, 26), "bad_header_length");
    }
}
