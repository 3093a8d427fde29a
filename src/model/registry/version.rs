//! Protocol versions.

use std::fmt;

use super::{TlsVersion, is_grease};

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

    /// Position in time, for comparison: drafts of TLS 1.3 stand between 1.2 and 1.3. 0 for the unknown.
    #[must_use]
    pub const fn rank(self) -> u16 {
        match self.0 {
            // Drafts (0x7fNN), Facebook's (0xfbNN) and Google's (0x7eNN) experiments were TLS 1.3 in the making.
            0x7e00..=0x7fff | 0xfb00..=0xfbff => 0x0303 * 0x10 + 1,
            value if value < 0x1000 => value * 0x10,
            _ => 0,
        }
    }

    /// The same for a policy, to which a draft is the version that it is called in records.
    #[must_use]
    pub const fn generation(self) -> u16 {
        match self.0 {
            0x7e00..=0x7fff | 0xfb00..=0xfbff => Self::TLS13.rank(),
            _ => self.rank(),
        }
    }

    /// As in records: `2`, `3` for SSL, `1.0` … `1.3` for TLS, drafts and experiments as `1.3`.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self.0 {
            0x0002 => Some("2"),
            0x0300 => Some("3"),
            0x0301 => Some("1.0"),
            0x0302 => Some("1.1"),
            0x0303 => Some("1.2"),
            0x0304 | 0x7e00..=0x7fff | 0xfb00..=0xfbff => Some("1.3"),
            _ => None,
        }
    }

    /// The version of a word in the configuration, as `as_str` writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SSL2, Self::SSL3, Self::TLS10, Self::TLS11, Self::TLS12, Self::TLS13]
            .into_iter()
            .find(|version| version.as_str() == Some(name))
    }

    /// The number of the TLS 1.3 draft: NN of 0x7fNN [RFC 8446 section 4.2.1 of the drafts] and of
    /// 0xfbNN (Facebook's marking of the same).
    #[must_use]
    pub const fn draft(self) -> Option<u8> {
        match self.0 {
            0x7f00..=0x7fff | 0xfb00..=0xfbff => Some((self.0 & 0xff) as u8),
            _ => None,
        }
    }

    /// `ssl` for versions 2 and 3, else `tls`.
    #[must_use]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::SSL2 | Self::SSL3 => "ssl",
            _ => "tls",
        }
    }
}

/// As in records, else `0x%04x`.
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_versions() {
        for (version, name, protocol) in [
            (TlsVersion::SSL2, "2", "ssl"),
            (TlsVersion::SSL3, "3", "ssl"),
            (TlsVersion::TLS10, "1.0", "tls"),
            (TlsVersion::TLS11, "1.1", "tls"),
            (TlsVersion::TLS12, "1.2", "tls"),
            (TlsVersion::TLS13, "1.3", "tls"),
        ] {
            assert_eq!(version.to_string(), name);
            assert_eq!(version.protocol_name(), protocol);
            assert_eq!(TlsVersion::from_name(name), Some(version));
            assert_eq!(version.draft(), None);
        }
        assert_eq!(TlsVersion::from_name("1.4"), None);
        assert_eq!(TlsVersion(0x7a7a).to_string(), "0x7a7a");
        assert_eq!(TlsVersion(0x0305).as_str(), None);
    }

    #[test]
    fn takes_drafts_for_version_1_3() {
        assert_eq!(TlsVersion(0x7f1c).as_str(), Some("1.3"));
        assert_eq!(TlsVersion(0x7f1c).draft(), Some(28));
        assert_eq!(TlsVersion(0xfb1a).draft(), Some(26));
        assert_eq!((TlsVersion(0x7e02).as_str(), TlsVersion(0x7e02).draft()), (Some("1.3"), None));
    }

    #[test]
    fn ranks_versions_by_age() {
        let ranks =
            [0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x7f17, 0x0304].map(|value| TlsVersion(value).rank());
        assert!(ranks.is_sorted_by(|a, b| a < b));
        assert_eq!(TlsVersion(0x3a3a).rank(), 0);
        for draft in [0x7e01, 0x7f17, 0xfb1a] {
            assert_eq!(TlsVersion(draft).generation(), TlsVersion::TLS13.generation());
        }
        assert_eq!(TlsVersion::TLS12.generation(), TlsVersion::TLS12.rank());
    }
}
