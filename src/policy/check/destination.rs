//! Rules on requests in clear, on the endpoint and on the way to it.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Case, Finding, broken};
use crate::model::{
    Access, EndpointEvidence, EndpointKind, Entry, LaterRequest, Service, Signature, SigningCredential, Sni,
    is_private,
};
use crate::policy::AllowedPath;

/// Requests in clear.
impl Case<'_> {
    pub(super) fn plaintext_http(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        let (what, offending) =
            if http.is_dax { ("talks to DAX", "dax cleartext") } else { ("calls DynamoDB", "http") };
        let message = format!(
            "{} {what} without TLS: {}, port {}.",
            self.client(),
            self.server(),
            self.record.server.port()
        );
        broken(offending, message)
    }

    pub(super) fn unsigned_request(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        match http.signature {
            // DAX has no signature of this kind.
            _ if http.is_dax || self.record.endpoint.service == Some(Service::Dax) => Finding::Kept,
            // It never has one, and calls nothing.
            Some(Signature::None) if !http.is_preflight() => {
                self.unsigned("sent", http.target.as_deref(), &self.server())
            }
            // What else comes on the connection counts as much as what the record names.
            _ if let Some(request) = &http.later.unsigned => {
                let sent = if request.is_earlier { "earlier sent" } else { "later sent" };
                self.unsigned(sent, request.target.as_deref(), &self.server_of(request))
            }
            Some(_) if !http.later.is_incomplete => Finding::Kept,
            Some(_) | None => Finding::Unknown,
        }
    }

    fn unsigned(&self, sent: &str, target: Option<&str>, server: &str) -> Finding {
        let what = target.unwrap_or("a request");
        let message =
            format!("{} {sent} {what} to {server} in clear and without a signature.", self.client());
        broken(Signature::None.as_str(), message)
    }

    /// The host that a later request names, which may be another one than the record's.
    fn server_of<'b>(&'b self, request: &'b LaterRequest) -> Cow<'b, str> {
        request.host.as_deref().map_or_else(|| self.server(), Cow::Borrowed)
    }

    pub(super) fn long_term_credential(&self) -> Finding {
        let Some(http) = self.http() else { return Finding::Kept };
        // What comes later on the connection counts as much as what comes first.
        let server = match &http.later.long_term {
            _ if http.has_long_term_signature() => Some(self.server()),
            Some(request) => Some(self.server_of(request)),
            None => None,
        };
        if let Some(server) = server {
            let message = format!(
                "{} signed a request to {server} in clear with a long-term access key.",
                self.client()
            );
            return broken(SigningCredential::LongTerm.as_str(), message);
        }
        match (http.signature, http.credential) {
            // Others may have been signed otherwise.
            _ if http.later.is_incomplete || http.later.has_unknown_key => Finding::Unknown,
            _ if http.is_dax => Finding::Kept,
            // A key that is named is none that was signed with.
            (Some(Signature::None), _) | (_, Some(SigningCredential::Temporary)) => Finding::Kept,
            (_, Some(SigningCredential::LongTerm) | None) => Finding::Unknown,
        }
    }
}

/// Where it goes and how.
impl Case<'_> {
    pub(super) fn fips_endpoint_required(&self) -> Finding {
        let endpoint = self.endpoint;
        if !self.record.proves_name_of(endpoint) {
            return Finding::Unknown;
        }
        match (endpoint.counts_as_fips(), endpoint.kind) {
            (Some(true), _) => Finding::Kept,
            (Some(false), Some(kind)) => {
                let (client, server) = (self.client(), self.server());
                broken(kind.as_str(), format!("{client} uses {server}, which is not a FIPS endpoint."))
            }
            _ => Finding::Unknown,
        }
    }

    pub(super) fn path_not_allowed(&self) -> Finding {
        let allowed = &self.settings.allowed_paths;
        if allowed.is_empty() {
            return Finding::Kept;
        }
        let path = &self.record.path;
        // Some(true): it is this path; Some(false): it cannot be; None: it may be.
        let fits = |candidate: &AllowedPath| {
            let access = candidate.access.map_or(Some(true), |wanted| Some(wanted == path.known_access()?));
            let entry = candidate.entry.map_or(Some(true), |wanted| Some(wanted == path.known_entry()?));
            match (access, entry) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        };
        if allowed.iter().any(|candidate| fits(candidate) == Some(true)) {
            return Finding::Kept;
        }
        if allowed.iter().any(|candidate| fits(candidate).is_none()) {
            return Finding::Unknown;
        }
        let taken = AllowedPath { access: path.known_access(), entry: path.known_entry() };
        let words: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message = format!(
            "{} reaches {} over {taken}; allowed: {}.",
            self.client(),
            self.server(),
            words.join(", ")
        );
        broken(taken.to_string(), message)
    }

    pub(super) fn gateway_endpoint_missing(&self) -> Finding {
        let record = self.record;
        let (Some(hop), Some(region)) = (self.site.egress_hop, self.site.region.as_deref()) else {
            return Finding::Kept;
        };
        // Gateway endpoints serve DynamoDB itself, not Streams, and only clients inside the VPC. Where no name was seen,
        // the address is enough to go by; a name that may be that of Streams is not.
        let is_other_service = record.endpoint.service != Some(Service::Dynamodb);
        let may_be_other = record.endpoint.has_many_services || is_other_service && record.is_service_open();
        let (access, entry) = (record.path.access, record.path.entry);
        let is_elsewhere = matches!(
            access,
            Access::SiteToSiteVpn
                | Access::DirectConnectPrivate
                | Access::DirectConnectPublic
                | Access::DirectConnectTransit
        );
        let is_entered = matches!(entry, Entry::GatewayEndpoint | Entry::InterfaceEndpoint);
        if is_elsewhere && record.path.known_access().is_some()
            || is_entered && record.path.known_entry().is_some()
            || is_other_service && !may_be_other
            || record.is_proxied()
            || !is_private(record.client.ip())
            || is_private(record.server.ip())
            || record.endpoint.prefix_region.as_deref() != Some(region)
        {
            return Finding::Kept;
        }
        if is_elsewhere || is_entered || may_be_other || !record.path.open_rules.is_empty() {
            // It is possible, no more; or a rule that may be the flow's says so.
            return Finding::Unknown;
        }
        // A private address alone may be that of a client on premises, whose way happens to lead through here.
        let is_in_vpc = record.path.known_access() == Some(Access::InVpc);
        let condition = if is_in_vpc { "its subnet" } else { "if it is in a VPC, its subnet" };
        let message = format!(
            "{} reaches DynamoDB of {region} ({}) through this {hop}: {condition} has no gateway endpoint in effect.",
            self.client(),
            self.server()
        );
        broken(self.client(), message)
    }

    pub(super) fn cross_region_endpoint(&self) -> Finding {
        match (self.record.known_region(), self.site.region.as_deref()) {
            (Some(region), Some(home)) if region != home => {
                let message = format!(
                    "{} uses {} in {region}; the home region is {home}.",
                    self.client(),
                    self.server()
                );
                broken(region, message)
            }
            // It may be in another one.
            (None, Some(_)) => Finding::Unknown,
            _ => Finding::Kept,
        }
    }

    pub(super) fn dns_override(&self) -> Finding {
        let address: IpAddr = self.record.server.ip();
        let has_public_name = self.endpoint.has_public_name();
        if has_public_name == Some(false) || self.record.is_proxied() || !self.record.is_server_private() {
            return Finding::Kept;
        }
        // It may be the address of a proxy, which was asked for the name before. Or not the name that was meant.
        let is_proved = self.record.proves_name_of(self.endpoint);
        if !self.record.is_from_beginning || has_public_name.is_none() || !is_proved {
            return Finding::Unknown;
        }
        let message = format!(
            "{} uses the public name {}, but it leads to the private address {address}.",
            self.client(),
            self.server()
        );
        broken(address.to_string(), message)
    }

    pub(super) fn endpoint_conflict(&self) -> Finding {
        let conflict = &self.endpoint.conflict;
        let Some(first) = conflict.first() else {
            let is_unproven = self.endpoint.is_address_unproven;
            return if is_unproven { Finding::Unknown } else { Finding::Kept };
        };
        // What contradicts an address alone is known of this flow; a name need not be its own.
        let is_by_address = self.endpoint.evidence == [EndpointEvidence::Prefix];
        if !is_by_address && !self.record.proves_name_of(self.endpoint) {
            return Finding::Unknown;
        }
        let sentences: Vec<&str> = conflict.iter().map(|sentence| sentence.trim()).collect();
        let offending = if conflict.len() == 1 {
            first.trim().to_owned()
        } else {
            format!("{} contradictions", conflict.len())
        };
        broken(offending, format!("{} to {}: {}", self.client(), self.server(), sentences.join(" ")))
    }

    pub(super) fn endpoint_unrecognised(&self) -> Finding {
        if self.endpoint.kind != Some(EndpointKind::Unrecognised) {
            return Finding::Kept;
        }
        let server = self.server();
        let message =
            format!("{} uses {server}, a form of DynamoDB's names that is not known.", self.client());
        broken(server, message)
    }

    pub(super) fn sni_missing(&self) -> Finding {
        if self.tls().is_none_or(|tls| tls.sni() != Sni::NotSent) {
            return Finding::Kept;
        }
        broken("not_sent", format!("{} sent no server name to {}.", self.client(), self.server()))
    }

    pub(super) fn signing_not_assessable(&self) -> Finding {
        if self.tls().is_none() {
            return Finding::Kept;
        }
        broken(
            "tls",
            // Said of nearly every flow, so without a formatter.
            [
                "Whether ",
                self.client(),
                " signs its requests to ",
                &self.server(),
                " cannot be seen under TLS.",
            ]
            .concat(),
        )
    }
}
