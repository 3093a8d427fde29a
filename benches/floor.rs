//! The floor: what no analyser of a capture can do without. It reads the file, decodes the headers
//! of each packet and looks its flow up, nothing else.
//!
//! `compare.py` divides the cost of `ddbwatch analyze` by the cost of this. With `--write BYTES` it also writes so
//! many bytes to its output: what the operating system takes for the records, whoever makes them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, whose output is its result"
)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};

use etherparse::{EtherType, IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};
use foldhash::fast::RandomState;

const BUFFER_BYTES: usize = 1 << 20;
/// As much as `ddbwatch analyze` writes at once.
const WRITE_BYTES: usize = 1 << 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    low: u128,
    high: u128,
    ports: u32,
}

fn main() -> std::io::Result<()> {
    let mut flows: HashMap<Key, u64, RandomState> = HashMap::default();
    let (mut packets, mut segments) = (0_u64, 0_u64);
    let mut wanted: Option<usize> = None;
    let mut arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    while let Some(path) = arguments.next() {
        if path == "--write" {
            wanted = arguments.next().and_then(|bytes| bytes.to_str()?.parse().ok());
            continue;
        }
        let mut file = File::open(path)?;
        let mut buffer = vec![0_u8; BUFFER_BYTES];
        let (mut start, mut end) = (0, 0);
        let mut is_header_read = false;
        loop {
            let wanted = if is_header_read { record_bytes(&buffer[start..end]) } else { 24 };
            if end - start < wanted {
                buffer.copy_within(start..end, 0);
                end -= start;
                start = 0;
                let read = file.read(&mut buffer[end..])?;
                if read == 0 {
                    break;
                }
                end += read;
                continue;
            }
            if is_header_read {
                packets += 1;
                if let Some(key) = key_of(&buffer[start + 16..start + wanted]) {
                    segments += 1;
                    *flows.entry(key).or_default() += 1;
                }
            }
            is_header_read = true;
            start += wanted;
        }
    }
    let told = format!("packets {packets} segments {segments} flows {}", flows.len());
    let Some(mut rest) = wanted else {
        println!("{told}");
        return Ok(());
    };
    eprintln!("{told}");
    let block = vec![b' '; WRITE_BYTES];
    let mut output = std::io::stdout().lock();
    while rest > 0 {
        let length = rest.min(WRITE_BYTES);
        output.write_all(&block[..length])?;
        rest -= length;
    }
    Ok(())
}

/// Bytes of the record that begins here; 16 where even its header is not whole.
fn record_bytes(bytes: &[u8]) -> usize {
    bytes
        .get(8..12)
        .map_or(16, |length| 16 + u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)
}

fn key_of(frame: &[u8]) -> Option<Key> {
    let mut at = 14;
    let mut ether_type = u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]);
    while matches!(ether_type, 0x8100 | 0x88a8) {
        ether_type = u16::from_be_bytes([*frame.get(at + 2)?, *frame.get(at + 3)?]);
        at += 4;
    }
    let packet = frame.get(at..)?;
    let (source, destination, payload) = match EtherType(ether_type) {
        EtherType::IPV4 => {
            let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
            if header.protocol() != IpNumber::TCP {
                return None;
            }
            let number = |address: [u8; 4]| u128::from(u32::from_be_bytes(address));
            (number(header.source()), number(header.destination()), packet.get(header.slice().len()..)?)
        }
        EtherType::IPV6 => {
            let header = Ipv6HeaderSlice::from_slice(packet).ok()?;
            if header.next_header() != IpNumber::TCP {
                return None;
            }
            (
                u128::from_be_bytes(header.source()),
                u128::from_be_bytes(header.destination()),
                packet.get(40..)?,
            )
        }
        _ => return None,
    };
    let tcp = TcpHeaderSlice::from_slice(payload).ok()?;
    let (from, to) = ((source, tcp.source_port()), (destination, tcp.destination_port()));
    let (low, high) = if from <= to { (from, to) } else { (to, from) };
    Some(Key { low: low.0, high: high.0, ports: u32::from(low.1) << 16 | u32::from(high.1) })
}
