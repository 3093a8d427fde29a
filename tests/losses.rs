//! What a capture has lost makes things unknown, never wrong: of a part of a capture nothing is said that the whole
//! does not say.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::properties::{BASES, Base, records_of};
use crate::support::packets::{Frame, SYN, SYN_FIN_RST};
use crate::support::{self, Record};

/// Keys whose value is that of the whole wherever they are there.
const TRUE_OR_ABSENT: [&str; 21] = [
    "tls.protocol.version",
    "tls.cipher",
    "tls.cipher_id",
    "tls.curve",
    "tls.dh_bits",
    "tls.client.server_name",
    "tls.client.ja3",
    "tls.client.ja4",
    "tls.client.max_version",
    "tls.client.min_version",
    "tls.server.ja3s",
    "tls.next_protocol",
    "tls.resumed",
    "tls.alert",
    "tls.alert.from",
    "tls.hello_retry_request",
    "tls.server.certificate.subject",
    "http.request.method",
    "http.host",
    "proxy.kind",
    "proxy.target",
];

/// Keys of which the first value claims something, and others do not.
const CLAIMS: [(&str, &str); 7] = [
    ("policy.verdict", "pass"),
    ("handshake.outcome", "completed"),
    ("handshake.outcome", "refused_by_server"),
    ("handshake.outcome", "refused_by_client"),
    ("handshake.outcome", "reset"),
    ("handshake.outcome", "closed"),
    ("flow.completeness", "full"),
];

fn grave_rules(record: &Record) -> BTreeSet<&str> {
    let all = record.get("violations").and_then(Value::as_array).into_iter().flatten();
    all.filter(|violation| violation["severity"] != "info")
        .filter_map(|violation| violation["rule"].as_str())
        .collect()
}

fn ends(record: &Record) -> BTreeSet<String> {
    ["client", "server"]
        .map(|end| format!("{}:{}", record[&format!("{end}.address")], record[&format!("{end}.port")]))
        .into()
}

/// What `part` says that `whole` does not.
fn untrue(part: &Record, whole: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in TRUE_OR_ABSENT {
        if part.contains_key(key) && part.get(key) != whole.get(key) {
            wrong.push(format!("{key}: {:?}, of the whole {:?}", part.get(key), whole.get(key)));
        }
    }
    for (key, claim) in CLAIMS {
        if part.get(key).is_some_and(|value| value == claim) && part.get(key) != whole.get(key) {
            wrong.push(format!("{key}: {claim}, of the whole {:?}", whole.get(key)));
        }
    }
    if part.get("tls.established") == Some(&Value::Bool(true))
        && whole.get("tls.established") != Some(&Value::Bool(true))
    {
        wrong.push("tls.established".to_owned());
    }
    let secrecy = part.get("tls.forward_secrecy").and_then(Value::as_str);
    if secrecy.is_some_and(|secrecy| secrecy != "unknown")
        && part.get("tls.forward_secrecy") != whole.get("tls.forward_secrecy")
    {
        wrong.push(format!(
            "tls.forward_secrecy: {secrecy:?}, of the whole {:?}",
            whole.get("tls.forward_secrecy")
        ));
    }
    let invented: Vec<&str> = grave_rules(part).difference(&grave_rules(whole)).copied().collect();
    if !invented.is_empty() {
        wrong.push(format!("violations that are none: {}", invented.join(" ")));
    }
    wrong
}

/// What the records of some of a capture's frames say wrongly.
fn told_wrongly(base: &Base, frames: &[Frame]) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in records_of(frames) {
        let same_ends = base.records.iter().filter(|whole| ends(whole) == ends(&part));
        match same_ends.map(|whole| untrue(&part, whole)).min_by_key(Vec::len) {
            None => wrong.push(format!("a flow that is not there: {:?}", ends(&part))),
            Some(of_it) => wrong.extend(of_it),
        }
    }
    wrong
}

/// A client's alert after the server has closed: where only the client was seen, or of the server nothing but its RST
/// behind the alert, the alert is the end.
const CLOSED_BEFORE: [&str; 2] = [
    "refused-tls10-closed.pcap without the answers: handshake.outcome: refused_by_client",
    "refused-tls10-closed.pcap without the answers but the last 1: handshake.outcome: refused_by_client",
];

/// A server's alert between a client's FIN and its RST, which acknowledges nothing: that it was lost shows nowhere.
const UNTOLD: &str = "sslv2-hello.pcap without frame 9: handshake.outcome: closed";

/// Tries losses of every capture; says what was told wrongly, but for what begins with one of `inevitable`, each
/// of which has to be.
fn none_is_told_wrongly(
    what: &str,
    inevitable: &[&str],
    losses: impl Fn(&[Frame]) -> Vec<(String, Vec<Frame>)> + Sync,
) {
    let wrong: Vec<String> = support::each(&BASES, |base| {
        let mut lines = Vec::new();
        for (which, frames) in losses(&base.frames) {
            lines.extend(
                told_wrongly(base, &frames)
                    .into_iter()
                    .map(|line| format!("{} without {which}: {line}", base.name)),
            );
        }
        lines
    })
    .concat();
    for start in inevitable {
        assert!(wrong.iter().any(|line| line.starts_with(start)), "no longer so: {start}");
    }
    let wrong: Vec<String> =
        wrong.into_iter().filter(|line| !inevitable.iter().any(|start| line.starts_with(start))).collect();
    assert!(wrong.is_empty(), "{what}: {}\n{}", wrong.len(), wrong.join("\n"));
}

/// Places of the first frames with payload.
fn with_payload(frames: &[Frame], most: usize) -> Vec<usize> {
    let is_it = |frame: &Frame| frame.parts().is_some_and(|parts| parts.payload < parts.end);
    (0..frames.len()).filter(|&place| is_it(&frames[place])).take(most).collect()
}

#[test]
fn one_lost_packet_makes_nothing_untrue() {
    none_is_told_wrongly("one lost", &[UNTOLD], |frames| {
        let without = |lost: usize| {
            let rest =
                frames.iter().enumerate().filter(|(place, _)| *place != lost).map(|(_, frame)| frame.clone());
            (format!("frame {}", lost + 1), rest.collect())
        };
        with_payload(frames, 12).into_iter().map(without).collect()
    });
}

#[test]
fn a_lost_beginning_makes_nothing_untrue() {
    none_is_told_wrongly("beginning lost", &[], |frames| {
        (1..frames.len().min(16))
            .map(|first| (format!("the first {first}"), frames[first..].to_vec()))
            .collect()
    });
}

/// Servers have the lower port.
fn is_of_server(frame: &Frame) -> Option<bool> {
    let (source, destination) = frame.direction(frame.parts()?);
    let port = |end: &[u8]| u16::from_be_bytes([end[end.len() - 2], end[end.len() - 1]]);
    Some(port(&source) < port(&destination))
}

/// Who is not heard, by whether that is the server, and what is lost so.
const DIRECTIONS: [(bool, &str); 2] = [(true, "the answers"), (false, "the questions")];

#[test]
fn a_lost_direction_makes_nothing_untrue() {
    none_is_told_wrongly("one direction lost", &CLOSED_BEFORE[..1], |frames| {
        DIRECTIONS
            .map(|(lost, which)| {
                let rest = frames.iter().filter(|frame| is_of_server(frame) != Some(lost)).cloned();
                (which.to_owned(), rest.collect())
            })
            .into()
    });
}

#[test]
fn a_direction_of_which_the_end_is_left_makes_nothing_untrue() {
    none_is_told_wrongly("one direction lost up to its end", &CLOSED_BEFORE[1..], |frames| {
        let without = |(lost, which): (bool, &str), rest: usize| {
            let all = frames.iter().filter(|frame| is_of_server(frame) == Some(lost)).count();
            let mut left = all.saturating_sub(rest);
            let is_left = |frame: &&Frame| {
                let is_lost = left > 0 && is_of_server(frame) == Some(lost);
                left -= usize::from(is_lost);
                !is_lost
            };
            (format!("{which} but the last {rest}"), frames.iter().filter(is_left).cloned().collect())
        };
        DIRECTIONS.into_iter().flat_map(|of| (1..4).map(move |rest| without(of, rest))).collect()
    });
}

#[test]
fn short_frames_make_nothing_untrue() {
    none_is_told_wrongly("frames cut short", &[], |frames| {
        [54, 66, 72, 110, 150, 300, 700]
            .map(|most| {
                let cut = |frame: &Frame| Frame {
                    data: frame.data[..frame.data.len().min(most)].to_vec(),
                    ..frame.clone()
                };
                (format!("what is beyond {most} bytes"), frames.iter().map(cut).collect())
            })
            .into()
    });
}

/// The observer cannot know which of two copies the receiver took, so neither proves anything.
#[test]
fn hellos_of_which_two_copies_disagree_prove_nothing() {
    let bases: Vec<&Base> = BASES
        .iter()
        .filter(|base| base.records.len() == 1 && base.records[0]["policy.verdict"] == "pass")
        .collect();
    assert!(bases.len() > 20, "{}", bases.len());
    let wrong = support::each(&bases, |base| {
        let is_hello = |place: &usize| {
            let frame = &base.frames[*place];
            frame.parts().is_some_and(|parts| {
                let bytes = &frame.data[parts.payload..parts.end];
                let is_first = base.frames[..*place].iter().all(|earlier| !earlier.data.ends_with(bytes));
                let is_hello = bytes.len() > 60 && bytes[0] == 0x16 && matches!(bytes[5], 1 | 2);
                is_hello && is_first && frame.flags(parts) & SYN == 0
            })
        };
        let mut wrong = Vec::new();
        for place in with_payload(&base.frames, 12).into_iter().filter(is_hello) {
            for is_before in [true, false] {
                let mut frames = base.frames.clone();
                let mut copy = frames[place].clone();
                let parts = copy.parts().unwrap();
                // A part of the segment alone, with another random in it.
                copy.data[parts.payload + 30] ^= 0x55;
                let copy = copy.piece(parts, 20, 60);
                frames.insert(if is_before { place } else { place + 1 }, copy);
                let records = records_of(&frames);
                if records.iter().any(|record| record["policy.verdict"] == "pass") {
                    wrong.push(format!("{} frame {} before: {is_before}", base.name, place + 1));
                }
            }
        }
        wrong
    })
    .concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_check_of_this_kind_sees_what_is_wrong() {
    let base = BASES.iter().find(|base| base.name == "tls12-ecdhe-rsa.pcap").unwrap();
    let mut record = base.records[0].clone();
    assert_eq!(untrue(&record, &base.records[0]), Vec::<String>::new());
    record.insert("tls.cipher".to_owned(), Value::from("TLS_AES_128_GCM_SHA256"));
    record.insert("tls.forward_secrecy".to_owned(), Value::from("no"));
    assert_eq!(untrue(&record, &base.records[0]).len(), 2);
    assert!(with_payload(&base.frames, 9).iter().all(|&place| {
        base.frames[place].parts().is_some_and(|parts| base.frames[place].flags(parts) & SYN_FIN_RST == 0)
    }));
}
