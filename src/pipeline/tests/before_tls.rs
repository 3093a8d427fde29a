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
    // CONNECT itself is no request of the API, behind empty lines neither.
    let connect = b"\r\n\r\nCONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n";
    let found = Wire::opened(PROXY).client(connect).server(OK).client(&client_hello()).record();
    assert!(found.http.is_none() && found.tls.is_some());
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

/// However small the pieces are, and whatever is not read again for each of them.
#[test]
fn finds_the_same_byte_by_byte() {
    let connect = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\nX: y\r\n\r\n";
    let v1 = b"PROXY TCP4 192.0.2.1 52.94.5.1 56324 443\r\n";
    let request = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n\r\n";
    let spaced = b"POST  /\tHTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\r\n";
    let other = b"GET /alive HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let hello = client_hello();
    for said in [
        &[&request[..]][..],
        &[b"\r\n\r\n", request, b"\r\n", request],
        &[&request[..request.len() - 2]],
        &[v1, request],
        &[spaced, request],
        &[v1, connect, request, &request[..40]],
        &[connect, connect, &hello],
        &[connect, b"\x01\x02\xff", &hello],
        &[other, b"\n\n\n\n", connect, &hello],
        &[b"EHLO a.example\r\nSTARTTLS\r\n", &hello],
    ] {
        let said = said.concat();
        let record = |step: usize| {
            let mut wire = Wire::opened(PROXY);
            said.chunks(step).for_each(|piece| wire.send(0, ACK, piece));
            let found = wire.record();
            (
                found.http,
                found.proxy,
                found.outcome,
                found.is_from_beginning,
                found.tls.map(|tls| tls.client_hello),
            )
        };
        let (at_once, by_bytes) = (record(said.len()), record(1));
        assert_eq!(format!("{at_once:?}"), format!("{by_bytes:?}"), "{:?}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn gives_up_what_never_becomes_tls_behind_a_proxy_and_counts_it() {
    let connect = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n";
    for (pieces, completeness, counted) in
        [(11, Completeness::ClientOnly, None), (12, Completeness::Truncated, Some(1))]
    {
        let mut wire = Wire::opened(PROXY).client(connect).client(&client_hello());
        for _ in 0..pieces {
            wire = wire.server(&b"\x16\x03\0\0\0".repeat(280));
        }
        let (records, accounts) = wire.run(Arc::default(), usize::MAX, false);
        assert_eq!(records[0].completeness, completeness);
        assert_eq!(accounts.decode_errors.get(&("tls", "handshake_gap")).copied(), counted, "{pieces}");
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

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const SIGNATURE: &str = "SignedHeaders=host, Signature=00";

/// A request by way of a proxy: absolute form.
fn proxied(host: &str, fields: &str) -> Vec<u8> {
    format!("POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").into_bytes()
}

/// Fields of a request to DynamoDB.
fn called(operation: &str, key: Option<&str>, service: &str) -> String {
    let signature = key.map(|key| {
        let scope = format!("20260102/eu-west-1/{service}/aws4_request");
        format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, {SIGNATURE}\r\n")
    });
    let target = if service == "dynamodb" {
        format!("X-Amz-Target: DynamoDB_20120810.{operation}\r\n")
    } else {
        String::new()
    };
    format!("{target}{}", signature.unwrap_or_default())
}

fn rules(found: &Record) -> Vec<&str> {
    let grave = |violation: &&crate::model::Violation| violation.severity != crate::model::Severity::Info;
    found.policy.iter().flat_map(|facts| &facts.violations).filter(grave).map(|found| found.rule).collect()
}

#[test]
fn a_request_to_another_service_is_none_of_dynamodbs() {
    let dynamodb = "dynamodb.eu-west-1.amazonaws.com";
    let bucket = "company-dynamodb-exports.s3.amazonaws.com";
    let signed = || called("GetItem", Some("ASIAX"), "dynamodb");
    let is_there = "localhost:4566";
    // Behind one to DynamoDB.
    for (first, then, fields) in [
        (dynamodb, bucket, String::new()),
        (dynamodb, bucket, called("", Some("AKIAX"), "s3")),
        (is_there, is_there, called("", Some("AKIAX"), "s3")),
        (is_there, is_there, "X-Amz-Target: Kinesis_20131202.PutRecord\r\n".to_owned()),
    ] {
        let wire = Wire::opened(PROXY).client(&proxied(first, &signed())).server(OK);
        let found = wire.client(&proxied(then, &fields)).server(OK).record();
        assert_eq!(rules(&found), ["plaintext_http"], "{then} {fields}");
        assert_eq!(found.http.unwrap().host.as_deref(), first.split(':').next());
    }
    // In front of one, which is the one that matters, as any request in front of it.
    for first in [bucket, "ddb.corp.example", "evil-dynamodb.eu-west-1.amazonaws.com"] {
        let wire = Wire::opened(PROXY).client(&proxied(first, "")).server(OK);
        let found = wire.client(&proxied(dynamodb, &called("GetItem", None, "dynamodb"))).server(OK).record();
        assert_eq!(rules(&found), ["plaintext_http", "unsigned_request"], "{first}");
        assert_eq!(found.http.unwrap().host.as_deref(), Some(dynamodb), "{first}");
    }
    // And in front of a tunnel.
    let connect = format!("CONNECT {dynamodb}:443 HTTP/1.1\r\n\r\n");
    let wire = Wire::opened(PROXY).client(&proxied(bucket, "")).server(OK).client(connect.as_bytes());
    let found = wire.server(OK).client(&client_hello()).server(&server_hello(3)).record();
    assert_eq!(found.proxy.unwrap().target, Some(format!("{dynamodb}:443")));
}

#[test]
fn requests_to_configured_names_are_dynamodbs() {
    let config = "[endpoints]\nhosts = [{ name = \"db.corp.example\", service = \"dynamodb\" }]";
    let ours = |fields: &str| proxied("db.corp.example", fields);
    let signed = called("GetItem", Some("ASIAX"), "dynamodb");
    for first in [proxied("www.example.com", ""), ours(&signed)] {
        let config = Arc::new(crate::config::parse(config, &CommandLine::default()).unwrap());
        let wire = Wire::opened(PROXY).client(&first).server(OK).client(&ours("")).server(OK);
        let found = wire.run(config, usize::MAX, false).0.remove(0);
        assert_eq!(rules(&found), ["plaintext_http", "unsigned_request"]);
        assert_eq!(found.http.unwrap().host.as_deref(), Some("db.corp.example"));
    }
}

/// The server's port is the higher one, and nobody was seen to open the connection.
#[test]
fn who_sent_a_request_is_the_client() {
    let server = ([10, 0, 0, 8], 49_153);
    let scan = proxied("localhost", &called("Scan", None, "dynamodb"));
    let connect = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n".to_vec();
    let greeting = b"gJ7yne5G\x00\xf6\xa1iUserAgentfFooBar\x00".to_vec();
    let (head, too_long) = ([&scan[..scan.len() - 2], b"X"].concat(), vec![b'x'; 17_000]);
    for said in [vec![scan], vec![connect], vec![greeting], vec![head.clone()], vec![head, too_long]] {
        let mut wire = Wire::joined(server);
        for bytes in said.iter().flat_map(|bytes| bytes.chunks(1_400)) {
            wire = wire.client(bytes);
        }
        let found = wire.server(b"HTTP/1.1 503 No\r\n\r\n").record();
        assert_eq!(found.client, CLIENT.into(), "{:?}", found.http);
    }
}

#[test]
fn a_public_name_at_a_strange_address_proves_nothing_where_a_proxy_may_have_been_asked_before() {
    let elsewhere = ([198, 51, 100, 7], 3_128);
    for (wire, is_broken) in [(Wire::opened(elsewhere), true), (Wire::joined(elsewhere), false)] {
        let found = wire.client(&client_hello()).server(&server_hello(3)).record();
        assert_eq!(rules(&found).contains(&"endpoint_conflict"), is_broken);
        let not_assessed = &found.policy.as_ref().unwrap().not_assessed;
        assert_eq!(not_assessed.contains(&"endpoint_conflict"), !is_broken, "{not_assessed:?}");
    }
}

#[test]
fn what_was_read_of_a_request_counts_where_the_rest_is_lost() {
    let head = proxied("dynamodb.eu-west-1.amazonaws.com", &called("GetItem", Some("ASIAX"), "dynamodb"));
    let whole = [&head[..head.len() - 2], b"X-Pad: ", &[b'a'; 2_000], b"\r\n\r\n"].concat();
    for server in [PROXY, DYNAMODB] {
        let mut wire = Wire::opened(server);
        whole.chunks(900).for_each(|piece| wire.send(0, ACK, piece));
        wire.packets.remove(4);
        let wire = wire.server(OK).client(&proxied("www.example.com", "")).server(OK);
        let found = wire.flag(0, FIN).flag(1, FIN).record();
        assert_eq!((found.completeness, found.outcome), (Completeness::Truncated, Outcome::Plaintext));
        assert_eq!(rules(&found), ["plaintext_http"]);
        let not_assessed = &found.policy.as_ref().unwrap().not_assessed;
        assert_eq!(not_assessed[..], ["unsigned_request", "long_term_credential"]);
        let http = found.http.unwrap();
        assert_eq!(http.target.as_deref(), Some("DynamoDB_20120810.GetItem"));
        assert_eq!(http.signature, Some(crate::model::Signature::Sigv4));
    }
}

/// They are said to be no requests to DynamoDB only where all of them were read.
#[test]
fn flows_with_requests_beyond_the_limits_are_left_out_for_that_reason() {
    let many = |count: usize| proxied("www.example.com", "").repeat(count);
    for (said, reason) in [
        (many(3), "not_dynamodb"),
        (many(65), "requests_beyond_limit"),
        (proxied("www.example.com", &format!("X: {}\r\n", "x".repeat(17_000))), "requests_beyond_limit"),
    ] {
        let mut wire = Wire::opened(PROXY);
        said.chunks(1_400).for_each(|piece| wire.send(0, ACK, piece));
        let (records, accounts) = wire.run(Arc::default(), usize::MAX, false);
        assert!(records.is_empty());
        let evictions: Vec<_> = accounts.evictions.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!((evictions, accounts.other_services), (vec![(reason, 1)], 1));
    }
}

/// A load balancer has many of them, to whatever address.
#[test]
fn a_look_whether_the_server_is_there_is_no_flow_to_it() {
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    let announced = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x34\x5e\x05\x0a\xdc\x04\x01\xbb";
    for (header, is_reported) in [(&local[..], false), (b"PROXY UNKNOWN\r\n", false), (announced, true)] {
        for server in [DYNAMODB, PROXY] {
            let wire = Wire::opened(server).client(header).flag(0, RST);
            let (records, accounts) = wire.run(Arc::default(), usize::MAX, true);
            assert_eq!(records.len(), usize::from(is_reported), "{header:?} {server:?}");
            assert_eq!(accounts.evictions.contains_key("not_tls"), !is_reported);
        }
    }
    // What follows it is looked at, and an answer to it is not nothing; TLS runs inside of it.
    let wire = || Wire::opened(DYNAMODB).client(local);
    assert!(wire().client(b"\x01\x02").record().proxy.is_some());
    assert!(wire().server(b"\x01\x02").record().proxy.is_some());
    let found = wire().client(&client_hello()).server(&server_hello(3)).record();
    assert!(found.proxy.is_some() && found.tls.is_some());
}

/// Clients sign their connection again every few minutes.
#[test]
fn a_connection_to_dax_that_was_joined_later_is_one() {
    const CLUSTER: ([u8; 4], u16) = ([10, 0, 0, 40], 8111);
    let authorization = b"\x01\x1a\x58\xc2\x33\x6b\x74AKIAIOSFODNN7EXAMPLE";
    for before in [&b""[..], b"\x01\x1a\x0f\xb0\xcf\xaa\x00\x01", &[0x81; 300]] {
        let wire =
            if before.is_empty() { Wire::joined(CLUSTER) } else { Wire::joined(CLUSTER).client(before) };
        let found = wire.client(authorization).server(b"\x80\x80").records_cut(usize::MAX, true);
        let http = found.first().and_then(|record| record.http.as_ref());
        assert!(http.is_some_and(|http| http.is_dax), "{before:02x?}");
    }
    // Where the greeting would have been seen, such bytes are something else's.
    let wire = Wire::opened(CLUSTER).client(authorization).server(b"\x80\x80");
    assert!(wire.records_cut(usize::MAX, true).is_empty());
}

/// Ports are agreements, and the bytes tell otherwise.
#[test]
fn what_is_no_dns_is_read_on_its_port_too() {
    let unsigned = b"POST / HTTP/1.1\r\nHost: dynamodb.eu-west-1.amazonaws.com\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    let connect = b"CONNECT dynamodb.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n\r\n";
    for size in [1, 2, 5, 13, 14, 60, 1_000] {
        let said = |wire: Wire, bytes: &[u8]| bytes.chunks(size).fold(wire, Wire::client);
        let found = said(Wire::opened((DYNAMODB.0, 53)), unsigned).server(ok).record();
        assert_eq!(found.outcome, Outcome::Plaintext, "{size}");
        let proxied = said(Wire::opened((PROXY.0, 53)), connect).server(ok);
        let found = said(proxied, &client_hello()).server(&server_hello(1)).record();
        assert_eq!(found.proxy.unwrap().kind, ProxyKind::HttpConnect, "{size}");
        let greeted = said(Wire::opened((PROXY.0, 53)), b"\x05\x01\x00").server(b"\x05\x00");
        let asked = said(greeted, b"\x05\x01\x00\x01\x0a\x01\x01\x01\x01\xbb");
        let answered = asked.server(b"\x05\x00\x00\x01\x0a\x01\x01\x01\x01\xbb");
        let found = said(answered, &client_hello()).server(&server_hello(1)).record();
        assert_eq!(found.proxy.unwrap().kind, ProxyKind::Socks5, "{size}");
        let greeted =
            b"220 mx.example ESMTP\r\n".chunks(size).fold(Wire::opened((DYNAMODB.0, 53)), Wire::server);
        let ready = said(greeted, b"STARTTLS\r\n").server(b"220 Go ahead\r\n");
        let found = said(ready, &client_hello()).server(&server_hello(1)).record();
        assert_eq!(found.completeness, Completeness::Full, "{size}");
        // With AES in GCM, the number of the record is in front of what it holds.
        for number in [1, 0xf9] {
            let data = record(23, &[&[0, 0, 0, 0, 0, 0, 0, number][..], &[0xb9; 100]].concat());
            let found = said(Wire::joined((DYNAMODB.0, 53)), &data).server(&data).record();
            assert!(found.tls.is_some_and(|tls| tls.established), "{size}");
        }
        let found = ok.chunks(size.max(5)).fold(Wire::joined((DYNAMODB.0, 53)), Wire::server);
        assert_eq!(found.client(unsigned).record().outcome, Outcome::Plaintext, "{size}");
        // And what is DNS stays DNS, however it is cut.
        let question =
            [&[0, 19, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x01a\x00\x00\x01\x00\x01"].concat();
        let (records, accounts) = said(Wire::opened((PROXY.0, 53)), &question).server(&question).run(
            Arc::default(),
            usize::MAX,
            true,
        );
        let is_dns =
            accounts.evictions.iter().any(|(reason, count)| *reason == Eviction::Dns.as_str() && *count == 1);
        assert!(records.is_empty() && is_dns, "{size}");
    }
}
