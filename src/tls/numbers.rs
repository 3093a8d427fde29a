//! The numbers of the protocol that this stage acts on.

use crate::model::registry::TlsVersion;

/// Content types of records [RFC 8446 section 5.1; heartbeat RFC 6520 section 3].
pub mod content {
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    pub const ALERT: u8 = 21;
    pub const HANDSHAKE: u8 = 22;
    pub const APPLICATION_DATA: u8 = 23;
    pub const HEARTBEAT: u8 = 24;
}

/// Types of handshake messages [RFC 8446 section 4, RFC 5246 section 7.4].
pub mod handshake {
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const NEW_SESSION_TICKET: u8 = 4;
    /// Drafts of TLS 1.3 up to 21 only.
    pub const HELLO_RETRY_REQUEST: u8 = 6;
    pub const CERTIFICATE: u8 = 11;
    pub const SERVER_KEY_EXCHANGE: u8 = 12;
    pub const CERTIFICATE_REQUEST: u8 = 13;
    pub const SERVER_HELLO_DONE: u8 = 14;
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;

    /// True for the types that IANA lists ("TLS HandshakeType").
    pub const fn is_known(kind: u8) -> bool {
        matches!(kind, 0..=8 | 10..=17 | 20..=25 | 67)
    }
}

/// Extensions [IANA "TLS ExtensionType Values"].
pub mod extension {
    pub const SERVER_NAME: u16 = 0;
    pub const SUPPORTED_GROUPS: u16 = 10;
    pub const EC_POINT_FORMATS: u16 = 11;
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    pub const ALPN: u16 = 16;
    pub const SIGNED_CERTIFICATE_TIMESTAMP: u16 = 18;
    pub const PADDING: u16 = 21;
    pub const ENCRYPT_THEN_MAC: u16 = 22;
    pub const SESSION_TICKET: u16 = 35;
    /// key_share in drafts of TLS 1.3 up to 22.
    pub const KEY_SHARE_OLD: u16 = 40;
    pub const PRE_SHARED_KEY: u16 = 41;
    pub const EARLY_DATA: u16 = 42;
    pub const SUPPORTED_VERSIONS: u16 = 43;
    pub const COOKIE: u16 = 44;
    pub const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub const KEY_SHARE: u16 = 51;
    /// Of servers with the suites of CryptoPro (draft-chudov-cryptopro-cptls-04).
    pub const CRYPTOPRO: u16 = 0xfde8;
    pub const RENEGOTIATION_INFO: u16 = 0xff01;

    /// encrypted_client_hello [RFC 9849], its drafts, and the encrypted_server_name before it.
    pub const fn is_encrypted_hello(id: u16) -> bool {
        matches!(id, 0xfe08..=0xfe0d | 0xff02..=0xff03 | 0xffce)
    }
}

/// Length of the random of a hello [RFC 8446 section 4.1.2].
pub const RANDOM_BYTES: usize = 32;

/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV [RFC 5746 section 3.3].
pub const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00ff;

/// TLS_FALLBACK_SCSV [RFC 7507].
pub const FALLBACK_SCSV: u16 = 0x5600;

/// True for TLS 1.3, its drafts and experiments, and whatever comes after: the handshake after the
/// ServerHello is encrypted.
pub const fn is_tls13(version: TlsVersion) -> bool {
    matches!(version.0, 0x0304..=0x03ff | 0x7e00..=0x7fff | 0xfb00..=0xfbff)
}

/// True for a version a hello may carry.
pub const fn is_hello_version(version: u16) -> bool {
    matches!(version >> 8, 0x03 | 0x7e | 0x7f | 0xfb)
}

/// The number of the draft, for drafts that put it into the version itself.
pub const fn draft_of(version: u16) -> Option<u8> {
    if version >> 8 == 0x7f { Some((version & 0xff) as u8) } else { None }
}
