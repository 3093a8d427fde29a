"""Sends an SSL 2 framed hello that offers up to TLS 1.0, reads the answer, closes.

sslv2_hello.py ADDRESS PORT
The last client's form of hello that servers took for old browsers [RFC 5246 E.2].
"""

import json
import os
import socket
import struct
import sys

suites = b"\x00\x00\x2f\x00\x00\x35\x00\x00\x0a\x00\x00\xff"
challenge = os.urandom(32)
body = b"\x01\x03\x01" + struct.pack(">HHH", len(suites), 0, len(challenge)) + suites + challenge
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    connection.sendall(struct.pack(">H", 0x8000 | len(body)) + body)
    connection.settimeout(3)
    answer = connection.recv(4096)
    print(json.dumps({"port": connection.getsockname()[1], "answer": answer[:1].hex()}), flush=True)
