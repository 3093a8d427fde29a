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
mod evidence;
mod golden;
mod prometheus_text;
mod properties;
mod readme;
mod second_opinion;
mod stacks;
mod support;
mod tidy;
