"""A server that reads what comes first and ends the connection: refuse.py ADDRESS PORT reset|close|silence."""

import socket
import struct
import sys
import time

address, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.create_server((address, port)) as listener:
    connection, _ = listener.accept()
    connection.recv(65536)
    print("read", flush=True)
    if how == "reset":
        # Lingering for no time makes the kernel send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "silence":
        time.sleep(20)
    connection.close()
