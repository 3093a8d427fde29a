//! The way packets took.

use std::fmt;

use super::Confidence;
use super::dynamodb::closed_set;

closed_set! {
    /// How packets get to AWS.
    Access {
        SiteToSiteVpn => "site_to_site_vpn",
        DirectConnectPrivate => "direct_connect_private",
        DirectConnectPublic => "direct_connect_public",
        DirectConnectTransit => "direct_connect_transit",
        InVpc => "in_vpc",
        Internet => "internet",
        Unknown => "unknown",
    }
}

closed_set! {
    /// How DynamoDB is entered.
    Entry {
        GatewayEndpoint => "gateway_endpoint",
        InterfaceEndpoint => "interface_endpoint",
        PublicEndpoint => "public_endpoint",
        Unknown => "unknown",
    }
}

closed_set! {
    /// What a path finding rests on.
    PathEvidence {
        Rule => "rule",
        Sni => "sni",
        Address => "address",
        Prefix => "prefix",
        Tunnel => "tunnel",
        Vlan => "vlan",
        GwlbEndpoint => "gwlb_endpoint",
        LinkKind => "link_kind",
        InsideAddress => "inside_address",
        Esp => "esp",
    }
}

/// What is known of the path of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathFacts {
    pub access: Access,
    pub entry: Entry,
    /// Name of the configured rule that matched.
    pub name: Option<String>,
    /// In the order of [`PathEvidence::ALL`].
    pub evidence: Vec<PathEvidence>,
    /// Absent where both access and entry are unknown.
    pub confidence: Option<Confidence>,
}

impl Default for PathFacts {
    fn default() -> Self {
        Self {
            access: Access::Unknown,
            entry: Entry::Unknown,
            name: None,
            evidence: Vec::new(),
            confidence: None,
        }
    }
}

impl PathFacts {
    /// How packets get to AWS, where that is more than possible.
    #[must_use]
    pub fn known_access(&self) -> Option<Access> {
        (self.access != Access::Unknown && self.is_known()).then_some(self.access)
    }

    /// How DynamoDB is entered, where that is more than possible.
    #[must_use]
    pub fn known_entry(&self) -> Option<Entry> {
        (self.entry != Entry::Unknown && self.is_known()).then_some(self.entry)
    }

    fn is_known(&self) -> bool {
        self.confidence != Some(Confidence::Possible)
    }
}
