//! The built-in profiles: what standards and AWS ask for, as far as a passive observer can check it.
//!
//! A profile sets versions, lists and thresholds; the severities of all other rules are those of the
//! default. Rows that were not read again at their source say so.

mod suites;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use super::options::{Settings, Severities};
use super::rules::Rule;
use crate::model::Severity;
use crate::model::registry::{CipherSuite, NamedGroup, TlsVersion};

/// The name of the profile that holds where none is named.
pub const DEFAULT: &str = "aws-dynamodb";

/// Smallest Diffie-Hellman prime and curve of the default, in bits: 112 bits of strength.
const MINIMUM_DH_BITS: u32 = 2_048;
const MINIMUM_CURVE_BITS: u32 = 224;

/// A profile as it is printed and evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    /// One line.
    pub title: String,
    /// For a profile of one's own: what it builds on.
    pub extends: Option<String>,
    pub settings: Settings,
    /// Where a profile of one's own differs from the built-in one that it stands on, as [`Settings::changes_from`] says it.
    pub changes: Vec<String>,
    /// Sentences: what the standard asks for and this cannot check, and what was not read again.
    pub notes: Vec<Note>,
    pub sources: Vec<&'static str>,
}

/// A sentence on a profile, true as long as what it rests on is the profile's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    pub text: &'static str,
    grounds: &'static [Ground],
}

/// What a note rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ground {
    MinimumVersion,
    Suites,
    Groups,
    Severity(Rule),
}

/// A note that is true whatever is changed.
const fn note(text: &'static str) -> Note {
    on(text, &[])
}

const fn on(text: &'static str, grounds: &'static [Ground]) -> Note {
    Note { text, grounds }
}

/// A row of the built-in table.
struct BuiltIn {
    name: &'static str,
    title: &'static str,
    minimum: TlsVersion,
    recommended: TlsVersion,
    ciphers: &'static [&'static [&'static str]],
    /// Ends of names: suites of the lists that are left out.
    left_out: &'static [&'static str],
    groups: &'static [&'static str],
    minimum_dh_bits: u32,
    /// Where they differ from the default.
    severities: &'static [(Rule, Severity)],
    notes: &'static [Note],
    sources: &'static [&'static str],
}

/// The default row, for the rest of a table row.
const BASE: BuiltIn = BuiltIn {
    name: DEFAULT,
    title: "What the DynamoDB developer guide asks for today: TLS 1.2, better 1.3, with forward secrecy",
    minimum: TlsVersion::TLS12,
    recommended: TlsVersion::TLS13,
    ciphers: &[],
    left_out: &[],
    groups: &[],
    minimum_dh_bits: MINIMUM_DH_BITS,
    severities: &[],
    notes: &[on(
        "The page also asks for signed requests: under TLS that cannot be seen (signing_not_assessable).",
        &[Ground::Severity(Rule::SigningNotAssessable)],
    )],
    sources: &[
        "Amazon DynamoDB developer guide, \"Securing DynamoDB connections using VPC endpoints and IAM policies\" (inter-network-traffic-privacy.html)",
        "Amazon DynamoDB developer guide, \"Infrastructure security\" (network-isolation.html)",
    ],
};

const NOT_REREAD_CURRENT_BSI: Note = on(
    "The lists are those of edition 2023-01; the current edition (2026-01) was not re-read at the source.",
    &[Ground::Suites, Ground::Groups],
);

const NO_CERTIFICATE_SIZES: Note = note("Not checked: sizes of certificate keys.");

static BUILT_IN: &[BuiltIn] = &[
    BASE,
    BuiltIn {
        name: "aws-dynamodb-2019",
        title: "The older text of the same page: TLS 1.0, better 1.2, with forward secrecy",
        minimum: TlsVersion::TLS10,
        recommended: TlsVersion::TLS12,
        notes: &[
            note("For captures and contracts of that time: AWS endpoints no longer accept TLS 1.0 and 1.1."),
            on(
                "The page also asks for signed requests: under TLS that cannot be seen (signing_not_assessable).",
                &[Ground::Severity(Rule::SigningNotAssessable)],
            ),
        ],
        sources: &[
            "Amazon DynamoDB developer guide, inter-network-traffic-privacy.md, text until February 2023",
        ],
        ..BASE
    },
    BuiltIn {
        name: "nist-800-52r2",
        title: "NIST SP 800-52 Rev. 2: TLS 1.2 or 1.3 with AES suites",
        ciphers: &[suites::NIST_TLS13, suites::NIST_TLS12],
        notes: &[
            on(
                "Support of TLS 1.3 is required since 2024-01-01; what was negotiated may still be TLS 1.2.",
                &[Ground::MinimumVersion],
            ),
            on(
                "The list has static DH and ECDH suites; the publication only recommends forward secrecy. The rule no_forward_secrecy stays critical as in the default, because DynamoDB's own guide asks for it.",
                &[Ground::Suites, Ground::Severity(Rule::NoForwardSecrecy)],
            ),
            on(
                "Groups are checked by size (112 bits of strength: DH 2048, curves 224), not by name.",
                &[Ground::Groups],
            ),
            note("Not checked: sizes of certificate keys, and the extensions the publication requires."),
            note("The text was taken from a reproduction; the original was not re-read at the source."),
        ],
        sources: &["NIST SP 800-52 Rev. 2, sections 3.1, 3.3.1.1 and 4 (doi.org/10.6028/NIST.SP.800-52r2)"],
        ..BASE
    },
    BuiltIn {
        name: "pci-dss-4",
        title: "PCI DSS 4: strong cryptography, no SSL and early TLS",
        severities: &[(Rule::NoForwardSecrecy, Severity::Info)],
        notes: &[
            on(
                "The standard has no list of suites: broken ones are found by weak_cipher, small groups by weak_key_exchange.",
                &[
                    Ground::Suites,
                    Ground::Severity(Rule::WeakCipher),
                    Ground::Severity(Rule::WeakKeyExchange),
                ],
            ),
            NO_CERTIFICATE_SIZES,
            note(
                "Requirement 12.3.3 asks for an inventory of all cipher suites and protocols in use, 4.2.1.1 for one of keys and certificates: the records are evidence for both, not the inventory.",
            ),
            note("The exemption of payment terminals (appendix A2) is not applied."),
            note(
                "The requirements were taken from reproductions; that strong cryptography means 112 bits was not re-read at the source.",
            ),
        ],
        sources: &["PCI DSS 4, requirements 4.2.1.1 and 12.3.3, appendix A2"],
        ..BASE
    },
    BuiltIn {
        name: "fips-140-3",
        title: "FIPS endpoints with approved algorithms",
        ciphers: &[suites::NIST_TLS13, suites::NIST_TLS12],
        left_out: suites::CCM_8,
        groups: &[
            "secp256r1",
            "secp384r1",
            "secp521r1",
            "X25519MLKEM768",
            "SecP256r1MLKEM768",
            "SecP384r1MLKEM1024",
        ],
        severities: &[(Rule::FipsEndpointRequired, Severity::Critical)],
        notes: &[
            note("Algorithms can be seen, validation cannot: nothing here says that a module is validated."),
            NO_CERTIFICATE_SIZES,
            on(
                "The suites are those of nist-800-52r2 without CCM_8; the groups are those of s2n-tls's FIPS policy.",
                &[Ground::Suites, Ground::Groups],
            ),
        ],
        sources: &[
            "s2n-tls, policy snapshot default_fips",
            "NIST SP 800-52 Rev. 2, section 3.3.1.1",
            "AWS SDK endpoint rule sets (dynamodb-fips hosts)",
        ],
        ..BASE
    },
    BuiltIn {
        name: "bsi-tr-02102-2",
        title: "BSI TR-02102-2: TLS 1.2 or 1.3 with forward secrecy, AES and larger keys",
        ciphers: &[suites::BSI_TLS13, suites::BSI_TLS12],
        groups: &[
            "secp256r1",
            "secp384r1",
            "secp521r1",
            "brainpoolP256r1",
            "brainpoolP384r1",
            "brainpoolP512r1",
            "brainpoolP256r1tls13",
            "brainpoolP384r1tls13",
            "brainpoolP512r1tls13",
            "ffdhe3072",
            "ffdhe4096",
        ],
        minimum_dh_bits: 3_000,
        notes: &[
            NOT_REREAD_CURRENT_BSI,
            on(
                "That DH needs 3000 bits was not re-read at the source. A prime that is no named group of RFC 7919 counts as not in the list.",
                &[Ground::Groups],
            ),
            note(
                "Not checked: RSA certificate keys of at least 3000 bits, and that CBC suites are used with encrypt_then_mac (not re-read at the source).",
            ),
        ],
        sources: &["BSI TR-02102-2, edition 2023-01, tables 1 and 11; machine-readable TLS 1.3 parameters"],
        ..BASE
    },
    BuiltIn {
        name: "cnsa-1.0",
        title: "CNSA 1.0 (RFC 9151): AES-256-GCM with P-384 or large DH",
        ciphers: &[&["TLS_AES_256_GCM_SHA384"], suites::CNSA_TLS12],
        groups: &["secp384r1", "ffdhe3072", "ffdhe4096"],
        minimum_dh_bits: 3_072,
        notes: &[
            on(
                "RFC 9151 also allows RSA key transport in TLS 1.2. The rule no_forward_secrecy stays critical as in the default, because DynamoDB's own guide asks for it.",
                &[Ground::Severity(Rule::NoForwardSecrecy)],
            ),
            on(
                "Not checked: certificate keys (RSA 3072 or 4096, P-384) and signature algorithms. Early data, which RFC 9151 does not allow, stays at info.",
                &[Ground::Severity(Rule::EarlyData)],
            ),
        ],
        sources: &["RFC 9151"],
        ..BASE
    },
    BuiltIn {
        name: "cnsa-2.0",
        title: "CNSA 2.0: TLS 1.3 with AES-256-GCM and ML-KEM-1024",
        minimum: TlsVersion::TLS13,
        ciphers: &[&["TLS_AES_256_GCM_SHA384"]],
        groups: &["MLKEM1024"],
        notes: &[
            note("The source is a draft; it may change."),
            note("Not checked: ML-DSA-87 certificates, which TLS 1.3 encrypts."),
            note("The dates of the transition were not re-read at the source."),
        ],
        sources: &["draft-becker-cnsa2-tls-profile-03", "s2n-tls, policy snapshot cnsa_2"],
        ..BASE
    },
    BuiltIn {
        name: "pq-ready",
        title: "TLS 1.3 with ML-KEM, alone or in a hybrid",
        minimum: TlsVersion::TLS13,
        severities: &[(Rule::NotPostQuantum, Severity::Warning)],
        notes: &[on(
            "The group is judged by the rule not_post_quantum; there is no list beside it.",
            &[Ground::Severity(Rule::NotPostQuantum), Ground::Groups],
        )],
        sources: &[
            "AWS Security Blog, \"AWS post-quantum cryptography migration plan\"",
            "IANA TLS Supported Groups registry",
        ],
        ..BASE
    },
];

/// Names of the built-in profiles, the default first.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|row| row.name)
}

/// Every built-in profile, the default first.
#[must_use]
pub fn all() -> Vec<Profile> {
    BUILT_IN.iter().map(BuiltIn::to_profile).collect()
}

/// The built-in profile of this name.
#[must_use]
pub fn find(name: &str) -> Option<Profile> {
    BUILT_IN.iter().find(|row| row.name == name).map(BuiltIn::to_profile)
}

/// The settings of the default profile.
#[must_use]
pub fn default_settings() -> Settings {
    BASE.to_settings()
}

impl BuiltIn {
    fn to_settings(&self) -> Settings {
        let mut severities = Severities::default();
        if !self.ciphers.is_empty() {
            severities.set(Rule::CipherNotAllowed, Some(Severity::Critical));
        }
        if !self.groups.is_empty() {
            severities.set(Rule::GroupNotAllowed, Some(Severity::Critical));
        }
        for &(rule, severity) in self.severities {
            severities.set(rule, Some(severity));
        }
        Settings {
            profile: Arc::from(self.name),
            minimum_version: self.minimum,
            recommended_version: self.recommended,
            // That each name is in the registry is what a test sees to.
            allowed_ciphers: self
                .ciphers
                .iter()
                .flat_map(|list| list.iter())
                .filter(|name| !self.left_out.iter().any(|end| name.ends_with(end)))
                .filter_map(|name| CipherSuite::from_name(name))
                .collect(),
            allowed_groups: self.groups.iter().filter_map(|name| NamedGroup::from_name(name)).collect(),
            allowed_paths: Vec::new(),
            minimum_dh_bits: self.minimum_dh_bits,
            minimum_curve_bits: MINIMUM_CURVE_BITS,
            severities,
        }
    }

    fn to_profile(&self) -> Profile {
        Profile {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            extends: None,
            settings: self.to_settings(),
            changes: Vec::new(),
            notes: self.notes.to_vec(),
            sources: self.sources.to_vec(),
        }
    }
}

impl Settings {
    /// Where these differ from those of `base` in what a standard asks for, one phrase each: `minimum version TLS 1.0 instead of
    /// TLS 1.2`. Which paths are allowed is the house's own affair.
    #[must_use]
    pub fn changes_from(&self, base: &Self) -> Vec<String> {
        fn listed<T>(values: &[T]) -> String {
            if values.is_empty() { "not checked".to_owned() } else { format!("{} listed", values.len()) }
        }
        let mut changes = Vec::new();
        let mut change = |is_changed: bool, what: &str, now: String, before: String| {
            if is_changed {
                let (now, before) = if now == before { (now, "others".to_owned()) } else { (now, before) };
                changes.push(format!("{what} {now} instead of {before}"));
            }
        };
        for (what, now, before) in [
            ("minimum version", self.minimum_version, base.minimum_version),
            ("recommended version", self.recommended_version, base.recommended_version),
        ] {
            change(now != before, what, version_text(now).into_owned(), version_text(before).into_owned());
        }
        let (now, before) = (&self.allowed_ciphers, &base.allowed_ciphers);
        change(now != before, "cipher suites", listed(now), listed(before));
        let (now, before) = (&self.allowed_groups, &base.allowed_groups);
        change(now != before, "groups", listed(now), listed(before));
        for (what, now, before) in [
            ("smallest DH prime", self.minimum_dh_bits, base.minimum_dh_bits),
            ("smallest curve", self.minimum_curve_bits, base.minimum_curve_bits),
        ] {
            change(now != before, what, format!("{now} bits"), format!("{before} bits"));
        }
        let word = |severity: Option<Severity>| severity.map_or("off", Severity::as_str).to_owned();
        for rule in Rule::ALL {
            let (now, before) = (self.severities.of(*rule), base.severities.of(*rule));
            change(now != before, rule.as_str(), word(now), word(before));
        }
        changes
    }

    /// Everything that is decided, for people: one `key: value` a line, lists one entry a line.
    #[must_use]
    pub fn describe(&self, indent: &str) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "{indent}{key}: {value}");
        };
        line("minimum version", &version_text(self.minimum_version));
        if self.recommended_version.rank() > self.minimum_version.rank() {
            line("recommended version", &version_text(self.recommended_version));
        }
        line("smallest DH prime", &format_args!("{} bits", self.minimum_dh_bits));
        line("smallest curve", &format_args!("{} bits", self.minimum_curve_bits));
        list(&mut text, indent, "cipher suites", &self.allowed_ciphers);
        list(&mut text, indent, "groups", &self.allowed_groups);
        list(&mut text, indent, "paths", &self.allowed_paths);
        let _ = writeln!(text, "{indent}severities:");
        for rule in Rule::ALL {
            let severity = self.severities.of(*rule).map_or("off", Severity::as_str);
            let _ = writeln!(text, "{indent}  {rule:<28} {severity}");
        }
        text
    }
}

fn list<T: std::fmt::Display>(text: &mut String, indent: &str, key: &str, values: &[T]) {
    if values.is_empty() {
        let _ = writeln!(text, "{indent}{key}: not checked against a list");
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    for value in values {
        let _ = writeln!(text, "{indent}  {value}");
    }
}

impl Profile {
    /// Its notes but for those that `settings` leave without ground.
    #[must_use]
    pub fn notes_under(&self, settings: &Settings) -> Vec<Note> {
        let own = &self.settings;
        let stands = |ground: &Ground| match ground {
            Ground::MinimumVersion => settings.minimum_version == own.minimum_version,
            Ground::Suites => settings.allowed_ciphers == own.allowed_ciphers,
            Ground::Groups => settings.allowed_groups == own.allowed_groups,
            Ground::Severity(rule) => settings.severities.of(*rule) == own.severities.of(*rule),
        };
        self.notes.iter().copied().filter(|note| note.grounds.iter().all(stands)).collect()
    }

    /// All of it, for `profiles NAME`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("{}: {}\n", self.name, self.title);
        if let Some(base) = &self.extends {
            let _ = writeln!(text, "extends: {base}");
        }
        text.push_str(&self.settings.describe(""));
        if !self.changes.is_empty() {
            let _ = writeln!(text, "differs from the built-in profile it stands on:");
        }
        for change in &self.changes {
            let _ = writeln!(text, "  - {change}");
        }
        let notes = self.notes.iter().map(|note| note.text).collect();
        for (title, lines) in [("notes", &notes), ("sources", &self.sources)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "{title}:");
            }
            for line in lines {
                let _ = writeln!(text, "  - {line}");
            }
        }
        text
    }
}

/// For people: `TLS 1.2`, `SSL 3`.
#[must_use]
pub(crate) fn version_text(version: TlsVersion) -> Cow<'static, str> {
    match version {
        TlsVersion::TLS10 => Cow::Borrowed("TLS 1.0"),
        TlsVersion::TLS11 => Cow::Borrowed("TLS 1.1"),
        TlsVersion::TLS12 => Cow::Borrowed("TLS 1.2"),
        TlsVersion::TLS13 => Cow::Borrowed("TLS 1.3"),
        other => {
            let name = other.protocol_name().to_uppercase();
            Cow::Owned(match other.draft() {
                Some(draft) => format!("{name} {other} (draft {draft})"),
                None => format!("{name} {other}"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_drafts_from_what_became_of_them() {
        assert_eq!(version_text(TlsVersion(0x7f1c)), "TLS 1.3 (draft 28)");
        assert_eq!(version_text(TlsVersion(0x0300)), "SSL 3");
    }

    #[test]
    fn writes_every_version_in_one_way() {
        for version in [TlsVersion::TLS10, TlsVersion::TLS11, TlsVersion::TLS12, TlsVersion::TLS13] {
            let expected = format!("{} {version}", version.protocol_name().to_uppercase());
            assert_eq!(version_text(version), expected);
        }
        assert_eq!(version_text(TlsVersion::SSL3), "SSL 3");
    }

    #[test]
    fn names_only_suites_and_groups_of_the_registry() {
        for row in BUILT_IN {
            for name in row.ciphers.iter().flat_map(|list| list.iter()) {
                let suite = CipherSuite::from_name(name).unwrap_or_else(|| panic!("{}: {name}", row.name));
                assert_eq!(suite.to_string(), *name);
                assert!(suite.info().unwrap().weakness().is_none(), "{name}");
            }
            for name in row.groups {
                assert!(NamedGroup::from_name(name).is_some(), "{}: {name}", row.name);
            }
        }
    }

    #[test]
    fn lists_no_suite_twice() {
        for profile in all() {
            let mut seen = std::collections::HashSet::new();
            for suite in &profile.settings.allowed_ciphers {
                assert!(seen.insert(*suite), "{}: {suite}", profile.name);
            }
        }
    }

    #[test]
    fn has_the_nine_profiles_of_the_contract() {
        let expected = [
            ("aws-dynamodb", TlsVersion::TLS12, 0, 0),
            ("aws-dynamodb-2019", TlsVersion::TLS10, 0, 0),
            ("nist-800-52r2", TlsVersion::TLS12, 60, 0),
            ("pci-dss-4", TlsVersion::TLS12, 0, 0),
            ("fips-140-3", TlsVersion::TLS12, 55, 6),
            ("bsi-tr-02102-2", TlsVersion::TLS12, 23, 11),
            ("cnsa-1.0", TlsVersion::TLS12, 5, 3),
            ("cnsa-2.0", TlsVersion::TLS13, 1, 1),
            ("pq-ready", TlsVersion::TLS13, 0, 0),
        ];
        assert_eq!(names().collect::<Vec<_>>(), expected.map(|row| row.0));
        for (name, minimum, ciphers, groups) in expected {
            let settings = find(name).unwrap().settings;
            assert_eq!(settings.minimum_version, minimum, "{name}");
            assert_eq!(settings.allowed_ciphers.len(), ciphers, "{name}");
            assert_eq!(settings.allowed_groups.len(), groups, "{name}");
            let lists =
                [Rule::CipherNotAllowed, Rule::GroupNotAllowed].map(|rule| settings.severities.of(rule));
            let critical = |is_set: bool| is_set.then_some(Severity::Critical);
            assert_eq!(lists, [critical(ciphers > 0), critical(groups > 0)], "{name}");
        }
    }

    #[test]
    fn differs_from_the_default_severities_only_where_said() {
        for profile in all() {
            for rule in Rule::ALL {
                let found = profile.settings.severities.of(*rule);
                let expected = match (profile.name.as_str(), rule) {
                    (_, Rule::CipherNotAllowed | Rule::GroupNotAllowed) => continue,
                    ("pci-dss-4", Rule::NoForwardSecrecy) => Some(Severity::Info),
                    ("fips-140-3", Rule::FipsEndpointRequired) => Some(Severity::Critical),
                    ("pq-ready", Rule::NotPostQuantum) => Some(Severity::Warning),
                    _ => rule.default_severity(),
                };
                assert_eq!(found, expected, "{} {rule}", profile.name);
            }
        }
    }

    #[test]
    fn says_where_settings_differ_and_which_notes_fall() {
        let nist = find("nist-800-52r2").unwrap();
        assert_eq!(nist.settings.changes_from(&nist.settings), [""; 0]);
        assert_eq!(nist.notes_under(&nist.settings), nist.notes);
        let mut changed = nist.settings.clone();
        changed.minimum_version = TlsVersion::TLS10;
        changed.allowed_ciphers.clear();
        changed.severities.set(Rule::NoForwardSecrecy, None);
        let changes = changed.changes_from(&nist.settings);
        assert_eq!(changes.len(), 3, "{changes:?}");
        assert_eq!(changes[0], "minimum version TLS 1.0 instead of TLS 1.2");
        assert!(changes[1].starts_with("cipher suites not checked instead of "), "{changes:?}");
        assert_eq!(changes[2], "no_forward_secrecy off instead of critical");
        let notes = nist.notes_under(&changed);
        assert_eq!(notes.len(), nist.notes.len() - 2);
        assert!(
            notes
                .iter()
                .all(|note| !note.text.contains("stays critical")
                    && !note.text.contains("may still be TLS 1.2")),
            "{notes:?}"
        );
        // As many others in the list are others.
        let mut other = nist.settings.clone();
        other.allowed_ciphers.reverse();
        assert!(other.changes_from(&nist.settings)[0].ends_with("listed instead of others"));
    }

    #[test]
    fn prints_all_of_a_profile_with_its_sources() {
        let text = find("bsi-tr-02102-2").unwrap().describe();
        for part in
            ["TLS 1.2", "3000 bits", "brainpoolP256r1tls13", "not re-read", "TR-02102-2, edition 2023-01"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
