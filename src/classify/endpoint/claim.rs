//! What one source says of the endpoint of a flow.

use super::grammar::{canonical, recognise, recognise_certificate_name};
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
    /// Absent where no name says it, but a request.
    pub host: Option<String>,
    /// It stands for any name, so that its form is open.
    pub is_any: bool,
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
    /// The one that is shown, where this claim is.
    pub named: Named,
    /// More names of the same source, of which any may support another claim.
    others: Vec<Named>,
    /// The source has more names than are looked at.
    pub has_more: bool,
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
            is_aws_name: true,
            host: None,
            is_any: false,
        }
    }
}

impl Named {
    fn with_host(self, host: String) -> Self {
        Self { host: Some(host), ..self }
    }

    const fn of_service(service: Service) -> Self {
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
            is_any: false,
        }
    }

    /// Any name of that service, which has with `others` in common what all of them have of place and owner.
    pub fn any<'a>(service: Service, others: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let (region, partition) = common_place(others.clone());
        let is_aws_name = others.into_iter().all(|named| named.is_aws_name);
        Self { region, partition, is_aws_name, is_any: true, ..Self::of_service(service) }
    }

    /// The same without place, owner and host.
    pub fn form(&self) -> Self {
        let Self { service, kind, fips, dual_stack, is_aws_name, is_any, .. } = *self;
        Self { kind, fips, dual_stack, is_aws_name, is_any, ..Self::of_service(service) }
    }

    pub fn to_facts(&self) -> EndpointFacts {
        EndpointFacts {
            service: Some(self.service),
            kind: self.kind,
            region: self.region.clone(),
            partition: self.partition.map(ToOwned::to_owned),
            account_id: self.account_id.clone(),
            fips: self.fips,
            dual_stack: self.dual_stack,
            host: self.host.clone(),
            is_aws_name: self.is_aws_name,
            is_form_open: self.is_any,
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

    /// It has a form that the grammar knows, or is configured.
    pub fn is_known(&self) -> bool {
        self.kind != Some(EndpointKind::Unrecognised)
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
        let named = &claim.named;
        let is_nameless = first.is_nameless() && !first.named.is_any && self.host.is_none();
        if is_nameless && self.kind.is_none() && named.is_aws_name && claim.others.is_empty() {
            let from = named.to_facts();
            self.kind = from.kind;
            self.account_id = from.account_id;
            self.fips = from.fips;
            self.dual_stack = from.dual_stack;
            self.host = from.host;
            self.is_aws_name = true;
            self.is_form_open = from.is_form_open;
        }
        if self.region.is_none()
            && let (Some(region), partition) = common_place(claim.names())
        {
            self.region = Some(region);
            self.partition = partition.map(ToOwned::to_owned);
        }
    }
}

/// Region and partition that all names have.
pub(super) fn common_place<'a>(
    names: impl Iterator<Item = &'a Named> + Clone,
) -> (Option<String>, Option<&'static str>) {
    let region = same(names.clone().map(|named| &named.region)).cloned().flatten();
    (region, same(names.map(|named| named.partition)).flatten())
}

/// The value that all have.
pub(super) fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

impl Claim {
    const fn new(evidence: Option<EndpointEvidence>, strength: Confidence, named: Named) -> Self {
        Self { evidence, strength, is_doubtful: false, named, others: Vec::new(), has_more: false }
    }

    /// A name that the client says; `is_doubtful` where it need not be the one that is meant.
    pub fn spoken(evidence: EndpointEvidence, named: Named, is_doubtful: bool) -> Self {
        let is_sure = named.is_known() && !is_doubtful;
        let strength = if is_sure { Confidence::Certain } else { Confidence::Possible };
        Self { is_doubtful, ..Self::new(Some(evidence), strength, named) }
    }

    /// The protocol itself says which service it is; `kind` and `host` where the request says more.
    pub fn of_service(
        evidence: Option<EndpointEvidence>,
        service: Service,
        kind: Option<EndpointKind>,
        host: Option<String>,
    ) -> Self {
        let named = Named { kind, host, ..Named::of_service(service) };
        Self::new(evidence, Confidence::Certain, named)
    }

    /// All names that a source has for one address; `None` without any.
    pub fn of_names(evidence: EndpointEvidence, names: impl IntoIterator<Item = Named>) -> Option<Self> {
        let mut names = names.into_iter();
        let first = names.next()?;
        let mut claim = Self::new(Some(evidence), Confidence::Likely, first);
        claim.others.extend(names);
        if !claim.names().any(Named::is_known) {
            claim.strength = Confidence::Possible;
        }
        Some(claim)
    }

    /// Nothing is known of the name but what `named` says.
    pub fn open(named: Named) -> Self {
        Self { is_doubtful: true, ..Self::new(None, Confidence::Possible, named) }
    }

    /// The same source where this is the one name of it.
    pub fn with_name(&self, named: Named) -> Self {
        let is_known = self.is_spoken() || named.is_known();
        let strength = if is_known { self.strength } else { Confidence::Possible };
        Self { is_doubtful: self.is_doubtful, ..Self::new(self.evidence, strength, named) }
    }

    /// It says which service it is, and no name.
    pub fn is_nameless(&self) -> bool {
        self.named.host.is_none() && self.named.kind.is_none() && !self.named.is_aws_name
    }

    /// True where it is one of these very claims.
    pub fn is_one_of(&self, claims: &[&Self]) -> bool {
        claims.iter().any(|claim| std::ptr::eq(self, *claim))
    }

    /// All its names.
    pub fn names(&self) -> impl Iterator<Item = &Named> + Clone {
        std::iter::once(&self.named).chain(&self.others)
    }

    /// The forms of its names, each once.
    pub fn forms(&self) -> Vec<Named> {
        let mut forms: Vec<Named> = Vec::new();
        for form in self.names().map(Named::form) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
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
        let shown = &first.named;
        let is_as_first = |named: &Named| {
            let is_same_endpoint = match self.evidence {
                _ if !first.is_spoken() || first.is_beside_answer(self) => true,
                _ if self.is_spoken() => named.is_same_endpoint(shown),
                Some(EndpointEvidence::Dns) => {
                    !(named.is_aws_name && shown.is_aws_name) || named.fips == shown.fips
                }
                _ => true,
            };
            is_same_endpoint && named.agrees_with(shown)
        };
        let is_there = |named: &&Named| match (region, &named.region) {
            (Some(region), Some(named)) => region == named,
            _ => true,
        };
        if std::ptr::eq(self, first) {
            return self.names().any(|named| is_there(&named));
        }
        self.telling().filter(is_there).any(is_as_first)
    }

    /// The client itself said it.
    pub fn is_spoken(&self) -> bool {
        !matches!(self.evidence, Some(EndpointEvidence::Dns | EndpointEvidence::Certificate))
    }

    /// The address prefixes are those of its service: DAX has others.
    pub fn is_behind_prefixes(&self) -> bool {
        self.named.service != Service::Dax
    }

    /// True where every name of this source is in another region, and none is the very one that `first` says.
    pub fn is_elsewhere(&self, first: &Self) -> bool {
        let shown = &first.named;
        let is_same = |named: &Named| named.host.is_some() && named.host == shown.host;
        self.telling().all(|named| named.is_elsewhere(shown)) && !self.names().any(is_same)
    }

    /// The names that count for what this source says itself: of a certificate, those that do not only look like names of
    /// DynamoDB.
    fn telling(&self) -> impl Iterator<Item = &Named> {
        let is_of_certificate = self.evidence == Some(EndpointEvidence::Certificate);
        self.names().filter(move |named| !is_of_certificate || named.is_known())
    }

    /// For sentences: the host, else the service and region, as far as all names agree in them.
    pub fn phrase(&self) -> String {
        let Some(first) = self.telling().next() else { return self.named.service.to_string() };
        let all_agree =
            |is_same: fn(&Named, &Named) -> bool| self.telling().all(|other| is_same(first, other));
        let region = first.region.as_ref().filter(|_| all_agree(|a, b| a.region == b.region));
        match &first.host {
            Some(host) if all_agree(|a, b| a.host == b.host) => host.clone(),
            _ => region
                .map_or_else(|| first.service.to_string(), |region| format!("{} in {region}", first.service)),
        }
    }
}

/// What a host name says, by the grammar or by configuration.
pub(super) fn named(host: &str, options: &EndpointOptions) -> Option<Named> {
    let host = canonical(host)?;
    let found = recognise(&host).endpoint;
    let named = by_grammar_or(found, || options.hosts.iter().find(|rule| rule.holds(&host)))?;
    Some(named.with_host(host.to_string()))
}

/// What a name says that a certificate is for; `*.` in front stands for any account id or VPC endpoint id, or for any host of a
/// domain that is configured as such.
pub(super) fn named_by_certificate(name: &str, hosts: &[HostRule]) -> Option<Named> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let host = canonical(name);
    let is_meant = |rule: &&HostRule| {
        rule.name.eq_ignore_ascii_case(name) || host.as_ref().is_some_and(|host| rule.holds(host))
    };
    let named = by_grammar_or(recognise_certificate_name(name), || hosts.iter().find(is_meant))?;
    Some(named.with_host(host.map_or_else(|| name.to_ascii_lowercase(), |host| host.to_string())))
}

/// A form that the grammar knows is what it is. What the operator says of a name outranks the mere look of it.
fn by_grammar_or<'a>(
    found: Option<Endpoint>,
    configured: impl FnOnce() -> Option<&'a HostRule>,
) -> Option<Named> {
    match found.map(Named::from) {
        Some(named) if named.is_known() => Some(named),
        found => configured().map(Named::configured).or(found),
    }
}

/// True where a certificate for `name` may be that of an endpoint: a wildcard may be one for DynamoDB's names, or one below
/// them for account ids and endpoint ids, or one for a configured host.
pub(super) fn may_cover_endpoint(name: &str, options: &EndpointOptions) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
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
}
