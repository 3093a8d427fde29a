//! The compact form of a flow's addresses: cheap to compare and to hash.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::model::Side;

/// Both ends of a TCP connection, the same for both directions; IPv4 addresses are held in their
/// IPv4-mapped form [RFC 4291 section 2.5.5.2], with a mark that tells them from real IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    a: [u64; 2],
    b: [u64; 2],
    /// Port of `a` in the high half, port of `b` in the low half.
    ports: u32,
    is_v6: bool,
}

const MAPPED: u128 = 0xffff_0000_0000;

#[inline]
fn pack(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => MAPPED | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The high half first. Halves, because a 128-bit number would waste room in what it is a part of.
#[inline]
const fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

#[inline]
fn whole([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl Key {
    /// The key of a segment and which end sent it. The end with the smaller address and port is `A`.
    #[inline]
    #[must_use]
    pub fn of(source: SocketAddr, destination: SocketAddr) -> (Self, Side) {
        if let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (source, destination) {
            return Self::of_v4(source, destination);
        }
        let from = (pack(source.ip()), source.port());
        let to = (pack(destination.ip()), destination.port());
        let (a, b, side) = if from <= to { (from, to, Side::A) } else { (to, from, Side::B) };
        (Self::between(a, b, source.is_ipv6()), side)
    }

    /// The key of two ends, each an address and a port.
    #[inline]
    fn between(a: (u128, u16), b: (u128, u16), is_v6: bool) -> Self {
        Self { a: halves(a.0), b: halves(b.0), ports: u32::from(a.1) << 16 | u32::from(b.1), is_v6 }
    }

    /// The same of IPv4, where an address and its port fit into one word.
    #[inline]
    fn of_v4(source: SocketAddrV4, destination: SocketAddrV4) -> (Self, Side) {
        let end = |end: SocketAddrV4| u64::from(end.ip().to_bits()) << 16 | u64::from(end.port());
        let (from, to) = (end(source), end(destination));
        let (a, b) = (from.min(to), from.max(to));
        let address = |end: u64| [0, MAPPED as u64 | end >> 16];
        let key = Self {
            a: address(a),
            b: address(b),
            ports: (a as u32) << 16 | (b as u32 & 0xffff),
            is_v6: false,
        };
        (key, if from <= to { Side::A } else { Side::B })
    }

    /// The ends of a flow under other addresses, `side` being the one that sent from `source`: for whom the
    /// sides are told already. It is no key to look up.
    #[must_use]
    pub fn of_sender(side: Side, source: SocketAddr, destination: SocketAddr) -> Self {
        let (a, b) = if side == Side::A { (source, destination) } else { (destination, source) };
        Self::between((pack(a.ip()), a.port()), (pack(b.ip()), b.port()), a.is_ipv6())
    }

    /// The address and port of one end.
    #[must_use]
    pub fn end(&self, side: Side) -> SocketAddr {
        let (bits, port) = match side {
            Side::A => (whole(self.a), (self.ports >> 16) as u16),
            Side::B => (whole(self.b), (self.ports & 0xffff) as u16),
        };
        let address = if self.is_v6 {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32))
        };
        SocketAddr::new(address, port)
    }

    /// A seeded hash: strangers choose the addresses.
    #[inline]
    #[must_use]
    pub fn hash_with(&self, state: &impl BuildHasher) -> u64 {
        let mut hasher = state.build_hasher();
        if self.is_v6 {
            hasher.write_u128(whole(self.a));
            hasher.write_u128(whole(self.b));
            hasher.write_u32(self.ports);
        } else {
            // All that distinguishes IPv4 flows fits into one 128-bit word.
            let addresses = (self.a[1] & 0xffff_ffff) << 32 | (self.b[1] & 0xffff_ffff);
            hasher.write_u128(u128::from(addresses) << 32 | u128::from(self.ports));
        }
        hasher.finish()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(whole(self.a));
        state.write_u128(whole(self.b));
        state.write_u32(self.ports);
        state.write_u8(u8::from(self.is_v6));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_share_a_key_and_differ_in_side() {
        for (x, y) in
            [("10.0.0.1:1", "10.0.0.1:2"), ("[2001:db8::1]:9", "[2001:db8::2]:1"), ("1.1.1.1:5", "2.2.2.2:1")]
        {
            let (x, y): (SocketAddr, SocketAddr) = (x.parse().unwrap(), y.parse().unwrap());
            let ((forth, side), (back, other)) = (Key::of(x, y), Key::of(y, x));
            assert_eq!((forth, side), (back, other.other()));
            assert_eq!((forth.end(side), forth.end(other)), (x, y));
        }
    }

    #[test]
    fn keeps_addresses_and_ports_of_ipv4_in_order() {
        for (low, high) in [
            ("1.2.3.4:65535", "1.2.3.5:0"),
            ("1.2.3.4:1", "1.2.3.4:2"),
            ("0.0.0.0:0", "255.255.255.255:65535"),
            ("9.9.9.9:443", "9.9.9.9:443"),
        ] {
            let (low, high): (SocketAddr, SocketAddr) = (low.parse().unwrap(), high.parse().unwrap());
            let (key, side) = Key::of(low, high);
            assert_eq!((side, key.end(Side::A), key.end(Side::B)), (Side::A, low, high));
            assert_eq!(Key::of(high, low).0, key);
        }
    }

    #[test]
    fn mapped_ipv6_is_not_ipv4() {
        let v4 = Key::of("1.2.3.4:5".parse().unwrap(), "5.6.7.8:9".parse().unwrap()).0;
        let v6 = Key::of("[::ffff:1.2.3.4]:5".parse().unwrap(), "[::ffff:5.6.7.8]:9".parse().unwrap()).0;
        assert_ne!(v4, v6);
    }
}
