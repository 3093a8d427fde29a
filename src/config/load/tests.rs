//! The documented example, each kind of mistake, and any bytes at all.

use std::fmt::Write as _;

use super::*;
use crate::classify::Role;
use crate::config::{Backend, describe};
use crate::model::registry::TlsVersion;
use crate::model::{Access, Entry, Service};
use crate::policy::{AllowedPath, Rule};

const EXAMPLE: &str = include_str!("../example.toml");

pub(in crate::config) fn parsed(text: &str) -> Resolved {
    parse(text, &CommandLine::default()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The only problem of a text.
pub(in crate::config) fn problem(text: &str) -> String {
    let error = parse(text, &CommandLine::default()).expect_err(text).to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn takes_the_documented_example() {
    let resolved = parsed(EXAMPLE);
    assert_eq!(resolved.site.region.as_deref(), Some("eu-central-1"));
    assert_eq!(resolved.site.role, Some(Role::Nat));
    assert_eq!(resolved.path.site, resolved.site);
    assert_eq!(resolved.policy.site.region, resolved.site.region);
    assert_eq!(resolved.policy.site.egress_hop, Some("NAT hop"));
    assert_eq!(resolved.site.vpn_outside, ["203.0.113.10/32".parse().unwrap()]);
    assert_eq!(resolved.capture.interfaces, ["eth0", "vti*"]);
    assert_eq!(resolved.endpoint.hosts[0].name, "db.corp.example");
    assert_eq!(resolved.endpoint.hosts[0].service, Service::Dynamodb);
    let rule = &resolved.path.rules[0];
    assert_eq!(
        (rule.interface.as_slice(), rule.vlan.as_slice()),
        (["eth1".to_owned()].as_slice(), [120, 121].as_slice())
    );
    assert_eq!((rule.access, rule.entry), (Access::DirectConnectPublic, Some(Entry::PublicEndpoint)));
    let policy = &resolved.policy;
    assert_eq!(&*policy.settings.profile, "aws-dynamodb");
    assert_eq!(policy.settings.severities.of(Rule::EarlyData), None);
    assert_eq!(
        policy.settings.allowed_paths,
        [AllowedPath { access: Some(Access::DirectConnectPublic), entry: Some(Entry::PublicEndpoint) }]
    );
    let stricter = &policy.overrides[0];
    assert_eq!(stricter.settings.minimum_version, TlsVersion::TLS13);
    assert_eq!(stricter.settings.severities.of(Rule::EarlyData), None, "the rest is that of [policy]");
    assert_eq!(policy.exceptions[0].owner, "payments team");
    let house = &resolved.profiles[0];
    assert_eq!((house.name.as_str(), house.extends.as_deref()), ("house", Some("nist-800-52r2")));
    assert_eq!(house.settings.minimum_version, TlsVersion::TLS13);
    assert!(!house.settings.allowed_ciphers.is_empty());
    assert_eq!(resolved.limits.flows, 200_000);
    assert_eq!(resolved.metrics.listen.to_string(), "127.0.0.1:9477");
    assert!(resolved.warnings.is_empty());
}

#[test]
fn needs_nothing() {
    let resolved = parsed("");
    assert_eq!(resolved.policy, crate::policy::Options::default());
    assert!(resolved.privacy.redact);
    for section in
        ["site", "capture", "endpoints", "policy", "output", "metrics", "privacy", "limits", "profile"]
    {
        parsed(&format!("[{section}]\n"));
    }
}

#[test]
fn says_what_is_wrong_and_where() {
    for (text, expected) in [
        (
            "[policy]\nprofil = \"x\"",
            "unknown key `profil` in [policy] at line 2, column 1: did you mean `profile`?",
        ),
        ("[polcy]", "unknown key `polcy` in the configuration at line 1, column 2: did you mean `policy`?"),
        (
            "[policy]\nprofile = \"pci-dss\"",
            "`profile` in [policy] names the unknown profile `pci-dss` at line 2, column 11: did you mean `pci-dss-4`?",
        ),
        (
            "[policy]\nprofile = 4",
            "`profile` in [policy] must be a string, but is a whole number at line 2, column 11",
        ),
        (
            "policy = 4",
            "`policy` in the configuration must be a table, but is a whole number at line 1, column 10",
        ),
        (
            "[policy]\nminimum_version = \"1.4\"",
            "`minimum_version` in [policy] says `1.4`, which is no version at line 2, column 19: known are 2, 3, 1.0, 1.1, 1.2, 1.3",
        ),
        (
            "[policy]\nallowed_ciphers = [\"TLS_AES_128_GCM_SHA265\"]",
            "`allowed_ciphers` in [policy] names the unknown cipher suite `TLS_AES_128_GCM_SHA265` at line 2, column 20: did you mean `TLS_AES_128_GCM_SHA256`?",
        ),
        (
            "[policy]\nallowed_groups = \"x25518\"",
            "`allowed_groups` in [policy] names the unknown group `x25518` at line 2, column 18: did you mean `x25519`?",
        ),
        (
            "[policy]\nseverity = { early_date = \"off\" }",
            "`early_date` in `severity` in [policy] is no rule at line 2, column 27: did you mean `early_data`?",
        ),
        (
            "[policy]\nseverity = { early_data = \"of\" }",
            "`early_data` in `severity` in [policy] says `of`, which is no severity at line 2, column 27: did you mean `off`?",
        ),
        (
            "[policy]\nseverity = { signing_not_assessable = \"critical\" }",
            "`signing_not_assessable` in `severity` in [policy] cannot be more than info: what cannot be seen is held against nobody at line 2, column 39",
        ),
        (
            "[site]\nvpn_outside = \"10.1.2.3/16\"",
            "`vpn_outside` in [site] says `10.1.2.3/16`, which has bits beyond its prefix at line 2, column 15: did you mean `10.1.0.0/16`?",
        ),
        (
            "[site]\nvpn_outside = [\"10.1.2\"]",
            "`vpn_outside` in [site] says `10.1.2`, which is no network at line 2, column 16: write it like 10.0.0.0/8",
        ),
        (
            "[site]\nrole = \"natt\"",
            "`role` in [site] says `natt`, which is no role at line 2, column 8: did you mean `nat`?",
        ),
        (
            "[site]\nregion = \"Frankfurt\"",
            "`region` in [site] says `Frankfurt`, which is no region such as eu-central-1 at line 2, column 10",
        ),
        ("[limits]\nflows = 3", "`flows` in [limits] must be from 16 to 50000000 at line 2, column 9"),
        ("[limits]\nflows = -1", "`flows` in [limits] must be from 16 to 50000000 at line 2, column 9"),
        (
            "[limits]\nflows = 99_999_999_999_999_999_999",
            "`flows` in [limits] must be from 16 to 50000000 at line 2, column 9",
        ),
        (
            "[metrics]\nlisten = \"9477\"",
            "`listen` in [metrics] says `9477`, which is no address and port such as 127.0.0.1:9477 at line 2, column 10",
        ),
        (
            "[privacy]\nredact = \"yes\"",
            "`redact` in [privacy] must be true or false, but is a string at line 2, column 10",
        ),
        (
            "[profile.pci-dss-4]\n",
            "`pci-dss-4` in [profile] is the name of a built-in profile at line 1, column 1: give it another name and say `extends`",
        ),
        (
            "[profile.a]\nextends = \"b\"\n[profile.b]\nextends = \"nist\"",
            "`extends` in [profile.b] names the unknown profile `nist` at line 4, column 11: did you mean `nist-800-52r2`?",
        ),
        (
            "[profile.a]\nextends = \"b\"\n[profile.b]\nextends = \"house\"",
            "`extends` in [profile.b] names the unknown profile `house` at line 4, column 11: known are a, b, aws-dynamodb, aws-dynamodb-2019, nist-800-52r2, pci-dss-4, fips-140-3, bsi-tr-02102-2, cnsa-1.0, cnsa-2.0, pq-ready",
        ),
        (
            "[limits]\nmem = 1",
            "unknown key `mem` in [limits] at line 2, column 1: did you mean `memory_mib`?",
        ),
        (
            "[[policy.override]]\nmatch = { src = \"10.0.0.1\" }\nminimum_version = \"1.3\"",
            "unknown key `src` in match of [[policy.override]] number 1 at line 2, column 11: did you mean `source`?",
        ),
        (
            "[policy]\nminimum_version = \"1.3\"\nrecommended_version = \"1.2\"",
            "[policy] recommends a version below its minimum at line 1, column 1",
        ),
    ] {
        assert_eq!(problem(text), expected);
    }
}

#[test]
fn says_what_is_wrong_with_path_rules() {
    for (line, part) in [
        ("vlan = 0", "must be from 1 to 4094"),
        ("vlan = [1, 4095]", "must be from 1 to 4094"),
        ("vlan = \"120\"", "must be a whole number, but is a string"),
        ("vni = 16777216", "must be from 0 to 16777215"),
        ("gwlb_endpoint = \"vpce-xyz\"", "is no endpoint id"),
        ("gwlb_endpoint = \"vpce-10000000000000000\"", "is no endpoint id"),
        ("next_hop_mac = \"02:00:5e:10:00\"", "is no hardware address"),
        ("next_hop_mac = \"02:00:5e:10:00:01:02\"", "is no hardware address"),
        ("tunnel = \"vxlam\"", "did you mean `vxlan`?"),
        ("interface = \"\"", "must not be empty"),
        ("vlna = 3", "unknown key `vlna` in [[path]] number 1"),
        ("entry = \"public\"", "which is no entry"),
        ("source = []", "`source` in [[path]] number 1 must not be empty"),
        ("vlan = []", "leave it out where it is to hold for all flows"),
    ] {
        let text = problem(&format!("[[path]]\naccess = \"internet\"\n{line}"));
        assert!(text.contains(part) && text.contains("at line 3, column"), "{text}");
    }
    assert!(problem("[[path]]\nvlan = 3").contains("[[path]] number 1 says neither `access` nor `entry`"));
    assert!(problem("[path]\nvlan = 3").contains("must be a list, but is a table"));
}

#[test]
fn takes_one_value_or_a_list() {
    let rule = |text: &str| parsed(&format!("[[path]]\naccess = \"in_vpc\"\n{text}")).path.rules.remove(0);
    assert_eq!(rule("vlan = 3"), rule("vlan = [3]"));
    assert_eq!(rule("source = \"10.0.0.1\"").source, ["10.0.0.1/32".parse().unwrap()]);
    assert_eq!(rule("gwlb_endpoint = \"vpce-0fedcba9876543210\"").gwlb_endpoint, [0xfedc_ba98_7654_3210]);
    assert_eq!(rule("next_hop_mac = \"02-00-5E-10-00-01\"").next_hop_mac, [[2, 0, 0x5e, 0x10, 0, 1]]);
    assert_eq!(rule("").name, "path-1");
    let mapped = "source = [\"::ffff:10.0.0.0/104\", \"::ffff:10.0.0.1\"]";
    assert_eq!(rule(mapped), rule("source = [\"10.0.0.0/8\", \"10.0.0.1\"]"));
}

/// Whoever waits for the other end of a pipe waits for ever.
#[cfg(unix)]
#[test]
fn reads_no_pipe_a_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, file) = (folder.path().join("pipe"), folder.path().join("c.toml"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let again = |path: &Path| load_again(Some(path), &CommandLine::default());
    for (text, path) in [
        (String::new(), &pipe),
        (format!("[endpoints]\nip_ranges = '{}'\n", pipe.display()), &file),
        (format!("[privacy]\nkey_file = '{}'\n", pipe.display()), &file),
    ] {
        std::fs::write(&file, &text).unwrap();
        let why = again(path).unwrap_err();
        let why = format!("{why}: {:?}", std::error::Error::source(&why));
        assert!(why.contains("it is a pipe, which can be read only once"), "{text}{why}");
    }
    std::fs::write(&file, "").unwrap();
    assert!(again(&file).is_ok());
}

#[test]
fn takes_no_name_that_nothing_has() {
    let path = problem(
        "[[path]]\nname = \"lan\"\naccess = \"internet\"\n[[policy.override]]\nmatch = { path = \"lam\" }\n",
    );
    let expected = "names `lam`, which is no [[path]] at line 5, column 18: did you mean `lan`?";
    assert!(path.contains(expected), "{path}");
    let host = problem("[endpoints]\nhosts = [{ name = \"10.0.0.1\" }]");
    assert!(host.contains("says `10.0.0.1`, which is an address and no host name"), "{host}");
}

#[test]
fn tells_all_problems_at_once_in_order() {
    let error =
        parse("[limits]\nflows = 1\n[site]\nrole = 1\n[metrics]\nlisten = \"x\"", &CommandLine::default());
    let Err(ConfigError::Invalid { problems, .. }) = error else { panic!("{error:?}") };
    let lines: Vec<usize> = problems.iter().map(|problem| problem.place.unwrap().0).collect();
    assert_eq!(lines, [2, 4, 6]);
    let many = (0..100).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "key{index} = 1");
        text
    });
    let text = parse(&many, &CommandLine::default()).unwrap_err().to_string();
    assert!(text.ends_with("and 80 more"), "{text}");
}

#[test]
fn places_errors_of_the_language_itself() {
    let text = problem("[site]\nrole = ");
    assert!(text.contains("at line 2, column"), "{text}");
}

#[test]
fn lets_the_command_line_win() {
    let command_line = CommandLine {
        profile: Some("house".to_owned()),
        interfaces: vec!["lo".to_owned()],
        backend: Some(Backend::Pcap),
        redact: Some(false),
    };
    let resolved = parse(EXAMPLE, &command_line).unwrap();
    assert_eq!(&*resolved.policy.settings.profile, "house");
    assert_eq!(resolved.capture.interfaces, ["lo"]);
    assert_eq!(resolved.capture.backend, Backend::Pcap);
    assert!(!resolved.privacy.redact);
    let wrong = CommandLine { profile: Some("hous".to_owned()), ..CommandLine::default() };
    assert_eq!(
        parse(EXAMPLE, &wrong).unwrap_err().to_string(),
        "--profile names the unknown profile `hous`: did you mean `house`?"
    );
}

/// What the command line stands in for is no use to look at in the file, however often that is changed.
#[test]
fn tells_what_the_command_line_stands_in_for() {
    let command_line = CommandLine {
        interfaces: vec!["lo".to_owned()],
        backend: Some(Backend::Pcap),
        ..CommandLine::default()
    };
    let warnings = |text: &str| parse(text, &command_line).unwrap().warnings;
    assert_eq!(
        warnings("[capture]\ninterfaces = [\"eth0\", \"vti*\"]\nbackend = \"ebpf\""),
        [
            "-i stands in for [capture] interfaces: eth0, vti* of the configuration does not count.",
            "--backend pcap stands in for [capture] backend = \"ebpf\"."
        ]
    );
    assert_eq!(warnings("[capture]\ninterfaces = [\"lo\"]\nbackend = \"pcap\""), [""; 0]);
    assert_eq!(warnings("[capture]\nbackend = \"auto\""), [""; 0]);
}

#[test]
fn says_which_named_file_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ddbwatch.toml");
    let load_text = |text: String| {
        std::fs::write(&file, text).unwrap();
        load(Some(&file), &CommandLine::default())
    };
    let key = folder.path().join("redact.key");
    let privacy = format!("[privacy]\nkey_file = {key:?}\n");
    let text = load_text(privacy.clone()).unwrap_err().to_string();
    assert!(
        text.contains("ddbwatch.toml: `key_file` at line 2 names ") && text.contains("redact.key"),
        "{text}"
    );
    std::fs::write(&key, "short\n").unwrap();
    assert!(load_text(privacy.clone()).unwrap_err().to_string().contains("the key has 5 bytes"));
    std::fs::write(&key, "0123456789abcdef\r\n").unwrap();
    let resolved = load_text(privacy).unwrap();
    assert_eq!(resolved.privacy.key.as_ref().unwrap().as_bytes(), b"0123456789abcdef");
    assert!(!describe(&resolved).contains("0123456789abcdef"));
    assert!(!format!("{resolved:?}").contains("0123456789abcdef"));
    let text = load_text("[endpoints]\nip_ranges = \"/nonexistent/ip-ranges.json\"".to_owned()).unwrap_err();
    let wanted = "ddbwatch.toml: `ip_ranges` at line 2 names /nonexistent/ip-ranges.json: ";
    assert!(text.to_string().contains(wanted), "{text}");
    // Whatever the way it is written, and whatever else on the way there begins with the same word.
    for text in [
        "# 1\n# ip_ranges = \"x\"\n\nendpoints.ip_ranges = \"/nonexistent/list\"\n",
        "# 1\n\n\nendpoints = { hosts = [], ip_ranges = \"/nonexistent/list\" }\n",
        "[endpoints]\nhosts = [\n]\n\"ip_ranges\" = \"/nonexistent/list\"\n",
        "[[path]]\nname = \"\"\"\nip_ranges\"\"\"\naccess = \"internet\"\n[endpoints]\nip_ranges = \"/nonexistent/list\"",
    ] {
        let line = text.lines().position(|line| line.contains("/nonexistent")).unwrap() + 1;
        let error = load_text(text.to_owned()).unwrap_err().to_string();
        assert!(error.contains(&format!("`ip_ranges` at line {line} names")), "{text}\n{error}");
    }
    let text = load_text("[site]\nrol = \"nat\"".to_owned()).unwrap_err().to_string();
    assert!(text.contains("ddbwatch.toml: unknown key `rol` in [site]"), "{text}");
    let text = load(Some(&folder.path().join("none.toml")), &CommandLine::default()).unwrap_err().to_string();
    assert!(text.contains("cannot read the configuration") && text.contains("none.toml"), "{text}");
}

#[test]
fn describes_what_it_resolved_to() {
    let page = describe(&parsed(EXAMPLE));
    for part in [
        "role: nat",
        "1. dx-frankfurt: interface eth1; vlan 120, 121 → direct_connect_public, public_endpoint",
        "policy, profile aws-dynamodb",
        "minimum version: TLS 1.2",
        "changed here: early_data off instead of info",
        "changed here: minimum version TLS 1.3 instead of TLS 1.2",
        "override 1, for source 10.9.0.0/16, region eu-west-1, endpoint account, access internet",
        "tls_version_too_low for source 10.1.2.3/32 until 2027-03-31",
        "db.corp.example (dynamodb, eu-central-1)",
        "redaction: on, account ids as keyed hashes",
        "memory: 512 MiB",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn tells_that_a_later_override_takes_what_is_left() {
    let text = "[[policy.override]]\nmatch = { source = \"10.0.0.0/8\" }\nminimum_version = \"1.3\"\n\
                [[policy.override]]\nmatch = { region = \"us-east-1\" }\nallowed_groups = [\"x25519\"]";
    let page = describe(&parsed(text));
    for part in [
        "override 1, for source 10.0.0.0/8, profile",
        "override 2, for region us-east-1 (only what no override before it takes), profile",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

/// Whoever reads it on a terminal need not have written the file.
#[test]
fn describes_no_name_as_more_than_a_name() {
    let page = describe(&parsed(
        "[policy]\nprofile = \"\\u202eown\"\n[profile.\"\\u202eown\"]\nextends = \"aws-dynamodb\"\n\
         [[policy.exception]]\nrule = \"weak_cipher\"\nowner = \"o\\n  redaction: off\"\nreason = \"r\"\nexpires = \"2027-01-01\"",
    ));
    assert!(
        page.contains("(o\\u{a}  redaction: off)") && page.contains("policy, profile \\u{202e}own"),
        "{page}"
    );
    assert!(
        !page.chars().any(|character| character != '\n' && crate::export::plain::is_active(character)),
        "{page}"
    );
}

#[test]
fn survives_any_bytes() {
    let example = EXAMPLE.as_bytes();
    for end in 0..=example.len() {
        fuzz_config(&example[..end]);
    }
    // A stride that is prime to the line lengths keeps the run short and touches every kind of place.
    for at in (0..example.len()).step_by(3) {
        for byte in [0, b'"', b'[', b']', b'=', b'\n', b'9', b'-', 0xff] {
            let mut changed = example.to_vec();
            changed[at] = byte;
            fuzz_config(&changed);
        }
    }
    fuzz_config("[".repeat(100_000).as_bytes());
    fuzz_config(format!("a = {}", "[".repeat(100_000)).as_bytes());
}

#[test]
fn refuses_a_condition_without_a_value() {
    let why = "must not be empty at line 2";
    for (text, what) in [
        ("[[path]]\nvlan = []\naccess = \"internet\"", "`vlan` in [[path]] number 1"),
        ("[[path]]\ntunnel = []\naccess = \"internet\"", "`tunnel` in [[path]] number 1"),
        ("[[policy.override]]\nmatch = { region = [] }", "`region` in match of [[policy.override]] number 1"),
        (
            "[[policy.override]]\nmatch = { access = [] }\nminimum_version = \"1.0\"",
            "`access` in match of [[policy.override]] number 1",
        ),
        (
            "[[policy.exception]]\nmatch = { source = [] }\nrule = \"weak_cipher\"\nowner = \"a\"\nreason = \"b\"\n\
             expires = \"2027-03-31\"",
            "`source` in match of [[policy.exception]] number 1",
        ),
    ] {
        assert!(problem(text).starts_with(&format!("{what} {why}")), "{}", problem(text));
    }
    // Lists that are no conditions may be empty: nothing is checked against them, or nothing is watched.
    parsed("[policy]\nallowed_ciphers = []\nallowed_paths = []\n[site]\nvpn_outside = []");
}

#[test]
fn warns_of_regions_that_no_flow_goes_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ddbwatch.toml");
    let warnings = |text: &str| {
        std::fs::write(&path, text).unwrap();
        load(Some(&path), &CommandLine::default()).unwrap().warnings
    };
    assert_eq!(
        warnings(
            "[site]\nregion = \"eu-wset-1\"\n[[policy.override]]\nmatch = { region = [\"us-east-1\", \"eu-wset-1\"] }"
        ),
        ["`eu-wset-1` is no region of the address list: did you mean `eu-west-1`?"]
    );
    for known in ["eu-central-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"] {
        assert_eq!(warnings(&format!("[site]\nregion = \"{known}\"\n")), [""; 0], "{known}");
    }
}
