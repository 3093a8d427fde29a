//! A list of what was looked at, how it is, and what mends it.

use super::page::{Page, Piece, Tone, piece};

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Good,
    /// Worth knowing, neither good nor bad.
    Note,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Bad,
}

/// What mends a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A sentence.
    Advice(String),
    /// To be copied into a shell: it stands whole on a line of its own, however wide that gets.
    Command(String),
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub state: State,
    pub label: String,
    /// What is there, in a few words.
    pub text: String,
    pub remedy: Option<Remedy>,
}

/// Lines under titles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checklist {
    sections: Vec<(String, Vec<Check>)>,
}

/// Labels take this many columns, and the longest names of interfaces fit.
const LABEL_COLUMNS: usize = 17;

/// Commands begin here, far to the left: few are then wider than a terminal.
const COMMAND_INDENT: usize = 4;

impl Checklist {
    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.sections.push((title.to_owned(), Vec::new()));
    }

    /// Adds a line to the last section.
    pub fn add(&mut self, check: Check) {
        match self.sections.last_mut() {
            Some((_, checks)) => checks.push(check),
            None => self.sections.push((String::new(), vec![check])),
        }
    }

    /// Every line.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.sections.iter().flat_map(|(_, checks)| checks)
    }

    /// As text of at most `width` columns, but for commands.
    #[must_use]
    pub fn render(&self, width: usize, has_color: bool, is_unicode: bool) -> String {
        let mut page = Page::new(width, has_color, is_unicode);
        for (title, checks) in &self.sections {
            page.heading(title);
            for check in checks {
                page.marked(sign(&page, check.state), &check.label, LABEL_COLUMNS, &check.text);
                match &check.remedy {
                    Some(Remedy::Advice(advice)) => {
                        let arrow = page.signs().arrow;
                        let indent = LABEL_COLUMNS + 4;
                        page.paragraph(
                            indent,
                            indent + arrow.len().min(2) + 1,
                            &format!("{arrow} {advice}"),
                            Tone::Heading,
                            4,
                        );
                    }
                    Some(Remedy::Command(command)) => page.whole(COMMAND_INDENT, command, Tone::Heading),
                    None => {}
                }
            }
        }
        page.into_text().trim_start_matches('\n').to_owned()
    }
}

fn sign(page: &Page, state: State) -> Piece {
    let signs = page.signs();
    match state {
        State::Good => piece(signs.good, Tone::Good),
        State::Note => piece(signs.info, Tone::Quiet),
        State::Warning => piece(signs.warning, Tone::Warning),
        State::Bad => piece(signs.critical, Tone::Critical),
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    const COMMAND: &str =
        "sudo setcap cap_net_raw,cap_bpf,cap_net_admin,cap_perfmon+ep /usr/local/bin/ddbwatch";

    fn list() -> Checklist {
        let mut list = Checklist::default();
        list.section("Back-ends");
        for (state, remedy) in [
            (State::Good, None),
            (State::Bad, Some(Remedy::Command(COMMAND.to_owned()))),
            (State::Note, Some(Remedy::Advice("use --backend afpacket".to_owned()))),
        ] {
            list.add(Check {
                state,
                label: "afpacket".to_owned(),
                text:
                    "a sentence that is so long that it needs a second line and in a narrow window even more"
                        .to_owned(),
                remedy,
            });
        }
        list
    }

    #[test]
    fn keeps_to_the_width_and_cuts_no_command() {
        for width in [40, 80, 120] {
            for is_unicode in [false, true] {
                let text = list().render(width, false, is_unicode);
                for line in text.lines() {
                    assert!(line.trim_start() == COMMAND || line.width() <= width, "{width}: {line}");
                    assert_eq!(line.trim_end(), line);
                }
                assert_eq!(text.lines().filter(|line| line.trim_start() == COMMAND).count(), 1, "{text}");
            }
        }
    }

    #[test]
    fn disarms_names_of_interfaces() {
        let mut list = list();
        let label = "eth\u{1b}[31m".to_owned();
        list.add(Check { state: State::Good, label, text: "\u{202e}".to_owned(), remedy: None });
        let text = list.render(80, false, true);
        assert!(text.contains("eth\\u{1b}[31m") && text.contains("\\u{202e}"), "{text}");
    }

    #[test]
    fn is_read_without_colour() {
        let text = list().render(80, false, true);
        assert!(!text.contains('\u{1b}'));
        assert!(
            text.contains("✔ afpacket") && text.contains("✖ afpacket") && text.contains("→ use --backend")
        );
        assert!(list().render(80, true, true).contains('\u{1b}'));
        let ascii = list().render(80, false, false);
        assert!(ascii.is_ascii(), "{ascii}");
    }
}
