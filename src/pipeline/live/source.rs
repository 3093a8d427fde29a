//! What feeds the engine, and what all threads know of how that goes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::replay::Replay;
use crate::capture::live::{Met, OTHERS};
use crate::capture::{Interface, Link, LinkCounts, LiveError, LiveSource, Outgoing};
use crate::telemetry::{Accounts, DamageNote};

/// Interfaces told apart before the number of one that is gone is given to another: more than a source tells
/// apart, so that it is long gone.
pub(super) const TOLD_APART: usize = 512;

/// Interfaces whose counts are kept apart after their source is gone.
const MAX_RETIRED: usize = 1_024;

/// A hundred times what a reader needs to come back from the kernel.
pub const STALLED: Duration = Duration::from_secs(10);

/// Opens the back-end anew, with nothing attached.
pub type OpenSource = Box<dyn FnMut() -> Result<Box<dyn LiveSource>, LiveError> + Send>;

/// Where the frames come from.
pub enum Feed {
    /// Interfaces of this host.
    Interfaces {
        /// Opened already, because that may need privileges that are given up afterwards.
        source: Box<dyn LiveSource>,
        reopen: OpenSource,
        /// What `source` has attached.
        links: Vec<Link>,
        /// Interfaces that it did not take, and why.
        refused: Vec<(String, String)>,
        /// A reader that was not back from the kernel for so long is given up; [`STALLED`].
        stalled_after: Duration,
    },
    Replay(Replay),
}

/// What the source of the frames is told while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Appeared(Link),
    Vanished {
        /// The kernel's number of it.
        index: u32,
        name: Arc<str>,
    },
    /// Other addresses are of interest.
    Interest(Arc<[IpNet]>),
    /// Other frames of those that this host sends are needed.
    Outgoing(Outgoing),
}

/// How the reading goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Starting,
    Capturing,
    /// Nothing is read; why.
    Failing(String),
    /// The replay came to its end.
    Over,
}

/// What is known of the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub state: State,
    /// `ebpf`, `afpacket`, `pcap` or `replay`.
    pub backend: &'static str,
    /// Names of the interfaces that are watched now.
    pub interfaces: Vec<String>,
    /// Interfaces that could not be watched and changes that were not taken, and why.
    pub refused: BTreeMap<String, String>,
    /// Times the source, or what it had given up of it, had to be opened again, by interface.
    pub restarts: BTreeMap<String, u64>,
    /// Interfaces by which packets come that the capture does not meet, and what is known of it.
    pub blind: BTreeMap<String, String>,
    /// Rounds of a replay that ended.
    pub rounds: u64,
}

/// Why nothing is read though nothing failed.
pub const NO_INTERFACE: &str = "no interface of those that were asked for is there and up";

const REPLAY: &str = "replay";

impl Health {
    /// Why nothing is read though the source works: there is nothing it could read from, or nothing gets to it.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        if self.state != State::Capturing || self.backend == REPLAY {
            return None;
        }
        let is_blind = self.interfaces.iter().all(|interface| self.blind.contains_key(interface));
        match self.blind.values().next() {
            _ if self.interfaces.is_empty() => Some(NO_INTERFACE),
            Some(why) if is_blind => Some(why),
            _ => None,
        }
    }

    /// Counts that an interface is watched anew; those beyond [`TOLD_APART`] as [`OTHERS`].
    pub(super) fn count_restart(&mut self, interface: String) {
        let is_told_apart = self.restarts.len() < TOLD_APART || self.restarts.contains_key(&interface);
        let name = if is_told_apart { interface } else { OTHERS.to_owned() };
        *self.restarts.entry(name).or_default() += 1;
    }
}

/// What all threads share. No lock is taken for a frame.
pub(super) struct Shared {
    pub stop: AtomicBool,
    /// Nanoseconds from `start` to the last time the reader came back from the kernel.
    last_poll: AtomicU64,
    start: Instant,
    health: Mutex<Health>,
    counts: Mutex<Counts>,
    interfaces: Mutex<Vec<Interface>>,
    /// A reader that was not back for so long is given up.
    pub stalled_after: Duration,
    /// Damaged places of inputs that ended, each once.
    damage: Mutex<Vec<DamageNote>>,
    changes: Mutex<(Sender<Change>, Option<Receiver<Change>>)>,
    sleep: (Mutex<()>, Condvar),
}

/// Counts of the sources: those that are gone, and the one that runs.
#[derive(Default)]
struct Counts {
    retired: Vec<LinkCounts>,
    now: Vec<LinkCounts>,
    /// What interfaces lost before: interface, reason, packets.
    lost_before: Vec<(Arc<str>, &'static str, u64)>,
}

impl Shared {
    pub fn new(feed: &Feed) -> Self {
        let (backend, interfaces, refused, stalled_after) = match feed {
            Feed::Interfaces { source, links, refused, stalled_after, .. } => {
                let names = links.iter().map(|link| link.name.to_string()).collect();
                (source.backend(), names, refused.iter().cloned().collect(), *stalled_after)
            }
            Feed::Replay(_) => (REPLAY, Vec::new(), BTreeMap::new(), STALLED),
        };
        let (sender, receiver) = channel();
        // A replay has no source that could change; what is told it must not pile up.
        let receiver = matches!(feed, Feed::Interfaces { .. }).then_some(receiver);
        Self {
            stop: AtomicBool::new(false),
            last_poll: AtomicU64::new(0),
            start: Instant::now(),
            health: Mutex::new(Health {
                state: State::Starting,
                backend,
                interfaces,
                refused,
                restarts: BTreeMap::new(),
                blind: BTreeMap::new(),
                rounds: 0,
            }),
            counts: Mutex::default(),
            interfaces: Mutex::default(),
            stalled_after,
            damage: Mutex::default(),
            changes: Mutex::new((sender, receiver)),
            sleep: (Mutex::new(()), Condvar::new()),
        }
    }

    pub fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    pub fn update_health(&self, change: impl FnOnce(&mut Health)) {
        change(&mut lock(&self.health));
    }

    pub fn set_state(&self, state: State) {
        lock(&self.health).state = state;
    }

    /// The reader came back from the kernel.
    pub fn note_poll(&self) {
        self.last_poll.store(nanos(self.start.elapsed()), Ordering::Relaxed);
    }

    /// How long the reader has not come back.
    pub fn silence(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_nanos(self.last_poll.load(Ordering::Relaxed)))
    }

    /// Every interface ever met, over all readers, in the order of the engine's numbers.
    pub fn interfaces(&self) -> MutexGuard<'_, Vec<Interface>> {
        lock(&self.interfaces)
    }

    pub fn change(&self, change: Change) {
        // Without a supervisor there is no source that could change.
        let _ = lock(&self.changes).0.send(change);
        self.wake();
    }

    /// The changes, for the one who follows them.
    pub fn take_changes(&self) -> Option<Receiver<Change>> {
        lock(&self.changes).1.take()
    }

    pub fn set_counts(&self, now: Vec<LinkCounts>) {
        lock(&self.counts).now = now;
    }

    pub fn set_lost_before(&self, losses: Vec<(Arc<str>, &'static str, u64)>) {
        lock(&self.counts).lost_before = losses;
    }

    /// The running source is given up: what it counted stays counted.
    pub fn retire_counts(&self) {
        let mut counts = lock(&self.counts);
        let now = std::mem::take(&mut counts.now);
        counts.retired.extend(now);
        // A source that is opened again and again must not make the list grow.
        let mut merged: BTreeMap<Arc<str>, LinkCounts> = BTreeMap::new();
        for mut link in counts.retired.drain(..) {
            if merged.len() >= MAX_RETIRED && !merged.contains_key(&link.interface) {
                link.interface = Arc::from(OTHERS);
            }
            match merged.get_mut(&link.interface) {
                Some(sum) => sum.add(&link),
                None => drop(merged.insert(Arc::clone(&link.interface), link)),
            }
        }
        counts.retired = merged.into_values().collect();
    }

    /// An input ended, and these places of it were damaged.
    pub fn note_damage(&self, notes: &[DamageNote]) {
        lock(&self.damage).extend_from_slice(notes);
    }

    /// The damaged places but for the first so many.
    pub fn damage_after(&self, told: usize) -> Vec<DamageNote> {
        lock(&self.damage).get(told..).unwrap_or_default().to_vec()
    }

    /// Adds what the kernel and the reader counted to what the engine did.
    pub fn complete(&self, accounts: &mut Accounts) {
        let counts = lock(&self.counts);
        for link in counts.retired.iter().chain(&counts.now) {
            let name = link.interface.to_string();
            let interface = accounts.interfaces.entry(name.clone()).or_default();
            for (reason, count) in &link.skipped {
                for stage in [&mut interface.seen, &mut interface.skipped] {
                    stage.packets += count.packets;
                    stage.bytes += count.bytes;
                }
                *accounts.skipped.entry(reason).or_default() += count.packets;
            }
            interface.last_packet = interface.last_packet.max(link.last_skipped);
            accounts.last_packet = accounts.last_packet.max(link.last_skipped);
            for (stage, reason, lost) in &link.dropped {
                *accounts.dropped.entry((name.clone(), stage, reason)).or_default() += lost;
            }
        }
        for (interface, reason, packets) in &counts.lost_before {
            *accounts.dropped.entry((interface.to_string(), "nic", reason)).or_default() += packets;
        }
    }

    /// Packets that each interface's kernel part met, over all sources.
    pub fn met(&self) -> BTreeMap<Arc<str>, Met> {
        let counts = lock(&self.counts);
        let mut sums: BTreeMap<Arc<str>, LinkCounts> = BTreeMap::new();
        for link in counts.retired.iter().chain(&counts.now) {
            sums.entry(Arc::clone(&link.interface)).or_default().add(link);
        }
        sums.into_iter().map(|(name, sum)| (name, sum.met)).collect()
    }

    /// Waits, at most so long, and less where something is to do.
    pub fn sleep(&self, most: Duration) {
        let guard = lock(&self.sleep.0);
        if !super::is_set(&self.stop) {
            drop(self.sleep.1.wait_timeout(guard, most));
        }
    }

    pub fn wake(&self) {
        let _guard = lock(&self.sleep.0);
        self.sleep.1.notify_all();
    }
}

/// A panic while a lock was held leaves counts that are at worst a little old.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
