//! What the clear part of a TLS connection says, in the words of the RFCs.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::registry::{
    AlertDescription, CipherSuite, CompressionMethod, ExtensionId, KeyExchange, NamedGroup, SignatureScheme,
    Ssl2CipherKind, TlsVersion,
};
use super::{Date, Hello, Shared, Timestamp, closed_set};

/// The server name indication [RFC 6066 section 3].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sni<'a> {
    /// In clear, as sent (not lower-cased; invalid UTF-8 and control bytes are escaped as `\xNN`).
    Name(&'a str),
    /// A complete ClientHello without the extension, or with an empty name.
    NotSent,
    /// No complete ClientHello was seen.
    NotSeen,
}

/// Whether the extension encrypted_client_hello [RFC 9849] was in a hello, real or GREASE: beside it the server name may be
/// an outer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncryptedHello {
    Sent,
    #[default]
    NotSent,
    /// It may have been in what was cut.
    NotSeen,
}

/// Stands for a session ticket: enough to recognise it, nothing to use it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TicketDigest([u8; 16]);

impl TicketDigest {
    /// The first half of the ticket's SHA-256; `None` for an empty ticket, which only asks for one.
    #[must_use]
    pub fn of(ticket: &[u8]) -> Option<Self> {
        if ticket.is_empty() {
            return None;
        }
        Sha256::digest(ticket).first_chunk().copied().map(Self)
    }
}

/// What one place in a list of ciphers offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// A suite of SSL 3 or TLS.
    Suite(CipherSuite),
    /// A kind of SSL 2.
    Kind(Ssl2CipherKind),
}

/// What the ClientHellos of one kind have in common. Lists are in wire order and keep GREASE and unknown values
/// [RFC 8446 section 4.1.2, RFC 8701].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Sent in the SSLv2 form [RFC 5246 appendix E.2].
    pub is_ssl2_form: bool,
    /// The hello was cut short by the capture: what follows the cut is unknown.
    pub is_truncated: bool,
    pub legacy_version: TlsVersion,
    pub cipher_suites: Vec<CipherSuite>,
    /// Only in an SSLv2-form hello that offers SSLv2's own kinds; with each, how many of the suites stand in front of it.
    pub ssl2_cipher_kinds: Vec<(usize, Ssl2CipherKind)>,
    pub compression_methods: Vec<CompressionMethod>,
    pub extensions: Vec<ExtensionId>,
    /// The server_name as sent; `None` where the extension is missing or empty.
    pub server_name: Option<String>,
    /// It was sent twice, which no hello may [RFC 8446 section 4.2, RFC 6066 section 3]: nobody knows which one counts.
    pub has_two_names: bool,
    /// Any other number of an extension came twice, which is none of GREASE: the same holds for what it says.
    pub repeats_extension: bool,
    /// supported_versions, empty where not sent.
    pub supported_versions: Vec<TlsVersion>,
    pub supported_groups: Vec<NamedGroup>,
    pub ec_point_formats: Vec<u8>,
    pub signature_schemes: Vec<SignatureScheme>,
    /// Protocol names, bytes as sent.
    pub alpn: Vec<Vec<u8>>,
    pub key_shares: Vec<NamedGroup>,
    /// psk_key_exchange_modes: 0 = psk_ke, 1 = psk_dhe_ke.
    pub psk_modes: Vec<u8>,
    pub offers_psk: bool,
    pub offers_early_data: bool,
    pub has_ech: bool,
}

impl ClientHello {
    /// False where it lists its groups, and this one is not among them.
    fn may_have(&self, group: NamedGroup) -> bool {
        self.supported_groups.is_empty() || self.supported_groups.contains(&group)
    }

    /// Bytes of memory that it takes with its lists.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + list_bytes(&self.cipher_suites)
            + list_bytes(&self.ssl2_cipher_kinds)
            + list_bytes(&self.compression_methods)
            + list_bytes(&self.extensions)
            + list_bytes(&self.supported_versions)
            + list_bytes(&self.supported_groups)
            + list_bytes(&self.ec_point_formats)
            + list_bytes(&self.signature_schemes)
            + list_bytes(&self.key_shares)
            + list_bytes(&self.psk_modes)
            + list_bytes(&self.alpn)
            + self.alpn.iter().map(list_bytes).sum::<usize>()
            + self.server_name.as_ref().map_or(0, |name| allocated_bytes(name.capacity()))
    }

    /// Suites and kinds in the order in which they are offered.
    pub fn offered(&self) -> impl Iterator<Item = Offered> {
        let (mut suites, mut kinds) = (self.cipher_suites.iter(), self.ssl2_cipher_kinds.iter().peekable());
        let mut before = 0;
        std::iter::from_fn(move || {
            if let Some((_, kind)) = kinds.next_if(|(at, _)| *at <= before || suites.as_slice().is_empty()) {
                return Some(Offered::Kind(*kind));
            }
            before += 1;
            suites.next().map(|suite| Offered::Suite(*suite))
        })
    }

    /// Adds what is offered last.
    pub fn offer(&mut self, offered: Offered) {
        match offered {
            Offered::Suite(suite) => self.cipher_suites.push(suite),
            Offered::Kind(kind) => self.ssl2_cipher_kinds.push((self.cipher_suites.len(), kind)),
        }
    }

    /// The best version offered, GREASE left out: of supported_versions where sent, else `legacy_version`, which
    /// offers 1.2 at most, whatever it says [RFC 8446 sections 4.1.2 and 4.2.1]. Unknown where a cut hello may have
    /// lost the extension that names a newer one.
    #[must_use]
    pub fn max_version(&self) -> Option<TlsVersion> {
        if self.supported_versions.is_empty() {
            let is_last = self.legacy_version.rank() >= TlsVersion::TLS12.rank();
            let is_unknown = self.legacy_version.is_grease() || self.is_truncated && is_last;
            return (!is_unknown).then_some(if is_last { TlsVersion::TLS12 } else { self.legacy_version });
        }
        self.supported_versions.iter().copied().filter(|v| !v.is_grease()).max_by_key(|v| v.rank())
    }

    /// The server name, or why there is none.
    #[must_use]
    pub fn sni(&self) -> Sni<'_> {
        match &self.server_name {
            Some(name) => Sni::Name(name),
            None if self.is_truncated => Sni::NotSeen,
            None => Sni::NotSent,
        }
    }

    /// Whether an Encrypted Client Hello is beside the server name. A cut hello leaves that open, unless it shows that it
    /// has none: it offers less than TLS 1.3, which that extension needs [RFC 9849 section 1], or was cut within
    /// pre_shared_key, which is always the last one [RFC 8446 section 4.2.11].
    #[must_use]
    pub fn encrypted_hello(&self) -> EncryptedHello {
        let is_too_old = || self.max_version().is_some_and(|most| most.rank() <= TlsVersion::TLS12.rank());
        if self.has_ech {
            EncryptedHello::Sent
        } else if self.is_truncated && !self.is_ssl2_form && !self.has_last_extension() && !is_too_old() {
            EncryptedHello::NotSeen
        } else {
            EncryptedHello::NotSent
        }
    }

    /// All extensions are known by number, though the body of the last one may be cut.
    fn has_last_extension(&self) -> bool {
        self.extensions.last() == Some(&ExtensionId::PRE_SHARED_KEY)
    }

    /// The lowest version offered: of supported_versions where sent; an SSLv2-form hello offers
    /// SSLv2 only if it lists SSLv2 kinds; otherwise unknown, because a hello without
    /// supported_versions does not say what it would still accept.
    #[must_use]
    pub fn min_version(&self) -> Option<TlsVersion> {
        if !self.ssl2_cipher_kinds.is_empty() {
            return Some(TlsVersion::SSL2);
        }
        self.supported_versions.iter().copied().filter(|v| !v.is_grease()).min_by_key(|v| v.rank())
    }
}

fn list_bytes<T>(list: &Vec<T>) -> usize {
    allocated_bytes(list.capacity() * size_of::<T>())
}

/// What an allocation takes: with a word of the allocator's own, in units of two, and two of them at least.
const fn allocated_bytes(wanted: usize) -> usize {
    const UNIT: usize = 2 * size_of::<usize>();
    if wanted == 0 {
        return 0;
    }
    let whole = (wanted + size_of::<usize>()).next_multiple_of(UNIT);
    if whole < 2 * UNIT { 2 * UNIT } else { whole }
}

/// What ServerHellos (or HelloRetryRequests) of one kind have in common [RFC 8446 section 4.1.3].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    pub is_ssl2_form: bool,
    pub is_truncated: bool,
    /// The random is the fixed value of a HelloRetryRequest [RFC 8446 section 4.1.3].
    pub is_hello_retry_request: bool,
    pub legacy_version: TlsVersion,
    pub cipher_suite: CipherSuite,
    pub compression_method: CompressionMethod,
    pub extensions: Vec<ExtensionId>,
    /// One number came twice [RFC 8446 section 4.2].
    pub repeats_extension: bool,
    /// supported_versions (one value).
    pub selected_version: Option<TlsVersion>,
    /// key_share: the group chosen.
    pub key_share: Option<NamedGroup>,
    /// pre_shared_key: a PSK was chosen.
    pub selected_psk: bool,
    pub alpn: Option<Vec<u8>>,
    pub encrypt_then_mac: bool,
}

impl ServerHello {
    /// Bytes of memory that it takes with its lists.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + list_bytes(&self.extensions) + self.alpn.as_ref().map_or(0, list_bytes)
    }

    /// The negotiated version: supported_versions if present, else legacy_version
    /// [RFC 8446 section 4.2.1]; never the record layer's.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        self.selected_version.unwrap_or(self.legacy_version)
    }

    /// False for a suite of TLS 1.3 in an older version, or the other way round [RFC 8446 appendix B.4]. The drafts
    /// of TLS 1.3 began with the suites of TLS 1.2.
    fn is_suite_of_version(&self) -> bool {
        let Some(info) = self.cipher_suite.info() else { return true };
        let rank = self.version().rank();
        let is_draft = (TlsVersion::TLS12.rank() + 1..TlsVersion::TLS13.rank()).contains(&rank);
        is_draft || (info.key_exchange == KeyExchange::Tls13) == (rank >= TlsVersion::TLS13.rank())
    }

    /// True where nothing was chosen that the HelloRetryRequest before had chosen otherwise
    /// [RFC 8446 sections 4.1.4 and 4.2.8]. What is zero in it was not seen, or not there, as in drafts.
    fn keeps_to(&self, retry: &Self) -> bool {
        let is_same_version = retry.version() == TlsVersion::default() || retry.version() == self.version();
        let is_same_suite =
            retry.cipher_suite == CipherSuite::default() || retry.cipher_suite == self.cipher_suite;
        let is_same_group = match (retry.key_share, self.key_share) {
            (Some(asked), Some(chosen)) => asked == chosen,
            _ => true,
        };
        is_same_version && is_same_suite && is_same_group
    }
}

/// True where the client offered the version that was chosen, in the way it was: versions from 1.3 on, and no others,
/// are named in supported_versions of the answer, and only to a client that sent the extension
/// [RFC 8446 section 4.2.1]. Drafts of 1.3 were named in either place.
fn is_version_offered(client: &ClientHello, server: &ServerHello) -> bool {
    let rank = server.version().rank();
    if client.supported_versions.is_empty() {
        return server.selected_version.is_none()
            && client.max_version().is_none_or(|most| rank <= most.rank());
    }
    let is_named_rightly = match server.selected_version {
        Some(version) => version.rank() > TlsVersion::TLS12.rank(),
        None => rank < TlsVersion::TLS13.rank(),
    };
    is_named_rightly
        && client.max_version().is_some_and(|most| rank <= most.rank())
        && client.min_version().is_some_and(|least| rank >= least.rank())
}

closed_set! {
    /// How a session was resumed.
    Resumption {
        SessionId => "session_id",
        Ticket => "ticket",
        Psk => "psk",
    }
}

closed_set! {
    /// Whether a later theft of long-term keys opens this connection.
    ForwardSecrecy {
        Yes => "yes",
        No => "no",
        Unknown => "unknown",
    }
}

closed_set! {
    /// A sign that both sides could do better than was negotiated [RFC 8446 section 4.1.3, RFC 7507].
    Downgrade {
        SentinelTls12 => "sentinel_tls12",
        SentinelTls11 => "sentinel_tls11",
        FallbackScsv => "fallback_scsv",
    }
}

/// What ServerKeyExchange says in TLS 1.2 and older [RFC 5246 section 7.4.3, RFC 8422 section 5.4].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchangeFacts {
    /// Size of the prime p of finite-field Diffie-Hellman, in bits, and its RFC 7919 group if it is one.
    Dhe { bits: u32, group: Option<NamedGroup> },
    /// A named curve.
    Curve(NamedGroup),
    /// An explicit curve: the size of its field, in bits.
    ExplicitCurve { bits: u32 },
    /// Ephemeral RSA of the export suites.
    ExportRsa { bits: u32 },
}

impl KeyExchangeFacts {
    /// The named group, where it is one.
    #[must_use]
    pub const fn group(self) -> Option<NamedGroup> {
        match self {
            Self::Curve(group) => Some(group),
            Self::Dhe { group, .. } => group,
            Self::ExplicitCurve { .. } | Self::ExportRsa { .. } => None,
        }
    }
}

/// The most names of a certificate that answers are kept for: more than a service has, while a stranger's may carry a thousand.
const MAX_KEPT_NAMES: usize = 64;

/// The server's leaf certificate, TLS 1.2 and older (where it is in clear).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// RFC 4514 strings.
    pub subject: String,
    pub issuer: String,
    /// Common names of the subject (all of them) for name matching where there are no SANs.
    pub common_names: Vec<String>,
    /// The issuer's organisation, e.g. `Amazon`.
    pub issuer_organization: Option<String>,
    /// dNSName entries of subjectAltName.
    pub dns_names: Vec<String>,
    /// iPAddress entries of subjectAltName.
    pub ip_addresses: Vec<std::net::IpAddr>,
    pub not_before: Date,
    pub not_after: Date,
    /// Public key size: modulus bits for RSA and DSA, field bits for EC.
    pub key_bits: Option<u32>,
    pub is_self_signed: bool,
}

impl CertificateFacts {
    /// It takes so much memory that no answer is kept with it, but for sessions, which have a limit of their own.
    #[must_use]
    pub const fn is_large(&self) -> bool {
        self.common_names.len() + self.dns_names.len() + self.ip_addresses.len() > MAX_KEPT_NAMES
    }

    /// Bytes of memory that it takes, about, for the limits of those that keep it: a certificate may carry a thousand names.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let names = self.common_names.iter().chain(&self.dns_names);
        size_of::<Self>()
            + self.subject.capacity()
            + self.issuer.capacity()
            + self.issuer_organization.as_ref().map_or(0, String::capacity)
            + names.map(|name| size_of::<String>() + name.capacity()).sum::<usize>()
            + self.ip_addresses.capacity() * size_of::<std::net::IpAddr>()
    }
}

/// Everything seen in clear of one TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The first ClientHello (fingerprints are of this one). Where only the second one was seen, what they have in common.
    pub client_hello: Option<Hello<ClientHello>>,
    /// The second, after a HelloRetryRequest.
    pub second_client_hello: Option<Shared<ClientHello>>,
    pub hello_retry_request: Option<Shared<ServerHello>>,
    pub server_hello: Option<Hello<ServerHello>>,
    /// SSLv2 only: the kind the client chose in CLIENT-MASTER-KEY.
    pub ssl2_cipher_kind: Option<Ssl2CipherKind>,
    pub key_exchange: Option<KeyExchangeFacts>,
    /// The same of the full handshake that a resumed session continues, where that was seen.
    pub session_key_exchange: Option<KeyExchangeFacts>,
    /// Shared, because many connections show the same one.
    pub certificate: Option<Arc<CertificateFacts>>,
    /// That of the full handshake that a resumed session continues, where that was seen: who answered then still does.
    pub session_certificate: Option<Arc<CertificateFacts>>,
    /// The certificate message was seen but could not be read (counted by reason), or had to be there and was not.
    pub certificate_error: Option<&'static str>,
    /// TLS <= 1.2: `Some(true)` id echoed and ChangeCipherSpec before Certificate, ServerKeyExchange
    /// and ServerHelloDone, `Some(false)` one of these came first, `None` not decided.
    /// TLS 1.3: the server selected a PSK.
    pub resumed: Option<bool>,
    pub resumption: Option<Resumption>,
    /// The ticket the server gave out in clear, TLS <= 1.2.
    pub issued_ticket: Option<TicketDigest>,
    /// The server asked for a client certificate (TLS <= 1.2).
    pub client_certificate_requested: bool,
    /// The last fatal alert in clear and who sent it.
    pub alert: Option<(AlertDescription, AlertFrom)>,
    /// Both sides are seen to finish, or application data flows both ways.
    pub established: bool,
    /// Bytes of the handshake are missing (loss, snap length, limits): what is absent may have been there.
    pub is_truncated: bool,
    /// Some of them are the server's: its hello, where that is absent, may have been there.
    pub lacks_server_bytes: bool,
    /// Bytes are missing with which the handshake may have ended, be it well: how the connection ended tells nothing of
    /// the handshake.
    pub is_end_hidden: bool,
    /// Hellos that no two peers come to terms by, as two different ServerHellos, or one that answers another ClientHello: this
    /// is no one handshake. Of a record that was read back also whatever else [`TlsFacts::is_choice_offered`] had found.
    pub is_contradicted: bool,
    pub forward_secrecy: Option<ForwardSecrecy>,
    pub forward_secrecy_reason: Option<&'static str>,
    pub downgrade: Option<Downgrade>,
    pub ja3: Option<Arc<str>>,
    pub ja4: Option<Arc<str>>,
    pub ja3s: Option<Arc<str>>,
    /// Packet time of the first ClientHello byte and of the moment `established` was first true.
    pub client_hello_at: Option<Timestamp>,
    pub established_at: Option<Timestamp>,
}

closed_set! {
    /// Who sent an alert.
    AlertFrom {
        Client => "client",
        Server => "server",
    }
}

impl TlsFacts {
    /// Bytes of memory that it takes, about, as if it shared nothing.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let first = self.client_hello.as_ref().map(|hello| hello.kind.size_bytes());
        let second = self.second_client_hello.as_ref().map(|hello| hello.size_bytes());
        let answers =
            [self.server_hello.as_ref().map(|hello| &hello.kind), self.hello_retry_request.as_ref()];
        let certificates = [&self.certificate, &self.session_certificate].into_iter().flatten();
        size_of::<Self>()
            + [first, second].into_iter().flatten().sum::<usize>()
            + answers.into_iter().flatten().map(|hello| hello.size_bytes()).sum::<usize>()
            + certificates.map(|certificate| certificate.held_bytes()).sum::<usize>()
    }

    /// The negotiated version, from the ServerHello.
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        self.server_hello.as_ref().map(|hello| hello.version())
    }

    /// The negotiated suite (absent for SSLv2, which has kinds of its own).
    #[must_use]
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.server_hello.as_ref().filter(|hello| !hello.is_ssl2_form).map(|hello| hello.cipher_suite)
    }

    /// False where the server chose what the client did not offer, or what cannot be chosen together. Clients abort
    /// that [RFC 8446 sections 4.1.3, 4.1.4 and 4.2], so the two hellos are hardly of one handshake, and what they say
    /// together is no proof. True where it cannot be told.
    #[must_use]
    pub fn is_choice_offered(&self) -> bool {
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else { return true };
        if client.is_truncated || server.is_truncated || server.is_ssl2_form {
            return true;
        }
        let is_suite_offered =
            client.cipher_suites.is_empty() || client.cipher_suites.contains(&server.cipher_suite);
        // Not to compress is on every list [RFC 5246 section 7.4.1.2].
        let is_compression_offered = server.compression_method == CompressionMethod::NULL
            || client.compression_methods.is_empty()
            || client.compression_methods.contains(&server.compression_method);
        let is_group_offered = server.key_share.is_none_or(|group| {
            // The second hello sends what the first only has; either may be missing, and so may have been what asked for it.
            let may_be_of_second = match &self.second_client_hello {
                Some(second) => second.is_truncated || second.key_shares.contains(&group),
                None => self.hello_retry_request.is_some(),
            } || self.lacks_server_bytes && self.hello_retry_request.is_none();
            client.key_shares.is_empty()
                || client.key_shares.contains(&group)
                || may_be_of_second && client.may_have(group)
        });
        let is_curve_offered = match self.key_exchange {
            Some(KeyExchangeFacts::Curve(group)) => client.may_have(group),
            _ => true,
        };
        // With ECH the tickets are in the hello inside [RFC 9849 section 6.1.2].
        let is_psk_offered = client.offers_psk || client.has_ech || !server.selected_psk;
        !self.is_contradicted
            && !client.has_two_names
            && is_version_offered(client, server)
            && is_suite_offered
            && is_compression_offered
            && is_group_offered
            && is_curve_offered
            && is_psk_offered
            && server.is_suite_of_version()
            && self
                .hello_retry_request
                .as_deref()
                .is_none_or(|retry| server.keeps_to(retry) && self.is_retry_offered(client, retry))
    }

    /// False for a HelloRetryRequest that asks for a group that the client does not have, or has sent a share of already,
    /// and for an answer to it that names another server [RFC 8446 sections 4.1.2 and 4.2.8].
    fn is_retry_offered(&self, client: &ClientHello, retry: &ServerHello) -> bool {
        let is_group_offered =
            retry.key_share.is_none_or(|group| client.may_have(group) && !client.key_shares.contains(&group));
        let is_same_name = self
            .second_client_hello
            .as_deref()
            .is_none_or(|second| second.is_truncated || second.server_name == client.server_name);
        is_group_offered && is_same_name
    }

    /// Whether an Encrypted Client Hello is beside the server name. A second hello has it where the first one had
    /// [RFC 8446 section 4.1.2].
    #[must_use]
    pub fn encrypted_hello(&self) -> EncryptedHello {
        let of_first = self.client_hello.as_ref().map(|hello| hello.encrypted_hello()).unwrap_or_default();
        match (of_first, &self.second_client_hello) {
            (EncryptedHello::NotSeen, Some(second)) => second.encrypted_hello(),
            _ => of_first,
        }
    }

    /// The certificate of who answers: that shown here, or in the handshake that this one resumes.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&CertificateFacts> {
        self.certificate.as_deref().or(self.session_certificate.as_deref())
    }

    /// The group of the key exchange: key_share in TLS 1.3, ServerKeyExchange before.
    #[must_use]
    pub fn group(&self) -> Option<NamedGroup> {
        if let Some(share) = self.server_hello.as_ref().and_then(|hello| hello.key_share) {
            return Some(share);
        }
        self.key_exchange?.group()
    }

    /// The server name, or why there is none.
    #[must_use]
    pub fn sni(&self) -> Sni<'_> {
        match &self.client_hello {
            None => Sni::NotSeen,
            Some(hello) => hello.sni(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_counts_what_allocations_take() {
        let alpn = vec![vec![b'a']; 1_000];
        let size = ClientHello { alpn, ..ClientHello::default() }.size_bytes();
        // Each name is a list of its own, and no allocation takes less than 32 bytes.
        assert_eq!(
            size - ClientHello::default().size_bytes(),
            1_000 * 32 + (1_000 * size_of::<Vec<u8>>() + 16)
        );
        assert_eq!([0, 1, 24, 25, 40, 41].map(allocated_bytes), [0, 32, 32, 48, 48, 64]);
    }
}
