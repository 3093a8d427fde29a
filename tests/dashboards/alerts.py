#!/usr/bin/env python3
"""Every alert, from a real Prometheus through a real Alertmanager to a web hook.

    alerts.py

The rules are those that are shipped, with `for` left out: the waiting is tested with promtool. The
past of three observers is made so that each alert has a reason.
"""

import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import servers  # noqa: E402
from world import HOURS, Series, open_metrics  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "dashboards/rules/ddbwatch.rules.yaml"

# All alerts must have arrived after so long; it takes about ten seconds on an idle machine.
WAIT_SECONDS = 120


def past(now):
    """Two observers with everything wrong at once, and one that is down."""
    made = []
    begin = now - HOURS * 3600

    def add(instance, name, at, **labels):
        made.append(Series(name, {"job": "ddbwatch", "instance": instance, **labels}, at))

    for instance in ("bad", "gone", "down"):
        add(instance, "up", lambda hours, i=instance: 0.0 if i == "down" and hours > HOURS - 0.5 else 1.0)
        add(instance, "ddbwatch_build_info", lambda hours, i=instance: None if i == "down" and hours > HOURS - 0.5 else 1.0,
            version="1", revision="r")
    flow = {"service": "dynamodb", "region": "eu-west-1", "endpoint": "regional", "outcome": "completed"}
    # Three hours ago traffic moved to the internet.
    add("bad", "ddbwatch_flows_total", lambda hours: 300 * min(hours, HOURS - 3), access="in_vpc", entry="unknown", **flow)
    add("bad", "ddbwatch_flows_total", lambda hours: 300 * (hours - HOURS + 3) if hours > HOURS - 3 else None,
        access="internet", entry="public_endpoint", **flow)
    add("gone", "ddbwatch_flows_total", lambda hours: 300 * min(hours, HOURS - 2), access="in_vpc", entry="unknown", **flow)
    for rule, severity in (
        ("tls_version_too_low", "critical"), ("plaintext_http", "critical"), ("suspected_interception", "critical"),
        ("path_not_allowed", "critical"), ("dns_override", "warning"),
    ):
        labels = {"rule": rule, "severity": severity}
        add("bad", "ddbwatch_violations_total", lambda hours: 0.0, region="none", access="unknown", entry="unknown", **labels)
        add("bad", "ddbwatch_violations_total", lambda hours: 2.0 if hours > HOURS - 0.1 else None,
            region="eu-west-1", access="internet", entry="public_endpoint", **labels)
    add("bad", "ddbwatch_handshakes_refused_total", lambda hours: 50.0 if hours > HOURS - 0.5 else None,
        region="eu-west-1", offered="1.0", reason="protocol_version")
    add("bad", "ddbwatch_packets_total", lambda hours: 36000 * hours, interface="eth0", stage="seen")
    add("bad", "ddbwatch_dropped_total", lambda hours: 3600 * hours, interface="eth0", stage="ring", reason="full")
    add("bad", "ddbwatch_dropped_total", lambda hours: 3.0 if hours > HOURS - 0.1 else None,
        interface="eth0", stage="export", reason="disk_full")
    add("bad", "ddbwatch_series_folded_total", lambda hours: 40.0 if hours > HOURS - 0.1 else 0.0, metric="ddbwatch_flows_total")
    add("bad", "ddbwatch_coverage_flows_total", lambda hours: 300 * min(hours, HOURS - 1.5), completeness="full")
    add("bad", "ddbwatch_coverage_flows_total", lambda hours: 300 * max(0, hours - HOURS + 1.5), completeness="server_only")
    add("bad", "ddbwatch_capture_last_packet_timestamp_seconds", lambda hours: min(begin + hours * 3600, now - 3600), interface="eth0")
    add("bad", "process_start_time_seconds", lambda hours: float(begin))
    add("bad", "ddbwatch_config_last_reload_successful", lambda hours: 0.0)
    add("bad", "ddbwatch_prefix_list_age_seconds", lambda hours: 100.0 * 86400)
    return made


def faults(alert):
    """What is wrong with an alert that arrived."""
    name = alert["labels"]["alertname"]
    notes = alert["annotations"]
    if alert["labels"].get("severity") not in ("warning", "critical"):
        yield f"{name}: severity is {alert['labels'].get('severity')}"
    for key in ("summary", "description", "runbook_url"):
        text = notes.get(key, "")
        if not text or "{{" in text or "<no value>" in text or "error" in text.lower():
            yield f"{name}: {key} is {text!r}"
    runbook = ROOT / "dashboards/runbooks" / notes.get("runbook_url", "").rsplit("/", 1)[-1]
    if not runbook.is_file():
        yield f"{name}: {runbook} is missing"


def main():
    rules = RULES.read_text(encoding="utf-8")
    names = set(re.findall(r"- alert: (\w+)", rules))
    now = int(time.time())
    with servers.folder() as folder, servers.receiver() as (hook, got), servers.alertmanager(folder, hook) as manager:
        servers.backfill(folder, open_metrics(past(now), now))
        (Path(folder) / "rules.yaml").write_text(re.sub(r"\n +for: .*", "", rules), encoding="utf-8")
        config = (
            "global: {evaluation_interval: 2s}\n"
            "rule_files: [rules.yaml]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{manager}']}}]}}]}}\n"
        )
        with servers.prometheus(folder, config):
            end = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < end and names - {alert["labels"]["alertname"] for alert in got}:
                time.sleep(0.2)
        log = (Path(folder) / "prometheus.log").read_text(encoding="utf-8")
    arrived = {alert["labels"]["alertname"]: alert for alert in got if alert["status"] == "firing"}
    wrong = [f"{name} did not arrive" for name in sorted(names - set(arrived))]
    wrong += [fault for alert in arrived.values() for fault in faults(alert)]
    for name in sorted(arrived):
        print(f"{name}: {arrived[name]['annotations'].get('description')}")
    print(f"{len(arrived)} of {len(names)} alerts arrived")
    if wrong:
        sys.exit("\n".join(wrong) + "\n" + log[-2000:])


if __name__ == "__main__":
    main()
