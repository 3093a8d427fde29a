//! pcapng files: sections of blocks (draft-ietf-opsawg-pcapng).

use std::sync::Arc;

use pcap_parser::{OptionCode, PcapNGOption};

use super::buffer::{BUFFER_BYTES, Buffer, MAX_RECORD_BYTES};
use super::error::{CaptureError, DamageKind, DamageLog};
use super::frame::Interface;
use super::link_type::LinkType;
use super::pcap::{Located, word_at};
use crate::model::{Timestamp, without_begun_number};

const SECTION_HEADER: u32 = pcap_parser::SHB_MAGIC;
const INTERFACE_DESCRIPTION: u32 = pcap_parser::IDB_MAGIC;
const ENHANCED_PACKET: u32 = pcap_parser::EPB_MAGIC;
const SIMPLE_PACKET: u32 = pcap_parser::SPB_MAGIC;
const INTERFACE_STATISTICS: u32 = pcap_parser::ISB_MAGIC;
/// Written by tools of before 2011 (draft section "Packet Block (obsolete!)").
const OBSOLETE_PACKET: u32 = 2;

/// Type, length, and length again at the end.
const FRAME_OF_BLOCK_BYTES: u32 = 12;
const SECTION_HEADER_BYTES: u32 = 28;
/// The part of both packet blocks in front of the packet.
const PACKET_HEADER_BYTES: usize = 28;

/// The most interfaces told apart in one file. A host has some; a file joined from many has a set
/// for each of its parts.
const MAX_INTERFACES: usize = 16_384;

/// The most characters kept of an interface name; the longest names, those of Windows, have some 50.
const MAX_NAME_CHARACTERS: usize = 256;

/// Packets that the capture itself says it lost on one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedDrops {
    /// Index into the interfaces of the source.
    pub interface: u32,
    /// Dropped by the interface for lack of resources (`isb_ifdrop`).
    pub by_interface: u64,
    /// Dropped by the operating system (`isb_osdrop`).
    pub by_system: u64,
    /// Lost in front of single packets (`epb_dropcount`, and the same in the obsolete Packet Block).
    pub between_packets: u64,
}

impl RecordedDrops {
    const fn is_none(&self) -> bool {
        self.by_interface == 0 && self.by_system == 0 && self.between_packets == 0
    }
}

/// The blocks of a pcapng file.
#[derive(Debug)]
pub(super) struct Pcapng {
    is_big_endian: bool,
    /// Of every section so far.
    interfaces: Vec<Interface>,
    /// Parallel to `interfaces`.
    clocks: Vec<Clock>,
    drops: Vec<RecordedDrops>,
    /// Number of the section's first interface.
    section_start: usize,
    /// Interfaces that this section described, also those beyond the limit.
    section_interfaces: usize,
    /// Whether blocks of this section can be understood.
    is_known_version: bool,
    /// The newest time given to a packet, for packets without one.
    last: Timestamp,
    untimed: u64,
    /// Packets and captured bytes of interfaces that nothing describes.
    undescribed: (u64, u64),
}

/// How an interface counts time, and how much it takes of a packet.
#[derive(Clone, Copy, Debug)]
struct Clock {
    unit: Unit,
    offset_seconds: i64,
    /// 0: no limit.
    snaplen: u32,
}

/// How units become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Multiply(u64),
    Divide(u64),
    /// 2 to the minus this many seconds.
    Shift(u32),
}

impl Unit {
    const MICROSECOND: Self = Self::Multiply(1_000);

    /// From `if_tsresol`: a power of ten, or of two where the highest bit is set. `None` where a
    /// unit is too small for 64 bits to hold a second of it.
    const fn parse(value: u8) -> Option<Self> {
        match value {
            0..=9 => Some(Self::Multiply(10_u64.pow(9 - value as u32))),
            10..=19 => Some(Self::Divide(10_u64.pow(value as u32 - 9))),
            0x80..=0xbf => Some(Self::Shift((value & 0x7f) as u32)),
            _ => None,
        }
    }
}

impl Clock {
    #[inline]
    fn timestamp(&self, high: u32, low: u32) -> Timestamp {
        let units = u64::from(high) << 32 | u64::from(low);
        let nanoseconds = match self.unit {
            Unit::Multiply(factor) => units.saturating_mul(factor),
            Unit::Divide(divisor) => units / divisor,
            Unit::Shift(bits) => {
                u64::try_from((u128::from(units) * 1_000_000_000) >> bits).unwrap_or(u64::MAX)
            }
        };
        if self.offset_seconds == 0 {
            return Timestamp::from_nanos(nanoseconds);
        }
        let moved = i128::from(nanoseconds) + i128::from(self.offset_seconds) * 1_000_000_000;
        Timestamp::from_nanos(u64::try_from(moved.max(0)).unwrap_or(u64::MAX))
    }
}

/// A block that is whole in the buffer.
#[derive(Clone, Copy)]
struct Block {
    block_type: u32,
    /// Of the whole block.
    bytes: usize,
    offset: u64,
}

impl Pcapng {
    /// Looks at the first section header; [`Self::next`] reads it.
    pub(super) fn open(buffer: &mut Buffer) -> Result<Self, CaptureError> {
        let cut_off = |buffer: &Buffer| {
            Err(CaptureError::HeaderCutOff { format: "pcapng", have_bytes: buffer.available().len() })
        };
        if !buffer.has(SECTION_HEADER_BYTES as usize)? {
            return cut_off(buffer);
        }
        let Some(is_big_endian) = byte_order(buffer.available()) else {
            return Err(CaptureError::HeaderBroken);
        };
        let bytes = word_at(buffer.available(), 4, is_big_endian);
        if bytes < SECTION_HEADER_BYTES || bytes as usize > MAX_RECORD_BYTES {
            return Err(CaptureError::HeaderBroken);
        }
        let (major, minor) = version(buffer.available(), is_big_endian);
        if !is_known(major) {
            return Err(CaptureError::UnsupportedVersion { format: "pcapng", major, minor });
        }
        if !buffer.has(bytes as usize)? {
            return cut_off(buffer);
        }
        Ok(Self {
            is_big_endian,
            interfaces: Vec::new(),
            clocks: Vec::new(),
            drops: Vec::new(),
            section_start: 0,
            section_interfaces: 0,
            is_known_version: true,
            last: Timestamp::default(),
            untimed: 0,
            undescribed: (0, 0),
        })
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    pub(super) fn drops(&self) -> impl Iterator<Item = RecordedDrops> + '_ {
        self.drops.iter().copied().filter(|drops| !drops.is_none())
    }

    pub(super) const fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Packets and captured bytes of interfaces that nothing describes.
    pub(super) const fn undescribed(&self) -> (u64, u64) {
        self.undescribed
    }

    /// The next packet, where the next block is a usual one that lies whole in the buffer.
    #[inline]
    pub(super) fn next_at_hand(&mut self, buffer: &mut Buffer, damage: &mut DamageLog) -> Option<Located> {
        let start = buffer.available();
        let bytes = word_at(start, 4, self.is_big_endian) as usize;
        let is_usual = self.is_known_version
            && word_at(start, 0, self.is_big_endian) == ENHANCED_PACKET
            && (PACKET_HEADER_BYTES + 4..=start.len().min(MAX_RECORD_BYTES)).contains(&bytes)
            && word_at(start, bytes - 4, self.is_big_endian) as usize == bytes;
        if !is_usual {
            return None;
        }
        let block = Block { block_type: ENHANCED_PACKET, bytes, offset: buffer.position() };
        let located = self.packet(block, buffer, damage);
        if located.is_none() {
            buffer.consume_bytes(block.bytes);
        }
        located
    }

    /// The next packet; `None` where there is none or the rest cannot be read, which is noted.
    ///
    /// Every turn goes over at least one block.
    pub(super) fn next(
        &mut self,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Result<Option<Located>, CaptureError> {
        loop {
            let Some(block) = self.find_block(buffer, damage)? else { return Ok(None) };
            let located = match block.block_type {
                ENHANCED_PACKET | OBSOLETE_PACKET if self.is_known_version => {
                    self.packet(block, buffer, damage)
                }
                SIMPLE_PACKET if self.is_known_version => self.simple_packet(block, buffer, damage),
                _ => {
                    self.describe(block, buffer, damage);
                    None
                }
            };
            if let Some(located) = located {
                return Ok(Some(located));
            }
            buffer.consume_bytes(block.bytes);
        }
    }

    /// The next block whose two lengths agree; others are gone over.
    #[inline]
    fn find_block(
        &mut self,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Result<Option<Block>, CaptureError> {
        loop {
            let offset = buffer.position();
            if !buffer.has(FRAME_OF_BLOCK_BYTES as usize)? {
                let have = buffer.available().len() as u64;
                buffer.note_end(damage, offset, have, FRAME_OF_BLOCK_BYTES.into());
                return Ok(None);
            }
            let start = buffer.available();
            // This type reads the same in both byte orders.
            if word_at(start, 0, false) == SECTION_HEADER {
                let Some(is_big_endian) = byte_order(start) else {
                    damage.note(offset, DamageKind::SectionByteOrder);
                    return Ok(None);
                };
                self.is_big_endian = is_big_endian;
            }
            let block_type = word_at(start, 0, self.is_big_endian);
            let length = word_at(start, 4, self.is_big_endian);
            let bytes = length as usize;
            if length < FRAME_OF_BLOCK_BYTES || (is_read(block_type) && bytes > MAX_RECORD_BYTES) {
                damage.note(offset, DamageKind::RecordLength { claimed_bytes: length });
                return Ok(None);
            }
            if !is_read(block_type) && bytes > BUFFER_BYTES {
                if !self.skip_large(length, buffer, damage)? {
                    return Ok(None);
                }
                continue;
            }
            if !buffer.has(bytes)? {
                let have = buffer.available().len() as u64;
                buffer.note_end(damage, offset, have, length.into());
                return Ok(None);
            }
            let trailing = word_at(buffer.available(), bytes - 4, self.is_big_endian);
            if trailing == length {
                return Ok(Some(Block { block_type, bytes, offset }));
            }
            let block = Block { block_type, bytes, offset };
            match self.judge_lengths(block, trailing, buffer, damage)? {
                Judged::Read(block) => return Ok(Some(block)),
                Judged::Skip => buffer.consume_bytes(bytes),
                Judged::Stop => return Ok(None),
            }
        }
    }

    /// A block whose lengths disagree: some writers leave the padding out of both; otherwise the
    /// block is worth nothing, but where the next one stands in its place the rest can be read.
    #[cold]
    fn judge_lengths(
        &self,
        block: Block,
        trailing: u32,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Result<Judged, CaptureError> {
        let leading = block.bytes as u32;
        let padded = block.bytes.next_multiple_of(4);
        if padded != block.bytes
            && buffer.has(padded)?
            && word_at(buffer.available(), padded - 4, self.is_big_endian) == leading
        {
            return Ok(Judged::Read(Block { bytes: padded, ..block }));
        }
        let skipped = self.is_next_block_at(block.bytes, buffer)?;
        damage.note(block.offset, DamageKind::BlockLength { leading, trailing, skipped });
        Ok(match block.block_type {
            _ if !skipped => Judged::Stop,
            // Left out, it would shift the numbers of all interfaces behind it.
            SECTION_HEADER | INTERFACE_DESCRIPTION => Judged::Read(block),
            _ => Judged::Skip,
        })
    }

    /// Whether a block of a known type whose lengths agree, or the end, is `at` bytes from here.
    fn is_next_block_at(&self, at: usize, buffer: &mut Buffer) -> Result<bool, CaptureError> {
        if !buffer.has(at + FRAME_OF_BLOCK_BYTES as usize)? {
            return Ok(buffer.available().len() == at && buffer.breakage().is_none());
        }
        let next = buffer.available().get(at..).unwrap_or_default();
        let mut is_big_endian = self.is_big_endian;
        if word_at(next, 0, false) == SECTION_HEADER {
            let Some(order) = byte_order(next) else { return Ok(false) };
            is_big_endian = order;
        }
        let (block_type, length) = (word_at(next, 0, is_big_endian), word_at(next, 4, is_big_endian));
        // 1 to 0xd are the types given out in sequence, 0xbad the custom blocks.
        let is_known = matches!(block_type, SECTION_HEADER | 1..=0xd | 0x0bad | 0x4000_0bad);
        if !is_known || length < FRAME_OF_BLOCK_BYTES || length as usize > MAX_RECORD_BYTES {
            return Ok(false);
        }
        let end = at + length as usize;
        Ok(buffer.has(end)? && word_at(buffer.available(), end - 4, is_big_endian) == length)
    }

    /// Goes over a block that is not read and not held; false where nothing can be read behind it.
    #[cold]
    fn skip_large(
        &self,
        length: u32,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Result<bool, CaptureError> {
        let offset = buffer.position();
        let skipped = buffer.skip(u64::from(length) - 4)?;
        if skipped < u64::from(length) - 4 || !buffer.has(4)? {
            let have = skipped + buffer.available().len() as u64;
            buffer.note_end(damage, offset, have, length.into());
            return Ok(false);
        }
        let trailing = word_at(buffer.available(), 0, self.is_big_endian);
        if trailing != length {
            damage.note(offset, DamageKind::BlockLength { leading: length, trailing, skipped: false });
            return Ok(false);
        }
        buffer.consume_bytes(4);
        Ok(true)
    }

    /// An Enhanced Packet Block or an obsolete Packet Block; they differ in the first word only.
    #[inline]
    fn packet(&mut self, block: Block, buffer: &mut Buffer, damage: &mut DamageLog) -> Option<Located> {
        let is_big_endian = self.is_big_endian;
        if block.bytes < PACKET_HEADER_BYTES + 4 {
            damage.note(block.offset, DamageKind::BlockTooShort { block_type: block.block_type });
            return None;
        }
        let header = buffer.available().first_chunk::<PACKET_HEADER_BYTES>()?;
        let word = |at| word_at(header, at, is_big_endian);
        let (captured, wire) = (word(20), word(24));
        let (number, drops) = match (block.block_type, is_big_endian) {
            (ENHANCED_PACKET, _) => (word(8), 0),
            (_, false) => (word(8) & 0xffff, word(8) >> 16),
            (_, true) => (word(8) >> 16, word(8) & 0xffff),
        };
        if captured as usize > block.bytes - PACKET_HEADER_BYTES - 4 {
            damage.note(block.offset, DamageKind::PacketLength { claimed_bytes: captured });
            return None;
        }
        let interface = self.section_start.saturating_add(number as usize);
        let Some(clock) = self.clocks.get(interface) else {
            damage.note(block.offset, DamageKind::UnknownInterface { interface: number, packets: 1 });
            self.undescribed.0 += 1;
            self.undescribed.1 += u64::from(captured);
            return None;
        };
        let timestamp = clock.timestamp(word(12), word(16));
        self.last = timestamp;
        // 0xffff: the writer of an obsolete block did not know.
        let mut drops = if drops == 0xffff { 0 } else { u64::from(drops) };
        let data_end = PACKET_HEADER_BYTES + (captured as usize).next_multiple_of(4);
        if block.block_type == ENHANCED_PACKET
            && let Some(options) = buffer.available().get(data_end..block.bytes - 4)
            && !options.is_empty()
        {
            drops = dropped_before(options, is_big_endian);
        }
        if drops != 0
            && let Some(counts) = self.drops.get_mut(interface)
        {
            counts.between_packets = counts.between_packets.saturating_add(drops);
        }
        Some(Located {
            timestamp,
            interface: interface as u32,
            wire_bytes: wire.max(captured),
            data: buffer.take(block.bytes, PACKET_HEADER_BYTES..PACKET_HEADER_BYTES + captured as usize),
        })
    }

    /// A Simple Packet Block: of the section's first interface, and without a time: it gets the time
    /// of the packet before it.
    fn simple_packet(
        &mut self,
        block: Block,
        buffer: &mut Buffer,
        damage: &mut DamageLog,
    ) -> Option<Located> {
        const HEADER_BYTES: usize = 12;
        if block.bytes < HEADER_BYTES + 4 {
            damage.note(block.offset, DamageKind::BlockTooShort { block_type: block.block_type });
            return None;
        }
        let Some(clock) = self.clocks.get(self.section_start) else {
            damage.note(block.offset, DamageKind::UnknownInterface { interface: 0, packets: 1 });
            self.undescribed.0 += 1;
            self.undescribed.1 += (block.bytes - HEADER_BYTES - 4) as u64;
            return None;
        };
        let wire = word_at(buffer.available(), 8, self.is_big_endian);
        let limit = if clock.snaplen == 0 { u32::MAX } else { clock.snaplen };
        let captured = (wire.min(limit) as usize).min(block.bytes - HEADER_BYTES - 4);
        self.untimed += 1;
        Some(Located {
            timestamp: self.last,
            interface: self.section_start as u32,
            wire_bytes: wire,
            data: buffer.take(block.bytes, HEADER_BYTES..HEADER_BYTES + captured),
        })
    }

    /// Blocks that say something about others; the rest is passed over.
    fn describe(&mut self, block: Block, buffer: &Buffer, damage: &mut DamageLog) {
        let bytes = buffer.available().get(..block.bytes).unwrap_or_default();
        let fixed_bytes = match block.block_type {
            SECTION_HEADER => 24,
            INTERFACE_DESCRIPTION if self.is_known_version => 16,
            INTERFACE_STATISTICS if self.is_known_version => 20,
            _ => return,
        };
        let is_complete = bytes.len() >= fixed_bytes + 4;
        if !is_complete {
            damage.note(block.offset, DamageKind::BlockTooShort { block_type: block.block_type });
        }
        let options = bytes.get(fixed_bytes..bytes.len().saturating_sub(4)).unwrap_or_default();
        match block.block_type {
            SECTION_HEADER => {
                let (major, minor) = version(bytes, self.is_big_endian);
                self.section_start = self.interfaces.len();
                self.section_interfaces = 0;
                self.is_known_version = is_complete && is_known(major);
                if is_complete && !self.is_known_version {
                    damage.note(block.offset, DamageKind::SectionVersion { major, minor });
                }
            }
            INTERFACE_DESCRIPTION => self.describe_interface(block, bytes, options, is_complete, damage),
            _ if is_complete => self.count_drops(bytes, options),
            _ => {}
        }
    }

    /// An Interface Description Block; one too short still takes its number.
    fn describe_interface(
        &mut self,
        block: Block,
        bytes: &[u8],
        options: &[u8],
        is_complete: bool,
        damage: &mut DamageLog,
    ) {
        self.section_interfaces += 1;
        let number = self.section_start.saturating_add(self.section_interfaces);
        if number > MAX_INTERFACES {
            // Once per section is enough, and the list of damage is limited.
            if self.interfaces.len() == MAX_INTERFACES && number == MAX_INTERFACES + 1 {
                damage.note(block.offset, DamageKind::TooManyInterfaces { limit: MAX_INTERFACES as u32 });
            }
            return;
        }
        let mut interface = Interface { link_type: LinkType(u16::MAX), name: None, kind: None };
        let mut clock = Clock { unit: Unit::MICROSECOND, offset_seconds: 0, snaplen: 0 };
        if is_complete {
            let first = word_at(bytes, 8, self.is_big_endian);
            let link_type = if self.is_big_endian { first >> 16 } else { first & 0xffff };
            interface.link_type = LinkType(link_type as u16);
            clock.snaplen = word_at(bytes, 12, self.is_big_endian);
        }
        for_each_option(options, self.is_big_endian, |option| {
            let Ok(value) = option.as_bytes() else { return };
            match (option.code, value) {
                (OptionCode::IfName, value) => interface.name = name(value),
                (OptionCode::IfTsresol, &[value]) => match Unit::parse(value) {
                    Some(unit) => clock.unit = unit,
                    None => damage.note(block.offset, DamageKind::TimeResolution { value }),
                },
                (OptionCode::IfTsoffset, value) => {
                    clock.offset_seconds = long(value, self.is_big_endian).map_or(0, u64::cast_signed);
                }
                _ => {}
            }
        });
        self.drops
            .push(RecordedDrops { interface: self.interfaces.len() as u32, ..RecordedDrops::default() });
        self.interfaces.push(interface);
        self.clocks.push(clock);
    }

    /// An Interface Statistics Block. Its counts are of the whole capture so far.
    fn count_drops(&mut self, bytes: &[u8], options: &[u8]) {
        let number = word_at(bytes, 8, self.is_big_endian) as usize;
        let Some(counts) = self.drops.get_mut(self.section_start.saturating_add(number)) else { return };
        for_each_option(options, self.is_big_endian, |option| {
            let Some(count) = option.as_bytes().ok().and_then(|value| long(value, self.is_big_endian)) else {
                return;
            };
            match option.code {
                OptionCode::IsbIfDrop => counts.by_interface = counts.by_interface.max(count),
                OptionCode::IsbOsDrop => counts.by_system = counts.by_system.max(count),
                _ => {}
            }
        });
    }
}

/// What becomes of a block whose lengths disagree.
enum Judged {
    Read(Block),
    Skip,
    Stop,
}

/// Whether blocks of this type are read, so that they have to be in the buffer as a whole.
const fn is_read(block_type: u32) -> bool {
    matches!(
        block_type,
        SECTION_HEADER
            | INTERFACE_DESCRIPTION
            | ENHANCED_PACKET
            | SIMPLE_PACKET
            | INTERFACE_STATISTICS
            | OBSOLETE_PACKET
    )
}

/// Whether a section is big-endian, by its byte-order magic.
fn byte_order(section: &[u8]) -> Option<bool> {
    match word_at(section, 8, true) {
        0x1a2b_3c4d => Some(true),
        0x4d3c_2b1a => Some(false),
        _ => None,
    }
}

/// Major and minor version of a section.
fn version(section: &[u8], is_big_endian: bool) -> (u16, u16) {
    let word = word_at(section, 12, is_big_endian);
    let (first, second) = ((word >> 16) as u16, (word & 0xffff) as u16);
    if is_big_endian { (first, second) } else { (second, first) }
}

/// Minor versions may only add what older readers may pass over.
const fn is_known(major: u16) -> bool {
    major == 1
}

/// Calls `take` with each option up to the end mark or the first one that is cut.
fn for_each_option(mut options: &[u8], is_big_endian: bool, mut take: impl FnMut(&PcapNGOption<'_>)) {
    loop {
        let parsed = if is_big_endian {
            pcap_parser::parse_option_be::<()>(options)
        } else {
            pcap_parser::parse_option_le::<()>(options)
        };
        match parsed {
            Ok((rest, option)) if option.code != OptionCode::EndOfOpt => {
                take(&option);
                options = rest;
            }
            _ => return,
        }
    }
}

/// `epb_dropcount` among the options of a packet.
#[cold]
fn dropped_before(options: &[u8], is_big_endian: bool) -> u64 {
    const EPB_DROPCOUNT: OptionCode = OptionCode(4);
    let mut dropped = 0;
    for_each_option(options, is_big_endian, |option| {
        if option.code == EPB_DROPCOUNT {
            dropped = option.as_bytes().ok().and_then(|value| long(value, is_big_endian)).unwrap_or_default();
        }
    });
    dropped
}

/// The 64-bit number of an option; pcap-parser's own accessors read little-endian only.
fn long(value: &[u8], is_big_endian: bool) -> Option<u64> {
    let bytes = <[u8; 8]>::try_from(value).ok()?;
    Some(if is_big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
}

/// The name of an interface, safe to be shown: no control characters, and not too long.
fn name(value: &[u8]) -> Option<Arc<str>> {
    let text = String::from_utf8_lossy(value);
    let whole = text.trim_end_matches('\0');
    let mut name: String = whole
        .chars()
        .take(MAX_NAME_CHARACTERS)
        .map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character })
        .collect();
    if whole.chars().nth(MAX_NAME_CHARACTERS).is_some() {
        name.truncate(without_begun_number(name.as_bytes()));
    }
    (!name.is_empty()).then(|| Arc::from(name))
}

#[cfg(test)]
mod tests;
