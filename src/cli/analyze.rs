//! `ddbwatch analyze`: captures in, findings out.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;

use super::args::{Analyze, Format, Switch};
use super::output::{self, Output};
use super::partition::Partitioned;
use super::{Failure, Finished, evidence};
use crate::capture::{self, Expanded, Input};
use crate::classify::PrefixList;
use crate::config::{self, CommandLine, Resolved};
use crate::export::{
    Csv, Jsonl, Metrics, MetricsOptions, MetricsSink, Parquet, Redaction, Redactor, Report as Evidence, Sink,
};
use crate::model::{Record, Severity};
use crate::pipeline::{self, AnalyzeError, Job, Progress};
use crate::telemetry::{Accounts, DamageNote};
use crate::view::text::plain;
use crate::view::{ReadProgress, Table, TableOptions};

/// How many files that are no captures are named; a folder may hold thousands.
const NAMED_PASSED_OVER: usize = 2;

/// Runs the command.
pub fn run(args: &Analyze) -> Result<Finished, Failure> {
    let command_line = CommandLine {
        profile: args.profile.clone(),
        redact: args.redact.map(|switch| switch == Switch::On),
        ..CommandLine::default()
    };
    let config = Arc::new(configured(args.config.as_deref(), &command_line)?);
    let found = capture::expand(&args.captures).map_err(|error| Failure::CannotRun(error.into()))?;
    let lost = note_passed_over(&found);
    if let Some(wanted) = args.file() {
        let files = found.inputs.iter().filter_map(|input| match input {
            Input::File(path) => Some(&**path),
            Input::StandardInput => None,
        });
        refuse_to_overwrite(wanted, files, args.config.as_deref(), &config)?;
    }
    if args.partition && (args.format != Format::Parquet || args.file().is_none()) {
        return Err(Failure::Usage(anyhow!("--partition needs --format parquet, and a folder for -o")));
    }
    // Before there is an output that would be left behind.
    let stop = interrupted()?;
    let mut report = match args.file().filter(|_| args.partition) {
        Some(folder) => Report::Partitioned(Partitioned::new(folder).map_err(Failure::CannotRun)?),
        None => {
            let output = Output::open(args.file()).map_err(Failure::CannotRun)?;
            Report::new(args, &config, output).map_err(Failure::CannotRun)?
        }
    };

    // With records on the same terminal a bar would be drawn among them.
    let is_among_records =
        args.file().is_none() && args.format != Format::Table && io::stdout().is_terminal();
    let bar = Bar(ReadProgress::new(
        found.total_bytes.unwrap_or(0),
        !args.no_progress && io::stderr().is_terminal() && !is_among_records,
    ));
    let job = Job {
        inputs: found.inputs,
        config: Arc::clone(&config),
        all_services: args.all_services,
        jobs: usize::from(args.jobs.unwrap_or(0)),
        progress: Some(&bar),
        stop: Some(&stop),
    };
    let mut redactor = Redactor::new(redaction(&config));
    let mut worst: Option<Severity> = None;
    let result = pipeline::analyze(&job, &mut |mut record: Record| {
        let violations = record.policy.iter().flat_map(|policy| &policy.violations);
        worst = worst.max(violations.map(|violation| violation.severity).max());
        redactor.apply(&mut record);
        report.record(&record)
    });
    bar.0.finish();
    let mut accounts = result.map_err(|error| match error {
        AnalyzeError::Output(error) => Failure::from(error),
        AnalyzeError::Input { .. } => Failure::CannotRun(error.into()),
    })?;
    accounts.files_passed_over =
        found.passed_over.iter().map(|file| file.path.display().to_string()).collect();
    for damage in &accounts.damage {
        note(&damage.to_string());
    }
    accounts.damage.extend(lost);
    redactor.apply_accounts(&mut accounts);
    // After the records: accounts are numbered as they appear in the input.
    match &mut report {
        Report::Table(sink) => sink.redact(&mut redactor),
        Report::Html(sink) => evidence::tell_inputs(sink, &job.inputs, &mut redactor),
        _ => {}
    }
    report.finish(&accounts)?;

    Ok(if accounts.is_cut_short {
        tell_stopped(args.file());
        Finished::Interrupted
    } else if args.fail_on.is_some_and(|limit| worst >= Some(limit)) {
        Finished::Failing
    } else if !accounts.damage.is_empty() {
        Finished::Damaged
    } else {
        Finished::Done
    })
}

/// A file that is read and is also the output would be lost, or read while it is written; a lost key would part what
/// was redacted by it from what comes.
pub(super) fn refuse_to_overwrite<'a>(
    wanted: &Path,
    inputs: impl Iterator<Item = &'a Path>,
    file: Option<&'a Path>,
    config: &'a Resolved,
) -> Result<(), Failure> {
    let others = [
        (file, "this configuration"),
        (config.privacy.key_file.as_deref(), "this key"),
        (config.ip_ranges.as_deref(), "this list of addresses"),
    ];
    let others = others.into_iter().filter_map(|(path, what)| Some((path?, what)));
    for (path, what) in inputs.map(|path| (path, "this input")).chain(others) {
        if output::would_overwrite(wanted, path) {
            return Err(Failure::Usage(anyhow!(
                "{}: writing {} would overwrite {what}; name another file for -o",
                path.display(),
                wanted.display()
            )));
        }
    }
    Ok(())
}

/// What in the folders should have been read and could not be, as all outputs tell it.
pub(super) fn losses(found: &Expanded) -> Vec<DamageNote> {
    let mut notes: Vec<DamageNote> = found
        .lost
        .iter()
        .map(|lost| DamageNote { file: lost.path.display().to_string(), offset: None, what: lost.why() })
        .collect();
    // Some thousand files with nothing of each to be read: the last of those named stands for the rest.
    if let Some(last) = notes.last_mut()
        && found.lost_unlisted > 0
    {
        last.what.push_str(&format!(
            "; {} more could not be read, for this or a like reason",
            found.lost_unlisted
        ));
    }
    notes
}

/// Tells what of the folders is not read: what should have been in full, which it gives, and the rest by a few examples.
pub(super) fn note_passed_over(found: &Expanded) -> Vec<DamageNote> {
    let others = &found.passed_over;
    let lost = losses(found);
    lost.iter().for_each(|lost| note(&format!("not read: {lost}")));
    let number = others.len() as u64 + found.passed_over_unlisted;
    if number > NAMED_PASSED_OVER as u64 {
        // The reason is worth a line where it may surprise, not in a folder with hundreds of other files.
        let names: Vec<String> =
            others.iter().take(NAMED_PASSED_OVER).map(|other| other.path.display().to_string()).collect();
        note(&format!("passed over {number} files that are no captures, such as {}", names.join(", ")));
    } else {
        others.iter().for_each(|other| note(&format!("passed over {other}")));
    }
    lost
}

/// What the metrics are told of the configuration.
pub(super) fn metrics_options(config: &Resolved) -> MetricsOptions {
    let settings = &config.policy.settings;
    let rules = config.policy.severities().map(|(rule, severity)| (rule.as_str(), severity)).collect();
    // Its series begin with the first flow where the name has an account id: that is numbered by what comes first.
    let profile = Redactor::new(redaction(config)).text(&settings.profile) == *settings.profile;
    MetricsOptions {
        profile: profile.then(|| settings.profile.to_string()),
        rules,
        decode_errors: pipeline::known_errors(),
        max_series: config.metrics.max_series as usize,
        regions: known_regions(config),
        offenders: config.metrics.offenders as usize,
        prefix_list_published: Some(config.endpoint.prefixes.created()),
        is_daemon: false,
    }
}

/// Regions that nobody on the wire made up: those of the address lists and of the configuration.
fn known_regions(config: &Resolved) -> BTreeSet<String> {
    let compiled_in = PrefixList::compiled_in();
    let hosts = config.endpoint.hosts.iter().filter_map(|host| host.region.as_deref());
    let listed = config.endpoint.prefixes.regions().chain(compiled_in.regions());
    let overrides = config.policy.overrides.iter().map(|of| &of.matching);
    let matches = overrides.chain(config.policy.exceptions.iter().map(|of| &of.matching));
    let matched = matches.flat_map(|matching| matching.region.iter().map(String::as_str));
    listed.chain(hosts).chain(matched).chain(config.site.region.as_deref()).map(str::to_owned).collect()
}

/// What becomes of account ids.
pub(super) fn redaction(config: &Resolved) -> Redaction {
    match &config.privacy.key {
        _ if !config.privacy.redact => Redaction::Off,
        Some(key) => Redaction::Keyed(key.as_bytes().to_vec()),
        None => Redaction::Numbered,
    }
}

/// The chosen format over the chosen output.
enum Report {
    Table(Box<Table<Output>>),
    Jsonl(Jsonl<Output>),
    Csv(Csv<Output>),
    Html(Box<Evidence<Output>>),
    Parquet(Box<Parquet<Output>>),
    Partitioned(Partitioned),
    Prometheus(Box<MetricsSink<Output>>),
}

impl Report {
    fn new(args: &Analyze, config: &Resolved, output: Output) -> anyhow::Result<Self> {
        Ok(match args.format {
            Format::Table => Self::Table(Box::new(Table::new(table_options(args, config), output))),
            Format::Jsonl => Self::Jsonl(Jsonl::new(output)),
            Format::Csv => Self::Csv(Csv::new(output)),
            Format::Html => {
                let mut options = evidence::options(config);
                options.all_services = Some(args.all_services);
                Self::Html(Box::new(Evidence::new(options, output)))
            }
            Format::Parquet => Self::Parquet(Box::new(Parquet::new(output)?)),
            Format::Prometheus => {
                let metrics = Metrics::new(metrics_options(config))?;
                Self::Prometheus(Box::new(MetricsSink::new(metrics, output)))
            }
        })
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        match self {
            Self::Table(sink) => sink.record(record),
            Self::Jsonl(sink) => sink.record(record),
            Self::Csv(sink) => sink.record(record),
            Self::Html(sink) => sink.record(record),
            Self::Parquet(sink) => sink.record(record),
            Self::Partitioned(sink) => sink.record(record),
            Self::Prometheus(sink) => sink.record(record),
        }
    }

    /// Writes what is left and puts the output in its place.
    fn finish(self, accounts: &Accounts) -> io::Result<()> {
        let is_complete = !accounts.is_cut_short;
        let output = match self {
            Self::Table(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
            Self::Jsonl(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
            Self::Csv(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
            Self::Html(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
            Self::Parquet(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
            Self::Partitioned(sink) => return sink.finish(is_complete),
            Self::Prometheus(mut sink) => {
                sink.finish(accounts)?;
                sink.into_inner()
            }
        };
        output.finish(is_complete)
    }
}

fn table_options(args: &Analyze, config: &Resolved) -> TableOptions {
    let mut options = if args.file().is_some() { TableOptions::default() } else { TableOptions::of_stdout() };
    if anstream::ColorChoice::global() == anstream::ColorChoice::Always {
        options.has_color = true;
    }
    options.all_services = args.all_services;
    options.facts.push(evidence::address_list_fact(config));
    options
}

/// True from the moment the user asks to stop; the second time the process ends at once.
pub(super) fn interrupted() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Tells where what was read until a signal is.
pub(super) fn tell_stopped(wanted: Option<&Path>) {
    let left = wanted.and_then(output::left_of);
    let place = left.map_or_else(String::new, |left| format!(" in {}", left.display()));
    note(&format!("stopped by a signal; what was read until then is reported{place}"));
}

pub(super) struct Bar(pub(super) ReadProgress);

impl Progress for Bar {
    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

/// The configuration of a command that reads files; what is odd about it is told.
pub(super) fn configured(file: Option<&Path>, command_line: &CommandLine) -> Result<Resolved, Failure> {
    let config = config::load(file, command_line).map_err(|error| Failure::Usage(error.into()))?;
    config.warnings.iter().for_each(|warning| note(warning));
    Ok(config)
}

/// Tells a sentence, on one line: names of files in it may be a stranger's.
pub(super) fn note(sentence: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(anstream::stderr(), "ddbwatch: {}", plain(sentence));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Exception, Expiry, Match, Override};

    #[test]
    fn knows_the_regions_that_the_configuration_names() {
        let mut config = Resolved::default();
        let matching = |region: &str| Match { region: vec![region.to_owned()], ..Match::default() };
        let settings = config.policy.settings.clone();
        config.policy.overrides.push(Override { matching: matching("eu-house-1"), settings });
        config.policy.exceptions.push(Exception {
            rules: Vec::new(),
            matching: matching("eu-house-2"),
            owner: String::new(),
            reason: String::new(),
            expires: Expiry::parse("2099-12-31").unwrap(),
        });
        config.site.region = Some("eu-house-3".to_owned());
        let known = known_regions(&config);
        for region in ["eu-house-1", "eu-house-2", "eu-house-3", "eu-west-1"] {
            assert!(known.contains(region), "{region}");
        }
    }
}
