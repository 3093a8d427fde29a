"""Further clients: Java, curl on one connection, SigV4a. At the end, so that no other capture is renumbered."""

import shutil
import sys

from . import lab as net
from . import openssl
from .book import NAME, Recorded, Skipped, case, fact
from .cases_sdk import BOTO, REGIONAL, plain_call
from .cases_stacks import PEERS, known, statements

JAVA = "Java 17 (JSSE)"
SOURCE = PEERS.parent / "java" / "Client.java"


def java(context, *protocols, server_options=(), **more):
    if not shutil.which("java"):
        raise Skipped("java is not installed (openjdk-17-jdk-headless)")
    server = openssl.s_server(context, *server_options, reverse=False)
    with context.lab.recording() as packets:
        result = context.lab.client("java", SOURCE, net.EU_WEST_1, "443", NAME, context.certificates.amazon.file, *protocols,
                                    code=0, seconds=60)
    context.lab.stop(server)
    return Recorded(packets, [known(said, **more) for said in statements(result.text)])


@case("java-tls13", "TLS 1.3 by Java 17 with its defaults", JAVA, "OpenSSL 3 s_server")
def java_13(context):
    return java(context, tls__forward_secrecy="yes", rules=[])


@case("java-tls12", "TLS 1.2 by Java 17", JAVA, "OpenSSL 3 s_server")
def java_12(context):
    return java(context, "TLSv1.2", tls__forward_secrecy="yes", rules=[])


@case("java-sslv2-hello", "Java's SSLv2Hello: a hello in SSL 2 framing, then a whole TLS 1.0 handshake", JAVA, "OpenSSL 3 s_server")
def java_ssl2(context):
    return java(context, "SSLv2Hello", "TLSv1", server_options=["-min_protocol", "TLSv1"], tls__client__server_name=None,
                tls__client__max_version="1.0", rules=["tls_version_too_low"])


@case("java-tls10", "TLS 1.0 by Java 17, which has to be told to", JAVA, "OpenSSL 3 s_server")
def java_10(context):
    return java(context, "TLSv1", server_options=["-min_protocol", "TLSv1"], rules=["tls_version_too_low"])


CURL = "curl 7.88"


@case("http-keep-alive", "One plain connection: two signed requests with temporary keys, one without a signature, one with a "
      "long-term key", CURL, "Python http.server")
def keep_alive(context):
    server = context.lab.serve(sys.executable, PEERS / "keeping.py", net.EU_WEST_1, "80", port=80)
    own_port = context.port()

    def request(operation, key=None):
        options = ["--silent", "--show-error", "--max-time", "20", "--local-port", own_port,
                   "--resolve", f"{NAME}:80:{net.EU_WEST_1}", "-H", f"X-Amz-Target: DynamoDB_20120810.{operation}",
                   "-H", "Content-Type: application/x-amz-json-1.0", "-d", "{}", "-o", "/dev/null"]
        if key:
            options += ["--aws-sigv4", "aws:amz:eu-west-1:dynamodb", "--user", f"{key}:throwaway"]
        return [*options, f"http://{NAME}/"]

    temporary, long_term = "ASIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"
    command = ["curl", *request("ListTables", temporary), "--next", *request("DescribeLimits", temporary), "--next",
               *request("DescribeEndpoints"), "--next", *request("ListTables", long_term)]
    with context.lab.recording() as packets:
        context.lab.client(*command, code=0)
    context.lab.stop(server)
    return Recorded(packets, [fact(
        (net.ONPREM, own_port), net.EU_WEST_1, 80, handshake__outcome="plaintext", http__request__method="POST", http__host=NAME,
        aws__target="DynamoDB_20120810.ListTables", aws__signature="sigv4", aws__credential_kind="temporary",
        rules=["long_term_credential", "plaintext_http", "unsigned_request"], policy__verdict="violation", **REGIONAL)])


@case("http-sigv4a", "boto3 over plain HTTP, signed for several regions (SigV4a)", f"{BOTO} with awscrt", "moto 5")
def http_sigv4a(context):
    try:
        import awscrt  # noqa: F401
    except ImportError:
        raise Skipped("awscrt is not installed (pip install awscrt)") from None
    made = plain_call(context, "long_term", "sigv4a", aws__endpoint__kind="regional")
    made.flows[0]["aws.signature"] = "sigv4a"
    return made
