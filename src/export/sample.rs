//! Made-up records for the tests of exporters and views.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::registry::{AlertDescription, CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    Access, AlertFrom, CertificateFacts, ClientHello, Completeness, Confidence, Downgrade, EndpointEvidence,
    EndpointFacts, EndpointKind, Entry, Excuse, ForwardSecrecy, HostFacts, HttpFacts, KeyExchangeFacts,
    Layer, Layers, Origin, Outcome, PathEvidence, PathFacts, PolicyFacts, ProxyFacts, ProxyKind, Record,
    Resumption, ServerHello, Service, Severity, Sighting, Signature, SigningCredential, Timestamp, TlsFacts,
    Verdict, Violation,
};

const HOST: &str = "dynamodb.eu-central-1.amazonaws.com";
/// 2026-11-23T10:00:00Z.
const START_SECONDS: u64 = 1_795_428_000;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn layers(layers: &[Layer]) -> Layers {
    layers.into()
}

fn violation(rule: &'static str, severity: Severity, offending: &str) -> Violation {
    Violation {
        rule,
        severity,
        offending: offending.into(),
        message: format!("{offending} breaks {rule}."),
        remedy: format!("Mend {rule}: update the SDK or its TLS library.").into(),
        excuse: None,
    }
}

fn judged(verdict: Verdict, violations: Vec<Violation>) -> Option<PolicyFacts> {
    Some(PolicyFacts {
        profile: "aws-dynamodb".into(),
        verdict,
        violations,
        not_assessed: Vec::new(),
        not_asked: Vec::new(),
    })
}

/// A flow that passes only under an exception.
pub(crate) fn excused() -> Record {
    let mut record = tls12();
    let mut found = violation("no_forward_secrecy", Severity::Info, "TLS_RSA_WITH_AES_128_CBC_SHA");
    found.excuse = Some(Excuse { by: Some(0), is_needed: true });
    record.policy = judged(Verdict::Pass, vec![found]);
    record
}

/// A compliant TLS 1.2 flow over Direct Connect.
pub(crate) fn tls12() -> Record {
    Record {
        timestamp: Timestamp::from_nanos(START_SECONDS * 1_000_000_000 + 1),
        client: address("10.0.1.5:41234"),
        server: address("192.0.2.10:443"),
        source: Arc::from("site.pcapng"),
        sightings: vec![Sighting {
            interface: Some(Arc::from("eth0")),
            encapsulation: layers(&[Layer::Vlan(120)]),
        }],
        first_frame: 1,
        client_hello_frame: Some(4),
        server_hello_frame: Some(6),
        completeness: Completeness::Full,
        outcome: Outcome::Completed,
        is_from_beginning: true,
        ended_by: None,
        tls: Some(Box::new(TlsFacts {
            client_hello: Some(
                ClientHello {
                    legacy_version: TlsVersion::TLS12,
                    cipher_suites: vec![CipherSuite(0x3a3a), CipherSuite(0xc02f), CipherSuite(0xfffe)],
                    supported_groups: vec![NamedGroup(0x0a0a), NamedGroup(29), NamedGroup(23)],
                    alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
                    server_name: Some(HOST.into()),
                    ..ClientHello::default()
                }
                .into(),
            ),
            server_hello: Some(
                ServerHello {
                    legacy_version: TlsVersion::TLS12,
                    cipher_suite: CipherSuite(0xc02f),
                    alpn: Some(b"h2".to_vec()),
                    ..ServerHello::default()
                }
                .into(),
            ),
            key_exchange: Some(KeyExchangeFacts::Curve(NamedGroup(29))),
            certificate: Some(std::sync::Arc::new(CertificateFacts {
                subject: format!("CN={HOST}"),
                issuer: "CN=Amazon RSA 2048 M01,O=Amazon,C=US".into(),
                common_names: vec![HOST.into()],
                issuer_organization: Some("Amazon".into()),
                dns_names: vec![HOST.into()],
                ip_addresses: Vec::new(),
                not_before: Timestamp::from_seconds(START_SECONDS).into(),
                not_after: Timestamp::from_seconds(1_798_761_600).into(),
                key_bits: Some(2048),
                is_self_signed: false,
            })),
            resumed: Some(false),
            established: true,
            forward_secrecy: Some(ForwardSecrecy::Yes),
            ja3: Some("b05942cf9db38edab716bba670db271f".into()),
            ..TlsFacts::default()
        })),
        http: None,
        proxy: None,
        handshake_duration: Some(Duration::from_micros(42_100)),
        tcp_rtt: Some(Duration::from_nanos(12_000_001)),
        endpoint: EndpointFacts {
            service: Some(Service::Dynamodb),
            kind: Some(EndpointKind::Regional),
            region: Some("eu-central-1".into()),
            partition: Some("aws".into()),
            host: Some(HOST.into()),
            is_aws_name: true,
            evidence: vec![EndpointEvidence::Sni, EndpointEvidence::Prefix],
            confidence: Some(Confidence::Certain),
            ..EndpointFacts::default()
        }
        .into(),
        path: PathFacts {
            access: Access::DirectConnectPublic,
            entry: Entry::PublicEndpoint,
            name: Some("dx-frankfurt".into()),
            evidence: vec![PathEvidence::Rule, PathEvidence::Vlan],
            access_confidence: Some(Confidence::Certain),
            entry_confidence: Some(Confidence::Certain),
            open_rules: Vec::new(),
        },
        translated: Vec::new(),
        host: None,
        policy: judged(Verdict::Pass, Vec::new()),
    }
}

/// TLS 1.3 with a post-quantum group, after a HelloRetryRequest, resumed, in a proxy.
pub(crate) fn tls13() -> Record {
    let mut record = tls12();
    record.client = address("[2001:db8::15]:50000");
    record.server = address("[2001:db8:1::20]:443");
    let tls = record.tls.as_mut().expect("TLS");
    let hello = tls.client_hello.as_mut().expect("a hello");
    hello.supported_versions = vec![TlsVersion(0x2a2a), TlsVersion::TLS13, TlsVersion::TLS12];
    hello.key_shares = vec![NamedGroup(0x1a1a), NamedGroup(29)];
    hello.offers_early_data = true;
    hello.has_ech = true;
    tls.hello_retry_request = Some(
        ServerHello {
            key_share: Some(NamedGroup(4588)),
            is_hello_retry_request: true,
            ..ServerHello::default()
        }
        .into(),
    );
    tls.server_hello = Some(
        ServerHello {
            legacy_version: TlsVersion::TLS12,
            selected_version: Some(TlsVersion(0x7f1c)),
            cipher_suite: CipherSuite(0x1302),
            key_share: Some(NamedGroup(4588)),
            ..ServerHello::default()
        }
        .into(),
    );
    tls.key_exchange = None;
    tls.certificate = None;
    tls.resumed = Some(true);
    tls.resumption = Some(Resumption::Psk);
    tls.ja4 = Some("t13d030200_123456789012_b9a491fefe05".into());
    tls.ja3s = Some("b742b407517bac9536a77a7b0fee28e9".into());
    record.proxy = Some(ProxyFacts { kind: ProxyKind::HttpConnect, target: Some(format!("{HOST}:443")) });
    record.endpoint.dual_stack = true;
    record.endpoint.kind = Some(EndpointKind::DualStack);
    record
}

/// TLS 1.0 with RC4 and static RSA.
pub(crate) fn old_version() -> Record {
    let mut record = tls12();
    record.client = address("10.0.1.9:52000");
    let tls = record.tls.as_mut().expect("TLS");
    let hello = tls.server_hello.as_mut().expect("a hello");
    hello.legacy_version = TlsVersion::TLS10;
    hello.cipher_suite = CipherSuite(0x0005);
    tls.key_exchange = None;
    tls.forward_secrecy = Some(ForwardSecrecy::No);
    tls.downgrade = Some(Downgrade::SentinelTls11);
    tls.certificate = None;
    tls.certificate_error = Some("truncated");
    record.policy = judged(
        Verdict::Violation,
        vec![
            violation("tls_version_too_low", Severity::Critical, "TLS 1.0"),
            violation("weak_cipher", Severity::Critical, "TLS_RSA_WITH_RC4_128_SHA"),
        ],
    );
    record
}

/// SSLv2, with a kind of cipher of its own.
pub(crate) fn ssl2() -> Record {
    let mut record = old_version();
    let tls = record.tls.as_mut().expect("TLS");
    let hello = tls.client_hello.as_mut().expect("a hello");
    hello.is_ssl2_form = true;
    hello.cipher_suites.clear();
    hello.ssl2_cipher_kinds = vec![(0, Ssl2CipherKind(0x01_0080))];
    tls.server_hello = Some(
        ServerHello { is_ssl2_form: true, legacy_version: TlsVersion::SSL2, ..ServerHello::default() }.into(),
    );
    tls.ssl2_cipher_kind = Some(Ssl2CipherKind(0x01_0080));
    record
}

/// A legacy client that was refused.
pub(crate) fn refused() -> Record {
    let mut record = tls12();
    record.client = address("10.0.1.77:3001");
    record.completeness = Completeness::ClientOnly;
    record.outcome = Outcome::RefusedByServer;
    record.ended_by = Some(AlertFrom::Server);
    record.handshake_duration = None;
    record.server_hello_frame = None;
    record.tls = Some(Box::new(TlsFacts {
        client_hello: Some(
            ClientHello { legacy_version: TlsVersion::TLS10, ..ClientHello::default() }.into(),
        ),
        alert: Some((AlertDescription(70), AlertFrom::Server)),
        forward_secrecy: Some(ForwardSecrecy::Unknown),
        forward_secrecy_reason: Some("not_negotiated"),
        ..TlsFacts::default()
    }));
    record.path = PathFacts::default();
    record.policy =
        judged(Verdict::Violation, vec![violation("legacy_client_refused", Severity::Warning, "TLS 1.0")]);
    record
}

/// Seen twice, once through a Gateway Load Balancer, and translated; mid-stream.
pub(crate) fn mirrored() -> Record {
    let mut record = tls12();
    record.sightings = vec![
        Sighting {
            interface: Some(Arc::from("eth0")),
            encapsulation: layers(&[
                Layer::Vlan(7),
                Layer::Geneve { vni: 0, endpoint_id: Some(0x0123_4567_89ab_cdef), attachment_id: None },
            ]),
        },
        Sighting { interface: Some(Arc::from("eth1")), encapsulation: Layers::default() },
    ];
    record.translated = vec![(address("198.51.100.7:1024"), address("192.0.2.10:443"))];
    record.host = Some(Box::new(HostFacts {
        origin: Some(Origin::Local),
        pid: Some(4_711),
        process: Some(Arc::from("python3")),
        container: Some(Arc::from("3f2a9c0d1e4b5a697887766554433221100ffeeddccbbaa99887766554433221")),
        unit: Some(Arc::from("orders.service")),
    }));
    record.endpoint.conflict = vec!["The name says one region.".into(), "The address says another.".into()];
    record.endpoint.has_many_services = true;
    let one = (*record.endpoint).clone();
    record.endpoint.alternatives = vec![one.clone(), EndpointFacts { fips: true, ..one }];
    let tls = record.tls.as_mut().expect("TLS");
    tls.key_exchange = Some(KeyExchangeFacts::Dhe { bits: 1024, group: None });
    let group = Some(NamedGroup(256));
    tls.session_key_exchange = Some(KeyExchangeFacts::Dhe { bits: 2048, group });
    tls.is_contradicted = true;
    record.path.open_rules = vec!["vpn".into()];
    record.path.access_confidence = Some(Confidence::Likely);
    record.policy = judged(Verdict::NotAssessable, vec![violation("early_data", Severity::Info, "0-RTT")]);
    record.policy.as_mut().expect("policy").not_assessed = vec!["no_forward_secrecy", "weak_key_exchange"];
    record.policy.as_mut().expect("policy").not_asked = vec!["tls_compression"];
    record
}

/// Plaintext HTTP with a long-term key.
pub(crate) fn plaintext() -> Record {
    let mut record = tls12();
    record.client = address("10.0.2.2:40000");
    record.server = address("192.0.2.10:80");
    record.outcome = Outcome::Plaintext;
    record.tls = None;
    record.handshake_duration = None;
    record.http = Some(Box::new(HttpFacts {
        method: Some("POST".into()),
        host: Some(HOST.into()),
        target: Some("DynamoDB_20120810.GetItem".into()),
        signature: Some(Signature::Sigv4),
        credential: Some(SigningCredential::LongTerm),
        scope_region: Some("eu-central-1".into()),
        scope_service: Some("dynamodb".into()),
        sdk: Some("aws-sdk-js/3.656.0".into()),
        is_absolute_form: false,
        is_dax: false,
        is_truncated: false,
        ..HttpFacts::default()
    }));
    record.policy = judged(Verdict::Violation, vec![violation("plaintext_http", Severity::Critical, "POST")]);
    record
}

/// An account endpoint.
pub(crate) fn account() -> Record {
    let mut record = tls12();
    let host = "123456789012.ddb.us-gov-west-1.amazonaws.com";
    record.tls.as_mut().expect("TLS").client_hello.as_mut().expect("a hello").server_name = Some(host.into());
    record.endpoint.host = Some(host.into());
    record.endpoint.kind = Some(EndpointKind::Account);
    record.endpoint.account_id = Some("123456789012".into());
    record.endpoint.region = Some("us-gov-west-1".into());
    record.endpoint.fips = true;
    record
}

/// A flow to another service.
pub(crate) fn other_service() -> Record {
    let mut record = tls12();
    record.endpoint = EndpointFacts::default().into();
    record.path = PathFacts::default();
    record.policy = None;
    record.tls.as_mut().expect("TLS").client_hello.as_mut().expect("a hello").server_name =
        Some("www.example".into());
    record
}

/// One of each.
pub(crate) fn all() -> Vec<Record> {
    vec![
        tls12(),
        tls13(),
        old_version(),
        ssl2(),
        refused(),
        mirrored(),
        plaintext(),
        account(),
        other_service(),
    ]
}
