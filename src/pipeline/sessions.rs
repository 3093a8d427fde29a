//! Full handshakes of TLS 1.2 and older, remembered for the sessions that resume them.
//!
//! A resumed session has the keys of the full handshake it continues, so its forward secrecy is that
//! of the full handshake, where that was seen [RFC 5246 section 7.3, RFC 5077 section 3.1].

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::ForwardSecrecy;

/// Sessions remembered; servers keep them for hours, clients reuse the newest. 48 bytes each.
const MAX_SESSIONS: usize = 65_536;

/// How a session is named when it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name<'a> {
    /// The session id the server gave.
    Id(&'a [u8]),
    /// A digest of the ticket the server gave.
    Ticket(u64),
}

/// The sessions seen begin, the oldest forgotten first.
#[derive(Default)]
pub struct Sessions {
    secrecy: HashMap<u64, ForwardSecrecy, RandomState>,
    order: VecDeque<u64>,
    hasher: RandomState,
}

impl Sessions {
    /// Remembers what a full handshake gave.
    pub fn remember(&mut self, name: Name<'_>, secrecy: ForwardSecrecy) {
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
    #[must_use]
    pub fn recall(&self, name: Name<'_>) -> Option<ForwardSecrecy> {
        self.secrecy.get(&self.hasher.hash_one(name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls_by_id_and_by_ticket() {
        let mut sessions = Sessions::default();
        sessions.remember(Name::Id(b"one"), ForwardSecrecy::Yes);
        sessions.remember(Name::Ticket(1), ForwardSecrecy::No);
        assert_eq!(sessions.recall(Name::Id(b"one")), Some(ForwardSecrecy::Yes));
        assert_eq!(sessions.recall(Name::Ticket(1)), Some(ForwardSecrecy::No));
        assert_eq!(sessions.recall(Name::Id(b"two")), None);
    }

    #[test]
    fn forgets_the_oldest_first() {
        let mut sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS as u64 {
            sessions.remember(Name::Ticket(number), ForwardSecrecy::Yes);
        }
        assert_eq!(sessions.recall(Name::Ticket(0)), None);
        assert!(sessions.recall(Name::Ticket(1)).is_some());
        assert_eq!(sessions.order.len(), MAX_SESSIONS);
    }
}
