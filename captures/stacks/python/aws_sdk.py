"""Calls DynamoDB with boto3 and prints what is known of the connection, as JSON.

aws_sdk.py SCHEME CREDENTIAL [ca=FILE] [endpoint=URL] [proxy=URL] [streams] [account] [presigned]
CREDENTIAL: long_term, temporary or none. The keys are the examples of AWS's own documentation.
"""

import json
import sys
import urllib.request

import boto3
import botocore
from botocore.config import Config
from botocore.httpsession import URLLib3Session

scheme, credential, *rest = sys.argv[1:]
options = dict(item.split("=", 1) if "=" in item else (item, True) for item in rest)
KEYS = {
    "long_term": {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"},
    "temporary": {"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE", "aws_session_token": "throwaway/session/token" * 8},
    "none": {},
}
sockets = []


class Watched(URLLib3Session):
    """Notes each connection's socket before the answer is handed on."""

    def send(self, request):
        response = super().send(request)
        for manager in [self._manager, *self._proxy_managers.values()]:
            for pool in manager.pools._container.values():
                for connection in list(pool.pool.queue):
                    if connection is not None and getattr(connection, "sock", None) is not None:
                        note(connection.sock)
        return response


def note(sock):
    said = {"port": sock.getsockname()[1]}
    if hasattr(sock, "cipher"):
        said |= {"version": sock.version(), "openssl_cipher": sock.cipher()[0]}
    if said not in sockets:
        sockets.append(said)


botocore.httpsession.URLLib3Session = Watched
import botocore.endpoint  # noqa: E402

botocore.endpoint.URLLib3Session = Watched

config = Config(
    retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20,
    signature_version=botocore.UNSIGNED if credential == "none" else None,
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
