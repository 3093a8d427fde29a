//! A request head of which more is to come, in pieces as small as the sender likes: it is read again only where the next
//! piece may change what it is.

use super::{MAX_HEAD_BYTES, RequestLine, at_most, end_of_head, skip_empty_lines};

/// What is known of a head that is not whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unfinished {
    /// Not enough: each byte may decide.
    #[default]
    Open,
    /// Nothing but empty lines in front of it [RFC 9112 section 2.2].
    Empty,
    /// It is a request, cut within its target.
    Target,
    /// It is a request, whatever follows.
    Certain,
}

impl Unfinished {
    /// What is known of a head that [`parse_request`](super::parse_request) wants more of.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let line = skip_empty_lines(at_most(head, MAX_HEAD_BYTES));
        match RequestLine::read(line) {
            None if line.is_empty() && !head.is_empty() => Self::Empty,
            None => Self::Open,
            Some(line) if line.is_known => Self::Certain,
            Some(line) if line.target.is_empty() => Self::Target,
            Some(_) => Self::Open,
        }
    }

    /// False where `head` is still what it was when it was `seen` bytes long, and not whole.
    #[must_use]
    pub fn may_have_changed(self, head: &[u8], seen: usize) -> bool {
        let new = head.get(seen..).unwrap_or_default();
        match self {
            Self::Open => true,
            Self::Empty => !skip_empty_lines(new).is_empty(),
            Self::Target | Self::Certain if head.len() > MAX_HEAD_BYTES => true,
            // Visible bytes go on with the target.
            Self::Target => !new.iter().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii()),
            // The end may be cut within its three bytes.
            Self::Certain => end_of_head(head.get(seen.saturating_sub(2)..).unwrap_or_default()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Parse;
    use crate::app::http1::parse_request;

    /// How often a head that comes byte by byte is read, until it is whole.
    fn reads(head: &[u8]) -> usize {
        let (mut unfinished, mut seen, mut reads) = (Unfinished::default(), 0, 0);
        for end in 1..=head.len() {
            let so_far = &head[..end];
            if unfinished.may_have_changed(so_far, seen) {
                reads += 1;
                if !matches!(parse_request(so_far), Parse::NeedMore) {
                    assert!(matches!(parse_request(&so_far[..end - 1]), Parse::NeedMore), "found late");
                    return reads;
                }
                unfinished = Unfinished::of(so_far);
            }
            seen = end;
        }
        assert!(matches!(parse_request(head), Parse::NeedMore), "not found");
        reads
    }

    #[test]
    fn reads_a_head_only_where_that_may_end_it() {
        let fields = "a:\n".repeat(1_000);
        let target = "x".repeat(3_000);
        for (head, most) in [
            (format!("POST / HTTP/1.1\r\n{fields}\r\n"), 16),
            (format!("POST / HTTP/1.1\n{fields}\n"), 16),
            (format!("POST / HTTP/1.1\na: {target}"), 15),
            (format!("POST /{target} HTTP/1.1\r\n\r\n"), 16),
            (format!("POST /{target}\x07"), 8),
            (format!("GET http://{target}\u{e9} HTTP/1.0\n\n"), 24),
            (format!("GET /{target} HTTX"), 12),
            (format!("{}GET / HTTP/1.1\n\n", "\r\n".repeat(1_000)), 18),
            ("PRI * HTTP/2.0\r\n\r\n".to_owned(), 16),
            ("GET /\n".to_owned(), 7),
        ] {
            let reads = reads(head.as_bytes());
            assert!(reads <= most, "{reads} of {:?}", head.get(..40));
        }
        let too_long = format!("POST / HTTP/1.1\r\n{}", "a:\n".repeat(MAX_HEAD_BYTES / 3));
        assert_eq!(reads(too_long.as_bytes()), 15);
    }
}
