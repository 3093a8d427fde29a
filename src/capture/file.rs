//! Frames of a recorded capture.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrayvec::ArrayVec;

use super::buffer::{BUFFER_BYTES, Buffer, PROBE_BYTES};
use super::compression;
use super::content::{SNIFFED_BYTES, Sniffed, describe, sniff};
use super::error::{CaptureError, Damage, DamageLog};
use super::frame::{Frame, FrameSource, Interface};
use super::input::Input;
use super::pcap::{Located, Pcap};
use super::pcapng::{Pcapng, RecordedDrops};
#[cfg(target_os = "linux")]
use super::standard_input::StandardInput;
use crate::model::Timestamp;

/// The most compressions around each other: a capture may have been compressed by its writer and
/// once more by whoever archived it. Each takes a buffer and a decoder's memory.
const MAX_COMPRESSIONS: usize = 2;

/// Frames given at once: so many that what a reader looks up for each of them comes from memory at the same
/// time, and so few that all of it stays in the nearest cache.
pub const MOST_TOGETHER: usize = 16;

/// A capture that is being read: pcap or pcapng, plain, gzip or zstd, found out by its first bytes.
///
/// Memory is limited whatever the input: one buffer for each compression and one for the capture, of
/// 128 KiB as long as no record needs more and of 32 MiB at most.
pub struct FileSource {
    buffer: Buffer,
    format: Format,
    damage: DamageLog,
    /// Frames located together.
    together: ArrayVec<Located, MOST_TOGETHER>,
    frames: u64,
    is_done: bool,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// Opens an input and reads its header.
///
/// # Errors
/// Where it cannot be opened or read, or is no capture.
pub fn open_input(input: &Input) -> Result<FileSource, CaptureError> {
    open(input, BUFFER_BYTES, None)
}

/// The same; once `stop` is set, standard input that gives nothing is waited for no longer, and fails.
///
/// # Errors
/// As [`open_input`].
pub fn open_input_until(input: &Input, stop: &Arc<AtomicBool>) -> Result<FileSource, CaptureError> {
    open(input, BUFFER_BYTES, Some(stop))
}

/// Whether a file is a capture whose header can be read.
pub(super) fn probe(input: &Input) -> Result<(), CaptureError> {
    open(input, PROBE_BYTES, None).map(drop)
}

/// How a capture begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Time of its first packet.
    pub first: Timestamp,
    /// The interfaces it names before that.
    pub interfaces: Vec<Interface>,
}

/// How an input begins, which is to be read once more; `None` where no packet is in it.
///
/// # Errors
/// As [`open_input`].
pub fn beginning(input: &Input) -> Result<Option<Beginning>, CaptureError> {
    let mut source = open(input, PROBE_BYTES, None)?;
    let first = source.next_frame()?.map(|frame| frame.timestamp);
    Ok(first.map(|first| Beginning { first, interfaces: source.interfaces().to_vec() }))
}

fn open(input: &Input, capacity: usize, stop: Option<&Arc<AtomicBool>>) -> Result<FileSource, CaptureError> {
    let reader: Box<dyn Read + Send> = match input {
        Input::File(path) => {
            let file = File::open(path).map_err(CaptureError::from_open)?;
            // Opening a folder succeeds on Unix; only reading it fails, with a less telling error.
            if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                return Err(CaptureError::IsDirectory);
            }
            Box::new(file)
        }
        Input::StandardInput if io::stdin().is_terminal() => {
            return Err(CaptureError::StandardInputIsTerminal);
        }
        Input::StandardInput => standard_input(stop).map_err(CaptureError::from_open)?,
    };
    FileSource::over(reader, capacity)
}

/// Standard input; elsewhere than on Linux a read that waits is not ended by the wish to stop.
///
/// # Errors
/// Where the system refuses.
pub fn standard_input(
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "used on Linux alone"))]
    stop: Option<&Arc<AtomicBool>>,
) -> io::Result<Box<dyn Read + Send>> {
    #[cfg(target_os = "linux")]
    if let Some(stop) = stop {
        return Ok(Box::new(StandardInput::new(stop)?));
    }
    Ok(Box::new(io::stdin()))
}

/// Reads all frames of `bytes` as if they were a file; for fuzzing. It must neither panic nor hang.
pub fn fuzz_file(bytes: &[u8]) {
    let Ok(mut source) = FileSource::from_reader(io::Cursor::new(bytes.to_vec())) else { return };
    while let Ok(Some(frame)) = source.next_frame() {
        debug_assert!(frame.wire_bytes as usize >= frame.data.len());
    }
    for damage in source.damage() {
        debug_assert!(!damage.to_string().is_empty());
    }
}

impl FileSource {
    /// Reads a capture from any stream.
    ///
    /// # Errors
    /// Where it cannot be read, or is no capture.
    pub fn from_reader(reader: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        Self::over(Box::new(reader), BUFFER_BYTES)
    }

    fn over(reader: Box<dyn Read + Send>, capacity: usize) -> Result<Self, CaptureError> {
        let mut buffer = Buffer::new(reader, capacity);
        let mut compressions = 0;
        let opened = loop {
            // Only so many bytes at first: more may not have come yet where the input is a pipe.
            buffer.has(4)?;
            match sniff(buffer.available()) {
                Some(Sniffed::Compressed(_)) if compressions == MAX_COMPRESSIONS => {
                    return Err(CaptureError::CompressedTooOften);
                }
                Some(Sniffed::Compressed(compression)) => {
                    compressions += 1;
                    buffer = compression::decode(compression, buffer)
                        .map_err(|source| CaptureError::Read { offset: 0, source })?;
                }
                Some(Sniffed::Pcap) => break Pcap::open(&mut buffer).map(Format::Pcap),
                Some(Sniffed::Pcapng) => break Pcapng::open(&mut buffer).map(Format::Pcapng),
                None => {
                    buffer.has(SNIFFED_BYTES)?;
                    break Err(describe(buffer.available()));
                }
            }
        };
        match (opened, buffer.breakage()) {
            (Ok(format), _) => Ok(Self {
                buffer,
                format,
                damage: DamageLog::default(),
                together: ArrayVec::new(),
                frames: 0,
                is_done: false,
            }),
            // What was read of the header says less than why there was no more of it.
            (Err(_), Some((compression, breakage))) => {
                Err(CaptureError::Compression { compression, breakage })
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Bytes of the stored file read so far, compressed or not: for a progress bar. Reading is
    /// ahead of the frames by up to the size of the buffer.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.buffer.stored().position()
    }

    /// The damage met so far.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        self.damage.list()
    }

    /// What the capture itself says it lost, for each interface that lost something; complete at the
    /// end of the file.
    pub fn recorded_drops(&self) -> impl Iterator<Item = RecordedDrops> + '_ {
        match &self.format {
            Format::Pcap(_) => None,
            Format::Pcapng(pcapng) => Some(pcapng.drops()),
        }
        .into_iter()
        .flatten()
    }

    /// Packets whose time the capture does not tell (pcapng Simple Packet Blocks); each was given the
    /// time of the packet before it.
    #[must_use]
    pub const fn untimed_frames(&self) -> u64 {
        match &self.format {
            Format::Pcap(_) => 0,
            Format::Pcapng(pcapng) => pcapng.untimed(),
        }
    }

    /// Packets and captured bytes of interfaces that the capture does not describe, which are no frames.
    #[must_use]
    pub const fn undescribed(&self) -> (u64, u64) {
        match &self.format {
            Format::Pcap(_) => (0, 0),
            Format::Pcapng(pcapng) => pcapng.undescribed(),
        }
    }

    /// The next frames, at most [`MOST_TOGETHER`]: as many as are in memory already, at least one. `None`
    /// at the end.
    ///
    /// # Errors
    /// As [`FrameSource::next_frame`].
    #[inline]
    pub fn next_frames(&mut self) -> Result<Option<Frames<'_>>, CaptureError> {
        self.together.clear();
        let Some(first) = self.locate()? else { return Ok(None) };
        self.together.push(first);
        // What lies whole in the buffer, without reading: what was located before stays where it is.
        match &mut self.format {
            Format::Pcap(pcap) => fill(&mut self.together, || pcap.next_at_hand(&mut self.buffer)),
            Format::Pcapng(pcapng) => {
                fill(&mut self.together, || pcapng.next_at_hand(&mut self.buffer, &mut self.damage));
            }
        }
        let before = self.frames;
        self.frames += self.together.len() as u64;
        Ok(Some(Frames { source: self, before }))
    }

    #[inline]
    fn locate_at_hand(&mut self) -> Option<Located> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next_at_hand(&mut self.buffer),
            Format::Pcapng(pcapng) => pcapng.next_at_hand(&mut self.buffer, &mut self.damage),
        }
    }

    #[inline]
    fn locate(&mut self) -> Result<Option<Located>, CaptureError> {
        if self.is_done {
            return Ok(None);
        }
        if let Some(located) = self.locate_at_hand() {
            return Ok(Some(located));
        }
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.buffer, &mut self.damage),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.buffer, &mut self.damage),
        };
        self.is_done = !matches!(next, Ok(Some(_)));
        next
    }
}

/// Fills up with what is found; a loop for each format, in which nothing found is copied on its way.
#[inline(always)]
fn fill(together: &mut ArrayVec<Located, MOST_TOGETHER>, mut next: impl FnMut() -> Option<Located>) {
    while !together.is_full()
        && let Some(located) = next()
    {
        together.push(located);
    }
}

/// Frames that are in memory at the same time.
pub struct Frames<'a> {
    source: &'a FileSource,
    /// Frames of the file before them.
    before: u64,
}

impl<'a> Frames<'a> {
    /// The frames, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Frame<'a>> + Clone + use<'a> {
        let (buffer, before) = (&self.source.buffer, self.before);
        self.source.together.iter().zip(before + 1..).map(move |(located, number)| Frame {
            number,
            timestamp: located.timestamp,
            interface: located.interface,
            wire_bytes: located.wire_bytes,
            data: buffer.slice(located.data.clone()),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.source.frames - self.before
    }

    /// The interfaces they were taken on.
    #[must_use]
    pub fn interfaces(&self) -> &'a [Interface] {
        self.source.interfaces()
    }
}

impl FrameSource for FileSource {
    type Error = CaptureError;

    #[inline]
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(located) = self.locate()? else { return Ok(None) };
        self.frames += 1;
        Ok(Some(Frame {
            number: self.frames,
            timestamp: located.timestamp,
            interface: located.interface,
            wire_bytes: located.wire_bytes,
            data: self.buffer.slice(located.data),
        }))
    }

    fn interfaces(&self) -> &[Interface] {
        match &self.format {
            Format::Pcap(pcap) => pcap.interfaces(),
            Format::Pcapng(pcapng) => pcapng.interfaces(),
        }
    }
}

#[cfg(test)]
mod tests;
