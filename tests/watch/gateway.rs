//! The daemon on a host that forwards: whose flows are, what goes out, what a reload changes. The test's thread is
//! in a network namespace of its own, which is the gateway; a client and a server have theirs.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, PATIENCE};
use crate::live::namespace::{self, ip};
use crate::support;

const NAME: &str = "dynamodb.eu-west-1.amazonaws.com";
/// A published address of DynamoDB in that region.
const SERVER: &str = "52.94.5.10";

/// A client and a server, each in a namespace, and the gateway between them, which is where this runs.
pub(super) struct Site {
    client: String,
    server: String,
    pub(super) folder: tempfile::TempDir,
    pub(super) processes: Vec<Child>,
}

impl Site {
    pub(super) fn new(name: &str) -> Self {
        let mut site = Self {
            client: format!("ddbhost-{name}-client"),
            server: format!("ddbhost-{name}-server"),
            folder: tempfile::tempdir().unwrap(),
            processes: Vec::new(),
        };
        site.remove();
        for (place, inside, outside, network) in
            [(&site.client, "out0", "in0", "10.20.0"), (&site.server, "front0", "up0", "10.21.0")]
        {
            ip(&format!("netns add {place}"));
            ip(&format!("-n {place} link set lo up"));
            ip(&format!("link add {outside} type veth peer name {inside} netns {place}"));
            ip(&format!("address add {network}.1/24 dev {outside}"));
            ip(&format!("link set {outside} up"));
            ip(&format!("-n {place} address add {network}.2/24 dev {inside}"));
            ip(&format!("-n {place} link set {inside} up"));
            ip(&format!("-n {place} route add default via {network}.1"));
        }
        ip("link set lo up");
        ip(&format!("-n {} address add {SERVER}/32 dev lo", site.server));
        ip(&format!("route add {SERVER}/32 via 10.21.0.2"));
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        site.serve();
        site
    }

    fn remove(&self) {
        for place in [&self.client, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", place]).stderr(Stdio::null()).status();
        }
    }

    fn inside(place: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place, program]);
        command
    }

    /// TLS under DynamoDB's name and address.
    fn serve(&mut self) {
        let (key, certificate) = (self.folder.path().join("key"), self.folder.path().join("certificate"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj"])
            .arg(format!("/CN={NAME}"))
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let server = Self::inside(&self.server, "openssl")
            .args(["s_server", "-quiet", "-accept", &format!("{SERVER}:443"), "-key"])
            .arg(&key)
            .arg("-cert")
            .arg(&certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.processes.push(server.unwrap());
        wait_for_port(|| Self::inside(&self.server, "ss"), 443);
    }

    /// A connection that stays open until its input ends.
    fn connect(&self, mut command: Command) -> Child {
        let child = command
            .args(["s_client", "-quiet", "-connect", &format!("{SERVER}:443"), "-servername", NAME])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.unwrap()
    }

    pub(super) fn connect_from_client(&self) -> Child {
        self.connect(Self::inside(&self.client, "openssl"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        self.remove();
    }
}

/// Waits until somebody listens at the port where this `ss` looks.
pub(super) fn wait_for_port(ss: impl Fn() -> Command, port: u16) {
    let begin = Instant::now();
    loop {
        let listening = ss().args(["-ltn"]).output().unwrap();
        if String::from_utf8_lossy(&listening.stdout).contains(&format!(":{port} ")) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody listens at {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn end(mut client: Child) {
    let _ = client.kill();
    let _ = client.wait();
}

/// The record of the only flow of this client that is there, once it is.
fn record_of(daemon: &Daemon, client: &str) -> Value {
    record_after(daemon, client, 0)
}

/// As before, of its flow after so many others.
pub(super) fn record_after(daemon: &Daemon, client: &str, others: usize) -> Value {
    let begin = Instant::now();
    loop {
        let text = daemon.read("flows.jsonl");
        let records = support::records(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
        let found = records.into_iter().filter(|record| record["client.address"] == client).nth(others);
        if let Some(record) = found {
            return Value::Object(record.into_iter().collect());
        }
        assert!(begin.elapsed() < PATIENCE, "no flow of {client}: {:#?}", daemon.log.lock().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) const RECORDS: &str = "[output]\nrecords = \"FOLDER/flows.jsonl\"\n";

/// The program without what loading eBPF needs.
fn without_ebpf() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-bpf,-perfmon,-sys_admin", "--inh-caps=-all"]);
    command.arg(env!("CARGO_BIN_EXE_ddbwatch")).current_dir(support::captures());
    command
}

/// Each way to take packets: its name, the command, the back-end, what the reason says, and the capabilities that are
/// kept (capability.h: NET_ADMIN 12, NET_RAW 13, PERFMON 38, BPF 39).
pub(super) fn ways() -> Vec<(&'static str, Command, &'static str, &'static str, u64)> {
    let mut ways = vec![
        ("ebpf", support::ddbwatch(), "ebpf", "as asked for", 1 << 12 | 1 << 38 | 1 << 39),
        (
            "afpacket with eBPF",
            support::ddbwatch(),
            "afpacket",
            "chosen by the eBPF program",
            1 << 13 | 1 << 38 | 1 << 39,
        ),
        ("pcap", support::ddbwatch(), "pcap", "as asked for", 1 << 13),
    ];
    if support::is_there("setpriv") {
        ways.push((
            "afpacket without eBPF",
            without_ebpf(),
            "afpacket",
            "chosen by a classic filter",
            1 << 13,
        ));
    }
    ways
}

pub(super) fn can_run() -> bool {
    ["openssl", "ss"].iter().all(|program| support::is_there(program))
}

/// A control group of the second version for one process, where the host has them.
pub(super) struct Group(pub(super) Option<std::path::PathBuf>);

impl Group {
    pub(super) fn new() -> Self {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(std::path::Path::new);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists());
        let path = root.map(|root| root.join(format!("ddbhost-{}.service", std::process::id())));
        Self(path.filter(|path| std::fs::create_dir(path).is_ok()))
    }

    /// The command that runs a program in it.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        let procs = self.0.as_ref().map_or("/dev/null".into(), |path| path.join("cgroup.procs"));
        command.args(["-c", &format!("echo $$ > {} && exec {program} \"$@\"", procs.display()), "sh"]);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It is empty a moment after its process has ended.
            for _ in 0..50 {
                if std::fs::remove_dir(path).is_ok() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

#[test]
fn flows_say_whose_they_are_and_what_only_passes_goes_out_unseen() {
    if !can_run() {
        return;
    }
    namespace::run(|| {
        let site = Site::new("whose");
        for (way, command, backend, reason, kept) in ways() {
            let arguments = ["-i", "in0", "-i", "up0", "--backend", backend];
            let mut daemon = Daemon::start_by(command, &arguments, RECORDS, Stdio::null());
            daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
            let watching = daemon.json("/api/v1/summary")["watching"].clone();
            assert!(watching["reason"].as_str().unwrap().contains(reason), "{way}: {watching}");
            assert_eq!(daemon.status("CapEff"), format!("{kept:016x}"), "{way}");
            assert_eq!((&*daemon.status("NoNewPrivs"), &*daemon.status("Seccomp")), ("1", "2"), "{way}");
            assert!(!daemon.status("Uid").split_whitespace().any(|id| id == "0"), "{way}");
            // What goes out is decided a moment later.
            std::thread::sleep(Duration::from_millis(500));

            let group = Group::new();
            let own = site.connect(group.command("openssl"));
            let record = record_of(&daemon, "10.21.0.1");
            assert_eq!(record["flow.origin"], "local", "{way}: {record:#}");
            assert_eq!(record["flow.completeness"], "full", "{way}: {record:#}");
            if let Some(path) = &group.0 {
                assert_eq!(record["process.pid"], own.id(), "{way}: {record:#}");
                assert_eq!(record["process.name"], "openssl", "{way}");
                assert_eq!(record["systemd.unit"], *path.file_name().unwrap().to_string_lossy(), "{way}");
            }
            end(own);

            let received = || -> f64 {
                // Of this thread's namespace; sysfs shows another one.
                let table = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
                let packets = |line: &str| {
                    let (name, counts) = line.split_once(':')?;
                    let count = counts.split_whitespace().nth(1)?.parse::<f64>().ok()?;
                    ["in0", "up0"].contains(&name.trim()).then_some(count)
                };
                table.lines().filter_map(packets).sum()
            };
            let seen = || {
                let metrics = daemon.metrics();
                let of = |stage| metrics.sum("ddbwatch_packets_total", &[("stage", stage)]);
                let summary = daemon.json("/api/v1/summary");
                let skipped = summary["skipped"].as_array().unwrap();
                let outgoing = skipped.iter().find(|skip| skip["reason"] == "outgoing");
                (of("seen"), outgoing.map_or(0.0, |skip| skip["count"].as_f64().unwrap()))
            };
            std::thread::sleep(Duration::from_millis(500));
            let (before, received_before) = (seen(), received());
            let mut other = site.connect_from_client();
            let record = record_of(&daemon, "10.20.0.2");
            assert_eq!(record["flow.origin"], "forwarded", "{way}: {record:#}");
            assert_eq!(record["flow.completeness"], "full", "{way}: {record:#}");
            for key in ["process.pid", "process.name", "container.id", "systemd.unit"] {
                assert_eq!(record.get(key), None, "{way}: {record:#}");
            }
            let sightings: Vec<&str> = record["flow.sightings"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|sighting| sighting["interface"].as_str())
                .collect();
            assert!(sightings.contains(&"in0") && sightings.contains(&"up0"), "{way}: {record:#}");
            // Many packets, each alone.
            for _ in 0..200 {
                other.stdin.as_mut().unwrap().write_all(&[b'x'; 100]).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(700));
            let (after, came) = (seen(), received() - received_before);
            let taken = (after.0 - before.0) - (after.1 - before.1);
            println!(
                "{way}: {came} packets came in, {taken} were taken, {} left out as they went out",
                after.1
            );
            if backend == "afpacket" {
                assert!(came > 200.0 && taken < 1.3 * came, "{way}: {came} came in, {taken} were taken");
            }
            end(other);
            assert_eq!(daemon.stop().code(), Some(0), "{way}");
        }
    });
}

#[test]
fn a_new_address_list_reaches_the_kernel() {
    namespace::run(|| {
        namespace::pair("near0", "far0");
        ip("link set lo up");
        let list = |prefix: &str| {
            format!(
                r#"{{"syncToken":"1","createDate":"2026-11-01-00-00-00","prefixes":[{{"ip_prefix":"{prefix}","region":"eu-west-1","service":"DYNAMODB","network_border_group":"eu-west-1"}}],"ipv6_prefixes":[]}}"#
            )
        };
        let config = "[endpoints]\nip_ranges = \"FOLDER/ranges.json\"\n";
        let arguments = ["-i", "far0", "--backend", "ebpf"];
        // The file has to be there when it starts.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ranges.json");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(&path, list("203.0.113.0/24")).unwrap();
        let config = config.replace("FOLDER/ranges.json", &path.display().to_string());
        let mut daemon = Daemon::start(&arguments, &config);
        daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
        // Bytes that nothing recognises, on a port of no interest.
        let send = |port: u16| {
            let frames: Vec<Vec<u8>> = (0..21_u32)
                .map(|number| {
                    let (flags, payload) = if number == 0 { (2, 0) } else { (16, 1_000) };
                    let mut frame = vec![4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 0];
                    frame.extend((40 + payload as u16).to_be_bytes());
                    frame.extend([0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 198, 51, 100, 7, 0x9c, 0x40]);
                    frame.extend(port.to_be_bytes());
                    frame
                        .extend((1 + number.saturating_sub(1) * 1_000 + u32::from(number > 0)).to_be_bytes());
                    frame.extend([0, 0, 0, 0, 0x50, flags, 255, 255, 0, 0, 0, 0]);
                    frame.resize(frame.len() + payload, 0x9c);
                    frame
                })
                .collect();
            namespace::send(frames.iter().map(|frame| ("near0", &frame[..])));
        };
        let skipped = |reason: &str| {
            let summary = daemon.json("/api/v1/summary");
            let all = summary["skipped"].as_array().unwrap();
            all.iter().find(|skip| skip["reason"] == reason).map_or(0, |skip| skip["count"].as_u64().unwrap())
        };
        let parsed = || daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "parsed")]);
        send(7_001);
        daemon.wait_until("the kernel leaves the flow out", || skipped("other_protocol") == 20);
        std::fs::write(&path, list("198.51.100.0/24")).unwrap();
        let before = parsed();
        daemon.signal("HUP");
        daemon.wait_for_log("The configuration was read again");
        // The reader takes it with its next look at the kernel.
        std::thread::sleep(Duration::from_millis(500));
        let skipped = |reason: &str| {
            let summary = daemon.json("/api/v1/summary");
            let all = summary["skipped"].as_array().unwrap();
            all.iter().find(|skip| skip["reason"] == reason).map_or(0, |skip| skip["count"].as_u64().unwrap())
        };
        let parsed = || daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "parsed")]);
        send(7_002);
        daemon.wait_until("the engine gets the flow", || parsed() > before);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(skipped("other_protocol"), 20, "nothing of it is left out");
        assert_eq!(daemon.json("/api/v1/summary")["watching"]["refused"], serde_json::json!({}));
        assert_eq!(daemon.stop().code(), Some(0));
    });
}

#[test]
fn interfaces_come_and_go_and_a_reload_names_others() {
    namespace::run(|| {
        ip("link set lo up");
        namespace::pair("near0", "far0");
        for backend in ["ebpf", "afpacket", "pcap"] {
            let of = |names: &str| format!("[capture]\ninterfaces = [{names}]\nbackend = \"{backend}\"\n");
            let folder = tempfile::tempdir().unwrap();
            let (path, told) = super::service::manager(folder.path());
            let mut command = crate::support::ddbwatch();
            command.env("NOTIFY_SOCKET", path);
            let mut daemon = Daemon::start_by(command, &[], &of("\"far*\""), Stdio::null());
            let watched = |daemon: &Daemon| {
                let summary = daemon.json("/api/v1/summary");
                let mut names: Vec<String> =
                    serde_json::from_value(summary["watching"]["interfaces"].clone()).unwrap();
                names.sort();
                names
            };
            daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
            assert_eq!(watched(&daemon), ["far0"], "{backend}");
            namespace::pair("near1", "far1");
            daemon.wait_until("the new one is watched", || watched(&daemon) == ["far0", "far1"]);
            daemon.wait_until("the service manager knows", || {
                let status = format!("STATUS={backend} on far0, far1");
                told.lock().unwrap().iter().any(|message| message.contains(&status))
            });
            let series =
                |daemon: &Daemon| daemon.metrics().values("ddbwatch_capture_restarts_total", "interface");
            assert_eq!(series(&daemon), ["far0", "far1"], "{backend}");
            ip("link del near1");
            daemon.wait_until("it is gone from the page", || watched(&daemon) == ["far0"]);
            daemon.wait_until("it is gone from the metrics", || series(&daemon) == ["far0"]);
            daemon.configure(&of("\"near0\""));
            daemon.signal("HUP");
            daemon.wait_for_log("The configuration was read again");
            daemon.wait_until("the other one is watched", || watched(&daemon) == ["near0"]);
            let left = daemon.wait_for_log("An interface is no longer asked for.");
            assert_eq!(left["interface"], "far0", "it is still there");
            // Without an interface it does not say that it captures.
            daemon.configure(&of("\"tun*\""));
            daemon.signal("HUP");
            daemon.wait_until("nothing is watched", || watched(&daemon).is_empty());
            let readiness = daemon.get("/readyz");
            assert_eq!(readiness.status, 503);
            assert!(readiness.body.contains("no interface"), "{}", readiness.body);
            assert_eq!(daemon.json("/api/v1/summary")["watching"]["state"], "failing");
            daemon.configure(&of("\"near0\""));
            daemon.signal("HUP");
            daemon.wait_until("it captures again", || daemon.get("/readyz").status == 200);
            // What needs a restart is refused, and says so.
            daemon.configure(&format!("{}ring_mib = 7\n", of("\"near0\"")));
            daemon.signal("HUP");
            let refused = daemon.wait_for_log("The new configuration was refused");
            let why = refused["error"].as_str().unwrap();
            assert!(why.contains("[capture] ring_mib") && why.contains("restart ddbwatch"), "{why}");
            // It is root no longer, and says who it is now.
            let file = daemon.path("ddbwatch.toml");
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let told = daemon.log.lock().unwrap().len();
            daemon.signal("HUP");
            let refused = daemon.wait_for_log_after(told, "The new configuration was refused");
            let why = refused["error"].as_str().unwrap();
            assert!(why.contains(" now, who may not read ") && why.contains("Permission denied"), "{why}");
            // Every interface shows what it lost before, from the start on.
            let nic = daemon.metrics().values("ddbwatch_dropped_total", "stage");
            assert!(nic.contains(&"nic".to_owned()), "{backend}: {nic:?}");
            assert_eq!(daemon.stop().code(), Some(0), "{backend}");
        }
    });
}

/// What everybody may read says of interfaces, files and profiles what records say: no account id.
#[test]
fn no_name_takes_an_account_id_out_of_the_daemon() {
    const ID: &str = "616161616161";
    namespace::run(|| {
        ip("link set lo up");
        namespace::pair(&format!("q{ID}"), "far0");
        let of = |more: &str| {
            format!(
                "[capture]\ninterfaces = [\"q{ID}\", \"no{ID}\"]\nbackend = \"afpacket\"\n\
                 [output]\nrecords = \"FOLDER/flows-{ID}.jsonl\"\n{more}"
            )
        };
        let mut daemon = Daemon::start(&[], &of(""));
        daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
        let mut said = vec![daemon.get("/metrics").body];
        let restarts = daemon.metrics().values("ddbwatch_capture_restarts_total", "interface");
        assert_eq!(restarts, ["qaccount-1"]);
        let missing = daemon.wait_for_log("The interface is not there");
        assert_eq!(missing["interface"], "noaccount-1");
        ip(&format!("link del q{ID}"));
        let gone = daemon.wait_for_log("An interface is gone");
        assert_eq!(gone["interface"], "qaccount-1");
        let profile =
            format!("[profile.own-{ID}]\nextends = \"aws-dynamodb\"\n[policy]\nprofile = \"own-{ID}\"\n");
        daemon.configure(&of(&profile));
        daemon.signal("HUP");
        let taken = daemon.wait_for_log("The configuration was read again");
        assert_eq!(taken["profile"], "own-account-1");
        daemon.configure(&of(&format!("[endpoints]\nip_ranges = \"FOLDER/{ID}/ranges.json\"\n")));
        daemon.signal("HUP");
        let refused = daemon.wait_for_log("The new configuration was refused");
        assert!(refused["error"].as_str().unwrap().contains("account-1/ranges.json"), "{refused}");
        said.extend(["/", "/metrics", "/readyz", "/api/v1/summary"].map(|path| daemon.get(path).body));
        assert_eq!(daemon.stop().code(), Some(0));
        said.push(format!("{:?}", daemon.log.lock().unwrap()));
        assert!(said.iter().all(|text| !text.contains(ID)), "{said:#?}");
    });
}

#[test]
fn a_process_that_was_stopped_for_a_while_goes_on_with_what_its_rings_hold() {
    namespace::run(|| {
        ip("link set lo up");
        namespace::pair("near0", "far0");
        let daemon = Daemon::start(&["-i", "far0", "--backend", "afpacket"], "");
        daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
        daemon.signal("STOP");
        let frame = [0; 60];
        namespace::send((0..50).map(|_| ("near0", &frame[..])));
        // Longer than a reader may be stuck.
        std::thread::sleep(Duration::from_millis(10_500));
        daemon.signal("CONT");
        daemon.wait_until("what came meanwhile is read", || {
            daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "seen")]) >= 50.0
        });
        assert_eq!(daemon.metrics().sum("ddbwatch_capture_restarts_total", &[]), 0.0);
    });
}

/// The kernel's count of what an interface dropped.
fn dropped(interface: &str) -> u64 {
    let said = Command::new("ip").args(["-json", "-statistics", "link", "show", interface]).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said[0]["stats64"]["rx"]["dropped"].as_u64().unwrap()
}

#[test]
fn frames_that_no_protocol_takes_are_not_counted_as_dropped() {
    // LLDP, MPLS, PPPoE, a VLAN tag within another one.
    const FRAMES: &str = "
import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(('near0', 0))
ends = bytes.fromhex('0180c200000e020000000001')
for head in ('88cc', '8847', '8864', '88a8000781000008'):
    for _ in range(5):
        out.send(ends + bytes.fromhex(head) + bytes(60))
";
    namespace::run(|| {
        ip("link set lo up");
        namespace::pair("near0", "far0");
        let send = || assert!(Command::new("python3").args(["-c", FRAMES]).status().unwrap().success());
        let begin = dropped("far0");
        send();
        assert_eq!(dropped("far0") - begin, 20, "what the kernel counts by itself");
        for backend in ["ebpf", "afpacket"] {
            let mut daemon =
                Daemon::start(&[], &format!("[capture]\ninterfaces = [\"far0\"]\nbackend = \"{backend}\"\n"));
            daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
            let begin = dropped("far0");
            send();
            daemon.wait_until("all are seen", || {
                daemon.metrics().sum("ddbwatch_packets_total", &[("stage", "seen")]) >= 20.0
            });
            assert_eq!(dropped("far0") - begin, 0, "{backend}");
            assert_eq!(daemon.stop().code(), Some(0));
        }
    });
}
