//! Text to scroll: headings, labelled values and paragraphs, wrapped for the width at hand.

use super::words::{Piece, Tone};
use crate::view::Signs;
use crate::view::text::{fit, plain, width};

/// The most lines of a page; a hello of a stranger may list thousands of suites.
const MAX_LINES: usize = 5_000;

/// One line, in pieces of one tone each.
pub(super) type Line = Vec<Piece>;

#[derive(Clone, Debug)]
enum Item {
    Heading(String),
    Paragraph { indent: usize, text: String, tone: Tone },
    Labelled { label: String, text: String, tone: Tone },
}

/// A text that is not laid out yet.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub title: String,
    items: Vec<Item>,
}

impl Page {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), items: Vec::new() }
    }

    pub(super) fn heading(&mut self, title: impl Into<String>) {
        self.items.push(Item::Heading(title.into()));
    }

    pub(super) fn paragraph(&mut self, indent: usize, text: impl Into<String>, tone: Tone) {
        self.items.push(Item::Paragraph { indent, text: text.into(), tone });
    }

    pub(super) fn labelled(&mut self, label: impl Into<String>, text: impl Into<String>, tone: Tone) {
        self.items.push(Item::Labelled { label: label.into(), text: text.into(), tone });
    }

    /// The lines, none wider than `columns`, without anything a terminal would act on.
    pub(super) fn lines(&self, columns: usize, signs: &Signs) -> Vec<Line> {
        let labels = self.items.iter().filter_map(|item| match item {
            Item::Labelled { label, .. } => Some(width(label)),
            _ => None,
        });
        // Long labels have their values on the next line.
        let label_columns = labels.filter(|wide| *wide <= columns / 3).max().unwrap_or_default();
        let mut lines: Vec<Line> = Vec::new();
        for item in &self.items {
            if lines.len() > MAX_LINES {
                lines.push(vec![(format!("{} more was left out", signs.ellipsis), Tone::Quiet)]);
                break;
            }
            match item {
                Item::Heading(title) => {
                    if !lines.is_empty() {
                        lines.push(Vec::new());
                    }
                    lines.push(heading(title, columns, signs));
                }
                Item::Paragraph { indent, text, tone } => {
                    // What follows an arrow stands below it.
                    let hanging = if text.starts_with(signs.arrow) { width(signs.arrow) + 1 } else { 0 };
                    let wrapped = wrap(text, columns.saturating_sub(indent + hanging));
                    for (number, line) in wrapped.into_iter().enumerate() {
                        let indent = if number == 0 { *indent } else { indent + hanging };
                        lines.push(vec![(" ".repeat(indent) + &line, *tone)]);
                    }
                }
                Item::Labelled { label, text, tone } => {
                    let label = fit(&plain(label), columns.saturating_sub(2), signs.ellipsis).into_owned();
                    let start = label_columns + 4;
                    let wrapped = wrap(text, columns.saturating_sub(start));
                    let mut wrapped = wrapped.into_iter();
                    let beside = if width(&label) > label_columns { None } else { wrapped.next() };
                    let room = " ".repeat(start.saturating_sub(2 + width(&label)));
                    lines.push(match beside {
                        Some(text) => vec![("  ".to_owned() + &label + &room, Tone::Quiet), (text, *tone)],
                        None => vec![("  ".to_owned() + &label, Tone::Quiet)],
                    });
                    lines.extend(wrapped.map(|text| vec![(" ".repeat(start) + &text, *tone)]));
                }
            }
        }
        lines
    }
}

/// A title and a rule behind it.
pub(super) fn heading(title: &str, columns: usize, signs: &Signs) -> Line {
    let title = fit(&plain(title), columns, signs.ellipsis).into_owned();
    let rest = columns.saturating_sub(width(&title) + 1);
    let rule: String = std::iter::repeat_n(signs.rule, rest).collect();
    if rest == 0 {
        return vec![(title, Tone::Heading)];
    }
    vec![(title, Tone::Heading), (" ".to_owned() + &rule, Tone::Quiet)]
}

/// Words over as many lines as they need; a word that is too long for a line is broken.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let text = plain(text);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(rest) > columns && lines.len() <= MAX_LINES {
            let head = fit(rest, columns, "").into_owned();
            // A letter wider than the line would never find room.
            let length =
                if head.is_empty() { rest.chars().next().map_or(0, char::len_utf8) } else { head.len() };
            rest = rest.get(length..).unwrap_or_default();
            if !head.is_empty() {
                lines.push(head);
            }
        }
        rest.clone_into(&mut line);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wraps_between_words_and_breaks_what_is_too_long() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""; 0]);
    }

    proptest! {
        #[test]
        fn never_exceeds_the_columns(text in any::<String>(), columns in 2..30_usize, is_unicode in any::<bool>()) {
            let mut page = Page::new("t");
            page.heading(text.clone());
            page.labelled(text.clone(), text.clone(), Tone::Plain);
            page.labelled("label", text.clone(), Tone::Plain);
            page.paragraph(1, text, Tone::Plain);
            for line in page.lines(columns.max(12), Signs::of(is_unicode)) {
                let whole: String = line.into_iter().map(|(text, _)| text).collect();
                prop_assert!(width(&whole) <= columns.max(12), "{whole:?}");
                prop_assert!(!whole.chars().any(char::is_control));
            }
        }
    }
}
