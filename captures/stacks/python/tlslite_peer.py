"""Client and server with tlslite-ng, which still has what OpenSSL no longer has: SSL 3, RC4, 3DES.

tlslite_peer.py server ADDRESS PORT CERTIFICATE KEY
tlslite_peer.py client ADDRESS PORT NAME VERSION SUITE [anonymous|srp|twice]
VERSION is 3.0 to 3.4 as on the wire, SUITE an IANA name. Prints what the library says, as JSON.
"""

import json
import socket
import sys

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, VerifierDB, X509CertChain, parsePEMKey
from tlslite.constants import CipherSuite, GroupName

role, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def names():
    """Suite numbers to IANA names; the library writes the anonymous ones in capitals."""
    return {number: text.replace("_ANON_", "_anon_") for number, text in CipherSuite.ietfNames.items()}


def everything():
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = (3, 0), (3, 4)
    settings.versions = [(3, 4), (3, 3), (3, 2), (3, 1), (3, 0)]
    settings.cipherNames = [*settings.cipherNames, "rc4", "null", "aes128ccm_8", "aes256ccm_8"]
    settings.cipherNames = list(dict.fromkeys(settings.cipherNames))
    settings.macNames = ["sha", "sha256", "sha384", "aead", "md5"]
    settings.dhParams = None
    return settings


class OneVerifier:
    """Knows every user by the same throw-away password."""

    def __getitem__(self, user):
        return VerifierDB.makeVerifier(bytes(user), b"throwaway", 2048)


def server(certificate, key):
    chain = X509CertChain()
    chain.parsePemList(open(certificate).read())
    private = parsePEMKey(open(key).read(), private=True)
    verifiers = OneVerifier()
    cache = SessionCache()
    with socket.create_server((address, port)) as listener:
        while True:
            plain, _ = listener.accept()
            connection = TLSConnection(plain)
            try:
                anonymous = "anonymous" in sys.argv
                connection.handshakeServer(
                    certChain=None if anonymous else chain, privateKey=None if anonymous else private, anon=anonymous,
                    verifierDB=verifiers if "srp" in sys.argv else None, settings=everything(), sessionCache=cache)
                while connection.recv(1000):
                    connection.send(b"gnip\n")
                connection.close()
            except Exception as error:  # whatever a client does wrong, the next one is served
                print(f"handshake: {error!r}", flush=True)
            plain.close()


def client(name, version, suite, *modes):
    major, minor = (int(n) for n in version.split("."))
    settings = everything()
    settings.minVersion = settings.maxVersion = (major, minor)
    settings.versions = [(major, minor)]
    if minor == 4:
        settings.eccCurves = [curve for curve in settings.eccCurves if not curve.startswith("brainpool")]
        settings.cipherNames = ["aes128gcm"]
    settings = settings.validate()
    numbers = {text: number for number, text in names().items()}
    wanted = numbers[suite]
    # The library picks suites by properties; offering a single one needs its lists cut down.
    for attribute in dir(CipherSuite):
        value = getattr(CipherSuite, attribute)
        if attribute.endswith("Suites") and isinstance(value, list) and minor < 4:
            setattr(CipherSuite, attribute, [n for n in value if n == wanted])
    session = None
    for _ in range(2 if "twice" in modes else 1):
        plain = socket.create_connection((address, port))
        connection = TLSConnection(plain)
        if "anonymous" in modes:
            connection.handshakeClientAnonymous(session=session, settings=settings, serverName=name)
        elif "srp" in modes:
            connection.handshakeClientSRP(bytearray(b"sensor"), bytearray(b"throwaway"), session=session, settings=settings, serverName=name)
        else:
            connection.handshakeClientCert(session=session, settings=settings, serverName=name)
        connection.send(b"ping\n")
        connection.recv(100)
        session = connection.session
        print(json.dumps({
            "port": plain.getsockname()[1], "version": ".".join(map(str, connection.version)),
            "cipher": names()[session.cipherSuite], "resumed": connection.resumed,
            "group": GroupName.toRepr(connection.ecdhCurve) if connection.ecdhCurve else None,
            "dh_bits": connection.dhGroupSize,
        }), flush=True)
        connection.close()
        plain.close()


if role == "server":
    server(*sys.argv[4:6])
else:
    client(*sys.argv[4:])
