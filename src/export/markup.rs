//! Text for people as HTML, for the pages.

use std::fmt::Write as _;

use minijinja::{HtmlEscape, Value};

use super::plain::plain;

/// `text` as HTML in which nothing acts, with what it has between two backticks as code. A filter of templates, for the
/// text of elements.
#[must_use]
pub fn with_code(text: &str) -> Value {
    let text = plain(text);
    let (mut out, mut rest) = (String::with_capacity(text.len() + 16), &*text);
    // Writing to a string cannot fail.
    while let Some((before, behind)) = rest.split_once('`')
        && let Some((code, after)) = behind.split_once('`')
    {
        let _ = write!(out, "{}<code>{}</code>", HtmlEscape(before), HtmlEscape(code));
        rest = after;
    }
    let _ = write!(out, "{}", HtmlEscape(rest));
    Value::from_safe_string(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_code_as_code_and_nothing_that_acts() {
        for (text, html) in [
            ("", ""),
            ("no code", "no code"),
            ("run `a --b` or `c`.", "run <code>a --b</code> or <code>c</code>."),
            ("``", "<code></code>"),
            ("one ` alone, `two`, and ` again", "one <code> alone, </code>two<code>, and </code> again"),
            ("one ` alone", "one ` alone"),
            ("<b>`<i>`\"\u{202e}", "&lt;b&gt;<code>&lt;i&gt;</code>&quot;\\u{202e}"),
        ] {
            assert_eq!(with_code(text).as_str(), Some(html), "{text}");
            assert!(with_code(text).is_safe());
        }
    }
}
