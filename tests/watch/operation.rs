//! Signals, files, and ends of every kind.

use std::time::Duration;

use serde_json::Value;

use super::Daemon;

const LOOP: &[&str] = &["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"];

fn whole_records(text: &str) -> usize {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(record["schema"], "ddbwatch.flow/1");
    }
    text.lines().count()
}

#[test]
fn a_reload_swaps_the_policy_and_loses_no_flow() {
    let mut daemon = Daemon::start(LOOP, "[output]\nrecords = \"FOLDER/flows.jsonl\"\nrotate_mib = 1000\n");
    daemon.wait_until("a flow is reported", || daemon.metrics().sum("ddbwatch_flows_total", &[]) > 0.0);
    daemon.configure(
        "[output]\nrecords = \"FOLDER/flows.jsonl\"\nrotate_mib = 1000\n[policy]\nprofile = \"cnsa-2.0\"\n",
    );
    daemon.signal("HUP");
    daemon.wait_for_log("The configuration was read again");
    let of = |profile: &str| daemon.metrics().sum("ddbwatch_flow_verdicts_total", &[("profile", profile)]);
    daemon.wait_until("flows are judged by the new profile", || of("cnsa-2.0") > 0.0);
    assert_eq!(daemon.metrics().sum("ddbwatch_config_last_reload_successful", &[]), 1.0);
    assert_eq!(daemon.json("/api/v1/summary")["configuration"]["profile"], "cnsa-2.0");
    assert_eq!(daemon.stop().code(), Some(0));
    let reported = daemon.last_log("Stopped.")["flows_reported"].as_u64().unwrap();
    assert_eq!(whole_records(&daemon.read("flows.jsonl")) as u64, reported);
    let stopped = daemon.last_log("Stopped.");
    assert_eq!(
        stopped["flows_opened"].as_u64().unwrap(),
        reported + stopped["flows_not_reported"].as_u64().unwrap()
    );
}

#[test]
fn a_wrong_configuration_is_refused_whole() {
    let mut daemon = Daemon::start(LOOP, "");
    for (wrong, why) in [
        ("[policy]\nprofile = \"cnsa-2.0\"\nminimum_versoin = \"1.3\"\n", "did you mean `minimum_version`?"),
        (
            "[policy]\nprofile = \"cnsa-2.0\"\n[limits]\nflows = 17\n",
            "[limits] cannot be changed while running",
        ),
        (
            "[policy]\nprofile = \"cnsa-2.0\"\n[output]\nrecords = \"FOLDER/no/such/folder/x\"\n",
            "its folder must be there",
        ),
    ] {
        daemon.configure(wrong);
        let before = daemon.log_lines();
        daemon.signal("HUP");
        let refused = daemon.wait_for_log_after(before, "The new configuration was refused");
        assert!(refused["error"].as_str().unwrap().contains(why), "{refused}");
        daemon.wait_until("the page says why", || {
            let summary = daemon.json("/api/v1/summary");
            assert_eq!(summary["configuration"]["profile"], "aws-dynamodb");
            summary["configuration"]["refused"].as_str().is_some_and(|said| said.contains(why))
        });
        assert_eq!(daemon.metrics().sum("ddbwatch_config_last_reload_successful", &[]), 0.0);
    }
    daemon.configure("[policy]\nprofile = \"cnsa-2.0\"\n");
    daemon.signal("HUP");
    daemon.wait_for_log("The configuration was read again");
    daemon.wait_until("metrics say that it was taken", || {
        daemon.metrics().sum("ddbwatch_config_last_reload_successful", &[]) == 1.0
    });
}

/// Whoever opens a pipe into which nobody writes waits for ever.
#[test]
fn a_pipe_in_place_of_a_file_is_refused_and_holds_up_nothing() {
    let mut daemon = Daemon::start(LOOP, "");
    let reload = |daemon: &mut Daemon| {
        let before = daemon.log_lines();
        daemon.signal("HUP");
        let refused = daemon.wait_for_log_after(before, "The new configuration was refused");
        assert!(refused["error"].as_str().unwrap().contains("it is a pipe"), "{refused}");
        assert_eq!(daemon.get("/healthz").status, 200);
    };
    let make = |path: std::path::PathBuf| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    make(daemon.path("ranges.json"));
    daemon.configure("[endpoints]\nip_ranges = \"FOLDER/ranges.json\"\n");
    reload(&mut daemon);
    std::fs::remove_file(daemon.path("ddbwatch.toml")).unwrap();
    make(daemon.path("ddbwatch.toml"));
    reload(&mut daemon);
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn a_reload_follows_a_file_that_was_moved_and_a_new_address() {
    let mut daemon = Daemon::start(LOOP, "[output]\nrecords = \"FOLDER/flows.jsonl\"\n");
    daemon.wait_until("records are written", || !daemon.read("flows.jsonl").is_empty());
    std::fs::rename(daemon.path("flows.jsonl"), daemon.path("moved.jsonl")).unwrap();
    daemon.configure("[output]\nrecords = \"FOLDER/flows.jsonl\"\n[metrics]\n");
    let text = daemon.read("ddbwatch.toml").replace("127.0.0.1:0", "127.0.0.2:0");
    std::fs::write(daemon.path("ddbwatch.toml"), text).unwrap();
    let before = daemon.address;
    daemon.signal("HUP");
    let moved = daemon.wait_for_log("is the address from now on");
    daemon.address = moved["address"].as_str().unwrap().parse().unwrap();
    daemon.wait_until("records are written to a new file", || !daemon.read("flows.jsonl").is_empty());
    assert_eq!(daemon.get("/healthz").status, 200);
    assert!(std::net::TcpStream::connect(before).is_err(), "the old address is closed");
    assert_eq!(daemon.stop().code(), Some(0));
    whole_records(&daemon.read("moved.jsonl"));
    whole_records(&daemon.read("flows.jsonl"));
}

#[test]
fn a_stop_ends_open_flows_and_writes_everything() {
    for signal in ["TERM", "INT"] {
        // So slow that flows are open when it is stopped.
        let mut daemon = Daemon::start(
            &["--replay", "boto3-tls.pcap", "--speed", "0.002"],
            "[output]\nrecords = \"FOLDER/flows.jsonl\"\n",
        );
        daemon
            .wait_until("a flow is open", || daemon.metrics().sum("ddbwatch_flow_table_entries", &[]) > 0.0);
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        let stopped = daemon.last_log("Stopped.");
        assert_eq!(
            whole_records(&daemon.read("flows.jsonl")) as u64,
            stopped["flows_reported"].as_u64().unwrap()
        );
        assert_eq!(
            stopped["flows_opened"].as_u64().unwrap(),
            stopped["flows_reported"].as_u64().unwrap() + stopped["flows_not_reported"].as_u64().unwrap()
        );
    }
}

#[test]
fn two_signals_at_once_are_one_wish_to_stop() {
    let mut daemon = Daemon::start(
        &["--replay", "boto3-tls.pcap", "--speed", "0.002"],
        "[output]\nrecords = \"FOLDER/flows.jsonl\"\n",
    );
    daemon.wait_until("a flow is open", || daemon.metrics().sum("ddbwatch_flow_table_entries", &[]) > 0.0);
    daemon.signal("TERM");
    daemon.signal("INT");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(daemon.last_log("Stopped.")["flows_opened"].as_u64().unwrap() > 0);
}

#[test]
fn a_file_of_records_that_was_removed_is_begun_anew() {
    let mut daemon = Daemon::start(
        &["--replay", "boto3-tls.pcap", "--speed", "50", "--loop"],
        "[output]\nrecords = \"FOLDER/flows.jsonl\"\n",
    );
    let has_records = || std::fs::metadata(daemon.path("flows.jsonl")).is_ok_and(|file| file.len() > 0);
    daemon.wait_until("there are records", has_records);
    std::fs::remove_file(daemon.path("flows.jsonl")).unwrap();
    daemon.wait_until("there are records again", has_records);
    daemon.wait_for_log("begun anew under its name");
    daemon.stop();
    assert!(whole_records(&daemon.read("flows.jsonl")) > 0);
}

#[test]
fn a_sudden_end_leaves_whole_lines_and_the_next_start_goes_on() {
    let config = "[output]\nrecords = \"FOLDER/flows.jsonl\"\n";
    let mut torn = 0;
    for _ in 0..5 {
        let mut daemon = Daemon::start(LOOP, config);
        daemon.wait_until("records are written", || daemon.read("flows.jsonl").len() > 300_000);
        daemon.signal("KILL");
        daemon.wait();
        let text = daemon.read("flows.jsonl");
        torn += usize::from(!text.ends_with('\n'));
        whole_records(&text[..text.rfind('\n').unwrap() + 1]);
    }
    // The kernel may cut off the write that is under way, between two pages: rarely.
    assert!(torn <= 2, "{torn} of 5");
}

#[test]
fn files_are_rotated_and_old_ones_go() {
    let mut daemon =
        Daemon::start(LOOP, "[output]\nrecords = \"FOLDER/flows.jsonl\"\nrotate_mib = 1\nkeep = 2\n");
    daemon.wait_until("three files are full", || daemon.path("flows.jsonl.2").exists());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(daemon.stop().code(), Some(0));
    assert!(!daemon.path("flows.jsonl.3").exists());
    for name in ["flows.jsonl", "flows.jsonl.1", "flows.jsonl.2"] {
        let text = daemon.read(name);
        assert!(text.len() <= 1 << 20);
        assert!(whole_records(&text) > 0);
    }
}

#[test]
fn a_disk_that_is_full_stops_no_capture() {
    let mut daemon = Daemon::start(LOOP, "[output]\nrecords = \"/dev/full\"\n");
    let told = "Records cannot be written and are lost; the capture goes on.";
    daemon.wait_for_log(told);
    assert_eq!(daemon.last_log(told)["file"], "/dev/full");
    let lost =
        || daemon.metrics().sum("ddbwatch_dropped_total", &[("stage", "export"), ("reason", "write_failed")]);
    daemon.wait_until("lost records are counted", || lost() > 0.0);
    let seen = || daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "seen")]);
    let before = seen();
    daemon.wait_until("packets are still seen", || seen() > before);
    assert_eq!(daemon.stop().code(), Some(1), "the last records are lost");
}

/// A pipe that nobody reads holds whoever writes into it for ever.
#[test]
fn records_that_nobody_takes_are_counted_and_told_and_hold_up_no_reload_and_no_end() {
    let to = |name: &str| format!("[output]\nrecords = \"FOLDER/{name}\"\n");
    let mut daemon = Daemon::start(LOOP, &to("flows.jsonl"));
    let made = std::process::Command::new("mkfifo").arg(daemon.path("pipe")).status().unwrap();
    assert!(made.success());
    let reload = |daemon: &mut Daemon, name: &str| {
        daemon.configure(&to(name));
        let before = daemon.log_lines();
        daemon.signal("HUP");
        daemon.wait_for_log_after(before, "The configuration was read again");
    };
    reload(&mut daemon, "pipe");
    daemon.wait_for_log("Nobody has taken the records");
    reload(&mut daemon, "other.jsonl");
    daemon.wait_until("records go where they shall go", || {
        std::fs::metadata(daemon.path("other.jsonl")).is_ok_and(|file| file.len() > 0)
    });
    let given_up = || {
        let labels = [("stage", "export"), ("reason", "destination_stuck")];
        daemon.metrics().sum("ddbwatch_dropped_total", &labels)
    };
    assert!(given_up() > 0.0);
    reload(&mut daemon, "pipe");
    assert_eq!(daemon.stop().code(), Some(1));
    let told = daemon.last_log("Stopped.");
    assert!(told["records_not_written"].as_u64() > Some(0), "{told}");
}

#[test]
fn violations_are_logged_and_repeated_ones_folded() {
    let mut daemon = Daemon::start(&["--replay", "tls10-rsa.pcap", "--speed", "max", "--loop"], "");
    let line = daemon.wait_for_log("TLS 1.0");
    assert_eq!(
        (&line["event"], &line["rule"], &line["level"]),
        (&"violation".into(), &"tls_version_too_low".into(), &"WARN".into())
    );
    for field in ["client", "server", "severity", "remedy", "access", "entry"] {
        assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {line}");
    }
    // Of a replay no process is known: what does not apply is absent.
    for (field, value) in line.as_object().unwrap() {
        assert_ne!(value, "", "{field} in {line}");
    }
    assert_eq!(line.get("process"), None, "{line}");
    let folded = || daemon.metrics().sum("ddbwatch_log_events_folded_total", &[("event", "violation")]);
    daemon.wait_until("repeated ones are folded", || folded() > 10.0);
    assert_eq!(daemon.stop().code(), Some(0));
    let logged = daemon.log.lock().unwrap().iter().filter(|line| line["event"] == "violation").count();
    assert!(logged < 30, "{logged} lines");
    assert!(daemon.last_log("Further violations of this rule")["folded"].as_u64().unwrap() > 0);
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    // The other is an address of documentation [RFC 5737], which no host has: nobody else is to blame.
    for (listen, is_taken) in
        [(taken.local_addr().unwrap().to_string(), true), ("192.0.2.1:9".to_owned(), false)]
    {
        std::fs::write(&config, format!("[metrics]\nlisten = \"{listen}\"\n")).unwrap();
        let ran = crate::support::finish(
            crate::support::ddbwatch().args(["watch", "--replay", "boto3-tls.pcap", "--config"]).arg(&config),
        );
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains("cannot listen on"), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains("another program uses the port"), is_taken, "{}", ran.stderr);
    }
}
