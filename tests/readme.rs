//! The README tells what the program does: its tables are made from the program's own lists, its
//! configuration example is read, its picture is what `make demo` shows.
//!
//! `UPDATE_EXPECTED=1 cargo test readme` writes them anew.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ddbwatch::config::{self, CommandLine};
use ddbwatch::model::Severity;
use ddbwatch::policy::{Rule, profile};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// Compares the part of the README between two marks with what it should be.
fn check(mark: &str, expected: &str) {
    let readme = fs::read_to_string(path()).unwrap();
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let from = readme.find(&begin).unwrap_or_else(|| panic!("README.md has no mark {begin}")) + begin.len();
    let to = from + readme[from..].find(&end).unwrap_or_else(|| panic!("README.md has no mark {end}"));
    let found = &readme[from..to];
    let expected = format!("{}\n", expected.trim_end());
    if found.trim_end() == expected.trim_end() {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_EXPECTED").is_some(),
        "README.md, between the marks `{mark}`, says\n{found}\nand should say\n{expected}"
    );
    fs::write(path(), format!("{}{expected}{}", &readme[..from], &readme[to..])).unwrap();
}

fn run(arguments: &[&str]) -> String {
    run_on(("100", "40"), arguments)
}

fn run_on((columns, lines): (&str, &str), arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ddbwatch"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("COLUMNS", columns)
        .env("LINES", lines)
        .env("LC_ALL", "C.UTF-8")
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// One test, because all parts are in one file.
#[test]
fn readme_tells_what_the_program_does() {
    let mut rules = String::from("| rule | default | raised when |\n|---|---|---|\n");
    for rule in Rule::ALL {
        let severity = rule.default_severity().map_or("off", Severity::as_str);
        rules.push_str(&format!("| `{rule}` | {severity} | {} |\n", rule.text().what));
    }
    check("rules", &rules);

    let mut profiles = String::from("| profile | asks for |\n|---|---|\n");
    for profile in profile::all() {
        profiles.push_str(&format!("| `{}` | {} |\n", profile.name, profile.title));
    }
    check("profiles", &profiles);
    check("keys", &ddbwatch::export::schema::markdown());
    check("metrics", &ddbwatch::telemetry::metrics::markdown());

    let example =
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/config/example.toml"))
            .unwrap();
    config::parse(&example, &CommandLine::default()).unwrap();
    check("configuration", &example);

    let table = run(&["analyze", "--config", "captures/demo.toml", "captures"]);
    let top: Vec<&str> = table.lines().take(40).collect();
    check(
        "picture",
        &format!("$ ddbwatch analyze --config captures/demo.toml captures\n{}\n…", top.join("\n")),
    );
    check("top", &run_on(("80", "24"), &["top", "--once", "--config", "captures/demo.toml", "captures"]));
}

#[test]
fn readme_names_every_command() {
    let readme = fs::read_to_string(path()).unwrap();
    let help = run(&["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| {
            line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split_whitespace().next()
        })
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        assert!(
            readme.contains(&format!("ddbwatch {command}")),
            "README.md does not name `ddbwatch {command}`"
        );
    }
}

#[test]
fn readme_shows_the_exit_codes_of_the_help() {
    let readme = fs::read_to_string(path()).unwrap();
    let help = run(&["--help"]);
    for code in [0, 1, 2, 3, 4, 130] {
        let meaning = help
            .lines()
            .find_map(|line| line.strip_prefix(&format!("  {code}  ")))
            .unwrap_or_else(|| panic!("help has no exit code {code}"));
        assert!(
            readme.contains(&format!("| {code} | {meaning}")),
            "README.md: exit code {code} is {meaning}"
        );
    }
}
