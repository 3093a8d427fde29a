//! Hellos as they are kept: what all of a kind have in common once, what each has of its own beside it.
//!
//! Clients of one kind send the same hello but for random, session id, ticket and keys. A site has
//! a few dozen kinds and a hundred thousand connections.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::TicketDigest;

/// The longest session id there is [RFC 8446 section 4.1.2].
pub const MAX_SESSION_ID_BYTES: usize = 32;

/// A value that many records share; whoever changes it gets a copy of its own.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Where the value is in memory: the same for two that share one, as long as one of them is kept.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// True where somebody else has it too: what is shared by none is not worth to be remembered.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

/// A hello: what it shares with all of its kind, reached like a field of its own, and what it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello<T> {
    pub kind: Shared<T>,
    /// The last eight bytes of the random, where a server says that it could do better
    /// [RFC 8446 section 4.1.3].
    pub random_end: [u8; 8],
    pub session_id: ArrayVec<u8, MAX_SESSION_ID_BYTES>,
    /// The ticket in the session_ticket extension of a client, where there was one [RFC 5077].
    pub session_ticket: Option<TicketDigest>,
}

impl<T: Default> From<T> for Hello<T> {
    fn from(kind: T) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }
}

impl<T> Deref for Hello<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.kind
    }
}

impl<T: Clone> DerefMut for Hello<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_copy_to_whoever_changes_it() {
        let kept: Hello<Vec<u8>> = vec![1, 2].into();
        let mut changed = kept.clone();
        assert_eq!(kept.kind.address(), changed.kind.address());
        changed.push(3);
        assert_ne!(kept.kind.address(), changed.kind.address());
        assert_eq!((kept.len(), changed.len()), (2, 3));
        assert_ne!(kept, changed);
        changed.pop();
        assert_eq!(kept, changed);
    }
}
