//! Whether what a client says comes behind what its server has said: by what it had received of that, else by time.

use crate::model::Timestamp;

/// When bytes were seen, and where they stand in the conversation, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub at: Timestamp,
    /// How many bytes of the other side's stream their sender had received.
    pub received: Option<u32>,
    /// How many bytes their own side's stream has with them.
    pub end: Option<u32>,
}

impl From<Timestamp> for Seen {
    fn from(at: Timestamp) -> Self {
        Self { at, received: None, end: None }
    }
}

/// What can be the server's Finished, and what can be the client's, which answers it. Taps that see one side each have
/// clocks of their own, and packets overtake each other, so that times decide only where nothing else does.
#[derive(Debug, Default)]
pub struct Order {
    /// How many bytes the server's stream has with its Finished.
    finished_end: Option<u32>,
    /// The most that the client had received with what can be its Finished.
    received: Option<u32>,
    /// Something that can be the client's Finished came later than the server's flight.
    is_later: bool,
    /// The same of something of which it is not known what the client had received.
    is_unplaced_later: bool,
}

impl Order {
    /// Takes note of the first record that can hold the server's Finished, and where it ends.
    pub const fn server_finished(&mut self, end: Option<u32>) {
        self.finished_end = end;
    }

    /// Takes note of a record that can hold the client's Finished; `is_later` by its time.
    pub fn client_finished(&mut self, seen: Seen, is_later: bool) {
        self.received = self.received.max(seen.received);
        self.is_later |= is_later;
        self.is_unplaced_later |= is_later && seen.received.is_none();
    }

    /// True where the one answers the other, both of which were seen.
    pub fn is_answered(&self) -> bool {
        match self.finished_end {
            Some(end) => self.is_unplaced_later || self.received.is_some_and(|received| received >= end),
            None => self.is_later,
        }
    }
}
