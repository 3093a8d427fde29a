//! Whether two hellos can be of one handshake: whether the server answers what the client asked, and whether the client says
//! again what it had said, where it is asked again [RFC 8446 sections 4.1.2, 4.1.4 and 4.2, RFC 5246 section 7.4.1.4].
//!
//! Peers abort what this tells, so it tells nothing that a part which was not seen may explain. What was chosen of what was
//! offered is told by [`TlsFacts::is_choice_offered`].

use super::extensions::Numbers;
use super::numbers::{EMPTY_RENEGOTIATION_INFO_SCSV, extension as id};
use crate::model::registry::{CipherSuite, ExtensionId, NamedGroup, TlsVersion, is_grease};
use crate::model::{ClientHello, ServerHello, TlsFacts};

/// No answer has more extensions than this: fewer have a meaning there.
const MAX_ANSWERED: usize = 64;

/// True where no two peers come to terms by these hellos. `has_other_id`: the second ClientHello has another session id than
/// the first; `may_lack_retry`: the connection was joined when it was under way.
pub fn is_broken(facts: &TlsFacts, has_other_id: bool, may_lack_retry: bool) -> bool {
    let (Some(client), Some(server)) = (&facts.client_hello, &facts.server_hello) else { return false };
    let (client, server) = (&*client.kind, &*server.kind);
    if client.is_truncated || server.is_truncated || server.is_ssl2_form {
        return false;
    }
    let retry = facts.hello_retry_request.as_deref().filter(|retry| !retry.is_truncated);
    let second = facts.second_client_hello.as_deref().filter(|second| !second.is_truncated);
    if client.repeats_extension
        || [Some(server), retry].into_iter().flatten().any(|hello| hello.repeats_extension)
        || second.is_some_and(|second| second.repeats_extension || second.has_two_names)
    {
        return true;
    }
    // What drafts of TLS 1.3 let them do is not looked at.
    let is_draft = server.version().rank() > TlsVersion::TLS12.rank()
        && server.version().rank() < TlsVersion::TLS13.rank();
    if is_draft {
        return false;
    }
    let is_answered =
        answers(client, second, server) && retry.is_none_or(|retry| answers(client, second, retry));
    !is_answered
        || match (retry, second) {
            (Some(retry), second) => {
                asks_for_nothing(retry)
                    || second.is_some_and(|second| has_other_id || !is_same_again(client, second, retry))
            }
            // There was a retry, or there may have been.
            (None, _) if facts.hello_retry_request.is_some() || facts.is_truncated => false,
            (None, Some(second)) => !may_lack_retry && (has_other_id || second != client),
            // No server shares a secret with who sent it no share.
            (None, None) => server.key_share.is_some() && groups(&client.key_shares).next().is_none(),
        }
}

/// False for an answer with what was not asked for, or what does not belong there.
fn answers(client: &ClientHello, second: Option<&ClientHello>, server: &ServerHello) -> bool {
    let is_tls13 = server.version().rank() >= TlsVersion::TLS13.rank();
    let is_asked = |id: &ExtensionId| {
        client.extensions.contains(id)
            || second.is_some_and(|second| second.extensions.contains(id))
            || is_unasked(client, server, *id)
    };
    let is_name_offered = server.alpn.as_ref().is_none_or(|name| client.alpn.contains(name));
    server.extensions.len() <= MAX_ANSWERED
        && server.extensions.iter().all(|id| is_asked(id) && !(is_tls13 && is_encrypted_there(id.0)))
        && is_name_offered
}

/// True for what a server may send unasked, and for what clients are known to put up with.
fn is_unasked(client: &ClientHello, server: &ServerHello, ExtensionId(id): ExtensionId) -> bool {
    match id {
        // Another sign stands for it [RFC 5746 section 3.6].
        id::RENEGOTIATION_INFO => client.cipher_suites.contains(&CipherSuite(EMPTY_RENEGOTIATION_INFO_SCSV)),
        id::COOKIE => server.is_hello_retry_request,
        // It may be in the hello inside [RFC 9849 section 6.1.2].
        id::PRE_SHARED_KEY => client.has_ech,
        // Some servers send their proofs to everybody, and those with a suite of GOST a sign of its own.
        id::SIGNED_CERTIFICATE_TIMESTAMP | id::CRYPTOPRO => true,
        _ => false,
    }
}

/// True for extensions that TLS 1.3 has in messages that are encrypted, or in the client's alone [RFC 8446 section 4.2].
const fn is_encrypted_there(id: u16) -> bool {
    matches!(id, 0 | 1 | 5 | 10 | 13..=16 | 18..=23 | 35 | 42 | 45 | 47..=50)
}

/// A HelloRetryRequest that changes nothing [RFC 8446 section 4.1.4].
fn asks_for_nothing(retry: &ServerHello) -> bool {
    is_final(retry) && retry.extensions.iter().all(|id| *id == ExtensionId::SUPPORTED_VERSIONS)
}

fn is_final(retry: &ServerHello) -> bool {
    retry.version().rank() >= TlsVersion::TLS13.rank()
}

/// False where the second hello differs from the first in what is not for a retry to change [RFC 8446 section 4.1.2].
fn is_same_again(first: &ClientHello, second: &ClientHello, retry: &ServerHello) -> bool {
    let is_known = |id: &ExtensionId| {
        matches!(id.0, id::SUPPORTED_VERSIONS | id::COOKIE | id::KEY_SHARE) || id::is_encrypted_hello(id.0)
    };
    if !is_final(retry) || !retry.extensions.iter().all(is_known) {
        // What others let it change they say themselves.
        return true;
    }
    let is_share_right = match retry.key_share {
        Some(group) => groups(&second.key_shares).eq([group.0]),
        None => groups(&second.key_shares).eq(groups(&first.key_shares)),
    };
    is_share_right
        && first.legacy_version == second.legacy_version
        && meant(&first.cipher_suites, |suite| suite.0).eq(meant(&second.cipher_suites, |suite| suite.0))
        && first.compression_methods == second.compression_methods
        && meant(&first.supported_versions, |version| version.0)
            .eq(meant(&second.supported_versions, |version| version.0))
        && groups(&first.supported_groups).eq(groups(&second.supported_groups))
        && first.signature_schemes == second.signature_schemes
        && first.alpn == second.alpn
        && has_same_extensions(first, second)
}

/// The same ones in any order, but for those that a retry lets come, go or change.
fn has_same_extensions(first: &ClientHello, second: &ClientHello) -> bool {
    fn kept(hello: &ClientHello) -> impl Iterator<Item = u16> {
        let may_change = |id: u16| {
            matches!(
                id,
                id::PADDING
                    | id::PRE_SHARED_KEY
                    | id::EARLY_DATA
                    | id::COOKIE
                    | id::KEY_SHARE_OLD
                    | id::KEY_SHARE
            ) || id::is_encrypted_hello(id)
        };
        meant(&hello.extensions, |id| id.0).filter(move |id| !may_change(*id))
    }
    let mut numbers = Numbers::new();
    let of_first = kept(first).filter(|id| numbers.insert(*id)).count();
    kept(second).count() == of_first && kept(second).all(|id| !numbers.insert(id))
}

/// The numbers of a list but those that are there to be ignored, which may be others the next time [RFC 8701 section 3.1].
fn meant<T>(list: &[T], number: impl Fn(&T) -> u16) -> impl Iterator<Item = u16> {
    list.iter().map(number).filter(|number| !is_grease(*number))
}

fn groups(list: &[NamedGroup]) -> impl Iterator<Item = u16> {
    meant(list, |group| group.0)
}
