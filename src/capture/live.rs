//! What every live back-end gives, and is told.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::frame::{Frame, Interface};
use super::link_type::LinkType;
use crate::model::Timestamp;

/// A network interface of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number the kernel gives it (`ifindex`).
    pub index: u32,
    /// `eth0`
    pub name: Arc<str>,
    /// Kind as the system names it: `vti`, `xfrm`, `tun`, `vlan`, `vxlan`, …; `None` for hardware.
    pub kind: Option<Arc<str>>,
    /// How its frames begin.
    pub link_type: LinkType,
}

impl Link {
    /// Whether its name is UTF-8. It is told with this character for every byte that is not.
    #[must_use]
    pub fn is_named_in_text(&self) -> bool {
        !self.name.contains(char::REPLACEMENT_CHARACTER)
    }

    /// As the frames of its source name it.
    #[must_use]
    pub fn interface(&self) -> Interface {
        Interface { link_type: self.link_type, name: Some(Arc::clone(&self.name)), kind: self.kind.clone() }
    }

    /// Why it is not watched beside as many `others` as can be.
    #[must_use]
    pub fn beyond(&self, others: usize) -> LiveError {
        LiveError::Interface {
            interface: Arc::clone(&self.name),
            why: format!("{others} others are watched"),
        }
    }

    /// Why a back-end that goes by names does not find it.
    #[must_use]
    pub fn lost_by_name(&self) -> LiveError {
        let why = if !self.is_named_in_text() {
            "its name is not UTF-8: give it another one, or take --backend afpacket, which goes by its number"
        } else {
            "it is gone or has another name"
        };
        LiveError::Interface { interface: Arc::clone(&self.name), why: why.to_owned() }
    }
}

/// The addresses of a flow's packet, the innermost ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowAddresses {
    /// Who sent the packet.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
}

/// Which of the frames that this host sends are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outgoing {
    /// All of them.
    #[default]
    All,
    /// Those from one of these addresses of its own; what it forwards comes in elsewhere.
    OwnOnly(Vec<IpAddr>),
    /// None: each is seen coming in on the same interface, as on the loopback.
    None,
}

/// Packets and bytes of one kind, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets, however long.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// What a back-end counted on one interface, since the start. For every interface
/// `seen = given + sum(skipped) + sum(dropped)`, in packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Name of the interface.
    pub interface: Arc<str>,
    /// Every packet that came by.
    pub seen: Count,
    /// Packets handed to [`LiveSource::poll`]'s caller.
    pub given: Count,
    /// Packets that the kernel part rightly left out, by reason.
    pub skipped: Vec<(&'static str, Count)>,
    /// When the newest of those was there, as exactly as the kernel part is asked.
    pub last_skipped: Option<Timestamp>,
    /// Packets lost, by stage (`nic`, `kernel`, `ring`) and reason.
    pub dropped: Vec<(&'static str, &'static str, u64)>,
    /// Packets that came in and that went out, where the kernel part tells them apart: what the interface counts
    /// besides passed it by.
    pub met: Met,
}

/// Packets that came in, and that went out; `None` where that is not told.
pub type Met = [Option<u64>; 2];

/// What interfaces are called together that are not told apart any more.
pub const OTHERS: &str = "other";

impl LinkCounts {
    /// Adds what was counted on another interface, or on the same one by another source.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [(&mut self.seen, other.seen), (&mut self.given, other.given)] {
            mine.packets += theirs.packets;
            mine.bytes += theirs.bytes;
        }
        for (reason, count) in &other.skipped {
            self.add_skipped(reason, *count);
        }
        self.last_skipped = self.last_skipped.max(other.last_skipped);
        for (stage, reason, packets) in &other.dropped {
            self.add_dropped(stage, reason, *packets);
        }
        for (mine, theirs) in self.met.iter_mut().zip(other.met) {
            if let Some(theirs) = theirs {
                *mine = Some(mine.unwrap_or_default() + theirs);
            }
        }
    }

    /// Adds packets that were left out.
    pub fn add_skipped(&mut self, reason: &'static str, count: Count) {
        match self.skipped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, mine)) => {
                mine.packets += count.packets;
                mine.bytes += count.bytes;
            }
            None => self.skipped.push((reason, count)),
        }
    }

    /// Adds packets that were lost.
    pub fn add_dropped(&mut self, stage: &'static str, reason: &'static str, packets: u64) {
        match self.dropped.iter_mut().find(|(one, other, _)| (*one, *other) == (stage, reason)) {
            Some((_, _, mine)) => *mine += packets,
            None => self.dropped.push((stage, reason, packets)),
        }
    }

    /// Takes as seen what was given, skipped and dropped; of what was dropped, nobody knows how long it was.
    pub fn sum_up(&mut self) {
        self.seen = self.given;
        for (_, count) in &self.skipped {
            self.seen.packets += count.packets;
            self.seen.bytes += count.bytes;
        }
        self.seen.packets += self.dropped.iter().map(|(.., packets)| packets).sum::<u64>();
    }
}

/// Why a live source cannot work.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The system refuses for want of a privilege.
    #[error("{what} needs {capability}: run as root, or give the program that capability")]
    Privilege { what: String, capability: &'static str },
    /// The system does not have what is needed.
    #[error("{what} is not possible here: {why}")]
    Unsupported { what: String, why: String },
    /// The interface is gone or down.
    #[error("the interface {interface} cannot be watched: {why}")]
    Interface { interface: Arc<str>, why: String },
    /// Anything else the system says.
    #[error("{what}: {source}")]
    System { what: String, source: std::io::Error },
}

impl LiveError {
    /// The word for metrics and tests.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Privilege { .. } => "privilege",
            Self::Unsupported { .. } => "unsupported",
            Self::Interface { .. } => "interface",
            Self::System { .. } => "system",
        }
    }
}

/// Takes a frame, and says whether it takes the next one as well.
pub type Take<'a> = dyn FnMut(&Frame<'_>, &[Interface]) -> ControlFlow<()> + 'a;

/// A source of frames of this host's interfaces. It belongs to one thread.
pub trait LiveSource: Send {
    /// The word of the back-end: `ebpf`, `afpacket`, `pcap`.
    fn backend(&self) -> &'static str;

    /// Starts watching an interface; one that is watched already is no error.
    ///
    /// # Errors
    /// Where the system refuses.
    fn attach(&mut self, link: &Link) -> Result<(), LiveError>;

    /// Stops watching the interface with this kernel number, if it is watched.
    fn detach(&mut self, index: u32);

    /// The interfaces that are told apart, in the order of [`Frame::interface`]. One that is gone may make place for
    /// another one, but only in [`LiveSource::attach`], and when no frame of it is under way.
    fn interfaces(&self) -> &[Interface];

    /// Gives every waiting frame to `take`, at most `most` of them and none after the one at which `take` breaks off,
    /// and says how many they were. What is not given stays where it is; where that becomes too much, it is dropped
    /// there and counted. It waits no longer than `wait` for the first one. Frames begin with the outermost header;
    /// VLAN tags that hardware or kernel took off stand in the frame again; timestamps are UTC.
    ///
    /// # Errors
    /// Where nothing can be read any more.
    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError>;

    /// As [`LiveSource::poll`], for `each` that takes whatever comes.
    ///
    /// # Errors
    /// As [`LiveSource::poll`].
    fn poll_all(
        &mut self,
        wait: Duration,
        most: usize,
        each: &mut dyn FnMut(&Frame<'_>, &[Interface]),
    ) -> Result<usize, LiveError> {
        self.poll(wait, most, &mut |frame, interfaces| {
            each(frame, interfaces);
            ControlFlow::Continue(())
        })
    }

    /// Interfaces that it gave up by itself since it was asked last, and why. To be attached again where they are
    /// still to be watched.
    fn take_failures(&mut self) -> Vec<(Link, String)> {
        Vec::new()
    }

    /// Learns that no further packet of this flow, in either direction, matters until its next SYN. A frame of the time
    /// `until` told that: a flow with the same addresses that began later is another one.
    fn settle(&mut self, _flow: &FlowAddresses, _until: Timestamp) {}

    /// Changes the addresses of interest: packets from and to them are wanted on any port and whatever they
    /// say, of flows that begin from now on. Only for a source that chooses; others give all packets anyway.
    ///
    /// # Errors
    /// Where they are too many or the system refuses; the former ones stay.
    fn set_interest(&mut self, _prefixes: &[IpNet]) -> Result<(), LiveError> {
        Ok(())
    }

    /// Adds an address that somebody was told for a name of interest. Only the newest ones are remembered.
    fn learn(&mut self, _address: IpAddr) {}

    /// Changes which of the frames that this host sends are taken. A source that cannot choose takes all.
    ///
    /// # Errors
    /// Where the system refuses; then it is as before.
    fn set_outgoing(&mut self, _outgoing: &Outgoing) -> Result<(), LiveError> {
        Ok(())
    }

    /// What was counted since the start, for every interface that is told apart, and for all [`OTHERS`].
    fn counts(&mut self) -> Vec<LinkCounts>;
}
