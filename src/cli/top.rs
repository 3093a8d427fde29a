//! `ddbwatch top`: the live picture in a terminal.

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::Context as _;

use super::analyze::{Bar, configured, interrupted, note, note_passed_over, redaction};
use super::args::Top as Args;
use super::{Failure, Finished, evidence};
use crate::capture;
use crate::config::CommandLine;
use crate::export::Redactor;
use crate::model::Record;
use crate::pipeline::{self, AnalyzeError, Job};
use crate::top::{Address, AddressError, Daemon, DaemonError, Gathering, Look, Picture, State, about};
use crate::top::{once, run as show};
use crate::view::{ReadProgress, TableOptions};

/// Lines of a picture for a file or a pipe, where `LINES` does not say another number.
const DEFAULT_LINES: u16 = 40;

/// Updates that wait while the screen is drawn.
const WAITING_UPDATES: usize = 1;

/// Runs the command.
pub fn run(args: &Args) -> Result<Finished, Failure> {
    let mut screen = Screen::new(args.once);
    if args.captures.is_empty() {
        let usage = |error: AddressError| Failure::Usage(anyhow::Error::new(error).context("--url"));
        let address = Address::parse(&args.url).map_err(usage)?;
        let cannot = |error: DaemonError| Failure::CannotRun(error.into());
        let daemon = Daemon::new(address.clone()).map_err(cannot)?;
        // What is wrong from the start is told in full, and not on a screen.
        let picture = daemon.ask().map_err(cannot)?;
        screen.show(
            State::new(address.host_and_port(), picture, screen.is_unicode),
            Some((daemon, args.interval)),
        )?;
        return Ok(Finished::Done);
    }
    let (name, picture, finished) = read(args)?;
    if finished != Finished::Interrupted || screen.is_once {
        screen.show(State::new(name, picture, screen.is_unicode), None)?;
    }
    Ok(finished)
}

/// What the captures are called, and what they give.
fn read(args: &Args) -> Result<(String, Picture, Finished), Failure> {
    let command_line = CommandLine { profile: args.profile.clone(), ..CommandLine::default() };
    let config = Arc::new(configured(args.config.as_deref(), &command_line)?);
    let found = capture::expand(&args.captures).map_err(|error| Failure::CannotRun(error.into()))?;
    let lost = note_passed_over(&found);
    let bar = Bar(ReadProgress::new(found.total_bytes.unwrap_or(0), io::stderr().is_terminal()));
    let stop = interrupted()?;
    let mut inputs: Vec<String> = found.inputs.iter().map(capture::Input::name).collect();
    let job = Job {
        inputs: found.inputs,
        config: Arc::clone(&config),
        all_services: false,
        jobs: 0,
        progress: Some(&bar),
        stop: Some(&stop),
    };
    let mut redactor = Redactor::new(redaction(&config));
    let mut gathering = Gathering::default();
    let result = pipeline::analyze(&job, &mut |mut record: Record| {
        redactor.apply(&mut record);
        gathering.take(&record);
        Ok(())
    });
    bar.0.finish();
    let mut accounts = result.map_err(|error| match error {
        AnalyzeError::Output(error) => Failure::from(error),
        AnalyzeError::Input { .. } => Failure::CannotRun(error.into()),
    })?;
    accounts.damage.extend(lost);
    redactor.apply_accounts(&mut accounts);
    for input in &mut inputs {
        *input = redactor.name(input).into_owned();
    }
    let configuration = about(&config, evidence::address_list_fact(&config)).redacted(&mut redactor);
    let picture = gathering
        .finish(&accounts, inputs, configuration)
        .map_err(|error| Failure::CannotRun(error.into()))?;
    let finished = if stop.load(Ordering::Relaxed) {
        note("stopped by a signal");
        Finished::Interrupted
    } else if !accounts.damage.is_empty() {
        Finished::Damaged
    } else {
        Finished::Done
    };
    Ok((redactor.name(&title(&args.captures)).into_owned(), picture, finished))
}

/// The captures in a few words.
fn title(captures: &[PathBuf]) -> String {
    match captures {
        [one] if one.as_os_str() == "-" => "standard input".to_owned(),
        [one] => one.display().to_string(),
        [one, rest @ ..] => format!("{} and {} more", one.display(), rest.len()),
        [] => String::new(),
    }
}

/// What standard output can show.
struct Screen {
    has_color: bool,
    is_unicode: bool,
    /// One picture, as text.
    is_once: bool,
}

impl Screen {
    fn new(is_once: bool) -> Self {
        let options = TableOptions::of_stdout();
        let is_usable = io::stdout().is_terminal()
            && std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb");
        let is_forced = anstream::ColorChoice::global() == anstream::ColorChoice::Always;
        Self {
            has_color: options.has_color || is_forced,
            is_unicode: options.is_unicode,
            is_once: is_once || !is_usable,
        }
    }

    fn show(&mut self, state: State, daemon: Option<(Daemon, std::time::Duration)>) -> Result<(), Failure> {
        if self.is_once {
            let text = once(state, self.is_unicode, text_size())?;
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            return Ok(stdout.flush()?);
        }
        let look = Look { has_color: self.has_color, is_unicode: self.is_unicode, is_text: false };
        let (sender, updates) = sync_channel(WAITING_UPDATES);
        let (wake, wakes) = sync_channel(1);
        if let Some((daemon, interval)) = daemon {
            thread::Builder::new()
                .name("daemon".to_owned())
                .spawn(move || daemon.follow(interval, &sender, &wakes))
                .context("cannot start a thread")
                .map_err(Failure::CannotRun)?;
        }
        // The thread ends with the process: it holds nothing that has to be given back.
        show(state, look, &updates, &wake).map_err(|error| {
            Failure::CannotRun(anyhow::Error::new(error).context("the terminal cannot be used"))
        })
    }
}

/// Columns and lines of a picture as text.
fn text_size() -> (u16, u16) {
    let number = |name| std::env::var(name).ok()?.parse::<u16>().ok().filter(|number| *number > 0);
    let measured = terminal_size::terminal_size_of(io::stdout());
    let columns = number("COLUMNS").or(measured.map(|(columns, _)| columns.0)).unwrap_or(80);
    let lines = number("LINES").or(measured.map(|(_, lines)| lines.0)).unwrap_or(DEFAULT_LINES);
    // A cell takes memory, and an environment is easily wrong.
    (columns.clamp(60, 500), lines.clamp(16, 500))
}
