//! What the recorded programs themselves said (`captures/index.json`) against what is reported.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{self, Record, shown};

/// Keys that find the record of a flow.
const ENDS: [&str; 4] = ["client.address", "client.port", "server.address", "server.port"];

fn is_match(flow: &Record, record: &Record) -> bool {
    ENDS.iter().all(|key| flow.get(*key).is_none_or(|wanted| record.get(*key) == Some(wanted)))
}

/// Ids of the violations that are warnings or graver.
fn rules(record: &Record) -> BTreeSet<String> {
    let violations = record.get("violations").and_then(Value::as_array).cloned().unwrap_or_default();
    violations
        .iter()
        .filter(|violation| violation["severity"] != "info")
        .map(|violation| shown(&violation["rule"]))
        .collect()
}

fn contains(found: Option<&Value>, part: &Value) -> bool {
    match found {
        Some(Value::Array(found)) => found.contains(part),
        Some(found) => shown(found).contains(&shown(part)),
        None => false,
    }
}

/// Where a record says something else than what is known of the flow.
fn differences(flow: &Record, record: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, wanted) in flow {
        if key == "needs" || ENDS.contains(&key.as_str()) {
            continue;
        }
        if key == "rules" {
            let wanted: BTreeSet<String> = wanted.as_array().unwrap().iter().map(shown).collect();
            let found = rules(record);
            if wanted != found {
                wrong.push(format!("rules: expected {wanted:?}, found {found:?}"));
            }
            continue;
        }
        let (name, is_right) = match key.strip_suffix('~') {
            Some(name) => (name, contains(record.get(name), wanted)),
            None if wanted.is_null() => (key.as_str(), !record.contains_key(key)),
            None => (key.as_str(), record.get(key) == Some(wanted)),
        };
        if !is_right {
            let found = record.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
            wrong.push(format!("{key}: expected {wanted}, found {found}"));
        }
    }
    wrong
}

fn index() -> Vec<Value> {
    let text = std::fs::read_to_string(support::captures().join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    let entries = index["captures"].as_array().unwrap().clone();
    assert!(entries.len() > 50);
    entries
}

fn compare(entry: &Value) -> Vec<String> {
    let file = entry["file"].as_str().unwrap();
    let flows: Vec<&Record> =
        entry["flows"].as_array().unwrap().iter().map(|flow| flow.as_object().unwrap()).collect();
    let mut arguments = vec!["analyze", "--format", "jsonl"];
    let needs: BTreeSet<&str> = flows.iter().filter_map(|flow| flow.get("needs")?.as_str()).collect();
    arguments.extend(needs);
    arguments.push(file);
    let ran = support::run(&arguments);
    let mut wrong = Vec::new();
    let wanted = entry.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
    if ran.code.map(i64::from) != Some(wanted) {
        wrong.push(format!("{file}: exit code {:?} instead of {wanted}: {}", ran.code, ran.stderr.trim()));
    }
    let mut left = ran.records();
    for (number, flow) in flows.into_iter().enumerate() {
        // Of the records with these ends the one that agrees best: their order is that of decisions.
        let best = left
            .iter()
            .enumerate()
            .filter(|(_, record)| is_match(flow, record))
            .min_by_key(|(_, record)| differences(flow, record).len())
            .map(|(index, _)| index);
        match best {
            Some(index) => {
                let record = left.remove(index);
                wrong.extend(
                    differences(flow, &record)
                        .into_iter()
                        .map(|line| format!("{file}: flow {number}: {line}")),
                );
            }
            None => wrong.push(format!("{file}: flow {number}: no record ({:?})", flow.get("client.port"))),
        }
    }
    // The third connection of this one may be reported too, as its description says.
    if file != "damaged.pcap" {
        wrong.extend(left.iter().map(|record| {
            let ends = ENDS.map(|key| record.get(key).map(shown).unwrap_or_default()).join(" ");
            format!("{file}: a record of a flow that is not there: {ends}")
        }));
    }
    wrong
}

#[test]
fn records_agree_with_what_the_stacks_said() {
    let wrong: Vec<String> = support::each(&index(), compare).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn index_knows_every_capture() {
    let known: BTreeSet<String> = index().iter().map(|entry| shown(&entry["file"])).collect();
    let there: BTreeSet<String> = crate::golden::names().into_iter().collect();
    assert_eq!(known, there);
}

/// The table of fingerprints is read again from the captures it names, and a capture's own program is
/// the one it tells.
#[test]
fn recorded_fingerprints_are_those_of_the_table() {
    for row in ddbwatch::policy::clients::FINGERPRINTS {
        let records =
            support::run(&["analyze", "--all-services", "--format", "jsonl", row.capture]).records();
        let found: BTreeSet<String> =
            records.iter().filter_map(|record| record.get("tls.client.ja4")).map(shown).collect();
        assert!(found.contains(row.ja4), "{}: {} is not among {found:?}", row.capture, row.ja4);
    }
}
