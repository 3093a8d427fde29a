//! Names and properties of registry numbers, until `model::registry` has them itself.

use std::fmt;

use tls_parser::{TlsCipherAu, TlsCipherEnc, TlsCipherKx, TlsCipherMac, TlsCipherSuite};

use crate::model::registry::{CipherSuite, NamedGroup, TlsVersion};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weakness(&'static str);

impl Weakness {
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

pub struct SuiteInfo(&'static TlsCipherSuite);

impl SuiteInfo {
    pub fn weakness(&self) -> Option<Weakness> {
        let suite = self.0;
        let word = if suite.name.contains("EXPORT") {
            "EXPORT"
        } else if suite.name.contains("_anon_") || suite.kx == TlsCipherKx::Aecdh {
            "anonymous"
        } else if suite.au == TlsCipherAu::Null && suite.kx == TlsCipherKx::Null {
            "NULL"
        } else {
            match suite.enc {
                TlsCipherEnc::Null => "NULL",
                TlsCipherEnc::Des => "DES",
                TlsCipherEnc::TripleDes => "3DES",
                TlsCipherEnc::Rc2 => "RC2",
                TlsCipherEnc::Rc4 => "RC4",
                TlsCipherEnc::Idea => "IDEA",
                _ if suite.mac == TlsCipherMac::HmacMd5 => "MD5",
                _ => return None,
            }
        };
        Some(Weakness(word))
    }
}

pub trait CipherSuiteNames: Sized {
    fn info(self) -> Option<SuiteInfo>;
    fn name(self) -> Option<&'static str>;
    fn from_name(name: &str) -> Option<Self>;
}

impl CipherSuiteNames for CipherSuite {
    fn info(self) -> Option<SuiteInfo> {
        TlsCipherSuite::from_id(self.0).map(SuiteInfo)
    }

    fn name(self) -> Option<&'static str> {
        TlsCipherSuite::from_id(self.0).map(|suite| suite.name)
    }

    fn from_name(name: &str) -> Option<Self> {
        TlsCipherSuite::from_name(name).map(|suite| Self(suite.id.0))
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CipherSuiteNames::name(*self) {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

const GROUPS: &[(u16, &str, Option<u32>)] = &[
    (0x0013, "secp192r1", Some(192)),
    (0x0015, "secp224r1", Some(224)),
    (0x0017, "secp256r1", Some(256)),
    (0x0018, "secp384r1", Some(384)),
    (0x0019, "secp521r1", Some(521)),
    (0x001a, "brainpoolP256r1", Some(256)),
    (0x001b, "brainpoolP384r1", Some(384)),
    (0x001c, "brainpoolP512r1", Some(512)),
    (0x001d, "x25519", Some(255)),
    (0x001e, "x448", Some(448)),
    (0x001f, "brainpoolP256r1tls13", Some(256)),
    (0x0020, "brainpoolP384r1tls13", Some(384)),
    (0x0021, "brainpoolP512r1tls13", Some(512)),
    (0x0100, "ffdhe2048", None),
    (0x0101, "ffdhe3072", None),
    (0x0102, "ffdhe4096", None),
    (0x0103, "ffdhe6144", None),
    (0x0104, "ffdhe8192", None),
    (0x0200, "MLKEM512", None),
    (0x0201, "MLKEM768", None),
    (0x0202, "MLKEM1024", None),
    (0x11eb, "SecP256r1MLKEM768", None),
    (0x11ec, "X25519MLKEM768", None),
    (0x11ed, "SecP384r1MLKEM1024", None),
];

pub trait GroupNames: Sized {
    fn name(self) -> Option<&'static str>;
    fn from_name(name: &str) -> Option<Self>;
    fn is_post_quantum(self) -> bool;
    fn curve_bits(self) -> Option<u32>;
    fn ffdhe_bits(self) -> Option<u32>;
}

impl GroupNames for NamedGroup {
    fn name(self) -> Option<&'static str> {
        GROUPS.iter().find(|row| row.0 == self.0).map(|row| row.1)
    }

    fn from_name(name: &str) -> Option<Self> {
        GROUPS.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| Self(row.0))
    }

    fn is_post_quantum(self) -> bool {
        GroupNames::name(self).is_some_and(|name| name.contains("MLKEM"))
    }

    fn curve_bits(self) -> Option<u32> {
        GROUPS.iter().find(|row| row.0 == self.0).and_then(|row| row.2)
    }

    fn ffdhe_bits(self) -> Option<u32> {
        GroupNames::name(self)?.strip_prefix("ffdhe")?.parse().ok()
    }
}

impl fmt::Display for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match GroupNames::name(*self) {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

pub trait VersionNames: Sized {
    fn from_name(name: &str) -> Option<Self>;
    fn as_str(self) -> &'static str;
    fn protocol_name(self) -> &'static str;
}

impl VersionNames for TlsVersion {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "2" => Self::SSL2,
            "3" => Self::SSL3,
            "1.0" => Self::TLS10,
            "1.1" => Self::TLS11,
            "1.2" => Self::TLS12,
            "1.3" => Self::TLS13,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::SSL2 => "2",
            Self::SSL3 => "3",
            Self::TLS10 => "1.0",
            Self::TLS11 => "1.1",
            Self::TLS12 => "1.2",
            _ => "1.3",
        }
    }

    fn protocol_name(self) -> &'static str {
        if self.rank() <= Self::SSL3.rank() { "ssl" } else { "tls" }
    }
}
