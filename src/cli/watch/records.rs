//! Where flow records go: a thread that writes them, so that nobody waits for a disk.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::config::Output as Settings;
use crate::export::{News, RecordsFile};

/// Batches of lines that wait to be written, at most some 150 kB each.
const WAITING_BATCHES: usize = 64;

/// A replay waits so long for whoever takes the lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// The name that stands for standard output.
const STDOUT: &str = "-";

/// The user this process runs as.
fn own_name() -> String {
    let number = nix::unistd::Uid::effective();
    nix::unistd::User::from_uid(number)
        .ok()
        .flatten()
        .map_or_else(|| format!("the user with the number {number}"), |user| user.name)
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
                let file = RecordsFile::open(path, bytes, settings.keep).with_context(|| {
                    format!(
                        "{}: records cannot be written there; its folder must be there, and `{}`, the user that ddbwatch \
                         runs as, must be able to write to it",
                        path.display(),
                        own_name()
                    )
                })?;
                Ok(Self::File(file))
            }
            None if is_stdout_wanted => Ok(Self::Stdout),
            None => Ok(Self::Nowhere),
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
    /// Whoever read standard output went away.
    pub(super) is_reader_gone: AtomicBool,
}

impl Lost {
    /// Counts by reason.
    pub(super) fn counts(&self) -> [(&'static str, u64); 3] {
        [
            ("queue_full", self.queue_full.load(Ordering::Relaxed)),
            ("write_failed", self.write_failed.load(Ordering::Relaxed)),
            ("torn_line", self.torn_line.load(Ordering::Relaxed)),
        ]
    }
}

enum Order {
    Lines { text: Vec<u8>, records: u64 },
    Use(Box<Destination>),
}

/// The thread that writes.
pub(super) struct Writer {
    orders: SyncSender<Order>,
    lost: Arc<Lost>,
    thread: JoinHandle<()>,
    is_patient: bool,
    is_stuck: bool,
}

impl Writer {
    pub(super) fn start(destination: Destination, is_patient: bool) -> io::Result<Self> {
        let (orders, received) = sync_channel(WAITING_BATCHES);
        let lost = Arc::new(Lost::default());
        let for_thread = Arc::clone(&lost);
        let thread = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || write_all(destination, &received, &for_thread))?;
        Ok(Self { orders, lost, thread, is_patient, is_stuck: false })
    }

    pub(super) fn lost(&self) -> Arc<Lost> {
        Arc::clone(&self.lost)
    }

    /// Hands over whole lines. A replay waits for a reader or disk that is slow, not for one that has stopped.
    pub(super) fn write(&mut self, text: Vec<u8>, records: u64) {
        let mut order = Order::Lines { text, records };
        let began = Instant::now();
        loop {
            order = match self.orders.try_send(order) {
                Ok(()) => {
                    self.is_stuck = false;
                    return;
                }
                Err(TrySendError::Full(order)) => order,
                Err(TrySendError::Disconnected(_)) => break,
            };
            if !self.is_patient || self.is_stuck {
                break;
            }
            if began.elapsed() > PATIENCE {
                self.is_stuck = true;
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.lost.queue_full.fetch_add(records, Ordering::Relaxed);
    }

    /// Writes elsewhere from now on.
    pub(super) fn use_other(&self, destination: Destination) {
        // The queue is drained by the writer; where it is stuck, the old place stays in use.
        let _ = self.orders.try_send(Order::Use(Box::new(destination)));
    }

    /// Writes what is left.
    pub(super) fn finish(self) {
        drop(self.orders);
        let _ = self.thread.join();
    }
}

fn write_all(mut destination: Destination, orders: &Receiver<Order>, lost: &Lost) {
    let mut is_failing = false;
    let mut is_full = false;
    let mut torn_lines = 0;
    let mut stdout = io::stdout();
    note_torn(&destination, lost, &mut torn_lines);
    for order in orders {
        let (text, records) = match order {
            Order::Lines { text, records } => (text, records),
            Order::Use(other) => {
                destination = *other;
                torn_lines = 0;
                note_torn(&destination, lost, &mut torn_lines);
                continue;
            }
        };
        let result = match &mut destination {
            Destination::File(file) => file.write(&text),
            Destination::Stdout => stdout.write_all(&text).and_then(|()| stdout.flush()),
            Destination::Nowhere => Ok(()),
        };
        note_torn(&destination, lost, &mut torn_lines);
        if let Destination::File(file) = &mut destination {
            tell(file, &mut is_full);
        }
        match result {
            Ok(()) if is_failing => {
                is_failing = false;
                tracing::info!("Records are written again.");
            }
            Ok(()) => {}
            Err(error) => {
                lost.write_failed.fetch_add(records, Ordering::Relaxed);
                if matches!(destination, Destination::Stdout) && error.kind() == io::ErrorKind::BrokenPipe {
                    lost.is_reader_gone.store(true, Ordering::Relaxed);
                    destination = Destination::Nowhere;
                } else if !is_failing {
                    is_failing = true;
                    tracing::error!(%error, "Records cannot be written and are lost; the capture goes on.");
                }
            }
        }
    }
}

/// Tells what became of the file; one that cannot be moved away is told of once.
fn tell(file: &mut RecordsFile, is_full: &mut bool) {
    match file.take_news() {
        Some(News::NotRotated(error)) if !*is_full => {
            *is_full = true;
            tracing::warn!(%error, "The file of records is full and cannot be moved away, so it grows on; its folder must be writable.");
        }
        Some(News::BegunAnew) => {
            *is_full = false;
            tracing::warn!(
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
