//! Tables: flows, clients, broken rules.

use super::canvas::Canvas;
use crate::model::{Judgement, Severity};
use crate::top::details::sign;
use crate::top::page::heading;
use crate::top::picture::{BrokenRule, Flow, Offender};
use crate::top::state::State;
use crate::top::words::{Piece, Tone, clock, day_and_clock};
use crate::view::text::{count, fit, thousands, width};
use crate::view::{Column, layout, short_cipher};

/// Columns between two columns.
const GAP: usize = 1;

/// Rows of a table: the sign in front of each, its tone, and the cells.
pub(super) struct Table {
    marks: Vec<(&'static str, Tone)>,
    columns: Vec<Column>,
}

impl Table {
    /// Draws rows from `top` to before `end`; `chosen` is marked. The column titles take a line where there are any.
    pub(super) fn draw(
        mut self,
        canvas: &mut Canvas<'_>,
        (top, end): (usize, usize),
        has_titles: bool,
        chosen: Option<usize>,
    ) {
        let signs = canvas.signs();
        let mark_columns = self.marks.iter().map(|(sign, _)| width(sign)).max().unwrap_or_default() + 2;
        let room = canvas.columns().saturating_sub(mark_columns);
        let widths = layout(&mut self.columns, room, GAP);
        let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
            let mut text = String::new();
            for (cell, room) in cells.zip(&widths) {
                let cell = fit(cell, *room, signs.ellipsis);
                text.push_str(&cell);
                text.push_str(&" ".repeat(room + GAP - width(&cell)));
            }
            text.trim_end().to_owned()
        };
        let mut at = top;
        if has_titles {
            let titles = line(&mut self.columns.iter().map(|column| column.title));
            canvas.put(at, mark_columns, &[(titles, Tone::Quiet)]);
            at += 1;
        }
        for (row, (sign, tone)) in self.marks.iter().enumerate().take(end.saturating_sub(at)) {
            let cells =
                line(&mut self.columns.iter().map(|column| column.cells.get(row).map_or("", String::as_str)));
            let is_chosen = chosen == Some(row) && !canvas.look().is_text;
            let mark = if is_chosen { ">" } else { " " };
            let sign = format!("{mark}{sign}{}", " ".repeat(mark_columns.saturating_sub(1 + width(sign))));
            let pieces: [Piece; 2] = [(sign, *tone), (cells, Tone::Plain)];
            if is_chosen {
                canvas.put_chosen(at + row, &pieces);
            } else {
                canvas.put(at + row, 0, &pieces);
            }
        }
    }
}

/// The first row to show, so that the chosen one is among `room` rows.
pub(super) const fn first_row(chosen: usize, room: usize) -> usize {
    (chosen + 1).saturating_sub(if room == 0 { 1 } else { room })
}

fn column(title: &'static str, least: usize, keep: u8, cells: Vec<String>) -> Column {
    // What is safe is settled before it is measured.
    let cells = cells.iter().map(|cell| crate::view::text::plain(cell).into_owned()).collect();
    Column { title, least, keep, cells }
}

/// Numbers one below the other.
fn numbers(title: &'static str, keep: u8, cells: Vec<String>) -> Column {
    let wide = cells.iter().map(|cell| width(cell)).chain([width(title)]).max().unwrap_or_default();
    let cells = cells.iter().map(|cell| " ".repeat(wide - width(cell)) + cell).collect();
    Column { title, least: wide, keep, cells }
}

/// A table of these flows.
pub(super) fn flows(flows: &[&Flow], canvas: &Canvas<'_>) -> Table {
    let signs = canvas.signs();
    let of = |text: &dyn Fn(&Flow) -> String| flows.iter().map(|flow| text(flow)).collect::<Vec<_>>();
    let marks = flows.iter().map(|flow| match flow.judged {
        Judgement::Critical => (signs.critical, Tone::Critical),
        Judgement::Warning => (signs.warning, Tone::Warning),
        Judgement::NotAssessable => (signs.unclear, Tone::Unclear),
        Judgement::Pass => (signs.good, Tone::Good),
        Judgement::NotJudged => ("", Tone::Quiet),
    });
    // The name in full where there is room for it, else what it comes to.
    let is_wide = canvas.columns() >= 120;
    let names = if is_wide { of(&|flow| flow.name.clone()) } else { Vec::new() };
    Table {
        marks: marks.collect(),
        columns: vec![
            column(
                "Time",
                if is_wide { 19 } else { 8 },
                0,
                of(&|flow| when(&flow.timestamp.to_string(), is_wide)),
            ),
            column("Client", 12, 0, of(&|flow| flow.client.ip().to_string())),
            column("Server name", 24, 4, names),
            column("Endpoint", 9, 1, of(&|flow| flow.line.endpoint.clone())),
            column("Version", 7, 0, of(&|flow| flow.line.version.clone())),
            column("Cipher", 8, 3, of(&|flow| short_cipher(&flow.line.cipher))),
            column("Path", 7, 2, of(&|flow| flow.line.path.clone())),
            column(
                "Outcome",
                9,
                5,
                if canvas.columns() >= 160 { of(&|flow| flow.line.outcome.clone()) } else { Vec::new() },
            ),
            column("Verdict", if canvas.columns() < 80 { 16 } else { 19 }, 0, of(&Flow::judgement)),
        ],
    }
}

fn when(rfc3339: &str, has_day: bool) -> String {
    if has_day { day_and_clock(rfc3339) } else { clock(rfc3339).to_owned() }
}

/// A table of these clients; without titles numbers say what they count.
pub(super) fn clients(clients: &[&Offender], canvas: &Canvas<'_>, has_titles: bool) -> Table {
    let signs = canvas.signs();
    let of =
        |text: &dyn Fn(&Offender) -> String| clients.iter().map(|client| text(client)).collect::<Vec<_>>();
    let gravest = |client: &Offender| client.rules.first().map_or(Severity::Info, |rule| rule.severity);
    let number = |flows| if has_titles { thousands(flows) } else { count(flows, "flow") };
    Table {
        marks: clients.iter().map(|client| sign(gravest(client), signs)).collect(),
        columns: vec![
            column("Client", 12, 0, of(&|client| client.address.to_string())),
            numbers(if has_titles { "Flows" } else { "" }, 0, of(&|client| number(client.flows))),
            column("Gravest", 8, 3, of(&|client| gravest(client).to_string())),
            column("Rules", 19, 0, of(&rules_of)),
            column("Software", 12, 1, of(&|client| client.software.clone().unwrap_or_default())),
            column("Newest", 8, 2, of(&|client| clock(&client.last).to_owned())),
        ],
    }
}

/// The gravest rule, and how many more.
fn rules_of(client: &Offender) -> String {
    match client.rules.as_slice() {
        [] => String::new(),
        [one] => one.rule.clone(),
        [first, rest @ ..] => format!("{} +{}", first.rule, rest.len()),
    }
}

/// A table of these rules, without titles.
pub(super) fn rules(rules: &[&BrokenRule], canvas: &Canvas<'_>) -> Table {
    let signs = canvas.signs();
    let of = |text: &dyn Fn(&BrokenRule) -> String| rules.iter().map(|rule| text(rule)).collect::<Vec<_>>();
    let clients = |rule: &BrokenRule| {
        let more = if rule.has_more_clients { ">" } else { "" };
        format!("{more}{}", count(rule.clients, "client"))
    };
    let named = |rule: &BrokenRule| {
        let worst =
            rule.worst.iter().map(|client| format!("{} ({})", client.address, thousands(client.flows)));
        worst.collect::<Vec<_>>().join(", ")
    };
    // Half a sentence says nothing.
    let messages = if canvas.columns() >= 120 { of(&|rule| rule.message.clone()) } else { Vec::new() };
    Table {
        marks: rules.iter().map(|rule| sign(rule.severity, signs)).collect(),
        columns: vec![
            column("", 8, 0, of(&|rule| rule.severity.to_string())),
            column("", 19, 0, of(&|rule| rule.rule.clone())),
            numbers("", 0, of(&|rule| count(rule.flows, "flow"))),
            numbers("", 0, of(&clients)),
            column("", 8, 1, of(&named)),
            column("", 30, 2, messages),
        ],
    }
}

/// The whole flow table.
pub(super) fn flows_view(state: &State, canvas: &mut Canvas<'_>, (top, end): (usize, usize)) {
    let (shown, all) = (state.flows().len() as u64, state.picture.flows.len() as u64);
    let (order, is_reversed) = state.flow_order;
    let kept = if state.picture.forgotten_flows > 0 { "kept flow" } else { "flow" };
    let part = if shown == all { String::new() } else { format!("{} of ", thousands(shown)) };
    let title = format!("{part}{}, {}", count(all, kept), order.words(is_reversed));
    let line = heading(&title, canvas.columns(), canvas.signs());
    canvas.put(top, 0, &line);
    if shown == 0 {
        return nothing(state, canvas, top + 1, "No flow was reported yet.");
    }
    let room = end.saturating_sub(top + 2);
    let first = first_row(state.cursor(), room);
    let rows: Vec<&Flow> = state.flows().skip(first).take(room).flatten().collect();
    flows(&rows, canvas).draw(canvas, (top + 1, end), true, Some(state.cursor() - first));
}

/// The whole client table.
pub(super) fn clients_view(state: &State, canvas: &mut Canvas<'_>, (top, end): (usize, usize)) {
    let offenders = &state.picture.summary.offenders;
    let (order, is_reversed) = state.client_order;
    let more = if offenders.has_more_clients { "more than " } else { "" };
    let clients_in_all = format!("{more}{}", count(offenders.clients, "client"));
    let shown = state.clients().len() as u64;
    let number = if shown == offenders.clients && !offenders.has_more_clients {
        clients_in_all
    } else {
        format!("{} of {clients_in_all}", thousands(shown))
    };
    let title = format!("Who must act: {number} with violating flows, {}", order.words(is_reversed));
    let line = heading(&title, canvas.columns(), canvas.signs());
    canvas.put(top, 0, &line);
    if shown == 0 {
        return nothing(state, canvas, top + 1, "No client breaks a rule.");
    }
    let room = end.saturating_sub(top + 2);
    let first = first_row(state.cursor(), room);
    let rows: Vec<&Offender> = state.clients().skip(first).take(room).flatten().collect();
    clients(&rows, canvas, true).draw(canvas, (top + 1, end), true, Some(state.cursor() - first));
}

/// In place of an empty table.
pub(super) fn nothing(state: &State, canvas: &mut Canvas<'_>, line: usize, text: &str) {
    let text = if state.filter.is_empty() {
        format!("  {text}")
    } else {
        format!("  Nothing passes the filter {}; Esc takes it away.", state.filter.text())
    };
    canvas.put(line, 0, &[(text, Tone::Quiet)]);
}
