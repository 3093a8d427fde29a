#!/usr/bin/env python3
"""Writes the dashboards and the PrometheusRule object.

    dashboards/generate.py            writes what differs
    dashboards/generate.py --check    writes nothing, exit status 1 where something differs

Edit `source/*.py` and `rules/ddbwatch.rules.yaml`, never what is written here.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from source import clients, grafana, health, paths, posture  # noqa: E402

RULE_OBJECT = """\
# Written by dashboards/generate.py from ddbwatch.rules.yaml, for the Prometheus Operator. Do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ddbwatch
  labels:
    app.kubernetes.io/name: ddbwatch
spec:
"""


def rule_object():
    rules = (HERE / "rules/ddbwatch.rules.yaml").read_text(encoding="utf-8")
    body = rules[rules.index("groups:"):]
    return RULE_OBJECT + "".join(f"  {line}" if line.strip() else line for line in body.splitlines(keepends=True))


def everything():
    made = {"rules/prometheusrule.yaml": rule_object()}
    for module in (posture, paths, clients, health):
        board = module.board()
        _, name = grafana.DASHBOARDS[board["uid"]]
        made[f"grafana/{name}.json"] = json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return made


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    stale = []
    for name, text in everything().items():
        path = HERE / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.exit(f"not current, run dashboards/generate.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
