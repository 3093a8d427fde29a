//! What time it is for the table, by the packets it is given, and what is looked at once its time is over.

use std::time::Duration;

use super::Table;
use super::ending::HANDSHAKE_IDLE;
use crate::flow::Consumer;
use crate::model::Timestamp;

/// A clock that runs backwards by more than this starts anew: captures were joined.
const CLOCK_RESTART: Duration = Duration::from_secs(3_600);

/// A packet that is later than all before it by more than this may have a wrong time. The next one tells, before any flow
/// ends by it.
const LEAP: Duration = HANDSHAKE_IDLE;

/// Flows looked at per packet once their time is over. Few enough that a jump of the clock does not end
/// the whole table, and make a record of every flow, within one packet.
pub(super) const DUE_PER_PACKET: usize = 1_024;

impl<C: Consumer> Table<C> {
    /// Moves the clock to a time that is sure, and ends what is overdue.
    pub fn advance(&mut self, at: Timestamp, consumer: &mut C) {
        self.before_leap = None;
        self.now = self.now.max(at);
        self.hear_time(at, consumer);
    }

    /// Moves the clock by the time of a packet and ends what is overdue.
    #[inline]
    pub(super) fn hear_time(&mut self, at: Timestamp, consumer: &mut C) {
        if at.since(self.now) > LEAP || self.before_leap.is_some() {
            self.leap(at);
        } else if at > self.now {
            self.now = at;
        } else if self.now.since(at) > CLOCK_RESTART {
            self.now = at;
            self.wheel.restart(at);
        }
        if self.has_overdue() {
            self.expire(consumer);
        }
    }

    /// Moves the clock by a leap, or says what the one before it was.
    #[cold]
    fn leap(&mut self, at: Timestamp) {
        match self.before_leap.take() {
            // Nearer to where the clock was than to where it is: it was one packet with a wrong time.
            Some(before) if at < self.now && at.since(before) < self.now.since(at) => {
                self.now = at.max(before);
                self.wheel.restart(self.now);
            }
            None if self.now != Timestamp::default() => {
                self.before_leap = Some(self.now);
                self.now = at;
            }
            _ => self.now = self.now.max(at),
        }
    }

    /// Whether [`Table::advance`] left something overdue, because it does a bounded amount at a time.
    #[must_use]
    pub fn has_overdue(&self) -> bool {
        self.before_leap.is_none() && self.wheel.is_due(self.now)
    }

    /// Looks at what is overdue, a bounded amount of it.
    fn expire(&mut self, consumer: &mut C) {
        for _ in 0..DUE_PER_PACKET {
            let Some(index) = self.wheel.next_due(self.now) else { return };
            self.look_at(index, consumer);
        }
    }
}
