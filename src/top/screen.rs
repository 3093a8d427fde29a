//! The screen: what the state looks like, cell by cell. Pure: the same state and size give the same cells.
//!
//! Everything goes through [`Canvas::put`], which writes out whatever a terminal would act on.

mod canvas;
mod overview;
mod tables;

use ratatui::Frame;

use self::canvas::Canvas;
use super::page::{Line, heading, wrap};
use super::state::{State, View};
use super::words::{Tone, clock, day_and_clock, span, subject};
use crate::view::text::{count, thousands, width};

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub has_color: bool,
    pub is_unicode: bool,
    /// For a file or a pipe: without keys and without a choice.
    pub is_text: bool,
}

/// Below this nothing can be laid out.
const LEAST_COLUMNS: usize = 60;
const LEAST_LINES: usize = 16;

/// Draws all of it.
pub fn draw(state: &State, look: Look, frame: &mut Frame<'_>) {
    let mut canvas = Canvas::new(frame.buffer_mut(), look, state.signs);
    if canvas.columns() < LEAST_COLUMNS || canvas.lines() < LEAST_LINES {
        return too_small(&mut canvas);
    }
    title(state, &mut canvas);
    let last = canvas.lines() - 1;
    let mut top = if look.is_text { 1 } else { 2 };
    if !look.is_text {
        tabs(state, &mut canvas);
        foot(state, &mut canvas, last);
    }
    if let Some(why) = &state.trouble {
        let text = format!("{} No answer: {why}", state.signs.warning);
        canvas.put(top, 0, &[(text, Tone::Critical)]);
        top += 1;
    }
    let end = if look.is_text { last + 1 } else { last };
    if let (Some((title, at)), Some(lines)) = (state.opened(), state.opened_lines()) {
        return page(&mut canvas, title, &lines, at, (top, end));
    }
    match state.view {
        View::Overview => overview::draw(state, &mut canvas, (top, end)),
        View::Flows => tables::flows_view(state, &mut canvas, (top, end)),
        View::Clients => tables::clients_view(state, &mut canvas, (top, end)),
        View::NotSeen => {
            let title = View::NotSeen.title();
            page(&mut canvas, title, &state.not_seen_lines(), state.cursor(), (top, end));
        }
    }
}

fn too_small(canvas: &mut Canvas<'_>) {
    let text = format!(
        "This window has {} columns and {} lines; ddbwatch top needs {LEAST_COLUMNS} and {LEAST_LINES}. q quits.",
        canvas.columns(),
        canvas.lines()
    );
    for (line, text) in wrap(&text, canvas.columns()).into_iter().enumerate() {
        canvas.put(line, 0, &[(text, Tone::Plain)]);
    }
}

/// Where the picture comes from, of which time it is, and how fresh.
fn title(state: &State, canvas: &mut Canvas<'_>) {
    let picture = &state.picture;
    let summary = &picture.summary;
    let dot = state.signs.dot;
    let period = span(&summary.started, &summary.now).unwrap_or_default();
    let left = if picture.is_of_captures {
        let from = day_and_clock(&summary.started);
        if summary.packets.seen == 0 {
            format!("ddbwatch top{dot}{}", state.source)
        } else {
            format!("ddbwatch top{dot}{}{dot}{from} UTC, {period}", state.source)
        }
    } else {
        format!("ddbwatch top{dot}{}{dot}{} for {period}", state.source, subject(picture))
    };
    let now = clock(&summary.now);
    let right = if state.trouble.is_some() {
        format!("STALE since {now}")
    } else if state.is_paused {
        let newer = if state.has_newer() { ", newer waits" } else { "" };
        format!("HELD at {now}{newer}")
    } else if picture.is_of_captures {
        count(summary.packets.seen, "packet")
    } else {
        format!("{now} UTC")
    };
    canvas.bar(0, &left, &right);
}

fn tabs(state: &State, canvas: &mut Canvas<'_>) {
    let mut pieces = Vec::new();
    for (number, view) in View::ALL.into_iter().enumerate() {
        let text = format!("{} {}", number + 1, view.title());
        let (text, tone) = if view == state.view {
            (format!("[{text}]"), Tone::Heading)
        } else {
            (format!(" {text} "), Tone::Quiet)
        };
        pieces.push((text, tone));
        pieces.push((" ".to_owned(), Tone::Plain));
    }
    if !state.filter.is_empty() && state.typed.is_none() {
        pieces.push((format!(" filter: {}", state.filter.text()), Tone::Warning));
    }
    canvas.put(1, 0, &pieces);
    let (verdicts, signs) = (&state.picture.summary.verdicts, state.signs);
    let counts = [
        (format!(" {} {}", signs.critical, thousands(verdicts.violation)), Tone::Critical),
        (format!("  {} {}", signs.unclear, thousands(verdicts.not_assessable)), Tone::Unclear),
        (format!("  {} {}", signs.good, thousands(verdicts.pass)), Tone::Good),
    ];
    let wide = counts.iter().map(|(text, _)| width(text)).sum();
    canvas.put(1, canvas.columns().saturating_sub(wide), &counts);
}

/// The keys, or what is typed.
fn foot(state: &State, canvas: &mut Canvas<'_>, line: usize) {
    if let Some(typed) = &state.typed {
        // The end of what is typed stays in sight.
        let room = canvas.columns().saturating_sub(32);
        let mut shown: String = typed.clone();
        while width(&shown) > room {
            shown.remove(0);
        }
        canvas.put(line, 0, &[(format!("/{shown}_"), Tone::Heading)]);
        let hint = "Enter keeps it, Esc clears it";
        canvas.put(line, canvas.columns() - hint.len(), &[(hint.to_owned(), Tone::Quiet)]);
        return;
    }
    let arrows = if canvas.look().is_unicode { "↑↓" } else { "j k" };
    let is_open = state.opened().is_some();
    // The way out and the help stand first: in a narrow window the end is cut.
    let always = [("q", "quit"), ("?", "help")];
    let others: &[(&str, &str)] = match state.view {
        _ if is_open => &[("Esc", "back"), (arrows, "scroll"), ("f", "its flows")],
        View::Overview => &[
            ("Tab", "view"),
            (arrows, "rule"),
            ("Enter", "explain"),
            ("f", "flows"),
            ("/", "filter"),
            ("Space", "hold"),
        ],
        View::Flows | View::Clients => &[
            ("Tab", "view"),
            (arrows, "choose"),
            ("Enter", "details"),
            ("/", "filter"),
            ("s", "sort"),
            ("Space", "hold"),
        ],
        View::NotSeen => &[("Tab", "view"), (arrows, "scroll"), ("Space", "hold"), ("r", "ask now")],
    };
    let keys = always.iter().chain(others);
    let mut pieces = Vec::new();
    for (number, (key, text)) in keys.enumerate() {
        let gap = if number == 0 { "" } else { "  " };
        pieces.push((format!("{gap}{key}"), Tone::Heading));
        pieces.push((format!(" {text}"), Tone::Quiet));
    }
    canvas.put(line, 0, &pieces);
}

/// A text from line `at` on.
fn page(canvas: &mut Canvas<'_>, title: &str, lines: &[Line], at: usize, (top, end): (usize, usize)) {
    let room = end.saturating_sub(top + 1);
    let shown = lines.len().saturating_sub(at).min(room);
    let title = if lines.len() > room {
        format!("{title} ({} to {} of {} lines)", at + 1, at + shown, lines.len())
    } else {
        title.to_owned()
    };
    let heading = heading(&title, canvas.columns(), canvas.signs());
    canvas.put(top, 0, &heading);
    for (offset, line) in lines.iter().skip(at).take(room).enumerate() {
        canvas.put(top + 1 + offset, 0, line);
    }
}

#[cfg(test)]
mod tests;
