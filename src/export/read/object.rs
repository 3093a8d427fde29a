//! One JSON object back into a record.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::words;
use crate::export::schema::{Key, SCHEMA};
use crate::model::registry::{CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    AWS_SUFFIXES, Access, AlertFrom, CertificateFacts, ClientHello, Completeness, Confidence, Date,
    Downgrade, EndpointEvidence, EndpointFacts, EndpointKind, Entry, ForwardSecrecy, HostFacts, HttpFacts,
    KeyExchangeFacts, Layer, Layers, MAX_LAYERS, Offered, Origin, Outcome, PathEvidence, PathFacts,
    PolicyFacts, ProxyFacts, ProxyKind, Record, Resumption, ServerHello, Service, Severity, Sighting,
    Signature, SigningCredential, TlsFacts, Verdict, Violation,
};
use crate::policy::recorded_excuse;

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is no JSON object")]
    NotAnObject,
    #[error("it is not of the schema {SCHEMA}")]
    OtherSchema,
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("the value of `{0}` is none that this key can have")]
    Value(&'static str),
    #[error("the value of `{0}` contradicts the rest of the record")]
    Contradiction(&'static str),
    #[error("it is longer than any record")]
    TooLong,
}

/// Reads one line; also gives how many keys this version does not know.
///
/// # Errors
/// What is wrong with the line, the first fault only.
pub fn parse(line: &[u8]) -> Result<(Record, u64), Refusal> {
    let Ok(Value::Object(mut map)) = serde_json::from_slice::<Value>(line) else {
        return Err(Refusal::NotAnObject);
    };
    // Tools that know every column write a null where a key was absent.
    map.retain(|_, value| !value.is_null());
    let mut object = Object { map };
    if object.map.remove(name(Key::Schema)).as_ref().and_then(Value::as_str) != Some(SCHEMA) {
        return Err(Refusal::OtherSchema);
    }
    let record = record(&mut object)?;
    Ok((record, object.map.len() as u64))
}

const fn name(key: Key) -> &'static str {
    key.column().name
}

type Read<T> = Result<T, Refusal>;

/// What is left of the object: what is read is taken out, so that the rest is what is not known.
struct Object {
    map: Map<String, Value>,
}

impl Object {
    fn has(&self, key: Key) -> bool {
        self.map.contains_key(name(key))
    }

    /// The value through `take`; `None` where the key is absent.
    fn read<T>(&mut self, key: Key, take: impl FnOnce(Value) -> Option<T>) -> Read<Option<T>> {
        match self.map.remove(name(key)) {
            None => Ok(None),
            Some(value) => take(value).map(Some).ok_or(Refusal::Value(name(key))),
        }
    }

    fn text(&mut self, key: Key) -> Read<Option<String>> {
        self.read(key, string)
    }

    fn word<T>(&mut self, key: Key, parse: impl Fn(&str) -> Option<T>) -> Read<Option<T>> {
        self.read(key, |value| parse(value.as_str()?))
    }

    fn integer(&mut self, key: Key) -> Read<Option<u64>> {
        self.read(key, |value| value.as_u64())
    }

    fn small<T: TryFrom<u64>>(&mut self, key: Key) -> Read<Option<T>> {
        self.read(key, |value| T::try_from(value.as_u64()?).ok())
    }

    fn flag(&mut self, key: Key) -> Read<Option<bool>> {
        self.read(key, |value| value.as_bool())
    }

    fn seconds(&mut self, key: Key) -> Read<Option<Duration>> {
        self.read(key, seconds)
    }

    /// Every item through `parse`; empty where the key is absent.
    fn list<T>(&mut self, key: Key, parse: impl Fn(&str) -> Option<T>) -> Read<Vec<T>> {
        let list = self.read(key, |value| match value {
            Value::Array(items) => items.iter().map(|item| parse(item.as_str()?)).collect::<Option<Vec<T>>>(),
            _ => None,
        })?;
        Ok(list.unwrap_or_default())
    }

    fn objects<T>(&mut self, key: Key, parse: impl Fn(&Map<String, Value>) -> Option<T>) -> Read<Vec<T>> {
        let list = self.read(key, |value| match value {
            Value::Array(items) => {
                items.iter().map(|item| parse(item.as_object()?)).collect::<Option<Vec<T>>>()
            }
            _ => None,
        })?;
        Ok(list.unwrap_or_default())
    }

    fn address(&mut self, address: Key, port: Key) -> Read<SocketAddr> {
        let ip = needed(self.word(address, |text| text.parse::<IpAddr>().ok()), address)?;
        Ok(SocketAddr::new(ip, needed(self.small::<u16>(port), port)?))
    }
}

fn needed<T>(value: Read<Option<T>>, key: Key) -> Read<T> {
    value?.ok_or(Refusal::Missing(name(key)))
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Whole nanoseconds; of a duration below a hundred days a double keeps them.
fn seconds(value: Value) -> Option<Duration> {
    if let Some(whole) = value.as_u64() {
        return Some(Duration::from_secs(whole));
    }
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

fn record(object: &mut Object) -> Read<Record> {
    let timestamp = needed(object.word(Key::Time, words::time), Key::Time)?;
    let client = object.address(Key::ClientAddress, Key::ClientPort)?;
    let server = object.address(Key::ServerAddress, Key::ServerPort)?;
    object.word(Key::Transport, |text| (text == "tcp").then_some(()))?;
    let source: Arc<str> = needed(object.text(Key::Source), Key::Source)?.into();
    let sightings = sightings(object)?;
    let completeness = needed(object.word(Key::Completeness, Completeness::parse), Key::Completeness)?;
    let outcome = needed(object.word(Key::Outcome, Outcome::parse), Key::Outcome)?;
    let endpoint = endpoint(object)?;
    let server_hello_frame = object.integer(Key::ServerHelloFrame)?;
    // A frame that completed the ServerHello says that it was not cut.
    let is_cut = completeness == Completeness::Truncated && server_hello_frame.is_none();
    let tls =
        if object.has(Key::Established) { Some(Box::new(tls(object, completeness, is_cut)?)) } else { None };
    let http = http(object, outcome, endpoint.service, tls.is_some())?;
    Ok(Record {
        timestamp,
        client,
        server,
        source,
        sightings,
        first_frame: object.integer(Key::FirstFrame)?.unwrap_or_default(),
        client_hello_frame: object.integer(Key::ClientHelloFrame)?,
        server_hello_frame,
        completeness,
        outcome,
        // Not recorded; what a rule has made of it is.
        is_from_beginning: true,
        ended_by: object.word(Key::EndedBy, AlertFrom::parse)?,
        tls,
        http,
        proxy: proxy(object)?,
        handshake_duration: object.seconds(Key::HandshakeDuration)?,
        tcp_rtt: object.seconds(Key::TcpRtt)?,
        endpoint: endpoint.into(),
        path: path(object)?,
        translated: object.objects(Key::Translated, translated)?,
        host: host(object)?,
        policy: policy(object, completeness == Completeness::Full && outcome == Outcome::Completed)?,
    })
}

fn sightings(object: &mut Object) -> Read<Vec<Sighting>> {
    let interface = object.text(Key::Interface)?;
    let layers = object.list(Key::Encapsulation, words::layer)?;
    let endpoint = object.word(Key::GwlbEndpoint, words::vpc_endpoint)?;
    let mut all = object.objects(Key::Sightings, sighting)?;
    if all.is_empty() {
        let encapsulation = encapsulation(&layers).ok_or(Refusal::Value(name(Key::Encapsulation)))?;
        all.push(Sighting { interface: interface.map(Arc::from), encapsulation });
    }
    let Some(endpoint) = endpoint else { return Ok(all) };
    for sighting in &mut all {
        let mut layers = sighting.encapsulation.to_vec();
        if let Some(Layer::Geneve { endpoint_id, .. }) =
            layers.iter_mut().find(|layer| matches!(layer, Layer::Geneve { .. }))
        {
            *endpoint_id = Some(endpoint);
            sighting.encapsulation = layers.as_slice().into();
            return Ok(all);
        }
    }
    Err(Refusal::Value(name(Key::GwlbEndpoint)))
}

/// As many as a packet may have.
fn encapsulation(layers: &[Layer]) -> Option<Layers> {
    (layers.len() <= MAX_LAYERS).then(|| layers.into())
}

fn sighting(map: &Map<String, Value>) -> Option<Sighting> {
    let interface = match map.get("interface") {
        Some(value) => Some(Arc::from(value.as_str()?)),
        None => None,
    };
    let layers = match map.get("encapsulation") {
        Some(value) => value
            .as_array()?
            .iter()
            .map(|layer| words::layer(layer.as_str()?))
            .collect::<Option<Vec<Layer>>>()?,
        None => Vec::new(),
    };
    Some(Sighting { interface, encapsulation: encapsulation(&layers)? })
}

fn translated(map: &Map<String, Value>) -> Option<(SocketAddr, SocketAddr)> {
    let end = |side: &str| {
        let address: IpAddr = map.get(&format!("{side}.address"))?.as_str()?.parse().ok()?;
        let port = u16::try_from(map.get(&format!("{side}.port"))?.as_u64()?).ok()?;
        Some(SocketAddr::new(address, port))
    };
    Some((end("client")?, end("server")?))
}

fn offered(text: &str) -> Option<Offered> {
    words::suite(text).map(Offered::Suite).or_else(|| words::ssl2_kind(text).map(Offered::Kind))
}

fn tls(object: &mut Object, completeness: Completeness, is_hello_cut: bool) -> Read<TlsFacts> {
    let is_truncated = completeness == Completeness::Truncated;
    let mut facts = TlsFacts {
        established: needed(object.flag(Key::Established), Key::Established)?,
        is_truncated,
        client_hello: client_hello(object, is_truncated)?.map(Into::into),
        resumed: object.flag(Key::Resumed)?,
        resumption: object.word(Key::Resumption, Resumption::parse)?,
        forward_secrecy: object.word(Key::ForwardSecrecy, ForwardSecrecy::parse)?,
        forward_secrecy_reason: object.word(Key::ForwardSecrecyReason, words::word)?,
        downgrade: object.word(Key::Downgrade, Downgrade::parse)?,
        ja3: object.text(Key::Ja3)?.map(Into::into),
        ja4: object.text(Key::Ja4)?.map(Into::into),
        ja3s: object.text(Key::Ja3s)?.map(Into::into),
        certificate: certificate(object)?,
        certificate_error: object.word(Key::CertificateReason, words::word)?,
        is_contradicted: object.flag(Key::Contradicted)?.unwrap_or(false),
        ..TlsFacts::default()
    };
    let alert = object.word(Key::Alert, words::alert)?;
    let from = object.word(Key::AlertFrom, AlertFrom::parse)?;
    facts.alert = alert.zip(from);
    agreed(object, &mut facts, is_hello_cut)?;
    // Offered drafts of TLS 1.3 are called 1.3, too. The one that was chosen was among them.
    if !facts.is_contradicted
        && let (Some(client), Some(server)) = (&mut facts.client_hello, &facts.server_hello)
        && let Some(draft) = server.selected_version.filter(|version| version.draft().is_some())
        && !client.supported_versions.is_empty()
    {
        client.supported_versions.push(draft);
    }
    if object.flag(Key::HelloRetryRequest)?.unwrap_or(false) {
        facts.hello_retry_request = Some(
            ServerHello {
                is_hello_retry_request: true,
                key_share: object.word(Key::HelloRetryRequestGroup, words::group)?,
                ..ServerHello::default()
            }
            .into(),
        );
    }
    Ok(facts)
}

/// Version, suite and key exchange.
fn agreed(object: &mut Object, facts: &mut TlsFacts, is_truncated: bool) -> Read<()> {
    object.word(Key::ProtocolName, |text| matches!(text, "tls" | "ssl").then_some(()))?;
    let mut version = object.word(Key::ProtocolVersion, words::version)?;
    if let Some(draft) = object.small::<u8>(Key::ProtocolDraft)? {
        version = Some(TlsVersion(0x7f00 | u16::from(draft)));
    }
    let id = object.text(Key::CipherId)?;
    object.text(Key::Cipher)?;
    let id = id.as_deref();
    let suite = id.and_then(|id| words::hex(id, 4)).and_then(|id| u16::try_from(id).ok()).map(CipherSuite);
    facts.ssl2_cipher_kind = id.and_then(|id| words::hex(id, 6)).map(Ssl2CipherKind);
    if id.is_some() && suite.is_none() && facts.ssl2_cipher_kind.is_none() {
        return Err(Refusal::Value(name(Key::CipherId)));
    }
    let group = object.word(Key::Curve, words::group)?;
    let bits = object.small::<u32>(Key::DhBits)?;
    let alpn = object.text(Key::NextProtocol)?.map(String::into_bytes);
    let is_tls13 = version.is_some_and(|version| version.rank() > TlsVersion::TLS12.rank());
    let exchange = |bits, group: Option<NamedGroup>| match bits {
        Some(bits) => Some(KeyExchangeFacts::Dhe { bits, group }),
        None => group.map(KeyExchangeFacts::Curve),
    };
    facts.key_exchange = exchange(bits, group.filter(|_| bits.is_some() || !is_tls13));
    let session_group = object.word(Key::SessionCurve, words::group)?;
    facts.session_key_exchange = exchange(object.small(Key::SessionDhBits)?, session_group);
    facts.server_hello = version.map(|version| {
        ServerHello {
            is_ssl2_form: suite.is_none(),
            is_truncated,
            legacy_version: if is_tls13 { TlsVersion::TLS12 } else { version },
            selected_version: is_tls13.then_some(version),
            cipher_suite: suite.unwrap_or_default(),
            key_share: group.filter(|_| is_tls13 && bits.is_none()),
            alpn,
            ..ServerHello::default()
        }
        .into()
    });
    Ok(())
}

/// `None` where no key says that one was seen. `may_be_cut` says that something of the handshake was.
fn client_hello(object: &mut Object, may_be_cut: bool) -> Read<Option<ClientHello>> {
    let (max, min) = (
        object.word(Key::ClientMaxVersion, words::version)?,
        object.word(Key::ClientMinVersion, words::version)?,
    );
    let server_name = object.text(Key::ServerName)?;
    let reason = object.text(Key::ServerNameReason)?;
    let groups = |object: &mut Object, key| -> Read<Vec<NamedGroup>> { object.list(key, words::group) };
    let mut hello = ClientHello {
        key_shares: groups(object, Key::KeyShareGroups)?,
        supported_groups: groups(object, Key::SupportedGroups)?,
        alpn: object.list(Key::ClientAlpn, |text| Some(text.as_bytes().to_vec()))?,
        offers_early_data: object.flag(Key::EarlyData)?.unwrap_or(false),
        has_ech: object.flag(Key::Ech)?.unwrap_or(false),
        // The name of a hello that was seen whole is there, or was not sent; and its fingerprints are there, but where the
        // first one was missed.
        is_truncated: match reason.as_deref() {
            Some(reason) => reason == "not_seen",
            None => may_be_cut && !object.has(Key::Ja3),
        },
        server_name,
        ..ClientHello::default()
    };
    for offered in object.list(Key::SupportedCiphers, offered)? {
        hello.offer(offered);
    }
    let is_seen = max.is_some()
        || min.is_some()
        || hello.server_name.is_some()
        || reason.as_deref() == Some("not_sent")
        || !hello.cipher_suites.is_empty()
        || !hello.ssl2_cipher_kinds.is_empty()
        || !hello.supported_groups.is_empty();
    match (max, min) {
        (Some(max), Some(min)) if hello.ssl2_cipher_kinds.is_empty() => {
            hello.supported_versions = if max == min { vec![max] } else { vec![max, min] };
            hello.legacy_version = TlsVersion::TLS12;
        }
        // Without the extension a hello says only what it can do at most; GREASE is no version.
        (max, _) => hello.legacy_version = max.unwrap_or(TlsVersion(0x0a0a)),
    }
    Ok(is_seen.then_some(hello))
}

fn certificate(object: &mut Object) -> Read<Option<Arc<CertificateFacts>>> {
    let Some(subject) = object.text(Key::CertificateSubject)? else { return Ok(None) };
    let issuer = object.text(Key::CertificateIssuer)?.unwrap_or_default();
    Ok(Some(Arc::new(CertificateFacts {
        common_names: parts(&subject, "CN="),
        // Of an issuer of several organisations none speaks for it.
        issuer_organization: Some(parts(&issuer, "O="))
            .filter(|all| all.len() == 1)
            .and_then(|mut all| all.pop()),
        is_self_signed: subject == issuer,
        subject,
        issuer,
        dns_names: object.list(Key::CertificateDnsNames, |text| Some(text.to_owned()))?,
        ip_addresses: Vec::new(),
        not_before: Date::default(),
        not_after: object.word(Key::CertificateNotAfter, words::date)?.unwrap_or_default(),
        key_bits: object.small(Key::CertificateKeyBits)?,
    })))
}

/// The values of one kind in a distinguished name [RFC 4514 section 3].
fn parts(name: &str, kind: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        match character {
            // Only what is written with a backslash as itself is read back so.
            '\\' => parts.last_mut().into_iter().for_each(|part| part.extend(characters.next())),
            ',' => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.push(character)),
        }
    }
    parts.iter().filter_map(|part| part.strip_prefix(kind)).map(str::to_owned).collect()
}

fn http(
    object: &mut Object,
    outcome: Outcome,
    service: Option<Service>,
    is_tls: bool,
) -> Read<Option<Box<HttpFacts>>> {
    let facts = HttpFacts {
        method: object.text(Key::HttpMethod)?,
        host: object.text(Key::HttpHost)?,
        target: object.text(Key::AwsTarget)?,
        signature: object.word(Key::AwsSignature, Signature::parse)?,
        credential: object.word(Key::AwsCredentialKind, SigningCredential::parse)?,
        scope_region: object.text(Key::AwsSignatureRegion)?,
        scope_service: object.text(Key::AwsSignatureService)?,
        sdk: object.text(Key::AwsSdk)?,
        ..HttpFacts::default()
    };
    let is_there = facts != HttpFacts::default() || (outcome == Outcome::Plaintext && !is_tls);
    let is_dax = service == Some(Service::Dax) && facts.method.is_none();
    Ok(is_there.then(|| Box::new(HttpFacts { is_dax, ..facts })))
}

fn proxy(object: &mut Object) -> Read<Option<ProxyFacts>> {
    let target = object.text(Key::ProxyTarget)?;
    let kind = object.word(Key::ProxyKind, ProxyKind::parse)?;
    Ok(kind.map(|kind| ProxyFacts { kind, target }))
}

fn endpoint(object: &mut Object) -> Read<EndpointFacts> {
    let host = object.text(Key::EndpointHost)?;
    let is_aws = |host: &String| {
        let is_under = |suffix: &&str| host.strip_suffix(*suffix).is_some_and(|front| front.ends_with('.'));
        AWS_SUFFIXES.iter().any(is_under)
    };
    let kind = object.word(Key::EndpointKind, EndpointKind::parse)?;
    // Only AWS's names have such a kind, also where there are several and none is told.
    let has_kind_of_aws = kind.is_some_and(|kind| kind != EndpointKind::Local);
    let service_confidence = object.word(Key::ServiceConfidence, Confidence::parse)?;
    let region = object.text(Key::Region)?;
    let evidence = object.list(Key::EndpointEvidence, EndpointEvidence::parse)?;
    Ok(EndpointFacts {
        service: object.word(Key::Service, Service::parse)?,
        has_many_services: service_confidence == Some(Confidence::Possible),
        kind,
        partition: object.text(Key::Partition)?,
        account_id: object.text(Key::AccountId)?,
        fips: object.flag(Key::EndpointFips)?.unwrap_or(false),
        dual_stack: object.flag(Key::EndpointDualStack)?.unwrap_or(false),
        is_aws_name: has_kind_of_aws || host.as_ref().is_some_and(is_aws),
        is_aws_name_open: false,
        is_form_open: false,
        alternatives: Vec::new(),
        host,
        // It is evidence only where it is of the same region.
        is_in_prefix: evidence.contains(&EndpointEvidence::Prefix),
        prefix_region: region.clone().filter(|_| evidence.contains(&EndpointEvidence::Prefix)),
        region,
        evidence,
        confidence: object.word(Key::EndpointConfidence, Confidence::parse)?,
        conflict: object.text(Key::EndpointConflict)?.into_iter().collect(),
        is_address_unproven: false,
        partition_has_prefixes: false,
    })
}

fn path(object: &mut Object) -> Read<PathFacts> {
    let access = object.word(Key::PathAccess, Access::parse)?.unwrap_or(Access::Unknown);
    let entry = object.word(Key::PathEntry, Entry::parse)?.unwrap_or(Entry::Unknown);
    // Written of the less certain half, and of each where they differ.
    let confidence = object.word(Key::PathConfidence, Confidence::parse)?;
    let of_access = object.word(Key::PathAccessConfidence, Confidence::parse)?.or(confidence);
    let of_entry = object.word(Key::PathEntryConfidence, Confidence::parse)?.or(confidence);
    Ok(PathFacts {
        access,
        entry,
        access_confidence: of_access.filter(|_| access != Access::Unknown),
        entry_confidence: of_entry.filter(|_| entry != Entry::Unknown),
        name: object.text(Key::PathName)?,
        evidence: object.list(Key::PathEvidence, PathEvidence::parse)?,
        open_rules: object.list(Key::PathOpenRules, |name| Some(name.to_owned()))?,
    })
}

fn host(object: &mut Object) -> Read<Option<Box<HostFacts>>> {
    let facts = HostFacts {
        origin: object.word(Key::FlowOrigin, Origin::parse)?,
        pid: object.small(Key::ProcessPid)?,
        process: object.text(Key::ProcessName)?.map(Arc::from),
        container: object.text(Key::ContainerId)?.map(Arc::from),
        unit: object.text(Key::SystemdUnit)?.map(Arc::from),
    };
    Ok((facts != HostFacts::default()).then(|| Box::new(facts)))
}

/// The judgement. A verdict that does not follow from the rest, as in a line that was edited, is not passed on.
fn policy(object: &mut Object, can_pass: bool) -> Read<Option<PolicyFacts>> {
    let violations: Vec<Violation> = object.objects(Key::Violations, |map| {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let (rule, message) = (words::word(text("rule")?)?, text("message")?);
        let severity = Severity::parse(text("severity")?)?;
        Some(Violation {
            rule,
            severity,
            offending: text("offending")?.into(),
            message: message.to_owned(),
            remedy: text("remedy")?.into(),
            excuse: recorded_excuse(rule, severity, message),
        })
    })?;
    let not_assessed = object.list(Key::NotAssessed, words::word)?;
    let not_asked = object.list(Key::NotAsked, words::word)?;
    let Some(profile) = object.text(Key::Profile)? else { return Ok(None) };
    let verdict = needed(object.word(Key::Verdict, Verdict::parse), Key::Verdict)?;
    let is_broken = violations.iter().any(|found| found.severity.counts());
    if is_broken != (verdict == Verdict::Violation)
        || (verdict == Verdict::Pass && !(can_pass && not_assessed.is_empty()))
    {
        return Err(Refusal::Contradiction(name(Key::Verdict)));
    }
    Ok(Some(PolicyFacts { profile: profile.into(), verdict, violations, not_assessed, not_asked }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_apart() {
        let name =
            "CN=Starfield Services Root Certificate Authority - G2,O=Starfield Technologies\\, Inc.,C=US";
        assert_eq!(parts(name, "O="), ["Starfield Technologies, Inc."]);
        assert_eq!(parts("CN=a,O=Amazon,O=Corp", "O="), ["Amazon", "Corp"]);
        assert_eq!(parts("CN=x\\,O=Amazon", "O="), [""; 0]);
        assert_eq!(parts("\\", "O="), [""; 0]);
    }
}
