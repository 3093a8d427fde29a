//! What people see: the table of a run and the progress of reading.
//!
//! Input: [`Record`](crate::model::Record)s and [`Accounts`](crate::telemetry::Accounts). Output: text
//! for a terminal or a file. It keeps sums and the most frequent values, never all records, and
//! prints no control character that came from a record.

mod checklist;
mod flow_rows;
mod page;
mod progress;
mod summary;
mod table;
pub mod text;

pub use checklist::{Check, Checklist, Remedy, State};
pub use flow_rows::{Column, layout, short_cipher};
pub use page::{Signs, Tone};
pub use progress::ReadProgress;
pub use summary::Line;
pub use table::{Table, TableOptions};
