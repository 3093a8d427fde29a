use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use super::*;
use crate::export::sample;
use crate::model::{Timestamp, Violation};
use crate::telemetry::InterfaceCounts;
use crate::telemetry::metrics::Scope;

fn options() -> MetricsOptions {
    MetricsOptions {
        profile: Some("aws-dynamodb".into()),
        rules: vec![("tls_version_too_low", Severity::Critical), ("sni_missing", Severity::Info)],
        decode_errors: vec![("ipv6", "truncated"), ("tls", "not_tls")],
        regions: ["eu-central-1", "eu-west-1"].map(str::to_owned).into(),
        prefix_list_published: Some(Timestamp::from_seconds(1_795_341_600)),
        ..MetricsOptions::default()
    }
}

fn accounts() -> Accounts {
    let count = |packets, bytes| StageCounts { packets, bytes };
    let mut accounts =
        Accounts { flow_table_limit: 200_000, flows_open: 1, flows_opened: 14, ..Accounts::default() };
    accounts.last_packet = Some(Timestamp::from_nanos(1_795_428_000_250_000_000));
    accounts.interfaces.insert(
        "eth0\"\\\n".into(),
        InterfaceCounts {
            seen: count(10, 1_000),
            skipped: count(3, 300),
            parsed: count(7, 700),
            last_packet: accounts.last_packet,
        },
    );
    accounts.dropped.insert(("eth0".into(), "kernel", "buffer_full"), 4);
    accounts.decode_errors.insert(("ipv4", "bad_length"), 2);
    accounts.evictions.insert("not_tls", 5);
    accounts
}

fn encode(metrics: &mut Metrics, records: &[Record]) -> String {
    records.iter().for_each(|record| metrics.observe(record));
    metrics.set_accounts(&accounts());
    metrics.encode().expect("text")
}

/// Samples by name and labels as written; every line is a comment or a sample.
fn samples(text: &str) -> HashMap<&str, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect(line);
            (series, value.parse().expect(line))
        })
        .collect()
}

#[test]
fn counts_flows_handshakes_and_violations() {
    let text = encode(&mut Metrics::new(options()).unwrap(), &sample::all());
    let samples = samples(&text);
    for (series, value) in [
        (
            r#"ddbwatch_flows_total{access="direct_connect_public",endpoint="account",entry="public_endpoint",outcome="completed",region="us-gov-west-1",service="dynamodb"}"#,
            1.0,
        ),
        (
            r#"ddbwatch_flows_total{access="unknown",endpoint="none",entry="unknown",outcome="completed",region="none",service="none"}"#,
            1.0,
        ),
        (
            r#"ddbwatch_handshakes_total{access="direct_connect_public",cipher="TLS_AES_256_GCM_SHA384",entry="public_endpoint",group="X25519MLKEM768",region="eu-central-1",resumed="true",version="1.3"}"#,
            1.0,
        ),
        (
            r#"ddbwatch_handshakes_total{access="direct_connect_public",cipher="SSL_CK_RC4_128_WITH_MD5",entry="public_endpoint",group="none",region="eu-central-1",resumed="false",version="2"}"#,
            1.0,
        ),
        (
            r#"ddbwatch_handshakes_refused_total{offered="1.0",reason="protocol_version",region="eu-central-1"}"#,
            1.0,
        ),
        (
            r#"ddbwatch_violations_total{access="direct_connect_public",entry="public_endpoint",region="eu-central-1",rule="tls_version_too_low",severity="critical"}"#,
            2.0,
        ),
        (
            r#"ddbwatch_violations_total{access="unknown",entry="unknown",region="none",rule="sni_missing",severity="info"}"#,
            0.0,
        ),
        (r#"ddbwatch_flow_verdicts_total{profile="aws-dynamodb",verdict="violation"}"#, 4.0),
        (r#"ddbwatch_violating_clients{rule="tls_version_too_low"}"#, 1.0),
        (r#"ddbwatch_violating_clients{rule="sni_missing"}"#, 0.0),
        (r#"ddbwatch_key_exchange_total{kind="post_quantum",region="eu-central-1"}"#, 1.0),
        (r#"ddbwatch_key_exchange_total{kind="none",region="eu-central-1"}"#, 2.0),
        (r#"ddbwatch_key_exchange_total{kind="classical",region="eu-central-1"}"#, 2.0),
        (
            r#"ddbwatch_handshake_duration_seconds_bucket{access="direct_connect_public",region="eu-central-1",le="0.05"}"#,
            5.0,
        ),
        (
            r#"ddbwatch_handshake_duration_seconds_bucket{access="direct_connect_public",region="eu-central-1",le="0.025"}"#,
            0.0,
        ),
        (r#"ddbwatch_coverage_flows_total{completeness="full"}"#, 8.0),
        (r#"ddbwatch_coverage_flows_total{completeness="mid_stream"}"#, 0.0),
        (r#"ddbwatch_packets_total{interface="eth0\"\\\n",stage="parsed"}"#, 7.0),
        (r#"ddbwatch_bytes_total{interface="eth0\"\\\n",stage="seen"}"#, 1_000.0),
        (r#"ddbwatch_dropped_total{interface="eth0",reason="buffer_full",stage="kernel"}"#, 4.0),
        (r#"ddbwatch_decode_errors_total{layer="ipv4",reason="bad_length"}"#, 2.0),
        (r#"ddbwatch_decode_errors_total{layer="ipv6",reason="truncated"}"#, 0.0),
        (r#"ddbwatch_flow_evictions_total{reason="not_tls"}"#, 5.0),
        (r#"ddbwatch_flow_evictions_total{reason="memory_full"}"#, 0.0),
        ("ddbwatch_flows_opened_total", 14.0),
        ("ddbwatch_flow_table_entries", 1.0),
        ("ddbwatch_flow_table_limit", 200_000.0),
        (r#"ddbwatch_capture_last_packet_timestamp_seconds{interface="eth0\"\\\n"}"#, 1_795_428_000.25),
        ("ddbwatch_prefix_list_age_seconds", 86_400.0),
        (r#"ddbwatch_series_folded_total{metric="ddbwatch_flows_total"}"#, 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}\n{text}");
    }
    assert!(!text.contains("ddbwatch_offender_flows_total"), "addresses are shown only on request");
    assert!(!text.contains("10.0.1."));
}

#[test]
fn agrees_with_the_rule_on_what_is_post_quantum() {
    use crate::model::registry::NamedGroup;
    use crate::policy::{Options, Rule, evaluate};
    let mut always = Options::default();
    always.settings.severities.set(Rule::NotPostQuantum, Some(Severity::Warning));
    let base = sample::all()
        .into_iter()
        .find(|record| record.tls.as_ref().is_some_and(|tls| tls.group().is_some_and(NamedGroup::is_ml_kem)))
        .unwrap();
    for group in NamedGroup::all() {
        let mut record = base.clone();
        record.tls.as_mut().unwrap().server_hello.as_mut().unwrap().key_share = Some(group);
        assert_eq!(record.tls.as_ref().unwrap().group(), Some(group));
        let is_broken = evaluate(&record, &always)
            .violations
            .iter()
            .any(|found| found.rule == Rule::NotPostQuantum.as_str());
        let kind = key_exchange(record.tls.as_ref().unwrap());
        assert_eq!(kind == "post_quantum", !is_broken, "{group}: {kind}");
    }
}

#[test]
fn gives_the_same_text_for_the_same_input() {
    let texts: BTreeSet<String> =
        (0..4).map(|_| encode(&mut Metrics::new(options()).unwrap(), &sample::all())).collect();
    assert_eq!(texts.len(), 1);
}

#[test]
fn takes_accounts_again_without_counting_twice() {
    let mut metrics = Metrics::new(options()).unwrap();
    let once = encode(&mut metrics, &[]);
    assert_eq!(encode(&mut metrics, &[]), once);
}

#[test]
fn writes_every_listed_metric_with_its_help_kind_and_labels() {
    let mut metrics = Metrics::new(MetricsOptions { offenders: 1, ..options() }).unwrap();
    let text = encode(&mut metrics, &sample::all());
    let families = metrics.registry.gather();
    for metric in metrics::ALL {
        let family = families.iter().find(|family| family.name() == metric.name);
        assert_eq!(family.is_some(), metric.scope == Scope::Everywhere, "{}", metric.name);
        if family.is_some() {
            assert!(text.contains(&format!(
                "# HELP {} {}\n# TYPE {0} {}\n",
                metric.name,
                metric.help,
                metric.kind.as_str()
            )));
        }
        for pair in family.iter().flat_map(|family| family.get_metric()).flat_map(|series| series.get_label())
        {
            let label = metric.labels.iter().find(|label| label.name == pair.name()).expect("a listed label");
            if let metrics::Values::Words(sets) = label.values {
                assert!(
                    sets.iter().copied().flatten().any(|word| *word == pair.value()),
                    "{}{{{}=\"{}\"}} is not of the closed set",
                    metric.name,
                    pair.name(),
                    pair.value()
                );
            }
        }
    }
    assert_eq!(
        families.len(),
        metrics::ALL.iter().filter(|metric| metric.scope == Scope::Everywhere).count()
    );
}

#[test]
fn folds_what_finds_no_room() {
    let mut metrics = Metrics::new(MetricsOptions { max_series: 60, ..options() }).unwrap();
    let mut record = sample::tls12();
    for number in 0..1_000 {
        record.endpoint.region = Some(format!("xx-attack-{number}"));
        metrics.observe(&record);
    }
    let text = encode(&mut metrics, &[]);
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("series_folded")).count();
    // Beyond the cap there is one series per metric, of the histogram all its lines, and what is not capped.
    assert!(lines < 60 + 40, "{lines} lines\n{text}");
    let samples = samples(&text);
    let total: f64 = samples
        .iter()
        .filter(|(series, _)| series.starts_with("ddbwatch_flows_total"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(total, 1_000.0);
    assert!(samples[r#"ddbwatch_series_folded_total{metric="ddbwatch_flows_total"}"#] > 900.0);
}

/// Regions that somebody made up take no place of those there are.
#[test]
fn shows_all_known_regions_and_only_so_many_others() {
    let mut metrics = Metrics::new(options()).unwrap();
    let mut record = sample::tls12();
    let invented = (0..100).map(|number| format!("xx-attack-{number}"));
    for region in invented.chain(["eu-west-1".to_owned()]) {
        record.endpoint.region = Some(region);
        metrics.observe(&record);
    }
    let opened = MetricsOptions { regions: ["eu-new-1".to_owned()].into(), ..options() };
    metrics.reconfigure(&opened);
    record.endpoint.region = Some("eu-new-1".to_owned());
    metrics.observe(&record);
    assert_eq!(metrics.folded(), 84 * 4, "of four metrics with regions");
    let text = encode(&mut metrics, &[]);
    let samples = samples(&text);
    let of_regions = samples.keys().filter(|series| series.starts_with("ddbwatch_key_exchange_total"));
    assert_eq!(of_regions.count(), MAX_OTHER_REGIONS + 3);
    for (region, flows) in [("eu-west-1", 1.0), ("eu-new-1", 1.0), ("other", 84.0)] {
        let series = format!(r#"ddbwatch_key_exchange_total{{kind="classical",region="{region}"}}"#);
        assert_eq!(samples[series.as_str()], flows);
    }
    assert_eq!(samples[r#"ddbwatch_series_folded_total{metric="ddbwatch_key_exchange_total"}"#], 84.0);
}

/// Nothing folds while there is room, and where suites take all of theirs, the other metrics keep their regions.
#[test]
fn shows_regions_and_suites_while_there_is_room() {
    use crate::model::registry::CipherSuite;
    let regions: Vec<String> = (1..=42).map(|number| format!("eu-west-{number}")).collect();
    let known = MetricsOptions { regions: regions.iter().cloned().collect(), ..options() };
    let mut metrics = Metrics::new(known).unwrap();
    let mut record = sample::tls12();
    record.handshake_duration = None;
    let mut observe = |metrics: &mut Metrics, region: &String, outcome, suites: usize| {
        (record.endpoint.region, record.outcome) = (Some(region.clone()), outcome);
        for suite in CipherSuite::all().take(suites) {
            record.tls.as_mut().unwrap().server_hello.as_mut().unwrap().cipher_suite = suite;
            metrics.observe(&record);
        }
    };
    for region in &regions {
        observe(&mut metrics, region, Outcome::Completed, 60);
    }
    assert_eq!(metrics.folded(), 0);
    for region in &regions {
        observe(&mut metrics, region, Outcome::Completed, 300);
    }
    let folded = metrics.folded();
    for region in &regions {
        observe(&mut metrics, region, Outcome::Reset, 1);
    }
    assert!(folded > 0);
    assert_eq!(metrics.folded(), folded, "flows and refusals of every region have a series");
}

/// Names and suites that strangers choose must not silence what alerts are about.
#[test]
fn a_flood_of_series_silences_no_violation() {
    use crate::model::registry::CipherSuite;
    let rules: Vec<_> =
        crate::policy::Rule::ALL.iter().map(|rule| (rule.as_str(), Severity::Critical)).collect();
    let all = MetricsOptions { rules: rules.clone(), ..options() };
    for max_series in [100, 1_000, 5_000] {
        let mut metrics = Metrics::new(MetricsOptions { max_series, ..all.clone() }).unwrap();
        let mut flood = sample::tls12();
        for number in 0..MAX_OTHER_REGIONS {
            flood.endpoint.region = Some(format!("xx-attack-{number}"));
            for kind in EndpointKind::ALL.iter().filter(|kind| **kind != EndpointKind::Unrecognised) {
                flood.endpoint.kind = Some(*kind);
                for outcome in Outcome::ALL {
                    flood.outcome = *outcome;
                    metrics.observe(&flood);
                }
            }
            for suite in CipherSuite::all().take(300) {
                flood.tls.as_mut().unwrap().server_hello.as_mut().unwrap().cipher_suite = suite;
                metrics.observe(&flood);
            }
        }
        let mut late = sample::old_version();
        late.endpoint.region = Some("eu-west-1".to_owned());
        let policy = late.policy.as_mut().unwrap();
        let violation = policy.violations.pop().unwrap();
        policy.violations.clear();
        for &(rule, severity) in &rules {
            policy.violations.push(Violation { rule, severity, ..violation.clone() });
        }
        metrics.observe(&late);
        let text = encode(&mut metrics, &[]);
        let samples = samples(&text);
        let sum = |metric: &str, labels: &[(&str, &str)]| -> f64 {
            let has =
                |series: &str, (name, value): (&str, &str)| series.contains(&format!("{name}=\"{value}\""));
            let of =
                |series: &&str| series.starts_with(metric) && labels.iter().all(|label| has(series, *label));
            samples.keys().filter(|series| of(series)).map(|series| samples[series]).sum()
        };
        for (rule, _) in rules.iter().copied() {
            let labels = [("rule", rule), ("severity", "critical")];
            assert_eq!(sum("ddbwatch_violations_total", &labels), 1.0, "{rule} of {max_series}");
        }
        assert_eq!(sum("ddbwatch_flow_verdicts_total", &[("verdict", "violation")]), 1.0);
        let late = late.tls.as_ref().unwrap().version().unwrap();
        assert!(sum("ddbwatch_handshakes_total", &[("version", version_label(Some(late)))]) >= 1.0);
        for outcome in Outcome::ALL {
            assert!(sum("ddbwatch_flows_total", &[("outcome", outcome.as_str())]) > 0.0, "{outcome:?}");
        }
        // There is room for violations in full, where there is for anything.
        if max_series == 5_000 {
            assert_eq!(sum("ddbwatch_violations_total", &[("region", "eu-west-1")]), rules.len() as f64);
        }
        assert!(metrics.folded() > 0);
        let own = samples.keys().filter(|series| !series.starts_with("ddbwatch_series_folded"));
        let own = own.filter(|series| !series.starts_with("ddbwatch_violating_clients")).count();
        assert!(own <= max_series.max(400), "{own} series of {max_series}");
    }
}

#[test]
fn tells_the_newest_packet_of_interfaces_that_are_expected() {
    let mut metrics = Metrics::new(MetricsOptions { is_daemon: true, ..options() }).unwrap();
    let mut accounts = Accounts::default();
    let last_packet = Some(Timestamp::from_seconds(9));
    for name in ["eth0", "veth1"] {
        let counts = InterfaceCounts { last_packet, ..InterfaceCounts::default() };
        accounts.interfaces.insert(name.to_owned(), counts);
    }
    accounts.interfaces.insert("quiet0".to_owned(), InterfaceCounts::default());
    let mut newest = |expected: &[&str]| {
        let expected = Some(expected.iter().map(|name| (*name).to_owned()).collect());
        metrics.set_daemon(&DaemonFacts { expected, ..DaemonFacts::default() });
        metrics.set_accounts(&accounts);
        let text = metrics.encode().unwrap();
        let of_newest = |series: &&str| series.starts_with("ddbwatch_capture_last_packet");
        let all = samples(&text).into_iter().filter(|(series, _)| of_newest(series));
        all.map(|(series, value)| (series.split('"').nth(1).unwrap().to_owned(), value))
            .collect::<BTreeMap<_, _>>()
    };
    let named = |name: &str, value| (name.to_owned(), value);
    let all = [named("eth0", 9.0), named("quiet0", 0.0), named("veth1", 9.0)];
    let (there, gone) = (["eth0", "quiet0", "veth1"], ["eth0", "quiet0"]);
    assert_eq!(newest(&there), all.clone().into(), "one without a packet, too");
    assert_eq!(newest(&gone), all[..2].iter().cloned().collect(), "one that is gone does not grow old");
    assert_eq!(newest(&there), all.into(), "and is back");
}

/// A scrape observes nothing.
#[test]
fn counts_an_interface_that_shares_a_series_once() {
    let mut metrics = Metrics::new(MetricsOptions { max_series: 120, ..options() }).unwrap();
    let mut accounts = Accounts::default();
    let counts =
        InterfaceCounts { last_packet: Some(Timestamp::from_seconds(9)), ..InterfaceCounts::default() };
    // One that is called so has a series of its own.
    accounts.interfaces.insert("other".to_owned(), counts.clone());
    for number in 0..100 {
        accounts.interfaces.insert(format!("veth{number}"), counts.clone());
    }
    let folded = |metrics: &Metrics| {
        let text = metrics.encode().unwrap();
        let samples = samples(&text);
        let of_all = samples.iter().filter(|(series, _)| series.starts_with("ddbwatch_series_folded_total"));
        of_all.map(|(_, value)| *value as usize).sum::<usize>()
    };
    metrics.set_accounts(&accounts);
    let text = metrics.encode().unwrap();
    let shown = samples(&text);
    let own =
        shown.keys().filter(|series| series.starts_with("ddbwatch_packets_total{interface=\"veth")).count()
            / 3;
    assert!(own > 0 && own < 100, "{own}");
    assert_eq!(folded(&metrics), 100 - own);
    for _ in 0..3 {
        metrics.set_accounts(&accounts);
    }
    assert_eq!(folded(&metrics), 100 - own);
}

#[test]
fn takes_no_malformed_region_for_a_label() {
    for name in
        ["", "eu", "eu-central", "EU-CENTRAL-1", "eu--1", "eu-central-x", "1-a-1", "eu-central-1\"}", "ä-b-1"]
    {
        assert!(!is_region(name), "{name}");
    }
    for name in ["eu-central-1", "us-gov-west-1", "us-isob-east-1", "ap-southeast-10", "eusc-de-east-1"] {
        assert!(is_region(name), "{name}");
    }
    let mut record = sample::tls12();
    record.endpoint.kind = Some(EndpointKind::Unrecognised);
    assert_eq!(Metrics::new(options()).unwrap().regions.label(&record), UNKNOWN);
}

#[test]
fn names_the_worst_clients_on_request_and_adds_up() {
    let mut metrics = Metrics::new(MetricsOptions { offenders: 2, ..options() }).unwrap();
    let mut record = sample::old_version();
    for (last, flows) in [(1, 5), (2, 3), (3, 2), (4, 1)] {
        record.client.set_ip(Ipv4Addr::new(10, 0, 0, last).into());
        for _ in 0..flows {
            metrics.observe(&record);
        }
    }
    let text = encode(&mut metrics, &[]);
    let samples = samples(&text);
    for (client, value) in [("10.0.0.1", 5.0), ("10.0.0.2", 3.0), ("other", 3.0)] {
        let series = format!(r#"ddbwatch_offender_flows_total{{client="{client}",rule="weak_cipher"}}"#);
        assert_eq!(samples.get(series.as_str()), Some(&value), "{text}");
    }
    assert!(!text.contains("10.0.0.3"));
}

/// However many are asked for, they take no more than their part of all series, and the worst come first.
#[test]
fn names_no_more_clients_than_there_is_room_for() {
    assert!(offenders::RULES > crate::policy::Rule::ALL.len());
    for (max_series, offenders) in [(100, 1), (400, MAX_OFFENDERS), (2_000, 20), (2_000, MAX_OFFENDERS)] {
        let options = MetricsOptions { max_series, offenders, ..options() };
        let mut metrics = Metrics::new(options).unwrap();
        let mut record = sample::old_version();
        for number in 0..3_000_u16 {
            let [high, low] = number.to_be_bytes();
            record.client.set_ip(Ipv4Addr::new(10, 0, high, low).into());
            record.endpoint.region = Some(format!("xx-attack-{number}"));
            metrics.observe(&record);
            if number == 2_500 {
                metrics.observe(&record);
            }
        }
        let text = encode(&mut metrics, &[]);
        let samples = samples(&text);
        let of = |part: &str| samples.keys().filter(|series| series.contains(part)).count();
        assert!(samples.len() <= max_series.max(400), "{} series of {max_series}", samples.len());
        let rules = of(r#"client="10.0.9.196""#);
        assert!(rules > 0 && of(r#"client="other""#) == rules);
        assert!(of("client=") <= (max_series / 4).max(2 * rules));
        let is_limited_by_number = offenders == 20;
        assert_eq!(of("client=") == (offenders + 1) * rules, is_limited_by_number || offenders == 1);
        let flows = samples.iter().filter(|(series, _)| series.contains("client="));
        assert_eq!(flows.map(|(_, value)| value).sum::<f64>(), 3_001.0 * rules as f64);
    }
}

/// Nearly every flow has something that only is worth knowing: it makes nobody an offender.
#[test]
fn names_nobody_for_what_changes_no_verdict() {
    let mut metrics = Metrics::new(MetricsOptions { offenders: 1, ..options() }).unwrap();
    let mut record = sample::old_version();
    record.client.set_ip(Ipv4Addr::new(10, 0, 0, 2).into());
    metrics.observe(&record);
    record.client.set_ip(Ipv4Addr::new(10, 0, 0, 1).into());
    for violation in &mut record.policy.as_mut().unwrap().violations {
        violation.severity = Severity::Info;
    }
    for _ in 0..5 {
        metrics.observe(&record);
    }
    let text = encode(&mut metrics, &[]);
    assert!(text.contains(r#"client="10.0.0.2""#), "{text}");
    assert!(!text.contains(r#"client="10.0.0.1""#) && !text.contains(r#"client="other""#), "{text}");
}

#[test]
fn shows_the_window_before_until_a_new_one_is_over() {
    let mut metrics = Metrics::new(options()).unwrap();
    metrics.observe(&sample::old_version());
    for shown in [1, 0] {
        metrics.begin_window();
        let text = metrics.encode().unwrap();
        let series = format!("ddbwatch_violating_clients{{rule=\"weak_cipher\"}} {shown}\n");
        assert!(text.contains(&series), "{text}");
    }
}

#[test]
fn counts_a_rule_nobody_announced() {
    let mut record = sample::tls12();
    let violation = Violation {
        rule: "new_rule",
        severity: Severity::Warning,
        offending: "".into(),
        message: String::new(),
        remedy: "".into(),
        excuse: None,
    };
    record.policy.as_mut().unwrap().violations.push(violation);
    let text = encode(&mut Metrics::new(options()).unwrap(), &[record]);
    assert!(text.contains("rule=\"new_rule\",severity=\"warning\"} 1"), "{text}");
}

#[test]
fn records_leave_room_for_what_tells_of_the_capture() {
    let mut metrics = Metrics::new(MetricsOptions { max_series: 100, ..options() }).unwrap();
    let mut record = sample::tls12();
    for number in 0..1_000 {
        record.endpoint.region = Some(format!("xx-attack-{number}"));
        metrics.observe(&record);
    }
    let mut accounts = Accounts::default();
    let counts = StageCounts { packets: 3, bytes: 300 };
    let late = InterfaceCounts { seen: counts, parsed: counts, ..InterfaceCounts::default() };
    accounts.interfaces.insert("late0".to_owned(), late);
    accounts.dropped.insert(("late0".to_owned(), "ring", "full"), 5);
    metrics.set_accounts(&accounts);
    let text = metrics.encode().unwrap();
    let samples = samples(&text);
    assert_eq!(samples[r#"ddbwatch_packets_total{interface="late0",stage="seen"}"#], 3.0);
    assert_eq!(samples[r#"ddbwatch_dropped_total{interface="late0",reason="full",stage="ring"}"#], 5.0);
}

#[test]
fn keeps_the_balance_of_packets_when_interfaces_find_no_room() {
    let max_series = 2 * (20 + Eviction::ALL.len());
    let mut metrics = Metrics::new(MetricsOptions { max_series, ..MetricsOptions::default() }).unwrap();
    let mut accounts = Accounts::default();
    for number in 0..100_u64 {
        let counts = |packets| StageCounts { packets, bytes: packets };
        let last_packet = Some(Timestamp::from_seconds(1_000 - number));
        accounts.interfaces.insert(
            format!("file-{number:03}"),
            InterfaceCounts { seen: counts(3), skipped: counts(1), parsed: counts(2), last_packet },
        );
    }
    for _ in 0..2 {
        metrics.set_accounts(&accounts);
    }
    let text = metrics.encode().unwrap();
    let total = |stage: &str| -> f64 {
        let label = format!("stage=\"{stage}\"");
        let of_stage =
            |series: &&str| series.starts_with("ddbwatch_packets_total") && series.contains(&label);
        samples(&text).into_iter().filter(|(series, _)| of_stage(series)).map(|(_, value)| value).sum()
    };
    assert_eq!((total("seen"), total("skipped"), total("parsed")), (300.0, 100.0, 200.0), "{text}");
    for interface in ["file-000", "file-001", "other"] {
        let of = |stage: &str| {
            let series = format!("ddbwatch_bytes_total{{interface=\"{interface}\",stage=\"{stage}\"}}");
            samples(&text)[series.as_str()]
        };
        assert_eq!(of("seen"), of("skipped") + of("parsed"), "{interface}\n{text}");
    }
    let newest = "ddbwatch_capture_last_packet_timestamp_seconds{interface=\"other\"}";
    assert!(samples(&text)[newest] > 990.0, "{text}");
}

#[test]
fn what_comes_and_goes_beyond_the_cap_makes_no_room() {
    let mut metrics = Metrics::new(MetricsOptions { max_series: 60, ..MetricsOptions::default() }).unwrap();
    let counts = StageCounts { packets: 3, bytes: 300 };
    let seen = InterfaceCounts { seen: counts, parsed: counts, ..InterfaceCounts::default() };
    let mut lines = Vec::new();
    for round in 0..40 {
        let mut accounts = Accounts::default();
        // More than there is room for, all the time.
        for number in 0..10 {
            accounts.interfaces.insert(format!("eth{number}"), seen.clone());
        }
        for reason in
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"]
        {
            accounts.dropped.insert(("eth0".to_owned(), "ring", reason), 1);
        }
        // Every second time something that finds no room.
        if round % 2 == 1 {
            accounts.decode_errors.insert(("tls", "bad_length"), 5);
        }
        metrics.set_accounts(&accounts);
        let text = metrics.encode().unwrap();
        lines.push(text.lines().filter(|line| !line.starts_with('#')).count());
    }
    assert_eq!(lines[2..4], lines[38..], "{lines:?}");
}
