//! Bytes of a stream, read ahead in large pieces and looked at in place.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::compression;
use super::error::{Breakage, CaptureError, Compression, DamageKind, DamageLog};

/// What is read at once: large enough that the calls do not count, small enough to be in the processor's second
/// cache still when the frames are looked at.
pub(super) const BUFFER_BYTES: usize = 1 << 17;

/// What is read at once while a file is only asked what it is.
pub(super) const PROBE_BYTES: usize = 1 << 12;

/// The most bytes a record may have. The largest frames met are of some 512 KiB (IPv6 jumbograms of
/// segmentation offload); packet tools take 256 KiB as the largest for a network link. Beyond 16 MiB
/// a length is damage, and memory is not given for it.
pub(super) const MAX_RECORD_BYTES: usize = 16 << 20;

/// The most bytes held at once: a record, and the next one where that tells whether a broken record
/// can be gone over.
const MAX_HELD_BYTES: usize = 2 * MAX_RECORD_BYTES;

/// What a decoder is asked for at once. A decoder that meets an error in a call gives nothing of
/// that call, so little is lost in front of damage.
const DECODED_BYTES: usize = 1 << 16;

/// How far the stored file was read, seen through any decoder above it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    position: AtomicU64,
    has_failed: AtomicBool,
    /// How the lowest decoder broke, if one did: one above it sees only an end.
    broken: OnceLock<(Compression, Breakage)>,
}

impl Stored {
    /// Bytes of the stored file taken so far.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

/// Counts what is read, and keeps in mind that reading failed: a decoder passes errors of its input
/// on like its own.
struct StoredReader {
    reader: Box<dyn Read + Send>,
    stored: Arc<Stored>,
}

impl Read for StoredReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(out) {
                Ok(count) => {
                    self.stored.position.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.stored.has_failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    }
}

/// Why no more bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Complete,
    Broken(Compression, Breakage),
    Failed,
}

/// A window that moves over a stream. Invariant: `start <= end <= bytes.len()`.
pub(super) struct Buffer {
    reader: Box<dyn Read + Send>,
    stored: Arc<Stored>,
    /// What the reader decodes, if it decodes.
    compression: Option<Compression>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Place of `bytes[0]` in the stream.
    base: u64,
    ending: Option<Ending>,
}

impl Buffer {
    /// A window over a stored file, `capacity` bytes large as long as no record needs more.
    pub(super) fn new(reader: Box<dyn Read + Send>, capacity: usize) -> Self {
        let stored = Arc::new(Stored::default());
        let reader = StoredReader { reader, stored: Arc::clone(&stored) };
        Self::over(Box::new(reader), stored, None, capacity)
    }

    /// A window over what `decoder` makes of another window; `stored` is that of the other.
    pub(super) fn decoded(
        decoder: Box<dyn Read + Send>,
        stored: Arc<Stored>,
        compression: Compression,
        capacity: usize,
    ) -> Self {
        Self::over(decoder, stored, Some(compression), capacity)
    }

    fn over(
        reader: Box<dyn Read + Send>,
        stored: Arc<Stored>,
        compression: Option<Compression>,
        capacity: usize,
    ) -> Self {
        Self {
            reader,
            stored,
            compression,
            bytes: vec![0; capacity],
            start: 0,
            end: 0,
            base: 0,
            ending: None,
        }
    }

    pub(super) const fn stored(&self) -> &Arc<Stored> {
        &self.stored
    }

    pub(super) const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Place in the stream of the first byte not consumed.
    #[inline]
    pub(super) const fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The bytes that are there without reading.
    #[inline]
    pub(super) fn available(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether `count` bytes are there, reading if needed; false at the end of the stream.
    ///
    /// # Errors
    /// Where the stored file cannot be read. A broken compression is no error but an end.
    #[inline]
    pub(super) fn has(&mut self, count: usize) -> Result<bool, CaptureError> {
        if self.end - self.start >= count {
            return Ok(true);
        }
        self.fill(count).map_err(|source| CaptureError::Read { offset: self.stored.position(), source })
    }

    /// Goes over `count` bytes that are there.
    #[inline]
    pub(super) fn consume_bytes(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Goes over `count` bytes and gives where bytes `from..to` of them lie until the next reading.
    #[inline]
    pub(super) fn take(&mut self, count: usize, data: Range<usize>) -> Range<usize> {
        let range = self.start + data.start..self.start + data.end;
        self.consume_bytes(count);
        range
    }

    /// The bytes of a range from [`Self::take`].
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Goes over `count` bytes, there or not, without keeping them; gives how many there were.
    pub(super) fn skip(&mut self, count: u64) -> Result<u64, CaptureError> {
        let mut skipped = 0;
        while skipped < count && self.has(1)? {
            let step = (count - skipped).min((self.end - self.start) as u64);
            self.consume_bytes(step as usize);
            skipped += step;
        }
        Ok(skipped)
    }

    /// How the decoder broke, if it did.
    pub(super) const fn breakage(&self) -> Option<(Compression, Breakage)> {
        match self.ending {
            Some(Ending::Broken(compression, breakage)) => Some((compression, breakage)),
            _ => None,
        }
    }

    /// Notes why the stream ended at a record that begins at `offset`, has `have_bytes` and needs
    /// `needed_bytes`; nothing where it ended in front of a record.
    pub(super) fn note_end(&self, damage: &mut DamageLog, offset: u64, have_bytes: u64, needed_bytes: u64) {
        if let Some((compression, breakage)) = self.breakage() {
            damage.note(self.base + self.end as u64, DamageKind::Compression { compression, breakage });
        } else if have_bytes > 0 {
            damage.note(offset, DamageKind::CutOff { have_bytes, needed_bytes });
        }
    }

    /// Reads until `count` bytes are there or the stream ends.
    pub(super) fn fill(&mut self, count: usize) -> io::Result<bool> {
        if self.ending.is_some() || count > MAX_HELD_BYTES {
            return Ok(self.end - self.start >= count);
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if count > self.bytes.len() {
            self.bytes.resize(count.next_power_of_two(), 0);
        }
        while self.end < count {
            let most = if self.compression.is_some() { self.end + DECODED_BYTES } else { usize::MAX };
            let until = most.min(self.bytes.len());
            let Some(room) = self.bytes.get_mut(self.end..until) else { break };
            match self.reader.read(room) {
                Ok(0) => {
                    self.ending = Some(match self.stored.broken.get() {
                        Some(&(compression, breakage)) => Ending::Broken(compression, breakage),
                        None => Ending::Complete,
                    });
                    return Ok(false);
                }
                Ok(read) => self.end = (self.end + read).min(until),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match self.compression {
                    Some(compression) if !self.stored.has_failed.load(Ordering::Relaxed) => {
                        let breakage = compression::breakage(&error);
                        let &(compression, breakage) =
                            self.stored.broken.get_or_init(|| (compression, breakage));
                        self.ending = Some(Ending::Broken(compression, breakage));
                        return Ok(false);
                    }
                    _ => {
                        self.ending = Some(Ending::Failed);
                        return Err(error);
                    }
                },
            }
        }
        Ok(true)
    }
}

/// As the input of a decoder.
impl Read for Buffer {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Buffer {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.fill(1)?;
        }
        Ok(self.available())
    }

    fn consume(&mut self, count: usize) {
        self.consume_bytes(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(bytes: &[u8], capacity: usize) -> Buffer {
        Buffer::new(Box::new(io::Cursor::new(bytes.to_vec())), capacity)
    }

    #[test]
    fn grows_for_a_record_and_keeps_what_was_there() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut buffer = over(&bytes, 16);
        assert!(buffer.has(10).unwrap());
        buffer.consume_bytes(5);
        assert!(buffer.has(9_000).unwrap());
        assert_eq!(buffer.available().get(..9_000), bytes.get(5..9_005));
        assert_eq!(buffer.position(), 5);
        assert!(!buffer.has(9_996).unwrap());
        assert_eq!(buffer.available().len(), 9_995);
    }

    #[test]
    fn skips_more_than_it_holds_and_says_where_the_stream_ended() {
        let mut buffer = over(&[7; 1_000], 16);
        assert_eq!(buffer.skip(900).unwrap(), 900);
        assert_eq!(buffer.position(), 900);
        assert_eq!(buffer.skip(900).unwrap(), 100);
        assert_eq!(buffer.position(), 1_000);
    }

    #[test]
    fn refuses_to_hold_more_than_its_limit() {
        let mut buffer = over(&[0; 8], 16);
        assert!(!buffer.has(usize::MAX).unwrap());
        assert_eq!(buffer.capacity(), 16);
    }
}
