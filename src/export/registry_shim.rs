//! Stands in for the registry names until `model::registry` has them: a few names, and the calls
//! the exporters make. Each function becomes a call of the method its comment names.

use crate::model::registry::{AlertDescription, CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion};

/// `CipherSuite::name`.
pub(crate) fn cipher_name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite.0 {
        0x0005 => "TLS_RSA_WITH_RC4_128_SHA",
        0x002f => "TLS_RSA_WITH_AES_128_CBC_SHA",
        0x009c => "TLS_RSA_WITH_AES_128_GCM_SHA256",
        0x00ff => "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0x5600 => "TLS_FALLBACK_SCSV",
        0xc014 => "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        _ => return None,
    })
}

/// The name of a `Ssl2CipherKind`.
pub(crate) fn ssl2_name(kind: Ssl2CipherKind) -> Option<&'static str> {
    Some(match kind.0 {
        0x01_0080 => "SSL_CK_RC4_128_WITH_MD5",
        0x07_00c0 => "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
        _ => return None,
    })
}

/// The name of a `NamedGroup`.
pub(crate) fn group_name(group: NamedGroup) -> Option<&'static str> {
    Some(match group.0 {
        23 => "secp256r1",
        24 => "secp384r1",
        25 => "secp521r1",
        29 => "x25519",
        30 => "x448",
        256 => "ffdhe2048",
        257 => "ffdhe3072",
        4587 => "SecP256r1MLKEM768",
        4588 => "X25519MLKEM768",
        4589 => "SecP384r1MLKEM1024",
        _ => return None,
    })
}

/// `NamedGroup::is_post_quantum`: ML-KEM, alone or hybrid, and the Kyber drafts that came before.
pub(crate) fn is_post_quantum(group: NamedGroup) -> bool {
    matches!(group.0, 512..=514 | 4587..=4590 | 0x6399 | 0x639a)
}

/// `TlsVersion::as_str`: `2`, `3`, `1.0` … `1.3` (drafts too).
pub(crate) fn version_name(version: TlsVersion) -> Option<&'static str> {
    Some(match version.0 {
        0x0002 => "2",
        0x0300 => "3",
        0x0301 => "1.0",
        0x0302 => "1.1",
        0x0303 => "1.2",
        0x0304 | 0x7e00..=0x7fff | 0xfb00..=0xfbff => "1.3",
        _ => return None,
    })
}

/// `TlsVersion::protocol_name`.
pub(crate) fn protocol_name(version: TlsVersion) -> &'static str {
    if matches!(version.0, 0x0002 | 0x0300) { "ssl" } else { "tls" }
}

/// `TlsVersion::draft`.
pub(crate) fn draft(version: TlsVersion) -> Option<u8> {
    (version.0 >> 8 == 0x7f).then(|| version.0.to_be_bytes()[1])
}

/// `AlertDescription::name`.
pub(crate) fn alert_name(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert.0 {
        0 => "close_notify",
        40 => "handshake_failure",
        42 => "bad_certificate",
        48 => "unknown_ca",
        70 => "protocol_version",
        71 => "insufficient_security",
        86 => "inappropriate_fallback",
        112 => "unrecognized_name",
        _ => return None,
    })
}
