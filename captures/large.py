#!/usr/bin/env python3
"""Makes the large captures of the benchmarks out of the recorded ones.

    python3 captures/large.py handshakes --output FOLDER [--scale 0.1]
    python3 captures/large.py all --output FOLDER

handshakes  200,000 handshakes in 4 million packets, all with 5-tuples and randoms of their own
bulk        one handshake and a transfer of 2 GB
mixed       1.4 million packets, 60 % of them other traffic; tunnels, retransmissions, disorder,
            split hellos, fragments

--scale takes that part of it. Recorded connections serve as templates; addresses, ports, randoms
and times are written over by columns, checksums are left as they were.
"""

import argparse
import struct
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

try:
    import numpy
except ModuleNotFoundError:
    sys.exit("large.py: numpy is missing; `make bench` installs it into target/python, elsewhere: pip install numpy")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from kit import packets as wire  # noqa: E402
from kit import pcapfile  # noqa: E402
from kit.book import BASE  # noqa: E402

HEAD = 16  # of a pcap record
CLIENT = wire.address("10.1.2.3")
# The random that marks a HelloRetryRequest [RFC 8446 4.1.3] has to stay.
RETRY = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")
ROUND = 1024  # connections of a round run side by side


@dataclass
class Slot:
    """One packet of a template: its record, and where what changes lies in it."""

    record: numpy.ndarray
    client_at: list = field(default_factory=list)
    port_at: list = field(default_factory=list)
    random_at: list = field(default_factory=list)  # (offset, length, which random)
    identification: int | None = None  # of an IPv4 fragment that no tunnel wraps


@dataclass
class Template:
    """A connection, or other traffic, to be written many times."""

    name: str
    slots: list
    client_hellos: int = 1
    server_hellos: int = 1


def slot(frame: bytes, client_port: int | None, randoms) -> Slot:
    record = struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    made = Slot(numpy.frombuffer(record, dtype=numpy.uint8))
    at = record.find(CLIENT, HEAD)
    while at >= 0:
        made.client_at.append(at)
        at = record.find(CLIENT, at + 4)
    if client_port is not None and made.client_at:
        # The inner addresses are the last ones; the ports follow them.
        last = made.client_at[-1]
        for start, port in ((last + 8, 0), (last + 4, 2)):
            place = start + port
            if record[place : place + 2] == client_port.to_bytes(2, "big"):
                made.port_at.append(place)
                break
    if frame[12:14] == b"\x08\0" and int.from_bytes(frame[20:22], "big") & 0x3FFF:
        made.identification = int.from_bytes(frame[18:20], "big")
    for which, value in enumerate(randoms):
        at = record.find(value, HEAD)
        if at >= 0 and value:
            made.random_at.append((at, len(value), which))
    return made


def load(name: str) -> list:
    return pcapfile.read_pcap(HERE / name)[1]


def randoms_of(packets) -> list[bytes]:
    """The randoms and session ids of the hellos in untunnelled packets."""
    found = []
    for p in packets:
        s = wire.segment(p.data)
        if s and len(s.payload) > 60 and s.payload[0] == 22 and s.payload[5] in (1, 2):
            if s.payload[11:43] != RETRY:
                found.append(s.payload[11:43])
            if s.payload[43] == 32:
                found.append(s.payload[44:76])
    return list(dict.fromkeys(found))


def template(name: str, base: str | None = None, length: int | None = None, hellos=(1, 1)) -> Template:
    """A capture of one connection as a template; `base` is the untunnelled capture it came from."""
    packets = load(f"{name}.pcap")
    plain = load(f"{base or name}.pcap")
    first = wire.segment(plain[0].data)
    if length:
        packets = lengthened(packets, length)
    randoms = randoms_of(plain)
    return Template(name, [slot(p.data, first.sport, randoms) for p in packets], *hellos)


def lengthened(packets, length: int):
    """Repeats the last exchange of application data until there are `length` packets."""
    segments = [wire.segment(p.data) for p in packets]
    data = [i for i, s in enumerate(segments) if s.payload[:1] == b"\x17"]
    while len(segments) < length:
        # The same record is sent once more by whoever sent it; what follows moves on by its length.
        i = data[-1] if len(segments) % 2 else next(j for j in reversed(data) if segments[j].source != segments[data[-1]].source)
        sender, size = segments[i].source, len(segments[i].payload)
        tail = [replace(s, seq=s.seq + size) if s.source == sender else replace(s, ack=s.ack + size) for s in segments[i + 1 :]]
        segments = [*segments[: i + 1], replace(segments[i], seq=segments[i].seq + size), *tail]
        data = [j for j, s in enumerate(segments) if s.payload[:1] == b"\x17"]
    return [pcapfile.Packet(packets[0].time, s.frame()) for s in segments]


class Writer:
    """Writes rounds of connections; counts what it writes."""

    def __init__(self, file: Path):
        self.file, self.out = file, file.open("wb", buffering=1 << 20)
        self.out.write(pcapfile.pcap_bytes([]))
        self.random = numpy.random.default_rng(2026)
        self.packets = self.client_hellos = self.server_hellos = self.connections = 0
        self.clock = BASE // 1000  # microseconds

    def round(self, shares):
        """Writes for each (template, count) that many connections, all side by side."""
        prepared = []
        for made, count in shares:
            if count <= 0:
                continue
            numbers = numpy.arange(self.connections, self.connections + count, dtype=numpy.uint64)
            self.connections += count
            # 10.0.0.0/8: 61 connections for each client, each with a port of its own.
            address = (10 << 24) + (1 << 16) + numbers // 61
            ports = 1024 + (numbers % 61) * 1000 + (numbers // 61) % 997
            # Fragments with one identification between two addresses belong together, so each of
            # the 61 connections of a client has 1000 of its own.
            prepared.append((made, count, _bytes(address, 4), _bytes(ports, 2), (numbers % 61) * 1000, {}))
            self.client_hellos += made.client_hellos * count
            self.server_hellos += made.server_hellos * count
        for step in range(max(len(made.slots) for made, *_ in prepared)):
            for made, count, *columns in prepared:
                if step < len(made.slots):
                    self._write(made.slots[step], count, *columns)

    def _write(self, slot, count, addresses, ports, identifications, randoms):
        block = numpy.tile(slot.record, (count, 1))
        times = self.clock + numpy.arange(count, dtype=numpy.uint64)
        self.clock += count
        block[:, 0:4] = _bytes(times // 1_000_000, 4, "<")
        block[:, 4:8] = _bytes(times % 1_000_000, 4, "<")
        for at in slot.client_at:
            block[:, at : at + 4] = addresses
        for at in slot.port_at:
            block[:, at : at + 2] = ports
        if slot.identification is not None:
            at = HEAD + 18
            block[:, at : at + 2] = _bytes((slot.identification + identifications) % (1 << 16), 2)
        for at, length, which in slot.random_at:
            if which not in randoms:
                randoms[which] = self.random.integers(0, 256, (count, length), dtype=numpy.uint8)
            block[:, at : at + length] = randoms[which]
        self.out.write(block.tobytes())
        self.packets += count

    def close(self):
        self.out.close()
        size = self.file.stat().st_size
        print(f"{self.file}: {self.packets:,} packets, {size:,} bytes, {self.client_hellos:,} ClientHellos, "
              f"{self.server_hellos:,} ServerHellos", flush=True)


def _bytes(values, width, order=">"):
    """Unsigned numbers as columns of bytes."""
    kind = f"{order}u{width}"
    return values.astype(kind).view(numpy.uint8).reshape(-1, width)


def handshakes(file: Path, scale: float):
    wanted = int(200_000 * scale)
    names = ["tls12-ecdhe-rsa", "tls13-x25519", "rustls-x25519mlkem768", "tls12-ecdhe-ecdsa", "tls12-rsa", "tls12-dhe-2048",
             "tls10-ecdhe-rsa", "go-tls13", "node-tls12", "rustls-tls12"]
    made = [template(name, length=20) for name in names]
    writer = Writer(file)
    while writer.connections < wanted:
        left = min(ROUND, wanted - writer.connections)
        writer.round([(t, left // len(made) + (i < left % len(made))) for i, t in enumerate(made)])
    writer.close()


def bulk(file: Path, scale: float):
    """Records of eleven full segments each, an acknowledgement for every other segment."""
    base = load("tls13-x25519.pcap")
    last = next(i for i in range(len(base) - 1, 0, -1) if wire.segment(base[i].data).payload[:1] == b"\x17"
                and wire.segment(base[i].data).sport == 443 and len(wire.segment(base[i].data).payload) > 26)
    writer = Writer(file)
    head = base[: last + 1]
    randoms = randoms_of(base)
    writer.round([(Template("head", [slot(p.data, None, randoms) for p in head]), 1)])
    pattern = wire.segment(base[last].data)
    size = 1448
    body = bytes(numpy.random.default_rng(7).integers(0, 256, size * 11, dtype=numpy.uint8))
    record = b"\x17\x03\x03" + struct.pack(">H", size * 11 - 5) + body[5:]
    next_seq = pattern.seq + len(pattern.payload)
    frames, sequences = [], []
    for i in range(11):
        frames.append(replace(pattern, payload=record[i * size : (i + 1) * size], flags=16).frame())
        sequences.append(("server", i * size))
        if i % 2:
            answer = replace(pattern, macs=pattern.macs[6:] + pattern.macs[:6], source=pattern.destination, destination=pattern.source,
                             sport=pattern.dport, dport=pattern.sport, seq=pattern.ack, payload=b"", flags=16)
            frames.append(answer.frame())
            sequences.append(("client", (i + 1) * size))
    client = _bytes(numpy.array([(10 << 24) + (1 << 16)], dtype=numpy.uint64), 4).tobytes()
    port = (1024).to_bytes(2, "big")
    block = b""
    places = []
    for frame, (side, offset) in zip(frames, sequences):
        frame = frame.replace(CLIENT, client, 1)
        at = 34 + (2 if side == "server" else 0)
        frame = frame[:at] + port + frame[at + 2 :]
        places.append((len(block), side, offset))
        block += struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    # The opening was written with the new client address but its recorded port.
    _same_port(writer, file, head, port)
    template_row = numpy.frombuffer(block, dtype=numpy.uint8)
    wanted = int(2_000_000_000 * scale) // (size * 11)
    done = 0
    while done < wanted:
        count = min(2000, wanted - done)
        rows = numpy.tile(template_row, (count, 1))
        numbers = numpy.arange(done, done + count, dtype=numpy.uint64)
        for index, (at, side, offset) in enumerate(places):
            times = writer.clock + (numbers - done) * len(places) + index
            rows[:, at : at + 4] = _bytes(times // 1_000_000, 4, "<")
            rows[:, at + 4 : at + 8] = _bytes(times % 1_000_000, 4, "<")
            value = (next_seq + offset + numbers * size * 11) % (1 << 32)
            # Sequence number of what the server sends, acknowledgement number of what the client sends.
            place = at + HEAD + 14 + 20 + (4 if side == "server" else 8)
            rows[:, place : place + 4] = _bytes(value, 4)
        writer.out.write(rows.tobytes())
        writer.packets += count * len(places)
        writer.clock += count * len(places)
        done += count
    writer.close()


def _same_port(writer, file, head, port):
    """Gives the opening packets of the bulk transfer the port of the rest."""
    writer.out.flush()
    data = bytearray(file.read_bytes())
    at = 24
    for p in head:
        s = wire.segment(p.data)
        place = at + HEAD + 34 + (2 if s.sport == 443 else 0)
        data[place : place + 2] = port
        at += HEAD + len(p.data)
    writer.out.seek(0)
    writer.out.write(data)


def other_traffic() -> list[Template]:
    """What is no TLS: DNS, HTTP to other hosts, a TCP stream of another protocol, UDP, ICMP, ARP."""
    generator = numpy.random.default_rng(11)
    made = [Template("web", [slot(p.data, None, []) for p in load("no-tls.pcap")], 0, 0)]

    def noise(length):
        return bytes(generator.integers(0, 256, length, dtype=numpy.uint8))

    source, target = CLIENT, wire.address("203.0.113.80")
    opening = [wire.segment(p.data) for p in load("tls12-ecdhe-rsa.pcap")[:3]]
    stream = [
        replace(s, source=source, destination=target, dport=22) if s.dport == 443 else replace(s, source=target, destination=source, sport=22)
        for s in opening
    ]
    # Where each side's next byte goes; the acknowledgement of a side is where the other's goes.
    sent = {source: opening[0].seq + 1, target: opening[1].seq + 1}
    for i in range(30):
        pattern = stream[1] if i % 2 else stream[2]
        payload = b"SSH-2.0-x\r\n" if i < 2 else b"\x80" + noise(200 + 30 * i)
        stream.append(replace(pattern, seq=sent[pattern.source], ack=sent[pattern.destination], flags=24, options=b"", payload=payload))
        sent[pattern.source] += len(payload)
    made.append(Template("ssh", [slot(s.frame(), opening[0].sport, []) for s in stream], 0, 0))
    datagrams = []
    for i in range(40):
        body = noise(120 + 31 * i)
        ends = (source, target) if i % 2 else (target, source)
        ports = (40001, 40002) if i % 2 else (40002, 40001)
        udp = struct.pack(">HHHH", *ports, 8 + len(body), 0) + body
        datagrams.append(wire.ethernet(wire.ip(*ends, 17, udp)))
    made.append(Template("udp", [slot(f, 40001, []) for f in datagrams], 0, 0))
    echo = [wire.ethernet(wire.ip(source, target, 1, b"\x08\0\0\0" + noise(60))), wire.ethernet(wire.ip(target, source, 1, b"\0\0\0\0" + noise(60))),
            bytes(6 * [255]) + wire.GATEWAY_MAC + b"\x08\x06\0\x01\x08\0\x06\x04\0\x01" + wire.GATEWAY_MAC + source + bytes(6) + target]
    made.append(Template("icmp-arp", [slot(f, None, []) for f in echo], 0, 0))
    return made


def mixed(file: Path, scale: float):
    t12, t13, hybrid, long = "tls12-ecdhe-rsa", "tls13-x25519", "rustls-x25519mlkem768", "tls13-long-hello"
    watched = [template(t12), template(t13), template(hybrid), template("tls13-hello-retry", hellos=(2, 2)),
               template("refused-tls10-alert", hellos=(1, 0))]
    for name, base in [("reordered", hybrid), ("reordered-and-repeated", long), ("overlapping-segments", hybrid), ("tiny-segments", t12),
                       ("seen-twice-one-interface", t12), ("tunnel-vlan", t12), ("tunnel-vxlan", t12), ("tunnel-geneve-gwlb", t12),
                       ("tunnel-gre", t12), ("tunnel-vxlan-in-geneve", t12), ("tunnel-erspan2", t12), ("ipv4-fragments", t12),
                       ("tls12-small-records", None), ("tls12-client-split-records", None)]:
        watched.append(template(name, base))
    other = other_traffic()
    total = int(1_400_000 * scale)
    length = sum(len(t.slots) for t in watched)
    noise_length = sum(len(t.slots) for t in other)
    each = 20
    noise_each = round(each * length * 0.6 / 0.4 / noise_length)
    writer = Writer(file)
    others = 0
    while writer.packets < total:
        share = min(1.0, (total - writer.packets) / (each * length + noise_each * noise_length))
        shares = [(t, max(1, round(each * share))) for t in watched] + [(t, max(1, round(noise_each * share))) for t in other]
        others += sum(len(t.slots) * n for t, n in shares[len(watched) :])
        writer.round(shares)
    print(f"other traffic: {others:,} packets, {100 * others / writer.packets:.0f} %")
    writer.close()


KINDS = {"handshakes": handshakes, "bulk": bulk, "mixed": mixed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*KINDS, "all"])
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    if options.output.resolve().is_relative_to(HERE.parent):
        parser.error("the output folder must lie outside the repository")
    options.output.mkdir(parents=True, exist_ok=True)
    for kind in KINDS if options.kind == "all" else [options.kind]:
        started = time.monotonic()
        KINDS[kind](options.output / f"{kind}.pcap", options.scale)
        print(f"{kind}: made in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
