//! Whole flows through the engine: what the stages make of them together.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::Engine;
use crate::capture::{FileSource, Frame, FrameSource, Interface, LinkType};
use crate::config::{CommandLine, Resolved};
use crate::export::{Jsonl, Redaction, Redactor, Sink};
use crate::model::Confidence::{Certain, Likely, Possible};
use crate::model::{
    Access, AlertFrom, Completeness, EndpointEvidence, Entry, Eviction, Outcome, ProxyKind, Record, Sni,
    Timestamp,
};
use crate::telemetry::Accounts;

mod answers;
mod any_device;
mod before_tls;
mod leaving;
mod losses;
mod ways;

const CLIENT: ([u8; 4], u16) = ([10, 1, 2, 3], 40_000);
/// In the prefixes of eu-west-1.
const DYNAMODB: ([u8; 4], u16) = ([52, 94, 5, 10], 443);
const PROXY: ([u8; 4], u16) = ([10, 0, 0, 8], 3_128);
/// In no prefix.
const ELSEWHERE: ([u8; 4], u16) = ([203, 0, 113, 9], 443);

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// One connection, as raw IPv4 packets.
struct Wire {
    server: ([u8; 4], u16),
    sequence: [u32; 2],
    packets: Vec<Vec<u8>>,
}

impl Wire {
    fn joined(server: ([u8; 4], u16)) -> Self {
        Self { server, sequence: [1_000, 9_000], packets: Vec::new() }
    }

    fn opened(server: ([u8; 4], u16)) -> Self {
        let mut wire = Self::joined(server);
        wire.send(0, SYN, b"");
        wire.send(1, SYN | ACK, b"");
        wire.send(0, ACK, b"");
        wire
    }

    fn send(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let (source, destination) = if from == 0 { (CLIENT, self.server) } else { (self.server, CLIENT) };
        let mut packet = vec![0x45, 0];
        packet.extend(((40 + payload.len()) as u16).to_be_bytes());
        packet.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
        packet.extend(source.0);
        packet.extend(destination.0);
        packet.extend(source.1.to_be_bytes());
        packet.extend(destination.1.to_be_bytes());
        packet.extend(self.sequence[from].to_be_bytes());
        let acknowledged = if flags & ACK == 0 { 0 } else { self.sequence[1 - from] };
        packet.extend(acknowledged.to_be_bytes());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(payload);
        let length = payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        self.sequence[from] += length;
        self.packets.push(packet);
    }

    fn client(mut self, payload: &[u8]) -> Self {
        self.send(0, ACK, payload);
        self
    }

    fn server(mut self, payload: &[u8]) -> Self {
        self.send(1, ACK, payload);
        self
    }

    /// Bytes of the client that are not in the capture.
    fn lost(mut self, payload: &[u8]) -> Self {
        self.sequence[0] += payload.len() as u32;
        self
    }

    fn flag(mut self, from: usize, flags: u8) -> Self {
        self.send(from, flags | ACK, b"");
        self
    }

    /// What is reported, each packet captured up to `snap` bytes.
    fn records_cut(self, snap: usize, all_services: bool) -> Vec<Record> {
        self.run(Arc::default(), snap, all_services).0
    }

    /// The same by a configuration, with what was counted.
    fn run(self, config: Arc<Resolved>, snap: usize, all_services: bool) -> (Vec<Record>, Accounts) {
        let mut engine = Engine::new(config, all_services, Arc::from("test"), RandomState::default());
        let interfaces = [Interface { link_type: LinkType(101), name: None, kind: None }];
        for (packet, number) in self.packets.iter().zip(1..) {
            let data = packet.get(..snap.min(packet.len())).unwrap();
            let timestamp = Timestamp::from_nanos(1_793_491_200_000_000_000 + number * 1_000_000);
            let wire_bytes = packet.len() as u32;
            engine.frame(&Frame { number, timestamp, interface: 0, wire_bytes, data }, &interfaces);
        }
        engine.finish();
        let records: Vec<Record> = engine.take_records().map(|(record, _)| record).collect();
        let accounts = engine.accounts();
        let evicted: u64 = accounts.evictions.values().sum();
        assert_eq!(accounts.flows_opened, records.len() as u64 + evicted + accounts.flows_open);
        (records, accounts)
    }

    fn record(self) -> Record {
        let mut records = self.records_cut(usize::MAX, false);
        assert_eq!(records.len(), 1);
        records.remove(0)
    }
}

/// What is reported of frames, one each millisecond.
fn records_of(
    config: &Arc<Resolved>,
    link_type: u16,
    frames: impl IntoIterator<Item = Vec<u8>>,
) -> Vec<Record> {
    let mut engine = Engine::new(Arc::clone(config), false, Arc::from("test"), RandomState::default());
    let interfaces = [Interface { link_type: LinkType(link_type), name: None, kind: None }];
    for (data, number) in frames.into_iter().zip(1..) {
        let timestamp = Timestamp::from_nanos(1_793_491_200_000_000_000 + number * 1_000_000);
        let wire_bytes = data.len() as u32;
        engine.frame(&Frame { number, timestamp, interface: 0, wire_bytes, data: &data }, &interfaces);
    }
    engine.finish();
    engine.take_records().map(|(record, _)| record).collect()
}

/// The same of raw IPv4 packets, each so many seconds after the beginning.
fn records_at<'a>(packets: impl IntoIterator<Item = (u64, &'a Vec<u8>)>) -> Vec<Record> {
    let mut engine = Engine::new(Arc::default(), false, Arc::from("test"), RandomState::default());
    let interfaces = [Interface { link_type: LinkType(101), name: None, kind: None }];
    for ((seconds, data), number) in packets.into_iter().zip(1..) {
        let nanos = 1_793_491_200_000_000_000 + seconds * 1_000_000_000 + number * 1_000_000;
        let (timestamp, wire_bytes) = (Timestamp::from_nanos(nanos), data.len() as u32);
        engine.frame(&Frame { number, timestamp, interface: 0, wire_bytes, data }, &interfaces);
    }
    engine.finish();
    engine.take_records().map(|(record, _)| record).collect()
}

fn configured(text: &str) -> Arc<Resolved> {
    Arc::new(crate::config::parse(text, &CommandLine::default()).unwrap())
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 3];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A ClientHello of TLS 1.0 with one suite and a server name.
fn client_hello() -> Vec<u8> {
    client_hello_to("dynamodb.eu-west-1.amazonaws.com")
}

/// The same with another server name.
fn client_hello_to(name: &str) -> Vec<u8> {
    let name = name.as_bytes();
    let mut extension = vec![0, 0];
    for more in [5, 3] {
        extension.extend(((name.len() + more) as u16).to_be_bytes());
    }
    extension.push(0);
    extension.extend((name.len() as u16).to_be_bytes());
    extension.extend(name);
    let mut body = vec![3, 1];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    body.extend((extension.len() as u16).to_be_bytes());
    body.extend(extension);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    record(22, &message)
}

/// The same of a legacy version TLS 1.`minor - 1`, with more extensions.
fn client_hello_with(minor: u8, extensions: &[u8]) -> Vec<u8> {
    let mut hello = client_hello();
    hello[10] = minor;
    hello.extend(extensions);
    // Lengths of the record, the message and the list.
    for place in [3, 7, 50] {
        let length = u16::from_be_bytes([hello[place], hello[place + 1]]) + extensions.len() as u16;
        hello[place..place + 2].copy_from_slice(&length.to_be_bytes());
    }
    hello
}

/// A ServerHello of TLS 1.`minor - 1`.
fn server_hello(minor: u8) -> Vec<u8> {
    let mut message = vec![2, 0, 0, 38, 3, minor];
    message.extend([9; 32]);
    message.extend([0, 0, 0x2f, 0]);
    record(22, &message)
}

#[test]
fn hellos_are_in_the_frames_that_have_them() {
    let more = || record(23, &[0; 30]);
    let wire = || {
        Wire::opened(DYNAMODB)
            .client(&client_hello())
            .server(&server_hello(3))
            .client(&more())
            .server(&more())
            .client(&more())
    };
    let headers = 40;
    // Whole; the client's cut; both cut.
    for snap in [usize::MAX, headers + 60, headers + 46] {
        let found = wire().records_cut(snap, false).remove(0);
        assert_eq!((found.client_hello_frame, found.server_hello_frame), (Some(4), Some(5)), "{snap}");
    }
    // Nothing more came of it than the cut frame.
    let found = Wire::opened(DYNAMODB).client(&client_hello()).records_cut(headers + 60, false).remove(0);
    assert_eq!(found.client_hello_frame, Some(4));
    // What was before it never came, and it was held until the end.
    let mut wire =
        Wire::opened(DYNAMODB).client(&client_hello()).server(b"what is lost").server(&server_hello(3));
    wire.packets.remove(4);
    let found = wire.record();
    assert_eq!((found.client_hello_frame, found.server_hello_frame), (Some(4), Some(5)));
}

/// Whether an Encrypted Client Hello was beside the name may be cut off, but nothing was said in front of it.
#[test]
fn the_name_of_a_cut_hello_is_possible_alone() {
    // An extension that is cut.
    let hello = |minor| client_hello_with(minor, &[0, 5, 0, 5, 1, 0, 0, 0, 0]);
    let whole = hello(3).len() + 40;
    for (server, minor, snap, expected, is_conflict) in [
        (PROXY, 3, whole, Certain, false),
        (PROXY, 3, whole - 4, Possible, false),
        (DYNAMODB, 3, whole - 4, Likely, false),
        (ELSEWHERE, 3, whole - 4, Possible, true),
        // What offers no TLS 1.3 has none.
        (PROXY, 1, whole - 4, Certain, false),
    ] {
        let found = Wire::opened(server).client(&hello(minor)).records_cut(snap, false).remove(0);
        let is_cut = snap < whole;
        assert_eq!(found.tls.as_ref().unwrap().client_hello.as_ref().unwrap().is_truncated, is_cut);
        assert_eq!(found.endpoint.confidence, Some(expected), "{server:?} {minor} {snap}");
        assert_eq!(!found.endpoint.conflict.is_empty(), is_conflict, "{server:?} {minor} {snap}");
        assert!(found.is_from_beginning);
        // Read back, it is no surer.
        let mut line = Vec::new();
        crate::export::jsonl::write_record(&found, &mut line);
        let read = crate::export::read::Reader::new(&line[..]).next_record().unwrap().unwrap();
        assert_eq!(read.is_name_proved(), found.is_name_proved());
        assert_eq!(found.is_name_proved(), expected == Certain);
    }
}

#[test]
fn an_interface_that_two_sections_describe_is_told_once() {
    for (names, ways) in [(["eth0", "eth0"], 1), (["eth0", "eth1"], 2)] {
        let config = Arc::new(Resolved::default());
        let mut engine = Engine::new(config, false, Arc::from("test"), RandomState::default());
        let interfaces =
            names.map(|name| Interface { link_type: LinkType(101), name: Some(Arc::from(name)), kind: None });
        let wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&server_hello(3));
        for (data, number) in wire.packets.iter().zip(1..) {
            let timestamp = Timestamp::from_nanos(1_793_491_200_000_000_000 + number * 1_000_000);
            let (interface, wire_bytes) = (number as u32 % 2, data.len() as u32);
            engine.frame(&Frame { number, timestamp, interface, wire_bytes, data }, &interfaces);
        }
        engine.finish();
        let (found, _) = engine.take_records().next().unwrap();
        assert_eq!(found.sightings.len(), ways);
    }
}

const ALERT: [u8; 2] = [2, 50];

#[test]
fn joins_a_connection_however_much_is_said_on_it() {
    // Keep-alive connections that are open when a capture begins.
    for (request, response, exchanges) in [(900, 4_000, 5), (900, 4_000, 20), (4_000, 900, 20), (60, 60, 100)]
    {
        let mut wire = Wire::joined(DYNAMODB);
        for _ in 0..exchanges {
            wire = wire.client(&record(23, &vec![0xd7; request])).server(&record(23, &vec![0xe9; response]));
        }
        for server in [DYNAMODB.0, [198, 51, 100, 9]] {
            let mut wire =
                Wire { server: (server, 443), packets: wire.packets.clone(), ..Wire::joined(DYNAMODB) };
            for packet in &mut wire.packets {
                let at = if packet[12..16] == CLIENT.0 { 16 } else { 12 };
                packet[at..at + 4].copy_from_slice(&server);
            }
            let found = wire.records_cut(usize::MAX, true).remove(0);
            assert_eq!(found.completeness, Completeness::MidStream);
            assert!(found.tls.unwrap().established, "{request} {response} {exchanges} {server:?}");
        }
    }
}

#[test]
fn takes_an_alert_after_the_servers_end_for_no_refusal() {
    let wire = || Wire::opened(DYNAMODB).client(&client_hello());
    let alert = record(21, &ALERT);
    let found = wire().flag(1, FIN).client(&alert).flag(1, RST).record();
    assert_eq!((found.outcome, found.ended_by), (Outcome::Closed, Some(AlertFrom::Server)));
    let rules: Vec<&str> =
        found.policy.iter().flat_map(|facts| &facts.violations).map(|violation| violation.rule).collect();
    assert!(rules.contains(&"legacy_client_refused"), "{rules:?}");
    // The server heard it before it closed.
    let found = wire().client(&alert).flag(1, FIN).flag(0, FIN).record();
    assert_eq!(found.outcome, Outcome::RefusedByClient);
    let is_refusal = |violation: &crate::model::Violation| violation.rule == "legacy_client_refused";
    assert!(!found.policy.unwrap().violations.iter().any(is_refusal));
    let found = wire().server(b"220 hello\r\n").client(&alert).flag(1, FIN).flag(0, FIN).record();
    assert_eq!(found.outcome, Outcome::RefusedByClient);
}

#[test]
fn calls_a_hello_cut_by_the_capture_truncated() {
    let wire = Wire::opened(DYNAMODB).client(&client_hello()).flag(0, FIN).flag(1, FIN);
    let records = wire.records_cut(60, false);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].completeness, Completeness::Truncated);
}

/// So little of each packet that no hello is seen, and the connection was seen to open.
#[test]
fn calls_a_handshake_that_was_cut_away_truncated() {
    for (wire, expected) in
        [(Wire::opened(DYNAMODB), Completeness::Truncated), (Wire::joined(DYNAMODB), Completeness::MidStream)]
    {
        let data = record(23, &[0xe1; 200]);
        let wire = wire.client(&client_hello()).server(&server_hello(3)).client(&data).server(&data);
        let (found, accounts) = wire.client(&data).run(Arc::default(), 46, true);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].completeness, expected);
        let gaps = accounts.decode_errors.get(&("tls", "handshake_gap"));
        assert_eq!(gaps.is_some(), expected == Completeness::Truncated, "{gaps:?}");
    }
}

#[test]
fn sees_tls_of_which_the_handshake_is_missing() {
    let data = record(23, &[9; 100]);
    let found = Wire::joined(DYNAMODB).client(&data).server(&data).record();
    assert_eq!((found.completeness, found.outcome), (Completeness::MidStream, Outcome::NotSeen));
    let facts = found.tls.unwrap();
    assert!(facts.established);
    assert_eq!(facts.sni(), Sni::NotSeen);
    // The same in pieces.
    let (header, rest) = data.split_at(1);
    let found = Wire::joined(DYNAMODB).client(header).client(rest).server(header).server(rest).record();
    assert!(found.tls.unwrap().established);
    // One side alone proves nothing.
    let found = Wire::joined(DYNAMODB).client(&data).client(&data).record();
    assert!(!found.tls.unwrap().established);
    let elsewhere = ([192, 0, 2, 1], 443);
    assert_eq!(Wire::joined(elsewhere).client(&data).records_cut(usize::MAX, true), []);
    let both = Wire::joined(elsewhere).client(&data).server(&data).records_cut(usize::MAX, true);
    assert_eq!(both.len(), 1);
    // A connection that was seen from its beginning and had no hello is no TLS.
    let found = Wire::opened(DYNAMODB).client(&data).server(&data).record();
    assert!(found.tls.is_none());
}

#[test]
fn misses_the_second_hello_after_a_retry_request() {
    let server_hello = |random: [u8; 32]| {
        let mut body = vec![2, 0, 0, 46, 3, 3];
        body.extend(random);
        body.extend([0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
        record(22, &body)
    };
    // SHA-256 of "HelloRetryRequest" [RFC 8446 section 4.1.3].
    let retry = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
    let retry: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&retry[2 * at..2 * at + 2], 16).unwrap()).collect();
    let retry = server_hello(retry.try_into().unwrap());
    let answered = |second: &[u8]| {
        let mut wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&retry);
        if !second.is_empty() {
            wire = wire.client(second);
        }
        let (found, accounts) = wire.server(&server_hello([8; 32])).run(Arc::default(), usize::MAX, false);
        (found[0].completeness, accounts.decode_errors.get(&("tls", "handshake_gap")).copied())
    };
    assert_eq!(answered(&client_hello()), (Completeness::Full, None));
    assert_eq!(answered(b""), (Completeness::Truncated, Some(1)));
    // The beginning of it, and bytes behind what is lost.
    let mut wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&retry);
    let hello = client_hello();
    let (start, rest) = hello.split_at(60);
    let (lost, rest) = rest.split_at(10);
    wire = wire.client(start).client(lost).client(rest).server(&server_hello([8; 32]));
    wire.packets.remove(6);
    let (found, accounts) = wire.run(Arc::default(), usize::MAX, false);
    assert_eq!(found[0].completeness, Completeness::Truncated);
    assert_eq!(accounts.decode_errors.get(&("tls", "handshake_gap")), Some(&1));
    // Delivered after the answer to it.
    let late = Wire::opened(DYNAMODB)
        .client(&client_hello())
        .server(&retry)
        .server(&server_hello([8; 32]))
        .client(&client_hello());
    assert_eq!(late.record().completeness, Completeness::Full);
}

/// Joined behind a HelloRetryRequest: the client's ChangeCipherSpec tells that its hello is the second one.
#[test]
fn misses_the_first_hello_where_it_was_joined_behind_it() {
    let client = [record(20, &[1]), client_hello()].concat();
    for size in [1, 3, 6, 7, client.len()] {
        for is_server_first in [false, true] {
            let mut wire = Wire::joined(DYNAMODB);
            if is_server_first {
                wire = wire.server(&record(20, &[1]));
            }
            for part in client.chunks(size) {
                wire = wire.client(part);
            }
            let found = wire.server(&server_hello(1)).record();
            assert_eq!(found.completeness, Completeness::Truncated, "{size} {is_server_first}");
        }
    }
    let found = Wire::joined(DYNAMODB).server(&server_hello(1)).client(&client).record();
    assert_eq!(found.completeness, Completeness::Truncated);
    // So does a cookie. Where nothing is missing in front, either is in the first hello.
    let with_cookie = client_hello_with(3, &[0, 44, 0, 4, 0, 2, 7, 7]);
    for client in [client, with_cookie] {
        for waits in [0, 1_100] {
            let seen = |wire: Wire| {
                let wire = (0..waits).fold(wire.client(&client), |wire, _| wire.server(b""));
                let found = wire.server(&server_hello(1)).record();
                let tls = found.tls.as_ref().unwrap();
                (found.completeness, tls.ja3.is_some(), tls.ja4.is_some())
            };
            assert_eq!(seen(Wire::joined(DYNAMODB)), (Completeness::Truncated, false, false));
            assert_eq!(seen(Wire::opened(DYNAMODB).lost(&client)), (Completeness::Truncated, false, false));
            assert_eq!(seen(Wire::opened(DYNAMODB)), (Completeness::Full, true, true));
        }
    }
}

#[test]
fn tells_tls_from_dns_by_what_is_said() {
    let resolver = ([52, 94, 5, 10], 53);
    let hello = client_hello();
    for size in [1, 2, 5, hello.len()] {
        let mut wire = Wire::opened(resolver);
        for part in hello.chunks(size) {
            wire = wire.client(part);
        }
        assert_eq!(wire.server(&server_hello(1)).record().completeness, Completeness::Full, "{size}");
    }
    // A message of DNS as long as a record of TLS is one of DNS.
    let mut wire = Wire::opened(resolver);
    for part in [&[22][..], &[3], &[9, 9, 1, 0, 0, 1]] {
        wire = wire.client(part);
    }
    assert_eq!(wire.records_cut(usize::MAX, true), []);
}

/// A response with two addresses for the name, the first of them that of `DYNAMODB`, as a raw IPv4 packet.
fn dns_response(name: &str) -> Vec<u8> {
    dns_response_of(name, DYNAMODB.0)
}

/// The same with another address, and the one after it.
fn dns_response_of(name: &str, [a, b, c, d]: [u8; 4]) -> Vec<u8> {
    let mut message =
        [&[0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0][..], &encoded(name), &[0, 1, 0, 1]].concat();
    for last in [d, d + 1] {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, a, b, c, last]);
    }
    dns_packet(&message)
}

/// A name as DNS writes it.
fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([vec![0]]).flatten().collect()
}

/// A message to the client, as a raw IPv4 packet.
fn dns_packet(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(((28 + message.len()) as u16).to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2]);
    packet.extend(CLIENT.0);
    packet.extend([0, 53, 0xaa, 0xaa]);
    packet.extend(((8 + message.len()) as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(message);
    packet
}

#[test]
fn an_alias_that_was_asked_for_is_told_by_its_answer() {
    use EndpointEvidence::{Dns, Prefix};
    let names = ["db.corp.example", "g.corp.example", "dynamodb.eu-west-1.amazonaws.com"].map(encoded);
    // The alias is good for two seconds, the next one and the address for a minute.
    let step = |owner: &[u8], ttl_seconds: u8, target: &[u8]| {
        [owner, &[0, 5, 0, 1, 0, 0, 0, ttl_seconds, 0, target.len() as u8], target].concat()
    };
    let [alias, next, name] = &names;
    let message = [
        &[0, 1, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0][..],
        alias,
        &[0, 1, 0, 1],
        &step(alias, 2, next),
        &step(next, 60, name),
        name,
        &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4],
        &DYNAMODB.0,
    ];
    let answer = dns_packet(&message.concat());
    for (sni, idle_packets, evidence, is_conflict, is_unproven) in [
        ("db.corp.example", 0, &[Dns, Prefix][..], false, false),
        ("g.corp.example", 0, &[Dns, Prefix], false, false),
        ("www.corp.example", 0, &[Prefix], true, false),
        ("db.corp.example", 3_000, &[Dns, Prefix], false, true),
        ("g.corp.example", 3_000, &[Dns, Prefix], false, false),
    ] {
        let mut wire = Wire::opened(DYNAMODB).client(&client_hello_to(sni)).server(&server_hello(3));
        // Nothing, a millisecond each.
        wire.packets.splice(0..0, vec![dns_packet(&[]); idle_packets]);
        wire.packets.insert(0, answer.clone());
        let endpoint = wire.record().endpoint;
        assert_eq!(
            (&endpoint.evidence[..], !endpoint.conflict.is_empty(), endpoint.is_address_unproven),
            (evidence, is_conflict, is_unproven),
            "{sni} {idle_packets}"
        );
    }
}

#[test]
fn learns_from_an_answer_that_the_capture_cut() {
    let response = dns_response("dynamodb.eu-west-1.amazonaws.com");
    // The second answer is cut, then the first as well.
    for (snap, is_learned) in
        [(response.len(), true), (response.len() - 1, true), (response.len() - 17, false)]
    {
        let mut wire = Wire::opened(DYNAMODB).client(&client_hello()).server(&server_hello(3));
        wire.packets.insert(0, response.clone());
        let found = wire.records_cut(snap, false).remove(0);
        assert_eq!(found.endpoint.evidence.contains(&EndpointEvidence::Dns), is_learned, "{snap}");
    }
}

#[test]
fn tells_settled_flows_and_ends_idle_ones_without_a_packet() {
    // More than any preamble has: what this is does not matter any more.
    let mut wire = Wire::opened(([198, 51, 100, 7], 22));
    for _ in 0..80 {
        wire = wire.client(&[0xee; 1_000]);
    }
    let last = wire.packets.len() as u64;
    wire.packets.extend(Wire::opened(([198, 51, 100, 8], 443)).packets);
    let mut engine =
        Engine::new(Arc::new(Resolved::default()), true, Arc::from("test"), RandomState::default())
            .telling_settled();
    let interfaces = [Interface { link_type: LinkType(101), name: None, kind: None }];
    let at = |number| Timestamp::from_nanos(1_793_491_200_000_000_000 + number * 1_000_000);
    for (data, number) in wire.packets.iter().zip(1..) {
        let wire_bytes = data.len() as u32;
        let frame = Frame { number, timestamp: at(number), interface: 0, wire_bytes, data };
        engine.frame(&frame, &interfaces);
    }
    let (flow, until) = engine.take_settled().last().unwrap();
    assert!(flow.source.port() == 22 || flow.destination.port() == 22);
    assert_eq!(until, at(last), "and not when it is told");
    assert_eq!(engine.take_settled().count(), 0);
    assert_eq!(engine.accounts().flows_open, 1);
    engine.reconfigure(Arc::new(Resolved::default()));
    assert_eq!(engine.accounts().flows_open, 1);
    engine.advance(Timestamp::from_nanos(1_793_491_200_000_000_000 + 86_400_000_000_000));
    assert_eq!(engine.accounts().flows_open, 0);
}

/// What comes again is answered from memory, with the very bytes that reading it anew gives.
#[test]
fn says_the_same_of_what_comes_again() {
    /// Later than any flow is remembered, so that the same frames are new flows.
    const PAUSE: Duration = Duration::from_secs(3_600);
    const ROUNDS: u32 = 3;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut lines, mut captures) = (0, 0);
    for path in paths {
        let Ok(file) = fs::File::open(&path) else { continue };
        let Ok(mut source) = FileSource::from_reader(file) else { continue };
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = source.next_frame() {
            frames.push((frame.timestamp, frame.interface, frame.wire_bytes, frame.data.to_vec()));
        }
        let hasher = RandomState::default();
        let name: Arc<str> = path.file_name().unwrap().to_string_lossy().into();
        let engine = || Engine::new(Arc::default(), true, Arc::clone(&name), hasher.clone());
        let told = [engine(), engine().forgetful()].map(|mut engine| {
            let mut redactor = Redactor::new(Redaction::Numbered);
            let mut sink = Jsonl::new(Vec::new());
            for round in 0..ROUNDS {
                let together =
                    frames.iter().zip(1..).map(|((timestamp, interface, wire_bytes, data), number)| {
                        let (interface, wire_bytes) = (*interface, *wire_bytes);
                        Frame {
                            number,
                            timestamp: timestamp.after(PAUSE * round),
                            interface,
                            wire_bytes,
                            data,
                        }
                    });
                // Alone or together with others, a frame is the same.
                if round == 0 {
                    together.for_each(|frame| engine.frame(&frame, source.interfaces()));
                } else {
                    engine.frames(together, source.interfaces());
                }
            }
            engine.finish();
            for (mut record, _) in engine.take_records().collect::<Vec<_>>() {
                redactor.apply(&mut record);
                sink.record(&record).unwrap();
            }
            sink.finish(&engine.accounts()).unwrap();
            (String::from_utf8(sink.into_inner()).unwrap(), engine.accounts())
        });
        let [kept, anew] = &told;
        assert!(kept.0.lines().eq(anew.0.lines()), "{}", path.display());
        assert_eq!(kept.1, anew.1, "{}", path.display());
        lines += kept.0.lines().count();
        captures += 1;
    }
    assert!(captures > 50 && lines > 300, "{captures} captures, {lines} lines");
}
