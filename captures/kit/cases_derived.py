"""Variants made out of recorded captures: partial views, disorder, tunnels, link types, file forms.

The payload is always what a real stack sent; only how it was seen is changed.
"""

from dataclasses import replace

from . import lab as net
from . import packets as wire
from . import pcapfile
from .book import Recorded, case
from .pcapfile import Interface, Packet, Section

TLS12, TLS13, HYBRID, LONG, IPV6 = ("tls12-ecdhe-rsa", "tls13-x25519", "rustls-x25519mlkem768", "tls13-long-hello", "ipv6-tls13")
SERVER_KEYS = ("tls.protocol.version", "tls.cipher", "tls.curve", "tls.forward_secrecy")


def derived(name, title, base, suffix="pcap"):
    """Enters a maker that gets the packets and flows of an earlier capture."""

    def enter(function):
        def make(context):
            packets, flows = context.load(base)
            made = function(packets, flows)
            return made if isinstance(made, Recorded) else Recorded(made, flows)

        case(name, title, f"derived from {base}", "derived", suffix)(make)
        return function

    return enter


def without(flow, *keys):
    for key in keys:
        flow.pop(key, None)
    return flow


def from_client(packet) -> bool:
    """By the recording's MAC addresses."""
    return packet.data[6:12] == bytes.fromhex("020000000001")


def payload(packet) -> bytes:
    return wire.segment(packet.data).payload


def is_hello(packet, kind) -> bool:
    """True for a segment that begins with a hello: 1 is the client's, 2 the server's."""
    data = payload(packet)
    return len(data) > 5 and data[0] == 22 and data[5] == kind


def changed(packets, function):
    """Each frame by itself."""
    return [replace(p, data=function(p.data), wire_bytes=-1) for p in packets]


def paced(packets, frames):
    """Frames in a new order; they take the old times in turn, one microsecond apart where there are more."""
    times = [p.time for p in packets]
    while len(times) < len(frames):
        times.append(times[-1] + 1000)
    return [Packet(time, frame) for time, frame in zip(times, frames)]


# Partial views.

@derived("client-side-only", "Only what the client sent", TLS12)
def client_side(packets, flows):
    flow = without(flows[0], *SERVER_KEYS, "tls.resumed", "handshake.outcome", "rules")
    flow.update({"flow.completeness": "client_only", "tls.established": False, "tls.protocol.version": None,
                 "policy.verdict": "not_assessable"})
    return [p for p in packets if from_client(p)]


@derived("server-side-only", "Only what the server sent", TLS12)
def server_side(packets, flows):
    without(flows[0], "handshake.outcome", "rules").update({
        "flow.completeness": "server_only", "tls.client.server_name": None, "tls.client.server_name.reason": "not_seen",
        "tls.established": False, "policy.verdict": "not_assessable"})
    return [p for p in packets if not from_client(p)]


@derived("server-side-only-tls13", "Only what the server sent, TLS 1.3", TLS13)
def server_side_13(packets, flows):
    return server_side(packets, flows)


@derived("mid-stream", "The capture begins after the handshake", TLS12)
def mid_stream(packets, flows):
    first = next(i for i, p in enumerate(packets) if payload(p)[:1] == b"\x17")
    flow = without(flows[0], *SERVER_KEYS, "tls.resumed", "rules", "handshake.outcome", "tls.established")
    flow.update({"flow.completeness": "mid_stream", "tls.client.server_name": None, "tls.protocol.version": None,
                 "tls.client.server_name.reason": "not_seen", "policy.verdict": "not_assessable"})
    return packets[first:]


@derived("without-opening", "The capture begins at the ClientHello: no SYN was seen", TLS12)
def without_opening(packets, flows):
    without(flows[0], "policy.verdict", "flow.completeness")
    return packets[3:]


@derived("snaplen-96", "Each packet cut after 96 bytes", TLS12)
def snaplen(packets, flows):
    flow = without(flows[0], *SERVER_KEYS, "tls.resumed", "rules", "handshake.outcome", "tls.client.server_name", "tls.established")
    flow.update({"flow.completeness": "truncated", "tls.protocol.version": None, "policy.verdict": "not_assessable"})
    return Recorded(data=pcapfile.pcap_bytes([replace(p, data=p.data[:96], wire_bytes=len(p.data)) for p in packets], snaplen=96),
                    flows=flows)


@derived("snaplen-400", "Each packet cut after 400 bytes: the hellos are whole, the certificate is not", TLS12)
def snaplen_400(packets, flows):
    without(flows[0], "policy.verdict", "rules", "handshake.outcome", "flow.completeness", "tls.established")
    return Recorded(data=pcapfile.pcap_bytes([replace(p, data=p.data[:400], wire_bytes=len(p.data)) for p in packets], snaplen=400),
                    flows=[without(flows[0], *[k for k in flows[0] if "certificate" in k])])


# Loss, order, division.

@derived("lost-client-hello", "The segment with the ClientHello was not captured", TLS12)
def lost_client_hello(packets, flows):
    without(flows[0], "handshake.outcome", "rules", "tls.established", "flow.completeness").update({
        "tls.client.server_name": None, "tls.client.server_name.reason": "not_seen", "policy.verdict": "not_assessable"})
    return [p for p in packets if not is_hello(p, 1)]


@derived("lost-server-hello", "The segment with the ServerHello was not captured", TLS13)
def lost_server_hello(packets, flows):
    flow = without(flows[0], *SERVER_KEYS, "tls.resumed", "rules", "handshake.outcome", "tls.established", "flow.completeness")
    flow.update({"tls.protocol.version": None, "policy.verdict": "not_assessable"})
    return [p for p in packets if not is_hello(p, 2)]


@derived("lost-half-hello", "The second of two segments with the ClientHello was not captured", HYBRID)
def lost_half(packets, flows):
    first = next(i for i, p in enumerate(packets) if is_hello(p, 1))
    flow = without(flows[0], "handshake.outcome", "rules", "tls.established", "flow.completeness", "tls.client.server_name")
    flow.update({"policy.verdict": "not_assessable"})
    second = next(i for i in range(first + 1, len(packets)) if from_client(packets[i]) and payload(packets[i]))
    return packets[:second] + packets[second + 1:]


@derived("reordered", "The two segments of the ClientHello the wrong way round", HYBRID)
def reordered(packets, flows):
    first = next(i for i, p in enumerate(packets) if is_hello(p, 1))
    second = next(i for i in range(first + 1, len(packets)) if from_client(packets[i]) and payload(packets[i]))
    frames = [p.data for p in packets]
    frames[first], frames[second] = frames[second], frames[first]
    return paced(packets, frames)


@derived("reordered-and-repeated", "A ClientHello of nine segments backwards, each twice; the ServerHello twice", LONG)
def disorder(packets, flows):
    parts, rest, out = [], [], []
    done = False
    for p in packets:
        if from_client(p) and payload(p) and not done:
            parts.append(p.data)
        elif is_hello(p, 2):
            done = True
            rest += [p.data, p.data]
        else:
            (rest if done else out).append(p.data)
    opening, acknowledgements = out[:3], out[3:]
    return paced(packets, opening + [f for part in reversed(parts) for f in (part, part)] + acknowledgements + rest)


@derived("tiny-segments", "Both hellos in segments of seven bytes", TLS12)
def tiny(packets, flows):
    frames = []
    for p in packets:
        s = wire.segment(p.data)
        if is_hello(p, 1) or is_hello(p, 2):
            frames += [replace(s, seq=s.seq + at, payload=s.payload[at : at + 7], flags=s.flags).frame()
                       for at in range(0, len(s.payload), 7)]
        else:
            frames.append(p.data)
    start = packets[0].time
    return [Packet(start + 20_000 * i, frame) for i, frame in enumerate(frames)]


@derived("one-byte-segments", "The ClientHello byte by byte", TLS13)
def one_byte(packets, flows):
    frames = []
    for p in packets:
        s = wire.segment(p.data)
        if is_hello(p, 1):
            frames += [replace(s, seq=s.seq + at, payload=s.payload[at : at + 1]).frame() for at in range(len(s.payload))]
        else:
            frames.append(p.data)
    start = packets[0].time
    return [Packet(start + 20_000 * i, frame) for i, frame in enumerate(frames)]


@derived("overlapping-segments", "A retransmission of the ClientHello in other pieces, overlapping the first ones", HYBRID)
def overlapping(packets, flows):
    first = next(i for i, p in enumerate(packets) if is_hello(p, 1))
    second = next(i for i in range(first + 1, len(packets)) if from_client(packets[i]) and payload(packets[i]))
    s = wire.segment(packets[first].data)
    whole = s.payload + payload(packets[second])
    pieces = [replace(s, seq=s.seq + at, payload=whole[at : at + size]).frame()
              for at, size in ((0, 400), (300, 600), (100, 700), (800, len(whole) - 800), (0, 1400))]
    return paced(packets, [p.data for p in packets[:first]] + pieces + [p.data for p in packets[second + 1:]])


@derived("sequence-wrap", "Sequence numbers that pass zero inside both hellos", TLS12)
def wrap(packets, flows):
    starts = {}
    for p in packets:
        s = wire.segment(p.data)
        starts.setdefault(s.source, s.seq)
    # Zero falls 100 bytes into each direction.
    moves = {source: (0x1_0000_0000 - 100 - seq) for source, seq in starts.items()}

    def moved(frame):
        s = wire.segment(frame)
        ack = s.ack + moves[s.destination] if s.flags & 16 else s.ack
        return replace(s, seq=s.seq + moves[s.source], ack=ack, options=_without_sack(s.options)).frame()

    return changed(packets, moved)


def _without_sack(options):
    """Selective acknowledgements hold sequence numbers too; they are blanked."""
    out, at = bytearray(options), 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        if options[at] == 5:
            out[at : at + options[at + 1]] = b"\x01" * options[at + 1]
        at += options[at + 1]
    return bytes(out)


@derived("bad-checksums", "TCP checksums as a sender with checksum offload shows them", TLS12)
def bad_checksums(packets, flows):
    return changed(packets, lambda f: f[:50] + b"\xab\xcd" + f[52:])


@derived("ethernet-padding", "Short frames padded to 60 bytes, with a trailer of four more", TLS12)
def padded(packets, flows):
    return changed(packets, lambda f: wire_trimmed(f).ljust(60, b"\0") + b"\xde\xad\xbe\xef")


def wire_trimmed(frame):
    return frame[: 14 + int.from_bytes(frame[16:18], "big")]


# Seen more than once.

def twice(packets, again, later=40_000):
    """The same packets on a second interface a little later."""
    copies = [replace(p, data=again(p.data), time=p.time + later, interface=1, wire_bytes=-1) for p in packets]
    return sorted([*packets, *copies], key=lambda p: p.time)


def routed(frame):
    """As the frame looks one hop later."""
    s = wire.segment(frame)
    macs = bytes.fromhex("02000000000a02000000000b") if frame[6:12].endswith(b"\x01") else bytes.fromhex("02000000000b02000000000a")
    return replace(s, macs=macs, ttl=s.ttl - 1).frame()


LAN_AND_WAN = [Interface(name="lan0"), Interface(name="wan0")]


@derived("seen-twice", "One flow on two interfaces of a router", TLS12, "pcapng")
def seen_twice(packets, flows):
    return Recorded(data=pcapfile.pcapng_bytes([Section(twice(packets, routed), LAN_AND_WAN)]), flows=flows)


@derived("seen-twice-one-interface", "One flow twice on the same interface, a hop apart", TLS12)
def seen_twice_one(packets, flows):
    return twice(packets, routed)


@derived("nat-two-interfaces", "One flow before and after a NAT, on two interfaces", TLS13, "pcapng")
def nat(packets, flows):
    own_port = flows[0]["client.port"]
    table, back = {net.ONPREM: "198.51.100.20"}, {own_port: 61001}
    data = pcapfile.pcapng_bytes([Section(twice(packets, lambda f: wire.readdressed(f, table, back)), LAN_AND_WAN)])
    without(flows[0], "client.address", "client.port")
    return Recorded(data=data, flows=flows, notes="Which of the two clients is named is the observer's choice.")


ENDPOINT, OTHER_ENDPOINT = 0xD5107B23891AF2B9, 0x0A1B2C3D4E5F6071
BALANCER, APPLIANCE = "10.0.9.10", "10.0.9.20"


def gwlb(frame, endpoint=ENDPOINT, back=False):
    ends = (APPLIANCE, BALANCER) if back else (BALANCER, APPLIANCE)
    return wire.geneve(frame, *ends, endpoint=endpoint, attachment=0x1122334455667788, cookie=0xCAFE0001)


@derived("gwlb-in-and-out", "Gateway Load Balancer: each packet comes to the appliance and goes back", TLS12)
def gwlb_twice(packets, flows):
    flows[0].update({"capture.encapsulation": ["geneve:0"], "aws.gwlb.endpoint_id": "vpce-0d5107b23891af2b9"})
    inward = changed(packets, gwlb)
    outward = [replace(p, data=gwlb(p.data, back=True), time=p.time + 30_000, wire_bytes=-1) for p in packets]
    return inward + outward


@derived("gwlb-overlapping-ranges", "The same 5-tuple behind two Gateway Load Balancer endpoints: two flows", "port-reuse")
def gwlb_overlap(packets, flows):
    second = next(i for i, p in enumerate(packets) if i and wire.segment(p.data).flags & 0x12 == 2)
    late = packets[second].time - packets[0].time
    # The second connection is moved to the time of the first, so the two run side by side.
    out = changed(packets[:second], gwlb)
    out += [replace(p, data=gwlb(p.data, OTHER_ENDPOINT), time=p.time - late + 5_000, wire_bytes=-1) for p in packets[second:]]
    flows[0]["aws.gwlb.endpoint_id"] = "vpce-0d5107b23891af2b9"
    flows[1]["aws.gwlb.endpoint_id"] = "vpce-00a1b2c3d4e5f6071"
    return Recorded(out, flows, notes="The order of the two records depends on which is decided first.")


@derived("mirror-three-sessions", "VPC Traffic Mirroring: three sessions bring the same flow", TLS12)
def mirrored(packets, flows):
    return [replace(p, data=wire.vxlan(p.data, "10.0.7.7", "10.0.8.8", vni, 50000 + vni), time=p.time + 7_000 * vni, wire_bytes=-1)
            for vni in (11, 12, 13) for p in packets]


@derived("mirror-truncated", "VPC Traffic Mirroring with a packet length of 200: the inner packets are cut", TLS12)
def mirror_truncated(packets, flows):
    flow = without(flows[0], "rules", "policy.verdict", "handshake.outcome", "flow.completeness", "tls.established",
                   "tls.forward_secrecy", "tls.curve", *[k for k in flows[0] if "certificate" in k], "tls.client.server_name",
                   "tls.resumed", "tls.cipher", "tls.protocol.version")
    flow["policy.verdict"] = "not_assessable"
    return changed(packets, lambda f: wire.vxlan(f[:200], "10.0.7.7", "10.0.8.8", 11))


# Tunnels: name, title, base, the layers as a record shows them, how.

def _erspan(version):
    return lambda f: wire.erspan(f, "192.0.2.1", "192.0.2.2", version, 100, 1)


for _name, _title, _base, _layers, _around in [
    ("vlan", "802.1Q", TLS12, ["vlan:120"], lambda f: wire.vlan(f, 120)),
    ("qinq", "802.1ad: two tags", TLS12, ["vlan:2000", "vlan:120"], lambda f: wire.vlan(f, 2000, 120, outer=0x88A8)),
    ("mpls", "MPLS, two labels", TLS12, ["mpls:16", "mpls:1001"], lambda f: wire.mpls(f, 16, 1001)),
    ("pppoe", "PPPoE session", TLS12, ["pppoe:17"], lambda f: wire.pppoe(f, 17)),
    ("pppoe-ipv6", "PPPoE session with IPv6", IPV6, ["pppoe:17"], lambda f: wire.pppoe(f, 17)),
    ("gre", "GRE", TLS12, ["gre"], lambda f: wire.gre(f, "192.0.2.1", "192.0.2.2")),
    ("gre-key", "GRE with a key", TLS12, ["gre:7"], lambda f: wire.gre(f, "192.0.2.1", "192.0.2.2", 7)),
    ("gre-bridged", "GRE around Ethernet frames (TEB)", TLS12, ["gre:9"], lambda f: wire.gre(f, "192.0.2.1", "192.0.2.2", 9, True)),
    ("erspan1", "ERSPAN type I", TLS12, ["erspan1"], _erspan(1)),
    ("erspan2", "ERSPAN type II", TLS12, ["erspan2:100"], _erspan(2)),
    ("erspan3", "ERSPAN type III", TLS12, ["erspan3:100"], _erspan(3)),
    ("vxlan", "VXLAN", TLS12, ["vxlan:42"], lambda f: wire.vxlan(f, "10.0.7.7", "10.0.8.8", 42)),
    ("vxlan-vlan", "VXLAN around a tagged frame", TLS12, ["vxlan:42", "vlan:120"],
     lambda f: wire.vxlan(wire.vlan(f, 120), "10.0.7.7", "10.0.8.8", 42)),
    ("geneve", "GENEVE without options", TLS12, ["geneve:5"], lambda f: wire.geneve(f, BALANCER, APPLIANCE, vni=5)),
    ("geneve-gwlb", "GENEVE with the options of a Gateway Load Balancer", TLS12, ["geneve:0"], gwlb),
    ("geneve-gwlb-ipv6", "GENEVE of a Gateway Load Balancer around IPv6", IPV6, ["geneve:0"], gwlb),
    ("ipip", "IP in IP", TLS12, ["ipip"], lambda f: wire.ip_in_ip(f, "192.0.2.1", "192.0.2.2")),
    ("6in4", "IPv6 in IPv4", IPV6, ["6in4"], lambda f: wire.ip_in_ip(f, "192.0.2.1", "192.0.2.2")),
    ("4in6", "IPv4 in IPv6", TLS12, ["4in6"], lambda f: wire.ip_in_ip(f, "2001:db8::1", "2001:db8::2")),
    ("vxlan-in-geneve", "A mirror session towards a Gateway Load Balancer endpoint", TLS12, ["geneve:0", "vxlan:42"],
     lambda f: gwlb(wire.vxlan(f, "10.0.7.7", "10.0.8.8", 42))),
    ("vlan-geneve-vxlan-gre", "Four layers", TLS12, ["vlan:120", "geneve:0", "vxlan:42", "gre"],
     lambda f: wire.vlan(gwlb(wire.vxlan(wire.gre(f, "192.0.2.1", "192.0.2.2"), "10.0.7.7", "10.0.8.8", 42)), 120)),
]:
    def _make(packets, flows, layers=_layers, around=_around):
        flows[0]["capture.encapsulation"] = layers
        if "geneve:0" in layers:
            flows[0]["aws.gwlb.endpoint_id"] = "vpce-0d5107b23891af2b9"
        return changed(packets, around)

    derived(f"tunnel-{_name}", f"Tunnel: {_title}", _base)(_make)


@derived("ipv4-fragments", "The packets with hellos in IPv4 fragments", TLS12)
def ipv4_fragments(packets, flows):
    return _fragmented(packets)


@derived("ipv4-fragments-reordered", "IPv4 fragments, the last first", TLS12)
def ipv4_fragments_reordered(packets, flows):
    return _fragmented(packets, backwards=True)


@derived("ipv6-fragments", "The packets with hellos in IPv6 fragments", IPV6)
def ipv6_fragments(packets, flows):
    return _fragmented(packets)


def _fragmented(packets, backwards=False):
    out = []
    for number, p in enumerate(packets):
        parts = wire.fragments(p.data, 160, 0x4000 + number)
        out += [Packet(p.time + 300 * i, part) for i, part in enumerate(reversed(parts) if backwards else parts)]
    return out


# Link types.

for _name, _title, _link, _form in [
    ("null", "BSD loopback (0)", pcapfile.NULL, lambda p: wire.as_null(p.data)),
    ("loop", "OpenBSD loopback (108)", pcapfile.LOOP, lambda p: wire.as_loop(p.data)),
    ("raw", "raw IP (101)", pcapfile.RAW, lambda p: wire.as_raw(p.data)),
    ("raw-ipv4", "raw IPv4 (228)", 228, lambda p: wire.as_raw(p.data)),
    ("ppp", "PPP (9)", pcapfile.PPP, lambda p: wire.as_ppp(p.data)),
    ("sll", "Linux cooked v1 (113)", pcapfile.SLL, lambda p: wire.as_sll(p.data, from_client(p))),
    ("sll2", "Linux cooked v2 (276)", pcapfile.SLL2, lambda p: wire.as_sll2(p.data, from_client(p))),
]:
    def _make(packets, flows, link=_link, form=_form):
        return Recorded(data=pcapfile.pcap_bytes([replace(p, data=form(p), wire_bytes=-1) for p in packets], link), flows=flows)

    derived(f"link-{_name}", f"Link type: {_title}", TLS12)(_make)


@derived("link-unsupported", "A link type that is not read (IEEE 802.15.4, 195): nothing can be said", TLS12)
def unsupported(packets, flows):
    return Recorded(data=pcapfile.pcap_bytes(packets, 195), flows=[], notes_key={"exit_code": 4})


# Forms of files.

@derived("pcap-nanoseconds", "Classic pcap with nanoseconds", TLS12)
def nanoseconds(packets, flows):
    return Recorded(data=pcapfile.pcap_bytes(packets, nanoseconds=True), flows=flows)


@derived("pcap-big-endian", "Classic pcap in big-endian order", TLS12)
def big_endian(packets, flows):
    return Recorded(data=pcapfile.pcap_bytes(packets, big_endian=True), flows=flows)


@derived("pcapng-big-endian-nanoseconds", "pcapng in big-endian order with nanoseconds", TLS12, "pcapng")
def big_pcapng(packets, flows):
    section = Section(packets, [Interface(name="eth0", resolution=9)], True)
    return Recorded(data=pcapfile.pcapng_bytes([section]), flows=flows)


@derived("gzip", "Compressed with gzip", TLS12, "pcap.gz")
def gzipped(packets, flows):
    return Recorded(data=pcapfile.gzip_bytes(pcapfile.pcap_bytes(packets)), flows=flows)


@derived("zstd", "A pcapng compressed with zstd", TLS13, "pcapng.zst")
def zstandard(packets, flows):
    return Recorded(data=pcapfile.zstd_bytes(pcapfile.pcapng_bytes([Section(packets)])), flows=flows)


def several(context, *names, gap=10**9):
    """The packets of several captures one after the other, with all their flows."""
    packets, flows = [], []
    for number, name in enumerate(names):
        more, known = context.load(name)
        packets.append([replace(p, time=p.time + number * gap) for p in more])
        flows += known
    return packets, flows


@case("pcapng-two-sections", "pcapng of two sections: little-endian microseconds, then big-endian nanoseconds with three interfaces",
      "derived from several", "derived", "pcapng")
def two_sections(context):
    (first, second, third), flows = several(context, TLS12, TLS13, IPV6)
    faces = [Interface(name="eth0"), Interface(name="eth1", resolution=9), Interface(pcapfile.RAW, "tun0")]
    late = [replace(p, interface=1) for p in second]
    late += [replace(p, interface=2, data=wire.as_raw(p.data), wire_bytes=-1) for p in third]
    sections = [Section(first, [Interface(name="eth0")]), Section(late, faces, True)]
    return Recorded(data=pcapfile.pcapng_bytes(sections), flows=flows)


@case("damaged", "The file ends in the middle of a packet: three flows, the third cut off", "derived from several", "derived")
def damaged(context):
    parts, flows = several(context, TLS12, TLS13, IPV6)
    whole = pcapfile.pcap_bytes([p for part in parts for p in part])
    end = len(pcapfile.pcap_bytes([*parts[0], *parts[1], *parts[2][:3]]))
    return Recorded(data=whole[: end + 16 + 60], flows=flows[:2], notes="The third connection's opening may be reported too.",
                    notes_key={"exit_code": 4})


@case("damaged-pcapng", "A pcapng whose second half is noise", "derived from several", "derived", "pcapng")
def damaged_pcapng(context):
    parts, flows = several(context, TLS12, TLS13)
    good = pcapfile.pcapng_bytes([Section(parts[0])])
    return Recorded(data=good + bytes(range(1, 200)) * 3, flows=flows[:1], notes_key={"exit_code": 4})


@case("many-flows", "Ten flows of different stacks side by side in one file", "derived from several", "derived")
def many(context):
    names = [TLS12, TLS13, HYBRID, "tls12-rsa", "tls12-dhe-1024", "tls10-ecdhe-rsa", "go-tls13", "node-tls12",
             "refused-tls10-alert", "certificate-expired"]
    parts, flows = several(context, *names, gap=700_000)
    return Recorded([p for part in parts for p in part], flows, notes="The order of the records is that of their decisions.")
