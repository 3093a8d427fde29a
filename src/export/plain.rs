//! Text for people: harmless, with numbers that can be read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` without anything a terminal would act on: control characters and those that turn the
/// direction of writing are written out as `\u{…}`.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_active(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Whether something acts on a character instead of showing it, or shows nothing where it stands; among them those that
/// Unicode gives to nobody, which documents may not have.
#[must_use]
pub fn is_active(character: char) -> bool {
    character.is_control()
        || u32::from(character) & 0xfffe == 0xfffe
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{fdd0}'..='\u{fdef}' | '\u{61c}' | '\u{ad}' | '\u{180e}' | '\u{e0000}'..='\u{e007f}')
}

/// Bytes as two lower-case digits each, as `sha256sum` prints them.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 flow`, `2 flows`.
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Bytes in the largest unit (decimal, SI) of which they are at least one, cut after one digit.
#[must_use]
pub fn bytes(number: u64) -> String {
    let (mut whole, mut rest, mut unit) = (number, 0, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if whole < 1_000 {
            break;
        }
        (rest, whole, unit) = (whole % 1_000, whole / 1_000, larger);
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{} {unit}", rest / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disarms_escape_sequences() {
        assert_eq!(plain("a\u{1b}[31mb\u{9b}c\u{202e}d\n"), r"a\u{1b}[31mb\u{9b}c\u{202e}d\u{a}");
        assert_eq!(plain("a\u{fffe}\u{fdd0}\u{fffd}"), "a\\u{fffe}\\u{fdd0}\u{fffd}");
        assert_eq!(plain("dynamodb.eu-central-1.amazonaws.com"), "dynamodb.eu-central-1.amazonaws.com");
        assert_eq!(plain("bücher.例"), "bücher.例");
        assert_eq!(plain("a\u{e0001}\u{ad}b"), r"a\u{e0001}\u{ad}b", "what is not seen could hide in a name");
    }

    #[test]
    fn writes_numbers_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((count(1, "flow"), count(2_000, "flow")), ("1 flow".to_owned(), "2,000 flows".to_owned()));
    }

    #[test]
    fn writes_bytes_for_people() {
        for (number, text) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_299_999, "1.2 MB")] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(u64::MAX), "18.4 EB");
    }
}
