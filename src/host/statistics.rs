//! What interfaces lost before any capture saw it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use super::links;
use super::netlink;
use crate::capture::live::OTHERS;
use crate::capture::sys::ethtool::Ethtool;

pub use crate::capture::sys::ethtool::Offloads;

/// The kernel's counters of an interface (`struct rtnl_link_stats64`, uapi/linux/if_link.h), since it
/// was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received_packets: u64,
    pub sent_packets: u64,
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

/// What one interface lost. Its number stays when it is renamed.
#[derive(Clone, Debug)]
pub struct Lost {
    pub number: u32,
    pub name: Arc<str>,
    /// Packets that came in, and that went out.
    pub packets: [u64; 2],
    pub losses: Losses,
}

/// Interfaces whose losses are told apart before those that are gone are added up.
const TOLD_APART: usize = 512;

/// What watched interfaces lost since this was made: the counters of the kernel and of drivers began long before.
#[derive(Debug, Default)]
pub struct SinceStart {
    /// Counters of every interface when they were last read.
    before: HashMap<u32, Losses>,
    lost: BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>,
}

impl SinceStart {
    /// Counts from these counters on.
    #[must_use]
    pub fn new(now: Vec<Lost>) -> Self {
        Self { before: by_number(now), lost: BTreeMap::new() }
    }

    /// Takes the counters of all interfaces as they are now, and adds what those in `watched` lost.
    pub fn observe(&mut self, now: Vec<Lost>, watched: &[&str]) {
        for Lost { number, name, losses, .. } in now.iter().filter(|lost| watched.contains(&&*lost.name)) {
            if self.lost.len() >= TOLD_APART && !self.lost.contains_key(name) {
                self.add_up(watched);
            }
            let lost = self.lost.entry(Arc::clone(name)).or_default();
            for (reason, count) in losses {
                let before = self.before.get(number).and_then(|before| {
                    before.iter().find(|(known, _)| known == reason).map(|(_, count)| *count)
                });
                // Without a number from before, and where the number is smaller, the interface was made since.
                let new = count.checked_sub(before.unwrap_or(0)).unwrap_or(*count);
                *lost.entry(reason).or_default() += new;
            }
        }
        self.before = by_number(now);
    }

    /// Interface, reason and packets.
    #[must_use]
    pub fn losses(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        let of_one =
            |(name, lost): (&Arc<str>, &BTreeMap<&'static str, u64>)| -> Vec<(Arc<str>, &'static str, u64)> {
                lost.iter().map(|(reason, count)| (Arc::clone(name), *reason, *count)).collect()
            };
        self.lost.iter().flat_map(of_one).collect()
    }

    /// Adds up what is not watched any more.
    fn add_up(&mut self, watched: &[&str]) {
        let mut others: BTreeMap<&'static str, u64> = self.lost.remove(OTHERS).unwrap_or_default();
        self.lost.retain(|name, lost| {
            let is_kept = watched.contains(&&**name);
            if !is_kept {
                lost.iter().for_each(|(reason, count)| *others.entry(reason).or_default() += count);
            }
            is_kept
        });
        self.lost.insert(Arc::from(OTHERS), others);
    }
}

fn by_number(all: Vec<Lost>) -> HashMap<u32, Losses> {
    all.into_iter().map(|lost| (lost.number, lost.losses)).collect()
}

/// What each interface lost.
///
/// # Errors
/// Where the kernel does not answer.
pub fn losses() -> io::Result<Vec<Lost>> {
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
            let packets = counters.map_or([0; 2], |all| [all.received_packets, all.sent_packets]);
            Lost { number: link.index, name: link.name, packets, losses }
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

    /// Interfaces numbered in their order.
    fn counters(all: &[(&str, u64)]) -> Vec<Lost> {
        let lost = |(name, count): &(&str, u64), number| Lost {
            number,
            name: Arc::from(*name),
            packets: [0; 2],
            losses: vec![("rx_dropped", *count)],
        };
        all.iter().zip(1..).map(|(one, number)| lost(one, number)).collect()
    }

    fn lost(since: &SinceStart, name: &str) -> Option<u64> {
        since.losses().into_iter().find(|(known, ..)| &**known == name).map(|(.., count)| count)
    }

    #[test]
    fn counts_from_the_start_on_and_only_what_is_watched() {
        let mut since = SinceStart::new(counters(&[("eth0", 1_000), ("eth1", 50)]));
        since.observe(counters(&[("eth0", 1_000), ("eth1", 60)]), &["eth0"]);
        assert_eq!((lost(&since, "eth0"), lost(&since, "eth1")), (Some(0), None));
        since.observe(counters(&[("eth0", 1_007), ("eth1", 70)]), &["eth0", "eth1"]);
        assert_eq!((lost(&since, "eth0"), lost(&since, "eth1")), (Some(7), Some(10)));
        // Made anew, under the same name: it begins at 0.
        since.observe(counters(&[("eth0", 3), ("eth1", 70)]), &["eth0", "eth1"]);
        assert_eq!(lost(&since, "eth0"), Some(10));
        // Renamed: what it lost before it did not lose anew.
        since.observe(counters(&[("eth0", 3), ("lan0", 72)]), &["lan0"]);
        assert_eq!((lost(&since, "lan0"), lost(&since, "eth1")), (Some(2), Some(10)));
        // New since the last look.
        since.observe(counters(&[("eth0", 3), ("lan0", 72), ("vti0", 4)]), &["vti0"]);
        assert_eq!((lost(&since, "vti0"), lost(&since, "eth0")), (Some(4), Some(10)));
    }

    #[test]
    fn thousands_of_names_take_no_more_room_and_nothing_is_lost() {
        let mut since = SinceStart::default();
        for number in 0..2_000 {
            let name = format!("veth{number}");
            let made = Lost { number, ..counters(&[(&name, 2)]).remove(0) };
            since.observe(vec![made], &[&name]);
        }
        assert!(since.lost.len() <= TOLD_APART + 1);
        assert_eq!(since.losses().iter().map(|(.., count)| count).sum::<u64>(), 4_000);
        assert!(lost(&since, OTHERS).is_some() && lost(&since, "veth1999").is_some());
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
