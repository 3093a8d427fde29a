//! What a service manager is told, over a socket as systemd has one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Daemon, PATIENCE};
use crate::support;

/// A service manager in `folder`: where it is told, and what it was told.
pub fn manager(folder: &Path) -> (PathBuf, Arc<Mutex<Vec<String>>>) {
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    // The daemon becomes nobody.
    for (path, mode) in [(folder, 0o755), (&path, 0o777)] {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let told = Arc::<Mutex<Vec<String>>>::default();
    let messages = Arc::clone(&told);
    // It goes with the test program.
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(length) = socket.recv(&mut buffer) {
            messages.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    });
    (path, told)
}

/// Gathers messages until one says `word`; gives all of them.
fn until(socket: &UnixDatagram, word: &str) -> Vec<String> {
    let begin = Instant::now();
    let mut all = Vec::new();
    let mut buffer = [0; 4_096];
    while begin.elapsed() < PATIENCE {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let is_it = message.lines().any(|line| line == word);
        all.push(message);
        if is_it {
            return all;
        }
    }
    panic!("never told {word}: {all:?}");
}

#[test]
fn the_service_manager_is_told_of_start_life_reload_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut command = support::ddbwatch();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let arguments = ["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"];
    let mut daemon = Daemon::start_by(command, &arguments, "", Stdio::null());
    let ready = until(&socket, "READY=1").pop().unwrap();
    assert!(ready.lines().any(|line| line.starts_with("STATUS=replay")), "{ready}");
    // Twice in each period, while everything answers.
    until(&socket, "WATCHDOG=1");
    let first = Instant::now();
    until(&socket, "WATCHDOG=1");
    assert!(first.elapsed() < Duration::from_secs(5), "{:?}", first.elapsed());
    daemon.signal("HUP");
    let reloading = until(&socket, "RELOADING=1").pop().unwrap();
    assert!(reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading}");
    until(&socket, "READY=1");
    daemon.signal("TERM");
    until(&socket, "STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_replay_gives_up_what_it_does_not_need() {
    let arguments = ["--replay", "boto3-tls.pcap", "--speed", "max", "--loop"];
    let mut daemon = Daemon::start(&arguments, "[output]\nrecords = \"FOLDER/flows.jsonl\"\n");
    daemon.wait_for_log("Privileges were given up.");
    // CAP_DAC_READ_SEARCH is number 2: what it could read at the start it can read in the next round.
    let kept = u64::from_str_radix(&daemon.status("CapEff"), 16).unwrap();
    assert_eq!(kept & !4, 0, "{kept:x}");
    assert_eq!((&*daemon.status("NoNewPrivs"), &*daemon.status("Seccomp")), ("1", "2"));
    // It still reads and writes.
    daemon.wait_until("records are written", || daemon.read("flows.jsonl").len() > 100_000);
    assert_eq!(daemon.stop().code(), Some(0));
}
