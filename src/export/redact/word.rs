//! The words that stand for accounts.

use std::io::{self, Read};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What stands for every account beyond the limit.
pub(super) const OTHER: &str = "account-other";

/// Bytes of the keyed hash that are shown, as two hexadecimal digits each.
const SHOWN_HASH_BYTES: usize = 6;

/// What a number stands behind.
const WORD: &[u8] = b"account-";

/// The most digits taken: more accounts than there can be, and no sum of theirs overflows.
const MAX_DIGITS: usize = 10;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The word for an account by its number.
pub(super) fn numbered(number: u64) -> String {
    format!("account-{number}")
}

/// The number in a word, where it is one.
pub(super) fn number(word: &str) -> Option<u64> {
    let digits = word.as_bytes().strip_prefix(WORD)?;
    let is_number = !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// The keyed hash of an id. One in some 280 is of digits alone: it would be taken for an account id where what was
/// redacted is redacted again, so that the id with one more sign behind it stands for it, until there is a letter.
pub(super) fn keyed(key: &[u8], id: &str) -> String {
    let mut input = id.as_bytes().to_vec();
    loop {
        // HMAC takes a key of any length; the type cannot say so.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return OTHER.to_owned() };
        mac.update(&input);
        let hash = mac.finalize().into_bytes();
        let alias: String = hash.iter().take(SHOWN_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        if !alias.bytes().all(|byte| byte.is_ascii_digit()) {
            return alias;
        }
        input.push(b'+');
    }
}

/// The highest number of a word anywhere in what was written before, 0 where there is none: who goes on writing there
/// numbers other accounts from behind it.
///
/// # Errors
/// Those of the reader.
pub fn highest_number(mut written: impl Read) -> io::Result<u64> {
    let mut highest = 0;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut kept = 0;
    loop {
        let got = match written.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = buffer.get(..kept + got).unwrap_or_default();
        for at in memchr::memmem::find_iter(filled, WORD) {
            let rest = filled.get(at + WORD.len()..).unwrap_or_default();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let word = filled.get(at..at + WORD.len() + digits).unwrap_or_default();
            highest = highest.max(std::str::from_utf8(word).ok().and_then(number).unwrap_or_default());
        }
        if got == 0 {
            return Ok(highest);
        }
        // A word may lie across two chunks.
        let end = filled.len();
        let from = end.saturating_sub(WORD.len() + MAX_DIGITS);
        buffer.copy_within(from..end, 0);
        kept = end - from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_highest_number_wherever_it_stands() {
        let text =
            r#"{"a":"account-3.ddb"}{"b":"account-12"}account-x account- account-99999999999 account-other"#;
        assert_eq!(highest_number(text.as_bytes()).unwrap(), 12);
        assert_eq!(highest_number(io::empty()).unwrap(), 0);
        // Across the ends of chunks.
        for before in CHUNK_BYTES - 12..CHUNK_BYTES + 2 {
            let mut text = vec![b' '; before];
            text.extend_from_slice(b"account-4711\"");
            assert_eq!(highest_number(&*text).unwrap(), 4_711, "{before}");
        }
    }

    #[test]
    fn takes_only_its_own_words() {
        assert_eq!(number(&numbered(7)), Some(7));
        for other in ["account-", "account-other", "account-1x", "0a1b2c3d4e5f", "account-99999999999"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
