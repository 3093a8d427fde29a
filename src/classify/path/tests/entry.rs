//! What a rule says of the entry, against what is known of the flow.

use super::*;

fn told(case: &Case) -> (Entry, Option<Confidence>) {
    let facts = classify_case(case);
    (facts.entry, facts.entry_confidence)
}

fn entering(entry: Entry) -> PathOptions {
    with_rules(vec![PathRule { entry: Some(entry), ..rule("r", Access::InVpc) }])
}

fn of_service(service: Service) -> EndpointFacts {
    EndpointFacts { service: Some(service), ..Case::default().endpoint }
}

fn outside() -> EndpointFacts {
    EndpointFacts { is_in_prefix: false, prefix_region: None, ..Case::default().endpoint }
}

#[test]
fn no_gateway_endpoint_takes_what_is_not_routed_to_it() {
    const GATEWAY: (Entry, Option<Confidence>) = (Entry::GatewayEndpoint, Some(Confidence::Certain));
    const NONE: (Entry, Option<Confidence>) = (Entry::Unknown, None);
    let case = || Case { options: entering(Entry::GatewayEndpoint), ..Case::default() };
    let isolated =
        EndpointFacts { partition: Some("aws-iso".into()), partition_has_prefixes: false, ..outside() };
    for (case, expected) in [
        (case(), GATEWAY),
        // There is none for them.
        (Case { endpoint: of_service(Service::DynamodbStreams), ..case() }, NONE),
        (Case { endpoint: of_service(Service::Dax), ..case() }, NONE),
        // It is a route to the prefixes, as far as those are published.
        (Case { server: "198.51.100.1:443", endpoint: outside(), ..case() }, NONE),
        (Case { server: "198.51.100.1:443", endpoint: isolated, ..case() }, GATEWAY),
        (
            Case {
                client: "[2600:1f00::5]:4000",
                server: "[2600:1f00::7]:443",
                endpoint: outside(),
                ..case()
            },
            GATEWAY,
        ),
        // From the VPC, untranslated.
        (Case { client: "203.0.113.9:4000", ..case() }, NONE),
        (
            Case {
                translated: vec![("203.0.113.9:4000".parse().unwrap(), "52.94.5.1:443".parse().unwrap())],
                ..case()
            },
            NONE,
        ),
        // The source is the proxy's own.
        (Case { client: "203.0.113.9:4000", is_proxied: true, ..case() }, GATEWAY),
    ] {
        assert_eq!(told(&case), expected, "{} {}", case.client, case.server);
    }
}

#[test]
fn a_gateway_endpoint_is_possible_where_the_name_may_be_that_of_streams() {
    let services = [Service::Dynamodb, Service::DynamodbStreams];
    for service in services {
        let alternatives = services.map(of_service).to_vec();
        let endpoint = EndpointFacts { alternatives, ..of_service(service) };
        let case = Case { endpoint, options: entering(Entry::GatewayEndpoint), ..Case::default() };
        assert_eq!(told(&case), (Entry::GatewayEndpoint, Some(Confidence::Possible)), "{service}");
    }
}

/// It takes what goes to its own region, and the VPC need not be in the site's.
#[test]
fn a_gateway_endpoint_to_another_region_is_possible() {
    for (region, expected) in [("eu-west-1", Confidence::Certain), ("us-east-1", Confidence::Possible)] {
        let mut options = entering(Entry::GatewayEndpoint);
        options.site.region = Some(region.to_owned());
        let facts = classify_case(&Case { options, ..Case::default() });
        assert_eq!(
            (facts.entry, facts.entry_confidence),
            (Entry::GatewayEndpoint, Some(expected)),
            "{region}"
        );
        assert_eq!(facts.access_confidence, Some(Confidence::Certain));
    }
}

#[test]
fn what_a_proxy_was_asked_for_is_where_dynamodb_is_entered() {
    let (listed, private) = (Some("52.94.5.10"), Some("10.50.0.9"));
    let case = |entry, asked_for, endpoint| Case {
        server: "10.9.9.1:3128",
        is_proxied: true,
        asked_for,
        endpoint,
        options: entering(entry),
        ..Case::default()
    };
    let at = |service| EndpointFacts { service: Some(service), ..EndpointFacts::default() };
    for (entry, asked_for, endpoint, is_kept) in [
        (Entry::InterfaceEndpoint, listed, Case::default().endpoint, false),
        (Entry::PublicEndpoint, listed, Case::default().endpoint, true),
        (Entry::GatewayEndpoint, listed, Case::default().endpoint, true),
        (Entry::PublicEndpoint, private, outside(), false),
        (Entry::GatewayEndpoint, private, outside(), false),
        (Entry::InterfaceEndpoint, private, at(Service::Dynamodb), true),
        // A public name that leads to a private address may lead anywhere.
        (Entry::InterfaceEndpoint, private, outside(), false),
        // By name, nobody knows where it leads.
        (Entry::InterfaceEndpoint, None, outside(), true),
        (Entry::PublicEndpoint, None, outside(), true),
    ] {
        let expected = if is_kept { entry } else { Entry::Unknown };
        assert_eq!(told(&case(entry, asked_for, endpoint)).0, expected, "{entry} {asked_for:?}");
    }
}

#[test]
fn both_sides_of_a_translation_tell_the_entry() {
    let translated = |client: &str, server: &str| vec![(client.parse().unwrap(), server.parse().unwrap())];
    let behind = || translated("10.0.0.1:50000", "52.94.5.1:443");
    for entry in [Entry::InterfaceEndpoint, Entry::GatewayEndpoint, Entry::PublicEndpoint] {
        let options = entering(entry);
        let case = Case { server: "10.50.0.9:443", translated: behind(), options, ..Case::default() };
        assert_eq!(told(&case).0, Entry::Unknown, "{entry}");
    }
    // A name of an interface endpoint that leads on to a public address proves little.
    let endpoint = interface_endpoint(Confidence::Certain, EndpointEvidence::Sni);
    let translated_to = translated("10.0.0.1:50000", "203.0.113.9:443");
    let case = Case { server: "10.50.0.9:443", translated: translated_to, endpoint, ..Case::default() };
    assert_eq!(told(&case), (Entry::InterfaceEndpoint, Some(Confidence::Possible)));
    // The other side of a NAT device shows what one side alone would.
    let nat = || at_site(Role::Nat);
    let outside = translated("203.0.113.9:4000", "52.94.5.1:443");
    let case = Case { translated: outside, options: nat(), ..Case::default() };
    assert_eq!(decide(&case), "internet public_endpoint likely - address,prefix");
    let case = Case { translated: behind(), options: nat(), ..Case::default() };
    assert_eq!(decide(&case), "unknown unknown - - -");
    // And an address inside a tunnel.
    let inside = translated("169.254.10.2:4000", "10.50.0.9:443");
    let case = Case { server: "10.50.0.9:443", translated: inside, ..Case::default() };
    assert_eq!(decide(&case), "site_to_site_vpn unknown possible - inside_address");
}
