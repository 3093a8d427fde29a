//! AWS partitions: which DNS suffixes belong to them and how their regions are named.
//!
//! Suffixes and region patterns are those of the SDK's `partitions.json`. Regions are known by
//! their pattern, never by a list, so that a new one needs no new release.

/// One partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub id: &'static str,
    /// Suffix of hosts with IPv4 addresses only.
    pub suffix: &'static str,
    /// Suffix of dual-stack hosts.
    pub dual_stack_suffix: &'static str,
    /// What its regions begin with; empty for `aws`, which owns every region no other one claims.
    region_prefix: &'static str,
}

/// All partitions. One that shares its suffixes with another comes first, so that it claims its regions.
pub(crate) const PARTITIONS: &[Partition] = &[
    Partition {
        id: "aws-us-gov",
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        region_prefix: "us-gov-",
    },
    Partition { id: "aws", suffix: "amazonaws.com", dual_stack_suffix: "api.aws", region_prefix: "" },
    Partition {
        id: "aws-cn",
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
        region_prefix: "cn-",
    },
    Partition {
        id: "aws-iso",
        suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
        region_prefix: "us-iso-",
    },
    Partition {
        id: "aws-iso-b",
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
        region_prefix: "us-isob-",
    },
    Partition {
        id: "aws-iso-e",
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
        region_prefix: "eu-isoe-",
    },
    Partition {
        id: "aws-iso-f",
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
        region_prefix: "us-isof-",
    },
    Partition {
        id: "aws-eusc",
        suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
        region_prefix: "eusc-",
    },
];

/// The AWS suffix a name ends in, and what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suffix<'a> {
    /// Without the dot in front of the suffix; never empty.
    pub before: &'a str,
    pub suffix: &'static str,
    pub is_dual_stack: bool,
}

/// Splits a lower-case name at its AWS suffix.
pub(crate) fn split_suffix(name: &str) -> Option<Suffix<'_>> {
    PARTITIONS.iter().find_map(|partition| {
        [(partition.suffix, false), (partition.dual_stack_suffix, true)].into_iter().find_map(
            |(suffix, is_dual_stack)| {
                let before = name.strip_suffix(suffix)?.strip_suffix('.')?;
                (!before.is_empty()).then_some(Suffix { before, suffix, is_dual_stack })
            },
        )
    })
}

/// The partition of a region under a suffix; `None` where the region belongs under another suffix.
pub(crate) fn partition_of(suffix: &str, region: &str) -> Option<&'static str> {
    let owner = owner(region);
    (owner.suffix == suffix || owner.dual_stack_suffix == suffix).then_some(owner.id)
}

/// The partition of a region, by its name alone.
#[must_use]
pub(crate) fn partition_of_region(region: &str) -> &'static str {
    owner(region).id
}

fn owner(region: &str) -> &'static Partition {
    const AWS: &Partition = &PARTITIONS[1];
    PARTITIONS
        .iter()
        .find(|partition| !partition.region_prefix.is_empty() && region.starts_with(partition.region_prefix))
        .unwrap_or(AWS)
}

/// `[a-z]{2,4}(-[a-z]+)+-[0-9]+`: the shape of every region of every partition.
#[must_use]
pub(crate) fn is_region(label: &str) -> bool {
    let mut parts = label.split('-');
    let is_letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    if !parts.next().is_some_and(|area| (2..=4).contains(&area.len()) && is_letters(area)) {
        return false;
    }
    let Some(number) = parts.next_back() else { return false };
    let mut places = 0;
    for place in parts {
        if !is_letters(place) {
            return false;
        }
        places += 1;
    }
    places > 0 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The region a short name such as `use1` stands for, as in older DAX cluster names.
///
/// The short form is the area, the first letters of the direction and the number. GovCloud and China
/// keep forms of their own.
#[must_use]
pub(crate) fn expand_short_region(short: &str) -> Option<String> {
    const AREAS: &[&str] = &["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];
    const DIRECTIONS: &[(&str, &str)] = &[
        ("c", "central"),
        ("e", "east"),
        ("n", "north"),
        ("ne", "northeast"),
        ("nw", "northwest"),
        ("s", "south"),
        ("se", "southeast"),
        ("sw", "southwest"),
        ("w", "west"),
    ];
    const OTHERS: &[(&str, &str)] = &[
        ("cnn1", "cn-north-1"),
        ("cnnw1", "cn-northwest-1"),
        ("cnw1", "cn-northwest-1"),
        ("uge1", "us-gov-east-1"),
        ("ugw1", "us-gov-west-1"),
    ];
    if let Some((_, region)) = OTHERS.iter().find(|(name, _)| *name == short) {
        return Some((*region).to_owned());
    }
    let area = AREAS.iter().find(|area| short.starts_with(**area))?;
    let rest = short.strip_prefix(area)?;
    let number_at = rest.find(|character: char| character.is_ascii_digit())?;
    let (direction, number) = rest.split_at_checked(number_at)?;
    let (_, direction) = DIRECTIONS.iter().find(|(name, _)| *name == direction)?;
    let is_number = number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{area}-{direction}-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AWS_SUFFIXES;

    #[test]
    fn names_every_suffix_to_the_other_stages() {
        let suffixes =
            PARTITIONS.iter().flat_map(|partition| [partition.suffix, partition.dual_stack_suffix]);
        let (mut ours, mut theirs): (Vec<&str>, Vec<&str>) = (suffixes.collect(), AWS_SUFFIXES.to_vec());
        ours.sort_unstable();
        ours.dedup();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn knows_regions_by_their_shape() {
        for region in
            ["us-east-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "xx-new-12", "ap-southeast-7"]
        {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "",
            "us",
            "us-1",
            "us-east",
            "us-east-",
            "-east-1",
            "us--1",
            "u-east-1",
            "abcde-east-1",
            "us-e4st-1",
            "us-east-1a",
        ] {
            assert!(!is_region(other), "{other}");
        }
    }

    #[test]
    fn keeps_every_region_under_its_own_suffix() {
        assert_eq!(partition_of("amazonaws.com", "us-east-1"), Some("aws"));
        assert_eq!(partition_of("amazonaws.com", "us-gov-east-1"), Some("aws-us-gov"));
        assert_eq!(partition_of("api.aws", "us-gov-east-1"), Some("aws-us-gov"));
        assert_eq!(partition_of("amazonaws.com.cn", "cn-new-1"), Some("aws-cn"));
        assert_eq!(partition_of("amazonaws.com", "cn-north-1"), None);
        assert_eq!(partition_of("amazonaws.com.cn", "us-east-1"), None);
        assert_eq!(partition_of("sc2s.sgov.gov", "us-isob-east-1"), Some("aws-iso-b"));
    }

    #[test]
    fn anchors_a_suffix_at_a_dot_and_at_the_end() {
        let split = split_suffix("dynamodb.us-east-1.amazonaws.com").unwrap();
        assert_eq!((split.before, split.is_dual_stack), ("dynamodb.us-east-1", false));
        assert!(split_suffix("x.api.aws").unwrap().is_dual_stack);
        for other in ["amazonaws.com", ".amazonaws.com", "xamazonaws.com", "a.amazonaws.com.evil.example", ""]
        {
            assert_eq!(split_suffix(other), None, "{other}");
        }
    }

    #[test]
    fn expands_short_regions() {
        for (short, region) in [
            ("use1", "us-east-1"),
            ("usw2", "us-west-2"),
            ("apne1", "ap-northeast-1"),
            ("aps1", "ap-south-1"),
            ("apse2", "ap-southeast-2"),
            ("euc1", "eu-central-1"),
            ("ugw1", "us-gov-west-1"),
        ] {
            assert_eq!(expand_short_region(short).as_deref(), Some(region));
        }
        for other in ["", "us", "use", "zze1", "usx1", "use1a", "use123"] {
            assert_eq!(expand_short_region(other), None, "{other}");
        }
    }
}
