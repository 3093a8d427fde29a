use super::*;

const LIMIT: usize = 65_536;

fn moment(seconds: u64) -> Moment {
    Moment {
        at: Timestamp::from_seconds(seconds),
        frame: seconds,
        context: 0,
        interface: 0,
        link: None,
        acknowledgment: None,
        end: None,
    }
}

fn collect(base: u32, segments: &[(u32, &[u8])]) -> (Vec<u8>, usize) {
    let mut stream = Stream::default();
    stream.anchor(base, true);
    let (mut bytes, mut gaps) = (Vec::new(), 0);
    for (offset, payload) in segments {
        let mut deliver = |delivery: Delivery<'_>| match delivery {
            Delivery::Bytes(fresh, _) | Delivery::Waited(fresh, ..) => bytes.extend_from_slice(fresh),
            Delivery::Late(..) => panic!("nothing was given up"),
            Delivery::Gap(_) => gaps += 1,
        };
        let sequence = base.wrapping_add(*offset);
        assert!(stream.push(sequence, payload, payload.len() as u32, LIMIT, &moment(0), &mut deliver));
    }
    (bytes, gaps)
}

#[test]
fn orders_reordered_overlapping_and_repeated_segments() {
    for base in [0, 1_000, u32::MAX - 3] {
        for segments in [
            &[(0, &b"abc"[..]), (3, b"def"), (6, b"gh")][..],
            &[(3, b"def"), (0, b"abc"), (6, b"gh")],
            &[(6, b"gh"), (3, b"def"), (0, b"abc")],
            &[(0, b"abc"), (0, b"abc"), (2, b"cdef"), (1, b"bcdefgh")],
            &[(5, b"fgh"), (2, b"cdef"), (2, b"cdef"), (0, b"abcd")],
        ] {
            assert_eq!(collect(base, segments), (b"abcdefgh".to_vec(), 0), "{base} {segments:?}");
        }
    }
}

#[test]
fn first_copy_of_a_byte_wins() {
    assert_eq!(collect(7, &[(0, b"abc"), (1, b"XYZ")]).0, b"abcZ");
}

/// How many of the segments, each with a sequence number, disagree with others. An empty one says what the peer
/// acknowledges.
fn disagreements(segments: &[(u32, &[u8])]) -> u32 {
    let mut stream = Stream::default();
    stream.anchor(u32::MAX - 2, true);
    for &(sequence, payload) in segments {
        let sequence = (u32::MAX - 2).wrapping_add(sequence);
        if payload.is_empty() {
            stream.acknowledge(sequence);
        } else {
            let wire_bytes = payload.len() as u32;
            stream.push(sequence, payload, wire_bytes, LIMIT, &moment(0), &mut |_| ());
        }
    }
    stream.unconfirmed.disagreements()
}

#[test]
fn tells_of_copies_that_disagree() {
    for (expected, segments) in [
        (0, &[(0, &b"abcdef"[..]), (0, b"abcdef"), (2, b"cd"), (4, b"efgh"), (1, b"bcdefghi")][..]),
        (1, &[(0, b"abcdef"), (0, b"abcdeX")]),
        (1, &[(0, b"abc"), (3, b"def"), (1, b"bcdXfgh")]),
        (2, &[(0, b"abcdef"), (2, b"X"), (3, b"X")]),
        // What is held, by its copy and by what comes before it.
        (1, &[(2, b"cd"), (2, b"cX"), (0, b"ab")]),
        (1, &[(2, b"cd"), (0, b"abX"), (4, b"e")]),
        // Though all of it is acknowledged before it is in order.
        (1, &[(2, b"cdef"), (4, b"Xfg"), (7, b""), (0, b"ab")]),
        // The receiver has it already; the first byte is acknowledged and the others are not.
        (0, &[(0, b"abcdef"), (6, b""), (0, b"XXXXXX")]),
        (0, &[(0, b"abcdef"), (1, b""), (0, b"Xbcdef")]),
        (1, &[(0, b"abcdef"), (1, b""), (0, b"aXcdef")]),
        // The made-up byte of a keep-alive.
        (0, &[(0, b"abcdef"), (5, b"X")]),
    ] {
        assert_eq!(disagreements(segments), expected, "{segments:?}");
    }
}

#[test]
fn reports_bytes_the_capture_cut() {
    let mut stream = Stream::default();
    stream.anchor(1, true);
    let mut seen = Vec::new();
    stream.push(1, b"ab", 10, LIMIT, &moment(0), &mut |delivery| seen.push(format!("{delivery:?}")));
    stream.push(11, b"k", 1, LIMIT, &moment(0), &mut |delivery| seen.push(format!("{delivery:?}")));
    assert_eq!(seen, ["Bytes([97, 98], 3)", "Gap(11)", "Bytes([107], 12)"]);
}

/// A stream of which bytes 1 to 4 are missing since the tenth second.
fn with_gap() -> Stream {
    let mut stream = Stream::default();
    stream.anchor(1, true);
    stream.push(5, b"e", 1, LIMIT, &moment(10), &mut |_| panic!("nothing is in order"));
    stream
}

#[test]
fn gives_up_a_gap_only_when_it_is_hopeless() {
    let mut stream = with_gap();
    assert!(!stream.is_gap_hopeless(Timestamp::from_seconds(12)));
    assert!(stream.is_gap_hopeless(Timestamp::from_seconds(13)));
    let mut seen = Vec::new();
    assert!(stream.skip_gap(&mut |delivery| seen.push(format!("{delivery:?}"))));
    let late = "Late([101], 6, Origin { frame: 10, at: Timestamp(10000000000), acknowledgment: None })";
    assert_eq!(seen, ["Gap(5)", late]);
    assert_eq!(stream.held_bytes(), 0);
}

#[test]
fn waits_for_what_the_receiver_lacks_too() {
    let mut stream = with_gap();
    stream.acknowledge(1);
    assert!(!stream.is_gap_hopeless(Timestamp::from_seconds(68)));
    // It has them now, and nobody has seen them.
    stream.acknowledge(6);
    assert!(!stream.is_gap_hopeless(Timestamp::from_seconds(69)));
    assert!(stream.is_gap_hopeless(Timestamp::from_seconds(70)));
    // What was said before the gap opened says nothing of it, nor does what is older.
    let mut stream = Stream::default();
    stream.anchor(1, true);
    stream.acknowledge(1);
    stream.push(5, b"e", 1, LIMIT, &moment(10), &mut |_| panic!("nothing is in order"));
    stream.acknowledge(0);
    assert!(stream.is_gap_hopeless(Timestamp::from_seconds(13)));
    // Nor for ever, where time does not go on.
    let mut stream = with_gap();
    stream.acknowledge(1);
    let packets = (1..10_000).find(|_| stream.is_gap_hopeless(Timestamp::from_seconds(10)));
    assert_eq!(packets, Some(4_097));
}

#[test]
fn waits_for_what_is_lacked_behind_a_gap_that_was_given_up() {
    for (acknowledgment, is_hopeless) in [(6, false), (5, true)] {
        let mut stream = with_gap();
        stream.push(9, b"i", 1, LIMIT, &moment(11), &mut |_| ());
        stream.acknowledge(acknowledgment);
        assert!(stream.skip_gap(&mut |_| ()));
        assert_eq!(stream.is_gap_hopeless(Timestamp::from_seconds(14)), is_hopeless, "{acknowledgment}");
    }
}

#[test]
fn a_fin_is_the_end_where_the_bytes_lead() {
    use Heard::{Ahead, End, Nothing};

    // Bytes 1 to 9 were seen, and 1 to 4 acknowledged.
    for (at, expected) in [
        (10, End),
        (9, Nothing),
        (1, Nothing),
        (3_000_u32.wrapping_neg(), Nothing),
        (11, Ahead),
        (2_000_000, Ahead),
        (WINDOW + 10, Nothing),
    ] {
        for base in [1, u32::MAX - 4] {
            let place = |at: u32| base.wrapping_add(at).wrapping_sub(1);
            let mut stream = Stream::default();
            stream.anchor(base, true);
            stream.push(base, b"123456789", 9, LIMIT, &moment(0), &mut |_| ());
            stream.acknowledge(place(5));
            assert_eq!(stream.hear_fin(place(at)), expected, "{at}");
            assert_eq!(
                (stream.is_finished(), stream.lost_until().is_some()),
                (expected == End, expected == Ahead),
                "{at}"
            );
            // Sent again it is the same, and another one is nothing.
            assert_eq!(stream.hear_fin(place(at)), expected, "{at}");
            if expected == End {
                assert_eq!(stream.hear_fin(place(20)), Nothing);
            }
            assert_eq!(stream.settle_fin(), None);
            // But the right one always counts.
            assert_eq!(stream.hear_fin(place(10)), End, "{at}");
            assert!(stream.is_finished() && stream.lost_until().is_none(), "{at}");
        }
    }
}

#[test]
fn a_fin_ahead_is_the_end_or_not_by_what_comes_of_it() {
    let ahead = || {
        let mut stream = Stream::default();
        stream.anchor(1, true);
        assert_eq!(stream.hear_fin(5), Heard::Ahead);
        stream
    };
    let settled = |mut stream: Stream, sequence: u32, payload: &[u8], acknowledgment: u32| {
        stream.acknowledge(acknowledgment);
        stream.push(sequence, payload, payload.len() as u32, LIMIT, &moment(0), &mut |_| ());
        (stream.settle_fin(), stream.is_finished(), stream.lost_until().is_some())
    };
    // What leads up to it, a part of that, and more.
    assert_eq!(settled(ahead(), 1, b"abcd", 1), (Some(Heard::End), true, false));
    assert_eq!(settled(ahead(), 1, b"abc", 1), (None, false, true));
    assert_eq!(settled(ahead(), 3, b"cd", 1), (None, false, true));
    assert_eq!(settled(ahead(), 1, b"abcde", 1), (Some(Heard::Nothing), false, false));
    assert_eq!(settled(ahead(), 4, b"de", 1), (Some(Heard::Nothing), false, false));
    // The other side has received it, or more.
    assert_eq!(settled(ahead(), 1, b"", 6), (Some(Heard::End), false, true));
    assert_eq!(settled(ahead(), 1, b"", 5), (None, false, true));
    assert_eq!(settled(ahead(), 1, b"", 9), (Some(Heard::Nothing), false, true));
    // Of several the nearest.
    let mut stream = ahead();
    assert_eq!([stream.hear_fin(900), stream.hear_fin(4)], [Heard::Nothing, Heard::Ahead]);
    assert_eq!(settled(stream, 1, b"abc", 1), (Some(Heard::End), true, false));
    // Heard before the beginning was known, in front of it, at it, and further on.
    for (beginning, expected) in [(1, None), (5, Some(Heard::End)), (9, Some(Heard::Nothing))] {
        let mut stream = Stream::default();
        assert_eq!(stream.hear_fin(5), Heard::End);
        assert_eq!(stream.settle_fin(), None);
        stream.anchor(beginning, true);
        assert_eq!(stream.settle_fin(), expected, "{beginning}");
    }
}

#[test]
fn holds_no_more_than_the_limit() {
    let mut stream = Stream::default();
    stream.anchor(0, true);
    let mut refused = 0;
    for index in 0..1_000_u32 {
        if !stream.push(10 + index * 3, b"x", 1, 1_000, &moment(0), &mut |_| ()) {
            refused += 1;
        }
    }
    assert!(refused > 900 && stream.held_bytes() <= 1_000);
}

#[test]
fn finds_the_beginning_late() {
    let mut stream = Stream::default();
    assert!(stream.push(105, b"fgh", 3, LIMIT, &moment(0), &mut |_| panic!("no beginning yet")));
    assert!(stream.push(90, b"old", 3, LIMIT, &moment(0), &mut |_| panic!("no beginning yet")));
    stream.anchor(100, false);
    let mut bytes = Vec::new();
    let mut deliver = |delivery: Delivery<'_>| {
        if let Delivery::Bytes(fresh, _) | Delivery::Waited(fresh, ..) = delivery {
            bytes.extend_from_slice(fresh);
        }
    };
    stream.push(100, b"abcde", 5, LIMIT, &moment(0), &mut deliver);
    assert_eq!(bytes, b"abcdefgh");
}

/// Of a flight of segments that a tap sliced, nothing is waited for that the peer has; of one that is wrong, or was lost and
/// comes again, all is.
#[test]
fn what_was_sliced_is_given_up_once_the_peer_has_it() {
    for base in [0, u32::MAX - 12] {
        let at = |offset| base.wrapping_add(offset);
        let mut stream = Stream::default();
        stream.anchor(base, true);
        // Each says that it has ten bytes.
        for offset in [0, 10, 20] {
            stream.push(at(offset), b"abc", 3, LIMIT, &moment(0), &mut |_| ());
            stream.note_said_end(at(offset + 10));
            assert!(!stream.is_gap_sliced(), "nobody has it yet");
        }
        for (acknowledged, is_sliced) in [(3, false), (9, false), (10, true), (20, true)] {
            stream.acknowledge(at(acknowledged));
            assert_eq!(stream.is_gap_sliced(), is_sliced, "{acknowledged}");
        }
        stream.skip_gap(&mut |_| ());
        assert!(stream.is_gap_sliced());
        stream.skip_gap(&mut |_| ());
        assert!(!stream.is_gap_sliced() && !stream.has_held());
        stream.push(at(31), b"d", 1, LIMIT, &moment(0), &mut |_| ());
        stream.acknowledge(at(32));
        assert!(!stream.is_gap_sliced(), "it goes on elsewhere");
    }
}
