//! What was learned from bytes that come again and again: hellos of the same client, certificates of the
//! same server, names that all clients ask for.
//!
//! Nothing here decides anything: each answer is that of the stage it comes from, kept for the next
//! flow that asks the same.
//!
//! One thing leads to the next: equal bytes become one shared [`ClientHello`](crate::model::ClientHello),
//! `ServerHello` or certificate ([`Hellos`]), flows that share those and their outcome are of one
//! [`TlsKind`](crate::model::TlsKind), and a kind is judged once ([`Judgements`]), searched for account ids once and
//! written out once (by the exporters). A flow with a hello that no other shares takes none of these short ways.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::app::x509::{self, CertificateError};
use crate::classify::{self, EndpointInput, EndpointOptions};
use crate::model::{CertificateFacts, EndpointFacts, Memo, Shared, Sni};
use crate::policy::Judgements;
use crate::tls::Hellos;

/// Certificates kept: far more than the endpoints of one site show at a time. Some 10 MB when full.
const MAX_CERTIFICATES: usize = 1_024;

/// The longest certificate that is kept; those of AWS have 1,200 to 2,000 bytes.
const MAX_CERTIFICATE_BYTES: usize = 4_096;

/// Endpoint decisions kept, by name, address and certificate.
const MAX_ENDPOINTS: usize = 4_096;

/// A host name has at most 253 bytes [RFC 1035 section 2.3.4]; there is room for three, one told by the client and
/// two by DNS, with an address and the place of a certificate.
const MAX_ENDPOINT_INPUT_BYTES: usize = 800;

/// An endpoint, and the certificate it was decided by: as long as that is kept, its place in memory
/// stands for it.
type Decision = (Option<Shared<EndpointFacts>>, Option<Arc<CertificateFacts>>);

type Certificate = Result<Arc<CertificateFacts>, CertificateError>;

/// Answers that are kept.
pub(super) struct Repeated {
    pub hellos: Hellos,
    /// Of a flow to something else: one for all.
    pub no_endpoint: Shared<EndpointFacts>,
    /// By where they are in memory, which nothing else can take while they are kept.
    certificates: HashMap<usize, (Arc<[u8]>, Certificate), RandomState>,
    max_certificate_bytes: usize,
    endpoints: Memo<Decision>,
    pub judgements: Judgements,
    input: Vec<u8>,
}

impl Default for Repeated {
    fn default() -> Self {
        Self {
            hellos: Hellos::default(),
            no_endpoint: Shared::default(),
            certificates: HashMap::default(),
            max_certificate_bytes: MAX_CERTIFICATE_BYTES,
            endpoints: Memo::new(MAX_ENDPOINTS, MAX_ENDPOINT_INPUT_BYTES),
            judgements: Judgements::default(),
            input: Vec::new(),
        }
    }
}

impl Repeated {
    /// Answers of which none is kept: each flow is asked about anew.
    #[cfg(test)]
    pub fn forgetful() -> Self {
        Self {
            hellos: Hellos::forgetful(),
            max_certificate_bytes: 0,
            endpoints: Memo::new(0, 0),
            ..Self::default()
        }
    }

    /// [`x509::parse_leaf`].
    pub fn certificate(&mut self, leaf: &Arc<[u8]>) -> Certificate {
        let address = Arc::as_ptr(leaf).addr();
        if let Some((_, known)) = self.certificates.get(&address) {
            return known.clone();
        }
        let certificate = x509::parse_leaf(leaf).map(Arc::new);
        if leaf.len() <= self.max_certificate_bytes {
            if self.certificates.len() >= MAX_CERTIFICATES {
                self.certificates.clear();
            }
            self.certificates.insert(address, (Arc::clone(leaf), certificate.clone()));
        }
        certificate
    }

    /// [`classify::endpoint`]; `certificate` is that of `input`, as it is shared.
    pub fn endpoint(
        &mut self,
        input: &EndpointInput<'_>,
        certificate: Option<&Arc<CertificateFacts>>,
        options: &EndpointOptions,
    ) -> Option<Shared<EndpointFacts>> {
        // What was said in clear differs from flow to flow, and few servers are translated.
        let is_kept = input.http.is_none()
            && input.proxy.is_none()
            && input.translated.iter().all(|(_, server)| server.ip() == input.server.ip());
        if !is_kept || certificate.is_some_and(|certificate| certificate.is_large()) {
            return classify::endpoint(input, options).map(Shared::from);
        }
        let decide = || (classify::endpoint(input, options).map(Shared::from), certificate.map(Arc::clone));
        let key = &mut self.input;
        key.clear();
        // The first byte tells how long the address is; the name stands last.
        key.push(u8::from(input.server.is_ipv6()));
        match input.server.ip() {
            IpAddr::V4(address) => key.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => key.extend_from_slice(&address.octets()),
        }
        key.push(input.encrypted_hello as u8);
        key.push(u8::from(input.is_from_beginning));
        let place = certificate.map_or(0, |certificate| Arc::as_ptr(certificate) as usize);
        key.extend_from_slice(&place.to_be_bytes());
        let dns = u8::from(input.is_dns_of_other_family) | u8::from(input.has_more_dns_names) << 1;
        key.push(dns | (input.sni_alias as u8) << 2);
        for name in input.dns_names {
            // No name in DNS is longer than 253 bytes; another one could not be told from the next.
            let Ok(length) = u8::try_from(name.len()) else { return decide().0 };
            key.push(length);
            key.extend_from_slice(name.as_bytes());
        }
        // No name is empty.
        key.push(0);
        match input.sni {
            Sni::Name(name) => {
                key.push(b'=');
                key.extend_from_slice(name.as_bytes());
            }
            Sni::NotSent => key.push(b'-'),
            Sni::NotSeen => {}
        }
        self.endpoints.get_or_make(key, decide).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::SniAlias;
    use crate::model::EncryptedHello;

    fn input<'a>() -> EndpointInput<'a> {
        EndpointInput {
            sni: Sni::NotSent,
            encrypted_hello: EncryptedHello::NotSent,
            certificate: None,
            http: None,
            proxy: None,
            is_from_beginning: true,
            dns_names: &[],
            has_more_dns_names: false,
            is_dns_of_other_family: false,
            sni_alias: SniAlias::No,
            client: "10.0.0.1:1".parse().unwrap(),
            server: "10.0.0.2:443".parse().unwrap(),
            translated: &[],
        }
    }

    /// What was decided of one flow is not taken for another that differs in what counts.
    #[test]
    fn flows_are_the_same_only_in_all_that_is_asked() {
        let name = "dynamodb.eu-west-1.amazonaws.com";
        let (told, translated) = ([Arc::from(name)], [(input().client, "52.94.5.10:443".parse().unwrap())]);
        let to_itself = [("10.0.0.9:9".parse().unwrap(), input().server)];
        let named = || EndpointInput { sni: Sni::Name(name), ..input() };
        let aliased = || EndpointInput { sni: Sni::Name("db.corp.example"), dns_names: &told, ..input() };
        for (input, other) in [
            (named(), EndpointInput { translated: &translated, ..named() }),
            (
                EndpointInput { translated: &to_itself, ..named() },
                EndpointInput { translated: &translated, ..named() },
            ),
            (aliased(), EndpointInput { sni_alias: SniAlias::Yes, ..aliased() }),
            (aliased(), EndpointInput { sni_alias: SniAlias::Possible, ..aliased() }),
        ] {
            let mut repeated = Repeated::default();
            let options = EndpointOptions::default();
            for input in [input, other, input] {
                let decided = repeated.endpoint(&input, None, &options);
                assert_eq!(decided.as_deref(), classify::endpoint(&input, &options).as_ref(), "{input:?}");
            }
            assert_ne!(classify::endpoint(&input, &options), classify::endpoint(&other, &options));
        }
    }

    /// There are thousands of decisions, and a certificate may carry a thousand names.
    #[test]
    fn a_large_certificate_is_not_kept_with_what_was_decided_by_it() {
        for (names, is_kept) in [(10, true), (1_000, false)] {
            let dns_names = vec!["dynamodb.us-east-1.amazonaws.com".to_owned(); names];
            let certificate = Arc::new(CertificateFacts { dns_names, ..CertificateFacts::default() });
            let input = EndpointInput { certificate: Some(&certificate), ..input() };
            let mut repeated = Repeated::default();
            let decided = repeated.endpoint(&input, Some(&certificate), &EndpointOptions::default());
            assert!(decided.is_some());
            assert_eq!(Arc::strong_count(&certificate) > 1, is_kept, "{names}");
        }
    }
}
