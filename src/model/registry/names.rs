//! Names of extensions, alerts, compression methods and signature schemes.

use std::fmt;

use super::alerts::ALERTS;
use super::extensions::EXTENSIONS;
use super::signature_schemes::SIGNATURE_SCHEMES;
use super::{AlertDescription, CompressionMethod, ExtensionId, SignatureScheme, is_grease};

impl ExtensionId {
    pub const SERVER_NAME: Self = Self(0);
    pub const SUPPORTED_GROUPS: Self = Self(10);
    pub const EC_POINT_FORMATS: Self = Self(11);
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// application_layer_protocol_negotiation [RFC 7301].
    pub const ALPN: Self = Self(16);
    pub const ENCRYPT_THEN_MAC: Self = Self(22);
    pub const SESSION_TICKET: Self = Self(35);
    pub const PRE_SHARED_KEY: Self = Self(41);
    pub const EARLY_DATA: Self = Self(42);
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    pub const COOKIE: Self = Self(44);
    pub const PSK_KEY_EXCHANGE_MODES: Self = Self(45);
    pub const KEY_SHARE: Self = Self(51);
    pub const ENCRYPTED_CLIENT_HELLO: Self = Self(0xfe0d);
    pub const RENEGOTIATION_INFO: Self = Self(0xff01);

    /// The IANA name, or the one an unregistered extension is known by.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        find(EXTENSIONS, self.0)
    }

    /// Reserved value of RFC 8701.
    #[must_use]
    pub const fn is_grease(self) -> bool {
        is_grease(self.0)
    }
}

/// The name, else `0x%04x`.
impl fmt::Display for ExtensionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl AlertDescription {
    /// The IANA name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        find(ALERTS, self.0)
    }
}

/// The name, else `0x%02x`.
impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl CompressionMethod {
    pub const NULL: Self = Self(0);

    /// The IANA name [RFC 3749, RFC 3943].
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("null"),
            1 => Some("DEFLATE"),
            64 => Some("LZS"),
            _ => None,
        }
    }
}

/// The name, else `0x%02x`.
impl fmt::Display for CompressionMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl SignatureScheme {
    /// The IANA name; `hash+signature` for pairs of TLS 1.2 that are no scheme.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        find(SIGNATURE_SCHEMES, self.0)
    }

    /// Reserved value of RFC 8701.
    #[must_use]
    pub const fn is_grease(self) -> bool {
        is_grease(self.0)
    }
}

/// The name, else `0x%04x`.
impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

fn find<N: Ord + Copy>(table: &'static [(N, &'static str)], number: N) -> Option<&'static str> {
    let at = table.binary_search_by_key(&number, |row| row.0).ok()?;
    table.get(at).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Debug;

    use super::*;

    fn check<N: Ord + Copy + Debug>(table: &'static [(N, &'static str)]) {
        assert!(table.is_sorted_by(|a, b| a.0 < b.0));
        let names: HashSet<&str> = table.iter().map(|row| row.1).collect();
        assert_eq!(names.len(), table.len());
    }

    #[test]
    fn has_each_number_and_name_once_in_order() {
        check(EXTENSIONS);
        check(ALERTS);
        check(SIGNATURE_SCHEMES);
        assert!(EXTENSIONS.iter().chain(SIGNATURE_SCHEMES).all(|row| !is_grease(row.0)));
    }

    #[test]
    fn knows_names_of_the_rfcs() {
        assert_eq!(ExtensionId::SERVER_NAME.name(), Some("server_name"));
        assert_eq!(ExtensionId::ALPN.name(), Some("application_layer_protocol_negotiation"));
        assert_eq!(ExtensionId::KEY_SHARE.name(), Some("key_share"));
        assert_eq!(ExtensionId::ENCRYPTED_CLIENT_HELLO.name(), Some("encrypted_client_hello"));
        assert_eq!(ExtensionId::RENEGOTIATION_INFO.name(), Some("renegotiation_info"));
        assert_eq!(ExtensionId(0xfafa).to_string(), "0xfafa");
        assert_eq!(AlertDescription(70).to_string(), "protocol_version");
        assert_eq!(AlertDescription(40).to_string(), "handshake_failure");
        assert_eq!(AlertDescription(255).to_string(), "0xff");
        assert_eq!(SignatureScheme(0x0403).to_string(), "ecdsa_secp256r1_sha256");
        assert_eq!(SignatureScheme(0x0804).to_string(), "rsa_pss_rsae_sha256");
        assert_eq!(SignatureScheme(0x0301).to_string(), "sha224+rsa");
        assert_eq!(SignatureScheme(0x0a0a).to_string(), "0x0a0a");
        assert_eq!(CompressionMethod(0).to_string(), "null");
        assert_eq!(CompressionMethod(1).to_string(), "DEFLATE");
        assert_eq!(CompressionMethod(64).to_string(), "LZS");
        assert_eq!(CompressionMethod(2).to_string(), "0x02");
    }

    /// Without case, underscores and the note that a number is no longer in use.
    fn plain(text: &str) -> String {
        text.to_ascii_lowercase().replace("reserved", "").replace('_', "")
    }

    #[test]
    fn agrees_with_a_second_source_on_alerts() {
        // British or shortened there.
        let known = [
            (90, "usercancelled"),
            (111, "certunobtainable"),
            (113, "badcertstatusresponse"),
            (114, "badcerthashvalue"),
        ];
        let mut compared = 0;
        for &(number, name) in ALERTS {
            let theirs = tls_parser::TlsAlertDescription(number).to_string();
            if theirs.contains('(') {
                continue;
            }
            let theirs = plain(&theirs);
            let is_known = known.contains(&(number, theirs.as_str()));
            assert!((plain(name) == theirs) != is_known, "{number}: {theirs} {name}");
            compared += 1;
        }
        assert!(compared > 25, "{compared}");
    }

    #[test]
    fn agrees_with_a_second_source_on_extensions() {
        let mut differing = Vec::new();
        for &(number, name) in EXTENSIONS {
            let theirs = tls_parser::TlsExtensionType(number).to_string();
            if !theirs.contains('(') && plain(&theirs) != plain(name) {
                differing.push((number, theirs));
            }
        }
        // Shortened or older names there.
        let known = [
            (2, "ClientCertificate"),
            (35, "SessionTicketTLS"),
            (40, "KeyShareOld"),
            (45, "PskExchangeModes"),
            (50, "SigAlgorithmsCert"),
        ];
        assert!(differing.iter().map(|(number, name)| (*number, name.as_str())).eq(known), "{differing:?}");
    }
}
