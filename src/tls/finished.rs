//! Which encrypted records can hold a Finished, by their length alone.

use crate::model::registry::CipherSuite;

/// The shortest record that can hold the Finished of TLS 1.2 or an older version, whatever its cipher adds to it: header and
/// verify data [RFC 5246 section 7.4.9].
pub const MIN_BYTES: usize = HEADER_BYTES + 12;

/// Type and length of a handshake message [RFC 8446 section 4].
const HEADER_BYTES: usize = 4;
/// The content type inside an encrypted record [RFC 8446 section 5.2].
const TYPE_BYTES: usize = 1;

/// EncryptedExtensions that say nothing, which is in front of each Finished of a server [RFC 8446 section 4.3.1].
const EXTENSIONS_BYTES: usize = HEADER_BYTES + 2;

/// What may share the record of a client's Finished and proves nothing by itself: a Certificate without one
/// [RFC 8446 section 4.4.2], the extensions of a client for ALPS, or the padding that JSSE gives to every record.
const COMPANIONS_BYTES: [usize; 3] = [HEADER_BYTES + 4, HEADER_BYTES + 6, 16];

/// The Finished itself.
pub const fn message_bytes(suite: Option<CipherSuite>) -> usize {
    HEADER_BYTES + hash_bytes(suite)
}

/// What a record holds, at most.
pub const fn content_bytes(record_bytes: usize, suite: Option<CipherSuite>) -> usize {
    record_bytes.saturating_sub(TYPE_BYTES + tag_bytes(suite))
}

/// The payload of a record that holds a Finished alone and unpadded: header, verify data, content type, tag. Without a
/// suite the shortest there is, which an encrypted alert is shorter than.
const fn alone_bytes(suite: Option<CipherSuite>) -> usize {
    message_bytes(suite) + TYPE_BYTES + tag_bytes(suite)
}

/// Of the hash of a suite of TLS 1.3 [RFC 8446 appendix B.4, RFC 9150 section 4].
const fn hash_bytes(suite: Option<CipherSuite>) -> usize {
    match suite {
        Some(CipherSuite(0x1306)) => 64,
        Some(CipherSuite(0x1302 | 0xc0b5)) => 48,
        _ => 32,
    }
}

/// Of its authentication tag: shorter in AES_128_CCM_8, as long as the hash in those without encryption.
const fn tag_bytes(suite: Option<CipherSuite>) -> usize {
    match suite {
        Some(CipherSuite(0x1305)) | None => 8,
        Some(CipherSuite(0xc0b4 | 0xc0b5)) => hash_bytes(suite),
        Some(_) => 16,
    }
}

/// Of a suite that is not known, what most suites have: the tag, and one of two hashes.
const fn likely(suite: Option<CipherSuite>) -> [Option<CipherSuite>; 2] {
    match suite {
        None => [Some(CipherSuite(0x1301)), Some(CipherSuite(0x1302))],
        known => [known, known],
    }
}

/// True for the length of a record that can hold a Finished, alone or behind other messages, under the suite the server
/// chose, if that is known.
const fn may_hold(record_bytes: usize, suite: Option<CipherSuite>) -> bool {
    record_bytes >= alone_bytes(suite)
}

/// True for the length of a client's record that can hardly be anything else than its Finished, be it with what proves
/// nothing. A longer one may be its certificate alone.
pub fn is_one(record_bytes: usize, suite: Option<CipherSuite>) -> bool {
    likely(suite).into_iter().any(|suite| {
        let alone = alone_bytes(suite);
        record_bytes == alone || COMPANIONS_BYTES.iter().any(|more| record_bytes == alone + more)
    })
}

/// What a server has sent encrypted.
#[derive(Debug, Default)]
pub struct ServerFlight {
    bytes: usize,
}

impl ServerFlight {
    /// Takes the length of the server's next encrypted record, and says whether its Finished may have been sent by then.
    pub fn may_be_over(&mut self, record_bytes: usize, suite: Option<CipherSuite>) -> bool {
        self.bytes = self.bytes.saturating_add(content_bytes(record_bytes, suite));
        self.bytes >= EXTENSIONS_BYTES + message_bytes(suite)
    }
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
        let [suite, other] = likely(suite);
        let is_alone = record_bytes == alone_bytes(suite) || record_bytes == alone_bytes(other);
        let is_finished = is_alone || self.is_over && may_hold(record_bytes, suite);
        self.is_over = record_bytes == HEADER_BYTES + TYPE_BYTES + tag_bytes(suite);
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

    #[test]
    fn of_an_unknown_suite_either_hash_is_one() {
        let is_finished = |record_bytes| BehindEarlyData::default().is_finished(record_bytes, None);
        assert_eq!([52, 53, 54, 69, 70].map(is_finished), [false, true, false, true, false]);
    }

    #[test]
    fn a_finished_has_the_size_of_its_hash() {
        for (suite, least) in
            [(Some(0x1301), 53), (Some(0x1302), 69), (Some(0x1303), 53), (Some(0x1305), 45), (None, 45)]
        {
            let suite = suite.map(CipherSuite);
            assert!(!may_hold(least - 1, suite) && may_hold(least, suite), "{suite:?}");
        }
    }
}
