//! Names that clients know an endpoint by, which DNS explains.

use super::*;

const ALIAS: &str = "data.corp.example";
const INTERFACE: &str = "vpce-1a2b3c4d-5e6f.dynamodb.eu-west-1.vpce.amazonaws.com";

#[test]
fn a_name_that_stands_for_an_endpoint_is_no_contradiction() {
    for (is_sni_alias, dns, server, expected) in [
        (true, INTERFACE, PRIVATE, "dynamodb interface eu-west-1 likely dns 0"),
        (true, REGIONAL, IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix 0"),
        // Asked for in vain, or not at all.
        (false, INTERFACE, PRIVATE, "-"),
        (false, REGIONAL, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
    ] {
        let case = Case { sni: sni(ALIAS), is_sni_alias, dns: vec![dns], server, ..Case::default() };
        assert_eq!(summary(&case), expected, "{is_sni_alias} {dns}");
    }
    // What a client was told of the proxy's address says nothing of what it asks the proxy for.
    let proxy = proxy(ProxyKind::HttpConnect, Some("www.example.com:443"));
    let case = Case { sni: sni(ALIAS), is_sni_alias: true, dns: vec![REGIONAL], proxy, ..Case::default() };
    assert_eq!(summary(&case), "-");
}

/// No alias of a customer's is the name of another service, whatever DNS says that it leads to.
#[test]
fn a_name_of_another_service_stands_for_itself() {
    for (name, dns, server, expected) in [
        ("s3.eu-west-1.amazonaws.com", REGIONAL, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
        ("sqs.eu-west-1.amazonaws.com", INTERFACE, PRIVATE, "-"),
    ] {
        let case = Case { sni: sni(name), is_sni_alias: true, dns: vec![dns], server, ..Case::default() };
        assert_eq!(summary(&case), expected, "{name}");
    }
}

/// Whoever answers for the alias has to be DynamoDB.
#[test]
fn behind_an_alias_somebody_elses_certificate_is_a_contradiction() {
    for (names, dns, server, expected) in [
        (&[ALIAS], REGIONAL, IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix 1"),
        (&[ALIAS], INTERFACE, PRIVATE, "dynamodb interface eu-west-1 likely dns 1"),
        (&[REGIONAL], REGIONAL, IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix,certificate 0"),
        // A host of one's own has a certificate of one's own.
        (&[ALIAS], "db.corp.example", PRIVATE, "dynamodb - eu-west-1 likely dns 0"),
    ] {
        let certificate = certificate(names);
        let case = Case {
            sni: sni(ALIAS),
            is_sni_alias: true,
            certificate,
            dns: vec![dns],
            server,
            ..Case::default()
        };
        assert_eq!(summary(&case), expected, "{names:?} {dns}");
    }
}
