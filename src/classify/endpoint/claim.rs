//! What one source says of the endpoint of a flow.

use super::grammar::{canonical, recognise, recognise_certificate_name};
use super::partition::partition_of_region;
use crate::classify::{EndpointOptions, HostRule};
use crate::model::{
    Confidence, Endpoint, EndpointEvidence, EndpointFacts, EndpointKind, PublicNames, Service,
};

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
    /// Of several names of different kinds.
    many_kinds: Option<PublicNames>,
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
            many_kinds: None,
            host: None,
        }
    }
}

impl Named {
    fn with_host(self, host: String) -> Self {
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
            many_kinds: None,
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
            names_of_many_kinds: self.many_kinds,
            ..EndpointFacts::default()
        }
    }

    fn agrees_with(&self, other: &Self) -> bool {
        self.service == other.service && !self.is_elsewhere(other)
    }

    /// True unless both are names of AWS and of different endpoints.
    fn is_same_endpoint(&self, other: &Self) -> bool {
        let is_same_form = self.kind == other.kind
            && self.account_id == other.account_id
            && self.fips == other.fips
            && self.dual_stack == other.dual_stack;
        // Of the forms that name one thing of many, the name is what tells it.
        let is_one_of_many = matches!(
            self.kind,
            Some(EndpointKind::Interface | EndpointKind::DaxCluster | EndpointKind::Unrecognised)
        );
        !(self.is_aws_name && other.is_aws_name)
            || is_same_form && (!is_one_of_many || self.host == other.host)
    }

    fn public_names(&self) -> PublicNames {
        PublicNames::of_kind(self.kind, self.service, self.is_aws_name)
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
            self.names_of_many_kinds = from.names_of_many_kinds;
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

    /// True where one of this source's names is for the same service, and in no other region. What the client itself
    /// says has to be the same endpoint; and a client that was told of a host in DNS was not told of its FIPS endpoint.
    pub fn agrees_with(&self, first: &Self) -> bool {
        let is_as_first = |named: &Named| {
            let is_same_endpoint = match self.evidence {
                _ if !first.is_spoken() => true,
                _ if self.is_spoken() => named.is_same_endpoint(&first.named),
                Some(EndpointEvidence::Dns) => {
                    !(named.is_aws_name && first.named.is_aws_name) || named.fips == first.named.fips
                }
                _ => true,
            };
            is_same_endpoint && named.agrees_with(&first.named)
        };
        std::ptr::eq(self, first) || self.all().any(is_as_first)
    }

    /// The client itself said it.
    pub fn is_spoken(&self) -> bool {
        !matches!(self.evidence, Some(EndpointEvidence::Dns | EndpointEvidence::Certificate))
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
    let configured = options.hosts.iter().find(|rule| matches_host(rule, host)).map(Named::configured);
    configured.or(found).map(|named| named.with_canonical_host(host))
}

/// What a name says that a certificate is for; `*.` in front stands for any account id or VPC endpoint id, or for any host of a
/// domain that is configured as such.
pub(super) fn named_by_certificate(name: &str, hosts: &[HostRule]) -> Option<Named> {
    let is_meant = |rule: &&HostRule| rule.name.eq_ignore_ascii_case(name) || matches_host(rule, name);
    let configured = || hosts.iter().find(is_meant).map(Named::configured);
    let named = recognise_certificate_name(name).map(Named::from).or_else(configured)?;
    Some(named.with_host(name.to_ascii_lowercase()))
}

/// True where a certificate for `name` may be that of an endpoint: a wildcard may be one for DynamoDB's names, or one below
/// them for account ids and endpoint ids, or one for a configured host.
pub(super) fn may_cover_endpoint(name: &str, options: &EndpointOptions) -> bool {
    let Some(parent) = name.strip_prefix("*.") else { return named(name, options).is_some() };
    let is_parent = |rule: &HostRule| {
        rule.name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
    };
    [parent, &format!("dynamodb.{parent}")].into_iter().any(|name| named(name, options).is_some())
        || options.hosts.iter().any(is_parent)
}

impl Named {
    fn configured(rule: &HostRule) -> Self {
        Self {
            region: rule.region.clone(),
            partition: rule.region.as_deref().map(partition_of_region),
            ..Self::of_service(rule.service)
        }
    }

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
    let has_many_kinds = names.iter().any(|other| other.kind != shown.kind);
    if has_many_kinds {
        let public = names.iter().filter(|named| named.public_names() == PublicNames::All).count();
        shown.many_kinds = Some(match public {
            0 => PublicNames::None,
            all if all == names.len() => PublicNames::All,
            _ => PublicNames::Some,
        });
    }
    for other in &names {
        if other.kind != shown.kind {
            shown.kind = None;
        }
        if other.region != shown.region {
            shown.region = None;
        }
        if other.partition != shown.partition {
            shown.partition = None;
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
fn matches_host(rule: &HostRule, host: &str) -> bool {
    let Some(host) = canonical(host) else { return false };
    match rule.name.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
        None => host.eq_ignore_ascii_case(&rule.name),
    }
}
