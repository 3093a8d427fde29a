//! Link types: which are read, and what the others are called.

use std::fmt;

/// A link type number (LINKTYPE_…) of the registry at <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet II or IEEE 802.3.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without the HDLC framing bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP, as most systems numbered it before 101 was given out.
    pub const RAW_12: Self = Self(12);
    /// Raw IP, as OpenBSD numbers it.
    pub const RAW_14: Self = Self(14);
    /// Raw IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: four bytes of address family, big-endian.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture v1 (the `any` device).
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: Self = Self(276);

    /// Whether frames of this type are looked into.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        matches!(
            self,
            Self::NULL
                | Self::ETHERNET
                | Self::PPP
                | Self::RAW_12
                | Self::RAW_14
                | Self::RAW
                | Self::LOOP
                | Self::LINUX_SLL
                | Self::IPV4
                | Self::IPV6
                | Self::LINUX_SLL2
        )
    }

    /// What people call it; `None` for numbers that are rarely met or not given out.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "BSD loopback",
            1 => "Ethernet",
            3 => "AX.25",
            6 => "Token Ring",
            7 => "ARCNET",
            8 => "SLIP",
            9 => "PPP",
            10 => "FDDI",
            12 | 14 | 101 => "raw IP",
            50 => "PPP in HDLC framing",
            51 => "PPPoE session",
            100 => "ATM (RFC 1483)",
            104 => "Cisco HDLC",
            105 => "IEEE 802.11",
            107 => "Frame Relay",
            108 => "OpenBSD loopback",
            113 => "Linux cooked v1",
            114 => "LocalTalk",
            117 => "OpenBSD pflog",
            119 => "IEEE 802.11 with Prism header",
            122 => "IP over Fibre Channel",
            127 => "IEEE 802.11 with radiotap header",
            128 => "Tazmen Sniffer Protocol",
            129 => "Linux ARCNET",
            130..=137 | 164 | 167 | 168 | 174 | 178..=181 | 183 | 194 | 200 | 232..=234 | 238 => "Juniper",
            138 => "Apple IP over IEEE 1394",
            139 => "MTP2 with pseudo-header",
            140 => "MTP2",
            141 => "MTP3",
            142 => "SCCP",
            143 => "DOCSIS",
            144 => "Linux IrDA",
            147..=162 => "private use",
            163 => "IEEE 802.11 with AVS header",
            165 => "BACnet MS/TP",
            166 => "PPP of pppd",
            169 => "GPRS LLC",
            175 | 176 | 197 => "Endace ERF",
            177 => "Linux LAPD",
            182 => "Multi-link Frame Relay",
            186 => "FreeBSD USB",
            187 => "Bluetooth HCI H4",
            188 | 193 => "IEEE 802.16",
            189 | 220 => "Linux USB",
            190 | 227 => "CAN bus",
            191 | 195 | 215 | 230 | 283 => "IEEE 802.15.4",
            192 => "Per-Packet Information",
            199 | 209 => "IPMB",
            201 => "Bluetooth HCI H4 with pseudo-header",
            202 => "AX.25 with KISS header",
            203 => "LAPD",
            204 => "PPP with direction byte",
            205 => "Cisco HDLC with direction byte",
            206 => "Frame Relay with direction byte",
            210 => "FlexRay",
            211 => "MOST bus",
            212 => "LIN bus",
            217 | 218 => "GSMTAP",
            219 => "MPLS",
            221 => "DECT",
            223 => "WirelessHART",
            224 | 225 => "Fibre Channel",
            226 => "Solaris ipnet",
            228 => "raw IPv4",
            229 => "raw IPv6",
            231 => "D-Bus",
            235 => "DVB-CI",
            236 => "MUX27010",
            239 => "netfilter log",
            240 | 241 => "netANALYZER",
            242 => "IP over InfiniBand",
            243 => "MPEG-2 transport stream",
            245 => "NFC LLCP",
            246 => "pfsync",
            247 => "InfiniBand",
            248 => "SCTP",
            249 => "USBPcap",
            251 | 256 | 272 => "Bluetooth Low Energy",
            252 => "Wireshark upper PDU",
            253 => "Linux netlink",
            254 => "Bluetooth Linux monitor",
            255 => "Bluetooth BR/EDR",
            257 => "PROFIBUS",
            258 => "Apple PKTAP",
            259 => "EPON",
            261 | 262 | 287 => "Z-Wave",
            264 => "ISO 14443",
            266 => "macOS USB",
            270 => "LoRaTap",
            271 => "Linux vsock",
            273 => "DOCSIS 3.1",
            274 => "Ethernet mPacket",
            276 => "Linux cooked v2",
            278 | 288 => "USB",
            280 => "VPP dispatch trace",
            281 | 282 | 284 | 285 => "Ethernet with switch tag",
            289 => "ATSC ALP",
            290 => "Event Tracing for Windows",
            _ => return None,
        })
    }
}

/// Name and number: `Ethernet (1)`; the number alone where there is no name: `LINKTYPE 999`.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "LINKTYPE {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supports_what_is_promised_and_names_it() {
        let supported: Vec<u16> = (0..=u16::MAX).filter(|&number| LinkType(number).is_supported()).collect();
        assert_eq!(supported, [0, 1, 9, 12, 14, 101, 108, 113, 228, 229, 276]);
        for number in supported {
            // Nobody should read a bare number for a supported type.
            assert!(LinkType(number).name().is_some(), "{number}");
        }
    }

    #[test]
    fn shows_name_and_number() {
        assert_eq!(LinkType::ETHERNET.to_string(), "Ethernet (1)");
        assert_eq!(LinkType(105).to_string(), "IEEE 802.11 (105)");
        assert_eq!(LinkType(999).to_string(), "LINKTYPE 999");
    }
}
