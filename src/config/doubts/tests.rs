//! What is warned of, and what is not.

use std::fmt::Write as _;

use crate::config::load::tests::parsed;

#[test]
fn warns_of_what_does_nothing_or_not_what_was_meant() {
    for (text, words) in [
        (
            "[policy]\nseverity = { group_not_allowed = \"critical\" }",
            &["`group_not_allowed`", "no `allowed_groups`"][..],
        ),
        ("[policy]\nseverity = { cross_region_endpoint = \"critical\" }", &["no `region` of [site]"]),
        ("[policy]\nseverity = { path_not_allowed = \"warning\" }", &["no `allowed_paths`"]),
        (
            "[[path]]\nname = \"a\"\naccess = \"internet\"\nentry = \"gateway_endpoint\"",
            &["`a`", "its own VPC"],
        ),
        (
            "[policy]\nallowed_paths = [{ access = \"internet\", entry = \"gateway_endpoint\" }]",
            &["its own VPC"],
        ),
        (
            "[[path]]\nname = \"a\"\naccess = \"internet\"\nsource = \"10.0.0.0/8\"\n\
             [[path]]\nname = \"b\"\naccess = \"in_vpc\"\nsource = \"10.1.0.0/16\"\nvlan = 7",
            &["`b` is never reached", "`a` takes"],
        ),
        (
            "[[policy.override]]\nminimum_version = \"1.0\"\n\
             [[policy.override]]\nmatch = { source = \"10.0.0.0/8\" }\nminimum_version = \"1.3\"",
            &["override]] 2 (for source 10.0.0.0/8) is never reached", "number 1 (for every flow)"],
        ),
        (
            "[[path]]\nname = \"a\"\naccess = \"internet\"\nvlan = 1\n[[path]]\nname = \"a\"\naccess = \"in_vpc\"\nvlan = 2",
            &["Several [[path]] are called `a`"],
        ),
        (
            "[endpoints]\nhosts = [{ name = \"dynamodb.eu-west-1.amazonaws.com\", service = \"dax\" }]",
            &["a name of AWS's own"],
        ),
        (
            "[endpoints]\nhosts = [{ name = \"db.x\", service = \"dax\" }, { name = \"DB.x.\", service = \"dynamodb\" }]",
            &["only the first counts"],
        ),
        (
            "[policy]\nallowed_paths = [{ access = \"in_vpc\" }]\nseverity = { path_not_allowed = \"off\" }",
            &["`allowed_paths` changes nothing"],
        ),
        (
            "[policy]\nallowed_ciphers = [\"TLS_AES_128_GCM_SHA256\"]\n[[policy.override]]\nallowed_ciphers = []",
            &["[[policy.override]] 1: `cipher_not_allowed`", "no `allowed_ciphers`"],
        ),
        (
            "[[path]]\nname = \"a\"\naccess = \"in_vpc\"\nlink_kind = [\"vti\", \"wireguart\"]",
            &["`a`", "`wireguart` is no kind of link", "did you mean `wireguard`?"],
        ),
    ] {
        let warnings = parsed(text).warnings;
        assert!(
            warnings.len() == 1 && words.iter().all(|word| warnings[0].contains(word)),
            "{text}: {warnings:?}"
        );
    }
    for text in [
        "[policy]\nseverity = { group_not_allowed = \"critical\" }\nallowed_groups = [\"x25519\"]",
        "[policy]\nseverity = { group_not_allowed = \"off\", cross_region_endpoint = \"off\" }",
        "[policy]\nprofile = \"fips-140-3\"",
        "[endpoints]\nhosts = [{ name = \"graph-dynamodb.eu-west-1.amazonaws.com\", service = \"dynamodb\" }]",
        // The first means all interfaces: a tunnel on another one is one.
        "[[path]]\naccess = \"internet\"\ntunnel = \"none\"\n\
         [[path]]\naccess = \"in_vpc\"\ntunnel = \"none\"\ninterface = \"eth1\"",
        "[[path]]\nvlan = 3\naccess = \"in_vpc\"\n[[path]]\naccess = \"internet\"",
        "[[path]]\naccess = \"internet\"\nvlan = [1, 2]\n[[path]]\naccess = \"in_vpc\"\nvlan = [2, 3]",
        "[[path]]\naccess = \"internet\"\nsource = \"10.1.0.0/16\"\n[[path]]\naccess = \"in_vpc\"\nsource = \"10.0.0.0/8\"",
    ] {
        assert_eq!(parsed(text).warnings, [""; 0], "{text}");
    }
}

/// Each rule is compared with all before it: a long list is gone over as far as that is quick, and no further in silence.
#[test]
fn says_which_rules_were_too_many_to_be_compared() {
    let mut rules = String::from("[[path]]\nname = \"b\"\naccess = \"internet\"\nsource = \"10.0.0.0/24\"\n");
    let mut overrides = String::new();
    for number in 0..5_000 {
        let net = format!("10.{}.{}.0/24", number / 256, number % 256);
        let _ = writeln!(rules, "[[path]]\nname = \"a{number}\"\naccess = \"internet\"\nsource = \"{net}\"");
        let _ = writeln!(overrides, "[[policy.override]]\nmatch = {{ source = \"{net}\" }}");
    }
    let warnings = parsed(&format!("{rules}{overrides}")).warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains("`a0` is never reached"), "{warnings:?}");
    for (warning, rules) in warnings[1..].iter().zip(["[[path]]", "[[policy.override]]"]) {
        let is_told = warning.contains(rules) && warning.ends_with("was not looked at: they are too many.");
        assert!(is_told, "{warning}");
    }
}
