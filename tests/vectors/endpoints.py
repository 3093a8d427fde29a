#!/usr/bin/env python3
"""Writes endpoints.tsv: what the AWS SDK's own endpoint rules say about DynamoDB host names.

Run it with the botocore release to take the rules from (1.44.5 was used for the committed file):

    pip install botocore==1.44.5
    python3 tests/vectors/endpoints.py > tests/vectors/endpoints.tsv

Every combination of service, region, FIPS, dual-stack and account id is resolved by botocore. The
columns are what was asked for, not what a parser of ours makes of the name: a name counts as FIPS
if it is what the rules answer to a request for FIPS.
"""

import gzip
import json
import pathlib

import botocore
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError

DATA = pathlib.Path(botocore.__file__).parent / "data"
ACCOUNT = "111122223333"
RULES = [
    ("dynamodb", "dynamodb/2012-08-10"),
    ("dynamodb-streams", "dynamodbstreams/2012-08-10"),
    ("dax", "dax/2017-04-19"),
]
# Regions that no list knows yet: the rules answer by pattern, and so must we.
INVENTED = {"aws": ["us-new-1", "mx-northeast-7"], "aws-cn": ["cn-new-1"], "aws-us-gov": ["us-gov-new-1"]}


def load(path):
    plain = DATA / path
    if plain.exists():
        return json.loads(plain.read_text())
    return json.loads(gzip.decompress((DATA / (path + ".gz")).read_bytes()))


def service_of(host, service):
    """Vector search shares the rules of DynamoDB; its host is the answer to one operation."""
    return "dynamodb-search" if "search-" in host else service


def main():
    partitions = load("partitions.json")
    rows, fips_hosts = {}, set()
    for service, folder in RULES:
        rules = load(f"{folder}/endpoint-rule-set-1.json")
        provider = EndpointProvider(rules, partitions)
        names = rules["parameters"]
        for partition in partitions["partitions"]:
            name = partition["id"]
            regions = [region for region in partition["regions"] if not region.endswith("-global")]
            for region in regions + INVENTED.get(name, []):
                for fips in (False, True):
                    for dual_stack in (False, True):
                        for account in (None, ACCOUNT):
                            for search in (False, True):
                                parameters = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack}
                                if account:
                                    if "AccountId" not in names:
                                        continue
                                    parameters["AccountId"] = account
                                    parameters["AccountIdEndpointMode"] = "preferred"
                                if search:
                                    switch = next((n for n in names if "search" in n.lower()), None)
                                    if switch is None:
                                        continue
                                    parameters[switch] = True
                                try:
                                    url = provider.resolve_endpoint(**parameters).url
                                except EndpointProviderError:
                                    continue
                                host = url.split("://", 1)[1]
                                if fips:
                                    fips_hosts.add(host)
                                rows.setdefault(
                                    host, (service_of(host, service), region, name, ACCOUNT in host, dual_stack)
                                )
    print("# host\tservice\tregion\tpartition\tkind\tfips\tdual_stack")
    print(f"# Made by tests/vectors/endpoints.py from botocore {botocore.__version__}")
    for host, (service, region, partition, is_account, dual_stack) in sorted(rows.items()):
        # Only what the name says: asked for FIPS, the rules also give plain hosts of GovCloud.
        fips = host in fips_hosts and "fips" in host
        if is_account:
            kind = "account"
        elif fips:
            kind = "fips"
        elif dual_stack:
            kind = "dual_stack"
        else:
            kind = "regional"
        print(host, service, region, partition, kind, str(fips).lower(), str(dual_stack).lower(), sep="\t")


if __name__ == "__main__":
    main()
