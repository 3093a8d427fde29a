//! Which encrypted records can hold the Finished of TLS 1.3, by their length alone.

use crate::model::registry::CipherSuite;

/// Type and length of a handshake message [RFC 8446 section 4].
const HEADER_BYTES: usize = 4;
/// The content type inside an encrypted record [RFC 8446 section 5.2].
const TYPE_BYTES: usize = 1;

/// The least payload of a record that can hold an encrypted Finished: header 4, verify data 32, content type 1,
/// the shortest tag 8. An encrypted alert is shorter.
const MIN_FINISHED_BYTES: usize = 45;

/// True for the length of a record that can hold a Finished, alone or behind other messages.
pub const fn may_hold(record_bytes: usize) -> bool {
    record_bytes >= MIN_FINISHED_BYTES
}

/// Tells the Finished of a client from its early data, which is encrypted as well and may come behind the server's
/// flight.
#[derive(Debug, Default)]
pub struct BehindEarlyData {
    /// The record before was as long as an EndOfEarlyData.
    is_over: bool,
}

impl BehindEarlyData {
    /// Takes the length of the client's next encrypted record, under the suite the server chose (none where its
    /// hello was not seen), and says whether it holds the Finished: it has the size of one alone and without padding, or
    /// comes behind an EndOfEarlyData [RFC 8446 section 4.5], and then it may share its record.
    pub const fn is_finished(&mut self, record_bytes: usize, suite: Option<CipherSuite>) -> bool {
        let tag_bytes = match suite {
            // AES_128_CCM_8 [RFC 8446 appendix B.4].
            Some(CipherSuite(0x1305)) => 8,
            _ => 16,
        };
        let hash_bytes = match suite {
            Some(CipherSuite(0x1302)) => 48,
            _ => 32,
        };
        let around = HEADER_BYTES + TYPE_BYTES + tag_bytes;
        let is_finished = record_bytes == around + hash_bytes || self.is_over && may_hold(record_bytes);
        self.is_over = record_bytes == around;
        is_finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_finished_from_early_data() {
        for (suite, end, finished) in
            [(0x1301, 21, 53), (0x1302, 21, 69), (0x1303, 21, 53), (0x1304, 21, 53), (0x1305, 13, 45)]
        {
            let suite = Some(CipherSuite(suite));
            let mut records = BehindEarlyData::default();
            for early in [1_000, 52, 70, 16_401] {
                assert!(!records.is_finished(early, suite));
            }
            assert!(records.is_finished(finished, suite), "alone: {suite:?}");
            assert!(
                !records.is_finished(end, suite) && records.is_finished(1_500, suite),
                "with others: {suite:?}"
            );
            assert!(!records.is_finished(1_500, suite));
            assert!(
                !records.is_finished(end, suite) && !records.is_finished(19, suite),
                "an alert: {suite:?}"
            );
        }
    }
}
