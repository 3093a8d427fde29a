"""Client and server with pyOpenSSL, which brings an OpenSSL with ML-KEM of its own.

openssl_peer.py client ADDRESS PORT NAME CA_FILE
openssl_peer.py server ADDRESS PORT CERTIFICATE KEY
The groups come from OPENSSL_CONF. Each prints what its library says of the handshake, as JSON.
"""

import json
import socket
import sys

from OpenSSL import SSL

role, address, port, first, second = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]


def say(connection, own_port):
    print(json.dumps({
        "port": own_port, "version": connection.get_protocol_version_name(), "cipher": connection.get_cipher_name(),
        "group": connection.get_group_name(), "library": SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode(),
    }), flush=True)


if role == "client":
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(second)
    context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    plain = socket.create_connection((address, port))
    connection = SSL.Connection(context, plain)
    connection.set_connect_state()
    connection.set_tlsext_host_name(first.encode())
    connection.do_handshake()
    connection.sendall(b"ping\n")
    connection.recv(100)
    say(connection, plain.getsockname()[1])
    connection.shutdown()
    plain.close()
else:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_file(first)
    context.use_privatekey_file(second)
    with socket.create_server((address, port)) as listener:
        while True:
            plain, peer = listener.accept()
            connection = SSL.Connection(context, plain)
            connection.set_accept_state()
            try:
                connection.do_handshake()
                say(connection, peer[1])
                while connection.recv(1000):
                    connection.sendall(b"gnip\n")
            except SSL.ZeroReturnError:
                connection.shutdown()
            except (SSL.Error, OSError) as error:
                print(f"handshake: {error!r}", flush=True)
            plain.close()
