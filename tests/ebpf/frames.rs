//! Frames from 10.0.0.1 to 198.51.100.7, with just what the program looks at.

use std::io::Write as _;
use std::process::{Command, Stdio};

pub const SYN: u8 = 2;
pub const ACK: u8 = 16;

pub fn ethernet(ether_type: u16, inside: &[u8]) -> Vec<u8> {
    [&[2; 6], &[4; 6], &ether_type.to_be_bytes()[..], inside].concat()
}

pub fn ipv4(protocol: u8, inside: &[u8]) -> Vec<u8> {
    let mut header = [0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 198, 51, 100, 7];
    header[2..4].copy_from_slice(&(inside.len() as u16 + 20).to_be_bytes());
    [&header[..], inside].concat()
}

pub fn ipv6(inside: &[u8]) -> Vec<u8> {
    let mut header = [0; 40];
    (header[0], header[6], header[7], header[8], header[24]) = (0x60, 6, 64, 0x20, 0x20);
    header[4..6].copy_from_slice(&(inside.len() as u16).to_be_bytes());
    [&header[..], inside].concat()
}

/// From port 40000.
pub fn tcp(port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 20];
    header[..2].copy_from_slice(&40_000_u16.to_be_bytes());
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    (header[12], header[13]) = (0x50, flags);
    [&header[..], payload].concat()
}

/// From port 50000.
pub fn udp(port: u16, inside: &[u8]) -> Vec<u8> {
    let mut header = [0; 8];
    header[..2].copy_from_slice(&50_000_u16.to_be_bytes());
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[4..6].copy_from_slice(&(inside.len() as u16 + 8).to_be_bytes());
    [&header[..], inside].concat()
}

pub fn hello() -> Vec<u8> {
    let mut hello = vec![0x61; 517];
    hello[..6].copy_from_slice(&[0x16, 3, 1, 2, 0, 1]);
    hello
}

/// Both ends of what [`tcp`] in [`ipv4`] sends.
pub fn addresses(port: u16) -> ddbwatch::capture::FlowAddresses {
    ddbwatch::capture::FlowAddresses {
        source: "10.0.0.1:40000".parse().unwrap(),
        destination: std::net::SocketAddr::new("198.51.100.7".parse().unwrap(), port),
    }
}

/// A whole frame of that flow.
pub fn segment(port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(6, &tcp(port, sequence, flags, payload)))
}

/// Sends a frame whose headers alone are in one piece, as those of a TCP stack are: with as many bytes of its head as
/// `linear` says where the kernel keeps heads.
pub fn send_in_pieces(frame: &[u8], linear: u16) {
    const PROGRAM: &str = "import socket, struct, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
out.bind(('near', 0))
out.send(struct.pack('<BBHHHH', 0, 0, int(sys.argv[1]), 0, 0, 0) + sys.stdin.buffer.read())";
    let mut python = Command::new("python3")
        .args(["-c", PROGRAM, &linear.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    python.stdin.take().unwrap().write_all(frame).unwrap();
    assert!(python.wait().unwrap().success());
}
