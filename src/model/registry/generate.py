#!/usr/bin/env python3
"""Writes the tables of TLS numbers and names next to this file.

    python3 -m venv venv && venv/bin/pip install --no-deps cryptodatahub==1.6.1
    venv/bin/python src/model/registry/generate.py             # writes the tables
    venv/bin/python src/model/registry/generate.py --check     # compares, writes nothing
    venv/bin/python src/model/registry/generate.py --tshark    # names that tshark spells otherwise

Numbers and names of cipher suites and SSLv2 cipher kinds come from the package. What it lacks or
spells in its own way stands below with its source. The spelling of groups, extensions, alerts and
signature schemes is IANA's ("Transport Layer Security (TLS) Parameters" and "TLS ExtensionType
Values"), which the package does not keep; the package is used to find numbers missing here.
"""

import importlib.metadata
import importlib.resources
import json
import pathlib
import re
import subprocess
import sys

PACKAGE, VERSION = "cryptodatahub", "1.6.1"
HERE = pathlib.Path(__file__).resolve().parent

# --- Cipher suites -----------------------------------------------------------------------------

# Registered suites that the package lacks.
MORE_SUITES = {
    0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",  # RFC 5746
    0x1306: "TLS_AEGIS_256_SHA512",  # draft-irtf-cfrg-aegis-aead
    0x1307: "TLS_AEGIS_128L_SHA256",  # draft-irtf-cfrg-aegis-aead
    0x5600: "TLS_FALLBACK_SCSV",  # RFC 7507
    0xC0B0: "TLS_ECCPWD_WITH_AES_128_GCM_SHA256",  # RFC 8492
    0xC0B1: "TLS_ECCPWD_WITH_AES_256_GCM_SHA384",
    0xC0B2: "TLS_ECCPWD_WITH_AES_128_CCM_SHA256",
    0xC0B3: "TLS_ECCPWD_WITH_AES_256_CCM_SHA384",
    0xC0B4: "TLS_SHA256_SHA256",  # RFC 9150
    0xC0B5: "TLS_SHA384_SHA384",
}

# Spelled otherwise by IANA.
IANA_SPELLING = {
    0xC0AA: "TLS_PSK_DHE_WITH_AES_128_CCM_8",  # RFC 6655
    0xC0AB: "TLS_PSK_DHE_WITH_AES_256_CCM_8",
}

# Suites that are not registered, as Wireshark and NSS name them.
UNREGISTERED_SPELLING = {
    0x001C: "SSL_FORTEZZA_KEA_WITH_NULL_SHA",  # RFC 6101
    0x001D: "SSL_FORTEZZA_KEA_WITH_FORTEZZA_CBC_SHA",
    0xC0FF: "TLS_ECJPAKE_WITH_AES_128_CCM_8",  # draft-cragie-tls-ecjpake
    0xE001: "ECDHE_SM1_SM3",  # GM/T 0024
    0xE003: "ECC_SM1_SM3",
    0xE005: "IBSDH_SM1_SM3",
    0xE007: "IBC_SM1_SM3",
    0xE009: "RSA_SM1_SM3",
    0xE00A: "RSA_SM1_SHA1",
    0xFEFE: "SSL_RSA_FIPS_WITH_DES_CBC_SHA",
    0xFEFF: "SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA",
    # The package has these two the other way round.
    0xFFE0: "SSL_RSA_OLDFIPS_WITH_3DES_EDE_CBC_SHA",
    0xFFE1: "SSL_RSA_OLDFIPS_WITH_DES_CBC_SHA",
}

# Numbers that IANA has reserved, or left to private use, but not assigned to these names.
UNREGISTERED = (
    (0x001C, 0x001D),  # SSLv3's Fortezza
    (0x0047, 0x004F),  # drafts of elliptic curves
    (0x0060, 0x0066),  # draft-ietf-tls-56-bit-ciphersuites
    (0x0080, 0x0083),  # draft-chudov-cryptopro-cptls
    (0x16B7, 0x16BA),  # CECPQ1, an experiment of 2016
    (0xC0FF, 0xC0FF),
    (0xCC13, 0xCC15),  # draft-agl-tls-chacha20poly1305
    (0xE001, 0xE05A),  # GM/T 0024, GB/T 38636
    (0xE410, 0xE41F),  # draft-josefsson-salsa20-tls
    (0xFE00, 0xFFFF),  # private use
)

# (key exchange, authentication) of what stands before _WITH_. A suite "anon" signs nothing, and its
# key exchange is ephemeral [RFC 5246 section 7.4.3, RFC 8422 section 2.4].
KEY_EXCHANGES = {
    "NULL": ("Null", "Null"),
    "RSA": ("Rsa", "Rsa"),
    "RSA_EXPORT": ("Rsa", "Rsa"),
    "RSA_EXPORT1024": ("Rsa", "Rsa"),
    "RSA_FIPS": ("Rsa", "Rsa"),
    "RSA_OLDFIPS": ("Rsa", "Rsa"),
    "DH_DSS": ("Dh", "Dss"),
    "DH_DSS_EXPORT": ("Dh", "Dss"),
    "DH_RSA": ("Dh", "Rsa"),
    "DH_RSA_EXPORT": ("Dh", "Rsa"),
    "DHE_DSS": ("Dhe", "Dss"),
    "DHE_DSS_EXPORT": ("Dhe", "Dss"),
    "DHE_DSS_EXPORT1024": ("Dhe", "Dss"),
    "DHE_RSA": ("Dhe", "Rsa"),
    "DHE_RSA_EXPORT": ("Dhe", "Rsa"),
    "DH_anon": ("Dhe", "Anonymous"),
    "DH_anon_EXPORT": ("Dhe", "Anonymous"),
    "ECDH_ECDSA": ("Ecdh", "Ecdsa"),
    "ECDH_RSA": ("Ecdh", "Rsa"),
    "ECDHE_ECDSA": ("Ecdhe", "Ecdsa"),
    "ECDHE_RSA": ("Ecdhe", "Rsa"),
    "ECDH_anon": ("Ecdhe", "Anonymous"),
    # X25519 together with NewHope.
    "CECPQ1_RSA": ("Ecdhe", "Rsa"),
    "CECPQ1_ECDSA": ("Ecdhe", "Ecdsa"),
    "PSK": ("Psk", "Psk"),
    "DHE_PSK": ("DhePsk", "Psk"),
    "PSK_DHE": ("DhePsk", "Psk"),
    "ECDHE_PSK": ("EcdhePsk", "Psk"),
    "RSA_PSK": ("RsaPsk", "Psk"),
    "KRB5": ("Krb5", "Krb5"),
    "KRB5_EXPORT": ("Krb5", "Krb5"),
    "SRP_SHA": ("Srp", "Sha"),
    "SRP_SHA_RSA": ("Srp", "Rsa"),
    "SRP_SHA_DSS": ("Srp", "Dss"),
    "ECCPWD": ("Eccpwd", "Eccpwd"),
    "ECJPAKE": ("Ecjpake", "Ecjpake"),
    "FORTEZZA_KEA": ("Fortezza", "Fortezza"),
    "GOSTR341094": ("Gost", "Gost"),
    "GOSTR341001": ("Gost", "Gost"),
    "GOSTR341112_256": ("Gost", "Gost"),
    # GM/T 0024.
    "ECDHE_SM": ("Ecdhe", "Sm"),
    "ECC_SM": ("Sm", "Sm"),
    "IBSDH_SM": ("Sm", "Sm"),
    "IBC_SM": ("Sm", "Sm"),
    "RSA_SM": ("Rsa", "Rsa"),
}

# (cipher, mode, key bits) of the start of what stands after _WITH_; the longest that fits wins.
CIPHERS = {
    "NULL": ("Null", "None", 0),
    "RC4_40": ("Rc4", "Stream", 40),
    "RC4_56": ("Rc4", "Stream", 56),
    "RC4_128": ("Rc4", "Stream", 128),
    "RC2_CBC_40": ("Rc2", "Cbc", 40),
    "RC2_CBC_56": ("Rc2", "Cbc", 56),
    "RC2_CBC": ("Rc2", "Cbc", 128),
    "IDEA_CBC": ("Idea", "Cbc", 128),
    "DES40_CBC": ("Des", "Cbc", 40),
    "DES_CBC_40": ("Des", "Cbc", 40),
    "DES_CBC": ("Des", "Cbc", 56),
    "3DES_EDE_CBC": ("TripleDes", "Cbc", 168),
    "SEED_CBC": ("Seed", "Cbc", 128),
    "FORTEZZA_CBC": ("Fortezza", "Cbc", 80),
    "CHACHA20_POLY1305": ("ChaCha20", "Poly1305", 256),
    "ESTREAM_SALSA20": ("Salsa20", "Stream", 256),
    "SALSA20": ("Salsa20", "Stream", 256),
    "28147_CNT": ("Gost28147", "Counter", 256),
    "KUZNYECHIK_CTR": ("Kuznyechik", "Counter", 256),
    "KUZNYECHIK_MGM_L": ("Kuznyechik", "Mgm", 256),
    "KUZNYECHIK_MGM_S": ("Kuznyechik", "Mgm", 256),
    "MAGMA_CTR": ("Magma", "Counter", 256),
    "MAGMA_MGM_L": ("Magma", "Mgm", 256),
    "MAGMA_MGM_S": ("Magma", "Mgm", 256),
    "AEGIS_256": ("Aegis", "Aead", 256),
    "AEGIS_128L": ("Aegis", "Aead", 128),
    "SM1": ("Sm1", "Cbc", 128),
    "SM4_CBC": ("Sm4", "Cbc", 128),
    "SM4_GCM": ("Sm4", "Gcm", 128),
    "SM4_CCM": ("Sm4", "Ccm", 128),
}
for family, cipher in (("AES", "Aes"), ("CAMELLIA", "Camellia"), ("ARIA", "Aria")):
    for bits in (128, 256):
        for mode, name in (("CBC", "Cbc"), ("GCM", "Gcm"), ("CCM", "Ccm"), ("CCM_8", "Ccm8")):
            CIPHERS[f"{family}_{bits}_{mode}"] = (cipher, name, bits)

AEAD_MODES = {"Gcm", "Ccm", "Ccm8", "Poly1305", "Mgm", "Aead"}
MACS = {
    "": "Null",
    "NULL": "Null",
    "MD5": "Md5",
    "SHA": "Sha1",
    "SHA1": "Sha1",
    "SHA256": "Sha256",
    "SHA384": "Sha384",
    "SM3": "Sm3",
    "IMIT": "Gost28147",
    "GOSTR3411": "Gost3411",
    "OMAC": "Omac",
}


def suite_info(number, name):
    """What the name of a suite says, or None for a signalling value."""
    if name.endswith("_SCSV"):
        return None
    if name in ("TLS_SHA256_SHA256", "TLS_SHA384_SHA384"):
        return ("Tls13", "Tls13", "Null", "None", MACS[name.rsplit("_", 1)[1]], 0, False)
    bare = re.sub(r"^(OLD_)?((TLS|SSL)_)?", "", name)
    if "_WITH_" in bare:
        exchange, rest = bare.split("_WITH_")
        key_exchange, authentication = KEY_EXCHANGES[exchange]
        is_export = "EXPORT" in exchange
    elif number >= 0xE000:
        exchange, rest = bare.split("_SM", 1)
        key_exchange, authentication = KEY_EXCHANGES[exchange + "_SM"]
        rest, is_export = "SM" + rest, False
    else:
        key_exchange, authentication, rest, is_export = "Tls13", "Tls13", bare, False
    start = max((start for start in CIPHERS if rest == start or rest.startswith(start + "_")), key=len)
    cipher, mode, bits = CIPHERS[start]
    mac = "Aead" if mode in AEAD_MODES else MACS[rest[len(start) + 1 :]]
    return (key_exchange, authentication, cipher, mode, mac, bits, is_export)


def is_registered(number):
    return not any(first <= number <= last for first, last in UNREGISTERED)


def cipher_suites(data):
    names = {entry["code"]: name for name, entry in data("cipher-suite").items()}
    for number, name in names.items():
        if 0xE000 <= number < 0xE100:
            names[number] = name.removeprefix("TLS_")
    for number in MORE_SUITES:
        assert number not in names, f"the package has {number:#06x} by now"
    for number in IANA_SPELLING:
        assert names[number] != IANA_SPELLING[number], f"the package spells {number:#06x} right by now"
    names |= MORE_SUITES | IANA_SPELLING | UNREGISTERED_SPELLING
    rows = []
    for number, name in sorted(names.items()):
        info = suite_info(number, name)
        if info is None:
            value = "None"
        else:
            key_exchange, authentication, cipher, mode, mac, bits, is_export = info
            value = (
                f"info(K::{key_exchange}, A::{authentication}, C::{cipher}, O::{mode}, M::{mac}, "
                f"{bits}, {str(is_export).lower()})"
            )
        rows.append(f'Suite {{ number: {number:#06x}, name: "{name}", is_registered: '
                    f"{str(is_registered(number)).lower()}, info: {value} }},")
    return (
        "Cipher suites",
        "use super::suite::{\n    Authentication as A, Cipher as C, CipherMode as O, KeyExchange as K, Mac as M, "
        "Suite, info,\n};\n",
        [("CIPHER_SUITES", "Suite", "By number.", rows)],
    )


def cipher_kinds(data):
    rows = []
    for name, entry in sorted(data("cipher-kind").items(), key=lambda item: item[1]["code"]):
        rows.append(f'({entry["code"]:#08x}, "{name}"),')
    return (
        "Cipher kinds of SSLv2",
        "",
        [("CIPHER_KINDS", "(u32, &str)", "By number.", rows)],
    )


# --- Groups ------------------------------------------------------------------------------------

GROUPS = [
    # number, name, (kind, bits of the curve or prime, ML-KEM or Kyber in it)
    *((number, name, ("Curve", bits, False)) for number, name, bits in (
        # RFC 8422 and RFC 4492
        (1, "sect163k1", 163), (2, "sect163r1", 163), (3, "sect163r2", 163), (4, "sect193r1", 193),
        (5, "sect193r2", 193), (6, "sect233k1", 233), (7, "sect233r1", 233), (8, "sect239k1", 239),
        (9, "sect283k1", 283), (10, "sect283r1", 283), (11, "sect409k1", 409), (12, "sect409r1", 409),
        (13, "sect571k1", 571), (14, "sect571r1", 571), (15, "secp160k1", 160), (16, "secp160r1", 160),
        (17, "secp160r2", 160), (18, "secp192k1", 192), (19, "secp192r1", 192), (20, "secp224k1", 224),
        (21, "secp224r1", 224), (22, "secp256k1", 256), (23, "secp256r1", 256), (24, "secp384r1", 384),
        (25, "secp521r1", 521),
        # RFC 7027
        (26, "brainpoolP256r1", 256), (27, "brainpoolP384r1", 384), (28, "brainpoolP512r1", 512),
        # RFC 8446 and RFC 8422: the prime of x25519 has 255 bits
        (29, "x25519", 255), (30, "x448", 448),
        # RFC 8734
        (31, "brainpoolP256r1tls13", 256), (32, "brainpoolP384r1tls13", 384), (33, "brainpoolP512r1tls13", 512),
        # RFC 9189
        (34, "GC256A", 256), (35, "GC256B", 256), (36, "GC256C", 256), (37, "GC256D", 256),
        (38, "GC512A", 512), (39, "GC512B", 512), (40, "GC512C", 512),
        # RFC 8998
        (41, "curveSM2", 256),
    )),
    # RFC 7919
    *((number, f"ffdhe{bits}", ("FiniteField", bits, False))
      for number, bits in ((256, 2048), (257, 3072), (258, 4096), (259, 6144), (260, 8192))),
    # draft-ietf-tls-mlkem
    (512, "MLKEM512", ("Kem", 0, True)), (513, "MLKEM768", ("Kem", 0, True)), (514, "MLKEM1024", ("Kem", 0, True)),
    # draft-ietf-tls-ecdhe-mlkem
    (4587, "SecP256r1MLKEM768", ("Hybrid", 256, True)), (4588, "X25519MLKEM768", ("Hybrid", 255, True)),
    (4589, "SecP384r1MLKEM1024", ("Hybrid", 384, True)),
    # draft-yang-tls-hybrid-sm2-mlkem
    (4590, "curveSM2MLKEM768", ("Hybrid", 256, True)),
    # draft-tls-westerbaan-xyber768d00, draft-kwiatkowski-tls-ecdhe-kyber
    (25497, "X25519Kyber768Draft00", ("Hybrid", 255, True)),
    (25498, "SecP256r1Kyber768Draft00", ("Hybrid", 256, True)),
    # RFC 8422
    (65281, "arbitrary_explicit_prime_curves", ("Explicit", 0, False)),
    (65282, "arbitrary_explicit_char2_curves", ("Explicit", 0, False)),
]

UNREGISTERED_GROUPS = [
    # BoringSSL's experiment: X25519 and NTRU-HRSS.
    (16696, "CECPQ2", ("Hybrid", 255, False)),
    # Open Quantum Safe: Kyber and ML-KEM before the numbers of IANA.
    (570, "kyber512", ("Kem", 0, True)), (572, "kyber768", ("Kem", 0, True)), (573, "kyber1024", ("Kem", 0, True)),
    (12089, "x25519_kyber512", ("Hybrid", 255, True)), (12090, "p256_kyber512", ("Hybrid", 256, True)),
    (12092, "p384_kyber768", ("Hybrid", 384, True)), (12093, "p521_kyber1024", ("Hybrid", 521, True)),
    (12107, "p256_mlkem512", ("Hybrid", 256, True)), (12108, "p384_mlkem768", ("Hybrid", 384, True)),
    (12109, "p521_mlkem1024", ("Hybrid", 521, True)), (12176, "x448_kyber768", ("Hybrid", 448, True)),
    (12214, "x25519_mlkem512", ("Hybrid", 255, True)), (12215, "x448_mlkem768", ("Hybrid", 448, True)),
    # Cloudflare's experiments.
    (65072, "X25519Kyber512Draft00", ("Hybrid", 255, True)),
    (65073, "X25519Kyber768Draft00Old", ("Hybrid", 255, True)),
]

# In the package, without a name of IANA or of wide use: other experiments of Open Quantum Safe.
NAMELESS_GROUPS = re.compile(r"FRODO|BIKE|HQC|90S|_R2$|BRAINPOOL.*ML_KEM|TRESORIT|_ML_KEM_512$")


def groups(data):
    rows = {}
    for table, registered in ((GROUPS, True), (UNREGISTERED_GROUPS, False)):
        for number, name, (kind, bits, is_kem) in table:
            assert number not in rows, number
            rows[number] = (f'Group {{ number: {number:#06x}, name: "{name}", kind: G::{kind}, bits: {bits}, '
                            f"has_ml_kem: {str(is_kem).lower()}, is_registered: {str(registered).lower()} }},")
    missing = {entry["code"]: name for name, entry in data("named-curve").items()
               if entry["code"] not in rows and not NAMELESS_GROUPS.search(name)}
    assert not missing, f"groups without a name here: {missing}"
    return (
        "Groups of key exchange",
        "use super::group::{Group, GroupKind as G};\n",
        [("GROUPS", "Group", "By number.", [rows[number] for number in sorted(rows)])],
    )


# --- Extensions, alerts, signature schemes -----------------------------------------------------

EXTENSIONS = {
    0: "server_name", 1: "max_fragment_length", 2: "client_certificate_url", 3: "trusted_ca_keys",
    4: "truncated_hmac", 5: "status_request", 6: "user_mapping", 7: "client_authz", 8: "server_authz",
    9: "cert_type", 10: "supported_groups", 11: "ec_point_formats", 12: "srp", 13: "signature_algorithms",
    14: "use_srtp", 15: "heartbeat", 16: "application_layer_protocol_negotiation", 17: "status_request_v2",
    18: "signed_certificate_timestamp", 19: "client_certificate_type", 20: "server_certificate_type",
    21: "padding", 22: "encrypt_then_mac", 23: "extended_master_secret", 24: "token_binding", 25: "cached_info",
    26: "tls_lts", 27: "compress_certificate", 28: "record_size_limit", 29: "pwd_protect", 30: "pwd_clear",
    31: "password_salt", 32: "ticket_pinning", 33: "tls_cert_with_extern_psk", 34: "delegated_credential",
    35: "session_ticket", 36: "TLMSP", 37: "TLMSP_proxying", 38: "TLMSP_delegate", 39: "supported_ekt_ciphers",
    41: "pre_shared_key", 42: "early_data", 43: "supported_versions", 44: "cookie", 45: "psk_key_exchange_modes",
    47: "certificate_authorities", 48: "oid_filters", 49: "post_handshake_auth", 50: "signature_algorithms_cert",
    51: "key_share", 52: "transparency_info", 54: "connection_id", 55: "external_id_hash",
    56: "external_session_id", 57: "quic_transport_parameters", 58: "ticket_request", 59: "dnssec_chain",
    60: "sequence_number_encryption_algorithms", 61: "rrc", 62: "tls_flags", 64768: "ech_outer_extensions",
    65037: "encrypted_client_hello", 65281: "renegotiation_info",
}

UNREGISTERED_EXTENSIONS = {
    40: "key_share_draft",  # TLS 1.3 drafts up to 22
    53: "connection_id_deprecated",  # draft-ietf-tls-dtls-connection-id
    4832: "server_padding",
    13172: "next_protocol_negotiation",
    17513: "application_settings_old",  # draft-vvv-tls-alps
    17613: "application_settings",  # draft-vvv-tls-alps
    30031: "channel_id_old",
    30032: "channel_id",
    51764: "trust_anchors",  # draft-ietf-tls-trust-anchor-ids
    65283: "short_record_header",
    65445: "quic_transport_parameters_draft",
    65486: "encrypted_server_name",  # draft-ietf-tls-esni
}

ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed_RESERVED",
    22: "record_overflow", 30: "decompression_failure_RESERVED", 40: "handshake_failure",
    41: "no_certificate_RESERVED", 42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 52: "too_many_cids_requested",
    60: "export_restriction_RESERVED", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value",
    115: "unknown_psk_identity", 116: "certificate_required", 117: "general_error",
    120: "no_application_protocol", 121: "ech_required",
}

SIGNATURE_SCHEMES = {
    0x0201: "rsa_pkcs1_sha1", 0x0203: "ecdsa_sha1",
    0x0401: "rsa_pkcs1_sha256", 0x0403: "ecdsa_secp256r1_sha256", 0x0420: "rsa_pkcs1_sha256_legacy",
    0x0501: "rsa_pkcs1_sha384", 0x0503: "ecdsa_secp384r1_sha384", 0x0520: "rsa_pkcs1_sha384_legacy",
    0x0601: "rsa_pkcs1_sha512", 0x0603: "ecdsa_secp521r1_sha512", 0x0620: "rsa_pkcs1_sha512_legacy",
    # draft-wang-tls-raw-public-key-with-ibc
    0x0704: "eccsi_sha256", 0x0705: "iso_ibs1", 0x0706: "iso_ibs2", 0x0707: "iso_chinese_ibs",
    0x0708: "sm2sig_sm3",  # RFC 8998
    # RFC 9367
    0x0709: "gostr34102012_256a", 0x070A: "gostr34102012_256b", 0x070B: "gostr34102012_256c",
    0x070C: "gostr34102012_256d", 0x070D: "gostr34102012_512a", 0x070E: "gostr34102012_512b",
    0x070F: "gostr34102012_512c",
    0x0804: "rsa_pss_rsae_sha256", 0x0805: "rsa_pss_rsae_sha384", 0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519", 0x0808: "ed448", 0x0809: "rsa_pss_pss_sha256", 0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    # RFC 8734
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256", 0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44", 0x0905: "mldsa65", 0x0906: "mldsa87",  # draft-ietf-tls-mldsa
    # draft-reddy-tls-slhdsa
    0x0911: "slhdsa_sha2_128s", 0x0912: "slhdsa_sha2_128f", 0x0913: "slhdsa_sha2_192s",
    0x0914: "slhdsa_sha2_192f", 0x0915: "slhdsa_sha2_256s", 0x0916: "slhdsa_sha2_256f",
    0x0917: "slhdsa_shake_128s", 0x0918: "slhdsa_shake_128f", 0x0919: "slhdsa_shake_192s",
    0x091A: "slhdsa_shake_192f", 0x091B: "slhdsa_shake_256s", 0x091C: "slhdsa_shake_256f",
}

# Hash and signature pairs of TLS 1.2 that have no scheme of their own [RFC 5246 section 7.4.1.4.1].
HASHES = {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}
SIGNATURES = {1: "rsa", 2: "dsa", 3: "ecdsa"}


def plain(title, static, kind, width, table):
    rows = [f'({number:#0{width + 2}x}, "{name}"),' for number, name in sorted(table.items())]
    return (title, "", [(static, f"({kind}, &str)", "By number.", rows)])


def extensions(data):
    missing = {entry["code"]: name for name, entry in data("extension-type").items()
               if entry["code"] not in EXTENSIONS | UNREGISTERED_EXTENSIONS}
    assert not missing, f"extensions without a name here: {missing}"
    assert not EXTENSIONS.keys() & UNREGISTERED_EXTENSIONS.keys()
    return plain("Extensions", "EXTENSIONS", "u16", 4, EXTENSIONS | UNREGISTERED_EXTENSIONS)


def alerts(_data):
    return plain("Alerts", "ALERTS", "u8", 2, ALERTS)


def signature_schemes(_data):
    pairs = {hash_number << 8 | number: f"{hash_name}+{name}" for hash_number, hash_name in HASHES.items()
             for number, name in SIGNATURES.items()}
    return plain("Signature schemes", "SIGNATURE_SCHEMES", "u16", 4, pairs | SIGNATURE_SCHEMES)


# --- Output ------------------------------------------------------------------------------------

FILES = {
    "cipher_suites.rs": cipher_suites,
    "cipher_kinds.rs": cipher_kinds,
    "groups.rs": groups,
    "extensions.rs": extensions,
    "alerts.rs": alerts,
    "signature_schemes.rs": signature_schemes,
}


def render(title, uses, statics):
    text = (f"//! {title}: numbers and names.\n//!\n//! Generated by `generate.py` (which says how, and what is not "
            f"registered) with {PACKAGE} {VERSION}.\n//! Not edited by hand.\n\n")
    if uses:
        text += uses + "\n"
    for static, kind, doc, rows in statics:
        text += f"/// {doc}\n#[rustfmt::skip]\npub(super) static {static}: &[{kind}] = &[\n"
        text += "".join(f"    {row}\n" for row in rows) + "];\n"
    return text


def tshark_names():
    """(field, number) → name, as the installed tshark spells it."""
    lines = subprocess.run(["tshark", "-G", "values"], capture_output=True, text=True, check=True).stdout
    names = {}
    for line in lines.splitlines():
        parts = line.split("\t")
        if len(parts) >= 4 and parts[0] == "V" and parts[1].startswith("tls."):
            names[parts[1], int(parts[2], 0)] = parts[3]
    return names


def compare_with_tshark(outputs):
    names = tshark_names()
    fields = {
        "cipher_suites.rs": "tls.handshake.ciphersuite",
        "groups.rs": "tls.handshake.extensions_supported_group",
        "extensions.rs": "tls.handshake.extension.type",
        "signature_schemes.rs": "tls.handshake.sig_hash_alg",
    }
    for file, field in fields.items():
        ours = {int(number, 16): name for number, name in re.findall(r'(0x[0-9a-f]+), (?:name: )?"([^"]+)"', outputs[file])}
        theirs = {number: name for (of, number), name in names.items() if of == field}
        for number in sorted(ours.keys() | theirs.keys()):
            if number & 0x0F0F != 0x0A0A and ours.get(number) != theirs.get(number):
                print(f"{file} {number:#06x} ours {ours.get(number)} tshark {theirs.get(number)}")


def main():
    version = importlib.metadata.version(PACKAGE)
    assert version == VERSION, f"{PACKAGE} {version} is installed, {VERSION} is named here"
    folder = importlib.resources.files(PACKAGE) / "tls"

    def data(name):
        return json.loads((folder / f"{name}.json").read_text())

    outputs = {file: render(*make(data)) for file, make in FILES.items()}
    if "--tshark" in sys.argv:
        return compare_with_tshark(outputs)
    for file, text in outputs.items():
        if "--check" in sys.argv:
            assert (HERE / file).read_text() == text, f"{file} is not what this script writes"
        else:
            (HERE / file).write_text(text)
    return None


if __name__ == "__main__":
    main()
