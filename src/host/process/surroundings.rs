//! What decides whether a flow only passes: addresses, routes and interfaces of this host.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Post;
use crate::host::links::HostLink;
use crate::host::{forwarding, links, routes};
use crate::model::{Layer, Sighting};

/// Interfaces that are gone through to find whether one shows what another shows; beyond, it counts as such.
const MAX_STEPS: usize = 4_096;

/// Whether a flow passes through this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// It was seen on two interfaces that are two ways.
    Certain,
    /// It came in by an interface that takes in only what is addressed to this host, and goes on if no socket took it.
    UnlessTakenIn,
    Unknown,
}

/// This host's part in what passes by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) own: HashSet<IpAddr>,
    /// Networks that are none of its addresses and that its sockets may take.
    taken_in: Vec<IpNet>,
    forwards: bool,
    may_translate: bool,
    /// Interfaces that take in what is addressed to others.
    promiscuous: HashSet<Arc<str>>,
    ways: Ways,
}

impl Surroundings {
    pub(super) fn ask() -> io::Result<Self> {
        let links: Vec<HostLink> = links::list()?.into_iter().map(|(link, _)| link).collect();
        let own = routes::own_addresses()?;
        Ok(Self {
            taken_in: routes::taken_in(&own)?,
            own: own.into_iter().collect(),
            forwards: forwarding::forwards(),
            may_translate: forwarding::may_translate(),
            ways: Ways::of(&links),
            promiscuous: links.into_iter().filter(|link| link.is_promiscuous).map(|link| link.name).collect(),
        })
    }

    /// Whether a socket of this host may have the address, which is none of its own.
    pub(super) fn takes_in(&self, address: IpAddr) -> bool {
        self.taken_in.iter().any(|network| network.contains(&address))
    }

    /// Whether addresses may be translated. Where none were, it is asked again: the flow that is spoken of may be the
    /// first.
    pub(super) fn may_translate(&self) -> bool {
        self.may_translate || forwarding::may_translate()
    }

    /// What sightings say of a flow of which no end is an address of this host.
    pub(super) fn passing(&self, sightings: &[Sighting], post: Post) -> Passing {
        if post.is_mirror {
            return Passing::Unknown;
        }
        let is_of_gwlb = |sighting: &Sighting| {
            sighting.encapsulation.iter().any(|layer| matches!(layer, Layer::Geneve { .. }))
        };
        if post.is_behind_gwlb && sightings.iter().any(is_of_gwlb) {
            return Passing::Certain;
        }
        let plain = sightings.iter().filter(|sighting| !is_tunnelled(sighting));
        let names: HashSet<&str> = plain.filter_map(|sighting| sighting.interface.as_deref()).collect();
        if self.forwards && self.ways.are_two(&names) {
            Passing::Certain
        } else if self.forwards && names.iter().any(|name| !self.promiscuous.contains(*name)) {
            Passing::UnlessTakenIn
        } else {
            Passing::Unknown
        }
    }
}

/// Mirrors send what they copy in tunnels; addresses within may be those of another network.
pub(super) fn is_tunnelled(sighting: &Sighting) -> bool {
    sighting
        .encapsulation
        .iter()
        .any(|layer| !matches!(layer, Layer::Vlan(_) | Layer::Mpls(_) | Layer::Pppoe(_)))
}

/// Which interfaces show the same packets, because one gets them from the other: a VLAN from what it is on, a bridge or
/// a bond from its ports, and so on upwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ways {
    /// From what an interface gets its packets.
    below: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The bond that an interface is a port of: a flow may come by one port and be answered by another.
    bonds: HashMap<Arc<str>, Arc<str>>,
    /// They show what came in by others.
    copies: HashSet<Arc<str>>,
}

impl Ways {
    fn of(links: &[HostLink]) -> Self {
        let by_index: HashMap<u32, &HostLink> = links.iter().map(|link| (link.index, link)).collect();
        let at = |index: Option<u32>| index.and_then(|index| by_index.get(&index).copied());
        let is_of_kind =
            |link: &HostLink, kinds: &[&str]| link.kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
        let mut ways = Self::default();
        for link in links {
            let name = || Arc::clone(&link.name);
            if is_of_kind(link, &["ifb"]) {
                ways.copies.insert(name());
            }
            if let Some(parent) = at(link.parent) {
                ways.below.entry(name()).or_default().push(Arc::clone(&parent.name));
            }
            if let Some(master) = at(link.master) {
                ways.below.entry(Arc::clone(&master.name)).or_default().push(name());
                if is_of_kind(master, &["bond", "team"]) {
                    ways.bonds.insert(name(), Arc::clone(&master.name));
                }
            }
        }
        ways
    }

    /// Whether two of these interfaces are ways of their own.
    fn are_two(&self, names: &HashSet<&str>) -> bool {
        let names: Vec<&str> = names.iter().copied().filter(|name| !self.copies.contains(*name)).collect();
        names.iter().enumerate().any(|(position, one)| {
            names.iter().skip(position + 1).any(|other| {
                let share_bond =
                    self.bonds.get(*one).is_some_and(|bond| self.bonds.get(*other) == Some(bond));
                !share_bond && !self.is_above(one, other) && !self.is_above(other, one)
            })
        })
    }

    /// Whether an interface gets packets from another.
    fn is_above(&self, upper: &str, lower: &str) -> bool {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut waiting = vec![upper];
        while let Some(name) = waiting.pop() {
            if name == lower || seen.len() >= MAX_STEPS {
                return true;
            }
            if let Some(below) = self.below.get(name)
                && seen.insert(name)
            {
                waiting.extend(below.iter().map(|name| &**name));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(interface: &str, layers: &[Layer]) -> Sighting {
        Sighting { interface: Some(Arc::from(interface)), encapsulation: layers.into() }
    }

    /// A host that forwards, translates nothing and has these interfaces: name, kind, master, parent. Their numbers
    /// count from 1.
    fn forwarding(links: &[(&str, &str, u32, u32)]) -> Surroundings {
        let link = |(position, &(name, kind, master, parent)): (usize, &(&str, &str, u32, u32))| HostLink {
            kind: (!kind.is_empty()).then(|| Arc::from(kind)),
            master: (master > 0).then_some(master),
            parent: (parent > 0).then_some(parent),
            ..HostLink::plain(position as u32 + 1, name)
        };
        let links: Vec<HostLink> = links.iter().enumerate().map(link).collect();
        Surroundings {
            forwards: true,
            promiscuous: [Arc::from("mirror0")].into(),
            ways: Ways::of(&links),
            ..Surroundings::default()
        }
    }

    #[test]
    fn says_that_a_flow_passes_only_where_that_is_certain() {
        let forwarding = forwarding(&[("eth0", "", 0, 0), ("eth0.7", "vlan", 0, 1)]);
        let vxlan = sighting("eth0", &[Layer::Vxlan(7)]);
        let (eth0, eth1) = (sighting("eth0", &[]), sighting("eth1", &[Layer::Vlan(7)]));
        let (vlan, mirror) = (sighting("eth0.7", &[]), sighting("mirror0", &[]));
        let geneve = sighting("eth0", &[Layer::Geneve { vni: 0, endpoint_id: None, attachment_id: None }]);
        let post = Post::default();
        for (sightings, passing) in [
            (vec![eth0.clone(), eth1.clone()], Passing::Certain),
            // A socket may have taken it: one interface is no proof, nor is it with what it is part of.
            (vec![eth1.clone()], Passing::UnlessTakenIn),
            (vec![eth0.clone(), vlan], Passing::UnlessTakenIn),
            (vec![vxlan.clone(), eth1], Passing::UnlessTakenIn),
            (vec![vxlan], Passing::Unknown),
            (vec![mirror.clone()], Passing::Unknown),
            (vec![geneve.clone()], Passing::Unknown),
            (vec![], Passing::Unknown),
        ] {
            assert_eq!(forwarding.passing(&sightings, post), passing, "{sightings:?}");
        }
        let none = Surroundings { forwards: false, ..forwarding.clone() };
        assert_eq!(none.passing(std::slice::from_ref(&eth0), post), Passing::Unknown);
        let of_mirror = Post { is_mirror: true, ..post };
        assert_eq!(forwarding.passing(&[eth0, mirror], of_mirror), Passing::Unknown);
        let behind = Post { is_behind_gwlb: true, ..post };
        assert_eq!(Surroundings::default().passing(&[geneve], behind), Passing::Certain);
    }

    #[test]
    fn an_interface_and_what_it_is_part_of_are_one_way() {
        let surroundings = forwarding(&[
            ("eth0", "", 6, 0),
            ("eth1", "", 6, 0),
            ("veth0", "veth", 5, 0),
            ("veth1", "veth", 5, 0),
            ("br0", "bridge", 0, 0),
            ("bond0", "bond", 0, 0),
            ("bond0.7", "vlan", 0, 6),
            ("bond0.8", "vlan", 0, 6),
            ("ifb0", "ifb", 0, 0),
            ("one", "veth", 0, 11),
            ("other", "veth", 0, 10),
            ("eth2", "", 0, 0),
            ("eth2.7", "vlan", 5, 12),
            ("br0.9", "vlan", 0, 5),
        ]);
        for (one, other, are_two) in [
            ("veth0", "br0", false),
            ("veth0", "veth1", true),
            ("br0", "bond0", true),
            ("eth0", "eth1", false),
            ("eth0", "bond0.7", false),
            ("bond0.7", "bond0.8", true),
            ("eth2", "br0", false),
            ("eth2", "br0.9", false),
            ("eth2", "eth0", true),
            ("bond0.7", "ifb0", false),
            ("one", "other", false),
            ("one", "unheard-of", true),
        ] {
            for names in [[one, other], [other, one]] {
                assert_eq!(surroundings.ways.are_two(&names.into()), are_two, "{names:?}");
            }
        }
        assert!(surroundings.ways.are_two(&["eth0", "bond0", "veth0"].into()));
    }

    #[test]
    fn takes_in_what_its_routes_say() {
        let surroundings =
            Surroundings { taken_in: vec!["52.94.0.0/16".parse().unwrap()], ..Surroundings::default() };
        assert!(surroundings.takes_in(IpAddr::from([52, 94, 5, 10])));
        assert!(!surroundings.takes_in(IpAddr::from([52, 95, 5, 10])));
    }
}
