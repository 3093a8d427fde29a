//! TLS numbers of the IANA registries. A number keeps its value whether or not it has a name;
//! an unknown one prints as hexadecimal.
//!
//! Source: IANA "Transport Layer Security (TLS) Parameters"; GREASE values: RFC 8701.

use std::fmt;

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

impl TlsVersion {
    pub const SSL2: Self = Self(0x0002);
    pub const SSL3: Self = Self(0x0300);
    pub const TLS10: Self = Self(0x0301);
    pub const TLS11: Self = Self(0x0302);
    pub const TLS12: Self = Self(0x0303);
    pub const TLS13: Self = Self(0x0304);

    /// Reserved value of RFC 8701.
    #[must_use]
    pub const fn is_grease(self) -> bool {
        is_grease(self.0)
    }

    /// Position in time, for comparison: drafts of TLS 1.3 stand between 1.2 and 1.3.
    #[must_use]
    pub const fn rank(self) -> u16 {
        match self.0 {
            // Drafts (0x7fNN), Facebook's (0xfbNN) and Google's (0x7eNN) experiments were TLS 1.3 in the making.
            0x7e00..=0x7fff | 0xfb00..=0xfbff => 0x0303 * 0x10 + 1,
            value if value < 0x1000 => value * 0x10,
            _ => 0,
        }
    }
}
