//! The shared vocabulary: what every stage may name and nothing that any stage does.
//!
//! Input: nothing. Output: plain types. It opens no file, reads no clock, keeps no state.

mod account;
mod address;
mod closed_set;
mod date;
mod dynamodb;
mod encapsulation;
mod hello;
mod kind;
mod memo;
mod path;
mod proxy;
mod record;
pub mod registry;
mod time;
mod tls;
mod verdict;

pub use account::{ACCOUNT_DIGITS, GROUP_DIGITS, Unescaped, without_begun_number};
pub use address::{Side, embedded, is_private};
pub use date::Date;
pub use dynamodb::{
    AWS_SUFFIXES, Confidence, Endpoint, EndpointEvidence, EndpointFacts, EndpointKind, Service,
};
pub use encapsulation::{Encapsulation, Layer, Layers, MAX_LAYERS, Tenant, Tunnel};
pub use hello::{Hello, MAX_SESSION_ID_BYTES, Shared};
pub use kind::TlsKind;
pub use memo::Memo;
pub use path::{Access, Entry, PathEvidence, PathFacts};
pub use proxy::{ProxyFacts, ProxyKind};
pub use record::{
    Completeness, Eviction, HostFacts, HttpFacts, LaterRequest, LaterRequests, Origin, Outcome, Record,
    Sighting, Signature, SigningCredential,
};
pub use time::Timestamp;
pub use tls::{
    AlertFrom, CertificateFacts, ClientHello, Downgrade, EncryptedHello, ForwardSecrecy, KeyExchangeFacts,
    Offered, Resumption, ServerHello, Sni, TicketDigest, TlsFacts,
};
pub use verdict::{Excuse, Judgement, PolicyFacts, Severity, Verdict, Violation};

// The words of every stage's closed sets are written down in one way.
pub(crate) use closed_set::closed_set;
