"""One connection: a recorded TLS handshake, then as many bytes as asked for.

    peer.py serve ADDRESS PORT             (until its input ends; one connection after the other)
    peer.py send ADDRESS PORT BYTES        (prints seconds, and CPU seconds of its own, from the first byte of bulk to the receipt of the last)
"""

import socket
import sys
import time

from world import frames

PIECE = 1 << 20


def script():
    """The payloads of a handshake in order: who speaks, and what."""
    recorded = frames.read_capture(frames.CAPTURES / "tls12-ecdhe-rsa.pcap")
    client, said = recorded[0][26:30], []
    for frame in recorded:
        end = 14 + int.from_bytes(frame[16:18], "big")
        payload = frame[34 + (frame[46] >> 4) * 4:end]
        if payload:
            said.append((frame[26:30] == client, payload))
    return said


def play(connection, is_client):
    for is_by_client, payload in script():
        if is_by_client == is_client:
            connection.sendall(payload)
        else:
            left = len(payload)
            while left:
                left -= len(connection.recv(left))
    return connection


def main():
    what, address, port, *rest = sys.argv[1:]
    if what == "serve":
        with socket.create_server((address, int(port))) as server:
            print("ready", flush=True)
            buffer = bytearray(PIECE)
            while True:
                connection, _ = server.accept()
                with play(connection, False):
                    length = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
                    while length > 0:
                        got = connection.recv_into(buffer)
                        if not got:
                            break
                        length -= got
                    connection.sendall(b"!")
    length = int(rest[0])
    with play(socket.create_connection((address, int(port))), True) as connection:
        # The observer has decided by then.
        time.sleep(0.3)
        began, ran = time.monotonic(), time.process_time()
        connection.sendall(length.to_bytes(8, "big"))
        piece = bytes(PIECE)
        for _ in range(length // PIECE):
            connection.sendall(piece)
        connection.recv(1)
        print(time.monotonic() - began, time.process_time() - ran)


if __name__ == "__main__":
    main()
