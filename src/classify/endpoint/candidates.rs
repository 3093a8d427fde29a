//! Several names that may be the flow's: what DNS told for one address, what a certificate is for, what may be an outer
//! name beside what DNS told. Each is taken for the name in turn, and what is not the same with all of them is open.

use super::claim::{Claim, Named};
use super::partition::partition_of_region;
use super::{Said, shown_of};
use crate::classify::SniAlias;
use crate::model::{EndpointEvidence, EndpointFacts, Service};

/// The most names that are taken in turn; more leave the form open. Real certificates of AWS have some ten forms.
const MAX_CANDIDATES: usize = 16;

/// What is said where one of the names is the flow's.
pub(super) struct Candidate {
    pub claims: Vec<Claim>,
    /// It is one of the names of a certificate, which is for all forms and regions that a service has: that one is not for
    /// the address says nothing.
    pub is_one_of_certificate: bool,
}

/// One for each name that may be the flow's; none where it is the only one.
pub(super) fn candidates(said: &Said) -> Vec<Candidate> {
    let Some(shown) = shown_of(&said.claims) else { return Vec::new() };
    let dns = said.by(EndpointEvidence::Dns);
    if shown.is_spoken() {
        return match dns.or_else(|| said.by(EndpointEvidence::Certificate)) {
            Some(told) if shown.is_nameless() => behind_request(said, shown, told),
            Some(told) if shown.is_beside_answer(told) && shown.named.is_known() => {
                beside_answers(said, shown, told)
            }
            _ => Vec::new(),
        };
    }
    let mut names: Vec<(Named, bool)> = Vec::new();
    let is_certificate = shown.evidence == Some(EndpointEvidence::Certificate);
    for named in shown.names() {
        let named = if is_certificate { named.without_host() } else { named.clone() };
        add(&mut names, named, is_certificate);
    }
    if let [(only, _)] = names.as_mut_slice()
        && shown.names().all(|named| named.host == shown.named.host)
    {
        only.host.clone_from(&shown.named.host);
    }
    if let Some(certificate) = said.by(EndpointEvidence::Certificate)
        && !is_certificate
        && said.sni_alias == SniAlias::No
        && leaves_form_open(shown, certificate)
    {
        // It tells other forms, and nothing of where: that was told by no answer.
        let (region, partition) = common_place(shown.names());
        for named in certificate.names() {
            let named = Named { region: region.clone(), partition, account_id: None, ..named.without_host() };
            add(&mut names, named, true);
        }
    }
    close(&mut names, shown.named.service);
    in_place_of(said, shown, names)
}

/// A doubtful name of the client's beside what DNS said of the address: each may be the one that was meant, and where the
/// answers are for other names, so may any name.
fn beside_answers(said: &Said, shown: &Claim, told: &Claim) -> Vec<Candidate> {
    if told.names().all(|named| *named == shown.named) {
        return Vec::new();
    }
    let others = || said.claims.iter().filter(|claim| !claim.is_one_of(&[shown, told])).cloned();
    let beside = |claim: Claim| Candidate {
        claims: std::iter::once(claim).chain(others()).collect(),
        is_one_of_certificate: false,
    };
    let mut names: Vec<(Named, bool)> = Vec::new();
    told.names().for_each(|named| add(&mut names, named.clone(), false));
    close(&mut names, shown.named.service);
    let mut candidates = vec![beside(shown.clone())];
    candidates.extend(names.into_iter().map(|(named, _)| beside(told.with_name(named))));
    if told.names().all(|named| named.host != shown.named.host) {
        let all = told.names().chain([&shown.named]);
        let (region, partition) = common_place(all);
        candidates.push(beside(Claim::open(Named::any(shown.named.service, region, partition))));
    }
    candidates
}

/// A request says which service it is for, and not by which name: that is one of those that others tell, or none where
/// it is for another service.
fn behind_request(said: &Said, shown: &Claim, told: &Claim) -> Vec<Candidate> {
    let mut names: Vec<(Named, bool)> = Vec::new();
    let is_certificate = told.evidence == Some(EndpointEvidence::Certificate);
    for named in told.names() {
        add(&mut names, named.clone(), is_certificate);
    }
    close(&mut names, shown.named.service);
    in_place_of(said, told, names)
}

/// All that is said, with one name at a time in place of all of `source`.
fn in_place_of(said: &Said, source: &Claim, names: Vec<(Named, bool)>) -> Vec<Candidate> {
    // Nothing is in doubt where that name is told already.
    if let [(only, _)] = names.as_slice()
        && source.names().all(|named| named == only)
    {
        return Vec::new();
    }
    let replaced = |(named, is_one_of_certificate): (Named, bool)| {
        let one = |claim: &Claim| {
            if claim.is_one_of(&[source]) { claim.with_name(named.clone()) } else { claim.clone() }
        };
        Candidate { claims: said.claims.iter().map(one).collect(), is_one_of_certificate }
    };
    names.into_iter().map(replaced).collect()
}

fn add(names: &mut Vec<(Named, bool)>, named: Named, is_one_of_certificate: bool) {
    // One more than is taken tells that there are more.
    if names.len() <= MAX_CANDIDATES && names.iter().all(|(known, _)| *known != named) {
        names.push((named, is_one_of_certificate));
    }
}

/// Any name may be the flow's where there are more than can be taken in turn.
fn close(names: &mut Vec<(Named, bool)>, service: Service) {
    if names.len() > MAX_CANDIDATES {
        let (region, partition) = common_place(names.iter().map(|(named, _)| named));
        names.truncate(MAX_CANDIDATES - 1);
        names.push((Named::any(service, region, partition), false));
    }
}

/// Region and partition that all names have.
fn common_place<'a>(
    names: impl Iterator<Item = &'a Named> + Clone,
) -> (Option<String>, Option<&'static str>) {
    let region = same(names.clone().map(|named| &named.region)).cloned().flatten();
    (region, same(names.map(|named| named.partition)).flatten())
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

/// What is so whichever of the names is the flow's.
pub(super) fn in_common(mut each: Vec<(EndpointFacts, bool)>, is_spoken: bool) -> Option<EndpointFacts> {
    // Of a certificate's names, one that is for the address was meant.
    if each.iter().any(|(facts, _)| facts.is_in_prefix && facts.conflict.is_empty()) {
        for (facts, _) in each.iter_mut().filter(|(_, is_one_of_certificate)| *is_one_of_certificate) {
            facts.conflict.clear();
        }
    }
    let alternatives: Vec<EndpointFacts> = each.into_iter().map(|(facts, _)| facts).collect();
    let (first, all) = (alternatives.first()?, || alternatives.iter());
    let has_many_services = same(all().map(|facts| facts.service)).is_none();
    // The same addresses serve several APIs; most of it is the data plane.
    let is_data_plane = |facts: &EndpointFacts| facts.service == Some(Service::Dynamodb);
    let service = match all().find(|facts| is_data_plane(facts)) {
        Some(facts) if !is_spoken => facts.service,
        None if !is_spoken => all().filter_map(|facts| facts.service).min(),
        _ => first.service,
    };
    let may_be_there =
        |facts: &EndpointFacts| facts.conflict.is_empty() && facts.service != Some(Service::Dax);
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
    Some(EndpointFacts {
        service,
        kind: same(all().map(|facts| facts.kind)).flatten(),
        confidence: all().filter(is_there).filter_map(|facts| facts.confidence).max(),
        account_id: same(all().map(|facts| &facts.account_id)).cloned().flatten(),
        fips: all().all(|facts| facts.fips),
        dual_stack: all().all(|facts| facts.dual_stack),
        host: same(all().map(|facts| &facts.host)).cloned().flatten(),
        is_aws_name: all().all(|facts| facts.is_aws_name),
        has_many_services,
        is_form_open: all().any(|facts| facts.is_form_open),
        conflict: if is_contradicted { first.conflict.clone() } else { Vec::new() },
        is_address_unproven,
        is_in_prefix: first.is_in_prefix,
        prefix_region: first.prefix_region.clone(),
        partition_has_prefixes: all().all(|facts| facts.partition_has_prefixes),
        region,
        partition,
        evidence,
        alternatives,
    })
}

/// The value that all have.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
