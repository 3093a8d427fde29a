"""A small DNS server over UDP and TCP: name_server.py ADDRESS

It knows the names of the recordings only; `big.` names are truncated over UDP, so that the
resolver asks again over TCP.
"""

import socket
import socketserver
import struct
import sys
import threading

A, CNAME, AAAA = 1, 5, 28
RECORDS = {
    "dynamodb.eu-west-1.amazonaws.com": [(A, "52.94.5.10")],
    "dynamodb.us-east-1.amazonaws.com": [(A, "3.218.180.20")],
    "streams.dynamodb.eu-west-1.amazonaws.com": [(A, "52.94.5.10")],
    "dynamodb.eu-west-1.api.aws": [(AAAA, "2a05:d018:5::10")],
    "tables.corp.example": [(CNAME, "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com")],
    "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com": [(A, "10.0.3.25")],
    "123456789012.ddb.eu-west-1.amazonaws.com": [(CNAME, "dynamodb.eu-west-1.amazonaws.com")],
}
TRUNCATED = {"streams.dynamodb.eu-west-1.amazonaws.com"}


def encoded(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def answer(query, over_tcp):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    name, (kind, _) = ".".join(labels).lower(), struct.unpack_from(">HH", query, at + 1)
    question = query[12 : at + 5]
    found, asked = [], name
    while True:
        aliases = [v for k, v in RECORDS.get(asked, []) if k == CNAME]
        found += [(asked, k, v) for k, v in RECORDS.get(asked, []) if k in (kind, CNAME)]
        if not aliases:
            break
        asked = aliases[0]
    truncated = name in TRUNCATED and not over_tcp
    flags = 0x8180 | 0x0200 * truncated | (0 if asked in RECORDS else 3)
    body = b""
    for owner, what, value in [] if truncated else found:
        data = encoded(value) if what == CNAME else socket.inet_pton(socket.AF_INET if what == A else socket.AF_INET6, value)
        # The first owner is the question's name and is written as a pointer to it.
        body += (b"\xc0\x0c" if owner == name else encoded(owner)) + struct.pack(">HHIH", what, 1, 60, len(data)) + data
    return query[:2] + struct.pack(">HHHHH", flags, 1, 0 if truncated else len(found), 0, 0) + question + body


class Stream(socketserver.BaseRequestHandler):
    def handle(self):
        while len(head := self.request.recv(2)) == 2:
            reply = answer(self.request.recv(struct.unpack(">H", head)[0]), True)
            self.request.sendall(struct.pack(">H", len(reply)) + reply)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(answer(data, False), self.client_address)


datagrams = socketserver.UDPServer((sys.argv[1], 53), Datagram)
threading.Thread(target=datagrams.serve_forever, daemon=True).start()
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer((sys.argv[1], 53), Stream).serve_forever()
