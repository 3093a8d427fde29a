"""Handshakes of OpenSSL's client and server: versions, suites, groups, client certificates."""

from . import lab as net
from . import openssl
from .book import Recorded, case

CLIENT, SERVER = "OpenSSL 3 s_client", "OpenSSL 3 s_server"
OLD = ["tls_version_too_low"]
STATIC = ["no_forward_secrecy"]
PSK = ["-psk", "00112233445566778899aabbccddeeff", "-psk_identity", "sensor"]
SERVER_PSK = PSK

# Name, title, server arguments, client arguments, certificate, forward secrecy (by the suite's
# definition; None where no claim is made), warning and critical rules of the default profile.
TABLE = [
    ("tls10-ecdhe-rsa", "TLS 1.0 negotiated", ["-tls1"], ["-tls1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"],
     "rsa", "yes", OLD),
    ("tls10-rsa", "TLS 1.0 with RSA key transport", ["-tls1"], ["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"],
     "rsa", "no", OLD + STATIC),
    ("tls11-ecdhe-rsa", "TLS 1.1 negotiated", ["-tls1_1"], ["-tls1_1", "-cipher", "ECDHE-RSA-AES256-SHA:@SECLEVEL=0"],
     "rsa", "yes", OLD),
    ("tls11-dhe-rsa", "TLS 1.1 with classic DHE", ["-tls1_1", "-dhparam", "dh2048.pem"],
     ["-tls1_1", "-cipher", "DHE-RSA-AES128-SHA:@SECLEVEL=0"], "rsa", "yes", OLD),
    ("tls12-ecdhe-rsa", "TLS 1.2, the usual suite", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "rsa", "yes", []),
    ("tls12-ecdhe-ecdsa", "TLS 1.2 with an ECDSA certificate", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], "ec", "yes", []),
    ("tls12-ecdhe-rsa-p256", "TLS 1.2 on secp256r1, CBC suite", ["-tls1_2", "-groups", "P-256"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"], "rsa", "yes", []),
    ("tls12-ecdhe-rsa-p384", "TLS 1.2 on secp384r1", ["-tls1_2", "-groups", "P-384"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], "rsa", "yes", []),
    ("tls12-ecdhe-rsa-p521", "TLS 1.2 on secp521r1", ["-tls1_2", "-groups", "P-521"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "-groups", "P-521"], "rsa", "yes", []),
    ("tls12-ecdhe-rsa-x448", "TLS 1.2 on x448", ["-tls1_2", "-groups", "X448"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], "rsa", "yes", []),
    ("tls12-ecdhe-rsa-brainpool", "TLS 1.2 on brainpoolP256r1", ["-tls1_2", "-groups", "brainpoolP256r1"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "-groups", "brainpoolP256r1"], "rsa", "yes", []),
    ("tls12-ecdhe-rsa-p192", "TLS 1.2 on secp192r1, too small a curve", ["-tls1_2", "-groups", "P-192"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-groups", "P-192"], "rsa", "yes",
     ["weak_key_exchange"]),
    ("tls12-chacha", "TLS 1.2 with ChaCha20-Poly1305", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"], "rsa", "yes", []),
    ("tls12-ccm8", "TLS 1.2 with a CCM_8 suite", ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"],
     "ec", "yes", []),
    ("tls12-aria", "TLS 1.2 with an ARIA suite", ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-ARIA128-GCM-SHA256"],
     "rsa", "yes", []),
    ("tls12-camellia", "TLS 1.2 with a Camellia suite", ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-RSA-CAMELLIA128-SHA256"],
     "rsa", "yes", []),
    ("tls12-dhe-2048", "TLS 1.2, classic DHE of 2048 bits", ["-tls1_2", "-dhparam", "dh2048.pem"],
     ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "rsa", "yes", []),
    ("tls12-dhe-1024", "TLS 1.2, classic DHE of 1024 bits: too short", ["-tls1_2", "-dhparam", "dh1024.pem"],
     ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"], "rsa", "yes", ["weak_key_exchange"]),
    ("tls12-dhe-dss", "TLS 1.2, DHE with a DSA certificate", ["-tls1_2", "-dhparam", "dh2048.pem"],
     ["-tls1_2", "-cipher", "DHE-DSS-AES128-GCM-SHA256:@SECLEVEL=0", "-sigalgs", "DSA+SHA256:RSA+SHA256:ECDSA+SHA384"],
     "dsa", "yes", []),
    ("tls12-rsa", "TLS 1.2 with RSA key transport: no forward secrecy", ["-tls1_2"],
     ["-tls1_2", "-cipher", "AES256-GCM-SHA384"], "rsa", "no", STATIC),
    ("tls12-rsa-cbc", "TLS 1.2 with RSA key transport and CBC", ["-tls1_2"],
     ["-tls1_2", "-cipher", "AES128-SHA256"], "rsa", "no", STATIC),
    ("tls12-dh-anon", "TLS 1.2, anonymous DH", ["-tls1_2", "-dhparam", "dh2048.pem"],
     ["-tls1_2", "-cipher", "ADH-AES128-GCM-SHA256:@SECLEVEL=0"], None, None, ["weak_cipher"]),
    ("tls12-ecdh-anon", "TLS 1.2, anonymous ECDH", ["-tls1_2"], ["-tls1_2", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"],
     None, None, ["weak_cipher"]),
    ("tls12-null-rsa", "TLS 1.2, NULL cipher with RSA key transport", ["-tls1_2"],
     ["-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"], "rsa", "no", STATIC + ["weak_cipher"]),
    ("tls12-null-ecdhe", "TLS 1.2, NULL cipher with ECDHE", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-NULL-SHA:@SECLEVEL=0"], "rsa", "yes", ["weak_cipher"]),
    ("tls10-null-md5", "TLS 1.0, NULL cipher with MD5", ["-tls1"], ["-tls1", "-cipher", "NULL-MD5:@SECLEVEL=0"],
     "rsa", "no", OLD + STATIC + ["weak_cipher"]),
    ("tls12-psk", "TLS 1.2, plain pre-shared key", ["-tls1_2", *SERVER_PSK], ["-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", *PSK],
     None, "no", STATIC),
    ("tls12-dhe-psk", "TLS 1.2, pre-shared key with DHE", ["-tls1_2", "-dhparam", "dh2048.pem", *SERVER_PSK],
     ["-tls1_2", "-cipher", "DHE-PSK-AES128-GCM-SHA256", *PSK], None, "yes", []),
    ("tls12-ecdhe-psk", "TLS 1.2, pre-shared key with ECDHE", ["-tls1_2", *SERVER_PSK],
     ["-tls1_2", "-cipher", "ECDHE-PSK-AES128-CBC-SHA256", *PSK], None, "yes", []),
    ("tls12-rsa-psk", "TLS 1.2, pre-shared key with RSA key transport", ["-tls1_2", *SERVER_PSK],
     ["-tls1_2", "-cipher", "RSA-PSK-AES128-GCM-SHA256", *PSK], "rsa", "no", STATIC),
    ("tls12-alpn", "TLS 1.2, ALPN http/1.1 chosen in clear", ["-tls1_2", "-alpn", "http/1.1"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-alpn", "h2,http/1.1"], "rsa", "yes", []),
    ("tls12-small-records", "TLS 1.2, the server's messages split over records of 512 bytes",
     ["-tls1_2", "-max_send_frag", "512"], ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "rsa", "yes", []),
    ("tls12-client-split-records", "TLS 1.2, the client's hello split over records of 512 bytes", ["-tls1_2"],
     ["-tls1_2", "-max_send_frag", "512", "-alpn", ",".join(f"protocol-number-{n}" for n in range(60)) + ",http/1.1"],
     "rsa", "yes", []),
    ("tls12-chain", "TLS 1.2 with a chain of certificates of several packets", ["-tls1_2", "-cert_chain", "chain.pem"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "rsa", "yes", []),
    ("tls12-ocsp", "TLS 1.2 with an OCSP request in the hello", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-status"], "rsa", "yes", []),
    ("tls12-no-extended-master-secret", "TLS 1.2 without encrypt-then-mac, two extensions fewer",
     ["-tls1_2", "-no_etm"], ["-tls1_2", "-no_etm", "-no_ticket", "-cipher", "ECDHE-RSA-AES128-SHA256"], "rsa", "yes", []),
    ("tls13-x25519", "TLS 1.3, the usual", [], ["-tls1_3", "-groups", "X25519:P-256"], "ec", "yes", []),
    ("tls13-p256", "TLS 1.3 on secp256r1, AES-128", ["-groups", "P-256"],
     ["-groups", "P-256", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], "ec", "yes", []),
    ("tls13-p384", "TLS 1.3 on secp384r1", ["-groups", "P-384"], ["-groups", "P-384"], "ec", "yes", []),
    ("tls13-p521", "TLS 1.3 on secp521r1", ["-groups", "P-521"], ["-groups", "P-521"], "ec", "yes", []),
    ("tls13-x448", "TLS 1.3 on x448", ["-groups", "X448"], ["-groups", "X448"], "ec", "yes", []),
    ("tls13-ffdhe2048", "TLS 1.3 on ffdhe2048", ["-groups", "ffdhe2048"], ["-groups", "ffdhe2048"], "rsa", "yes", []),
    ("tls13-ffdhe4096", "TLS 1.3 on ffdhe4096: hellos of more than 500 bytes of key", ["-groups", "ffdhe4096"],
     ["-groups", "ffdhe4096"], "rsa", "yes", []),
    ("tls13-chacha", "TLS 1.3 with ChaCha20-Poly1305", [], ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
     "ec", "yes", []),
    ("tls13-ccm", "TLS 1.3 with AES_128_CCM", ["-ciphersuites", "TLS_AES_128_CCM_SHA256"],
     ["-ciphersuites", "TLS_AES_128_CCM_SHA256"], "ec", "yes", []),
    ("tls13-no-middlebox", "TLS 1.3 without the middlebox appearance: no session id, no ChangeCipherSpec",
     ["-no_middlebox"], ["-no_middlebox"], "ec", "yes", []),
    ("tls13-hello-retry", "TLS 1.3, HelloRetryRequest: the client guessed x25519, the server wants secp384r1",
     ["-groups", "P-384"], ["-groups", "X25519:P-384"], "ec", "yes", []),
    ("tls13-external-psk", "TLS 1.3, pre-shared key from outside, with a key share", [*SERVER_PSK, "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
     [*PSK, "-ciphersuites", "TLS_AES_128_GCM_SHA256"], None, "yes", []),
    ("tls13-long-hello", "TLS 1.3, a ClientHello of several packets (600 ALPN names)", [],
     ["-alpn", ",".join(f"protocol-number-{n:03}" for n in range(600))], "ec", "yes", []),
    ("ipv6-tls12", "TLS 1.2 over IPv6, dual-stack name", ["-tls1_2"],
     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "rsa", "yes", []),
    ("ipv6-tls13", "TLS 1.3 over IPv6, dual-stack name", [], [], "ec", "yes", []),
    ("port-8443", "TLS on an unusual port", ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
     "rsa", "yes", []),
    ("interface-endpoint", "TLS 1.3 to an interface endpoint by its own name", [], [], "ec", "yes", []),
    ("dns-override", "A public-form name at a private address", [], [], "ec", "yes", ["dns_override"]),
    ("endpoint-conflict", "A public-form name at a public address outside DynamoDB's prefixes", [], [], "ec", "yes",
     ["endpoint_conflict"]),
]

MORE = {
    "tls13-hello-retry": {"tls.hello_retry_request": True, "tls.hello_retry_request.group": "secp384r1"},
    "tls13-external-psk": {"tls.resumption": "psk"},
    "tls12-alpn": {"tls.client.alpn": ["h2", "http/1.1"]},
    "ipv6-tls12": {"aws.endpoint.kind": "dual_stack", "aws.region": "eu-west-1"},
    "ipv6-tls13": {"aws.endpoint.kind": "dual_stack", "aws.region": "eu-west-1"},
    "interface-endpoint": {"aws.endpoint.kind": "interface", "path.entry": "interface_endpoint"},
    "dns-override": {"path.entry": "unknown"},
}
PLACES = {
    "ipv6-tls12": {"server": net.EU_WEST_1_V6, "source": net.CLIENT_V6, "sni": "dynamodb.eu-west-1.api.aws"},
    "ipv6-tls13": {"server": net.EU_WEST_1_V6, "source": net.CLIENT_V6, "sni": "dynamodb.eu-west-1.api.aws"},
    "port-8443": {"port": 8443},
    "interface-endpoint": {"server": net.INTERFACE_ENDPOINT,
                           "sni": "vpce-0d5107b23891af2b9-sow3v4uq.dynamodb.eu-west-1.vpce.amazonaws.com"},
    "dns-override": {"server": net.INTERFACE_ENDPOINT},
    "endpoint-conflict": {"server": net.ELSEWHERE},
}
KEY_BITS = {"rsa": 2048, "ec": 256, "dsa": 2048}


def handshake(context, name, server_arguments, client_arguments, cert, secrecy, rules):
    place = PLACES.get(name, {})
    server = openssl.s_server(context, *server_arguments, cert=cert, address=place.get("server", net.EU_WEST_1),
                              port=place.get("port", 443), naccept=None)
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, *client_arguments, **place)
    context.lab.stop(server)
    known = openssl.facts(text, own_port, **place, **MORE.get(name, {}))
    if name == "tls13-external-psk":
        known["tls.resumed"] = True
    if known["tls.protocol.version"] == "1.3":
        known.setdefault("tls.hello_retry_request", None)
    elif cert:
        known["tls.server.certificate.key_bits"] = KEY_BITS[cert]
        known["tls.server.certificate.issuer~"] = "Amazon RSA 2048 M01"
        known["tls.server.certificate.not_after"] = "2036-01-01T00:00:00Z"
    if secrecy:
        known["tls.forward_secrecy"] = secrecy
    if rules is not None:
        known["rules"] = sorted(rules)
        known["policy.verdict"] = "violation" if rules else "pass"
    return Recorded(packets, [known])


for _name, _title, *_rest in TABLE:
    case(_name, _title, CLIENT, SERVER)(lambda context, n=_name, r=_rest: handshake(context, n, *r))


@case("tls12-client-certificate", "TLS 1.2 with a client certificate", CLIENT, SERVER)
def client_certificate_12(context):
    return client_certificate(context, ["-tls1_2"])


@case("tls13-client-certificate", "TLS 1.3 with a client certificate (unseen by a passive observer)", CLIENT, SERVER)
def client_certificate_13(context):
    return client_certificate(context, ["-tls1_3"])


def client_certificate(context, version):
    cert, key = context.certificates.leaf("client")
    server = openssl.s_server(context, *version, "-Verify", "2", "-CAfile", context.certificates.amazon.file, cert="ec")
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, *version, "-cert", cert, "-key", key)
    context.lab.stop(server)
    return Recorded(packets, [openssl.facts(text, own_port, tls__forward_secrecy="yes", rules=[])])


@case("no-server-name", "No SNI, to an address of a DynamoDB prefix", CLIENT, SERVER)
def no_server_name(context):
    server = openssl.s_server(context, cert="ec", address=net.US_EAST_1)
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, sni=None, server=net.US_EAST_1)
    context.lab.stop(server)
    known = openssl.facts(text, own_port, server=net.US_EAST_1, sni=None, rules=[],
                          aws__service="dynamodb", aws__region="us-east-1", aws__endpoint__confidence="likely",
                          tls__forward_secrecy="yes")
    known["tls.client.server_name.reason"] = "not_sent"
    known["aws.endpoint.kind"] = None
    return Recorded(packets, [known])


@case("port-reuse", "The same 5-tuple twice: TLS 1.2, then TLS 1.3 with other sequence numbers", CLIENT, SERVER)
def port_reuse(context):
    own_port = context.port()
    flows = []
    with context.lab.recording() as packets:
        for version, cert in (("-tls1_2", "rsa"), ("-tls1_3", "ec")):
            server = openssl.s_server(context, version, cert=cert)
            _, text = openssl.s_client(context, version, own_port=own_port)
            context.lab.stop(server)
            flows.append(openssl.facts(text, own_port, tls__forward_secrecy="yes", rules=[]))
            # The client closed first and holds the port in TIME_WAIT: a forced end frees it.
            net.run("ip", "netns", "exec", net.CLIENT, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0")
    net.run("ip", "netns", "exec", net.CLIENT, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=8192")
    return Recorded(packets, flows)


@case("name-in-capitals", "A server name in capitals with a trailing dot is the same endpoint", CLIENT, SERVER)
def name_case(context):
    server = openssl.s_server(context, cert="ec")
    with context.lab.recording() as packets:
        own_port, text = openssl.s_client(context, sni="DynamoDB.EU-West-1.AmazonAWS.com.")
    context.lab.stop(server)
    known = openssl.facts(text, own_port, aws__service="dynamodb", aws__region="eu-west-1", rules=[],
                          aws__endpoint__kind="regional")
    del known["tls.client.server_name"]
    return Recorded(packets, [known])

