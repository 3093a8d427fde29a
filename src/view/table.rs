//! The picture of a run on one screen: findings first, then flows, sums, and last what was not seen.

use std::io::{self, IsTerminal, Write};

use super::flow_rows;
use super::page::{Page, Piece, Signs, Tone, piece};
use super::summary::{Finding, Summary};
use super::text::{bytes, count, only_excused, thousands};
use crate::export::{Redactor, Sink};
use crate::model::{Completeness, Eviction, Record, Severity, Timestamp, Verdict};
use crate::telemetry::{Accounts, Tally};

/// Columns where the output is no terminal.
const DEFAULT_WIDTH: usize = 100;
/// Below this nothing can be laid out; above, lines are too long to read.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=200;
/// Findings that are told in full; further ones get one line.
const FULL_FINDINGS: usize = 8;
/// Values and clients named in one line.
const NAMED: usize = 4;
/// Values named in the sums.
const NAMED_IN_SUMS: usize = 6;
/// Names of files passed over that are shown: examples, as a folder may hold thousands.
const NAMED_PASSED_OVER: usize = 2;

/// Notes of damage that are shown.
const NAMED_FILES: usize = 10;
/// Lines a remedy may take.
const REMEDY_LINES: usize = 3;
/// Columns of the labels in front of sums.
const LABEL: usize = 14;

/// How the table is drawn.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// Columns of the screen.
    pub width: usize,
    pub has_color: bool,
    /// Signs beyond ASCII may be used.
    pub is_unicode: bool,
    /// Lines of the flow table.
    pub rows: usize,
    /// Flows to other services are in the records.
    pub all_services: bool,
    /// Sentences about what else the judgement rests on, e.g. the age of the address list.
    pub facts: Vec<String>,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            width: DEFAULT_WIDTH,
            has_color: false,
            is_unicode: true,
            rows: 12,
            all_services: false,
            facts: Vec::new(),
        }
    }
}

impl TableOptions {
    /// What standard output can show: the width of the terminal (`COLUMNS` where it says another),
    /// colour unless `NO_COLOR` or no terminal, and signs by the locale.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let columns =
            std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
        let measured = || terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Self {
            width: columns.or_else(measured).unwrap_or(DEFAULT_WIDTH),
            has_color: stdout.is_terminal()
                && anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            is_unicode: locale.is_some_and(|locale| {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            }),
            ..Self::default()
        }
    }
}

/// Gathers a run and writes the table at its end.
pub struct Table<W> {
    options: TableOptions,
    summary: Summary,
    output: W,
}

impl<W: Write> Table<W> {
    /// Writes to `output` once, in [`finish`](Sink::finish).
    pub fn new(options: TableOptions, output: W) -> Self {
        Self { options, summary: Summary::default(), output }
    }

    /// Replaces account ids in what the configuration says; before [`finish`](Sink::finish).
    pub fn redact(&mut self, redactor: &mut Redactor) {
        self.options.facts.iter_mut().for_each(|fact| *fact = redactor.name(fact).into_owned());
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }
}

impl<W: Write> Sink for Table<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.summary.take(record);
        Ok(())
    }

    fn finish(&mut self, accounts: &Accounts) -> io::Result<()> {
        let text = render(&self.summary, accounts, &self.options);
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }
}

fn render(summary: &Summary, accounts: &Accounts, options: &TableOptions) -> String {
    let width = options.width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let mut page = Page::new(width, options.has_color, options.is_unicode);
    headline(&mut page, summary, accounts, options);
    findings(&mut page, summary);
    flow_rows::flows(&mut page, summary, options.rows);
    sums(&mut page, summary);
    coverage(&mut page, summary, accounts, options);
    page.into_text()
}

/// What it all comes to, in a sentence or two.
fn headline(page: &mut Page, summary: &Summary, accounts: &Accounts, options: &TableOptions) {
    let dynamodb: u64 =
        summary.services.iter().filter(|(service, _)| service.is_some()).map(|(_, flows)| flows).sum();
    let signs = page.signs();
    let (sign, tone, mut text) = if dynamodb == 0 {
        let there = what_was_there(summary, accounts, options);
        (signs.unclear, Tone::Unclear, format!("No DynamoDB flow was found. {there}"))
    } else {
        judgement(signs, summary, dynamodb)
    };
    let broken = |verdicts: Option<&u64>| verdicts.copied().unwrap_or_default();
    let others = broken(summary.verdicts.get(&Some(Verdict::Violation)))
        - broken(summary.dynamodb_verdicts.get(&Verdict::Violation));
    if others > 0 {
        let verb = if others == 1 { "breaks" } else { "break" };
        let what = match &summary.profile {
            Some(profile) if dynamodb == 0 => format!("the profile {profile}"),
            _ => "it".to_owned(),
        };
        text.push_str(&format!(" {} to other services {verb} {what}.", count(others, "flow")));
    }
    if accounts.is_cut_short {
        text.push_str(" Reading was stopped before the end of the input: what was not read is not judged.");
    }
    if !accounts.damage.is_empty() {
        text.push_str(" Part of the input was not readable: see the end.");
    }
    page.paragraph(0, 2, &format!("{sign} {text}"), tone, 4);
    if let (Some(first), Some(last)) = (accounts.first_packet, accounts.last_packet) {
        let files =
            if accounts.files > 0 { format!(", {}", count(accounts.files, "file")) } else { String::new() };
        let text =
            format!("{} to {}{files}, {}", second(first), second(last), count(packets(accounts), "packet"));
        page.paragraph(2, 2, &text, Tone::Quiet, 2);
    }
}

/// The sentence about the flows to DynamoDB; there are `flows` of them.
fn judgement(signs: &Signs, summary: &Summary, flows: u64) -> (&'static str, Tone, String) {
    let judged = |verdict| summary.dynamodb_verdicts.get(&verdict).copied().unwrap_or_default();
    let (broken, unclear) = (judged(Verdict::Violation), judged(Verdict::NotAssessable));
    let all = broken + unclear + judged(Verdict::Pass);
    let profile = summary.profile.as_deref().unwrap_or_default();
    let part = |some: u64| format!("{} of {}", thousands(some), count(all, "DynamoDB flow"));
    if all == 0 {
        return (signs.unclear, Tone::Unclear, format!("{}, not judged.", count(flows, "DynamoDB flow")));
    }
    if broken > 0 {
        let verb = if broken == 1 { "breaks" } else { "break" };
        let mut rest =
            if unclear > 0 { format!(" {} cannot be assessed.", thousands(unclear)) } else { String::new() };
        if summary.excused > 0 {
            let verb = if summary.excused == 1 { "breaks" } else { "break" };
            rest.push_str(&format!(" {} more {verb} it under an exception.", thousands(summary.excused)));
        }
        return (
            signs.critical,
            Tone::Critical,
            format!("{} {verb} the profile {profile}.{rest}", part(broken)),
        );
    }
    if unclear > 0 {
        let text = format!(
            "{} cannot be assessed by the profile {profile}; none is seen to break it{}.",
            part(unclear),
            match summary.excused {
                0 => String::new(),
                excused => format!(" but for {} under an exception", count(excused, "flow")),
            }
        );
        return (signs.unclear, Tone::Warning, text);
    }
    let verb = if all == 1 { "keeps" } else { "keep" };
    let excused = only_excused(summary.excused, all);
    (
        signs.good,
        Tone::Good,
        format!("{} {verb} the profile {profile}{excused}.", count(all, "DynamoDB flow")),
    )
}

fn what_was_there(summary: &Summary, accounts: &Accounts, options: &TableOptions) -> String {
    let other = accounts.other_services.max(summary.flows);
    if other > 0 {
        let hint = if options.all_services { "" } else { "; --all-services shows them" };
        let verb = if other == 1 { "was" } else { "were" };
        let unread = accounts.evictions.get(Eviction::RequestsBeyondLimit.as_str()).copied().unwrap_or(0);
        let unread = match unread {
            0 => String::new(),
            some => format!(" Of {} of them not all requests were read.", thousands(some)),
        };
        return format!("There {verb} {} to other services{hint}.{unread}", count(other, "TLS or HTTP flow"));
    }
    let opened = accounts.flows_opened;
    if opened > 0 {
        let verb = if opened == 1 { "was" } else { "were" };
        let none = if opened == 1 { "not" } else { "none of them" };
        return format!("There {verb} {}, {none} TLS or DynamoDB over HTTP.", count(opened, "TCP flow"));
    }
    match packets(accounts) {
        0 => "There was no packet at all.".into(),
        1 => "There was 1 packet, and no TCP flow that could be followed.".into(),
        seen => format!("There were {}, and no TCP flow that could be followed.", count(seen, "packet")),
    }
}

/// Broken rules, the gravest first.
fn findings(page: &mut Page, summary: &Summary) {
    if summary.findings.is_empty() {
        return;
    }
    page.heading("Findings");
    for (number, ((severity, rule), finding)) in summary.findings.iter().enumerate() {
        let severity = severity.0;
        let (sign, tone) = match severity {
            Severity::Critical => (page.signs().critical, Tone::Critical),
            Severity::Warning => (page.signs().warning, Tone::Warning),
            Severity::Info => (page.signs().info, Tone::Quiet),
        };
        let dot = page.signs().dot;
        let values = named(&finding.offending, NAMED, |value| value.clone());
        let values = if values.is_empty() { String::new() } else { format!("{dot}{values}") };
        page.line(
            0,
            &[
                piece(format!("{sign} {rule}"), tone),
                piece(format!(" {severity}{dot}{}{values}", count(finding.flows, "flow")), Tone::Plain),
            ],
        );
        if severity.counts() && number < FULL_FINDINGS {
            details(page, finding);
        }
    }
}

fn details(page: &mut Page, finding: &Finding) {
    let number = finding.clients.len() as u64;
    let more = if finding.clients.folded() > 0 { "more than " } else { "" };
    let clients = named(&finding.clients, NAMED, ToString::to_string);
    page.line(
        4,
        &[piece(format!("{more}{}: ", count(number, "client")), Tone::Quiet), piece(clients, Tone::Plain)],
    );
    if !finding.remedy.is_empty() {
        let text = format!("{} {}", page.signs().arrow, finding.remedy);
        page.paragraph(4, 6, &text, Tone::Plain, REMEDY_LINES);
    }
}

/// The most frequent values with their counts, and how many more there are.
fn named<K: Ord + Clone>(tally: &Tally<K>, number: usize, text: impl Fn(&K) -> String) -> String {
    let mut parts: Vec<String> = tally
        .top(number)
        .into_iter()
        .map(|(key, flows)| format!("{} ({})", text(key), thousands(flows)))
        .collect();
    if tally.len() > number {
        parts.push(format!("{} more", thousands((tally.len() - number) as u64)));
    }
    parts.join(", ")
}

/// Sums by verdict, version, suite, path and client.
fn sums(page: &mut Page, summary: &Summary) {
    if summary.flows == 0 {
        return;
    }
    page.heading("Summary");
    let signs = page.signs();
    let verdicts: Vec<Piece> =
        [Some(Verdict::Violation), Some(Verdict::NotAssessable), Some(Verdict::Pass), None]
            .into_iter()
            .filter_map(|verdict| {
                let flows = thousands(*summary.verdicts.get(&verdict)?);
                Some(match verdict {
                    Some(Verdict::Violation) => piece(
                        format!("{}{} violation ({flows})", signs.critical, signs.warning),
                        Tone::Critical,
                    ),
                    Some(Verdict::NotAssessable) => {
                        piece(format!("{} not assessable ({flows})", signs.unclear), Tone::Unclear)
                    }
                    Some(Verdict::Pass) => piece(format!("{} pass ({flows})", signs.good), Tone::Good),
                    None => piece(format!("not judged ({flows})"), Tone::Plain),
                })
            })
            .collect();
    page.items("Verdict", LABEL, &verdicts);
    let services = summary.services.iter().map(|(service, flows)| {
        let name = service.map_or("other services", |(service, _)| service.as_str());
        let is_open = service.is_some_and(|(_, is_open)| is_open);
        let (doubt, tone) = if is_open { ("?", Tone::Unclear) } else { ("", Tone::Plain) };
        piece(format!("{name}{doubt} ({})", thousands(*flows)), tone)
    });
    page.items("Service", LABEL, &services.collect::<Vec<_>>());
    page.items("Version", LABEL, &top(&summary.versions, Clone::clone));
    page.items("Cipher", LABEL, &top(&summary.ciphers, Clone::clone));
    page.items("Path", LABEL, &top(&summary.paths, Clone::clone));
    page.items("Client", LABEL, &top(&summary.clients, ToString::to_string));
}

fn top<K: Ord + Clone>(tally: &Tally<K>, text: impl Fn(&K) -> String) -> Vec<Piece> {
    let shown = tally.top(NAMED_IN_SUMS);
    let rest = tally.total() - shown.iter().map(|(_, flows)| flows).sum::<u64>();
    let mut pieces: Vec<Piece> = shown
        .into_iter()
        .map(|(key, flows)| piece(format!("{} ({})", text(key), thousands(flows)), Tone::Plain))
        .collect();
    if rest > 0 {
        pieces.push(piece(format!("all others ({})", thousands(rest)), Tone::Quiet));
    }
    pieces
}

/// What was seen and what was not; losses last.
fn coverage(page: &mut Page, summary: &Summary, accounts: &Accounts, options: &TableOptions) {
    page.heading("Coverage");
    let handshakes = Completeness::ALL.iter().filter_map(|completeness| {
        let flows = summary.completeness.get(completeness)?;
        let tone = if *completeness == Completeness::Full { Tone::Plain } else { Tone::Unclear };
        Some(piece(format!("{} ({})", completeness.as_str().replace('_', " "), thousands(*flows)), tone))
    });
    page.items("Handshakes", LABEL, &handshakes.collect::<Vec<_>>());
    let sum = |of: &dyn Fn(&crate::telemetry::InterfaceCounts) -> u64| -> u64 {
        accounts.interfaces.values().map(of).sum()
    };
    let packets = format!(
        "{} seen = {} parsed + {} skipped, {}",
        thousands(sum(&|counts| counts.seen.packets)),
        thousands(sum(&|counts| counts.parsed.packets)),
        thousands(sum(&|counts| counts.skipped.packets)),
        bytes(sum(&|counts| counts.seen.bytes))
    );
    page.items("Packets", LABEL, &[piece(packets, Tone::Plain)]);
    let counted =
        |(reason, number): (String, u64)| piece(format!("{reason} ({})", thousands(number)), Tone::Plain);
    let by_count = |mut all: Vec<(String, u64)>| -> Vec<Piece> {
        all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.into_iter().map(counted).collect()
    };
    let reasons = |all: &std::collections::BTreeMap<&'static str, u64>| {
        by_count(all.iter().map(|(reason, number)| (reason.replace('_', " "), *number)).collect())
    };
    page.items("Skipped", LABEL, &reasons(&accounts.skipped));
    let errors = accounts.decode_errors.iter();
    page.items(
        "Undecoded",
        LABEL,
        &by_count(
            errors
                .map(|((layer, reason), number)| (format!("{layer} {}", reason.replace('_', " ")), *number))
                .collect(),
        ),
    );
    let evicted: u64 = accounts.evictions.values().sum();
    let mut flows = format!(
        "{} opened = {} reported + {} left out",
        thousands(accounts.flows_opened),
        thousands(accounts.records),
        thousands(evicted)
    );
    if accounts.flows_open > 0 {
        flows.push_str(&format!(" + {} open", thousands(accounts.flows_open)));
    }
    page.items("Flows", LABEL, &[piece(flows, Tone::Plain)]);
    page.items("Left out", LABEL, &reasons(&accounts.evictions));
    if accounts.other_services > 0 && !options.all_services {
        let text = format!(
            "{} left out; --all-services shows them",
            count(accounts.other_services, "TLS or HTTP flow")
        );
        page.items("Others", LABEL, &[piece(text, Tone::Plain)]);
    }
    for fact in &options.facts {
        page.labelled("Basis", LABEL, fact, Tone::Plain);
    }
    losses(page, accounts);
}

fn losses(page: &mut Page, accounts: &Accounts) {
    let passed_over: Vec<Piece> = accounts
        .files_passed_over
        .iter()
        .take(NAMED_PASSED_OVER)
        .map(|file| piece(file, Tone::Plain))
        .collect();
    page.items("No capture", LABEL, &with_rest(passed_over, accounts.files_passed_over.len()));
    let (damaged, not_read): (Vec<_>, Vec<_>) =
        accounts.damage.iter().partition(|note| note.offset.is_some());
    for (label, notes, what) in [("Not read", not_read, "more"), ("Damaged", damaged, "more places")] {
        for (number, note) in notes.iter().take(NAMED_FILES).enumerate() {
            let label = if number == 0 { label } else { "" };
            let place = note.offset.map_or_else(String::new, |byte| format!(" at byte {}", thousands(byte)));
            page.labelled(label, LABEL, &format!("{}{place}: {}", note.file, note.what), Tone::Warning);
        }
        if notes.len() > NAMED_FILES {
            let more = format!("{} {what}", thousands((notes.len() - NAMED_FILES) as u64));
            page.labelled("", LABEL, &more, Tone::Warning);
        }
    }
    let flows = Eviction::LOSSES.iter().filter_map(|reason| {
        let number = *accounts.evictions.get(reason.as_str()).filter(|number| **number > 0)?;
        Some(format!("{} ({})", count(number, "flow"), reason.as_str().replace('_', " ")))
    });
    let dropped = accounts.dropped.iter().filter(|(_, number)| **number > 0).map(
        |((interface, stage, reason), number)| {
            format!("{} {stage} {} ({interface})", thousands(*number), reason.replace('_', " "))
        },
    );
    let mut lost: Vec<Piece> = flows.chain(dropped).map(|text| piece(text, Tone::Warning)).collect();
    if accounts.is_cut_short {
        lost.insert(0, piece("what was not read when the run was stopped", Tone::Warning));
    }
    let number = lost.len();
    let else_ = if accounts.damage.is_empty() { "" } else { "else " };
    let nothing = piece(format!("nothing {else_}that was noticed"), Tone::Plain);
    let lost = if lost.is_empty() { vec![nothing] } else { lost.into_iter().take(NAMED_FILES).collect() };
    page.items("Lost", LABEL, &with_rest(lost, number));
}

fn with_rest(mut pieces: Vec<Piece>, all: usize) -> Vec<Piece> {
    if all > pieces.len() {
        pieces.push(piece(format!("{} more", thousands((all - pieces.len()) as u64)), Tone::Quiet));
    }
    pieces
}

fn packets(accounts: &Accounts) -> u64 {
    accounts.interfaces.values().map(|counts| counts.seen.packets).sum()
}

fn second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split('.').next().unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests;
