//! Tests from the outside: one binary, a module per subject.

mod tidy;
