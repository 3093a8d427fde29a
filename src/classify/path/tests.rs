//! Sightings, addresses and configuration in, path out.

mod entry;

use super::*;

/// One flow under test; the defaults are a private client and a public address of DynamoDB.
struct Case {
    client: &'static str,
    server: &'static str,
    translated: Vec<(SocketAddr, SocketAddr)>,
    sightings: Vec<Sighting>,
    links: Vec<([u8; 6], [u8; 6])>,
    kinds: Vec<Arc<str>>,
    /// What is not in the two is not there.
    knows_links: bool,
    has_more_ways: bool,
    endpoint: EndpointFacts,
    is_proxied: bool,
    /// Of a proxy, if an address.
    asked_for: Option<&'static str>,
    esp_seen: bool,
    is_one_sided: bool,
    options: PathOptions,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            client: "10.0.0.1:50000",
            server: "52.94.5.1:443",
            translated: Vec::new(),
            sightings: vec![sighting("eth0", &[])],
            links: Vec::new(),
            kinds: Vec::new(),
            knows_links: true,
            has_more_ways: false,
            endpoint: EndpointFacts {
                kind: Some(EndpointKind::Regional),
                evidence: vec![EndpointEvidence::Sni, EndpointEvidence::Prefix],
                confidence: Some(Confidence::Certain),
                is_in_prefix: true,
                prefix_region: Some("eu-west-1".into()),
                partition: Some("aws".into()),
                partition_has_prefixes: true,
                region: Some("eu-west-1".into()),
                service: Some(Service::Dynamodb),
                is_aws_name: true,
                ..EndpointFacts::default()
            },
            is_proxied: false,
            asked_for: None,
            esp_seen: false,
            is_one_sided: false,
            options: PathOptions::default(),
        }
    }
}

fn sighting(interface: &str, layers: &[Layer]) -> Sighting {
    Sighting { interface: Some(Arc::from(interface)), encapsulation: layers.into() }
}

fn rule(name: &str, access: Access) -> PathRule {
    PathRule {
        name: name.into(),
        interface: Vec::new(),
        vlan: Vec::new(),
        link_kind: Vec::new(),
        vni: Vec::new(),
        gwlb_endpoint: Vec::new(),
        source: Vec::new(),
        destination: Vec::new(),
        next_hop_mac: Vec::new(),
        tunnel: Vec::new(),
        access,
        entry: None,
    }
}

/// `access entry confidence name evidence,evidence`
fn decide(case: &Case) -> String {
    let facts = classify_case(case);
    let evidence: Vec<&str> = facts.evidence.iter().map(|evidence| evidence.as_str()).collect();
    format!(
        "{} {} {} {} {}",
        facts.access,
        facts.entry,
        facts.confidence().map_or("-", Confidence::as_str),
        facts.name.as_deref().unwrap_or("-"),
        if evidence.is_empty() { "-".to_owned() } else { evidence.join(",") }
    )
}

fn classify_case(case: &Case) -> PathFacts {
    let way = |sighting: &Sighting| Way {
        sighting: sighting.clone(),
        link_kind: case.kinds.first().cloned(),
        link_addresses: case.links.clone(),
        knows_link_addresses: case.knows_links,
    };
    let ways: Vec<Way> = case.sightings.iter().map(way).collect();
    let server: SocketAddr = case.server.parse().unwrap();
    let behind = case.translated.iter().map(|(_, server)| server.ip());
    let own: Vec<IpAddr> = std::iter::once(server.ip()).chain(behind).collect();
    let asked_for: Vec<IpAddr> = case.asked_for.iter().map(|address| address.parse().unwrap()).collect();
    classify(
        &PathInput {
            client: case.client.parse().unwrap(),
            server,
            translated: &case.translated,
            addresses: if case.is_proxied { &asked_for } else { &own },
            ways: &ways,
            has_more_ways: case.has_more_ways,
            knows_link_kinds: case.knows_links,
            endpoint: &case.endpoint,
            is_proxied: case.is_proxied,
            esp_seen: case.esp_seen,
            is_one_sided: case.is_one_sided,
        },
        &case.options,
    )
}

fn interface_endpoint(confidence: Confidence, evidence: EndpointEvidence) -> EndpointFacts {
    EndpointFacts {
        kind: Some(EndpointKind::Interface),
        evidence: vec![evidence],
        confidence: Some(confidence),
        ..EndpointFacts::default()
    }
}

fn with_rules(rules: Vec<PathRule>) -> PathOptions {
    PathOptions { rules, ..PathOptions::default() }
}

fn at_site(role: Role) -> PathOptions {
    PathOptions { site: SiteFacts { role: Some(role), ..SiteFacts::default() }, ..PathOptions::default() }
}

#[test]
fn says_unknown_where_packets_prove_nothing() {
    assert_eq!(decide(&Case::default()), "unknown unknown - - -");
    // A public-form name at a private address may be an override, a proxy or an emulator.
    assert_eq!(decide(&Case { server: "10.1.0.1:443", ..Case::default() }), "unknown unknown - - -");
    // Tunnels and load balancer endpoints say where a packet was seen, not how it gets to AWS.
    let wrapped = [
        Layer::Geneve { vni: 0, endpoint_id: Some(7), attachment_id: None },
        Layer::Vxlan(42),
        Layer::Gre { key: None },
        Layer::Vlan(120),
    ];
    let sightings = vec![sighting("eth0", &wrapped)];
    assert_eq!(decide(&Case { sightings, ..Case::default() }), "unknown unknown - - -");
}

#[test]
fn takes_interface_endpoints_by_their_name() {
    let server = "10.1.0.1:443";
    for (confidence, evidence, expected) in [
        (Confidence::Certain, EndpointEvidence::Sni, "unknown interface_endpoint certain - sni"),
        (Confidence::Certain, EndpointEvidence::HttpHost, "unknown interface_endpoint certain - sni"),
        (Confidence::Likely, EndpointEvidence::Dns, "unknown interface_endpoint likely - address"),
        (Confidence::Possible, EndpointEvidence::Sni, "unknown interface_endpoint possible - sni"),
    ] {
        let endpoint = interface_endpoint(confidence, evidence);
        assert_eq!(decide(&Case { server, endpoint, ..Case::default() }), expected);
    }
}

#[test]
fn lets_the_first_rule_that_matches_win() {
    let by_source = PathRule { source: vec!["10.9.0.0/16".parse().unwrap()], ..rule("other", Access::InVpc) };
    let by_vlan = PathRule {
        vlan: vec![120, 121],
        interface: vec!["eth?".into()],
        entry: Some(Entry::PublicEndpoint),
        ..rule("dx", Access::DirectConnectPublic)
    };
    let any = rule("any", Access::Internet);
    let options = with_rules(vec![by_source, by_vlan, any]);
    let sightings = vec![sighting("lo", &[]), sighting("eth1", &[Layer::Vlan(121)])];
    assert_eq!(
        decide(&Case { sightings, options: options.clone(), ..Case::default() }),
        "direct_connect_public public_endpoint certain dx rule,vlan"
    );
    assert_eq!(decide(&Case { options, ..Case::default() }), "internet unknown certain any rule");
}

#[test]
fn asks_every_condition_of_one_sighting() {
    let options = with_rules(vec![PathRule {
        interface: vec!["eth1".into()],
        vlan: vec![120],
        ..rule("dx", Access::DirectConnectPrivate)
    }]);
    let sightings = vec![sighting("eth1", &[Layer::Vlan(5)]), sighting("eth2", &[Layer::Vlan(120)])];
    assert_eq!(decide(&Case { sightings, options, ..Case::default() }), "unknown unknown - - -");
}

#[test]
fn knows_every_condition() {
    let geneve = Layer::Geneve { vni: 3, endpoint_id: Some(0xabc), attachment_id: None };
    let base = || rule("r", Access::InVpc);
    for (rule, evidence) in [
        (PathRule { interface: vec!["vti*".into()], ..base() }, None),
        (PathRule { interface: vec!["eth0".into()], ..base() }, Some("rule")),
        (PathRule { vni: vec![3], ..base() }, Some("rule,tunnel")),
        (PathRule { vni: vec![4], ..base() }, None),
        (PathRule { gwlb_endpoint: vec![0xabc], ..base() }, Some("rule,gwlb_endpoint")),
        (PathRule { gwlb_endpoint: vec![0xabd], ..base() }, None),
        (PathRule { tunnel: vec![Tunnel::Geneve], ..base() }, Some("rule,tunnel")),
        (PathRule { tunnel: vec![Tunnel::Vxlan, Tunnel::None], ..base() }, None),
        (PathRule { link_kind: vec!["ena".into()], ..base() }, Some("rule,link_kind")),
        (PathRule { link_kind: vec!["vti".into()], ..base() }, None),
        (PathRule { destination: vec!["52.94.0.0/16".parse().unwrap()], ..base() }, Some("rule,address")),
        (PathRule { source: vec!["52.94.0.0/16".parse().unwrap()], ..base() }, None),
        (PathRule { next_hop_mac: vec![[2; 6]], ..base() }, Some("rule")),
        (PathRule { next_hop_mac: vec![[3; 6]], ..base() }, None),
    ] {
        let needs_links = !rule.next_hop_mac.is_empty();
        let shown = format!("{rule:?}");
        let options = with_rules(vec![rule]);
        assert_eq!(options.needs_link_addresses(), needs_links);
        let case = Case {
            sightings: vec![sighting("eth0", &[geneve])],
            links: vec![([1; 6], [2; 6])],
            kinds: vec![Arc::from("ena")],
            options,
            ..Case::default()
        };
        let expected = match evidence {
            Some(evidence) => format!("in_vpc unknown certain r {evidence}"),
            None => "unknown unknown - - -".to_owned(),
        };
        assert_eq!(decide(&case), expected, "{shown}");
    }
}

#[test]
fn a_flow_is_in_no_tunnel_where_no_way_is() {
    const GRE: Layer = Layer::Gre { key: None };
    let plain = || sighting("eth0", &[Layer::Vlan(1)]);
    let (tunnelled, elsewhere) = (|| sighting("eth0", &[GRE]), || sighting("eth1", &[GRE]));
    let none = || PathRule { tunnel: vec![Tunnel::None], ..rule("r", Access::InVpc) };
    let here = || PathRule { interface: vec!["eth0".into()], ..none() };
    let either = || PathRule { tunnel: vec![Tunnel::None, Tunnel::Gre], ..none() };
    let gre = || PathRule { tunnel: vec![Tunnel::Gre], ..none() };
    let (yes, no, open) = (Some(true), Some(false), None);
    // What holds, and what of it where a way is not remembered, which may be in a tunnel, or be the one that is meant.
    for (rule, sightings, expected) in [
        (none(), vec![plain()], [yes, open]),
        (none(), vec![sighting("eth0", &[Layer::Mpls(16)])], [yes, open]),
        (none(), vec![tunnelled()], [no, no]),
        (none(), vec![sighting("eth0", &[Layer::Gtp(5)])], [no, no]),
        (none(), vec![plain(), tunnelled()], [no, no]),
        (none(), vec![plain(), elsewhere()], [no, no]),
        // The other conditions say which ways are meant.
        (here(), vec![plain(), elsewhere()], [yes, open]),
        (here(), vec![plain(), tunnelled()], [no, no]),
        (here(), vec![sighting("eth1", &[])], [no, open]),
        (either(), vec![plain(), tunnelled()], [yes, yes]),
        (either(), vec![plain(), sighting("eth0", &[Layer::Vxlan(5)])], [no, open]),
        // Of a kind of tunnel it is said of one.
        (gre(), vec![plain(), tunnelled()], [yes, yes]),
        (gre(), vec![plain()], [no, open]),
    ] {
        for (has_more_ways, expected) in [false, true].into_iter().zip(expected) {
            let options = with_rules(vec![rule.clone()]);
            let case = Case { sightings: sightings.clone(), has_more_ways, options, ..Case::default() };
            let facts = classify_case(&case);
            let holds = if facts.open_rules.is_empty() { Some(facts.name.is_some()) } else { None };
            assert_eq!(holds, expected, "{rule:?} {sightings:?} {has_more_ways}");
        }
    }
}

#[test]
fn fills_the_entry_a_rule_leaves_open() {
    let options = with_rules(vec![rule("vpn", Access::SiteToSiteVpn)]);
    let endpoint = interface_endpoint(Confidence::Likely, EndpointEvidence::Sni);
    let case = Case { server: "10.1.0.1:443", endpoint, options, ..Case::default() };
    assert_eq!(decide(&case), "site_to_site_vpn interface_endpoint likely vpn rule,sni");
}

#[test]
fn knows_site_to_site_vpn_by_its_signs() {
    let vpn = || at_site(Role::Vpn);
    let inside = "169.254.10.2:50000";
    let private = "10.1.0.1:443";
    for (case, expected) in [
        (
            Case { client: inside, server: private, ..Case::default() },
            "site_to_site_vpn unknown possible - inside_address",
        ),
        (
            Case { client: inside, server: private, options: vpn(), ..Case::default() },
            "site_to_site_vpn unknown likely - inside_address",
        ),
        (
            Case { client: inside, server: private, esp_seen: true, ..Case::default() },
            "site_to_site_vpn unknown likely - inside_address,esp",
        ),
        // There is a VPN; that the flow runs in it is told by what is known of the site, or by a side that is only in ESP.
        (
            Case { server: private, esp_seen: true, ..Case::default() },
            "site_to_site_vpn unknown possible - address,esp",
        ),
        (
            Case { server: private, esp_seen: true, options: vpn(), ..Case::default() },
            "site_to_site_vpn unknown likely - address,esp",
        ),
        (
            Case { server: private, esp_seen: true, is_one_sided: true, ..Case::default() },
            "site_to_site_vpn unknown likely - address,esp",
        ),
        (
            Case { server: private, options: vpn(), kinds: vec![Arc::from("xfrm")], ..Case::default() },
            "site_to_site_vpn unknown likely - address,link_kind",
        ),
        // A VPN beside a flow to a public address says nothing of that flow.
        (Case { esp_seen: true, ..Case::default() }, "unknown unknown - - -"),
        (
            Case { server: private, esp_seen: true, is_proxied: true, ..Case::default() },
            "unknown unknown - - -",
        ),
        (Case { server: private, options: vpn(), ..Case::default() }, "unknown unknown - - -"),
        (
            Case { server: private, kinds: vec![Arc::from("xfrm")], ..Case::default() },
            "unknown unknown - - -",
        ),
        // What AWS keeps for itself is no tunnel.
        (Case { client: "169.254.0.2:50000", ..Case::default() }, "unknown unknown - - -"),
        (Case { client: "169.254.169.254:50000", ..Case::default() }, "unknown unknown - - -"),
    ] {
        assert_eq!(decide(&case), expected, "{} {}", case.client, case.server);
    }
}

#[test]
fn sees_the_internet_only_behind_nat() {
    let public = "198.51.100.7:50000";
    let nat = || at_site(Role::Nat);
    for (case, expected) in [
        (
            Case { client: public, options: nat(), ..Case::default() },
            "internet public_endpoint likely - address,prefix",
        ),
        (Case { options: nat(), ..Case::default() }, "unknown unknown - - -"),
        (Case { client: public, ..Case::default() }, "unknown unknown - - -"),
        (
            Case { client: public, options: nat(), is_proxied: true, ..Case::default() },
            "unknown unknown - - -",
        ),
        (
            Case {
                client: public,
                server: "198.51.100.99:443",
                options: nat(),
                endpoint: EndpointFacts::default(),
                ..Case::default()
            },
            "unknown unknown - - -",
        ),
    ] {
        assert_eq!(decide(&case), expected, "{}", case.client);
    }
}

#[test]
fn matches_globs_as_a_shell_does() {
    for (glob, name, is_match) in [
        ("eth0", "eth0", true),
        ("eth0", "eth01", false),
        ("eth?", "eth1", true),
        ("eth?", "eth", false),
        ("vti*", "vti", true),
        ("*", "", true),
        ("*.120", "eth1.120", true),
        ("e*1*0", "eth1.120", true),
        ("e*2", "eth1.120", false),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(matches_glob(glob, name), is_match, "{glob} {name}");
    }
    // However many stars there are, it ends soon.
    assert!(!matches_glob(&"a*b*".repeat(25), &"a".repeat(2_000)));
    assert!(!matches_glob(&format!("{}b", "a*".repeat(25)), &"a".repeat(2_000)));
}

#[test]
fn takes_no_entry_of_a_rule_that_name_or_address_exclude() {
    let entering = |entry| PathRule { entry: Some(entry), ..rule("r", Access::InVpc) };
    let by_name = || interface_endpoint(Confidence::Certain, EndpointEvidence::Sni);
    let (public, private) = ("52.94.5.1:443", "10.0.3.4:443");
    for (entry, server, endpoint, expected) in [
        (Entry::InterfaceEndpoint, public, None, "unknown"),
        (Entry::InterfaceEndpoint, private, Some(by_name()), "interface_endpoint"),
        // A name of one's own for it.
        (Entry::InterfaceEndpoint, private, Some(EndpointFacts::default()), "interface_endpoint"),
        (Entry::GatewayEndpoint, public, None, "gateway_endpoint"),
        (Entry::GatewayEndpoint, private, Some(by_name()), "unknown"),
        (Entry::GatewayEndpoint, private, Some(EndpointFacts::default()), "unknown"),
        (Entry::PublicEndpoint, public, None, "public_endpoint"),
        (Entry::PublicEndpoint, private, Some(EndpointFacts::default()), "unknown"),
    ] {
        let endpoint = endpoint.unwrap_or_else(|| Case::default().endpoint);
        let case = Case { server, endpoint, options: with_rules(vec![entering(entry)]), ..Case::default() };
        assert!(decide(&case).starts_with(&format!("in_vpc {expected} certain r")), "{entry} {server}");
    }
    // Behind a proxy, the address is the proxy's.
    let options = with_rules(vec![entering(Entry::PublicEndpoint)]);
    let case = Case { server: private, is_proxied: true, options, ..Case::default() };
    assert!(decide(&case).starts_with("in_vpc public_endpoint"));
}

#[test]
fn a_name_of_an_interface_endpoint_at_a_public_address_proves_little() {
    let endpoint = || interface_endpoint(Confidence::Certain, EndpointEvidence::Sni);
    let case = Case { server: "203.0.113.9:443", endpoint: endpoint(), ..Case::default() };
    assert_eq!(decide(&case), "unknown interface_endpoint possible - sni");
    let conflict = vec!["Two names.".to_owned()];
    let endpoint = EndpointFacts { conflict, ..endpoint() };
    assert_eq!(
        decide(&Case { server: "10.0.3.4:443", endpoint, ..Case::default() }),
        "unknown unknown - - -"
    );
}

#[test]
fn the_next_hop_is_not_the_clients_own_side() {
    for (mac, expected) in [([1; 6], "unknown"), ([2; 6], "in_vpc")] {
        let rule = PathRule { next_hop_mac: vec![mac], ..rule("r", Access::InVpc) };
        let case = Case { links: vec![([1; 6], [2; 6])], options: with_rules(vec![rule]), ..Case::default() };
        assert!(decide(&case).starts_with(expected), "{mac:?}");
    }
}

#[test]
fn a_rule_knows_a_client_by_any_of_its_addresses() {
    let of = |net: &str| vec![net.parse().unwrap()];
    let inside = PathRule { source: of("10.7.0.0/16"), ..rule("r", Access::InVpc) };
    let mixed = PathRule { destination: of("198.51.100.0/24"), ..inside.clone() };
    for (rule, expected) in [(inside, "in_vpc"), (mixed, "unknown")] {
        let translated = vec![("10.7.0.1:1024".parse().unwrap(), "52.94.5.1:443".parse().unwrap())];
        let options = with_rules(vec![rule]);
        let case = Case {
            client: "203.0.113.1:4000",
            server: "198.51.100.1:443",
            translated,
            options,
            ..Case::default()
        };
        assert!(decide(&case).starts_with(expected));
    }
}

/// A rule that may be the flow's is not passed over as if it were not.
#[test]
fn what_the_capture_does_not_tell_keeps_later_rules_from_proving_anything() {
    let asks_interface =
        PathRule { interface: vec!["eth1".into()], ..rule("dx", Access::DirectConnectPublic) };
    let asks_kind = PathRule { link_kind: vec!["vti".into()], ..rule("vpn", Access::SiteToSiteVpn) };
    let asks_hop = PathRule { next_hop_mac: vec![[2; 6]], ..rule("dx", Access::DirectConnectPublic) };
    let all = || rule("rest", Access::Internet);
    let nameless = || vec![Sighting { interface: None, encapsulation: crate::model::Layers::default() }];
    for first in [asks_interface.clone(), asks_kind, asks_hop] {
        let case = |knows_links, sightings, rules| Case {
            knows_links,
            sightings,
            options: with_rules(rules),
            ..Case::default()
        };
        let rules = vec![first.clone(), all()];
        // It is told, and another one.
        let told = case(true, vec![sighting("eth0", &[])], rules.clone());
        assert_eq!(decide(&told), "internet unknown certain rest rule");
        let untold = case(false, nameless(), rules);
        assert_eq!(decide(&untold), "internet unknown possible rest rule");
        // Another condition of it does not hold.
        let other = PathRule { source: vec!["192.0.2.0/24".parse().unwrap()], ..first.clone() };
        assert_eq!(
            decide(&case(false, nameless(), vec![other, all()])),
            "internet unknown certain rest rule"
        );
        // Both would say the same.
        let same = PathRule { access: Access::Internet, ..first.clone() };
        assert_eq!(decide(&case(false, nameless(), vec![same, all()])), "internet unknown certain rest rule");
        // Behind the one that holds it is not asked.
        assert_eq!(
            decide(&case(false, nameless(), vec![all(), first.clone()])),
            "internet unknown certain rest rule"
        );
        assert_eq!(decide(&case(false, nameless(), vec![first])), "unknown unknown - - -");
    }
    // What the wire proves is no better than a rule that may say otherwise.
    let nat = |rules| Case {
        client: "203.0.113.9:50000",
        sightings: nameless(),
        options: PathOptions {
            site: SiteFacts { role: Some(Role::Nat), ..SiteFacts::default() },
            ..with_rules(rules)
        },
        ..Case::default()
    };
    assert_eq!(decide(&nat(Vec::new())), "internet public_endpoint likely - address,prefix");
    assert_eq!(decide(&nat(vec![asks_interface])), "internet public_endpoint possible - address,prefix");
}

#[test]
fn conditions_on_a_way_hold_for_one_and_the_same() {
    let hop = |last| ([1; 6], [2, 0, 0, 0, 0, last]);
    let way = |interface: &str, kind: &str, last| Way {
        sighting: sighting(interface, &[]),
        link_kind: Some(Arc::from(kind)),
        link_addresses: vec![hop(last)],
        knows_link_addresses: true,
    };
    let ways = [way("lan0", "veth", 1), way("wan0", "vti", 2)];
    let asks = |interface: &str, kind: &[&str], last: Option<u8>| PathRule {
        interface: vec![interface.into()],
        link_kind: kind.iter().map(|kind| (*kind).to_owned()).collect(),
        next_hop_mac: last.into_iter().map(|last| hop(last).1).collect(),
        ..rule("asked", Access::InVpc)
    };
    let case = Case::default();
    for (rule, holds) in [
        (asks("lan0", &[], Some(1)), true),
        (asks("lan0", &[], Some(2)), false),
        (asks("wan0", &["vti"], Some(2)), true),
        (asks("lan0", &["vti"], None), false),
    ] {
        for has_more_ways in [false, true] {
            let input = PathInput {
                client: case.client.parse().unwrap(),
                server: case.server.parse().unwrap(),
                translated: &[],
                addresses: &[],
                ways: &ways,
                has_more_ways,
                knows_link_kinds: true,
                endpoint: &case.endpoint,
                is_proxied: false,
                esp_seen: false,
                is_one_sided: false,
            };
            // It may hold on a way that is not remembered.
            let expected = if holds || !has_more_ways { Some(holds) } else { None };
            assert_eq!(matches(&rule, &input), expected);
        }
    }
}

/// A rule that names no entry leaves it to what name and address say, which is not what a later rule says.
#[test]
fn an_open_rule_without_an_entry_may_mean_another_one() {
    let open = PathRule { interface: vec!["eth9".into()], ..rule("open", Access::InVpc) };
    let later = PathRule { entry: Some(Entry::GatewayEndpoint), ..rule("later", Access::InVpc) };
    let facts = |rules| {
        let sightings = vec![Sighting { interface: None, encapsulation: crate::model::Layers::default() }];
        classify_case(&Case { sightings, options: with_rules(rules), ..Case::default() })
    };
    let doubted = facts(vec![open, later.clone()]);
    assert_eq!((doubted.known_access(), doubted.known_entry()), (Some(Access::InVpc), None));
    let sure = facts(vec![later]);
    assert_eq!(sure.known_entry(), Some(Entry::GatewayEndpoint));
}

/// The other half of the path may be less certain.
#[test]
fn what_is_certain_of_one_half_stays_so() {
    let facts = classify_case(&Case {
        server: "203.0.113.77:443",
        endpoint: interface_endpoint(Confidence::Certain, EndpointEvidence::Sni),
        options: with_rules(vec![rule("rest", Access::Internet)]),
        ..Case::default()
    });
    assert_eq!(facts.confidence(), Some(Confidence::Possible));
    assert_eq!((facts.known_access(), facts.known_entry()), (Some(Access::Internet), None));
}

#[test]
fn a_public_name_at_a_private_address_has_no_entry_whatever_a_rule_says() {
    let said =
        PathRule { entry: Some(Entry::InterfaceEndpoint), ..rule("said", Access::DirectConnectPrivate) };
    let overridden = Case {
        server: "10.0.3.4:443",
        endpoint: EndpointFacts {
            service: Some(Service::Dynamodb),
            kind: Some(EndpointKind::Regional),
            is_aws_name: true,
            evidence: vec![EndpointEvidence::Sni],
            confidence: Some(Confidence::Certain),
            ..EndpointFacts::default()
        },
        options: with_rules(vec![said]),
        ..Case::default()
    };
    assert_eq!(decide(&overridden), "direct_connect_private unknown certain said rule");
}
