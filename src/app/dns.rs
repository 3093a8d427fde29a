//! DNS answers: which addresses a name was said to have.
//!
//! Input: DNS messages as in UDP datagrams, or a TCP stream of them. Output: (name, address, time to
//! live), one for each name on the way to each address. A response tells all by itself: its query
//! need not be seen. It trusts nothing: compression loops, chains and counts are bounded.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::{RData, SVCB, SVCParam};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, RCODE};

/// Answers of one message that are looked at. A name of a large service has tens of addresses;
/// 128 leaves room for its chain.
const MAX_ANSWERS: usize = 128;

/// CNAME steps followed. Resolvers give up after 11 to 16.
const MAX_CHAIN: usize = 16;

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
    /// Lower case, without the final dot; bytes other than letters, digits, `-`, `_` and `*` are
    /// written as `\xNN`.
    pub name: String,
    pub address: IpAddr,
    /// The least of the times to live on the way from the name to the address.
    pub ttl_seconds: u32,
}

/// What a response says: for each address, the name asked for and every alias on the way.
pub type Resolutions = Vec<Resolution>;

/// Why a message says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// A query, or not of the kind that looks up names.
    #[error("not a response to a query")]
    NotResponse,
    /// Not readable as DNS, up to the end of its answers.
    #[error("malformed message")]
    Malformed,
    /// More answers than are looked at.
    #[error("more than {MAX_ANSWERS} answers")]
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

/// Reads a response. One with an error code, or without addresses, says nothing: an empty list.
/// Of a truncated one (TC) the answers that are there count.
///
/// # Errors
/// `NotResponse` for queries and other operations, `Malformed`, `TooManyAnswers`.
pub fn parse_response(message: &[u8]) -> Result<Resolutions, DnsError> {
    let header: &[u8; HEADER_BYTES] = message.first_chunk().ok_or(DnsError::Malformed)?;
    let is_response = header[2] & 0x80 != 0;
    if !is_response {
        return Err(DnsError::NotResponse);
    }
    let questions = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let answers = usize::from(u16::from_be_bytes([header[6], header[7]]));
    if answers == 0 || header[3] & 0x0f != 0 {
        return Ok(Vec::new());
    }
    if answers > MAX_ANSWERS {
        return Err(DnsError::TooManyAnswers);
    }
    // Checked here because the parser makes room for as many as the header says.
    if HEADER_BYTES + questions * MIN_QUESTION_BYTES + answers * MIN_RECORD_BYTES > message.len() {
        return Err(DnsError::Malformed);
    }
    // The sections after the answers do not matter, whole or not.
    let mut front = message.to_vec();
    if let Some(counts) = front.get_mut(8..HEADER_BYTES) {
        counts.fill(0);
    }
    let packet = Packet::parse(&front).map_err(|_| DnsError::Malformed)?;
    if packet.opcode() != OPCODE::StandardQuery || !packet.has_flags(PacketFlag::RESPONSE) {
        return Err(DnsError::NotResponse);
    }
    if packet.rcode() != RCODE::NoError {
        return Ok(Vec::new());
    }
    Ok(resolutions(&packet))
}

/// Reads what the capture left of a response: the answers that are whole.
///
/// # Errors
/// As [`parse_response`].
pub fn parse_cut_response(front: &[u8]) -> Result<Resolutions, DnsError> {
    let (answers, end) = whole_answers(front).unwrap_or_default();
    let mut whole = front.get(..end.max(HEADER_BYTES)).unwrap_or(front).to_vec();
    if let Some(count) = whole.get_mut(6..8) {
        count.copy_from_slice(&answers.to_be_bytes());
    }
    parse_response(&whole)
}

/// How many answers there are all bytes of, and where they end; `None` where not even the questions are whole.
fn whole_answers(message: &[u8]) -> Option<(u16, usize)> {
    let mut rest = message.get(HEADER_BYTES..)?;
    for _ in 0..u16::from_be_bytes([*message.get(4)?, *message.get(5)?]) {
        rest = after_name(rest)?.get(4..)?;
    }
    let claimed = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    let mut answers = 0;
    while answers < claimed
        && let Some(next) = after_record(rest)
    {
        rest = next;
        answers += 1;
    }
    Some((answers, message.len() - rest.len()))
}

/// What follows a name [RFC 1035 section 4.1.4].
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        match length {
            0 => return Some(rest),
            0xc0.. => return rest.get(1..),
            _ => bytes = rest.get(usize::from(length)..)?,
        }
    }
}

/// What follows a resource record [RFC 1035 section 4.1.3].
fn after_record(bytes: &[u8]) -> Option<&[u8]> {
    let (fixed, data) = after_name(bytes)?.split_first_chunk::<10>()?;
    data.get(usize::from(u16::from_be_bytes([fixed[8], fixed[9]]))..)
}

/// An alias, its target, and how long that holds.
struct Alias {
    owner: String,
    target: String,
    ttl_seconds: u32,
}

fn resolutions(packet: &Packet<'_>) -> Resolutions {
    let mut aliases: Vec<Alias> = Vec::new();
    let mut addresses: Vec<Resolution> = Vec::new();
    for answer in &packet.answers {
        if answer.class != CLASS::IN {
            continue;
        }
        // A value with the highest bit set is taken for 0 [RFC 2181 section 8].
        let ttl_seconds = if answer.ttl > i32::MAX as u32 { 0 } else { answer.ttl };
        let mut address =
            |name: String, address: IpAddr| addresses.push(Resolution { name, address, ttl_seconds });
        match &answer.rdata {
            RData::A(record) => address(text(&answer.name), Ipv4Addr::from(record.address).into()),
            RData::AAAA(record) => address(text(&answer.name), Ipv6Addr::from(record.address).into()),
            RData::CNAME(record) => {
                aliases.push(Alias { owner: text(&answer.name), target: text(&record.0), ttl_seconds })
            }
            RData::HTTPS(record) => {
                let owner = text(&answer.name);
                let target = text(&record.0.target);
                // An empty target is the owner itself [RFC 9460 section 2.5].
                let name = if target.is_empty() { owner.clone() } else { target };
                for hint in hints(&record.0).take(MAX_HINTS) {
                    address(name.clone(), hint);
                }
                if name != owner {
                    aliases.push(Alias { owner, target: name, ttl_seconds });
                }
            }
            _ => {}
        }
    }
    let asked = asked_for(packet, &aliases);
    let is_asked_for =
        |name: &str| asked.as_ref().is_none_or(|asked| asked.iter().any(|known| known == name));
    let mut found: Resolutions = Vec::with_capacity(addresses.len());
    // The names that lead to the one at hand, and the least time to live of the aliases between.
    let mut way: Vec<(&str, u32)> = Vec::new();
    for resolution in &addresses {
        // The addresses of one name come one after the other.
        if way.first().is_none_or(|(name, _)| *name != resolution.name) {
            way = way_to(&resolution.name, &aliases);
        }
        found.extend(way.iter().filter(|(name, _)| is_asked_for(name)).map(|(name, ttl_seconds)| {
            Resolution {
                name: (*name).to_owned(),
                address: resolution.address,
                ttl_seconds: resolution.ttl_seconds.min(*ttl_seconds),
            }
        }));
    }
    found
}

/// The name of the question and those that it is an alias of, which is all that a resolver takes from an answer
/// [RFC 1034 section 5.3.3]; `None` where there is no question, and everything may be an answer.
fn asked_for(packet: &Packet<'_>, aliases: &[Alias]) -> Option<Vec<String>> {
    // There is never more than one [RFC 9619].
    let mut names = vec![text(&packet.questions.first()?.qname)];
    let mut at = 0;
    while let Some(name) = names.get(at) {
        let targets = aliases.iter().filter(|alias| alias.owner == *name);
        let further: Vec<String> = targets.map(|alias| alias.target.clone()).collect();
        for target in further {
            if !names.contains(&target) {
                names.push(target);
            }
        }
        at += 1;
    }
    Some(names)
}

/// `name` itself and every alias that leads to it.
fn way_to<'a>(name: &'a str, aliases: &'a [Alias]) -> Vec<(&'a str, u32)> {
    let mut way = vec![(name, u32::MAX)];
    let mut at = 0;
    while let Some(&(name, ttl_seconds)) = way.get(at) {
        for alias in aliases.iter().filter(|alias| alias.target == name) {
            // A name met before would be a loop.
            if way.len() <= MAX_CHAIN && way.iter().all(|(known, _)| *known != alias.owner) {
                way.push((&alias.owner, ttl_seconds.min(alias.ttl_seconds)));
            }
        }
        at += 1;
    }
    way
}

/// The addresses that a service binding tells in advance [RFC 9460 section 7.3].
fn hints<'a>(binding: &'a SVCB<'a>) -> impl Iterator<Item = IpAddr> + 'a {
    binding.iter_params().flat_map(|parameter| {
        let (v4, v6): (&[u32], &[u128]) = match parameter {
            SVCParam::Ipv4Hint(addresses) => (addresses, &[]),
            SVCParam::Ipv6Hint(addresses) => (&[], addresses),
            _ => (&[], &[]),
        };
        let v4 = v4.iter().map(|address| IpAddr::from(Ipv4Addr::from(*address)));
        v4.chain(v6.iter().map(|address| IpAddr::from(Ipv6Addr::from(*address))))
    })
}

/// A name as text, lower case and without the final dot.
fn text(name: &Name<'_>) -> String {
    let mut text = String::with_capacity(name.as_bytes().map(|label| label.len() + 1).sum());
    for label in name.as_bytes() {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*' => text.push(char::from(byte)),
                b'A'..=b'Z' => text.push(char::from(byte.to_ascii_lowercase())),
                _ => {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
        }
    }
    text
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

    /// A loss that nothing came behind.
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

/// The door for fuzzing: anything may come in, nothing may break.
pub fn fuzz_dns(bytes: &[u8]) {
    let _ = parse_response(bytes);
    let _ = parse_cut_response(bytes);
    let mut messages = TcpMessages::default();
    let middle = bytes.len() / 2;
    let (front, back) = bytes.split_at_checked(middle).unwrap_or((bytes, &[]));
    for part in [front, back] {
        messages.push(part, &mut |message| {
            let _ = message.and_then(parse_response);
        });
    }
}

#[cfg(test)]
mod tests;
