//! What policy says of a record.

use std::sync::Arc;

use super::closed_set;

closed_set! {
    /// How grave a violation is, least first.
    Severity {
        Info => "info",
        Warning => "warning",
        Critical => "critical",
    }
}

impl Severity {
    /// True of what makes the judgement on a flow [`Verdict::Violation`].
    #[must_use]
    pub fn counts(self) -> bool {
        self != Self::Info
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
    /// Set where an exception made it an `info`.
    pub excuse: Option<Excuse>,
}

/// What an exception has made of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excuse {
    /// Which exception of the policy, from 0; `None` of a record that was read back, which does not say.
    pub by: Option<usize>,
    /// True where the finding would have broken the profile without it; what is no more than an `info` anyway does not.
    pub is_needed: bool,
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
    /// Ids of rules that need more than a record holds, that the profile does not require, and that were not plainly kept:
    /// who judges the record anew by a profile that requires them does not know what became of them.
    pub not_asked: Vec<&'static str>,
}

impl PolicyFacts {
    /// True where only exceptions keep the flow from being a violation.
    #[must_use]
    pub fn is_excused(&self) -> bool {
        let is_needed = |found: &Violation| found.excuse.is_some_and(|excuse| excuse.is_needed);
        self.verdict != Verdict::Violation && self.violations.iter().any(is_needed)
    }
}

/// How a flow was judged, the most that deserves to be looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// Broken rules, one of them critical.
    Critical,
    /// Broken rules, none of them critical.
    Warning,
    /// What the profile asks for could not all be seen.
    NotAssessable,
    /// It keeps the profile.
    Pass,
    /// There is no verdict.
    NotJudged,
}

impl Judgement {
    /// Every judgement, the worst first.
    pub const ALL: [Self; 5] =
        [Self::Critical, Self::Warning, Self::NotAssessable, Self::Pass, Self::NotJudged];

    /// What a verdict and its violations come to.
    #[must_use]
    pub fn of(policy: Option<&PolicyFacts>) -> Self {
        let Some(policy) = policy else { return Self::NotJudged };
        match policy.verdict {
            Verdict::Pass => Self::Pass,
            Verdict::NotAssessable => Self::NotAssessable,
            Verdict::Violation => {
                let is_critical = policy.violations.iter().any(|found| found.severity == Severity::Critical);
                if is_critical { Self::Critical } else { Self::Warning }
            }
        }
    }
}
