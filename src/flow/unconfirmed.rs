//! What a stream delivered and nobody acknowledged yet, to be compared with what is sent again.
//!
//! Only the beginning of a stream is compared: handshakes are there, and what follows decides nothing.

/// How far from its beginning a stream is compared: a flight with a long chain of certificates.
const COMPARED_BYTES: usize = 16 * 1024;

/// The newest bytes of a stream, up to the next one.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    bytes: Vec<u8>,
    /// There was no room for some of them.
    is_incomplete: bool,
    disagreements: u32,
    uncompared: u32,
}

impl Unconfirmed {
    /// Bytes held.
    pub const fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Segments that said something else about bytes which the receiver may have taken from them.
    pub const fn disagreements(&self) -> u32 {
        self.disagreements
    }

    /// Segments that may have said something else: there was no room for what they had to be compared with.
    pub const fn uncompared(&self) -> u32 {
        self.uncompared
    }

    /// Keeps what is delivered, which begins `offset` bytes behind the beginning of the stream.
    pub fn keep(&mut self, offset: usize, fresh: &[u8]) {
        if offset < COMPARED_BYTES {
            self.bytes.extend_from_slice(fresh);
        } else {
            self.clear();
        }
    }

    /// All of them are acknowledged. The next flight will need as much room.
    pub fn confirm(&mut self) {
        self.bytes.clear();
        self.is_incomplete = false;
    }

    /// They need not be compared any more.
    pub fn clear(&mut self) {
        self.bytes = Vec::new();
        self.is_incomplete = false;
    }

    /// Gives them up to have room.
    pub fn give_up(&mut self) {
        self.is_incomplete |= !self.bytes.is_empty();
        self.bytes = Vec::new();
    }

    /// Compares a segment that begins `before` bytes before the next one with what was delivered, of which the
    /// newest `open` bytes are not acknowledged.
    pub fn compare(&mut self, before: usize, open: usize, payload: &[u8]) {
        // The byte of a keep-alive stands right before the next one and is made up [RFC 9293 section 3.8.4].
        if before == 0 || (before == 1 && payload.len() == 1) {
            return;
        }
        let wanted = open.min(before);
        let kept = wanted.min(self.bytes.len());
        let ours = self.bytes.get(self.bytes.len() - kept..).unwrap_or_default();
        let theirs = payload.get(before - kept..).unwrap_or_default();
        if ours.iter().zip(theirs).any(|(ours, theirs)| ours != theirs) {
            self.disagreements += 1;
        } else if self.is_incomplete && kept < wanted {
            self.uncompared += 1;
        }
    }

    /// Compares a segment with another one of the same place, `kept`, of which none was delivered yet.
    pub fn compare_held(&mut self, kept: &[u8], payload: &[u8]) {
        self.disagreements += u32::from(!kept.starts_with(payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_the_beginning_of_a_stream_alone() {
        let mut unconfirmed = Unconfirmed::default();
        let mut offset = 0;
        for length in [1_000, 10_000, 30_000, 16_000] {
            unconfirmed.keep(offset, &vec![7; length]);
            offset += length;
            assert!(unconfirmed.held_bytes() < 64 * 1024);
            unconfirmed.compare(3, usize::MAX, b"707");
        }
        assert_eq!((unconfirmed.disagreements(), unconfirmed.uncompared()), (3, 0));
        assert_eq!(unconfirmed.held_bytes(), 0);
    }

    #[test]
    fn says_what_it_could_not_compare() {
        let mut unconfirmed = Unconfirmed::default();
        unconfirmed.keep(0, b"abc");
        unconfirmed.give_up();
        assert_eq!(unconfirmed.held_bytes(), 0);
        unconfirmed.keep(3, b"def");
        unconfirmed.compare(3, usize::MAX, b"def");
        assert_eq!((unconfirmed.disagreements(), unconfirmed.uncompared()), (0, 0));
        unconfirmed.compare(5, usize::MAX, b"bcdef");
        // Acknowledged up to there.
        unconfirmed.compare(5, 3, b"bcdef");
        unconfirmed.compare(5, usize::MAX, b"bcXef");
        assert_eq!((unconfirmed.disagreements(), unconfirmed.uncompared()), (1, 1));
        unconfirmed.confirm();
        unconfirmed.compare(5, usize::MAX, b"bcdef");
        assert_eq!((unconfirmed.disagreements(), unconfirmed.uncompared()), (1, 1));
        // Room that is kept for what comes is given up, too.
        assert!(unconfirmed.held_bytes() > 0);
        unconfirmed.give_up();
        assert_eq!(unconfirmed.held_bytes(), 0);
        unconfirmed.compare(5, usize::MAX, b"bcdef");
        assert_eq!((unconfirmed.disagreements(), unconfirmed.uncompared()), (1, 1));
    }
}
