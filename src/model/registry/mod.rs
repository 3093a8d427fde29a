//! TLS numbers of the IANA registries. A number keeps its value whether or not it has a name;
//! an unknown one prints as hexadecimal.
//!
//! Input: a number, or a name of the configuration. Output: the name and what it implies. The tables
//! are written by `generate.py`; nothing here allocates but `id_string`.
//!
//! Source: IANA "Transport Layer Security (TLS) Parameters"; GREASE values: RFC 8701.

mod alerts;
mod cipher_kinds;
mod cipher_suites;
mod extensions;
mod group;
mod groups;
mod names;
mod signature_schemes;
mod suite;
mod version;

pub use suite::{Authentication, Cipher, CipherMode, KeyExchange, Mac, SuiteInfo, Weakness};

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($int:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);
    };
}

number!(
    /// A cipher suite.
    CipherSuite(u16)
);
number!(
    /// An SSLv2 cipher kind (24 bits).
    Ssl2CipherKind(u32)
);
number!(
    /// A group of the "TLS Supported Groups" registry.
    NamedGroup(u16)
);
number!(
    /// An extension type.
    ExtensionId(u16)
);
number!(
    /// A protocol version as on the wire: 0x0002 SSLv2, 0x0300 SSLv3, 0x0301 … 0x0304 TLS 1.0 … 1.3,
    /// 0x7f00 + n for TLS 1.3 draft n.
    TlsVersion(u16)
);
number!(
    /// A signature scheme (or hash and signature pair in TLS 1.2).
    SignatureScheme(u16)
);
number!(
    /// An alert description.
    AlertDescription(u8)
);
number!(
    /// A compression method.
    CompressionMethod(u8)
);

/// True for the reserved 16-bit values of RFC 8701: 0x0a0a, 0x1a1a … 0xfafa.
#[must_use]
pub const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}
