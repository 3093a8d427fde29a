"""The soak: the daemon under churn, reloads, interfaces that come and go, floods; its memory stays flat, its series
bounded, nothing is lost uncounted, and it is never restarted.

    run.py DDBWATCH [--seconds N] [--backend ebpf|afpacket|pcap] [--rate N] [--seed N]      (root, Linux)

Everything happens in network namespaces without names or any way out, and ends by itself.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import place
from daemon import MAX_FLOWS, MAX_SERIES, PORT, Daemon, Metrics, Unanswered
from orders import Churn, Flood
from place import FLOOD, TALK, SoakError

EXPECTED_ERRORS = ("The new configuration was refused; the old one stays in use.",)
# A flow whose packets come after a flood may wait behind it.
FLOOD_TAIL_SECONDS = 5
CATCH_UP_SECONDS = 60
# Memory of the last third over that of the first one.
MOST_GROWTH, MOST_GROWTH_KIB = 1.10, 6 * 1024
# Tables, pools and caches fill at first.
WARM_UP = 0.25
BIG_FLOOD_EVERY = 4
# A scrape that comes while the engine has a flood before it may get no answer in time, on a machine that is too busy.
MOST_UNANSWERED = 0.05
MOST_PROBLEMS = 50


class Watch(threading.Thread):
    """Scrapes once a second, notes memory, and checks each scrape."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_process = daemon
        self.is_over = threading.Event()
        self.began = time.monotonic()
        self.rows, self.wrong, self.asked, self.unanswered, self.slowest = [], [], 0, 0, 0.0

    def run(self):
        pages = ["/", "/healthz", "/readyz", "/api/v1/summary", "/api/v1/flows?limit=100", "/api/v1/violations"]
        while not self.is_over.wait(1):
            self.asked += 1
            try:
                self.note(self.daemon_process.metrics())
                status, _ = self.daemon_process.get(pages[self.asked % len(pages)])
                if status != 200:
                    raise Unanswered(status)
            except Unanswered:
                self.unanswered += 1
            except OSError as error:
                self.add(f"no scrape: {error!r}")

    def add(self, what):
        if len(self.wrong) < MOST_PROBLEMS:
            self.wrong.append(f"after {time.monotonic() - self.began:.0f} s: {what}")

    def note(self, metrics):
        for what in metrics.disagreements():
            self.add(what)
        if metrics.sum("ddbwatch_capture_restarts_total"):
            self.add("the capture was restarted")
        self.slowest = max(self.slowest, metrics.seconds)
        self.rows.append((time.monotonic() - self.began, *self.daemon_process.memory(), metrics.series(),
                          metrics.sum("ddbwatch_flow_table_entries"), metrics.by("ddbwatch_packets_total", "stage")[("seen",)],
                          metrics.sum("ddbwatch_flows_total"), metrics.sum("ddbwatch_flow_evictions_total"),
                          metrics.sum("ddbwatch_dropped_total")))

    HEAD = ("      s  own KiB    rings      RSS  threads  files  series   open    packets   records    evicted       lost")

    def table_row(self):
        if not self.rows:
            return ""
        at, own, rings, rss, threads, files, series, still_open, seen, records, evicted, lost = self.rows[-1]
        return (f"{at:7.0f} {own:8} {rings:8} {rss:8} {threads:8} {files:6} {series:7} {still_open:6} {seen:10} {records:9} "
                f"{evicted:10} {lost:10}")


class Soak:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.problems = []
        self.floods = []
        self.sent_to = {}
        self.handshakes = {}
        self.daemon = None
        self.counts = {"syn": 0, "hello": 0, "garbage": 0, "interfaces": 0}

    def must(self, claim, what):
        print(f"  {'holds ' if claim else 'FAILS '} {what}", flush=True)
        if not claim:
            self.problems.append(what)

    def run(self):
        place.enter_new_network()
        self.flood = Flood(self.options.seed)
        place.build(self.flood.pid)
        self.churn = Churn(self.flood.pid, self.options.rate, self.folder)
        self.daemon = Daemon(Path(self.options.ddbwatch).resolve(), self.options.backend, self.folder)
        self.before = {name: place.counted_by_kernel(name) for name in (TALK, FLOOD)}
        self.churn.start()
        watch = Watch(self.daemon)
        watch.start()
        end = time.monotonic() + self.options.seconds
        print(Watch.HEAD)
        number = 0
        try:
            while time.monotonic() < end and watch.is_alive():
                self.cycle(number, end)
                number += 1
                print(watch.table_row(), flush=True)
            self.churn.stop()
            # What is on the way arrives, and answers that are kept for a moment are old.
            time.sleep(4)
        finally:
            watch.is_over.set()
            watch.join(30)
        self.judge(watch)

    def cycle(self, number, end):
        """Some of everything; the rest of the time is calm."""
        is_big = number % BIG_FLOOD_EVERY == 1
        steps = [
            lambda: self.flood_with("syn", 200_000 if is_big else 15_000),
            lambda: self.flood_with("hello", 20_000 if is_big else 2_000),
            lambda: self.flood_with("garbage", 50_000 if is_big else 6_000),
            lambda: self.come_and_go(number),
            lambda: self.reload(number % 2 == 0),
            self.rotate,
            self.pester,
        ]
        self.random.shuffle(steps)
        for step in steps:
            if time.monotonic() > end - 3:
                break
            step()
            time.sleep(self.random.uniform(0, 0.5))
        time.sleep(max(0.1, min(FLOOD_TAIL_SECONDS / 2, end - time.monotonic())))

    def flood_with(self, kind, frames):
        began = time.time()
        sent = self.flood.send(FLOOD, kind, frames)
        self.counts[kind] += sent
        self.catch_up()
        self.floods.append((began, time.time() + FLOOD_TAIL_SECONDS))

    def catch_up(self):
        """Waits until the daemon is through with the flood: on a busy machine that takes far longer than to make it."""
        limit = time.monotonic() + CATCH_UP_SECONDS
        while time.monotonic() < limit:
            seen, lost = Metrics(self.daemon.patient_page("/metrics"), 0).taken_and_lost()
            if seen[FLOOD] + lost[FLOOD] >= sum(place.counted_by_kernel(FLOOD)) - sum(self.before[FLOOD]):
                return
            time.sleep(1)

    def come_and_go(self, number):
        """Interfaces appear, carry one handshake each, and are gone again: some under names that were there before."""
        names = [f"soak{100 + number % 7}", f"soak{200 + number % 300}"]
        for name in names:
            place.wire(name, self.flood.pid)
        # The daemon hears of it within a fraction of a second, later on a busy machine.
        limit = time.monotonic() + 10
        while unwatched := set(names) - set(self.daemon.watching()["interfaces"]):
            if time.monotonic() > limit:
                self.problems.append(f"not watched within 10 s: {unwatched}: {self.daemon.watching()}")
                break
            time.sleep(0.3)
        time.sleep(0.5)
        for position, name in enumerate(names):
            client = f"10.99.{number // 100 * 2 + position}.{number % 100 + 1}"
            sent = self.flood.replay(name, client)
            self.sent_to[name] = self.sent_to.get(name, 0) + sent
            self.handshakes[client] = self.handshakes.get(client, 0) + 1
            self.counts["interfaces"] += 1
        time.sleep(1)
        for name in names:
            place.ip(f"link del {name}")

    def reload(self, is_good):
        wrong = self.daemon.reload(is_good)
        if wrong:
            self.problems.append(wrong)

    def rotate(self):
        wrong = self.daemon.rotate()
        if wrong:
            self.problems.append(wrong)

    def pester(self):
        """Connections to the page that ask nothing, nonsense, or do not wait for the answer."""
        sockets = []
        for said in (b"", b"GET / HTTP/1.1\r\nHost:", random.randbytes(3_000), b"GET /" + b"a" * 70_000, b"GET / HTTP/1.0\r\n\r\n"):
            for _ in range(6):
                client = socket.socket()
                client.settimeout(2)
                sockets.append(client)
                try:
                    client.connect(("127.0.0.1", PORT))
                    client.send(said)
                except OSError:
                    # It is refused or closed: its right.
                    pass
        for client in sockets:
            client.close()

    # The verdict.

    def judge(self, watch):
        daemon, last = self.daemon, Metrics(self.daemon.patient_page("/metrics"), 0)
        print(f"made: {self.counts['syn']} SYNs, {self.counts['hello']} hellos, {self.counts['garbage']} frames of garbage, "
              f"{self.counts['interfaces']} interfaces, {daemon.reloads['good']} good and {daemon.reloads['bad']} bad reloads, "
              f"{len(self.churn.made)} handshakes answered, {self.churn.failed} not")
        reasons = last.by("ddbwatch_dropped_total", "stage", "reason")
        print(f"counted losses: { {' '.join(key): count for key, count in reasons.items() if count} or 'none'}")
        evictions = last.by("ddbwatch_flow_evictions_total", "reason")
        print(f"flows without a record: { {key[0]: count for key, count in evictions.items() if count} }")
        self.must(watch.unanswered <= watch.asked * MOST_UNANSWERED, f"{watch.unanswered} of {watch.asked} scrapes got no answer in time")
        self.must(not watch.wrong, f"{len(watch.rows)} scrapes add up, slowest {watch.slowest:.2f} s{self.first(watch.wrong)}")
        self.judge_wires(last)
        for what, count in (("SYN floods filled the table", evictions[("table_full",)]),
                            ("random names reached the cap of series", last.sum("ddbwatch_series_folded_total")),
                            ("garbage was decoded and refused", last.sum("ddbwatch_decode_errors_total"))):
            self.must(count > 0, f"{what}: {count}")
        before = daemon.memory()
        code = daemon.stop()
        self.must(code == 0, f"exit status {code} on SIGTERM, the process of the start")
        daemon.collect_all()
        self.judge_log(daemon)
        lost = sum(last.taken_and_lost()[1].values())
        self.judge_handshakes(daemon.written, lost + evictions[("table_full",)] + evictions[("records_behind",)])
        self.judge_memory(watch.rows, before)

    def judge_wires(self, last):
        """What was on the wires was seen, or lost and counted: by interface, and in all, because beyond the cap of series
        the interfaces are counted together."""
        carried = {name: sum(place.counted_by_kernel(name)) - sum(self.before[name]) for name in (TALK, FLOOD)} | self.sent_to
        seen, lost = last.taken_and_lost()
        for name in (TALK, FLOOD):
            self.must(seen[name] + lost[name] == carried[name],
                      f"{name}: {carried[name]} packets on the wire, {seen[name]} seen, {lost[name]} lost and counted")
        wrong = [f"{name}: {sent} sent, {seen[name]} seen, {lost[name]} lost"
                 for name, sent in self.sent_to.items() if name in seen and seen[name] + lost[name] != sent]
        in_all = sum(carried.values()), sum(seen.values()), sum(lost.values())
        self.must(not wrong and in_all[0] == in_all[1] + in_all[2],
                  f"all interfaces, those that came and went, too: {in_all[0]} packets, {in_all[1]} seen, {in_all[2]} lost and counted"
                  f"{self.first(wrong)}")

    @staticmethod
    def first(wrong):
        return f"; {len(wrong)} do not, the first: {'; '.join(wrong[:3])}" if wrong else ""

    def judge_log(self, daemon):
        entries = list(daemon.log_entries())
        unexpected = [entry for entry in entries if entry["level"] == "ERROR" and entry.get("message") not in EXPECTED_ERRORS]
        refused = sum(entry.get("message") in EXPECTED_ERRORS for entry in entries)
        self.must(not unexpected, f"no unexpected error in {len(entries)} lines of the log{self.first([str(e) for e in unexpected])}")
        self.must(refused == daemon.reloads["bad"], f"{refused} reloads refused, {daemon.reloads['bad']} were bad")
        warnings = {entry.get("message", "")[:90] for entry in entries
                    if entry["level"] == "WARN" and entry.get("event") not in ("violation", "violations_folded")}
        for message in sorted(warnings):
            print(f"  warned: {message}")
        last = next((entry for entry in reversed(entries) if entry.get("message") == "Stopped."), None)
        if not last:
            return self.must(False, "it told its last counts")
        opened, reported, others = last["flows_opened"], last["flows_reported"], last["flows_not_reported"]
        self.must(opened == reported + others, f"{opened} flows opened, {reported} reported, {others} not reported with their reasons")
        lines, lost = daemon.written.lines, last["records_not_written"]
        self.must(lines == reported - lost and not daemon.written.torn,
                  f"{lines} lines of records, {reported} flows reported, {lost} records lost and counted, {daemon.written.torn} torn")

    def judge_handshakes(self, written, losses):
        """Each connection that was answered is a record; one during a flood may be among the counted losses."""
        calm, flooded = [], []
        left = written.made.copy()

        def is_flooded(made):
            *_, began, ended = made
            return any(began <= end and start <= ended for start, end in self.floods)

        # Ports are used again: a record is that of the connection which nothing excuses.
        for made in sorted(self.churn.made, key=is_flooded):
            address, port, server_port, version, *_ = made
            key = address, port, server_port, version, "completed"
            if left[key] > 0:
                left[key] -= 1
                continue
            (flooded if is_flooded(made) else calm).append(key)
        if not losses:
            calm += flooded
            flooded = []
        made = len(self.churn.made)
        self.must(not calm, f"{made - len(calm) - len(flooded)} of {made} handshakes are records{self.first([str(key) for key in calm])}")
        self.must(len(flooded) <= losses, f"{len(flooded)} handshakes during floods are no records; {losses} packets and flows are counted as lost")
        missing = [client for client, number in self.handshakes.items() if written.by_client[client, "completed"] != number]
        self.must(not missing, f"{len(self.handshakes)} handshakes on interfaces that came and went are records{self.first(missing)}")

    def judge_memory(self, rows, last):
        rows = [row for row in rows if row[0] > rows[-1][0] * WARM_UP] if rows else []
        if len(rows) < 9:
            return self.must(False, f"{len(rows)} samples of memory")
        third = len(rows) // 3
        first, end = (statistics.median(row[1] for row in part) for part in (rows[:third], rows[-third:]))
        self.must(end <= first * MOST_GROWTH + MOST_GROWTH_KIB,
                  f"own memory is flat: {first:.0f} KiB in the first third, {end:.0f} in the last; at the end {last[0]}, with rings {last[2]}")
        for column, what in ((4, "threads"), (5, "files")):
            first, end = max(row[column] for row in rows[:third]), max(row[column] for row in rows[-third:])
            self.must(end <= first + 32, f"{what} are flat: at most {first} in the first third, {end} in the last")
        most = max(row[6] for row in rows)
        print(f"  at most {most} series (cap {MAX_SERIES}), {max(row[7] for row in rows)} flows open (limit {MAX_FLOWS})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ddbwatch")
    parser.add_argument("--seconds", type=float, default=1_800)
    parser.add_argument("--backend", default="ebpf", choices=("ebpf", "afpacket", "pcap"))
    parser.add_argument("--rate", type=float, default=40, help="TLS connections per second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the soak needs root, for network namespaces")
    missing = [program for program in ("ip", "nsenter", "openssl", "sysctl") if not shutil.which(program)]
    if missing:
        sys.exit(f"the soak needs: {' '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="ddbsoak-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soak = Soak(options, folder)
    try:
        soak.run()
    except SoakError as error:
        soak.problems.append(str(error))
        print(f"  FAILS  {error}")
    finally:
        # It gave up the privileges it was started with, and with them the wish to end with its parent.
        if soak.daemon:
            soak.daemon.end()
        kept = os.environ.get("SOAK_KEEP")
        if kept and soak.problems:
            shutil.copytree(folder, kept, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    for problem in soak.problems:
        print(f"  {problem[:1000]}")
    print(f"verdict: {'all holds' if not soak.problems else f'{len(soak.problems)} things do not hold'}")
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
