//! What the facts of a certificate say: which names it covers, who issued it.
//!
//! Only facts are looked at; no signature is verified.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{CertificateFacts, Timestamp};

/// The organisation in the issuer of certificates of Amazon Trust Services.
const AMAZON: &str = "Amazon";

/// The same of the root that Amazon Trust Services took over, and the beginning of its name.
const STARFIELD: &str = "Starfield Technologies, Inc.";
const STARFIELD_ROOT: &str = "CN=Starfield Services Root Certificate Authority";

/// True where the certificate covers `name`, a host name or an IP address [RFC 9525 section 6].
///
/// Older than that text: where there are no DNS names among the subject alternative names, the common names count
/// [RFC 6125 section 6.4.4], because clients of that age accept them.
#[must_use]
pub fn covers(facts: &CertificateFacts, name: &str) -> bool {
    if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return facts.ip_addresses.iter().any(|covered| covered.to_canonical() == address.to_canonical());
    }
    let patterns = if facts.dns_names.is_empty() { &facts.common_names } else { &facts.dns_names };
    patterns.iter().any(|pattern| matches_name(pattern, name))
}

/// True where the issuer names the organisation of Amazon Trust Services, or the root of Starfield that it took over and
/// that signed its own, and the certificate is not its own issuer.
///
/// The leaf is all that is looked at: an issuer who lies about its name is not found out.
#[must_use]
pub fn is_amazon_issued(facts: &CertificateFacts) -> bool {
    let is_theirs = match facts.issuer_organization.as_deref() {
        Some(AMAZON) => true,
        Some(STARFIELD) => facts.issuer.contains(STARFIELD_ROOT),
        _ => false,
    };
    is_theirs && !facts.is_self_signed
}

/// What the dates of a certificate say of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    Within,
    Over,
    /// It was made later than that, or the clock of the capture is wrong [RFC 5280 section 4.1.2.5].
    NotYet,
    /// The capture tells no date.
    Undated,
}

/// How far the clock of a capture may be behind that of an issuer.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// What the dates of a certificate say of the time of a packet.
#[must_use]
pub fn validity(facts: &CertificateFacts, at: Timestamp) -> Validity {
    if facts.not_after < at {
        Validity::Over
    } else if !at.is_date() {
        Validity::Undated
    } else if facts.not_before > at.after(CLOCK_SKEW) {
        Validity::NotYet
    } else {
        Validity::Within
    }
}

/// A wildcard is the whole left-most label and stands for exactly one label; right below a top-level domain it is for no one.
fn matches_name(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (without_dot(pattern), without_dot(name));
    if pattern.is_empty() || name.is_empty() {
        return false;
    }
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && parent.contains('.') && rest.eq_ignore_ascii_case(parent)
        }),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// A name may be written with the dot of the root.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(dns_names: &[&str], common_names: &[&str], addresses: &[&str]) -> CertificateFacts {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        CertificateFacts {
            subject: String::new(),
            issuer: String::new(),
            common_names: owned(common_names),
            issuer_organization: None,
            dns_names: owned(dns_names),
            ip_addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            not_before: crate::model::Date::default(),
            not_after: crate::model::Date::MAX,
            key_bits: None,
            is_self_signed: false,
        }
    }

    #[test]
    fn matches_names_by_whole_labels() {
        let cases = [
            ("dynamodb.eu-west-1.amazonaws.com", "DynamoDB.eu-west-1.amazonaws.com", true),
            ("dynamodb.eu-west-1.amazonaws.com.", "dynamodb.eu-west-1.amazonaws.com", true),
            ("*.ddb.eu-west-1.amazonaws.com", "123456789012.ddb.eu-west-1.amazonaws.com", true),
            ("*.ddb.eu-west-1.amazonaws.com", "ddb.eu-west-1.amazonaws.com", false),
            ("*.ddb.eu-west-1.amazonaws.com", "a.b.ddb.eu-west-1.amazonaws.com", false),
            ("*.ddb.eu-west-1.amazonaws.com", ".ddb.eu-west-1.amazonaws.com", false),
            ("d*.example.com", "db.example.com", false),
            ("db.*.example.com", "db.x.example.com", false),
            ("*", "localhost", false),
            ("*.", "a.", false),
            ("*.example", "a.example", false),
            ("", "", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(covers(&certificate(&[pattern], &[], &[]), name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn takes_common_names_only_where_there_are_no_others() {
        assert!(covers(&certificate(&[], &["db.example.com"], &[]), "db.example.com"));
        assert!(!covers(&certificate(&["other.example.com"], &["db.example.com"], &[]), "db.example.com"));
        assert!(covers(&certificate(&[], &["db.example.com"], &["192.0.2.1"]), "db.example.com"));
    }

    #[test]
    fn matches_addresses_only_by_address() {
        let facts = certificate(&["192.0.2.2"], &["192.0.2.3"], &["192.0.2.1", "2001:db8::1"]);
        for (name, expected) in [
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("192.0.2.3", false),
            ("2001:DB8:0::1", true),
            ("[2001:db8::1]", true),
        ] {
            assert_eq!(covers(&facts, name), expected, "{name}");
        }
    }

    #[test]
    fn knows_the_issuer_by_its_whole_organisation() {
        let mut facts = certificate(&[], &[], &[]);
        assert!(!is_amazon_issued(&facts));
        for (organization, expected) in [("Amazon", true), ("Amazon Proxy", false), ("amazon", false)] {
            facts.issuer_organization = Some(organization.to_owned());
            assert_eq!(is_amazon_issued(&facts), expected, "{organization}");
        }
        facts.issuer_organization = Some(STARFIELD.to_owned());
        for (issuer, expected) in
            [("CN=Starfield Services Root Certificate Authority - G2", true), ("CN=Starfield Other", false)]
        {
            facts.issuer = issuer.to_owned();
            assert_eq!(is_amazon_issued(&facts), expected, "{issuer}");
        }
        facts.issuer_organization = Some("Amazon".to_owned());
        facts.is_self_signed = true;
        assert!(!is_amazon_issued(&facts));
    }
}
