//! `[policy]`, its overrides and exceptions, and `[profile.*]`.
//!
//! What holds for a flow, later over earlier: the profile (through all it extends), `[policy]`, then the
//! first override that matches. An override that names a profile starts from that one, and keeps the
//! severities and the allowed paths of `[policy]`, so that it cannot loosen them by silence.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::error::hint;
use super::file::{condition, network, region, words};
use super::place::{Problems, Section, Value, shortened};
use super::resolved::{CommandLine, Resolved};
use crate::classify::PathRule;
use crate::model::registry::{CipherSuite, NamedGroup, TlsVersion};
use crate::model::{Access, EndpointKind, Entry, Service, Severity};
use crate::policy::{AllowedPath, Exception, Expiry, Match, Override, Profile, Rule, Settings, profile};

/// The settings that are written at one place, over others.
#[derive(Default)]
struct Draft {
    minimum_version: Option<TlsVersion>,
    recommended_version: Option<TlsVersion>,
    allowed_ciphers: Option<Vec<CipherSuite>>,
    allowed_groups: Option<Vec<NamedGroup>>,
    allowed_paths: Option<Vec<AllowedPath>>,
    severity: Vec<(Rule, Option<Severity>)>,
}

/// Reads `[profile.*]` and `[policy]`.
pub(super) fn read(
    root: &Section<'_>,
    problems: &Problems<'_>,
    command_line: &CommandLine,
    resolved: &mut Resolved,
) {
    let profiles =
        root.section("profile", "[profile]").map(|section| own_profiles(&section)).unwrap_or_default();
    let find = |name: &str| profiles.get(name).cloned().or_else(|| profile::find(name));
    let known = || names_with_built_in(profiles.keys());
    let policy = root.section("policy", "[policy]");
    let named = |section: &Section<'_>| {
        let value = section.get("profile")?;
        let name = value.text()?;
        let found = find(name);
        if found.is_none() {
            value.problem(
                format_args!("names the unknown profile `{}`", shortened(name)),
                hint(name, known()),
            );
        }
        found
    };
    let written = policy.as_ref().and_then(named);
    let chosen = match &command_line.profile {
        None => written,
        Some(name) => {
            let found = find(name);
            if found.is_none() {
                problems.add(
                    None,
                    format!("--profile names the unknown profile `{}`", shortened(name)),
                    hint(name, known()),
                );
            }
            found
        }
    };
    let mut settings = chosen.map_or_else(profile::default_settings, |profile| profile.settings);
    if let Some(section) = policy {
        let base = Draft::read(&section);
        let mut kept = base.keys();
        base.apply(&mut settings);
        for section in section.sections("override", "[[policy.override]]") {
            let mut own = match named(&section) {
                Some(profile) => {
                    kept.insert("the profiles of its overrides");
                    let mut own = profile.settings;
                    base.apply_house_rules(&mut own);
                    own
                }
                None => {
                    kept.insert("its overrides");
                    settings.clone()
                }
            };
            Draft::read(&section).apply(&mut own);
            let matching = matching(&section, &resolved.path.rules);
            resolved.policy.overrides.push(Override { matching, settings: own });
            section.finish();
        }
        for section in section.sections("exception", "[[policy.exception]]") {
            kept.insert("its exceptions");
            let exception = exception(&section, &resolved.path.rules);
            resolved.policy.exceptions.extend(exception);
            section.finish();
        }
        section.finish();
        if let Some(name) = command_line.profile.as_deref().filter(|_| !kept.is_empty()) {
            let kept: Vec<&str> = kept.into_iter().collect();
            resolved.warnings.push(format!(
                "--profile {} stands in for `profile` of [policy] alone: what else it says goes on to hold, which is {}.",
                shortened(name),
                kept.join(", ")
            ));
        }
    }
    resolved.policy.settings = settings;
    resolved.profiles = profiles.into_values().collect();
}

/// The profiles of `[profile.*]`, each with all it extends.
fn own_profiles(section: &Section<'_>) -> BTreeMap<String, Profile> {
    struct Written<'a> {
        extends: Option<Value<'a>>,
        draft: Draft,
    }
    let mut written = BTreeMap::new();
    for (name, value) in section.entries() {
        if profile::find(&name).is_some() {
            value.problem(
                "is the name of a built-in profile",
                Some("give it another name and say `extends`".to_owned()),
            );
            continue;
        }
        let Some(own) = value.section(format!("[profile.{}]", shortened(&name))) else { continue };
        let extends = own.get("extends");
        let draft = Draft::read(&own);
        own.finish();
        written.insert(name, Written { extends, draft });
    }
    let mut resolved = BTreeMap::new();
    let mut known: HashMap<&str, Base> = HashMap::new();
    for name in written.keys() {
        // From the profile down to one that is known, then up again: each is looked at once.
        let mut chain: Vec<&str> = Vec::new();
        let mut met: HashSet<&str> = HashSet::new();
        let mut at: &str = name;
        let mut base = loop {
            if let Some(known) = known.get(at) {
                break known.clone();
            }
            if !met.insert(at) {
                break Base::Loop;
            }
            let Some(own) = written.get(at) else { break Base::built_in(at) };
            chain.push(at);
            let Some(value) = &own.extends else { break Base::built_in(profile::DEFAULT) };
            let Some(base) = value.text() else { break Base::Unknown };
            if !written.contains_key(base) && profile::find(base).is_none() {
                value.problem(
                    format_args!("names the unknown profile `{}`", shortened(base)),
                    hint(base, names_with_built_in(written.keys())),
                );
                break Base::Unknown;
            }
            at = base;
        };
        for link in chain.into_iter().rev() {
            let Some(own) = written.get(link) else { continue };
            match &mut base {
                Base::Unknown => {}
                Base::Loop => {
                    if let Some(value) = &own.extends {
                        value.problem("leads back to the profile itself", None);
                    }
                }
                Base::Known { ground, settings } => {
                    own.draft.apply(settings);
                    settings.profile = Arc::from(link);
                    let extends = own.extends.as_ref().and_then(Value::text).unwrap_or(profile::DEFAULT);
                    resolved.insert(
                        link.to_owned(),
                        Profile {
                            name: link.to_owned(),
                            title: format!("own profile, from {extends}"),
                            extends: Some(extends.to_owned()),
                            changes: settings.changes_from(&ground.settings),
                            notes: ground.notes_under(settings),
                            settings: settings.clone(),
                            sources: ground.sources.clone(),
                        },
                    );
                }
            }
            known.insert(link, base.clone());
        }
    }
    resolved
}

/// What a profile rests on.
#[derive(Clone)]
enum Base {
    /// On a built-in one, and the settings so far.
    Known { ground: Arc<Profile>, settings: Settings },
    /// On itself, or one that does.
    Loop,
    /// On nothing that is known.
    Unknown,
}

impl Base {
    fn built_in(name: &str) -> Self {
        let Some(ground) = profile::find(name) else { return Self::Unknown };
        Self::Known { settings: ground.settings.clone(), ground: Arc::new(ground) }
    }
}

/// One's own profiles first.
fn names_with_built_in<'a>(own: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut names: Vec<&str> = own.map(String::as_str).collect();
    for name in profile::names() {
        names.push(name);
    }
    names
}

impl Draft {
    fn read(section: &Section<'_>) -> Self {
        let draft = Self {
            minimum_version: section.get("minimum_version").and_then(|value| version(&value)),
            recommended_version: section.get("recommended_version").and_then(|value| version(&value)),
            allowed_ciphers: section
                .get("allowed_ciphers")
                .map(|value| value.one_or_more().iter().filter_map(suite).collect()),
            allowed_groups: section
                .get("allowed_groups")
                .map(|value| value.one_or_more().iter().filter_map(group).collect()),
            allowed_paths: section
                .get("allowed_paths")
                .map(|value| value.one_or_more().iter().filter_map(allowed_path).collect()),
            severity: section.get("severity").map(|value| severities(&value)).unwrap_or_default(),
        };
        if let (Some(minimum), Some(recommended)) = (draft.minimum_version, draft.recommended_version)
            && recommended.rank() < minimum.rank()
        {
            section.problem("recommends a version below its minimum", None);
        }
        draft
    }

    /// What it says.
    fn keys(&self) -> BTreeSet<&'static str> {
        [
            ("minimum_version", self.minimum_version.is_some()),
            ("recommended_version", self.recommended_version.is_some()),
            ("allowed_ciphers", self.allowed_ciphers.is_some()),
            ("allowed_groups", self.allowed_groups.is_some()),
            ("allowed_paths", self.allowed_paths.is_some()),
            ("severity", !self.severity.is_empty()),
        ]
        .into_iter()
        .filter_map(|(key, is_said)| is_said.then_some(key))
        .collect()
    }

    fn apply(&self, settings: &mut Settings) {
        if let Some(version) = self.minimum_version {
            settings.minimum_version = version;
        }
        if let Some(version) = self.recommended_version {
            settings.recommended_version = version;
        }
        // A list that nobody checks would be a trap: giving one switches its rule on.
        let switch_on = |rule, is_given: bool, settings: &mut Settings| {
            if is_given && settings.severities.of(rule).is_none() {
                settings.severities.set(rule, Some(Severity::Critical));
            }
        };
        if let Some(suites) = &self.allowed_ciphers {
            settings.allowed_ciphers.clone_from(suites);
            switch_on(Rule::CipherNotAllowed, !suites.is_empty(), settings);
        }
        if let Some(groups) = &self.allowed_groups {
            settings.allowed_groups.clone_from(groups);
            switch_on(Rule::GroupNotAllowed, !groups.is_empty(), settings);
        }
        self.apply_house_rules(settings);
    }

    /// What belongs to the house rather than to the standard of a profile.
    fn apply_house_rules(&self, settings: &mut Settings) {
        if let Some(paths) = &self.allowed_paths {
            settings.allowed_paths.clone_from(paths);
        }
        for &(rule, severity) in &self.severity {
            settings.severities.set(rule, severity);
        }
    }
}

fn version(value: &Value<'_>) -> Option<TlsVersion> {
    value.parsed(|text| {
        TlsVersion::from_name(text).ok_or_else(|| {
            let what = format!("says `{}`, which is no version", shortened(text));
            (what, "known are 2, 3, 1.0, 1.1, 1.2, 1.3".to_owned())
        })
    })
}

fn suite(value: &Value<'_>) -> Option<CipherSuite> {
    let name = value.text()?;
    let found = CipherSuite::from_name(name);
    if found.is_none() {
        let known: Vec<&str> = CipherSuite::all().filter_map(CipherSuite::name).collect();
        value
            .problem(format_args!("names the unknown cipher suite `{}`", shortened(name)), hint(name, known));
    }
    found
}

fn group(value: &Value<'_>) -> Option<NamedGroup> {
    let name = value.text()?;
    let found = NamedGroup::from_name(name);
    if found.is_none() {
        let known: Vec<&str> = NamedGroup::all().filter_map(NamedGroup::name).collect();
        value.problem(format_args!("names the unknown group `{}`", shortened(name)), hint(name, known));
    }
    found
}

fn allowed_path(value: &Value<'_>) -> Option<AllowedPath> {
    let section = value.section(format!("an entry of {}", value.name))?;
    let (access, entry) = (section.get("access"), section.get("entry"));
    if access.is_none() && entry.is_none() {
        section.problem("says neither `access` nor `entry`", None);
    }
    for value in [&access, &entry].into_iter().flatten() {
        if value.text() == Some("unknown") {
            let hint = "a way that is not known is never in the list: its flows are not assessed".to_owned();
            value.problem("cannot be `unknown`", Some(hint));
        }
    }
    let access = access.map(|value| value.word("access", &words!(Access)));
    let entry = entry.map(|value| value.word("entry", &words!(Entry)));
    section.finish();
    // A word that was not understood must not turn into "anything".
    (access != Some(None) && entry != Some(None) && (access.is_some() || entry.is_some()))
        .then(|| AllowedPath { access: access.flatten(), entry: entry.flatten() })
}

fn severities(value: &Value<'_>) -> Vec<(Rule, Option<Severity>)> {
    let Some(section) = value.section(value.name.clone()) else { return Vec::new() };
    let mut levels: Vec<(&'static str, Option<Severity>)> =
        Severity::ALL.iter().map(|severity| (severity.as_str(), Some(*severity))).collect();
    levels.push(("off", None));
    let mut severities = Vec::new();
    for (name, value) in section.entries() {
        let Some(rule) = Rule::parse(&name) else {
            value.problem("is no rule", hint(&name, Rule::ALL.iter().map(|rule| rule.as_str())));
            continue;
        };
        let Some(severity) = value.word("severity", &levels) else { continue };
        if rule == Rule::SigningNotAssessable && severity.is_some_and(Severity::counts) {
            value.problem("cannot be more than info: what cannot be seen is held against nobody", None);
            continue;
        }
        severities.push((rule, severity));
    }
    severities
}

/// The name of a `[[path]]` rule. One that is none would never match, and what depends on it never hold.
fn path_name(value: &Value<'_>, paths: &[PathRule]) -> Option<String> {
    let name = value.name()?;
    if paths.iter().all(|rule| rule.name != name) {
        value.problem(
            format_args!("names `{}`, which is no [[path]]", shortened(&name)),
            hint(&name, paths.iter().map(|rule| rule.name.as_str())),
        );
    }
    Some(name)
}

fn matching(section: &Section<'_>, paths: &[PathRule]) -> Match {
    let Some(section) =
        section.get("match").and_then(|value| value.section(format!("match of {}", section.name)))
    else {
        return Match::default();
    };
    let matching = Match {
        source: condition(&section, "source", network),
        destination: condition(&section, "destination", network),
        service: condition(&section, "service", |value| value.word("service", &words!(Service))),
        region: condition(&section, "region", region),
        endpoint: condition(&section, "endpoint", |value| {
            value.word("kind of endpoint", &words!(EndpointKind))
        }),
        access: condition(&section, "access", |value| value.word("access", &words!(Access))),
        entry: condition(&section, "entry", |value| value.word("entry", &words!(Entry))),
        path: condition(&section, "path", |value| path_name(value, paths)),
    };
    section.finish();
    matching
}

fn exception(section: &Section<'_>, paths: &[PathRule]) -> Option<Exception> {
    let needed = |key: &'static str| {
        let value = section.get(key);
        if value.is_none() {
            section.problem(
                format_args!("has no `{key}`"),
                Some("an exception needs rule, owner, reason and expires".to_owned()),
            );
        }
        value
    };
    needed("rule");
    let rules = condition(section, "rule", |value| value.word("rule", &words!(Rule)));
    let matching = matching(section, paths);
    let owner = needed("owner").and_then(|value| value.name());
    let reason = needed("reason").and_then(|value| value.name());
    let expires = needed("expires").and_then(|value| {
        let text = value.date_text()?;
        let expiry = Expiry::parse(&text);
        if expiry.is_none() {
            value.problem(
                format_args!("says `{}`, which is no day such as 2027-03-31", shortened(&text)),
                None,
            );
        }
        expiry
    });
    Some(Exception { rules, matching, owner: owner?, reason: reason?, expires: expires? })
}

#[cfg(test)]
mod tests;
