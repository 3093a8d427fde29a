//! A record, key by key: which fields are written, and under which key.
//!
//! Writers implement [`Fields`]; [`visit`] calls them in the order of [`Key`], and leaves out the
//! keys that do not apply.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::schema::{Key, SCHEMA};
use crate::model::registry::{
    AlertDescription, CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion, is_grease,
};
use crate::model::{
    CertificateFacts, ClientHello, Confidence, Date, EndpointFacts, HttpFacts, KeyExchangeFacts, Layer,
    Offered, PathFacts, Record, Shared, Sighting, Sni, Timestamp, TlsFacts, Violation,
};

/// One string value, not yet written out.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// A word of a closed set or of a registry: printable ASCII without quotes or backslashes.
    Word(&'static str),
    /// What the wire or the configuration said.
    Given(&'a str),
    /// Bytes that need not be UTF-8; those that are not are written as `\xNN`.
    Bytes(&'a [u8]),
    /// A number as `0x` and so many hexadecimal digits.
    Hex(u32, usize),
    Ip(IpAddr),
    /// With nanoseconds.
    Time(Timestamp),
    /// Whole seconds.
    Second(Date),
    Layer(&'a Layer),
    /// A VPC endpoint id from the 64 bits of the GENEVE option.
    VpcEndpoint(u64),
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Word(text) => f.write_str(text),
            Self::Given(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                for chunk in bytes.utf8_chunks() {
                    f.write_str(chunk.valid())?;
                    for byte in chunk.invalid() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
                Ok(())
            }
            Self::Hex(number, digits) => write!(f, "0x{number:0digits$x}"),
            Self::Ip(address) => address.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Second(date) => date.fmt(f),
            Self::Layer(layer) => layer.fmt(f),
            Self::VpcEndpoint(id) => write!(f, "vpce-0{id:016x}"),
        }
    }
}

/// What a writer does with each kind of value.
pub trait Fields {
    /// A string.
    fn text(&mut self, key: Key, value: Text<'_>);
    /// A whole number.
    fn integer(&mut self, key: Key, value: u64);
    /// A duration, in seconds.
    fn seconds(&mut self, key: Key, value: Duration);
    /// True or false.
    fn flag(&mut self, key: Key, value: bool);
    /// An array of strings; may turn out empty.
    fn list<'a>(&mut self, key: Key, values: impl Iterator<Item = Text<'a>>);
    /// Every way a flow was seen.
    fn sightings(&mut self, key: Key, sightings: &[Sighting]);
    /// Address pairs (client, server).
    fn translated(&mut self, key: Key, pairs: &[(SocketAddr, SocketAddr)]);
    /// Broken rules.
    fn violations(&mut self, key: Key, violations: &[Violation]);

    /// [`visit_tls`], for facts that may come again.
    fn tls(&mut self, tls: &TlsFacts)
    where
        Self: Sized,
    {
        visit_tls(tls, self);
    }

    /// [`visit_path`], for a path that may come again.
    fn path(&mut self, path: &PathFacts)
    where
        Self: Sized,
    {
        visit_path(path, self);
    }

    /// [`visit_endpoint`], for an endpoint that may come again.
    fn endpoint(&mut self, endpoint: &Shared<EndpointFacts>)
    where
        Self: Sized,
    {
        visit_endpoint(endpoint, self);
    }
}

/// Calls `fields` for every key of `record` that applies, in the order of [`Key`].
pub fn visit(record: &Record, fields: &mut impl Fields) {
    fields.text(Key::Schema, Text::Word(SCHEMA));
    fields.text(Key::Time, Text::Time(record.timestamp));
    fields.text(Key::ClientAddress, Text::Ip(record.client.ip()));
    fields.integer(Key::ClientPort, record.client.port().into());
    fields.text(Key::ServerAddress, Text::Ip(record.server.ip()));
    fields.integer(Key::ServerPort, record.server.port().into());
    fields.text(Key::Transport, Text::Word("tcp"));
    fields.text(Key::Source, Text::Given(&record.source));
    if let Some(first) = record.sightings.first() {
        given(fields, Key::Interface, first.interface.as_deref());
        if !first.encapsulation.is_empty() {
            fields.list(Key::Encapsulation, first.encapsulation.iter().map(Text::Layer));
        }
    }
    if let Some(id) = record.sightings.iter().find_map(|sighting| sighting.encapsulation.gwlb_endpoint()) {
        fields.text(Key::GwlbEndpoint, Text::VpcEndpoint(id));
    }
    fields.integer(Key::FirstFrame, record.first_frame);
    integer(fields, Key::ClientHelloFrame, record.client_hello_frame);
    integer(fields, Key::ServerHelloFrame, record.server_hello_frame);
    fields.text(Key::Completeness, Text::Word(record.completeness.as_str()));
    word(fields, Key::EndedBy, record.ended_by.map(|side| side.as_str()));
    if record.sightings.len() > 1 {
        fields.sightings(Key::Sightings, &record.sightings);
    }
    if !record.translated.is_empty() {
        fields.translated(Key::Translated, &record.translated);
    }
    if let Some(tls) = record.tls.as_deref() {
        fields.tls(tls);
    }
    fields.text(Key::Outcome, Text::Word(record.outcome.as_str()));
    seconds(fields, Key::HandshakeDuration, record.handshake_duration);
    seconds(fields, Key::TcpRtt, record.tcp_rtt);
    if let Some(http) = record.http.as_deref() {
        visit_http(http, fields);
    }
    if let Some(proxy) = &record.proxy {
        fields.text(Key::ProxyKind, Text::Word(proxy.kind.as_str()));
        given(fields, Key::ProxyTarget, proxy.target.as_deref());
    }
    fields.endpoint(&record.endpoint);
    if record.endpoint.service.is_some() || record.path != PathFacts::default() {
        fields.path(&record.path);
    }
    if let Some(host) = &record.host {
        integer(fields, Key::ProcessPid, host.pid.map(u64::from));
        given(fields, Key::ProcessName, host.process.as_deref());
        given(fields, Key::ContainerId, host.container.as_deref());
        given(fields, Key::SystemdUnit, host.unit.as_deref());
        word(fields, Key::FlowOrigin, host.origin.map(|origin| origin.as_str()));
    }
    if let Some(policy) = &record.policy {
        fields.text(Key::Profile, Text::Given(&policy.profile));
        fields.text(Key::Verdict, Text::Word(policy.verdict.as_str()));
        list(fields, Key::NotAssessed, policy.not_assessed.iter().map(|rule| Text::Word(rule)));
        list(fields, Key::NotAsked, policy.not_asked.iter().map(|rule| Text::Word(rule)));
        fields.violations(Key::Violations, &policy.violations);
    }
}

/// What was seen of TLS. All of it is what a [`TlsKind`](crate::model::TlsKind) tells.
pub fn visit_tls(tls: &TlsFacts, fields: &mut impl Fields) {
    let hello = tls.client_hello.as_ref();
    let (max, min) =
        (hello.and_then(|hello| hello.max_version()), hello.and_then(|hello| hello.min_version()));
    fields.flag(Key::Established, tls.established);
    word(fields, Key::ProtocolName, tls.version().or(max).map(TlsVersion::protocol_name));
    optional(fields, Key::ProtocolVersion, tls.version().map(version_text));
    integer(fields, Key::ProtocolDraft, tls.version().and_then(TlsVersion::draft).map(u64::from));
    optional(fields, Key::ClientMaxVersion, max.map(version_text));
    optional(fields, Key::ClientMinVersion, min.map(version_text));
    if let Some(suite) = tls.cipher_suite() {
        fields.text(Key::Cipher, cipher_text(suite));
        fields.text(Key::CipherId, Text::Hex(suite.0.into(), 4));
    } else if let Some(kind) = tls.ssl2_cipher_kind {
        fields.text(Key::Cipher, ssl2_text(kind));
        fields.text(Key::CipherId, Text::Hex(kind.0, 6));
    }
    word(fields, Key::ForwardSecrecy, tls.forward_secrecy.map(|answer| answer.as_str()));
    word(fields, Key::ForwardSecrecyReason, tls.forward_secrecy_reason);
    optional(fields, Key::Curve, tls.group().map(group_text));
    if let Some(KeyExchangeFacts::Dhe { bits, .. }) = tls.key_exchange {
        fields.integer(Key::DhBits, bits.into());
    }
    optional(
        fields,
        Key::SessionCurve,
        tls.session_key_exchange.and_then(KeyExchangeFacts::group).map(group_text),
    );
    if let Some(KeyExchangeFacts::Dhe { bits, .. }) = tls.session_key_exchange {
        fields.integer(Key::SessionDhBits, bits.into());
    }
    if let Some(hello) = hello {
        visit_offers(hello, fields);
    }
    if let Some(retry) = &tls.hello_retry_request {
        fields.flag(Key::HelloRetryRequest, true);
        optional(fields, Key::HelloRetryRequestGroup, retry.key_share.map(group_text));
    }
    if let Some(resumed) = tls.resumed {
        fields.flag(Key::Resumed, resumed);
    }
    word(fields, Key::Resumption, tls.resumption.map(|way| way.as_str()));
    if hello.is_some_and(|hello| hello.offers_early_data) {
        fields.flag(Key::EarlyData, true);
    }
    optional(
        fields,
        Key::NextProtocol,
        tls.server_hello.as_ref().and_then(|hello| hello.alpn.as_deref()).map(Text::Bytes),
    );
    match hello {
        Some(hello) => visit_names(hello, fields),
        None => fields.text(Key::ServerNameReason, Text::Word("not_seen")),
    }
    given(fields, Key::Ja3, tls.ja3.as_deref());
    given(fields, Key::Ja4, tls.ja4.as_deref());
    given(fields, Key::Ja3s, tls.ja3s.as_deref());
    if let Some(certificate) = &tls.certificate {
        visit_certificate(certificate, fields);
    }
    word(fields, Key::CertificateReason, tls.certificate_error);
    if let Some((alert, from)) = tls.alert {
        fields.text(Key::Alert, alert_text(alert));
        fields.text(Key::AlertFrom, Text::Word(from.as_str()));
    }
    word(fields, Key::Downgrade, tls.downgrade.map(|sign| sign.as_str()));
    if !tls.is_choice_offered() {
        fields.flag(Key::Contradicted, true);
    }
}

/// What a ClientHello offers.
fn visit_offers(hello: &ClientHello, fields: &mut impl Fields) {
    list(fields, Key::KeyShareGroups, groups(&hello.key_shares));
    list(fields, Key::SupportedGroups, groups(&hello.supported_groups));
    let offered = hello.offered().filter_map(|offered| match offered {
        Offered::Suite(suite) => (!is_grease(suite.0)).then(|| cipher_text(suite)),
        Offered::Kind(kind) => Some(ssl2_text(kind)),
    });
    list(fields, Key::SupportedCiphers, offered);
}

/// What a ClientHello names, and whether another name may be hidden in it.
fn visit_names(hello: &ClientHello, fields: &mut impl Fields) {
    list(fields, Key::ClientAlpn, hello.alpn.iter().map(|name| Text::Bytes(name)));
    match hello.sni() {
        Sni::Name(name) => fields.text(Key::ServerName, Text::Given(name)),
        Sni::NotSent => fields.text(Key::ServerNameReason, Text::Word("not_sent")),
        Sni::NotSeen => fields.text(Key::ServerNameReason, Text::Word("not_seen")),
    }
    if hello.has_ech {
        fields.flag(Key::Ech, true);
    }
}

/// What the leaf certificate says.
fn visit_certificate(certificate: &CertificateFacts, fields: &mut impl Fields) {
    fields.text(Key::CertificateSubject, Text::Given(&certificate.subject));
    fields.text(Key::CertificateIssuer, Text::Given(&certificate.issuer));
    list(fields, Key::CertificateDnsNames, certificate.dns_names.iter().map(|name| Text::Given(name)));
    fields.text(Key::CertificateNotAfter, Text::Second(certificate.not_after));
    integer(fields, Key::CertificateKeyBits, certificate.key_bits.map(u64::from));
}

fn visit_http(http: &HttpFacts, fields: &mut impl Fields) {
    given(fields, Key::HttpMethod, http.method.as_deref());
    given(fields, Key::HttpHost, http.host.as_deref());
    given(fields, Key::AwsTarget, http.target.as_deref());
    word(fields, Key::AwsSignature, http.signature.map(|signature| signature.as_str()));
    given(fields, Key::AwsSignatureRegion, http.scope_region.as_deref());
    given(fields, Key::AwsSignatureService, http.scope_service.as_deref());
    word(fields, Key::AwsCredentialKind, http.credential.map(|kind| kind.as_str()));
    given(fields, Key::AwsSdk, http.sdk.as_deref());
}

/// What is known of the endpoint.
pub fn visit_endpoint(endpoint: &EndpointFacts, fields: &mut impl Fields) {
    word(fields, Key::Service, endpoint.service.map(|service| service.as_str()));
    if endpoint.has_many_services {
        fields.text(Key::ServiceConfidence, Text::Word(Confidence::Possible.as_str()));
    }
    word(fields, Key::EndpointKind, endpoint.kind.map(|kind| kind.as_str()));
    if endpoint.fips {
        fields.flag(Key::EndpointFips, true);
    }
    if endpoint.dual_stack {
        fields.flag(Key::EndpointDualStack, true);
    }
    given(fields, Key::EndpointHost, endpoint.host.as_deref());
    given(fields, Key::Region, endpoint.region.as_deref());
    given(fields, Key::Partition, endpoint.partition.as_deref());
    given(fields, Key::AccountId, endpoint.account_id.as_deref());
    list(fields, Key::EndpointEvidence, endpoint.evidence.iter().map(|word| Text::Word(word.as_str())));
    word(fields, Key::EndpointConfidence, endpoint.confidence.map(|word| word.as_str()));
    match endpoint.conflict.as_slice() {
        [] => {}
        [one] => fields.text(Key::EndpointConflict, Text::Given(one)),
        several => fields.text(Key::EndpointConflict, Text::Given(&several.join(" "))),
    }
}

/// What is known of the path.
pub fn visit_path(path: &PathFacts, fields: &mut impl Fields) {
    fields.text(Key::PathAccess, Text::Word(path.access.as_str()));
    fields.text(Key::PathEntry, Text::Word(path.entry.as_str()));
    given(fields, Key::PathName, path.name.as_deref());
    list(fields, Key::PathEvidence, path.evidence.iter().map(|word| Text::Word(word.as_str())));
    list(fields, Key::PathOpenRules, path.open_rules.iter().map(|name| Text::Given(name)));
    word(fields, Key::PathConfidence, path.confidence().map(|word| word.as_str()));
    if let (Some(access), Some(entry)) = (path.access_confidence, path.entry_confidence)
        && access != entry
    {
        fields.text(Key::PathAccessConfidence, Text::Word(access.as_str()));
        fields.text(Key::PathEntryConfidence, Text::Word(entry.as_str()));
    }
}

fn optional(fields: &mut impl Fields, key: Key, value: Option<Text<'_>>) {
    if let Some(value) = value {
        fields.text(key, value);
    }
}

fn word(fields: &mut impl Fields, key: Key, value: Option<&'static str>) {
    optional(fields, key, value.map(Text::Word));
}

fn given(fields: &mut impl Fields, key: Key, value: Option<&str>) {
    optional(fields, key, value.map(Text::Given));
}

fn integer(fields: &mut impl Fields, key: Key, value: Option<u64>) {
    if let Some(value) = value {
        fields.integer(key, value);
    }
}

fn seconds(fields: &mut impl Fields, key: Key, value: Option<Duration>) {
    if let Some(value) = value {
        fields.seconds(key, value);
    }
}

/// A list that is left out where it is empty.
fn list<'a>(fields: &mut impl Fields, key: Key, values: impl Iterator<Item = Text<'a>>) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        fields.list(key, values);
    }
}

fn groups(groups: &[NamedGroup]) -> impl Iterator<Item = Text<'static>> + '_ {
    groups.iter().copied().filter(|group| !is_grease(group.0)).map(group_text)
}

pub(crate) fn cipher_text(suite: CipherSuite) -> Text<'static> {
    suite.name().map_or(Text::Hex(suite.0.into(), 4), Text::Word)
}

pub(crate) fn ssl2_text(kind: Ssl2CipherKind) -> Text<'static> {
    kind.name().map_or(Text::Hex(kind.0, 6), Text::Word)
}

pub(crate) fn group_text(group: NamedGroup) -> Text<'static> {
    group.name().map_or(Text::Hex(group.0.into(), 4), Text::Word)
}

pub(crate) fn version_text(version: TlsVersion) -> Text<'static> {
    version.as_str().map_or(Text::Hex(version.0.into(), 4), Text::Word)
}

pub(crate) fn alert_text(alert: AlertDescription) -> Text<'static> {
    alert.name().map_or(Text::Hex(alert.0.into(), 2), Text::Word)
}
