#!/usr/bin/env python3
"""Runs every fuzz target for a while and prints, for each, how many inputs it ran and how fast.

usage: run.py [SECONDS] [TARGET ...]      (FUZZ_SECONDS in the environment, default 60)
       run.py seed [TARGET ...]           writes the seeds and stops

Needs nightly Rust and cargo-fuzz (`cargo install cargo-fuzz`). The shipped captures seed the corpora: whole, or
what they carry (frames, TLS dialogues, requests, certificates, DNS answers). A crash is written to
captures/crashers/ under the name of its target, where the tests replay it from then on. An input that takes
more than a second is named.
"""
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TARGETS = sorted(name[:-3] for name in os.listdir(os.path.join(HERE, "fuzz_targets")) if name.endswith(".rs"))
MAX_SEED_BYTES = 64 * 1024
# The link types in the order of `decode::link::SUPPORTED`; the first byte of a frame input chooses among them.
LINK_TYPES = [0, 1, 9, 12, 14, 101, 108, 113, 228, 229, 276]

# What no shipped capture carries.
SMALL = {
    "config": [b"[site]\nregion = \"eu-west-1\"\n", b"[limits]\nflows = 100\nflow_bytes = 4096\nmemory_mib = 64\n",
               b"[[path]]\nname = \"a\"\nvlan = 1\naccess = \"internet\"\n", b"[policy]\nprofile = \"nist-800-52r2\"\n"],
    "dns": [b"\0\1\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x34\x5e\5\x0a",
            b"\0\1\x81\x80\0\1\0\2\0\0\0\0\1a\0\0\x1c\0\1\xc0\x0c\0\5\0\1\0\0\0\5\0\3\1b\0\1b\0\0\x1c\0\1\0\0\0\5\0\x10" + bytes(16),
            b"\0\1\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\x41\0\1\xc0\x0c\0\x41\0\1\0\0\0\5\0\x0b\0\1\0\0\4\0\4\x34\x5e\5\x0a"],
    "http": [b"POST / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
             b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request, "
             b"SignedHeaders=host, Signature=00\r\nUser-Agent: aws-sdk-go-v2/1.0\r\nContent-Length: 2\r\n\r\n{}",
             b"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fdynamodb%2Faws4_request HTTP/1.1\r\n\r\n",
             b"CONNECT dynamodb.us-east-1.amazonaws.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
             b"PROXY TCP4 10.0.0.1 10.0.0.2 1 443\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
             b"\5\1\0\5\1\0\3\7a.b.com\1\xbb", b"\4\1\1\xbb\0\0\0\1u\0a.b.com\0",
             b"\x0c\0\x0e\x38" + bytes(13)],
    "x509": [], "tls": [b"\0\0\2\x80\1", b"\0\0\5\x16\3\1\0\1\1\0\7\x15\3\3\0\2\2\x28"], "file": [], "frame": [], "pipeline": [],
}


def packets(path):
    """(link type, bytes) of each packet of a plain pcap file; nothing for other files."""
    with open(path, "rb") as stream:
        content = stream.read()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(content[:4])
    if order is None or len(content) < 24:
        return
    link_type = struct.unpack(order + "I", content[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(content):
        length = struct.unpack(order + "I", content[at + 8:at + 12])[0]
        yield link_type, content[at + 16:at + 16 + length]
        at += 16 + length


def payloads(path):
    """(protocol, source, destination, payload) of plain TCP and UDP over IP over Ethernet, enough for seeds."""
    for link_type, frame in packets(path):
        packet = frame[14:] if link_type == 1 else frame
        if len(packet) < 40:
            continue
        if packet[0] >> 4 == 4:
            protocol, header, end, addresses = packet[9], (packet[0] & 15) * 4, struct.unpack(">H", packet[2:4])[0], packet[12:20]
        elif packet[0] >> 4 == 6:
            protocol, header, end, addresses = packet[6], 40, 40 + struct.unpack(">H", packet[4:6])[0], packet[8:40]
        else:
            continue
        segment, half = packet[header:end], len(addresses) // 2
        source, destination = (addresses[:half], segment[:2]), (addresses[half:], segment[2:4])
        if protocol == 6 and len(segment) >= 20:
            yield protocol, source, destination, segment[(segment[12] >> 4) * 4:]
        elif protocol == 17 and len(segment) >= 8:
            yield protocol, source, destination, segment[8:]


def dialogues(path):
    """Each TCP connection as a list of (is from the opener, payload)."""
    connections = {}
    for protocol, source, destination, payload in payloads(path):
        if protocol == 6 and payload:
            opener, steps = connections.setdefault(frozenset((source, destination)), (source, []))
            steps.append((opener == source, payload))
    return [steps for _, steps in connections.values()]


def seeds(target):
    yield from SMALL[target]
    if target == "config":
        with open(os.path.join(ROOT, "src", "config", "example.toml"), "rb") as stream:
            yield stream.read()
        return
    for path in sorted(glob.glob(os.path.join(ROOT, "captures", "*.pcap*"))):
        if target in ("file", "pipeline"):
            with open(path, "rb") as stream:
                yield stream.read()
        elif target == "frame":
            frames = list(packets(path))
            if frames and frames[0][0] in LINK_TYPES:
                body = b"".join(struct.pack(">H", len(data)) + data for _, data in frames[:12] if len(data) < 65_536)
                yield bytes([LINK_TYPES.index(frames[0][0])]) + body
        elif target == "tls":
            for steps in dialogues(path)[:4]:
                yield b"".join(bytes([not is_opener]) + struct.pack(">H", len(payload)) + payload for is_opener, payload in steps[:24])
        elif target == "http":
            for steps in dialogues(path)[:4]:
                if steps[0][0] and steps[0][1][0] != 0x16:
                    yield steps[0][1]
        elif target == "dns":
            for protocol, source, destination, payload in payloads(path):
                if b"\0\x35" in (source[1], destination[1]) and payload:
                    yield payload
        elif target == "x509":
            for steps in dialogues(path)[:4]:
                answer = b"".join(payload for is_opener, payload in steps if not is_opener)
                at = answer.find(b"\x30\x82")
                if at >= 0 and answer[at + 4:at + 6] == b"\x30\x82":
                    yield answer[at:at + 4 + struct.unpack(">H", answer[at + 2:at + 4])[0]]


def seed(target):
    corpus = os.path.join(HERE, "corpus", target)
    os.makedirs(corpus, exist_ok=True)
    count = 0
    for content in seeds(target):
        if 0 < len(content) <= MAX_SEED_BYTES:
            with open(os.path.join(corpus, hashlib.sha1(content).hexdigest()), "wb") as stream:
                stream.write(content)
            count += 1
    for crasher in glob.glob(os.path.join(ROOT, "captures", "crashers", f"{target}-*")):
        shutil.copy(crasher, corpus)
    return corpus, count


def keep(target):
    """Copies what broke to where the tests replay it, and says how many there are."""
    kept = 0
    artifacts = os.path.join(HERE, "artifacts", target)
    for name in sorted(os.listdir(artifacts)) if os.path.isdir(artifacts) else []:
        path = os.path.join(artifacts, name)
        if name.startswith("slow-unit"):
            print(f"  slow: {os.path.relpath(path, ROOT)}", flush=True)
            continue
        with open(path, "rb") as stream:
            content = stream.read()
        crasher = f"{target}-{hashlib.sha256(content).hexdigest()[:12]}"
        crashers = os.path.join(ROOT, "captures", "crashers")
        os.makedirs(crashers, exist_ok=True)
        with open(os.path.join(crashers, crasher), "wb") as stream:
            stream.write(content)
        print(f"  {name} kept as captures/crashers/{crasher}", flush=True)
        kept += 1
    return kept


def last(pattern, text):
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["seed"]:
        for target in arguments[1:] or TARGETS:
            print(f"{target:10} {seed(target)[1]:>6} seeds")
        return
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else int(os.environ.get("FUZZ_SECONDS", "60"))
    is_broken = False
    for target in arguments or TARGETS:
        corpus, count = seed(target)
        command = ["cargo", "+nightly", "fuzz", "run", target, corpus, "--", f"-max_total_time={seconds}", "-timeout=10",
                   "-report_slow_units=1", "-rss_limit_mb=2048", "-print_final_stats=1", f"-max_len={MAX_SEED_BYTES}"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
        units, rate, took, cover, peak = (last(pattern, run.stderr) for pattern in (
            r"number_of_executed_units: (\d+)", r"average_exec_per_sec:\s+(\d+)", r"in (\d+) second", r"cov: (\d+)",
            r"peak_rss_mb:\s+(\d+)"))
        print(f"{target:10} {count:>5} seeds, {units:>10} inputs, {took:>4} s, {rate:>7}/s, coverage {cover} edges, "
              f"peak {peak} MiB, exit {run.returncode}", flush=True)
        kept = keep(target)
        if run.returncode != 0 and not kept:
            print(run.stderr[-2000:], file=sys.stderr)
        is_broken |= run.returncode != 0 or kept > 0
    sys.exit(1 if is_broken else 0)


if __name__ == "__main__":
    main()
