"""A client with Python's ssl module: python_ssl.py ADDRESS PORT NAME CA_FILE [maximum] [alpn]"""

import json
import socket
import ssl
import sys

address, port, name, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=authority)
if "1.2" in sys.argv[5:]:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
if "alpn" in sys.argv[5:]:
    context.set_alpn_protocols(["http/1.1"])
with socket.create_connection((address, port)) as plain:
    own_port = plain.getsockname()[1]
    with context.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(b"ping\n")
        connection.recv(100)
        cipher, _, _ = connection.cipher()
        print(json.dumps({"port": own_port, "version": connection.version(), "openssl_cipher": cipher,
                          "alpn": connection.selected_alpn_protocol()}), flush=True)
        connection.unwrap()
