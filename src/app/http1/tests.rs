//! Request heads in, facts out.

use proptest::prelude::*;

use super::*;
use crate::model::{LaterRequests, Signature, SigningCredential};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

fn head(lines: &[&str]) -> Vec<u8> {
    let mut text = lines.join("\r\n");
    text.push_str("\r\n\r\n");
    text.into_bytes()
}

fn signed() -> Vec<u8> {
    head(&[
        "POST / HTTP/1.1",
        "Host: DynamoDB.us-east-1.amazonaws.com:80",
        "X-Amz-Target: DynamoDB_20120810.GetItem",
        "User-Agent: Boto3/1.37.0 md/Botocore#1.37.0 Botocore/1.37.0 secret/1 aws-sdk-AKIA/1",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ])
}

fn facts(bytes: &[u8]) -> HttpFacts {
    match parse_request(bytes) {
        Parse::Done(request) => request.facts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_a_signed_request() {
    let facts = facts(&signed());
    assert_eq!(
        facts,
        HttpFacts {
            method: Some("POST".into()),
            host: Some("dynamodb.us-east-1.amazonaws.com".into()),
            target: Some("DynamoDB_20120810.GetItem".into()),
            signature: Some(Signature::Sigv4),
            credential: Some(SigningCredential::LongTerm),
            scope_region: Some("us-east-1".into()),
            scope_service: Some("dynamodb".into()),
            sdk: Some("Boto3/1.37.0 Botocore/1.37.0".into()),
            is_absolute_form: false,
            has_other_target: false,
            is_dax: false,
            is_truncated: false,
            later: LaterRequests::default(),
        }
    );
}

#[test]
fn tells_how_a_request_is_signed() {
    let scope = "20260102/us-east-1/dynamodb/aws4_request";
    let signature = "SignedHeaders=host, Signature=00";
    for (lines, expected, kind) in [
        (
            vec![format!("Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},{signature}")],
            "sigv4",
            "long_term",
        ),
        (
            vec![format!("authorization: AWS4-HMAC-SHA256 Credential=ASIAX/{scope}, {signature}")],
            "sigv4",
            "temporary",
        ),
        (
            vec![
                format!("Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, {signature}"),
                "X-Amz-Security-Token: secret".to_owned(),
            ],
            "sigv4",
            "temporary",
        ),
        (
            vec![format!(
                "Authorization: AWS4-ECDSA-P256-SHA256 Credential={KEY_ID}/20260102/dynamodb/aws4_request, {signature}"
            )],
            "sigv4a",
            "long_term",
        ),
        (vec![format!("Authorization: AWS4-HMAC-SHA256 Credential=fake/{scope}, {signature}")], "sigv4", "?"),
        // Folded in the old way, all of the value on the next lines.
        (
            vec![
                "Authorization:".to_owned(),
                format!(" AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},"),
                "  ".to_owned(),
                format!("\t{signature}"),
            ],
            "sigv4",
            "long_term",
        ),
        // Folded in the old way, and with a space in front of the colon.
        (
            vec![
                format!("Authorization : AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},"),
                format!("\t{signature}"),
            ],
            "sigv4",
            "long_term",
        ),
        // No signature in it: not signed.
        (
            vec![format!("Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, Signature=")],
            "none",
            "long_term",
        ),
        // Of several keys the one that does not expire counts, whichever the server takes; a token is the other's.
        (
            ["AKIA1", "ASIA1"]
                .map(|key| format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, {signature}"))
                .into(),
            "sigv4",
            "long_term",
        ),
        (
            ["ASIA1", "AKIA1", "ASIA2"]
                .map(|key| format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, {signature}"))
                .into_iter()
                .chain(["X-Amz-Security-Token: secret".to_owned()])
                .collect(),
            "sigv4",
            "long_term",
        ),
        (vec!["Authorization: Basic c2VjcmV0".to_owned()], "none", "?"),
        (vec!["Authorization: Bearer secret".to_owned()], "none", "?"),
        (vec![], "none", "?"),
    ] {
        let mut all = vec!["POST / HTTP/1.1".to_owned(), "Host: db".to_owned()];
        all.extend(lines);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let facts = facts(&head(&all));
        let found =
            (facts.signature.unwrap().as_str(), facts.credential.map_or("?", SigningCredential::as_str));
        assert_eq!(found, (expected, kind), "{all:?}");
    }
}

#[test]
fn reads_a_signature_in_the_query() {
    let request = head(&[
        "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2fdynamodb%2Faws4_request&X-Amz-Signature=00 HTTP/1.1",
        "Host: [::1]:8000",
    ]);
    let facts = facts(&request);
    assert_eq!(facts.signature, Some(Signature::Presigned));
    assert_eq!(facts.credential, Some(SigningCredential::LongTerm));
    assert_eq!(facts.scope_region.as_deref(), Some("eu-west-1"));
    assert_eq!(facts.host.as_deref(), Some("::1"));
}

/// Nor do its token and its scope count.
#[test]
fn a_key_that_is_only_named_beside_one_that_signs_signs_nothing() {
    let of = |key: &str, region: &str| format!("{key}EXAMPLE/20260102/{region}/dynamodb/aws4_request");
    let header = |key: &str, signature: &str| {
        format!("Authorization: AWS4-HMAC-SHA256 Credential={}, Signature={signature}", of(key, "us-east-1"))
    };
    let query = |key: &str, rest: &str| format!("X-Amz-Credential={}{rest}", of(key, "eu-west-1"));
    let signed = "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00";
    let token = "X-Amz-Security-Token: secret".to_owned();
    for (query, headers, signature, kind, region) in [
        // Whatever is missing in the query.
        (query("AKIA", ""), vec![header("ASIA", "00"), token.clone()], "sigv4", "temporary", "us-east-1"),
        (query("AKIA", "&X-Amz-Signature=00"), vec![header("ASIA", "00")], "sigv4", "temporary", "us-east-1"),
        (
            query("AKIA", "&X-Amz-Algorithm=AWS4-HMAC-SHA256"),
            vec![header("ASIA", "00")],
            "sigv4",
            "temporary",
            "us-east-1",
        ),
        (
            query("ASIA", "&X-Amz-Security-Token=secret"),
            vec![header("AKIA", "00")],
            "sigv4",
            "long_term",
            "us-east-1",
        ),
        // In the head it is the same, and in either order.
        (query("ASIA", signed), vec![header("AKIA", "")], "presigned", "temporary", "eu-west-1"),
        (String::new(), vec![header("AKIA", ""), header("ASIA", "00")], "sigv4", "temporary", "us-east-1"),
        (String::new(), vec![header("ASIA", "00"), header("AKIA", "")], "sigv4", "temporary", "us-east-1"),
        // Both sign, or neither.
        (query("AKIA", signed), vec![header("ASIA", "00")], "sigv4", "long_term", "eu-west-1"),
        (query("AKIA", ""), vec![], "none", "long_term", "eu-west-1"),
        (query("AKIA", ""), vec![header("ASIA", "")], "none", "long_term", "eu-west-1"),
    ] {
        let mut lines = vec![format!("POST /?{query} HTTP/1.1"), "Host: db".to_owned()];
        lines.extend(headers);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let facts = facts(&head(&lines));
        let found = (
            facts.signature.unwrap().as_str(),
            facts.credential.unwrap().as_str(),
            facts.scope_region.as_deref().unwrap(),
        );
        assert_eq!(found, (signature, kind, region), "{lines:?}");
    }
}

#[test]
fn reads_a_signature_in_the_query_however_it_is_encoded_and_whatever_is_in_front() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2Fdynamodb%2Faws4_request&X-Amz-Signature=00";
    let many: String = (0..1_000).map(|number| format!("p{number}=1&")).collect();
    let whole = facts(&head(&[&format!("GET /?{query} HTTP/1.1")]));
    for query in [
        format!("{many}{query}"),
        query.replace("AWS4-HMAC", "AWS4%2dHMAC"),
        query.replace("X-Amz-", "X%2DAmz%2D"),
        query.replace("AKIA", "%41KIA"),
        query.replace("%2F", "/"),
        query
            .bytes()
            .map(|byte| {
                if byte == b'&' || byte == b'=' {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect::<String>()
            .replace("%25%32%46", "%2F"),
        format!("%=%4&%zz=%&{query}&%"),
    ] {
        let found = facts(&head(&[&format!("GET /?{query} HTTP/1.1")]));
        assert_eq!(found, whole, "{query}");
        assert_eq!(found.signature, Some(Signature::Presigned));
    }
    // What is encoded twice is something else.
    let twice = query.replace("X-Amz-Signature", "X%252DAmz%252DSignature");
    assert_eq!(facts(&head(&[&format!("GET /?{twice} HTTP/1.1")])).signature, Some(Signature::None));
}

#[test]
fn keeps_of_a_version_what_is_one() {
    for (told, kept) in [
        ("aws-cli/2.25.0", Some("aws-cli/2.25.0")),
        ("aws-cli/2.1-SECRETUSER", Some("aws-cli/2.1")),
        ("aws-cli/2.SECRETUSER", Some("aws-cli/2")),
        ("aws-cli/2secretuser.1", Some("aws-cli/2")),
        ("aws-cli/2.1-rc.secret", Some("aws-cli/2.1")),
        ("aws-cli/2.0.0dev123", Some("aws-cli/2.0.0dev123")),
        ("aws-sdk-java/2.31.0-SNAPSHOT", Some("aws-sdk-java/2.31.0-SNAPSHOT")),
        ("aws-sdk-js/3.0.0-rc.1", Some("aws-sdk-js/3.0.0-rc.1")),
        ("aws-cli/.1", None),
        ("aws-cli/", None),
        ("aws-cli/1.2222222222222222222222222", None),
    ] {
        let line = format!("User-Agent: {told}");
        assert_eq!(facts(&head(&["GET / HTTP/1.1", &line])).sdk.as_deref(), kept, "{told}");
    }
}

#[test]
fn keeps_no_secret() {
    let query = head(&[
        "GET http://user:password@db.example/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE/AKIA/x/y&X-Amz-Security-Token=secret&X-Amz-Signature=5d672d79 HTTP/1.1",
        "X-Amz-Target: DynamoDB_20120810.secret-table",
        "User-Agent: aws-sdk-AKIAIOSFODNN7EXAMPLE/1 boto3/AKIAIOSFODNN7EXAMPLE secret",
    ]);
    let mut body = signed();
    body.extend_from_slice(b"{\"TableName\":\"secret\"}");
    for bytes in [query, body] {
        let kept = format!("{:?}", parse_request(&bytes));
        for secret in ["IOSFODNN7", "5d672d79", "secret", "password"] {
            assert!(!kept.contains(secret), "{secret} in {kept}");
        }
    }
}

#[test]
fn keeps_only_targets_of_dynamodb() {
    for (value, is_kept) in [
        ("DynamoDB_20120810.PutItem", true),
        ("DynamoDBStreams_20120810.GetRecords", true),
        ("DynamoDB_20111205.Query", true),
        ("AmazonDAXV3.DescribeClusters", true),
        ("DynamoDB_20120810.", false),
        ("DynamoDB_20120810.Get-Item", false),
        ("Kinesis_20131202.PutRecord", false),
        ("PutItem", false),
    ] {
        let facts = facts(&head(&["POST / HTTP/1.1", &format!("X-Amz-Target: {value}")]));
        assert_eq!(facts.target.as_deref(), is_kept.then_some(value), "{value}");
    }
    let long = format!("X-Amz-Target: DynamoDB_20120810.{}", "a".repeat(65));
    assert_eq!(facts(&head(&["POST / HTTP/1.1", &long])).target, None);
}

#[test]
fn no_other_target_hides_one_of_dynamodb() {
    const SCAN: &str = "DynamoDB_20120810.Scan";
    for (values, target, has_other) in [
        (&[SCAN, "Kinesis_20131202.PutRecord"][..], Some(SCAN), false),
        (&["Kinesis_20131202.PutRecord", SCAN], Some(SCAN), false),
        (&[SCAN, ""], Some(SCAN), false),
        (&["", SCAN], Some(SCAN), false),
        (&[SCAN, "DynamoDB_20120810.Query"], Some(SCAN), false),
        (&["Kinesis_20131202.PutRecord", ""], None, true),
    ] {
        let fields: String = values.iter().map(|value| format!("\r\nX-Amz-Target: {value}")).collect();
        let facts = facts(&head(&[&format!("POST / HTTP/1.1{fields}")]));
        assert_eq!((facts.target.as_deref(), facts.has_other_target), (target, has_other), "{values:?}");
    }
}

#[test]
fn says_what_is_a_request_wherever_it_was_taken_from() {
    for (line, is_sure) in [
        ("GET /", true),
        ("CONNECT db:443", true),
        ("OST / HTTP/1.", true),
        ("\r\nY / HTTP/1.1\r\n", true),
        ("Y  / HTTP/1.1\r\n", true),
        ("OST / HTTP/1", false),
        ("OST /", false),
        ("Y /", false),
    ] {
        assert_eq!(is_surely_request(line.as_bytes()), is_sure, "{line:?}");
        assert!(looks_like_request(line.as_bytes()), "{line:?}");
    }
}

#[test]
fn takes_the_host_from_where_it_stands() {
    for (line, host_line, expected) in [
        ("GET / HTTP/1.1", "Host: Example.COM:8000", Some("example.com")),
        ("GET http://Other.example:80/x HTTP/1.1", "Host: example.com", Some("other.example")),
        ("GET / HTTP/1.1", "Host: 127.0.0.1:8000", Some("127.0.0.1")),
        ("GET / HTTP/1.1", "Host: [2001:db8::1]", Some("2001:db8::1")),
        ("GET / HTTP/1.1", "Host: [oops", None),
        ("GET / HTTP/1.1", "Host: a b", None),
        ("GET / HTTP/1.1", "Host: a:b", None),
        ("GET / HTTP/1.1", "Host:", None),
        ("GET / HTTP/1.0", "X: y", None),
    ] {
        assert_eq!(facts(&head(&[line, host_line])).host.as_deref(), expected, "{line} {host_line}");
    }
}

#[test]
fn knows_a_request_by_its_first_line() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.0\n",
        "\r\nPOST / HTTP/1.1\r\n",
        "M-SEARCH * HTTP/1.1\r\n",
        "POST /a/long/path",
        "POST / HT",
        "CONNECT db.example:443 HTTP/1.1\r\n",
        "GET http://db.example/ HTTP/1.1\r\n",
        "POST  / HTTP/1.1\r\n",
        "POST /\t \tHTTP/1.0 \n",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n",
        "M!#$%&'*+-.^_`|~1 / HTTP/1.1\r\n",
    ] {
        assert!(looks_like_request(line.as_bytes()), "{line:?}");
    }
    for line in [
        "",
        "GET",
        "GET ",
        "EHLO mail.example\r\n",
        "GET /key\r\n",
        "PRI * HTTP/1.1\r\n",
        "GET / HTTP/2.0\r\n",
        "HTTP/1.1 200 OK\r\n",
        "a1 STARTTLS\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\x16\x03\x01\x02\x00",
        "GET / FTP/1.1\r\n",
        "GET /\x01 HTTP/1.1\r\n",
        // A line of a log, of other protocols, and what is not whole.
        "192.0.2.1 - \"GET / HTTP/1.1\r\n",
        "192.0.2.1 - - [1/Jan/2026] \"GET / HTTP/1.1\" 200\r\n",
        "GET  / RTSP/1.0\r\n",
        "GET  / HTTP/1.1 x\r\n",
        "GET  a HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n",
        "(GET) / HTTP/1.1\r\n",
        "CONNECT  db.example:443 HTTP/1.1\r\n",
        "CONNECT\t/ HTTP/1.1\r\n",
        "GET  / HTTP/2.0\r\n",
        "GET  / HTTP/1.1",
    ] {
        assert!(!looks_like_request(line.as_bytes()), "{line:?}");
    }
}

#[test]
fn tells_only_methods_that_may_be_some() {
    let long = "A".repeat(25);
    for (line, method) in [
        ("POST\t/\tHTTP/1.1", Some("POST")),
        ("OPTIONS  * HTTP/1.1", Some("OPTIONS")),
        ("123456789012 / HTTP/1.1", None),
        (&format!("{long} / HTTP/1.1"), None),
    ] {
        let facts = facts(&head(&[line, "Host: db", "X-Amz-Target: DynamoDB_20120810.Scan"]));
        assert_eq!(facts.method.as_deref(), method, "{line}");
        assert_eq!((facts.host.as_deref(), facts.signature), (Some("db"), Some(Signature::None)));
    }
}

#[test]
fn needs_more_at_every_prefix_and_reads_no_cut_line() {
    let whole = signed();
    for end in 0..whole.len() {
        let prefix = &whole[..end];
        assert_eq!(parse_request(prefix), Parse::NeedMore, "{end}");
        let facts = parse_truncated(prefix);
        assert!(facts.is_truncated);
        assert_ne!(facts.signature, Some(Signature::None), "a signature may have followed");
        for (found, expected) in [
            (facts.target, "DynamoDB_20120810.GetItem"),
            (facts.host, "dynamodb.us-east-1.amazonaws.com"),
            (facts.scope_service, "dynamodb"),
        ] {
            assert!(found.as_deref().is_none_or(|found| found == expected), "{end} {found:?}");
        }
    }
    let cut = parse_truncated(&whole[..whole.len() - 2]);
    assert_eq!(cut.target.as_deref(), Some("DynamoDB_20120810.GetItem"));
    assert_eq!(cut.signature, None, "the line of the signature could have gone on");
}

#[test]
fn stops_at_the_head_limit_and_says_so() {
    let mut long = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nX: y\r\nX: ".to_vec();
    long.resize(MAX_HEAD_BYTES, b'a');
    assert_eq!(parse_request(&long), Parse::NeedMore);
    long.push(b'a');
    let Parse::Done(request) = parse_request(&long) else { panic!("the limit did not bite") };
    assert_eq!(request.limit, Some("request_head_too_long"));
    assert_eq!(request.facts.target.as_deref(), Some("DynamoDB_20120810.GetItem"));
    assert!(request.facts.is_truncated);
}

#[test]
fn knows_http2_in_clear_by_its_preface_and_says_no_more_of_it() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(facts(preface), HttpFacts { is_truncated: true, ..HttpFacts::default() });
    for end in 0..preface.len() {
        let whole = end >= 18;
        assert_eq!(matches!(parse_request(&preface[..end]), Parse::Done(_)), whole, "{end}");
        assert!(parse_request(&preface[..end]) != Parse::No, "{end}");
        let cut = parse_truncated(&preface[..end]);
        assert_eq!(cut, HttpFacts { is_truncated: true, ..HttpFacts::default() }, "{end}");
    }
}

#[test]
fn gives_the_length_of_the_head() {
    let mut bytes = signed();
    let length = bytes.len();
    bytes.extend_from_slice(b"{}");
    let Parse::Done(request) = parse_request(&bytes) else { panic!("not read") };
    assert_eq!((request.head_bytes, request.limit), (length, None));
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz_http(&bytes);
    }

    #[test]
    fn never_panics_on_a_changed_byte(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = signed();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fuzz_http(&bytes);
    }
}

#[test]
fn a_connect_for_what_is_longer_than_any_host_is_no_request() {
    for form in ["/", "a:", "http://"] {
        let request = |length| format!("CONNECT {form}{}", "a".repeat(length));
        assert!(looks_like_request(request(900).as_bytes()), "{form}");
        for end in ["", " HTTP/1.1\r\n"] {
            assert!(!looks_like_request(format!("{}{end}", request(1_100)).as_bytes()), "{form}");
        }
    }
}
