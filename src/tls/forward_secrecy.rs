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
mod reason {
    /// Whoever has the server's long-term key has the keys of the connection.
    pub const STATIC_KEY_EXCHANGE: &str = "static_key_exchange";
    /// The suite has none.
    pub const NO_KEY_EXCHANGE: &str = "no_key_exchange";
    /// A PSK without key_share.
    pub const PSK_KE: &str = "psk_ke";
    /// The keys are those of an earlier handshake.
    pub const RESUMED: &str = "resumed";
    /// Whether they are is not known.
    pub const RESUMPTION_UNKNOWN: &str = "resumption_unknown";
    /// The suite is none that is known for the version.
    pub const UNKNOWN_SUITE: &str = "unknown_suite";
    /// What tells was in a part of the hello that was cut.
    pub const TRUNCATED: &str = "truncated";
    /// TLS 1.3 with neither key_share nor PSK.
    pub const NO_KEY_SHARE: &str = "no_key_share";
    /// [`Flight::lacks_exchange`](super::Flight::lacks_exchange)
    pub const NO_SERVER_KEY_EXCHANGE: &str = "no_server_key_exchange";
}

/// What else is known of a handshake of TLS 1.2 or older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// The hellos alone show a full handshake.
    pub cannot_be_resumed: bool,
    /// All of the server's flight was seen, and no ServerKeyExchange in it: where the suite is ephemeral, there was no
    /// exchange to be so, whatever its name says [RFC 5246 section 7.4.3, RFC 8422 section 5.4].
    pub lacks_exchange: bool,
}

/// The answer and its reason.
pub fn judge(facts: &TlsFacts, flight: Flight) -> (Option<ForwardSecrecy>, Option<&'static str>) {
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
            // The keys come from the full handshake, which this one does not show: whoever saw it answers
            // (`pipeline::sessions`).
            Some(_) if facts.resumed == Some(true) => (Unknown, Some(reason::RESUMED)),
            Some(KeyExchange::Null) => (No, Some(reason::NO_KEY_EXCHANGE)),
            Some(exchange) if !exchange.is_ephemeral() => (No, Some(reason::STATIC_KEY_EXCHANGE)),
            Some(_) => match facts.resumed {
                Some(false) if flight.lacks_exchange => (Unknown, Some(reason::NO_SERVER_KEY_EXCHANGE)),
                Some(false) => (Yes, None),
                _ if facts.key_exchange.is_some() => (Yes, None),
                _ if flight.cannot_be_resumed && !flight.lacks_exchange => (Yes, None),
                _ => (Unknown, Some(reason::RESUMPTION_UNKNOWN)),
            },
        }
    };
    (Some(answer), reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::{NamedGroup, TlsVersion};
    use crate::model::{KeyExchangeFacts, ServerHello};

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
        let (cut, full) = (Flight::default(), Flight { cannot_be_resumed: true, lacks_exchange: false });
        let without = Flight { lacks_exchange: true, ..full };
        for (suite, resumed, flight, expected) in [
            (0xc02f, Some(false), cut, (Some(Yes), None)),
            (0xc02f, Some(true), cut, (Some(Unknown), Some("resumed"))),
            (0xc02f, None, cut, (Some(Unknown), Some("resumption_unknown"))),
            (0xc02f, None, full, (Some(Yes), None)),
            (0xc02f, Some(false), without, (Some(Unknown), Some("no_server_key_exchange"))),
            (0xc02f, Some(true), without, (Some(Unknown), Some("resumed"))),
            (0xc02f, None, without, (Some(Unknown), Some("resumption_unknown"))),
            (0x009c, Some(true), cut, (Some(Unknown), Some("resumed"))),
            (0x009c, None, cut, (Some(No), Some("static_key_exchange"))),
            (0x009c, Some(false), without, (Some(No), Some("static_key_exchange"))),
            (0x0034, Some(false), cut, (Some(Yes), None)),
            (0x0000, Some(false), cut, (Some(No), Some("no_key_exchange"))),
            (0xeeee, Some(false), cut, (Some(Unknown), Some("unknown_suite"))),
        ] {
            let facts = facts(TlsVersion::TLS12, suite, resumed);
            assert_eq!(judge(&facts, flight), expected, "{suite:#06x} {resumed:?} {flight:?}");
        }
    }

    /// Whoever sends parameters resumes nothing, whether or not the rest of its flight was seen.
    #[test]
    fn judges_by_an_exchange_that_was_seen() {
        let mut facts = facts(TlsVersion::TLS12, 0xc02f, None);
        facts.key_exchange = Some(KeyExchangeFacts::Curve(NamedGroup(29)));
        assert_eq!(judge(&facts, Flight::default()), (Some(ForwardSecrecy::Yes), None));
    }

    #[test]
    fn judges_tls_1_3_by_key_share() {
        let mut facts = facts(TlsVersion::TLS12, 0x1301, Some(true));
        let hello = facts.server_hello.as_mut().unwrap();
        hello.selected_version = Some(TlsVersion::TLS13);
        hello.selected_psk = true;
        assert_eq!(judge(&facts, Flight::default()), (Some(ForwardSecrecy::No), Some("psk_ke")));
        facts.server_hello.as_mut().unwrap().key_share = Some(NamedGroup(29));
        assert_eq!(judge(&facts, Flight::default()), (Some(ForwardSecrecy::Yes), None));
    }

    #[test]
    fn says_nothing_without_a_server_hello() {
        assert_eq!(judge(&TlsFacts::default(), Flight::default()), (None, None));
    }
}
