//! What handshakes say.

use super::*;
use crate::tls::error::MAX_SERVER_NAME_BYTES;

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
    assert_eq!(facts.sni(), Sni::Name("server"));
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
    assert_eq!(hello.session_id[..], [3; 32]);
    assert_eq!(hello.session_ticket, crate::model::TicketDigest::of(b"ticket"));
    assert_eq!(
        *hello,
        ClientHello {
            is_ssl2_form: false,
            is_truncated: false,
            legacy_version: TlsVersion::TLS12,
            cipher_suites: [0x1a1a, 0x1301, 0x1302, 0xc02f, 0x009c].map(CipherSuite).to_vec(),
            ssl2_cipher_kinds: vec![],
            compression_methods: vec![CompressionMethod(0)],
            extensions: [0x3a3a, 0, 23, 10, 11, 13, 16, 22, 35, 51, 43, 45, 0xfe0d, 42, 41]
                .map(ExtensionId)
                .to_vec(),
            server_name: Some("dynamodb.eu-central-1.amazonaws.com".to_owned()),
            has_two_names: false,
            repeats_extension: false,
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
        assert_eq!(ours.session_id[..], *theirs.session_id.unwrap_or_default());
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
        assert_eq!(ours.session_id[..], *theirs.session_id.unwrap_or_default());
        assert_eq!(ours.random_end, theirs.random[24..]);
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
    assert_eq!(session.leaf_certificate().map(|leaf| &leaf[..]), Some(&b"leaf certificate"[..]));
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
    // Another id: not resumed as far as it is defined, but no fresh exchange either.
    let client = [old_client(&[3; 32], &[]), tail].concat();
    let facts = run_in_turn(&client, &server);
    assert_eq!((facts.resumed, facts.forward_secrecy), (None, Some(ForwardSecrecy::Unknown)));
    // With the hellos alone the id says that an exchange follows.
    let facts = run(&client, &record(22, &old_server(&[2; 32], 0xc02f)));
    assert_eq!((facts.resumed, facts.forward_secrecy), (None, Some(ForwardSecrecy::Yes)));
    // The ServerHello alone does not tell.
    let facts = run(&[], &record(22, &old_server(&[2; 32], 0xc02f)));
    assert_eq!(facts.forward_secrecy_reason, Some("resumption_unknown"));
    // A static exchange is one, resumed or not.
    let facts = run(&[], &record(22, &old_server(&[2; 32], 0x009c)));
    assert_eq!(facts.forward_secrecy_reason, Some("static_key_exchange"));
}

#[test]
fn believes_no_suite_without_its_key_exchange() {
    let (client, _) = full_tls12();
    let without = [old_server(&[1; 32], 0xc02f), message(14, &[])].concat();
    let server = [record(22, &without), CCS.to_vec(), finished()].concat();
    let facts = run_in_turn(&client, &server);
    assert_eq!((facts.resumed, facts.forward_secrecy), (Some(false), Some(ForwardSecrecy::Unknown)));
    assert_eq!(facts.forward_secrecy_reason, Some("no_server_key_exchange"));
    // Where bytes are missing, it may have been there.
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&record(22, &old_server(&[1; 32], 0xc02f)), at(2));
    session.server_gap(None);
    session.server(&[record(22, &message(14, &[])), CCS.to_vec(), finished()].concat(), at(2));
    assert_eq!(session.finish().forward_secrecy, Some(ForwardSecrecy::Yes));
}

#[test]
fn keeps_the_first_of_two_answers_and_says_so() {
    let hello = record(22, &message(1, &modern_body()));
    let answer = |id: u8, suite| {
        let extensions = [extension(43, &[3, 4]), extension(51, &[0, 29, 0, 1, 9])];
        record(22, &message(2, &server_body(0x0303, &[8; 32], &[id; 32], suite, &extensions)))
    };
    assert!(!run(&hello, &answer(3, 0x1301)).is_contradicted);
    assert!(!run(&hello, &answer(3, 0x1301).repeat(2)).is_contradicted);
    let facts = run(&hello, &[answer(3, 0x1301), answer(3, 0x1302)].concat());
    assert_eq!((facts.cipher_suite(), facts.is_contradicted), (Some(CipherSuite(0x1301)), true));
    assert!(run(&hello, &answer(4, 0x1301)).is_contradicted);
}

#[test]
fn misses_a_certificate_where_one_has_to_be() {
    let exchange = message(12, &[&[3, 0, 29][..], &vector8(&[4; 32])].concat());
    let answered = |suite, certificate: &[u8]| {
        let flight =
            [old_server(&[1; 32], suite), certificate.to_vec(), exchange.clone(), message(14, &[])].concat();
        run(&full_tls12().0, &[record(22, &flight), CCS.to_vec(), finished()].concat()).certificate_error
    };
    assert_eq!(answered(0xc02f, &message(11, &vector24(&vector24(b"leaf")))), None);
    for nothing in [&[][..], &message(11, &vector24(b"")), &message(11, &vector24(&vector24(b"")))] {
        assert_eq!(answered(0xc02f, nothing), Some("not_sent"), "{nothing:?}");
        // ECDHE_PSK and ECDH_anon have none.
        assert_eq!((answered(0xc035, nothing), answered(0xc018, nothing)), (None, None));
    }
    assert_eq!(answered(0xc02f, &message(11, &[0])), Some("malformed_certificate"));
    // Nor has a session that is resumed, nor one of which a part was lost.
    let server = [record(22, &old_server(&[2; 32], 0xc02f)), CCS.to_vec(), finished()].concat();
    assert_eq!(run(&old_client(&[2; 32], &[]), &server).certificate_error, None);
    let mut session = Session::new();
    session.server(&record(22, &old_server(&[1; 32], 0xc02f)), at(1));
    session.server_gap(None);
    session.server(&record(22, &message(14, &[])), at(1));
    assert_eq!(session.finish().certificate_error, None);
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
    session.client(&finished13(), at(5));
    assert!(session.is_decided());
    let facts = session.finish();
    assert_eq!(facts.hello_retry_request.as_ref().unwrap().key_share, Some(NamedGroup(23)));
    assert_eq!(facts.second_client_hello.as_ref().unwrap().cipher_suites, [CipherSuite(0x1301)]);
    assert_eq!(facts.group(), Some(NamedGroup(29)));
    assert_eq!(facts.ja3.as_deref(), fingerprint::ja3(facts.client_hello.as_ref().unwrap()).as_deref());
    assert_eq!(facts.established_at, Some(at(5)));
}

#[test]
fn a_ticket_may_be_in_what_was_cut() {
    let server = [record(22, &old_server(&[3; 32], 0xc02f)), CCS.to_vec(), finished()].concat();
    let client = old_client(&[3; 32], &[sni(b"a.example"), extension(35, &[9; 200])]);
    for (length, resumption) in
        [(client.len(), Some(Resumption::Ticket)), (client.len() - 10, None), (client.len() - 210, None)]
    {
        let mut session = Session::new();
        session.client(client.get(..length).unwrap(), at(1));
        if length < client.len() {
            session.client_gap(None);
        }
        session.server(&server, at(2));
        let facts = session.finish();
        assert_eq!((facts.resumed, facts.resumption), (Some(true), resumption), "{length}");
    }
}

#[test]
fn a_ticket_may_be_in_the_hello_inside() {
    let extensions = [extension(43, &[3, 4]), extension(41, &[0, 0]), extension(51, &[0, 29, 0, 1, 9])];
    let server = record(22, &message(2, &server_body(0x0303, &[8; 32], &[], 0x1301, &extensions)));
    let shares = vector16(&[numbers(&[29]), vector16(&[5; 32])].concat());
    for (more, is_proof) in [(vec![], false), (vec![extension(0xfe0d, &[0; 20])], true)] {
        let offered = [extension(43, &vector8(&[3, 4])), extension(51, &shares)];
        let body = client_body(0x0303, &[], &[0x1301], &[&offered[..], &more].concat());
        let facts = run(&record(22, &message(1, &body)), &server);
        assert_eq!((facts.resumed, facts.is_choice_offered()), (Some(true), is_proof));
    }
}

/// No client takes a second one, nor one for a group that it has sent a share of [RFC 8446 sections 4.1.4 and 4.2.8].
#[test]
fn a_retry_that_no_client_takes_proves_nothing() {
    let retry = |group: u8| {
        let extensions = [extension(43, &[3, 4]), extension(51, &[0, group])];
        record(
            22,
            &message(2, &server_body(0x0303, &server_hello::RETRY_RANDOM, &[3; 32], 0x1301, &extensions)),
        )
    };
    let chosen = |group: u8| {
        let extensions = [extension(43, &[3, 4]), extension(51, &[0, group, 0, 1, 9])];
        record(22, &message(2, &server_body(0x0303, &[9; 32], &[3; 32], 0x1301, &extensions)))
    };
    let client = record(22, &message(1, &modern_body()));
    // The client has sent a share of 29 and offers 23, too.
    for (group, retries, is_proof) in [(23, 1, true), (29, 1, false), (23, 2, false)] {
        let facts = run(&client, &[retry(group).repeat(retries), chosen(group)].concat());
        assert!(facts.server_hello.is_some());
        assert_eq!(facts.is_choice_offered(), is_proof, "{group} {retries}");
    }
    // Where a retry may have been lost, or the second hello, that is none of the server's making.
    let answer = |lose: fn(&mut Session), before: &[u8], second: &[u8], group| {
        let mut session = Session::new();
        session.client(&client, at(1));
        lose(&mut session);
        session.server(before, at(2));
        session.client(second, at(3));
        session.client_gap(None);
        session.server(&chosen(group), at(4));
        session.finish().is_choice_offered()
    };
    assert!(answer(|session| session.server_gap(None), b"", b"", 23));
    assert!(!answer(|_| {}, b"", b"", 23));
    assert!(!answer(|session| session.server_gap(None), b"", b"", 24), "a group that it does not have");
    assert!(answer(|_| {}, &retry(23), &client[..client.len() - 40], 23), "a part of the second");
}

#[test]
fn takes_a_change_of_cipher_before_the_hello_for_show() {
    let (client, server) = full_tls13();
    // As where a HelloRetryRequest was missed, or anywhere [RFC 8446 section 5].
    for before in [CCS.to_vec(), CCS.repeat(2)] {
        let server = [before, server.clone()].concat();
        for facts in [run(&client, &server), run_in_turn(&client, &server)] {
            assert_eq!(facts.version(), Some(TlsVersion::TLS13));
            assert_eq!(facts.forward_secrecy, Some(ForwardSecrecy::Yes));
            assert!(facts.established && !facts.is_truncated);
        }
        assert_splits_agree(&client, &server);
    }
    let retry = server_body(0x0303, &server_hello::RETRY_RANDOM, &[], 0x1301, &[extension(43, &[3, 4])]);
    let facts = run(&client, &[CCS.to_vec(), record(22, &message(2, &retry)), CCS.to_vec(), server].concat());
    assert!(facts.hello_retry_request.is_some() && facts.server_hello.is_some());
    // In an older version nothing is resumed by it.
    let (client, server) = full_tls12();
    let facts = run_in_turn(&client, &[CCS.to_vec(), server].concat());
    assert_eq!((facts.resumed, facts.forward_secrecy), (Some(false), Some(ForwardSecrecy::Yes)));
    // Where the hello was missed, ciphertext is none.
    let facts = run(&client, &[CCS.to_vec(), finished(), record(22, &[2; 60])].concat());
    assert!(facts.server_hello.is_none() && !facts.established);
}

#[test]
fn misses_the_first_hello_before_a_change_of_cipher() {
    let (client, server) = full_tls13();
    for (begin, is_missed) in [(Session::join as fn(&mut Session), true), (|_| {}, false)] {
        let mut session = Session::new();
        begin(&mut session);
        session.client(&[CCS.to_vec(), client.clone()].concat(), at(1));
        session.server(&server, at(2));
        let facts = session.finish();
        assert!(facts.client_hello.is_some() && facts.is_truncated == is_missed);
        // Fingerprints are of the first: where nothing is missing this is it.
        assert_eq!((facts.ja3.is_none(), facts.ja4.is_none()), (is_missed, is_missed));
    }
    let facts = run(CCS, &server);
    assert!(facts.client_hello.is_none() && facts.is_truncated);
}

#[test]
fn takes_the_second_hello_for_no_first_one() {
    let hello = |more: &[Vec<u8>]| {
        let shares = vector16(&[numbers(&[23]), vector16(&[5; 65])].concat());
        let mut extensions = vec![
            sni(b"a.example"),
            extension(10, &vector16(&numbers(&[29, 23]))),
            extension(43, &vector8(&[3, 4])),
            extension(51, &shares),
        ];
        extensions.extend_from_slice(more);
        record(22, &message(1, &client_body(0x0303, &[3; 32], &[0x1301], &extensions)))
    };
    let extensions = [extension(43, &[3, 4]), extension(51, &[0, 23])];
    let retry = message(2, &server_body(0x0303, &server_hello::RETRY_RANDOM, &[3; 32], 0x1301, &extensions));
    let extensions = [extension(43, &[3, 4]), extension(51, &[0, 23, 0, 1, 9])];
    let chosen = message(2, &server_body(0x0303, &[9; 32], &[3; 32], 0x1301, &extensions));
    let server = record(22, &[retry, chosen.clone()].concat());
    let cookie = [extension(44, &vector16(&[1; 8]))];
    let lose: fn(&mut Session) = |session| session.client_gap(None);
    for (name, begin, client, server, is_second) in [
        ("behind a change of cipher", lose, [CCS.to_vec(), hello(&[])].concat(), &server, true),
        ("behind what was lost", lose, hello(&[]), &server, true),
        ("joined in the middle", Session::join, hello(&[]), &server, true),
        ("with a cookie", Session::join, hello(&cookie), &server, true),
        ("with a cookie, its retry unseen", Session::join, hello(&cookie), &record(22, &chosen), true),
        ("joined at the first one", Session::join, hello(&[]), &record(22, &chosen), false),
        // It is asked again for what it has sent: no handshake.
        ("all there", |_| {}, hello(&[]), &server, false),
        ("all there, with a cookie", |_| {}, hello(&cookie), &server, false),
    ] {
        let mut session = Session::new();
        begin(&mut session);
        session.server(server, at(1));
        session.client(&client, at(2));
        let facts = session.finish();
        let first = facts.client_hello.as_ref().unwrap();
        assert_eq!(first.key_shares.is_empty(), is_second, "{name}");
        assert_eq!((facts.ja3.is_none(), facts.ja4.is_none()), (is_second, is_second), "{name}");
        assert_eq!(facts.is_choice_offered(), !name.starts_with("all there"), "{name}");
        assert!(facts.is_truncated || !is_second, "{name}");
        // What both have in common.
        assert_eq!((facts.sni(), first.supported_groups.len()), (Sni::Name("a.example"), 2), "{name}");
    }
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
fn hears_an_alert_in_two_records() {
    let client = old_client(&[], &[]);
    let server = [record(21, &[1, 112, 2]), record(21, &[70])].concat();
    assert_eq!(run(&client, &server).alert, Some((AlertDescription(70), AlertFrom::Server)));
    assert_splits_agree(&client, &server);
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
    // Where the server knows the session no key is sent, whatever the ciphertext begins with.
    let hit = [&[4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 16][..], &[1; 16]].concat();
    let ciphertext = record2(&[2; 33]);
    let server = [record2(&hit), ciphertext.clone(), ciphertext.clone()].concat();
    let facts = run(&[record2(&hello), ciphertext].concat(), &server);
    assert_eq!((facts.resumed, facts.ssl2_cipher_kind), (Some(true), None));
    assert!(facts.established);
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
    // A session resumed by its id, the server's side first.
    let hello = [&[1, 3, 3, 0, 3, 0, 32, 0, 16, 0, 0xc0, 0x2f][..], &[5; 32], &[9; 16]].concat();
    let mut session = Session::new();
    session.server(&[record(22, &old_server(&[5; 32], 0xc02f)), CCS.to_vec(), finished()].concat(), at(1));
    session.client(&[record2(&hello), CCS.to_vec(), finished()].concat(), at(2));
    assert_eq!(session.finish().resumption, Some(Resumption::SessionId));
}

#[test]
fn escapes_server_names_and_keeps_the_first() {
    let facts = |list: &[(u8, &[u8])]| {
        let entries: Vec<u8> =
            list.iter().flat_map(|(kind, name)| [&[*kind][..], &vector16(name)].concat()).collect();
        let body = client_body(0x0303, &[], &[0xc02f], &[extension(0, &vector16(&entries))]);
        run(&record(22, &message(1, &body)), &[])
    };
    assert_eq!(facts(&[(0, b"A.Example"), (0, b"b")]).sni(), Sni::Name("A.Example"));
    assert_eq!(facts(&[(9, b"x"), (0, b"\x00\xffa\x7f\xc3\xa9")]).sni(), Sni::Name("\\x00\\xffa\\x7fé"));
    assert_eq!(facts(&[(0, b"")]).sni(), Sni::NotSent);
    assert_eq!(facts(&[]).sni(), Sni::NotSent);
    assert_eq!(facts(&[(0, &[b'a'; 2000])]).sni(), Sni::Name(&"a".repeat(MAX_SERVER_NAME_BYTES)));
    // Of an account id that is cut nobody could tell any more that it is one.
    for number in ["731973197319", "%37%33%31%39%37%33%31%39%37%33%31%39"] {
        let before = "a.".repeat(MAX_SERVER_NAME_BYTES / 2 - 6) + "a";
        let name = format!("{before}{number}.ddb.us-east-1.amazonaws.com");
        assert_eq!(facts(&[(0, name.as_bytes())]).sni(), Sni::Name(&before), "{number}");
    }
}

/// Nobody knows which of them the server took.
#[test]
fn two_server_names_prove_nothing() {
    let entry = |name: &[u8]| [&[0][..], &vector16(name)].concat();
    let in_one = extension(0, &vector16(&[entry(b"a"), entry(b"b")].concat()));
    for (extensions, is_proof) in [
        (vec![sni(b"a")], true),
        (vec![sni(b"a"), sni(b"b")], false),
        (vec![in_one], false),
        (vec![extension(0, b""), sni(b"a")], false),
        (vec![sni(b"a"), extension(0, b"")], false),
    ] {
        let client = record(22, &message(1, &client_body(0x0303, &[], &[0xc02f], &extensions)));
        let server = record(22, &message(2, &server_body(0x0303, &[9; 32], &[], 0xc02f, &[])));
        let facts = run(&client, &server);
        assert_eq!(facts.is_choice_offered(), is_proof, "{extensions:?}");
        assert_eq!(facts.sni(), Sni::Name("a"));
    }
}

/// Nor a way to compress that the client does not know.
#[test]
fn a_compression_that_was_not_offered_proves_nothing() {
    // One suite, and so many methods behind it.
    let client = |methods: &[u8]| {
        let mut body = client_body(0x0303, &[], &[0xc02f], &[]);
        body.truncate(body.len() - 2);
        body.extend(vector8(methods));
        record(22, &message(1, &body))
    };
    for (offered, chosen, is_offered) in
        [(&[0][..], 0, true), (&[0], 1, false), (&[1, 0], 1, true), (&[1, 0], 64, false), (&[1], 0, true)]
    {
        let mut body = server_body(0x0303, &[8; 32], &[], 0xc02f, &[]);
        *body.last_mut().unwrap() = chosen;
        let facts = run(&client(offered), &record(22, &message(2, &body)));
        assert_eq!(facts.is_choice_offered(), is_offered, "{offered:?} {chosen}");
    }
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
    // Without supported_versions a server must not choose more than 1.2, and marks that it could.
    let old = record(22, &message(1, &client_body(0x0304, &[], &[0xc02f], &[])));
    let facts = run(&old, &server);
    assert_eq!((facts.downgrade, facts.client_hello.unwrap().max_version()), (None, Some(TlsVersion::TLS12)));
}
