//! The closed list of rules: what each finds, why it matters, where that is said, what to do.
//!
//! Ids are stable. The order is the order in which violations of one flow are listed.

use std::borrow::Cow;

use crate::model::registry::TlsVersion;
use crate::model::{Severity, closed_set};

closed_set! {
    /// A rule, by its stable id.
    Rule {
        TlsVersionTooLow => "tls_version_too_low",
        TlsVersionNotRecommended => "tls_version_not_recommended",
        LegacyClientRefused => "legacy_client_refused",
        NoForwardSecrecy => "no_forward_secrecy",
        WeakCipher => "weak_cipher",
        CipherNotAllowed => "cipher_not_allowed",
        GroupNotAllowed => "group_not_allowed",
        WeakKeyExchange => "weak_key_exchange",
        NotPostQuantum => "not_post_quantum",
        EarlyData => "early_data",
        DowngradeDetected => "downgrade_detected",
        TlsCompression => "tls_compression",
        CertificateExpired => "certificate_expired",
        CertificateNameMismatch => "certificate_name_mismatch",
        SuspectedInterception => "suspected_interception",
        PlaintextHttp => "plaintext_http",
        UnsignedRequest => "unsigned_request",
        LongTermCredential => "long_term_credential",
        FipsEndpointRequired => "fips_endpoint_required",
        PathNotAllowed => "path_not_allowed",
        GatewayEndpointMissing => "gateway_endpoint_missing",
        CrossRegionEndpoint => "cross_region_endpoint",
        DnsOverride => "dns_override",
        EndpointConflict => "endpoint_conflict",
        EndpointUnrecognised => "endpoint_unrecognised",
        SniMissing => "sni_missing",
        SigningNotAssessable => "signing_not_assessable",
    }
}

/// The versions that remedies speak of where a profile does not ask for more.
const EITHER: &str = "TLS 1.2 or 1.3";

/// What people are told of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// One line: what was seen.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// Page, RFC section or registry the rule rests on.
    pub source: &'static str,
    /// What to change, and where.
    pub remedy: &'static str,
}

impl Rule {
    /// Severity in the default profile; `None`: off.
    #[must_use]
    pub const fn default_severity(self) -> Option<Severity> {
        match self {
            Self::TlsVersionTooLow
            | Self::NoForwardSecrecy
            | Self::WeakCipher
            | Self::DowngradeDetected
            | Self::SuspectedInterception
            | Self::PlaintextHttp
            | Self::UnsignedRequest
            | Self::PathNotAllowed => Some(Severity::Critical),
            Self::LegacyClientRefused
            | Self::WeakKeyExchange
            | Self::TlsCompression
            | Self::CertificateExpired
            | Self::CertificateNameMismatch
            | Self::LongTermCredential
            | Self::GatewayEndpointMissing
            | Self::DnsOverride
            | Self::EndpointConflict => Some(Severity::Warning),
            Self::TlsVersionNotRecommended
            | Self::EarlyData
            | Self::CrossRegionEndpoint
            | Self::EndpointUnrecognised
            | Self::SniMissing
            | Self::SigningNotAssessable => Some(Severity::Info),
            Self::CipherNotAllowed
            | Self::GroupNotAllowed
            | Self::NotPostQuantum
            | Self::FipsEndpointRequired => None,
        }
    }

    /// What to change where a profile asks for at least `minimum`: of versions below it nobody should be told to offer one.
    #[must_use]
    pub fn remedy_for(self, minimum: TlsVersion) -> Cow<'static, str> {
        let remedy = self.text().remedy;
        if minimum.rank() > TlsVersion::TLS12.rank() && remedy.contains(EITHER) {
            Cow::Owned(remedy.replace(EITHER, "TLS 1.3"))
        } else {
            Cow::Borrowed(remedy)
        }
    }

    /// True for a rule that only makes sense where a flow goes to DynamoDB.
    #[must_use]
    pub const fn is_about_dynamodb(self) -> bool {
        matches!(
            self,
            Self::SuspectedInterception
                | Self::PlaintextHttp
                | Self::UnsignedRequest
                | Self::LongTermCredential
                | Self::FipsEndpointRequired
                | Self::PathNotAllowed
                | Self::GatewayEndpointMissing
                | Self::CrossRegionEndpoint
                | Self::DnsOverride
                | Self::EndpointConflict
                | Self::EndpointUnrecognised
                | Self::SigningNotAssessable
        )
    }

    /// True for a rule on what a TLS handshake agreed on: it has nothing to say of a connection in clear.
    #[must_use]
    pub const fn is_about_agreement(self) -> bool {
        matches!(
            self,
            Self::TlsVersionTooLow
                | Self::TlsVersionNotRecommended
                | Self::NoForwardSecrecy
                | Self::WeakCipher
                | Self::CipherNotAllowed
                | Self::GroupNotAllowed
                | Self::WeakKeyExchange
                | Self::NotPostQuantum
        )
    }

    /// True for a rule that needs more than a record holds: who judges a record anew has to take over what was found at
    /// the time.
    #[must_use]
    pub const fn is_beyond_records(self) -> bool {
        matches!(
            self,
            Self::TlsCompression
                // The day from which on a certificate is valid.
                | Self::CertificateExpired
                | Self::CertificateNameMismatch
                | Self::SuspectedInterception
                | Self::GatewayEndpointMissing
                | Self::DnsOverride
                | Self::EndpointConflict
                // Of the requests of a connection a record holds the first; the others were judged, too.
                | Self::UnsignedRequest
                | Self::LongTermCredential
        )
    }

    /// True where the form of the name decides: of several names a record tells only what they have in common.
    #[must_use]
    pub const fn is_about_form(self) -> bool {
        matches!(self, Self::FipsEndpointRequired | Self::EndpointUnrecognised)
    }

    /// All of it, for `explain`.
    #[must_use]
    pub fn explain(self) -> String {
        let RuleText { what, why, source, remedy } = self.text();
        let severity = self.default_severity().map_or("off", Severity::as_str);
        format!(
            "{self} (default: {severity})\n\n{what}\n\nwhy:    {why}\nsource: {source}\nremedy: {remedy}\n"
        )
    }

    /// The words for people.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "the text of every rule in one place")]
    pub const fn text(self) -> RuleText {
        let (what, why, source, remedy) = match self {
            Self::TlsVersionTooLow => (
                "The negotiated TLS version is below the profile's minimum.",
                "The DynamoDB developer guide says that clients must support TLS 1.2 and recommends TLS 1.3. AWS ended TLS 1.0 and 1.1 on its API endpoints by the end of 2023, so a lower version that was agreed on means an old capture, an emulator, or something between the client and AWS.",
                "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\"; AWS Security Blog, \"TLS 1.2 to become the minimum TLS protocol level for all AWS API endpoints\"; RFC 8996",
                "Update the client's runtime or TLS library so that it offers TLS 1.2 or 1.3, and look for a proxy or inspection device that ends TLS on the way.",
            ),
            Self::TlsVersionNotRecommended => (
                "The negotiated TLS version is allowed, but below the recommended one.",
                "The DynamoDB developer guide requires TLS 1.2 and recommends TLS 1.3.",
                "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\"; RFC 8446",
                "Update the client's runtime or TLS library to one that offers TLS 1.3.",
            ),
            Self::LegacyClientRefused => (
                "The best version the client offers is below the minimum, and the server ended the attempt.",
                "The application cannot reach DynamoDB at all. CloudTrail records API calls that reached the service, so an attempt like this one does not show there.",
                "RFC 8446 section 6.2 (protocol_version, handshake_failure); AWS Security Blog, \"TLS 1.2 to become the minimum TLS protocol level for all AWS API endpoints\"",
                "Find the client by its address and update its runtime or TLS library so that it offers TLS 1.2 or 1.3.",
            ),
            Self::NoForwardSecrecy => (
                "The negotiated key exchange has no forward secrecy.",
                "Whoever records the traffic now and gets the server's long-term key (or, for psk_ke, the shared key) later can read it. The DynamoDB developer guide asks for suites with perfect forward secrecy such as DHE or ECDHE.",
                "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\"; RFC 8446 sections 2.2 and 4.2.9",
                "Let the client offer ECDHE suites or TLS 1.3 with a key share, and stop offering TLS_RSA suites and the psk_ke mode.",
            ),
            Self::WeakCipher => (
                "The negotiated suite is broken: NULL, EXPORT, anonymous, RC4, DES, 3DES, RC2, IDEA or MD5.",
                "These suites give no encryption, no authentication, or encryption that can be broken.",
                "RFC 9325 section 4.1; RFC 7465 (RC4); IANA TLS Cipher Suites registry",
                "Remove these suites from the client's configuration and let it offer ECDHE suites with AES-GCM.",
            ),
            Self::CipherNotAllowed => (
                "The negotiated suite is not in the profile's list.",
                "A standard or a house rule names the suites that may be used, and this is none of them.",
                "The profile's sources (`ddbwatch profiles NAME`); IANA TLS Cipher Suites registry",
                "Restrict the suites the client offers to those of the profile, or add this one to `allowed_ciphers` if the house allows it.",
            ),
            Self::GroupNotAllowed => (
                "The group of the key exchange is not in the profile's list.",
                "A standard or a house rule names the groups that may be used, and this is none of them.",
                "The profile's sources (`ddbwatch profiles NAME`); IANA TLS Supported Groups registry",
                "Restrict the groups the client offers to those of the profile, or add this one to `allowed_groups` if the house allows it.",
            ),
            Self::WeakKeyExchange => (
                "The key exchange uses a Diffie-Hellman prime or a curve that is too small.",
                "Below 2048 bits (curves: 224 bits) a key exchange has less than 112 bits of strength; a profile may ask for more.",
                "NIST SP 800-52 Rev. 2; RFC 9325 section 4.5; RFC 7919",
                "Let the client offer ECDHE or TLS 1.3, or the end that chooses the prime use a larger one.",
            ),
            Self::NotPostQuantum => (
                "The key exchange is not ML-KEM, alone or in a hybrid.",
                "Traffic recorded now may be read once a quantum computer can undo the classical key exchange.",
                "AWS Security Blog, \"AWS post-quantum cryptography migration plan\"; IANA TLS Supported Groups registry",
                "Use an SDK and runtime that offer X25519MLKEM768 (AWS SDKs and tools reference guide, post-quantum TLS). Whether the endpoint accepts it is the service's choice.",
            ),
            Self::EarlyData => (
                "The client offered early data (0-RTT).",
                "Early data has no forward secrecy of its own and can be replayed.",
                "RFC 8446 sections 2.3 and 8",
                "Switch early data off in the client's TLS settings.",
            ),
            Self::DowngradeDetected => (
                "Both sides can do better than what was agreed on, by the server's own mark.",
                "Someone on the way may have changed the hellos, or the client retried at a lower version after a failure.",
                "RFC 8446 section 4.1.3; RFC 7507",
                "Look for an inspection device, proxy or load balancer between the client and AWS, and switch off the client's fallback to lower versions.",
            ),
            Self::TlsCompression => (
                "TLS compression was negotiated.",
                "Compression before encryption gives away what is encrypted (CRIME).",
                "RFC 9325 section 3.3; RFC 3749",
                "Switch off TLS compression in the client's TLS library.",
            ),
            Self::CertificateExpired => (
                "The server's certificate had expired when it was used.",
                "A client that accepts it does not check certificates as it should.",
                "RFC 5280 section 4.1.2.5",
                "Renew the certificate of whatever answers at this address; if that is not AWS, find out what it is.",
            ),
            Self::CertificateNameMismatch => (
                "The server's certificate does not cover the name the client asked for.",
                "The connection may end at another server than the client means to reach.",
                "RFC 9525 section 6",
                "Check what answers at this address, and the name the client is configured with.",
            ),
            Self::SuspectedInterception => (
                "The certificate for a DynamoDB name was not issued by Amazon Trust Services.",
                "Certificates of DynamoDB come from Amazon Trust Services since 2018; another issuer means that TLS is ended before AWS, for example by an inspecting proxy. In the other partitions (GovCloud, China, sovereign clouds) the issuers are not documented: there, another issuer makes the flow not assessable. The issuer is read from the certificate and its signature is not verified.",
                "Amazon DynamoDB developer guide, \"DynamoDB and Amazon Trust Services\" (ats-certs)",
                "If a company proxy inspects TLS here, exempt the DynamoDB endpoints from inspection; if nobody knows of one, treat this as an incident.",
            ),
            Self::PlaintextHttp => (
                "DynamoDB was called without TLS.",
                "Requests, items and session tokens can be read and changed on the way.",
                "AWS general reference, \"Amazon DynamoDB endpoints and quotas\" (HTTP and HTTPS); Amazon DynamoDB developer guide, \"Infrastructure security\"; DAX Endpoint API (dax, daxs)",
                "Set the client's endpoint to https:// (DAX: a cluster with encryption in transit and a daxs:// endpoint), and close port 80 (DAX: 8111) towards it.",
            ),
            Self::UnsignedRequest => (
                "A request to DynamoDB was not signed.",
                "Requests to DynamoDB must be signed with an access key or with temporary credentials of STS.",
                "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\"; AWS Signature Version 4",
                "Give the client credentials, or find out which tool sends requests by hand.",
            ),
            Self::LongTermCredential => (
                "A request to DynamoDB was signed with a long-term access key (AKIA).",
                "The key of an IAM user or of root stays valid until someone rotates it, and here it was named in clear.",
                "STS API reference, GetAccessKeyInfo; IAM user guide, \"Security best practices in IAM\"",
                "Use a role (temporary credentials) instead of an IAM user's access key, and rotate this key.",
            ),
            Self::FipsEndpointRequired => (
                "The endpoint is not a FIPS endpoint.",
                "Only the endpoints that say fips in their name (in GovCloud also the plain ones) are meant for this requirement. What module an endpoint really runs cannot be seen from outside.",
                "AWS general reference, \"Amazon DynamoDB endpoints and quotas\"; AWS SDKs and tools reference guide, use_fips_endpoint",
                "Set AWS_USE_FIPS_ENDPOINT=true (or use_fips_endpoint) for the client, in a region that has a FIPS endpoint, and remove custom endpoint URLs.",
            ),
            Self::PathNotAllowed => (
                "The flow took a way that is not in `allowed_paths`.",
                "The house has decided which ways traffic to DynamoDB may take.",
                "The configuration, `[policy] allowed_paths`",
                "Route this client's traffic over an allowed path, or add the path to `allowed_paths` if the house allows it.",
            ),
            Self::GatewayEndpointMissing => (
                "A client in a VPC reaches the region's own DynamoDB through a NAT, firewall or transit hop.",
                "With a gateway endpoint in the subnet's route table this traffic would not come here: its prefix list is more specific than the default route.",
                "Amazon VPC user guide, \"Gateway endpoints\"; \"Gateway endpoints for Amazon DynamoDB\"",
                "Add a DynamoDB gateway endpoint to the client's VPC and associate it with the route table of its subnet.",
            ),
            Self::CrossRegionEndpoint => (
                "The endpoint is in another region than the site.",
                "Data leaves the home region, and calls take longer. Gateway endpoints serve their own region only.",
                "The configuration, `[site] region`",
                "Check the region the client is configured with (AWS_REGION, profile, endpoint URL).",
            ),
            Self::DnsOverride => (
                "A public DynamoDB name leads to a private address.",
                "AWS advises against overriding the public name in a private hosted zone, because requests can unexpectedly go over public addresses. The same picture is given by an intercepting proxy or an emulator.",
                "Amazon DynamoDB developer guide, \"AWS PrivateLink for DynamoDB\"",
                "Use the name of the interface endpoint (vpce-…) in the client's endpoint URL, and remove the override of the public name.",
            ),
            Self::EndpointConflict => (
                "The signs of which endpoint this is contradict each other.",
                "A DynamoDB name at an address that is not DynamoDB's, or names that disagree, point to a wrong DNS answer, an old address list, a proxy, or an attempt to look like DynamoDB.",
                "AWS IP address ranges (ip-ranges.json, service DYNAMODB)",
                "Check the DNS answer the client gets and the age of the address list (`ddbwatch check --config FILE`).",
            ),
            Self::EndpointUnrecognised => (
                "The name looks like DynamoDB's, but has a form that is not known.",
                "AWS adds forms of host names without notice; until it is known, nothing can be said of this endpoint.",
                "AWS SDK endpoint rule sets for dynamodb and dynamodbstreams",
                "Check whether AWS has introduced this form, and update ddbwatch.",
            ),
            Self::SniMissing => (
                "The client sent no server name (SNI).",
                "Without a name the endpoint can only be told by its address, and the server by its default certificate.",
                "RFC 6066 section 3; RFC 8446 section 9.2",
                "Let the client connect by host name, and use a TLS library that sends SNI.",
            ),
            Self::SigningNotAssessable => (
                "Whether requests are signed cannot be seen under TLS.",
                "The requirement that requests are signed is inside the encrypted connection. DynamoDB checks it; a passive observer cannot.",
                "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\"",
                "Nothing to do here: look at CloudTrail data events where evidence of signing is needed.",
            ),
        };
        RuleText { what, why, source, remedy }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn lists_each_rule_of_the_contract_once() {
        assert_eq!(Rule::ALL.len(), 27);
        let ids: HashSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.as_str()), Some(*rule));
        }
    }

    #[test]
    fn says_something_of_each_rule() {
        for rule in Rule::ALL {
            let text = rule.text();
            for words in [text.what, text.why, text.remedy] {
                assert!(words.ends_with('.'), "{rule}: {words}");
            }
            assert!(!text.source.is_empty() && !text.source.ends_with('.'), "{rule}");
            let page = rule.explain();
            assert!(
                [rule.as_str(), text.what, text.why, text.source, text.remedy]
                    .iter()
                    .all(|part| page.contains(part))
            );
        }
    }

    #[test]
    fn tells_nobody_to_offer_less_than_is_asked_for() {
        for rule in Rule::ALL {
            assert_eq!(rule.remedy_for(TlsVersion::TLS12), rule.text().remedy);
            let remedy = rule.remedy_for(TlsVersion::TLS13);
            assert!(!remedy.contains("TLS 1.2"), "{rule}: {remedy}");
        }
    }

    #[test]
    fn never_lets_what_cannot_be_seen_weigh_on_the_verdict() {
        assert_eq!(Rule::SigningNotAssessable.default_severity(), Some(Severity::Info));
    }
}
