//! The walk through a certificate [RFC 5280 section 4.1].
//!
//! It takes the fields one by one, because one odd field, such as a date that no calendar has, must not
//! hide the others, and because extensions other than subjectAltName need not be looked into.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::asn1_rs::{Any, Class, FromDer, Tag};
use x509_parser::oid_registry::{
    OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS,
    OID_SIG_ED448, OID_SIG_ED25519,
};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use super::{CertificateError, name};
use crate::model::{CertificateFacts, Date};

/// Names of one certificate. Shared certificates of content networks have some hundred.
const MAX_NAMES: usize = 1_024;

/// Bytes of a dNSName that can match a host name [RFC 1035 section 2.3.4]; longer ones are left out.
const MAX_DNS_NAME_BYTES: usize = 255;

/// DER of the object identifier of subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Reads the facts of a leaf certificate. Bytes after it are ignored.
///
/// `is_self_signed` means issued in its own name: the signature is not checked.
///
/// # Errors
/// A structure that is not a certificate's, dates that are none, too many names.
pub fn parse_leaf(der: &[u8]) -> Result<CertificateFacts, CertificateError> {
    let mut outer = Fields(der);
    let mut fields = Fields(outer.next(Tag::Sequence)?.data);
    let mut fields = Fields(fields.next(Tag::Sequence)?.data);
    // The version is left out where it is 1.
    let _version = fields.next_context(0);
    let _serial = fields.next(Tag::Integer)?;
    let _signature = fields.next(Tag::Sequence)?;
    let issuer = fields.next_whole(Tag::Sequence)?;
    let mut validity = Fields(fields.next(Tag::Sequence)?.data);
    let subject = fields.next_whole(Tag::Sequence)?;
    let key = fields.next_whole(Tag::Sequence)?;
    let _issuer_id = fields.next_context(1);
    let _subject_id = fields.next_context(2);
    let not_before = time(&validity.any()?)?;
    let not_after = time(&validity.any()?)?;

    let subject_name = X509Name::from_der(subject).ok().map(|(_, name)| name);
    let issuer_name = X509Name::from_der(issuer).ok().map(|(_, name)| name);
    let mut facts = CertificateFacts {
        subject: subject_name.as_ref().map(name::to_text).unwrap_or_default(),
        issuer: issuer_name.as_ref().map(name::to_text).unwrap_or_default(),
        common_names: Vec::new(),
        issuer_organization: None,
        dns_names: Vec::new(),
        ip_addresses: Vec::new(),
        not_before,
        not_after,
        key_bits: key_bits(key),
        is_self_signed: subject == issuer,
    };
    if let Some(subject) = &subject_name {
        for attribute in subject.iter_common_name() {
            if facts.common_names.len() == MAX_NAMES {
                return Err(CertificateError::TooManyNames);
            }
            facts.common_names.extend(name::value(attribute.attr_value()));
        }
    }
    if let Some(issuer) = &issuer_name {
        // Of an issuer of several organisations none speaks for it.
        let mut organizations = issuer.iter_organization();
        if let (Some(only), None) = (organizations.next(), organizations.next()) {
            facts.issuer_organization = name::value(only.attr_value());
        }
    }
    if let Some(extensions) = fields.next_context(3) {
        read_extensions(extensions, &mut facts)?;
    }
    Ok(facts)
}

/// The fields of a sequence, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn any(&mut self) -> Result<Any<'a>, CertificateError> {
        let (rest, any) = Any::from_der(self.0).map_err(|_| CertificateError::Malformed)?;
        self.0 = rest;
        Ok(any)
    }

    fn next(&mut self, tag: Tag) -> Result<Any<'a>, CertificateError> {
        let any = self.any()?;
        if any.class() != Class::Universal || any.tag() != tag {
            return Err(CertificateError::Malformed);
        }
        Ok(any)
    }

    /// The field with its header.
    fn next_whole(&mut self, tag: Tag) -> Result<&'a [u8], CertificateError> {
        let before = self.0;
        self.next(tag)?;
        before.get(..before.len() - self.0.len()).ok_or(CertificateError::Malformed)
    }

    /// The content of an optional field with a context tag; stays where it is if another field is next.
    fn next_context(&mut self, number: u32) -> Option<&'a [u8]> {
        let (rest, any) = Any::from_der(self.0).ok()?;
        if any.class() != Class::ContextSpecific || any.tag().0 != number {
            return None;
        }
        self.0 = rest;
        Some(any.data)
    }
}

/// Extensions ::= SEQUENCE OF SEQUENCE { OID, critical BOOLEAN DEFAULT FALSE, OCTET STRING }.
fn read_extensions(extensions: &[u8], facts: &mut CertificateFacts) -> Result<(), CertificateError> {
    let mut list = Fields(Fields(extensions).next(Tag::Sequence)?.data);
    while !list.0.is_empty() {
        let mut extension = Fields(list.next(Tag::Sequence)?.data);
        if extension.next(Tag::Oid)?.data != SUBJECT_ALT_NAME {
            continue;
        }
        let mut value = extension.any()?;
        if value.tag() == Tag::Boolean {
            value = extension.any()?;
        }
        read_alternative_names(value.data, facts)?;
    }
    Ok(())
}

/// GeneralNames [RFC 5280 section 4.2.1.6]: dNSName is tag 2, iPAddress tag 7; the others do not matter here.
fn read_alternative_names(value: &[u8], facts: &mut CertificateFacts) -> Result<(), CertificateError> {
    let mut names = Fields(Fields(value).next(Tag::Sequence)?.data);
    while !names.0.is_empty() {
        let any = names.any()?;
        if facts.dns_names.len() + facts.ip_addresses.len() == MAX_NAMES {
            return Err(CertificateError::TooManyNames);
        }
        match (any.class(), any.tag().0, any.data.len()) {
            (Class::ContextSpecific, 2, length) if length <= MAX_DNS_NAME_BYTES => {
                facts.dns_names.push(name::escape_controls(&String::from_utf8_lossy(any.data)));
            }
            (Class::ContextSpecific, 7, _) => {
                let address: Option<IpAddr> = match any.data.len() {
                    4 => any.data.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
                    16 => any.data.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into()),
                    _ => None,
                };
                facts.ip_addresses.extend(address);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The size of the key: modulus or prime bits of RSA and DSA, field bits of curves. `None` for other
/// kinds and what cannot be read.
fn key_bits(der: &[u8]) -> Option<u32> {
    let (_, key) = SubjectPublicKeyInfo::from_der(der).ok()?;
    let algorithm = &key.algorithm.algorithm;
    let bytes: &[u8] = &key.subject_public_key.data;
    if *algorithm == OID_PKCS1_RSAENCRYPTION || *algorithm == OID_PKCS1_RSASSAPSS {
        let (_, key) = RSAPublicKey::from_der(bytes).ok()?;
        return bit_length(key.modulus);
    }
    if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref()?.as_oid().ok();
        return curve.and_then(|curve| odd_field_bits(curve.as_bytes())).or_else(|| {
            // The point tells the size of the field in bytes [SEC 1 section 2.3.3].
            match bytes.split_first()? {
                (4, coordinates) => u32::try_from(coordinates.len() * 4).ok(),
                (2 | 3, coordinate) => u32::try_from(coordinate.len() * 8).ok(),
                _ => None,
            }
        });
    }
    if *algorithm == OID_KEY_TYPE_DSA {
        let parameters = key.algorithm.parameters.as_ref()?;
        let prime = Fields(parameters.data).next(Tag::Integer).ok()?;
        return bit_length(prime.data);
    }
    if *algorithm == OID_SIG_ED25519 {
        return Some(255);
    }
    (*algorithm == OID_SIG_ED448).then_some(448)
}

/// The size of the field of a named curve where that is no whole number of bytes, by the object identifier's DER
/// [SEC 2 version 1.0 appendix A.2, ANSI X9.62 appendix J].
const fn odd_field_bits(curve: &[u8]) -> Option<u32> {
    Some(match curve {
        [0x2b, 0x81, 4, 0, curve] => match curve {
            4 | 5 => 113,
            22 | 23 => 131,
            1 | 2 | 15 => 163,
            24 | 25 => 193,
            26 | 27 => 233,
            3 => 239,
            16 | 17 => 283,
            36 | 37 => 409,
            35 => 521,
            38 | 39 => 571,
            _ => return None,
        },
        // Of two elements, and of a prime.
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 0, curve] => match curve {
            1..=3 => 163,
            5..=9 => 191,
            11..=15 => 239,
            18 => 359,
            20 => 431,
            _ => return None,
        },
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 4..=6] => 239,
        _ => return None,
    })
}

/// Bits of an unsigned number without its leading zeros.
fn bit_length(number: &[u8]) -> Option<u32> {
    let start = number.iter().position(|byte| *byte != 0)?;
    let digits = number.get(start..)?;
    let bits = u32::try_from(digits.len()).ok()?.checked_mul(8)?;
    Some(bits - digits.first()?.leading_zeros())
}

/// UTCTime or GeneralizedTime [RFC 5280 section 4.1.2.5]. A little leniently: seconds may be missing, a fraction is not
/// looked at, and what should end in Z may name another zone [X.680 sections 46 and 47]; without one no moment is meant.
fn time(any: &Any<'_>) -> Result<Date, CertificateError> {
    read_time(any).ok_or(CertificateError::Validity)
}

fn read_time(any: &Any<'_>) -> Option<Date> {
    let zone_at = any.data.iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-'))?;
    let (text, zone) = any.data.split_at_checked(zone_at)?;
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, fraction) = text.split_at_checked(count)?;
    let year_digits = match (any.tag(), count) {
        (Tag::UtcTime, 10 | 12) if fraction.is_empty() => 2,
        (Tag::GeneralizedTime, 10 | 12 | 14) => 4,
        _ => return None,
    };
    if let Some((point, fraction)) = fraction.split_first()
        && (!matches!(point, b'.' | b',') || fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit))
    {
        return None;
    }
    let (year, rest) = digits.split_at_checked(year_digits)?;
    let year = match (any.tag(), decimal(year)) {
        (Tag::UtcTime, year @ 50..) => 1900 + year,
        (Tag::UtcTime, year) => 2000 + year,
        (_, year) => year,
    };
    let mut pairs = rest.chunks(2).map(decimal);
    let of_year = [(); 5].map(|()| pairs.next().and_then(|number| u8::try_from(number).ok()).unwrap_or(0));
    Date::from_civil(year, of_year)?.from_zone(minutes_ahead(zone)?)
}

/// `Z`, or by how much a zone is ahead of UTC: `+hh` or `+hhmm`, in minutes.
fn minutes_ahead(zone: &[u8]) -> Option<i16> {
    let (sign, digits) = zone.split_first()?;
    if *sign == b'Z' {
        return digits.is_empty().then_some(0);
    }
    if !matches!(digits.len(), 2 | 4) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut pairs = digits.chunks(2).map(decimal);
    let (hours, minutes) = (pairs.next()?, pairs.next().unwrap_or(0));
    // The earliest zone is 14 hours ahead.
    let ahead = i16::try_from(hours * 60 + minutes).ok().filter(|_| hours <= 14 && minutes < 60)?;
    Some(if *sign == b'+' { ahead } else { -ahead })
}

/// Up to four digits.
fn decimal(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Result<String, CertificateError> {
        let mut der = vec![tag, text.len() as u8];
        der.extend(text.as_bytes());
        time(&Any::from_der(&der).unwrap().1).map(|date| date.to_string())
    }

    #[test]
    fn reads_dates() {
        for (tag, text, date) in [
            (0x17, "700101000000Z", "1970-01-01T00:00:00Z"),
            (0x17, "000229000000Z", "2000-02-29T00:00:00Z"),
            (0x17, "491231235959Z", "2049-12-31T23:59:59Z"),
            (0x17, "500101000000Z", "1950-01-01T00:00:00Z"),
            (0x17, "2612302359Z", "2026-12-30T23:59:00Z"),
            (0x18, "20500101000000Z", "2050-01-01T00:00:00Z"),
            (0x18, "20000229000000.5Z", "2000-02-29T00:00:00Z"),
            (0x18, "00000101000000Z", "0000-01-01T00:00:00Z"),
            (0x18, "26000101000000Z", "2600-01-01T00:00:00Z"),
            (0x17, "3601010000+01", "2035-12-31T23:00:00Z"),
            (0x17, "261230235959-0530", "2026-12-31T05:29:59Z"),
            (0x18, "20260115120000.25+0500", "2026-01-15T07:00:00Z"),
            (0x18, "99991231235959Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(read(tag, text).as_deref(), Ok(date), "{text}");
        }
        for (tag, text) in [
            (0x17, "261330235959Z"),
            (0x17, "360230000000Z"),
            (0x17, "260229000000Z"),
            (0x17, ""),
            (0x17, "Z"),
            (0x17, "26"),
            (0x18, "tomorrow"),
            (0x18, "20260001000000Z"),
            (0x18, "100000101000000Z"),
            (0x18, "20000229000000.Z"),
            (0x18, "20000229000000.5.5Z"),
            (0x17, "3601010000+1"),
            (0x17, "3601010000+9900"),
            (0x17, "3601010000+0060"),
            (0x17, "3601010000+01Z"),
            (0x17, "3601010000Z+01"),
            (0x18, "99991231235959-0100"),
            // Nobody knows in which zone.
            (0x17, "261230235959"),
            (0x18, "20261230235959"),
            (0x04, "261230235959Z"),
        ] {
            assert_eq!(read(tag, text), Err(CertificateError::Validity), "{text}");
        }
    }

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len() as u16;
        let mut der = vec![tag, 0x82];
        if length < 128 {
            der = vec![tag, length as u8];
        } else if length < 256 {
            der = vec![tag, 0x81, length as u8];
        } else {
            der.extend(length.to_be_bytes());
        }
        der.extend(content);
        der
    }

    /// An odd number of this many bits, as INTEGER.
    fn integer(bits: usize) -> Vec<u8> {
        let mut number = vec![0; bits / 8 + 1];
        number[0] = ((1_u16 << (bits % 8)) >> 1) as u8;
        if bits.is_multiple_of(8) {
            number[1] = 0x80;
        }
        *number.last_mut().unwrap() |= 1;
        der(0x02, &number)
    }

    fn key(oid: &[u8], parameters: &[u8], key: &[u8]) -> Option<u32> {
        let algorithm = der(0x30, &[der(0x06, oid), parameters.to_vec()].concat());
        let bits = der(0x03, &[&[0], key].concat());
        key_bits(&der(0x30, &[algorithm, bits].concat()))
    }

    #[test]
    fn measures_keys_of_every_kind() {
        let rsa: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        for bits in [512, 1_024, 2_047, 2_048, 4_096] {
            let modulus = der(0x30, &[integer(bits), integer(17)].concat());
            assert_eq!(key(rsa, &[5, 0], &modulus), Some(bits as u32));
        }
        assert_eq!(key(rsa, &[5, 0], &[1, 2, 3]), None);
        let dsa: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
        let parameters = der(0x30, &[integer(1_024), integer(160), integer(1_000)].concat());
        assert_eq!(key(dsa, &parameters, &integer(900)), Some(1_024));
        assert_eq!(key(dsa, &[], &integer(900)), None);
        let curve: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        let point = |bytes: usize| [vec![4], vec![1; 2 * bytes]].concat();
        assert_eq!(key(curve, &der(6, &[0x2b, 0x81, 4, 0, 0x23]), &point(66)), Some(521));
        for (name, bytes, bits) in
            [(0x27, 72, 571), (1, 21, 163), (3, 30, 239), (0x22, 48, 384), (10, 32, 256)]
        {
            assert_eq!(key(curve, &der(6, &[0x2b, 0x81, 4, 0, name]), &point(bytes)), Some(bits));
        }
        for (kind, name, bytes, bits) in [(0, 5, 24, 191), (0, 4, 22, 176), (1, 4, 30, 239), (1, 7, 32, 256)]
        {
            let name = der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, kind, name]);
            assert_eq!(key(curve, &name, &point(bytes)), Some(bits));
        }
        // secp192r1 and an explicit curve: by the point.
        assert_eq!(key(curve, &der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1]), &point(24)), Some(192));
        assert_eq!(key(curve, &der(0x30, &[2, 1, 1]), &[&[2], [7; 20].as_slice()].concat()), Some(160));
        assert_eq!(key(curve, &der(0x30, &[2, 1, 1]), &[]), None);
        assert_eq!(key(&[0x2b, 0x65, 0x71], &[], &[0; 57]), Some(448));
        assert_eq!(key(&[0x2a, 3], &[], &[1]), None);
    }

    #[test]
    fn counts_bits_without_leading_zeros() {
        assert_eq!(bit_length(&[0, 0x80, 0]), Some(16));
        assert_eq!(bit_length(&[0x7f, 0]), Some(15));
        assert_eq!(bit_length(&[0, 0]), None);
        assert_eq!(bit_length(&[]), None);
    }
}
