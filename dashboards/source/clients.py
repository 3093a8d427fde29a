"""Who must be upgraded, and to what?"""

from .grafana import (
    BAD, GOOD, SKY, WARN, bars, column, dashboard, graph, in_range, limits, per_minute, pick, q, rate, region, row, share, stat,
    table, total, words,
)
from .words import CLIENT_COLORS, OLD_VERSIONS, REFUSAL, SEVERITY, TO_DO, VERSION_COLORS, protocol

CLIENTS = pick("violating_clients", region="none")
REFUSED = pick("handshakes_refused_total")
OFFENDERS = pick("offender_flows_total", region="none")
OFF = "Off. [metrics] offenders = 20 in the configuration names the worst clients"


def clients_of(rules):
    return pick("violating_clients", f'rule=~"{rules}"', region="none")


def count(title, rules, what, thresholds, width=6):
    return stat(
        title, what + " Different addresses in the newest window, added up over the observers; behind address translation several clients are one.",
        q(f"sum({clients_of(rules)})", "clients", instant=True), "short", thresholds, width, 4,
        empty="0",
    )


def with_advice(expression):
    return f'label_replace({expression}, "advice", "$1", "rule", "(.*)")'


def board():
    serious = pick("violations_total", 'severity=~"critical|warning"', region="start")
    items = [
        row("Who must act?"),
        count("Refused for an old version", "legacy_client_refused",
              "Clients that get no connection, because their best offer is too old.", limits(GOOD, (1, BAD))),
        count("Agreed on an old version", "tls_version_too_low",
              "Clients that agreed on a version below the minimum.", limits(GOOD, (1, BAD))),
        count("Without TLS", "plaintext_http",
              "Clients that call DynamoDB in the clear.", limits(GOOD, (1, BAD))),
        count("Weak or without forward secrecy", "no_forward_secrecy|weak_cipher|weak_key_exchange",
              "Pairs of client and rule: a client that breaks three of these rules counts three times.", limits(GOOD, (1, WARN))),
        table(
            "Who must be upgraded, and to what",
            "Each rule that was broken seriously: how many clients broke it in the newest window, how often in this range, and what "
            "helps. Works without any address: `ddbwatch report` and the flow records name the clients.",
            [
                q(with_advice(f"round({total('rule, severity', in_range(serious))}) > 0"), "violations", table=True),
                q(with_advice(f"sum by (rule) ({CLIENTS}) > 0 and on (rule) sum by (rule) ({in_range(serious)}) > 0"), "clients", table=True),
            ],
            [
                column("rule", "Rule", width=220),
                column("severity", "Severity", mappings=words(SEVERITY), width=90),
                column("Value #B", "Clients", unit="short", decimals=0, width=80),
                column("Value #A", "Times", unit="short", decimals=0, width=90),
                column("advice", "What to do, and whose task it is", mappings=words(TO_DO)),
            ],
            ["severity", "rule", "Value #B", "Value #A", "advice"], "Value #B", width=24, height=11,
            empty="no rule was broken in this range",
        ),
        row("Which clients?"),
        table(
            "Worst clients",
            "Flows in this range that broke a rule, by client address. Only where the offender metric is on; `other` "
            "is everybody beyond its cap.",
            [q(with_advice(f"topk(50, round({total('client, rule', in_range(OFFENDERS))}) > 0)"), "flows", table=True)],
            [
                column("client", "Client", width=160),
                column("rule", "Rule", width=220),
                column("Value", "Flows", unit="short", decimals=0, width=90),
                column("advice", "What to do, and whose task it is", mappings=words(TO_DO)),
            ],
            ["client", "rule", "Value", "advice"], "Value", width=16, height=10, empty=OFF,
        ),
        bars(
            "Clients by number of violations",
            "The same added up per client, information left out: who to call first. Only where the offender metric is on.",
            [q(
                "topk(10, round(sum by (client) ("
                + in_range(pick("offender_flows_total", 'rule!~"signing_not_assessable|tls_version_not_recommended|sni_missing|cross_region_endpoint|early_data|endpoint_unrecognised"', region="none"))
                + ")) > 0)", "{{client}}", instant=True,
            )],
            "short", limits(WARN, (100, BAD)), 8, 10, empty=OFF,
        ),
        row("Are there fewer of them?"),
        graph(
            "Clients that break a rule",
            "Different clients in each window, for the rules that the owner of a client mends; an upgrade campaign shows here as a falling line.",
            [q(f"sum by (rule) ({clients_of('|'.join(CLIENT_COLORS))}) > 0", "{{rule}}")],
            "short", limits(GOOD, (1, WARN)), 12, 9, calcs=("lastNotNull", "max"), empty="no client broke a rule", colors=CLIENT_COLORS,
        ),
        graph(
            "Serious violations per minute, by severity",
            "How often rules of severity critical and warning are broken.",
            [q(per_minute("severity", serious), "{{severity}}")],
            "cpm", limits(GOOD, (0.000001, WARN)), 12, 9, bars=True, stack="normal", interval="2m", calcs=("mean", "max"),
            colors={"critical": BAD, "warning": WARN},
        ),
        row("Who is turned away, and why?"),
        table(
            "Refused attempts by best offer and reason",
            "Handshakes in this range that one side ended, by the best version the client offered.",
            [q(f'label_replace(round({total("offered, reason, region", in_range(REFUSED))}) > 0, "meaning", "$1", "reason", "(.*)")', "attempts", table=True)],
            [
                column("offered", "Best offer", width=90, mappings=words({
                    "1.3": ("1.3", GOOD), "1.2": ("1.2", SKY), "1.1": ("1.1", WARN), "1.0": ("1.0", BAD),
                    "3": ("SSL 3", BAD), "2": ("SSL 2", BAD),
                })),
                column("reason", "Ended by", width=180),
                column("meaning", "What it means", mappings=words(REFUSAL)),
                column("region", "Region", width=130),
                column("Value", "Attempts", unit="short", decimals=0, width=90),
            ],
            ["offered", "reason", "meaning", "region", "Value"], "Value", width=14, height=9,
            empty="nobody was refused in this range",
        ),
        graph(
            "Old clients that are refused",
            "Attempts per minute whose best offer is below TLS 1.2.",
            [q(protocol("offered", "60 * " + total("offered", rate(pick("handshakes_refused_total", f'offered=~"{OLD_VERSIONS}"')))), "{{offered}}")],
            "cpm", limits(GOOD, (1, WARN)), 10, 9, colors=VERSION_COLORS, calcs=("mean", "max"),
            empty="no old client was refused",
        ),
        row("What else do clients do?"),
        graph(
            "How flows end",
            "DynamoDB flows per minute by outcome. `not_seen` and `timed_out` are flows of which the end was not seen.",
            [q("60 * " + total("outcome", rate(pick("flows_total", 'service!="none"'))), "{{outcome}}")],
            "cpm", limits(GOOD), 12, 8, calcs=("mean", "max"),
            colors={
                "completed": "#0072B2", "refused_by_server": "#D55E00", "refused_by_client": "#E69F00", "reset": "#CC79A7",
                "closed": "#F0E442", "plaintext": "#7A3400", "timed_out": "#8C8C8C", "not_seen": "#BFBFBF",
            },
        ),
        graph(
            "Resumed handshakes",
            "Share of handshakes that resume an earlier one. Many full handshakes on the same path mean that clients "
            "open a connection per request.",
            [q(total("resumed", rate(pick("handshakes_total"))), "resumed: {{resumed}}")],
            "percentunit", limits(GOOD), 12, 8, stack="percent", calcs=("mean", "lastNotNull"),
            colors={"resumed: true": "#0072B2", "resumed: false": "#56B4E9", "resumed: unknown": "#8C8C8C"},
        ),
    ]
    return dashboard(
        "ddbwatch-clients",
        "Which clients must be upgraded, and to what: by rule and count without addresses, and by client where the "
        "offender metric is on.",
        items, [region()],
    )
