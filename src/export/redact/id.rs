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

/// The next account id.
pub(super) fn find_id(text: &str, from: usize) -> Option<Range<usize>> {
    let run = find_run(text, from).map(|start| start..start + ACCOUNT_DIGITS);
    let grouped = find_groups(text, from).map(|start| start..start + ACCOUNT_DIGITS + 2);
    match (run, grouped) {
        (Some(run), Some(grouped)) => Some(if run.start < grouped.start { run } else { grouped }),
        (run, grouped) => run.or(grouped),
    }
}

/// Where three groups of four digits begin that stand alone.
fn find_groups(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let touches = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let is_digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
    let mut at = from + 4;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'-')?;
        let start = at - 4;
        if let Some([first @ .., b'-', b0, b1, b2, b3, b'-', c0, c1, c2, c3]) = bytes.get(start..start + 14)
            && is_digits(first)
            && is_digits(&[*b0, *b1, *b2, *b3, *c0, *c1, *c2, *c3])
            && !touches(start.checked_sub(1).and_then(|before| bytes.get(before)))
            && !touches(bytes.get(start + 14))
        {
            return Some(start);
        }
        at += 1;
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
            && (is_free(bytes.get(..start).unwrap_or_default(), escaped)
                && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
                || escaped == 0 && is_in_word(bytes, start, end))
        {
            return Some(start + escaped);
        }
        at = end;
    }
}

/// True where what stands before a run of digits, and so many of these, do not touch an account id: no letter does,
/// and no digit that is not the end of an escaped byte, as names write it (`\x1b`) or certificates (`\1B`).
fn is_free(before: &[u8], escaped: usize) -> bool {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    match (escaped, before) {
        (0, [.., b'\\', b'x', high, low] | [.., b'\\', high, low]) if is_hex(high) && is_hex(low) => true,
        (0, _) => !before.last().is_some_and(u8::is_ascii_alphabetic),
        (1, [.., b'\\', b'x', high] | [.., b'\\', high]) => is_hex(high),
        (2, [.., b'\\', b'x'] | [.., b'\\']) => true,
        _ => false,
    }
}

/// Signs of the shortest hexadecimal word that twelve digits in a row may be a part of: nothing is named by 13 to 15 of them.
const SHORTEST_WORD: usize = 16;

/// Signs of the id of an AWS resource, behind its kind and a dash. The first of them is 0.
const RESOURCE_ID: usize = 17;

/// True where letters touch a run of digits, but not those of a hexadecimal word or of an escaped byte. Letters alone do not
/// make one: `acc` and `db` are words of people, and of hashes hardly any has all its digits in one row.
fn is_in_word(bytes: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = (bytes.get(..start).unwrap_or_default(), bytes.get(end..).unwrap_or_default());
    if let [.., b'\\', b'x', _] | [.., b'\\', _] = before {
        return false;
    }
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric();
    let head = before.iter().rev().take_while(is_letter);
    let word = || head.clone().chain(after.iter().take_while(is_letter));
    let length = ACCOUNT_DIGITS + word().count();
    let is_hexadecimal = word().all(u8::is_ascii_hexdigit);
    let has_other_digits = word().any(u8::is_ascii_digit);
    let is_resource =
        length == RESOURCE_ID && bytes.get(start) == Some(&b'0') && before.last() == Some(&b'-');
    // Digits alone around it there are not: the run would be longer.
    length > ACCOUNT_DIGITS
        && !(is_hexadecimal && (has_other_digits && length >= SHORTEST_WORD || is_resource))
}

/// True where redaction may have made `shown` of `text`: an account id has become a word that stands for it.
pub(crate) fn may_stand_for(shown: &str, text: &str) -> bool {
    let (mut rest, mut copied, mut is_hidden) = (shown, 0, false);
    while let Some(Range { start, end }) = find_id(text, copied) {
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
