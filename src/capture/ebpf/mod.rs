//! The back-end `ebpf`: a program in the kernel selects packets, a ring hands them over.
//!
//! Input: interfaces to watch, and what is of interest ([`Options`]). Output: whole frames of flows that the
//! engine has not settled ([`EbpfSource`]), and counts of all that was left out, by reason. The program
//! selects and understands no handshake; it changes, drops and sends no packet. It needs `CAP_BPF`,
//! `CAP_NET_ADMIN` and `CAP_PERFMON` to load and to attach, and Linux 5.15; reading goes on without them.
//!
//! The same program also selects for packet sockets: [`SelectionProgram`] loads it and gives its descriptor
//! for `SO_ATTACH_BPF`. It never opens a socket itself.
//!
//! | file | what it is |
//! |---|---|
//! | `program.c` | the entry points, and the short way for the most common packet |
//! | `walk.h` | from the first header to the innermost TCP or UDP |
//! | `decide.h` | what becomes of a TCP segment |
//! | `abi.h`, `maps.h`, `abi.rs` | what kernel and program have in common |
//! | `program.o`, `program.o.clang` | the object as kept for hosts without clang, and the compiler that made it |

mod abi;
mod clock;
mod object;
mod selection;
mod senders;
mod source;

use ipnet::IpNet;

pub use object::{COMPILER, OBJECT};
pub use selection::{MAX_INTEREST, SelectionProgram};
pub use senders::Senders;
pub use source::EbpfSource;

/// Ports on which every flow goes up until the engine has settled it: HTTPS and HTTP with their usual
/// alternatives, proxies, DNS, DAX, DynamoDB local, and protocols that upgrade to TLS.
pub const PORTS: [u16; 35] = [
    21, 25, 53, 80, 110, 119, 143, 389, 443, 465, 587, 636, 993, 995, 1080, 1194, 3128, 3306, 3389, 4190,
    5222, 5223, 5269, 5432, 8000, 8008, 8080, 8081, 8111, 8118, 8443, 8888, 9111, 9443, 1433,
];

/// What the kernel part is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Flows remembered in the kernel; beyond, the one not seen for longest is forgotten.
    pub flows: u32,
    /// Bytes of payload per direction of a flow that go up, where nothing says before that it is decided: more than any
    /// handshake has.
    pub flow_bytes: u32,
    /// The same of a direction that begins with a request in text.
    pub request_bytes: u32,
    /// Memory of the ring; rounded up to a power of two.
    pub ring_mib: u32,
    /// Ports of interest.
    pub ports: Vec<u16>,
    /// Addresses of interest, on any port.
    pub prefixes: Vec<IpNet>,
    /// Packets that go up although the program cannot read what they are wrapped in, per processor and
    /// second; beyond, they are lost and counted.
    pub unparsed_per_second: u32,
    /// Also look at what leaves an interface: what this host sends, and what it translated.
    pub takes_outgoing: bool,
    /// How it is hung on interfaces.
    pub attachment: Attachment,
}

/// How programs are hung on interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// TCX from Linux 6.6 on, else clsact.
    #[default]
    Newest,
    /// TCX, which is ordered among others and can be asked what hangs there.
    Tcx,
    /// The filters of a clsact queue, by netlink.
    Clsact,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flows: 262_144,
            flow_bytes: 65_536,
            request_bytes: (1 << 20) + 65_536,
            ring_mib: 64,
            ports: PORTS.to_vec(),
            prefixes: Vec::new(),
            unparsed_per_second: 50_000,
            takes_outgoing: true,
            attachment: Attachment::Newest,
        }
    }
}

/// What the kernel part could not do, beyond what is counted per interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Flows of which no state could be kept. Their packets went up.
    pub flows_not_kept: u64,
    /// Packets that went up because the program does not read what they are wrapped in.
    pub unparsed: u64,
}
