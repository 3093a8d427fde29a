//! What is counted, under which names.
//!
//! Input: counts that the pipeline adds up. Output: [`Accounts`], and the one typed list of metrics with their
//! labels and permitted values. It publishes nothing and decides nothing; `export` does the one, the
//! stages the other.

mod accounts;
pub mod metrics;
mod tally;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts};
pub use tally::{Distinct, Tally};
