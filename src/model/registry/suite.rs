//! Cipher suites: what their names say.

use std::fmt;

use super::cipher_kinds::CIPHER_KINDS;
use super::cipher_suites::CIPHER_SUITES;
use super::{CipherSuite, Ssl2CipherKind, is_grease};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) is_registered: bool,
    pub(super) info: Option<SuiteInfo>,
}

/// What a suite is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SuiteInfo {
    pub key_exchange: KeyExchange,
    pub authentication: Authentication,
    pub cipher: Cipher,
    pub mode: CipherMode,
    /// What protects integrity; the hash of an AEAD suite is for key derivation only and is not here.
    pub mac: Mac,
    /// Length of the cipher's key in bits, 0 for NULL. 3DES has keys of 168 bits and the strength of
    /// 112 [NIST SP 800-67].
    pub key_bits: u16,
    /// Weakened for the export rules of the 1990s.
    pub is_export: bool,
}

/// How the keys are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// None at all: TLS_NULL_WITH_NULL_NULL, the state before the handshake.
    Null,
    /// The client encrypts a secret to the server's RSA key.
    Rsa,
    /// The Diffie-Hellman key of the certificate.
    Dh,
    /// Ephemeral Diffie-Hellman, also where nobody signs it (DH_anon).
    Dhe,
    /// The elliptic curve key of the certificate.
    Ecdh,
    /// Ephemeral elliptic curve Diffie-Hellman, also where nobody signs it (ECDH_anon).
    Ecdhe,
    Psk,
    DhePsk,
    EcdhePsk,
    RsaPsk,
    Krb5,
    Srp,
    /// GOST key transport to the key of the certificate [RFC 9189].
    Gost,
    /// Dragonfly with a password [RFC 8492].
    Eccpwd,
    /// Password-authenticated key exchange by juggling (Thread).
    Ecjpake,
    /// SM2 or SM9 key transport [GB/T 38636].
    Sm,
    /// The key exchange algorithm of SSLv3's Fortezza suites.
    Fortezza,
    /// TLS 1.3: not in the suite but in key_share and pre_shared_key.
    Tls13,
}

impl KeyExchange {
    /// True where each handshake has keys of its own, so that a later theft of long-term keys does
    /// not open it. False for TLS 1.3, whose suites do not say: key_share and pre_shared_key do.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Dhe | Self::Ecdhe | Self::DhePsk | Self::EcdhePsk | Self::Eccpwd | Self::Ecjpake)
    }
}

/// How the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    Null,
    Anonymous,
    Rsa,
    Dss,
    Ecdsa,
    Psk,
    Krb5,
    /// The verifier of a password (SRP_SHA).
    Sha,
    Gost,
    Eccpwd,
    Ecjpake,
    Sm,
    Fortezza,
    /// TLS 1.3: not in the suite but in signature_algorithms.
    Tls13,
}

/// The cipher, without its mode and key length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    Null,
    Aegis,
    Aes,
    Aria,
    Camellia,
    ChaCha20,
    /// DES with 56 bits, or 40 in export suites.
    Des,
    /// Skipjack.
    Fortezza,
    Gost28147,
    Idea,
    Kuznyechik,
    Magma,
    Rc2,
    Rc4,
    Salsa20,
    Seed,
    Sm1,
    Sm4,
    TripleDes,
}

/// The mode of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherMode {
    /// No encryption.
    None,
    /// A cipher that is an AEAD by itself (AEGIS).
    Aead,
    Cbc,
    Ccm,
    /// CCM with a tag of 8 bytes.
    Ccm8,
    Counter,
    Gcm,
    /// Multilinear Galois mode [RFC 9058].
    Mgm,
    Poly1305,
    Stream,
}

impl CipherMode {
    /// Encryption and integrity in one.
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::Aead | Self::Ccm | Self::Ccm8 | Self::Gcm | Self::Mgm | Self::Poly1305)
    }
}

/// What protects integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mac {
    Null,
    /// By the cipher's mode.
    Aead,
    Gost28147,
    Gost3411,
    Md5,
    Omac,
    Sha1,
    Sha256,
    Sha384,
    Sm3,
}

/// Why a suite must not be used, the gravest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weakness {
    /// No encryption [RFC 9325 section 4.1].
    Null,
    /// Export-grade keys [RFC 9325 section 4.1].
    Export,
    /// Nobody is authenticated [RFC 5246 appendix A.5].
    Anonymous,
    /// RC4 [RFC 7465].
    Rc4,
    /// Single DES [RFC 5469].
    Des,
    /// A block of 64 bits [RFC 8429, SWEET32].
    TripleDes,
    /// RC2, with keys of 40 to 128 bits.
    Rc2,
    /// IDEA [RFC 5469].
    Idea,
    /// Integrity by MD5 [RFC 6151].
    Md5,
}

impl Weakness {
    /// Every weakness.
    pub const ALL: &'static [Self] = &[
        Self::Null,
        Self::Export,
        Self::Anonymous,
        Self::Rc4,
        Self::Des,
        Self::TripleDes,
        Self::Rc2,
        Self::Idea,
        Self::Md5,
    ];

    /// As written in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Export => "EXPORT",
            Self::Anonymous => "anonymous",
            Self::Rc4 => "RC4",
            Self::Des => "DES",
            Self::TripleDes => "3DES",
            Self::Rc2 => "RC2",
            Self::Idea => "IDEA",
            Self::Md5 => "MD5",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl SuiteInfo {
    /// The gravest weakness, if any. Old is not weak: CBC, SHA-1 and GOST are not in the set.
    #[must_use]
    pub const fn weakness(self) -> Option<Weakness> {
        if matches!(self.cipher, Cipher::Null) {
            return Some(Weakness::Null);
        }
        if self.is_export {
            return Some(Weakness::Export);
        }
        if matches!(self.authentication, Authentication::Null | Authentication::Anonymous) {
            return Some(Weakness::Anonymous);
        }
        match self.cipher {
            Cipher::Rc4 => Some(Weakness::Rc4),
            Cipher::Des => Some(Weakness::Des),
            Cipher::TripleDes => Some(Weakness::TripleDes),
            Cipher::Rc2 => Some(Weakness::Rc2),
            Cipher::Idea => Some(Weakness::Idea),
            _ if matches!(self.mac, Mac::Md5) => Some(Weakness::Md5),
            _ => None,
        }
    }

    /// Security of the cipher in bits: the key's length, and 112 for 3DES [NIST SP 800-57 part 1].
    #[must_use]
    pub const fn strength_bits(self) -> u16 {
        match self.cipher {
            Cipher::TripleDes => 112,
            _ => self.key_bits,
        }
    }
}

pub(super) const fn info(
    key_exchange: KeyExchange,
    authentication: Authentication,
    cipher: Cipher,
    mode: CipherMode,
    mac: Mac,
    key_bits: u16,
    is_export: bool,
) -> Option<SuiteInfo> {
    Some(SuiteInfo { key_exchange, authentication, cipher, mode, mac, key_bits, is_export })
}

impl CipherSuite {
    /// TLS_EMPTY_RENEGOTIATION_INFO_SCSV [RFC 5746].
    pub const EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);
    /// TLS_FALLBACK_SCSV [RFC 7507].
    pub const FALLBACK_SCSV: Self = Self(0x5600);

    /// The IANA name; for a number that IANA does not assign, the name it is widely known by
    /// (`is_registered` tells the two apart).
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.name)
    }

    /// The suite of this name, as written in the registry. Linear: for configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        CIPHER_SUITES.iter().find(|row| row.name == name).map(|row| Self(row.number))
    }

    /// Every suite with a name, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        CIPHER_SUITES.iter().map(|row| Self(row.number))
    }

    /// True where the number is assigned by IANA.
    #[must_use]
    pub fn is_registered(self) -> bool {
        self.row().is_some_and(|row| row.is_registered)
    }

    /// Reserved value of RFC 8701.
    #[must_use]
    pub const fn is_grease(self) -> bool {
        is_grease(self.0)
    }

    /// True for the values that are no suite but say something to the server [RFC 5746, RFC 7507].
    #[must_use]
    pub const fn is_signalling(self) -> bool {
        matches!(self, Self::EMPTY_RENEGOTIATION_INFO_SCSV | Self::FALLBACK_SCSV)
    }

    /// What the suite is made of; `None` for signalling, reserved and unknown values.
    #[must_use]
    pub fn info(self) -> Option<SuiteInfo> {
        self.row()?.info
    }

    /// The number as in records: `0xc02f`.
    #[must_use]
    pub fn id_string(self) -> String {
        format!("{:#06x}", self.0)
    }

    fn row(self) -> Option<&'static Suite> {
        let at = CIPHER_SUITES.binary_search_by_key(&self.0, |row| row.number).ok()?;
        CIPHER_SUITES.get(at)
    }
}

/// The name, else `0x%04x`.
impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl Ssl2CipherKind {
    /// The name in the SSLv2 specification.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let at = CIPHER_KINDS.binary_search_by_key(&self.0, |row| row.0).ok()?;
        CIPHER_KINDS.get(at).map(|row| row.1)
    }

    /// Keys of 40 bits, the rest sent in clear.
    #[must_use]
    pub fn is_export(self) -> bool {
        self.name().is_some_and(|name| name.contains("EXPORT"))
    }

    /// The number as in records: `0x010080`.
    #[must_use]
    pub fn id_string(self) -> String {
        format!("{:#08x}", self.0)
    }

    /// The gravest weakness. Every kind of SSLv2 is weak; an unknown one has no name for it.
    #[must_use]
    pub fn weakness(self) -> Option<Weakness> {
        let name = self.name()?;
        Some(match name {
            _ if name.contains("NULL") => Weakness::Null,
            _ if name.contains("EXPORT") => Weakness::Export,
            _ if name.contains("RC4") => Weakness::Rc4,
            _ if name.contains("RC2") => Weakness::Rc2,
            _ if name.contains("IDEA") => Weakness::Idea,
            _ if name.contains("EDE3") => Weakness::TripleDes,
            _ if name.contains("DES") => Weakness::Des,
            _ => Weakness::Md5,
        })
    }
}

/// The name, else `0x%06x`.
impl fmt::Display for Ssl2CipherKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#08x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
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
                assert!(CipherSuite(theirs.id.0).is_signalling(), "{}", theirs.name);
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
        assert_eq!(suite(0x000a).strength_bits(), 112);
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
        assert_eq!(CipherSuite(0x0a1a).is_grease(), false);
    }

    #[test]
    fn tells_signalling_values_from_suites() {
        assert!(CipherSuite(0x00ff).is_signalling() && CipherSuite(0x5600).is_signalling());
        assert_eq!(CipherSuite(0x5600).info(), None);
        assert_eq!(CipherSuite(0x5600).to_string(), "TLS_FALLBACK_SCSV");
        assert!(!CipherSuite(0x1301).is_signalling());
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
}
