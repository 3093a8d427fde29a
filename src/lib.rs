//! ddbwatch shows, from packets alone, whether traffic to Amazon DynamoDB keeps the rules for it: TLS of
//! at least a minimum version, forward secrecy, signed requests, the intended path. It decrypts nothing.
//!
//! # The way of a packet
//!
//! ```text
//! capture ─ Frame ─▶ decode ─ Segment ─▶ flow ─ bytes in order ─▶ tls, app ─ facts ─▶ classify ─▶ policy ─ Record ─▶ export, view
//!                                                    pipeline runs them all; cli starts it
//! ```
//!
//! | to learn … | look at |
//! |---|---|
//! | what is exported of a flow | [`model::Record`], [`export`] |
//! | how a capture file is read | [`capture`] |
//! | which tunnels are seen through | [`decode`] |
//! | when two packets are the same flow, and when a flow ends | [`flow`] |
//! | what a hello says, and what "forward secrecy" means here | [`tls`] |
//! | plaintext HTTP, proxies, DNS, certificates | [`app`] |
//! | what makes a flow a DynamoDB flow, and which path it took | [`classify`] |
//! | rules, profiles, verdicts | [`policy`] |
//! | what is counted, under which name | [`telemetry`] |
//! | interfaces, privileges and processes of this host | [`host`] |
//! | where everything is joined | [`pipeline`] |
//! | what a running daemon shows over HTTP | [`serve`] |
//! | what `ddbwatch top` shows of it | [`top`] |
//!
//! # Invariants
//!
//! **Unknown is an answer, pass needs proof.** A verdict is `pass` only where everything the profile asks
//! for was seen. What was looked for and not seen carries a reason.
//!
//! **Nothing is lost in silence.** Packets seen = skipped + parsed; flows opened = records + evictions +
//! open. Stages return outcomes with a reason, `pipeline` counts them.
//!
//! **Time is packet time.** `decode`, `flow`, `tls`, `app`, `classify` and `policy` open no file and no socket
//! and read no clock: the same capture gives the same bytes out, on any day, at any speed.
//!
//! **Input cannot hurt.** Every length a stranger controls has a limit, each limit a counter. No byte from
//! wire, file or configuration makes the process panic; lints refuse `unwrap` and its like.
//!
//! **Secrets stop where they are read.** Access keys, signatures, tokens and bodies never enter a type
//! that outlives the parser; account ids are replaced before anything is written.
//!
//! **A stage knows only what is before it.** `tests/tidy.rs` holds the list of who may use whom.

pub mod app;
pub mod capture;
pub mod classify;
pub mod cli;
pub mod config;
pub mod decode;
pub mod export;
pub mod flow;
#[cfg(target_os = "linux")]
pub mod host;
pub mod model;
pub mod pipeline;
pub mod policy;
pub mod serve;
pub mod telemetry;
pub mod tls;
pub mod top;
pub mod view;
