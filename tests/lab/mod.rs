//! The lab: real clients through a gateway that runs the daemon, in network namespaces; see README.md beside this.

use std::process::Command;

/// The Python with boto3 and moto that `packaging/setup.sh test` makes; else the system's.
fn python() -> String {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");
    if std::path::Path::new(own).exists() { own.to_owned() } else { "python3".to_owned() }
}

fn passes_through_the_lab(backend: &str) {
    // Namespaces and raw sockets: nobody else may make them.
    if !crate::support::is_root("the lab") {
        return;
    }
    let output = Command::new(python())
        .args([
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/run.py"),
            env!("CARGO_BIN_EXE_ddbwatch"),
            backend,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}

#[test]
fn tells_by_each_back_end_what_was_made() {
    // One after the other: they share the names of the namespaces.
    for backend in ["ebpf", "afpacket", "pcap"] {
        passes_through_the_lab(backend);
    }
}
