//! Frames on their way from the thread that reads to the thread that works.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::capture::{FlowAddresses, Frame, Interface};
use crate::model::Timestamp;

/// Bytes of frames with which a batch is full: a few hundred full frames, or four of the largest merged packets.
pub(super) const BATCH_BYTES: usize = 256 * 1024;

/// The largest merged packets with their link header. The last frame of a batch may be one of them.
const LARGEST_FRAME: usize = 65_535 + 64;

/// Frames in one batch.
pub(super) const BATCH_FRAMES: usize = 1_024;

/// Batches that go round between two threads: some 8 MiB of frames in all. When all of them are full, the
/// engine is behind.
pub(super) const BATCHES: usize = 32;

/// The way that emptied batches come back, with all of them at its end.
pub(super) fn empties() -> (SyncSender<Batch>, Receiver<Batch>) {
    let (home, empties) = sync_channel(BATCHES);
    for _ in 0..BATCHES {
        // There is room for so many.
        let _ = home.try_send(Batch::default());
    }
    (home, empties)
}

/// Copies of frames. It is used again and again, so that nothing is allocated per frame.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Place>,
    /// The interfaces that the frames' numbers mean.
    pub interfaces: Arc<[Interface]>,
    /// On the way back: flows of which the source may leave out further packets, and the time of the frame that told:
    /// others were read meanwhile.
    pub settled: Vec<(FlowAddresses, Timestamp)>,
    /// On the way back, too: addresses that clients were told for names of interest.
    pub learned: Vec<IpAddr>,
}

#[derive(Clone, Copy)]
struct Place {
    timestamp: Timestamp,
    interface: u32,
    wire_bytes: u32,
    start: usize,
    bytes: usize,
}

impl Batch {
    /// Copies one frame. For one more than [`Batch::is_full`] there is room without new memory, unless it is a giant.
    pub fn push(&mut self, frame: &Frame<'_>, interface: u32, timestamp: Timestamp) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(BATCH_BYTES + LARGEST_FRAME);
            self.frames.reserve(BATCH_FRAMES);
        }
        self.frames.push(Place {
            timestamp,
            interface,
            wire_bytes: frame.wire_bytes,
            start: self.bytes.len(),
            bytes: frame.data.len(),
        });
        self.bytes.extend_from_slice(frame.data);
    }

    /// The next frame belongs into another batch.
    pub fn is_full(&self) -> bool {
        self.frames.len() >= BATCH_FRAMES || self.bytes.len() >= BATCH_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the frames, not the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        // One giant frame is no reason to keep its memory for ever.
        if self.bytes.capacity() > BATCH_BYTES * 2 {
            self.bytes = Vec::new();
        }
    }

    /// The frames, numbered from after `last`.
    pub fn frames(&self, last: u64) -> impl Iterator<Item = Frame<'_>> + Clone {
        self.frames.iter().zip(last + 1..).map(|(place, number)| Frame {
            number,
            timestamp: place.timestamp,
            interface: place.interface,
            wire_bytes: place.wire_bytes,
            data: self.bytes.get(place.start..place.start + place.bytes).unwrap_or_default(),
        })
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(data: &[u8]) -> Frame<'_> {
        let timestamp = Timestamp::from_seconds(7);
        Frame { number: 1, timestamp, interface: 0, wire_bytes: data.len() as u32 + 3, data }
    }

    #[test]
    fn gives_back_what_it_was_given() {
        let mut batch = Batch::default();
        for data in [&b"one"[..], b"", b"three"] {
            batch.push(&frame(data), 4, Timestamp::from_seconds(9));
        }
        let frames: Vec<_> = batch.frames(10).collect();
        assert_eq!(frames.iter().map(|frame| frame.data).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [11, 12, 13]);
        assert!(frames.iter().all(|frame| frame.interface == 4
            && frame.timestamp == Timestamp::from_seconds(9)
            && frame.wire_bytes as usize == frame.data.len() + 3));
        batch.clear();
        assert!(batch.is_empty());
    }

    #[test]
    fn is_limited_in_bytes_and_frames_but_takes_one_giant() {
        let mut batch = Batch::default();
        batch.push(&frame(&vec![0; 3 * BATCH_BYTES]), 0, Timestamp::default());
        assert!(batch.is_full());
        batch.clear();
        assert_eq!(batch.bytes.capacity(), 0, "the giant's memory is given back");
        let mut fill = |bytes: usize| {
            batch.clear();
            let data = vec![0; bytes];
            while !batch.is_full() {
                batch.push(&frame(&data), 0, Timestamp::default());
            }
            (batch.len(), batch.bytes.capacity())
        };
        let (taken, memory) = fill(0);
        assert_eq!(taken, BATCH_FRAMES);
        for bytes in [1_500, LARGEST_FRAME] {
            assert_eq!(fill(bytes).1, memory, "it is never more than reserved at first");
        }
    }
}
