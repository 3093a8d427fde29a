//! The wiring: frames through all stages to records, on as many cores as there are captures.
//!
//! Input: a [`Job`]. Output: [`Record`](crate::model::Record)s in a fixed order, and
//! [`Accounts`](crate::telemetry::Accounts) that add up. It is the only module that runs all stages;
//! it decides nothing about what a record says.

mod analyze;
mod assemble;
mod contexts;
mod counts;
mod dialogue;
mod earlier;
mod engine;
mod flows;
mod inspect;
pub mod live;
mod repeated;
mod series;
mod sessions;
#[cfg(test)]
mod tests;
mod turns;
mod unaligned;

pub use crate::app::http1::MAX_FOLLOWED_BYTES;
pub use analyze::{AnalyzeError, Job, Progress, analyze, fuzz_pipeline};
pub use counts::known_errors;
pub use engine::Engine;
