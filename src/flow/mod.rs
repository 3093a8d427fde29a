//! TCP segments → the two ordered byte streams of each connection, for as long as its handshake
//! is undecided.
//!
//! Input: [`Segment`](crate::decode::Segment)s with the context they were seen in. Output: calls of a
//! [`Consumer`], which reads the bytes and says when it has learned enough; from then on a packet of
//! the flow costs one look-up.
//!
//! Bounded in everything a stranger controls: flows, those with the same addresses and ports, the looks planned at them
//! (one for each), bytes held for a flow and, as far as the consumer tells what it holds, for all of them, views of a flow.
//! Time is packet time, always an argument. It looks at no more of what the bytes mean than whether they may be a record of
//! a TLS handshake: the consumer says what the beginning of a stream looks like.

mod consumer;
mod key;
mod stream;
mod table;
mod unconfirmed;
mod wheel;

pub use consumer::{Consumer, Ending, FlowView, Identity, MAX_CONTEXTS, Moment};
pub use key::Key;
pub use table::{Kinship, Limits, Place, Table, TableCounts, Taken};
