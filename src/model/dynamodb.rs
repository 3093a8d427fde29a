//! DynamoDB endpoints: what a flow was found to go to, and on what evidence.

use super::closed_set;

closed_set! {
    /// The API a host name or port belongs to.
    Service {
        Dynamodb => "dynamodb",
        DynamodbStreams => "dynamodb-streams",
        DynamodbSearch => "dynamodb-search",
        Dax => "dax",
    }
}

closed_set! {
    /// The form of an endpoint; the first that fits, in this order.
    EndpointKind {
        Interface => "interface",
        Account => "account",
        DaxCluster => "dax_cluster",
        Fips => "fips",
        DualStack => "dual_stack",
        Regional => "regional",
        Local => "local",
        Unrecognised => "unrecognised",
    }
}

closed_set! {
    /// What showed that a flow goes to DynamoDB.
    EndpointEvidence {
        Sni => "sni",
        Dns => "dns",
        Prefix => "prefix",
        Certificate => "certificate",
        HttpHost => "http_host",
        ProxyTarget => "proxy_target",
    }
}

closed_set! {
    /// How sure a finding is.
    Confidence {
        Possible => "possible",
        Likely => "likely",
        Certain => "certain",
    }
}

/// What one host name of AWS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub service: Service,
    pub kind: EndpointKind,
    /// Region as written in the name; a DAX cluster's short region is expanded where known.
    pub region: Option<String>,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: Option<&'static str>,
    pub account_id: Option<String>,
    /// The name says so; GovCloud's plain host, which counts as one, does not.
    pub fips: bool,
    pub dual_stack: bool,
    /// The endpoint id and suffix of an interface endpoint (`vpce-…`), where the name carries it.
    pub vpce_id: Option<String>,
}

/// The DNS suffixes of all AWS partitions, of hosts with IPv4 addresses only and of dual-stack hosts.
pub const AWS_SUFFIXES: &[&str] = &[
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
];

/// What is known of the endpoint of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    pub service: Option<Service>,
    pub kind: Option<EndpointKind>,
    pub region: Option<String>,
    pub partition: Option<String>,
    pub account_id: Option<String>,
    pub fips: bool,
    pub dual_stack: bool,
    /// The name the evidence rests on (lower case, no trailing dot), where it rests on a name.
    pub host: Option<String>,
    /// False for names under a configured host (`[endpoints] hosts`), true for AWS's own names.
    pub is_aws_name: bool,
    /// It is none of AWS, or none is known, but the name that was meant may be.
    pub is_aws_name_open: bool,
    /// Of several names of different services: the one told is no more than possible.
    pub has_many_services: bool,
    /// The flow need not be for a name that is known: what form its name has is open.
    pub is_form_open: bool,
    /// What is so of each name that may be the flow's, where that may be one of several. What they do not agree in is left out
    /// of the facts beside it, and rules are judged by each of them.
    pub alternatives: Vec<Self>,
    /// In the order of [`EndpointEvidence::ALL`].
    pub evidence: Vec<EndpointEvidence>,
    pub confidence: Option<Confidence>,
    /// Sentences, each naming one contradiction.
    pub conflict: Vec<String>,
    /// A public name at an address outside of all prefixes, but the client said something first that is not
    /// understood and may have asked a proxy for the name; or at an address of DynamoDB's that was translated into a private
    /// one; or a server name that is none of DynamoDB's, but may stand for one; or one that need not be the one that was
    /// meant, beside one of elsewhere: neither a contradiction nor a proof.
    pub is_address_unproven: bool,
    /// A DynamoDB prefix holds the server's address, or that of the server behind address translation.
    pub is_in_prefix: bool,
    /// The region of that prefix, where it is of one alone.
    pub prefix_region: Option<String>,
    /// The address list has prefixes of the named partition at all (else nothing follows from
    /// an address outside of them).
    pub partition_has_prefixes: bool,
}

impl EndpointFacts {
    /// True where nothing but a DNS answer to another host, or a name of no known form in one, says that it is DynamoDB.
    #[must_use]
    pub fn is_hearsay(&self) -> bool {
        self.confidence == Some(Confidence::Possible) && self.evidence == [EndpointEvidence::Dns]
    }

    /// Where its kind is not known: what it is known by, in a word.
    #[must_use]
    pub fn known_by(&self) -> &'static str {
        let words = [
            (EndpointEvidence::Sni, "name"),
            (EndpointEvidence::HttpHost, "request"),
            (EndpointEvidence::Dns, "DNS answer"),
            (EndpointEvidence::Certificate, "certificate"),
            // Also an address that a proxy was asked for.
            (EndpointEvidence::Prefix, "address"),
            (EndpointEvidence::ProxyTarget, "name"),
        ];
        let word = words.iter().find(|(evidence, _)| self.evidence.contains(evidence));
        word.map_or("protocol", |(_, word)| word)
    }

    /// True where it has a name that is one of those that were meant; `is_outer` where the server name may be an outer one. A DNS
    /// answer may have been for another host.
    #[must_use]
    pub fn proves_name(&self, is_outer: bool) -> bool {
        self.evidence.iter().any(|evidence| match evidence {
            EndpointEvidence::Sni => !is_outer,
            EndpointEvidence::Dns => !self.is_hearsay(),
            EndpointEvidence::Prefix => false,
            EndpointEvidence::Certificate | EndpointEvidence::HttpHost | EndpointEvidence::ProxyTarget => {
                true
            }
        })
    }

    /// Whether the name counts as one of a FIPS endpoint; `None` where that is open.
    #[must_use]
    pub fn counts_as_fips(&self) -> Option<bool> {
        match self.kind {
            // Only AWS's names say whether they are FIPS, and only by forms that are known.
            Some(EndpointKind::Unrecognised) => None,
            _ if self.fips => Some(true),
            None => None,
            Some(EndpointKind::Local) => Some(false),
            Some(_) if !self.is_aws_name => None,
            // Asked for FIPS, the SDK's rules answer with GovCloud's plain IPv4 host, except for DAX.
            Some(EndpointKind::Regional) => match self.partition.as_deref()? {
                // In a record that is read back: of several services, it may be DAX.
                "aws-us-gov" if self.has_many_services => None,
                "aws-us-gov" => Some(self.service != Some(Service::Dax)),
                _ => Some(false),
            },
            Some(_) => Some(false),
        }
    }

    /// Whether the name is a public one of DynamoDB, which resolves to its public addresses; `None` where that is open.
    #[must_use]
    pub fn has_public_name(&self) -> Option<bool> {
        use EndpointKind::{Account, DualStack, Fips, Regional};
        let is_public = matches!(self.kind, Some(Account | DualStack | Fips | Regional));
        let is_public = is_public && self.is_aws_name && self.service.is_some_and(|it| it != Service::Dax);
        (!self.is_form_open).then_some(is_public)
    }
}
