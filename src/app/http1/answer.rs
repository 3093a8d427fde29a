//! The head of a response → whether an API of AWS gave it. It is read where the request was not seen: on a way that only
//! the answers take, or where the capture joined behind it.

use memchr::memchr;

use super::{MAX_HEAD_BYTES, length_of, trim_line};

/// Responses of which the heads are read, of each side: ahead of the one that tells there may be interim ones, and a proxy's own.
pub const MAX_ANSWERS: u8 = 8;

/// The heads of responses that follow each other, read line by line as they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerHeads {
    /// Where the head that is being read begins, or will.
    begin: usize,
    /// Up to where whole lines of it were read.
    read: usize,
    /// Bytes of the body behind it, as far as its lines tell.
    body: usize,
    /// How many were read.
    count: u8,
    /// Nothing more can be read, or it was told what is asked.
    is_over: bool,
}

impl AnswerHeads {
    /// Reads what is new of `bytes`, which begin where the first head does; true once a field was read that only an API of
    /// AWS sends.
    pub fn read_on(&mut self, bytes: &[u8]) -> bool {
        while self.is_open(bytes)
            && let Some(rest) = bytes.get(self.read..)
            && let Some(end) = memchr(b'\n', rest)
        {
            let line = trim_line(rest.get(..end).unwrap_or_default());
            self.read += end + 1;
            if line.is_empty() {
                self.count += 1;
                self.begin = self.read.saturating_add(self.body);
                (self.read, self.body) = (self.begin, 0);
                self.is_over = self.count == MAX_ANSWERS;
            } else if let Some((name, value)) = field(line) {
                if is_of_api(name, value) {
                    self.is_over = true;
                    return true;
                }
                if name.eq_ignore_ascii_case(b"Content-Length") {
                    self.body =
                        length_of(value).and_then(|length| length.try_into().ok()).unwrap_or(usize::MAX);
                } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                    // Where that ends is not looked for.
                    self.body = usize::MAX;
                }
            }
        }
        false
    }

    /// True where more of the heads may come, and tell.
    #[must_use]
    pub fn is_open(&self, bytes: &[u8]) -> bool {
        !self.is_over
            && self.read <= MAX_HEAD_BYTES
            && (self.begin > 0 && bytes.get(self.begin..).is_none_or(may_become_answer)
                || bytes.get(self.begin..).is_some_and(looks_like_answer))
    }
}

/// What a status line begins with: a name, a version, and a number of three digits [RFC 9112 section 4].
const STATUS: &[u8; 12] = b"HTTP/1.1 200";

/// True for bytes that begin with a status line, as far as they go.
fn may_become_answer(bytes: &[u8]) -> bool {
    bytes.iter().zip(STATUS).enumerate().all(|(at, (byte, like))| match at {
        7 | 9.. => byte.is_ascii_digit(),
        _ => byte == like,
    })
}

/// True for bytes that begin with a whole status line.
#[must_use]
pub fn looks_like_answer(bytes: &[u8]) -> bool {
    bytes.len() >= STATUS.len() && may_become_answer(bytes)
}

/// Name and value of a field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((name, value.get(1..)?.trim_ascii()))
}

/// The fields that DynamoDB's answers carry: the number of the request, the checksum of the body, and the body's form
/// [Amazon DynamoDB Developer Guide, "DynamoDB low-level API"].
fn is_of_api(name: &[u8], value: &[u8]) -> bool {
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
    let form = b"application/x-amz-json-1.";
    if is("Content-Type") {
        value.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
    } else {
        (is("x-amzn-RequestId") || is("x-amz-crc32")) && !value.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(pieces: &[&[u8]]) -> (bool, bool) {
        let (mut head, mut bytes, mut is_told) = (AnswerHeads::default(), Vec::new(), false);
        for piece in pieces {
            bytes.extend_from_slice(piece);
            is_told |= head.read_on(&bytes);
        }
        (is_told, head.is_open(&bytes))
    }

    #[test]
    fn knows_the_answers_of_an_api_wherever_they_are_cut() {
        let start = "HTTP/1.1 200 OK\r\nServer: Server\r\n";
        for field in [
            "x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG",
            "X-AMZ-CRC32:2745614147",
            "content-type: Application/X-Amz-Json-1.0",
        ] {
            let answer = format!("{start}{field}\r\n\r\n{{}}");
            assert_eq!(reads(&[answer.as_bytes()]), (true, false), "{field}");
            for cut in 0..answer.len() {
                let (head, tail) = answer.as_bytes().split_at(cut);
                assert_eq!(reads(&[head, tail]), (true, false), "{field} {cut}");
            }
            let pieces: Vec<&[u8]> = answer.as_bytes().chunks(1).collect();
            assert_eq!(reads(&pieces), (true, false), "{field}");
        }
    }

    /// Interim ones, and those of others, with the bodies that they have.
    #[test]
    fn reads_on_behind_other_answers() {
        let last = "HTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\n\r\n{}";
        for before in [
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(7),
            "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "HTTP/1.0 404 Not Found\r\nContent-Length: 9\r\n\r\nNot found".to_owned(),
            "HTTP/1.1 200 Connection established\r\n\r\n".to_owned(),
        ] {
            let all = before + last;
            for size in 1..=all.len() {
                let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
                assert_eq!(reads(&pieces), (true, false), "{all} {size}");
            }
        }
        let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(8) + last;
        assert_eq!(reads(&[many.as_bytes()]), (false, false));
    }

    #[test]
    fn takes_no_other_answer_for_one() {
        for (answer, may_tell_yet) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", true),
            ("HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", false),
            ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Type: text/html\r\n", true),
            ("HTTP/1.1 200 OK\r\nx-amzn-RequestId:\r\n", true),
            ("HTTP/1.1 200 OK\r\nx-amzn-RequestIds: 1\r\n", true),
            // Behind its end it is the body that says so.
            ("HTTP/1.1 200 OK\r\n\r\nx-amz-crc32: 1\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\n", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\n",
                false,
            ),
            ("HTTP/1.1 2x0 OK\r\nx-amz-crc32: 1\r\n", false),
            ("POST / HTTP/1.1\r\nx-amz-crc32: 1\r\n", false),
            ("HTTP/1.1 2", false),
        ] {
            assert_eq!(reads(&[answer.as_bytes()]), (false, may_tell_yet), "{answer}");
        }
        let long = format!("HTTP/1.1 200 OK\r\n{}x-amz-crc32: 1\r\n", "a: b\r\n".repeat(MAX_HEAD_BYTES / 6));
        assert_eq!(reads(&[long.as_bytes()]), (false, false));
    }
}
