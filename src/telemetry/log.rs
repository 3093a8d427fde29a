//! The log: sentences with fields, to standard error, never waited for.
//!
//! Whoever logs puts a finished line into a queue; a thread of its own writes it. Where nobody reads standard
//! error, lines are lost and counted, and the capture goes on. Events that repeat are folded by [`Folding`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written, some 300 bytes each.
const WAITING_LINES: usize = 1_024;

/// When the program ends, standard error gets so long to take what is left.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Begins to log. Lines wait in the queue until [`Log::write`]: a thread may not run yet while privileges are
/// given up. The log ends with the value that is given back. Characters that are `active`, which a terminal or a reader
/// would act on, are written out, as names on the wire may have them.
#[must_use]
pub fn start(form: Form, level: LevelFilter, has_color: bool, active: fn(char) -> bool) -> Log {
    let (sender, lines) = sync_channel(WAITING_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let look = Look { form, has_color, active };
    let queue = Queue { sender, lost: Arc::clone(&lost), look };
    let log = Log { sender: queue.sender.clone(), lines: Some(lines), lost };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(queue);
    // A second log of the same process (tests) changes nothing.
    let _ = match form {
        Form::Text => tracing::subscriber::set_global_default(builder.with_ansi(has_color).finish()),
        Form::Json => tracing::subscriber::set_global_default(builder.json().flatten_event(true).finish()),
    };
    log
}

enum Line {
    Text(Vec<u8>),
    /// Everything before this was written.
    Flush(Sender<()>),
}

/// The log of the process.
pub struct Log {
    sender: SyncSender<Line>,
    /// As long as no thread writes them.
    lines: Option<Receiver<Line>>,
    lost: Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn write(&mut self) -> io::Result<()> {
        if let Some(lines) = self.lines.take() {
            std::thread::Builder::new().name("log".to_owned()).spawn(move || write_out(lines))?;
        }
        Ok(())
    }

    /// Lines that found the queue full.
    #[must_use]
    pub fn lost_lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(lines) = self.lines.take() {
            return write_out(lines.try_iter());
        }
        let (done, is_done) = channel();
        if self.sender.try_send(Line::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(LAST_LINES);
        }
    }
}

fn write_out(lines: impl IntoIterator<Item = Line>) {
    let mut stderr = io::stderr();
    for line in lines {
        match line {
            // Nobody is left to tell of a log that cannot be written.
            Line::Text(text) => drop(stderr.write_all(&text)),
            Line::Flush(done) => drop(done.send(())),
        }
    }
}

struct Queue {
    sender: SyncSender<Line>,
    lost: Arc<AtomicU64>,
    look: Look,
}

/// What a line may have.
#[derive(Clone, Copy)]
struct Look {
    form: Form,
    has_color: bool,
    active: fn(char) -> bool,
}

impl Look {
    /// The line without what acts on its reader. Colours are the log's own: an escape that a value has is written out
    /// before it comes here.
    fn harmless(self, line: Vec<u8>) -> Vec<u8> {
        let is_kept = |character: char| match character {
            '\n' => true,
            '\u{1b}' => self.has_color && self.form == Form::Text,
            _ => !(self.active)(character),
        };
        if line.iter().all(|byte| byte.is_ascii() && is_kept(char::from(*byte))) {
            return line;
        }
        let mut out = String::with_capacity(line.len() + 16);
        for character in String::from_utf8_lossy(&line).chars() {
            match self.form {
                _ if is_kept(character) => out.push(character),
                Form::Text => out.extend(character.escape_unicode()),
                Form::Json => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
            }
        }
        out.into_bytes()
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter { queue: self, line: Vec::new() }
    }
}

/// One line; it is handed over when it is complete.
struct LineWriter<'a> {
    queue: &'a Queue,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        let line = self.queue.look.harmless(std::mem::take(&mut self.line));
        if self.queue.sender.try_send(Line::Text(line)).is_err() {
            self.queue.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lets the first few of a kind of event through in each window of time, and counts the rest.
#[derive(Debug)]
pub struct Folding {
    burst: u64,
    window: Duration,
    kinds: BTreeMap<&'static str, Kind>,
    folded: u64,
}

#[derive(Debug)]
struct Kind {
    began: Instant,
    seen: u64,
}

impl Folding {
    /// `burst` events of each kind are let through in each `window`. Kinds are words of the program, so they are few.
    #[must_use]
    pub const fn new(burst: u64, window: Duration) -> Self {
        Self { burst, window, kinds: BTreeMap::new(), folded: 0 }
    }

    /// Whether an event of this kind is to be logged.
    pub fn admits(&mut self, kind: &'static str, now: Instant) -> bool {
        let entry = self.kinds.entry(kind).or_insert(Kind { began: now, seen: 0 });
        entry.seen += 1;
        let is_admitted = entry.seen <= self.burst;
        self.folded += u64::from(!is_admitted);
        is_admitted
    }

    /// Kinds whose window ended, each with how many events of it were left out.
    pub fn ended(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        let (burst, window) = (self.burst, self.window);
        let mut ended = Vec::new();
        self.kinds.retain(|kind, entry| {
            let is_over = now.saturating_duration_since(entry.began) >= window;
            if is_over && entry.seen > burst {
                ended.push((*kind, entry.seen - burst));
            }
            !is_over
        });
        ended
    }

    /// Events left out since the start.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_what_repeats_and_counts_it() {
        let mut folding = Folding::new(3, Duration::from_secs(60));
        let begin = Instant::now();
        let admitted = (0..10).filter(|_| folding.admits("a", begin)).count();
        assert!(folding.admits("b", begin));
        assert_eq!((admitted, folding.folded()), (3, 7));
        assert_eq!(folding.ended(begin + Duration::from_secs(59)), []);
        assert_eq!(folding.ended(begin + Duration::from_secs(60)), [("a", 7)]);
        assert!(folding.admits("a", begin + Duration::from_secs(61)), "a new window");
        assert_eq!(folding.folded(), 7);
    }

    const fn look(form: Form, has_color: bool) -> Look {
        Look { form, has_color, active: |character| character.is_control() || character == '\u{202e}' }
    }

    #[test]
    fn writes_out_what_acts_on_its_reader() {
        let line = "a\u{202e}b\u{85}\u{1b}[2m é\n";
        let shown = |form, has_color| {
            String::from_utf8(look(form, has_color).harmless(line.as_bytes().to_vec())).unwrap()
        };
        assert_eq!(shown(Form::Text, false), "a\\u{202e}b\\u{85}\\u{1b}[2m é\n");
        assert_eq!(shown(Form::Text, true), "a\\u{202e}b\\u{85}\u{1b}[2m é\n");
        assert_eq!(shown(Form::Json, true), "a\\u202eb\\u0085\\u001b[2m é\n");
    }

    #[test]
    fn loses_lines_rather_than_waiting() {
        let (sender, lines) = sync_channel(2);
        let queue = Queue { sender, lost: Arc::default(), look: look(Form::Text, false) };
        for text in ["one\n", "two\n", "three\n"] {
            queue.make_writer().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(queue.lost.load(Ordering::Relaxed), 1);
        assert!(matches!(lines.recv().unwrap(), Line::Text(text) if text == b"one\n"));
    }
}
