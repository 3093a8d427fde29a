//! `ddbwatch watch`: the daemon.
//!
//! Input: flags, a configuration, signals. Output: records, log, metrics and pages. It joins the parts:
//! `pipeline::live` reads and works, [`recorder`] takes what comes out, `serve` shows it, and this thread
//! waits for signals. It touches no packet.

mod backends;
mod blind;
mod confinement;
mod feed;
mod names;
mod recorder;
mod records;
mod reload;
mod systemd;

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::level_filters::LevelFilter;

use self::names::Names;
use self::recorder::{Beginning, Question, Recorder, Reloaded};
use self::records::{Destination, Lost, Writer};
use self::reload::{Reading, refuse_what_cannot_change};
use super::analyze::redaction;
use super::args::{LogForm, LogLevel, Watch};
use super::{Failure, Finished};
use crate::config::{self, CommandLine, Resolved};
use crate::export::plain::is_active;
use crate::host::links::Selection;
use crate::host::process::Attribution;
use crate::pipeline::live::{Health, Live, State};
use crate::serve::{Answers, Limits, Server, View};
use crate::telemetry::Accounts;
use crate::telemetry::log::{self, Form};

/// The last records get so long to be written.
const DRAIN: Duration = Duration::from_secs(15);

/// Signals to stop that come within this time are one wish: `timeout` and some supervisors signal the process and
/// then its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// A new configuration gets so long to reach the engine.
const RELOAD: Duration = Duration::from_secs(10);

/// Where nobody waits for a sign of life, it is looked for so seldom.
const NO_WATCHDOG: Duration = Duration::from_secs(3_600);

/// The service manager is told the names of so many interfaces.
const NAMED_IN_STATUS: usize = 12;

/// How often is looked whether reading began, or whoever read standard output went away.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs the command.
pub fn run(args: &Watch) -> Result<Finished, Failure> {
    let command_line =
        CommandLine { interfaces: args.interface.clone(), backend: args.backend, ..CommandLine::default() };
    let config =
        config::load(args.config.as_deref(), &command_line).map_err(|error| Failure::Usage(error.into()))?;
    let config = Arc::new(config);
    let mut log = log::start(form(args), level(args), has_color(), is_active);
    let names = Names::new(redaction(&config));
    names.begin_behind(config.output.records.as_deref());
    tell_warnings(&config, &names);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_run)?;
    // Whoever asks for a reload while everything is being opened must not end the program.
    let reload = in_runtime(&runtime, SignalKind::hangup()).map_err(cannot_run)?;
    let open = feed::open(args, &config, &names)?;
    let listener = listen(config.metrics.listen, None).map_err(Failure::CannotRun)?;
    let address = listener.local_addr().map_err(cannot_run)?;
    let is_replay = args.replay.is_some();
    confinement::give_up(&config, &open, &names)?;
    let feed::Open { feed, watching, follower, senders, unwanted: _unwanted, .. } = open;
    // From here on nothing needs a privilege, so that what is opened now can be opened again later.
    log.write().map_err(cannot_run)?;
    let destination = open_records(&config).map_err(Failure::CannotRun)?;
    let records = destination.describe(&config.output);
    tracing::info!(
        source = watching.backend,
        interfaces = names.hide(&watching.interfaces.join(", ")),
        records = names.hide(&records),
        %address,
        "Watching begins; http://{address}/ shows what is seen."
    );

    let writer = Writer::start(destination, is_replay, names.clone()).map_err(cannot_run)?;
    let lost = writer.lost();
    let (live, outputs) = Live::start(feed, Arc::clone(&config)).map_err(cannot_run)?;
    let live = Arc::new(live);
    let (selections, selected) = channel();
    let attribution = match follower {
        Some(follower) => {
            let changes = Arc::default();
            backends::follow(follower, &live, &names, Arc::clone(&changes), selected).map_err(cannot_run)?;
            let attribution = Attribution::open(recorder::post(&config), changes);
            attribution
                .map(|attribution| match senders {
                    Some(senders) => attribution.with_senders(senders),
                    None => attribution,
                })
                .inspect_err(|error| {
                    tracing::warn!(%error, "It cannot be told which processes of this host flows belong to.");
                })
                .ok()
        }
        None => None,
    };
    let beginning = Beginning {
        config: Arc::clone(&config),
        writer,
        records,
        monitor: live.monitor(),
        watching,
        log_lost: log.lost_lines(),
        names: names.clone(),
        attribution,
    };
    let recorder = Recorder::new(beginning).map_err(Failure::CannotRun)?;
    let (tell_end, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || {
            // Nobody waits any more where the end took too long.
            let _ = tell_end.send(recorder.run(&outputs));
        })
        .map_err(cannot_run)?;

    let reading = Reading::new(args.config.clone(), command_line);
    let mut daemon = Daemon { args, reading, config, names, live, lost, ended, selections, listening: None };
    let finished = runtime.block_on(daemon.run(listener, reload));
    drop(log);
    finished
}

/// The thread that waits for signals.
struct Daemon<'a> {
    args: &'a Watch,
    reading: Reading,
    config: Arc<Resolved>,
    names: Names,
    live: Arc<Live<Question>>,
    lost: Arc<Lost>,
    ended: oneshot::Receiver<Option<Box<Accounts>>>,
    /// Tells which interfaces are meant from now on.
    selections: Sender<Selection>,
    listening: Option<JoinHandle<()>>,
}

/// The signals that mean something.
struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new(reload: Signal) -> io::Result<Self> {
        Ok(Self {
            reload,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for another signal to stop than the one that just came.
    async fn stop_again(&mut self) {
        let first = Instant::now();
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            if first.elapsed() > ONE_WISH {
                return;
            }
        }
    }
}

impl Daemon<'_> {
    async fn run(&mut self, listener: TcpListener, reload: Signal) -> Result<Finished, Failure> {
        let mut signals = Signals::new(reload).map_err(cannot_run)?;
        let server = Server::new(Arc::new(self.desk()), Limits::default());
        self.listen_with(&server, listener).map_err(cannot_run)?;
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut alive = tokio::time::interval(systemd::alive_every().unwrap_or(NO_WATCHDOG));
        let mut is_ready = false;
        let mut is_over = false;
        let mut told = Told::default();
        let mut status = String::new();
        loop {
            tokio::select! {
                _ = signals.reload.recv() => {
                    systemd::reloading();
                    tokio::select! {
                        () = self.reload(&server) => {}
                        // Also while it waits for a file that does not answer.
                        _ = signals.terminate.recv() => break,
                        _ = signals.interrupt.recv() => break,
                    }
                    status = self.status();
                    systemd::ready(&status);
                }
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = alive.tick() => {
                    if systemd::alive_every().is_some() {
                        self.tell_alive().await;
                    }
                }
                _ = look.tick() => {
                    let health = self.live.health();
                    if self.is_hopeless(&health) {
                        break;
                    }
                    told.tell(&health, &self.names);
                    if !is_ready && matches!(health.state, State::Capturing | State::Over) {
                        // Also while no interface is there: it is watched once it comes, and the status says so.
                        is_ready = true;
                        status = self.status();
                        systemd::ready(&status);
                    }
                    let now = self.status();
                    if is_ready && now != status {
                        systemd::status(&now);
                        status = now;
                    }
                    if !is_over && health.state == State::Over {
                        is_over = true;
                        tracing::info!("The replay is over; what it showed can be looked at until the program is stopped.");
                    }
                    if self.lost.is_reader_gone.load(Ordering::Relaxed) {
                        break;
                    }
                }
                ended = &mut self.ended => {
                    tracing::error!("The engine ended by itself.");
                    return Err(Failure::CannotRun(anyhow!("the engine ended by itself{}", match ended {
                        Ok(_) => "",
                        Err(_) => ": it broke down",
                    })));
                }
            }
        }
        self.drain(&mut signals).await
    }

    /// Ends every flow and writes what is left, in bounded time.
    async fn drain(&mut self, signals: &mut Signals) -> Result<Finished, Failure> {
        systemd::stopping();
        tracing::info!("Stopping: open flows are ended and the last records are written.");
        self.live.stop();
        let is_reader_gone = self.lost.is_reader_gone.load(Ordering::Relaxed);
        let mut finished = Finished::Done;
        tokio::select! {
            accounts = tokio::time::timeout(DRAIN, &mut self.ended) => match accounts {
                Ok(Ok(Some(accounts))) => {
                    self.report(&accounts);
                    if let Some(why) = self.never_played(&accounts) {
                        return Err(Failure::CannotRun(anyhow!(self.names.hide(&why))));
                    }
                    // An interface whose frames cannot be read is no reason for a service to have failed.
                    if self.args.replay.is_some() && !accounts.damage.is_empty() {
                        finished = Finished::Damaged;
                    }
                }
                Ok(_) => {
                    return Err(Failure::CannotRun(anyhow!(
                        "the engine broke down while it was stopping; its last counts are lost"
                    )));
                }
                Err(_) => {
                    return Err(Failure::CannotRun(anyhow!(
                        "the last flows could not be ended within {DRAIN:?}; what is left is lost"
                    )));
                }
            },
            () = signals.stop_again() => {
                tracing::warn!("Stopped at once, on a second signal; what was not yet written is lost.");
                return Ok(Finished::Interrupted);
            }
        }
        let not_written = self.lost.at_the_end.load(Ordering::Relaxed);
        if not_written > 0 {
            return Err(Failure::CannotRun(anyhow!(
                "the last {not_written} records could not be written, because nobody took them: the pipe is not read, or \
                 the disk is full, gone or does not answer"
            )));
        }
        if is_reader_gone { Err(Failure::BrokenPipe) } else { Ok(finished) }
    }

    /// Whether this is a replay of what cannot be opened, and which is not tried again.
    fn is_hopeless(&self, health: &Health) -> bool {
        self.args.replay.is_some() && !self.args.is_endless && matches!(health.state, State::Failing(_))
    }

    /// Why a replay had nothing to play, to its end.
    fn never_played(&self, accounts: &Accounts) -> Option<String> {
        match self.live.health().state {
            State::Failing(why) if self.args.replay.is_some() => {
                accounts.interfaces.values().all(|counts| counts.seen.packets == 0).then_some(why)
            }
            _ => None,
        }
    }

    fn report(&self, accounts: &Accounts) {
        let (mut seen, mut parsed) = (0, 0);
        for counts in accounts.interfaces.values() {
            seen += counts.seen.packets;
            parsed += counts.parsed.packets;
        }
        let not_written: u64 = self.lost.counts().iter().map(|(_, count)| count).sum();
        tracing::info!(
            packets_seen = seen,
            packets_parsed = parsed,
            lost = accounts.dropped.values().sum::<u64>(),
            flows_opened = accounts.flows_opened,
            flows_reported = accounts.records,
            flows_not_reported = accounts.evictions.values().sum::<u64>(),
            records_not_written = not_written,
            "Stopped."
        );
    }

    fn listen_with(&mut self, server: &Arc<Server>, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let task = tokio::spawn(Arc::clone(server).serve(listener));
        if let Some(before) = self.listening.replace(task) {
            before.abort();
        }
        Ok(())
    }

    /// Takes the configuration anew, all of it or nothing.
    async fn reload(&mut self, server: &Arc<Server>) {
        match self.try_reload(server).await {
            Ok(()) => tracing::info!(
                profile = self.names.hide(&self.config.policy.settings.profile),
                "The configuration was read again and is in use."
            ),
            Err(error) => {
                let why = super::in_full(&error);
                let _ = self.live.ask(Question::Refused(why.clone()));
                tracing::error!(
                    error = self.names.hide(&why),
                    "The new configuration was refused; the old one stays in use."
                );
            }
        }
    }

    async fn try_reload(&mut self, server: &Arc<Server>) -> anyhow::Result<()> {
        let config = Arc::new(self.reading.again(&self.config).await?);
        refuse_what_cannot_change(&self.config, &config, self.args.replay.is_some())?;
        backends::check_interest(&config)?;
        // Everything that may fail comes first.
        let listener = if config.metrics.listen == self.config.metrics.listen {
            None
        } else {
            let own = Some(self.config.metrics.listen);
            Some(listen(config.metrics.listen, own).map_err(|error| behind_the_walls(error, "port"))?)
        };
        let destination =
            open_records(&config).map_err(|error| behind_the_walls(error, "folder for records"))?;
        if config.output.records != self.config.output.records {
            self.names.begin_behind(config.output.records.as_deref());
        }
        let (reply, taken) = oneshot::channel();
        let reloaded = Box::new(Reloaded { config: Arc::clone(&config), destination });
        let question = Question::Reloaded(reloaded, reply);
        anyhow::ensure!(self.live.reconfigure(Arc::clone(&config), question), "the engine does not answer");
        match tokio::time::timeout(RELOAD, taken).await {
            Ok(answer) => answer.context("the engine is gone")?,
            // It waits behind frames, which are not dropped for it, and nothing takes it back.
            Err(_) => {
                tracing::warn!("The engine is behind; it takes the new configuration when it comes to it.")
            }
        }
        tell_warnings(&config, &self.names);
        if config.capture.interfaces != self.config.capture.interfaces {
            // A replay has no interfaces, and nobody listens.
            let _ = self.selections.send(Selection::new(&config.capture.interfaces));
        }
        if let Some(listener) = listener {
            let address = listener.local_addr()?;
            self.listen_with(server, listener)?;
            tracing::info!(%address, "http://{address}/ is the address from now on.");
        }
        self.config = config;
        Ok(())
    }

    /// Tells the service manager that all is well, where that is so.
    async fn tell_alive(&self) {
        let desk = self.desk();
        let answer = tokio::time::timeout(crate::serve::ANSWER_TIME, desk.answer(View::Alive)).await;
        if matches!(answer, Ok(Some(_))) {
            systemd::alive();
        } else {
            tracing::error!("The engine does not answer.");
        }
    }

    fn status(&self) -> String {
        let health = self.live.health();
        let text = match (&health.state, health.trouble()) {
            (State::Failing(why), _) => format!("{}: not capturing: {why}", health.backend),
            (_, Some(why)) => format!("{}: not capturing: {why}", health.backend),
            _ if health.interfaces.is_empty() => health.backend.to_owned(),
            _ => {
                let names: Vec<&str> =
                    health.interfaces.iter().map(String::as_str).take(NAMED_IN_STATUS).collect();
                let more = health.interfaces.len() - names.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{} on {}{more}", health.backend, names.join(", "))
            }
        };
        self.names.hide(&text)
    }

    fn desk(&self) -> Desk {
        Desk { live: Arc::clone(&self.live), names: self.names.clone() }
    }
}

/// What the log says of how the capture goes.
#[derive(Default)]
struct Told {
    /// Why nothing is read.
    failure: Option<String>,
    restarts: u64,
    /// Interfaces that packets pass by unseen.
    blind: BTreeSet<String>,
}

impl Told {
    fn tell(&mut self, health: &Health, names: &Names) {
        let restarts = health.restarts.values().sum();
        if restarts > self.restarts {
            tracing::warn!(
                restarts,
                "The capture had to be opened again; what came meanwhile may be lost uncounted."
            );
        }
        self.restarts = restarts;
        for (interface, why) in health.blind.iter().filter(|(name, _)| !self.blind.contains(*name)) {
            tracing::warn!(interface = names.hide(interface), why, "Packets pass an interface unseen.");
        }
        for interface in self.blind.iter().filter(|name| !health.blind.contains_key(*name)) {
            let interface = names.hide(interface);
            tracing::info!(interface, "Packets of the interface are seen again, or it is no longer watched.");
        }
        self.blind = health.blind.keys().cloned().collect();
        let failure = match &health.state {
            State::Failing(why) => Some(why.clone()),
            _ => health.trouble().map(str::to_owned),
        };
        match (&failure, &self.failure) {
            (Some(why), None) => {
                tracing::error!(why = names.hide(why), "Nothing is captured; it is tried again.")
            }
            (None, Some(_)) => tracing::info!("Packets are captured again."),
            _ => {}
        }
        self.failure = failure;
    }
}

/// Passes questions to the engine and its recorder.
struct Desk {
    live: Arc<Live<Question>>,
    names: Names,
}

impl Answers for Desk {
    fn answer(&self, view: View) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send + '_>> {
        Box::pin(async move {
            let (reply, body) = oneshot::channel();
            if !self.live.ask(Question::Show(view, reply)) {
                return None;
            }
            body.await.ok()
        })
    }

    fn readiness(&self) -> Result<String, String> {
        let health = self.live.health();
        if let Some(why) = health.trouble() {
            return Err(format!("not capturing: {}", self.names.hide(why)));
        }
        match health.state {
            State::Capturing => Ok(format!("capturing by {}", health.backend)),
            // All that it was to capture it has, and its pages are there to be looked at.
            State::Over => Ok("the replay is over".to_owned()),
            State::Starting => Err("starting".to_owned()),
            State::Failing(why) => Err(format!("not capturing: {}", self.names.hide(&why))),
        }
    }
}

/// Tells what is odd about a configuration.
fn tell_warnings(config: &Resolved, names: &Names) {
    config.warnings.iter().for_each(|warning| tracing::warn!("{}", names.hide(warning)));
}

/// Says why something may be out of reach that is fine otherwise.
fn behind_the_walls(error: anyhow::Error, what: &str) -> anyhow::Error {
    let kind = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
    if kind != Some(io::ErrorKind::PermissionDenied) {
        return error;
    }
    error.context(format!(
        "out of reach: another {what} than at the start needs a restart of ddbwatch (systemctl restart ddbwatch), which \
         gave up everything else then"
    ))
}

fn in_runtime(runtime: &Runtime, kind: SignalKind) -> io::Result<Signal> {
    let _entered = runtime.enter();
    signal(kind)
}

/// Listens there. `own` is where this process listens already.
fn listen(address: SocketAddr, own: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        // All addresses of the host and one of them cannot both be listened on at a port.
        let is_own = own.is_some_and(|own| {
            own.port() == address.port() && (own.ip().is_unspecified() || address.ip().is_unspecified())
        });
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse if is_own => {
                ": ddbwatch itself has the port at its present address; such a change needs a restart (systemctl restart \
                 ddbwatch)"
            }
            io::ErrorKind::AddrInUse => ": another program uses the port; [metrics] listen names another one",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("cannot listen on {address}{hint}"))
    })
}

fn open_records(config: &Resolved) -> anyhow::Result<Destination> {
    Destination::open(&config.output, !io::stdout().is_terminal())
}

fn cannot_run(error: io::Error) -> Failure {
    Failure::CannotRun(error.into())
}

fn has_color() -> bool {
    use anstream::ColorChoice;
    match ColorChoice::global() {
        ColorChoice::Never => false,
        ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
        ColorChoice::Auto => anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never,
    }
}

const fn form(args: &Watch) -> Form {
    match args.log_format {
        LogForm::Text => Form::Text,
        LogForm::Json => Form::Json,
    }
}

const fn level(args: &Watch) -> LevelFilter {
    match args.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_its_own_is_not_said_to_be_another_programs() {
        let here = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = here.local_addr().unwrap();
        let everywhere = SocketAddr::from(([0, 0, 0, 0], own.port()));
        for (address, is_own) in [(everywhere, true), (own, false)] {
            let told = listen(address, Some(own)).unwrap_err().to_string();
            assert_eq!(told.contains("needs a restart"), is_own, "{told}");
            assert_eq!(told.contains("another program"), !is_own, "{told}");
        }
        assert!(listen(everywhere, None).unwrap_err().to_string().contains("another program"));
    }
}
