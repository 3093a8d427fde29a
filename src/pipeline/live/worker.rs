//! The engine thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant, SystemTime};

use foldhash::fast::RandomState;

use super::source::Shared;
use super::{BATCH_RECORDS, Batch, Output, ToEngine, WAITING_QUESTIONS, WAITING_RECORDS};
use crate::capture::Interface;
use crate::config::Resolved;
use crate::model::{Record, Timestamp};
use crate::pipeline::Engine;
use crate::pipeline::analyze::note_unsupported;
use crate::pipeline::earlier::EarlierFlows;
use crate::pipeline::series::GoesOn;
use crate::telemetry::{Accounts, DamageNote};

/// The engine looks at the clock when nothing came for so long.
const IDLE: Duration = Duration::from_millis(250);

/// Frames may wait for so long in the kernel; what is idle is judged by a clock that is later by this.
const IN_FLIGHT: Duration = Duration::from_secs(1);

/// What interfaces are called where a replay has more files than a label should have values.
const MANY_FILES: &str = "replay";

/// Runs the engine and joins its counts with those of inputs that ended.
pub(super) struct Worker<A> {
    config: Arc<Resolved>,
    shared: Arc<Shared>,
    outbox: SyncSender<Output<A>>,
    engine: Engine,
    hasher: RandomState,
    is_replay: bool,
    /// A replay of several files.
    is_one_of_many: bool,
    /// A flow that a replay shows again is reported once in each round.
    earlier: EarlierFlows,
    round: u64,
    source: Arc<str>,
    /// The input as the user called it.
    path: String,
    has_input: bool,
    /// Counts of the inputs that ended.
    past: Accounts,
    frames: u64,
    /// On their way while whoever takes them is behind; a flow or two at a time would fill the queue of outputs soon.
    records: VecDeque<Record>,
    /// Not answered yet, for the same reason.
    questions: VecDeque<A>,
    /// What the numbers of interfaces meant in the last batch.
    interfaces: Arc<[Interface]>,
    /// Records that were not handed over.
    not_reported: BTreeMap<&'static str, u64>,
    is_abandoned: bool,
}

impl<A> Worker<A> {
    pub fn new(
        config: Arc<Resolved>,
        shared: Arc<Shared>,
        outbox: SyncSender<Output<A>>,
        is_replay: bool,
        is_one_of_many: bool,
    ) -> Self {
        let hasher = RandomState::default();
        let source: Arc<str> = Arc::from(if is_replay { MANY_FILES } else { "live" });
        let engine = Engine::new(Arc::clone(&config), false, Arc::clone(&source), hasher.clone());
        Self {
            config,
            shared,
            outbox,
            engine: if is_replay { engine } else { engine.of_interfaces().telling_settled() },
            hasher,
            is_replay,
            is_one_of_many,
            earlier: EarlierFlows::default(),
            round: 0,
            path: source.to_string(),
            source,
            has_input: !is_replay,
            past: Accounts::default(),
            frames: 0,
            records: VecDeque::new(),
            questions: VecDeque::new(),
            interfaces: Arc::default(),
            not_reported: BTreeMap::new(),
            is_abandoned: false,
        }
    }

    /// These inputs are not among those that will be read, though they should be.
    pub fn note_lost(&mut self, lost: &[DamageNote]) {
        self.shared.note_damage(lost);
        self.past.damage.extend_from_slice(lost);
    }

    pub fn run(mut self, inbox: &Receiver<ToEngine<A>>) {
        let mut last_frames = Instant::now();
        loop {
            self.send_records(self.is_replay);
            self.answer_waiting();
            let message = match inbox.recv_timeout(IDLE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    if !self.is_replay && last_frames.elapsed() >= IN_FLIGHT {
                        self.advance(Timestamp::from(SystemTime::now()).before(IN_FLIGHT));
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match message {
                ToEngine::Frames { batch, home } => {
                    last_frames = Instant::now();
                    self.work(batch, &home);
                }
                ToEngine::Clock(time) => self.advance(time),
                ToEngine::Input { name, path, round, goes_on } => {
                    self.begin_input(name, path, round, goes_on.as_ref());
                }
                ToEngine::InputEnds { accounts, may_go_on } => self.end_input(*accounts, may_go_on),
                ToEngine::Ask(question) => self.answer(question),
                ToEngine::Reconfigure(config, question) => {
                    self.config = Arc::clone(&config);
                    self.engine.reconfigure(config);
                    self.answer(question);
                }
                ToEngine::Finish => break,
            }
            if self.is_abandoned {
                return;
            }
        }
        if self.has_input {
            self.finish_engine();
        }
        let accounts = Box::new(self.accounts());
        let _ = self.outbox.send(Output::Finished(accounts));
    }

    fn work(&mut self, mut batch: Batch, home: &SyncSender<Batch>) {
        if !Arc::ptr_eq(&self.interfaces, &batch.interfaces) {
            let changed = self.interfaces.iter().zip(batch.interfaces.iter()).enumerate();
            for (number, (_, now)) in changed.filter(|(_, (before, now))| before != now) {
                self.engine.rename_interface(number as u32, now);
            }
            self.interfaces = Arc::clone(&batch.interfaces);
        }
        self.engine.frames(batch.frames(self.frames), &batch.interfaces);
        self.frames += batch.len() as u64;
        batch.clear();
        batch.settled.clear();
        batch.settled.extend(self.engine.take_settled());
        batch.learned.clear();
        batch.learned.extend(self.engine.take_learned());
        // The reader may have been replaced; its batches go with it.
        let _ = home.try_send(batch);
        if self.engine.waiting_records() > 0 {
            self.hand_over(false);
        }
    }

    fn advance(&mut self, time: Timestamp) {
        if self.has_input {
            self.engine.advance(time);
            self.hand_over(false);
        }
    }

    fn begin_input(&mut self, name: Arc<str>, path: String, round: u64, goes_on: Option<&GoesOn>) {
        if round != self.round {
            // Time goes on: what the last round showed is no repetition.
            self.earlier.clear();
            self.round = round;
        }
        let is_same = self.has_input && goes_on.is_some_and(|goes_on| goes_on.holds(&self.engine));
        if is_same {
            let mut accounts = Accounts::default();
            self.note_unsupported(&mut accounts);
            accounts.merge(self.engine.begin_file(Arc::clone(&name)));
            self.past.merge(accounts);
        } else {
            if self.has_input {
                self.finish_input();
            }
            let config = Arc::clone(&self.config);
            self.engine = Engine::new(config, false, Arc::clone(&name), self.hasher.clone());
        }
        self.source = name;
        self.path = path;
        self.frames = 0;
        self.interfaces = Arc::default();
        self.has_input = true;
    }

    /// The packets of an input are over; those of the next one may go on with them.
    fn end_input(&mut self, mut counted: Accounts, may_go_on: bool) {
        if self.round > 0 {
            counted.files = 0;
        }
        // Said once; a replay may go on for months.
        counted.damage.retain(|note| !self.past.damage.contains(note));
        self.shared.note_damage(&counted.damage);
        self.past.merge(counted);
        if !may_go_on {
            self.finish_input();
        }
    }

    /// Ends every flow of the inputs that were read as one.
    fn finish_input(&mut self) {
        self.finish_engine();
        let mut accounts = self.engine.accounts();
        self.note_unsupported(&mut accounts);
        self.past.merge(accounts);
        self.past.flows_open = 0;
        self.earlier.end_input();
        self.has_input = false;
    }

    /// Notes interfaces of an input that ended, of which nothing could be read; once.
    fn note_unsupported(&self, accounts: &mut Accounts) {
        if self.round == 0 {
            note_unsupported(&self.engine, &self.path, accounts);
            self.shared.note_damage(&accounts.damage);
        }
    }

    /// Ends every flow; whoever takes the records is waited for.
    fn finish_engine(&mut self) {
        loop {
            let has_more = self.engine.finish_some(BATCH_RECORDS);
            self.hand_over(true);
            if !has_more || self.is_abandoned {
                return;
            }
        }
    }

    fn answer(&mut self, question: A) {
        if self.questions.len() < WAITING_QUESTIONS {
            self.questions.push_back(question);
        }
        self.answer_waiting();
    }

    /// Answers in the order of the questions, as far as there is room. A question is not dropped where records are: a
    /// configuration would be taken by half, and nobody could read how many records that were.
    fn answer_waiting(&mut self) {
        while self.records.is_empty()
            && let Some(question) = self.questions.pop_front()
        {
            let accounts = Box::new(self.accounts());
            match self.outbox.try_send(Output::Accounts(accounts, question)) {
                Ok(()) => {}
                Err(TrySendError::Full(Output::Accounts(_, question))) => {
                    self.questions.push_front(question);
                    return;
                }
                Err(_) => {
                    self.is_abandoned = true;
                    return;
                }
            }
        }
    }

    fn hand_over(&mut self, must_wait: bool) {
        for (record, identity) in self.engine.take_records() {
            if self.is_replay
                && let Some(reason) = self.earlier.repeats(&record, identity)
            {
                *self.not_reported.entry(reason).or_default() += 1;
                continue;
            }
            self.records.push_back(record);
        }
        self.send_records(must_wait || self.is_replay);
    }

    /// Sends what waits, as far as there is room; what is too much is dropped and counted.
    fn send_records(&mut self, must_wait: bool) {
        while !self.records.is_empty() && !self.is_abandoned {
            let some = self.records.len().min(BATCH_RECORDS);
            let output = Output::Records(self.records.drain(..some).collect());
            if must_wait {
                self.is_abandoned |= self.outbox.send(output).is_err();
                continue;
            }
            match self.outbox.try_send(output) {
                Ok(()) => {}
                Err(TrySendError::Full(Output::Records(some))) => {
                    some.into_iter().rev().for_each(|record| self.records.push_front(record));
                    break;
                }
                Err(_) => self.is_abandoned = true,
            }
        }
        let too_many = self.records.len().saturating_sub(WAITING_RECORDS);
        if too_many > 0 {
            self.records.truncate(WAITING_RECORDS);
            *self.not_reported.entry(RECORDS_BEHIND).or_default() += too_many as u64;
        }
    }

    /// Everything counted until now.
    fn accounts(&self) -> Accounts {
        let mut accounts = self.past.clone();
        if self.has_input {
            let mut now = self.engine.accounts();
            note_unsupported(&self.engine, &self.path, &mut now);
            accounts.merge(now);
        }
        if self.is_one_of_many {
            let interfaces = std::mem::take(&mut accounts.interfaces);
            for counts in interfaces.into_values() {
                accounts.interfaces.entry(MANY_FILES.to_owned()).or_default().add(&counts);
            }
            for ((_, stage, reason), count) in std::mem::take(&mut accounts.dropped) {
                *accounts.dropped.entry((MANY_FILES.to_owned(), stage, reason)).or_default() += count;
            }
        }
        for (reason, count) in &self.not_reported {
            *accounts.evictions.entry(reason).or_default() += count;
            accounts.records = accounts.records.saturating_sub(*count);
        }
        if let Some(&count) = self.not_reported.get(RECORDS_BEHIND) {
            *accounts.dropped.entry((self.source.to_string(), "export", RECORDS_BEHIND)).or_default() +=
                count;
        }
        self.shared.complete(&mut accounts);
        accounts
    }
}

/// Why records were dropped between the engine and whoever takes them.
const RECORDS_BEHIND: &str = "records_behind";
