//! Several names for one flow.

use super::*;
use crate::model::PublicNames;

const FIPS: &str = "dynamodb-fips.eu-west-1.amazonaws.com";
const ACCOUNT: &str = "123456789012.ddb.eu-west-1.amazonaws.com";
const INTERFACE: &str = "vpce-0123456789abcdef0-abcdefgh.dynamodb.eu-west-1.vpce.amazonaws.com";
const PUBLIC: &str = "203.0.113.50:443";

#[test]
fn what_the_client_says_twice_has_to_be_one_endpoint() {
    let other_account = "210987654321.ddb.eu-west-1.amazonaws.com";
    for (name, target, agrees) in [
        (REGIONAL, REGIONAL, true),
        (REGIONAL, "DynamoDB.eu-west-1.amazonaws.com.", true),
        (FIPS, REGIONAL, false),
        (INTERFACE, REGIONAL, false),
        (INTERFACE, "vpce-0123456789abcdef1-abcdefgh.dynamodb.eu-west-1.vpce.amazonaws.com", false),
        (ACCOUNT, other_account, false),
        (ACCOUNT, ACCOUNT, true),
        (REGIONAL, "db.corp.example", true),
    ] {
        for kind in [ProxyKind::HttpConnect, ProxyKind::Socks5] {
            let target = format!("{target}:443");
            let case = Case { sni: sni(name), proxy: proxy(kind, Some(&target)), ..Case::default() };
            let facts = decide(&case).unwrap();
            assert_eq!(facts.conflict.is_empty(), agrees, "{name} {target}: {:?}", facts.conflict);
            assert_eq!(facts.evidence.contains(&EndpointEvidence::ProxyTarget), agrees, "{name} {target}");
        }
    }
}

#[test]
fn an_answer_about_another_host_is_no_evidence_for_a_fips_endpoint() {
    for (name, told, is_evidence) in [(FIPS, REGIONAL, false), (FIPS, FIPS, true), (ACCOUNT, REGIONAL, true)]
    {
        let case = Case { sni: sni(name), dns: vec![told], server: IN_PREFIX, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(facts.evidence.contains(&EndpointEvidence::Dns), is_evidence, "{name} {told}");
        assert_eq!(facts.conflict, [""; 0]);
    }
}

#[test]
fn names_of_several_kinds_are_public_ones_if_all_are() {
    for (dns, names, is_conflict, is_unproven) in [
        (vec![REGIONAL], PublicNames::All, true, false),
        (vec![REGIONAL, ACCOUNT], PublicNames::All, true, false),
        (vec![REGIONAL, "dynamodb.us-east-1.amazonaws.com"], PublicNames::All, true, false),
        (vec![REGIONAL, INTERFACE], PublicNames::Some, false, true),
        (vec![INTERFACE], PublicNames::None, false, false),
    ] {
        let case = Case { dns, server: PUBLIC, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(facts.public_names(), names, "{:?}", case.dns);
        assert_eq!(
            (!facts.conflict.is_empty(), facts.is_address_unproven),
            (is_conflict, is_unproven),
            "{:?}",
            case.dns
        );
    }
    // As a certificate of AWS has them.
    let certificate = certificate(&[REGIONAL, "*.ddb.eu-west-1.amazonaws.com"]);
    let facts = decide(&Case { certificate, server: PUBLIC, ..Case::default() }).unwrap();
    assert_eq!((facts.public_names(), facts.conflict.len()), (PublicNames::All, 1));
}

#[test]
fn an_address_behind_nat64_is_the_one_it_stands_for() {
    for (server, conflicts) in [
        ("[64:ff9b::203.0.113.50]:443", 1),
        ("[64:ff9b::52.94.5.1]:443", 0),
        ("[64:ff9b::10.0.3.25]:443", 0),
        ("[2001:db8::1]:443", 0),
    ] {
        let facts = decide(&Case { sni: sni(REGIONAL), server, ..Case::default() }).unwrap();
        assert_eq!(facts.conflict.len(), conflicts, "{server}");
    }
}
