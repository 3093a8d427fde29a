//! Series of one metric, made as they are needed and let go of when what they tell of is gone.

use std::collections::HashMap;

use ::prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Registry,
};
use foldhash::fast::RandomState;

use super::{counters, labels, opts, register};
use crate::telemetry::metrics::{self, DURATION_BUCKETS_SECONDS, Fold, Metric, OTHER};

/// All series are shared out in so many parts.
const PARTS: usize = 256;

/// Parts that handshakes may fill, together with whatever is there: suites, groups and paths make more combinations than
/// the labels of all other metrics, which must find room afterwards.
const PARTS_OF_HANDSHAKES: usize = 149;

/// Parts that what tells of flows may fill. Whoever makes records, with names and suites of their own choice, must not
/// take the place of violations, nor of losses and of interfaces that appear later.
const PARTS_OF_FLOWS: usize = 160;

/// Parts that violations and verdicts may fill, together with those; what is left only tells of the capture itself.
const PARTS_OF_JUDGEMENTS: usize = 192;

/// From all labels to the fewest: each step gives up what [`Fold`] says and may fill one part more than the one before,
/// which is little: nothing folds while there is room.
const STEPS: [Option<Fold>; 4] = [None, Some(Fold::First), Some(Fold::Second), Some(Fold::Third)];

/// Series of an interface: packets and bytes seen, skipped and parsed, and the time of the newest packet.
const OF_INTERFACE: usize = 7;

/// What a metric tells of: which part of all series it may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Capture,
    Handshakes,
    Flows,
    Judgements,
}

impl Share {
    fn of(metric: &Metric) -> Self {
        let is_of = |list: &[Metric]| list.iter().any(|other| other.name == metric.name);
        match () {
            () if is_of(OF_CAPTURE) => Self::Capture,
            () if is_of(OF_JUDGEMENTS) => Self::Judgements,
            () if is_of(&[metrics::HANDSHAKES]) => Self::Handshakes,
            () => Self::Flows,
        }
    }
}

/// Series that stand for what found no room, over all metrics, at most.
const STAND_INS: usize = 200;

/// Of so many series in all, how many may be of their own.
pub(super) const fn room(max_series: usize) -> usize {
    max_series - if max_series / 2 < STAND_INS { max_series / 2 } else { STAND_INS }
}

/// How many series there are and may be, and who did not get one.
pub(super) struct Budget {
    /// Series that may be there beside those that stand for what found no room.
    pub most: usize,
    pub used: usize,
    pub folded: IntCounterVec,
}

impl Budget {
    fn has_room(&self, series: usize, share: Share, step: usize) -> bool {
        let most = match share {
            Share::Capture => return self.used + series <= self.most,
            Share::Judgements => PARTS_OF_JUDGEMENTS,
            Share::Flows => PARTS_OF_FLOWS,
            Share::Handshakes => PARTS_OF_HANDSHAKES,
        };
        self.used + series <= self.most * (most + 1 + step - STEPS.len()) / PARTS
    }
}

const OF_CAPTURE: &[Metric] = &[
    metrics::PACKETS,
    metrics::BYTES,
    metrics::DROPPED,
    metrics::DECODE_ERRORS,
    metrics::FLOW_EVICTIONS,
    metrics::LAST_PACKET,
    metrics::CAPTURE_RESTARTS,
];

const OF_JUDGEMENTS: &[Metric] = &[metrics::VIOLATIONS, metrics::VERDICTS_BY_PROFILE];

type MakeChild<M> = Box<dyn Fn(&[&str]) -> Option<M> + Send + Sync>;
type RemoveChild = Box<dyn Fn(&[&str]) + Send + Sync>;

/// A series, and whether the budget counts it: one beyond the cap, which stands for others, is not.
struct Child<M> {
    series: M,
    is_counted: bool,
}

/// One metric and its series.
pub(super) struct Family<M> {
    metric: &'static Metric,
    make: MakeChild<M>,
    remove: RemoveChild,
    children: HashMap<String, Child<M>, RandomState>,
    /// Lines of text one series takes.
    weight: usize,
    share: Share,
    /// Totals that wait to be published, by series (counters that mirror counts kept elsewhere).
    totals: HashMap<String, u64, RandomState>,
    /// The label values joined, for looking up without allocating.
    key: String,
}

impl<M> Family<M> {
    fn new(metric: &'static Metric, weight: usize, make: MakeChild<M>, remove: RemoveChild) -> Self {
        let (children, totals) = (HashMap::default(), HashMap::default());
        let share = Share::of(metric);
        Self { metric, make, remove, children, weight, share, totals, key: String::new() }
    }

    /// The name of an interface where all series of it are there or find room; else `other`, for all of them: seen
    /// under one name and skipped under another would not add up.
    pub fn name_of<'a>(&mut self, interface: &'a str, budget: &Budget) -> &'a str {
        join(&[interface, "seen"], &mut self.key);
        if self.children.contains_key(&self.key) || budget.has_room(OF_INTERFACE, Share::Capture, 0) {
            interface
        } else {
            OTHER
        }
    }

    /// Lets go of series that are not wanted any more; others find their room.
    pub fn keep(&mut self, is_wanted: impl Fn(&str) -> bool, budget: &mut Budget) {
        let Self { children, remove, metric, weight, .. } = self;
        children.retain(|key, child| {
            let is_kept = is_wanted(key);
            if !is_kept {
                let labels: Vec<&str> = key.split('\0').take(metric.labels.len()).collect();
                remove(&labels);
                if child.is_counted {
                    budget.used = budget.used.saturating_sub(*weight);
                }
            }
            is_kept
        });
    }

    /// The series of these labels for an observation, or the one that stands for all that found no room: then it is
    /// counted as folded.
    pub fn child(&mut self, labels: &[&str], budget: &mut Budget) -> Option<&M> {
        let has_room = self.resolve(labels, budget);
        if !has_room || labels.contains(&OTHER) {
            budget.folded.with_label_values(&[self.metric.name]).inc();
        }
        Some(&self.children.get(&self.key)?.series)
    }

    /// Makes the series of these labels, which nothing was observed of yet.
    pub fn begin(&mut self, labels: &[&str], budget: &mut Budget) {
        self.resolve(labels, budget);
    }

    /// The same, and its key, for what mirrors a count kept elsewhere, at any time and as often as somebody asks:
    /// nothing is observed.
    pub fn mirror(&mut self, labels: &[&str], budget: &mut Budget) -> Option<(&str, &M)> {
        self.resolve(labels, budget);
        Some((&self.key, &self.children.get(&self.key)?.series))
    }

    /// Leaves in `key` the series to use, which exists afterwards; false where it stands for others.
    fn resolve(&mut self, labels: &[&str], budget: &mut Budget) -> bool {
        join(labels, &mut self.key);
        if self.children.contains_key(&self.key) {
            return true;
        }
        let mut folded = labels.to_vec();
        for (step, fold) in STEPS.into_iter().enumerate() {
            if self.fold(&mut folded, fold) && self.children.contains_key(&self.key) {
                return false;
            }
            if budget.has_room(self.weight, self.share, step) {
                self.make(&folded, true, budget);
                return folded == labels;
            }
        }
        // Its values are so few that it is always made.
        self.fold(&mut folded, Some(Fold::Last));
        if !self.children.contains_key(&self.key) {
            self.make(&folded, false, budget);
        }
        folded == labels
    }

    /// Folds labels that do so up to here, and leaves in `key` what they are then; true where that is something new.
    fn fold(&mut self, labels: &mut [&str], upto: Option<Fold>) -> bool {
        let mut is_new = false;
        for (label, value) in self.metric.labels.iter().zip(labels.iter_mut()) {
            if Some(label.fold) <= upto && *value != OTHER {
                *value = OTHER;
                is_new = true;
            }
        }
        if is_new {
            join(labels, &mut self.key);
        }
        is_new
    }

    fn make(&mut self, labels: &[&str], is_counted: bool, budget: &mut Budget) {
        if let Some(series) = (self.make)(labels) {
            if is_counted {
                budget.used += self.weight;
            }
            self.children.insert(self.key.clone(), Child { series, is_counted });
        }
    }
}

fn join(labels: &[&str], key: &mut String) {
    key.clear();
    for label in labels {
        key.push_str(label);
        key.push('\0');
    }
}

impl Family<IntCounter> {
    pub fn counter(registry: &Registry, metric: &'static Metric) -> Result<Self, Error> {
        let vec = counters(registry, metric)?;
        let other = vec.clone();
        Ok(Self::new(
            metric,
            1,
            Box::new(move |labels| vec.get_metric_with_label_values(labels).ok()),
            Box::new(move |labels| drop(other.remove_label_values(labels))),
        ))
    }

    pub fn count(&mut self, labels: &[&str], budget: &mut Budget) {
        if let Some(counter) = self.child(labels, budget) {
            counter.inc();
        }
    }

    /// Adds to the total of a series; several may share one that was folded.
    pub fn set(&mut self, labels: &[&str], count: u64, budget: &mut Budget) {
        self.resolve(labels, budget);
        if let Some(total) = self.totals.get_mut(&self.key) {
            *total += count;
        } else {
            self.totals.insert(self.key.clone(), count);
        }
    }

    /// Keeps a series that is there, though nothing may be set for it.
    pub fn hold(&mut self, labels: &[&str]) {
        join(labels, &mut self.key);
        if self.children.contains_key(&self.key) && !self.totals.contains_key(&self.key) {
            self.totals.insert(self.key.clone(), 0);
        }
    }

    /// Lets the series say what was set. What was not set is not there any more: an interface that is gone.
    pub fn publish(&mut self, budget: &mut Budget) {
        let totals = std::mem::take(&mut self.totals);
        self.keep(|key| totals.contains_key(key), budget);
        for (key, total) in &totals {
            if let Some(Child { series, .. }) = self.children.get(key) {
                series.reset();
                series.inc_by(*total);
            }
        }
        self.totals = totals;
        self.totals.clear();
    }
}

impl Family<Gauge> {
    pub fn gauge(registry: &Registry, metric: &'static Metric) -> Result<Self, Error> {
        let vec = GaugeVec::new(opts(metric), &labels(metric))?;
        register(registry, vec.clone())?;
        let other = vec.clone();
        Ok(Self::new(
            metric,
            1,
            Box::new(move |labels| vec.get_metric_with_label_values(labels).ok()),
            Box::new(move |labels| drop(other.remove_label_values(labels))),
        ))
    }
}

impl Family<Histogram> {
    pub fn histogram(registry: &Registry, metric: &'static Metric) -> Result<Self, Error> {
        let options = HistogramOpts::from(opts(metric)).buckets(DURATION_BUCKETS_SECONDS.to_vec());
        let vec = HistogramVec::new(options, &labels(metric))?;
        register(registry, vec.clone())?;
        // Each bucket, the one without a bound, the sum and the count.
        let weight = DURATION_BUCKETS_SECONDS.len() + 3;
        let other = vec.clone();
        Ok(Self::new(
            metric,
            weight,
            Box::new(move |labels| vec.get_metric_with_label_values(labels).ok()),
            Box::new(move |labels| drop(other.remove_label_values(labels))),
        ))
    }
}
