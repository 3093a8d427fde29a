//! Text for a terminal: harmless, of a known width, numbers that can be read.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::export::plain::{bytes, count, plain, thousands};

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// What stands behind "keep the profile" where `excused` of `all` do so only under an exception.
#[must_use]
pub fn only_excused(excused: u64, all: u64) -> String {
    match excused {
        0 => String::new(),
        _ if all == 1 => " only under an exception".to_owned(),
        excused => format!(", {} of them only under an exception", thousands(excused)),
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
