use simple_dns::rdata::{A, AAAA, CNAME, HTTPS, RData, SVCB, TXT};
use std::cell::Cell;
use std::net::Ipv6Addr;

use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::*;

fn response(message: &[u8]) -> Result<Resolutions, DnsError> {
    parse_response(message, &|_| true)
}

fn cut_response(front: &[u8]) -> Result<Resolutions, DnsError> {
    parse_cut_response(front, &|_| true)
}

fn name(text: &str) -> Name<'_> {
    Name::new_unchecked(text)
}

fn record<'a>(owner: &'a str, ttl: u32, rdata: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name(owner), CLASS::IN, ttl, rdata)
}

fn v4(address: [u8; 4]) -> RData<'static> {
    RData::A(A { address: u32::from_be_bytes(address) })
}

fn alias(target: &str) -> RData<'_> {
    RData::CNAME(CNAME(name(target)))
}

fn message(question: &str, answers: Vec<ResourceRecord<'_>>) -> Vec<u8> {
    let mut packet = Packet::new_reply(7);
    packet.questions.push(Question::new(
        name(question),
        QTYPE::TYPE(TYPE::A),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.answers = answers;
    packet.build_bytes_vec_compressed().unwrap()
}

fn chain() -> Vec<u8> {
    message(
        "API.corp.example",
        vec![
            record("api.corp.example", 300, alias("Dynamodb.us-east-1.amazonaws.com")),
            record("dynamodb.us-east-1.amazonaws.com", 5, v4([52, 94, 0, 1])),
            record("dynamodb.us-east-1.amazonaws.com", 400, v4([52, 94, 0, 2])),
        ],
    )
}

/// `name address ttl`, sorted.
fn said(message: &[u8]) -> Vec<String> {
    let mut said: Vec<String> = response(message)
        .unwrap()
        .iter()
        .map(|found| format!("{} {} {}", found.name, found.address, found.ttl_seconds))
        .collect();
    said.sort();
    said
}

#[test]
fn gives_each_name_on_the_way_with_the_least_time_to_live() {
    assert_eq!(
        said(&chain()),
        [
            "api.corp.example 52.94.0.1 5",
            "api.corp.example 52.94.0.2 300",
            "dynamodb.us-east-1.amazonaws.com 52.94.0.1 5",
            "dynamodb.us-east-1.amazonaws.com 52.94.0.2 400",
        ]
    );
}

#[test]
fn tells_the_names_that_stand_for_one_and_for_how_long() {
    let aliases = |message: &[u8], wanted: &str| -> Vec<String> {
        let found = parse_response(message, &|name| name.ends_with(wanted)).unwrap();
        let told = found.iter().map(|found| {
            let aliases: Vec<String> =
                found.aliases.iter().map(|alias| format!("{} {}", alias.name, alias.ttl_seconds)).collect();
            format!("{} {}: {}", found.name, found.ttl_seconds, aliases.join(", "))
        });
        told.collect()
    };
    assert_eq!(
        aliases(&chain(), "amazonaws.com"),
        [
            "dynamodb.us-east-1.amazonaws.com 5: api.corp.example 300",
            "dynamodb.us-east-1.amazonaws.com 400: api.corp.example 300"
        ]
    );
    // Each name on the way stands for what follows it, as long as all steps between hold.
    let chain = [
        record("a.example", 9, alias("b.example")),
        record("b.example", 60, alias("b b.example")),
        record("b b.example", 30, alias("c.example")),
        record("c.example", 400, v4([192, 0, 2, 1])),
        // Nobody asked for that.
        record("z.example", 400, alias("c.example")),
    ];
    let chain = message("a.example", chain.to_vec());
    assert_eq!(aliases(&chain, "c.example"), ["c.example 400: b.example 30, a.example 9"]);
    // What matters itself is told as a name, and need not be told again.
    assert_eq!(aliases(&chain, "example"), ["c.example 400: ", "b.example 30: ", "a.example 9: "]);
}

#[test]
fn reads_ipv6_and_service_bindings() {
    let address = "2600:1f00::5".parse::<Ipv6Addr>().unwrap();
    let mut binding = SVCB::new(1, name(""));
    binding.set_ipv4hint(&[u32::from_be_bytes([52, 94, 0, 3])]);
    let message = message(
        "a.example",
        vec![
            record("a.example", 60, RData::AAAA(AAAA { address: address.into() })),
            record("a.example", 30, RData::HTTPS(HTTPS(binding))),
            record("a.example", 30, RData::TXT(TXT::new().with_string("v=1").unwrap())),
        ],
    );
    assert_eq!(said(&message), ["a.example 2600:1f00::5 60", "a.example 52.94.0.3 30"]);
}

#[test]
fn takes_a_time_to_live_with_the_highest_bit_for_zero() {
    let message = message("a.example", vec![record("a.example", 0x8000_0001, v4([192, 0, 2, 1]))]);
    assert_eq!(said(&message), ["a.example 192.0.2.1 0"]);
}

#[test]
fn tells_no_names_but_of_hosts_and_only_those_that_are_wanted() {
    for odd in ["a b.example", "a\u{7}.example", "*.example", "a\\.example"] {
        assert_eq!(said(&message(odd, vec![record(odd, 1, v4([192, 0, 2, 1]))])), [""; 0], "{odd}");
    }
    let wanted = parse_response(&chain(), &|name| name == "api.corp.example").unwrap();
    let wanted: Vec<String> =
        wanted.iter().map(|found| format!("{} {}", found.name, found.address)).collect();
    assert_eq!(wanted, ["api.corp.example 52.94.0.1", "api.corp.example 52.94.0.2"]);
    // The way is found through names that are not hosts'.
    let answers =
        vec![record("a.example", 9, alias("b b.example")), record("b b.example", 5, v4([192, 0, 2, 1]))];
    assert_eq!(said(&message("a.example", answers)), ["a.example 192.0.2.1 5"]);
}

/// How often somebody is asked whether a name is wanted.
fn questions_asked(message: &[u8], is_wanted: bool) -> usize {
    let asked = Cell::new(0);
    let found = parse_response(message, &|_| {
        asked.set(asked.get() + 1);
        is_wanted
    });
    assert_eq!(found.map(|found| found.is_empty()), Ok(!is_wanted));
    asked.get()
}

#[test]
fn looks_at_a_name_once_however_often_it_is_written() {
    let addresses =
        |count: u8| (0..count).map(|last| record("a.example", 60, v4([10, 0, 0, last]))).collect();
    let many = message("a.example", addresses(120));
    assert_eq!(questions_asked(&many, false), 1);
    assert_eq!(questions_asked(&many, true), 1);
    assert_eq!(questions_asked(&chain(), false), 4, "two names in two spellings");
}

/// Addresses of two names by turns, at the end of a chain of `aliases`.
fn alternating(aliases: usize, addresses: u8) -> Vec<u8> {
    let names: Vec<String> = (0..=aliases).map(|number| format!("n{number}.example")).collect();
    let mut answers: Vec<ResourceRecord<'_>> =
        names.windows(2).map(|pair| record(&pair[0], 9, alias(&pair[1]))).collect();
    for last in 0..addresses {
        answers.push(record(&names[aliases - usize::from(last % 2)], 9, v4([10, 0, 0, last])));
    }
    message("n0.example", answers)
}

#[test]
fn tells_a_bounded_number_of_names_for_addresses() {
    assert_eq!(response(&alternating(10, 20)).unwrap().len(), 210);
    assert_eq!(response(&alternating(10, 24)).unwrap().len(), 252);
    assert_eq!(response(&alternating(10, 25)), Err(DnsError::TooManyAnswers));
    assert_eq!(response(&alternating(16, 100)), Err(DnsError::TooManyAnswers));
    // As many as there may be answers, where fewer names are wanted.
    let one = parse_response(&alternating(16, 100), &|name| name == "n0.example");
    assert_eq!(one.unwrap().len(), 100);
}

#[test]
fn refuses_more_than_one_question() {
    let chain = chain();
    let mut packet = Packet::parse(&chain).unwrap();
    packet.questions.push(packet.questions[0].clone());
    let twice = packet.build_bytes_vec_compressed().unwrap();
    assert_eq!(response(&twice), Err(DnsError::Malformed));
    assert_eq!(cut_response(&twice), Err(DnsError::Malformed));
    packet.questions.clear();
    let none = packet.build_bytes_vec_compressed().unwrap();
    assert_eq!(response(&none), response(&chain));
}

#[test]
fn refuses_names_that_are_too_long_or_have_too_many_pointers() {
    let with_last_label = |bytes: u8| {
        let mut message = vec![0, 7, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        for length in [63, 63, 63, bytes] {
            message.push(length);
            message.resize(message.len() + usize::from(length), b'a');
        }
        message.extend([0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);
        response(&message).map(|found| found.first().map(|found| found.name.len()))
    };
    assert_eq!(with_last_label(61), Ok(Some(253)));
    assert_eq!(with_last_label(62), Err(DnsError::Malformed));
    // Of a text, a name and pointers, each to the one before; then an address whose owner is a pointer to the last.
    let with_pointers = |count: u16| {
        let mut message = vec![0, 7, 0x80, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 16, 0, 1, 0, 0, 0, 1];
        message.extend((3 + 2 * count).to_be_bytes());
        let mut begin = message.len() as u16;
        message.extend([1, b'a', 0]);
        for _ in 0..count {
            let pointer = 0xc000 | begin;
            begin = message.len() as u16;
            message.extend(pointer.to_be_bytes());
        }
        message.extend((0xc000 | begin).to_be_bytes());
        message.extend([0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);
        response(&message).map(|found| found.len())
    };
    assert_eq!([with_pointers(0), with_pointers(127)], [Ok(1); 2]);
    assert_eq!(with_pointers(128), Err(DnsError::Malformed));
}

#[test]
fn refuses_queries_and_reads_no_answers_from_errors() {
    let mut query = chain();
    query[2] &= 0x7f;
    assert_eq!(response(&query), Err(DnsError::NotResponse));
    let mut update = chain();
    update[2] |= 5 << 3;
    assert_eq!(response(&update), Err(DnsError::NotResponse));
    let mut missing = chain();
    missing[3] |= 3;
    assert_eq!(response(&missing), Ok(Vec::new()));
    assert_eq!(response(&message("a.example", Vec::new())), Ok(Vec::new()));
}

#[test]
fn uses_the_answers_of_a_truncated_response_and_ignores_what_follows_them() {
    let mut message = chain();
    message[2] |= 0x02;
    // One authority record is announced that is not there.
    message[9] = 1;
    assert_eq!(said(&message).len(), 4);
}

#[test]
fn ends_in_loops_of_aliases() {
    let message = message(
        "a.example",
        vec![
            record("a.example", 9, alias("b.example")),
            record("b.example", 9, alias("a.example")),
            record("b.example", 9, alias("b.example")),
            record("a.example", 9, v4([192, 0, 2, 1])),
        ],
    );
    assert_eq!(said(&message), ["a.example 192.0.2.1 9", "b.example 192.0.2.1 9"]);
}

#[test]
fn follows_a_bounded_number_of_aliases() {
    let names: Vec<String> = (0..40).map(|number| format!("n{number}.example")).collect();
    let mut answers: Vec<ResourceRecord<'_>> =
        names.windows(2).map(|pair| record(&pair[0], 9, alias(&pair[1]))).collect();
    answers.push(record("n39.example", 9, v4([192, 0, 2, 1])));
    assert_eq!(response(&message("n0.example", answers)).unwrap().len(), MAX_CHAIN + 1);
}

#[test]
fn refuses_more_answers_than_it_looks_at() {
    let answers = |count| vec![record("a.example", 1, v4([192, 0, 2, 1])); count];
    assert_eq!(said(&message("a.example", answers(MAX_ANSWERS))).len(), MAX_ANSWERS);
    let error = response(&message("a.example", answers(MAX_ANSWERS + 1))).unwrap_err();
    assert_eq!(error.reason(), "too_many_answers");
    // Counts without the bytes for them make no room.
    let mut lying = chain();
    lying[4..6].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(response(&lying), Err(DnsError::Malformed));
}

#[test]
fn refuses_compression_loops() {
    for pointer in [[0xc0, 12], [0xc0, 0xff], [0xff, 0xff], [0xc0, 14]] {
        let mut message = vec![0, 7, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        message.extend(pointer);
        message.extend([0, 1, 0, 1]);
        message.extend(pointer);
        message.extend([0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);
        assert_eq!(response(&message), Err(DnsError::Malformed), "{pointer:?}");
    }
}

#[test]
fn calls_every_prefix_malformed() {
    let whole = chain();
    for end in 0..whole.len() {
        assert_eq!(response(&whole[..end]), Err(DnsError::Malformed), "{end}");
    }
}

#[test]
fn believes_only_what_was_asked_for() {
    let v4 = || v4([10, 0, 0, 1]);
    let strange = message("www.example", vec![record("dynamodb.us-east-1.amazonaws.com", 60, v4())]);
    assert_eq!(said(&strange), [""; 0]);
    // Neither an alias that leads to the name asked for, nor one that leads nowhere.
    let aliases = [("evil.example", "a.example"), ("a.example", "b.example"), ("c.example", "d.example")];
    let aliases = aliases.map(|(owner, target)| record(owner, 60, alias(target)));
    let answers = aliases.into_iter().chain([record("b.example", 60, v4())]).collect();
    assert_eq!(said(&message("A.example", answers)), ["a.example 10.0.0.1 60", "b.example 10.0.0.1 60"]);
}

#[test]
fn takes_the_whole_answers_of_a_response_that_the_capture_cut() {
    let answers = |count: u8| (0..count).map(|last| record("a.example", 60, v4([10, 0, 0, last]))).collect();
    let whole = message("a.example", answers(3));
    // Each answer is a pointer, the fixed part and an address.
    let [first, second, third] = [2, 1, 0].map(|missing| whole.len() - missing * 16);
    assert_eq!(whole[first - 4..first], [10, 0, 0, 0]);
    for end in 0..=whole.len() {
        let expected = usize::from(end >= first) + usize::from(end >= second) + usize::from(end >= third);
        match cut_response(&whole[..end]) {
            Ok(found) => assert_eq!(found.len(), expected, "{end}"),
            Err(error) => assert!(error == DnsError::Malformed && end < HEADER_BYTES, "{end}"),
        }
    }
    // An address that is cut is told of under none of its two names.
    let whole = chain();
    assert_eq!(cut_response(&whole[..whole.len() - 1]).map(|found| found.len()), Ok(said(&whole).len() - 2));
    assert_eq!(cut_response(&whole), response(&whole));
}

#[test]
fn survives_any_change_of_one_byte() {
    let whole = chain();
    for at in 0..whole.len() {
        for value in 0..=255 {
            let mut changed = whole.clone();
            changed[at] = value;
            fuzz_dns(&changed);
        }
    }
}

fn framed() -> Vec<u8> {
    let mut stream = Vec::new();
    for message in [chain(), message("a.example", vec![record("a.example", 1, v4([192, 0, 2, 1]))])] {
        stream.extend((message.len() as u16).to_be_bytes());
        stream.extend(message);
    }
    stream
}

#[test]
fn cuts_a_stream_into_the_same_messages_however_it_is_split() {
    let stream = framed();
    let expected = vec![chain(), message("a.example", vec![record("a.example", 1, v4([192, 0, 2, 1]))])];
    for at in 0..=stream.len() {
        let (mut messages, mut found) = (TcpMessages::default(), Vec::new());
        for part in [&stream[..at], &stream[at..]] {
            messages.push(part, &mut |message| found.push(message.unwrap().to_vec()));
        }
        assert_eq!(found, expected, "{at}");
    }
    let (mut messages, mut found) = (TcpMessages::default(), Vec::new());
    for byte in &stream {
        messages.push(&[*byte], &mut |message| found.push(message.unwrap().to_vec()));
    }
    assert_eq!(found, expected);
}

#[test]
fn tells_a_message_behind_its_length_from_what_has_no_room_for_its_counts() {
    let stream = framed();
    for end in 0..=stream.len() {
        let expected = if end < 2 + HEADER_BYTES { Parse::NeedMore } else { Parse::Done(()) };
        assert_eq!(begins_tcp_message(&stream[..end]), expected, "{end}");
    }
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"CONNECT a:443 HTTP/1.1\r\n",
        b"zzzzzzzz\n\n\n\n\n\n\n\n",
        b"\x05\x01\x00\x05\x01\x00\x03\x08db.local\x01\xbb",
        &[0, 16, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        &[0; 14],
    ] {
        assert_eq!(begins_tcp_message(other), Parse::No, "{other:?}");
    }
}

#[test]
fn passes_over_messages_that_are_too_long() {
    let mut stream = vec![0xff, 0xff];
    stream.resize(2 + 0xffff, 0);
    stream.extend(framed());
    for step in [1, 7, 1460, stream.len()] {
        let (mut messages, mut found) = (TcpMessages::default(), Vec::new());
        for part in stream.chunks(step) {
            messages.push(part, &mut |message| found.push(message.map(|_| ())));
            assert!(messages.held_bytes() <= 2 * MAX_TCP_MESSAGE_BYTES);
        }
        assert_eq!(found, [Err(DnsError::TooLong), Ok(()), Ok(())], "{step}");
    }
}

#[test]
fn says_nothing_after_a_gap_or_bytes_that_are_no_dns() {
    let (mut messages, mut found) = (TcpMessages::default(), Vec::new());
    let mut push = |messages: &mut TcpMessages, bytes: &[u8]| {
        messages.push(bytes, &mut |message| found.push(message.map(|_| ())));
    };
    push(&mut messages, &framed()[..9]);
    for _ in 0..2 {
        messages.gap();
        assert_eq!(messages.held_bytes(), 0);
        push(&mut messages, &framed());
    }
    let mut other = TcpMessages::default();
    push(&mut other, &[0, 3, 1, 2, 3]);
    push(&mut other, &framed());
    // Once for each loss, and for what is no DNS.
    assert_eq!(found, [Err(DnsError::Gap), Err(DnsError::Malformed)]);
    messages = TcpMessages::default();
    assert_eq!(messages.untold(), None);
    messages.gap();
    assert_eq!(messages.untold(), Some(DnsError::Gap));
}
