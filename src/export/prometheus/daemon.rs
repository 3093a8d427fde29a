//! What only a running daemon has to tell.

use std::collections::{BTreeMap, BTreeSet};

use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, Gauge, IntCounter, IntCounterVec, IntGauge, Registry};

use super::{Budget, Family, counters, gauge, register, seconds};
use crate::model::Timestamp;
use crate::telemetry::metrics;

/// What a daemon knows of itself at one moment.
#[derive(Clone, Debug, Default)]
pub struct DaemonFacts {
    /// Messages left out of the log, by event; every event there is, from 0.
    pub log_events_folded: Vec<(&'static str, u64)>,
    /// Times a capture had to be opened again, by interface; every interface, from 0.
    pub restarts: BTreeMap<String, u64>,
    /// Interfaces on which packets are expected. Where these are not known, as of a replay, the newest packet of every
    /// interface that was counted is told.
    pub expected: Option<BTreeSet<String>>,
    /// Whether the last configuration that was offered is in use.
    pub is_reloaded: bool,
    /// When the configuration in use was taken.
    pub reloaded: Timestamp,
}

/// The metrics of a daemon.
pub(super) struct Daemon {
    folded: IntCounterVec,
    restarts: Family<IntCounter>,
    reload_successful: IntGauge,
    reload_timestamp: Gauge,
}

impl Daemon {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        register(registry, ProcessCollector::for_self())?;
        Ok(Self {
            folded: counters(registry, &metrics::LOG_EVENTS_FOLDED)?,
            restarts: Family::counter(registry, &metrics::CAPTURE_RESTARTS)?,
            reload_successful: gauge(registry, &metrics::RELOAD_SUCCESSFUL)?,
            reload_timestamp: gauge(registry, &metrics::RELOAD_TIMESTAMP)?,
        })
    }

    pub(super) fn set(&mut self, facts: &DaemonFacts, budget: &mut Budget) {
        for (event, count) in &facts.log_events_folded {
            let counter = self.folded.with_label_values(&[*event]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        for (interface, count) in &facts.restarts {
            self.restarts.set(&[interface], *count, budget);
        }
        self.restarts.publish(budget);
        self.reload_successful.set(facts.is_reloaded.into());
        self.reload_timestamp.set(seconds(facts.reloaded));
    }
}
