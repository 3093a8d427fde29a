"""Words for values of labels: what a person should read where the metric says one short word."""

from .grafana import BAD, GOOD, GREY, SKY, UNKNOWN, WARN

SEVERITY = {"critical": ("critical", BAD), "warning": ("warning", WARN), "info": ("info", SKY)}

VERDICT_COLORS = {"pass": GOOD, "violation": BAD, "not_assessable": UNKNOWN}

VERSION_COLORS = {
    "TLS 1.3": GOOD, "TLS 1.2": SKY, "TLS 1.1": WARN, "TLS 1.0": BAD, "SSL 3": "#7A3400", "SSL 2": "#4A2000",
    "TLS unknown": UNKNOWN,
}



def protocol(label, query):
    """The query with the whole name of the protocol in a label of versions: 2 and 3 are those of SSL."""
    tls = f'label_replace({query}, "{label}", "TLS $1", "{label}", "(1[.].*|unknown|other)")'
    return f'label_replace({tls}, "{label}", "SSL $1", "{label}", "([23])")'


# The rules that are critical by default: eight, as many as there are colours that all people tell apart.
CRITICAL_COLORS = {
    "plaintext_http": "#D55E00", "tls_version_too_low": "#E69F00", "suspected_interception": "#CC79A7",
    "no_forward_secrecy": "#0072B2", "weak_cipher": "#56B4E9", "downgrade_detected": "#F0E442",
    "path_not_allowed": "#009E73", "unsigned_request": "#8C8C8C",
}

# The rules that a client's owner mends.
CLIENT_COLORS = {
    "plaintext_http": "#D55E00", "tls_version_too_low": "#E69F00", "legacy_client_refused": "#CC79A7",
    "no_forward_secrecy": "#0072B2", "weak_cipher": "#56B4E9", "long_term_credential": "#F0E442",
    "weak_key_exchange": "#009E73", "unsigned_request": "#8C8C8C",
}

KIND_COLORS = {"post_quantum": GOOD, "classical": SKY, "none": BAD, "unknown": UNKNOWN}

OLD_VERSIONS = "2|3|1.0|1.1"

# What somebody has to do about a rule, in a few words; `ddbwatch explain RULE` says all of it.
TO_DO = {
    "tls_version_too_low": "Client owner: a runtime or TLS library that offers TLS 1.2 or 1.3; look for a proxy on the way",
    "tls_version_not_recommended": "Client owner, when convenient: a runtime that offers TLS 1.3",
    "legacy_client_refused": "Client owner, now: it gets no connection. Upgrade to TLS 1.2 or newer",
    "no_forward_secrecy": "Client owner: offer ECDHE suites first, drop TLS_RSA_*",
    "weak_cipher": "Client owner: drop RC4, 3DES, NULL, EXPORT; find out what accepted it",
    "cipher_not_allowed": "Client owner: offer a suite of the profile's list",
    "group_not_allowed": "Client owner: offer a group of the profile's list",
    "weak_key_exchange": "Owner of what answered: DH of 2048 bits or more, or ECDHE",
    "not_post_quantum": "Client owner: an SDK or OpenSSL that offers X25519MLKEM768",
    "early_data": "Client owner: switch 0-RTT off",
    "downgrade_detected": "Network team: something on the way lowers the version",
    "tls_compression": "Client owner: switch TLS compression off",
    "certificate_expired": "Owner of what answered: renew it; if it is AWS, check the clock of the observer",
    "certificate_name_mismatch": "Network team: the name leads to another server",
    "suspected_interception": "Security, now: somebody other than AWS ends TLS",
    "plaintext_http": "Client owner, now: https:// as the endpoint (DAX: daxs://)",
    "unsigned_request": "Client owner: requests must be signed; look for an emulator",
    "long_term_credential": "Client owner, now: roll the key, use a role",
    "fips_endpoint_required": "Client owner: the FIPS endpoint (use_fips_endpoint)",
    "path_not_allowed": "Network team: bring it back to an allowed path",
    "gateway_endpoint_missing": "Cloud team: a gateway endpoint in the subnet's route table",
    "cross_region_endpoint": "Client owner: is this region meant?",
    "dns_override": "DNS owner: no private zone for the public name; use the endpoint's own name",
    "endpoint_conflict": "Network team: name and address contradict each other",
    "endpoint_unrecognised": "Nobody yet: report the name to ddbwatch",
    "sni_missing": "Client owner: a TLS library that sends the server name",
    "signing_not_assessable": "Nobody: under TLS signatures cannot be seen",
}

# What an end of a refused handshake means, for the most frequent reasons.
REFUSAL = {
    "protocol_version": "version too old: upgrade the client's TLS",
    "handshake_failure": "no suite or group in common",
    "insufficient_security": "suites too weak for the server",
    "inappropriate_fallback": "client fell back to an older version",
    "unknown_ca": "client does not trust the certificate: old trust store, or interception",
    "bad_certificate": "client does not accept the certificate",
    "certificate_expired": "certificate past its end, or a wrong clock",
    "certificate_unknown": "client does not accept the certificate",
    "unrecognized_name": "server does not know the name",
    "decode_error": "one side could not read the other",
    "illegal_parameter": "one side broke the protocol",
    "reset": "ended by a reset: firewall or old server",
    "closed": "ended without an alert",
    "unknown": "alert without a name",
}

ACCESS_COLORS = {
    "direct_connect_private": "#0072B2",
    "direct_connect_public": "#56B4E9",
    "direct_connect_transit": "#009E73",
    "site_to_site_vpn": "#CC79A7",
    "in_vpc": "#F0E442",
    "internet": "#D55E00",
    "unknown": GREY,
}

ENTRY_COLORS = {
    "gateway_endpoint": "#0072B2",
    "interface_endpoint": "#56B4E9",
    "public_endpoint": "#E69F00",
    "unknown": GREY,
}
