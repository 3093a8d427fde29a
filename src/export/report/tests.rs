//! What the report promises.

use super::*;
use crate::export::plain::thousands;
use crate::export::{Redaction, sample};
use crate::model::registry::TlsVersion;
use crate::model::{Eviction, Severity, Timestamp, Verdict, Violation};
use crate::policy::{Exception, Expiry, Match, Options, Override, Rule, profile};

fn options() -> ReportOptions {
    ReportOptions {
        version: "1.2.3".into(),
        policy: Some(Options::default()),
        profile: profile::find(profile::DEFAULT),
        others: profile::all(),
        all_services: Some(true),
        is_redacted: Some(true),
        ..ReportOptions::default()
    }
}

fn report(records: &[Record]) -> String {
    let mut report = Report::new(options(), Vec::new());
    for record in records {
        report.record(record).unwrap();
    }
    let content = Content::Stored(7, "ab".repeat(32));
    report.inputs(Origin::Captures, vec![InputFact { name: "site.pcapng".into(), content }]);
    report.finish(&Accounts::default()).unwrap();
    String::from_utf8(report.into_inner()).unwrap()
}

#[test]
fn shows_every_violation_with_its_evidence() {
    let html = report(&sample::all());
    for record in sample::all() {
        for violation in record.policy.iter().flat_map(|policy| &policy.violations) {
            assert!(html.contains(violation.rule), "{}", violation.rule);
            let id = format!("{}-{}", violation.severity, violation.rule.replace('_', "-"));
            assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
    assert!(html.contains("first 1, ClientHello 4, ServerHello 6"));
}

#[test]
fn gives_the_same_bytes_again() {
    assert_eq!(report(&sample::all()), report(&sample::all()));
}

#[test]
fn loads_nothing_and_runs_nothing() {
    let html = report(&sample::all());
    for forbidden in
        ["<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "href=\"http", "javascript:"]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn escapes_whatever_a_stranger_sent() {
    let mut record = sample::tls12();
    let attack = "<script>alert(1)</script>\"'\u{202e}&";
    record.source = attack.into();
    record.endpoint.host = Some(attack.into());
    record.endpoint.region = Some(attack.into());
    record.path.name = Some(attack.into());
    let violation = Violation {
        rule: "weak_cipher",
        severity: Severity::Critical,
        offending: attack.into(),
        message: attack.into(),
        remedy: attack.into(),
        excuse: None,
    };
    let policy = record.policy.as_mut().unwrap();
    policy.profile = attack.into();
    policy.verdict = Verdict::Violation;
    policy.violations = vec![violation];
    let html = report(&[record]);
    assert!(!html.contains("<script") && !html.contains('\u{202e}'));
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn shows_what_texts_quote_as_code() {
    let mut record = sample::tls12();
    let policy = record.policy.as_mut().unwrap();
    policy.verdict = Verdict::Violation;
    policy.violations = vec![Violation {
        rule: "path_not_allowed",
        severity: Severity::Critical,
        offending: "x".into(),
        message: "x".into(),
        remedy: "Add it to `<allowed_paths>`.".into(),
        excuse: None,
    }];
    let html = report(&[record]);
    assert!(html.contains("Add it to <code>&lt;allowed_paths&gt;</code>."));
    assert!(html.contains("The configuration, <code>[policy] allowed_paths</code>"));
    assert!(html.contains("a way that is not in <code>allowed_paths</code>."));
    assert!(!html.split("</style>").nth(1).unwrap().contains('`'), "{html}");
}

#[test]
fn counts_what_it_does_not_list() {
    let mut record = sample::old_version();
    record.policy.as_mut().unwrap().verdict = Verdict::Violation;
    let html = report(&vec![record; 1_000]);
    assert!(html.contains("and 800 more flows"), "200 of 1000 are listed");
    assert!(html.contains("1,000 of 1,000 flows (100.0 %)"));
}

/// However many clients came before, who breaks a rule is named.
#[test]
fn names_who_breaks_a_rule_however_many_came_before() {
    let mut report = Report::new(options(), Vec::new());
    let number = u32::try_from(collect::MAX_CLIENTS).unwrap();
    let mut record = sample::tls12();
    for client in 0..=number {
        record.client.set_ip(std::net::Ipv4Addr::from(0x0a00_0000 + client).into());
        report.record(&record).unwrap();
    }
    let mut bad = sample::old_version();
    bad.client.set_ip(std::net::Ipv4Addr::new(10, 99, 99, 99).into());
    for _ in 0..3 {
        report.record(&bad).unwrap();
    }
    record.client.set_ip(std::net::Ipv4Addr::new(10, 88, 88, 88).into());
    for _ in 0..2 {
        report.record(&record).unwrap();
    }
    report.finish(&Accounts::default()).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    assert!(html.contains("Of 16,384 and more client addresses, 1 breaks a rule."));
    assert!(html.contains("<li>10.99.99.99, "));
    assert!(html.contains("and at least 16,334 client addresses more, which break no rule"));
    // The flows of all are counted, of whatever clients.
    let beyond = collect::MAX_CLIENTS / 2 + 1;
    assert!(
        html.contains(&format!("kept; {} flows found no place with an address", thousands(beyond as u64))),
        "{beyond}"
    );
    // With "what if", too: every client has one flow that would break the strictest.
    assert!(html.contains("<td class=\"number\">4,096+</td>"));
    assert!(html.contains("and at least 4,071 more clients; "));
    assert!(html.contains("<th scope=\"row\">10.88.88.88</th><td class=\"number\">2+</td>"));
}

/// Who had to make room and came back has lost flows: no number of theirs is told as exact.
#[test]
fn tells_no_number_as_exact_of_who_came_back() {
    let mut report = Report::new(options(), Vec::new());
    let number = u32::try_from(collect::MAX_CLIENTS).unwrap();
    let address = |number: u32| std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number));
    let (mut good, mut bad) = (sample::tls12(), sample::old_version());
    for client in 0..number {
        bad.client.set_ip(address(client));
        report.record(&bad).unwrap();
    }
    // The last has more, so that it stays; the one before comes back.
    for client in [number - 1, number, number - 2] {
        for _ in 0..3 {
            bad.client.set_ip(address(client));
            report.record(&bad).unwrap();
        }
        good.client.set_ip(address(client));
        report.record(&good).unwrap();
    }
    report.finish(&Accounts::default()).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    let of = |client: u32, numbers: &str| {
        let line = format!("<li>{}, ", address(client));
        let found = html.split_once(&line).unwrap().1.split_once("</li>").unwrap().0;
        assert!(found.ends_with(numbers), "{found}");
    };
    of(number - 1, ": 4 of 5 flows");
    of(number, ": 3+ of 4+ flows");
    of(number - 2, ": 3+ of 4+ flows");
    assert!(html.contains(" or before</td>"));
    assert!(html.contains("8,192 flows, 8,192 of them with a violation, found no place with an address"));
    assert!(html.contains("and at least 16,334 client addresses more, further down in this order"));
}

#[test]
fn gives_no_hash_of_what_has_none() {
    let with = |content| {
        let mut report = Report::new(options(), Vec::new());
        let known = InputFact { name: "a".into(), content: Content::Stored(7, "ab".repeat(32)) };
        report.inputs(Origin::Captures, vec![known, InputFact { name: "b".into(), content }]);
        report.finish(&Accounts::default()).unwrap();
        String::from_utf8(report.into_inner()).unwrap()
    };
    let all = with(Content::Stored(7, "cd".repeat(32)));
    let lines = format!("{}  a\n{}  b\n", "ab".repeat(32), "cd".repeat(32));
    assert!(all.contains(&page::sha256(lines.as_bytes())), "as sha256sum prints them");
    for none in [Content::Stream, Content::Unread] {
        assert!(with(none).contains("<dd>no hash: not every file has one</dd>"));
    }
}

#[test]
fn says_that_nothing_follows_from_nothing() {
    let html = report(&[]);
    assert!(html.contains("No flow was seen, so nothing can be said of them."));
    let mut record = sample::tls12();
    record.policy.as_mut().unwrap().verdict = Verdict::NotAssessable;
    assert!(report(&[record]).contains("it is not shown that the rules are kept"));
    assert!(report(&[sample::tls12()]).contains("The 1 flow seen keeps the rules."));
    assert!(report(&[sample::tls12(), sample::tls12()]).contains("All 2 flows seen keep the rules."));
}

#[test]
fn says_what_records_cannot_tell() {
    let mut report = Report::new(ReportOptions { policy: None, profile: None, ..options() }, Vec::new());
    report.record(&sample::tls12()).unwrap();
    let counts = ReadingCounts { lines: 4, records: 1, torn: 1, refused: 2, ..ReadingCounts::default() };
    report.inputs(Origin::Records(counts), Vec::new());
    report.finish(&Accounts::default()).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    assert!(html.contains("is not in the records and therefore not known here"));
    assert!(html.contains("2 lines were no records of this format, and left out."), "{html}");
    assert!(html.contains("1 line had no end"), "{html}");
    assert!(html.contains("Something was lost or could not be read"));
}

/// A hole in a handshake is no packet that could not be decoded.
#[test]
fn tells_no_service_as_certain_that_several_names_leave_open() {
    let mut record = sample::tls12();
    record.endpoint.has_many_services = true;
    let text = report(&[record]);
    assert!(text.contains("one of several DynamoDB services"), "{text}");
    assert!(text.contains(", possibly dynamodb") && !text.contains("DynamoDB API<"), "{text}");
    let text = report(&[sample::tls12()]);
    assert!(text.contains("DynamoDB API<") && !text.contains(", possibly "), "{text}");
}

#[test]
fn tells_packets_from_messages() {
    let mut report = Report::new(options(), Vec::new());
    let mut accounts = Accounts::default();
    let errors = [(("capture", "link_type"), 18), (("tls", "handshake_gap"), 6), (("dns", "malformed"), 2)];
    accounts.decode_errors = errors.into();
    accounts.decode_errors.insert(("capture", "cut_short"), 7);
    report.inputs(Origin::Captures, Vec::new());
    report.finish(&accounts).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    assert!(html.contains("18 packets could not be decoded."), "{html}");
    assert!(html.contains("8 TLS or DNS messages could not be decoded."), "{html}");
}

#[test]
fn says_that_reading_of_records_was_stopped() {
    let mut report = Report::new(options(), Vec::new());
    let counts = ReadingCounts { lines: 1, records: 1, is_cut_short: true, ..ReadingCounts::default() };
    report.record(&sample::tls12()).unwrap();
    report.inputs(Origin::Records(counts), Vec::new());
    report.finish(&Accounts::default()).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    assert!(html.contains("Reading was stopped before the end of the input"), "{html}");
    assert!(!html.contains("Every line was read."), "{html}");
}

#[test]
fn says_what_there_was_no_room_for() {
    for why in Eviction::LOSSES {
        let mut report = Report::new(options(), Vec::new());
        let mut accounts = Accounts::default();
        accounts.evictions.insert(why.as_str(), 3);
        report.inputs(Origin::Captures, Vec::new());
        report.finish(&accounts).unwrap();
        let html = String::from_utf8(report.into_inner()).unwrap();
        assert!(html.contains("3 flows left the table of flows early for want of room."), "{why}");
    }
}

#[test]
fn hides_accounts_in_what_the_operator_wrote() {
    let name = "house 123456789012";
    let mut options = options();
    let profile = options.profile.as_mut().unwrap();
    (profile.name, profile.extends) = (name.to_owned(), Some(name.to_owned()));
    let policy = options.policy.as_mut().unwrap();
    policy.settings.profile = name.into();
    let matching = Match { path: vec![name.to_owned()], ..Match::default() };
    policy.overrides.push(Override { matching, settings: policy.settings.clone() });
    let mut report = Report::new(options, Vec::new());
    report.redact(&mut Redactor::new(Redaction::Numbered));
    report.finish(&Accounts::default()).unwrap();
    let html = String::from_utf8(report.into_inner()).unwrap();
    assert!(html.contains("house account-1") && !html.contains("123456789012"));
}

/// A flow with TLS 1.0, judged by a policy with an exception for it.
fn excepted(matching: Match, change: fn(&mut Record)) -> String {
    let mut policy = Options::default();
    policy.exceptions.push(Exception {
        rules: vec![Rule::TlsVersionTooLow],
        matching,
        owner: "payments team".to_owned(),
        reason: "it goes in March".to_owned(),
        expires: Expiry::parse("2099-12-31").unwrap(),
    });
    let mut record = sample::tls12();
    let tls = record.tls.as_mut().unwrap();
    tls.server_hello.as_mut().unwrap().legacy_version = TlsVersion::TLS10;
    tls.client_hello.as_mut().unwrap().supported_versions = vec![TlsVersion::TLS12, TlsVersion::TLS10];
    change(&mut record);
    record.policy = Some(policy::evaluate(&record, &policy));
    let mut redactor = Redactor::new(Redaction::Numbered);
    redactor.apply(&mut record);
    let mut report = Report::new(ReportOptions { policy: Some(policy), ..options() }, Vec::new());
    report.record(&record).unwrap();
    report.redact(&mut redactor);
    report.finish(&Accounts::default()).unwrap();
    String::from_utf8(report.into_inner()).unwrap()
}

#[test]
fn does_not_say_that_rules_are_kept_that_an_exception_lets_be_broken() {
    let html = excepted(Match::default(), |_| ());
    assert!(html.contains("The 1 flow seen keeps the rules only under an exception."));
    assert!(html.contains("Of 1 client address, none breaks a rule, 1 only under an exception."));
    assert!(html.contains("1 flow breaks a rule under an exception and would be a violation without it"));
}

#[test]
fn counts_exceptions_as_they_were_applied() {
    let applied = |times| format!("<td class=\"given\">2099-12-31</td><td class=\"number\">{times}</td>");
    let html = excepted(Match::default(), |record| record.timestamp = Timestamp::default());
    assert!(html.contains("is not applied: the capture tells no date") && html.contains(&applied(0)));
    // The names of the record are redacted, those of the exception were not yet.
    let matching = Match { path: vec!["vif-123456789012".to_owned()], ..Match::default() };
    let html = excepted(matching, |record| record.path.name = Some("vif-123456789012".to_owned()));
    assert!(html.contains("payments team") && html.contains(&applied(1)), "{html}");
}

/// A profile keeps its name where `[policy]` changes it.
#[test]
fn says_where_the_policy_is_not_what_its_name_says() {
    let made = |change: fn(&mut policy::Settings)| {
        let profile = profile::find("nist-800-52r2").unwrap();
        let mut policy = Options { settings: profile.settings.clone(), ..Options::default() };
        change(&mut policy.settings);
        let options = ReportOptions { policy: Some(policy), profile: Some(profile), ..options() };
        let mut report = Report::new(options, Vec::new());
        report.record(&sample::tls12()).unwrap();
        report.finish(&Accounts::default()).unwrap();
        String::from_utf8(report.into_inner()).unwrap()
    };
    let plain = made(|_| ());
    assert!(!plain.contains("changed by [policy]") && plain.contains("no_forward_secrecy stays critical"));
    let changed = made(|settings| settings.severities.set(Rule::NoForwardSecrecy, None));
    assert!(
        changed.contains("<title>DynamoDB TLS evidence report: nist-800-52r2, changed by [policy]</title>")
    );
    assert!(changed.contains("<li>no_forward_secrecy off instead of critical</li>"));
    assert!(!changed.contains("stays critical"));
    // Which paths are allowed no standard says.
    let paths =
        made(|settings| settings.allowed_paths.push(policy::AllowedPath { access: None, entry: None }));
    assert!(!paths.contains("changed by [policy]"));
}
