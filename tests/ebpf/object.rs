//! The object itself: without privileges, and without the kernel.

#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

use std::path::Path;
use std::process::Command;

use ddbwatch::capture::ebpf::{COMPILER, OBJECT, PORTS};

#[test]
fn is_rebuilt_byte_for_byte_by_the_compiler_that_made_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capture/ebpf");
    let made_by = std::fs::read_to_string(folder.join("program.o.clang")).unwrap();
    if COMPILER != made_by.trim() {
        println!("skipped: this build used {COMPILER}, the kept object is of {}", made_by.trim());
        return;
    }
    let kept = std::fs::read(folder.join("program.o")).unwrap();
    assert!(kept == OBJECT, "program.o is not what its source gives: run make ebpf");
}

#[test]
fn is_the_same_from_any_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capture/ebpf");
    if Command::new("clang").arg("--version").output().is_err() || COMPILER == "kept object" {
        println!("skipped: no clang here");
        return;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let inner = elsewhere.path().join("a/b c");
    std::fs::create_dir_all(&inner).unwrap();
    for name in ["abi.h", "decide.h", "kernel.h", "maps.h", "plain.h", "program.c", "walk.h"] {
        std::fs::copy(folder.join(name), inner.join(name)).unwrap();
    }
    let made = |arguments: &[&str]| {
        let (program, arguments) = arguments.split_first().unwrap();
        assert!(Command::new(program).current_dir(&inner).args(arguments).status().unwrap().success());
    };
    made(&[
        "clang",
        "--target=bpfel",
        "-mcpu=v3",
        "-O2",
        "-g",
        "-nostdinc",
        "-ffile-prefix-map=./=",
        "-fdebug-compilation-dir=.",
        "-c",
        "program.c",
        "-o",
        "program.o",
    ]);
    made(&["llvm-strip", "-g", "program.o"]);
    assert!(std::fs::read(inner.join("program.o")).unwrap() == OBJECT);
}

#[test]
fn has_the_maps_and_programs_that_the_loader_asks_for() {
    let text = String::from_utf8_lossy(OBJECT);
    for name in [
        "ddb_ingress",
        "ddb_egress",
        "ddb_socket",
        "flows",
        "settle",
        "slots",
        "high_slots",
        "counts",
        "ports",
        "prefixes",
        "ring",
        "scratches",
        "flow_bytes",
        "request_bytes",
        "recents",
        ".data.epoch",
        "unparsed_per_second",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn watches_the_ports_of_interest_once() {
    let mut ports = PORTS.to_vec();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), PORTS.len());
    for port in [53, 80, 443, 1080, 3128, 8000, 8080, 8111, 8443, 9111] {
        assert!(PORTS.contains(&port), "{port}");
    }
}
