//! `ddbwatch doctor`: one screen that can be read everywhere.

use crate::support::{ddbwatch, finish};

#[test]
fn doctor_fits_into_80_columns_without_colour() {
    let ran = finish(ddbwatch().arg("doctor").env("COLUMNS", "80").env("NO_COLOR", "1"));
    // It fails only where nothing can be watched, and says so.
    match ran.code {
        Some(0) => assert_eq!(ran.stderr, ""),
        Some(1) => assert!(ran.stderr.starts_with("ddbwatch: no "), "{}", ran.stderr),
        other => panic!("{other:?}: {}", ran.stderr),
    }
    let text = ran.text();
    assert!(!text.contains('\u{1b}'), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    if nix::unistd::geteuid().is_root() {
        // Which filter packet sockets would get.
        let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("packets chosen by"), "{text}");
    }
    for word in [
        "kernel",
        "privileges",
        "clock",
        "ebpf",
        "afpacket",
        "pcap",
        "system calls",
        "user",
        "systemd",
        "metrics",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.lines().count() <= 40, "more than a screen:\n{text}");
}

#[test]
fn doctor_fails_for_an_interface_that_is_not_there() {
    let ran = finish(ddbwatch().args(["doctor", "-i", "no-such-if0"]));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.text().contains("there is no such interface"), "{}", ran.text());
}

#[test]
fn doctor_promises_no_back_end_that_watch_could_not_take() {
    if !crate::support::is_there("unshare") {
        return;
    }
    // Root of a user namespace has every capability, and none that counts for bpf(2).
    let inside = ["--user", "--map-root-user", "--net", "--"];
    let mut unshare = std::process::Command::new("unshare");
    if !unshare.args(inside).arg("true").output().is_ok_and(|output| output.status.success()) {
        crate::support::skip("the kernel gives no user namespace");
        return;
    }
    let mut command = std::process::Command::new("unshare");
    command.args(inside).args([env!("CARGO_BIN_EXE_ddbwatch"), "doctor"]);
    let output = command.env("COLUMNS", "200").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("would take afpacket"), "{text}");
}

#[test]
fn doctor_names_the_command_for_a_missing_privilege() {
    if !crate::support::is_root("taking privileges away") || !crate::support::is_there("setpriv") {
        return;
    }
    let (_folder, program) = crate::support::program_for_everybody();
    let mut command = std::process::Command::new("setpriv");
    command.args(crate::support::WITHOUT_PRIVILEGES);
    let output = command.arg(&program).arg("doctor").env("COLUMNS", "200").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    // One command: a second one would take away what the first gave.
    let granted = "sudo setcap cap_net_raw,cap_bpf,cap_net_admin,cap_perfmon+ep ";
    assert!(text.contains(granted) && text.matches("setcap").count() == 1, "{text}");
    // With packet sockets alone, the program that would choose for them is missing.
    let mut command = std::process::Command::new("setpriv");
    command.args([
        "--inh-caps=-all",
        "--bounding-set=-all,+net_raw",
        env!("CARGO_BIN_EXE_ddbwatch"),
        "doctor",
    ]);
    let output = command.env("COLUMNS", "200").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("classic filter: eBPF needs CAP_BPF CAP_PERFMON"), "{text}");
    assert!(text.contains(granted) && text.matches("setcap").count() == 1, "{text}");
}

#[test]
fn doctor_claims_nothing_that_it_cannot_read() {
    if !crate::support::is_root("hiding /proc") || !crate::support::is_there("unshare") {
        return;
    }
    let hidden = "mount -t tmpfs none /proc && exec \"$0\" doctor";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", hidden, env!("CARGO_BIN_EXE_ddbwatch")]);
    let output = command.env("COLUMNS", "200").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("whether it forwards is not known"), "{text}");
    assert!(text.contains("whether they are filtered is not known"), "{text}");
    for claim in ["forwards nothing", "older than", "has no seccomp"] {
        assert!(!text.contains(claim), "{claim}: {text}");
    }
}
