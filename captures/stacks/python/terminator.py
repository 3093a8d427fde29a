"""A TLS end with ML-KEM in front of a plain server: terminator.py ADDRESS PORT CERTIFICATE KEY TARGET_PORT

Prints what the library says of each handshake, as JSON.
"""

import json
import socket
import sys
import threading

from OpenSSL import SSL

address, port, certificate, key, target_port = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
context = SSL.Context(SSL.TLS_SERVER_METHOD)
context.use_certificate_file(certificate)
context.use_privatekey_file(key)


def message(source):
    """One HTTP message of known length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = source.recv(65536)
        if not part:
            raise ConnectionError("ended")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(lengths):
        body += source.recv(65536)
    return head + b"\r\n\r\n" + body


def serve(plain, peer):
    connection = SSL.Connection(context, plain)
    connection.set_accept_state()
    connection.do_handshake()
    print(json.dumps({"port": peer[1], "version": connection.get_protocol_version_name(),
                      "cipher": connection.get_cipher_name(), "group": connection.get_group_name()}), flush=True)
    try:
        while True:
            upstream = socket.create_connection(("127.0.0.1", target_port))
            upstream.sendall(message(connection))
            connection.sendall(message(upstream))
            upstream.close()
    except (SSL.Error, ConnectionError):
        pass
    plain.close()


with socket.create_server((address, port)) as listener:
    while True:
        threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
