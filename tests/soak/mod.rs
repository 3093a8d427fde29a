//! The soak in its short form: the daemon under churn, reloads and floods; see README.md beside this.

use std::process::Command;

/// Long enough for one flood that overruns the flow table, and for three comparable thirds after the warm-up.
const SECONDS: &str = "75";

#[test]
fn stays_bounded_and_loses_nothing_uncounted() {
    // Namespaces and raw sockets: nobody else may make them.
    if !crate::support::is_root("the soak") {
        return;
    }
    let output = Command::new("python3")
        .args([
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/soak/run.py"),
            env!("CARGO_BIN_EXE_ddbwatch"),
            "--seconds",
            SECONDS,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
