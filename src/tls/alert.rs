//! Payload of alert records → alerts in clear [RFC 5246 section 7.2].

/// A record that is shorter holds no ciphertext: level, description and the shortest tag take as much.
pub const MIN_ENCRYPTED_BYTES: usize = 10;

/// The level that ends a connection.
pub const FATAL: u8 = 2;

/// The alerts of one direction. A record may hold several, or a part of one [RFC 5246 section 6.2.1].
#[derive(Debug, Default)]
pub struct Alerts {
    /// The record under way is in clear.
    is_clear: bool,
    /// The level of an alert whose description comes yet.
    level: Option<u8>,
}

impl Alerts {
    /// An alert record of `length` bytes begins.
    pub const fn begin_record(&mut self, length: usize) {
        self.is_clear = length < MIN_ENCRYPTED_BYTES;
        if !self.is_clear {
            self.level = None;
        }
    }

    /// Bytes are missing.
    pub const fn gap(&mut self) {
        *self = Self { is_clear: false, level: None };
    }

    /// The last fatal alert of the next bytes: its description.
    pub fn last_fatal(&mut self, bytes: &[u8]) -> Option<u8> {
        if !self.is_clear {
            return None;
        }
        let mut found = None;
        for &byte in bytes {
            match self.level.take() {
                None => self.level = Some(byte),
                Some(FATAL) => found = Some(byte),
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(records: &[&[u8]]) -> Option<u8> {
        let mut alerts = Alerts::default();
        let mut last = None;
        for record in records {
            alerts.begin_record(record.len());
            last = alerts.last_fatal(record).or(last);
        }
        last
    }

    #[test]
    fn hears_alerts_in_pieces_and_together() {
        for records in [
            &[&[2, 70][..]][..],
            &[&[2], &[], &[70]],
            &[&[1, 112, 2, 70]],
            &[&[1, 112, 2], &[70]],
            &[&[2, 40, 2, 70]],
        ] {
            assert_eq!(last(records), Some(70), "{records:?}");
        }
        assert_eq!(last(&[&[1, 70]]), None);
    }

    #[test]
    fn tells_ciphertext_by_its_length() {
        assert_eq!(last(&[&[2; 10]]), None);
        // A part before it is no part of what comes behind it.
        assert_eq!(last(&[&[2], &[9; 26], &[1, 70]]), None);
        let mut alerts = Alerts::default();
        alerts.begin_record(2);
        assert_eq!(alerts.last_fatal(&[2]), None);
        alerts.gap();
        assert_eq!(alerts.last_fatal(&[70]), None);
    }
}
