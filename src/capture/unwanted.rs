//! Frames that no protocol of the host takes: LLDP, spanning tree, or MPLS on a mirror port.
//!
//! The kernel counts them as dropped by the interface (`rx_dropped`), after eBPF programs saw them (and those in two VLANs
//! after packet sockets did), and nothing tells them from frames that were lost before. So somebody takes them: a socket
//! for each such protocol, which throws them away. It is asked for frames of its protocol alone and costs the others
//! nothing.

use std::io;

use super::sys::packet_socket::{FrameStart, Instruction, PacketSocket};

/// EtherTypes [IANA, IEEE 802 Numbers] that hosts see on links and mirror ports and have no handler for; one that has is
/// given its frames all the same. In their order: a length in place of the type, as of spanning tree, CDP and IS-IS (which
/// Linux calls `ETH_P_802_2`); VLAN tags within others; MPLS; PPPoE; slow protocols (LACP), EAPOL and LLDP; MACsec, backbone
/// bridging, PTP, connectivity faults and the detection of loops.
const ETHER_TYPES: &[u16] = &[
    0x0004, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864, 0x8809, 0x888e, 0x88cc, 0x88e5, 0x88e7,
    0x88f7, 0x8902, 0x9000,
];

/// Takes them for as long as it lives, on every interface of this host.
#[derive(Debug)]
pub struct Unwanted {
    _sockets: Vec<PacketSocket>,
}

impl Unwanted {
    /// Begins to take them.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn take() -> io::Result<Self> {
        let take = |ether_type: &u16| {
            let socket = PacketSocket::open(FrameStart::Link)?;
            socket.attach_classic(Instruction::NOTHING)?;
            // Nor can it be made to see anything later, when privileges are given up.
            socket.lock_filter()?;
            socket.bind_to(0, *ether_type)?;
            Ok(socket)
        };
        Ok(Self { _sockets: ETHER_TYPES.iter().map(take).collect::<io::Result<_>>()? })
    }
}
