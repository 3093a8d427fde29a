//! Tests from the outside: one binary, a module per subject.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends by panicking and talks to whoever runs it"
)]

mod accounting;
mod conformance;
mod golden;
mod readme;
mod tidy;
