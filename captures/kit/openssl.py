"""Runs OpenSSL's own client and server, and reads what the client says of its handshake."""

import functools
import re
import time

from . import lab as net
from .book import NAME, fact

ENVIRONMENT = {"OPENSSL_CONF": "/dev/null"}
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"

VERSIONS = {"SSLv3": "3", "TLSv1": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}
GROUPS = {"X25519": "x25519", "X448": "x448", "prime256v1": "secp256r1", "secp384r1": "secp384r1",
          "secp521r1": "secp521r1", "secp224r1": "secp224r1", "prime192v1": "secp192r1",
          "brainpoolP256r1": "brainpoolP256r1"}


@functools.cache
def iana_names() -> dict:
    """OpenSSL's cipher names to IANA's, as OpenSSL itself lists them."""
    text = net.run("openssl", "ciphers", "-stdname", EVERYTHING, env={"OPENSSL_CONF": "/dev/null"}).stdout
    return {line.split()[2]: line.split()[0] for line in text.splitlines()}


def certificate(context, kind):
    """The s_server arguments for a certificate; None for none at all."""
    if kind is None:
        return ["-nocert"]
    cert, key = context.certificates.leaf(kind)
    return ["-cert", cert, "-key", key]


def s_server(context, *arguments, cert="rsa", address=net.EU_WEST_1, port=443, reverse=True, naccept=1):
    """Starts `openssl s_server`; it answers each line with the line reversed."""
    where = f"[{address}]" if ":" in address else address
    cipher = [] if "-cipher" in arguments else ["-cipher", EVERYTHING]
    command = ["openssl", "s_server", "-accept", f"{where}:{port}", *certificate(context, cert), *cipher, *arguments]
    if naccept:
        command += ["-naccept", naccept]
    if reverse:
        command.append("-rev")
    return context.lab.serve(*command, port=port, env=ENVIRONMENT)


def s_client(context, *arguments, server=net.EU_WEST_1, port=443, sni=NAME, source=net.ONPREM, talk=True, own_port=None,
             until=None, seconds=8.0, answer=None):
    """Runs `openssl s_client`: a line there and its answer back, then an orderly end.

    Gives the client's port and all that it said.
    """
    own_port = own_port or context.port()
    where, own = (f"[{a}]" if ":" in a else a for a in (server, source))
    command = ["openssl", "s_client", "-connect", f"{where}:{port}", "-bind", f"{own}:{own_port}"]
    command += ["-servername", sni] if sni else ["-noservername"]
    command += ["-CAfile", context.certificates.amazon.file]
    command += [] if "-cipher" in arguments else ["-cipher", "DEFAULT:@SECLEVEL=0"]
    process = context.lab.start(net.CLIENT, *command, *arguments, env=ENVIRONMENT)
    if talk:
        try:
            process.stdin.write(b"ping\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        # Some modes of s_server do not answer by themselves: the line is typed into it.
        if answer and "-rev" not in answer.args and "ping" in context.lab.read(answer, until="ping", seconds=seconds):
            answer.stdin.write(b"gnip\n")
            answer.stdin.flush()
        text = context.lab.read(process, until=until or "gnip", seconds=seconds)
    else:
        text = context.lab.read(process, until=until or "---\nSSL handshake has read", seconds=seconds)
        time.sleep(0.1)
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        context.lab.read(process, until="\0", seconds=0.05)
    text = context.lab.read(process)
    context.lab.stop(process)
    return own_port, text


def facts(text: str, own_port: int, server=net.EU_WEST_1, port=443, sni=NAME, source=net.ONPREM, **more) -> dict:
    """The expected flow by what `s_client` said of a handshake that was completed."""
    how, cipher = re.search(r"^(New|Reused), \S+, Cipher is (\S+)", text, re.M).groups()
    if cipher == "(NONE)":
        raise net.LabError(f"no handshake: {text}")
    version = "1.3" if cipher.startswith("TLS_") else VERSIONS[re.search(r"Protocol\s*: (\S+)", text).group(1)]
    known = {"tls.protocol.version": version, "tls.cipher": iana_names().get(cipher, cipher), "tls.resumed": how == "Reused"}
    key = re.search(r"Server Temp Key: (.*)", text)
    if key:
        kind, *rest = [part.strip() for part in key.group(1).split(",")]
        bits = int(rest[-1].split()[0])
        if kind == "DH" and version == "1.3":
            known["tls.curve"] = f"ffdhe{bits}"
        elif kind == "DH":
            known["tls.dh_bits"] = bits
        else:
            known["tls.curve"] = GROUPS[rest[0] if kind == "ECDH" else kind]
    protocol = re.search(r"^ALPN protocol: (\S+)", text, re.M)
    if protocol and version != "1.3":
        known["tls.next_protocol"] = protocol.group(1)
    entry = fact((source, own_port), server, port)
    entry["tls.client.server_name"] = sni
    entry.update(known)
    entry.update({"tls.established": True, "flow.completeness": "full", "handshake.outcome": "completed"})
    entry.update({k.replace("__", "."): v for k, v in more.items()})
    return entry
