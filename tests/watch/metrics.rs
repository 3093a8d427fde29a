//! What is scraped: it adds up, real Prometheus takes it, it is bounded.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, Metrics};

fn assert_adds_up(metrics: &Metrics) {
    let interfaces = metrics.values("ddbwatch_packets_total", "interface");
    for family in ["ddbwatch_packets_total", "ddbwatch_bytes_total"] {
        for interface in &interfaces {
            let at = |stage| metrics.sum(family, &[("interface", interface), ("stage", stage)]);
            assert_eq!(at("seen"), at("skipped") + at("parsed"), "{family} of {interface}");
        }
    }
    let flows = metrics.sum("ddbwatch_flows_total", &[]);
    assert_eq!(
        metrics.sum("ddbwatch_flows_opened_total", &[]),
        flows
            + metrics.sum("ddbwatch_flow_evictions_total", &[])
            + metrics.sum("ddbwatch_flow_table_entries", &[])
    );
    assert_eq!(flows, metrics.sum("ddbwatch_coverage_flows_total", &[]));
    assert_eq!(flows, metrics.sum("ddbwatch_flow_verdicts_total", &[]));
}

#[test]
fn every_scrape_adds_up_while_packets_come() {
    let daemon = Daemon::start(&["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"], "");
    let mut last = 0.0;
    for _ in 0..20 {
        let metrics = daemon.metrics();
        assert_adds_up(&metrics);
        let seen = metrics.sum("ddbwatch_packets_total", &[("stage", "seen")]);
        assert!(seen >= last);
        last = seen;
        std::thread::sleep(Duration::from_millis(110));
    }
    assert!(last > 1_000.0);
}

#[test]
fn the_whole_collection_adds_up_and_promtool_has_no_complaint() {
    let daemon = Daemon::start(&["--replay", ".", "--speed", "max"], "");
    daemon.wait_until_over();
    let answer = daemon.get("/metrics");
    assert!(answer.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"));
    let metrics = Metrics::parse(&answer.body);
    assert_adds_up(&metrics);
    assert!(metrics.sum("ddbwatch_violations_total", &[("rule", "tls_version_too_low")]) > 0.0);
    let text = daemon.path("metrics.txt");
    std::fs::write(&text, &answer.body).unwrap();
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&text).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[test]
fn every_metric_of_the_list_is_there_from_the_start() {
    // One frame in a hundred thousand seconds: nothing was reported yet.
    let daemon =
        Daemon::start(&["--replay", "boto3-tls.pcap", "--speed", "0.00001"], "[metrics]\noffenders = 3\n");
    let text = daemon.get("/metrics").body;
    for metric in ddbwatch::telemetry::metrics::ALL {
        // Families whose series need an interface, a flow or an offender have none yet.
        let needs_more = metric
            .labels
            .iter()
            .any(|label| ["interface", "region", "reason", "client", "layer"].contains(&label.name));
        assert!(
            needs_more || text.contains(&format!("# TYPE {} {}", metric.name, metric.kind.as_str())),
            "{} is missing in\n{text}",
            metric.name
        );
    }
    let readme = include_str!("../../README.md");
    for line in daemon.get("/metrics").body.lines().filter(|line| line.starts_with("# HELP process_")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
    for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
    }
    let metrics = Metrics::parse(&text);
    assert_eq!(metrics.sum("ddbwatch_config_last_reload_successful", &[]), 1.0);
    assert!(metrics.sum("ddbwatch_config_last_reload_success_timestamp_seconds", &[]) > 1.7e9);
    assert!(text.contains("ddbwatch_log_events_folded_total{event=\"violation\"} 0"));
    assert!(text.contains("ddbwatch_flow_verdicts_total{profile=\"aws-dynamodb\",verdict=\"violation\"} 0"));
}

#[test]
fn series_are_capped_and_what_is_folded_is_counted() {
    let daemon = Daemon::start(&["--replay", ".", "--speed", "max"], "[metrics]\nmax_series = 150\n");
    daemon.wait_until_over();
    let metrics = daemon.metrics();
    let own = metrics.0.iter().filter(|(name, ..)| name.starts_with("ddbwatch_")).count();
    // The cap, what stands beside it (one series per rule, per metric, per event), and one that says `other`
    // for each combination of closed labels.
    assert!(own < 150 + 250, "{own} series");
    assert!(metrics.sum("ddbwatch_series_folded_total", &[]) > 0.0);
    assert_adds_up(&metrics);
}

#[test]
fn a_real_prometheus_scrapes_it() {
    let daemon = Daemon::start(&["--replay", "boto3-tls.pcap", "--speed", "max"], "");
    daemon.wait_until_over();
    let config = daemon.path("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: ddbwatch\n  static_configs:\n  - targets: ['{}']\n",
        daemon.address
    );
    std::fs::write(&config, text).unwrap();
    // A port that was free a moment ago; Prometheus does not tell one that it chose by itself.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", daemon.path("tsdb").display()))
        .arg(format!("--web.listen-address={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    let ask = |query: &str| -> Option<f64> {
        let stream = std::net::TcpStream::connect(port).ok()?;
        drop(stream);
        let answer = super::get(port, &format!("/api/v1/query?query={query}"));
        let answer: Value = serde_json::from_str(&answer.body).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    let mut found = None;
    while found.is_none() && begin.elapsed() < Duration::from_secs(40) {
        std::thread::sleep(Duration::from_millis(200));
        found = ask("sum(ddbwatch_flows_total)");
    }
    let up = ask("up");
    let _ = prometheus.kill();
    let _ = prometheus.wait();
    assert_eq!(up, Some(1.0));
    assert_eq!(found, Some(daemon.metrics().sum("ddbwatch_flows_total", &[])));
}
