//! The Certificate message of TLS 1.2 and older [RFC 5246 section 7.4.2]: the leaf only.

use super::error::TlsError;
use super::message::End;
use super::reader::Reader;

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
