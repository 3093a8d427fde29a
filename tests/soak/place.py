"""Where the soak runs: a network namespace of this process's own, one of its peers, and the daemon between them.

Nothing has a name outside, so nothing is left when the processes have ended; and none survives the driver.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
# Floods come from interfaces of their own, so that real handshakes are not behind them in a queue.
TALK, FLOOD = "soak0", "soak1"
# Of the servers, in this process's namespace; published DynamoDB addresses.
SERVER = "52.94.5.10"
# Clients, in the peers' namespace: several, because the ports of one would not last.
CLIENTS = [f"10.77.0.{number}" for number in range(1, 9)]

libc = ctypes.CDLL(None, use_errno=True)


class SoakError(Exception):
    """The soak could not be set up."""


def enter_new_network():
    """From here on this process has a network of its own, without any way out."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise SoakError(f"the kernel gives no network namespace: {os.strerror(ctypes.get_errno())}")
    for which in ("all", "default"):
        # Nobody speaks unasked.
        Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
    ip("link set lo up")


def join_network(pid):
    """From here on this process has the network of another one."""
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise SoakError(f"no way into the network of {pid}: {os.strerror(ctypes.get_errno())}")


def die_with_parent():
    libc.prctl(DEATH_SIGNAL, signal.SIGKILL)


def ip(arguments, check=True):
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise SoakError(f"ip {arguments}: {done.stderr.strip()}")
    return done


def inside(pid, command):
    """Runs a command in the network of another process."""
    done = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *command.split()], capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise SoakError(f"{command}: {done.stderr.strip()}")


def wire(name, peers):
    """An interface here whose other end, peer-NAME, is with the peers."""
    ip(f"link add {name} mtu 9000 type veth peer name peer-{name} mtu 9000 netns {peers}")
    inside(peers, f"ip link set peer-{name} up")
    ip(f"link set {name} up")


def build(peers):
    """What is there all the time."""
    for name in (TALK, FLOOD):
        wire(name, peers)
    ip(f"addr add 10.77.1.1/16 dev {TALK}")
    ip(f"addr add {SERVER}/32 dev lo")
    for address in CLIENTS:
        inside(peers, f"ip addr add {address}/16 dev peer-{TALK}")
    inside(peers, f"ip route add {SERVER}/32 via 10.77.1.1 dev peer-{TALK}")


def counted_by_kernel(name):
    """Packets that came in and went out, as the interface itself counts them."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        head, _, numbers = line.partition(":")
        if head.strip() == name:
            numbers = [int(number) for number in numbers.split()]
            return numbers[1], numbers[9]
    raise SoakError(f"{name} is gone")


def certificate(folder):
    """A certificate for DynamoDB's name that nobody trusts."""
    pair = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=dynamodb.eu-west-1.amazonaws.com", "-addext", "subjectAltName=DNS:*.eu-west-1.amazonaws.com",
                    "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True, env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    return pair


def python(script, *arguments, **options):
    """Starts a Python program that ends with this one."""
    return subprocess.Popen([sys.executable, HERE / script, *map(str, arguments)], preexec_fn=die_with_parent, text=True, **options)
