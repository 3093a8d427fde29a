//! Groups of key exchange: elliptic curves, finite fields, key encapsulation and their hybrids.

use std::fmt;

use super::groups::GROUPS;
use super::{NamedGroup, is_grease};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) kind: GroupKind,
    /// Of the curve's field or of the prime; 0 where there is neither.
    pub(super) bits: u32,
    /// ML-KEM, or Kyber before it had that name.
    pub(super) has_ml_kem: bool,
    pub(super) is_registered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupKind {
    Curve,
    /// The curve is spelled out in the handshake.
    Explicit,
    FiniteField,
    /// A curve and a key encapsulation mechanism.
    Hybrid,
    /// A key encapsulation mechanism alone.
    Kem,
}

impl NamedGroup {
    /// The IANA name; for a number that IANA does not assign, the name it is widely known by
    /// (`is_registered` tells the two apart).
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.name)
    }

    /// The group of this name, in any case. Linear: for configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        GROUPS.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| Self(row.number))
    }

    /// Every group with a name, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        GROUPS.iter().map(|row| Self(row.number))
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

    /// True with ML-KEM [FIPS 203] or Kyber, its draft, in it, alone or in a hybrid. CECPQ2 had
    /// another mechanism, which was given up.
    #[must_use]
    pub fn is_post_quantum(self) -> bool {
        self.row().is_some_and(|row| row.has_ml_kem)
    }

    /// True with ML-KEM itself in it [FIPS 203], alone or in a hybrid: Kyber, its draft, is another
    /// scheme. What counts as a post-quantum key exchange, in the rule and in the metric.
    #[must_use]
    pub fn is_ml_kem(self) -> bool {
        self.is_post_quantum() && self.name().is_some_and(|name| name.to_ascii_uppercase().contains("MLKEM"))
    }

    /// Size of the field of an elliptic curve, also of the one in a hybrid, in bits. 255 for x25519,
    /// whose prime is 2^255 - 19. `None` for other groups and for curves spelled out in the handshake.
    #[must_use]
    pub fn curve_bits(self) -> Option<u32> {
        let row = self.row()?;
        matches!(row.kind, GroupKind::Curve | GroupKind::Hybrid).then_some(row.bits)
    }

    /// Size of the prime of a finite-field group, in bits [RFC 7919].
    #[must_use]
    pub fn ffdhe_bits(self) -> Option<u32> {
        let row = self.row()?;
        matches!(row.kind, GroupKind::FiniteField).then_some(row.bits)
    }

    fn row(self) -> Option<&'static Group> {
        let at = GROUPS.binary_search_by_key(&self.0, |row| row.number).ok()?;
        GROUPS.get(at)
    }
}

/// The name, else `0x%04x`.
impl fmt::Display for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn has_each_number_and_name_once_in_order() {
        assert!(GROUPS.is_sorted_by(|a, b| a.number < b.number));
        let names: HashSet<String> = GROUPS.iter().map(|row| row.name.to_ascii_lowercase()).collect();
        assert_eq!(names.len(), GROUPS.len());
        assert!(GROUPS.iter().all(|row| !is_grease(row.number)));
    }

    #[test]
    fn agrees_with_a_second_source_on_curves() {
        for number in 1..=30 {
            let theirs = format!("{:?}", tls_parser::NamedGroup(number)).to_ascii_lowercase();
            let ours = NamedGroup(number).to_string().to_ascii_lowercase();
            // It writes `Ecdhx25519` for x25519.
            assert!(theirs.ends_with(&ours), "{number}: {theirs} {ours}");
        }
    }

    #[test]
    fn knows_groups_of_the_rfcs() {
        for (number, name) in [
            (23, "secp256r1"),
            (29, "x25519"),
            (31, "brainpoolP256r1tls13"),
            (34, "GC256A"),
            (41, "curveSM2"),
            (0x0100, "ffdhe2048"),
            (0x0202, "MLKEM1024"),
            (0x11eb, "SecP256r1MLKEM768"),
            (0x11ec, "X25519MLKEM768"),
            (0x11ed, "SecP384r1MLKEM1024"),
            (0x6399, "X25519Kyber768Draft00"),
            (0xff01, "arbitrary_explicit_prime_curves"),
        ] {
            assert_eq!(NamedGroup(number).to_string(), name);
            assert_eq!(NamedGroup::from_name(&name.to_ascii_uppercase()), Some(NamedGroup(number)));
            assert!(NamedGroup(number).is_registered());
        }
        assert!(!NamedGroup(0x4138).is_registered());
        assert_eq!(NamedGroup(0x2a2a).to_string(), "0x2a2a");
        assert_eq!(NamedGroup(0x0999).to_string(), "0x0999");
    }

    #[test]
    fn knows_what_is_post_quantum() {
        for number in [0x0200, 0x0201, 0x0202, 0x11eb, 0x11ec, 0x11ed, 0x11ee, 0x6399, 0xfe30, 0x2f4c] {
            assert!(NamedGroup(number).is_post_quantum(), "{number:#06x}");
        }
        for number in [23, 29, 0x0100, 0x4138, 0x0a0a, 0x9999] {
            assert!(!NamedGroup(number).is_post_quantum(), "{number:#06x}");
        }
        for (number, is_ml_kem) in
            [(0x0202, true), (0x11ec, true), (0x11ed, true), (0x6399, false), (0xfe30, false), (29, false)]
        {
            assert_eq!(NamedGroup(number).is_ml_kem(), is_ml_kem, "{number:#06x}");
        }
        for row in GROUPS {
            let lower = row.name.to_ascii_lowercase();
            assert_eq!(row.has_ml_kem, lower.contains("mlkem") || lower.contains("kyber"), "{}", row.name);
        }
    }

    #[test]
    fn measures_curves_and_finite_fields() {
        for (number, curve, finite_field) in [
            (15, Some(160), None),
            (13, Some(571), None),
            (23, Some(256), None),
            (25, Some(521), None),
            (29, Some(255), None),
            (30, Some(448), None),
            (28, Some(512), None),
            (0x11ed, Some(384), None),
            (0x0202, None, None),
            (0x0104, None, Some(8192)),
            (0xff01, None, None),
            (0x9999, None, None),
        ] {
            assert_eq!(NamedGroup(number).curve_bits(), curve, "{number}");
            assert_eq!(NamedGroup(number).ffdhe_bits(), finite_field, "{number}");
        }
        // Where the name has the size in it, it is the size.
        for row in GROUPS.iter().filter(|row| row.kind == GroupKind::Curve && row.name.starts_with("sec")) {
            assert!(row.name.contains(&row.bits.to_string()), "{}", row.name);
        }
    }
}
