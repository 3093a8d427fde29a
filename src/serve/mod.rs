//! What a running daemon shows over HTTP: metrics, health, an API, and a page for people.
//!
//! Input: records and [`Accounts`](crate::telemetry::Accounts) as they come, and requests. Output: answers.
//! It takes GET and HEAD only, changes nothing, reads no request body, and every connection, request and
//! answer is limited in size, number and time. It never waits for the capture longer than [`ANSWER_TIME`].

mod http;
mod offenders;
mod page;
mod picture;
mod summary;

pub use http::{ANSWER_TIME, Answers, Limits, Server, View};
pub use offenders::{Offender, OffenderRule};
pub use page::Page;
pub use picture::{MAX_FLOWS, MAX_VIOLATIONS, Picture, Violating};
pub use summary::{Configuration, SCHEMA, Sockets, State, Summary, Watching};
