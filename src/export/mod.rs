//! Records out of the program: JSON Lines, CSV, Parquet, metrics and the evidence report, and what is hidden in them.
//!
//! Input: [`Record`]s in the order of the pipeline, and [`Accounts`] at the end. Output: bytes. It
//! decides nothing about a flow, reads no clock and never reorders records.

pub mod csv;
pub mod fields;
pub mod jsonl;
pub mod markup;
pub mod parquet;
pub mod plain;
pub mod prometheus;
pub mod read;
mod records_file;
pub mod redact;
pub mod report;
#[cfg(test)]
pub(crate) mod sample;
pub mod schema;

use std::io;

pub use self::parquet::Parquet;
pub use csv::Csv;
pub(crate) use fields::{alert_text, cipher_text, group_text, ssl2_text, version_text};
pub use jsonl::Jsonl;
pub use prometheus::{DaemonFacts, Metrics, MetricsOptions, MetricsSink};
pub use records_file::{News, RecordsFile};
pub use redact::{Numbers, Redaction, Redactor, numbers_of};
pub use report::{Report, ReportOptions};

use crate::model::Record;
use crate::telemetry::Accounts;

/// Takes the records of one run.
pub trait Sink {
    /// Takes one record.
    ///
    /// # Errors
    /// Those of the output.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// Takes the counts of the run, after the last record, and writes out what is left.
    ///
    /// # Errors
    /// Those of the output.
    fn finish(&mut self, accounts: &Accounts) -> io::Result<()>;
}
