//! The engine on a thread of its own, fed by live interfaces or by recorded captures.
//!
//! ```text
//! reader thread ─ batches of frames ─▶ engine thread ─ records, accounts ─▶ whoever called `start`
//!       ▲                                    │
//!       └──── empty batches, settled flows ──┘
//! ```
//!
//! Batches go round: in a steady state nothing is allocated per frame, and no lock is taken. When the
//! engine is behind, frames wait: those of live interfaces in the ring of their source, which drops and counts what it
//! has no room for. Nothing is dropped between the source and the engine.
//! A reader that no longer comes back is given up and replaced by the supervisor.

mod batch;
mod reader;
mod replay;
mod source;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

pub use replay::{Replay, Speed};
pub use source::{Change, Feed, Health, NO_INTERFACE, OpenSource, STALLED, State};

use self::batch::{BATCHES, Batch};
use self::source::Shared;
use super::series::GoesOn;
use crate::capture::Met;
use crate::config::Resolved;
use crate::model::{Record, Timestamp};
use crate::telemetry::{Accounts, DamageNote};

/// Messages that wait for the engine besides full batches: questions, changes, the end.
const WAITING_QUESTIONS: usize = 32;

/// Messages that wait for whoever takes the records, each of at most [`BATCH_RECORDS`] records.
const WAITING_OUTPUTS: usize = 32;

/// Records that wait besides, at most some 5 MB; beyond, they are dropped and counted.
const WAITING_RECORDS: usize = 2_048;

/// Records handed over at once.
const BATCH_RECORDS: usize = 64;

/// What the engine thread is told.
enum ToEngine<A> {
    Frames {
        batch: Batch,
        home: SyncSender<Batch>,
    },
    /// It is so late; nothing came.
    Clock(Timestamp),
    /// Frames of another input follow, in a loop of this number; how it goes on with the one before, where it may.
    Input {
        name: Arc<str>,
        path: String,
        round: u64,
        goes_on: Option<GoesOn>,
    },
    /// The input ended; what its reader counted, and whether the next one may go on with it.
    InputEnds {
        accounts: Box<Accounts>,
        may_go_on: bool,
    },
    Ask(A),
    Reconfigure(Arc<Resolved>, A),
    /// Nothing more comes: every open flow ends.
    Finish,
}

/// What the engine thread gives.
pub enum Output<A> {
    /// Records, in the order in which their flows ended.
    Records(Vec<Record>),
    /// The counts after all records given before, for the question that was asked.
    Accounts(Box<Accounts>, A),
    /// The last counts. Nothing follows.
    Finished(Box<Accounts>),
}

/// The running threads.
pub struct Live<A> {
    engine: SyncSender<ToEngine<A>>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl<A: Send + 'static> Live<A> {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(feed: Feed, config: Arc<Resolved>) -> std::io::Result<(Self, Receiver<Output<A>>)> {
        let (engine, inbox) = sync_channel(4 * BATCHES + WAITING_QUESTIONS);
        let (outbox, outputs) = sync_channel(WAITING_OUTPUTS);
        let shared = Arc::new(Shared::new(&feed));
        let is_replay = matches!(feed, Feed::Replay(_));
        let is_one_of_many = matches!(&feed, Feed::Replay(replay) if replay.inputs.len() > 1);
        let mut worker = worker::Worker::new(config, Arc::clone(&shared), outbox, is_replay, is_one_of_many);
        if let Feed::Replay(replay) = &feed {
            worker.note_lost(&replay.lost);
        }
        let mut threads = vec![spawn("engine", move || worker.run(&inbox))?];
        let (to_engine, for_reader) = (engine.clone(), Arc::clone(&shared));
        threads.push(match feed {
            Feed::Replay(replay) => spawn("replay", move || replay::run(&replay, &for_reader, &to_engine))?,
            Feed::Interfaces { source, reopen, links, .. } => spawn("supervisor", move || {
                reader::supervise(source, reopen, links, &for_reader, &to_engine);
            })?,
        });
        Ok((Self { engine, shared, threads }, outputs))
    }

    /// Asks for the counts; they come with `question` through the outputs, after all records before them.
    /// False, and the question is dropped, where the engine is gone or has too many of them waiting.
    #[must_use]
    pub fn ask(&self, question: A) -> bool {
        self.engine.try_send(ToEngine::Ask(question)).is_ok()
    }

    /// Swaps the configuration; from the answer on, every flow that ends is judged by the new one, and flows that
    /// begin a little later are chosen by it. Else as [`Live::ask`].
    #[must_use]
    pub fn reconfigure(&self, config: Arc<Resolved>, question: A) -> bool {
        let interest = config.endpoint.prefixes.networks().collect();
        let is_taken = self.engine.try_send(ToEngine::Reconfigure(config, question)).is_ok();
        if is_taken {
            self.change(Change::Interest(interest));
        }
        is_taken
    }

    /// Tells the source what changed.
    pub fn change(&self, change: Change) {
        self.shared.change(change);
    }

    /// What interfaces lost before any capture saw it, since the start: interface, reason, packets.
    pub fn set_lost_before(&self, losses: Vec<(Arc<str>, &'static str, u64)>) {
        self.shared.set_lost_before(losses);
    }

    /// Packets that the capture met on each interface since the start, where it tells directions apart.
    #[must_use]
    pub fn met(&self) -> BTreeMap<Arc<str>, Met> {
        self.shared.met()
    }

    /// Interfaces by which packets come that the capture does not meet, and what is known of it.
    pub fn set_blind(&self, blind: BTreeMap<String, String>) {
        self.shared.update_health(|health| health.blind = blind);
    }

    /// How the reading goes.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// A way to ask for health and damage from another thread.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.shared))
    }

    /// Stops reading. What was read is worked off, every open flow ends, and the last output is
    /// [`Output::Finished`].
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.wake();
    }

    /// Waits for the threads, whose outputs somebody must have taken.
    pub fn join(self) {
        drop(self.engine);
        for thread in self.threads {
            // A panic was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// Tells how the reading goes.
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

impl Monitor {
    /// As [`Live::health`].
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// Damaged places of inputs that ended, in the order of the last accounts, but for the first so many.
    #[must_use]
    pub fn damage_after(&self, told: usize) -> Vec<DamageNote> {
        self.0.damage_after(told)
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}
