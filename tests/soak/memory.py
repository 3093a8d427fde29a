"""What memory a daemon takes, by the kernel's own account."""

import re
from pathlib import Path


def of_process(pid):
    """KiB: private, of rings it has mapped, all that is resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    value = {key: int(number) for key, number in re.findall(r"^(RssAnon|VmRSS):\s+(\d+)", status, re.M)}
    rings, is_ring = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            is_ring = "bpf-map" in line or "socket:" in line
        elif is_ring and line.startswith("Rss:"):
            rings += int(line.split()[1])
    return value["RssAnon"], rings, value["VmRSS"]
