"""Puts frames onto wires of the peers' network: one order per line of standard input, one answer per line of output.

    flood.py SEED
"""

import json
import random
import socket
import sys

import frames

MAX_FRAMES = 2_000_000


class Wires:
    """One socket per wire; a wire that was made anew has another index."""

    def __init__(self):
        self.sockets = {}

    def of(self, name):
        index = socket.if_nametoindex(name)
        known, found = self.sockets.get(name, (None, None))
        if known != index:
            if found:
                found.close()
            found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            found.bind((name, 0))
            self.sockets[name] = index, found
        return found


def main():
    random.seed(int(sys.argv[1]))
    garbage = frames.Garbage()
    makers = {"syn": frames.syn, "hello": frames.hello, "garbage": garbage.frame}
    wires = Wires()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        sent, bytes_sent = 0, 0
        try:
            send = wires.of("peer-" + order["wire"]).send
            if "client" in order:
                made = frames.handshake(socket.inet_aton(order["client"]))
            else:
                maker = makers[order["kind"]]
                made = (maker() for _ in range(min(order["frames"], MAX_FRAMES)))
            for frame in made:
                try:
                    bytes_sent += send(frame)
                    sent += 1
                except OSError:
                    # No room in the queue, or the wire is gone: it was not sent.
                    pass
        except OSError as error:
            print(json.dumps({"sent": sent, "error": str(error)}), flush=True)
            continue
        print(json.dumps({"sent": sent, "bytes": bytes_sent}), flush=True)


if __name__ == "__main__":
    main()
