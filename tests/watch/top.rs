//! `ddbwatch top` in a terminal, over the daemon and over captures.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Daemon;
use crate::support::terminal::Terminal;
use crate::support::{self, finish};

fn top(arguments: &[&str]) -> Command {
    let mut command = support::ddbwatch();
    command.arg("top").args(arguments).env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
    command
}

fn of_daemon(daemon: &Daemon) -> Command {
    top(&["--url", &format!("http://{}", daemon.address), "--interval", "0.2"])
}

fn all_captures() -> Daemon {
    let daemon = Daemon::start(&["--replay", ".", "--speed", "max"], "");
    daemon.wait_until_over();
    daemon
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// What the API says is what the screen says.
#[test]
fn shows_what_the_api_says() {
    let daemon = all_captures();
    let summary = daemon.json("/api/v1/summary");
    let verdicts = ["violation", "not_assessable", "pass"].map(|name| number(&summary["verdicts"][name]));
    for has_color in [true, false] {
        let mut command = of_daemon(&daemon);
        if !has_color {
            command.env("NO_COLOR", "1");
        }
        let mut terminal = Terminal::start(&command, 24, 80);
        let text = terminal.wait_for("What is wrong");
        let [violation, unclear, pass] = verdicts;
        let all: u64 = verdicts.iter().sum();
        assert!(text.contains(&format!("{violation} of {all} DynamoDB flows break")), "{text}");
        for words in [
            format!("✖ {violation} violation"),
            format!("? {unclear} not assessable"),
            format!("✔ {pass} pass"),
            "Not seen: ".to_owned(),
            "Who must act: ".to_owned(),
            "replay over".to_owned(),
        ] {
            assert!(text.contains(&words), "no {words} in\n{text}");
        }
        // The first rule, with its flows, and the first client, with its flows.
        let rule = &summary["violations"][0];
        let line = text.lines().find(|line| line.contains(rule["rule"].as_str().unwrap())).unwrap();
        assert!(line.contains(&format!("{} flow", rule["flows"])) && line.contains("critical"), "{line}");
        let client = &summary["offenders"]["worst"][0];
        let address = client["address"].as_str().unwrap();
        let is_it = |line: &&str| line.contains(address) && line.contains(&client["flows"].to_string());
        assert!(text.lines().any(|line| is_it(&line)), "{text}");
        assert_eq!(text.lines().count(), 24, "{text}");

        // The newest flow, and all that is recorded of it.
        let flows = daemon.json("/api/v1/flows?limit=1000");
        let flows = flows.as_array().unwrap();
        let time = |flow: &Value| flow["timestamp"].as_str().unwrap().to_owned();
        let newest = flows.iter().map(time).max().unwrap();
        let flow = flows.iter().find(|flow| time(flow) == newest).unwrap();
        terminal.press("2");
        let text = terminal.wait_for("[2 Flows]");
        let first = text.lines().find(|line| line.starts_with('>')).unwrap();
        assert!(first.contains(&flow["timestamp"].as_str().unwrap()[11..19]), "{first}");
        terminal.press("\r");
        let text = terminal.wait_for("Flow of ");
        assert!(
            text.contains(&format!(
                "Verdict: {}",
                flow["policy.verdict"].as_str().unwrap().replace('_', " ")
            ))
        );
        let mut pages = text;
        for _ in 0..12 {
            terminal.press("\x1b[6~");
            std::thread::sleep(Duration::from_millis(120));
            pages.push_str(&terminal.text());
        }
        for key in
            flow.as_object().unwrap().keys().filter(|key| !matches!(key.as_str(), "schema" | "violations"))
        {
            assert!(pages.contains(key), "no {key} in {pages}");
        }
        terminal.press("3");
        let text = terminal.wait_for("with violating flows");
        assert!(text.contains(address), "{text}");
        terminal.press("4");
        let text = terminal.wait_for("Handshakes");
        let packets = format!("{} = ", thousands(number(&summary["packets"]["seen"])));
        assert!(text.contains(&packets), "no {packets} in {text}");
        terminal.press("q");
        assert!(terminal.wait().success());
        terminal.assert_given_back();
        let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
        let is_colored =
            ["\x1b[31", "\x1b[38;5;", "\x1b[33", "\x1b[32"].iter().any(|code| raw.contains(code));
        assert_eq!(is_colored, has_color, "{raw:?}");
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

#[test]
fn filters_sorts_and_holds() {
    let daemon = all_captures();
    let mut terminal = Terminal::start(&of_daemon(&daemon), 30, 120);
    terminal.wait_for("What is wrong");
    let flows = daemon.json("/api/v1/flows?limit=1000");
    let flows = flows.as_array().unwrap();
    let broken = flows
        .iter()
        .filter(|flow| {
            flow["violations"].as_array().unwrap().iter().any(|found| found["rule"] == "weak_cipher")
        })
        .count();
    terminal.press("2/rule=weak_cipher\r");
    terminal.wait_for(&format!("{broken} of {}", thousands(flows.len() as u64)));
    terminal.press("s");
    terminal.wait_for("gravest first");
    terminal.press(" ");
    terminal.wait_for("HELD at");
    terminal.press(" \x1b");
    terminal.wait_until("all of them again", |text| !text.contains("HELD") && !text.contains("filter:"));
    terminal.resize(40, 12);
    terminal.press("\x0c");
    terminal.resize(12, 40);
    terminal.wait_for("40 columns and 12 lines");
    terminal.resize(24, 80);
    terminal.wait_for("gravest first");
    terminal.press("\x03");
    assert!(terminal.wait().success());
    terminal.assert_given_back();
}

#[test]
fn gives_the_terminal_back_however_it_ends() {
    let daemon = all_captures();
    for signal in ["TERM", "INT", "HUP"] {
        let mut terminal = Terminal::start(&of_daemon(&daemon), 24, 80);
        terminal.wait_for("What is wrong");
        terminal.signal(signal);
        assert!(terminal.wait().success(), "{signal}");
        terminal.assert_given_back();
    }
    // To the background and back.
    let mut terminal = Terminal::start(&of_daemon(&daemon), 24, 80);
    for how in ["Ctrl-Z", "a signal"] {
        terminal.wait_for("What is wrong");
        match how {
            "Ctrl-Z" => terminal.press("\x1a"),
            _ => terminal.signal("TSTP"),
        }
        terminal.assert_given_back();
        let status = std::fs::read_to_string(format!("/proc/{}/status", terminal.child.id())).unwrap();
        assert!(status.contains("State:\tT"), "{how}: {status}");
        terminal.signal("CONT");
    }
    terminal.wait_for("What is wrong");
    terminal.press("\x1b");
    assert!(terminal.wait().success());
    terminal.assert_given_back();
}

/// Without a window there is nothing to read from, and that again and again.
#[test]
fn ends_with_its_window() {
    let daemon = all_captures();
    let (daemon, capture) = (of_daemon(&daemon), top(&["java-tls13.pcap"]));
    // A shell's `nohup`, or a terminal of another session: no signal tells of it.
    let mut unheard = Command::new("setsid");
    unheard
        .args(["--fork", "--wait"])
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .env("TERM", "xterm-256color");
    for command in [daemon, capture, unheard] {
        let mut terminal = Terminal::start(&command, 24, 80);
        terminal.wait_for("What is wrong");
        terminal.close_window();
        terminal.wait();
    }
}

#[test]
fn says_that_the_daemon_is_gone_and_finds_it_again() {
    let mut daemon = all_captures();
    let mut terminal = Terminal::start(&of_daemon(&daemon), 24, 80);
    let before = terminal.wait_for("What is wrong");
    let sentence = before.lines().nth(2).unwrap().to_owned();
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let text = terminal.wait_for("STALE since");
    assert!(text.contains("cannot be reached") && text.contains(&sentence), "{text}");
    let address = daemon.address;
    let config = daemon.path("again.toml");
    std::fs::write(&config, format!("[metrics]\nlisten = \"{address}\"\n")).unwrap();
    let mut again = support::ddbwatch();
    again.args(["watch", "--replay", "java-tls13.pcap", "--speed", "max", "--config"]).arg(&config);
    let mut again =
        again.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    terminal
        .wait_until("it is there again", |text| !text.contains("STALE") && text.contains("1 DynamoDB flow"));
    again.kill().unwrap();
    again.wait().unwrap();
    terminal.wait_for("STALE since");
    terminal.press("q");
    assert!(terminal.wait().success());
    terminal.assert_given_back();
}

#[test]
fn shows_captures_as_a_daemon_would() {
    let mut terminal =
        Terminal::start(&top(&["java-tls10.pcap", "tls12-rc4.pcap", "java-tls13.pcap"]), 24, 80);
    let text = terminal.wait_for("What is wrong");
    let record = |name: &str| support::run(&["analyze", "--format", "jsonl", name]).records().len();
    let flows: usize = ["java-tls10.pcap", "tls12-rc4.pcap", "java-tls13.pcap"].into_iter().map(record).sum();
    assert!(text.contains(&format!("of {flows} DynamoDB flows")), "{text}");
    terminal.press("2");
    terminal.wait_for(&format!("{flows} flows, newest first"));
    terminal.press("q");
    assert!(terminal.wait().success());
    terminal.assert_given_back();
}

#[test]
fn writes_one_picture_where_there_is_no_terminal() {
    for (arguments, variable) in [(vec![], ("TERM", "xterm")), (vec!["--once"], ("TERM", "dumb"))] {
        let mut command = top(&arguments);
        let ran = finish(command.arg("java-tls10.pcap").env(variable.0, variable.1).env("LINES", "24"));
        assert_eq!(ran.code, Some(0));
        let text = ran.text();
        assert!(text.starts_with("ddbwatch top") && text.contains("What is wrong"), "{text}");
        assert!(text.lines().count() <= 24 && !text.contains('\x1b'));
    }
    let mut terminal = Terminal::start(top(&["java-tls10.pcap"]).env("TERM", "dumb"), 24, 80);
    terminal.wait_for("What is wrong");
    assert!(terminal.wait().success());
    terminal.assert_given_back();
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(raw.contains("What is wrong") && !raw.contains('\x1b'), "{raw:?}");
}

#[test]
fn says_what_is_wrong_with_its_source() {
    for (arguments, code, words) in [
        (vec!["--url", "http://127.0.0.1:1"], 1, "is `ddbwatch watch` running there?"),
        (vec!["--url", "https://127.0.0.1:9477"], 2, "http://"),
        (vec!["--url", "127.0.0.1:9477"], 2, "http://127.0.0.1:9477"),
        (vec!["--url", "http://127.0.0.1:9477", "java-tls13.pcap"], 2, "cannot be used with"),
        (vec!["--interval", "0"], 2, "0.2"),
        (vec!["--profile", "pci-dss-4"], 2, "CAPTURE"),
        (vec!["no-such-file.pcap"], 1, "no-such-file.pcap"),
        (vec!["damaged.pcap"], 4, ""),
    ] {
        let ran = finish(&mut top(&arguments));
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().unwrap();
        let mut request = [0; 1_000];
        let _ = std::io::Read::read(&mut stream, &mut request);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        let _ = std::io::Read::read(&mut stream, &mut request);
        let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
    });
    let ran = finish(&mut top(&["--url", &url]));
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("not one of ddbwatch"), "{}", ran.stderr);
}
