//! What the client said in clear, with bytes missing: what is left says nothing that the whole does not.

use super::*;
use crate::model::Signature;

const SOCKS: &[u8] = b"\x05\x01\x00\x05\x01\x00\x03\x12proxy.corp.example\x0c\x38";
const CONNECT: &[u8] = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\nX: y\r\n\r\n";
const TARGET: &str = "dynamodb.eu-west-1.amazonaws.com:443";

/// So many packets without bytes that what is missing is not waited for any longer, or none.
fn waited(mut wire: Wire, waits: bool) -> Wire {
    for _ in 0..if waits { 1_100 } else { 0 } {
        wire.send(0, ACK, b"");
    }
    wire
}

fn rules(found: &Record) -> Vec<&str> {
    found.policy.iter().flat_map(|facts| &facts.violations).map(|violation| violation.rule).collect()
}

/// TLS behind what is in `wire`.
fn with_tls(wire: Wire, waits: bool) -> Record {
    let wire = waited(wire.server(b"HTTP/1.1 200 OK\r\n\r\n"), waits);
    wire.client(&client_hello()).server(&server_hello(1)).record()
}

#[test]
fn puts_nothing_together_across_missing_bytes() {
    for (from, length) in (0..CONNECT.len()).flat_map(|from| [(from, 1), (from, 9), (from, 50)]) {
        let (before, rest) = CONNECT.split_at(from);
        let (lost, after) = rest.split_at(length.min(rest.len()));
        for waits in [false, true] {
            let wire = Wire::opened(PROXY);
            let wire = if before.is_empty() { wire } else { wire.client(before) };
            let wire = wire.lost(lost);
            let wire = if after.is_empty() { wire } else { wire.client(after) };
            let found = with_tls(wire, waits);
            assert_eq!(found.proxy, None, "{from} {length} {waits}");
            assert!(!rules(&found).contains(&"endpoint_conflict"), "{from} {length} {waits}");
            assert!(!found.is_from_beginning);
        }
    }
}

#[test]
fn takes_no_password_for_a_target() {
    // Two proxies, one behind the other, and what was said to the first is lost but for its beginning.
    let password = |wire: Wire| wire.client(b"secretpw").client(b"\x05\x01\x00\x01\x0a\x01\x01\x01\x01\xbb");
    let greeting = |wire: Wire| wire.client(b"\x05\x01\x00\x05\x01\x00\x03\x08");
    let lost = b"db.local\x04\x38\x05\x01\x02\x01\x09proxyuser\x08";
    for waits in [false, true] {
        assert_eq!(with_tls(password(greeting(Wire::opened(PROXY)).lost(lost)), waits).proxy, None);
        // A password may be anything: the words to a proxy, too.
        let like_socks = |wire: Wire| wire.client(b"\x05\x01\x00\x05\x01\x00\x01\x0a\x01\x01\x01\x01\xbb");
        let found = with_tls(waited(like_socks(greeting(Wire::opened(PROXY)).lost(lost)), waits), waits);
        assert_eq!(found.proxy, None);
    }
}

#[test]
fn what_was_asked_of_a_proxy_in_front_of_missing_bytes_is_not_what_tls_runs_to() {
    for waits in [false, true] {
        let found = with_tls(Wire::opened(PROXY).client(SOCKS).client(CONNECT), waits);
        assert_eq!(found.proxy.as_ref().and_then(|proxy| proxy.target.as_deref()), Some(TARGET));
        let found = with_tls(Wire::opened(PROXY).client(SOCKS).lost(CONNECT), waits);
        assert_eq!(found.proxy, None, "{waits}");
        assert!(!rules(&found).contains(&"endpoint_conflict"), "{:?}", rules(&found));
        // Nor is it known what kind of proxy that was.
        let found = with_tls(Wire::opened(PROXY).lost(CONNECT).client(b"PROXY UNKNOWN\r\n"), waits);
        assert_eq!(found.proxy, None, "{waits}");
        // What is seen whole behind them is.
        let found = with_tls(Wire::opened(PROXY).lost(SOCKS).client(CONNECT), waits);
        assert_eq!(found.proxy.and_then(|proxy| proxy.target).as_deref(), Some(TARGET), "{waits}");
    }
}

/// A request with a method.
fn request(method: &str, operation: &str, is_signed: bool) -> Vec<u8> {
    let signature = "Authorization: AWS4-HMAC-SHA256 Credential=ASIAX/20260102/eu-west-1/dynamodb/aws4_request, \
        SignedHeaders=host, Signature=00\r\n";
    format!(
        "{method} / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n{operation}{}\r\n",
        if is_signed { signature } else { "" }
    )
    .into_bytes()
}

#[test]
fn remembers_that_bytes_are_missing_in_front_of_the_first_request() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let unsigned = request("POST", "X-Amz-Target: DynamoDB_20120810.Query\r\n", false);
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    let judge = |wire: Wire, waits: bool| {
        let found = waited(wire.server(ok), waits).server(ok).record();
        let not_assessed = found.policy.as_ref().unwrap().not_assessed.contains(&"unsigned_request");
        (found.completeness, not_assessed, found.http.unwrap().method)
    };
    let method = Some("POST".to_owned());
    for waits in [false, true] {
        // A whole one, and the beginning of one, with and without another in front.
        let wire = Wire::opened(DYNAMODB).lost(&unsigned).client(&signed);
        assert_eq!(judge(wire, waits), (Completeness::Truncated, true, method.clone()));
        let wire = Wire::opened(DYNAMODB).lost(&signed[..2]).client(&signed[2..]);
        assert_eq!(judge(wire, waits), (Completeness::Truncated, true, None));
        let other = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
        let wire = Wire::opened(DYNAMODB).client(other).lost(&signed[..2]).client(&signed[2..]);
        assert_eq!(judge(wire, waits), (Completeness::Truncated, true, None));
        // Nothing is missing; what the server said is another matter.
        let wire = Wire::opened(DYNAMODB).client(&signed);
        assert_eq!(judge(wire, waits), (Completeness::Full, false, method.clone()));
    }
    let mut wire = Wire::opened(DYNAMODB).server(b"welcome").server(b"welcome").client(&signed);
    wire.packets.remove(3);
    assert_eq!(judge(wire, true), (Completeness::Full, false, method));
}

/// As where one mirror shows both sides of a firewall that gives connections other sequence numbers.
#[test]
fn a_connection_that_another_took_the_place_of_may_have_said_more() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let again = |wire: Wire| {
        let mut next = Wire { sequence: [77_000_000, 99_000_000], ..wire };
        next.send(0, SYN, b"");
        next.send(1, SYN | ACK, b"");
        next.client(&signed).server(b"HTTP/1.1 200 OK\r\n\r\n")
    };
    let first = || Wire::opened(DYNAMODB).client(&signed).server(b"HTTP/1.1 200 OK\r\n\r\n");
    for (wire, is_open) in [(first(), true), (first().flag(0, FIN).flag(1, FIN), false)] {
        let found = again(wire).records_cut(usize::MAX, false);
        let open: Vec<bool> = found
            .iter()
            .map(|record| record.policy.as_ref().unwrap().not_assessed.contains(&"unsigned_request"))
            .collect();
        assert_eq!(open, [is_open, false]);
    }
}

/// Where the capture began within a request, wherever that was: no request, or one of which no more is told than was seen.
#[test]
fn tells_no_more_of_a_request_that_it_joined_than_it_saw() {
    for whole in
        [request("OPTIONS", "", false), request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", false)]
    {
        for cut in 0..whole.len() {
            let found =
                Wire::joined(DYNAMODB).client(&whole[cut..]).server(b"HTTP/1.1 200 OK\r\n\r\n").record();
            let Some(http) = &found.http else { continue };
            let told =
                (found.completeness == Completeness::Full, http.method.is_some(), http.signature.is_some());
            let is_whole = cut == 0;
            assert_eq!(told, (is_whole, is_whole, is_whole), "{cut} {:?}", http.method);
            assert_eq!(rules(&found).contains(&"unsigned_request"), is_whole && whole.starts_with(b"POST"));
            // Another may have come before.
            assert!(found.policy.unwrap().not_assessed.contains(&"long_term_credential"), "{cut}");
        }
    }
    // What is seen of it is enough to tell that it is one, and no more of it need come.
    let cut = Wire::joined(DYNAMODB).client(b"PTIONS / HTTP/1.1\r\nHost: a").record();
    assert_eq!((cut.completeness, cut.outcome), (Completeness::Truncated, Outcome::Plaintext));
    assert_eq!(cut.http.unwrap().method, None);
}

/// Any three bytes of what is encrypted may look like the beginning of one.
#[test]
fn takes_no_part_of_tls_for_a_request() {
    let records = record(23, &[7; 80]);
    for likeness in [&b"Y /"[..], b"y /ab", b"OST / HT"] {
        for snap in [40 + likeness.len(), usize::MAX] {
            let wire = || Wire::joined(DYNAMODB).client(likeness);
            for (wire, is_established) in [
                (wire(), false),
                (wire().server(&records), false),
                (wire().server(&records).client(&records).server(&records), true),
                (wire().lost(&[7; 20]).client(&records).server(&records), true),
            ] {
                let found = wire.records_cut(snap, false).remove(0);
                assert_eq!(found.outcome, Outcome::NotSeen, "{likeness:?} {snap}");
                assert_eq!(found.completeness, Completeness::MidStream, "{likeness:?} {snap}");
                let is_seen = found.tls.is_some_and(|tls| tls.established);
                assert!(is_seen == is_established || snap < usize::MAX, "{likeness:?}");
            }
        }
    }
    // The server's answer tells of a known method, too; and where the connection was seen to open, a little is enough.
    let found = Wire::joined(DYNAMODB).client(b"GET /").server(&records).record();
    assert_eq!(found.outcome, Outcome::NotSeen);
    assert_eq!(Wire::joined(DYNAMODB).client(b"GET /").record().outcome, Outcome::Plaintext);
    assert_eq!(Wire::opened(DYNAMODB).client(b"y /ab").record().outcome, Outcome::Plaintext);
}

/// What a browser asks beforehand is not signed, and is known by its method.
#[test]
fn calls_no_request_unsigned_of_which_the_method_is_cut() {
    let preflight = request("OPTIONS", "", false);
    let first = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    for cut in [1, 3] {
        let (lost, rest) = preflight.split_at(cut);
        let alone = Wire::opened(DYNAMODB).lost(lost).client(rest).record();
        let behind = Wire::opened(DYNAMODB).client(&first).lost(lost).client(rest).record();
        for found in [alone, behind] {
            assert!(!rules(&found).contains(&"unsigned_request"), "{cut}");
            assert!(found.policy.unwrap().not_assessed.contains(&"unsigned_request"), "{cut}");
            assert_ne!(found.http.unwrap().signature, Some(Signature::None));
        }
    }
}

#[test]
fn what_came_before_the_capture_is_not_known() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let open = |wire: Wire| {
        let found = wire.client(&signed).server(b"HTTP/1.1 200 OK\r\n\r\n").record();
        found.policy.unwrap().not_assessed
    };
    assert_eq!(open(Wire::joined(DYNAMODB)), ["unsigned_request", "long_term_credential"]);
    assert!(open(Wire::opened(DYNAMODB)).is_empty());
}

#[test]
fn two_segments_that_disagree_leave_open_what_was_asked() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let mut unsigned = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", false);
    let padding = signed.len() - unsigned.len() - "X: \r\n".len();
    unsigned.truncate(unsigned.len() - 2);
    unsigned.extend(format!("X: {}\r\n\r\n", "a".repeat(padding)).bytes());
    for (second, completeness, open) in
        [(&unsigned, Completeness::Truncated, 2), (&signed, Completeness::Full, 0)]
    {
        let mut wire = Wire::opened(DYNAMODB).client(&signed);
        wire.sequence[0] -= signed.len() as u32;
        let found = wire.client(second).server(b"HTTP/1.1 200 OK\r\n\r\n").record();
        assert_eq!((found.completeness, found.policy.unwrap().not_assessed.len()), (completeness, open));
    }
}

/// A client may use a connection again that its server has closed, after whatever time.
#[test]
fn a_client_that_has_not_closed_may_have_said_more() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let asked = || Wire::opened(DYNAMODB).client(&signed).server(b"HTTP/1.1 200 OK\r\n\r\n");
    for (name, wire, is_open) in [
        ("open", asked(), true),
        ("closed by the server", asked().flag(1, FIN), true),
        ("closed by the client", asked().flag(0, FIN), false),
        ("closed", asked().flag(1, FIN).flag(0, FIN), false),
        ("reset", asked().flag(1, RST), false),
    ] {
        // What is seen of another connection makes the time pass, or the capture ends.
        for waits in [true, false] {
            let mut other = Wire::opened(ELSEWHERE).packets;
            other.truncate(if waits { 2 } else { 0 });
            let frames =
                wire.packets.iter().map(|packet| (0, packet)).chain(other.iter().map(|packet| (100, packet)));
            let found = records_at(frames).remove(0);
            assert_eq!(!found.policy.unwrap().not_assessed.is_empty(), is_open && waits, "{name} {waits}");
        }
    }
}

/// What does not say whose it is goes where the connection goes.
#[test]
fn no_request_to_the_address_alone_hides() {
    let signed = request("POST", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true);
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    for bare in [&b"POST / HTTP/1.1\r\nHost: 52.94.5.10\r\n\r\n"[..], b"POST / HTTP/1.0\r\n\r\n"] {
        for pair in [[&signed[..], bare], [bare, &signed]] {
            let said =
                |server| pair.iter().fold(Wire::opened(server), |wire, said| wire.client(said).server(ok));
            let found = said(DYNAMODB).record();
            assert_eq!(found.http.as_ref().unwrap().signature, Some(Signature::Sigv4));
            assert!(rules(&found).contains(&"unsigned_request"));
            // Elsewhere it may be to anybody, or not be meant for there.
            let found = said(ELSEWHERE).record();
            assert!(!rules(&found).contains(&"unsigned_request"));
            let has_host = bare.ends_with(b"52.94.5.10\r\n\r\n");
            assert_eq!(found.policy.unwrap().not_assessed.is_empty(), has_host);
        }
    }
    // Where the name is another than the address's it is still DynamoDB's, and an interface endpoint has its own.
    let to = |host: &str, is_signed: bool| {
        let key = "Authorization: AWS4-HMAC-SHA256 Credential=ASIAX/20260102/us-east-1/dynamodb/aws4_request, Signature=00";
        let signature = if is_signed { key } else { "X: y" };
        format!("POST / HTTP/1.1\r\nHost: {host}\r\n{signature}\r\n\r\n").into_bytes()
    };
    let interface = "vpce-0123456789abcdef0-abcdefgh.dynamodb.us-east-1.vpce.amazonaws.com";
    for (server, host) in [(DYNAMODB, "dynamodb.us-east-1.amazonaws.com"), (ELSEWHERE, interface)] {
        let own = std::net::Ipv4Addr::from(server.0).to_string();
        for (other, is_own) in [(own.as_str(), true), ("10.99.99.99", false), ("[::1]", false)] {
            let bare = to(other, false);
            let of = |pair: [&[u8]; 2]| {
                pair.iter().fold(Wire::opened(server), |wire, said| wire.client(said).server(ok)).record()
            };
            for pair in [[&to(host, true)[..], &bare], [&bare, &to(host, true)]] {
                let found = of(pair);
                assert_eq!(rules(&found).contains(&"unsigned_request"), is_own, "{host} {other}");
                let is_open = found.policy.unwrap().not_assessed.contains(&"unsigned_request");
                assert_eq!(is_open, !is_own, "{host} {other}");
            }
            // Nor does it hide behind one to another host.
            for before in ["10.99.99.98", "s3.example"] {
                let (call, before) = (to(host, true), to(before, false));
                for said in [[&call, &before, &bare], [&before, &call, &bare], [&before, &bare, &call]] {
                    let wire = said
                        .into_iter()
                        .fold(Wire::opened(server), |wire, said| wire.client(said).server(ok));
                    assert_eq!(rules(&wire.record()).contains(&"unsigned_request"), is_own, "{host} {other}");
                }
            }
            // Of a name that is no one's here, what goes to the address itself is open.
            let call = [&to("db.example", true)[..], &bare];
            let found =
                call.iter().fold(Wire::opened(ELSEWHERE), |wire, said| wire.client(said).server(ok)).record();
            let is_open = found.policy.unwrap().not_assessed.contains(&"unsigned_request");
            assert_eq!(is_open, is_own && server == ELSEWHERE, "{other}");
        }
    }
    // A host that was called may be that of others, too.
    let call = b"POST / HTTP/1.1\r\nHost: db.example\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=ASIAX, Signature=00\r\n\r\n";
    let same = b"GET / HTTP/1.1\r\nHost: db.example\r\n\r\n";
    let found = Wire::opened(ELSEWHERE).client(call).server(ok).client(same).server(ok).record();
    assert_eq!(found.policy.unwrap().not_assessed, ["unsigned_request", "long_term_credential"]);
}

/// A piece of a body may look like a request of a strange method.
#[test]
fn writes_no_word_of_a_body_for_a_method() {
    let piece = b"wJalrXUtnFEMI / HTTP/1.1\"}}";
    let strange = || Wire::opened(DYNAMODB).client(&[0x81; 100]);
    for wire in [Wire::joined(DYNAMODB).client(piece), strange().client(piece)] {
        let found = wire.server(b"HTTP/1.1 200 OK\r\n\r\n").record();
        assert_eq!(found.http.unwrap().method, None);
        assert_eq!(found.completeness, Completeness::Truncated);
    }
}
