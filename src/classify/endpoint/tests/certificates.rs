//! What the names of a certificate say where the client says none, or another one.

use super::*;

#[test]
fn doubts_a_certificate_of_somebody_else_where_no_name_was_said() {
    for (case, expected) in [
        (
            Case { certificate: certificate(&["www.example.com"]), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        (
            Case { certificate: certificate(&[]), server: IN_PREFIX, ..Case::default() },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        (
            Case {
                certificate: certificate(&["www.example.com"]),
                dns: vec![REGIONAL],
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain dns,prefix 1",
        ),
        (
            Case {
                sni: sni("www.example.com"),
                encrypted_hello: EncryptedHello::Sent,
                certificate: certificate(&["www.example.com"]),
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        // One that has a name of DynamoDB among others, of whatever form.
        (
            Case {
                certificate: certificate(&["www.example.com", "*.new-ddb.eu-west-1.amazonaws.com"]),
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely prefix 0",
        ),
        (
            Case {
                certificate: certificate(&["*.eu-west-1.amazonaws.com"]),
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely prefix 0",
        ),
        // However many there are.
        (
            Case {
                certificate: certificate(&["www.example.com"; 1_024]),
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely prefix 1",
        ),
        // A host of one's own has a certificate of one's own.
        (
            Case {
                certificate: certificate(&["www.example.com"]),
                dns: vec!["db.corp.example"],
                server: OUTSIDE,
                ..Case::default()
            },
            "dynamodb - eu-west-1 likely dns 0",
        ),
        // Whether the certificate is one for the name that was asked for is a rule of its own.
        (
            Case {
                sni: sni(REGIONAL),
                certificate: certificate(&["www.example.com"]),
                server: IN_PREFIX,
                ..Case::default()
            },
            "dynamodb regional eu-west-1 certain sni,prefix 0",
        ),
    ] {
        assert_eq!(summary(&case), expected, "{:?} {:?}", case.sni, case.dns);
    }
}

/// The operator says that a name leads to DynamoDB, whoever tells it.
#[test]
fn a_certificate_for_a_configured_host_is_one_for_dynamodb() {
    for (names, dns, server, expected) in [
        (&["db.corp.example"][..], vec![], PRIVATE, "dynamodb - eu-west-1 likely certificate 0"),
        (&["DB.Corp.Example"], vec![], PRIVATE, "dynamodb - eu-west-1 likely certificate 0"),
        (&["a.ddb.corp.example"], vec![], PRIVATE, "dynamodb-streams - - likely certificate 0"),
        (&["*.ddb.corp.example"], vec![], PRIVATE, "dynamodb-streams - - likely certificate 0"),
        (&["db.corp.example"], vec![], IN_PREFIX, "dynamodb - eu-west-1 certain prefix,certificate 0"),
        (
            &["db.corp.example"],
            vec![REGIONAL],
            IN_PREFIX,
            "dynamodb regional eu-west-1 certain dns,prefix,certificate 0",
        ),
        // It may be for that host, or for another one.
        (&["*.corp.example"], vec![], PRIVATE, "-"),
        (&["*.corp.example"], vec![REGIONAL], IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix 0"),
        (&["*.corp.example"], vec![], IN_PREFIX, "dynamodb - eu-west-1 likely prefix 0"),
        (&["db2.corp.example"], vec![], PRIVATE, "-"),
        (&["db2.corp.example"], vec![], IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
        (&["a.b.ddb.corp.example"], vec![], IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
        // A name that the grammar does not know is no proof.
        (&["graph-dynamodb.eu-west-1.amazonaws.com"], vec![], PRIVATE, "-"),
    ] {
        let case = Case { certificate: certificate(names), dns, server, ..Case::default() };
        assert_eq!(summary(&case), expected, "{names:?} {:?} {server}", case.dns);
    }
}

/// A server of many names shows all of them to each client.
#[test]
fn a_configured_host_in_a_certificate_says_nothing_where_the_client_names_another() {
    let www = || sni("www.corp.example");
    let connect = |target| proxy(ProxyKind::HttpConnect, Some(target));
    for (case, expected) in [
        (Case { sni: www(), ..Case::default() }, "-"),
        (Case { sni: www(), server: OUTSIDE, ..Case::default() }, "-"),
        (Case { sni: www(), proxy: connect("www.corp.example:443"), ..Case::default() }, "-"),
        (Case { proxy: connect("www.corp.example:443"), ..Case::default() }, "-"),
        (Case { sni: www(), server: IN_PREFIX, ..Case::default() }, "dynamodb - eu-west-1 likely prefix 1"),
        // The name may be an outer one, or no name was said.
        (
            Case { sni: www(), encrypted_hello: EncryptedHello::Sent, ..Case::default() },
            "dynamodb - eu-west-1 likely certificate 0",
        ),
        (
            Case { proxy: connect("10.1.0.1:443"), ..Case::default() },
            "dynamodb - eu-west-1 likely certificate 0",
        ),
        (
            Case { sni: sni("db.corp.example"), ..Case::default() },
            "dynamodb - eu-west-1 certain sni,certificate 0",
        ),
    ] {
        let names = certificate(&["www.corp.example", "db.corp.example"]);
        let case = Case { certificate: names, ..case };
        assert_eq!(summary(&case), expected, "{:?} {:?} {}", case.sni, case.proxy, case.server);
    }
}

/// Beside a name that is known elsewhere, a mere look is no reason to believe the client.
#[test]
fn a_look_alike_in_a_certificate_agrees_with_nothing() {
    const ALIKE: &str = "global-dynamodb.eu-west-1.amazonaws.com";
    const ELSEWHERE: &str = "streams.dynamodb.us-east-1.amazonaws.com";
    for (name, names, expected) in [
        (REGIONAL, &[ELSEWHERE][..], "dynamodb regional eu-west-1 certain sni 1"),
        (REGIONAL, &[ELSEWHERE, ALIKE], "dynamodb regional eu-west-1 certain sni 1"),
        (REGIONAL, &[ALIKE, ELSEWHERE], "dynamodb regional eu-west-1 certain sni 1"),
        (REGIONAL, &[ELSEWHERE, ALIKE, REGIONAL], "dynamodb regional eu-west-1 certain sni,certificate 0"),
        (REGIONAL, &[ALIKE], "dynamodb regional eu-west-1 certain sni 0"),
        // It is for the very name that the client says.
        (ALIKE, &[ELSEWHERE, ALIKE], "dynamodb unrecognised eu-west-1 possible sni 0"),
        (ALIKE, &[ELSEWHERE], "dynamodb unrecognised eu-west-1 possible sni 1"),
    ] {
        let case = Case { sni: sni(name), certificate: certificate(names), ..Case::default() };
        assert_eq!(summary(&case), expected, "{name} {names:?}");
    }
    // What is said to contradict is the name that does.
    let names = certificate(&[ELSEWHERE, ALIKE]);
    let facts = decide(&Case { sni: sni(REGIONAL), certificate: names, ..Case::default() }).unwrap();
    let sentence = format!("The SNI says {REGIONAL}, but the certificate says {ELSEWHERE}.");
    assert_eq!(facts.conflict, [sentence]);
    // Nor does it make a name surer that is doubtful itself.
    for (names, expected) in [
        (&["dynamodb.us-east-1.amazonaws.com", ALIKE][..], "dynamodb regional eu-west-1 possible sni 1"),
        (&[REGIONAL, ALIKE], "dynamodb regional eu-west-1 likely sni,certificate 0"),
    ] {
        let case = Case { sni: sni(REGIONAL), certificate: certificate(names), ..Case::default() };
        let case = Case { encrypted_hello: EncryptedHello::Sent, ..case };
        assert_eq!(summary(&case), expected, "{names:?}");
    }
}

/// A shared certificate has as many names as its reader takes, and DynamoDB's may be the last.
#[test]
fn no_name_of_a_certificate_is_beyond_those_that_are_looked_at() {
    let others = || std::iter::repeat_n("www.example.com", 1_000);
    let alike: Vec<String> = (0..MAX_CERTIFICATE_NAMES)
        .map(|number| format!("graph-{number}-dynamodb.eu-west-1.amazonaws.com"))
        .collect();
    let alike = || alike.iter().map(String::as_str);
    for (names, expected) in [
        (others().collect::<Vec<_>>(), "-"),
        (others().chain(["*.ddb.corp.example."]).collect(), "dynamodb-streams - - likely certificate 0"),
        (others().chain([REGIONAL]).collect(), "dynamodb regional eu-west-1 likely certificate 0"),
        (
            others().chain(["*.dynamodb.eu-west-1.amazonaws.com"]).collect(),
            "dynamodb-streams regional eu-west-1 likely certificate 0",
        ),
        (others().chain(["db.corp.example"]).collect(), "dynamodb - eu-west-1 likely certificate 0"),
        (alike().chain([REGIONAL]).collect(), "dynamodb - eu-west-1 likely certificate 0"),
        (alike().collect(), "-"),
    ] {
        let case = Case { certificate: certificate(&names), ..Case::default() };
        assert_eq!(summary(&case), expected, "{:?}", names.last());
    }
}

/// However many there are.
#[test]
fn the_order_of_the_names_of_a_certificate_is_no_matter() {
    let others =
        [REGIONAL, FIPS, STREAMS, INTERFACE, "dynamodb.us-gov-west-1.amazonaws.com", "db.corp.example"];
    for number in [3, MAX_CERTIFICATE_NAMES] {
        let accounts: Vec<String> =
            (0..number).map(|number| format!("{number:012}.ddb.eu-west-1.amazonaws.com")).collect();
        let accounts = || accounts.iter().map(String::as_str);
        let names: Vec<&str> = accounts().chain(others).collect();
        // A sentence names whichever comes first.
        let sorted = |mut facts: EndpointFacts| {
            for one in &mut facts.alternatives {
                one.conflict = vec![String::new(); one.conflict.len()];
            }
            facts.alternatives.sort_by_key(|one| format!("{one:?}"));
            facts.conflict = vec![String::new(); facts.conflict.len()];
            facts
        };
        let of = |names: &[&str], dns: &[&'static str]| {
            let case = Case { dns: dns.to_vec(), certificate: certificate(names), ..Case::default() };
            sorted(decide(&case).unwrap())
        };
        for dns in [&[][..], &[REGIONAL], &[STREAMS, "dynamodb.cn-north-1.amazonaws.com.cn"]] {
            let expected = of(&names, dns);
            for at in 0..names.len() {
                let mut turned = names.clone();
                turned.rotate_left(at);
                let found = of(&turned, dns);
                assert_eq!(found, expected, "{number} {dns:?} {at}");
            }
        }
    }
}

/// Of more names than are kept, what the rest of them say is not forgotten.
#[test]
fn names_of_a_certificate_that_are_not_kept_leave_open_what_they_do_not_agree_in() {
    let accounts: Vec<String> = (0..MAX_CERTIFICATE_NAMES)
        .map(|number| format!("{number:012}.streams-ddb-fips.eu-west-1.amazonaws.com"))
        .collect();
    let told = |more: &[&str]| {
        let names: Vec<&str> = accounts.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let case = Case { certificate: certificate(&names), ..Case::default() };
        let facts = decide(&case).unwrap();
        (facts.region.is_some(), facts.has_many_services, facts.is_aws_name || facts.is_aws_name_open)
    };
    assert_eq!(told(&[]), (true, false, true));
    assert_eq!(told(&["*.streams-ddb-fips.us-east-1.amazonaws.com"]), (false, false, true));
    assert_eq!(told(&[REGIONAL]), (true, true, true));
    assert_eq!(told(&["db.corp.example"]), (true, true, true));
    // Nor is one of AWS behind many of one's own: whose certificate it is hangs on it.
    let own: Vec<String> =
        (0..MAX_CERTIFICATE_NAMES).map(|number| format!("{number}.ddb.corp.example")).collect();
    for (more, is_open) in [(None, false), (Some(REGIONAL), true)] {
        let names: Vec<&str> = own.iter().map(String::as_str).chain(more).collect();
        let case = Case { dns: vec!["db.corp.example"], certificate: certificate(&names), ..Case::default() };
        assert_eq!(decide(&case).unwrap().is_aws_name_open, is_open, "{more:?}");
    }
    // Those that are kept are a part of what the client may have meant, and agree with what it says.
    let names: Vec<&str> = accounts.iter().map(String::as_str).chain([STREAMS]).collect();
    let case = Case { sni: sni(STREAMS), certificate: certificate(&names), ..Case::default() };
    assert_eq!(summary(&case), "dynamodb-streams regional eu-west-1 certain sni,certificate 0");
}
