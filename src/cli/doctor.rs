//! `ddbwatch doctor`: what works on this host, what does not, and what mends it.
//!
//! Everything is asked of the kernel in the way the daemon will ask; nothing is changed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use super::args::Doctor;
use super::{Failure, Finished};
use crate::capture::afpacket::{self, AfPacket};
use crate::config::Metrics;
use crate::host::links::{self, HostLink, Selection};
use crate::host::privileges::{self, Capability};
use crate::host::{forwarding, routes, sandbox, statistics};
use crate::view::{Check, Checklist, Remedy, State, TableOptions};

/// Interfaces that get a line without being asked for; more do not fit on a screen.
const MAX_LINKS: usize = 6;

/// Where the kernel says how it is set.
const SETTINGS: &str = "/proc/sys";

/// Kernels from which on something is there, as (major, minor).
const EBPF: (u32, u32) = (5, 15);
const TCX: (u32, u32) = (6, 6);
const RING_BUFFER: (u32, u32) = (5, 8);

/// Runs the command.
pub fn run(args: &Doctor) -> Result<Finished, Failure> {
    let options = TableOptions::of_stdout();
    let has_color = options.has_color || anstream::ColorChoice::global() == anstream::ColorChoice::Always;
    let mut list = Checklist::default();
    let program = Program::of_this_process();
    host(&mut list);
    let works = back_ends(&mut list, &program);
    let sees = interfaces(&mut list, args);
    surroundings(&mut list);
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(list.render(options.width, has_color, options.is_unicode).as_bytes())?;
    stdout.flush()?;
    if !works {
        return Err(Failure::CannotRun(anyhow::anyhow!(
            "no back-end works here as {}; what stands below each says what to do",
            privileges::user_name()
        )));
    }
    if !sees {
        return Err(Failure::CannotRun(anyhow::anyhow!(
            "no interface to watch, or not all that were asked for; see above"
        )));
    }
    Ok(Finished::Done)
}

/// How this program is called and given capabilities.
struct Program {
    path: String,
}

impl Program {
    fn of_this_process() -> Self {
        let path =
            std::env::current_exe().map_or_else(|_| "ddbwatch".to_owned(), |path| path.display().to_string());
        Self { path }
    }

    /// The command that gives the program capabilities.
    fn grant(&self, capabilities: &[Capability]) -> Remedy {
        let names: Vec<String> =
            capabilities.iter().map(|capability| capability.to_string().to_lowercase()).collect();
        Remedy::Command(format!("sudo setcap {}+ep {}", names.join(","), self.path))
    }
}

fn check(state: State, label: &str, text: impl Into<String>, remedy: Option<Remedy>) -> Check {
    Check { state, label: label.to_owned(), text: text.into(), remedy }
}

/// The kernel and who asks it.
fn host(list: &mut Checklist) {
    list.section("This host");
    let release = release();
    let (state, text, remedy) = match version(&release) {
        Some(version) if version >= TCX => (State::Good, format!("Linux {release}"), None),
        Some(version) if version >= EBPF => {
            (State::Good, format!("Linux {release}; eBPF attaches by clsact (TCX needs 6.6)"), None)
        }
        Some(_) => (
            State::Warning,
            format!("Linux {release}; the eBPF back-end is made for 5.15 and newer"),
            Some(Remedy::Advice("use --backend afpacket".to_owned())),
        ),
        None => (State::Warning, format!("Linux {release}, whose version is not understood"), None),
    };
    list.add(check(state, "kernel", text, remedy));
    let held: Vec<String> = [
        Capability::CAP_NET_RAW,
        Capability::CAP_NET_ADMIN,
        Capability::CAP_BPF,
        Capability::CAP_PERFMON,
        Capability::CAP_SYS_ADMIN,
    ]
    .into_iter()
    .filter(|&capability| privileges::has(capability))
    .map(|capability| capability.to_string())
    .collect();
    let user = privileges::user_name();
    list.add(if held.is_empty() {
        check(State::Warning, "privileges", format!("{user}, without capabilities for capturing"), None)
    } else {
        check(State::Good, "privileges", format!("{user}, with {}", held.join(" ")), None)
    });
    list.add(clock());
}

fn clock() -> Check {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .unwrap_or_default();
    let source = if source.trim().is_empty() { "unknown".to_owned() } else { source.trim().to_owned() };
    match crate::host::clock() {
        Ok(clock) if clock.is_synchronised => {
            check(State::Good, "clock", format!("kept in step (source {source})"), None)
        }
        Ok(_) => check(
            State::Warning,
            "clock",
            format!("nothing keeps it in step (source {source}); times and certificate dates may be wrong"),
            Some(Remedy::Command(
                "sudo timedatectl set-ntp true   # on EC2: chronyd with 169.254.169.123".to_owned(),
            )),
        ),
        Err(error) => check(State::Note, "clock", format!("cannot be asked: {error}"), None),
    }
}

/// One line for each back-end; false where none works.
fn back_ends(list: &mut Checklist, program: &Program) -> bool {
    list.section("Back-ends");
    let (ebpf, could_load) = ebpf();
    let (packet_socket, could_choose) = packet_socket();
    let checks = [ebpf, packet_socket, libpcap()];
    let best = checks.iter().find(|check| check.state == State::Good).map(|check| check.label.clone());
    checks.into_iter().for_each(|check| list.add(check));
    // One command for all of them: what a second one gives, it takes from the first.
    let mut wanted = privileges::needed("afpacket").to_vec();
    for (may_use, needed) in [(could_load, privileges::needed("ebpf")), (could_choose, privileges::SELECTION)]
    {
        let new = needed.iter().filter(|_| may_use).filter(|needed| !wanted.contains(needed));
        wanted.extend(new.copied().collect::<Vec<_>>());
    }
    let remedy = (!privileges::missing_of(&wanted).is_empty()).then(|| program.grant(&wanted));
    let takes = format!("would take {}", best.as_deref().unwrap_or("none"));
    list.add(check(State::Note, "auto", takes, remedy));
    best.is_some()
}

/// How that back-end is, and whether capabilities could make it work or do so.
fn ebpf() -> (Check, bool) {
    let release = release();
    let unsupported =
        |why| check(State::Bad, "ebpf", why, Some(Remedy::Advice("use --backend afpacket".to_owned())));
    // Of a version that is not understood nothing is known but what the kernel says of the program.
    let version = version(&release).unwrap_or(EBPF);
    if version < EBPF {
        return (unsupported(format!("Linux {release} is older than 5.15")), false);
    }
    let missing = privileges::missing("ebpf");
    if !missing.is_empty() {
        return (check(State::Bad, "ebpf", needs(&missing), None), true);
    }
    if let Err(why) = loads() {
        return (unsupported(why), false);
    }
    let mut features = vec![if version >= TCX { "TCX" } else { "clsact" }];
    if version >= RING_BUFFER {
        features.push("ring buffer");
    }
    features.push(if Path::new("/sys/kernel/btf/vmlinux").exists() { "BTF" } else { "no BTF (not needed)" });
    (check(State::Good, "ebpf", features.join(", "), None), true)
}

fn needs(missing: &[Capability]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!("needs {}", names.join(" "))
}

/// Whether the kernel takes the program, by giving it: capabilities that count in a user namespace alone do not do.
#[cfg(target_endian = "little")]
fn loads() -> Result<(), String> {
    use crate::capture::ebpf::{EbpfSource, Options};
    match EbpfSource::load(&Options { flows: 1, ring_mib: 1, ..Options::default() }) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("does not work: {error}")),
    }
}

#[cfg(not(target_endian = "little"))]
fn loads() -> Result<(), String> {
    Err("is built for little-endian machines".to_owned())
}

/// How that back-end is, and whether capabilities could let eBPF choose its packets or do so.
fn packet_socket() -> (Check, bool) {
    match AfPacket::open(afpacket::Options::default(), None) {
        Ok(_) => {
            let rings = "packet sockets with mapped rings (TPACKET_V3)";
            let (chosen_by, could_choose) = match selection() {
                Ok(()) => ("eBPF".to_owned(), true),
                Err((why, is_privilege)) => (format!("a classic filter: eBPF {why}"), is_privilege),
            };
            let text = format!("{rings}, packets chosen by {chosen_by}");
            (check(State::Good, "afpacket", text, None), could_choose)
        }
        Err(error) if error.reason() == "privilege" => {
            (check(State::Bad, "afpacket", needs(privileges::needed("afpacket")), None), false)
        }
        Err(error) => (check(State::Bad, "afpacket", error.to_string(), None), false),
    }
}

/// Whether the program that chooses for packet sockets can be loaded, by doing so; else why, and whether a privilege
/// is missing.
#[cfg(target_endian = "little")]
fn selection() -> Result<(), (String, bool)> {
    use crate::capture::ebpf::{Options, SelectionProgram};
    let missing = privileges::missing_of(privileges::SELECTION);
    if !missing.is_empty() {
        return Err((needs(&missing), true));
    }
    // As little memory as it can have: it is let go of at once.
    match SelectionProgram::load(&Options { flows: 1, ..Options::default() }) {
        Ok(_) => Ok(()),
        Err(error) => Err((format!("does not work: {error}"), error.reason() == "privilege")),
    }
}

#[cfg(not(target_endian = "little"))]
fn selection() -> Result<(), (String, bool)> {
    Err(("is built for little-endian machines".to_owned(), false))
}

fn libpcap() -> Check {
    let missing = privileges::missing("pcap");
    if missing.is_empty() {
        check(State::Good, "pcap", "libpcap, for what the others do not serve", None)
    } else {
        check(State::Bad, "pcap", needs(&missing), None)
    }
}

/// The interfaces that are asked for, or those that are up; false where there is none, or one of those asked for
/// cannot be watched.
fn interfaces(list: &mut Checklist, args: &Doctor) -> bool {
    list.section("Interfaces");
    let there: Vec<HostLink> = match links::list() {
        Ok(there) => there.into_iter().map(|(link, _)| link).collect(),
        Err(error) => {
            list.add(check(State::Bad, "interfaces", format!("cannot be asked for: {error}"), None));
            return false;
        }
    };
    let is_asked = !args.interfaces.is_empty();
    let any = ["any".to_owned()];
    let selection = Selection::new(if is_asked { &args.interfaces } else { &any });
    let losses = statistics::losses().unwrap_or_default();
    let chosen: Vec<&HostLink> =
        there.iter().filter(|link| selection.has(link) && (is_asked || link.is_up)).collect();
    let shown = if is_asked { chosen.len() } else { MAX_LINKS };
    let (mut can_watch, mut is_complete) = (false, true);
    for link in chosen.iter().take(shown) {
        let lost = losses.iter().find(|lost| lost.number == link.index).map(|lost| &lost.losses[..]);
        let check = interface(link, lost.unwrap_or_default());
        let is_fine = matches!(check.state, State::Good | State::Warning);
        can_watch |= is_fine;
        is_complete &= is_fine || !is_asked;
        list.add(check);
    }
    if chosen.len() > shown {
        let names: Vec<&str> = chosen.iter().skip(shown).map(|link| &*link.name).collect();
        list.add(check(State::Note, "more", names.join(" "), None));
    }
    for name in selection.exact_names() {
        if is_asked && !there.iter().any(|link| link.is_called(name)) {
            is_complete = false;
            list.add(check(
                State::Bad,
                name,
                "there is no such interface (now)",
                Some(Remedy::Command("ip -brief link".to_owned())),
            ));
        }
    }
    if chosen.is_empty() && !is_asked {
        list.add(check(State::Bad, "any", "no interface but the loopback is up", None));
    }
    list.add(passing_on());
    can_watch && is_complete
}

fn interface(link: &HostLink, lost: &[(&'static str, u64)]) -> Check {
    let link_type = link.link().link_type;
    let kind = link.kind.as_deref().unwrap_or(if link.is_loopback { "loopback" } else { "hardware" });
    let mut facts = vec![kind.to_owned()];
    if !link_type.is_supported() {
        return check(
            State::Bad,
            &link.name,
            format!("{kind}, with frames that ddbwatch does not read: {link_type}"),
            None,
        );
    }
    facts.push(link_type.name().unwrap_or_default().to_owned());
    if let Some(vlan) = link.vlan {
        facts.push(format!("VLAN {vlan}"));
    }
    if let Some(vni) = link.vni {
        facts.push(format!("VNI {vni}"));
    }
    facts.push(format!("MTU {}", link.mtu_bytes));
    if let Ok(offloads) = statistics::offloads(&link.name) {
        let on: Vec<&str> = [
            ("gro", offloads.gro),
            ("lro", offloads.lro),
            ("gso", offloads.gso),
            ("tso", offloads.tso),
            ("vlan-strip", offloads.vlan_strip),
        ]
        .into_iter()
        .filter_map(|(name, is_on)| is_on.then_some(name))
        .collect();
        facts.push(if on.is_empty() { "no offloads".to_owned() } else { on.join(" ") });
    }
    let lost: Vec<String> = lost
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if !link.is_up {
        return check(
            State::Bad,
            &link.name,
            format!("is down ({})", facts.join(", ")),
            Some(Remedy::Command(format!("sudo ip link set {} up", link.name))),
        );
    }
    if lost.is_empty() {
        check(State::Good, &link.name, facts.join(", "), None)
    } else {
        facts.push(format!("lost before any capture: {}", lost.join(", ")));
        check(State::Warning, &link.name, facts.join(", "), None)
    }
}

fn passing_on() -> Check {
    let own = routes::own_addresses().unwrap_or_default().iter().filter(|own| !own.is_loopback()).count();
    let mut text = if forwarding::forwards() {
        "forwards packets".to_owned()
    } else if !Path::new(SETTINGS).exists() {
        format!("whether it forwards is not known: there is no {SETTINGS}")
    } else {
        "forwards nothing: sees only its own flows and mirrors".to_owned()
    };
    if forwarding::may_translate() {
        text.push_str(", tracks connections (NAT is possible)");
    }
    text.push_str(&format!(", {own} own addresses"));
    check(State::Note, "this host", text, None)
}

/// What is around the daemon.
fn surroundings(list: &mut Checklist) {
    list.section("Safety and service");
    list.add(match sandbox::landlock_status() {
        sandbox::Wall::Stands => check(State::Good, "files, ports", "walled off by Landlock", None),
        sandbox::Wall::Partly => {
            check(State::Good, "files, ports", "walled off by Landlock as far as this kernel can", None)
        }
        sandbox::Wall::Missing(why) => check(
            State::Warning,
            "files, ports",
            format!("not walled off: {why}"),
            Some(Remedy::Advice(
                "boot with lsm=landlock,… (see /sys/kernel/security/lsm); it works without".to_owned(),
            )),
        ),
    });
    list.add(if sandbox::has_seccomp() {
        check(State::Good, "system calls", "filtered by seccomp", None)
    } else if !Path::new(SETTINGS).exists() {
        check(
            State::Note,
            "system calls",
            format!("whether they are filtered is not known: there is no {SETTINGS}"),
            None,
        )
    } else {
        check(State::Warning, "system calls", "not filtered: the kernel has no seccomp filters", None)
    });
    list.add(if privileges::has_user(privileges::DEFAULT_USER) {
        check(State::Good, "user", format!("{} is there to run as", privileges::DEFAULT_USER), None)
    } else {
        check(
            State::Warning,
            "user",
            format!("there is no user {}; it would run as nobody", privileges::DEFAULT_USER),
            Some(Remedy::Command(format!(
                "sudo useradd --system --shell /usr/sbin/nologin {}",
                privileges::DEFAULT_USER
            ))),
        )
    });
    list.add(service());
    list.add(port(Metrics::default().listen));
}

fn service() -> Check {
    if !Path::new("/run/systemd/system").exists() {
        return check(State::Note, "systemd", "does not run here", None);
    }
    let output = Command::new("systemctl").args(["is-active", "ddbwatch.service"]).output();
    match output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()) {
        Ok(state) if state == "active" => check(State::Good, "systemd", "ddbwatch.service is active", None),
        Ok(state) => check(
            State::Note,
            "systemd",
            format!("ddbwatch.service is {}", if state.is_empty() { "not there" } else { &state }),
            Some(Remedy::Command("sudo systemctl enable --now ddbwatch".to_owned())),
        ),
        Err(_) => check(State::Note, "systemd", "cannot be asked", None),
    }
}

fn port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => check(State::Good, "metrics", format!("{address} is free"), None),
        Err(error) => check(
            State::Warning,
            "metrics",
            format!("{address} cannot be listened on: {error}"),
            Some(Remedy::Command(format!(
                "ss -ltnp 'sport = :{}'   # or another [metrics] listen",
                address.port()
            ))),
        ),
    }
}

fn release() -> String {
    nix::sys::utsname::uname().map(|names| names.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// `6.1.0-18-amd64` as (6, 1).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn reads_versions_of_kernels() {
        for (release, expected) in [
            ("6.1.0-18-amd64", Some((6, 1))),
            ("5.15.0", Some((5, 15))),
            ("4.14.336-257.562.amzn2.x86_64", Some((4, 14))),
            ("6.18", Some((6, 18))),
            ("", None),
            ("next", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
        assert!((5, 4) < EBPF && (6, 1) >= EBPF && (6, 10) > TCX);
    }

    #[test]
    fn tells_how_an_interface_is() {
        let link = HostLink {
            index: 7,
            name: Arc::from("no-such-if0"),
            other_names: Vec::new(),
            kind: Some(Arc::from("vlan")),
            hardware: 1,
            is_up: true,
            is_loopback: false,
            is_promiscuous: false,
            mtu_bytes: 9_001,
            vlan: Some(120),
            vni: None,
            master: None,
            parent: None,
        };
        let fine = interface(&link, &[("rx_dropped", 0)]);
        assert_eq!((fine.state, &*fine.text), (State::Good, "vlan, Ethernet, VLAN 120, MTU 9001"));
        let lossy = interface(&link, &[("rx_dropped", 3), ("rx_missed", 0)]);
        assert_eq!(lossy.state, State::Warning);
        assert!(lossy.text.ends_with("lost before any capture: rx_dropped 3"), "{}", lossy.text);
        let down = interface(&HostLink { is_up: false, ..link.clone() }, &[]);
        assert_eq!(
            (down.state, down.remedy),
            (State::Bad, Some(Remedy::Command("sudo ip link set no-such-if0 up".to_owned())))
        );
        let strange = interface(&HostLink { hardware: 32, ..link }, &[]);
        assert_eq!(strange.state, State::Bad);
        assert!(strange.text.contains("IP over InfiniBand") || strange.text.contains("InfiniBand"));
    }

    #[test]
    fn names_the_command_that_gives_a_capability() {
        let program = Program { path: "/usr/bin/ddbwatch".to_owned() };
        assert_eq!(
            program.grant(privileges::needed("ebpf")),
            Remedy::Command("sudo setcap cap_bpf,cap_net_admin,cap_perfmon+ep /usr/bin/ddbwatch".to_owned())
        );
    }

    #[test]
    fn sees_that_a_port_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port(address).state, State::Warning);
        drop(listener);
        assert_eq!(port(address).state, State::Good);
    }
}
