"""A sealed network: two namespaces and one wire between them, without any way out.

The "client" namespace holds the addresses of a site, the "server" namespace those of DynamoDB and
of everything else that answers. So the recorded packets carry the addresses they were sent with
and nothing has to be rewritten. The wire is recorded at the client's end.
"""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import pcapfile

CLIENT, SERVER = "ddbcap-client", "ddbcap-server"
CLIENT_WIRE, SERVER_WIRE = "ddbcap0", "ddbcap1"

ONPREM = "10.1.2.3"
VPC_CLIENT = "172.31.5.20"
CLIENT_V6 = "2001:db8:1::3"
# Server addresses: DynamoDB prefixes of published ip-ranges, interface endpoints, others.
EU_WEST_1, US_EAST_1, US_WEST_2 = "52.94.5.10", "3.218.180.20", "52.94.10.9"
US_GOV_WEST_1, CN_NORTH_1, EUSC_DE_EAST_1 = "52.94.9.12", "54.222.57.14", "51.0.28.7"
INTERFACE_ENDPOINT, DAX_NODE, RESOLVER, PROXY = "10.0.3.25", "10.0.4.40", "10.0.0.2", "10.0.0.8"
ELSEWHERE, SEALED_REGION = "203.0.113.80", "198.51.100.7"
EU_WEST_1_V6 = "2a05:d018:5::10"
SERVER_ADDRESSES = [EU_WEST_1, US_EAST_1, US_WEST_2, US_GOV_WEST_1, CN_NORTH_1, EUSC_DE_EAST_1, INTERFACE_ENDPOINT,
                    DAX_NODE, RESOLVER, PROXY, ELSEWHERE, SEALED_REGION]

# What the AWS SDKs look up, as /etc/hosts of the client namespace.
HOSTS = {
    "dynamodb.eu-west-1.amazonaws.com": EU_WEST_1,
    "streams.dynamodb.eu-west-1.amazonaws.com": EU_WEST_1,
    "123456789012.ddb.eu-west-1.amazonaws.com": EU_WEST_1,
    "dynamodb.us-east-1.amazonaws.com": US_EAST_1,
    "123456789012.ddb.us-east-1.amazonaws.com": US_EAST_1,
    "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com": INTERFACE_ENDPOINT,
    "proxy.corp.example": PROXY,
}


class LabError(Exception):
    """Something the recording needs did not happen."""


def run(*argv, check=True, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, **options)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done


@dataclass
class Result:
    """What a program that ended has said."""

    text: str
    code: int | None


@dataclass
class Lab:
    """The two namespaces; use as a context manager."""

    folder: Path = None
    processes: list = field(default_factory=list)

    def __enter__(self):
        remove_namespaces()
        self.folder = Path(tempfile.mkdtemp(prefix="ddbcap-"))
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        self.end_processes()
        remove_namespaces()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _build(self):
        for name in (CLIENT, SERVER):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            for key in ("all", "default"):
                run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv6.conf.{key}.accept_dad=0")
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
        run("ip", "link", "add", CLIENT_WIRE, "netns", CLIENT, "address", "02:00:00:00:00:01", "type", "veth",
            "peer", "name", SERVER_WIRE, "netns", SERVER, "address", "02:00:00:00:00:02")
        for name, wire, addresses in (
            (CLIENT, CLIENT_WIRE, [ONPREM, VPC_CLIENT, CLIENT_V6]),
            (SERVER, SERVER_WIRE, [*SERVER_ADDRESSES, EU_WEST_1_V6]),
        ):
            # Whole packets on the wire with checksums of their own, as a tap would see them.
            run("ip", "netns", "exec", name, "ethtool", "-K", wire, "tx", "off", "rx", "off", "tso", "off", "gso",
                "off", "gro", "off")
            run("ip", "-n", name, "link", "set", wire, "up")
            for address in addresses:
                if ":" in address:
                    run("ip", "-n", name, "addr", "add", f"{address}/128", "dev", wire, "nodad")
                else:
                    run("ip", "-n", name, "addr", "add", f"{address}/32", "dev", wire)
            run("ip", "-n", name, "route", "add", "default", "dev", wire, "src", addresses[0])
            run("ip", "-n", name, "-6", "route", "add", "default", "dev", wire)
        lines = ["127.0.0.1 localhost"] + [f"{address} {name}" for name, address in HOSTS.items()]
        for name in (CLIENT, SERVER):
            etc = Path("/etc/netns") / name
            etc.mkdir(parents=True, exist_ok=True)
            (etc / "hosts").write_text("\n".join(lines) + "\n")
            (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")

    def start(self, place: str, *argv, env=None, stdin=subprocess.PIPE) -> subprocess.Popen:
        """Starts a program in a namespace; stdout and stderr come together."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", place, *map(str, argv)], stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, cwd=self.folder, env={**os.environ, **(env or {})})
        os.set_blocking(process.stdout.fileno(), False)
        process.said = b""
        self.processes.append(process)
        return process

    def serve(self, *argv, port=443, env=None) -> subprocess.Popen:
        """Starts a server and waits until it listens."""
        process = self.start(SERVER, *argv, env=env)
        wanted = f":{port:04X}"
        for _ in range(400):
            if process.poll() is not None:
                raise LabError(f"server ended: {argv}: {self.read(process)}")
            if _listens(process.pid, wanted):
                return process
            time.sleep(0.02)
        raise LabError(f"server does not listen on {port}: {argv}: {self.read(process)}")

    def read(self, process, until: str | None = None, seconds=5.0) -> str:
        """All that a program has said so far; waits for `until` where given."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready, _, _ = select.select([process.stdout], [], [], max(0, min(left, 0.05)) if until else 0)
            if ready:
                data = process.stdout.read()
                if data:
                    process.said += data
                    continue
                if data == b"":
                    break
            if until is None or until in process.said.decode(errors="replace") or left <= 0:
                break
            if process.poll() is not None and not ready:
                break
        return process.said.decode(errors="replace")

    def client(self, *argv, env=None, seconds=30, code=None) -> Result:
        """Runs a client to its end."""
        process = self.start(CLIENT, *argv, env=env, stdin=subprocess.DEVNULL)
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            self.read(process, until="\0", seconds=0.1)
        text = self.read(process)
        if process.poll() is None:
            self.stop(process)
            raise LabError(f"client did not end: {argv}: {text}")
        if code is not None and process.returncode != code:
            raise LabError(f"client ended with {process.returncode}: {argv}: {text}")
        return Result(text, process.returncode)

    def stop(self, process) -> str:
        """Ends one program and its children; gives what it said."""
        if process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(2)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
        text = self.read(process)
        for stream in (process.stdin, process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
        if process in self.processes:
            self.processes.remove(process)
        return text

    def end_processes(self):
        for process in list(self.processes):
            self.stop(process)

    @contextmanager
    def recording(self, filter_text="tcp", settle=0.25):
        """Records the wire while the block runs; the list it gives holds the packets afterwards."""
        file = self.folder / "recording.pcap"
        file.unlink(missing_ok=True)
        recorder = self.start(CLIENT, "tcpdump", "-i", CLIENT_WIRE, "-Z", "root", "-w", file, "-U", "-n", "-B", "8192",
                              "--immediate-mode", "--time-stamp-precision=nano", "-s", "0", filter_text)
        if "listening on" not in self.read(recorder, until="listening on", seconds=10):
            raise LabError(f"tcpdump is not ready: {self.read(recorder)}")
        packets = []
        try:
            yield packets
            time.sleep(settle)
        finally:
            os.killpg(recorder.pid, signal.SIGINT)
            recorder.wait(10)
            said = self.stop(recorder)
        if "0 packets dropped by kernel" not in said:
            raise LabError(f"tcpdump lost packets: {said}")
        packets.extend(pcapfile.read_pcap(file)[1])


def remove_namespaces():
    """Removes what this or an earlier, interrupted run has left."""
    for name in (CLIENT, SERVER):
        if (Path("/var/run/netns") / name).exists():
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "del", name)
        shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
    try:
        Path("/etc/netns").rmdir()
    except OSError:
        pass


def _listens(pid: int, port: str) -> bool:
    for table in ("tcp", "tcp6"):
        try:
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                columns = line.split()
                if columns[1].endswith(port) and columns[3] == "0A":
                    return True
        except FileNotFoundError:
            pass
    return False
