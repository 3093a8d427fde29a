#!/usr/bin/env python3
"""Compares index.json with what tshark reads from the captures: a second opinion on both.

    python3 captures/verify.py [NAME-PATTERN]

Only what tshark shows of the hellos is compared: server name, version, suite, group. Captures that
are partial, damaged or deliberately out of order are read as far as tshark gets.
"""

import fnmatch
import functools
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = {"0x0300": "3", "0x0301": "1.0", "0x0302": "1.1", "0x0303": "1.2", "0x0304": "1.3"}
GROUPS = {19: "secp192r1", 21: "secp224r1", 23: "secp256r1", 24: "secp384r1", 25: "secp521r1", 26: "brainpoolP256r1",
          29: "x25519", 30: "x448", 256: "ffdhe2048", 258: "ffdhe4096", 0x11EB: "SecP256r1MLKEM768",
          0x11EC: "X25519MLKEM768", 0x11ED: "SecP384r1MLKEM1024", 0x202: "MLKEM1024"}
FIELDS = ["tcp.srcport", "tcp.dstport", "tls.handshake.type", "tls.handshake.extensions_server_name", "tls.handshake.version",
          "tls.handshake.extensions.supported_version", "tls.handshake.ciphersuite", "tls.handshake.extensions_key_share_group",
          "tls.handshake.server_named_curve"]
# tshark cannot follow these, by their making.
BLIND = {"gwlb-overlapping-ranges", "mirror-truncated", "snaplen-400", "nat-two-interfaces", "lost-client-hello", "sslv2-hello",
         "ssl2", "ssl2-resumed"}
# tshark 4.0 does not take these suites' ServerKeyExchange apart.
NO_CURVE = {"tls12-aria", "tls12-ecdhe-psk"}


@functools.cache
def suites():
    text = subprocess.run(["openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True,
                          text=True, env={"OPENSSL_CONF": "/dev/null"}).stdout
    names = {}
    for line in text.splitlines():
        code, _, name = line.split()[:3]
        high, low = code.split(",")
        names["0x" + high[2:].lower() + low[2:].lower()] = name
    # Suites this OpenSSL no longer has.
    return names | {"0x0005": "TLS_RSA_WITH_RC4_128_SHA", "0x0004": "TLS_RSA_WITH_RC4_128_MD5", "0x000a": "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
                    "0xc011": "TLS_ECDHE_RSA_WITH_RC4_128_SHA", "0xc012": "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
                    "0x0003": "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "0x0009": "TLS_RSA_WITH_DES_CBC_SHA",
                    "0x0014": "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA", "0x0017": "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5",
                    "0x0018": "TLS_DH_anon_WITH_RC4_128_MD5", "0x1304": "TLS_AES_128_CCM_SHA256"}


def read(file):
    """What each client port's hellos say, by tshark; several hellos are kept in order."""
    command = ["tshark", "-r", str(file), "-Y", "tls.handshake.type==1 || tls.handshake.type==2 || tls.handshake.type==12",
               "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "tcp.check_checksum:FALSE", "-o", "ip.check_checksum:FALSE",
               "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    if (file.name.split(".")[0] in PORTS):
        command += ["-d", f"tcp.port=={PORTS[file.name.split('.')[0]]},tls"]
    done = subprocess.run(command, capture_output=True, text=True)
    flows = {}
    for line in done.stdout.splitlines():
        source, target, kinds, name, version, supported, suite, group, curve = (c.split(",") if c else [] for c in line.split("|"))
        kinds = [k for k in kinds if k]
        client = source[-1] if "1" in kinds and "2" not in kinds else target[-1]
        flow = flows.setdefault(int(client), {"names": [], "versions": [], "suites": [], "groups": []})
        if "1" in kinds:
            flow["names"] += name
        if "2" in kinds:
            real = supported[-1] if supported else (version[-1] if version else None)
            flow["versions"].append(VERSIONS.get(real, real))
            flow["suites"] += [suites().get(suite[-1], suite[-1])] if suite else []
            flow["groups"] += [GROUPS.get(int(g, 0), g) for g in group]
        flow["groups"] += [GROUPS.get(int(g, 0), g) for g in curve]
    return flows


PORTS = {"port-8443": 8443, "curl-connect": 3128, "boto3-proxy": 3128, "curl-socks5": 1080, "socks5-address": 1080, "dax-tls": 9111,
         "starttls": 587}


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    compared = wrong = 0
    for entry in json.loads((HERE / "index.json").read_text())["captures"]:
        stem = entry["file"].split(".")[0]
        if not fnmatch.fnmatchcase(stem, pattern) or stem in BLIND:
            continue
        if not (HERE / entry["file"]).exists():
            print(f"{entry['file']}: missing")
            wrong += 1
            continue
        seen = read(HERE / entry["file"])
        for flow in entry["flows"]:
            port = flow.get("client.port")
            found = seen.get(port) if port else next(iter(seen.values()), None)
            found = found or {"names": [], "versions": [], "suites": [], "groups": []}
            for key, values in (("tls.client.server_name", found["names"]), ("tls.protocol.version", found["versions"]),
                                ("tls.cipher", found["suites"]), ("tls.curve", found["groups"])):
                if key not in flow or key == "tls.curve" and stem in NO_CURVE or "proxy.kind" in flow and not seen:
                    continue
                expected = flow[key]
                if isinstance(expected, str) and expected.startswith("account-"):
                    expected, values = expected.split(".", 1)[1], [v.split(".", 1)[1] for v in values]
                compared += 1
                if expected is None and key == "tls.protocol.version" and flow.get("flow.completeness") in ("truncated",):
                    continue
                if (expected is None and values) or (expected is not None and expected not in values[-2:] + values[:1]):
                    print(f"{entry['file']}: {key} should be {expected}, tshark sees {values}")
                    wrong += 1
    print(f"{compared} facts compared, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
