//! Makes the kernel's part: compiles `program.c` where clang and llvm-strip are there, else takes the
//! object that is kept beside it. Nothing is ever downloaded.

#![expect(clippy::print_stdout, reason = "that is how a build script talks to cargo")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Everything the object depends on.
const SOURCES: [&str; 7] = ["abi.h", "decide.h", "kernel.h", "maps.h", "plain.h", "program.c", "walk.h"];

fn main() -> io::Result<()> {
    let folder = Path::new("src/capture/ebpf");
    println!("cargo::rerun-if-env-changed=DDBWATCH_COMMITTED_EBPF");
    println!("cargo::rerun-if-changed={}", folder.join("build.rs").display());
    println!("cargo::rerun-if-changed={}", folder.join("program.o").display());
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", folder.join(source).display());
    }
    let object = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("program.o");
    let is_wanted = env::var_os("DDBWATCH_COMMITTED_EBPF").is_none()
        && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    let compiler = if is_wanted { compile(folder, &object) } else { None };
    if compiler.is_none() {
        fs::copy(folder.join("program.o"), &object)?;
    }
    println!("cargo::rustc-env=DDBWATCH_EBPF_COMPILER={}", compiler.as_deref().unwrap_or("kept object"));
    Ok(())
}

/// The first line of `clang --version`, where an object was made.
fn compile(folder: &Path, object: &Path) -> Option<String> {
    let version = Command::new("clang").arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next()?.to_owned();
    // Paths of this machine must not get into the object: the same source gives the same bytes anywhere.
    let is_compiled = Command::new("clang")
        .current_dir(folder)
        .args([
            "--target=bpfel",
            "-mcpu=v3",
            "-O2",
            "-g",
            "-Wall",
            "-Wextra",
            "-Wno-sign-compare",
            "-nostdinc",
        ])
        .args(["-ffile-prefix-map=./=", "-fdebug-compilation-dir=.", "-c", "program.c", "-o"])
        .arg(object)
        .status()
        .is_ok_and(|status| status.success());
    let is_stripped = is_compiled
        && Command::new("llvm-strip").arg("-g").arg(object).status().is_ok_and(|status| status.success());
    if is_compiled && !is_stripped {
        println!("cargo::warning=llvm-strip is missing: the kept eBPF object is used");
    }
    is_stripped.then_some(version)
}
