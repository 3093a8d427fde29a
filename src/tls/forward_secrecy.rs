//! Whether a later theft of long-term keys opens the connection, by the whole rule: suite, key_share,
//! PSK mode, resumption [RFC 8446 sections 2.2 and 4.2.9, RFC 5246 appendix F].

use super::numbers::is_tls13;
use crate::model::registry::CipherSuite;
use crate::model::{ForwardSecrecy, TlsFacts};

/// How the keys of a cipher suite are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    Null,
    Rsa,
    Dh,
    Dhe,
    Ecdh,
    Ecdhe,
    Psk,
    DhePsk,
    EcdhePsk,
    RsaPsk,
    Krb5,
    Srp,
    Gost,
    Eccpwd,
    Tls13,
}

impl KeyExchange {
    /// A fresh key pair on both sides (also where nobody is authenticated).
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Dhe | Self::Ecdhe | Self::DhePsk | Self::EcdhePsk | Self::Eccpwd)
    }
}

/// The key exchange of a suite, `None` where the suite is unknown.
// The only place that asks for a property of a suite: by its IANA name.
pub fn key_exchange_of(suite: CipherSuite) -> Option<KeyExchange> {
    let name = tls_parser::TlsCipherSuite::from_id(suite.0)?.name.strip_prefix("TLS_")?;
    // Longer names before their beginnings.
    const BY_NAME: [(&str, KeyExchange); 20] = [
        ("NULL_WITH_NULL", KeyExchange::Null),
        ("ECDHE_PSK_", KeyExchange::EcdhePsk),
        ("ECDHE_", KeyExchange::Ecdhe),
        ("ECDH_anon_", KeyExchange::Ecdhe),
        ("ECDH_Anon_", KeyExchange::Ecdhe),
        ("ECDH_", KeyExchange::Ecdh),
        ("DHE_PSK_", KeyExchange::DhePsk),
        ("PSK_DHE_", KeyExchange::DhePsk),
        ("DHE_", KeyExchange::Dhe),
        ("DH_anon_", KeyExchange::Dhe),
        ("DH_Anon_", KeyExchange::Dhe),
        ("DH_", KeyExchange::Dh),
        ("RSA_PSK_", KeyExchange::RsaPsk),
        ("RSA_", KeyExchange::Rsa),
        ("PSK_", KeyExchange::Psk),
        ("KRB5_", KeyExchange::Krb5),
        ("SRP_", KeyExchange::Srp),
        ("GOSTR", KeyExchange::Gost),
        ("ECCPWD_", KeyExchange::Eccpwd),
        ("EMPTY_", KeyExchange::Null),
    ];
    if matches!(suite.0, 0x1301..=0x13ff | 0x00c6..=0x00c7 | 0xc0b4..=0xc0b5) {
        return Some(KeyExchange::Tls13);
    }
    BY_NAME.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, exchange)| *exchange)
}

/// Why the answer is what it is; absent where it is `yes`.
pub mod reason {
    pub const STATIC_KEY_EXCHANGE: &str = "static_key_exchange";
    pub const NO_KEY_EXCHANGE: &str = "no_key_exchange";
    pub const PSK_KE: &str = "psk_ke";
    pub const RESUMED: &str = "resumed";
    pub const RESUMPTION_UNKNOWN: &str = "resumption_unknown";
    pub const UNKNOWN_SUITE: &str = "unknown_suite";
    pub const TRUNCATED: &str = "truncated";
    pub const NO_KEY_SHARE: &str = "no_key_share";
}

/// The answer and its reason. `cannot_be_resumed`: the hellos alone show a full handshake.
pub fn judge(facts: &TlsFacts, cannot_be_resumed: bool) -> (Option<ForwardSecrecy>, Option<&'static str>) {
    use ForwardSecrecy::{No, Unknown, Yes};
    let Some(hello) = &facts.server_hello else { return (None, None) };
    let (answer, reason) = if hello.is_ssl2_form {
        (No, Some(reason::STATIC_KEY_EXCHANGE))
    } else if is_tls13(hello.version()) {
        match (hello.key_share, hello.selected_psk) {
            (Some(_), _) => (Yes, None),
            (None, _) if hello.is_truncated => (Unknown, Some(reason::TRUNCATED)),
            (None, true) => (No, Some(reason::PSK_KE)),
            (None, false) => (Unknown, Some(reason::NO_KEY_SHARE)),
        }
    } else {
        match key_exchange_of(hello.cipher_suite) {
            None | Some(KeyExchange::Tls13) => (Unknown, Some(reason::UNKNOWN_SUITE)),
            Some(KeyExchange::Null) => (No, Some(reason::NO_KEY_EXCHANGE)),
            Some(exchange) if !exchange.is_ephemeral() => (No, Some(reason::STATIC_KEY_EXCHANGE)),
            Some(_) => match facts.resumed {
                Some(true) => (Unknown, Some(reason::RESUMED)),
                Some(false) => (Yes, None),
                None if cannot_be_resumed || facts.key_exchange.is_some() => (Yes, None),
                None => (Unknown, Some(reason::RESUMPTION_UNKNOWN)),
            },
        }
    };
    (Some(answer), reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServerHello;
    use crate::model::registry::{NamedGroup, TlsVersion};

    fn facts(version: TlsVersion, suite: u16, resumed: Option<bool>) -> TlsFacts {
        TlsFacts {
            server_hello: Some(ServerHello {
                legacy_version: version,
                cipher_suite: CipherSuite(suite),
                ..ServerHello::default()
            }),
            resumed,
            ..TlsFacts::default()
        }
    }

    #[test]
    fn classifies_every_kind_of_suite() {
        for (suite, exchange) in [
            (0x0000, KeyExchange::Null),
            (0x002f, KeyExchange::Rsa),
            (0x0003, KeyExchange::Rsa),
            (0x0030, KeyExchange::Dh),
            (0x0033, KeyExchange::Dhe),
            (0x0034, KeyExchange::Dhe),
            (0x008c, KeyExchange::Psk),
            (0x0090, KeyExchange::DhePsk),
            (0x0094, KeyExchange::RsaPsk),
            (0x001e, KeyExchange::Krb5),
            (0xc001, KeyExchange::Ecdh),
            (0xc013, KeyExchange::Ecdhe),
            (0xc015, KeyExchange::Ecdhe),
            (0xc01a, KeyExchange::Srp),
            (0xc035, KeyExchange::EcdhePsk),
            (0xc0aa, KeyExchange::DhePsk),
            (0x1301, KeyExchange::Tls13),
        ] {
            assert_eq!(key_exchange_of(CipherSuite(suite)), Some(exchange), "{suite:#06x}");
        }
        assert_eq!(key_exchange_of(CipherSuite(0x0a0a)), None);
    }

    #[test]
    fn judges_tls_1_2_by_suite_and_resumption() {
        use ForwardSecrecy::{No, Unknown, Yes};
        for (suite, resumed, cannot, expected) in [
            (0xc02f, Some(false), false, (Some(Yes), None)),
            (0xc02f, Some(true), false, (Some(Unknown), Some("resumed"))),
            (0xc02f, None, false, (Some(Unknown), Some("resumption_unknown"))),
            (0xc02f, None, true, (Some(Yes), None)),
            (0x009c, Some(true), false, (Some(No), Some("static_key_exchange"))),
            (0x0034, Some(false), false, (Some(Yes), None)),
            (0x0000, Some(false), false, (Some(No), Some("no_key_exchange"))),
            (0xeeee, Some(false), false, (Some(Unknown), Some("unknown_suite"))),
        ] {
            assert_eq!(judge(&facts(TlsVersion::TLS12, suite, resumed), cannot), expected, "{suite:#06x}");
        }
    }

    #[test]
    fn judges_tls_1_3_by_key_share() {
        let mut facts = facts(TlsVersion::TLS12, 0x1301, Some(true));
        let hello = facts.server_hello.as_mut().unwrap();
        hello.selected_version = Some(TlsVersion::TLS13);
        hello.selected_psk = true;
        assert_eq!(judge(&facts, false), (Some(ForwardSecrecy::No), Some("psk_ke")));
        facts.server_hello.as_mut().unwrap().key_share = Some(NamedGroup(29));
        assert_eq!(judge(&facts, false), (Some(ForwardSecrecy::Yes), None));
    }

    #[test]
    fn says_nothing_without_a_server_hello() {
        assert_eq!(judge(&TlsFacts::default(), true), (None, None));
    }
}
