//! Profiles that rest on others, overrides, exceptions, and what the command line says of them.

use std::fmt::Write as _;

use crate::config::load::parse;
use crate::config::load::tests::{parsed, problem};
use crate::config::{CommandLine, ConfigError};
use crate::model::Severity;
use crate::model::registry::TlsVersion;
use crate::policy::Rule;

#[test]
fn needs_to_know_who_owns_an_exception() {
    let whole = ["rule = \"early_data\"", "owner = \"a\"", "reason = \"b\"", "expires = \"2027-03-31\""];
    parsed(&format!("[[policy.exception]]\n{}", whole.join("\n")));
    parsed(&format!("[[policy.exception]]\n{}\nexpires = 2027-03-31", whole[..3].join("\n")));
    for left_out in 0..whole.len() {
        let mut lines = whole.to_vec();
        let key = lines.remove(left_out).split(' ').next().unwrap();
        let text = problem(&format!("[[policy.exception]]\n{}", lines.join("\n")));
        assert!(text.contains(&format!("has no `{key}`")), "{text}");
    }
    let text = problem(&format!("[[policy.exception]]\n{}\nexpires = \"31.3.2027\"", whole[..3].join("\n")));
    assert!(text.contains("which is no day such as 2027-03-31"), "{text}");
    let text = problem(
        "[[policy.exception]]\nrule = \"early_date\"\nowner = \"a\"\nreason = \"b\"\nexpires = 2027-01-01",
    );
    assert!(text.contains("did you mean `early_data`?"), "{text}");
    let text = problem(&format!("[[policy.exception]]\n{}\nx = 1", whole.join("\n")));
    assert!(text.ends_with("known are rule, match, owner, reason, expires"), "{text}");
}

#[test]
fn extends_profiles_through_others() {
    let text = "[policy]\nprofile = \"b\"\n[profile.a]\nextends = \"cnsa-1.0\"\nminimum_version = \"1.3\"\n\
                [profile.b]\nextends = \"a\"\nseverity = { sni_missing = \"warning\" }\n";
    let settings = parsed(text).policy.settings;
    assert_eq!(&*settings.profile, "b");
    assert_eq!(settings.minimum_version, TlsVersion::TLS13);
    assert_eq!(settings.allowed_groups.len(), 3);
    assert_eq!(settings.severities.of(Rule::SniMissing), Some(Severity::Warning));
    for circle in
        ["[profile.a]\nextends = \"a\"", "[profile.a]\nextends = \"b\"\n[profile.b]\nextends = \"a\""]
    {
        let error = parse(circle, &CommandLine::default()).unwrap_err().to_string();
        assert!(error.contains("leads back to the profile itself"), "{error}");
    }
}

#[test]
fn looks_at_each_profile_of_a_chain_once() {
    // The first in alphabetical order rests on all others.
    let chain = |ground: &str| {
        (0..300).fold(String::new(), |mut text, number| {
            let base = if number == 299 { ground.to_owned() } else { format!("\"p{:03}\"", number + 1) };
            let _ = writeln!(text, "[profile.p{number:03}]\nextends = {base}\nrecommended_version = \"1.3\"");
            text
        })
    };
    let resolved = parsed(&chain("\"cnsa-2.0\""));
    assert_eq!(resolved.profiles.len(), 300);
    for (number, profile) in resolved.profiles.iter().enumerate() {
        assert_eq!(*profile.settings.profile, format!("p{number:03}"));
        assert_eq!(profile.settings.minimum_version, TlsVersion::TLS13);
    }
    // What is wrong with the last is told once, and that there is no last by each.
    assert!(problem(&chain("1")).contains("must be a string"));
    assert!(problem(&chain("\"nothing\"")).contains("unknown profile `nothing`"));
    let Err(ConfigError::Invalid { problems, .. }) = parse(&chain("\"p000\""), &CommandLine::default())
    else {
        panic!("a circle is no chain");
    };
    assert_eq!(problems.len(), 300);
}

#[test]
fn switches_a_list_on_with_its_first_entry() {
    let settings = parsed("[policy]\nallowed_groups = [\"X25519\"]").policy.settings;
    assert_eq!(settings.severities.of(Rule::GroupNotAllowed), Some(Severity::Critical));
    let settings =
        parsed("[policy]\nallowed_groups = [\"x25519\"]\nseverity = { group_not_allowed = \"warning\" }")
            .policy
            .settings;
    assert_eq!(settings.severities.of(Rule::GroupNotAllowed), Some(Severity::Warning));
    assert!(
        parsed("[policy]\nprofile = \"cnsa-1.0\"\nallowed_groups = []")
            .policy
            .settings
            .allowed_groups
            .is_empty()
    );
}

#[test]
fn keeps_house_rules_under_an_override_with_another_profile() {
    let text = "[[path]]\nname = \"lab\"\naccess = \"in_vpc\"\n\
                [policy]\nminimum_version = \"1.3\"\nallowed_paths = [{ access = \"in_vpc\" }]\n\
                severity = { early_data = \"critical\" }\n\
                [[policy.override]]\nprofile = \"pci-dss-4\"\nmatch = { path = \"lab\" }";
    let resolved = parsed(text);
    let own = &resolved.policy.overrides[0];
    assert_eq!(&*own.settings.profile, "pci-dss-4");
    assert_eq!(own.settings.minimum_version, TlsVersion::TLS12);
    assert_eq!(own.settings.allowed_paths.len(), 1);
    assert_eq!(own.settings.severities.of(Rule::EarlyData), Some(Severity::Critical));
    assert_eq!(own.matching.path, ["lab"]);
}

/// The profile of the command line takes one key's place, and what the others do to it is told.
#[test]
fn tells_what_still_holds_beside_the_profile_of_the_command_line() {
    let command_line = CommandLine { profile: Some("cnsa-2.0".to_owned()), ..CommandLine::default() };
    let warnings = |text: &str| parse(text, &command_line).unwrap().warnings;
    assert_eq!(warnings("[policy]\nprofile = \"pci-dss-4\""), [""; 0]);
    let text = "[policy]\nallowed_paths = [{ access = \"in_vpc\" }]\n[[policy.override]]\n\
                match = { source = \"10.0.0.0/8\" }\nminimum_version = \"1.3\"\n[[policy.exception]]\n\
                rule = [\"early_data\"]\nowner = \"a\"\nreason = \"b\"\nexpires = \"2030-01-01\"";
    assert!(warnings(text)[0].ends_with("which is allowed_paths, its exceptions, its overrides."));
    let text = "[policy]\nminimum_version = \"1.0\"\nseverity = { early_data = \"off\" }\n\
                [[policy.override]]\nprofile = \"aws-dynamodb-2019\"\nmatch = { source = \"10.0.0.0/8\" }";
    let told = warnings(text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with("which is minimum_version, severity, the profiles of its overrides."),
        "{told:?}"
    );
    assert_eq!(parsed(text).warnings, [""; 0]);
}
