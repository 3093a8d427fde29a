//! The classic filter of a packet socket: how much of each frame is kept, where no eBPF program decides.
//!
//! It keeps no state, so it cannot know which flows are decided. It clips and hardly ever drops: a frame
//! that the decoder would pass over comes up as its headers, so that it is counted with its reason as it
//! is offline. Only one kind is left out: what the host sends on for others, where that was seen coming
//! in on another watched interface ([`Outgoing::OwnOnly`]). Of that comes up one byte, so that it is counted.

use std::net::IpAddr;

use crate::capture::live::Outgoing;
use crate::capture::sys::packet_socket::{FrameStart, Instruction};

/// What a first flight in one merged packet may measure: ten segments of 1,460 bytes [RFC 6928] and
/// a little. Merged packets of the handshake are kept whole, of bulk data only the head is.
const FLIGHT_BYTES: u32 = 16_640;

/// Enough for the headers of what is passed over, IPv6 with extensions and a few options included.
const HEADERS_BYTES: u32 = 160;

/// Enough for an answer over UDP, and for a datagram of any tunnel with merged packets in it.
const DATAGRAM_BYTES: u32 = 65_600;

/// What comes up of a frame that is left out. Nothing else is kept of this length.
pub const LEFT_OUT_BYTES: u32 = 1;

/// The most own addresses that are compared; a host with more takes everything it sends.
pub const MAX_OWN_ADDRESSES: usize = 128;

/// Opcodes [linux/bpf_common.h].
mod code {
    pub const LOAD_WORD: u16 = 0x20;
    pub const LOAD_HALF: u16 = 0x28;
    pub const LOAD_BYTE: u16 = 0x30;
    pub const LOAD_HALF_AT_X: u16 = 0x48;
    pub const LOAD_BYTE_AT_X: u16 = 0x50;
    pub const LOAD_LENGTH: u16 = 0x80;
    /// X = 4 * (byte & 15): the length of an IPv4 header.
    pub const LOAD_X_HEADER_LENGTH: u16 = 0xb1;
    pub const LOAD_X: u16 = 0x01;
    pub const TO_X: u16 = 0x07;
    pub const AND: u16 = 0x54;
    pub const SHIFT_RIGHT: u16 = 0x74;
    pub const ADD_X: u16 = 0x0c;
    pub const JUMP: u16 = 0x05;
    pub const IF_EQUAL: u16 = 0x15;
    pub const IF_GREATER: u16 = 0x25;
    pub const IF_AT_LEAST: u16 = 0x35;
    pub const IF_SET: u16 = 0x45;
    pub const RETURN: u16 = 0x06;
}

/// Where the kernel offers what is not in the frame (SKF_AD_OFF), and the kind of packet there.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
const TYPE_OUTGOING: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Incoming,
    Version4,
    Version6,
    Outgoing4,
    Outgoing6,
    Tcp4,
    Tcp6,
    TcpPayload,
    Udp4,
    Udp6,
    UdpPorts,
    /// Kept whole, up to a first flight.
    Flight,
    Datagram,
    /// Kept up to the configured length.
    Data,
    Headers,
    LeftOut,
    /// Behind comparison `n` of the own addresses.
    NotAddress(usize),
}

enum Op {
    Plain(Instruction),
    Jump(Label),
    /// Jumps if the comparison holds.
    If(u16, u32, Label),
    Unless(u16, u32, Label),
    Here(Label),
}

const fn plain(code: u16, operand: u32) -> Op {
    Op::Plain(Instruction { code, jump_true: 0, jump_false: 0, operand })
}

/// The program for a socket.
#[must_use]
pub fn program(start: FrameStart, snaplen_bytes: u32, outgoing: &Outgoing) -> Vec<Instruction> {
    let network = match start {
        FrameStart::Link => 14,
        FrameStart::Network => 0,
    };
    let mut ops = Vec::new();
    if let Outgoing::OwnOnly(own) = outgoing
        && own.len() <= MAX_OWN_ADDRESSES
    {
        outgoing_checks(&mut ops, start, network, own);
    }
    ops.push(Op::Here(Label::Incoming));
    split_versions(&mut ops, start, Label::Version4, Label::Version6, Label::Flight);
    version_4(&mut ops, network);
    version_6(&mut ops, network);
    tcp(&mut ops, network);
    udp(&mut ops, network);
    let whole = snaplen_bytes.max(FLIGHT_BYTES);
    for (label, kept) in [
        (Label::Flight, whole),
        (Label::Datagram, snaplen_bytes.max(DATAGRAM_BYTES)),
        (Label::Data, snaplen_bytes),
        (Label::Headers, HEADERS_BYTES.min(snaplen_bytes)),
        (Label::LeftOut, LEFT_OUT_BYTES),
    ] {
        ops.push(Op::Here(label));
        ops.push(plain(code::RETURN, kept));
    }
    assemble(&ops)
}

/// Goes to the label of the IP version, or else to `other`. A frame of fewer than 34 bytes goes there, too:
/// loading from behind the end would drop it.
fn split_versions(ops: &mut Vec<Op>, start: FrameStart, four: Label, six: Label, other: Label) {
    ops.push(plain(code::LOAD_LENGTH, 0));
    match start {
        FrameStart::Link => {
            ops.extend([
                Op::Unless(code::IF_AT_LEAST, 34, other),
                plain(code::LOAD_HALF, 12),
                Op::If(code::IF_EQUAL, 0x0800, four),
                Op::If(code::IF_EQUAL, 0x86dd, six),
            ]);
        }
        FrameStart::Network => {
            ops.extend([
                Op::Unless(code::IF_AT_LEAST, 20, other),
                plain(code::LOAD_BYTE, 0),
                plain(code::SHIFT_RIGHT, 4),
                Op::If(code::IF_EQUAL, 4, four),
                Op::If(code::IF_EQUAL, 6, six),
            ]);
        }
    }
    ops.push(Op::Jump(other));
}

/// Leaves out what goes out and does not come from `own`.
fn outgoing_checks(ops: &mut Vec<Op>, start: FrameStart, network: u32, own: &[IpAddr]) {
    ops.extend([
        plain(code::LOAD_WORD, PACKET_TYPE),
        Op::Unless(code::IF_EQUAL, TYPE_OUTGOING, Label::Incoming),
    ]);
    // What is no IP, VLAN tags in the frame included, is kept.
    split_versions(ops, start, Label::Outgoing4, Label::Outgoing6, Label::Incoming);
    ops.extend([Op::Here(Label::Outgoing4), plain(code::LOAD_WORD, network + 12)]);
    for address in own {
        if let IpAddr::V4(address) = address {
            ops.push(Op::If(code::IF_EQUAL, address.to_bits(), Label::Incoming));
        }
    }
    ops.extend([
        Op::Jump(Label::LeftOut),
        Op::Here(Label::Outgoing6),
        plain(code::LOAD_LENGTH, 0),
        Op::Unless(code::IF_AT_LEAST, network + 40, Label::Incoming),
    ]);
    for (number, address) in own.iter().enumerate() {
        if let IpAddr::V6(address) = address {
            let bits = address.to_bits();
            for word in 0..4_u32 {
                // The top words first, as on the wire.
                let part = (bits >> (96 - 32 * word)) as u32;
                ops.push(plain(code::LOAD_WORD, network + 8 + 4 * word));
                ops.push(Op::Unless(code::IF_EQUAL, part, Label::NotAddress(number)));
            }
            ops.extend([Op::Jump(Label::Incoming), Op::Here(Label::NotAddress(number))]);
        }
    }
    ops.push(Op::Jump(Label::LeftOut));
}

fn version_4(ops: &mut Vec<Op>, network: u32) {
    ops.extend([
        Op::Here(Label::Version4),
        // Fragments are put together above.
        plain(code::LOAD_HALF, network + 6),
        Op::If(code::IF_SET, 0x3fff, Label::Datagram),
        plain(code::LOAD_BYTE, network + 9),
        Op::If(code::IF_EQUAL, 6, Label::Tcp4),
        Op::If(code::IF_EQUAL, 17, Label::Udp4),
        Op::If(code::IF_EQUAL, 1, Label::Headers),
        // ESP: that it is there is all that is seen of it.
        Op::If(code::IF_EQUAL, 50, Label::Headers),
        Op::Jump(Label::Datagram),
        Op::Here(Label::Tcp4),
        plain(code::LOAD_X_HEADER_LENGTH, network),
        Op::Jump(Label::TcpPayload),
        Op::Here(Label::Udp4),
        plain(code::LOAD_X_HEADER_LENGTH, network),
        Op::Jump(Label::UdpPorts),
    ]);
}

fn version_6(ops: &mut Vec<Op>, network: u32) {
    ops.extend([
        Op::Here(Label::Version6),
        plain(code::LOAD_BYTE, network + 6),
        Op::If(code::IF_EQUAL, 6, Label::Tcp6),
        Op::If(code::IF_EQUAL, 17, Label::Udp6),
        Op::If(code::IF_EQUAL, 58, Label::Headers),
        Op::If(code::IF_EQUAL, 50, Label::Headers),
        Op::Jump(Label::Datagram),
        Op::Here(Label::Tcp6),
        plain(code::LOAD_X, 40),
        Op::Jump(Label::TcpPayload),
        Op::Here(Label::Udp6),
        plain(code::LOAD_X, 40),
        Op::Jump(Label::UdpPorts),
    ]);
}

/// With the length of the IP header in X: what is behind the TCP header?
fn tcp(ops: &mut Vec<Op>, network: u32) {
    ops.extend([
        Op::Here(Label::TcpPayload),
        plain(code::LOAD_LENGTH, 0),
        // Short frames are kept as they are, and every load below stays inside.
        Op::Unless(code::IF_GREATER, network + 60 + 20, Label::Flight),
        plain(code::LOAD_BYTE_AT_X, network + 12),
        plain(code::AND, 0xf0),
        plain(code::SHIFT_RIGHT, 2),
        plain(code::ADD_X, 0),
        plain(code::TO_X, 0),
        plain(code::LOAD_LENGTH, 0),
        // At most 60 bytes of each header: with 14 of the link still far from an overflow.
        Op::Unless(code::IF_AT_LEAST, network + 121, Label::Flight),
        plain(code::LOAD_BYTE_AT_X, network),
        // A record of application data: nothing in clear follows.
        Op::If(code::IF_EQUAL, 0x17, Label::Data),
        Op::Jump(Label::Flight),
    ]);
}

/// With the length of the IP header in X: DNS answers and tunnels are kept.
fn udp(ops: &mut Vec<Op>, network: u32) {
    ops.extend([
        Op::Here(Label::UdpPorts),
        plain(code::LOAD_LENGTH, 0),
        Op::Unless(code::IF_GREATER, network + 60 + 8, Label::Flight),
        plain(code::LOAD_HALF_AT_X, network),
        Op::If(code::IF_EQUAL, 53, Label::Datagram),
        plain(code::LOAD_HALF_AT_X, network + 2),
    ]);
    // The ports that the decoder knows: VXLAN, VXLAN-GPE, VXLAN of Linux, GENEVE, GTP-U.
    for port in [4_789, 4_790, 8_472, 6_081, 2_152] {
        ops.push(Op::If(code::IF_EQUAL, port, Label::Datagram));
    }
    ops.push(Op::Jump(Label::Headers));
}

/// Turns labels into distances. Conditional jumps reach only 255 instructions, so each is a jump
/// over an unconditional one, which reaches everything.
fn assemble(ops: &[Op]) -> Vec<Instruction> {
    let mut places: Vec<(Label, u32)> = Vec::new();
    let mut at = 0;
    for op in ops {
        match op {
            Op::Plain(_) | Op::Jump(_) => at += 1,
            Op::If(..) | Op::Unless(..) => at += 2,
            Op::Here(label) => places.push((*label, at)),
        }
    }
    let place = |label: Label| places.iter().find(|(known, _)| *known == label).map_or(at, |(_, at)| *at);
    let jump = |label, from: u32| Instruction {
        code: code::JUMP,
        jump_true: 0,
        jump_false: 0,
        // Jumps only go forward: every label stands behind its uses.
        operand: place(label).saturating_sub(from + 1),
    };
    let mut program = Vec::with_capacity(at as usize);
    for op in ops {
        let next = program.len() as u32;
        match *op {
            Op::Plain(instruction) => program.push(instruction),
            Op::Jump(label) => program.push(jump(label, next)),
            Op::If(code, operand, label) => {
                program.push(Instruction { code, jump_true: 0, jump_false: 1, operand });
                program.push(jump(label, next + 1));
            }
            Op::Unless(code, operand, label) => {
                program.push(Instruction { code, jump_true: 1, jump_false: 0, operand });
                program.push(jump(label, next + 1));
            }
            Op::Here(_) => {}
        }
    }
    program
}

#[cfg(test)]
mod tests;
