//! What becomes of records and counts: metrics, lines, log events, the picture that people see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::names::Names;
use super::records::{Destination, Writer};
use crate::classify::Role;
use crate::cli::analyze::{metrics_options, redaction};
use crate::cli::evidence::address_list;
use crate::config::Resolved;
use crate::export::jsonl::write_record;
use crate::export::{DaemonFacts, Metrics, Redaction};
use crate::host::links::Selection;
use crate::host::process::{Attribution, Post};
use crate::model::{Record, Timestamp};
use crate::pipeline::live::{self, Monitor, Output};
use crate::serve::{self, Configuration, MAX_VIOLATIONS, Page, Picture, Sockets, Summary, View, Watching};
use crate::telemetry::log::Folding;
use crate::telemetry::{Accounts, DamageNote};

/// Distinct clients are counted over so long.
const CLIENT_WINDOW: Duration = Duration::from_secs(300);

/// So many violations of each rule are logged in full per window; the rest is folded into one line.
const LOGGED_VIOLATIONS: u64 = 5;
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Violations on the page.
const SHOWN_VIOLATIONS: usize = 25;

/// What travels through the engine, so that the answer follows all records before it.
pub(super) enum Question {
    Show(View, oneshot::Sender<Bytes>),
    /// The engine has the new configuration; now its outputs get it.
    Reloaded(Box<Reloaded>, oneshot::Sender<()>),
    /// A new configuration was refused; why.
    Refused(String),
}

/// A configuration that was taken.
pub(super) struct Reloaded {
    pub(super) config: Arc<Resolved>,
    pub(super) destination: Destination,
}

/// Takes the outputs of the engine.
pub(super) struct Recorder {
    metrics: Metrics,
    /// Tells whose flows of this host are, live only.
    attribution: Option<Attribution>,
    names: Names,
    redaction: Redaction,
    picture: Picture,
    page: Page,
    writer: Writer,
    monitor: Monitor,
    /// What the reading is called in counts of lost records.
    source: &'static str,
    watching: Watching,
    /// Interfaces that the configuration calls by their names.
    named: Vec<String>,
    configuration: Configuration,
    is_reloaded: bool,
    started: Timestamp,
    reloaded: Timestamp,
    violations: Folding,
    log_lost: Arc<AtomicU64>,
    window_began: Instant,
    /// Damaged places that the log has told of.
    damage_told: usize,
}

/// What a recorder begins with.
pub(super) struct Beginning {
    pub(super) config: Arc<Resolved>,
    pub(super) writer: Writer,
    pub(super) records: String,
    pub(super) monitor: Monitor,
    pub(super) watching: Watching,
    pub(super) log_lost: Arc<AtomicU64>,
    pub(super) attribution: Option<Attribution>,
    /// Have met what was named so far.
    pub(super) names: Names,
}

impl Recorder {
    pub(super) fn new(beginning: Beginning) -> anyhow::Result<Self> {
        let Beginning { config, writer, records, monitor, watching, log_lost, attribution, names } =
            beginning;
        let options = crate::export::MetricsOptions { is_daemon: true, ..metrics_options(&config) };
        let started = now();
        let redaction = redaction(&config);
        Ok(Self {
            metrics: Metrics::new(options)?,
            attribution,
            names,
            redaction,
            picture: Picture::default(),
            page: Page::new()?,
            writer,
            monitor,
            source: if watching.backend == "replay" { "replay" } else { "live" },
            watching,
            named: named(&config),
            configuration: configuration(&config, records, started),
            is_reloaded: true,
            started,
            reloaded: started,
            violations: Folding::new(LOGGED_VIOLATIONS, LOG_WINDOW),
            log_lost,
            window_began: Instant::now(),
            damage_told: 0,
        })
    }

    /// Works until the engine has ended; gives the last counts.
    pub(super) fn run(mut self, outputs: &Receiver<Output<Question>>) -> Option<Box<Accounts>> {
        let mut last = loop {
            match outputs.recv_timeout(Duration::from_secs(1)) {
                Ok(Output::Records(records)) => self.take(records),
                Ok(Output::Accounts(accounts, question)) => self.answer(&accounts, question),
                Ok(Output::Finished(accounts)) => break Some(accounts),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.look_at_the_clock();
        };
        for (rule, folded) in self.violations.ended(Instant::now() + LOG_WINDOW) {
            tell_folded(rule, folded);
        }
        if let Some(accounts) = &mut last {
            self.tell_damage(accounts.damage.get(self.damage_told..).unwrap_or_default());
            self.names.lock().apply_accounts(accounts);
        }
        self.writer.finish();
        last
    }

    /// Tells the log, which names files as all else does: without account ids.
    fn tell_damage(&mut self, notes: &[DamageNote]) {
        for DamageNote { file, offset, what } in notes {
            let file = self.names.hide(file);
            match offset {
                Some(offset) => {
                    tracing::warn!(file, offset, "Part of a capture could not be looked at: {what}")
                }
                None => tracing::warn!(file, "Part of what is replayed is not read: it {what}"),
            }
        }
        self.damage_told += notes.len();
    }

    fn take(&mut self, records: Vec<Record>) {
        let number = records.len() as u64;
        let mut lines = Vec::with_capacity(records.len() * 1_536);
        for mut record in records {
            if let Some(attribution) = &mut self.attribution {
                record.host = attribution.facts(&record);
            }
            self.names.lock().apply(&mut record);
            self.metrics.observe(&record);
            self.picture.take(&record);
            self.log(&record);
            write_record(&record, &mut lines);
        }
        self.writer.write(lines, number);
    }

    fn log(&mut self, record: &Record) {
        let Some(policy) = &record.policy else { return };
        for violation in &policy.violations {
            if !violation.severity.counts() || !self.violations.admits(violation.rule, Instant::now()) {
                continue;
            }
            tracing::warn!(
                event = "violation",
                rule = violation.rule,
                severity = violation.severity.as_str(),
                client = %record.client,
                process = record.host.as_ref().and_then(|host| host.process.as_deref()),
                server = %record.server,
                host = record.endpoint.host.as_deref(),
                region = record.endpoint.region.as_deref(),
                access = record.path.access.as_str(),
                entry = record.path.entry.as_str(),
                offending = &*violation.offending,
                remedy = &*violation.remedy,
                "{}",
                violation.message
            );
        }
    }

    fn look_at_the_clock(&mut self) {
        self.tell_damage(&self.monitor.damage_after(self.damage_told));
        self.writer.look();
        let time = Instant::now();
        for (rule, folded) in self.violations.ended(time) {
            tell_folded(rule, folded);
        }
        if time.duration_since(self.window_began) >= CLIENT_WINDOW {
            self.window_began = time;
            self.metrics.begin_window();
        }
    }

    fn answer(&mut self, accounts: &Accounts, question: Question) {
        match question {
            Question::Show(view, reply) => {
                if let Some(body) = self.show(view, accounts) {
                    // Whoever asked may have gone away.
                    let _ = reply.send(body);
                }
            }
            Question::Reloaded(reloaded, reply) => {
                self.reload(*reloaded);
                let _ = reply.send(());
            }
            Question::Refused(why) => {
                self.is_reloaded = false;
                self.configuration.refused = Some(why);
            }
        }
    }

    fn reload(&mut self, Reloaded { config, destination }: Reloaded) {
        self.metrics.reconfigure(&metrics_options(&config));
        if let Some(attribution) = &mut self.attribution {
            attribution.set_post(post(&config));
        }
        let redaction = redaction(&config);
        if redaction != self.redaction {
            self.names.begin_anew(redaction.clone());
            self.redaction = redaction;
        }
        self.named = named(&config);
        self.reloaded = now();
        self.is_reloaded = true;
        let records = destination.describe(&config.output);
        self.writer.use_other(destination);
        self.configuration = configuration(&config, records, self.reloaded);
    }

    fn show(&mut self, view: View, accounts: &Accounts) -> Option<Bytes> {
        match view {
            View::Alive => Some(Bytes::from_static(b"ok\n")),
            View::Flows => Some(self.picture.flows_json(serve::MAX_FLOWS).into()),
            View::Violations => {
                let newest: Vec<_> = self.picture.violations().take(MAX_VIOLATIONS).collect();
                json(&newest)
            }
            View::Metrics => {
                let accounts = self.complete(accounts);
                let health = self.monitor.health();
                let expected = (self.source == "live").then(|| self.expected(&health.interfaces));
                let mut restarts = BTreeMap::<String, u64>::new();
                let watched = health.interfaces.into_iter().map(|interface| (interface, 0));
                for (interface, count) in health.restarts.into_iter().chain(watched) {
                    *restarts.entry(self.names.hide(&interface)).or_default() += count;
                }
                self.metrics.set_daemon(&DaemonFacts {
                    log_events_folded: vec![
                        ("violation", self.violations.folded()),
                        ("log_queue_full", self.log_lost.load(Ordering::Relaxed)),
                    ],
                    restarts,
                    expected,
                    is_reloaded: self.is_reloaded,
                    reloaded: self.reloaded,
                });
                self.metrics.set_accounts(&accounts);
                self.metrics.encode().ok().map(Bytes::from)
            }
            View::Summary | View::Page => {
                let accounts = self.complete(accounts);
                self.see_health();
                let times = (self.started, now());
                let watching = self.watching.redacted(&mut self.names.lock());
                let configuration = self.configuration.redacted(&mut self.names.lock());
                let summary = Summary::new(
                    &self.picture,
                    &accounts,
                    &watching,
                    &configuration,
                    times,
                    SHOWN_VIOLATIONS,
                );
                if view == View::Summary {
                    return json(&summary);
                }
                match self.page.render(&summary) {
                    Ok(page) => Some(page.into()),
                    Err(error) => {
                        tracing::error!(%error, "The status page cannot be made.");
                        None
                    }
                }
            }
        }
    }

    /// Interfaces on which packets are expected: those that are watched now, and those that were asked for by name,
    /// also while they are not there. One that a pattern meant is gone for good when it is gone.
    fn expected(&self, watched: &[String]) -> BTreeSet<String> {
        watched.iter().chain(&self.named).map(|name| self.names.hide(name)).collect()
    }

    /// The counts with those of this thread, without account ids.
    fn complete(&mut self, accounts: &Accounts) -> Accounts {
        let mut accounts = accounts.clone();
        for (reason, count) in self.writer.lost().counts() {
            *accounts.dropped.entry((self.source.to_owned(), "export", reason)).or_default() += count;
        }
        // The age of the address list is that of now, on an interface without traffic, too.
        if self.source == "live" {
            accounts.last_packet = Some(now());
        }
        self.names.lock().apply_accounts(&mut accounts);
        accounts
    }

    fn see_health(&mut self) {
        let health = self.monitor.health();
        (self.watching.state, self.watching.trouble) = match health.state.clone() {
            live::State::Starting => (serve::State::Starting, None),
            live::State::Capturing => match health.trouble() {
                Some(why) => (serve::State::Failing, Some(why.to_owned())),
                None => (serve::State::Capturing, None),
            },
            live::State::Failing(why) => (serve::State::Failing, Some(why)),
            live::State::Over => (serve::State::Over, None),
        };
        if self.source == "live" {
            self.watching.interfaces = health.interfaces;
            self.watching.refused = health.refused.into_iter().chain(health.blind).collect();
        }
        self.watching.series_folded = self.metrics.folded();
        self.watching.restarts = health.restarts.values().sum();
        if let Some(attribution) = &self.attribution {
            let counts = attribution.counts();
            self.watching.sockets =
                Sockets { asked: counts.asked, found: counts.found, over_budget: counts.over_budget };
        }
    }
}

/// What the configuration says of this host's part in flows.
pub(super) fn post(config: &Resolved) -> Post {
    Post {
        is_mirror: config.site.role == Some(Role::Mirror),
        is_behind_gwlb: config.site.role == Some(Role::Gwlb),
    }
}

/// Interfaces that are asked for by name.
fn named(config: &Resolved) -> Vec<String> {
    Selection::new(&config.capture.interfaces).exact_names().map(str::to_owned).collect()
}

fn tell_folded(rule: &'static str, folded: u64) {
    tracing::warn!(
        event = "violations_folded",
        rule,
        folded,
        "Further violations of this rule were left out of the log; records, metrics and status page have all of them."
    );
}

fn configuration(config: &Resolved, records: String, taken: Timestamp) -> Configuration {
    Configuration {
        file: config.path_of_file.as_ref().map(|path| path.display().to_string()),
        profile: config.policy.settings.profile.to_string(),
        taken: taken.to_string(),
        refused: None,
        records,
        address_list: address_list(config),
    }
}

fn json(value: &impl serde::Serialize) -> Option<Bytes> {
    let mut text = serde_json::to_vec(value).ok()?;
    text.push(b'\n');
    Some(text.into())
}

pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}
