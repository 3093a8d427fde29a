//! The form of the dashboards: the rules of Grafana's dashboard-linter, and what Grafana takes for granted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Map, Value};

use super::{promql, root, text_of};

/// The lowest version of the dashboard format that has all that is used (Grafana 10.4).
const SCHEMA_VERSION: u64 = 39;

/// Panels that Grafana has without a plug-in, and that are used.
const KINDS: [&str; 4] = ["stat", "timeseries", "table", "bargauge"];

/// Units of Grafana that are used, by their id.
const UNITS: [&str; 9] = ["short", "percentunit", "s", "d", "bytes", "Bps", "pps", "cpm", "none"];

/// The colours that are used: the palette of Okabe and Ito, greys, and darker browns for the oldest versions.
const COLORS: [&str; 12] = [
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#8C8C8C",
    "#BFBFBF",
    "#7A3400",
    "#4A2000",
    "transparent",
];

/// The dashboards by uid.
pub fn boards() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("dashboards/grafana")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let board: Value = serde_json::from_str(&text_of(&format!("dashboards/grafana/{name}"))).unwrap();
        let uid = board["uid"].as_str().unwrap().to_owned();
        assert!(found.insert(uid, board).is_none(), "{name}: the uid is there twice");
    }
    found
}

pub fn list<'a>(value: &'a Value, what: &str) -> &'a Vec<Value> {
    value[what].as_array().unwrap_or_else(|| panic!("{what} is a list in {value}"))
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value[what].as_str().unwrap_or_else(|| panic!("{what} is a text in {value}"))
}

/// The panels that show data.
pub fn panels(board: &Value) -> Vec<&Value> {
    list(board, "panels").iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of the panels: title of the panel and expression.
pub fn queries(board: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in panels(board) {
        for target in list(panel, "targets") {
            found.push((text(panel, "title").to_owned(), text(target, "expr").to_owned()));
        }
    }
    found
}

/// Every text of the dashboard under a key of this name.
fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if name == key {
                    found.push(inner);
                }
                under(inner, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| under(inner, key, found)),
        _ => {}
    }
}

#[test]
fn there_are_four_with_links_to_each_other() {
    let boards = boards();
    let uids: BTreeSet<&str> = boards.keys().map(String::as_str).collect();
    assert_eq!(uids, ["ddbwatch-clients", "ddbwatch-health", "ddbwatch-paths", "ddbwatch-posture"].into());
    for (uid, board) in &boards {
        let to: BTreeSet<&str> =
            list(board, "links").iter().map(|link| text(link, "url").trim_start_matches("/d/")).collect();
        let others: BTreeSet<&str> = uids.iter().copied().filter(|other| other != uid).collect();
        assert_eq!(to, others, "{uid}");
        for link in list(board, "links") {
            assert_eq!((&link["includeVars"], &link["keepTime"]), (&true.into(), &true.into()), "{uid}");
        }
        let mut urls = Vec::new();
        under(board, "url", &mut urls);
        for url in urls {
            let to = url.as_str().unwrap().trim_start_matches("/d/").split('?').next().unwrap();
            assert!(uids.contains(to), "{uid}: {url} leads nowhere");
        }
    }
}

#[test]
fn form_is_what_grafana_reads() {
    for (uid, board) in boards() {
        assert_eq!(board["schemaVersion"], SCHEMA_VERSION, "{uid}");
        assert_eq!(board["editable"], false, "{uid}");
        assert!(board["id"].is_null(), "{uid}: an id belongs to one Grafana");
        assert!(text(&board, "title").starts_with("ddbwatch / "), "{uid}");
        assert!(text(&board, "description").len() > 40, "{uid}");
        assert!(list(&board, "__inputs").is_empty(), "{uid}: the data source is a variable");
        let required: BTreeSet<&str> =
            list(&board, "__requires").iter().map(|required| text(required, "id")).collect();
        let mut used: BTreeSet<&str> = panels(&board).iter().map(|panel| text(panel, "type")).collect();
        assert!(used.iter().all(|kind| KINDS.contains(kind)), "{uid}: {used:?}");
        used.extend(["grafana", "prometheus"]);
        assert_eq!(required, used, "{uid}");

        let mut ids = BTreeSet::new();
        let mut titles = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in list(&board, "panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{uid}: {title}: the id is there twice");
            assert!(titles.insert(title), "{uid}: {title} is there twice");
            let grid = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(grid("w") > 0 && grid("h") > 0 && grid("x") + grid("w") <= 24, "{uid}: {title}");
            for x in grid("x")..grid("x") + grid("w") {
                for y in grid("y")..grid("y") + grid("h") {
                    assert!(cells.insert((x, y)), "{uid}: {title} lies over another panel");
                }
            }
        }
    }
}

#[test]
fn variables_are_those_of_the_linter() {
    for (uid, board) in boards() {
        let variables = list(&board["templating"], "list");
        let by_name: BTreeMap<&str, &Value> =
            variables.iter().map(|variable| (text(variable, "name"), variable)).collect();
        assert_eq!(by_name.len(), variables.len(), "{uid}");
        let source = by_name["datasource"];
        assert_eq!((text(source, "type"), text(source, "query")), ("datasource", "prometheus"), "{uid}");
        assert_eq!(text(source, "label"), "Data source", "{uid}");
        for (name, label) in [("job", "Job"), ("instance", "Instance")] {
            let variable = by_name[name];
            assert_eq!(text(variable, "label"), label, "{uid}");
            assert_eq!(text(variable, "type"), "query", "{uid}");
            assert_eq!(variable["multi"], true, "{uid}");
            assert_eq!(text(variable, "allValue"), ".+", "{uid}");
        }
        for variable in variables {
            assert!(!text(variable, "label").is_empty(), "{uid}");
            if variable["type"] == "query" {
                assert_eq!(
                    variable["refresh"], 2,
                    "{uid}: {}: read again when the range changes",
                    variable["name"]
                );
                assert_eq!(text(&variable["datasource"], "uid"), "${datasource}", "{uid}");
                assert!(text(variable, "definition").starts_with("label_values(ddbwatch_"), "{uid}");
            }
        }
        // Every variable that is used is there, and every one that is there is used.
        let all = board.to_string();
        for name in by_name.keys() {
            assert!(
                all.contains(&format!("${name}")) || all.contains(&format!("${{{name}}}")),
                "{uid}: ${name} is not used"
            );
        }
        for (title, query) in queries(&board) {
            for used in query.split('$').skip(1) {
                let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // `$1` is a part of what a regular expression matched.
                if name.parse::<u8>().is_ok() {
                    continue;
                }
                let is_built_in = ["__rate_interval", "__range", "__interval"].contains(&name.as_str());
                assert!(is_built_in || by_name.contains_key(name.as_str()), "{uid}: {title}: ${name}");
            }
        }
    }
}

#[test]
fn annotations_show_restarts_and_reloads() {
    for (uid, board) in boards() {
        let names: Vec<&str> =
            list(&board["annotations"], "list").iter().map(|annotation| text(annotation, "name")).collect();
        for name in ["Observer restarts", "Reloads", "Reload refused", "Capture restarts"] {
            assert!(names.contains(&name), "{uid}: {name}");
        }
    }
}

#[test]
fn panels_say_what_they_show() {
    for (uid, board) in boards() {
        for panel in panels(&board) {
            let title = format!("{uid}: {}", text(panel, "title"));
            assert!(text(panel, "title").len() > 3, "{title}");
            let description = text(panel, "description");
            assert!(description.len() > 25 && description.ends_with(['.', '`']), "{title}: {description}");
            assert_eq!(text(&panel["datasource"], "uid"), "${datasource}", "{title}");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(UNITS.contains(&text(defaults, "unit")), "{title}: {}", defaults["unit"]);
            assert!(!text(defaults, "noValue").is_empty(), "{title}");
            let steps = list(&defaults["thresholds"], "steps");
            assert!(steps.first().is_some_and(|step| step["value"].is_null()), "{title}: thresholds begin");
            let values: Vec<f64> = steps.iter().skip(1).map(|step| step["value"].as_f64().unwrap()).collect();
            assert!(values.is_sorted(), "{title}: {values:?}");
            let targets = list(panel, "targets");
            assert!(!targets.is_empty(), "{title}");
            let letters: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
            assert_eq!(letters.len(), targets.len(), "{title}");
            for target in targets {
                assert!(!text(target, "legendFormat").is_empty(), "{title}");
                assert_eq!(text(&target["datasource"], "uid"), "${datasource}", "{title}");
            }
            if panel["type"] == "timeseries" {
                let legend = &panel["options"]["legend"];
                assert_eq!(legend["showLegend"], true, "{title}");
                assert!(!list(legend, "calcs").is_empty(), "{title}");
            }
        }
    }
}

#[test]
fn colours_can_be_told_apart() {
    for (uid, board) in boards() {
        for key in ["color", "fixedColor", "iconColor"] {
            let mut found = Vec::new();
            under(&board, key, &mut found);
            for color in found.into_iter().filter_map(Value::as_str) {
                assert!(COLORS.contains(&color), "{uid}: {color}");
            }
        }
        // Within one panel no two names have the same colour.
        for panel in panels(&board) {
            let mut by_color: BTreeMap<&str, &str> = BTreeMap::new();
            for rule in list(&panel["fieldConfig"], "overrides") {
                for property in list(rule, "properties") {
                    if let Some(color) = property["value"]["fixedColor"].as_str() {
                        let name = text(&rule["matcher"], "options");
                        let other = by_color.insert(color, name);
                        assert!(other.is_none(), "{uid}: {}: {other:?} and {name}", panel["title"]);
                    }
                }
            }
        }
    }
}

#[test]
fn queries_keep_the_rules_of_the_linter() {
    for (uid, board) in boards() {
        for (title, query) in queries(&board) {
            let place = format!("{uid}: {title}: {query}");
            for selector in promql::read(&query).selectors {
                for (label, value) in [("job", "$job"), ("instance", "$instance")] {
                    let wanted = (label.to_owned(), "=~".to_owned(), value.to_owned());
                    assert!(
                        selector.matchers.contains(&wanted),
                        "{place}: {} has no {label}",
                        selector.metric
                    );
                }
                let around = selector.functions.last().map(String::as_str);
                if let Some("rate" | "irate") = around {
                    assert_eq!(selector.range.as_deref(), Some("$__rate_interval"), "{place}");
                }
                // A counter is looked at by its growth. The two exceptions are what `in_range` of
                // dashboards/source/grafana.py needs to count series that were born within the range.
                let is_counter =
                    ["_total", "_bucket", "_count", "_sum"].iter().any(|end| selector.metric.ends_with(end));
                let grows = selector
                    .functions
                    .iter()
                    .any(|name| ["rate", "irate", "increase"].contains(&name.as_str()));
                let is_filter = selector.offset.as_deref() == Some("$__range");
                let is_born =
                    around == Some("max_over_time") && selector.range.as_deref() == Some("$__range");
                assert!(!is_counter || grows || is_filter || is_born, "{place}: {}", selector.metric);
            }
            // Growth of a sum is right only where the sum is of one process.
            for inner in query.split("rate((sum by (").skip(1) {
                assert!(inner.starts_with("job, instance"), "{place}");
            }
        }
    }
}

#[test]
fn advice_is_there_for_every_rule() {
    let boards = boards();
    let mut mappings: Map<String, Value> = Map::new();
    let mut found = Vec::new();
    under(&boards["ddbwatch-clients"], "options", &mut found);
    for options in found.into_iter().filter_map(Value::as_object) {
        mappings.extend(options.clone());
    }
    for rule in ddbwatch::policy::Rule::ALL {
        let name = rule.to_string();
        assert!(
            mappings.get(&name).is_some_and(|shown| text(shown, "text").len() > 20),
            "{name} has no advice"
        );
    }
}
