"""Takes what comes in front of TLS and relays the rest: relay.py KIND ADDRESS PORT TARGET_ADDRESS TARGET_PORT

KIND: connect (HTTP), socks5, proxy1 and proxy2 (the PROXY protocol), smtp (STARTTLS).
The target is used whatever the client names, so nothing leaves the sealed network.
"""

import socket
import struct
import sys
import threading

kind, address, port, target, target_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])


def exactly(sock, length):
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            raise ConnectionError("ended early")
        data += part
    return data


def line(sock):
    data = b""
    while not data.endswith(b"\n"):
        data += exactly(sock, 1)
    return data


def prelude(client):
    if kind == "connect":
        while line(client).strip():
            pass
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    elif kind == "socks5":
        exactly(client, exactly(client, 2)[1])
        client.sendall(b"\x05\x00")
        form = exactly(client, 4)[3]
        exactly(client, {1: 4, 4: 16}[form] if form != 3 else exactly(client, 1)[0])
        exactly(client, 2)
        client.sendall(b"\x05\x00\x00\x01" + socket.inet_aton(address) + struct.pack(">H", port))
    elif kind == "proxy1":
        line(client)
    elif kind == "proxy2":
        exactly(client, struct.unpack(">H", exactly(client, 16)[14:])[0])
    elif kind == "smtp":
        client.sendall(b"220 mail.corp.example ESMTP\r\n")
        while True:
            command = line(client).upper()
            if command.startswith(b"STARTTLS"):
                client.sendall(b"220 go ahead\r\n")
                return
            client.sendall(b"250-mail.corp.example\r\n250 STARTTLS\r\n")


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    prelude(client)
    upstream = socket.create_connection((target, target_port))
    other = threading.Thread(target=pump, args=(upstream, client), daemon=True)
    other.start()
    pump(client, upstream)
    other.join(5)
    client.close()


with socket.create_server((address, port)) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
