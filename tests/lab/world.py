"""The lab's network: namespaces joined by wires, without any way out.

    onprem ──── tagged link (VLAN 120), "Direct Connect" ────┐
    branch ──── VXLAN in place of an IPsec tunnel ───────────┤
    vpc    ──── plain link, masqueraded by the gateway ──────┤ gateway ──── aws (DynamoDB's names and addresses)
    other  ──── direct to aws; what passes is mirrored ──────┘
                in VXLAN to the gateway

ddbwatch runs on the gateway. Devices that many kernels lack in a sandbox (vti, xfrm, vlan, gre) are stood in
for: the tag is put on and taken off by a classifier in eBPF, the tunnel is VXLAN.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PREFIX = "ddblab-"
PLACES = ["onprem", "branch", "vpc", "other", "gateway", "aws"]
VLAN, TUNNEL_VNI, MIRROR_VNI = 120, 77, 4242

# Published DynamoDB addresses of eu-west-1, and a private one for the interface endpoint.
PUBLIC, INTERFACE = "52.94.5.10", "10.0.3.25"
# Each server address has one kind of server, so that a client chooses by address what it meets.
ADDRESSES = {
    "dynamodb": PUBLIC,          # the DynamoDB-compatible service, TLS 1.2 and 1.3, and port 80
    "legacy": "52.94.5.11",      # everything OpenSSL still can
    "strict": "52.94.5.12",      # TLS 1.3 only
    "future": "52.94.5.13",      # a post-quantum group only
    "interface": INTERFACE,      # the interface endpoint
}
CLIENTS = {"onprem": "10.1.2.3", "branch": "10.2.2.3", "vpc": "172.31.5.20", "other": "10.0.7.7"}

NAME = "dynamodb.eu-west-1.amazonaws.com"
INTERFACE_NAME = "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com"
HOSTS = {NAME: PUBLIC, INTERFACE_NAME: INTERFACE}


class LabError(Exception):
    """The lab could not be built, or something in it did not happen."""


def run(*argv, check=True, seconds=60, **options):
    """Runs a program to its end."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=seconds, **options)
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done


class World:
    """The namespaces and all that runs in them; use as a context manager."""

    def __init__(self):
        self.folder = None
        self.processes = []

    def __enter__(self):
        remove()
        self.folder = Path(tempfile.mkdtemp(prefix="ddblab-"))
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Programs.

    def inside(self, place, *argv):
        """The command line that runs in a namespace; /sys stays the machine's, as programs of a host see it."""
        return ["ip", "netns", "exec", PREFIX + place, *map(str, argv)]

    def do(self, place, *argv, **options):
        return run(*self.inside(place, *argv), **options)

    def start(self, place, *argv, log=None, env=None, stdin=subprocess.DEVNULL):
        """Starts a program; what it says goes to a file of the lab's folder."""
        path = self.folder / (log or f"{len(self.processes)}.log")
        with open(path, "ab") as output:
            process = subprocess.Popen(self.inside(place, *argv), stdin=stdin, stdout=output, stderr=subprocess.STDOUT,
                                       start_new_session=True, cwd=self.folder, env={**os.environ, **(env or {})})
        process.log = path
        self.processes.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM, seconds=10):
        """Ends a program, and gives its exit code."""
        if process in self.processes:
            self.processes.remove(process)
        if process.poll() is None:
            try:
                os.killpg(process.pid, how)
                process.wait(seconds)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
        return process.returncode

    # The network.

    def _build(self):
        for place in PLACES:
            name = PREFIX + place
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            for key in ("all", "default"):
                self.do(place, "sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0")
                self.do(place, "sysctl", "-qw", f"net.ipv6.conf.{key}.disable_ipv6=1")
            etc = Path("/etc/netns") / name
            etc.mkdir(parents=True, exist_ok=True)
            lines = ["127.0.0.1 localhost", *(f"{address} {host}" for host, address in HOSTS.items())]
            (etc / "hosts").write_text("\n".join(lines) + "\n")
            (etc / "resolv.conf").write_text("options timeout:1 attempts:1\n")
        self.do("gateway", "sysctl", "-qw", "net.ipv4.ip_forward=1")

        self._wire("onprem", "out0", "gateway", "dx0", "192.0.2.0")
        self._wire("branch", "out0", "gateway", "wan0", "192.0.2.4")
        self._wire("vpc", "out0", "gateway", "vpc0", "192.0.2.8")
        self._wire("gateway", "up0", "aws", "front0", "192.0.2.12")
        self._wire("other", "out0", "aws", "front1", "192.0.2.16")
        self._wire("other", "mirror0", "gateway", "mirror0", "192.0.2.20")
        for place, address in CLIENTS.items():
            self.do(place, "ip", "addr", "add", f"{address}/32", "dev", "lo")
        for address in ADDRESSES.values():
            self.do("aws", "ip", "addr", "add", f"{address}/32", "dev", "lo")

        # Direct Connect: every packet of the link is tagged; the observer sees the tag before it is taken off.
        self._classifier("onprem", "out0", "egress", "lab_tag")
        self._classifier("onprem", "out0", "ingress", "lab_untag")
        self._classifier("gateway", "dx0", "egress", "lab_tag")
        self._classifier("gateway", "dx0", "ingress", "lab_untag")
        # The tunnel between branch and gateway.
        for place, own, far, inside in (("branch", "192.0.2.4", "192.0.2.5", "198.18.0.1"),
                                        ("gateway", "192.0.2.5", "192.0.2.4", "198.18.0.2")):
            self.do(place, "ip", "link", "add", "tunnel0", "type", "vxlan", "id", TUNNEL_VNI, "dstport", "4789",
                    "local", own, "remote", far)
            self.do(place, "ip", "addr", "add", f"{inside}/30", "dev", "tunnel0")
            self.do(place, "ip", "link", "set", "tunnel0", "mtu", "1400", "up")
        # The mirror session: both directions of `other`'s link, in VXLAN to the gateway.
        self.do("other", "ip", "link", "add", "session0", "type", "vxlan", "id", MIRROR_VNI, "dstport", "4789",
                "local", "192.0.2.20", "remote", "192.0.2.21")
        self.do("other", "ip", "link", "set", "session0", "up")
        # Room for the outer headers, as a mirror target has it.
        for place in ("other", "gateway"):
            self.do(place, "ip", "link", "set", "mirror0", "mtu", "9000")
        index = self.do("other", "cat", "/sys/class/net/session0/ifindex", check=False).stdout.strip()
        index = index or self.do("other", "ip", "-o", "link", "show", "session0").stdout.split(":")[0]
        for direction in ("ingress", "egress"):
            self._classifier("other", "out0", direction, "lab_mirror", mirror=index)

        # Routes.
        servers = ["52.94.5.0/24", "10.0.3.0/24"]
        for server in servers:
            self.do("onprem", "ip", "route", "add", server, "via", "192.0.2.1", "src", CLIENTS["onprem"])
            self.do("branch", "ip", "route", "add", server, "via", "198.18.0.2", "src", CLIENTS["branch"])
            self.do("vpc", "ip", "route", "add", server, "via", "192.0.2.9", "src", CLIENTS["vpc"])
            self.do("other", "ip", "route", "add", server, "via", "192.0.2.17", "src", CLIENTS["other"])
            self.do("gateway", "ip", "route", "add", server, "via", "192.0.2.13")
        self.do("gateway", "ip", "route", "add", CLIENTS["onprem"], "via", "192.0.2.0")
        self.do("gateway", "ip", "route", "add", CLIENTS["branch"], "via", "198.18.0.1")
        self.do("gateway", "ip", "route", "add", CLIENTS["vpc"], "via", "192.0.2.8")
        self.do("aws", "ip", "route", "add", CLIENTS["other"], "via", "192.0.2.16")
        self.do("aws", "ip", "route", "add", "default", "via", "192.0.2.12")
        rules = ("table ip nat { chain out { type nat hook postrouting priority 100;"
                 f" ip saddr {CLIENTS['vpc']} oif up0 masquerade; }}; }}")
        self.do("gateway", "nft", "-f", "-", input=rules)

    def _wire(self, place, name, far_place, far_name, first):
        """Two ends, with two addresses of a network of their own."""
        base, _, last = first.rpartition(".")
        run("ip", "link", "add", name, "netns", PREFIX + place, "type", "veth", "peer", "name", far_name,
            "netns", PREFIX + far_place)
        for end, interface, number in ((place, name, int(last)), (far_place, far_name, int(last) + 1)):
            self.do(end, "ip", "addr", "add", f"{base}.{number}/31", "dev", interface)
            self.do(end, "ip", "link", "set", interface, "up")

    def _classifier(self, place, interface, direction, section, mirror=1):
        target = self.folder / f"wire-{mirror}.o"
        if not target.exists():
            run("clang", "-O2", "-target", "bpf", f"-DVLAN={VLAN}", f"-DMIRROR={mirror}", "-c", HERE / "wire.bpf.c",
                "-o", target)
        self.do(place, "tc", "qdisc", "add", "dev", interface, "clsact", check=False)
        self.do(place, "tc", "filter", "add", "dev", interface, direction, "bpf", "da", "obj", target, "sec", section)


def remove():
    """Removes what this or an earlier, interrupted run has left."""
    for place in PLACES:
        name = PREFIX + place
        if (Path("/var/run/netns") / name).exists():
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
