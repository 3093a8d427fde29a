//! JA3 and JA4 of a ClientHello, JA3S of a ServerHello.
//!
//! Source: the JA3 repository of Salesforce (BSD-3-Clause) and the JA4 repository of FoxIO
//! (BSD-3-Clause, notice in `LICENSE-JA4`). Pure functions of the hello: whoever sees equal hellos may keep the result.

use md5::{Digest, Md5};
use sha2::Sha256;

use super::numbers::extension;
use crate::model::registry::{TlsVersion, is_grease};
use crate::model::{ClientHello, ServerHello};

/// Room for the text of an ordinary hello, so that it is written without growing.
const USUAL_TEXT_BYTES: usize = 512;

/// MD5 of `version,suites,extensions,groups,point formats` in decimal, GREASE left out. `None` for a
/// hello of which a part is missing, and for the SSLv2 form.
#[must_use]
pub fn ja3(hello: &ClientHello) -> Option<String> {
    if hello.is_truncated || hello.is_ssl2_form {
        return None;
    }
    let mut text = Vec::with_capacity(USUAL_TEXT_BYTES);
    push_decimal(&mut text, hello.legacy_version.0);
    text.push(b',');
    push_list(&mut text, hello.cipher_suites.iter().map(|suite| suite.0));
    text.push(b',');
    push_list(&mut text, hello.extensions.iter().map(|id| id.0));
    text.push(b',');
    push_list(&mut text, hello.supported_groups.iter().map(|group| group.0));
    text.push(b',');
    push_list(&mut text, hello.ec_point_formats.iter().copied().map(u16::from));
    Some(hex(&Md5::digest(&text)))
}

/// MD5 of `version,suite,extensions` in decimal.
#[must_use]
pub fn ja3s(hello: &ServerHello) -> Option<String> {
    if hello.is_truncated || hello.is_ssl2_form {
        return None;
    }
    let mut text = Vec::with_capacity(USUAL_TEXT_BYTES);
    push_decimal(&mut text, hello.legacy_version.0);
    text.push(b',');
    push_decimal(&mut text, hello.cipher_suite.0);
    text.push(b',');
    push_list(&mut text, hello.extensions.iter().map(|id| id.0));
    Some(hex(&Md5::digest(&text)))
}

/// JA4 of a hello over TCP: `t`, version, SNI or not, two counts, ALPN; hash of the sorted suites; hash of
/// the sorted extensions and the signature algorithms.
#[must_use]
pub fn ja4(hello: &ClientHello) -> Option<String> {
    if hello.is_truncated || hello.is_ssl2_form {
        return None;
    }
    let mut suites: Vec<u16> =
        hello.cipher_suites.iter().map(|suite| suite.0).filter(|suite| !is_grease(*suite)).collect();
    let all: Vec<u16> = hello.extensions.iter().map(|id| id.0).filter(|id| !is_grease(*id)).collect();
    let mut text = Vec::with_capacity(36);
    text.push(b't');
    text.extend_from_slice(version_code(ja4_version(hello)));
    text.push(if all.contains(&extension::SERVER_NAME) { b'd' } else { b'i' });
    push_count(&mut text, suites.len());
    push_count(&mut text, all.len());
    text.extend_from_slice(&alpn_code(hello.alpn.first().map_or(&[], Vec::as_slice)));
    text.push(b'_');

    let mut list = Vec::with_capacity(USUAL_TEXT_BYTES);
    suites.sort_unstable();
    push_hex_list(&mut list, &suites);
    push_hash(&mut text, &list);
    text.push(b'_');

    list.clear();
    let mut sorted = all;
    sorted.retain(|id| !matches!(*id, extension::SERVER_NAME | extension::ALPN));
    sorted.sort_unstable();
    push_hex_list(&mut list, &sorted);
    let mut schemes: Vec<u16> = hello.signature_schemes.iter().map(|scheme| scheme.0).collect();
    schemes.retain(|scheme| !is_grease(*scheme));
    if !schemes.is_empty() {
        list.push(b'_');
        push_hex_list(&mut list, &schemes);
    }
    push_hash(&mut text, &list);
    String::from_utf8(text).ok()
}

/// The highest version by number, as the definition has it; drafts included.
fn ja4_version(hello: &ClientHello) -> TlsVersion {
    hello
        .supported_versions
        .iter()
        .copied()
        .filter(|version| !version.is_grease())
        .max()
        .unwrap_or(hello.legacy_version)
}

const fn version_code(version: TlsVersion) -> &'static [u8; 2] {
    match version.0 {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        _ => b"00",
    }
}

/// First and last character of the first protocol; of its hexadecimal form where one of them is no
/// letter or digit.
fn alpn_code(name: &[u8]) -> [u8; 2] {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return *b"00" };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [first, last]
    } else {
        [hex_digit(first >> 4), hex_digit(last & 0xf)]
    }
}

fn push_count(text: &mut Vec<u8>, count: usize) {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    text.extend_from_slice(&[b'0' + count / 10, b'0' + count % 10]);
}

/// The first 12 hexadecimal digits of SHA-256; zeros for an empty list.
fn push_hash(text: &mut Vec<u8>, list: &[u8]) {
    if list.is_empty() {
        text.extend_from_slice(b"000000000000");
        return;
    }
    text.extend(hex_digits(Sha256::digest(list).iter().take(6)));
}

fn push_hex_list(text: &mut Vec<u8>, values: &[u16]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend(hex_digits(&value.to_be_bytes()));
    }
}

/// Decimal numbers joined by `-`, without GREASE.
fn push_list(text: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let mut is_first = true;
    for value in values.filter(|value| !is_grease(*value)) {
        if !is_first {
            text.push(b'-');
        }
        is_first = false;
        push_decimal(text, value);
    }
}

fn push_decimal(text: &mut Vec<u8>, value: u16) {
    let mut has_begun = false;
    for unit in [10_000, 1_000, 100, 10, 1] {
        let digit = u8::try_from(value / unit % 10).unwrap_or_default();
        has_begun |= digit != 0 || unit == 1;
        if has_begun {
            text.push(b'0' + digit);
        }
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

fn hex_digits<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> impl Iterator<Item = u8> {
    bytes.into_iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 0xf)])
}

fn hex(bytes: &[u8]) -> String {
    hex_digits(bytes).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::{CipherSuite, ExtensionId, NamedGroup, SignatureScheme};

    /// The worked example of the JA4 definition.
    fn ja4_example() -> ClientHello {
        ClientHello {
            legacy_version: TlsVersion::TLS12,
            supported_versions: vec![TlsVersion(0x2a2a), TlsVersion::TLS13, TlsVersion::TLS12],
            cipher_suites: [
                0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ]
            .map(CipherSuite)
            .to_vec(),
            extensions: [
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
                0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x3a3a,
            ]
            .map(ExtensionId)
            .to_vec(),
            signature_schemes: [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
                .map(SignatureScheme)
                .to_vec(),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..ClientHello::default()
        }
    }

    #[test]
    fn writes_the_published_ja4() {
        assert_eq!(ja4(&ja4_example()).as_deref(), Some("t13d1516h2_8daaf6152771_e5627efa2ab1"));
    }

    #[test]
    fn writes_the_published_ja3() {
        // The two examples of the JA3 definition.
        let suites = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
        let mut hello = ClientHello {
            legacy_version: TlsVersion(769),
            cipher_suites: suites.map(CipherSuite).to_vec(),
            extensions: [0, 10, 11].map(ExtensionId).to_vec(),
            supported_groups: [23, 24, 25].map(NamedGroup).to_vec(),
            ec_point_formats: vec![0],
            ..ClientHello::default()
        };
        assert_eq!(ja3(&hello).as_deref(), Some("ada70206e40642a3e4461f35503241d5"));
        hello.cipher_suites = [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99].map(CipherSuite).to_vec();
        hello.extensions.clear();
        hello.supported_groups.clear();
        hello.ec_point_formats.clear();
        assert_eq!(ja3(&hello).as_deref(), Some("de350869b8c85de67a350c8d186f11e6"));
    }

    #[test]
    fn leaves_grease_out_of_ja3() {
        let plain = ClientHello {
            legacy_version: TlsVersion::TLS12,
            cipher_suites: vec![CipherSuite(0x1301)],
            extensions: vec![ExtensionId(10)],
            supported_groups: vec![NamedGroup(29)],
            ..ClientHello::default()
        };
        let mut greased = plain.clone();
        greased.cipher_suites.insert(0, CipherSuite(0xdada));
        greased.extensions.push(ExtensionId(0x0a0a));
        greased.supported_groups.insert(0, NamedGroup(0xfafa));
        assert_eq!(ja3(&greased), ja3(&plain));
        assert_eq!(ja4(&greased), ja4(&plain));
    }

    #[test]
    fn writes_zeros_for_empty_lists() {
        let hello = ClientHello {
            legacy_version: TlsVersion::SSL3,
            cipher_suites: vec![CipherSuite(0x0a0a)],
            ..ClientHello::default()
        };
        assert_eq!(ja4(&hello).as_deref(), Some("ts3i000000_000000000000_000000000000"));
    }

    #[test]
    fn writes_alpn_by_its_ends() {
        for (name, code) in [
            (&b"h2"[..], b"h2"),
            (b"http/1.1", b"h1"),
            (b"h", b"hh"),
            (b"", b"00"),
            (b"\xab", b"ab"),
            (b"\xab\xcd", b"ad"),
            (b"\x30\xab", b"3b"),
            (b"\x30\x31\xab\xcd", b"3d"),
            (b"\x30\xab\xcd\x31", b"01"),
        ] {
            assert_eq!(&alpn_code(name), code, "{name:?}");
        }
    }

    #[test]
    fn counts_to_ninety_nine() {
        let mut text = Vec::new();
        push_count(&mut text, 7);
        push_count(&mut text, 250);
        assert_eq!(text, b"0799");
    }

    #[test]
    fn gives_none_for_hellos_that_are_not_whole() {
        let mut hello = ja4_example();
        hello.is_truncated = true;
        assert_eq!((ja3(&hello), ja4(&hello)), (None, None));
        let server = ServerHello { is_truncated: true, ..ServerHello::default() };
        assert_eq!(ja3s(&server), None);
    }

    #[test]
    fn writes_ja3s_as_md5_of_its_text() {
        let hello = ServerHello {
            legacy_version: TlsVersion(769),
            cipher_suite: CipherSuite(47),
            extensions: vec![ExtensionId(65281), ExtensionId(0), ExtensionId(11), ExtensionId(35)],
            ..ServerHello::default()
        };
        assert_eq!(ja3s(&hello), Some(hex(&Md5::digest(b"769,47,65281-0-11-35"))));
    }
}
