//! The eBPF program under an older kernel, in a virtual machine; see README.md beside this.

use std::process::Command;

/// Each loads the program, hangs it on interfaces or a socket, and looks at what comes up.
const TESTS: [&str; 3] = [
    "ebpf::selection::gives_frames_as_they_were_on_the_wire",
    "ebpf::selection::leaves_out_what_is_settled_until_the_next_opening",
    "ebpf::selection::selects_for_a_packet_socket",
];

/// The exit status of `run.py` where apt knows no kernel of Debian.
const NO_KERNEL: i32 = 77;

#[test]
fn loads_and_selects_under_the_kernel_of_debian() {
    let tools = ["qemu-system-x86_64", "busybox", "cpio", "modprobe", "dpkg-deb", "apt-get"];
    if !tools.iter().all(|tool| crate::support::is_there(tool)) {
        return;
    }
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels/run.py"))
        .arg(std::env::current_exe().unwrap())
        .args(["--seconds", "600", "--", "--exact", "--test-threads", "2"])
        .args(TESTS)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NO_KERNEL) {
        return crate::support::skip(&said);
    }
    assert!(output.status.success(), "{said}");
    assert!(said.contains("3 passed"), "{said}");
    println!("{said}");
}
