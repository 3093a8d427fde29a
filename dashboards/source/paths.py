"""Which traffic takes which way?"""

from .grafana import (
    BAD, GOOD, GREY, ORANGE, SKY, WARN, bars, column, dashboard, fixed, graph, in_range, limits, per_minute, pick, q, rate, region, row,
    share, stat, table, total, words,
)
from .words import ACCESS_COLORS, ENTRY_COLORS, SEVERITY

DYNAMODB = 'service!="none"'
FLOWS = pick("flows_total", DYNAMODB)
SERIOUS_RULES = "path_not_allowed|gateway_endpoint_missing|dns_override|endpoint_conflict"
PATH_RULES = "path_not_allowed|gateway_endpoint_missing|dns_override|endpoint_conflict|cross_region_endpoint"


def broken(rule, severity=None):
    matchers = [f'rule="{rule}"'] + ([f'severity="{severity}"'] if severity else [])
    return pick("violations_total", *matchers, region="start")


def count(title, rule, what, bad, width):
    return stat(
        title, what, q(f"round({total('', in_range(broken(rule)))} or vector(0))", rule, instant=True),
        "short", limits(GOOD, (0.5, bad)), width, 4,
    )


def board():
    grew = "increase({}[$__range])".format
    unknown = pick("flows_total", DYNAMODB, 'access="unknown"')
    internet = pick("flows_total", DYNAMODB, 'access="internet"')
    of_path = "access, entry"
    now = f"sum by ({of_path}) ({in_range(FLOWS)}) / scalar(sum({in_range(FLOWS)}))"
    before = (
        f"sum by ({of_path}) (increase({FLOWS}[$__range] offset $__range)) / "
        f"scalar(sum(increase({FLOWS}[$__range] offset $__range)))"
    )
    duration = pick("handshake_duration_seconds_bucket")
    items = [
        row("Does traffic take the way it should?"),
        count(
            "Not an allowed path", "path_not_allowed",
            "Flows in this range on a way that `allowed_paths` does not name. Always 0 while no allowed paths are "
            "configured.", BAD, 4,
        ),
        count(
            "Gateway endpoint missing", "gateway_endpoint_missing",
            "Flows in this range of VPC clients that reach the region's own DynamoDB through a NAT, firewall or "
            "transit hop, because their subnet has no gateway endpoint.", WARN, 4,
        ),
        count(
            "DNS overrides", "dns_override",
            "Flows in this range where a public DynamoDB name leads to a private address.", WARN, 4,
        ),
        count(
            "Name and address disagree", "endpoint_conflict",
            "Flows in this range whose signs of the endpoint contradict each other.", WARN, 4,
        ),
        stat(
            "Over the internet",
            "Share of DynamoDB flows in this range that reach AWS over the internet.",
            q(f"(sum({in_range(internet)}) or vector(0)) / (sum({in_range(FLOWS)}) > 0)", "internet", instant=True),
            "percentunit", limits(GOOD, (0.01, WARN), (0.2, BAD)), 4, 4, decimals=1,
        ),
        stat(
            "Way not known",
            "Share of DynamoDB flows in this range of which nothing says how they get to AWS. `[[path]]` rules in "
            "the configuration name interfaces, VLANs and tunnels.",
            q(f"(sum({in_range(unknown)}) or vector(0)) / (sum({in_range(FLOWS)}) > 0)", "unknown", instant=True),
            "percentunit", limits(GOOD, (0.05, GREY), (0.5, WARN)), 4, 4, decimals=1,
        ),
        graph(
            "How packets get to AWS",
            "Share of DynamoDB flows by way to AWS.",
            [q(total("access", rate(FLOWS)), "{{access}}")],
            "percentunit", limits(GOOD), 12, 9, stack="percent", colors=ACCESS_COLORS, calcs=("mean", "lastNotNull"),
        ),
        graph(
            "How DynamoDB is entered",
            "Share of DynamoDB flows by kind of entry. `unknown` is a public address that may be the public "
            "endpoint or a gateway endpoint: packets alone do not tell.",
            [q(total("entry", rate(FLOWS)), "{{entry}}")],
            "percentunit", limits(GOOD), 12, 9, stack="percent", colors=ENTRY_COLORS, calcs=("mean", "lastNotNull"),
        ),
        row("What moved?"),
        table(
            "Drift: each path's share, now and before",
            "Share of DynamoDB flows by path in this range and in the range of equal length before it. A large "
            "change that nobody planned is a routing or DNS change to look into.",
            [
                q(f"{now} > 0", "now", table=True),
                q(f"{before} > 0", "before", table=True),
                q(f"({now}) - (({before}) or 0 * ({now}))", "change", table=True),
            ],
            [
                column("access", "Way to AWS", width=180),
                column("entry", "Entry", width=160),
                column("Value #A", "Now", unit="percentunit", thresholds=limits(SKY), gauge=True, decimals=1, maximum=1),
                column("Value #B", "Before", unit="percentunit", thresholds=limits(GREY), gauge=True, decimals=1, maximum=1),
                column("Value #C", "Change", unit="percentunit", decimals=1, width=90,
                       thresholds=limits(BAD, (-0.2, WARN), (-0.1, "transparent"), (0.1, WARN), (0.2, BAD))),
            ],
            ["access", "entry", "Value #A", "Value #B", "Value #C"], "Value #A", width=12, height=9,
        ),
        graph(
            "Violations about the path, per minute",
            "How often each rule about the path is broken, information included.",
            [q(per_minute("rule", pick("violations_total", f'rule=~"{PATH_RULES}"', region="start")) + " > 0", "{{rule}}")],
            "cpm", limits(GOOD, (0.000001, WARN)), 12, 9, bars=True, stack="normal", interval="2m", calcs=("mean", "max"),
            empty="none in this range",
            colors={
                "path_not_allowed": "#D55E00", "gateway_endpoint_missing": "#E69F00", "dns_override": "#CC79A7",
                "endpoint_conflict": "#0072B2", "cross_region_endpoint": "#56B4E9",
            },
        ),
        table(
            "Every path",
            "DynamoDB flows in this range by path, region and kind of endpoint.",
            [q(f"sort_desc(round({total('access, entry, region, endpoint, service', in_range(FLOWS))}) > 0)", "flows", table=True)],
            [
                column("service", "Service", width=150),
                column("region", "Region", width=130),
                column("endpoint", "Endpoint", width=110),
                column("access", "Way to AWS"),
                column("entry", "Entry"),
                column("Value", "Flows", unit="short", decimals=0, width=90),
            ],
            ["access", "entry", "region", "endpoint", "service", "Value"], "Value", width=14, height=10,
        ),
        table(
            "Where the path rules are broken",
            "Violations about the path in this range by rule, region and path; another region's endpoint is left out, the graph above has it.",
            [q(f"sort_desc(round({total('rule, severity, region, access, entry', in_range(pick('violations_total', f'''rule=~{chr(34)}{SERIOUS_RULES}{chr(34)}''')))}) > 0)", "violations", table=True)],
            [
                column("rule", "Rule", width=190),
                column("severity", "Severity", mappings=words(SEVERITY), width=80),
                column("region", "Region", width=110),
                column("access", "Way to AWS"),
                column("entry", "Entry"),
                column("Value", "Flows", unit="short", decimals=0, width=70),
            ],
            ["severity", "rule", "region", "access", "entry", "Value"], "Value", width=10, height=10,
            empty="no path rule was broken in this range",
        ),
        row("Which endpoints, and how far away?"),
        bars(
            "Kinds of endpoint",
            "DynamoDB flows in this range by the kind of name that was asked for.",
            [q(f"sort_desc(round({total('endpoint', in_range(FLOWS))}) > 0)", "{{endpoint}}", instant=True)],
            "short", limits(SKY), 5, 8,
        ),
        bars(
            "Services",
            "Flows in this range by service of the DynamoDB family.",
            [q(f"sort_desc(round({total('service', in_range(FLOWS))}) > 0)", "{{service}}", instant=True)],
            "short", limits(SKY), 5, 8,
        ),
        graph(
            "Handshake duration: half are faster",
            "Half of the handshakes take no longer than this, by way to AWS. A way that suddenly takes as long as "
            "another may have become that other.",
            [q(f"histogram_quantile(0.5, {total('access, le', rate(duration))})", "{{access}}")],
            "s", limits(GOOD, (0.5, WARN), (1, BAD)), 7, 8, calcs=("mean", "max"), colors=ACCESS_COLORS,
        ),
        graph(
            "Handshake duration: 95 of 100 are faster",
            "95 of 100 handshakes take no longer than this, by way to AWS.",
            [q(f"histogram_quantile(0.95, {total('access, le', rate(duration))})", "{{access}}")],
            "s", limits(GOOD, (0.5, WARN), (1, BAD)), 7, 8, calcs=("mean", "max"), colors=ACCESS_COLORS,
        ),
    ]
    return dashboard(
        "ddbwatch-paths",
        "Which traffic to DynamoDB takes which way, what moved, where a gateway endpoint is missing and where DNS is "
        "overridden.",
        items, [region()],
    )
