"""The list of cases: what each is called, how it is made, what its flows are known to be."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from . import lab as lab_module
from . import pcapfile

NAME = "dynamodb.eu-west-1.amazonaws.com"
BASE = 1_793_491_200 * 10**9  # 2026-11-01T00:00:00Z
MINUTE = 60 * 10**9

CASES: dict = {}


class Skipped(Exception):
    """This machine cannot make the case; the text says why."""


@dataclass
class Case:
    name: str
    title: str
    client: str
    server: str
    make: object
    suffix: str = "pcap"
    number: int = 0

    @property
    def file(self) -> str:
        return f"{self.name}.{self.suffix}"


@dataclass
class Recorded:
    """What a case gives: packets (or the bytes of a file) and the flows known to be in it."""

    packets: list = None
    flows: list = field(default_factory=list)
    data: bytes = None
    notes: str = ""
    notes_key: dict = field(default_factory=dict)


class Context:
    """What the making of one case may use."""

    def __init__(self, lab, certificates, tools, folder: Path, case: Case, index: dict):
        self.lab, self.certificates, self.tools = lab, certificates, tools
        self.folder, self.case, self.index = folder, case, index
        self.base = BASE + case.number * MINUTE
        self._ports = itertools.count(40000 + 40 * case.number)

    def port(self) -> int:
        """A client port that no other handshake of the run has."""
        return next(self._ports)

    def load(self, name: str):
        """Packets and flows of an earlier case, which variants are derived from."""
        file = self.folder / CASES[name].file
        if not file.exists() or CASES[name].file not in self.index:
            raise Skipped(f"needs {name}, which is not there")
        packets = pcapfile.read_pcap(file)[1]
        return pcapfile.shifted(packets, self.base), [dict(f) for f in self.index[CASES[name].file]["flows"]]


def case(name, title, client, server, suffix="pcap"):
    """Enters a function as the maker of a capture."""

    def enter(function):
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, title, client, server, function, suffix, len(CASES))
        return function

    return enter


def fact(client=None, server=lab_module.EU_WEST_1, port=443, **known) -> dict:
    """One expected flow. Keys are those of a flow record, with `__` for the dots."""
    entry = {}
    if client:
        entry["client.address"], entry["client.port"] = client if isinstance(client, tuple) else (client, None)
        if entry["client.port"] is None:
            del entry["client.port"]
    entry["server.address"], entry["server.port"] = server, port
    entry.update({key.replace("__", "."): value for key, value in known.items()})
    return entry
