use super::netlink::push_attribute;
use super::*;
use crate::capture::LinkType;

const UP: u32 = 0x1043;

/// A link message as the kernel writes it.
fn notice(kind: u16, index: u32, hardware: u16, flags: u32, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(hardware.to_ne_bytes());
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(0_u32.to_ne_bytes());
    for (kind, value) in attributes {
        push_attribute(&mut body, *kind, value);
    }
    netlink::message(kind, 0, 0, &body)
}

fn name(name: &str) -> (u16, Vec<u8>) {
    (attribute::NAME, [name.as_bytes(), &[0]].concat())
}

/// IFLA_LINKINFO with a kind and, inside its data, an attribute.
fn info(kind: &str, data: Option<(u16, Vec<u8>)>) -> (u16, Vec<u8>) {
    let mut value = Vec::new();
    push_attribute(&mut value, attribute::INFO_KIND, &[kind.as_bytes(), &[0]].concat());
    if let Some((kind, bytes)) = data {
        let mut nested = Vec::new();
        push_attribute(&mut nested, kind, &bytes);
        push_attribute(&mut value, attribute::INFO_DATA | 0x8000, &nested);
    }
    (attribute::INFO | 0x8000, value)
}

fn followed(patterns: &[&str]) -> Followed {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Followed { selection: Selection::new(&patterns), links: BTreeMap::new() }
}

fn events(followed: &mut Followed, datagram: &[u8]) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    followed.take(datagram, &mut events);
    events
}

fn appeared(followed: &mut Followed, datagram: &[u8]) -> HostLink {
    match &events(followed, datagram)[..] {
        [LinkEvent::Appeared(link)] => link.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn knows_the_kinds_of_tunnels_and_what_their_frames_are() {
    // Hardware types as the drivers set them: drivers/net and net/ipv4, net/ipv6, net/xfrm of the kernel.
    for (kind, hardware, link_type) in [
        ("vti", 768, LinkType::RAW),
        ("vti6", 769, LinkType::RAW),
        ("xfrm", 65_534, LinkType::RAW),
        ("tun", 65_534, LinkType::RAW),
        ("tun", 1, LinkType::ETHERNET),
        ("wireguard", 65_534, LinkType::RAW),
        ("gre", 778, LinkType::RAW),
        ("gretap", 1, LinkType::ETHERNET),
        ("ip6gre", 823, LinkType::RAW),
        ("ipip", 768, LinkType::RAW),
        ("sit", 776, LinkType::RAW),
        ("vlan", 1, LinkType::ETHERNET),
        ("vxlan", 1, LinkType::ETHERNET),
        ("geneve", 1, LinkType::ETHERNET),
        ("ppp", 512, LinkType::RAW),
    ] {
        let mut followed = followed(&["any"]);
        let link = appeared(
            &mut followed,
            &notice(netlink::NEW_LINK, 7, hardware, UP, &[name("x0"), info(kind, None)]),
        );
        assert_eq!((link.kind.as_deref(), link.link().link_type), (Some(kind), link_type), "{kind}");
    }
}

#[test]
fn reads_ids_mtu_master_and_parent() {
    let mut followed = followed(&["any"]);
    let vlan = notice(
        netlink::NEW_LINK,
        9,
        1,
        UP,
        &[
            name("eth1.120"),
            (attribute::MTU, 9_001_u32.to_ne_bytes().into()),
            (attribute::PARENT, 3_u32.to_ne_bytes().into()),
            (attribute::MASTER, 5_u32.to_ne_bytes().into()),
            info("vlan", Some((attribute::DATA_ID, 120_u16.to_ne_bytes().into()))),
        ],
    );
    let link = appeared(&mut followed, &vlan);
    assert_eq!((link.vlan, link.vni, link.mtu_bytes), (Some(120), None, 9_001));
    assert_eq!((link.parent, link.master, &*link.name), (Some(3), Some(5), "eth1.120"));
    let other_end =
        [(attribute::PARENT, 3_u32.to_ne_bytes().into()), (attribute::PARENT_NAMESPACE, vec![0; 4])];
    let veth = notice(netlink::NEW_LINK, 10, 1, UP, &[&[name("veth0")][..], &other_end].concat());
    assert_eq!(appeared(&mut followed, &veth).parent, None, "the number is of another namespace");
    for (index, kind) in ["vxlan", "geneve"].into_iter().enumerate() {
        let id = info(kind, Some((attribute::DATA_ID, 77_u32.to_ne_bytes().into())));
        let link =
            appeared(&mut followed, &notice(netlink::NEW_LINK, 20 + index as u32, 1, UP, &[name(kind), id]));
        assert_eq!((link.vlan, link.vni), (None, Some(77)));
    }
}

#[test]
fn follows_what_comes_goes_and_changes() {
    let mut followed = followed(&["vti*", "eth0"]);
    let with = |flags, named: &str, mtu: u32| {
        notice(
            netlink::NEW_LINK,
            7,
            768,
            flags,
            &[name(named), (attribute::MTU, mtu.to_ne_bytes().into()), info("vti", None)],
        )
    };
    assert_eq!(events(&mut followed, &with(0, "vti0", 1_500)), [], "it is down");
    let link = appeared(&mut followed, &with(UP, "vti0", 1_500));
    assert_eq!(events(&mut followed, &with(UP, "vti0", 1_500)), [], "nothing changed");
    let changed = events(&mut followed, &with(UP, "vti0", 1_400));
    assert!(matches!(&changed[..], [LinkEvent::Changed(link)] if link.mtu_bytes == 1_400), "{changed:?}");
    let vanished = |name: &str| LinkEvent::Vanished { index: 7, name: Arc::from(name) };
    // Renamed within the pattern, out of it, and back.
    let renamed = events(&mut followed, &with(UP, "vti9", 1_400));
    assert!(
        matches!(&renamed[..], [first, LinkEvent::Appeared(_)] if *first == vanished("vti0")),
        "{renamed:?}"
    );
    assert_eq!(events(&mut followed, &with(UP, "other", 1_400)), [vanished("vti9")]);
    assert_eq!(appeared(&mut followed, &with(UP, "vti0", 1_500)), link);
    // Down, up, gone; and a notice of something never followed.
    assert_eq!(events(&mut followed, &with(0, "vti0", 1_500)), [vanished("vti0")]);
    appeared(&mut followed, &with(UP, "vti0", 1_500));
    let gone = notice(netlink::DELETE_LINK, 7, 768, 0, &[name("vti0")]);
    assert_eq!(events(&mut followed, &gone), [vanished("vti0")]);
    assert_eq!(events(&mut followed, &gone), []);
}

#[test]
fn a_whole_list_replaces_what_was_known() {
    let mut followed = followed(&["any"]);
    appeared(&mut followed, &notice(netlink::NEW_LINK, 1, 1, UP, &[name("eth0")]));
    let one = appeared(&mut followed, &notice(netlink::NEW_LINK, 2, 1, UP, &[name("eth1")]));
    let two = HostLink { index: 3, name: Arc::from("eth2"), ..one.clone() };
    let mut found = Vec::new();
    followed.replace(vec![one, two.clone()], &mut found);
    assert_eq!(found, [LinkEvent::Vanished { index: 1, name: Arc::from("eth0") }, LinkEvent::Appeared(two)]);
}

#[test]
fn an_interface_that_leaves_a_bridge_is_still_there() {
    let mut followed = followed(&["eth0"]);
    appeared(&mut followed, &notice(netlink::NEW_LINK, 1, 1, UP, &[name("eth0")]));
    let mut left = notice(netlink::DELETE_LINK, 1, 1, UP, &[name("eth0")]);
    // The family stands at the beginning of the body.
    left[16] = libc::AF_BRIDGE as u8;
    assert_eq!(events(&mut followed, &left), []);
    left[16] = libc::AF_UNSPEC as u8;
    assert_eq!(events(&mut followed, &left), [LinkEvent::Vanished { index: 1, name: Arc::from("eth0") }]);
}

#[test]
fn an_interface_is_known_by_its_other_names_too() {
    let mut followed = followed(&["enp0s99"]);
    let mut others = Vec::new();
    for other in ["ens99", "enp0s99"] {
        push_attribute(&mut others, attribute::OTHER_NAME, &[other.as_bytes(), &[0]].concat());
    }
    let others = (attribute::PROPERTIES | 0x8000, others);
    let link = appeared(&mut followed, &notice(netlink::NEW_LINK, 1, 1, UP, &[name("eth0"), others.clone()]));
    assert_eq!(&*link.name, "eth0");
    assert!(link.is_called("ens99") && link.is_called("eth0") && !link.is_called("eth1"));
    let without = notice(netlink::NEW_LINK, 1, 1, UP, &[name("eth0")]);
    assert_eq!(events(&mut followed, &without), [LinkEvent::Vanished { index: 1, name: Arc::from("eth0") }]);
}

#[test]
fn tells_once_that_addresses_changed() {
    let mut followed = followed(&["any"]);
    let two = [netlink::message(20, 0, 0, &[0; 8]), netlink::message(21, 0, 0, &[0; 8])].concat();
    assert_eq!(events(&mut followed, &two), [LinkEvent::Addresses]);
}

#[test]
fn fits_names_to_patterns() {
    for (pattern, name, fits) in [
        ("vti*", "vti0", true),
        ("vti*", "vti", true),
        ("vti*", "xvti0", false),
        ("*", "eth0", true),
        ("eth?", "eth0", true),
        ("eth?", "eth10", false),
        ("e*0.*2?", "eth0.120", true),
        ("e*0.*2?", "eth0.12", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b*", "xxbxxaxx", false),
    ] {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
    }
    let lo = HostLink { is_loopback: true, ..HostLink::plain(1, "lo") };
    for (pattern, has) in [("any", false), ("*", false), ("lo", true)] {
        assert_eq!(Selection::new(&[pattern.to_owned()]).has(&lo), has, "{pattern}");
    }
    let names = ["any", "eth0", "vti*"].map(str::to_owned);
    assert_eq!(Selection::new(&names).exact_names().collect::<Vec<_>>(), ["eth0"]);
}

#[test]
fn survives_broken_notices() {
    let whole = notice(
        netlink::NEW_LINK,
        9,
        1,
        UP,
        &[
            name("eth1.120"),
            info("vlan", Some((attribute::DATA_ID, 120_u16.to_ne_bytes().into()))),
            (attribute::STATISTICS, vec![1; 200]),
        ],
    );
    for length in 0..whole.len() {
        events(&mut followed(&["any"]), &whole[..length]);
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            assert!(events(&mut followed(&["any"]), &changed).len() <= 1);
        }
    }
}

#[test]
fn the_kernel_tells_its_interfaces() {
    let Some(links) = crate::host::or_skip(list()) else { return };
    for (link, counters) in &links {
        assert!(link.index > 0 && !link.name.is_empty() && counters.is_some(), "{link:?}");
    }
    let watch = LinkWatch::open(Selection::new(&["any".to_owned()])).unwrap();
    assert!(watch.links().all(|link| link.is_up && !link.is_loopback));
}
