"""Throw-away certificates. The keys guard nothing and are not kept.

The usual authority is *named* like Amazon's, so that captures of ordinary handshakes look like
ordinary handshakes; it is made here and has nothing to do with Amazon Trust Services.
"""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

START = datetime.datetime(2026, 1, 1)
END = datetime.datetime(2036, 1, 1)
# One day before the packets of the captures.
PAST = datetime.datetime(2026, 10, 31)

REGIONAL = ["dynamodb.eu-west-1.amazonaws.com", "*.ddb.eu-west-1.amazonaws.com",
            "*.dynamodb.eu-west-1.vpce.amazonaws.com", "dynamodb.eu-west-1.api.aws",
            "streams.dynamodb.eu-west-1.amazonaws.com"]


def private_key(kind: str):
    match kind:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "ec384":
            return ec.generate_private_key(ec.SECP384R1())
        case "dsa":
            return dsa.generate_private_key(2048)
    raise ValueError(kind)


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str, organisation: str, common_name: str):
        self.folder = folder
        self.key = private_key("ec384")
        self.name = x509.Name([
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ])
        certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(START).not_valid_after(END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.certificate = certificate

    def issue(self, name: str, hosts, kind="rsa", end=END) -> tuple[Path, Path]:
        """Makes a leaf for the host names and addresses; gives its certificate and key file."""
        key = private_key(kind)
        names = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]))
            .issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
        return cert_file, key_file
