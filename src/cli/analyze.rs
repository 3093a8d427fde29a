//! `ddbwatch analyze`: captures in, findings out.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Analyze, Format, Switch};
use super::output::Output;
use super::{Failure, Finished};
use crate::capture;
use crate::config::{self, CommandLine, Resolved};
use crate::export::{Csv, Jsonl, Metrics, MetricsOptions, MetricsSink, Redaction, Redactor, Sink};
use crate::model::{Record, Severity};
use crate::pipeline::{self, AnalyzeError, Job, Progress};
use crate::view;

/// Runs the command.
pub fn run(args: &Analyze) -> Result<Finished, Failure> {
    let command_line = CommandLine { profile: args.profile.clone() };
    let config = config::load(args.config.as_deref(), &command_line).map_err(|error| Failure::Usage(error.into()))?;
    let found = capture::expand(&args.captures).map_err(|error| Failure::CannotRun(error.into()))?;
    for passed_over in &found.passed_over {
        note(&format!("passed over {passed_over}"));
    }
    if found.passed_over_unlisted > 0 {
        note(&format!("passed over {} more", found.passed_over_unlisted));
    }
    let output = Output::open(args.output.as_deref()).map_err(Failure::CannotRun)?;
    let is_output_terminal = args.output.is_none() && io::stdout().is_terminal();

    // With records on the terminal a bar would be drawn among them.
    let wants_progress = !args.no_progress && io::stderr().is_terminal() && !(is_output_terminal && args.format != Format::Table);
    let progress = wants_progress.then(|| Bar(view::ProgressBar::new(found.total_bytes)));
    let stop = interrupted()?;
    let job = Job {
        inputs: found.inputs,
        config: &config,
        all_services: args.all_services,
        jobs: usize::from(args.jobs.unwrap_or(0)),
        progress: progress.as_ref().map(|bar| bar as &dyn Progress),
        stop: Some(&stop),
    };
    let mut redactor = Redactor::new(redaction(args.redact, &config));
    let mut worst: Option<Severity> = None;
    let mut sink = sink(args, &config, output, is_output_terminal);
    let result = pipeline::analyze(&job, &mut |mut record: Record| {
        let gravest = record.policy.iter().flat_map(|policy| &policy.violations).map(|violation| violation.severity).max();
        worst = worst.max(gravest);
        redactor.apply(&mut record);
        sink.record(&record)
    });
    if let Some(bar) = &progress {
        bar.0.finish();
    }
    let mut accounts = match result {
        Ok(accounts) => accounts,
        Err(AnalyzeError::Output(error)) => return Err(error.into()),
        Err(error @ AnalyzeError::Input { .. }) => {
            return Err(Failure::CannotRun(error.into()));
        }
    };
    accounts.files_passed_over = found.passed_over.iter().map(ToString::to_string).collect();
    redactor.apply_accounts(&mut accounts);
    sink.finish(&accounts)?;

    let is_interrupted = stop.load(Ordering::Relaxed);
    if is_interrupted {
        note("stopped by a signal: what was read until then is reported");
    }
    for damage in &accounts.damage {
        note(&format!("{}: damaged at byte {}: {}", damage.file, damage.offset, damage.what));
    }
    Ok(if is_interrupted {
        Finished::Interrupted
    } else if args.fail_on.is_some_and(|limit| worst >= Some(limit)) {
        Finished::Failing
    } else if !accounts.damage.is_empty() || found.has_losses {
        Finished::Damaged
    } else {
        Finished::Done
    })
}

/// `--redact`, else the configuration.
fn redaction(flag: Option<Switch>, config: &Resolved) -> Redaction {
    let is_on = match flag {
        Some(switch) => switch == Switch::On,
        None => config.privacy.redact,
    };
    match &config.privacy.key {
        _ if !is_on => Redaction::Off,
        Some(key) => Redaction::Keyed(key.as_bytes().to_vec()),
        None => Redaction::Numbered,
    }
}

fn sink(args: &Analyze, config: &Resolved, output: Output, is_terminal: bool) -> Box<dyn FinishingSink> {
    match args.format {
        Format::Jsonl => Box::new(Finishing(Jsonl::new(output), Jsonl::into_inner)),
        Format::Csv => Box::new(Finishing(Csv::new(output), Csv::into_inner)),
        Format::Prometheus => todo_metrics(config, output),
        Format::Table => todo_table(args, output, is_terminal),
    }
}

/// True from the moment the user asks to stop; the second time the process ends at once.
fn interrupted() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

struct Bar(view::ProgressBar);

impl Progress for Bar {
    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

fn note(sentence: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(anstream::stderr(), "ddbwatch: {sentence}");
}
