//! Signs that both sides could do better than was negotiated [RFC 8446 section 4.1.3, RFC 7507].

use super::numbers::{FALLBACK_SCSV, is_tls13};
use crate::model::registry::{CipherSuite, TlsVersion};
use crate::model::{Downgrade, TlsFacts};

/// The end of the random of a TLS 1.3 server that was made to choose TLS 1.2.
const SENTINEL_TLS12: &[u8; 8] = b"DOWNGRD\x01";
/// The same, TLS 1.1 or older; also of a TLS 1.2 server.
const SENTINEL_TLS11: &[u8; 8] = b"DOWNGRD\x00";

/// Judges only where both hellos were seen. A sentinel says what the server could do; it is a
/// downgrade only if the client had offered as much (a draft of TLS 1.3 is not TLS 1.3 to a server).
pub fn judge(facts: &TlsFacts) -> Option<Downgrade> {
    let client = facts.client_hello.as_ref()?;
    let server = facts.server_hello.as_ref()?;
    if server.is_ssl2_form || is_tls13(server.version()) {
        return None;
    }
    // Of a cut hello at least this is known; 1.3 is offered by an extension alone.
    let offered = client.max_version().unwrap_or(client.legacy_version.min(TlsVersion::TLS12)).rank();
    match &server.random_end {
        SENTINEL_TLS12 if offered >= TlsVersion::TLS13.rank() => return Some(Downgrade::SentinelTls12),
        SENTINEL_TLS11 if offered >= TlsVersion::TLS12.rank() => return Some(Downgrade::SentinelTls11),
        _ => {}
    }
    client.cipher_suites.contains(&CipherSuite(FALLBACK_SCSV)).then_some(Downgrade::FallbackScsv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientHello, Hello, ServerHello};

    fn facts(offered: TlsVersion, end: &[u8; 8]) -> TlsFacts {
        let hello = ServerHello { legacy_version: TlsVersion::TLS12, ..ServerHello::default() };
        TlsFacts {
            client_hello: Some(
                ClientHello {
                    legacy_version: TlsVersion::TLS12,
                    supported_versions: vec![TlsVersion(0x0a0a), offered],
                    ..ClientHello::default()
                }
                .into(),
            ),
            server_hello: Some(Hello { random_end: *end, ..Hello::from(hello) }),
            ..TlsFacts::default()
        }
    }

    #[test]
    fn weighs_a_sentinel_by_what_was_offered() {
        for (offered, end, expected) in [
            (TlsVersion::TLS13, SENTINEL_TLS12, Some(Downgrade::SentinelTls12)),
            (TlsVersion::TLS12, SENTINEL_TLS12, None),
            (TlsVersion(0x7f17), SENTINEL_TLS12, None),
            (TlsVersion::TLS13, SENTINEL_TLS11, Some(Downgrade::SentinelTls11)),
            (TlsVersion::TLS12, SENTINEL_TLS11, Some(Downgrade::SentinelTls11)),
            (TlsVersion::TLS11, SENTINEL_TLS11, None),
            (TlsVersion::TLS13, b"DOWNGRD\x02", None),
        ] {
            assert_eq!(judge(&facts(offered, end)), expected, "{offered:?} {end:?}");
        }
    }

    #[test]
    fn takes_no_legacy_version_for_an_offer_of_tls_1_3() {
        for (legacy, is_truncated) in [(0x0304, false), (0x0305, false), (0x03ff, true), (0x0303, true)] {
            let hello =
                ClientHello { legacy_version: TlsVersion(legacy), is_truncated, ..ClientHello::default() };
            let of = |end| {
                judge(&TlsFacts { client_hello: Some(hello.clone().into()), ..facts(TlsVersion::TLS12, end) })
            };
            assert_eq!(of(SENTINEL_TLS12), None, "{legacy:#06x}");
            assert_eq!(of(SENTINEL_TLS11), Some(Downgrade::SentinelTls11), "{legacy:#06x}");
        }
    }

    #[test]
    fn reports_an_accepted_fallback() {
        let mut facts = facts(TlsVersion::TLS11, b"12345678");
        facts.client_hello.as_mut().unwrap().cipher_suites.push(CipherSuite(FALLBACK_SCSV));
        assert_eq!(judge(&facts), Some(Downgrade::FallbackScsv));
        facts.server_hello = None;
        assert_eq!(judge(&facts), None);
    }
}
