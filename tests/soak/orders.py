"""The peers' programs, as the driver of the soak gives them their orders."""

import json
import subprocess
import sys

import place
from place import HERE, SERVER, SoakError

PORTS = (443, 7443)


class Flood:
    """Puts frames onto wires; the peers' network is that of this program."""

    def __init__(self, seed):
        # Started in a network of its own, which ends with it.
        self.process = subprocess.Popen(
            ["unshare", "--net", sys.executable, HERE / "flood.py", str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=place.die_with_parent)
        self.pid = self.process.pid
        self._answer()
        place.inside(self.pid, "ip link set lo up")
        place.inside(self.pid, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SoakError("the program that floods has ended")
        return json.loads(line)

    def _order(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise SoakError(f"flood: {answer['error']}")
        return answer["sent"]

    def send(self, wire, kind, frames):
        return self._order(wire=wire, kind=kind, frames=frames)

    def replay(self, wire, client):
        return self._order(wire=wire, client=client)


class Churn:
    """Servers here, and clients with the peers that connect to them all the time."""

    def __init__(self, peers, rate, folder):
        self.peers, self.rate, self.file = peers, rate, folder / "made.jsonl"
        pair = place.certificate(folder)
        self.server = place.python("server.py", SERVER, *pair, *PORTS, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.server.stdout.readline().strip() != "ready":
            raise SoakError("the servers do not start")
        self.made, self.failed = [], 0

    def start(self):
        self.client = place.python("churn.py", self.peers, SERVER, self.rate, self.file, *PORTS,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.client.stdout.readline().strip() != "ready":
            raise SoakError("the clients do not start")

    def stop(self):
        """No new connections; those that are open end. Fills `made` and `failed`."""
        said, _ = self.client.communicate(timeout=90)
        self.failed = int(said or 0)
        self.made = [json.loads(line) for line in self.file.read_text().splitlines()]
