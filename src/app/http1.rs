//! The head of a plaintext HTTP/1.x request → what it says of a DynamoDB call [RFC 9112]; that of a response → whether
//! it answers one.
//!
//! HTTP/2 in clear is known by its preface, which has the form of a request [RFC 9113 section 3.4]. That it is HTTP is
//! all that is said of it: its requests are compressed and not read.
//!
//! Only the head is looked at. Access key ids, signatures, tokens, bodies and table names are read
//! past and never kept, not even in an error.

mod answer;
mod aws;
mod following;
#[cfg(test)]
mod tests;
mod unfinished;

use std::borrow::Cow;
use std::net::Ipv6Addr;

use memchr::{memchr, memchr_iter};

pub use answer::{AnswerHeads, MAX_ANSWERS, looks_like_answer};
pub use following::{Addressee, Body, Following, MAX_FOLLOWED_BYTES, MAX_REQUESTS, is_connect};
pub use unfinished::Unfinished;

use super::{Parse, at_most, is_host_name};
use crate::model::{HttpFacts, Signature};

/// The longest request head that is read. Presigned URLs with a session token take some 2 KiB; servers
/// commonly refuse heads beyond 8 or 16 KiB.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The longest method; registered ones have at most 17 letters (IANA HTTP Method Registry).
const MAX_METHOD_BYTES: usize = 24;

/// Methods that no other registered one ends with, so that none of them is the rest of another.
const WHOLE_METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

/// The method that asks a proxy for a tunnel; no registered one ends with it, either.
const CONNECT: &[u8] = b"CONNECT";

/// The longest target of a CONNECT: a host of 253 bytes [RFC 1035 section 2.3.4] and a port are less. What goes on is
/// no request, so that it is not read anew with each piece.
const MAX_AUTHORITY_BYTES: usize = 1024;

/// The method of the preface of HTTP/2, and of nothing else.
const PREFACE_METHOD: &[u8] = b"PRI";

/// A request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it says, but for all that is secret.
    pub facts: HttpFacts,
    /// Bytes of the head, with the empty line that ends it.
    pub head_bytes: usize,
    /// Where the next request begins.
    pub body: Body,
    /// The body comes once the server wants it, if ever [RFC 9110 section 10.1.1].
    pub awaits_continue: bool,
    /// The limit that bit, where one did: `request_head_too_long`.
    pub limit: Option<&'static str>,
}

/// True for bytes that begin like an HTTP/1.x request: a method, a target of one of its four forms
/// and, where the line goes on that far, the protocol's name [RFC 9112 section 3]. The preface of HTTP/2 does, too.
#[must_use]
pub fn looks_like_request(bytes: &[u8]) -> bool {
    RequestLine::of(bytes).is_some()
}

/// True for bytes that are a request wherever they were taken from: of any stream some three bytes look like a method and
/// a target, so that here it takes a known method, or the name of the protocol behind them.
#[must_use]
pub fn is_surely_request(bytes: &[u8]) -> bool {
    RequestLine::of(bytes).is_some_and(|line| line.is_known || line.has_known_method())
}

/// Reads a whole request head.
///
/// A head that is longer than [`MAX_HEAD_BYTES`] is `Done` with what was read until there, marked as
/// truncated.
#[must_use]
pub fn parse_request(bytes: &[u8]) -> Parse<Request> {
    if !looks_like_request(bytes) {
        return if may_become_request(bytes) { Parse::NeedMore } else { Parse::No };
    }
    let (mut request, is_whole) = read_head(at_most(bytes, MAX_HEAD_BYTES));
    if is_whole {
        Parse::Done(request)
    } else if bytes.len() > MAX_HEAD_BYTES {
        request.facts.later.meet_limit();
        request.limit = Some("request_head_too_long");
        Parse::Done(request)
    } else {
        Parse::NeedMore
    }
}

/// What can be said of a head of which the end is missing: whole lines count, a cut one does not.
#[must_use]
pub fn parse_truncated(bytes: &[u8]) -> HttpFacts {
    read_head(at_most(bytes, MAX_HEAD_BYTES)).0.facts
}

/// What is known of a request that was read behind missing bytes: it may have begun in them, and others may have been
/// there.
#[must_use]
pub fn behind_loss(facts: HttpFacts) -> HttpFacts {
    let mut facts = of_unknown_beginning(facts);
    facts.is_truncated = true;
    facts.later.is_incomplete = true;
    facts
}

/// What is known of a request that may have begun before the bytes it was read from. A method that is cut, and so not known
/// to be another than a preflight's, leaves open whether a signature was due.
#[must_use]
pub fn of_unknown_beginning(mut facts: HttpFacts) -> HttpFacts {
    if !facts.method.as_deref().is_some_and(|method| WHOLE_METHODS.contains(&method)) {
        facts.method = None;
        facts.is_truncated = true;
        facts.signature = facts.signature.filter(|signature| *signature != Signature::None);
    }
    facts
}

/// Every reader of this stage on the same bytes; none may panic, whatever they are.
pub fn fuzz_http(bytes: &[u8]) {
    let _ = looks_like_request(bytes);
    let _ = parse_request(bytes);
    let _ = parse_truncated(bytes);
    if let Parse::Done(first) = parse_request(bytes) {
        let rest = bytes.get(first.head_bytes..).unwrap_or_default();
        let whose = |facts: &HttpFacts| match facts.target {
            Some(_) => Addressee::Dynamodb,
            None if facts.host.is_none() => Addressee::Open,
            None => Addressee::Other,
        };
        if let Some(mut following) = Following::after(&first, true, &whose) {
            for piece in rest.chunks(61) {
                following.push(piece, &whose);
            }
            drop(following.finish(&whose));
        }
    }
    let _ = AnswerHeads::default().read_on(bytes);
    let _ = super::proxy::client(bytes, super::proxy::Start::Loss);
    let _ = super::proxy::client(bytes, super::proxy::Start::Connection);
    let _ = super::dax::is_cleartext_greeting(bytes);
    let at = bytes.first().map_or(0, |first| usize::from(*first));
    let mut deframers = super::openvpn::detect(bytes, at).unwrap_or_default();
    let mut inner = Vec::new();
    for deframer in &mut deframers {
        for piece in bytes.chunks(7) {
            deframer.push(piece, &mut inner);
        }
    }
}

/// A request line, as far as it is there.
struct RequestLine<'a> {
    method: &'a [u8],
    /// Empty where the line is cut within it.
    target: &'a [u8],
    /// The protocol's name is there, too, and what follows it changes nothing.
    is_known: bool,
}

impl<'a> RequestLine<'a> {
    fn has_known_method(&self) -> bool {
        self.method == CONNECT || WHOLE_METHODS.iter().any(|known| known.as_bytes() == self.method)
    }

    /// That of a head, behind any empty lines; `None` where there is none.
    fn of(head: &'a [u8]) -> Option<Self> {
        Self::read(skip_empty_lines(at_most(head, MAX_HEAD_BYTES)))
    }

    /// `None` where these bytes do not begin a request.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (line, is_whole) = match memchr(b'\n', bytes) {
            Some(end) => (trim_line(bytes.get(..end)?), true),
            None => (bytes, false),
        };
        Self::strict(line, is_whole).or_else(|| Self::lenient(line).filter(|_| is_whole))
    }

    /// A line as it has to be, whole or not.
    fn strict(line: &'a [u8], is_whole: bool) -> Option<Self> {
        let space = memchr(b' ', line.get(..line.len().min(MAX_METHOD_BYTES + 1))?)?;
        let (method, rest) = (line.get(..space)?, line.get(space + 1..)?);
        if !is_plain_method(method) {
            return None;
        }
        let target_end = memchr(b' ', rest);
        let target = rest.get(..target_end.unwrap_or(rest.len()))?;
        let has_form = match method {
            CONNECT if target.len() > MAX_AUTHORITY_BYTES => false,
            CONNECT => has_form(target) || memchr(b':', target).is_some(),
            _ => has_form(target),
        };
        // Target bytes are visible ASCII; more is let through, as servers do.
        if !has_form || target.iter().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        match target_end {
            Some(end) => {
                let version = rest.get(end + 1..)?;
                let expected: &[u8] = if method == PREFACE_METHOD { b"HTTP/2.0" } else { b"HTTP/1." };
                let is_version = if is_whole || version.len() >= expected.len() {
                    version.starts_with(expected)
                } else {
                    expected.starts_with(version)
                };
                let is_known = version.len() >= expected.len();
                is_version.then_some(Self { method, target, is_known })
            }
            // The line ends without a protocol: not HTTP/1.x.
            None if is_whole => None,
            None => Some(Self { method, target: &[], is_known: false }),
        }
    }

    /// A whole line as servers take it, too: with any token for a method, and any number of spaces and tabs between the
    /// words [RFC 9110 section 9.1, RFC 9112 section 3]. No protocol but HTTP has its name at the end.
    fn lenient(line: &'a [u8]) -> Option<Self> {
        // Nearly no line of another protocol has to be taken apart.
        let end = line.trim_ascii_end();
        if !end.last_chunk::<8>().is_some_and(|last| is_version(last)) {
            return None;
        }
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        let is_request = is_version(version)
            && line.starts_with(method)
            && method.iter().all(|byte| is_token_byte(*byte))
            && !matches!(method, CONNECT | PREFACE_METHOD)
            && has_form(target)
            && !target.iter().any(u8::is_ascii_control);
        is_request.then_some(Self { method, target, is_known: true })
    }
}

/// The methods that are told: of the letters that all registered ones have, and no longer.
fn is_plain_method(method: &[u8]) -> bool {
    (1..=MAX_METHOD_BYTES).contains(&method.len())
        && method.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// True for the name of HTTP/1.x, whichever minor version it is [RFC 9112 section 2.3].
fn is_version(word: &[u8]) -> bool {
    matches!(word, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'])
}

/// What a token has [RFC 9110 section 5.6.2].
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// True for a target in the form of a path, a whole URL, or the asterisk [RFC 9112 section 3.2].
fn has_form(target: &[u8]) -> bool {
    matches!(target, [b'/' | b'*', ..]) || scheme_bytes(target).is_some()
}

/// What an absolute-form target begins with.
const SCHEMES: [&[u8]; 2] = [b"http://", b"https://"];

/// Length of the scheme in front of an absolute-form target.
fn scheme_bytes(target: &[u8]) -> Option<usize> {
    SCHEMES
        .iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map(|scheme| scheme.len())
}

/// True for bytes too short to tell.
fn may_become_request(bytes: &[u8]) -> bool {
    let bytes = skip_empty_lines(bytes);
    if memchr(b'\n', bytes).is_some() || bytes.len() > MAX_METHOD_BYTES + "https://".len() {
        return false;
    }
    match memchr(b' ', bytes) {
        None => bytes.is_empty() || is_plain_method(bytes),
        Some(space) => {
            let (method, target) = bytes.split_at_checked(space).unwrap_or((bytes, &[]));
            let target = target.get(1..).unwrap_or_default();
            is_plain_method(method)
                && (method == CONNECT || SCHEMES.iter().any(|scheme| scheme.starts_with(target)))
        }
    }
}

/// A server ignores empty lines in front of a request [RFC 9112 section 2.2].
fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// How many bytes there are up to the end of the empty line behind a line: of lines that may end in LF alone
/// [RFC 9112 section 2.2].
pub(super) fn end_of_head(lines: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', lines).find_map(|at| match lines.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// A head, and whether its end is there.
fn read_head(bytes: &[u8]) -> (Request, bool) {
    let mut request = Request {
        facts: HttpFacts { is_truncated: true, ..HttpFacts::default() },
        head_bytes: bytes.len(),
        body: Body::Unknown,
        awaits_continue: false,
        limit: None,
    };
    let start = skip_empty_lines(bytes);
    let Some(line) = RequestLine::read(start) else { return (request, false) };
    let is_preface = line.method == PREFACE_METHOD;
    let facts = &mut request.facts;
    let method = std::str::from_utf8(line.method).ok();
    let method = method.filter(|_| is_plain_method(line.method) && !is_preface);
    facts.method = method.map(ToOwned::to_owned);
    let Some(end) = memchr(b'\n', start) else { return (request, false) };
    let mut head = Head { signing: aws::Signing::of_target(line.target), ..Head::default() };
    head.authority = authority(line.target).and_then(host);
    let fields = start.get(end + 1..).unwrap_or_default();
    let field_bytes = read_fields(fields, |name, value| head.field(name, value, facts));
    if let Some(field_bytes) = field_bytes {
        facts.is_truncated = false;
        request.head_bytes = bytes.len() - fields.len() + field_bytes;
        request.body = head.body.unwrap_or(Body::Length(0));
        request.awaits_continue = head.awaits_continue;
    }
    head.finish(facts);
    if is_preface {
        *facts = HttpFacts { is_truncated: true, ..HttpFacts::default() };
        request.body = Body::Other;
    }
    (request, field_bytes.is_some())
}

/// Gives every field of a head that is whole to `take`, with its name, and tells how many bytes they have with the empty line
/// behind them; `None` where that is not there.
fn read_fields(bytes: &[u8], mut take: impl FnMut(&[u8], &[u8])) -> Option<usize> {
    let mut at = 0;
    let mut field: Option<(&[u8], Cow<'_, [u8]>)> = None;
    while let Some(rest) = bytes.get(at..)
        && let Some(end) = memchr(b'\n', rest)
    {
        let line = trim_line(rest.get(..end).unwrap_or_default());
        at += end + 1;
        if let Some(b' ' | b'\t') = line.first() {
            // A line folded in the old way goes on with the field before [RFC 9112 section 5.2].
            if let Some((_, value)) = &mut field {
                let (value, more) = (value.to_mut(), line.trim_ascii());
                // White space around a value is none of it [RFC 9110 section 5.5].
                if !value.is_empty() && !more.is_empty() {
                    value.push(b' ');
                }
                value.extend_from_slice(more);
            }
            continue;
        }
        if let Some((name, value)) = field.take() {
            take(name, &value);
        }
        if line.is_empty() {
            return Some(at);
        }
        if let Some(colon) = memchr(b':', line)
            && let Some((name, value)) = line.split_at_checked(colon)
        {
            field = Some((name.trim_ascii(), Cow::Borrowed(value.get(1..).unwrap_or_default().trim_ascii())));
        }
    }
    // A last field could go on, unless something else was begun behind it.
    if let Some((name, value)) = field
        && bytes.get(at).is_some_and(|next| !matches!(next, b' ' | b'\t'))
    {
        take(name, &value);
    }
    None
}

/// What is gathered while a head is read.
#[derive(Default)]
struct Head {
    signing: aws::Signing,
    /// Of an absolute-form target, which outranks Host [RFC 9112 section 3.2.2].
    authority: Option<String>,
    body: Option<Body>,
    awaits_continue: bool,
}

impl Head {
    fn field(&mut self, name: &[u8], value: &[u8], facts: &mut HttpFacts) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("Host") {
            if facts.host.is_none() {
                facts.host = host(value);
            }
        } else if is("Authorization") {
            self.signing.authorization(value);
        } else if is("X-Amz-Security-Token") {
            self.signing.has_token |= !value.is_empty();
        } else if is("X-Amz-Target") {
            // Which of several a server takes is not known: no other hides an operation of DynamoDB's.
            if facts.target.is_none() {
                facts.target = aws::target(value);
                facts.has_other_target |= aws::is_of_other_api(value);
                facts.has_other_target &= facts.target.is_none();
            }
        } else if is("Transfer-Encoding") {
            // It outranks Content-Length, and what is no list of chunks at the end cannot be followed.
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.body = Some(if is_chunked { Body::Chunked } else { Body::Unknown });
        } else if is("Expect") {
            self.awaits_continue |= value.eq_ignore_ascii_case(b"100-continue");
        } else if is("Content-Length") {
            // Proxies join fields of the same value [RFC 9110 section 8.6].
            let mut lengths = value.split(|byte| *byte == b',').map(|text| length_of(text.trim_ascii()));
            let first = lengths.next().flatten().filter(|first| lengths.all(|next| next == Some(*first)));
            let body = first.map_or(Body::Unknown, Body::Length);
            self.body = match self.body {
                None => Some(body),
                Some(Body::Length(_)) if self.body != Some(body) => Some(Body::Unknown),
                told => told,
            };
        } else if facts.sdk.is_none() && (is("User-Agent") || is("X-Amz-User-Agent")) {
            facts.sdk = aws::sdk(value);
        }
    }

    fn finish(self, facts: &mut HttpFacts) {
        facts.is_absolute_form = self.authority.is_some();
        if self.authority.is_some() {
            facts.host = self.authority;
        }
        self.signing.finish(facts);
    }
}

/// `1*DIGIT` [RFC 9110 section 8.6]
fn length_of(text: &[u8]) -> Option<u64> {
    text.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

/// The authority of an absolute-form target.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let rest = target.get(scheme_bytes(target)?..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    // User information in front of the host is a secret: passed over.
    match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => authority.get(at + 1..),
        None => Some(authority),
    }
}

/// The host of `host`, `host:port` or `[IPv6]:port`: lower case, without brackets; `None` for what is no host.
fn host(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if let Some(rest) = value.strip_prefix('[') {
        let (literal, _) = rest.split_once(']')?;
        return literal.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    let name = match value.split_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return None,
        None => value,
    };
    is_host_name(name).then(|| name.to_ascii_lowercase())
}

/// A line may end in LF alone [RFC 9112 section 2.2].
fn trim_line(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
