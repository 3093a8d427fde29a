//! Reading what tshark prints: its JSON, its numbers, its tables of names.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Groups that came after the oldest tshark that this must work with [IANA TLS Supported Groups].
pub(super) const NEWER_GROUPS: [(u16, &str); 10] = [
    (0x001f, "brainpoolP256r1tls13"),
    (0x0020, "brainpoolP384r1tls13"),
    (0x0021, "brainpoolP512r1tls13"),
    (0x0200, "MLKEM512"),
    (0x0201, "MLKEM768"),
    (0x0202, "MLKEM1024"),
    (0x11eb, "SecP256r1MLKEM768"),
    (0x11ec, "X25519MLKEM768"),
    (0x11ed, "SecP384r1MLKEM1024"),
    (0x11ee, "curveSM2MLKEM768"),
];

/// Names of numbers, by tshark's own tables.
pub(super) struct Names(BTreeMap<(&'static str, u64), String>);

impl Names {
    pub(super) fn load() -> Self {
        let output = Command::new("tshark").args(["-G", "values"]).output().unwrap();
        let mut names = BTreeMap::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let &["V", field, number, name] = columns.as_slice() else { continue };
            let field = match field {
                "tls.handshake.ciphersuite" => "cipher",
                "tls.handshake.extensions_supported_group" => "group",
                "tls.alert_message.desc" => "alert",
                _ => continue,
            };
            names.insert((field, self::number(number)), name.to_owned());
        }
        for (group, name) in NEWER_GROUPS {
            names.insert(("group", group.into()), name.to_owned());
        }
        assert!(names.len() > 300, "tshark gives its tables");
        Self(names)
    }

    pub(super) fn of(&self, kind: &'static str, value: &str) -> String {
        let number = number(value);
        let name = self.0.get(&(kind, number)).cloned();
        match kind {
            "alert" => name.unwrap_or_default().to_lowercase().replace(' ', "_"),
            _ => name.unwrap_or_else(|| format!("0x{number:04x}")),
        }
    }

    pub(super) fn list(&self, kind: &'static str, values: &[String]) -> Value {
        values.iter().filter(|value| !is_grease(value)).map(|value| self.of(kind, value)).collect()
    }
}

/// A number as tshark prints it.
pub(super) fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Values that mean nothing and keep implementations tolerant [RFC 8701].
pub(super) fn is_grease(value: &str) -> bool {
    let number = number(value);
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// An array's items, or the one value that stands where tshark found only one.
pub(super) fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

/// Every text under `key`, at any depth.
pub(super) fn texts(value: &Value, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, key, &mut found);
    found
}

pub(super) fn collect(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, found)),
        Value::Object(map) => {
            for (name, value) in map {
                if name == key {
                    found.extend(
                        items(Some(value)).into_iter().filter_map(|value| value.as_str().map(str::to_owned)),
                    );
                } else {
                    collect(value, key, found);
                }
            }
        }
        _ => {}
    }
}

pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    texts(value, key).into_iter().next()
}

/// The first object or text under `key`, at any depth.
pub(super) fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Array(values) => values.iter().find_map(|value| find(value, key)),
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        _ => None,
    }
}

/// Bits of a number written as hex bytes with colons.
pub(super) fn bits(hex: &str) -> u64 {
    let bytes: Vec<u8> = hex.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let significant = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &bytes[first..]);
    significant.first().map_or(0, |first| significant.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

/// Version number of a hello as records name it.
pub(super) fn version(value: &str) -> String {
    match number(value) {
        0x0002 => "2".to_owned(),
        0x0300 => "3".to_owned(),
        0x0301 => "1.0".to_owned(),
        0x0302 => "1.1".to_owned(),
        0x0303 => "1.2".to_owned(),
        0x0304 | 0x7f00..=0x7fff => "1.3".to_owned(),
        other => format!("{other:#06x}"),
    }
}
