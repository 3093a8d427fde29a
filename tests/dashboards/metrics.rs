//! Dashboards and rules against the program's own list of metrics.

use std::collections::BTreeSet;

use ddbwatch::policy::Rule;
use ddbwatch::telemetry::metrics::{self, Kind, Metric, Values};

use super::promql::{self, Expression};
use super::{board, rules};

/// Metrics that stand on no dashboard, and why.
const LEFT_OUT: &[(&str, &str)] = &[];

/// What does not come from the list: the process, and Prometheus itself.
const OTHERS: [&str; 6] = [
    "up",
    "ALERTS",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
];

/// Labels that Prometheus adds, and those that queries make.
const ADDED: [&str; 5] = ["job", "instance", "le", "advice", "meaning"];

fn metric(name: &str) -> Option<&'static Metric> {
    metrics::ALL.iter().find(|metric| {
        let is_histogram = metric.kind == Kind::Histogram
            && ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{}{end}", metric.name));
        metric.name == name || is_histogram
    })
}

fn words(values: Values) -> Option<Vec<&'static str>> {
    match values {
        Values::Words(sets) => Some(sets.iter().copied().flatten().copied().collect()),
        Values::Described(_) => None,
    }
}

/// Every name, label and closed value in an expression is one of the program's.
fn check(place: &str, expression: &Expression) {
    let mut labels: BTreeSet<&str> = ADDED.into();
    for selector in &expression.selectors {
        if OTHERS.contains(&selector.metric.as_str()) {
            continue;
        }
        let metric =
            metric(&selector.metric).unwrap_or_else(|| panic!("{place}: {} is no metric", selector.metric));
        labels.extend(metric.labels.iter().map(|label| label.name));
        for (name, _, value) in &selector.matchers {
            if ["job", "instance"].contains(&name.as_str()) {
                continue;
            }
            let label = metric
                .labels
                .iter()
                .find(|label| label.name == name)
                .unwrap_or_else(|| panic!("{place}: {} has no label {name}", metric.name));
            let rules: Vec<String> = Rule::ALL.iter().map(ToString::to_string).collect();
            for word in value.split('|').filter(|word| !word.starts_with('$')) {
                if let Some(known) = words(label.values) {
                    assert!(known.contains(&word), "{place}: {name} is never {word}");
                }
                assert!(
                    name != "rule" || rules.iter().any(|rule| rule == word),
                    "{place}: {word} is no rule"
                );
            }
        }
    }
    for label in &expression.labels {
        assert!(labels.contains(label.as_str()), "{place}: nothing there has the label {label}");
    }
}

#[test]
fn names_and_labels_are_the_programs() {
    for (uid, board) in board::boards() {
        for (title, query) in board::queries(&board) {
            check(&format!("{uid}: {title}"), &promql::read(&query));
        }
        for annotation in board::list(&board["annotations"], "list") {
            if let Some(query) = annotation["expr"].as_str() {
                check(&format!("{uid}: {}", annotation["name"]), &promql::read(query));
            }
        }
        for variable in board::list(&board["templating"], "list") {
            if let Some(query) = variable["definition"].as_str() {
                let (selector, label) = query
                    .trim_start_matches("label_values(")
                    .trim_end_matches(')')
                    .rsplit_once(", ")
                    .unwrap();
                let mut expression = promql::read(selector);
                expression.labels.push(label.to_owned());
                check(&format!("{uid}: {}", variable["name"]), &expression);
            }
        }
    }
    for rule in rules::rules() {
        check(&rule.name, &promql::read(&rule.expression));
    }
}

#[test]
fn every_metric_is_on_a_dashboard() {
    let mut used = BTreeSet::new();
    for board in board::boards().values() {
        for (_, query) in board::queries(board) {
            used.extend(promql::read(&query).selectors.into_iter().map(|selector| selector.metric));
        }
    }
    let used: BTreeSet<&str> =
        used.iter().filter_map(|name| metric(name)).map(|metric| metric.name).collect();
    for metric in metrics::ALL {
        let reason = LEFT_OUT.iter().find(|(name, _)| *name == metric.name);
        assert!(used.contains(metric.name) != reason.is_some(), "{}: {reason:?}", metric.name);
    }
    assert!(LEFT_OUT.iter().all(|(name, _)| metric(name).is_some()));
}
