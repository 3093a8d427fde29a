"""A relay that takes versions out of the ClientHello, as an attacker in the middle would.

strip_versions.py ADDRESS PORT SERVER_ADDRESS SERVER_PORT VERSION... (as hex, 0304 for TLS 1.3)
Each version is overwritten in the supported_versions extension by a value without meaning.
"""

import selectors
import socket
import sys

address, port, server, server_port = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
versions = {bytes.fromhex(v) for v in sys.argv[5:]}


def stripped(hello: bytes) -> bytes:
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2])
    at += 1 + hello[at]
    at += 2
    out = bytearray(hello)
    while at + 4 <= len(hello):
        kind, length = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        if kind == 43:
            for place in range(at + 5, at + 4 + length, 2):
                if hello[place : place + 2] in versions:
                    out[place : place + 2] = b"\x7a\x7a"
        at += 4 + length
    return bytes(out)


with socket.create_server((address, port)) as listener:
    client, _ = listener.accept()
    upstream = socket.create_connection((server, server_port))
    upstream.sendall(stripped(client.recv(65536)))
    selector = selectors.DefaultSelector()
    selector.register(client, selectors.EVENT_READ, upstream)
    selector.register(upstream, selectors.EVENT_READ, client)
    while True:
        for key, _ in selector.select():
            data = key.fileobj.recv(65536)
            if not data:
                sys.exit()
            key.data.sendall(data)
