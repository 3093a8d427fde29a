//! The server's leaf certificate, as sent in clear in TLS 1.2 and older.
//!
//! Input: DER of one certificate. Output: names, dates, key size. Nothing is verified: no signature,
//! no chain, no revocation. What is odd but readable is read: a subject that makes no sense is an
//! empty string, not an error, because the rest still tells who answered.

mod name;
mod read;

pub use self::read::parse_leaf;

/// Why a certificate could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate of RFC 5280 by its structure, or cut short.
    #[error("malformed certificate")]
    Malformed,
    /// A date that is none.
    #[error("unreadable validity")]
    Validity,
    /// More names than are kept; matching against a part of them could accuse wrongly.
    #[error("too many names")]
    TooManyNames,
}

impl CertificateError {
    /// The metric label.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "certificate_malformed",
            Self::Validity => "certificate_validity",
            Self::TooManyNames => "certificate_too_many_names",
        }
    }
}

/// The door for fuzzing: anything may come in, nothing may break.
pub fn fuzz_x509(bytes: &[u8]) {
    let _ = parse_leaf(bytes);
}

#[cfg(test)]
mod tests;
