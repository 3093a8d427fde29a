//! Requests in clear that say themselves what they are, and hosts that their address cannot have.

use super::*;

const SCAN: Option<&str> = Some("DynamoDB_20120810.Scan");

/// The kind and the contradictions of a call to `host` at `server`.
fn called(
    host: Option<&str>,
    server: &'static str,
    is_truncated: bool,
) -> (Option<EndpointKind>, Vec<String>) {
    let http = http(host, SCAN).map(|http| HttpFacts { is_truncated, ..http });
    let facts = decide(&Case { http, server, ..Case::default() }).unwrap();
    assert_eq!((facts.service, facts.confidence), (Some(Service::Dynamodb), Some(Confidence::Certain)));
    (facts.kind, facts.conflict)
}

#[test]
fn names_a_host_that_the_address_cannot_have() {
    let local = Some(EndpointKind::Local);
    for (host, server, kind, conflict) in [
        ("localhost", IN_PREFIX, None, "localhost is no name of DynamoDB"),
        ("127.0.0.1", IN_PREFIX, None, "127.0.0.1 is no name of DynamoDB"),
        ("evil.example", IN_PREFIX, None, "evil.example is no name of DynamoDB"),
        ("sqs.eu-west-1.amazonaws.com", IN_PREFIX, None, "a name of another AWS service"),
        ("localhost", "8.8.8.8:8000", None, "for localhost, but the address 8.8.8.8 is a public one"),
        ("::1", "8.8.8.8:8000", None, "for ::1, but the address 8.8.8.8 is a public one"),
        // Through a container or a port that is forwarded, and an emulator or the operator's own name anywhere.
        ("localhost", "172.17.0.2:8000", local, ""),
        ("localhost", "[::1]:8000", local, ""),
        ("evil.example", "8.8.8.8:8000", None, ""),
        ("db.corp.example", IN_PREFIX, None, ""),
        ("52.94.5.1", IN_PREFIX, None, ""),
    ] {
        let (found, sentences) = called(Some(host), server, false);
        assert_eq!(found, kind, "{host} {server}");
        assert_eq!(sentences.len(), usize::from(!conflict.is_empty()), "{host} {server} {sentences:?}");
        assert!(sentences.iter().all(|sentence| sentence.contains(conflict)), "{sentences:?}");
    }
}

#[test]
fn a_host_that_may_have_been_cut_off_is_not_guessed() {
    assert_eq!(called(None, "127.0.0.1:8000", false).0, Some(EndpointKind::Local));
    assert_eq!(called(None, "127.0.0.1:8000", true).0, None);
    assert_eq!(called(Some("localhost"), "127.0.0.1:8000", true).0, Some(EndpointKind::Local));
}
