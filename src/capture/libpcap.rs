//! Frames by libpcap: the back-end `pcap`, for whatever the others do not serve.
//!
//! Input: interfaces to watch. Output: their frames in the order of their time over all interfaces, and
//! what was lost. libpcap keeps a buffer for each interface; what is read from it is copied once, because
//! it lends only one packet at a time. It never waits for the reader and never looks into a frame.

use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Error, Precision};

use super::frame::Interface;
use super::link_type::LinkType;
use super::live::{Link, LinkCounts, LiveError, LiveSource, Take};
use super::memory;
use super::merge::{Queue, TakeOne, Taken, moment_of};
use super::places::Places;
use super::reading::{self, Queues};
use super::sys::readiness;
use crate::model::Timestamp;

/// libpcap hands a buffer over after this time, if it is not full.
const TIMEOUT_MILLISECONDS: i32 = 16;

/// The oldest frame of a buffer is at most this old when it can be read, as in the rings of `afpacket`,
/// which libpcap uses, too.
const HOLD: Duration = Duration::from_millis(2 * TIMEOUT_MILLISECONDS as u64 + 8);

/// libpcap cuts all packets at one length: that of the largest merged packet with its link header and tags, since a
/// request in clear fills them. A buffer holds no more of a packet than there is.
const MERGED_BYTES: u32 = 65_535 + 64;

/// Packets copied at once: few enough that their copies measure at most 4 MiB, enough to make the call worth it.
const BATCH_PACKETS: usize = 64;

/// A smaller buffer does not hold a few of the largest packets.
const MIN_BUFFER_BYTES: u64 = 1 << 20;

/// Interfaces that are watched at once: each needs a buffer.
const MAX_WATCHED: usize = 4_096;

/// How packets are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Least bytes kept of each packet; merged packets are kept whole.
    pub snaplen_bytes: u32,
    /// The buffer of each interface; less where there are so many that it would be more than 1 GiB in all.
    pub buffer_mib: u32,
    /// Have interfaces hand over what is addressed to others: for ports that mirror.
    pub is_promiscuous: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { snaplen_bytes: 2_048, buffer_mib: 64, is_promiscuous: false }
    }
}

/// libpcap handles.
pub struct Pcap {
    options: Options,
    places: Places,
    handles: Vec<Handle>,
    last_number: u64,
    /// Interfaces that libpcap gave up, with its words. At most as many as are watched.
    failures: Vec<(Link, String)>,
}

/// One interface.
pub(super) struct Handle {
    capture: Capture<Active>,
    descriptor: RawFd,
    buffer_bytes: u64,
    interface: u32,
    link: Link,
    /// Since when the interface is gone.
    left: Option<Instant>,
    /// Packets that were copied, and how many of them were given.
    bytes: Vec<u8>,
    packets: Vec<Copied>,
    given: usize,
    ready_since: Option<Instant>,
    /// What libpcap had counted as dropped when it was asked last; it counts in 32 bits.
    dropped: u32,
    failure: Option<String>,
}

#[derive(Clone, Copy)]
struct Copied {
    timestamp: Timestamp,
    wire_bytes: u32,
    start: usize,
    end: usize,
}

impl Pcap {
    /// A source that watches nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, places: Places::default(), handles: Vec::new(), last_number: 0, failures: Vec::new() }
    }

    fn open(&self, link: &Link, buffer_bytes: u64) -> Result<(Capture<Active>, LinkType), LiveError> {
        let failed = |error: Error| match explain(error, &link.name) {
            LiveError::Interface { .. } if !link.is_named_in_text() => link.lost_by_name(),
            other => other,
        };
        let buffer_bytes = i32::try_from(buffer_bytes).unwrap_or(i32::MAX);
        let snaplen = self.options.snaplen_bytes.max(MERGED_BYTES);
        let capture = Capture::from_device(&*link.name)
            .map_err(failed)?
            .snaplen(i32::try_from(snaplen).unwrap_or(i32::MAX))
            .buffer_size(buffer_bytes)
            .timeout(TIMEOUT_MILLISECONDS)
            .promisc(self.options.is_promiscuous)
            // On Linux always there; nothing but Linux is served here.
            .precision(Precision::Nano)
            .open()
            .map_err(failed)?
            .setnonblock()
            .map_err(failed)?;
        // Link type numbers are those of files, but for raw IP, whose number here is known, too.
        let number = u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX);
        let link_type = LinkType(number);
        if !link_type.is_supported() {
            return Err(LiveError::Unsupported {
                what: format!("watching {}", link.name),
                why: format!("its frames are {link_type}, which ddbwatch does not read"),
            });
        }
        Ok((capture, link_type))
    }

    /// Goes on with an interface that is back before what libpcap had of it was taken: with two handles, each of its
    /// packets would come twice.
    fn take_back(&mut self, link: &Link) -> bool {
        let is_it =
            |handle: &&mut Handle| handle.left.is_some() && handle.failure.is_none() && handle.link == *link;
        let Some(handle) = self.handles.iter_mut().find(is_it) else { return false };
        let place = handle.interface as usize;
        let Some(interface) = self.places.interfaces().get(place).cloned() else { return false };
        handle.left = None;
        self.places.settle(place, link.index, interface);
        true
    }

    fn read_statistics(&mut self) {
        for handle in &mut self.handles {
            if let Ok(counted) = handle.capture.stats() {
                let dropped = u64::from(counted.dropped.wrapping_sub(handle.dropped));
                self.places.lose(handle.interface as usize, "ring", "buffer_full", dropped);
                handle.dropped = counted.dropped;
            }
        }
    }
}

impl Queues for Pcap {
    type Queue = Handle;
    const HOLD: Duration = HOLD;
    const FRAMES_PER_LOOK: usize = BATCH_PACKETS;

    fn parts(&mut self) -> (&mut [Handle], &mut Places, &mut u64) {
        (&mut self.handles, &mut self.places, &mut self.last_number)
    }

    /// Lets go of interfaces that are gone, once what libpcap had of them was taken, and of those it gave up.
    fn tidy(&mut self, now: Instant) {
        let is_over = |handle: &Handle| {
            let is_past = handle.left.is_some_and(|left| now.saturating_duration_since(left) > HOLD);
            (is_past && handle.head_in_batch().is_none()) || handle.failure.is_some()
        };
        if !self.handles.iter().any(is_over) {
            return;
        }
        self.read_statistics();
        for handle in self.handles.extract_if(.., |handle| is_over(handle)) {
            if handle.left.is_some() {
                continue;
            }
            self.places.leave(handle.link.index);
            // It speaks once for each interface; whoever does not listen must not make the list grow.
            self.failures.retain(|(known, _)| known.index != handle.link.index);
            self.failures.extend(handle.failure.map(|failure| (handle.link, failure)));
            self.failures.truncate(MAX_WATCHED);
        }
        if self.handles.iter().all(|handle| handle.left.is_none()) {
            self.places.note_empty();
        }
    }

    fn wait(&mut self, wait: Duration) -> Result<(), LiveError> {
        let descriptors: Vec<RawFd> = self.handles.iter().map(|handle| handle.descriptor).collect();
        readiness::wait_for_any(&descriptors, wait)
            .map_err(|source| LiveError::System { what: "waiting for packets".to_owned(), source })
    }
}

/// libpcap says what is wrong in words only.
fn explain(error: Error, interface: &Arc<str>) -> LiveError {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.to_ascii_lowercase().contains(word));
    if says(&["permission", "not permitted"]) {
        LiveError::Privilege { what: format!("watching {interface} by libpcap"), capability: "CAP_NET_RAW" }
    } else if says(&["no such device", "not up", "disappeared", "doesn't exist"]) {
        LiveError::Interface { interface: Arc::clone(interface), why: text }
    } else {
        LiveError::System {
            what: format!("watching {interface} by libpcap"),
            source: std::io::Error::other(text),
        }
    }
}

impl Handle {
    /// Copies the next packets. The buffers keep their size, so that this allocates only at first.
    fn refill(&mut self, now: Instant) {
        self.bytes.clear();
        self.packets.clear();
        self.given = 0;
        self.ready_since = None;
        if self.failure.is_some() {
            return;
        }
        let (bytes, packets) = (&mut self.bytes, &mut self.packets);
        let result = self.capture.dispatch(Some(BATCH_PACKETS), |packet| {
            let header = packet.header;
            let start = bytes.len();
            bytes.extend_from_slice(packet.data);
            let seconds = u64::try_from(header.ts.tv_sec).unwrap_or_default();
            // With nanoseconds asked for, they stand where else the microseconds are.
            let nanoseconds = u64::try_from(header.ts.tv_usec).unwrap_or_default();
            packets.push(Copied {
                timestamp: Timestamp::from_nanos(
                    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
                ),
                wire_bytes: header.len,
                start,
                end: bytes.len(),
            });
        });
        if let Err(error) = result {
            self.failure = Some(error.to_string());
        }
        self.ready_since = self.packets.first().map(|packet| moment_of(packet.timestamp, now));
    }
}

impl Queue for Handle {
    fn head(&mut self, now: Instant) -> Option<(Timestamp, Instant)> {
        if self.given >= self.packets.len() {
            self.refill(now);
        }
        Some((self.head_in_batch()?, self.ready_since?))
    }

    fn head_in_batch(&self) -> Option<Timestamp> {
        self.packets.get(self.given).map(|packet| packet.timestamp)
    }

    fn take_head(&mut self, take: &mut TakeOne<'_>) -> ControlFlow<()> {
        let Some(packet) = self.packets.get(self.given) else { return ControlFlow::Continue(()) };
        self.given += 1;
        take(Taken {
            interface: self.interface,
            timestamp: packet.timestamp,
            wire_bytes: packet.wire_bytes,
            data: self.bytes.get(packet.start..packet.end).unwrap_or_default(),
        })
    }
}

impl LiveSource for Pcap {
    fn backend(&self) -> &'static str {
        "pcap"
    }

    fn attach(&mut self, link: &Link) -> Result<(), LiveError> {
        if self.places.of(link.index).is_some() {
            return Ok(());
        }
        if self.take_back(link) {
            return Ok(());
        }
        let used = self.handles.iter().map(|handle| handle.buffer_bytes).sum();
        let buffer_bytes =
            memory::granted(u64::from(self.options.buffer_mib) << 20, used).max(MIN_BUFFER_BYTES);
        let (capture, link_type) = self.open(link, buffer_bytes)?;
        let interface = Interface { link_type, ..link.interface() };
        let place = self.places.find(&interface, MAX_WATCHED).ok_or_else(|| link.beyond(MAX_WATCHED))?;
        self.places.settle(place, link.index, interface);
        self.places.lose(place, "ring", "buffer_full", 0);
        self.handles.push(Handle {
            descriptor: capture.as_raw_fd(),
            buffer_bytes,
            capture,
            interface: place as u32,
            link: link.clone(),
            left: None,
            bytes: Vec::new(),
            packets: Vec::with_capacity(BATCH_PACKETS),
            given: 0,
            ready_since: None,
            dropped: 0,
            failure: None,
        });
        Ok(())
    }

    fn detach(&mut self, index: u32) {
        let now = Instant::now();
        let is_it = |handle: &&mut Handle| handle.link.index == index && handle.left.is_none();
        if let Some(handle) = self.handles.iter_mut().find(is_it) {
            handle.left = Some(now);
        }
        self.places.leave(index);
    }

    fn interfaces(&self) -> &[Interface] {
        self.places.interfaces()
    }

    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        reading::poll(self, wait, most, take)
    }

    fn take_failures(&mut self) -> Vec<(Link, String)> {
        std::mem::take(&mut self.failures)
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        self.read_statistics();
        self.places.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_the_words_of_libpcap() {
        let name: Arc<str> = Arc::from("eth7");
        for (words, reason) in [
            ("eth7: You don't have permission to perform this capture on that device", "privilege"),
            ("socket: Operation not permitted", "privilege"),
            ("eth7: No such device exists (No such device exists)", "interface"),
            ("eth7: That device is not up", "interface"),
            ("The interface disappeared", "interface"),
            ("can't allocate a ring", "system"),
        ] {
            assert_eq!(explain(Error::PcapError(words.to_owned()), &name).reason(), reason, "{words}");
        }
    }
}
