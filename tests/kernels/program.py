"""The test program that `cargo test --no-run --message-format=json` tells of on standard input."""

import json
import sys

for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and "test" in message["target"]["kind"]:
        print(message["executable"])
