//! Interfaces by which packets come that the capture does not meet.
//!
//! Another program in front of ours may end the chain, or take packets away before it. Nothing tells of that; but the
//! interface counts its packets, too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::Met;
use crate::host::statistics::Lost;

/// Between two looks: so long that what was counted a little later does not matter.
const LOOK_EVERY: Duration = Duration::from_secs(8);

/// So many looks in a row have to show so many packets of the interface each, and none of ours, before anything is
/// said.
const LOOKS: u32 = 3;
const PACKETS: u64 = 100;

/// What the directions are called.
const DIRECTIONS: [&str; 2] = ["come in", "go out"];

/// Compares what interfaces count with what the capture met.
#[derive(Debug, Default)]
pub(super) struct Blindness {
    looked: Option<Instant>,
    /// By the kernel's numbers of the interfaces.
    last: HashMap<u32, Last>,
    blind: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    counted: [u64; 2],
    met: Met,
    /// Looks in a row without a packet of ours.
    silent: [u32; 2],
}

impl Blindness {
    /// Takes the counters of all interfaces, and what was met on those in `watched`. Gives the interfaces where packets
    /// pass by, and what is known of it.
    pub(super) fn observe(
        &mut self,
        now: Instant,
        counted: &[Lost],
        watched: &[&str],
        met: &BTreeMap<Arc<str>, Met>,
    ) -> BTreeMap<String, String> {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_EVERY) {
            return self.blind.clone();
        }
        self.looked = Some(now);
        let before = std::mem::take(&mut self.last);
        self.blind.clear();
        for link in counted.iter().filter(|link| watched.contains(&&*link.name)) {
            let met = met.get(&link.name).copied().unwrap_or_default();
            let mut last = Last { counted: link.packets, met, silent: [0; 2] };
            if let Some(before) = before.get(&link.number) {
                for (side, silent) in last.silent.iter_mut().enumerate() {
                    *silent = before.silent_after(&Last { counted: link.packets, met, silent: [0; 2] }, side);
                }
            }
            if let Some((_, what)) = last.silent.iter().zip(DIRECTIONS).find(|(silent, _)| **silent >= LOOKS)
            {
                let why = format!(
                    "the interface counts packets that {what}, and the capture meets none of them: another program may take \
                     them before (`bpftool net` shows which)"
                );
                self.blind.insert(link.name.to_string(), why);
            }
            self.last.insert(link.number, last);
        }
        self.blind.clone()
    }
}

impl Last {
    /// How many looks in a row showed no packet of ours, with the one that shows `now`.
    fn silent_after(&self, now: &Self, side: usize) -> u32 {
        let (counted, before) = (now.counted.get(side), self.counted.get(side));
        let came = counted.copied().unwrap_or_default().saturating_sub(before.copied().unwrap_or_default());
        let silent = self.silent.get(side).copied().unwrap_or_default();
        match (self.met.get(side).copied().flatten(), now.met.get(side).copied().flatten()) {
            (Some(before), Some(now)) if before == now && came >= PACKETS => silent.saturating_add(1),
            // Too few to say anything: what was known before stands.
            (Some(before), Some(now)) if before == now => silent,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said after each look at (packets of the interface, packets of ours), coming in and going out.
    fn looks(all: &[([u64; 2], Met)]) -> Vec<bool> {
        let (mut blindness, start) = (Blindness::default(), Instant::now());
        let mut look = |(number, (packets, met)): (u32, &([u64; 2], Met))| {
            let counted =
                [Lost { number: 7, name: Arc::from("eth0"), packets: *packets, losses: Vec::new() }];
            let met = BTreeMap::from([(Arc::from("eth0"), *met)]);
            let now = start + LOOK_EVERY * number;
            !blindness.observe(now, &counted, &["eth0"], &met).is_empty()
        };
        (0..).zip(all).map(&mut look).collect()
    }

    #[test]
    fn says_so_after_several_looks_at_a_busy_interface() {
        let met = [Some(50), Some(0)];
        let looked = looks(&[([100, 0], met), ([200, 0], met), ([300, 0], met), ([400, 0], met)]);
        assert_eq!(looked, [false, false, false, true]);
        // The other direction, and until one is met.
        let busy = |sent| ([0, sent], [Some(9), Some(3)]);
        let seen = ([0, 500], [Some(9), Some(4)]);
        assert_eq!(
            looks(&[busy(0), busy(100), busy(200), busy(300), seen]),
            [false, false, false, true, false]
        );
    }

    #[test]
    fn keeps_quiet_where_little_comes_or_nobody_tells() {
        let few = |packets| ([packets, 0], [Some(0), Some(0)]);
        assert!(!looks(&[few(0), few(99), few(198), few(297), few(396), few(495)]).contains(&true));
        let untold = |packets| ([packets, packets], [None, None]);
        assert!(
            !looks(&[untold(0), untold(1_000), untold(2_000), untold(3_000), untold(4_000)]).contains(&true)
        );
        let some = |packets| ([packets, 0], [Some(packets / 1_000), None]);
        assert!(!looks(&[some(0), some(1_000), some(2_000), some(3_000), some(4_000)]).contains(&true));
    }
}
