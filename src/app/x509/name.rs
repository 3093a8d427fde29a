//! Distinguished names as text [RFC 4514].

use std::borrow::Cow;
use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::oid_registry::{
    OID_DOMAIN_COMPONENT, OID_PKCS9_EMAIL_ADDRESS, OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME,
    OID_X509_LOCALITY_NAME, OID_X509_ORGANIZATION_NAME, OID_X509_ORGANIZATIONAL_UNIT, OID_X509_SERIALNUMBER,
    OID_X509_STATE_OR_PROVINCE_NAME, OID_X509_STREET_ADDRESS, Oid,
};
use x509_parser::x509::X509Name;

use crate::model::without_begun_number;

/// Bytes of a name kept as text. Real ones have about 100.
const MAX_NAME_BYTES: usize = 1_024;

/// Bytes of one value kept. RFC 5280 appendix A.1 allows 64 to 32,768 by type; common names 64.
const MAX_VALUE_BYTES: usize = 255;

/// The name as RFC 4514 writes it: last part first. Control characters and what is no text are
/// escaped, what is too long ends in `…`.
pub(super) fn to_text(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        for (at, attribute) in part.iter().enumerate() {
            if text.len() > MAX_NAME_BYTES {
                text.push('…');
                return text;
            }
            if !text.is_empty() {
                text.push(if at == 0 { ',' } else { '+' });
            }
            match keyword(attribute.attr_type()) {
                Some(keyword) => text.push_str(keyword),
                None => {
                    let _ = write!(text, "{}", attribute.attr_type());
                }
            }
            text.push('=');
            push_value(&mut text, attribute.attr_value());
        }
    }
    text
}

/// A value alone, not escaped for its place in a name; control characters are written `\xNN`.
/// `None` where it is no text or too long.
pub(super) fn value(any: &Any<'_>) -> Option<String> {
    let text = decode(any)?;
    (any.data.len() <= MAX_VALUE_BYTES).then(|| escape_controls(&text))
}

/// Control characters as `\xNN`, so that a name can be printed.
pub(super) fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            let _ = write!(escaped, "\\x{:02x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// userId, 0.9.2342.19200300.100.1.1 [RFC 4519 section 2.39].
const USER_ID: Oid<'static> =
    Oid::new(Cow::Borrowed(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01]));

/// The short names of RFC 4514 section 3, and two more in wide use.
fn keyword(kind: &Oid<'_>) -> Option<&'static str> {
    const KEYWORDS: [(Oid<'static>, &str); 11] = [
        (OID_X509_COMMON_NAME, "CN"),
        (OID_X509_LOCALITY_NAME, "L"),
        (OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
        (OID_X509_ORGANIZATION_NAME, "O"),
        (OID_X509_ORGANIZATIONAL_UNIT, "OU"),
        (OID_X509_COUNTRY_NAME, "C"),
        (OID_X509_STREET_ADDRESS, "STREET"),
        (OID_DOMAIN_COMPONENT, "DC"),
        (USER_ID, "UID"),
        (OID_X509_SERIALNUMBER, "serialNumber"),
        (OID_PKCS9_EMAIL_ADDRESS, "emailAddress"),
    ];
    KEYWORDS.iter().find(|(known, _)| known == kind).map(|(_, keyword)| *keyword)
}

fn push_value(text: &mut String, any: &Any<'_>) {
    let Some(value) = decode(any) else {
        // [RFC 4514 section 2.4]: what has no string form is written in hexadecimal.
        let cut = any.data.get(..MAX_VALUE_BYTES).filter(|kept| kept.len() < any.data.len());
        let kept = cut.map_or(any.data, |cut| cut.get(..without_begun_number(cut)).unwrap_or_default());
        text.push('#');
        for byte in kept {
            let _ = write!(text, "{byte:02X}");
        }
        if cut.is_some() {
            text.push('…');
        }
        return;
    };
    let start = text.len();
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        if text.len() - start > MAX_VALUE_BYTES {
            text.truncate(start + without_begun_number(text.as_bytes().get(start..).unwrap_or_default()));
            text.push('…');
            return;
        }
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            _ if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
            _ => text.push(character),
        }
    }
}

/// The string types of X.520; Teletex as Latin-1, as everybody does.
fn decode<'a>(any: &'a Any<'_>) -> Option<Cow<'a, str>> {
    // Longer ones are cut for the text anyway, where there is one character more than it has room for; a character has
    // 4 bytes at most, as all of Universal strings have.
    let data = any.data.get(..4 * (MAX_VALUE_BYTES + 2)).unwrap_or(any.data);
    match any.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            Some(String::from_utf8_lossy(data))
        }
        Tag::T61String => Some(data.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let units = data.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
            Some(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect())
        }
        Tag::UniversalString => {
            let units = data.as_chunks::<4>().0.iter().map(|unit| u32::from_be_bytes(*unit));
            Some(units.map(|unit| char::from_u32(unit).unwrap_or('\u{fffd}')).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_no_begun_number_where_a_value_is_cut() {
        let wide =
            |text: &str| -> Vec<u8> { text.chars().flat_map(|sign| u32::from(sign).to_be_bytes()).collect() };
        for (before, is_cut) in [(MAX_VALUE_BYTES - 8, true), (MAX_VALUE_BYTES - 13, false)] {
            let text = format!("{}731973197319x", "x".repeat(before));
            for (tag, value, end) in [
                (Tag::Utf8String, text.clone().into_bytes(), ["x…", "x731973197319x"]),
                (Tag::UniversalString, wide(&text), ["x…", "x731973197319x"]),
                // What has no form as text.
                (Tag::OctetString, text.clone().into_bytes(), ["78…", "7837333139373331393733313978"]),
            ] {
                let mut text = String::new();
                push_value(&mut text, &Any::from_tag_and_data(tag, &value));
                assert!(text.ends_with(end[usize::from(!is_cut)]), "{tag} {text}");
            }
        }
    }
}
