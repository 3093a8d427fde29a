//! What the tests from the outside share: running the program, the shipped captures, other programs.

pub mod packets;
#[cfg(target_os = "linux")]
pub mod terminal;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

/// One flow record as printed.
pub type Record = Map<String, Value>;

/// How a run of the program ended and what it said.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is UTF-8")
    }

    /// The flow records on standard output.
    pub fn records(&self) -> Vec<Record> {
        records(self.text())
    }
}

/// The program, in the folder of the captures and without what the environment might ask of it.
pub fn ddbwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddbwatch"));
    command.current_dir(captures()).stdin(Stdio::null());
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program with these arguments.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    finish(ddbwatch().args(arguments))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked at"), "{command:?}: {stderr}");
    Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

/// Runs a command to its end with `input` on its standard input.
pub fn finish_with(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    let input = input.to_vec();
    // A thread of its own: neither side waits for the other's full pipe. Who reads may stop early.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked at"), "{command:?}: {stderr}");
    Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

/// The records of JSON Lines.
pub fn records(text: &str) -> Vec<Record> {
    text.lines()
        .map(|line| match serde_json::from_str(line) {
            Ok(Value::Object(record)) => record,
            other => panic!("{line} is no JSON object: {other:?}"),
        })
        .collect()
}

/// The folder of the shipped captures.
pub fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// The path of a shipped capture.
pub fn capture(name: &str) -> PathBuf {
    let path = captures().join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The bytes of a shipped capture, without their compression.
pub fn capture_bytes(path: &Path) -> Vec<u8> {
    use std::io::Read;

    let bytes = std::fs::read(path).expect("the capture can be read");
    let mut plain = Vec::new();
    match bytes.get(..4) {
        Some([0x1f, 0x8b, ..]) => {
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).expect("valid gzip");
        }
        Some([0x28, 0xb5, 0x2f, 0xfd]) => plain = zstd::decode_all(&bytes[..]).expect("valid zstd"),
        _ => plain = bytes,
    }
    plain
}

/// True where the named program is there. Where it is not, the reason for skipping is printed; in
/// continuous integration nothing is skipped.
pub fn is_there(program: &str) -> bool {
    let is_found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !is_found {
        skip(&format!("{program} is not installed"));
    }
    is_found
}

/// Says why a test is skipped; in continuous integration none is.
pub fn skip(why: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{why}, and with CI=true nothing is skipped");
    println!("skipped: {why}");
}

/// True for root; who is not skips the test, because `what` needs it.
#[cfg(target_os = "linux")]
pub fn is_root(what: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        skip(&format!("{what} needs root"));
    }
    is_root
}

/// What `work` gives for each item, by two threads; in the order of the items.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    loop {
                        let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(item) = items.get(index) else { return mine };
                        mine.push((index, work(item)));
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no item fails")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The text of a record's value, without the quotes of a string.
pub fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A copy of the program where every user can reach it: where it was built, others may not. It is there as long as the
/// folder is.
#[cfg(unix)]
pub fn program_for_everybody() -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let program = folder.path().join("ddbwatch");
    std::fs::copy(env!("CARGO_BIN_EXE_ddbwatch"), &program).expect("the program can be copied");
    (folder, program)
}

/// Arguments of `setpriv`, with which root starts a program as somebody without any privilege.
#[cfg(unix)]
pub const WITHOUT_PRIVILEGES: [&str; 4] =
    ["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
