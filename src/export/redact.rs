//! Account ids out of records: each becomes `account-1`, `account-2` … or a keyed hash.
//!
//! An account id is any run of exactly twelve digits that is no part of a longer number or of a hexadecimal word (of 16 signs
//! at least, with other digits beside the run, as hashes and ids of resources have them), and any three groups of four as
//! consoles write them (`1234-5678-9012`) that are no part of a longer number or of a UUID. It is looked for in the text as it
//! stands and as it is without what URLs, names and certificates escape, and with the values that a certificate's name has in
//! hexadecimal form. Where a text is cut, a number that the cut may have made shorter is left out. Fingerprints, addresses,
//! ports and times are no text a stranger writes freely and stay. A file or interface name keeps twelve digits that read as a date
//! and time (`202611231000`), unless they were met as an account id: captures are named so.

mod id;
mod word;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

pub(crate) use self::id::may_stand_for;
use self::id::{Found, Search, has_id, is_date, may_have_run};
pub use self::word::{Numbers, numbers_of};
use crate::model::{CertificateFacts, ClientHello, EndpointFacts, Record, ServerHello, Shared};
use crate::telemetry::Accounts;

/// The most accounts that are told apart, about 5 MB: more than any organisation has, and the
/// names on the wire are chosen by strangers. All further ones become [`word::OTHER`].
const MAX_ACCOUNTS: usize = 65_536;

/// Kinds of hellos, endpoints, and texts, of which it is remembered what became of them; a site has a few dozen.
const MAX_REMEMBERED: usize = 256;

/// What becomes of account ids.
#[derive(Clone, PartialEq, Eq)]
pub enum Redaction {
    /// They stay.
    Off,
    /// `account-1`, `account-2` … by first appearance.
    Numbered,
    /// HMAC-SHA256 with this key, 12 hexadecimal digits: the same in every run.
    Keyed(Vec<u8>),
}

/// The key is a secret: it is never shown.
impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Numbered => "Numbered",
            Self::Keyed(_) => "Keyed(…)",
        })
    }
}

/// Replaces account ids, the same one always by the same word.
pub struct Redactor {
    mode: Redaction,
    aliases: HashMap<String, String, RandomState>,
    numbers: Numbers,
    /// The last source name and what it became, because most records share it.
    source: Option<(Arc<str>, Arc<str>)>,
    /// The last certificate without account ids, because most connections show the same.
    clean_certificate: Option<Arc<CertificateFacts>>,
    hellos: Remembered<Shared<ClientHello>>,
    endpoints: Remembered<Shared<EndpointFacts>>,
    texts: Remembered<Arc<str>>,
}

/// What became of values that records share, by where those are in memory: each is held, so that nothing else comes there.
struct Remembered<T>(HashMap<usize, (T, T), RandomState>);

impl<T> Remembered<T> {
    fn get(&self, address: usize) -> Option<&T> {
        self.0.get(&address).map(|(_, became)| became)
    }

    fn keep(&mut self, address: usize, original: T, became: T) {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(address, (original, became));
    }
}

impl Redactor {
    /// A redactor that has met no account yet.
    #[must_use]
    pub fn new(mode: Redaction) -> Self {
        Self {
            mode,
            aliases: HashMap::default(),
            numbers: Numbers::default(),
            source: None,
            clean_certificate: None,
            hellos: Remembered(HashMap::default()),
            endpoints: Remembered(HashMap::default()),
            texts: Remembered(HashMap::default()),
        }
    }

    /// These stand for accounts already: others get other ones.
    pub fn keep_numbers(&mut self, numbers: &Numbers) {
        self.numbers.take_all(numbers);
    }

    /// The same for all words in a text that was redacted before; true where it has some.
    pub fn keep_numbers_of(&mut self, text: &[u8]) -> bool {
        self.mode == Redaction::Numbered && self.numbers.take_of(text, true)
    }

    /// The numbers that stand for accounts.
    #[must_use]
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// True where a word stands for an account that was met.
    #[must_use]
    pub fn has_replaced(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Replaces the account ids in every string of `record`, in the order in which its keys are written.
    pub fn apply(&mut self, record: &mut Record) {
        if self.mode == Redaction::Off {
            return;
        }
        if has_id(&record.source) {
            record.source = self.source_name(&record.source);
        }
        for sighting in &mut record.sightings {
            if let Some(interface) = &mut sighting.interface
                && has_id(interface)
            {
                *interface = Arc::from(self.name(interface).as_ref());
            }
        }
        if let Some(tls) = record.tls.as_deref_mut() {
            if let Some(hello) = &mut tls.client_hello {
                self.client_hello(&mut hello.kind);
            }
            if let Some(hello) = &mut tls.second_client_hello {
                self.client_hello(hello);
            }
            if let Some(hello) = &mut tls.server_hello {
                self.server_hello(&mut hello.kind);
            }
            if let Some(hello) = &mut tls.hello_retry_request {
                self.server_hello(hello);
            }
            // That of a session is in no record, but judged with the name that the client asked for.
            for certificate in [&mut tls.certificate, &mut tls.session_certificate].into_iter().flatten() {
                self.certificate(certificate);
            }
        }
        if let Some(http) = record.http.as_deref_mut() {
            for text in [
                &mut http.method,
                &mut http.host,
                &mut http.target,
                &mut http.scope_region,
                &mut http.scope_service,
                &mut http.sdk,
            ] {
                self.optional(text);
            }
            let later = [&mut http.later.unsigned, &mut http.later.long_term];
            for request in later.into_iter().flatten() {
                self.optional(&mut request.host);
                self.optional(&mut request.target);
            }
        }
        if let Some(proxy) = &mut record.proxy {
            self.optional(&mut proxy.target);
        }
        self.endpoint(&mut record.endpoint);
        self.optional(&mut record.path.name);
        record.path.open_rules.iter_mut().for_each(|name| self.string(name));
        if let Some(host) = record.host.as_deref_mut() {
            for name in [&mut host.process, &mut host.unit].into_iter().flatten() {
                if has_id(name) {
                    *name = Arc::from(self.replace(name, false).as_ref());
                }
            }
        }
        if let Some(policy) = &mut record.policy {
            self.shared(&mut policy.profile);
            for violation in &mut policy.violations {
                self.shared(&mut violation.offending);
                self.string(&mut violation.message);
                self.shared(&mut violation.remedy);
            }
        }
    }

    fn client_hello(&mut self, hello: &mut Shared<ClientHello>) {
        if let Some(known) = self.hellos.get(hello.address()) {
            if known.address() != hello.address() {
                *hello = known.clone();
            }
            return;
        }
        let original = hello.is_shared().then(|| hello.clone());
        let is_clean = hello.server_name.as_ref().is_none_or(|name| !has_id(name))
            && hello.alpn.iter().all(|name| !may_have_run(name));
        if !is_clean {
            let hello: &mut ClientHello = hello;
            self.optional(&mut hello.server_name);
            hello.alpn.iter_mut().for_each(|name| self.bytes(name));
        }
        if let Some(original) = original {
            self.hellos.keep(original.address(), original, hello.clone());
        }
    }

    fn endpoint(&mut self, endpoint: &mut Shared<EndpointFacts>) {
        if let Some(known) = self.endpoints.get(endpoint.address()) {
            if known.address() != endpoint.address() {
                *endpoint = known.clone();
            }
            return;
        }
        if let Some(number) = endpoint.account_id.as_deref().and_then(word::number) {
            self.numbers.take(number);
        }
        let original = endpoint.is_shared().then(|| endpoint.clone());
        let texts = [&endpoint.host, &endpoint.region, &endpoint.partition, &endpoint.prefix_region];
        let is_clean = endpoint.account_id.is_none()
            && texts.into_iter().flatten().chain(&endpoint.conflict).all(|text| !has_id(text));
        if !is_clean {
            let endpoint: &mut EndpointFacts = endpoint;
            self.optional(&mut endpoint.host);
            self.optional(&mut endpoint.region);
            self.optional(&mut endpoint.partition);
            self.optional(&mut endpoint.prefix_region);
            // What stands for an id already stays: it is what other texts of the record have.
            self.optional(&mut endpoint.account_id);
            endpoint.conflict.iter_mut().for_each(|text| self.string(text));
        }
        if let Some(original) = original {
            self.endpoints.keep(original.address(), original, endpoint.clone());
        }
    }

    fn server_hello(&mut self, hello: &mut Shared<ServerHello>) {
        if let Some(name) = &hello.alpn
            && may_have_run(name)
            && let Some(name) = &mut hello.alpn
        {
            self.bytes(name);
        }
    }

    fn certificate(&mut self, certificate: &mut Arc<CertificateFacts>) {
        if self.clean_certificate.as_ref().is_some_and(|clean| Arc::ptr_eq(clean, certificate)) {
            return;
        }
        let texts = [&certificate.subject, &certificate.issuer];
        let lists = [&certificate.common_names, &certificate.dns_names];
        let all =
            texts.into_iter().chain(&certificate.issuer_organization).chain(lists.into_iter().flatten());
        if all.into_iter().all(|text| !has_id(text)) {
            self.clean_certificate = Some(Arc::clone(certificate));
            return;
        }
        let certificate = Arc::make_mut(certificate);
        self.string(&mut certificate.subject);
        self.string(&mut certificate.issuer);
        self.optional(&mut certificate.issuer_organization);
        certificate.common_names.iter_mut().for_each(|name| self.string(name));
        certificate.dns_names.iter_mut().for_each(|name| self.string(name));
    }

    /// Replaces the account ids in the names of interfaces and files.
    pub fn apply_accounts(&mut self, accounts: &mut Accounts) {
        if self.mode == Redaction::Off {
            return;
        }
        for (name, counts) in std::mem::take(&mut accounts.interfaces) {
            let name = self.name(&name).into_owned();
            accounts.interfaces.entry(name).or_default().add(&counts);
        }
        for ((name, stage, reason), count) in std::mem::take(&mut accounts.dropped) {
            let name = self.name(&name).into_owned();
            *accounts.dropped.entry((name, stage, reason)).or_default() += count;
        }
        let files = accounts.damage.iter_mut().map(|note| &mut note.file);
        for file in files.chain(&mut accounts.files_passed_over) {
            *file = self.name(file).into_owned();
        }
    }

    /// `text` with its account ids replaced.
    pub fn text<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if self.mode == Redaction::Off { Cow::Borrowed(text) } else { self.replace(text, false) }
    }

    /// A file or interface name with its account ids replaced.
    pub fn name<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        if self.mode == Redaction::Off { Cow::Borrowed(name) } else { self.replace(name, true) }
    }

    fn source_name(&mut self, source: &Arc<str>) -> Arc<str> {
        // A date may turn out to be an account later, so only names without any run are kept.
        if let Some((from, to)) = &self.source
            && Arc::ptr_eq(from, source)
            && !has_id(to)
        {
            return Arc::clone(to);
        }
        let replaced: Arc<str> = Arc::from(self.name(source).as_ref());
        self.source = Some((Arc::clone(source), Arc::clone(&replaced)));
        replaced
    }

    fn optional(&mut self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.string(text);
        }
    }

    /// A text that other records may share.
    fn shared(&mut self, text: &mut Arc<str>) {
        let address = Arc::as_ptr(text).addr();
        if let Some(known) = self.texts.get(address) {
            if !Arc::ptr_eq(known, text) {
                *text = Arc::clone(known);
            }
            return;
        }
        let original = (Arc::strong_count(text) > 1).then(|| Arc::clone(text));
        if let Cow::Owned(replaced) = self.replace(text, false) {
            *text = replaced.into();
        }
        if let Some(original) = original {
            self.texts.keep(address, original, Arc::clone(text));
        }
    }

    fn string(&mut self, text: &mut String) {
        if let Cow::Owned(replaced) = self.replace(text, false) {
            *text = replaced;
        }
    }

    fn bytes(&mut self, bytes: &mut Vec<u8>) {
        // What is not UTF-8 is read byte by byte, so that a broken byte hides nothing.
        let replaced = match std::str::from_utf8(bytes) {
            Ok(text) => match self.replace(text, false) {
                Cow::Borrowed(_) => return,
                Cow::Owned(replaced) => replaced.into_bytes(),
            },
            Err(_) => {
                let mut out = Vec::with_capacity(bytes.len());
                for chunk in bytes.utf8_chunks() {
                    out.extend_from_slice(self.replace(chunk.valid(), false).as_bytes());
                    out.extend_from_slice(chunk.invalid());
                }
                out
            }
        };
        *bytes = replaced;
    }

    fn replace<'a>(&mut self, text: &'a str, keeps_dates: bool) -> Cow<'a, str> {
        let mut out = String::new();
        let (mut copied, mut from) = (0, 0);
        let search = Search::of(text);
        while let Some(Found { place: Range { start, end }, digits }) = search.next(from) {
            let before = text.get(copied..start).unwrap_or_default();
            let id = &*digits;
            from = end;
            if keeps_dates && is_date(id) && !self.aliases.contains_key(id) {
                continue;
            }
            out.push_str(before);
            out.push_str(&self.alias(id));
            copied = end;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// The word that stands for an account.
    fn alias(&mut self, id: &str) -> String {
        if let Some(alias) = self.aliases.get(id) {
            return alias.clone();
        }
        let alias = match &self.mode {
            Redaction::Off => return id.to_owned(),
            Redaction::Keyed(key) => word::keyed(key, id),
            Redaction::Numbered if self.aliases.len() >= MAX_ACCOUNTS => return word::OTHER.to_owned(),
            Redaction::Numbered => self.numbers.give().map_or_else(|| word::OTHER.to_owned(), word::numbered),
        };
        if self.aliases.len() < MAX_ACCOUNTS {
            self.aliases.insert(id.to_owned(), alias.clone());
        }
        alias
    }
}

#[cfg(test)]
mod tests;
