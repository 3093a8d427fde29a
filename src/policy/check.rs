//! One rule on one flow: kept, broken, or not to be known from what was seen.
//!
//! The same answer serves the violation and the verdict, so that the two cannot drift apart.

use std::net::IpAddr;

use super::certificate;
use super::options::{AllowedPath, Settings, Site};
use super::profile::version_text;
#[allow(unused_imports, reason = "the shim goes away when the registry has these methods itself")]
use super::registry_shim::{CipherSuiteNames as _, GroupNames as _};
use super::rules::Rule;
use crate::model::registry::{CipherSuite, CompressionMethod, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{
    Access, AlertFrom, Downgrade, EndpointKind, Entry, ForwardSecrecy, HttpFacts, KeyExchangeFacts, Outcome,
    Record, Service, Signature, SigningCredential, Sni, TlsFacts, is_private,
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
    settings: &'a Settings,
    site: &'a Site,
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
    /// An earlier connection's is used again [RFC 5246 section 7.3].
    Resumed,
    Unknown,
}

fn broken(offending: impl Into<String>, message: String) -> Finding {
    Finding::Broken { offending: offending.into(), message }
}

impl<'a> Case<'a> {
    pub(super) const fn new(record: &'a Record, settings: &'a Settings, site: &'a Site) -> Self {
        Self { record, settings, site }
    }

    pub(super) fn check(&self, rule: Rule) -> Finding {
        if rule.is_about_dynamodb() && self.record.endpoint.service.is_none() {
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
            Rule::SuspectedInterception => self.suspected_interception(),
            Rule::PlaintextHttp => self.plaintext_http(),
            Rule::UnsignedRequest => self.unsigned_request(),
            Rule::LongTermCredential => self.long_term_credential(),
            Rule::FipsEndpointRequired => self.fips_endpoint_required(),
            Rule::PathNotAllowed => self.path_not_allowed(),
            Rule::GatewayEndpointMissing => self.gateway_endpoint_missing(),
            Rule::CrossRegionEndpoint => self.cross_region_endpoint(),
            Rule::DnsOverride => self.dns_override(),
            Rule::EndpointConflict => self.endpoint_conflict(),
            Rule::EndpointUnrecognised => self.endpoint_unrecognised(),
            Rule::SniMissing => self.sni_missing(),
            Rule::SigningNotAssessable => self.signing_not_assessable(),
        }
    }
}

/// What was agreed on.
impl Case<'_> {
    fn version_too_low(&self) -> Finding {
        let Some(version) = self.version() else { return Finding::Unknown };
        let minimum = self.settings.minimum_version;
        if version.rank() >= minimum.rank() {
            return Finding::Kept;
        }
        let (client, server) = (self.client(), self.server());
        broken(
            version_text(version),
            format!(
                "{client} and {server} agreed on {}; at least {} is required.",
                version_text(version),
                version_text(minimum)
            ),
        )
    }

    fn version_not_recommended(&self) -> Finding {
        let Some(version) = self.version() else { return Finding::Unknown };
        let (minimum, recommended) = (self.settings.minimum_version, self.settings.recommended_version);
        if version.rank() < minimum.rank() || version.rank() >= recommended.rank() {
            return Finding::Kept;
        }
        let (client, server) = (self.client(), self.server());
        broken(
            version_text(version),
            format!(
                "{client} and {server} agreed on {}; {} is recommended.",
                version_text(version),
                version_text(recommended)
            ),
        )
    }

    fn legacy_client_refused(&self) -> Finding {
        let Some(tls) = self.tls() else { return Finding::Kept };
        let Some(hello) = tls.client_hello.as_ref().filter(|_| tls.server_hello.is_none()) else {
            return Finding::Kept;
        };
        // A version above 1.2 is only named in an extension, which a cut hello may have lost.
        let is_cut = hello.is_truncated && hello.supported_versions.is_empty();
        let Some(offered) = hello.max_version().filter(|offered| !is_cut || offered.rank() < TlsVersion::TLS12.rank())
        else {
            return Finding::Kept;
        };
        if offered.rank() >= self.settings.minimum_version.rank() {
            return Finding::Kept;
        }
        let is_server = self.record.ended_by == Some(AlertFrom::Server);
        let how = match (tls.alert, self.record.outcome) {
            (Some((_, AlertFrom::Server)), _) => "refused it with an alert",
            (_, Outcome::Reset) if is_server => "reset the connection",
            (_, Outcome::Closed) if is_server => "closed the connection",
            _ => return Finding::Kept,
        };
        let (client, server) = (self.client(), self.server());
        broken(
            version_text(offered),
            format!("{client} offers at most {} and cannot connect: {server} {how}.", version_text(offered)),
        )
    }

    fn no_forward_secrecy(&self) -> Finding {
        let Some(tls) = self.tls() else { return Finding::Unknown };
        match tls.forward_secrecy {
            Some(ForwardSecrecy::Yes) => Finding::Kept,
            Some(ForwardSecrecy::Unknown) | None => Finding::Unknown,
            Some(ForwardSecrecy::No) => {
                let suite = self.suite().map_or_else(|| "unknown".to_owned(), |suite| suite_text(&suite));
                let (client, server) = (self.client(), self.server());
                let message = if self.version().is_some_and(|version| version.rank() > TlsVersion::TLS12.rank()) {
                    format!(
                        "{client} and {server} resumed by a shared key alone (psk_ke, {suite}): no forward secrecy."
                    )
                } else {
                    format!("{client} and {server} agreed on {suite}, which has no forward secrecy.")
                };
                broken(suite, message)
            }
        }
    }

    fn weak_cipher(&self) -> Finding {
        let weakness = match self.suite() {
            None => return Finding::Unknown,
            Some(Suite::Ssl2(_)) => "SSL 2",
            // A number without an entry in the registry: nothing is known of it.
            Some(Suite::Tls(suite)) => match suite.info() {
                None => return Finding::Unknown,
                Some(info) => match info.weakness() {
                    None => return Finding::Kept,
                    Some(weakness) => weakness.as_str(),
                },
            },
        };
        let suite = self.suite().map_or_else(String::new, |suite| suite_text(&suite));
        let message = format!("{} and {} agreed on {suite}, which is broken ({weakness}).", self.client(), self.server());
        broken(suite, message)
    }

    fn cipher_not_allowed(&self) -> Finding {
        let allowed = &self.settings.allowed_ciphers;
        if allowed.is_empty() {
            return Finding::Kept;
        }
        let Some(suite) = self.suite() else { return Finding::Unknown };
        if matches!(suite, Suite::Tls(suite) if allowed.contains(&suite)) {
            return Finding::Kept;
        }
        let suite = suite_text(&suite);
        let message = format!(
            "{} and {} agreed on {suite}, which is not in the list of the profile {}.",
            self.client(),
            self.server(),
            self.settings.profile
        );
        broken(suite, message)
    }

    fn group_not_allowed(&self) -> Finding {
        let allowed = &self.settings.allowed_groups;
        if allowed.is_empty() {
            return Finding::Kept;
        }
        let group = match self.key_exchange() {
            KeyExchange::Unknown | KeyExchange::Resumed => return Finding::Unknown,
            KeyExchange::None => return Finding::Kept,
            KeyExchange::Group(group) if allowed.contains(&group) => return Finding::Kept,
            KeyExchange::Group(group) => group.to_string(),
            KeyExchange::Prime(bits) => format!("DH {bits} bits, no named group"),
            KeyExchange::Curve(bits) => format!("explicit curve, {bits} bits"),
        };
        let message = format!(
            "{} and {} exchanged keys by {group}, which is not in the list of the profile {}.",
            self.client(),
            self.server(),
            self.settings.profile
        );
        broken(group, message)
    }

    fn weak_key_exchange(&self) -> Finding {
        let (bits, minimum, what) = match self.key_exchange() {
            KeyExchange::None | KeyExchange::Resumed => return Finding::Kept,
            KeyExchange::Unknown => return Finding::Unknown,
            KeyExchange::Prime(bits) => (bits, self.settings.minimum_dh_bits, "a Diffie-Hellman prime".to_owned()),
            KeyExchange::Curve(bits) => (bits, self.settings.minimum_curve_bits, "an explicit curve".to_owned()),
            KeyExchange::Group(group) => {
                if let Some(bits) = group.ffdhe_bits() {
                    (bits, self.settings.minimum_dh_bits, group.to_string())
                } else if group.is_post_quantum() {
                    return Finding::Kept;
                } else if let Some(bits) = group.curve_bits() {
                    (bits, self.settings.minimum_curve_bits, group.to_string())
                } else {
                    return Finding::Unknown;
                }
            }
        };
        if bits >= minimum {
            return Finding::Kept;
        }
        let message = format!(
            "{} and {} exchanged keys by {what} of {bits} bits; at least {minimum} are required.",
            self.client(),
            self.server()
        );
        broken(format!("{bits} bits"), message)
    }

    fn not_post_quantum(&self) -> Finding {
        let Some(version) = self.version() else { return Finding::Unknown };
        let offending = match self.key_exchange() {
            KeyExchange::Group(group) if group.is_post_quantum() => return Finding::Kept,
            KeyExchange::Group(group) => group.to_string(),
            // Before TLS 1.3 there is no group with ML-KEM.
            _ if version.rank() <= TlsVersion::TLS12.rank() => version_text(version),
            KeyExchange::None => "shared key alone".to_owned(),
            _ => return Finding::Unknown,
        };
        let message = format!(
            "The key exchange of {} and {} is not post-quantum ({offending}).",
            self.client(),
            self.server()
        );
        broken(offending, message)
    }

    fn early_data(&self) -> Finding {
        let is_offered = self.tls().and_then(|tls| tls.client_hello.as_ref()).is_some_and(|hello| hello.offers_early_data);
        if !is_offered {
            return Finding::Kept;
        }
        broken("early_data", format!("{} offered early data (0-RTT) to {}.", self.client(), self.server()))
    }

    fn downgrade_detected(&self) -> Finding {
        let Some(kind) = self.tls().and_then(|tls| tls.downgrade) else { return Finding::Kept };
        let (client, server) = (self.client(), self.server());
        let agreed = self.version().map_or_else(|| "a lower version".to_owned(), version_text);
        let message = match kind {
            Downgrade::SentinelTls12 => format!(
                "{client} offered TLS 1.3 and {server} can do it too, by the mark in its hello, but they agreed on {agreed}."
            ),
            Downgrade::SentinelTls11 => format!(
                "{client} offered TLS 1.2 or more and {server} can do it too, by the mark in its hello, but they agreed on {agreed}."
            ),
            Downgrade::FallbackScsv => {
                format!("{client} said that it is retrying at a lower version, and {server} accepted {agreed}.")
            }
        };
        broken(kind.as_str(), message)
    }

    fn tls_compression(&self) -> Finding {
        let method = self.tls().and_then(|tls| tls.server_hello.as_ref()).map(|hello| hello.compression_method);
        match method {
            None | Some(CompressionMethod(0)) => Finding::Kept,
            Some(CompressionMethod(method)) => {
                let name = match method {
                    1 => "DEFLATE".to_owned(),
                    64 => "LZS".to_owned(),
                    other => format!("0x{other:02x}"),
                };
                let message = format!("{} and {} agreed on TLS compression ({name}).", self.client(), self.server());
                broken(name, message)
            }
        }
    }
}

/// Who answers.
impl Case<'_> {
    fn certificate_expired(&self) -> Finding {
        let Some(facts) = self.tls().and_then(|tls| tls.certificate.as_ref()) else { return Finding::Kept };
        if facts.not_after >= self.record.timestamp {
            return Finding::Kept;
        }
        let end = day(facts.not_after);
        let message = format!("The certificate of {} for {} ended on {end}.", self.record.server.ip(), self.server());
        broken(end, message)
    }

    fn certificate_name_mismatch(&self) -> Finding {
        let Some(tls) = self.tls() else { return Finding::Kept };
        let (Some(facts), Sni::Name(name)) = (tls.certificate.as_ref(), tls.sni()) else { return Finding::Kept };
        if certificate::covers(facts, &name) {
            return Finding::Kept;
        }
        let covered = facts
            .dns_names
            .first()
            .or(facts.common_names.first())
            .map_or_else(|| facts.subject.clone(), Clone::clone);
        let message = format!(
            "{} asked for {name}, but the certificate of {} is for {covered}.",
            self.client(),
            self.record.server.ip()
        );
        broken(covered, message)
    }

    fn suspected_interception(&self) -> Finding {
        let endpoint = &self.record.endpoint;
        // The certificates of DAX clusters are not known well enough to judge by.
        if !endpoint.is_aws_name || endpoint.kind == Some(EndpointKind::DaxCluster) {
            return Finding::Kept;
        }
        let Some(facts) = self.tls().and_then(|tls| tls.certificate.as_ref()) else { return Finding::Kept };
        if certificate::is_amazon_issued(facts) {
            return Finding::Kept;
        }
        let message = format!(
            "The certificate shown to {} for {} was issued by {}, not by Amazon Trust Services: TLS is probably ended before AWS.",
            self.client(),
            self.server(),
            facts.issuer
        );
        broken(facts.issuer.clone(), message)
    }
}

/// Requests in clear.
impl Case<'_> {
    fn plaintext_http(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        let (what, offending) =
            if http.is_dax { ("talks to DAX", "dax cleartext") } else { ("calls DynamoDB", "http") };
        let message = format!(
            "{} {what} without TLS: {}, port {}.",
            self.client(),
            self.server(),
            self.record.server.port()
        );
        broken(offending, message)
    }

    fn unsigned_request(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        match http.signature {
            // DAX has no signature of this kind.
            _ if http.is_dax => Finding::Kept,
            Some(Signature::None) => {
                let what = http.target.as_deref().unwrap_or("a request");
                let message =
                    format!("{} sent {what} to {} in clear and without a signature.", self.client(), self.server());
                broken(Signature::None.as_str(), message)
            }
            Some(_) => Finding::Kept,
            None => Finding::Unknown,
        }
    }

    fn long_term_credential(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        match http.credential {
            Some(SigningCredential::LongTerm) => {
                let message = format!(
                    "{} signed a request to {} in clear with a long-term access key.",
                    self.client(),
                    self.server()
                );
                broken(SigningCredential::LongTerm.as_str(), message)
            }
            Some(SigningCredential::Temporary) => Finding::Kept,
            None if http.is_dax || http.signature == Some(Signature::None) => Finding::Kept,
            None => Finding::Unknown,
        }
    }
}

/// Where it goes and how.
impl Case<'_> {
    fn fips_endpoint_required(&self) -> Finding {
        let endpoint = &self.record.endpoint;
        let kind = match endpoint.kind {
            _ if endpoint.fips => return Finding::Kept,
            // Only AWS's names say whether they are FIPS, and only by forms that are known.
            None | Some(EndpointKind::Unrecognised) => return Finding::Unknown,
            Some(EndpointKind::Local) => EndpointKind::Local,
            Some(_) if !endpoint.is_aws_name => return Finding::Unknown,
            Some(kind) => kind,
        };
        let message = format!("{} uses {}, which is not a FIPS endpoint.", self.client(), self.server());
        broken(kind.as_str(), message)
    }

    fn path_not_allowed(&self) -> Finding {
        let allowed = &self.settings.allowed_paths;
        if allowed.is_empty() {
            return Finding::Kept;
        }
        let path = &self.record.path;
        // Some(true): it is this path; Some(false): it cannot be; None: it may be.
        let fits = |candidate: &AllowedPath| {
            let of = |wanted: bool, is_known: bool| if is_known { Some(wanted) } else { None };
            let access = candidate.access.map_or(Some(true), |wanted| {
                of(wanted == path.access, path.access != Access::Unknown)
            });
            let entry =
                candidate.entry.map_or(Some(true), |wanted| of(wanted == path.entry, path.entry != Entry::Unknown));
            match (access, entry) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        };
        if allowed.iter().any(|candidate| fits(candidate) == Some(true)) {
            return Finding::Kept;
        }
        if allowed.iter().any(|candidate| fits(candidate).is_none()) {
            return Finding::Unknown;
        }
        let taken = AllowedPath {
            access: (path.access != Access::Unknown).then_some(path.access),
            entry: (path.entry != Entry::Unknown).then_some(path.entry),
        };
        let words: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message =
            format!("{} reaches {} over {taken}; allowed: {}.", self.client(), self.server(), words.join(", "));
        broken(taken.to_string(), message)
    }

    fn gateway_endpoint_missing(&self) -> Finding {
        let record = self.record;
        let (Some(hop), Some(region)) = (self.site.egress_hop, self.site.region.as_deref()) else {
            return Finding::Kept;
        };
        // Gateway endpoints serve DynamoDB itself, not Streams, and only clients inside the VPC.
        let is_elsewhere = matches!(
            record.path.access,
            Access::SiteToSiteVpn
                | Access::DirectConnectPrivate
                | Access::DirectConnectPublic
                | Access::DirectConnectTransit
        ) || matches!(record.path.entry, Entry::GatewayEndpoint | Entry::InterfaceEndpoint);
        if is_elsewhere
            || record.endpoint.service != Some(Service::Dynamodb)
            || record.proxy.is_some()
            || !is_private(record.client.ip())
            || is_private(record.server.ip())
            || record.endpoint.prefix_region.as_deref() != Some(region)
        {
            return Finding::Kept;
        }
        let message = format!(
            "{} reaches DynamoDB of {region} ({}) through this {hop}: its subnet has no gateway endpoint in effect.",
            self.client(),
            self.server()
        );
        broken(record.client.ip().to_string(), message)
    }

    fn cross_region_endpoint(&self) -> Finding {
        match (self.record.endpoint.region.as_deref(), self.site.region.as_deref()) {
            (Some(region), Some(home)) if region != home => {
                let message =
                    format!("{} uses {} in {region}; the home region is {home}.", self.client(), self.server());
                broken(region, message)
            }
            _ => Finding::Kept,
        }
    }

    fn dns_override(&self) -> Finding {
        let endpoint = &self.record.endpoint;
        let is_public_form = endpoint.is_aws_name
            && endpoint.service != Some(Service::Dax)
            && matches!(
                endpoint.kind,
                Some(
                    EndpointKind::Account | EndpointKind::Fips | EndpointKind::DualStack | EndpointKind::Regional
                )
            );
        let address: IpAddr = self.record.server.ip();
        if !is_public_form || self.record.proxy.is_some() || !is_private(address) {
            return Finding::Kept;
        }
        let message = format!(
            "{} uses the public name {}, but it leads to the private address {address}.",
            self.client(),
            self.server()
        );
        broken(address.to_string(), message)
    }

    fn endpoint_conflict(&self) -> Finding {
        let conflict = &self.record.endpoint.conflict;
        let Some(first) = conflict.first() else { return Finding::Kept };
        let sentences: Vec<&str> = conflict.iter().map(|sentence| sentence.trim()).collect();
        let offending = if conflict.len() == 1 { first.trim().to_owned() } else { format!("{} contradictions", conflict.len()) };
        broken(offending, format!("{} to {}: {}", self.client(), self.server(), sentences.join(" ")))
    }

    fn endpoint_unrecognised(&self) -> Finding {
        if self.record.endpoint.kind != Some(EndpointKind::Unrecognised) {
            return Finding::Kept;
        }
        let server = self.server();
        let message = format!("{} uses {server}, a form of DynamoDB's names that is not known.", self.client());
        broken(server, message)
    }

    fn sni_missing(&self) -> Finding {
        if self.tls().is_none_or(|tls| tls.sni() != Sni::NotSent) {
            return Finding::Kept;
        }
        broken("not_sent", format!("{} sent no server name to {}.", self.client(), self.server()))
    }

    fn signing_not_assessable(&self) -> Finding {
        if self.tls().is_none() {
            return Finding::Kept;
        }
        broken(
            "tls",
            format!("Whether {} signs its requests to {} cannot be seen under TLS.", self.client(), self.server()),
        )
    }
}

/// What the rules look at.
impl Case<'_> {
    fn tls(&self) -> Option<&TlsFacts> {
        self.record.tls.as_deref()
    }

    fn http(&self) -> Option<&HttpFacts> {
        self.record.http.as_deref()
    }

    /// The negotiated version; `None` too where a cut hello may have lost the extension that names it.
    fn version(&self) -> Option<TlsVersion> {
        let hello = self.tls()?.server_hello.as_ref()?;
        let is_cut =
            hello.is_truncated && hello.selected_version.is_none() && hello.legacy_version == TlsVersion::TLS12;
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
        if let Some(group) = tls.group() {
            return KeyExchange::Group(group);
        }
        match tls.key_exchange {
            Some(KeyExchangeFacts::Dhe { bits, .. }) => return KeyExchange::Prime(bits),
            Some(KeyExchangeFacts::ExplicitCurve { bits }) => return KeyExchange::Curve(bits),
            Some(KeyExchangeFacts::ExportRsa { .. }) => return KeyExchange::None,
            Some(KeyExchangeFacts::Curve(_)) | None => {}
        }
        let is_tls13 = self.version().is_some_and(|version| version.rank() > TlsVersion::TLS12.rank());
        match tls.forward_secrecy {
            _ if hello.is_truncated => KeyExchange::Unknown,
            Some(ForwardSecrecy::No) => KeyExchange::None,
            _ if !is_tls13 && tls.resumed == Some(true) => KeyExchange::Resumed,
            _ => KeyExchange::Unknown,
        }
    }

    fn client(&self) -> String {
        self.record.client.ip().to_string()
    }

    /// The name of the endpoint where there is one, else the server's address.
    fn server(&self) -> String {
        if let Some(host) = &self.record.endpoint.host {
            return host.clone();
        }
        match self.tls().map(TlsFacts::sni) {
            Some(Sni::Name(name)) => name,
            _ => self.record.server.ip().to_string(),
        }
    }
}

fn suite_text(suite: &Suite) -> String {
    match suite {
        Suite::Tls(suite) => suite.to_string(),
        Suite::Ssl2(kind) => format!("0x{:06x}", kind.0),
    }
}

/// The day of a moment, in UTC.
fn day(at: crate::model::Timestamp) -> String {
    at.to_string().split('T').next().unwrap_or_default().to_owned()
}
