"""A day of two observers: series as the program gives them, moved forward over time.

The names, labels and label values are those that `ddbwatch analyze --format prometheus` printed for the
shipped captures; here they only grow: with the hour of the day, with a restart, with losses, with
traffic that moves to another path, and with a client that starts to do something new. What only the
daemon gives (reloads, restarts, its process) is added.
"""

import math
import re

STEP = 120
HOURS = 26
OBSERVERS = ("fra-dx-1:9477", "fra-nat-1:9477")
REGIONS = {"eu-west-1", "us-east-1", "us-west-2", "unknown", "none", None}
INTERFACES = {OBSERVERS[0]: {"eth0.120": 900, "vti1": 300}, OBSERVERS[1]: {"ens5": 1500}}
PATHS = {
    OBSERVERS[0]: [
        ("direct_connect_public", "public_endpoint", 0.72), ("site_to_site_vpn", "interface_endpoint", 0.2),
        ("unknown", "unknown", 0.08),
    ],
    OBSERVERS[1]: [("in_vpc", "unknown", 0.6), ("internet", "public_endpoint", 0.35), ("unknown", "unknown", 0.05)],
}
SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """Samples of the exposition format: name, labels, value."""
    for line in text.splitlines():
        if found := SAMPLE.match(line):
            yield found["name"], dict(LABEL.findall(found["labels"] or "")), float(found["value"])


def day(hours):
    """How much traffic has passed after so many hours; work hours count more."""
    return hours + 0.6 * 24 / (2 * math.pi) * (1 - math.cos(2 * math.pi * (hours - 2) / 24)) / 2


def weight(name, labels):
    """Most traffic is good; what is wrong is rare."""
    good = (
        labels.get("outcome") == "completed" or labels.get("verdict") == "pass" or labels.get("completeness") == "full"
        or labels.get("kind") in ("post_quantum", "classical")
        or labels.get("version") in ("1.2", "1.3") and "_RSA_WITH_RC4" not in labels.get("cipher", "")
        or name.startswith("ddbwatch_handshake_duration")
        or labels.get("rule") in ("signing_not_assessable", "tls_version_not_recommended")
    )
    return 30.0 if good else 0.35


class Series:
    """One series: `at(hours)` gives its value, or nothing while it does not exist."""

    def __init__(self, name, labels, at):
        self.name, self.labels, self.at = name, labels, at


def counter(name, labels, pace, start=0.0, restart=None, always=False, since=None):
    """Grows by `pace` per hour of traffic from the hour `start`; exists from its first event."""

    def at(hours):
        born = start
        if restart is not None and hours >= restart:
            born = max(start, restart)
        if hours < born and not always:
            return None
        value = math.floor(max(0.0, pace * (day(hours) - day(born))))
        value += math.floor(since(hours)) if since else 0
        return float(value) if value > 0 or always else None

    return Series(name, labels, at)


def of_base(base, observer, restart):
    made = []
    interface_metrics = ("packets", "bytes", "capture_last", "dropped", "build_info", "prefix_list", "flow_table", "series_folded")
    histograms = {}
    for name, labels, value in parse(base):
        if name.startswith("process_") or name.startswith(tuple(f"ddbwatch_{m}" for m in interface_metrics)):
            continue
        if labels.get("region") not in REGIONS:
            continue
        scope = {"job": "ddbwatch", "instance": observer}
        if name == "ddbwatch_violating_clients":
            made.append(Series(name, labels | scope, lambda hours, v=value: float(round(v * (1 + 2 * math.exp(-hours / 20))))))
            continue
        splits = [(labels.get("access"), labels.get("entry"), 1.0)]
        if labels.get("access") == "unknown" and value > 0:
            splits = [
                (access, labels["entry"] if labels.get("entry") not in ("unknown", None) else entry, part)
                for access, entry, part in PATHS[observer]
            ]
        for access, entry, part in splits:
            new = dict(labels)
            if access:
                new["access"] = access
            if entry and "entry" in labels:
                new["entry"] = entry
            pace = value * weight(name, labels) * part
            start, since = 0.0, None
            if labels.get("rule") in ("suspected_interception", "dns_override"):
                start, pace = HOURS - 3.0, 4.0 * part
            if access == "internet" and observer == OBSERVERS[1]:
                # Since four hours ago most of what left the VPC goes over the internet.
                since = lambda hours, p=pace, r=restart: max(0.0, 4 * p * (day(hours) - day(HOURS - 4.0)))  # noqa: E731
            key = (name, tuple(sorted((new | scope).items())))
            if name.startswith("ddbwatch_handshake_duration"):
                histograms[key] = histograms.get(key, 0.0) + pace
                continue
            # `or 0.0`: series that the program makes at its start are there from the start.
            made.append(counter(name, new | scope, pace, start, restart, value == 0 or labels.get("completeness") is not None
                                or labels.get("verdict") is not None, since))
    for (name, labels), pace in histograms.items():
        made.append(Series(name, dict(labels), lambda hours, p=pace, r=restart: max(
            0.0, p * (day(hours) - (day(r) if r is not None and hours >= r else 0.0)))))
    return made


def of_daemon(observer, restart, now):
    scope = {"job": "ddbwatch", "instance": observer}
    begin = now - HOURS * 3600
    second = observer == OBSERVERS[1]
    made = []

    def add(name, labels, at):
        made.append(Series(name, labels | scope, at))

    def started(hours):
        return begin - 86400 * 3 if restart is None or hours < restart else begin + restart * 3600

    for interface, pace in INTERFACES[observer].items():
        for stage, part in (("seen", 1.0), ("skipped", 0.9), ("parsed", 0.1)):
            for name, size in (("packets", 1), ("bytes", 640)):
                add(f"ddbwatch_{name}_total", {"interface": interface, "stage": stage},
                    lambda hours, p=pace * 3600 * part * size: p * (day(hours) - (day(restart) if restart and hours >= restart else 0)))
        add("ddbwatch_capture_last_packet_timestamp_seconds", {"interface": interface},
            lambda hours: begin + hours * 3600 - 3)
        add("ddbwatch_capture_restarts_total", {"interface": interface},
            lambda hours, i=interface: 1.0 if i == "vti1" and hours > HOURS - 9 else 0.0)
    if second:
        for stage, reason, pace in (("ring", "full", 90000.0), ("reassembly", "flow_limit", 30.0), ("kernel", "queue_full", 20000.0)):
            # One bad hour, five hours ago.
            add("ddbwatch_dropped_total", {"interface": "ens5", "stage": stage, "reason": reason},
                lambda hours, p=pace: math.floor(p * min(1.0, max(0.0, hours - (HOURS - 5)))) or None)
    add("ddbwatch_flow_table_entries", {}, lambda hours: round(9000 + 4000 * math.sin(hours / 3)))
    add("ddbwatch_flow_table_limit", {}, lambda hours: 200000.0)
    add("ddbwatch_prefix_list_age_seconds", {}, lambda hours: 86400 * 41 + hours * 3600)
    add("ddbwatch_series_folded_total", {"metric": "ddbwatch_flows_total"}, lambda hours: 0.0)
    add("ddbwatch_series_folded_total", {"metric": "ddbwatch_handshakes_total"}, lambda hours: math.floor(max(0.0, hours - 20) * 3))
    add("ddbwatch_log_events_folded_total", {"event": "damaged_packet"}, lambda hours: math.floor(hours * 12))
    add("ddbwatch_config_last_reload_successful", {}, lambda hours: 0.0 if second and HOURS - 1.5 < hours < HOURS - 0.8 else 1.0)
    add("ddbwatch_config_last_reload_success_timestamp_seconds", {},
        lambda hours: begin + (HOURS - 2) * 3600 if not second and hours >= HOURS - 2 else started(hours))
    add("ddbwatch_build_info", {"version": "0.1.0", "revision": "unknown"}, lambda hours: 1.0)
    add("up", {}, lambda hours: 1.0)
    add("process_start_time_seconds", {}, started)
    add("process_cpu_seconds_total", {}, lambda hours: 0.21 * (begin + hours * 3600 - started(hours)))
    add("process_resident_memory_bytes", {}, lambda hours: 6.4e7 + 8e6 * math.sin(hours / 4))
    add("process_virtual_memory_bytes", {}, lambda hours: 2.8e8)
    add("process_open_fds", {}, lambda hours: 19.0)
    add("process_max_fds", {}, lambda hours: 65536.0)
    add("process_threads", {}, lambda hours: 6.0)
    offenders = [
        ("10.20.4.17", "tls_version_too_low", 9.0), ("10.20.4.17", "weak_cipher", 9.0), ("10.20.4.17", "no_forward_secrecy", 9.0),
        ("10.20.7.3", "plaintext_http", 4.0), ("10.20.7.3", "long_term_credential", 4.0),
        ("10.31.0.88", "legacy_client_refused", 22.0), ("10.31.0.89", "legacy_client_refused", 13.0), ("other", "weak_cipher", 0.8),
    ]
    for client, rule, pace in offenders:
        made.append(counter("ddbwatch_offender_flows_total", {"client": client, "rule": rule} | scope, pace, 0.0, restart))
    return made


def make(base, now):
    """Every series of both observers."""
    made = []
    for observer in OBSERVERS:
        restart = HOURS - 6.0 if observer == OBSERVERS[1] else None
        made += of_base(base, observer, restart) + of_daemon(observer, restart, now)
    return made


def merged(series):
    """Series with equal labels are one: their values add up."""
    by_key = {}
    for one in series:
        by_key.setdefault((one.name, tuple(sorted(one.labels.items()))), []).append(one)
    return by_key


def open_metrics(series, now, hours=HOURS, step=STEP):
    """The past until now, in the format that `promtool tsdb create-blocks-from openmetrics` reads."""
    begin = now - hours * 3600
    lines = []
    for (name, labels), parts in merged(series).items():
        shown = ",".join(f'{key}="{value}"' for key, value in labels)
        for second in range(0, int(hours * 3600) + 1, step):
            values = [value for part in parts if (value := part.at(second / 3600)) is not None]
            if values:
                lines.append((second, f"{name}{{{shown}}} {sum(values)} {begin + second}\n"))
    lines.sort(key=lambda line: line[0])
    return "".join(line for _, line in lines) + "# EOF\n"
