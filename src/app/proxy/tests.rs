//! Preambles in, targets out.

use proptest::prelude::*;

use super::*;

const V2_TCP4: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x34\x5e\x05\x01\xdc\x04\x01\xbb";

/// `kind target length`, or `NeedMore` or `No`.
fn summary(bytes: &[u8]) -> String {
    match client(bytes, Start::Connection) {
        Parse::Done(Preamble { facts: Some(facts), length_bytes }) => {
            format!("{} {} {length_bytes}", facts.kind, facts.target.as_deref().unwrap_or("?"))
        }
        Parse::Done(Preamble { facts: None, length_bytes }) => format!("- {length_bytes}"),
        Parse::NeedMore => "NeedMore".to_owned(),
        Parse::No => "No".to_owned(),
    }
}

/// Whole preambles, with their kind and target.
fn valid() -> Vec<(Vec<u8>, &'static str)> {
    let connect = b"CONNECT DynamoDB.us-east-1.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n";
    vec![
        (connect.to_vec(), "http_connect dynamodb.us-east-1.amazonaws.com:443"),
        (b"CONNECT [2001:DB8::1]:443 HTTP/1.0\n\n".to_vec(), "http_connect [2001:db8::1]:443"),
        (b"\x05\x01\x00\x05\x01\x00\x01\x34\x5e\x05\x01\x01\xbb".to_vec(), "socks5 52.94.5.1:443"),
        (
            b"\x05\x02\x00\x02\x01\x04user\x06secret\x05\x01\x00\x03\x0bdb.example.\x01\xbb".to_vec(),
            "socks5 db.example.:443",
        ),
        (
            b"\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb".to_vec(),
            "socks5 [2001:db8::1]:443",
        ),
        (b"\x05\x01\x00\x05\x02\x00\x01\x34\x5e\x05\x01\x01\xbb".to_vec(), "socks5 ?"),
        (b"\x04\x01\x01\xbb\x34\x5e\x05\x01user\0".to_vec(), "-"),
        (b"\x04\x01\x01\xbb\x00\x00\x00\x01user\0db.example\0".to_vec(), "-"),
        (b"PROXY TCP4 192.0.2.1 52.94.5.1 56324 443\r\n".to_vec(), "proxy_protocol 52.94.5.1:443"),
        (b"PROXY TCP6 2001:db8::2 2001:db8::1 1 443\r\n".to_vec(), "proxy_protocol [2001:db8::1]:443"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "proxy_protocol ?"),
        (V2_TCP4.to_vec(), "proxy_protocol 52.94.5.1:443"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec(), "proxy_protocol ?"),
    ]
}

#[test]
fn reads_every_kind_of_preamble() {
    for (bytes, expected) in valid() {
        assert_eq!(
            summary(&bytes),
            format!("{expected} {}", bytes.len()),
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn reads_the_destination_of_proxy_protocol_2() {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f".to_vec();
    bytes.extend_from_slice(&[192, 0, 2, 1, 52, 94, 5, 1, 0xdc, 0x04, 0x01, 0xbb]);
    bytes.extend_from_slice(b"\x04\x00\x00");
    assert_eq!(summary(&bytes), "proxy_protocol 52.94.5.1:443 31");
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24".to_vec();
    bytes.extend_from_slice(&[0; 31]);
    bytes.extend_from_slice(&[1, 0xdc, 0x04, 0x01, 0xbb]);
    assert_eq!(summary(&bytes), "proxy_protocol [::1]:443 52");
    // Addresses of a Unix socket name no target.
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x31\x00\x01".to_vec();
    bytes.push(0);
    assert_eq!(summary(&bytes), "proxy_protocol ? 17");
}

#[test]
fn takes_the_innermost_that_names_a_target() {
    let connect = b"CONNECT db.example:443 HTTP/1.1\r\n\r\n";
    let outer = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 3128\r\n";
    let both = [&outer[..], connect].concat();
    assert_eq!(summary(&both), format!("http_connect db.example:443 {}", both.len()));
    // The second CONNECT repeats the first with authentication.
    let twice = [&connect[..], connect].concat();
    assert_eq!(summary(&twice), format!("http_connect db.example:443 {}", twice.len()));
    let nameless = [&connect[..], b"PROXY UNKNOWN\r\n"].concat();
    assert_eq!(summary(&nameless), format!("http_connect db.example:443 {}", nameless.len()));
    // What follows a whole preamble may be anything.
    let followed = [&connect[..], b"\x16\x03\x01"].concat();
    assert_eq!(summary(&followed), format!("http_connect db.example:443 {}", connect.len()));
    // SOCKS4 was asked for a target, for which there is no word: those in front were asked for the way to it.
    let socks4 = b"\x04\x01\x01\xbb\x34\x5e\x05\x01user\0";
    let nameless = [&connect[..], socks4].concat();
    assert_eq!(summary(&nameless), format!("- {}", nameless.len()));
    let partly = [&connect[..], b"CONN"].concat();
    assert_eq!(summary(&partly), format!("http_connect db.example:443 {}", connect.len()));
}

#[test]
fn takes_no_number_for_the_name_of_a_protocol_behind_missing_bytes() {
    for (bytes, expected) in valid() {
        let found = client(&bytes, Start::Loss);
        assert_eq!(found == Parse::No, matches!(bytes[0], 4 | 5), "{expected}");
        // One that was told a target may have been in front of it.
        if let Parse::Done(preamble) = found {
            assert_eq!(preamble.facts.is_none(), expected.ends_with('?'), "{expected}");
        }
        // Behind what is known it is one.
        let behind = [b"CONNECT a.example:1080 HTTP/1.1\r\n\r\n", &bytes[..]].concat();
        assert_eq!(client(&behind, Start::Loss), client(&behind, Start::Connection), "{expected}");
    }
}

#[test]
fn refuses_targets_that_are_no_host() {
    for bytes in [
        &b"CONNECT db\x07.example:443 HTTP/1.1\r\n\r\n"[..],
        b"CONNECT db.example HTTP/1.1\r\n\r\n",
        b"CONNECT db.example:99999 HTTP/1.1\r\n\r\n",
        b"CONNECT db.example:443 HTTP/2\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\n\r\n",
        b"CONNECT \xff\xfe:443 HTTP/1.1\r\n\r\n",
        b"\x05\x01\x00\x05\x01\x00\x03\x02\x1b[\x01\xbb",
        b"\x05\x00\x05\x01",
        b"\x05\x01\x00\x05\x07\x00\x01\x34\x5e\x05\x01\x01\xbb",
        b"\x05\x01\x00\x01\x01u\x01p\x05",
        b"\x04\x01\x01\xbb\x34\x5e\x05\x01\x16\x03\0",
        b"PROXY TCP4 192.0.2.1 nowhere 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 52.94.5.1 56324 443 9\r\n",
        b"POST / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
    ] {
        assert_eq!(summary(bytes), "No", "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn keeps_no_secret() {
    for (bytes, _) in valid() {
        let kept = format!("{:?}", client(&bytes, Start::Connection));
        for secret in ["secret", "c2VjcmV0", "user"] {
            assert!(!kept.contains(secret), "{kept}");
        }
    }
}

#[test]
fn needs_more_at_every_prefix() {
    for (bytes, _) in valid() {
        for end in 0..bytes.len() {
            assert_eq!(summary(&bytes[..end]), "NeedMore", "{end} of {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn reads_what_comes_byte_by_byte_as_it_reads_it_at_once() {
    let connect = "CONNECT a.example:443 HTTP/1.1\r\nX: y\r\n\r\n";
    let fields = "a:\n".repeat(500);
    let mut said: Vec<Vec<u8>> =
        valid().into_iter().map(|(bytes, _)| [&bytes[..], connect.as_bytes()].concat()).collect();
    said.push(format!("{}GET / HTTP/1.1\r\n", connect.repeat(MAX_PREAMBLES + 1)).into_bytes());
    said.push(format!("{connect}{}", "\u{e9}\n\r".repeat(300)).into_bytes());
    said.push(format!("CONNECT a.example:443 HTTP/1.1\n{fields}\nX").into_bytes());
    said.push(format!("CONNECT {} HTTP/1.1\n", "x".repeat(2_000)).into_bytes());
    said.push(format!("CONNECT {}\t", "x".repeat(2_000)).into_bytes());
    for said in said {
        let mut preambles = Preambles::default();
        for end in 0..=said.len() {
            let so_far = &said[..end];
            let at_once = client(so_far, Start::Connection);
            match preambles.read(so_far) {
                Parse::Done(preamble) => assert_eq!(at_once, Parse::Done(preamble.clone()), "{end}"),
                Parse::NeedMore => assert_eq!(at_once, Parse::NeedMore, "{end}"),
                Parse::No => assert_eq!(at_once, Parse::No, "{end}"),
            }
        }
    }
}

#[test]
fn looks_at_each_byte_once() {
    let connect = "CONNECT a.example:443 HTTP/1.1\r\n\r\n";
    // What is searched next time begins where this time ended, if anything is.
    let mut preambles = Preambles::default();
    let said = format!("{connect}CONNECT a.example:443 HTTP/1.1\r\n{}", "a:\n".repeat(1_000));
    let _ = preambles.read(said.as_bytes());
    assert_eq!((preambles.count, preambles.whole.length_bytes), (1, connect.len()));
    assert_eq!(preambles.connect.searched, said.len() - connect.len());
    let said = format!("CONNECT {}", "a".repeat(1_000));
    let mut preambles = Preambles::default();
    let _ = preambles.read(said.as_bytes());
    assert_eq!(preambles.connect.searched, said.len());
    // No more after what is none, or as many as are read.
    for (said, count) in [(format!("{connect}X"), 1), (connect.repeat(MAX_PREAMBLES), MAX_PREAMBLES)] {
        let mut preambles = Preambles::default();
        let _ = preambles.read(said.as_bytes());
        assert_eq!((preambles.is_over, preambles.count), (true, count));
    }
}

#[test]
fn stops_at_its_limits() {
    let mut long = b"CONNECT db.example:443 HTTP/1.1\r\n".to_vec();
    long.resize(MAX_CONNECT_BYTES, b'a');
    assert_eq!(summary(&long), "No");
    let mut long = b"PROXY TCP4 ".to_vec();
    long.resize(MAX_V1_BYTES, b'1');
    assert_eq!(summary(&long), "No");
    let mut long = b"\x04\x01\x01\xbb\x34\x5e\x05\x01".to_vec();
    long.resize(400, b'a');
    assert_eq!(summary(&long), "No");
    let many = b"PROXY UNKNOWN\r\n".repeat(100);
    assert_eq!(summary(&many), format!("proxy_protocol ? {}", MAX_PREAMBLES * 15));
}

proptest! {
    #[test]
    fn never_panics_on_a_changed_byte(which in 0_usize..13, at in any::<prop::sample::Index>(), byte: u8) {
        let (mut bytes, _) = valid().swap_remove(which);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = client(&bytes, Start::Connection);
    }
}
