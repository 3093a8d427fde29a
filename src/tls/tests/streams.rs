//! Cut, lost, long and broken streams; probing.

use super::*;

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
    assert_eq!(session.finish().sni(), Sni::Name("a.example"));
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
    session.server_gap(None);
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
    session.server_gap(None);
    session.client_gap(None);
    let facts = session.finish();
    assert!(!facts.is_truncated);
    // Within the ClientHello: what is there is kept.
    let hello = record(22, &message(1, &modern_body()));
    let mut session = Session::new();
    session.client(&hello[..60], at(1));
    session.client_gap(None);
    session.client(&hello[100..], at(1));
    assert!(session.has_client_hello());
    assert!(session.errors().contains(TlsError::HandshakeGap));
    let facts = session.finish();
    assert!(facts.is_truncated && facts.client_hello.as_ref().unwrap().is_truncated);
    assert_eq!((facts.sni(), &facts.ja3, &facts.ja4), (Sni::NotSeen, &None, &None));
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
fn takes_a_hello_in_records_of_any_minor_version() {
    let (_, server) = full_tls13();
    let hello = message(1, &modern_body());
    for minor in [0, 0x0f, 0x10, 0xff] {
        let client: Vec<u8> =
            hello.chunks(100).flat_map(|part| [&[22, 3, minor][..], &vector16(part)].concat()).collect();
        assert_eq!(probe(&client), Probe::ClientHello, "{minor:#04x}");
        let facts = run(&client, &server);
        assert!(facts.client_hello.is_some_and(|hello| hello.offers_psk), "{minor:#04x}");
    }
    // No other record has such a version.
    let mut session = Session::new();
    session.client(&[record(22, &hello), vec![23, 3, 0x10, 0, 1, 9]].concat(), at(1));
    assert!(session.errors().contains(TlsError::NotTls));
}

#[test]
fn passes_over_empty_records_before_a_hello() {
    let (client, server) = full_tls13();
    let hello = message(1, &modern_body());
    let small: Vec<u8> =
        hello.iter().flat_map(|byte| [record(22, &[*byte]), record(22, &[])].concat()).collect();
    for first in [&small, &[record(22, &[]), client].concat()] {
        assert_eq!(probe(first), Probe::ClientHello);
        assert!(run(first, &server).client_hello.is_some());
    }
    assert_eq!(probe(&record(22, &[])), Probe::NeedMore);
    assert_eq!(probe(&record(22, &[]).repeat(100)), Probe::No);
}

fn client_hello_in(bytes: &[u8]) -> Option<usize> {
    find_hidden(bytes).hello.filter(|(_, whose)| *whose == Probe::ClientHello).map(|(at, _)| at)
}

#[test]
fn finds_a_hello_within_a_dialogue() {
    let hello = record(22, &message(1, &modern_body()));
    let dialogue = [b"* OK\r\na STARTTLS\r\n\x16\x03\x01", &hello[..]].concat();
    assert_eq!(client_hello_in(&dialogue), Some(21));
    let server = record(22, &old_server(&[], 0xc02f));
    assert_eq!(client_hello_in(&server), None);
    // From twelve bytes on, wherever the segment ends.
    for length in 0..hello.len() {
        assert_eq!(client_hello_in(&hello[..length]), (length >= 12).then_some(0), "{length}");
    }
    // Lengths that contradict each other.
    for (at, value) in [(4, 0xff), (6, 2), (1, 2), (2, 9), (9, 2), (43, 33)] {
        let mut broken = hello.clone();
        broken[at] = value;
        assert_eq!(client_hello_in(&broken), None, "{at}");
    }
    // A client's goes before a server's; what goes on in another record may be one.
    let both = [b"\x16\x03\x16\x05", &server[..], &hello].concat();
    let found = Hidden { hello: Some((4 + server.len(), Probe::ClientHello)), candidate: Some(4) };
    assert_eq!(find_hidden(&both), found);
    assert_eq!(find_hidden(&both[..4 + server.len()]).hello, Some((4, Probe::ServerHello)));
    let cut = [b"220 ready\r\n", &record(22, &hello[5..30])[..], &record(22, &hello[30..])].concat();
    assert_eq!(find_hidden(&cut), Hidden { hello: None, candidate: Some(11) });
    // Empty records in front say nothing by themselves.
    let empty = b"\x16\x03\x03\0\0".repeat(3);
    assert_eq!(find_hidden(&empty), Hidden::default());
    assert_eq!(find_hidden(&[&empty, &cut[11..]].concat()).candidate, Some(15));
    assert_eq!(find_probed(&[&empty, &cut[11..]].concat(), Probe::ClientHello), Ok(15));
    assert_eq!(find_probed(&[&empty, &cut[11..18]].concat(), Probe::ClientHello), Err(15));
    assert_eq!(find_probed(&empty, Probe::ClientHello), Err(14));
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

/// What is told of a cut hello is told of the whole one, too; and what was not seen is not told to be absent.
#[test]
fn a_cut_hello_says_nothing_of_what_was_cut() {
    use crate::model::EncryptedHello::{NotSeen, NotSent, Sent};
    let mut errors = TlsErrors::default();
    let mut read = |body: &[u8], is_whole| client_hello::read(body, is_whole, &mut errors);
    let body = modern_body();
    let whole = read(&body, true).unwrap();
    for length in 0..body.len() {
        let Some(cut) = read(&body[..length], false) else { continue };
        assert!(cut.cipher_suites.is_empty() || cut.cipher_suites == whole.cipher_suites, "{length}");
        assert!(
            cut.supported_groups.is_empty() || cut.supported_groups == whole.supported_groups,
            "{length}"
        );
        assert!(cut.alpn.is_empty() || cut.alpn == whole.alpn, "{length}");
        assert!(cut.key_shares.is_empty() || cut.key_shares == whole.key_shares, "{length}");
        let is_versions_seen = !cut.supported_versions.is_empty();
        assert_eq!(cut.max_version(), whole.max_version().filter(|_| is_versions_seen), "{length}");
        assert_eq!(cut.min_version(), whole.min_version().filter(|_| is_versions_seen), "{length}");
        assert_eq!(cut.encrypted_hello(), if cut.has_ech { Sent } else { NotSeen }, "{length}");
    }
    let shares = || extension(51, &[7; 40]);
    let versions = |least| extension(43, &vector8(&numbers(&[0x0303, least])));
    for (version, extensions, cut, whole) in [
        (0x0303, vec![sni(b"a.example"), shares()], NotSeen, NotSent),
        (0x0303, vec![sni(b"a.example"), versions(0x0304), shares()], NotSeen, NotSent),
        // It comes with TLS 1.3 alone.
        (0x0301, vec![sni(b"a.example"), shares()], NotSent, NotSent),
        (0x0303, vec![sni(b"a.example"), versions(0x0302), shares()], NotSent, NotSent),
        // Nothing comes behind a pre_shared_key.
        (0x0303, vec![sni(b"a.example"), extension(41, &[7; 40])], NotSent, NotSent),
        (0x0303, vec![sni(b"a.example"), extension(0xfe0d, &[7; 40])], Sent, Sent),
    ] {
        let body = client_body(version, &[], &[0x1301], &extensions);
        let of = |hello: Option<crate::model::Hello<ClientHello>>| hello.unwrap().encrypted_hello();
        assert_eq!(of(read(&body[..body.len() - 9], false)), cut, "{version:#06x} {extensions:x?}");
        assert_eq!(of(read(&body, true)), whole, "{version:#06x} {extensions:x?}");
    }
}

/// The second hello is the first one but for what the retry asks for.
#[test]
fn the_second_hello_tells_what_was_cut_of_the_first() {
    use crate::model::EncryptedHello::{NotSeen, NotSent, Sent};
    let retry = server_body(0x0303, &server_hello::RETRY_RANDOM, &[], 0x1301, &[extension(43, &[3, 4])]);
    for (more, expected) in [(extension(5, &[1; 5]), NotSent), (extension(0xfe0d, &[7; 40]), Sent)] {
        let lost = more.len();
        let extensions = [sni(b"a.example"), extension(43, &vector8(&[3, 4])), more];
        let hello = record(22, &message(1, &client_body(0x0303, &[], &[0x1301], &extensions)));
        for (second, expected) in [(&[][..], NotSeen), (&hello, expected)] {
            let mut session = Session::new();
            session.client(&hello[..hello.len() - lost], at(1));
            session.client_gap(None);
            session.server(&record(22, &message(2, &retry)), at(2));
            session.client(second, at(3));
            assert_eq!(session.finish().encrypted_hello(), expected);
        }
    }
}

#[test]
fn leaves_a_server_hello_without_its_suite_out() {
    let server = record(22, &old_server(&[1; 32], 0xc02f));
    for length in 0..server.len() {
        let hello = run(&[], &server[..length]).server_hello;
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
        prop_assert_eq!(client_hello_in(&bytes), None);
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

#[test]
fn finds_an_alert_that_ends_a_stream() {
    let alert = record(21, &[2, 40]);
    assert_eq!(find_last_alert(&alert), Some(0));
    assert_eq!(find_last_alert(&[b"in front", &alert[..]].concat()), Some(8));
    for other in
        [record(21, &[1, 0]), record(21, &[2; 26]), record(23, &[2, 40]), [&alert[..], &[0]].concat()]
    {
        assert_eq!(find_last_alert(&other), None, "{other:?}");
    }
    assert_eq!(find_last_alert(&alert[..6]), None);
}
