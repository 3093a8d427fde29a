#!/usr/bin/env python3
"""What `ddbwatch analyze` costs, beside the floor and beside tshark, measured in one run.

usage: compare.py [--scale S] [--runs N] [--folder DIR] [--without-tshark]

Makes three large captures (see captures/large.py) unless they are there, runs each program on each of
them N times in turn, and prints the best user + system CPU time of each, per packet, with the ratio to the floor
(benches/floor.rs: reads the file, decodes the headers, looks the flow up). "floor, out" is the floor that
also writes as many bytes as the records of ddbwatch have. Peak memory is the operating system's own figure. Machines differ and are shared: compare ratios, not nanoseconds.
"""
import argparse
import json
import os
import re
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


def make(folder, scale):
    """Makes the captures and keeps what their maker says of them."""
    script = os.path.join(ROOT, "captures", "large.py")
    command = [sys.executable, script, "all", "--output", folder, "--scale", str(scale)]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(made, end="", flush=True)
    with open(os.path.join(folder, "large.txt"), "w", encoding="utf-8") as stream:
        stream.write(made)


def facts_of(folder):
    """Packets, ClientHellos and ServerHellos of each capture, as its maker counted them."""
    with open(os.path.join(folder, "large.txt"), encoding="utf-8") as stream:
        lines = re.findall(r"(\w+)\.pcap: ([\d,]+) packets, .* ([\d,]+) ClientHellos, ([\d,]+) ServerHellos", stream.read())
    return {case: [int(number.replace(",", "")) for number in numbers] for case, *numbers in lines}


def hellos_found(path):
    """ClientHellos and ServerHellos in records; a connection with a HelloRetryRequest has two of each."""
    client, server = 0, 0
    with open(path, "rb") as stream:
        for line in stream:
            both = b'"tls.hello_retry_request":true' in line
            client += (b'"capture.frame.client_hello":' in line) * (1 + both)
            server += (b'"capture.frame.server_hello":' in line) * (1 + both)
    return client, server


def measure(command, output):
    """CPU seconds, wall seconds and peak KiB of one run, which writes to the file `output`."""
    started = time.monotonic()
    with open(output, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if process.returncode not in (0, 3, 4):
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss


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
        if not os.path.exists(os.path.join(folder, "large.txt")):
            make(folder, options.scale)
        facts = facts_of(folder)
        output = os.path.join(folder, "output")
        print(f"{'capture':12} {'program':10} {'CPU ns/packet':>14} {'x floor':>8} {'wall s':>8} {'peak MiB':>9}  notes")
        for case in options.only or CASES:
            path = os.path.join(folder, f"{case}.pcap")
            packets, client_hellos, server_hellos = facts[case]
            commands = {
                "floor": [floor, path],
                "ddbwatch": [ddbwatch, "analyze", "--all-services", "--format", "jsonl", "--jobs", "1", path],
            }
            if shutil.which("tshark") and not options.without_tshark:
                fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
                commands["tshark"] = ["tshark", "-n", "-r", path, "-Y", "tls.handshake.type in {1,2}", "-T", "fields", *fields]
            best, notes = {}, {}
            for run in range(options.runs):
                for name, command in list(commands.items()):
                    if name == "tshark" and run > 0:
                        continue
                    result = measure(command, output)
                    if name not in best or result[0] < best[name][0]:
                        best[name] = result
                    if name == "ddbwatch" and run == 0:
                        commands["floor, out"] = [floor, "--write", str(os.path.getsize(output)), path]
                        client, server = hellos_found(output)
                        notes[name] = f"{client:,} of {client_hellos:,} ClientHellos, {server:,} of {server_hellos:,} ServerHellos"
            if case == "handshakes":
                notes["ddbwatch"] += f", {client_hellos / best['ddbwatch'][0]:,.0f} handshakes/s of one thread"
            for name, (cpu, wall, peak) in best.items():
                ratio = cpu / best["floor"][0]
                print(
                    f"{case:12} {name:10} {cpu / packets * 1e9:14.0f} {ratio:8.2f} {wall:8.2f} {peak / 1024:9.1f}  {notes.get(name, '')}",
                    flush=True,
                )
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
