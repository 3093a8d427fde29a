//! What is counted, and under which names.
//!
//! Input: the counts of each stage. Output: [`Accounts`] that add up, and the list of metrics that
//! exporters and the documentation share. It writes nothing, and no label of it names a client.

mod accounts;
pub mod metrics;
mod tally;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts};
pub use tally::{Distinct, Tally};
