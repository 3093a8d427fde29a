use std::collections::HashSet;

use tls_parser::{CIPHERS, TlsCipherAu, TlsCipherEnc, TlsCipherEncMode, TlsCipherKx, TlsCipherMac};

use super::*;

/// Registered suites that the second source does not list.
const NOT_IN_SECOND_SOURCE: &[(u16, &str)] = &[
    (0xc100, "RFC 9189 is missing there"),
    (0xc101, "RFC 9189 is missing there"),
    (0xc102, "RFC 9189 is missing there"),
    (0xc103, "RFC 9367 is missing there"),
    (0xc104, "RFC 9367 is missing there"),
    (0xc105, "RFC 9367 is missing there"),
    (0xc106, "RFC 9367 is missing there"),
];

/// Suites where the second source says something else of the parts.
const OTHER_PARTS: &[(u16, &str)] = &[
    (0xc0aa, "PSK_DHE is split the wrong way round"),
    (0xc0ab, "PSK_DHE is split the wrong way round"),
    (0x1306, "AEGIS is an AEAD, not a cipher with HMAC"),
    (0x1307, "AEGIS is an AEAD, not a cipher with HMAC"),
];

fn suite(number: u16) -> SuiteInfo {
    CipherSuite(number).info().unwrap()
}

#[test]
fn has_each_number_and_name_once_in_order() {
    assert!(CIPHER_SUITES.is_sorted_by(|a, b| a.number < b.number));
    assert!(CIPHER_KINDS.is_sorted_by(|a, b| a.0 < b.0));
    let names: HashSet<&str> = CIPHER_SUITES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), CIPHER_SUITES.len());
    assert_eq!(CIPHER_SUITES.iter().filter(|row| row.is_registered).count(), 352);
}

#[test]
fn agrees_with_a_second_source_on_numbers_and_names() {
    for theirs in CIPHERS.values() {
        assert_eq!(CipherSuite(theirs.id.0).name(), Some(theirs.name), "{:#06x}", theirs.id.0);
    }
    let mut missing: Vec<u16> = CIPHER_SUITES
        .iter()
        .filter(|row| row.is_registered && !CIPHERS.contains_key(&row.number))
        .map(|row| row.number)
        .collect();
    missing.sort_unstable();
    let known: Vec<u16> = NOT_IN_SECOND_SOURCE.iter().map(|(number, _)| *number).collect();
    assert_eq!(missing, known);
}

#[test]
fn agrees_with_a_second_source_on_what_suites_are_made_of() {
    let mut differing = Vec::new();
    for theirs in CIPHERS.values() {
        let Some(ours) = CipherSuite(theirs.id.0).info() else {
            assert!(theirs.name.ends_with("_SCSV"), "{}", theirs.name);
            continue;
        };
        let key_exchange = match (theirs.kx, theirs.au) {
            (TlsCipherKx::Dh, TlsCipherAu::Null) => KeyExchange::Dhe,
            (TlsCipherKx::Ecdh | TlsCipherKx::Aecdh, TlsCipherAu::Null) => KeyExchange::Ecdhe,
            (TlsCipherKx::Dhe, TlsCipherAu::Psk) => KeyExchange::DhePsk,
            (TlsCipherKx::Ecdhe, TlsCipherAu::Psk) => KeyExchange::EcdhePsk,
            (TlsCipherKx::Rsa, TlsCipherAu::Psk) => KeyExchange::RsaPsk,
            (TlsCipherKx::Null, _) => KeyExchange::Null,
            (TlsCipherKx::Psk, _) => KeyExchange::Psk,
            (TlsCipherKx::Krb5, _) => KeyExchange::Krb5,
            (TlsCipherKx::Srp, _) => KeyExchange::Srp,
            (TlsCipherKx::Rsa, _) => KeyExchange::Rsa,
            (TlsCipherKx::Dh, _) => KeyExchange::Dh,
            (TlsCipherKx::Dhe, _) => KeyExchange::Dhe,
            (TlsCipherKx::Ecdh | TlsCipherKx::Aecdh, _) => KeyExchange::Ecdh,
            (TlsCipherKx::Ecdhe, _) => KeyExchange::Ecdhe,
            (TlsCipherKx::Eccpwd, _) => KeyExchange::Eccpwd,
            (TlsCipherKx::Tls13, _) => KeyExchange::Tls13,
        };
        let authentication = match theirs.au {
            TlsCipherAu::Null if theirs.kx == TlsCipherKx::Null => Authentication::Null,
            TlsCipherAu::Null => Authentication::Anonymous,
            TlsCipherAu::Psk | TlsCipherAu::Dhe => Authentication::Psk,
            TlsCipherAu::Krb5 => Authentication::Krb5,
            TlsCipherAu::Srp => Authentication::Sha,
            TlsCipherAu::Srp_Dss | TlsCipherAu::Dss => Authentication::Dss,
            TlsCipherAu::Srp_Rsa | TlsCipherAu::Rsa => Authentication::Rsa,
            TlsCipherAu::Ecdsa => Authentication::Ecdsa,
            TlsCipherAu::Eccpwd => Authentication::Eccpwd,
            TlsCipherAu::Tls13 => Authentication::Tls13,
        };
        let cipher = match theirs.enc {
            TlsCipherEnc::Null => Cipher::Null,
            TlsCipherEnc::Des => Cipher::Des,
            TlsCipherEnc::TripleDes => Cipher::TripleDes,
            TlsCipherEnc::Rc2 => Cipher::Rc2,
            TlsCipherEnc::Rc4 => Cipher::Rc4,
            TlsCipherEnc::Aria => Cipher::Aria,
            TlsCipherEnc::Idea => Cipher::Idea,
            TlsCipherEnc::Seed => Cipher::Seed,
            TlsCipherEnc::Aes => Cipher::Aes,
            TlsCipherEnc::Camellia => Cipher::Camellia,
            TlsCipherEnc::Chacha20_Poly1305 => Cipher::ChaCha20,
            TlsCipherEnc::Sm4 => Cipher::Sm4,
            TlsCipherEnc::Aegis => Cipher::Aegis,
        };
        let mode = match (theirs.enc, theirs.enc_mode) {
            (TlsCipherEnc::Chacha20_Poly1305, _) => CipherMode::Poly1305,
            (TlsCipherEnc::Null, _) => CipherMode::None,
            (TlsCipherEnc::Aegis, _) => CipherMode::Aead,
            (_, TlsCipherEncMode::Null) => CipherMode::Stream,
            (_, TlsCipherEncMode::Cbc) => CipherMode::Cbc,
            (_, TlsCipherEncMode::Ccm) if theirs.name.contains("CCM_8") => CipherMode::Ccm8,
            (_, TlsCipherEncMode::Ccm) => CipherMode::Ccm,
            (_, TlsCipherEncMode::Gcm) => CipherMode::Gcm,
        };
        let mac = match theirs.mac {
            TlsCipherMac::Null => Some(Mac::Null),
            TlsCipherMac::HmacMd5 => Some(Mac::Md5),
            TlsCipherMac::HmacSha1 => Some(Mac::Sha1),
            TlsCipherMac::HmacSha256 => Some(Mac::Sha256),
            TlsCipherMac::HmacSha384 => Some(Mac::Sha384),
            TlsCipherMac::HmacSha512 => None,
            TlsCipherMac::Aead => Some(Mac::Aead),
        };
        // It counts half of ChaCha20's key [RFC 7905 section 2: 256 bits].
        let key_bits = if cipher == Cipher::ChaCha20 { 256 } else { theirs.enc_size };
        let is_same = ours.key_exchange == key_exchange
            && ours.authentication == authentication
            && ours.cipher == cipher
            && ours.mode == mode
            && Some(ours.mac) == mac
            && ours.key_bits == key_bits
            && ours.is_export == theirs.name.contains("EXPORT");
        if !is_same {
            differing.push(theirs.id.0);
        }
    }
    differing.sort_unstable();
    let mut known: Vec<u16> = OTHER_PARTS.iter().map(|(number, _)| *number).collect();
    known.sort_unstable();
    assert_eq!(differing, known, "{:x?}", differing);
}

#[test]
fn knows_suites_of_the_rfcs() {
    assert_eq!(CipherSuite(0xc02f).name(), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
    assert_eq!(CipherSuite(0x1301).to_string(), "TLS_AES_128_GCM_SHA256");
    assert_eq!(CipherSuite(0xc02f).id_string(), "0xc02f");
    assert_eq!(CipherSuite(0x0005).id_string(), "0x0005");
    assert_eq!(CipherSuite::from_name("TLS_RSA_WITH_AES_128_CBC_SHA"), Some(CipherSuite(0x002f)));
    assert_eq!(CipherSuite::from_name("ECDHE-RSA-AES128-GCM-SHA256"), None);
    assert_eq!(
        suite(0xcca9),
        SuiteInfo {
            key_exchange: KeyExchange::Ecdhe,
            authentication: Authentication::Ecdsa,
            cipher: Cipher::ChaCha20,
            mode: CipherMode::Poly1305,
            mac: Mac::Aead,
            key_bits: 256,
            is_export: false,
        }
    );
    assert_eq!(suite(0xc0ae).mode, CipherMode::Ccm8);
    assert_eq!(suite(0x000a).key_bits, 168);
    assert_eq!(suite(0x00c6).cipher, Cipher::Sm4);
    assert_eq!(suite(0xc101).cipher, Cipher::Magma);
    assert_eq!(suite(0xc105).mac, Mac::Aead);
    assert_eq!(suite(0xc0b4).mac, Mac::Sha256);
}

#[test]
fn names_widespread_suites_that_iana_does_not() {
    for (number, name) in [
        (0xfeff, "SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA"),
        (0xcc13, "OLD_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        (0x0062, "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"),
        (0xe013, "ECC_SM4_CBC_SM3"),
    ] {
        assert_eq!(CipherSuite(number).name(), Some(name));
        assert!(!CipherSuite(number).is_registered());
    }
    assert_eq!(suite(0xe011).key_exchange, KeyExchange::Ecdhe);
    assert_eq!(suite(0xe013).key_exchange, KeyExchange::Sm);
    assert_eq!(suite(0xe051).mac, Mac::Aead);
}

#[test]
fn says_what_is_ephemeral() {
    for number in [0xc02f, 0x009e, 0xc035, 0x00aa, 0x0018, 0xc018, 0xc0aa] {
        assert!(suite(number).key_exchange.is_ephemeral(), "{number:#06x}");
    }
    for number in [0x002f, 0xc004, 0x0030, 0x008c, 0x00ac, 0x001e, 0xc01d, 0xc102, 0x1301] {
        assert!(!suite(number).key_exchange.is_ephemeral(), "{number:#06x}");
    }
}

#[test]
fn finds_the_gravest_weakness() {
    for (number, weakness) in [
        (0x0002, Some(Weakness::Null)),
        (0xc010, Some(Weakness::Null)),
        (0xc0b4, Some(Weakness::Null)),
        (0x0003, Some(Weakness::Export)),
        (0x0062, Some(Weakness::Export)),
        (0x0034, Some(Weakness::Anonymous)),
        (0xc011, Some(Weakness::Rc4)),
        (0x0009, Some(Weakness::Des)),
        (0xc012, Some(Weakness::TripleDes)),
        (0xff80, Some(Weakness::Rc2)),
        (0x0007, Some(Weakness::Idea)),
        (0x0081, None),
        (0xc100, None),
        (0xc102, None),
        (0x002f, None),
        (0x1301, None),
        (0xc0a0, None),
    ] {
        assert_eq!(suite(number).weakness(), weakness, "{number:#06x}");
    }
    // No assigned suite is weak by MD5 alone, but one may come.
    let by_md5 = SuiteInfo { mac: Mac::Md5, ..suite(0x002f) };
    assert_eq!(by_md5.weakness(), Some(Weakness::Md5));
}

#[test]
fn calls_weak_whatever_a_name_gives_away() {
    let words = ["NULL", "EXPORT", "anon", "RC4", "DES", "RC2", "IDEA", "MD5"];
    for row in CIPHER_SUITES {
        let Some(info) = row.info else { continue };
        let integrity_only = matches!(row.number, 0xc0b4 | 0xc0b5);
        let says_so = words.iter().any(|word| row.name.contains(word)) || integrity_only;
        assert_eq!(info.weakness().is_some(), says_so, "{}", row.name);
    }
}

#[test]
fn names_no_grease_and_writes_the_unknown_as_hexadecimal() {
    for value in (0..16).map(|high| 0x0a0a | high << 12 | high << 4) {
        let suite = CipherSuite(value);
        assert!(suite.is_grease());
        assert_eq!((suite.name(), suite.info()), (None, None));
    }
    assert_eq!(CipherSuite(0x0a0a).to_string(), "0x0a0a");
    assert_eq!(CipherSuite(0x1308).to_string(), "0x1308");
    assert!(!CipherSuite(0x0a1a).is_grease());
}

#[test]
fn tells_signalling_values_from_suites() {
    assert_eq!(CipherSuite(0x00ff).info(), None);
    assert_eq!(CipherSuite(0x5600).info(), None);
    assert_eq!(CipherSuite(0x5600).to_string(), "TLS_FALLBACK_SCSV");
    assert!(CipherSuite(0x1301).info().is_some());
}

#[test]
fn names_the_kinds_of_ssl2() {
    let kind = Ssl2CipherKind(0x01_0080);
    assert_eq!(kind.to_string(), "SSL_CK_RC4_128_WITH_MD5");
    assert_eq!(kind.weakness(), Some(Weakness::Rc4));
    assert!(!kind.is_export());
    assert!(Ssl2CipherKind(0x02_0080).is_export());
    assert_eq!(Ssl2CipherKind(0x07_00c0).weakness(), Some(Weakness::TripleDes));
    assert_eq!(Ssl2CipherKind(0x06_0040).weakness(), Some(Weakness::Des));
    assert_eq!(Ssl2CipherKind(0x12_3456).to_string(), "0x123456");
    assert_eq!(Ssl2CipherKind(0x12_3456).weakness(), None);
}
