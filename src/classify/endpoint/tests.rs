//! What is known of a flow in, endpoint out.

mod aliases;
mod certificates;
mod outer_name;
mod plaintext;
mod several_names;
mod translated;

use super::*;
use crate::classify::HostRule;
use crate::model::Date;

const REGIONAL: &str = "dynamodb.eu-west-1.amazonaws.com";
const FIPS: &str = "dynamodb-fips.eu-west-1.amazonaws.com";
const STREAMS: &str = "streams.dynamodb.eu-west-1.amazonaws.com";
const ACCOUNT: &str = "123456789012.ddb.eu-west-1.amazonaws.com";
const INTERFACE: &str = "vpce-1a2b3c4d-5e6f.dynamodb.eu-west-1.vpce.amazonaws.com";
const IN_PREFIX: &str = "52.94.5.1:443";
const OUTSIDE: &str = "198.51.100.1:443";
const PRIVATE: &str = "10.1.0.1:443";

/// One flow under test.
struct Case<'a> {
    sni: Sni<'a>,
    encrypted_hello: EncryptedHello,
    certificate: Option<CertificateFacts>,
    http: Option<HttpFacts>,
    proxy: Option<ProxyFacts>,
    is_from_beginning: bool,
    dns: Vec<&'static str>,
    has_more_dns: bool,
    is_dns_of_other_family: bool,
    sni_alias: SniAlias,
    server: &'static str,
    /// What that was translated into.
    behind: Vec<&'static str>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            sni: Sni::NotSent,
            encrypted_hello: EncryptedHello::NotSent,
            certificate: None,
            http: None,
            proxy: None,
            dns: Vec::new(),
            has_more_dns: false,
            is_dns_of_other_family: false,
            sni_alias: SniAlias::No,
            is_from_beginning: true,
            server: PRIVATE,
            behind: Vec::new(),
        }
    }
}

const fn sni(name: &str) -> Sni<'_> {
    Sni::Name(name)
}

fn certificate(names: &[&str]) -> Option<CertificateFacts> {
    Some(CertificateFacts {
        subject: String::new(),
        issuer: String::new(),
        common_names: Vec::new(),
        issuer_organization: None,
        dns_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ip_addresses: Vec::new(),
        not_before: Date::default(),
        not_after: Date::MAX,
        key_bits: None,
        is_self_signed: false,
    })
}

fn proxy(kind: ProxyKind, target: Option<&str>) -> Option<ProxyFacts> {
    Some(ProxyFacts { kind, target: target.map(ToOwned::to_owned) })
}

fn http(host: Option<&str>, target: Option<&str>) -> Option<HttpFacts> {
    Some(HttpFacts {
        host: host.map(ToOwned::to_owned),
        target: target.map(ToOwned::to_owned),
        ..HttpFacts::default()
    })
}

fn options() -> EndpointOptions {
    EndpointOptions {
        hosts: vec![
            HostRule {
                name: "db.corp.example".into(),
                service: Service::Dynamodb,
                region: Some("eu-west-1".into()),
            },
            HostRule { name: "*.ddb.corp.example".into(), service: Service::DynamodbStreams, region: None },
        ],
        ..EndpointOptions::default()
    }
}

fn decide(case: &Case<'_>) -> Option<EndpointFacts> {
    decide_by(case, &options())
}

fn decide_by(case: &Case<'_>, options: &EndpointOptions) -> Option<EndpointFacts> {
    with_input(case, |input| endpoint(input, options))
}

fn with_input<T>(case: &Case<'_>, ask: impl FnOnce(&EndpointInput<'_>) -> T) -> T {
    let names: Vec<Arc<str>> = case.dns.iter().map(|name| Arc::from(*name)).collect();
    let client = "10.0.0.1:50000".parse().unwrap();
    let translated: Vec<_> = case.behind.iter().map(|server| (client, server.parse().unwrap())).collect();
    ask(&EndpointInput {
        sni: case.sni,
        encrypted_hello: case.encrypted_hello,
        certificate: case.certificate.as_ref(),
        http: case.http.as_ref(),
        proxy: case.proxy.as_ref(),
        is_from_beginning: case.is_from_beginning,
        dns_names: &names,
        has_more_dns_names: case.has_more_dns,
        is_dns_of_other_family: case.is_dns_of_other_family,
        sni_alias: case.sni_alias,
        client,
        server: case.server.parse().unwrap(),
        translated: &translated,
    })
}

/// `service kind region confidence evidence conflicts`
fn summary(case: &Case<'_>) -> String {
    let Some(facts) = decide(case) else { return "-".to_owned() };
    let evidence: Vec<&str> = facts.evidence.iter().map(|evidence| evidence.as_str()).collect();
    format!(
        "{} {} {} {} {} {}",
        facts.service.map_or("-", Service::as_str),
        facts.kind.map_or("-", EndpointKind::as_str),
        facts.region.as_deref().unwrap_or("-"),
        facts.confidence.map_or("-", Confidence::as_str),
        if evidence.is_empty() { "-".to_owned() } else { evidence.join(",") },
        facts.conflict.len()
    )
}

#[test]
fn takes_what_the_other_address_family_was_told_for_possible() {
    let told = || Case { dns: vec![REGIONAL], is_dns_of_other_family: true, ..Case::default() };
    for (case, expected) in [
        (told(), "dynamodb regional eu-west-1 possible dns 0"),
        (Case { server: IN_PREFIX, ..told() }, "dynamodb regional eu-west-1 likely dns,prefix 0"),
        // What the client says itself is neither supported nor contradicted.
        (Case { sni: sni(REGIONAL), ..told() }, "dynamodb regional eu-west-1 certain sni 0"),
        (
            Case { sni: sni("dynamodb.us-east-1.amazonaws.com"), ..told() },
            "dynamodb regional us-east-1 certain sni 0",
        ),
        (Case { sni: sni("www.example.com"), ..told() }, "-"),
    ] {
        assert_eq!(summary(&case), expected);
    }
}

#[test]
fn weighs_names_addresses_and_answers() {
    for (case, expected) in [
        // Names the client says.
        (Case { sni: sni(REGIONAL), ..Case::default() }, "dynamodb regional eu-west-1 certain sni 0"),
        (
            Case { sni: sni(REGIONAL), server: IN_PREFIX, dns: vec![REGIONAL], ..Case::default() },
            "dynamodb regional eu-west-1 certain sni,dns,prefix 0",
        ),
        (
            Case {
                sni: sni(REGIONAL),
                certificate: certificate(&[REGIONAL, "*.ddb.eu-west-1.amazonaws.com"]),
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain sni,certificate 0",
        ),
        (Case { sni: sni("www.example.com"), ..Case::default() }, "-"),
        (Case { sni: sni("s3.eu-west-1.amazonaws.com"), ..Case::default() }, "-"),
        // Addresses alone, answers alone, certificates alone, two of them.
        (Case { server: IN_PREFIX, ..Case::default() }, "dynamodb - eu-west-1 likely prefix 0"),
        (
            Case { sni: Sni::NotSeen, server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 0",
        ),
        (Case { server: OUTSIDE, ..Case::default() }, "-"),
        (Case { dns: vec![REGIONAL], ..Case::default() }, "dynamodb regional eu-west-1 likely dns 0"),
        (
            Case { dns: vec![REGIONAL], server: IN_PREFIX, ..Case::default() },
            "dynamodb regional eu-west-1 certain dns,prefix 0",
        ),
        (
            Case {
                certificate: certificate(&[REGIONAL, "*.ddb.eu-west-1.amazonaws.com"]),
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely certificate 0",
        ),
        (
            Case { certificate: certificate(&[REGIONAL]), server: IN_PREFIX, ..Case::default() },
            "dynamodb regional eu-west-1 certain prefix,certificate 0",
        ),
        (
            Case { dns: vec![REGIONAL, "streams.dynamodb.eu-west-1.amazonaws.com"], ..Case::default() },
            "dynamodb regional eu-west-1 likely dns 0",
        ),
        (
            Case { dns: vec![REGIONAL, "111122223333.ddb.eu-west-1.amazonaws.com"], ..Case::default() },
            "dynamodb - eu-west-1 likely dns 0",
        ),
        // An outer name says little by itself.
        (
            Case { sni: sni(REGIONAL), encrypted_hello: EncryptedHello::Sent, ..Case::default() },
            "dynamodb regional eu-west-1 possible sni 0",
        ),
        (
            Case {
                sni: sni(REGIONAL),
                encrypted_hello: EncryptedHello::Sent,
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb regional eu-west-1 likely sni,prefix 0",
        ),
        (
            Case {
                sni: sni(REGIONAL),
                encrypted_hello: EncryptedHello::Sent,
                server: IN_PREFIX,
                dns: vec![REGIONAL],
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain sni,dns,prefix 0",
        ),
        (
            Case {
                sni: sni("front.example"),
                encrypted_hello: EncryptedHello::Sent,
                dns: vec![REGIONAL],
                ..Case::default()
            },
            "dynamodb regional eu-west-1 likely dns 0",
        ),
        (
            Case {
                sni: sni("front.example"),
                encrypted_hello: EncryptedHello::Sent,
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely prefix 0",
        ),
        // A clear name for something else outranks an answer.
        (Case { sni: sni("www.example.com"), dns: vec![REGIONAL], ..Case::default() }, "-"),
        // A name that only looks like DynamoDB's.
        (
            Case { sni: sni("graph-dynamodb.eu-west-1.amazonaws.com"), ..Case::default() },
            "dynamodb unrecognised eu-west-1 possible sni 0",
        ),
        (
            Case { sni: sni("graph-dynamodb.eu-west-1.amazonaws.com"), server: IN_PREFIX, ..Case::default() },
            "dynamodb unrecognised eu-west-1 likely sni,prefix 0",
        ),
        // Configured names.
        (Case { sni: sni("DB.corp.example."), ..Case::default() }, "dynamodb - eu-west-1 certain sni 0"),
        (Case { sni: sni("a.ddb.corp.example"), ..Case::default() }, "dynamodb-streams - - certain sni 0"),
        (Case { sni: sni("a.b.ddb.corp.example"), ..Case::default() }, "-"),
        (Case { sni: sni("ddb.corp.example"), ..Case::default() }, "-"),
    ] {
        assert_eq!(summary(&case), expected, "{:?} {:?} {}", case.sni, case.dns, case.server);
    }
}

#[test]
fn names_contradictions() {
    for (case, expected) in [
        (
            Case { sni: sni("dynamodb.us-east-1.amazonaws.com"), server: IN_PREFIX, ..Case::default() },
            "dynamodb regional us-east-1 certain sni 1",
        ),
        (
            Case { sni: sni("www.example.com"), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        (
            Case { sni: sni("s3.eu-west-1.amazonaws.com"), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        (
            Case { sni: sni("www.example.com"), certificate: certificate(&[REGIONAL]), ..Case::default() },
            "dynamodb regional eu-west-1 likely certificate 1",
        ),
        (
            Case {
                sni: sni(REGIONAL),
                certificate: certificate(&["dynamodb.us-east-1.amazonaws.com"]),
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain sni 1",
        ),
        (
            Case { sni: sni(REGIONAL), dns: vec!["dynamodb.us-east-1.amazonaws.com"], ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 1",
        ),
        (
            Case { sni: sni(INTERFACE), server: IN_PREFIX, ..Case::default() },
            "dynamodb interface eu-west-1 certain sni 1",
        ),
        // Public names at public addresses outside of the prefixes.
        (
            Case { sni: sni(REGIONAL), server: OUTSIDE, ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 1",
        ),
        (
            Case { sni: sni("111122223333.ddb.eu-west-1.amazonaws.com"), server: OUTSIDE, ..Case::default() },
            "dynamodb account eu-west-1 certain sni 1",
        ),
        (
            Case { sni: sni("streams.dynamodb.eu-west-1.amazonaws.com"), server: OUTSIDE, ..Case::default() },
            "dynamodb-streams regional eu-west-1 certain sni 1",
        ),
        // Nothing follows from these.
        (
            Case { sni: sni(REGIONAL), server: PRIVATE, ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 0",
        ),
        (
            Case { sni: sni("dynamodb.eu-west-1.api.aws"), server: "[2600::1]:443", ..Case::default() },
            "dynamodb dual_stack eu-west-1 certain sni 0",
        ),
        (
            Case { sni: sni("dynamodb.us-iso-east-1.c2s.ic.gov"), server: OUTSIDE, ..Case::default() },
            "dynamodb regional us-iso-east-1 certain sni 0",
        ),
        (
            Case { sni: sni("dax.eu-west-1.amazonaws.com"), server: OUTSIDE, ..Case::default() },
            "dax regional eu-west-1 certain sni 0",
        ),
        (
            Case { sni: sni(INTERFACE), server: OUTSIDE, ..Case::default() },
            "dynamodb interface eu-west-1 certain sni 0",
        ),
        (
            Case { sni: sni("db.corp.example"), server: OUTSIDE, ..Case::default() },
            "dynamodb - eu-west-1 certain sni 0",
        ),
    ] {
        assert_eq!(summary(&case), expected, "{:?} {}", case.sni, case.server);
    }
    let facts =
        decide(&Case { sni: sni("dynamodb.us-east-1.amazonaws.com"), server: IN_PREFIX, ..Case::default() });
    let facts = facts.unwrap();
    assert_eq!(
        facts.conflict,
        ["The name says region us-east-1, but the address belongs to DynamoDB in eu-west-1."]
    );
    assert_eq!(facts.prefix_region.as_deref(), Some("eu-west-1"));
    assert!(facts.partition_has_prefixes && facts.is_aws_name);
    // A stranger's name is cut where it is too long, and no number in it: it may be that of an account.
    let long = format!("{}.123456789012.example", "x".repeat(241));
    let case =
        Case { sni: sni(&long), certificate: certificate(&[REGIONAL]), server: IN_PREFIX, ..Case::default() };
    let conflict = decide(&case).unwrap().conflict;
    assert!(conflict.iter().any(|text| text.ends_with("x..")), "{conflict:?}");
}

#[test]
fn looks_through_a_proxy() {
    let connect = |target: &str| proxy(ProxyKind::HttpConnect, Some(target));
    for (case, expected) in [
        (
            Case {
                sni: sni(REGIONAL),
                proxy: connect("dynamodb.eu-west-1.amazonaws.com:443"),
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain sni,proxy_target 0",
        ),
        (
            Case {
                proxy: connect("dynamodb.eu-west-1.amazonaws.com:443"),
                server: OUTSIDE,
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain proxy_target 0",
        ),
        (
            Case { proxy: connect("52.94.5.1:443"), ..Case::default() },
            "dynamodb - eu-west-1 likely prefix,proxy_target 0",
        ),
        (Case { proxy: connect("[2001:db8::1]:443"), ..Case::default() }, "-"),
        (
            Case { sni: sni(REGIONAL), proxy: connect("www.example.com:443"), ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 1",
        ),
        (
            Case {
                sni: sni("www.example.com"),
                proxy: connect("dynamodb.eu-west-1.amazonaws.com:443"),
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain proxy_target 1",
        ),
        // The address and the DNS names are the proxy's own.
        (
            Case {
                proxy: connect("www.example.com:443"),
                server: IN_PREFIX,
                dns: vec![REGIONAL],
                ..Case::default()
            },
            "-",
        ),
        (
            Case { proxy: proxy(ProxyKind::ProxyProtocol, None), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 0",
        ),
        (Case { proxy: proxy(ProxyKind::Socks5, None), server: IN_PREFIX, ..Case::default() }, "-"),
        // The proxy did not connect; another request followed, which it is to pass on.
        (
            Case {
                http: http(Some("www.example.com"), None)
                    .map(|http| HttpFacts { is_absolute_form: true, ..http }),
                proxy: connect("dynamodb.eu-west-1.amazonaws.com:443"),
                ..Case::default()
            },
            "-",
        ),
        // What was said before TLS may have asked a proxy for it.
        (
            Case { sni: sni(REGIONAL), is_from_beginning: false, server: OUTSIDE, ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 0",
        ),
        // A name with an address asked for beside it: that one is to be DynamoDB's.
        (
            Case { sni: sni(REGIONAL), proxy: connect("52.94.5.1:443"), ..Case::default() },
            "dynamodb regional eu-west-1 certain sni,prefix 0",
        ),
        (
            Case { sni: sni(REGIONAL), proxy: connect("203.0.113.1:443"), ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 1",
        ),
        (
            Case { sni: sni(REGIONAL), proxy: connect("10.0.0.9:443"), ..Case::default() },
            "dynamodb regional eu-west-1 certain sni 0",
        ),
    ] {
        assert_eq!(summary(&case), expected, "{:?} {:?}", case.sni, case.proxy);
    }
}

#[test]
fn takes_plaintext_calls_whatever_the_host() {
    let get = Some("DynamoDB_20120810.GetItem");
    for (case, expected) in [
        (
            Case { http: http(Some(REGIONAL), get), ..Case::default() },
            "dynamodb regional eu-west-1 certain http_host 0",
        ),
        (
            Case { http: http(Some(REGIONAL), None), ..Case::default() },
            "dynamodb regional eu-west-1 certain http_host 0",
        ),
        (
            Case { http: http(Some("localhost"), get), ..Case::default() },
            "dynamodb local - certain http_host 0",
        ),
        (
            Case { http: http(Some("127.0.0.9"), get), ..Case::default() },
            "dynamodb local - certain http_host 0",
        ),
        (Case { http: http(Some("::1"), get), ..Case::default() }, "dynamodb local - certain http_host 0"),
        (
            Case { http: http(None, get), server: "127.0.0.1:8000", ..Case::default() },
            "dynamodb local - certain http_host 0",
        ),
        (Case { http: http(Some("localhost"), None), ..Case::default() }, "-"),
        (
            Case { http: http(Some("scylla.example"), get), ..Case::default() },
            "dynamodb - - certain http_host 0",
        ),
        (Case { http: http(Some("10.1.0.1"), get), ..Case::default() }, "dynamodb - - certain http_host 0"),
        (
            Case {
                http: http(Some("52.94.5.1"), get),
                server: IN_PREFIX,
                dns: vec![REGIONAL],
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain dns,prefix,http_host 0",
        ),
        (
            Case { http: http(None, Some("DynamoDBStreams_20120810.GetRecords")), ..Case::default() },
            "dynamodb-streams - - certain http_host 0",
        ),
        (
            Case { http: http(None, Some("DynamoDB_20120810.SearchVectors")), ..Case::default() },
            "dynamodb-search - - certain http_host 0",
        ),
        (
            Case { http: http(None, Some("AmazonDAXV3.DescribeClusters")), ..Case::default() },
            "dax - - certain http_host 0",
        ),
        (Case { http: http(Some("www.example.com"), None), ..Case::default() }, "-"),
        (
            Case { http: http(Some("www.example.com"), None), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        (
            Case {
                http: Some(HttpFacts { scope_service: Some("dynamodb".into()), ..HttpFacts::default() }),
                ..Case::default()
            },
            "dynamodb - - certain http_host 0",
        ),
        // DAX by its greeting, with a name where DNS gave one, never by a port.
        (
            Case {
                http: Some(HttpFacts { is_dax: true, ..HttpFacts::default() }),
                server: "10.1.0.1:8111",
                ..Case::default()
            },
            "dax - - certain - 0",
        ),
        (
            Case {
                http: Some(HttpFacts { is_dax: true, ..HttpFacts::default() }),
                dns: vec!["c.abc123.dax-clusters.eu-west-1.amazonaws.com"],
                ..Case::default()
            },
            "dax dax_cluster eu-west-1 certain dns 0",
        ),
        (Case { server: "10.1.0.1:8111", ..Case::default() }, "-"),
        (Case { server: "10.1.0.1:9111", ..Case::default() }, "-"),
    ] {
        assert_eq!(summary(&case), expected, "{:?} {}", case.http, case.server);
    }
}

#[test]
fn gives_the_name_it_rests_on() {
    let facts = decide(&Case { sni: sni("111122223333.DDB.eu-west-1.api.aws."), ..Case::default() }).unwrap();
    assert_eq!(facts.host.as_deref(), Some("111122223333.ddb.eu-west-1.api.aws"));
    assert_eq!(facts.account_id.as_deref(), Some("111122223333"));
    assert_eq!(facts.partition.as_deref(), Some("aws"));
    assert!(facts.dual_stack && !facts.fips && facts.is_aws_name);
    let facts = decide(&Case { sni: sni("db.corp.example"), ..Case::default() }).unwrap();
    assert!(!facts.is_aws_name);
    // However it is written.
    let case = Case { certificate: certificate(&["DynamoDB.eu-west-1.amazonaws.com."]), ..Case::default() };
    assert_eq!(decide(&case).unwrap().host.as_deref(), Some(REGIONAL));
}

#[test]
fn ignores_the_case_of_names_and_one_trailing_dot() {
    for name in [
        REGIONAL,
        "dynamodb-fips.us-east-1.amazonaws.com",
        "www.example.com",
        "db.corp.example",
        "graph-dynamodb.us-east-1.api.aws",
    ] {
        for server in [IN_PREFIX, OUTSIDE, PRIVATE] {
            let of = |name: &str| decide(&Case { sni: sni(name), server, ..Case::default() });
            let plain = of(name);
            assert_eq!(of(&name.to_ascii_uppercase()), plain, "{name} {server}");
            assert_eq!(of(&format!("{name}.")), plain, "{name} {server}");
        }
    }
}

#[test]
fn what_may_have_been_said_before_leaves_a_strange_address_unproven() {
    let told = || vec![REGIONAL];
    for (is_from_beginning, dns, server, is_unproven) in [
        (false, vec![], OUTSIDE, true),
        (true, vec![], OUTSIDE, false),
        (false, vec![], IN_PREFIX, false),
        // Told in DNS for the name: no proxy's address.
        (false, told(), OUTSIDE, false),
    ] {
        let case = Case { sni: sni(REGIONAL), is_from_beginning, dns, server, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(facts.is_address_unproven, is_unproven, "{is_from_beginning} {server} {:?}", case.dns);
        assert_eq!(facts.conflict.is_empty(), is_unproven || server == IN_PREFIX);
    }
    // That of another address family says nothing of this one.
    let is_dns_of_other_family = true;
    let case = Case { dns: told(), is_dns_of_other_family, server: OUTSIDE, ..Case::default() };
    let case = Case { sni: sni(REGIONAL), is_from_beginning: false, ..case };
    assert!(decide(&case).unwrap().is_address_unproven);
}

#[test]
fn tells_whose_a_request_is_by_what_it_says_itself() {
    use crate::app::http1::Addressee::{Dynamodb, LookAlike, Open, Other};
    let scan = Some("DynamoDB_20120810.Scan");
    let of = |host, target, scope: Option<&str>, has_other_target| HttpFacts {
        scope_service: scope.map(ToOwned::to_owned),
        has_other_target,
        ..http(host, target).unwrap()
    };
    for (facts, expected) in [
        (of(Some(REGIONAL), None, None, false), Dynamodb),
        (of(Some("123456789012.ddb.eu-west-1.amazonaws.com"), None, None, false), Dynamodb),
        // Other services, with DynamoDB's name in theirs.
        (of(Some("company-dynamodb-exports.s3.amazonaws.com"), None, None, false), Open),
        (of(Some("company-dynamodb-exports.s3.amazonaws.com"), None, Some("s3"), false), Other),
        (of(Some("ddb.elsewhere.example"), None, None, false), Open),
        // An emulator, of one service or of many.
        (of(Some("localhost"), scan, None, false), Dynamodb),
        (of(Some("10.0.0.1"), None, Some("dynamodb"), false), Dynamodb),
        (of(None, scan, None, false), Dynamodb),
        (of(Some("localhost"), None, Some("s3"), false), Other),
        (of(Some("localhost"), None, None, true), Other),
        (of(Some("localhost"), None, None, false), Open),
        (of(Some("52.94.5.10"), None, None, false), Open),
        (of(None, None, None, false), Open),
        (of(None, None, Some("s3"), false), Other),
        // Names of the configuration.
        (of(Some("db.corp.example"), None, None, false), Dynamodb),
        (of(Some("db.corp.example"), None, Some("dynamodb"), false), Dynamodb),
        (of(Some("db.corp.example"), None, Some("s3"), false), Other),
        (of(Some("db.corp.example"), None, None, true), Other),
        // A form that is not known.
        (of(Some("evil-dynamodb.eu-west-1.amazonaws.com"), None, None, false), LookAlike),
        (of(Some("evil-dynamodb.eu-west-1.amazonaws.com"), scan, None, false), Dynamodb),
    ] {
        assert_eq!(addressee(&facts, &options()), expected, "{facts:?}");
        // A browser that asks first names no operation.
        let preflight = HttpFacts { method: Some("OPTIONS".to_owned()), target: None, ..facts };
        assert_eq!(addressee(&preflight, &options()), Other);
    }
}
