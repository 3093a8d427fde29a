//! The server under those who do not mean well, and the page.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Daemon;
use crate::support;

const LOOP: &[&str] = &["--replay", "boto3-tls.pcap", "--speed", "20", "--loop"];

#[test]
fn page_and_api_tell_the_same() {
    let daemon = Daemon::start(&["--replay", ".", "--speed", "max"], "");
    daemon.wait_until_over();
    let summary = daemon.json("/api/v1/summary");
    let page = daemon.get("/");
    assert!(page.head.contains("text/html") && page.head.contains("default-src 'none'"));
    assert!(page.body.contains("tls_version_too_low") && page.body.contains("Do this:"));
    assert!(
        page.body.contains("228")
            || page.body.contains(summary["watching"]["interfaces"][0].as_str().unwrap())
    );
    let violations = daemon.json("/api/v1/violations");
    let newest = violations.as_array().unwrap();
    assert!(newest.len() > 10);
    assert!(newest.iter().all(|violation| violation["severity"] != "info" && violation["remedy"] != ""));
    let flows = daemon.json("/api/v1/flows?limit=7");
    assert_eq!(flows.as_array().unwrap().len(), 7);
    assert_eq!(flows[0]["schema"], "ddbwatch.flow/1");
    assert_eq!(daemon.json("/api/v1/flows").as_array().unwrap().len(), 100);
    let matrix: u64 =
        summary["matrix"]["rows"].as_array().unwrap().iter().map(|row| row["total"].as_u64().unwrap()).sum();
    assert_eq!(matrix, summary["flows"]["reported"].as_u64().unwrap());
    let accounts =
        ["pass", "violation", "not_assessable"].map(|verdict| summary["verdicts"][verdict].as_u64().unwrap());
    assert_eq!(accounts.iter().sum::<u64>(), matrix);
    // Redaction is on: no account id is shown anywhere.
    let twelve_digits = |text: &str| {
        // What JA4 says of a hello without extensions.
        text.replace("_000000000000", "")
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit()))
    };
    for path in ["/", "/api/v1/summary", "/api/v1/violations", "/api/v1/flows?limit=1000", "/metrics"] {
        assert!(!twelve_digits(&daemon.get(path).body), "{path}");
    }
}

#[test]
fn those_who_speak_slowly_keep_nobody_out() {
    let daemon = Daemon::start(LOOP, "");
    let mut slow: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(daemon.address).unwrap()).collect();
    for round in 0..3 {
        for stream in &mut slow {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nX-");
        }
        let begin = Instant::now();
        assert_eq!(daemon.get("/metrics").status, 200);
        assert!(begin.elapsed() < Duration::from_secs(3), "round {round}: {:?}", begin.elapsed());
    }
    assert!(daemon.open_files() < 300, "{}", daemon.open_files());
    // All of them are closed within the time of a request head.
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn ten_thousand_connections_cost_little() {
    let daemon = Daemon::start(LOOP, "");
    assert_eq!(daemon.get("/").status, 200);
    let before = daemon.resident_bytes();
    let mut held = Vec::new();
    for number in 0..10_000 {
        if let Ok(mut stream) = TcpStream::connect(daemon.address) {
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
            held.push(stream);
        }
        // This process has a limit of open files, too.
        if held.len() > 400 {
            held.drain(..200);
        }
        if number % 2_000 == 0 {
            assert_eq!(daemon.get("/healthz").status, 200);
        }
    }
    assert_eq!(daemon.get("/metrics").status, 200);
    let grown = daemon.resident_bytes().saturating_sub(before);
    assert!(grown < 30 << 20, "{grown} bytes more");
    assert!(daemon.open_files() < 300, "{}", daemon.open_files());
}

#[test]
fn a_request_without_end_is_cut_off() {
    let daemon = Daemon::start(LOOP, "");
    let before = daemon.resident_bytes();
    let mut stream = TcpStream::connect(daemon.address).unwrap();
    let garbage = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    let _ = stream.write_all(b"GET /");
    while sent < 64 << 20 && stream.write_all(&garbage).is_ok() {
        sent += garbage.len();
    }
    assert!(sent < 64 << 20, "it reads on and on");
    assert!(daemon.resident_bytes().saturating_sub(before) < 8 << 20);
    assert_eq!(daemon.get("/healthz").status, 200);
}

/// The owner of an exception stands in the message, as an issuer does.
#[test]
fn no_long_word_makes_the_page_wider_than_the_window() {
    if !support::is_there("chromium") || !support::is_there("timeout") {
        return;
    }
    let word = "x".repeat(240);
    let exception = format!(
        "[[policy.exception]]\nrule = \"suspected_interception\"\nowner = \"{word}\"\nreason = \"r\"\n\
         expires = \"2099-12-31\"\n"
    );
    let daemon = Daemon::start(&["--replay", "interception.pcap", "--speed", "max"], &exception);
    daemon.wait_until_over();
    let page = daemon.get("/").body;
    assert!(page.contains(&word), "{page}");
    assert_eq!(crate::evidence::browser::excess(daemon.folder.path(), &page, 500), "0");
}

/// On paper nothing can be scrolled: the widest table, of all versions and paths, has to fit.
#[test]
fn the_page_can_be_printed() {
    use crate::evidence::browser::{PAPER, excess};
    if !support::is_there("chromium") || !support::is_there("timeout") {
        return;
    }
    let daemon = Daemon::start(&["--replay", ".", "--speed", "max"], "");
    daemon.wait_until_over();
    let page = daemon.get("/").body;
    // As it is printed, on a screen as wide as the paper.
    let printed = page.replace("@media print{", "@media all{");
    assert!(printed != page && printed.contains(".scroll{overflow:visible}"));
    assert_eq!(excess(daemon.folder.path(), &printed, PAPER), "0");
}
