//! Recorded captures, played as if they came by now.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::source::{Shared, State};
use super::{Batch, ToEngine, batch, is_set};
use crate::capture::{self, FrameSource, Input};
use crate::model::Timestamp;
use crate::pipeline::analyze::accounts_of_file;
use crate::pipeline::series::{self, Part};
use crate::telemetry::{Accounts, DamageNote};

/// From the last packet of a round to the first of the next.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// While a gap in the capture is waited out, the engine learns the time so often.
const TICK: Duration = Duration::from_millis(250);

/// A gap is waited out in full up to this; a longer one (two recordings in one file) is no traffic to wait for.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// A replay that reads nothing rests so long before it begins again, instead of spinning.
const EMPTY_ROUND: Duration = Duration::from_millis(200);

/// How fast captures are played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times the recorded pace.
    Times(f64),
    /// As fast as the engine takes it.
    Max,
}

/// What to play, and how.
#[derive(Clone, Debug)]
pub struct Replay {
    pub inputs: Vec<Input>,
    /// What should have been among them and could not be read.
    pub lost: Vec<DamageNote>,
    pub speed: Speed,
    /// Again from the start, until stopped. Each round's time goes on where the last one ended, and its flows are
    /// flows of their own.
    pub is_endless: bool,
}

/// Plays until the end or until stopped, then tells the engine.
pub(super) fn run<A>(replay: &Replay, shared: &Shared, engine: &SyncSender<ToEngine<A>>) {
    let (home, empties) = batch::empties();
    let mut player = Player {
        replay,
        parts: series::plan(&replay.inputs).into_iter().flatten().collect(),
        shared,
        engine,
        home,
        empties,
        round: 0,
        shift: Duration::ZERO,
        span: None,
        pace: None,
        newest: Timestamp::default(),
        opened: 0,
        failure: None,
    };
    shared.set_state(State::Capturing);
    while let Some(frames) = player.play_round() {
        shared.update_health(|health| health.rounds += 1);
        // One of several that cannot be read is damage; where there is nothing to play, nothing is captured.
        shared.set_state(match player.failure.take() {
            Some(failure) if player.opened == 0 => State::Failing(failure),
            _ if replay.is_endless => State::Capturing,
            _ => State::Over,
        });
        if !replay.is_endless {
            break;
        }
        if frames == 0 {
            shared.sleep(EMPTY_ROUND);
        }
        player.begin_round();
    }
    // After its end a replay still answers questions, until it is told to stop.
    while !is_set(&shared.stop) {
        shared.sleep(Duration::from_secs(1));
    }
    let _ = engine.send(ToEngine::Finish);
}

struct Player<'a, A> {
    replay: &'a Replay,
    /// Its inputs, and which of them may go on with the one before.
    parts: Arc<[Part<'a>]>,
    shared: &'a Shared,
    engine: &'a SyncSender<ToEngine<A>>,
    home: SyncSender<Batch>,
    empties: Receiver<Batch>,
    round: u64,
    /// Added to recorded times.
    shift: Duration,
    /// First and last time of the first round.
    span: Option<(Timestamp, Timestamp)>,
    pace: Option<Pace>,
    /// Recorded time of the packet before.
    newest: Timestamp,
    /// Inputs of this round that could be opened, and why another could not.
    opened: usize,
    failure: Option<String>,
}

/// What time of the capture it is now.
struct Pace {
    started: Instant,
    recorded: Timestamp,
    times: f64,
}

impl Pace {
    /// How long until `recorded` has come.
    fn until(&self, recorded: Timestamp) -> Duration {
        let due = recorded.since(self.recorded).as_secs_f64() / self.times;
        Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX).saturating_sub(self.started.elapsed())
    }

    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().as_secs_f64() * self.times;
        self.recorded.after(Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX))
    }
}

impl<A> Player<'_, A> {
    /// Plays every input once; `None` where it was stopped.
    fn play_round(&mut self) -> Option<u64> {
        let mut frames = 0;
        let parts = Arc::clone(&self.parts);
        let mut parts = parts.iter().peekable();
        while let Some(Part { input, goes_on }) = parts.next() {
            if is_set(&self.shared.stop) {
                return None;
            }
            let name = Arc::from(input.name());
            let path = input.path().display().to_string();
            let goes_on = goes_on.as_ref().map(|goes_on| goes_on.after(self.shift));
            self.engine.send(ToEngine::Input { name, path, round: self.round, goes_on }).ok()?;
            let (read, accounts) = self.play(input)?;
            frames += read;
            let may_go_on = parts.peek().is_some_and(|next| next.goes_on.is_some());
            self.engine.send(ToEngine::InputEnds { accounts: Box::new(accounts), may_go_on }).ok()?;
        }
        Some(frames)
    }

    fn begin_round(&mut self) {
        self.round += 1;
        self.opened = 0;
        if let Some((first, last)) = self.span {
            self.shift += last.since(first) + BETWEEN_ROUNDS;
        }
    }

    fn play(&mut self, input: &Input) -> Option<(u64, Accounts)> {
        let mut source = match capture::open_input(input) {
            Ok(source) => source,
            Err(error) => {
                let file = input.path().display().to_string();
                self.failure = Some(format!("{file}: {error}"));
                let damage = vec![DamageNote { file, offset: None, what: error.to_string() }];
                return Some((0, Accounts { damage, ..Accounts::default() }));
            }
        };
        self.opened += 1;
        let mut batch = self.empty_batch()?;
        batch.interfaces = source.interfaces().into();
        let mut frames = 0;
        // Each capture begins at once, whenever it was recorded.
        self.pace = None;
        loop {
            let known = batch.interfaces.len();
            // A capture that breaks off is played up to there, as `accounts_of_file` then says.
            let Ok(Some(frame)) = source.next_frame() else { break };
            frames += 1;
            let recorded = frame.timestamp;
            let at = recorded.after(self.shift);
            if self.round == 0 {
                let (first, last) = self.span.unwrap_or((recorded, recorded));
                self.span = Some((first.min(recorded), last.max(recorded)));
            }
            let is_due = match (&self.pace, self.replay.speed) {
                (_, Speed::Max) => true,
                (Some(pace), Speed::Times(_)) => pace.until(recorded).is_zero(),
                (None, Speed::Times(times)) => {
                    self.pace = Some(Pace { started: Instant::now(), recorded, times });
                    true
                }
            };
            let is_new_interface = frame.interface as usize >= known;
            if is_due && !is_new_interface && !batch.is_full() {
                batch.push(&frame, frame.interface, at);
                self.newest = recorded;
                continue;
            }
            // Rare: the batch goes on its way, and the frame waits as a copy.
            let (interface, wire_bytes, data) = (frame.interface, frame.wire_bytes, frame.data.to_vec());
            batch = self.send(batch)?;
            if !is_due {
                self.wait(recorded)?;
            }
            if is_set(&self.shared.stop) {
                return None;
            }
            if interface as usize >= batch.interfaces.len() {
                batch.interfaces = source.interfaces().into();
            }
            let frame = capture::Frame { number: frames, timestamp: at, interface, wire_bytes, data: &data };
            batch.push(&frame, interface, at);
            self.newest = recorded;
        }
        let mut batch = self.send(batch)?;
        // An empty batch goes with the end of each input, so that batches limit how many inputs wait, too.
        batch.interfaces = Arc::default();
        self.engine.send(ToEngine::Frames { batch, home: self.home.clone() }).ok()?;
        Some((frames, accounts_of_file(&source, input)))
    }

    /// Waits until it is time, and tells the engine the time meanwhile.
    fn wait(&mut self, recorded: Timestamp) -> Option<()> {
        let pace = self.pace.as_mut()?;
        let left = pace.until(recorded);
        if left > LONGEST_GAP {
            // The rest of the gap is left out: as if the capture had been started earlier.
            pace.started = pace.started.checked_sub(left - LONGEST_GAP).unwrap_or(pace.started);
        }
        loop {
            if is_set(&self.shared.stop) {
                return None;
            }
            let left = pace.until(recorded);
            if left.is_zero() {
                return Some(());
            }
            self.shared.sleep(left.min(TICK));
            // The next packet may have a wrong time: no flow ends by it that was not silent before.
            let now = pace.now().min(recorded).min(self.newest.after(LONGEST_GAP));
            if left > TICK {
                self.engine.send(ToEngine::Clock(now.after(self.shift))).ok()?;
            }
        }
    }

    /// Sends a batch, if there is anything in it, and gives an empty one that knows the same interfaces.
    fn send(&self, batch: Batch) -> Option<Batch> {
        if batch.is_empty() {
            return Some(batch);
        }
        let interfaces = Arc::clone(&batch.interfaces);
        self.engine.send(ToEngine::Frames { batch, home: self.home.clone() }).ok()?;
        let mut batch = self.empty_batch()?;
        batch.interfaces = interfaces;
        Some(batch)
    }

    /// Waits for the engine where it is behind.
    fn empty_batch(&self) -> Option<Batch> {
        loop {
            match self.empties.recv_timeout(TICK) {
                _ if is_set(&self.shared.stop) => return None,
                Ok(batch) => return Some(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}
