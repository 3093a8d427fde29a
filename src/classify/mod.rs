//! Handshake and addresses → which endpoint a flow goes to and how it got there, with evidence.
//!
//! Input: facts of one flow and [`EndpointOptions`], [`PathOptions`]. Output: `EndpointFacts` and
//! `PathFacts`. Nothing is guessed: what the evidence does not prove is `unknown` or absent.

mod options;
pub mod path;

pub use options::{EndpointOptions, HostRule, PathOptions, PathRule, Role, SiteFacts};
