"""Client, gateway and server: three network namespaces in a row, the middle one forwards and is observed.

    client c0 ──── g0 gateway g1 ──── s0 server

The gateway is this process's own namespace. Nothing has a name outside, so nothing is left afterwards.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "soak"))

from place import die_with_parent, enter_new_network, inside, ip  # noqa: E402
import frames  # noqa: E402

__all__ = ["CLIENT", "SERVER", "World", "cpu_seconds", "frames", "ip"]

CLIENT, SERVER = "10.1.0.2", "52.94.5.10"
LINKS = (("c0", "g0", "10.1.0"), ("s0", "g1", "10.2.0"))


class World:
    def __init__(self, folder):
        self.folder = folder
        enter_new_network()
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.places = {}
        for far, near, network in LINKS:
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
            self._wait_for_network(holder.pid)
            self.places[far] = holder.pid
            ip(f"link add {near} type veth peer name {far} netns {holder.pid}")
            ip(f"addr add {network}.1/24 dev {near}")
            ip(f"link set {near} up")
            for command in (f"ip addr add {network}.2/24 dev {far}", f"ip link set {far} up", "ip link set lo up",
                            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1", f"ip route add default via {network}.1"):
                inside(holder.pid, command)
        inside(self.places["s0"], f"ip addr add {SERVER}/32 dev lo")
        ip(f"route add {SERVER}/32 via 10.2.0.2")
        # Somebody behind the server's link who does not answer.
        self.server_link = re.search(r"link/ether (\S+)", self.do("s0", "ip", "link", "show", "s0").stdout).group(1)
        self.near_link = re.search(r"link/ether (\S+)", ip("link show g0").stdout).group(1)
        ip(f"neigh add 10.2.0.99 lladdr {self.server_link} dev g1 nud permanent")
        self.sender = folder / "sender"
        subprocess.run(["cc", "-O2", "-o", self.sender, Path(__file__).with_name("sender.c")], check=True)

    @staticmethod
    def _wait_for_network(pid):
        own = os.readlink("/proc/self/ns/net")
        for _ in range(1000):
            if os.readlink(f"/proc/{pid}/ns/net") != own:
                return
            os.sched_yield()
            subprocess.run(["sleep", "0.005"])
        raise SystemExit("no network namespace")

    def command(self, place, *argv):
        return ["nsenter", f"--net=/proc/{self.places[place]}/ns/net", *map(str, argv)]

    def do(self, place, *argv, seconds=60):
        return subprocess.run(self.command(place, *argv), capture_output=True, text=True, check=True, timeout=seconds)

    def start(self, place, *argv, **options):
        return subprocess.Popen(self.command(place, *argv), preexec_fn=die_with_parent, text=True, **options)

    def offloads(self, is_on):
        word = "on" if is_on else "off"
        for far, near, _ in LINKS:
            for command in (self.command(far, "ethtool", "-K", far), ["ethtool", "-K", near]):
                subprocess.run([*command, "tso", word, "gso", word, "gro", "off"], check=True, capture_output=True)

    @staticmethod
    def received():
        """Packets that came in on the two interfaces of the gateway: each was forwarded."""
        sum_of = 0
        for line in Path("/proc/self/net/dev").read_text().splitlines():
            head, _, numbers = line.partition(":")
            if head.strip() in ("g0", "g1"):
                sum_of += int(numbers.split()[1])
        return sum_of

    def frames_file(self, name, made):
        """Frames for the sender: (bytes, where the client's address stands, where the random stands)."""
        path = self.folder / name
        path.write_bytes(b"".join(
            b"".join(number.to_bytes(2, "little") for number in (len(frame), client_at, random_at)) + frame
            for frame, client_at, random_at in made))
        return path

    def handshake_file(self):
        """One whole recorded handshake."""
        made = []
        recorded = frames.read_capture(frames.CAPTURES / "tls12-ecdhe-rsa.pcap")
        client = recorded[0][26:30]
        for frame in recorded:
            payload = 34 + (frame[46] >> 4) * 4
            is_hello = frame[payload:payload + 1] == b"\x16" and frame[payload + 5:payload + 6] in (b"\1", b"\2")
            made.append((frames.LINK + frame[12:], 26 if frame[26:30] == client else 30, payload + frames.RANDOM_AT if is_hello else 0))
        return self.frames_file("handshake", made), len(made)

    def small_file(self):
        """One packet of 64 bytes, checksum of Ethernet included, that the gateway forwards."""
        inside_frame = bytes.fromhex("9c409c41001a0000") + bytes(18)
        frame = frames.ipv4(17, inside_frame, bytes([10, 1, 0, 2]), bytes([10, 2, 0, 99]))
        link = bytes.fromhex(self.near_link.replace(":", "")) + frame[6:12]
        return self.frames_file("small", [(link + frame[12:], 0, 0)])


def cpu_seconds(pids):
    """What the threads of these processes ran, by the scheduler's own account; 0 for those that are gone."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / 1e9
