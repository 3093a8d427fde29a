//! The ServerHello and the HelloRetryRequest [RFC 8446 sections 4.1.3 and 4.1.4], and their forms in the
//! drafts of TLS 1.3 up to 21 (draft-ietf-tls-tls13-18 section 4.1.3: no session id, no compression).

use arrayvec::ArrayVec;
use tls_parser::parse_tls_handshake_server_hello;

use super::error::{TlsError, TlsErrors};
use super::extensions::{self, Extension, Numbers};
use super::numbers::{RANDOM_BYTES, draft_of, extension as id, is_hello_version, is_tls13};
use super::reader::Reader;
use crate::model::registry::{CipherSuite, CompressionMethod, ExtensionId, NamedGroup, TlsVersion};
use crate::model::{Hello, MAX_SESSION_ID_BYTES, ServerHello};

/// SHA-256 of "HelloRetryRequest", the random that marks one [RFC 8446 section 4.1.3].
pub const RETRY_RANDOM: [u8; RANDOM_BYTES] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The first draft whose ServerHello has the form of TLS 1.2.
const FIRST_COMPATIBLE_DRAFT: u8 = 22;

/// The first draft whose own HelloRetryRequest names a cipher suite.
const FIRST_RETRY_SUITE_DRAFT: u8 = 19;

/// Reads a ServerHello body, or what there is of it. `None` where the cipher suite is not there (half
/// an answer would be taken for a choice the server did not make) or the version is none of TLS.
pub fn read(body: &[u8], is_whole: bool, errors: &mut TlsErrors) -> Option<Hello<ServerHello>> {
    let (mut hello, random, session_id, block) = match is_whole.then(|| read_whole(body)).flatten() {
        Some((hello, random, session_id, block)) => (hello, random, session_id, Some((block, true))),
        None => read_partial(body)?,
    };
    hello.is_hello_retry_request = *random == RETRY_RANDOM;
    let is_malformed = !take_extensions(&mut hello, block);
    Some(Hello {
        kind: conclude(hello, is_whole, is_malformed, errors).into(),
        random_end: random.last_chunk().copied().unwrap_or_default(),
        session_id: ArrayVec::try_from(session_id).unwrap_or_default(),
        session_ticket: None,
    })
}

/// Reads the HelloRetryRequest message (type 6) of the drafts up to 21.
pub fn read_draft_retry(body: &[u8], is_whole: bool, errors: &mut TlsErrors) -> Option<Hello<ServerHello>> {
    let mut reader = Reader::new(body);
    let version = reader.u16()?;
    let has_suite = draft_of(version).is_some_and(|draft| draft >= FIRST_RETRY_SUITE_DRAFT);
    let cipher_suite = if has_suite { CipherSuite(reader.u16()?) } else { CipherSuite::default() };
    let mut hello = ServerHello {
        is_hello_retry_request: true,
        legacy_version: TlsVersion(version),
        cipher_suite,
        ..ServerHello::default()
    };
    let is_malformed = !take_extensions(&mut hello, reader.vector16_at_most());
    Some(conclude(hello, is_whole, is_malformed, errors).into())
}

/// False where the list of extensions ends within one.
fn take_extensions(hello: &mut ServerHello, block: Option<(&[u8], bool)>) -> bool {
    let Some((block, is_block_whole)) = block else { return true };
    let mut numbers = Numbers::new();
    let is_list_whole = extensions::read(block, |extension| {
        hello.repeats_extension |= !numbers.insert(extension.id);
        take(hello, &extension);
    });
    is_list_whole && is_block_whole
}

fn conclude(
    mut hello: ServerHello,
    is_whole: bool,
    is_malformed: bool,
    errors: &mut TlsErrors,
) -> ServerHello {
    if is_whole && (is_malformed || hello.is_truncated) {
        errors.insert(TlsError::MalformedHello);
    }
    hello.is_truncated |= !is_whole;
    if !is_whole
        && hello.selected_version.is_none()
        && hello.legacy_version == TlsVersion::TLS12
        && matches!(hello.cipher_suite.0, 0x1301..=0x1307 | 0x00c6..=0x00c7)
    {
        // supported_versions was cut off, but these suites exist in TLS 1.3 only.
        hello.selected_version = Some(TlsVersion::TLS13);
    }
    if !is_tls13(hello.version()) {
        // The old number of key_share meant something else to TLS 1.2.
        hello.key_share = None;
        hello.selected_psk = false;
    }
    hello
}

type WholeHello<'a> = (ServerHello, &'a [u8; RANDOM_BYTES], &'a [u8], &'a [u8]);

/// The fixed part of a well-formed body, its random, its session id and its extensions.
fn read_whole(body: &[u8]) -> Option<WholeHello<'_>> {
    let (rest, parsed) = parse_tls_handshake_server_hello(body).ok()?;
    if parsed.ext.is_none() && !rest.is_empty() {
        // Extensions that run past the end, or those of an SSLv3 hello, which the crate leaves out.
        return None;
    }
    let hello = ServerHello {
        legacy_version: TlsVersion(parsed.version.0),
        cipher_suite: CipherSuite(parsed.cipher.0),
        compression_method: CompressionMethod(parsed.compression.0),
        ..ServerHello::default()
    };
    let session_id = parsed.session_id.unwrap_or_default();
    Some((hello, parsed.random.first_chunk()?, session_id, parsed.ext.unwrap_or_default()))
}

type PartialHello<'a> = (ServerHello, &'a [u8; RANDOM_BYTES], &'a [u8], Option<(&'a [u8], bool)>);

/// The fixed part of a body that may end after the cipher suite, its random, its session id, and what there
/// is of its extensions.
fn read_partial(body: &[u8]) -> Option<PartialHello<'_>> {
    let mut reader = Reader::new(body);
    let version = reader.u16().filter(|version| is_hello_version(*version))?;
    let random = reader.take(RANDOM_BYTES)?.first_chunk()?;
    let is_old_draft = draft_of(version).is_some_and(|draft| draft < FIRST_COMPATIBLE_DRAFT);
    let session_id = if is_old_draft { &[] } else { reader.vector8()? };
    if session_id.len() > MAX_SESSION_ID_BYTES {
        return None;
    }
    let mut hello = ServerHello {
        legacy_version: TlsVersion(version),
        cipher_suite: CipherSuite(reader.u16()?),
        ..ServerHello::default()
    };
    if !is_old_draft {
        match reader.u8() {
            Some(method) => hello.compression_method = CompressionMethod(method),
            None => {
                hello.is_truncated = true;
                return Some((hello, random, session_id, None));
            }
        }
    }
    if reader.is_empty() {
        return Some((hello, random, session_id, None));
    }
    let block = reader.vector16_at_most();
    hello.is_truncated = block.is_none();
    Some((hello, random, session_id, block))
}

fn take(hello: &mut ServerHello, extension: &Extension<'_>) {
    hello.extensions.push(ExtensionId(extension.id));
    let mut body = Reader::new(extension.body);
    match extension.id {
        // The two bytes of these are all there is to know; a key cut short does not matter.
        id::SUPPORTED_VERSIONS => hello.selected_version = body.u16().map(TlsVersion),
        id::KEY_SHARE => hello.key_share = body.u16().map(NamedGroup),
        id::KEY_SHARE_OLD if hello.key_share.is_none() => hello.key_share = body.u16().map(NamedGroup),
        id::PRE_SHARED_KEY => hello.selected_psk = true,
        id::ALPN if extension.is_whole => {
            let mut names = Reader::new(body.vector16().unwrap_or_default());
            hello.alpn = names.vector8().map(<[u8]>::to_vec);
        }
        id::ENCRYPT_THEN_MAC => hello.encrypt_then_mac = true,
        _ => {}
    }
}
