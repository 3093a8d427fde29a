//! What policy says of a record.

use std::fmt;
use std::sync::Arc;

use super::dynamodb::closed_set;

closed_set! {
    /// How grave a violation is, least first.
    Severity {
        Info => "info",
        Warning => "warning",
        Critical => "critical",
    }
}

closed_set! {
    /// The judgement on one flow.
    Verdict {
        /// Everything the profile asks for was seen and kept.
        Pass => "pass",
        /// At least one `warning` or `critical`.
        Violation => "violation",
        /// Something the profile asks for could not be seen.
        NotAssessable => "not_assessable",
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Stable id, e.g. `tls_version_too_low`.
    pub rule: &'static str,
    pub severity: Severity,
    /// The offending value, as short as it can be said.
    pub offending: Arc<str>,
    /// One sentence a tired person understands.
    pub message: String,
    /// What to do; the same for many flows.
    pub remedy: Arc<str>,
}

/// Result of evaluating a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFacts {
    pub profile: Arc<str>,
    pub verdict: Verdict,
    /// In the order of the rule list.
    pub violations: Vec<Violation>,
    /// Ids of the rules that the profile requires and that could not be judged by what was seen, in the order of the
    /// rule list. Empty in a flow that passed.
    pub not_assessed: Vec<&'static str>,
}
