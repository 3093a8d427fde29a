//! Nothing is lost in silence: the counts of the contract add up for every shipped capture.

use std::collections::BTreeMap;

use crate::golden;

/// `metric{labels}` → value.
fn series(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn sum(series: &BTreeMap<String, f64>, metric: &str, label: &str) -> f64 {
    series
        .iter()
        .filter(|(name, _)| name.split('{').next() == Some(metric) && name.contains(label))
        .map(|(_, value)| value)
        .sum()
}

#[test]
fn packets_seen_are_skipped_or_parsed() {
    let mut packets = 0.0;
    for name in golden::names() {
        let series = series(&golden::analyze(&name, &["--format", "prometheus"]));
        for metric in ["ddbwatch_packets_total", "ddbwatch_bytes_total"] {
            let [seen, skipped, parsed] = ["seen", "skipped", "parsed"]
                .map(|stage| sum(&series, metric, &format!("stage=\"{stage}\"")));
            assert_eq!(seen, skipped + parsed, "{name}: {metric}");
            packets += seen;
        }
    }
    assert!(packets > 1_000.0);
}

#[test]
fn flows_opened_are_reported_evicted_or_open() {
    for name in golden::names() {
        for arguments in [&["--format", "prometheus"][..], &["--format", "prometheus", "--all-services"]] {
            let series = series(&golden::analyze(&name, arguments));
            let opened = sum(&series, "ddbwatch_flows_opened_total", "");
            let records = sum(&series, "ddbwatch_flow_verdicts_total", "");
            let evictions = sum(&series, "ddbwatch_flow_evictions_total", "");
            let open = sum(&series, "ddbwatch_flow_table_entries", "");
            assert_eq!(opened, records + evictions + open, "{name} {arguments:?}");
            let coverage = sum(&series, "ddbwatch_coverage_flows_total", "");
            assert_eq!(coverage, records, "{name} {arguments:?}");
        }
    }
}
