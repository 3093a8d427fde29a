//! Text for a terminal: harmless, of a known width, numbers that can be read.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns`, ending in `ellipsis` where it was cut.
#[must_use]
pub fn fit<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    // Where not even the sign of the cut finds room, the text itself says more.
    let ellipsis = if columns > ellipsis.width() { ellipsis } else { "" };
    let room = columns - ellipsis.width();
    let (mut used, mut out) = (0, String::new());
    for character in text.chars() {
        let wide = character.width().unwrap_or_default();
        // Added up, single widths may be more than the whole; then the cut comes a little early.
        if used + wide > room {
            break;
        }
        used += wide;
        out.push(character);
    }
    out.push_str(ellipsis);
    // Joined characters may measure more than their parts: the promise is about the whole.
    while out.width() > columns && out.pop().is_some() {}
    Cow::Owned(out)
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

/// Bytes with a unit: `999 B`, `1.2 MB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    let (mut unit, mut divisor) = ("B", 1_u64);
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if number / divisor < 1_000 {
            break;
        }
        (unit, divisor) = (larger, divisor * 1_000);
    }
    if divisor == 1 {
        return format!("{number} B");
    }
    format!("{}.{} {unit}", number / divisor, number % divisor * 10 / divisor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn disarms_escape_sequences() {
        assert_eq!(plain("a\u{1b}[31mb\u{9b}c\u{202e}d\n"), r"a\u{1b}[31mb\u{9b}c\u{202e}d\u{a}");
        assert_eq!(plain("dynamodb.eu-central-1.amazonaws.com"), "dynamodb.eu-central-1.amazonaws.com");
        assert_eq!(plain("bücher.例"), "bücher.例");
    }

    #[test]
    fn writes_numbers_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        for (number, text) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_299_999, "1.2 MB")] {
            assert_eq!(bytes(number), text);
        }
        assert!(bytes(u64::MAX).ends_with(" PB"));
        assert_eq!((count(1, "flow"), count(2_000, "flow")), ("1 flow".to_owned(), "2,000 flows".to_owned()));
    }

    #[test]
    fn cuts_where_it_must() {
        assert_eq!(fit("abcdef", 6, "…"), "abcdef");
        assert_eq!(fit("abcdef", 5, "…"), "abcd…");
        assert_eq!(fit("例例例", 5, "…"), "例例…");
        assert_eq!(fit("abc", 1, ".."), "a");
        assert_eq!(fit("abc", 0, "…"), "");
    }

    proptest! {
        #[test]
        fn never_exceeds_the_columns(text in any::<String>(), columns in 0..20_usize) {
            prop_assert!(width(&fit(&plain(&text), columns, "…")) <= columns);
        }
    }
}
