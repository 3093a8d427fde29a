//! Rules on what the two ends agreed on, and on who answers.

use super::{Case, Finding, KeyExchange, Suite, broken};
use crate::model::registry::{CompressionMethod, TlsVersion};
use crate::model::{AlertFrom, CertificateFacts, Downgrade, ForwardSecrecy, Outcome, Service, Sni, TlsFacts};
use crate::policy::certificate::{self, Validity};
use crate::policy::profile::version_text;

/// What was agreed on.
impl Case<'_> {
    pub(super) fn version_too_low(&self) -> Finding {
        // A number without a name: nothing is known of it.
        let Some(version) = self.version().filter(|version| version.as_str().is_some()) else {
            return Finding::Unknown;
        };
        let minimum = self.settings.minimum_version;
        if version.generation() >= minimum.generation() {
            let is_offered = self.tls().is_none_or(TlsFacts::is_choice_offered);
            return if is_offered { Finding::Kept } else { Finding::Unknown };
        }
        broken(
            version_text(version),
            format!(
                "{} {}; at least {} is required.",
                self.agreed_on(),
                version_text(version),
                version_text(minimum)
            ),
        )
    }

    pub(super) fn version_not_recommended(&self) -> Finding {
        let Some(version) = self.version() else { return Finding::Unknown };
        let (minimum, recommended) = (self.settings.minimum_version, self.settings.recommended_version);
        let agreed = version.generation();
        if agreed < minimum.generation() || agreed >= recommended.generation() {
            return Finding::Kept;
        }
        let (version, recommended) = (version_text(version), version_text(recommended));
        // Said of every flow with TLS 1.2, so without a formatter.
        let message = [&self.agreed_on(), " ", &version, "; ", &recommended, " is recommended."].concat();
        broken(version, message)
    }

    pub(super) fn legacy_client_refused(&self) -> Finding {
        let Some(tls) = self.tls() else { return Finding::Kept };
        let Some(hello) = tls.client_hello.as_ref().filter(|_| tls.server_hello.is_none()) else {
            return Finding::Kept;
        };
        let Some(offered) = hello.max_version() else { return Finding::Kept };
        if offered.generation() >= self.settings.minimum_version.generation() {
            return Finding::Kept;
        }
        if tls.lacks_server_bytes {
            // It may have been accepted.
            return Finding::Unknown;
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

    pub(super) fn no_forward_secrecy(&self) -> Finding {
        let Some(tls) = self.tls() else { return Finding::Unknown };
        match tls.forward_secrecy {
            Some(ForwardSecrecy::Yes) => Finding::Kept,
            Some(ForwardSecrecy::Unknown) | None => Finding::Unknown,
            Some(ForwardSecrecy::No) => {
                // SSL 2 has no such suite at all, so it is known of a resumption, which names none.
                let version = || self.version().map_or("an unknown suite".into(), version_text).into_owned();
                let suite = self.suite().map_or_else(version, |suite| suite_text(&suite));
                let (client, server) = (self.client(), self.server());
                let message = if self
                    .version()
                    .is_some_and(|version| version.rank() > TlsVersion::TLS12.rank())
                {
                    format!(
                        "{client} and {server} resumed by a shared key alone (psk_ke, {suite}): no forward secrecy."
                    )
                } else {
                    format!("{} {suite}, which has no forward secrecy.", self.agreed_on())
                };
                broken(suite, message)
            }
        }
    }

    pub(super) fn weak_cipher(&self) -> Finding {
        let Some(suite) = self.suite() else { return Finding::Unknown };
        let weakness = match suite {
            Suite::Ssl2(_) => "SSL 2",
            // A number without an entry in the registry: nothing is known of it.
            Suite::Tls(suite) => match suite.info() {
                None => return Finding::Unknown,
                Some(info) => match info.weakness() {
                    None => return Finding::Kept,
                    Some(weakness) => weakness.as_str(),
                },
            },
        };
        let suite = suite_text(&suite);
        let message = format!("{} {suite}, which is broken ({weakness}).", self.agreed_on());
        broken(suite, message)
    }

    pub(super) fn cipher_not_allowed(&self) -> Finding {
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
            "{} {suite}, which is not in the list of the profile {}.",
            self.agreed_on(),
            self.settings.profile
        );
        broken(suite, message)
    }

    pub(super) fn group_not_allowed(&self) -> Finding {
        let allowed = &self.settings.allowed_groups;
        if allowed.is_empty() {
            return Finding::Kept;
        }
        let group = match self.key_exchange() {
            KeyExchange::Unknown => return Finding::Unknown,
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

    pub(super) fn weak_key_exchange(&self) -> Finding {
        let (bits, minimum, what) = match self.key_exchange() {
            KeyExchange::None => return Finding::Kept,
            KeyExchange::Unknown => return Finding::Unknown,
            KeyExchange::Prime(bits) => {
                (bits, self.settings.minimum_dh_bits, "a Diffie-Hellman prime".to_owned())
            }
            KeyExchange::Curve(bits) => {
                (bits, self.settings.minimum_curve_bits, "an explicit curve".to_owned())
            }
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

    pub(super) fn not_post_quantum(&self) -> Finding {
        let Some(version) = self.version() else { return Finding::Unknown };
        let offending = match self.key_exchange() {
            KeyExchange::Group(group) if group.is_ml_kem() => return Finding::Kept,
            // Nothing is known of a number without a name.
            KeyExchange::Group(group)
                if group.name().is_none() && version.rank() > TlsVersion::TLS12.rank() =>
            {
                return Finding::Unknown;
            }
            KeyExchange::Group(group) => group.to_string(),
            // Before TLS 1.3 there is no group with ML-KEM.
            _ if version.rank() <= TlsVersion::TLS12.rank() => version_text(version).into_owned(),
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

    pub(super) fn early_data(&self) -> Finding {
        let is_offered =
            self.tls().and_then(|tls| tls.client_hello.as_ref()).is_some_and(|hello| hello.offers_early_data);
        if !is_offered {
            return Finding::Kept;
        }
        broken("early_data", format!("{} offered early data (0-RTT) to {}.", self.client(), self.server()))
    }

    pub(super) fn downgrade_detected(&self) -> Finding {
        let Some(kind) = self.tls().and_then(|tls| tls.downgrade) else { return Finding::Kept };
        let (client, server) = (self.client(), self.server());
        let agreed = self.version().map_or_else(|| "a lower version".into(), version_text);
        let but = if self.record.outcome == Outcome::RefusedByClient {
            "but it chose"
        } else {
            "but they agreed on"
        };
        let message = match kind {
            Downgrade::SentinelTls12 => format!(
                "{client} offered TLS 1.3 and {server} can do it too, by the mark in its hello, {but} {agreed}."
            ),
            Downgrade::SentinelTls11 => format!(
                "{client} offered TLS 1.2 or more and {server} can do it too, by the mark in its hello, {but} {agreed}."
            ),
            Downgrade::FallbackScsv => {
                format!(
                    "{client} said that it is retrying at a lower version, and {server} accepted {agreed}."
                )
            }
        };
        broken(kind.as_str(), message)
    }

    pub(super) fn tls_compression(&self) -> Finding {
        let hello = self.tls().and_then(|tls| tls.server_hello.as_ref());
        match hello.map(|hello| hello.compression_method) {
            None | Some(CompressionMethod::NULL) => Finding::Kept,
            Some(method) => {
                let message = format!("{} TLS compression ({method}).", self.agreed_on());
                broken(method.to_string(), message)
            }
        }
    }
}

/// Who answers.
impl Case<'_> {
    fn certificate(&self) -> Option<&CertificateFacts> {
        self.tls()?.peer_certificate()
    }

    /// A certificate that was shown and could not be read may be anybody's, and a handshake without the one it has to
    /// have proves nothing. Where none was to be seen, as in TLS 1.3, there is nothing that these rules could be about.
    fn without_certificate(&self) -> Finding {
        match self.tls().and_then(|tls| tls.certificate_error) {
            Some(_) => Finding::Unknown,
            None => Finding::Kept,
        }
    }

    pub(super) fn certificate_expired(&self) -> Finding {
        let Some(facts) = self.certificate() else { return self.without_certificate() };
        match certificate::validity(facts, self.record.timestamp) {
            Validity::Within => return Finding::Kept,
            Validity::NotYet | Validity::Undated => return Finding::Unknown,
            Validity::Over => {}
        }
        let end = facts.not_after.day();
        let message =
            format!("The certificate of {} for {} expired on {end}.", self.record.server.ip(), self.server());
        broken(end, message)
    }

    pub(super) fn certificate_name_mismatch(&self) -> Finding {
        let Some(Sni::Name(name)) = self.tls().map(TlsFacts::sni) else { return Finding::Kept };
        let Some(facts) = self.certificate() else { return self.without_certificate() };
        if certificate::covers(facts, name) {
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

    pub(super) fn suspected_interception(&self) -> Finding {
        let endpoint = self.endpoint;
        // The certificates of DAX clusters are not known well enough to judge by.
        if !endpoint.is_aws_name && !endpoint.is_aws_name_open || endpoint.service == Some(Service::Dax) {
            return Finding::Kept;
        }
        let Some(facts) = self.certificate() else { return self.without_certificate() };
        if certificate::is_amazon_issued(facts) {
            return Finding::Kept;
        }
        if !endpoint.is_aws_name {
            return Finding::Unknown;
        }
        // What AWS says of the issuer it says of its commercial regions. The services of GovCloud have
        // used a government's authority, and those of China and the others are not documented. Of more names than are
        // told apart, one may be of another partition.
        if endpoint.partition.as_deref() != Some("aws") {
            return Finding::Unknown;
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

fn suite_text(suite: &Suite) -> String {
    match suite {
        Suite::Tls(suite) => suite.to_string(),
        Suite::Ssl2(kind) => kind.to_string(),
    }
}
