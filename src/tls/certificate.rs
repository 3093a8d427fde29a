//! The Certificate message of TLS 1.2 and older [RFC 5246 section 7.4.2]: the leaf only.

use super::error::TlsError;
use super::message::End;
use super::numbers::is_tls13;
use super::reader::Reader;
use crate::model::TlsFacts;
use crate::model::registry::Authentication;

/// Why there is no certificate where all of the flight was seen that has to have one.
pub const NOT_SENT: &str = "not_sent";

/// Why there is none where the server was known by a bare key [RFC 7250].
pub const RAW_PUBLIC_KEY: &str = "raw_public_key";

/// What the message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// The first certificate of the list, DER.
    Certificate(&'a [u8]),
    /// A SubjectPublicKeyInfo in place of a list.
    RawPublicKey,
    /// An empty list, or an empty certificate.
    Empty,
}

/// True for a full handshake in which a certificate has to come in clear: the suite is one whose server proves itself by
/// one [RFC 5246 section 7.4.2].
pub fn belongs_to(facts: &TlsFacts) -> bool {
    use Authentication::{Dss, Ecdsa, Fortezza, Gost, Rsa, Sm};
    let is_old = facts.version().is_some_and(|version| !is_tls13(version));
    let info = facts.cipher_suite().and_then(|suite| suite.info());
    is_old
        && facts.resumed == Some(false)
        && info.is_some_and(|info| matches!(info.authentication, Rsa | Dss | Ecdsa | Gost | Sm | Fortezza))
}

/// The first certificate of the list, or what there is in its place.
///
/// # Errors
/// Where it is longer than what is kept, cut off, or contradicts the length of the list.
pub fn leaf(body: &[u8], end: End) -> Result<Leaf<'_>, TlsError> {
    if is_raw_public_key(body) {
        return Ok(Leaf::RawPublicKey);
    }
    if end == End::TooLong {
        return Err(TlsError::CertificateTooLong);
    }
    let missing =
        if end == End::Cut { TlsError::CertificateTruncated } else { TlsError::MalformedCertificate };
    let mut reader = Reader::new(body);
    let list = reader.u24().ok_or(missing)?;
    if list == 0 {
        return Ok(Leaf::Empty);
    }
    let leaf = reader.vector24().ok_or(missing)?;
    if leaf.len() + 3 > list as usize {
        return Err(TlsError::MalformedCertificate);
    }
    Ok(if leaf.is_empty() { Leaf::Empty } else { Leaf::Certificate(leaf) })
}

/// True where a DER sequence stands in place of the list [RFC 7250 section 3]: as the length of a certificate its tag
/// would be three megabytes, more than the list has.
fn is_raw_public_key(body: &[u8]) -> bool {
    const SEQUENCE: u32 = 0x30;
    let mut reader = Reader::new(body);
    let (length, first) = (reader.u24(), reader.u24());
    matches!((length, first), (Some(length), Some(first)) if first >> 16 == SEQUENCE && first > length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_certificate() {
        let body = [&[0, 0, 9, 0, 0, 3][..], b"abc", &[0, 0, 0]].concat();
        assert_eq!(leaf(&body, End::Whole), Ok(Leaf::Certificate(b"abc")));
        assert_eq!(leaf(&body[..9], End::Whole), Ok(Leaf::Certificate(b"abc")));
        assert_eq!(leaf(&body[..8], End::Cut), Err(TlsError::CertificateTruncated));
        assert_eq!(leaf(&body[..8], End::Whole), Err(TlsError::MalformedCertificate));
        assert_eq!(leaf(&[0, 0, 0], End::Whole), Ok(Leaf::Empty));
        assert_eq!(leaf(&[0, 0, 4, 0, 0, 3, 1, 2, 3], End::Whole), Err(TlsError::MalformedCertificate));
        assert_eq!(leaf(&[0; 6], End::TooLong), Err(TlsError::CertificateTooLong));
    }

    #[test]
    fn knows_a_raw_public_key() {
        for (body, end) in [
            (&[0, 0, 91, 0x30, 0x59, 0x30][..], End::TooLong),
            (&[0, 0, 91, 0x30, 0x59, 0x30, 0x13], End::Cut),
        ] {
            assert_eq!(leaf(body, end), Ok(Leaf::RawPublicKey));
        }
        assert_eq!(leaf(&[0x30, 0x80, 0, 0x30, 0x59, 0x30], End::TooLong), Err(TlsError::CertificateTooLong));
    }
}
