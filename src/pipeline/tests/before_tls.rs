//! What is said before TLS, or instead of it: proxies, requests in clear, other protocols.

use super::*;

#[test]
fn one_side_of_requests_in_clear_is_not_the_whole() {
    let request = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\r\n";
    let asked = || Wire::joined(DYNAMODB).client(request);
    assert_eq!(asked().record().completeness, Completeness::ClientOnly);
    assert_eq!(asked().server(b"HTTP/1.1 200 OK\r\n\r\n").record().completeness, Completeness::Full);
}

#[test]
fn sees_requests_in_clear_behind_proxies() {
    let request: &[u8] = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\
        X-Amz-Target: DynamoDB_20120810.ListTables\r\n\r\n";
    for (preamble, kind) in [
        (&b"CONNECT dynamodb.eu-west-1.amazonaws.com:80 HTTP/1.1\r\n\r\n"[..], ProxyKind::HttpConnect),
        (b"\x05\x01\x00\x05\x01\x00\x01\x34\x5e\x05\x0a\x00\x50", ProxyKind::Socks5),
        (b"PROXY TCP4 10.1.2.3 52.94.5.10 40000 80\r\n", ProxyKind::ProxyProtocol),
    ] {
        for cut in [1, preamble.len() / 2, preamble.len()] {
            let whole = [preamble, request].concat();
            let (before, after) = whole.split_at(cut);
            let found = Wire::opened(PROXY).client(before).client(after).record();
            assert_eq!(found.outcome, Outcome::Plaintext, "{kind:?} {cut}");
            assert_eq!(found.proxy.map(|proxy| proxy.kind), Some(kind));
            let http = found.http.unwrap();
            assert_eq!(http.target.as_deref(), Some("DynamoDB_20120810.ListTables"));
            assert!(!http.is_truncated);
        }
    }
    // CONNECT itself is no request of the API.
    let found =
        Wire::opened(PROXY).client(b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n").record();
    assert!(found.http.is_none());
    assert_eq!(found.proxy.map(|proxy| proxy.kind), Some(ProxyKind::HttpConnect));
}

#[test]
fn finds_a_request_behind_the_rest_of_another() {
    let request = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\r\n";
    for rest in [&b"{\"a\":1}"[..], b"\x80\x81"] {
        let joined = Wire::joined(PROXY).client(rest).server(b"HTTP/1.1 200 OK\r\n\r\n");
        let record = joined.client(request).record();
        assert_eq!(record.outcome, Outcome::Plaintext, "{rest:?}");
        assert_eq!(record.http.unwrap().host.as_deref(), Some("dynamodb.eu-west-1.amazonaws.com"));
    }
}

#[test]
fn sees_what_was_not_understood_before_tls() {
    let socks4 = b"\x04\x01\x01\xbb\0\0\0\x01user\0dynamodb.eu-west-1.amazonaws.com\0";
    let through = Wire::opened(PROXY).client(socks4).server(b"\0\x5a\0\0\0\0\0\0").client(&client_hello());
    assert!(!through.record().is_from_beginning);
    assert!(Wire::opened(PROXY).client(&client_hello()).record().is_from_beginning);
}

#[test]
fn knows_a_proxy_by_the_absolute_form() {
    let found = Wire::opened(PROXY)
        .client(b"POST http://dynamodb.eu-west-1.amazonaws.com/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .record();
    let rules: Vec<&str> =
        found.policy.iter().flat_map(|facts| &facts.violations).map(|violation| violation.rule).collect();
    assert!(rules.contains(&"plaintext_http"), "{rules:?}");
    assert!(!rules.contains(&"dns_override"), "{rules:?}");
    assert!(found.is_proxied());
}

/// Pages of refusal and tickets of Kerberos are long.
#[test]
fn finds_tls_behind_a_long_talk_with_a_proxy() {
    const TARGET: &str = "dynamodb.eu-west-1.amazonaws.com:443";
    let connect = |ticket: usize| {
        let ticket = "A".repeat(ticket);
        format!("CONNECT {TARGET} HTTP/1.1\r\nProxy-Authorization: Negotiate {ticket}\r\n\r\n")
    };
    for (page, ticket) in [(20_000, 0), (300, 64_000), (90_000, 48_000)] {
        let page = format!("HTTP/1.1 407 No\r\nContent-Length: {page}\r\n\r\n{}", "x".repeat(page));
        let mut wire = Wire::opened(PROXY);
        for (from, text) in [(0, connect(0)), (1, page), (0, connect(ticket))] {
            text.as_bytes().chunks(1_400).for_each(|piece| wire.send(from, ACK, piece));
        }
        wire = wire.server(b"HTTP/1.1 200 Connected\r\n\r\n").client(&client_hello());
        let found = wire.server(&server_hello(1)).record();
        assert_eq!(found.proxy.unwrap().target.as_deref(), Some(TARGET), "{ticket}");
        assert!(found.tls.unwrap().server_hello.is_some());
    }
}

#[test]
fn finds_what_comes_behind_requests_to_others() {
    let other = b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let opened = || Wire::opened(PROXY).client(other).server(ok);
    // A tunnel, and TLS in it.
    let connect = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n";
    let wire = opened().client(connect).server(b"HTTP/1.1 200 Connected\r\n\r\n");
    let found = wire.client(&client_hello()).server(&server_hello(1)).record();
    assert_eq!(found.proxy.unwrap().kind, ProxyKind::HttpConnect);
    assert!(found.tls.unwrap().server_hello.is_some());
    // Refused at first, and something else asked for in between.
    let wire =
        Wire::opened(PROXY).client(connect).server(b"HTTP/1.1 407 No\r\n\r\n").client(other).server(ok);
    let wire = wire.client(connect).server(b"HTTP/1.1 200 Connected\r\n\r\n");
    let found = wire.client(&client_hello()).server(&server_hello(1)).record();
    assert!(found.http.is_none() && found.tls.unwrap().server_hello.is_some());
    // Another protocol, as both agreed, wherever a segment ends.
    let hello = client_hello();
    for cut in [0, 1, 5, 43] {
        let wire = opened().server(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        let (before, after) = hello.split_at(cut);
        let wire = if cut > 0 { wire.client(before) } else { wire };
        let found = wire.client(after).server(&server_hello(1)).record();
        assert!(found.tls.unwrap().server_hello.is_some() && !found.is_from_beginning, "{cut}");
    }
    // DynamoDB's API, without a signature.
    let request = b"POST / HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n\r\n";
    let is_alive = b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8000\r\n\r\n";
    let found = Wire::opened(PROXY).client(is_alive).server(ok).client(request).record();
    assert_eq!(found.http.unwrap().target.as_deref(), Some("DynamoDB_20120810.Scan"));
}

#[test]
fn finds_requests_behind_what_is_not_understood() {
    let request = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\r\n";
    let greeting = b"gJ7yne5G\x00\xf6\xa1iUserAgentfFooBar\x00";
    let connect = b"CONNECT c.abc123.dax-clusters.eu-west-1.amazonaws.com:8111 HTTP/1.1\r\n\r\n";
    for (before, answer) in [
        // SOCKS5 with GSS-API [RFC 1961], and CONNECT without a port.
        (&b"\x05\x01\x01"[..], &b"\x05\x01"[..]),
        (b"CONNECT dynamodb.eu-west-1.amazonaws.com HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ] {
        let found = Wire::opened(PROXY).client(before).server(answer).client(request).record();
        assert_eq!(found.outcome, Outcome::Plaintext, "{before:?}");
        // Where the server is, is not known.
        let rules: Vec<&str> =
            found.policy.iter().flat_map(|facts| &facts.violations).map(|v| v.rule).collect();
        assert!(rules.contains(&"plaintext_http") && !rules.contains(&"dns_override"), "{rules:?}");
    }
    let socks4 = b"\x04\x01\x00\x50\0\0\0\x01user\0dynamodb.eu-west-1.amazonaws.com\0";
    assert!(!Wire::opened(PROXY).client(&[&socks4[..], request].concat()).record().is_from_beginning);
    // DAX in clear, by whatever port and proxy.
    for wire in [
        Wire::opened(([10, 9, 9, 9], 18_111)).client(greeting),
        Wire::opened(PROXY).client(connect).server(b"HTTP/1.1 200 OK\r\n\r\n").client(greeting),
        Wire::opened(PROXY).client(b"PROXY TCP4 10.1.2.3 10.9.9.9 40000 8111\r\n").client(greeting),
    ] {
        assert!(wire.record().http.unwrap().is_dax);
    }
}

/// Where the answer of a proxy ends is not where a segment does, if its client did not wait for it.
#[test]
fn finds_what_the_server_says_behind_the_answer_of_a_proxy() {
    for (preamble, answer) in [
        (&b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"[..], &b"HTTP/1.1 200 OK\r\n\r\n"[..]),
        (b"\x05\x01\x00\x05\x01\x00\x01\x34\x5e\x05\x0a\x01\xbb", b"\x05\0\x05\0\0\x01\0\0\0\0\0\0"),
        (b"a STARTTLS\r\n", b"a OK\r\n"),
    ] {
        let server = [answer, &server_hello(1)].concat();
        for cut in 1..server.len() {
            let (before, after) = server.split_at(cut);
            let client = [preamble, &client_hello()].concat();
            let found = Wire::opened(PROXY).client(&client).server(before).server(after).record();
            assert_eq!(found.completeness, Completeness::Full, "{cut} {preamble:?}");
            // The server's side alone.
            let found = Wire::joined(PROXY).server(before).server(after).records_cut(usize::MAX, true);
            assert_eq!(found[0].completeness, Completeness::ServerOnly, "{cut} {preamble:?}");
        }
        // Refused behind it.
        let server = [answer, &record(21, &ALERT)].concat();
        for cut in 0..server.len() {
            let (before, after) = server.split_at(cut);
            let client = [preamble, &client_hello()].concat();
            let mut wire = Wire::opened(PROXY).client(&client);
            if cut > 0 {
                wire = wire.server(before);
            }
            let found = wire.server(after).flag(1, FIN).record();
            assert_eq!(found.outcome, Outcome::RefusedByServer, "{cut} {preamble:?}");
        }
    }
}
