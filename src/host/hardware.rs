//! What the frames of an interface begin with, by the kernel's hardware type (`ARPHRD_…`,
//! uapi/linux/if_arp.h).

use crate::capture::LinkType;

/// Hardware types that are told apart.
mod arphrd {
    pub const ETHERNET: u16 = 1;
    pub const AX25: u16 = 3;
    pub const TOKEN_RING: u16 = 6;
    pub const ARCNET: u16 = 7;
    pub const INFINIBAND: u16 = 32;
    pub const CAN: u16 = 280;
    pub const PPP: u16 = 512;
    pub const CISCO_HDLC: u16 = 513;
    pub const RAW_HDLC: u16 = 518;
    pub const RAW_IP: u16 = 519;
    pub const TUNNEL: u16 = 768;
    pub const TUNNEL6: u16 = 769;
    pub const FRAME_RELAY: u16 = 770;
    pub const LOOPBACK: u16 = 772;
    pub const SIT: u16 = 776;
    pub const GRE: u16 = 778;
    pub const IEEE80211: u16 = 801;
    pub const IEEE80211_PRISM: u16 = 802;
    pub const IEEE80211_RADIOTAP: u16 = 803;
    pub const IEEE802154: u16 = 804;
    pub const GRE6: u16 = 823;
    pub const NETLINK: u16 = 824;
    pub const VSOCK_MONITOR: u16 = 826;
    pub const NONE: u16 = 65_534;
}

/// The link type frames of this hardware are taken with.
///
/// Devices without a link header (tun, wireguard, xfrm, and with a header only the kernel sees: vti,
/// ipip, sit, gre, ppp) give IP packets. What nobody reads keeps its own number, so that it can be named;
/// where there is none, the answer is `LinkType(65535)`.
#[must_use]
pub const fn link_type(hardware: u16) -> LinkType {
    match hardware {
        arphrd::ETHERNET | arphrd::LOOPBACK => LinkType::ETHERNET,
        arphrd::NONE
        | arphrd::RAW_IP
        | arphrd::PPP
        | arphrd::TUNNEL
        | arphrd::TUNNEL6
        | arphrd::SIT
        | arphrd::GRE
        | arphrd::GRE6 => LinkType::RAW,
        arphrd::AX25 => LinkType(3),
        arphrd::TOKEN_RING => LinkType(6),
        arphrd::ARCNET => LinkType(129),
        arphrd::INFINIBAND => LinkType(247),
        arphrd::CAN => LinkType(227),
        arphrd::CISCO_HDLC | arphrd::RAW_HDLC => LinkType(104),
        arphrd::FRAME_RELAY => LinkType(107),
        arphrd::IEEE80211 => LinkType(105),
        arphrd::IEEE80211_PRISM => LinkType(119),
        arphrd::IEEE80211_RADIOTAP => LinkType(127),
        arphrd::IEEE802154 => LinkType(195),
        arphrd::NETLINK => LinkType(253),
        arphrd::VSOCK_MONITOR => LinkType(271),
        _ => LinkType(u16::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_can_and_names_the_rest() {
        for hardware in [1, 772] {
            assert_eq!(link_type(hardware), LinkType::ETHERNET, "{hardware}");
        }
        for hardware in [65_534, 519, 512, 768, 769, 776, 778, 823] {
            assert_eq!(link_type(hardware), LinkType::RAW, "{hardware}");
        }
        for hardware in [3, 6, 7, 32, 280, 513, 770, 801, 802, 803, 804, 824, 826] {
            assert!(
                !link_type(hardware).is_supported() && link_type(hardware).name().is_some(),
                "{hardware}"
            );
        }
        assert!(!link_type(4_711).is_supported());
    }
}
