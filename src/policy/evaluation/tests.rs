//! Every rule firing and not firing; the verdict; overrides and exceptions.

mod destination;
mod handshake;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::model::registry::{CipherSuite, CompressionMethod, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    Access, AlertFrom, CertificateFacts, ClientHello, Confidence, Downgrade, EndpointEvidence, EndpointFacts,
    EndpointKind, Entry, ForwardSecrecy, HttpFacts, KeyExchangeFacts, LaterRequest, PathFacts, ProxyFacts,
    ProxyKind, ServerHello, Service, Sighting, Signature, SigningCredential, Timestamp, TlsFacts,
};
use crate::policy::{AllowedPath, Expiry, Match, Override, Site, profile};

const HOST: &str = "dynamodb.eu-central-1.amazonaws.com";
/// 2026-03-01T00:00:00Z
const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

const ECDHE_AES: CipherSuite = CipherSuite(0xc02f);
const X25519: NamedGroup = NamedGroup(0x001d);

/// A complete TLS 1.3 connection from a private client to DynamoDB's public address.
pub(in crate::policy) fn good() -> Record {
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
        is_from_beginning: true,
        ended_by: None,
        tls: Some(Box::new(TlsFacts {
            client_hello: Some(
                ClientHello {
                    legacy_version: TlsVersion::TLS12,
                    supported_versions: vec![TlsVersion(0x3a3a), TlsVersion::TLS13, TlsVersion::TLS12],
                    server_name: Some(HOST.to_owned()),
                    ..ClientHello::default()
                }
                .into(),
            ),
            server_hello: Some(
                ServerHello {
                    legacy_version: TlsVersion::TLS12,
                    selected_version: Some(TlsVersion::TLS13),
                    cipher_suite: CipherSuite(0x1301),
                    key_share: Some(X25519),
                    ..ServerHello::default()
                }
                .into(),
            ),
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
            partition: Some("aws".to_owned()),
            host: Some(HOST.to_owned()),
            is_aws_name: true,
            evidence: vec![EndpointEvidence::Sni, EndpointEvidence::Prefix],
            confidence: Some(Confidence::Certain),
            prefix_region: Some("eu-central-1".to_owned()),
            ..EndpointFacts::default()
        }
        .into(),
        path: PathFacts::default(),
        translated: Vec::new(),
        host: None,
        policy: None,
    }
}

/// The same in TLS 1.2, with ECDHE.
fn good12() -> Record {
    let mut record = good();
    let facts = tls(&mut record);
    let hello = facts.server_hello.as_mut().unwrap();
    **hello =
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

pub(in crate::policy) fn tls(record: &mut Record) -> &mut TlsFacts {
    record.tls.as_mut().unwrap()
}

fn client_hello(record: &mut Record) -> &mut ClientHello {
    tls(record).client_hello.as_mut().unwrap()
}

fn server_hello(record: &mut Record) -> &mut ServerHello {
    tls(record).server_hello.as_mut().unwrap()
}

pub(in crate::policy) fn certificate() -> CertificateFacts {
    CertificateFacts {
        subject: format!("CN={HOST}"),
        issuer: "CN=Amazon RSA 2048 M02,O=Amazon,C=US".to_owned(),
        common_names: vec![HOST.to_owned()],
        issuer_organization: Some("Amazon".to_owned()),
        dns_names: vec![HOST.to_owned()],
        ip_addresses: Vec::new(),
        not_before: crate::model::Date::default(),
        not_after: crate::model::Date::MAX,
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
