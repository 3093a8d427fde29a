//! Frame → TCP segment or UDP datagram, through whatever it is wrapped in.

use std::net::SocketAddr;

/// TCP flags as on the wire (low byte of the flags field).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;

    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// One TCP segment, borrowed from the frame.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: TcpFlags,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire; more than `payload.len()` where the capture cut the packet.
    pub payload_wire_bytes: u32,
}
