//! The requests behind the first one of a connection that is kept alive [RFC 9112 section 9.3].
//!
//! A connection has one record, and it names its first request to DynamoDB. What a later one does worse must not
//! hide behind it: a request without a signature, or with a long-term key. Nor may all of them hide behind a request
//! that is none of DynamoDB's: to another service, by way of a proxy, or to ask whether the server is well. Nor a CONNECT,
//! and what goes through the tunnel.

use std::mem;

use memchr::memchr;

use super::{
    MAX_HEAD_BYTES, Request, Unfinished, behind_loss, is_surely_request, looks_like_answer,
    looks_like_request, of_unknown_beginning, parse_request, parse_truncated, skip_empty_lines,
};
use crate::app::{Parse, at_most};
use crate::model::{HttpFacts, Signature};

/// Requests that are read of one connection. A client that signs does so from its first request on; what
/// mixes the two, such as a health check beside an application, does it within a few.
pub const MAX_REQUESTS: u32 = 64;

/// Bytes of the client that are followed: [`MAX_REQUESTS`] requests at the 16 KiB of a common item.
pub const MAX_FOLLOWED_BYTES: u64 = 1 << 20;

/// The longest line with the size of a chunk: 16 hexadecimal digits and an extension.
const MAX_CHUNK_LINE_BYTES: usize = 256;

/// How the end of a request is told [RFC 9112 section 6.3].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// That many bytes; 0 where nothing is said.
    Length(u64),
    /// Chunks, up to an empty one.
    Chunked,
    /// Cannot be told.
    #[default]
    Unknown,
    /// What follows is no HTTP/1.x.
    Other,
}

/// Whose a request is: through a proxy, or to an emulator, one connection carries requests to many hosts and services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressee {
    /// Nothing says DynamoDB.
    Other,
    /// It does not say itself: the server's address may tell.
    Open,
    /// The name only looks like one of DynamoDB's.
    LookAlike,
    /// It names DynamoDB.
    Dynamodb,
}

/// Tells whose a request is. Names, those of the configuration as well, are for another stage to know.
pub type Whose<'a> = &'a dyn Fn(&HttpFacts) -> Addressee;

/// The client's side of a plaintext connection, after its first request.
pub struct Following {
    /// Of the first request, and what the later ones add.
    facts: Box<HttpFacts>,
    /// Whose that request is.
    addressee: Addressee,
    state: State,
    /// A head or a line that is not whole yet.
    pending: Vec<u8>,
    /// What the pending bytes of a head are known to be.
    unfinished: Unfinished,
    seen_bytes: u64,
    may_tunnel: bool,
    /// Bytes are missing in front of what comes.
    has_gap: bool,
    /// Where the request that is read begins is a guess: with a segment.
    is_guessed: bool,
    /// No byte of the body was sent yet, and none need come.
    awaits_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body(u64),
    /// The line with the size of a chunk.
    Size,
    /// A chunk, with the line end behind it.
    Chunk(u64),
    /// Lines behind the last chunk.
    Trailers,
    /// Bytes are missing: a request is looked for at the beginning of what comes.
    Lost,
    /// The connection has become a tunnel, and nothing before mattered: what is pending begins with the CONNECT.
    Tunnel,
    Done,
}

impl Following {
    /// What follows `first`; `None` where its end cannot be told, because its head is longer than is read. A CONNECT behind
    /// it is given back where `may_tunnel` says so.
    #[must_use]
    pub fn after(first: &Request, may_tunnel: bool, whose: Whose<'_>) -> Option<Self> {
        if first.limit.is_some() {
            return None;
        }
        let mut following = Self::new(first.facts.clone(), may_tunnel, whose);
        following.expect(first.body, first.awaits_continue);
        Some(following)
    }

    /// What follows a request of which `facts` were read, before bytes of its head went missing.
    #[must_use]
    pub fn after_loss(facts: HttpFacts, may_tunnel: bool, whose: Whose<'_>) -> Self {
        let mut following = Self::new(facts, may_tunnel, whose);
        following.has_gap = true;
        following.lose();
        following
    }

    fn new(facts: HttpFacts, may_tunnel: bool, whose: Whose<'_>) -> Self {
        Self {
            addressee: whose(&facts),
            facts: Box::new(facts),
            state: State::Done,
            pending: Vec::new(),
            unfinished: Unfinished::default(),
            seen_bytes: 0,
            may_tunnel,
            has_gap: false,
            is_guessed: false,
            awaits_continue: false,
        }
    }

    /// Takes the client's next bytes.
    pub fn push(&mut self, mut bytes: &[u8], whose: Whose<'_>) {
        self.seen_bytes += bytes.len() as u64;
        let awaits_continue = mem::take(&mut self.awaits_continue);
        if bytes.is_empty() {
            self.awaits_continue = awaits_continue;
        } else if (self.state == State::Lost || awaits_continue) && is_surely_request(bytes) {
            self.state = State::Head;
            self.is_guessed = true;
        } else if awaits_continue && parse_request(bytes) == Parse::NeedMore {
            // Too little to tell.
            self.miss();
        }
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Done | State::Lost | State::Tunnel => return,
                State::Head => self.head(bytes, whose),
                State::Body(left) => {
                    let (left, rest) = skip(bytes, left);
                    self.state = if left == 0 { State::Head } else { State::Body(left) };
                    rest
                }
                State::Chunk(left) => {
                    let (left, rest) = skip(bytes, left);
                    self.state = if left == 0 { State::Size } else { State::Chunk(left) };
                    rest
                }
                State::Size | State::Trailers => self.line(bytes),
            };
        }
        // Checked between pieces: a piece is a segment, so the bound is passed by one at the most.
        if self.seen_bytes > MAX_FOLLOWED_BYTES && self.state != State::Done {
            self.facts.later.meet_limit();
            self.stop();
        }
    }

    /// Learns that bytes are missing.
    pub fn gap(&mut self, whose: Whose<'_>) {
        if self.state == State::Done {
            return;
        }
        self.judge_cut_head(whose);
        self.has_gap = true;
        if self.state != State::Done {
            self.lose();
        }
    }

    /// Of a head that does not go on, whole lines count.
    fn judge_cut_head(&mut self, whose: Whose<'_>) {
        let head = mem::take(&mut self.pending);
        if self.state != State::Head || head.is_empty() {
            return;
        }
        self.miss();
        if looks_like_request(&head) {
            self.judge(parse_truncated(&head), whose);
        }
    }

    /// Learns that there may be requests that are not seen.
    pub fn miss(&mut self) {
        self.facts.later.is_incomplete = true;
    }

    /// Takes what the server says: its word that a body is wanted, which the client that waits for it then sends
    /// [RFC 9110 section 10.1.1].
    pub fn hear(&mut self, answer: &[u8]) {
        self.awaits_continue &= !(looks_like_answer(answer) && answer.get(9..12) == Some(b"100"));
    }

    /// Where the next request begins is not known.
    fn lose(&mut self) {
        self.pending.clear();
        self.awaits_continue = false;
        self.state = State::Lost;
        self.miss();
    }

    /// What the client says from the CONNECT on that made a tunnel of the connection, once.
    #[must_use]
    pub fn take_tunnel(&mut self) -> Option<Vec<u8>> {
        (self.state == State::Tunnel).then(|| mem::take(&mut self.pending))
    }

    /// True between requests, where nothing before mattered: what comes next may be another protocol.
    #[must_use]
    pub fn may_give_way(&self) -> bool {
        let is_between = match self.state {
            State::Head => self.pending.is_empty(),
            State::Lost => true,
            _ => false,
        };
        is_between && self.addressee <= Addressee::Open
    }

    /// True once nothing more can be learned.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + size_of::<HttpFacts>() + self.pending.capacity() + self.facts.later.held_bytes()
    }

    /// What is known at the end of the connection.
    #[must_use]
    pub fn finish(mut self, whose: Whose<'_>) -> Box<HttpFacts> {
        self.judge_cut_head(whose);
        self.facts
    }

    /// Goes on with a head; returns what is behind it.
    fn head<'a>(&mut self, mut bytes: &'a [u8], whose: Whose<'_>) -> &'a [u8] {
        let before = self.pending.len();
        if before == 0 {
            self.unfinished = Unfinished::default();
        } else if self.unfinished == Unfinished::Empty {
            // More of them say no more.
            bytes = skip_empty_lines(bytes);
        }
        // No head is longer than the limit by more than what shows that it is.
        let taken = at_most(bytes, MAX_HEAD_BYTES + 1 - before.min(MAX_HEAD_BYTES));
        self.pending.extend_from_slice(taken);
        if !self.unfinished.may_have_changed(&self.pending, before) {
            return bytes.get(taken.len()..).unwrap_or_default();
        }
        if is_connect(&self.pending) {
            // It is no request of the API. A record is of one thing: what was seen of DynamoDB in clear stands.
            match (self.addressee, self.may_tunnel) {
                (Addressee::Other | Addressee::Open, true) => {
                    self.state = State::Tunnel;
                    self.pending.extend_from_slice(bytes.get(taken.len()..).unwrap_or_default());
                    return &[];
                }
                (Addressee::Other | Addressee::Open, false) => self.facts.later.meet_limit(),
                (Addressee::LookAlike | Addressee::Dynamodb, _) => self.miss(),
            }
            self.stop();
            return &[];
        }
        match parse_request(&self.pending) {
            Parse::NeedMore => {
                self.unfinished = Unfinished::of(&self.pending);
                bytes.get(taken.len()..).unwrap_or_default()
            }
            Parse::No => {
                self.lose();
                &[]
            }
            Parse::Done(request) => {
                self.pending.clear();
                let rest = bytes.get(request.head_bytes.saturating_sub(before)..).unwrap_or_default();
                let (is_whole, body) = (request.limit.is_none(), request.body);
                let awaits_continue = request.awaits_continue && rest.is_empty();
                self.judge(request.facts, whose);
                if self.state == State::Done {
                    return &[];
                }
                if !is_whole {
                    self.facts.later.meet_limit();
                    self.lose();
                    return &[];
                }
                self.expect(body, awaits_continue);
                rest
            }
        }
    }

    /// Goes on with a line of the chunked coding [RFC 9112 section 7.1]; returns what is behind it.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let most = if self.state == State::Size { MAX_CHUNK_LINE_BYTES } else { MAX_HEAD_BYTES };
        let end = memchr(b'\n', bytes);
        // Whether the end is there yet changes nothing.
        if self.pending.len() + end.unwrap_or(bytes.len()) > most {
            self.facts.later.meet_limit();
            self.lose();
            return &[];
        }
        let Some(end) = end else {
            self.pending.extend_from_slice(bytes);
            return &[];
        };
        let (line, rest) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default());
        let mut whole = mem::take(&mut self.pending);
        whole.extend_from_slice(line);
        let line = whole.trim_ascii();
        self.state = match self.state {
            State::Trailers if line.is_empty() => State::Head,
            State::Trailers => State::Trailers,
            _ => match chunk_bytes(line) {
                Some(0) => State::Trailers,
                // With the line end behind the chunk: CR LF.
                Some(size) => State::Chunk(size.saturating_add(2)),
                None => {
                    self.miss();
                    State::Lost
                }
            },
        };
        rest
    }

    /// The body of a request is next, unless the client that awaits a word of the server to it goes on with another
    /// request, because it was refused.
    fn expect(&mut self, body: Body, awaits_continue: bool) {
        self.state = match body {
            Body::Length(0) => State::Head,
            Body::Length(bytes) => State::Body(bytes),
            Body::Chunked => State::Size,
            // The next request may begin with a segment.
            Body::Unknown => return self.lose(),
            Body::Other => {
                self.miss();
                State::Done
            }
        };
        self.awaits_continue = awaits_continue && self.state != State::Head;
    }

    /// Adds what a request says to what is known of the connection.
    fn judge(&mut self, request: HttpFacts, whose: Whose<'_>) {
        let request = match (self.has_gap, mem::take(&mut self.is_guessed)) {
            (true, _) => behind_loss(request),
            (false, true) => of_unknown_beginning(request),
            (false, false) => request,
        };
        let addressee = whose(&request);
        let count = self.facts.later.count + 1;
        if addressee > self.addressee.max(Addressee::Open) {
            self.name_instead(request, addressee);
        } else if addressee == Addressee::Open {
            self.facts.later.note_unnamed(&request);
        } else if addressee != Addressee::Other {
            // Of a name that only looks like DynamoDB's no more is said than it says itself.
            let is_certain = addressee == Addressee::Dynamodb
                || addressee == self.addressee && request.host == self.facts.host;
            if is_certain {
                self.facts.later.note(&request);
            } else if is_worse(&request) {
                self.miss();
            }
        }
        self.facts.later.count = count;
        let HttpFacts { signature, later, .. } = &*self.facts;
        let has_unsigned = later.unsigned.is_some() || *signature == Some(Signature::None);
        let has_long_term = later.long_term.is_some() || self.facts.has_long_term_signature();
        let is_worst = has_unsigned && has_long_term && self.addressee == Addressee::Dynamodb;
        if count + 1 >= MAX_REQUESTS {
            self.facts.later.meet_limit();
        }
        if is_worst || count + 1 >= MAX_REQUESTS {
            self.stop();
        }
    }

    /// This is the first request that matters: what came before was to others, or may have been.
    fn name_instead(&mut self, request: HttpFacts, addressee: Addressee) {
        let mut earlier = mem::replace(&mut *self.facts, request);
        let before = mem::replace(&mut self.addressee, addressee);
        // The head of one that may have mattered was not whole.
        self.facts.is_truncated |= earlier.is_truncated;
        let later = &mut self.facts.later;
        later.is_incomplete |= earlier.later.is_incomplete;
        later.is_beyond_limit |= earlier.later.is_beyond_limit;
        if before == Addressee::LookAlike {
            later.is_incomplete |= earlier.later.has_any() || is_worse(&earlier);
        }
        later.unnamed = mem::take(&mut earlier.later.unnamed);
        if before == Addressee::Open {
            later.note_unnamed(&earlier);
        }
        let unnamed = later.unnamed.iter_mut().flat_map(|(_, all)| [&mut all.unsigned, &mut all.long_term]);
        for request in unnamed.flatten() {
            request.is_earlier = true;
        }
    }

    fn stop(&mut self) {
        self.state = State::Done;
        self.pending = Vec::new();
    }
}

/// True for what none of a connection may hide.
fn is_worse(request: &HttpFacts) -> bool {
    request.signature == Some(Signature::None)
        || request.has_long_term_signature()
        || request.has_unknown_key()
}

/// True for the head of a request to become a tunnel [RFC 9110 section 9.3.6], behind empty lines, too.
#[must_use]
pub fn is_connect(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(b"CONNECT ")
}

/// What is left of `left` bytes after those of `bytes`, and the bytes behind them.
fn skip(bytes: &[u8], left: u64) -> (u64, &[u8]) {
    let skipped = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (left - skipped as u64, bytes.get(skipped..).unwrap_or_default())
}

/// `1a2b` or `1a2b;name=value`.
fn chunk_bytes(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests;
