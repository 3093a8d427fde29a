#!/usr/bin/env python3
"""What `ddbwatch analyze` costs, beside the floor and beside tshark, measured in one run.

usage: compare.py [--scale S] [--runs N] [--folder DIR] [--without-tshark]

Makes three large captures (see captures/large.py) unless they are there, runs each program on each of
them N times in turn, and prints the best user + system CPU time of each, per packet, with the ratio to the floor
(benches/floor.rs: reads the file, decodes the headers, looks the flow up). Peak memory is the
operating system's own figure. Machines differ and are shared: compare ratios, not nanoseconds.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = ("handshakes", "bulk", "mixed")
TSHARK_FIELDS = (
    "frame.time_epoch ip.src tcp.srcport ip.dst tcp.dstport tls.handshake.type tls.handshake.version "
    "tls.handshake.extensions_server_name tls.handshake.ciphersuite tls.handshake.ja3"
).split()


def measure(command):
    """CPU seconds, wall seconds, peak KiB and the last line of standard output of one run."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    last, lines = b"", 0
    for line in process.stdout:
        last = line
        lines += 1
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if process.returncode not in (0, 3, 4):
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, last.decode("utf-8", "replace").strip(), lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the captures (1: the full ones)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", help="where the large captures are or go (default: a temporary folder)")
    parser.add_argument("--without-tshark", action="store_true")
    parser.add_argument("--only", choices=CASES, action="append")
    options = parser.parse_args()

    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "ddbwatch", "--example", "floor"], cwd=ROOT, check=True)
    ddbwatch = os.path.join(ROOT, "target", "release", "ddbwatch")
    floor = os.path.join(ROOT, "target", "release", "examples", "floor")
    if os.environ.get("CARGO_TARGET_DIR"):
        ddbwatch = os.path.join(os.environ["CARGO_TARGET_DIR"], "release", "ddbwatch")
        floor = os.path.join(os.environ["CARGO_TARGET_DIR"], "release", "examples", "floor")

    temporary = None
    folder = options.folder
    if not folder:
        temporary = folder = tempfile.mkdtemp(prefix="ddbwatch-bench-")
    try:
        facts_path = os.path.join(folder, "large.json")
        if not os.path.exists(facts_path):
            subprocess.run(
                [sys.executable, os.path.join(ROOT, "captures", "large.py"), folder, "--scale", str(options.scale)], check=True
            )
        with open(facts_path, encoding="utf-8") as stream:
            facts = json.load(stream)
        print(f"{'capture':12} {'program':10} {'CPU ns/packet':>14} {'x floor':>8} {'wall s':>8} {'peak MiB':>9}  notes")
        for case in options.only or CASES:
            path = os.path.join(folder, f"{case}.pcap")
            packets, hellos = facts[case]["packets"], facts[case]["hellos"]
            commands = {
                "floor": [floor, path],
                "ddbwatch": [ddbwatch, "analyze", "--all-services", "--format", "jsonl", "--jobs", "1", path],
            }
            if shutil.which("tshark") and not options.without_tshark:
                fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
                commands["tshark"] = ["tshark", "-n", "-r", path, "-Y", "tls.handshake.type in {1,2}", "-T", "fields", *fields]
            best = {}
            for run in range(options.runs):
                for name, command in commands.items():
                    if name == "tshark" and run > 0:
                        continue
                    result = measure(command)
                    if name not in best or result[0] < best[name][0]:
                        best[name] = result
            for name, (cpu, wall, peak, last, lines) in best.items():
                notes = last if name == "floor" else f"{lines} lines for {hellos} handshakes"
                if name == "ddbwatch":
                    notes += f", {hellos / cpu:,.0f} handshakes/s of one thread" if case == "handshakes" else ""
                print(
                    f"{case:12} {name:10} {cpu / packets * 1e9:14.0f} {cpu / best['floor'][0]:8.2f} {wall:8.2f} {peak / 1024:9.1f}  {notes}"
                )
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
