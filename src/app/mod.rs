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
