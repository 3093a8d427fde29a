//! The short way of the decoder for plain packets must say what the general way says, of every packet.

use std::fs::File;

use ddbwatch::capture::{FileSource, FrameSource};
use ddbwatch::decode::{self, Decoded, Decoder, Limits};
use ddbwatch::model::{Encapsulation, Timestamp};

use crate::support;

/// Both ways.
struct Both {
    any: Decoder,
    plain: u64,
    idle: u64,
}

impl Both {
    fn new() -> Self {
        Self { any: Decoder::new(Limits::default()), plain: 0, idle: 0 }
    }

    fn compare(&mut self, link_type: u16, at: Timestamp, data: &[u8], wire_bytes: u32) {
        let (mut around, mut expected_around) = (Encapsulation::default(), Encapsulation::default());
        let expected = self.any.decode(link_type, at, data, wire_bytes, &mut expected_around, &mut None);
        if let Some(found) = decode::read_plain(link_type, data, wire_bytes, &mut around) {
            assert_eq!(Ok(Decoded::Tcp(found)), expected, "{data:02x?}");
            assert_eq!(around, expected_around, "{data:02x?}");
            self.plain += 1;
        } else {
            assert!(around.is_empty(), "{data:02x?}");
        }
        if decode::is_idle_datagram(link_type, data) {
            self.idle += 1;
            let is_datagram = matches!(expected, Ok(Decoded::Udp(datagram)) if datagram.source.port() != 53);
            assert!(is_datagram, "{data:02x?}");
        }
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[test]
fn are_read_as_the_general_way_reads_them() {
    /// Values that decide: versions, protocols, EtherTypes, lengths and flags.
    const VALUES: [u8; 16] = [0, 1, 2, 4, 5, 6, 8, 17, 20, 26, 0x20, 0x40, 0x45, 0x60, 0x81, 0xff];
    /// Where the headers of plain packets end, with a VLAN tag and IPv6.
    const HEADERS: usize = 14 + 4 + 40 + 20;
    let names = crate::golden::names();
    let compared = support::each(&names, |name| {
        let Ok(file) = File::open(support::capture(name)) else { return [0; 3] };
        let Ok(mut source) = FileSource::from_reader(file) else { return [0; 3] };
        let link_types: Vec<u16> =
            source.interfaces().iter().map(|interface| interface.link_type.0).collect();
        let (mut both, mut damaged, mut chance) = (Both::new(), Both::new(), Chance(7));
        while let Ok(Some(frame)) = source.next_frame() {
            let link_type = link_types.get(frame.interface as usize).copied().unwrap_or(1);
            both.compare(link_type, frame.timestamp, frame.data, frame.wire_bytes);
            let mut bytes = frame.data.to_vec();
            // The protocol number of IPv4 and IPv6, behind a VLAN tag or not: what was TCP is UDP.
            for at in [20, 23, 24, 27] {
                let mut bytes = bytes.clone();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 17;
                }
                damaged.compare(link_type, frame.timestamp, &bytes, frame.wire_bytes);
            }
            for _ in 0..24 {
                let at = chance.below(bytes.len().min(HEADERS));
                let before = bytes.clone();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if chance.below(2) == 0 {
                        VALUES[chance.below(VALUES.len())]
                    } else {
                        chance.below(256) as u8
                    };
                }
                damaged.compare(link_type, frame.timestamp, &bytes, frame.wire_bytes);
                let cut = &bytes[..chance.below(bytes.len().min(2 * HEADERS))];
                damaged.compare(link_type, frame.timestamp, cut, frame.wire_bytes);
                if chance.below(3) > 0 {
                    bytes = before;
                }
            }
        }
        [both.plain, both.idle, damaged.idle]
    });
    let sum = |which: usize| compared.iter().map(|counts| counts[which]).sum::<u64>();
    assert!(sum(0) > 2_000 && sum(1) > 5 && sum(2) > 2_000, "{compared:?}");
}
