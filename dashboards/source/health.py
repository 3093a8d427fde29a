"""Can the other dashboards be believed?"""

from .grafana import (
    BAD, GOOD, GREY, SCOPE, SKY, WARN, bars, column, dashboard, graph, in_range, limits, pick, q, rate, row, stat, table, total,
    words,
)


def of(metric, *matchers):
    return pick(metric, *matchers, region="none")


def process(metric):
    """A metric of the process itself, of observers only."""
    return f"process_{metric}{{{SCOPE}}} and on (job, instance) {of('build_info')}"


def board():
    seen = of("packets_total", 'stage="seen"')
    lost = of("dropped_total", 'stage=~"nic|kernel|ring"')
    full = of("coverage_flows_total", 'completeness="full"')
    coverage = of("coverage_flows_total")
    grew = "increase({}[$__range])".format
    lost_in_range = f"(sum({in_range(lost)}) or vector(0))"
    items = [
        row("Can the other dashboards be believed?"),
        stat(
            "Observers up", "Observers that Prometheus can reach, of those it knows.",
            q(f"sum(up{{{SCOPE}}} and on (job, instance) max_over_time({of('build_info')}[1d])) / count(up{{{SCOPE}}} and on (job, instance) max_over_time({of('build_info')}[1d]))", "up", instant=True),
            "percentunit", limits(BAD, (1, GOOD)), 3, 4, decimals=0,
        ),
        stat(
            "Seen in full",
            "Share of the flows in this range of which both hellos and what led to them were seen.",
            q(f"sum({grew(full)}) / (sum({grew(coverage)}) > 0)", "full", instant=True),
            "percentunit", limits(BAD, (0.6, WARN), (0.9, GOOD)), 3, 4, decimals=1,
        ),
        stat(
            "Packets lost",
            "Share of packets in this range that were lost before they could be looked at: by the card, the kernel "
            "or the ring.",
            q(f"{lost_in_range} / (sum({grew(seen)}) + {lost_in_range} > 0)", "lost", instant=True),
            "percentunit", limits(GOOD, (0.001, WARN), (0.01, BAD)), 3, 4, decimals=2,
        ),
        stat(
            "Newest packet", "How old the newest packet of the quietest interface is, of those that gave one.",
            q(f"time() - min({of('capture_last_packet_timestamp_seconds')} > 0)", "age", instant=True),
            "s", limits(GOOD, (300, WARN), (900, BAD)), 3, 4, decimals=0,
        ),
        stat(
            "Last reload", "Whether the last reload of the configuration was taken.",
            q(f"min({of('config_last_reload_successful')})", "reload", instant=True),
            "short", limits(BAD, (1, GOOD)), 3, 4, mappings=words({"1": ("taken", GOOD), "0": ("refused", BAD)}),
            empty="no daemon",
        ),
        stat(
            "AWS address list",
            "Age of the oldest list of AWS addresses in use. An old list makes new addresses look like a conflict.",
            q(f"max({of('prefix_list_age_seconds')})", "age", instant=True),
            "s", limits(GOOD, (60 * 86400, WARN), (90 * 86400, BAD)), 3, 4, decimals=0,
        ),
        stat(
            "Flow table filled", "Open flows against the limit of the fullest observer. Full means evictions.",
            q(f"max({of('flow_table_entries')} / {of('flow_table_limit')})", "filled", instant=True),
            "percentunit", limits(GOOD, (0.7, WARN), (0.9, BAD)), 3, 4, decimals=1,
        ),
        stat(
            "Packets unaccounted for",
            "seen − skipped − parsed over all interfaces. Anything but 0 is a fault of ddbwatch: please report it.",
            q(
                f"abs(sum(increase({seen}[$__range])) - sum(increase({of('packets_total', 'stage=~' + chr(34) + 'skipped|parsed' + chr(34))}[$__range]))) "
                f"> 0.001 * sum(increase({seen}[$__range])) or 0 * sum(increase({seen}[$__range]))",
                "difference", instant=True,
            ),
            "short", limits(GOOD, (0.5, BAD)), 3, 4, decimals=0,
        ),
        row("How much is seen?"),
        graph(
            "Coverage", "Share of flows by how much of the handshake was seen.",
            [q(total("completeness", rate(coverage)), "{{completeness}}")],
            "percentunit", limits(GOOD), 12, 8, stack="percent", calcs=("mean", "lastNotNull"),
            colors={
                "full": "#0072B2", "client_only": "#E69F00", "server_only": "#CC79A7", "mid_stream": "#F0E442",
                "truncated": "#D55E00",
            },
        ),
        graph(
            "Packets", "Packets per second by stage: seen = skipped + parsed.",
            [q(total("stage", rate(of("packets_total"))), "{{stage}}")],
            "pps", limits(GOOD), 6, 8, calcs=("mean", "max"), colors={"seen": "#0072B2", "skipped": "#8C8C8C", "parsed": "#E69F00"},
        ),
        graph(
            "Captured bytes", "Bytes per second by interface.",
            [q("sum by (instance, interface) (" + rate(of("bytes_total", 'stage="seen"')) + ")", "{{instance}} {{interface}}")],
            "Bps", limits(GOOD), 6, 8, calcs=("mean", "max"),
        ),
        row("What is lost?"),
        graph(
            "Losses by stage", "What was lost per second before it could be looked at, by the stage that lost it.",
            [q(total("stage", rate(of("dropped_total"))), "{{stage}}")],
            "pps", limits(GOOD, (1, WARN)), 8, 8, calcs=("mean", "max"), empty="nothing was lost",
            colors={"nic": "#CC79A7", "kernel": "#D55E00", "ring": "#E69F00", "reassembly": "#56B4E9", "export": "#0072B2"},
        ),
        table(
            "Losses by reason", "What was lost in this range.",
            [q(f"round({total('instance, interface, stage, reason', in_range(of('dropped_total')))}) > 0", "lost", table=True)],
            [
                column("instance", "Observer"), column("interface", "Interface"), column("stage", "Stage"),
                column("reason", "Reason"), column("Value", "Lost", unit="short", decimals=0, width=80),
            ],
            ["instance", "interface", "stage", "reason", "Value"], "Value", width=8, height=8, empty="nothing was lost in this range",
        ),
        table(
            "Damaged packets and messages",
            "What claimed to be something and was not, in this range. A few are normal; many of one reason point at "
            "a snap length, a mirror session that cuts packets, or an unknown encapsulation.",
            [q(f"round({total('layer, reason', in_range(of('decode_errors_total')))}) > 0", "errors", table=True)],
            [column("layer", "Layer"), column("reason", "Reason"), column("Value", "Number", unit="short", decimals=0, width=90)],
            ["layer", "reason", "Value"], "Value", width=8, height=8, empty="nothing in this range",
        ),
        graph(
            "Age of the newest packet", "By interface; a line that climbs is an interface that went quiet. One that gave no packet yet has none.",
            [q(f"time() - max by (instance, interface) ({of('capture_last_packet_timestamp_seconds')} > 0)", "{{instance}} {{interface}}")],
            "s", limits(GOOD, (300, WARN), (900, BAD)), 8, 8, line=True, calcs=("lastNotNull", "max"),
        ),
        graph(
            "Capture restarts", "Times a capture had to be opened again in the hour before, by interface.",
            [q(f"sum by (instance, interface) (increase({of('capture_restarts_total')}[1h]))", "{{instance}} {{interface}}")],
            "short", limits(GOOD, (1, WARN)), 8, 8, calcs=("lastNotNull", "max"), empty="none",
        ),
        graph(
            "Damage per minute", "What claimed to be something and was not, by layer.",
            [q("60 * " + total("layer", rate(of("decode_errors_total"))), "{{layer}}")],
            "cpm", limits(GOOD), 8, 8, calcs=("mean", "max"), empty="none",
        ),
        row("Is there room?"),
        graph(
            "Open flows", "Flows open, and the most that can be.",
            [
                q("sum by (instance) (" + of("flow_table_entries") + ")", "{{instance}} open"),
                q("sum by (instance) (" + of("flow_table_limit") + ")", "{{instance}} limit"),
            ],
            "short", limits(GOOD), 8, 8, calcs=("lastNotNull", "max"), by_regex={".* limit": BAD},
        ),
        graph(
            "Flows without a record", "Flows per minute that left the table without a record, by reason; some reasons are normal, "
            "such as flows to another service.",
            [
                q("60 * " + total("reason", rate(of("flow_evictions_total"))), "{{reason}}"),
                q("60 * sum(" + rate(of("flows_opened_total")) + ")", "all opened"),
            ],
            "cpm", limits(GOOD), 8, 8, calcs=("mean", "max"), colors={"all opened": GREY},
        ),
        table(
            "Folded series",
            "What was counted under `other` in this range because there was no room for more series or "
            "regions. Rules, severities, verdicts and versions keep their counts. Raise `[metrics] max_series` where a "
            "metric stands here and the regions are real.",
            [q(f"round({total('metric', in_range(of('series_folded_total')))}) > 0", "series", table=True)],
            [column("metric", "Metric"), column("Value", "Times", unit="short", decimals=0, width=60)],
            ["metric", "Value"], "Value", width=4, height=8, empty="nothing was folded",
        ),
        table(
            "Folded log messages", "Log messages of this range that were left out because they repeated.",
            [q(f"round({total('event', in_range(of('log_events_folded_total')))}) > 0", "messages", table=True)],
            [column("event", "Log event"), column("Value", "Times", unit="short", decimals=0, width=60)],
            ["event", "Value"], "Value", width=4, height=8, empty="nothing was folded",
        ),
        row("The process itself"),
        graph(
            "Memory", "Resident memory of each observer.",
            [q(f"{process('resident_memory_bytes')}", "{{instance}}")],
            "bytes", limits(GOOD, (512 * 1024 * 1024, WARN)), 6, 7, line=True, calcs=("lastNotNull", "max"),
        ),
        graph(
            "Processor", "Cores in use by each observer.",
            [q(f"rate(process_cpu_seconds_total{{{SCOPE}}}[$__rate_interval]) and on (job, instance) {of('build_info')}", "{{instance}}")],
            "short", limits(GOOD, (1, WARN)), 6, 7, calcs=("mean", "max"),
        ),
        graph(
            "Open files", "Open file descriptors of each observer.",
            [q(f"{process('open_fds')}", "{{instance}}")],
            "short", limits(GOOD), 6, 7, calcs=("lastNotNull", "max"),
        ),
        table(
            "Observers", "Version, time since the start and since the last reload that was taken.",
            [
                q(f"max by (instance, version, revision) ({of('build_info')})", "info", table=True),
                q(f"time() - max by (instance) (process_start_time_seconds{{{SCOPE}}})", "running", table=True),
                q(f"time() - max by (instance) ({of('config_last_reload_success_timestamp_seconds')})", "reload", table=True),
            ],
            [
                column("instance", "Observer"), column("version", "Version", width=80), column("revision", "Revision", width=90),
                column("Value #B", "Runs for", unit="s"), column("Value #C", "Reloaded", unit="s"),
            ],
            ["instance", "version", "revision", "Value #B", "Value #C", "Value #A"], "instance", width=6, height=7,
            hide=("Value #A",),
        ),
    ]
    return dashboard(
        "ddbwatch-health",
        "Can the other dashboards be believed? Coverage, losses by stage, damaged packets, memory, reloads, and the "
        "age of the address list.",
        items, [],
    )
