//! DynamoDB Accelerator: the first words of its own protocol.
//!
//! DAX clients speak no HTTP but a protocol of CBOR items. As the AWS DAX clients (Python, Go,
//! JavaScript) send it, a connection begins with a magic text string, a layering number, a session id
//! and a map with the user agent.

/// The CBOR text string of seven bytes that every client sends first [RFC 8949 section 3.1].
const MAGIC: &[u8] = b"\x67J7yne5G";

/// What a client sends before its first request and every few minutes again, with its access key: service 1 and the
/// method `authorizeConnection`, 1489122155, as CBOR numbers.
const AUTHORIZATION: &[u8] = b"\x01\x1a\x58\xc2\x33\x6b";

/// True where a client begins to sign its connection, which shows DAX where the greeting was missed.
#[must_use]
pub fn is_authorization(bytes: &[u8]) -> bool {
    bytes.starts_with(AUTHORIZATION)
}

/// True where the client's first bytes are a whole DAX greeting magic.
#[must_use]
pub fn is_cleartext_greeting(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_greeting_of_the_clients() {
        assert!(is_cleartext_greeting(b"gJ7yne5G\x00\xf6\xa1iUserAgentfFooBar\x00"));
        assert!(is_cleartext_greeting(b"gJ7yne5G"));
        for other in [&b"gJ7yne5"[..], b"", b"fJ7yne5G", b"J7yne5G\x00", b"\x16\x03\x01"] {
            assert!(!is_cleartext_greeting(other));
        }
        assert!(is_authorization(b"\x01\x1a\x58\xc2\x33\x6b\x74AKIA"));
        assert!(!is_authorization(b"\x01\x1a\x0f\xb0\xcf\xaa") && !is_authorization(b"\x01\x1a\x58"));
    }
}
