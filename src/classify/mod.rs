//! Handshake and addresses → which endpoint a flow goes to and how it got there, with evidence.
//!
//! Input: facts of one flow and [`EndpointOptions`], [`PathOptions`]. Output: `EndpointFacts` and
//! `PathFacts`. Nothing is guessed: what the evidence does not prove is `unknown` or absent. It
//! resolves no name and reads no address list by itself.

mod endpoint;
mod names;
mod options;
pub mod path;
mod prefixes;

pub use endpoint::{EndpointInput, Recognition, Why, addressee, endpoint, recognise};
pub use names::{NameCache, SniAlias, Told};
pub use options::{EndpointOptions, HostRule, PathOptions, PathRule, Role, SiteFacts};
pub use prefixes::{Listed, PrefixList, PrefixListError};
