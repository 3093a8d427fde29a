//! Frames from packet sockets with mapped rings: the back-end `afpacket`.
//!
//! Input: interfaces to watch, and how ([`Options`]). Output: their frames, read in the ring without a
//! copy and in the order of their time over all interfaces, and what was lost. It needs `CAP_NET_RAW`
//! and nothing else. The ring is the only queue: where the reader is too slow, the kernel drops and
//! counts. It never waits for the reader, and it never looks into a frame.
//!
//! # Frames that this host sends
//!
//! They are taken, too, because the way back of a flow of this host, and the way out of a flow that is
//! translated (NAT), are seen nowhere else. Left out is what was seen coming in. The program in the kernel
//! ([`SocketSelection`]) knows that of each flow, and asks anew once an interface is watched no longer. The classic
//! filter knows nothing of flows; [`outgoing_for`] says when it may leave out what does not come from this host:
//! what is only forwarded between watched interfaces was seen coming in. On the loopback every packet comes in
//! again, so there outgoing ones are never taken.

mod block;
mod filter;
mod ring;

use std::net::IpAddr;
use std::os::fd::{AsFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use self::ring::Ring;
use super::frame::Interface;
use super::link_type::LinkType;
use super::live::{FlowAddresses, Link, LinkCounts, LiveError, LiveSource, Outgoing, Take};
use super::memory;
use super::places::Places;
use super::reading::{self, Queues};
use super::sys::packet_socket::{FrameStart, PacketSocket, RingShape};
use crate::model::Timestamp;

pub use self::filter::MAX_OWN_ADDRESSES;

/// A block that is not full is handed over after this time, give or take the kernel's timer.
const RETIRE_MILLISECONDS: u32 = 16;

/// The oldest frame of a block is at most this old when the block is handed over: the timer looks
/// once per period, and closes what did not change for one.
const HOLD: Duration = Duration::from_millis(2 * RETIRE_MILLISECONDS as u64 + 8);

/// Blocks are small, so that a quiet interface, which closes one with each tick, has many; and large enough
/// for the largest merged packet.
const BLOCK_BYTES: u32 = 128 * 1024;
const LARGE_BLOCK_BYTES: u32 = 1024 * 1024;

/// Fewer blocks than this drop while one is read.
const MIN_BLOCKS: u32 = 4;

/// A group of more sockets than this has more rings than any host has cores to fill them.
const MAX_FANOUT: u16 = 64;

/// Interfaces that are watched at once: each needs a ring.
const MAX_WATCHED: usize = 4_096;

/// How packets are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Least bytes kept of each packet, in the classic filter. First flights of up to 16 KiB in one merged
    /// packet are kept whole; of what is passed over, the headers are kept.
    pub snaplen_bytes: u32,
    /// Memory of the rings of each interface; less where there are so many interfaces that it would be more than
    /// 1 GiB in all.
    pub ring_mib: u32,
    /// Rings per interface, filled in parallel: flows are spread over them by a hash that is the same for
    /// both directions.
    pub fanout: u16,
    /// Have interfaces hand over what is addressed to others: for ports that mirror.
    pub is_promiscuous: bool,
    /// Which of the frames that this host sends are taken.
    pub outgoing: Outgoing,
}

impl Default for Options {
    fn default() -> Self {
        Self { snaplen_bytes: 2_048, ring_mib: 64, fanout: 1, is_promiscuous: false, outgoing: Outgoing::All }
    }
}

/// What decides which frames this host sends may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// The host forwards, for either version of IP.
    pub forwards: bool,
    /// Addresses may be translated on the way through: connection tracking is there.
    pub may_translate: bool,
    /// Its sockets may have addresses that are not its own, as those of a transparent proxy.
    pub takes_in_others: bool,
    /// Every interface that packets may come in by is watched.
    pub watches_every_link: bool,
    /// The addresses of this host.
    pub own: Vec<IpAddr>,
}

/// The frames this host sends that need to be taken.
///
/// Left out are only those that were seen coming in, under the same addresses, on another interface.
#[must_use]
pub fn outgoing_for(situation: &Situation) -> Outgoing {
    let was_seen_coming_in = situation.forwards
        && !situation.may_translate
        && !situation.takes_in_others
        && situation.watches_every_link;
    if was_seen_coming_in && situation.own.len() <= MAX_OWN_ADDRESSES {
        Outgoing::OwnOnly(situation.own.clone())
    } else {
        Outgoing::All
    }
}

/// A program in the kernel that chooses frames in place of the classic filter.
pub trait SocketSelection: Send {
    /// The descriptor of the program; valid as long as this lives.
    fn descriptor(&self) -> RawFd;

    /// Is told of an interface before its frames come; `is_raw_ip` where they begin with an IP header.
    ///
    /// # Errors
    /// Where it cannot serve the interface.
    fn watch(&mut self, index: u32, is_raw_ip: bool) -> Result<(), LiveError>;

    /// As [`LiveSource::settle`].
    fn settle(&mut self, flow: &FlowAddresses, until: Timestamp);

    /// The interface with this kernel number is gone, or no longer of interest.
    fn forget(&mut self, index: u32);

    /// What it left out on the interface with this kernel number, since this was asked last: skipped and
    /// dropped packets, as in [`LinkCounts`].
    fn left_out(&mut self, index: u32) -> LinkCounts;

    /// As [`LiveSource::set_interest`].
    ///
    /// # Errors
    /// Where they are too many or the kernel refuses.
    fn set_interest(&mut self, prefixes: &[IpNet]) -> Result<(), LiveError>;

    /// As [`LiveSource::learn`].
    fn learn(&mut self, address: IpAddr);
}

/// Rings of packet sockets.
pub struct AfPacket {
    options: Options,
    selection: Option<Box<dyn SocketSelection>>,
    places: Places,
    rings: Vec<Ring>,
    last_number: u64,
}

impl AfPacket {
    /// A source that watches nothing yet.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`, or on a kernel without packet sockets.
    pub fn open(options: Options, selection: Option<Box<dyn SocketSelection>>) -> Result<Self, LiveError> {
        // Tells a missing privilege now, and not with the first interface.
        PacketSocket::open(FrameStart::Link).map_err(refused)?;
        Ok(Self { options, selection, places: Places::default(), rings: Vec::new(), last_number: 0 })
    }

    /// How the memory of an interface is divided.
    fn shape(&self) -> RingShape {
        let block_bytes =
            if self.options.snaplen_bytes > BLOCK_BYTES / 2 { LARGE_BLOCK_BYTES } else { BLOCK_BYTES };
        let used = self.rings.iter().map(Ring::bytes).sum();
        let ring_bytes =
            memory::granted(u64::from(self.options.ring_mib) << 20, used) / u64::from(self.fanout());
        let blocks = u32::try_from(ring_bytes / u64::from(block_bytes)).unwrap_or(u32::MAX);
        RingShape {
            block_bytes,
            blocks: blocks.max(MIN_BLOCKS),
            retire_milliseconds: RETIRE_MILLISECONDS,
            reserve_bytes: block::RESERVE_BYTES,
        }
    }

    fn fanout(&self) -> u16 {
        self.options.fanout.clamp(1, MAX_FANOUT)
    }

    /// Makes the rings of one interface.
    fn open_rings(&self, link: &Link, number: u32, is_loopback: bool) -> Result<Vec<Ring>, LiveError> {
        let Some(start) = start_of(link.link_type) else {
            return Err(LiveError::Unsupported {
                what: format!("watching {}", link.name),
                why: format!("its frames are {}, which ddbwatch does not read", link.link_type),
            });
        };
        let failed = |source: std::io::Error| match source.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => {
                LiveError::Interface { interface: Arc::clone(&link.name), why: "it is gone".to_owned() }
            }
            Some(libc::ENOMEM) => LiveError::System {
                what: format!(
                    "no memory for the ring of {}: make [capture] ring_mib smaller (it is {})",
                    link.name, self.options.ring_mib
                ),
                source,
            },
            _ => LiveError::System { what: format!("watching {}", link.name), source },
        };
        let ignores_outgoing = is_loopback || self.options.outgoing == Outgoing::None;
        let mut rings = Vec::new();
        let mut group = None;
        for _ in 0..self.fanout() {
            let socket = PacketSocket::open(start).map_err(refused)?;
            match &self.selection {
                Some(selection) => socket.attach_extended(selection.descriptor()),
                None => socket.attach_classic(&filter::program(
                    start,
                    self.options.snaplen_bytes,
                    &self.options.outgoing,
                )),
            }
            .map_err(failed)?;
            if ignores_outgoing {
                // A kernel before 4.20 shows them all the same: then each is a second sighting.
                let _ = socket.ignore_outgoing();
            }
            if self.options.is_promiscuous && start == FrameStart::Link && !is_loopback {
                socket.be_promiscuous(link.index).map_err(failed)?;
            }
            let mapped = socket.into_ring(self.shape()).map_err(failed)?;
            mapped.socket().bind(link.index).map_err(failed)?;
            if self.fanout() > 1 {
                group = Some(mapped.socket().join_fanout(group, ignores_outgoing).map_err(failed)?);
            }
            rings.push(Ring::new(mapped, number, start == FrameStart::Link));
        }
        Ok(rings)
    }

    /// Adds what the kernel dropped and left out since it was asked last.
    fn read_statistics(&mut self) {
        for ring in &mut self.rings {
            let left_out = ring.take_left_out();
            if left_out.packets > 0 {
                self.places.skip(ring.interface as usize, "outgoing", left_out);
            }
            if let Ok(counted) = ring.read_statistics() {
                self.places.lose(ring.interface as usize, "ring", "ring_full", counted.dropped);
            }
        }
        let watched: Vec<(usize, u32)> = self.places.watched().collect();
        for (at, index) in watched {
            self.read_selection(at, index);
        }
    }

    fn read_selection(&mut self, at: usize, index: u32) {
        let Some(selection) = &mut self.selection else { return };
        let left_out = selection.left_out(index);
        for (reason, count) in left_out.skipped {
            self.places.skip(at, reason, count);
        }
        for (stage, reason, packets) in left_out.dropped {
            self.places.lose(at, stage, reason, packets);
        }
    }
}

impl Queues for AfPacket {
    type Queue = Ring;
    const HOLD: Duration = HOLD;
    const FRAMES_PER_LOOK: usize = 256;

    fn parts(&mut self) -> (&mut [Ring], &mut Places, &mut u64) {
        (&mut self.rings, &mut self.places, &mut self.last_number)
    }

    /// Lets go of the rings of interfaces that are gone, once their last block was handed over.
    fn tidy(&mut self, now: Instant) {
        let is_over = |ring: &Ring| ring.is_over(now, HOLD);
        // Also of an interface that is back: its place is taken again, by other rings.
        if !self.rings.iter().any(is_over) {
            return;
        }
        self.read_statistics();
        for ring in self.rings.extract_if(.., |ring| is_over(ring)) {
            // What could not be read: counted, not forgotten.
            self.places.lose(ring.interface as usize, "ring", "interface_gone", ring.unread());
        }
        if !self.rings.iter().any(Ring::is_leaving) {
            self.places.note_empty();
        }
    }

    fn wait(&mut self, wait: Duration) -> Result<(), LiveError> {
        let mut waiting: Vec<PollFd<'_>> =
            self.rings.iter().map(|ring| PollFd::new(ring.as_fd(), PollFlags::POLLIN)).collect();
        // Rounded up: a wait of less than a millisecond is no wait at all.
        let milliseconds = u16::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
        match poll(&mut waiting, PollTimeout::from(milliseconds)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                return Err(LiveError::System {
                    what: "waiting for packets".to_owned(),
                    source: error.into(),
                });
            }
        }
        let mut has_failed = false;
        for (ready, ring) in waiting.iter().zip(&self.rings) {
            if ready.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)) {
                // Down or gone: asking takes the error away, and the socket works again when the interface does.
                // That it went is told by netlink.
                has_failed |= ring.socket().pending_error().is_err();
            }
        }
        if has_failed {
            return Err(LiveError::System {
                what: "asking a packet socket for its state".to_owned(),
                source: std::io::Error::other("the kernel gives no answer"),
            });
        }
        Ok(())
    }
}

/// What a socket gives of frames of this type; `None` where they cannot be read.
const fn start_of(link_type: LinkType) -> Option<FrameStart> {
    match link_type {
        LinkType::ETHERNET => Some(FrameStart::Link),
        // Devices without a link header of their own: tun, wireguard, vti, xfrm, ipip, sit, gre, ppp. What some
        // of them show in front of the packet differs between sending and receiving; so from the packet on.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => Some(FrameStart::Network),
        _ => None,
    }
}

fn refused(source: std::io::Error) -> LiveError {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            LiveError::Privilege { what: "a packet socket".to_owned(), capability: "CAP_NET_RAW" }
        }
        Some(libc::EAFNOSUPPORT) => LiveError::Unsupported {
            what: "a packet socket".to_owned(),
            why: "the kernel has no AF_PACKET (CONFIG_PACKET)".to_owned(),
        },
        _ => LiveError::System { what: "opening a packet socket".to_owned(), source },
    }
}

/// Whether the interface is a loopback, by its flags.
fn is_loopback(name: &str) -> bool {
    nix::ifaddrs::getifaddrs().is_ok_and(|mut interfaces| {
        interfaces.any(|interface| {
            interface.interface_name == name
                && interface.flags.contains(nix::net::if_::InterfaceFlags::IFF_LOOPBACK)
        })
    })
}

impl LiveSource for AfPacket {
    fn backend(&self) -> &'static str {
        "afpacket"
    }

    fn attach(&mut self, link: &Link) -> Result<(), LiveError> {
        if self.places.of(link.index).is_some() {
            return Ok(());
        }
        let interface = link.interface();
        let place = self.places.find(&interface, MAX_WATCHED).ok_or_else(|| link.beyond(MAX_WATCHED))?;
        if let Some(selection) = &mut self.selection {
            selection.watch(link.index, start_of(link.link_type) == Some(FrameStart::Network))?;
        }
        match self.open_rings(link, place as u32, is_loopback(&link.name)) {
            Ok(rings) => {
                self.places.settle(place, link.index, interface);
                self.places.lose(place, "ring", "ring_full", 0);
                self.rings.extend(rings);
                Ok(())
            }
            Err(error) => {
                if let Some(selection) = &mut self.selection {
                    selection.forget(link.index);
                }
                Err(error)
            }
        }
    }

    fn detach(&mut self, index: u32) {
        self.read_statistics();
        let Some(place) = self.places.leave(index) else { return };
        let now = Instant::now();
        for ring in self.rings.iter_mut().filter(|ring| ring.interface as usize == place) {
            ring.leave(now);
        }
        self.read_selection(place, index);
        if let Some(selection) = &mut self.selection {
            selection.forget(index);
        }
    }

    fn interfaces(&self) -> &[Interface] {
        self.places.interfaces()
    }

    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        reading::poll(self, wait, most, take)
    }

    fn settle(&mut self, flow: &FlowAddresses, until: Timestamp) {
        if let Some(selection) = &mut self.selection {
            selection.settle(flow, until);
        }
    }

    fn set_interest(&mut self, prefixes: &[IpNet]) -> Result<(), LiveError> {
        self.selection.as_mut().map_or(Ok(()), |selection| selection.set_interest(prefixes))
    }

    fn learn(&mut self, address: IpAddr) {
        if let Some(selection) = &mut self.selection {
            selection.learn(address);
        }
    }

    fn set_outgoing(&mut self, outgoing: &Outgoing) -> Result<(), LiveError> {
        if self.selection.is_none() && *outgoing != self.options.outgoing {
            for ring in self.rings.iter().filter(|ring| !ring.is_leaving()) {
                let interface = self.places.interfaces().get(ring.interface as usize);
                let Some(start) = interface.and_then(|interface| start_of(interface.link_type)) else {
                    continue;
                };
                let program = filter::program(start, self.options.snaplen_bytes, outgoing);
                ring.socket().attach_classic(&program).map_err(|source| LiveError::System {
                    what: "changing the filter of a packet socket".to_owned(),
                    source,
                })?;
            }
        }
        self.options.outgoing = outgoing.clone();
        Ok(())
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        self.read_statistics();
        self.places.counts()
    }
}

#[cfg(test)]
mod tests;
