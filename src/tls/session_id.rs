//! What the session ids of the two hellos say together.

use crate::model::TlsFacts;
use crate::model::registry::TlsVersion;

/// The server answers with the client's session id; where it offered a ticket it may have left the id empty
/// [RFC 5077 section 3.4].
pub fn is_echoed(facts: &TlsFacts) -> bool {
    let (Some(client), Some(server)) = (&facts.client_hello, &facts.server_hello) else { return false };
    client.session_id == server.session_id
        && (!client.session_id.is_empty() || client.session_ticket.is_some())
}

/// The hellos alone show that nothing is resumed: the client had nothing to resume, or the server chose a new
/// session id.
pub fn cannot_be_resumed(facts: &TlsFacts) -> bool {
    let (Some(client), Some(server)) = (&facts.client_hello, &facts.server_hello) else { return false };
    let had_nothing = client.session_id.is_empty() && client.session_ticket.is_none();
    let has_new_id = !client.session_id.is_empty() && client.session_id != server.session_id;
    !client.is_truncated && (had_nothing || has_new_id)
}

/// In TLS 1.3 the id is for show and has to come back: another one belongs to another handshake
/// [RFC 8446 section 4.1.3].
pub fn is_of_another(facts: &TlsFacts) -> bool {
    let (Some(client), Some(server)) = (&facts.client_hello, &facts.server_hello) else { return false };
    // A hello that was cut may have lost it. Drafts had none.
    !client.is_truncated
        && !client.is_ssl2_form
        && server.version().rank() >= TlsVersion::TLS13.rank()
        && client.session_id != server.session_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientHello, Hello, ServerHello, TicketDigest};

    fn facts(version: TlsVersion, of_client: &[u8], of_server: &[u8]) -> TlsFacts {
        let client = ClientHello { legacy_version: TlsVersion::TLS12, ..ClientHello::default() };
        let server = ServerHello { selected_version: Some(version), ..ServerHello::default() };
        let ids = [of_client, of_server].map(|id| id.iter().copied().collect());
        let [of_client, of_server] = ids;
        TlsFacts {
            client_hello: Some(Hello { session_id: of_client, ..Hello::from(client) }),
            server_hello: Some(Hello { session_id: of_server, ..Hello::from(server) }),
            ..TlsFacts::default()
        }
    }

    #[test]
    fn tells_a_session_by_its_id() {
        for (of_client, of_server, is_back, is_new) in [
            (&b"one"[..], &b"one"[..], true, false),
            (b"one", b"two", false, true),
            (b"one", b"", false, true),
            (b"", b"one", false, true),
            (b"", b"", false, true),
        ] {
            let facts = facts(TlsVersion::TLS12, of_client, of_server);
            assert_eq!((is_echoed(&facts), cannot_be_resumed(&facts)), (is_back, is_new), "{of_client:?}");
            assert!(!is_of_another(&facts));
        }
        let mut with_ticket = facts(TlsVersion::TLS12, b"", b"");
        with_ticket.client_hello.as_mut().unwrap().session_ticket = TicketDigest::of(b"ticket");
        assert!(is_echoed(&with_ticket) && !cannot_be_resumed(&with_ticket));
    }

    #[test]
    fn tells_the_answer_to_another_hello() {
        assert!(!is_of_another(&facts(TlsVersion::TLS13, b"one", b"one")));
        assert!(is_of_another(&facts(TlsVersion::TLS13, b"one", b"two")));
        assert!(is_of_another(&facts(TlsVersion::TLS13, b"one", b"")));
        assert!(!is_of_another(&facts(TlsVersion(0x7f12), b"one", b"")), "drafts had none");
        let mut cut = facts(TlsVersion::TLS13, b"", b"one");
        cut.client_hello.as_mut().unwrap().is_truncated = true;
        assert!(!is_of_another(&cut));
    }
}
