//! Names that clients know an endpoint by, which DNS explains.

use super::*;

const ALIAS: &str = "data.corp.example";

#[test]
fn a_name_that_stands_for_an_endpoint_is_no_contradiction() {
    for (sni_alias, dns, server, expected) in [
        (SniAlias::Yes, INTERFACE, PRIVATE, "dynamodb interface eu-west-1 likely dns 0"),
        (SniAlias::Yes, REGIONAL, IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix 0"),
        // Asked for in vain, or not at all.
        (SniAlias::No, INTERFACE, PRIVATE, "-"),
        (SniAlias::No, REGIONAL, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
    ] {
        let case = Case { sni: sni(ALIAS), sni_alias, dns: vec![dns], server, ..Case::default() };
        assert_eq!(summary(&case), expected, "{sni_alias:?} {dns}");
    }
    // What a client was told of the proxy's address says nothing of what it asks the proxy for.
    let proxy = proxy(ProxyKind::HttpConnect, Some("www.example.com:443"));
    let case =
        Case { sni: sni(ALIAS), sni_alias: SniAlias::Yes, dns: vec![REGIONAL], proxy, ..Case::default() };
    assert_eq!(summary(&case), "-");
}

/// No alias of a customer's is the name of another service, whatever DNS says that it leads to.
#[test]
fn a_name_of_another_service_stands_for_itself() {
    for (name, dns, server, expected) in [
        ("s3.eu-west-1.amazonaws.com", REGIONAL, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
        ("sqs.eu-west-1.amazonaws.com", INTERFACE, PRIVATE, "-"),
    ] {
        let case =
            Case { sni: sni(name), sni_alias: SniAlias::Yes, dns: vec![dns], server, ..Case::default() };
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
            sni_alias: SniAlias::Yes,
            certificate,
            dns: vec![dns],
            server,
            ..Case::default()
        };
        assert_eq!(summary(&case), expected, "{names:?} {dns}");
    }
}

/// What is no longer known is no contradiction, and no proof.
#[test]
fn a_name_that_may_have_stood_for_an_endpoint_proves_nothing() {
    for (name, dns, server, names, expected) in [
        (ALIAS, Some(REGIONAL), IN_PREFIX, None, "dynamodb regional eu-west-1 likely dns,prefix 0 true"),
        (ALIAS, None, IN_PREFIX, None, "dynamodb - eu-west-1 likely prefix 0 true"),
        (ALIAS, Some(INTERFACE), PRIVATE, None, "dynamodb interface eu-west-1 possible dns 0 true"),
        (ALIAS, None, PRIVATE, None, "- false"),
        // Neither DynamoDB's, whether it is an alias or not.
        (
            ALIAS,
            Some(REGIONAL),
            IN_PREFIX,
            Some(ALIAS),
            "dynamodb regional eu-west-1 likely dns,prefix 1 true",
        ),
        (ALIAS, None, IN_PREFIX, Some(ALIAS), "dynamodb - eu-west-1 likely prefix 1 true"),
        (
            ALIAS,
            None,
            IN_PREFIX,
            Some(REGIONAL),
            "dynamodb regional eu-west-1 certain prefix,certificate 0 true",
        ),
        ("s3.eu-west-1.amazonaws.com", None, IN_PREFIX, None, "dynamodb - eu-west-1 likely prefix 1 false"),
        (REGIONAL, None, IN_PREFIX, None, "dynamodb regional eu-west-1 certain sni,prefix 0 false"),
    ] {
        let case = Case {
            sni: sni(name),
            sni_alias: SniAlias::Possible,
            certificate: names.and_then(|name| certificate(&[name])),
            dns: dns.into_iter().collect(),
            server,
            ..Case::default()
        };
        let is_unproven = decide(&case).is_some_and(|facts| facts.is_address_unproven);
        assert_eq!(format!("{} {is_unproven}", summary(&case)), expected, "{name} {dns:?} {names:?}");
    }
}
