//! What classification may be told.

use ipnet::IpNet;

use super::prefixes::PrefixList;
use crate::model::{Access, Entry, Service, Tunnel};

/// Options of the endpoint decision.
#[derive(Clone, Debug, Default)]
pub struct EndpointOptions {
    /// Names of one's own (`[endpoints] hosts`).
    pub hosts: Vec<HostRule>,
    /// The address prefixes of DynamoDB (`[endpoints] ip_ranges`, else the list compiled in).
    pub prefixes: PrefixList,
}

/// A configured host name that leads to DynamoDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    /// Without a trailing dot; `*.` in front stands for exactly one label.
    pub name: String,
    pub service: Service,
    pub region: Option<String>,
}

impl HostRule {
    /// True where `host`, a host name in lower case, is meant.
    #[must_use]
    pub fn holds(&self, host: &str) -> bool {
        match self.name.strip_prefix("*.") {
            Some(rest) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
            None => host.eq_ignore_ascii_case(&self.name),
        }
    }
}

/// Options of the path decision.
#[derive(Clone, Debug, Default)]
pub struct PathOptions {
    pub site: SiteFacts,
    /// The first that matches wins.
    pub rules: Vec<PathRule>,
}

/// Where the observer stands (`[site]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteFacts {
    pub region: Option<String>,
    pub role: Option<Role>,
    /// Outside addresses of the VPN tunnels.
    pub vpn_outside: Vec<IpNet>,
}

/// What kind of hop the observer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    DirectConnect,
    Gwlb,
    Host,
    Mirror,
    Nat,
    Tgw,
    Vpn,
}

/// A `[[path]]` rule: every condition given (not empty) must hold, each by any of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    pub name: String,
    /// Shell-style patterns with `*` and `?`.
    pub interface: Vec<String>,
    pub vlan: Vec<u16>,
    /// As rtnetlink names them: `vti`, `xfrm`, `tun`, `wireguard`, `vlan`, …
    pub link_kind: Vec<String>,
    pub vni: Vec<u32>,
    /// Gateway Load Balancer endpoint ids as in GENEVE option 1 (`vpce-0…` as a number).
    pub gwlb_endpoint: Vec<u64>,
    pub source: Vec<IpNet>,
    pub destination: Vec<IpNet>,
    pub next_hop_mac: Vec<[u8; 6]>,
    pub tunnel: Vec<Tunnel>,
    pub access: Access,
    pub entry: Option<Entry>,
}
