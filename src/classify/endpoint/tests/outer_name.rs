//! A name beside what may be an Encrypted Client Hello.

use super::*;

/// What is missing of a hello makes nothing surer, and contradicts nothing.
#[test]
fn a_cut_hello_claims_no_more_than_a_whole_one_whatever_was_in_it() {
    use Confidence::{Certain, Likely, Possible};
    let ours = || Case { sni: sni(REGIONAL), ..Case::default() };
    let other = || Case { sni: sni("www.example.com"), ..Case::default() };
    let shown = || certificate(&["www.example.com"]);
    for (mut case, expected, has_conflict) in [
        // A name alone, one at an address that contradicts it, and others that something supports.
        (ours(), Some(Possible), false),
        (Case { server: OUTSIDE, ..ours() }, Some(Possible), true),
        (Case { server: IN_PREFIX, ..ours() }, Some(Likely), false),
        (Case { dns: vec![REGIONAL], ..ours() }, Some(Likely), false),
        (Case { dns: vec![REGIONAL], server: IN_PREFIX, ..ours() }, Some(Certain), false),
        // Another name, which may be an outer one. A certificate says that what is inside was not taken up.
        (Case { server: IN_PREFIX, ..other() }, Some(Likely), false),
        (Case { server: IN_PREFIX, certificate: shown(), ..other() }, Some(Likely), true),
        (Case { certificate: certificate(&[REGIONAL]), ..other() }, Some(Likely), false),
        (Case { http: http(Some(REGIONAL), None), ..other() }, Some(Certain), false),
        // It outranks what DNS said, for it need not be one.
        (Case { dns: vec![REGIONAL], ..other() }, None, false),
    ] {
        let mut of = |encrypted_hello| {
            case.encrypted_hello = encrypted_hello;
            let facts = decide(&case).unwrap_or_default();
            (facts.confidence, !facts.conflict.is_empty())
        };
        let cut = of(EncryptedHello::NotSeen);
        assert_eq!(cut, (expected, has_conflict));
        for whole in [of(EncryptedHello::NotSent), of(EncryptedHello::Sent)] {
            assert!(cut.0 <= whole.0 && cut.1 <= whole.1, "{cut:?} {whole:?} {:?} {}", case.sni, case.server);
        }
    }
}
