#!/usr/bin/env python3
"""Every query of every panel, asked of a Prometheus that has scraped a daemon for a short while.

    scraped.py URL --scrape SECONDS --since UNIX --until UNIX [--may-be-empty TITLE ...]

Prints how many were asked; exit status 1 where one has no data.
"""

import argparse
import sys

sys.dont_write_bytecode = True

import boards  # noqa: E402

# Parts of queries that no short while can answer.
YESTERDAY = "offset 1d"


def whole_minutes(since, now):
    """The minute marks in between: what subqueries with a step of a minute look at."""
    return int(now // 60) - int(since // 60)


def unanswered(url, scrape, since, now, may_be_empty):
    """Asks all as of `now`; gives how many were asked, how many were left out, and those that have no data."""
    # Data from before this range is there as well, for `offset $__range`.
    span = max(int(now - since) // 2 - 2, 1)
    asked, left_out, wrong = 0, 0, []
    for name, board in boards.boards():
        for panel in boards.panels(board):
            minimum = panel.get("interval")
            # Two points of a subquery have to be in its window.
            is_too_long = minimum and whole_minutes(since, now) < 2
            for target in panel["targets"]:
                if YESTERDAY in target["expr"] or is_too_long and ":1m]" in target["expr"]:
                    left_out += 1
                    continue
                expression, step = boards.filled(board, target["expr"], scrape, minimum, span, span)
                asked += 1
                found = boards.ask(url, expression, step, now, target["instant"], span // step * step)
                if not found and panel["title"] not in may_be_empty:
                    wrong.append(f"{name}: {panel['title']}: no data: {expression}")
    return asked, left_out, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--scrape", type=int, required=True)
    parser.add_argument("--since", type=float, required=True, help="since when there is data of everything")
    parser.add_argument("--until", type=float, required=True, help="the time to ask about")
    parser.add_argument("--may-be-empty", nargs="*", default=[])
    options = parser.parse_args()
    asked, left_out, wrong = unanswered(options.url, options.scrape, options.since, options.until, options.may_be_empty)
    print(f"{asked} queries asked, {left_out} look back too far")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
