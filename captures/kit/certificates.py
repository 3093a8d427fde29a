"""The certificates and parameters the recorded servers use, made anew for each run."""

import functools
from pathlib import Path

from . import lab, pki
from .book import NAME

FFDHE = {
    # Parameters made here would take long; 2048 bits are those of RFC 7919, by name.
    2048: ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
    1024: ["openssl", "genpkey", "-genparam", "-algorithm", "DHX", "-pkeyopt", "dh_rfc5114:1"],
}


class Certificates:
    """Made when first asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.amazon = pki.Authority(folder, "amazon", "Amazon", "Amazon RSA 2048 M01")
        self.corporate = pki.Authority(folder, "corporate", "Example Corporation", "Corp TLS Inspection CA")
        for bits, command in FFDHE.items():
            lab.run(*command, "-out", str(folder / f"dh{bits}.pem"))
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
