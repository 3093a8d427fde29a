//! The address prefixes that AWS publishes for DynamoDB: address → region.
//!
//! A list is compiled in (`dynamodb_prefixes.tsv`, made from AWS's ip-ranges.json by
//! `dynamodb_prefixes.py`); a newer one can be given as the JSON text that AWS publishes.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use arrayvec::ArrayVec;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::{Prefix, PrefixMap};
use serde::Deserialize;

use super::endpoint::partition::{is_region, partition_of_region};
use crate::model::{Timestamp, embedded};

/// The largest list that is read. AWS's has about 3 MB; ten times that is no longer its list.
const MAX_JSON_BYTES: usize = 32 << 20;

/// The most DYNAMODB prefixes that are taken; in August 2026 there were 94.
const MAX_PREFIXES: usize = 65_536;

/// The regions kept of one prefix; of a prefix of more the last stands for all.
const MAX_REGIONS_PER_PREFIX: usize = 8;

/// The value of `service` in DynamoDB's rows.
const SERVICE: &str = "DYNAMODB";

/// That of the rows of all services together, which say nothing of any one.
const ALL_SERVICES: &str = "AMAZON";

/// What stands for all regions.
const ALL_REGIONS: &str = "GLOBAL";

/// DynamoDB's address prefixes at one moment. Copies are cheap: they share the list.
#[derive(Clone)]
pub struct PrefixList(Arc<Prefixes>);

struct Prefixes {
    created: Timestamp,
    v4: PrefixMap<Ipv4Net, Regions>,
    v6: PrefixMap<Ipv6Net, Regions>,
    /// Those of other services that lie inside DynamoDB's and are longer.
    others_v4: PrefixMap<Ipv4Net, ()>,
    others_v6: PrefixMap<Ipv6Net, ()>,
    partitions: Vec<&'static str>,
}

/// The regions that one prefix is listed for: nearly always one.
type Regions = ArrayVec<Arc<str>, MAX_REGIONS_PER_PREFIX>;

/// What the list says of one address of DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Those that its prefix is listed for.
    regions: &'a [Arc<str>],
}

impl<'a> Listed<'a> {
    /// One of DynamoDB's, of a region that is not told.
    pub(super) const ANYWHERE: Self = Self { regions: &[] };

    /// Absent where the prefix is listed for several regions, or for all of them (`GLOBAL`).
    #[must_use]
    pub fn region(self) -> Option<&'a str> {
        match self.regions {
            [one] if **one != *ALL_REGIONS => Some(one),
            _ => None,
        }
    }

    /// False where the prefix is listed for others alone.
    pub(super) fn may_be_in(self, region: &str) -> bool {
        let is_it = |listed: &Arc<str>| **listed == *region || **listed == *ALL_REGIONS;
        self.regions.is_empty() || self.regions.iter().any(is_it)
    }

    /// Whose the address is, for sentences.
    pub(super) fn owner(self) -> String {
        match self.regions {
            [] => "DynamoDB".to_owned(),
            all if all.iter().any(|region| **region == *ALL_REGIONS) => "DynamoDB".to_owned(),
            some => format!("DynamoDB in {}", some.join(" or ")),
        }
    }
}

/// Why an ip-ranges.json was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixListError {
    #[error("createDate is \"{0}\", not a date like 2026-08-22-15-17-05")]
    CreateDate(String),
    #[error("it is no ip-ranges.json: {0}")]
    Json(String),
    #[error("it has no prefix of the service {SERVICE}; is it the whole list from AWS?")]
    NoPrefixes,
    #[error("row {row} of {list}: \"{value}\" is not a prefix of that list's kind without host bits")]
    Prefix { list: &'static str, row: usize, value: String },
    #[error("row {row} of {list}: \"{value}\" is not a region")]
    Region { list: &'static str, row: usize, value: String },
    #[error("it has {bytes} bytes; at most {MAX_JSON_BYTES} are read")]
    TooLarge { bytes: usize },
    #[error("it has more than {MAX_PREFIXES} prefixes of the service {SERVICE}, or of others within those")]
    TooMany,
}

impl PrefixListError {
    /// A stable word for the reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::CreateDate(_) => "bad_create_date",
            Self::Json(_) => "not_ip_ranges_json",
            Self::NoPrefixes => "no_dynamodb_prefixes",
            Self::Prefix { .. } => "bad_prefix",
            Self::Region { .. } => "bad_region",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany => "too_many_prefixes",
        }
    }
}

/// The parts of ip-ranges.json that are looked at. Further keys may be added by AWS at any time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IpRanges<'a> {
    #[serde(borrow)]
    create_date: Cow<'a, str>,
    #[serde(borrow)]
    prefixes: Vec<V4Row<'a>>,
    #[serde(borrow, rename = "ipv6_prefixes")]
    ipv6_prefixes: Vec<V6Row<'a>>,
}

#[derive(Deserialize)]
struct V4Row<'a> {
    #[serde(borrow)]
    ip_prefix: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow)]
    service: Cow<'a, str>,
}

#[derive(Deserialize)]
struct V6Row<'a> {
    #[serde(borrow)]
    ipv6_prefix: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow)]
    service: Cow<'a, str>,
}

impl PrefixList {
    /// The list compiled in.
    #[must_use]
    pub fn compiled_in() -> Self {
        static LIST: LazyLock<PrefixList> = LazyLock::new(|| {
            let mut prefixes = Prefixes::empty();
            for line in include_str!("dynamodb_prefixes.tsv").lines() {
                match line.split_once('\t') {
                    Some(("createDate", date)) => prefixes.created = parse_date(date).unwrap_or_default(),
                    Some((prefix, region)) => {
                        // A test reads every line of the file.
                        if let Ok(net) = prefix.parse() {
                            prefixes.insert(net, region);
                        }
                    }
                    None => {}
                }
            }
            PrefixList(Arc::new(prefixes))
        });
        LIST.clone()
    }

    /// The DynamoDB prefixes of an ip-ranges.json as AWS publishes it.
    ///
    /// # Errors
    /// Text that is not of that form, or that has no DynamoDB prefix at all.
    pub fn from_ip_ranges_json(json: &[u8]) -> Result<Self, PrefixListError> {
        if json.len() > MAX_JSON_BYTES {
            return Err(PrefixListError::TooLarge { bytes: json.len() });
        }
        let ranges: IpRanges<'_> =
            serde_json::from_slice(json).map_err(|error| PrefixListError::Json(error.to_string()))?;
        let created = parse_date(&ranges.create_date)
            .ok_or_else(|| PrefixListError::CreateDate(shorten(&ranges.create_date)))?;
        let mut prefixes = Prefixes { created, ..Prefixes::empty() };
        let v4 = ranges.prefixes.iter().map(|row| (&*row.service, &*row.ip_prefix, &*row.region));
        prefixes.take_rows("prefixes", v4, |value| value.parse::<Ipv4Net>().ok().map(IpNet::V4))?;
        let v6 = ranges.ipv6_prefixes.iter().map(|row| (&*row.service, &*row.ipv6_prefix, &*row.region));
        prefixes.take_rows("ipv6_prefixes", v6, |value| value.parse::<Ipv6Net>().ok().map(IpNet::V6))?;
        if prefixes.len() == 0 {
            return Err(PrefixListError::NoPrefixes);
        }
        Ok(Self(Arc::new(prefixes)))
    }

    /// The longest prefix that holds `address`, where that is DynamoDB's, be it another service's as well. Behind NAT64, clients
    /// with IPv6 alone reach the IPv4 addresses under the well-known prefix [RFC 6052 section 2.1].
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<Listed<'_>> {
        let Prefixes { v4, v6, others_v4, others_v6, .. } = &*self.0;
        let regions = match embedded(address) {
            IpAddr::V4(address) => longest(v4, others_v4, &address.into()),
            IpAddr::V6(address) => longest(v6, others_v6, &address.into()),
        }?;
        Some(Listed { regions })
    }

    /// Every DynamoDB prefix, for whoever chooses packets by them.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = self.0.v4.iter().map(|(network, _)| IpNet::V4(network));
        v4.chain(self.0.v6.iter().map(|(network, _)| IpNet::V6(network)))
    }

    /// When AWS made the list.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.0.created
    }

    /// True where the list has a prefix of some region of `partition`: the isolated partitions are
    /// not in the public list, and nothing follows from an address outside of it there.
    #[must_use]
    pub fn has_partition(&self, partition: &str) -> bool {
        self.0.partitions.contains(&partition)
    }

    /// Every region that has a prefix, as often as it has one.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        let v4 = self.0.v4.iter().flat_map(|(_, regions)| regions);
        v4.chain(self.0.v6.iter().flat_map(|(_, regions)| regions)).map(|region| &**region)
    }

    /// True where the list has prefixes of the partition that `region` would be in, and none of it.
    #[must_use]
    pub fn lacks_region(&self, region: &str) -> bool {
        self.has_partition(partition_of_region(region)) && self.regions().all(|known| known != region)
    }

    /// How many prefixes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for a list without prefixes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for PrefixList {
    fn default() -> Self {
        Self::compiled_in()
    }
}

impl fmt::Debug for PrefixList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrefixList({} prefixes of {})", self.len(), self.created())
    }
}

impl Prefixes {
    fn empty() -> Self {
        Self {
            created: Timestamp::default(),
            v4: PrefixMap::new(),
            v6: PrefixMap::new(),
            others_v4: PrefixMap::new(),
            others_v6: PrefixMap::new(),
            partitions: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    fn insert(&mut self, net: IpNet, region: &str) {
        let partition = partition_of_region(region);
        if !self.partitions.contains(&partition) {
            self.partitions.push(partition);
        }
        let regions = match net {
            IpNet::V4(net) => self.v4.entry(net).or_default(),
            IpNet::V6(net) => self.v6.entry(net).or_default(),
        };
        if regions.iter().any(|known| **known == *region) {
            return;
        }
        if regions.try_push(Arc::from(region)).is_err()
            && let Some(last) = regions.last_mut()
        {
            *last = Arc::from(ALL_REGIONS);
        }
    }

    fn take_rows<'a>(
        &mut self,
        list: &'static str,
        rows: impl Iterator<Item = (&'a str, &'a str, &'a str)> + Clone,
        parse: impl Fn(&str) -> Option<IpNet>,
    ) -> Result<(), PrefixListError> {
        for (row, (service, value, region)) in rows.clone().enumerate() {
            if service != SERVICE {
                continue;
            }
            let net = parse(value)
                .filter(|net| net.trunc() == *net)
                .ok_or_else(|| PrefixListError::Prefix { list, row, value: shorten(value) })?;
            // Every region of the list is one of the known shape, except the word GLOBAL.
            if !is_region(region) && region != ALL_REGIONS {
                return Err(PrefixListError::Region { list, row, value: shorten(region) });
            }
            if self.len() >= MAX_PREFIXES {
                return Err(PrefixListError::TooMany);
            }
            self.insert(net, region);
        }
        for (service, value, _) in rows {
            if service != SERVICE
                && service != ALL_SERVICES
                && let Some(net) = parse(value)
            {
                self.insert_other(net);
                if self.len_of_others() > MAX_PREFIXES {
                    return Err(PrefixListError::TooMany);
                }
            }
        }
        Ok(())
    }

    fn len_of_others(&self) -> usize {
        self.others_v4.len() + self.others_v6.len()
    }

    /// Keeps the prefix of another service, where it takes something away from DynamoDB's.
    fn insert_other(&mut self, net: IpNet) {
        match net {
            IpNet::V4(net) if self.v4.get_lpm(&net).is_some_and(|(ours, _)| ours != net) => {
                self.others_v4.insert(net, ());
            }
            IpNet::V6(net) if self.v6.get_lpm(&net).is_some_and(|(ours, _)| ours != net) => {
                self.others_v6.insert(net, ());
            }
            IpNet::V4(_) | IpNet::V6(_) => {}
        }
    }
}

/// The regions of the longest prefix that holds `address`, where no other service has a longer one.
fn longest<'a, N: Prefix>(
    ours: &'a PrefixMap<N, Regions>,
    others: &PrefixMap<N, ()>,
    address: &N,
) -> Option<&'a Regions> {
    let (network, regions) = ours.get_lpm(address)?;
    let is_ours = |(other, ()): (N, &())| other.prefix_len() <= network.prefix_len();
    others.get_lpm(address).is_none_or(is_ours).then_some(regions)
}

/// `2026-08-22-15-17-05`, UTC.
fn parse_date(text: &str) -> Option<Timestamp> {
    let date = jiff::civil::DateTime::strptime("%Y-%m-%d-%H-%M-%S", text).ok()?;
    let seconds = jiff::tz::TimeZone::UTC.to_timestamp(date).ok()?.as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

/// A value as an error message may repeat it.
fn shorten(value: &str) -> String {
    value.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(rows: &str, v6_rows: &str) -> Vec<u8> {
        format!(
            r#"{{"syncToken":"1","createDate":"2026-08-22-15-17-05","prefixes":[{rows}],"ipv6_prefixes":[{v6_rows}],"new_key":1}}"#
        )
        .into_bytes()
    }

    fn region_of(list: &PrefixList, address: IpAddr) -> Option<&str> {
        list.lookup(address)?.region()
    }

    fn reason(json: &[u8]) -> &'static str {
        PrefixList::from_ip_ranges_json(json).err().map_or("taken", |error| error.reason())
    }

    #[test]
    fn reads_every_line_compiled_in() {
        let lines: Vec<&str> = include_str!("dynamodb_prefixes.tsv").lines().collect();
        let list = PrefixList::compiled_in();
        assert_eq!(list.len(), lines.len() - 1);
        assert_eq!(list.created().to_string(), "2026-08-22T15:17:05.000000000Z");
        for line in &lines[1..] {
            let (prefix, region) = line.split_once('\t').unwrap();
            let net: IpNet = prefix.parse().unwrap();
            assert_eq!(region_of(&list, net.addr()), Some(region), "{line}");
            assert_eq!(region_of(&list, net.broadcast()), Some(region), "{line}");
        }
        for (partition, is_listed) in
            [("aws", true), ("aws-cn", true), ("aws-us-gov", true), ("aws-eusc", true), ("aws-iso", false)]
        {
            assert_eq!(list.has_partition(partition), is_listed, "{partition}");
        }
    }

    #[test]
    fn finds_the_region_of_an_address() {
        let list = PrefixList::default();
        for (address, region) in [
            ("52.94.5.1", Some("eu-west-1")),
            ("::ffff:52.94.5.1", Some("eu-west-1")),
            ("3.218.183.255", Some("us-east-1")),
            ("3.218.184.0", None),
            ("10.0.0.1", None),
            ("2600::1", None),
            ("64:ff9b::52.94.5.1", Some("eu-west-1")),
            ("64:ff9b::203.0.113.1", None),
            ("64:ff9b:0:0:0:1:345e:501", None),
        ] {
            assert_eq!(region_of(&list, address.parse().unwrap()), region, "{address}");
        }
    }

    #[test]
    fn takes_only_dynamodb_rows_of_the_published_list() {
        let text = json(
            r#"{"ip_prefix":"192.0.2.0/24","region":"us-east-1","service":"DYNAMODB","network_border_group":"us-east-1"},
               {"ip_prefix":"192.0.2.0/23","region":"us-east-1","service":"AMAZON","network_border_group":"us-east-1"},
               {"ip_prefix":"192.0.2.128/25","region":"eu-west-1","service":"DYNAMODB","network_border_group":"x"},
               {"ip_prefix":"junk","region":"GLOBAL","service":"EC2","network_border_group":"x"}"#,
            r#"{"ipv6_prefix":"2001:db8::/32","region":"us-gov-west-1","service":"DYNAMODB","network_border_group":"x"}"#,
        );
        let list = PrefixList::from_ip_ranges_json(&text).unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(region_of(&list, "192.0.2.1".parse().unwrap()), Some("us-east-1"));
        assert_eq!(
            region_of(&list, "192.0.2.129".parse().unwrap()),
            Some("eu-west-1"),
            "the longest prefix wins"
        );
        assert_eq!(region_of(&list, "192.0.3.1".parse().unwrap()), None);
        assert_eq!(region_of(&list, "2001:db8::1".parse().unwrap()), Some("us-gov-west-1"));
        assert!(list.has_partition("aws-us-gov") && !list.has_partition("aws-cn"));
    }

    #[test]
    fn the_longest_prefix_wins_whosever_it_is() {
        let row = |prefix: &str, service: &str| {
            format!(r#"{{"ip_prefix":"{prefix}","region":"eu-west-1","service":"{service}"}}"#)
        };
        let rows = [
            row("198.51.100.0/25", "EC2"),
            row("198.51.100.0/24", "DYNAMODB"),
            row("198.51.100.0/24", "S3"),
            row("198.51.100.32/27", "DYNAMODB"),
            row("198.51.100.192/26", "AMAZON"),
            row("198.51.0.0/16", "EC2"),
        ];
        let v6 = r#"{"ipv6_prefix":"2001:db8::/32","region":"eu-west-1","service":"DYNAMODB"},
            {"ipv6_prefix":"2001:db8:1::/48","region":"eu-west-1","service":"EC2"}"#;
        let list = PrefixList::from_ip_ranges_json(&json(&rows.join(","), v6)).unwrap();
        for (address, is_listed) in [
            ("198.51.100.5", false),
            ("198.51.100.33", true),
            ("198.51.100.130", true),
            ("198.51.100.200", true),
            ("198.51.101.1", false),
            ("2001:db8::1", true),
            ("2001:db8:1::1", false),
        ] {
            assert_eq!(list.lookup(address.parse().unwrap()).is_some(), is_listed, "{address}");
        }
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn a_prefix_of_several_regions_tells_none_but_excludes_others() {
        let row = |prefix: &str, region: &str| {
            format!(r#"{{"ip_prefix":"{prefix}","region":"{region}","service":"DYNAMODB"}}"#)
        };
        let mut rows = vec![
            row("198.51.100.0/24", "eu-west-1"),
            row("198.51.100.0/24", "us-east-1"),
            row("192.0.2.0/25", "eu-west-1"),
            row("192.0.2.0/25", "eu-west-1"),
            row("203.0.113.0/25", "GLOBAL"),
            row("203.0.113.128/25", "us-east-1"),
            row("203.0.113.128/25", "GLOBAL"),
        ];
        // More than are kept.
        rows.extend((1..=20).map(|number| row("192.0.2.128/25", &format!("eu-west-{number}"))));
        let list = PrefixList::from_ip_ranges_json(&json(&rows.join(","), "")).unwrap();
        assert_eq!(list.len(), 5);
        for (address, region, is_elsewhere, owner) in [
            ("198.51.100.1", None, true, "DynamoDB in eu-west-1 or us-east-1"),
            ("192.0.2.1", Some("eu-west-1"), true, "DynamoDB in eu-west-1"),
            ("203.0.113.1", None, false, "DynamoDB"),
            ("203.0.113.129", None, false, "DynamoDB"),
            ("192.0.2.129", None, false, "DynamoDB"),
        ] {
            let listed = list.lookup(address.parse().unwrap()).unwrap();
            assert_eq!((listed.region(), &*listed.owner()), (region, owner), "{address}");
            assert_eq!(!listed.may_be_in("sa-east-1"), is_elsewhere, "{address}");
            assert!(region.is_none_or(|region| listed.may_be_in(region)), "{address}");
        }
        assert!(list.lookup("198.51.100.1".parse().unwrap()).unwrap().may_be_in("us-east-1"));
        assert!(!list.lacks_region("us-east-1"), "it has a prefix, if not one of its own");
    }

    #[test]
    fn says_what_is_wrong_with_a_list() {
        let row = |prefix: &str, region: &str| {
            format!(r#"{{"ip_prefix":"{prefix}","region":"{region}","service":"DYNAMODB"}}"#)
        };
        assert_eq!(reason(&json(&row("192.0.2.0/24", "us-east-1"), "")), "taken");
        assert_eq!(reason(&json("", "")), "no_dynamodb_prefixes");
        assert_eq!(reason(&json(&row("192.0.2.1/24", "us-east-1"), "")), "bad_prefix");
        assert_eq!(reason(&json(&row("2001:db8::/32", "us-east-1"), "")), "bad_prefix");
        assert_eq!(reason(&json(&row("192.0.2.0/24", "nowhere"), "")), "bad_region");
        assert_eq!(reason(b"[]"), "not_ip_ranges_json");
        assert_eq!(reason(b"{}"), "not_ip_ranges_json");
        assert_eq!(reason(br#"{"createDate":"2026-08-22-15-17-05","prefixes":[]}"#), "not_ip_ranges_json");
        let dated = br#"{"createDate":"yesterday","prefixes":[],"ipv6_prefixes":[]}"#;
        assert_eq!(reason(dated), "bad_create_date");
        let error = PrefixList::from_ip_ranges_json(&json(&row("nonsense", "us-east-1"), "")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 0 of prefixes: \"nonsense\" is not a prefix of that list's kind without host bits"
        );
    }

    #[test]
    fn refuses_a_list_of_absurd_size() {
        assert_eq!(reason(&vec![b' '; MAX_JSON_BYTES + 1]), "too_large");
        // Rows of other services take something away from DynamoDB's: none of them is left out in silence.
        let ours = r#"{"ip_prefix":"10.0.0.0/8","region":"eu-west-1","service":"DYNAMODB"}"#.to_owned();
        let other = |number: usize| {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number as u32);
            format!(r#"{{"ip_prefix":"{address}/32","region":"eu-west-1","service":"S3"}}"#)
        };
        let rows: Vec<String> = std::iter::once(ours).chain((0..=MAX_PREFIXES).map(other)).collect();
        assert_eq!(reason(&json(&rows.join(","), "")), "too_many_prefixes");
        assert!(PrefixList::from_ip_ranges_json(&json(&rows[..=MAX_PREFIXES].join(","), "")).is_ok());
    }
}
