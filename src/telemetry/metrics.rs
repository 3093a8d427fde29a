//! The list of every metric: name, kind, help, labels and the values they may have.
//!
//! Exporters, the documentation and the dashboards take names from here and nowhere else. Label
//! values come from closed sets, so that nobody on the wire can make series; the few that cannot
//! be closed are capped, and every label says how early it folds where series find no room.

use crate::model::{Access, Completeness, EndpointKind, Entry, Outcome, Service, Severity, Verdict};

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The word of the exposition format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Where a metric is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// By the daemon and by an analysis of files.
    Everywhere,
    /// By the daemon only.
    Daemon,
}

/// Where the values of a label come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A closed set of ours; `none` and `unknown` where the list has them.
    Words(&'static [&'static [&'static str]]),
    /// Something else that is bounded, in words.
    Described(&'static str),
}

/// When a label gives up its value for `other`, because a series of its own finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fold {
    /// Whoever sends packets or makes interfaces chooses the values: they go first.
    First,
    /// Sets of registries, which are closed but long.
    Second,
    /// Details that nothing is judged by.
    Third,
    /// How traffic goes: few values at one place, many combinations with all else.
    Last,
    /// What alerts are about: there is always a series for each value.
    Never,
}

/// One label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
    pub fold: Fold,
}

impl Label {
    const fn folds(self, fold: Fold) -> Self {
        Self { fold, ..self }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// Base unit of the value, empty for plain numbers.
    pub unit: &'static str,
    pub labels: &'static [Label],
    pub scope: Scope,
}

/// What a label says where the value does not apply.
pub const NONE: &str = "none";
/// What a label says where there is a value that is not known or has no name.
pub const UNKNOWN: &str = "unknown";
/// What labels that fold say of a series that found no room.
pub const OTHER: &str = "other";

/// Upper bounds of the handshake histogram, in seconds: from a VPC's own network to a bad satellite link.
pub const DURATION_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

macro_rules! words {
    ($name:ident, $type:ident) => {
        const $name: &[&str] = &{
            let mut words = [""; $type::ALL.len()];
            let mut index = 0;
            while index < words.len() {
                words[index] = $type::ALL[index].as_str();
                index += 1;
            }
            words
        };
    };
}
words!(SERVICES, Service);
words!(ENDPOINTS, EndpointKind);
words!(ACCESSES, Access);
words!(ENTRIES, Entry);
words!(COMPLETENESSES, Completeness);
words!(SEVERITIES, Severity);
words!(VERDICTS, Verdict);
words!(OUTCOMES, Outcome);

/// Negotiated and offered versions.
const VERSIONS: &[&str] = &["2", "3", "1.0", "1.1", "1.2", "1.3", UNKNOWN, NONE];
/// How keys were agreed on.
pub const KEY_EXCHANGES: &[&str] = &["post_quantum", "classical", NONE, UNKNOWN];

const fn words(name: &'static str, sets: &'static [&'static [&'static str]]) -> Label {
    Label { name, values: Values::Words(sets), fold: Fold::Never }
}

const fn described(name: &'static str, text: &'static str) -> Label {
    Label { name, values: Values::Described(text), fold: Fold::Never }
}

const REGION: Label = described(
    "region",
    "AWS regions of the address list and of the configuration, at most 16 others; `other` beyond, `unknown`, `none`",
)
.folds(Fold::First);
const ACCESS: Label = words("access", &[ACCESSES]).folds(Fold::Last);
const ENTRY: Label = words("entry", &[ENTRIES]).folds(Fold::Last);
const RULE: Label = described("rule", "rule ids");
const INTERFACE: Label = described(
    "interface",
    "interfaces captured from, else base names of the files; `replay` for all files where several are replayed, and, with \
         `live`, for records that were lost; `other` beyond the cap",
)
.folds(Fold::First);

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind, help, unit, labels, scope: Scope::Everywhere }
}

const fn daemon(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind, help, unit, labels, scope: Scope::Daemon }
}

pub const FLOWS: Metric = metric(
    "ddbwatch_flows_total",
    Kind::Counter,
    "",
    "Flows reported.",
    &[
        words("service", &[SERVICES, &[NONE]]),
        REGION,
        words("endpoint", &[ENDPOINTS, &[UNKNOWN, NONE]]).folds(Fold::Third),
        ACCESS,
        ENTRY,
        words("outcome", &[OUTCOMES]),
    ],
);
pub const HANDSHAKES: Metric = metric(
    "ddbwatch_handshakes_total",
    Kind::Counter,
    "",
    "TLS handshakes in which the server chose a version, by what was chosen.",
    &[
        REGION,
        words("version", &[VERSIONS]),
        described("cipher", "IANA names; `unknown` for a number without a name, `none`").folds(Fold::Second),
        described("group", "IANA names; `unknown` for a group without a name, `none`").folds(Fold::Second),
        ACCESS,
        ENTRY,
        words("resumed", &[&["true", "false", UNKNOWN]]).folds(Fold::Third),
    ],
);
pub const HANDSHAKES_REFUSED: Metric = metric(
    "ddbwatch_handshakes_refused_total",
    Kind::Counter,
    "",
    "TLS handshakes that one side ended before they were complete, by the best version offered.",
    &[
        REGION,
        words("offered", &[VERSIONS]),
        described("reason", "names of TLS alerts, `unknown` for one without a name; `reset`, `closed`")
            .folds(Fold::Second),
    ],
);
pub const VIOLATIONS: Metric = metric(
    "ddbwatch_violations_total",
    Kind::Counter,
    "",
    "Rules broken, once per flow and rule.",
    &[RULE, words("severity", &[SEVERITIES]), REGION, ACCESS, ENTRY],
);
pub const VERDICTS_BY_PROFILE: Metric = metric(
    "ddbwatch_flow_verdicts_total",
    Kind::Counter,
    "",
    "Flows judged, by verdict.",
    &[words("verdict", &[VERDICTS]), described("profile", "names of configured profiles")],
);
pub const VIOLATING_CLIENTS: Metric = metric(
    "ddbwatch_violating_clients",
    Kind::Gauge,
    "",
    "Distinct client addresses that broke the rule (of the daemon in five minutes: the present ones or those before, whichever has more; offline in the whole input); above 1024 an estimate, standard error 1.6 %.",
    &[RULE],
);
pub const OFFENDER_FLOWS: Metric = metric(
    "ddbwatch_offender_flows_total",
    Kind::Counter,
    "",
    "Flows that broke the rule at warning or critical, of the worst clients. Off unless asked for.",
    &[
        described("client", "addresses of the worst clients, as many as configured; `other` for the rest"),
        RULE,
    ],
);
pub const KEY_EXCHANGE: Metric = metric(
    "ddbwatch_key_exchange_total",
    Kind::Counter,
    "",
    "TLS handshakes in which the server chose a version, by kind of key exchange: post_quantum is ML-KEM alone or hybrid (its draft Kyber counts as classical, as in the rule not_post_quantum), none is without Diffie-Hellman.",
    &[REGION, words("kind", &[KEY_EXCHANGES])],
);
pub const HANDSHAKE_DURATION: Metric = metric(
    "ddbwatch_handshake_duration_seconds",
    Kind::Histogram,
    "seconds",
    "Time from the first byte of the ClientHello to the end of the handshake.",
    &[REGION, ACCESS],
);
pub const COVERAGE: Metric = metric(
    "ddbwatch_coverage_flows_total",
    Kind::Counter,
    "",
    "Flows reported, by how much of the handshake was seen.",
    &[words("completeness", &[COMPLETENESSES])],
);
pub const PACKETS: Metric = metric(
    "ddbwatch_packets_total",
    Kind::Counter,
    "",
    "Packets; seen = skipped + parsed.",
    &[INTERFACE, words("stage", &[&["seen", "skipped", "parsed"]])],
);
pub const BYTES: Metric = metric(
    "ddbwatch_bytes_total",
    Kind::Counter,
    "bytes",
    "Bytes of packets: those captured, or those on the wire where the kernel left the packet out; seen = skipped + parsed.",
    &[INTERFACE, words("stage", &[&["seen", "skipped", "parsed"]])],
);
pub const DROPPED: Metric = metric(
    "ddbwatch_dropped_total",
    Kind::Counter,
    "",
    "What was lost before it could be looked at.",
    &[
        INTERFACE,
        words("stage", &[&["nic", "kernel", "ring", "reassembly", "export"]]),
        described("reason", "reasons of the stage"),
    ],
);
pub const DECODE_ERRORS: Metric = metric(
    "ddbwatch_decode_errors_total",
    Kind::Counter,
    "",
    "Packets, or messages where the layer is tls or dns, that claim to be something and are not, are cut, or miss a part.",
    &[described("layer", "decoded layers"), described("reason", "reasons of the layer")],
);
pub const FLOWS_OPENED: Metric = metric(
    "ddbwatch_flows_opened_total",
    Kind::Counter,
    "",
    "Flows that entered the flow table; each is reported, evicted or open.",
    &[],
);
pub const FLOW_TABLE_ENTRIES: Metric =
    metric("ddbwatch_flow_table_entries", Kind::Gauge, "", "Flows open now.", &[]);
pub const FLOW_TABLE_LIMIT: Metric =
    metric("ddbwatch_flow_table_limit", Kind::Gauge, "", "The most flows that can be open.", &[]);
pub const FLOW_EVICTIONS: Metric = metric(
    "ddbwatch_flow_evictions_total",
    Kind::Counter,
    "",
    "Flows that left the table without a record; flows opened = records + evictions + open.",
    &[described("reason", "reasons of the flow table")],
);
pub const SERIES_FOLDED: Metric = metric(
    "ddbwatch_series_folded_total",
    Kind::Counter,
    "",
    "Observations counted under `other` in a label, because the cap of series or of regions was reached.",
    &[described("metric", "names of this list")],
);
pub const LOG_EVENTS_FOLDED: Metric = daemon(
    "ddbwatch_log_events_folded_total",
    Kind::Counter,
    "",
    "Log messages left out because the same event repeated.",
    &[described("event", "names of log events")],
);
pub const LAST_PACKET: Metric = metric(
    "ddbwatch_capture_last_packet_timestamp_seconds",
    Kind::Gauge,
    "seconds",
    "Time of the newest packet; 0 on an interface that is watched and gave none yet.",
    &[INTERFACE],
);
pub const CAPTURE_RESTARTS: Metric = daemon(
    "ddbwatch_capture_restarts_total",
    Kind::Counter,
    "",
    "Times the capture had to be opened again.",
    &[INTERFACE],
);
pub const RELOAD_SUCCESSFUL: Metric = daemon(
    "ddbwatch_config_last_reload_successful",
    Kind::Gauge,
    "",
    "1 where the last reload of the configuration was taken, else 0.",
    &[],
);
pub const RELOAD_TIMESTAMP: Metric = daemon(
    "ddbwatch_config_last_reload_success_timestamp_seconds",
    Kind::Gauge,
    "seconds",
    "Time of the last reload that was taken.",
    &[],
);
pub const PREFIX_LIST_AGE: Metric = metric(
    "ddbwatch_prefix_list_age_seconds",
    Kind::Gauge,
    "seconds",
    "Age of the AWS address list at the newest packet.",
    &[],
);
pub const BUILD_INFO: Metric = metric(
    "ddbwatch_build_info",
    Kind::Gauge,
    "",
    "Always 1; what was built.",
    &[described("version", "one"), described("revision", "one")],
);

/// Every metric of our own, in the order of the documentation. The standard `process_*` metrics come on
/// top in the daemon.
pub const ALL: &[Metric] = &[
    FLOWS,
    HANDSHAKES,
    HANDSHAKES_REFUSED,
    VIOLATIONS,
    VERDICTS_BY_PROFILE,
    VIOLATING_CLIENTS,
    OFFENDER_FLOWS,
    KEY_EXCHANGE,
    HANDSHAKE_DURATION,
    COVERAGE,
    PACKETS,
    BYTES,
    DROPPED,
    DECODE_ERRORS,
    FLOWS_OPENED,
    FLOW_TABLE_ENTRIES,
    FLOW_TABLE_LIMIT,
    FLOW_EVICTIONS,
    SERIES_FOLDED,
    LOG_EVENTS_FOLDED,
    LAST_PACKET,
    CAPTURE_RESTARTS,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    PREFIX_LIST_AGE,
    BUILD_INFO,
];

/// The list as a Markdown table.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(describe).collect();
        text.push_str(&format!(
            "| `{}` | {} | {} | {}{} |\n",
            metric.name,
            metric.kind.as_str(),
            labels.join("; "),
            metric.help,
            if metric.scope == Scope::Daemon { " Of the daemon alone." } else { "" }
        ));
    }
    text
}

fn describe(label: &Label) -> String {
    match label.values {
        Values::Words(sets) => {
            let words: Vec<String> = sets.iter().copied().flatten().map(|word| format!("`{word}`")).collect();
            format!("`{}`: {}", label.name, words.join(", "))
        }
        Values::Described(text) => format!("`{}`: {text}", label.name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keeps_the_naming_rules() {
        let names: HashSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("ddbwatch_"));
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            let stem = metric.name.trim_end_matches("_total");
            assert_eq!(!metric.unit.is_empty(), stem.ends_with("_seconds") || stem.ends_with("_bytes"));
            assert!(!["_count", "_sum", "_bucket"].iter().any(|end| metric.name.ends_with(end)));
            assert!(metric.help.ends_with('.'), "{}", metric.help);
        }
    }

    /// What alerts select and name must be there whatever strangers send.
    #[test]
    fn never_folds_what_alerts_are_about() {
        for (metric, label) in [
            (&VIOLATIONS, "rule"),
            (&VIOLATIONS, "severity"),
            (&VERDICTS_BY_PROFILE, "verdict"),
            (&VERDICTS_BY_PROFILE, "profile"),
            (&FLOWS, "service"),
            (&HANDSHAKES, "version"),
            (&HANDSHAKES_REFUSED, "offered"),
            (&KEY_EXCHANGE, "kind"),
            (&COVERAGE, "completeness"),
            (&DROPPED, "stage"),
        ] {
            let fold = metric.labels.iter().find(|other| other.name == label).map(|label| label.fold);
            assert_eq!(fold, Some(Fold::Never), "{}{{{label}}}", metric.name);
        }
    }

    #[test]
    fn lists_no_label_value_twice() {
        for label in ALL.iter().flat_map(|metric| metric.labels) {
            if let Values::Words(sets) = label.values {
                let words: Vec<&str> = sets.iter().copied().flatten().copied().collect();
                assert_eq!(
                    words.iter().collect::<HashSet<_>>().len(),
                    words.len(),
                    "{}: {words:?}",
                    label.name
                );
                assert!(words.iter().all(|word| !word.is_empty()));
            }
        }
    }

    #[test]
    fn renders_one_markdown_row_per_metric() {
        let text = markdown();
        assert_eq!(text.lines().count(), ALL.len() + 2);
        assert!(text.lines().all(|line| line.matches('|').count() == 5), "no cell may break the table");
        assert!(
            text.contains("| `ddbwatch_flow_table_limit` | gauge |  | The most flows that can be open. |")
        );
    }
}
