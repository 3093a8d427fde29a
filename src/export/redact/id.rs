//! Where account ids stand in a text.

use std::ops::Range;

use memchr::memchr3;

use crate::model::{ACCOUNT_DIGITS, GROUP_DIGITS, Unescaped};

/// True where a text has one.
pub(super) fn has_id(text: &str) -> bool {
    Search::of(text).next(0).is_some()
}

/// False where there are too few digits for an account id, however it is written.
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

/// The search for account ids in a text: as it stands, and with what is escaped in it.
pub(super) struct Search<'a> {
    text: &'a [u8],
    /// There only where it has anything escaped, and digits enough.
    readings: Vec<Unescaped>,
}

impl<'a> Search<'a> {
    pub fn of(text: &'a str) -> Self {
        let text = text.as_bytes();
        let is_escaped = memchr3(b'\\', b'%', b'#', text).is_some() && may_have_run(text);
        Self { text, readings: if is_escaped { Unescaped::readings(text).collect() } else { Vec::new() } }
    }

    /// The first account id from a place on.
    pub fn next(&self, from: usize) -> Option<Found> {
        let plain = find(self.text, from).map(|place| Found { digits: digits_of(self.text, &place), place });
        let read = self.readings.iter().filter_map(|reading| {
            let place = find(reading.bytes(), reading.from(from))?;
            Some(Found { digits: digits_of(reading.bytes(), &place), place: reading.place(place) })
        });
        plain.into_iter().chain(read).min_by_key(|found| found.place.start)
    }
}

fn digits_of(bytes: &[u8], place: &Range<usize>) -> String {
    let written = bytes.get(place.clone()).unwrap_or_default();
    written.iter().filter(|byte| byte.is_ascii_digit()).copied().map(char::from).collect()
}

/// Where the first account id is from a place on, in bytes that mean themselves.
fn find(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let run = find_run(bytes, from).map(|start| start..start + ACCOUNT_DIGITS);
    let grouped = find_groups(bytes, from).map(|start| start..start + GROUPED_DIGITS);
    run.into_iter().chain(grouped).min_by_key(|place| place.start)
}

/// Digits and dashes of three groups of four.
const GROUPED_DIGITS: usize = ACCOUNT_DIGITS + 2;

/// Where three groups of four digits begin that are no part of a longer number or of a UUID.
fn find_groups(bytes: &[u8], from: usize) -> Option<usize> {
    let is_digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
    let mut at = from + GROUP_DIGITS;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'-')?;
        let start = at - GROUP_DIGITS;
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

/// Where the next run of exactly twelve digits begins that is no part of something longer.
pub(super) fn find_run(bytes: &[u8], from: usize) -> Option<usize> {
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
        if length == ACCOUNT_DIGITS && start >= from {
            let before = bytes.get(..start).unwrap_or_default();
            let after = bytes.get(end..).unwrap_or_default();
            let is_free =
                ![before.last(), after.first()].into_iter().flatten().any(u8::is_ascii_alphanumeric);
            if is_free || is_in_word(before, after, bytes.get(start)) {
                return Some(start);
            }
        }
        at = end;
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
    let search = Search::of(text);
    while let Some(Found { place: Range { start, end }, .. }) = search.next(copied) {
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
