//! JSON Lines back into records: what [`Jsonl`](super::Jsonl) wrote, read again.
//!
//! Input: text, one record a line. Output: [`Record`]s, and counts of every line that gave none. What a record
//! does not hold (extension lists, randoms, most of the certificate) stays empty; written again, a record
//! gives the bytes it was read from. It reads no file and no clock by itself, never guesses a value, and holds no
//! more than one line.

mod judge;
mod object;
mod words;

use std::io::{self, BufRead, Read as _};

pub use judge::judge_anew;
pub use object::{Refusal, parse};

use super::report::ReadingCounts;
use crate::model::Record;

/// The longest line that is read; the longest hello of a stranger makes some 300 KiB.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// Reads the records of `input` one after the other.
pub struct Reader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    counts: ReadingCounts,
    first_refused: Option<(u64, Refusal)>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0, counts: ReadingCounts::default(), first_refused: None }
    }

    /// The next record; lines that are none are counted and passed over. A last line without a line end that
    /// is no record is what a writer leaves that was stopped: it is counted as torn.
    ///
    /// # Errors
    /// Those of the input.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            self.line.clear();
            let count = self.input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.counts.lines += 1;
            let is_ended = self.line.last() == Some(&b'\n');
            if !is_ended && count as u64 == MAX_LINE_BYTES {
                self.refuse(Refusal::TooLong);
                self.skip_line()?;
                continue;
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                self.counts.lines -= 1;
                continue;
            }
            match parse(&self.line) {
                Ok((record, unknown_keys)) => {
                    self.counts.records += 1;
                    self.counts.unknown_keys += unknown_keys;
                    return Ok(Some(record));
                }
                Err(_) if !is_ended => self.counts.torn += 1,
                Err(refusal) => self.refuse(refusal),
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.counts.refused += 1;
        self.first_refused.get_or_insert((self.number, refusal));
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let (length, is_end) = match self.input.fill_buf()? {
                [] => return Ok(()),
                bytes => match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (end + 1, true),
                    None => (bytes.len(), false),
                },
            };
            self.input.consume(length);
            if is_end {
                return Ok(());
            }
        }
    }

    /// The line of the record that was given last.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// What became of the lines read so far.
    pub const fn counts(&self) -> ReadingCounts {
        self.counts
    }

    /// Number (from 1) and fault of the first line that was refused.
    pub const fn first_refused(&self) -> Option<&(u64, Refusal)> {
        self.first_refused.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::jsonl::write_record;
    use crate::export::sample;

    fn text(records: &[Record]) -> Vec<u8> {
        let mut out = Vec::new();
        records.iter().for_each(|record| write_record(record, &mut out));
        out
    }

    fn read(bytes: &[u8]) -> (Vec<Record>, ReadingCounts) {
        let mut reader = Reader::new(bytes);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            records.push(record);
        }
        (records, reader.counts())
    }

    #[test]
    fn gives_back_the_bytes_it_read() {
        for record in sample::all() {
            let before = text(std::slice::from_ref(&record));
            let (records, counts) = read(&before);
            assert_eq!(counts.records, 1, "{:?}", parse(&before).err());
            assert_eq!(String::from_utf8(text(&records)).unwrap(), String::from_utf8(before).unwrap());
        }
    }

    #[test]
    fn takes_a_null_for_what_is_absent() {
        let before = text(&[sample::refused()]);
        let mut value: serde_json::Value = serde_json::from_slice(&before).unwrap();
        for key in ["tls.cipher", "tls.resumed", "path.name", "process.pid", "not.known"] {
            assert!(value.get(key).is_none(), "{key}");
            value[key] = serde_json::Value::Null;
        }
        let (record, unknown) = parse(value.to_string().as_bytes()).unwrap();
        assert_eq!((text(&[record]), unknown), (before, 0));
        value["timestamp"] = serde_json::Value::Null;
        assert_eq!(parse(value.to_string().as_bytes()).err(), Some(Refusal::Missing("timestamp")));
    }

    #[test]
    fn gives_back_the_bytes_of_every_expected_record() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/expected");
        let (mut files, mut lines) = (0, 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            files += 1;
            for line in std::fs::read(&path).unwrap().split_inclusive(|byte| *byte == b'\n') {
                lines += 1;
                let (record, unknown) = parse(line).unwrap_or_else(|error| panic!("{path:?}: {error}"));
                assert_eq!(unknown, 0, "{path:?}");
                assert_eq!(
                    String::from_utf8(text(&[record])).unwrap(),
                    String::from_utf8_lossy(line),
                    "{path:?}"
                );
            }
        }
        assert!(files > 200 && lines > 200, "{files} files, {lines} lines");
    }

    #[test]
    fn counts_a_torn_end_and_foreign_lines() {
        let mut bytes = text(&[sample::tls12(), sample::refused()]);
        bytes.extend_from_slice(b"{\"schema\":\"other/1\"}\n\nnot json\n");
        let whole = text(&[sample::plaintext()]);
        bytes.extend_from_slice(&whole[..whole.len() / 2]);
        let (records, counts) = read(&bytes);
        assert_eq!(records.len(), 2);
        assert_eq!((counts.lines, counts.records, counts.refused, counts.torn), (5, 2, 2, 1));
        let mut reader = Reader::new(&bytes[..]);
        while reader.next_record().unwrap().is_some() {}
        assert_eq!(reader.first_refused().map(|(line, _)| *line), Some(3));
    }

    #[test]
    fn takes_a_whole_last_line_without_its_end() {
        let mut bytes = text(&[sample::tls12()]);
        bytes.pop();
        assert_eq!(read(&bytes).1.records, 1);
    }

    #[test]
    fn passes_over_unknown_keys_and_counts_them() {
        let line = String::from_utf8(text(&[sample::tls12()])).unwrap();
        let more = line.replacen('{', "{\"process.threads\":7,\"later\":[1],", 1);
        let (record, unknown) = parse(more.as_bytes()).unwrap();
        assert_eq!(unknown, 2);
        assert_eq!(String::from_utf8(text(&[record])).unwrap(), line);
    }

    #[test]
    fn refuses_values_of_another_kind() {
        let line = String::from_utf8(text(&[sample::tls12()])).unwrap();
        for (from, to) in [
            ("\"client.port\":41234", "\"client.port\":\"41234\""),
            ("\"client.port\":41234", "\"client.port\":70000"),
            ("\"flow.completeness\":\"full\"", "\"flow.completeness\":\"most\""),
            ("\"tls.established\":true", "\"tls.established\":1"),
            ("2026-11-23T10:00:00.000000001Z", "yesterday"),
            ("\"10.0.1.5\"", "\"10.0.1\""),
            ("\"vlan:120\"", "\"vlan:99999\""),
            ("ddbwatch.flow/1", "ddbwatch.flow/2"),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line, "{from}");
            assert!(parse(changed.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn refuses_a_verdict_that_does_not_follow() {
        let recorded = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/expected/");
            std::fs::read_to_string(format!("{folder}{name}.pcap.jsonl")).unwrap()
        };
        for (name, from, to) in [
            ("tls10-rsa", "\"policy.verdict\":\"violation\"", "\"policy.verdict\":\"pass\""),
            ("tls10-rsa", "\"policy.verdict\":\"violation\"", "\"policy.verdict\":\"not_assessable\""),
            ("tls13-x25519", "\"policy.verdict\":\"pass\"", "\"policy.verdict\":\"violation\""),
            ("tls13-x25519", "\"flow.completeness\":\"full\"", "\"flow.completeness\":\"truncated\""),
            ("tls13-x25519", "\"handshake.outcome\":\"completed\"", "\"handshake.outcome\":\"closed\""),
        ] {
            let line = recorded(name);
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line, "{name} {from}");
            assert!(parse(line.trim_end().as_bytes()).is_ok(), "{name}");
            let refusal = parse(changed.trim_end().as_bytes()).unwrap_err();
            assert_eq!(refusal, Refusal::Contradiction("policy.verdict"), "{name} {to}");
        }
    }

    #[test]
    fn survives_every_cut_and_every_changed_byte() {
        for record in [sample::mirrored(), sample::plaintext()] {
            let line = text(&[record]);
            for length in 0..line.len() {
                let _ = parse(&line[..length]);
                let mut changed = line.clone();
                for byte in [0, b'"', b'9', 0xff] {
                    changed[length] = byte;
                    let _ = parse(&changed);
                }
            }
        }
    }
}
