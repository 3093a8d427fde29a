//! What can be wrong with a frame.

use std::fmt;

/// A frame that could not be read: in which header, and what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{header}: {}", fault.reason())]
pub struct DecodeError {
    header: Header,
    fault: Fault,
}

impl DecodeError {
    #[cold]
    pub(super) const fn new(header: Header, fault: Fault) -> Self {
        Self { header, fault }
    }

    #[cold]
    pub(super) const fn truncated(header: Header) -> Self {
        Self::new(header, Fault::Truncated)
    }

    /// The metric label `layer`.
    #[must_use]
    pub const fn layer(&self) -> &'static str {
        self.header.name()
    }

    /// The metric label `reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.fault.reason()
    }
}

macro_rules! names {
    ($(#[$meta:meta])* $type:ident, $function:ident: $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $type {
            /// Every value, for documentation and tests.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The metric label.
            #[must_use]
            pub const fn $function(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

names! {
    /// The header a frame could not be read at.
    Header, name:
    /// Not one header but their number.
    Encapsulation = "encapsulation",
    Erspan = "erspan",
    Ethernet = "ethernet",
    Geneve = "geneve",
    Gre = "gre",
    Gtp = "gtp",
    Ipv4 = "ipv4",
    Ipv6 = "ipv6",
    /// The link type of the capture.
    LinkType = "link_type",
    LinuxCooked = "linux_cooked",
    Mpls = "mpls",
    /// BSD loopback, null and loop.
    Null = "null",
    Ppp = "ppp",
    Pppoe = "pppoe",
    Tcp = "tcp",
    Udp = "udp",
    Vlan = "vlan",
    Vxlan = "vxlan",
}

names! {
    /// What is wrong with a header.
    Fault, reason:
    /// A fragment that no packet can be made of: empty, odd length, beyond 65,535 bytes, or against
    /// the end that another fragment gave.
    BadFragment = "bad_fragment",
    /// A header that says it is shorter than it can be, or longer than its packet.
    BadHeaderLength = "bad_header_length",
    /// A packet that says it is shorter than its header, or longer than it was on the wire.
    BadLength = "bad_length",
    /// A version other than the one that was announced.
    BadVersion = "bad_version",
    /// Two fragments that say different things about the same bytes.
    FragmentOverlap = "fragment_overlap",
    /// No room for a fragment.
    FragmentTableFull = "fragment_table_full",
    /// A fragment that the capture cut.
    FragmentTruncated = "fragment_truncated",
    /// More layers or headers than are unwrapped.
    TooDeep = "too_deep",
    /// A packet of more pieces than are kept.
    TooManyFragments = "too_many_fragments",
    /// The frame ends within the header.
    Truncated = "truncated",
    /// A form that is not read.
    Unsupported = "unsupported",
}

/// What each header can be refused for, in the order of their names, so that accounts can start at zero.
const KNOWN: &[(Header, &[Fault])] = &[
    (Header::Encapsulation, &[Fault::TooDeep]),
    (Header::Erspan, &[Fault::BadVersion, Fault::Truncated, Fault::Unsupported]),
    (Header::Ethernet, &[Fault::Truncated]),
    (Header::Geneve, &[Fault::Truncated]),
    (Header::Gre, &[Fault::BadVersion, Fault::Truncated, Fault::Unsupported]),
    (Header::Gtp, &[Fault::Truncated]),
    (Header::Ipv4, IP_FAULTS),
    (Header::Ipv6, IP_FAULTS),
    (Header::LinkType, &[Fault::Unsupported]),
    (Header::LinuxCooked, &[Fault::Truncated]),
    (Header::Mpls, &[Fault::Truncated]),
    (Header::Null, &[Fault::Truncated]),
    (Header::Ppp, &[Fault::Truncated]),
    (Header::Pppoe, &[Fault::BadVersion, Fault::Truncated]),
    (Header::Tcp, &[Fault::BadHeaderLength, Fault::Truncated]),
    (Header::Udp, &[Fault::BadLength, Fault::Truncated]),
    (Header::Vlan, &[Fault::Truncated]),
    (Header::Vxlan, &[Fault::Truncated]),
];

const IP_FAULTS: &[Fault] = &[
    Fault::BadFragment,
    Fault::BadHeaderLength,
    Fault::BadLength,
    Fault::BadVersion,
    Fault::FragmentOverlap,
    Fault::FragmentTableFull,
    Fault::FragmentTruncated,
    Fault::TooManyFragments,
    Fault::Truncated,
];

impl DecodeError {
    /// Every one there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().flat_map(|&(header, faults)| faults.iter().map(move |&fault| Self::new(header, fault)))
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_layer_and_reason() {
        let error = DecodeError::truncated(Header::LinuxCooked);
        assert_eq!((error.layer(), error.reason()), ("linux_cooked", "truncated"));
        assert_eq!(error.to_string(), "linux_cooked: truncated");
    }

    #[test]
    fn gives_every_value_its_own_name() {
        let mut names: Vec<&str> = Header::ALL.iter().map(|header| header.name()).collect();
        names.dedup();
        assert_eq!(names.len(), Header::ALL.len());
        assert!(names.is_sorted());
        let mut reasons: Vec<&str> = Fault::ALL.iter().map(|fault| fault.reason()).collect();
        reasons.dedup();
        assert_eq!(reasons.len(), Fault::ALL.len());
        assert!(reasons.is_sorted());
        assert!(KNOWN.iter().map(|(header, _)| header).eq(Header::ALL), "each header with its faults");
        assert!(KNOWN.iter().all(|(_, faults)| faults.is_sorted()));
    }
}
