//! Interfaces that are attached, renamed and gone, and devices without Ethernet header.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use ddbwatch::capture::afpacket::SocketSelection as _;
use ddbwatch::capture::ebpf::{Attachment, EbpfSource, Options, SelectionProgram};
use ddbwatch::capture::live::LiveSource;
use ddbwatch::capture::{Link, LinkType};

use super::frames::{ACK, SYN, hello, ipv4, ipv6, segment, tcp, udp};
use super::namespace::{self, Cable, ip, link, load, small};
use super::replay::check_counts;
use super::selection::{BINARY, count, frames, skipped};

/// A process that another test starts has copies of all handles until it executes, also of those by which programs hung on
/// an interface: until then they still hang there.
fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        is_so() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }
    })
}

fn attach_again(source: &mut EbpfSource, link: &Link) {
    assert!(comes_true(|| source.attach(link).is_ok()), "{}", link.name);
}

#[test]
fn attaches_and_detaches_in_both_ways() {
    namespace::run(|| {
        for attachment in [Attachment::Newest, Attachment::Tcx, Attachment::Clsact] {
            if attachment == Attachment::Tcx && !namespace::is_kernel_at_least(6, 6) {
                println!("skipped: TCX needs Linux 6.6");
                continue;
            }
            let cable = Cable::new("near", "far");
            let mut source = load(&Options { attachment, ..small() });
            source.attach(&cable.far_link).unwrap();
            source.attach(&cable.far_link).unwrap();
            source.attach(&cable.near_link).unwrap();
            assert_eq!(source.interfaces().len(), 2);
            // Once where it leaves, once where it arrives.
            cable.send(&segment(443, 1, SYN, b""));
            assert_eq!(count(&mut source), 2, "{attachment:?}");
            source.detach(cable.near_link.index);
            source.detach(cable.near_link.index);
            let is_off = comes_true(|| {
                cable.send(&segment(443, 1, SYN, b""));
                count(&mut source) == 1
            });
            assert!(is_off, "{attachment:?}");
            attach_again(&mut source, &cable.near_link);
            assert_eq!(source.interfaces().len(), 2);
            ip("link del near");
            source.detach(cable.near_link.index);
            source.detach(cable.far_link.index);
            assert_eq!(source.attach(&cable.far_link).unwrap_err().reason(), "interface");
            let again = Cable::new("near", "far");
            source.attach(&again.far_link).unwrap();
            assert_eq!(source.interfaces().len(), 2);
            again.send(&segment(443, 1, SYN, b""));
            assert_eq!(count(&mut source), 1, "{attachment:?}");
            drop(source);
            again.send(&segment(443, 1, SYN, b""));
            ip("link del near");
        }
    });
}

#[test]
fn interfaces_come_and_go_under_other_names_without_growth() {
    namespace::run(|| {
        let cable = Cable::new("near", "far");
        let mut source = load(&small());
        let mut name = "far".to_owned();
        // More than it tells apart.
        for number in 0..300 {
            let other = format!("far{number}");
            if namespace::is_kernel_at_least(6, 2) {
                ip(&format!("link set {name} name {other}"));
            } else {
                // An interface that is up keeps its name.
                ip(&format!("link set {name} down"));
                ip(&format!("link set {name} name {other}"));
                ip(&format!("link set {other} up"));
                namespace::wait_until_up(&["near", &other]);
            }
            name = other;
            let there = link(&name);
            attach_again(&mut source, &there);
            cable.send(&segment(443, 1, SYN, b""));
            let mut names = Vec::new();
            let take = &mut |frame: &ddbwatch::capture::Frame<'_>, all: &[ddbwatch::capture::Interface]| {
                names.push(all[frame.interface as usize].name.clone().unwrap());
            };
            source.poll_all(Duration::from_millis(50), 10, take).unwrap();
            assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), [&*name]);
            source.detach(there.index);
            assert_eq!(count(&mut source), 0);
        }
        assert!(source.interfaces().len() <= 256, "{}", source.interfaces().len());
        let counts = source.counts();
        counts.iter().for_each(check_counts);
        assert_eq!(counts.iter().map(|counts| counts.given.packets).sum::<u64>(), 300);
        assert_eq!(&*counts.last().unwrap().interface, "other");
    });
}

#[test]
fn keeps_no_place_for_interfaces_that_are_gone() {
    namespace::run(|| {
        let mut program = SelectionProgram::load(&small()).unwrap();
        // Numbers that no array holds, more than are watched at once.
        for index in (20_000..).take(1_500) {
            program.watch(index, false).unwrap();
            program.forget(index);
        }
    });
}

/// Makes a device without Ethernet header, and sends there what comes in as lines of hexadecimal digits.
const TUN: &str = "
import fcntl, struct, sys
tun = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH', b'tunnel', 0x1001))
print('made', flush=True)
for line in sys.stdin:
    tun.write(bytes.fromhex(line))
    print('sent', flush=True)
";

#[test]
fn reads_devices_without_ethernet_header() {
    namespace::run(|| {
        let child =
            Command::new("python3").args(["-c", TUN]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else { return crate::support::skip("there is no python3") };
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut orders = child.stdin.take().unwrap();
        if answers.next().and_then(Result::ok).as_deref() != Some("made") {
            return crate::support::skip("no tun device can be made");
        }
        std::fs::write("/proc/sys/net/ipv6/conf/tunnel/disable_ipv6", "1").ok();
        ip("link set tunnel up");
        let mut source = load(&small());
        let mut tunnel = link("tunnel");
        assert_eq!(tunnel.link_type, LinkType::ETHERNET);
        tunnel.link_type = LinkType::PPP;
        assert_eq!(source.attach(&tunnel).unwrap_err().reason(), "interface");
        tunnel.link_type = LinkType::RAW;
        source.attach(&tunnel).unwrap();
        let packets = [
            ipv4(6, &tcp(443, 1, SYN, b"")),
            ipv6(&tcp(443, 1, SYN, b"")),
            ipv4(6, &tcp(443, 2, ACK, &hello())),
            ipv4(17, &udp(9, &BINARY)),
        ];
        for packet in &packets {
            let digits: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(orders, "{digits}").unwrap();
            assert_eq!(answers.next().unwrap().unwrap(), "sent");
        }
        assert!(frames(&mut source) == packets[..3]);
        assert_eq!(skipped(&mut source, "udp"), 1);
        drop(orders);
        child.wait().unwrap();
    });
}
