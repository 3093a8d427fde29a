//! Several names that may be the flow's: what DNS told for one address, what a certificate is for, what may be an outer
//! name beside what DNS told. Each is taken for the name in turn, and what is not the same with all of them is open.

use std::borrow::Cow;

use super::claim::{Claim, Named, same};
use super::partition::partition_of_region;
use super::{MAX_CONFLICTS, Said, shown_of};
use crate::classify::SniAlias;
use crate::model::{EndpointEvidence, EndpointFacts, EndpointKind, Service};

/// The most names that are taken in turn; more leave the form open. Real certificates of AWS have some ten forms.
const MAX_CANDIDATES: usize = 16;

/// What is said where one of the names is the flow's.
pub(super) struct Candidate<'a> {
    pub claims: Vec<Cow<'a, Claim>>,
    pub is_one_of_certificate: bool,
}

/// A name that may be the flow's.
#[derive(PartialEq)]
struct Name {
    named: Named,
    /// It is one of the names of a certificate, which is for all forms and regions that a service has: that one is not for
    /// the address says nothing.
    is_one_of_certificate: bool,
}

/// One for each name that may be the flow's; none where it is the only one.
pub(super) fn candidates(said: &Said) -> Vec<Candidate<'_>> {
    let Some(shown) = shown_of(&said.claims) else { return Vec::new() };
    let (dns, certificate) = (said.by(EndpointEvidence::Dns), said.by(EndpointEvidence::Certificate));
    if shown.is_spoken() {
        return match dns.or(certificate) {
            Some(told) if shown.is_nameless() => behind_request(said, shown, told),
            Some(told) if shown.is_beside_answer(told) => beside_answers(said, shown, told),
            _ => Vec::new(),
        };
    }
    let mut names = Vec::new();
    if shown.evidence == Some(EndpointEvidence::Certificate) {
        let host = same(shown.names().map(|named| &named.host)).cloned().flatten();
        for named in shown.names() {
            add(&mut names, Named { host: host.clone(), ..named.clone() }, true);
        }
        return in_place_of(said, shown, names);
    }
    for named in shown.names() {
        add(&mut names, named.clone(), false);
    }
    if let Some(certificate) = certificate
        && said.sni_alias == SniAlias::No
        && leaves_form_open(shown, certificate)
    {
        // It tells other forms, and nothing of where and of whom: that was told by no answer.
        let account_id = same(shown.names().map(|named| &named.account_id)).cloned().flatten();
        for (shown, named) in
            shown.names().flat_map(|shown| certificate.names().map(move |named| (shown, named)))
        {
            let (region, partition) = (shown.region.clone(), shown.partition);
            let account_id = account_id.clone().filter(|_| named.kind == Some(EndpointKind::Account));
            add(&mut names, Named { region, partition, account_id, host: None, ..named.clone() }, true);
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
    let mut names = Vec::new();
    for named in told.names().filter(|named| !is_any_called || is_called(named)) {
        add(&mut names, named.clone(), is_one_of_certificate);
    }
    in_place_of(said, told, names)
}

/// All that is said, with one name at a time in place of all of `source`.
fn in_place_of<'a>(said: &'a Said, source: &'a Claim, mut names: Vec<Name>) -> Vec<Candidate<'a>> {
    // Nothing is in doubt where that name is told already.
    if let [only] = names.as_slice()
        && !source.has_more
        && source.names().all(|named| *named == only.named)
    {
        return Vec::new();
    }
    close(&mut names, source.has_more);
    let replaced = |name: Name| {
        let one = |claim: &'a Claim| match claim.is_one_of(&[source]) {
            true => Cow::Owned(claim.with_name(name.named.clone())),
            false => Cow::Borrowed(claim),
        };
        let claims = said.claims.iter().map(one).collect();
        Candidate { claims, is_one_of_certificate: name.is_one_of_certificate }
    };
    names.into_iter().map(replaced).collect()
}

fn add(names: &mut Vec<Name>, named: Named, is_one_of_certificate: bool) {
    if names.iter().all(|known| known.named != named) {
        names.push(Name { named, is_one_of_certificate });
    }
}

/// Of more names than can be taken in turn, or than are known, the rest is any name of the services they are for.
fn close(names: &mut Vec<Name>, has_more: bool) {
    if names.len() <= MAX_CANDIDATES && !has_more {
        return;
    }
    let mut services: Vec<Service> = names.iter().map(|name| name.named.service).collect();
    services.sort_unstable();
    services.dedup();
    let any = |service| Named::any(service, names.iter().map(|name| &name.named));
    let rest: Vec<Named> = services.into_iter().map(any).collect();
    names.truncate(MAX_CANDIDATES - rest.len());
    names.extend(rest.into_iter().map(|named| Name { named, is_one_of_certificate: false }));
}

/// True where the client says no name and none of what DNS told has the form of a name in the certificate: it need not
/// have asked for what was told.
fn leaves_form_open(told: &Claim, certificate: &Claim) -> bool {
    let has_form = |named: &Named| {
        let is_of_form = |shown: &Named| (shown.kind, shown.fips) == (named.kind, named.fips);
        certificate.names().filter(|shown| shown.is_known()).any(is_of_form)
    };
    let mut all = told.names().chain(certificate.names());
    !told.is_doubtful && all.all(|named| named.is_aws_name) && !told.names().any(has_form)
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
    // The same addresses serve several APIs; most of it is the data plane.
    let is_data_plane = |facts: &EndpointFacts| facts.service == Some(Service::Dynamodb);
    let service = match all().find(|facts| is_data_plane(facts)) {
        Some(facts) if !is_spoken => facts.service,
        None if !is_spoken => all().filter_map(|facts| facts.service).min(),
        _ => first.service,
    };
    let told_region = same(all().map(|facts| &facts.region)).cloned().flatten();
    let by_address = || first.prefix_region.clone().filter(|_| all().any(may_be_there));
    let (region, partition) = match (told_region, by_address()) {
        (None, Some(region)) => {
            let partition = partition_of_region(&region).to_owned();
            (Some(region), Some(partition))
        }
        (told, _) => (told, same(all().map(|facts| &facts.partition)).cloned().flatten()),
    };
    let is_there = |facts: &&EndpointFacts| {
        facts.service == service && (region.is_none() || facts.region.is_none() || facts.region == region)
    };
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
    alternatives.sort_by_key(|one| (!one.conflict.is_empty(), one.region != facts.region));
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
