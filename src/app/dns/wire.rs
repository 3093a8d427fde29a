//! The question, the answers and the names of a message, read where they stand [RFC 1035 section 4.1].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::{ArrayString, ArrayVec};

use super::{HEADER_BYTES, MAX_ANSWERS, Wanted};
use crate::app::MAX_HOST_BYTES;

/// The longest name as it is written, with the length of each label and of the root [RFC 1035 section 2.3.4].
const MAX_NAME_BYTES: usize = 255;

/// Pointers on the way through one name: one in front of each label, of which [`MAX_NAME_BYTES`] have room for 127.
const MAX_POINTERS: usize = 127;

/// The question's, and two of each answer.
const MAX_NAMES: usize = 1 + 2 * MAX_ANSWERS;

/// A name as it is written without compression, in lower case: what tells whether two are one.
type Name = ArrayVec<u8, MAX_NAME_BYTES>;

/// A name in text form, in lower case and without the final dot.
type Host = ArrayString<MAX_HOST_BYTES>;

/// The part of a message that is looked at.
pub(super) struct Answers<'a> {
    pub message: &'a [u8],
    pub has_question: bool,
    pub count: usize,
}

/// One answer. Names are told by where they begin in the message.
pub(super) struct Answer<'a> {
    pub owner: usize,
    pub data: Data<'a>,
    pub ttl_seconds: u32,
}

pub(super) enum Data<'a> {
    Address(IpAddr),
    Alias {
        target: usize,
    },
    /// A service binding [RFC 9460 section 2.2].
    Binding {
        target: usize,
        parameters: &'a [u8],
    },
    /// Not looked at.
    Other,
}

impl<'a> Answers<'a> {
    /// Begins to read, with the question.
    pub fn reader(&self) -> Option<Reader<'a>> {
        Some(Reader { message: self.message, rest: self.message.get(HEADER_BYTES..)? })
    }

    /// Where the first name that is wanted begins, if there is one; `None` where the message is malformed. A name is read
    /// once, however often it is pointed at.
    pub fn first_wanted(&self, is_wanted: Wanted<'_>) -> Option<Option<usize>> {
        let mut known: ArrayVec<usize, MAX_NAMES> = ArrayVec::new();
        let mut is_new_and_wanted = |at: usize| {
            if known.contains(&at) {
                return Some(false);
            }
            known.try_push(at).ok()?;
            Some(host(&name_at(self.message, at)?).is_some_and(|host| is_wanted(&host)))
        };
        let mut reader = self.reader()?;
        let question = if self.has_question { Some(reader.question()?) } else { None };
        if let Some(question) = question
            && is_new_and_wanted(question)?
        {
            return Some(Some(question));
        }
        for _ in 0..self.count {
            let answer = reader.answer()?;
            let target = match answer.data {
                Data::Alias { target } | Data::Binding { target, .. } => Some(target),
                Data::Address(_) | Data::Other => None,
            };
            for name in [Some(answer.owner), target].into_iter().flatten() {
                if is_new_and_wanted(name)? {
                    return Some(Some(name));
                }
            }
        }
        Some(None)
    }
}

/// Reads forward over a message.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Where the name of a question begins.
    pub fn question(&mut self) -> Option<usize> {
        let name = self.name()?;
        self.take(4)?;
        Some(name)
    }

    /// The next answer.
    pub fn answer(&mut self) -> Option<Answer<'a>> {
        const IN: u16 = 1;
        const A: u16 = 1;
        const CNAME: u16 = 5;
        const AAAA: u16 = 28;
        const HTTPS: u16 = 65;
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from_be_bytes(*self.take(4)?.first_chunk()?);
        let length = usize::from(self.u16()?);
        let data = self.take(length)?;
        let end = self.at();
        // The data as a message of its own, so that nothing behind it is taken for a part of it.
        let mut within = Self { message: self.message.get(..end)?, rest: data };
        let data = match (class, kind) {
            (IN, A) => Data::Address(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            (IN, AAAA) => Data::Address(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
            (IN, CNAME) => {
                let target = within.name()?;
                within.rest.is_empty().then_some(Data::Alias { target })?
            }
            (IN, HTTPS) => {
                let _priority = within.u16()?;
                let target = within.name()?;
                let parameters = within.rest;
                while !within.rest.is_empty() {
                    within.parameter()?;
                }
                Data::Binding { target, parameters }
            }
            _ => Data::Other,
        };
        // A value with the highest bit set is taken for 0 [RFC 2181 section 8].
        let ttl_seconds = if ttl > i32::MAX as u32 { 0 } else { ttl };
        Some(Answer { owner, data, ttl_seconds })
    }

    /// Where in the message the next byte is.
    const fn at(&self) -> usize {
        self.message.len() - self.rest.len()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|both| u16::from_be_bytes(*both))
    }

    /// Passes over a name and tells where it begins: of one that is a pointer alone, where that leads.
    fn name(&mut self) -> Option<usize> {
        let at = self.at();
        let (begin, rest) = match self.rest {
            [high, low, rest @ ..] if *high >= 0xc0 => (target(*high, *low, at)?, rest),
            rest => (at, after_name(rest)?),
        };
        self.rest = rest;
        Some(begin)
    }

    /// The key and the value of one parameter of a service binding.
    fn parameter(&mut self) -> Option<(u16, &'a [u8])> {
        let (key, length) = (self.u16()?, self.u16()?);
        let value = self.take(usize::from(length))?;
        let is_whole = match key {
            IPV4_HINT => value.len().is_multiple_of(4),
            IPV6_HINT => value.len().is_multiple_of(16),
            _ => true,
        };
        is_whole.then_some((key, value))
    }
}

const IPV4_HINT: u16 = 4;
const IPV6_HINT: u16 = 6;

/// The addresses that a service binding tells in advance [RFC 9460 section 7.3].
pub(super) fn hints(parameters: &[u8]) -> impl Iterator<Item = IpAddr> + '_ {
    let mut reader = Reader { message: parameters, rest: parameters };
    std::iter::from_fn(move || reader.parameter()).flat_map(|(key, value)| {
        let (v4, v6): (&[u8], &[u8]) = match key {
            IPV4_HINT => (value, &[]),
            IPV6_HINT => (&[], value),
            _ => (&[], &[]),
        };
        let v4 = v4.as_chunks::<4>().0.iter().map(|octets| IpAddr::from(*octets));
        v4.chain(v6.as_chunks::<16>().0.iter().map(|octets| IpAddr::from(*octets)))
    })
}

/// The distinct names of a message, numbered.
pub(super) struct Names<'a> {
    message: &'a [u8],
    /// One behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Numbers by where a name begins.
    known: Vec<(usize, usize)>,
}

impl<'a> Names<'a> {
    pub const fn new(message: &'a [u8]) -> Self {
        Self { message, bytes: Vec::new(), ends: Vec::new(), known: Vec::new() }
    }

    pub const fn count(&self) -> usize {
        self.ends.len()
    }

    /// The number of the name that begins at `at`; `None` where that is none.
    pub fn number(&mut self, at: usize) -> Option<usize> {
        if let Some((_, number)) = self.known.iter().find(|(begin, _)| *begin == at) {
            return Some(*number);
        }
        let name = name_at(self.message, at)?;
        let number = (0..self.count()).find(|&number| self.name(number) == &*name).unwrap_or_else(|| {
            self.bytes.extend_from_slice(&name);
            self.ends.push(self.bytes.len());
            self.count() - 1
        });
        self.known.push((at, number));
        Some(number)
    }

    pub fn is_root(&self, number: usize) -> bool {
        self.name(number) == [0]
    }

    /// The name in text form, where it is one of a host.
    pub fn host(&self, number: usize) -> Option<Host> {
        host(self.name(number))
    }

    fn name(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|&end| self.bytes.get(begin..end)).unwrap_or_default()
    }
}

/// How many answers there are all bytes of, of those `claimed`; 0 where not even the question is whole.
pub(super) fn whole_answers(message: &[u8], has_question: bool, claimed: usize) -> usize {
    let behind_question = |rest| if has_question { after_name(rest)?.get(4..) } else { Some(rest) };
    let Some(mut rest) = message.get(HEADER_BYTES..).and_then(behind_question) else { return 0 };
    let mut answers = 0;
    while answers < claimed
        && let Some(next) = after_record(rest)
    {
        rest = next;
        answers += 1;
    }
    answers
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

/// Where a pointer leads, which is back, so that none leads in circles: before what begins at `begin`.
fn target(high: u8, low: u8, begin: usize) -> Option<usize> {
    let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
    (target < begin).then_some(target)
}

/// The name that begins at `at`; `None` where that is none.
fn name_at(message: &[u8], at: usize) -> Option<Name> {
    let mut name = Name::new();
    let (mut begin, mut rest, mut pointers) = (at, message.get(at..)?, 0);
    loop {
        let (&length, after) = rest.split_first()?;
        match length {
            0 => {
                name.try_push(0).ok()?;
                // Lengths of labels are less than any letter.
                name.make_ascii_lowercase();
                return Some(name);
            }
            1..=63 => {
                let whole = 1 + usize::from(length);
                name.try_extend_from_slice(rest.get(..whole)?).ok()?;
                rest = rest.get(whole..)?;
            }
            0xc0.. => {
                begin = target(length, *after.first()?, begin)?;
                rest = message.get(begin..)?;
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
            }
            _ => return None,
        }
    }
}

/// A name in text form, where it is one of a host: letters, digits, `-` and `_`.
fn host(name: &[u8]) -> Option<Host> {
    let mut host = Host::new();
    let mut rest = name;
    while let Some((&length, after)) = rest.split_first()
        && length > 0
    {
        let (label, behind) = after.split_at_checked(usize::from(length))?;
        let is_of_host = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if !label.iter().all(is_of_host) {
            return None;
        }
        if !host.is_empty() {
            host.try_push('.').ok()?;
        }
        host.try_push_str(std::str::from_utf8(label).ok()?).ok()?;
        rest = behind;
    }
    (!host.is_empty()).then_some(host)
}
