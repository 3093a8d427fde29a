//! A TOML file and the command line → [`Resolved`], what every stage is told.
//!
//! Input: text as people write it. Output: options that are valid by construction, or every problem at
//! once, each with its place and the nearest thing that would have been right. It never guesses what
//! an unknown key may have meant, looks for no file that was not named, and keeps no secret printable.

mod describe;
mod doubts;
mod error;
mod file;
mod load;
mod place;
mod policy;
mod resolved;

pub use describe::describe;
pub use error::{ConfigError, Problem, nearest};
pub use load::{fuzz_config, load, load_again, parse};
pub use resolved::{Backend, Capture, CommandLine, Limits, Metrics, Output, Privacy, RedactionKey, Resolved};
