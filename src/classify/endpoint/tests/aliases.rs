//! Names that clients know an endpoint by, which DNS explains.

use super::*;

const ALIAS: &str = "data.corp.example";

#[test]
fn a_name_that_stands_for_an_endpoint_is_no_contradiction() {
    let interface = "vpce-1a2b3c4d-5e6f.dynamodb.eu-west-1.vpce.amazonaws.com";
    for (is_sni_alias, dns, server, expected) in [
        (true, interface, PRIVATE, "dynamodb interface eu-west-1 likely dns 0"),
        (true, REGIONAL, IN_PREFIX, "dynamodb regional eu-west-1 certain dns,prefix 0"),
        // Asked for in vain, or not at all.
        (false, interface, PRIVATE, "-"),
        (false, REGIONAL, IN_PREFIX, "dynamodb - eu-west-1 likely prefix 1"),
    ] {
        let case = Case { sni: sni(ALIAS), is_sni_alias, dns: vec![dns], server, ..Case::default() };
        assert_eq!(summary(&case), expected, "{is_sni_alias} {dns}");
    }
    // What a client was told of the proxy's address says nothing of what it asks the proxy for.
    let proxy = proxy(ProxyKind::HttpConnect, Some("www.example.com:443"));
    let case = Case { sni: sni(ALIAS), is_sni_alias: true, dns: vec![REGIONAL], proxy, ..Case::default() };
    assert_eq!(summary(&case), "-");
}
