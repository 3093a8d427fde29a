//! Parquet in folders by date and region, as Hive, Spark, Athena and DuckDB read them:
//! `date=2026-11-23/region=eu-central-1/part-0.parquet`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::output::{Output, Staging};
use crate::export::{Parquet, Sink};
use crate::model::{Date, Record};
use crate::telemetry::Accounts;

/// Files open at once; the one that was not written to for the longest is ended for another.
const MAX_OPEN: usize = 64;

/// Bytes gathered over all open files; beyond, the fullest is written out.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// What Hive calls a value that is not there.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// What the names of the upper folders begin with.
const DATE: &str = "date=";

/// Longest value in a folder's name.
const MAX_VALUE_LETTERS: usize = 64;

struct Part {
    sink: Parquet<Output>,
    last_record: u64,
}

/// Parquet files by date and region.
pub struct Partitioned {
    open: BTreeMap<PathBuf, Part>,
    /// Files begun in each folder.
    begun: BTreeMap<PathBuf, u32>,
    records: u64,
    /// The last to go: what is open is below it.
    staging: Staging,
}

impl Partitioned {
    /// Files below `folder`, which must be new or empty, and gets them when they are complete.
    ///
    /// # Errors
    /// Where the folder holds something or cannot be made.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let staging = Staging::begin(folder, |name| name.to_string_lossy().starts_with(DATE))?;
        Ok(Self { open: BTreeMap::new(), begun: BTreeMap::new(), records: 0, staging })
    }

    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        self.records += 1;
        let place = place(record);
        if !self.open.contains_key(&place) {
            self.make_room()?;
            let sink = self.begin(&place)?;
            self.open.insert(place.clone(), Part { sink, last_record: 0 });
        }
        if let Some(part) = self.open.get_mut(&place) {
            part.last_record = self.records;
            part.sink.record(record)?;
        }
        let waiting: usize = self.open.values().map(|part| part.sink.waiting_bytes()).sum();
        if waiting > MAX_WAITING_BYTES
            && let Some(fullest) = self.open.values_mut().max_by_key(|part| part.sink.waiting_bytes())
        {
            fullest.sink.end_group()?;
        }
        Ok(())
    }

    fn begin(&mut self, place: &Path) -> io::Result<Parquet<Output>> {
        let folder = self.staging.path().join(place);
        fs::create_dir_all(&folder)?;
        let number = self.begun.entry(place.to_owned()).or_default();
        let file = folder.join(format!("part-{number}.parquet"));
        *number += 1;
        let output = Output::open(Some(&file)).map_err(io::Error::other)?;
        Parquet::new(output)
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.open.len() < MAX_OPEN {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, part)| part.last_record);
        let Some(place) = oldest.map(|(place, _)| place.clone()) else { return Ok(()) };
        self.open.remove(&place).map_or(Ok(()), |part| end(part.sink))
    }

    /// Writes out what is left; the folders are put in their places where they are complete.
    pub fn finish(self, is_complete: bool) -> io::Result<()> {
        self.open.into_values().try_for_each(|part| end(part.sink))?;
        self.staging.finish(is_complete)
    }
}

fn end(mut sink: Parquet<Output>) -> io::Result<()> {
    sink.finish(&Accounts::default())?;
    sink.into_inner().finish(true)
}

/// `date=…/region=…`
fn place(record: &Record) -> PathBuf {
    let date = Date::from(record.timestamp).day();
    let region = record.endpoint.region.as_deref().map_or(NO_VALUE.to_owned(), escaped);
    PathBuf::from(format!("{DATE}{date}")).join(format!("region={region}"))
}

/// As Hive writes a value in a path: whatever is not harmless as `%NN`.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes().take(MAX_VALUE_LETTERS) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if out.is_empty() { NO_VALUE.to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    #[test]
    fn lets_no_value_leave_its_folder() {
        assert_eq!(escaped("eu-central-1"), "eu-central-1");
        assert_eq!(escaped("../../etc"), "%2E%2E%2F%2E%2E%2Fetc");
        assert_eq!(escaped(""), NO_VALUE);
        assert!(escaped(&"é".repeat(500)).len() <= 3 * MAX_VALUE_LETTERS);
    }

    /// What is below a folder, by name.
    fn below(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn filled(folder: &Path) -> Partitioned {
        let mut lake = Partitioned::new(folder).unwrap();
        sample::all().iter().for_each(|record| lake.record(record).unwrap());
        lake
    }

    #[test]
    fn refuses_a_folder_with_something_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Partitioned::new(folder.path()).is_ok());
        fs::write(folder.path().join("x"), "").unwrap();
        assert!(Partitioned::new(folder.path()).is_err());
        assert_eq!(below(folder.path()), ["x"]);
    }

    #[test]
    fn appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let (new, empty) = (folder.path().join("new"), folder.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for wanted in [&new, &empty] {
            let lake = filled(wanted);
            assert!(!wanted.exists() || below(wanted) == [".partial"]);
            assert!(Partitioned::new(wanted).is_err(), "another run fills it");
            // As where a disk is full: nothing is left.
            drop(lake);
            assert!(!wanted.exists() || below(wanted).is_empty());
            // Stopped by the user: it is left under its other name, and in nobody's way.
            filled(wanted).finish(false).unwrap();
            assert!(!wanted.exists() || below(wanted) == [".partial"]);
            filled(wanted).finish(true).unwrap();
            assert!(below(wanted).iter().all(|name| name.starts_with(DATE)) && !below(wanted).is_empty());
        }
        assert_eq!(below(folder.path()), ["empty", "new"]);
    }

    #[test]
    fn takes_nothing_away_that_is_not_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let others = folder.path().join("lake.partial");
        fs::create_dir(&others).unwrap();
        fs::write(others.join("precious"), "").unwrap();
        assert!(Partitioned::new(&folder.path().join("lake")).is_err());
        assert_eq!(below(&others), ["precious"]);
    }
}
