//! Shares, findings and clients as the template shows them: every number and name is text by then.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::Serialize;

use crate::export::report::collect::{Client, Evidence, Finding};
use crate::export::report::sentences::addresses;
use crate::export::report::shares::{BARS, Shares};
use crate::export::report::words::{count, share, shown, thousands, time, version_words};
use crate::model::{Judgement, Severity};
use crate::policy::Rule;

/// Lines of a table of shares.
const SHOWN_SHARES: usize = 12;

/// A part of a bar; lengths in thousandths of the longest bar.
#[derive(Debug, Serialize)]
struct Part {
    class: &'static str,
    x: u64,
    width: u64,
}

#[derive(Debug, Serialize)]
struct ShareLine {
    value: String,
    flows: String,
    share: String,
    pass: String,
    unclear: String,
    violations: String,
    words: String,
    parts: Vec<Part>,
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ShareTable {
    id: &'static str,
    title: &'static str,
    column: &'static str,
    lines: Vec<ShareLine>,
    more: String,
}

pub(super) fn share_table(
    id: &'static str,
    title: &'static str,
    column: &'static str,
    shares: &Shares,
    all: u64,
) -> ShareTable {
    let (top, beyond, rest) = shares.top(SHOWN_SHARES);
    let longest = top.iter().map(|(_, found)| found.counts.total()).max().unwrap_or_default().max(1);
    let lines = top
        .into_iter()
        .map(|(value, found)| {
            let counts = &found.counts;
            let mut x = 0;
            let mut parts = Vec::new();
            for judgement in BARS {
                let flows = counts.of(judgement);
                if flows > 0 {
                    let width = (flows * 1_000 / longest).max(4);
                    parts.push(Part { class: judgement.class(), x, width });
                    x += width;
                }
            }
            ShareLine {
                value: shown(value).into_owned(),
                flows: thousands(counts.total()),
                share: share(counts.total(), all),
                pass: thousands(counts.of(Judgement::Pass)),
                unclear: thousands(counts.of(Judgement::NotAssessable) + counts.of(Judgement::NotJudged)),
                violations: thousands(counts.violations()),
                words: counts.words(),
                parts,
                first: time(found.first),
                last: time(found.last),
            }
        })
        .collect();
    let more = if rest.total() > 0 {
        let values = if beyond > 0 { count(beyond, "more value") } else { "further values".to_owned() };
        format!("{values} with {}", count(rest.total(), "flow"))
    } else {
        String::new()
    };
    ShareTable { id, title, column, lines, more }
}

#[derive(Debug, Serialize)]
pub(super) struct FindingView {
    id: String,
    rule: &'static str,
    severity: &'static str,
    what: String,
    why: &'static str,
    source: &'static str,
    flows: String,
    clients: String,
    excepted: String,
    first: String,
    last: String,
    remedies: Vec<String>,
    evidence: Vec<EvidenceView>,
    more: String,
}

#[derive(Debug, Serialize)]
struct EvidenceView {
    at: String,
    source: String,
    frames: String,
    client: String,
    server: String,
    name: String,
    offending: String,
    message: String,
    outcome: String,
}

pub(super) fn finding_view(severity: Severity, rule: &'static str, finding: &Finding) -> FindingView {
    let text = Rule::parse(rule).map(Rule::text);
    let more = finding.flows.saturating_sub(finding.evidence.len() as u64);
    let mut remedies: Vec<(&String, &u64)> = finding.remedies.iter().collect();
    remedies.sort_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.cmp(other.0)));
    FindingView {
        id: format!("{severity}-{}", rule.replace(|c: char| !c.is_ascii_alphanumeric(), "-")),
        rule,
        severity: severity.as_str(),
        what: text.map_or_else(
            || "A rule that this version does not know.".to_owned(),
            |text| text.what.to_owned(),
        ),
        why: text.map_or("", |text| text.why),
        source: text.map_or("", |text| text.source),
        flows: count(finding.flows, "flow"),
        clients: addresses(finding.clients.len() as u64, finding.has_more_clients),
        excepted: if finding.excepted > 0 { thousands(finding.excepted) } else { String::new() },
        first: finding.first.map_or_else(String::new, time),
        last: finding.last.map_or_else(String::new, time),
        remedies: remedies.into_iter().map(|(remedy, _)| shown(remedy).into_owned()).collect(),
        evidence: finding.evidence.iter().map(evidence_view).collect(),
        more: if more > 0 { thousands(more) } else { String::new() },
    }
}

fn evidence_view(evidence: &Evidence) -> EvidenceView {
    let mut frames = format!("first {}", evidence.first_frame);
    for (name, frame) in
        [("ClientHello", evidence.client_hello_frame), ("ServerHello", evidence.server_hello_frame)]
    {
        if let Some(frame) = frame {
            // Writing to a string cannot fail.
            let _ = write!(frames, ", {name} {frame}");
        }
    }
    EvidenceView {
        at: time(evidence.at),
        source: shown(&evidence.source).into_owned(),
        frames,
        client: evidence.client.to_string(),
        server: evidence.server.to_string(),
        name: evidence.name.clone(),
        offending: evidence.offending.clone(),
        message: evidence.message.clone(),
        outcome: evidence.outcome.clone(),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ClientView {
    address: String,
    software: String,
    class: &'static str,
    flows: String,
    violations: String,
    critical: String,
    /// Some of its flows may be missing.
    is_late: bool,
    offers: String,
    rules: Vec<&'static str>,
    first: String,
    last: String,
}

pub(super) fn client_view((address, client): &(IpAddr, &Client)) -> ClientView {
    ClientView {
        address: address.to_string(),
        software: client.software().unwrap_or_else(|| "not recognised".to_owned()),
        class: if client.counts.of(Judgement::Critical) > 0 {
            "critical"
        } else if client.counts.violations() > 0 {
            "warning"
        } else if client.counts.of(Judgement::Pass) == client.counts.total() {
            "pass"
        } else {
            "unclear"
        },
        flows: at_least(client.counts.total(), client.missed.total() > 0),
        violations: at_least(client.counts.violations(), client.missed.violations() > 0),
        critical: at_least(client.counts.of(Judgement::Critical), client.missed.of(Judgement::Critical) > 0),
        is_late: client.missed.total() > 0,
        offers: client.offers.map_or_else(
            || "not seen".to_owned(),
            |(lowest, highest)| {
                let (lowest, highest) = (version_words(lowest), version_words(highest));
                // Not all programs of a client are of one age.
                if lowest == highest { lowest } else { format!("{lowest} to {highest}") }
            },
        ),
        rules: client.rules.iter().copied().collect(),
        first: time(client.first),
        last: time(client.last),
    }
}

/// `3`, or `3+` where there may be more.
pub(super) fn at_least(number: u64, has_more: bool) -> String {
    format!("{}{}", thousands(number), if has_more { "+" } else { "" })
}
