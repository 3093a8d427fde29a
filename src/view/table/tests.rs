use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::export::sample;
use crate::model::Service;
use crate::telemetry::{DamageNote, InterfaceCounts, StageCounts};
use crate::view::text::width;

fn accounts() -> Accounts {
    let count = |packets, bytes| StageCounts { packets, bytes };
    let mut accounts = Accounts {
        flows_opened: 25,
        records: 10,
        other_services: 3,
        files: 2,
        first_packet: Some(Timestamp::from_seconds(1_795_428_000)),
        last_packet: Some(Timestamp::from_seconds(1_795_428_312)),
        ..Accounts::default()
    };
    accounts.interfaces.insert(
        "eth0".into(),
        InterfaceCounts {
            seen: count(12_345, 6_789_012),
            skipped: count(345, 12),
            parsed: count(12_000, 6_789_000),
            last_packet: accounts.last_packet,
        },
    );
    accounts.skipped = [("arp", 45), ("udp", 300)].into();
    accounts.decode_errors.insert(("ipv4", "bad_length"), 2);
    accounts.evictions = [("not_tls", 8), ("not_dynamodb", 3), ("no_payload", 4)].into();
    accounts.dropped.insert(("eth0".into(), "kernel", "buffer_full"), 4);
    accounts.damage.push(DamageNote {
        file: "site-2.pcapng".into(),
        offset: Some(1_048_576),
        what: "the block ends 12 bytes before its length says".into(),
    });
    accounts.files_passed_over = vec!["notes.txt".into()];
    accounts
}

/// Ten flows of every kind.
fn mixed() -> Vec<Record> {
    let mut records = sample::all();
    records.pop();
    records.push(sample::tls12());
    records.push(sample::old_version());
    records
}

fn draw(records: &[Record], accounts: &Accounts, options: TableOptions) -> String {
    let mut table = Table::new(options, Vec::new());
    for record in records {
        table.record(record).unwrap();
    }
    table.finish(accounts).unwrap();
    String::from_utf8(table.into_inner()).unwrap()
}

fn at(width: usize) -> TableOptions {
    TableOptions {
        width,
        facts: vec!["The address list is of 2026-11-20, 3 days old at the newest packet.".into()],
        ..TableOptions::default()
    }
}

/// Without colour sequences.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split('\u{1b}');
    out.push_str(parts.next().unwrap());
    for part in parts {
        out.push_str(part.split_once('m').expect("a colour").1);
    }
    out
}

#[test]
fn shows_a_mixed_run() {
    let text = draw(&mixed(), &accounts(), at(120));
    let places: Vec<usize> = [
        "5 of 10 DynamoDB flows break the profile aws-dynamodb. 1 cannot be assessed.",
        "Findings",
        "tls_version_too_low critical",
        "Flows ──",
        "Summary",
        "violation (5)",
        "not assessable (1)",
        "pass (4)",
        "Coverage",
        "12,345 seen = 12,000 parsed + 345 skipped, 6.7 MB",
        "25 opened = 10 reported + 15 left out",
        "3 TLS or HTTP flows left out; --all-services shows them",
        "The address list is of 2026-11-20",
        "site-2.pcapng at byte 1,048,576",
        "4 kernel buffer full (eth0)",
    ]
    .iter()
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{text}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}\n{text}");
    assert!(text.lines().count() < 60, "one screen");
}

#[test]
fn never_exceeds_the_width() {
    let mut records = mixed();
    records.push(sample::other_service());
    let mut strange = sample::other_service();
    strange.tls.as_mut().unwrap().client_hello.as_mut().unwrap().server_name = Some("例".repeat(90));
    records.push(strange);
    for columns in [40, 60, 80, 100, 120, 200] {
        for is_unicode in [true, false] {
            for has_color in [true, false] {
                let text = draw(&records, &accounts(), TableOptions { is_unicode, has_color, ..at(columns) });
                assert_eq!(text.contains('\u{1b}'), has_color);
                for line in bare(&text).lines() {
                    assert!(width(line) <= columns, "{} > {columns}: {line}", width(line));
                    assert_eq!(line.trim_end(), line);
                }
            }
        }
    }
}

#[test]
fn says_the_same_with_and_without_colour() {
    let plain = draw(&mixed(), &accounts(), at(80));
    assert_eq!(bare(&draw(&mixed(), &accounts(), TableOptions { has_color: true, ..at(80) })), plain);
}

#[test]
fn keeps_to_ascii_where_it_must() {
    let text = draw(&mixed(), &accounts(), TableOptions { is_unicode: false, ..at(80) });
    let strange: String = text.chars().filter(|character| !character.is_ascii()).collect();
    assert_eq!(strange, "");
}

#[test]
fn says_plainly_that_there_was_no_dynamodb() {
    let mut accounts = accounts();
    let text = draw(&[], &accounts, at(100));
    let said =
        text.lines().take(2).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.starts_with("? No DynamoDB flow was found. There were 3 TLS or HTTP flows to other services; --all-services shows them."),
        "{text}"
    );
    accounts.other_services = 0;
    assert!(draw(&[], &accounts, at(100)).contains("25 TCP flows, none of them TLS"));
    accounts.flows_opened = 0;
    assert!(draw(&[], &accounts, at(100)).contains("12,345 packets, and no TCP flow"));
    assert!(draw(&[], &Accounts::default(), at(100)).contains("There was no packet at all."));
    let text = draw(&[sample::other_service()], &accounts, TableOptions { all_services: true, ..at(100) });
    assert!(
        text.contains("No DynamoDB flow was found. There was 1 TLS or HTTP flow to other services."),
        "{text}"
    );
}

#[test]
fn says_that_all_is_well_only_where_it_is() {
    assert!(
        draw(&[sample::tls12()], &accounts(), at(100)).starts_with("✔ 1 DynamoDB flow keeps the profile")
    );
    let text = draw(&[sample::tls12(), sample::mirrored()], &accounts(), at(100));
    assert!(text.starts_with("? 1 of 2 DynamoDB flows cannot be assessed"), "{text}");
    let mut record = sample::tls12();
    record.policy = None;
    assert!(draw(&[record], &accounts(), at(100)).starts_with("? 1 DynamoDB flow, not judged."));
    let said = |records: &[Record]| {
        draw(records, &accounts(), at(200)).lines().next().unwrap_or_default().to_owned()
    };
    let text = said(&[sample::excused()]);
    assert!(text.contains("keeps the profile aws-dynamodb only under an exception."), "{text}");
    let text = said(&[sample::tls12(), sample::excused()]);
    assert!(text.contains("keep the profile aws-dynamodb, 1 of them only under an exception."), "{text}");
    let text = said(&[sample::mirrored(), sample::excused()]);
    assert!(text.contains("none is seen to break it but for 1 flow under an exception."), "{text}");
    let text = said(&[sample::old_version(), sample::excused()]);
    assert!(text.contains("breaks the profile aws-dynamodb. 1 more breaks it under an exception."), "{text}");
}

#[test]
fn fits_a_screen_however_many_flows_there_are() {
    let mut table = Table::new(at(100), Vec::new());
    let samples = mixed();
    for number in 0..20_000_u32 {
        let mut record = samples[number as usize % samples.len()].clone();
        record.client.set_ip(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)));
        if let Some(hello) = record.tls.as_mut().and_then(|tls| tls.client_hello.as_mut()) {
            hello.server_name = Some(format!("{number}.example"));
        }
        for violation in record.policy.iter_mut().flat_map(|policy| &mut policy.violations) {
            violation.offending = format!("{number}").into();
        }
        table.record(&record).unwrap();
    }
    assert!(table.summary.clients.len() <= 4_096);
    assert!(table.summary.lines.values().all(|lines| lines.len() <= 512));
    table.finish(&accounts()).unwrap();
    let text = String::from_utf8(table.into_inner()).unwrap();
    assert!(text.lines().count() < 65, "{text}");
    assert!(text.contains("more flows; --format jsonl shows all"), "{text}");
}

#[test]
fn shows_no_control_character_of_a_stranger() {
    let mut record = sample::other_service();
    let hello = record.tls.as_mut().unwrap().client_hello.as_mut().unwrap();
    hello.server_name = Some("a\u{1b}[2Jb\u{9b}\r\nc".into());
    let mut accounts = accounts();
    accounts.files_passed_over.push("x\u{1b}]0;y\u{7}".into());
    let text = draw(&[record], &accounts, TableOptions { all_services: true, ..at(120) });
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    assert!(text.contains(r"a\u{1b}[2Jb\u{9b}"), "{text}");
}

#[test]
fn shows_the_worst_flows_first() {
    let mut records = vec![sample::tls12(); 100];
    records.push(sample::refused());
    records.push(sample::old_version());
    let text = draw(&records, &accounts(), TableOptions { rows: 2, ..at(120) });
    let flows = &text[text.find("Flows ──").unwrap()..text.find("Summary").unwrap()];
    assert!(flows.contains("10.0.1.9") && flows.contains("10.0.1.77"), "{text}");
    assert!(flows.find("10.0.1.9") < flows.find("10.0.1.77"));
    assert!(flows.contains("100 more flows"), "{text}");
}

#[test]
fn shows_doubt_of_a_service_that_several_names_leave_open() {
    for (service, word) in [
        (Service::Dynamodb, "dynamodb?"),
        (Service::DynamodbStreams, "streams?"),
        (Service::DynamodbSearch, "search?"),
        (Service::Dax, "dax?"),
    ] {
        let mut record = sample::tls12();
        record.endpoint.service = Some(service);
        let text = draw(&[record.clone()], &accounts(), at(120));
        assert!(!text.contains(word) && text.contains(&format!("{service} (1)")), "{text}");
        let sure = record.clone();
        record.endpoint.has_many_services = true;
        let text = draw(&[sure, record], &accounts(), at(120));
        assert!(text.contains(&format!("eu-central-1 {word}")), "{text}");
        assert!(
            text.contains(&format!("{service} (1)")) && text.contains(&format!("{service}? (1)")),
            "{text}"
        );
    }
}

#[test]
fn tells_other_services_apart() {
    let mut other = sample::other_service();
    other.policy = sample::old_version().policy;
    let options = TableOptions { all_services: true, ..at(120) };
    let text = draw(&[sample::tls12(), other.clone()], &Accounts::default(), options.clone());
    assert!(
        text.starts_with(
            "✔ 1 DynamoDB flow keeps the profile aws-dynamodb. 1 flow to other services breaks it.\n"
        ),
        "{text}"
    );
    let text = draw(std::slice::from_ref(&other), &Accounts::default(), options.clone());
    assert!(text.starts_with("? No DynamoDB flow was found. There was 1 TLS or HTTP flow"), "{text}");
    assert!(text.contains("1 flow to other services breaks the\n  profile aws-dynamodb."), "{text}");
    // One of them may have been DynamoDB's.
    let evictions = [("not_dynamodb", 2), ("requests_beyond_limit", 1)].into();
    let accounts = Accounts { other_services: 3, evictions, ..Accounts::default() };
    let text = draw(&[], &accounts, options);
    let said: Vec<&str> = text.split_whitespace().collect();
    assert!(said.join(" ").contains("to other services. Of 1 of them not all requests were read."), "{text}");
}

/// Without a kind there is still something that the endpoint is known by.
#[test]
fn says_what_an_endpoint_of_no_known_kind_is_known_by() {
    use crate::model::EndpointEvidence::{Dns, HttpHost, Prefix, ProxyTarget, Sni};
    for (evidence, expected) in [
        (vec![Prefix], "eu-west-1 by address"),
        (vec![Prefix, ProxyTarget], "eu-west-1 by address"),
        (vec![Sni, Prefix], "eu-west-1 by name"),
        (vec![HttpHost], "eu-west-1 by request"),
        (vec![Dns, Prefix], "eu-west-1 by DNS answer"),
        (vec![], "eu-west-1 by protocol"),
    ] {
        let mut record = sample::tls12();
        record.endpoint.region = Some("eu-west-1".to_owned());
        (record.endpoint.kind, record.endpoint.evidence) = (None, evidence);
        assert_eq!(crate::view::summary::Line::of(&record).endpoint, expected);
    }
}

#[test]
fn says_at_the_top_that_an_input_was_damaged() {
    let text = draw(&[sample::tls12()], &accounts(), at(120));
    assert!(
        text.lines().next().unwrap().ends_with("Part of the input was not readable: see the end."),
        "{text}"
    );
}

#[test]
fn flows_that_there_was_no_room_for_are_lost() {
    let evictions = [("memory_full", 501), ("table_full", 1), ("no_payload", 7)].into();
    let text = draw(&[sample::tls12()], &Accounts { evictions, ..Accounts::default() }, at(120));
    let lost = text.lines().find(|line| line.trim_start().starts_with("Lost")).unwrap();
    assert!(lost.ends_with("1 flow (table full) · 501 flows (memory full)"), "{text}");
    assert!(!text.contains("nothing that was noticed"), "{text}");
}

#[test]
fn says_at_the_top_that_reading_was_stopped() {
    let text = draw(&[sample::tls12()], &Accounts { is_cut_short: true, ..Accounts::default() }, at(120));
    let top: String = text.lines().take(2).collect::<Vec<_>>().join(" ");
    assert!(top.contains("Reading was stopped before the end of the input"), "{text}");
    assert!(text.contains("what was not read when the run was stopped"), "{text}");
    assert!(!text.contains("nothing that was noticed"), "{text}");
}
