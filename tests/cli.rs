//! The command as its user meets it: exit codes, streams, files, redaction, the documents it prints.

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

// Exit codes.

#[test]
fn good_capture_gives_zero_and_says_nothing() {
    for format in formats() {
        let ran = run(&["analyze", "--format", &format, CLEAN]);
        expect(&ran, 0);
        assert!(!ran.stdout.is_empty(), "{format}");
        assert_eq!(ran.stderr, "", "{format}");
    }
}

#[test]
fn missing_capture_gives_one_and_its_name() {
    expect_error(&run(&["analyze", "nowhere/missing.pcap"]), 1, &["nowhere/missing.pcap"]);
    expect_error(&run(&["analyze", CLEAN, "missing-too.pcap"]), 1, &["missing-too.pcap"]);
}

#[test]
fn what_is_no_capture_gives_one_and_its_name() {
    let folder = folder();
    for (name, content) in [("notes.txt", "these are notes, no packets\n"), ("empty.pcap", "")] {
        let path = write(folder.path(), name, content);
        expect_error(&run(&["analyze", &path]), 1, &[name]);
    }
    let empty = folder.path().join("empty-folder");
    fs::create_dir(&empty).unwrap();
    expect_error(&run(&["analyze", empty.to_str().unwrap()]), 1, &["empty-folder"]);
    let notes_only = folder.path().join("notes-only");
    fs::create_dir(&notes_only).unwrap();
    write(&notes_only, "notes.txt", "these are notes, no packets\n");
    expect_error(&run(&["analyze", notes_only.to_str().unwrap()]), 1, &["notes-only"]);
    expect(&finish_with(ddbwatch().args(["analyze", "-"]), b""), 1);
    expect(&finish_with(ddbwatch().args(["analyze", "-"]), b"these are notes, no packets\n"), 1);
}

#[cfg(unix)]
#[test]
fn unreadable_capture_gives_one_and_its_name() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let path = write(folder.path(), "locked.pcap", fs::read(capture(CLEAN)).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    expect_error(&run(&["analyze", &path]), 1, &["locked.pcap"]);
}

#[test]
fn wrong_usage_gives_two_and_the_word() {
    for (arguments, word) in [
        (&["analyze", "--no-such-flag", CLEAN][..], "--no-such-flag"),
        (&["analyze"], "CAPTURE"),
        (&["no-such-command"], "no-such-command"),
        (&["analyze", "--fail-on", "sometimes", CLEAN], "sometimes"),
        (&["analyze", "--jobs", "none", CLEAN], "none"),
        (&["analyze", "--redact", "perhaps", CLEAN], "perhaps"),
        (&["analyze", "--profile", "aws-dynamdb", CLEAN], "aws-dynamdb"),
        (&["profiles", "aws-dynamdb"], "aws-dynamdb"),
        (&["completions", "no-such-shell"], "no-such-shell"),
    ] {
        expect_error(&run(arguments), 2, &[word]);
    }
    expect(&finish(&mut ddbwatch()), 2);
}

#[test]
fn unknown_profile_names_the_nearest() {
    expect_error(&run(&["analyze", "--profile", "aws-dynamdb", CLEAN]), 2, &["aws-dynamodb"]);
}

#[test]
fn bad_configuration_gives_two_key_and_line() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (text, names) in [
        ("[policy]\nminimun_version = \"1.2\"\n", &["minimun_version", "minimum_version", "2"][..]),
        ("[site]\nregion = 7\n", &["region", "2"]),
        ("[policy]\n\nprofile = \"no-such-profile\"\n", &["no-such-profile", "3"]),
        ("[polcy]\nprofile = \"aws-dynamodb\"\n", &["polcy", "policy", "1"]),
        ("[policy]\nminimum_version = \"1.7\"\n", &["minimum_version", "1.7"]),
        ("[policy]\nseverity = { no_such_rule = \"off\" }\n", &["no_such_rule"]),
        ("[policy]\nseverity = { early_data = \"loud\" }\n", &["loud"]),
        ("[[path]]\nname = \"a\"\naccess = \"by_pigeon\"\n", &["by_pigeon"]),
        ("[[path]]\nname = \"a\"\nsource = \"10.0.0.0/33\"\naccess = \"internet\"\n", &["10.0.0.0/33"]),
        ("[endpoints]\nip_ranges = \"/nowhere/ip-ranges.json\"\n", &["/nowhere/ip-ranges.json"]),
        ("[privacy]\nkey_file = \"/nowhere/redact.key\"\n", &["/nowhere/redact.key"]),
        ("[policy\n", &["1"]),
        ("[profile.house]\nextends = \"no-such-profile\"\n", &["no-such-profile"]),
    ] {
        let path = write(folder.path(), "bad.toml", text);
        for arguments in [&["check", "--config", &path][..], &["analyze", "--config", &path, CLEAN]] {
            let ran = run(arguments);
            let mut names = names.to_vec();
            names.push("bad.toml");
            names.retain(|name| !ran.stderr.contains(name));
            if ran.code != Some(2) || !ran.stdout.is_empty() || !names.is_empty() {
                wrong.push(format!(
                    "{text}{}: {:?}, without {names:?}: {}",
                    arguments[0], ran.code, ran.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    expect_error(&run(&["check", "--config", "/nowhere/ddbwatch.toml"]), 2, &["/nowhere/ddbwatch.toml"]);
}

#[test]
fn fail_on_gives_three_from_its_severity_up() {
    for (name, limit, code) in [
        (VIOLATING, "critical", 3),
        (VIOLATING, "warning", 3),
        (VIOLATING, "info", 3),
        (WARNING_ONLY, "critical", 0),
        (WARNING_ONLY, "warning", 3),
        (WARNING_ONLY, "info", 3),
        (CLEAN, "warning", 0),
    ] {
        let ran = run(&["analyze", "--format", "jsonl", "--fail-on", limit, name]);
        assert_eq!(ran.code, Some(code), "{name} {limit}: {}", ran.stderr);
        assert!(!ran.records().is_empty(), "{name}: the records are written all the same");
    }
    expect(&run(&["analyze", VIOLATING]), 0);
}

#[test]
fn damage_gives_four_file_and_offset() {
    let bytes = fs::read(capture(DAMAGED)).unwrap();
    let ran = run(&["analyze", "--format", "jsonl", DAMAGED]);
    expect(&ran, 4);
    assert!(ran.records().len() >= 2, "what could be read is reported");
    let line = ran.stderr.lines().find(|line| line.contains(DAMAGED)).expect("the file is named");
    let offsets: Vec<usize> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
    // The record that is cut short begins in the last 76 bytes.
    assert!(
        offsets.iter().any(|offset| (bytes.len() - 76..=bytes.len()).contains(offset)),
        "{line}: {}",
        bytes.len()
    );
    expect(&run(&["analyze", "damaged-pcapng.pcapng"]), 4);
    expect(&run(&["analyze", CLEAN, DAMAGED]), 4);
}

#[test]
fn unsupported_link_type_gives_four() {
    for arguments in [
        &["analyze", "--format", "jsonl", UNSUPPORTED][..],
        &["analyze", "--format", "jsonl", UNSUPPORTED, CLEAN],
    ] {
        let ran = run(arguments);
        expect(&ran, 4);
        assert!(ran.stderr.contains(UNSUPPORTED) && ran.stderr.contains("195"), "{}", ran.stderr);
        assert_eq!(ran.records().len(), arguments.len() - 4);
    }
}

#[test]
fn three_wins_over_four() {
    expect(&run(&["analyze", "--fail-on", "critical", VIOLATING, DAMAGED]), 3);
    expect(&run(&["analyze", "--fail-on", "critical", CLEAN, DAMAGED]), 4);
}

// Streams and files.

#[test]
fn closed_pipe_is_success() {
    let formats = formats();
    let mut commands: Vec<Vec<&str>> =
        formats.iter().map(|format| vec!["analyze", "--format", format, CLEAN, VIOLATING]).collect();
    commands.extend([
        vec!["man"],
        vec!["completions", "bash"],
        vec!["rules"],
        vec!["profiles"],
        vec!["--help"],
    ]);
    for arguments in commands {
        let mut child =
            ddbwatch().args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn reader_may_leave_in_the_middle() {
    let names = crate::golden::names();
    let mut arguments = vec!["analyze", "--format", "jsonl", "--all-services", "--jobs", "1"];
    // Much more than a pipe holds, and nothing to say about it.
    arguments.extend(
        names.iter().map(String::as_str).filter(|name| !name.contains("damaged") && *name != UNSUPPORTED),
    );
    let mut child =
        ddbwatch().args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut start = [0; 100];
    stdout.read_exact(&mut start).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_colour_without_a_terminal() {
    for format in formats() {
        let ran = run(&["analyze", "--format", &format, "--all-services", "many-flows.pcap", DAMAGED]);
        assert!(!ran.stdout.contains(&0x1b) && !ran.stderr.contains('\x1b'), "{format}");
    }
    for arguments in
        [&["--help"][..], &["rules"], &["profiles"], &["explain", "weak_cipher"], &["no-such-command"]]
    {
        let ran = run(arguments);
        assert!(!ran.stdout.contains(&0x1b) && !ran.stderr.contains('\x1b'), "{arguments:?}");
    }
}

/// What the program writes when a terminal reads it.
fn on_terminal(arguments: &str, environment: &[(&str, &str)]) -> String {
    let line = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_ddbwatch"));
    let mut script = Command::new("script");
    script.current_dir(support::captures()).args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR");
    script.env("TERM", "xterm-256color").envs(environment.iter().copied()).stdin(Stdio::null());
    String::from_utf8_lossy(&finish(&mut script).stdout).into_owned()
}

#[test]
fn colour_on_a_terminal_unless_no_color() {
    if !support::is_there("script") {
        return;
    }
    let arguments = format!("analyze --no-progress {VIOLATING}");
    let is_coloured = |text: &str| text.contains("\x1b[");
    assert!(is_coloured(&on_terminal(&arguments, &[])));
    assert!(!is_coloured(&on_terminal(&arguments, &[("NO_COLOR", "1")])));
    let data = on_terminal(&format!("analyze --no-progress --format jsonl {VIOLATING}"), &[]);
    assert!(!is_coloured(&data), "data is not coloured: {data}");
}

#[test]
fn output_file_is_complete_or_absent() {
    for format in formats() {
        let folder = folder();
        let file = folder.path().join("out");
        let path = file.to_str().unwrap();
        let direct = run(&["analyze", "--format", &format, CLEAN]);
        let ran = run(&["analyze", "--format", &format, "-o", path, CLEAN]);
        expect(&ran, 0);
        assert!(ran.stdout.is_empty(), "{format}");
        assert_eq!(fs::read(&file).unwrap(), direct.stdout, "{format}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{format}: nothing else is left");
        // What was there stays where nothing better comes.
        fs::write(&file, "old").unwrap();
        expect(&run(&["analyze", "--format", &format, "-o", path, "missing.pcap"]), 1);
        assert_eq!(fs::read(&file).unwrap(), b"old", "{format}");
        fs::remove_file(&file).unwrap();
        expect(&run(&["analyze", "--format", &format, "-o", path, "missing.pcap"]), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{format}: nothing is left");
    }
}

#[test]
fn output_of_a_damaged_capture_is_kept() {
    let folder = folder();
    let file = folder.path().join("out.jsonl");
    expect(&run(&["analyze", "--format", "jsonl", "-o", file.to_str().unwrap(), DAMAGED]), 4);
    assert!(support::records(&fs::read_to_string(file).unwrap()).len() >= 2);
}

#[test]
fn output_that_cannot_be_written_gives_one() {
    expect_error(&run(&["analyze", "-o", "/nowhere/at/all/out", CLEAN]), 1, &["/nowhere/at/all/out"]);
    let folder = folder();
    expect_error(
        &run(&["analyze", "-o", folder.path().to_str().unwrap(), CLEAN]),
        1,
        &[folder.path().to_str().unwrap()],
    );
    if Path::new("/dev/full").exists() {
        expect(&run(&["analyze", "-o", "/dev/full", CLEAN]), 1);
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ran = finish(ddbwatch().args(["analyze", "--format", "jsonl", CLEAN]).stdout(Stdio::from(full)));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(!ran.stderr.is_empty());
    }
}

// Inputs.

/// Records without where they came from.
fn bare(ran: &Ran) -> Vec<support::Record> {
    let mut records = ran.records();
    for record in &mut records {
        record.remove("capture.source");
    }
    assert!(!records.is_empty());
    records
}

#[test]
fn standard_input_is_read_in_each_form() {
    let plain = fs::read(capture(CLEAN)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let wanted = bare(&run(&["analyze", "--format", "jsonl", CLEAN]));
    for form in [plain.clone(), gzip.finish().unwrap(), zstd::encode_all(&plain[..], 3).unwrap()] {
        let ran = finish_with(ddbwatch().args(["analyze", "--format", "jsonl", "-"]), &form);
        expect(&ran, 0);
        assert_eq!(bare(&ran), wanted);
    }
}

fn sources(ran: &Ran) -> Vec<String> {
    let mut sources: Vec<String> =
        ran.records().iter().map(|record| shown(&record["capture.source"])).collect();
    sources.dedup();
    sources
}

#[test]
fn files_come_in_the_order_given() {
    for jobs in ["1", "2", "4"] {
        for names in [
            [CLEAN, VIOLATING, "tls12-rsa.pcap", WARNING_ONLY],
            [WARNING_ONLY, "tls12-rsa.pcap", VIOLATING, CLEAN],
        ] {
            let ran = run(&[&["analyze", "--format", "jsonl", "--jobs", jobs][..], &names].concat());
            expect(&ran, 0);
            assert_eq!(sources(&ran), names, "--jobs {jobs}");
        }
    }
}

#[test]
fn folder_is_read_in_order_and_other_files_are_noted() {
    let folder = folder();
    for (name, from) in [
        ("c.pcap", "tls12-rsa.pcap"),
        ("a.pcap", VIOLATING),
        ("b.pcap.gz", "gzip.pcap.gz"),
        ("B.pcapng", "zstd.pcapng.zst"),
    ] {
        fs::copy(capture(from), folder.path().join(name)).unwrap();
    }
    write(folder.path(), "notes.txt", "these are notes, no packets\n");
    let ran = run(&["analyze", "--format", "jsonl", folder.path().to_str().unwrap()]);
    expect(&ran, 0);
    assert_eq!(sources(&ran), ["B.pcapng", "a.pcap", "b.pcap.gz", "c.pcap"]);
    assert!(ran.stderr.contains("notes.txt"), "{}", ran.stderr);
}

#[test]
fn flow_that_two_files_show_is_one_record() {
    for names in [[CLEAN, CLEAN], ["tunnel-vxlan.pcap", "tunnel-gre.pcap"]] {
        let ran = run(&[&["analyze", "--format", "jsonl"][..], &names].concat());
        expect(&ran, 0);
        assert_eq!(ran.records().len(), 1, "{names:?}");
    }
}

#[cfg(unix)]
#[test]
fn odd_file_names_are_taken() {
    use std::os::unix::ffi::OsStringExt;

    let folder = folder();
    for name in [
        b"with space.pcap".to_vec(),
        b"-dash.pcap".to_vec(),
        b"not-utf8-\xff.pcap".to_vec(),
        b"new\nline.pcap".to_vec(),
    ] {
        let path = folder.path().join(OsString::from_vec(name));
        fs::copy(capture(CLEAN), &path).unwrap();
        let ran = run(&["analyze".into(), "--format".into(), "jsonl".into(), path.into_os_string()]);
        expect(&ran, 0);
        assert_eq!(ran.records().len(), 1);
    }
}

// Redaction.

/// Account ids that stand before an account-based endpoint's name in the captures.
fn account_ids() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for name in crate::golden::names() {
        let bytes = support::capture_bytes(&capture(&name));
        for ending in [&b".ddb."[..], b".streams-ddb.", b".search-ddb."] {
            for at in memchr::memmem::find_iter(&bytes, ending) {
                let Some(digits) = at.checked_sub(12).map(|start| &bytes[start..at]) else { continue };
                if digits.iter().all(u8::is_ascii_digit) {
                    ids.insert(String::from_utf8(digits.to_vec()).unwrap());
                }
            }
        }
    }
    assert!(ids.len() >= 2, "{ids:?}");
    ids
}

#[test]
fn account_ids_are_hidden_unless_asked_for() {
    let ids = account_ids();
    let all = crate::golden::names();
    let folder = folder();
    let key = example(folder.path());
    for format in formats() {
        for more in [&[][..], &["--redact", "on"], &["--config", &key]] {
            let mut arguments = vec!["analyze", "--format", &format, "--all-services"];
            arguments.extend(more);
            arguments.extend(all.iter().map(String::as_str));
            let ran = run(&arguments);
            expect(&ran, 4);
            for id in &ids {
                let is_shown = memchr::memmem::find(&ran.stdout, id.as_bytes()).is_some();
                assert!(!is_shown && !ran.stderr.contains(id.as_str()), "{format} {more:?} shows {id}");
            }
        }
    }
    let mut arguments = vec!["analyze", "--format", "jsonl", "--all-services", "--redact", "off"];
    arguments.extend(all.iter().map(String::as_str));
    let ran = run(&arguments);
    for id in &ids {
        assert!(ran.text().contains(id.as_str()), "--redact off does not show {id}");
    }
}

#[test]
fn account_ids_become_numbers_or_keyed_hashes() {
    let accounts = |ran: &Ran| -> Vec<String> {
        ran.records().iter().filter_map(|record| record.get("aws.account_id").map(shown)).collect()
    };
    let numbered = accounts(&run(&["analyze", "--format", "jsonl", "endpoint-names.pcap"]));
    assert_eq!(numbered[0], "account-1");
    assert!(numbered.contains(&"account-2".to_owned()));
    let folder = folder();
    let key = write(folder.path(), "redact.key", "0123456789abcdef0123456789abcdef");
    let config = write(folder.path(), "privacy.toml", format!("[privacy]\nkey_file = \"{key}\"\n"));
    let keyed = accounts(&run(&["analyze", "--format", "jsonl", "--config", &config, "endpoint-names.pcap"]));
    assert_eq!(keyed.len(), numbered.len());
    for (hash, number) in keyed.iter().zip(&numbered) {
        let digits = hash.rsplit('-').next().unwrap();
        assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        let same: Vec<bool> = numbered.iter().map(|other| other == number).collect();
        assert_eq!(keyed.iter().map(|other| other == hash).collect::<Vec<_>>(), same);
    }
    let off = write(folder.path(), "off.toml", "[privacy]\nredact = false\n");
    assert!(
        accounts(&run(&["analyze", "--format", "jsonl", "--config", &off, "endpoint-names.pcap"]))
            .contains(&"123456789012".to_owned())
    );
    // The flag wins over the configuration.
    let ran =
        run(&["analyze", "--format", "jsonl", "--config", &off, "--redact", "on", "endpoint-names.pcap"]);
    assert_eq!(accounts(&ran), numbered);
}

#[test]
fn no_secret_of_a_request_is_written() {
    for format in formats() {
        for name in
            crate::golden::names().iter().filter(|name| name.starts_with("http-") || name.contains("-http"))
        {
            let bytes = support::capture_bytes(&capture(name));
            let ran = run(&["analyze", "--format", &format, "--redact", "off", name]);
            for start in [&b"AKIA"[..], b"ASIA"] {
                for at in memchr::memmem::find_iter(&bytes, start) {
                    let key = &bytes[at..at + 20];
                    if key.iter().all(u8::is_ascii_alphanumeric) {
                        assert!(
                            memchr::memmem::find(&ran.stdout, key).is_none(),
                            "{format} {name} shows a key id"
                        );
                    }
                }
            }
            for at in memchr::memmem::find_iter(&bytes, b"Signature=") {
                let signature = &bytes[at + 10..at + 74];
                assert!(
                    memchr::memmem::find(&ran.stdout, signature).is_none(),
                    "{format} {name} shows a signature"
                );
            }
        }
    }
}

// Documents.

fn listed_commands() -> Vec<String> {
    let ran = run(&["--help"]);
    expect(&ran, 0);
    assert_eq!(ran.stderr, "");
    let list = ran.text().split("Commands:").nth(1).expect("the help lists the commands");
    list.lines()
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn help_lists_the_commands_that_exist() {
    let listed = listed_commands();
    for command in &listed {
        assert!(COMMANDS.contains(&command.as_str()), "{command} is in no contract");
        let ran = run(&[command.as_str(), "--help"]);
        expect(&ran, 0);
        assert!(ran.text().contains("Usage:"), "{command}");
    }
    for command in COMMANDS.iter().filter(|command| !listed.iter().any(|listed| listed == *command)) {
        expect_error(&run(&[command, "--help"]), 2, &[command]);
    }
    for wanted in ["analyze", "check", "explain", "rules", "profiles", "completions", "man"] {
        assert!(listed.iter().any(|listed| listed == wanted), "{wanted} is missing");
    }
    expect(&run(&["--version"]), 0);
}

#[test]
fn help_names_the_flags_of_analyze() {
    let ran = run(&["analyze", "--help"]);
    for flag in [
        "--format",
        "-o",
        "--profile",
        "--config",
        "--all-services",
        "--fail-on",
        "--jobs",
        "--no-progress",
        "--redact",
    ] {
        assert!(ran.text().contains(flag), "{flag}");
    }
}

#[test]
fn every_rule_is_listed_and_explained() {
    let rules = run(&["rules"]);
    expect(&rules, 0);
    for rule in RULES.into_iter().chain(["signing_not_assessable"]) {
        assert!(rules.text().contains(rule), "{rule} is not listed");
        let ran = run(&["explain", rule]);
        expect(&ran, 0);
        assert!(ran.text().contains(rule) && ran.text().len() > 200, "{rule}: {}", ran.text());
    }
}

#[test]
fn every_profile_is_listed_and_printed() {
    let profiles = run(&["profiles"]);
    expect(&profiles, 0);
    for profile in PROFILES {
        assert!(profiles.text().contains(profile), "{profile} is not listed");
        let ran = run(&["profiles", profile]);
        expect(&ran, 0);
        assert!(ran.text().contains(profile) && ran.text().contains("1."), "{profile}: {}", ran.text());
        let ran = run(&["analyze", "--format", "jsonl", "--profile", profile, CLEAN]);
        expect(&ran, 0);
        assert_eq!(ran.records()[0]["policy.profile"], profile);
    }
}

#[test]
fn host_names_are_explained() {
    for (host, words) in [
        ("dynamodb.eu-west-1.amazonaws.com", &["dynamodb", "eu-west-1", "regional"][..]),
        ("streams.dynamodb.eu-west-1.amazonaws.com", &["dynamodb-streams", "eu-west-1", "regional"]),
        ("dynamodb-fips.us-east-1.amazonaws.com", &["fips", "us-east-1"]),
        ("dynamodb.eu-west-1.api.aws", &["dual_stack", "eu-west-1"]),
        ("123456789012.ddb.us-east-1.amazonaws.com", &["account", "us-east-1"]),
        ("vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.amazonaws.com", &["interface", "us-east-1"]),
        ("dynamodb.cn-north-1.amazonaws.com.cn", &["cn-north-1", "aws-cn"]),
        ("DYNAMODB.EU-WEST-1.AMAZONAWS.COM", &["dynamodb", "eu-west-1"]),
    ] {
        let ran = run(&["explain", host]);
        expect(&ran, 0);
        for word in words {
            assert!(ran.text().contains(word), "{host}: {word} is not said: {}", ran.text());
        }
    }
    let ran = run(&["explain", "dynamodb.us-east-1.amazonaws.com.evil.example"]);
    assert!(!ran.text().contains("regional"), "{}", ran.text());
}

#[test]
fn configuration_is_checked_and_printed() {
    let ran = run(&["check"]);
    expect(&ran, 0);
    assert!(ran.text().contains("aws-dynamodb"), "{}", ran.text());
    let folder = folder();
    let path = example(folder.path());
    let ran = run(&["check", "--config", &path]);
    expect(&ran, 0);
    for word in [
        "aws-dynamodb",
        "dx-frankfurt",
        "direct_connect_public",
        "eu-central-1",
        "payments team",
        "2027-03-31",
    ] {
        assert!(ran.text().contains(word), "{word} is not printed: {}", ran.text());
    }
    let ran = run(&["analyze", "--format", "jsonl", "--config", &path, "--profile", "house", CLEAN]);
    expect(&ran, 0);
    assert_eq!(ran.records()[0]["policy.profile"], "house");
}

#[test]
fn exception_turns_a_violation_into_information() {
    let folder = folder();
    let exception = |expires: &str| {
        let text = format!(
            "[[policy.exception]]\nrule = \"tls_version_too_low\"\nmatch = {{ source = [\"10.1.2.3/32\"] }}\n\
             owner = \"payments team\"\nreason = \"appliance is replaced\"\nexpires = \"{expires}\"\n"
        );
        let path = write(folder.path(), "exception.toml", text);
        let ran = run(&["analyze", "--format", "jsonl", "--config", &path, "tls10-ecdhe-rsa.pcap"]);
        let record = ran.records().remove(0);
        let violations = record["violations"].as_array().unwrap().clone();
        violations.into_iter().find(|violation| violation["rule"] == "tls_version_too_low").unwrap()
    };
    let excused = exception("2027-03-31");
    assert_eq!(excused["severity"], "info");
    let message = shown(&excused["message"]);
    assert!(message.contains("payments team") && message.contains("2027-03-31"), "{message}");
    assert_eq!(exception("2026-01-01")["severity"], "critical", "expired at packet time");
}

#[test]
fn completions_are_scripts() {
    for (shell, check) in [
        ("bash", Some(["bash", "-n"])),
        ("zsh", Some(["zsh", "-n"])),
        ("fish", Some(["fish", "--no-execute"])),
        ("elvish", None),
        ("powershell", None),
    ] {
        let ran = run(&["completions", shell]);
        expect(&ran, 0);
        assert!(ran.text().contains("ddbwatch") && ran.text().contains("analyze"), "{shell}");
        let Some([program, flag]) = check else { continue };
        let folder = folder();
        let path = write(folder.path(), "script", &ran.stdout);
        match Command::new(program).args([flag, &path]).output() {
            Ok(output) => {
                assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr))
            }
            Err(_) => println!("skipped: {program} is not installed"),
        }
    }
}

#[test]
fn manual_page_can_be_typeset() {
    let ran = run(&["man"]);
    expect(&ran, 0);
    assert!(ran.text().contains(".TH") && ran.text().contains("analyze"));
    let folder = folder();
    let path = write(folder.path(), "ddbwatch.1", &ran.stdout);
    match Command::new("man")
        .args(["-l", "--warnings", &path])
        .env("MANPAGER", "cat")
        .env("LC_ALL", "C.UTF-8")
        .output()
    {
        Ok(output) => {
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(String::from_utf8_lossy(&output.stdout).contains("analyze"));
        }
        Err(_) => println!("skipped: man is not installed"),
    }
}
