//! Rules about the handshake and the certificate.

use super::*;

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
    // A draft of 1.3 is called 1.3, and is judged as that.
    for version in [0x7e01, 0x7f1c, 0xfb1a] {
        for profile in ["aws-dynamodb", "cnsa-2.0"] {
            let mut record = good();
            server_hello(&mut record).selected_version = Some(TlsVersion(version));
            let found = evaluate(&record, &options(profile)).violations;
            let is_of_version = |rule: &str| rule.starts_with("tls_version");
            assert!(!found.iter().any(|violation| is_of_version(violation.rule)), "{version:#06x} {profile}");
        }
    }
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
    assert_eq!(&*violation.offending, "TLS 1.0");
    assert_eq!(
        violation.message,
        "10.1.2.3 and dynamodb.eu-central-1.amazonaws.com agreed on TLS 1.0; at least TLS 1.2 is required."
    );
}

#[test]
fn proves_nothing_by_an_answer_to_another_offer() {
    for choose in [
        (|server| server.cipher_suite = CipherSuite(0x1304)) as fn(&mut ServerHello),
        |server| server.key_share = Some(NamedGroup(24)),
        |server| server.selected_version = Some(TlsVersion(0x0305)),
        // A suite of another version, a version from 1.3 on that is named as older ones are, and an older one
        // that is named as only those are.
        |server| server.cipher_suite = ECDHE_AES,
        |server| (server.selected_version, server.legacy_version) = (None, TlsVersion::TLS13),
        |server| {
            (server.selected_version, server.cipher_suite) = (Some(TlsVersion::TLS12), ECDHE_AES);
        },
        |server| server.selected_psk = true,
    ] {
        let mut record = good();
        let hello = tls(&mut record).client_hello.as_mut().unwrap();
        hello.cipher_suites = vec![CipherSuite(0x1301), ECDHE_AES];
        hello.key_shares = vec![X25519];
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Pass);
        choose(server_hello(&mut record));
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    }
    let mut record = good();
    tls(&mut record).is_contradicted = true;
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    // A curve of TLS 1.2.
    let mut record = good12();
    tls(&mut record).client_hello.as_mut().unwrap().supported_groups = vec![NamedGroup(23), X25519];
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Pass);
    tls(&mut record).key_exchange = Some(KeyExchangeFacts::Curve(NamedGroup(24)));
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    // With GREASE alone in supported_versions nothing is offered.
    let mut record = good12();
    tls(&mut record).client_hello.as_mut().unwrap().supported_versions = vec![TlsVersion(0x3a3a)];
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    // A hello in the form of SSL 2 cannot offer TLS 1.3.
    let mut record = good12();
    let hello = tls(&mut record).client_hello.as_mut().unwrap();
    (hello.is_ssl2_form, hello.cipher_suites) = (true, vec![CipherSuite(0x1301), ECDHE_AES]);
    hello.supported_versions.clear();
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Pass);
    let server = server_hello(&mut record);
    (server.selected_version, server.cipher_suite) = (Some(TlsVersion::TLS13), CipherSuite(0x1301));
    assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    // Offered and chosen, but of a version that nobody knows nothing is known.
    for number in [0x0305, 0x3a3a] {
        let mut record = good();
        tls(&mut record).client_hello.as_mut().unwrap().supported_versions = vec![TlsVersion(number)];
        server_hello(&mut record).selected_version = Some(TlsVersion(number));
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    }
    // What is too low stays so, whoever offered it.
    check(
        good(),
        |record| server_hello(record).selected_version = Some(TlsVersion::TLS11),
        &["tls_version_too_low"],
    );
}

#[test]
fn proves_nothing_by_an_answer_that_differs_from_the_retry_before() {
    let retried = |change: fn(&mut ServerHello)| {
        let mut record = good();
        let mut retry = server_hello(&mut record).clone();
        (retry.is_hello_retry_request, retry.key_share) = (true, Some(NamedGroup(23)));
        server_hello(&mut record).key_share = Some(NamedGroup(23));
        let facts = tls(&mut record);
        facts.hello_retry_request = Some(retry.into());
        facts.client_hello.as_mut().unwrap().offers_psk = true;
        change(server_hello(&mut record));
        evaluate(&record, &Options::default()).verdict
    };
    assert_eq!(retried(|_| {}), Verdict::Pass);
    // For a group that the client does not have; and by a second hello for another server.
    for change in [
        (|facts| facts.client_hello.as_mut().unwrap().supported_groups = vec![X25519]) as fn(&mut TlsFacts),
        |facts| facts.second_client_hello = Some(ClientHello::default().into()),
    ] {
        let mut record = good();
        let retry = ServerHello { key_share: Some(NamedGroup(23)), ..ServerHello::default() };
        server_hello(&mut record).key_share = Some(NamedGroup(23));
        tls(&mut record).hello_retry_request = Some(retry.into());
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Pass);
        change(tls(&mut record));
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable);
    }
    assert_eq!(retried(|server| server.cipher_suite = CipherSuite(0x1302)), Verdict::NotAssessable);
    assert_eq!(retried(|server| server.key_share = Some(X25519)), Verdict::NotAssessable);
    assert_eq!(
        retried(|server| {
            (server.selected_version, server.cipher_suite) = (None, ECDHE_AES);
        }),
        Verdict::NotAssessable
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
    // There it is only information, but how strong the keys are is not known either.
    assert_eq!(evaluate(&resumed, &options("pci-dss-4")).not_assessed, ["weak_key_exchange"]);
    let prime = |bits| KeyExchangeFacts::Dhe { bits, group: None };
    for (exchange, expected) in [(prime(2_048), Verdict::Pass), (prime(1_024), Verdict::Violation)] {
        // The full handshake was seen: its keys are those of this session.
        tls(&mut resumed).forward_secrecy = Some(ForwardSecrecy::Yes);
        tls(&mut resumed).session_key_exchange = Some(exchange);
        assert_eq!(evaluate(&resumed, &Options::default()).verdict, expected, "{exchange:?}");
    }
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
        with(|facts| facts.not_after = Timestamp::from_seconds(NOW.as_seconds() - 1).into()),
        &["certificate_expired"],
    );
    check(good(), with(|facts| facts.not_after = NOW.into()), &[]);
    let mut undated = good();
    with(|_| {})(&mut undated);
    assert_eq!(evaluate(&undated, &Options::default()).verdict, Verdict::Pass);
    undated.timestamp = Timestamp::default();
    assert_eq!(evaluate(&undated, &Options::default()).verdict, Verdict::NotAssessable);
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
    // Who issues for other partitions is not known: nothing is claimed, and nothing passes.
    for partition in ["aws-cn", "aws-us-gov", "aws-eusc"] {
        let mut record = good();
        with(|facts| facts.issuer_organization = Some("Some CA".to_owned()))(&mut record);
        record.endpoint.partition = Some(partition.into());
        check(record.clone(), |_| {}, &[]);
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable, "{partition}");
        with(|_| {})(&mut record);
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::Pass, "{partition}");
    }
    // Nor what is one of more names than are told apart: of another partition, or of a DAX cluster.
    for change in [(|endpoint| endpoint.partition = None) as fn(&mut EndpointFacts), |endpoint| {
        endpoint.service = Some(Service::Dax)
    }] {
        let mut record = good();
        with(|facts| facts.issuer_organization = Some("Some CA".to_owned()))(&mut record);
        let endpoint = &mut *record.endpoint;
        let mut any = EndpointFacts { kind: None, is_form_open: true, ..endpoint.clone() };
        change(&mut any);
        endpoint.alternatives = vec![endpoint.clone(), any];
        check(record.clone(), |_| {}, &[]);
        let facts = evaluate(&record, &Options::default());
        assert!(facts.not_assessed.contains(&"suspected_interception"), "{facts:?}");
    }
    // A host of one's own may have any issuer.
    check(
        good(),
        |record| {
            with(|facts| facts.issuer_organization = None)(record);
            record.endpoint.is_aws_name = false;
        },
        &[],
    );
    // One that was shown and could not be read may be anybody's, and have ended.
    for reason in ["certificate_malformed", "certificate_too_long", "certificate_truncated"] {
        let mut record = good();
        tls(&mut record).certificate = None;
        tls(&mut record).certificate_error = Some(reason);
        check(record.clone(), |_| {}, &[]);
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable, "{reason}");
        record.endpoint.is_aws_name = false;
        assert_eq!(evaluate(&record, &Options::default()).verdict, Verdict::NotAssessable, "{reason}");
    }
}

/// Either the certificate or the clock of the capture is wrong.
#[test]
fn a_certificate_from_later_proves_nothing() {
    let mut record = good12();
    let mut facts = certificate();
    for (days, verdict) in [(0, Verdict::Pass), (1, Verdict::Pass), (2, Verdict::NotAssessable)] {
        facts.not_before = NOW.after(std::time::Duration::from_secs(days * 86_400)).into();
        tls(&mut record).certificate = Some(std::sync::Arc::new(facts.clone()));
        assert_eq!(evaluate(&record, &Options::default()).verdict, verdict, "{days}");
    }
}

#[test]
fn a_group_without_a_name_may_be_post_quantum() {
    let mut record = good();
    server_hello(&mut record).key_share = Some(NamedGroup(0x1234));
    client_hello(&mut record).key_shares = vec![NamedGroup(0x1234)];
    let facts = evaluate(&record, &options("pq-ready"));
    assert!(facts.not_assessed.contains(&"not_post_quantum"), "{facts:?}");
}

/// Who answered in the handshake that is resumed answers still.
#[test]
fn a_resumed_session_is_with_whom_its_certificate_says() {
    let mut record = good12();
    let mut facts = certificate();
    facts.issuer_organization = Some("Corporate Proxy".to_owned());
    tls(&mut record).resumed = Some(true);
    tls(&mut record).session_certificate = Some(std::sync::Arc::new(facts));
    let found = evaluate(&record, &Options::default());
    assert!(found.violations.iter().any(|violation| violation.rule == "suspected_interception"), "{found:?}");
}
