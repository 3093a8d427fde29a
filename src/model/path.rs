//! The way packets took.

use super::{Confidence, closed_set};

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
    /// Absent where the access is unknown.
    pub access_confidence: Option<Confidence>,
    /// Absent where the entry is unknown.
    pub entry_confidence: Option<Confidence>,
    /// Names of configured rules that ask what the capture does not tell: one of them may be that of the flow, before
    /// the one that matched.
    pub open_rules: Vec<String>,
}

impl Default for PathFacts {
    fn default() -> Self {
        Self {
            access: Access::Unknown,
            entry: Entry::Unknown,
            name: None,
            evidence: Vec::new(),
            access_confidence: None,
            entry_confidence: None,
            open_rules: Vec::new(),
        }
    }
}

impl PathFacts {
    /// How packets get to AWS, where that is more than possible.
    #[must_use]
    pub fn known_access(&self) -> Option<Access> {
        let is_known = self.access != Access::Unknown && self.access_confidence != Some(Confidence::Possible);
        is_known.then_some(self.access)
    }

    /// How DynamoDB is entered, where that is more than possible.
    #[must_use]
    pub fn known_entry(&self) -> Option<Entry> {
        let is_known = self.entry != Entry::Unknown && self.entry_confidence != Some(Confidence::Possible);
        is_known.then_some(self.entry)
    }

    /// Of the two halves the less certain one: a record has one word for both, and one for each where they differ.
    #[must_use]
    pub fn confidence(&self) -> Option<Confidence> {
        [self.access_confidence, self.entry_confidence].into_iter().flatten().min()
    }
}
