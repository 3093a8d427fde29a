//! Hellos that no two peers come to terms by prove nothing; those of real ones do, whatever else they say.

use super::*;
use crate::tls::server_hello::RETRY_RANDOM;

const NAME: &[u8] = b"a.example";

fn shares(groups: &[u16]) -> Vec<u8> {
    let entry = |group: &u16| [numbers(&[*group]), vector16(&[5; 32])].concat();
    extension(51, &vector16(&groups.iter().flat_map(entry).collect::<Vec<_>>()))
}

fn versions(of: &[u16]) -> Vec<u8> {
    extension(43, &vector8(&numbers(of)))
}

fn alpn(name: &[u8]) -> Vec<u8> {
    extension(16, &vector16(&vector8(name)))
}

fn groups() -> Vec<u8> {
    extension(10, &vector16(&numbers(&[0x1a1a, 29, 23])))
}

/// A hello of TLS 1.3 with these extensions behind those it needs.
fn hello(more: &[Vec<u8>]) -> Vec<u8> {
    hello_with(&[3; 32], &[0x1301, 0xc02f], more)
}

fn hello_with(id: &[u8], suites: &[u16], more: &[Vec<u8>]) -> Vec<u8> {
    let first = [sni(NAME), groups(), extension(23, &[])];
    record(22, &message(1, &client_body(0x0303, id, suites, &[&first[..], more].concat())))
}

/// With a share of x25519.
fn hello13(more: &[Vec<u8>]) -> Vec<u8> {
    hello(&[&[versions(&[0x0304, 0x0303]), shares(&[29])][..], more].concat())
}

fn answer(random: &[u8; 32], suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    record(22, &message(2, &server_body(0x0303, random, &[3; 32], suite, extensions)))
}

/// Of TLS 1.3 with a share of this group.
fn answer13(group: u8, more: &[Vec<u8>]) -> Vec<u8> {
    let needed = [extension(43, &[3, 4]), extension(51, &[0, group, 0, 1, 9])];
    answer(&[8; 32], 0x1301, &[&needed[..], more].concat())
}

fn retry(more: &[Vec<u8>]) -> Vec<u8> {
    answer(&RETRY_RANDOM, 0x1301, &[&[extension(43, &[3, 4])][..], more].concat())
}

fn retry_of(group: u8) -> Vec<u8> {
    retry(&[extension(51, &[0, group])])
}

fn agree(client: &[u8], server: &[u8]) -> bool {
    run(client, server).is_choice_offered()
}

#[test]
fn takes_no_extension_twice() {
    assert!(agree(&hello13(&[]), &answer13(29, &[])));
    let twice = hello13(&[versions(&[0x0303])]);
    let mut random = [8; 32];
    random[24..].copy_from_slice(b"DOWNGRD\x01");
    assert!(!agree(&twice, &answer(&random, 0xc02f, &[])), "a downgrade that would be hidden");
    for (is_proof, more) in [
        (false, vec![shares(&[23])]),
        (false, vec![extension(0x1234, &[]), extension(0x1234, &[])]),
        (false, vec![extension(0xff01, &[0]), extension(0xff01, &[0])]),
        (true, vec![extension(0x2a2a, &[]), extension(0x2a2a, &[0])]),
        (true, vec![extension(0x2a2a, &[]), extension(0x3a3a, &[])]),
    ] {
        assert_eq!(agree(&hello13(&more), &answer13(29, &[])), is_proof, "{more:?}");
    }
    for more in [vec![extension(43, &[3, 4])], vec![extension(51, &[0, 29, 0, 1, 9])]] {
        assert!(!agree(&hello13(&[]), &answer13(29, &more)), "{more:?}");
    }
    let retries = retry(&[extension(51, &[0, 23]), extension(51, &[0, 23])]);
    assert!(!agree(&hello13(&[]), &[retries, answer13(23, &[])].concat()));
}

#[test]
fn takes_no_answer_to_what_was_not_asked() {
    let (h2, http) = (alpn(b"h2"), alpn(b"http/1.1"));
    let [tickets, renegotiation, next_protocols, encrypt_then_mac] =
        [35, 0xff01, 13_172, 22].map(|id| extension(id, &[]));
    for (is_proof, asked, answered) in [
        (true, vec![], vec![]),
        (true, vec![h2.clone()], vec![h2.clone()]),
        (false, vec![], vec![h2.clone()]),
        (false, vec![http], vec![h2.clone()]),
        (true, vec![tickets.clone()], vec![tickets.clone()]),
        (false, vec![], vec![tickets]),
        (true, vec![next_protocols.clone()], vec![next_protocols.clone()]),
        (false, vec![], vec![next_protocols]),
        (false, vec![], vec![encrypt_then_mac]),
        (true, vec![], vec![extension(23, &[])]),
        (true, vec![renegotiation.clone()], vec![renegotiation.clone()]),
        (false, vec![], vec![renegotiation.clone()]),
        // Servers that send these unasked are known, and so are clients that take them.
        (true, vec![], vec![extension(18, &[1]), extension(0xfde8, &[1])]),
    ] {
        let is_seen = agree(&hello(&asked), &answer(&[8; 32], 0xc02f, &answered));
        assert_eq!(is_seen, is_proof, "{asked:?} {answered:?}");
    }
    // A suite that is none asks for it, too, also in the form of SSL 2.
    let with_sign = hello_with(&[], &[0xc02f, 0x00ff], &[]);
    let answered = answer(&[8; 32], 0xc02f, std::slice::from_ref(&renegotiation));
    assert!(agree(&with_sign, &answered));
    let kinds = [0, 0xc0, 0x2f, 0, 0, 0xff];
    let ssl2 = [&[0x80, 31, 1, 3, 3, 0, 6, 0, 0, 0, 16][..], &kinds, &[9; 16]].concat();
    assert!(agree(&ssl2, &answered) && !agree(&ssl2, &answer(&[8; 32], 0xc02f, std::slice::from_ref(&h2))));
    // TLS 1.3 encrypts what it answers there.
    assert!(!agree(&hello13(std::slice::from_ref(&h2)), &answer13(29, &[h2])));
    assert!(!agree(&hello13(&[]), &answer13(29, &[extension(23, &[])])));
    // More than anybody asks for.
    let many: Vec<_> = (0x4000..0x4100).map(|id| extension(id, &[])).collect();
    assert!(!agree(&hello(&many), &answer(&[8; 32], 0xc02f, &many)));
}

#[test]
fn takes_no_share_for_none() {
    let without = |more: &[Vec<u8>]| hello(&[&[versions(&[0x0304])][..], more].concat());
    for more in [vec![], vec![shares(&[])], vec![shares(&[0x2a2a])]] {
        assert!(!agree(&without(&more), &answer13(29, &[])), "{more:?}");
    }
    // It may leave the choice to the server [RFC 8446 section 4.2.8].
    let client = [without(&[shares(&[])]), without(&[shares(&[29])])].concat();
    assert!(agree(&client, &[retry_of(29), answer13(29, &[])].concat()));
}

#[test]
fn takes_a_second_hello_for_what_was_asked_alone() {
    let cookie = extension(44, &vector16(b"cookie"));
    let tls13 = [versions(&[0x0304, 0x0303]), shares(&[23])];
    let second = |more: &[Vec<u8>]| hello(&[&tls13[..], more].concat());
    let first = hello13(&[
        extension(42, &[]),
        extension(21, &[0; 90]),
        extension(0x2a2a, &[]),
        extension(41, &[1; 40]),
    ]);
    let other_groups = |groups: &[u16]| {
        let extensions = [sni(NAME), extension(10, &vector16(&numbers(groups))), extension(23, &[])];
        let extensions = [&extensions[..], &tls13].concat();
        record(22, &message(1, &client_body(0x0303, &[3; 32], &[0x1301, 0xc02f], &extensions)))
    };
    let in_another_order = [&tls13[..], &[extension(23, &[]), groups(), sni(NAME)]].concat();
    for (is_proof, name, again) in [
        (true, "another share, and nothing early", second(&[extension(41, &[2; 40])])),
        (true, "without a ticket that does not fit, with padding", second(&[extension(21, &[0; 9])])),
        (true, "a cookie", second(std::slice::from_ref(&cookie))),
        (true, "another number that is to be ignored", other_groups(&[0x3a3a, 29, 23])),
        (
            true,
            "in another order",
            record(22, &message(1, &client_body(0x0303, &[3; 32], &[0x1301, 0xc02f], &in_another_order))),
        ),
        (false, "other groups", other_groups(&[29, 23, 24])),
        (false, "another session id", hello_with(&[4; 32], &[0x1301, 0xc02f], &tls13)),
        (false, "other suites", hello_with(&[3; 32], &[0x1301], &tls13)),
        (false, "other versions", hello(&[versions(&[0x0304]), shares(&[23])])),
        (false, "two shares", hello(&[versions(&[0x0304, 0x0303]), shares(&[23, 29])])),
        (false, "one extension more", second(&[extension(35, &[])])),
        (false, "a name of a protocol", second(&[alpn(b"h2")])),
    ] {
        let facts = run(&[first.clone(), again].concat(), &[retry_of(23), answer13(23, &[])].concat());
        assert_eq!(facts.is_choice_offered(), is_proof, "{name}");
        assert!(facts.second_client_hello.is_some(), "{name}");
    }
    // A cookie alone leaves the shares as they are.
    let answers = [retry(std::slice::from_ref(&cookie)), answer13(29, &[])].concat();
    assert!(agree(&[hello13(&[]), hello13(std::slice::from_ref(&cookie))].concat(), &answers));
    assert!(
        !agree(&[hello13(&[]), hello13(&[])].concat(), &[retry(&[]), answer13(29, &[])].concat()),
        "for nothing"
    );
    let answers = [retry(&[extension(51, &[0, 23]), extension(35, &[])]), answer13(23, &[])].concat();
    assert!(!agree(&[first, second(&[])].concat(), &answers), "a retry with what was not asked for");
}

#[test]
fn takes_no_second_hello_unasked() {
    let other = hello_with(&[3; 32], &[0x0005], &[]);
    assert!(agree(&hello13(&[]).repeat(2), &answer13(29, &[])), "the same, which says nothing else");
    assert!(!agree(&hello13(&[]).repeat(3), &answer13(29, &[])));
    for other in
        [&other, &hello13(&[extension(35, &[])]), &hello(&[versions(&[0x0304, 0x0303]), shares(&[23])])]
    {
        let facts = run(&[&hello13(&[])[..], other].concat(), &answer13(29, &[]));
        assert!(!facts.is_choice_offered());
        // The first one is what the rest is about.
        assert_eq!(facts.second_client_hello, None);
        let mut session = Session::new();
        session.client(&hello13(&[]), at(1));
        session.server_gap(None);
        session.server(&answer13(29, &[]), at(2));
        session.client(other, at(3));
        assert!(session.finish().is_choice_offered(), "the retry may have been in what is missing");
    }
}

/// Records that are shorter than any Finished are none, and without a key exchange there is no key.
#[test]
fn takes_no_empty_record_for_a_finished() {
    let (_, server) = full_tls12();
    let client = old_client(&[], &[alpn(b"h2")]);
    let flight = |finished: &[u8], exchange: &[u8]| {
        let client = [&client[..], exchange, CCS, finished].concat();
        run(&client, &[&server[..server.len() - 45], finished].concat())
    };
    let exchange = record(22, &message(16, &[1; 33]));
    for (finished, is_established) in
        [(finished(), true), (record(22, &[]), false), (record(22, &[7; 15]), false)]
    {
        assert_eq!(flight(&finished, &exchange).established, is_established, "{}", finished.len());
    }
    assert!(flight(&finished(), &exchange).is_choice_offered());
    assert!(!flight(&finished(), &[]).is_choice_offered());
    // It may be in what is missing.
    let mut session = Session::new();
    session.client(&client, at(1));
    session.server(&server, at(2));
    session.client_gap(None);
    session.client(&[CCS.to_vec(), finished()].concat(), at(3));
    assert!(session.finish().is_choice_offered());
}
