//! A ring and how far it was read.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::block::{self, Place};
use crate::capture::live::Count;
use crate::capture::merge::{Queue, TakeOne, Taken, moment_of};
use crate::capture::sys::packet_socket::{Instruction, MappedRing, PacketSocket, RingStatistics};
use crate::model::Timestamp;

/// The ring of one socket. Its head is the oldest frame that was not taken yet.
pub struct Ring {
    mapped: MappedRing,
    /// Index into the interfaces of the source.
    pub interface: u32,
    /// Frames begin with a link header, into which a tag can be put back.
    is_tagged: bool,
    /// The block that is read, and its frames that are left, the head included.
    block: usize,
    rest: u32,
    head: Option<Place>,
    /// The moment of the block's first frame: by then, plus some delay, it was ready.
    ready_since: Option<Instant>,
    /// Frames that came into the ring, as far as the kernel was asked, and those that were taken out.
    came: u64,
    taken: u64,
    /// Frames that the filter left out, since it was asked last.
    left_out: Count,
    /// Since when its interface is gone.
    left: Option<Instant>,
}

impl Ring {
    pub const fn new(mapped: MappedRing, interface: u32, is_tagged: bool) -> Self {
        Self {
            mapped,
            interface,
            is_tagged,
            block: 0,
            rest: 0,
            head: None,
            ready_since: None,
            came: 0,
            taken: 0,
            left_out: Count { packets: 0, bytes: 0 },
            left: None,
        }
    }

    pub const fn socket(&self) -> &PacketSocket {
        self.mapped.socket()
    }

    pub const fn bytes(&self) -> u64 {
        self.mapped.bytes()
    }

    /// What the kernel counted since it was asked last.
    pub fn read_statistics(&mut self) -> io::Result<RingStatistics> {
        let counted = self.mapped.statistics()?;
        self.came += counted.frames.saturating_sub(counted.dropped);
        Ok(counted)
    }

    /// Takes no further frame; those that are there can still be read.
    pub fn leave(&mut self, now: Instant) {
        self.left.get_or_insert(now);
        // Where the kernel refuses, the interface is gone, and nothing comes anyway.
        let _ = self.socket().attach_classic(Instruction::NOTHING);
    }

    pub const fn is_leaving(&self) -> bool {
        self.left.is_some()
    }

    /// Whether its last frame was taken: `hold` after the interface went, no block can come up any more.
    pub fn is_over(&self, now: Instant, hold: Duration) -> bool {
        self.head.is_none() && self.left.is_some_and(|left| now.saturating_duration_since(left) > hold)
    }

    /// Frames that came and were not taken.
    pub const fn unread(&self) -> u64 {
        self.came.saturating_sub(self.taken)
    }

    /// What the filter left out since this was asked last.
    pub fn take_left_out(&mut self) -> Count {
        std::mem::take(&mut self.left_out)
    }

    fn open_block(&mut self, now: Instant) {
        // Bounded: a ring of nothing but empty blocks is left after one round.
        for _ in 0..self.mapped.blocks() {
            let Some(block) = self.mapped.block(self.block) else { return };
            if let Some((count, place)) = block::first(block, self.is_tagged) {
                self.rest = count;
                self.head = Some(place);
                self.ready_since = Some(moment_of(place.timestamp, now));
                self.pass_over();
                if self.head.is_some() {
                    return;
                }
            } else {
                self.leave_block();
            }
        }
    }

    /// Goes to the next frame of the block, or leaves the block.
    #[inline]
    fn advance(&mut self, place: &Place) {
        self.taken += 1;
        self.rest = self.rest.saturating_sub(1);
        let block = if self.rest == 0 { None } else { self.mapped.block(self.block) };
        self.head = block.and_then(|block| block::next(block, place, self.is_tagged));
        if self.head.is_none() {
            self.leave_block();
        }
    }

    /// Counts frames that the filter left out, up to the next one that it did not, or the end of the block.
    #[inline]
    fn pass_over(&mut self) {
        while let Some(place) = self.head
            && place.is_left_out()
        {
            self.left_out.packets += 1;
            self.left_out.bytes += u64::from(place.wire_bytes);
            self.advance(&place);
        }
    }

    fn leave_block(&mut self) {
        self.mapped.release(self.block);
        self.block = (self.block + 1) % self.mapped.blocks();
        self.head = None;
        self.ready_since = None;
    }
}

impl Queue for Ring {
    #[inline]
    fn head(&mut self, now: Instant) -> Option<(Timestamp, Instant)> {
        if self.head.is_none() {
            self.open_block(now);
        }
        match (&self.head, self.ready_since) {
            (Some(place), Some(since)) => Some((place.timestamp, since)),
            _ => None,
        }
    }

    #[inline]
    fn head_in_batch(&self) -> Option<Timestamp> {
        self.head.as_ref().map(|place| place.timestamp)
    }

    #[inline]
    fn take_head(&mut self, take: &mut TakeOne<'_>) -> ControlFlow<()> {
        let Some(place) = self.head else { return ControlFlow::Continue(()) };
        let Some(block) = self.mapped.block(self.block) else { return ControlFlow::Continue(()) };
        let flow = take(Taken {
            interface: self.interface,
            timestamp: place.timestamp,
            wire_bytes: place.wire_bytes,
            data: place.frame(block),
        });
        self.advance(&place);
        self.pass_over();
        flow
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapped.socket().as_fd()
    }
}
