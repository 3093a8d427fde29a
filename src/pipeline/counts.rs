//! What is counted of the frames of one input, by interface and by reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::dns::DnsError;
use crate::capture::live::OTHERS;
use crate::capture::{Frame, Interface};
use crate::decode::DecodeError;
use crate::model::Timestamp;
use crate::telemetry::{Accounts, InterfaceCounts, StageCounts};
use crate::tls::TlsError;

/// Segments of one flow that say different things about the same bytes.
pub(super) const SEGMENTS_DISAGREE: (&str, &str) = ("tcp", "segments_disagree");

/// Frames of a capture that does not say when they were seen.
pub(super) const NO_TIMESTAMP: (&str, &str) = ("capture", "no_timestamp");

/// Packets of an interface that the capture does not describe: nobody knows how they begin.
pub(super) const UNKNOWN_INTERFACE: (&str, &str) = ("capture", "unknown_interface");

/// Packets of which the capture holds the beginning alone.
const CUT_SHORT: (&str, &str) = ("capture", "cut_short");

/// Counts by reason; few reasons, so a list is searched faster than a map.
#[derive(Default)]
pub(super) struct Reasons(Vec<(&'static str, u64)>);

impl Reasons {
    #[inline]
    pub fn add(&mut self, reason: &'static str) {
        for (known, count) in &mut self.0 {
            if std::ptr::eq(*known, reason) {
                *count += 1;
                return;
            }
        }
        self.add_text(reason);
    }

    /// The same word may stand in several places.
    #[cold]
    fn add_text(&mut self, reason: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.0.push((reason, 1)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }
}

/// Layer and reason of everything that [`Accounts::decode_errors`] can hold, for metrics that start at zero.
#[must_use]
pub fn known_errors() -> Vec<(&'static str, &'static str)> {
    let frames = DecodeError::all().map(|error| (error.layer(), error.reason()));
    let tls = TlsError::ALL.iter().map(|error| ("tls", error.reason()));
    let dns = DnsError::COUNTED.iter().map(|error| ("dns", error.reason()));
    frames
        .chain(tls)
        .chain(dns)
        .chain([SEGMENTS_DISAGREE, NO_TIMESTAMP, UNKNOWN_INTERFACE, CUT_SHORT])
        .collect()
}

/// Counts of all frames of one input: each is seen, and then parsed, skipped or refused.
#[derive(Default)]
pub(super) struct FrameCounts {
    interfaces: Vec<InterfaceTally>,
    skipped: Reasons,
    errors: BTreeMap<(&'static str, &'static str), u64>,
    /// Frames that were longer than what is there of them.
    cut_short: u64,
    /// No more of them is asked for than is looked at.
    is_live: bool,
    first_packet: Option<Timestamp>,
    last_packet: Option<Timestamp>,
    /// Of interfaces whose numbers stand for others now.
    gone: InterfaceCounts,
    /// Interfaces whose link type cannot be read, as (interface, link type number).
    unsupported: Vec<(u32, u16)>,
}

#[derive(Clone, Copy, Default)]
struct InterfaceTally {
    seen: StageCounts,
    parsed: StageCounts,
    last: Timestamp,
}

impl InterfaceTally {
    fn counts(&self) -> InterfaceCounts {
        InterfaceCounts {
            seen: self.seen,
            skipped: StageCounts {
                packets: self.seen.packets - self.parsed.packets,
                bytes: self.seen.bytes - self.parsed.bytes,
            },
            parsed: self.parsed,
            last_packet: (self.seen.packets > 0).then_some(self.last),
        }
    }
}

impl FrameCounts {
    /// Learns that packets come from interfaces.
    pub const fn set_live(&mut self) {
        self.is_live = true;
    }

    /// How many interfaces were met.
    #[inline]
    pub fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Learns of an interface, in the order of their numbers.
    pub fn meet_interface(&mut self, interface: Option<&Interface>) {
        let number = self.interfaces.len() as u32;
        self.interfaces.push(InterfaceTally::default());
        if let Some(interface) = interface
            && !interface.link_type.is_supported()
        {
            self.unsupported.push((number, interface.link_type.0));
        }
    }

    /// The number of an interface stands for another one from now on; what was counted goes to [`OTHERS`].
    pub fn forget(&mut self, interface: u32) {
        if let Some(tally) = self.interfaces.get_mut(interface as usize) {
            self.gone.add(&std::mem::take(tally).counts());
        }
    }

    /// Interfaces whose packets cannot be read, as (interface, link type number).
    pub fn unsupported(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        let has_packets = |interface: u32| {
            self.interfaces.get(interface as usize).is_some_and(|tally| tally.seen.packets > 0)
        };
        self.unsupported.iter().copied().filter(move |&(interface, _)| has_packets(interface))
    }

    /// Time of the newest frame.
    pub const fn last_packet(&self) -> Option<Timestamp> {
        self.last_packet
    }

    /// What comes from now on is of another file, whose interfaces are met anew: what was counted is given, and counted no
    /// more.
    pub fn begin_file<'a>(&mut self, names: impl Iterator<Item = &'a Arc<str>>) -> Accounts {
        let mut accounts = Accounts::default();
        self.add_to(&mut accounts, names);
        self.interfaces.clear();
        self.unsupported.clear();
        let Self { skipped, errors, cut_short, gone, .. } = self;
        (*skipped, *errors, *cut_short, *gone) = Default::default();
        accounts
    }

    /// Counts a frame as seen.
    #[inline]
    pub fn see(&mut self, frame: &Frame<'_>) {
        if let Some(tally) = self.interfaces.get_mut(frame.interface as usize) {
            tally.seen.packets += 1;
            tally.seen.bytes += frame.data.len() as u64;
            tally.last = tally.last.max(frame.timestamp);
        }
        self.cut_short += u64::from(frame.data.len() < frame.wire_bytes as usize);
        if self.first_packet.is_none_or(|first| frame.timestamp < first) {
            self.first_packet = Some(frame.timestamp);
        }
        if self.last_packet.is_none_or(|last| frame.timestamp > last) {
            self.last_packet = Some(frame.timestamp);
        }
    }

    /// Counts a frame that was seen as parsed.
    #[inline]
    pub fn parse(&mut self, frame: &Frame<'_>) {
        if let Some(tally) = self.interfaces.get_mut(frame.interface as usize) {
            tally.parsed.packets += 1;
            tally.parsed.bytes += frame.data.len() as u64;
        }
    }

    /// Counts a frame that was seen as skipped.
    #[inline]
    pub fn skip(&mut self, reason: &'static str) {
        self.skipped.add(reason);
    }

    /// Counts a frame that was seen as broken.
    pub fn refuse(&mut self, error: DecodeError) {
        debug_assert!(DecodeError::all().any(|known| known == error), "{error} is not told beforehand");
        *self.errors.entry((error.layer(), error.reason())).or_default() += 1;
    }

    /// Adds what was counted; `names` are those of the interfaces.
    pub fn add_to<'a>(&self, accounts: &mut Accounts, names: impl Iterator<Item = &'a Arc<str>>) {
        accounts.first_packet = self.first_packet;
        accounts.last_packet = self.last_packet;
        for (tally, name) in self.interfaces.iter().zip(names) {
            accounts.interfaces.entry(name.to_string()).or_default().add(&tally.counts());
        }
        if self.gone.seen.packets > 0 {
            accounts.interfaces.entry(OTHERS.to_owned()).or_default().add(&self.gone);
        }
        for (reason, count) in self.skipped.iter() {
            *accounts.skipped.entry(reason).or_default() += count;
        }
        for (error, count) in &self.errors {
            *accounts.decode_errors.entry(*error).or_default() += count;
        }
        if self.cut_short > 0 && !self.is_live {
            accounts.decode_errors.insert(CUT_SHORT, self.cut_short);
        }
    }
}
