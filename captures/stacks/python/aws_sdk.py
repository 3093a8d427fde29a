"""Calls DynamoDB with boto3 and prints what is known of the connection, as JSON.

aws_sdk.py SCHEME CREDENTIAL [ca=FILE] [endpoint=URL] [proxy=URL] [streams] [account] [presigned] [sigv4a]
CREDENTIAL: long_term, temporary or none. The keys are the examples of AWS's own documentation.
"""

import http.client
import json
import sys
import urllib.request

import boto3
import botocore
import urllib3.connection
from botocore.config import Config

scheme, credential, *rest = sys.argv[1:]
options = dict(item.split("=", 1) if "=" in item else (item, True) for item in rest)
KEYS = {
    "long_term": {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"},
    "temporary": {"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE", "aws_session_token": "throwaway/session/token" * 8},
    "none": {},
}
sockets = []


def note(sock):
    said = {"port": sock.getsockname()[1]}
    if hasattr(sock, "cipher"):
        said |= {"version": sock.version(), "openssl_cipher": sock.cipher()[0]}
    if said not in sockets:
        sockets.append(said)


def watched(kind):
    """Notes the socket of each connection once it stands: the service closes it with its answer."""
    connect = kind.connect

    def connect_and_note(self):
        connect(self)
        note(self.sock)

    kind.connect = connect_and_note


for kind in (http.client.HTTPConnection, urllib3.connection.HTTPConnection, urllib3.connection.HTTPSConnection):
    watched(kind)

config = Config(
    retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20,
    signature_version=botocore.UNSIGNED if credential == "none" else "v4a" if "sigv4a" in options else None,
    sigv4a_signing_region_set="*" if "sigv4a" in options else None,
    proxies={"https": options["proxy"]} if "proxy" in options else None,
    account_id_endpoint_mode="required" if "account" in options else "disabled",
)
session = boto3.Session(region_name="eu-west-1", aws_secret_access_key="throwaway" if KEYS[credential] else None,
                        aws_account_id="123456789012" if "account" in options else None, **KEYS[credential])
client = session.client("dynamodbstreams" if "streams" in options else "dynamodb", use_ssl=scheme == "https",
                        verify=options.get("ca"), endpoint_url=options.get("endpoint"), config=config)
if "presigned" in options:
    url = client.generate_presigned_url("list_tables")
    request = urllib.request.Request(url, b"{}", method="POST", headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.read()
    print(json.dumps({"status": "sent"}))
elif "streams" in options:
    print(json.dumps({"streams": len(client.list_streams()["Streams"])}))
elif "items" in options:
    client.create_table(TableName="throwaway", BillingMode="PAY_PER_REQUEST",
                        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    client.put_item(TableName="throwaway", Item={"id": {"S": "1"}})
    client.get_item(TableName="throwaway", Key={"id": {"S": "1"}})
else:
    print(json.dumps({"tables": len(client.list_tables().get("TableNames", []))}))
print(json.dumps({"sockets": sockets}), flush=True)
