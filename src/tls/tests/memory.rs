//! What a connection holds is counted, once, by one of those that hold it.

use super::*;
use crate::tls::order::Seen;
use crate::tls::server_hello::RETRY_RANDOM;

fn seen() -> Seen {
    at(1).into()
}

/// What `take` adds to the bytes of a connection.
fn added(session: &mut Session, hellos: &mut Hellos, take: impl FnOnce(&mut Session, &mut Hellos)) -> usize {
    let before = session.held_bytes();
    take(session, hellos);
    session.held_bytes() - before
}

fn many_extensions() -> Vec<Vec<u8>> {
    (0x4000..0x5000).map(|id| extension(id, &[])).collect()
}

#[test]
fn counts_what_both_sides_say() {
    let hello = record(22, &message(1, &client_body(0x0303, &[], &[0x1301], &many_extensions())));
    let answer = |random: &[u8; 32]| {
        let extensions = [&[extension(43, &[3, 4])][..], &many_extensions()].concat();
        record(22, &message(2, &server_body(0x0303, random, &[], 0x1301, &extensions)))
    };
    let (mut session, mut hellos) = (Session::new(), Hellos::default());
    let of_client = |session: &mut Session, hellos: &mut Hellos| session.client_with(&hello, seen(), hellos);
    // Each number takes two bytes.
    assert!(added(&mut session, &mut hellos, of_client) > 0x2000);
    let retry = answer(&RETRY_RANDOM);
    assert!(
        added(&mut session, &mut hellos, |session, hellos| session.server_with(&retry, seen(), hellos))
            > 0x2000
    );
    // Hellos of equal kind are one, which is counted already.
    assert_eq!(added(&mut session, &mut hellos, of_client), 0);
    let answer = answer(&[8; 32]);
    assert!(
        added(&mut session, &mut hellos, |session, hellos| session.server_with(&answer, seen(), hellos))
            > 0x2000
    );
    // What nobody takes is not held.
    for _ in 0..3 {
        let other = record(22, &message(1, &modern_body()));
        assert_eq!(added(&mut session, &mut hellos, |session, _| session.client(&other, at(1))), 0);
    }
}

#[test]
fn counts_the_kinds_of_ssl2() {
    let kinds = [7, 0, 0xc0].repeat(4_000);
    let length = (kinds.len() as u16).to_be_bytes();
    let hello = [&[1, 3, 1][..], &length, &[0, 0, 0, 16], &kinds, &[9; 16]].concat();
    let hello = [&(0x8000 | hello.len() as u16).to_be_bytes()[..], &hello].concat();
    let (mut session, mut hellos) = (Session::new(), Hellos::default());
    let bytes =
        added(&mut session, &mut hellos, |session, hellos| session.client_with(&hello, seen(), hellos));
    assert!(session.has_client_hello() && bytes >= 4_000 * 16, "{bytes}");
}

/// Those who share something count it once; what is not shared any more can be nobody's memory but that of who is there.
#[test]
fn counts_hellos_of_a_kind_once_whoever_ends_first() {
    let mut hellos = Hellos::default();
    let mut hold = |kind: u16| {
        let names: Vec<u8> = [vector8(&kind.to_be_bytes()), vector8(b"a").repeat(2_000)].concat();
        let body = client_body(0x0303, &[], &[0x1301], &[extension(16, &vector16(&names))]);
        let mut session = Session::new();
        let hello = record(22, &message(1, &body));
        added(&mut session, &mut hellos, |session, hellos| session.client_with(&hello, seen(), hellos));
        session
    };
    let mut all = Vec::new();
    for kind in 0..400 {
        let first = hold(kind);
        all.push(hold(kind));
        drop(first);
    }
    let counted: usize = all.iter().map(Session::held_bytes).sum();
    let hellos = all.into_iter().filter_map(|session| session.finish().client_hello);
    let held: usize = hellos.map(|hello| hello.kind.size_bytes()).sum();
    assert!(held > 40 << 20 && held - counted.min(held) < 10 << 20, "{held} {counted}");
}
