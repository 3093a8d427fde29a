//! What is never written, and what only where it is asked for.

use super::*;

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
fn account_ids_in_paths_are_hidden_as_well() {
    let folder = folder();
    let inside = folder.path().join("AWSLogs/161616161616");
    std::fs::create_dir_all(&inside).unwrap();
    let whole = support::capture_bytes(&capture("tls10-rsa.pcap"));
    std::fs::write(inside.join("cut.pcap"), &whole[..whole.len() - 9]).unwrap();
    std::fs::write(inside.join("note.txt"), "no capture").unwrap();
    write(&inside, "ranges.json", IP_RANGES);
    let ranges = format!("[endpoints]\nip_ranges = \"{}/ranges.json\"\n", inside.display());
    let config = write(&inside, "c.toml", ranges);
    let path = folder.path().to_str().unwrap();
    let ran = run(&["top", "--once", "--config", &config, inside.join("cut.pcap").to_str().unwrap()]);
    expect(&ran, 4);
    assert!(
        ran.text().contains("account-1/cut.pcap") && !ran.text().contains("161616161616"),
        "{}",
        ran.text()
    );
    for format in formats() {
        let ran = run(&["analyze", "--format", &format, "--all-services", "--config", &config, path]);
        expect(&ran, 4);
        assert!(memchr::memmem::find(&ran.stdout, b"161616161616").is_none(), "{format}");
        // Whoever gave the path has to find the place.
        assert!(ran.stderr.contains("161616161616/cut.pcap: damaged"), "{}", ran.stderr);
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

/// A number that stands in the records is given to no other account, and where it cannot be helped that is said.
#[test]
fn numbers_of_several_runs_are_not_told_as_one() {
    let folder = folder();
    let recorded = |redact: &str| {
        let ran = run(&["analyze", "--format", "jsonl", "--redact", redact, "endpoint-names.pcap"]);
        ran.text().lines().filter(|line| line.contains("aws.account_id")).take(1).collect::<String>() + "\n"
    };
    let (numbered, clear) = (recorded("on"), recorded("off"));
    assert!(numbered.contains("\"account-1\"") && clear.contains("\"123456789012\""));
    let told = |name: &str, lines: &[&str]| {
        let file = write(folder.path(), name, lines.concat());
        let ran = run(&["report", "--format", "jsonl", &file]);
        let accounts: Vec<String> =
            ran.records().iter().map(|record| shown(&record["aws.account_id"])).collect();
        (
            accounts,
            ran.stderr.contains("one account may have two numbers"),
            run(&["report", &file]).text().to_owned(),
        )
    };
    let (accounts, is_warned, html) = told("a.jsonl", &[&numbered, &clear]);
    assert_eq!(accounts, ["account-1", "account-2"]);
    assert!(is_warned && html.contains("one account may have two numbers"));
    // In whatever text of a record it stands.
    let named = clear.replace("\"endpoint-names.pcap\"", "\"dump-account-1.pcap\"");
    assert_ne!(named, clear);
    let (accounts, is_warned, html) = told("d.jsonl", &[&named]);
    assert_eq!(accounts, ["account-2"]);
    assert!(is_warned && html.contains("one account may have two numbers"));
    let (_, is_warned, html) = told("b.jsonl", &[&numbered]);
    assert!(!is_warned && html.contains("a number may stand for several accounts"));
    let (_, is_warned, html) = told("c.jsonl", &[&clear]);
    assert!(!is_warned && !html.contains("a number may stand for several accounts"));
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
