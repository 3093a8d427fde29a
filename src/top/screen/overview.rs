//! The first screen: how things are, what is wrong, who must act, what was not seen, what came last.

use super::canvas::Canvas;
use super::tables::{self, first_row, nothing};
use crate::top::page::{heading, wrap};
use crate::top::picture::{BrokenRule, Flow, Offender};
use crate::top::state::State;
use crate::top::words::{Piece, Tone, judgement, not_seen};
use crate::view::text::{count, thousands, width};

/// Lines that a sentence may take.
const SENTENCE_LINES: usize = 2;

pub(super) fn draw(state: &State, canvas: &mut Canvas<'_>, (top, end): (usize, usize)) {
    let mut at = top;
    for sentence in [judgement(&state.picture.summary, state.signs), not_seen(&state.picture, state.signs)] {
        at = paragraph(canvas, at, 0, &sentence, SENTENCE_LINES);
    }
    verdicts(state, canvas, at);
    at += 1;

    let (rules, clients) = (state.rules().len(), state.clients().len());
    // Three headings, the titles of the flows, and the remedy of the chosen rule.
    let remedy_lines = if canvas.lines() >= 30 { 2 } else { 1 };
    let room = end.saturating_sub(at + 4 + remedy_lines);
    let for_clients = clients.clamp(1, (room / 4).max(1));
    let for_rules = rules.clamp(1, (room * 9 / 20).max(1));

    at = rules_section(state, canvas, at, for_rules, remedy_lines);
    at = clients_section(state, canvas, at, for_clients);
    flows_section(state, canvas, (at, end));
}

/// Draws a sentence over at most so many lines; gives the line behind it.
fn paragraph(canvas: &mut Canvas<'_>, at: usize, indent: usize, (text, tone): &Piece, lines: usize) -> usize {
    let mut wrapped = wrap(text, canvas.columns().saturating_sub(indent + 2));
    if wrapped.len() > lines {
        // What finds no room is cut and not forgotten.
        let rest = wrapped.split_off(lines.saturating_sub(1)).join(" ");
        wrapped.push(rest);
    }
    for (offset, line) in wrapped.iter().enumerate() {
        let indent = if offset == 0 { indent } else { indent + 2 };
        canvas.put(at + offset, indent, &[(line.clone(), *tone)]);
    }
    at + wrapped.len()
}

/// How many flows of each verdict, and their shares as a bar.
fn verdicts(state: &State, canvas: &mut Canvas<'_>, line: usize) {
    let verdicts = &state.picture.summary.verdicts;
    let signs = state.signs;
    let [bad, unclear, good] = if canvas.look().is_unicode { ['█', '▒', '░'] } else { ['#', '?', '.'] };
    let counts = [
        (verdicts.violation, signs.critical, "violation", Tone::Critical, bad),
        (verdicts.not_assessable, signs.unclear, "not assessable", Tone::Unclear, unclear),
        (verdicts.pass, signs.good, "pass", Tone::Good, good),
    ];
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, sign, word, tone, _) in counts {
        pieces.push((format!("{sign} {} {word}   ", thousands(number)), tone));
    }
    let used: usize = pieces.iter().map(|(text, _)| width(text)).sum();
    let all: u64 = counts.iter().map(|(number, ..)| number).sum();
    let room = canvas.columns().saturating_sub(used) as u64;
    let mut drawn = 0;
    let mut sum = 0;
    for (number, _, _, tone, cell) in counts {
        sum += number;
        // Whatever is there is seen, however few it is.
        let least = u64::from(number > 0);
        let until = u128::from(sum) * u128::from(room) / u128::from(all.max(1));
        let length = u64::try_from(until).unwrap_or(room).saturating_sub(drawn).max(least).min(room - drawn);
        drawn += length;
        let length = usize::try_from(length).unwrap_or_default();
        pieces.push((std::iter::repeat_n(cell, length).collect(), tone));
    }
    canvas.put(line, 0, &pieces);
}

fn section(canvas: &mut Canvas<'_>, at: usize, title: &str) {
    let line = heading(title, canvas.columns(), canvas.signs());
    canvas.put(at, 0, &line);
}

fn rules_section(
    state: &State,
    canvas: &mut Canvas<'_>,
    at: usize,
    room: usize,
    remedy_lines: usize,
) -> usize {
    let all = state.rules().len();
    let chosen = state.chosen_rule_row();
    let first = first_row(chosen, room);
    let rows: Vec<&BrokenRule> = state.rules().skip(first).take(room).flatten().collect();
    let broken = state.rules().flatten().filter(|rule| rule.severity.counts()).count();
    let mut title = match broken {
        0 => "What is wrong: nothing".to_owned(),
        broken => format!("What is wrong: {}", count(broken as u64, "broken rule")),
    };
    if all > broken {
        title.push_str(&format!(", {} worth knowing", all - broken));
    }
    if all > rows.len() {
        title.push_str(&format!(" ({} to {} shown)", first + 1, first + rows.len()));
    }
    section(canvas, at, &title);
    let begin = at + 1;
    if rows.is_empty() {
        nothing(state, canvas, begin, "No rule was broken.");
        return begin + 1;
    }
    tables::rules(&rows, canvas).draw(canvas, (begin, begin + rows.len()), false, Some(chosen - first));
    let Some(rule) = state.chosen_rule() else { return begin + rows.len() };
    let remedy = (format!("{} {}", state.signs.arrow, rule.remedy), Tone::Heading);
    paragraph(canvas, begin + rows.len(), 4, &remedy, remedy_lines)
}

fn clients_section(state: &State, canvas: &mut Canvas<'_>, at: usize, room: usize) -> usize {
    let offenders = &state.picture.summary.offenders;
    let rows: Vec<&Offender> = state.clients().take(room).flatten().collect();
    let more = if offenders.has_more_clients { "more than " } else { "" };
    let title = if rows.len() as u64 == offenders.clients {
        format!("Who must act: {}", count(offenders.clients, "client"))
    } else {
        format!("Who must act: {} of {more}{}", rows.len(), count(offenders.clients, "client"))
    };
    section(canvas, at, &title);
    let begin = at + 1;
    if rows.is_empty() {
        nothing(state, canvas, begin, "No client breaks a rule.");
        return begin + 1;
    }
    let end = begin + rows.len();
    tables::clients(&rows, canvas, false).draw(canvas, (begin, end), false, None);
    end
}

fn flows_section(state: &State, canvas: &mut Canvas<'_>, (at, end): (usize, usize)) {
    let (order, is_reversed) = state.flow_order;
    section(canvas, at, &format!("Flows, {}", order.words(is_reversed)));
    let rows: Vec<&Flow> = state.flows().take(end.saturating_sub(at + 2)).flatten().collect();
    if rows.is_empty() {
        return nothing(state, canvas, at + 1, "No flow was reported yet.");
    }
    tables::flows(&rows, canvas).draw(canvas, (at + 1, end), true, None);
}
