//! tshark's opinion of every shipped capture against the records, flow by flow.
//!
//! tshark is another program by other people: where both say the same, a fault would have to be made twice.
//! Where they differ for a reason that lies with tshark, the reason stands in [`SKIPS`].

mod encapsulation;
mod flow;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use self::encapsulation::encapsulation;
use self::flow::{Expected, Flow};
use self::report::*;
use crate::golden;
use crate::support::{self, Record, shown};

/// Why tshark differs on connections of SSL 2.
const SSL2: &str = "of hellos that are SSL 2 altogether tshark gives other fields";

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
    ("lost-half-hello.pcap", "tls.client.*", "tshark says nothing of a hello whose end is missing"),
    ("mirror-truncated.pcap", "tls.client.*", "tshark says nothing of a hello whose end is missing"),
    ("ssl2.pcap", "tls.cipher*", SSL2),
    ("ssl2.pcap", "tls.client.supported_ciphers", SSL2),
    ("ssl2.pcap", "tls.protocol.version", SSL2),
    ("ssl2-resumed.pcap", "tls.cipher*", SSL2),
    ("ssl2-resumed.pcap", "tls.client.supported_ciphers", SSL2),
    ("ssl2-resumed.pcap", "tls.protocol.version", SSL2),
    (
        "sslv2-hello.pcap",
        "tls.client.supported_ciphers",
        "tshark does not list the suites of a hello in SSL 2 framing",
    ),
    (
        "java-sslv2-hello.pcap",
        "tls.client.supported_ciphers",
        "tshark does not list the suites of a hello in SSL 2 framing",
    ),
    ("nat-two-interfaces.pcapng", "flow", "tshark does not join the two sides of address translation"),
];

/// See [`SKIPS`].
const SKIPS_FOR: &str = "TShark (Wireshark) 4.0.";

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
