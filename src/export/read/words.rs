//! Words of a record back into values.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

use foldhash::fast::RandomState;

use crate::model::registry::{AlertDescription, CipherSuite, NamedGroup, Ssl2CipherKind, TlsVersion};
use crate::model::{Date, Layer, Timestamp};
use crate::policy::Rule;

/// Words of newer versions that are kept for the life of the process, and their longest: they are those of
/// reasons and rules, of which there are few; a file of strangers' words must not grow without end.
const MAX_WORDS: usize = 256;
const MAX_WORD_BYTES: usize = 64;

/// No word has so many digits; an account id has, and words are not redacted.
const TOO_MANY_DIGITS: usize = 12;

/// A word that lives as long as the process; `None` for what is no word, or one too many.
pub(super) fn word(text: &str) -> Option<&'static str> {
    static WORDS: OnceLock<Mutex<HashSet<&'static str, RandomState>>> = OnceLock::new();
    if let Some(rule) = Rule::parse(text) {
        return Some(rule.as_str());
    }
    let is_word = !text.is_empty()
        && text.len() <= MAX_WORD_BYTES
        && text.bytes().filter(u8::is_ascii_digit).count() < TOO_MANY_DIGITS
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_word {
        return None;
    }
    let mut words = WORDS.get_or_init(Mutex::default).lock().ok()?;
    if let Some(known) = words.get(text) {
        return Some(known);
    }
    if words.len() >= MAX_WORDS {
        return None;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    words.insert(kept);
    Some(kept)
}

/// `0x` and exactly so many hexadecimal digits.
pub(super) fn hex(text: &str, digits: usize) -> Option<u32> {
    let rest = text.strip_prefix("0x")?;
    let fits = rest.len() == digits && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits { u32::from_str_radix(rest, 16).ok() } else { None }
}

fn hex16(text: &str) -> Option<u16> {
    hex(text, 4).and_then(|number| u16::try_from(number).ok())
}

/// `1.2`, or the number of a version without a name.
pub(super) fn version(text: &str) -> Option<TlsVersion> {
    TlsVersion::from_name(text).or_else(|| hex16(text).map(TlsVersion))
}

/// A suite by name or number.
pub(super) fn suite(text: &str) -> Option<CipherSuite> {
    CipherSuite::from_name(text).or_else(|| hex16(text).map(CipherSuite))
}

/// A kind of SSL 2 by name or number; among the kinds with a name those of the registry are few.
pub(super) fn ssl2_kind(text: &str) -> Option<Ssl2CipherKind> {
    if let Some(number) = hex(text, 6) {
        return Some(Ssl2CipherKind(number));
    }
    Ssl2CipherKind::from_name(text)
}

/// A group by name or number.
pub(super) fn group(text: &str) -> Option<NamedGroup> {
    NamedGroup::from_name(text).or_else(|| hex16(text).map(NamedGroup))
}

/// An alert by name or number.
pub(super) fn alert(text: &str) -> Option<AlertDescription> {
    if let Some(number) = hex(text, 2) {
        return u8::try_from(number).ok().map(AlertDescription);
    }
    (0..=u8::MAX).map(AlertDescription).find(|alert| alert.name() == Some(text))
}

/// RFC 3339 in UTC, `Z` or written as an offset of nothing.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if !text.ends_with('Z') && !text.ends_with("+00:00") {
        return None;
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// A second of the calendar; the parser of moments ends before the last that certificates name.
pub(super) fn date(text: &str) -> Option<Date> {
    let civil: jiff::civil::DateTime = text.strip_suffix('Z')?.parse().ok()?;
    let of_day = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()];
    Date::from_civil(
        u16::try_from(civil.year()).ok()?,
        of_day.map(|number| u8::try_from(number).unwrap_or(u8::MAX)),
    )
}

/// As [`Layer`] writes itself.
pub(super) fn layer(text: &str) -> Option<Layer> {
    match text {
        "gre" => return Some(Layer::Gre { key: None }),
        "ipip" => return Some(Layer::IpInIp { outer: 4, inner: 4 }),
        "6in4" => return Some(Layer::IpInIp { outer: 4, inner: 6 }),
        "4in6" => return Some(Layer::IpInIp { outer: 6, inner: 4 }),
        "6in6" => return Some(Layer::IpInIp { outer: 6, inner: 6 }),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("erspan") {
        let (version, session) = match rest.split_once(':') {
            Some((version, session)) => (version, Some(session.parse().ok()?)),
            None => (rest, None),
        };
        return Some(Layer::Erspan { version: version.parse().ok()?, session });
    }
    let (kind, number) = text.split_once(':')?;
    Some(match kind {
        "vlan" => Layer::Vlan(number.parse().ok()?),
        "geneve" => Layer::Geneve { vni: number.parse().ok()?, endpoint_id: None, attachment_id: None },
        "vxlan" => Layer::Vxlan(number.parse().ok()?),
        "gre" => Layer::Gre { key: Some(number.parse().ok()?) },
        "gtp" => Layer::Gtp(number.parse().ok()?),
        "mpls" => Layer::Mpls(number.parse().ok()?),
        "pppoe" => Layer::Pppoe(number.parse().ok()?),
        _ => return None,
    })
}

/// `vpce-0` and sixteen digits.
pub(super) fn vpc_endpoint(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("vpce-0").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_written() {
        for number in 0..=u16::MAX {
            let written = TlsVersion(number).to_string();
            assert_eq!(version(&written).map(|version| version.to_string()), Some(written));
            assert_eq!(group(&NamedGroup(number).to_string()), Some(NamedGroup(number)));
        }
        for number in (0..=u16::MAX).step_by(7).chain([0xc02f, 0x1301]) {
            assert_eq!(suite(&CipherSuite(number).to_string()), Some(CipherSuite(number)));
        }
        for number in 0..=u8::MAX {
            assert_eq!(alert(&AlertDescription(number).to_string()), Some(AlertDescription(number)));
        }
        for text in ["1970-01-01T00:00:00.000000000Z", "2554-07-21T23:34:33.709551615Z"] {
            assert_eq!(time(text).map(|time| time.to_string()).as_deref(), Some(text));
        }
        assert_eq!(time("2026-11-01T00:00:00+00:00"), time("2026-11-01T00:00:00Z"));
        assert_eq!((time("2026-11-01T00:00:00+01:00"), time("2026-11-01T00:00:00")), (None, None));
        for text in ["0000-01-01T00:00:00Z", "1949-12-31T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(date(text).map(|date| date.to_string()).as_deref(), Some(text));
        }
        assert_eq!((date("2026-02-30T00:00:00Z"), date("2026-01-01T00:00:00")), (None, None));
    }

    #[test]
    fn reads_every_layer() {
        for text in [
            "vlan:120",
            "geneve:0",
            "vxlan:42",
            "gre",
            "gre:7",
            "gtp:5",
            "erspan1",
            "erspan2:100",
            "mpls:16",
            "pppoe:1",
            "ipip",
            "6in4",
            "4in6",
            "6in6",
        ] {
            assert_eq!(layer(text).map(|layer| layer.to_string()).as_deref(), Some(text));
        }
        for text in ["", "vlan", "vlan:", "vlan:-1", "vlan:70000", "tunnel:1", "erspan"] {
            assert_eq!(layer(text), None, "{text}");
        }
    }

    #[test]
    fn keeps_few_words() {
        assert_eq!(word("weak_cipher"), Some("weak_cipher"));
        assert_eq!(word("static_key_exchange"), word("static_key_exchange"));
        for text in ["", "Two Words", "\"", &"a".repeat(65), "rule_731973197319"] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
