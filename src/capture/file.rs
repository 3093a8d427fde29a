//! Frames of a recorded capture.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use super::buffer::{BUFFER_BYTES, Buffer, PROBE_BYTES};
use super::compression;
use super::content::{SNIFFED_BYTES, Sniffed, describe, sniff};
use super::error::{CaptureError, Damage, DamageLog};
use super::frame::{Frame, FrameSource, Interface};
use super::input::Input;
use super::pcap::Pcap;
use super::pcapng::{Pcapng, RecordedDrops};

/// The most compressions around each other: a capture may have been compressed by its writer and
/// once more by whoever archived it. Each takes a buffer and a decoder's memory.
const MAX_COMPRESSIONS: usize = 2;

/// A capture that is being read: pcap or pcapng, plain, gzip or zstd, found out by its first bytes.
///
/// Memory is limited whatever the input: one buffer for each compression and one for the capture, of
/// 1 MiB as long as no record needs more and of 32 MiB at most.
pub struct FileSource {
    buffer: Buffer,
    format: Format,
    damage: DamageLog,
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
    open(input, BUFFER_BYTES)
}

/// Whether a file is a capture whose header can be read.
pub(super) fn probe(input: &Input) -> Result<(), CaptureError> {
    open(input, PROBE_BYTES).map(drop)
}

fn open(input: &Input, capacity: usize) -> Result<FileSource, CaptureError> {
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
        Input::StandardInput => Box::new(io::stdin()),
    };
    FileSource::over(reader, capacity)
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
            (Ok(format), _) => {
                Ok(Self { buffer, format, damage: DamageLog::default(), frames: 0, is_done: false })
            }
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
}

impl FrameSource for FileSource {
    type Error = CaptureError;

    #[inline]
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.is_done {
            return Ok(None);
        }
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.buffer, &mut self.damage),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.buffer, &mut self.damage),
        };
        let Ok(Some(located)) = next else {
            self.is_done = true;
            return next.map(|_| None);
        };
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
