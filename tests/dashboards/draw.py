#!/usr/bin/env python3
"""Draws the dashboards as HTML and PNG, for people who want to look at them without a Grafana.

    draw.py METRICS FOLDER [--live URL]

Panels are placed, coloured, mapped and sorted as their JSON says, from the same queries to a real
Prometheus. It is no Grafana: it shows whether the picture says what it should.
"""

import datetime
import html
import re
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import boards  # noqa: E402
import servers  # noqa: E402
import world  # noqa: E402

CELL, UNIT_HEIGHT = 62, 38
PALETTE = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C", "#7A3400", "#BFBFBF"]


def number(value, unit, decimals=None):
    """A value in words, much as Grafana writes it."""
    if value is None:
        return ""
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f}%"
    if unit == "s":
        for size, word in ((86400 * 365, "years"), (86400, "days"), (3600, "hours"), (60, "mins"), (1, "s"), (0.001, "ms")):
            if abs(value) >= size:
                return f"{value / size:.{1 if decimals is None else decimals}f} {word}"
        return "0 s"
    if unit in ("bytes", "Bps"):
        for size, word in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= size:
                return f"{value / size:.1f} {word}" + ("/s" if unit == "Bps" else "")
        return f"{value:.0f} B"
    tail = {"pps": " p/s", "cpm": " /min", "d": " days"}.get(unit, "")
    for size, word in ((1e6, " Mil"), (1e4, " K")):
        if abs(value) >= size:
            return f"{value / (size if size == 1e6 else 1e3):.1f}{word}{tail}"
    text = f"{value:.{2 if decimals is None else decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + tail


def color_of(value, steps):
    shown = steps[0]["color"]
    for step in steps[1:]:
        if value is not None and value >= step["value"]:
            shown = step["color"]
    return shown


def mapped(value, mappings):
    for mapping in mappings or []:
        found = mapping["options"].get(str(int(value)) if isinstance(value, float) and value == int(value) else str(value))
        if found:
            return found["text"], found.get("color")
    return None


def legend(target, labels):
    if not target["legendFormat"]:
        return str(labels)
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), target["legendFormat"]).strip()


def series_color(panel, name, index):
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        hit = name == matcher["options"] if matcher["id"] == "byName" else re.fullmatch(matcher["options"], name)
        if hit:
            for one in override["properties"]:
                if one["id"] == "color":
                    return one["value"]["fixedColor"]
    return PALETTE[index % len(PALETTE)]


def empty(panel):
    return f"<div class=empty>{html.escape(panel['fieldConfig']['defaults']['noValue'])}</div>"


def draw_stat(panel, results):
    defaults = panel["fieldConfig"]["defaults"]
    values = [float(one["value"][1]) for _, found in results for one in found]
    if not values:
        return empty(panel)
    value = values[0]
    text = number(value, defaults["unit"], defaults.get("decimals"))
    color = color_of(value, defaults["thresholds"]["steps"])
    if hit := mapped(value, defaults["mappings"]):
        text, color = hit[0], hit[1] or color
    return f"<div class=stat style='background:{color}'>{text}</div>"


def draw_bars(panel, results):
    defaults = panel["fieldConfig"]["defaults"]
    rows = [(legend(target, one["metric"]), float(one["value"][1])) for target, found in results for one in found]
    if not rows:
        return empty(panel)
    most = defaults.get("max") or max(value for _, value in rows) or 1
    lines = []
    for name, value in rows:
        color = color_of(value, defaults["thresholds"]["steps"])
        lines.append(
            f"<tr><td>{html.escape(name)}<td class=wide><div style='background:{color};width:{100 * value / most:.1f}%'>&nbsp;</div>"
            f"<td class=num>{number(value, defaults['unit'])}"
        )
    return f"<table class=bars>{''.join(lines)}</table>"


def draw_table(panel, results):
    rows = {}
    many = len(results) > 1
    for target, found in results:
        field = f"Value #{target['refId']}" if many else "Value"
        for one in found:
            labels = {key: value for key, value in one["metric"].items() if key != "__name__"}
            rows.setdefault(tuple(sorted(labels.items())), dict(labels))[field] = float(one["value"][1])
    # The transformation `merge` joins rows that do not contradict each other.
    joined = []
    for labels in sorted(rows.values(), key=len, reverse=True):
        for other in joined:
            shared = set(labels) & set(other)
            if shared and all(labels[key] == other[key] for key in shared):
                other.update(labels)
                break
        else:
            joined.append(dict(labels))
    # Grafana joins in the other direction as well: one short row may belong to several longer ones.
    for short in rows.values():
        for other in joined:
            shared = [key for key in short if not key.startswith("Value")]
            if shared and all(other.get(key) == short[key] for key in shared):
                for key, value in short.items():
                    other.setdefault(key, value)
    if not joined:
        return empty(panel)
    steps = {one["id"]: one["options"] for one in panel["transformations"]}
    order = steps["organize"]["indexByName"]
    hidden = steps["organize"]["excludeByName"]
    fields = sorted({key for one in joined for key in one} - set(hidden), key=lambda key: order.get(key, 99))
    sort = steps["sortBy"]["sort"][0]["field"]
    joined.sort(key=lambda one: (isinstance(one.get(sort), float), one.get(sort) or 0), reverse=True)
    looks = {}
    for override in panel["fieldConfig"]["overrides"]:
        looks[override["matcher"]["options"]] = {one["id"]: one["value"] for one in override["properties"]}
    head = "".join(
        f"<th style='width:{looks.get(field, {}).get('custom.width', 'auto')}px'>{html.escape(looks.get(field, {}).get('displayName', field))}"
        for field in fields)
    lines = []
    for one in joined:
        cells = []
        for field in fields:
            look, value, style = looks.get(field, {}), one.get(field), ""
            text = number(value, look.get("unit", "short"), look.get("decimals")) if isinstance(value, float) else html.escape(value or "")
            if hit := mapped(value, look.get("mappings")):
                text, color = hit
                style = f"color:{color};font-weight:600" if color else ""
            elif "thresholds" in look and value is not None:
                color = color_of(value, look["thresholds"]["steps"])
                if look["custom.cellOptions"]["type"] == "gauge":
                    text = f"<div class=gauge style='background:{color};width:{90 * value:.0f}px'></div>{text}"
                else:
                    style = f"background:{color}"
            cells.append(f"<td style='{style}' class={'num' if isinstance(value, float) else 'text'}>{text}")
        lines.append(f"<tr>{''.join(cells)}")
    return f"<table class=rows><tr>{head}{''.join(lines)}</table>"


def draw_graph(panel, results, start, end, step, notes, width, height):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    lines = []
    for target, found in results:
        for one in found:
            lines.append((legend(target, one["metric"]), {int(float(at)): float(value) for at, value in one["values"]}))
    lines = [(name, points) for name, points in lines if points]
    if not lines:
        return empty(panel)
    times = list(range(start, end + 1, step))
    mode = custom["stacking"]["mode"]
    stacked, below = [], dict.fromkeys(times, 0.0)
    sums = {at: sum(points.get(at, 0.0) for _, points in lines) for at in times}
    for name, points in lines:
        if mode == "none":
            stacked.append((name, points, None))
            continue
        top, base = {}, dict(below)
        for at in times:
            value = points.get(at, 0.0)
            if mode == "percent":
                value = value / sums[at] if sums[at] else 0.0
            below[at] += value
            top[at] = below[at]
        stacked.append((name, top, base))
    most = defaults.get("max") or (1.0 if mode == "percent" else max(max(points.values()) for _, points, _ in stacked) or 1.0)
    shown_steps = defaults["thresholds"]["steps"] if custom["thresholdsStyle"]["mode"] != "off" else []
    plot_width, plot_height = width - 66, height - 20
    x = lambda at: 60 + (at - start) / (end - start) * plot_width  # noqa: E731
    y = lambda value: 4 + plot_height * (1 - min(value, most * 1.02) / most)  # noqa: E731
    parts = []
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        value = most * fraction
        parts.append(f"<line x1=60 x2={60 + plot_width} y1={y(value):.1f} y2={y(value):.1f} stroke='#333'/>"
                     f"<text x=56 y={y(value) + 4:.1f} text-anchor=end>{number(value, 'percentunit' if mode == 'percent' else defaults['unit'])}</text>")
    for hour in range(start - start % 7200 + 7200, end, 7200):
        clock = datetime.datetime.fromtimestamp(hour, datetime.timezone.utc).strftime("%H:%M")
        parts.append(f"<text x={x(hour):.1f} y={plot_height + 17} text-anchor=middle>{clock}</text>")
    for index, (name, points, base) in enumerate(stacked):
        color = series_color(panel, name, index)
        if custom["drawStyle"] == "bars":
            for at, value in points.items():
                low = base[at] if base else 0.0
                if value > low:
                    parts.append(f"<rect x={x(at) - plot_width / len(times) * 0.45:.1f} width={plot_width / len(times) * 0.9:.1f} y={y(value):.1f} height={max(0.5, y(low) - y(value)):.1f} fill='{color}'/>")
        elif base:
            outline = " ".join(f"{x(at):.1f},{y(points[at]):.1f}" for at in times)
            outline += " " + " ".join(f"{x(at):.1f},{y(base[at]):.1f}" for at in reversed(times))
            parts.append(f"<polygon points='{outline}' fill='{color}' fill-opacity=0.75 stroke='{color}'/>")
        else:
            run = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in sorted(points.items()))
            parts.append(f"<polyline points='{run}' fill=none stroke='{color}' stroke-width=1.8 />")
    for step_ in shown_steps[1:]:
        if step_["value"] <= most:
            parts.append(f"<line x1=60 x2={60 + plot_width} y1={y(step_['value']):.1f} y2={y(step_['value']):.1f} stroke='{step_['color']}' stroke-dasharray='6 4'/>")
    for at, color in notes:
        if start <= at <= end:
            parts.append(f"<line x1={x(at):.1f} x2={x(at):.1f} y1=4 y2={plot_height + 4} stroke='{color}' stroke-dasharray='3 3'/>")
    keys = []
    calcs = panel["options"]["legend"]["calcs"]
    for index, (name, points) in enumerate(lines):
        values = list(points.values())
        picks = {"lastNotNull": values[-1], "max": max(values), "mean": sum(values) / len(values), "sum": sum(values)}
        if mode == "percent":
            words = ""
        else:
            words = " ".join(f"<i>{calc.replace('lastNotNull', 'last')}</i> {number(picks[calc], defaults['unit'])}" for calc in calcs)
        keys.append(f"<span><b style='background:{series_color(panel, name, index)}'></b>{html.escape(name)} <small>{words}</small></span>")
    return f"<svg width={width} height={height}>{''.join(parts)}</svg><div class=keys>{''.join(keys)}</div>"


def notes_of(board, url, now, span):
    notes = []
    for one in board["annotations"]["list"]:
        if "expr" not in one:
            continue
        expression, _ = boards.filled(board, one["expr"], world.STEP, span=span)
        for found in boards.ask(url, expression, 120, now, False, span):
            before = 0
            for at, value in found["values"]:
                if one.get("useValueForTime"):
                    notes.append((float(value) / 1000, one["iconColor"]))
                elif float(value) > 0 and float(at) - before > 240:
                    notes.append((float(at), one["iconColor"]))
                if float(value) > 0:
                    before = float(at)
    return sorted(set(notes))


STYLE = """
body{background:#111217;color:#d5d6da;font:13px Inter,Helvetica,Arial,sans-serif;margin:0;position:relative}
.panel{position:absolute;background:#181b1f;border:1px solid #2b2e34;box-sizing:border-box;overflow:hidden;padding:4px 6px}
.panel h3{font-size:13px;margin:0 0 3px;font-weight:600;color:#fff;white-space:nowrap}
.row{position:absolute;font-size:16px;font-weight:700;padding:9px 6px;color:#fff}
.stat{font-size:34px;font-weight:700;color:#fff;text-align:center;display:flex;align-items:center;justify-content:center;height:calc(100% - 22px)}
.empty{color:#9a9ca3;padding:20px;text-align:center}
table{border-collapse:collapse;width:100%}td,th{padding:3px 5px;text-align:left;border-bottom:1px solid #26292f;vertical-align:top}
th{color:#7fb8ff;font-size:12px}.num{text-align:right}.bars td{border:0;white-space:nowrap}.wide{width:60%}.wide div{height:16px}
.gauge{display:inline-block;height:12px;margin-right:6px;vertical-align:middle}
svg text{fill:#9a9ca3;font-size:10px}.keys span{margin-right:12px;white-space:nowrap;font-size:11.5px}.keys b{display:inline-block;width:12px;height:4px;margin:0 5px 3px 0}
.keys small{color:#9a9ca3}.keys i{font-style:normal;color:#6f7177}h1{font-size:18px;margin:0;padding:10px}
"""


def page(board, url, now, span):
    notes = notes_of(board, url, now, span)
    parts, bottom = [], 0
    for item in board["panels"]:
        grid = item["gridPos"]
        left, top = grid["x"] * CELL + 8, grid["y"] * UNIT_HEIGHT + 46
        width, height = grid["w"] * CELL - 6, grid["h"] * UNIT_HEIGHT - 6
        bottom = max(bottom, top + height)
        if item["type"] == "row":
            parts.append(f"<div class=row style='left:{left}px;top:{top - 6}px'>{html.escape(item['title'])}</div>")
            continue
        results, step = [], 60
        for target in item["targets"]:
            expression, step = boards.filled(board, target["expr"], world.STEP, item.get("interval"), span)
            results.append((target, boards.ask(url, expression, step, now, target["instant"], span)))
        if item["type"] == "stat":
            body = draw_stat(item, results)
        elif item["type"] == "bargauge":
            body = draw_bars(item, results)
        elif item["type"] == "table":
            body = draw_table(item, results)
        else:
            keys = sum(len(found) for _, found in results)
            room = 18 * (1 + keys * 190 // max(width, 1))
            body = draw_graph(item, results, now - span, now, step, notes, width - 14, max(90, height - 34 - min(room, height // 3)))
        parts.append(f"<div class=panel style='left:{left}px;top:{top}px;width:{width}px;height:{height}px'><h3>{html.escape(item['title'])}</h3>{body}</div>")
    return bottom + 10, (
        f"<!doctype html><meta charset=utf-8><title>{board['title']}</title><style>{STYLE}</style>"
        f"<h1>{board['title']} <small style='color:#9a9ca3;font-weight:400'>last {span // 3600} hours</small></h1>{''.join(parts)}"
    )


def shoot(path, height):
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--hide-scrollbars", f"--window-size={24 * CELL + 16},{height}",
         f"--screenshot={path.with_suffix('.png')}", path.as_uri()],
        check=True, timeout=120, capture_output=True,
    )


def main():
    base, folder = Path(sys.argv[1]).read_text(encoding="utf-8"), Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    now = int(time.time()) - 60
    with servers.folder() as data:
        servers.backfill(data, world.open_metrics(world.make(base, now), now))
        with servers.prometheus(data) as url:
            for name, board in boards.boards():
                height, text = page(board, url, now, boards.RANGE_SECONDS)
                path = folder / f"{name}.html"
                path.write_text(text, encoding="utf-8")
                shoot(path, height)
                print(path.with_suffix(".png"))


if __name__ == "__main__":
    main()
