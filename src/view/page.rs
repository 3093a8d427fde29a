//! Lines of a known width, with or without colour.

use anstyle::{AnsiColor, Style};

use super::text::{fit, plain, width};

/// What a piece of text means; colour follows from it and is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Heading,
    /// Labels and what may be passed over.
    Quiet,
    Good,
    Unclear,
    Warning,
    Critical,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Heading => Style::new().bold(),
            Self::Quiet => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Unclear => AnsiColor::Cyan.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Critical => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Text with its tone.
pub(super) struct Piece {
    text: String,
    tone: Tone,
}

/// A piece, with whatever a terminal would act on written out.
pub(super) fn piece(text: impl AsRef<str>, tone: Tone) -> Piece {
    Piece { text: plain(text.as_ref()).into_owned(), tone }
}

/// Signs, as the terminal can show them.
#[derive(Debug)]
pub struct Signs {
    pub critical: &'static str,
    pub warning: &'static str,
    pub info: &'static str,
    pub good: &'static str,
    pub unclear: &'static str,
    pub arrow: &'static str,
    pub dot: &'static str,
    pub ellipsis: &'static str,
    pub rule: char,
}

const UNICODE: Signs = Signs {
    critical: "✖",
    warning: "▲",
    info: "·",
    good: "✔",
    unclear: "?",
    arrow: "→",
    dot: " · ",
    ellipsis: "…",
    rule: '─',
};

const ASCII: Signs = Signs {
    critical: "X",
    warning: "!",
    info: "-",
    good: "+",
    unclear: "?",
    arrow: "->",
    dot: ", ",
    ellipsis: "..",
    rule: '-',
};

impl Signs {
    /// Those of a terminal that shows Unicode, or ASCII alone.
    #[must_use]
    pub const fn of(is_unicode: bool) -> &'static Self {
        if is_unicode { &UNICODE } else { &ASCII }
    }
}

/// Text under way: no line is wider than `width`, but for [`Page::whole`] ones.
pub(super) struct Page {
    out: String,
    width: usize,
    has_color: bool,
    signs: &'static Signs,
}

impl Page {
    pub(super) const fn new(width: usize, has_color: bool, is_unicode: bool) -> Self {
        Self { out: String::new(), width, has_color, signs: Signs::of(is_unicode) }
    }

    pub(super) const fn signs(&self) -> &'static Signs {
        self.signs
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn has_color(&self) -> bool {
        self.has_color
    }

    pub(super) fn into_text(self) -> String {
        self.out
    }

    /// An empty line, a title and a rule behind it.
    pub(super) fn heading(&mut self, title: &str) {
        self.out.push('\n');
        let title = fit(&plain(title), self.width, self.signs.ellipsis).into_owned();
        self.paint(&title, Tone::Heading);
        let rest = self.width.saturating_sub(width(&title) + 1);
        if rest > 0 {
            let rule: String = std::iter::repeat_n(self.signs.rule, rest).collect();
            self.out.push(' ');
            self.paint(&rule, Tone::Quiet);
        }
        self.out.push('\n');
    }

    /// Pieces on one line, the last ones cut where they find no room.
    pub(super) fn line(&mut self, indent: usize, pieces: &[Piece]) {
        let mut left = self.width.saturating_sub(indent);
        self.indent(indent);
        for Piece { text, tone } in pieces {
            let text = fit(text, left, self.signs.ellipsis).into_owned();
            left -= width(&text).min(left);
            self.paint(&text, *tone);
        }
        self.end_line();
    }

    /// A text on one line, however wide it is.
    pub(super) fn whole(&mut self, indent: usize, text: &str, tone: Tone) {
        self.indent(indent);
        self.paint(&plain(text), tone);
        self.end_line();
    }

    /// Words over as many lines as they need, at most `lines`, the later ones indented by `hanging`.
    pub(super) fn paragraph(&mut self, indent: usize, hanging: usize, text: &str, tone: Tone, lines: usize) {
        let text = plain(text).into_owned();
        let mut words = text.split_whitespace().peekable();
        let mut at = indent;
        for number in 1..=lines {
            let room = self.width.saturating_sub(at).max(1);
            let mut line = String::new();
            while let Some(word) = words.peek() {
                let space = usize::from(!line.is_empty());
                // The last line takes what follows too, so that it is cut and not forgotten.
                if !line.is_empty() && number < lines && width(&line) + space + width(word) > room {
                    break;
                }
                if space > 0 {
                    line.push(' ');
                }
                line.push_str(word);
                words.next();
                if width(&line) > room {
                    break;
                }
            }
            if line.is_empty() {
                return;
            }
            let line = fit(&line, room, self.signs.ellipsis).into_owned();
            self.indent(at);
            self.paint(&line, tone);
            self.end_line();
            at = hanging;
        }
    }

    /// A label and unbreakable items behind it, over as many lines as they need.
    pub(super) fn items(&mut self, label: &str, label_width: usize, items: &[Piece]) {
        if items.is_empty() {
            return;
        }
        let label = fit(&plain(label), label_width.saturating_sub(1), self.signs.ellipsis).into_owned();
        self.out.push_str("  ");
        self.paint(&label, Tone::Quiet);
        self.indent(label_width.saturating_sub(width(&label)));
        let start = label_width + 2;
        let room = self.width.saturating_sub(start);
        let mut used = 0;
        for (index, item) in items.iter().enumerate() {
            let text = fit(&item.text, room, self.signs.ellipsis).into_owned();
            let dot = width(self.signs.dot);
            if index > 0 {
                if used + dot + width(&text) > room {
                    self.end_line();
                    self.indent(start);
                    used = 0;
                } else {
                    self.paint(self.signs.dot, Tone::Quiet);
                    used += dot;
                }
            }
            used += width(&text);
            self.paint(&text, item.tone);
        }
        self.end_line();
    }

    /// A label and a sentence behind it, over at most four lines.
    pub(super) fn labelled(&mut self, label: &str, label_width: usize, text: &str, tone: Tone) {
        let start = label_width + 2;
        let at = self.out.len();
        self.paragraph(start, start, text, tone, 4);
        // The label takes the place of the first line's indentation.
        let label = fit(&plain(label), label_width.saturating_sub(1), self.signs.ellipsis).into_owned();
        let rest = self.out.split_off(at).trim_start_matches(' ').to_owned();
        self.indent(2);
        self.paint(&label, Tone::Quiet);
        self.indent(label_width.saturating_sub(width(&label)));
        self.out.push_str(&rest);
    }

    /// A sign, a label and a sentence behind them, over at most four lines.
    pub(super) fn marked(&mut self, sign: Piece, label: &str, label_width: usize, text: &str) {
        let start = label_width + 4;
        let at = self.out.len();
        self.paragraph(start, start, text, Tone::Plain, 4);
        // Sign and label take the place of the first line's indentation.
        let rest = self.out.split_off(at).trim_start_matches(' ').to_owned();
        let label = fit(&plain(label), label_width.saturating_sub(1), self.signs.ellipsis).into_owned();
        self.indent(2);
        self.paint(&sign.text, sign.tone);
        self.indent(2_usize.saturating_sub(width(&sign.text)));
        self.paint(&label, Tone::Quiet);
        self.indent(label_width.saturating_sub(width(&label)));
        self.out.push_str(&rest);
    }

    /// Lines that were laid out elsewhere; each is known to fit.
    pub(super) fn ready(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns.min(self.width)));
    }

    fn end_line(&mut self) {
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    fn paint(&mut self, text: &str, tone: Tone) {
        if !self.has_color || tone == Tone::Plain || text.is_empty() {
            self.out.push_str(text);
            return;
        }
        let style = tone.style();
        self.out.push_str(&format!("{style}{text}{style:#}"));
    }
}
