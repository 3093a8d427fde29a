//! What is remembered must be what reading anew would give, for every hello.

use proptest::prelude::*;

use super::*;
use crate::tls::tests::{
    RFC8448_CLIENT, RFC8448_SERVER, client_body, extension, modern_body, numbers, server_body, unhex,
    vector8, vector16,
};

fn clients() -> Vec<Vec<u8>> {
    let shares = [numbers(&[29]), vector16(&[5; 4]), numbers(&[23]), vector16(&[6; 3])].concat();
    vec![
        unhex(RFC8448_CLIENT)[4..].to_vec(),
        modern_body(),
        client_body(0x0301, &[], &[5, 4], &[]),
        client_body(
            0x0303,
            &[9; 32],
            &[0xc02f],
            &[extension(40, &vector16(&shares)), extension(43, &[2, 0x7f, 0x12])],
        ),
        client_body(0x0303, &[9; 8], &[0xc02f], &[extension(51, &vector16(&shares)), extension(35, &[])]),
        client_body(
            0x0303,
            &[9; 8],
            &[0xc02f],
            &[extension(51, &shares), extension(35, &[1]), extension(35, &[2])],
        ),
    ]
}

fn servers() -> Vec<Vec<u8>> {
    let share = extension(51, &[numbers(&[29]), vector16(&[7; 32])].concat());
    vec![
        unhex(RFC8448_SERVER)[4..].to_vec(),
        server_body(
            0x0303,
            &RETRY_RANDOM,
            &[1; 32],
            0x1301,
            &[extension(43, &[3, 4]), extension(51, &[0, 23])],
        ),
        server_body(
            0x0303,
            &[8; 32],
            &[],
            0xc02f,
            &[extension(16, &vector16(&vector8(b"h2"))), extension(22, &[])],
        ),
        server_body(
            0x0303,
            &[8; 32],
            &[1; 32],
            0x1301,
            &[share, extension(41, &[0, 0]), extension(43, &[3, 4])],
        ),
        server_body(0x0301, &[8; 32], &[1; 4], 5, &[]),
    ]
}

/// Gives a body to one memory and expects the answer of the reader.
fn assert_same(hellos: &mut Hellos, body: &[u8]) {
    for is_whole in [true, false] {
        let (mut seen, mut expected) = (TlsErrors::default(), TlsErrors::default());
        let client = hellos.client(body, is_whole, &mut seen);
        let read = client_hello::read(body, is_whole, &mut expected);
        assert_eq!((client.as_ref().map(|(hello, ..)| hello), seen), (read.as_ref(), expected));
        if let Some((hello, kind, _)) = client {
            assert_eq!(kind.ja3.as_deref(), fingerprint::ja3(&hello).as_deref());
            assert_eq!(kind.ja4.as_deref(), fingerprint::ja4(&hello).as_deref());
        }
        let (mut seen, mut expected) = (TlsErrors::default(), TlsErrors::default());
        let server = hellos.server(body, is_whole, &mut seen);
        let read = server_hello::read(body, is_whole, &mut expected);
        assert_eq!((server.as_ref().map(|(hello, ..)| hello), seen), (read.as_ref(), expected));
        if let Some((hello, kind, _)) = server {
            assert_eq!(kind.ja3s.as_deref(), fingerprint::ja3s(&hello).as_deref());
        }
    }
}

#[test]
fn reads_each_kind_once() {
    let mut hellos = Hellos::default();
    for (number, body) in clients().iter().enumerate() {
        let mut read = |body: &[u8]| hellos.client(body, true, &mut TlsErrors::default()).unwrap();
        let (first, _, is_new) = read(body);
        let mut other = body.clone();
        other[2..34].fill(number as u8);
        let (second, _, is_new_again) = read(&other);
        assert_eq!((is_new, is_new_again), (IsNew(true), IsNew(false)));
        assert_eq!(first.kind.address(), second.kind.address());
    }
    for body in servers() {
        let mut read = |body: &[u8]| hellos.server(body, true, &mut TlsErrors::default()).unwrap();
        let first = read(&body).0;
        let mut other = body.clone();
        if !first.is_hello_retry_request {
            other[2..34].fill(3);
        }
        let (second, _, is_new) = read(&other);
        assert_eq!((is_new, first.kind.address()), (IsNew(false), second.kind.address()));
    }
    let [(leaf, is_new), (again, is_new_again)] = [(); 2].map(|()| hellos.certificate(b"certificate"));
    assert!(Arc::ptr_eq(&leaf, &again));
    assert_eq!((is_new, is_new_again), (IsNew(true), IsNew(false)));
}

#[test]
fn tells_every_change_of_one_byte() {
    let mut hellos = Hellos::default();
    for body in [clients(), servers()].concat() {
        for at in 0..body.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = body.clone();
                changed[at] ^= flip;
                assert_same(&mut hellos, &changed);
                assert_same(&mut hellos, &body[..at]);
            }
        }
        assert_same(&mut hellos, &[&body[..], &[0]].concat());
    }
}

proptest! {
    #[test]
    fn tells_random_changes(
        which in 0_usize..11,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        again in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut hellos = Hellos::default();
        let mut body = [clients(), servers()].concat()[which].clone();
        assert_same(&mut hellos, &body);
        for changes in [changes, again] {
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            assert_same(&mut hellos, &body);
        }
    }
}
