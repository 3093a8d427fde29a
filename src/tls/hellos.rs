//! Hellos and certificates that come again: read once for each kind, and shared by all who send it.
//!
//! A hello's *key* is every byte of it that [`client_hello::read`] or [`server_hello::read`] looks at,
//! in a form that cannot be mistaken for another: without random, session id, ticket and key material.
//! Hellos with equal keys are read to equal facts, so the facts of the first serve for all.

mod kept;

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::error::TlsErrors;
use super::extensions;
use super::numbers::{RANDOM_BYTES, extension as id};
use super::reader::Reader;
use super::server_hello::RETRY_RANDOM;
use super::{client_hello, fingerprint, server_hello};
use crate::model::{ClientHello, Hello, MAX_SESSION_ID_BYTES, ServerHello, Shared, TicketDigest};
pub use kept::Keep;
use kept::{Kept, Limits};

/// Kinds of hellos that are kept: a site has a few dozen, clients that shuffle their extensions as many as they like. A
/// usual one is known by some 250 bytes and takes some 1,500; 16 KB are for those of a client that sends a long one each
/// time, which must not be read each time.
const HELLOS: Limits = Limits { values: 2_048, key_bytes: 16_384, bytes: 8 << 20 };

/// Certificates that are kept: far more than the endpoints of one site show at a time; those of AWS have 1,200 to 2,000
/// bytes.
const CERTIFICATES: Limits = Limits { values: 1_024, key_bytes: 4_096, bytes: 8 << 20 };

/// For tests.
#[cfg(test)]
const NOTHING: Limits = Limits { values: 0, key_bytes: 0, bytes: 0 };

/// What is known of one kind of ClientHello.
#[derive(Clone, Debug)]
pub struct ClientKind {
    pub hello: Shared<ClientHello>,
    /// [`fingerprint::ja3`] of it.
    pub ja3: Option<Arc<str>>,
    /// [`fingerprint::ja4`] of it.
    pub ja4: Option<Arc<str>>,
}

/// What is known of one kind of ServerHello.
#[derive(Clone, Debug)]
pub struct ServerKind {
    pub hello: Shared<ServerHello>,
    /// [`fingerprint::ja3s`] of it.
    pub ja3s: Option<Arc<str>>,
}

impl Keep for ClientKind {
    fn held_bytes(&self) -> usize {
        self.hello.size_bytes() + text_bytes(&self.ja3) + text_bytes(&self.ja4)
    }

    fn is_shared(&self) -> bool {
        self.hello.is_shared()
    }
}

impl Keep for ServerKind {
    fn held_bytes(&self) -> usize {
        self.hello.size_bytes() + text_bytes(&self.ja3s)
    }

    fn is_shared(&self) -> bool {
        self.hello.is_shared()
    }
}

impl Keep for Arc<[u8]> {
    fn held_bytes(&self) -> usize {
        self.len()
    }

    fn is_shared(&self) -> bool {
        Self::strong_count(self) > 1
    }
}

fn text_bytes(text: &Option<Arc<str>>) -> usize {
    text.as_ref().map_or(0, |text| text.len())
}

/// Whether it was read anew: it is for who brings it to count the memory that it takes, though others may share it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsNew(pub bool);

impl IsNew {
    /// The bytes that whoever brings it counts.
    pub fn own(self, bytes: impl FnOnce() -> usize) -> usize {
        if self.0 { bytes() } else { 0 }
    }
}

/// What connections have in common, kept from one to the next.
#[derive(Debug)]
pub struct Hellos {
    clients: Kept<ClientKind>,
    servers: Kept<ServerKind>,
    certificates: Kept<Arc<[u8]>>,
    /// The key of the hello at hand, in memory that is used again.
    key: Vec<u8>,
}

impl Default for Hellos {
    fn default() -> Self {
        Self {
            clients: Kept::new(HELLOS),
            servers: Kept::new(HELLOS),
            certificates: Kept::new(CERTIFICATES),
            key: Vec::new(),
        }
    }
}

impl From<Shared<ClientHello>> for ClientKind {
    fn from(hello: Shared<ClientHello>) -> Self {
        let ja3 = fingerprint::ja3(&hello).map(Arc::from);
        let ja4 = fingerprint::ja4(&hello).map(Arc::from);
        Self { hello, ja3, ja4 }
    }
}

impl From<Shared<ServerHello>> for ServerKind {
    fn from(hello: Shared<ServerHello>) -> Self {
        let ja3s = fingerprint::ja3s(&hello).map(Arc::from);
        Self { hello, ja3s }
    }
}

impl Hellos {
    /// Keeps nothing.
    #[cfg(test)]
    pub fn forgetful() -> Self {
        Self {
            clients: Kept::new(NOTHING),
            servers: Kept::new(NOTHING),
            certificates: Kept::new(NOTHING),
            key: Vec::new(),
        }
    }

    /// [`client_hello::read`], and the kind of hello it is.
    pub(super) fn client(
        &mut self,
        body: &[u8],
        is_whole: bool,
        errors: &mut TlsErrors,
    ) -> Option<(Hello<ClientHello>, ClientKind, IsNew)> {
        let own = if is_whole { client_key(body, &mut self.key) } else { None };
        if let Some(own) = &own
            && let Some(kind) = self.clients.get(&self.key)
        {
            let session_ticket = own.ticket.and_then(TicketDigest::of);
            let hello = Hello {
                kind: kind.hello.clone(),
                random_end: [0; 8],
                session_id: ArrayVec::try_from(own.session_id).unwrap_or_default(),
                session_ticket,
            };
            return Some((hello, kind.clone(), IsNew(false)));
        }
        let mut found = TlsErrors::default();
        let hello = client_hello::read(body, is_whole, &mut found)?;
        let kind = ClientKind::from(hello.kind.clone());
        if own.is_some() && found.is_empty() {
            self.clients.insert(&self.key, &kind);
        }
        errors.add(found);
        Some((hello, kind, IsNew(true)))
    }

    /// [`server_hello::read`], and the kind of hello it is.
    pub(super) fn server(
        &mut self,
        body: &[u8],
        is_whole: bool,
        errors: &mut TlsErrors,
    ) -> Option<(Hello<ServerHello>, ServerKind, IsNew)> {
        let own = if is_whole { server_key(body, &mut self.key) } else { None };
        if let Some(own) = &own
            && let Some(kind) = self.servers.get(&self.key)
        {
            let hello = Hello {
                kind: kind.hello.clone(),
                random_end: own.random_end,
                session_id: ArrayVec::try_from(own.session_id).unwrap_or_default(),
                session_ticket: None,
            };
            return Some((hello, kind.clone(), IsNew(false)));
        }
        let mut found = TlsErrors::default();
        let hello = server_hello::read(body, is_whole, &mut found)?;
        let kind = ServerKind::from(hello.kind.clone());
        if own.is_some() && found.is_empty() {
            self.servers.insert(&self.key, &kind);
        }
        errors.add(found);
        Some((hello, kind, IsNew(true)))
    }

    /// The bytes of a certificate: the same ones for all who show it, as long as they are kept.
    pub(super) fn certificate(&mut self, leaf: &[u8]) -> (Arc<[u8]>, IsNew) {
        if let Some(known) = self.certificates.get(leaf) {
            return (Arc::clone(known), IsNew(false));
        }
        let certificate = Arc::from(leaf);
        self.certificates.insert(leaf, &certificate);
        (certificate, IsNew(true))
    }
}

/// What one ClientHello has of its own.
struct ClientOwn<'a> {
    session_id: &'a [u8],
    /// Body of the session_ticket extension.
    ticket: Option<&'a [u8]>,
}

/// What one ServerHello has of its own.
struct ServerOwn<'a> {
    random_end: [u8; 8],
    session_id: &'a [u8],
}

/// Writes the key of a ClientHello; `None` for one that is not of the usual form in every length.
fn client_key<'a>(body: &'a [u8], key: &mut Vec<u8>) -> Option<ClientOwn<'a>> {
    key.clear();
    let mut reader = Reader::new(body);
    let version = reader.u16()?;
    reader.take(RANDOM_BYTES)?;
    let session_id = reader.vector8().filter(|id| id.len() <= MAX_SESSION_ID_BYTES)?;
    let suites = reader.vector16()?;
    let compression = reader.vector8()?;
    key.extend_from_slice(&version.to_be_bytes());
    push_vector(key, suites);
    push_vector(key, compression);
    let mut own = ClientOwn { session_id, ticket: None };
    if reader.is_empty() {
        return Some(own);
    }
    let block = reader.vector16()?;
    if !reader.is_empty() {
        return None;
    }
    // Tells an empty list of extensions from none.
    key.push(1);
    let is_whole = extensions::read(block, |extension| {
        key.extend_from_slice(&extension.id.to_be_bytes());
        match extension.id {
            id::SERVER_NAME
            | id::SUPPORTED_GROUPS
            | id::EC_POINT_FORMATS
            | id::SIGNATURE_ALGORITHMS
            | id::ALPN
            | id::SUPPORTED_VERSIONS
            | id::PSK_KEY_EXCHANGE_MODES => push_vector(key, extension.body),
            id::KEY_SHARE | id::KEY_SHARE_OLD => push_key_shares(key, extension.body),
            id::SESSION_TICKET => own.ticket = Some(extension.body),
            // Of all others only that they are there is looked at.
            _ => {}
        }
    });
    is_whole.then_some(own)
}

/// Writes the key of a ServerHello; `None` for one that is not of the usual form in every length.
fn server_key<'a>(body: &'a [u8], key: &mut Vec<u8>) -> Option<ServerOwn<'a>> {
    key.clear();
    let mut reader = Reader::new(body);
    // The drafts of TLS 1.3 have forms of their own.
    let version = reader.u16().filter(|version| version >> 8 == 3)?;
    let random = reader.take(RANDOM_BYTES)?;
    let random_end = *random.last_chunk()?;
    let session_id = reader.vector8().filter(|id| id.len() <= MAX_SESSION_ID_BYTES)?;
    let suite_and_compression = reader.take(3)?;
    key.extend_from_slice(&version.to_be_bytes());
    key.push(u8::from(random == RETRY_RANDOM));
    key.extend_from_slice(suite_and_compression);
    let own = ServerOwn { random_end, session_id };
    if reader.is_empty() {
        return Some(own);
    }
    let block = reader.vector16()?;
    if !reader.is_empty() {
        return None;
    }
    key.push(1);
    let is_whole = extensions::read(block, |extension| {
        key.extend_from_slice(&extension.id.to_be_bytes());
        match extension.id {
            id::KEY_SHARE | id::KEY_SHARE_OLD => {
                // The group; the key behind it is not looked at.
                push_vector(key, extension.body.get(..2).unwrap_or_default());
            }
            id::SUPPORTED_VERSIONS | id::ALPN => push_vector(key, extension.body),
            _ => {}
        }
    });
    is_whole.then_some(own)
}

fn push_vector(key: &mut Vec<u8>, bytes: &[u8]) {
    // No vector of a hello is longer than its 16-bit length says.
    key.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    key.extend_from_slice(bytes);
}

/// The groups of a list of key shares, or all of its bytes where it is no such list.
fn push_key_shares(key: &mut Vec<u8>, body: &[u8]) {
    let begin = key.len();
    key.push(1);
    let is_list = (|| {
        let mut reader = Reader::new(body);
        let mut entries = Reader::new(reader.vector16()?);
        while !entries.is_empty() {
            let group = entries.u16()?;
            entries.vector16()?;
            key.push(2);
            key.extend_from_slice(&group.to_be_bytes());
        }
        reader.is_empty().then_some(())
    })();
    if is_list.is_some() {
        key.push(0);
        return;
    }
    key.truncate(begin);
    key.push(0);
    push_vector(key, body);
}

#[cfg(test)]
mod tests;
