//! A network namespace for one thread, and frames put onto its interfaces.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, unshare};

/// Runs `work` in a new network namespace, or says why it cannot. The namespace ends with the thread.
pub fn run(work: impl FnOnce() + Send) {
    if !crate::support::is_root("making a network namespace") {
        return;
    }
    if !crate::support::is_there("ip") {
        return;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => work(),
            Err(error) => crate::support::skip(&format!("the kernel gives no network namespace: {error}")),
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// `ip`, in the namespace of the calling thread.
pub fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().expect("ip starts");
    assert!(status.success(), "ip {arguments}");
}

/// Two interfaces that are connected, for frames of any size, on which the host itself says nothing.
pub fn pair(one: &str, other: &str) {
    ip(&format!("link add {one} type veth peer name {other}"));
    for name in [one, other] {
        ip(&format!("link set {name} addrgenmode none mtu 65535"));
        ip(&format!("link set {name} up"));
    }
}

/// Kernel number of an interface.
pub fn index(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).expect("the interface is there")
}

/// Reads (name length, name, frame length, frame) and sends each frame. After every 200 it rests, so that no
/// ring overflows.
const SENDER: &str = r"
import socket, struct, sys, time
data = sys.stdin.buffer
sockets = {}
count = 0
while True:
    head = data.read(1)
    if not head:
        break
    name = data.read(head[0]).decode()
    frame = data.read(struct.unpack('<I', data.read(4))[0])
    if name not in sockets:
        sockets[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sockets[name].bind((name, 0))
    sockets[name].send(frame)
    count += 1
    if count % 200 == 0:
        time.sleep(0.002)
";

/// Puts frames onto interfaces of the namespace it was made in.
pub struct Sender {
    child: Child,
}

impl Sender {
    pub fn new() -> Self {
        let child = Command::new("python3").args(["-c", SENDER]).stdin(Stdio::piped()).spawn();
        Self { child: child.expect("python3 starts") }
    }

    /// Sends frames in order, some time soon.
    pub fn send<'a>(&mut self, frames: impl Iterator<Item = (&'a str, &'a [u8])>) {
        let mut input = Vec::new();
        for (name, frame) in frames {
            input.push(name.len() as u8);
            input.extend(name.as_bytes());
            input.extend((frame.len() as u32).to_le_bytes());
            input.extend(frame);
        }
        let stdin = self.child.stdin.as_mut().expect("it was piped");
        stdin.write_all(&input).and_then(|()| stdin.flush()).expect("python3 reads");
    }
}

impl Drop for Sender {
    /// It ends with its input; everything is sent by then.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Sends frames in order; they are sent when this returns.
pub fn send<'a>(frames: impl Iterator<Item = (&'a str, &'a [u8])>) {
    Sender::new().send(frames);
}
