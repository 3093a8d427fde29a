#!/usr/bin/env python3
"""Every query of every panel, annotation and variable, asked of a real Prometheus.

    queries.py METRICS      METRICS: what `ddbwatch analyze --format prometheus` printed

Exit status 1 where one is not understood or has no data.
"""

import json
import sys
import time
import urllib.error
from pathlib import Path

sys.dont_write_bytecode = True

import boards  # noqa: E402
import servers  # noqa: E402
import world  # noqa: E402


def reason(error):
    return json.loads(error.read()).get("error", str(error))


def main():
    base = Path(sys.argv[1]).read_text(encoding="utf-8")
    now = int(time.time()) - 60
    wrong, asked = [], 0
    with servers.folder() as folder:
        servers.backfill(folder, world.open_metrics(world.make(base, now), now))
        with servers.prometheus(folder) as url:
            for name, board in boards.boards():
                for panel in boards.panels(board):
                    for target in panel["targets"]:
                        expression, step = boards.filled(board, target["expr"], world.STEP, panel.get("interval"))
                        asked += 1
                        try:
                            found = boards.ask(url, expression, step, now, target["instant"])
                        except urllib.error.HTTPError as error:
                            wrong.append(f"{name}: {panel['title']}: {reason(error)}: {expression}")
                            continue
                        if not found:
                            wrong.append(f"{name}: {panel['title']}: no data: {expression}")
                for annotation in board["annotations"]["list"]:
                    if "expr" not in annotation:
                        continue
                    expression, _ = boards.filled(board, annotation["expr"], world.STEP)
                    asked += 1
                    try:
                        found = boards.ask(url, expression, 120, now, False)
                        if not any(float(value) > 0 for one in found for _, value in one["values"]):
                            wrong.append(f"{name}: {annotation['name']}: never set: {expression}")
                    except urllib.error.HTTPError as error:
                        wrong.append(f"{name}: {annotation['name']}: {reason(error)}: {expression}")
                for variable in board["templating"]["list"]:
                    if variable["type"] != "query":
                        continue
                    selector, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
                    expression, _ = boards.filled(board, selector, world.STEP)
                    asked += 1
                    found = json.loads(servers.get(
                        f"{url}/api/v1/label/{label}/values?" + servers.urllib.parse.urlencode({"match[]": expression})))
                    if not found["data"]:
                        wrong.append(f"{name}: variable {variable['name']}: no values")
    print(f"{asked} queries asked")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
