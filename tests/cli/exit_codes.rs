//! Exit codes, and what is said beside them.

use super::*;

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
    if fs::File::open(&path).is_err() {
        return expect_error(&run(&["analyze", &path]), 1, &["locked.pcap"]);
    }
    // Root may read everything.
    if support::is_there("setpriv") {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (_folder, program) = support::program_for_everybody();
        let mut command = std::process::Command::new("setpriv");
        command.args(support::WITHOUT_PRIVILEGES).arg(program).args(["analyze", &path]);
        expect_error(&finish(&mut command), 1, &["locked.pcap"]);
    }
}

#[test]
fn wrong_usage_gives_two_and_the_word() {
    for (arguments, word) in [
        (&["analyze", "--no-such-flag", CLEAN][..], "--no-such-flag"),
        (&["analyze"], "CAPTURE"),
        (&["no-such-command"], "no-such-command"),
        (&["watch", "-i", ""], "--interface"),
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
        (
            "[endpoints]\nip_ranges = \"/nowhere/ip-ranges.json\"\n",
            &["/nowhere/ip-ranges.json", "ip_ranges", "line 2"],
        ),
        ("[privacy]\nkey_file = \"/nowhere/redact.key\"\n", &["/nowhere/redact.key", "key_file", "line 2"]),
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
