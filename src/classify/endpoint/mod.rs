//! Names, addresses and what was said in clear → which endpoint of DynamoDB a flow goes to.
//!
//! Every source makes a claim of its own strength, and one is shown: what the client itself says, known or not; without
//! such a name what DNS told it, else what the certificate is for, else the prefix. No source replaces the name of another,
//! unless that stands for its own (CNAME). Where several names may be the flow's, the endpoint is decided for each of them
//! ([`candidates`]), and what they do not agree in is open. Claims that agree with the one shown are its evidence, those
//! that do not are named as contradictions where they cannot both be so.

mod candidates;
mod claim;
mod grammar;
pub(super) mod partition;
mod spoken;

use std::borrow::{Borrow, Cow};
use std::cell::OnceCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arrayvec::ArrayVec;

use self::candidates::{Candidate, Names, candidates, in_common};
use self::claim::{Claim, Named, may_cover_endpoint, named, named_by_certificate};
pub(super) use self::grammar::is_recognised;
pub use self::grammar::{Recognition, Why, recognise};
use self::partition::partition_of_region;
pub use self::spoken::addressee;
use self::spoken::{Spoken, Stranger, is_loopback, shown, spoken};
use super::{EndpointOptions, HostRule, Listed, SniAlias};
use crate::model::{
    CertificateFacts, Confidence, EncryptedHello, EndpointEvidence, EndpointFacts, EndpointKind, HttpFacts,
    ProxyFacts, ProxyKind, Service, Sni, embedded, is_private,
};

/// The most conflicts named for one flow: one per pair of sources is already more than there can be.
const MAX_CONFLICTS: usize = 8;

/// The most names of DynamoDB that are kept of one certificate; real certificates of AWS have a few dozen.
const MAX_CERTIFICATE_NAMES: usize = 64;

/// The most addresses of one server: its own, and those of as many views as are kept of a flow.
const MAX_ADDRESSES: usize = 9;

/// What is known of one flow.
#[derive(Clone, Copy, Debug)]
pub struct EndpointInput<'a> {
    /// What the client says in clear.
    pub sni: Sni<'a>,
    /// Beside an Encrypted Client Hello the SNI may be an outer name.
    pub encrypted_hello: EncryptedHello,
    /// The leaf that the server showed in clear.
    pub certificate: Option<&'a CertificateFacts>,
    /// The head of the request that the record is of.
    pub http: Option<&'a HttpFacts>,
    /// What was asked of a proxy in front.
    pub proxy: Option<&'a ProxyFacts>,
    /// All that the client said before the handshake or the request is known. Else the server may be a proxy, which was
    /// asked for the name before.
    pub is_from_beginning: bool,
    /// What the client had been told in DNS for the server's address.
    pub dns_names: &'a [Arc<str>],
    /// It was told more names than are kept.
    pub has_more_dns_names: bool,
    /// Not this client's address was told those names, but one of the other address family, which may
    /// be the same host's.
    pub is_dns_of_other_family: bool,
    /// The client was told that the SNI stands for `dns_names`.
    pub sni_alias: SniAlias,
    /// The two ends, as the client knows them.
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// The same two ends under other addresses, before or behind address translation.
    pub translated: &'a [(SocketAddr, SocketAddr)],
}

/// The addresses of a server: that which the client wants to reach, and what it was translated into.
pub type ServerAddresses = ArrayVec<IpAddr, MAX_ADDRESSES>;

impl EndpointInput<'_> {
    /// The addresses that DynamoDB is reached at, as far as they are told: behind a proxy the one it was asked for, if it was
    /// asked for one. Each once, the one that the client itself uses first.
    #[must_use]
    pub fn addresses(&self) -> ServerAddresses {
        let mut addresses = ServerAddresses::new();
        match self.tunnel().map(|proxy| (proxy.kind, &proxy.target)) {
            Some((_, Some(target))) => addresses.extend(host_of(target).parse()),
            // Without a destination, the PROXY protocol only announces the connection itself.
            Some((kind, None)) if kind != ProxyKind::ProxyProtocol => {}
            None if self.is_proxied() => {}
            _ => {
                let behind = self.translated.iter().map(|(_, server)| server.ip());
                for address in std::iter::once(self.server.ip()).chain(behind) {
                    if addresses.iter().all(|known| embedded(*known) != embedded(address)) {
                        let _ = addresses.try_push(address);
                    }
                }
            }
        }
        addresses
    }

    /// The server's address is that of a proxy.
    fn is_proxied(&self) -> bool {
        self.proxy.is_some() || self.is_absolute_form()
    }

    /// The request says itself to a proxy where it is to go.
    fn is_absolute_form(&self) -> bool {
        self.http.is_some_and(|http| http.is_absolute_form)
    }

    /// The proxy that was asked for a connection, and gave it: to one that did not, a request may follow on the same
    /// connection, to be passed on to anywhere.
    fn tunnel(&self) -> Option<&ProxyFacts> {
        self.proxy.filter(|_| !self.is_absolute_form())
    }
}

/// Decides which endpoint a flow goes to; `None` where nothing says that it is DynamoDB's.
///
/// Confidence: a name the client said itself (SNI, HTTP request head, proxy target) is `certain`;
/// a DNS answer, an address prefix or a certificate alone is `likely`, two that agree are `certain`; an
/// SNI beside an ECH extension, a name the grammar does not know, and a DNS answer to an address of the
/// other family, are `possible` alone. So is the SNI of a hello that was cut where it may have had that extension: what
/// is missing never makes a name surer. In captures with a short snap length that holds for every name, and an address
/// prefix or a DNS answer beside it makes it `likely` again; a DNS answer that is for another name leaves its kind open.
///
/// The evidence `http_host` stands for the head of a plaintext request: its Host, or the operation it
/// asks for where the Host does not say.
#[must_use]
pub fn endpoint(input: &EndpointInput<'_>, options: &EndpointOptions) -> Option<EndpointFacts> {
    let said = Said::of(input, options);
    let addresses = input.addresses();
    let listed = addresses.iter().filter_map(|address| options.prefixes.lookup(*address)).collect();
    let place = Place { input, options, addresses: &addresses, listed, certified: OnceCell::new() };
    let is_spoken = shown_of(&said.claims).is_some_and(Claim::is_spoken);
    let each = candidates(&said).into_iter().filter_map(|Candidate { claims, is_one_of_certificate }| {
        Some((place.endpoint(&claims, &said)?, is_one_of_certificate))
    });
    in_common(each.collect(), is_spoken)
}

/// All that was said of the endpoint.
struct Said {
    claims: Vec<Claim>,
    strangers: Vec<Stranger>,
    /// The client was perhaps told that its server name stands for what DNS said.
    may_be_alias: bool,
    sni_alias: SniAlias,
}

impl Said {
    fn of(input: &EndpointInput<'_>, options: &EndpointOptions) -> Self {
        let Spoken { mut claims, mut strangers } = spoken(input, options);
        // What DNS says explains the name, but for one of another service of AWS: what that leads to is not the client's to say.
        let is_explained = |stranger: &Stranger| {
            stranger.evidence == EndpointEvidence::Sni && !stranger.is_aws && !input.is_proxied()
        };
        match input.sni_alias {
            SniAlias::Yes => strangers.retain(|stranger| !is_explained(stranger)),
            SniAlias::Possible => {
                for stranger in &mut strangers {
                    stranger.may_be_alias = is_explained(stranger);
                }
            }
            SniAlias::No => {}
        }
        let may_be_alias = strangers.iter().any(|stranger| stranger.may_be_alias);
        // Many hosts have their name in one certificate: that the operator calls one of them DynamoDB says nothing of a
        // client that names another.
        let names_another = claims.is_empty() && !strangers.is_empty();
        // A clear name for something else outranks what DNS said; behind a proxy, DNS spoke of the proxy.
        let is_other = strangers.iter().any(|stranger| {
            stranger.evidence != EndpointEvidence::ProxyTarget
                && !stranger.is_beside_call
                && !stranger.may_be_alias
        });
        // What another address was told counts only where the client says nothing itself.
        let is_dns_heard = !input.is_dns_of_other_family || claims.is_empty();
        if !is_other && !input.is_proxied() && is_dns_heard {
            let names = input.dns_names.iter().filter_map(|name| named(name, options));
            if let Some(mut claim) = Claim::of_names(EndpointEvidence::Dns, names) {
                claim.has_more = input.has_more_dns_names;
                if input.is_dns_of_other_family || may_be_alias {
                    claim.is_doubtful = true;
                    claim.strength = Confidence::Possible;
                }
                claims.push(claim);
            }
        }
        let configured = if names_another { &[][..] } else { &options.hosts };
        claims.extend(input.certificate.and_then(|certificate| certificate_claim(certificate, configured)));
        Self { claims, strangers, may_be_alias, sni_alias: input.sni_alias }
    }

    /// What one source says, where it says anything.
    fn by(&self, evidence: EndpointEvidence) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.evidence == Some(evidence))
    }

    /// True where the certificate is for a name of AWS.
    fn is_shown_for_aws(&self) -> bool {
        let shown = self.by(EndpointEvidence::Certificate);
        shown.is_some_and(|shown| shown.names().any(|named| named.is_aws_name))
    }
}

/// Where a flow goes to, whatever its name.
struct Place<'a> {
    input: &'a EndpointInput<'a>,
    options: &'a EndpointOptions,
    addresses: &'a [IpAddr],
    /// Of those that are in the list.
    listed: ArrayVec<Listed<'a>, MAX_ADDRESSES>,
    /// What [`Place::other_certified`] answers, once it was asked.
    certified: OnceCell<Option<String>>,
}

impl Place<'_> {
    /// Whom the certificate is for, where DynamoDB has no name in it.
    fn other_certified(&self) -> Option<&str> {
        let answer = self.certified.get_or_init(|| {
            let names = certificate_names(self.input.certificate?);
            let is_of_others = !names.iter().any(|name| may_cover_endpoint(name, self.options));
            is_of_others.then(|| names.first().map_or_else(|| "nobody".to_owned(), |name| shown(name)))
        });
        answer.as_deref()
    }

    /// The endpoint by these claims, of which the one that is shown has one name.
    fn endpoint(&self, claims: &[Cow<'_, Claim>], said: &Said) -> Option<EndpointFacts> {
        let Self { input, options, listed, .. } = self;
        let Some(first) = shown_of(claims) else {
            return Some(self.by_prefix(common(listed)?, &said.strangers));
        };
        let mut conflict = Conflicts::default();
        // Where the client says a name of the endpoint, whether the certificate covers that is another rule's question.
        let is_of_dns = first.evidence == Some(EndpointEvidence::Dns) && first.named.is_aws_name;
        let is_named_by_dns =
            input.sni == Sni::NotSent || input.sni_alias == SniAlias::Yes || said.may_be_alias;
        if is_of_dns && is_named_by_dns && first.named.service != Service::Dax {
            conflict.with_certificate(self.other_certified(), &first.phrase());
        }
        let mut facts = self.facts(first, claims, said);
        let mut weighed = self.weigh_claims(first, claims, &mut facts, &mut conflict);
        self.weigh_strangers(first, said, &mut conflict);
        self.weigh_prefixes(first, &mut facts, &mut weighed, &mut conflict);
        (facts.evidence, facts.confidence) = weighed.into_evidence();
        facts.is_in_prefix = !listed.is_empty();
        facts.prefix_region = common(listed).and_then(Listed::region).map(ToOwned::to_owned);
        facts.partition_has_prefixes =
            facts.partition.as_deref().is_some_and(|partition| options.prefixes.has_partition(partition));
        self.weigh_other_addresses(&mut facts, &mut conflict);
        facts.conflict = conflict.sentences;
        Some(facts)
    }

    /// Nothing but the address says DynamoDB.
    fn by_prefix(&self, listed: Listed<'_>, strangers: &[Stranger]) -> EndpointFacts {
        let input = self.input;
        let owner = listed.owner();
        let region = listed.region();
        let mut conflict = Conflicts::default();
        // Beside an ECH extension another name is what is to be expected.
        for stranger in strangers.iter().filter(|stranger| !stranger.is_doubtful()) {
            conflict.add(stranger.at_address_of(&owner));
        }
        // A certificate in clear means that ECH was not taken up, too.
        let may_be_alias = strangers.iter().any(|stranger| stranger.may_be_alias);
        if input.sni == Sni::NotSent || input.encrypted_hello != EncryptedHello::NotSent || may_be_alias {
            conflict.with_certificate(self.other_certified(), &format!("an address of {owner}"));
        }
        let mut evidence = vec![EndpointEvidence::Prefix];
        if input.tunnel().is_some_and(|proxy| proxy.target.is_some()) {
            evidence.push(EndpointEvidence::ProxyTarget);
        }
        EndpointFacts {
            service: Some(Service::Dynamodb),
            region: region.map(ToOwned::to_owned),
            partition: region.map(|region| partition_of_region(region).to_owned()),
            evidence,
            confidence: Some(Confidence::Likely),
            conflict: conflict.sentences,
            is_address_unproven: may_be_alias,
            is_in_prefix: true,
            prefix_region: region.map(ToOwned::to_owned),
            partition_has_prefixes: true,
            ..EndpointFacts::default()
        }
    }

    /// What the name that is shown says, and what it leaves to others that agree with it.
    fn facts(&self, first: &Claim, claims: &[Cow<'_, Claim>], said: &Said) -> EndpointFacts {
        let mut facts = first.named.to_facts();
        // What need not be the name contradicts nothing, and proves nothing.
        facts.is_address_unproven = said.may_be_alias;
        for claim in claims.iter().filter(|claim| claim.agrees_with(first)) {
            facts.complete(first, claim);
        }
        // Whichever name was meant, the certificate is for one of AWS.
        facts.is_aws_name_open = !facts.is_aws_name && !first.is_spoken() && said.is_shown_for_aws();
        if first.is_behind_prefixes()
            && facts.kind != Some(EndpointKind::Interface)
            && facts.region.is_none()
            && let Some(region) = self.listed.iter().find_map(|listed| listed.region())
        {
            facts.partition = Some(partition_of_region(region).to_owned());
            facts.region = Some(region.to_owned());
        }
        facts
    }

    /// What other names say of the one that is shown.
    fn weigh_claims(
        &self,
        first: &Claim,
        claims: &[Cow<'_, Claim>],
        facts: &mut EndpointFacts,
        conflict: &mut Conflicts,
    ) -> Weighed {
        let mut weighed = Weighed::default();
        for claim in claims {
            if claim.is_evidence_of(first, facts.region.as_deref()) {
                weighed.add(claim.evidence, claim.strength);
            } else if claim.agrees_with(first) || claim.is_spoken() && claim.is_doubtful {
                // It is for another region than others tell, and leaves open which of them was meant; or it need not be the
                // name that was meant.
                facts.is_address_unproven = true;
            } else if !first.is_beside_answer(claim) {
                conflict.between(first, claim);
            }
        }
        weighed
    }

    /// What names in clear that are not DynamoDB's say of the one that is shown.
    fn weigh_strangers(&self, first: &Claim, said: &Said, conflict: &mut Conflicts) {
        for stranger in said.strangers.iter().filter(|stranger| !stranger.is_doubtful()) {
            if !stranger.is_beside_call {
                conflict.with_stranger(first, stranger);
            } else if let Some(listed) = common(&self.listed) {
                conflict.add(stranger.at_address_of(&listed.owner()));
            } else if let Some(address) = self.addresses.iter().find(|address| !is_private(**address))
                && is_loopback(&stranger.host)
            {
                let (source, host) = (stranger.source(), &stranger.host);
                conflict
                    .add(format!("The {source} is for {host}, but the address {address} is a public one."));
            }
        }
    }

    /// What the prefixes that hold the addresses say of the name.
    fn weigh_prefixes(
        &self,
        first: &Claim,
        facts: &mut EndpointFacts,
        weighed: &mut Weighed,
        conflict: &mut Conflicts,
    ) {
        for listed in self.listed.iter().filter(|_| first.is_behind_prefixes()) {
            let region = listed.region();
            let elsewhere = facts.region.as_deref().filter(|named| !listed.may_be_in(named));
            if facts.kind == Some(EndpointKind::Interface) {
                conflict.add(format!(
                    "The name is that of an interface endpoint, but the address is one of DynamoDB's public ones{}.",
                    region.map(|region| format!(" in {region}")).unwrap_or_default()
                ));
            } else if let Some(named) = elsewhere {
                let owner = listed.owner();
                conflict.add(format!("The name says region {named}, but the address belongs to {owner}."));
            } else if !weighed.evidence.contains(&EndpointEvidence::Prefix) {
                weighed.add(Some(EndpointEvidence::Prefix), Confidence::Likely);
                if let Some(region) = region {
                    facts.partition.get_or_insert_with(|| partition_of_region(region).to_owned());
                }
            }
        }
    }

    /// What addresses outside of all prefixes say of the name, which may be a public one of DynamoDB.
    fn weigh_other_addresses(&self, facts: &mut EndpointFacts, conflict: &mut Conflicts) {
        let Self { input, options, addresses, .. } = self;
        let is_in_list = matches!(facts.service, Some(Service::Dynamodb | Service::DynamodbStreams));
        let has_public_name = if is_in_list { facts.has_public_name() } else { Some(false) };
        if has_public_name == Some(false) || !facts.partition_has_prefixes {
            return;
        }
        let is_listed = |address: &IpAddr| options.prefixes.lookup(*address).is_some();
        // A proxy has no such name in DNS.
        let is_told = !input.is_dns_of_other_family && facts.evidence.contains(&EndpointEvidence::Dns);
        let is_proved = (input.is_from_beginning || is_told) && has_public_name == Some(true);
        for address in addresses.iter().filter(|address| !is_private(**address) && !is_listed(address)) {
            let IpAddr::V4(address) = embedded(*address) else { continue };
            if is_proved {
                conflict.add(format!(
                    "The name is a public one of DynamoDB, but the address {address} is outside of all address prefixes of DynamoDB."
                ));
            } else {
                facts.is_address_unproven = true;
            }
        }
        // The client was right, and something on the way leads it elsewhere: an interface endpoint, or an interceptor.
        let is_led_away =
            addresses.first().is_some_and(is_listed) && addresses.iter().any(|to| is_private(*to));
        facts.is_address_unproven |= is_led_away;
    }
}

/// What speaks for a name: its sources, and how sure they make it together.
#[derive(Default)]
struct Weighed {
    evidence: Vec<EndpointEvidence>,
    best: Option<Confidence>,
    /// How many are likely by themselves.
    strong: usize,
}

impl Weighed {
    fn add(&mut self, evidence: Option<EndpointEvidence>, strength: Confidence) {
        self.evidence.extend(evidence);
        self.best = self.best.max(Some(strength));
        self.strong += usize::from(strength >= Confidence::Likely);
    }

    fn into_evidence(mut self) -> (Vec<EndpointEvidence>, Option<Confidence>) {
        self.evidence.sort_unstable();
        self.evidence.dedup();
        let confidence = if self.strong > 1 { Some(Confidence::Certain) } else { self.best };
        (self.evidence, confidence)
    }
}

/// What the list says of several addresses of one server, where it says anything of them.
fn common<'a>(listed: &[Listed<'a>]) -> Option<Listed<'a>> {
    let (first, rest) = listed.split_first()?;
    Some(if rest.iter().all(|other| other == first) { *first } else { Listed::ANYWHERE })
}

/// What a certificate says, by the grammar and by those of the configured names that count. What only looks like a name of
/// DynamoDB's is no proof of it, but beside one that is known it may be the name that was meant.
fn certificate_claim(certificate: &CertificateFacts, configured: &[HostRule]) -> Option<Claim> {
    let names = certificate_names(certificate).iter();
    let mut found: Vec<Named> = names.filter_map(|name| named_by_certificate(name, configured)).collect();
    // Those that are kept are those that tell most, in whatever order the certificate has them.
    if found.len() > MAX_CERTIFICATE_NAMES {
        found.sort_by(|one, other| one.host.cmp(&other.host));
        found = one_of_each_form_first(found);
    }
    found.sort_by_key(|named| (!named.is_known(), !named.is_aws_name));
    if !found.first().is_some_and(Named::is_known) {
        return None;
    }
    let mut names = Names::at_most(MAX_CERTIFICATE_NAMES);
    found.into_iter().for_each(|named| names.add(named, true));
    Claim::of_names(EndpointEvidence::Certificate, names.into_list().into_iter().map(|name| name.named))
}

/// The same names, the first of each form in each region in front.
fn one_of_each_form_first(names: Vec<Named>) -> Vec<Named> {
    let mut forms: Vec<(Named, Option<String>)> = Vec::new();
    let (mut first, rest): (Vec<Named>, Vec<Named>) = names.into_iter().partition(|named| {
        let form = (named.form(), named.region.clone());
        let is_new = forms.len() < MAX_CERTIFICATE_NAMES && !forms.contains(&form);
        if is_new {
            forms.push(form);
        }
        is_new
    });
    first.extend(rest);
    first
}

/// Common names count only where there are no subject alternative names [RFC 9525 section 6.3].
fn certificate_names(certificate: &CertificateFacts) -> &[String] {
    if certificate.dns_names.is_empty() { &certificate.common_names } else { &certificate.dns_names }
}

/// The claim that is shown: the strongest that the client itself makes, the earliest of equals; without one what DNS told
/// this client, then what the certificate says.
fn shown_of<C: Borrow<Claim>>(claims: &[C]) -> Option<&Claim> {
    let claims = || claims.iter().map(C::borrow);
    let spoken = claims().filter(|claim| claim.is_spoken());
    let best = spoken.reduce(|best, claim| if claim.strength > best.strength { claim } else { best });
    best.or_else(|| claims().find(|claim| !claim.is_doubtful)).or_else(|| claims().next())
}

/// The host of `host:port`, without the brackets of an IPv6 literal.
fn host_of(target: &str) -> &str {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

const fn source(evidence: Option<EndpointEvidence>) -> &'static str {
    match evidence {
        Some(EndpointEvidence::Sni) => "SNI",
        Some(EndpointEvidence::Dns) => "DNS answer",
        Some(EndpointEvidence::Prefix) => "address",
        Some(EndpointEvidence::Certificate) => "certificate",
        Some(EndpointEvidence::HttpHost) => "HTTP request",
        Some(EndpointEvidence::ProxyTarget) => "proxy target",
        None => "protocol",
    }
}

/// Contradictions, as sentences.
#[derive(Default)]
struct Conflicts {
    sentences: Vec<String>,
}

impl Conflicts {
    /// A certificate that is for another, in which DynamoDB has no name, is shown where DynamoDB should be.
    fn with_certificate(&mut self, other: Option<&str>, asked_for: &str) {
        let Some(whose) = other else { return };
        self.add(format!(
            "The certificate has no name of DynamoDB (it is for {whose}), but the client connects to {asked_for}."
        ));
    }

    fn add(&mut self, sentence: String) {
        if self.sentences.len() < MAX_CONFLICTS && !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }

    /// Names the client itself said must agree in full; DNS answers and certificates cover several
    /// services, so that only another region contradicts.
    fn between(&mut self, first: &Claim, other: &Claim) {
        if other.is_spoken() || other.is_elsewhere(first) {
            self.add(format!(
                "The {} says {}, but the {} says {}.",
                source(first.evidence),
                first.phrase(),
                source(other.evidence),
                other.phrase()
            ));
        }
    }

    fn with_stranger(&mut self, first: &Claim, stranger: &Stranger) {
        self.add(format!(
            "The {} says {}, but the {} is {}.",
            source(first.evidence),
            first.phrase(),
            stranger.source(),
            stranger.host
        ));
    }
}

#[cfg(test)]
mod tests;
