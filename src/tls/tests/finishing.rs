//! When a handshake is finished, and when it only looks like it.

use super::*;

/// A conversation in which each side acknowledges all that the other has said.
#[derive(Default)]
struct Talk {
    session: Session,
    said: [u32; 2],
    hellos: Hellos,
}

impl Talk {
    /// One of TLS 1.3 up to the server's Finished, each message in a record of its own.
    fn of_tls13() -> Self {
        Self::with_flight([23, 668, 97, 53])
    }

    /// The same of a server that pads each record by 16 bytes, as JSSE does.
    fn of_padded_tls13() -> Self {
        Self::with_flight([39, 684, 113, 69])
    }

    fn with_flight(lengths: [usize; 4]) -> Self {
        let flight = lengths.map(|length| record(23, &vec![0xd7; length])).concat();
        Self::default()
            .client(&record(22, &unhex(RFC8448_CLIENT)))
            .server(&[record(22, &unhex(RFC8448_SERVER)), CCS.to_vec(), flight].concat())
            .client(CCS)
    }

    fn next(&mut self, from: usize, length: usize) -> Seen {
        self.said[from] += length as u32;
        let at = at(u64::from(self.said[0] + self.said[1]));
        Seen { at, acknowledgment: Some(self.said[1 - from]), end: Some(self.said[from]) }
    }

    fn client(mut self, bytes: &[u8]) -> Self {
        let seen = self.next(0, bytes.len());
        self.session.client_with(bytes, seen, &mut self.hellos);
        self
    }

    fn server(mut self, bytes: &[u8]) -> Self {
        let seen = self.next(1, bytes.len());
        self.session.server_with(bytes, seen, &mut self.hellos);
        self
    }

    /// Encrypted records of these lengths.
    fn client_records(self, lengths: &[usize]) -> Self {
        lengths.iter().fold(self, |talk, length| talk.client(&record(23, &vec![0xd7; *length])))
    }

    fn server_records(self, lengths: &[usize]) -> Self {
        lengths.iter().fold(self, |talk, length| talk.server(&record(23, &vec![0xd7; *length])))
    }

    fn is_established(&self) -> bool {
        self.session.is_decided()
    }
}

/// A certificate in a record of its own may be the last that a client sends.
#[test]
fn a_certificate_of_the_client_is_no_finished() {
    // By OpenSSL and JSSE, and padded to a multiple of 256.
    for (certificate, alert) in [(1_684, 19), (1_684, 35), (272, 272)] {
        let talk = Talk::of_tls13().client_records(&[certificate]);
        assert!(!talk.is_established());
        assert!(!talk.client_records(&[alert]).is_established(), "{certificate}");
        // That the server gives up does not mean that it had the Finished.
        let talk = Talk::of_tls13().client_records(&[certificate]).server_records(&[19, 19]);
        assert!(!talk.is_established(), "{certificate}");
        let talk = Talk::of_padded_tls13().client_records(&[certificate]).server_records(&[35, 35]);
        assert!(!talk.is_established(), "{certificate}");
    }
    // What the server sent before it had the certificate is no answer to it.
    let talk = Talk::of_tls13().server_records(&[250, 250]).client_records(&[1_684]);
    assert!(!talk.is_established());
}

#[test]
fn a_finished_of_its_own_size_ends_the_handshake() {
    // Alone; with an empty Certificate; with the extensions for ALPS; padded by JSSE.
    for length in [53, 61, 63, 69] {
        assert!(Talk::of_tls13().client_records(&[length]).is_established(), "{length}");
    }
    for length in [19, 35, 52, 54, 64, 97] {
        assert!(!Talk::of_tls13().client_records(&[length]).is_established(), "{length}");
    }
    // Behind the certificate of the client and its signature, and no sooner.
    let talk = Talk::of_tls13().client_records(&[1_008, 97, 53]);
    let newest = u64::from(talk.said[0] + talk.said[1]);
    assert_eq!(talk.session.finish().established_at, Some(at(newest)));
}

/// All in one record, or padded, or in many: the size does not show it, but the server goes on.
#[test]
fn an_answer_tells_of_a_finished_that_does_not_show() {
    for flight in [&[1_800, 40][..], &[272, 40], &[33, 33, 21], &[272, 528, 272]] {
        let flown = || Talk::of_tls13().client_records(flight);
        let began = flown().said;
        let talk = flown().client_records(&[40]).server_records(&[250]);
        assert!(talk.is_established(), "{flight:?}");
        let ended = talk.session.finish().established_at.unwrap();
        assert!(ended <= at(u64::from(began[0] + began[1])), "it had finished before it was answered");
        // A server that pads nothing sends no alert of so many bytes.
        assert!(flown().server_records(&[29]).is_established(), "{flight:?}");
        assert!(!flown().server_records(&[19, 19]).is_established(), "{flight:?}");
        let flown = || Talk::of_padded_tls13().client_records(flight);
        assert!(flown().server_records(&[33, 33, 33, 33, 33]).is_established(), "{flight:?}");
        assert!(!flown().server_records(&[35, 45]).is_established(), "{flight:?}");
    }
    // Not so many bytes as a Finished has.
    assert!(!Talk::of_tls13().client_records(&[33, 19]).server_records(&[250]).is_established());
    // Of a server that pads each record the first may be an alert, and then it is the last.
    let padded = || {
        Talk::default()
            .client(&record(22, &unhex(RFC8448_CLIENT)))
            .server(&[record(22, &unhex(RFC8448_SERVER)), CCS.to_vec()].concat())
            .server_records(&[272, 1_040, 272])
            .client_records(&[272, 272])
    };
    assert!(!padded().server_records(&[272]).is_established());
    assert!(padded().server_records(&[272, 272]).is_established());
}

/// A server may talk before it has the Finished; then what follows the certificate alone is no answer to more.
#[test]
fn what_a_server_says_by_itself_answers_no_certificate() {
    for certificate in [1_684, 272] {
        for words in [&[44][..], &[217, 19], &[250, 250, 250]] {
            let talk = Talk::of_tls13().client_records(&[certificate]).server_records(words);
            assert!(!talk.is_established(), "{certificate} {words:?}");
            // The client goes on, and so does the server.
            assert!(talk.client_records(&[60]).server_records(&[250]).is_established());
        }
    }
}

/// Where the two directions come from taps of their own, the answer may be heard first.
#[test]
fn an_answer_may_be_heard_before_what_it_answers() {
    for (acknowledged, is_established) in [(0, false), (5 + 1_800 + 5 + 40, true)] {
        let mut talk = Talk::of_tls13();
        talk.said[0] += acknowledged;
        let talk = talk.server_records(&[250, 250]);
        let mut talk = Talk { said: [talk.said[0] - acknowledged, talk.said[1]], ..talk };
        assert!(!talk.is_established());
        talk = talk.client_records(&[1_800, 40]);
        assert_eq!(talk.is_established(), is_established);
    }
}

/// However much the server had acknowledged since, and in whatever order that is heard.
#[test]
fn answers_are_told_apart_by_what_they_answer() {
    let heard = |acknowledged: &[u32], lengths: &[usize]| {
        let mut talk = Talk::of_padded_tls13();
        let began = talk.said[0];
        for (more, length) in acknowledged.iter().zip(lengths) {
            talk.said[0] = began + more;
            talk = talk.server_records(&[*length]);
        }
        talk.said[0] = began;
        talk.client_records(&[1_755, 40]).is_established()
    };
    // The answer, then a close_notify to a later request.
    assert!(heard(&[1_805, 2_000], &[250, 35]));
    assert!(heard(&[2_000, 1_805, 900], &[35, 250, 250]));
    assert!(!heard(&[900, 1_804, 1_805], &[250, 250, 35]));
    // More than are told apart.
    let many: Vec<u32> = (0..20).map(|more| 1_805 + more * 100).collect();
    assert!(heard(&many, &[45; 20]));
    let many: Vec<u32> = (0..20).map(|more| more * 90).collect();
    assert!(!heard(&many, &[250; 20]));
}

/// A stream may end within a record.
#[test]
fn a_part_of_a_finished_is_none() {
    let (client, server) = full_tls12();
    let (client13, server13) = full_tls13();
    let last = finished().len();
    for (client, server, last) in [(&client, &server, last), (&client13, &server13, finished13().len())] {
        for missing in 1..last {
            let part = &client[..client.len() - missing];
            for facts in [run(part, server), run_in_turn(part, server)] {
                assert!(!facts.established, "{missing} of the client's");
            }
            // Of TLS 1.3 the server's is not told from what is before it.
            if last == finished().len() {
                let facts = run(client, &server[..server.len() - missing]);
                assert!(!facts.established, "{missing} of the server's");
            }
        }
        // The client's is heard first.
        let mut session = Session::new();
        session.client(&client[..client.len() - 1], at(1));
        session.server(server, at(2));
        assert!(!session.is_decided());
        session.client(&client[client.len() - 1..], at(3));
        assert!(session.is_decided());
        assert_eq!(session.finish().established_at, Some(at(3)));
        // It waited behind a gap, and comes with the time at which it was sent.
        let mut session = Session::new();
        session.client(&client[..client.len() - 1], at(1));
        session.server(server, at(9));
        session.client(&client[client.len() - 1..], at(3));
        assert_eq!(session.finish().established_at, Some(at(9)));
    }
}

/// What was not captured of a record was sent all the same, where more was seen behind it.
#[test]
fn a_record_that_the_capture_cut_counts_where_all_of_it_was_sent() {
    let begun = || Talk::of_tls13().client(&finished13()[..20]);
    let end = begun().said[0] - 20 + finished13().len() as u32;
    for (until, is_established) in
        [(Some(end), true), (Some(end + 900), true), (Some(end - 1), false), (None, false)]
    {
        let mut talk = begun();
        talk.session.client_gap(until);
        assert_eq!(talk.is_established(), is_established, "{until:?}");
        // The rest of it, where its end is.
        talk.said[0] = end - 1;
        assert!(talk.client(&[0]).is_established(), "{until:?}");
    }
}

/// Nothing is missing behind a message that the end of the stream cuts, but of a hello that is all there is.
#[test]
fn the_end_within_a_message_hides_no_end_of_the_handshake() {
    let (client, server) = full_tls12();
    let hello = 5 + usize::from(u16::from_be_bytes([client[3], client[4]]));
    let server_hello = 5 + old_server(&[1; 32], 0xc02f).len();
    for length in 1..server.len() {
        let mut session = Session::new();
        session.client(&client[..hello], at(1));
        session.server(&server[..length], at(2));
        session.close();
        let is_hello_cut = (6..server_hello).contains(&length);
        assert_eq!(session.errors().contains(TlsError::HandshakeGap), is_hello_cut, "{length}");
        let facts = session.finish();
        assert!(!facts.is_end_hidden, "{length}");
        assert_eq!(facts.is_truncated, is_hello_cut, "{length}");
    }
    for length in 1..client.len() {
        let mut session = Session::new();
        session.client(&client[..length.min(hello)], at(1));
        session.server(&server[..server.len() - CCS.len() - finished().len()], at(2));
        session.client(&client[length.min(hello)..length], at(3));
        let facts = session.finish();
        assert!(!facts.is_end_hidden, "{length}");
        assert_eq!(facts.is_truncated, (6..hello).contains(&length), "{length}");
    }
}

#[test]
fn early_data_is_no_finished_where_the_hello_was_missed() {
    let (_, server) = full_tls13();
    for (early, is_established) in [(true, false), (false, true)] {
        let mut session = Session::new();
        session.client_gap(None);
        let answer = |session: &mut Session| session.server(&server, at(5));
        // What waited behind the gap is given later than what the server said.
        answer(&mut session);
        session.client(&finished13(), at(if early { 1 } else { 6 }));
        assert_eq!(session.finish().established, is_established);
    }
}

#[test]
fn waits_for_the_second_hello_behind_early_data() {
    let retry = server_body(0x0303, &server_hello::RETRY_RANDOM, &[], 0x1301, &[extension(43, &[3, 4])]);
    let hello = record(22, &message(1, &modern_body()));
    let client = [hello.clone(), CCS.to_vec(), data(), hello, finished13()].concat();
    let server = [record(22, &message(2, &retry)), record(22, &unhex(RFC8448_SERVER)), data()].concat();
    let mut session = Session::new();
    session.server(&server, at(1));
    session.client(&client, at(2));
    let facts = session.finish();
    assert!(facts.established && facts.second_client_hello.is_some());
}

#[test]
fn waits_for_the_end_of_early_data() {
    let (end, finished) = (record(23, &[1; 21]), record(23, &[1; 53]));
    let hello = record(22, &message(1, &modern_body()));
    let answer = [record(22, &unhex(RFC8448_SERVER)), data()].concat();
    for last in [finished, [end.clone(), record(23, &[1; 900])].concat()] {
        let mut session = Session::new();
        session.client(&[hello.clone(), data()].concat(), at(1));
        session.server(&answer, at(2));
        session.client(&data(), at(3));
        // It may abort the handshake yet.
        session.client(&[end.clone(), record(23, &[1; 19])].concat(), at(4));
        assert!(!session.is_decided(), "the client's data may be early data only");
        session.client(&last, at(5));
        assert!(session.is_decided());
    }
}

#[test]
fn does_not_take_an_encrypted_alert_for_the_end_of_a_handshake() {
    let mut session = Session::new();
    session.client(&record(22, &unhex(RFC8448_CLIENT)), at(1));
    session.server(&[record(22, &unhex(RFC8448_SERVER)), data()].concat(), at(2));
    session.client(&record(23, &[1; 19]), at(3));
    assert!(!session.finish().established);
}
