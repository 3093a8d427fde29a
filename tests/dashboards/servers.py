"""Real servers for the tests: Prometheus on a data folder, Alertmanager, a receiver of its messages.

Everything listens on the loopback address, on ports that were free, and is ended at the end.
"""

import contextlib
import http.server
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

# How long a server may take until it answers; a busy machine needs some.
START_SECONDS = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, parameters=None, seconds=30):
    data = urllib.parse.urlencode(parameters, doseq=True).encode() if parameters else None
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=seconds) as answer:
        return answer.read()


@contextlib.contextmanager
def running(command, ready, log):
    """A server, from when `ready` answers until the end of the block."""
    with open(log, "wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, urllib.error.URLError):
                get(ready, seconds=2)
                break
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not start:\n{Path(log).read_text()[-3000:]}")
            time.sleep(0.1)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def backfill(folder, text):
    """Makes the data folder of a Prometheus from samples with times."""
    source = Path(folder) / "samples.om"
    source.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=48h", source, Path(folder) / "data"],
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"promtool: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    source.unlink()


@contextlib.contextmanager
def prometheus(folder, config="global: {}\n"):
    """A Prometheus on `folder`/data; gives its address."""
    folder = Path(folder)
    (folder / "prometheus.yaml").write_text(config, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}", "--storage.tsdb.retention.time=10y", "--log.level=warn",
        # What was sent before the Alertmanager was known is sent again.
        "--rules.alert.resend-delay=1s",
    ]
    with running(command, f"http://{address}/-/ready", folder / "prometheus.log"):
        yield f"http://{address}"


@contextlib.contextmanager
def alertmanager(folder, receiver):
    """An Alertmanager that sends everything to `receiver` at once; gives its address."""
    folder = Path(folder)
    (folder / "alertmanager.yaml").write_text(
        "route:\n  receiver: test\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n"
        f"receivers:\n  - name: test\n    webhook_configs:\n      - url: {receiver}\n",
        encoding="utf-8",
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yaml", f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn",
    ]
    with running(command, f"http://{address}/-/ready", folder / "alertmanager.log"):
        yield address


@contextlib.contextmanager
def receiver():
    """A web hook; gives its address and the list of the alerts it got."""
    got = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.extend(json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="ddbwatch-dashboards-") as path:
        os.makedirs(f"{path}/data", exist_ok=True)
        yield path
