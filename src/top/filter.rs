//! What is typed after `/`: words that all must occur, and `key=value`.

use super::picture::{BrokenRule, Flow, Offender};
use crate::view::short_cipher;

/// Letters that a filter may have.
pub const MAX_LETTERS: usize = 200;

/// A filter; the empty one lets everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    /// Occurs in what is shown.
    Word(String),
    /// The value of this key contains that.
    Pair(String, String),
}

impl Filter {
    /// From what was typed. Upper and lower case are the same.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text: String = text.chars().take(MAX_LETTERS).collect();
        let terms = text
            .split_whitespace()
            .map(|word| match word.split_once('=') {
                Some((key, value)) if !key.is_empty() => Term::Pair(key.to_lowercase(), value.to_lowercase()),
                _ => Term::Word(word.to_lowercase()),
            })
            .collect();
        Self { text: text.trim().to_owned(), terms }
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether everything passes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a flow passes.
    #[must_use]
    pub fn admits(&self, flow: &Flow) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) => shown(flow).iter().any(|text| contains(text, word)),
            Term::Pair(key, value) => match short_key(flow, key) {
                Some(text) => contains(&text, value),
                None => member(&flow.json, key).is_some_and(|text| contains(text, value)),
            },
        })
    }

    /// Whether a client passes; keys that a client does not have hide none.
    #[must_use]
    pub fn admits_client(&self, client: &Offender) -> bool {
        let rules = || client.rules.iter().map(|rule| rule.rule.as_str()).collect::<Vec<_>>().join(" ");
        let severity = || client.rules.first().map_or("", |rule| rule.severity.as_str());
        let software = client.software.as_deref().unwrap_or_default();
        self.terms.iter().all(|term| match term {
            Term::Word(word) => {
                [client.address.to_string(), rules(), software.to_owned(), severity().to_owned()]
                    .iter()
                    .any(|text| contains(text, word))
            }
            Term::Pair(key, value) => match key.as_str() {
                "client" | "client.address" => contains(&client.address.to_string(), value),
                "rule" => contains(&rules(), value),
                "severity" => contains(severity(), value),
                "software" => contains(software, value),
                _ => true,
            },
        })
    }

    /// Whether a broken rule passes; keys that a rule does not have hide none.
    #[must_use]
    pub fn admits_rule(&self, rule: &BrokenRule) -> bool {
        let clients =
            || rule.worst.iter().map(|client| client.address.to_string()).collect::<Vec<_>>().join(" ");
        self.terms.iter().all(|term| match term {
            Term::Word(word) => {
                contains(&rule.rule, word)
                    || contains(rule.severity.as_str(), word)
                    || contains(&clients(), word)
            }
            Term::Pair(key, value) => match key.as_str() {
                "rule" => contains(&rule.rule, value),
                "severity" => contains(rule.severity.as_str(), value),
                _ => true,
            },
        })
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

/// What of a flow is shown in the table.
fn shown(flow: &Flow) -> [String; 9] {
    [
        flow.timestamp.to_string(),
        flow.client.to_string(),
        flow.name.clone(),
        flow.line.endpoint.clone(),
        flow.line.version.clone(),
        short_cipher(&flow.line.cipher),
        flow.line.path.clone(),
        flow.line.outcome.clone(),
        format!("{} {}", severity(flow), judgement(flow)),
    ]
}

/// The verdict and every rule.
fn judgement(flow: &Flow) -> String {
    let rules = flow.rules.iter().map(|(_, rule)| *rule).collect::<Vec<_>>().join(" ");
    let verdict = flow.verdict.map_or("not judged", |verdict| verdict.as_str());
    format!("{verdict} {} {rules}", verdict.replace('_', " "))
}

fn severity(flow: &Flow) -> &'static str {
    flow.rules.first().map_or("", |(severity, _)| severity.as_str())
}

/// Keys that are quicker to type than those of a record.
fn short_key(flow: &Flow, key: &str) -> Option<String> {
    Some(match key {
        "client" => flow.client.to_string(),
        "server" => flow.server.to_string(),
        "name" => flow.name.clone(),
        "endpoint" => flow.line.endpoint.clone(),
        "version" => flow.line.version.clone(),
        "cipher" => flow.line.cipher.clone(),
        "group" => flow.line.group.clone(),
        "path" => flow.line.path.clone(),
        "outcome" => flow.line.outcome.clone(),
        "verdict" => judgement(flow),
        "rule" => flow.rules.iter().map(|(_, rule)| *rule).collect::<Vec<_>>().join(" "),
        "severity" => severity(flow).to_owned(),
        "region" => return member(&flow.json, "aws.region").map(str::to_owned),
        _ => return None,
    })
}

/// The text of the value of a key of a flat JSON object without spaces between its parts. Quotes inside of
/// strings are escaped, so that a key with quotes around it is nothing else.
fn member<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let key = format!("\"{key}\":");
    let from = json.find(&key)? + key.len();
    let rest = json.get(from..)?;
    // Up to the next key; what is cut off wrongly is the end of a value with `,"` in it.
    Some(rest.split(",\"").next().unwrap_or(rest).trim_matches(['"', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::jsonl::write_record;
    use crate::export::sample;
    use crate::model::Record;

    fn flow(record: &Record) -> Flow {
        let mut json = Vec::new();
        write_record(record, &mut json);
        Flow::new(record, String::from_utf8(json).unwrap().trim_end().into())
    }

    #[test]
    fn finds_by_words_and_by_keys() {
        let flow = flow(&sample::tls12());
        for text in
            ["", "10.0.1.5", "TLS client=10.0.1", "aws.region=", "network.transport=tcp", "VERSION=1.2 41234"]
        {
            assert!(Filter::new(text).admits(&flow), "{text}: {}", flow.json);
        }
        for text in ["10.9.9.9", "client=41235", "tls.curve=sect", "version=1.3", "no.such.key=1", "tls 10.9"]
        {
            assert!(!Filter::new(text).admits(&flow), "{text}: {}", flow.json);
        }
    }

    #[test]
    fn reads_each_key_of_a_record() {
        let json = r#"{"a":1,"b":"x,y","c":["d","e"],"f":true}"#;
        for (key, value) in [("a", "1"), ("b", "x,y"), ("f", "true")] {
            assert_eq!(member(json, key), Some(value));
        }
        assert!(member(json, "c").unwrap().starts_with("[\"d"));
        assert_eq!(member(json, "d"), None);
    }

    #[test]
    fn is_short() {
        assert_eq!(Filter::new(&"ä".repeat(10_000)).text().chars().count(), MAX_LETTERS);
        assert!(Filter::new("  ").is_empty());
    }
}
