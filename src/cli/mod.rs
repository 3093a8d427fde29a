//! The commands: flags in, an exit code out.
//!
//! Input: the arguments. Output: data on standard output, talk on standard error, and the exit codes of the
//! help text. It holds no logic of its own beyond joining the other parts, and it is the only place
//! where errors become words for a person.

mod analyze;
mod args;
#[cfg(target_os = "linux")]
mod doctor;
mod documents;
mod evidence;
mod manual;
mod output;
mod partition;
mod report;
mod top;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use args::{Cli, Color, Command};

use crate::view::text::plain;

/// How a command that ran to its end left things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    Done,
    /// `--fail-on` was met.
    Failing,
    /// Part of an input was damaged or could not be understood.
    Damaged,
    /// The user stopped it.
    Interrupted,
}

/// Why a command did not run to its end.
#[derive(Debug)]
enum Failure {
    /// Missing or unreadable input, or missing privilege.
    CannotRun(anyhow::Error),
    /// Wrong usage or configuration.
    Usage(anyhow::Error),
    /// Whoever read the output went away, which is their right.
    BrokenPipe,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::CannotRun(anyhow::Error::new(error).context("cannot write the output"))
        }
    }
}

/// Runs the command that `arguments` ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data; the rest is talk, and nobody is left to tell of a failure to print that.
            let printed = error.print().and_then(|()| io::stdout().flush()).map_err(Failure::from);
            if error.use_stderr() {
                return ExitCode::from(2);
            }
            return exit(printed.map(|()| Finished::Done));
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = match cli.command {
        Command::Watch(args) => watch::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Check(args) => documents::check(&args),
        Command::Explain(args) => documents::explain(&args),
        Command::Rules => documents::rules(),
        Command::Profiles(args) => documents::profiles(&args),
        #[cfg(target_os = "linux")]
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions(args.shell),
        Command::Man => man(),
    };
    exit(result)
}

/// The exit code; an error is told.
fn exit(result: Result<Finished, Failure>) -> ExitCode {
    let (code, error) = match result {
        Ok(Finished::Done) | Err(Failure::BrokenPipe) => (0, None),
        Ok(Finished::Failing) => (3, None),
        Ok(Finished::Damaged) => (4, None),
        // As a shell reports a command that SIGINT ended.
        Ok(Finished::Interrupted) => (130, None),
        Err(Failure::CannotRun(error)) => (1, Some(error)),
        Err(Failure::Usage(error)) => (2, Some(error)),
    };
    if let Some(error) = error {
        let _ = writeln!(anstream::stderr(), "ddbwatch: {}", in_full(&error));
    }
    ExitCode::from(code)
}

/// An error and its causes, each said once: many errors name their cause in their own sentence.
fn in_full(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    // The problems of a configuration stand on lines of their own; names in them may be a stranger's.
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn completions(shell: clap_complete::Shell) -> Result<Finished, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ddbwatch", &mut script);
    print(&script)
}

fn man() -> Result<Finished, Failure> {
    print(&manual::page(Cli::command())?)
}

/// Writes a whole document to standard output.
fn print(document: &[u8]) -> Result<Finished, Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(document)?;
    stdout.flush()?;
    Ok(Finished::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a.pcap: {0}")]
    struct Outer(#[source] io::Error);

    #[test]
    fn says_each_cause_once() {
        let cause = || io::Error::other("the disk is full");
        assert_eq!(in_full(&Outer(cause()).into()), "a.pcap: the disk is full");
        let error = anyhow::Error::new(cause()).context("cannot write the output");
        assert_eq!(in_full(&error), "cannot write the output: the disk is full");
        let error = anyhow::anyhow!("a\u{1b}[31m.pcap: is no capture\nb: neither");
        assert_eq!(in_full(&error), "a\\u{1b}[31m.pcap: is no capture\nb: neither");
    }
}
