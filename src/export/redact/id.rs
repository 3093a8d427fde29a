//! Where account ids stand in a text.

use std::ops::Range;

/// Digits of an AWS account id.
const ACCOUNT_DIGITS: usize = 12;

/// True where a text has one.
pub(super) fn has_id(text: &str) -> bool {
    find_id(text, 0).is_some()
}

/// False where there are too few digits for an account id.
pub(super) fn may_have_run(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= ACCOUNT_DIGITS
}

/// An account id in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub place: Range<usize>,
    /// Its digits, however it is written.
    pub digits: String,
}

/// The next account id.
pub(super) fn find_id(text: &str, from: usize) -> Option<Found> {
    let run = find_run(text, from).map(|start| start..start + ACCOUNT_DIGITS);
    let grouped = find_groups(text, from).map(|start| start..start + GROUPED_DIGITS);
    let encoded = find_encoded(text, from).map(|start| start..start + 2 * ACCOUNT_DIGITS);
    let first = [run, grouped, encoded.clone()].into_iter().flatten().min_by_key(|place| place.start)?;
    let written = text.get(first.clone()).unwrap_or_default();
    let digits = if encoded.as_ref() == Some(&first) {
        // Each digit is the second sign of its byte.
        written.bytes().skip(1).step_by(2).map(char::from).collect()
    } else {
        written.replace('-', "")
    };
    Some(Found { place: first, digits })
}

/// Digits and dashes of three groups of four.
const GROUPED_DIGITS: usize = ACCOUNT_DIGITS + 2;

/// Where three groups of four digits begin that are no part of a longer number or of a UUID.
fn find_groups(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
    let mut at = from + 4;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'-')?;
        let start = at - 4;
        if let Some([first @ .., b'-', b0, b1, b2, b3, b'-', c0, c1, c2, c3]) =
            bytes.get(start..start + GROUPED_DIGITS)
            && is_digits(first)
            && is_digits(&[*b0, *b1, *b2, *b3, *c0, *c1, *c2, *c3])
            && !is_longer(bytes.get(..start).unwrap_or_default().iter().rev())
            && !is_longer(bytes.get(start + GROUPED_DIGITS..).unwrap_or_default().iter())
            && !is_in_uuid(bytes, start)
        {
            return Some(start);
        }
        at += 1;
    }
}

/// True where a number goes on: another digit, or another group of four.
fn is_longer<'a>(mut touching: impl Iterator<Item = &'a u8>) -> bool {
    match touching.next() {
        Some(b'-') => touching.take(5).take_while(|byte| byte.is_ascii_digit()).count() == 4,
        Some(byte) => byte.is_ascii_digit(),
        None => false,
    }
}

/// Signs before each dash of a UUID, and its length.
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_LENGTH: usize = 36;

/// True where three groups of four digits are groups of a UUID, or parts of such groups.
fn is_in_uuid(bytes: &[u8], start: usize) -> bool {
    [4, 9, 14].into_iter().any(|offset| {
        let uuid = start.checked_sub(offset).and_then(|begin| bytes.get(begin..begin + UUID_LENGTH));
        uuid.is_some_and(|uuid| {
            uuid.iter().enumerate().all(|(at, byte)| match UUID_DASHES.contains(&at) {
                true => *byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
        })
    })
}

/// Where twelve digits begin in what a distinguished name writes in hexadecimal, because it has no form as text
/// (RFC 4514 section 2.4: `#` and two signs for each byte; a digit is 30 to 39).
fn find_encoded(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr(b'#', bytes.get(at..)?)? + 1;
        let written = bytes.get(at..)?;
        let length = written.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let pairs = written.get(..length).unwrap_or_default().as_chunks::<2>().0;
        let is_digit = |pair: &[u8; 2]| pair[0] == b'3' && pair[1].is_ascii_digit();
        let mut first = 0;
        while let Some(rest) = pairs.get(first..).filter(|rest| rest.len() >= ACCOUNT_DIGITS) {
            let run = rest.iter().take_while(|pair| is_digit(pair)).count();
            if run == ACCOUNT_DIGITS && at + 2 * first >= from {
                return Some(at + 2 * first);
            }
            first += run + 1;
        }
        at += length;
    }
}

/// Where the next run of exactly twelve digits begins that is no part of something longer.
pub(super) fn find_run(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    // Only every twelfth byte is looked at until one is a digit: a run cannot hide between.
    loop {
        let mut probe = at + ACCOUNT_DIGITS - 1;
        loop {
            if bytes.get(probe)?.is_ascii_digit() {
                break;
            }
            at = probe + 1;
            probe = at + ACCOUNT_DIGITS - 1;
        }
        let before = bytes.get(..probe)?;
        let start = before.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        let length = bytes.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = start + length;
        let escaped = length.checked_sub(ACCOUNT_DIGITS).filter(|digits| *digits <= 2);
        if let Some(escaped) = escaped
            && start >= from
        {
            let before = bytes.get(..start).unwrap_or_default();
            let after = bytes.get(end..).unwrap_or_default();
            let is_behind_escape = is_behind_escape(before, escaped);
            let is_free =
                is_behind_escape || escaped == 0 && !before.last().is_some_and(u8::is_ascii_alphabetic);
            // The signs of an escaped byte are no part of the word behind it.
            let head = if is_behind_escape { &[] } else { before };
            if is_free && !after.first().is_some_and(u8::is_ascii_alphanumeric)
                || (is_behind_escape || escaped == 0) && is_in_word(head, after, bytes.get(start))
            {
                return Some(start + escaped);
            }
        }
        at = end;
    }
}

/// True where what stands before a run of digits, and so many of these, end in an escaped byte, as names write it (`\x1b`),
/// certificates (`\1B`) or URLs (`%20`).
fn is_behind_escape(before: &[u8], escaped: usize) -> bool {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    match (escaped, before) {
        (0, [.., b'\\', b'x', high, low] | [.., b'\\' | b'%', high, low]) => is_hex(high) && is_hex(low),
        (1, [.., b'\\', b'x', high] | [.., b'\\' | b'%', high]) => is_hex(high),
        (2, [.., b'\\', b'x'] | [.., b'\\' | b'%']) => true,
        _ => false,
    }
}

/// Signs of the shortest hexadecimal word that twelve digits in a row may be a part of: nothing is named by 13 to 15 of them.
const SHORTEST_WORD: usize = 16;

/// Signs of the id of an AWS resource, behind its kind and a dash. The first of them is 0.
const RESOURCE_ID: usize = 17;

/// True where letters touch a run of digits, but not those of a hexadecimal word or of an escaped byte. Letters alone do not
/// make one: `acc` and `db` are words of people, and of hashes hardly any has all its digits in one row.
fn is_in_word(before: &[u8], after: &[u8], first: Option<&u8>) -> bool {
    match before {
        // The first digit belongs to an escaped byte. What is escaped by a backslash alone is no such byte.
        [.., b'\\', b'x'] => return false,
        [.., b'\\', b'x', high] | [.., b'\\', high] if high.is_ascii_hexdigit() => return false,
        _ => {}
    }
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric();
    let head = before.iter().rev().take_while(is_letter);
    let word = || head.clone().chain(after.iter().take_while(is_letter));
    let length = ACCOUNT_DIGITS + word().count();
    let is_hexadecimal = word().all(u8::is_ascii_hexdigit);
    let has_other_digits = word().any(u8::is_ascii_digit);
    let is_resource = length == RESOURCE_ID && first == Some(&b'0') && before.last() == Some(&b'-');
    // Digits alone around it there are not: the run would be longer.
    length > ACCOUNT_DIGITS
        && !(is_hexadecimal && (has_other_digits && length >= SHORTEST_WORD || is_resource))
}

/// True where redaction may have made `shown` of `text`: an account id has become a word that stands for it.
pub(crate) fn may_stand_for(shown: &str, text: &str) -> bool {
    let (mut rest, mut copied, mut is_hidden) = (shown, 0, false);
    while let Some(Found { place: Range { start, end }, .. }) = find_id(text, copied) {
        let before = text.get(copied..start).unwrap_or_default();
        let Some(after) = rest.strip_prefix(before).and_then(without_alias) else { return false };
        (rest, copied, is_hidden) = (after, end, true);
    }
    is_hidden && Some(rest) == text.get(copied..)
}

/// What follows a word that stands for an account.
fn without_alias(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("account-") {
        let digits = rest.trim_start_matches(|character: char| character.is_ascii_digit());
        return rest.strip_prefix("other").or((digits.len() < rest.len()).then_some(digits));
    }
    let (hash, rest) = text.split_at_checked(ACCOUNT_DIGITS)?;
    hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(rest)
}

/// True for digits that read as year, month, day, hour and minute of our time.
pub(super) fn is_date(digits: &str) -> bool {
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u32>().ok());
    matches!(
        (part(0..4), part(4..6), part(6..8), part(8..10), part(10..12)),
        (Some(1990..=2099), Some(1..=12), Some(1..=31), Some(0..=23), Some(0..=59))
    )
}
