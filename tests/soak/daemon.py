"""The daemon under test: its configuration, its metrics, its memory, its records."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import memory
from place import CLIENTS, SoakError, die_with_parent

PORT = 9477
MAX_SERIES, MAX_FLOWS = 450, 20_000
# Small, so that it is reached again and again.
ROTATE_MIB, KEEP = 4, 400
LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
GOOD = """
[site]
region = "eu-west-1"
[policy]
profile = "{profile}"
[output]
records = "{records}"
rotate_mib = {rotate}
keep = {keep}
[metrics]
max_series = {series}
[limits]
flows = {flows}
"""
PROFILES = ["aws-dynamodb", "nist-800-52r2", "pci-dss-4"]
# What each breaks: a word nobody knows, the form, a value, what cannot change while it runs.
BAD = ["[capture]\nsnapleng = 1\n", "[policy\n", '[policy]\nprofile = "none-such"\n', "[limits]\nflows = 7000\n"]


class Unanswered(Exception):
    """It says that it cannot answer now."""


class Metrics:
    """One scrape."""

    def __init__(self, text, seconds):
        self.seconds = seconds
        self.samples = {}
        for line in text.splitlines():
            found = LINE.match(line)
            if found:
                labels = tuple(sorted(LABEL.findall(found.group(2) or "")))
                self.samples[found.group(1), labels] = float(found.group(3))

    def by(self, name, *labels):
        counts = Counter()
        for (metric, values), value in self.samples.items():
            if metric == name:
                values = dict(values)
                counts[tuple(values.get(label, "") for label in labels)] += int(value)
        return counts

    def sum(self, name):
        return sum(self.by(name).values())

    def series(self):
        return sum(1 for name, _ in self.samples if name.startswith("ddbwatch_"))

    def disagreements(self):
        """Where the promises of the metrics are not kept."""
        for unit in ("packets", "bytes"):
            stages = self.by(f"ddbwatch_{unit}_total", "interface", "stage")
            for interface in {interface for interface, _ in stages}:
                seen, skipped, parsed = (stages[interface, stage] for stage in ("seen", "skipped", "parsed"))
                if seen != skipped + parsed:
                    yield f"{interface}: {seen} {unit} seen, {skipped} skipped, {parsed} parsed"
        opened, records = self.sum("ddbwatch_flows_opened_total"), self.sum("ddbwatch_flows_total")
        evicted, still_open = self.sum("ddbwatch_flow_evictions_total"), self.sum("ddbwatch_flow_table_entries")
        if opened != records + evicted + still_open:
            yield f"{opened} flows opened, {records} reported, {evicted} evicted, {still_open} open"
        if still_open > MAX_FLOWS:
            yield f"{still_open} flows open, at most {MAX_FLOWS} may be"
        if self.series() > MAX_SERIES + 100:
            yield f"{self.series()} series, at most {MAX_SERIES} and those without labels may be"

    def taken_and_lost(self):
        """By interface: packets seen, and those that were lost after they had come in."""
        packets = self.by("ddbwatch_packets_total", "interface", "stage")
        dropped = self.by("ddbwatch_dropped_total", "interface", "stage")
        seen = Counter({interface: count for (interface, stage), count in packets.items() if stage == "seen"})
        lost = Counter()
        for (interface, stage), count in dropped.items():
            if stage in ("ring", "kernel"):
                lost[interface] += count
        return seen, lost


class Daemon:
    def __init__(self, binary, backend, folder):
        self.folder = folder
        self.config = folder / "ddbwatch.toml"
        # Whoever the daemon becomes has to get there.
        os.chmod(folder, 0o755)
        self.out = folder / "records"
        self.out.mkdir()
        os.chmod(self.out, 0o777)
        self.records = self.out / "flows.jsonl"
        self.taken = folder / "taken"
        self.taken.mkdir()
        self.reloads = {"good": 0, "bad": 0}
        self.pieces = 0
        self.written = Written()
        self._configure(PROFILES[0])
        self.log = folder / "watch.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "watch", "-i", "soak*", "--backend", backend, "--config", self.config, "--log-format", "json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, preexec_fn=die_with_parent)
        end = time.monotonic() + 60
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SoakError(f"ddbwatch does not get ready: {self.log.read_text()[-2000:]}")
            try:
                if self.get("/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)

    def _configure(self, profile, more=""):
        text = GOOD.format(profile=profile, records=self.records, rotate=ROTATE_MIB, keep=KEEP, series=MAX_SERIES, flows=MAX_FLOWS)
        self._write(more or text)

    def _write(self, text):
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.rename(self.config)

    def get(self, path, seconds=15):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        began = time.monotonic()
        return Metrics(self._page("/metrics"), time.monotonic() - began)

    def _page(self, path):
        status, text = self.get(path)
        if status != 200:
            raise Unanswered(status)
        return text

    def patient_page(self, path, seconds=60):
        """The page, also from one that is busy."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self._page(path)
            except Unanswered:
                if time.monotonic() > end:
                    raise SoakError(f"{path} gets no answer in {seconds} s") from None
                time.sleep(0.5)

    def watching(self):
        """What it says it watches, and what it could not."""
        return json.loads(self.patient_page("/api/v1/summary"))["watching"]

    # Reloads.

    def reload(self, is_good, seconds=20):
        """A configuration that is taken, or one that is refused; what is not as it should be after it, else None."""
        number = self.reloads["good" if is_good else "bad"]
        if is_good:
            self._configure(PROFILES[number % len(PROFILES)])
        else:
            self._configure("", BAD[number % len(BAD)])
        before = self.reload_lines()
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + seconds
        while self.reload_lines() == before:
            if time.monotonic() > end:
                return f"no word of a reload in {seconds} s"
            time.sleep(0.05)
        self.reloads["good" if is_good else "bad"] += 1
        # Answers are kept for a moment.
        time.sleep(1.2)
        said = Metrics(self.patient_page("/metrics"), 0).sum("ddbwatch_config_last_reload_successful")
        return None if said == is_good else f"ddbwatch_config_last_reload_successful is {said} after a {'good' if is_good else 'bad'} reload"

    def reload_lines(self):
        text = self.log.read_bytes()
        return text.count(b"The configuration was read again"), text.count(b"The new configuration was refused")

    # Records.

    def rotate(self):
        """Takes the files of records away, as logrotate does, and reads what the last time left."""
        self.collect()
        for path in list(self.out.iterdir()):
            self.pieces += 1
            try:
                path.rename(self.taken / str(self.pieces))
            except FileNotFoundError:
                # It has just been given another number.
                pass
        return self.reload(True)

    def collect(self):
        """Reads and removes what was taken; after a reload nobody writes there."""
        for path in sorted(self.taken.iterdir()):
            self.written.read(path)
            path.unlink()

    def collect_all(self):
        self.collect()
        for path in self.out.iterdir():
            self.written.read(path)

    # Its state.

    def memory(self):
        """KiB: of its own, of rings it has mapped, all that is resident; threads; files."""
        threads = len(os.listdir(f"/proc/{self.process.pid}/task"))
        files = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return *memory.of_process(self.process.pid), threads, files

    def stop(self, seconds=60):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log_entries(self):
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                # A panic, an allocation that failed.
                yield {"level": "ERROR", "message": line}


class Written:
    """What the files of records hold."""

    def __init__(self):
        self.lines, self.torn = 0, 0
        self.made = Counter()
        self.by_client = Counter()

    def read(self, path):
        with open(path, "rb") as file:
            for line in file:
                self.lines += 1
                try:
                    record = json.loads(line)
                except ValueError:
                    self.torn += 1
                    continue
                client = record.get("client.address", "")
                if client in CLIENTS:
                    version = record.get("tls.protocol.version", "")
                    key = client, record["client.port"], record["server.port"], version, record["handshake.outcome"]
                    self.made[key] += 1
                elif client.startswith("10.99."):
                    self.by_client[client, record["handshake.outcome"]] += 1
