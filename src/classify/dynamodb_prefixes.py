#!/usr/bin/env python3
"""Writes dynamodb_prefixes.tsv from AWS's published ip-ranges.json.

    python3 src/classify/dynamodb_prefixes.py ip-ranges.json > src/classify/dynamodb_prefixes.tsv

Only the DYNAMODB rows are kept. The first line says when AWS made the list; the age of the list is
counted from there.
"""

import ipaddress
import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        ranges = json.load(file)
    rows = {
        (row["region"], ipaddress.ip_network(row[key]))
        for key, rows in (("ip_prefix", ranges["prefixes"]), ("ipv6_prefix", ranges["ipv6_prefixes"]))
        for row in rows
        if row["service"] == "DYNAMODB"
    }
    print("createDate", ranges["createDate"], sep="\t")
    for region, prefix in sorted(rows, key=lambda row: (row[0], row[1].version, row[1])):
        print(prefix, region, sep="\t")


if __name__ == "__main__":
    main()
