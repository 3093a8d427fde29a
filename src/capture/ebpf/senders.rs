//! Which control group opened a connection of this host, from the packet that did: the socket may be gone when
//! somebody asks.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// Connections that are remembered, in two generations of half as many: 3 MB when full. They are asked for when the
/// handshake is over.
const MAX_CONNECTIONS: usize = 32_768;

/// Who opened, or accepted, connections of this host. The reader writes, somebody else asks; the lock is taken for
/// packets with SYN only.
#[derive(Debug, Default)]
pub struct Senders(Mutex<Generations>);

/// The group is absent where several opened connections with the same ends, one after the other.
type Groups = HashMap<(SocketAddr, SocketAddr), Option<u64>>;

#[derive(Debug, Default)]
struct Generations {
    young: Groups,
    old: Groups,
}

impl Senders {
    /// Number of the control group whose socket has these ends, or had; `None` where another one's had them before.
    #[must_use]
    pub fn group(&self, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.young.get(&(local, remote)).or_else(|| known.old.get(&(local, remote)))?
    }

    /// Takes a frame that a socket of this group sent.
    pub(super) fn note(&self, frame: &[u8], is_raw_ip: bool, group: u64) {
        let Some(ends) = opening(frame, is_raw_ip) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.young.len() >= MAX_CONNECTIONS / 2 {
            known.old = std::mem::take(&mut known.young);
        }
        let before = known.young.get(&ends).or_else(|| known.old.get(&ends)).copied();
        let group = Some(group).filter(|group| before.is_none_or(|before| before == Some(*group)));
        known.young.insert(ends, group);
    }
}

/// Source and destination of a plain TCP packet with SYN.
fn opening(frame: &[u8], is_raw_ip: bool) -> Option<(SocketAddr, SocketAddr)> {
    let packet = if is_raw_ip {
        frame
    } else {
        match frame.get(12..14)? {
            [0x08, 0x00] | [0x86, 0xdd] => frame.get(14..)?,
            _ => return None,
        }
    };
    let (source, destination, segment) = match packet.first()? >> 4 {
        4 if packet.get(9) == Some(&6) => {
            let end = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
            let header_bytes = usize::from(packet.first()? & 15) * 4;
            (end(12)?.into(), end(16)?.into(), packet.get(header_bytes..)?)
        }
        6 if packet.get(6) == Some(&6) => {
            let end = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?));
            (end(8)?.into(), end(24)?.into(), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*segment.get(at..)?.first_chunk::<2>()?));
    let has_syn = segment.get(13)? & 2 != 0;
    let ends = (SocketAddr::new(source, port(0)?), SocketAddr::new(destination, port(2)?));
    has_syn.then_some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u8, port: u16) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 9]);
        frame.extend(port.to_be_bytes());
        frame.extend([1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        frame
    }

    #[test]
    fn remembers_who_opened_a_connection() {
        let senders = Senders::default();
        let ends = |port: u16| (SocketAddr::from(([10, 0, 0, 1], port)), "192.0.2.9:443".parse().unwrap());
        senders.note(&frame(2, 40_000), false, 7);
        senders.note(&frame(16, 40_001), false, 7);
        senders.note(&frame(2, 40_002)[14..], true, 9);
        assert_eq!(senders.group(ends(40_000).0, ends(40_000).1), Some(7));
        assert_eq!(senders.group(ends(40_001).0, ends(40_001).1), None, "no opening");
        assert_eq!(senders.group(ends(40_002).0, ends(40_002).1), Some(9));
        assert_eq!(senders.group(ends(40_000).1, ends(40_000).0), None, "the other end is elsewhere");
        senders.note(&frame(2, 40_000), false, 7);
        assert_eq!(senders.group(ends(40_000).0, ends(40_000).1), Some(7), "asked for once more");
        senders.note(&frame(2, 40_000), false, 8);
        assert_eq!(senders.group(ends(40_000).0, ends(40_000).1), None, "either may be meant");
        for port in 0..=u16::MAX {
            senders.note(&frame(2, port), false, 1);
        }
        let known = senders.0.lock().unwrap();
        assert!(known.young.len() + known.old.len() <= MAX_CONNECTIONS);
    }

    #[test]
    fn reads_cut_frames_without_harm() {
        let mut six = vec![0; 12];
        six.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
        six.extend([0x20; 32]);
        six.extend([0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
        assert!(opening(&six, false).is_some_and(|(source, _)| source.is_ipv6() && source.port() == 40_000));
        for frame in [frame(2, 1), six] {
            for length in 0..frame.len() - 6 {
                assert_eq!(opening(&frame[..length], false), None);
                let _ = opening(&frame[..length], true);
            }
        }
    }
}
