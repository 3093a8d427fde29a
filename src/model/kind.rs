//! What connections have in common: all that is said of one holds for every other of its kind.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::registry::{AlertDescription, Ssl2CipherKind};
use super::{
    AlertFrom, ClientHello, Downgrade, ForwardSecrecy, Hello, KeyExchangeFacts, Resumption, Shared, TlsFacts,
};

/// The largest hello that has a kind. Whoever keeps something by kind keeps its hellos with it, so strangers must
/// not choose how large they are; those of usual clients take some 1,000 bytes.
const MAX_HELLO_BYTES: usize = 4_096;

/// Tells kinds of TLS connections apart. Facts of equal kinds are equal but for randoms, session ids, tickets and
/// times.
///
/// What connections share (hellos, certificates, fingerprints) is known by where it is in memory: a kind means
/// something only as long as facts of that kind are kept with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsKind {
    client_hello: usize,
    server_hello: usize,
    second_client_hello: usize,
    hello_retry_request: usize,
    certificate: usize,
    session_certificate: usize,
    fingerprints: [usize; 3],
    certificate_error: Option<&'static str>,
    ssl2_cipher_kind: Option<Ssl2CipherKind>,
    key_exchange: Option<KeyExchangeFacts>,
    session_key_exchange: Option<KeyExchangeFacts>,
    resumed: Option<bool>,
    resumption: Option<Resumption>,
    client_certificate_requested: bool,
    alert: Option<(AlertDescription, AlertFrom)>,
    established: bool,
    is_truncated: bool,
    lacks_server_bytes: bool,
    is_end_hidden: bool,
    is_contradicted: bool,
    forward_secrecy: Option<ForwardSecrecy>,
    forward_secrecy_reason: Option<&'static str>,
    downgrade: Option<Downgrade>,
}

impl TlsKind {
    /// The kind of `facts`; `None` where they have a hello of their own, so that no other is like them, or one, or a
    /// certificate, too large to be kept.
    #[must_use]
    pub fn of(facts: &TlsFacts) -> Option<Self> {
        // Every field is named, so that a new one is not forgotten.
        let TlsFacts {
            client_hello,
            second_client_hello,
            hello_retry_request,
            server_hello,
            ssl2_cipher_kind,
            key_exchange,
            session_key_exchange,
            certificate,
            session_certificate,
            certificate_error,
            resumed,
            resumption,
            issued_ticket: _,
            client_certificate_requested,
            alert,
            established,
            is_truncated,
            lacks_server_bytes,
            is_end_hidden,
            is_contradicted,
            forward_secrecy,
            forward_secrecy_reason,
            downgrade,
            ja3,
            ja4,
            ja3s,
            client_hello_at: _,
            established_at: _,
        } = facts;
        let first = client_hello.as_ref().map(|hello| &*hello.kind);
        let is_too_large = |hello: &ClientHello| hello.size_bytes() > MAX_HELLO_BYTES;
        let mut answers =
            [server_hello.as_ref().map(kind), hello_retry_request.as_ref()].into_iter().flatten();
        if answers.any(|hello| hello.size_bytes() > MAX_HELLO_BYTES) {
            return None;
        }
        if first.is_some_and(is_too_large) || second_client_hello.as_deref().is_some_and(is_too_large) {
            return None;
        }
        let mut certificates = [certificate, session_certificate].into_iter().flatten();
        if certificates.any(|certificate| certificate.is_large()) {
            return None;
        }
        Some(Self {
            client_hello: place(client_hello.as_ref().map(kind))?,
            server_hello: place(server_hello.as_ref().map(kind))?,
            second_client_hello: place(second_client_hello.as_ref())?,
            hello_retry_request: place(hello_retry_request.as_ref())?,
            certificate: certificate.as_ref().map_or(0, |certificate| Arc::as_ptr(certificate).addr()),
            session_certificate: session_certificate
                .as_ref()
                .map_or(0, |certificate| Arc::as_ptr(certificate).addr()),
            fingerprints: [ja3, ja4, ja3s]
                .map(|text| text.as_ref().map_or(0, |text| Arc::as_ptr(text).addr())),
            certificate_error: *certificate_error,
            ssl2_cipher_kind: *ssl2_cipher_kind,
            key_exchange: *key_exchange,
            session_key_exchange: *session_key_exchange,
            resumed: *resumed,
            resumption: *resumption,
            client_certificate_requested: *client_certificate_requested,
            alert: *alert,
            established: *established,
            is_truncated: *is_truncated,
            lacks_server_bytes: *lacks_server_bytes,
            is_end_hidden: *is_end_hidden,
            is_contradicted: *is_contradicted,
            forward_secrecy: *forward_secrecy,
            forward_secrecy_reason: *forward_secrecy_reason,
            downgrade: *downgrade,
        })
    }
}

/// Only what tells most kinds apart.
impl Hash for TlsKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.client_hello);
        state.write_usize(self.server_hello);
        state.write_usize(self.certificate);
        state.write_u8(u8::from(self.established));
    }
}

const fn kind<T>(hello: &Hello<T>) -> &Shared<T> {
    &hello.kind
}

/// Where a value is, 0 for none; `None` where nobody else has it.
fn place<T>(value: Option<&Shared<T>>) -> Option<usize> {
    match value {
        None => Some(0),
        Some(value) => value.is_shared().then(|| value.address()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::CipherSuite;
    use crate::model::{CertificateFacts, Timestamp};

    #[test]
    fn tells_what_matters_and_no_times() {
        let hello = Hello::from(ClientHello::default());
        let facts = TlsFacts { client_hello: Some(hello.clone()), ..TlsFacts::default() };
        let of = |change: fn(&mut TlsFacts)| {
            let mut changed = facts.clone();
            change(&mut changed);
            TlsKind::of(&changed)
        };
        let kind = TlsKind::of(&facts);
        assert!(kind.is_some());
        assert_eq!(of(|facts| facts.established_at = Some(Timestamp::from_seconds(1))), kind);
        assert_eq!(of(|facts| facts.client_hello.as_mut().unwrap().random_end = [1; 8]), kind);
        assert_ne!(of(|facts| facts.established = true), kind);
        assert_ne!(of(|facts| facts.resumed = Some(true)), kind);
        assert_ne!(of(|facts| facts.ja3 = Some("x".into())), kind);
        assert_eq!(of(|facts| facts.client_hello.as_mut().unwrap().has_ech = true), None);
        drop(hello);
    }

    #[test]
    fn keeps_no_hello_of_a_strangers_size() {
        let of = |suites: usize| {
            let hello = ClientHello { cipher_suites: vec![CipherSuite(1); suites], ..ClientHello::default() };
            let hello = Hello::from(hello);
            let facts = TlsFacts { client_hello: Some(hello.clone()), ..TlsFacts::default() };
            TlsKind::of(&facts).is_some()
        };
        assert!(of(200) && !of(8_000));
    }

    #[test]
    fn keeps_no_certificate_of_a_strangers_size() {
        for (names, is_kept) in [(20, true), (1_000, false)] {
            let dns_names = vec!["a.example".to_owned(); names];
            let certificate = Some(Arc::new(CertificateFacts { dns_names, ..CertificateFacts::default() }));
            let shown = TlsFacts { certificate: certificate.clone(), ..TlsFacts::default() };
            let resumed = TlsFacts { session_certificate: certificate, ..TlsFacts::default() };
            assert_eq!([shown, resumed].map(|facts| TlsKind::of(&facts).is_some()), [is_kept; 2]);
        }
    }
}
