//! What a packet was wrapped in.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::closed_set;

/// The most layers that are unwrapped; a deeper packet is counted and not looked into.
///
/// Traffic mirrored to a Gateway Load Balancer is VLAN + GENEVE + VXLAN + VLAN; twice that is
/// already not seen in practice, and a packet of nested headers alone must not cost without bound.
pub const MAX_LAYERS: usize = 8;

/// One layer around the inner IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// ERSPAN type I, II or III with its session id (type I has none) [draft-foschiano-erspan].
    Erspan { version: u8, session: Option<u16> },
    /// GENEVE with its virtual network identifier [RFC 8926] and, from the AWS Gateway Load
    /// Balancer options of class 0x0108, the endpoint id.
    Geneve { vni: u32, endpoint_id: Option<u64>, attachment_id: Option<u64> },
    /// GRE [RFC 2784] with its key where present [RFC 2890].
    Gre { key: Option<u32> },
    /// GTP-U with its tunnel endpoint identifier [3GPP TS 29.281].
    Gtp(u32),
    /// IP in IP: outer and inner version, e.g. 4 and 6 for 6in4 [RFC 2003, RFC 4213].
    IpInIp { outer: u8, inner: u8 },
    /// MPLS label [RFC 3032].
    Mpls(u32),
    /// PPPoE session [RFC 2516].
    Pppoe(u16),
    /// 802.1Q or 802.1ad VLAN id.
    Vlan(u16),
    /// VXLAN network identifier [RFC 7348].
    Vxlan(u32),
}

impl Layer {
    /// Which kind of tunnel the configuration knows this layer as; `None` for what is no tunnel.
    #[must_use]
    pub const fn tunnel(&self) -> Option<Tunnel> {
        match self {
            Self::Erspan { .. } => Some(Tunnel::Erspan),
            Self::Geneve { .. } => Some(Tunnel::Geneve),
            Self::Gre { .. } => Some(Tunnel::Gre),
            Self::IpInIp { .. } => Some(Tunnel::Ipip),
            Self::Vxlan(_) => Some(Tunnel::Vxlan),
            Self::Gtp(_) | Self::Mpls(_) | Self::Pppoe(_) | Self::Vlan(_) => None,
        }
    }

    /// True where the packets inside are on their way through a network of their own, unlike behind tags and labels of the
    /// link itself; also for kinds that the configuration has no word for.
    #[must_use]
    pub const fn is_tunnel(&self) -> bool {
        matches!(self, Self::Gtp(_)) || self.tunnel().is_some()
    }
}

/// As in records: `vlan:120`, `geneve:0`, `vxlan:42`, `gre`, `gre:7`, `gtp:5`, `erspan2:100`, `mpls:16`,
/// `pppoe:1`, `ipip`, `6in4`, `4in6`, `6in6`.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erspan { version, session: Some(session) } => write!(f, "erspan{version}:{session}"),
            Self::Erspan { version, session: None } => write!(f, "erspan{version}"),
            Self::Geneve { vni, .. } => write!(f, "geneve:{vni}"),
            Self::Gre { key: Some(key) } => write!(f, "gre:{key}"),
            Self::Gre { key: None } => f.write_str("gre"),
            Self::Gtp(endpoint) => write!(f, "gtp:{endpoint}"),
            Self::IpInIp { outer: 4, inner: 4 } => f.write_str("ipip"),
            Self::IpInIp { outer, inner } => write!(f, "{inner}in{outer}"),
            Self::Mpls(label) => write!(f, "mpls:{label}"),
            Self::Pppoe(session) => write!(f, "pppoe:{session}"),
            Self::Vlan(id) => write!(f, "vlan:{id}"),
            Self::Vxlan(vni) => write!(f, "vxlan:{vni}"),
        }
    }
}

closed_set! {
    /// A kind of tunnel, as the configuration names them.
    Tunnel {
        Gre => "gre",
        Vxlan => "vxlan",
        Geneve => "geneve",
        Ipip => "ipip",
        Erspan => "erspan",
        None => "none",
    }
}

/// All layers around the inner packet, outermost first, without allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Encapsulation {
    layers: ArrayVec<Layer, MAX_LAYERS>,
}

impl Encapsulation {
    /// Adds an inner layer; false, and nothing added, where there are [`MAX_LAYERS`] already.
    #[must_use]
    pub fn push(&mut self, layer: Layer) -> bool {
        self.layers.try_push(layer).is_ok()
    }

    /// The layers, outermost first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// As [`Layers::tenant`].
    #[must_use]
    pub fn tenant(&self) -> Option<Tenant> {
        tenant(&self.layers)
    }

    /// Forgets all layers, for reuse.
    pub fn clear(&mut self) {
        self.layers.clear();
    }

    /// True for a packet that was not wrapped at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

/// The layers around the packets of a flow, outermost first, as they are kept: what is wrapped alike shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layers(Option<Arc<[Layer]>>);

impl Layers {
    /// The Gateway Load Balancer endpoint the packets came through, by the outermost GENEVE layer.
    #[must_use]
    pub fn gwlb_endpoint(&self) -> Option<u64> {
        gwlb_endpoint(self)
    }

    /// Whose network the packets are of, where the outermost tunnel tells.
    #[must_use]
    pub fn tenant(&self) -> Option<Tenant> {
        tenant(self)
    }
}

/// One of several networks whose address ranges may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// Behind a Gateway Load Balancer endpoint.
    GatewayEndpoint(u64),
    /// A network of VXLAN or GENEVE, such as a traffic mirror session.
    Vni(u32),
}

fn gwlb_endpoint(layers: &[Layer]) -> Option<u64> {
    layers.iter().find_map(|layer| match layer {
        Layer::Geneve { endpoint_id, .. } => *endpoint_id,
        _ => None,
    })
}

fn tenant(layers: &[Layer]) -> Option<Tenant> {
    let by_number = || {
        layers.iter().find_map(|layer| match layer {
            Layer::Vxlan(vni) | Layer::Geneve { vni, .. } => Some(Tenant::Vni(*vni)),
            _ => None,
        })
    };
    gwlb_endpoint(layers).map(Tenant::GatewayEndpoint).or_else(by_number)
}

impl Deref for Layers {
    type Target = [Layer];

    #[inline]
    fn deref(&self) -> &[Layer] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<&[Layer]> for Layers {
    fn from(layers: &[Layer]) -> Self {
        Self((!layers.is_empty()).then(|| Arc::from(layers)))
    }
}
