//! What the program and its loader have in common, as `abi.h` says it in C.
//!
//! The structures are never read through a pointer: keys and values cross the border as arrays of numbers,
//! and an event is read field by field. They stand here so that the compiler proves each place and size.

use std::mem::{offset_of, size_of};
use std::net::{IpAddr, SocketAddr};

use crate::capture::live::FlowAddresses;

/// `struct flow_key`
#[repr(C)]
struct Key {
    address: [[u64; 2]; 2],
    port: [u16; 2],
    zero: u32,
}

/// `struct flow`
#[repr(C)]
struct Flow {
    started: u64,
    base: [u32; 2],
    bytes: u32,
    packets: u32,
    peek_second: u32,
    peeks: u8,
    settled: u8,
    is_candidate: u8,
    is_contested: u8,
    known: [u8; 2],
    recognised: [u8; 2],
    strange: [u8; 2],
    is_asking: [u8; 2],
    came_in: [u32; 2],
}

/// `struct event`
#[repr(C)]
struct RawEvent {
    nanoseconds: u64,
    slot: u32,
    ifindex: u32,
    wire_bytes: u32,
    captured_bytes: u32,
    vlan_tci: u16,
    vlan_protocol: u16,
    has_vlan: u8,
    is_outgoing: u8,
    is_raw_ip: u8,
    zero: u8,
    cgroup: u64,
}

const _: () = {
    assert!(size_of::<Key>() == 40 && offset_of!(Key, address) == 0);
    assert!(offset_of!(Key, port) == 32 && offset_of!(Key, zero) == 36);
    assert!(size_of::<Flow>() == 48 && offset_of!(Flow, started) == 0);
    assert!(offset_of!(Flow, base) == 8 && offset_of!(Flow, bytes) == 16 && offset_of!(Flow, packets) == 20);
    assert!(offset_of!(Flow, peek_second) == 24 && offset_of!(Flow, peeks) == 28);
    assert!(offset_of!(Flow, settled) == SETTLED_AT && offset_of!(Flow, is_candidate) == 30);
    assert!(offset_of!(Flow, is_contested) == 31 && offset_of!(Flow, known) == 32);
    assert!(offset_of!(Flow, recognised) == 34 && offset_of!(Flow, strange) == 36);
    assert!(offset_of!(Flow, is_asking) == 38 && offset_of!(Flow, came_in) == 40);
    assert!(size_of::<RawEvent>() == EVENT_BYTES && offset_of!(RawEvent, nanoseconds) == 0);
    assert!(offset_of!(RawEvent, slot) == 8 && offset_of!(RawEvent, ifindex) == 12);
    assert!(offset_of!(RawEvent, wire_bytes) == 16 && offset_of!(RawEvent, captured_bytes) == 20);
    assert!(offset_of!(RawEvent, vlan_tci) == 24 && offset_of!(RawEvent, vlan_protocol) == 26);
    assert!(offset_of!(RawEvent, has_vlan) == 28 && offset_of!(RawEvent, is_outgoing) == 29);
    assert!(offset_of!(RawEvent, is_raw_ip) == 30 && offset_of!(RawEvent, zero) == 31);
    assert!(offset_of!(RawEvent, cgroup) == 32);
    assert!(SKIPS.len() <= SKIP_PLACES);
};

/// Where [`Flow::settled`] stands in the bytes of a flow.
const SETTLED_AT: usize = 29;

/// Bytes before each frame in the ring.
pub(super) const EVENT_BYTES: usize = 40;

/// A flow's key and state, as they cross the border.
pub(super) type KeyWords = [u64; 5];
pub(super) type FlowWords = [u64; 6];

/// `struct slot`: number, whether frames begin with an IP header.
pub(super) type SlotWords = [u32; 2];

/// Interfaces that are counted apart; number 0 is for packets of an interface nobody named.
pub(super) const MAX_SLOTS: u32 = 1_024;

/// Interfaces with smaller numbers are found in an array.
pub(super) const MAX_INDEX: u32 = 16_384;

/// Words of 64 ports.
pub(super) const PORT_WORDS: usize = 1_024;

/// Addresses of interest: more than the prefixes that AWS publishes in all.
pub(super) const MAX_PREFIXES: u32 = 16_384;

/// Reasons to leave a packet out, in the order of `enum skip`.
pub(super) const SKIPS: [&str; 13] = [
    "settled",
    "other_protocol",
    "over_budget",
    "udp",
    "icmp",
    "arp",
    "not_ip",
    "esp",
    "ike",
    "ip_protocol_other",
    "fragment",
    "no_payload",
    "outgoing",
];

/// Stage and reason of packets that were lost, in the order of `enum loss`.
pub(super) const LOSSES: [(&str, &str); 4] =
    [("ring", "full"), ("kernel", "unparsed_rate"), ("kernel", "copy_failed"), ("kernel", "scratch_busy")];

/// Room for reasons in `struct counters` (`SKIPS`), of which some are not given out yet.
const SKIP_PLACES: usize = 16;

/// Places in `struct counters`, in words; a count has two, packets and bytes.
pub(super) const PASSED_AT: usize = 0;
pub(super) const SKIPPED_AT: usize = 2;
pub(super) const LOST_AT: usize = SKIPPED_AT + 2 * SKIP_PLACES;
pub(super) const MAP_FULL_AT: usize = LOST_AT + 2 * LOSSES.len();
pub(super) const UNPARSED_AT: usize = MAP_FULL_AT + 1;
pub(super) const MET_AT: usize = UNPARSED_AT + 1;
pub(super) const COUNTER_WORDS: usize = MET_AT + 2;

/// The key of a flow: the smaller end first, compared as the program compares.
pub(super) fn key_of(flow: &FlowAddresses) -> KeyWords {
    let (one, other) = (end_of(flow.source), end_of(flow.destination));
    // The second half first, and the port last, as in memory.
    let order = |end: &([u64; 2], u16)| (end.0[1], end.0[0], end.1);
    let (low, high) = if order(&one) > order(&other) { (other, one) } else { (one, other) };
    let ([l0, l1], [l2, l3]) = (low.1.to_ne_bytes(), high.1.to_ne_bytes());
    let ports = u64::from_ne_bytes([l0, l1, l2, l3, 0, 0, 0, 0]);
    [low.0[0], low.0[1], high.0[0], high.0[1], ports]
}

/// Address as two words and port, both in the order of the network, as read from memory.
fn end_of(end: SocketAddr) -> ([u64; 2], u16) {
    (words_of(end.ip()), end.port().to_be())
}

fn words_of(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits();
    [((bits >> 64) as u64).to_be(), (bits as u64).to_be()]
}

/// When the flow began, in the clock of the program; `None` where it is settled already.
pub(super) const fn started_if_open(flow: &FlowWords) -> Option<u64> {
    let settled = flow[SETTLED_AT / 8].to_ne_bytes()[SETTLED_AT % 8];
    if settled == 0 { Some(flow[0]) } else { None }
}

/// What stands before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Of the clock that never jumps.
    pub nanoseconds: u64,
    pub slot: u32,
    pub wire_bytes: u32,
    /// Tag protocol and tag, as they stand in a frame.
    pub vlan: Option<[u8; 4]>,
    pub is_raw_ip: bool,
    /// Number of the control group of the socket that sent it; 0 where none of this host did.
    pub cgroup: u64,
}

/// An event and its frame; `None` where the bytes are no event, which this program never makes.
pub(super) fn read_event(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<EVENT_BYTES>()?;
    let (nanoseconds, head) = head.split_first_chunk::<8>()?;
    let (slot, head) = head.split_first_chunk::<4>()?;
    let (_index, head) = head.split_first_chunk::<4>()?;
    let (wire_bytes, head) = head.split_first_chunk::<4>()?;
    let (captured_bytes, head) = head.split_first_chunk::<4>()?;
    let &[t0, t1, p0, p1, has_vlan, _, is_raw_ip, _, ref cgroup @ ..] = head else { return None };
    let [t0, t1] = u16::from_ne_bytes([t0, t1]).to_be_bytes();
    let [p0, p1] = u16::from_ne_bytes([p0, p1]).to_be_bytes();
    let event = Event {
        nanoseconds: u64::from_ne_bytes(*nanoseconds),
        slot: u32::from_ne_bytes(*slot),
        wire_bytes: u32::from_ne_bytes(*wire_bytes),
        vlan: (has_vlan != 0).then_some([p0, p1, t0, t1]),
        is_raw_ip: is_raw_ip != 0,
        cgroup: u64::from_ne_bytes(*cgroup.first_chunk()?),
    };
    Some((event, rest.get(..u32::from_ne_bytes(*captured_bytes) as usize)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(source: &str, destination: &str) -> FlowAddresses {
        FlowAddresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn gives_both_directions_one_key() {
        for (one, other) in [
            ("10.0.0.1:40000", "10.0.0.2:443"),
            ("10.0.0.1:443", "10.0.0.1:40000"),
            ("[2001:db8::1]:1", "[2001:db8:1::]:2"),
            ("10.0.0.1:1", "[2001:db8::1]:1"),
        ] {
            assert_eq!(key_of(&flow(one, other)), key_of(&flow(other, one)), "{one} {other}");
        }
        assert_ne!(
            key_of(&flow("10.0.0.1:1", "10.0.0.2:2")),
            key_of(&flow("10.0.0.1:2", "10.0.0.2:1")),
            "ports belong to their address"
        );
    }

    #[test]
    fn writes_ipv4_as_it_stands_in_memory() {
        let key = key_of(&flow("1.2.3.4:258", "1.2.3.4:772"));
        let bytes: Vec<u8> = key.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]);
        assert_eq!(bytes[..16], bytes[16..32]);
        assert_eq!(bytes[32..], [1, 2, 3, 4, 0, 0, 0, 0]);
    }

    #[test]
    fn reads_events_and_refuses_cut_ones() {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&7_u64.to_ne_bytes());
        for number in [3_u32, 9, 70, 4] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes.extend_from_slice(&0x2064_u16.to_ne_bytes());
        bytes.extend_from_slice(&0x8100_u16.to_ne_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(&77_u64.to_ne_bytes());
        bytes.extend_from_slice(&[10, 11, 12, 13, 99]);
        let expected = Event {
            nanoseconds: 7,
            slot: 3,
            wire_bytes: 70,
            vlan: Some([0x81, 0, 0x20, 0x64]),
            is_raw_ip: false,
            cgroup: 77,
        };
        assert_eq!(read_event(&bytes), Some((expected, &[10, 11, 12, 13][..])));
        for end in 0..EVENT_BYTES + 4 {
            assert_eq!(read_event(&bytes[..end]), None);
        }
        bytes[28] = 0;
        assert_eq!(read_event(&bytes).unwrap().0.vlan, None);
    }

    #[test]
    fn tells_open_flows_from_settled_ones() {
        assert_eq!(started_if_open(&[5, 0, 0, 0, 0, 0]), Some(5));
        let mut words = [5, 0, 0, 0, 0, 0];
        words[3] = u64::from_ne_bytes([0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(started_if_open(&words), None);
    }
}
