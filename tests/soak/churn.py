"""Real TLS connections, one after the other, from several addresses; each that was answered is a line of the file.

    churn.py PID SERVER RATE FILE PORT...      (until standard input ends)
"""

import asyncio
import json
import random
import ssl
import sys
import time
import warnings

from place import CLIENTS, join_network

MAX_AT_ONCE = 64
PATIENCE_SECONDS = 20
VERSIONS = {ssl.TLSVersion.TLSv1: "1.0", ssl.TLSVersion.TLSv1_2: "1.2", ssl.TLSVersion.TLSv1_3: "1.3"}
NAMES = ["dynamodb.eu-west-1.amazonaws.com", "123456789012.ddb.eu-west-1.amazonaws.com", "streams.dynamodb.eu-west-1.amazonaws.com"]


def context_of(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Old versions are the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


class Churn:
    def __init__(self, server, file, ports):
        self.server, self.file, self.ports = server, file, ports
        self.contexts = {version: context_of(version) for version in VERSIONS}
        self.running = set()
        self.failed = 0

    async def connect(self, number):
        version = random.choices(list(VERSIONS), (1, 4, 4))[0]
        began = time.time()
        port = self.ports[0] if number % 10 else self.ports[1]
        writer = None
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(
                self.server, port, ssl=self.contexts[version], server_hostname=random.choice(NAMES),
                local_addr=(CLIENTS[number % len(CLIENTS)], 0)), PATIENCE_SECONDS)
            local = writer.get_extra_info("sockname")
            writer.write(b"ping\n")
            answer = await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
            if answer == b"gnip\n":
                self.file.write(json.dumps([local[0], local[1], port, VERSIONS[version], began, time.time()]) + "\n")
        except (OSError, asyncio.TimeoutError):
            self.failed += 1
        finally:
            if writer:
                writer.close()

    async def run(self, rate, is_over):
        number, began = 0, time.monotonic()
        while not is_over.is_set():
            due = int((time.monotonic() - began) * rate)
            # What was late is not made up for.
            number = max(number, due - MAX_AT_ONCE)
            while number < due and len(self.running) < MAX_AT_ONCE:
                task = asyncio.create_task(self.connect(number))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
                number += 1
            await asyncio.sleep(0.01)
        if self.running:
            await asyncio.wait(self.running, timeout=2 * PATIENCE_SECONDS)


async def main():
    pid, server, rate, path, *ports = sys.argv[1:]
    join_network(int(pid))
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: sys.stdin.read(1) or is_over.set())
    with open(path, "w", encoding="utf-8", buffering=1) as file:
        churn = Churn(server, file, [int(port) for port in ports])
        print("ready", flush=True)
        await churn.run(float(rate), is_over)
    print(churn.failed, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
