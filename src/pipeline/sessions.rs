//! Full handshakes of TLS 1.2 and older, remembered for the sessions that resume them.
//!
//! A resumed session has the keys of the full handshake it continues, so its forward secrecy is that
//! of the full handshake, where that was seen [RFC 5246 section 7.3, RFC 5077 section 3.1].

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::{ForwardSecrecy, Resumption, TicketDigest, TlsFacts};

/// Sessions remembered; servers keep them for hours, clients reuse the newest. 48 bytes each.
const MAX_SESSIONS: usize = 65_536;

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

/// The sessions seen begin, the oldest forgotten first.
#[derive(Default)]
pub struct Sessions {
    secrecy: HashMap<u64, ForwardSecrecy, RandomState>,
    order: VecDeque<u64>,
    hasher: RandomState,
}

impl Sessions {
    /// Learns from a finished handshake, or completes what a resumed one leaves open.
    pub fn complete(&mut self, facts: &mut TlsFacts) {
        let Some(secrecy) = facts.forward_secrecy else { return };
        match (facts.resumed, facts.resumption) {
            (Some(true), Some(Resumption::SessionId | Resumption::Ticket)) => {
                let by_ticket =
                    facts.client_hello.as_ref().and_then(|hello| hello.session_ticket).map(Name::Ticket);
                let by_id = facts.server_hello.as_ref().map(|hello| Name::Id(&hello.session_id));
                let name = if facts.resumption == Some(Resumption::Ticket) { by_ticket } else { by_id };
                let Some(inherited) = name.and_then(|name| self.recall(name)) else { return };
                if secrecy == ForwardSecrecy::Unknown {
                    facts.forward_secrecy = Some(inherited);
                    facts.forward_secrecy_reason = Some(INHERITED);
                }
                // A resumed session may be given a new ticket for the same secrets.
                if let Some(ticket) = facts.issued_ticket {
                    self.remember(Name::Ticket(ticket), inherited);
                }
            }
            // Only a handshake that was completed leaves a session to resume.
            (Some(false), _) if facts.established && secrecy != ForwardSecrecy::Unknown => {
                if let Some(hello) = facts.server_hello.as_ref().filter(|hello| !hello.session_id.is_empty())
                {
                    self.remember(Name::Id(&hello.session_id), secrecy);
                }
                if let Some(ticket) = facts.issued_ticket {
                    self.remember(Name::Ticket(ticket), secrecy);
                }
            }
            _ => {}
        }
    }

    /// Remembers what a full handshake gave.
    fn remember(&mut self, name: Name<'_>, secrecy: ForwardSecrecy) {
        let key = self.hasher.hash_one(name);
        if self.secrecy.insert(key, secrecy).is_none() {
            self.order.push_back(key);
            if self.order.len() > MAX_SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.secrecy.remove(&oldest);
            }
        }
    }

    /// The forward secrecy of the full handshake that a session continues.
    fn recall(&self, name: Name<'_>) -> Option<ForwardSecrecy> {
        self.secrecy.get(&self.hasher.hash_one(name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hello, ServerHello};

    #[test]
    fn recalls_by_id_and_by_ticket() {
        let mut sessions = Sessions::default();
        sessions.remember(Name::Id(b"one"), ForwardSecrecy::Yes);
        let ticket = Name::Ticket(TicketDigest::of(b"ticket").unwrap());
        sessions.remember(ticket, ForwardSecrecy::No);
        assert_eq!(sessions.recall(Name::Id(b"one")), Some(ForwardSecrecy::Yes));
        assert_eq!(sessions.recall(ticket), Some(ForwardSecrecy::No));
        assert_eq!(sessions.recall(Name::Id(b"two")), None);
    }

    #[test]
    fn forgets_the_oldest_first() {
        let mut sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            sessions.remember(Name::Id(&number.to_be_bytes()), ForwardSecrecy::Yes);
        }
        assert_eq!(sessions.recall(Name::Id(&0_usize.to_be_bytes())), None);
        assert!(sessions.recall(Name::Id(&1_usize.to_be_bytes())).is_some());
        assert_eq!(sessions.order.len(), MAX_SESSIONS);
    }

    fn facts(resumed: bool, session_id: &[u8]) -> TlsFacts {
        TlsFacts {
            server_hello: Some(Hello {
                session_id: session_id.iter().copied().collect(),
                ..Hello::from(ServerHello::default())
            }),
            resumed: Some(resumed),
            resumption: resumed.then_some(Resumption::SessionId),
            established: true,
            forward_secrecy: Some(if resumed { ForwardSecrecy::Unknown } else { ForwardSecrecy::Yes }),
            forward_secrecy_reason: resumed.then_some("resumed"),
            ..TlsFacts::default()
        }
    }

    #[test]
    fn completes_only_what_continues_a_handshake_that_was_seen() {
        let mut sessions = Sessions::default();
        let mut stranger = facts(true, b"one");
        sessions.complete(&mut stranger);
        assert_eq!(stranger.forward_secrecy_reason, Some("resumed"));

        sessions.complete(&mut facts(false, b"one"));
        let mut known = facts(true, b"one");
        sessions.complete(&mut known);
        assert_eq!(known.forward_secrecy, Some(ForwardSecrecy::Yes));
        assert_eq!(known.forward_secrecy_reason, Some(INHERITED));
    }

    #[test]
    fn learns_nothing_from_a_handshake_that_failed() {
        let mut sessions = Sessions::default();
        sessions.complete(&mut TlsFacts { established: false, ..facts(false, b"one") });
        assert_eq!(sessions.recall(Name::Id(b"one")), None);
    }
}
