//! Every key of a flow record: the one list that JSON Lines, CSV, the documentation and the tests share.
//!
//! A key that is not here cannot be written, because writers are given a [`Key`] and not a name.

/// The shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// RFC 3339 in UTC.
    Time,
    /// A whole number, never negative.
    Integer,
    /// Seconds, up to nine decimals.
    Seconds,
    /// `true` or `false`.
    Flag,
    /// An array of strings.
    List,
    /// An array of objects.
    Objects,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Time => "time",
            Self::Integer => "integer",
            Self::Seconds => "seconds",
            Self::Flag => "boolean",
            Self::List => "array of strings",
            Self::Objects => "array of objects",
        }
    }
}

/// What is known of one key.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name in records, flat and dotted.
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence.
    pub meaning: &'static str,
    /// A value as it stands in JSON.
    pub example: &'static str,
    /// The name as it is written in JSON behind another one, with comma, quotes and colon.
    pub(crate) json: &'static str,
}

macro_rules! keys {
    ($($key:ident $kind:ident $name:literal $meaning:literal $example:literal;)+) => {
        /// One key of a record. The order of declaration is the order in which keys are written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key { $(#[doc = $meaning] $key),+ }

        impl Key {
            /// Every key, in the order in which they are written.
            pub const ALL: &'static [Self] = &[$(Self::$key),+];

            /// What is known of this key.
            #[must_use]
            pub const fn column(self) -> &'static Column {
                match self { $(Self::$key => &Column {
                    name: $name,
                    kind: Kind::$kind,
                    meaning: $meaning,
                    example: $example,
                    json: concat!(",\"", $name, "\":"),
                }),+ }
            }
        }
    };
}

keys! {
    Schema Text "schema" "Version of this format." "\"ddbwatch.flow/1\"";
    Time Time "timestamp" "Time of the first packet of the flow." "\"2026-11-23T10:00:00.000000001Z\"";
    ClientAddress Text "client.address" "Inner IP address of the client." "\"10.0.1.5\"";
    ClientPort Integer "client.port" "TCP port of the client." "41234";
    ServerAddress Text "server.address" "Inner IP address of the server." "\"192.0.2.10\"";
    ServerPort Integer "server.port" "TCP port of the server." "443";
    Transport Text "network.transport" "Always tcp." "\"tcp\"";
    Source Text "capture.source" "Base name of the capture file, or live." "\"site.pcapng\"";
    Interface Text "capture.interface" "Interface of the first sighting, where known." "\"eth0\"";
    Encapsulation List "capture.encapsulation" "What wrapped the packets of the first sighting, outermost first; absent where nothing did." "[\"vlan:120\",\"geneve:0\"]";
    GwlbEndpoint Text "aws.gwlb.endpoint_id" "Gateway Load Balancer endpoint the packets came through." "\"vpce-00123456789abcdef\"";
    FirstFrame Integer "capture.frame.first" "Number of the first frame of the flow in its file, from 1." "12";
    ClientHelloFrame Integer "capture.frame.client_hello" "Number of the frame that completed the ClientHello." "15";
    ServerHelloFrame Integer "capture.frame.server_hello" "Number of the frame that completed the ServerHello." "17";
    Completeness Text "flow.completeness" "How much of the handshake was seen: full, client_only, server_only, mid_stream, truncated." "\"full\"";
    EndedBy Text "flow.ended_by" "Who sent the first FIN or RST, where that ended the flow: client or server." "\"server\"";
    Sightings Objects "flow.sightings" "Every way the flow was seen (interface, encapsulation), where there is more than one." "[{\"interface\":\"eth0\"},{\"interface\":\"eth1\",\"encapsulation\":[\"vlan:7\"]}]";
    Translated Objects "flow.translated" "The addresses of the same flow on the other side of address translation." "[{\"client.address\":\"198.51.100.7\",\"client.port\":1024,\"server.address\":\"192.0.2.10\",\"server.port\":443}]";
    Established Flag "tls.established" "True only where both sides are seen to finish, or application data flows both ways." "true";
    ProtocolName Text "tls.protocol.name" "tls or ssl: of the negotiated version, else of the best offered." "\"tls\"";
    ProtocolVersion Text "tls.protocol.version" "Negotiated version: 2, 3 (SSL), 1.0 to 1.3 (TLS); absent where nothing was negotiated." "\"1.2\"";
    ProtocolDraft Integer "tls.protocol.draft" "Number of the TLS 1.3 draft, where a draft was negotiated." "28";
    ClientMaxVersion Text "tls.client.max_version" "Highest version offered, GREASE ignored; absent where a cut hello may have lost the naming of a newer one." "\"1.3\"";
    ClientMinVersion Text "tls.client.min_version" "Lowest version offered, where the hello says so." "\"1.2\"";
    Cipher Text "tls.cipher" "IANA name of the negotiated suite; hexadecimal where it has none." "\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"";
    CipherId Text "tls.cipher_id" "Number of the negotiated suite." "\"0xc02f\"";
    ForwardSecrecy Text "tls.forward_secrecy" "yes, no or unknown, by the whole rule (suite, key share, psk mode)." "\"yes\"";
    ForwardSecrecyReason Text "tls.forward_secrecy.reason" "Why forward secrecy is what it is, where that is not plain." "\"resumed\"";
    Curve Text "tls.curve" "IANA name of the key exchange group; hexadecimal where it has none." "\"x25519\"";
    DhBits Integer "tls.dh_bits" "Bits of the prime of classic finite-field Diffie-Hellman." "2048";
    SessionCurve Text "tls.session.curve" "Of a resumed session of TLS 1.2 or older whose full handshake was seen: the group of that one's key exchange." "\"x25519\"";
    SessionDhBits Integer "tls.session.dh_bits" "The same: bits of the prime of its Diffie-Hellman." "2048";
    KeyShareGroups List "tls.client.key_share_groups" "Groups the first ClientHello sent a key share for, in wire order, GREASE left out; absent where only the second one was seen." "[\"x25519\"]";
    SupportedGroups List "tls.client.supported_groups" "Groups offered, in wire order, GREASE left out." "[\"x25519\",\"secp256r1\"]";
    SupportedCiphers List "tls.client.supported_ciphers" "Suites offered, in wire order, GREASE left out." "[\"TLS_AES_128_GCM_SHA256\"]";
    HelloRetryRequest Flag "tls.hello_retry_request" "True where a HelloRetryRequest was seen." "true";
    HelloRetryRequestGroup Text "tls.hello_retry_request.group" "Group the HelloRetryRequest asked for." "\"secp384r1\"";
    Resumed Flag "tls.resumed" "True where a session was resumed, false where it was not; absent where that was not seen." "false";
    Resumption Text "tls.resumption" "How it was resumed: session_id, ticket, psk." "\"ticket\"";
    EarlyData Flag "tls.early_data" "True where the client offered 0-RTT; absent also where that may have been in what was cut of the hello." "true";
    NextProtocol Text "tls.next_protocol" "ALPN protocol chosen, where visible." "\"h2\"";
    ClientAlpn List "tls.client.alpn" "ALPN protocols offered." "[\"h2\",\"http/1.1\"]";
    ServerName Text "tls.client.server_name" "Server name in clear, as sent." "\"dynamodb.eu-central-1.amazonaws.com\"";
    ServerNameReason Text "tls.client.server_name.reason" "Why there is no server name: not_sent, not_seen." "\"not_sent\"";
    Ech Flag "tls.ech" "True where an Encrypted Client Hello extension was present, real or GREASE; absent also where it may have been in what was cut of the hello." "true";
    Ja3 Text "tls.client.ja3" "JA3 of the first ClientHello." "\"b05942cf9db38edab716bba670db271f\"";
    Ja4 Text "tls.client.ja4" "JA4 of the first ClientHello." "\"t13d030200_55b375c5d22e_b9a491fefe05\"";
    Ja3s Text "tls.server.ja3s" "JA3S of the ServerHello." "\"b742b407517bac9536a77a7b0fee28e9\"";
    CertificateSubject Text "tls.server.certificate.subject" "Subject of the leaf certificate (TLS 1.2 and older)." "\"CN=dynamodb.eu-central-1.amazonaws.com\"";
    CertificateIssuer Text "tls.server.certificate.issuer" "Issuer of the leaf certificate." "\"CN=Amazon RSA 2048 M01,O=Amazon,C=US\"";
    CertificateDnsNames List "tls.server.certificate.dns_names" "DNS names of the leaf certificate." "[\"dynamodb.eu-central-1.amazonaws.com\"]";
    CertificateNotAfter Time "tls.server.certificate.not_after" "When the leaf certificate expires." "\"2027-01-01T23:59:59Z\"";
    CertificateKeyBits Integer "tls.server.certificate.key_bits" "Bits of its public key." "2048";
    CertificateReason Text "tls.server.certificate.reason" "Why a certificate could not be read, or is not there where one has to be." "\"truncated\"";
    Alert Text "tls.alert" "Last fatal alert seen in clear." "\"protocol_version\"";
    AlertFrom Text "tls.alert.from" "Who sent it: client or server." "\"server\"";
    Downgrade Text "tls.downgrade" "Sign that both sides could do better: sentinel_tls12, sentinel_tls11, fallback_scsv." "\"sentinel_tls12\"";
    Contradicted Flag "tls.contradicted" "True where client and server say what no two come to terms by, as an answer to another hello, or an extension twice: together it proves nothing." "true";
    Outcome Text "handshake.outcome" "completed, refused_by_server, refused_by_client, reset, closed, timed_out, not_seen, plaintext." "\"completed\"";
    HandshakeDuration Seconds "handshake.duration_seconds" "From the first byte of the ClientHello to the end of the handshake." "0.0421";
    TcpRtt Seconds "tcp.rtt_seconds" "From SYN to the ACK that answers SYN-ACK, as the observer saw them." "0.0123";
    HttpMethod Text "http.request.method" "Method of a plaintext request." "\"POST\"";
    HttpHost Text "http.host" "Host of a plaintext request." "\"dynamodb.eu-central-1.amazonaws.com\"";
    AwsTarget Text "aws.target" "DynamoDB operation of a plaintext request." "\"DynamoDB_20120810.GetItem\"";
    AwsSignature Text "aws.signature" "How a plaintext request was signed: sigv4, sigv4a, presigned, none." "\"sigv4\"";
    AwsSignatureRegion Text "aws.signature.region" "Region named in the credential scope." "\"eu-central-1\"";
    AwsSignatureService Text "aws.signature.service" "Service named in the credential scope." "\"dynamodb\"";
    AwsCredentialKind Text "aws.credential_kind" "long_term or temporary; never the key." "\"temporary\"";
    AwsSdk Text "aws.sdk" "SDK named in User-Agent of a plaintext request." "\"aws-sdk-js/3.656.0\"";
    ProxyKind Text "proxy.kind" "What TLS ran inside: http_connect, socks5, proxy_protocol." "\"http_connect\"";
    ProxyTarget Text "proxy.target" "Host and port asked for, or the real destination." "\"dynamodb.eu-central-1.amazonaws.com:443\"";
    Service Text "aws.service" "dynamodb, dynamodb-streams, dynamodb-search, dax; absent for other flows." "\"dynamodb\"";
    ServiceConfidence Text "aws.service.confidence" "possible, where the names that the flow is known by are of several services; else absent." "\"possible\"";
    EndpointKind Text "aws.endpoint.kind" "interface, account, dax_cluster, fips, dual_stack, regional, local, unrecognised; absent where only a prefix is known, or several names leave it open." "\"regional\"";
    EndpointFips Flag "aws.endpoint.fips" "True where the name is one of a FIPS endpoint." "true";
    EndpointDualStack Flag "aws.endpoint.dual_stack" "True where the name is one of a dual-stack endpoint." "true";
    EndpointHost Text "aws.endpoint.host" "The name the finding rests on, where it rests on one." "\"dynamodb.eu-central-1.amazonaws.com\"";
    Region Text "aws.region" "AWS region of the endpoint." "\"eu-central-1\"";
    Partition Text "aws.partition" "AWS partition of the endpoint." "\"aws\"";
    AccountId Text "aws.account_id" "Account of an account endpoint, redacted by default." "\"account-1\"";
    EndpointEvidence List "aws.endpoint.evidence" "What showed it: sni, dns, prefix, certificate, http_host, proxy_target." "[\"sni\",\"prefix\"]";
    EndpointConfidence Text "aws.endpoint.confidence" "certain, likely, possible; the name of a hello that was cut is possible alone, as it may be the outer one of an Encrypted Client Hello." "\"certain\"";
    EndpointConflict Text "aws.endpoint.conflict" "Contradictions of the evidence, one sentence each." "\"the name says eu-west-1, the address eu-central-1\"";
    PathAccess Text "path.access" "How packets get to AWS: site_to_site_vpn, direct_connect_private, direct_connect_public, direct_connect_transit, in_vpc, internet, unknown." "\"direct_connect_public\"";
    PathEntry Text "path.entry" "How DynamoDB is entered: gateway_endpoint, interface_endpoint, public_endpoint, unknown." "\"public_endpoint\"";
    PathName Text "path.name" "Name of the configured rule that matched." "\"dx-frankfurt\"";
    PathEvidence List "path.evidence" "What showed it: rule, sni, address, prefix, tunnel, vlan, gwlb_endpoint, link_kind, inside_address, esp." "[\"rule\",\"vlan\"]";
    PathOpenRules List "path.open_rules" "Configured rules that ask what the capture does not tell: one of them may be the flow's." "[\"vpn\"]";
    PathConfidence Text "path.confidence" "certain, likely, possible; absent where nothing is known." "\"certain\"";
    PathAccessConfidence Text "path.access.confidence" "Certainty of the access alone, where that of the entry is another." "\"certain\"";
    PathEntryConfidence Text "path.entry.confidence" "Certainty of the entry alone, where that of the access is another." "\"possible\"";
    ProcessPid Integer "process.pid" "Process of this host that holds the flow's socket; live only, like the next four." "4711";
    ProcessName Text "process.name" "Its short name." "\"python3\"";
    ContainerId Text "container.id" "Container that the socket belongs to." "\"3f2a9c0d1e4b5a697887766554433221100ffeeddccbbaa99887766554433221\"";
    SystemdUnit Text "systemd.unit" "Service or scope that the socket belongs to." "\"orders.service\"";
    FlowOrigin Text "flow.origin" "local: one end is this host; forwarded: it only passes; absent where that is not certain, as behind a mirror." "\"local\"";
    Profile Text "policy.profile" "Profile the flow was judged by." "\"aws-dynamodb\"";
    Verdict Text "policy.verdict" "pass, violation, not_assessable." "\"violation\"";
    NotAssessed List "policy.not_assessed" "Rules the profile requires that could not be judged by what was seen; absent where there are none." "[\"no_forward_secrecy\"]";
    NotAsked List "policy.not_asked" "Rules the profile does not require, that need more than a record holds, and that the flow did not plainly keep; absent where there are none." "[\"tls_compression\"]";
    Violations Objects "violations" "Broken rules: rule, severity, offending, message, remedy; empty where none is." "[{\"rule\":\"tls_version_too_low\",\"severity\":\"critical\",\"offending\":\"TLS 1.0\",\"message\":\"…\",\"remedy\":\"…\"}]";
}

/// The value of the key `schema`.
pub const SCHEMA: &str = "ddbwatch.flow/1";

/// The list as a Markdown table.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| key | type | meaning | example |\n|---|---|---|---|\n");
    for key in Key::ALL {
        let column = key.column();
        for part in
            ["| `", column.name, "` | ", column.kind.as_str(), " | ", column.meaning, " | `", column.example]
        {
            text.push_str(part);
        }
        text.push_str("` |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_each_key_once() {
        let names: HashSet<&str> = Key::ALL.iter().map(|key| key.column().name).collect();
        assert_eq!(names.len(), Key::ALL.len());
    }

    #[test]
    fn gives_examples_of_the_stated_type() {
        for key in Key::ALL {
            let column = key.column();
            let value: serde_json::Value = serde_json::from_str(column.example).expect(column.name);
            let fits = match column.kind {
                Kind::Text => value.is_string(),
                Kind::Time => value.as_str().is_some_and(|text| text.ends_with('Z')),
                Kind::Integer => value.is_u64(),
                Kind::Seconds => value.is_f64(),
                Kind::Flag => value.is_boolean(),
                Kind::List => value.as_array().is_some_and(|items| items.iter().all(|item| item.is_string())),
                Kind::Objects => {
                    value.as_array().is_some_and(|items| items.iter().all(|item| item.is_object()))
                }
            };
            assert!(fits, "{}: {value}", column.name);
        }
    }

    #[test]
    fn renders_one_markdown_row_per_key() {
        let text = markdown();
        assert_eq!(text.lines().count(), Key::ALL.len() + 2);
        assert!(text.lines().skip(2).all(|line| line.starts_with("| `") && line.ends_with("` |")));
        assert!(
            text.lines().skip(2).all(|line| line.matches('|').count() == 5),
            "no cell may break the table"
        );
    }
}
