//! Account ids in texts that strangers wrote: the forms that such a text may be read in, and what is left of a number where
//! a text is cut.

use std::ops::Range;

use memchr::memchr3;

/// Digits of an AWS account id.
pub const ACCOUNT_DIGITS: usize = 12;

/// Digits of a group, where consoles write an id as three of them with dashes between.
pub const GROUP_DIGITS: usize = 4;

/// A text without the escapes of one kind or two, byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unescaped {
    bytes: Vec<u8>,
    /// Where each byte is written in the text.
    places: Vec<Range<usize>>,
}

impl Unescaped {
    /// The readings of a text beside the one that takes it as it stands, where it has any: with what names and certificates
    /// escape (`\x1b`, `\1B`, `\,`) or write in hexadecimal (`#` and two signs for each byte) [RFC 4514 section 2.4], and
    /// with what URLs escape in that (`%20`).
    pub fn readings(text: &[u8]) -> impl Iterator<Item = Self> {
        let of_names = memchr3(b'\\', b'%', b'#', text).map(|_| Self::of_names(text));
        let of_urls = of_names.as_ref().filter(|reading| reading.bytes.contains(&b'%')).map(Self::of_urls);
        of_names.into_iter().chain(of_urls)
    }

    /// The bytes that are meant.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the first byte is that is written at `place` of the text, or behind it.
    #[must_use]
    pub fn from(&self, place: usize) -> usize {
        self.places.partition_point(|written| written.start < place)
    }

    /// Where these bytes are written in the text.
    #[must_use]
    pub fn place(&self, of: Range<usize>) -> Range<usize> {
        let written = self.places.get(of).unwrap_or_default();
        let start = written.first().map_or(0, |first| first.start);
        start..written.last().map_or(start, |last| last.end)
    }

    fn push(&mut self, byte: u8, place: Range<usize>) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    fn of_names(text: &[u8]) -> Self {
        let mut all = Self::default();
        let mut at = 0;
        while let Some(rest @ [first, ..]) = text.get(at..) {
            let (byte, length) = match rest {
                [b'\\', b'x', high, low, ..] if let Some(byte) = hexadecimal(*high, *low) => (byte, 4),
                [b'\\', high, low, ..] if let Some(byte) = hexadecimal(*high, *low) => (byte, 3),
                [b'\\', sign, ..] => (*sign, 2),
                _ => (*first, 1),
            };
            all.push(byte, at..at + length);
            at += length;
            if *first == b'#' {
                while let Some([high, low, ..]) = text.get(at..)
                    && let Some(byte) = hexadecimal(*high, *low)
                {
                    // Of characters of two bytes or four, those of digits begin with zeros.
                    if byte != 0 {
                        all.push(byte, at..at + 2);
                    }
                    at += 2;
                }
                // Half a byte, where the text was cut within it.
                at += usize::from(text.get(at).is_some_and(u8::is_ascii_hexdigit));
            }
        }
        all
    }

    fn of_urls(&self) -> Self {
        let mut all = Self::default();
        let mut at = 0;
        while let Some(rest @ [first, ..]) = self.bytes.get(at..) {
            let (byte, length) = match rest {
                [b'%', high, low, ..] if let Some(byte) = hexadecimal(*high, *low) => (byte, 3),
                _ => (*first, 1),
            };
            all.push(byte, self.place(at..at + length));
            at += length;
        }
        all
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |sign: u8| char::from(sign).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Digits of a number that tell too little of it to be left out: of an escaped sign there may be as many.
const TELLING_DIGITS: usize = 3;

/// How often a cut text is read again, for what leaving out a number in one reading does to another.
const MAX_ROUNDS: usize = 4;

/// How much is left of a text that was cut at its end, without the number that ends there: of an account id that is cut
/// nobody could tell any more that it is one.
#[must_use]
pub fn without_begun_number(text: &[u8]) -> usize {
    let mut left = text;
    for _ in 0..MAX_ROUNDS {
        let ends = [left, without_begun_escape(left)].map(begun_number);
        match ends.into_iter().flatten().min() {
            Some(end) => left = left.get(..end).unwrap_or_default(),
            None => break,
        }
    }
    left.len()
}

/// The text without an escape that was cut.
fn without_begun_escape(text: &[u8]) -> &[u8] {
    let begin = text.iter().rposition(|sign| matches!(sign, b'%' | b'\\')).unwrap_or(text.len());
    match text.split_at_checked(begin) {
        Some((before, [_] | [_, _] | [b'\\', b'x', _])) => before,
        _ => text,
    }
}

/// Where the number begins that `text` ends in, in whatever reading that is earliest.
fn begun_number(text: &[u8]) -> Option<usize> {
    let read = Unescaped::readings(text).filter_map(|reading| {
        let start = start_of_number(reading.bytes())?;
        Some(reading.place(start..start + 1).start)
    });
    start_of_number(text).into_iter().chain(read).min()
}

/// Where the number begins that `bytes` end in and that more digits would make an account id.
fn start_of_number(bytes: &[u8]) -> Option<usize> {
    let mut digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let mut start = bytes.len() - digits;
    while digits + GROUP_DIGITS <= ACCOUNT_DIGITS
        && let Some((before, [group @ .., b'-'])) =
            bytes.get(..start).and_then(<[u8]>::split_last_chunk::<{ GROUP_DIGITS + 1 }>)
        && group.iter().all(u8::is_ascii_digit)
        && !before.last().is_some_and(u8::is_ascii_digit)
    {
        (start, digits) = (before.len(), digits + GROUP_DIGITS);
    }
    (TELLING_DIGITS..ACCOUNT_DIGITS).contains(&digits).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_escaped() {
        for (text, readings) in [
            ("plain-1", &[][..]),
            ("a\\x31\\0A\\,", &["a1\n,"]),
            ("a%20b", &["a%20b", "a b"]),
            ("#2532301+%\\", &["#%20+%\\", "# +%\\"]),
            ("#25323031", &["#%201", "# 1"]),
            ("#00310032", &["#12"]),
            ("\\#31 \\%31", &["#31 %31", "#31 1"]),
        ] {
            let found: Vec<Unescaped> = Unescaped::readings(text.as_bytes()).collect();
            let bytes: Vec<&[u8]> = found.iter().map(Unescaped::bytes).collect();
            assert_eq!(bytes, readings.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(), "{text}");
            for reading in found {
                assert_eq!(reading.place(0..reading.bytes().len()), 0..text.len(), "{text}");
                assert!(
                    (0..reading.bytes().len()).all(|at| reading.from(reading.place(at..at + 1).start) == at)
                );
            }
        }
    }

    #[test]
    fn leaves_no_begun_number_wherever_a_text_is_cut() {
        for (before, number) in [
            ("acct.", "123456789012"),
            ("20261127-", "1234-5678-9012"),
            ("acct%20", "%31%32%33%34%35%36%37%38%39%30%31%32"),
            ("acct\\09", "1234-5678-9012"),
            ("acct\\09", "123456789012"),
            ("#0c", "313233343536373839303132"),
            ("#0c", "313233342D353637382D39303132"),
            ("#0c253230", "313233343536373839303132"),
        ] {
            let whole = format!("{before}{number}");
            for cut in before.len() + 1..whole.len() {
                let left = &whole[..without_begun_number(&whole.as_bytes()[..cut])];
                let (_, shown) = left.split_at(before.len().min(left.len()));
                assert!(
                    shown.len() < TELLING_DIGITS * (number.len() / ACCOUNT_DIGITS),
                    "{left} of {whole} at {cut}"
                );
            }
            // A whole one is found as such, or gone.
            let left = without_begun_number(whole.as_bytes());
            assert!(left == whole.len() || left <= before.len(), "{whole}");
        }
        for text in ["", "acct", "1234567890123", "a\\,", "a\\\\", "a%20b", "9\\0A"] {
            assert_eq!(without_begun_number(text.as_bytes()), text.len(), "{text}");
        }
    }
}
