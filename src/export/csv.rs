//! CSV: the keys of a record as columns, quoted as RFC 4180 says, lines ended by a line feed.
//!
//! Arrays are joined by `;` (a `;` or backslash within an item gets a backslash before it), violations
//! stand as `rule:severity`, sightings as `interface[layer>layer]`. A cell that a spreadsheet would
//! take for a formula (it begins with `=`, `+`, `-`, `@`, one of these at full width, a tab or an end of line) gets an apostrophe
//! before it: names on the wire are chosen by strangers. Control characters that are not the space between
//! words or lines, which many readers of CSV refuse and terminals act on, stand as `\u{…}`.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::fields::{Fields, Text, visit};
use super::schema::Key;
use super::{Sink, jsonl};
use crate::model::{Record, Sighting, Violation};
use crate::telemetry::Accounts;

/// Bytes gathered before they are written.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes records as CSV, the header first.
pub struct Csv<W> {
    output: W,
    buffer: String,
    row: Row,
    has_header: bool,
}

impl<W: Write> Csv<W> {
    /// Writes to `output`, in chunks; no further buffer is needed around it.
    pub fn new(output: W) -> Self {
        let cells = vec![String::new(); Key::ALL.len()];
        Self { output, buffer: String::new(), row: Row { cells }, has_header: false }
    }

    /// The output; what is gathered and not finished is lost.
    pub fn into_inner(self) -> W {
        self.output
    }

    fn header(&mut self) {
        if std::mem::replace(&mut self.has_header, true) {
            return;
        }
        for (index, key) in Key::ALL.iter().enumerate() {
            if index > 0 {
                self.buffer.push(',');
            }
            self.buffer.push_str(key.column().name);
        }
        self.buffer.push('\n');
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.output.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Sink for Csv<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.header();
        for cell in &mut self.row.cells {
            cell.clear();
        }
        visit(record, &mut self.row);
        for (index, cell) in self.row.cells.iter().enumerate() {
            if index > 0 {
                self.buffer.push(',');
            }
            write_cell(cell, &mut self.buffer);
        }
        self.buffer.push('\n');
        if self.buffer.len() >= CHUNK_BYTES { self.write_out() } else { Ok(()) }
    }

    fn finish(&mut self, _accounts: &Accounts) -> io::Result<()> {
        self.header();
        self.write_out()?;
        self.output.flush()
    }
}

fn write_cell(cell: &str, out: &mut String) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n']);
    let needs_quotes = cell.contains(['"', ',', '\n', '\r']);
    if needs_quotes {
        out.push('"');
    }
    if is_formula {
        out.push('\'');
    }
    if needs_quotes || cell.contains(is_control) {
        for character in cell.chars() {
            match character {
                '"' => out.push_str("\"\""),
                _ if is_control(character) => out.extend(character.escape_unicode()),
                _ => out.push(character),
            }
        }
    } else {
        out.push_str(cell);
    }
    if needs_quotes {
        out.push('"');
    }
}

/// What JSON Lines escape, too, except tabs and ends of lines.
fn is_control(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{2028}' | '\u{2029}' => true,
        _ => character.is_control(),
    }
}

/// `interface[layer>layer]`.
pub(super) fn sighting_text(sighting: &Sighting) -> String {
    let mut text = sighting.interface.as_deref().unwrap_or_default().to_owned();
    for (index, layer) in sighting.encapsulation.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{layer}", if index > 0 { '>' } else { '[' });
    }
    if !sighting.encapsulation.is_empty() {
        text.push(']');
    }
    text
}

/// The cells of one line, by the number of their key.
struct Row {
    cells: Vec<String>,
}

impl Row {
    fn put(&mut self, key: Key, value: impl std::fmt::Display) {
        if let Some(cell) = self.cells.get_mut(key as usize) {
            // Writing to a string cannot fail.
            let _ = write!(cell, "{value}");
        }
    }

    fn join<T: std::fmt::Display>(&mut self, key: Key, values: impl Iterator<Item = T>) {
        let mut item = String::new();
        for (index, value) in values.enumerate() {
            item.clear();
            let _ = write!(item, "{value}");
            if item.contains([';', '\\']) {
                item = item.replace('\\', "\\\\").replace(';', "\\;");
            }
            self.put(key, if index > 0 { ";" } else { "" });
            self.put(key, &item);
        }
    }
}

impl Fields for Row {
    fn text(&mut self, key: Key, value: Text<'_>) {
        self.put(key, value);
    }

    fn integer(&mut self, key: Key, value: u64) {
        self.put(key, value);
    }

    fn seconds(&mut self, key: Key, value: Duration) {
        let mut digits = Vec::new();
        jsonl::write_seconds(value, &mut digits);
        self.put(key, Text::Bytes(&digits));
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.put(key, value);
    }

    fn list<'a>(&mut self, key: Key, values: impl Iterator<Item = Text<'a>>) {
        self.join(key, values);
    }

    fn sightings(&mut self, key: Key, sightings: &[Sighting]) {
        self.join(key, sightings.iter().map(sighting_text));
    }

    fn translated(&mut self, key: Key, pairs: &[(SocketAddr, SocketAddr)]) {
        self.join(key, pairs.iter().map(|(client, server)| format!("{client}>{server}")));
    }

    fn violations(&mut self, key: Key, violations: &[Violation]) {
        self.join(
            key,
            violations.iter().map(|violation| format!("{}:{}", violation.rule, violation.severity)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    fn csv(records: &[Record]) -> String {
        let mut sink = Csv::new(Vec::new());
        for record in records {
            sink.record(record).unwrap();
        }
        sink.finish(&Accounts::default()).unwrap();
        String::from_utf8(sink.into_inner()).unwrap()
    }

    /// A reader after RFC 4180, so that quoting is judged by what comes back.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
        let (mut is_quoted, mut characters) = (false, text.chars().peekable());
        while let Some(character) = characters.next() {
            match (is_quoted, character) {
                (true, '"') if characters.peek() == Some(&'"') => cell.extend(characters.next()),
                (_, '"') => is_quoted = !is_quoted,
                (false, ',') => row.push(std::mem::take(&mut cell)),
                (false, '\n') => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                (_, other) => cell.push(other),
            }
        }
        assert!(!is_quoted && cell.is_empty() && row.is_empty());
        rows
    }

    fn column(rows: &[Vec<String>], key: Key) -> String {
        rows[1][key as usize].clone()
    }

    #[test]
    fn gives_every_row_every_column() {
        let rows = parse(&csv(&sample::all()));
        assert_eq!(rows.len(), sample::all().len() + 1);
        assert!(rows.iter().all(|row| row.len() == Key::ALL.len()));
        assert!(Key::ALL.iter().zip(&rows[0]).all(|(key, name)| key.column().name == name));
    }

    #[test]
    fn writes_the_header_of_an_empty_run() {
        assert_eq!(csv(&[]).lines().count(), 1);
    }

    #[test]
    fn joins_arrays_and_names_violations() {
        let rows = parse(&csv(&[sample::old_version()]));
        assert_eq!(column(&rows, Key::Violations), "tls_version_too_low:critical;weak_cipher:critical");
        let rows = parse(&csv(&[sample::mirrored()]));
        assert_eq!(column(&rows, Key::Sightings), "eth0[vlan:7>geneve:0];eth1");
        assert_eq!(column(&rows, Key::Translated), "198.51.100.7:1024>192.0.2.10:443");
        assert_eq!(column(&rows, Key::HandshakeDuration), "0.0421");
    }

    #[test]
    fn disarms_formulas() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"] {
            let mut record = sample::tls12();
            let name = format!("{start}HYPERLINK(\"http://x.example\",\"a\")\n");
            let hello = record.tls.as_mut().unwrap().client_hello.as_mut().unwrap();
            hello.server_name = Some(name.clone());
            hello.alpn = vec![b"=1+1;2".to_vec()];
            let rows = parse(&csv(&[record]));
            assert_eq!(column(&rows, Key::ServerName), format!("'{name}"));
            assert_eq!(column(&rows, Key::ClientAlpn), "'=1+1\\;2");
        }
    }
    #[test]
    fn writes_out_what_readers_refuse_and_terminals_obey() {
        let mut record = sample::tls12();
        let hello = record.tls.as_mut().unwrap().client_hello.as_mut().unwrap();
        hello.alpn = vec!["\0a\u{1b}[31m\u{9b}\u{2028}\u{7f}\r\n\"".as_bytes().to_vec()];
        let rows = parse(&csv(&[record]));
        let shown = "\\u{0}a\\u{1b}[31m\\u{9b}\\u{2028}\\u{7f}\r\n\"";
        assert_eq!(column(&rows, Key::ClientAlpn), shown);
    }
}
