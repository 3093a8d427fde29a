//! The page: what was collected, as the template wants it.

mod views;

use std::fmt::Write as _;

use minijinja::{Environment, Value, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::views::{FindingView, ShareTable, at_least, client_view, finding_view, share_table};
use super::collect::Collected;
use super::coverage::coverage;
use super::sentences::{self, addresses};
use super::shares::{BARS, Counts};
use super::what_if::{Offer, WhatIf};
use super::words::{count, share, shown, thousands, time};
use super::{Content, InputFact, Origin, ReportOptions};
use crate::export::markup::with_code;
use crate::export::plain::{hexadecimal, plain};
use crate::model::Judgement;
use crate::policy;
use crate::telemetry::Accounts;

/// Clients shown.
const SHOWN_CLIENTS: usize = 50;
/// Clients shown for each stricter profile.
const SHOWN_BREAKING: usize = 25;
/// Files listed with their hashes.
const SHOWN_FILES: usize = 1_000;

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("report.css");

/// Everything the page is made of.
pub(super) struct Page<'a> {
    pub options: &'a ReportOptions,
    pub origin: &'a Origin,
    pub inputs: &'a [InputFact],
    pub collected: &'a Collected,
    pub what_if: &'a WhatIf,
    pub accounts: &'a Accounts,
}

/// A bar of the chart over time, in its coordinates.
#[derive(Debug, Serialize)]
struct Step {
    begin: String,
    words: String,
    flows: String,
    rects: Vec<Rect>,
}

#[derive(Debug, Serialize)]
struct Rect {
    class: &'static str,
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

#[derive(Debug, Serialize)]
struct CaseView {
    name: String,
    title: String,
    asks: String,
    breaking: String,
    broken_today: String,
    unclear: String,
    keeping: String,
    clients: Vec<BreakingView>,
    all_clients: String,
    more: String,
}

#[derive(Debug, Serialize)]
struct BreakingView {
    address: String,
    flows: String,
    rules: String,
    offer: String,
}

#[derive(Debug, Serialize)]
struct FileView {
    name: String,
    bytes: String,
    hash: String,
}

/// The chart over time, in the coordinates of its view box.
const CHART_WIDTH: u64 = 960;
const CHART_HEIGHT: u64 = 140;

impl Page<'_> {
    pub(super) fn render(&self) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.add_template("report.html", TEMPLATE)?;
        environment.add_filter("code", with_code);
        let collected = self.collected;
        let clients = collected.top_clients(SHOWN_CLIENTS + 1);
        let beyond = &collected.clients_beyond;
        let coverage = coverage(collected, self.accounts, self.origin);
        let (verdict, verdict_class) = sentences::verdict(collected, coverage.is_partial);
        let (chart, longest) = self.chart();
        let policy_text = self.options.policy.as_ref().map(|policy| lines_shown(&policy_text(policy)));
        let profile = self.options.profile.clone().or_else(|| self.recorded_profile());
        let changes = self.changes(profile.as_ref());
        let profiles: Vec<String> = collected
            .profiles
            .iter()
            .map(|(name, flows)| format!("{} ({})", shown(name), count(*flows, "flow")))
            .collect();
        environment.get_template("report.html")?.render(context! {
            style => STYLE,
            version => self.options.version.as_str(),
            verdict,
            verdict_class,
            coverage => value(&coverage),
            chart => value(&chart),
            chart_width => CHART_WIDTH,
            chart_height => CHART_HEIGHT,
            chart_longest => count(longest, "flow"),
            chart_step => length_words(collected.timeline.length().as_secs()),
            legend => value(&legend(&collected.judgements)),
            flows => thousands(collected.flows),
            dynamodb_flows => thousands(collected.dynamodb_flows),
            other_flows => thousands(collected.flows - collected.dynamodb_flows),
            who_must_act => sentences::who_must_act(collected),
            excused => sentences::excused(collected),
            all_flows => count(collected.flows, "flow"),
            all_files => count(self.inputs.len() as u64, "file"),
            judgements => value(&judgements(collected)),
            first => collected.first.map(time),
            last => collected.last.map(time),
            first_packet => self.accounts.first_packet.map(time),
            last_packet => self.accounts.last_packet.map(time),
            is_of_records => matches!(self.origin, Origin::Records(_)),
            judged_anew => matches!(self.origin, Origin::Records(counts) if counts.judged_anew > 0),
            scope => self.scope(),
            facts => value(&self.options.facts.iter().map(|fact| shown(fact)).collect::<Vec<_>>()),
            is_redacted => self.options.is_redacted,
            shares => value(&self.shares()),
            outcomes => value(&outcomes(collected)),
            findings => value(&self.findings()),
            clients => value(&clients.iter().take(SHOWN_CLIENTS).map(client_view).collect::<Vec<_>>()),
            more_violate => clients.get(SHOWN_CLIENTS).is_some_and(|(_, client)| client.counts.violations() > 0),
            more_clients => Some(collected.clients_number().saturating_sub(SHOWN_CLIENTS as u64))
                .filter(|more| *more > 0)
                .map(|more| addresses(more, false)),
            clients_beyond => (beyond.total() > 0).then(|| count(beyond.total(), "flow")),
            violations_beyond => (beyond.violations() > 0).then(|| thousands(beyond.violations())),
            exceptions => value(&self.exceptions()),
            has_policy => self.options.policy.is_some(),
            inventory => value(&self.inventory()),
            inventory_beyond => (collected.inventory.beyond > 0)
                .then(|| count(collected.inventory.beyond, "flow")),
            inventory_nothing => count(collected.inventory.nothing_seen, "flow"),
            cases => value(&self.cases()),
            profile => profile.as_ref().map(|profile| context! {
                name => shown(&profile.name).as_ref(),
                title => shown(&profile.title).as_ref(),
                extends => profile.extends.as_deref(),
                notes => value(&self.notes(profile)),
                own_changes => value(&profile.changes),
                changes => value(&changes),
                sources => value(&profile.sources),
            }),
            profiles => value(&profiles),
            policy_hash => policy_text.as_ref().map(|text| sha256(text.as_bytes())),
            policy_text,
            config => value(&self.options.config.as_ref().map(file)),
            files => value(&self.inputs.iter().take(SHOWN_FILES).map(file).collect::<Vec<_>>()),
            more_files => self.inputs.len().saturating_sub(SHOWN_FILES),
            files_hash => files_hash(self.inputs),
        })
    }

    /// Where `[policy]` differs from the profile whose name it keeps.
    fn changes(&self, profile: Option<&policy::Profile>) -> Vec<String> {
        match (&self.options.policy, profile) {
            (Some(policy), Some(profile)) => policy.settings.changes_from(&profile.settings),
            _ => Vec::new(),
        }
    }

    fn notes(&self, profile: &policy::Profile) -> Vec<&'static str> {
        let settings = self.options.policy.as_ref().map_or(&profile.settings, |policy| &policy.settings);
        profile.notes_under(settings).into_iter().map(|note| note.text).collect()
    }

    fn scope(&self) -> &'static str {
        match self.options.all_services {
            Some(true) => "every TLS and plaintext HTTP flow",
            Some(false) => "flows to Amazon DynamoDB, DynamoDB Streams, DynamoDB search and DAX",
            None => "the flows that were recorded",
        }
    }

    /// The profile that the records name, where they name one that is known.
    fn recorded_profile(&self) -> Option<policy::Profile> {
        let (name, _) = self.collected.profiles.iter().max_by_key(|(_, flows)| **flows)?;
        policy::profile::find(name)
    }

    fn chart(&self) -> (Vec<Step>, u64) {
        let steps = self.collected.timeline.steps();
        let longest = steps.iter().map(|(_, counts)| counts.total()).max().unwrap_or_default().max(1);
        let room = CHART_WIDTH / (steps.len() as u64).max(1);
        let width = room.saturating_sub(2).clamp(1, 48);
        let steps = steps
            .iter()
            .enumerate()
            .map(|(index, (begin, counts))| {
                let mut y = CHART_HEIGHT;
                let mut rects = Vec::new();
                for judgement in BARS {
                    let flows = counts.of(judgement);
                    if flows == 0 {
                        continue;
                    }
                    // Whatever is there is seen.
                    let height = (flows * CHART_HEIGHT / longest).max(2);
                    y = y.saturating_sub(height);
                    rects.push(Rect { class: judgement.class(), x: index as u64 * room, y, width, height });
                }
                Step { begin: time(*begin), words: counts.words(), flows: thousands(counts.total()), rects }
            })
            .collect();
        (steps, longest)
    }

    fn shares(&self) -> Vec<ShareTable> {
        let collected = self.collected;
        [
            ("versions", "Protocol version", "negotiated version", &collected.versions),
            ("ciphers", "Cipher suite", "suite", &collected.ciphers),
            ("groups", "Key exchange group", "group", &collected.groups),
            ("secrecy", "Forward secrecy", "forward secrecy", &collected.forward_secrecy),
            ("paths", "Path", "way to AWS and entry", &collected.paths),
            ("endpoints", "Endpoint", "region and kind", &collected.endpoints),
        ]
        .into_iter()
        .map(|(id, title, column, shares)| share_table(id, title, column, shares, collected.flows))
        .collect()
    }

    fn findings(&self) -> Vec<FindingView> {
        self.collected
            .findings
            .iter()
            .map(|((severity, _, rule), finding)| finding_view(severity.0, rule, finding))
            .collect()
    }

    /// Rule, match, owner, reason, last day, how often applied.
    fn exceptions(&self) -> Vec<Vec<String>> {
        let exceptions = self.options.policy.iter().flat_map(|policy| &policy.exceptions);
        exceptions
            .zip(&self.collected.exceptions)
            .map(|(exception, applied)| {
                let rules: Vec<&str> = exception.rules.iter().map(|rule| rule.as_str()).collect();
                vec![
                    rules.join(", "),
                    shown(&exception.matching.to_string()).into_owned(),
                    shown(&exception.owner).into_owned(),
                    shown(&exception.reason).into_owned(),
                    exception.expires.to_string(),
                    thousands(*applied),
                ]
            })
            .collect()
    }

    /// Protocol, suite, number, purpose, groups, places, flows, clients, first and last seen.
    fn inventory(&self) -> Vec<Vec<String>> {
        let lines = self.collected.inventory.lines.iter();
        lines
            .map(|(line, found)| {
                let joined = |set: &std::collections::BTreeSet<String>| {
                    if set.is_empty() {
                        "–".to_owned()
                    } else {
                        set.iter().map(String::as_str).collect::<Vec<_>>().join(" · ")
                    }
                };
                let suite = if line.id.is_empty() {
                    line.suite.clone()
                } else {
                    format!("{} ({})", line.suite, line.id)
                };
                vec![
                    line.protocol.clone(),
                    suite,
                    line.purpose.to_owned(),
                    joined(&found.groups),
                    joined(&found.places),
                    thousands(found.flows),
                    at_least(found.clients(), found.has_more_clients),
                    time(found.first),
                    time(found.last),
                ]
            })
            .collect()
    }

    fn cases(&self) -> Vec<CaseView> {
        self.what_if
            .cases()
            .iter()
            .map(|case| {
                let clients: Vec<BreakingView> = case
                    .top(SHOWN_BREAKING)
                    .into_iter()
                    .map(|(address, breaking)| BreakingView {
                        address: address.to_string(),
                        flows: at_least(breaking.flows, breaking.is_late),
                        rules: breaking.rules.iter().copied().collect::<Vec<_>>().join(", "),
                        offer: match breaking.offer {
                            Offer::Enough => "offers enough: the other side chose otherwise".to_owned(),
                            Offer::Elsewhere => "see what the rules say: it is no matter of what it offers".to_owned(),
                            Offer::Unknown => "its hello was not seen in full".to_owned(),
                            Offer::Missing(what) => format!("must be changed: {what}"),
                        },
                    })
                    .collect();
                let more = case.clients_number().saturating_sub(clients.len() as u64);
                CaseView {
                    name: shown(&case.profile.name).into_owned(),
                    title: shown(&case.profile.title).into_owned(),
                    asks: case.asks(),
                    breaking: thousands(case.breaking),
                    broken_today: thousands(case.broken_today),
                    unclear: thousands(case.unclear),
                    keeping: thousands(case.keeping),
                    all_clients: at_least(case.clients_number(), case.beyond > 0),
                    more: if case.beyond > 0 {
                        format!(
                            "at least {}; {} of clients that found no room here for a time or at all, so that a number with + \
                             may be higher",
                            count(more, "more client"),
                            count(case.beyond, "flow")
                        )
                    } else if more > 0 {
                        count(more, "more client")
                    } else {
                        String::new()
                    },
                    clients,
                }
            })
            .collect()
    }
}

fn value(shown: &impl Serialize) -> Value {
    Value::from(minijinja::value::Serde(shown))
}

/// Outcome, flows and share.
fn outcomes(collected: &Collected) -> Vec<(&'static str, String, String)> {
    let outcomes = collected.outcomes.iter();
    outcomes
        .map(|(outcome, flows)| (outcome.as_str(), thousands(*flows), share(*flows, collected.flows)))
        .collect()
}

/// Words, flows and share of each judgement that occurs.
fn judgements(collected: &Collected) -> Vec<(&'static str, &'static str, String, String)> {
    BARS.into_iter()
        .filter(|judgement| *judgement != Judgement::NotJudged || collected.judgements.of(*judgement) > 0)
        .map(|judgement| {
            let flows = collected.judgements.of(judgement);
            (judgement.class(), judgement.words(), thousands(flows), share(flows, collected.flows))
        })
        .collect()
}

fn legend(counts: &Counts) -> Vec<(&'static str, &'static str)> {
    BARS.into_iter()
        .filter(|judgement| *judgement != Judgement::NotJudged || counts.of(*judgement) > 0)
        .map(|judgement| (judgement.class(), judgement.words()))
        .collect()
}

/// The policy as it held, for people and for its hash.
fn policy_text(policy: &policy::Options) -> String {
    let mut text = format!("profile: {}\n{}", plain(&policy.settings.profile), policy.settings.describe(""));
    // Writing to a string cannot fail.
    for (index, given) in policy.overrides.iter().enumerate() {
        let _ = write!(
            text,
            "\noverride {} for {}, profile {}:\n{}",
            index + 1,
            plain(&given.matching.to_string()),
            plain(&given.settings.profile),
            given.settings.describe("  ")
        );
    }
    for (index, exception) in policy.exceptions.iter().enumerate() {
        let rules: Vec<&str> = exception.rules.iter().map(|rule| rule.as_str()).collect();
        let _ = write!(
            text,
            "\nexception {} from {} for {} until {}: {} ({})\n",
            index + 1,
            rules.join(", "),
            plain(&exception.matching.to_string()),
            exception.expires,
            plain(&exception.reason),
            plain(&exception.owner)
        );
    }
    text
}

fn lines_shown(text: &str) -> String {
    text.lines().map(|line| shown(line)).collect::<Vec<_>>().join("\n")
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn file(file: &InputFact) -> FileView {
    let (bytes, hash) = match &file.content {
        Content::Stored(bytes, hash) => (thousands(*bytes), hash.clone()),
        Content::Stream => {
            ("–".to_owned(), "a stream: it can be read only once, so it has no hash here".to_owned())
        }
        Content::Unread => ("–".to_owned(), "it could not be read".to_owned()),
    };
    FileView { name: shown(&file.name).into_owned(), bytes, hash }
}

/// Of the lines that `sha256sum` would print of all files under the names shown, so that one number stands for all of
/// them; none where one has no hash: the number would be the same whatever that one held.
fn files_hash(files: &[InputFact]) -> Option<String> {
    let mut lines = String::new();
    for file in files {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{}  {}", file.content.hash()?, file.name);
    }
    Some(sha256(lines.as_bytes()))
}

/// `1 second`, `15 minutes`, `7 days`.
fn length_words(seconds: u64) -> String {
    for (unit, name) in [(86_400, "day"), (3_600, "hour"), (60, "minute")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return count(seconds / unit, name);
        }
    }
    count(seconds, "second")
}
