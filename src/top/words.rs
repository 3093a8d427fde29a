//! Sentences over a picture: the judgement, and what was not seen.

use super::picture::{Picture, Summary};
use crate::view::Signs;
pub use crate::view::Tone;
use crate::view::text::{count, only_excused, thousands};

/// A text with its tone.
pub type Piece = (String, Tone);

/// The sentence that says how things are; the numbers of all verdicts stand below it.
pub(super) fn judgement(summary: &Summary, signs: &Signs) -> Piece {
    let verdicts = &summary.verdicts;
    let all = verdicts.pass + verdicts.violation + verdicts.not_assessable;
    let profile = &summary.configuration.profile;
    let unclear = verdicts.not_assessable;
    let passes = match verdicts.pass_by_exception {
        0 => String::new(),
        1 => " 1 passes only under an exception.".to_owned(),
        excused => format!(" {} pass only under an exception.", thousands(excused)),
    };
    if all == 0 {
        let reported = summary.flows.reported;
        let text = if reported > 0 {
            format!("{}, not judged.", count(reported, "flow"))
        } else {
            "No DynamoDB flow was seen.".to_owned()
        };
        return (format!("{} {text}", signs.unclear), Tone::Unclear);
    }
    if verdicts.violation > 0 {
        let verb = if verdicts.violation == 1 { "breaks" } else { "break" };
        let part = format!("{} of {}", thousands(verdicts.violation), count(all, "DynamoDB flow"));
        return (format!("{} {part} {verb} the profile {profile}.{passes}", signs.critical), Tone::Critical);
    }
    if unclear > 0 {
        let part = format!("{} of {}", thousands(unclear), count(all, "DynamoDB flow"));
        let text =
            format!("{part} cannot be assessed by the profile {profile}; none is seen to break it.{passes}");
        return (format!("{} {text}", signs.unclear), Tone::Warning);
    }
    let verb = if all == 1 { "keeps" } else { "keep" };
    let excused = only_excused(verdicts.pass_by_exception, all);
    let text = format!("{} {verb} the profile {profile}{excused}.", count(all, "DynamoDB flow"));
    (format!("{} {text}", signs.good), Tone::Good)
}

/// What was not seen, in one sentence; it must be as plain as a violation.
pub(super) fn not_seen(picture: &Picture, signs: &Signs) -> Piece {
    let summary = &picture.summary;
    let mut parts = Vec::new();
    let mut is_grave = false;
    if summary.watching.state == "failing" {
        is_grave = true;
        let why = summary.watching.trouble.as_deref().unwrap_or("the capture does not work");
        parts.push(format!("anything, now: {why}"));
    }
    let packets = &summary.packets;
    if packets.lost > 0 {
        is_grave = true;
        let lost = 100.0 - packets.seen_percent;
        parts.push(format!("{} ({lost:.1} %)", count(packets.lost, "lost packet")));
    }
    let flows_lost = summary.flows_lost();
    if flows_lost > 0 {
        is_grave = true;
        parts.push(format!("{} without room", count(flows_lost, "flow")));
    }
    let in_reassembly = summary.lost_at("reassembly");
    if in_reassembly > 0 {
        parts.push(format!("{} lost in reassembly", thousands(in_reassembly)));
    }
    let refused = summary.watching.refused.len() as u64;
    if refused > 0 {
        is_grave = true;
        parts.push(count(refused, "interface"));
    }
    let not_whole = summary.not_whole();
    if not_whole > 0 {
        parts.push(format!("{} handshakes in full", of(not_whole, summary.flows.reported)));
    }
    for (number, thing) in
        [(packets.decode_errors, "undecoded packet"), (packets.undecoded_messages, "undecoded message")]
    {
        if number > 0 {
            parts.push(count(number, thing));
        }
    }
    if !summary.notes.is_empty() {
        parts.push(format!("{} of the input", count(summary.notes.len() as u64, "unreadable part")));
    }
    let records = summary.lost_at("export");
    if records > 0 {
        parts.push(format!("{} not written", count(records, "record")));
    }
    if parts.is_empty() {
        let text = if packets.seen == 0 { "there was no packet" } else { "nothing that was noticed" };
        let (sign, tone) =
            if packets.seen == 0 { (signs.unclear, Tone::Unclear) } else { (signs.good, Tone::Good) };
        return (format!("{sign} Not seen: {text}."), tone);
    }
    let tone = if is_grave { Tone::Critical } else { Tone::Warning };
    (format!("{} Not seen: {}.", signs.warning, parts.join(", ")), tone)
}

fn of(part: u64, whole: u64) -> String {
    format!("{} of {}", thousands(part), thousands(whole.max(part)))
}

/// `2026-11-01T03:53:00.000Z` as `03:53:00`.
pub(super) fn clock(rfc3339: &str) -> &str {
    rfc3339.get(11..19).unwrap_or_default()
}

/// `2026-11-01T03:53:00.000Z` as `2026-11-01 03:53:00`.
pub(super) fn day_and_clock(rfc3339: &str) -> String {
    rfc3339.get(..19).unwrap_or_default().replace('T', " ")
}

/// The time between two moments of RFC 3339, in the two greatest units.
pub(super) fn span(from: &str, to: &str) -> Option<String> {
    let (from, to): (jiff::Timestamp, jiff::Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    let seconds = u64::try_from(to.as_second() - from.as_second()).ok()?;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    Some(match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    })
}

/// What is watched, in a few words.
pub(super) fn subject(picture: &Picture) -> String {
    let watching = &picture.summary.watching;
    let interfaces = match watching.interfaces.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [one, other] => format!("{one}, {other}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    };
    let state = match watching.state.as_str() {
        _ if picture.is_of_captures => return interfaces,
        "starting" => "starting",
        "failing" => "NOT CAPTURING",
        "over" => "replay over,",
        _ if watching.backend == "replay" => "replaying",
        _ => "watching",
    };
    format!("{state} {interfaces}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::picture::{Loss, Verdicts};

    fn summary(pass: u64, violation: u64, not_assessable: u64) -> Summary {
        let verdicts = Verdicts { pass, violation, not_assessable, ..Verdicts::default() };
        let mut summary = Summary { verdicts, ..Summary::default() };
        summary.configuration.profile = "p".to_owned();
        summary
    }

    #[test]
    fn passes_only_what_passed() {
        let signs = Signs::of(true);
        for ((pass, violation, unclear), text) in [
            ((1, 0, 0), "✔ 1 DynamoDB flow keeps the profile p."),
            ((2_000, 0, 0), "✔ 2,000 DynamoDB flows keep the profile p."),
            ((1, 1, 0), "✖ 1 of 2 DynamoDB flows breaks the profile p."),
            ((1, 2, 3), "✖ 2 of 6 DynamoDB flows break the profile p."),
            (
                (9, 0, 1),
                "? 1 of 10 DynamoDB flows cannot be assessed by the profile p; none is seen to break it.",
            ),
            ((0, 0, 0), "? No DynamoDB flow was seen."),
        ] {
            assert_eq!(judgement(&summary(pass, violation, unclear), signs).0, text);
        }
    }

    #[test]
    fn says_what_passes_only_under_an_exception() {
        for ((pass, violation, unclear), text) in [
            ((1, 0, 0), "✔ 1 DynamoDB flow keeps the profile p only under an exception."),
            ((3, 0, 0), "✔ 3 DynamoDB flows keep the profile p, 1 of them only under an exception."),
            ((3, 1, 0), "✖ 1 of 4 DynamoDB flows breaks the profile p. 1 passes only under an exception."),
            (
                (1, 0, 1),
                "? 1 of 2 DynamoDB flows cannot be assessed by the profile p; none is seen to break it. \
                 1 passes only under an exception.",
            ),
        ] {
            let mut summary = summary(pass, violation, unclear);
            summary.verdicts.pass_by_exception = 1;
            assert_eq!(judgement(&summary, Signs::of(true)).0, text);
        }
    }

    #[test]
    fn says_what_was_not_seen() {
        let signs = Signs::of(false);
        let mut picture = Picture::default();
        assert_eq!(not_seen(&picture, signs).0, "? Not seen: there was no packet.");
        picture.summary.packets.seen = 1;
        assert_eq!(not_seen(&picture, signs).0, "+ Not seen: nothing that was noticed.");
        picture.summary.packets.lost = 5;
        picture.summary.packets.seen_percent = 99.5;
        picture.summary.packets.decode_errors = 18;
        picture.summary.packets.undecoded_messages = 1;
        picture.summary.notes.push("x".to_owned());
        for (stage, count) in [("reassembly", 3), ("reassembly", 1_000), ("export", 2), ("ring", 9)] {
            picture.summary.dropped.push(Loss { stage: stage.to_owned(), count, ..Loss::default() });
        }
        let (text, tone) = not_seen(&picture, signs);
        assert_eq!(
            text,
            "! Not seen: 5 lost packets (0.5 %), 1,003 lost in reassembly, 18 undecoded packets, 1 undecoded message, \
             1 unreadable part of the input, 2 records not written."
        );
        assert_eq!(tone, Tone::Critical);
    }

    #[test]
    fn measures_time_in_words() {
        let from = "2026-11-01T00:00:00.000000000Z";
        for (to, text) in [
            ("2026-11-01T00:00:09.000000000Z", "9 s"),
            ("2026-11-01T00:03:09.000000000Z", "3 min 9 s"),
            ("2026-11-01T05:03:09.000000000Z", "5 h 3 min"),
            ("2026-11-04T05:03:09.000000000Z", "3 d 5 h"),
        ] {
            assert_eq!(span(from, to).as_deref(), Some(text));
        }
        assert_eq!(span("", from), None);
        assert_eq!(clock(from), "00:00:00");
        assert_eq!(clock("é"), "");
    }
}
