//! The duties of the stage as a whole, on hellos built here, on those of RFC 8448, and on chance.

mod agreement;
mod finishing;
mod handshakes;
mod memory;
mod streams;

use proptest::prelude::*;

use super::error::MAX_HANDSHAKE_BYTES;
use super::*;
use crate::model::registry::{
    AlertDescription, CipherSuite, CompressionMethod, ExtensionId, NamedGroup, Ssl2CipherKind, TlsVersion,
};
use crate::model::{
    AlertFrom, ClientHello, Downgrade, ForwardSecrecy, KeyExchangeFacts, Resumption, Sni, Timestamp, TlsFacts,
};

/// RFC 8448 section 3: the handshake messages of "Simple 1-RTT Handshake".
pub(super) const RFC8448_CLIENT: &str = "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302\
010000910000000b0009000006736572766572ff01000100000a00140012001d001700180019010001010102010301040023000000330026\
0024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e0403050306\
03020308040805080604010501060102010402050206020202002d00020101001c00024001";
pub(super) const RFC8448_SERVER: &str = "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e003300\
24001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304";

pub(super) fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(super) fn vector8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

pub(super) fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn vector24(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat()
}

pub(super) fn numbers(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vector16(payload)].concat()
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector24(body)].concat()
}

pub(super) fn extension(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &vector16(body)].concat()
}

fn sni(name: &[u8]) -> Vec<u8> {
    extension(0, &vector16(&[&[0][..], &vector16(name)].concat()))
}

pub(super) fn client_body(
    version: u16,
    session_id: &[u8],
    suites: &[u16],
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let mut body =
        [&version.to_be_bytes()[..], &[7; 32], &vector8(session_id), &vector16(&numbers(suites)), &[1, 0]]
            .concat();
    if !extensions.is_empty() {
        body.extend(vector16(&extensions.concat()));
    }
    body
}

pub(super) fn server_body(
    version: u16,
    random: &[u8; 32],
    session_id: &[u8],
    suite: u16,
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let mut body =
        [&version.to_be_bytes()[..], random, &vector8(session_id), &suite.to_be_bytes(), &[0]].concat();
    if !extensions.is_empty() {
        body.extend(vector16(&extensions.concat()));
    }
    body
}

/// A ClientHello as today's clients send it, with GREASE.
pub(super) fn modern_body() -> Vec<u8> {
    let shares = [numbers(&[0x2a2a]), vector16(&[0]), numbers(&[29]), vector16(&[5; 32])].concat();
    client_body(
        0x0303,
        &[3; 32],
        &[0x1a1a, 0x1301, 0x1302, 0xc02f, 0x009c],
        &[
            extension(0x3a3a, &[]),
            sni(b"dynamodb.eu-central-1.amazonaws.com"),
            extension(23, &[]),
            extension(10, &vector16(&numbers(&[0x2a2a, 0x11ec, 29, 23]))),
            extension(11, &vector8(&[0])),
            extension(13, &vector16(&numbers(&[0x0403, 0x0804]))),
            extension(16, &vector16(&[vector8(b"h2"), vector8(b"http/1.1")].concat())),
            extension(22, &[]),
            extension(35, b"ticket"),
            extension(51, &vector16(&shares)),
            extension(43, &vector8(&numbers(&[0x4a4a, 0x0304, 0x0303]))),
            extension(45, &vector8(&[1])),
            extension(0xfe0d, &[0; 20]),
            extension(42, &[]),
            extension(41, &[1; 40]),
        ],
    )
}

const CCS: &[u8] = &[20, 3, 3, 0, 1, 1];

fn finished() -> Vec<u8> {
    record(22, &[0xe5; 40])
}

fn data() -> Vec<u8> {
    record(23, &[0xd7; 60])
}

/// A record with the client's Finished of TLS 1.3, under a suite with SHA-256.
fn finished13() -> Vec<u8> {
    record(23, &[0xf1; 53])
}

fn old_client(session_id: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    record(22, &message(1, &client_body(0x0303, session_id, &[0xc02f, 0x009c], extensions)))
}

fn old_server(session_id: &[u8], suite: u16) -> Vec<u8> {
    message(
        2,
        &server_body(0x0303, &[8; 32], session_id, suite, &[extension(16, &vector16(&vector8(b"h2")))]),
    )
}

/// Certificate, ServerKeyExchange over x25519, CertificateRequest, ServerHelloDone.
fn old_flight() -> Vec<u8> {
    let chain = [vector24(b"leaf certificate"), vector24(b"issuer")].concat();
    let exchange = [&[3, 0, 29][..], &vector8(&[4; 32]), &[4, 1], &vector16(&[6; 64])].concat();
    [message(11, &vector24(&chain)), message(12, &exchange), message(13, &[1; 9]), message(14, &[])].concat()
}

/// Both streams of a full handshake of TLS 1.2.
fn full_tls12() -> (Vec<u8>, Vec<u8>) {
    let client =
        [old_client(&[], &[sni(b"a.example")]), record(22, &message(16, &[1; 33])), CCS.to_vec(), finished()];
    let server =
        [record(22, &[old_server(&[1; 32], 0xc02f), old_flight()].concat()), CCS.to_vec(), finished()];
    (client.concat(), server.concat())
}

/// Both streams of a handshake of TLS 1.3, up to application data.
fn full_tls13() -> (Vec<u8>, Vec<u8>) {
    let client = [record(22, &unhex(RFC8448_CLIENT)), CCS.to_vec(), finished13()];
    let server = [record(22, &unhex(RFC8448_SERVER)), CCS.to_vec(), data()];
    (client.concat(), server.concat())
}

fn run(client: &[u8], server: &[u8]) -> TlsFacts {
    let mut session = Session::new();
    session.client(client, at(1));
    session.server(server, at(2));
    session.finish()
}

/// The client's hello first, then the server, then the rest of the client.
fn run_in_turn(client: &[u8], server: &[u8]) -> TlsFacts {
    let hello = 5 + usize::from(u16::from_be_bytes([client[3], client[4]]));
    let mut session = Session::new();
    session.client(&client[..hello], at(1));
    session.server(server, at(2));
    session.client(&client[hello..], at(3));
    session.finish()
}

/// Cuts both streams at two places each, in any way, and expects the same facts.
fn assert_splits_agree(client: &[u8], server: &[u8]) {
    let whole = run(client, server);
    let pieces = |stream: &[u8], a: usize, b: usize| {
        let (a, b) = (a.min(b), a.max(b));
        [stream[..a].to_vec(), stream[a..b].to_vec(), stream[b..].to_vec()]
    };
    let cut = |client_cuts: (usize, usize), server_cuts: (usize, usize)| {
        let mut session = Session::new();
        for piece in pieces(client, client_cuts.0, client_cuts.1) {
            session.client(&piece, at(1));
        }
        for piece in pieces(server, server_cuts.0, server_cuts.1) {
            session.server(&piece, at(2));
        }
        session.finish()
    };
    for a in 0..=client.len() {
        for b in [a, a + 1, a + 2, a + 7, client.len() / 2] {
            assert_eq!(cut((a, b.min(client.len())), (0, 0)), whole, "client cut at {a} and {b}");
        }
    }
    for a in 0..=server.len() {
        for b in [a, a + 1, a + 2, a + 7, server.len() / 2] {
            assert_eq!(cut((0, 0), (a, b.min(server.len()))), whole, "server cut at {a} and {b}");
        }
    }
}
