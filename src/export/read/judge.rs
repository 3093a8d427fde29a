//! A recorded flow judged anew, by another policy than that of its time.

use crate::export::redact::may_stand_for;
use crate::model::{PathFacts, PolicyFacts, Record, Verdict, Violation};
use crate::policy::{self, Options, Rule};

/// Rules that find nothing where the policy has no list for them: whether they can be judged is asked anew.
const BY_LIST: &[Rule] = &[Rule::CipherNotAllowed, Rule::GroupNotAllowed, Rule::PathNotAllowed];

/// Rules that ask no policy what to find: what was broken at the time and is not now lacks its key in the record.
const BY_FACTS: &[Rule] = &[
    Rule::NoForwardSecrecy,
    Rule::WeakCipher,
    Rule::NotPostQuantum,
    Rule::EarlyData,
    Rule::DowngradeDetected,
    Rule::CertificateExpired,
    Rule::PlaintextHttp,
    Rule::FipsEndpointRequired,
    Rule::EndpointUnrecognised,
    Rule::SniMissing,
];

/// Judges `record` by `options`. What rules found that need more than a record holds is taken over, under the severity and the
/// exceptions that `options` have for it; and what could not be judged at the time, or was not asked, cannot be judged now,
/// unless the record alone shows the rule broken.
pub fn judge_anew(record: &mut Record, options: &Options) {
    let before = record.policy.take();
    if record.known_region().is_none() {
        record.endpoint.prefix_region = before.as_ref().and_then(region_of_address);
    }
    let known_rules = record.path.open_rules.len();
    record.path.open_rules.extend(hidden_names(&record.path, options));
    let now = policy::evaluate(record, options);
    let severities = &options.settings_for(record).severities;
    let may_be_required: Vec<Rule> = options
        .possible_settings(record)
        .flat_map(|settings| Rule::ALL.iter().copied().filter(|rule| settings.severities.requires(*rule)))
        .collect();
    let is_of_unknown_certificate = record.tls.as_ref().is_some_and(|tls| tls.peer_certificate().is_none());
    let (mut violations, mut not_assessed, mut not_asked) = (Vec::new(), Vec::new(), Vec::new());
    for &rule in Rule::ALL {
        let name = rule.as_str();
        let is_open_now = now.not_assessed.contains(&name);
        let is_required = severities.requires(rule);
        let found_now = now.violations.iter().filter(|found| found.rule == name);
        let Recorded { found: found_before, was_open, was_not_asked } = Recorded::of(name, before.as_ref());
        let was_found = !found_before.is_empty();
        // Several names said what those facts do not that they have in common.
        let is_one_form = record.endpoint.kind.is_some() && record.endpoint.partition.is_some();
        let has_names = was_open || was_not_asked || was_found && !is_one_form;
        let is_beyond_records = rule.is_beyond_records() || rule.is_about_form() && has_names;
        let is_as_recorded =
            is_beyond_records && (rule != Rule::CertificateExpired || is_of_unknown_certificate);
        let (found, is_open): (Vec<Violation>, bool) = if is_as_recorded {
            let found =
                found_before.into_iter().filter_map(|found| policy::carried_over(found, record, options));
            // What only the rest of the record says of such a rule is no finding, and no proof that it was kept.
            // Nor is a record without findings.
            (found.collect(), was_open || was_not_asked || before.is_none() || found_now.count() > 0)
        } else {
            let is_lost = BY_FACTS.contains(&rule) && was_found;
            let is_open = is_lost || was_not_asked || was_open && !BY_LIST.contains(&rule);
            (found_now.cloned().collect(), is_open)
        };
        let is_found_before = is_as_recorded && was_found;
        let is_unknown = is_open && found.is_empty();
        // Another override may be that of the flow, and may require what its own settings do not.
        let is_open_there = || {
            may_be_required.contains(&rule)
                && if found.is_empty() && !is_found_before {
                    is_open
                } else {
                    is_as_recorded && !policy::is_excepted(rule, record, options)
                }
        };
        if !found.iter().any(|found| found.severity.counts())
            && (is_open_now || is_required && is_unknown || is_open_there())
        {
            not_assessed.push(name);
        }
        if is_beyond_records
            && !is_required
            && found.is_empty()
            && (is_open || is_found_before || now.not_asked.contains(&name))
        {
            not_asked.push(name);
        }
        violations.extend(found);
    }
    record.path.open_rules.truncate(known_rules);
    let verdict = match policy::verdict(record, &violations, &not_assessed) {
        // A record that does not say what was missing.
        Verdict::Pass
            if before.is_some_and(|facts| {
                facts.verdict == Verdict::NotAssessable && facts.not_assessed.is_empty()
            }) =>
        {
            Verdict::NotAssessable
        }
        verdict => verdict,
    };
    record.policy = Some(PolicyFacts { profile: now.profile, verdict, violations, not_assessed, not_asked });
}

/// The region that the address is in: a record does not say it where it is no evidence, but the finding does that rests on it.
fn region_of_address(before: &PolicyFacts) -> Option<String> {
    let rule = Rule::CrossRegionEndpoint.as_str();
    before.violations.iter().find(|found| found.rule == rule).map(|found| found.offending.to_string())
}

/// What was recorded of one rule.
struct Recorded<'a> {
    found: Vec<&'a Violation>,
    was_open: bool,
    was_not_asked: bool,
}

impl<'a> Recorded<'a> {
    fn of(rule: &'static str, facts: Option<&'a PolicyFacts>) -> Self {
        let Some(facts) = facts else {
            return Self { found: Vec::new(), was_open: false, was_not_asked: false };
        };
        Self {
            found: facts.violations.iter().filter(|found| found.rule == rule).collect(),
            was_open: facts.not_assessed.contains(&rule),
            was_not_asked: facts.not_asked.contains(&rule),
        }
    }
}

/// Names of path rules that overrides and exceptions ask for, and that redaction may have made the names in the record of.
/// Which account an alias stands for is not known, so neither is whether the rule was the flow's.
fn hidden_names(path: &PathFacts, options: &Options) -> Vec<String> {
    let overrides = options.overrides.iter().map(|given| &given.matching);
    let asked =
        overrides.chain(options.exceptions.iter().map(|given| &given.matching)).flat_map(|given| &given.path);
    let is_hidden = |name: &&String| {
        path.name.iter().chain(&path.open_rules).any(|shown| *shown != **name && may_stand_for(shown, name))
    };
    asked.filter(is_hidden).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::read::parse;
    use crate::model::Severity;
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

    /// Somebody took a key out of the record, or it is of a version that did not write it.
    #[test]
    fn a_finding_that_cannot_be_made_again_passes_nothing() {
        let mut record = crate::export::sample::tls12();
        record.policy = Some(policy::evaluate(&record, &Options::default()));
        let judged = |record: &Record| {
            let mut record = record.clone();
            judge_anew(&mut record, &Options::default());
            record.policy.unwrap()
        };
        assert_eq!(judged(&record).verdict, Verdict::Pass);
        let facts = record.policy.as_mut().unwrap();
        facts.violations.push(Violation {
            rule: Rule::DowngradeDetected.as_str(),
            severity: Severity::Critical,
            offending: "x".into(),
            message: "x".into(),
            remedy: "x".into(),
            excuse: None,
        });
        let now = judged(&record);
        assert_eq!(
            (now.verdict, &now.not_assessed[..]),
            (Verdict::NotAssessable, &["downgrade_detected"][..])
        );
        // Without any judgement nobody knows of what a record does not hold.
        record.policy = None;
        let now = judged(&record);
        assert!(
            now.verdict == Verdict::NotAssessable && now.not_assessed.contains(&"suspected_interception")
        );
    }

    /// Of a resumed session the record does not hold the certificate that was shown before.
    #[test]
    fn a_certificate_that_is_not_in_the_record_stays_expired() {
        let mut record = crate::export::sample::tls12();
        let tls = record.tls.as_mut().unwrap();
        tls.resumed = Some(true);
        tls.session_certificate = tls.certificate.take();
        let mut expired = (**tls.session_certificate.as_ref().unwrap()).clone();
        expired.not_after = crate::model::Timestamp::from_seconds(1_600_000_000).into();
        tls.session_certificate = Some(expired.into());
        record.policy = Some(policy::evaluate(&record, &Options::default()));
        let mut text = Vec::new();
        crate::export::jsonl::write_record(&record, &mut text);
        let (mut read, _) = parse(text.trim_ascii_end()).unwrap();
        judge_anew(&mut read, &Options::default());
        let facts = read.policy.unwrap();
        assert!(facts.violations.iter().any(|found| found.rule == "certificate_expired"), "{facts:?}");
    }

    /// Drafts are offered by numbers that a record does not hold.
    #[test]
    fn a_draft_that_was_offered_is_judged_as_before() {
        let mut record = crate::export::sample::tls13();
        let draft = crate::model::registry::TlsVersion(0x7f1a);
        let tls = record.tls.as_mut().unwrap();
        tls.hello_retry_request = None;
        let (client, server) = (tls.client_hello.as_mut().unwrap(), tls.server_hello.as_mut().unwrap());
        server.selected_version = Some(draft);
        client.supported_versions = vec![draft];
        client.cipher_suites = vec![server.cipher_suite];
        client.supported_groups = server.key_share.into_iter().collect();
        client.key_shares = server.key_share.into_iter().collect();
        let before = policy::evaluate(&record, &Options::default());
        assert_eq!(before.not_assessed, [""; 0]);
        record.policy = Some(before.clone());
        let mut line = Vec::new();
        crate::export::jsonl::write_record(&record, &mut line);
        let (mut record, _) = parse(line.trim_ascii_end()).unwrap();
        judge_anew(&mut record, &Options::default());
        assert_eq!(record.policy.unwrap().not_assessed, before.not_assessed);
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

    /// What the observer could not tell then, a record cannot tell now.
    #[test]
    fn what_could_not_be_judged_then_is_not_judged_now() {
        let good = || {
            let mut record = compressed();
            record.tls.as_mut().unwrap().server_hello.as_mut().unwrap().compression_method =
                Default::default();
            judge_anew(&mut record, &Options::default());
            assert_eq!(
                record.policy.as_ref().unwrap().verdict,
                Verdict::Violation,
                "judged by what was found then"
            );
            let policy = record.policy.as_mut().unwrap();
            policy.violations.clear();
            policy.verdict = Verdict::Pass;
            record
        };
        let judged = |open: &[Rule], verdict, options: &Options| {
            let mut record = good();
            let policy = record.policy.as_mut().unwrap();
            policy.not_assessed = open.iter().map(|rule| rule.as_str()).collect();
            policy.verdict = verdict;
            judge_anew(&mut record, options);
            let policy = record.policy.unwrap();
            (policy.verdict, policy.not_assessed)
        };
        let default = Options::default();
        assert_eq!(judged(&[], Verdict::Pass, &default), (Verdict::Pass, vec![]));
        // Also where it was hidden behind a violation.
        for verdict in [Verdict::NotAssessable, Verdict::Violation] {
            for rule in
                [Rule::TlsVersionTooLow, Rule::DnsOverride, Rule::EndpointConflict, Rule::CertificateExpired]
            {
                let expected = (Verdict::NotAssessable, vec![rule.as_str()]);
                assert_eq!(judged(&[rule], verdict, &default), expected);
            }
        }
        let mut without = Options::default();
        without.settings.severities.set(Rule::DnsOverride, None);
        assert_eq!(judged(&[Rule::DnsOverride], Verdict::NotAssessable, &without), (Verdict::Pass, vec![]));
        // A list that this policy does not have.
        assert_eq!(
            judged(&[Rule::PathNotAllowed], Verdict::NotAssessable, &default),
            (Verdict::Pass, vec![])
        );
        // Nobody says what was missing.
        assert_eq!(judged(&[], Verdict::NotAssessable, &default), (Verdict::NotAssessable, vec![]));
    }

    /// Judged by one policy, written, read again and judged by another.
    fn judged_again(record: &Record, then: &Options, now: &Options) -> PolicyFacts {
        let mut record = record.clone();
        record.policy = Some(policy::evaluate(&record, then));
        let mut line = Vec::new();
        crate::export::jsonl::write_record(&record, &mut line);
        let (mut record, unknown) = parse(line.trim_ascii_end()).unwrap();
        assert_eq!(unknown, 0);
        judge_anew(&mut record, now);
        record.policy.unwrap()
    }

    fn with(rule: Rule, severity: Option<Severity>) -> Options {
        let mut options = Options::default();
        options.settings.severities.set(rule, severity);
        options
    }

    /// Nothing was found of a rule that nobody asked for, or whose answer changed nothing.
    #[test]
    fn what_was_not_asked_then_is_not_taken_for_kept() {
        let mut compressed = crate::export::sample::tls12();
        compressed.tls.as_mut().unwrap().server_hello.as_mut().unwrap().compression_method =
            crate::model::registry::CompressionMethod(1);
        let mut not_yet = crate::export::sample::tls12();
        let mut certificate = (**not_yet.tls.as_ref().unwrap().certificate.as_ref().unwrap()).clone();
        certificate.not_before = crate::model::Timestamp::from_seconds(1_900_000_000).into();
        certificate.not_after = crate::model::Timestamp::from_seconds(2_000_000_000).into();
        not_yet.tls.as_mut().unwrap().certificate = Some(certificate.into());
        let default = Options::default();
        for (record, rule, severity) in [
            (&compressed, Rule::TlsCompression, None),
            (&not_yet, Rule::CertificateExpired, None),
            (&not_yet, Rule::CertificateExpired, Some(Severity::Info)),
        ] {
            let facts = judged_again(record, &with(rule, severity), &default);
            assert_eq!(
                (facts.verdict, &facts.not_assessed[..]),
                (Verdict::NotAssessable, &[rule.as_str()][..]),
                "{severity:?}"
            );
            // It is handed on until somebody asks.
            let facts = judged_again(record, &with(rule, severity), &with(rule, severity));
            assert_eq!((facts.verdict, &facts.not_asked[..]), (Verdict::Pass, &[rule.as_str()][..]));
            // What was plainly kept needs no mention.
            let good = crate::export::sample::tls12();
            let facts = judged_again(&good, &with(rule, severity), &default);
            assert_eq!((facts.verdict, facts.not_asked.len()), (Verdict::Pass, 0));
        }
        // Found then as an info, it is taken over.
        let info = with(Rule::TlsCompression, Some(Severity::Info));
        assert_eq!(judged_again(&compressed, &info, &default).verdict, Verdict::Violation);
    }

    /// What several names have in common is told without one of them.
    #[test]
    fn several_names_of_one_kind_are_judged_as_before() {
        use crate::model::EndpointEvidence::{Dns, Prefix};
        let mut record = crate::export::sample::tls12();
        record.endpoint.host = None;
        record.endpoint.evidence = vec![Dns, Prefix];
        record.endpoint.has_many_services = true;
        let fips = with(Rule::FipsEndpointRequired, Some(Severity::Critical));
        let direct = policy::evaluate(&record, &fips);
        assert_eq!(direct.verdict, Verdict::Violation);
        assert_eq!(judged_again(&record, &fips, &fips), direct);
        assert_eq!(judged_again(&record, &Options::default(), &fips), direct);
        // Which service it is remains open.
        let streams = Match { service: vec![crate::model::Service::DynamodbStreams], ..Match::default() };
        let strict = |settings: &mut policy::Settings| {
            settings.minimum_version = crate::model::registry::TlsVersion::TLS13;
        };
        let options = overridden(streams, strict, Options::default());
        let direct = policy::evaluate(&record, &options);
        assert_eq!(direct.not_assessed, ["tls_version_too_low"]);
        assert_eq!(judged_again(&record, &Options::default(), &options), direct);
    }

    #[test]
    fn names_of_which_some_are_fips_ones_leave_that_open_also_later() {
        let mut record = crate::export::sample::tls12();
        let one = (*record.endpoint).clone();
        record.endpoint.host = None;
        record.endpoint.alternatives = vec![one.clone(), crate::model::EndpointFacts { fips: true, ..one }];
        let fips = with(Rule::FipsEndpointRequired, Some(Severity::Critical));
        let direct = policy::evaluate(&record, &fips);
        assert_eq!(direct.not_assessed, ["fips_endpoint_required"]);
        assert_eq!(judged_again(&record, &Options::default(), &fips), direct);
    }

    #[test]
    fn a_place_that_was_not_told_then_leaves_its_rule_open() {
        let mut record = crate::export::sample::tls12();
        record.path = PathFacts::default();
        record.endpoint.prefix_region = Some("eu-central-1".to_owned());
        record.endpoint.evidence =
            vec![crate::model::EndpointEvidence::Sni, crate::model::EndpointEvidence::Prefix];
        let mut nat = Options::default();
        nat.site.egress_hop = Some("NAT hop");
        nat.site.region = Some("eu-central-1".to_owned());
        assert_eq!(policy::evaluate(&record, &nat).verdict, Verdict::Violation);
        let facts = judged_again(&record, &Options::default(), &nat);
        assert_eq!(
            (facts.verdict, &facts.not_assessed[..]),
            (Verdict::NotAssessable, &["gateway_endpoint_missing"][..])
        );
        assert_eq!(judged_again(&record, &nat, &nat).verdict, Verdict::Violation);
        nat.site.region = Some("eu-west-1".to_owned());
        assert_eq!(judged_again(&record, &Options::default(), &nat).verdict, Verdict::Pass);
    }

    /// Where the address is, and the names say something else.
    #[test]
    fn the_region_of_an_address_is_known_by_the_finding_that_rests_on_it() {
        let mut record = crate::export::sample::tls12();
        let endpoint = &mut *record.endpoint;
        endpoint.evidence = vec![crate::model::EndpointEvidence::Dns];
        endpoint.confidence = Some(crate::model::Confidence::Possible);
        endpoint.conflict = vec!["The name and the address are of two regions.".to_owned()];
        (endpoint.host, endpoint.region) = (None, Some("eu-west-1".to_owned()));
        endpoint.prefix_region = Some("us-gov-west-1".to_owned());
        let rule = Rule::CrossRegionEndpoint;
        for severity in [Severity::Info, Severity::Warning] {
            let mut at_home = with(rule, Some(severity));
            at_home.site.region = Some("eu-west-1".to_owned());
            let direct = policy::evaluate(&record, &at_home);
            assert!(direct.violations.iter().any(|found| &*found.offending == "us-gov-west-1"), "{direct:?}");
            assert_eq!(judged_again(&record, &at_home, &at_home), direct);
            let mut there = at_home.clone();
            there.site.region = Some("us-gov-west-1".to_owned());
            let found = judged_again(&record, &at_home, &there).violations;
            assert!(!found.iter().any(|found| found.rule == rule.as_str()), "{found:?}");
        }
    }

    /// A record says that there are several services, not which.
    #[test]
    fn an_override_for_dax_may_be_that_of_a_flow_with_several_services() {
        use crate::model::Service::{Dax, Dynamodb};
        let mut record = crate::export::sample::tls12();
        let of =
            |service| crate::model::EndpointFacts { service: Some(service), ..(*record.endpoint).clone() };
        let alternatives = [Dynamodb, Dax].map(of).to_vec();
        let endpoint = &mut *record.endpoint;
        (endpoint.has_many_services, endpoint.alternatives) = (true, alternatives);
        (endpoint.is_in_prefix, endpoint.evidence) = (false, vec![crate::model::EndpointEvidence::Dns]);
        (endpoint.host, endpoint.kind) = (None, None);
        let options = overridden(
            Match { service: vec![Dax], ..Match::default() },
            |settings| settings.severities.set(Rule::FipsEndpointRequired, Some(Severity::Critical)),
            Options::default(),
        );
        let direct = policy::evaluate(&record, &options);
        assert!(direct.not_assessed.contains(&"fips_endpoint_required"), "{direct:?}");
        let again = judged_again(&record, &options, &options);
        assert_eq!((again.verdict, again.not_assessed), (direct.verdict, direct.not_assessed));
    }

    fn overridden(matching: Match, change: fn(&mut policy::Settings), mut options: Options) -> Options {
        let mut settings = options.settings.clone();
        change(&mut settings);
        options.overrides.push(policy::Override { matching, settings });
        options
    }

    /// An override may be that of the flow, and require what its own settings do not.
    #[test]
    fn agrees_with_the_same_policy_where_an_override_is_open() {
        let mut record = crate::export::sample::tls12();
        record.path = PathFacts::default();
        record.tls.as_mut().unwrap().server_hello.as_mut().unwrap().compression_method =
            crate::model::registry::CompressionMethod(1);
        let internet = Match { access: vec![crate::model::Access::Internet], ..Match::default() };
        for severity in [Some(Severity::Info), None] {
            let mut options = overridden(
                internet.clone(),
                |settings| settings.severities.set(Rule::TlsCompression, Some(Severity::Critical)),
                with(Rule::TlsCompression, severity),
            );
            let direct = policy::evaluate(&record, &options);
            assert_eq!(
                (direct.verdict, &direct.not_assessed[..]),
                (Verdict::NotAssessable, &["tls_compression"][..])
            );
            assert_eq!(judged_again(&record, &options, &options), direct, "{severity:?}");
            options.exceptions.push(exception(Rule::TlsCompression));
            let direct = policy::evaluate(&record, &options);
            let again = judged_again(&record, &options, &options);
            assert_eq!(direct.verdict, Verdict::Pass);
            // That it was broken, and not unknown, is not in the record where nobody asked.
            let expected = if severity.is_some() { Verdict::Pass } else { Verdict::NotAssessable };
            assert_eq!(again.verdict, expected, "{severity:?}");
        }
    }

    /// Which account an alias stands for is not known.
    #[test]
    fn a_redacted_name_of_a_path_may_be_the_one_asked_for() {
        let named = Match { path: vec!["vif-123456789012".to_owned()], ..Match::default() };
        let options = overridden(
            named,
            |settings| settings.minimum_version = crate::model::registry::TlsVersion::TLS13,
            Options::default(),
        );
        for (name, verdict) in [
            ("vif-123456789012", Verdict::Violation),
            ("vif-account-1", Verdict::NotAssessable),
            ("vif-account-other", Verdict::NotAssessable),
            ("vif-0123456789ab", Verdict::NotAssessable),
            ("vif-account-1a", Verdict::Pass),
            ("vpn-account-1", Verdict::Pass),
            ("vif-account-", Verdict::Pass),
        ] {
            let mut record = crate::export::sample::tls12();
            record.path.name = Some(name.to_owned());
            record.policy = Some(policy::evaluate(&record, &Options::default()));
            judge_anew(&mut record, &options);
            let facts = record.policy.unwrap();
            assert_eq!(facts.verdict, verdict, "{name}: {facts:?}");
            assert_eq!(record.path.open_rules, [""; 0]);
        }
    }

    /// One half of a path may be certain where the other is only possible.
    #[test]
    fn each_half_of_a_path_keeps_its_own_certainty() {
        use crate::model::{Access, Confidence, Entry};
        let mut record = crate::export::sample::tls12();
        (record.path.access, record.path.access_confidence) = (Access::InVpc, Some(Confidence::Possible));
        (record.path.entry, record.path.entry_confidence) =
            (Entry::InterfaceEndpoint, Some(Confidence::Certain));
        let mut options = Options::default();
        options.settings.allowed_paths =
            vec![policy::AllowedPath { access: None, entry: Some(Entry::GatewayEndpoint) }];
        let direct = policy::evaluate(&record, &options);
        assert_eq!(direct.verdict, Verdict::Violation);
        assert_eq!(judged_again(&record, &options, &options), direct);
    }
}
