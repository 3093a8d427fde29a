//! The daemon from the outside: what it writes, answers, survives.

#[cfg(target_os = "linux")]
mod gateway;
mod http;
#[cfg(target_os = "linux")]
mod interception;
mod metrics;
mod operation;
mod replay;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod top;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support;

/// Whatever a daemon is waited for, it takes less.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon, its folder and its log. It is killed where a test fails.
struct Daemon {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
    log: Arc<Mutex<Vec<Value>>>,
}

impl Daemon {
    /// Starts `ddbwatch watch` with these arguments and `config`, which need not say where to listen.
    fn start(arguments: &[&str], config: &str) -> Self {
        Self::start_with(arguments, config, Stdio::null())
    }

    fn start_with(arguments: &[&str], config: &str, stdout: Stdio) -> Self {
        Self::start_by(support::ddbwatch(), arguments, config, stdout)
    }

    /// As before, by a command that ends in the program's name.
    fn start_by(mut command: Command, arguments: &[&str], config: &str, stdout: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Whoever it becomes writes and reads there.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let path = folder.path().join("ddbwatch.toml");
        std::fs::write(&path, text_of(config, folder.path())).unwrap();
        command.args(["watch", "--log-format", "json", "--config"]).arg(&path).args(arguments);
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                lines.lock().unwrap().push(value);
            }
        });
        let mut daemon = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), folder, log };
        let begins = daemon.wait_for_log("Watching begins");
        daemon.address = begins["address"].as_str().unwrap().parse().unwrap();
        daemon
    }

    /// The configuration that stands in the file, changed.
    fn configure(&self, config: &str) {
        std::fs::write(self.path("ddbwatch.toml"), text_of(config, self.folder.path())).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The first log line whose message contains `text`, once it is there.
    fn wait_for_log(&mut self, text: &str) -> Value {
        self.wait_for_log_after(0, text)
    }

    /// As before, among the lines after the first `skip`.
    fn wait_for_log_after(&mut self, skip: usize, text: &str) -> Value {
        let begin = Instant::now();
        loop {
            let log = self.log.lock().unwrap();
            let found = log.iter().skip(skip).find(|line| {
                line["message"]
                    .as_str()
                    .or_else(|| line.as_str())
                    .is_some_and(|message| message.contains(text))
            });
            if let Some(line) = found {
                return line.clone();
            }
            let has_ended = self.child.try_wait().unwrap();
            assert!(has_ended.is_none() && begin.elapsed() < PATIENCE, "no `{text}` in {log:#?}");
            drop(log);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A log line of a daemon that has ended.
    fn last_log(&self, text: &str) -> Value {
        let log = self.log.lock().unwrap();
        let found = log.iter().rev().find(|line| line["message"].as_str().is_some_and(|m| m.contains(text)));
        found.unwrap_or_else(|| panic!("no `{text}` in {log:#?}")).clone()
    }

    fn log_lines(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    fn get(&self, path: &str) -> Answer {
        get(self.address, path)
    }

    fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        Metrics::parse(&answer.body)
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Waits until a replay that is not endless is over.
    fn wait_until_over(&self) {
        self.wait_until("the replay is over", || self.get("/readyz").body.contains("the replay is over"));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < PATIENCE, "never: {what}\n{:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// Ends it in order, and gives how it ended.
    fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end: {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the kernel says of the process.
    fn status(&self, field: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap().trim().to_owned()
    }

    fn resident_bytes(&self) -> u64 {
        self.status("VmRSS").split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            return;
        }
        for line in self.log.lock().unwrap().iter() {
            assert!(!line.to_string().contains("panicked at"), "{line}");
        }
    }
}

/// `FOLDER` stands for the folder of the daemon; without an address, any free port is listened on.
fn text_of(config: &str, folder: &Path) -> String {
    let config = config.replace("FOLDER", &folder.display().to_string());
    match config.contains("[metrics]") {
        true => config.replace("[metrics]", "[metrics]\nlisten = \"127.0.0.1:0\""),
        false => format!("{config}\n[metrics]\nlisten = \"127.0.0.1:0\"\n"),
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn get(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// What a scrape says.
struct Metrics(Vec<(String, BTreeMap<String, String>, f64)>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(lines.map(sample).collect())
    }

    /// The sum over the series of a metric with these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let of_it = self.0.iter().filter(|(metric, found, _)| {
            metric == name
                && labels.iter().all(|(label, value)| found.get(*label).is_some_and(|v| v == value))
        });
        of_it.map(|(_, _, value)| value).sum()
    }

    fn values(&self, name: &str, label: &str) -> Vec<String> {
        let of_it = self.0.iter().filter(|(metric, ..)| metric == name);
        let mut values: Vec<String> = of_it.filter_map(|(_, labels, _)| labels.get(label).cloned()).collect();
        values.sort();
        values.dedup();
        values
    }
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let mut found = BTreeMap::new();
    for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()) {
        let (key, text) = label.split_once("=\"").unwrap();
        found.insert(key.to_owned(), text.trim_end_matches('"').to_owned());
    }
    (name.to_owned(), found, value.parse().unwrap())
}
