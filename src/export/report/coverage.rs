//! What was seen, and what was not: the part of the report that keeps the rest honest.

use std::cmp::Reverse;

use serde::Serialize;

use super::collect::Collected;
use super::words::{count, share, shown, thousands, time};
use super::{Origin, ReadingCounts};
use crate::model::{Completeness, Eviction, Judgement, Timestamp};
use crate::telemetry::{Accounts, InterfaceCounts};

/// Lines of one table: interfaces and damage come from the input. Enough to see what is meant; the sum says the rest.
const MAX_LINES: usize = 20;

/// A table of two or more columns, the first a heading of its line.
#[derive(Debug, Serialize)]
pub(super) struct Lines {
    pub title: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    pub columns: Vec<&'static str>,
    pub lines: Vec<Vec<String>>,
    /// Lines left out.
    pub more: usize,
    /// Whether the columns after the first hold numbers.
    pub is_numeric: bool,
}

/// Everything of the section.
#[derive(Debug, Serialize)]
pub(super) struct Coverage {
    /// Sentences, the most important first.
    pub gaps: Vec<String>,
    /// True where something was lost, and not only out of sight.
    pub has_losses: bool,
    /// True where part of the input was not read.
    pub is_partial: bool,
    pub tables: Vec<Lines>,
}

pub(super) fn coverage(collected: &Collected, accounts: &Accounts, origin: &Origin) -> Coverage {
    let mut gaps = Vec::new();
    let mut tables = vec![completeness(collected)];
    let unclear = collected.judgements.of(Judgement::NotAssessable);
    if unclear > 0 {
        gaps.push(format!(
            "{} of {} could not be assessed: part of what the profile asks for was not seen of them.",
            thousands(unclear),
            count(collected.flows, "flow")
        ));
    }
    if !collected.not_assessed.is_empty() {
        tables.push(not_assessed(collected));
    }
    let (has_losses, is_partial) = match origin {
        Origin::Captures => of_captures(accounts, &mut gaps, &mut tables),
        Origin::Records(counts) => of_records(*counts, &mut gaps, &mut tables),
    };
    gaps.push(
        "What TLS encrypts is never seen: whether requests are signed, what they ask for, and in TLS 1.3 the \
         server's certificate."
            .to_owned(),
    );
    Coverage { gaps, has_losses, is_partial, tables }
}

fn completeness(collected: &Collected) -> Lines {
    let lines = Completeness::ALL
        .iter()
        .map(|word| {
            let meaning = match word {
                Completeness::Full => "both hellos and what led to them",
                Completeness::ClientOnly => "only what the client sent",
                Completeness::ServerOnly => "only what the server sent",
                Completeness::MidStream => "the observer joined after the hellos",
                Completeness::Truncated => "bytes of the handshake are missing",
            };
            let flows = collected.completeness.get(word).copied().unwrap_or_default();
            vec![format!("{word}: {meaning}"), thousands(flows), share(flows, collected.flows)]
        })
        .collect();
    Lines {
        title: "How much of each flow was seen",
        meaning: "Only a flow that was seen in full can pass.",
        columns: vec!["completeness", "flows", "share"],
        lines,
        more: 0,
        is_numeric: true,
    }
}

/// Which rules the flows that are not assessable were not seen well enough for, the most flows first.
fn not_assessed(collected: &Collected) -> Lines {
    let mut rules: Vec<(&str, u64)> =
        collected.not_assessed.iter().map(|(&rule, &flows)| (rule, flows)).collect();
    rules.sort_by_key(|&(_, flows)| Reverse(flows));
    let more = rules.len().saturating_sub(MAX_LINES);
    rules.truncate(MAX_LINES);
    Lines {
        title: "Rules that could not be judged",
        meaning: "Required by the profile, and what they need was not seen of these flows. A flow may lack several. \
                  Flows that are not assessable are counted, not those that break another rule.",
        columns: vec!["rule", "flows", "share"],
        lines: rules
            .into_iter()
            .map(|(rule, flows)| vec![rule.to_owned(), thousands(flows), share(flows, collected.flows)])
            .collect(),
        more,
        is_numeric: true,
    }
}

/// Said where a signal ended the reading.
const STOPPED: &str =
    "Reading was stopped before the end of the input: what was not read until then is not in this report.";

/// Gives whether something was lost, and whether part of the input was not read.
fn of_records(counts: ReadingCounts, gaps: &mut Vec<String>, tables: &mut Vec<Lines>) -> (bool, bool) {
    if counts.is_cut_short {
        gaps.push(STOPPED.to_owned());
    }
    if counts.broken > 0 {
        gaps.push(format!(
            "{} could not be read to the end: records behind that place are not in this report.",
            count(counts.broken, "file")
        ));
    }
    gaps.push(
        "This report was made from recorded flows. How many packets the observer skipped, could not decode or \
         lost is not in the records and therefore not known here: see the observer's metrics of that time."
            .to_owned(),
    );
    if counts.refused > 0 {
        let were = if counts.refused == 1 { "was no record" } else { "were no records" };
        gaps.push(format!("{} {were} of this format, and left out.", count(counts.refused, "line")));
    }
    if counts.torn > 0 {
        gaps.push(format!(
            "{} had no end, as a writer leaves it that was stopped, and was left out.",
            count(counts.torn, "line")
        ));
    }
    if counts.judged_anew > 0 {
        gaps.push(
            "The flows were judged anew, except by rules that need more than a record holds (compression, certificates, \
             addresses, later requests): of these it is taken over what was found at the time. What could not be judged \
             then, or was not required then and not plainly kept, is not assessable where it is required now."
                .to_owned(),
        );
    }
    if counts.unknown_keys > 0 {
        gaps.push(format!(
            "{} unknown to this version stand in the records and were passed over: a newer version may know more.",
            count(counts.unknown_keys, "value")
        ));
    }
    tables.push(Lines {
        title: "Lines read",
        meaning: "Every line is accounted for.",
        columns: vec!["lines", "number"],
        lines: [
            ("read", counts.lines),
            ("taken as records", counts.records),
            ("without an end", counts.torn),
            ("refused", counts.refused),
        ]
        .into_iter()
        .map(|(what, count)| vec![what.to_owned(), thousands(count)])
        .collect(),
        more: 0,
        is_numeric: true,
    });
    let is_partial = counts.is_cut_short || counts.refused + counts.torn + counts.broken > 0;
    (is_partial, is_partial)
}

/// As [`of_records`].
fn of_captures(accounts: &Accounts, gaps: &mut Vec<String>, tables: &mut Vec<Lines>) -> (bool, bool) {
    if accounts.is_cut_short {
        gaps.push(STOPPED.to_owned());
    }
    let dropped: u64 = accounts.dropped.values().sum();
    let undecoded = accounts.undecoded();
    let full: u64 =
        Eviction::LOSSES.iter().filter_map(|reason| accounts.evictions.get(reason.as_str())).sum();
    if dropped > 0 {
        gaps.push(format!("{} were lost before they could be looked at.", count(dropped, "packet")));
    }
    let not_read = accounts.damage.iter().filter(|note| note.offset.is_none()).count();
    if not_read > 0 {
        let what = if not_read == 1 { "file or folder" } else { "files or folders" };
        gaps.push(format!(
            "{} {what} inside the folders given could not be read: what they hold is not in this report.",
            thousands(not_read as u64)
        ));
    }
    let damaged = accounts.damage.len() - not_read;
    if damaged > 0 {
        gaps.push(format!("{} of the input could not be read or understood.", count(damaged as u64, "part")));
    }
    for (number, thing) in [(undecoded.packets, "packet"), (undecoded.messages, "TLS or DNS message")] {
        if number > 0 {
            gaps.push(format!("{} could not be decoded.", count(number, thing)));
        }
    }
    if full > 0 {
        gaps.push(format!("{} left the table of flows early for want of room.", count(full, "flow")));
    }
    if !accounts.files_passed_over.is_empty() {
        let verb = if accounts.files_passed_over.len() == 1 { "was" } else { "were" };
        gaps.push(format!(
            "{} in the folders given {verb} passed over: no captures.",
            count(accounts.files_passed_over.len() as u64, "file")
        ));
    }
    if accounts.other_services > 0 {
        gaps.push(format!(
            "{} to other services are left out of this report.",
            count(accounts.other_services, "TLS or HTTP flow")
        ));
    }
    flows(accounts, tables);
    losses(accounts, tables);
    packets(accounts, tables);
    let is_partial = accounts.is_cut_short || !accounts.damage.is_empty();
    (is_partial || dropped + undecoded.packets + undecoded.messages + full > 0, is_partial)
}

/// Packets by interface, the sum first.
fn packets(accounts: &Accounts, tables: &mut Vec<Lines>) {
    let sum = |stage: fn(&InterfaceCounts) -> u64| thousands(accounts.interfaces.values().map(stage).sum());
    let line = |name: String, seen, skipped, parsed, last: Option<Timestamp>| {
        vec![name, seen, skipped, parsed, last.map_or_else(|| "–".to_owned(), time)]
    };
    let mut lines = vec![line(
        "all".to_owned(),
        sum(|counts| counts.seen.packets),
        sum(|counts| counts.skipped.packets),
        sum(|counts| counts.parsed.packets),
        accounts.last_packet,
    )];
    lines.extend(accounts.interfaces.iter().take(MAX_LINES).map(|(name, counts)| {
        line(
            shown(name).into_owned(),
            thousands(counts.seen.packets),
            thousands(counts.skipped.packets),
            thousands(counts.parsed.packets),
            counts.last_packet,
        )
    }));
    let more = accounts.interfaces.len().saturating_sub(MAX_LINES);
    tables.push(Lines {
        title: "Packets by interface",
        meaning: "Seen is the sum of skipped and looked into. A file that names no interface stands with its own name.",
        columns: vec!["interface", "seen", "skipped", "looked into", "last packet"],
        lines,
        more,
        is_numeric: true,
    });
}

/// What became of the flows.
fn flows(accounts: &Accounts, tables: &mut Vec<Lines>) {
    let mut lines = vec![
        vec!["opened".to_owned(), thousands(accounts.flows_opened)],
        vec!["reported here".to_owned(), thousands(accounts.records)],
    ];
    lines.extend(
        accounts
            .evictions
            .iter()
            .map(|(reason, flows)| vec![format!("left out: {reason}"), thousands(*flows)]),
    );
    lines.push(vec!["still open".to_owned(), thousands(accounts.flows_open)]);
    tables.push(Lines {
        title: "What became of each TCP flow",
        meaning: "Opened is the sum of all other lines.",
        columns: vec!["flows", "number"],
        lines,
        more: 0,
        is_numeric: true,
    });
}

fn losses(accounts: &Accounts, tables: &mut Vec<Lines>) {
    let mut add = |title, meaning, columns, lines: Vec<Vec<String>>, all: usize, is_numeric| {
        if !lines.is_empty() {
            let more = all - lines.len();
            tables.push(Lines { title, meaning, columns, lines, more, is_numeric });
        }
    };
    add(
        "Packets rightly not looked into",
        "They carry nothing this program looks for.",
        vec!["reason", "packets"],
        accounts
            .skipped
            .iter()
            .map(|(reason, count)| vec![(*reason).to_owned(), thousands(*count)])
            .collect(),
        accounts.skipped.len(),
        true,
    );
    add(
        "Packets and messages that could not be decoded",
        "They claim to be something and are not, are cut, or a part of them is missing. Of tls and dns it is messages.",
        vec!["layer and reason", "number"],
        accounts
            .decode_errors
            .iter()
            .map(|((layer, reason), count)| vec![format!("{layer}: {reason}"), thousands(*count)])
            .collect(),
        accounts.decode_errors.len(),
        true,
    );
    add(
        "Packets lost",
        "Lost before this program could look at them, as the capture itself records or as it was counted.",
        vec!["interface, stage and reason", "packets"],
        accounts
            .dropped
            .iter()
            .take(MAX_LINES)
            .map(|((interface, stage, reason), count)| {
                vec![format!("{}, {stage}: {reason}", shown(interface)), thousands(*count)]
            })
            .collect(),
        accounts.dropped.len(),
        true,
    );
    let (damaged, not_read): (Vec<_>, Vec<_>) =
        accounts.damage.iter().partition(|note| note.offset.is_some());
    add(
        "Not read",
        "They stand in a folder that was given, and may be captures or hold some.",
        vec!["file or folder", "why"],
        not_read
            .iter()
            .take(MAX_LINES)
            .map(|note| vec![shown(&note.file).into_owned(), shown(&note.what).into_owned()])
            .collect(),
        not_read.len(),
        false,
    );
    add(
        "Damage",
        "What comes before the place, and after it where the format allows, was read.",
        vec!["file", "byte", "what"],
        damaged
            .iter()
            .take(MAX_LINES)
            .map(|note| {
                let byte = note.offset.map(thousands).unwrap_or_default();
                vec![shown(&note.file).into_owned(), byte, shown(&note.what).into_owned()]
            })
            .collect(),
        damaged.len(),
        false,
    );
    add(
        "Files passed over",
        "They stand in a folder that was given, and are no captures.",
        vec!["file"],
        accounts
            .files_passed_over
            .iter()
            .take(MAX_LINES)
            .map(|file| vec![shown(file).into_owned()])
            .collect(),
        accounts.files_passed_over.len(),
        false,
    );
}
