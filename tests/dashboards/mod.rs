//! Dashboards, rules and runbooks: each says what the program has, in the form Grafana and Prometheus want,
//! and works with the real servers.

mod board;
mod metrics;
mod promql;
mod rules;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a command in the top folder; it must end well.
fn must(program: &str, arguments: &[&str]) -> support::Ran {
    let ran = support::finish(Command::new(program).current_dir(root()).args(arguments));
    assert_eq!(ran.code, Some(0), "{program} {arguments:?}:\n{}\n{}", ran.text(), ran.stderr);
    ran
}

#[test]
fn what_is_generated_is_current() {
    if support::is_there("python3") {
        must("python3", &["dashboards/generate.py", "--check"]);
    }
}

/// Asked of a Prometheus that holds a day of what the program prints, moved forward over time.
#[test]
fn every_query_has_an_answer() {
    if !["python3", "promtool", "prometheus"].iter().all(|program| support::is_there(program)) {
        return;
    }
    let printed = support::run(&["analyze", "--format", "prometheus", "--config", "demo.toml", "."]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    fs::write(&path, &printed.stdout).unwrap();
    must("python3", &["tests/dashboards/queries.py", path.to_str().unwrap()]);
}

#[test]
fn every_alert_is_delivered() {
    let programs = ["python3", "promtool", "prometheus", "prometheus-alertmanager"];
    if programs.iter().all(|program| support::is_there(program)) {
        must("python3", &["tests/dashboards/alerts.py"]);
    }
}

/// Asked of a Prometheus that scraped the daemon while it played the captures.
#[test]
fn every_query_has_an_answer_from_the_daemon() {
    if !["python3", "prometheus"].iter().all(|program| support::is_there(program)) {
        return;
    }
    if support::run(&["watch", "--help"]).code != Some(0) {
        println!("skipped: this program has no daemon");
        return;
    }
    must("python3", &["tests/dashboards/daemon.py", env!("CARGO_BIN_EXE_ddbwatch")]);
}
