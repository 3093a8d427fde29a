//! Lines of pieces on the cells of a terminal.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use super::Look;
use crate::top::words::{Piece, Tone};
use crate::view::Signs;
use crate::view::text::{fit, plain, width};

/// What is drawn on.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    look: Look,
    signs: &'static Signs,
}

impl<'a> Canvas<'a> {
    pub(super) const fn new(buffer: &'a mut Buffer, look: Look, signs: &'static Signs) -> Self {
        Self { buffer, look, signs }
    }

    pub(super) fn columns(&self) -> usize {
        self.buffer.area.width.into()
    }

    pub(super) fn lines(&self) -> usize {
        self.buffer.area.height.into()
    }

    pub(super) const fn look(&self) -> Look {
        self.look
    }

    pub(super) const fn signs(&self) -> &'static Signs {
        self.signs
    }

    /// Pieces on one line from `column` on, cut where there is no room.
    pub(super) fn put(&mut self, line: usize, column: usize, pieces: &[Piece]) {
        self.put_styled(line, column, pieces, Modifier::empty());
    }

    /// The chosen line: it is marked by more than this, so that it is seen where nothing is turned round.
    pub(super) fn put_chosen(&mut self, line: usize, pieces: &[Piece]) {
        let is_marked = !self.look.is_text;
        let modifier = if is_marked { Modifier::REVERSED } else { Modifier::empty() };
        if is_marked {
            let blank = [(" ".repeat(self.columns()), Tone::Plain)];
            self.put_styled(line, 0, &blank, modifier);
        }
        self.put_styled(line, 0, pieces, modifier);
    }

    /// A whole line, turned round, with a text at each end; the left one gives way.
    pub(super) fn bar(&mut self, line: usize, left: &str, right: &str) {
        let columns = self.columns();
        let right = fit(&plain(right), columns, self.signs.ellipsis).into_owned();
        let room = columns.saturating_sub(width(&right) + 2);
        let left = fit(&plain(left), room, self.signs.ellipsis).into_owned();
        let gap = " ".repeat(columns.saturating_sub(width(&left) + width(&right)));
        let modifier = if self.look.is_text { Modifier::empty() } else { Modifier::REVERSED };
        self.put_styled(line, 0, &[(left + &gap + &right, Tone::Heading)], modifier);
    }

    fn put_styled(&mut self, line: usize, column: usize, pieces: &[Piece], modifier: Modifier) {
        if line >= self.lines() {
            return;
        }
        let (mut column, columns) = (column, self.columns());
        for (text, tone) in pieces {
            let text = plain(text);
            let text = fit(&text, columns.saturating_sub(column), self.signs.ellipsis);
            let style = self.style(*tone).add_modifier(modifier);
            // Both are below the size of the buffer, which is one of `u16`.
            let (x, y) = (u16::try_from(column).unwrap_or(u16::MAX), u16::try_from(line).unwrap_or(u16::MAX));
            if x < self.buffer.area.width {
                self.buffer.set_stringn(x, y, &text, columns - column, style);
            }
            column += width(&text);
        }
    }

    fn style(&self, tone: Tone) -> Style {
        let colored = |color: Color| if self.look.has_color { Style::new().fg(color) } else { Style::new() };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Heading => Style::new().add_modifier(Modifier::BOLD),
            Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
            Tone::Good => colored(Color::Green),
            Tone::Unclear => colored(Color::Cyan),
            Tone::Warning => colored(Color::Yellow),
            Tone::Critical => colored(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}
