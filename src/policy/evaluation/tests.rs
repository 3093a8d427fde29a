//! Every rule firing and not firing; the verdict; overrides and exceptions.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::model::registry::{CipherSuite, CompressionMethod, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    Access, AlertFrom, CertificateFacts, ClientHello, Downgrade, EndpointFacts, EndpointKind, Entry,
    ForwardSecrecy, HttpFacts, KeyExchangeFacts, PathFacts, ProxyFacts, ProxyKind, ServerHello, Service,
    Sighting, Signature, SigningCredential, Timestamp, TlsFacts,
};
use crate::policy::{AllowedPath, Expiry, Match, Override, Site, profile};

const HOST: &str = "dynamodb.eu-central-1.amazonaws.com";
/// 2026-03-01T00:00:00Z
const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

const ECDHE_AES: CipherSuite = CipherSuite(0xc02f);
const X25519: NamedGroup = NamedGroup(0x001d);

/// A complete TLS 1.3 connection from a private client to DynamoDB's public address.
fn good() -> Record {
    Record {
        timestamp: NOW,
        client: "10.1.2.3:50000".parse().unwrap(),
        server: "52.94.5.10:443".parse().unwrap(),
        source: Arc::from("test.pcap"),
        sightings: Vec::<Sighting>::new(),
        first_frame: 1,
        client_hello_frame: Some(4),
        server_hello_frame: Some(6),
        completeness: Completeness::Full,
        outcome: Outcome::Completed,
        ended_by: None,
        tls: Some(Box::new(TlsFacts {
            client_hello: Some(ClientHello {
                legacy_version: TlsVersion::TLS12,
                supported_versions: vec![TlsVersion(0x3a3a), TlsVersion::TLS13, TlsVersion::TLS12],
                server_name: Some(HOST.to_owned()),
                ..ClientHello::default()
            }),
            server_hello: Some(ServerHello {
                legacy_version: TlsVersion::TLS12,
                selected_version: Some(TlsVersion::TLS13),
                cipher_suite: CipherSuite(0x1301),
                key_share: Some(X25519),
                ..ServerHello::default()
            }),
            established: true,
            forward_secrecy: Some(ForwardSecrecy::Yes),
            ..TlsFacts::default()
        })),
        http: None,
        proxy: None,
        handshake_duration: None,
        tcp_rtt: None,
        endpoint: EndpointFacts {
            service: Some(Service::Dynamodb),
            kind: Some(EndpointKind::Regional),
            region: Some("eu-central-1".to_owned()),
            host: Some(HOST.to_owned()),
            is_aws_name: true,
            prefix_region: Some("eu-central-1".to_owned()),
            ..EndpointFacts::default()
        },
        path: PathFacts::default(),
        translated: Vec::new(),
        policy: None,
    }
}

/// The same in TLS 1.2, with ECDHE.
fn good12() -> Record {
    let mut record = good();
    let facts = tls(&mut record);
    let hello = facts.server_hello.as_mut().unwrap();
    *hello =
        ServerHello { legacy_version: TlsVersion::TLS12, cipher_suite: ECDHE_AES, ..ServerHello::default() };
    facts.key_exchange = Some(KeyExchangeFacts::Curve(X25519));
    record
}

fn plaintext() -> Record {
    let mut record = good();
    record.tls = None;
    record.outcome = Outcome::Plaintext;
    record.server.set_port(80);
    record.http = Some(Box::new(HttpFacts {
        target: Some("DynamoDB_20120810.GetItem".to_owned()),
        signature: Some(Signature::Sigv4),
        credential: Some(SigningCredential::Temporary),
        ..HttpFacts::default()
    }));
    record
}

fn tls(record: &mut Record) -> &mut TlsFacts {
    record.tls.as_mut().unwrap()
}

fn client_hello(record: &mut Record) -> &mut ClientHello {
    tls(record).client_hello.as_mut().unwrap()
}

fn server_hello(record: &mut Record) -> &mut ServerHello {
    tls(record).server_hello.as_mut().unwrap()
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        subject: format!("CN={HOST}"),
        issuer: "CN=Amazon RSA 2048 M02,O=Amazon,C=US".to_owned(),
        common_names: vec![HOST.to_owned()],
        issuer_organization: Some("Amazon".to_owned()),
        dns_names: vec![HOST.to_owned()],
        ip_addresses: Vec::new(),
        not_before: Timestamp::default(),
        not_after: Timestamp::MAX,
        key_bits: Some(2_048),
        is_self_signed: false,
    }
}

fn options(profile: &str) -> Options {
    Options { settings: profile::find(profile).unwrap().settings, ..Options::default() }
}

fn fired(record: &Record, options: &Options) -> BTreeSet<&'static str> {
    evaluate(record, options).violations.iter().map(|violation| violation.rule).collect()
}

/// What is always said of a TLS flow to DynamoDB.
const ALWAYS: &str = "signing_not_assessable";

/// Asserts that a change of a good flow gives exactly these rules more.
fn check_with(
    options: &Options,
    mut record: Record,
    change: impl FnOnce(&mut Record),
    expected: &[&'static str],
) {
    change(&mut record);
    let facts = evaluate(&record, options);
    let mut found: BTreeSet<_> = facts.violations.iter().map(|violation| violation.rule).collect();
    found.remove(ALWAYS);
    assert_eq!(found, expected.iter().copied().collect(), "{:#?}", facts.violations);
    for violation in &facts.violations {
        assert!(violation.message.ends_with('.') && !violation.offending.is_empty(), "{violation:?}");
        assert!(!violation.remedy.is_empty());
    }
}

fn check(record: Record, change: impl FnOnce(&mut Record), expected: &[&'static str]) {
    check_with(&Options::default(), record, change, expected);
}

#[test]
fn passes_a_good_flow() {
    let facts = evaluate(&good(), &Options::default());
    assert_eq!(facts.verdict, Verdict::Pass);
    assert_eq!(facts.profile, "aws-dynamodb");
    assert_eq!(facts.violations.len(), 1);
    assert_eq!(facts.violations[0].rule, ALWAYS);
    assert_eq!(facts.violations[0].severity, Severity::Info);
}

#[test]
fn measures_the_negotiated_version() {
    check(good12(), |_| {}, &["tls_version_not_recommended"]);
    check(
        good12(),
        |record| server_hello(record).legacy_version = TlsVersion::TLS11,
        &["tls_version_too_low"],
    );
    check(
        good12(),
        |record| server_hello(record).legacy_version = TlsVersion::SSL3,
        &["tls_version_too_low"],
    );
    check_with(
        &options("aws-dynamodb-2019"),
        good12(),
        |record| server_hello(record).legacy_version = TlsVersion::TLS10,
        &["tls_version_not_recommended"],
    );
    check_with(&options("aws-dynamodb-2019"), good12(), |_| {}, &[]);
    // A draft of 1.3 stands above 1.2 and below 1.3.
    check(
        good(),
        |record| server_hello(record).selected_version = Some(TlsVersion(0x7f1c)),
        &["tls_version_not_recommended"],
    );
    let violation = evaluate(
        &{
            let mut record = good12();
            server_hello(&mut record).legacy_version = TlsVersion::TLS10;
            record
        },
        &Options::default(),
    )
    .violations
    .remove(0);
    assert_eq!(violation.offending, "TLS 1.0");
    assert_eq!(
        violation.message,
        "10.1.2.3 and dynamodb.eu-central-1.amazonaws.com agreed on TLS 1.0; at least TLS 1.2 is required."
    );
}

#[test]
fn does_not_take_the_legacy_version_of_a_cut_hello_for_the_negotiated_one() {
    let mut record = good12();
    server_hello(&mut record).is_truncated = true;
    record.completeness = Completeness::Truncated;
    assert!(!fired(&record, &options("cnsa-2.0")).contains("tls_version_too_low"));
    server_hello(&mut record).cipher_suite = CipherSuite(0);
    assert!(!fired(&record, &Options::default()).contains("weak_cipher"));
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
}

#[test]
fn reports_a_legacy_client_only_where_the_server_ended_it() {
    let refused = |record: &mut Record| {
        let facts = tls(record);
        facts.server_hello = None;
        facts.forward_secrecy = None;
        facts.established = false;
        let hello = facts.client_hello.as_mut().unwrap();
        hello.supported_versions.clear();
        hello.legacy_version = TlsVersion::TLS10;
        record.completeness = Completeness::ClientOnly;
        record.outcome = Outcome::Reset;
        record.ended_by = Some(AlertFrom::Server);
    };
    let rule = &["legacy_client_refused"];
    check(good(), refused, rule);
    let with = |change: fn(&mut Record)| {
        move |record: &mut Record| {
            refused(record);
            change(record);
        }
    };
    check(good(), with(|record| record.outcome = Outcome::Closed), rule);
    check(
        good(),
        with(|record| {
            record.outcome = Outcome::RefusedByServer;
            record.ended_by = None;
            tls(record).alert = Some((crate::model::registry::AlertDescription(70), AlertFrom::Server));
        }),
        rule,
    );
    for quiet in [
        (|record| record.ended_by = Some(AlertFrom::Client)) as fn(&mut Record),
        |record| record.outcome = Outcome::TimedOut,
        |record| client_hello(record).legacy_version = TlsVersion::TLS12,
        |record| client_hello(record).supported_versions = vec![TlsVersion::TLS13],
        |record| {
            record.outcome = Outcome::RefusedByClient;
            tls(record).alert = Some((crate::model::registry::AlertDescription(48), AlertFrom::Client));
        },
    ] {
        check(good(), with(quiet), &[]);
    }
    let mut record = good();
    refused(&mut record);
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Violation);
}

#[test]
fn asks_for_forward_secrecy() {
    check(
        good12(),
        |record| {
            server_hello(record).cipher_suite = CipherSuite(0x009c);
            tls(record).key_exchange = None;
            tls(record).forward_secrecy = Some(ForwardSecrecy::No);
        },
        &["no_forward_secrecy", "tls_version_not_recommended"],
    );
    let mut resumed = good12();
    tls(&mut resumed).forward_secrecy = Some(ForwardSecrecy::Unknown);
    tls(&mut resumed).resumed = Some(true);
    tls(&mut resumed).key_exchange = None;
    assert_eq!(evaluate(&resumed, &Options::default()).verdict, Verdict::NotAssessable);
    // There it is only information.
    assert_eq!(evaluate(&resumed, &options("pci-dss-4")).verdict, Verdict::Pass);
}

#[test]
fn finds_broken_suites() {
    for (suite, is_weak) in [
        (0x0000, true),
        (0x0003, true),
        (0x0005, true),
        (0x000a, true),
        (0x0018, true),
        (0xc012, true),
        (0xc02f, false),
        (0x1303, false),
    ] {
        let mut record = good12();
        server_hello(&mut record).cipher_suite = CipherSuite(suite);
        assert_eq!(fired(&record, &Options::default()).contains("weak_cipher"), is_weak, "{suite:04x}");
    }
    check(
        good12(),
        |record| {
            let hello = server_hello(record);
            hello.is_ssl2_form = true;
            hello.legacy_version = TlsVersion::SSL2;
            tls(record).ssl2_cipher_kind = Some(Ssl2CipherKind(0x07_00c0));
            tls(record).key_exchange = None;
            tls(record).forward_secrecy = Some(ForwardSecrecy::No);
        },
        &["tls_version_too_low", "no_forward_secrecy", "weak_cipher"],
    );
    let mut unknown = good();
    server_hello(&mut unknown).cipher_suite = CipherSuite(0xfffe);
    assert_eq!(evaluate(&unknown, &Options::default()).verdict, Verdict::NotAssessable);
}

#[test]
fn checks_lists_of_suites_and_groups() {
    let nist = options("nist-800-52r2");
    check_with(
        &nist,
        good(),
        |record| server_hello(record).cipher_suite = CipherSuite(0x1303),
        &["cipher_not_allowed"],
    );
    check_with(&nist, good(), |_| {}, &[]);
    let bsi = options("bsi-tr-02102-2");
    check_with(&bsi, good(), |_| {}, &["group_not_allowed"]);
    check_with(&bsi, good(), |record| server_hello(record).key_share = Some(NamedGroup(0x17)), &[]);
    check_with(
        &bsi,
        good12(),
        |record| {
            server_hello(record).cipher_suite = CipherSuite(0x009e);
            tls(record).key_exchange = Some(KeyExchangeFacts::Dhe { bits: 2_048, group: None });
        },
        &["group_not_allowed", "weak_key_exchange", "tls_version_not_recommended"],
    );
    check_with(
        &options("cnsa-2.0"),
        good(),
        |record| {
            server_hello(record).cipher_suite = CipherSuite(0x1302);
            server_hello(record).key_share = Some(NamedGroup(0x11ed));
        },
        &["group_not_allowed"],
    );
    // A list that could not be checked keeps a flow from passing.
    let mut unseen = good12();
    server_hello(&mut unseen).cipher_suite = CipherSuite(0xc030);
    tls(&mut unseen).key_exchange = None;
    assert_eq!(evaluate(&unseen, &bsi).verdict, Verdict::NotAssessable);
    server_hello(&mut unseen).cipher_suite = CipherSuite(0x009d);
    tls(&mut unseen).forward_secrecy = Some(ForwardSecrecy::No);
    assert!(!fired(&unseen, &options("cnsa-1.0")).contains("group_not_allowed"), "RSA has no group");
}

#[test]
fn measures_the_key_exchange() {
    let with = |facts: KeyExchangeFacts| move |record: &mut Record| tls(record).key_exchange = Some(facts);
    let (small, other) =
        (&["weak_key_exchange", "tls_version_not_recommended"], &["tls_version_not_recommended"]);
    check(good12(), with(KeyExchangeFacts::Dhe { bits: 1_024, group: None }), small);
    check(good12(), with(KeyExchangeFacts::Dhe { bits: 2_047, group: None }), small);
    check(good12(), with(KeyExchangeFacts::Dhe { bits: 2_048, group: None }), other);
    check(good12(), with(KeyExchangeFacts::Dhe { bits: 2_048, group: Some(NamedGroup(0x100)) }), other);
    check(good12(), with(KeyExchangeFacts::Curve(NamedGroup(0x13))), small);
    check(good12(), with(KeyExchangeFacts::Curve(NamedGroup(0x15))), other);
    check(good12(), with(KeyExchangeFacts::ExplicitCurve { bits: 192 }), small);
    check(good(), |record| server_hello(record).key_share = Some(NamedGroup(0x11ec)), &[]);
    let mut unknown = good();
    server_hello(&mut unknown).key_share = Some(NamedGroup(0xfe77));
    assert_eq!(evaluate(&unknown, &Options::default()).verdict, Verdict::NotAssessable);
}

#[test]
fn asks_for_ml_kem() {
    let ready = options("pq-ready");
    check_with(&ready, good(), |_| {}, &["not_post_quantum"]);
    for group in [0x11eb, 0x11ec, 0x11ed, 0x0202] {
        check_with(&ready, good(), |record| server_hello(record).key_share = Some(NamedGroup(group)), &[]);
    }
    check_with(&ready, good12(), |_| {}, &["tls_version_too_low", "not_post_quantum"]);
    // The draft before it is another scheme.
    check_with(
        &ready,
        good(),
        |record| server_hello(record).key_share = Some(NamedGroup(0x6399)),
        &["not_post_quantum"],
    );
    check(good(), |_| {}, &[]);
}

#[test]
fn reports_what_the_hellos_say() {
    check(good(), |record| client_hello(record).offers_early_data = true, &["early_data"]);
    check(good(), |record| client_hello(record).server_name = None, &["sni_missing"]);
    check(
        good(),
        |record| {
            client_hello(record).server_name = None;
            client_hello(record).is_truncated = true;
        },
        &[],
    );
    check(
        good12(),
        |record| server_hello(record).compression_method = CompressionMethod(1),
        &["tls_compression", "tls_version_not_recommended"],
    );
    for kind in Downgrade::ALL {
        check(good(), |record| tls(record).downgrade = Some(*kind), &["downgrade_detected"]);
    }
}

#[test]
fn reads_certificates() {
    let with = |change: fn(&mut CertificateFacts)| {
        move |record: &mut Record| {
            let mut facts = certificate();
            change(&mut facts);
            tls(record).certificate = Some(facts.into());
        }
    };
    check(good(), with(|_| {}), &[]);
    check(
        good(),
        with(|facts| facts.not_after = Timestamp::from_seconds(NOW.as_seconds() - 1)),
        &["certificate_expired"],
    );
    check(good(), with(|facts| facts.not_after = NOW), &[]);
    check(
        good(),
        with(|facts| facts.dns_names = vec!["*.example.com".to_owned()]),
        &["certificate_name_mismatch"],
    );
    check(
        good(),
        with(|facts| facts.issuer_organization = Some("Corp".to_owned())),
        &["suspected_interception"],
    );
    check(good(), with(|facts| facts.issuer_organization = None), &["suspected_interception"]);
    // A host of one's own may have any issuer.
    check(
        good(),
        |record| {
            with(|facts| facts.issuer_organization = None)(record);
            record.endpoint.is_aws_name = false;
        },
        &[],
    );
}

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
    check(plaintext(), |record| record.endpoint = EndpointFacts::default(), &[]);
}

#[test]
fn judges_other_services_by_tls_rules_only() {
    let mut record = good12();
    record.endpoint = EndpointFacts::default();
    server_hello(&mut record).legacy_version = TlsVersion::TLS10;
    let mut foreign = certificate();
    foreign.issuer_organization = None;
    tls(&mut record).certificate = Some(foreign.into());
    let mut options = options("fips-140-3");
    options.settings.allowed_paths = vec![AllowedPath { access: Some(Access::InVpc), entry: None }];
    let expected = BTreeSet::from(["tls_version_too_low", "group_not_allowed"]);
    assert_eq!(fired(&record, &options), expected);
    record.endpoint = EndpointFacts::default();
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
    check_with(&options, good(), |record| record.endpoint.partition = Some("aws-us-gov".to_owned()), &[]);
    for change in [
        (|record| record.endpoint.kind = None) as fn(&mut Record),
        |record| record.endpoint.is_aws_name = false,
        |record| record.endpoint.kind = Some(EndpointKind::Unrecognised),
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
    assert_eq!(evaluate(&good12(), &options).profile, "pq-ready");
    let mut elsewhere = good12();
    elsewhere.path.access = Access::Internet;
    assert_eq!(evaluate(&elsewhere, &options).profile, "aws-dynamodb");
    // The address before translation counts too.
    elsewhere.client = "198.51.100.1:1024".parse().unwrap();
    elsewhere.translated = vec![("10.9.3.3:50000".parse().unwrap(), elsewhere.server)];
    assert_eq!(evaluate(&elsewhere, &options).profile, "cnsa-2.0");
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
