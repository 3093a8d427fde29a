//! Tests from the outside: one binary, a module per subject.

mod accounting;
mod cli;
mod conformance;
mod golden;
mod prometheus_text;
mod properties;
mod second_opinion;
mod stacks;
mod support;
mod tidy;
