//! What is counted, under which names.

mod accounts;
pub mod metrics;
mod tally;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts};
pub use tally::{Distinct, Tally};
