//! Tables and values with their place in the text, read strictly: every key that nobody asks for, and
//! every value of another kind than asked for, is a problem. Problems are gathered, not thrown, so that
//! one run tells all of them.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, hint};

/// Problems found so far, and the text they are in.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: RefCell::new(Vec::new()) }
    }

    pub(super) fn add(&self, span: Option<Range<usize>>, what: String, hint: Option<String>) {
        let place = span.map(|span| self.place(span.start));
        self.found.borrow_mut().push(Problem { place, what, hint });
    }

    /// In the order of the text; those of the command line first.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.place);
        found
    }

    /// Line and column in characters, from 1.
    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = line_of(self.text, offset);
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        (line, column)
    }
}

/// The line of a place in the text, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A table that is being read.
pub(super) struct Section<'a> {
    /// As people write it: `[policy]`, `[[path]] number 2`.
    pub(super) name: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
    problems: &'a Problems<'a>,
}

/// A value that is being read.
#[derive(Clone)]
pub(super) struct Value<'a> {
    /// As people write it: `` `vlan` in [[path]] number 2 ``.
    pub(super) name: String,
    value: &'a DeValue<'a>,
    span: Range<usize>,
    problems: &'a Problems<'a>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>, problems: &'a Problems<'a>) -> Self {
        Self {
            name: "the configuration".to_owned(),
            table: table.get_ref(),
            span: table.span(),
            known: RefCell::default(),
            problems,
        }
    }

    /// The value of a key, which is thereby known.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        drop(known);
        let (_, value) = self.table.iter().find(|(candidate, _)| candidate.get_ref() == key)?;
        Some(Value {
            name: format!("`{key}` in {}", self.name),
            value: value.get_ref(),
            span: value.span(),
            problems: self.problems,
        })
    }

    /// The table of a key, by the name people write it with.
    pub(super) fn section(&self, key: &'static str, name: &str) -> Option<Section<'a>> {
        self.get(key)?.section(name.to_owned())
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections(&self, key: &'static str, name: &str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        value
            .array()
            .into_iter()
            .enumerate()
            .filter_map(|(index, value)| value.section(format!("{name} number {}", index + 1)))
            .collect()
    }

    /// Every key with its value, for tables whose keys are names of one's own.
    pub(super) fn entries(&self) -> Vec<(String, Value<'a>)> {
        self.table
            .iter()
            .map(|(key, value)| {
                let key = key.get_ref().to_string();
                let name = format!("`{key}` in {}", self.name);
                (key, Value { name, value: value.get_ref(), span: value.span(), problems: self.problems })
            })
            .collect()
    }

    /// A problem of the whole table.
    pub(super) fn problem(&self, what: impl Display, hint: Option<String>) {
        self.problems.add(Some(self.span.clone()), format!("{} {what}", self.name), hint);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for key in self.table.keys() {
            if !known.contains(&&**key.get_ref()) {
                self.problems.add(
                    Some(key.span()),
                    format!("unknown key `{}` in {}", key.get_ref(), self.name),
                    hint(key.get_ref(), known.iter().copied()),
                );
            }
        }
    }
}

impl<'a> Value<'a> {
    /// A problem of this value.
    pub(super) fn problem(&self, what: impl Display, hint: Option<String>) {
        self.problems.add(Some(self.span.clone()), format!("{} {what}", self.name), hint);
    }

    fn wrong_kind(&self, wanted: &str) {
        self.problem(format_args!("must be {wanted}, but is {}", kind(self.value)), None);
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_kind("a string");
        }
        text
    }

    /// Text that is not empty.
    pub(super) fn name(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.problem("must not be empty", None);
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.wrong_kind("true or false");
        }
        boolean
    }

    /// A whole number within limits.
    pub(super) fn number<T>(&self, limits: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_kind("a whole number");
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok());
        match number {
            Some(number) if limits.contains(&number) => Some(number),
            _ => {
                self.problem(format_args!("must be from {} to {}", limits.start(), limits.end()), None);
                None
            }
        }
    }

    /// Text that `read` takes; else the problem is what it says.
    pub(super) fn parsed<T, E: Into<Wrong>>(&self, read: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        match read(self.text()?).map_err(Into::into) {
            Ok(value) => Some(value),
            Err(Wrong { what, hint }) => {
                self.problem(what, hint);
                None
            }
        }
    }

    /// One of the words of a closed set.
    pub(super) fn word<T: Copy>(&self, what: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.problem(
                format_args!("says `{}`, which is no {what}", shortened(text)),
                hint(text, words.iter().map(|(word, _)| *word)),
            );
        }
        found
    }

    /// The values of a list.
    pub(super) fn array(&self) -> Vec<Value<'a>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_kind("a list");
            return Vec::new();
        };
        array
            .iter()
            .map(|value| Value {
                name: self.name.clone(),
                value: value.get_ref(),
                span: value.span(),
                problems: self.problems,
            })
            .collect()
    }

    /// The values of a list, or the one value that stands for a list of one.
    pub(super) fn one_or_more(&self) -> Vec<Value<'a>> {
        if self.value.is_array() { self.array() } else { vec![self.clone()] }
    }

    pub(super) fn section(&self, name: String) -> Option<Section<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_kind("a table");
            return None;
        };
        Some(Section {
            name,
            table,
            span: self.span.clone(),
            known: RefCell::default(),
            problems: self.problems,
        })
    }

    /// The text of a string or of a date without quotes.
    pub(super) fn date_text(&self) -> Option<String> {
        match self.value {
            DeValue::Datetime(datetime) => Some(datetime.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }
}

/// What is wrong with a text, and what would be right.
pub(super) struct Wrong {
    what: String,
    hint: Option<String>,
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self { what, hint: None }
    }
}

impl From<(String, String)> for Wrong {
    fn from((what, hint): (String, String)) -> Self {
        Self { what, hint: Some(hint) }
    }
}

/// Enough of a text to recognise it.
pub(super) fn shortened(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    text.chars().take(MAX_SHOWN).chain(['…']).collect()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
