"""What comes before TLS: proxies, the PROXY protocol, STARTTLS, DNS answers."""

import re
import sys

from . import lab as net
from . import openssl
from .book import NAME, Recorded, Skipped, case
from .cases_stacks import PEERS, known, statements

REGIONAL = {"aws__service": "dynamodb", "aws__region": "eu-west-1", "aws__endpoint__kind": "regional"}
CLEAN = {"tls__forward_secrecy": "yes", "rules": []}
PYTHON = "Python 3.11 ssl"


def behind(context, kind, address, port, *client, code=0):
    """Runs a client against a relay that takes the prelude and has an OpenSSL server behind it."""
    cert, key = context.certificates.leaf("ec")
    server = context.lab.serve("openssl", "s_server", "-accept", "127.0.0.1:8443", "-cert", cert, "-key", key, *(
        ["-www", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"] if "curl" in client
        else ["-rev"]), port=8443, env=openssl.ENVIRONMENT)
    relay = context.lab.serve(sys.executable, PEERS / "relay.py", kind, address, port, "127.0.0.1", "8443", port=port)
    with context.lab.recording() as packets:
        result = context.lab.client(*client, code=code)
    context.lab.stop(relay)
    context.lab.stop(server)
    return packets, result.text


def curl(context, *arguments):
    if not net.shutil.which("curl"):
        raise Skipped("curl is not installed")
    return ["curl", "-sv", "-o", "/dev/null", "--cacert", context.certificates.amazon.file, "-w", "port %{local_port}\n",
            *arguments, f"https://{NAME}/"]


def curl_said(text):
    version, cipher = re.search(r"SSL connection using (\S+) / (\S+)", text).groups()
    return {"port": int(re.search(r"^port (\d+)", text, re.M).group(1)), "version": version, "openssl_cipher": cipher}


def placed(flow, address, port):
    flow.update({"server.address": address, "server.port": port})
    return flow


@case("curl-connect", "curl through an HTTP CONNECT proxy", "curl 7.88 (OpenSSL 3)", "own proxy, OpenSSL 3 s_server")
def curl_connect(context):
    packets, text = behind(context, "connect", net.PROXY, 3128, *curl(context, "--proxy", f"http://{net.PROXY}:3128"))
    flow = known(curl_said(text), proxy__kind="http_connect", proxy__target=f"{NAME}:443", **REGIONAL, **CLEAN)
    return Recorded(packets, [placed(flow, net.PROXY, 3128)])


@case("curl-socks5", "curl through a SOCKS5 proxy that resolves the name", "curl 7.88 (OpenSSL 3)", "own proxy, OpenSSL 3 s_server")
def curl_socks5(context):
    packets, text = behind(context, "socks5", net.PROXY, 1080, *curl(context, "--socks5-hostname", f"{net.PROXY}:1080"))
    flow = known(curl_said(text), proxy__kind="socks5", proxy__target=f"{NAME}:443", **REGIONAL, **CLEAN)
    return Recorded(packets, [placed(flow, net.PROXY, 1080)])


@case("socks5-address", "SOCKS5 with an address as its target", PYTHON, "own proxy, OpenSSL 3 s_server")
def socks5_address(context):
    packets, text = behind(context, "socks5", net.PROXY, 1080, sys.executable, PEERS / "preluded.py", "socks5-address", net.PROXY,
                           "1080", NAME, context.certificates.amazon.file)
    flow = known(statements(text)[0], proxy__kind="socks5", proxy__target=f"{net.EU_WEST_1}:443", **REGIONAL, **CLEAN)
    return Recorded(packets, [placed(flow, net.PROXY, 1080)])


@case("proxy-protocol-v1", "curl sends a PROXY protocol line of version 1 before TLS", "curl 7.88 (OpenSSL 3)",
      "own relay, OpenSSL 3 s_server")
def proxy_v1(context):
    packets, text = behind(context, "proxy1", net.EU_WEST_1, 443, *curl(context, "--haproxy-protocol"))
    return Recorded(packets, [known(curl_said(text), proxy__kind="proxy_protocol", **REGIONAL, **CLEAN)])


@case("proxy-protocol-v2", "A PROXY protocol header of version 2 before TLS", PYTHON, "own relay, OpenSSL 3 s_server")
def proxy_v2(context):
    packets, text = behind(context, "proxy2", net.EU_WEST_1, 443, sys.executable, PEERS / "preluded.py", "proxy2", net.EU_WEST_1,
                           "443", NAME, context.certificates.amazon.file)
    return Recorded(packets, [known(statements(text)[0], proxy__kind="proxy_protocol", **REGIONAL, **CLEAN)])


@case("starttls", "A dialog in clear, then TLS on the same connection", "OpenSSL 3 s_client", "own relay, OpenSSL 3 s_server")
def starttls(context):
    cert, key = context.certificates.leaf("ec")
    server = context.lab.serve("openssl", "s_server", "-accept", "127.0.0.1:8443", "-cert", cert, "-key", key, "-rev",
                               port=8443, env=openssl.ENVIRONMENT)
    relay = context.lab.serve(sys.executable, PEERS / "relay.py", "smtp", net.EU_WEST_1, "587", "127.0.0.1", "8443", port=587)
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, "-starttls", "smtp", port=587)
    context.lab.stop(relay)
    context.lab.stop(server)
    flow = openssl.facts(text, own_port, port=587, **CLEAN)
    return Recorded(packets, [flow], notes="A passive observer may also take such a flow for no TLS at all; what it must not "
                                           "do is report it wrongly.")


# DNS.

def resolved(context, name, address, **more):
    server = openssl.s_server(context, cert="ec", address=address)
    names = context.lab.serve(sys.executable, PEERS / "name_server.py", net.RESOLVER, port=53)
    hosts = net.Path("/etc/netns") / net.CLIENT / "hosts"
    usual = hosts.read_text()
    hosts.write_text("127.0.0.1 localhost\n")
    try:
        with context.lab.recording("tcp or udp") as packets:
            result = context.lab.client(sys.executable, PEERS / "resolved.py", name, code=0)
    finally:
        hosts.write_text(usual)
    context.lab.stop(names)
    context.lab.stop(server)
    flow = placed(known(statements(result.text)[0], **CLEAN, **more), address, 443)
    flow["tls.client.server_name"] = None
    flow["tls.client.server_name.reason"] = "not_sent"
    flow["aws.endpoint.evidence~"] = "dns"
    if ":" in address:
        flow["client.address"] = net.CLIENT_V6
    return Recorded(packets, [flow])


RESOLVER = "Python 3.11 ssl, glibc resolver"
SERVERS = "OpenSSL 3 s_server, own DNS server"


@case("dns-address", "A DNS answer, then TLS without SNI to that address", RESOLVER, SERVERS)
def dns_address(context):
    return resolved(context, NAME, net.EU_WEST_1, **REGIONAL)


@case("dns-alias", "An own name is an alias (CNAME) of an interface endpoint; TLS without SNI", RESOLVER, SERVERS)
def dns_alias(context):
    return resolved(context, "tables.corp.example", net.INTERFACE_ENDPOINT, aws__service="dynamodb", aws__region="eu-west-1",
                    aws__endpoint__kind="interface")


@case("dns-ipv6", "An AAAA answer, then TLS without SNI over IPv6", RESOLVER, SERVERS)
def dns_ipv6(context):
    return resolved(context, "dynamodb.eu-west-1.api.aws", net.EU_WEST_1_V6, aws__service="dynamodb", aws__region="eu-west-1",
                    aws__endpoint__kind="dual_stack")


@case("dns-over-tcp", "A truncated DNS answer, asked again over TCP; then TLS without SNI", RESOLVER, SERVERS)
def dns_tcp(context):
    return resolved(context, "streams.dynamodb.eu-west-1.amazonaws.com", net.EU_WEST_1, aws__service="dynamodb-streams",
                    aws__region="eu-west-1", aws__endpoint__kind="regional")


# Names.

EC2 = {"aws.service": None, "needs": "--all-services"}
V6 = net.EU_WEST_1_V6
# Server name, server address, what the grammar of the endpoints says of it.
NAMES = [
    (NAME, net.EU_WEST_1, "dynamodb regional eu-west-1 aws"),
    ("dynamodb.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb regional us-east-1 aws"),
    ("dynamodb.us-west-2.amazonaws.com", net.US_WEST_2, "dynamodb regional us-west-2 aws"),
    ("streams.dynamodb.eu-west-1.amazonaws.com", net.EU_WEST_1, "dynamodb-streams regional eu-west-1 aws"),
    ("search-dynamodb.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb-search regional us-east-1 aws"),
    ("123456789012.ddb.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb account us-east-1 aws"),
    ("210987654321.ddb.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb account us-east-1 aws"),
    ("123456789012.streams-ddb.eu-west-1.amazonaws.com", net.EU_WEST_1, "dynamodb-streams account eu-west-1 aws"),
    ("123456789012.search-ddb.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb-search account us-east-1 aws"),
    ("123456789012.ddb.eu-west-1.api.aws", V6, "dynamodb account eu-west-1 aws dual"),
    ("dynamodb.eu-west-1.api.aws", V6, "dynamodb dual_stack eu-west-1 aws dual"),
    ("streams-dynamodb.eu-west-1.api.aws", V6, "dynamodb-streams dual_stack eu-west-1 aws dual"),
    ("search-dynamodb.eu-west-1.api.aws", V6, "dynamodb-search dual_stack eu-west-1 aws dual"),
    ("dynamodb-fips.us-east-1.amazonaws.com", net.US_EAST_1, "dynamodb fips us-east-1 aws fips"),
    ("dynamodb-fips.us-east-1.api.aws", V6, "dynamodb fips us-east-1 aws fips dual"),
    ("streams.dynamodb-fips.us-west-2.amazonaws.com", net.US_WEST_2, "dynamodb-streams fips us-west-2 aws fips"),
    ("streams-dynamodb-fips.us-east-1.api.aws", V6, "dynamodb-streams fips us-east-1 aws fips dual"),
    ("vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.amazonaws.com", net.INTERFACE_ENDPOINT, "dynamodb interface us-east-1 aws"),
    ("vpce-1a2b3c4d-5e6f-us-east-1a.dynamodb.us-east-1.vpce.amazonaws.com", net.INTERFACE_ENDPOINT,
     "dynamodb interface us-east-1 aws"),
    ("vpce-0d5107b23891af2b9-sow3v4uq.streams.dynamodb.eu-west-1.vpce.amazonaws.com", net.INTERFACE_ENDPOINT,
     "dynamodb-streams interface eu-west-1 aws"),
    ("dynamodb.us-gov-west-1.amazonaws.com", net.US_GOV_WEST_1, "dynamodb regional us-gov-west-1 aws-us-gov"),
    ("dynamodb.cn-north-1.amazonaws.com.cn", net.CN_NORTH_1, "dynamodb regional cn-north-1 aws-cn"),
    ("123456789012.ddb.cn-north-1.amazonaws.com.cn", net.CN_NORTH_1, "dynamodb account cn-north-1 aws-cn"),
    ("dynamodb.eusc-de-east-1.amazonaws.eu", net.EUSC_DE_EAST_1, "dynamodb regional eusc-de-east-1 aws-eusc"),
    ("dynamodb.us-iso-east-1.c2s.ic.gov", net.SEALED_REGION, "dynamodb regional us-iso-east-1 aws-iso"),
    ("dynamodb.us-isob-east-1.sc2s.sgov.gov", net.SEALED_REGION, "dynamodb regional us-isob-east-1 aws-iso-b"),
    ("dynamodb.eu-isoe-west-1.cloud.adc-e.uk", net.SEALED_REGION, "dynamodb regional eu-isoe-west-1 aws-iso-e"),
    ("dynamodb.us-isof-south-1.csp.hci.ic.gov", net.SEALED_REGION, "dynamodb regional us-isof-south-1 aws-iso-f"),
    ("dax.eu-west-1.amazonaws.com", net.ELSEWHERE, "dax regional eu-west-1 aws"),
    ("mycluster.2cmrwl.clustercfg.dax.use1.cache.amazonaws.com", net.DAX_NODE, "dax dax_cluster - aws"),
    ("mycluster.abc123.dax-clusters.eu-west-1.amazonaws.com", net.DAX_NODE, "dax dax_cluster eu-west-1 aws"),
]
LOOK_ALIKES = [
    "dynamodb.us-east-1.amazonaws.com.evil.example", "dynamodb.eu-west-1.amazonaws.com.cn.example", "xdynamodb.us-east-1.amazonaws.org",
    "dynamodb.us-east-1.amazonaws.com-login.example", "12345678901.ddb.us-east-1.example", "evil-dynamodb.us-east-1.api.aws.example",
    "dynamodb.example.com", "sqs.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "ddb.us-east-1.amazonaws.com.example",
]


def each_name(context, rows):
    flows = []
    cert, key = context.certificates.leaf("ec")
    server = context.lab.serve("openssl", "s_server", "-accept", "443", "-cert", cert, "-key", key, "-rev", "-num_tickets", "0",
                               port=443, env=openssl.ENVIRONMENT)
    with context.lab.recording() as packets:
        for name, address, more in rows:
            place = {"server": address, "sni": name, "source": net.CLIENT_V6 if ":" in address else net.ONPREM}
            own_port, text = openssl.s_client(context, "-tls1_3", **place)
            flow = openssl.facts(text, own_port, **place)
            flow.update(more)
            flows.append(flow)
    context.lab.stop(server)
    return Recorded(packets, flows)


@case("endpoint-names", "A handshake for each form of endpoint name", "OpenSSL 3 s_client", "OpenSSL 3 s_server")
def endpoint_names(context):
    rows, accounts = [], {}
    for name, address, says in NAMES:
        service, kind, region, partition, *marks = says.split()
        more = {"aws.service": service, "aws.endpoint.kind": kind, "aws.region": region, "aws.partition": partition,
                "aws.endpoint.fips": True if "fips" in marks else None, "aws.endpoint.dual_stack": True if "dual" in marks else None,
                "aws.account_id": None}
        if region == "-":
            del more["aws.region"]
        if kind == "account":
            number = accounts.setdefault(name[:12], len(accounts) + 1)
            more["aws.account_id"] = f"account-{number}"
            more["tls.client.server_name"] = f"account-{number}{name[12:]}"
        rows.append((name, address, more))
    return each_name(context, rows)


@case("endpoint-look-alikes", "Names that only look like DynamoDB: none of them is", "OpenSSL 3 s_client", "OpenSSL 3 s_server")
def look_alikes(context):
    return each_name(context, [(name, net.ELSEWHERE, EC2) for name in LOOK_ALIKES])


@case("endpoint-unrecognised", "A DynamoDB-looking name under an AWS suffix that no grammar knows yet", "OpenSSL 3 s_client",
      "OpenSSL 3 s_server")
def unrecognised(context):
    return each_name(context, [("dynamodb-vectors.us-east-1.amazonaws.com", net.US_EAST_1,
                                {"aws.service": "dynamodb", "aws.endpoint.kind": "unrecognised"})])


@case("cross-region", "A client of one region at the endpoint of another", "OpenSSL 3 s_client", "OpenSSL 3 s_server")
def cross_region(context):
    return each_name(context, [("dynamodb.us-west-2.amazonaws.com", net.US_WEST_2, {"aws.region": "us-west-2"})])


@case("conflicting-region", "The name says us-east-1, the address belongs to eu-west-1", "OpenSSL 3 s_client", "OpenSSL 3 s_server")
def conflicting_region(context):
    return each_name(context, [("dynamodb.us-east-1.amazonaws.com", net.EU_WEST_1,
                                {"aws.region": "us-east-1", "rules": ["endpoint_conflict"]})])


# Negative captures.

@case("no-tls", "Other traffic only: plain HTTP to a web server, DNS. Nothing is to be reported", "curl 7.88", "Python http.server")
def no_tls(context):
    server = context.lab.serve(sys.executable, "-m", "http.server", "80", "--bind", net.ELSEWHERE, "--directory",
                               _empty(context), port=80)
    names = context.lab.serve(sys.executable, PEERS / "name_server.py", net.RESOLVER, port=53)
    with context.lab.recording("tcp or udp") as packets:
        context.lab.client("curl", "-s", "-o", "/dev/null", f"http://{net.ELSEWHERE}/", "-H", "Host: www.corp.example", code=0)
        context.lab.client(sys.executable, "-c", "import socket; socket.getaddrinfo('tables.corp.example', 80)", code=0)
    context.lab.stop(names)
    context.lab.stop(server)
    return Recorded(packets, [])


def _empty(context):
    folder = context.lab.folder / "empty"
    folder.mkdir(exist_ok=True)
    return folder
