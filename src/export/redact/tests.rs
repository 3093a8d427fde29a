//! Texts and records in, what is left of their account ids out.

use proptest::prelude::*;

use super::id::find_run;
use super::*;
use crate::export::{jsonl::write_record, sample};
use crate::model::LaterRequest;

fn redacted(text: &str) -> String {
    Redactor::new(Redaction::Numbered).text(text).into_owned()
}

fn line(record: &Record) -> String {
    let mut out = Vec::new();
    write_record(record, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn numbers_accounts_by_first_appearance() {
    let mut redactor = Redactor::new(Redaction::Numbered);
    assert_eq!(redactor.text("222222222222.ddb"), "account-1.ddb");
    assert_eq!(redactor.text("111111111111:222222222222"), "account-2:account-1");
}

#[test]
fn gives_no_number_that_stands_for_another_account() {
    let mut redactor = Redactor::new(Redaction::Numbered);
    let mut record = sample::tls13();
    record.endpoint.account_id = Some("account-3".to_owned());
    redactor.apply(&mut record);
    assert_eq!(redactor.text("222222222222"), "account-4");
    redactor.keep_numbers(&numbers_of(&b"account-7 account-2"[..]).unwrap());
    assert_eq!(redactor.text("333333333333 222222222222"), "account-8 account-4");
    assert!(redactor.keep_numbers_of(b"dump-account-9.pcap") && !redactor.keep_numbers_of(b"account-other"));
    assert_eq!(redactor.text("444444444444"), "account-10");
}

#[test]
fn keeps_what_is_no_account() {
    for text in [
        "",
        "vpce-0123456789abcdef0",
        "vpce-0123456789abcdef0-abcdefgh.dynamodb.us-east-1.vpce.amazonaws.com",
        "12345678901",
        "1234567890123",
        "0a123456789012bc",
        "vpce-0abc123456789012d",
        "vpce-012345678901abcde",
        "d41d8cd98f00b204e9800998ecf8427e a123456789012345 9e107d9d123456789012e4298dfe51a3",
        "2026-11-23T10:00:00.123456789Z",
        "192.0.2.10:443",
        "0.123456789012345",
        "é12345678901",
        "x00123456789012",
        "\\xa123456789012",
        "1234-5678-90123",
        "550e8400-1234-4678-9012-44665544000a",
        "550e8400-e29b-1234-5678-90125544000a",
        "00001234-5678-9012-a29b-44665544000a 1234-1234-5678-9012-1234",
        "CN=#3132333435363738393031 CN=#31323334353637383930313233",
        "\\xa123456789012b",
        "%a123456789",
        "1234-5678-901",
        "\\x000123456789012",
        "\\y00123456789012",
        "OU=a\\0912345-6789-0123 %20550e8400-1234-4678-9012-44665544000a",
        "#31323334352D363738392D30313233",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn finds_accounts_wherever_they_stand() {
    for (text, expected) in [
        ("123456789012", "account-1"),
        ("-123456789012-", "-account-1-"),
        ("1 123456789012", "1 account-1"),
        ("acct123456789012", "acctaccount-1"),
        ("123456789012x.ddb", "account-1x.ddb"),
        ("acc999900001111.pcap", "accaccount-1.pcap"),
        ("db131313131313.corp.example", "dbaccount-1.corp.example"),
        ("cafe999900001111 a123456789012", "cafeaccount-1 aaccount-2"),
        ("123456789012a e2e999900001111", "account-1a e2eaccount-2"),
        ("012345678901abcde", "account-1abcde"),
        ("1234-5678-9012.ddb 123456789012", "account-1.ddb account-1"),
        ("1234-1234-5678-9012 9876-5432-1098", "1234-1234-5678-9012 account-1"),
        ("12345678901 123456789012", "12345678901 account-1"),
        ("arn:aws:iam::123456789012:role/x", "arn:aws:iam::account-1:role/x"),
        ("ü123456789012ü", "üaccount-1ü"),
        ("\\x1b123456789012", "\\x1baccount-1"),
        ("\\xb1123456789012", "\\xb1account-1"),
        ("\\x00123456789012", "\\x00account-1"),
        ("OU=a\\0A123456789012", "OU=a\\0Aaccount-1"),
        ("OU=a\\A1123456789012", "OU=a\\A1account-1"),
        ("OU=a\\01123456789012", "OU=a\\01account-1"),
        ("OU=a\\\\123456789012", "OU=a\\\\account-1"),
        ("O=Team\\,123456789012abc", "O=Team\\,account-1abc"),
        ("CN=prod\\+123456789012x", "CN=prod\\+account-1x"),
        ("\\x00123456789012z", "\\x00account-1z"),
        ("\\01123456789012z", "\\01account-1z"),
        ("\\1B123456789012abc \\xb1123456789012z", "\\1Baccount-1abc \\xb1account-1z"),
        ("%20123456789012 %2F123456789012%20", "%20account-1 %2Faccount-1%20"),
        ("%0a123456789012.%1123456789012x", "%0aaccount-1.%1123456789012x"),
        ("x-1234-5678-9012.pcap", "x-account-1.pcap"),
        ("acct1234-5678-9012a -1234-5678-9012-", "acctaccount-1a -account-1-"),
        ("20261127-1234-5678-9012", "20261127-account-1"),
        ("CN=#0c313233343536373839303132+O=#313233343536373839303132", "CN=#0caccount-1+O=#account-1"),
        ("x_123456789012.", "x_account-1."),
        // Whatever stands in front of it is escaped, and in whatever form it is written itself.
        ("OU=a\\091234-5678-9012", "OU=a\\09account-1"),
        ("a%203234-5678-9012 \\x001234-5678-9012a", "a%20account-1 \\x00account-2a"),
        ("O=#0c0e313233342D353637382D39303132", "O=#0c0eaccount-1"),
        ("O=#253230313233343536373839303132", "O=#253230account-1"),
        ("%31%32%33%34%35%36%37%38%39%30%31%32", "account-1"),
        ("%123456789012 #123456789012 \\123456789012", "%account-1 #account-1 \\account-1"),
        ("1234567890123 987654321098", "1234567890123 account-1"),
    ] {
        assert_eq!(redacted(text), expected, "{text}");
    }
}

#[test]
fn hashes_with_a_key() {
    // HMAC-SHA256("key", "The quick brown fox …") is a published vector; here its beginning.
    assert_eq!(word::keyed(b"key", "The quick brown fox jumps over the lazy dog"), "f7bc83f43053");
    let mut redactor = Redactor::new(Redaction::Keyed(b"secret".to_vec()));
    let first = redactor.text("123456789012").into_owned();
    assert_eq!(first.len(), 12);
    assert_eq!(Redactor::new(Redaction::Keyed(b"secret".to_vec())).text("123456789012"), first);
    assert_ne!(Redactor::new(Redaction::Keyed(b"other".to_vec())).text("123456789012"), first);
    assert!(!format!("{:?}", Redaction::Keyed(b"secret".to_vec())).contains("secret"));
}

/// What was redacted is read again by `report`, perhaps with the same key.
#[test]
fn leaves_what_stands_for_an_account() {
    // The plain hash of the second one is 331638336958.
    let key = b"SECRETKEYSECRETKEYSECRETKEYSECRETKEY";
    let mut redactor = Redactor::new(Redaction::Keyed(key.to_vec()));
    for id in ["100000000001", "100000000424", "100000000999"] {
        let once = redactor.text(id).into_owned();
        assert_ne!(once, id);
        assert_eq!(redactor.text(&once), once);
    }
}

#[test]
fn keeps_fingerprints_ports_times_and_addresses() {
    for mut record in sample::all().into_iter().filter(|record| record.endpoint.account_id.is_none()) {
        let before = line(&record);
        Redactor::new(Redaction::Numbered).apply(&mut record);
        assert_eq!(line(&record), before);
    }
}

#[test]
fn hides_accounts_in_names_of_processes_and_units() {
    let mut record = sample::tls12();
    record.host = Some(Box::new(crate::model::HostFacts {
        process: Some(Arc::from("job-123456789012")),
        unit: Some(Arc::from("orders@123456789012.service")),
        ..Default::default()
    }));
    Redactor::new(Redaction::Numbered).apply(&mut record);
    let host = record.host.unwrap();
    assert_eq!(host.process.as_deref(), Some("job-account-1"));
    assert_eq!(host.unit.as_deref(), Some("orders@account-1.service"));
}

#[test]
fn names_captures_by_date_but_not_by_account() {
    let mut record = sample::account();
    record.source = Arc::from("dump-202611231000-123456789012.pcap");
    let mut redactor = Redactor::new(Redaction::Numbered);
    redactor.apply(&mut record);
    assert_eq!(&*record.source, "dump-202611231000-account-1.pcap");
    redactor.text("202611231000");
    record.source = Arc::from("dump-202611231000.pcap");
    redactor.apply(&mut record);
    assert_eq!(&*record.source, "dump-account-2.pcap");
}

/// What a resumed session showed before is judged with the name that is asked for now.
#[test]
fn hides_accounts_in_the_certificate_of_a_session() {
    let mut record = sample::account();
    let name = "123456789012.ddb.eu-central-1.amazonaws.com";
    let tls = record.tls.as_mut().unwrap();
    tls.client_hello.as_mut().unwrap().server_name = Some(name.to_owned());
    let mut shown = (**sample::tls12().tls.unwrap().certificate.as_ref().unwrap()).clone();
    shown.dns_names = vec![name.to_owned()];
    (tls.certificate, tls.session_certificate) = (None, Some(Arc::new(shown)));
    Redactor::new(Redaction::Numbered).apply(&mut record);
    let facts = crate::policy::evaluate(&record, &crate::policy::Options::default());
    assert!(facts.violations.iter().all(|found| found.rule != "certificate_name_mismatch"), "{facts:?}");
}

#[test]
fn does_nothing_when_off() {
    let mut record = sample::account();
    Redactor::new(Redaction::Off).apply(&mut record);
    assert_eq!(record, sample::account());
}

#[test]
fn is_bounded() {
    let mut redactor = Redactor::new(Redaction::Numbered);
    for number in 0..=MAX_ACCOUNTS {
        let alias = redactor.text(&format!("{number:012}")).into_owned();
        assert_eq!(alias == word::OTHER, number == MAX_ACCOUNTS);
    }
    assert_eq!(redactor.text("000000000000"), "account-1");
}

/// Puts a text into every string of a record that somebody else may have chosen.
fn fill(record: &mut Record, text: &str) {
    record.source = Arc::from(text);
    for sighting in &mut record.sightings {
        sighting.interface = Some(Arc::from(text));
    }
    if let Some(tls) = &mut record.tls {
        let hello = tls.client_hello.get_or_insert_default();
        hello.server_name = Some(text.into());
        hello.alpn = vec![text.into(), [b"\xff", text.as_bytes()].concat()];
        tls.server_hello.get_or_insert_default().alpn = Some(text.into());
        if let Some(certificate) = &mut tls.certificate {
            let certificate = Arc::make_mut(certificate);
            certificate.subject = format!("CN={text}");
            certificate.issuer = format!("CN={text},O={text}");
            certificate.dns_names = vec![text.into(); 2];
        }
    }
    if let Some(http) = &mut record.http {
        let all = [&mut http.method, &mut http.host, &mut http.target, &mut http.scope_region];
        for field in all.into_iter().chain([&mut http.scope_service, &mut http.sdk]) {
            *field = Some(text.into());
        }
        let later = LaterRequest { host: Some(text.into()), target: Some(text.into()), is_earlier: false };
        (http.later.unsigned, http.later.long_term) = (Some(later.clone()), Some(later));
    }
    if let Some(proxy) = &mut record.proxy {
        proxy.target = Some(format!("{text}:443"));
    }
    record.endpoint.host = Some(text.into());
    record.endpoint.region = Some(text.into());
    record.endpoint.partition = Some(text.into());
    record.endpoint.conflict = vec![format!("{text} is not {text}")];
    record.path.name = Some(text.into());
    record.path.open_rules = vec![text.into()];
    if let Some(policy) = &mut record.policy {
        policy.profile = text.into();
        for violation in &mut policy.violations {
            violation.offending = text.into();
            violation.message = format!("The name {text}.");
            violation.remedy = format!("Not {text}!").into();
        }
    }
}

proptest! {
    #[test]
    fn lets_no_account_through(id in "[3-9][0-9]{11}", left in "[a-z.:/_ -]*", right in "[a-z.:/_ -]*",
        which in 0..9_usize, has_key in any::<bool>())
    {
        let mut record = sample::all().swap_remove(which);
        if let Some(tls) = &mut record.tls {
            tls.ja4 = None;
        }
        record.endpoint.account_id = Some(id.clone());
        fill(&mut record, &format!("{left}{id}{right}"));
        prop_assert!(line(&record).contains(&id));
        let mode = if has_key { Redaction::Keyed(b"key".to_vec()) } else { Redaction::Numbered };
        Redactor::new(mode).apply(&mut record);
        let text = line(&record);
        prop_assert!(!text.contains(&id), "{}", text);
        // Messages are made of it, too.
        let http = format!("{:?}", record.http);
        prop_assert!(!http.contains(&id), "{}", http);
    }

    #[test]
    fn finds_every_run_a_plain_search_finds(text in "[0-9a-z. ]{0,60}") {
        let bytes = text.as_bytes();
        let plain = (0..bytes.len()).find(|start| {
            let end = start + 12;
            end <= bytes.len()
                && bytes[*start..end].iter().all(u8::is_ascii_digit)
                && (*start == 0 || !bytes[start - 1].is_ascii_alphanumeric())
                && (end == bytes.len() || !bytes[end].is_ascii_alphanumeric())
        });
        prop_assert_eq!(find_run(text.as_bytes(), 0), plain);
    }

    #[test]
    fn finds_runs_among_digits(text in "([0-9]{10,14}[. a]){0,6}") {
        // A word with several runs is a hexadecimal one.
        let is_id = |word: &&str| word.trim_end_matches('a').len() == 12 && !word.trim_end_matches('a').contains('a');
        let expected = text.split(['.', ' ']).filter(is_id).count();
        let (mut found, mut from) = (0, 0);
        while let Some(start) = find_run(text.as_bytes(), from) {
            found += 1;
            from = start + 12;
        }
        prop_assert_eq!(found, expected);
    }
}
