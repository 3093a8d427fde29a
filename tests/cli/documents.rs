//! The documents the command prints.

use super::*;

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
fn what_is_asked_for_is_shown_as_one_harmless_line() {
    expect_error(&run(&["explain", "a\nb\u{1b}[31m"]), 2, &["`a\\u{a}b\\u{1b}[31m` is neither"]);
    let folder = folder();
    let config = write(folder.path(), "c.toml", "[profile.\"own\\u001b[31m\"]\nextends = \"aws-dynamodb\"\n");
    for name in [None, Some("own\u{1b}[31m")] {
        let ran = run(&["profiles", "--config", &config].into_iter().chain(name).collect::<Vec<_>>());
        expect(&ran, 0);
        assert!(ran.text().contains("own\\u{1b}[31m") && !ran.text().contains('\u{1b}'), "{}", ran.text());
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
        ("https://dynamodb.eu-west-1.amazonaws.com/", &["dynamodb", "eu-west-1", "regional"]),
        ("dynamodb.eu-west-1.amazonaws.com:443", &["dynamodb", "eu-west-1", "regional"]),
        ("DYNAMODB.EU-WEST-1.AMAZONAWS.COM", &["dynamodb", "eu-west-1"]),
    ] {
        let ran = run(&["explain", host]);
        expect(&ran, 0);
        for word in words {
            assert!(ran.text().contains(word), "{host}: {word} is not said: {}", ran.text());
        }
    }
    let ran = run(&["explain", "52.94.5.10"]);
    expect(&ran, 0);
    assert!(ran.text().contains("not a host name") && ran.text().contains("eu-west-1"), "{}", ran.text());
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

#[test]
fn the_manual_page_knows_every_option_of_every_command() {
    let ran = run(&["man"]);
    expect(&ran, 0);
    let page = ran.text().replace("\\-", "-");
    for command in listed_commands() {
        assert!(page.contains(&format!(".SH \"DDBWATCH {}\"", command.to_uppercase())), "{command}");
        // There is no other page to look into.
        assert!(!page.contains(&format!("ddbwatch-{command}(1)")), "{command}");
        let help = run(&[command.as_str(), "--help"]);
        let section = page.split(&format!(".SH \"DDBWATCH {}\"", command.to_uppercase())).nth(1).unwrap();
        let section = section.split(".SH ").next().unwrap();
        let is_flag = |word: &&str| word.starts_with("--") && word.len() > 2;
        for line in help.text().lines().filter(|line| line.trim_start().starts_with('-')) {
            for flag in line.split([' ', ',']).filter(is_flag).take(1) {
                let is_of_all = ["--color", "--help"].contains(&flag);
                assert!(is_of_all || section.contains(flag), "{command} {flag}:\n{section}");
            }
        }
    }
    let (_, end) = page.split_once(".SH \"EXIT STATUS\"").unwrap();
    for code in ["0", "1", "2", "3", "4", "130"] {
        assert!(end.contains(&format!("\n.TP\n\\fB{code}\\fR\n")), "{code}: {end}");
    }
    let usage = "[\\fB-o\\fR|\\fB--output\\fR \\fIFILE\\fR]";
    assert!(
        page.contains(usage) && page.contains("[\\fB--once\\fR]"),
        "an option's value is in its usage: {page}"
    );
    for again in ["<\\fICAPTURE\\fR>...", "<\\fIRECORDS\\fR>...", "\\fIIFACE\\fR]..."] {
        assert!(page.contains(again), "{again}: {page}");
    }
    for section in
        ["\n.SH ENVIRONMENT\n.TP\n\\fBNO_COLOR", "\n.SH FILES\n.TP\n\\fB/etc/ddbwatch/ddbwatch.toml"]
    {
        assert!(page.contains(section), "{section}: {page}");
    }
    assert!(page.contains("\n  s, S           sort by the next column"), "the keys of top: {page}");
}

/// A file of that name is never what is wanted there.
#[test]
fn completions_offer_the_words_that_are_taken() {
    let ran = run(&["completions", "bash"]);
    let after = |option: &str| {
        let text = ran.text();
        let (_, rest) =
            text.split_once(&format!("                {option})\n")).unwrap_or_else(|| panic!("{option}"));
        rest.split_once(";;").unwrap().0.to_owned()
    };
    for (option, words) in [("--fail-on", "info warning critical"), ("--backend", "auto ebpf afpacket pcap")]
    {
        assert!(after(option).contains(&format!("compgen -W \"{words}\"")), "{}", after(option));
    }
    assert!(!after("--profile").contains("compgen -f"), "{}", after("--profile"));
    assert!(after("--config").contains("compgen -f"), "{}", after("--config"));
    let ran = run(&["completions", "zsh"]);
    assert!(
        !ran.text().contains("subject -- A rule id such as tls_version_too_low, or a host name:_default")
    );
}
