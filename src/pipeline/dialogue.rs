//! What is said in clear before TLS or a request, as far as anything can become of it.

use std::borrow::Cow;

use crate::app::{Parse, dns, http1, openvpn, proxy};
use crate::model::{ProxyFacts, Side};
use crate::tls::{self, Probe};

/// How much of a clear-text dialogue is listened to, per direction, in search of a TLS handshake. Mail
/// servers and proxies with authentication talk a few kilobytes before they upgrade.
const MAX_DIALOGUE_BYTES: usize = 16 * 1024;

/// The same of a client that talks to a proxy: a few heads with tickets of Kerberos, of up to 48 KB each by Windows'
/// default (MaxTokenSize).
const MAX_PROXY_DIALOGUE_BYTES: usize = 128 * 1024;

/// How much is kept of a stream in which the first record was not found yet: a proxy's preamble and
/// the header of the hello behind it.
pub(super) const MAX_PENDING_BYTES: usize = 2 * 1024;

/// So many bytes tell whether a hello begins.
pub(super) const MIN_PROBED_BYTES: usize = 64;

/// How much is kept of the end of what nothing can become of: the beginning of a hello that is found once more of it is
/// there, and what belongs to it in front.
const KEPT_BYTES: usize = 32;

/// A clear-text dialogue, per side.
#[derive(Default)]
pub(super) struct Dialogue {
    said: [Said; 2],
}

/// What one side said in clear.
#[derive(Default)]
pub(super) struct Said {
    /// From the beginning on, or the end alone.
    bytes: Vec<u8>,
    /// How much of `bytes` was searched already.
    searched: usize,
    /// The beginning was nothing that could become TLS or a request, and is not kept.
    is_end_alone: bool,
    /// Bytes that were dropped in front, and count as said.
    dropped: usize,
    /// What it said to proxies, from the beginning on.
    proxies: proxy::Preambles,
    /// Behind that, a request head that is not whole.
    head: Head,
    /// The heads of responses that it began with.
    answer: http1::AnswerHeads,
    /// Responses that were dropped in front.
    answers: u8,
}

/// A request head that is not whole, as it was when it was read.
#[derive(Default)]
struct Head {
    begin: usize,
    seen: usize,
    unfinished: http1::Unfinished,
}

/// What a side says to its server, and the proxy it asked for it.
pub(super) type BehindProxies<'a> = (&'a [u8], Option<&'a ProxyFacts>);

impl Dialogue {
    pub fn of(&self, side: Side) -> &Said {
        &self.said[side.index()]
    }

    pub fn of_mut(&mut self, side: Side) -> &mut Said {
        &mut self.said[side.index()]
    }

    /// What `side` said in clear, from the beginning on, where anything was said.
    pub fn said(dialogue: Option<&Self>, side: Side) -> &[u8] {
        dialogue.map_or(&[], |dialogue| dialogue.of(side).beginning())
    }

    /// On a port of DNS: true once what `side` has said so far, with `next` behind it, begins a message of it. Where the
    /// capture was joined later, that may have begun within one: then true, too, where it begins nothing else that is known.
    /// False once it is something else; `None` as long as that is open, which few bytes leave.
    pub fn is_dns(dialogue: Option<&Self>, side: Side, next: &[u8], is_joined: bool) -> Option<bool> {
        let (mine, theirs) = (Self::said(dialogue, side), Self::said(dialogue, side.other()));
        let mine = if mine.is_empty() { Cow::Borrowed(next) } else { Cow::Owned([mine, next].concat()) };
        if tls::probe(&mine) != Probe::No {
            return None;
        }
        // What counts up in front of ciphertext may pass for the counts of a message's header.
        if is_joined && tls::looks_like_record(&mine) {
            return Some(false);
        }
        match dns::begins_tcp_message(&mine) {
            Parse::Done(()) => Some(true),
            Parse::NeedMore => None,
            Parse::No => Some(is_joined && ![&mine, theirs].into_iter().any(says_otherwise)),
        }
    }

    /// On a port of DNS, where no more was said: true for as much of messages as leaves open what it is.
    pub fn may_be_dns(&self) -> bool {
        let mut said = self.said.iter().map(Said::beginning).filter(|said| !said.is_empty()).peekable();
        said.peek().is_some()
            && said
                .all(|said| tls::probe(said) == Probe::No && dns::begins_tcp_message(said) == Parse::NeedMore)
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.said[0].bytes.capacity() + self.said[1].bytes.capacity()
    }

    /// True where more was said than is listened to, after what need not be kept was dropped: nothing that a proxy answers
    /// matters but what TLS it carries begins with.
    pub fn is_too_long(&mut self) -> bool {
        if self.said.iter().all(|said| said.length() <= MAX_DIALOGUE_BYTES) {
            return false;
        }
        let asks_proxy =
            self.said.each_mut().map(|said| !said.beginning().is_empty() && said.may_ask_proxy());
        for side in [0, 1] {
            let said = &mut self.said[side];
            if asks_proxy[1 - side] && said.length() > MAX_DIALOGUE_BYTES {
                said.keep_from(said.bytes.len().saturating_sub(MAX_PENDING_BYTES));
                said.dropped = 0;
            }
        }
        [0, 1].into_iter().any(|side| {
            let most = if asks_proxy[side] { MAX_PROXY_DIALOGUE_BYTES } else { MAX_DIALOGUE_BYTES };
            self.said[side].length() > most
        })
    }
}

impl Said {
    /// What comes behind missing bytes.
    pub fn behind_loss() -> Self {
        Self { proxies: proxy::Preambles::at(proxy::Start::Loss), ..Self::default() }
    }

    /// Where it begins; `None` where the end alone is kept.
    pub fn start(&self) -> Option<proxy::Start> {
        (!self.is_end_alone).then(|| self.proxies.start())
    }

    /// All of it, unless its beginning is known to be nothing.
    pub fn beginning(&self) -> &[u8] {
        if self.is_end_alone { &[] } else { &self.bytes }
    }

    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The beginning was nothing that could become TLS or a request, and is not kept.
    pub const fn is_end_alone(&self) -> bool {
        self.is_end_alone
    }

    /// Bytes that were said.
    const fn length(&self) -> usize {
        self.dropped + self.bytes.len()
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets it, and takes `bytes` for the beginning.
    pub fn begin_with(&mut self, bytes: Vec<u8>) {
        *self = Self { bytes, ..self.emptied() };
    }

    /// Nothing, in the place of what was there: what is missing in front is still missing.
    fn emptied(&self) -> Self {
        Self { proxies: proxy::Preambles::at(self.proxies.start()), ..Self::default() }
    }

    /// True where it began with what is said to a proxy, or may have.
    fn may_ask_proxy(&mut self) -> bool {
        let said = if self.is_end_alone { &[] } else { &*self.bytes };
        self.proxies.read(said) != Parse::No
    }

    /// What was said behind what was said to proxies.
    pub fn behind_proxies(&mut self) -> BehindProxies<'_> {
        let said = if self.is_end_alone { &[] } else { &*self.bytes };
        match self.proxies.read(said) {
            Parse::Done(preamble) => {
                (said.get(preamble.length_bytes..).unwrap_or_default(), preamble.facts.as_ref())
            }
            Parse::NeedMore | Parse::No => (said, None),
        }
    }

    /// The request in clear that was begun, after what was said to proxies. CONNECT is no request of the API.
    pub fn request(&mut self) -> Option<BehindProxies<'_>> {
        Some(self.behind_proxies()).filter(|(request, _)| is_request(request))
    }

    /// What is behind what was said to proxies was read, and more of it may come.
    pub fn note_unfinished(&mut self) {
        let (head, _) = self.behind_proxies();
        let unfinished = match http1::Unfinished::of(head) {
            http1::Unfinished::Empty => http1::Unfinished::Empty,
            known if is_request(head) => known,
            // Behind the beginning of a CONNECT, or what only looks like one, anything may be hidden.
            _ => http1::Unfinished::Open,
        };
        let seen = head.len();
        self.head = Head { begin: self.bytes.len() - seen, seen, unfinished };
    }

    /// False where all that is new belongs to a request head that is still not whole, or to the empty lines in front.
    pub fn may_have_changed(&mut self) -> bool {
        let Head { begin, seen, unfinished } = self.head;
        let head = self.bytes.get(begin..).unwrap_or_default();
        let may = unfinished.may_have_changed(head, seen);
        self.head.seen = head.len();
        may
    }

    /// True where it is known to be a request, or empty lines in front of one, so far.
    pub fn has_unfinished_head(&self) -> bool {
        self.head.unfinished != http1::Unfinished::Open
    }

    /// Reads on in the response that it began with; true once that is known to answer a call of an API.
    pub fn answers_api(&mut self) -> bool {
        !self.is_end_alone && self.answer.read_on(&self.bytes)
    }

    /// Forgets what was said where another response begins with what comes `next`: how long the one before is cannot be
    /// known without its request [RFC 9112 section 6.3].
    pub fn note_next_answer(&mut self, next: &[u8]) {
        if !self.is_empty() && self.answers < http1::MAX_ANSWERS && http1::looks_like_answer(next) {
            *self = Self { answers: self.answers + 1, ..self.emptied() };
        }
    }

    /// Takes all that is kept.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    /// Where to search from: a little before what is new, so that a hello cut by a segment boundary is found.
    pub const fn search_start(&self) -> usize {
        self.searched.saturating_sub(16)
    }

    /// All of it was searched, and nothing found.
    pub fn note_searched(&mut self) {
        self.searched = self.bytes.len();
        if self.is_nothing() {
            let candidate = tls::find_hidden(&self.bytes).candidate;
            self.keep_from(candidate.unwrap_or(usize::MAX).min(self.bytes.len() - KEPT_BYTES));
        }
    }

    /// True where what was said since the beginning is nothing that TLS, a request or a tunnel begins with, whatever comes
    /// yet. All of these begin with the first byte, but hellos, which are looked for everywhere.
    fn is_nothing(&mut self) -> bool {
        self.bytes.len() >= MIN_PROBED_BYTES
            && tls::probe(&self.bytes) == Probe::No
            && !tls::looks_like_record(&self.bytes)
            && !self.may_ask_proxy()
            && matches!(http1::parse_request(&self.bytes), Parse::No)
            && !openvpn::may_begin(&self.bytes)
            && !self.answer.is_open(&self.bytes)
    }

    /// True where a request begins with what comes `next`, and what was said is neither a part of it nor anything said to
    /// a proxy.
    pub fn is_rest_before_request(&mut self, next: &[u8]) -> bool {
        !self.is_empty()
            && http1::is_surely_request(next)
            && (self.is_end_alone
                || !self.has_unfinished_head()
                    && !self.may_ask_proxy()
                    && matches!(http1::parse_request(&self.bytes), Parse::No))
    }

    /// Keeps what is behind `at` alone.
    fn keep_from(&mut self, at: usize) {
        self.is_end_alone = true;
        self.proxies = proxy::Preambles::at(self.proxies.start());
        self.head = Head::default();
        self.answer = http1::AnswerHeads::default();
        self.dropped += at;
        self.bytes = self.bytes.get(at..).unwrap_or_default().to_vec();
        self.mark_searched();
    }

    /// All of the end was searched. A short one is searched again, for what was cut in it.
    const fn mark_searched(&mut self) {
        self.searched = if self.bytes.len() > KEPT_BYTES { self.bytes.len() } else { 0 };
    }

    /// Of the end alone: searches what is new behind it, put together in `scratch`. Gives what was found and where;
    /// else keeps the new end.
    pub fn search_behind<'a>(
        &mut self,
        new: &[u8],
        scratch: &'a mut Vec<u8>,
    ) -> Option<(&'a [u8], usize, Probe)> {
        scratch.clear();
        scratch.extend_from_slice(&self.bytes);
        scratch.extend_from_slice(new);
        let start = self.search_start();
        let hidden = tls::find_hidden(scratch.get(start..).unwrap_or_default());
        if let Some((at, whose)) = hidden.hello {
            return Some((scratch, start + at, whose));
        }
        // What may yet become one begins where something was kept for it, if anything was.
        let kept = match hidden.candidate {
            _ if self.bytes.len() > KEPT_BYTES => 0,
            Some(candidate) => start + candidate,
            None => usize::MAX,
        };
        let kept = kept.min(scratch.len().saturating_sub(KEPT_BYTES));
        self.dropped += kept;
        self.bytes.clear();
        self.bytes.extend_from_slice(scratch.get(kept..).unwrap_or_default());
        self.mark_searched();
        None
    }
}

/// True for what is no part of DNS: a request or its answer, a word to a proxy, TLS, or what that begins in.
fn says_otherwise(said: &[u8]) -> bool {
    !said.is_empty()
        && (http1::is_surely_request(said)
            || http1::looks_like_answer(said)
            || proxy::client(said, proxy::Start::Connection) != Parse::No
            || tls::looks_like_record(said)
            || tls::find_hidden(said).hello.is_some())
}

/// True for what begins like a request that is none to a proxy.
pub(super) fn is_request(bytes: &[u8]) -> bool {
    http1::looks_like_request(bytes) && !http1::is_connect(bytes)
}

/// The same of bytes that need not be the first: nothing but what they say themselves tells that they begin something.
pub(super) fn is_surely_request(bytes: &[u8]) -> bool {
    http1::is_surely_request(bytes) && !http1::is_connect(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello in one record, as far as it is looked at.
    fn hello() -> Vec<u8> {
        let mut hello = b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03".to_vec();
        hello.resize(5 + 0x40, 7);
        hello[43] = 0;
        hello[44..46].copy_from_slice(&[0, 2]);
        hello
    }

    /// What is found in `pieces` said one after the other, and how much was kept at most.
    fn hear(pieces: &[&[u8]]) -> (Option<(Vec<u8>, Probe)>, usize) {
        let (mut said, mut scratch, mut most) = (Said::default(), Vec::new(), 0);
        for piece in pieces {
            if said.is_end_alone() {
                if let Some((whole, at, whose)) = said.search_behind(piece, &mut scratch) {
                    return (Some((whole[at..].to_vec(), whose)), most);
                }
            } else {
                said.push(piece);
                said.note_searched();
            }
            most = most.max(said.bytes.len());
        }
        assert_eq!(said.length(), pieces.iter().map(|piece| piece.len()).sum::<usize>());
        (None, most)
    }

    #[test]
    fn finds_a_hello_behind_what_is_nothing_wherever_it_is_cut() {
        let hello = hello();
        let noise = [0x81; 500];
        for cut in 0..hello.len() {
            let (head, tail) = hello.split_at(cut);
            let second = [&noise[..], head].concat();
            let (found, most) = hear(&[&noise, &noise, &second, tail]);
            let (bytes, whose) = found.unwrap_or_else(|| panic!("cut at {cut}"));
            assert!(hello.starts_with(&bytes) && whose == Probe::ClientHello, "cut at {cut}");
            assert!(most <= KEPT_BYTES, "cut at {cut}: {most}");
        }
        // A byte at a time.
        let all = [&noise[..], &hello].concat();
        let pieces: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(hear(&pieces).0.map(|(_, whose)| whose), Some(Probe::ClientHello));
    }

    #[test]
    fn keeps_what_may_become_something_from_there_on() {
        // No single record of such a ServerHello tells what it is, but both do.
        let records = b"\x16\x03\x03\x00\x02\x02\x00\x16\x03\x03\x00\x50\x00\x50\x03\x03";
        let noise = [0x81; 100];
        for (before, cut) in [(0, 16), (100, 16), (100, 1), (100, 9)] {
            let (head, tail) = records.split_at(cut);
            let pieces = [&[&noise[..before], &noise, head].concat()[..], tail, &noise, &noise];
            let (found, most) = hear(&pieces);
            assert_eq!((found, most), (None, records.len() + 200), "{before} {cut}");
        }
        // What begins like something is kept from its first byte.
        let openvpn = [&[0, 14, 0x38][..], &[7; 13], &[1, 0, 0x20], &[9; 50]].concat();
        let rest = [b' '; 1_000];
        for beginning in [
            &b"CONNECT db.example:443 HTTP/1.1\r\nX: y\r\n"[..],
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 ",
            &openvpn,
        ] {
            let beginning = [beginning, &rest[..60]].concat();
            assert_eq!(hear(&[&beginning]).1, beginning.len());
        }
        let alert = [&b"\x15\x03\x03\x00\x02\x01\x00"[..], &[0x81; 100]].concat();
        assert_eq!(hear(&[&alert]).1, KEPT_BYTES);
        assert_eq!(hear(&[&[&alert[..7], &alert[..7], &noise].concat()]).1, 114);
        assert_eq!(hear(&[&rest[..63]]).1, 63);
        assert_eq!(hear(&[&[0x81; 1_000], &rest, &rest]).1, KEPT_BYTES);
    }

    /// Whatever is forgotten of it: the rest of anything may be taken for a word to a proxy.
    #[test]
    fn what_is_missing_in_front_stays_missing() {
        let answer = b"HTTP/1.1 200 OK\r\n\r\n";
        let mut said = Said::behind_loss();
        said.push(answer);
        said.note_next_answer(answer);
        assert!(said.is_empty());
        assert_eq!(said.start(), Some(proxy::Start::Loss));
        said.begin_with(b"\x05\x01\0".to_vec());
        assert_eq!(said.start(), Some(proxy::Start::Loss));
        assert!(!said.may_ask_proxy());
    }

    #[test]
    fn ends_after_so_much_of_it() {
        let mut dialogue = Dialogue::default();
        let mut scratch = Vec::new();
        dialogue.of_mut(Side::A).push(&[0x81; 1_000]);
        dialogue.of_mut(Side::A).note_searched();
        for piece in 1..=MAX_DIALOGUE_BYTES / 1_000 {
            assert!(!dialogue.is_too_long(), "{piece}");
            assert!(dialogue.of_mut(Side::A).search_behind(&[0x81; 1_000], &mut scratch).is_none());
        }
        assert!(dialogue.is_too_long());
        assert!(dialogue.held_bytes() < size_of::<Dialogue>() + 100);
        // But what a proxy answers.
        dialogue.of_mut(Side::B).push(b"CONNECT db.example:443 HTTP/1.1\r\n");
        assert!(!dialogue.is_too_long());
        assert!(dialogue.of(Side::A).beginning().is_empty());
    }
}
