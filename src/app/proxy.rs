//! What a client says before TLS: HTTP CONNECT [RFC 9110 section 9.3.6], SOCKS5 [RFC 1928, RFC 1929],
//! SOCKS4 and 4a, and the PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt).
//!
//! Input: the client's side of the dialogue. Output: the kind of proxy and the target asked for.
//! User names, passwords and authorisation headers are read past and never kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use memchr::{memchr, memmem};

use super::{Parse, at_most, http1, is_host_name};
use crate::model::{ProxyFacts, ProxyKind};

/// The longest head of a CONNECT; a ticket of Kerberos has up to 48 KB, by Windows' default, which base64 makes 64.
const MAX_CONNECT_BYTES: usize = 72 * 1024;

/// The longest line of PROXY protocol version 1, by its specification (section 2.1).
const MAX_V1_BYTES: usize = 107;

/// The longest user id or host name of SOCKS4, which only end in NUL; a host name has at most 253 bytes.
const MAX_SOCKS4_TEXT_BYTES: usize = 255;

/// The most preambles in a row: load balancer, proxy, second proxy, and CONNECT again for authentication.
const MAX_PREAMBLES: usize = 16;

/// Signature of PROXY protocol version 2 (section 2.2).
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Everything a client said to proxies before what they carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// Of the innermost proxy that was told a target, else of the innermost. Absent for SOCKS4, for
    /// which records have no word.
    pub facts: Option<ProxyFacts>,
    /// Bytes of all preambles together: what the proxies carry begins there.
    pub length_bytes: usize,
}

/// What is known of where a client's words begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the connection, or wherever it was joined.
    #[default]
    Connection,
    /// Behind bytes that are missing: what begins there may be the rest of anything, a password as well. SOCKS, which
    /// begins with no more than a number, is not known there; what begins with its name is.
    Loss,
}

/// One preamble at the beginning of `rest`.
struct Step {
    facts: Option<ProxyFacts>,
    length_bytes: usize,
}

impl Step {
    fn of(kind: ProxyKind, target: Option<String>, length_bytes: usize) -> Self {
        Self { facts: Some(ProxyFacts { kind, target }), length_bytes }
    }
}

/// The preambles of a client that goes on talking, in pieces as small as it likes: what was read of them is not read
/// again.
#[derive(Debug)]
pub struct Preambles {
    /// Of those that are whole.
    whole: Preamble,
    count: usize,
    /// The next one, where it is a CONNECT that is not whole.
    connect: Connect,
    /// There are no more, whatever follows.
    is_over: bool,
    start: Start,
}

impl Default for Preambles {
    fn default() -> Self {
        Self::at(Start::Connection)
    }
}

impl Preambles {
    /// Those of words that begin there.
    #[must_use]
    pub fn at(start: Start) -> Self {
        Self {
            whole: Preamble { facts: None, length_bytes: 0 },
            count: 0,
            connect: Connect::default(),
            is_over: false,
            start,
        }
    }

    /// Where the words begin.
    #[must_use]
    pub const fn start(&self) -> Start {
        self.start
    }

    /// Reads those at the beginning of what a client said, which goes on where it ended before: `Done` where at least one
    /// is whole, `NeedMore` where the first may become one. A target with bytes that are no host makes it no preamble at
    /// all.
    pub fn read(&mut self, said: &[u8]) -> Parse<&Preamble> {
        while !self.is_over {
            let rest = said.get(self.whole.length_bytes..).unwrap_or_default();
            let step = match rest.first() {
                Some(4 | 5) if self.count == 0 && self.start == Start::Loss => Parse::No,
                _ => step(rest, &mut self.connect),
            };
            match step {
                Parse::Done(step) => {
                    let found = &mut self.whole.facts;
                    self.whole.length_bytes += step.length_bytes;
                    self.connect = Connect::default();
                    self.count += 1;
                    self.is_over = self.count == MAX_PREAMBLES;
                    match step.facts {
                        // The proxies in front of it were asked for the way to it alone.
                        None => *found = None,
                        Some(facts) if facts.target.is_some() => *found = Some(facts),
                        // What was asked of the proxies in front of it may be missing.
                        Some(_) if self.start == Start::Loss => {}
                        Some(facts) if found.as_ref().is_none_or(|found| found.target.is_none()) => {
                            *found = Some(facts);
                        }
                        Some(_) => {}
                    }
                }
                Parse::NeedMore => break,
                Parse::No => self.is_over = true,
            }
        }
        match (self.count, self.is_over) {
            (0, true) => Parse::No,
            (0, false) => Parse::NeedMore,
            _ => Parse::Done(&self.whole),
        }
    }
}

/// Reads the preambles at the beginning of what a client said, once.
#[must_use]
pub fn client(said: &[u8], start: Start) -> Parse<Preamble> {
    let mut preambles = Preambles::at(start);
    match preambles.read(said) {
        Parse::Done(_) => Parse::Done(preambles.whole),
        Parse::NeedMore => Parse::NeedMore,
        Parse::No => Parse::No,
    }
}

fn step(bytes: &[u8], connect: &mut Connect) -> Parse<Step> {
    let step = match bytes.first() {
        None => Err(Stop::NeedMore),
        Some(b'C') => connect.read(bytes),
        Some(b'P') => v1(bytes),
        Some(b'\r') => v2(bytes),
        Some(5) => socks5(bytes),
        Some(4) => socks4(bytes),
        Some(_) => Err(Stop::No),
    };
    match step {
        Ok(step) => Parse::Done(step),
        Err(Stop::NeedMore) => Parse::NeedMore,
        Err(Stop::No) => Parse::No,
    }
}

/// Why a step ended early.
enum Stop {
    NeedMore,
    No,
}

/// Fails where `bytes` do not, or not yet, begin with `prefix`.
fn begins(bytes: &[u8], prefix: &[u8]) -> Result<(), Stop> {
    if bytes.starts_with(prefix) {
        Ok(())
    } else if prefix.starts_with(bytes) {
        Err(Stop::NeedMore)
    } else {
        Err(Stop::No)
    }
}

/// `CONNECT host:port HTTP/1.1` and its fields, up to the empty line.
#[derive(Debug, Default)]
struct Connect {
    /// Where its first line ends, once that is there and known to be one.
    line_end: Option<usize>,
    /// Bytes that were searched for the end of the line, then for that of the head.
    searched: usize,
}

impl Connect {
    const METHOD: &[u8] = b"CONNECT ";

    fn read(&mut self, bytes: &[u8]) -> Result<Step, Stop> {
        begins(bytes, Self::METHOD)?;
        let head = at_most(bytes, MAX_CONNECT_BYTES);
        let is_full = bytes.len() >= MAX_CONNECT_BYTES;
        let line_end = match self.line_end {
            Some(line_end) => line_end,
            None => {
                let fresh = head.get(self.searched..).unwrap_or_default();
                let Some(at) = memchr(b'\n', fresh) else {
                    self.searched = head.len();
                    return Err(if !is_full && is_printable(fresh) { Stop::NeedMore } else { Stop::No });
                };
                let line_end = self.searched + at;
                Self::target(head, line_end).ok_or(Stop::No)?;
                self.searched = line_end;
                *self.line_end.insert(line_end)
            }
        };
        // The end may be cut within its three bytes.
        let from = self.searched.saturating_sub(2).max(line_end);
        self.searched = head.len();
        match http1::end_of_head(head.get(from..).unwrap_or_default()) {
            Some(end) => Ok(Step::of(ProxyKind::HttpConnect, Self::target(head, line_end), from + end)),
            None if is_full => Err(Stop::No),
            None => Err(Stop::NeedMore),
        }
    }

    /// What the first line asks for; `None` where it is none of HTTP/1.x.
    fn target(head: &[u8], line_end: usize) -> Option<String> {
        let line = head.get(Self::METHOD.len()..line_end)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (authority, version) = line.split_at_checked(memchr(b' ', line)?)?;
        if !version.starts_with(b" HTTP/1.") {
            return None;
        }
        target_of_text(authority)
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, a destination that is the target.
fn v1(bytes: &[u8]) -> Result<Step, Stop> {
    begins(bytes, b"PROXY ")?;
    let head = at_most(bytes, MAX_V1_BYTES);
    let Some(end) = memmem::find(head, b"\r\n") else {
        return Err(if head.len() < MAX_V1_BYTES && is_printable(head) { Stop::NeedMore } else { Stop::No });
    };
    let line = head.get(..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or(Stop::No)?;
    let words: arrayvec::ArrayVec<&str, 7> = line.split(' ').take(7).collect();
    let target = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4" | "TCP6", source, destination, source_port, port] => {
            let (_, _): (IpAddr, u16) = (parsed(source)?, parsed(source_port)?);
            Some(SocketAddr::new(parsed(destination)?, parsed(port)?).to_string())
        }
        _ => return Err(Stop::No),
    };
    Ok(Step::of(ProxyKind::ProxyProtocol, target, end + 2))
}

fn parsed<T: FromStr>(word: &str) -> Result<T, Stop> {
    word.parse().map_err(|_| Stop::No)
}

/// Signature, version and command, family, length, addresses (section 2.2).
fn v2(bytes: &[u8]) -> Result<Step, Stop> {
    begins(bytes, V2_SIGNATURE)?;
    let (&[command, family, high, low], rest) =
        bytes.get(V2_SIGNATURE.len()..).and_then(<[u8]>::split_first_chunk).ok_or(Stop::NeedMore)?;
    // Version 2, LOCAL or PROXY.
    if !matches!(command, 0x20 | 0x21) {
        return Err(Stop::No);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let body = rest.get(..length).ok_or(Stop::NeedMore)?;
    let target = match (command, family) {
        (0x21, 0x11) => body.get(4..8).and_then(v4_of).zip(body.get(10..12).and_then(port_of)),
        (0x21, 0x21) => body.get(16..32).and_then(v6_of).zip(body.get(34..36).and_then(port_of)),
        _ => None,
    };
    let target = target.map(|(address, port)| SocketAddr::new(address, port).to_string());
    Ok(Step::of(ProxyKind::ProxyProtocol, target, V2_SIGNATURE.len() + 4 + length))
}

/// Greeting, optional sub-negotiation, request [RFC 1928 sections 3 and 4]. The greeting alone proves nothing.
fn socks5(bytes: &[u8]) -> Result<Step, Stop> {
    const USERNAME_PASSWORD: u8 = 2;
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.take(1)?;
    let methods = cursor.take_counted()?;
    if methods.is_empty() {
        return Err(Stop::No);
    }
    let mut version = cursor.byte()?;
    if version == 1 {
        if !methods.contains(&USERNAME_PASSWORD) {
            return Err(Stop::No);
        }
        // User name and password [RFC 1929 section 2], read past.
        cursor.take_counted()?;
        cursor.take_counted()?;
        version = cursor.byte()?;
    }
    if version != 5 {
        return Err(Stop::No);
    }
    let command = cursor.byte()?;
    let reserved = cursor.byte()?;
    if !matches!(command, 1..=3) || reserved != 0 {
        return Err(Stop::No);
    }
    let host = match cursor.byte()? {
        1 => v4_of(cursor.take(4)?).map(|address| address.to_string()),
        3 => Some(host_of_text(cursor.take_counted()?).ok_or(Stop::No)?),
        4 => v6_of(cursor.take(16)?).map(|address| format!("[{address}]")),
        _ => return Err(Stop::No),
    };
    let port = port_of(cursor.take(2)?).ok_or(Stop::No)?;
    // BIND and UDP ASSOCIATE name no target of this connection.
    let target = host.filter(|_| command == 1).map(|host| format!("{host}:{port}"));
    Ok(Step::of(ProxyKind::Socks5, target, cursor.at))
}

/// Version, command, port, address, user id; in 4a a host name where the address is 0.0.0.x.
fn socks4(bytes: &[u8]) -> Result<Step, Stop> {
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.take(1)?;
    if !matches!(cursor.byte()?, 1 | 2) {
        return Err(Stop::No);
    }
    cursor.take(2)?;
    let address = cursor.take(4)?;
    cursor.take_text()?;
    if matches!(address, [0, 0, 0, last] if *last != 0) {
        host_of_text(cursor.take_text()?).ok_or(Stop::No)?;
    }
    Ok(Step { facts: None, length_bytes: cursor.at })
}

/// Reads forward over bytes of which more may come.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count)).ok_or(Stop::NeedMore)?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1)?.first().copied().ok_or(Stop::NeedMore)
    }

    /// A length byte and as many bytes.
    fn take_counted(&mut self) -> Result<&'a [u8], Stop> {
        let count = self.byte()?;
        self.take(usize::from(count))
    }

    /// Printable text up to a NUL.
    fn take_text(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let window = at_most(rest, MAX_SOCKS4_TEXT_BYTES + 1);
        let end = memchr(0, window);
        let text = window.get(..end.unwrap_or(window.len())).unwrap_or_default();
        if !is_printable(text) {
            return Err(Stop::No);
        }
        match end {
            Some(end) => {
                self.at += end + 1;
                Ok(text)
            }
            None if window.len() > MAX_SOCKS4_TEXT_BYTES => Err(Stop::No),
            None => Err(Stop::NeedMore),
        }
    }
}

fn v4_of(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).ok().map(|octets| Ipv4Addr::from(octets).into())
}

fn v6_of(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into())
}

fn port_of(bytes: &[u8]) -> Option<u16> {
    <[u8; 2]>::try_from(bytes).ok().map(u16::from_be_bytes)
}

/// `host:port` or `[IPv6]:port`, in lower case.
fn target_of_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = literal.parse().ok()?;
        return Some(format!("[{address}]:{port}"));
    }
    let host = host_of_text(host.as_bytes())?;
    Some(format!("{host}:{port}"))
}

/// A host name or IPv4 address, in lower case; an IPv6 address gets its brackets.
fn host_of_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    is_host_name(text).then(|| text.to_ascii_lowercase())
}

fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e | b'\r'))
}

#[cfg(test)]
mod tests;
