#!/usr/bin/env python3
"""Makes the captures of this folder again, with real TLS stacks in a sealed network.

    sudo python3 captures/make.py            every capture
    sudo python3 captures/make.py --only tls12-ecdhe-rsa --only tls13-x25519
    python3 captures/make.py --list          the names
    python3 captures/make.py --check         what is installed and what is missing

Traffic stays inside two network namespaces without a way out; both are removed at the end.
"""

import argparse
import fnmatch
import json
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from kit import packets, pcapfile  # noqa: E402
from kit.book import CASES, Context, Skipped  # noqa: E402
from kit.certificates import Certificates  # noqa: E402
from kit.lab import Lab, LabError  # noqa: E402
from kit.tools import Tools  # noqa: E402
from kit import cases  # noqa: E402, F401
from kit.readme import write_table  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the captures and how each is made")
    parser.add_argument("--check", action="store_true", help="say which tools are there")
    parser.add_argument("--only", action="append", metavar="NAME", help="make only these (name or pattern)")
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER", help="where to (default: here)")
    parser.add_argument("--build-dir", type=Path, metavar="FOLDER",
                        default=Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ddbwatch-captures",
                        help="where node modules and built programs are kept (default: %(default)s)")
    return parser.parse_args()


def chosen(patterns):
    if not patterns:
        return list(CASES.values())
    names = [n for n in CASES if any(fnmatch.fnmatchcase(n, p) for p in patterns)]
    for pattern in patterns:
        if not fnmatch.filter(CASES, pattern):
            sys.exit(f"make.py: no capture is called {pattern}; --list shows them")
    return [CASES[n] for n in names]


def write(case, recorded, folder, context):
    """Writes the file; gives its entry in the index."""
    data = recorded.data
    if data is None:
        data = pcapfile.pcap_bytes(pcapfile.shifted(recorded.packets, context.base))
    (folder / case.file).write_bytes(data)
    entry = {"file": case.file, "title": case.title, "stack": {"client": case.client, "server": case.server}}
    if recorded.notes:
        entry["notes"] = recorded.notes
    entry.update(recorded.notes_key)
    entry["flows"] = recorded.flows
    return entry


def main():
    options = arguments()
    if options.list:
        for case in CASES.values():
            print(f"{case.file:44} {case.title} [{case.client} / {case.server}]")
        return 0
    tools = Tools(options.build_dir, HERE)
    if options.check:
        return tools.report()
    wanted = chosen(options.only)
    tools.require()
    # A kill ends the run as an interrupt does: namespaces and programs are taken away first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    index_file = options.output / "index.json"
    options.output.mkdir(parents=True, exist_ok=True)
    index = {}
    if index_file.exists():
        index = {e["file"]: e for e in json.loads(index_file.read_text())["captures"]}
    failed, skipped, started = [], [], time.monotonic()
    with Lab() as lab:
        certificates = Certificates(lab.folder)
        for case in wanted:
            begun = time.monotonic()
            context = Context(lab, certificates, tools, options.output, case, index)
            try:
                for _ in range(4):
                    recorded = case.make(context)
                    # A busy machine makes TCP send things twice; such a recording is made again.
                    if case.server == "derived" or not packets.repeats(recorded.packets):
                        break
                index[case.file] = write(case, recorded, options.output, context)
                print(f"made     {case.file:44} {time.monotonic() - begun:5.1f} s", flush=True)
            except Skipped as reason:
                skipped.append(case.name)
                print(f"skipped  {case.name}: {reason}", flush=True)
            except Exception as error:  # one broken case must not take the others with it
                failed.append(case.name)
                text = str(error) if isinstance(error, LabError) else traceback.format_exc()
                print(f"FAILED   {case.name}: {text}", flush=True)
            finally:
                lab.end_processes()
    order = {c.file: c.number for c in CASES.values()}
    entries = sorted((e for f, e in index.items() if f in order), key=lambda e: order[e["file"]])
    head = {"schema": "ddbwatch.captures/1",
            "about": "What each capture must show, by what the recorded programs said or how it was made. Keys are "
                     "those of a flow record; null: the key must be absent; a key ending in ~: the value contains this; "
                     "rules: exactly these rules of severity warning or critical, in the default profile."}
    write_table(options.output / "README.md", entries)
    index_file.write_text(json.dumps({**head, "captures": entries}, indent=1) + "\n")
    print(f"{len(wanted) - len(failed) - len(skipped)} made, {len(skipped)} skipped, {len(failed)} failed "
          f"in {time.monotonic() - started:.0f} s")
    shutil.rmtree(HERE / "kit" / "__pycache__", ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
