//! tshark's opinion of every shipped capture against the records, flow by flow.
//!
//! tshark is another program by other people: where both say the same, a fault would have to be made twice.
//! Where they differ for a reason that lies with tshark, the reason stands in [`SKIPS`].

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::golden;
use crate::support::{self, Record, shown};

/// A difference that is tshark's limit: capture, key (a `*` at the end of either stands for any rest), why.
///
/// They are written for the tshark of [`SKIPS_FOR`]; with that one, a reason that is not needed is an error.
const SKIPS: &[(&str, &str, &str)] = &[
    ("proxy-protocol-v2.pcap", "proxy.kind", "tshark 4.0 knows version 1 of the PROXY protocol only"),
    ("dax-cleartext.pcap", "flow", "tshark has no dissector for DAX"),
    (
        "gwlb-overlapping-ranges.pcap",
        "flow",
        "tshark joins both flows, because it knows no Gateway Load Balancer endpoints",
    ),
    (
        "gwlb-overlapping-ranges.pcap",
        "tls.*",
        "tshark joins both flows, because it knows no Gateway Load Balancer endpoints",
    ),
    (
        "lost-half-hello.pcap",
        "tls.client.supported_ciphers",
        "tshark says nothing of a hello whose end is missing",
    ),
    ("mirror-truncated.pcap", "tls.client.*", "tshark says nothing of a hello whose end is missing"),
    (
        "sslv2-hello.pcap",
        "tls.client.supported_ciphers",
        "tshark does not list the suites of a hello in SSL 2 framing",
    ),
    ("nat-two-interfaces.pcapng", "flow", "tshark does not join the two sides of address translation"),
];

/// See [`SKIPS`].
const SKIPS_FOR: &str = "TShark (Wireshark) 4.0.";

/// Groups that came after the oldest tshark that this must work with [IANA TLS Supported Groups].
const NEWER_GROUPS: [(u16, &str); 10] = [
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

/// The random of a ServerHello that is a HelloRetryRequest [RFC 8446 4.1.3], first bytes.
const RETRY_RANDOM: &str = "cf:21:ad:74:e5:9a:61:11";

const SUPPORTED_GROUPS: &str = "10";
const PRE_SHARED_KEY: &str = "41";
const EARLY_DATA: &str = "42";
const ENCRYPTED_CLIENT_HELLO: &str = "65037";

/// Names of numbers, by tshark's own tables.
struct Names(BTreeMap<(&'static str, u64), String>);

impl Names {
    fn load() -> Self {
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

    fn of(&self, kind: &'static str, value: &str) -> String {
        let number = number(value);
        let name = self.0.get(&(kind, number)).cloned();
        match kind {
            "alert" => name.unwrap_or_default().to_lowercase().replace(' ', "_"),
            _ => name.unwrap_or_else(|| format!("0x{number:04x}")),
        }
    }

    fn list(&self, kind: &'static str, values: &[String]) -> Value {
        values.iter().filter(|value| !is_grease(value)).map(|value| self.of(kind, value)).collect()
    }
}

/// A number as tshark prints it.
fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Values that mean nothing and keep implementations tolerant [RFC 8701].
fn is_grease(value: &str) -> bool {
    let number = number(value);
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// An array's items, or the one value that stands where tshark found only one.
fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

/// Every text under `key`, at any depth.
fn texts(value: &Value, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, key, &mut found);
    found
}

fn collect(value: &Value, key: &str, found: &mut Vec<String>) {
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

fn text(value: &Value, key: &str) -> Option<String> {
    texts(value, key).into_iter().next()
}

/// The first object or text under `key`, at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Array(values) => values.iter().find_map(|value| find(value, key)),
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        _ => None,
    }
}

/// Bits of a number written as hex bytes with colons.
fn bits(hex: &str) -> u64 {
    let bytes: Vec<u8> = hex.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let significant = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &bytes[first..]);
    significant.first().map_or(0, |first| significant.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

/// Version number of a hello as records name it.
fn version(value: &str) -> String {
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

/// What is expected of a key.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Absent,
    Is(Value),
    /// Text without regard to case.
    Reads(String),
    /// Text in which each of these stands.
    Holds(Vec<String>),
}

impl Expected {
    fn is_met(&self, found: Option<&Value>) -> bool {
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

type End = (String, String);

/// One connection as tshark saw it.
#[derive(Debug, Default)]
struct Flow {
    client: Option<End>,
    server: Option<End>,
    has_client_hello: bool,
    has_server_hello: bool,
    has_retry: bool,
    has_certificate: bool,
    has_key_exchange: bool,
    /// The server's part of the handshake was seen to its end.
    has_hello_done: bool,
    /// Records of TLS, whatever was in them.
    has_records: bool,
    has_request: bool,
    is_resumed: Option<bool>,
    negotiated: Option<String>,
    facts: BTreeMap<&'static str, Expected>,
}

impl Flow {
    fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.facts.insert(key, Expected::Is(value.into()));
    }

    fn set_or_absent(&mut self, key: &'static str, value: Option<Value>) {
        self.facts.insert(key, value.map_or(Expected::Absent, Expected::Is));
    }

    fn must_be_reported(&self) -> bool {
        self.has_client_hello || self.has_server_hello || self.has_request
    }

    fn see(&mut self, layers: &Value, source: &End, destination: &End, names: &Names) {
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

    fn see_request(&mut self, http: &Value, source: &End, destination: &End) {
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

    fn see_handshake(
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

    fn see_client_hello(&mut self, hello: &Value, names: &Names) {
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
        let shares = texts(hello, "tls.handshake.extensions_key_share_group");
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

    fn see_server_hello(&mut self, hello: &Value, record: &Value, names: &Names) {
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

    fn see_certificate(&mut self, handshake: &Value) {
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
    fn finish(&mut self) {
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

/// What the inner packet was wrapped in, by the list of protocols and tshark's numbers.
fn encapsulation(protocols: &[&str], layers: &Value) -> Vec<String> {
    let tcp = protocols.iter().rposition(|protocol| *protocol == "tcp").unwrap_or(0);
    let around = &protocols[..tcp];
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number_of = |layer: &'static str, field: &str| {
        let index = next.entry(layer).or_insert(0);
        let value = items(layers.get(layer)).get(*index).and_then(|layer| text(layer, field));
        *index += 1;
        value.map(|value| number(&value))
    };
    let mut found = Vec::new();
    let mut outer_ip: Option<&str> = None;
    for (index, protocol) in around.iter().enumerate() {
        let followed_by = |other: &str| around.get(index + 1) == Some(&other);
        match *protocol {
            "vlan" => found.push(format!("vlan:{}", number_of("vlan", "vlan.id").unwrap())),
            "ieee8021ad" => found.push(format!("vlan:{}", number_of("ieee8021ad", "ieee8021ad.id").unwrap())),
            // One layer that holds all labels.
            "mpls" => found.extend(items(layers.get("mpls")).into_iter().filter_map(|layer| {
                text(layer, "mpls.label").map(|label| format!("mpls:{}", number(&label)))
            })),
            "pppoes" => found.push(format!("pppoe:{}", number_of("pppoes", "pppoe.session_id").unwrap())),
            "geneve" => found.push(format!("geneve:{}", number_of("geneve", "geneve.vni").unwrap())),
            "vxlan" => found.push(format!("vxlan:{}", number_of("vxlan", "vxlan.vni").unwrap())),
            "gre" if followed_by("erspan") => {
                let kind =
                    items(layers.get("erspan")).first().and_then(|layer| text(layer, "erspan.version"));
                let session =
                    items(layers.get("erspan")).first().and_then(|layer| text(layer, "erspan.spanid"));
                found.push(match (kind.as_deref().map(number), session) {
                    (Some(version), Some(session)) => format!("erspan{}:{}", version + 1, number(&session)),
                    _ => "erspan1".to_owned(),
                });
            }
            "gre" => found.push(match number_of("gre", "gre.key") {
                Some(key) => format!("gre:{key}"),
                None => "gre".to_owned(),
            }),
            inner @ ("ip" | "ipv6") => {
                // IP right inside IP is a tunnel of its own.
                found.extend(match (outer_ip, inner) {
                    (Some("ip"), "ip") => Some("ipip".to_owned()),
                    (Some("ip"), _) => Some("6in4".to_owned()),
                    (Some(_), "ip") => Some("4in6".to_owned()),
                    (Some(_), _) => Some("6in6".to_owned()),
                    (None, _) => None,
                });
                outer_ip = Some(inner);
                continue;
            }
            _ => {}
        }
        outer_ip = None;
    }
    found
}

/// The connections of a capture, by tshark.
fn opinion(name: &str, names: &Names) -> Vec<Flow> {
    let output = Command::new("tshark")
        .current_dir(support::captures())
        .args(["-n", "-r", name, "-T", "json", "--no-duplicate-keys"])
        .args(["-o", "tcp.desegment_tcp_streams:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE"])
        .args(["-o", "tls.desegment_ssl_records:TRUE", "-o", "tls.desegment_ssl_application_data:TRUE"])
        .args(["-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE", "--enable-heuristic", "tls_tcp"])
        .args(["-J", "frame ip ipv6 tcp tls http vlan ieee8021ad mpls pppoes geneve vxlan gre erspan"])
        .output()
        .unwrap();
    let packets: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut flows: BTreeMap<u64, Flow> = BTreeMap::new();
    for packet in items(Some(&packets)) {
        let layers = &packet["_source"]["layers"];
        let protocols = layers["frame"]["frame.protocols"].as_str().unwrap_or_default();
        let protocols: Vec<&str> = protocols.split(':').collect();
        let Some(tcp) = items(layers.get("tcp")).into_iter().next_back() else { continue };
        let (Some(stream), Some(from), Some(to)) =
            (text(tcp, "tcp.stream"), text(tcp, "tcp.srcport"), text(tcp, "tcp.dstport"))
        else {
            continue;
        };
        let place = protocols.iter().rposition(|protocol| *protocol == "tcp").unwrap_or(0);
        let Some(family) =
            protocols[..place].iter().rev().find(|protocol| matches!(**protocol, "ip" | "ipv6"))
        else {
            continue;
        };
        let ip = items(layers.get(*family)).into_iter().next_back().unwrap();
        let address = |end: &str| ip[format!("{family}.{end}")].as_str().unwrap().to_owned();
        let (source, destination) = ((address("src"), from), (address("dst"), to));
        let is_new = !flows.contains_key(&number(&stream));
        let flow = flows.entry(number(&stream)).or_default();
        if is_new {
            let layers = encapsulation(&protocols, layers);
            flow.set_or_absent("capture.encapsulation", (!layers.is_empty()).then(|| json!(layers)));
            // Who opened it, until a hello says who is who.
            let is_answer = text(tcp, "tcp.flags.syn").as_deref() == Some("1")
                && text(tcp, "tcp.flags.ack").as_deref() == Some("1");
            let ends = (Some(source.clone()), Some(destination.clone()));
            (flow.client, flow.server) = if is_answer { (ends.1, ends.0) } else { ends };
        }
        if protocols.contains(&"socks") {
            flow.set("proxy.kind", "socks5");
        } else if protocols.contains(&"proxy") {
            flow.set("proxy.kind", "proxy_protocol");
        }
        flow.see(layers, &source, &destination, names);
    }
    flows
        .into_values()
        .map(|mut flow| {
            flow.finish();
            flow
        })
        .collect()
}

/// Differences found, less those that are tshark's; remembers which of [`SKIPS`] were needed.
struct Findings {
    used: Mutex<BTreeSet<usize>>,
}

impl Findings {
    fn is_skipped(&self, capture: &str, key: &str) -> bool {
        let index = SKIPS.iter().position(|(pattern, skipped, _)| {
            skipped.strip_suffix('*').map_or(*skipped == key, |start| key.starts_with(start))
                && pattern.strip_suffix('*').map_or(*pattern == capture, |start| capture.starts_with(start))
        });
        index.is_some_and(|index| {
            self.used.lock().unwrap().insert(index);
            true
        })
    }

    fn compare(&self, capture: &str, names: &Names) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut note = |key: &str, line: String| {
            if !self.is_skipped(capture, key) {
                wrong.push(format!("{capture}: {line}"));
            }
        };
        let output = golden::analyze(capture, &["--all-services", "--format", "jsonl", "--redact", "off"]);
        let mut left = support::records(&output);
        for flow in opinion(capture, names) {
            let ends = |record: &Record| {
                let end = |side: &str| {
                    let part =
                        |what: &str| record.get(&format!("{side}.{what}")).map(shown).unwrap_or_default();
                    (part("address"), part("port"))
                };
                (Some(end("client")), Some(end("server")))
            };
            let is_sure = flow.has_client_hello || flow.has_server_hello || flow.has_request;
            let matches = |record: &Record| {
                let (client, server) = ends(record);
                let is_turned = client == flow.server && server == flow.client;
                (client == flow.client && server == flow.server) || (!is_sure && is_turned)
            };
            let Some(index) = left.iter().position(matches) else {
                if flow.must_be_reported() {
                    note("flow", format!("no record of {:?} to {:?}", flow.client, flow.server));
                }
                continue;
            };
            let record = left.remove(index);
            if !flow.must_be_reported() && !flow.has_records {
                note(
                    "flow",
                    format!(
                        "a record of {:?} to {:?}, which is neither TLS nor HTTP",
                        flow.client, flow.server
                    ),
                );
                continue;
            }
            for (key, expected) in &flow.facts {
                let found = record.get(*key);
                if !expected.is_met(found) {
                    let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
                    note(key, format!("{key}: tshark {expected:?}, found {found}"));
                }
            }
        }
        for record in left {
            note(
                "flow",
                format!("tshark has no such flow: {}:{}", record["client.address"], record["client.port"]),
            );
        }
        wrong
    }
}

#[test]
fn tshark_says_the_same() {
    if !support::is_there("tshark") {
        return;
    }
    let names = Names::load();
    let findings = Findings { used: Mutex::default() };
    let wrong: Vec<String> = support::each(&golden::names(), |name| findings.compare(name, &names))
        .into_iter()
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    let version = Command::new("tshark").arg("--version").output().unwrap();
    if !String::from_utf8_lossy(&version.stdout).contains(SKIPS_FOR) {
        println!("the list of differences is written for {SKIPS_FOR}x");
        return;
    }
    let used = findings.used.lock().unwrap();
    for (index, (capture, key, reason)) in SKIPS.iter().enumerate() {
        assert!(used.contains(&index), "not needed any more: {capture} {key} ({reason})");
    }
}

#[test]
fn engine_sees_differences() {
    let found = json!("TLS_AES_128_GCM_SHA256");
    assert!(Expected::Is(found.clone()).is_met(Some(&found)));
    assert!(!Expected::Is(json!("TLS_AES_256_GCM_SHA384")).is_met(Some(&found)));
    assert!(!Expected::Absent.is_met(Some(&found)));
    assert!(!Expected::Is(found).is_met(None));
    assert!(Expected::Is(json!(false)).is_met(None));
    assert!(!Expected::Is(json!(true)).is_met(None));
    assert!(!Expected::Holds(vec!["Amazon".to_owned()]).is_met(Some(&json!("CN=Other"))));
    assert!(Expected::Reads("A.example".to_owned()).is_met(Some(&json!("a.EXAMPLE"))));
    assert!(is_grease("0xfafa") && !is_grease("0x0a1a") && !is_grease("0x001d"));
    assert_eq!(bits("00:ff:00"), 16);
    assert_eq!(bits("01:00"), 9);
}
