//! The door for fuzzing: one input drives both streams of a session.

use super::probe::{find_client_hello, looks_like_record, probe};
use super::reader::Reader;
use super::session::Session;
use crate::model::{Timestamp, TlsFacts};

/// Runs a session over `bytes`: each step begins with a byte whose low bit names the sender, whose second
/// bit asks for a gap, and two more that give the length of what follows.
pub fn fuzz_tls(bytes: &[u8]) -> TlsFacts {
    let _ = (probe(bytes), find_client_hello(bytes), looks_like_record(bytes));
    let mut session = Session::new();
    let mut reader = Reader::new(bytes);
    let mut step = 0;
    while let (Some(order), Some(length)) = (reader.u8(), reader.u16()) {
        let at = Timestamp::from_seconds(step);
        step += 1;
        let piece = reader.take_at_most(usize::from(length));
        match (order & 1, order & 2) {
            (0, 0) => session.client(piece, at),
            (0, _) => session.client_gap(None),
            (_, 0) => session.server(piece, at),
            (_, _) => session.server_gap(None),
        }
    }
    session.close();
    let _ = (
        session.held_bytes(),
        session.errors().iter().count(),
        session.leaf_certificate().map(|leaf| leaf.len()),
    );
    session.finish()
}
