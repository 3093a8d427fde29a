//! DNS answers: which addresses a name was said to have.
//!
//! Input: DNS messages as in UDP datagrams, or a TCP stream of them, and which names are wanted. Output: (name, address,
//! time to live), one for each wanted name on the way to each address. A response tells all by itself: its query need not
//! be seen. It trusts nothing: compression loops, chains and counts are bounded. Nearly no response has a wanted name,
//! which is found out without a copy of anything.

mod wire;

use std::net::IpAddr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use self::wire::{Answer, Answers, Data, Names};
use super::Parse;

/// Answers of one message that are looked at. A name of a large service has tens of addresses;
/// 128 leaves room for its chain.
const MAX_ANSWERS: usize = 128;

/// CNAME steps followed. Resolvers give up after 11 to 16.
const MAX_CHAIN: usize = 16;

/// What one message may say, which is each wanted name on the way to each address: all answers for two names.
const MAX_RESOLUTIONS: usize = 2 * MAX_ANSWERS;

/// Addresses taken from the hints of one service binding. Zones publish one or two of each kind.
const MAX_HINTS: usize = 4;

/// The smallest question and the smallest record, in bytes [RFC 1035 sections 4.1.2, 4.1.3].
const MIN_QUESTION_BYTES: usize = 5;
const MIN_RECORD_BYTES: usize = 11;

/// The largest message taken from a TCP stream. `MAX_ANSWERS` with their chain fit; a zone transfer
/// is passed over.
const MAX_TCP_MESSAGE_BYTES: usize = 16 * 1024;

/// Bytes of a message header [RFC 1035 section 4.1.1].
const HEADER_BYTES: usize = 12;

/// One name said to have one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// A host name in lower case, without the final dot.
    pub name: Arc<str>,
    /// The names on the way that stand for it, from that of the question on: what clients then call the server.
    pub aliases: Arc<[Alias]>,
    /// One of the addresses that it was said to have.
    pub address: IpAddr,
    /// The least of the times to live on the way from the name to the address.
    pub ttl_seconds: u32,
}

/// A name that stands for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// A host name in lower case, without the final dot.
    pub name: Arc<str>,
    /// The least of the times to live on the way to that other one.
    pub ttl_seconds: u32,
}

/// What a response says: for each address, the name asked for and every alias on the way, where they are wanted.
pub type Resolutions = Vec<Resolution>;

/// Tells whether anybody wants to know the addresses of a name: a host name in lower case, without the final dot. No
/// other names are wanted.
pub type Wanted<'a> = &'a dyn Fn(&str) -> bool;

/// Why a message says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// A query, or not of the kind that looks up names.
    #[error("not a response to a query")]
    NotResponse,
    /// Not readable as DNS, up to the end of its answers; or with more than one question, which no message has
    /// [RFC 9619].
    #[error("malformed message")]
    Malformed,
    /// More answers than are looked at, or more names for their addresses.
    #[error("more answers than are looked at")]
    TooManyAnswers,
    /// Over TCP: longer than what is looked at.
    #[error("longer than {MAX_TCP_MESSAGE_BYTES} bytes")]
    TooLong,
    /// Over TCP: bytes are missing, so that nobody knows where the next message begins.
    #[error("bytes are missing")]
    Gap,
}

impl DnsError {
    /// Those that are errors indeed, for accounts that start at zero.
    pub const COUNTED: [Self; 4] = [Self::Malformed, Self::TooManyAnswers, Self::TooLong, Self::Gap];

    /// The metric label.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotResponse => "not_response",
            Self::Malformed => "malformed",
            Self::TooManyAnswers => "too_many_answers",
            Self::TooLong => "message_too_long",
            Self::Gap => "gap",
        }
    }
}

/// Reads a response. One with an error code, or without addresses of names that are wanted, says nothing: an empty list.
/// Of a truncated one (TC) the answers that are there count.
///
/// # Errors
/// `NotResponse` for queries and other operations, `Malformed`, `TooManyAnswers`.
pub fn parse_response(message: &[u8], is_wanted: Wanted<'_>) -> Result<Resolutions, DnsError> {
    read(message, true, is_wanted)
}

/// Reads what the capture left of a response: the answers that are whole.
///
/// # Errors
/// As [`parse_response`].
pub fn parse_cut_response(front: &[u8], is_wanted: Wanted<'_>) -> Result<Resolutions, DnsError> {
    read(front, false, is_wanted)
}

fn read(message: &[u8], is_whole: bool, is_wanted: Wanted<'_>) -> Result<Resolutions, DnsError> {
    let header: &[u8; HEADER_BYTES] = message.first_chunk().ok_or(DnsError::Malformed)?;
    let is_response = header[2] & 0x80 != 0;
    if !is_response {
        return Err(DnsError::NotResponse);
    }
    let questions = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let claimed = usize::from(u16::from_be_bytes([header[6], header[7]]));
    if claimed == 0 || header[3] & 0x0f != 0 {
        return Ok(Vec::new());
    }
    let is_standard_query = header[2] >> 3 & 0x0f == 0;
    if !is_standard_query {
        return Err(DnsError::NotResponse);
    }
    if questions > 1 {
        return Err(DnsError::Malformed);
    }
    let has_question = questions == 1;
    // The sections after the answers do not matter, whole or not.
    let answers = if is_whole { claimed } else { wire::whole_answers(message, has_question, claimed) };
    if answers == 0 {
        return Ok(Vec::new());
    }
    if answers > MAX_ANSWERS {
        return Err(DnsError::TooManyAnswers);
    }
    if HEADER_BYTES + questions * MIN_QUESTION_BYTES + answers * MIN_RECORD_BYTES > message.len() {
        return Err(DnsError::Malformed);
    }
    let answers = Answers { message, has_question, count: answers };
    let Some(first) = answers.first_wanted(is_wanted).ok_or(DnsError::Malformed)? else {
        return Ok(Vec::new());
    };
    said(&answers, first).ok_or(DnsError::Malformed)?.resolutions(is_wanted)
}

/// What the answers say. Names are numbers here: each is one, however often and in whatever case it is written.
struct Said<'a> {
    names: Names<'a>,
    /// One that is known to be wanted.
    first_wanted: usize,
    question: Option<usize>,
    steps: Vec<Step>,
    addresses: Vec<Address>,
}

/// An alias, its target, and how long that holds.
struct Step {
    owner: usize,
    target: usize,
    ttl_seconds: u32,
}

struct Address {
    owner: usize,
    address: IpAddr,
    ttl_seconds: u32,
}

/// The wanted names that lead to one, each with its own aliases and the least time to live of the steps between.
type Way<'a> = Vec<(&'a Arc<str>, Arc<[Alias]>, u32)>;

/// Gathers what the answers say; `None` where the message is malformed. A name that is wanted begins at `first_wanted`.
fn said<'a>(answers: &Answers<'a>, first_wanted: usize) -> Option<Said<'a>> {
    let mut names = Names::new(answers.message);
    let first_wanted = names.number(first_wanted)?;
    let mut reader = answers.reader()?;
    let question = if answers.has_question { Some(names.number(reader.question()?)?) } else { None };
    let mut said = Said { names, first_wanted, question, steps: Vec::new(), addresses: Vec::new() };
    for _ in 0..answers.count {
        let Answer { owner, data, ttl_seconds } = reader.answer()?;
        let owner = said.names.number(owner)?;
        match data {
            Data::Address(address) => said.addresses.push(Address { owner, address, ttl_seconds }),
            Data::Alias { target } => {
                let target = said.names.number(target)?;
                said.steps.push(Step { owner, target, ttl_seconds });
            }
            Data::Binding { target, parameters } => {
                let target = said.names.number(target)?;
                // An empty target is the owner itself [RFC 9460 section 2.5].
                let target = if said.names.is_root(target) { owner } else { target };
                let hints = wire::hints(parameters).take(MAX_HINTS);
                said.addresses.extend(hints.map(|address| Address { owner: target, address, ttl_seconds }));
                if target != owner {
                    said.steps.push(Step { owner, target, ttl_seconds });
                }
            }
            Data::Other => {}
        }
    }
    Some(said)
}

impl Said<'_> {
    fn resolutions(&self, is_wanted: Wanted<'_>) -> Result<Resolutions, DnsError> {
        let hosts: Vec<Option<Arc<str>>> = self
            .asked_for()
            .into_iter()
            .enumerate()
            .map(|(name, is_asked_for)| {
                // What leads to a name that nobody asked for was not asked for either.
                let host = if is_asked_for { self.names.host(name) } else { None };
                host.map(|host| Arc::from(host.as_str()))
            })
            .collect();
        let is_wanted = |(name, host): (usize, &Option<Arc<str>>)| {
            host.as_ref().filter(|host| name == self.first_wanted || is_wanted(host)).is_some()
        };
        let wanted: Vec<bool> = hosts.iter().enumerate().map(is_wanted).collect();
        let mut found = Resolutions::new();
        // Of each name, once: many addresses may have the same on their ways.
        let mut aliases: Vec<Option<Arc<[Alias]>>> = vec![None; hosts.len()];
        // To each name that has an address.
        let mut ways: Vec<Option<Way<'_>>> = vec![None; hosts.len()];
        for Address { owner, address, ttl_seconds } in &self.addresses {
            let Some(way) = ways.get_mut(*owner) else { continue };
            let way = way.get_or_insert_with(|| {
                let way =
                    self.way_to(*owner).into_iter().filter(|(name, _)| wanted.get(*name) == Some(&true));
                way.filter_map(|(name, ttl_seconds)| {
                    let known = aliases.get_mut(name)?;
                    let known = known.get_or_insert_with(|| self.aliases_of(name, &hosts, &wanted));
                    Some((hosts.get(name)?.as_ref()?, Arc::clone(known), ttl_seconds))
                })
                .collect()
            });
            if found.len() + way.len() > MAX_RESOLUTIONS {
                return Err(DnsError::TooManyAnswers);
            }
            found.extend(way.iter().map(|(name, aliases, most)| Resolution {
                name: Arc::clone(name),
                aliases: Arc::clone(aliases),
                address: *address,
                ttl_seconds: *ttl_seconds.min(most),
            }));
        }
        Ok(found)
    }

    /// Those of `hosts` that stand for a name and are not wanted themselves, since those are told as names.
    fn aliases_of(&self, name: usize, hosts: &[Option<Arc<str>>], wanted: &[bool]) -> Arc<[Alias]> {
        let way = self.way_to(name).into_iter().skip(1);
        let way = way.filter(|(name, _)| wanted.get(*name) == Some(&false));
        way.filter_map(|(name, ttl_seconds)| {
            Some(Alias { name: Arc::clone(hosts.get(name)?.as_ref()?), ttl_seconds })
        })
        .collect()
    }

    /// By name: whether it is that of the question or one that it is an alias of, which is all that a resolver takes from
    /// an answer [RFC 1034 section 5.3.3]. Where there is no question, everything may be an answer.
    fn asked_for(&self) -> Vec<bool> {
        let Some(question) = self.question else { return vec![true; self.names.count()] };
        let mut asked = vec![false; self.names.count()];
        let mut next = vec![question];
        while let Some(name) = next.pop() {
            if let Some(is_asked_for) = asked.get_mut(name)
                && !std::mem::replace(is_asked_for, true)
            {
                next.extend(self.steps.iter().filter(|step| step.owner == name).map(|step| step.target));
            }
        }
        asked
    }

    /// `name` itself and every alias that leads to it, with the least time to live between.
    fn way_to(&self, name: usize) -> ArrayVec<(usize, u32), { MAX_CHAIN + 1 }> {
        let mut way = ArrayVec::from_iter([(name, u32::MAX)]);
        let mut at = 0;
        while let Some(&(name, ttl_seconds)) = way.get(at) {
            for step in self.steps.iter().filter(|step| step.target == name) {
                // A name met before would be a loop.
                if way.iter().all(|(known, _)| *known != step.owner) {
                    // Full where the chain is longer than is followed.
                    let _ = way.try_push((step.owner, ttl_seconds.min(step.ttl_seconds)));
                }
            }
            at += 1;
        }
        way
    }
}

/// A whole message, or why one is not read.
pub type Message<'a> = Result<&'a [u8], DnsError>;

/// The messages of one direction of a DNS conversation over TCP: each follows its length in two
/// bytes [RFC 1035 section 4.2.2].
#[derive(Debug, Default)]
pub struct TcpMessages {
    /// The beginning of a message whose end is not here yet, with its length.
    held: Vec<u8>,
    /// Bytes of a message that is too long, still to pass over.
    skip_bytes: usize,
    /// Where a message begins is no longer known.
    is_lost: bool,
    /// That it is not known was not told yet.
    is_loss_untold: bool,
}

impl TcpMessages {
    /// Takes the next bytes and gives each whole message to `message`, or why one is not read.
    pub fn push(&mut self, bytes: &[u8], message: &mut dyn FnMut(Message<'_>)) {
        if std::mem::take(&mut self.is_loss_untold) {
            message(Err(DnsError::Gap));
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_lost {
            if self.skip_bytes > 0 {
                let passed = self.skip_bytes.min(rest.len());
                self.skip_bytes -= passed;
                rest = rest.get(passed..).unwrap_or_default();
                continue;
            }
            if self.held.is_empty()
                && let Some((length, after)) = rest.split_first_chunk::<2>()
            {
                let length = usize::from(u16::from_be_bytes(*length));
                if !self.accept(length, message) {
                    rest = after;
                    continue;
                }
                if let Some((whole, next)) = after.split_at_checked(length) {
                    message(Ok(whole));
                    rest = next;
                    continue;
                }
            }
            // The rest of a message comes later.
            let wanted = match self.held.first_chunk::<2>() {
                Some(length) => 2 + usize::from(u16::from_be_bytes(*length)),
                None => 2,
            };
            let taken = wanted.saturating_sub(self.held.len()).min(rest.len());
            let (now, next) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            self.held.extend_from_slice(now);
            rest = next;
            if self.held.len() == 2 {
                if let Some(length) = self.held.first_chunk::<2>()
                    && !self.accept(usize::from(u16::from_be_bytes(*length)), message)
                {
                    self.held = Vec::new();
                }
            } else if self.held.len() == wanted && wanted > 2 {
                message(Ok(self.held.get(2..).unwrap_or_default()));
                self.held.clear();
            }
        }
    }

    /// Learns that bytes are missing: where the next message begins is not known any more.
    pub fn gap(&mut self) {
        self.is_loss_untold |= !self.is_lost;
        self.is_lost = true;
        self.held = Vec::new();
        self.skip_bytes = 0;
    }

    /// The gap that [`TcpMessages::push`] did not tell, because no bytes came after it; to be asked at the end of a stream.
    #[must_use]
    pub fn untold(&self) -> Option<DnsError> {
        self.is_loss_untold.then_some(DnsError::Gap)
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// False where a message of this length is not wanted.
    fn accept(&mut self, length: usize, message: &mut dyn FnMut(Message<'_>)) -> bool {
        if length < HEADER_BYTES {
            // No DNS.
            self.is_lost = true;
            message(Err(DnsError::Malformed));
            return false;
        }
        if length > MAX_TCP_MESSAGE_BYTES {
            self.skip_bytes = length;
            message(Err(DnsError::TooLong));
            return false;
        }
        true
    }
}

/// Whether bytes begin a message behind its length: one that has room for what its header counts. No text does.
#[must_use]
pub fn begins_tcp_message(bytes: &[u8]) -> Parse<()> {
    let Some((length, message)) = bytes.split_first_chunk::<2>() else { return Parse::NeedMore };
    let Some(header) = message.first_chunk::<HEADER_BYTES>() else { return Parse::NeedMore };
    let [_, _, _, _, q0, q1, a0, a1, n0, n1, r0, r1] = *header;
    let [questions, records @ ..] =
        [[q0, q1], [a0, a1], [n0, n1], [r0, r1]].map(|count| usize::from(u16::from_be_bytes(count)));
    let least =
        HEADER_BYTES + questions * MIN_QUESTION_BYTES + records.iter().sum::<usize>() * MIN_RECORD_BYTES;
    if least <= usize::from(u16::from_be_bytes(*length)) { Parse::Done(()) } else { Parse::No }
}

/// The door for fuzzing: anything may come in, nothing may break.
pub fn fuzz_dns(bytes: &[u8]) {
    let _ = parse_response(bytes, &|_| true);
    let _ = parse_cut_response(bytes, &|_| true);
    let _ = parse_response(bytes, &|_| false);
    let _ = begins_tcp_message(bytes);
    let mut messages = TcpMessages::default();
    let middle = bytes.len() / 2;
    let (front, back) = bytes.split_at_checked(middle).unwrap_or((bytes, &[]));
    for part in [front, back] {
        messages.push(part, &mut |message| {
            let _ = message.and_then(|message| parse_response(message, &|_| true));
        });
    }
}

#[cfg(test)]
mod tests;
