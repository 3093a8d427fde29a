"""Are we keeping the rules?"""

from .grafana import (
    BAD, GOOD, GREY, SKY, WARN, bars, column, dashboard, graph, in_range, limits, per_minute, pick, q, rate, region, row, share,
    stat, table, total, words,
)
from .words import CRITICAL_COLORS, KIND_COLORS, OLD_VERSIONS, SEVERITY, VERDICT_COLORS, VERSION_COLORS, protocol

VERDICTS = pick("flow_verdicts_total", region="none")
INFO = pick("violations_total", 'severity="info"', region="start")
SERIOUS = pick("violations_total", 'severity=~"critical|warning"', region="start")
CRITICAL = pick("violations_total", 'severity="critical"', region="start")
HANDSHAKES = pick("handshakes_total")
KEYS = pick("key_exchange_total")

CUTOFF = {
    "current": {"selected": True, "text": "2027-12-31", "value": "1830211200"},
    "hide": 0,
    "includeAll": False,
    "label": "Cut-off",
    "multi": False,
    "name": "cutoff",
    "options": [
        {"selected": text == "2027-12-31", "text": text, "value": value}
        for text, value in [
            ("2026-12-31", "1798675200"), ("2027-03-31", "1806451200"), ("2027-06-30", "1814313600"),
            ("2027-12-31", "1830211200"), ("2028-12-31", "1861833600"), ("2030-12-31", "1924905600"),
        ]
    ],
    "query": "2026-12-31 : 1798675200, 2027-03-31 : 1806451200, 2027-06-30 : 1814313600, "
             "2027-12-31 : 1830211200, 2028-12-31 : 1861833600, 2030-12-31 : 1924905600",
    "skipUrlSync": False,
    "type": "custom",
}


def verdict(word):
    return pick("flow_verdicts_total", f'verdict="{word}"', region="none")


def board():
    grew = "increase({}[$__range])".format
    everything = total("", grew(VERDICTS))
    old = pick("handshakes_total", f'version=~"{OLD_VERSIONS}"')
    refused = pick("handshakes_refused_total", f'offered=~"{OLD_VERSIONS}"')
    secret = pick("key_exchange_total", 'kind=~"post_quantum|classical"')
    hybrid = pick("key_exchange_total", 'kind="post_quantum"')
    items = [
        row("Are we keeping the rules?"),
        stat(
            "Flows that break a rule",
            "Share of the flows in this range whose verdict is `violation`. Flows that could not be judged count "
            "in the whole, not as good.",
            q(share(total("", grew(verdict("violation"))), everything), "violation", instant=True),
            "percentunit", limits(GOOD, (0.000001, WARN), (0.05, BAD)), 5, 5, decimals=1,
        ),
        stat(
            "Critical violations",
            "Violations of severity critical in this range. One is enough to look: the table below says which rule.",
            q(f"round({total('', in_range(CRITICAL))})", "critical", instant=True),
            "short", limits(GOOD, (0.5, BAD)), 4, 5, to="ddbwatch-clients",
        ),
        stat(
            "Proven compliant",
            "Share of flows that were seen in full and keep every rule of the profile.",
            q(share(total("", grew(verdict("pass"))), everything), "pass", instant=True),
            "percentunit", limits(BAD, (0.8, WARN), (0.95, GOOD)), 4, 5, decimals=1,
        ),
        stat(
            "Could not be judged",
            "Share of flows of which too little was seen for a verdict. They are neither good nor bad; Observer "
            "health says why.",
            q(share(total("", grew(verdict("not_assessable"))), everything), "not assessable", instant=True),
            "percentunit", limits(GREY, (0.1, WARN), (0.4, BAD)), 4, 5, decimals=1, to="ddbwatch-health",
        ),
        stat(
            "Refused old clients",
            f"Attempts in this range whose best offer is older than TLS 1.2 and that were ended. These clients get "
            "no connection; no log of AWS shows them.",
            q(f"round({total('', in_range(refused))} or vector(0))", "refused", instant=True),
            "short", limits(GOOD, (0.5, WARN), (1000, BAD)), 4, 5, to="ddbwatch-clients",
        ),
        stat(
            "Days to the cut-off",
            "Days left until the day chosen as Cut-off above: for instance the day from which the next minimum "
            "version is in force.",
            q("vector(($cutoff - time()) / 86400)", "days", instant=True),
            "d", limits(BAD, (30, WARN), (90, SKY)), 3, 5, decimals=0,
        ),
        table(
            "Which rules are broken",
            "Critical violations and warnings in this range by rule, and how many different clients broke it in the "
            "newest window. `ddbwatch explain RULE` says why the rule is there and what helps.",
            [
                q(f"sort_desc(round({total('rule, severity', in_range(SERIOUS))}) > 0)", "violations", table=True),
                q(f"sum by (rule) ({pick('violating_clients', region='none')}) > 0 and on (rule) sum by (rule) ({in_range(SERIOUS)}) > 0", "clients", table=True),
            ],
            [
                column("rule", "Rule", width=230),
                column("severity", "Severity", mappings=words(SEVERITY), width=90),
                column("Value #A", "Violations", unit="short", decimals=0),
                column("Value #B", "Clients", unit="short", decimals=0),
            ],
            ["severity", "rule", "Value #A", "Value #B"], "Value #A", width=10, height=10,
            empty="no rule was broken in this range",
        ),
        graph(
            "Critical violations per minute, by rule",
            "How often each critical rule is broken. A colour that was not there before is a new kind of violation.",
            [q(per_minute("rule", CRITICAL) + " > 0", "{{rule}}")],
            "cpm", limits(GOOD, (0.000001, BAD)), 14, 10, bars=True, stack="normal", interval="2m", calcs=("mean", "max"),
            empty="no critical violation in this range", colors=CRITICAL_COLORS,
        ),
        row("Is it getting better?"),
        graph(
            "Verdicts",
            "Share of the flows by verdict over time.",
            [q(total("verdict", rate(VERDICTS)), "{{verdict}}")],
            "percentunit", limits(GOOD), 12, 8, stack="percent", colors=VERDICT_COLORS, calcs=("mean", "lastNotNull"),
        ),
        graph(
            "Flows that break a rule: now and one day before",
            "Share of flows with the verdict `violation`; the second line is the same hour one day earlier.",
            [
                q(share(total("", rate(verdict("violation"))), total("", rate(VERDICTS))), "now"),
                q(
                    f"sum(rate({verdict('violation')}[$__rate_interval] offset 1d)) / "
                    f"(sum(rate({VERDICTS}[$__rate_interval] offset 1d)) > 0)",
                    "one day before",
                ),
            ],
            "percentunit", limits(GOOD, (0.05, BAD)), 12, 8, line=True, colors={"now": BAD, "one day before": GREY},
            calcs=("mean", "max"),
        ),
        row("What is agreed on?"),
        graph(
            "Negotiated versions",
            "Handshakes by the version the server chose. Below TLS 1.2 nothing should be left: the endpoints of AWS "
            "no longer agree to it, so something else answered.",
            [q(protocol("version", total("version", rate(HANDSHAKES))), "{{version}}")],
            "percentunit", limits(GOOD), 10, 8, stack="percent", colors=VERSION_COLORS, calcs=("mean", "lastNotNull"),
        ),
        table(
            "Version, suite and path",
            "Handshakes in this range by what was agreed on and the way they took: the inventory of protocols and "
            "suites in use.",
            [q(f"sort_desc(round({total('version, cipher, access, entry', in_range(HANDSHAKES))}) > 0)", "handshakes", table=True)],
            [
                column("version", "Version", width=80, mappings=words({
                    "1.3": ("1.3", GOOD), "1.2": ("1.2", SKY), "1.1": ("1.1", WARN), "1.0": ("1.0", BAD),
                    "3": ("SSL 3", BAD), "2": ("SSL 2", BAD),
                })),
                column("cipher", "Cipher suite"),
                column("access", "Way to AWS", width=165),
                column("entry", "Entry", width=150),
                column("Value", "Handshakes", unit="short", decimals=0, width=105),
            ],
            ["version", "cipher", "access", "entry", "Value"], "Value", width=14, height=8,
        ),
        stat(
            "Handshakes below TLS 1.2",
            "Handshakes in this range that were agreed on below TLS 1.2.",
            q(f"round({total('', in_range(old))} or vector(0))", "below TLS 1.2", instant=True),
            "short", limits(GOOD, (0.5, BAD)), 4, 8,
        ),
        stat(
            "With forward secrecy",
            "Share of handshakes with an ephemeral key exchange, classical or post-quantum. Resumed ones whose full "
            "handshake was not seen count in the whole, not as good.",
            q(share(total("", in_range(secret)), total("", in_range(KEYS))), "forward secrecy", instant=True),
            "percentunit", limits(BAD, (0.9, WARN), (0.99, GOOD)), 4, 8, decimals=1,
        ),
        stat(
            "Post-quantum",
            "Share of handshakes whose keys were agreed on with ML-KEM, alone or in a hybrid.",
            q(f"(sum({in_range(hybrid)}) or vector(0)) / (sum({in_range(KEYS)}) > 0)", "post-quantum", instant=True),
            "percentunit", limits(SKY, (0.5, GOOD)), 4, 8, decimals=1,
        ),
        graph(
            "Key exchange",
            "Share of handshakes by kind of key exchange. `none` is without forward secrecy; `unknown` is mostly "
            "resumption whose full handshake was not seen.",
            [q(total("kind", rate(KEYS)), "{{kind}}")],
            "percentunit", limits(GOOD), 12, 8, stack="percent", colors=KIND_COLORS, calcs=("mean", "lastNotNull"),
        ),
        row("Who is turned away?"),
        graph(
            "Refused attempts, by best version offered",
            "Handshakes per minute that one side ended before they were complete. Offers below TLS 1.2 are old "
            "clients; newer ones failed for another reason, which the table names.",
            [q(protocol("offered", "60 * " + total("offered", rate(pick("handshakes_refused_total")))), "{{offered}}")],
            "cpm", limits(GOOD), 9, 8, colors=VERSION_COLORS, calcs=("mean", "max"),
        ),
        bars(
            "Post-quantum share by region",
            "Share of handshakes with ML-KEM in this range, by region of the endpoint.",
            [q(f"sort_desc(sum by (region) ({in_range(hybrid)}) / (sum by (region) ({in_range(KEYS)}) > 0))", "{{region}}", instant=True)],
            "percentunit", limits(SKY, (0.5, GOOD)), 5, 8, maximum=1, empty="no ML-KEM handshake in this range",
        ),
        bars(
            "Groups in use",
            "Handshakes in this range by group of the key exchange; `none` is no ephemeral exchange, or one not seen.",
            [q(f"topk(10, round({total('group', in_range(HANDSHAKES))}) > 0)", "{{group}}", instant=True)],
            "short", limits(SKY), 5, 8,
        ),
        bars(
            "For information, or under an exception",
            "Violations of severity info in this range: they change no verdict. An exception of the policy turns its "
            "violations into these.",
            [q(f"sort_desc(round({total('rule', in_range(INFO))}) > 0)", "{{rule}}", instant=True)],
            "short", limits(SKY), 5, 8, empty="none",
        ),
    ]
    return dashboard(
        "ddbwatch-posture",
        "Are we keeping the rules for TLS to DynamoDB? Verdicts, violations by rule, what is agreed on, who is "
        "refused, and the way to a cut-off day.",
        items, [region(), CUTOFF],
    )
