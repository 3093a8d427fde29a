//! Configuration, name form and addresses → the way packets took.
//!
//! Rules of the operator come first. Without one, only what the packets prove is said: most flows to a
//! public address of DynamoDB look the same over the internet, a gateway endpoint or a public virtual
//! interface, and are `unknown`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::options::{PathOptions, PathRule, Role, SiteFacts};
use crate::model::{
    Access, Confidence, EndpointEvidence, EndpointFacts, EndpointKind, Entry, Layer, PathEvidence, PathFacts,
    Service, Sighting, Tunnel, embedded, is_private,
};

/// Link kinds that are IPsec tunnels on Linux, as rtnetlink names them.
const IPSEC_LINK_KINDS: &[&str] = &["vti", "vti6", "xfrm"];

/// What is known of one flow.
#[derive(Clone, Copy, Debug)]
pub struct PathInput<'a> {
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// The same two ends under other addresses, before or behind address translation.
    pub translated: &'a [(SocketAddr, SocketAddr)],
    /// The addresses that DynamoDB is reached at, as far as they are told: not that of a proxy in front.
    pub addresses: &'a [IpAddr],
    /// Every way the flow was seen.
    pub ways: &'a [Way],
    /// There were more ways than are remembered.
    pub has_more_ways: bool,
    /// It was seen live: a way without a kind has none.
    pub knows_link_kinds: bool,
    pub endpoint: &'a EndpointFacts,
    /// TLS ran inside a proxy's connection: the server's address is the proxy's.
    pub is_proxied: bool,
    /// ESP to or from a configured outside address was seen on the same interface, at the same time.
    pub esp_seen: bool,
    /// Only one of the two ends was seen to send.
    pub is_one_sided: bool,
}

/// One way on which a flow was seen: an interface, and what its packets were wrapped in there.
#[derive(Clone, Debug)]
pub struct Way {
    pub sighting: Sighting,
    /// Kind of the interface, live only.
    pub link_kind: Option<Arc<str>>,
    /// Hardware addresses, where a rule needs them: of the client's side and of the next hop, that is the source and
    /// the destination of what the client sends, and the other way round of what comes back.
    pub link_addresses: Vec<([u8; 6], [u8; 6])>,
    /// These are all, or the link has none.
    pub knows_link_addresses: bool,
}

impl PathOptions {
    /// True where a rule asks for hardware addresses, which are otherwise not gathered.
    #[must_use]
    pub fn needs_link_addresses(&self) -> bool {
        self.rules.iter().any(|rule| !rule.next_hop_mac.is_empty())
    }
}

/// Decides the path of a flow. Where several names may be its own, how DynamoDB is entered is what it is with all of them.
#[must_use]
pub fn classify(input: &PathInput<'_>, options: &PathOptions) -> PathFacts {
    // Rules of which nobody knows whether they are those of the flow, before the first that is.
    let mut open = Vec::new();
    let found = options.rules.iter().find(|rule| {
        let holds = matches(rule, input);
        if holds.is_none() {
            open.push(*rule);
        }
        holds == Some(true)
    });
    let of = |endpoint| of_endpoint(found, &open, &PathInput { endpoint, ..*input }, options);
    let each = input.endpoint.alternatives.iter().map(of).collect();
    in_common(each, found.and_then(|rule| rule.entry)).unwrap_or_else(|| of(input.endpoint))
}

/// What is so of each; `entry` is what the rule of the flow says.
fn in_common(mut each: Vec<PathFacts>, entry: Option<Entry>) -> Option<PathFacts> {
    let mut facts = each.pop()?;
    if each.iter().all(|other| other.entry == facts.entry) {
        let all = each.iter().map(|other| other.entry_confidence).chain([facts.entry_confidence]);
        facts.entry_confidence = all.min().flatten();
        return Some(facts);
    }
    facts.evidence.retain(|evidence| each.iter().all(|other| other.evidence.contains(evidence)));
    each.push(facts.clone());
    // What a rule says is possible where it may be so of one of the names; what only one name tells is not told.
    let is_of_rule =
        |entry: Entry| each.iter().all(|other| other.entry == Entry::Unknown || other.entry == entry);
    let entry = entry.filter(|entry| is_of_rule(*entry));
    facts.entry = entry.unwrap_or(Entry::Unknown);
    facts.entry_confidence = entry.map(|_| Confidence::Possible);
    Some(facts)
}

/// The path where the endpoint is that of the input, by the rule of the flow and those that may be its.
fn of_endpoint(
    rule: Option<&PathRule>,
    open: &[&PathRule],
    input: &PathInput<'_>,
    options: &PathOptions,
) -> PathFacts {
    let finding = match rule {
        Some(rule) => Finding::by_rule(rule, input, options),
        None => {
            let mut finding = Finding::default();
            finding.access(input, options);
            finding.enter(input, options);
            finding
        }
    };
    let mut facts = finding.into_facts();
    for rule in open {
        let otherwise = Finding::by_rule(rule, input, options).into_facts();
        let at_most = |confidence: &mut Option<Confidence>, is_same: bool| {
            *confidence = confidence.map(|known| if is_same { known } else { Confidence::Possible });
        };
        at_most(&mut facts.access_confidence, otherwise.access == facts.access);
        at_most(&mut facts.entry_confidence, otherwise.entry == facts.entry);
    }
    facts.open_rules = open.iter().map(|rule| rule.name.clone()).collect();
    facts
}

/// What was found so far, with the certainty of each half.
#[derive(Default)]
struct Finding {
    access: Option<(Access, Confidence)>,
    entry: Option<(Entry, Confidence)>,
    name: Option<String>,
    evidence: Vec<PathEvidence>,
}

impl Finding {
    /// What is so where `rule` is that of the flow.
    fn by_rule(rule: &PathRule, input: &PathInput<'_>, options: &PathOptions) -> Self {
        let mut finding = Self { name: Some(rule.name.clone()), ..Self::default() };
        finding.take_rule(rule);
        match rule.entry {
            None => finding.enter(input, options),
            // What the rule says of many flows is not so of this one.
            Some(entry) if is_disproved(entry, input) => finding.entry = None,
            Some(Entry::GatewayEndpoint) if is_elsewhere(input, &options.site) => {
                finding.entry = Some((Entry::GatewayEndpoint, Confidence::Possible));
            }
            Some(_) => {}
        }
        finding
    }

    /// A rule is as good as the configuration.
    fn take_rule(&mut self, rule: &PathRule) {
        self.access = Some((rule.access, Confidence::Certain));
        self.entry = rule.entry.map(|entry| (entry, Confidence::Certain));
        self.evidence.push(PathEvidence::Rule);
        for (is_given, kind) in [
            (!rule.source.is_empty() || !rule.destination.is_empty(), PathEvidence::Address),
            (!rule.tunnel.is_empty() || !rule.vni.is_empty(), PathEvidence::Tunnel),
            (!rule.vlan.is_empty(), PathEvidence::Vlan),
            (!rule.gwlb_endpoint.is_empty(), PathEvidence::GwlbEndpoint),
            (!rule.link_kind.is_empty(), PathEvidence::LinkKind),
        ] {
            if is_given {
                self.evidence.push(kind);
            }
        }
    }

    /// How the packets get to AWS, where they prove it.
    fn access(&mut self, input: &PathInput<'_>, options: &PathOptions) {
        let site = &options.site;
        let is_vpn_site = site.role == Some(Role::Vpn) || !site.vpn_outside.is_empty();
        let is_private_server = !input.is_proxied && input.views().all(|(_, server)| is_private(server.ip()));
        let is_inside = |end: SocketAddr| is_inside_address(end.ip());
        if input.views().any(|(client, server)| is_inside(client) || is_inside(server)) {
            // Virtual interfaces of Direct Connect number their peers in the same way: without a
            // sign of a VPN it is not more than possible.
            let is_ipsec_link = has_ipsec_link(input);
            let is_backed = is_vpn_site || input.esp_seen || is_ipsec_link;
            let confidence = if is_backed { Confidence::Likely } else { Confidence::Possible };
            self.access = Some((Access::SiteToSiteVpn, confidence));
            self.evidence.push(PathEvidence::InsideAddress);
            self.evidence.extend(input.esp_seen.then_some(PathEvidence::Esp));
            self.evidence.extend(is_ipsec_link.then_some(PathEvidence::LinkKind));
        } else if is_private_server && input.esp_seen {
            // There is a tunnel, and no router of the internet delivers a private address. That this flow takes the tunnel
            // is told by the site, or by Linux, which shows of what ESP carries only one direction in clear
            // (strongSwan, "Traffic dumps").
            let is_tied = site.role == Some(Role::Vpn) || input.is_one_sided;
            let confidence = if is_tied { Confidence::Likely } else { Confidence::Possible };
            self.access = Some((Access::SiteToSiteVpn, confidence));
            self.evidence.extend([PathEvidence::Address, PathEvidence::Esp]);
        } else if is_private_server && is_vpn_site && has_ipsec_link(input) {
            self.access = Some((Access::SiteToSiteVpn, Confidence::Likely));
            self.evidence.extend([PathEvidence::Address, PathEvidence::LinkKind]);
        } else if is_after_nat(input, options) {
            self.access = Some((Access::Internet, Confidence::Likely));
            self.evidence.extend([PathEvidence::Address, PathEvidence::Prefix]);
        }
    }

    /// How DynamoDB is entered, where the packets prove it.
    fn enter(&mut self, input: &PathInput<'_>, options: &PathOptions) {
        if input.endpoint.kind == Some(EndpointKind::Interface) {
            if !input.endpoint.conflict.is_empty() {
                return;
            }
            // The client chose that name, and the name is of nothing but an interface endpoint.
            let is_spoken = input.endpoint.evidence.iter().any(|evidence| {
                matches!(
                    evidence,
                    EndpointEvidence::Sni | EndpointEvidence::HttpHost | EndpointEvidence::ProxyTarget
                )
            });
            // Its address is one of the VPC, and those are public ones only where their owner brought them.
            let is_at_home = input.addresses.iter().all(|address| is_private(*address));
            let confidence = input.endpoint.confidence.filter(|_| is_at_home).unwrap_or(Confidence::Possible);
            self.entry = Some((Entry::InterfaceEndpoint, confidence));
            // A name known from DNS alone is known by the address it was given for.
            self.evidence.push(if is_spoken { PathEvidence::Sni } else { PathEvidence::Address });
        } else if self.access.is_none_or(|(access, _)| access == Access::Internet)
            && is_after_nat(input, options)
        {
            // Gateway endpoints only take private sources; a translated one is past them.
            self.entry = Some((Entry::PublicEndpoint, Confidence::Likely));
            self.evidence.extend([PathEvidence::Address, PathEvidence::Prefix]);
        }
    }

    fn into_facts(mut self) -> PathFacts {
        self.evidence.sort_unstable();
        self.evidence.dedup();
        let access = self.access.filter(|(access, _)| *access != Access::Unknown);
        let entry = self.entry.filter(|(entry, _)| *entry != Entry::Unknown);
        PathFacts {
            access: access.map_or(Access::Unknown, |half| half.0),
            entry: entry.map_or(Entry::Unknown, |half| half.0),
            name: self.name,
            evidence: self.evidence,
            access_confidence: access.map(|half| half.1),
            entry_confidence: entry.map(|half| half.1),
            open_rules: Vec::new(),
        }
    }
}

impl PathInput<'_> {
    /// The two ends under all their addresses.
    fn views(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> + '_ {
        std::iter::once((self.client, self.server)).chain(self.translated.iter().copied())
    }
}

/// True where name or address of the server exclude what a rule says of the entry: an interface endpoint has no public
/// address of DynamoDB, and the others have no private one and no name of an interface endpoint. A public name that
/// leads to a private address may lead anywhere. Behind a proxy that counts for the address it was asked for.
fn is_disproved(entry: Entry, input: &PathInput<'_>) -> bool {
    let is_interface_name = input.endpoint.kind == Some(EndpointKind::Interface);
    let has_private_address = input.addresses.iter().any(|address| is_private(*address));
    match entry {
        Entry::InterfaceEndpoint => {
            let is_overridden = has_private_address && input.endpoint.has_public_name() != Some(false);
            input.endpoint.is_in_prefix || is_overridden
        }
        Entry::GatewayEndpoint => is_interface_name || has_private_address || is_beside_gateway(input),
        Entry::PublicEndpoint => is_interface_name || has_private_address,
        Entry::Unknown => false,
    }
}

/// True where a gateway endpoint does not take the flow: it is the route of a VPC to the addresses in DynamoDB's prefixes,
/// for its own private sources, and there is none for Streams and DAX. Of IPv6 neither the prefixes are published nor are
/// sources told apart, since those of a VPC are public ones.
fn is_beside_gateway(input: &PathInput<'_>) -> bool {
    let endpoint = input.endpoint;
    let is_other_service = matches!(endpoint.service, Some(Service::DynamodbStreams | Service::Dax));
    // Of the isolated partitions no prefix is known.
    let has_prefixes = endpoint.partition_has_prefixes || endpoint.partition.is_none();
    let is_outside = has_prefixes
        && !endpoint.is_in_prefix
        && input.addresses.iter().any(|address| embedded(*address).is_ipv4());
    let is_public = |client: IpAddr| embedded(client).is_ipv4() && !is_private(client);
    let is_from_outside = !input.is_proxied && input.views().any(|(client, _)| is_public(client.ip()));
    is_other_service || is_outside || is_from_outside
}

/// True where the endpoint is of another region than the site. A gateway endpoint takes what goes to its own region, but the
/// VPC need not be in the site's: packets are mirrored, and collected, from elsewhere.
fn is_elsewhere(input: &PathInput<'_>, site: &SiteFacts) -> bool {
    matches!((&input.endpoint.region, &site.region), (Some(of_endpoint), Some(home)) if of_endpoint != home)
}

/// Behind a NAT device, a public source reaches a public address of DynamoDB.
fn is_after_nat(input: &PathInput<'_>, options: &PathOptions) -> bool {
    let is_public =
        |(client, server): (SocketAddr, SocketAddr)| !is_private(client.ip()) && !is_private(server.ip());
    options.site.role == Some(Role::Nat)
        && !input.is_proxied
        && input.endpoint.is_in_prefix
        && input.views().any(is_public)
}

fn has_ipsec_link(input: &PathInput<'_>) -> bool {
    input.ways.iter().filter_map(|way| way.link_kind.as_deref()).any(|kind| IPSEC_LINK_KINDS.contains(&kind))
}

/// An address that Site-to-Site VPN may use inside a tunnel: in 169.254.0.0/16, without the ranges that
/// AWS keeps for itself (VPN user guide, "Tunnel options") and its link-local services
/// (169.254.169.0/24, 169.254.170.0/24: instance metadata, time, DNS, container credentials).
fn is_inside_address(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address.to_canonical() else { return false };
    let [_, _, third, fourth] = address.octets();
    let is_reserved = matches!((third, fourth), (0..=5, 0..=3) | (169 | 170, _));
    address.is_link_local() && !is_reserved
}

/// True where every condition of the rule holds, those on a way for one and the same; `None` where that hangs on what the
/// capture does not tell.
fn matches(rule: &PathRule, input: &PathInput<'_>) -> Option<bool> {
    let holds = |nets: &[IpNet], address: SocketAddr| {
        nets.is_empty() || nets.iter().any(|net| net.contains(&address.ip().to_canonical()))
    };
    let is_between =
        input.views().any(|(client, server)| holds(&rule.source, client) && holds(&rule.destination, server));
    let is_of_way = !rule.interface.is_empty()
        || !rule.vlan.is_empty()
        || !rule.vni.is_empty()
        || !rule.gwlb_endpoint.is_empty()
        || !rule.tunnel.is_empty()
        || !rule.link_kind.is_empty()
        || !rule.next_hop_mac.is_empty();
    let by_way = || {
        // A way that is not remembered may be another one.
        let beyond = || input.has_more_ways.then_some(None);
        let one = |is_meant: &dyn Fn(&Way) -> bool| {
            let answers = input
                .ways
                .iter()
                .map(|way| all([Some(is_meant(way)), matches_way(rule, way, input.knows_link_kinds)]));
            any(answers.chain(beyond()))
        };
        let is_inside = |way: &Way| way.sighting.encapsulation.iter().any(Layer::is_tunnel);
        let is_wanted = |way: &Way| is_in_tunnel(rule, &way.sighting);
        if !rule.tunnel.contains(&Tunnel::None) {
            return one(&is_wanted);
        }
        // That the flow is in no tunnel is said of all ways that the other conditions mean, not of one.
        let outside = all([one(&|way| !is_inside(way)), one(&is_inside).map(|is_one| !is_one)]);
        let is_in_another = if rule.tunnel.len() > 1 { one(&is_wanted) } else { Some(false) };
        any([is_in_another, outside])
    };
    all([Some(is_between), if is_of_way { by_way() } else { Some(true) }])
}

/// True where one of the tunnels that the rule asks for is around the packets, or it asks for none of them.
fn is_in_tunnel(rule: &PathRule, sighting: &Sighting) -> bool {
    let is_wanted = |layer: &Layer| layer.tunnel().is_some_and(|tunnel| rule.tunnel.contains(&tunnel));
    rule.tunnel.is_empty() || sighting.encapsulation.iter().any(is_wanted)
}

/// All conditions on one way, but for the tunnel.
fn matches_way(rule: &PathRule, way: &Way, knows_link_kinds: bool) -> Option<bool> {
    let kind = way.link_kind.as_deref();
    let is_kind = rule.link_kind.is_empty()
        || kind.is_some_and(|kind| rule.link_kind.iter().any(|wanted| **wanted == *kind));
    let is_next_hop = rule.next_hop_mac.is_empty()
        || way.link_addresses.iter().any(|(_, next_hop)| rule.next_hop_mac.contains(next_hop));
    all([
        matches_sighting(rule, &way.sighting),
        (is_kind || knows_link_kinds).then_some(is_kind),
        (is_next_hop || way.knows_link_addresses).then_some(is_next_hop),
    ])
}

/// True where all are, false where one is not.
fn all(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut so_far = Some(true);
    for answer in answers {
        match answer {
            Some(false) => return answer,
            Some(true) => {}
            None => so_far = None,
        }
    }
    so_far
}

/// True where one is, false where none is.
fn any(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(answers.into_iter().map(|answer| answer.map(|answer| !answer))).map(|none| !none)
}

fn matches_sighting(rule: &PathRule, sighting: &Sighting) -> Option<bool> {
    let layers = &sighting.encapsulation;
    let has_layer = |holds: &dyn Fn(&Layer) -> bool| layers.iter().any(holds);
    let is_interface = if rule.interface.is_empty() {
        Some(true)
    } else {
        // A file may not name them.
        sighting.interface.as_ref().map(|name| rule.interface.iter().any(|glob| matches_glob(glob, name)))
    };
    let is_vlan = rule.vlan.is_empty()
        || has_layer(&|layer| matches!(layer, Layer::Vlan(id) if rule.vlan.contains(id)));
    let is_vni = rule.vni.is_empty()
        || has_layer(&|layer| match layer {
            Layer::Vxlan(vni) | Layer::Geneve { vni, .. } => rule.vni.contains(vni),
            _ => false,
        });
    let is_gwlb = rule.gwlb_endpoint.is_empty()
        || has_layer(&|layer| match layer {
            Layer::Geneve { endpoint_id: Some(id), .. } => rule.gwlb_endpoint.contains(id),
            _ => false,
        });
    all([is_interface, Some(is_vlan && is_vni && is_gwlb)])
}

/// Shell-style: `*` for any text, `?` for one character. Linear in the name for each star.
fn matches_glob(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    let (mut at, mut within) = (0, 0);
    // Where to go on if the text after the last star does not fit: one character further.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(within) {
        match glob.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, within));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                within += 1;
            }
            _ => match retry {
                Some((after_star, tried)) => {
                    retry = Some((after_star, tried + 1));
                    (at, within) = (after_star, tried + 1);
                }
                None => return false,
            },
        }
    }
    glob.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests;
