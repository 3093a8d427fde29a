//! The program's memory as seen from here: what is of interest, which flows are settled, what was counted.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray};
use aya::programs::{ProgramError, ProgramFd, SocketFilter};
use ipnet::IpNet;

use super::abi::{self, COUNTER_WORDS, FlowWords, KeyWords, SlotWords};
use super::clock::Clock;
use super::object::{self, missing, of_map, of_program};
use super::{Faults, Options};
use crate::capture::afpacket::SocketSelection;
use crate::capture::live::{Count, FlowAddresses, LinkCounts, LiveError};
use crate::model::Timestamp;

/// Frames of packet sockets come in order of time, but for those of a block that came up late, and of times that are
/// those of another clock than the program's. A flow that began no longer than this before the frame that told is not
/// settled: its SYN may be on the way, and the wish be meant for the one before it with the same addresses.
const SOCKET_LATENCY_NANOSECONDS: u64 = 150_000_000;

/// Learned addresses that are remembered, the newest ones. A name of DynamoDB has a few, and a site a few dozen
/// interface endpoints; those of the published prefixes need not be learned.
const MAX_LEARNED: usize = 2_048;

/// Prefixes that may be asked for, besides which learned addresses find room.
pub const MAX_INTEREST: usize = abi::MAX_PREFIXES as usize - MAX_LEARNED;

/// What the program for sockets is called.
const PROGRAM: &str = "ddb_socket";

/// The ring of a program that uses none.
const SMALLEST_RING_BYTES: u32 = 4_096;

/// The maps of one loaded object.
pub(super) struct Selection {
    flows: HashMap<MapData, KeyWords, FlowWords>,
    settle: HashMap<MapData, KeyWords, u64>,
    slots: Array<MapData, SlotWords>,
    high_slots: HashMap<MapData, u32, SlotWords>,
    counts: PerCpuArray<MapData, [u64; COUNTER_WORDS]>,
    epochs: Array<MapData, u32>,
    ports: Array<MapData, u64>,
    prefixes: LpmTrie<MapData, [u8; 16], u32>,
    /// What stands in the maps now.
    port_bits: Vec<u64>,
    known_prefixes: BTreeSet<Prefix>,
    /// As `epoch` in `maps.h`.
    epoch: u32,
    /// Counters of each slot when they were last asked for.
    told: Vec<Counters>,
    /// What is asked for, and what was learned beyond that, the oldest first.
    asked: Vec<IpNet>,
    learned: VecDeque<Prefix>,
}

/// Length in bits and address, IPv4 inside IPv6.
type Prefix = (u32, [u8; 16]);

impl Selection {
    pub fn new(loaded: &mut Ebpf, options: &Options) -> Result<Self, LiveError> {
        let mut selection = Self {
            flows: take(loaded, "flows")?,
            settle: take(loaded, "settle")?,
            slots: take(loaded, "slots")?,
            high_slots: take(loaded, "high_slots")?,
            counts: take(loaded, "counts")?,
            epochs: take(loaded, ".data.epoch")?,
            ports: take(loaded, "ports")?,
            prefixes: take(loaded, "prefixes")?,
            port_bits: vec![0; abi::PORT_WORDS],
            known_prefixes: BTreeSet::new(),
            epoch: 1,
            told: Vec::new(),
            asked: Vec::new(),
            learned: VecDeque::new(),
        };
        selection.set_ports(&options.ports)?;
        selection.set_interest(&options.prefixes)?;
        Ok(selection)
    }

    fn set_ports(&mut self, ports: &[u16]) -> Result<(), LiveError> {
        let mut bits = vec![0_u64; abi::PORT_WORDS];
        for port in ports {
            if let Some(word) = bits.get_mut(usize::from(port >> 6)) {
                *word |= 1 << (port & 63);
            }
        }
        for (index, (word, known)) in bits.iter().zip(&mut self.port_bits).enumerate() {
            if word != known {
                self.ports.set(index as u32, word, 0).map_err(of_map)?;
                *known = *word;
            }
        }
        Ok(())
    }

    /// Changes what is of interest. What is new is added before what is old goes, so that nothing wanted is
    /// missed in between. What was learned stays.
    pub fn set_interest(&mut self, prefixes: &[IpNet]) -> Result<(), LiveError> {
        let mut wanted: BTreeSet<Prefix> = prefixes.iter().map(prefix_of).collect();
        if wanted.len() > MAX_INTEREST {
            return Err(LiveError::Unsupported {
                what: format!("an interest in {} prefixes", wanted.len()),
                why: format!("the kernel part holds {MAX_INTEREST}: give fewer or wider ones"),
            });
        }
        wanted.extend(&self.learned);
        // The room for both at once may be missing where nearly all of them change.
        let surplus: Vec<_> = self.known_prefixes.difference(&wanted).copied().collect();
        let makes_room = self.known_prefixes.union(&wanted).count() > abi::MAX_PREFIXES as usize;
        if makes_room {
            self.forget(&surplus)?;
        }
        for prefix in &wanted {
            if self.known_prefixes.insert(*prefix) {
                self.prefixes.insert(&Key::new(prefix.0, prefix.1), 1, 0).map_err(of_map)?;
            }
        }
        if !makes_room {
            self.forget(&surplus)?;
        }
        self.asked = prefixes.to_vec();
        Ok(())
    }

    /// Adds one address; the oldest that was learned makes room.
    pub fn learn(&mut self, address: IpAddr) {
        let prefix = prefix_of(&IpNet::from(address));
        if self.known_prefixes.contains(&prefix) || self.asked.iter().any(|net| net.contains(&address)) {
            return;
        }
        if self.learned.len() >= MAX_LEARNED
            && let Some(oldest) = self.learned.pop_front()
            && !self.asked.iter().any(|net| prefix_of(net) == oldest)
        {
            // What cannot be forgotten is watched a little longer.
            let _ = self.forget(&[oldest]);
        }
        // A refusal costs what it would have found on ports of no interest; the next answer tries again.
        if self.prefixes.insert(&Key::new(prefix.0, prefix.1), 1, 0).is_ok() {
            self.known_prefixes.insert(prefix);
            self.learned.push_back(prefix);
        }
    }

    fn forget(&mut self, prefixes: &[Prefix]) -> Result<(), LiveError> {
        for prefix in prefixes {
            self.prefixes.remove(&Key::new(prefix.0, prefix.1)).map_err(of_map)?;
            self.known_prefixes.remove(prefix);
        }
        Ok(())
    }

    /// Says where packets of an interface are counted, and whether its frames begin with an IP header.
    pub fn watch(&mut self, index: u32, slot: u32, is_raw_ip: bool) -> Result<(), LiveError> {
        let words = [slot, u32::from(is_raw_ip)];
        if index < abi::MAX_INDEX {
            self.slots.set(index, words, 0).map_err(of_map)
        } else {
            self.high_slots.insert(index, words, 0).map_err(of_map)
        }
    }

    /// The interface with this kernel number is watched no longer. Called when no packet of it reaches the program any
    /// more: one that comes in afterwards would be believed to be seen.
    pub fn unwatch(&mut self, index: u32) {
        // Whatever has that number next is not taken for this one; a refusal leaves it to be counted wrongly
        // until it is watched.
        let _ = if index < abi::MAX_INDEX {
            self.slots.set(index, [0, 0], 0)
        } else {
            self.high_slots.remove(&index)
        };
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        // The kernel refuses no change of a number that is there.
        let _ = self.epochs.set(0, self.epoch, 0);
    }

    /// Asks the program to leave a flow out, unless it began after `until` of the program's clock.
    pub fn settle(&mut self, flow: &FlowAddresses, until: u64) {
        let key = abi::key_of(flow);
        let Ok(state) = self.flows.get(&key, 0) else {
            // Forgotten already: its next packet begins a new one.
            return;
        };
        if let Some(started) = abi::started_if_open(&state)
            && started <= until
        {
            // A refusal costs no more than the packets that go on coming up.
            let _ = self.settle.insert(key, started, 0);
        }
    }

    /// The counters of a slot since this was asked last.
    pub fn news(&mut self, slot: u32) -> Counters {
        let now = self.counters(slot);
        let at = slot as usize;
        if self.told.len() <= at {
            self.told.resize(at + 1, Counters([0; COUNTER_WORDS]));
        }
        let before =
            self.told.get_mut(at).map_or(Counters([0; COUNTER_WORDS]), |told| std::mem::replace(told, now));
        now.since(&before)
    }

    /// The counters of a slot, over all processors.
    pub fn counters(&self, slot: u32) -> Counters {
        let mut sum = [0_u64; COUNTER_WORDS];
        if let Ok(values) = self.counts.get(&slot, 0) {
            for words in values.iter() {
                for (sum, word) in sum.iter_mut().zip(words) {
                    *sum = sum.wrapping_add(*word);
                }
            }
        }
        Counters(sum)
    }
}

/// What one slot counted.
#[derive(Clone, Copy)]
pub(super) struct Counters([u64; COUNTER_WORDS]);

impl Counters {
    fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn count(&self, at: usize) -> Count {
        Count { packets: self.word(at), bytes: self.word(at + 1) }
    }

    fn since(mut self, before: &Self) -> Self {
        for (word, before) in self.0.iter_mut().zip(before.0) {
            *word = word.wrapping_sub(before);
        }
        self
    }

    pub fn passed(&self) -> Count {
        self.count(abi::PASSED_AT)
    }

    pub fn skipped(&self) -> Vec<(&'static str, Count)> {
        let counts = abi::SKIPS.iter().enumerate();
        counts.map(|(number, reason)| (*reason, self.count(abi::SKIPPED_AT + 2 * number))).collect()
    }

    pub fn lost(&self) -> Vec<(&'static str, &'static str, Count)> {
        let counts = abi::LOSSES.iter().enumerate();
        counts
            .map(|(number, (stage, reason))| (*stage, *reason, self.count(abi::LOST_AT + 2 * number)))
            .collect()
    }

    pub fn faults(&self) -> Faults {
        Faults { flows_not_kept: self.word(abi::MAP_FULL_AT), unparsed: self.word(abi::UNPARSED_AT) }
    }

    /// Packets met coming in and going out.
    pub fn met(&self) -> [u64; 2] {
        [self.word(abi::MET_AT), self.word(abi::MET_AT + 1)]
    }
}

/// Takes a map out of what was loaded.
pub(super) fn take<T: TryFrom<Map, Error = MapError>>(loaded: &mut Ebpf, name: &str) -> Result<T, LiveError> {
    let map = loaded.take_map(name).ok_or_else(|| missing(name))?;
    T::try_from(map).map_err(of_map)
}

/// A prefix as the program looks it up: IPv4 inside IPv6.
fn prefix_of(prefix: &IpNet) -> Prefix {
    let (bits, address) = match prefix.network() {
        IpAddr::V4(address) => (96, address.to_ipv6_mapped()),
        IpAddr::V6(address) => (0, address),
    };
    (bits + u32::from(prefix.prefix_len()), address.octets())
}

/// The selection for packet sockets, to be attached with `SO_ATTACH_BPF`.
///
/// What it selects comes out of the socket as after any filter: whole frames, or the first 128 bytes of
/// packets of which only the addresses matter. Every instance has counters and settled flows of its own, so
/// several sockets that share one instance share those.
///
/// ```no_run
/// # use ddbwatch::capture::afpacket::SocketSelection;
/// # use ddbwatch::capture::ebpf::{Options, SelectionProgram};
/// # use ddbwatch::{capture::FlowAddresses, model::Timestamp};
/// # fn example(socket: std::os::fd::OwnedFd, flow: &FlowAddresses, until: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let mut program = SelectionProgram::load(&Options::default())?;
/// program.watch(2, false)?;                 // interface 2, frames begin with an Ethernet header
/// program.attach(&socket)?;                 // or SO_ATTACH_BPF with program.descriptor(); as often as wanted
/// program.settle(flow, until);              // what the engine has decided, by the frame of this time
/// let left_out = program.left_out(2);       // packets and bytes, by reason
/// # Ok(())
/// # }
/// ```
pub struct SelectionProgram {
    selection: Selection,
    clock: Clock,
    program: ProgramFd,
    loaded: Ebpf,
    /// Interface numbers by slot, from 1; `None` where the slot is free.
    watched: Vec<Option<u32>>,
}

impl SelectionProgram {
    /// Gives the program to the kernel.
    ///
    /// # Errors
    /// Without `CAP_BPF` (and `CAP_NET_ADMIN` to attach without `CAP_NET_RAW`), or where the kernel is too old.
    pub fn load(options: &Options) -> Result<Self, LiveError> {
        let mut loaded = object::load(options, SMALLEST_RING_BYTES)?;
        let failed = |error| of_program("loading the eBPF socket filter", error);
        let program: &mut SocketFilter = object::program(&mut loaded, PROGRAM)?;
        program.load().map_err(failed)?;
        let program = program.fd().and_then(|fd| fd.try_clone().map_err(ProgramError::IOError));
        let program = program.map_err(failed)?;
        let selection = Selection::new(&mut loaded, options)?;
        Ok(Self { selection, clock: Clock::default(), program, loaded, watched: Vec::new() })
    }

    /// Attaches it to a packet socket, as `SO_ATTACH_BPF` does with the descriptor.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn attach(&mut self, socket: impl AsFd) -> Result<(), LiveError> {
        let program: &mut SocketFilter = object::program(&mut self.loaded, PROGRAM)?;
        program.attach(socket).map_err(|error| of_program("attaching the eBPF socket filter", error))
    }

    /// What was chosen on the interface with this kernel number, before the socket had room for it or not.
    pub fn chosen(&mut self, index: u32) -> Count {
        self.selection.counters(self.slot(index)).passed()
    }

    fn slot(&self, index: u32) -> u32 {
        self.watched.iter().position(|&known| known == Some(index)).map_or(0, |at| at as u32 + 1)
    }
}

impl SocketSelection for SelectionProgram {
    fn descriptor(&self) -> RawFd {
        self.program.as_fd().as_raw_fd()
    }

    /// Counts the packets of the interface apart. Needed for every interface that is not Ethernet.
    fn watch(&mut self, index: u32, is_raw_ip: bool) -> Result<(), LiveError> {
        let place = |wanted: Option<u32>| self.watched.iter().position(|&known| known == wanted);
        let at = place(Some(index)).or_else(|| place(None)).unwrap_or(self.watched.len());
        // Slot 0 is for those nobody named.
        let slot = at as u32 + 1;
        if slot >= abi::MAX_SLOTS {
            return Err(LiveError::Interface {
                interface: format!("number {index}").into(),
                why: format!("{} others are watched", abi::MAX_SLOTS - 1),
            });
        }
        self.selection.watch(index, slot, is_raw_ip)?;
        match self.watched.get_mut(at) {
            Some(known) if *known == Some(index) => {}
            Some(known) => {
                *known = Some(index);
                // What was counted until now is of another interface.
                self.selection.news(slot);
            }
            None => self.watched.push(Some(index)),
        }
        Ok(())
    }

    /// A flow that began just before `until`, or later, is left alone; say it again with its next packet.
    fn settle(&mut self, flow: &FlowAddresses, until: Timestamp) {
        if let Some(now) = super::clock::monotonic_nanoseconds() {
            self.clock.look();
            // Not in the future, after the clock was set back.
            let until = self.clock.monotonic(until).min(now);
            self.selection.settle(flow, until.saturating_sub(SOCKET_LATENCY_NANOSECONDS));
        }
    }

    /// Its slot may be taken by another interface.
    fn forget(&mut self, index: u32) {
        if let Some(known) = self.watched.iter_mut().find(|known| **known == Some(index)) {
            *known = None;
        }
        self.selection.unwatch(index);
    }

    /// Of an interface that is not watched: of all such together.
    fn left_out(&mut self, index: u32) -> LinkCounts {
        let counters = self.selection.news(self.slot(index));
        let mut counts = LinkCounts { skipped: counters.skipped(), ..LinkCounts::default() };
        // The ring belongs to the socket, which counts for itself.
        let lost = counters.lost().into_iter().filter(|(stage, ..)| *stage == "kernel");
        counts.dropped = lost.map(|(stage, reason, count)| (stage, reason, count.packets)).collect();
        counts
    }

    fn set_interest(&mut self, prefixes: &[IpNet]) -> Result<(), LiveError> {
        self.selection.set_interest(prefixes)
    }

    fn learn(&mut self, address: IpAddr) {
        self.selection.learn(address);
    }
}
