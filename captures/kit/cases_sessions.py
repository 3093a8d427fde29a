"""Resumption, early data, refusals, downgrades and certificate trouble, with OpenSSL."""

import sys
import time
from pathlib import Path

from . import lab as net
from . import openssl
from .book import NAME, Recorded, case, fact

CLIENT, SERVER = "OpenSSL 3 s_client", "OpenSSL 3 s_server"
PEERS = Path(__file__).resolve().parent.parent / "stacks" / "python"


def only(packets, port):
    """The packets of one client port."""
    wanted = port.to_bytes(2, "big")
    return [p for p in packets if wanted in (p.data[34:36], p.data[36:38])]


def resumption(context, server_arguments, client_arguments, second_arguments=(), alone=False, cert="rsa", **more):
    """A full handshake and one that resumes it; only the second where `alone`."""
    session = context.lab.folder / "session.pem"
    session.unlink(missing_ok=True)
    server = openssl.s_server(context, *server_arguments, cert=cert, naccept=None)
    with context.lab.recording() as packets:
        first_port, first = openssl.s_client(context, *client_arguments, "-sess_out", session)
        second_port, second = openssl.s_client(context, *client_arguments, *second_arguments, "-sess_in", session)
    context.lab.stop(server)
    flows = [openssl.facts(first, first_port, tls__resumed=False, tls__forward_secrecy="yes", rules=[]),
             openssl.facts(second, second_port, **more)]
    if "Reused" not in second:
        raise net.LabError(f"not resumed: {second}")
    if alone:
        return Recorded(only(packets, second_port), flows[1:])
    return Recorded(packets, flows)


TLS12 = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]
UNKNOWN = {"tls__forward_secrecy": "unknown", "tls__forward_secrecy__reason": "resumed",
           "policy__verdict": "not_assessable", "rules": []}
SEEN = {"tls__forward_secrecy": "yes", "rules": []}


@case("tls12-resumed-session-id", "TLS 1.2: a full handshake, then a resumption by session id", CLIENT, SERVER)
def by_id(context):
    return resumption(context, ["-tls1_2", "-no_ticket"], TLS12, tls__resumption="session_id", tls__curve=None, **SEEN)


@case("tls12-resumed-session-id-alone", "TLS 1.2: only the resumption by session id", CLIENT, SERVER)
def by_id_alone(context):
    return resumption(context, ["-tls1_2", "-no_ticket"], TLS12, alone=True, tls__resumption="session_id", **UNKNOWN)


@case("tls12-resumed-ticket", "TLS 1.2: a full handshake, then a resumption by ticket", CLIENT, SERVER)
def by_ticket(context):
    return resumption(context, ["-tls1_2"], TLS12, tls__resumption="ticket", **SEEN)


@case("tls12-resumed-ticket-alone", "TLS 1.2: only the resumption by ticket", CLIENT, SERVER)
def by_ticket_alone(context):
    return resumption(context, ["-tls1_2"], TLS12, alone=True, tls__resumption="ticket", **UNKNOWN)


@case("tls12-resumed-static", "TLS 1.2: RSA key transport, then its resumption by ticket", CLIENT, SERVER)
def by_ticket_static(context):
    made = resumption(context, ["-tls1_2"], ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], tls__resumption="ticket",
                      tls__forward_secrecy="no", rules=["no_forward_secrecy"])
    made.flows[0].update({"tls.forward_secrecy": "no", "rules": ["no_forward_secrecy"]})
    return made


@case("tls10-resumed-session-id", "TLS 1.0: a full handshake, then a resumption by session id", CLIENT, SERVER)
def by_id_old(context):
    made = resumption(context, ["-tls1", "-no_ticket"], ["-tls1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"],
                      tls__resumption="session_id", tls__forward_secrecy="yes", rules=["tls_version_too_low"])
    made.flows[0]["rules"] = ["tls_version_too_low"]
    return made


@case("tls12-ticket-refused", "TLS 1.2: a ticket is offered to another server, which does a full handshake", CLIENT, SERVER)
def ticket_refused(context):
    session = context.lab.folder / "session.pem"
    server = openssl.s_server(context, "-tls1_2", naccept=None)
    openssl.s_client(context, *TLS12, "-sess_out", session)
    context.lab.stop(server)
    server = openssl.s_server(context, "-tls1_2", naccept=None)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, *TLS12, "-sess_in", session)
    context.lab.stop(server)
    return Recorded(packets, [openssl.facts(text, port, tls__forward_secrecy="yes", rules=[], policy__verdict="pass")])


@case("tls13-resumed-psk-dhe", "TLS 1.3: a full handshake, then a resumption with a key share", CLIENT, SERVER)
def psk_dhe(context):
    return resumption(context, [], ["-tls1_3"], cert="ec", tls__resumption="psk", tls__forward_secrecy="yes", rules=[])


@case("tls13-resumed-psk-ke", "TLS 1.3: a resumption by the PSK alone, without forward secrecy", CLIENT, SERVER)
def psk_only(context):
    # With no group in common the server falls back to the PSK alone where both sides allow it.
    return resumption(context, ["-groups", "P-384", "-allow_no_dhe_kex"], ["-tls1_3", "-allow_no_dhe_kex"],
                      ["-groups", "X25519"], cert="ec", tls__resumption="psk", tls__forward_secrecy="no",
                      tls__curve=None, rules=["no_forward_secrecy"])


@case("tls13-early-data", "TLS 1.3: a resumption with 0-RTT data", CLIENT, SERVER)
def early_data(context):
    session, early = context.lab.folder / "session.pem", context.lab.folder / "early.txt"
    early.write_text("early\n")
    server = openssl.s_server(context, "-early_data", cert="ec", naccept=None, reverse=False)
    openssl.s_client(context, "-tls1_3", "-sess_out", session, answer=server)
    server.said = b""
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, "-tls1_3", "-sess_in", session, "-early_data", early, answer=server)
    context.lab.stop(server)
    if "Early data was accepted" not in text:
        raise net.LabError(f"no early data: {text}")
    return Recorded(packets, [openssl.facts(text, port, tls__resumption="psk", tls__early_data=True, rules=[])])


@case("tls13-early-data-rejected", "TLS 1.3: 0-RTT data that the server does not take", CLIENT, SERVER)
def early_data_rejected(context):
    session, early = context.lab.folder / "session.pem", context.lab.folder / "early.txt"
    early.write_text("early\n")
    server = openssl.s_server(context, "-early_data", cert="ec", naccept=None, reverse=False)
    openssl.s_client(context, "-tls1_3", "-sess_out", session, answer=server)
    context.lab.stop(server)
    server = openssl.s_server(context, "-early_data", cert="ec", naccept=None, reverse=False)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, "-tls1_3", "-sess_in", session, "-early_data", early, answer=server)
    context.lab.stop(server)
    if "Early data was rejected" not in text:
        raise net.LabError(f"early data not rejected: {text}")
    return Recorded(packets, [openssl.facts(text, port, tls__early_data=True, rules=[])])


# Handshakes that fail.

def failed(port, outcome, **more):
    """The expected flow of a handshake that was not completed."""
    known = {"tls__client__server_name": NAME, "tls__established": None, "tls__protocol__version": None,
             "handshake__outcome": outcome, **more}
    entry = fact((net.ONPREM, port), **known)
    entry["tls.established"] = False
    return entry


def refused(context, server_arguments, client_arguments, outcome, alert=None, sender=None, cert="rsa", says=None, **more):
    server = openssl.s_server(context, *server_arguments, cert=cert)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, *client_arguments, talk=False, seconds=3)
    context.lab.stop(server)
    if says and says not in text:
        raise net.LabError(f"the client did not say {says!r}: {text}")
    if alert:
        more |= {"tls__alert": alert, "tls__alert__from": sender}
    return Recorded(packets, [failed(port, outcome, **more)])


LEGACY = {"rules": ["legacy_client_refused"], "policy__verdict": "violation"}


@case("refused-tls10-alert", "A TLS 1.0 client is refused by a protocol_version alert", CLIENT, SERVER)
def refused_tls10(context):
    return refused(context, ["-min_protocol", "TLSv1.2"], ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "refused_by_server",
                   "protocol_version", "server", says="alert protocol version", tls__client__max_version="1.0", **LEGACY)


@case("refused-tls11-alert", "A TLS 1.1 client is refused by a protocol_version alert", CLIENT, SERVER)
def refused_tls11(context):
    return refused(context, ["-min_protocol", "TLSv1.2"], ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "refused_by_server",
                   "protocol_version", "server", says="alert protocol version", tls__client__max_version="1.1", **LEGACY)


@case("refused-no-shared-cipher", "A TLS 1.2 client offers only RSA key transport and is refused", CLIENT, SERVER)
def no_shared_cipher(context):
    return refused(context, ["-tls1_2", "-cipher", "ECDHE"], ["-tls1_2", "-cipher", "AES128-SHA256"], "refused_by_server",
                   "handshake_failure", "server", says="handshake failure", rules=[], tls__client__max_version="1.2")


@case("refused-tls12-by-tls13-server", "A TLS 1.2 client is refused by a server that speaks only 1.3", CLIENT, SERVER)
def only_13(context):
    return refused(context, ["-tls1_3"], ["-tls1_2"], "refused_by_server", "protocol_version", "server", cert="ec",
                   says="alert protocol version", rules=[])


@case("refused-unrecognized-name", "The server does not know the name and says so by a fatal alert", CLIENT, SERVER)
def unrecognised_name(context):
    second = context.certificates.leaf("ec")
    return refused(context, ["-tls1_2", "-servername", "other.example", "-servername_fatal", "-cert2", second[0],
                             "-key2", second[1]], ["-tls1_2"], "refused_by_server", "unrecognized_name", "server",
                   says="unrecognized name", rules=[])


@case("refused-fallback", "A client retries at TLS 1.1 with the fallback signal and is refused", CLIENT, SERVER)
def refused_fallback(context):
    return refused(context, [], ["-tls1_1", "-fallback_scsv", "-cipher", "ALL:@SECLEVEL=0"], "refused_by_server",
                   "inappropriate_fallback", "server", says="inappropriate fallback", tls__client__max_version="1.1")


def refused_by_peer(context, how, outcome, version="-tls1", best="1.0", rules=("legacy_client_refused",), until=None):
    server = context.lab.serve(sys.executable, PEERS / "refuse.py", net.EU_WEST_1, "443", how)
    with context.lab.recording() as packets:
        port, _ = openssl.s_client(context, version, "-cipher", "ALL:@SECLEVEL=0", talk=False, seconds=1.5, until=until)
    context.lab.stop(server)
    known = failed(port, outcome, tls__client__max_version=best, rules=list(rules))
    return Recorded(packets, [known])


@case("refused-tls10-reset", "A TLS 1.0 client is refused by a reset after its hello", CLIENT, "Python socket")
def refused_reset(context):
    return refused_by_peer(context, "reset", "reset")


@case("refused-tls10-closed", "A TLS 1.0 client is refused by a plain FIN after its hello", CLIENT, "Python socket")
def refused_closed(context):
    return refused_by_peer(context, "close", "closed")


@case("reset-tls13", "A modern client's hello is answered by a reset", CLIENT, "Python socket")
def modern_reset(context):
    return refused_by_peer(context, "reset", "reset", "-tls1_3", "1.3", ())


@case("not-answered", "A hello that nobody answers before the capture ends", CLIENT, "Python socket")
def not_answered(context):
    server = context.lab.serve(sys.executable, PEERS / "refuse.py", net.EU_WEST_1, "443", "silence")
    port = context.port()
    with context.lab.recording() as packets:
        client = context.lab.start(net.CLIENT, "openssl", "s_client", "-connect", f"{net.EU_WEST_1}:443", "-bind",
                                   f"{net.ONPREM}:{port}", "-servername", NAME, "-tls1_2", env=openssl.ENVIRONMENT)
        time.sleep(0.5)
    context.lab.stop(client)
    context.lab.stop(server)
    return Recorded(packets, [failed(port, "timed_out", tls__client__max_version="1.2", rules=[])])


@case("refused-by-client-unknown-ca", "The client does not trust the issuer: unknown_ca", CLIENT, SERVER)
def unknown_ca(context):
    return refused(context, ["-tls1_2"], ["-tls1_2", "-verify_return_error", "-CAfile", context.certificates.corporate.file],
                   "refused_by_client", "unknown_ca", "client", says="unable to get local issuer",
                   tls__protocol__version="1.2", rules=[])


@case("refused-by-client-expired", "The client refuses an expired certificate", CLIENT, SERVER)
def expired_refused(context):
    return refused(context, ["-tls1_2"], ["-tls1_2", "-verify_return_error"], "refused_by_client", "certificate_expired",
                   "client", cert="expired", says="certificate has expired", tls__protocol__version="1.2",
                   rules=["certificate_expired"])


@case("refused-by-client-tls13", "TLS 1.3: the client's refusal is encrypted, the server has answered", CLIENT, SERVER)
def encrypted_refusal(context):
    made = refused(context, ["-tls1_3"], ["-tls1_3", "-verify_return_error", "-CAfile", context.certificates.corporate.file],
                   "closed", cert="ec", says="unable to get local issuer", tls__protocol__version="1.3", tls__alert=None)
    # What ended it cannot be seen: which end is reported is left open here.
    del made.flows[0]["handshake.outcome"], made.flows[0]["tls.established"]
    return made


@case("client-certificate-missing", "TLS 1.2: the server wants a client certificate and gets none", CLIENT, SERVER)
def certificate_missing(context):
    return refused(context, ["-tls1_2", "-Verify", "1", "-CAfile", context.certificates.amazon.file], ["-tls1_2"],
                   "refused_by_server", "handshake_failure", "server", says="handshake failure",
                   tls__protocol__version="1.2", rules=[])


# Certificates that tell something.

def with_certificate(context, cert, rules, sni=NAME, version="-tls1_2", **more):
    server = openssl.s_server(context, version, cert=cert)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, version, sni=sni)
    context.lab.stop(server)
    known = openssl.facts(text, port, sni=sni, rules=rules, tls__forward_secrecy="yes", **more)
    known["policy.verdict"] = "violation" if rules else "pass"
    return Recorded(packets, [known])


@case("certificate-expired", "The certificate ended the day before; the client takes it", CLIENT, SERVER)
def expired(context):
    made = with_certificate(context, "expired", ["certificate_expired"])
    made.flows[0]["tls.server.certificate.not_after"] = "2026-10-31T00:00:00Z"
    return made


@case("certificate-name-mismatch", "The certificate does not cover the name asked for", CLIENT, SERVER)
def mismatch(context):
    return with_certificate(context, "other-name", ["certificate_name_mismatch"])


@case("interception", "A certificate for the DynamoDB name by a company's inspection CA", CLIENT, SERVER)
def interception(context):
    made = with_certificate(context, "corporate", ["suspected_interception"])
    made.flows[0]["tls.server.certificate.issuer~"] = "Corp TLS Inspection CA"
    return made


@case("interception-tls13", "The same under TLS 1.3: the certificate is encrypted and nothing can be told", CLIENT, SERVER)
def interception_13(context):
    return with_certificate(context, "corporate", [], version="-tls1_3")


# Downgrades.

def downgraded(context, strip, server_arguments, client_arguments, version, rules):
    """A relay in front of the server takes versions out of the hello; the client notices and refuses."""
    cert, key = context.certificates.leaf("rsa")
    server = context.lab.serve("openssl", "s_server", "-accept", "127.0.0.1:8443", "-cert", cert, "-key", key, "-cipher",
                               openssl.EVERYTHING, "-rev", *server_arguments, port=8443, env=openssl.ENVIRONMENT)
    relay = context.lab.serve(sys.executable, PEERS / "strip_versions.py", net.EU_WEST_1, "443", "127.0.0.1", "8443", *strip)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, *client_arguments, talk=False, seconds=3)
    context.lab.stop(relay)
    context.lab.stop(server)
    if "inappropriate fallback" not in text:
        raise net.LabError(f"the client did not notice: {text}")
    return Recorded(packets, [failed(port, "refused_by_client", tls__protocol__version=version, tls__client__max_version="1.3",
                                     tls__alert="illegal_parameter", tls__alert__from="client", rules=rules)])


@case("downgrade-tls13-to-12", "Somebody took TLS 1.3 out of the offer: sentinel …01", CLIENT, "OpenSSL 3 s_server behind a relay")
def downgrade_12(context):
    return downgraded(context, ["0304"], [], [], "1.2", ["downgrade_detected"])


@case("downgrade-tls13-to-11", "Somebody took TLS 1.3 and 1.2 out of the offer: sentinel …00", CLIENT,
      "OpenSSL 3 s_server behind a relay")
def downgrade_11(context):
    return downgraded(context, ["0304", "0303"], ["-min_protocol", "TLSv1"],
                      ["-min_protocol", "TLSv1", "-cipher", openssl.EVERYTHING], "1.1",
                      ["downgrade_detected", "tls_version_too_low"])


@case("sentinel-without-downgrade", "A 1.2-only client and a 1.3 server: the sentinel is there and means nothing", CLIENT, SERVER)
def sentinel_only(context):
    server = openssl.s_server(context)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, "-tls1_2")
    context.lab.stop(server)
    return Recorded(packets, [openssl.facts(text, port, rules=[], policy__verdict="pass", tls__client__max_version="1.2")])


def fallback_accepted(context, option, rules):
    server = openssl.s_server(context, option)
    with context.lab.recording() as packets:
        port, text = openssl.s_client(context, option, "-fallback_scsv", "-cipher", "ALL:@SECLEVEL=0")
    context.lab.stop(server)
    return Recorded(packets, [openssl.facts(text, port, rules=rules, policy__verdict="violation")])


@case("fallback-accepted-tls12", "A retry at TLS 1.2 with the fallback signal that the server accepts", CLIENT, SERVER)
def fallback_12(context):
    return fallback_accepted(context, "-tls1_2", ["downgrade_detected"])


@case("fallback-accepted-tls11", "A retry at TLS 1.1 with the fallback signal that the server accepts", CLIENT, SERVER)
def fallback_11(context):
    return fallback_accepted(context, "-tls1_1", ["downgrade_detected", "tls_version_too_low"])
