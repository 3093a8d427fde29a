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
    /// Of several names that leave the kind or the service open.
    many_kinds: Option<PublicNames>,
    /// Of several names that leave the service open.
    has_many_services: bool,
    /// Of several names of which some are FIPS ones.
    is_fips_open: bool,
    /// Absent where several names make one claim.
    host: Option<String>,
}

/// One source's word.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// Absent for a DAX greeting, for which there is no word.
    pub evidence: Option<EndpointEvidence>,
    pub strength: Confidence,
    /// It need not be the name that was meant: beside an Encrypted Client Hello, or what may have been one, it may be an
    /// outer one, and what DNS said to another host, or of a name that may stand for it, need not be of this one.
    pub is_doubtful: bool,
    pub host: Option<String>,
    pub named: Named,
    /// All names, where there may be several: what they do not agree in is not in the one shown.
    several: Vec<Named>,
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
            has_many_services: false,
            is_fips_open: false,
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
            has_many_services: false,
            is_fips_open: false,
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
            has_many_services: self.has_many_services,
            is_fips_open: self.is_fips_open,
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

    /// It has a form that the grammar knows, or is configured.
    pub fn is_known(&self) -> bool {
        self.kind != Some(EndpointKind::Unrecognised)
    }

    /// What is left where none of `names` is the flow's for sure.
    fn without_form(self, names: &[Self]) -> Self {
        Self {
            kind: None,
            many_kinds: Some(PublicNames::of(names.iter().map(Self::public_names))),
            account_id: None,
            fips: false,
            dual_stack: false,
            host: None,
            ..self
        }
    }

    fn is_elsewhere(&self, other: &Self) -> bool {
        matches!((&self.region, &other.region), (Some(mine), Some(theirs)) if mine != theirs)
    }
}

impl EndpointFacts {
    /// Takes from an agreeing claim what the first one does not say: its name where `first` has none
    /// at all, its region where that names none.
    pub(super) fn complete(&mut self, first: &Claim, claim: &Claim) {
        if first.is_beside_answer(claim) {
            return;
        }
        let is_nameless = first.named.host.is_none() && first.several.is_empty() && self.host.is_none();
        if is_nameless && self.kind.is_none() && !self.is_aws_name && claim.named.is_aws_name {
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
    /// A name that the client says; `is_doubtful` where it need not be the one that is meant.
    pub fn spoken(evidence: EndpointEvidence, host: &str, named: Named, is_doubtful: bool) -> Self {
        let is_sure = named.is_known() && !is_doubtful;
        Self {
            evidence: Some(evidence),
            strength: if is_sure { Confidence::Certain } else { Confidence::Possible },
            is_doubtful,
            host: canonical(host).map(|host| host.to_string()),
            named,
            several: Vec::new(),
        }
    }

    /// The protocol itself says which service it is.
    pub fn of_service(evidence: Option<EndpointEvidence>, service: Service) -> Self {
        Self {
            evidence,
            strength: Confidence::Certain,
            is_doubtful: false,
            host: None,
            named: Named::of_service(service),
            several: Vec::new(),
        }
    }

    /// Of all names that a source has for one address: what they do not agree in is left out.
    pub fn of_names(evidence: EndpointEvidence, names: Vec<Named>) -> Option<Self> {
        let named = common(&names)?;
        let is_known = names.iter().any(Named::is_known);
        Some(Self {
            evidence: Some(evidence),
            strength: if is_known { Confidence::Likely } else { Confidence::Possible },
            is_doubtful: false,
            host: named.host.clone(),
            named,
            several: names,
        })
    }

    /// A doubtful name of the client's beside what DNS said of the address. Each may be the one that was meant, so that only
    /// what they have in common is told; and where the answers are for other names, not even that tells the kind: neither
    /// is the flow's for sure. The service shown remains that of the name in clear.
    pub fn beside(self, told: &Self) -> Self {
        if !self.named.is_known() {
            return self;
        }
        let is_told = told.all().any(|named| named.host == self.named.host);
        let mut several: Vec<Named> = told.all().cloned().collect();
        several.push(self.named.clone());
        let Some(mut named) = common(&several) else { return self };
        if !is_told {
            named = named.without_form(&several);
        }
        named.service = self.named.service;
        Self { host: named.host.clone(), named, several, ..self }
    }

    /// Names that DNS told, where the client says none, beside those of a certificate of which none has their form: it need
    /// not have asked for what was told.
    pub fn beside_certificate(mut self, certificate: &Self) -> Self {
        let has_form = |named: &Named| {
            let is_of_form = |shown: &Named| (shown.kind, shown.fips) == (named.kind, named.fips);
            certificate.all().filter(|shown| shown.is_known()).any(is_of_form)
        };
        let are_aws_names = self.all().chain(certificate.all()).all(|named| named.is_aws_name);
        if self.is_doubtful || !are_aws_names || self.all().any(has_form) {
            return self;
        }
        let all: Vec<Named> = self.all().chain(certificate.all()).cloned().collect();
        let Some(Named { many_kinds, has_many_services, .. }) = common(&all) else { return self };
        self.named.has_many_services |= has_many_services;
        if self.all().any(Named::is_known) {
            self.named = self.named.without_form(&self.several);
            self.host = None;
        } else {
            // The name is of no known form, and stays what it is.
            self.named.many_kinds = many_kinds;
        }
        self
    }

    /// The names that are not for an address of the list: of interface endpoints, which have none there, and for other
    /// regions.
    pub fn against(&self, is_elsewhere: impl Fn(&str) -> bool) -> impl Iterator<Item = &Named> {
        self.all().filter(move |named| {
            named.kind == Some(EndpointKind::Interface) || named.region.as_deref().is_some_and(&is_elsewhere)
        })
    }

    /// True of a doubtful name of the client's, and of an answer of DNS that this was put beside.
    pub fn is_beside_answer(&self, told: &Self) -> bool {
        self.is_doubtful && self.is_spoken() && told.evidence == Some(EndpointEvidence::Dns)
    }

    /// True where one of this source's names is for the same service, and in no other region. What the client itself
    /// says has to be the same endpoint; and a client that was told of a host in DNS was not told of its FIPS endpoint.
    pub fn agrees_with(&self, first: &Self) -> bool {
        self.is_evidence_of(first, None)
    }

    /// The same, once the region is known that is told: several names may have left it open.
    pub fn is_evidence_of(&self, first: &Self, region: Option<&str>) -> bool {
        let is_as_first = |named: &Named| {
            let is_same_endpoint = match self.evidence {
                _ if !first.is_spoken() || first.is_beside_answer(self) => true,
                _ if self.is_spoken() => named.is_same_endpoint(&first.named),
                Some(EndpointEvidence::Dns) => {
                    !(named.is_aws_name && first.named.is_aws_name) || named.fips == first.named.fips
                }
                _ => true,
            };
            is_same_endpoint && named.agrees_with(&first.named)
        };
        let is_there = |named: &&Named| match (region, &named.region) {
            (Some(region), Some(named)) => region == named,
            _ => true,
        };
        self.telling().filter(is_there).any(|named| std::ptr::eq(self, first) || is_as_first(named))
    }

    /// The client itself said it.
    pub fn is_spoken(&self) -> bool {
        !matches!(self.evidence, Some(EndpointEvidence::Dns | EndpointEvidence::Certificate))
    }

    /// True where every name of this source is in another region, and none is the very one that `first` says.
    pub fn is_elsewhere(&self, first: &Self) -> bool {
        let is_same = |named: &Named| named.host.is_some() && named.host == first.named.host;
        self.telling().all(|named| named.is_elsewhere(&first.named)) && !self.all().any(is_same)
    }

    /// The names that count for what this source says itself, and not for what is left open: of one that was put beside what
    /// DNS told, its own, which is the last; and of a certificate, those that do not only look like names of DynamoDB.
    fn telling(&self) -> impl Iterator<Item = &Named> {
        let others = if self.is_spoken() { self.several.len().saturating_sub(1) } else { 0 };
        let is_of_certificate = self.evidence == Some(EndpointEvidence::Certificate);
        self.all().skip(others).filter(move |named| !is_of_certificate || named.is_known())
    }

    /// For sentences: the host, else the service and region.
    pub fn phrase(&self) -> String {
        let telling: Vec<Named> = self.telling().cloned().collect();
        let told = common(&telling);
        let told = told.as_ref().unwrap_or(&self.named);
        match (self.host.as_ref().or(told.host.as_ref()), &told.region) {
            (Some(host), _) => host.clone(),
            (None, Some(region)) => format!("{} in {region}", told.service),
            (None, None) => told.service.to_string(),
        }
    }

    /// The name it makes, or all of several.
    pub fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.named).filter(|_| self.several.is_empty()).chain(&self.several)
    }
}

/// What a host name says, by the grammar or by configuration.
pub(super) fn named(host: &str, options: &EndpointOptions) -> Option<Named> {
    let found = recognise(host).endpoint.map(Named::from);
    if found.as_ref().is_some_and(Named::is_known) {
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
    let found = recognise_certificate_name(name).map(Named::from);
    let configured = || hosts.iter().find(is_meant).map(Named::configured);
    let named = match found {
        Some(named) if named.is_known() => named,
        found => configured().or(found)?,
    };
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

/// What several names have in common: what they do not agree in is left out. Of names of one kind of which only some are
/// FIPS ones, that is open.
fn common(names: &[Named]) -> Option<Named> {
    let first = names.first()?;
    let all_agree = |is_same: fn(&Named, &Named) -> bool| names.iter().all(|other| is_same(first, other));
    let mut shown = first.clone();
    let is_one_service = all_agree(|a, b| a.service == b.service);
    let is_one_kind = all_agree(|a, b| a.kind == b.kind);
    let is_one_form = is_one_kind && all_agree(|a, b| a.fips == b.fips);
    if !is_one_service {
        shown.has_many_services = true;
        // The same addresses serve several APIs; most of it is the data plane.
        if names.iter().any(|named| named.service == Service::Dynamodb) {
            shown.service = Service::Dynamodb;
        }
    }
    if !is_one_kind {
        shown.kind = None;
    }
    // Those of DAX have the same kinds.
    if !is_one_service || !is_one_form {
        shown.many_kinds = Some(PublicNames::of(names.iter().map(Named::public_names)));
    }
    if !all_agree(|a, b| a.region == b.region) {
        shown.region = None;
    }
    if !all_agree(|a, b| a.partition == b.partition) {
        shown.partition = None;
    }
    if !all_agree(|a, b| a.account_id == b.account_id) {
        shown.account_id = None;
    }
    if !all_agree(|a, b| a.host == b.host) {
        shown.host = None;
    }
    shown.fips = names.iter().all(|named| named.fips);
    shown.is_fips_open = !shown.fips && names.iter().any(|named| named.fips);
    shown.dual_stack = names.iter().all(|named| named.dual_stack);
    shown.is_aws_name = names.iter().all(|named| named.is_aws_name);
    Some(shown)
}

/// True where a configured name, which may begin with `*.` for exactly one label, is `host`.
fn matches_host(rule: &HostRule, host: &str) -> bool {
    let Some(host) = canonical(host) else { return false };
    match rule.name.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
        None => host.eq_ignore_ascii_case(&rule.name),
    }
}
