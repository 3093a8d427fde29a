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
