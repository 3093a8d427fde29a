//! `ddbwatch report`: recorded flows in, the evidence report out.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};

use super::analyze::{configured, interrupted, note, redaction, refuse_to_overwrite, tell_stopped};
use super::args::{Report as Args, ReportFormat, Switch};
use super::output::Output;
use super::partition::Partitioned;
use super::{Failure, Finished, evidence};
use crate::capture;
use crate::config::CommandLine;
use crate::export::read::{Reader, judge_anew};
use crate::export::report::{Content, InputFact, Origin, ReadingCounts, Report};
use crate::export::{Csv, Jsonl, Parquet, Redaction, Redactor, ReportOptions, Sink};
use crate::model::{Record, Severity};
use crate::telemetry::Accounts;

/// As much as a record may have, several times.
const BUFFER_BYTES: usize = 64 * 1024;

/// The largest window a zstd file of records may ask for, as a power of two: the 128 MiB that the zstd tool itself allows, and
/// `--long` uses. Captures get less, because many of them are read at once; of records it is one file after the other.
const MAX_WINDOW_LOG_OF_RECORDS: u32 = 27;

/// The most files of one run: an hour each for ten years.
const MAX_FILES: usize = 100_000;

/// Runs the command.
pub fn run(args: &Args) -> Result<Finished, Failure> {
    let command_line = CommandLine {
        profile: args.profile.clone(),
        redact: args.redact.map(|switch| switch == Switch::On),
        ..CommandLine::default()
    };
    let config = configured(args.config.as_deref(), &command_line)?;
    let files = expand(&args.records).map_err(Failure::CannotRun)?;
    if let Some(wanted) = args.file() {
        let inputs = files.iter().map(|given| &*given.path);
        refuse_to_overwrite(wanted, inputs, args.config.as_deref(), &config)?;
    }
    if let Some(capture) = files.iter().find(|given| given.is_named && capture::is_capture(&given.path)) {
        return Err(Failure::CannotRun(anyhow!(
            "{}: is a capture; `ddbwatch analyze` reads it, and `ddbwatch analyze --format html` makes this report of it",
            capture.path.display()
        )));
    }
    if args.partition && (args.format != ReportFormat::Parquet || args.file().is_none()) {
        return Err(Failure::Usage(anyhow!("--partition needs --format parquet, and a folder for -o")));
    }
    let is_judged_anew = args.profile.is_some() || args.config.is_some();
    let mut options = evidence::options(&config);
    options.facts.clear();
    options.are_recorded = true;
    if !is_judged_anew {
        (options.policy, options.profile) = (None, None);
    }
    // Before there is an output that would be left behind.
    let stop = interrupted()?;
    let mut writer = Writer::new(args, options).map_err(Failure::CannotRun)?;
    let mut redactor = Redactor::new(redaction(&config));
    let mut worst: Option<Severity> = None;
    let mut total = ReadingCounts::default();
    let mut inputs = Vec::new();
    let is_numbering = redaction(&config) == Redaction::Numbered;
    let mut accounts = Accountholders { is_numbering, ..Accountholders::default() };
    for Given { path, is_named } in files.iter().take_while(|_| !stop.load(Ordering::Relaxed)) {
        let mut fact = if is_standard_input(path) {
            InputFact { name: "standard input".to_owned(), content: Content::Stream }
        } else {
            evidence::fact(path)
        };
        let name = redactor.name(&fact.name).into_owned();
        fact.name = name;
        let is_same = |other: &&InputFact| {
            matches!(fact.content, Content::Stored(1.., _)) && other.content == fact.content
        };
        if let Some(same) = inputs.iter().find(is_same) {
            note(&format!("{}: has the same content as {}, and is counted once", path.display(), same.name));
            continue;
        }
        accounts.begin_input();
        let counts = read(path, *is_named, &stop, &mut |mut record, line| {
            accounts.meet(&record);
            accounts.has_words |= redactor.keep_numbers_of(line);
            if is_judged_anew {
                judge_anew(&mut record, &config.policy);
            }
            let violations = record.policy.iter().flat_map(|policy| &policy.violations);
            worst = worst.max(violations.map(|violation| violation.severity).max());
            redactor.apply(&mut record);
            writer.record(&record)
        })?;
        add(&mut total, counts);
        inputs.push(fact);
    }
    accounts.has_ids |= redactor.has_replaced();
    if let Some(why) = accounts.may_be_confused() {
        note(&format!("{why}; to compare accounts, record with [privacy] key_file"));
        if let Writer::Html(report) = &mut writer {
            report.fact(&format!("Account ids: {why}."));
        }
    } else if accounts.has_numbers
        && let Writer::Html(report) = &mut writer
    {
        report.fact(ONE_RUN);
    }
    if is_judged_anew {
        total.judged_anew = total.records;
    }
    let is_stopped = stop.load(Ordering::Relaxed);
    total.is_cut_short = is_stopped;
    if total.lines == 0 && total.broken > 0 && !is_stopped {
        return Err(Failure::CannotRun(anyhow!("nothing of the records given could be read")));
    }
    if total.records == 0 && total.refused > 0 && !is_stopped {
        return Err(Failure::CannotRun(anyhow!(
            "no record was found: `ddbwatch analyze --format jsonl` and `ddbwatch watch` write them, and captures are read by \
             `ddbwatch analyze`"
        )));
    }
    if let Writer::Html(report) = &mut writer {
        report.redact(&mut redactor);
    }
    writer.finish(total, inputs, !is_stopped)?;
    Ok(if is_stopped {
        tell_stopped(args.file());
        Finished::Interrupted
    } else if args.fail_on.is_some_and(|limit| worst >= Some(limit)) {
        Finished::Failing
    } else if total.refused + total.torn + total.broken > 0 {
        Finished::Damaged
    } else {
        Finished::Done
    })
}

/// Said where words of several inputs look the same.
const SEVERAL_INPUTS: &str = "several inputs have account ids, and some number them, each for itself: account-1 of one \
     need not be account-1 of another";

/// Said where ids are numbered now beside those that were numbered at the time.
const NUMBERED_TWICE: &str = "some were numbered when they were recorded, or look so, and others are now: one account may \
     have two numbers, and a number given before it was met in a record may stand for two accounts";

/// Said of a single input. Nothing in records tells runs apart.
const ONE_RUN: &str = "Account ids: they were numbered when they were recorded. `ddbwatch watch` goes on behind the numbers of \
     the file that it writes to; where the output of several other runs was put into one file, a number may stand for \
     several accounts.";

/// Which inputs have account ids, and whether words stand for them that mean something in one input alone.
#[derive(Default)]
struct Accountholders {
    inputs: u64,
    is_counted: bool,
    has_numbers: bool,
    /// Some text has what looks like the word for an account.
    has_words: bool,
    has_ids: bool,
    /// Ids that are met are numbered.
    is_numbering: bool,
}

impl Accountholders {
    const fn begin_input(&mut self) {
        self.is_counted = false;
    }

    fn meet(&mut self, record: &Record) {
        let Some(id) = &record.endpoint.account_id else { return };
        self.inputs += u64::from(!self.is_counted);
        self.is_counted = true;
        self.has_numbers |= id.starts_with("account-");
        self.has_ids |= id.bytes().all(|byte| byte.is_ascii_digit());
    }

    const fn may_be_confused(&self) -> Option<&'static str> {
        if self.has_numbers && self.inputs > 1 {
            Some(SEVERAL_INPUTS)
        } else if (self.has_numbers || self.has_words) && self.has_ids && self.is_numbering {
            Some(NUMBERED_TWICE)
        } else {
            None
        }
    }
}

/// The chosen format.
enum Writer {
    Html(Box<Report<Output>>),
    Jsonl(Jsonl<Output>),
    Csv(Csv<Output>),
    Parquet(Box<Parquet<Output>>),
    Partitioned(Partitioned),
}

impl Writer {
    fn new(args: &Args, options: ReportOptions) -> anyhow::Result<Self> {
        if let Some(folder) = args.file().filter(|_| args.partition) {
            return Ok(Self::Partitioned(Partitioned::new(folder)?));
        }
        let output = Output::open(args.file())?;
        Ok(match args.format {
            ReportFormat::Html => Self::Html(Box::new(Report::new(options, output))),
            ReportFormat::Jsonl => Self::Jsonl(Jsonl::new(output)),
            ReportFormat::Csv => Self::Csv(Csv::new(output)),
            ReportFormat::Parquet => Self::Parquet(Box::new(Parquet::new(output)?)),
        })
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        match self {
            Self::Html(sink) => sink.record(record),
            Self::Jsonl(sink) => sink.record(record),
            Self::Csv(sink) => sink.record(record),
            Self::Parquet(sink) => sink.record(record),
            Self::Partitioned(sink) => sink.record(record),
        }
    }

    /// Recorded flows have no accounts: nothing is known of what was not recorded.
    fn finish(self, counts: ReadingCounts, inputs: Vec<InputFact>, is_complete: bool) -> io::Result<()> {
        let accounts = Accounts::default();
        match self {
            Self::Html(mut sink) => {
                sink.inputs(Origin::Records(counts), inputs);
                sink.finish(&accounts)?;
                sink.into_inner()
            }
            Self::Jsonl(mut sink) => {
                sink.finish(&accounts)?;
                sink.into_inner()
            }
            Self::Csv(mut sink) => {
                sink.finish(&accounts)?;
                sink.into_inner()
            }
            Self::Parquet(mut sink) => {
                sink.finish(&accounts)?;
                sink.into_inner()
            }
            Self::Partitioned(sink) => return sink.finish(is_complete),
        }
        .finish(is_complete)
    }
}

const fn add(total: &mut ReadingCounts, counts: ReadingCounts) {
    total.lines += counts.lines;
    total.records += counts.records;
    total.torn += counts.torn;
    total.refused += counts.refused;
    total.broken += counts.broken;
    total.unknown_keys += counts.unknown_keys;
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// A file to be read.
struct Given {
    path: PathBuf,
    /// Named itself, not found in a folder: it has to be there for this user.
    is_named: bool,
}

/// Files as given, and those of folders by name.
fn expand(paths: &[PathBuf]) -> anyhow::Result<Vec<Given>> {
    let mut files = Vec::new();
    for path in paths {
        if is_standard_input(path) || !path.is_dir() {
            files.push(Given { path: path.clone(), is_named: true });
            continue;
        }
        let entries = fs::read_dir(path).with_context(|| format!("{}: cannot be listed", path.display()))?;
        let mut found: Vec<PathBuf> = entries
            .take(MAX_FILES)
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| is_named_as_records(path) && may_be_file(path))
            .collect();
        found.sort();
        anyhow::ensure!(!found.is_empty(), "{}: no file of this folder is named *.jsonl", path.display());
        files.extend(found.into_iter().map(|path| Given { path, is_named: false }));
    }
    anyhow::ensure!(files.len() <= MAX_FILES, "more than {MAX_FILES} files are too many for one report");
    Ok(files)
}

/// False for folders, pipes and the like. What cannot be looked at is evidence that is missing, and is told of when it is
/// opened.
fn may_be_file(path: &Path) -> bool {
    path.metadata().map_or(true, |found| found.is_file())
}

/// `flows.jsonl`, rotated as `flows.jsonl.1`, and either of them compressed: not what is still being written
/// (`.partial`) or was said of it.
fn is_named_as_records(path: &Path) -> bool {
    let is_ending = |ending: &str| {
        matches!(ending, "gz" | "zst")
            || ending.bytes().all(|byte| byte.is_ascii_digit()) && !ending.is_empty()
    };
    path.file_name().and_then(|name| name.to_str()?.rsplit_once(".jsonl")).is_some_and(|(_, rest)| {
        rest.strip_prefix('.').map_or(rest.is_empty(), |rest| rest.split('.').all(is_ending))
    })
}

/// Gives every record of one file and its line, until `stop` is set; what is no record is told and counted.
fn read(
    path: &Path,
    is_named: bool,
    stop: &Arc<AtomicBool>,
    give: &mut dyn FnMut(Record, &[u8]) -> io::Result<()>,
) -> Result<ReadingCounts, Failure> {
    let cannot = |error: io::Error| {
        Failure::CannotRun(anyhow::Error::new(error).context(format!("{}: cannot be read", path.display())))
    };
    let is_stopped = || stop.load(Ordering::Relaxed);
    let stored = match open(path, stop) {
        Err(_) if is_stopped() => return Ok(ReadingCounts::default()),
        Err(error) if is_named => return Err(cannot(error)),
        Err(error) => {
            note(&format!("{}: cannot be read: {error}", path.display()));
            return Ok(ReadingCounts { broken: 1, ..ReadingCounts::default() });
        }
        Ok(stored) => stored,
    };
    let mut reader = Reader::new(stored);
    let mut broken = 0;
    while !is_stopped() {
        match reader.next_record() {
            Err(_) if is_stopped() => break,
            Ok(Some(record)) => give(record, reader.line())?,
            Ok(None) => break,
            Err(error) => {
                let what = if reader.counts().lines == 0 { "cannot be read" } else { "ends early" };
                note(&format!("{}: {what}: {error}", path.display()));
                broken = 1;
                break;
            }
        }
    }
    let mut counts = reader.counts();
    counts.broken = broken;
    if let Some((line, refusal)) = reader.first_refused() {
        note(&format!(
            "{}: line {line} is no record: {refusal}{}",
            path.display(),
            if counts.refused > 1 {
                format!(" ({} lines are no records)", counts.refused)
            } else {
                String::new()
            }
        ));
    }
    if counts.torn > 0 {
        note(&format!("{}: the last line has no end and is left out", path.display()));
    }
    Ok(counts)
}

/// The text of a file, plain, gzip or zstd.
fn open(path: &Path, stop: &Arc<AtomicBool>) -> io::Result<Box<dyn BufRead>> {
    let mut stored: Box<dyn BufRead> = if is_standard_input(path) {
        if io::stdin().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "standard input is a terminal"));
        }
        Box::new(BufReader::with_capacity(BUFFER_BYTES, capture::standard_input(Some(stop))?))
    } else {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
    };
    Ok(match stored.fill_buf()? {
        [0x1f, 0x8b, ..] => {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(stored)))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
            decoder.window_log_max(MAX_WINDOW_LOG_OF_RECORDS)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        _ => stored,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_of_a_folder_what_is_finished_records() {
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.jsonl.1", "a.jsonl.12.gz", "a.b.jsonl"] {
            assert!(is_named_as_records(Path::new(name)), "{name}");
        }
        for name in
            ["a.jsonl.partial", "a.jsonl.err", "a.jsonl.", "a.jsonlx", "a.jsonl.gz.tmp", "a.json", "a.jsonl~"]
        {
            assert!(!is_named_as_records(Path::new(name)), "{name}");
        }
    }
}
