//! What is right by its letters and yet does nothing, or not what was meant: warned of, because its writer would believe
//! in it.

use std::collections::BTreeSet;

use super::error::nearest;
use super::resolved::Resolved;
use crate::classify::{self, PathRule};
use crate::model::{Access, EndpointKind, Entry, Tunnel};
use crate::policy::{AllowedPath, Override, Rule, Settings, takes_all, takes_all_networks};

/// Comparisons of rules, by their values, with those before them: well below a second. The other rules are left out,
/// which is said.
const MAX_COMPARISONS: usize = 1 << 25;

/// All doubts about a configuration, in the order of its sections.
pub(super) fn of(resolved: &Resolved) -> Vec<String> {
    let mut doubts = Vec::new();
    hosts(resolved, &mut doubts);
    path_rules(&resolved.path.rules, &mut doubts);
    let of_some = resolved.policy.overrides.iter().zip(1..).map(|(taken, number)| (&taken.settings, number));
    let mut known = Vec::new();
    for (settings, number) in std::iter::once((&resolved.policy.settings, 0)).chain(of_some) {
        settings.allowed_paths.iter().for_each(|path| allowed_path(path, &mut doubts));
        let place = if number > 0 { format!("[[policy.override]] {number}: ") } else { String::new() };
        for doubt in rules_without_subject(settings, resolved) {
            // What is said of the whole policy need not be said of each part.
            if !known.contains(&doubt) {
                doubts.push(format!("{place}{doubt}"));
                known.push(doubt);
            }
        }
    }
    overrides(&resolved.policy.overrides, &mut doubts);
    let mut told = BTreeSet::new();
    doubts.retain(|doubt| told.insert(doubt.clone()));
    doubts
}

fn hosts(resolved: &Resolved, doubts: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for host in &resolved.endpoint.hosts {
        // Of a name that only looks like AWS's the entry tells what it is.
        let recognised = classify::recognise(&host.name).endpoint;
        if recognised.is_some_and(|endpoint| endpoint.kind != EndpointKind::Unrecognised) {
            doubts.push(format!(
                "[endpoints] hosts: `{}` is a name of AWS's own, which tells by itself what it is: the entry changes nothing.",
                host.name
            ));
        }
        if !known.insert(&host.name) {
            doubts.push(format!(
                "[endpoints] hosts: of the entries for `{}` only the first counts.",
                host.name
            ));
        }
    }
}

/// What the drivers of Linux call their kinds of links (`IFLA_INFO_KIND`).
const LINK_KINDS: &[&str] = &[
    "amt",
    "bareudp",
    "batadv",
    "bond",
    "bridge",
    "can",
    "dsa",
    "dummy",
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "gtp",
    "hsr",
    "ifb",
    "ip6erspan",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ipoib",
    "ipvlan",
    "ipvtap",
    "lowpan",
    "macsec",
    "macvlan",
    "macvtap",
    "netdevsim",
    "netkit",
    "nlmon",
    "openvswitch",
    "ovpn",
    "pfcp",
    "ppp",
    "rmnet",
    "sit",
    "team",
    "tun",
    "vcan",
    "veth",
    "virt_wifi",
    "vlan",
    "vrf",
    "vsockmon",
    "vti",
    "vti6",
    "vxcan",
    "vxlan",
    "wireguard",
    "wwan",
    "xfrm",
];

/// Modules of others may have kinds of their own.
fn link_kinds(rule: &PathRule, doubts: &mut Vec<String>) {
    for kind in rule.link_kind.iter().filter(|kind| !LINK_KINDS.contains(&kind.as_str())) {
        let near = nearest(kind, LINK_KINDS.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        doubts.push(format!(
            "[[path]] `{}`: `{kind}` is no kind of link that Linux itself has{hint}",
            rule.name
        ));
    }
}

fn path_rules(rules: &[PathRule], doubts: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for rule in rules {
        if !names.insert(&rule.name) {
            doubts.push(format!(
                "Several [[path]] are called `{}`: what names it means all of them.",
                rule.name
            ));
        }
        if let Some(entry) = rule.entry
            && is_impossible(rule.access, entry)
        {
            doubts.push(format!("[[path]] `{}` says {}", rule.name, impossible(rule.access, entry)));
        }
        link_kinds(rule, doubts);
    }
    let not_compared = each_never_reached(rules, values, takes_all_of, |rule, wider| {
        let (Some(rule), Some(wider)) = (rules.get(rule), rules.get(wider)) else { return };
        doubts.push(if values(wider) > 0 {
            format!("[[path]] `{}` is never reached: `{}` takes all its flows before.", rule.name, wider.name)
        } else {
            format!(
                "[[path]] `{}` has no condition and takes every flow: the rules after it are never reached.",
                wider.name
            )
        });
    });
    if let Some(rule) = not_compared.and_then(|position| rules.get(position)) {
        doubts.push(format!(
            "[[path]]: whether `{}` and those after it are ever reached was not looked at: they are too many.",
            rule.name
        ));
    }
}

fn overrides(all: &[Override], doubts: &mut Vec<String>) {
    let takes_all_of = |before: &Override, given: &Override| before.matching.takes_all_of(&given.matching);
    let values = |given: &Override| given.matching.values();
    let not_compared = each_never_reached(all, values, takes_all_of, |given, wider| {
        let matching =
            |position: usize| all.get(position).map(|one| one.matching.to_string()).unwrap_or_default();
        doubts.push(format!(
            "[[policy.override]] {} (for {}) is never reached: number {} (for {}) takes all its flows before.",
            given + 1,
            matching(given),
            wider + 1,
            matching(wider),
        ));
    });
    if let Some(position) = not_compared {
        doubts.push(format!(
            "[[policy.override]]: whether number {} and those after it are ever reached was not looked at: they are too many.",
            position + 1
        ));
    }
}

/// Tells of each rule that one before it takes all flows of: both positions, the wider rule's last. Gives the position of
/// the first rule that was not looked at, because there are too many of them; `values` are those a rule asks for.
fn each_never_reached<T>(
    rules: &[T],
    values: impl Fn(&T) -> usize,
    takes_all_of: impl Fn(&T, &T) -> bool,
    mut tell: impl FnMut(usize, usize),
) -> Option<usize> {
    let mut left = MAX_COMPARISONS;
    for (position, rule) in rules.iter().enumerate() {
        let weight = 1 + values(rule);
        for (wider, before) in rules.iter().enumerate().take(position) {
            let Some(rest) = left.checked_sub(weight.saturating_mul(1 + values(before))) else {
                return Some(position);
            };
            left = rest;
            if takes_all_of(before, rule) {
                tell(position, wider);
                break;
            }
        }
    }
    None
}

/// True where each flow that `rule` would take is taken by `before`.
fn takes_all_of(before: &PathRule, rule: &PathRule) -> bool {
    // What most rules differ in comes first.
    let is_wider = takes_all_networks(&before.source, &rule.source)
        && takes_all_networks(&before.destination, &rule.destination)
        && takes_all(&before.interface, &rule.interface)
        && takes_all(&before.vlan, &rule.vlan)
        && takes_all(&before.link_kind, &rule.link_kind)
        && takes_all(&before.vni, &rule.vni)
        && takes_all(&before.gwlb_endpoint, &rule.gwlb_endpoint)
        && takes_all(&before.next_hop_mac, &rule.next_hop_mac)
        && takes_all(&before.tunnel, &rule.tunnel);
    // Of no tunnel it is said of all ways that the rule means, which are more where it asks for less.
    let is_in_none = || before.tunnel.contains(&Tunnel::None) && rule.tunnel.contains(&Tunnel::None);
    let is_of_same_ways = || {
        before.interface == rule.interface
            && before.vlan == rule.vlan
            && before.link_kind == rule.link_kind
            && before.vni == rule.vni
            && before.gwlb_endpoint == rule.gwlb_endpoint
            && before.next_hop_mac == rule.next_hop_mac
    };
    is_wider && (!is_in_none() || is_of_same_ways())
}

/// How many values a rule asks for; none where it takes every flow.
fn values(rule: &PathRule) -> usize {
    rule.interface.len()
        + rule.vlan.len()
        + rule.link_kind.len()
        + rule.vni.len()
        + rule.gwlb_endpoint.len()
        + rule.source.len()
        + rule.destination.len()
        + rule.next_hop_mac.len()
        + rule.tunnel.len()
}

fn allowed_path(path: &AllowedPath, doubts: &mut Vec<String>) {
    if let (Some(access), Some(entry)) = (path.access, path.entry)
        && is_impossible(access, entry)
    {
        doubts.push(format!("allowed_paths says {}", impossible(access, entry)));
    }
}

/// Gateway endpoints serve the VPC they are in, and nobody who comes from elsewhere (VPC user guide, "Gateway endpoints").
fn is_impossible(access: Access, entry: Entry) -> bool {
    entry == Entry::GatewayEndpoint && !matches!(access, Access::InVpc | Access::Unknown)
}

fn impossible(access: Access, entry: Entry) -> String {
    format!("`{access}` with `{entry}`: a gateway endpoint takes only clients of its own VPC.")
}

/// Rules that were raised and have nothing to judge by, and paths that nothing judges by.
fn rules_without_subject(settings: &Settings, resolved: &Resolved) -> Vec<String> {
    let mut doubts = Vec::new();
    if !settings.allowed_paths.is_empty() && settings.severities.of(Rule::PathNotAllowed).is_none() {
        doubts.push("`allowed_paths` changes nothing: `path_not_allowed` is off.".to_owned());
    }
    let site = &resolved.policy.site;
    for (rule, has_subject, what) in [
        (Rule::CipherNotAllowed, !settings.allowed_ciphers.is_empty(), "no `allowed_ciphers`"),
        (Rule::GroupNotAllowed, !settings.allowed_groups.is_empty(), "no `allowed_groups`"),
        (Rule::PathNotAllowed, !settings.allowed_paths.is_empty(), "no `allowed_paths`"),
        (Rule::CrossRegionEndpoint, site.region.is_some(), "no `region` of [site]"),
        (
            Rule::GatewayEndpointMissing,
            site.region.is_some() && site.egress_hop.is_some(),
            "no `region`, or no `role` of [site] that such traffic passes",
        ),
    ] {
        let severity = settings.severities.of(rule);
        let is_raised = settings.severities.requires(rule) && severity != rule.default_severity();
        if is_raised && !has_subject {
            doubts.push(format!(
                "`{}` of the profile {} finds nothing: there is {what}.",
                rule.as_str(),
                settings.profile
            ));
        }
    }
    doubts
}

#[cfg(test)]
mod tests;
