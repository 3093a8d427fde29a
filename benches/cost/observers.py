"""Who watches the gateway: nobody, a program that does nothing, ddbwatch by each of its back-ends, tcpdump."""

import http.client
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from world import cpu_seconds, die_with_parent  # first: it says where the soak's modules are
import memory

SNAPLEN, RING_MIB, PORT = 2048, 64, 9477
NAMES = ["none", "hooks", "ebpf", "afpacket", "pcap", "tcpdump"]
INTERFACES = ("g0", "g1")
CONFIG = """
[capture]
snaplen = {snaplen}
ring_mib = {ring}
[metrics]
listen = "127.0.0.1:{port}"
[output]
records = "{records}"
rotate_mib = 1000
[limits]
flows = {flows}
"""


class Nobody:
    pids = ()

    def settle(self):
        pass

    def counts(self):
        return {}

    def stop(self):
        return {}


class Hooks(Nobody):
    """What the kernel's hooks cost by themselves: where ddbwatch has its programs hang some that return at once."""

    SOURCE = """
        __attribute__((section("classifier"), used)) int nothing(void *packet) { return -1; }
        char _license[] __attribute__((section("license"), used)) = "GPL";
    """

    def __init__(self, folder):
        made = folder / "nothing.o"
        subprocess.run(["clang", "-O2", "-target", "bpf", "-x", "c", "-c", "-", "-o", made], input=self.SOURCE, text=True, check=True)
        for name in INTERFACES:
            subprocess.run(["tc", "qdisc", "add", "dev", name, "clsact"], check=True)
            for direction in ("ingress", "egress"):
                subprocess.run(["tc", "filter", "add", "dev", name, direction, "bpf", "da", "obj", made, "sec", "classifier"], check=True)

    def stop(self):
        for name in INTERFACES:
            subprocess.run(["tc", "qdisc", "del", "dev", name, "clsact"], check=True)


class Ddbwatch:
    def __init__(self, binary, backend, folder, flows=200_000):
        records = folder / "records"
        shutil.rmtree(records, ignore_errors=True)
        records.mkdir()
        records.chmod(0o777)
        folder.chmod(0o755)
        self.log = folder / "watch.log"
        config = folder / "ddbwatch.toml"
        config.write_text(CONFIG.format(snaplen=SNAPLEN, ring=RING_MIB, port=PORT, records=records / "flows.jsonl", flows=flows))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary, "watch", *(part for name in INTERFACES for part in ("-i", name)), "--backend", backend, "--config", config],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, preexec_fn=die_with_parent)
        self.pids = (self.process.pid,)
        end = time.monotonic() + 30
        while self._get("/readyz") is None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"ddbwatch {backend} does not get ready: {self.log.read_text()[-1500:]}")
            time.sleep(0.05)

    @staticmethod
    def _get(path):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
            return text if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def counts(self):
        """Packets seen, packets lost, flows reported."""
        text = self._get("/metrics") or ""
        sums = {"seen": 0, "lost": 0, "flows": 0}
        for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.M):
            if name == "ddbwatch_packets_total" and 'stage="seen"' in labels:
                sums["seen"] += int(float(value))
            elif name == "ddbwatch_dropped_total" and ('stage="ring"' in labels or 'stage="kernel"' in labels):
                sums["lost"] += int(float(value))
            elif name == "ddbwatch_flows_total":
                sums["flows"] += int(float(value))
        for name in ("ddbwatch_flows_opened_total", "ddbwatch_flow_table_entries"):
            found = re.search(rf"^{name} (\S+)$", text, re.M)
            sums[name.split("_")[2]] = int(float(found.group(1))) if found else 0
        return sums

    def settle(self):
        """Waits until what came in was worked on."""
        before, since = None, time.monotonic()
        while time.monotonic() - since < 30:
            time.sleep(1.1)
            now = self.counts()
            if now == before:
                return
            before = now

    def program_times(self):
        """Runs of the programs in the kernel, and what they took in all."""
        runs, nanoseconds = 0, 0
        for path in Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            try:
                text = path.read_text()
            except FileNotFoundError:
                # It was open for a moment only.
                continue
            found = re.search(r"run_time_ns:\s+(\d+)\nrun_cnt:\s+(\d+)", text)
            if found:
                nanoseconds, runs = nanoseconds + int(found.group(1)), runs + int(found.group(2))
        return runs, nanoseconds

    def memory(self):
        """KiB: resident, of that in mapped rings, private."""
        private, rings, resident = memory.of_process(self.process.pid)
        return resident, rings, private

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tcpdump:
    """Both interfaces, the same snap length and as large a ring, written to nowhere."""

    def __init__(self, folder):
        self.log = folder / "tcpdump.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["tcpdump", "-i", "any", "-s", str(SNAPLEN), "-B", str(2 * RING_MIB * 1024), "-w", "/dev/null"],
                                            stderr=log, preexec_fn=die_with_parent)
        self.pids = (self.process.pid,)
        end = time.monotonic() + 10
        while "listening on" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"tcpdump does not start: {self.log.read_text()}")
            time.sleep(0.05)
        self.said = None

    def settle(self):
        """It tells its counts at its end only."""
        time.sleep(0.5)
        if self.said is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
            text = self.log.read_text()
            number = {what: int(value) for value, what in re.findall(r"(\d+) packets? (captured|received by filter|dropped by kernel)", text)}
            self.said = {"seen": number.get("received by filter", 0), "lost": number.get("dropped by kernel", 0)}

    def counts(self):
        return self.said or {"seen": 0, "lost": 0}

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def begin(name, binary, folder):
    if name == "none":
        return Nobody()
    if name == "hooks":
        return Hooks(folder)
    return Tcpdump(folder) if name == "tcpdump" else Ddbwatch(binary, name, folder)


def kernel_threads():
    """ksoftirqd of each processor: what it did for packets counts, too."""
    return [int(path.name) for path in Path("/proc").iterdir()
            if path.name.isdigit() and (path / "comm").exists() and (path / "comm").read_text().startswith("ksoftirqd")]


__all__ = ["NAMES", "Ddbwatch", "begin", "cpu_seconds", "kernel_threads"]
