#!/usr/bin/env python3
"""Every query of every panel, asked of a Prometheus that scraped the real daemon.

    daemon.py DDBWATCH

The daemon plays the shipped captures, again and again. What such a short run cannot show is named here with its
reason; the other queries must have data.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import boards  # noqa: E402
import scraped  # noqa: E402
import servers  # noqa: E402

SCRAPE = 1
RUN_SECONDS = 30

# Panels that may be empty: what they show did not happen, or happens not in half a minute.
MAY_BE_EMPTY = {
    "Losses by stage": "nothing is lost",
    "Losses by reason": "nothing is lost",
    "Folded series": "nothing is folded",
    "Folded log messages": "nothing is folded",
    "Capture restarts": "a replay has no capture that could be restarted",
}


def main():
    program = Path(sys.argv[1]).resolve()
    with servers.folder() as folder:
        address = f"127.0.0.1:{servers.free_port()}"
        config = Path(folder) / "ddbwatch.toml"
        config.write_text(
            f'[site]\nregion = "eu-west-1"\n[metrics]\nlisten = "{address}"\noffenders = 20\n'
            f'[output]\nrecords = "{folder}/flows.jsonl"\n', encoding="utf-8",
        )
        command = [str(program), "watch", "--replay", str(boards.ROOT / "captures"), "--loop", "--speed", "600", "--config", str(config)]
        scrape = (
            f"global: {{scrape_interval: {SCRAPE}s}}\n"
            f"scrape_configs: [{{job_name: ddbwatch, static_configs: [{{targets: ['{address}']}}]}}]\n"
        )
        with contextlib.ExitStack() as stack:
            daemon = stack.enter_context(servers.running(command, f"http://{address}/healthz", Path(folder) / "daemon.log"))
            url = stack.enter_context(servers.prometheus(folder, scrape))
            began = time.time()
            time.sleep(RUN_SECONDS)
            if daemon.poll() is not None:
                sys.exit(f"the daemon ended: {(Path(folder) / 'daemon.log').read_text()[-3000:]}")
            asked, left_out, wrong = scraped.unanswered(url, SCRAPE, began, time.time(), MAY_BE_EMPTY)
            if wrong:
                metrics = servers.get(f"http://{address}/metrics").decode()
                (Path("/tmp") / "ddbwatch-daemon-metrics.txt").write_text(metrics)
    print(f"{asked} queries asked of the daemon's metrics, {left_out} look back too far")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
