//! Whether a later theft of long-term keys opens the connection, by the whole rule: suite, key_share,
//! PSK mode, resumption [RFC 8446 sections 2.2 and 4.2.9, RFC 5246 appendix F].

use super::numbers::is_tls13;
use crate::model::registry::{CipherSuite, KeyExchange};
use crate::model::{ForwardSecrecy, TlsFacts};

/// The key exchange of a suite, `None` where the suite is unknown.
pub fn key_exchange_of(suite: CipherSuite) -> Option<KeyExchange> {
    suite.info().map(|info| info.key_exchange)
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
            server_hello: Some(
                ServerHello {
                    legacy_version: version,
                    cipher_suite: CipherSuite(suite),
                    ..ServerHello::default()
                }
                .into(),
            ),
            resumed,
            ..TlsFacts::default()
        }
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
