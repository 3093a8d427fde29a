//! The Prometheus project's own checker reads the metrics.

use crate::support;

/// One of each kind: TLS, plaintext, refused, tunnel, damaged, many, nothing.
const CAPTURES: [&str; 8] = [
    "tls12-ecdhe-rsa.pcap",
    "rustls-x25519mlkem768.pcap",
    "http-long-term.pcap",
    "refused-tls10-alert.pcap",
    "tunnel-vlan-geneve-vxlan-gre.pcap",
    "damaged.pcap",
    "many-flows.pcap",
    "no-tls.pcap",
];

#[test]
fn promtool_accepts_the_metrics() {
    if !support::is_there("promtool") {
        return;
    }
    for name in CAPTURES {
        for scope in [&["--all-services"][..], &[]] {
            let mut arguments = vec!["analyze", "--format", "prometheus"];
            arguments.extend(scope);
            arguments.push(name);
            let ran = support::run(&arguments);
            assert!(!ran.stdout.is_empty(), "{name}: {}", ran.stderr);
            let mut promtool = std::process::Command::new("promtool");
            let checked = support::finish_with(promtool.args(["check", "metrics"]), &ran.stdout);
            assert_eq!(checked.code, Some(0), "{name} {scope:?}: {}{}", checked.text(), checked.stderr);
        }
    }
}

#[test]
fn every_series_is_of_the_program() {
    for name in CAPTURES {
        let ran = support::run(&["analyze", "--format", "prometheus", name]);
        for line in ran.text().lines().filter(|line| !line.starts_with('#')) {
            assert!(line.starts_with("ddbwatch_") || line.starts_with("process_"), "{name}: {line}");
        }
        // No address, name or fingerprint of the network in a label.
        for secret in ["10.1.2.3", "52.94.5.10", "amazonaws.com"] {
            assert!(!ran.text().contains(secret), "{name}: {secret} is in the metrics");
        }
    }
}
