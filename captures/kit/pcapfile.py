"""Reads and writes pcap and pcapng files. Times are integers of nanoseconds since 1970."""

import gzip
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

ETHERNET = 1
NULL, PPP, RAW, LOOP, SLL, SLL2 = 0, 9, 101, 108, 113, 276


@dataclass(frozen=True)
class Packet:
    """One captured packet; `wire_bytes` is its length before any cut."""

    time: int
    data: bytes
    wire_bytes: int = -1
    interface: int = 0

    @property
    def original(self) -> int:
        return self.wire_bytes if self.wire_bytes >= 0 else len(self.data)


@dataclass
class Interface:
    """One interface description of a pcapng file; `resolution` is the negative power of ten."""

    link: int = ETHERNET
    name: str = ""
    snaplen: int = 262144
    resolution: int = 6


@dataclass
class Section:
    """One section of a pcapng file."""

    packets: list
    interfaces: list = field(default_factory=lambda: [Interface()])
    big_endian: bool = False


def read_pcap(path) -> tuple[int, list[Packet]]:
    """The link type and the packets of a classic pcap file of either byte order and resolution."""
    data = Path(path).read_bytes()
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1000
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x0FFFFFFF
    packets, at = [], 24
    while at + 16 <= len(data):
        seconds, fraction, kept, wire = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + kept > len(data):
            break
        packets.append(Packet(seconds * 10**9 + fraction * unit, data[at : at + kept], wire))
        at += kept
    return link, packets


def pcap_bytes(packets, link=ETHERNET, nanoseconds=False, big_endian=False, snaplen=262144) -> bytes:
    """A classic pcap file."""
    order = ">" if big_endian else "<"
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for p in packets:
        seconds, rest = divmod(p.time, 10**9)
        out.append(struct.pack(order + "IIII", seconds, rest // unit, len(p.data), p.original))
        out.append(p.data)
    return b"".join(out)


def pcapng_bytes(sections) -> bytes:
    """A pcapng file of one or more sections, with enhanced packet blocks."""
    return b"".join(_section(s) for s in sections)


def _section(section: Section) -> bytes:
    order = ">" if section.big_endian else "<"

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        total = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + total + body + total

    def option(code: int, value: bytes) -> bytes:
        return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)

    out = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for face in section.interfaces:
        options = option(2, face.name.encode()) if face.name else b""
        options += option(9, bytes([face.resolution])) + option(0, b"")
        out.append(block(1, struct.pack(order + "HHI", face.link, 0, face.snaplen) + options))
    for p in section.packets:
        unit = 10 ** (9 - section.interfaces[p.interface].resolution)
        ticks = p.time // unit
        head = struct.pack(order + "IIIII", p.interface, ticks >> 32, ticks & 0xFFFFFFFF, len(p.data), p.original)
        out.append(block(6, head + p.data))
    return b"".join(out)


def gzip_bytes(data: bytes) -> bytes:
    """Gzip without a time of its own, so that equal input gives equal output."""
    return gzip.compress(data, 9, mtime=0)


def zstd_bytes(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=19).compress(data)


def shifted(packets, base: int) -> list[Packet]:
    """The packets in order of time, the first of them at `base`."""
    packets = sorted(packets, key=lambda p: p.time)
    return [replace(p, time=p.time - packets[0].time + base) for p in packets]
