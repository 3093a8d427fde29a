//! Alerting and recording rules, their runbooks, and what promtool says of them.

use std::collections::BTreeSet;
use std::fs;

use ddbwatch::policy::Rule as PolicyRule;
use ipnet::IpNet;

use super::{must, root, text_of};
use crate::support;

const RULES: &str = "dashboards/rules/ddbwatch.rules.yaml";

/// What the commands of a runbook may begin with: what a server has, or what its page says to install.
const SECTIONS: [&str; 5] =
    ["## What it means", "## First three commands", "## Decide", "## Escalate", "## Silence, with a reason"];

/// One rule as written.
pub struct Rule {
    pub name: String,
    pub is_alert: bool,
    pub expression: String,
    text: String,
}

/// The rules of the file: as much of YAML as it uses, which promtool checks.
pub fn rules() -> Vec<Rule> {
    let text = text_of(RULES);
    let mut found = Vec::new();
    for part in text.split("\n      - ").skip(1) {
        let part = part.split("\n  - name:").next().unwrap();
        let (kind, rest) = part.split_once(": ").unwrap();
        let (name, rest) = rest.split_once('\n').unwrap();
        let after = rest.split_once("expr:").unwrap().1;
        let expression = match after.strip_prefix(" |\n") {
            Some(block) => block
                .lines()
                .take_while(|line| line.starts_with("          ") || line.trim().is_empty())
                .collect::<Vec<_>>()
                .join("\n"),
            None => after.lines().next().unwrap().to_owned(),
        };
        found.push(Rule {
            name: name.to_owned(),
            is_alert: kind == "alert",
            expression,
            text: part.to_owned(),
        });
    }
    assert!(found.len() > 15, "the rules are found");
    found
}

/// One value of a rule, without quotes.
fn value<'a>(rule: &'a Rule, key: &str) -> &'a str {
    let line = rule.text.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
    line.unwrap_or_else(|| panic!("{} has no {key}", rule.name)).trim_matches('"')
}

fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| rule.is_alert).collect()
}

#[test]
fn alerts_say_what_a_person_needs() {
    for alert in alerts() {
        assert!(alert.name.starts_with("Ddbwatch"), "{}", alert.name);
        assert!(["warning", "critical"].contains(&value(&alert, "severity")), "{}", alert.name);
        assert!(value(&alert, "summary").len() > 20, "{}", alert.name);
        let description = value(&alert, "description");
        assert!(description.len() > 50 && description.ends_with('.'), "{}: {description}", alert.name);
        let url = value(&alert, "runbook_url");
        let page = url.rsplit('/').next().unwrap();
        let text = text_of(&format!("dashboards/runbooks/{page}"));
        assert!(text.starts_with(&format!("# {}\n", alert.name)), "{page} is of another alert");
        assert!(text.contains(&format!("Severity **{}**", value(&alert, "severity"))), "{page}");
        let readme = text_of("dashboards/README.md");
        let row = format!("[{}](runbooks/{page}) | {} |", alert.name, value(&alert, "severity"));
        assert!(readme.contains(&row), "dashboards/README.md has no row {row}");
    }
}

#[test]
fn runbooks_can_be_followed_at_night() {
    let alerts = alerts();
    let mut pages = 0;
    for entry in fs::read_dir(root().join("dashboards/runbooks")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = text_of(&format!("dashboards/runbooks/{name}"));
        pages += 1;
        let alert = text.lines().next().unwrap().trim_start_matches("# ");
        assert!(alerts.iter().any(|one| one.name == alert), "{name}: there is no alert {alert}");
        let mut rest = text.as_str();
        for section in SECTIONS {
            rest = rest.split_once(section).unwrap_or_else(|| panic!("{name}: {section}")).1;
        }
        let commands = text.split_once(SECTIONS[1]).unwrap().1.split("```").nth(1).unwrap();
        assert_eq!(
            commands.lines().filter(|line| line.starts_with("# ")).count(),
            3,
            "{name}: three commands, each explained"
        );
        let decide = text.split_once(SECTIONS[2]).unwrap().1.split_once(SECTIONS[3]).unwrap().0;
        assert!(decide.contains("\n1. ") && decide.contains("\n3. "), "{name}: a decision in steps");
        assert!(
            text.contains("amtool silence add")
                && text.contains("--comment=")
                && text.contains(&format!("alertname={alert}")),
            "{name}"
        );
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(root().join("dashboards/runbooks").join(link).is_file(), "{name}: {link} is not there");
        }
        for rule in
            text.split("ddbwatch explain ").skip(1).map(|rest| rest.split_whitespace().next().unwrap())
        {
            assert!(
                rule == "RULE" || PolicyRule::ALL.iter().any(|known| known.to_string() == rule),
                "{name}: {rule} is no rule"
            );
        }
        let rules: BTreeSet<String> = PolicyRule::ALL.iter().map(ToString::to_string).collect();
        for rest in text.split("ddbwatch check").skip(1) {
            assert!(
                rest.starts_with(" --config /etc/ddbwatch/ddbwatch.toml"),
                "{name}: checks no configuration"
            );
        }
        for rule in text.split(".rule == \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(rule == "RULE" || rules.contains(rule), "{name}: {rule} is no rule");
        }
    }
    assert_eq!(pages, alerts.len(), "a page for each alert");
}

/// A filter that leaves addresses out says that nothing is there.
#[test]
fn the_filter_for_tcpdump_takes_every_address_of_the_list() {
    let text = text_of("dashboards/runbooks/traffic-gone.md");
    let nets: Vec<IpNet> = text
        .split("net ")
        .skip(1)
        .filter_map(|rest| rest.split([' ', '\n', ')']).next()?.parse().ok())
        .collect();
    assert!(nets.len() > 5, "{nets:?}");
    let list = text_of("src/classify/dynamodb_prefixes.tsv");
    let prefixes = list.lines().filter_map(|line| line.split('\t').next()?.parse::<IpNet>().ok());
    let missed: Vec<IpNet> = prefixes.filter(|one| !nets.iter().any(|net| net.contains(one))).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_operators_object_holds_the_same_rules() {
    let rules = text_of(RULES);
    let groups = &rules[rules.find("groups:").unwrap()..];
    let object = text_of("dashboards/rules/prometheusrule.yaml");
    let spec = object.split_once("\nspec:\n").unwrap().1;
    let same: Vec<&str> = spec.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    assert_eq!(same.join("\n"), groups.trim_end());
}

#[test]
fn the_operator_accepts_its_object() {
    let modules = root().join("target/node/node_modules");
    if !support::is_there("node") {
        return;
    }
    if !modules.exists() {
        return support::skip("packaging/setup.sh test was not run");
    }
    let checked =
        ["tests/dashboards/operator.mjs", "target/node/node_modules", "dashboards/rules/prometheusrule.yaml"];
    println!("{}", must("node", &checked).text());
}

#[test]
fn promtool_accepts_rules_and_example() {
    if support::is_there("promtool") {
        must("promtool", &["check", "rules", RULES]);
        must("promtool", &["check", "config", "dashboards/prometheus.example.yaml"]);
    }
}

#[test]
fn every_alert_has_a_test_that_fires_it() {
    let tests =
        text_of("tests/dashboards/rules.test.yaml") + &text_of("tests/dashboards/rules-over-days.test.yaml");
    for alert in alerts() {
        let fired = format!("ALERTS{{alertname=\"{}\", alertstate=\"firing\"", alert.name);
        assert!(tests.contains(&fired), "{} is never fired", alert.name);
    }
}

#[test]
fn alerts_fire_when_they_should_and_not_else() {
    if support::is_there("promtool") {
        must("promtool", &["test", "rules", "tests/dashboards/rules.test.yaml"]);
    }
}

#[test]
fn alerts_that_compare_days_fire_when_they_should_and_not_else() {
    if support::is_there("promtool") {
        must("promtool", &["test", "rules", "tests/dashboards/rules-over-days.test.yaml"]);
    }
}
