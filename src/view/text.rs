//! Text for a terminal: harmless, of a known width, numbers that can be read.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::export::plain::{count, plain, thousands};

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
    fn writes_bytes_for_people() {
        for (number, text) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_299_999, "1.2 MB")] {
            assert_eq!(bytes(number), text);
        }
        assert!(bytes(u64::MAX).ends_with(" PB"));
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
