//! The server's leaf certificate, as sent in clear in TLS 1.2 and older.
//!
//! Input: DER of one certificate. Output: names, dates, key size. Nothing is verified: no signature,
//! no chain, no revocation. What is odd but readable is read: a subject that makes no sense is an
//! empty string, not an error, because the rest still tells who answered.

mod name;
mod read;

use std::net::IpAddr;

pub use self::read::parse_leaf;
use crate::model::CertificateFacts;

/// Why a certificate could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate of RFC 5280 by its structure, or cut short.
    #[error("malformed certificate")]
    Malformed,
    /// A date that is none.
    #[error("unreadable validity")]
    Validity,
    /// More names than are kept; matching against a part of them could accuse wrongly.
    #[error("too many names")]
    TooManyNames,
}

impl CertificateError {
    /// The metric label.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "certificate_malformed",
            Self::Validity => "certificate_validity",
            Self::TooManyNames => "certificate_too_many_names",
        }
    }
}

/// True where the certificate is for `host` [RFC 6125 section 6, RFC 9525 section 6].
///
/// Names of subjectAltName count; common names only where it has no dNSName [RFC 6125 section 6.4.4].
/// A `*` stands for the whole left-most label, and for one label only [RFC 9525 section 6.3]. An
/// address must be an iPAddress entry.
#[must_use]
pub fn matches_host(facts: &CertificateFacts, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return false;
    }
    let literal = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return facts.ip_addresses.contains(&address);
    }
    let names = if facts.dns_names.is_empty() { &facts.common_names } else { &facts.dns_names };
    names.iter().any(|name| matches_name(name, host))
}

fn matches_name(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| {
            // A wildcard right under a top-level domain is for no one.
            !label.is_empty() && parent.contains('.') && rest.eq_ignore_ascii_case(parent)
        }),
        None => !pattern.contains('*') && pattern.eq_ignore_ascii_case(host),
    }
}

/// True where the issuer calls itself one of Amazon Trust Services: organisation `Amazon` (its roots
/// Amazon Root CA 1 to 4 and its intermediates, such as `Amazon RSA 2048 M01`), or the Starfield
/// services root that it took over and that signed its roots.
///
/// This reads a name, and anybody can write a name: true does not prove that the certificate is
/// genuine. False is what it is for: an interception proxy signs with the name of its owner.
#[must_use]
pub fn is_amazon_trust_services(facts: &CertificateFacts) -> bool {
    let is_amazon = facts.issuer_organization.as_deref() == Some("Amazon");
    is_amazon
        || (facts.issuer_organization.as_deref() == Some("Starfield Technologies, Inc.")
            && facts.issuer.contains("CN=Starfield Services Root Certificate Authority"))
}

/// The door for fuzzing: anything may come in, nothing may break.
pub fn fuzz_x509(bytes: &[u8]) {
    if let Ok(facts) = parse_leaf(bytes) {
        let _ = matches_host(&facts, "dynamodb.us-east-1.amazonaws.com");
        let _ = is_amazon_trust_services(&facts);
    }
}

#[cfg(test)]
mod tests;
