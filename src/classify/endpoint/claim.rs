//! What one source says of the endpoint of a flow.

use super::grammar::{canonical, recognise};
use super::partition::partition_of_region;
use crate::classify::{EndpointOptions, HostRule};
use crate::model::{Confidence, Endpoint, EndpointEvidence, EndpointFacts, EndpointKind, Service};

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub service: Service,
    /// Absent for a configured name.
    pub kind: Option<EndpointKind>,
    pub region: Option<String>,
    pub partition: Option<&'static str>,
    pub account_id: Option<String>,
    pub fips: bool,
    pub dual_stack: bool,
    pub is_aws_name: bool,
    /// Only where several names make one claim.
    host: Option<String>,
}

/// One source's word.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// Absent for a DAX greeting, for which there is no word.
    pub evidence: Option<EndpointEvidence>,
    pub strength: Confidence,
    pub host: Option<String>,
    pub named: Named,
    /// Further names of the same source, other than the one shown.
    others: Vec<Named>,
}

impl From<Endpoint> for Named {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            service: endpoint.service,
            kind: Some(endpoint.kind),
            region: endpoint.region,
            partition: endpoint.partition,
            account_id: endpoint.account_id,
            fips: endpoint.fips,
            dual_stack: endpoint.dual_stack,
            is_aws_name: endpoint.is_aws_name,
            host: None,
        }
    }
}

impl Named {
    pub fn with_host(self, host: String) -> Self {
        Self { host: Some(host), ..self }
    }

    fn of_service(service: Service) -> Self {
        Self {
            service,
            kind: None,
            region: None,
            partition: None,
            account_id: None,
            fips: false,
            dual_stack: false,
            is_aws_name: false,
            host: None,
        }
    }

    pub fn to_facts(&self, host: Option<String>) -> EndpointFacts {
        EndpointFacts {
            service: Some(self.service),
            kind: self.kind,
            region: self.region.clone(),
            partition: self.partition.map(ToOwned::to_owned),
            account_id: self.account_id.clone(),
            fips: self.fips,
            dual_stack: self.dual_stack,
            host,
            is_aws_name: self.is_aws_name,
            ..EndpointFacts::default()
        }
    }

    fn agrees_with(&self, other: &Self) -> bool {
        self.service == other.service && !self.is_elsewhere(other)
    }

    fn is_elsewhere(&self, other: &Self) -> bool {
        matches!((&self.region, &other.region), (Some(mine), Some(theirs)) if mine != theirs)
    }
}

impl EndpointFacts {
    /// Takes from an agreeing claim what the first one does not say: its name where the first has none
    /// at all, its region where the first names none.
    pub(super) fn complete(&mut self, claim: &Claim) {
        if self.kind.is_none() && self.host.is_none() && !self.is_aws_name && claim.named.is_aws_name {
            let from = claim.named.to_facts(claim.host.clone());
            self.kind = from.kind;
            self.account_id = from.account_id;
            self.fips = from.fips;
            self.dual_stack = from.dual_stack;
            self.host = from.host;
            self.is_aws_name = true;
        }
        if self.region.is_none() {
            self.region.clone_from(&claim.named.region);
            self.partition = claim.named.partition.map(ToOwned::to_owned);
        }
    }
}

impl Claim {
    pub fn new(evidence: EndpointEvidence, strength: Confidence, host: &str, named: Named) -> Self {
        let host = canonical(host).map(|host| host.to_string());
        Self { evidence: Some(evidence), strength, host, named, others: Vec::new() }
    }

    /// The protocol itself says which service it is.
    pub fn of_service(evidence: Option<EndpointEvidence>, service: Service) -> Self {
        Self {
            evidence,
            strength: Confidence::Certain,
            host: None,
            named: Named::of_service(service),
            others: Vec::new(),
        }
    }

    /// True where one of this source's names is for the same service, and in no other region.
    pub fn agrees_with(&self, first: &Self) -> bool {
        std::ptr::eq(self, first) || self.all().any(|named| named.agrees_with(&first.named))
    }

    /// True where every name of this source is in another region.
    pub fn is_elsewhere(&self, first: &Self) -> bool {
        self.all().all(|named| named.is_elsewhere(&first.named))
    }

    /// For sentences: the host, else the service and region.
    pub fn phrase(&self) -> String {
        match (&self.host, &self.named.region) {
            (Some(host), _) => host.clone(),
            (None, Some(region)) => format!("{} in {region}", self.named.service),
            (None, None) => self.named.service.to_string(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.named).chain(&self.others)
    }
}

/// What a host name says, by the grammar or by configuration.
pub(super) fn named(host: &str, options: &EndpointOptions) -> Option<Named> {
    let found = recognise(host).endpoint.map(Named::from);
    if found.as_ref().is_some_and(|named| named.kind != Some(EndpointKind::Unrecognised)) {
        return found.map(|named| named.with_canonical_host(host));
    }
    // What the operator says of a name outranks the mere look of it.
    let configured = options.hosts.iter().find(|rule| matches_host(rule, host)).map(|rule| Named {
        region: rule.region.clone(),
        partition: rule.region.as_deref().map(partition_of_region),
        ..Named::of_service(rule.service)
    });
    configured.or(found).map(|named| named.with_canonical_host(host))
}

impl Named {
    fn with_canonical_host(self, host: &str) -> Self {
        Self { host: canonical(host).map(|host| host.to_string()), ..self }
    }
}

/// One claim of several names: what they do not agree in is left out.
pub(super) fn merge(evidence: EndpointEvidence, mut names: Vec<Named>) -> Option<Claim> {
    let is_known = |named: &Named| named.kind != Some(EndpointKind::Unrecognised);
    if names.iter().any(is_known) {
        names.retain(is_known);
    }
    let mut shown = names.first()?.clone();
    if names.iter().any(|other| other.service == Service::Dynamodb) {
        // The same addresses serve several APIs; the data plane is the one to be sure of.
        shown.service = Service::Dynamodb;
    }
    let strength = if is_known(&shown) { Confidence::Likely } else { Confidence::Possible };
    for other in &names {
        if other.kind != shown.kind {
            shown.kind = None;
        }
        if other.region != shown.region {
            (shown.region, shown.partition) = (None, None);
        }
        if other.account_id != shown.account_id {
            shown.account_id = None;
        }
        if other.host != shown.host {
            shown.host = None;
        }
        shown.fips &= other.fips;
        shown.dual_stack &= other.dual_stack;
        shown.is_aws_name &= other.is_aws_name;
    }
    let host = shown.host.clone();
    Some(Claim { evidence: Some(evidence), strength, host, named: shown, others: names })
}

/// True where a configured name, which may begin with `*.` for exactly one label, is `host`.
pub(crate) fn matches_host(rule: &HostRule, host: &str) -> bool {
    let Some(host) = canonical(host) else { return false };
    match rule.name.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
        None => host.eq_ignore_ascii_case(&rule.name),
    }
}
