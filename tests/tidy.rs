//! Rules of the house: who may use whom, where unsafe code may stand, what each room says of itself,
//! and that the documents tell what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which stages a stage may use. What is absent is forbidden; `model` may be used by all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("capture", &[]),
    ("decode", &[]),
    ("tls", &[]),
    ("app", &[]),
    ("policy", &[]),
    ("telemetry", &[]),
    ("flow", &["decode"]),
    ("classify", &["tls", "app"]),
    // The evidence report says what the policy asks for, and what a stricter one would.
    ("export", &["telemetry", "policy"]),
    ("host", &["capture"]),
    ("config", &["capture", "decode", "flow", "tls", "app", "classify", "policy", "export"]),
    ("view", &["export", "telemetry"]),
    // Who a client probably is, is known to policy.
    ("serve", &["export", "telemetry", "policy"]),
    (
        "pipeline",
        &["capture", "decode", "flow", "tls", "app", "classify", "policy", "export", "config", "telemetry"],
    ),
    // It shows captures as a daemon would, and says of a rule what policy says.
    ("top", &["export", "telemetry", "policy", "config", "view", "serve"]),
    // Completing an explanation or opening inputs needs the stage itself; nothing else of it.
    (
        "cli",
        &[
            "pipeline",
            "config",
            "export",
            "serve",
            "top",
            "view",
            "telemetry",
            "capture",
            "classify",
            "policy",
            "host",
        ],
    ),
];

/// The only folder where unsafe code may stand.
const UNSAFE_ROOM: &str = "src/capture/sys/";

/// No file is longer than this: a longer one is more than one idea.
const MAX_LINES: usize = 700;

/// Unit tests in a file of their own: a list of duties, which is read by its names.
const MAX_TEST_LINES: usize = 900;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let found = files_of("src");
    assert!(found.len() > 40, "the sources are where they should be");
    found
}

fn files_of(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join(folder), &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The text without comment lines and without what follows `#[cfg(test)]`.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Tests of their own file or folder.
fn is_of_tests(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn is_generated(text: &str) -> bool {
    text.lines().take(5).any(|line| line.contains("enerated by"))
}

#[test]
fn stages_use_only_what_is_before_them() {
    let may_use: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(stage, used)| (*stage, used.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        let Some(stage) =
            name.strip_prefix("src/").and_then(|rest| rest.split_once('/')).map(|(stage, _)| stage)
        else {
            continue;
        };
        if is_of_tests(&name) {
            continue;
        }
        let allowed = may_use.get(stage).unwrap_or_else(|| panic!("{name}: the stage {stage} is in no list"));
        let code = code_of(&text);
        let mut uses: BTreeSet<String> = code
            .split("crate::")
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
            .collect();
        // `use crate::{a, b::c}`
        for group in code.split("use crate::{").skip(1) {
            let mut depth = 0;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ if depth > 0 => {}
                    ',' | ':' => {
                        uses.insert(std::mem::take(&mut word).trim().to_owned());
                    }
                    _ => word.push(c),
                }
            }
            uses.insert(word.trim().to_owned());
        }
        for used in uses {
            if used != stage
                && used != "model"
                && may_use.contains_key(used.as_str())
                && !allowed.contains(used.as_str())
            {
                wrong.push(format!("{name}: {stage} may not use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_room() {
    for (name, text) in all_sources() {
        let has_unsafe =
            code_of(&text).split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        assert!(!has_unsafe || name.starts_with(UNSAFE_ROOM), "{name}: unsafe code outside {UNSAFE_ROOM}");
    }
}

#[test]
fn pure_stages_touch_no_file_and_no_clock() {
    for (name, text) in all_sources() {
        let is_pure = ["decode", "flow", "tls", "app", "classify", "policy", "model"]
            .iter()
            .any(|stage| name.starts_with(&format!("src/{stage}/")));
        if !is_pure {
            continue;
        }
        let code = code_of(&text);
        for forbidden in
            ["std::fs", "std::net::Tcp", "std::net::Udp", "Instant::now", "SystemTime::now", "std::env"]
        {
            assert!(!code.contains(forbidden), "{name} uses {forbidden}");
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (name, text) in all_sources() {
        if is_generated(&text) || name.ends_with("/tests.rs") {
            continue;
        }
        assert!(text.starts_with("//!"), "{name} does not begin with its module documentation");
        if name.ends_with("/mod.rs") {
            let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            assert!(header.len() > 120, "{name}: purpose, input, output and what it never does");
        }
    }
}

#[test]
fn every_file_is_one_idea() {
    for (name, text) in all_sources().into_iter().chain(files_of("tests")) {
        let lines = text.lines().count();
        let most = if name.ends_with("/tests.rs") { MAX_TEST_LINES } else { MAX_LINES };
        assert!(lines <= most || is_generated(&text), "{name} has {lines} lines, more than {most}");
    }
}

#[test]
fn exceptions_to_lints_give_a_reason() {
    for (name, text) in all_sources() {
        assert!(!text.contains("#[allow("), "{name}: #[expect(…, reason = …)] instead of #[allow]");
    }
}

#[test]
fn top_folder_holds_what_it_should() {
    let allowed: BTreeSet<&str> = [
        ".ci",
        ".git",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-JA4",
        "LICENSE-MIT",
        "Makefile",
        "README.md",
        "benches",
        "captures",
        "clippy.toml",
        "dashboards",
        "fuzz",
        "packaging",
        "rustfmt.toml",
        "src",
        "target",
        "tests",
    ]
    .into();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(allowed.contains(name.as_str()), "{name} stands in the top folder");
    }
}
