//! Host name → which DynamoDB endpoint it is, by one grammar for all partitions.
//!
//! The grammar is that of the SDK's endpoint rules (`endpoint-rule-set-1.json` of dynamodb,
//! dynamodbstreams and dax) and of the developer guide's pages on interface endpoints and DAX:
//!
//! ```text
//! host    = [ vpce-id "." ] service "." region "." [ "vpce." ] suffix
//!         | account "." ( "ddb" | "search-ddb" | "streams-ddb" [ "-fips" ] ) "." region "." suffix
//!         | cluster "." id "." ( "dax-clusters." region | "clustercfg.dax." short "." "cache" ) "." suffix
//! service = "dynamodb" | "search-dynamodb" | "dax" | "streams.dynamodb" | "streams-dynamodb", each [ "-fips" ]
//! ```
//!
//! A name is matched whole, so that look-alikes in front of or behind an AWS name are refused.

use std::fmt;

use arrayvec::{ArrayString, ArrayVec};

use super::partition::{Suffix, expand_short_region, is_region, partition_of, split_suffix};
use crate::model::{Endpoint, EndpointKind, Service};

/// The longest host name in text form [RFC 1035 section 2.3.4].
pub(crate) const MAX_NAME_BYTES: usize = 253;

/// The longest label of a host name [RFC 1035 section 2.3.4].
const MAX_LABEL_BYTES: usize = 63;

/// The most labels a name of [`MAX_NAME_BYTES`] can have.
const MAX_LABELS: usize = MAX_NAME_BYTES / 2 + 1;

/// What a host name was recognised as, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognition {
    /// `None` for a name that is not DynamoDB's. Of kind `unrecognised` for a name that looks like
    /// DynamoDB's but that the grammar does not know.
    pub endpoint: Option<Endpoint>,
    pub why: Why,
}

/// Why a name was recognised, or was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    AccountForm,
    AccountIdMalformed,
    DaxClusterForm,
    DaxClusterMalformed,
    EndpointIdMalformed,
    EndpointIdWithoutVpceLabel,
    InterfaceForm,
    LegacyGlobalForm,
    NotAHostName,
    NotUnderAwsSuffix,
    OtherAwsService,
    PublicForm,
    RegionOfAnotherPartition,
    UnknownForm,
    VpceLabelWithoutEndpointId,
    ZoneOfAnotherRegion,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountForm => "it has the form of an account-based endpoint: account id, service, region, AWS suffix",
            Self::AccountIdMalformed => {
                "its service label is one of account-based endpoints, but what stands in front is not an account id of twelve digits"
            }
            Self::DaxClusterForm => "it has the form of a DAX cluster or node endpoint",
            Self::DaxClusterMalformed => "it has the labels of a DAX cluster endpoint, but not in their known order",
            Self::EndpointIdMalformed => "its first label begins with vpce- but is not an endpoint id and suffix",
            Self::EndpointIdWithoutVpceLabel => {
                "it begins with a VPC endpoint id but lacks the label vpce in front of the suffix"
            }
            Self::InterfaceForm => {
                "it has the form of an interface endpoint: VPC endpoint id, service, region, vpce, AWS suffix"
            }
            Self::LegacyGlobalForm => "it is the old name without a region, which stands for us-east-1",
            Self::NotAHostName => "it is not a host name",
            Self::NotUnderAwsSuffix => "it does not end in a DNS suffix of an AWS partition",
            Self::OtherAwsService => "it ends in an AWS suffix, but no label of DynamoDB stands in the service's place",
            Self::PublicForm => "it has the form of a public endpoint: service, region, AWS suffix",
            Self::RegionOfAnotherPartition => "its region does not belong under this suffix",
            Self::UnknownForm => "it looks like a DynamoDB name under an AWS suffix, but has no form that is known",
            Self::VpceLabelWithoutEndpointId => "it has the label vpce but does not begin with a VPC endpoint id",
            Self::ZoneOfAnotherRegion => "the Availability Zone in its first label is not one of its region",
        })
    }
}

impl Recognition {
    /// One or two sentences for people: which endpoint the name is, and why.
    #[must_use]
    pub fn explanation(&self) -> String {
        let why = self.why;
        let Some(endpoint) = &self.endpoint else {
            return format!("Not an endpoint of DynamoDB: {why}.");
        };
        let what = match endpoint.kind {
            EndpointKind::Interface => "An interface endpoint (PrivateLink)",
            EndpointKind::Account => "An account-based endpoint",
            EndpointKind::DaxCluster => "A DAX cluster endpoint",
            EndpointKind::Fips => "A FIPS endpoint",
            EndpointKind::DualStack => "A dual-stack endpoint",
            EndpointKind::Regional => "A regional endpoint",
            EndpointKind::Local => "A local endpoint",
            EndpointKind::Unrecognised => "An unrecognised endpoint",
        };
        let region = endpoint.region.as_deref().unwrap_or("a region the name does not say");
        let mut text = format!("{what} of {}, in {region}", endpoint.service);
        if let Some(partition) = endpoint.partition {
            text.push_str(&format!(" (partition {partition})"));
        }
        text.push_str(&format!(": {why}."));
        if self.counts_as_fips() {
            text.push_str(" In GovCloud the plain IPv4 host counts as a FIPS endpoint.");
        }
        text
    }

    /// True of a name that does not say FIPS and is one of a FIPS endpoint all the same.
    #[must_use]
    pub fn counts_as_fips(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| {
            endpoint.kind == EndpointKind::Regional
                && endpoint.service != Service::Dax
                && endpoint.partition == Some("aws-us-gov")
        })
    }

    const fn of(endpoint: Endpoint, why: Why) -> Self {
        Self { endpoint: Some(endpoint), why }
    }

    const fn none(why: Why) -> Self {
        Self { endpoint: None, why }
    }
}

/// Recognises a host name, in any case, with or without one trailing dot.
#[must_use]
pub fn recognise(host: &str) -> Recognition {
    let Some(name) = canonical(host) else { return Recognition::none(Why::NotAHostName) };
    let Some(suffix) = split_suffix(&name) else { return Recognition::none(Why::NotUnderAwsSuffix) };
    let labels: ArrayVec<&str, MAX_LABELS> = suffix.before.split('.').take(MAX_LABELS).collect();
    match known(&labels, suffix) {
        Ok(recognition) => recognition,
        Err(why) => unrecognised(&labels, suffix, why),
    }
}

/// True where [`recognise`] knows what a name is, for names that are canonical already: nearly all that are asked for in DNS
/// have another suffix, which costs least to tell.
pub(crate) fn is_recognised(name: &str) -> bool {
    split_suffix(name).is_some() && recognise(name).endpoint.is_some()
}

/// Recognises a name as certificates write it: `*.` in front stands for any account id or VPC endpoint id, or for the label of
/// Streams.
#[must_use]
pub(crate) fn recognise_certificate_name(name: &str) -> Option<Endpoint> {
    let Some(rest) = name.strip_prefix("*.") else { return recognise(name).endpoint };
    let rest = canonical(rest)?;
    // Nearly all wildcards are for others.
    split_suffix(&rest)?;
    // Any value of the right form will do; it is taken out of the answer again.
    let found = ["000000000000", "vpce-00000000-0000", "streams"]
        .map(|stand_in| recognise(&format!("{stand_in}.{rest}")).endpoint);
    let is_known = |found: &&Endpoint| found.kind != EndpointKind::Unrecognised;
    let all = || found.iter().flatten();
    let endpoint = all().find(is_known).or(all().next())?.clone();
    Some(Endpoint { account_id: None, vpce_id: None, ..endpoint })
}

/// A host name in lower case without its trailing dot; `None` for what is no host name.
///
/// Underscores are let through: they occur in names that people chose.
#[must_use]
pub(crate) fn canonical(host: &str) -> Option<ArrayString<MAX_NAME_BYTES>> {
    let mut name = ArrayString::from(host.strip_suffix('.').unwrap_or(host)).ok()?;
    name.make_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.split('.').all(is_label).then_some(name)
}

/// The forms the grammar knows. `Err` says why none fits; it is not yet said whether the name
/// looks like DynamoDB's at all.
fn known(labels: &[&str], suffix: Suffix<'_>) -> Result<Recognition, Why> {
    match labels {
        ["dynamodb"] if suffix.suffix == "amazonaws.com" => {
            let endpoint = within("us-east-1", "aws", Service::Dynamodb, EndpointKind::Regional);
            Ok(Recognition::of(endpoint, Why::LegacyGlobalForm))
        }
        [front @ .., "dax", short, "cache"] => older_dax_cluster(front, short, suffix),
        [front @ .., "dax-clusters", region] => dax_cluster(front, region, suffix),
        [front @ .., region, "vpce"] if is_region(region) => interface(front, region, suffix),
        [front @ .., region] => public(front, region, suffix),
        [] => Err(Why::UnknownForm),
    }
}

fn public(front: &[&str], region: &str, suffix: Suffix<'_>) -> Result<Recognition, Why> {
    let (region, is_pseudo_fips) = region_and_fips(region).ok_or(Why::UnknownForm)?;
    let partition = partition_of(suffix.suffix, region).ok_or(Why::RegionOfAnotherPartition)?;
    if let [account, label] = front
        && let Some((service, fips)) = account_label(label)
        && !is_pseudo_fips
    {
        if !is_account_id(account) {
            return Err(Why::AccountIdMalformed);
        }
        let endpoint = Endpoint {
            account_id: Some((*account).to_owned()),
            fips,
            dual_stack: suffix.is_dual_stack,
            ..within(region, partition, service, EndpointKind::Account)
        };
        return Ok(Recognition::of(endpoint, Why::AccountForm));
    }
    if let [first, rest @ ..] = front
        && first.starts_with("vpce-")
        && service_path(rest).is_ok()
    {
        return Err(Why::EndpointIdWithoutVpceLabel);
    }
    let (service, says_fips) = service_path(front)?;
    let fips = says_fips || is_pseudo_fips;
    let kind = match (fips, suffix.is_dual_stack) {
        (true, _) => EndpointKind::Fips,
        (false, true) => EndpointKind::DualStack,
        (false, false) => EndpointKind::Regional,
    };
    let endpoint =
        Endpoint { fips, dual_stack: suffix.is_dual_stack, ..within(region, partition, service, kind) };
    Ok(Recognition::of(endpoint, Why::PublicForm))
}

fn interface(front: &[&str], region: &str, suffix: Suffix<'_>) -> Result<Recognition, Why> {
    let partition = partition_of(suffix.suffix, region).ok_or(Why::RegionOfAnotherPartition)?;
    let [first, path @ ..] = front else { return Err(Why::UnknownForm) };
    if !first.starts_with("vpce-") {
        return Err(Why::VpceLabelWithoutEndpointId);
    }
    let (service, fips) = service_path(path)?;
    let endpoint = Endpoint {
        vpce_id: Some(endpoint_id(first, region)?.to_owned()),
        fips,
        dual_stack: suffix.is_dual_stack,
        ..within(region, partition, service, EndpointKind::Interface)
    };
    Ok(Recognition::of(endpoint, Why::InterfaceForm))
}

/// `vpce-<hex>-<suffix>` out of a label that may end in an Availability Zone of `region`.
fn endpoint_id<'a>(label: &'a str, region: &str) -> Result<&'a str, Why> {
    let rest = label.strip_prefix("vpce-").ok_or(Why::EndpointIdMalformed)?;
    let (id, rest) = rest.split_once('-').ok_or(Why::EndpointIdMalformed)?;
    let (suffix, zone) = match rest.split_once('-') {
        Some((suffix, zone)) => (suffix, Some(zone)),
        None => (rest, None),
    };
    // Ids have 17 hexadecimal digits, older ones 8; the developer guide shortens them in examples.
    let is_id = (8..=17).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_suffix = !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id || !is_suffix {
        return Err(Why::EndpointIdMalformed);
    }
    let Some(zone) = zone else { return Ok(label) };
    // us-east-1a, or a Local Zone: us-east-1-bos-1a.
    let within = zone.strip_prefix(region).ok_or(Why::ZoneOfAnotherRegion)?;
    if !within.bytes().last().is_some_and(|byte| byte.is_ascii_lowercase())
        || !(within.len() == 1 || within.starts_with('-'))
    {
        return Err(Why::ZoneOfAnotherRegion);
    }
    label.strip_suffix(zone).and_then(|id| id.strip_suffix('-')).ok_or(Why::EndpointIdMalformed)
}

/// `[node "."] cluster "." id "." "dax-clusters." region`, nodes also as `node "." id ".nodes."`.
fn dax_cluster(front: &[&str], region: &str, suffix: Suffix<'_>) -> Result<Recognition, Why> {
    let front = match front {
        [names @ .., "nodes"] => names,
        _ => front,
    };
    if suffix.is_dual_stack || !is_region(region) || !is_cluster(front) {
        return Err(Why::DaxClusterMalformed);
    }
    let partition = partition_of(suffix.suffix, region).ok_or(Why::RegionOfAnotherPartition)?;
    let endpoint = within(region, partition, Service::Dax, EndpointKind::DaxCluster);
    Ok(Recognition::of(endpoint, Why::DaxClusterForm))
}

/// `[node "."] cluster "." id "." ( "clustercfg" | "nodes" | 4DIGIT ) ".dax." short ".cache"`.
fn older_dax_cluster(front: &[&str], short: &str, suffix: Suffix<'_>) -> Result<Recognition, Why> {
    let names = match front {
        [names @ .., "clustercfg" | "nodes"] => names,
        [names @ .., number] if number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            names
        }
        _ => front,
    };
    if suffix.is_dual_stack || !is_cluster(names) {
        return Err(Why::DaxClusterMalformed);
    }
    let mut endpoint = blank(Service::Dax, EndpointKind::DaxCluster);
    if let Some(region) = expand_short_region(short) {
        endpoint.partition = Some(partition_of(suffix.suffix, &region).ok_or(Why::RegionOfAnotherPartition)?);
        endpoint.region = Some(region);
    }
    Ok(Recognition::of(endpoint, Why::DaxClusterForm))
}

/// One or two names and the six characters that AWS adds to them.
fn is_cluster(names: &[&str]) -> bool {
    matches!(names, [_, id] | [_, _, id] if id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The labels in the service's place. For Streams, the SDK writes the dot under IPv4 suffixes and the hyphen under dual-stack
/// ones, and interface endpoints have the dot; which it is says nothing that the suffix does not.
fn service_path(path: &[&str]) -> Result<(Service, bool), Why> {
    let (label, is_streams) = match path {
        ["streams", label] => (*label, true),
        [label] => (*label, false),
        _ => return Err(Why::UnknownForm),
    };
    let (plain, fips) = match label.strip_suffix("-fips") {
        Some(plain) => (plain, true),
        None => (label, false),
    };
    match (is_streams, plain) {
        (true, "dynamodb") | (false, "streams-dynamodb") => Ok((Service::DynamodbStreams, fips)),
        (false, "dynamodb") => Ok((Service::Dynamodb, fips)),
        (false, "search-dynamodb") => Ok((Service::DynamodbSearch, fips)),
        (false, "dax") => Ok((Service::Dax, fips)),
        _ => Err(Why::UnknownForm),
    }
}

fn is_account_id(label: &str) -> bool {
    label.len() == 12 && label.bytes().all(|byte| byte.is_ascii_digit())
}

/// The label after an account id. Only Streams has a FIPS form.
fn account_label(label: &str) -> Option<(Service, bool)> {
    match label {
        "ddb" => Some((Service::Dynamodb, false)),
        "search-ddb" => Some((Service::DynamodbSearch, false)),
        "streams-ddb" => Some((Service::DynamodbStreams, false)),
        "streams-ddb-fips" => Some((Service::DynamodbStreams, true)),
        _ => None,
    }
}

/// A region, or the deprecated pseudo-region of a FIPS endpoint (`us-east-1-fips`, `fips-us-east-1`).
fn region_and_fips(label: &str) -> Option<(&str, bool)> {
    // First the pseudo-regions: `fips` has the shape of an area.
    let pseudo = label.strip_suffix("-fips").or_else(|| label.strip_prefix("fips-"));
    if let Some(region) = pseudo {
        return is_region(region).then_some((region, true));
    }
    is_region(label).then_some((label, false))
}

/// What is left: a DynamoDB-looking name of no known form, or a name of another service.
///
/// Customers choose labels too (buckets, load balancers, databases), so that only the label in the service's place counts,
/// which AWS chooses: left of the region, or of the suffix where there is no region. Where labels of AWS follow the region,
/// what stands left of it may be a customer's, as where an unknown one stands in place of the region: there a service's
/// label counts only as it is known.
fn unrecognised(labels: &[&str], suffix: Suffix<'_>, why: Why) -> Recognition {
    let (front, place, region) = match labels {
        // vpce-1a2b3c4d-5e6f.graph-dynamodb.us-east-1.vpce, or the whole label of a service in front of what is no region
        [front @ .., place, region, "vpce"] if is_region(region) || is_known_place(place) => {
            (front, *place, Some(*region))
        }
        // dynamodb.dualstack.us-east-1
        [front @ .., place, form, region] if region_and_fips(region).is_some() && is_form(form) => {
            (front, *place, Some(*region))
        }
        // graph-dynamodb.us-east-1
        [front @ .., place, region] if region_and_fips(region).is_some() => (front, *place, Some(*region)),
        // Whatever stands in front of the labels of DAX clusters.
        [.., "dax", _, "cache"] | [.., "dax-clusters", _] => (&[][..], "dax", None),
        // dynamodb.us-east-1.preview
        [front @ .., place, region, last] if is_region(region) && is_service(front, place, last) => {
            (front, *place, Some(*region))
        }
        // dynamodb.us-east
        [front @ .., place, last] if is_service_label(place) && !is_customer_named(last) => {
            (front, *place, None)
        }
        // dynamodb-next
        [front @ .., place] => (front, *place, None),
        [] => (&[][..], "", None),
    };
    let Some(service) = service_by_look(front, place) else { return Recognition::none(Why::OtherAwsService) };
    let mut endpoint = blank(service, EndpointKind::Unrecognised);
    endpoint.dual_stack = suffix.is_dual_stack;
    if let Some((region, fips)) = region.and_then(region_and_fips) {
        endpoint.region = Some(region.to_owned());
        endpoint.partition = partition_of(suffix.suffix, region);
        endpoint.fips = fips;
    }
    Recognition::of(endpoint, why)
}

/// The service that a label in the service's place, and what stands in front of it, look like.
fn service_by_look(front: &[&str], place: &str) -> Option<Service> {
    let has_part = |label: &str, wanted: &str| label.split('-').any(|part| part == wanted);
    let is_dynamodb = place.contains("dynamodb") || has_part(place, "ddb");
    if !is_dynamodb {
        return has_part(place, "dax").then_some(Service::Dax);
    }
    let says = |word: &str| front.last() == Some(&word) || has_part(place, word);
    Some(if says("streams") || place.contains("dynamodbstreams") {
        Service::DynamodbStreams
    } else if says("search") {
        Service::DynamodbSearch
    } else {
        Service::Dynamodb
    })
}

/// A label between service and region that says how the endpoint is reached, as S3 has it.
fn is_form(label: &str) -> bool {
    matches!(label, "dualstack" | "dual-stack" | "fips")
}

/// In front of these labels customers' own stand.
fn is_customer_named(label: &str) -> bool {
    const LABELS: &[&str] = &[
        "aoss",
        "cache",
        "cloudfront",
        "cloudsearch",
        "compute",
        "eb",
        "elb",
        "es",
        "execute-api",
        "neptune",
        "rds",
        "redshift",
        "s3",
        "s3-accelerate",
    ];
    LABELS.contains(&label) || label.starts_with("s3-")
}

/// True for a service's labels left of a region behind which something unknown follows: the whole name of a service, or that of
/// account-based endpoints behind an account id.
fn is_service(front: &[&str], place: &str, last: &str) -> bool {
    let is_whole = match front {
        [] => service_path(&[place]).is_ok(),
        ["streams"] => service_path(&["streams", place]).is_ok(),
        [id] => is_account_id(id) && account_label(place).is_some(),
        _ => false,
    };
    is_whole && !is_customer_named(last)
}

/// True for a label that is a service's alone, whatever stands behind it.
fn is_known_place(label: &str) -> bool {
    service_path(&[label]).is_ok() || is_service_label(label)
}

fn is_service_label(label: &str) -> bool {
    let plain = label.strip_suffix("-fips").unwrap_or(label);
    matches!(
        plain,
        "dynamodb" | "search-dynamodb" | "streams-dynamodb" | "ddb" | "search-ddb" | "streams-ddb"
    )
}

fn within(region: &str, partition: &'static str, service: Service, kind: EndpointKind) -> Endpoint {
    Endpoint { region: Some(region.to_owned()), partition: Some(partition), ..blank(service, kind) }
}

fn blank(service: Service, kind: EndpointKind) -> Endpoint {
    Endpoint {
        service,
        kind,
        region: None,
        partition: None,
        account_id: None,
        fips: false,
        dual_stack: false,
        vpce_id: None,
    }
}

#[cfg(test)]
mod tests;
