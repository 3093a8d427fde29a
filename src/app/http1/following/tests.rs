//! Connections in, what their later requests add out.

use super::*;
use crate::model::{LaterRequest, LaterRequests};

const HOST: &str = "dynamodb.us-east-1.amazonaws.com";

const SCOPE: &str = "20260102/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00";

/// A request with a body of 20 bytes, which look like a request themselves.
fn request(key: Option<&str>, operation: &str) -> Vec<u8> {
    let signature = key
        .map(|key| format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{SCOPE}\r\n"))
        .unwrap_or_default();
    format!(
        "POST / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n\
         {signature}Content-Length: 20\r\n\r\nGET /a HTTP/1.1\r\n\r\n."
    )
    .into_bytes()
}

fn chunked(operation: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=ASIAX/{SCOPE}\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
         5\r\nPOST \r\n10;x=y\r\n/ HTTP/1.1\r\n\r\nab\r\n0\r\nDigest: x\r\n\r\n"
    )
    .into_bytes()
}

/// A stand-in for the stage that knows the names.
fn whose(facts: &HttpFacts) -> Addressee {
    let host = facts.host.as_deref().unwrap_or_default();
    if host.starts_with("192.0.2.") && facts.target.is_none() {
        Addressee::Open
    } else if facts.target.is_some() || host.starts_with("dynamodb.") || host.contains(".ddb.") {
        Addressee::Dynamodb
    } else if host.starts_with("dynamodb-") {
        Addressee::LookAlike
    } else {
        Addressee::Other
    }
}

fn later(host: &str, operation: Option<&str>) -> Option<LaterRequest> {
    let target = operation.map(|operation| format!("DynamoDB_20120810.{operation}"));
    Some(LaterRequest { host: Some(host.to_owned()), target, is_earlier: false })
}

/// Follows a connection that is given in pieces of `size` bytes after the first request.
fn follow(stream: &[u8], size: usize) -> Following {
    let Parse::Done(first) = parse_request(stream) else { panic!() };
    let mut following = Following::after(&first, true, &whose).expect("a request to DynamoDB");
    stream[first.head_bytes..].chunks(size).for_each(|piece| following.push(piece, &whose));
    following
}

const TEMPORARY: Option<&str> = Some("ASIAEXAMPLE");
const LONG_TERM: Option<&str> = Some("AKIAEXAMPLE");

#[test]
fn finds_what_hides_behind_a_signed_request_whatever_the_cut() {
    let stream = [
        request(TEMPORARY, "GetItem"),
        chunked("PutItem"),
        request(TEMPORARY, "Query"),
        request(None, "Scan"),
        request(None, "DeleteTable"),
        request(LONG_TERM, "GetItem"),
        request(TEMPORARY, "GetItem"),
    ]
    .concat();
    for size in 1..stream.len() {
        let following = follow(&stream, size);
        // Both are found: nothing worse can come.
        assert!(following.is_done());
        let facts = following.finish(&whose);
        assert_eq!(facts.target.as_deref(), Some("DynamoDB_20120810.GetItem"));
        assert_eq!(facts.signature, Some(Signature::Sigv4));
        assert_eq!(
            facts.later,
            LaterRequests {
                count: 5,
                unsigned: later(HOST, Some("Scan")),
                long_term: later(HOST, Some("GetItem")),
                ..LaterRequests::default()
            }
        );
    }
}

#[test]
fn takes_no_body_for_a_request() {
    let stream = [request(TEMPORARY, "GetItem"), chunked("PutItem"), request(TEMPORARY, "Query")].concat();
    for end in 0..=stream.len() {
        let Parse::Done(first) = parse_request(&stream[..end]) else { continue };
        let mut following = Following::after(&first, true, &whose).unwrap();
        following.push(&stream[first.head_bytes..end], &whose);
        assert!(!following.is_done());
        let facts = following.finish(&whose);
        assert!(facts.later.unsigned.is_none() && facts.later.long_term.is_none(), "{end}");
    }
}

#[test]
fn goes_on_at_a_request_after_missing_bytes() {
    let mut following = follow(&request(TEMPORARY, "GetItem"), 1_000);
    following.gap(&whose);
    following.push(b"\"S\": \"x\"}}", &whose);
    following.push(&request(None, "Scan"), &whose);
    assert_eq!(following.finish(&whose).later.count, 1);
}

#[test]
fn follows_only_so_far() {
    let many = follow(&request(TEMPORARY, "GetItem").repeat(MAX_REQUESTS as usize + 9), 1_000);
    assert!(many.is_done());
    assert_eq!(many.finish(&whose).later.count, MAX_REQUESTS - 1);
    let mut large = follow(
        b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\nContent-Length: 18446744073709551615\r\n\r\n",
        100,
    );
    for _ in 0..=MAX_FOLLOWED_BYTES / 65_536 {
        assert!(!large.is_done());
        large.push(&[b'x'; 65_536], &whose);
    }
    assert!(large.is_done());
}

#[test]
fn judges_only_requests_to_dynamodb() {
    let head = |host: &str, target: &str| {
        format!("GET http://{host}/ HTTP/1.1\r\nX-Amz-Target: {target}\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    };
    let signed = format!(
        "GET http://{HOST}/ HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=ASIAX/{SCOPE}\r\n\r\n"
    );
    let stream = [signed.clone().into_bytes(), head("www.example.com", "x")].concat();
    assert_eq!(follow(&stream, 9).finish(&whose).later.unsigned, None);
    let stream = [signed.into_bytes(), head(HOST, "x")].concat();
    assert_eq!(follow(&stream, 9).finish(&whose).later.unsigned, later(HOST, None));
}

#[test]
fn ends_where_requests_end() {
    for tail in [
        "\x00\x01\x02 garbage\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        let stream = [request(LONG_TERM, "GetItem"), tail.as_bytes().to_vec()].concat();
        let mut following = follow(&stream, 5);
        following.push(b"body of whatever kind this is", &whose);
        assert!(following.is_done() || following.state == State::Lost, "{tail} {:?}", following.state);
        assert!(following.held_bytes() < 100_000);
    }
}

#[test]
fn a_line_is_too_long_wherever_it_is_cut() {
    for (extension, is_too_long) in [(MAX_CHUNK_LINE_BYTES - 2, false), (MAX_CHUNK_LINE_BYTES - 1, true)] {
        let chunk = format!("5;{}\nPOST \r\n0\r\n\r\n", "x".repeat(extension));
        let first = String::from_utf8(chunked("PutItem")).unwrap();
        let (head, _) = first.split_once("5\r\n").unwrap();
        let stream = [head.as_bytes(), chunk.as_bytes(), &request(None, "Scan")].concat();
        for size in [1, 7, 100, MAX_CHUNK_LINE_BYTES, stream.len()] {
            let later = follow(&stream, size).finish(&whose).later;
            assert_eq!(
                (later.is_beyond_limit, later.unsigned.is_none()),
                (is_too_long, is_too_long),
                "{size}"
            );
        }
    }
}

/// Where the end of a request cannot be told, the next one is taken to begin with a segment, and may have begun before.
#[test]
fn calls_no_request_unsigned_of_which_the_beginning_is_guessed_and_the_method_cut() {
    let odd =
        String::from_utf8(request(TEMPORARY, "GetItem")).unwrap().replacen("Length: 20", "Length: x", 1);
    for (cut, is_known) in [(0, true), (2, false)] {
        let mut following = follow(odd.as_bytes(), 10_000);
        let later = request(None, "Scan");
        let (before, after) = later.split_at(cut);
        following.push(before, &whose);
        following.push(after, &whose);
        assert_eq!(following.finish(&whose).later.unsigned.is_some(), is_known, "{cut}");
    }
}

#[test]
fn survives_every_changed_byte() {
    let stream = [request(TEMPORARY, "GetItem"), chunked("PutItem"), request(None, "Scan")].concat();
    for at in 0..stream.len() {
        for byte in [0, b'\n', b'\r', b'f', b'9', 0xff] {
            let mut changed = stream.clone();
            changed[at] = byte;
            super::super::fuzz_http(&changed);
        }
    }
}

#[test]
fn an_offer_to_upgrade_ends_nothing() {
    // The server may go on in HTTP/1.1 [RFC 9110 section 7.8]; where it does not, what follows is no request.
    let offer = String::from_utf8(request(TEMPORARY, "GetItem")).unwrap().replacen(
        "\r\n",
        "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        1,
    );
    let ignored = [offer.as_bytes(), &request(None, "Scan")].concat();
    assert!(follow(&ignored, 7).finish(&whose).later.unsigned.is_some());
    let taken = [offer.as_bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"].concat();
    let following = follow(&taken, 7);
    assert!(following.is_done());
    assert_eq!(following.finish(&whose).later.unsigned, None);
}

#[test]
fn counts_what_goes_to_another_name_of_dynamodb() {
    let to = |host: &str, rest: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n{rest}\r\n").into_bytes();
    for (host, rest, is_counted) in [
        ("dynamodb.us-east-1.amazonaws.com", "", true),
        ("123456789012.ddb.us-east-1.amazonaws.com", "", true),
        ("10.0.0.1:8000", "X-Amz-Target: DynamoDB_20120810.Scan\r\n", true),
        ("s3.us-east-1.amazonaws.com", "", false),
    ] {
        let stream = [request(TEMPORARY, "GetItem"), to(host, rest)].concat();
        assert_eq!(follow(&stream, 50).finish(&whose).later.unsigned.is_some(), is_counted, "{host}");
    }
}

#[test]
fn names_the_first_request_to_dynamodb_behind_those_to_others() {
    let other = b"GET http://other.example/a HTTP/1.1\r\nHost: other.example\r\n\r\n".to_vec();
    let stream =
        [other.clone(), other.clone(), request(TEMPORARY, "Query"), request(None, "Scan"), other].concat();
    for size in 1..stream.len() {
        let facts = follow(&stream, size).finish(&whose);
        assert_eq!(facts.host.as_deref(), Some("dynamodb.us-east-1.amazonaws.com"));
        assert_eq!(facts.target.as_deref(), Some("DynamoDB_20120810.Query"));
        assert_eq!(facts.signature, Some(Signature::Sigv4));
        let unsigned = later(HOST, Some("Scan"));
        assert_eq!(facts.later, LaterRequests { count: 4, unsigned, ..LaterRequests::default() });
    }
    // To an emulator, which is asked first whether it is there.
    let is_there = b"GET / HTTP/1.1\r\nHost: db.example:8000\r\n\r\n";
    let facts = follow(&[&is_there[..], &request(None, "Scan")].concat(), 9).finish(&whose);
    assert_eq!(facts.target.as_deref(), Some("DynamoDB_20120810.Scan"));
    assert_eq!(facts.signature, Some(Signature::None));
}

#[test]
fn gives_back_what_becomes_a_tunnel() {
    let other = b"GET http://other.example/a HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let connect = b"CONNECT dynamodb.us-east-1.amazonaws.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01";
    let stream = [&other[..], connect].concat();
    for size in 1..stream.len() {
        let Parse::Done(first) = parse_request(&stream) else { panic!() };
        let mut following = Following::after(&first, true, &whose).unwrap();
        let mut tunnel = Vec::new();
        for piece in stream[first.head_bytes..].chunks(size) {
            if tunnel.is_empty() {
                following.push(piece, &whose);
                tunnel = following.take_tunnel().unwrap_or_default();
            } else {
                tunnel.extend_from_slice(piece);
            }
        }
        assert_eq!(tunnel, connect, "{size}");
    }
    // It is no request, however the connection goes on.
    let Parse::Done(first) = parse_request(&stream) else { panic!() };
    let mut following = Following::after(&first, false, &whose).unwrap();
    following.push(&stream[first.head_bytes..], &whose);
    assert!(following.take_tunnel().is_none() && following.is_done());
    let facts = following.finish(&whose);
    assert_eq!((facts.host.as_deref(), facts.later.is_incomplete), (Some("other.example"), true));
    // What was seen of DynamoDB stands.
    let stream = [&request(TEMPORARY, "Query")[..], connect].concat();
    let mut following = follow(&stream, 1_000);
    assert_eq!(following.take_tunnel(), None);
    assert_eq!(following.finish(&whose).target.as_deref(), Some("DynamoDB_20120810.Query"));
}

#[test]
fn says_where_requests_may_have_been_missed() {
    let signed = || request(TEMPORARY, "GetItem");
    let odd = |fields: &str| {
        let text = String::from_utf8(signed()).unwrap();
        text.replacen("Content-Length: 20\r\n", fields, 1).into_bytes()
    };
    let cut = signed().len() - 30;
    for (stream, is_incomplete) in [
        ([signed(), signed()].concat(), false),
        ([odd("Content-Length: 20, 20\r\n"), signed()].concat(), false),
        (odd("Content-Length: 20\r\nContent-Length: 21\r\n"), true),
        (odd("Content-Length: x\r\n"), true),
        (odd("Transfer-Encoding: identity\r\n"), true),
        (odd("Transfer-Encoding: xchunked\r\n"), true),
        ([signed(), signed()[..cut].to_vec()].concat(), true),
        (signed().repeat(MAX_REQUESTS as usize), true),
        (signed().repeat(MAX_REQUESTS as usize - 1), false),
    ] {
        let facts = follow(&stream, 1_000).finish(&whose);
        assert_eq!(facts.later.is_incomplete, is_incomplete, "{}", String::from_utf8_lossy(&stream));
    }
    let mut with_gap = follow(&signed(), 1_000);
    with_gap.gap(&whose);
    assert!(with_gap.finish(&whose).later.is_incomplete);
    // One of odd length hides none that begins with a segment.
    let mut following = follow(&odd("Content-Length: 20\r\nContent-Length: 21\r\n"), 1_000);
    following.push(&request(None, "Scan"), &whose);
    assert!(following.finish(&whose).later.unsigned.is_some());
}

#[test]
fn what_is_read_of_a_head_before_a_loss_counts() {
    let whole = request(None, "Scan");
    let cut = |stream: &[u8], bytes: usize| stream[..bytes].to_vec();
    let other = b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n".to_vec();
    // Behind another request: the lines that are whole say whose it is, and no more.
    for (bytes, target) in [(30, None), (110, Some("DynamoDB_20120810.Scan"))] {
        let mut following = follow(&[other.clone(), cut(&whole, bytes)].concat(), 1_000);
        following.gap(&whose);
        following.push(b"rest of it", &whose);
        let facts = following.finish(&whose);
        assert_eq!(facts.target.as_deref(), target);
        assert_eq!((facts.is_truncated, facts.later.is_incomplete), (target.is_some(), true));
        assert!(facts.signature.is_none() || target.is_none());
    }
    // The first one, and one behind it.
    let mut following = Following::after_loss(parse_truncated(&cut(&whole, 60)), true, &whose);
    assert!(!following.may_give_way());
    following.push(b"rest of it\r\n\r\n", &whose);
    following.push(&whole, &whose);
    let facts = following.finish(&whose);
    assert_eq!((facts.host.as_deref(), facts.target.as_deref()), (Some(HOST), None));
    assert_eq!(facts.later.unsigned, later(HOST, Some("Scan")));
    // The whole one shows that it is DynamoDB's; that the one before it was cut is not forgotten.
    let mut following = Following::after_loss(parse_truncated(&cut(&whole, 20)), true, &whose);
    following.push(&whole, &whose);
    let facts = following.finish(&whose);
    assert_eq!((facts.target.as_deref(), facts.is_truncated), (Some("DynamoDB_20120810.Scan"), true));
}

/// What they are to is known once the flow is over.
#[test]
fn keeps_apart_what_does_not_say_whose_it_is() {
    const ADDRESS: &str = "192.0.2.5";
    let open = |key: Option<&str>, host: &str| {
        let signature = key
            .map(|key| format!("Authorization: AWS4-HMAC-SHA256 Credential={key}, Signature=0\r\n"))
            .unwrap_or_default();
        format!("POST / HTTP/1.1\r\nHost: {host}\r\n{signature}\r\n").into_bytes()
    };
    let signed = || request(TEMPORARY, "GetItem");
    let at = |is_earlier| Some(LaterRequest { is_earlier, ..later(ADDRESS, None).unwrap() });
    for (stream, unsigned, long_term, has_unknown_key) in [
        ([signed(), open(None, ADDRESS)], at(false), None, false),
        ([open(None, ADDRESS), signed()], at(true), None, false),
        ([open(None, ADDRESS), open(None, ADDRESS)], at(false), None, false),
        ([signed(), open(LONG_TERM, ADDRESS)], None, at(false), false),
        ([open(LONG_TERM, ADDRESS), signed()], None, at(true), false),
        ([open(Some("ABIAEXAMPLE"), ADDRESS), signed()], None, None, true),
    ] {
        let stream = stream.concat();
        for size in [1, 50, stream.len()] {
            let facts = follow(&stream, size).finish(&whose);
            assert!(!facts.later.has_any() && !facts.later.is_incomplete, "{:?}", facts.later);
            let settled = |is_at_dynamodb, address: &str| {
                let mut later = facts.later.clone();
                later.settle(facts.host.as_deref(), is_at_dynamodb, &[address.parse().unwrap()]);
                later
            };
            let has_request = unsigned.is_some() || long_term.is_some();
            let (unsigned, long_term) = (unsigned.clone(), long_term.clone());
            let found =
                LaterRequests { count: 1, unsigned, long_term, has_unknown_key, ..Default::default() };
            for address in [ADDRESS, "::ffff:192.0.2.5"] {
                assert_eq!(settled(true, address), found);
                // Elsewhere they may be anybody's.
                let open = LaterRequests { count: 1, is_incomplete: has_request, ..Default::default() };
                assert_eq!(settled(false, address), open);
            }
            // To another address they are another's, unless a call went there, too.
            let is_same = facts.host.as_deref() == Some(ADDRESS);
            let later = settled(true, "192.0.2.6");
            assert_eq!(
                (later.has_any(), later.is_incomplete),
                (is_same || !has_request, !is_same && has_request)
            );
            let later = settled(false, "192.0.2.6");
            assert_eq!((later.has_any(), later.is_incomplete), (false, is_same));
        }
    }
    // The first to each host is kept, and what is held of it counts.
    let hosts = ["192.0.2.6", "192.0.2.example", ADDRESS, "192.0.2.6"].map(|host| open(None, host)).concat();
    let following = follow(&[signed(), hosts].concat(), 50);
    assert!(following.held_bytes() > follow(&signed(), 50).held_bytes() + 3 * size_of::<LaterRequests>());
    let mut facts = following.finish(&whose);
    assert_eq!(facts.later.unnamed.len(), 3);
    facts.later.settle(facts.host.as_deref(), true, &[ADDRESS.parse().unwrap()]);
    assert_eq!((facts.later.unsigned, facts.later.is_incomplete), (at(false), true));
    // Of what goes to another host there it is not known.
    let mut facts = follow(&[signed(), open(None, "192.0.2.example")].concat(), 50).finish(&whose);
    facts.later.settle(facts.host.as_deref(), true, &[]);
    assert!(facts.later.is_incomplete && !facts.later.has_any());
}

#[test]
fn a_key_of_unknown_kind_leaves_open_what_was_signed_with_it() {
    let unknown = || request(Some("ABIAEXAMPLE"), "Query");
    let stream = [request(TEMPORARY, "GetItem"), unknown()].concat();
    let later = follow(&stream, 50).finish(&whose).later;
    assert_eq!((later.has_unknown_key, later.is_incomplete), (true, false));
    // Nor does it go where a better name takes the place of one that only looks like DynamoDB's.
    let look_alike = String::from_utf8(unknown()).unwrap().replace("dynamodb.us", "dynamodb-new.us");
    let look_alike = look_alike.replace("X-Amz-Target", "X").replace("/dynamodb/", "/x/");
    let facts = follow(&[look_alike.into_bytes(), request(TEMPORARY, "GetItem")].concat(), 50).finish(&whose);
    assert_eq!((facts.host.as_deref(), facts.later.is_incomplete), (Some(HOST), true));
}

#[test]
fn a_name_that_looks_like_dynamodbs_gives_way_to_one_of_them() {
    let look_alike = b"GET / HTTP/1.1\r\nHost: dynamodb-new.us-east-1.amazonaws.com\r\n\r\n".to_vec();
    let facts = follow(&[look_alike.clone(), request(TEMPORARY, "Query")].concat(), 9).finish(&whose);
    assert_eq!(facts.host.as_deref(), Some(HOST));
    assert!(facts.later.unsigned.is_none());
    // It is not known to be a request of the API, and not known to be none.
    let facts = follow(&[request(TEMPORARY, "Query"), look_alike.clone()].concat(), 9).finish(&whose);
    assert_eq!((facts.later.unsigned, facts.later.is_incomplete), (None, true));
    // Of the same name it is.
    let facts = follow(&[look_alike.clone(), look_alike].concat(), 9).finish(&whose);
    assert_eq!(facts.later.unsigned, later("dynamodb-new.us-east-1.amazonaws.com", None));
}

#[test]
fn a_body_that_waits_for_the_servers_word_need_not_come() {
    let asks = |body: &str| {
        let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n");
        format!("{head}Authorization: AWS4-HMAC-SHA256 Credential=ASIAX/{SCOPE}\r\nExpect: 100-Continue\r\n{body}\r\n\r\n")
            .into_bytes()
    };
    let other = b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n".to_vec();
    for asking in [asks("Content-Length: 2000"), asks("Transfer-Encoding: chunked")] {
        for before in [vec![], other.clone()] {
            // It was refused, and goes on.
            let mut following = follow(&[before.clone(), asking.clone()].concat(), 1_000);
            following.push(b"", &whose);
            following.push(&request(None, "Scan"), &whose);
            let facts = following.finish(&whose);
            assert_eq!((facts.later.unsigned, facts.later.is_incomplete), (later(HOST, Some("Scan")), false));
            // Too little of it to tell.
            let mut following = follow(&[before.clone(), asking.clone()].concat(), 1_000);
            following.push(b"POS", &whose);
            assert!(following.finish(&whose).later.is_incomplete);
        }
    }
    // It comes, and what is in it is no request, wherever it begins with a segment.
    for (with_head, then) in [(&b""[..], &b"{}"[..]), (b"{", b"}"), (b"{}", b"")] {
        let mut following = follow(&[&other[..], &asks("Content-Length: 2000"), with_head].concat(), 1_000);
        following.push(then, &whose);
        following.push(&request(None, "Scan"), &whose);
        let facts = following.finish(&whose);
        assert_eq!((facts.later.unsigned, facts.later.is_incomplete), (None, false));
    }
    // The server wants it, so it is no request whatever it begins with; of what else it says that is not known.
    for (answer, is_body) in [("100 Continue", true), ("417 Expectation Failed", false)] {
        let mut following = follow(&asks("Content-Length: 2000"), 1_000);
        following.hear(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes());
        following.push(&request(None, "Scan"), &whose);
        let expected = if is_body { None } else { later(HOST, Some("Scan")) };
        assert_eq!(following.finish(&whose).later.unsigned, expected, "{answer}");
    }
}

#[test]
fn tells_where_a_limit_was_met() {
    let few = || request(TEMPORARY, "GetItem");
    let long = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; MAX_HEAD_BYTES]].concat();
    for (stream, is_beyond_limit) in [
        ([few(), few()].concat(), false),
        (few().repeat(MAX_REQUESTS as usize), true),
        ([few(), long].concat(), true),
        ([few(), b"\0\x01garbage".to_vec()].concat(), false),
    ] {
        let facts = follow(&stream, 1_000).finish(&whose);
        assert_eq!(facts.later.is_beyond_limit, is_beyond_limit);
    }
}
