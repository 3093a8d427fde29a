//! Addresses of one TCP connection.

use std::net::{IpAddr, SocketAddr};

/// One of the two ends of a flow, in the order of [`FlowKey`].
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

/// The inner addresses and ports of a TCP connection, the same for both directions.
///
/// Invariant: `a <= b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    a: SocketAddr,
    b: SocketAddr,
}

impl FlowKey {
    /// The key of a segment from `source` to `destination`, and which end sent it.
    #[must_use]
    pub fn of(source: SocketAddr, destination: SocketAddr) -> (Self, Side) {
        if source <= destination {
            (Self { a: source, b: destination }, Side::A)
        } else {
            (Self { a: destination, b: source }, Side::B)
        }
    }

    /// The address of one end.
    #[must_use]
    pub const fn end(&self, side: Side) -> SocketAddr {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// The IP address of one end.
    #[must_use]
    pub const fn ip(&self, side: Side) -> IpAddr {
        self.end(side).ip()
    }
}
