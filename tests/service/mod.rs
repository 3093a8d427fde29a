//! The unit of systemd, under systemd; see run.py beside this.

use std::path::Path;
use std::process::Command;

use crate::support;

#[test]
fn runs_under_systemd_as_installed() {
    if !support::is_root("systemd as the first process of namespaces") {
        return;
    }
    // It is in no folder of the path.
    if !Path::new("/lib/systemd/systemd").exists() {
        return support::skip("systemd is not installed");
    }
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/run.py"))
        .arg(env!("CARGO_BIN_EXE_ddbwatch"))
        .arg(support::capture("boto3-tls.pcap"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
