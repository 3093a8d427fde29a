#!/usr/bin/env python3
"""What watching a gateway costs: throughput, CPU time per packet, time in the kernel's program, losses, memory.

usage: cost.py [--runs N] [--only CASE]... [--observers NAME,...] [--binary DDBWATCH] [--scale S]      (root, Linux)

Three network namespaces in a row on veth pairs; the middle one forwards and is observed by nobody, by a program in the kernel that
does nothing, by ddbwatch with each of its back-ends, and by `tcpdump -w /dev/null`, in turn, N times (7). Load generator, forwarding
and observer share the processors of this machine. The best run of each counts: the others met something else. CPU time is the scheduler's own account
of the sender, the receiver, the observer and ksoftirqd; what the kernel does for a packet runs in the sender or
in ksoftirqd, so it is in there. Compare ratios and differences of one run, not figures of two machines.
"""

import argparse
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benches" / "cost"))

import testrun  # noqa: E402
from observers import NAMES, Ddbwatch, begin, cpu_seconds, kernel_threads  # noqa: E402
from world import SERVER, World, frames  # noqa: E402

PEER = ROOT / "benches" / "cost" / "peer.py"
BULK_BYTES = {"bulk with offloads": 6 << 30, "bulk at MTU": 3 << 29}
HANDSHAKES, SMALL_PACKETS, TLS_SECONDS = 40_000, 1_500_000, 3
LIVE_FLOWS, IDLE_SECONDS = 100_000, 60
FIN, RST = 1, 4
CASES = [*BULK_BYTES, "small packets", "recorded handshakes", "TLS connections"]


class Measured:
    """One run: things per second, CPU nanoseconds per packet, of which the observer's own process, and what was lost."""

    def __init__(self, rate, packets, cpu, own, counts, seen_of):
        self.rate, self.packets = rate, packets
        self.cpu, self.own = cpu / packets * 1e9, own / packets * 1e9
        self.lost = counts.get("lost")
        self.share_seen = counts["seen"] / seen_of if counts and seen_of else None


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.world = World(folder)
        self.softirq = kernel_threads()
        self.server = self.world.start("s0", sys.executable, PEER, "serve", SERVER, 443, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.server.stdout.readline()
        self.handshake, self.handshake_frames = self.world.handshake_file()
        self.small = self.world.small_file()

    def run(self, case, observer):
        """One run of a case under one observer."""
        watcher = begin(observer, self.options.binary, self.folder)
        try:
            pids = [*watcher.pids, *self.softirq, self.server.pid]
            received, before, own = self.world.received(), cpu_seconds(pids), cpu_seconds(watcher.pids)
            work, seconds, cpu = self.load(case)
            cpu += cpu_seconds(pids) - before
            own = cpu_seconds(watcher.pids) - own
            packets = max(1, self.world.received() - received)
            watcher.settle()
            # Every forwarded packet is seen twice; those of recorded handshakes end at the gateway.
            seen_of = packets if case == "recorded handshakes" else 2 * packets
            return Measured(work / seconds, packets, cpu, own, watcher.counts(), seen_of)
        finally:
            watcher.stop()

    def load(self, case):
        """Makes the load; how much it was, seconds, CPU seconds of whoever made it."""
        if case in BULK_BYTES:
            self.world.offloads(case == "bulk with offloads")
            length = int(BULK_BYTES[case] * self.options.scale) >> 20 << 20
            said = self.world.do("c0", sys.executable, PEER, "send", SERVER, 443, length, seconds=300).stdout.split()
            return length * 8 / 1e9, float(said[0]), float(said[1])
        if case == "TLS connections":
            return self.tls_connections()
        rounds = HANDSHAKES if case == "recorded handshakes" else SMALL_PACKETS
        file = self.handshake if case == "recorded handshakes" else self.small
        rounds = int(rounds * self.options.scale)
        return self.send(file, rounds, 0)

    def send(self, file, rounds, pace):
        process = self.world.start("c0", self.world.sender, "c0", file, rounds, pace, stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the sender ends with {process.returncode}")
        return rounds, float(text.split()[2]), usage.ru_utime + usage.ru_stime

    def tls_connections(self):
        """`openssl s_time` against `openssl s_server`: as many full handshakes as the machine can make."""
        began = time.monotonic()
        client = self.world.start("c0", "openssl", "s_time", "-connect", f"{SERVER}:8443", "-new", "-time", TLS_SECONDS,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        before = cpu_seconds([self.tls.pid])
        text = client.stdout.read()
        seconds = time.monotonic() - began
        _, _, usage = os.wait4(client.pid, 0)
        client.returncode = 0
        made = int(text.rsplit("connections in", 2)[-2].split()[-1])
        return made, seconds, usage.ru_utime + usage.ru_stime + cpu_seconds([self.tls.pid]) - before

    def start_tls_server(self):
        pair = self.folder / "certificate.pem", self.folder / "key.pem"
        plain = {**os.environ, "OPENSSL_CONF": "/dev/null"}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=dynamodb.eu-west-1.amazonaws.com",
                        "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True, env=plain)
        self.tls = self.world.start("s0", "openssl", "s_server", "-accept", "8443", "-cert", pair[0], "-key", pair[1], "-quiet",
                                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=plain)
        time.sleep(0.5)

    # Tables.

    def table(self, case):
        names = self.options.observers
        results = {name: [] for name in names}
        for number in range(self.options.runs):
            # Another one is first each time.
            for name in names[number % len(names):] + names[:number % len(names)]:
                results[name].append(self.run(case, name))
        unit = {"small packets": "packets/s", "recorded handshakes": "handshakes/s", "TLS connections": "handshakes/s"}.get(case, "Gbit/s")
        packets = statistics.median(run.packets for runs in results.values() for run in runs)
        print(f"\n{case}: {packets:,.0f} packets come in at the gateway in each of {self.options.runs} runs; load {os.getloadavg()[0]:.1f}")
        print(f"{'observer':10} {unit:>13} {'of none':>8} {'median':>13} {'CPU ns/packet':>14} {'more':>7} {'own':>7} {'lost':>10} {'seen':>7}")
        base = None
        for name, runs in results.items():
            rate, cpu = max(run.rate for run in runs), min(run.cpu for run in runs)
            median = statistics.median(run.rate for run in runs)
            base = base or (rate, cpu)
            lost = [run.lost for run in runs if run.lost is not None]
            seen = [run.share_seen for run in runs if run.share_seen is not None]
            print(f"{name:10} {rate:13,.2f} {rate / base[0]:8.2f} {median:13,.2f} {cpu:14,.0f} {cpu - base[1]:7,.0f} "
                  f"{min(run.own for run in runs):7,.0f} {f'{min(lost):,}..{max(lost):,}' if lost else '':>10} "
                  f"{f'{min(seen):.0%}' if seen else '':>7}", flush=True)
        if "none" in results:
            rates = [run.rate for run in results["none"]]
            print(f"noise: without an observer {min(rates):,.2f} to {max(rates):,.2f} {unit}")

    def test_run(self):
        """Nanoseconds per run by the kernel's test run, which includes some 25 of its own; the decided flow is a real one."""
        watcher = Ddbwatch(self.options.binary, "ebpf", self.folder)
        self.send(self.handshake, 1, 0)
        watcher.settle()
        # A packet of the flow tells the program what the engine has decided.
        self.send(self.handshake, 1, 0)
        program = testrun.programs(watcher.pids[0])["ddb_ingress"]
        data = self.handshake.read_bytes()
        length = int.from_bytes(data[:2], "little")
        syn = bytearray(data[6:6 + length])
        syn[26:30] = bytes([11, 0, 0, 1])
        client, server, ports = bytes(syn[26:30]), bytes(syn[30:34]), bytes(syn[34:38])
        later = (int.from_bytes(syn[38:42], "big") + 5_000_000) & 0xFFFFFFFF
        segment = ports + struct.pack("!IIBBHHH", later, 1, 0x50, 0x10, 65535, 0, 0)
        other = struct.pack("!HHIIBBHHH", 2222, 2223, later, 1, 0x50, 0x10, 65535, 0, 0)
        # Not text, which may be what HTTP asks.
        bulk = bytes([0xA5]) * 1_448
        cases = [("decided flow, 1,448 bytes", frames.ipv4(6, segment + bulk, client, server)),
                 ("decided flow, acknowledgment", frames.ipv4(6, segment, client, server)),
                 ("other protocol, 1,448 bytes", frames.ipv4(6, other + bulk, client, bytes([10, 2, 0, 99]))),
                 ("UDP of no interest", frames.ipv4(17, struct.pack("!HHHH", 2222, 2223, 1_456, 0) + bulk, client, server)),
                 ("ARP", frames.LINK + b"\x08\x06" + bytes(46))]
        print("\nprogram by the kernel's test run, ns per packet, the fastest of 9 times 100,000")
        for name, frame in cases:
            # The first packet of a protocol of no interest settles its flow.
            testrun.nanoseconds(program, frame)
            print(f"  {name:30} {testrun.nanoseconds(program, frame):5}", flush=True)
        watcher.stop()

    def program_time(self):
        """Nanoseconds per run of the program on live packets, by the kernel's statistics, which cost some themselves."""
        switch = Path("/proc/sys/kernel/bpf_stats_enabled")
        before = switch.read_text()
        switch.write_text("1")
        try:
            print("\nprogram on live packets, by the kernel's statistics (which cost some themselves)")
            for case in CASES:
                watcher = Ddbwatch(self.options.binary, "ebpf", self.folder)
                self.load(case)
                watcher.settle()
                runs, nanoseconds = watcher.program_times()
                watcher.stop()
                print(f"  {case:22} {runs:10,} runs, {nanoseconds / max(1, runs):6.0f} ns per run", flush=True)
        finally:
            switch.write_text(before)

    def memory_and_idle(self):
        watcher = Ddbwatch(self.options.binary, "ebpf", self.folder)
        time.sleep(3)
        before = cpu_seconds(watcher.pids)
        time.sleep(IDLE_SECONDS)
        used = (cpu_seconds(watcher.pids) - before) / IDLE_SECONDS
        print(f"\nidle: {used:.2%} of one processor over {IDLE_SECONDS} s on two interfaces")
        rows = [("started", *watcher.memory(), watcher.counts())]
        watcher.stop()
        for name, keep in (("decided, not closed", None), ("SYN alone", 1), ("SYN to ClientHello", 4)):
            watcher = Ddbwatch(self.options.binary, "ebpf", self.folder)
            self.send(self.first_frames(keep), LIVE_FLOWS, 10_000 if keep else 4_000)
            watcher.settle()
            rows.append((f"{LIVE_FLOWS:,} flows, {name}", *watcher.memory(), watcher.counts()))
            watcher.stop()
        print(f"{'memory, MiB':44} {'resident':>9} {'rings':>7} {'rest':>7} {'private':>8}  flows in the table, lost")
        for name, resident, rings, private, counts in rows:
            print(f"{name:44} {resident / 1024:9.1f} {rings / 1024:7.1f} {(resident - rings) / 1024:7.1f} {private / 1024:8.1f}  "
                  f"{counts['table']:,}, {counts['lost']:,}")

    def first_frames(self, keep):
        """The recorded handshake up to a frame, or up to the first FIN or RST."""
        data, made, at = self.handshake.read_bytes(), [], 0
        while at < len(data) and (keep is None or len(made) < keep):
            length, client_at, random_at = (int.from_bytes(data[at + n:at + n + 2], "little") for n in (0, 2, 4))
            frame = data[at + 6:at + 6 + length]
            if keep is None and frame[47] & (FIN | RST):
                break
            made.append((frame, client_at, random_at))
            at += 6 + length
        return self.world.frames_file(f"first-{keep}", made)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", action="append", choices=[*CASES, "program", "memory"])
    parser.add_argument("--observers", default=",".join(NAMES), type=lambda text: text.split(","))
    parser.add_argument("--binary", help="an observer that is built already (default: build it)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the loads")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark needs root, for network namespaces")
    missing = [p for p in ("ip", "tc", "clang", "nsenter", "ethtool", "tcpdump", "openssl", "cc", "unshare") if not shutil.which(p)]
    if missing:
        sys.exit(f"the benchmark needs: {' '.join(missing)}")
    if not options.binary:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "ddbwatch"], cwd=ROOT, check=True)
        options.binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "ddbwatch"
    options.binary = Path(options.binary).resolve()
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, Linux {platform.release()}, {os.cpu_count()} processors ({model}), load {os.getloadavg()[0]:.1f}")
    folder = Path(tempfile.mkdtemp(prefix="ddbcost-"))
    try:
        bench = Bench(options, folder)
        bench.start_tls_server()
        for case in CASES:
            if not options.only or case in options.only:
                bench.table(case)
        if not options.only or "program" in options.only:
            bench.test_run()
            bench.program_time()
        if not options.only or "memory" in options.only:
            bench.memory_and_idle()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
