//! Every shipped capture against its expected records and counters, and nothing else moved.
//!
//! `UPDATE_EXPECTED=1 cargo test golden` writes what is found as what is expected; read the difference
//! before it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Names of the shipped captures, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(captures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".pcap"))
        .collect();
    names.sort();
    assert!(names.len() > 50, "the captures are where they should be");
    names
}

/// Standard output of `analyze` for a shipped capture.
pub fn analyze(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ddbwatch"))
        .current_dir(captures())
        .args(["analyze", "--jobs", "1"])
        .args(arguments)
        .arg(name)
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 4)),
        "{name}: {:?}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The metrics that do not change with the version of the program.
fn counters(name: &str) -> String {
    let text = analyze(name, &["--all-services", "--format", "prometheus"]);
    text.lines()
        // Known series at zero say nothing of this capture.
        .filter(|line| !line.starts_with('#') && !line.contains("build_info") && !line.ends_with(" 0"))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn check(path: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return;
    }
    let (mut expected_lines, mut found_lines) = (expected.lines(), found.lines());
    loop {
        match (expected_lines.next(), found_lines.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => {
                wrong.push(format!("{}:\n  expected {expected:?}\n  found    {found:?}", path.display()));
                break;
            }
        }
    }
}

#[test]
fn shipped_captures_give_their_expected_records_and_counters() {
    let mut wrong = Vec::new();
    for name in names() {
        let records = analyze(&name, &["--all-services", "--format", "jsonl"]);
        check(&captures().join("expected").join(format!("{name}.jsonl")), &records, &mut wrong);
        check(&captures().join("expected").join(format!("{name}.prom")), &counters(&name), &mut wrong);
    }
    assert!(wrong.is_empty(), "{} files differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_expectation_belongs_to_a_capture() {
    let names = names();
    for entry in fs::read_dir(captures().join("expected")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let capture = file.strip_suffix(".jsonl").or_else(|| file.strip_suffix(".prom")).unwrap_or(&file);
        assert!(names.iter().any(|name| name == capture), "captures/expected/{file} has no capture");
    }
}

#[test]
fn readme_describes_every_capture() {
    let readme = fs::read_to_string(captures().join("README.md")).unwrap();
    for name in names() {
        assert!(readme.contains(&format!("`{name}`")), "captures/README.md does not describe {name}");
    }
}

#[test]
fn captures_stay_small() {
    let total: u64 = names().iter().map(|name| fs::metadata(captures().join(name)).unwrap().len()).sum();
    assert!(total <= 5 << 20, "the captures hold {total} bytes, more than 5 MiB");
}

#[test]
fn same_capture_gives_the_same_bytes() {
    let names = names();
    let run = |jobs: &str, format: &str| {
        Command::new(env!("CARGO_BIN_EXE_ddbwatch"))
            .current_dir(captures())
            .args(["analyze", "--format", format, "--jobs", jobs])
            .args(&names)
            .output()
            .unwrap()
            .stdout
    };
    for format in ["jsonl", "csv", "html", "prometheus", "table"] {
        let once = run("1", format);
        assert!(!once.is_empty());
        assert_eq!(once, run("2", format), "{format}");
    }
}
