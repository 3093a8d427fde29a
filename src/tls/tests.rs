//! The duties of the stage as a whole, on hellos built here, on those of RFC 8448, and on chance.

use proptest::prelude::*;

use super::error::MAX_HANDSHAKE_BYTES;
use super::*;
use crate::model::registry::{
    AlertDescription, CipherSuite, CompressionMethod, ExtensionId, NamedGroup, Ssl2CipherKind, TlsVersion,
};
use crate::model::{
    AlertFrom, ClientHello, Downgrade, ForwardSecrecy, KeyExchangeFacts, Resumption, ServerHello, Sni,
    Timestamp, TlsFacts,
};

/// RFC 8448 section 3: the handshake messages of "Simple 1-RTT Handshake".
const RFC8448_CLIENT: &str = "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302\
010000910000000b0009000006736572766572ff01000100000a00140012001d001700180019010001010102010301040023000000330026\
0024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e0403050306\
03020308040805080604010501060102010402050206020202002d00020101001c00024001";
const RFC8448_SERVER: &str = "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e003300\
24001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304";

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn vector8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn vector24(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat()
}

fn numbers(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vector16(payload)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector24(body)].concat()
}

fn extension(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &vector16(body)].concat()
}

fn sni(name: &[u8]) -> Vec<u8> {
    extension(0, &vector16(&[&[0][..], &vector16(name)].concat()))
}

fn client_body(version: u16, session_id: &[u8], suites: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body =
        [&version.to_be_bytes()[..], &[7; 32], &vector8(session_id), &vector16(&numbers(suites)), &[1, 0]]
            .concat();
    if !extensions.is_empty() {
        body.extend(vector16(&extensions.concat()));
    }
    body
}

fn server_body(
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
fn modern_body() -> Vec<u8> {
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
    let client = [record(22, &unhex(RFC8448_CLIENT)), CCS.to_vec(), data()];
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

#[test]
fn reads_the_hellos_of_rfc_8448() {
    let (client, server) = full_tls13();
    let facts = run_in_turn(&client, &server);
    let hello = facts.client_hello.as_ref().unwrap();
    assert_eq!(hello.cipher_suites, [0x1301, 0x1303, 0x1302].map(CipherSuite));
    assert_eq!(hello.supported_groups.len(), 9);
    assert_eq!(hello.key_shares, [NamedGroup(29)]);
    assert_eq!(hello.psk_modes, [1]);
    assert_eq!(hello.signature_schemes.len(), 15);
    assert!(hello.session_ticket.is_none() && !hello.is_truncated);
    assert_eq!(facts.sni(), Sni::Name("server".to_owned()));
    assert_eq!(facts.version(), Some(TlsVersion::TLS13));
    assert_eq!(facts.group(), Some(NamedGroup(29)));
    assert_eq!((facts.resumed, facts.resumption), (Some(false), None));
    assert_eq!(facts.forward_secrecy, Some(ForwardSecrecy::Yes));
    assert_eq!((facts.client_hello_at, facts.established_at), (Some(at(1)), Some(at(3))));
    assert!(facts.established && !facts.is_truncated);
}

#[test]
fn reads_everything_a_modern_client_says() {
    let facts = run(&record(22, &message(1, &modern_body())), &[]);
    let hello = facts.client_hello.unwrap();
    assert_eq!(
        hello,
        ClientHello {
            is_ssl2_form: false,
            is_truncated: false,
            legacy_version: TlsVersion::TLS12,
            random: [7; 32],
            session_id: vec![3; 32],
            cipher_suites: [0x1a1a, 0x1301, 0x1302, 0xc02f, 0x009c].map(CipherSuite).to_vec(),
            ssl2_cipher_kinds: vec![],
            compression_methods: vec![CompressionMethod(0)],
            extensions: [0x3a3a, 0, 23, 10, 11, 13, 16, 22, 35, 51, 43, 45, 0xfe0d, 42, 41]
                .map(ExtensionId)
                .to_vec(),
            server_name: Some("dynamodb.eu-central-1.amazonaws.com".to_owned()),
            supported_versions: [0x4a4a, 0x0304, 0x0303].map(TlsVersion).to_vec(),
            supported_groups: [0x2a2a, 0x11ec, 29, 23].map(NamedGroup).to_vec(),
            ec_point_formats: vec![0],
            signature_schemes: [0x0403, 0x0804].map(crate::model::registry::SignatureScheme).to_vec(),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            key_shares: [0x2a2a, 29].map(NamedGroup).to_vec(),
            psk_modes: vec![1],
            offers_psk: true,
            offers_early_data: true,
            has_ech: true,
            session_ticket: crate::model::TicketDigest::of(b"ticket"),
            offers_encrypt_then_mac: true,
        }
    );
    assert!(facts.ja3.is_some() && facts.ja4.unwrap().starts_with("t13d0414h2_"));
    assert_eq!(facts.forward_secrecy, None);
}

#[test]
fn agrees_with_tls_parser_on_whole_hellos() {
    use tls_parser::TlsExtension as E;
    let mut errors = TlsErrors::default();
    for body in [unhex(RFC8448_CLIENT)[4..].to_vec(), modern_body(), client_body(0x0301, &[], &[5, 4], &[])] {
        let (_, theirs) = tls_parser::parse_tls_handshake_client_hello(&body).unwrap();
        let (_, list) =
            tls_parser::parse_tls_client_hello_extensions(theirs.ext.unwrap_or_default()).unwrap();
        // The whole way and the way for cut bodies read a whole body alike.
        let ours = client_hello::read(&body, true, &mut errors).unwrap();
        let mut by_own_reader = client_hello::read(&body, false, &mut errors).unwrap();
        assert!(by_own_reader.is_truncated);
        by_own_reader.is_truncated = false;
        assert_eq!(by_own_reader, ours);
        assert_eq!(ours.legacy_version.0, theirs.version.0);
        assert_eq!(ours.session_id, theirs.session_id.unwrap_or_default());
        let suites: Vec<u16> = theirs.ciphers.iter().map(|suite| suite.0).collect();
        assert_eq!(ours.cipher_suites.iter().map(|suite| suite.0).collect::<Vec<_>>(), suites);
        assert_eq!(ours.extensions.len(), list.len());
        for (id, extension) in ours.extensions.iter().zip(&list) {
            match extension {
                E::Grease(..) => assert_eq!(id.0 & 0x0f0f, 0x0a0a),
                other => assert_eq!(id.0, tls_parser::TlsExtensionType::from(other).0),
            }
            match extension {
                E::SNI(names) => {
                    assert_eq!(
                        ours.server_name.as_deref().map(str::as_bytes),
                        names.first().map(|name| name.1)
                    );
                }
                E::EllipticCurves(groups) => {
                    let groups: Vec<u16> = groups.iter().map(|group| group.0).collect();
                    assert_eq!(ours.supported_groups.iter().map(|group| group.0).collect::<Vec<_>>(), groups);
                }
                E::ALPN(names) => assert_eq!(ours.alpn, *names),
                E::SupportedVersions(versions) => {
                    let versions: Vec<u16> = versions.iter().map(|version| version.0).collect();
                    assert_eq!(ours.supported_versions.iter().map(|v| v.0).collect::<Vec<_>>(), versions);
                }
                E::SignatureAlgorithms(schemes) => {
                    assert_eq!(ours.signature_schemes.iter().map(|s| s.0).collect::<Vec<_>>(), *schemes);
                }
                _ => {}
            }
        }
    }
    let bodies = [unhex(RFC8448_SERVER)[4..].to_vec(), old_server(&[1; 32], 0xc02f)[4..].to_vec()];
    for body in bodies {
        let (_, theirs) = tls_parser::parse_tls_handshake_server_hello(&body).unwrap();
        let ours = server_hello::read(&body, true, &mut errors).unwrap();
        let mut by_own_reader = server_hello::read(&body, false, &mut errors).unwrap();
        by_own_reader.is_truncated = false;
        assert_eq!(by_own_reader, ours);
        assert_eq!(ours.cipher_suite.0, theirs.cipher.0);
        assert_eq!(ours.session_id, theirs.session_id.unwrap_or_default());
        assert_eq!(ours.random, theirs.random);
    }
    assert_eq!(errors, TlsErrors::default());
}

#[test]
fn reads_a_full_handshake_of_tls_1_2() {
    let (client, server) = full_tls12();
    for facts in [run(&client, &server), run_in_turn(&client, &server)] {
        assert_eq!(facts.version(), Some(TlsVersion::TLS12));
        assert_eq!(facts.cipher_suite(), Some(CipherSuite(0xc02f)));
        assert_eq!(facts.key_exchange, Some(KeyExchangeFacts::Curve(NamedGroup(29))));
        assert_eq!((facts.resumed, facts.resumption), (Some(false), None));
        assert_eq!((facts.forward_secrecy, facts.forward_secrecy_reason), (Some(ForwardSecrecy::Yes), None));
        assert_eq!(facts.server_hello.as_ref().unwrap().alpn.as_deref(), Some(&b"h2"[..]));
        assert!(facts.client_certificate_requested && facts.established && !facts.is_truncated);
    }
    let mut session = Session::new();
    session.server(&server, at(1));
    assert_eq!(session.leaf_certificate(), Some(&b"leaf certificate"[..]));
    assert!(!session.is_decided());
    let facts = session.finish();
    assert!(!facts.established, "one side alone is no proof");
    assert_eq!(facts.forward_secrecy, Some(ForwardSecrecy::Yes));
}

#[test]
fn tells_how_a_session_was_resumed() {
    let server = [record(22, &old_server(&[2; 32], 0xc02f)), CCS.to_vec(), finished()].concat();
    let tail = [CCS.to_vec(), finished()].concat();
    for (extensions, resumption) in
        [(vec![], Resumption::SessionId), (vec![extension(35, b"ticket")], Resumption::Ticket)]
    {
        let client = [old_client(&[2; 32], &extensions), tail.clone()].concat();
        let facts = run_in_turn(&client, &server);
        assert_eq!((facts.resumed, facts.resumption), (Some(true), Some(resumption)));
        assert_eq!(facts.forward_secrecy, Some(ForwardSecrecy::Unknown));
        assert_eq!(facts.forward_secrecy_reason, Some("resumed"));
        assert!(facts.established);
    }
    // Another id: not resumed as far as it is defined, and certainly a fresh exchange.
    let client = [old_client(&[3; 32], &[]), tail].concat();
    let facts = run_in_turn(&client, &server);
    assert_eq!((facts.resumed, facts.forward_secrecy), (None, Some(ForwardSecrecy::Yes)));
    // The ServerHello alone does not tell.
    let facts = run(&[], &record(22, &old_server(&[2; 32], 0xc02f)));
    assert_eq!(facts.forward_secrecy_reason, Some("resumption_unknown"));
    // A static exchange is one, resumed or not.
    let facts = run(&[], &record(22, &old_server(&[2; 32], 0x009c)));
    assert_eq!(facts.forward_secrecy_reason, Some("static_key_exchange"));
}

#[test]
fn tells_a_psk_of_tls_1_3() {
    for (extensions, secrecy, reason) in [
        (vec![extension(43, &[3, 4]), extension(41, &[0, 0])], ForwardSecrecy::No, Some("psk_ke")),
        (
            vec![extension(43, &[3, 4]), extension(41, &[0, 0]), extension(51, &[0, 29, 0, 1, 9])],
            ForwardSecrecy::Yes,
            None,
        ),
    ] {
        let server = record(22, &message(2, &server_body(0x0303, &[8; 32], &[], 0x1301, &extensions)));
        let facts = run(&record(22, &message(1, &modern_body())), &server);
        assert_eq!((facts.resumed, facts.resumption), (Some(true), Some(Resumption::Psk)));
        assert_eq!((facts.forward_secrecy, facts.forward_secrecy_reason), (Some(secrecy), reason));
    }
}

#[test]
fn keeps_both_hellos_of_a_retry() {
    let retry = server_body(
        0x0303,
        &server_hello::RETRY_RANDOM,
        &[3; 32],
        0x1301,
        &[extension(43, &[3, 4]), extension(51, &[0, 23])],
    );
    let second = client_body(0x0303, &[3; 32], &[0x1301], &[extension(43, &vector8(&[3, 4]))]);
    let first = record(22, &message(1, &modern_body()));
    let mut session = Session::new();
    session.client(&first, at(1));
    session.server(&[record(22, &message(2, &retry)), CCS.to_vec()].concat(), at(2));
    assert!(session.has_server_hello());
    session.client(&[CCS.to_vec(), record(22, &message(1, &second))].concat(), at(3));
    session.server(&[record(22, &unhex(RFC8448_SERVER)), data()].concat(), at(4));
    assert!(!session.is_decided());
    session.client(&data(), at(5));
    assert!(session.is_decided());
    let facts = session.finish();
    assert_eq!(facts.hello_retry_request.as_ref().unwrap().key_share, Some(NamedGroup(23)));
    assert_eq!(facts.second_client_hello.as_ref().unwrap().cipher_suites, [CipherSuite(0x1301)]);
    assert_eq!(facts.group(), Some(NamedGroup(29)));
    assert_eq!(facts.ja3, fingerprint::ja3(facts.client_hello.as_ref().unwrap()));
    assert_eq!(facts.established_at, Some(at(5)));
}

#[test]
fn waits_for_the_answer_to_early_data() {
    let mut session = Session::new();
    session.client(&[record(22, &message(1, &modern_body())), data()].concat(), at(1));
    session.server(&[record(22, &unhex(RFC8448_SERVER)), data()].concat(), at(2));
    assert!(!session.is_decided(), "the client's data may be early data only");
    session.client(&data(), at(3));
    assert!(session.is_decided());
}

#[test]
fn does_not_take_an_encrypted_alert_for_the_end_of_a_handshake() {
    let mut session = Session::new();
    session.client(&record(22, &unhex(RFC8448_CLIENT)), at(1));
    session.server(&[record(22, &unhex(RFC8448_SERVER)), data()].concat(), at(2));
    session.client(&record(23, &[1; 19]), at(3));
    assert!(!session.finish().established);
}

#[test]
fn reads_old_drafts_of_tls_1_3() {
    let shares = extension(40, &vector16(&[numbers(&[29]), vector16(&[5; 32])].concat()));
    let client = client_body(0x0303, &[], &[0x1301], &[extension(43, &vector8(&[0x7f, 18])), shares]);
    let server = [
        &[0x7f, 18][..],
        &[8; 32],
        &[0x13, 0x01],
        &vector16(
            &[extension(40, &[numbers(&[29]), vector16(&[6; 32])].concat()), extension(41, &[0, 0])].concat(),
        ),
    ]
    .concat();
    let facts = run(&record(22, &message(1, &client)), &record(22, &message(2, &server)));
    assert_eq!(facts.client_hello.as_ref().unwrap().key_shares, [NamedGroup(29)]);
    assert_eq!(facts.version(), Some(TlsVersion(0x7f12)));
    assert_eq!(facts.cipher_suite(), Some(CipherSuite(0x1301)));
    assert_eq!(facts.group(), Some(NamedGroup(29)));
    assert_eq!(facts.resumed, Some(true));
    assert!(!facts.server_hello.unwrap().is_truncated);
    // Facebook's number, by supported_versions, and the old number of key_share before it.
    let server = server_body(
        0x0303,
        &[8; 32],
        &[],
        0x1301,
        &[extension(40, &numbers(&[29])), extension(43, &[0xfb, 0x1a])],
    );
    let facts = run(&[], &record(22, &message(2, &server)));
    assert_eq!((facts.version(), facts.group()), (Some(TlsVersion(0xfb1a)), Some(NamedGroup(29))));
    // The retry message of draft 19 and of draft 18.
    let body = [&[0x7f, 19][..], &[0x13, 0x02], &vector16(&extension(40, &numbers(&[23])))].concat();
    let retry = run(&[], &record(22, &message(6, &body))).hello_retry_request.unwrap();
    assert_eq!((retry.cipher_suite, retry.key_share), (CipherSuite(0x1302), Some(NamedGroup(23))));
    let body = [&[0x7f, 18][..], &vector16(&extension(40, &numbers(&[23])))].concat();
    let retry = run(&[], &record(22, &message(6, &body))).hello_retry_request.unwrap();
    assert_eq!((retry.is_truncated, retry.key_share), (false, Some(NamedGroup(23))));
}

#[test]
fn hears_fatal_alerts_in_clear_only() {
    let client = old_client(&[], &[]);
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&record(21, &[1, 112]), at(2));
    assert!(!session.is_decided(), "a warning ends nothing");
    session.server(&record(21, &[2, 40]), at(3));
    assert!(session.is_decided());
    assert_eq!(session.finish().alert, Some((AlertDescription(40), AlertFrom::Server)));
    let (_, server) = full_tls12();
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&server, at(2));
    session.client(&record(21, &[2; 26]), at(3));
    assert!(!session.is_decided(), "an encrypted alert says nothing");
    session.client(&record(21, &[2, 48]), at(3));
    assert!(session.is_decided());
    let facts = session.finish();
    assert_eq!((facts.alert, facts.established), (Some((AlertDescription(48), AlertFrom::Client)), false));
}

#[test]
fn reads_ssl2() {
    let hello = [&[1, 0, 2, 0, 3, 0, 0, 0, 16, 7, 0, 0xc0][..], &[9; 16]].concat();
    let record2 = |body: &[u8]| [&[0x80, u8::try_from(body.len()).unwrap()][..], body].concat();
    let answer = [&[4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 16][..], b"DER", &[7, 0, 0xc0], &[1; 16]].concat();
    let client =
        [record2(&hello), record2(&[2, 7, 0, 0xc0, 0, 0, 0, 16]), vec![0, 8, 3, 1, 2, 3, 4, 5, 6, 7, 8]]
            .concat();
    let server = [record2(&answer), record2(&[0xee; 33]), record2(&[0xee; 33])].concat();
    assert_eq!(probe(&client), Probe::ClientHello);
    assert_eq!(probe(&server), Probe::ServerHello);
    let facts = run(&client, &server);
    assert_eq!(facts.version(), Some(TlsVersion::SSL2));
    assert_eq!(facts.ssl2_cipher_kind, Some(Ssl2CipherKind(0x07_00c0)));
    assert_eq!((facts.cipher_suite(), facts.forward_secrecy), (None, Some(ForwardSecrecy::No)));
    assert_eq!((&facts.ja3, &facts.ja4, &facts.ja3s), (&None, &None, &None));
    assert!(facts.established);
    assert_splits_agree(&client, &server);
    // The same form of hello, answered in TLS.
    let hello = [&[1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[9; 16]].concat();
    let client = [record2(&hello), record(22, &message(16, &[0; 130])), CCS.to_vec(), finished()].concat();
    let body = server_body(0x0301, &[8; 32], &[1; 32], 0x002f, &[]);
    let flight = [message(2, &body), message(11, &vector24(&vector24(b"x"))), message(14, &[])].concat();
    let server = [record(22, &flight), CCS.to_vec(), finished()].concat();
    let facts = run(&client, &server);
    assert!(facts.client_hello.as_ref().unwrap().is_ssl2_form && facts.established);
    assert_eq!(facts.version(), Some(TlsVersion::TLS10));
    assert_eq!(facts.forward_secrecy_reason, Some("static_key_exchange"));
}

#[test]
fn escapes_server_names_and_keeps_the_first() {
    let names = |list: &[(u8, &[u8])]| {
        let entries: Vec<u8> =
            list.iter().flat_map(|(kind, name)| [&[*kind][..], &vector16(name)].concat()).collect();
        let body = client_body(0x0303, &[], &[0xc02f], &[extension(0, &vector16(&entries))]);
        run(&record(22, &message(1, &body)), &[]).sni()
    };
    assert_eq!(names(&[(0, b"A.Example"), (0, b"b")]), Sni::Name("A.Example".to_owned()));
    assert_eq!(names(&[(9, b"x"), (0, b"\x00\xffa\x7f\xc3\xa9")]), Sni::Name("\\x00\\xffa\\x7fé".to_owned()));
    assert_eq!(names(&[(0, b"")]), Sni::NotSent);
    assert_eq!(names(&[]), Sni::NotSent);
    assert_eq!(names(&[(0, &[b'a'; 2000])]), Sni::Name("a".repeat(MAX_SERVER_NAME_BYTES)));
}

#[test]
fn keeps_the_rest_where_one_extension_is_broken() {
    // The list inside supported_groups is longer than the extension.
    let body = client_body(
        0x0303,
        &[],
        &[0xc02f],
        &[sni(b"a"), extension(10, &[0, 9, 0, 29]), extension(16, &vector16(&vector8(b"h2")))],
    );
    let hello = run(&record(22, &message(1, &body)), &[]).client_hello.unwrap();
    assert_eq!(
        (hello.server_name.as_deref(), hello.supported_groups.len(), hello.alpn.len()),
        (Some("a"), 0, 1)
    );
    assert!(!hello.is_truncated);
    // The last extension runs past the end of the hello.
    let mut body =
        client_body(0x0303, &[], &[0xc02f], &[sni(b"a"), extension(10, &vector16(&numbers(&[29])))]);
    let length = body.len();
    body[length - 5] = 200;
    let mut session = Session::new();
    session.client(&record(22, &message(1, &body)), at(1));
    assert_eq!(session.errors().iter().collect::<Vec<_>>(), [TlsError::MalformedHello]);
    let facts = session.finish();
    let hello = facts.client_hello.as_ref().unwrap();
    assert_eq!((hello.server_name.as_deref(), hello.cipher_suites.len()), (Some("a"), 1));
    assert_eq!(hello.extensions, [ExtensionId(0), ExtensionId(10)]);
    // All of the hello is there, however wrong it is: nothing more could have been seen.
    assert!(!hello.is_truncated && facts.ja3.is_some());
}

#[test]
fn reports_a_downgrade() {
    let mut random = [8; 32];
    random[24..].copy_from_slice(b"DOWNGRD\x01");
    let server = record(22, &message(2, &server_body(0x0303, &random, &[], 0xc02f, &[])));
    let modern = record(22, &message(1, &modern_body()));
    assert_eq!(run(&modern, &server).downgrade, Some(Downgrade::SentinelTls12));
    assert_eq!(run(&old_client(&[], &[]), &server).downgrade, None);
}

#[test]
fn reads_hellos_in_records_of_one_byte_and_of_sixty_kilobytes() {
    let tiny: Vec<u8> = message(1, &modern_body()).iter().flat_map(|byte| record(22, &[*byte])).collect();
    let whole = run(&record(22, &message(1, &modern_body())), &[]);
    assert_eq!(run(&tiny, &[]), whole);
    assert_eq!(probe(&tiny), Probe::ClientHello);
    let body = client_body(0x0303, &[], &[0xc02f], &[extension(21, &vec![0; 60_000]), sni(b"a.example")]);
    let long: Vec<u8> = message(1, &body).chunks(16_384).flat_map(|part| record(22, part)).collect();
    assert_eq!(probe(&long), Probe::ClientHello);
    let mut session = Session::new();
    for part in long.chunks(1448) {
        session.client(part, at(1));
        assert!(session.held_bytes() < 3 * MAX_HANDSHAKE_BYTES);
    }
    assert_eq!(session.finish().sni(), Sni::Name("a.example".to_owned()));
}

#[test]
fn reports_the_limits_that_bite() {
    let body = client_body(
        0x0303,
        &[],
        &[0xc02f],
        &[sni(&[b'a'; 1025]), extension(21, &[0; 60_000]), extension(21, &[0; 4_000])],
    );
    let long: Vec<u8> =
        message(1, &[body, vec![0; 2_000]].concat()).chunks(16_384).flat_map(|p| record(22, p)).collect();
    let mut session = Session::new();
    session.client(&long, at(1));
    assert_eq!(
        session.errors().iter().collect::<Vec<_>>(),
        [TlsError::HandshakeTooLong, TlsError::ServerNameTooLong]
    );
    let facts = session.finish();
    assert!(facts.is_truncated && facts.client_hello.unwrap().is_truncated);

    let huge = message(11, &vector24(&vector24(&vec![0; 70_000])));
    let flight = [old_server(&[], 0xc02f), huge, message(14, &[])].concat();
    let server: Vec<u8> = flight.chunks(16_384).flat_map(|part| record(22, part)).collect();
    let mut session = Session::new();
    session.server(&server, at(1));
    assert_eq!(session.leaf_certificate(), None);
    assert!(session.held_bytes() < 4096, "{}", session.held_bytes());
    let facts = session.finish();
    assert_eq!((facts.certificate_error, facts.resumed), (Some("certificate_too_long"), Some(false)));
}

#[test]
fn names_what_a_gap_takes_away() {
    let (_, server) = full_tls12();
    // A client whose session id the server sends back.
    let client = [old_client(&[1; 32], &[]), CCS.to_vec(), finished()].concat();
    // Within the server's flight: the boundary is found again at ChangeCipherSpec. A lost certificate
    // must not look like a resumption.
    let flight_end = server.len() - CCS.len() - finished().len();
    let hello_end = 5 + old_server(&[1; 32], 0xc02f).len();
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&server[..hello_end], at(2));
    session.server_gap();
    session.server(&server[hello_end + 30..flight_end], at(3));
    session.server(&server[flight_end..], at(3));
    assert!(session.is_decided());
    let facts = session.finish();
    assert!(facts.is_truncated && facts.established);
    assert_eq!((facts.resumed, facts.version()), (None, Some(TlsVersion::TLS12)));
    // After the flight nothing of interest is lost.
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&server[..flight_end + CCS.len()], at(2));
    session.server_gap();
    session.client_gap();
    let facts = session.finish();
    assert!(!facts.is_truncated);
    // Within the ClientHello: what is there is kept.
    let hello = record(22, &message(1, &modern_body()));
    let mut session = Session::new();
    session.client(&hello[..60], at(1));
    session.client_gap();
    session.client(&hello[100..], at(1));
    assert!(session.has_client_hello());
    assert!(session.errors().contains(TlsError::HandshakeGap));
    let facts = session.finish();
    assert!(facts.is_truncated && facts.client_hello.as_ref().unwrap().is_truncated);
    assert_eq!((facts.sni(), facts.ja3, facts.ja4), (Sni::NotSeen, None, None));
}

#[test]
fn passes_over_what_comes_before_the_hello() {
    let (client, server) = full_tls12();
    let client = [b"CONNECT a:443 HTTP/1.1\r\n\r\n", &client[..]].concat();
    let server = [b"HTTP/1.1 200 OK\r\n\r\n", &server[..]].concat();
    let facts = run(&client, &server);
    assert!(facts.established && !facts.is_truncated);
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(b"HTTP/1.1 400 Bad Request\r\n\r\n", at(2));
    assert!(!session.has_server_hello());
    assert!(session.finish().server_hello.is_none());
}

#[test]
fn probes_every_prefix_as_need_more() {
    let (client, server) = full_tls13();
    let ssl2 = [&[0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[9; 16]].concat();
    for (stream, hello, enough) in [
        (&client, Probe::ClientHello, 11),
        (&server, Probe::ServerHello, 11),
        (&ssl2, Probe::ClientHello, 11),
    ] {
        for length in 0..stream.len() {
            let expected = if length < enough { Probe::NeedMore } else { hello };
            assert_eq!(probe(&stream[..length]), expected, "{length}");
        }
    }
}

#[test]
fn probes_other_protocols_as_no() {
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-x\r\n",
        &[21, 3, 3, 0, 2, 2, 40],
        &[22, 3, 3, 0, 4, 14, 0, 0, 0],
        &[22, 3, 3, 0, 40, 0xe5, 1, 2, 3, 4],
        &[22, 3, 3, 0xff, 0xff, 1, 0, 0, 90, 3, 3],
        &[22, 2, 3, 0, 99, 1, 0, 0, 90, 3, 3],
        &[22, 3, 3, 0, 99, 1, 0, 0, 90, 9, 9],
        &[0x80, 0x2e, 1, 3, 1, 0, 0, 0, 0, 0, 16],
        &[0x80, 0x2e, 1, 7, 1],
        &[0x90; 20],
    ] {
        assert_eq!(probe(other), Probe::No, "{other:?}");
    }
}

#[test]
fn finds_a_hello_within_a_dialogue() {
    let hello = record(22, &message(1, &modern_body()));
    let dialogue = [b"* OK\r\na STARTTLS\r\n\x16\x03\x01", &hello[..]].concat();
    assert_eq!(find_client_hello(&dialogue), Some(21));
    let server = record(22, &old_server(&[], 0xc02f));
    assert_eq!(find_client_hello(&server), None);
    // From twelve bytes on, wherever the segment ends.
    for length in 0..hello.len() {
        assert_eq!(find_client_hello(&hello[..length]), (length >= 12).then_some(0), "{length}");
    }
    // Lengths that contradict each other.
    for (at, value) in [(4, 0xff), (6, 2), (1, 2), (2, 9), (9, 2), (43, 33)] {
        let mut broken = hello.clone();
        broken[at] = value;
        assert_eq!(find_client_hello(&broken), None, "{at}");
    }
}

#[test]
fn recognises_records_for_finding_the_boundary() {
    assert!(looks_like_record(&finished()));
    assert!(looks_like_record(&[CCS.to_vec(), finished()].concat()));
    assert!(!looks_like_record(&[CCS, b"garbage"].concat()));
    assert!(!looks_like_record(&[23, 3, 3, 0, 0]));
    assert!(!looks_like_record(&[23, 3, 3]));
    assert!(!looks_like_record(b"HTTP/1.1 200 OK"));
}

#[test]
fn handles_every_prefix_and_every_changed_byte() {
    for (client, server) in [full_tls12(), full_tls13()] {
        let whole = run_in_turn(&client, &server);
        for length in 0..server.len() {
            let facts = run(&client, &server[..length]);
            assert!(
                facts.server_hello.is_none()
                    || facts.version() == whole.version()
                    || facts.is_truncated
                    || facts.server_hello.is_some_and(|hello| hello.is_truncated),
                "{length}"
            );
        }
        for length in 0..client.len() {
            let facts = run(&client[..length], &[]);
            let is_cut = facts.client_hello.as_ref().is_some_and(|hello| hello.is_truncated);
            assert!(
                is_cut || facts.client_hello.is_none() || facts.client_hello == whole.client_hello,
                "{length}"
            );
        }
        for at in 0..client.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = client.clone();
                changed[at] ^= change;
                run(&changed, &server);
            }
        }
        for at in 0..server.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = server.clone();
                changed[at] ^= change;
                run(&client, &changed);
            }
        }
    }
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

#[test]
fn gives_the_same_facts_however_the_streams_are_cut() {
    for (client, server) in [full_tls12(), full_tls13()] {
        assert_splits_agree(&client, &server);
    }
    let modern = record(22, &message(1, &modern_body()));
    let retry = server_body(0x0303, &server_hello::RETRY_RANDOM, &[], 0x1301, &[extension(43, &[3, 4])]);
    let client = [modern.clone(), CCS.to_vec(), modern, data()].concat();
    let server =
        [record(22, &message(2, &retry)), CCS.to_vec(), record(22, &unhex(RFC8448_SERVER)), data()].concat();
    assert_splits_agree(&client, &server);
}

#[test]
fn gives_the_same_facts_byte_by_byte() {
    let (client, server) = full_tls12();
    let mut session = Session::new();
    client.iter().for_each(|byte| session.client(&[*byte], at(1)));
    server.iter().for_each(|byte| session.server(&[*byte], at(2)));
    assert_eq!(session.finish(), run(&client, &server));
}

#[test]
fn leaves_a_server_hello_without_its_suite_out() {
    let server = record(22, &old_server(&[1; 32], 0xc02f));
    for length in 0..server.len() {
        let hello: Option<ServerHello> = run(&[], &server[..length]).server_hello;
        // Header 9, version and random 34, session id 33, suite 2.
        assert_eq!(hello.is_some(), length >= 78, "{length}");
        assert!(hello.is_none_or(|hello| hello.is_truncated && hello.cipher_suite == CipherSuite(0xc02f)));
    }
    // Cut before supported_versions: the suite tells the version.
    let facts = run(&[], &record(22, &unhex(RFC8448_SERVER))[..50]);
    assert_eq!(facts.version(), Some(TlsVersion::TLS13));
    assert_eq!(facts.forward_secrecy_reason, Some("truncated"));
    // Nothing was cut off, so nothing is put in its place.
    let body = [server_body(0x0303, &[8; 32], &[], 0x1301, &[]), vec![0, 9, 0]].concat();
    assert_eq!(run(&[], &record(22, &message(2, &body))).version(), Some(TlsVersion::TLS12));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics_on_chance_nor_finds_a_hello_in_it(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        fuzz_tls(&bytes);
        prop_assert_eq!(find_client_hello(&bytes), None);
    }

    #[test]
    fn never_panics_on_damaged_handshakes(
        steps in proptest::collection::vec((0_u8..4, 0_usize..400, 0_usize..200, any::<u8>()), 1..12)
    ) {
        let (client, server) = full_tls12();
        let mut input = Vec::new();
        for (order, from, length, damage) in steps {
            let stream = if order & 1 == 0 { &client } else { &server };
            let from = from.min(stream.len());
            let mut piece = stream[from..(from + length).min(stream.len())].to_vec();
            if let Some(byte) = piece.get_mut(usize::from(damage) % length.max(1)) {
                *byte ^= damage;
            }
            input.push(order);
            input.extend(vector16(&piece));
        }
        fuzz_tls(&input);
    }
}
