"""Pieces the dashboards are put together from: queries, panels, the frame around them.

Only panels that every Grafana has are made here. Each panel must have a title, a description, a
unit, thresholds and a legend; the functions ask for them, so none is forgotten.
"""

# The palette of Okabe and Ito, made so that people with any colour blindness tell them apart.
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, RED, PURPLE, GREY = "#E69F00", "#D55E00", "#CC79A7", "#8C8C8C"

# Blue is good and red is bad: green against red is the pair that most colour-blind people cannot tell.
GOOD, WARN, BAD, UNKNOWN = BLUE, ORANGE, RED, GREY

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCOPE = 'job=~"$job", instance=~"$instance"'
WIDTH = 24

DASHBOARDS = {
    "ddbwatch-posture": ("Posture", "posture"),
    "ddbwatch-paths": ("Paths", "paths"),
    "ddbwatch-clients": ("Clients", "clients"),
    "ddbwatch-health": ("Observer health", "observer-health"),
}


# Queries.


def pick(metric, *matchers, region="exact"):
    """A selector. `region` is `exact`, `none` (the metric has no region) or `start` (keeps the series
    of region `none`, which are there from the start with the value 0)."""
    matchers = [SCOPE, *matchers]
    if region == "exact":
        matchers.append('region=~"$region"')
    elif region == "start":
        matchers.append('region=~"$region|none"')
    return f"ddbwatch_{metric}{{{', '.join(matchers)}}}"


def rate(selector):
    """Per second, for drawing over time."""
    return f"rate({selector}[$__rate_interval])"


def in_range(selector):
    """How much a counter grew in the range shown, series that were born in it included.

    `increase` alone takes the first value of a series as its starting point, so that something that
    happened once would count as nothing.
    """
    return f"(increase({selector}[$__range]) and {selector} offset $__range or max_over_time({selector}[$__range]))"


def per_minute(labels, selector):
    """Growth per minute, births of series included where one of each sum starts at 0.

    Summed per instance before the rate: the series of one process begin anew together. Draw with
    `interval="2m"`, so that each window holds two points at least.
    """
    return f"60 * sum by ({labels}) (rate((sum by (job, instance, {labels}) ({selector}))[$__rate_interval:1m]))"


def total(labels, expression):
    return f"sum by ({labels}) ({expression})" if labels else f"sum({expression})"


def share(part, whole):
    """A share; no answer where there is nothing to share."""
    return f"{part} / ({whole} > 0)"


# Panels.


def limits(*steps_):
    """Thresholds: the first colour holds below the first value."""
    first, *rest = steps_
    return [{"color": first, "value": None}] + [{"color": color, "value": value} for value, color in rest]


def q(expression, legend, instant=False, table=False):
    return {"expr": expression, "legend": legend, "instant": instant or table, "table": table}


def targets(queries):
    made = []
    for letter, query in zip("ABCDEFGH", queries):
        made.append({
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query["expr"],
            "format": "table" if query["table"] else "time_series",
            "instant": query["instant"],
            "legendFormat": query["legend"],
            "range": not query["instant"],
            "refId": letter,
        })
    return made


def words(mapping):
    """Value mappings from `{value: text}` or `{value: (text, colour)}`."""
    options = {}
    for index, (value, shown) in enumerate(mapping.items()):
        text, color = shown if isinstance(shown, tuple) else (shown, None)
        options[value] = {"index": index, "text": text, **({"color": color} if color else {})}
    return [{"options": options, "type": "value"}]


def panel(kind, title, description, queries, unit, thresholds, size, options, defaults=None, overrides=None,
          transformations=None, interval=None):
    width, height = size
    made = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": targets(queries),
        "fieldConfig": {
            "defaults": {
                "color": {"mode": "thresholds"},
                "mappings": [],
                "noValue": "no data",
                "thresholds": {"mode": "absolute", "steps": thresholds},
                "unit": unit,
                **(defaults or {}),
            },
            "overrides": overrides or [],
        },
        "options": options,
    }
    if transformations:
        made["transformations"] = transformations
    if interval:
        made["interval"] = interval
    return made


def stat(title, description, query, unit, thresholds, width=4, height=4, mappings=None, decimals=None, empty="no data",
         spark=False, name=False, to=None):
    """One number. `to`: the dashboard that says more."""
    defaults = {"noValue": empty}
    if mappings:
        defaults["mappings"] = mappings
    if decimals is not None:
        defaults["decimals"] = decimals
    if to:
        title_there = DASHBOARDS[to][0]
        url = f"/d/{to}?${{__url_time_range}}&${{job:queryparam}}&${{instance:queryparam}}"
        defaults["links"] = [{"targetBlank": False, "title": f"More: {title_there}", "url": url}]
    return panel(
        "stat", title, description, [query], unit, thresholds, (width, height),
        {
            "colorMode": "background" if not spark else "value",
            "graphMode": "area" if spark else "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value_and_name" if name else "value",
            "wideLayout": True,
        },
        defaults,
    )


def graph(title, description, queries, unit, thresholds=None, width=12, height=8, stack=None, colors=None, bars=False,
          line=False, maximum=None, minimum=0, interval=None, calcs=("lastNotNull", "max"), by_regex=None, empty="no data"):
    """Values over time. `stack`: `normal` or `percent`; `line`: the thresholds are drawn."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else (60 if stack else 8),
        "lineWidth": 1,
        "pointSize": 4,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": stack or "none"},
        "thresholdsStyle": {"mode": "dashed" if line else "off"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom, "min": minimum, "noValue": empty}
    if maximum is not None:
        defaults["max"] = maximum
    overrides = [fixed("byName", name, color) for name, color in (colors or {}).items()]
    overrides += [fixed("byRegexp", name, color) for name, color in (by_regex or {}).items()]
    return panel(
        "timeseries", title, description, queries, unit, thresholds or limits(GOOD), (width, height),
        {
            "legend": {"calcs": list(calcs), "displayMode": "table", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        defaults, overrides, interval=interval,
    )


def fixed(matcher, name, color):
    return {
        "matcher": {"id": matcher, "options": name},
        "properties": [{"id": "color", "value": {"fixedColor": color, "mode": "fixed"}}],
    }


def bars(title, description, queries, unit, thresholds, width=8, height=8, mappings=None, maximum=None, empty="no data"):
    """Numbers side by side."""
    defaults = {"min": 0, "noValue": empty}
    if mappings:
        defaults["mappings"] = mappings
    if maximum is not None:
        defaults["max"] = maximum
    return panel(
        "bargauge", title, description, queries, unit, thresholds, (width, height),
        {
            "displayMode": "basic",
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        },
        defaults,
    )


def column(name, title=None, unit=None, mappings=None, thresholds=None, width=None, gauge=False, decimals=None, maximum=None):
    """How one column of a table looks."""
    properties = []
    if title:
        properties.append({"id": "displayName", "value": title})
    if unit:
        properties.append({"id": "unit", "value": unit})
    if mappings:
        properties.append({"id": "mappings", "value": mappings})
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text", "wrapText": True}})
    if thresholds:
        properties.append({"id": "thresholds", "value": {"mode": "absolute", "steps": thresholds}})
        kind = {"mode": "basic", "type": "gauge"} if gauge else {"mode": "basic", "type": "color-background"}
        properties.append({"id": "custom.cellOptions", "value": kind})
    if width:
        properties.append({"id": "custom.width", "value": width})
    if decimals is not None:
        properties.append({"id": "decimals", "value": decimals})
    if maximum is not None:
        properties.append({"id": "max", "value": maximum})
        properties.append({"id": "min", "value": 0})
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def table(title, description, queries, columns, order, sort, unit="short", thresholds=None, width=12, height=8,
          hide=(), empty="nothing in this range"):
    """Rows by label. `order` is the order of the fields, `sort` the field to sort by, highest first."""
    transformations = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {name: True for name in ("Time", *hide)},
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": {},
            },
        },
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": True, "field": sort}]}},
    ]
    return panel(
        "table", title, description, queries, unit, thresholds or limits(GOOD), (width, height),
        {"cellHeight": "sm", "footer": {"countRows": False, "reducer": ["sum"], "show": False}, "showHeader": True},
        {
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False},
            "noValue": empty,
        },
        columns, transformations,
    )


def row(title):
    """A line with a question that the panels below it answer."""
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": WIDTH, "h": 1}, "panels": []}


# The frame.


def variable(name, label, query, hide_all=False, all_value=".+"):
    return {
        "allValue": all_value,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def data_source():
    return {
        "current": {},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def annotation(name, expression, color, title, value_is_time):
    made = {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expression,
        "hide": False,
        "iconColor": color,
        "name": name,
        "step": "60s",
        "tagKeys": "job,instance",
        "textFormat": "{{instance}} {{interface}}",
        "titleFormat": title,
    }
    if value_is_time:
        made["useValueForTime"] = True
    return made


def annotations():
    scope = f"{{{SCOPE}}}"
    return [
        {
            "builtIn": 1,
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": True,
            "hide": True,
            "iconColor": SKY,
            "name": "Annotations & Alerts",
            "type": "dashboard",
        },
        annotation(
            "Observer restarts",
            f"1000 * process_start_time_seconds{scope} and on (job, instance) ddbwatch_build_info{scope}",
            PURPLE, "Observer started", True,
        ),
        annotation(
            "Reloads", f"1000 * ddbwatch_config_last_reload_success_timestamp_seconds{scope}", SKY,
            "Configuration reloaded", True,
        ),
        annotation(
            "Reload refused", f"ddbwatch_config_last_reload_successful{scope} == bool 0", RED,
            "Configuration refused, the old one is in force", False,
        ),
        annotation(
            "Capture restarts", f"sum by (job, instance, interface) (increase(ddbwatch_capture_restarts_total{scope}[2m]))",
            ORANGE, "Capture opened again", False,
        ),
    ]


def place(items):
    """Ids and places: panels fill lines from left to right, a row starts a new line."""
    x = y = line = 0
    for number, item in enumerate(items, start=1):
        grid = item["gridPos"]
        if x + grid["w"] > WIDTH or item["type"] == "row":
            x, y, line = 0, y + line, 0
        item["id"] = number
        item["gridPos"] = {"h": grid["h"], "w": grid["w"], "x": x, "y": y}
        x += grid["w"]
        line = max(line, grid["h"])
    return items


PANEL_NAMES = {
    "bargauge": "Bar gauge",
    "stat": "Stat",
    "table": "Table",
    "timeseries": "Time series",
}


def dashboard(uid, description, items, variables=(), span="now-24h"):
    """A whole dashboard."""
    title, _ = DASHBOARDS[uid]
    items = place(items)
    kinds = sorted({item["type"] for item in items} - {"row"})
    links = [
        {
            "asDropdown": False,
            "icon": "external link",
            "includeVars": True,
            "keepTime": True,
            "tags": [],
            "targetBlank": False,
            "title": other,
            "tooltip": f"The dashboard {other}, same range and choice",
            "type": "link",
            "url": f"/d/{to}",
        }
        for to, (other, _) in DASHBOARDS.items()
        if to != uid
    ]
    jobs = variable("job", "Job", "label_values(ddbwatch_build_info, job)")
    instances = variable("instance", "Instance", 'label_values(ddbwatch_build_info{job=~"$job"}, instance)')
    return {
        "__inputs": [],
        "__requires": [
            {"id": "grafana", "name": "Grafana", "type": "grafana", "version": "10.4.0"},
            {"id": "prometheus", "name": "Prometheus", "type": "datasource", "version": "1.0.0"},
            *({"id": kind, "name": PANEL_NAMES[kind], "type": "panel", "version": ""} for kind in kinds),
        ],
        "annotations": {"list": annotations()},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": links,
        "panels": items,
        "refresh": "1m",
        "schemaVersion": 39,
        "tags": ["ddbwatch", "dynamodb", "tls"],
        "templating": {"list": [data_source(), jobs, instances, *variables]},
        "time": {"from": span, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": f"ddbwatch / {title}",
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def region():
    return variable("region", "Region", f"label_values(ddbwatch_flows_total{{{SCOPE}}}, region)", all_value=".*")
