//! What is counted, under which names.
//!
//! Input: events and sums of the other stages. Output: [`Accounts`] of one run, and the list of every
//! metric with its labels. It renders nothing and sends nothing, reads no clock, and never takes a label
//! value from the wire that is not in a closed set or capped.

mod accounts;
pub mod metrics;
mod tally;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts};
pub use tally::{Distinct, Tally};
