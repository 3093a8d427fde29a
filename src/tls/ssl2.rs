//! Messages of SSLv2 ["The SSL Protocol", Hickman 1995; the ClientHello also RFC 5246 appendix E.2].

use arrayvec::ArrayVec;

use super::reader::Reader;
use crate::model::registry::{CipherSuite, Ssl2CipherKind, TlsVersion};
use crate::model::{ClientHello, Hello, MAX_SESSION_ID_BYTES, Offered, ServerHello};

/// Types of messages.
pub const CLIENT_HELLO: u8 = 1;
const CLIENT_MASTER_KEY: u8 = 2;
pub const SERVER_HELLO: u8 = 4;

/// The most of an SSLv2 record that is kept: its length has 15 bits.
pub const MAX_RECORD_BYTES: usize = 0x7fff;

/// Reads CLIENT-HELLO; `None` where its lengths do not fit together. Of a body cut short there is
/// what its fixed fields say, and what it offers where the list of that is whole: a part of an offer is none.
pub fn client_hello(body: &[u8], is_whole: bool) -> Option<Hello<ClientHello>> {
    let mut reader = Reader::new(body);
    if reader.u8()? != CLIENT_HELLO {
        return None;
    }
    let version = reader.u16()?;
    if version != TlsVersion::SSL2.0 && version >> 8 != 3 {
        return None;
    }
    let specs_length = usize::from(reader.u16()?);
    let session_length = usize::from(reader.u16()?);
    let challenge_length = usize::from(reader.u16()?);
    if specs_length == 0
        || !specs_length.is_multiple_of(3)
        || session_length > MAX_SESSION_ID_BYTES
        || !(16..=32).contains(&challenge_length)
    {
        return None;
    }
    let mut hello =
        ClientHello { is_ssl2_form: true, legacy_version: TlsVersion(version), ..ClientHello::default() };
    // Each part begins where the one before ends, if that is there.
    let specs = reader.take(specs_length);
    let session_id = specs.and_then(|_| reader.take(session_length));
    let challenge = session_id.and_then(|_| reader.take(challenge_length));
    let mut kinds = Reader::new(specs.unwrap_or_default());
    while let Some(kind) = kinds.u24() {
        // A first byte of zero marks a TLS suite in two bytes.
        hello.offer(match u16::try_from(kind) {
            Ok(suite) => Offered::Suite(CipherSuite(suite)),
            Err(_) => Offered::Kind(Ssl2CipherKind(kind)),
        });
    }
    match (session_id, challenge) {
        (Some(_), Some(_)) => {}
        _ if is_whole => return None,
        _ => hello.is_truncated = true,
    }
    let mut hello = Hello::from(hello);
    if let Some(session_id) = session_id.filter(|_| challenge.is_some()) {
        hello.session_id = ArrayVec::try_from(session_id).unwrap_or_default();
    }
    Some(hello)
}

/// What SERVER-HELLO says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssl2ServerHello<'a> {
    pub hello: ServerHello,
    /// The server knows the session: no key is sent.
    pub is_session_hit: bool,
    /// The server's certificate, DER; empty where the session is known.
    pub certificate: &'a [u8],
}

/// Reads SERVER-HELLO.
pub fn server_hello(body: &[u8], is_whole: bool) -> Option<Ssl2ServerHello<'_>> {
    let mut reader = Reader::new(body);
    if reader.u8()? != SERVER_HELLO {
        return None;
    }
    let is_session_hit = reader.u8()? != 0;
    let _certificate_kind = reader.u8()?;
    let version = reader.u16()?;
    let certificate_length = usize::from(reader.u16()?);
    let _kinds_length = reader.u16()?;
    let _connection_id_length = reader.u16()?;
    if version != TlsVersion::SSL2.0 {
        return None;
    }
    let certificate = reader.take(certificate_length);
    if certificate.is_none() && is_whole {
        return None;
    }
    Some(Ssl2ServerHello {
        hello: ServerHello {
            is_ssl2_form: true,
            is_truncated: !is_whole,
            legacy_version: TlsVersion::SSL2,
            ..ServerHello::default()
        },
        is_session_hit,
        certificate: certificate.unwrap_or_default(),
    })
}

/// The cipher kind of CLIENT-MASTER-KEY; nothing else of it is looked at.
pub fn master_key_kind(body: &[u8]) -> Option<Ssl2CipherKind> {
    let mut reader = Reader::new(body);
    (reader.u8()? == CLIENT_MASTER_KEY).then_some(())?;
    reader.u24().map(Ssl2CipherKind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 3.1 with one TLS suite between two kinds of SSLv2, a challenge of 16 bytes.
    fn hello() -> Vec<u8> {
        let offers = [7, 0, 0xc0, 0, 0, 0x2f, 1, 0, 0x80];
        [&[1, 3, 1, 0, 9, 0, 0, 0, 16][..], &offers, &[9; 16]].concat()
    }

    #[test]
    fn reads_suites_and_kinds() {
        let hello = client_hello(&hello(), true).unwrap();
        assert_eq!(hello.cipher_suites, [CipherSuite(0x2f)]);
        let (first, last) = (Ssl2CipherKind(0x07_00c0), Ssl2CipherKind(0x01_0080));
        assert_eq!(hello.ssl2_cipher_kinds, [(0, first), (1, last)]);
        let offered: Vec<Offered> = hello.offered().collect();
        assert_eq!(offered, [Offered::Kind(first), Offered::Suite(CipherSuite(0x2f)), Offered::Kind(last)]);
        assert_eq!(hello.legacy_version, TlsVersion::TLS10);
        assert!(!hello.is_truncated);
    }

    #[test]
    fn reads_every_prefix_as_truncated_or_nothing() {
        // Of the second what is there of the list would be enough for what follows it.
        let offers: Vec<u8> = (0..20).flat_map(|suite| [0, 0, suite]).collect();
        let long = [&[1, 3, 1, 0, 60, 0, 4, 0, 16][..], &offers, &[8; 4], &[9; 16]].concat();
        for (whole, offers) in [(hello(), 3), (long, 20)] {
            let list_end = 9 + 3 * offers;
            for length in 0..whole.len() {
                let prefix = &whole[..length];
                assert_eq!(client_hello(prefix, true), None, "{length}");
                let hello = client_hello(prefix, false);
                assert_eq!(hello.as_ref().is_some_and(|hello| hello.is_truncated), length >= 9, "{length}");
                assert!(hello.as_ref().is_none_or(|hello| hello.session_id.is_empty()), "{length}");
                let offered = hello.map_or(0, |hello| hello.offered().count());
                let expected = if length < list_end { 0 } else { offers };
                assert_eq!(offered, expected, "a part of the offer is none: {length}");
            }
        }
    }

    #[test]
    fn reads_the_server_side() {
        let body = [&[4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 1][..], b"DER", &[1, 0, 0x80], &[7]].concat();
        let server = server_hello(&body, true).unwrap();
        assert_eq!((server.certificate, server.is_session_hit), (&b"DER"[..], false));
        assert_eq!(server.hello.version(), TlsVersion::SSL2);
        assert_eq!(master_key_kind(&[2, 7, 0, 0xc0, 1]), Some(Ssl2CipherKind(0x07_00c0)));
        assert_eq!(master_key_kind(&[3, 7, 0, 0xc0]), None);
    }
}
