//! What stood in front of TLS.

use std::fmt;

use super::dynamodb::closed_set;

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
