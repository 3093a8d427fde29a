#!/usr/bin/env python3
"""Runs every fuzz target for a while and prints, for each, how many inputs it ran and how fast.

usage: run.py [SECONDS] [TARGET ...]      (FUZZ_SECONDS in the environment, default 60)

Needs nightly Rust and cargo-fuzz (`cargo install cargo-fuzz`). The shipped captures seed the corpus. A crash is
written to captures/crashers/ under the name of its target, where the tests replay it from then on.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TARGETS = sorted(name[:-3] for name in os.listdir(os.path.join(HERE, "fuzz_targets")) if name.endswith(".rs"))
MAX_SEED_BYTES = 64 * 1024


def seed(target):
    corpus = os.path.join(HERE, "corpus", target)
    os.makedirs(corpus, exist_ok=True)
    if target in ("file", "pipeline"):
        folder = os.path.join(ROOT, "captures")
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if ".pcap" in name and os.path.getsize(path) <= MAX_SEED_BYTES:
                shutil.copy(path, corpus)
    elif target == "config":
        shutil.copy(os.path.join(ROOT, "tests", "data", "example.toml"), corpus)
    return corpus


def main():
    arguments = sys.argv[1:]
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else int(os.environ.get("FUZZ_SECONDS", "60"))
    crashed = 0
    for target in arguments or TARGETS:
        corpus = seed(target)
        command = ["cargo", "+nightly", "fuzz", "run", target, corpus, "--", f"-max_total_time={seconds}", "-timeout=10",
                   "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=65536"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
        runs = re.search(r"number_of_executed_units: (\d+)", run.stderr)
        rate = re.search(r"average_exec_per_sec:\s+(\d+)", run.stderr)
        cover = re.findall(r"cov: (\d+)", run.stderr)
        print(f"{target:10} {runs.group(1) if runs else '?':>10} inputs, {rate.group(1) if rate else '?':>7}/s, "
              f"coverage {cover[-1] if cover else '?'}, exit {run.returncode}", flush=True)
        artifacts = os.path.join(HERE, "artifacts", target)
        for name in sorted(os.listdir(artifacts)) if os.path.isdir(artifacts) else []:
            with open(os.path.join(artifacts, name), "rb") as stream:
                content = stream.read()
            digest = hashlib.sha256(content).hexdigest()[:12]
            crashers = os.path.join(ROOT, "captures", "crashers")
            os.makedirs(crashers, exist_ok=True)
            with open(os.path.join(crashers, f"{target}-{digest}"), "wb") as stream:
                stream.write(content)
            print(f"  {name} kept as captures/crashers/{target}-{digest}")
            crashed += 1
        if run.returncode != 0 and not crashed:
            print(run.stderr[-2000:], file=sys.stderr)
            crashed += 1
    sys.exit(1 if crashed else 0)


if __name__ == "__main__":
    main()
