//! Addresses of one TCP connection.

use std::net::{IpAddr, Ipv4Addr};

/// One of the two ends of a flow, the same for both directions: whichever of the addresses sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that sorts first.
    A,
    /// The end that sorts second.
    B,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for `A`, 1 for `B`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped [RFC 4291 section 2.5.5.2], or behind NAT64 under the well-known
/// prefix, as clients with IPv6 alone see it [RFC 6052 section 2.1]. Any other address is itself.
#[must_use]
pub const fn embedded(address: IpAddr) -> IpAddr {
    if let IpAddr::V6(v6) = address
        && let [0x64, 0xff9b, 0, 0, 0, 0, _, _] = v6.segments()
    {
        let [.., a, b, c, d] = v6.octets();
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    address.to_canonical()
}

/// True for an address that the public internet does not route: RFC 1918, shared address space
/// (RFC 6598), unique local (RFC 4193), link-local (RFC 3927, RFC 4291), site-local (RFC 3879: out of use, and never
/// routed) and loopback. An IPv6 address that stands for an IPv4 one counts as that ([`embedded`]).
///
/// Documentation prefixes are not among them: where one is seen, it stands for a public address.
#[must_use]
pub const fn is_private(address: IpAddr) -> bool {
    match embedded(address) {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            let is_site_local = first & 0xffc0 == 0xfec0;
            v6.is_unique_local() || v6.is_unicast_link_local() || is_site_local || v6.is_loopback()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_private_addresses_from_public_ones() {
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.10.1",
            "127.0.0.1",
            "64:ff9b::10.0.3.25",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "feff:ffff::1",
            "::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "52.94.5.1",
            "172.32.0.1",
            "100.128.0.1",
            "100.63.0.1",
            "169.253.0.1",
            "198.51.100.1",
            "2600::1",
            "ff00::1",
            "::ffff:52.94.5.1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
