//! Calls in clear of which nothing but the answer was seen.

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n\
    Content-Length: 2\r\nx-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJ\r\nx-amz-crc32: 2745614147\r\n\r\n{}";
const HTTP: ([u8; 4], u16) = ([52, 94, 5, 10], 80);

/// Without what the client sent.
fn one_way(mut wire: Wire) -> Wire {
    wire.packets.retain(|packet| packet[12..16] == wire.server.0);
    wire
}

/// Its verdict's parts: completeness, outcome, client, rules broken and rules not judged.
fn told(found: &Record) -> (Completeness, Outcome, bool, Vec<&str>, usize) {
    let policy = found.policy.as_ref().unwrap();
    let rules = policy.violations.iter().map(|violation| violation.rule).collect();
    (found.completeness, found.outcome, found.client.port() == CLIENT.1, rules, policy.not_assessed.len())
}

#[test]
fn an_answer_in_clear_breaks_the_rule_whatever_was_asked() {
    let expected = (Completeness::ServerOnly, Outcome::Plaintext, true, vec!["plaintext_http"], 2);
    let plain = |wire: Wire| wire.client(b"POST / HTTP/1.1\r\n\r\n").server(ANSWER);
    let interim: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    for (what, wire) in [
        ("from the beginning", plain(Wire::opened(HTTP))),
        ("joined", plain(Wire::joined(HTTP))),
        ("joined in another one", Wire::joined(HTTP).server(&[b'7'; 900]).server(ANSWER)),
        ("behind an interim one", Wire::opened(HTTP).server(interim).server(ANSWER)),
        ("in one segment with that", Wire::opened(HTTP).server(&[interim, ANSWER].concat())),
        (
            "behind one without its body",
            Wire::opened(HTTP).server(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n").server(ANSWER),
        ),
        ("in pieces", ANSWER.chunks(7).fold(Wire::opened(HTTP), Wire::server)),
        (
            "with more behind",
            (0..40).fold(Wire::opened(HTTP).server(ANSWER), |wire, _| wire.server(&[b'7'; 1_000])),
        ),
    ] {
        assert_eq!(told(&one_way(wire).record()), expected, "{what}");
    }
    // Where the request is there, it is what counts, and where it is lost, the answer.
    let both =
        || Wire::opened(HTTP).client(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n").server(ANSWER).flag(1, FIN);
    assert_eq!(both().record().completeness, Completeness::Full);
    let mut lost = both();
    lost.packets.remove(3);
    assert_eq!(told(&lost.record()), expected);
}

#[test]
fn no_other_answer_is_one_of_an_api() {
    let error: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let found = one_way(Wire::opened(HTTP).server(error)).record();
    assert_eq!((found.completeness, found.outcome), (Completeness::MidStream, Outcome::NotSeen));
    // Elsewhere it may be any service's.
    assert!(one_way(Wire::opened(ELSEWHERE).server(ANSWER)).records_cut(usize::MAX, false).is_empty());
    let found = one_way(Wire::opened(ELSEWHERE).server(ANSWER)).records_cut(usize::MAX, true).remove(0);
    assert_eq!((found.outcome, found.endpoint.service), (Outcome::Plaintext, None));
    // TLS that follows is what counts.
    let found = one_way(Wire::opened(HTTP).server(ANSWER).server(&server_hello(3))).record();
    assert!(found.tls.is_some() && found.outcome != Outcome::Plaintext);
}
