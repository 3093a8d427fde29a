//! The evidence report: one HTML file that an auditor can keep.
//!
//! Input: [`Record`]s in the order of the pipeline, what was read (names and hashes), the policy, and
//! [`Accounts`] at the end where there are any. Output: one self-contained HTML document. It keeps sums and
//! the first evidence of each finding, never all records, reads no clock, loads nothing from anywhere and
//! gives the same bytes for the same input.

mod collect;
mod coverage;
mod inventory;
mod page;
mod sentences;
mod shares;
mod timeline;
mod what_if;
mod words;

use std::io::{self, Write};

use super::{Redactor, Sink};
use crate::model::Record;
use crate::policy::{self, Profile};
use crate::telemetry::Accounts;
use collect::Collected;
use what_if::WhatIf;

/// What the report is told beside the records.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// Version of the program, as it calls itself.
    pub version: String,
    /// What the records were judged by; `None` where only their own words are known.
    pub policy: Option<policy::Options>,
    /// The profile behind it, with title, notes and sources.
    pub profile: Option<Profile>,
    /// Profiles the records are judged by once more, for the section "what if".
    pub others: Vec<Profile>,
    /// The configuration file and its SHA-256, where there was one.
    pub config: Option<InputFact>,
    /// Every TLS and plaintext-HTTP flow, or only those to DynamoDB; `None` where that is not known.
    pub all_services: Option<bool>,
    /// The records were read back, and hold less than what was judged at the time.
    pub are_recorded: bool,
    /// Whether account ids were replaced; `None` where that is not known.
    pub is_redacted: Option<bool>,
    /// Sentences on what the records rest on, such as the age of the address list.
    pub facts: Vec<String>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFact {
    pub name: String,
    pub content: Content,
}

/// What is known of the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Size and SHA-256 (hexadecimal) as stored.
    Stored(u64, String),
    /// A stream can be read only once.
    Stream,
    /// It cannot be read (again).
    Unread,
}

impl Content {
    /// SHA-256 (hexadecimal), where it could be had.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Stored(_, hash) => Some(hash),
            Self::Stream | Self::Unread => None,
        }
    }
}

/// Where the records came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Captures, read in this run: the accounts tell what was not seen.
    Captures,
    /// Recorded JSON Lines: what the observer did not see was not recorded with them.
    Records(ReadingCounts),
}

/// What became of the lines of recorded files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadingCounts {
    pub lines: u64,
    pub records: u64,
    /// Last lines without an end, as a writer that was stopped leaves them.
    pub torn: u64,
    /// Lines that are no record of this schema.
    pub refused: u64,
    /// Files that cannot be read, or not to their end: closed to this user, or a broken compression.
    pub broken: u64,
    /// The user stopped the run before the end of the input.
    pub is_cut_short: bool,
    /// Keys that this version does not know, over all records.
    pub unknown_keys: u64,
    /// Records that were judged anew: all where a `--profile` or configuration asks for that, else none.
    pub judged_anew: u64,
}

/// Gathers records and writes the report at the end.
pub struct Report<W> {
    output: W,
    options: ReportOptions,
    origin: Origin,
    inputs: Vec<InputFact>,
    collected: Collected,
    what_if: WhatIf,
}

impl<W: Write> Report<W> {
    /// A report to `output`, written at the end.
    pub fn new(options: ReportOptions, output: W) -> Self {
        let what_if = WhatIf::new(options.policy.as_ref(), &options.others, options.are_recorded);
        let exceptions = options.policy.as_ref().map_or(0, |policy| policy.exceptions.len());
        Self {
            output,
            options,
            origin: Origin::Captures,
            inputs: Vec::new(),
            collected: Collected::new(exceptions),
            what_if,
        }
    }

    /// Tells what was read; before [`Sink::finish`].
    pub fn inputs(&mut self, origin: Origin, inputs: Vec<InputFact>) {
        self.origin = origin;
        self.inputs = inputs;
    }

    /// Adds a sentence on what the records rest on.
    pub fn fact(&mut self, sentence: &str) {
        self.options.facts.push(sentence.to_owned());
    }

    /// Replaces account ids in what the configuration and the command line say.
    pub fn redact(&mut self, redactor: &mut Redactor) {
        let mut replace = |text: &mut String| *text = redactor.text(text).into_owned();
        let options = &mut self.options;
        if let Some(policy) = &mut options.policy {
            for exception in &mut policy.exceptions {
                replace(&mut exception.owner);
                replace(&mut exception.reason);
                exception.matching.path.iter_mut().for_each(&mut replace);
            }
            let mut name = |settings: &mut policy::Settings| {
                let mut text = settings.profile.to_string();
                replace(&mut text);
                settings.profile = text.into();
            };
            name(&mut policy.settings);
            policy.overrides.iter_mut().for_each(|given| name(&mut given.settings));
            let paths = policy.overrides.iter_mut().flat_map(|given| &mut given.matching.path);
            paths.for_each(&mut replace);
        }
        if let Some(profile) = &mut options.profile {
            [&mut profile.name, &mut profile.title].into_iter().for_each(&mut replace);
            profile.extends.iter_mut().for_each(&mut replace);
        }
        options.facts.iter_mut().for_each(&mut replace);
        options.config.iter_mut().for_each(|config| replace(&mut config.name));
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }
}

impl<W: Write> Sink for Report<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.collected.take(record);
        self.what_if.take(record);
        Ok(())
    }

    fn finish(&mut self, accounts: &Accounts) -> io::Result<()> {
        let page = page::Page {
            options: &self.options,
            origin: &self.origin,
            inputs: &self.inputs,
            collected: &self.collected,
            what_if: &self.what_if,
            accounts,
        };
        let html = page.render().map_err(io::Error::other)?;
        self.output.write_all(html.as_bytes())?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests;
