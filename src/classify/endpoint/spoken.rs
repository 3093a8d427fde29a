//! What the client itself says of where it wants to go: by names, and by what it calls.

use std::net::IpAddr;

use super::claim::{Claim, named};
use super::grammar::{self, Why, canonical, recognise};
use super::{EndpointInput, host_of, source};
use crate::app::http1::Addressee;
use crate::classify::EndpointOptions;
use crate::model::{
    EncryptedHello, EndpointEvidence, EndpointKind, HttpFacts, Service, Sni, is_private, without_begun_number,
};

/// A name in clear that is not DynamoDB's.
pub(super) struct Stranger {
    pub evidence: EndpointEvidence,
    pub host: String,
    pub is_aws: bool,
    /// An ECH extension may have been in what was cut of the hello: it outranks what DNS said, but contradicts nothing.
    pub may_be_outer: bool,
    /// DNS may have explained it, which is no longer known: it contradicts nothing, and proves nothing.
    pub may_be_alias: bool,
    /// Of a request that says itself that it is DynamoDB's, as to an emulator, whatever name that has: it contradicts no
    /// more than an address that is not the name's.
    pub is_beside_call: bool,
}

impl Stranger {
    fn new(evidence: EndpointEvidence, host: &str) -> Self {
        let is_aws = recognise(host).why == Why::OtherAwsService;
        Self {
            evidence,
            host: shown(host),
            is_aws,
            may_be_outer: false,
            may_be_alias: false,
            is_beside_call: false,
        }
    }

    /// It need not be the name of what the client wants to reach.
    pub const fn is_doubtful(&self) -> bool {
        self.may_be_outer || self.may_be_alias
    }

    /// Says that the address is one of DynamoDB's.
    pub fn at_address_of(&self, owner: &str) -> String {
        let whose = if self.is_aws { "a name of another AWS service" } else { "no name of DynamoDB" };
        let (source, host) = (self.source(), &self.host);
        format!("The {source} {host} is {whose}, but the address belongs to {owner}.")
    }

    pub const fn source(&self) -> &'static str {
        source(Some(self.evidence))
    }
}

pub(super) struct Spoken {
    pub claims: Vec<Claim>,
    pub strangers: Vec<Stranger>,
}

/// What the client itself said: SNI, head of the HTTP request, target asked of a proxy.
pub(super) fn spoken(input: &EndpointInput<'_>, options: &EndpointOptions) -> Spoken {
    let mut spoken = Spoken { claims: Vec::new(), strangers: Vec::new() };
    let sni = match input.sni {
        Sni::Name(name) => Some(name),
        Sni::NotSent | Sni::NotSeen => None,
    };
    let http_host = input.http.and_then(|http| http.host.as_deref());
    let proxy_host = input.tunnel().and_then(|proxy| proxy.target.as_deref()).map(host_of);
    for (evidence, host) in [
        (EndpointEvidence::Sni, sni),
        (EndpointEvidence::HttpHost, http_host),
        (EndpointEvidence::ProxyTarget, proxy_host),
    ] {
        let Some(host) = host.filter(|host| !is_address(host)) else { continue };
        let ech =
            if evidence == EndpointEvidence::Sni { input.encrypted_hello } else { EncryptedHello::NotSent };
        match named(host, options) {
            Some(named) => {
                let is_doubtful = ech != EncryptedHello::NotSent;
                spoken.claims.push(Claim::spoken(evidence, named, is_doubtful));
            }
            None if ech == EncryptedHello::Sent => {}
            None => spoken.strangers.push(Stranger {
                may_be_outer: ech == EncryptedHello::NotSeen,
                ..Stranger::new(evidence, host)
            }),
        }
    }
    let has_host_claim = spoken.claims.iter().any(|claim| claim.evidence == Some(EndpointEvidence::HttpHost));
    if let Some(http) = input.http
        && !has_host_claim
        && let Some(claim) = api_claim(http, input)
    {
        spoken.strangers.retain(|stranger| stranger.evidence != EndpointEvidence::HttpHost);
        // An address names what it is the address of, but for one that every host has.
        if let Some(host) = http_host.filter(|host| !is_address(host) || is_loopback(host)) {
            let stranger = Stranger::new(EndpointEvidence::HttpHost, host);
            spoken.strangers.push(Stranger { is_beside_call: true, ..stranger });
        }
        spoken.claims.push(claim);
    }
    spoken
}

/// A name as a sentence may repeat it, however long or strange it is.
pub(super) fn shown(host: &str) -> String {
    let cut = || {
        let mut kept: String = host.chars().take(grammar::MAX_NAME_BYTES).collect();
        if kept.len() < host.len() {
            kept.truncate(without_begun_number(kept.as_bytes()));
        }
        kept.to_ascii_lowercase()
    };
    canonical(host).map_or_else(cut, |host| host.to_string())
}

/// Whose a request in clear is, by nothing but what it says itself.
#[must_use]
pub fn addressee(http: &HttpFacts, options: &EndpointOptions) -> Addressee {
    if http.is_preflight() {
        return Addressee::Other;
    }
    let called = service_called(http);
    let is_other_call = called.is_none() && (http.scope_service.is_some() || http.has_other_target);
    let host = http.host.as_deref().filter(|host| !is_address(host));
    match host.and_then(|host| named(host, options)) {
        Some(named) if named.kind == Some(EndpointKind::Unrecognised) => match called {
            Some(_) => Addressee::Dynamodb,
            None if is_other_call => Addressee::Other,
            None => Addressee::LookAlike,
        },
        // Behind a name of the operator's own there may be a host of many services.
        Some(named) if is_other_call && !named.is_aws_name => Addressee::Other,
        Some(_) => Addressee::Dynamodb,
        None if called.is_some() => Addressee::Dynamodb,
        None if is_other_call => Addressee::Other,
        None => Addressee::Open,
    }
}

/// The service that a request in clear calls, whatever name the server has.
fn service_called(http: &HttpFacts) -> Option<Service> {
    let by_target = http.target.as_deref().and_then(|target| match target.split_once('.')? {
        (_, "SearchVectors") => Some(Service::DynamodbSearch),
        (api, _) if api.starts_with("DynamoDBStreams_") => Some(Service::DynamodbStreams),
        (api, _) if api.starts_with("DynamoDB_") => Some(Service::Dynamodb),
        (api, _) if api.starts_with("AmazonDAX") => Some(Service::Dax),
        _ => None,
    });
    let by_scope = match http.scope_service.as_deref() {
        Some("dynamodb") => Some(Service::Dynamodb),
        Some("dax") => Some(Service::Dax),
        _ => None,
    };
    by_target.or(by_scope)
}

/// An address is no name.
fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// True for the name and the addresses that every host has for itself.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A DynamoDB call or a DAX greeting in clear, whatever name the server has.
fn api_claim(http: &HttpFacts, input: &EndpointInput<'_>) -> Option<Claim> {
    if http.is_dax {
        return Some(Claim::of_service(None, Service::Dax, None, None));
    }
    let service = service_called(http)?;
    let is_local = match &http.host {
        // On its way through containers and port forwarding the request keeps the name.
        Some(host) => is_loopback(host) && input.addresses().iter().all(|address| is_private(*address)),
        // What is missing may have been another name: through a proxy on the same host, too.
        None => !http.is_truncated && input.server.ip().to_canonical().is_loopback(),
    };
    let host = http.host.clone().filter(|host| !is_address(host));
    Some(Claim::of_service(
        Some(EndpointEvidence::HttpHost),
        service,
        is_local.then_some(EndpointKind::Local),
        host,
    ))
}
