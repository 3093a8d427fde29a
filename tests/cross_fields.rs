//! What the keys of one record say of each other: over the records of all shipped captures.
//!
//! The records that are expected of the captures are read, not made: `golden` holds the program to them.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{Record, captures, records};

/// Every expected record, with the name of its file.
fn expected() -> Vec<(String, Record)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(captures().join("expected")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            all.extend(records(&text).into_iter().map(|record| (name.clone(), record)));
        }
    }
    assert!(all.len() > 200, "{}", all.len());
    all
}

fn text<'a>(record: &'a Record, key: &str) -> Option<&'a str> {
    record.get(key).and_then(|value| value.as_str())
}

fn list<'a>(record: &'a Record, key: &str) -> Option<BTreeSet<&'a str>> {
    let items = record.get(key)?.as_array()?;
    Some(items.iter().filter_map(|item| item.as_str()).collect())
}

fn broken(record: &Record) -> Vec<(&str, &str)> {
    let violations =
        record.get("violations").and_then(|value| value.as_array()).expect("violations is there");
    let word = |violation: &'_ serde_json::Value, key: &str| {
        violation[key].as_str().is_some_and(|it| !it.is_empty())
    };
    assert!(violations.iter().all(|found| word(found, "message") && word(found, "remedy")), "{violations:?}");
    violations
        .iter()
        .map(|found| (found["rule"].as_str().unwrap(), found["severity"].as_str().unwrap()))
        .collect()
}

/// A sentence, when it is about a record, and what then has to be so.
type Sentence<'a> = (&'a str, &'a dyn Fn(&Record) -> bool, &'a dyn Fn(&Record) -> bool);

/// Checks each sentence on each record: where the first is true, the second is.
fn hold(sentences: &[Sentence<'_>]) {
    let mut wrong = Vec::new();
    for (name, record) in expected() {
        for (sentence, when, then) in sentences {
            if when(&record) && !then(&record) {
                wrong.push(format!("{name}, port {}: {sentence}", record["client.port"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const fn always(_: &Record) -> bool {
    true
}

#[test]
fn verdicts_follow_from_what_was_seen() {
    let is = |record: &Record, key: &str, value: &str| text(record, key) == Some(value);
    let is_broken = |record: &Record| broken(record).iter().any(|(_, severity)| *severity != "info");
    hold(&[
        ("a violation is what breaks a rule at warning or above", &always, &|record| {
            is(record, "policy.verdict", "violation") == is_broken(record)
        }),
        (
            "a pass was seen in full and completed",
            &|record| is(record, "policy.verdict", "pass"),
            &|record| is(record, "flow.completeness", "full") && is(record, "handshake.outcome", "completed"),
        ),
        (
            "a pass of the default profile has forward secrecy and TLS 1.2 or more",
            &|record| is(record, "policy.verdict", "pass"),
            &|record| {
                is(record, "tls.forward_secrecy", "yes")
                    && ["1.2", "1.3"].contains(&text(record, "tls.protocol.version").unwrap_or_default())
            },
        ),
        ("a rule is broken once", &always, &|record| {
            let rules: Vec<_> = broken(record).into_iter().map(|(rule, _)| rule).collect();
            rules.iter().collect::<BTreeSet<_>>().len() == rules.len()
        }),
        (
            "no forward secrecy is always told",
            &|record| is(record, "tls.forward_secrecy", "no") && record.contains_key("aws.service"),
            &|record| broken(record).iter().any(|(rule, _)| *rule == "no_forward_secrecy"),
        ),
        (
            "an old version is always told",
            &|record| {
                let old = ["2", "3", "1.0", "1.1"];
                record.contains_key("aws.service")
                    && old.contains(&text(record, "tls.protocol.version").unwrap_or_default())
            },
            &|record| broken(record).iter().any(|(rule, _)| *rule == "tls_version_too_low"),
        ),
    ]);
}

#[test]
fn what_was_chosen_was_offered() {
    let is_in = |record: &Record, one: &str, many: &str| match (text(record, one), list(record, many)) {
        (Some(one), Some(many)) => many.contains(one),
        _ => true,
    };
    hold(&[
        ("the suite was offered", &always, &|record| {
            is_in(record, "tls.cipher", "tls.client.supported_ciphers")
        }),
        ("the group was offered", &always, &|record| {
            is_in(record, "tls.curve", "tls.client.supported_groups")
        }),
        ("the protocol was offered", &always, &|record| {
            is_in(record, "tls.next_protocol", "tls.client.alpn")
        }),
        ("key shares are of groups that were offered", &always, &|record| {
            let shares = list(record, "tls.client.key_share_groups").unwrap_or_default();
            list(record, "tls.client.supported_groups").is_none_or(|groups| shares.is_subset(&groups))
        }),
    ]);
}

#[test]
fn keys_stand_with_the_keys_they_belong_to() {
    let has = |record: &Record, key: &str| record.contains_key(key);
    let is = |record: &Record, key: &str, value: &str| text(record, key) == Some(value);
    hold(&[
        ("a suite has a version", &|record| has(record, "tls.cipher"), &|record| {
            has(record, "tls.protocol.version")
        }),
        ("a version has forward secrecy", &|record| has(record, "tls.protocol.version"), &|record| {
            has(record, "tls.forward_secrecy")
        }),
        ("what is unknown has a reason", &|record| is(record, "tls.forward_secrecy", "unknown"), &|record| {
            has(record, "tls.forward_secrecy.reason")
        }),
        ("a name is there, or why not", &|record| has(record, "tls.established"), &|record| {
            has(record, "tls.client.server_name") != has(record, "tls.client.server_name.reason")
        }),
        ("completed is established", &|record| is(record, "handshake.outcome", "completed"), &|record| {
            record["tls.established"] == true
        }),
        ("how it was resumed is told of what was", &|record| has(record, "tls.resumption"), &|record| {
            record["tls.resumed"] == true
        }),
        ("an alert has a sender", &always, &|record| {
            has(record, "tls.alert") == has(record, "tls.alert.from")
        }),
        (
            "who refused sent the alert",
            &|record| is(record, "handshake.outcome", "refused_by_server"),
            &|record| is(record, "tls.alert.from", "server"),
        ),
        (
            "who refused sent the alert",
            &|record| is(record, "handshake.outcome", "refused_by_client"),
            &|record| is(record, "tls.alert.from", "client"),
        ),
        ("TLS 1.3 hides certificates", &|record| is(record, "tls.protocol.version", "1.3"), &|record| {
            !has(record, "tls.server.certificate.subject")
        }),
        (
            "one side alone negotiates nothing",
            &|record| is(record, "flow.completeness", "client_only"),
            &|record| !has(record, "tls.protocol.version"),
        ),
        ("an address alone is not certain", &always, &|record| {
            list(record, "aws.endpoint.evidence") != Some(BTreeSet::from(["prefix"]))
                || !is(record, "aws.endpoint.confidence", "certain")
        }),
        (
            "an unknown path has no certainty",
            &|record| is(record, "path.access", "unknown") && is(record, "path.entry", "unknown"),
            &|record| !has(record, "path.confidence"),
        ),
        ("plaintext is no TLS", &|record| is(record, "handshake.outcome", "plaintext"), &|record| {
            !has(record, "tls.protocol.version")
        }),
        ("nothing stands empty", &always, &|record| {
            record.iter().all(|(key, value)| {
                key == "violations" || (*value != serde_json::json!([]) && *value != serde_json::json!(""))
            })
        }),
    ]);
}
