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

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub(crate) use self::id::may_stand_for;
use self::id::{Found, Search, has_id, is_date, may_have_run};
use crate::model::{CertificateFacts, ClientHello, EndpointFacts, Record, ServerHello, Shared};
use crate::telemetry::Accounts;

/// The most accounts that are told apart, about 5 MB: more than any organisation has, and the
/// names on the wire are chosen by strangers. All further ones become [`OTHER`].
const MAX_ACCOUNTS: usize = 65_536;

/// Kinds of hellos, endpoints, and texts, of which it is remembered what became of them; a site has a few dozen.
const MAX_REMEMBERED: usize = 256;

/// What stands for every account beyond the limit.
const OTHER: &str = "account-other";

/// Bytes of the keyed hash that are shown, as two hexadecimal digits each.
const SHOWN_HASH_BYTES: usize = 6;

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
    /// The last source name and what it became, because most records share it.
    source: Option<(Arc<str>, Arc<str>)>,
    /// The last certificate without account ids, because most connections show the same.
    clean_certificate: Option<Arc<CertificateFacts>>,
    /// Hellos met, by where they are in memory, and what became of them.
    hellos: HashMap<usize, (Shared<ClientHello>, Shared<ClientHello>), RandomState>,
    /// The same of endpoints.
    endpoints: HashMap<usize, (Shared<EndpointFacts>, Shared<EndpointFacts>), RandomState>,
    /// The same of texts.
    texts: HashMap<usize, (Arc<str>, Arc<str>), RandomState>,
}

impl Redactor {
    /// A redactor that has met no account yet.
    #[must_use]
    pub fn new(mode: Redaction) -> Self {
        Self {
            mode,
            aliases: HashMap::default(),
            source: None,
            clean_certificate: None,
            hellos: HashMap::default(),
            endpoints: HashMap::default(),
            texts: HashMap::default(),
        }
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
        if let Some((_, known)) = self.hellos.get(&hello.address()) {
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
            if self.hellos.len() >= MAX_REMEMBERED {
                self.hellos.clear();
            }
            self.hellos.insert(original.address(), (original, hello.clone()));
        }
    }

    fn endpoint(&mut self, endpoint: &mut Shared<EndpointFacts>) {
        if let Some((_, known)) = self.endpoints.get(&endpoint.address()) {
            if known.address() != endpoint.address() {
                *endpoint = known.clone();
            }
            return;
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
            if self.endpoints.len() >= MAX_REMEMBERED {
                self.endpoints.clear();
            }
            self.endpoints.insert(original.address(), (original, endpoint.clone()));
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
        if let Some((_, known)) = self.texts.get(&address) {
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
            if self.texts.len() >= MAX_REMEMBERED {
                self.texts.clear();
            }
            self.texts.insert(address, (original, Arc::clone(text)));
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
            Redaction::Keyed(key) => keyed(key, id),
            Redaction::Numbered if self.aliases.len() >= MAX_ACCOUNTS => return OTHER.to_owned(),
            Redaction::Numbered => format!("account-{}", self.aliases.len() + 1),
        };
        if self.aliases.len() < MAX_ACCOUNTS {
            self.aliases.insert(id.to_owned(), alias.clone());
        }
        alias
    }
}

/// The keyed hash of an id. One in some 280 is of digits alone: it would be taken for an account id where what was
/// redacted is redacted again, so that the id with one more sign behind it stands for it, until there is a letter.
fn keyed(key: &[u8], id: &str) -> String {
    let mut input = id.as_bytes().to_vec();
    loop {
        // HMAC takes a key of any length; the type cannot say so.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return OTHER.to_owned() };
        mac.update(&input);
        let hash = mac.finalize().into_bytes();
        let alias: String = hash.iter().take(SHOWN_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        if !alias.bytes().all(|byte| byte.is_ascii_digit()) {
            return alias;
        }
        input.push(b'+');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::id::find_run;
    use super::*;
    use crate::export::{jsonl::write_record, sample};
    use crate::model::LaterRequest;

    fn redacted(text: &str) -> String {
        Redactor::new(Redaction::Numbered).text(text).into_owned()
    }

    fn line(record: &Record) -> String {
        let mut out = Vec::new();
        write_record(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_accounts_by_first_appearance() {
        let mut redactor = Redactor::new(Redaction::Numbered);
        assert_eq!(redactor.text("222222222222.ddb"), "account-1.ddb");
        assert_eq!(redactor.text("111111111111:222222222222"), "account-2:account-1");
    }

    #[test]
    fn keeps_what_is_no_account() {
        for text in [
            "",
            "vpce-0123456789abcdef0",
            "vpce-0123456789abcdef0-abcdefgh.dynamodb.us-east-1.vpce.amazonaws.com",
            "12345678901",
            "1234567890123",
            "0a123456789012bc",
            "vpce-0abc123456789012d",
            "vpce-012345678901abcde",
            "d41d8cd98f00b204e9800998ecf8427e a123456789012345 9e107d9d123456789012e4298dfe51a3",
            "2026-11-23T10:00:00.123456789Z",
            "192.0.2.10:443",
            "0.123456789012345",
            "é12345678901",
            "x00123456789012",
            "\\xa123456789012",
            "1234-5678-90123",
            "550e8400-1234-4678-9012-44665544000a",
            "550e8400-e29b-1234-5678-90125544000a",
            "00001234-5678-9012-a29b-44665544000a 1234-1234-5678-9012-1234",
            "CN=#3132333435363738393031 CN=#31323334353637383930313233",
            "\\xa123456789012b",
            "%a123456789",
            "1234-5678-901",
            "\\x000123456789012",
            "\\y00123456789012",
            "OU=a\\0912345-6789-0123 %20550e8400-1234-4678-9012-44665544000a",
            "#31323334352D363738392D30313233",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn finds_accounts_wherever_they_stand() {
        for (text, expected) in [
            ("123456789012", "account-1"),
            ("-123456789012-", "-account-1-"),
            ("1 123456789012", "1 account-1"),
            ("acct123456789012", "acctaccount-1"),
            ("123456789012x.ddb", "account-1x.ddb"),
            ("acc999900001111.pcap", "accaccount-1.pcap"),
            ("db131313131313.corp.example", "dbaccount-1.corp.example"),
            ("cafe999900001111 a123456789012", "cafeaccount-1 aaccount-2"),
            ("123456789012a e2e999900001111", "account-1a e2eaccount-2"),
            ("012345678901abcde", "account-1abcde"),
            ("1234-5678-9012.ddb 123456789012", "account-1.ddb account-1"),
            ("1234-1234-5678-9012 9876-5432-1098", "1234-1234-5678-9012 account-1"),
            ("12345678901 123456789012", "12345678901 account-1"),
            ("arn:aws:iam::123456789012:role/x", "arn:aws:iam::account-1:role/x"),
            ("ü123456789012ü", "üaccount-1ü"),
            ("\\x1b123456789012", "\\x1baccount-1"),
            ("\\xb1123456789012", "\\xb1account-1"),
            ("\\x00123456789012", "\\x00account-1"),
            ("OU=a\\0A123456789012", "OU=a\\0Aaccount-1"),
            ("OU=a\\A1123456789012", "OU=a\\A1account-1"),
            ("OU=a\\01123456789012", "OU=a\\01account-1"),
            ("OU=a\\\\123456789012", "OU=a\\\\account-1"),
            ("O=Team\\,123456789012abc", "O=Team\\,account-1abc"),
            ("CN=prod\\+123456789012x", "CN=prod\\+account-1x"),
            ("\\x00123456789012z", "\\x00account-1z"),
            ("\\01123456789012z", "\\01account-1z"),
            ("\\1B123456789012abc \\xb1123456789012z", "\\1Baccount-1abc \\xb1account-1z"),
            ("%20123456789012 %2F123456789012%20", "%20account-1 %2Faccount-1%20"),
            ("%0a123456789012.%1123456789012x", "%0aaccount-1.%1123456789012x"),
            ("x-1234-5678-9012.pcap", "x-account-1.pcap"),
            ("acct1234-5678-9012a -1234-5678-9012-", "acctaccount-1a -account-1-"),
            ("20261127-1234-5678-9012", "20261127-account-1"),
            ("CN=#0c313233343536373839303132+O=#313233343536373839303132", "CN=#0caccount-1+O=#account-1"),
            ("x_123456789012.", "x_account-1."),
            // Whatever stands in front of it is escaped, and in whatever form it is written itself.
            ("OU=a\\091234-5678-9012", "OU=a\\09account-1"),
            ("a%203234-5678-9012 \\x001234-5678-9012a", "a%20account-1 \\x00account-2a"),
            ("O=#0c0e313233342D353637382D39303132", "O=#0c0eaccount-1"),
            ("O=#253230313233343536373839303132", "O=#253230account-1"),
            ("%31%32%33%34%35%36%37%38%39%30%31%32", "account-1"),
            ("%123456789012 #123456789012 \\123456789012", "%account-1 #account-1 \\account-1"),
            ("1234567890123 987654321098", "1234567890123 account-1"),
        ] {
            assert_eq!(redacted(text), expected, "{text}");
        }
    }

    #[test]
    fn hashes_with_a_key() {
        // HMAC-SHA256("key", "The quick brown fox …") is a published vector; here its beginning.
        assert_eq!(keyed(b"key", "The quick brown fox jumps over the lazy dog"), "f7bc83f43053");
        let mut redactor = Redactor::new(Redaction::Keyed(b"secret".to_vec()));
        let first = redactor.text("123456789012").into_owned();
        assert_eq!(first.len(), 12);
        assert_eq!(Redactor::new(Redaction::Keyed(b"secret".to_vec())).text("123456789012"), first);
        assert_ne!(Redactor::new(Redaction::Keyed(b"other".to_vec())).text("123456789012"), first);
        assert!(!format!("{:?}", Redaction::Keyed(b"secret".to_vec())).contains("secret"));
    }

    /// What was redacted is read again by `report`, perhaps with the same key.
    #[test]
    fn leaves_what_stands_for_an_account() {
        // The plain hash of the second one is 331638336958.
        let key = b"SECRETKEYSECRETKEYSECRETKEYSECRETKEY";
        let mut redactor = Redactor::new(Redaction::Keyed(key.to_vec()));
        for id in ["100000000001", "100000000424", "100000000999"] {
            let once = redactor.text(id).into_owned();
            assert_ne!(once, id);
            assert_eq!(redactor.text(&once), once);
        }
    }

    #[test]
    fn keeps_fingerprints_ports_times_and_addresses() {
        for mut record in sample::all().into_iter().filter(|record| record.endpoint.account_id.is_none()) {
            let before = line(&record);
            Redactor::new(Redaction::Numbered).apply(&mut record);
            assert_eq!(line(&record), before);
        }
    }

    #[test]
    fn hides_accounts_in_names_of_processes_and_units() {
        let mut record = sample::tls12();
        record.host = Some(Box::new(crate::model::HostFacts {
            process: Some(Arc::from("job-123456789012")),
            unit: Some(Arc::from("orders@123456789012.service")),
            ..Default::default()
        }));
        Redactor::new(Redaction::Numbered).apply(&mut record);
        let host = record.host.unwrap();
        assert_eq!(host.process.as_deref(), Some("job-account-1"));
        assert_eq!(host.unit.as_deref(), Some("orders@account-1.service"));
    }

    #[test]
    fn names_captures_by_date_but_not_by_account() {
        let mut record = sample::account();
        record.source = Arc::from("dump-202611231000-123456789012.pcap");
        let mut redactor = Redactor::new(Redaction::Numbered);
        redactor.apply(&mut record);
        assert_eq!(&*record.source, "dump-202611231000-account-1.pcap");
        redactor.text("202611231000");
        record.source = Arc::from("dump-202611231000.pcap");
        redactor.apply(&mut record);
        assert_eq!(&*record.source, "dump-account-2.pcap");
    }

    /// What a resumed session showed before is judged with the name that is asked for now.
    #[test]
    fn hides_accounts_in_the_certificate_of_a_session() {
        let mut record = sample::account();
        let name = "123456789012.ddb.eu-central-1.amazonaws.com";
        let tls = record.tls.as_mut().unwrap();
        tls.client_hello.as_mut().unwrap().server_name = Some(name.to_owned());
        let mut shown = (**sample::tls12().tls.unwrap().certificate.as_ref().unwrap()).clone();
        shown.dns_names = vec![name.to_owned()];
        (tls.certificate, tls.session_certificate) = (None, Some(Arc::new(shown)));
        Redactor::new(Redaction::Numbered).apply(&mut record);
        let facts = crate::policy::evaluate(&record, &crate::policy::Options::default());
        assert!(facts.violations.iter().all(|found| found.rule != "certificate_name_mismatch"), "{facts:?}");
    }

    #[test]
    fn does_nothing_when_off() {
        let mut record = sample::account();
        Redactor::new(Redaction::Off).apply(&mut record);
        assert_eq!(record, sample::account());
    }

    #[test]
    fn is_bounded() {
        let mut redactor = Redactor::new(Redaction::Numbered);
        for number in 0..=MAX_ACCOUNTS {
            let alias = redactor.text(&format!("{number:012}")).into_owned();
            assert_eq!(alias == OTHER, number == MAX_ACCOUNTS);
        }
        assert_eq!(redactor.text("000000000000"), "account-1");
    }

    /// Puts a text into every string of a record that somebody else may have chosen.
    fn fill(record: &mut Record, text: &str) {
        record.source = Arc::from(text);
        for sighting in &mut record.sightings {
            sighting.interface = Some(Arc::from(text));
        }
        if let Some(tls) = &mut record.tls {
            let hello = tls.client_hello.get_or_insert_default();
            hello.server_name = Some(text.into());
            hello.alpn = vec![text.into(), [b"\xff", text.as_bytes()].concat()];
            tls.server_hello.get_or_insert_default().alpn = Some(text.into());
            if let Some(certificate) = &mut tls.certificate {
                let certificate = Arc::make_mut(certificate);
                certificate.subject = format!("CN={text}");
                certificate.issuer = format!("CN={text},O={text}");
                certificate.dns_names = vec![text.into(); 2];
            }
        }
        if let Some(http) = &mut record.http {
            let all = [&mut http.method, &mut http.host, &mut http.target, &mut http.scope_region];
            for field in all.into_iter().chain([&mut http.scope_service, &mut http.sdk]) {
                *field = Some(text.into());
            }
            let later = LaterRequest { host: Some(text.into()), target: Some(text.into()) };
            (http.later.unsigned, http.later.long_term) = (Some(later.clone()), Some(later));
        }
        if let Some(proxy) = &mut record.proxy {
            proxy.target = Some(format!("{text}:443"));
        }
        record.endpoint.host = Some(text.into());
        record.endpoint.region = Some(text.into());
        record.endpoint.partition = Some(text.into());
        record.endpoint.conflict = vec![format!("{text} is not {text}")];
        record.path.name = Some(text.into());
        record.path.open_rules = vec![text.into()];
        if let Some(policy) = &mut record.policy {
            policy.profile = text.into();
            for violation in &mut policy.violations {
                violation.offending = text.into();
                violation.message = format!("The name {text}.");
                violation.remedy = format!("Not {text}!").into();
            }
        }
    }

    proptest! {
        #[test]
        fn lets_no_account_through(id in "[3-9][0-9]{11}", left in "[a-z.:/_ -]*", right in "[a-z.:/_ -]*",
            which in 0..9_usize, has_key in any::<bool>())
        {
            let mut record = sample::all().swap_remove(which);
            if let Some(tls) = &mut record.tls {
                tls.ja4 = None;
            }
            record.endpoint.account_id = Some(id.clone());
            fill(&mut record, &format!("{left}{id}{right}"));
            prop_assert!(line(&record).contains(&id));
            let mode = if has_key { Redaction::Keyed(b"key".to_vec()) } else { Redaction::Numbered };
            Redactor::new(mode).apply(&mut record);
            let text = line(&record);
            prop_assert!(!text.contains(&id), "{}", text);
            // Messages are made of it, too.
            let http = format!("{:?}", record.http);
            prop_assert!(!http.contains(&id), "{}", http);
        }

        #[test]
        fn finds_every_run_a_plain_search_finds(text in "[0-9a-z. ]{0,60}") {
            let bytes = text.as_bytes();
            let plain = (0..bytes.len()).find(|start| {
                let end = start + 12;
                end <= bytes.len()
                    && bytes[*start..end].iter().all(u8::is_ascii_digit)
                    && (*start == 0 || !bytes[start - 1].is_ascii_alphanumeric())
                    && (end == bytes.len() || !bytes[end].is_ascii_alphanumeric())
            });
            prop_assert_eq!(find_run(text.as_bytes(), 0), plain);
        }

        #[test]
        fn finds_runs_among_digits(text in "([0-9]{10,14}[. a]){0,6}") {
            // A word with several runs is a hexadecimal one.
            let is_id = |word: &&str| word.trim_end_matches('a').len() == 12 && !word.trim_end_matches('a').contains('a');
            let expected = text.split(['.', ' ']).filter(is_id).count();
            let (mut found, mut from) = (0, 0);
            while let Some(start) = find_run(text.as_bytes(), from) {
                found += 1;
                from = start + 12;
            }
            prop_assert_eq!(found, expected);
        }
    }
}
