//! The verdict, severities, overrides and exceptions.

use super::*;

#[test]
fn passes_a_good_flow() {
    let facts = evaluate(&good(), &Options::default());
    assert_eq!(facts.verdict, Verdict::Pass);
    assert_eq!(&*facts.profile, "aws-dynamodb");
    assert_eq!(facts.violations.len(), 1);
    assert_eq!(facts.violations[0].rule, ALWAYS);
    assert_eq!(facts.violations[0].severity, Severity::Info);
}

#[test]
fn passes_only_what_was_seen_whole() {
    for (completeness, outcome) in [
        (Completeness::Truncated, Outcome::Completed),
        (Completeness::ServerOnly, Outcome::Completed),
        (Completeness::Full, Outcome::TimedOut),
        (Completeness::Full, Outcome::Reset),
        (Completeness::Full, Outcome::NotSeen),
    ] {
        let mut record = good();
        record.completeness = completeness;
        record.outcome = outcome;
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    }
    let mut empty = good();
    empty.tls = None;
    assert_eq!(evaluate(&empty, &Options::default()).verdict, Verdict::NotAssessable);
}

#[test]
fn switches_rules_off_and_up() {
    let mut options = Options::default();
    options.settings.severities.set(Rule::TlsVersionNotRecommended, Some(Severity::Warning));
    assert_eq!(evaluate(&good12(), &options).verdict, Verdict::Violation);
    options.settings.severities.set(Rule::TlsVersionNotRecommended, None);
    assert_eq!(evaluate(&good12(), &options).verdict, Verdict::Pass);
    assert!(!fired(&good12(), &options).contains("tls_version_not_recommended"));
}

#[test]
fn takes_the_first_override_that_matches() {
    let mut strict = profile::find("pq-ready").unwrap().settings;
    strict.minimum_version = TlsVersion::TLS13;
    let options = Options {
        overrides: vec![
            Override {
                matching: Match { source: vec!["10.9.0.0/16".parse().unwrap()], ..Match::default() },
                settings: profile::find("cnsa-2.0").unwrap().settings,
            },
            Override {
                matching: Match {
                    source: vec!["10.1.0.0/16".parse().unwrap(), "10.2.0.0/16".parse().unwrap()],
                    region: vec!["eu-central-1".to_owned()],
                    endpoint: vec![EndpointKind::Regional],
                    access: vec![Access::Unknown],
                    ..Match::default()
                },
                settings: strict,
            },
        ],
        ..Options::default()
    };
    assert_eq!(&*evaluate(&good12(), &options).profile, "pq-ready");
    let mut elsewhere = good12();
    elsewhere.path.access = Access::Internet;
    assert_eq!(&*evaluate(&elsewhere, &options).profile, "aws-dynamodb");
    // The address before translation counts too.
    elsewhere.client = "198.51.100.1:1024".parse().unwrap();
    elsewhere.translated = vec![("10.9.3.3:50000".parse().unwrap(), elsewhere.server)];
    assert_eq!(&*evaluate(&elsewhere, &options).profile, "cnsa-2.0");
}

#[test]
fn lets_exceptions_excuse_until_they_expire() {
    let exception = |day: &str| Exception {
        rules: vec![Rule::TlsVersionTooLow],
        matching: Match { source: vec!["10.1.2.3/32".parse().unwrap()], ..Match::default() },
        owner: "payments team".to_owned(),
        reason: "appliance is replaced".to_owned(),
        expires: Expiry::parse(day).unwrap(),
    };
    let mut record = good12();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    client_hello(&mut record).supported_versions.push(TlsVersion::TLS10);
    let judged = |days: &[&str], record: &Record| {
        let exceptions = days.iter().map(|day| exception(day)).collect();
        let mut facts = evaluate(record, &Options { exceptions, ..Options::default() });
        let violation = facts.violations.remove(0);
        assert_eq!(violation.rule, "tls_version_too_low");
        (facts.verdict, violation.severity, violation.message)
    };
    let (verdict, severity, message) = judged(&["2026-03-01"], &record);
    assert_eq!((verdict, severity), (Verdict::Pass, Severity::Info));
    assert!(
        message.contains("Excepted until 2026-03-01 by payments team: appliance is replaced."),
        "{message}"
    );
    let (verdict, severity, message) = judged(&["2026-02-28"], &record);
    assert_eq!((verdict, severity), (Verdict::Violation, Severity::Critical));
    assert!(message.ends_with("The exception of payments team expired on 2026-02-28."), "{message}");
    // One that still holds wins over one that expired.
    assert_eq!(judged(&["2026-02-28", "2026-03-02"], &record).1, Severity::Info);
    // Whether one holds on a day that the capture does not tell is not known.
    let dated = std::mem::take(&mut record.timestamp);
    let (verdict, severity, message) = judged(&["2026-03-01"], &record);
    assert_eq!((verdict, severity), (Verdict::Violation, Severity::Critical));
    assert!(message.ends_with("is not applied: the capture tells no date."), "{message}");
    record.timestamp = dated;
    record.client = "10.1.2.4:50000".parse().unwrap();
    assert_eq!(judged(&["2026-03-01"], &record).1, Severity::Critical);
}

#[test]
fn names_the_setting_of_the_client_where_it_is_known() {
    let mut record = plaintext();
    record.http.as_mut().unwrap().sdk = Some("Boto3/1.37.0".to_owned());
    let violation = evaluate(&record, &Options::default()).violations.remove(0);
    assert_eq!(violation.rule, "plaintext_http");
    assert!(
        violation.remedy.contains("boto3") && violation.remedy.contains("endpoint_url"),
        "{}",
        violation.remedy
    );
}

#[test]
fn an_override_that_may_be_meant_leaves_its_rules_open() {
    let strict = |matching: Match| {
        let settings = Settings { minimum_version: TlsVersion::TLS13, ..Options::default().settings };
        Options { overrides: vec![Override { matching, settings }], ..Options::default() }
    };
    let internet = || strict(Match { access: vec![Access::Internet], ..Match::default() });
    let judge = |record: &Record, options: &Options| {
        let facts = evaluate(record, options);
        (facts.verdict, facts.not_assessed)
    };
    let open = (Verdict::NotAssessable, vec!["tls_version_too_low"]);
    let mut record = good12();
    assert_eq!(judge(&record, &internet()), open);
    // What it asks is kept anyway.
    assert_eq!(judge(&good(), &internet()).0, Verdict::Pass);
    record.path.access = Access::InVpc;
    assert_eq!(judge(&record, &internet()).0, Verdict::Pass);
    record.path.access = Access::Internet;
    assert_eq!(judge(&record, &internet()).0, Verdict::Violation);
    record.path.access_confidence = Some(Confidence::Possible);
    assert_eq!(judge(&record, &internet()), open);
    // An earlier one is meant for sure.
    let mut options = internet();
    let matching = Match { source: vec!["10.0.0.0/8".parse().unwrap()], ..Match::default() };
    options.overrides.insert(0, Override { matching, settings: Options::default().settings });
    assert_eq!(judge(&record, &options).0, Verdict::Pass);
    // Kind and region of an endpoint may be unknown, too.
    record.endpoint.kind = None;
    assert_eq!(
        judge(&record, &strict(Match { endpoint: vec![EndpointKind::Account], ..Match::default() })),
        open
    );
    record.endpoint.region = None;
    assert_eq!(judge(&record, &strict(Match { region: vec!["eu-west-1".into()], ..Match::default() })), open);
    record.endpoint = EndpointFacts::default().into();
    assert_eq!(
        judge(&record, &strict(Match { region: vec!["eu-west-1".into()], ..Match::default() })).0,
        Verdict::Pass
    );
}

#[test]
fn nothing_is_excused_by_what_is_only_possible() {
    let exception = Exception {
        rules: vec![Rule::TlsVersionTooLow],
        matching: Match { access: vec![Access::SiteToSiteVpn], ..Match::default() },
        owner: "somebody".into(),
        reason: "something".into(),
        expires: Expiry::parse("2027-01-01").unwrap(),
    };
    let options = Options { exceptions: vec![exception], ..Options::default() };
    let mut record = good12();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    client_hello(&mut record).supported_versions.push(TlsVersion::TLS10);
    record.path.access = Access::SiteToSiteVpn;
    for (confidence, verdict) in
        [(Confidence::Likely, Verdict::Pass), (Confidence::Possible, Verdict::Violation)]
    {
        record.path.access_confidence = Some(confidence);
        assert_eq!(evaluate(&record, &options).verdict, verdict, "{confidence}");
    }
}

/// Whichever rules are asked.
#[test]
fn passes_no_answer_to_another_hello() {
    let mut record = good12();
    server_hello(&mut record).cipher_suite = CipherSuite(0xc030);
    client_hello(&mut record).cipher_suites = vec![ECDHE_AES];
    let mut options = Options::default();
    for severity in [Some(Severity::Critical), Some(Severity::Info), None] {
        options.settings.severities.set(Rule::TlsVersionTooLow, severity);
        assert_eq!(evaluate(&record, &options).verdict, Verdict::NotAssessable, "{severity:?}");
    }
}

#[test]
fn knows_which_flows_only_an_exception_lets_pass() {
    let mut record = good12();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    client_hello(&mut record).supported_versions.push(TlsVersion::TLS10);
    let exception = |rule| Exception {
        rules: vec![rule],
        matching: Match::default(),
        owner: "payments team".to_owned(),
        reason: "it goes in March".to_owned(),
        expires: Expiry::parse("2099-12-31").unwrap(),
    };
    let judged = |record: &Record, exceptions: Vec<Exception>| {
        evaluate(record, &Options { exceptions, ..Options::default() })
    };
    let both = vec![exception(Rule::SniMissing), exception(Rule::TlsVersionTooLow)];
    let facts = judged(&record, both);
    assert_eq!((facts.verdict, facts.is_excused()), (Verdict::Pass, true));
    assert_eq!(facts.violations[0].excuse, Some(Excuse { by: Some(1), is_needed: true }));
    // What is no more than an info passes anyway.
    let facts = judged(&good12(), vec![exception(Rule::TlsVersionNotRecommended)]);
    assert_eq!(facts.violations[0].excuse, Some(Excuse { by: Some(0), is_needed: false }));
    assert!(!facts.is_excused());
    record.timestamp = Timestamp::default();
    assert!(!judged(&record, vec![exception(Rule::TlsVersionTooLow)]).is_excused());
}

/// Names in messages are chosen by strangers.
#[test]
fn lets_nobody_else_say_that_something_is_excepted() {
    for name in [
        "a. Excepted until 2099-12-31 by x: y",
        "a. The exception of x expired on 2099-12-31.",
        "Excepted until Excepted until a",
    ] {
        let mut record = good12();
        record.endpoint.host = Some(name.into());
        let mut options = Options::default();
        options.exceptions.push(Exception {
            rules: vec![Rule::TlsVersionNotRecommended],
            matching: Match::default(),
            owner: "owner".to_owned(),
            reason: "reason".to_owned(),
            expires: Expiry::parse("2098-12-31").unwrap(),
        });
        for found in evaluate(&record, &options).violations {
            let read = recorded_excuse(found.rule, found.severity, &found.message);
            assert_eq!(read.is_some(), found.excuse.is_some(), "{}", found.message);
            // What is taken over is whole.
            let carried = carried_over(&found, &record, &options).unwrap();
            assert_eq!(carried.message, found.message);
        }
    }
}

/// The client did not agree to what it refused.
#[test]
fn says_who_chose_what_was_refused() {
    let mut record = good12();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    server_hello(&mut record).compression_method = crate::model::registry::CompressionMethod(1);
    tls(&mut record).forward_secrecy = Some(ForwardSecrecy::No);
    tls(&mut record).downgrade = Some(crate::model::Downgrade::SentinelTls11);
    client_hello(&mut record).supported_versions.push(TlsVersion::TLS10);
    let strict = Options { settings: profile::find("cnsa-2.0").unwrap().settings, ..Options::default() };
    let said = |record: &Record| {
        let found = evaluate(record, &strict).violations;
        assert!(found[0].remedy.contains("offers TLS 1.3,"), "{}", found[0].remedy);
        found.into_iter().map(|found| found.message).filter(|message| message.contains("agreed on")).count()
    };
    assert_eq!(said(&record), 5);
    record.outcome = Outcome::RefusedByClient;
    assert_eq!(said(&record), 0);
}
