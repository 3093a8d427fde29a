//! Several names for one flow.

use super::*;

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

const UNKNOWN: &str = "global-dynamodb.eu-west-1.amazonaws.com";
const INTERFACE_FIPS: &str = "vpce-1a2b3c4d-5e6f.dynamodb-fips.eu-west-1.vpce.amazonaws.com";
const STREAMS_ACCOUNT: &str = "123456789012.streams-ddb.eu-west-1.amazonaws.com";
const STREAMS_ACCOUNT_FIPS: &str = "123456789012.streams-ddb-fips.eu-west-1.amazonaws.com";

/// `service kind fips`, with a question mark behind a service that is only possible; and the conflicts.
fn form(case: &Case<'_>) -> (String, Vec<String>) {
    let facts = decide(case).unwrap();
    let service = facts.service.map_or("-", Service::as_str);
    let doubt = if facts.has_many_services { "?" } else { "" };
    let kind = facts.kind.map_or("-", EndpointKind::as_str);
    (format!("{service}{doubt} {kind} {}", facts.fips), facts.conflict)
}

/// A name of no known form is a name: what others are told for the address does not take its place.
#[test]
fn what_the_client_says_stays_whatever_dns_and_certificates_say_of_others() {
    let connect = |target: &str| proxy(ProxyKind::HttpConnect, Some(target));
    let unknown = || Case { sni: sni(UNKNOWN), server: IN_PREFIX, ..Case::default() };
    for case in [
        unknown(),
        Case { dns: vec![FIPS], ..unknown() },
        Case { dns: vec![FIPS, UNKNOWN], ..unknown() },
        Case { dns: vec![STREAMS], ..unknown() },
        Case { dns: vec![STREAMS, UNKNOWN], ..unknown() },
        Case { dns: vec![INTERFACE_FIPS], server: PRIVATE, ..unknown() },
        Case { certificate: certificate(&[UNKNOWN, STREAMS]), ..unknown() },
        Case { certificate: certificate(&[UNKNOWN, FIPS]), ..unknown() },
        Case { certificate: certificate(&[FIPS]), dns: vec![FIPS], ..unknown() },
        Case { sni: Sni::NotSent, http: http(Some(UNKNOWN), None), dns: vec![FIPS], ..unknown() },
        Case { sni: Sni::NotSent, proxy: connect(UNKNOWN), certificate: certificate(&[FIPS]), ..unknown() },
    ] {
        let found = (String::from("dynamodb unrecognised false"), vec![]);
        assert_eq!(form(&case), found, "{:?} {:?}", case.dns, case.certificate);
        assert_eq!(decide(&case).unwrap().host.as_deref(), Some(UNKNOWN));
    }
    // An outer name of whatever form need not be the one that is meant.
    let outer = Case { encrypted_hello: EncryptedHello::Sent, dns: vec![FIPS], ..unknown() };
    assert_eq!(form(&outer).0, "dynamodb - false");
    let case =
        Case { sni_alias: SniAlias::Yes, sni: sni("data.corp.example"), dns: vec![FIPS], ..Case::default() };
    assert_eq!(form(&case).0, "dynamodb fips true", "it stands for that one");
}

/// Whichever of them was meant, and in whatever order they come.
#[test]
fn what_several_names_do_not_agree_in_is_open() {
    for (names, expected) in [
        ([REGIONAL, FIPS], "dynamodb - false"),
        ([UNKNOWN, FIPS], "dynamodb - false"),
        ([INTERFACE, INTERFACE_FIPS], "dynamodb interface false"),
        ([STREAMS_ACCOUNT, STREAMS_ACCOUNT_FIPS], "dynamodb-streams account false"),
        ([FIPS, INTERFACE_FIPS], "dynamodb - true"),
        ([REGIONAL, STREAMS], "dynamodb? regional false"),
        ([UNKNOWN, STREAMS], "dynamodb? - false"),
        ([REGIONAL, ACCOUNT], "dynamodb - false"),
        ([REGIONAL, "dynamodb.us-east-1.amazonaws.com"], "dynamodb regional false"),
    ] {
        for names in [names, [names[1], names[0]]] {
            for case in [
                Case { dns: names.to_vec(), ..Case::default() },
                Case { certificate: certificate(&names), ..Case::default() },
            ] {
                assert_eq!(form(&case).0, expected, "{names:?} {}", case.dns.len());
            }
        }
    }
    let names = ["*.dynamodb.eu-west-1.vpce.amazonaws.com", "*.dynamodb-fips.eu-west-1.vpce.amazonaws.com"];
    assert_eq!(
        form(&Case { certificate: certificate(&names), ..Case::default() }).0,
        "dynamodb interface false"
    );
    // Nor does another source fill what the names of one leave open.
    let dns = vec![FIPS, "db.corp.example"];
    let case = Case { dns, certificate: certificate(&[FIPS]), ..Case::default() };
    assert_eq!(form(&case).0, "dynamodb - false");
}

/// The address speaks against all of them, or against some, of which one may have been meant.
#[test]
fn an_address_may_contradict_some_names_or_all() {
    let [north, east] = ["dynamodb.eu-north-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"];
    for (names, is_conflict, is_unproven) in [
        (vec![REGIONAL, FIPS], false, false),
        (vec![INTERFACE, INTERFACE_FIPS], true, false),
        (vec![north, east], true, false),
        (vec![INTERFACE_FIPS, UNKNOWN], false, true),
        (vec![REGIONAL, east], false, true),
        (vec![REGIONAL, INTERFACE], false, true),
    ] {
        let facts = decide(&Case { dns: names.clone(), server: IN_PREFIX, ..Case::default() }).unwrap();
        assert_eq!(
            (!facts.conflict.is_empty(), facts.is_address_unproven),
            (is_conflict, is_unproven),
            "{names:?}"
        );
        assert_eq!(facts.evidence.contains(&EndpointEvidence::Prefix), !is_conflict, "{names:?}");
        // One certificate is for the names of all that a service has.
        let case = Case { certificate: certificate(&names), server: IN_PREFIX, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(!facts.conflict.is_empty(), is_conflict, "{names:?}");
        // But nobody knows whether one of no known form is for that address.
        assert_eq!(facts.is_address_unproven, names.contains(&UNKNOWN), "{names:?}");
    }
}

/// Without a name of the client's, what DNS told and what the certificate is for are names that one of may be meant.
#[test]
fn beside_a_certificate_for_other_forms_an_answer_leaves_the_form_open() {
    for (told, shown, expected) in [
        (FIPS, REGIONAL, "dynamodb - false"),
        (REGIONAL, FIPS, "dynamodb - false"),
        (FIPS, FIPS, "dynamodb fips true"),
        (REGIONAL, STREAMS, "dynamodb regional false"),
        (REGIONAL, ACCOUNT, "dynamodb - false"),
        (UNKNOWN, REGIONAL, "dynamodb - false"),
        (UNKNOWN, STREAMS, "dynamodb? - false"),
        // Which of the two it is, is open, but not that it is one of an interface endpoint.
        (INTERFACE, INTERFACE_FIPS, "dynamodb interface false"),
    ] {
        let case = Case { dns: vec![told], certificate: certificate(&[shown]), ..Case::default() };
        assert_eq!(form(&case).0, expected, "{told} {shown}");
    }
    // A host of one's own in the same certificate hides none of that.
    const DAX_CLUSTER: &str = "mine.abc123.dax-clusters.eu-west-1.amazonaws.com";
    for (told, expected) in [
        (
            DAX_CLUSTER,
            vec![(None, false), (Some(EndpointKind::DaxCluster), true), (Some(EndpointKind::Regional), true)],
        ),
        (FIPS, vec![(None, false), (Some(EndpointKind::Fips), true), (Some(EndpointKind::Regional), true)]),
        (REGIONAL, vec![]),
    ] {
        let shown = certificate(&[REGIONAL, "db.corp.example"]);
        let facts = decide(&Case { dns: vec![told], certificate: shown, ..Case::default() }).unwrap();
        let mut each: Vec<_> = facts.alternatives.iter().map(|one| (one.kind, one.is_aws_name)).collect();
        each.sort_unstable_by_key(|(kind, _)| kind.map_or("", EndpointKind::as_str));
        assert_eq!(each, expected, "{told}");
        assert!(facts.alternatives.iter().all(|one| one.is_aws_name || one.is_aws_name_open), "{told}");
    }
    // What the certificate is for was told by no answer: neither its region, nor that the address speaks against it.
    let all_forms =
        certificate(&[REGIONAL, "*.ddb.eu-west-1.amazonaws.com", "*.dynamodb.eu-west-1.vpce.amazonaws.com"]);
    let case = Case { dns: vec![FIPS], certificate: all_forms, server: IN_PREFIX, ..Case::default() };
    let facts = decide(&case).unwrap();
    assert_eq!((facts.region.as_deref(), facts.is_address_unproven), (Some("eu-west-1"), false));
    assert_eq!(facts.conflict, [""; 0]);
    let elsewhere = certificate(&["dynamodb.us-west-2.amazonaws.com", "*.dynamodb.us-west-2.amazonaws.com"]);
    for told in [INTERFACE, FIPS] {
        let case =
            Case { dns: vec![told], certificate: elsewhere.clone(), server: PRIVATE, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(facts.region.as_deref(), Some("eu-west-1"), "{told}");
        assert_eq!(facts.evidence, [EndpointEvidence::Dns], "{told}");
        assert_eq!(facts.conflict.len(), 1, "{told}");
    }
}

/// Whether each of the names is a public one, and which contradicts the address.
fn each(case: &Case<'_>) -> Vec<(Option<bool>, bool)> {
    let facts = decide(case).unwrap();
    let each = if facts.alternatives.is_empty() { vec![facts] } else { facts.alternatives };
    let mut each: Vec<_> =
        each.iter().map(|facts| (facts.has_public_name(), !facts.conflict.is_empty())).collect();
    each.sort_unstable_by(|one, other| other.cmp(one));
    each
}

#[test]
fn each_name_is_a_public_one_or_not() {
    let [public, none] = [(Some(true), true), (Some(false), false)];
    for (dns, expected, is_conflict, is_unproven) in [
        (vec![REGIONAL], vec![public], true, false),
        (vec![REGIONAL, ACCOUNT], vec![public; 2], true, false),
        (vec![REGIONAL, "dynamodb.us-east-1.amazonaws.com"], vec![public; 2], true, false),
        // Each partition has its part of the list.
        (vec![REGIONAL, "dynamodb.us-gov-west-1.amazonaws.com"], vec![public; 2], true, false),
        (vec![REGIONAL, INTERFACE], vec![public, none], false, true),
        (vec![INTERFACE], vec![none], false, false),
    ] {
        for case in [
            Case { dns: dns.clone(), server: PUBLIC, ..Case::default() },
            Case { certificate: certificate(&dns), server: PUBLIC, ..Case::default() },
        ] {
            assert_eq!(each(&case), expected, "{dns:?}");
            let facts = decide(&case).unwrap();
            assert_eq!(
                (!facts.conflict.is_empty(), facts.is_address_unproven),
                (is_conflict, is_unproven),
                "{dns:?}"
            );
        }
    }
    // Of several services, DAX has none.
    let gov = "dynamodb.us-gov-west-1.amazonaws.com";
    for (other, is_public) in
        [("streams.dynamodb.us-gov-west-1.amazonaws.com", true), ("dax.us-gov-west-1.amazonaws.com", false)]
    {
        for dns in [vec![gov, other], vec![other, gov]] {
            let facts = decide(&Case { dns, ..Case::default() }).unwrap();
            assert_eq!((facts.kind, facts.fips), (Some(EndpointKind::Regional), false));
            assert!(facts.has_many_services);
            let are_public = facts.alternatives.iter().all(|facts| facts.has_public_name() == Some(true));
            assert_eq!(are_public, is_public, "{other}");
        }
    }
}

/// Where it is, is told by the address where the names leave it open, and its partition with it.
#[test]
fn region_and_partition_are_of_one_place() {
    let [west, east] = ["dynamodb.us-gov-west-1.amazonaws.com", "dynamodb.us-gov-east-1.amazonaws.com"];
    for (names, region, partition) in [
        (vec![REGIONAL, west], Some("eu-west-1"), Some("aws")),
        (vec![west, east], None, Some("aws-us-gov")),
        (vec![west], Some("us-gov-west-1"), Some("aws-us-gov")),
    ] {
        let by_request = || http(Some("52.94.5.1"), Some("DynamoDB_20120810.Scan"));
        for case in [
            Case { dns: names.clone(), ..Case::default() },
            Case { certificate: certificate(&names), ..Case::default() },
            Case { dns: names.clone(), http: by_request(), ..Case::default() },
        ] {
            let facts = decide(&Case { server: IN_PREFIX, ..case }).unwrap();
            let found = (facts.region.as_deref(), facts.partition.as_deref());
            assert_eq!(found, (region, partition), "{names:?}");
        }
    }
}

/// More names than are taken in turn leave the form open.
#[test]
fn not_more_names_than_there_is_room_for_are_taken_in_turn() {
    let names: Vec<String> =
        (0..40).map(|number| format!("dynamodb.eu-west-{number}.amazonaws.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let facts = decide(&Case { certificate: certificate(&names), ..Case::default() }).unwrap();
    assert_eq!((facts.alternatives.len(), facts.kind, facts.is_form_open), (16, None, true));
    assert_eq!((facts.service, facts.is_aws_name), (Some(Service::Dynamodb), true));
    // What is beyond is not forgotten: neither its region nor its service.
    let case = |more: &'static str| {
        let names: Vec<String> =
            (0..20).map(|number| format!("{number:012}.ddb.us-east-1.amazonaws.com")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain([more]).collect();
        decide(&Case { certificate: certificate(&names), server: IN_PREFIX, ..Case::default() }).unwrap()
    };
    let facts = case(REGIONAL);
    assert_eq!((facts.region.as_deref(), facts.conflict.len()), (Some("eu-west-1"), 0));
    assert!(case(STREAMS).has_many_services);
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

/// What is told, without what depends on which name comes first by its nature: sentences and hosts.
fn told(case: &Case<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    let facts = decide(case).unwrap();
    let mut each: Vec<_> = facts
        .alternatives
        .iter()
        .map(|facts| (facts.kind, facts.fips, facts.region.clone(), facts.conflict.is_empty()))
        .collect();
    each.sort_unstable();
    let open = (facts.has_many_services, facts.is_form_open, facts.is_address_unproven, facts.is_aws_name);
    let place = (facts.region, facts.partition, facts.account_id, facts.service, facts.kind, facts.fips);
    (place, facts.evidence, facts.confidence, facts.conflict.is_empty(), open, each)
}

#[test]
fn the_order_of_names_changes_nothing() {
    let east = "dynamodb.us-east-1.amazonaws.com";
    let dax = "dax.eu-west-1.amazonaws.com";
    let (own, other_own) = ("db.corp.example", "a.ddb.corp.example");
    let names =
        [REGIONAL, FIPS, STREAMS, ACCOUNT, INTERFACE, INTERFACE_FIPS, UNKNOWN, east, dax, own, other_own];
    let pairs = || {
        names.iter().enumerate().flat_map(|(at, one)| names.iter().skip(at + 1).map(|other| [*one, *other]))
    };
    let mut seen = 0;
    for dns in pairs().map(Some).chain([None]) {
        for shown in pairs().map(Some).chain([None]) {
            for (spoken, encrypted_hello) in [
                (Sni::NotSent, EncryptedHello::NotSent),
                (sni(REGIONAL), EncryptedHello::Sent),
                (sni(other_own), EncryptedHello::NotSent),
            ] {
                for server in [IN_PREFIX, PRIVATE, PUBLIC] {
                    let case = |is_reversed: bool| {
                        let order = |names: [&'static str; 2]| match is_reversed {
                            true => vec![names[1], names[0]],
                            false => names.to_vec(),
                        };
                        Case {
                            sni: spoken,
                            encrypted_hello,
                            dns: dns.map(order).unwrap_or_default(),
                            certificate: shown.and_then(|names| certificate(&order(names))),
                            server,
                            ..Case::default()
                        }
                    };
                    if decide(&case(false)).is_some() {
                        seen += 1;
                        assert_eq!(
                            told(&case(false)),
                            told(&case(true)),
                            "{dns:?} {shown:?} {spoken:?} {server}"
                        );
                    }
                }
            }
        }
    }
    assert!(seen > 20_000, "{seen}");
}

#[test]
fn the_region_of_one_of_several_names_is_that_of_no_other() {
    let names = ["streams.dynamodb.us-east-1.amazonaws.com", STREAMS];
    for (server, region) in [(PRIVATE, None), (IN_PREFIX, Some("eu-west-1"))] {
        for case in [
            Case { certificate: certificate(&names), ..Case::default() },
            Case { dns: names.to_vec(), ..Case::default() },
        ] {
            let case = Case { sni: sni("a.ddb.corp.example"), server, ..case };
            let facts = decide(&case).unwrap();
            assert_eq!((facts.region.as_deref(), facts.conflict.len()), (region, 0), "{server}");
        }
    }
}

/// Interface endpoints have none of the addresses in the list, and no name of DAX leads to one.
#[test]
fn of_a_certificate_the_names_for_the_address_count() {
    let east = "dynamodb.us-east-1.amazonaws.com";
    let case =
        |names: &[&str]| Case { certificate: certificate(names), server: IN_PREFIX, ..Case::default() };
    assert_eq!(form(&case(&[REGIONAL, INTERFACE])), ("dynamodb regional false".to_owned(), vec![]));
    assert_eq!(decide(&case(&[REGIONAL, east])).unwrap().alternatives, []);
    let facts = decide(&case(&[east, "dax.us-east-1.amazonaws.com"])).unwrap();
    assert!(facts.conflict.is_empty() && facts.is_address_unproven);
}

/// Of a request for one service, names of another are not the ones that were meant.
#[test]
fn a_request_chooses_among_names_of_its_service() {
    let scan = || http(Some("10.1.0.1"), Some("DynamoDB_20120810.Scan"));
    for (dns, kind, region) in [
        (vec![REGIONAL, STREAMS], Some(EndpointKind::Regional), Some("eu-west-1")),
        (vec![REGIONAL, FIPS], None, Some("eu-west-1")),
        (vec![STREAMS], None, None),
    ] {
        let facts = decide(&Case { dns: dns.clone(), http: scan(), ..Case::default() }).unwrap();
        assert_eq!((facts.kind, facts.region.as_deref()), (kind, region), "{dns:?}");
    }
}

/// What is not looked at may be the one that was meant.
#[test]
fn more_names_than_are_known_leave_open_what_those_agree_in() {
    // What a certificate says again is no other name.
    let shown: Vec<&str> = std::iter::repeat_n(FIPS, MAX_CERTIFICATE_NAMES + 1).collect();
    for (case, is_open) in [
        (Case { dns: vec![FIPS], ..Case::default() }, false),
        (Case { dns: vec![FIPS], has_more_dns: true, ..Case::default() }, true),
        (Case { dns: vec![FIPS], has_more_dns: true, sni: sni(FIPS), ..Case::default() }, false),
        (Case { certificate: certificate(&shown), ..Case::default() }, false),
    ] {
        let facts = decide(&case).unwrap();
        assert_eq!((facts.fips, facts.kind.is_none(), facts.is_form_open), (!is_open, is_open, is_open));
    }
}

/// Beside an outer name, one that DNS told as well is as sure as without it.
#[test]
fn a_doubtful_name_that_dns_told_counts_as_told() {
    let case = |server| Case {
        sni: sni(REGIONAL),
        encrypted_hello: EncryptedHello::NotSeen,
        dns: vec![REGIONAL, ACCOUNT],
        server,
        ..Case::default()
    };
    let facts = decide(&case(PRIVATE)).unwrap();
    assert_eq!(facts.alternatives.len(), 2);
    assert!(facts.alternatives.iter().all(|facts| facts.evidence.contains(&EndpointEvidence::Dns)));
    assert_eq!(decide(&case(PUBLIC)).unwrap().conflict.len(), 1);
}

/// Which of its names was meant changes nothing of whose certificate it is.
#[test]
fn a_certificate_for_a_name_of_aws_is_one_whatever_was_meant() {
    let own = "db.corp.example";
    for (dns, shown, server, expected) in [
        (vec![], vec![REGIONAL], PRIVATE, (true, false)),
        (vec![], vec![INTERFACE, own], IN_PREFIX, (false, true)),
        (vec![], vec![REGIONAL, own], PRIVATE, (false, true)),
        (vec![own], vec![REGIONAL], PRIVATE, (false, true)),
        (vec![own], vec![own], PRIVATE, (false, false)),
        (vec![REGIONAL, own], vec![own], PRIVATE, (false, true)),
    ] {
        let case = Case { dns: dns.clone(), certificate: certificate(&shown), server, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!((facts.is_aws_name, facts.is_aws_name_open), expected, "{dns:?} {shown:?}");
    }
    let case = Case { sni: sni(own), certificate: certificate(&[REGIONAL]), ..Case::default() };
    assert!(!decide(&case).unwrap().is_aws_name_open, "the client says another name");
}

/// Two regions of one form beside a certificate for other forms are still two.
#[test]
fn a_form_of_the_certificate_is_of_each_region_that_was_told() {
    let east = "dynamodb-fips.us-east-1.amazonaws.com";
    let shown = certificate(&[REGIONAL]);
    let case = Case { dns: vec![FIPS, east], certificate: shown, server: "52.94.9.9:443", ..Case::default() };
    let facts = decide(&case).unwrap();
    assert_eq!((facts.region, facts.conflict.is_empty()), (None, false));
    let shown = certificate(&["*.ddb-fips.eu-west-1.amazonaws.com"]);
    let case = Case { dns: vec![ACCOUNT], certificate: shown, ..Case::default() };
    assert_eq!(decide(&case).unwrap().account_id.as_deref(), Some("123456789012"));
}

/// Of names for other services and regions, those are evidence that may be meant at this address.
#[test]
fn the_service_is_one_that_is_told_for_the_region_of_the_address() {
    let gov = "dynamodb-fips.us-gov-west-1.amazonaws.com";
    for names in [[gov, STREAMS], [STREAMS, gov]] {
        let case = Case { dns: names.to_vec(), server: IN_PREFIX, ..Case::default() };
        let facts = decide(&case).unwrap();
        assert_eq!(form(&case).0, "dynamodb-streams? - false");
        assert_eq!(facts.region.as_deref(), Some("eu-west-1"));
        assert_eq!(facts.evidence, [EndpointEvidence::Dns, EndpointEvidence::Prefix]);
        assert!(facts.confidence.is_some());
    }
}
