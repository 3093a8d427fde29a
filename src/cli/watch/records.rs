//! Where flow records go: a thread that writes them, so that nobody waits for a disk.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::names::Names;
use crate::config::Output as Settings;
use crate::export::{News, RecordsFile};
use crate::host::privileges;

/// Batches of lines that wait to be written, at most some 150 kB each.
const WAITING_BATCHES: usize = 64;

/// A replay, and a change to another place, wait so long for whoever takes the lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest that a change to another place waits for one that takes the lines slowly. Meanwhile records wait.
const LONGEST_CHANGE: Duration = Duration::from_secs(5);

/// The log is told of a thread that has not come back for so long.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// At the end, one write may take so long, and all of them.
const LAST_WRITE: Duration = Duration::from_secs(3);
const LONGEST_END: Duration = Duration::from_secs(10);

/// The name that stands for standard output.
const STDOUT: &str = "-";

/// What must be so that `user` can write records to `path`.
fn refusal(path: &Path, user: &str) -> String {
    let name = path.display();
    let user = format!("`{user}`, the user that ddbwatch runs as,");
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => format!("{name}: is a folder; name a file for the records"),
        Ok(_) => format!(
            "{name}: is there already, and records cannot be added to it; {user} must be able to read and to write \
             this file: give it to that user, or move it away"
        ),
        Err(_) => format!(
            "{name}: records cannot be written there; its folder must be there, and {user} must be able to write to it"
        ),
    }
}

/// Where records go.
pub(super) enum Destination {
    File(RecordsFile),
    Stdout,
    /// Nobody wants them.
    Nowhere,
}

impl Destination {
    /// What the configuration asks for. Without a file, records go to standard output where somebody reads it other
    /// than on a terminal.
    pub(super) fn open(settings: &Settings, is_stdout_wanted: bool) -> anyhow::Result<Self> {
        match &settings.records {
            Some(path) if path.as_path() == Path::new(STDOUT) => Ok(Self::Stdout),
            Some(path) => {
                let bytes = u64::from(settings.rotate_mib) << 20;
                let file = RecordsFile::open(path, bytes, settings.keep)
                    .with_context(|| refusal(path, &privileges::user_name()))?;
                Ok(Self::File(file))
            }
            None if is_stdout_wanted => Ok(Self::Stdout),
            None => Ok(Self::Nowhere),
        }
    }

    /// The file, or what stands for it.
    fn place(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
            Self::Stdout => "standard output".to_owned(),
            Self::Nowhere => String::new(),
        }
    }

    /// For people.
    pub(super) fn describe(&self, settings: &Settings) -> String {
        match self {
            Self::File(_) => {
                let path = settings.records.as_deref().unwrap_or(Path::new("")).display();
                format!("{path}, rotated at {} MiB, {} kept", settings.rotate_mib, settings.keep)
            }
            Self::Stdout => "standard output".to_owned(),
            Self::Nowhere => "not written: no file is configured ([output] records)".to_owned(),
        }
    }
}

/// Records that were lost, by reason, and what became of standard output.
#[derive(Default)]
pub(super) struct Lost {
    queue_full: AtomicU64,
    write_failed: AtomicU64,
    torn_line: AtomicU64,
    destination_stuck: AtomicU64,
    /// How many of the last could not be written, once the program ends; until then, since a batch was.
    pub(super) at_the_end: AtomicU64,
    /// Whoever read standard output went away.
    pub(super) is_reader_gone: AtomicBool,
}

impl Lost {
    /// Counts by reason.
    pub(super) fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("queue_full", self.queue_full.load(Ordering::Relaxed)),
            ("write_failed", self.write_failed.load(Ordering::Relaxed)),
            ("torn_line", self.torn_line.load(Ordering::Relaxed)),
            ("destination_stuck", self.destination_stuck.load(Ordering::Relaxed)),
        ]
    }
}

enum Order {
    Lines { text: Vec<u8>, records: u64 },
    Use(Box<Destination>),
}

impl Order {
    const fn records(&self) -> u64 {
        match self {
            Self::Lines { records, .. } => *records,
            Self::Use(_) => 0,
        }
    }
}

/// What waits for a thread that writes. Its lock is taken once for a batch of records.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    has_changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    /// Since when the thread is at one, and its records.
    at_work: Option<(Instant, u64)>,
    /// Nothing more comes.
    is_closed: bool,
    /// The thread writes nothing more, should it ever come back.
    is_given_up: bool,
}

impl Queue {
    /// A panic while the lock was held leaves a queue that is as good as any.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, order: Order) {
        self.lock().orders.push_back(order);
        self.has_changed.notify_one();
    }

    /// Takes the next one, and waits for it; none where the thread is to end.
    fn next(&self) -> Option<Order> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_given_up {
                return None;
            }
            if let Some(order) = waiting.orders.pop_front() {
                waiting.at_work = Some((Instant::now(), order.records()));
                return Some(order);
            }
            if waiting.is_closed {
                return None;
            }
            waiting = self.has_changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread is through with what it took; false where it was given up meanwhile, and its records with it.
    fn come_back(&self) -> bool {
        let mut waiting = self.lock();
        waiting.at_work = None;
        !waiting.is_given_up
    }

    /// How long the thread has been at what it took last.
    fn stuck_for(&self) -> Duration {
        self.lock().at_work.map(|(since, _)| since.elapsed()).unwrap_or_default()
    }

    fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.orders.is_empty() && waiting.at_work.is_none()
    }

    /// Gives the thread up with all that it was to write; how many records that are.
    fn give_up(&self) -> u64 {
        let mut waiting = self.lock();
        waiting.is_given_up = true;
        let begun = waiting.at_work.map(|(_, records)| records).unwrap_or_default();
        let records = begun + waiting.orders.drain(..).map(|order| order.records()).sum::<u64>();
        self.has_changed.notify_one();
        records
    }
}

/// The thread that writes.
///
/// A pipe that nobody reads or a disk that does not answer holds it for ever, and nothing can end a thread from
/// outside. Then it is given up, what it was to write is counted as lost, and another one takes its place.
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
    lost: Arc<Lost>,
    names: Names,
    is_patient: bool,
    is_stuck: bool,
    /// The log was told that nobody takes the lines.
    is_told: bool,
}

impl Writer {
    pub(super) fn start(destination: Destination, is_patient: bool, names: Names) -> io::Result<Self> {
        let lost = Arc::new(Lost::default());
        let (queue, thread) = start_thread(destination, &lost, names.clone())?;
        Ok(Self { queue, thread, lost, names, is_patient, is_stuck: false, is_told: false })
    }

    pub(super) fn lost(&self) -> Arc<Lost> {
        Arc::clone(&self.lost)
    }

    /// Hands over whole lines. A replay waits for a reader or disk that is slow, not for one that has stopped.
    pub(super) fn write(&mut self, text: Vec<u8>, records: u64) {
        let began = Instant::now();
        while self.queue.lock().orders.len() >= WAITING_BATCHES {
            if self.is_patient && !self.is_stuck && began.elapsed() <= PATIENCE {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            self.is_stuck = true;
            self.lost.queue_full.fetch_add(records, Ordering::Relaxed);
            return;
        }
        self.is_stuck = false;
        self.queue.push(Order::Lines { text, records });
    }

    /// Tells the log where nobody takes the lines. To be called now and then.
    pub(super) fn look(&mut self) {
        let stuck_for = self.queue.stuck_for();
        if stuck_for > TOLD_AFTER && !self.is_told {
            self.is_told = true;
            tracing::warn!(
                "Nobody has taken the records for {}s: the pipe is not read, or the disk does not answer. They wait, up to \
                 {WAITING_BATCHES} batches of them; what comes then is lost and counted.",
                stuck_for.as_secs()
            );
        } else if self.is_told && stuck_for < TOLD_AFTER {
            self.is_told = false;
            tracing::info!("The records are taken again.");
        }
    }

    /// Writes elsewhere from now on. What waits is written where it was meant to go, if that does not take too long.
    pub(super) fn use_other(&mut self, destination: Destination) {
        let began = Instant::now();
        while !self.queue.is_idle() {
            if began.elapsed() > LONGEST_CHANGE || self.is_hopeless(began, PATIENCE) {
                return self.replace(destination);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.queue.push(Order::Use(Box::new(destination)));
    }

    fn is_hopeless(&self, began: Instant, after: Duration) -> bool {
        began.elapsed() > after && self.queue.stuck_for() > after
    }

    fn replace(&mut self, destination: Destination) {
        match start_thread(destination, &self.lost, self.names.clone()) {
            Ok((queue, thread)) => {
                let records = self.give_up();
                tracing::error!(
                    records,
                    "Nobody took the records where they went until now; what waited is lost."
                );
                (self.queue, self.thread) = (queue, thread);
                (self.is_stuck, self.is_told) = (false, false);
            }
            Err(error) => {
                tracing::error!(%error, "Records still go to the old place: no thread could be started for the new one.");
            }
        }
    }

    fn give_up(&self) -> u64 {
        let records = self.queue.give_up();
        self.lost.destination_stuck.fetch_add(records, Ordering::Relaxed);
        records
    }

    /// Writes what is left, in bounded time; what was not written by then is counted.
    pub(super) fn finish(self) {
        let began = Instant::now();
        self.queue.lock().is_closed = true;
        self.queue.has_changed.notify_one();
        while !self.thread.is_finished() {
            if began.elapsed() > LONGEST_END || self.is_hopeless(began, LAST_WRITE) {
                self.lost.at_the_end.fetch_add(self.give_up(), Ordering::Relaxed);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A panic was reported by the thread itself.
        let _ = self.thread.join();
    }
}

fn start_thread(
    destination: Destination,
    lost: &Arc<Lost>,
    names: Names,
) -> io::Result<(Arc<Queue>, JoinHandle<()>)> {
    let (queue, lost) = (Arc::<Queue>::default(), Arc::clone(lost));
    let for_thread = Arc::clone(&queue);
    let thread = std::thread::Builder::new()
        .name("records".to_owned())
        .spawn(move || write_all(destination, &for_thread, &lost, &names))?;
    Ok((queue, thread))
}

fn write_all(mut destination: Destination, queue: &Queue, lost: &Lost, names: &Names) {
    let mut is_failing = false;
    let mut is_full = false;
    let mut torn_lines = 0;
    let mut stdout = io::stdout();
    while let Some(order) = queue.next() {
        let (text, records) = match order {
            Order::Lines { text, records } => (text, records),
            Order::Use(other) => {
                destination = *other;
                lost.at_the_end.store(0, Ordering::Relaxed);
                torn_lines = 0;
                queue.come_back();
                continue;
            }
        };
        let result = match &mut destination {
            Destination::File(file) => file.write(&text),
            Destination::Stdout => stdout.write_all(&text).and_then(|()| stdout.flush()),
            Destination::Nowhere => Ok(()),
        };
        if !queue.come_back() {
            return;
        }
        note_torn(&destination, lost, &mut torn_lines);
        if let Destination::File(file) = &mut destination {
            tell(file, names, &mut is_full);
        }
        match result {
            Ok(()) if is_failing => {
                is_failing = false;
                lost.at_the_end.store(0, Ordering::Relaxed);
                tracing::info!("Records are written again.");
            }
            Ok(()) => {}
            Err(error) => {
                lost.write_failed.fetch_add(records, Ordering::Relaxed);
                if matches!(destination, Destination::Stdout) && error.kind() == io::ErrorKind::BrokenPipe {
                    lost.is_reader_gone.store(true, Ordering::Relaxed);
                    destination = Destination::Nowhere;
                    continue;
                }
                lost.at_the_end.fetch_add(records, Ordering::Relaxed);
                if !is_failing {
                    is_failing = true;
                    let file = names.hide(&destination.place());
                    tracing::error!(%error, file, "Records cannot be written and are lost; the capture goes on.");
                }
            }
        }
    }
}

/// Tells what became of the file; one that cannot be moved away is told of once.
fn tell(file: &mut RecordsFile, names: &Names, is_full: &mut bool) {
    let place = |file: &RecordsFile| names.hide(&file.path().display().to_string());
    match file.take_news() {
        Some(News::NotRotated(error)) if !*is_full => {
            *is_full = true;
            tracing::warn!(%error, file = place(file), "The file of records is full and cannot be moved away, so it grows on; its folder must be writable.");
        }
        Some(News::BegunAnew) => {
            *is_full = false;
            tracing::warn!(
                file = place(file),
                "The file of records was moved away or removed, and is begun anew under its name."
            );
        }
        Some(News::Rotated) => *is_full = false,
        Some(News::NotRotated(_)) | None => {}
    }
}

/// Counts torn lines that were not counted yet.
fn note_torn(destination: &Destination, lost: &Lost, known: &mut u64) {
    if let Destination::File(file) = destination {
        lost.torn_line.fetch_add(file.torn_lines().saturating_sub(*known), Ordering::Relaxed);
        *known = file.torn_lines();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that nobody reads, and a writer whose thread is stuck there with two batches.
    fn stuck(folder: &Path) -> Writer {
        let pipe = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut writer = Writer::start(to_file(&pipe), false, names()).unwrap();
        // More than any pipe holds.
        writer.write(vec![b'x'; 4 << 20], 3);
        writer.write(b"y\n".to_vec(), 2);
        let begin = Instant::now();
        while writer.queue.stuck_for().is_zero() {
            assert!(begin.elapsed() < Duration::from_secs(10));
        }
        writer
    }

    #[test]
    fn a_file_that_is_in_the_way_is_told_from_a_folder_that_nobody_may_write_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flows.jsonl");
        let said = || refusal(&file, "nobody");
        assert!(said().ends_with(
            "its folder must be there, and `nobody`, the user that ddbwatch runs as, must be able to write to it"
        ));
        std::fs::write(&file, "").unwrap();
        assert!(
            said().starts_with(&format!("{}: is there already", file.display()))
                && !said().contains("folder must")
        );
        assert!(said().contains(
            "`nobody`, the user that ddbwatch runs as, must be able to read and to write this file"
        ));
        assert!(refusal(folder.path(), "nobody").contains("is a folder"));
    }

    fn to_file(path: &Path) -> Destination {
        Destination::File(RecordsFile::open(path, 1 << 20, 1).unwrap())
    }

    fn names() -> Names {
        Names::new(crate::export::Redaction::Off)
    }

    fn given_up(lost: &Lost) -> u64 {
        lost.counts().iter().find(|(reason, _)| *reason == "destination_stuck").unwrap().1
    }

    #[test]
    fn another_place_is_used_though_nobody_takes_the_lines_at_the_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = stuck(folder.path());
        let (lost, file) = (writer.lost(), folder.path().join("flows.jsonl"));
        writer.use_other(to_file(&file));
        assert_eq!(given_up(&lost), 5, "with the one that was begun");
        writer.write(b"{}\n".to_vec(), 1);
        writer.finish();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
        assert_eq!((given_up(&lost), lost.at_the_end.load(Ordering::Relaxed)), (5, 0));
    }

    #[test]
    fn ends_in_bounded_time_and_counts_what_was_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let writer = stuck(folder.path());
        let (lost, begin) = (writer.lost(), Instant::now());
        writer.finish();
        assert!(begin.elapsed() < LONGEST_END);
        assert_eq!((given_up(&lost), lost.at_the_end.load(Ordering::Relaxed)), (5, 5));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn tells_how_many_of_the_last_found_no_room() {
        let full = || to_file(std::path::Path::new("/dev/full"));
        let mut writer = Writer::start(full(), false, names()).unwrap();
        let lost = writer.lost();
        (0..3).for_each(|_| writer.write(b"{}\n{}\n".to_vec(), 2));
        writer.finish();
        assert_eq!(lost.at_the_end.load(Ordering::Relaxed), 6);
        // Lost, too, but not the last.
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::start(full(), false, names()).unwrap();
        let lost = writer.lost();
        writer.write(b"{}\n".to_vec(), 1);
        writer.use_other(to_file(&folder.path().join("flows.jsonl")));
        writer.write(b"{}\n".to_vec(), 1);
        writer.finish();
        let failed = lost.write_failed.load(Ordering::Relaxed);
        assert_eq!((failed, lost.at_the_end.load(Ordering::Relaxed)), (1, 0));
    }

    #[test]
    fn a_change_of_place_loses_nothing_where_lines_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let mut writer = Writer::start(to_file(&one), false, names()).unwrap();
        let lost = writer.lost();
        writer.write(b"1\n".to_vec(), 1);
        writer.use_other(to_file(&other));
        writer.write(b"2\n".to_vec(), 1);
        writer.finish();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(one), read(other)), ("1\n".to_owned(), "2\n".to_owned()));
        assert_eq!(lost.counts().iter().map(|(_, count)| count).sum::<u64>(), 0);
    }
}
