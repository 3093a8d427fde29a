//! JSON Lines: one object per flow and line, flat dotted keys in the order of [`Key`].

use std::hash::Hash;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Sink;
use super::fields::{Fields, Text, visit, visit_endpoint, visit_path, visit_tls};
use super::schema::Key;
use crate::model::{EndpointFacts, Layer, PathFacts, Record, Shared, Sighting, TlsFacts, TlsKind, Violation};
use crate::telemetry::Accounts;

/// Bytes gathered before they are written: large enough to make few calls, small enough to follow.
const CHUNK_BYTES: usize = 256 * 1024;

/// Kinds of connections, endpoints and strings whose text is kept, each: a site has a few dozen. Some 2 MB
/// when full of usual ones.
const MAX_KEPT: usize = 512;

/// The longest text that is kept: usual ones have 2,000 bytes, and what strangers make longer must not stay.
const MAX_KEPT_BYTES: usize = 8_192;

/// Writes records as JSON Lines.
pub struct Jsonl<W> {
    output: W,
    buffer: Vec<u8>,
    kept: Kept,
}

impl<W: Write> Jsonl<W> {
    /// Writes to `output`, in chunks; no further buffer is needed around it.
    pub fn new(output: W) -> Self {
        Self { output, buffer: Vec::with_capacity(CHUNK_BYTES + 16_384), kept: Kept::default() }
    }

    /// Writes out what is gathered, for a reader who follows the file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        self.output.flush()
    }

    /// The output; what is gathered and not flushed is lost.
    pub fn into_inner(self) -> W {
        self.output
    }
}

impl<W: Write> Sink for Jsonl<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        write_with(record, &mut self.buffer, &mut self.kept);
        if self.buffer.len() >= CHUNK_BYTES {
            self.output.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn finish(&mut self, _accounts: &Accounts) -> io::Result<()> {
        self.flush()
    }
}

/// Appends one record and a line end.
pub fn write_record(record: &Record, out: &mut Vec<u8>) {
    write_with(record, out, &mut Kept::default());
}

fn write_with(record: &Record, out: &mut Vec<u8>, kept: &mut Kept) {
    let begin = out.len();
    visit(record, &mut Object { out, kept });
    // The first key has a comma in front, like all others.
    if let Some(first) = out.get_mut(begin) {
        *first = b'{';
    }
    out.extend_from_slice(b"}\n");
}

/// Text of what several records share. What is known by its place in memory is kept with it: as long as it
/// is, nothing else can be there. What a record has for itself may be large, and is not kept.
#[derive(Default)]
struct Kept {
    tls: Texts<TlsKind, Box<TlsFacts>>,
    endpoints: Texts<usize, Shared<EndpointFacts>>,
    strings: Texts<usize, Arc<str>>,
    /// The last path: most flows of a site take the same.
    path: Option<(PathFacts, Vec<u8>)>,
}

/// What was written of each value, with the value.
type Texts<K, V> = HashMap<K, (V, Vec<u8>), RandomState>;

/// Writes what `make` gives for the value known by `key`, which `value` gives to keep with it.
fn write_kept<K: Hash + Eq, V>(
    kept: &mut Texts<K, V>,
    key: K,
    value: impl FnOnce() -> V,
    make: impl FnOnce() -> Vec<u8>,
    out: &mut Vec<u8>,
) {
    if let Some((_, text)) = kept.get(&key) {
        return out.extend_from_slice(text);
    }
    let text = make();
    out.extend_from_slice(&text);
    if text.len() <= MAX_KEPT_BYTES {
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, (value(), text));
    }
}

/// What `visit` writes, each key with a comma in front.
fn text(visit: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let (mut out, mut kept) = (Vec::new(), Kept::default());
    visit(&mut Object { out: &mut out, kept: &mut kept });
    out.shrink_to_fit();
    out
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    kept: &'a mut Kept,
}

impl Object<'_> {
    #[inline]
    fn key(&mut self, key: Key) {
        self.out.extend_from_slice(key.column().json.as_bytes());
    }

    /// A string that other records may share.
    fn shared(&mut self, value: &Arc<str>) {
        if Arc::strong_count(value) == 1 {
            return write_string(value, self.out);
        }
        let make = || {
            let mut text = Vec::new();
            write_string(value, &mut text);
            text
        };
        let address = Arc::as_ptr(value).addr();
        write_kept(&mut self.kept.strings, address, || Arc::clone(value), make, self.out);
    }
}

impl Fields for Object<'_> {
    fn text(&mut self, key: Key, value: Text<'_>) {
        self.key(key);
        write_text(value, self.out);
    }

    fn integer(&mut self, key: Key, value: u64) {
        self.key(key);
        write_integer(value, self.out);
    }

    fn seconds(&mut self, key: Key, value: Duration) {
        self.key(key);
        write_seconds(value, self.out);
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn list<'a>(&mut self, key: Key, values: impl Iterator<Item = Text<'a>>) {
        self.key(key);
        write_list(values, self.out, |value, out| write_text(value, out));
    }

    fn tls(&mut self, tls: &TlsFacts) {
        let Some(kind) = TlsKind::of(tls) else { return visit_tls(tls, self) };
        let make = || text(|object| visit_tls(tls, object));
        write_kept(&mut self.kept.tls, kind, || Box::new(tls.clone()), make, self.out);
    }

    fn path(&mut self, path: &PathFacts) {
        let Some((_, text)) = self.kept.path.as_ref().filter(|(kept, _)| kept == path) else {
            let text = text(|object| visit_path(path, object));
            self.out.extend_from_slice(&text);
            self.kept.path = Some((path.clone(), text));
            return;
        };
        self.out.extend_from_slice(text);
    }

    fn endpoint(&mut self, endpoint: &Shared<EndpointFacts>) {
        if !endpoint.is_shared() {
            return visit_endpoint(endpoint, self);
        }
        let make = || text(|object| visit_endpoint(endpoint, object));
        write_kept(&mut self.kept.endpoints, endpoint.address(), || endpoint.clone(), make, self.out);
    }

    fn sightings(&mut self, key: Key, sightings: &[Sighting]) {
        self.key(key);
        write_list(sightings.iter(), self.out, |sighting, out| {
            out.push(b'{');
            if let Some(interface) = &sighting.interface {
                out.extend_from_slice(b"\"interface\":");
                write_string(interface, out);
            }
            if !sighting.encapsulation.is_empty() {
                if sighting.interface.is_some() {
                    out.push(b',');
                }
                out.extend_from_slice(b"\"encapsulation\":");
                write_layers(&sighting.encapsulation, out);
            }
            out.push(b'}');
        });
    }

    fn translated(&mut self, key: Key, pairs: &[(SocketAddr, SocketAddr)]) {
        self.key(key);
        write_list(pairs.iter(), self.out, |(client, server), out| {
            for (opening, end) in [("{\"client", client), (",\"server", server)] {
                out.extend_from_slice(opening.as_bytes());
                out.extend_from_slice(b".address\":");
                write_text(Text::Ip(end.ip()), out);
                out.push(b',');
                out.extend_from_slice(opening.as_bytes().get(1..).unwrap_or_default());
                out.extend_from_slice(b".port\":");
                write_integer(end.port().into(), out);
            }
            out.push(b'}');
        });
    }

    fn violations(&mut self, key: Key, violations: &[Violation]) {
        self.key(key);
        self.out.push(b'[');
        for (index, violation) in violations.iter().enumerate() {
            self.out.extend_from_slice(if index > 0 { b",{\"rule\":" } else { b"{\"rule\":" });
            write_text(Text::Word(violation.rule), self.out);
            self.out.extend_from_slice(b",\"severity\":");
            write_text(Text::Word(violation.severity.as_str()), self.out);
            self.out.extend_from_slice(b",\"offending\":");
            self.shared(&violation.offending);
            self.out.extend_from_slice(b",\"message\":");
            write_string(&violation.message, self.out);
            self.out.extend_from_slice(b",\"remedy\":");
            self.shared(&violation.remedy);
            self.out.push(b'}');
        }
        self.out.push(b']');
    }
}

fn write_layers(layers: &[Layer], out: &mut Vec<u8>) {
    write_list(layers.iter(), out, |layer, out| write_text(Text::Layer(layer), out));
}

fn write_list<T>(values: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(value, out);
    }
    out.push(b']');
}

fn write_text(value: Text<'_>, out: &mut Vec<u8>) {
    match value {
        Text::Word(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Text::Given(text) => write_string(text, out),
        Text::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => write_string(text, out),
            Err(_) => write_string(&value.to_string(), out),
        },
        Text::Hex(number, digits) => {
            out.extend_from_slice(b"\"0x");
            for digit in (0..digits).rev() {
                let nibble = usize::try_from(number >> (4 * digit) & 0xf).unwrap_or_default();
                out.extend(b"0123456789abcdef".get(nibble));
            }
            out.push(b'"');
        }
        Text::Ip(IpAddr::V4(address)) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                out.push(if index == 0 { b'"' } else { b'.' });
                write_integer(octet.into(), out);
            }
            out.push(b'"');
        }
        Text::Time(time) => {
            out.push(b'"');
            out.extend_from_slice(&time.rfc3339());
            out.push(b'"');
        }
        Text::Second(date) => {
            out.push(b'"');
            out.extend_from_slice(&date.rfc3339());
            out.push(b'"');
        }
        Text::Ip(IpAddr::V6(_)) | Text::Layer(_) | Text::VpcEndpoint(_) => {
            out.push(b'"');
            // Writing to a vector cannot fail.
            let _ = write!(out, "{value}");
            out.push(b'"');
        }
    }
}

/// A JSON string. Control characters are escaped, those of C1, DEL and the line separators
/// too, so that no terminal acts on what a stranger sent.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if is_harmless(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for character in text.chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
                }
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

/// True where no byte needs to be escaped: printable ASCII without quotation mark and backslash. Eight bytes
/// at once, because every text of every record is asked about.
fn is_harmless(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // The high bit of some byte is set in the answer if and only if some byte of `word` is below `limit`.
    let has_below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let harm = |bytes: [u8; 8]| {
        let word = u64::from_ne_bytes(bytes);
        let has = |byte: u8| has_below(word ^ (ONES * u64::from(byte)), 1);
        (word & HIGH) | has_below(word, 0x20) | has(b'"') | has(b'\\') | has(0x7f)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    words.iter().fold(harm(last), |all, word| all | harm(*word)) == 0
}

fn write_integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Seconds as the shortest exact decimal, without an exponent.
pub(super) fn write_seconds(value: Duration, out: &mut Vec<u8>) {
    write_integer(value.as_secs(), out);
    let mut fraction = value.subsec_nanos();
    if fraction == 0 {
        return;
    }
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        // A digit is below ten.
        *digit = b'0' + u8::try_from(fraction % 10).unwrap_or_default();
        fraction /= 10;
    }
    let length = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(digits.get(..length).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashMap;

    use super::*;
    use crate::export::sample;
    use crate::export::schema::{Key, Kind};

    fn line(record: &Record) -> String {
        let mut out = Vec::new();
        write_record(record, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn seconds(nanoseconds: u64) -> String {
        let mut out = Vec::new();
        write_seconds(Duration::from_nanos(nanoseconds), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_a_whole_tls12_flow() {
        assert_eq!(
            line(&sample::tls12()),
            concat!(
                r#"{"schema":"ddbwatch.flow/1","timestamp":"2026-11-23T10:00:00.000000001Z","#,
                r#""client.address":"10.0.1.5","client.port":41234,"server.address":"192.0.2.10","server.port":443,"#,
                r#""network.transport":"tcp","capture.source":"site.pcapng","capture.interface":"eth0","#,
                r#""capture.encapsulation":["vlan:120"],"capture.frame.first":1,"capture.frame.client_hello":4,"#,
                r#""capture.frame.server_hello":6,"flow.completeness":"full","tls.established":true,"#,
                r#""tls.protocol.name":"tls","tls.protocol.version":"1.2","tls.client.max_version":"1.2","#,
                r#""tls.cipher":"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256","tls.cipher_id":"0xc02f","#,
                r#""tls.forward_secrecy":"yes","tls.curve":"x25519","#,
                r#""tls.client.supported_groups":["x25519","secp256r1"],"#,
                r#""tls.client.supported_ciphers":["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256","0xfffe"],"#,
                r#""tls.resumed":false,"tls.next_protocol":"h2","tls.client.alpn":["h2","http/1.1"],"#,
                r#""tls.client.server_name":"dynamodb.eu-central-1.amazonaws.com","#,
                r#""tls.client.ja3":"b05942cf9db38edab716bba670db271f","#,
                r#""tls.server.certificate.subject":"CN=dynamodb.eu-central-1.amazonaws.com","#,
                r#""tls.server.certificate.issuer":"CN=Amazon RSA 2048 M01,O=Amazon,C=US","#,
                r#""tls.server.certificate.dns_names":["dynamodb.eu-central-1.amazonaws.com"],"#,
                r#""tls.server.certificate.not_after":"2027-01-01T00:00:00Z","tls.server.certificate.key_bits":2048,"#,
                r#""handshake.outcome":"completed","handshake.duration_seconds":0.0421,"tcp.rtt_seconds":0.012000001,"#,
                r#""aws.service":"dynamodb","aws.endpoint.kind":"regional","#,
                r#""aws.endpoint.host":"dynamodb.eu-central-1.amazonaws.com","aws.region":"eu-central-1","#,
                r#""aws.partition":"aws","aws.endpoint.evidence":["sni","prefix"],"#,
                r#""aws.endpoint.confidence":"certain","path.access":"direct_connect_public","#,
                r#""path.entry":"public_endpoint","path.name":"dx-frankfurt","path.evidence":["rule","vlan"],"#,
                r#""path.confidence":"certain","policy.profile":"aws-dynamodb","policy.verdict":"pass","#,
                r#""violations":[]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn writes_each_key_with_its_type_and_in_order() {
        let mut seen = HashMap::new();
        for record in sample::all() {
            let text = line(&record);
            let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect(&text);
            let mut last = 0;
            for key in Key::ALL {
                let column = key.column();
                let Some(value) = value.get(column.name) else { continue };
                let at = text.find(&column.json[1..]).expect("written as listed");
                assert!(at >= last, "{} stands out of order in {text}", column.name);
                last = at;
                *seen.entry(column.name).or_insert(0) += 1;
                assert!(match column.kind {
                    Kind::Text | Kind::Time => value.is_string(),
                    Kind::Integer => value.is_u64(),
                    Kind::Seconds => value.is_number(),
                    Kind::Flag => value.is_boolean(),
                    Kind::List | Kind::Objects => value.is_array(),
                });
            }
            let listed = Key::ALL.iter().filter(|key| value.contains_key(key.column().name)).count();
            assert_eq!(listed, value.len(), "a key is written twice or is not in the list");
        }
        let never: Vec<&str> =
            Key::ALL.iter().map(|key| key.column().name).filter(|name| !seen.contains_key(name)).collect();
        assert!(never.is_empty(), "no sample shows {never:?}");
    }

    #[test]
    fn leaves_out_what_does_not_apply() {
        let record = sample::plaintext();
        let text = line(&record);
        assert!(!text.contains("\"tls."), "{text}");
        assert!(text.contains(r#""handshake.outcome":"plaintext""#));
        let text = line(&sample::refused());
        assert!(!text.contains("tls.protocol.version"));
        assert!(text.contains(r#""tls.client.server_name.reason":"not_sent""#));
    }

    #[test]
    fn names_the_gateway_endpoint_as_the_console_does() {
        let text = line(&sample::mirrored());
        assert!(text.contains(r#""aws.gwlb.endpoint_id":"vpce-00123456789abcdef""#), "{text}");
        assert!(text.contains(r#""flow.sightings":[{"interface":"eth0","encapsulation":["vlan:7","geneve:0"]},{"interface":"eth1"}]"#));
        assert!(text.contains(r#""flow.translated":[{"client.address":"198.51.100.7","client.port":1024,"server.address":"192.0.2.10","server.port":443}]"#), "{text}");
    }

    #[test]
    fn tells_several_conflicts_as_sentences() {
        let mut record = sample::tls12();
        record.endpoint.conflict = vec!["One is so.".to_owned(), "Two is not.".to_owned()];
        assert!(line(&record).contains("\"aws.endpoint.conflict\":\"One is so. Two is not.\""));
    }

    #[test]
    fn finds_the_one_byte_that_must_be_escaped() {
        for length in 0..20 {
            let mut bytes = vec![b'a'; length];
            assert!(is_harmless(&bytes));
            for at in 0..length {
                for byte in 0..=255 {
                    bytes[at] = byte;
                    let is_printable = (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
                    assert_eq!(is_harmless(&bytes), is_printable, "{byte} at {at} of {length}");
                }
                bytes[at] = if at % 2 == 0 { b' ' } else { b'~' };
            }
        }
    }

    #[test]
    fn writes_seconds_as_the_shortest_exact_decimal() {
        for (nanoseconds, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (10, "0.00000001"),
            (1_000_000_000, "1"),
            (1_500_000_000, "1.5"),
            (123_456_789, "0.123456789"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(seconds(nanoseconds), text);
        }
    }

    #[test]
    fn ends_each_record_with_one_line_end() {
        let mut sink = Jsonl::new(Vec::new());
        let mut record = sample::tls12();
        record.source = Arc::from("a\nb\u{2028}\u{9b}\u{1b}\"\\c.pcap");
        sink.record(&record).unwrap();
        sink.record(&record).unwrap();
        sink.finish(&Accounts::default()).unwrap();
        let text = String::from_utf8(sink.into_inner()).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r#""a\nb\u2028\u009b\u001b\"\\c.pcap""#), "{text}");
    }

    proptest! {
        #[test]
        fn reads_back_any_string(name in any::<String>(), alpn in any::<Vec<u8>>()) {
            let mut record = sample::tls12();
            let hello = record.tls.as_mut().unwrap().client_hello.as_mut().unwrap();
            hello.server_name = Some(name.clone());
            hello.alpn = vec![alpn];
            let text = line(&record);
            prop_assert!(!text.trim_end_matches('\n').chars().any(char::is_control));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["tls.client.server_name"].as_str(), Some(name.as_str()));
        }
    }
}
