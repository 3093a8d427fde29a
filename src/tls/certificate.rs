//! The Certificate message of TLS 1.2 and older [RFC 5246 section 7.4.2]: the leaf only.

use super::error::TlsError;
use super::message::End;
use super::numbers::is_tls13;
use super::reader::Reader;
use crate::model::TlsFacts;
use crate::model::registry::Authentication;

/// Why there is no certificate where all of the flight was seen that has to have one.
pub const NOT_SENT: &str = "not_sent";

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

/// The first certificate of the list; `None` for an empty list.
///
/// # Errors
/// Where it is longer than what is kept, cut off, or contradicts the length of the list.
pub fn leaf(body: &[u8], end: End) -> Result<Option<&[u8]>, TlsError> {
    if end == End::TooLong {
        return Err(TlsError::CertificateTooLong);
    }
    let missing =
        if end == End::Cut { TlsError::CertificateTruncated } else { TlsError::MalformedCertificate };
    let mut reader = Reader::new(body);
    let list = reader.u24().ok_or(missing)?;
    if list == 0 {
        return Ok(None);
    }
    let leaf = reader.vector24().ok_or(missing)?;
    if leaf.len() + 3 > list as usize {
        return Err(TlsError::MalformedCertificate);
    }
    Ok(Some(leaf).filter(|leaf| !leaf.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_certificate() {
        let body = [&[0, 0, 9, 0, 0, 3][..], b"abc", &[0, 0, 0]].concat();
        assert_eq!(leaf(&body, End::Whole), Ok(Some(&b"abc"[..])));
        assert_eq!(leaf(&body[..9], End::Whole), Ok(Some(&b"abc"[..])));
        assert_eq!(leaf(&body[..8], End::Cut), Err(TlsError::CertificateTruncated));
        assert_eq!(leaf(&body[..8], End::Whole), Err(TlsError::MalformedCertificate));
        assert_eq!(leaf(&[0, 0, 0], End::Whole), Ok(None));
        assert_eq!(leaf(&[0, 0, 4, 0, 0, 3, 1, 2, 3], End::Whole), Err(TlsError::MalformedCertificate));
        assert_eq!(leaf(&[0; 6], End::TooLong), Err(TlsError::CertificateTooLong));
    }
}
