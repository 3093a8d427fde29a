//! Several names that may be the flow's: what DNS told for one address, what a certificate is for, what may be an outer
//! name beside what DNS told. Each is taken for the name in turn, and what is not the same with all of them is open.

use std::borrow::Cow;

use super::claim::{Claim, Named, same};
use super::partition::partition_of_region;
use super::{MAX_CONFLICTS, Said, SniAlias, shown_of};
use crate::model::{EndpointEvidence, EndpointFacts, EndpointKind, Service};

/// The most names that are taken in turn; more leave the form open. Real certificates of AWS have some ten forms.
const MAX_CANDIDATES: usize = 16;

/// What is said where one of the names is the flow's.
pub(super) struct Candidate<'a> {
    pub claims: Vec<Cow<'a, Claim>>,
    pub is_one_of_certificate: bool,
}

/// A name that may be the flow's.
pub(super) struct Name {
    pub named: Named,
    /// It is one of the names of a certificate, which is for all forms and regions that a service has: that one is not for
    /// the address says nothing.
    is_one_of_certificate: bool,
}

/// Names that may be the flow's, each once. Of more than there is room for, the rest is any name of the services that all of
/// them are for, in the place that they have in common.
pub(super) struct Names {
    kept: Vec<Name>,
    max: usize,
    has_more: bool,
    services: Vec<Service>,
    in_common: Option<Named>,
}

impl Names {
    pub const fn at_most(max: usize) -> Self {
        Self { kept: Vec::new(), max, has_more: false, services: Vec::new(), in_common: None }
    }

    pub fn add(&mut self, named: Named, is_one_of_certificate: bool) {
        if self.kept.iter().any(|known| known.named == named) {
            return;
        }
        let known = self.in_common.iter().chain(std::iter::once(&named));
        self.in_common = Some(Named::any(named.service, known));
        if !self.services.contains(&named.service) {
            self.services.push(named.service);
        }
        if self.kept.len() < self.max {
            self.kept.push(Name { named, is_one_of_certificate });
        } else {
            self.has_more = true;
        }
    }

    /// Those that were added, and what stands for the rest.
    pub fn into_list(mut self) -> Vec<Name> {
        if let Some(in_common) = self.in_common.filter(|_| self.has_more) {
            self.services.sort_unstable();
            self.kept.truncate(self.max.saturating_sub(self.services.len()));
            let any = |service| Named { service, ..in_common.clone() };
            let rest = self.services.into_iter().map(any);
            self.kept.extend(rest.map(|named| Name { named, is_one_of_certificate: false }));
        }
        self.kept
    }
}

/// One for each name that may be the flow's, at least one.
pub(super) fn candidates(said: &Said) -> Vec<Candidate<'_>> {
    let mut each = of_several_names(said);
    if each.is_empty() {
        let claims = said.claims.iter().map(Cow::Borrowed).collect();
        each.push(Candidate { claims, is_one_of_certificate: false });
    }
    each
}

/// The same where there are several; else none.
fn of_several_names(said: &Said) -> Vec<Candidate<'_>> {
    let Some(shown) = shown_of(&said.claims) else { return Vec::new() };
    let (dns, certificate) = (said.by(EndpointEvidence::Dns), said.by(EndpointEvidence::Certificate));
    if shown.is_spoken() {
        return match dns.or(certificate) {
            Some(told) if shown.is_nameless() => behind_request(said, shown, told),
            Some(told) if shown.is_beside_answer(told) => beside_answers(said, shown, told),
            _ => Vec::new(),
        };
    }
    let mut names = Names::at_most(MAX_CANDIDATES);
    if shown.evidence == Some(EndpointEvidence::Certificate) {
        let host = same(shown.names().map(|named| &named.host)).cloned().flatten();
        for named in shown.names() {
            names.add(Named { host: host.clone(), ..named.clone() }, true);
        }
        return in_place_of(said, shown, names);
    }
    for named in shown.names() {
        names.add(named.clone(), false);
    }
    if let Some(certificate) = certificate
        && said.sni_alias == SniAlias::No
        && let forms = certificate.forms()
        && leaves_form_open(shown, &forms)
    {
        // It tells other forms, and nothing of where and of whom: that was told by no answer.
        let account_id = same(shown.names().map(|named| &named.account_id)).cloned().flatten();
        for (shown, form) in shown.names().flat_map(|shown| forms.iter().map(move |form| (shown, form))) {
            let (region, partition) = (shown.region.clone(), shown.partition);
            let account_id = account_id.clone().filter(|_| form.kind == Some(EndpointKind::Account));
            names.add(Named { region, partition, account_id, ..form.clone() }, true);
        }
    }
    in_place_of(said, shown, names)
}

/// A doubtful name of the client's beside what DNS said of the address: each may be the one that was meant, and where the
/// answers are for other names, so may any name.
fn beside_answers<'a>(said: &'a Said, shown: &'a Claim, told: &'a Claim) -> Vec<Candidate<'a>> {
    if told.names().all(|named| *named == shown.named) && !told.has_more {
        return Vec::new();
    }
    let beside = |claim: Cow<'a, Claim>| {
        let others = said.claims.iter().filter(|claim| !claim.is_one_of(&[shown, told])).map(Cow::Borrowed);
        Candidate { claims: std::iter::once(claim).chain(others).collect(), is_one_of_certificate: false }
    };
    let is_told = told.names().any(|named| *named == shown.named);
    let mut candidates = vec![beside(Cow::Borrowed(shown))];
    for named in told.names() {
        let claim = Cow::Owned(told.with_name(named.clone()));
        match candidates.first_mut() {
            // One name, that both say.
            Some(first) if *named == shown.named => first.claims.insert(1, claim),
            _ => candidates.push(beside(claim)),
        }
    }
    if !is_told || told.has_more {
        let all = told.names().chain(std::iter::once(&shown.named));
        candidates.push(beside(Cow::Owned(Claim::open(Named::any(shown.named.service, all)))));
    }
    candidates
}

/// A request says which service it is for, and not by which name: that is one of those that others tell for that service;
/// where all they tell is for others, it is none that is known.
fn behind_request<'a>(said: &'a Said, shown: &Claim, told: &'a Claim) -> Vec<Candidate<'a>> {
    let is_called = |named: &&Named| named.service == shown.named.service;
    let is_any_called = told.names().any(|named| is_called(&named));
    let is_one_of_certificate = told.evidence == Some(EndpointEvidence::Certificate);
    let mut names = Names::at_most(MAX_CANDIDATES);
    for named in told.names().filter(|named| !is_any_called || is_called(named)) {
        names.add(named.clone(), is_one_of_certificate);
    }
    in_place_of(said, told, names)
}

/// All that is said, with one name at a time in place of all of `source`.
fn in_place_of<'a>(said: &'a Said, source: &'a Claim, mut names: Names) -> Vec<Candidate<'a>> {
    // Nothing is in doubt where that name is told already.
    if let [only] = names.kept.as_slice()
        && !source.has_more
        && source.names().all(|named| *named == only.named)
    {
        return Vec::new();
    }
    names.has_more |= source.has_more;
    let replaced = |name: Name| {
        let one = |claim: &'a Claim| match claim.is_one_of(&[source]) {
            true => Cow::Owned(claim.with_name(name.named.clone())),
            false => Cow::Borrowed(claim),
        };
        let claims = said.claims.iter().map(one).collect();
        Candidate { claims, is_one_of_certificate: name.is_one_of_certificate }
    };
    names.into_list().into_iter().map(replaced).collect()
}

/// True where the client says no name and none of what DNS told has the form of a name of AWS in the certificate: it need not
/// have asked for what was told.
fn leaves_form_open(told: &Claim, forms: &[Named]) -> bool {
    let mut of_aws = forms.iter().filter(|form| form.is_aws_name && form.is_known()).peekable();
    let is_told = |form: &Named| told.names().any(|named| (named.kind, named.fips) == (form.kind, form.fips));
    let are_names_of_aws = told.names().all(|named| named.is_aws_name);
    !told.is_doubtful && are_names_of_aws && of_aws.peek().is_some() && !of_aws.any(is_told)
}

/// What is so whichever of the names is the flow's; `is_spoken` where the first is what the client says.
pub(super) fn in_common(mut each: Vec<(EndpointFacts, bool)>, is_spoken: bool) -> Option<EndpointFacts> {
    // Of what only looks like a name nobody knows where it leads, and no name of DAX leads to an address of the list.
    let may_be_there = |facts: &EndpointFacts| {
        facts.conflict.is_empty()
            && facts.service != Some(Service::Dax)
            && facts.kind != Some(EndpointKind::Unrecognised)
    };
    // For a name of AWS the certificate is whichever was meant.
    let has_aws_name = each.iter().any(|(facts, _)| facts.is_aws_name);
    for (facts, _) in &mut each {
        facts.is_aws_name_open |= has_aws_name && !facts.is_aws_name;
    }
    // Of a certificate's names, one that is for the address was meant.
    if each.iter().any(|(facts, _)| facts.is_in_prefix && may_be_there(facts)) {
        each.retain(|(facts, is_one_of_certificate)| !is_one_of_certificate || facts.conflict.is_empty());
    }
    let mut alternatives: Vec<EndpointFacts> = each.into_iter().map(|(facts, _)| facts).collect();
    if alternatives.len() < 2 {
        return alternatives.pop();
    }
    let (first, all) = (alternatives.first()?, || alternatives.iter());
    let has_many_services = same(all().map(|facts| facts.service)).is_none();
    let told_region = same(all().map(|facts| &facts.region)).cloned().flatten();
    let by_address = || first.prefix_region.clone().filter(|_| all().any(may_be_there));
    let (region, partition) = match (told_region, by_address()) {
        (None, Some(region)) => {
            let partition = partition_of_region(&region).to_owned();
            (Some(region), Some(partition))
        }
        (told, _) => (told, same(all().map(|facts| &facts.partition)).cloned().flatten()),
    };
    // Where none is for the region of the address, it is none of them or any.
    let is_in_region = |facts: &&EndpointFacts| facts.region.is_none() || facts.region == region;
    let is_told = region.is_some() && all().any(|facts| is_in_region(&facts));
    let may_be_meant = |facts: &&EndpointFacts| !is_told || is_in_region(facts);
    // The same addresses serve several APIs; most of it is the data plane.
    let services = || all().filter(may_be_meant).filter_map(|facts| facts.service);
    let service = match services().find(|service| *service == Service::Dynamodb) {
        _ if is_spoken => first.service,
        None => services().min(),
        data_plane => data_plane,
    };
    let is_of_service = |facts: &&EndpointFacts| facts.service == service;
    // What the client says may be for another region.
    let is_service_there = all().filter(is_of_service).any(|facts| may_be_meant(&facts));
    let is_there =
        |facts: &&EndpointFacts| is_of_service(facts) && (may_be_meant(facts) || !is_service_there);
    let mut evidence: Vec<EndpointEvidence> =
        all().filter(is_there).flat_map(|facts| facts.evidence.iter().copied()).collect();
    evidence.sort_unstable();
    evidence.dedup();
    let is_contradicted = all().all(|facts| !facts.conflict.is_empty());
    let is_address_unproven = all().any(|facts| facts.is_address_unproven)
        || !is_contradicted && all().any(|facts| !facts.conflict.is_empty())
        // What need not be the name contradicts nothing, and where it is for elsewhere, nothing is proved.
        || is_spoken && same(all().filter_map(|facts| facts.region.as_ref())).is_none();
    let facts = EndpointFacts {
        service,
        kind: same(all().map(|facts| facts.kind)).flatten(),
        confidence: all().filter(is_there).filter_map(|facts| facts.confidence).max(),
        account_id: same(all().map(|facts| &facts.account_id)).cloned().flatten(),
        fips: all().all(|facts| facts.fips),
        dual_stack: all().all(|facts| facts.dual_stack),
        host: same(all().map(|facts| &facts.host)).cloned().flatten(),
        is_aws_name: all().all(|facts| facts.is_aws_name),
        is_aws_name_open: all().any(|facts| facts.is_aws_name_open),
        has_many_services,
        is_form_open: all().any(|facts| facts.is_form_open),
        conflict: if is_contradicted { sentences(&alternatives) } else { Vec::new() },
        is_address_unproven,
        is_in_prefix: first.is_in_prefix,
        prefix_region: first.prefix_region.clone(),
        partition_has_prefixes: all().all(|facts| facts.partition_has_prefixes),
        region,
        partition,
        evidence,
        alternatives: Vec::new(),
    };
    // What a sentence names is the likeliest of them.
    alternatives.sort_by_key(|one| {
        let is_nowhere = one.is_in_prefix && one.service == Some(Service::Dax);
        (!one.conflict.is_empty() || is_nowhere, one.region != facts.region)
    });
    Some(EndpointFacts { alternatives, ..facts })
}

/// What contradicts the names, each said once; of what only stands for some form, where there is nothing else.
fn sentences(alternatives: &[EndpointFacts]) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let has_names = alternatives.iter().any(|facts| facts.host.is_some());
    let told = alternatives.iter().filter(|facts| facts.host.is_some() || !has_names);
    for sentence in told.flat_map(|facts| &facts.conflict) {
        if sentences.len() < MAX_CONFLICTS && !sentences.contains(sentence) {
            sentences.push(sentence.clone());
        }
    }
    sentences
}
