//! A name beside what may be an Encrypted Client Hello.

use super::*;

/// What is missing of a hello makes nothing surer, and contradicts nothing.
#[test]
fn a_cut_hello_claims_no_more_than_a_whole_one_whatever_was_in_it() {
    use Confidence::{Certain, Likely, Possible};
    let ours = || Case { sni: sni(REGIONAL), ..Case::default() };
    let other = || Case { sni: sni("www.example.com"), ..Case::default() };
    let shown = || certificate(&["www.example.com"]);
    for (mut case, expected, has_conflict) in [
        // A name alone, one at an address that contradicts it, and others that something supports.
        (ours(), Some(Possible), false),
        (Case { server: OUTSIDE, ..ours() }, Some(Possible), true),
        (Case { server: IN_PREFIX, ..ours() }, Some(Likely), false),
        (Case { dns: vec![REGIONAL], ..ours() }, Some(Likely), false),
        (Case { dns: vec![REGIONAL], server: IN_PREFIX, ..ours() }, Some(Certain), false),
        // Another name, which may be an outer one. A certificate says that what is inside was not taken up.
        (Case { server: IN_PREFIX, ..other() }, Some(Likely), false),
        (Case { server: IN_PREFIX, certificate: shown(), ..other() }, Some(Likely), true),
        (Case { certificate: certificate(&[REGIONAL]), ..other() }, Some(Likely), false),
        (Case { http: http(Some(REGIONAL), None), ..other() }, Some(Certain), false),
        // It outranks what DNS said, for it need not be one.
        (Case { dns: vec![REGIONAL], ..other() }, None, false),
    ] {
        let mut of = |encrypted_hello| {
            case.encrypted_hello = encrypted_hello;
            let facts = decide(&case).unwrap_or_default();
            (facts.confidence, !facts.conflict.is_empty())
        };
        let cut = of(EncryptedHello::NotSeen);
        assert_eq!(cut, (expected, has_conflict));
        for whole in [of(EncryptedHello::NotSent), of(EncryptedHello::Sent)] {
            assert!(cut.0 <= whole.0 && cut.1 <= whole.1, "{cut:?} {whole:?} {:?} {}", case.sni, case.server);
        }
    }
}

/// Neither is the one that was meant for sure: the name in clear may be an outer one, and the answer one for another
/// connection.
#[test]
fn beside_a_doubtful_name_an_answer_for_another_leaves_the_kind_open() {
    for (name, dns, server, expected) in [
        (REGIONAL, vec![FIPS], IN_PREFIX, "dynamodb - eu-west-1 certain sni,dns,prefix 0"),
        (FIPS, vec![REGIONAL], IN_PREFIX, "dynamodb - eu-west-1 certain sni,dns,prefix 0"),
        (ACCOUNT, vec![FIPS], IN_PREFIX, "dynamodb - eu-west-1 certain sni,dns,prefix 0"),
        (REGIONAL, vec![REGIONAL, FIPS], IN_PREFIX, "dynamodb - eu-west-1 certain sni,dns,prefix 0"),
        (REGIONAL, vec![INTERFACE], PRIVATE, "dynamodb - eu-west-1 likely sni,dns 0"),
        ("db.corp.example", vec![FIPS], IN_PREFIX, "dynamodb - eu-west-1 certain sni,dns,prefix 0"),
        // Of one kind, but not of one service: that of the name in clear is shown, and is no more than possible.
        (REGIONAL, vec![STREAMS], IN_PREFIX, "dynamodb - eu-west-1 likely sni,prefix 0"),
        (STREAMS, vec![REGIONAL], IN_PREFIX, "dynamodb-streams - eu-west-1 likely sni,prefix 0"),
        (
            STREAMS,
            vec![REGIONAL, STREAMS],
            IN_PREFIX,
            "dynamodb-streams regional eu-west-1 certain sni,dns,prefix 0",
        ),
        // Of elsewhere: where it goes to is told by the address alone, and what is for another region is no evidence.
        (
            "dynamodb.us-east-1.amazonaws.com",
            vec![REGIONAL],
            IN_PREFIX,
            "dynamodb - eu-west-1 certain dns,prefix 0",
        ),
        (
            REGIONAL,
            vec!["dynamodb.us-east-1.amazonaws.com"],
            IN_PREFIX,
            "dynamodb - eu-west-1 likely sni,prefix 0",
        ),
        (
            FIPS,
            vec!["dynamodb-fips.us-east-1.amazonaws.com"],
            IN_PREFIX,
            "dynamodb - eu-west-1 likely sni,prefix 0",
        ),
        (
            "streams.dynamodb.us-east-1.amazonaws.com",
            vec!["streams.dynamodb.us-west-2.amazonaws.com"],
            IN_PREFIX,
            "dynamodb-streams - eu-west-1 likely prefix 0",
        ),
        ("dynamodb.us-east-1.amazonaws.com", vec![REGIONAL], PRIVATE, "dynamodb - - likely sni,dns 0"),
    ] {
        for encrypted_hello in [EncryptedHello::Sent, EncryptedHello::NotSeen] {
            let case = Case { sni: sni(name), encrypted_hello, dns: dns.clone(), server, ..Case::default() };
            assert_eq!(summary(&case), expected, "{name} {dns:?}");
            let facts = decide(&case).unwrap();
            assert!(!facts.fips && facts.host.is_none(), "{name} {dns:?}");
            let is_of_streams = |name: &str| name.starts_with("streams.");
            let has_many = dns.iter().any(|told| is_of_streams(told) != is_of_streams(name));
            assert_eq!(facts.has_many_services, has_many, "{name} {dns:?}");
            let is_unproven = [name, dns[0]].iter().any(|name| name.contains("us-east-1"));
            assert_eq!(facts.is_address_unproven, is_unproven, "{name} {dns:?}");
        }
    }
    // Of several answers one is for where the address is.
    let elsewhere = "dynamodb.us-east-1.amazonaws.com";
    for dns in [vec![elsewhere, REGIONAL], vec![REGIONAL, elsewhere]] {
        let case = Case { sni: sni(elsewhere), dns, server: IN_PREFIX, ..Case::default() };
        let case = Case { encrypted_hello: EncryptedHello::Sent, ..case };
        assert_eq!(summary(&case), "dynamodb regional eu-west-1 certain dns,prefix 0");
        assert!(decide(&case).unwrap().is_address_unproven);
    }
    let proxy = proxy(ProxyKind::HttpConnect, Some(FIPS));
    let case = Case { sni: sni(REGIONAL), encrypted_hello: EncryptedHello::Sent, proxy, ..Case::default() };
    let facts = decide(&case).unwrap();
    assert!(facts.conflict.is_empty() && facts.is_address_unproven, "{:?}", facts.conflict);
}
