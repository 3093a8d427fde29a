//! pcap files: one header, then records (draft-ietf-opsawg-pcap).

use std::ops::Range;

use super::buffer::{Buffer, MAX_RECORD_BYTES};
use super::error::{CaptureError, DamageKind, DamageLog};
use super::frame::Interface;
use super::link_type::LinkType;
use crate::model::Timestamp;

const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
/// The record header of Alexey Kuznetzov's variant: the usual one, then an interface index, a
/// protocol and a packet type, which are not used here.
const MODIFIED_RECORD_HEADER_BYTES: usize = 24;

/// Records are taken up to this length even where the file header says less: some writers say less
/// than they write. It is what packet tools take as the largest packet of a network link.
const LARGEST_USUAL_PACKET: u32 = 262_144;

/// A packet that was found, its bytes still in the buffer.
pub(super) struct Located {
    pub timestamp: Timestamp,
    pub interface: u32,
    pub wire_bytes: u32,
    pub data: Range<usize>,
}

/// The records of a pcap file.
#[derive(Debug)]
pub(super) struct Pcap {
    interface: [Interface; 1],
    /// Magic number and version, as they stand in the file.
    form: [u8; 8],
    is_big_endian: bool,
    /// Nanoseconds of one unit of the fraction.
    fraction_nanoseconds: u64,
    record_header_bytes: usize,
    limit_bytes: u32,
    length_order: LengthOrder,
}

/// Which of the two lengths of a record is the captured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthOrder {
    CapturedFirst,
    /// As before version 2.3.
    WireFirst,
    /// Version 2.3 had both; the captured one is the smaller.
    SmallerIsCaptured,
}

impl Pcap {
    /// Reads the file header.
    ///
    /// The upper 16 bits of the link type field hold the length of the frame check sequence and
    /// flags; they are left out. A check sequence stays part of the frame: the lengths inside it say
    /// where the packet ends.
    pub(super) fn open(buffer: &mut Buffer) -> Result<Self, CaptureError> {
        if !buffer.has(FILE_HEADER_BYTES)? {
            return Err(CaptureError::HeaderCutOff { format: "pcap", have_bytes: buffer.available().len() });
        }
        let Some(&[a, b, c, d, major_0, major_1, minor_0, minor_1, ..]) =
            buffer.available().first_chunk::<FILE_HEADER_BYTES>()
        else {
            return Err(CaptureError::HeaderBroken);
        };
        let is_big_endian = a == 0xa1;
        let magic = if is_big_endian { [a, b, c, d] } else { [d, c, b, a] };
        let short = |bytes| if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let (major, minor) = (short([major_0, major_1]), short([minor_0, minor_1]));
        if major != 2 {
            return Err(CaptureError::UnsupportedVersion { format: "pcap", major, minor });
        }
        let snaplen = word_at(buffer.available(), 16, is_big_endian);
        let network = word_at(buffer.available(), 20, is_big_endian);
        let limit_bytes = match snaplen {
            1..=MAX_SNAPLEN => snaplen.max(LARGEST_USUAL_PACKET),
            // No limit given, or a senseless one.
            _ => MAX_SNAPLEN,
        };
        let link_type = LinkType((network & 0xffff) as u16);
        buffer.consume_bytes(FILE_HEADER_BYTES);
        Ok(Self {
            form: [a, b, c, d, major_0, major_1, minor_0, minor_1],
            interface: [Interface { link_type, name: None, kind: None }],
            is_big_endian,
            fraction_nanoseconds: if magic == [0xa1, 0xb2, 0x3c, 0x4d] { 1 } else { 1_000 },
            record_header_bytes: if magic == [0xa1, 0xb2, 0xcd, 0x34] {
                MODIFIED_RECORD_HEADER_BYTES
            } else {
                RECORD_HEADER_BYTES
            },
            limit_bytes,
            length_order: match minor {
                0..=2 => LengthOrder::WireFirst,
                3 => LengthOrder::SmallerIsCaptured,
                _ => LengthOrder::CapturedFirst,
            },
        })
    }

    pub(super) const fn interfaces(&self) -> &[Interface] {
        &self.interface
    }

    /// The next record, where it lies whole in the buffer and has nothing to note: the way of nearly all.
    #[inline(always)]
    pub(super) fn next_at_hand(&self, buffer: &mut Buffer) -> Option<Located> {
        let header_bytes = self.record_header_bytes;
        let available = buffer.available();
        let header = available.first_chunk::<RECORD_HEADER_BYTES>()?;
        let [seconds, fraction, first, second] = words(header, self.is_big_endian);
        let (captured, wire) = self.lengths(first, second);
        let record_bytes = header_bytes + captured as usize;
        if captured == 0 || captured > self.limit_bytes || record_bytes > available.len() {
            return None;
        }
        Some(self.locate(buffer, (seconds, fraction), record_bytes, wire.max(captured)))
    }

    /// Captured and wire length, from the last two words of a record header.
    #[inline]
    fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        match self.length_order {
            LengthOrder::CapturedFirst => (first, second),
            LengthOrder::WireFirst => (second, first),
            LengthOrder::SmallerIsCaptured => (first.min(second), first.max(second)),
        }
    }

    /// Goes over a record that is whole in the buffer.
    #[inline(always)]
    fn locate(
        &self,
        buffer: &mut Buffer,
        (seconds, fraction): (u32, u32),
        record_bytes: usize,
        wire_bytes: u32,
    ) -> Located {
        // Cannot overflow: 2^32 seconds and 2^32 microseconds are less than 2^63 nanoseconds.
        let nanoseconds =
            u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.fraction_nanoseconds;
        Located {
            timestamp: Timestamp::from_nanos(nanoseconds),
            interface: 0,
            wire_bytes,
            data: buffer.take(record_bytes, self.record_header_bytes..record_bytes),
        }
    }

    /// Whether a file header says of its records what that of this file says.
    fn is_same_form(&self, header: &[u8]) -> bool {
        let network = word_at(header, 20, self.is_big_endian);
        header.starts_with(&self.form) && LinkType((network & 0xffff) as u16) == self.interface[0].link_type
    }

    /// The next record; `None` where there is none or the rest cannot be read, which is noted.
    pub(super) fn next(
        &self,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Result<Option<Located>, CaptureError> {
        let header_bytes = self.record_header_bytes;
        loop {
            if !buffer.has(header_bytes)? {
                let have = buffer.available().len() as u64;
                buffer.note_end(damage, buffer.position(), have, header_bytes as u64);
                return Ok(None);
            }
            let Some(header) = buffer.available().first_chunk::<RECORD_HEADER_BYTES>() else {
                return Ok(None);
            };
            let [seconds, fraction, first, second] = words(header, self.is_big_endian);
            let (captured, wire) = self.lengths(first, second);
            if captured > self.limit_bytes {
                damage.note(buffer.position(), DamageKind::RecordLength { claimed_bytes: captured });
                return Ok(None);
            }
            if (captured, wire) == (0, 0) && is_file_header(header) {
                let offset = buffer.position();
                let read_on = buffer.has(FILE_HEADER_BYTES)? && self.is_same_form(buffer.available());
                damage.note(offset, DamageKind::AnotherCapture { read_on });
                if !read_on {
                    return Ok(None);
                }
                buffer.consume_bytes(FILE_HEADER_BYTES);
                continue;
            }
            if (captured, wire, seconds, fraction) == (0, 0, 0, 0) {
                damage.note(buffer.position(), DamageKind::EmptyRecords { records: 1 });
                buffer.consume_bytes(header_bytes);
                continue;
            }
            let record_bytes = header_bytes + captured as usize;
            if !buffer.has(record_bytes)? {
                let have = buffer.available().len() as u64;
                buffer.note_end(damage, buffer.position(), have, record_bytes as u64);
                return Ok(None);
            }
            return Ok(Some(self.locate(buffer, (seconds, fraction), record_bytes, wire.max(captured))));
        }
    }
}

/// True for what begins like a file header and would be a strange record: an empty one of the year 2055 or later.
#[cold]
fn is_file_header(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.first_chunk() else { return false };
    let (magic, version) = match a {
        0xa1 => ([a, b, c, d], [e, f, g, h]),
        _ => ([d, c, b, a], [f, e, h, g]),
    };
    let is_magic =
        matches!(magic, [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] | [0xa1, 0xb2, 0xcd, 0x34]);
    is_magic && matches!(version, [0, 2, 0, 0..=4])
}

/// The largest limit a file header may set.
const MAX_SNAPLEN: u32 = MAX_RECORD_BYTES as u32;

/// Four words of a record header.
#[inline]
fn words(header: &[u8; 16], is_big_endian: bool) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *header;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
        .map(|bytes| if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

/// The word at byte `at`; 0 behind the end, which callers exclude.
#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize, is_big_endian: bool) -> u32 {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::error::Damage;
    use crate::capture::writer::{Order, Pcap as Writer};

    /// Nanoseconds, length on the wire, bytes.
    type Packet = (u64, u32, Vec<u8>);

    fn read(bytes: &[u8]) -> (Pcap, Vec<Packet>, DamageLog) {
        let mut buffer = Buffer::new(Box::new(std::io::Cursor::new(bytes.to_vec())), 64);
        let mut damage = DamageLog::default();
        let pcap = Pcap::open(&mut buffer).unwrap();
        let mut packets = Vec::new();
        while let Some(located) = pcap.next(&mut buffer, &mut damage).unwrap() {
            packets.push((
                located.timestamp.as_nanos(),
                located.wire_bytes,
                buffer.slice(located.data).to_vec(),
            ));
        }
        (pcap, packets, damage)
    }

    #[test]
    fn reads_both_byte_orders_and_units() {
        for order in [Order::Little, Order::Big] {
            for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1_000)] {
                let mut file = Writer::new(order, magic, 1);
                file.packet(7, 5, 60, b"abc");
                file.packet(u32::MAX, u32::MAX, 3, b"def");
                let (pcap, packets, damage) = read(&file.bytes);
                assert_eq!(pcap.interfaces()[0].link_type, LinkType::ETHERNET);
                assert_eq!(
                    packets[0],
                    (7_000_000_000 + 5 * unit, 60, b"abc".to_vec()),
                    "{order:?} {magic:x}"
                );
                // A fraction of more than a second counts as it is.
                let late = u64::from(u32::MAX);
                assert_eq!(packets[1], (late * 1_000_000_000 + late * unit, 3, b"def".to_vec()));
                assert!(damage.list().is_empty());
            }
        }
    }

    #[test]
    fn is_not_confused_by_the_check_sequence_length() {
        let file = Writer::new(Order::Little, 0xa1b2_c3d4, 0x2400_0001 | 1 << 26);
        assert_eq!(read(&file.bytes).0.interfaces()[0].link_type, LinkType::ETHERNET);
        let file = Writer::new(Order::Big, 0xa1b2_c3d4, 0xffff_0071);
        assert_eq!(read(&file.bytes).0.interfaces()[0].link_type, LinkType::LINUX_SLL);
    }

    #[test]
    fn stops_at_a_length_that_cannot_be() {
        let mut file = Writer::new(Order::Little, 0xa1b2_c3d4, 1);
        file.packet(1, 0, 3, b"abc");
        let offset = file.bytes.len() as u64;
        file.header(1, 0, 262_145, 262_145);
        file.bytes.extend_from_slice(&[0; 300_000]);
        let (_, packets, damage) = read(&file.bytes);
        assert_eq!(packets.len(), 1);
        assert_eq!(damage.list().len(), 1);
        assert_eq!(damage.list()[0].offset, offset);
        assert_eq!(damage.list()[0].kind, DamageKind::RecordLength { claimed_bytes: 262_145 });
    }

    #[test]
    fn goes_over_zeros_and_counts_them() {
        let mut file = Writer::new(Order::Little, 0xa1b2_c3d4, 1);
        file.packet(1, 0, 3, b"abc");
        let offset = file.bytes.len() as u64;
        file.bytes.extend_from_slice(&[0; 16 * 500]);
        file.packet(2, 0, 0, b"");
        let (_, packets, damage) = read(&file.bytes);
        assert_eq!(packets.len(), 2);
        assert_eq!(damage.list().len(), 1);
        assert_eq!(damage.list()[0].offset, offset);
        assert_eq!(damage.list()[0].kind, DamageKind::EmptyRecords { records: 500 });
    }

    #[test]
    fn reads_on_where_files_were_joined() {
        for order in [Order::Little, Order::Big] {
            for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34] {
                let mut file = Writer::new(order, magic, 1);
                file.packet(1, 0, 3, b"abc");
                // An empty record of a time like any other.
                file.packet(2, 0, 0, b"");
                let whole = file.bytes;
                let offset = whole.len() as u64;
                let (_, packets, damage) = read(&[&whole[..], &whole].concat());
                assert_eq!(packets.len(), 4, "{order:?} {magic:x}");
                assert_eq!(
                    damage.list(),
                    [Damage { offset, kind: DamageKind::AnotherCapture { read_on: true } }]
                );
                let other_order = if matches!(order, Order::Little) { Order::Big } else { Order::Little };
                let other_magic = if magic == 0xa1b2_c3d4 { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
                for other in [
                    Writer::new(order, magic, 113),
                    Writer::new(order, other_magic, 1),
                    Writer::new(other_order, magic, 1),
                ] {
                    let (_, packets, damage) = read(&[&whole[..], &other.bytes, &whole].concat());
                    assert_eq!(packets.len(), 2);
                    assert_eq!(damage.list()[0].kind, DamageKind::AnotherCapture { read_on: false });
                }
            }
        }
    }

    #[test]
    fn takes_large_packets_where_the_header_allows_them() {
        let mut file = Writer::new(Order::Little, 0xa1b2_c3d4, 1);
        file.bytes[16..20].copy_from_slice(&1_000_000_u32.to_le_bytes());
        file.packet(1, 0, 600_000, &vec![9; 600_000]);
        file.packet(1, 0, 4, b"next");
        let (_, packets, damage) = read(&file.bytes);
        assert_eq!(packets[0].2.len(), 600_000);
        assert_eq!(packets[1].2, b"next");
        assert!(damage.list().is_empty());
    }

    #[test]
    fn knows_the_order_of_lengths_of_old_versions() {
        let mut file = Writer::new(Order::Little, 0xa1b2_c3d4, 1);
        file.bytes[6] = 2;
        file.header(1, 0, 60, 3);
        file.bytes.extend_from_slice(b"abc");
        assert_eq!(read(&file.bytes).1, [(1_000_000_000, 60, b"abc".to_vec())]);
        file.bytes[6] = 3;
        assert_eq!(read(&file.bytes).1, [(1_000_000_000, 60, b"abc".to_vec())]);
    }

    #[test]
    fn refuses_an_unknown_version() {
        let mut file = Writer::new(Order::Little, 0xa1b2_c3d4, 1);
        file.bytes[4] = 9;
        let mut buffer = Buffer::new(Box::new(std::io::Cursor::new(file.bytes)), 64);
        assert_eq!(Pcap::open(&mut buffer).unwrap_err().reason(), "unsupported_version");
    }
}
