//! A network namespace that goes with its thread, and cables in it.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ddbwatch::capture::LinkType;
use ddbwatch::capture::ebpf::{EbpfSource, Options};
use ddbwatch::capture::live::Link;
use ddbwatch::model::Timestamp;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendmsg, socket};

/// Runs `work` in a new network namespace, or says why not. The namespace goes with the thread.
pub fn run(work: impl FnOnce() + Send + 'static) {
    if !crate::support::is_root("loading eBPF programs") {
        return;
    }
    let thread = std::thread::spawn(move || {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            return crate::support::skip(&format!("the kernel gives no network namespace: {error}"));
        }
        ip("link set lo up");
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

pub fn is_kernel_at_least(major: u32, minor: u32) -> bool {
    let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

pub fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}");
}

/// Two interfaces, joined: what goes into one comes out of the other.
pub struct Cable {
    socket: OwnedFd,
    near: LinkAddr,
    pub near_link: Link,
    pub far_link: Link,
}

impl Cable {
    pub fn new(near: &str, far: &str) -> Self {
        ip(&format!("link add {near} mtu 65535 type veth peer name {far} mtu 65535"));
        for name in [near, far] {
            // Nothing but what the test sends.
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1").ok();
            ip(&format!("link set {name} arp off up"));
        }
        wait_until_up(&[near, far]);
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
        let address = nix::ifaddrs::getifaddrs()
            .unwrap()
            .find(|found| {
                found.interface_name == near && found.address.is_some_and(|a| a.as_link_addr().is_some())
            })
            .and_then(|found| found.address.unwrap().as_link_addr().copied())
            .unwrap();
        Self { socket, near: address, near_link: link(near), far_link: link(far) }
    }

    pub fn send(&self, frame: &[u8]) {
        // The queue is the kernel's own, and may be full for a moment.
        for _ in 0..1_000 {
            match sendmsg(
                self.socket.as_raw_fd(),
                &[IoSlice::new(frame)],
                &[],
                MsgFlags::empty(),
                Some(&self.near),
            ) {
                Ok(sent) => return assert_eq!(sent, frame.len()),
                Err(nix::errno::Errno::ENOBUFS) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{} bytes: {error}", frame.len()),
            }
        }
        panic!("the queue stays full");
    }
}

/// What is sent before the kernel has noticed that both ends are up is lost.
pub fn wait_until_up(names: &[&str]) {
    for name in names {
        let is_up = (0..500).any(|_| {
            let shown = Command::new("ip").args(["-o", "link", "show", name]).output().unwrap();
            String::from_utf8_lossy(&shown.stdout).contains("state UP") || {
                std::thread::sleep(Duration::from_millis(10));
                false
            }
        });
        assert!(is_up, "{name} does not come up");
        ip(&format!("link set {name} up"));
    }
}

pub fn link(name: &str) -> Link {
    Link {
        index: nix::net::if_::if_nametoindex(name).unwrap(),
        name: Arc::from(name),
        kind: None,
        link_type: LinkType::ETHERNET,
    }
}

/// The time of day: every frame that was handed over is older.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap())
}

/// A source with as little memory as the test needs.
pub fn small() -> Options {
    Options { flows: 4_096, ring_mib: 8, ..Options::default() }
}

pub fn load(options: &Options) -> EbpfSource {
    EbpfSource::load(options).unwrap_or_else(|error| panic!("{error}"))
}
