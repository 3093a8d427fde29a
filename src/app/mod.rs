//! What stands around TLS: plaintext HTTP to DynamoDB, DNS answers, proxy preambles, certificates.
//!
//! Input: bytes in order. Output: small owned facts, secrets dropped where they are read. It keeps no
//! state between flows and never reads a clock.

pub mod dax;
pub mod dns;
pub mod http1;
pub mod openvpn;
pub mod proxy;
pub mod x509;

/// What the beginning of a stream turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse<T> {
    /// All of it was there.
    Done(T),
    /// It may be this; more bytes will tell.
    NeedMore,
    /// It is not this.
    No,
}

/// The longest host name in text form [RFC 1035 section 2.3.4].
const MAX_HOST_BYTES: usize = 253;

/// True for text that may be a host name, or is an IPv4 address. Names have underscores, too, whatever RFC 952 says.
fn is_host_name(text: &str) -> bool {
    (1..=MAX_HOST_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// The first `most` bytes, or all where there are fewer.
fn at_most(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}
