//! Counting by key in bounded memory, and counting distinct keys likewise.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};

/// Counts by key, at most so many keys at once.
///
/// When the limit is reached, the half of the keys with the smallest counts is folded into one
/// number: frequent keys stay and their counts are then lower bounds. The result depends only on what
/// was counted and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K> {
    counts: BTreeMap<K, u64>,
    limit: usize,
    folded: u64,
}

impl<K: Ord + Clone> Tally<K> {
    /// A tally of at most `limit` keys (at least two).
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { counts: BTreeMap::new(), limit: limit.max(2), folded: 0 }
    }

    /// Counts `key` once.
    pub fn count(&mut self, key: K) {
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
            return;
        }
        if self.counts.len() >= self.limit {
            self.fold();
        }
        self.counts.insert(key, 1);
    }

    fn fold(&mut self) {
        let top = self.top(self.limit / 2);
        let kept: u64 = top.iter().map(|(_, count)| count).sum();
        let all: u64 = self.counts.values().sum();
        let counts = top.into_iter().map(|(key, count)| (key.clone(), count)).collect();
        self.counts = counts;
        self.folded += all - kept;
    }

    /// The keys with the highest counts, highest first; equal ones in their own order.
    #[must_use]
    pub fn top(&self, number: usize) -> Vec<(&K, u64)> {
        let mut all: Vec<(&K, u64)> = self.iter().collect();
        all.sort_by(|(one, first), (other, second)| second.cmp(first).then_with(|| one.cmp(other)));
        all.truncate(number);
        all
    }

    /// Every key that is kept, in its own order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True where nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How much was counted for keys that are no longer kept; zero: every count is exact.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Everything counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.folded
    }
}

/// Addresses counted exactly before the sketch takes over: 40 kB at most per rule.
const EXACT_ADDRESSES: usize = 1_024;

/// Registers of the sketch, as a power of two: 4,096 bytes, and a standard error of 1.6 %.
const REGISTER_BITS: u32 = 12;

/// How many different addresses there were: exact for few, a HyperLogLog sketch
/// [Flajolet et al. 2007] beyond, the same for the same addresses in any order.
#[derive(Clone, Debug)]
pub enum Distinct {
    /// Every address.
    Exact(HashSet<IpAddr, RandomState>),
    /// For each register the highest rank.
    Sketch(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(HashSet::default())
    }
}

impl Distinct {
    /// Takes one address.
    pub fn insert(&mut self, address: IpAddr) {
        match self {
            Self::Exact(addresses) => {
                addresses.insert(address);
                if addresses.len() > EXACT_ADDRESSES {
                    let mut registers = vec![0; 1 << REGISTER_BITS].into_boxed_slice();
                    addresses.iter().for_each(|address| mark(&mut registers, *address));
                    *self = Self::Sketch(registers);
                }
            }
            Self::Sketch(registers) => mark(registers, address),
        }
    }

    /// How many different ones there were.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        match self {
            Self::Exact(addresses) => addresses.len() as u64,
            Self::Sketch(registers) => estimate(registers),
        }
    }
}

fn mark(registers: &mut [u8], address: IpAddr) {
    // A cryptographic hash with no seed: the same in every run, and only violations pay for it.
    let hash = match address {
        IpAddr::V4(address) => Sha256::digest(address.octets()),
        IpAddr::V6(address) => Sha256::digest(address.octets()),
    };
    let bits = hash.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let register = usize::try_from(bits >> (64 - REGISTER_BITS)).unwrap_or_default();
    let rank = ((bits << REGISTER_BITS).leading_zeros() + 1).min(64 - REGISTER_BITS + 1);
    if let Some(highest) = registers.get_mut(register) {
        *highest = (*highest).max(u8::try_from(rank).unwrap_or(u8::MAX));
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, positive and far below 2^53"
)]
fn estimate(registers: &[u8]) -> u64 {
    let number = registers.len() as f64;
    let sum: f64 = registers.iter().map(|rank| 2_f64.powi(-i32::from(*rank))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / number) * number * number / sum;
    let empty = registers.iter().filter(|rank| **rank == 0).count() as f64;
    let estimate = if raw <= 2.5 * number && empty > 0.0 { number * (number / empty).ln() } else { raw };
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn keeps_the_frequent_and_loses_no_count() {
        let mut tally = Tally::new(10);
        for round in 0..100_u32 {
            tally.count(7);
            tally.count(1_000 + round);
        }
        assert!(tally.len() <= 10);
        assert_eq!(tally.total(), 200);
        assert_eq!(tally.top(1), [(&7, 100)]);
        assert!(tally.folded() > 0);
    }

    #[test]
    fn sorts_equal_counts_by_key() {
        let mut tally = Tally::new(10);
        for key in ["b", "a", "c", "c"] {
            tally.count(key);
        }
        assert_eq!(tally.top(9), [(&"c", 2), (&"a", 1), (&"b", 1)]);
        assert_eq!(tally.folded(), 0);
    }

    fn distinct(number: u32) -> Distinct {
        let mut distinct = Distinct::default();
        for round in [0, 0] {
            for index in 0..number {
                distinct.insert(Ipv4Addr::from(0x0a00_0000 + index + round).into());
            }
        }
        distinct
    }

    #[test]
    fn counts_few_addresses_exactly() {
        assert_eq!(distinct(0).estimate(), 0);
        assert_eq!(distinct(1_024).estimate(), 1_024);
    }

    #[test]
    fn estimates_many_addresses_in_little_memory() {
        for number in [1_025, 5_000, 20_000, 100_000] {
            let distinct = distinct(number);
            assert!(matches!(&distinct, Distinct::Sketch(registers) if registers.len() == 4_096));
            let error = distinct.estimate().abs_diff(number.into()) as f64 / f64::from(number);
            assert!(error < 0.05, "{number}: {}", distinct.estimate());
        }
    }
}
