"""Reads the dashboards as Grafana would: variables put in, queries sent to a Prometheus."""

import json
from pathlib import Path

from servers import get

ROOT = Path(__file__).resolve().parents[2]
RANGE_SECONDS = 12 * 3600
POINTS = 180


def boards():
    for path in sorted((ROOT / "dashboards/grafana").glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def all_of(board):
    """What `$name` stands for where "All" is chosen."""
    values = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            values[variable["name"]] = variable["allValue"]
        elif variable["type"] == "custom":
            values[variable["name"]] = variable["current"]["value"]
    return values


def filled(board, expression, scrape, minimum=None, span=RANGE_SECONDS, points=POINTS):
    """The query with its variables put in, and its step. Intervals as Grafana reckons them."""
    interval = max(span // points, scrape, seconds(minimum) if minimum else 0)
    values = {
        "__rate_interval": f"{max(interval + scrape, 4 * scrape)}s",
        "__interval": f"{interval}s",
        "__range": f"{span}s",
        **all_of(board),
    }
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(f"${{{name}}}", values[name]).replace(f"${name}", values[name])
    return expression, interval


def seconds(text):
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def ask(url, expression, step, now, instant, span=RANGE_SECONDS):
    """The result of one query."""
    if instant:
        answer = get(f"{url}/api/v1/query", {"query": expression, "time": now})
    else:
        answer = get(f"{url}/api/v1/query_range", {"query": expression, "start": now - span, "end": now, "step": step})
    return json.loads(answer)["data"]["result"]
