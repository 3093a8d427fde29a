//! Frames from the ring of the program that hangs on interfaces.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use aya::programs::links::LinkOrder;
use aya::programs::tc::{self, NlOptions, SchedClassifierLinkId, TcAttachOptions};
use aya::programs::{SchedClassifier, TcAttachType};
use ipnet::IpNet;
use nix::net::if_::if_nametoindex;

use super::abi;
use super::clock::Clock;
use super::object::{self, of_program};
use super::selection::{Selection, take};
use super::senders::Senders;
use super::{Attachment, Faults, Options};
use crate::capture::frame::{Frame, Interface};
use crate::capture::link_type::LinkType;
use crate::capture::live::{FlowAddresses, Link, LinkCounts, LiveError, LiveSource, Take};
use crate::capture::places::Places;
use crate::capture::sys::attached::{Side, tcx_programs};
use crate::model::Timestamp;

/// Where programs hang, and what they are called.
const INGRESS: (&str, TcAttachType) = ("ddb_ingress", TcAttachType::Ingress);
const EGRESS: (&str, TcAttachType) = ("ddb_egress", TcAttachType::Egress);

/// The program never wakes the reader, which would cost more than all the rest of it. So the reader looks
/// again after a pause, which grows while nothing comes: often enough for a ring that fills in a second, seldom enough
/// to cost nothing worth mentioning where nothing happens.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// How often it is checked that the programs still hang at their interfaces.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why an interface is given up at which they do not.
const TAKEN_AWAY: &str = "the eBPF program was taken away from it";

/// What goes out there comes in again.
const LOOPBACK: &str = "lo";

/// Where the tags of a frame begin: behind two hardware addresses.
const TAG_AT: usize = 12;

/// The largest ring: its size in bytes, a power of two, fits into 32 bits.
const MOST_RING_MIB: u32 = 1_024;

/// An interface, and the programs at its sides.
struct Attached {
    link: Link,
    ingress: Option<SchedClassifierLinkId>,
    egress: Option<SchedClassifierLinkId>,
}

/// The back-end.
pub struct EbpfSource {
    loaded: Ebpf,
    ring: RingBuf<MapData>,
    selection: Selection,
    clock: Clock,
    attached: HashMap<u32, Attached>,
    places: Places,
    faults: Faults,
    senders: Arc<Senders>,
    attachment: Attachment,
    takes_outgoing: bool,
    frames: u64,
    /// Moment, in the clock of the program, of the newest frame that was handed over.
    newest: u64,
    pause: Duration,
    /// A frame whose tag is put back.
    tagged: Vec<u8>,
    /// The kernel's numbers of the programs, in the order of the sides.
    programs: [Option<u32>; 2],
    /// When it was looked whether they still hang where they should.
    looked: Instant,
    /// Interfaces from which they were taken away. At most as many as are attached.
    failures: Vec<(Link, String)>,
}

impl EbpfSource {
    /// Gives the program to the kernel. It sees nothing before an interface is attached.
    ///
    /// # Errors
    /// Without `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_PERFMON`, or where the kernel is too old.
    pub fn load(options: &Options) -> Result<Self, LiveError> {
        let ring_bytes = options.ring_mib.clamp(1, MOST_RING_MIB).next_power_of_two() << 20;
        let mut loaded = object::load(options, ring_bytes)?;
        let wanted = if options.takes_outgoing { &[INGRESS, EGRESS][..] } else { &[INGRESS] };
        let mut programs = [None; 2];
        for ((name, _), number) in wanted.iter().zip(&mut programs) {
            let program: &mut SchedClassifier = object::program(&mut loaded, name)?;
            program.load().map_err(|error| of_program("loading the eBPF program", error))?;
            *number = program.info().ok().map(|info| info.id());
        }
        let selection = Selection::new(&mut loaded, options)?;
        let ring = take(&mut loaded, "ring")?;
        let mut clock = Clock::default();
        clock.look();
        Ok(Self {
            loaded,
            ring,
            selection,
            clock,
            attached: HashMap::new(),
            places: Places::default(),
            faults: Faults::default(),
            senders: Arc::default(),
            attachment: options.attachment,
            takes_outgoing: options.takes_outgoing,
            frames: 0,
            newest: 0,
            pause: FIRST_PAUSE,
            tagged: Vec::new(),
            programs,
            looked: Instant::now(),
            failures: Vec::new(),
        })
    }

    /// Tells `senders` who opens connections of this host.
    #[must_use]
    pub fn telling(mut self, senders: Arc<Senders>) -> Self {
        self.senders = senders;
        self
    }

    /// What could not be done, over all interfaces.
    pub fn faults(&mut self) -> Faults {
        self.read_all_counters();
        self.faults
    }

    /// Adds what the program counted at a place since it was asked last.
    fn read_counters(&mut self, place: usize) {
        let counters = self.selection.news(place as u32 + 1);
        for (reason, count) in counters.skipped() {
            self.places.skip(place, reason, count);
        }
        for (stage, reason, count) in counters.lost() {
            self.places.lose(place, stage, reason, count.packets);
        }
        let [came_in, went_out] = counters.met();
        self.places.meet(place, false, came_in);
        let name = self.places.interfaces().get(place).and_then(|interface| interface.name.as_deref());
        if self.takes_outgoing && name.is_some_and(|name| name != LOOPBACK) {
            self.places.meet(place, true, went_out);
        }
        let faults = counters.faults();
        self.faults.flows_not_kept += faults.flows_not_kept;
        self.faults.unparsed += faults.unparsed;
    }

    fn read_all_counters(&mut self) {
        let watched: Vec<usize> = self.places.watched().map(|(place, _)| place).collect();
        for place in watched {
            self.read_counters(place);
        }
    }

    /// Attaches a program to one side of an interface.
    fn hang(
        &mut self,
        link: &Link,
        (name, side): (&str, TcAttachType),
    ) -> Result<SchedClassifierLinkId, LiveError> {
        let what = format!("watching {}", link.name);
        let options = if self.is_by_tcx() {
            // Before programs that may send packets elsewhere when they come in, behind them when they go.
            let order =
                if matches!(side, TcAttachType::Ingress) { LinkOrder::first() } else { LinkOrder::last() };
            TcAttachOptions::TcxOrder(order)
        } else {
            // It is there already, or it cannot be made, which attaching says.
            let _ = tc::qdisc_add_clsact(&link.name);
            // What an earlier run left when it was killed.
            let _ = tc::qdisc_detach_program(&link.name, side, name);
            TcAttachOptions::Netlink(NlOptions::default())
        };
        let program: &mut SchedClassifier = object::program(&mut self.loaded, name)?;
        program.attach_with_options(&link.name, side, options).map_err(|error| of_program(&what, error))
    }

    /// Whether programs hang by TCX, which is asked what hangs there.
    fn is_by_tcx(&self) -> bool {
        match self.attachment {
            Attachment::Newest => object::is_kernel_at_least(6, 6),
            Attachment::Tcx => true,
            Attachment::Clsact => false,
        }
    }

    /// Gives up interfaces from which somebody else took the programs away: nothing else tells of that.
    fn look_after_programs(&mut self) {
        let is_there = |index: u32, side: Side, program: Option<u32>| {
            // Where the kernel does not answer, the interface is gone, which netlink tells.
            let hanging = program.and_then(|_| tcx_programs(index, side).ok());
            hanging.is_none_or(|hanging| program.is_some_and(|program| hanging.contains(&program)))
        };
        let [ingress, egress] = self.programs;
        let is_bare = |(index, attached): &(&u32, &Attached)| {
            !is_there(**index, Side::Ingress, ingress)
                || (attached.egress.is_some() && !is_there(**index, Side::Egress, egress))
        };
        let bare: Vec<Link> =
            self.attached.iter().filter(is_bare).map(|(_, attached)| attached.link.clone()).collect();
        for link in bare {
            self.detach(link.index);
            self.failures.retain(|(known, _)| known.index != link.index);
            self.failures.push((link, TAKEN_AWAY.to_owned()));
        }
    }

    /// Takes a program away again.
    fn unhang(&mut self, name: &str, link: Option<SchedClassifierLinkId>) {
        if let Some(link) = link
            && let Ok(program) = object::program::<SchedClassifier>(&mut self.loaded, name)
        {
            // It is gone with its interface, where that is gone.
            let _ = program.detach(link);
        }
    }

    /// Hands over what is in the ring, at most `most` frames.
    fn drain(&mut self, most: usize, take: &mut Take<'_>) -> usize {
        let mut count = 0;
        while count < most {
            let Some(item) = self.ring.next() else {
                self.places.note_empty();
                break;
            };
            let Some((event, data)) = abi::read_event(&item) else { continue };
            // Slot 0: its interface was not attached by this source, which cannot be.
            let Some(interface) = (event.slot as usize).checked_sub(1) else { continue };
            if event.cgroup != 0 {
                self.senders.note(data, event.is_raw_ip, event.cgroup);
            }
            let mut bytes = data;
            if let Some(tag) = event.vlan
                && let Some((addresses, rest)) = data.split_at_checked(TAG_AT)
            {
                self.tagged.clear();
                self.tagged.extend_from_slice(addresses);
                self.tagged.extend_from_slice(&tag);
                self.tagged.extend_from_slice(rest);
                bytes = &self.tagged;
            }
            self.frames += 1;
            self.newest = self.newest.max(event.nanoseconds);
            self.places.give(interface, event.wire_bytes);
            let frame = Frame {
                number: self.frames,
                timestamp: self.clock.utc(event.nanoseconds),
                interface: interface as u32,
                wire_bytes: event.wire_bytes,
                data: bytes,
            };
            count += 1;
            if take(&frame, self.places.interfaces()).is_break() {
                break;
            }
        }
        count
    }
}

impl LiveSource for EbpfSource {
    fn backend(&self) -> &'static str {
        "ebpf"
    }

    fn attach(&mut self, link: &Link) -> Result<(), LiveError> {
        if self.attached.contains_key(&link.index) {
            return Ok(());
        }
        let refused = |why: String| LiveError::Interface { interface: Arc::clone(&link.name), why };
        let is_raw_ip = match link.link_type {
            LinkType::ETHERNET => false,
            LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 | LinkType::IPV4 | LinkType::IPV6 => true,
            other => {
                return Err(refused(format!("its frames are {other}, which the eBPF part does not read")));
            }
        };
        // Programs are attached by name, which may be another's by now.
        if if_nametoindex(link.name.as_ref()).ok() != Some(link.index) {
            return Err(link.lost_by_name());
        }
        let interface = link.interface();
        let most = abi::MAX_SLOTS as usize - 1;
        let place = self.places.find(&interface, most).ok_or_else(|| link.beyond(most))?;
        let slot = place as u32 + 1;
        // What was counted until now is of whoever had the place before.
        self.read_counters(place);
        self.selection.watch(link.index, slot, is_raw_ip)?;
        let ingress = Some(self.hang(link, INGRESS)?);
        let mut egress = None;
        // On the loopback, what goes out comes in.
        if self.takes_outgoing && &*link.name != LOOPBACK {
            match self.hang(link, EGRESS) {
                Ok(link) => egress = Some(link),
                Err(error) => {
                    self.unhang(INGRESS.0, ingress);
                    return Err(error);
                }
            }
        }
        self.places.settle(place, link.index, interface);
        self.attached.insert(link.index, Attached { link: link.clone(), ingress, egress });
        Ok(())
    }

    fn detach(&mut self, index: u32) {
        if let Some(attached) = self.attached.remove(&index) {
            self.unhang(INGRESS.0, attached.ingress);
            self.unhang(EGRESS.0, attached.egress);
            if let Some(place) = self.places.leave(index) {
                self.read_counters(place);
            }
            self.selection.unwatch(index);
        }
    }

    fn interfaces(&self) -> &[Interface] {
        self.places.interfaces()
    }

    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        let deadline = Instant::now() + wait;
        self.clock.look();
        loop {
            let count = self.drain(most, take);
            if count > 0 || most == 0 {
                self.pause = FIRST_PAUSE;
                return Ok(count);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(0);
            }
            thread::sleep(self.pause.min(left));
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.clock.look();
        }
    }

    fn take_failures(&mut self) -> Vec<(Link, String)> {
        if self.looked.elapsed() >= LOOK_EVERY && self.is_by_tcx() {
            self.look_after_programs();
            self.looked = Instant::now();
        }
        std::mem::take(&mut self.failures)
    }

    fn settle(&mut self, flow: &FlowAddresses, until: Timestamp) {
        // A flow that began later is another one, and the wish is meant for the one before. Where the clock was set since,
        // no more is known than what was handed over at all.
        self.selection.settle(flow, self.clock.monotonic(until).min(self.newest));
    }

    fn set_interest(&mut self, prefixes: &[IpNet]) -> Result<(), LiveError> {
        self.selection.set_interest(prefixes)
    }

    fn learn(&mut self, address: IpAddr) {
        self.selection.learn(address);
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        self.read_all_counters();
        self.places.counts()
    }
}
