"""Frames of a flood: SYNs, hellos with random names, garbage. None is like the one before."""

import random
import socket
import struct
from pathlib import Path

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
# No interface has this address: the kernel behind the wire takes no notice.
LINK = bytes.fromhex("020000000099020000000001")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
PREFIX = socket.inet_aton("52.94.5.0")
MAX_FRAME_BYTES = 9_000
MAX_GIVEN_FRAMES = 4_000
# The kernel throws away what claims a tag and ends within it, before anybody can see it.
LEAST_TAGGED_BYTES = 20
TAGS = (b"\x81\x00", b"\x88\xa8")
# Where the random of a hello stands in its record.
RANDOM_AT = 11


def ipv4(protocol, inside, source, destination):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(inside), random.getrandbits(16), 0, 64, protocol, 0, source, destination)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return LINK + b"\x08\x00" + head[:10] + struct.pack("!H", total) + head[12:] + inside


def tcp(flags, payload, port=443):
    return struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), port, random.getrandbits(32), 0, 0x50, flags, 65535, 0, 0) + payload


def address():
    return b"\x64" + random.randbytes(3)


def syn():
    return ipv4(6, tcp(2, b""), address(), PREFIX[:3] + random.randbytes(1))


def name():
    """Half of the names look like DynamoDB's, in regions and with accounts that nobody has."""
    word = "".join(random.choices(LETTERS, k=random.randrange(1, 40))).strip("-") or "x"
    region = f"{random.choice(('eu', 'us', 'ap', 'xx'))}-{random.choice(('west', 'north', 'moon'))}-{random.randrange(1, 99)}"
    forms = (f"dynamodb.{region}.amazonaws.com", f"{random.randrange(10**12):012}.ddb.{region}.amazonaws.com",
             f"{word}.dynamodb.{region}.vpce.amazonaws.com", f"streams.dynamodb.{region}.amazonaws.com", f"{word}.amazonaws.com",
             f"{word}.example", f"dynamodb.{word}.amazonaws.com", word)
    return random.choice(forms).encode()


def client_hello(server_name):
    entry = b"\x00" + struct.pack("!H", len(server_name)) + server_name
    names = struct.pack("!HHH", 0, len(entry) + 2, len(entry)) + entry
    groups = bytes.fromhex("000a00080006001d00170018")
    versions = bytes.fromhex("002b0003020304") if random.random() < 0.5 else b""
    extensions = names + groups + versions
    suites = random.choice((b"\x13\x01\x13\x02", b"\xc0\x2f\xc0\x30", b"\x00\x0a\x00\x05", random.randbytes(8)))
    body = (b"\x03\x03" + random.randbytes(32) + b"\x00" + struct.pack("!H", len(suites)) + suites + b"\x01\x00"
            + struct.pack("!H", len(extensions)) + extensions)
    handshake = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def hello():
    return ipv4(6, tcp(0x18, client_hello(name()), random.choice((443, 443, 8443, 40000))), address(), PREFIX[:3] + random.randbytes(1))


class Garbage:
    """Noise of every layer, and frames of the shipped captures with some bytes changed."""

    def __init__(self):
        self.given = [frame for frame in recorded_frames() if 14 < len(frame) <= MAX_FRAME_BYTES][:MAX_GIVEN_FRAMES]
        if not self.given:
            raise SystemExit(f"no captures in {CAPTURES}")

    def frame(self):
        frame = self._any()
        return frame.ljust(LEAST_TAGGED_BYTES, b"\0") if frame[12:14] in TAGS else frame

    def _any(self):
        kind = random.randrange(8)
        noise = random.randbytes(random.randrange(0, 1400))
        if kind == 0:
            return LINK + random.choice((b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\x47", b"\x88\x64", random.randbytes(2))) + noise
        if kind == 1:
            return ipv4(random.choice((4, 6, 17, 41, 47, 50, 51, random.randrange(256))), noise, address(), address())
        if kind == 2:
            return ipv4(6, tcp(random.getrandbits(8), noise, random.choice((443, 80, 8111, 53, 9999))), address(), address())
        if kind == 3:
            port = random.choice((53, 4789, 6081, 2152, 500, 4500, 1194))
            return ipv4(17, struct.pack("!HHHH", port, port, 8 + len(noise), 0) + noise, address(), address())
        frame = bytearray(random.choice(self.given))
        for _ in range(random.randrange(1, 9)):
            frame[random.randrange(len(frame))] = random.getrandbits(8)
        if random.random() < 0.3:
            del frame[random.randrange(15, len(frame) + 1):]
        frame[:12] = LINK
        return bytes(frame)


def read_capture(path):
    """The Ethernet frames of a pcap file of this machine's byte order."""
    data = path.read_bytes()
    if len(data) < 24 or struct.unpack_from("<I", data)[0] != 0xA1B2C3D4 or struct.unpack_from("<I", data, 20)[0] != 1:
        return []
    frames, at = [], 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


def recorded_frames():
    for path in sorted(CAPTURES.glob("*.pcap")):
        yield from read_capture(path)


def handshake(client):
    """The frames of one whole recorded handshake, as if another client had made another one."""
    frames = read_capture(CAPTURES / "tls12-ecdhe-rsa.pcap")
    if not frames or any(frame[12:14] != b"\x08\x00" for frame in frames):
        raise SystemExit("tls12-ecdhe-rsa.pcap is not what it was")
    before = frames[0][26:30]
    for frame in frames:
        made = LINK + frame[12:26] + b"".join(client if end == before else end for end in (frame[26:30], frame[30:34])) + frame[34:]
        payload = 34 + (made[46] >> 4) * 4
        if made[payload:payload + 1] == b"\x16" and made[payload + 5:payload + 6] in (b"\1", b"\2"):
            # Equal ones would be one connection before and after NAT.
            at = payload + RANDOM_AT
            made = made[:at] + random.randbytes(28) + made[at + 28:]
        yield made
