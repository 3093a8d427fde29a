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

/// Judges `record` by `options`. What rules found that need more than a record holds is taken over, under the severity and the
/// exceptions that `options` have for it. Where such a rule was off at the time, nothing was found: the report says so.
pub fn judge_anew(record: &mut Record, options: &Options) {
    let PolicyFacts { profile, verdict, mut violations } = policy::evaluate(record, options);
    let is_as_recorded = |rule: &str| Rule::parse(rule).is_some_and(|rule| AS_RECORDED.contains(&rule));
    violations.retain(|found| !is_as_recorded(found.rule));
    let recorded = record.policy.iter().flat_map(|policy| &policy.violations);
    let taken_over = recorded
        .filter(|found| is_as_recorded(found.rule))
        .filter_map(|found| policy::carried_over(found, record, options));
    violations.extend(taken_over);
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
    use crate::policy::{Exception, Expiry, Match};

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

    /// What the record does not hold any more, it holds the conclusion of.
    #[test]
    fn passes_no_answer_to_another_hello() {
        let mut record = crate::export::sample::tls12();
        let passes = |record: &Record| policy::evaluate(record, &Options::default()).verdict == Verdict::Pass;
        assert!(passes(&record));
        record.tls.as_mut().unwrap().server_hello.as_mut().unwrap().selected_psk = true;
        let mut line = Vec::new();
        crate::export::jsonl::write_record(&record, &mut line);
        let (mut record, _) = parse(line.trim_ascii_end()).unwrap();
        judge_anew(&mut record, &Options::default());
        assert_ne!(record.policy.unwrap().verdict, Verdict::Pass);
    }

    #[test]
    fn knows_the_names_of_every_partition() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/expected/endpoint-names.pcap.jsonl");
        let mut partitions = std::collections::BTreeSet::new();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let endpoint = parse(line.as_bytes()).unwrap().0.endpoint;
            assert!(endpoint.is_aws_name, "{:?}", endpoint.host);
            partitions.extend(endpoint.partition.clone());
        }
        assert!(partitions.len() >= 7, "{partitions:?}");
    }

    fn exception(rule: Rule) -> Exception {
        Exception {
            rules: vec![rule],
            matching: Match::default(),
            owner: "payments team".to_owned(),
            reason: "it goes in March".to_owned(),
            expires: Expiry::parse("2099-12-31").unwrap(),
        }
    }

    /// A recorded flow with compression, which no other rule minds.
    fn compressed() -> Record {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/expected/tls12-compression.pcap.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        parse(text.lines().next().unwrap().as_bytes()).unwrap().0
    }

    fn compression(record: &Record) -> (Verdict, Severity, String) {
        let policy = record.policy.as_ref().unwrap();
        let found = policy.violations.iter().find(|found| found.rule == "tls_compression").unwrap();
        (policy.verdict, found.severity, found.message.clone())
    }

    #[test]
    fn takes_over_findings_but_neither_their_severity_nor_their_exceptions() {
        let mut record = compressed();
        let as_recorded = compression(&record);
        assert_eq!((as_recorded.0, as_recorded.1), (Verdict::Violation, Severity::Warning));
        let mut options = Options::default();
        options.exceptions.push(exception(Rule::TlsCompression));
        judge_anew(&mut record, &options);
        let (verdict, severity, message) = compression(&record);
        assert_eq!((verdict, severity), (Verdict::Pass, Severity::Info));
        assert_eq!(
            message,
            format!("{} Excepted until 2099-12-31 by payments team: it goes in March.", as_recorded.2)
        );
        // The exception of that time is none of this policy's.
        judge_anew(&mut record, &Options::default());
        assert_eq!(compression(&record), as_recorded);
        let mut options = Options::default();
        options.settings.severities.set(Rule::TlsCompression, Some(Severity::Critical));
        judge_anew(&mut record, &options);
        assert_eq!(compression(&record).1, Severity::Critical);
        options.settings.severities.set(Rule::TlsCompression, None);
        judge_anew(&mut record, &options);
        assert_eq!(record.policy.unwrap().verdict, Verdict::Pass);
    }
}
