//! Tests from the outside: one binary, a module per subject.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends by failing, and says so; helpers outside of #[test] functions are no exception"
)]

mod accounting;
mod cli;
mod conformance;
mod crashers;
mod cross_fields;
mod dashboards;
#[cfg(all(target_os = "linux", target_endian = "little"))]
mod ebpf;
mod evidence;
mod golden;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kernels;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod live;
mod losses;
mod plain_packets;
mod prometheus_text;
mod properties;
mod readme;
mod second_opinion;
mod series;
#[cfg(target_os = "linux")]
mod service;
mod sliced;
#[cfg(target_os = "linux")]
mod soak;
mod stacks;
mod support;
mod tidy;
mod watch;
