//! The command as its user meets it: exit codes, streams, files, redaction, the documents it prints.

mod documents;
mod exit_codes;
mod inputs;
mod outputs;
mod redaction;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{self, Ran, capture, ddbwatch, finish, finish_with, run, shown};

const CLEAN: &str = "tls13-x25519.pcap";
const VIOLATING: &str = "tls10-rsa.pcap";
const WARNING_ONLY: &str = "refused-tls10-alert.pcap";
const DAMAGED: &str = "damaged.pcap";
const UNSUPPORTED: &str = "link-unsupported.pcap";

const RULES: [&str; 26] = [
    "tls_version_too_low",
    "tls_version_not_recommended",
    "legacy_client_refused",
    "no_forward_secrecy",
    "weak_cipher",
    "cipher_not_allowed",
    "group_not_allowed",
    "weak_key_exchange",
    "not_post_quantum",
    "early_data",
    "downgrade_detected",
    "tls_compression",
    "certificate_expired",
    "certificate_name_mismatch",
    "suspected_interception",
    "plaintext_http",
    "unsigned_request",
    "long_term_credential",
    "fips_endpoint_required",
    "path_not_allowed",
    "gateway_endpoint_missing",
    "cross_region_endpoint",
    "dns_override",
    "endpoint_conflict",
    "endpoint_unrecognised",
    "sni_missing",
];

const PROFILES: [&str; 9] = [
    "aws-dynamodb",
    "aws-dynamodb-2019",
    "nist-800-52r2",
    "pci-dss-4",
    "fips-140-3",
    "bsi-tr-02102-2",
    "cnsa-1.0",
    "cnsa-2.0",
    "pq-ready",
];

const COMMANDS: [&str; 11] = [
    "watch",
    "analyze",
    "report",
    "top",
    "check",
    "explain",
    "rules",
    "profiles",
    "doctor",
    "completions",
    "man",
];

/// The configuration of the public contract; the files it names are in `{folder}`.
const CONFIGURATION: &str = r#"
[site]
region = "eu-central-1"
role = "nat"
vpn_outside = ["203.0.113.10/32"]

[capture]
interfaces = ["eth0", "vti*"]
backend = "auto"
snaplen = 2048
ring_mib = 64

[endpoints]
ip_ranges = "{folder}/ip-ranges.json"
hosts = [{ name = "db.corp.example", service = "dynamodb", region = "eu-central-1" }]

[[path]]
name = "dx-frankfurt"
interface = "eth1"
vlan = [120, 121]
access = "direct_connect_public"
entry = "public_endpoint"

[policy]
profile = "aws-dynamodb"
minimum_version = "1.2"
recommended_version = "1.3"
allowed_ciphers = []
allowed_groups = []
allowed_paths = [{ access = "direct_connect_public", entry = "public_endpoint" }]
severity = { early_data = "off" }

[[policy.override]]
match = { source = ["10.9.0.0/16"], region = ["eu-west-1"], endpoint = ["account"], access = ["internet"] }
minimum_version = "1.3"

[[policy.exception]]
rule = "tls_version_too_low"
match = { source = ["10.1.2.3/32"] }
owner = "payments team"
reason = "appliance is replaced in March"
expires = "2027-03-31"

[profile.house]
extends = "nist-800-52r2"
minimum_version = "1.3"

[output]
records = "/var/log/ddbwatch/flows.jsonl"
rotate_mib = 100
keep = 10

[metrics]
listen = "127.0.0.1:9477"
max_series = 5000
offenders = 0

[privacy]
redact = true
key_file = "{folder}/redact.key"

[limits]
flows = 200000
flow_bytes = 65536
memory_mib = 512
"#;

const IP_RANGES: &str = r#"{
  "syncToken": "1767225600",
  "createDate": "2026-01-01-00-00-00",
  "prefixes": [
    {"ip_prefix": "52.94.5.0/24", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"},
    {"ip_prefix": "52.94.5.0/24", "region": "eu-west-1", "service": "DYNAMODB", "network_border_group": "eu-west-1"}
  ],
  "ipv6_prefixes": []
}"#;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The contract's example with its files in place.
fn example(folder: &Path) -> String {
    write(folder, "ip-ranges.json", IP_RANGES);
    let key = write(folder, "redact.key", "0123456789abcdef0123456789abcdef");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    write(folder, "ddbwatch.toml", CONFIGURATION.replace("{folder}", folder.to_str().unwrap()))
}

#[track_caller]
fn expect(ran: &Ran, code: i32) {
    assert_eq!(
        ran.code,
        Some(code),
        "stdout: {}\nstderr: {}",
        String::from_utf8_lossy(&ran.stdout),
        ran.stderr
    );
}

/// An error is told on standard error and names these; nothing is on standard output.
#[track_caller]
fn expect_error(ran: &Ran, code: i32, names: &[&str]) {
    expect(ran, code);
    assert!(ran.stdout.is_empty(), "data beside an error: {}", String::from_utf8_lossy(&ran.stdout));
    for name in names {
        assert!(ran.stderr.contains(name), "{name} is not named: {}", ran.stderr);
    }
}

fn formats() -> Vec<String> {
    let ran = run(&["analyze", "--format", "no-such-format", CLEAN]);
    expect_error(&ran, 2, &["no-such-format", "possible values"]);
    let values = ran.stderr.split("possible values:").nth(1).unwrap().split(']').next().unwrap();
    let formats: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    assert!(formats.len() >= 4, "{formats:?}");
    formats
}
