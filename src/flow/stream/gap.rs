//! How long bytes that are missing are waited for.

use crate::model::Timestamp;

/// Packets of a flow after which a gap is given up whatever the time: as many as a window of 64 KiB in
/// segments of 16 bytes.
const MAX_PACKETS: u32 = 4_096;

/// Bytes missing in front of what is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// When it opened, or was first seen to be acknowledged.
    since: Timestamp,
    /// Packets of the flow since.
    packets: u32,
    /// The receiver has the missing bytes.
    is_acknowledged: bool,
    /// The receiver said that it lacks them, too.
    is_lacked: bool,
}

impl Gap {
    /// One that opens now.
    pub const fn new(now: Timestamp) -> Self {
        Self { since: now, packets: 0, is_acknowledged: false, is_lacked: false }
    }

    /// One that was known since `since`, when the one in front of it was given up; the peer has acknowledged so many bytes
    /// behind its beginning.
    pub fn behind_another(since: Timestamp, acknowledged: Option<i32>) -> Self {
        Self {
            is_acknowledged: acknowledged.is_some_and(|bytes| bytes > 0),
            is_lacked: acknowledged == Some(0),
            ..Self::new(since)
        }
    }

    /// The receiver acknowledges what comes before the gap, and nothing of it.
    pub const fn note_lacked(&mut self) {
        self.is_lacked = true;
    }

    /// Counts a packet and says whether the gap must be given up. `is_acknowledged`: the receiver has the missing bytes.
    #[inline]
    pub fn is_hopeless(&mut self, now: Timestamp, is_acknowledged: bool) -> bool {
        if is_acknowledged && !self.is_acknowledged {
            // However long the receiver itself waited for them: what comes now is late by the capture alone.
            *self = Self { is_acknowledged: true, ..Self::new(now) };
        }
        self.packets = self.packets.saturating_add(1);
        if self.packets > MAX_PACKETS {
            return true;
        }
        // A receiver that lacks them, too, is sent them again: after seconds, and after a minute where that was lost, too
        // [RFC 6298 section 5]. Silence ends a flow before that ends the gap.
        if self.is_lacked && !is_acknowledged {
            return false;
        }
        // A mirror may deliver packets out of order by a few dozen, within milliseconds; a retransmission
        // takes at least one round trip and, by RFC 6298, at most a second before the first back-off.
        // Packets alone must not decide, because small segments are many; nor may time alone, because
        // a capture may have none.
        let (few, soon, late) = if is_acknowledged { (64, 200, 1_000) } else { (256, 1_000, 3_000) };
        let waited = now.since(self.since).as_millis();
        waited >= late || (self.packets > few && waited >= soon)
    }
}
