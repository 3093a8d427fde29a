//! The words that stand for accounts.

use std::collections::BTreeSet;
use std::io::{self, Read};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::export::plain::hexadecimal;

/// What stands for every account beyond the limit.
pub(super) const OTHER: &str = "account-other";

/// Bytes of the keyed hash that are shown, as two hexadecimal digits each.
const SHOWN_HASH_BYTES: usize = 6;

/// What a number stands behind.
const WORD: &[u8] = b"account-";

/// The most digits taken: more accounts than there can be, and no sum of theirs overflows.
const MAX_DIGITS: usize = 10;

/// The highest number that is given: one that is higher would not be read again.
const MAX_NUMBER: u64 = 9_999_999_999;

/// From here on a number is one that numbering hardly comes to by itself.
const FAR: u64 = 1_000_000_000;

/// The most numbers from there on that are remembered, some MB. Where there are more, none of them is given.
const MAX_FAR: usize = 65_536;

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
        let alias = hexadecimal(hash.get(..SHOWN_HASH_BYTES).unwrap_or_default());
        if !alias.bytes().all(|byte| byte.is_ascii_digit()) {
            return alias;
        }
        input.push(b'+');
    }
}

/// Numbers that stand for accounts already, here or in what was written before: no other account gets one of them.
///
/// A stranger may have written a word, too. One with a number as high as numbering hardly comes to takes nothing but this
/// number away; all others are behind the highest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    highest: u64,
    /// Those from [`FAR`] on.
    far: BTreeSet<u64>,
}

impl Numbers {
    /// Takes one.
    pub(super) fn take(&mut self, number: u64) {
        if number < FAR {
            self.highest = self.highest.max(number);
        } else if self.far.len() < MAX_FAR {
            self.far.insert(number);
        }
    }

    /// Takes those of others.
    pub(super) fn take_all(&mut self, others: &Self) {
        self.highest = self.highest.max(others.highest);
        others.far.iter().for_each(|number| self.take(*number));
    }

    /// Takes those of all words in a text; true where it has some. Where more of it may follow, a word at its very end is
    /// left: it may go on.
    pub(super) fn take_of(&mut self, text: &[u8], is_whole: bool) -> bool {
        let mut has_some = false;
        for at in memchr::memmem::find_iter(text, WORD) {
            let rest = text.get(at..).unwrap_or_default();
            let digits = rest.iter().skip(WORD.len()).take_while(|byte| byte.is_ascii_digit()).count();
            let (word, is_ended) = match rest.split_at_checked(WORD.len() + digits) {
                Some((word, behind)) => (word, is_whole || !behind.is_empty()),
                None => (rest, is_whole),
            };
            if let Some(number) = std::str::from_utf8(word).ok().and_then(number).filter(|_| is_ended) {
                self.take(number);
                has_some = true;
            }
        }
        has_some
    }

    /// One that stands for no account yet; `None` where there is none that could be told from those that were taken.
    pub(super) fn give(&mut self) -> Option<u64> {
        let next = (self.highest + 1..=MAX_NUMBER).find(|number| !self.far.contains(number))?;
        if next >= FAR && self.far.len() >= MAX_FAR {
            return None;
        }
        self.highest = next;
        Some(next)
    }
}

/// The numbers of words anywhere in what was written before: who goes on writing there numbers other accounts otherwise.
///
/// # Errors
/// Those of the reader.
pub fn numbers_of(mut written: impl Read) -> io::Result<Numbers> {
    let mut numbers = Numbers::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut kept = 0;
    loop {
        let got = match written.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = buffer.get(..kept + got).unwrap_or_default();
        numbers.take_of(filled, got == 0);
        if got == 0 {
            return Ok(numbers);
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

    fn next(text: &[u8]) -> Option<u64> {
        numbers_of(text).unwrap().give()
    }

    #[test]
    fn finds_the_highest_number_wherever_it_stands() {
        let text =
            r#"{"a":"account-3.ddb"}{"b":"account-12"}account-x account- account-99999999999 account-other"#;
        assert_eq!(next(text.as_bytes()), Some(13));
        assert_eq!(next(b""), Some(1));
        // Across the ends of chunks.
        for before in CHUNK_BYTES - 12..CHUNK_BYTES + 2 {
            for (word, expected) in
                [("account-4711\"", 4_712), ("account-4711", 4_712), ("account-9999999999", 1)]
            {
                let mut text = vec![b' '; before];
                text.extend_from_slice(word.as_bytes());
                assert_eq!(next(&text), Some(expected), "{word} at {before}");
            }
        }
    }

    /// Words that strangers wrote never make two accounts one.
    #[test]
    fn gives_no_number_twice_whatever_stands_there() {
        let mut written = format!("account-{} account-{MAX_NUMBER} account-{}", FAR - 1, FAR + 1);
        let mut given = BTreeSet::from([FAR - 1, FAR + 1, MAX_NUMBER]);
        for _ in 0..4 {
            let mut numbers = numbers_of(written.as_bytes()).unwrap();
            for _ in 0..2 {
                let number = numbers.give().unwrap();
                assert!(given.insert(number), "{number}");
                written.push_str(&format!(" {}", numbered(number)));
            }
        }
        // All words beyond are taken, or more than are remembered.
        let mut numbers = Numbers::default();
        (0..MAX_FAR as u64).for_each(|number| numbers.take(FAR + 2 * number));
        assert_eq!(numbers.give(), Some(1));
        numbers.take(FAR - 1);
        assert_eq!(numbers.give(), None);
    }

    #[test]
    fn takes_only_its_own_words() {
        assert_eq!(number(&numbered(7)), Some(7));
        assert_eq!(number(&numbered(MAX_NUMBER)), Some(MAX_NUMBER));
        for other in ["account-", "account-other", "account-1x", "0a1b2c3d4e5f", "account-99999999999"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
