"""The certificates and parameters the recorded servers use, made anew for each run."""

import functools
from pathlib import Path

from . import lab, pki
from .book import NAME

# Safe primes take long to find; these are well known ones: ffdhe2048 [RFC 7919], and the prime of 1024
# bits of IKE's second group [RFC 2409 section 6.2], which many old servers had built in.
DIFFIE_HELLMAN = {
    2048: None,  # by name, from OpenSSL
    1024: """-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
""",
}


class Certificates:
    """Made when first asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.amazon = pki.Authority(folder, "amazon", "Amazon", "Amazon RSA 2048 M01")
        self.corporate = pki.Authority(folder, "corporate", "Example Corporation", "Corp TLS Inspection CA")
        for bits, parameters in DIFFIE_HELLMAN.items():
            parameters = parameters or lab.run("openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                                               f"group:ffdhe{bits}").stdout
            (folder / f"dh{bits}.pem").write_text(parameters)
        # Short as only export suites ask for, so that it is found at once.
        lab.run("openssl", "dhparam", "-out", folder / "dh512.pem", "512")
        lab.run("openssl", "srp", "-add", "-srpvfile", "srp.txt", "-passout", "pass:throwaway", "sensor",
                cwd=_with_srp_file(folder))
        chain = [pki.Authority(folder, f"chain{n}", "Amazon", f"Amazon Root CA {n}") for n in range(1, 4)]
        (folder / "chain.pem").write_bytes(b"".join(a.file.read_bytes() for a in chain))

    @functools.cache
    def leaf(self, kind: str):
        """Certificate and key file: rsa, ec, dsa, expired, other-name, corporate, client, or a host name."""
        match kind:
            case "rsa" | "ec" | "dsa" | "rsa1024":
                return self.amazon.issue(kind, pki.REGIONAL, kind)
            case "expired":
                return self.amazon.issue(kind, pki.REGIONAL, "rsa", pki.PAST)
            case "other-name":
                return self.amazon.issue(kind, ["sqs.eu-west-1.amazonaws.com"], "rsa")
            case "corporate":
                return self.corporate.issue(kind, [NAME], "rsa")
            case "client":
                return self.amazon.issue(kind, ["client.corp.example"], "ec")
        return self.amazon.issue("host-" + kind, [kind], "ec")


def _with_srp_file(folder: Path) -> Path:
    (folder / "srp.txt").touch()
    return folder
