//! One connection as tshark saw it, and what is therefore expected of its record.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::report::*;
use crate::support::shown;

/// The random of a ServerHello that is a HelloRetryRequest [RFC 8446 4.1.3], first bytes.
const RETRY_RANDOM: &str = "cf:21:ad:74:e5:9a:61:11";

const SUPPORTED_GROUPS: &str = "10";
const PRE_SHARED_KEY: &str = "41";
const EARLY_DATA: &str = "42";
const ENCRYPTED_CLIENT_HELLO: &str = "65037";

/// What is expected of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    Absent,
    Is(Value),
    /// Text without regard to case.
    Reads(String),
    /// Text in which each of these stands.
    Holds(Vec<String>),
}

impl Expected {
    pub(super) fn is_met(&self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Self::Absent, None) => true,
            (Self::Is(wanted), Some(found)) => wanted == found,
            (Self::Reads(wanted), Some(found)) => shown(found).eq_ignore_ascii_case(wanted),
            (Self::Holds(parts), Some(found)) => parts.iter().all(|part| shown(found).contains(part)),
            // What is never, or only where true, need not be written.
            (Self::Is(Value::Bool(false)), None) => true,
            _ => false,
        }
    }
}

pub(super) type End = (String, String);

/// One connection as tshark saw it.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) client: Option<End>,
    pub(super) server: Option<End>,
    pub(super) has_client_hello: bool,
    pub(super) has_server_hello: bool,
    pub(super) has_retry: bool,
    pub(super) has_certificate: bool,
    pub(super) has_key_exchange: bool,
    /// The server's part of the handshake was seen to its end.
    pub(super) has_hello_done: bool,
    /// Records of TLS, whatever was in them.
    pub(super) has_records: bool,
    pub(super) has_request: bool,
    pub(super) is_resumed: Option<bool>,
    pub(super) negotiated: Option<String>,
    pub(super) facts: BTreeMap<&'static str, Expected>,
}

impl Flow {
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.facts.insert(key, Expected::Is(value.into()));
    }

    pub(super) fn set_or_absent(&mut self, key: &'static str, value: Option<Value>) {
        self.facts.insert(key, value.map_or(Expected::Absent, Expected::Is));
    }

    pub(super) fn must_be_reported(&self) -> bool {
        self.has_client_hello || self.has_server_hello || self.has_request
    }

    pub(super) fn see(&mut self, layers: &Value, source: &End, destination: &End, names: &Names) {
        for tls in items(layers.get("tls")) {
            for record in items(tls.get("tls.record")) {
                self.has_records = true;
                for handshake in items(record.get("tls.handshake")) {
                    self.see_handshake(handshake, record, source, destination, names);
                }
                for alert in items(record.get("tls.alert_message")) {
                    if text(alert, "tls.alert_message.level").as_deref() == Some("2") {
                        let name = names.of("alert", &text(alert, "tls.alert_message.desc").unwrap());
                        self.set("tls.alert", name);
                        self.set(
                            "tls.alert.from",
                            if Some(source) == self.server.as_ref() { "server" } else { "client" },
                        );
                    }
                }
            }
        }
        for http in items(layers.get("http")) {
            self.see_request(http, source, destination);
        }
    }

    pub(super) fn see_request(&mut self, http: &Value, source: &End, destination: &End) {
        let Some(method) = text(http, "http.request.method") else { return };
        if method == "CONNECT" {
            self.set("proxy.kind", "http_connect");
            self.set_or_absent("proxy.target", text(http, "http.request.uri").map(Value::from));
        } else if !self.has_request && !self.has_records {
            self.has_request = true;
            (self.client, self.server) = (Some(source.clone()), Some(destination.clone()));
            self.set("http.request.method", method);
            let host =
                text(http, "http.host").map(|host| host.split(':').next().unwrap_or_default().to_owned());
            self.set_or_absent("http.host", host.map(Value::from));
        }
    }

    pub(super) fn see_handshake(
        &mut self,
        handshake: &Value,
        record: &Value,
        source: &End,
        destination: &End,
        names: &Names,
    ) {
        match handshake.get("tls.handshake.type").and_then(Value::as_str) {
            Some("1") if !self.has_client_hello => {
                self.has_client_hello = true;
                (self.client, self.server) = (Some(source.clone()), Some(destination.clone()));
                self.see_client_hello(handshake, names);
            }
            Some("2") => {
                if self.server.is_none() || !self.has_client_hello {
                    (self.server, self.client) = (Some(source.clone()), Some(destination.clone()));
                }
                self.see_server_hello(handshake, record, names);
            }
            Some("11") if !self.has_certificate && Some(source) == self.server.as_ref() => {
                self.is_resumed.get_or_insert(false);
                self.has_certificate = true;
                self.see_certificate(handshake);
            }
            Some("12") => {
                self.has_key_exchange = true;
                self.is_resumed.get_or_insert(false);
                if let Some(curve) = text(handshake, "tls.handshake.server_named_curve") {
                    self.set("tls.curve", names.of("group", &curve));
                }
                if let Some(prime) = text(handshake, "tls.handshake.p") {
                    self.set("tls.dh_bits", bits(&prime));
                }
            }
            Some("14") => {
                self.has_hello_done = true;
                self.is_resumed.get_or_insert(false);
            }
            _ => {}
        }
    }

    pub(super) fn see_client_hello(&mut self, hello: &Value, names: &Names) {
        let name = text(hello, "tls.handshake.extensions_server_name");
        self.facts.insert("tls.client.server_name", name.map_or(Expected::Absent, Expected::Reads));
        self.set(
            "tls.client.supported_ciphers",
            names.list("cipher", &texts(hello, "tls.handshake.ciphersuite")),
        );
        let extensions = texts(hello, "tls.handshake.extension.type");
        let has = |extension: &str| extensions.iter().any(|kind| kind == extension);
        let groups = texts(hello, "tls.handshake.extensions_supported_group");
        self.set_or_absent(
            "tls.client.supported_groups",
            has(SUPPORTED_GROUPS).then(|| names.list("group", &groups)),
        );
        // Its JSON sorts them; a client has to send them in the order of its groups [RFC 8446 section 4.2.8].
        let mut shares = texts(hello, "tls.handshake.extensions_key_share_group");
        shares.sort_by_key(|share| groups.iter().position(|group| number(group) == number(share)));
        self.set_or_absent(
            "tls.client.key_share_groups",
            (!shares.is_empty()).then(|| names.list("group", &shares)),
        );
        let protocols = texts(hello, "tls.handshake.extensions_alpn_str");
        self.set_or_absent("tls.client.alpn", (!protocols.is_empty()).then(|| json!(protocols)));
        self.set_or_absent("tls.client.ja3", text(hello, "tls.handshake.ja3").map(Value::from));
        if let Some(fingerprint) = text(hello, "tls.handshake.ja4") {
            self.set("tls.client.ja4", fingerprint);
        }
        self.set_or_absent("tls.ech", has(ENCRYPTED_CLIENT_HELLO).then_some(Value::Bool(true)));
        self.set_or_absent("tls.early_data", has(EARLY_DATA).then_some(Value::Bool(true)));
        let mut versions = texts(hello, "tls.handshake.extensions.supported_version");
        versions.retain(|value| !is_grease(value));
        match versions.iter().max_by_key(|value| number(value)) {
            Some(best) => {
                self.set("tls.client.max_version", version(best));
                let least = versions.iter().min_by_key(|value| number(value)).unwrap();
                self.set("tls.client.min_version", version(least));
            }
            None => {
                let best = hello.get("tls.handshake.version").and_then(Value::as_str).unwrap();
                self.set("tls.client.max_version", version(best));
            }
        }
    }

    pub(super) fn see_server_hello(&mut self, hello: &Value, record: &Value, names: &Names) {
        let is_retry =
            text(hello, "tls.handshake.random").is_some_and(|random| random.starts_with(RETRY_RANDOM));
        if is_retry {
            self.has_retry = true;
            self.set("tls.hello_retry_request", true);
            let group = text(hello, "tls.handshake.extensions_key_share_selected_group")
                .or_else(|| text(hello, "tls.handshake.extensions_key_share_group"));
            self.set_or_absent(
                "tls.hello_retry_request.group",
                group.map(|group| names.of("group", &group).into()),
            );
            return;
        }
        if self.has_server_hello {
            return;
        }
        self.has_server_hello = true;
        let chosen = text(hello, "tls.handshake.extensions.supported_version")
            .or_else(|| hello.get("tls.handshake.version").and_then(Value::as_str).map(str::to_owned))
            .unwrap();
        let chosen = version(&chosen);
        self.set("tls.protocol.version", chosen.clone());
        self.set("tls.protocol.name", if matches!(chosen.as_str(), "2" | "3") { "ssl" } else { "tls" });
        let cipher = text(hello, "tls.handshake.ciphersuite").unwrap();
        self.set("tls.cipher", names.of("cipher", &cipher));
        self.set("tls.cipher_id", format!("0x{:04x}", number(&cipher)));
        self.set_or_absent("tls.server.ja3s", text(hello, "tls.handshake.ja3s").map(Value::from));
        self.set_or_absent(
            "tls.next_protocol",
            text(hello, "tls.handshake.extensions_alpn_str").map(Value::from),
        );
        if let Some(group) = text(hello, "tls.handshake.extensions_key_share_group") {
            self.set("tls.curve", names.of("group", &group));
        }
        if chosen == "1.3" {
            let extensions = texts(hello, "tls.handshake.extension.type");
            self.is_resumed = Some(extensions.iter().any(|kind| kind == PRE_SHARED_KEY));
        } else if find(record, "tls.resumed").is_some() {
            self.is_resumed = Some(true);
        }
        self.negotiated = Some(chosen);
    }

    pub(super) fn see_certificate(&mut self, handshake: &Value) {
        let Some(certificates) = handshake.get("tls.handshake.certificates") else { return };
        // tshark keeps the trees of a chain in a list of their own.
        let Some(leaf) = items(certificates.get("tls.handshake.certificate_tree")).into_iter().next() else {
            return;
        };
        let names = |name: Option<&Value>| {
            let name = name.cloned().unwrap_or_default();
            let mut parts = texts(&name, "x509sat.uTF8String");
            parts.extend(texts(&name, "x509sat.printableString"));
            Expected::Holds(parts)
        };
        self.facts.insert("tls.server.certificate.subject", names(find(leaf, "x509af.subject_tree")));
        self.facts.insert("tls.server.certificate.issuer", names(find(leaf, "x509af.issuer_tree")));
        let end = find(leaf, "x509af.notAfter_tree").and_then(|tree| text(tree, "x509af.utcTime"));
        if let Some(end) = end {
            self.set("tls.server.certificate.not_after", end.replace(" (UTC)", "Z").replace(' ', "T"));
        }
        if let Some(modulus) = text(leaf, "pkcs1.modulus") {
            self.set("tls.server.certificate.key_bits", bits(&modulus));
        }
    }

    /// What follows only from all that was seen.
    pub(super) fn finish(&mut self) {
        if self.has_server_hello {
            if let Some(is_resumed) = self.is_resumed {
                self.set("tls.resumed", is_resumed);
            }
            // A ServerKeyExchange that tshark does not take apart says nothing either way.
            let is_without = (self.has_hello_done && !self.has_key_exchange)
                || (self.is_resumed == Some(true) && self.negotiated.as_deref() != Some("1.3"));
            if is_without {
                self.facts.insert("tls.curve", Expected::Absent);
                self.facts.insert("tls.dh_bits", Expected::Absent);
            }
            self.facts.entry("tls.hello_retry_request").or_insert(Expected::Absent);
        } else {
            for key in ["tls.protocol.version", "tls.cipher", "tls.cipher_id", "tls.server.ja3s"] {
                self.facts.insert(key, Expected::Absent);
            }
        }
        if !self.has_client_hello {
            for key in ["tls.client.server_name", "tls.client.ja3", "tls.client.supported_ciphers"] {
                self.facts.insert(key, Expected::Absent);
            }
        }
        for key in ["tls.alert", "proxy.kind", "http.request.method"] {
            self.facts.entry(key).or_insert(Expected::Absent);
        }
        // In TLS 1.3 a certificate is not seen in clear, and what follows no hello is not looked for.
        if !self.has_certificate && self.has_server_hello {
            self.facts.insert("tls.server.certificate.subject", Expected::Absent);
        }
    }
}
