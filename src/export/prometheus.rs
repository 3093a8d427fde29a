//! Metrics in the Prometheus text format: the same from a file as from the daemon.
//!
//! Names, help and labels are those of [`telemetry::metrics`](crate::telemetry::metrics). A label whose
//! value does not apply says `none` (no service, no version chosen, no key exchange); one whose value
//! is not known, or has no name in its registry, says `unknown`. Regions come from host names, which
//! strangers choose: those of the address list and of the configuration always count, and of other well-formed ones
//! of recognised names at most [`MAX_OTHER_REGIONS`]. Where series find no room their labels say `other`, step by step
//! in the order of [`Fold`](metrics::Fold); what alerts are about never does. Both are counted in
//! `ddbwatch_series_folded_total`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use ::prometheus::core::{Atomic, Collector, GenericGauge};
use ::prometheus::{
    Error, Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use self::daemon::Daemon;
pub use self::daemon::DaemonFacts;
use self::family::{Budget, Family};
pub use self::offenders::MAX_OFFENDERS;
use self::offenders::Offenders;
use super::Sink;
use crate::model::registry::TlsVersion;
use crate::model::{
    Access, Completeness, EndpointKind, Entry, Eviction, ForwardSecrecy, KeyExchangeFacts, Outcome, Record,
    Severity, Timestamp, TlsFacts, Verdict,
};
use crate::telemetry::metrics::{self, Metric, NONE, OTHER, UNKNOWN};
use crate::telemetry::{Accounts, Distinct, StageCounts};

/// Regions shown that neither the address list nor the configuration names: AWS opens a few in a year.
pub const MAX_OTHER_REGIONS: usize = 16;

/// Longest region name taken: the longest there is has 17 letters.
const MAX_REGION_BYTES: usize = 32;

/// What the metrics need to know beforehand.
#[derive(Clone, Debug)]
pub struct MetricsOptions {
    /// The profile in force: its verdicts start at 0.
    pub profile: Option<String>,
    /// Every rule with each severity that the policy may give it: they start at 0.
    pub rules: Vec<(&'static str, Severity)>,
    /// Layer and reason of everything that can be unreadable: they start at 0.
    pub decode_errors: Vec<(&'static str, &'static str)>,
    /// The most series over all metrics whose labels strangers choose; a histogram counts one for each of its lines. Some are
    /// kept for those that stand for what found no room, a few of each metric; of fewer than 400 they may come on top.
    pub max_series: usize,
    /// Regions that always have a label of their own.
    pub regions: BTreeSet<String>,
    /// How many of the worst clients are named, while a quarter of all series has room for them; 0: none, and no address is
    /// shown.
    pub offenders: usize,
    /// When the address list in use was published.
    pub prefix_list_published: Option<Timestamp>,
    /// With the metrics that only a running daemon has.
    pub is_daemon: bool,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            profile: None,
            rules: Vec::new(),
            decode_errors: Vec::new(),
            max_series: 5_000,
            regions: BTreeSet::new(),
            offenders: 0,
            prefix_list_published: None,
            is_daemon: false,
        }
    }
}

/// Gathers metrics from records and accounts.
pub struct Metrics {
    registry: Registry,
    budget: Budget,
    regions: Regions,
    flows: Family<IntCounter>,
    handshakes: Family<IntCounter>,
    refused: Family<IntCounter>,
    violations: Family<IntCounter>,
    verdicts: Family<IntCounter>,
    violating_clients: IntGaugeVec,
    clients_by_rule: BTreeMap<&'static str, Clients>,
    offenders: Option<Offenders>,
    key_exchanges: Family<IntCounter>,
    durations: Family<Histogram>,
    coverage: Family<IntCounter>,
    packets: Family<IntCounter>,
    /// Those that share the series of others.
    folded_interfaces: BTreeSet<String>,
    bytes: Family<IntCounter>,
    dropped: Family<IntCounter>,
    decode_errors: Family<IntCounter>,
    known_errors: Vec<(&'static str, &'static str)>,
    flows_opened: IntCounter,
    flow_entries: IntGauge,
    flow_limit: IntGauge,
    evictions: Family<IntCounter>,
    last_packet: Family<Gauge>,
    /// As [`DaemonFacts::expected`].
    expected: Option<BTreeSet<String>>,
    prefix_list_age: Option<(Timestamp, IntGauge)>,
    daemon: Option<Daemon>,
}

impl Metrics {
    /// Metrics at their start: what is known beforehand is there with the value 0.
    ///
    /// # Errors
    /// Only for a name or label that the format does not allow: a mistake in the list, which a test would find.
    pub fn new(options: MetricsOptions) -> Result<Self, Error> {
        let registry = Registry::new();
        let folded = counters(&registry, &metrics::SERIES_FOLDED)?;
        for metric in metrics::ALL.iter().filter(|metric| is_capped(metric)) {
            folded.get_metric_with_label_values(&[metric.name])?;
        }
        gauges(&registry, &metrics::BUILD_INFO)?
            .get_metric_with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                option_env!("DDBWATCH_REVISION").unwrap_or(UNKNOWN),
            ])?
            .set(1);
        let violating_clients = gauges(&registry, &metrics::VIOLATING_CLIENTS)?;
        let mut new = Self {
            budget: Budget { most: room(&options), used: 0, folded },
            regions: Regions { known: options.regions.clone(), others: BTreeSet::new() },
            flows: Family::counter(&registry, &metrics::FLOWS)?,
            handshakes: Family::counter(&registry, &metrics::HANDSHAKES)?,
            refused: Family::counter(&registry, &metrics::HANDSHAKES_REFUSED)?,
            violations: Family::counter(&registry, &metrics::VIOLATIONS)?,
            verdicts: Family::counter(&registry, &metrics::VERDICTS_BY_PROFILE)?,
            violating_clients,
            clients_by_rule: options.rules.iter().map(|(rule, _)| (*rule, Clients::default())).collect(),
            offenders: Offenders::new(&registry, &options)?,
            key_exchanges: Family::counter(&registry, &metrics::KEY_EXCHANGE)?,
            durations: Family::histogram(&registry, &metrics::HANDSHAKE_DURATION)?,
            coverage: Family::counter(&registry, &metrics::COVERAGE)?,
            packets: Family::counter(&registry, &metrics::PACKETS)?,
            folded_interfaces: BTreeSet::new(),
            bytes: Family::counter(&registry, &metrics::BYTES)?,
            dropped: Family::counter(&registry, &metrics::DROPPED)?,
            decode_errors: Family::counter(&registry, &metrics::DECODE_ERRORS)?,
            known_errors: options.decode_errors.clone(),
            flows_opened: counter(&registry, &metrics::FLOWS_OPENED)?,
            flow_entries: gauge(&registry, &metrics::FLOW_TABLE_ENTRIES)?,
            flow_limit: gauge(&registry, &metrics::FLOW_TABLE_LIMIT)?,
            evictions: Family::counter(&registry, &metrics::FLOW_EVICTIONS)?,
            last_packet: Family::gauge(&registry, &metrics::LAST_PACKET)?,
            expected: None,
            prefix_list_age: match options.prefix_list_published {
                Some(published) => Some((published, gauge(&registry, &metrics::PREFIX_LIST_AGE)?)),
                None => None,
            },
            daemon: if options.is_daemon { Some(Daemon::new(&registry)?) } else { None },
            registry,
        };
        new.start(&options);
        Ok(new)
    }

    /// Makes the series that are known beforehand.
    fn start(&mut self, options: &MetricsOptions) {
        let budget = &mut self.budget;
        for completeness in Completeness::ALL {
            self.coverage.begin(&[completeness.as_str()], budget);
        }
        for reason in Eviction::ALL {
            self.evictions.begin(&[reason.as_str()], budget);
        }
        for (layer, reason) in &self.known_errors {
            self.decode_errors.begin(&[layer, reason], budget);
        }
        if let Some(profile) = &options.profile {
            for verdict in Verdict::ALL {
                self.verdicts.begin(&[verdict.as_str(), profile], budget);
            }
        }
        for (rule, severity) in &options.rules {
            let (access, entry) = (Access::Unknown.as_str(), Entry::Unknown.as_str());
            self.violations.begin(&[rule, severity.as_str(), NONE, access, entry], budget);
        }
    }

    /// Takes what changes with the configuration. Series that were there stay, also beyond a lower cap. Offenders
    /// are followed from when they are asked for.
    pub fn reconfigure(&mut self, options: &MetricsOptions) {
        self.budget.most = room(options);
        self.regions.known.clone_from(&options.regions);
        match &mut self.offenders {
            Some(offenders) if options.offenders == 0 => {
                // It was registered when it was made.
                offenders.unregister(&self.registry);
                self.offenders = None;
            }
            Some(offenders) => offenders.reconfigure(options),
            // A name that cannot be registered would have shown at the start.
            None => self.offenders = Offenders::new(&self.registry, options).ok().flatten(),
        }
        self.start(options);
        for (rule, _) in &options.rules {
            self.clients_by_rule.entry(rule).or_default();
        }
        if let (Some((published, _)), Some(now)) = (&mut self.prefix_list_age, options.prefix_list_published)
        {
            *published = now;
        }
    }

    /// Takes what a daemon knows of itself, where these are metrics of one. Before the counts: they are told of the
    /// interfaces named here.
    pub fn set_daemon(&mut self, facts: &DaemonFacts) {
        self.expected.clone_from(&facts.expected);
        if let Some(daemon) = &mut self.daemon {
            daemon.set(facts, &mut self.budget);
        }
    }

    /// Counts one record.
    pub fn observe(&mut self, record: &Record) {
        let region = self.regions.label(record);
        let (access, entry) = (record.path.access.as_str(), record.path.entry.as_str());
        let budget = &mut self.budget;
        let endpoint = &record.endpoint;
        let kind = match (endpoint.kind, endpoint.service) {
            (Some(kind), _) => kind.as_str(),
            (None, Some(_)) => UNKNOWN,
            (None, None) => NONE,
        };
        let service = endpoint.service.map_or(NONE, |service| service.as_str());
        self.flows.count(&[service, region, kind, access, entry, record.outcome.as_str()], budget);
        self.coverage.count(&[record.completeness.as_str()], budget);
        if let Some(tls) = record.tls.as_deref() {
            if let Some(version) = tls.version() {
                let resumed = tls.resumed.map_or(UNKNOWN, |resumed| if resumed { "true" } else { "false" });
                let labels =
                    [region, version_label(Some(version)), cipher(tls), group(tls), access, entry, resumed];
                self.handshakes.count(&labels, budget);
                self.key_exchanges.count(&[region, key_exchange(tls)], budget);
            }
            if let Some(reason) = refusal(record, tls) {
                let offered = tls.client_hello.as_ref().map(|hello| version_label(hello.max_version()));
                self.refused.count(&[region, offered.unwrap_or(UNKNOWN), reason], budget);
            }
        }
        if let Some(duration) = record.handshake_duration
            && let Some(histogram) = self.durations.child(&[region, access], budget)
        {
            histogram.observe(duration.as_secs_f64());
        }
        let Some(policy) = &record.policy else { return };
        self.verdicts.count(&[policy.verdict.as_str(), &policy.profile], budget);
        for violation in &policy.violations {
            let labels = [violation.rule, violation.severity.as_str(), region, access, entry];
            self.violations.count(&labels, budget);
            self.clients_by_rule.entry(violation.rule).or_default().now.insert(record.client.ip());
            if let Some(offenders) = &mut self.offenders
                && violation.severity.counts()
            {
                offenders.count(record.client.ip(), violation.rule);
            }
        }
    }

    /// Begins a new window for the counts of distinct clients. Until it has more, that of the window before is shown.
    pub fn begin_window(&mut self) {
        for clients in self.clients_by_rule.values_mut() {
            *clients = Clients { before: clients.now.estimate(), now: Distinct::default() };
        }
    }

    /// Takes the counts of a run as they are now; they replace those taken before.
    pub fn set_accounts(&mut self, accounts: &Accounts) {
        let budget = &mut self.budget;
        let mut folded = BTreeSet::new();
        let mut with_newest = BTreeSet::new();
        for (interface, counts) in &accounts.interfaces {
            let name = self.packets.name_of(interface, budget);
            if name == OTHER && interface != OTHER {
                folded.insert(interface.as_str());
                if self.folded_interfaces.insert(interface.clone()) {
                    budget.folded.with_label_values(&[metrics::PACKETS.name]).inc();
                }
            }
            // An interface that nobody expects packets on is gone: its last one would grow old for ever.
            let is_expected = self.expected.as_ref().map(|expected| expected.contains(interface));
            let newest = match is_expected {
                Some(false) => None,
                // No packet yet is told, too: else nobody would notice that none ever comes.
                Some(true) => Some(counts.last_packet.unwrap_or_default()),
                None => counts.last_packet,
            };
            let interface = name;
            for (stage, StageCounts { packets, bytes }) in
                [("seen", counts.seen), ("skipped", counts.skipped), ("parsed", counts.parsed)]
            {
                self.packets.set(&[interface, stage], packets, budget);
                self.bytes.set(&[interface, stage], bytes, budget);
            }
            if let Some(time) = newest
                && let Some((key, gauge)) = self.last_packet.mirror(&[interface], budget)
            {
                // Several interfaces may share a folded series; time only goes on.
                gauge.set(seconds(time).max(gauge.get()));
                with_newest.insert(key.to_owned());
            }
        }
        self.last_packet.keep(|key| with_newest.contains(key), budget);
        self.folded_interfaces.retain(|name| folded.contains(name.as_str()));
        for ((interface, stage, reason), count) in &accounts.dropped {
            // Where its packets are, so that both add up.
            let interface = if folded.contains(interface.as_str()) { OTHER } else { interface };
            self.dropped.set(&[interface, stage, reason], *count, budget);
        }
        for (layer, reason) in &self.known_errors {
            self.decode_errors.hold(&[layer, reason]);
        }
        for ((layer, reason), count) in &accounts.decode_errors {
            self.decode_errors.set(&[layer, reason], *count, budget);
        }
        for reason in Eviction::ALL {
            self.evictions.set(&[reason.as_str()], 0, budget);
        }
        // Also those that joining several inputs adds.
        for (reason, count) in &accounts.evictions {
            self.evictions.set(&[reason], *count, budget);
        }
        for family in [
            &mut self.packets,
            &mut self.bytes,
            &mut self.dropped,
            &mut self.decode_errors,
            &mut self.evictions,
        ] {
            family.publish(budget);
        }
        self.flows_opened.inc_by(accounts.flows_opened.saturating_sub(self.flows_opened.get()));
        self.flow_entries.set(signed(accounts.flows_open));
        self.flow_limit.set(signed(accounts.flow_table_limit));
        if let (Some((published, gauge)), Some(now)) = (&self.prefix_list_age, accounts.last_packet) {
            gauge.set(signed(now.since(*published).as_secs()));
        }
    }

    /// Observations that are counted under `other`, because they found no room.
    #[must_use]
    pub fn folded(&self) -> u64 {
        let series = metrics::ALL.iter().filter(|metric| is_capped(metric));
        series.map(|metric| self.budget.folded.with_label_values(&[metric.name]).get()).sum()
    }

    /// Everything as text, in an order that depends on names and labels only.
    ///
    /// # Errors
    /// Those of the encoder, which there are none of for what this type holds.
    pub fn encode(&self) -> Result<String, Error> {
        for (rule, clients) in &self.clients_by_rule {
            self.violating_clients.get_metric_with_label_values(&[*rule])?.set(signed(clients.shown()));
        }
        if let Some(offenders) = &self.offenders {
            offenders.publish()?;
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Distinct clients of this window, and how many they were in the one before.
#[derive(Default)]
struct Clients {
    before: u64,
    now: Distinct,
}

impl Clients {
    fn shown(&self) -> u64 {
        self.now.estimate().max(self.before)
    }
}

/// Writes the metrics of a run at its end.
pub struct MetricsSink<W> {
    metrics: Metrics,
    output: W,
}

impl<W: Write> MetricsSink<W> {
    /// Writes to `output` once, in [`finish`](Sink::finish).
    pub const fn new(metrics: Metrics, output: W) -> Self {
        Self { metrics, output }
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }
}

impl<W: Write> Sink for MetricsSink<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.metrics.observe(record);
        Ok(())
    }

    fn finish(&mut self, accounts: &Accounts) -> io::Result<()> {
        self.metrics.set_accounts(accounts);
        let text = self.metrics.encode().map_err(io::Error::other)?;
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }
}

/// Series that may be of their own, beside those of offenders.
fn room(options: &MetricsOptions) -> usize {
    family::room(options.max_series).saturating_sub(offenders::room(options))
}

/// Metrics whose series are made one by one, under the cap.
fn is_capped(metric: &Metric) -> bool {
    let is_other = [
        &metrics::SERIES_FOLDED,
        &metrics::BUILD_INFO,
        &metrics::VIOLATING_CLIENTS,
        &metrics::OFFENDER_FLOWS,
    ]
    .iter()
    .any(|other| other.name == metric.name);
    metric.scope == metrics::Scope::Everywhere && !metric.labels.is_empty() && !is_other
}

fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn labels(metric: &Metric) -> Vec<&'static str> {
    metric.labels.iter().map(|label| label.name).collect()
}

fn register(registry: &Registry, collector: impl Collector + 'static) -> Result<(), Error> {
    registry.register(Box::new(collector))
}

fn counters(registry: &Registry, metric: &Metric) -> Result<IntCounterVec, Error> {
    let vec = IntCounterVec::new(opts(metric), &labels(metric))?;
    register(registry, vec.clone())?;
    Ok(vec)
}

fn counter(registry: &Registry, metric: &Metric) -> Result<IntCounter, Error> {
    let counter = IntCounter::with_opts(opts(metric))?;
    register(registry, counter.clone())?;
    Ok(counter)
}

fn gauges(registry: &Registry, metric: &Metric) -> Result<IntGaugeVec, Error> {
    let vec = IntGaugeVec::new(opts(metric), &labels(metric))?;
    register(registry, vec.clone())?;
    Ok(vec)
}

fn gauge<P: Atomic + 'static>(registry: &Registry, metric: &Metric) -> Result<GenericGauge<P>, Error> {
    let gauge = GenericGauge::with_opts(opts(metric))?;
    register(registry, gauge.clone())?;
    Ok(gauge)
}

/// Regions that have a label of their own.
struct Regions {
    known: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Regions {
    /// The region label of a record: a recognised one, while there is room.
    fn label<'a>(&mut self, record: &'a Record) -> &'a str {
        let endpoint = &record.endpoint;
        let Some(region) = endpoint.region.as_deref() else {
            return if endpoint.service.is_some() { UNKNOWN } else { NONE };
        };
        if endpoint.kind == Some(EndpointKind::Unrecognised) || !is_region(region) {
            return UNKNOWN;
        }
        if !self.known.contains(region) && !self.others.contains(region) {
            if self.others.len() >= MAX_OTHER_REGIONS {
                return OTHER;
            }
            self.others.insert(region.to_owned());
        }
        region
    }
}

/// True for the form of a region's name, e.g. `eu-central-1` or `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    name.len() <= MAX_REGION_BYTES
        && name.split('-').count() >= 3
        && name.split('-').all(|part| !part.is_empty())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.ends_with(|last: char| last.is_ascii_digit())
}

fn version_label(version: Option<TlsVersion>) -> &'static str {
    version.map_or(NONE, |version| version.as_str().unwrap_or(UNKNOWN))
}

fn cipher(tls: &TlsFacts) -> &'static str {
    match (tls.cipher_suite(), tls.ssl2_cipher_kind) {
        (Some(suite), _) => suite.name().unwrap_or(UNKNOWN),
        (None, Some(kind)) => kind.name().unwrap_or(UNKNOWN),
        (None, None) => NONE,
    }
}

fn group(tls: &TlsFacts) -> &'static str {
    match (tls.group(), tls.key_exchange) {
        (Some(group), _) => group.name().unwrap_or(UNKNOWN),
        (None, Some(KeyExchangeFacts::Dhe { .. } | KeyExchangeFacts::ExplicitCurve { .. })) => UNKNOWN,
        (None, _) => NONE,
    }
}

fn key_exchange(tls: &TlsFacts) -> &'static str {
    match (tls.group(), tls.key_exchange) {
        (Some(group), _) if group.is_ml_kem() => "post_quantum",
        // A group that nobody named may be of either kind.
        (Some(group), _) if group.name().is_none() => UNKNOWN,
        (Some(_), _)
        | (None, Some(KeyExchangeFacts::Dhe { .. } | KeyExchangeFacts::ExplicitCurve { .. })) => "classical",
        (None, _) if tls.forward_secrecy == Some(ForwardSecrecy::No) => NONE,
        (None, _) => UNKNOWN,
    }
}

/// Why a handshake came to nothing, where one side ended it.
fn refusal(record: &Record, tls: &TlsFacts) -> Option<&'static str> {
    match record.outcome {
        Outcome::RefusedByClient | Outcome::RefusedByServer => {
            Some(tls.alert.map_or(UNKNOWN, |(alert, _)| alert.name().unwrap_or(UNKNOWN)))
        }
        Outcome::Reset => Some("reset"),
        Outcome::Closed => Some("closed"),
        Outcome::Completed | Outcome::TimedOut | Outcome::NotSeen | Outcome::Plaintext => None,
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; microseconds are exact until the year 2255"
)]
fn seconds(time: Timestamp) -> f64 {
    (time.as_nanos() / 1_000) as f64 / 1e6
}

mod daemon;
mod family;
mod offenders;
#[cfg(test)]
mod tests;
