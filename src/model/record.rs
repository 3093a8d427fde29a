//! The record of one flow: what is exported.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{
    AlertFrom, EncryptedHello, EndpointEvidence, EndpointFacts, Layers, PathFacts, PolicyFacts, ProxyFacts,
    Shared, Timestamp, TlsFacts, closed_set, embedded, is_private,
};

closed_set! {
    /// How much of the handshake was seen.
    Completeness {
        /// Both hellos and what led to them.
        Full => "full",
        ClientOnly => "client_only",
        ServerOnly => "server_only",
        /// The capture joined after the hellos.
        MidStream => "mid_stream",
        /// Bytes of the handshake are missing, or said differently by two segments.
        Truncated => "truncated",
    }
}

closed_set! {
    /// How the handshake ended.
    Outcome {
        Completed => "completed",
        RefusedByServer => "refused_by_server",
        RefusedByClient => "refused_by_client",
        Reset => "reset",
        Closed => "closed",
        TimedOut => "timed_out",
        NotSeen => "not_seen",
        Plaintext => "plaintext",
    }
}

closed_set! {
    /// Why a flow left the table without a record.
    Eviction {
        /// The table was full of flows.
        TableFull => "table_full",
        /// The table had no memory left.
        MemoryFull => "memory_full",
        /// It is another flow, seen under other addresses.
        Translated => "same_flow_translated",
        NotDynamodb => "not_dynamodb",
        /// Requests in clear, to others as far as they were read: further ones were beyond the limits.
        RequestsBeyondLimit => "requests_beyond_limit",
        NotTls => "not_tls",
        /// One segment that looked like a beginning where another connection was going on.
        Stray => "stray_segment",
        Dns => "dns",
        NoPayload => "no_payload",
    }
}

impl Eviction {
    /// The flow might have had a record, and there was no room for it.
    pub const LOSSES: [Self; 2] = [Self::TableFull, Self::MemoryFull];
}

closed_set! {
    /// How a plaintext request was signed.
    Signature {
        Sigv4 => "sigv4",
        Sigv4a => "sigv4a",
        Presigned => "presigned",
        None => "none",
    }
}

closed_set! {
    /// The kind of access key a plaintext request was signed with; never the key.
    SigningCredential {
        LongTerm => "long_term",
        Temporary => "temporary",
    }
}

/// A plaintext HTTP request. Secrets are dropped where they are read and never get here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpFacts {
    pub method: Option<String>,
    /// Host header (or the authority of an absolute-form target), without port.
    pub host: Option<String>,
    /// X-Amz-Target where it names a DynamoDB operation, else absent: `DynamoDB_20120810.GetItem`.
    pub target: Option<String>,
    /// X-Amz-Target names an operation of another API.
    pub has_other_target: bool,
    pub signature: Option<Signature>,
    pub credential: Option<SigningCredential>,
    /// The region and service named in the credential scope.
    pub scope_region: Option<String>,
    pub scope_service: Option<String>,
    /// Product tokens of User-Agent that name an SDK, e.g. `aws-sdk-js/3.656.0`.
    pub sdk: Option<String>,
    /// The request names a whole URL, which clients send to a proxy only [RFC 9112 section 3.2.2].
    pub is_absolute_form: bool,
    /// DAX cleartext protocol rather than HTTP (port 8111).
    pub is_dax: bool,
    /// The request head was not complete: absent facts may have been there.
    pub is_truncated: bool,
    pub later: LaterRequests,
}

/// What the requests behind the first one of a connection add to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaterRequests {
    /// How many were read.
    pub count: u32,
    /// The first that had no signature.
    pub unsigned: Option<LaterRequest>,
    /// The first that was signed with a long-term access key.
    pub long_term: Option<LaterRequest>,
    /// One was signed with a key of which the kind is not known.
    pub has_unknown_key: bool,
    /// The same of those that do not say themselves whose they are, by the host each names, until the server's address tells
    /// which of these is it. No more than requests are read.
    pub unnamed: Vec<(Option<String>, LaterRequests)>,
    /// There may have been others that were not read.
    pub is_incomplete: bool,
    /// Of these, because of a limit on what is read.
    pub is_beyond_limit: bool,
}

/// What a message says of a later request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaterRequest {
    /// It may be another one than that of the first: a proxy's connection carries requests to many.
    pub host: Option<String>,
    pub target: Option<String>,
    /// It came before the first.
    pub is_earlier: bool,
}

impl LaterRequests {
    /// Takes note of what a request does worse than it should.
    pub fn note(&mut self, request: &HttpFacts) {
        let said =
            || LaterRequest { host: request.host.clone(), target: request.target.clone(), is_earlier: false };
        if self.long_term.is_none() && request.has_long_term_signature() {
            self.long_term = Some(said());
        }
        if self.unsigned.is_none() && request.signature == Some(Signature::None) {
            self.unsigned = Some(said());
        }
        self.has_unknown_key |= request.has_unknown_key();
        // What is missing of it may have been a signature, or not.
        self.is_incomplete |= request.signature.is_none();
    }

    /// Takes note of a request that does not say itself whose it is. One to a host must not hide one to another.
    pub fn note_unnamed(&mut self, request: &HttpFacts) {
        if let Some((_, known)) = self.unnamed.iter_mut().find(|(host, _)| *host == request.host) {
            known.note(request);
            return;
        }
        let mut found = Self::default();
        found.note(request);
        if found.has_any() || found.is_incomplete {
            self.unnamed.push((request.host.clone(), found));
        }
    }

    /// Bytes held of requests that do not say whose they are.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let of = |(host, found): &(Option<String>, Self)| {
            let copies = 1 + usize::from(found.unsigned.is_some()) + usize::from(found.long_term.is_some());
            host.as_ref().map_or(0, String::len) * copies
        };
        self.unnamed.capacity() * size_of::<(Option<String>, Self)>()
            + self.unnamed.iter().map(of).sum::<usize>()
    }

    /// True where something was noted.
    #[must_use]
    pub const fn has_any(&self) -> bool {
        self.unsigned.is_some() || self.long_term.is_some() || self.has_unknown_key
    }

    /// Learns whether the server is one of DynamoDB's, so that requests that do not say whose they are were to it: those to
    /// `host`, which the record names, to one of its `addresses`, or to none. What others there were to is not known; nor is
    /// it elsewhere of those, where another service may be, too.
    pub fn settle(&mut self, host: Option<&str>, is_at_dynamodb: bool, addresses: &[IpAddr]) {
        for (named, found) in mem::take(&mut self.unnamed) {
            let is_to_server = match named.as_deref() {
                None => true,
                Some(named) if Some(named) == host => true,
                // Another address is like another name.
                Some(named) => named.parse().is_ok_and(|named: IpAddr| {
                    addresses.iter().any(|address| embedded(*address) == embedded(named))
                }),
            };
            let has_request = found.unsigned.is_some() || found.long_term.is_some();
            if !is_at_dynamodb {
                self.is_incomplete |= has_request && is_to_server;
                continue;
            }
            self.has_unknown_key |= found.has_unknown_key;
            self.is_incomplete |= found.is_incomplete;
            if is_to_server {
                self.unsigned = self.unsigned.take().or(found.unsigned);
                self.long_term = self.long_term.take().or(found.long_term);
            } else {
                self.is_incomplete |= has_request;
            }
        }
    }

    /// Further ones may come, which are not read.
    pub const fn meet_limit(&mut self) {
        self.is_incomplete = true;
        self.is_beyond_limit = true;
    }
}

impl HttpFacts {
    /// What a browser asks of its own accord before a request to another origin: never signed, and no call of an API
    /// [Fetch Standard, "CORS-preflight fetch"].
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.method.as_deref() == Some("OPTIONS") && self.target.is_none()
    }

    /// Signed with a key that does not expire. What only names such a key is not signed with it.
    #[must_use]
    pub fn has_long_term_signature(&self) -> bool {
        self.credential == Some(SigningCredential::LongTerm) && self.is_signed()
    }

    /// Signed with a key of which the kind is not known.
    #[must_use]
    pub fn has_unknown_key(&self) -> bool {
        self.credential.is_none() && self.is_signed()
    }

    fn is_signed(&self) -> bool {
        self.signature.is_some_and(|signature| signature != Signature::None)
    }
}

closed_set! {
    /// Where a flow begins or ends, seen from the host that watched it.
    Origin {
        /// One end is a socket of this host.
        Local => "local",
        /// It only passes.
        Forwarded => "forwarded",
    }
}

/// What only the host that a flow was watched on can know of it; what is not certain is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    pub origin: Option<Origin>,
    /// The process of this host that holds the flow's socket.
    pub pid: Option<u32>,
    /// Its short name (`comm`).
    pub process: Option<Arc<str>>,
    pub container: Option<Arc<str>>,
    /// The systemd unit.
    pub unit: Option<Arc<str>>,
}

/// One way a flow was seen: an interface and what wrapped the packets there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    pub interface: Option<Arc<str>>,
    pub encapsulation: Layers,
}

/// All that is reported of one flow. The keys are those of the public schema; which fields are
/// written, and how, is the exporter's.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Of the first packet of the flow.
    pub timestamp: Timestamp,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Base name of the file, or `live`.
    pub source: Arc<str>,
    /// Every way the flow was seen; the first is the first seen.
    pub sightings: Vec<Sighting>,
    /// Number of the first frame of the flow, from 1, and of the frames that completed the hellos.
    pub first_frame: u64,
    pub client_hello_frame: Option<u64>,
    pub server_hello_frame: Option<u64>,
    pub completeness: Completeness,
    /// The connection was seen from its opening on, and nothing was lost before its handshake or request: so nothing
    /// came before what was seen, as a proxy's preamble. Nor did what came before TLS, in clear, remain unread.
    pub is_from_beginning: bool,
    pub outcome: Outcome,
    /// Who sent the first FIN or RST, where that ended the flow.
    pub ended_by: Option<AlertFrom>,
    /// Present for a TLS flow.
    pub tls: Option<Box<TlsFacts>>,
    /// Present for a plaintext flow.
    pub http: Option<Box<HttpFacts>>,
    pub proxy: Option<ProxyFacts>,
    /// From the first ClientHello byte to the end of the handshake.
    pub handshake_duration: Option<Duration>,
    /// From SYN to the ACK that answers SYN-ACK, as the observer saw them.
    pub tcp_rtt: Option<Duration>,
    pub endpoint: Shared<EndpointFacts>,
    pub path: PathFacts,
    /// The other 5-tuple of a flow that was seen before and after address translation.
    pub translated: Vec<(SocketAddr, SocketAddr)>,
    /// Live only: a capture does not tell.
    pub host: Option<Box<HostFacts>>,
    pub policy: Option<PolicyFacts>,
}

impl Record {
    /// True where the server's address is that of a proxy.
    #[must_use]
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some() || self.http.as_ref().is_some_and(|http| http.is_absolute_form)
    }

    /// True where the server is at a private address, and the flow was not seen to go on to a public one.
    #[must_use]
    pub fn is_server_private(&self) -> bool {
        let behind = self.translated.iter().map(|(_, server)| server);
        std::iter::once(&self.server).chain(behind).all(|server| is_private(server.ip()))
    }

    /// False where the endpoint has no name, or none but one that need not be the one that was meant: beside an Encrypted
    /// Client Hello, or one that may have been cut off, the server name may be an outer one, and a DNS answer may have been
    /// for another host.
    #[must_use]
    pub fn is_name_proved(&self) -> bool {
        self.proves_name_of(&self.endpoint)
    }

    /// The same of one of several names.
    #[must_use]
    pub fn proves_name_of(&self, endpoint: &EndpointFacts) -> bool {
        let is_outer = self.tls.as_ref().is_some_and(|tls| tls.encrypted_hello() != EncryptedHello::NotSent);
        endpoint.proves_name(is_outer)
    }

    /// True where the service is none that a name which is proved, or a request, tells: the addresses of DynamoDB are those
    /// of several services.
    #[must_use]
    pub fn is_service_open(&self) -> bool {
        use EndpointEvidence::{Prefix, ProxyTarget};
        let is_greeting = self.http.as_ref().is_some_and(|http| http.is_dax);
        // A proxy may have been asked for an address.
        let is_by_address = self.endpoint.evidence == [Prefix, ProxyTarget];
        self.endpoint.service.is_some()
            && (self.endpoint.has_many_services || is_by_address || !is_greeting && !self.is_name_proved())
    }

    /// The region of the endpoint, where it is told by a name that is proved, or by nothing but the address.
    #[must_use]
    pub fn known_region(&self) -> Option<&str> {
        let is_by_address = self.endpoint.evidence == [EndpointEvidence::Prefix];
        let region = if self.is_name_proved() || is_by_address {
            self.endpoint.region.as_ref()
        } else {
            self.endpoint.prefix_region.as_ref()
        };
        region.map(|region| &**region)
    }
}
