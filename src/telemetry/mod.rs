//! What is counted, under which names.
//!
//! Input: counts that the pipeline adds up. Output: [`Accounts`], the one typed list of metrics with their
//! labels and permitted values, and the [`log`]. It publishes no metric and decides nothing; `export` does the
//! one, the stages the other.

mod accounts;
pub mod log;
pub mod metrics;
mod tally;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts, Undecoded};
pub use tally::{Distinct, Tally};
