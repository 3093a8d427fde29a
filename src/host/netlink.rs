//! Netlink messages [RFC 3549, uapi/linux/netlink.h, rtnetlink.h]: written, sent, and taken apart.
//!
//! Only what is asked for is read out of a message; whatever else a newer kernel puts into it is gone over.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Message types.
pub const ERROR: u16 = 2;
pub const DONE: u16 = 3;
pub const NEW_LINK: u16 = 16;
pub const DELETE_LINK: u16 = 17;
pub const GET_LINK: u16 = 18;
pub const NEW_ADDRESS: u16 = 20;
pub const DELETE_ADDRESS: u16 = 21;
pub const GET_ADDRESS: u16 = 22;
pub const NEW_ROUTE: u16 = 24;
pub const GET_ROUTE: u16 = 26;
pub const NEW_RULE: u16 = 32;
pub const GET_RULE: u16 = 34;

/// AF_INET and AF_INET6, as they stand in one byte.
pub const FAMILY_4: u8 = libc::AF_INET as u8;
pub const FAMILY_6: u8 = libc::AF_INET6 as u8;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

const HEADER_BYTES: usize = 16;
/// Nested attributes and those in network order say so in their type.
const TYPE_MASK: u16 = 0x3fff;

/// Datagrams that one question may be answered with; a host with 100,000 interfaces needs about 30,000.
const MAX_DATAGRAMS: usize = 100_000;

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u16,
    pub sequence: u32,
    pub body: &'a [u8],
}

pub fn half_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

pub fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

pub fn double_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

/// A zero-terminated name.
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

/// An address of four or sixteen bytes.
pub fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(value) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

/// Goes over `rest` in steps of a length that stands in front, rounded up to four bytes.
fn step<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let part = rest.get(..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(part)
}

/// The messages of a datagram, up to the first that is broken.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = word_at(rest, 0)? as usize;
        if length < HEADER_BYTES {
            return None;
        }
        let message = step(&mut rest, length)?;
        Some(Message {
            kind: half_at(message, 4)?,
            sequence: word_at(message, 8)?,
            body: message.get(HEADER_BYTES..)?,
        })
    })
}

/// Attributes as (type, value), up to the first that is broken.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(half_at(rest, 0)?);
        if length < 4 {
            return None;
        }
        let attribute = step(&mut rest, length)?;
        Some((half_at(attribute, 2)? & TYPE_MASK, attribute.get(4..)?))
    })
}

/// Writes an attribute.
pub fn push_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// A whole message.
pub fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
    out.extend_from_slice(&((HEADER_BYTES + body.len()) as u32).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&0_u32.to_ne_bytes());
    out.extend_from_slice(body);
    out
}

/// A socket to the kernel.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// A socket to the kernel's routing tables.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn open() -> io::Result<Self> {
        Self::open_protocol(NETLINK_ROUTE)
    }

    /// As [`Netlink::open`], and of what is asked for the kernel itself leaves out what the question does not mean (since
    /// Linux 4.20; an older one gives everything).
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn open_strict() -> io::Result<Self> {
        let netlink = Self::open()?;
        let _ = netlink.socket.set_netlink_get_strict_chk(true);
        Ok(netlink)
    }

    /// A socket to another part of the kernel.
    ///
    /// # Errors
    /// Where the kernel has no such part.
    pub fn open_protocol(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Hears of `groups` from now on, without waiting in [`Netlink::receive`].
    ///
    /// # Errors
    /// Where the kernel does not know a group.
    pub fn listen(groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// One datagram.
    ///
    /// # Errors
    /// `WouldBlock` where none waits, `ENOBUFS` where some were lost.
    pub fn receive(&self) -> io::Result<Vec<u8>> {
        self.socket.recv_from_full().map(|(datagram, _)| datagram)
    }

    /// Asks for everything of a kind (`dump`), or for one thing, and gives every answer to `take`.
    ///
    /// # Errors
    /// What the kernel answers instead.
    pub fn ask(
        &mut self,
        kind: u16,
        is_dump: bool,
        body: &[u8],
        take: &mut dyn FnMut(Message<'_>),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = if is_dump { REQUEST | DUMP } else { REQUEST };
        self.socket.send(&message(kind, flags, self.sequence, body), 0)?;
        for _ in 0..MAX_DATAGRAMS {
            let datagram = self.receive()?;
            for message in messages(&datagram) {
                if message.sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    DONE => return Ok(()),
                    ERROR => {
                        // A negated error number; 0 is an acknowledgement.
                        let error = word_at(message.body, 0).map_or(0, |word| word as i32);
                        return if error == 0 {
                            Ok(())
                        } else {
                            Err(io::Error::from_raw_os_error(error.saturating_neg()))
                        };
                    }
                    _ => take(message),
                }
                if !is_dump {
                    return Ok(());
                }
            }
        }
        Err(io::Error::other("the kernel's answer has no end"))
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart_what_it_writes() {
        let mut body = Vec::new();
        push_attribute(&mut body, 3, b"vti0\0");
        push_attribute(&mut body, 0x8000 | 18, &[1, 2, 3, 4]);
        let datagram = [message(NEW_LINK, 0, 7, &body), message(DONE, 0, 7, &[0; 4])].concat();
        let found: Vec<Message<'_>> = messages(&datagram).collect();
        assert_eq!((found.len(), found[0].kind, found[0].sequence, found[1].kind), (2, NEW_LINK, 7, DONE));
        let attributes: Vec<(u16, &[u8])> = attributes(found[0].body).collect();
        assert_eq!(attributes, [(3, &b"vti0\0"[..]), (18, &[1, 2, 3, 4])]);
        assert_eq!(text(attributes[0].1), "vti0");
    }

    #[test]
    fn ends_at_what_is_broken() {
        let mut body = Vec::new();
        push_attribute(&mut body, 3, b"eth0\0");
        push_attribute(&mut body, 4, &[1; 9]);
        let whole = message(NEW_LINK, 0, 1, &body);
        for length in 0..whole.len() {
            assert!(messages(&whole[..length]).count() <= 1);
            assert!(attributes(&whole[..length]).count() <= length);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                for message in messages(&changed) {
                    assert!(attributes(message.body).count() <= changed.len());
                }
            }
        }
    }

    #[test]
    fn reads_addresses_of_both_versions() {
        assert_eq!(address(&[10, 0, 0, 1]), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(address(&[0; 16]), Some(IpAddr::from([0_u16; 8])));
        assert_eq!(address(&[0; 5]), None);
    }
}
