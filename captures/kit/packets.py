"""Takes frames apart and puts them together again: addresses, TCP fields, tunnels, link types.

All functions take and give Ethernet frames as `bytes` unless they say otherwise.
"""

import ipaddress
import struct
from dataclasses import dataclass, replace

IPV4, IPV6 = 0x0800, 0x86DD
GATEWAY_MAC = bytes.fromhex("020000000001")
SENSOR_MAC = bytes.fromhex("020000000002")


def address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def checksum(data: bytes) -> int:
    """The Internet checksum [RFC 1071]."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass(frozen=True)
class Segment:
    """A TCP segment with the addresses it goes between."""

    macs: bytes
    source: bytes
    destination: bytes
    ttl: int
    identification: int
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes

    @property
    def ends(self) -> tuple:
        return (self.source, self.sport, self.destination, self.dport)

    def frame(self) -> bytes:
        """The Ethernet frame, lengths and checksums right."""
        header = struct.pack(
            ">HHIIBBHHH",
            self.sport, self.dport, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF,
            (5 + len(self.options) // 4) << 4, self.flags, self.window, 0, 0,
        ) + self.options
        body = header + self.payload
        pseudo = self.source + self.destination + struct.pack(">II", len(body), 6)
        body = body[:16] + struct.pack(">H", checksum(pseudo + body)) + body[18:]
        return ethernet(ip(self.source, self.destination, 6, body, self.ttl, self.identification), self.macs)


def segment(frame: bytes) -> Segment | None:
    """The TCP segment in an untunnelled Ethernet frame, else None."""
    kind = struct.unpack_from(">H", frame, 12)[0]
    if kind == IPV4 and frame[23] == 6:
        head = (frame[14] & 15) * 4
        total = struct.unpack_from(">H", frame, 16)[0]
        source, destination = frame[26:30], frame[30:34]
        ttl, identification = frame[22], struct.unpack_from(">H", frame, 18)[0]
        body = frame[14 + head : 14 + total]
    elif kind == IPV6 and frame[20] == 6:
        source, destination = frame[22:38], frame[38:54]
        ttl, identification = frame[21], 0
        body = frame[54 : 54 + struct.unpack_from(">H", frame, 18)[0]]
    else:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from(">HHIIBBH", body)
    offset = (offset >> 4) * 4
    return Segment(frame[:12], source, destination, ttl, identification, sport, dport, seq, ack, flags, window,
                   body[20:offset], body[offset:])


def repeats(packets) -> bool:
    """True where a TCP segment with data was sent twice."""
    seen = set()
    for p in packets:
        s = segment(p.data)
        if s and s.payload:
            key = (*s.ends, s.seq, len(s.payload))
            if key in seen:
                return True
            seen.add(key)
    return False


def ip(source: bytes, destination: bytes, protocol: int, body: bytes, ttl=64, identification=0, fragment=0x4000) -> bytes:
    """An IPv4 or IPv6 packet by the length of the addresses."""
    if len(source) == 16:
        return struct.pack(">IHBB", 0x60000000, len(body), protocol, ttl) + source + destination + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), identification, fragment, ttl, protocol, 0)
    head += source + destination
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def udp(source: str, destination: str, sport: int, dport: int, body: bytes) -> bytes:
    """An IP packet with a UDP datagram; the checksum is 0 as tunnel ends send it over IPv4."""
    return ip(address(source), address(destination), 17, struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body)


def ethernet(packet: bytes, macs: bytes = GATEWAY_MAC + SENSOR_MAC, kind: int | None = None) -> bytes:
    if kind is None:
        kind = IPV6 if packet[0] >> 4 == 6 else IPV4
    return macs + struct.pack(">H", kind) + packet


def readdressed(frame: bytes, addresses: dict, ports: dict | None = None) -> bytes:
    """The frame with addresses (text to text) and ports exchanged, as a NAT does it."""
    s = segment(frame)
    if s is None:
        return frame
    table = {address(a): address(b) for a, b in addresses.items()}
    ports = ports or {}
    return replace(
        s, source=table.get(s.source, s.source), destination=table.get(s.destination, s.destination),
        sport=ports.get(s.sport, s.sport), dport=ports.get(s.dport, s.dport), ttl=s.ttl - 1,
    ).frame()


# Tunnels: each takes a frame and gives the frame around it.

def vlan(frame: bytes, *ids: int, outer: int = 0x8100) -> bytes:
    tags = b"".join(struct.pack(">HH", outer if i == 0 and len(ids) > 1 else 0x8100, n) for i, n in enumerate(ids))
    return frame[:12] + tags + frame[12:]


def mpls(frame: bytes, *labels: int) -> bytes:
    stack = b"".join(struct.pack(">I", n << 12 | (i == len(labels) - 1) << 8 | 64) for i, n in enumerate(labels))
    return frame[:12] + b"\x88\x47" + stack + frame[14:]


def pppoe(frame: bytes, session: int) -> bytes:
    protocol = b"\x00\x57" if frame[12:14] == b"\x86\xdd" else b"\x00\x21"
    body = protocol + frame[14:]
    return frame[:12] + b"\x88\x64" + struct.pack(">BBHH", 0x11, 0, session, len(body)) + body


def gre(frame: bytes, source: str, destination: str, key: int | None = None, bridged=False) -> bytes:
    """GRE around the IP packet, or around the whole frame where bridged (0x6558)."""
    flags = 0x2000 if key is not None else 0
    kind, inner = (0x6558, frame) if bridged else (struct.unpack_from(">H", frame, 12)[0], frame[14:])
    head = struct.pack(">HH", flags, kind) + (struct.pack(">I", key) if key is not None else b"")
    return ethernet(ip(address(source), address(destination), 47, head + inner))


def erspan(frame: bytes, source: str, destination: str, version: int, session: int, number: int) -> bytes:
    """ERSPAN type I (no header of its own), II or III [draft-foschiano-erspan]."""
    if version == 1:
        head = struct.pack(">HH", 0, 0x88BE)
    elif version == 2:
        head = struct.pack(">HHI", 0x1000, 0x88BE, number) + struct.pack(">HHI", 1 << 12, session, 7)
    else:
        head = struct.pack(">HHI", 0x1000, 0x22EB, number)
        head += struct.pack(">HHIHH", 2 << 12, session, 1000 * number, 0, 0)
    return ethernet(ip(address(source), address(destination), 47, head + frame))


def vxlan(frame: bytes, source: str, destination: str, vni: int, sport=49152) -> bytes:
    return ethernet(udp(source, destination, sport, 4789, struct.pack(">II", 0x08000000, vni << 8) + frame))


def geneve(frame: bytes, source: str, destination: str, endpoint: int | None = None, attachment=0, cookie=0,
           vni=0, sport=60001) -> bytes:
    """GENEVE around the IP packet; with `endpoint` the three options of a Gateway Load Balancer."""
    options = b""
    if endpoint is not None:
        options = struct.pack(">HBBQ", 0x0108, 1, 2, endpoint) + struct.pack(">HBBQ", 0x0108, 2, 2, attachment)
        options += struct.pack(">HBBI", 0x0108, 3, 1, cookie)
    head = struct.pack(">BBHI", len(options) // 4, 0, struct.unpack_from(">H", frame, 12)[0], vni << 8)
    return ethernet(udp(source, destination, sport, 6081, head + options + frame[14:]))


def ip_in_ip(frame: bytes, source: str, destination: str) -> bytes:
    protocol = 41 if frame[12:14] == b"\x86\xdd" else 4
    return ethernet(ip(address(source), address(destination), protocol, frame[14:]))


def fragments(frame: bytes, size: int, number: int) -> list[bytes]:
    """The frame as IP fragments that carry at most `size` bytes (a multiple of 8) each."""
    version6 = frame[12:14] == b"\x86\xdd"
    head = 40 if version6 else 20
    body = frame[14 + head :]
    if len(body) <= size:
        return [frame]
    out = []
    for at in range(0, len(body), size):
        part, more = body[at : at + size], at + size < len(body)
        if version6:
            extension = struct.pack(">BBHI", frame[20], 0, at | more, number)
            packet = ip(frame[22:38], frame[38:54], 44, extension + part, frame[21])
        else:
            packet = ip(frame[26:30], frame[30:34], frame[23], part, frame[22], number, more << 13 | at // 8)
        out.append(ethernet(packet, frame[:12]))
    return out


# Link types other than Ethernet: each gives the bytes as such a capture holds them.

def as_null(frame: bytes) -> bytes:
    """BSD loopback in little-endian host order: the family of IPv4 is 2, that of IPv6 30 (Darwin)."""
    return struct.pack("<I", 30 if frame[12:14] == b"\x86\xdd" else 2) + frame[14:]


def as_loop(frame: bytes) -> bytes:
    """OpenBSD loopback: the family in network order."""
    return struct.pack(">I", 24 if frame[12:14] == b"\x86\xdd" else 2) + frame[14:]


def as_raw(frame: bytes) -> bytes:
    return frame[14:]


def as_ppp(frame: bytes) -> bytes:
    return b"\xff\x03" + (b"\x00\x57" if frame[12:14] == b"\x86\xdd" else b"\x00\x21") + frame[14:]


def as_sll(frame: bytes, outgoing: bool) -> bytes:
    kind = 4 if outgoing else 0
    return struct.pack(">HHH", kind, 1, 6) + frame[6:12] + b"\0\0" + frame[12:14] + frame[14:]


def as_sll2(frame: bytes, outgoing: bool, index=3) -> bytes:
    kind = 4 if outgoing else 0
    return frame[12:14] + b"\0\0" + struct.pack(">IHBB", index, 1, kind, 6) + frame[6:12] + b"\0\0" + frame[14:]
