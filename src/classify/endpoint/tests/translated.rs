//! Servers that are seen under more than one address.

use super::*;
use crate::classify::PrefixList;

const US: &str = "52.94.0.10:443";

#[test]
fn every_address_of_a_server_is_evidence() {
    for (name, server, behind, expected) in [
        (None, PRIVATE, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 0"),
        (None, IN_PREFIX, PRIVATE, "dynamodb - eu-west-1 likely prefix 0"),
        (None, PRIVATE, OUTSIDE, "-"),
        // They belong to two regions.
        (None, IN_PREFIX, US, "dynamodb - - likely prefix 0"),
        (Some(REGIONAL), PRIVATE, IN_PREFIX, "dynamodb regional eu-west-1 certain sni,prefix 0"),
        (Some(REGIONAL), IN_PREFIX, US, "dynamodb regional eu-west-1 certain sni,prefix 1"),
        (Some(REGIONAL), IN_PREFIX, OUTSIDE, "dynamodb regional eu-west-1 certain sni,prefix 1"),
        (Some(REGIONAL), PRIVATE, OUTSIDE, "dynamodb regional eu-west-1 certain sni 1"),
        (Some(INTERFACE), PRIVATE, US, "dynamodb interface eu-west-1 certain sni 1"),
        (Some(INTERFACE), PRIVATE, "10.1.0.2:443", "dynamodb interface eu-west-1 certain sni 0"),
    ] {
        let name = name.map_or(Sni::NotSent, sni);
        let case = Case { sni: name, server, behind: vec![behind], ..Case::default() };
        assert_eq!(summary(&case), expected, "{name:?} {server} {behind}");
    }
}

/// It may be in each of them, and is in no other.
#[test]
fn a_prefix_of_several_regions_contradicts_the_name_of_another() {
    let row =
        |region: &str| format!(r#"{{"ip_prefix":"52.94.5.0/24","region":"{region}","service":"DYNAMODB"}}"#);
    let list = |regions: [&str; 2]| {
        let rows = regions.map(row).join(",");
        let json =
            format!(r#"{{"createDate":"2026-08-22-15-17-05","prefixes":[{rows}],"ipv6_prefixes":[]}}"#);
        PrefixList::from_ip_ranges_json(json.as_bytes()).unwrap()
    };
    let case = Case { sni: sni(REGIONAL), server: IN_PREFIX, ..Case::default() };
    let agreed = [EndpointEvidence::Sni, EndpointEvidence::Prefix];
    for (regions, conflict) in [
        (
            ["us-east-1", "us-west-2"],
            &[
                "The name says region eu-west-1, but the address belongs to DynamoDB in us-east-1 or us-west-2.",
            ][..],
        ),
        (["us-east-1", "eu-west-1"], &[]),
        (["us-east-1", "GLOBAL"], &[]),
    ] {
        let facts = decide_by(&case, &EndpointOptions { prefixes: list(regions), ..options() }).unwrap();
        let evidence = if conflict.is_empty() { &agreed[..] } else { &agreed[..1] };
        assert!(facts.conflict.iter().eq(conflict), "{:?}", facts.conflict);
        assert_eq!(facts.evidence, evidence, "{regions:?}");
        assert_eq!(facts.region.as_deref(), Some("eu-west-1"));
    }
}

/// Where the client was right, and is led to a private address on the way.
#[test]
fn what_answers_in_place_of_dynamodb_is_not_proved_to_be_it() {
    for (server, behind, is_unproven) in [
        (IN_PREFIX, PRIVATE, true),
        (PRIVATE, IN_PREFIX, false),
        (IN_PREFIX, IN_PREFIX, false),
        (PRIVATE, PRIVATE, false),
    ] {
        let case = Case { sni: sni(REGIONAL), server, behind: vec![behind], ..Case::default() };
        assert_eq!(decide(&case).unwrap().is_address_unproven, is_unproven, "{server} {behind}");
    }
}

#[test]
fn behind_a_proxy_only_the_address_it_was_asked_for_counts() {
    for (target, addresses) in [
        (Some("52.94.5.1:443"), &["52.94.5.1"][..]),
        (Some("[2001:db8::1]:443"), &["2001:db8::1"]),
        (Some("dynamodb.eu-west-1.amazonaws.com:443"), &[]),
        (None, &["10.1.0.1", "10.1.0.2"]),
    ] {
        let kind = if target.is_some() { ProxyKind::HttpConnect } else { ProxyKind::ProxyProtocol };
        let case =
            Case { proxy: proxy(kind, target), behind: vec![PRIVATE, "10.1.0.2:443"], ..Case::default() };
        let told = with_input(&case, |input| input.addresses());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, addresses, "{target:?}");
    }
}
