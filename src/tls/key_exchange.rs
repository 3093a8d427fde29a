//! ServerKeyExchange of TLS 1.2 and older [RFC 5246 section 7.4.3, RFC 8422 section 5.4, RFC 4279,
//! RFC 5489, RFC 2246 appendix on export suites].

use sha2::{Digest, Sha256};

use super::reader::Reader;
use crate::model::registry::{KeyExchange, NamedGroup, TlsVersion};
use crate::model::{KeyExchangeFacts, ServerHello};

const NAMED_CURVE: u8 = 3;
const EXPLICIT_CHAR2: u8 = 2;
const EXPLICIT_PRIME: u8 = 1;

/// SHA-256 of the primes of RFC 7919 appendix A, as many bytes as they have. Made from the formula
/// there, which the test below computes anew.
const KNOWN_PRIMES: [(u32, NamedGroup, [u8; 32]); 5] = [
    (
        2048,
        NamedGroup(0x0100),
        [
            0x9c, 0xd3, 0xb7, 0xf3, 0x36, 0x87, 0x2f, 0x46, 0xc0, 0x94, 0x28, 0xd1, 0xbb, 0xc1, 0x98, 0x77,
            0xa4, 0xd4, 0x40, 0x51, 0x2c, 0xda, 0x8d, 0x1c, 0x1c, 0xf0, 0xcd, 0x6e, 0x33, 0x69, 0x89, 0x66,
        ],
    ),
    (
        3072,
        NamedGroup(0x0101),
        [
            0x0e, 0xaf, 0x67, 0xdb, 0x3a, 0x83, 0x91, 0x56, 0xd5, 0x01, 0x34, 0x94, 0xa5, 0x31, 0x8a, 0x77,
            0x2b, 0x56, 0x97, 0xd2, 0x70, 0xd7, 0x21, 0xf3, 0x7f, 0x09, 0x2e, 0xfc, 0x69, 0xea, 0x5a, 0x17,
        ],
    ),
    (
        4096,
        NamedGroup(0x0102),
        [
            0x46, 0x48, 0x41, 0x42, 0x24, 0xac, 0x88, 0x1b, 0x3d, 0x0d, 0xc5, 0x9b, 0x46, 0x6f, 0x96, 0xd0,
            0x6a, 0x55, 0x82, 0x78, 0x77, 0x68, 0x07, 0x79, 0x7e, 0xcf, 0x1f, 0x66, 0xff, 0x39, 0x7b, 0x3e,
        ],
    ),
    (
        6144,
        NamedGroup(0x0103),
        [
            0x22, 0x7a, 0xc9, 0x06, 0x6b, 0x3d, 0xdd, 0x9e, 0x19, 0x36, 0x70, 0xcd, 0xa2, 0x38, 0x8f, 0xa8,
            0x84, 0xf6, 0x5b, 0xa0, 0xcf, 0x98, 0xb7, 0x42, 0xd1, 0xfe, 0x77, 0xa6, 0x68, 0x7c, 0x79, 0xc7,
        ],
    ),
    (
        8192,
        NamedGroup(0x0104),
        [
            0x77, 0x0b, 0x14, 0xef, 0xaf, 0x6f, 0x04, 0x99, 0x29, 0xc5, 0x23, 0x11, 0x3b, 0x3f, 0xa9, 0x9a,
            0x8d, 0x11, 0xda, 0xb1, 0xb1, 0x8a, 0xf3, 0x60, 0x95, 0x90, 0x12, 0x20, 0x75, 0xd1, 0x98, 0x33,
        ],
    ),
];

/// Reads the parameters of the exchange that `exchange` says, or, where the suite is unknown, of
/// whichever fits. Of a body that `is_whole` nothing is believed that contradicts its own lengths; one that was cut is read
/// as far as it goes.
#[must_use]
pub fn read(body: &[u8], exchange: Option<KeyExchange>, is_whole: bool) -> Option<KeyExchangeFacts> {
    let mut reader = Reader::new(body);
    match exchange {
        Some(KeyExchange::Ecdhe) => curve(reader, is_whole),
        Some(KeyExchange::EcdhePsk) => {
            reader.vector16()?;
            curve(reader, is_whole)
        }
        Some(KeyExchange::Dhe) => finite_field(reader, is_whole),
        Some(KeyExchange::DhePsk) => {
            reader.vector16()?;
            finite_field(reader, is_whole)
        }
        Some(KeyExchange::Rsa) => export_rsa(reader, is_whole),
        Some(_) => None,
        None => by_content(body),
    }
}

/// False where a suite takes the key from the certificate, and servers send no parameters [RFC 5246 section 7.4.3,
/// RFC 8422 section 5.4]. In SSL 3 those may whose certificate is for signing alone.
#[must_use]
pub fn is_legal(hello: &ServerHello) -> bool {
    hello.version() == TlsVersion::SSL3
        || hello.cipher_suite.info().is_none_or(|info| {
            use KeyExchange::{Dh, Ecdh, Null, Rsa};
            info.is_export || !matches!(info.key_exchange, Rsa | Dh | Ecdh | Null)
        })
}

/// A curve and a point on it [RFC 8422 section 5.4; explicit ones RFC 4492 section 5.4].
fn curve(mut reader: Reader<'_>, is_whole: bool) -> Option<KeyExchangeFacts> {
    let facts = match reader.u8()? {
        NAMED_CURVE => KeyExchangeFacts::Curve(NamedGroup(reader.u16()?)),
        EXPLICIT_PRIME => {
            let prime = reader.vector8()?;
            let bits = bit_length(prime, prime.len());
            if bits == 0 {
                return None;
            }
            KeyExchangeFacts::ExplicitCurve { bits }
        }
        EXPLICIT_CHAR2 => {
            let bits = u32::from(reader.u16()?);
            // A trinomial has one exponent, a pentanomial three.
            let exponents = match reader.u8() {
                Some(1) => 1,
                Some(2) => 3,
                None if !is_whole => 0,
                Some(_) | None => return None,
            };
            for _ in 0..exponents {
                if reader.vector8().is_none() && is_whole {
                    return None;
                }
            }
            KeyExchangeFacts::ExplicitCurve { bits }
        }
        _ => return None,
    };
    if !is_whole {
        return Some(facts);
    }
    if let KeyExchangeFacts::ExplicitCurve { .. } = facts {
        // a and b, the base point, its order and the cofactor.
        for _ in 0..5 {
            reader.vector8()?;
        }
    }
    reader.vector8().filter(|point| !point.is_empty()).map(|_| facts)
}

/// p, g and a public value [RFC 5246 section 7.4.3].
fn finite_field(mut reader: Reader<'_>, is_whole: bool) -> Option<KeyExchangeFacts> {
    let (prime, length) = number(&mut reader)?;
    let bits = bit_length(prime, length);
    if bits == 0
        || is_whole && (prime.len() < length || reader.vector16().is_none() || reader.vector16().is_none())
    {
        return None;
    }
    let group = (prime.len() == length).then(|| known_group(prime, bits)).flatten();
    Some(KeyExchangeFacts::Dhe { bits, group })
}

/// A modulus and an exponent [RFC 2246 section 7.4.3].
fn export_rsa(mut reader: Reader<'_>, is_whole: bool) -> Option<KeyExchangeFacts> {
    let (modulus, length) = number(&mut reader)?;
    let bits = bit_length(modulus, length);
    if bits == 0 || is_whole && (modulus.len() < length || reader.vector16().is_none()) {
        return None;
    }
    Some(KeyExchangeFacts::ExportRsa { bits })
}

/// As much as is there of a number, and how long it is.
fn number<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], usize)> {
    let length = usize::from(reader.u16()?);
    Some((reader.take_at_most(length), length))
}

/// The suite is unknown: a named curve with a point, or p, g and a public value, if they fit together.
fn by_content(body: &[u8]) -> Option<KeyExchangeFacts> {
    // Three lengths that agree prove more than a first byte of 3, so they are asked first.
    if is_finite_field(body).unwrap_or(false) {
        return finite_field(Reader::new(body), true);
    }
    let mut reader = Reader::new(body);
    (reader.u8()? == NAMED_CURVE).then_some(())?;
    let group = reader.u16()?;
    let point = reader.vector8()?;
    let fits = point.len() >= 28 && (reader.is_empty() || reader.rest().len() >= 4);
    fits.then_some(KeyExchangeFacts::Curve(NamedGroup(group)))
}

fn is_finite_field(body: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(body);
    let prime = reader.vector16()?;
    let generator = reader.vector16()?;
    let public = reader.vector16()?;
    Some(
        prime.len() >= 32
            && (1..=prime.len()).contains(&generator.len())
            && (1..=prime.len()).contains(&public.len()),
    )
}

/// Bits of a big-endian number of `length` bytes, of which the first ones are there.
fn bit_length(bytes: &[u8], length: usize) -> u32 {
    let Some(first) = bytes.iter().position(|byte| *byte != 0) else { return 0 };
    let top = bytes.get(first).map_or(0, |byte| 8 - byte.leading_zeros());
    u32::try_from((length - first - 1) * 8).unwrap_or(u32::MAX).saturating_add(top)
}

/// The group of RFC 7919 that has exactly this prime.
fn known_group(prime: &[u8], bits: u32) -> Option<NamedGroup> {
    let (_, group, digest) = KNOWN_PRIMES.iter().find(|(size, ..)| *size == bits)?;
    let start = prime.iter().position(|byte| *byte != 0)?;
    (Sha256::digest(prime.get(start..)?).as_slice() == digest).then_some(*group)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// floor(e * 2^bits) as big-endian 32-bit words, by the sum of 1/k! with 64 guard bits.
    fn e_times_two_to(bits: usize) -> Vec<u32> {
        let words = (bits + 64).div_ceil(32) + 1;
        // Fixed point: the first word is the integer part.
        let mut sum = vec![0_u32; words];
        let mut term = vec![0_u32; words];
        term[0] = 1;
        let mut k = 1_u64;
        while term.iter().any(|word| *word != 0) {
            let mut carry = 0_u64;
            for index in (0..words).rev() {
                let total = u64::from(sum[index]) + u64::from(term[index]) + carry;
                sum[index] = total as u32;
                carry = total >> 32;
            }
            let mut remainder = 0_u64;
            for word in &mut term {
                let value = remainder << 32 | u64::from(*word);
                *word = (value / k) as u32;
                remainder = value % k;
            }
            k += 1;
        }
        // Shift right by what is more than `bits` fractional bits.
        let surplus = (words - 1) * 32 - bits;
        let whole = surplus / 32;
        sum.truncate(words - whole);
        let part = surplus % 32;
        if part > 0 {
            let mut high = 0;
            for word in &mut sum {
                let low = *word << (32 - part);
                *word = *word >> part | high;
                high = low;
            }
        }
        sum
    }

    /// p = 2^b - 2^(b-64) + ([2^(b-130) e] + X) * 2^64 - 1 [RFC 7919 appendix A].
    fn prime(bits: usize, x: u64) -> Vec<u8> {
        let mut middle = e_times_two_to(bits - 130);
        let mut carry = x;
        for word in middle.iter_mut().rev() {
            let total = u64::from(*word) + carry;
            *word = total as u32;
            carry = total >> 32;
        }
        let middle: Vec<u8> = middle.iter().flat_map(|word| word.to_be_bytes()).collect();
        let wanted = bits / 8 - 16;
        let middle = &middle[middle.len() - wanted..];
        // Adding ones above and a block of zeros minus one below gives 64 ones at both ends; the
        // block in between is the number, less nothing: -1 borrows from [..]*2^64.
        let mut number = [&[0xff; 8][..], middle, &[0; 8]].concat();
        for byte in number.iter_mut().rev() {
            let (less, is_borrow) = byte.overflowing_sub(1);
            *byte = less;
            if !is_borrow {
                break;
            }
        }
        number
    }

    fn vector(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    #[test]
    fn recognises_the_groups_of_rfc_7919_by_their_primes() {
        for (bits, x, group) in [
            (2048, 560_316, 0x0100),
            (3072, 2_625_351, 0x0101),
            (4096, 5_736_041, 0x0102),
            (6144, 15_705_020, 0x0103),
            (8192, 10_965_728, 0x0104),
        ] {
            let mut p = prime(bits, x);
            assert_eq!(p.len() * 8, bits);
            let body = [vector(&p), vector(&[2]), vector(&[5; 64])].concat();
            let expected = KeyExchangeFacts::Dhe { bits: bits as u32, group: Some(NamedGroup(group)) };
            assert_eq!(read(&body, Some(KeyExchange::Dhe), false), Some(expected));
            assert_eq!(read(&body, None, false), Some(expected));
            p[bits / 16] ^= 1;
            let other = KeyExchangeFacts::Dhe { bits: bits as u32, group: None };
            assert_eq!(read(&vector(&p), Some(KeyExchange::Dhe), false), Some(other));
        }
    }

    #[test]
    fn reads_the_size_of_a_prime_cut_short() {
        let body = [&[1, 0][..], &[0, 0x7f, 1, 2]].concat();
        assert_eq!(
            read(&body, Some(KeyExchange::Dhe), false),
            Some(KeyExchangeFacts::Dhe { bits: 254 * 8 + 7, group: None })
        );
        assert_eq!(read(&[1, 0], Some(KeyExchange::Dhe), false), None);
    }

    #[test]
    fn reads_curves() {
        let x25519 = KeyExchangeFacts::Curve(NamedGroup(29));
        assert_eq!(read(&[3, 0, 29, 32], Some(KeyExchange::Ecdhe), false), Some(x25519));
        assert_eq!(read(&[0, 2, b'h', b'i', 3, 0, 29], Some(KeyExchange::EcdhePsk), false), Some(x25519));
        let point = [&[3, 0, 29, 32][..], &[9; 32], &[4, 1, 0, 0]].concat();
        assert_eq!(read(&point, None, false), Some(x25519));
        assert_eq!(
            read(&[1, 3, 0x1f, 0, 0], Some(KeyExchange::Ecdhe), false),
            Some(KeyExchangeFacts::ExplicitCurve { bits: 21 })
        );
        assert_eq!(
            read(&[2, 0, 163], Some(KeyExchange::Ecdhe), false),
            Some(KeyExchangeFacts::ExplicitCurve { bits: 163 })
        );
        assert_eq!(read(&[4, 0, 163], Some(KeyExchange::Ecdhe), false), None);
    }

    /// A whole message, and each that is shorter.
    #[test]
    fn believes_nothing_of_a_whole_message_that_overruns() {
        let vector8 = |length: usize| [vec![u8::try_from(length).unwrap()], vec![0xff; length]].concat();
        let point = [&[3, 0, 29][..], &vector8(32)].concat();
        let prime = [
            vec![1],
            vector8(20),
            vector8(20),
            vector8(20),
            vector8(41),
            vector8(20),
            vector8(1),
            vector8(41),
        ]
        .concat();
        let numbers = |start: &[u8]| {
            [start.to_vec(), vector8(30), vector8(30), vector8(61), vector8(29), vector8(1), vector8(61)]
                .concat()
        };
        let trinomial = numbers(&[2, 0, 233, 1, 1, 74]);
        let pentanomial = numbers(&[2, 0, 163, 2, 1, 3, 1, 6, 1, 7]);
        let field = [vector(&[0xff; 64]), vector(&[2]), vector(&[5; 64])].concat();
        let rsa = [vector(&[0x80; 64]), vector(&[1, 0, 1])].concat();
        let explicit = |bits| KeyExchangeFacts::ExplicitCurve { bits };
        for (body, exchange, expected) in [
            (point, KeyExchange::Ecdhe, KeyExchangeFacts::Curve(NamedGroup(29))),
            (prime, KeyExchange::Ecdhe, explicit(160)),
            (trinomial, KeyExchange::Ecdhe, explicit(233)),
            (pentanomial, KeyExchange::Ecdhe, explicit(163)),
            (field, KeyExchange::Dhe, KeyExchangeFacts::Dhe { bits: 512, group: None }),
            (rsa, KeyExchange::Rsa, KeyExchangeFacts::ExportRsa { bits: 512 }),
        ] {
            assert_eq!(read(&body, Some(exchange), true), Some(expected), "{exchange:?}");
            for length in 0..body.len() {
                let cut = &body[..length];
                assert_eq!(read(cut, Some(exchange), true), None, "{expected:?} {length}");
                let read = read(cut, Some(exchange), false);
                assert!(read.is_none_or(|read| read == expected), "{read:?} {length}");
            }
        }
        // Curves of no basis that is known, and over no field; no point at all.
        for body in [&[1, 0][..], &numbers(&[2, 0, 233, 3, 1, 74]), &[3, 0, 29, 0]] {
            assert_eq!(read(body, Some(KeyExchange::Ecdhe), true), None);
        }
    }

    #[test]
    fn knows_which_suites_have_none() {
        for (version, suite, is_expected) in [
            (TlsVersion::TLS12, 0x009c, false),
            (TlsVersion::TLS10, 0xc004, false),
            (TlsVersion::TLS12, 0x0030, false),
            (TlsVersion::TLS10, 0x0003, true),
            (TlsVersion::SSL3, 0x0005, true),
            (TlsVersion::TLS12, 0xc02f, true),
            (TlsVersion::TLS12, 0x008c, true),
            (TlsVersion::TLS12, 0xeeee, true),
        ] {
            let cipher_suite = crate::model::registry::CipherSuite(suite);
            let hello = ServerHello { legacy_version: version, cipher_suite, ..ServerHello::default() };
            assert_eq!(is_legal(&hello), is_expected, "{suite:#06x}");
        }
    }

    #[test]
    fn reads_export_rsa_and_psk_hints() {
        let modulus = vector(&[0x80; 64]);
        assert_eq!(
            read(&modulus, Some(KeyExchange::Rsa), false),
            Some(KeyExchangeFacts::ExportRsa { bits: 512 })
        );
        assert_eq!(read(&vector(b"hint"), Some(KeyExchange::Psk), false), None);
        let with_hint = [vector(b"hint"), vector(&[0xc0; 128])].concat();
        assert_eq!(
            read(&with_hint, Some(KeyExchange::DhePsk), false),
            Some(KeyExchangeFacts::Dhe { bits: 1024, group: None })
        );
    }
}
