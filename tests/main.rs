//! Tests from the outside: one binary, a module per subject.

mod accounting;
mod conformance;
mod crashers;
mod golden;
mod tidy;
