//! One rule on one flow: kept, broken, or not to be known from what was seen.
//!
//! The same answer serves the violation and the verdict, so that the two cannot drift apart.

mod agreement;
mod destination;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::mem;
use std::net::IpAddr;

use super::options::{Settings, Site};
use super::rules::Rule;
use crate::model::registry::{CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    EndpointFacts, ForwardSecrecy, HttpFacts, KeyExchangeFacts, Outcome, Record, Sni, TlsFacts,
};

/// What one rule says of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Kept, or the rule has nothing to say of such a flow.
    Kept,
    Broken {
        /// The value, as short as it can be said.
        offending: String,
        /// One sentence.
        message: String,
    },
    /// What the rule needs was not seen.
    Unknown,
}

/// A flow and what it is measured by.
pub(super) struct Case<'a> {
    record: &'a Record,
    /// The record's, or what is so of one of the names that may be the flow's.
    endpoint: &'a EndpointFacts,
    settings: &'a Settings,
    site: &'a Site,
    /// The client's address, once it was asked for.
    client: OnceCell<String>,
}

/// The suite that was agreed on.
enum Suite {
    Tls(CipherSuite),
    Ssl2(Ssl2CipherKind),
}

/// The key exchange of this very connection.
enum KeyExchange {
    Group(NamedGroup),
    /// A prime that is no named group.
    Prime(u32),
    /// A curve that is no named group.
    Curve(u32),
    /// Static keys or a shared key: nothing was exchanged.
    None,
    /// Not seen: of this connection, or of the earlier one that it resumes.
    Unknown,
}

fn broken(offending: impl Into<String>, message: String) -> Finding {
    Finding::Broken { offending: offending.into(), message }
}

impl<'a> Case<'a> {
    pub(super) fn new(record: &'a Record, settings: &'a Settings, site: &'a Site) -> Self {
        Self { record, endpoint: &record.endpoint, settings, site, client: OnceCell::new() }
    }

    /// The same, with another text in place of the client's address.
    pub(super) fn of_client(
        client: &str,
        record: &'a Record,
        settings: &'a Settings,
        site: &'a Site,
    ) -> Self {
        Self { record, endpoint: &record.endpoint, settings, site, client: OnceCell::from(client.to_owned()) }
    }

    pub(super) fn check(&self, rule: Rule) -> Finding {
        if rule.is_about_dynamodb() && self.record.endpoint.service.is_none() {
            return Finding::Kept;
        }
        if rule.is_about_agreement() && self.http().is_some() && self.tls().is_none() {
            return Finding::Kept;
        }
        match rule {
            Rule::TlsVersionTooLow => self.version_too_low(),
            Rule::TlsVersionNotRecommended => self.version_not_recommended(),
            Rule::LegacyClientRefused => self.legacy_client_refused(),
            Rule::NoForwardSecrecy => self.no_forward_secrecy(),
            Rule::WeakCipher => self.weak_cipher(),
            Rule::CipherNotAllowed => self.cipher_not_allowed(),
            Rule::GroupNotAllowed => self.group_not_allowed(),
            Rule::WeakKeyExchange => self.weak_key_exchange(),
            Rule::NotPostQuantum => self.not_post_quantum(),
            Rule::EarlyData => self.early_data(),
            Rule::DowngradeDetected => self.downgrade_detected(),
            Rule::TlsCompression => self.tls_compression(),
            Rule::CertificateExpired => self.certificate_expired(),
            Rule::CertificateNameMismatch => self.certificate_name_mismatch(),
            Rule::SuspectedInterception => self.of_each_name(Self::suspected_interception),
            Rule::PlaintextHttp => self.plaintext_http(),
            Rule::UnsignedRequest => self.unsigned_request(),
            Rule::LongTermCredential => self.long_term_credential(),
            Rule::FipsEndpointRequired => self.of_each_name(Self::fips_endpoint_required),
            Rule::PathNotAllowed => self.path_not_allowed(),
            Rule::GatewayEndpointMissing => self.gateway_endpoint_missing(),
            Rule::CrossRegionEndpoint => self.cross_region_endpoint(),
            Rule::DnsOverride => self.of_each_name(Self::dns_override),
            Rule::EndpointConflict => self.of_each_name(Self::endpoint_conflict),
            Rule::EndpointUnrecognised => self.of_each_name(Self::endpoint_unrecognised),
            Rule::SniMissing => self.sni_missing(),
            Rule::SigningNotAssessable => self.signing_not_assessable(),
        }
    }
}

/// What the rules look at.
impl Case<'_> {
    /// True where those facts that several names have in common, which are all that a record holds, say of this rule what
    /// the names do not.
    pub(super) fn is_told_by_names(&self, rule: Rule) -> bool {
        let of_common = match rule {
            _ if self.record.endpoint.alternatives.is_empty() => return false,
            Rule::FipsEndpointRequired => self.fips_endpoint_required(),
            Rule::EndpointUnrecognised => self.endpoint_unrecognised(),
            _ => return false,
        };
        of_common != Finding::Unknown && mem::discriminant(&self.check(rule)) != mem::discriminant(&of_common)
    }

    /// What a rule says of each name that may be the flow's. Where it does not say the same of all, that is open.
    fn of_each_name(&self, rule: fn(&Self) -> Finding) -> Finding {
        if self.record.endpoint.alternatives.is_empty() {
            return rule(self);
        }
        let findings = self.record.endpoint.alternatives.iter().map(|endpoint| {
            let client = self.client.clone();
            rule(&Case { record: self.record, endpoint, settings: self.settings, site: self.site, client })
        });
        let is_same = |one: &Finding, other: &Finding| mem::discriminant(one) == mem::discriminant(other);
        findings
            .reduce(|all, one| if is_same(&all, &one) { all } else { Finding::Unknown })
            .unwrap_or(Finding::Kept)
    }

    fn tls(&self) -> Option<&TlsFacts> {
        self.record.tls.as_deref()
    }

    fn http(&self) -> Option<&HttpFacts> {
        self.record.http.as_deref()
    }

    /// The negotiated version; `None` too where a cut hello may have lost the extension that names it.
    fn version(&self) -> Option<TlsVersion> {
        let hello = self.tls()?.server_hello.as_ref()?;
        let is_cut = hello.is_truncated
            && hello.selected_version.is_none()
            && hello.legacy_version == TlsVersion::TLS12;
        (!is_cut).then(|| hello.version())
    }

    fn suite(&self) -> Option<Suite> {
        let tls = self.tls()?;
        let hello = tls.server_hello.as_ref()?;
        if hello.is_ssl2_form {
            return tls.ssl2_cipher_kind.map(Suite::Ssl2);
        }
        // In a cut hello, zero is what was never read.
        let is_cut = hello.is_truncated && hello.cipher_suite == CipherSuite::default();
        (!is_cut).then_some(Suite::Tls(hello.cipher_suite))
    }

    fn key_exchange(&self) -> KeyExchange {
        let Some(tls) = self.tls() else { return KeyExchange::Unknown };
        let Some(hello) = tls.server_hello.as_ref() else { return KeyExchange::Unknown };
        // The keys of a resumed session are those of its full handshake.
        let exchange = tls.key_exchange.or(tls.session_key_exchange);
        if let Some(group) = tls.group().or(exchange.and_then(KeyExchangeFacts::group)) {
            return KeyExchange::Group(group);
        }
        match exchange {
            Some(KeyExchangeFacts::Dhe { bits, .. }) => return KeyExchange::Prime(bits),
            Some(KeyExchangeFacts::ExplicitCurve { bits }) => return KeyExchange::Curve(bits),
            Some(KeyExchangeFacts::ExportRsa { .. }) => return KeyExchange::None,
            Some(KeyExchangeFacts::Curve(_)) | None => {}
        }
        match tls.forward_secrecy {
            _ if hello.is_truncated => KeyExchange::Unknown,
            Some(ForwardSecrecy::No) => KeyExchange::None,
            _ => KeyExchange::Unknown,
        }
    }

    fn client(&self) -> &str {
        self.client.get_or_init(|| address_text(self.record.client.ip()))
    }

    /// `client and server agreed on`, or what it was where the client ended it: a choice of the server's alone.
    fn agreed_on(&self) -> String {
        let (client, server) = (self.client(), self.server());
        if self.record.outcome == Outcome::RefusedByClient {
            [&server, " answered ", client, ", which refused the handshake, with"].concat()
        } else {
            [client, " and ", &server, " agreed on"].concat()
        }
    }

    /// The name of the endpoint where there is one, else the server's address.
    fn server(&self) -> Cow<'_, str> {
        let address = || address_text(self.record.server.ip());
        if let Some(host) = &self.endpoint.host {
            // Of several names, the one that is looked at.
            return match self.record.endpoint.host {
                Some(_) => Cow::Borrowed(host),
                None => Cow::Owned(format!("{host} (or another name it has)")),
            };
        }
        match self.tls().map(TlsFacts::sni) {
            Some(Sni::Name(name)) => Cow::Borrowed(name),
            _ => Cow::Owned(address()),
        }
    }
}

/// The same as `to_string`, which takes many times as long for IPv4; some rule speaks of nearly every flow.
pub(super) fn address_text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}
