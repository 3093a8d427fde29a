//! The ClientHello [RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2].

use std::fmt::Write as _;

use arrayvec::ArrayVec;
use tls_parser::parse_tls_handshake_client_hello;

use super::error::{MAX_SERVER_NAME_BYTES, TlsError, TlsErrors};
use super::extensions::{self, Extension, Numbers};
use super::numbers::{RANDOM_BYTES, extension as id};
use super::reader::{Reader, u16_list};
use crate::model::registry::{
    CipherSuite, CompressionMethod, ExtensionId, NamedGroup, SignatureScheme, TlsVersion, is_grease,
};
use crate::model::{ClientHello, Hello, MAX_SESSION_ID_BYTES, TicketDigest, without_begun_number};

/// Room for the extensions of an ordinary hello, so that the list is made without growing.
const USUAL_EXTENSIONS: usize = 16;

/// Reads a ClientHello body, or what there is of it: `is_whole` says whether all of it is there.
///
/// `None` where not even version and random are there. A whole body that contradicts its own lengths
/// is read as far as it goes and reported as malformed; it counts as truncated where the contradiction
/// is in front of the extensions, so that what follows is anybody's guess.
pub fn read(body: &[u8], is_whole: bool, errors: &mut TlsErrors) -> Option<Hello<ClientHello>> {
    let (mut hello, session_id, block) = match is_whole.then(|| read_whole(body)).flatten() {
        Some((hello, session_id, block)) => (hello, session_id, Some((block, true))),
        None => read_partial(body)?,
    };
    let mut session_ticket = None;
    let mut is_malformed = hello.is_truncated;
    if let Some((block, is_block_whole)) = block {
        hello.extensions.reserve(USUAL_EXTENSIONS);
        let mut numbers = Numbers::new();
        let is_list_whole = extensions::read(block, |extension| {
            if !numbers.insert(extension.id) {
                hello.has_two_names |= extension.id == id::SERVER_NAME;
                hello.repeats_extension |= !is_grease(extension.id);
            }
            if extension.id == id::SESSION_TICKET && extension.is_whole {
                session_ticket = TicketDigest::of(extension.body);
            }
            take(&mut hello, &extension, errors);
        });
        is_malformed |= !is_block_whole || !is_list_whole;
    }
    if hello.key_shares.is_empty() && !hello.supported_versions.is_empty() {
        take_old_key_share(&mut hello, block.map(|(block, _)| block).unwrap_or_default());
    }
    if is_whole && is_malformed {
        errors.insert(TlsError::MalformedHello);
    }
    hello.is_truncated |= !is_whole;
    let session_id = ArrayVec::try_from(session_id).unwrap_or_default();
    Some(Hello { kind: hello.into(), random_end: [0; 8], session_id, session_ticket })
}

/// The fixed part of a well-formed body, its session id, and its extensions.
fn read_whole(body: &[u8]) -> Option<(ClientHello, &[u8], &[u8])> {
    let (rest, parsed) = parse_tls_handshake_client_hello(body).ok()?;
    if parsed.ext.is_none() && !rest.is_empty() {
        // Extensions whose length runs past the end: not for a parser that knows all or nothing.
        return None;
    }
    let hello = ClientHello {
        legacy_version: TlsVersion(parsed.version.0),
        cipher_suites: parsed.ciphers.into_iter().map(|suite| CipherSuite(suite.0)).collect(),
        compression_methods: parsed.comp.into_iter().map(|method| CompressionMethod(method.0)).collect(),
        ..ClientHello::default()
    };
    Some((hello, parsed.session_id.unwrap_or_default(), parsed.ext.unwrap_or_default()))
}

type PartialHello<'a> = (ClientHello, &'a [u8], Option<(&'a [u8], bool)>);

/// The fixed part of a body that may end anywhere, its session id, and what there is of its extensions.
fn read_partial(body: &[u8]) -> Option<PartialHello<'_>> {
    let mut reader = Reader::new(body);
    let mut hello = ClientHello {
        legacy_version: TlsVersion(reader.u16()?),
        is_truncated: true,
        ..ClientHello::default()
    };
    reader.take(RANDOM_BYTES)?;
    let mut session_id: &[u8] = &[];
    let block = (|| {
        session_id = reader.vector8().filter(|id| id.len() <= MAX_SESSION_ID_BYTES)?;
        let (suites, is_list_whole) = reader.vector16_at_most()?;
        if !is_list_whole {
            // Half a list must not pass for the whole.
            return None;
        }
        hello.cipher_suites = u16_list(suites).map(CipherSuite).collect();
        hello.compression_methods = reader.vector8()?.iter().copied().map(CompressionMethod).collect();
        if reader.is_empty() {
            // As far as anybody can tell there are no extensions.
            hello.is_truncated = false;
            return None;
        }
        reader.vector16_at_most()
    })();
    if block.is_some() {
        hello.is_truncated = false;
    }
    Some((hello, session_id, block))
}

/// Takes what one extension says. One that contradicts itself gives what can be read of it.
fn take(hello: &mut ClientHello, extension: &Extension<'_>, errors: &mut TlsErrors) {
    hello.extensions.push(ExtensionId(extension.id));
    hello.has_ech |= id::is_encrypted_hello(extension.id);
    if !extension.is_whole {
        // Half a name or list must not pass for the whole.
        return;
    }
    let mut body = Reader::new(extension.body);
    match extension.id {
        id::SERVER_NAME => {
            let (name, has_more) = server_name(body, errors);
            hello.has_two_names |= has_more;
            hello.server_name = hello.server_name.take().or(name);
        }
        id::SUPPORTED_GROUPS => {
            hello.supported_groups = list16(&mut body).map(NamedGroup).collect();
        }
        id::EC_POINT_FORMATS => hello.ec_point_formats = body.vector8().unwrap_or_default().to_vec(),
        id::SIGNATURE_ALGORITHMS => {
            hello.signature_schemes = list16(&mut body).map(SignatureScheme).collect();
        }
        id::ALPN => {
            let mut names = Reader::new(body.vector16().unwrap_or_default());
            hello.alpn = std::iter::from_fn(|| names.vector8().map(<[u8]>::to_vec)).collect();
        }
        id::PRE_SHARED_KEY => hello.offers_psk = true,
        id::EARLY_DATA => hello.offers_early_data = true,
        id::SUPPORTED_VERSIONS => {
            hello.supported_versions = u16_list(body.vector8().unwrap_or_default()).map(TlsVersion).collect();
        }
        id::PSK_KEY_EXCHANGE_MODES => hello.psk_modes = body.vector8().unwrap_or_default().to_vec(),
        id::KEY_SHARE => hello.key_shares = key_shares(body),
        _ => {}
    }
}

/// Drafts of TLS 1.3 up to 22 had key_share at another number, which others used too: only a
/// hello that offers such a draft means it so.
fn take_old_key_share(hello: &mut ClientHello, block: &[u8]) {
    if !hello.extensions.contains(&ExtensionId(id::KEY_SHARE_OLD)) {
        return;
    }
    let mut shares = Vec::new();
    extensions::read(block, |extension| {
        if extension.id == id::KEY_SHARE_OLD && extension.is_whole {
            shares = key_shares(Reader::new(extension.body));
        }
    });
    hello.key_shares = shares;
}

fn list16<'a>(body: &mut Reader<'a>) -> impl Iterator<Item = u16> + use<'a> {
    u16_list(body.vector16().unwrap_or_default())
}

fn key_shares(mut body: Reader<'_>) -> Vec<NamedGroup> {
    let mut entries = Reader::new(body.vector16().unwrap_or_default());
    std::iter::from_fn(|| {
        let group = entries.u16()?;
        entries.vector16()?;
        Some(NamedGroup(group))
    })
    .collect()
}

/// The first host_name of the list, and whether there is another one, of which there may be one alone [RFC 6066 section 3].
fn server_name(mut body: Reader<'_>, errors: &mut TlsErrors) -> (Option<String>, bool) {
    let mut entries = Reader::new(body.vector16().unwrap_or_default());
    let mut next = || loop {
        let kind = entries.u8()?;
        let name = entries.vector16()?;
        if kind == 0 {
            return Some(name);
        }
    };
    let Some(name) = next() else { return (None, false) };
    let cut = name.get(..MAX_SERVER_NAME_BYTES).filter(|kept| kept.len() < name.len());
    if cut.is_some() {
        errors.insert(TlsError::ServerNameTooLong);
    }
    let name = cut.map_or(name, |cut| cut.get(..without_begun_number(cut)).unwrap_or_default());
    ((!name.is_empty()).then(|| escape(name)), next().is_some())
}

/// As sent; control bytes and bytes that are no UTF-8 as `\xNN`.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let push_escaped = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            let _ = write!(text, "\\x{byte:02x}");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                push_escaped(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        push_escaped(&mut text, chunk.invalid());
    }
    text
}
