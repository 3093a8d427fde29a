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

    /// The kind of this name, as `name` gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        CIPHER_KINDS.iter().find(|row| row.1 == name).map(|row| Self(row.0))
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
mod tests;
