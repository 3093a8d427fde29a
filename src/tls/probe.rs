//! Is this the beginning of a TLS or SSL handshake? Asked of the first bytes of every stream, and
//! of clear-text dialogues that may turn into one.

use std::sync::LazyLock;

use memchr::memmem;

use super::alert::{self, FATAL};
use super::error::MAX_RECORD_BYTES;
use super::numbers::{RANDOM_BYTES, content, handshake, is_hello_version};
use super::reader::Reader;
use super::ssl2;
use crate::model::MAX_SESSION_ID_BYTES;
use crate::model::registry::TlsVersion;

/// What the beginning of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A ClientHello, of SSLv2 as well.
    ClientHello,
    /// A ServerHello or a HelloRetryRequest, of SSLv2 as well.
    ServerHello,
    /// A hello as far as it goes; more bytes will tell.
    NeedMore,
    /// Neither.
    No,
}

/// Shorter than any hello with its fixed fields [RFC 5246 section 7.4.1.2; RFC 8446 drafts up to 21
/// leave out two fields of the ServerHello].
const MIN_HELLO_BYTES: u32 = 36;

/// No hello is longer: its longest field has a 16-bit length, and the others fit into as much again.
const MAX_HELLO_BYTES: u32 = 1 << 17;

/// Empty records in front of a hello that are passed over: nobody may send one, but OpenSSL takes as many.
const MAX_EMPTY_RECORDS: usize = 32;

/// Looks at the first bytes of one direction.
///
/// An alert alone is no hello. A first record of a few bytes, as some clients send to avoid middleboxes,
/// is looked through.
#[inline]
#[must_use]
pub fn probe(bytes: &[u8]) -> Probe {
    match bytes.first() {
        None => Probe::NeedMore,
        Some(&content::HANDSHAKE) => probe_tls(bytes),
        Some(first) if first & 0x80 != 0 => probe_ssl2(bytes),
        Some(_) => Probe::No,
    }
}

fn probe_tls(bytes: &[u8]) -> Probe {
    // The first bytes of the handshake message, put together from as many records as they take.
    let mut message = [0_u8; 6];
    let mut have = 0;
    let mut empty_records = 0;
    let mut reader = Reader::new(bytes);
    while have < message.len() {
        let Some(kind) = reader.u8() else { return Probe::NeedMore };
        if kind != content::HANDSHAKE {
            return Probe::No;
        }
        match reader.u8() {
            None => return Probe::NeedMore,
            Some(3) => {}
            Some(_) => return Probe::No,
        }
        // Whatever the minor version is, servers take it [RFC 5246 appendix E.1].
        let Some(_) = reader.u8() else { return Probe::NeedMore };
        let Some(length) = reader.u16() else {
            return match reader.rest() {
                [] | [0..=0x48] => Probe::NeedMore,
                _ => Probe::No,
            };
        };
        let length = usize::from(length);
        empty_records += usize::from(length == 0);
        if length > MAX_RECORD_BYTES || empty_records > MAX_EMPTY_RECORDS {
            return Probe::No;
        }
        let payload = reader.take_at_most(length);
        for &byte in payload {
            let Some(slot) = message.get_mut(have) else { break };
            *slot = byte;
            have += 1;
        }
        match probe_message(&message, have) {
            Probe::NeedMore if payload.len() < length => return Probe::NeedMore,
            Probe::NeedMore => {}
            decided => return decided,
        }
    }
    Probe::NeedMore
}

/// Looks at the first `have` bytes of a handshake message.
fn probe_message(message: &[u8; 6], have: usize) -> Probe {
    let [kind, a, b, c, major, minor] = *message;
    let hello = match kind {
        handshake::CLIENT_HELLO => Probe::ClientHello,
        handshake::SERVER_HELLO | handshake::HELLO_RETRY_REQUEST => Probe::ServerHello,
        _ if have == 0 => return Probe::NeedMore,
        _ => return Probe::No,
    };
    if have >= 2 && a > 1 {
        return Probe::No;
    }
    if have >= 4 {
        let length = u32::from_be_bytes([0, a, b, c]);
        let least = if kind == handshake::HELLO_RETRY_REQUEST { 4 } else { MIN_HELLO_BYTES };
        if !(least..=MAX_HELLO_BYTES).contains(&length) {
            return Probe::No;
        }
    }
    if have >= 5 && !is_hello_version(u16::from(major) << 8 | u16::from(minor)) {
        return Probe::No;
    }
    if have >= 6 { hello } else { Probe::NeedMore }
}

/// Messages of SSLv2 in a record with a 2-byte header [RFC 5246 appendix E.2].
fn probe_ssl2(bytes: &[u8]) -> Probe {
    let mut reader = Reader::new(bytes);
    let Some(length) = reader.u16() else { return Probe::NeedMore };
    let length = u32::from(length & 0x7fff);
    let Some(kind) = reader.u8() else { return Probe::NeedMore };
    match kind {
        ssl2::CLIENT_HELLO => {
            let Some(version) = reader.u16() else {
                return if matches!(reader.rest(), [] | [0 | 3]) { Probe::NeedMore } else { Probe::No };
            };
            if version != TlsVersion::SSL2.0 && version >> 8 != 3 {
                return Probe::No;
            }
            let (Some(specs), Some(session), Some(challenge)) = (reader.u16(), reader.u16(), reader.u16())
            else {
                return Probe::NeedMore;
            };
            let is_consistent = specs > 0
                && specs.is_multiple_of(3)
                && matches!(session, 0 | 16 | 32)
                && (16..=32).contains(&challenge)
                && 9 + u32::from(specs) + u32::from(session) + u32::from(challenge) == length;
            if is_consistent { Probe::ClientHello } else { Probe::No }
        }
        ssl2::SERVER_HELLO => {
            let (Some(hit), Some(certificate_kind)) = (reader.u8(), reader.u8()) else {
                return Probe::NeedMore;
            };
            if hit > 1 || certificate_kind > 3 {
                return Probe::No;
            }
            let Some(version) = reader.u16() else { return Probe::NeedMore };
            if version != TlsVersion::SSL2.0 {
                return Probe::No;
            }
            let (Some(certificate), Some(specs), Some(connection)) =
                (reader.u16(), reader.u16(), reader.u16())
            else {
                return Probe::NeedMore;
            };
            let is_consistent = specs.is_multiple_of(3)
                && connection <= 32
                && 11 + u32::from(certificate) + u32::from(specs) + u32::from(connection) == length;
            if is_consistent { Probe::ServerHello } else { Probe::No }
        }
        _ => Probe::No,
    }
}

/// How much of a hello must be there to be found inside other bytes.
const MIN_VISIBLE_BYTES: usize = 12;

/// What every record of a handshake begins with [RFC 8446 section 5.1].
static HANDSHAKE_RECORD: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(&[content::HANDSHAKE, 3]));

/// Where a ClientHello begins within a clear-text dialogue (STARTTLS, proxies, protocols that wrap TLS).
///
/// Strict: the lengths of record and message must agree and every field that is there must be possible, so
/// that bytes of other protocols are not taken for one. The beginning of a hello is found once 12 bytes
/// of it are there.
#[must_use]
pub fn find_client_hello(bytes: &[u8]) -> Option<usize> {
    handshake_records(bytes).find(|&at| is_hello_at(bytes, at, handshake::CLIENT_HELLO))
}

/// The same for a ServerHello (after a proxy's answer in the same segment).
#[must_use]
pub fn find_server_hello(bytes: &[u8]) -> Option<usize> {
    handshake_records(bytes).find(|&at| is_hello_at(bytes, at, handshake::SERVER_HELLO))
}

/// What there is of hellos within other bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Where a hello begins of which every field that is there fits, and whose: a client's, else a server's.
    pub hello: Option<(usize, Probe)>,
    /// Where the first record begins that [`probe`] does not rule out; not an empty one.
    pub candidate: Option<usize>,
}

/// Looks for all of it at once.
#[must_use]
pub fn find_hidden(bytes: &[u8]) -> Hidden {
    let mut hidden = Hidden::default();
    for at in handshake_records(bytes) {
        if is_hello_at(bytes, at, handshake::CLIENT_HELLO) {
            hidden.hello = Some((at, Probe::ClientHello));
            break;
        }
        if hidden.hello.is_none() && is_hello_at(bytes, at, handshake::SERVER_HELLO) {
            hidden.hello = Some((at, Probe::ServerHello));
        }
        if hidden.candidate.is_none() && probe_within(bytes, at) != Probe::No {
            hidden.candidate = Some(at);
        }
    }
    hidden
}

/// Where the first record begins that is what is `wanted`, by the rules of [`probe`]. Empty records in front of it are not
/// looked at.
///
/// # Errors
/// Where there is none: the place to look from once more bytes are there.
pub fn find_probed(bytes: &[u8], wanted: Probe) -> Result<usize, usize> {
    // The last byte may be the first of the two that are looked for.
    let mut open = bytes.len().saturating_sub(1);
    for at in handshake_records(bytes) {
        match probe_within(bytes, at) {
            found if found == wanted => return Ok(at),
            Probe::NeedMore => open = open.min(at),
            _ => {}
        }
    }
    Err(open)
}

/// [`probe`] of a record within other bytes. One that is empty is passed over for the next, which is looked at by itself:
/// a stream of nothing else would be walked through from each on.
fn probe_within(bytes: &[u8], at: usize) -> Probe {
    match bytes.get(at..) {
        None | Some([_, _, _, 0, 0, ..]) => Probe::No,
        Some(record) => probe(record),
    }
}

fn handshake_records(bytes: &[u8]) -> impl Iterator<Item = usize> {
    HANDSHAKE_RECORD.find_iter(bytes)
}

fn is_hello_at(bytes: &[u8], at: usize, kind: u8) -> bool {
    bytes
        .get(at..)
        .filter(|tail| tail.len() >= MIN_VISIBLE_BYTES)
        .is_some_and(|tail| is_certain_hello(tail, kind).unwrap_or(false))
}

/// `None` where a field that must be visible is not.
fn is_certain_hello(bytes: &[u8], kind: u8) -> Option<bool> {
    let mut reader = Reader::new(bytes);
    let [_, major, minor] = reader.array()?;
    let record_length = u32::from(reader.u16()?);
    let message_kind = reader.u8()?;
    let length = reader.u24()?;
    let version = reader.u16()?;
    // A client sends its hello alone; a server may send more in the same record. A hello that goes
    // on in a further record fills its first one well.
    let is_length_possible = (MIN_HELLO_BYTES..=MAX_HELLO_BYTES).contains(&length)
        && record_length as usize <= MAX_RECORD_BYTES
        && (length + 4 == record_length
            || length + 4 > record_length && record_length >= 256
            || kind == handshake::SERVER_HELLO && length + 4 < record_length);
    let is_version_possible = if kind == handshake::CLIENT_HELLO {
        matches!(version, 0x0300..=0x0304)
    } else {
        matches!(version, 0x0300..=0x0304 | 0x7f00..=0x7fff)
    };
    if major != 3 || minor > 4 || message_kind != kind || !is_length_possible || !is_version_possible {
        return Some(false);
    }
    // What follows may be cut off; where it is there it must fit.
    let Some(_random) = reader.array::<RANDOM_BYTES>() else { return Some(true) };
    if version >= 0x7f00 {
        return Some(true);
    }
    let Some(session_length) = reader.u8() else { return Some(true) };
    if usize::from(session_length) > MAX_SESSION_ID_BYTES {
        return Some(false);
    }
    let (Some(_), Some(number)) = (reader.take(session_length.into()), reader.u16()) else {
        return Some(true);
    };
    // The length of the suites; a ServerHello has the suite itself there.
    let is_possible = kind != handshake::CLIENT_HELLO
        || number > 0 && number.is_multiple_of(2) && u32::from(number) < length;
    Some(is_possible)
}

/// True where `bytes` begin as a record does and, as far as they go, another record follows it. For
/// finding the boundary again after bytes were lost.
#[must_use]
pub fn looks_like_record(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    if !is_record_header(&mut reader) {
        return false;
    }
    // The next one, where enough of it is there.
    reader.rest().len() < 5 || is_record_header(&mut reader)
}

/// How many bytes of a ChangeCipherSpec `bytes` end with: before a hello it tells that this is not the first one.
#[must_use]
pub fn change_of_cipher_before(bytes: &[u8]) -> usize {
    match bytes.last_chunk::<6>() {
        Some([content::CHANGE_CIPHER_SPEC, 3, 0..=4, 0, 1, 1]) => 6,
        _ => 0,
    }
}

/// Where `bytes` end with a record that is a fatal alert in clear: it is the last that a side says.
#[must_use]
pub fn find_last_alert(bytes: &[u8]) -> Option<usize> {
    let (before, alert) = bytes.split_last_chunk::<7>()?;
    matches!(alert, [content::ALERT, 3, 0..=4, 0, 2, FATAL, _]).then_some(before.len())
}

/// True where `bytes` begin with a record of application data, whole or with nothing after what is there
/// of it that is no record. For streams that were joined after their handshake.
#[must_use]
pub fn looks_like_application_data(bytes: &[u8]) -> bool {
    bytes.first() == Some(&content::APPLICATION_DATA) && looks_like_record(bytes)
}

/// Reads a whole record, or as much of it as there is.
fn is_record_header(reader: &mut Reader<'_>) -> bool {
    let (Some([kind, major, minor]), Some(length)) = (reader.array::<3>(), reader.u16()) else {
        return false;
    };
    let is_length_possible = match kind {
        content::CHANGE_CIPHER_SPEC => length == 1,
        // In clear one, half of one, or two.
        content::ALERT => {
            matches!(length, 1 | 2 | 4) || (alert::MIN_ENCRYPTED_BYTES..=512).contains(&length.into())
        }
        content::HANDSHAKE | content::APPLICATION_DATA => {
            length > 0 && usize::from(length) <= MAX_RECORD_BYTES
        }
        _ => false,
    };
    reader.take_at_most(length.into());
    major == 3 && minor <= 4 && is_length_possible
}
