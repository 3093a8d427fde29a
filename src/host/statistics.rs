//! What interfaces lost before any capture saw it.

use std::io;

use super::links;
use super::netlink;
use crate::capture::sys::ethtool::Ethtool;

pub use crate::capture::sys::ethtool::Offloads;

/// The kernel's counters of an interface (`struct rtnl_link_stats64`, uapi/linux/if_link.h), since it
/// was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received_packets: u64,
    pub sent_packets: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// Received, then dropped for want of memory or of anybody who wants them.
    pub received_dropped: u64,
    /// Dropped by the hardware, because the host fetched too slowly.
    pub received_missed: u64,
}

impl Counters {
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let number = |at: usize| netlink::double_at(value, at * 8);
        Some(Self {
            received_packets: number(0)?,
            sent_packets: number(1)?,
            received_bytes: number(2)?,
            sent_bytes: number(3)?,
            received_dropped: number(6)?,
            received_missed: number(15)?,
        })
    }
}

/// Counters of the ENA driver: packets that the instance's allowance did not cover
/// [AWS, "Monitor network performance for ENA settings on your EC2 instance"].
const ALLOWANCES: &[&str] = &[
    "bw_in_allowance_exceeded",
    "bw_out_allowance_exceeded",
    "conntrack_allowance_exceeded",
    "linklocal_allowance_exceeded",
    "pps_allowance_exceeded",
];

/// Packets that were lost on an interface, since it was made: (reason, count).
pub type Losses = Vec<(&'static str, u64)>;

/// What each interface lost, by name.
///
/// # Errors
/// Where the kernel does not answer.
pub fn losses() -> io::Result<Vec<(std::sync::Arc<str>, Losses)>> {
    let ethtool = Ethtool::open()?;
    Ok(links::list()?
        .into_iter()
        .map(|(link, counters)| {
            let mut losses = Losses::new();
            if let Some(counters) = counters {
                losses.push(("rx_dropped", counters.received_dropped));
                losses.push(("rx_missed", counters.received_missed));
            }
            // Only hardware has a driver with counters of its own.
            if link.kind.is_none() && !link.is_loopback {
                losses.extend(allowances(&ethtool.statistics(&link.name).unwrap_or_default()));
            }
            (link.name, losses)
        })
        .collect())
}

/// The allowance counters among those of a driver.
fn allowances(statistics: &[(String, u64)]) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    ALLOWANCES.iter().filter_map(|name| {
        statistics.iter().find(|(known, _)| known == name).map(|(_, count)| (*name, *count))
    })
}

/// Which offloads of an interface are on.
///
/// # Errors
/// Where there is no such interface.
pub fn offloads(interface: &str) -> io::Result<Offloads> {
    Ethtool::open()?.offloads(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_allowances_of_a_driver() {
        let statistics: Vec<(String, u64)> = [
            ("tx_timeout", 0),
            ("pps_allowance_exceeded", 7),
            ("queue_0_rx_cnt", 9),
            ("bw_in_allowance_exceeded", 3),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into();
        let found: Losses = allowances(&statistics).collect();
        assert_eq!(found, [("bw_in_allowance_exceeded", 3), ("pps_allowance_exceeded", 7)]);
    }

    #[test]
    fn reads_the_counters_of_the_kernel() {
        let value: Vec<u8> = (0..25_u64).flat_map(u64::to_ne_bytes).collect();
        let counters = Counters::read(&value).unwrap();
        assert_eq!(
            (counters.received_packets, counters.received_dropped, counters.received_missed),
            (0, 6, 15)
        );
        // Kernels have added numbers at the end; an older one has fewer.
        assert!(Counters::read(&value[..23 * 8]).is_some());
        assert_eq!(Counters::read(&value[..15 * 8]), None);
    }
}
