//! Full handshakes of TLS 1.2 and older, remembered for the sessions that resume them.
//!
//! A resumed session has the keys of the full handshake it continues, so its forward secrecy is that
//! of the full handshake, where that was seen [RFC 5246 section 7.3, RFC 5077 section 3.1].

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::registry::{CipherSuite, TlsVersion};
use crate::model::{
    CertificateFacts, ForwardSecrecy, KeyExchangeFacts, Resumption, Sni, TicketDigest, TlsFacts,
};

/// Sessions remembered; servers keep them for hours, clients reuse the newest. Some 64 bytes each.
const MAX_SESSIONS: usize = 65_536;

/// What the certificates of all sessions may take together; where they would take more, the oldest sessions are forgotten.
/// The sessions of a server share one.
const MAX_CERTIFICATE_BYTES: usize = 16 << 20;

/// Why a resumed session's forward secrecy is known: that of its full handshake, which was seen.
const INHERITED: &str = "full_handshake_seen";

/// How a session is named when it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name<'a> {
    /// The session id the server gave.
    Id(&'a [u8]),
    /// The ticket the server gave.
    Ticket(TicketDigest),
}

/// Whose names these are: each server chooses its own, and takes one back under the server name it gave it for [RFC 6066
/// section 3].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Server<'a> {
    Name(&'a str),
    Address(IpAddr),
}

/// What a session has of its full handshake. Version and suite stay as they are [RFC 5246 section 7.4.1.3, RFC 5077
/// section 3.4]; what has others continues something else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    version: TlsVersion,
    suite: CipherSuite,
    secrecy: ForwardSecrecy,
    exchange: Option<KeyExchangeFacts>,
    /// Who answered, or why that is not known.
    certificate: Option<Arc<CertificateFacts>>,
    certificate_error: Option<&'static str>,
}

/// Certificates that sessions have, each counted once.
#[derive(Default)]
struct Certificates {
    /// How many sessions share it, by its place in memory, which nothing else can take while one has it.
    sessions: HashMap<usize, usize, RandomState>,
    bytes: usize,
}

impl Certificates {
    fn take(&mut self, certificate: &Arc<CertificateFacts>) {
        let sessions = self.sessions.entry(Arc::as_ptr(certificate).addr()).or_default();
        if *sessions == 0 {
            self.bytes += certificate.held_bytes();
        }
        *sessions += 1;
    }

    fn release(&mut self, certificate: &Arc<CertificateFacts>) {
        let place = Arc::as_ptr(certificate).addr();
        let Some(sessions) = self.sessions.get_mut(&place) else { return };
        *sessions -= 1;
        if *sessions == 0 {
            self.sessions.remove(&place);
            self.bytes -= certificate.held_bytes();
        }
    }
}

/// The sessions seen begin; forgotten first are those whose name is known for longest, which may have been given to a newer
/// session since.
#[derive(Default)]
pub struct Sessions {
    known: HashMap<u64, Session, RandomState>,
    order: VecDeque<u64>,
    certificates: Certificates,
    hasher: RandomState,
}

impl Sessions {
    /// Learns from a finished handshake with the server at `address`, or completes what a resumed one leaves open.
    pub fn complete(&mut self, facts: &mut TlsFacts, address: IpAddr) {
        let (Some(secrecy), Some(version), Some(suite)) =
            (facts.forward_secrecy, facts.version(), facts.cipher_suite())
        else {
            return;
        };
        // Newer ones name nothing in clear that is used again; the id their servers send is the client's.
        if version.rank() > TlsVersion::TLS12.rank() || !facts.is_choice_offered() {
            return;
        }
        let client = facts.client_hello.as_ref();
        let server = match client.map(|hello| hello.sni()) {
            Some(Sni::Name(name)) => Server::Name(name),
            _ => Server::Address(address),
        };
        let name = |name| self.hasher.hash_one((server, name));
        let by_id = facts.server_hello.as_ref().map(|hello| &hello.session_id);
        let by_id = by_id.filter(|id| !id.is_empty());
        let issued = facts.issued_ticket.map(|ticket| name(Name::Ticket(ticket)));
        match (facts.resumed, facts.resumption) {
            (Some(true), Some(way @ (Resumption::SessionId | Resumption::Ticket))) => {
                let name = if way == Resumption::Ticket {
                    client.and_then(|hello| hello.session_ticket).map(Name::Ticket).map(name)
                } else {
                    by_id.map(|id| name(Name::Id(id)))
                };
                let session = name.and_then(|name| self.known.get(&name).cloned());
                let Some(session) =
                    session.filter(|session| (session.version, session.suite) == (version, suite))
                else {
                    return;
                };
                if secrecy == ForwardSecrecy::Unknown {
                    facts.forward_secrecy = Some(session.secrecy);
                    facts.forward_secrecy_reason = Some(INHERITED);
                    facts.session_key_exchange = session.exchange;
                }
                facts.session_certificate.clone_from(&session.certificate);
                facts.certificate_error = facts.certificate_error.or(session.certificate_error);
                // A resumed session may be given a new ticket for the same secrets.
                if let Some(issued) = issued {
                    self.remember(issued, session);
                }
            }
            // Only a handshake that was completed leaves a session to resume.
            (Some(false), _) if facts.established && secrecy != ForwardSecrecy::Unknown => {
                let (exchange, certificate) = (facts.key_exchange, facts.certificate.clone());
                let certificate_error = facts.certificate_error;
                let session = Session { version, suite, secrecy, exchange, certificate, certificate_error };
                // The client's own, sent back, names what it was before.
                let own = client.map(|hello| &hello.session_id);
                let given = by_id.filter(|id| own != Some(id)).map(|id| name(Name::Id(id)));
                for name in [given, issued].into_iter().flatten() {
                    self.remember(name, session.clone());
                }
            }
            _ => {}
        }
    }

    /// Remembers what a full handshake gave.
    fn remember(&mut self, name: u64, session: Session) {
        if let Some(certificate) = &session.certificate {
            self.certificates.take(certificate);
        }
        match self.known.insert(name, session) {
            Some(before) => self.release(&before),
            None => self.order.push_back(name),
        }
        while self.order.len() > MAX_SESSIONS || self.certificates.bytes > MAX_CERTIFICATE_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(session) = self.known.remove(&oldest) {
                self.release(&session);
            }
        }
    }

    fn release(&mut self, session: &Session) {
        if let Some(certificate) = &session.certificate {
            self.certificates.release(certificate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientHello, Hello, ServerHello};

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));
    const OTHER_HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 8));

    fn client_hello(name: Option<&str>) -> Hello<ClientHello> {
        Hello::from(ClientHello {
            server_name: name.map(Into::into),
            legacy_version: TlsVersion::TLS12,
            ..ClientHello::default()
        })
    }

    /// A handshake of TLS 1.2 with ECDHE, in which the server says `session_id`.
    fn facts(resumed: bool, session_id: &[u8]) -> TlsFacts {
        let mut client = client_hello(Some("a.example"));
        if resumed {
            client.session_id = session_id.iter().copied().collect();
        }
        let server = ServerHello {
            legacy_version: TlsVersion::TLS12,
            cipher_suite: CipherSuite(0xc02f),
            ..ServerHello::default()
        };
        TlsFacts {
            client_hello: Some(client),
            server_hello: Some(Hello {
                session_id: session_id.iter().copied().collect(),
                ..Hello::from(server)
            }),
            resumed: Some(resumed),
            resumption: resumed.then_some(Resumption::SessionId),
            key_exchange: (!resumed).then_some(KeyExchangeFacts::Dhe { bits: 1_024, group: None }),
            established: true,
            forward_secrecy: Some(if resumed { ForwardSecrecy::Unknown } else { ForwardSecrecy::Yes }),
            forward_secrecy_reason: resumed.then_some("resumed"),
            ..TlsFacts::default()
        }
    }

    fn certificate(names: usize) -> Arc<CertificateFacts> {
        Arc::new(CertificateFacts {
            issuer_organization: Some("Somebody".to_owned()),
            dns_names: vec!["name.of.some.length.example".to_owned(); names],
            ..CertificateFacts::default()
        })
    }

    /// What `then` is known of after `first`: forward secrecy and its reason.
    fn after(first: TlsFacts, then: TlsFacts) -> (Option<ForwardSecrecy>, Option<&'static str>) {
        let mut sessions = Sessions::default();
        let (mut first, mut then) = (first, then);
        sessions.complete(&mut first, HOST);
        sessions.complete(&mut then, HOST);
        (then.forward_secrecy, then.forward_secrecy_reason)
    }

    const KNOWN: (Option<ForwardSecrecy>, Option<&str>) = (Some(ForwardSecrecy::Yes), Some(INHERITED));
    const UNKNOWN: (Option<ForwardSecrecy>, Option<&str>) = (Some(ForwardSecrecy::Unknown), Some("resumed"));

    #[test]
    fn completes_only_what_continues_a_handshake_that_was_seen() {
        assert_eq!(after(facts(false, b"one"), facts(true, b"one")), KNOWN);
        assert_eq!(after(facts(false, b"one"), facts(true, b"two")), UNKNOWN);
        assert_eq!(after(facts(true, b"one"), facts(true, b"one")), UNKNOWN);
        assert_eq!(
            after(TlsFacts { established: false, ..facts(false, b"one") }, facts(true, b"one")),
            UNKNOWN
        );
        // Also that its keys were never forward secret.
        let full = TlsFacts { forward_secrecy: Some(ForwardSecrecy::No), ..facts(false, b"one") };
        assert_eq!(after(full, facts(true, b"one")), (Some(ForwardSecrecy::No), Some(INHERITED)));
    }

    #[test]
    fn a_resumed_session_has_what_its_full_handshake_had() {
        let mut sessions = Sessions::default();
        let shown = certificate(0);
        let mut full = TlsFacts { certificate: Some(Arc::clone(&shown)), ..facts(false, b"one") };
        sessions.complete(&mut full, HOST);
        let mut resumed = facts(true, b"one");
        sessions.complete(&mut resumed, HOST);
        assert_eq!(resumed.session_key_exchange, Some(KeyExchangeFacts::Dhe { bits: 1_024, group: None }));
        assert_eq!(resumed.session_certificate, Some(shown));
        assert_eq!((resumed.key_exchange, resumed.certificate), (None, None));
    }

    /// Nothing unknown of the one is known of the other.
    #[test]
    fn what_could_not_be_read_is_not_known_of_the_resumed_session() {
        let mut sessions = Sessions::default();
        let mut full = TlsFacts { certificate_error: Some("truncated"), ..facts(false, b"one") };
        sessions.complete(&mut full, HOST);
        let mut resumed = facts(true, b"one");
        sessions.complete(&mut resumed, HOST);
        assert_eq!(resumed.certificate_error, Some("truncated"));
    }

    #[test]
    fn continues_by_ticket_and_by_the_ticket_that_follows_it() {
        let ticket = |bytes: &[u8]| TicketDigest::of(bytes).unwrap();
        let first = TlsFacts { issued_ticket: Some(ticket(b"first")), ..facts(false, b"") };
        let resumed = |by: &[u8], issued: Option<&[u8]>| {
            let mut facts = TlsFacts {
                resumption: Some(Resumption::Ticket),
                issued_ticket: issued.map(ticket),
                ..facts(true, b"mine")
            };
            facts.client_hello.as_mut().unwrap().session_ticket = Some(ticket(by));
            facts
        };
        let mut sessions = Sessions::default();
        sessions.complete(&mut { first }, HOST);
        for (mut facts, expected) in [
            (resumed(b"first", Some(b"second")), KNOWN),
            (resumed(b"second", None), KNOWN),
            (resumed(b"third", None), UNKNOWN),
        ] {
            sessions.complete(&mut facts, HOST);
            assert_eq!((facts.forward_secrecy, facts.forward_secrecy_reason), expected);
        }
    }

    /// Servers choose ids for themselves.
    #[test]
    fn another_server_continues_nothing() {
        let with_name = |facts: TlsFacts, name: Option<&str>| {
            let session_id = facts.client_hello.as_ref().unwrap().session_id.clone();
            TlsFacts { client_hello: Some(Hello { session_id, ..client_hello(name) }), ..facts }
        };
        let (full, resumed) = (|| facts(false, b"one"), || facts(true, b"one"));
        for (first, then, is_same_host, expected) in [
            (Some("a.example"), Some("b.example"), true, UNKNOWN),
            (Some("a.example"), None, true, UNKNOWN),
            (Some("a.example"), Some("a.example"), false, KNOWN),
            (None, None, true, KNOWN),
            (None, None, false, UNKNOWN),
        ] {
            let mut sessions = Sessions::default();
            sessions.complete(&mut with_name(full(), first), HOST);
            let mut then = with_name(resumed(), then);
            sessions.complete(&mut then, if is_same_host { HOST } else { OTHER_HOST });
            assert_eq!((then.forward_secrecy, then.forward_secrecy_reason), expected, "{first:?}");
        }
    }

    #[test]
    fn another_version_or_suite_continues_nothing() {
        let with = |mut facts: TlsFacts, version, suite| {
            let hello = facts.server_hello.as_mut().unwrap();
            let id = hello.session_id.clone();
            let server = ServerHello {
                legacy_version: version,
                cipher_suite: CipherSuite(suite),
                ..ServerHello::default()
            };
            *hello = Hello { session_id: id, ..Hello::from(server) };
            facts
        };
        for (version, suite) in [(TlsVersion::TLS11, 0xc013), (TlsVersion::TLS12, 0xc030)] {
            let resumed = with(facts(true, b"one"), version, suite);
            assert_eq!(after(facts(false, b"one"), resumed.clone()), UNKNOWN);
            assert_eq!(after(with(facts(false, b"one"), version, suite), resumed), KNOWN);
        }
    }

    /// A server of TLS 1.3 sends back what the client says, which may be the id of a session of TLS 1.2 [RFC 8446
    /// sections 4.1.2 and 4.1.3].
    #[test]
    fn an_id_that_is_the_clients_names_no_new_session() {
        let mut newer = facts(false, b"one");
        let server = ServerHello {
            legacy_version: TlsVersion::TLS12,
            selected_version: Some(TlsVersion::TLS13),
            cipher_suite: CipherSuite(0x1301),
            ..ServerHello::default()
        };
        let id = newer.server_hello.as_ref().unwrap().session_id.clone();
        newer.server_hello = Some(Hello { session_id: id.clone(), ..Hello::from(server) });
        newer.client_hello.as_mut().unwrap().supported_versions.push(TlsVersion::TLS13);
        assert_eq!(after(newer, facts(true, b"one")), UNKNOWN);
        let mut echoed = facts(false, b"one");
        echoed.client_hello.as_mut().unwrap().session_id = id;
        assert_eq!(after(echoed, facts(true, b"one")), UNKNOWN);
    }

    #[test]
    fn forgets_the_oldest_first() {
        let mut sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            sessions.complete(&mut facts(false, &number.to_be_bytes()), HOST);
        }
        for (number, expected) in [(0, UNKNOWN), (1, KNOWN)] {
            let mut facts = facts(true, &usize::to_be_bytes(number));
            sessions.complete(&mut facts, HOST);
            assert_eq!((facts.forward_secrecy, facts.forward_secrecy_reason), expected);
        }
        assert_eq!(sessions.order.len(), MAX_SESSIONS);
    }

    /// Each has a limit of its own, and 65,536 of them would take gigabytes.
    #[test]
    fn certificates_of_sessions_are_bounded_together() {
        let shared = certificate(1_000);
        let most = MAX_CERTIFICATE_BYTES / shared.held_bytes();
        for is_shared in [true, false] {
            let mut sessions = Sessions::default();
            for number in 0..2 * most {
                let shown = if is_shared { Arc::clone(&shared) } else { certificate(1_000) };
                let mut full = TlsFacts { certificate: Some(shown), ..facts(false, &number.to_be_bytes()) };
                sessions.complete(&mut full, HOST);
            }
            let (kept, bytes) =
                if is_shared { (2 * most, shared.held_bytes()) } else { (most, most * shared.held_bytes()) };
            assert_eq!(
                (sessions.order.len(), sessions.known.len(), sessions.certificates.bytes),
                (kept, kept, bytes)
            );
            // What takes the place of another session lets go of its certificate.
            let newest = 2 * most - 1;
            let mut full = facts(false, &newest.to_be_bytes());
            sessions.complete(&mut full, HOST);
            let rest = bytes - if is_shared { 0 } else { shared.held_bytes() };
            assert_eq!((sessions.order.len(), sessions.certificates.bytes), (kept, rest));
        }
    }
}
