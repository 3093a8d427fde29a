"""The table of captures in the README, written from the index."""

from pathlib import Path

START, END = "<!-- table: written by make.py -->", "<!-- end of table -->"


def write_table(file: Path, entries):
    """Replaces what stands between the two marks; leaves a folder without a README alone."""
    if not file.exists():
        return
    text = file.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    lines = [START, "", "| file | what it shows | made by |", "|---|---|---|"]
    for entry in entries:
        stack = entry["stack"]
        made = stack["client"] if stack["server"] == "derived" else f"{stack['client']} → {stack['server']}"
        lines.append(f"| `{entry['file']}` | {entry['title']} | {made} |")
    file.write_text(before + "\n".join(lines) + "\n\n" + END + after)
