//! Rules about requests, endpoints and paths.

use super::*;
use crate::model::EndpointFacts;

#[test]
fn reports_requests_in_clear() {
    check(plaintext(), |_| {}, &["plaintext_http"]);
    let http = |change: fn(&mut HttpFacts)| move |record: &mut Record| change(record.http.as_mut().unwrap());
    check(
        plaintext(),
        http(|facts| {
            facts.signature = Some(Signature::None);
            facts.credential = None;
        }),
        &["plaintext_http", "unsigned_request"],
    );
    check(plaintext(), http(|facts| facts.signature = None), &["plaintext_http"]);
    check(
        plaintext(),
        http(|facts| facts.credential = Some(SigningCredential::LongTerm)),
        &["plaintext_http", "long_term_credential"],
    );
    check(
        plaintext(),
        |record| {
            record.endpoint.service = Some(Service::Dax);
            **record.http.as_mut().unwrap() = HttpFacts { is_dax: true, ..HttpFacts::default() };
        },
        &["plaintext_http"],
    );
    // Another service: none of DynamoDB's rules.
    check(plaintext(), |record| record.endpoint = EndpointFacts::default().into(), &[]);
}

#[test]
fn judges_other_services_by_tls_rules_only() {
    let mut record = good12();
    record.endpoint = EndpointFacts::default().into();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    let mut foreign = certificate();
    foreign.issuer_organization = None;
    tls(&mut record).certificate = Some(foreign.into());
    let mut options = options("fips-140-3");
    options.settings.allowed_paths = vec![AllowedPath { access: Some(Access::InVpc), entry: None }];
    let expected = BTreeSet::from(["tls_version_too_low", "group_not_allowed"]);
    assert_eq!(fired(&record, &options), expected);
    record.endpoint = EndpointFacts::default().into();
    assert_eq!(evaluate(&good(), &Options::default()).verdict, Verdict::Pass);
}

#[test]
fn asks_for_fips_endpoints() {
    let mut options = Options::default();
    options.settings.severities.set(Rule::FipsEndpointRequired, Some(Severity::Critical));
    let rule = &["fips_endpoint_required"];
    check_with(&options, good(), |_| {}, rule);
    check_with(&options, good(), |record| record.endpoint.kind = Some(EndpointKind::Interface), rule);
    check_with(&options, good(), |record| record.endpoint.fips = true, &[]);
    // GovCloud's plain host counts as one.
    let gov = |record: &mut Record| record.endpoint.partition = Some("aws-us-gov".to_owned());
    check_with(&options, good(), gov, &[]);
    // Whichever of its services it is, but for DAX.
    let several = |other| {
        let mut record = good();
        gov(&mut record);
        let one = record.endpoint.clone();
        record.endpoint.has_many_services = true;
        record.endpoint.alternatives =
            vec![(*one).clone(), EndpointFacts { service: Some(other), ..(*one).clone() }];
        evaluate(&record, &options).verdict
    };
    let verdicts = [Service::DynamodbStreams, Service::Dax].map(several);
    assert_eq!(verdicts, [Verdict::Pass, Verdict::NotAssessable]);
    for change in [
        (|record| record.endpoint.kind = None) as fn(&mut Record),
        |record| record.endpoint.is_aws_name = false,
        |record| record.endpoint.kind = Some(EndpointKind::Unrecognised),
        // Of several names of one kind, some are FIPS ones.
        |record| {
            let one = (*record.endpoint).clone();
            record.endpoint.alternatives = vec![one.clone(), EndpointFacts { fips: true, ..one }];
        },
        // Of several names, one may be GovCloud's plain host.
        |record| record.endpoint.partition = None,
    ] {
        let mut record = good();
        change(&mut record);
        let facts = evaluate(&record, &options);
        assert_eq!(facts.verdict, Verdict::NotAssessable, "{:?}", facts.violations);
    }
}

#[test]
fn compares_paths_with_those_allowed() {
    let mut options = Options::default();
    options.settings.allowed_paths = vec![
        AllowedPath { access: Some(Access::DirectConnectPublic), entry: Some(Entry::PublicEndpoint) },
        AllowedPath { access: Some(Access::SiteToSiteVpn), entry: None },
    ];
    for (access, entry, verdict) in [
        (Access::DirectConnectPublic, Entry::PublicEndpoint, Verdict::Pass),
        (Access::DirectConnectPublic, Entry::Unknown, Verdict::NotAssessable),
        (Access::DirectConnectPublic, Entry::GatewayEndpoint, Verdict::Violation),
        (Access::SiteToSiteVpn, Entry::Unknown, Verdict::Pass),
        (Access::Internet, Entry::PublicEndpoint, Verdict::Violation),
        (Access::Internet, Entry::Unknown, Verdict::Violation),
        (Access::Unknown, Entry::Unknown, Verdict::NotAssessable),
    ] {
        let mut record = good();
        record.path = PathFacts { access, entry, ..PathFacts::default() };
        let facts = evaluate(&record, &options);
        assert_eq!(facts.verdict, verdict, "{access} {entry}");
        let is_named = facts.violations.iter().any(|violation| violation.rule == "path_not_allowed");
        assert_eq!(is_named, verdict == Verdict::Violation);
    }
}

#[test]
fn finds_missing_gateway_endpoints_only_where_the_hop_is_known() {
    let hop = Options {
        site: Site { region: Some("eu-central-1".to_owned()), egress_hop: Some("NAT hop") },
        ..Options::default()
    };
    let rule = &["gateway_endpoint_missing"];
    check_with(&hop, good(), |_| {}, rule);
    check(good(), |_| {}, &[]);
    for change in [
        (|record| record.client = "198.51.100.1:50000".parse().unwrap()) as fn(&mut Record),
        |record| record.endpoint.prefix_region = None,
        |record| record.endpoint.prefix_region = Some("eu-west-1".to_owned()),
        |record| record.path.entry = Entry::GatewayEndpoint,
        |record| record.path.access = Access::SiteToSiteVpn,
        |record| record.endpoint.service = Some(Service::DynamodbStreams),
        |record| record.proxy = Some(ProxyFacts { kind: ProxyKind::HttpConnect, target: None }),
    ] {
        check_with(&hop, good(), change, &[]);
    }
    // Of several names, one may be that of Streams; or the name of Streams may be an outer one.
    for service in [Service::Dynamodb, Service::DynamodbStreams] {
        let mut record = good();
        record.endpoint.service = Some(service);
        record.endpoint.has_many_services = true;
        assert_eq!(evaluate(&record, &hop).not_assessed, rule, "{service}");
    }
    let mut record = good();
    record.endpoint.service = Some(Service::DynamodbStreams);
    client_hello(&mut record).has_ech = true;
    assert_eq!(evaluate(&record, &hop).not_assessed, rule);
    // A rule that may be the flow's may say that it comes from elsewhere.
    let mut record = good();
    record.path.open_rules.push("vpn".to_owned());
    assert_eq!(evaluate(&record, &hop).not_assessed, rule);
    // Where the client is, a private address does not tell.
    for (access, words) in
        [(Access::Unknown, ": if it is in a VPC, its subnet"), (Access::InVpc, ": its subnet")]
    {
        let mut record = good();
        record.path.access = access;
        let facts = evaluate(&record, &hop);
        assert!(facts.violations.iter().any(|found| found.message.contains(words)), "{access}");
    }
    check_with(
        &hop,
        good(),
        |record| record.endpoint.region = Some("eu-west-1".to_owned()),
        &["gateway_endpoint_missing", "cross_region_endpoint"],
    );
}

#[test]
fn reports_doubtful_endpoints() {
    let private = |record: &mut Record| record.server = "10.0.0.9:443".parse().unwrap();
    check(good(), private, &["dns_override"]);
    for change in [
        (|record| record.proxy = Some(ProxyFacts { kind: ProxyKind::Socks5, target: None }))
            as fn(&mut Record),
        |record| record.endpoint.kind = Some(EndpointKind::Interface),
        |record| record.endpoint.is_aws_name = false,
        |record| record.endpoint.service = Some(Service::Dax),
    ] {
        check(
            good(),
            |record| {
                private(record);
                change(record);
            },
            &[],
        );
    }
    let mut record = good();
    record.endpoint.is_address_unproven = true;
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    check(
        good(),
        |record| record.endpoint.conflict = vec!["The names disagree.".to_owned()],
        &["endpoint_conflict"],
    );
    check(
        good(),
        |record| record.endpoint.kind = Some(EndpointKind::Unrecognised),
        &["endpoint_unrecognised"],
    );
}

#[test]
fn judges_no_path_that_is_only_possible() {
    let mut options = Options::default();
    options.settings.allowed_paths = vec![AllowedPath { access: Some(Access::SiteToSiteVpn), entry: None }];
    let mut record = good();
    record.path.access = Access::SiteToSiteVpn;
    for (confidence, allowed, verdict) in [
        (Confidence::Likely, Access::SiteToSiteVpn, Verdict::Pass),
        (Confidence::Likely, Access::Internet, Verdict::Violation),
        (Confidence::Possible, Access::SiteToSiteVpn, Verdict::NotAssessable),
        (Confidence::Possible, Access::Internet, Verdict::NotAssessable),
    ] {
        record.path.access_confidence = Some(confidence);
        options.settings.allowed_paths = vec![AllowedPath { access: Some(allowed), entry: None }];
        // Also where judgements are kept.
        let mut judgements = crate::policy::Judgements::default();
        for facts in [evaluate(&record, &options), judgements.evaluate(&record, &options)] {
            assert_eq!(facts.verdict, verdict, "{confidence} {allowed}");
        }
    }
}

#[test]
fn hearsay_breaks_no_rule() {
    let mut record = good();
    record.endpoint.confidence = Some(Confidence::Possible);
    record.endpoint.evidence = vec![EndpointEvidence::Dns];
    record.endpoint.conflict = vec!["Something.".to_owned()];
    let facts = evaluate(&record, &Options::default());
    assert_eq!(
        (facts.verdict, &facts.not_assessed[..]),
        (Verdict::NotAssessable, &["endpoint_conflict"][..])
    );
    // But the name in the flow itself that is no name of DynamoDB, at an address that is.
    record.endpoint.evidence = vec![EndpointEvidence::Prefix];
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Violation);
    record.endpoint.evidence = vec![EndpointEvidence::Dns];
    record.endpoint.conflict.clear();
    record.server = "10.0.0.9:443".parse().unwrap();
    assert_eq!(evaluate(&record, &Options::default()).not_assessed, ["dns_override"]);
    record.endpoint.evidence = vec![EndpointEvidence::Dns, EndpointEvidence::Certificate];
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Violation);
}

#[test]
fn a_region_that_is_not_known_may_be_another_one() {
    let mut options = Options::default();
    options.site.region = Some("eu-central-1".to_owned());
    options.settings.severities.set(Rule::CrossRegionEndpoint, Some(Severity::Critical));
    assert_eq!(evaluate(&good(), &options).verdict, Verdict::Pass);
    let mut record = good();
    record.endpoint.region = None;
    assert_eq!(evaluate(&record, &options).not_assessed, ["cross_region_endpoint"]);
}

/// Beside an Encrypted Client Hello the name may be another one than that of the endpoint.
#[test]
fn an_outer_name_decides_nothing() {
    let mut outer = good();
    client_hello(&mut outer).has_ech = true;
    let mut options = Options::default();
    options.settings.severities.set(Rule::FipsEndpointRequired, Some(Severity::Critical));
    for is_fips in [true, false] {
        outer.endpoint.fips = is_fips;
        assert_eq!(evaluate(&outer, &options).not_assessed, ["fips_endpoint_required"]);
    }
    // What something else says as well is known.
    outer.endpoint.fips = true;
    outer.endpoint.evidence.push(EndpointEvidence::Dns);
    assert_eq!(evaluate(&outer, &options).verdict, Verdict::Pass);
    outer.endpoint.evidence.pop();
    // Its region is that of the address.
    let mut options = Options::default();
    options.site.region = Some("eu-west-1".to_owned());
    options.settings.severities.set(Rule::CrossRegionEndpoint, Some(Severity::Critical));
    outer.endpoint.region = Some("eu-west-1".to_owned());
    assert_eq!(evaluate(&outer, &options).verdict, Verdict::Violation);
    outer.endpoint.prefix_region = None;
    assert_eq!(evaluate(&outer, &options).not_assessed, ["cross_region_endpoint"]);
    let matching = Match { region: vec!["eu-west-1".to_owned()], ..Match::default() };
    assert_eq!(matching.holds(&outer), None);
    let matching = Match { endpoint: vec![EndpointKind::Regional], ..Match::default() };
    assert_eq!(matching.holds(&outer), None);
    outer.server = "10.0.0.9:443".parse().unwrap();
    assert_eq!(evaluate(&outer, &Options::default()).not_assessed, ["dns_override"]);
}

#[test]
fn an_address_alone_may_be_that_of_another_service_of_dynamodb() {
    let mut record = good();
    record.endpoint.evidence = vec![EndpointEvidence::Prefix];
    let asked = |services: &[Service]| Match { service: services.to_vec(), ..Match::default() };
    let each = [Service::Dynamodb, Service::DynamodbStreams, Service::DynamodbSearch];
    let answers = |record: &Record| {
        let alone = each.map(|service| asked(&[service]).holds(record));
        (alone, asked(&each).holds(record), asked(&[Service::Dax]).holds(record))
    };
    let open = ([None; 3], Some(true), Some(false));
    assert_eq!(answers(&record), open);
    // So may it be where a proxy was asked for it, and where the name may be an outer one.
    record.endpoint.evidence.push(EndpointEvidence::ProxyTarget);
    assert_eq!(answers(&record), open);
    record.endpoint.evidence = vec![EndpointEvidence::Sni, EndpointEvidence::Prefix];
    assert_eq!(answers(&record).0, [Some(true), Some(false), Some(false)]);
    client_hello(&mut record).has_ech = true;
    assert_eq!(answers(&record), open);
    record.endpoint.service = Some(Service::Dax);
    assert_eq!(answers(&record), ([None; 3], None, None), "an outer name is no proof of DAX either");
}

/// What is accepted for one service is not accepted for what may be another.
#[test]
fn an_exception_does_not_hold_for_a_service_that_is_not_proved() {
    let mut record = good12();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    client_hello(&mut record).supported_versions.push(TlsVersion::TLS10);
    let exception = |service: &[Service], day| Exception {
        rules: vec![Rule::TlsVersionTooLow],
        matching: Match { service: service.to_vec(), ..Match::default() },
        owner: "payments team".to_owned(),
        reason: "appliance is replaced".to_owned(),
        expires: Expiry::parse(day).unwrap(),
    };
    let judged = |record: &Record, service: &[Service], day| {
        let exceptions = vec![exception(service, day)];
        let mut facts = evaluate(record, &Options { exceptions, ..Options::default() });
        (facts.verdict, facts.violations.remove(0).message)
    };
    let day = "2027-03-31";
    assert_eq!(judged(&record, &[Service::Dynamodb], day).0, Verdict::Pass);
    record.endpoint.evidence = vec![EndpointEvidence::Prefix];
    let (verdict, message) = judged(&record, &[Service::Dynamodb], day);
    assert_eq!(verdict, Verdict::Violation);
    let why = " The exception of payments team until 2027-03-31 is not applied: \
               what it asks is not proved of the flow.";
    assert!(message.ends_with(why), "{message}");
    let (verdict, message) = judged(&record, &[Service::Dynamodb], "2026-02-28");
    assert!(verdict == Verdict::Violation && !message.contains("The exception of"), "{message}");
    let (verdict, message) = judged(&record, &[Service::Dax], day);
    assert!(verdict == Verdict::Violation && !message.contains("The exception of"), "{message}");
    let services = [Service::Dynamodb, Service::DynamodbStreams, Service::DynamodbSearch];
    assert_eq!(judged(&record, &services, day).0, Verdict::Pass);
    // Settings for that service may be those of the flow.
    let mut options = Options::default();
    let mut settings = options.settings.clone();
    settings.minimum_version = TlsVersion::TLS10;
    let matching = Match { service: vec![Service::Dynamodb], ..Match::default() };
    options.overrides.push(Override { matching, settings });
    assert_eq!(evaluate(&record, &options).verdict, Verdict::Violation, "of no override");
    let mut record = good();
    record.endpoint.evidence = vec![EndpointEvidence::Prefix];
    options.overrides[0].settings.minimum_version = TlsVersion(0x0305);
    assert_eq!(evaluate(&record, &options).not_assessed, ["tls_version_too_low"]);
}

#[test]
fn a_service_that_several_names_leave_open_may_be_each() {
    let mut record = good();
    let holds = |record: &Record, service| Match { service: vec![service], ..Match::default() }.holds(record);
    let told = [Service::Dynamodb, Service::DynamodbStreams];
    assert_eq!(told.map(|service| holds(&record, service)), [Some(true), Some(false)]);
    record.endpoint.has_many_services = true;
    record.endpoint.evidence = vec![EndpointEvidence::Dns, EndpointEvidence::Prefix];
    assert_eq!(told.map(|service| holds(&record, service)), [None, None]);
    // More evidence does not turn what is not assessable into a pass.
    let mut options = Options::default();
    let mut settings = options.settings.clone();
    settings.minimum_version = TlsVersion(0x0305);
    let matching = Match { service: vec![Service::DynamodbStreams], ..Match::default() };
    options.overrides.push(Override { matching, settings });
    for evidence in [1, 0] {
        let mut record = record.clone();
        record.endpoint.evidence.drain(..evidence);
        record.endpoint.has_many_services = evidence == 0;
        assert_eq!(evaluate(&record, &options).not_assessed, ["tls_version_too_low"], "{evidence}");
    }
}

/// A request that was not read may have been without a signature.
#[test]
fn requests_that_were_not_read_may_be_worse() {
    let mut record = plaintext();
    record.http.as_mut().unwrap().later.is_incomplete = true;
    let open = ["unsigned_request", "long_term_credential"];
    assert_eq!(evaluate(&record, &Options::default()).not_assessed, open);
    record.http.as_mut().unwrap().later.long_term = Some(LaterRequest::default());
    assert_eq!(evaluate(&record, &Options::default()).not_assessed, open[..1]);
    // A signature is there, by whatever key.
    let mut record = plaintext();
    record.http.as_mut().unwrap().later.has_unknown_key = true;
    assert_eq!(evaluate(&record, &Options::default()).not_assessed, open[1..]);
}

/// One connection of a proxy leads to many hosts.
#[test]
fn says_which_host_a_later_request_is_to() {
    let said = |host: Option<&str>, is_earlier: bool| {
        let mut record = plaintext();
        let host = host.map(ToOwned::to_owned);
        let target = Some("DynamoDB_20120810.Scan".to_owned());
        let later = &mut record.http.as_mut().unwrap().later;
        let named = LaterRequest { host, target, is_earlier };
        (later.long_term, later.unsigned) = (Some(named.clone()), Some(named));
        let violations = evaluate(&record, &Options::default()).violations;
        let messages = violations.iter().filter(|found| found.rule != "plaintext_http");
        messages.map(|found| found.message.clone()).collect::<Vec<String>>().join(" ")
    };
    let other = "123456789012.ddb.eu-central-1.amazonaws.com";
    for (named, expected) in [(Some(other), other), (None, HOST)] {
        for (sent, is_earlier) in [("later sent", false), ("earlier sent", true)] {
            let messages = said(named, is_earlier);
            for told in [&format!("{sent} DynamoDB_20120810.Scan to"), "signed a request to"] {
                assert!(messages.contains(&format!("{told} {expected} in clear")), "{messages}");
            }
        }
    }
}

#[test]
fn asks_no_signature_of_what_can_have_none_and_none_is_of_a_key_that_is_only_named() {
    let fired_by = |change: fn(&mut HttpFacts)| {
        let mut record = plaintext();
        change(record.http.as_mut().unwrap());
        let facts = evaluate(&record, &Options::default());
        let rules = facts.violations.iter().map(|found| found.rule).filter(|rule| *rule != "plaintext_http");
        (rules.collect::<Vec<_>>(), facts.not_assessed.clone())
    };
    // A preflight of a browser.
    let preflight = |http: &mut HttpFacts| {
        http.method = Some("OPTIONS".to_owned());
        (http.signature, http.credential, http.target) = (Some(Signature::None), None, None);
    };
    assert_eq!(fired_by(preflight), (vec![], vec![]));
    // The id of a key, and no signature.
    let named = |http: &mut HttpFacts| {
        (http.signature, http.credential) = (Some(Signature::None), Some(SigningCredential::LongTerm));
    };
    assert_eq!(fired_by(named), (vec!["unsigned_request"], vec![]));
    // The signature may have been in what is missing.
    let cut = |http: &mut HttpFacts| {
        (http.signature, http.credential) = (None, Some(SigningCredential::LongTerm));
    };
    assert_eq!(fired_by(cut), (vec![], vec!["unsigned_request", "long_term_credential"]));
}

/// Its own protocol is signed in another way, and what speaks HTTP to it is not its client.
#[test]
fn nothing_unsigned_is_found_at_dax() {
    let mut record = plaintext();
    record.http.as_mut().unwrap().signature = Some(Signature::None);
    let is_found = |record: &Record| {
        evaluate(record, &Options::default()).violations.iter().any(|found| found.rule == "unsigned_request")
    };
    assert!(is_found(&record));
    record.endpoint.service = Some(Service::Dax);
    assert!(!is_found(&record));
}

/// Which path rule is that of the flow hangs on what the capture does not tell.
#[test]
fn a_path_rule_that_may_be_meant_leaves_open_what_asks_for_it() {
    let mut record = good();
    let holds =
        |record: &Record, name: &str| Match { path: vec![name.to_owned()], ..Match::default() }.holds(record);
    record.path.name = Some("dx".to_owned());
    assert_eq!((holds(&record, "dx"), holds(&record, "vpn")), (Some(true), Some(false)));
    record.path.open_rules.push("vpn".to_owned());
    assert_eq!((holds(&record, "dx"), holds(&record, "vpn")), (None, None));
    assert_eq!(holds(&record, "guest"), Some(false));
    record.path.name = None;
    assert_eq!((holds(&record, "dx"), holds(&record, "vpn")), (Some(false), None));
    assert_eq!(Match::default().holds(&record), Some(true));
}

/// DAX shares no addresses with the others, but a name of it may be one of several.
#[test]
fn a_service_among_several_names_may_be_dax() {
    let services = [Service::Dynamodb, Service::DynamodbStreams, Service::DynamodbSearch];
    let matching = Match { service: services.to_vec(), ..Match::default() };
    let mut record = good();
    record.endpoint.has_many_services = true;
    let of = |service| EndpointFacts { service: Some(service), ..(*good().endpoint).clone() };
    for (other, holds) in [(Service::DynamodbStreams, Some(true)), (Service::Dax, None)] {
        record.endpoint.alternatives = vec![of(Service::Dynamodb), of(other)];
        assert_eq!(matching.holds(&record), holds, "{other}");
    }
}
