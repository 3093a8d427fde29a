"""Client and server with TCP Fast Open: fast_open.py client|server ADDRESS PORT NAME_OR_CERTIFICATE CA_OR_KEY"""

import json
import socket
import ssl
import sys

role, address, port, first, second = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]

if role == "server":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(first, second)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    listener.bind((address, port))
    listener.listen()
    while True:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            connection.recv(100)
            connection.sendall(b"gnip\n")
            try:
                connection.unwrap()
            except (ssl.SSLError, OSError):
                pass
else:
    context = ssl.create_default_context(cafile=second)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=first)
    with socket.socket() as plain:

        connected = False

        def finish(step):
            """Repeats a step until TLS needs nothing from the network for it."""
            global connected
            while True:
                try:
                    result, again = step(), False
                except ssl.SSLWantReadError:
                    result, again = None, True
                if outgoing.pending:
                    # The first data goes out together with the SYN.
                    if connected:
                        plain.sendall(outgoing.read())
                    else:
                        plain.sendto(outgoing.read(), socket.MSG_FASTOPEN, (address, port))
                        connected = True
                if not again:
                    return result
                data = plain.recv(65536)
                incoming.write(data) if data else incoming.write_eof()

        finish(session.do_handshake)
        finish(lambda: session.write(b"ping\n"))
        finish(lambda: session.read(100))
        cipher, _, _ = session.cipher()
        print(json.dumps({"port": plain.getsockname()[1], "version": session.version(), "openssl_cipher": cipher}), flush=True)
        finish(session.unwrap)
