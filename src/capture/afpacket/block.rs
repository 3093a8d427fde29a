//! The frames in one block of a ring (`struct tpacket_block_desc`, `struct tpacket3_hdr`).
//!
//! Plain bytes in, places out: what the kernel wrote is read like any other input.

use super::filter::LEFT_OUT_BYTES;
use crate::model::Timestamp;

/// Words of the block's header that are read.
const COUNT: usize = 12;
const FIRST_FRAME: usize = 16;

/// Words of a frame's header.
mod header {
    pub const NEXT: usize = 0;
    pub const SECONDS: usize = 4;
    pub const NANOSECONDS: usize = 8;
    pub const KEPT_BYTES: usize = 12;
    pub const WIRE_BYTES: usize = 16;
    pub const STATUS: usize = 20;
    pub const FRAME_START: usize = 24;
    pub const VLAN_TCI: usize = 32;
    pub const VLAN_TPID: usize = 36;
}

/// The tag is in the header, because the hardware or the kernel took it off.
const HAS_TAG: u32 = 1 << 4;
const HAS_TAG_PROTOCOL: u32 = 1 << 6;
/// What a tag is without a word about its protocol [IEEE 802.1Q].
const CUSTOMER_TAG: u16 = 0x8100;
const TAG_BYTES: usize = 4;
/// Destination and source; the tag stands behind them.
const ADDRESSES_BYTES: usize = 12;

/// Bytes that must be free in front of each frame, for the tag.
pub const RESERVE_BYTES: u32 = 16;

/// One frame of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where its header stands in the block.
    at: usize,
    pub timestamp: Timestamp,
    pub wire_bytes: u32,
    start: usize,
    end: usize,
    /// Distance to the next header; 0 in the last one.
    next: usize,
}

impl Place {
    /// The bytes of the frame.
    #[inline]
    pub fn frame<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        block.get(self.start..self.end).unwrap_or_default()
    }

    /// The filter left it out, and only says that it was there.
    #[inline]
    pub const fn is_left_out(&self) -> bool {
        self.end - self.start == LEFT_OUT_BYTES as usize && self.wire_bytes > LEFT_OUT_BYTES
    }
}

#[inline]
fn word(block: &[u8], at: usize) -> Option<u32> {
    block.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[inline]
fn half(block: &[u8], at: usize) -> Option<u16> {
    block.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

/// How many frames the block holds, and the first one.
#[inline]
pub fn first(block: &mut [u8], is_tagged: bool) -> Option<(u32, Place)> {
    let count = word(block, COUNT)?;
    if count == 0 {
        return None;
    }
    let at = word(block, FIRST_FRAME)? as usize;
    Some((count, read(block, at, is_tagged)?))
}

/// The frame behind `place`.
#[inline]
pub fn next(block: &mut [u8], place: &Place, is_tagged: bool) -> Option<Place> {
    if place.next == 0 {
        return None;
    }
    read(block, place.at.checked_add(place.next)?, is_tagged)
}

/// Reads the header at `at`. `None` where it contradicts the block, which ends the reading of the block.
#[inline]
fn read(block: &mut [u8], at: usize, is_tagged: bool) -> Option<Place> {
    let status = word(block, at + header::STATUS)?;
    let seconds = word(block, at + header::SECONDS)?;
    let nanoseconds = word(block, at + header::NANOSECONDS)?;
    let start = at.checked_add(usize::from(half(block, at + header::FRAME_START)?))?;
    let end = start.checked_add(word(block, at + header::KEPT_BYTES)? as usize)?;
    if end > block.len() {
        return None;
    }
    let mut place = Place {
        at,
        // Seconds of 32 bits end in 2106.
        timestamp: Timestamp::from_nanos(u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds)),
        wire_bytes: word(block, at + header::WIRE_BYTES)?,
        start,
        end,
        next: word(block, at + header::NEXT)? as usize,
    };
    if is_tagged && status & HAS_TAG != 0 && end - start >= ADDRESSES_BYTES {
        let protocol =
            if status & HAS_TAG_PROTOCOL != 0 { half(block, at + header::VLAN_TPID)? } else { CUSTOMER_TAG };
        // The field has 32 bits, the tag uses 16 of them.
        let tag = word(block, at + header::VLAN_TCI)? as u16;
        put_tag_back(block, &mut place, protocol, tag);
    }
    Some(place)
}

/// Moves the addresses forward into the free bytes and writes the tag behind them.
#[cold]
fn put_tag_back(block: &mut [u8], place: &mut Place, protocol: u16, tag: u16) {
    let Some(start) = place.start.checked_sub(TAG_BYTES) else { return };
    // The addresses, and behind them the room they leave.
    let Some(room) = block.get_mut(start..start + ADDRESSES_BYTES + TAG_BYTES) else { return };
    room.copy_within(TAG_BYTES.., 0);
    let [p0, p1] = protocol.to_be_bytes();
    let [t0, t1] = tag.to_be_bytes();
    for (slot, byte) in room.iter_mut().skip(ADDRESSES_BYTES).zip([p0, p1, t0, t1]) {
        *slot = byte;
    }
    place.start = start;
    place.wire_bytes = place.wire_bytes.saturating_add(TAG_BYTES as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 20] = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 9, 9, 9, 9, 9];

    /// A block as the kernel writes it, with the frames at distances of 128 bytes.
    fn block(frames: &[(u32, Option<(u16, u16)>)]) -> Vec<u8> {
        let mut block = vec![0_u8; 48 + frames.len() * 128];
        let mut put = |at: usize, word: u32| block[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        put(8, 1);
        put(COUNT, frames.len() as u32);
        put(FIRST_FRAME, 48);
        for (index, (seconds, tag)) in frames.iter().enumerate() {
            let at = 48 + index * 128;
            put(at + header::NEXT, if index + 1 == frames.len() { 0 } else { 128 });
            put(at + header::SECONDS, *seconds);
            put(at + header::NANOSECONDS, 5);
            put(at + header::KEPT_BYTES, FRAME.len() as u32);
            put(at + header::WIRE_BYTES, 1_500);
            let mut status = 1;
            if let Some((protocol, tag)) = tag {
                status |= HAS_TAG;
                put(at + header::VLAN_TCI, u32::from(*tag));
                if *protocol != 0 {
                    status |= HAS_TAG_PROTOCOL;
                    put(at + header::VLAN_TPID, u32::from(*protocol));
                }
            }
            put(at + header::STATUS, status);
            put(at + header::FRAME_START, 100 | (100 << 16));
        }
        for index in 0..frames.len() {
            let at = 48 + index * 128 + 100;
            block[at..at + FRAME.len()].copy_from_slice(&FRAME);
        }
        block
    }

    #[test]
    fn walks_over_the_frames_of_a_block() {
        let mut block = block(&[(7, None), (8, None), (9, None)]);
        let (count, mut place) = first(&mut block, true).unwrap();
        assert_eq!(count, 3);
        let mut seconds = Vec::new();
        loop {
            assert_eq!((place.frame(&block), place.wire_bytes), (&FRAME[..], 1_500));
            assert_eq!(place.timestamp.as_nanos() % 1_000_000_000, 5);
            seconds.push(place.timestamp.as_seconds());
            match next(&mut block, &place, true) {
                Some(following) => place = following,
                None => break,
            }
        }
        assert_eq!(seconds, [7, 8, 9]);
    }

    #[test]
    fn puts_the_tag_back_where_it_was() {
        for (protocol, expected) in [(0x8100, 0x8100), (0x88a8, 0x88a8), (0, 0x8100)] {
            let mut block = block(&[(1, Some((protocol, 0x2078)))]);
            let (_, place) = first(&mut block, true).unwrap();
            let [high, low] = u16::to_be_bytes(expected);
            let whole = [&FRAME[..12], &[high, low, 0x20, 0x78], &FRAME[12..]].concat();
            assert_eq!(place.frame(&block), whole);
            assert_eq!(place.wire_bytes, 1_504);
        }
        // Without a link header there is no place for a tag.
        let mut block = block(&[(1, Some((0x8100, 7)))]);
        let (_, place) = first(&mut block, false).unwrap();
        assert_eq!(place.frame(&block), FRAME);
    }

    #[test]
    fn tells_what_the_filter_left_out() {
        for (kept, wire, expected) in [(1, 60, true), (1, 1, false), (2, 60, false), (0, 60, false)] {
            let mut block = block(&[(1, None)]);
            for (field, value) in [(header::KEPT_BYTES, kept), (header::WIRE_BYTES, wire)] {
                block[48 + field..48 + field + 4].copy_from_slice(&u32::to_ne_bytes(value));
            }
            let (_, place) = first(&mut block, true).unwrap();
            assert_eq!(place.is_left_out(), expected, "{kept} of {wire}");
        }
    }

    #[test]
    fn believes_no_place_outside_of_the_block() {
        let whole = block(&[(1, Some((0x8100, 7))), (2, None)]);
        for length in 0..whole.len() {
            let mut part = whole[..length].to_vec();
            let mut place = first(&mut part, true).map(|(_, place)| place);
            while let Some(here) = place {
                assert!(here.frame(&part).len() <= part.len());
                place = next(&mut part, &here, true);
            }
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let mut place = first(&mut changed, true).map(|(_, place)| place);
                // A ring never walks over more frames than the block has announced.
                for _ in 0..2 {
                    place = place.and_then(|here| next(&mut changed, &here, true));
                }
            }
        }
    }
}
