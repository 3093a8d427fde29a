//! Record → verdict, with a reason for everything that counts against a flow.
//!
//! Input: a [`Record`](crate::model::Record) and [`Options`]. Output: [`PolicyFacts`](crate::model::PolicyFacts).
//! It reads no clock (time is the flow's own), opens nothing, keeps nothing between flows but [`Judgements`] that
//! would be the same again, and never takes what was not seen for compliant.

pub mod certificate;
mod check;
pub mod clients;
mod evaluation;
mod judgements;
mod options;
pub mod profile;
mod rules;

pub use evaluation::{carried_over, evaluate, is_excepted, recorded_excuse, verdict};
pub use judgements::Judgements;
pub use options::{
    AllowedPath, Exception, Expiry, Match, Options, Override, Settings, Severities, Site, takes_all,
    takes_all_networks,
};
pub use profile::Profile;
pub use rules::{Rule, RuleText};
