//! What can be wrong with a stream that claims to be TLS, and the limits of this stage.

/// A handshake message longer than this is not kept whole. Post-quantum hellos with ECH need 4 KiB,
/// certificate chains rarely 16 KiB; 64 KiB is what the longest field of a hello can hold.
pub const MAX_HANDSHAKE_BYTES: usize = 64 * 1024;

/// The longest leaf certificate kept. Real ones take 1 to 4 KiB, thousands of names some 60 KiB.
pub const MAX_LEAF_BYTES: usize = 64 * 1024;

/// The longest server name kept. A DNS name has at most 253 bytes; what is longer is an attack or
/// a tunnel, of which the beginning tells enough.
pub const MAX_SERVER_NAME_BYTES: usize = 1024;

/// The longest record payload [RFC 5246 section 6.2.3: 2^14 + 2048].
pub const MAX_RECORD_BYTES: usize = (1 << 14) + 2048;

/// How much may come before the first record of a stream before the search for it ends: as much
/// as a clear-text dialogue that upgrades takes.
pub const MAX_LEADING_BYTES: usize = 16 * 1024;

/// Something was not as it should be; facts were kept as far as they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// What follows a record is none.
    #[error("the stream is not, or no longer, made of TLS records")]
    NotTls,
    /// Bytes are missing where a hello, or the server's clear flight, was due.
    #[error("bytes of the handshake are missing")]
    HandshakeGap,
    /// More than 64 KiB.
    #[error("a handshake message is longer than what is kept")]
    HandshakeTooLong,
    /// It was whole, and was read as far as it goes.
    #[error("a hello contradicts its own lengths")]
    MalformedHello,
    /// It was whole; there is no certificate.
    #[error("the certificate message contradicts its own lengths")]
    MalformedCertificate,
    /// More than 64 KiB.
    #[error("the leaf certificate is longer than what is kept")]
    CertificateTooLong,
    /// The message was cut within it.
    #[error("bytes of the certificate are missing")]
    CertificateTruncated,
    /// The suite says that there are some.
    #[error("the key exchange parameters could not be read")]
    MalformedKeyExchange,
    /// More than 1 KiB; the beginning is kept.
    #[error("the server name is longer than what is kept")]
    ServerNameTooLong,
    /// A hello whose lengths do not fit together.
    #[error("a message of SSLv2 could not be read")]
    MalformedSsl2,
}

impl TlsError {
    /// All of them, for accounts that start at zero.
    pub const ALL: [Self; 10] = [
        Self::NotTls,
        Self::HandshakeGap,
        Self::HandshakeTooLong,
        Self::MalformedHello,
        Self::MalformedCertificate,
        Self::CertificateTooLong,
        Self::CertificateTruncated,
        Self::MalformedKeyExchange,
        Self::ServerNameTooLong,
        Self::MalformedSsl2,
    ];

    /// The metric label.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::HandshakeGap => "handshake_gap",
            Self::HandshakeTooLong => "handshake_too_long",
            Self::MalformedHello => "malformed_hello",
            Self::MalformedCertificate => "malformed_certificate",
            Self::CertificateTooLong => "certificate_too_long",
            Self::CertificateTruncated => "certificate_truncated",
            Self::MalformedKeyExchange => "malformed_key_exchange",
            Self::ServerNameTooLong => "server_name_too_long",
            Self::MalformedSsl2 => "malformed_ssl2",
        }
    }
}

/// The set of errors met by one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsErrors(u16);

impl From<TlsError> for TlsErrors {
    fn from(error: TlsError) -> Self {
        Self(1 << error as u16)
    }
}

impl TlsErrors {
    /// Adds one.
    pub const fn insert(&mut self, error: TlsError) {
        self.0 |= 1 << error as u16;
    }

    /// Adds those of `other`.
    pub const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// True where nothing was wrong.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True where this was met.
    #[must_use]
    pub const fn contains(self, error: TlsError) -> bool {
        self.0 & 1 << error as u16 != 0
    }

    /// Each that was met, once.
    pub fn iter(self) -> impl Iterator<Item = TlsError> {
        TlsError::ALL.into_iter().filter(move |error| self.contains(*error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_each_error_apart() {
        for error in TlsError::ALL {
            let mut errors = TlsErrors::default();
            errors.insert(error);
            assert_eq!(errors.iter().collect::<Vec<_>>(), [error]);
        }
        let mut reasons: Vec<_> = TlsError::ALL.iter().map(|error| error.reason()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), TlsError::ALL.len());
    }
}
