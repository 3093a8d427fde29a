//! Published captures with what independent tools say of them, where they are at hand: their folder is
//! named by `DDBWATCH_CONFORMANCE` or lies beside the project. They are other people's files and no
//! part of this project.

use std::path::PathBuf;
use std::process::Command;

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("DDBWATCH_CONFORMANCE").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    named.or(Some(beside)).filter(|folder| folder.join("score.py").is_file())
}

#[test]
fn agrees_with_independent_tools_on_published_captures() {
    let Some(folder) = folder() else {
        eprintln!("skipped: no published captures here (set DDBWATCH_CONFORMANCE to their folder)");
        return;
    };
    let output = Command::new("python3")
        .arg(folder.join("score.py"))
        .args(["--verbose", "99"])
        .env("DDBWATCH", env!("CARGO_BIN_EXE_ddbwatch"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}");
}

#[test]
fn reports_no_tls_where_there_is_none() {
    let Some(folder) = folder() else {
        eprintln!("skipped: no published captures here (set DDBWATCH_CONFORMANCE to their folder)");
        return;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_ddbwatch"))
        .args(["analyze", "--all-services", "--format", "jsonl"])
        .arg(folder.join("pcaps/negative"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let wrong: Vec<&str> = text.lines().filter(|line| line.contains("\"tls.")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
}
