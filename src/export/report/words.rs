//! Values of a record as the report says them.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::export::plain::is_active;
pub(super) use crate::export::plain::{count, thousands};
use crate::export::{alert_text, cipher_text, group_text, ssl2_text, version_text};
use crate::model::registry::TlsVersion;
use crate::model::{
    AlertFrom, EndpointFacts, ForwardSecrecy, KeyExchangeFacts, Outcome, Record, Service, Sni, Timestamp,
};
use crate::policy::Rule;

/// Letters kept of a value: a message with two host names of 253 letters at most.
pub(super) const MAX_LETTERS: usize = 600;

/// `text` without control characters and signs that turn the direction of writing, and not longer than is of use.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_LETTERS && !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index >= MAX_LETTERS {
            out.push('…');
            break;
        }
        if is_active(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// `TLS 1.2`, `SSL 3`.
pub(super) fn version_words(version: TlsVersion) -> String {
    format!("{} {}", version.protocol_name().to_uppercase(), version_text(version))
}

/// The negotiated version, or why there is none.
pub(super) fn version(record: &Record) -> String {
    let Some(tls) = record.tls.as_deref() else { return nothing(record).to_owned() };
    match (tls.version(), tls.client_hello.as_ref().and_then(|hello| hello.max_version())) {
        (Some(version), _) => version_words(version),
        (None, Some(offered)) if is_refused(record) => {
            format!("none: {} at most was offered and refused", version_words(offered))
        }
        (None, _) => "not seen".to_owned(),
    }
}

/// With an alert; or by closing or resetting the connection, where the rule found that it was for the version.
fn is_refused(record: &Record) -> bool {
    let rule = Rule::LegacyClientRefused.as_str();
    let mut found = record.policy.iter().flat_map(|policy| &policy.violations);
    matches!(record.outcome, Outcome::RefusedByServer | Outcome::RefusedByClient)
        || found.any(|violation| violation.rule == rule)
}

/// The negotiated suite.
pub(super) fn cipher(record: &Record) -> Option<String> {
    let tls = record.tls.as_deref()?;
    let text = tls.cipher_suite().map(cipher_text).or_else(|| tls.ssl2_cipher_kind.map(ssl2_text))?;
    Some(text.to_string())
}

/// The group of the key exchange.
pub(super) fn group(record: &Record) -> Option<String> {
    let tls = record.tls.as_deref()?;
    if let Some(group) = tls.group() {
        return Some(group_text(group).to_string());
    }
    match tls.key_exchange? {
        KeyExchangeFacts::Dhe { bits, .. } => Some(format!("DH {bits} bits")),
        KeyExchangeFacts::ExplicitCurve { bits } => Some(format!("explicit curve {bits} bits")),
        // Of the first it is named above, the second has none.
        KeyExchangeFacts::Curve(_) | KeyExchangeFacts::ExportRsa { .. } => None,
    }
}

/// That of the full handshake that a resumed session continues.
pub(super) fn session_group(record: &Record) -> Option<String> {
    let group = match record.tls.as_deref()?.session_key_exchange? {
        KeyExchangeFacts::Dhe { bits, group: None } => format!("DH {bits} bits"),
        exchange => group_text(exchange.group()?).to_string(),
    };
    Some(format!("{group}, of the session resumed"))
}

/// Said where nothing was seen of a suite or group, or there was none.
pub(super) fn nothing(record: &Record) -> &'static str {
    if record.tls.is_none() && record.http.is_some() { NO_TLS } else { "not seen" }
}

const NO_TLS: &str = "no TLS (plaintext)";

/// Why there is no group, where there is none to be seen: static keys, or a shared key alone.
pub(super) fn no_group(record: &Record) -> Option<&'static str> {
    let tls = record.tls.as_deref()?;
    let has_none = tls.version().is_some() && tls.forward_secrecy == Some(ForwardSecrecy::No);
    has_none.then_some("none: static or shared keys")
}

/// `direct_connect_public into public_endpoint`.
pub(super) fn path(record: &Record) -> String {
    format!("{} into {}", record.path.access, record.path.entry)
}

/// Which API, where that is not open.
pub(super) fn purpose(endpoint: &EndpointFacts) -> &'static str {
    match endpoint.service {
        Some(_) if endpoint.has_many_services => "one of several DynamoDB services",
        Some(Service::Dynamodb) => "DynamoDB API",
        Some(Service::DynamodbStreams) => "DynamoDB Streams",
        Some(Service::DynamodbSearch) => "DynamoDB search",
        Some(Service::Dax) => "DynamoDB Accelerator (DAX)",
        None => "other services",
    }
}

/// Region and kind of the endpoint; for other flows only that.
pub(super) fn endpoint(record: &Record) -> String {
    let endpoint = &record.endpoint;
    if endpoint.service.is_none() {
        return "other services".to_owned();
    }
    let region = endpoint.region.as_deref().map_or(Cow::Borrowed("region unknown"), shown);
    let known_by = || format!("known by its {} only", endpoint.known_by());
    let kind = endpoint.kind.map_or_else(known_by, |kind| kind.as_str().to_owned());
    let service = match endpoint.service {
        Some(service) if endpoint.has_many_services => format!(", possibly {service}"),
        Some(Service::Dynamodb) | None => String::new(),
        Some(service) => format!(", {service}"),
    };
    format!("{region}, {kind}{service}")
}

/// The name the flow went to, else its address.
pub(super) fn server(record: &Record) -> String {
    if let Some(host) = &record.endpoint.host {
        return shown(host).into_owned();
    }
    match record.tls.as_deref().map(|tls| tls.sni()) {
        Some(Sni::Name(name)) => shown(name).into_owned(),
        _ => match record.http.as_ref().and_then(|http| http.host.as_deref()) {
            Some(host) => shown(host).into_owned(),
            None => record.server.ip().to_string(),
        },
    }
}

/// How the handshake ended, with the alert where there was one.
pub(super) fn outcome(record: &Record) -> String {
    let alert = record.tls.as_deref().and_then(|tls| tls.alert);
    match alert {
        Some((alert, from)) => {
            let from = if from == AlertFrom::Client { "client" } else { "server" };
            format!("{}, {} from the {from}", record.outcome, alert_text(alert))
        }
        None => record.outcome.to_string(),
    }
}

/// `2026-11-23 10:00:00.042 UTC`: enough to find a packet, short enough for a table.
pub(super) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", rest.get(..12).unwrap_or(rest))
}

/// Tenths of a per cent, rounded down but never to zero or to the whole by rounding: `12.3 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    if part > 0 && tenths == 0 {
        return "< 0.1 %".to_owned();
    }
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    #[test]
    fn writes_shares_for_people() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(1, 100_000), "< 0.1 %");
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(0, 0), "–");
    }

    #[test]
    fn says_what_was_refused() {
        assert!(version(&sample::refused()).starts_with("none: "), "{}", version(&sample::refused()));
        assert_eq!(version(&sample::plaintext()), "no TLS (plaintext)");
        assert_eq!(version(&sample::tls12()), "TLS 1.2");
        // Without an alert it may have been for something else, unless the rule says that it was not.
        let mut record = sample::refused();
        record.outcome = Outcome::Reset;
        (record.tls.as_mut().unwrap().alert, record.policy) = (None, None);
        assert_eq!(version(&record), "not seen");
        record.ended_by = Some(AlertFrom::Server);
        record.policy = Some(crate::policy::evaluate(&record, &crate::policy::Options::default()));
        assert!(version(&record).starts_with("none: "), "{:?}", record.policy);
    }

    #[test]
    fn says_where_there_is_no_group() {
        let mut record = sample::tls12();
        assert_eq!(no_group(&record), None);
        record.tls.as_mut().unwrap().forward_secrecy = Some(ForwardSecrecy::No);
        assert_eq!(no_group(&record), Some("none: static or shared keys"));
        assert_eq!(no_group(&sample::refused()), None);
    }

    #[test]
    fn says_what_there_was_instead_of_a_group() {
        let mut record = sample::tls12();
        let tls = record.tls.as_mut().unwrap();
        tls.key_exchange = Some(KeyExchangeFacts::ExportRsa { bits: 512 });
        // A record of it does not hold how long the key was.
        assert_eq!(group(&record), None);
        let x25519 = crate::model::registry::NamedGroup::from_name("x25519").unwrap();
        record.tls.as_mut().unwrap().session_key_exchange = Some(KeyExchangeFacts::Curve(x25519));
        assert_eq!(session_group(&record).as_deref(), Some("x25519, of the session resumed"));
        assert_eq!(nothing(&sample::plaintext()), version(&sample::plaintext()));
        assert_eq!(nothing(&record), "not seen");
    }

    #[test]
    fn disarms_and_shortens() {
        assert_eq!(shown("a\u{202e}b\nc"), "a\\u{202e}b\\u{a}c");
        assert_eq!(shown(&"x".repeat(1_000)).chars().count(), MAX_LETTERS + 1);
        assert_eq!(shown("dynamodb"), "dynamodb");
    }
}
