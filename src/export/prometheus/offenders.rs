//! The clients that broke most rules, by name: a metric that has to be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use prometheus::{Error, IntCounterVec, Registry};

use super::{MetricsOptions, counters};
use crate::telemetry::Tally;
use crate::telemetry::metrics::{self, OTHER};

/// The most offenders that can be asked for; each is a series per rule it breaks.
pub const MAX_OFFENDERS: usize = 1_000;

/// Pairs of client and rule that are followed to find the worst: 1 MB.
const FOLLOWED_OFFENDERS: usize = 16_384;

/// More than there are rules, so that whoever is asked for finds room, also with all clients that are not named.
pub(super) const RULES: usize = 32;

/// The series that offenders may take of all: what they need at most, and no more than a quarter.
pub(super) fn room(options: &MetricsOptions) -> usize {
    match options.offenders {
        0 => 0,
        shown => ((shown.min(MAX_OFFENDERS) + 1) * RULES).min(options.max_series / 4),
    }
}

/// The clients that broke most rules, at `warning` or `critical`: `info` changes no verdict, and nearly every flow has
/// something of it.
pub(super) struct Offenders {
    shown: usize,
    room: usize,
    tally: Tally<(IpAddr, &'static str)>,
    by_rule: BTreeMap<&'static str, u64>,
    vec: IntCounterVec,
}

impl Offenders {
    /// `None` where none are to be shown.
    pub fn new(registry: &Registry, options: &MetricsOptions) -> Result<Option<Self>, Error> {
        if options.offenders == 0 {
            return Ok(None);
        }
        let mut new = Self {
            shown: 0,
            room: 0,
            tally: Tally::new(FOLLOWED_OFFENDERS),
            by_rule: BTreeMap::new(),
            vec: counters(registry, &metrics::OFFENDER_FLOWS)?,
        };
        new.reconfigure(options);
        Ok(Some(new))
    }

    /// Takes how many are shown from now on.
    pub fn reconfigure(&mut self, options: &MetricsOptions) {
        self.shown = options.offenders.min(MAX_OFFENDERS);
        self.room = room(options);
    }

    /// Lets go of the metric.
    pub fn unregister(&self, registry: &Registry) {
        // It is not there only where it could not be registered, and then there are no offenders.
        let _ = registry.unregister(Box::new(self.vec.clone()));
    }

    /// Counts a flow of `client` that broke `rule`.
    pub fn count(&mut self, client: IpAddr, rule: &'static str) {
        self.tally.count((client, rule));
        *self.by_rule.entry(rule).or_default() += 1;
    }

    /// Lets the series say what was counted.
    pub fn publish(&self) -> Result<(), Error> {
        // Flows, and the series they take.
        let mut by_client: BTreeMap<IpAddr, (u64, usize)> = BTreeMap::new();
        for ((client, _), count) in self.tally.iter() {
            let (flows, series) = by_client.entry(*client).or_default();
            *flows += count;
            *series += 1;
        }
        let mut worst: Vec<(IpAddr, (u64, usize))> = by_client.into_iter().collect();
        worst.sort_by(|(one, (flows, _)), (other, (others, _))| {
            others.cmp(flows).then_with(|| one.cmp(other))
        });
        worst.truncate(self.shown);
        let mut room = self.room.saturating_sub(self.by_rule.len());
        let fitting = worst.into_iter().map_while(|(client, (_, series))| {
            room = room.checked_sub(series)?;
            Some(client)
        });
        let worst: BTreeSet<IpAddr> = fitting.collect();
        let mut rest = self.by_rule.clone();
        self.vec.reset();
        for ((client, rule), count) in self.tally.iter().filter(|((client, _), _)| worst.contains(client)) {
            self.vec.get_metric_with_label_values(&[client.to_string().as_str(), rule])?.inc_by(count);
            if let Some(rest) = rest.get_mut(rule) {
                *rest = rest.saturating_sub(count);
            }
        }
        for (rule, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
            self.vec.get_metric_with_label_values(&[OTHER, rule])?.inc_by(count);
        }
        Ok(())
    }
}
