//! The head of a response → whether an API of AWS gave it. It is read where the request was not seen: on a way that only
//! the answers take, or where the capture joined behind it.

use memchr::memchr;

use super::{MAX_HEAD_BYTES, trim_line};

/// A response head, read line by line as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerHead {
    /// Bytes of whole lines that were read.
    read: usize,
    /// It ended, or told what is asked.
    is_over: bool,
}

impl AnswerHead {
    /// Reads what is new of `bytes`, which begin where the head does; true once a field was read that only an API of AWS
    /// sends.
    pub fn read_on(&mut self, bytes: &[u8]) -> bool {
        while self.is_open(bytes)
            && let Some(rest) = bytes.get(self.read..)
            && let Some(end) = memchr(b'\n', rest)
        {
            let line = trim_line(rest.get(..end).unwrap_or_default());
            self.read += end + 1;
            let is_of_api = is_of_api(line);
            self.is_over = line.is_empty() || is_of_api;
            if is_of_api {
                return true;
            }
        }
        false
    }

    /// True where more of the head may come, and tell.
    #[must_use]
    pub fn is_open(&self, bytes: &[u8]) -> bool {
        !self.is_over && self.read <= MAX_HEAD_BYTES && looks_like_answer(bytes)
    }
}

/// True for bytes that begin with a status line [RFC 9112 section 4].
#[must_use]
pub fn looks_like_answer(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0'..=b'9',
            b' ',
            b'1'..=b'5',
            b'0'..=b'9',
            b'0'..=b'9',
            ..
        ]
    )
}

/// The fields that DynamoDB's answers carry: the number of the request, the checksum of the body, and the body's form
/// [Amazon DynamoDB Developer Guide, "DynamoDB low-level API"].
fn is_of_api(line: &[u8]) -> bool {
    let Some((name, value)) = memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) else {
        return false;
    };
    let value = value.get(1..).unwrap_or_default().trim_ascii();
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
        let (mut head, mut bytes, mut is_told) = (AnswerHead::default(), Vec::new(), false);
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

    #[test]
    fn takes_no_other_answer_for_one() {
        for (answer, may_tell_yet) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", false),
            ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Type: text/html\r\n", true),
            ("HTTP/1.1 200 OK\r\nx-amzn-RequestId:\r\n", true),
            ("HTTP/1.1 200 OK\r\nx-amzn-RequestIds: 1\r\n", true),
            // Behind its end it is the body that says so.
            ("HTTP/1.1 200 OK\r\n\r\nx-amz-crc32: 1\r\n", false),
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
