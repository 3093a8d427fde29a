"""Handshakes that only libraries of long ago make: SSL 2, export suites, compression."""

import sys

from . import lab as net
from .book import NAME, Recorded, case, fact
from .cases_stacks import PEERS, statements
from .openssl import iana_names

OLD, LATER = "OpenSSL 0.9.8e", "OpenSSL 1.0.2"
VERSIONS = {"SSLv2": "2", "SSLv3": "3", "TLSv1": "1.0", "TLSv1.2": "1.2"}
# As OpenSSL wrote them, and as IANA and the draft of SSL 2 do.
SUITES = {
    "EXP-RC4-MD5": "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    "EXP-EDH-RSA-DES-CBC-SHA": "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    "EXP-ADH-RC4-MD5": "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5",
    "DES-CBC-SHA": "TLS_RSA_WITH_DES_CBC_SHA",
    "DES-CBC3-MD5": "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
}
BAD = ["no_forward_secrecy", "tls_version_too_low", "weak_cipher"]


def handshakes(context, library, method, ciphers, *server_options, client_options=(), rules=(), env=None,
               **more):
    """The client's connections to a server of the same library; what each was said to be."""
    path = context.tools.old_openssl(library)
    env = {"LD_LIBRARY_PATH": str(path.parent), **(env or {})}
    peer = PEERS / "old_openssl.py"
    certificate, key = context.certificates.leaf("rsa")
    server = context.lab.serve(sys.executable, peer, path, "server", net.EU_WEST_1, "443", method, ciphers,
                               f"certificate={certificate}", f"key={key}", *server_options, env=env)
    with context.lab.recording() as packets:
        result = context.lab.client(sys.executable, peer, path, "client", net.EU_WEST_1, "443", method, ciphers,
                                    *client_options, env=env, code=0)
    context.lab.stop(server)
    flows = []
    for said in statements(result.text):
        name = said["openssl_cipher"]
        cipher = SUITES.get(name) or iana_names()[name]
        entry = fact((net.ONPREM, said["port"]), tls__protocol__version=VERSIONS[said["version"]], tls__cipher=cipher,
                     tls__established=True, flow__completeness="full", handshake__outcome="completed",
                     tls__resumed=said["resumed"])
        if any(option.startswith("name=") for option in client_options):
            entry["tls.client.server_name"] = NAME
        entry["rules"] = sorted(rules)
        entry.update({key.replace("__", "."): value for key, value in more.items()})
        flows.append(entry)
    return Recorded(packets, flows)


@case("ssl2", "A whole connection of SSL 2", OLD, OLD)
def ssl2(context):
    return handshakes(context, "0.9.8", "SSLv2", "DES-CBC3-MD5", rules=BAD, tls__forward_secrecy="no")


@case("ssl2-resumed", "SSL 2, and its session taken up again", OLD, OLD)
def ssl2_resumed(context):
    made = handshakes(context, "0.9.8", "SSLv2", "DES-CBC3-MD5", client_options=["twice"], rules=BAD,
                      tls__forward_secrecy="no")
    # Which cipher it has stands in the first connection only.
    made.flows[1].update({"tls.cipher": None, "rules": ["no_forward_secrecy", "tls_version_too_low"]})
    return made


@case("ssl2-to-tls10", "A hello in SSL 2 framing that offers SSL 2 to TLS 1.0, then TLS 1.0", OLD, OLD)
def ssl2_to_tls10(context):
    return handshakes(context, "0.9.8", "SSLv23", "ALL", rules=["no_forward_secrecy", "tls_version_too_low"],
                      tls__forward_secrecy="no")


@case("ssl3", "SSL 3", OLD, OLD)
def ssl3(context):
    return handshakes(context, "0.9.8", "SSLv3", "AES128-SHA", rules=["no_forward_secrecy", "tls_version_too_low"],
                      tls__forward_secrecy="no")


@case("export-rsa", "An export suite with an RSA key of 512 bits for the exchange", OLD, OLD)
def export_rsa(context):
    return handshakes(context, "0.9.8", "TLSv1", "EXP-RC4-MD5", "rsa=512", rules=BAD, tls__forward_secrecy="no")


@case("export-dhe", "An export suite with DHE of 512 bits", OLD, OLD)
def export_dhe(context):
    return handshakes(context, "0.9.8", "TLSv1", "EXP-EDH-RSA-DES-CBC-SHA", f"dh={context.certificates.folder / 'dh512.pem'}",
                      rules=["tls_version_too_low", "weak_cipher", "weak_key_exchange"], tls__forward_secrecy="yes",
                      tls__dh_bits=512)


@case("export-anonymous", "An export suite without a certificate, with DH of 512 bits", OLD, OLD)
def export_anonymous(context):
    return handshakes(context, "0.9.8", "TLSv1", "EXP-ADH-RC4-MD5", f"dh={context.certificates.folder / 'dh512.pem'}",
                      rules=["tls_version_too_low", "weak_cipher", "weak_key_exchange"], tls__dh_bits=512)


@case("tls10-des", "TLS 1.0 with single DES", OLD, OLD)
def tls10_des(context):
    return handshakes(context, "0.9.8", "TLSv1", "DES-CBC-SHA", rules=BAD, tls__forward_secrecy="no")


@case("tls10-compression", "TLS 1.0 with DEFLATE", OLD, OLD)
def tls10_compression(context):
    return handshakes(context, "0.9.8", "TLSv1", "AES128-SHA", env={"OPENSSL_DEFAULT_ZLIB": "1"},
                      rules=["no_forward_secrecy", "tls_compression", "tls_version_too_low"], tls__forward_secrecy="no")


@case("tls12-compression", "TLS 1.2 with DEFLATE, and resumed", LATER, LATER)
def tls12_compression(context):
    return handshakes(context, "1.0.2", "TLSv1_2", "DHE-RSA-AES128-GCM-SHA256",
                      f"dh={context.certificates.folder / 'dh2048.pem'}", client_options=[f"name={NAME}", "twice"],
                      rules=["tls_compression"], tls__forward_secrecy="yes")
