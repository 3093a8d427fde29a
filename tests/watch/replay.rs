//! A replay goes the way of live packets; its records are those of `analyze`.

use std::io::Read as _;
use std::process::Stdio;

use super::Daemon;
use crate::support;

#[test]
fn replay_gives_the_records_of_analyze() {
    let mut daemon =
        Daemon::start(&["--replay", ".", "--speed", "max"], "[output]\nrecords = \"FOLDER/flows.jsonl\"\n");
    daemon.wait_until_over();
    let summary = daemon.json("/api/v1/summary");
    // One of the captures is damaged.
    assert_eq!(daemon.stop().code(), Some(4));
    let damage = daemon.last_log("Part of a capture could not be looked at");
    let (file, offset) = (damage["file"].as_str().unwrap(), &damage["offset"]);
    let notes = summary["notes"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note.as_str().unwrap().contains(&format!("{file}: damaged at byte {offset}: ")))
    );
    let analyzed = support::run(&["analyze", "--format", "jsonl", "--no-progress", "."]);
    let (expected, found) = (analyzed.text(), daemon.read("flows.jsonl"));
    assert!(expected.lines().count() > 200);
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.lines().count(), found.lines().count());
    assert_eq!(summary["flows"]["reported"], expected.lines().count());
    assert_eq!(summary["flows"]["adds_up"], true);
    // What was counted at the end is in the log.
    let stopped = daemon.last_log("Stopped.");
    assert_eq!(stopped["flows_reported"], expected.lines().count());
    assert_eq!(stopped["records_not_written"], 0);
}

#[test]
fn records_go_to_whoever_reads_standard_output() {
    let mut daemon =
        Daemon::start_with(&["--replay", "boto3-tls.pcap", "--speed", "max"], "", Stdio::piped());
    let mut stdout = daemon.child.stdout.take().unwrap();
    daemon.wait_until_over();
    assert_eq!(daemon.stop().code(), Some(0));
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let analyzed = support::run(&["analyze", "--format", "jsonl", "boto3-tls.pcap"]);
    assert_eq!(text, analyzed.text());
}

#[test]
fn ends_well_when_the_reader_of_standard_output_goes_away() {
    let mut daemon =
        Daemon::start_with(&["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"], "", Stdio::piped());
    drop(daemon.child.stdout.take());
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_reader_that_does_not_read_holds_nothing_up() {
    let mut daemon =
        Daemon::start_with(&["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"], "", Stdio::piped());
    let lost =
        || daemon.metrics().sum("ddbwatch_dropped_total", &[("stage", "export"), ("reason", "queue_full")]);
    daemon.wait_until("records are dropped and counted", || lost() > 0.0);
    assert_eq!(daemon.get("/healthz").status, 200);
    let stdout = daemon.child.stdout.take();
    daemon.signal("TERM");
    drop(stdout);
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn plays_in_an_endless_loop_at_a_multiple_of_the_recorded_pace() {
    let daemon = Daemon::start(&["--replay", "boto3-tls.pcap", "--speed", "50", "--loop"], "");
    let flows = || daemon.metrics().sum("ddbwatch_flows_total", &[]);
    let once = support::run(&["analyze", "--format", "jsonl", "boto3-tls.pcap"]).records().len() as f64;
    daemon.wait_until("it plays a third time", || flows() > 2.0 * once);
    assert!(daemon.get("/readyz").body.contains("capturing by replay"));
}

/// Parts of one capture are played as one, in each round.
#[test]
fn a_capture_in_parts_is_played_as_one() {
    let bytes = std::fs::read(crate::support::capture("boto3-tls.pcap")).unwrap();
    let frames = crate::support::packets::read_pcap(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (number, frames) in frames.chunks(5).enumerate() {
        let path = folder.path().join(format!("cut{number}.pcap"));
        std::fs::write(path, crate::support::packets::pcap(frames)).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    for arguments in [&["--loop"][..], &[]] {
        let config = "[output]\nrecords = \"FOLDER/flows.jsonl\"\n";
        let mut daemon =
            Daemon::start(&[&["--replay", folder, "--speed", "max"], arguments].concat(), config);
        let rounds = if arguments.is_empty() { 1 } else { 3 };
        daemon.wait_until("it is played", || daemon.read("flows.jsonl").lines().count() >= rounds);
        assert_eq!(daemon.stop().code(), Some(0));
        // It may be stopped within a round.
        for record in crate::support::records(&daemon.read("flows.jsonl")).iter().take(rounds) {
            assert_eq!(record["capture.source"], "cut0.pcap");
            assert_eq!(record["policy.verdict"], "pass", "{record:#?}");
        }
    }
}

/// A replay may go on for months: what is damaged is told when it is met, and not again in each round.
#[test]
fn tells_of_damage_while_it_plays() {
    let mut daemon = Daemon::start(&["--replay", "damaged.pcap", "--speed", "max", "--loop"], "");
    let told = "Part of a capture could not be looked at";
    daemon.wait_for_log(told);
    daemon.wait_until("it plays again", || {
        daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "seen")]) > 1_000.0
    });
    assert_eq!(daemon.stop().code(), Some(4));
    let log = daemon.log.lock().unwrap();
    let damage = support::run(&["analyze", "--format", "jsonl", "damaged.pcap"]).stderr;
    let lines = log.iter().filter(|line| line["message"].as_str().is_some_and(|said| said.contains(told)));
    assert_eq!(lines.count(), damage.matches("damaged at byte").count());
}

/// A daemon that is started again goes on in the file of the one before: its numbers stand for other accounts.
#[test]
fn numbers_of_accounts_go_on_behind_those_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), all).unwrap();
    let file = folder.path().join("flows.jsonl");
    let config = format!("[output]\nrecords = \"{}\"\n", file.display());
    let mut lines = 0;
    for before in [0, 1] {
        let mut daemon = Daemon::start(&["--replay", "endpoint-names.pcap", "--speed", "max"], &config);
        daemon.wait_until_over();
        assert_eq!(daemon.stop().code(), Some(0));
        let text = std::fs::read_to_string(&file).unwrap();
        let records = crate::support::records(&text);
        let mut numbers = records.iter().skip(lines).filter_map(|record| record.get("aws.account_id"));
        let first = numbers.next().unwrap().as_str().unwrap().to_owned();
        match before {
            0 => assert_eq!(first, "account-1"),
            _ => assert!(
                records
                    .iter()
                    .take(lines)
                    .all(|record| record.get("aws.account_id") != Some(&first.as_str().into()))
            ),
        }
        lines = records.len();
    }
}

#[test]
fn no_account_id_in_the_name_of_a_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("222233334444-damaged.pcap");
    std::fs::copy(support::captures().join("damaged.pcap"), &capture).unwrap();
    let mut daemon = Daemon::start(&["--replay", capture.to_str().unwrap(), "--speed", "max"], "");
    daemon.wait_for_log("Part of a capture could not be looked at");
    daemon.wait_until_over();
    let summary = daemon.json("/api/v1/summary").to_string();
    assert_eq!(daemon.stop().code(), Some(4));
    let log = daemon.log.lock().unwrap();
    for text in log.iter().map(ToString::to_string).chain([summary]) {
        assert!(!text.contains("222233334444"), "{text}");
    }
    let damaged = log.iter().filter_map(|line| line["file"].as_str());
    assert!(damaged.into_iter().any(|file| file.ends_with("account-1-damaged.pcap")));
}

#[test]
fn what_of_a_folder_cannot_be_read_is_told_and_ends_with_four() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(support::captures().join("tls13-x25519.pcap")).unwrap();
    std::fs::write(folder.path().join("a.pcap"), &whole).unwrap();
    std::fs::write(folder.path().join("222233334444-cut.pcap"), &whole[..10]).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no packets").unwrap();
    let mut daemon = Daemon::start(&["--replay", folder.path().to_str().unwrap(), "--speed", "max"], "");
    daemon.wait_until_over();
    let notes = daemon.json("/api/v1/summary")["notes"].to_string();
    assert!(notes.contains("account-1-cut.pcap: is a pcap capture that ends within its header"), "{notes}");
    assert!(!notes.contains("notes.txt"), "{notes}");
    assert!(daemon.get("/").body.contains("ends within its header"));
    assert_eq!(daemon.stop().code(), Some(4));
    let told = daemon.last_log("Part of what is replayed is not read");
    assert!(told["file"].as_str().unwrap().ends_with("/account-1-cut.pcap"), "{told}");
}

#[test]
fn watching_nothing_is_an_error_and_no_pretence() {
    let ran = support::run(&["watch"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("nothing to watch was named"), "{}", ran.stderr);
    // Neither file is a capture; an endless replay may find one the next time.
    for input in ["missing.pcap", "/dev/null", "-"] {
        let ran = support::run(&["watch", "--replay", input]);
        assert_eq!(ran.code, Some(1), "{input}: {}", ran.stderr);
        assert!(!ran.stderr.contains("tried again"), "{}", ran.stderr);
    }
    let mut daemon = Daemon::start(&["--replay", "/dev/null", "--loop"], "");
    daemon.wait_for_log("Nothing is captured; it is tried again.");
    let readiness = daemon.get("/readyz");
    assert!(readiness.status == 503 && readiness.body.contains("not capturing"), "{}", readiness.body);
    assert_eq!(daemon.stop().code(), Some(1));
    for wrong in [
        &["--speed", "2"][..],
        &["--loop"],
        &["--replay", ".", "-i", "lo"],
        &["-i", "lo", "--speed", "2"],
        &["-i", "lo", "--loop"],
        &["--replay", ".", "--speed", "fast"],
    ] {
        let ran = support::run(&[&["watch"], wrong].concat());
        assert_eq!(ran.code, Some(2), "{wrong:?}: {}", ran.stderr);
    }
}
