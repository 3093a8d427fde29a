//! The flow table: as many columns as the screen has room for, none of them wrapped.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement};

use super::page::{Page, Signs, Tone, piece};
use super::summary::{Line, Summary};
use super::text::{count, fit, plain, thousands, width};
use crate::model::Judgement;

/// One column of the flow table.
#[derive(Clone, Debug)]
pub struct Column {
    pub title: &'static str,
    /// Below this the column says nothing any more; it is then left out.
    pub least: usize,
    /// The columns with the highest number go first where there is no room; those with 0 never go.
    pub keep: u8,
    pub cells: Vec<String>,
}

impl Column {
    fn natural(&self) -> usize {
        self.cells.iter().map(|cell| width(cell)).chain([width(self.title)]).max().unwrap_or_default()
    }
}

/// The worst and most frequent flows, at most `number` lines; equal ones share a line.
pub(super) fn flows(page: &mut Page, summary: &Summary, number: usize) {
    let mut rows: Vec<(Judgement, &Line, u64)> = Vec::new();
    for judgement in Judgement::ALL {
        if let Some(lines) = summary.lines.get(&judgement) {
            rows.extend(
                lines
                    .top(number - rows.len().min(number))
                    .into_iter()
                    .map(|(line, flows)| (judgement, line, flows)),
            );
        }
    }
    if rows.is_empty() {
        return;
    }
    page.heading("Flows");
    let shown: u64 = rows.iter().map(|(_, _, flows)| flows).sum();
    draw(page, &rows);
    if shown < summary.flows {
        let more = count(summary.flows - shown, "more flow");
        let text = format!("{} and {more}; --format jsonl shows all", page.signs().ellipsis);
        page.line(2, &[piece(text, Tone::Quiet)]);
    }
}

fn draw(page: &mut Page, rows: &[(Judgement, &Line, u64)]) {
    let of = |text: &dyn Fn(&(Judgement, &Line, u64)) -> String| -> Vec<String> {
        rows.iter().map(|row| plain(&text(row)).into_owned()).collect()
    };
    let signs = page.signs();
    let column = |title, least, keep, cells| Column { title, least, keep, cells };
    let mut columns = vec![
        column("", 1, 0, of(&|(judgement, ..)| sign(signs, *judgement).0.to_owned())),
        column("#", 1, 0, of(&|(_, _, flows)| thousands(*flows))),
        column("Client", 12, 0, of(&|(_, line, _)| line.client.to_string())),
        column("Endpoint", 20, 2, of(&|(_, line, _)| line.endpoint.clone())),
        column("Version", 7, 1, of(&|(_, line, _)| line.version.clone())),
        column("Cipher", 18, 5, of(&|(_, line, _)| short_cipher(&line.cipher))),
        column("Group", 10, 7, of(&|(_, line, _)| line.group.clone())),
        column("FS", 3, 6, of(&|(_, line, _)| line.forward_secrecy.to_owned())),
        column("Path", 18, 3, of(&|(_, line, _)| line.path.clone())),
        column("Outcome", 9, 4, of(&|(_, line, _)| line.outcome.clone())),
    ];
    let widths = layout(&mut columns, page.width(), GAP.into());
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if page.has_color() {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    let cut = |text: &str, room: usize| Cell::new(fit(text, room, signs.ellipsis));
    table.style_text_only();
    table.set_header(
        columns
            .iter()
            .zip(&widths)
            .map(|(column, room)| cut(column.title, *room).add_attribute(Attribute::Dim)),
    );
    for (number, (judgement, ..)) in rows.iter().enumerate() {
        table.add_row(columns.iter().zip(&widths).map(|(column, room)| {
            let cell = cut(column.cells.get(number).map_or("", String::as_str), *room);
            match (column.title, sign(signs, *judgement).1) {
                ("", Some(color)) => cell.fg(color),
                _ => cell,
            }
        }));
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(drawn) = table.column_mut(index) {
            drawn.set_padding((0, if index + 1 == columns.len() { 0 } else { GAP }));
            if column.title == "#" {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for line in table.lines() {
        page.ready(&line);
    }
}

/// The name of a suite without what all names have in common.
#[must_use]
pub fn short_cipher(name: &str) -> String {
    name.strip_prefix("TLS_").unwrap_or(name).replacen("_WITH_", "_", 1)
}

/// Columns between two columns.
const GAP: u16 = 2;

/// Leaves out columns and gives each of the rest its width, so that all fit into `room` with `gap` between
/// them.
pub fn layout(columns: &mut Vec<Column>, room: usize, gap: usize) -> Vec<usize> {
    // A column in which nothing stands says nothing.
    columns.retain(|column| column.cells.iter().any(|cell| !cell.is_empty()));
    loop {
        let gaps = gap * columns.len().saturating_sub(1);
        let mut widths: Vec<usize> = columns.iter().map(Column::natural).collect();
        let least = |column: &Column, natural: usize| natural.min(column.least.max(width(column.title)));
        let smallest: usize = columns.iter().zip(&widths).map(|(column, width)| least(column, *width)).sum();
        let last = columns
            .iter()
            .enumerate()
            .max_by_key(|(_, column)| column.keep)
            .map(|(index, column)| (index, column.keep));
        if smallest + gaps > room
            && let Some((index, keep)) = last
            && keep > 0
        {
            columns.remove(index);
            continue;
        }
        while widths.iter().sum::<usize>() + gaps > room {
            // The column with most to give gives one.
            let widest = columns
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(index, (column, width))| (width - least(column, *width), index))
                .max_by_key(|(spare, index)| (*spare, std::cmp::Reverse(*index)));
            match widest.and_then(|(spare, index)| Some((spare, widths.get_mut(index)?))) {
                Some((spare, width)) if spare > 0 => *width -= 1,
                _ => break,
            }
        }
        return widths;
    }
}

fn sign(signs: &Signs, judgement: Judgement) -> (&'static str, Option<Color>) {
    match judgement {
        Judgement::Critical => (signs.critical, Some(Color::Red)),
        Judgement::Warning => (signs.warning, Some(Color::Yellow)),
        Judgement::NotAssessable => (signs.unclear, Some(Color::Cyan)),
        Judgement::Pass => (signs.good, Some(Color::Green)),
        Judgement::NotJudged => ("", None),
    }
}
