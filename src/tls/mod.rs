//! Stream bytes → what the clear part of a TLS or SSL handshake says.
//!
//! Input: the two ordered byte streams of one connection, cut anywhere, with the gaps named. Output:
//! [`TlsFacts`](crate::model::TlsFacts).
//!
//! [`probe()`] says whether a stream begins as TLS does, [`Session`] takes both directions. Inside:
//! `record` frames, `message` puts handshake messages together, `client_hello`, `server_hello`,
//! `certificate`, `key_exchange`, `alert` and `ssl2` read them, `session` draws the conclusions, with
//! `agreement`, `session_id`, `finished`, `answers`, `order`, `forward_secrecy`, `downgrade` and [`fingerprint`].
//!
//! It decrypts nothing, validates no certificate, reads no clock and opens nothing. Every length a stranger
//! controls is checked against a limit of `error` before anything is kept.

mod agreement;
mod alert;
mod answers;
mod certificate;
mod client_hello;
mod downgrade;
mod error;
mod extensions;
pub mod fingerprint;
mod finished;
mod forward_secrecy;
mod fuzz;
mod hellos;
mod key_exchange;
mod message;
mod numbers;
mod order;
mod probe;
mod reader;
mod record;
mod server_hello;
mod session;
mod session_id;
mod ssl2;
#[cfg(test)]
mod tests;

pub use error::{MAX_LEADING_BYTES, TlsError, TlsErrors};
pub use fuzz::fuzz_tls;
pub use hellos::Hellos;
pub use order::Seen;
pub use probe::{
    Hidden, Probe, change_of_cipher_before, find_hidden, find_last_alert, find_probed,
    looks_like_application_data, looks_like_record, probe,
};
pub use session::Session;
