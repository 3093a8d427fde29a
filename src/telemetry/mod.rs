//! What is counted, under which names.

mod accounts;

pub use accounts::{Accounts, DamageNote, InterfaceCounts, StageCounts};
