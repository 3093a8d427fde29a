//! Whether what a client says comes behind what its server has said: by what it had received of that, else by time.

use crate::model::Timestamp;

/// When bytes were seen, and where they stand in the conversation, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Time of the packet they came in.
    pub at: Timestamp,
    /// What their sender acknowledges of the other side: the sequence number behind what it had received.
    pub acknowledgment: Option<u32>,
    /// The sequence number behind them.
    pub end: Option<u32>,
}

impl From<Timestamp> for Seen {
    fn from(at: Timestamp) -> Self {
        Self { at, acknowledgment: None, end: None }
    }
}

/// What can be the server's Finished, and what can be the client's, which answers it. Taps that see one side each have
/// clocks of their own, and packets overtake each other, so that times decide only where nothing else does.
#[derive(Debug, Default)]
pub struct Order {
    /// Sequence number behind the server's Finished.
    finished_end: Option<u32>,
    /// The newest that the client acknowledged with what can be its Finished.
    acknowledged: Option<u32>,
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
        self.is_later |= is_later;
        match seen.acknowledgment {
            None => self.is_unplaced_later |= is_later,
            Some(new) if self.acknowledged.is_some_and(|old| is_behind(old, new)) => {}
            newest => self.acknowledged = newest,
        }
    }

    /// True where the one answers the other, both of which were seen.
    pub fn is_answered(&self) -> bool {
        match self.finished_end {
            Some(end) => self.is_unplaced_later || self.acknowledged.is_some_and(|most| is_behind(most, end)),
            None => self.is_later,
        }
    }
}

/// True where a sequence number is `other` or lies behind it, on their circle [RFC 9293 section 3.4].
pub const fn is_behind(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) as i32 >= 0
}
