"""Looks a name up by the system's resolver and speaks TLS to the address without SNI: resolved.py NAME"""

import json
import socket
import ssl
import sys

context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
family, _, _, _, place = socket.getaddrinfo(sys.argv[1], 443, type=socket.SOCK_STREAM)[0]
with socket.socket(family) as plain:
    plain.connect(place)
    own_port = plain.getsockname()[1]
    with context.wrap_socket(plain) as connection:
        connection.sendall(b"ping\n")
        connection.recv(100)
        print(json.dumps({"port": own_port, "version": connection.version(), "openssl_cipher": connection.cipher()[0]}), flush=True)
        connection.unwrap()
