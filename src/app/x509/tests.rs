use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, IsCa, Issuer,
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SerialNumber,
    date_time_ymd,
};

use super::*;
use crate::model::Date;

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

fn params(sans: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(sans.iter().map(|san| (*san).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = name(&[(DnType::CommonName, "dynamodb.us-east-1.amazonaws.com")]);
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2055, 3, 4);
    params
}

/// Issued by `Amazon RSA 2048 M02`.
fn issued(params: &CertificateParams) -> Vec<u8> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name = name(&[
        (DnType::CountryName, "US"),
        (DnType::OrganizationName, "Amazon"),
        (DnType::CommonName, "Amazon RSA 2048 M02"),
    ]);
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    params.signed_by(&key, &issuer).unwrap().der().to_vec()
}

fn self_signed(params: &CertificateParams) -> Vec<u8> {
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

const SANS: &[&str] =
    &["dynamodb.us-east-1.amazonaws.com", "*.ddb.us-east-1.amazonaws.com", "192.0.2.7", "2001:db8::7"];

#[test]
fn reads_a_leaf() {
    let facts = parse_leaf(&issued(&params(SANS))).unwrap();
    assert_eq!(facts.subject, "CN=dynamodb.us-east-1.amazonaws.com");
    assert_eq!(facts.issuer, "CN=Amazon RSA 2048 M02,O=Amazon,C=US");
    assert_eq!(facts.common_names, ["dynamodb.us-east-1.amazonaws.com"]);
    assert_eq!(facts.issuer_organization.as_deref(), Some("Amazon"));
    assert_eq!(facts.dns_names, SANS[..2]);
    assert_eq!(facts.ip_addresses, [SANS[2].parse::<std::net::IpAddr>().unwrap(), SANS[3].parse().unwrap()]);
    assert_eq!(facts.not_before.to_string(), "2026-01-02T00:00:00Z");
    assert_eq!(facts.not_after.to_string(), "2055-03-04T00:00:00Z");
    assert_eq!(facts.key_bits, Some(256));
    assert!(!facts.is_self_signed);
}

#[test]
fn measures_keys() {
    for (kind, bits) in [(&PKCS_ECDSA_P256_SHA256, 256), (&PKCS_ECDSA_P384_SHA384, 384), (&PKCS_ED25519, 255)]
    {
        let key = KeyPair::generate_for(kind).unwrap();
        let der = params(SANS).self_signed(&key).unwrap().der().to_vec();
        assert_eq!(parse_leaf(&der).unwrap().key_bits, Some(bits));
    }
}

#[test]
fn knows_what_is_issued_in_its_own_name() {
    let facts = parse_leaf(&self_signed(&params(SANS))).unwrap();
    assert!(facts.is_self_signed);
}

#[test]
fn escapes_what_cannot_be_printed() {
    let mut params = params(SANS);
    params.distinguished_name =
        name(&[(DnType::OrganizationName, " a,b\u{1b}[2J \"#"), (DnType::CommonName, "#x\n")]);
    let facts = parse_leaf(&self_signed(&params)).unwrap();
    assert_eq!(facts.subject, "CN=\\#x\\0A,O=\\ a\\,b\\1B[2J \\\"#");
    assert_eq!(facts.common_names, ["#x\\x0a"]);
}

#[test]
fn reads_every_kind_of_string() {
    let mut params = params(SANS);
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, DnValue::BmpString("Zoë".try_into().unwrap()));
    subject.push(DnType::OrganizationName, DnValue::UniversalString("Łódź".try_into().unwrap()));
    subject.push(DnType::LocalityName, DnValue::PrintableString("Place".try_into().unwrap()));
    subject.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "v");
    subject.push(DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]), "user");
    params.distinguished_name = subject;
    let facts = parse_leaf(&self_signed(&params)).unwrap();
    assert_eq!(facts.subject, "UID=user,1.2.3.4=v,L=Place,O=Łódź,CN=Zoë");
    assert_eq!(facts.common_names, ["Zoë"]);
}

#[test]
fn cuts_long_names() {
    let mut params = params(&[]);
    params.distinguished_name =
        name(&[(DnType::CommonName, &"x".repeat(5_000)), (DnType::OrganizationName, "o")]);
    let facts = parse_leaf(&self_signed(&params)).unwrap();
    assert!(facts.subject.len() < 300 && facts.subject.ends_with('…'));
    assert!(facts.common_names.is_empty());
    for (before, number, kept) in
        [(245, "731973197319", ""), (245, "7319-7319-7319", ""), (240, "7319731973197319", "731973197319731")]
    {
        let value = format!("{}.{number}{}", "x".repeat(before), "x".repeat(99));
        params.distinguished_name = name(&[(DnType::CommonName, &value)]);
        let facts = parse_leaf(&self_signed(&params)).unwrap();
        assert!(facts.subject.ends_with(&format!("x.{kept}…")), "{}", facts.subject);
    }
}

#[test]
fn reads_odd_but_readable_certificates() {
    let mut params = params(&[]);
    params.distinguished_name = DistinguishedName::new();
    // Negative, and longer than RFC 5280 allows.
    params.serial_number = Some(SerialNumber::from_slice(&[0xff; 40]));
    params.not_after = date_time_ymd(9999, 12, 31);
    let facts = parse_leaf(&self_signed(&params)).unwrap();
    assert_eq!((facts.subject.as_str(), facts.common_names.len(), facts.dns_names.len()), ("", 0, 0));
    assert_eq!(Some(facts.not_after), Date::from_civil(9999, [12, 31, 0, 0, 0]));
}

#[test]
fn passes_over_other_extensions_whatever_is_in_them() {
    let mut params = params(SANS);
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![0xde, 0xad])];
    assert_eq!(parse_leaf(&self_signed(&params)).unwrap().dns_names.len(), 2);
}

#[test]
fn refuses_more_names_than_it_keeps() {
    let mut params = params(&[]);
    params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap()); 1_024];
    assert_eq!(parse_leaf(&self_signed(&params)).unwrap().dns_names.len(), 1_024);
    params.subject_alt_names.push(SanType::DnsName("b.example".try_into().unwrap()));
    let error = parse_leaf(&self_signed(&params)).unwrap_err();
    assert_eq!(error.reason(), "certificate_too_many_names");
}

#[test]
fn calls_every_prefix_malformed() {
    let der = issued(&params(SANS));
    for end in 0..der.len() {
        assert_eq!(parse_leaf(&der[..end]), Err(CertificateError::Malformed), "{end}");
    }
    let mut longer = der.clone();
    longer.extend([0; 9]);
    assert_eq!(parse_leaf(&longer), parse_leaf(&der));
}

#[test]
fn survives_any_change_of_one_byte() {
    let der = issued(&params(SANS));
    for at in 0..der.len() {
        for value in 0..=255 {
            let mut changed = der.clone();
            changed[at] = value;
            fuzz_x509(&changed);
        }
    }
}

#[test]
fn an_issuer_of_several_organisations_is_of_none() {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let organization = || DnType::CustomDnType(vec![2, 5, 4, 10]);
    authority.distinguished_name =
        name(&[(DnType::OrganizationName, "Amazon"), (organization(), "Corp"), (DnType::CommonName, "CA")]);
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let facts = parse_leaf(params(SANS).signed_by(&key, &issuer).unwrap().der()).unwrap();
    assert!(facts.issuer.contains("O=Amazon") && facts.issuer.contains("O=Corp"), "{}", facts.issuer);
    assert_eq!(facts.issuer_organization, None);
}
