//! Frames of live interfaces: the thread that reads, and the one that watches over it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::source::{Change, OpenSource, Shared, State, TOLD_APART};
use super::{BATCHES, Batch, ToEngine, batch, is_set, spawn};
use crate::capture::{Interface, Link, LiveError, LiveSource, Outgoing};

/// The reader comes back from the kernel at least so often, to see whether it shall stop.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// Frames taken in one go; between two goes settled flows are told.
const POLL_FRAMES: usize = 512;

/// What the source counted is asked so often; the metrics are at most so old.
const COUNT_EVERY: Duration = Duration::from_millis(200);

/// How often the supervisor looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two attempts to open a source that does not open: the first wait, of which each further one is twice the one
/// before, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Who looks so much later than it meant to was stopped itself.
const STOPPED: Duration = Duration::from_secs(2);

/// When stopping, a reader gets so long to hand over what it has.
const LAST_BATCH: Duration = Duration::from_secs(2);

/// So much of that it may go on to read what waits already; on a busy host, something always does.
const LAST_FRAMES: Duration = Duration::from_millis(500);

/// No host watches more at once; beyond, new ones share the last number.
const MAX_INTERFACES: usize = 8_192;

/// Keeps one reader at work until stopped; gives up one that is stuck and starts another.
pub(super) fn supervise<A: Send + 'static>(
    source: Box<dyn LiveSource>,
    reopen: OpenSource,
    links: Vec<Link>,
    shared: &Arc<Shared>,
    engine: &SyncSender<ToEngine<A>>,
) {
    let watched = links.iter().map(|link| (link.index, link.name.to_string())).collect();
    let mut supervisor =
        Supervisor { reopen, links, watched, interest: None, outgoing: None, shared, engine };
    supervisor.run(source);
    let _ = engine.send(ToEngine::Finish);
}

struct Supervisor<'a, A> {
    reopen: OpenSource,
    /// What shall be watched.
    links: Vec<Link>,
    /// What the source has attached when it starts.
    watched: Watched,
    /// What a source was told since the start, which another one has to be told again.
    interest: Option<Arc<[IpNet]>>,
    outgoing: Option<Outgoing>,
    shared: &'a Arc<Shared>,
    engine: &'a SyncSender<ToEngine<A>>,
}

/// The kernel's number and the name of each interface that is watched.
type Watched = Vec<(u32, String)>;

/// Names of interfaces, each once: for a moment there may be two of one.
fn names_of(watched: &Watched) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(watched.len());
    for (_, name) in watched {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A reader at work.
struct Running {
    thread: JoinHandle<Result<(), LiveError>>,
    changes: Sender<Change>,
    /// Tells a reader that was given up that it has been replaced, should it ever come back.
    is_replaced: Arc<AtomicBool>,
}

impl<A: Send + 'static> Supervisor<'_, A> {
    fn run(&mut self, source: Box<dyn LiveSource>) {
        let changes = self.shared.take_changes();
        let mut source = Some(source);
        let mut retry = FIRST_RETRY;
        while !is_set(&self.shared.stop) {
            let opened = match source.take() {
                Some(source) => Ok(source),
                None => self.open_again(),
            };
            let running = match opened {
                Ok(source) => self.start(source),
                Err(error) => {
                    self.shared.set_state(State::Failing(error.to_string()));
                    self.shared.sleep(retry);
                    retry = (retry * 2).min(LONGEST_RETRY);
                    continue;
                }
            };
            let started = Instant::now();
            let failure = running.map_or_else(
                |error| Some(error.to_string()),
                |running| self.watch(running, changes.as_ref()),
            );
            let Some(failure) = failure else { return };
            self.shared.retire_counts();
            self.shared.update_health(|health| {
                for interface in health.interfaces.clone() {
                    health.count_restart(interface);
                }
                health.state = State::Failing(failure);
            });
            if started.elapsed() > LONGEST_RETRY {
                retry = FIRST_RETRY;
            }
            self.shared.sleep(retry);
            retry = (retry * 2).min(LONGEST_RETRY);
        }
    }

    /// A new source with everything attached that shall be watched.
    fn open_again(&mut self) -> Result<Box<dyn LiveSource>, LiveError> {
        let mut source = (self.reopen)()?;
        let again = self.interest.clone().map(Change::Interest);
        for change in again.into_iter().chain(self.outgoing.clone().map(Change::Outgoing)) {
            adjust(&mut *source, &change, self.shared);
        }
        let (mut watched, mut first_error) = (Watched::new(), None);
        for link in &self.links {
            match source.attach(link) {
                Ok(()) => watched.push((link.index, link.name.to_string())),
                Err(error) => {
                    self.shared.update_health(|health| {
                        health.refused.insert(link.name.to_string(), error.to_string());
                    });
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if watched.is_empty() => Err(error),
            _ => {
                self.shared.update_health(|health| health.interfaces = names_of(&watched));
                self.watched = watched;
                Ok(source)
            }
        }
    }

    fn start(&self, source: Box<dyn LiveSource>) -> std::io::Result<Running> {
        let (changes, receiver) = channel();
        let is_replaced = Arc::new(AtomicBool::new(false));
        let (home, empties) = batch::empties();
        let reader = Reader {
            source,
            shared: Arc::clone(self.shared),
            is_replaced: Arc::clone(&is_replaced),
            engine: self.engine.clone(),
            home,
            empties,
            ready: Vec::with_capacity(BATCHES),
            changes: receiver,
            numbers: Numbers {
                shared: Arc::clone(self.shared),
                interfaces: Arc::default(),
                numbers: Vec::new(),
                free: VecDeque::new(),
                is_stale: true,
            },
            watched: self.watched.clone(),
            given_up: Vec::new(),
        };
        self.shared.note_poll();
        let thread = spawn("reader", move || reader.run())?;
        Ok(Running { thread, changes, is_replaced })
    }

    /// Follows a reader; the reason where another one is needed.
    fn watch(&mut self, running: Running, changes: Option<&Receiver<Change>>) -> Option<String> {
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() > STOPPED {
                // With the machine or its container the reader was stopped, too: it is not stuck, and what its rings hold
                // is not to be thrown away.
                self.shared.note_poll();
            }
            looked = Instant::now();
            for change in changes.iter().flat_map(|changes| changes.try_iter()) {
                self.note_change(&change);
                let _ = running.changes.send(change);
            }
            if running.thread.is_finished() || is_set(&self.shared.stop) {
                break;
            }
            if self.shared.silence() > self.shared.stalled_after {
                running.is_replaced.store(true, Ordering::Relaxed);
                // The thread and its source are left to themselves: nothing can end a thread from outside.
                return Some(format!("the reader did not come back for {:?}", self.shared.stalled_after));
            }
            self.shared.sleep(LOOK_EVERY);
        }
        let asked = Instant::now();
        while !running.thread.is_finished() {
            if asked.elapsed() > LAST_BATCH {
                running.is_replaced.store(true, Ordering::Relaxed);
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        match running.thread.join() {
            Ok(returned) => returned.err().map(|error| error.to_string()),
            Err(_) => Some("the reader broke down".to_owned()),
        }
        .filter(|_| !is_set(&self.shared.stop))
    }

    fn note_change(&mut self, change: &Change) {
        match change {
            Change::Appeared(link) => {
                self.links.retain(|known| known.index != link.index);
                self.links.push(link.clone());
            }
            Change::Vanished { index, .. } => self.links.retain(|known| known.index != *index),
            Change::Interest(prefixes) => self.interest = Some(Arc::clone(prefixes)),
            Change::Outgoing(outgoing) => self.outgoing = Some(outgoing.clone()),
        }
    }
}

/// Tells a source what else changed than its interfaces, and notes where it refuses.
fn adjust(source: &mut dyn LiveSource, change: &Change, shared: &Shared) {
    let (what, result) = match change {
        Change::Interest(prefixes) => (ADDRESSES, source.set_interest(prefixes)),
        Change::Outgoing(outgoing) => (OUTGOING, source.set_outgoing(outgoing)),
        Change::Appeared(_) | Change::Vanished { .. } => return,
    };
    shared.update_health(|health| match result {
        Ok(()) => drop(health.refused.remove(what)),
        Err(error) => drop(health.refused.insert(what.to_owned(), error.to_string())),
    });
}

/// What is said to be refused, beside interfaces.
const ADDRESSES: &str = "addresses of interest";
const OUTGOING: &str = "outgoing frames";

/// The numbers of a source's interfaces as the engine knows them: a source that was opened again counts
/// from 0 again, and one that makes room for another interface gives it the number of the former.
struct Numbers {
    shared: Arc<Shared>,
    /// Every interface that is told apart, over all readers, in the order of the engine's numbers.
    interfaces: Arc<[Interface]>,
    /// What the source's numbers meant when they were last looked up, and the engine's for them.
    numbers: Vec<(Interface, u32)>,
    /// Engine's numbers of interfaces that the source has forgotten, and of which no frame is under way; the one
    /// that is gone for longest first.
    free: VecDeque<u32>,
    /// These have to be looked for.
    is_stale: bool,
}

impl Numbers {
    #[inline]
    fn of(&mut self, interface: u32, all: &[Interface]) -> u32 {
        match self.numbers.get(interface as usize) {
            Some(&(_, number)) => number,
            None => self.meet(interface, all),
        }
    }

    /// The source may have given a number to another interface, and forgotten some.
    fn look_again(&mut self, all: &[Interface]) {
        let known = self.numbers.iter().zip(all).position(|((known, _), now)| known != now);
        self.numbers.truncate(known.unwrap_or(self.numbers.len()));
        let interfaces = &self.interfaces;
        self.free.retain(|&number| interfaces.get(number as usize).is_some_and(|gone| !all.contains(gone)));
        self.is_stale = true;
    }

    /// Every frame that was read is with the engine.
    fn note_empty(&mut self, all: &[Interface]) {
        if self.is_stale && self.interfaces.len() >= TOLD_APART {
            self.is_stale = false;
            for (number, interface) in (0..).zip(self.interfaces.iter()) {
                if !self.free.contains(&number) && !all.contains(interface) {
                    self.free.push_back(number);
                }
            }
        }
    }

    #[cold]
    fn meet(&mut self, newest: u32, all: &[Interface]) -> u32 {
        let mut met = self.shared.interfaces();
        for interface in all.iter().take(newest as usize + 1).skip(self.numbers.len()) {
            let known = met.iter().position(|known| known == interface);
            let number = known.unwrap_or_else(|| {
                if met.len() < TOLD_APART {
                    met.push(interface.clone());
                    return met.len() - 1;
                }
                match self.free.pop_front().map(|number| number as usize) {
                    Some(number) => {
                        if let Some(place) = met.get_mut(number) {
                            *place = interface.clone();
                        }
                        number
                    }
                    None if met.len() < MAX_INTERFACES => {
                        met.push(interface.clone());
                        met.len() - 1
                    }
                    None => met.len() - 1,
                }
            });
            self.numbers.push((interface.clone(), u32::try_from(number).unwrap_or(u32::MAX)));
        }
        self.interfaces = met.as_slice().into();
        self.numbers.get(newest as usize).map(|(_, number)| *number).unwrap_or_default()
    }
}

/// Reads until it is told to stop or nothing can be read any more.
struct Reader<A> {
    source: Box<dyn LiveSource>,
    shared: Arc<Shared>,
    is_replaced: Arc<AtomicBool>,
    engine: SyncSender<ToEngine<A>>,
    home: SyncSender<Batch>,
    empties: Receiver<Batch>,
    /// Empty batches at hand.
    ready: Vec<Batch>,
    changes: Receiver<Change>,
    numbers: Numbers,
    watched: Watched,
    /// What the source gave up by itself, to be attached again.
    given_up: Vec<Link>,
}

impl<A> Reader<A> {
    fn run(mut self) -> Result<(), LiveError> {
        let result = self.read();
        if !is_set(&self.is_replaced) {
            self.publish();
        }
        result
    }

    fn read(&mut self) -> Result<(), LiveError> {
        let mut current = Batch::default();
        let mut counted = Instant::now();
        self.publish();
        self.shared.set_state(State::Capturing);
        let mut stopping = None;
        while !is_set(&self.is_replaced) {
            if is_set(&self.shared.stop) && stopping.get_or_insert_with(Instant::now).elapsed() > LAST_FRAMES
            {
                break;
            }
            self.change_links();
            self.collect_empties();
            let mut given = 0;
            // What there is no batch for stays with the source, whose ring holds more than all batches.
            if !current.is_full() {
                let may_wait = current.is_empty() && stopping.is_none();
                let wait = if may_wait { POLL_WAIT } else { Duration::ZERO };
                let numbers = &mut self.numbers;
                given = self.source.poll(wait, POLL_FRAMES, &mut |frame, interfaces| {
                    current.push(frame, numbers.of(frame.interface, interfaces), frame.timestamp);
                    if current.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })?;
            }
            self.shared.note_poll();
            if is_set(&self.is_replaced) {
                return Ok(());
            }
            if !current.is_empty() {
                current.interfaces = Arc::clone(&self.numbers.interfaces);
                current = self.hand_over(current, given == 0)?;
            } else if stopping.is_some() {
                break;
            }
            if current.is_empty() {
                self.numbers.note_empty(self.source.interfaces());
            }
            if counted.elapsed() >= COUNT_EVERY {
                self.look_after_failures();
                self.publish();
                counted = Instant::now();
            }
        }
        if !current.is_empty() && !is_set(&self.is_replaced) {
            // Stopping: the last frames may wait for the engine.
            let _ = self.engine.send(ToEngine::Frames { batch: current, home: self.home.clone() });
        }
        Ok(())
    }

    /// Gives the batch to the engine where an empty one can take its place, else keeps it to be filled further. With
    /// `may_wait`, an empty one is waited for: there is nothing to fill it with, or no room.
    fn hand_over(&mut self, batch: Batch, may_wait: bool) -> Result<Batch, LiveError> {
        self.collect_empties();
        if may_wait
            && self.ready.is_empty()
            && let Ok(empty) = self.empties.recv_timeout(POLL_WAIT)
        {
            self.take_back(empty);
        }
        let Some(empty) = self.ready.pop() else { return Ok(batch) };
        let message = ToEngine::Frames { batch, home: self.home.clone() };
        self.engine.send(message).map_err(|_| LiveError::Unsupported {
            what: "reading on".to_owned(),
            why: "the engine has ended".to_owned(),
        })?;
        Ok(empty)
    }

    fn collect_empties(&mut self) {
        loop {
            match self.empties.try_recv() {
                Ok(batch) => self.take_back(batch),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn take_back(&mut self, mut batch: Batch) {
        batch.settled.drain(..).for_each(|(flow, until)| self.source.settle(&flow, until));
        batch.learned.drain(..).for_each(|address| self.source.learn(address));
        self.ready.push(batch);
    }

    fn change_links(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            match change {
                Change::Appeared(link) => {
                    self.given_up.retain(|given_up| given_up.index != link.index);
                    self.attach(&link);
                }
                Change::Vanished { index, name } => {
                    self.source.detach(index);
                    // What the source gave up of it before is over, too: a new interface may have the name by now.
                    self.hear_failures();
                    self.given_up.retain(|given_up| given_up.index != index);
                    self.watched.retain(|(watched, _)| *watched != index);
                    self.show_watched(name.to_string(), None);
                }
                other => adjust(&mut *self.source, &other, &self.shared),
            }
        }
    }

    /// Begins to watch an interface, and tells; false where it is refused.
    fn attach(&mut self, link: &Link) -> bool {
        let attached = self.source.attach(link);
        self.numbers.look_again(self.source.interfaces());
        let name = link.name.to_string();
        let refused = match attached {
            Ok(()) => {
                self.watched.retain(|(index, _)| *index != link.index);
                self.watched.push((link.index, name.clone()));
                None
            }
            Err(error) => Some(error.to_string()),
        };
        let is_attached = refused.is_none();
        self.show_watched(name, refused);
        is_attached
    }

    /// Tells what the source gave up, and tries to watch it again.
    fn look_after_failures(&mut self) {
        for link in std::mem::take(&mut self.given_up) {
            if self.attach(&link) {
                self.shared.update_health(|health| health.count_restart(link.name.to_string()));
            } else {
                self.given_up.push(link);
            }
        }
        self.hear_failures();
    }

    fn hear_failures(&mut self) {
        for (link, why) in self.source.take_failures() {
            self.watched.retain(|(index, _)| *index != link.index);
            self.show_watched(link.name.to_string(), Some(why));
            self.given_up.push(link);
        }
    }

    /// Tells what is watched now, and whether the interface that changed last is refused.
    fn show_watched(&self, name: String, refused: Option<String>) {
        let watched = names_of(&self.watched);
        self.shared.update_health(|health| {
            health.interfaces = watched;
            match refused {
                Some(why) => drop(health.refused.insert(name, why)),
                None => drop(health.refused.remove(&name)),
            }
        });
    }

    /// Tells what was counted. The only place of this thread that takes a lock.
    fn publish(&mut self) {
        self.shared.set_counts(self.source.counts());
    }
}
