"""A Python client that speaks something before TLS: preluded.py KIND ADDRESS PORT NAME CA_FILE

KIND: socks5-name, socks5-address, proxy2.
"""

import json
import socket
import ssl
import struct
import sys

kind, address, port, name, authority = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
context = ssl.create_default_context(cafile=authority)
with socket.create_connection((address, port)) as plain:
    own, own_port = plain.getsockname()
    if kind.startswith("socks5"):
        plain.sendall(b"\x05\x01\x00")
        plain.recv(2)
        if kind == "socks5-name":
            target = b"\x03" + bytes([len(name)]) + name.encode()
        else:
            target = b"\x01" + socket.inet_aton("52.94.5.10")
        plain.sendall(b"\x05\x01\x00" + target + struct.pack(">H", 443))
        plain.recv(10)
    else:
        addresses = socket.inet_aton("10.9.8.7") + socket.inet_aton("52.94.5.10") + struct.pack(">HH", 51515, 443)
        plain.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses)) + addresses)
    with context.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(b"ping\n")
        connection.recv(100)
        print(json.dumps({"port": own_port, "version": connection.version(), "openssl_cipher": connection.cipher()[0]}), flush=True)
        connection.unwrap()
