//! A source that gives more than the engine takes just then.

use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use super::super::reader;
use super::*;

const FRAME_BYTES: usize = 1_000;

/// Frames of one interface that come at a steady pace into a ring.
struct Ring {
    interfaces: Vec<Interface>,
    start: Instant,
    per_millisecond: u64,
    total: u64,
    /// Frames that the ring holds; what comes beyond is dropped.
    room: u64,
    came: u64,
    dropped: u64,
    waiting: std::collections::VecDeque<u64>,
    given: Arc<AtomicU64>,
}

impl Ring {
    fn new(total: u64, per_millisecond: u64, room: u64, given: &Arc<AtomicU64>) -> Self {
        let name = Some(Arc::from("eth7"));
        Self {
            interfaces: vec![Interface { link_type: LinkType::ETHERNET, name, kind: None }],
            start: Instant::now(),
            per_millisecond,
            total,
            room,
            came: 0,
            dropped: 0,
            waiting: std::collections::VecDeque::new(),
            given: Arc::clone(given),
        }
    }

    fn fill(&mut self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        let until = self.total.min(elapsed.saturating_mul(self.per_millisecond));
        for number in self.came..until {
            if (self.waiting.len() as u64) < self.room {
                self.waiting.push_back(number);
            } else {
                self.dropped += 1;
            }
        }
        self.came = until;
    }
}

impl LiveSource for Ring {
    fn backend(&self) -> &'static str {
        "ring"
    }

    fn attach(&mut self, _: &Link) -> Result<(), LiveError> {
        Ok(())
    }

    fn detach(&mut self, _: u32) {}

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn poll(&mut self, wait: Duration, most: usize, take: &mut Take<'_>) -> Result<usize, LiveError> {
        self.fill();
        if self.waiting.is_empty() {
            std::thread::sleep(wait.min(Duration::from_millis(1)));
        }
        let mut data = [0; FRAME_BYTES];
        for given in 0..most {
            let Some(number) = self.waiting.pop_front() else { return Ok(given) };
            self.given.fetch_add(1, Ordering::Relaxed);
            data[..8].copy_from_slice(&number.to_be_bytes());
            let timestamp = Timestamp::from_seconds(1);
            let frame =
                Frame { number, timestamp, interface: 0, wire_bytes: FRAME_BYTES as u32, data: &data };
            if take(&frame, &self.interfaces).is_break() {
                return Ok(given + 1);
            }
        }
        Ok(most)
    }

    fn counts(&mut self) -> Vec<LinkCounts> {
        self.fill();
        let dropped = vec![("ring", "ring_full", self.dropped)];
        vec![LinkCounts { interface: Arc::from("eth7"), dropped, ..LinkCounts::default() }]
    }
}

/// A reader at work on `ring`, and what it tells an engine, which is the test.
fn read(ring: Ring) -> (Arc<Shared>, Receiver<ToEngine<u32>>, JoinHandle<()>) {
    let shared =
        Arc::new(Shared::new(&interfaces(Scripted::new("eth7", &Arc::default(), &Arc::default()), never())));
    let (engine, inbox) = sync_channel(4 * BATCHES);
    let for_reader = Arc::clone(&shared);
    let thread = std::thread::spawn(move || {
        reader::supervise(Box::new(ring), never(), vec![link("eth7")], &for_reader, &engine);
    });
    (shared, inbox, thread)
}

/// Batches as they come, until none comes for `quiet`.
fn batches(inbox: &Receiver<ToEngine<u32>>, quiet: Duration) -> Vec<(Batch, SyncSender<Batch>)> {
    let mut got = Vec::new();
    while let Ok(ToEngine::Frames { batch, home }) = inbox.recv_timeout(quiet) {
        got.push((batch, home));
    }
    got
}

/// The numbers of the frames of a batch, which is then given back.
fn work((mut batch, home): (Batch, SyncSender<Batch>), numbers: &mut Vec<u64>) {
    numbers.extend(batch.frames(0).map(|frame| u64::from_be_bytes(frame.data[..8].try_into().unwrap())));
    batch.clear();
    let _ = home.try_send(batch);
}

/// One poll shows more than a batch holds, and all of it more than all batches do: it waits where it is.
#[test]
fn loses_nothing_while_the_source_has_room() {
    const TOTAL: u64 = 20_000;
    let given = Arc::default();
    let (shared, inbox, thread) = read(Ring::new(TOTAL, TOTAL, TOTAL, &given));
    let held = batches(&inbox, Duration::from_millis(500));
    assert_eq!(held.len(), BATCHES, "as many as there are, and no more");
    let taken = given.load(Ordering::Relaxed);
    assert!(taken < TOTAL / 2, "{taken} were taken without room for them");
    let mut numbers = Vec::new();
    held.into_iter().for_each(|batch| work(batch, &mut numbers));
    while (numbers.len() as u64) < TOTAL {
        match inbox.recv_timeout(Duration::from_secs(10)) {
            Ok(ToEngine::Frames { batch, home }) => work((batch, home), &mut numbers),
            _ => panic!("only {} frames came", numbers.len()),
        }
    }
    assert!(numbers.iter().copied().eq(0..TOTAL), "each once, in their order");
    shared.stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

/// What the ring has no room for is dropped there and counted; what it gave is with the engine.
#[test]
fn a_source_that_outruns_the_engine_counts_what_it_drops() {
    const TOTAL: u64 = 40_000;
    let given = Arc::default();
    let (shared, inbox, thread) = read(Ring::new(TOTAL, 20, 5_000, &given));
    let mut numbers = Vec::new();
    // An engine that sleeps, and then wakes up.
    let held = batches(&inbox, Duration::from_millis(500));
    held.into_iter().for_each(|batch| work(batch, &mut numbers));
    let dropped = || {
        let mut accounts = Accounts::default();
        shared.complete(&mut accounts);
        accounts.dropped.get(&("eth7".to_owned(), "ring", "ring_full")).copied().unwrap_or_default()
    };
    let begin = Instant::now();
    while numbers.len() as u64 + dropped() < TOTAL {
        assert!(begin.elapsed() < Duration::from_secs(20), "{} frames came", numbers.len());
        batches(&inbox, Duration::from_millis(20)).into_iter().for_each(|batch| work(batch, &mut numbers));
    }
    shared.stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert_eq!(numbers.len() as u64, given.load(Ordering::Relaxed), "nothing is lost on the way");
    assert!(dropped() > 0);
    assert_eq!(numbers.len() as u64 + dropped(), TOTAL);
}
