//! A recorded flow judged anew, by another policy than that of its time.

use crate::model::{PolicyFacts, Record, Severity, Verdict};
use crate::policy::{self, Options, Rule};

/// Rules that need more than a record holds: what was found at the time stands.
const AS_RECORDED: &[Rule] = &[
    Rule::TlsCompression,
    Rule::CertificateNameMismatch,
    Rule::SuspectedInterception,
    Rule::GatewayEndpointMissing,
    Rule::DnsOverride,
    Rule::EndpointConflict,
    // Of the requests of a connection a record holds the first; the others were judged, too.
    Rule::UnsignedRequest,
    Rule::LongTermCredential,
];

/// Judges `record` by `options`. Findings of rules that need more than a record holds are taken over as they
/// were recorded, where the policy has the rule at all.
pub fn judge_anew(record: &mut Record, options: &Options) {
    let PolicyFacts { profile, verdict, mut violations } = policy::evaluate(record, options);
    let is_as_recorded = |rule: &str| Rule::parse(rule).is_some_and(|rule| AS_RECORDED.contains(&rule));
    violations.retain(|found| !is_as_recorded(found.rule));
    let severities = &options.settings_for(record).severities;
    for found in record.policy.iter().flat_map(|policy| &policy.violations) {
        let is_wanted = Rule::parse(found.rule).is_some_and(|rule| severities.of(rule).is_some());
        if is_as_recorded(found.rule) && is_wanted {
            violations.push(found.clone());
        }
    }
    let place = |rule: &str| Rule::ALL.iter().position(|known| known.as_str() == rule);
    violations.sort_by_key(|found| place(found.rule));
    let is_broken = violations.iter().any(|found| found.severity != Severity::Info);
    let verdict = match verdict {
        _ if is_broken => Verdict::Violation,
        // What broke a rule was only a finding that cannot be made from a record.
        Verdict::Violation => Verdict::NotAssessable,
        other => other,
    };
    record.policy = Some(PolicyFacts { profile, verdict, violations });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::read::parse;

    /// Judged by the policy it was recorded with, a record says what it said.
    #[test]
    fn agrees_with_the_verdict_of_the_time() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/expected");
        let (mut same, mut other) = (0, Vec::new());
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let (mut record, _) = parse(line.as_bytes()).unwrap();
                let before = record.policy.clone().unwrap();
                judge_anew(&mut record, &Options::default());
                let after = record.policy.unwrap();
                if before == after {
                    same += 1;
                } else {
                    other.push(format!("{}:\n  {before:?}\n  {after:?}", path.display()));
                }
            }
        }
        assert!(same > 200 && other.is_empty(), "{same} agree, not\n{}", other.join("\n"));
    }
}
