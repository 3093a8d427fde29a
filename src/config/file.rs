//! The sections of the file but `[policy]`, as written → as needed.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::place::{Section, Value, shortened};
use super::resolved::{Backend, Resolved};
use crate::classify::{HostRule, PathRule, Role};
use crate::model::{Access, Entry, Service, Tunnel};

/// Limits of numbers, each with the reason for its ends.
mod limits {
    use std::ops::RangeInclusive;

    /// Less cuts hellos; no link has larger packets than a merged one of 256 KiB.
    pub const SNAPLEN_BYTES: RangeInclusive<u32> = 256..=262_144;
    /// A ring of more would not be locked in memory on common hosts.
    pub const RING_MIB: RangeInclusive<u32> = 1..=4_096;
    pub const ROTATE_MIB: RangeInclusive<u32> = 1..=1_048_576;
    pub const KEEP: RangeInclusive<u32> = 0..=10_000;
    /// Fewer than the closed sets need would fold everything; more than a Prometheus server likes of one target.
    pub const MAX_SERIES: RangeInclusive<u32> = 100..=1_000_000;
    /// Each offender is a series for each rule.
    pub const OFFENDERS: RangeInclusive<u32> = 0..=1_000;
    pub const FLOWS: RangeInclusive<usize> = 16..=50_000_000;
    /// Less does not hold one handshake; the largest handshake message is 2^24 bytes.
    pub const FLOW_BYTES: RangeInclusive<usize> = 4_096..=16_777_216;
    pub const MEMORY_MIB: RangeInclusive<usize> = 32..=1_048_576;
    /// 802.1Q: 0 is no VLAN and 4095 is reserved.
    pub const VLAN: RangeInclusive<u16> = 1..=4_094;
    /// 24 bits [RFC 7348, RFC 8926].
    pub const VNI: RangeInclusive<u32> = 0..=0x00ff_ffff;
}

const ROLES: &[(&str, Role)] = &[
    ("nat", Role::Nat),
    ("gwlb", Role::Gwlb),
    ("tgw", Role::Tgw),
    ("vpn", Role::Vpn),
    ("direct_connect", Role::DirectConnect),
    ("mirror", Role::Mirror),
    ("host", Role::Host),
];

/// The word for a role.
pub(super) fn role_word(role: Role) -> &'static str {
    ROLES.iter().find(|(_, candidate)| *candidate == role).map_or("unknown", |(word, _)| word)
}

/// Every word of a closed set of the model, with its value.
macro_rules! words {
    ($set:ty) => {
        <$set>::ALL.iter().map(|value| (value.as_str(), *value)).collect::<Vec<_>>()
    };
}
pub(super) use words;

/// Writes what was given over what is there.
fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *slot = value;
    }
}

/// Takes the number under `key`, where it is given.
fn number<T>(limits: RangeInclusive<T>, section: &Section<'_>, key: &'static str, slot: &mut T)
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    set(slot, section.get(key).and_then(|value| value.number(limits)));
}

/// Reads every section but `[policy]` and `[profile.*]`.
pub(super) fn read(root: &Section<'_>, resolved: &mut Resolved) {
    if let Some(section) = root.section("site", "[site]") {
        site(&section, resolved);
        section.finish();
    }
    if let Some(section) = root.section("capture", "[capture]") {
        capture(&section, resolved);
        section.finish();
    }
    if let Some(section) = root.section("endpoints", "[endpoints]") {
        endpoints(&section, resolved);
        section.finish();
    }
    for (index, section) in root.sections("path", "[[path]]").into_iter().enumerate() {
        path_rule(section, index + 1, resolved);
    }
    resolved.path.site = resolved.site.clone();
    if let Some(section) = root.section("output", "[output]") {
        let output = &mut resolved.output;
        if let Some(path) = section.get("records").and_then(|value| value.name()) {
            output.records = Some(path.into());
        }
        number(limits::ROTATE_MIB, &section, "rotate_mib", &mut output.rotate_mib);
        number(limits::KEEP, &section, "keep", &mut output.keep);
        section.finish();
    }
    if let Some(section) = root.section("metrics", "[metrics]") {
        let metrics = &mut resolved.metrics;
        let listen = section.get("listen").and_then(|value| {
            value.parsed(|text| {
                text.parse().map_err(|_| {
                    format!("says `{}`, which is no address and port such as 127.0.0.1:9477", shortened(text))
                })
            })
        });
        set(&mut metrics.listen, listen);
        number(limits::MAX_SERIES, &section, "max_series", &mut metrics.max_series);
        number(limits::OFFENDERS, &section, "offenders", &mut metrics.offenders);
        section.finish();
    }
    if let Some(section) = root.section("privacy", "[privacy]") {
        let privacy = &mut resolved.privacy;
        set(&mut privacy.redact, section.get("redact").and_then(|value| value.boolean()));
        if let Some(path) = section.get("key_file").and_then(|value| value.name()) {
            privacy.key_file = Some(path.into());
        }
        section.finish();
    }
    if let Some(section) = root.section("limits", "[limits]") {
        let given = &mut resolved.limits;
        number(limits::FLOWS, &section, "flows", &mut given.flows);
        number(limits::FLOW_BYTES, &section, "flow_bytes", &mut given.flow_bytes);
        number(limits::MEMORY_MIB, &section, "memory_mib", &mut given.memory_mib);
        section.finish();
    }
}

fn site(section: &Section<'_>, resolved: &mut Resolved) {
    let site = &mut resolved.site;
    site.region = section.get("region").and_then(|value| region(&value));
    site.role = section.get("role").and_then(|value| value.word("role", ROLES));
    site.vpn_outside = list(section, "vpn_outside", network);
    resolved.policy.site.region.clone_from(&site.region);
    resolved.policy.site.egress_hop = match site.role {
        Some(Role::Nat) => Some("NAT hop"),
        Some(Role::Gwlb) => Some("Gateway Load Balancer hop"),
        Some(Role::Tgw) => Some("transit gateway hop"),
        _ => None,
    };
}

fn capture(section: &Section<'_>, resolved: &mut Resolved) {
    let capture = &mut resolved.capture;
    capture.interfaces = list(section, "interfaces", Value::name);
    set(
        &mut capture.backend,
        section.get("backend").and_then(|value| value.word("back-end", &words!(Backend))),
    );
    number(limits::SNAPLEN_BYTES, section, "snaplen", &mut capture.snaplen_bytes);
    number(limits::RING_MIB, section, "ring_mib", &mut capture.ring_mib);
}

fn endpoints(section: &Section<'_>, resolved: &mut Resolved) {
    if let Some(path) = section.get("ip_ranges").and_then(|value| value.name()) {
        resolved.ip_ranges = Some(path.into());
    }
    for host in section.sections("hosts", "`hosts` in [endpoints],") {
        let name = host.get("name");
        if name.is_none() {
            host.problem("has no name", Some("say `name = \"db.corp.example\"`".to_owned()));
        }
        let name = name.and_then(|value| value.parsed(host_name));
        let service = host
            .get("service")
            .map_or(Some(Service::Dynamodb), |value| value.word("service", &words!(Service)));
        let region = host.get("region").and_then(|value| region(&value));
        if let (Some(name), Some(service)) = (name, service) {
            resolved.endpoint.hosts.push(HostRule { name, service, region });
        }
        host.finish();
    }
}

fn path_rule(section: Section<'_>, number: usize, resolved: &mut Resolved) {
    let name = match section.get("name") {
        Some(value) => value.name(),
        None => Some(format!("path-{number}")),
    };
    let access = section.get("access");
    let entry = section.get("entry");
    if access.is_none() && entry.is_none() {
        section.problem("says neither `access` nor `entry`", None);
    }
    let rule = PathRule {
        name: name.unwrap_or_default(),
        interface: condition(&section, "interface", Value::name),
        vlan: condition(&section, "vlan", |value| value.number(limits::VLAN)),
        link_kind: condition(&section, "link_kind", Value::name),
        vni: condition(&section, "vni", |value| value.number(limits::VNI)),
        gwlb_endpoint: condition(&section, "gwlb_endpoint", |value| value.parsed(endpoint_id)),
        source: condition(&section, "source", network),
        destination: condition(&section, "destination", network),
        next_hop_mac: condition(&section, "next_hop_mac", |value| value.parsed(hardware_address)),
        tunnel: condition(&section, "tunnel", |value| value.word("tunnel", &words!(Tunnel))),
        access: access.and_then(|value| value.word("access", &words!(Access))).unwrap_or(Access::Unknown),
        entry: entry.and_then(|value| value.word("entry", &words!(Entry))),
    };
    resolved.path.rules.push(rule);
    section.finish();
}

/// One value or a list of them; what is wrong in it is reported and left out.
pub(super) fn list<'a, T>(
    section: &Section<'a>,
    key: &'static str,
    read: impl Fn(&Value<'a>) -> Option<T>,
) -> Vec<T> {
    section.get(key).map_or_else(Vec::new, |value| value.one_or_more().iter().filter_map(read).collect())
}

/// A [`list`] that narrows what something holds for. An empty one could be taken for all flows or for none, and the
/// wrong guess would excuse or place flows that nobody meant: it is refused.
pub(super) fn condition<'a, T>(
    section: &Section<'a>,
    key: &'static str,
    read: impl Fn(&Value<'a>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = section.get(key) else { return Vec::new() };
    let values = value.one_or_more();
    if values.is_empty() {
        value.problem("must not be empty", Some("leave it out where it is to hold for all flows".to_owned()));
    }
    values.iter().filter_map(read).collect()
}

/// `10.0.0.0/8`, or an address for itself alone. IPv4 addresses in IPv6 are IPv4 addresses, as those of packets are.
pub(super) fn network(value: &Value<'_>) -> Option<IpNet> {
    value.parsed(|text| {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(IpNet::from(address.to_canonical()));
        }
        let Ok(network) = text.parse::<IpNet>() else {
            let what = format!("says `{}`, which is no network", shortened(text));
            return Err((what, "write it like 10.0.0.0/8".to_owned()));
        };
        // Which of the two was meant, the address or the network, is not ours to guess.
        if network.trunc() == network {
            Ok(canonical(network))
        } else {
            let what = format!("says `{text}`, which has bits beyond its prefix");
            Err((what, format!("did you mean `{}`?", network.trunc())))
        }
    })
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(address, length).unwrap_or(network)
        }
        _ => network,
    }
}

/// The form of region names, not a list of them: AWS adds regions without notice.
pub(super) fn region(value: &Value<'_>) -> Option<String> {
    value.parsed(|text| {
        let mut parts = text.split('-').rev();
        let number = parts.next().unwrap_or_default();
        let words: Vec<&str> = parts.collect();
        let is_region = !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && words.len() >= 2
            && words
                .iter()
                .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            && words.last().is_some_and(|first| (2..=4).contains(&first.len()));
        if is_region || text == "local" {
            Ok(text.to_owned())
        } else {
            Err(format!("says `{}`, which is no region such as eu-central-1", shortened(text)))
        }
    })
}

/// Lower case, without the dot of the root; `*.` in front stands for one label.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.parse::<IpAddr>().is_ok() {
        Err(format!("says `{name}`, which is an address and no host name"))
    } else if labels.len() <= 253 && labels.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(format!("says `{}`, which is no host name", shortened(text)))
    }
}

/// `vpce-` and hexadecimal digits, as GENEVE option 1 carries it.
fn endpoint_id(text: &str) -> Result<u64, String> {
    text.strip_prefix("vpce-")
        .filter(|digits| {
            (1..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            format!("says `{}`, which is no endpoint id such as vpce-0123456789abcdef0", shortened(text))
        })
}

fn hardware_address(text: &str) -> Result<[u8; 6], String> {
    let wrong =
        || format!("says `{}`, which is no hardware address such as 02:00:5e:10:00:01", shortened(text));
    let separator = if text.contains('-') { '-' } else { ':' };
    let mut address = [0; 6];
    let mut parts = text.split(separator);
    for byte in &mut address {
        let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|c| c.is_ascii_hexdigit()));
        *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or_else(wrong)?;
    }
    if parts.next().is_some() { Err(wrong()) } else { Ok(address) }
}
