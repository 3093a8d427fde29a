//! What stood in front of TLS.

use super::closed_set;

closed_set! {
    /// The protocol that carried the TLS connection.
    ProxyKind {
        HttpConnect => "http_connect",
        Socks5 => "socks5",
        ProxyProtocol => "proxy_protocol",
    }
}

/// A proxy preamble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFacts {
    pub kind: ProxyKind,
    /// `host:port` asked for (CONNECT, SOCKS5) or the real destination (PROXY protocol).
    pub target: Option<String>,
}

impl ProxyFacts {
    /// The PROXY protocol, and no connection of somebody else behind it: `LOCAL` or `UNKNOWN` (its specification, sections
    /// 2.1 and 2.2).
    #[must_use]
    pub fn is_unannounced(&self) -> bool {
        self.kind == ProxyKind::ProxyProtocol && self.target.is_none()
    }
}
