//! Offline analysis: captures in, records out, in the order of the files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;

use super::counts::{NO_TIMESTAMP, UNKNOWN_INTERFACE};
use super::earlier::EarlierFlows;
use super::engine::Engine;
use super::series::{self, Part};
use super::turns::{Taking, Turns};
use crate::capture::{self, CaptureError, FileSource, FrameSource, Input};
use crate::config::Resolved;
use crate::flow::Identity;
use crate::model::Record;
use crate::telemetry::{Accounts, DamageNote, StageCounts};

/// Records handed over at once, and how many such batches may wait per file: enough to keep both
/// sides busy, little enough to keep memory flat.
const BATCH_RECORDS: usize = 64;
const WAITING_BATCHES: usize = 16;

/// What waits of an input that was read before its turn, besides its records: its accounts.
const ACCOUNTS_BYTES: usize = 8 << 10;

/// What a record takes besides what is counted of its handshake: names, addresses, findings.
const RECORD_BYTES: usize = size_of::<(Record, Identity)>() + 1_024;

/// Each thread keeps names, certificates, sessions and what comes again for itself, and the buffers of its file.
const MIB_OF_A_THREAD: usize = 64;

/// Where so much was held of flows, it is given back to the system before another thread needs as much.
const GIVEN_BACK_BYTES: usize = 16 << 20;

/// What is held of flows is told once it has changed by so much.
const TOLD_BYTES: usize = 1 << 20;

/// Frames between two reports of progress, at least.
const PROGRESS_FRAMES: u64 = 4_096;

/// Hears how far the reading is, from several threads.
pub trait Progress: Sync {
    /// `bytes` more of the input files were read (as stored, compressed or not).
    fn advance(&self, bytes: u64);
}

/// What to analyse, and how.
pub struct Job<'a> {
    pub inputs: Vec<Input>,
    pub config: Arc<Resolved>,
    /// Report every TLS and plaintext-HTTP flow, not only DynamoDB's.
    pub all_services: bool,
    /// Threads that read; 0: as many as there are cores. With 1 the caller's thread reads, too.
    pub jobs: usize,
    pub progress: Option<&'a dyn Progress>,
    /// Set from outside to end the reading early; what was read until then is reported.
    pub stop: Option<&'a Arc<AtomicBool>>,
}

impl Job<'_> {
    /// Threads that have something to do, where there are so many series.
    fn threads(&self, series: usize) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            jobs => jobs,
        }
        .min(series)
        .min(self.config.limits.memory_mib / MIB_OF_A_THREAD)
        .max(1)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// Why an analysis could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// An input could not be read at all.
    #[error("{}: {source}", path.display())]
    Input { path: PathBuf, source: Box<CaptureError> },
    /// Whoever takes the records failed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Records that are complete, each with the identity of its flow.
type Complete<'a> = &'a mut dyn Iterator<Item = (Record, Identity)>;

/// What reading gives.
enum Given<'a> {
    Records(Complete<'a>),
    /// All flows have ended; what comes now is of another capture.
    Ended(Box<Accounts>),
    /// So many bytes are held of flows that have not ended.
    Holding(usize),
}

enum Message {
    Records(Vec<(Record, Identity)>),
    Ended(Box<Accounts>),
    Failed(Box<AnalyzeError>),
}

impl Message {
    /// Bytes of memory that it takes, about.
    fn held_bytes(&self) -> usize {
        match self {
            Self::Records(records) => records
                .iter()
                .map(|(record, _)| {
                    let violations = record.policy.iter().flat_map(|policy| &policy.violations);
                    let said = violations.map(|violation| size_of_val(violation) + violation.message.len());
                    RECORD_BYTES + record.tls.as_ref().map_or(0, |tls| tls.held_bytes()) + said.sum::<usize>()
                })
                .sum(),
            Self::Ended(_) | Self::Failed(_) => ACCOUNTS_BYTES,
        }
    }
}

/// Analyses every input and gives the records to `sink`, in the order of the inputs whatever
/// the number of threads.
///
/// A flow that is shown again, later in an input or by a later one (the same addresses, sequence numbers and
/// handshake bytes), is reported once.
///
/// # Errors
/// An input that cannot be read at all, or a failing `sink`. Damage inside an input is no error: it
/// is noted in the accounts.
pub fn analyze(
    job: &Job<'_>,
    sink: &mut dyn FnMut(Record) -> io::Result<()>,
) -> Result<Accounts, AnalyzeError> {
    let hasher = RandomState::default();
    let plan = series::plan(&job.inputs);
    if job.jobs == 1 {
        return analyze_in_turn(job, &plan, &hasher, sink);
    }
    let threads = job.threads(plan.len());
    let (senders, receivers): (Vec<SyncSender<Message>>, Vec<Receiver<Message>>) =
        plan.iter().map(|_| sync_channel(WAITING_BATCHES)).unzip();
    // A sender is dropped with its series, so that a worker's panic ends the waiting for it.
    let senders: Vec<Mutex<Option<SyncSender<Message>>>> =
        senders.into_iter().map(|sender| Mutex::new(Some(sender))).collect();
    let turns = Turns::new(plan.len(), waiting_bytes(&job.config));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (hasher, plan, senders, turns, next, stop) = (&hasher, &plan, &senders, &turns, &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(parts), Some(sender)) = (plan.get(index), senders.get(index)) else {
                        break;
                    };
                    let Some(sender) = sender.lock().ok().and_then(|mut slot| slot.take()) else { break };
                    let send = |message: Message| {
                        turns.reserve(index, message.held_bytes()) && sender.send(message).is_ok()
                    };
                    let mut most_held = 0;
                    let mut give = |given: Given<'_>| match given {
                        Given::Records(records) => send(Message::Records(records.collect())),
                        Given::Ended(accounts) => send(Message::Ended(accounts)),
                        Given::Holding(bytes) => {
                            most_held = bytes.max(most_held);
                            turns.hold(index, bytes)
                        }
                    };
                    let is_taken = match read(parts, job, hasher, &mut give) {
                        Ok(is_taken) => is_taken,
                        Err(error) => send(Message::Failed(Box::new(error))),
                    };
                    if most_held >= GIVEN_BACK_BYTES {
                        capture::give_back_memory();
                    }
                    turns.hold(index, 0);
                    if !is_taken {
                        break;
                    }
                }
            });
        }
        let taking = turns.taking();
        let result = collect(receivers, taking, sink);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// What may wait of inputs that are read before their turn, and what may be held of their flows, of the half of the memory
/// that is not the flow table's.
const fn waiting_bytes(config: &Resolved) -> usize {
    config.limits.memory_mib.saturating_mul(1 << 20) / 8
}

/// Takes the messages of each series in turn.
fn collect(
    receivers: Vec<Receiver<Message>>,
    taking: Taking<'_>,
    sink: &mut dyn FnMut(Record) -> io::Result<()>,
) -> Result<Accounts, AnalyzeError> {
    let mut collector = Collector::new();
    for (index, receiver) in receivers.into_iter().enumerate() {
        taking.turn_to(index);
        for message in receiver {
            taking.received(index, message.held_bytes());
            match message {
                Message::Records(records) => collector.take(&mut records.into_iter(), sink)?,
                Message::Ended(accounts) => collector.end_input(*accounts),
                Message::Failed(error) => return Err(*error),
            }
        }
    }
    Ok(collector.total)
}

/// One thread does it all. What a record is made of is then given back where it was taken, which costs
/// the allocator far less than between threads.
fn analyze_in_turn(
    job: &Job<'_>,
    plan: &[Vec<Part<'_>>],
    hasher: &RandomState,
    sink: &mut dyn FnMut(Record) -> io::Result<()>,
) -> Result<Accounts, AnalyzeError> {
    let mut collector = Collector::new();
    for parts in plan {
        let mut failure = None;
        read(parts, job, hasher, &mut |given| {
            match given {
                Given::Records(records) => failure = collector.take(records, sink).err(),
                Given::Ended(accounts) => collector.end_input(*accounts),
                Given::Holding(_) => {}
            }
            failure.is_none()
        })?;
        if let Some(failure) = failure {
            return Err(failure.into());
        }
    }
    Ok(collector.total)
}

/// Joins what the inputs give, in their order.
struct Collector {
    total: Accounts,
    earlier: EarlierFlows,
    /// Records of this input that were given before, by reason.
    repeated: BTreeMap<&'static str, u64>,
}

impl Collector {
    fn new() -> Self {
        Self { total: Accounts::default(), earlier: EarlierFlows::default(), repeated: BTreeMap::new() }
    }

    fn take(
        &mut self,
        records: Complete<'_>,
        sink: &mut dyn FnMut(Record) -> io::Result<()>,
    ) -> io::Result<()> {
        for (record, identity) in records {
            match self.earlier.repeats(&record, identity) {
                Some(reason) => *self.repeated.entry(reason).or_default() += 1,
                None => sink(record)?,
            }
        }
        Ok(())
    }

    fn end_input(&mut self, mut accounts: Accounts) {
        for (reason, repeated) in std::mem::take(&mut self.repeated) {
            accounts.records = accounts.records.saturating_sub(repeated);
            *accounts.evictions.entry(reason).or_default() += repeated;
        }
        self.total.merge(accounts);
        self.earlier.end_input();
    }
}

/// Reads the files of a series to their end. False where nobody takes anything any more.
fn read(
    parts: &[Part<'_>],
    job: &Job<'_>,
    hasher: &RandomState,
    give: &mut dyn FnMut(Given<'_>) -> bool,
) -> Result<bool, AnalyzeError> {
    let mut capture: Option<Capture> = None;
    for Part { input, goes_on } in parts {
        let failed = |source| AnalyzeError::Input { path: input.path(), source: Box::new(source) };
        let opened = match job.stop {
            _ if job.is_stopped() => None,
            Some(stop) => match capture::open_input_until(input, stop) {
                Err(_) if job.is_stopped() => None,
                opened => Some(opened.map_err(failed)?),
            },
            None => Some(capture::open_input(input).map_err(failed)?),
        };
        let name: Arc<str> = Arc::from(input.name());
        let known = match goes_on {
            Some(goes_on) => capture.take_if(|capture| goes_on.holds(&capture.engine)),
            None => None,
        };
        if let Some(ended) = capture.take()
            && !ended.end(give)
        {
            return Ok(false);
        }
        let capture = capture.insert(match known {
            Some(mut known) => {
                known.accounts.merge(known.engine.begin_file(name));
                known
            }
            None => {
                let config = Arc::clone(&job.config);
                let engine = Engine::new(config, job.all_services, name, hasher.clone());
                Capture { engine, accounts: Accounts::default() }
            }
        });
        let Some(source) = opened else {
            capture.accounts.is_cut_short = true;
            continue;
        };
        if !capture.read_file(source, input, job, give).map_err(failed)? {
            return Ok(false);
        }
    }
    Ok(capture.is_none_or(|capture| capture.end(give)))
}

/// What is made of the files of a series.
struct Capture {
    engine: Engine,
    /// Of files that were read to their end.
    accounts: Accounts,
}

impl Capture {
    /// Reads a file to its end. False where nobody takes records any more.
    fn read_file(
        &mut self,
        mut source: FileSource,
        input: &Input,
        job: &Job<'_>,
        give: &mut dyn FnMut(Given<'_>) -> bool,
    ) -> Result<bool, CaptureError> {
        let Self { engine, accounts } = self;
        let (mut frames, mut reported, mut told) = (0_u64, 0_u64, 0);
        loop {
            let together = match source.next_frames() {
                Ok(Some(together)) => together,
                Ok(None) => break,
                Err(_) if job.is_stopped() => {
                    accounts.is_cut_short = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            engine.frames(together.iter(), together.interfaces());
            frames += together.count();
            if engine.held_bytes().abs_diff(told) >= TOLD_BYTES {
                told = engine.held_bytes();
                if !give(Given::Holding(told)) {
                    return Ok(false);
                }
            }
            if engine.waiting_records() >= BATCH_RECORDS && !hand_over(engine, give) {
                return Ok(false);
            }
            if frames >= PROGRESS_FRAMES {
                frames = 0;
                if let Some(progress) = job.progress {
                    let position = source.position();
                    progress.advance(position.saturating_sub(reported));
                    reported = position;
                }
                if job.is_stopped() {
                    // What ended together with the wish to stop was read whole: `tcpdump -w - | ddbwatch analyze -`.
                    accounts.is_cut_short |= !matches!(source.next_frames(), Ok(None));
                    break;
                }
            }
        }
        if let Some(progress) = job.progress {
            progress.advance(source.position().saturating_sub(reported));
        }
        accounts.merge(accounts_of_file(&source, input));
        note_unsupported(engine, &input.path().display().to_string(), accounts);
        Ok(true)
    }

    /// Ends every flow. False where nobody takes anything any more.
    fn end(mut self, give: &mut dyn FnMut(Given<'_>) -> bool) -> bool {
        loop {
            let has_more = self.engine.finish_some(BATCH_RECORDS);
            if !hand_over(&mut self.engine, give) {
                return false;
            }
            if !has_more {
                break;
            }
        }
        let mut accounts = self.engine.accounts();
        accounts.merge(self.accounts);
        give(Given::Ended(Box::new(accounts)))
    }
}

/// What only the reader of a file knows: complete at its end.
pub(super) fn accounts_of_file(source: &FileSource, input: &Input) -> Accounts {
    let mut accounts = Accounts { files: 1, ..Accounts::default() };
    let file = input.path().display().to_string();
    for damage in source.damage() {
        accounts.damage.push(DamageNote {
            file: file.clone(),
            offset: Some(damage.offset),
            what: damage.to_string(),
        });
    }
    for drops in source.recorded_drops() {
        let name = source
            .interfaces()
            .get(drops.interface as usize)
            .and_then(|interface| interface.name.as_deref())
            .map_or_else(|| input.name(), str::to_owned);
        for (stage, reason, count) in [
            ("nic", "recorded_by_interface", drops.by_interface),
            ("kernel", "recorded_by_system", drops.by_system),
            // The counts of the whole capture hold them, too.
            (
                "kernel",
                "recorded_between_packets",
                drops.between_packets.saturating_sub(drops.by_interface.saturating_add(drops.by_system)),
            ),
        ] {
            if count > 0 {
                *accounts.dropped.entry((name.clone(), stage, reason)).or_default() += count;
            }
        }
    }
    if source.untimed_frames() > 0 {
        *accounts.decode_errors.entry(NO_TIMESTAMP).or_default() += source.untimed_frames();
    }
    let (packets, bytes) = source.undescribed();
    if packets > 0 {
        *accounts.decode_errors.entry(UNKNOWN_INTERFACE).or_default() += packets;
        let counts = accounts.interfaces.entry(input.name()).or_default();
        counts.seen = StageCounts { packets, bytes };
        counts.skipped = counts.seen;
    }
    accounts
}

/// Notes interfaces whose frames cannot be read.
pub(super) fn note_unsupported(engine: &Engine, file: &str, accounts: &mut Accounts) {
    for (interface, link_type) in engine.unsupported_interfaces() {
        accounts.damage.push(DamageNote {
            file: file.to_owned(),
            offset: Some(0),
            what: format!(
                "interface {interface} has the link type {}, which is not supported; its packets were not looked into",
                capture::LinkType(link_type)
            ),
        });
    }
}

/// False where nobody takes records any more.
fn hand_over(engine: &mut Engine, give: &mut dyn FnMut(Given<'_>) -> bool) -> bool {
    give(Given::Records(&mut engine.take_records()))
}

/// Analyses `bytes` as if they were a capture file; for fuzzing. It must neither panic nor hang, and
/// its accounts must add up.
pub fn fuzz_pipeline(bytes: &[u8]) {
    let Ok(mut source) = FileSource::from_reader(io::Cursor::new(bytes.to_vec())) else { return };
    let mut engine =
        Engine::new(Arc::new(Resolved::default()), true, Arc::from("fuzz"), RandomState::default());
    while let Ok(Some(together)) = source.next_frames() {
        engine.frames(together.iter(), together.interfaces());
    }
    engine.finish();
    let reported = engine.take_records().count() as u64;
    let accounts = engine.accounts();
    debug_assert_eq!(reported, accounts.records);
    debug_assert_eq!(
        accounts.flows_opened,
        accounts.records + accounts.evictions.values().sum::<u64>() + accounts.flows_open
    );
}
