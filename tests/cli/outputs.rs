//! Streams and files.

use super::*;

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
    // Parquet is not text: any byte may be in it.
    for format in formats().into_iter().filter(|format| format != "parquet") {
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
fn output_never_overwrites_an_input() {
    let folder = folder();
    let bytes = fs::read(capture(CLEAN)).unwrap();
    let input = write(folder.path(), "a.pcap", &bytes);
    let twin = write(folder.path(), "b.jsonl.partial", &bytes);
    let (soft, hard) = (folder.path().join("soft"), folder.path().join("hard"));
    #[cfg(unix)]
    std::os::unix::fs::symlink(&input, &soft).unwrap();
    fs::hard_link(&input, &hard).unwrap();
    let around = format!("{}/./a.pcap", folder.path().display());
    for wanted in [&input, &around, soft.to_str().unwrap(), hard.to_str().unwrap()] {
        for inputs in [&[input.as_str()][..], &[folder.path().to_str().unwrap()], &[CLEAN, &input]] {
            let mut arguments = vec!["analyze", "--format", "jsonl", "-o", wanted];
            arguments.extend(inputs);
            expect_error(&run(&arguments), 2, &[wanted, "overwrite"]);
        }
    }
    // What is written until the output is complete is an input here.
    let wanted = folder.path().join("b.jsonl");
    expect_error(&run(&["analyze", "-o", wanted.to_str().unwrap(), &twin]), 2, &["overwrite"]);
    assert_eq!(fs::read(&input).unwrap(), bytes);
    assert_eq!(fs::read(&twin).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing was written");
}

#[test]
fn output_never_overwrites_what_the_run_was_told_by() {
    let folder = folder();
    let key = write(folder.path(), "key", [b'k'; 32]);
    let text = format!("[privacy]\nkey_file = \"{key}\"\n");
    let config = write(folder.path(), "site.toml", text.as_bytes());
    let records =
        write(folder.path(), "r.jsonl", run(&["analyze", "--format", "jsonl", CLEAN]).stdout.as_slice());
    for (command, input) in [("analyze", CLEAN), ("report", records.as_str())] {
        for (wanted, what) in [(&config, "this configuration"), (&key, "this key")] {
            expect_error(&run(&[command, "--config", &config, "-o", wanted, input]), 2, &[what]);
        }
    }
    assert_eq!(fs::read_to_string(&config).unwrap(), text);
    assert_eq!(fs::read(&key).unwrap(), [b'k'; 32]);
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
        for arguments in [&["analyze", "--format", "jsonl", CLEAN][..], &["--help"], &["rules"]] {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            let ran = finish(ddbwatch().args(arguments).stdout(Stdio::from(full)));
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(!ran.stderr.is_empty());
        }
    }
}

#[test]
fn no_columns_are_as_good_as_none_that_are_known() {
    let usual = run(&["analyze", CLEAN]);
    assert_eq!(finish(ddbwatch().args(["analyze", CLEAN]).env("COLUMNS", "0")).text(), usual.text());
}

/// A run that reads an endless capture from standard input, once its output is begun.
#[cfg(unix)]
fn endless(format: &str, wanted: &Path, partial: &Path) -> std::process::Child {
    use std::io::Write as _;
    let bytes = fs::read(capture(CLEAN)).unwrap();
    let mut child = ddbwatch()
        .args(["analyze", "--no-progress", "--format", format, "-o", wanted.to_str().unwrap(), "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || {
        let (header, packets) = bytes.split_at(24);
        let mut result = stdin.write_all(header);
        while result.is_ok() {
            result = stdin.write_all(packets);
        }
    });
    while !partial.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

#[cfg(unix)]
fn interrupt(child: std::process::Child) -> support::Ran {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    support::Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

#[cfg(unix)]
#[test]
fn a_stopped_run_does_not_take_the_place_of_a_complete_one() {
    for (format, says) in [("jsonl", ""), ("table", "Reading was stopped"), ("html", "Reading was stopped")] {
        let folder = folder();
        let (wanted, partial) = (folder.path().join("out"), folder.path().join("out.partial"));
        fs::write(&wanted, "complete").unwrap();
        let ran = interrupt(endless(format, &wanted, &partial));
        expect(&ran, 130);
        assert_eq!(fs::read_to_string(&wanted).unwrap(), "complete", "{format}");
        let left = fs::read_to_string(&partial).unwrap();
        assert!(left.contains(says), "{format}: {left}");
        assert!(ran.stderr.contains(&format!("is reported in {}", partial.display())), "{}", ran.stderr);
        assert!(!left.contains("No packet was lost"), "{format}");
    }
}

/// The pipe stays open: a read that waits must not keep the wish to stop from being heard.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_waits_for_its_pipe_stops_when_asked() {
    use std::io::Write as _;
    let bytes = support::capture_bytes(&capture("boto3-tls.pcap"));
    let whole = run(&["analyze", "--format", "jsonl", "boto3-tls.pcap"]).text().lines().count();
    for (command, format, sent, flows) in [
        ("analyze", "jsonl", 0, Some(0)),
        ("analyze", "jsonl", bytes.len() - 9, Some(whole)),
        ("report", "jsonl", 0, Some(0)),
        ("report", "html", 0, None),
    ] {
        let folder = folder();
        let (wanted, partial) = (folder.path().join("out"), folder.path().join("out.partial"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_ddbwatch"))
            .args([command, "--format", format, "-o", wanted.to_str().unwrap(), "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes[..sent]).unwrap();
        // What was sent is read.
        while !partial.exists() || rustix::io::ioctl_fionread(&stdin).unwrap() > 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let ran = interrupt(child);
        expect(&ran, 130);
        assert!(!wanted.exists());
        let left = fs::read_to_string(&partial).unwrap();
        match flows {
            Some(flows) => assert_eq!(left.lines().count(), flows, "{command} {sent}"),
            None => assert!(left.contains("Reading was stopped before the end of the input"), "{left}"),
        }
        assert!(ran.stderr.contains("stopped by a signal"), "{}", ran.stderr);
        drop(stdin);
    }
}

#[cfg(unix)]
#[test]
fn two_runs_do_not_write_to_one_file() {
    let folder = folder();
    let (wanted, partial) = (folder.path().join("out"), folder.path().join("out.partial"));
    let first = endless("jsonl", &wanted, &partial);
    let path = wanted.to_str().unwrap();
    expect_error(
        &run(&["analyze", "--format", "jsonl", "-o", path, CLEAN]),
        1,
        &["out.partial", "another run"],
    );
    assert!(!wanted.exists());
    expect(&interrupt(first), 130);
    // What a run left behind is in nobody's way.
    assert!(partial.exists());
    expect(&run(&["analyze", "--format", "jsonl", "-o", path, CLEAN]), 0);
    assert_eq!(fs::read(&wanted).unwrap(), run(&["analyze", "--format", "jsonl", CLEAN]).stdout);
    assert!(!partial.exists());
}

#[cfg(unix)]
#[test]
fn a_link_that_somebody_put_beside_the_output_is_not_followed() {
    let folder = folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join("out.partial")).unwrap();
    let wanted = folder.path().join("out");
    let ran = run(&["analyze", "--format", "jsonl", "-o", wanted.to_str().unwrap(), CLEAN]);
    expect_error(&ran, 1, &["out.partial", "cannot be written"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[cfg(unix)]
#[test]
fn an_output_keeps_its_permissions_and_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let target = write(folder.path(), "target", "old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("target", &link).unwrap();
    expect(&run(&["analyze", "--format", "jsonl", "-o", link.to_str().unwrap(), CLEAN]), 0);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().starts_with('{'));
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn nothing_is_left_of_an_output_that_failed() {
    let folder = folder();
    let path = folder.path().join("out");
    let records = write(folder.path(), "no-records.jsonl", "{}\n");
    expect(&run(&["report", "-o", path.to_str().unwrap(), &records]), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_dash_is_standard_output() {
    let direct = run(&["analyze", "--format", "jsonl", CLEAN]);
    let ran = run(&["analyze", "--format", "jsonl", "-o", "-", CLEAN]);
    expect(&ran, 0);
    assert_eq!(ran.stdout, direct.stdout);
    let ran = finish_with(ddbwatch().args(["report", "--format", "jsonl", "-o", "-", "-"]), &direct.stdout);
    expect(&ran, 0);
    assert_eq!(ran.stdout, direct.stdout);
    expect_error(&run(&["analyze", "--format", "parquet", "--partition", "-o", "-", CLEAN]), 2, &["folder"]);
    assert!(!Path::new("-").exists());
}
