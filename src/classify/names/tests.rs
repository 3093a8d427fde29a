//! Answers in, what is known of a client and its server out.

use super::*;
use crate::app::dns::{Alias, Resolution};
use crate::classify::HostRule;
use crate::model::Service;

const NAME: &str = "dynamodb.us-east-1.amazonaws.com";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn answer(name: &str, address: &str, ttl_seconds: u32) -> Resolutions {
    vec![Resolution { name: name.into(), aliases: Arc::default(), address: ip(address), ttl_seconds }]
}

fn names(cache: &NameCache, client: &str, seconds: u64) -> Vec<String> {
    let told = names_in(cache, ip(client), ip("52.94.5.1"), &[], seconds);
    told.iter().map(ToString::to_string).collect()
}

/// What a client that says no name was told of a server, seen in some networks.
fn names_in(
    cache: &NameCache,
    client: IpAddr,
    server: IpAddr,
    tenants: &[Tenant],
    seconds: u64,
) -> Vec<Arc<str>> {
    cache.told(client, server, tenants, at(seconds), Sni::NotSent).names
}

#[test]
fn knows_a_name_while_its_time_to_live_runs() {
    let mut cache = NameCache::default();
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 5), at(100));
    assert_eq!(names(&cache, "10.0.0.1", 99), [""; 0]);
    assert_eq!(names(&cache, "10.0.0.1", 100), [NAME]);
    assert_eq!(names(&cache, "10.0.0.1", 104), [NAME]);
    assert_eq!(names(&cache, "10.0.0.1", 105), [""; 0]);
    assert_eq!(names(&cache, "10.0.0.2", 101), [""; 0], "another client was told nothing");
}

const VPCE: &str = "vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.amazonaws.com";

/// `name` at 52.94.5.1 for a minute, and what stands for it for some seconds.
fn behind(aliases: &[(&str, u32)], name: &str) -> Resolutions {
    let alias = |&(name, ttl_seconds): &(&str, u32)| Alias { name: name.into(), ttl_seconds };
    let aliases = aliases.iter().map(alias).collect();
    vec![Resolution { name: name.into(), aliases, address: ip("52.94.5.1"), ttl_seconds: 60 }]
}

fn told(cache: &NameCache, client: &str, seconds: u64, sni: &str) -> (SniAlias, Vec<String>) {
    let told = cache.told(ip(client), ip("52.94.5.1"), &[], at(seconds), Sni::Name(sni));
    (told.sni, told.names.iter().map(ToString::to_string).collect())
}

#[test]
fn tells_what_the_name_that_a_client_says_stands_for() {
    use SniAlias::{No, Possible, Yes};
    const CLIENT: &str = "10.0.0.1";
    let mut cache = NameCache::default();
    cache.observe(ip(CLIENT), None, &answer(NAME, "52.94.5.1", 60), at(100));
    cache.observe(
        ip(CLIENT),
        None,
        &behind(&[("g.corp.example", 30), ("db.corp.example", 5)], VPCE),
        at(100),
    );
    cache.observe(ip(CLIENT), None, &behind(&[(NAME, 60)], VPCE), at(100));
    for (sni, seconds, names, alias) in [
        ("db.corp.example", 101, &[VPCE][..], Yes),
        ("DB.corp.example.", 104, &[VPCE], Yes),
        ("g.corp.example", 129, &[VPCE], Yes),
        ("www.corp.example", 101, &[NAME, VPCE], No),
        // It is one of those that matter itself.
        (NAME, 101, &[NAME, VPCE], No),
        // The alias holds shorter than the address; and the client may have remembered it for longer.
        ("db.corp.example", 105, &[NAME, VPCE], Possible),
        ("g.corp.example", 130, &[NAME, VPCE], Possible),
        ("g.corp.example", 160, &[], Possible),
    ] {
        assert_eq!(
            told(&cache, CLIENT, seconds, sni),
            (alias, names.iter().map(ToString::to_string).collect()),
            "{sni} {seconds}"
        );
    }
    assert_eq!(names(&cache, CLIENT, 101), [NAME, VPCE]);
    assert_eq!(told(&cache, "10.0.0.2", 101, "db.corp.example"), (No, vec![]));
    // What was told to a host of the other family need not have been told to this one.
    cache.observe(ip("2001:db8::3"), None, &behind(&[("db.corp.example", 5)], VPCE), at(100));
    let server = ip("52.94.5.1");
    let other = |sni| cache.told_to_other_family(ip("10.0.0.2"), server, &[], at(101), Sni::Name(sni)).sni;
    assert_eq!((other("db.corp.example"), other("www.corp.example")), (Possible, No));
}

/// As long as the name that had to make room would have held.
#[test]
fn knows_that_it_forgot_a_name() {
    const CLIENT: &str = "10.0.0.1";
    let name = |number: usize| format!("dynamodb.eu-west-{number}.amazonaws.com");
    let mut cache = NameCache::default();
    let has_more = |cache: &NameCache, seconds| {
        cache.told(ip(CLIENT), ip("52.94.5.1"), &[], at(seconds), Sni::NotSent).has_more
    };
    for number in 0..=MAX_NAMES_PER_PAIR {
        assert!(!has_more(&cache, 101), "{number}");
        let seconds = if number == 0 { 30 } else { 60 };
        cache.observe(ip(CLIENT), None, &answer(&name(number), "52.94.5.1", seconds), at(100));
    }
    assert_eq!([101, 129, 130].map(|seconds| has_more(&cache, seconds)), [true, true, false]);
    // In another network nothing was forgotten, nor of what an alias stands for.
    let mut cache = NameCache::default();
    let networks = [7, 8].map(Tenant::Vni);
    for number in 0..=MAX_NAMES_PER_PAIR {
        cache.observe(ip(CLIENT), Some(networks[0]), &answer(&name(number), "52.94.5.1", 60), at(100));
    }
    cache.observe(ip(CLIENT), Some(networks[1]), &answer(NAME, "52.94.5.1", 90), at(100));
    let of =
        |tenants: &[Tenant], sni| cache.told(ip(CLIENT), ip("52.94.5.1"), tenants, at(101), sni).has_more;
    assert_eq!(networks.map(|network| of(&[network], Sni::NotSent)), [true, false]);
    cache.observe(ip(CLIENT), None, &behind(&[("db.corp.example", 60)], NAME), at(100));
    let of = |sni| cache.told(ip(CLIENT), ip("52.94.5.1"), &[], at(101), sni).has_more;
    assert_eq!([of(Sni::NotSent), of(Sni::Name("db.corp.example"))], [true, false]);
}

/// A flow is judged by what was good when it began, and asked about when it is over.
#[test]
fn knows_that_it_forgot_a_name_though_that_has_expired_since() {
    let mut cache = NameCache::default();
    let mut told = |number: usize, seconds, time| {
        let name = format!("dynamodb.eu-west-{number}.amazonaws.com");
        cache.observe(ip("10.0.0.1"), None, &answer(&name, "52.94.5.1", seconds), at(time));
    };
    told(0, 5, 100);
    told(1, 60, 100);
    for number in 2..=MAX_NAMES_PER_PAIR {
        told(number, 60, 106);
    }
    let told = |seconds| cache.told(ip("10.0.0.1"), ip("52.94.5.1"), &[], at(seconds), Sni::NotSent);
    assert_eq!((told(104).names.len(), told(104).has_more), (1, true));
    assert_eq!((told(106).names.len(), told(106).has_more), (MAX_NAMES_PER_PAIR, false));
}

/// What was told of a server may be forgotten as a whole, for want of room, and part of it be told once more.
#[test]
fn knows_that_it_forgot_what_it_knew_of_a_server() {
    const CLIENT: &str = "10.0.0.1";
    let other = "dynamodb-fips.eu-west-1.amazonaws.com";
    let mut cache = NameCache::default();
    let ask = |cache: &NameCache, client: &str, seconds, sni| {
        let told = cache.told(ip(client), ip("52.94.5.1"), &[], at(seconds), sni);
        (told.names.len(), told.has_more)
    };
    cache.observe(ip(CLIENT), None, &behind(&[("db.corp.example", 60)], NAME), at(100));
    for number in 0..100_000_u32 {
        let client = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    for client in [CLIENT, "10.0.0.2"] {
        cache.observe(ip(client), None, &behind(&[("db.corp.example", 90)], other), at(101));
    }
    for sni in [Sni::NotSent, Sni::Name("db.corp.example")] {
        assert_eq!([159, 160].map(|seconds| ask(&cache, CLIENT, seconds, sni)), [(1, true), (1, false)]);
        assert_eq!(ask(&cache, "10.0.0.2", 159, sni), (1, false));
    }
}

#[test]
fn knows_that_it_forgot_an_alias() {
    const CLIENT: &str = "10.0.0.1";
    let alias = |number: usize| format!("{number}.corp.example");
    let mut cache = NameCache::default();
    for number in 0..MAX_ALIASES_PER_PAIR {
        cache.observe(ip(CLIENT), None, &behind(&[(&alias(number), 60)], NAME), at(100));
    }
    for number in 0..MAX_ALIASES_PER_PAIR {
        assert_eq!(told(&cache, CLIENT, 101, &alias(number)).0, SniAlias::Yes, "{number}");
    }
    assert_eq!(told(&cache, CLIENT, 101, "www.corp.example").0, SniAlias::No);
    let held = cache.young.bytes;
    for number in MAX_ALIASES_PER_PAIR..1_000 {
        cache.observe(ip(CLIENT), None, &behind(&[(&alias(number), 60)], NAME), at(100));
    }
    assert_eq!(cache.evictions() as usize, 1_000 - MAX_ALIASES_PER_PAIR);
    assert_eq!(told(&cache, CLIENT, 101, &alias(999)).0, SniAlias::Yes);
    assert_eq!(told(&cache, CLIENT, 101, &alias(0)), (SniAlias::Possible, vec![NAME.to_owned()]));
    assert_eq!(told(&cache, CLIENT, 101, "www.corp.example").0, SniAlias::Possible);
    let alias_is_all =
        |sni: &str| !cache.told(ip(CLIENT), ip("52.94.5.1"), &[], at(101), Sni::Name(sni)).has_more;
    assert!(!alias_is_all(&alias(999)) && alias_is_all("www.corp.example"), "it may stand for others, too");
    let of_no_name = cache.told(ip(CLIENT), ip("52.94.5.1"), &[], at(101), Sni::NotSent);
    assert_eq!((of_no_name.sni, of_no_name.names.len()), (SniAlias::No, 1), "names keep their own room");
    assert!(cache.young.pairs.values().all(|server| server.known.len() == 1 + MAX_ALIASES_PER_PAIR));
    assert!(cache.young.bytes > held);
    // Forgotten with the client itself: as long as it would have been good.
    for number in 0..100_000_u32 {
        let client = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    assert_eq!(told(&cache, CLIENT, 159, &alias(999)), (SniAlias::Possible, vec![]));
    assert_eq!(told(&cache, CLIENT, 160, &alias(999)), (SniAlias::No, vec![]));
    // Of others it leaves nothing open.
    assert_eq!(told(&cache, "10.0.0.2", 159, &alias(999)), (SniAlias::No, vec![]));
}

#[test]
fn believes_no_time_to_live_for_years() {
    const CLIENT: &str = "10.0.0.1";
    let mut cache = NameCache::default();
    let mut answers = behind(&[("db.corp.example", u32::MAX)], NAME);
    answers[0].ttl_seconds = i32::MAX as u32;
    cache.observe(ip(CLIENT), None, &answers, at(100));
    let most = 100 + MAX_GOOD.as_secs();
    assert_eq!(names(&cache, CLIENT, most - 1), [NAME]);
    assert_eq!(names(&cache, CLIENT, most), [""; 0]);
    // Forgotten as well.
    for number in 0..100_000_u32 {
        let client = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    assert_eq!(told(&cache, CLIENT, most - 1, "db.corp.example").0, SniAlias::Possible);
    assert_eq!(told(&cache, CLIENT, most, "db.corp.example").0, SniAlias::No);
}

/// A message of 4 KB may say some 15 aliases of 128 addresses, each of which counts twice for another family.
#[test]
fn takes_so_many_aliases_of_a_message() {
    let aliases: Arc<[Alias]> = (0..15)
        .map(|number| Alias { name: format!("{number}.corp.example").into(), ttl_seconds: 60 })
        .collect();
    let resolution = |number: usize| Resolution {
        name: NAME.into(),
        aliases: Arc::clone(&aliases),
        address: ip(&format!("2001:db8::{number:x}")),
        ttl_seconds: 60,
    };
    let mut cache = NameCache::default();
    cache.observe(ip("10.0.0.1"), None, &(0..128).map(resolution).collect(), at(100));
    assert_eq!(cache.young.count() as usize, 2 * (128 + MAX_ALIASES_PER_MESSAGE));
    assert_eq!(cache.evictions() as usize, 2 * (128 * 15 - MAX_ALIASES_PER_MESSAGE));
    let told = |number: usize, sni| {
        let server = ip(&format!("2001:db8::{number:x}"));
        cache.told(ip("10.0.0.1"), server, &[], at(101), Sni::Name(sni)).sni
    };
    assert_eq!([0, 127].map(|number| told(number, "3.corp.example")), [SniAlias::Yes, SniAlias::Possible]);
    assert_eq!([0, 127].map(|number| told(number, "www.example")), [SniAlias::No, SniAlias::Possible]);
    // Nor is it forgotten of the one of two pairs that the other makes old.
    let mut cache = NameCache::default();
    for number in 0..MAX_PAIRS / 2 - 1 - 2 * 100 {
        let client = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number as u32));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    cache.observe(ip("10.0.0.1"), None, &(0..128).map(resolution).collect(), at(100));
    let pair = (ip("10.0.0.1"), ip("2001:db8::64"));
    assert!(cache.old.pairs.get(&pair).is_some_and(|server| server.has_more_aliases));
}

#[test]
fn knows_a_name_for_the_connection_it_was_asked_for() {
    let mut cache = NameCache::default();
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 0), at(100));
    assert_eq!(names(&cache, "10.0.0.1", 100), [NAME]);
    assert_eq!(names(&cache, "10.0.0.1", 101), [""; 0]);
}

#[test]
fn keeps_the_beginning_of_a_name_that_is_asked_for_again() {
    let mut cache = NameCache::default();
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 5), at(100));
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 5), at(103));
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 5), at(200));
    assert_eq!(names(&cache, "10.0.0.1", 100), [NAME]);
    assert_eq!(names(&cache, "10.0.0.1", 107), [NAME]);
    assert_eq!(names(&cache, "10.0.0.1", 150), [""; 0]);
    assert_eq!(names(&cache, "10.0.0.1", 204), [NAME]);
}

#[test]
fn knows_what_the_other_address_family_was_told() {
    let mut cache = NameCache::default();
    let (host, server) = (ip("2001:db8::3"), ip("2a05:d018:5::10"));
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "2a05:d018:5::10", 5), at(100));
    assert!(names_in(&cache, host, server, &[], 101).is_empty());
    let of_other = |cache: &NameCache, client, server, seconds| {
        cache.told_to_other_family(client, server, &[], at(seconds), Sni::NotSent).names
    };
    assert_eq!(of_other(&cache, host, server, 101), [Arc::from(NAME)]);
    assert!(of_other(&cache, host, server, 105).is_empty());
    assert!(of_other(&cache, host, ip("2a05:d018:5::11"), 101).is_empty());
    // An answer over the same family is another host's.
    cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 5), at(100));
    assert!(of_other(&cache, ip("10.0.0.2"), ip("52.94.5.1"), 101).is_empty());
    cache.observe(host, None, &answer(NAME, "52.94.5.1", 5), at(100));
    assert_eq!(of_other(&cache, ip("10.0.0.2"), ip("52.94.5.1"), 101).len(), 1);
}

#[test]
fn an_address_in_another_network_is_another_host() {
    let (client, server) = (ip("10.0.0.1"), ip("52.94.5.1"));
    for tenant in [Tenant::GatewayEndpoint as fn(u64) -> Tenant, |vni| Tenant::Vni(vni as u32)] {
        let mut cache = NameCache::default();
        let (one, other) = (tenant(0xa), tenant(0xb));
        cache.observe(client, Some(one), &answer(NAME, "52.94.5.1", 5), at(100));
        for (seen_in, names) in [(&[one][..], 1), (&[other], 0), (&[other, one], 1), (&[], 1)] {
            assert_eq!(names_in(&cache, client, server, seen_in, 101).len(), names, "{seen_in:?}");
        }
        // What came outside of all may be of each.
        cache.observe(client, None, &answer(NAME, "52.94.5.2", 5), at(100));
        assert_eq!(names_in(&cache, client, ip("52.94.5.2"), &[other], 101).len(), 1);
        cache.observe(client, Some(other), &answer(NAME, "52.94.5.1", 5), at(103));
        assert_eq!(names_in(&cache, client, server, &[one], 106).len(), 0);
        assert_eq!(names_in(&cache, client, server, &[other], 106).len(), 1);
    }
}

#[test]
fn wants_only_names_that_matter() {
    let options = EndpointOptions {
        hosts: ["*.DB.example", "One.example"]
            .map(|name| HostRule { name: name.into(), service: Service::Dynamodb, region: None })
            .to_vec(),
        ..EndpointOptions::default()
    };
    let cache = NameCache::new(&options);
    for (name, is_wanted) in [
        ("www.example.com", false),
        ("s3.us-east-1.amazonaws.com", false),
        ("eu.db.example", true),
        ("a.eu.db.example", false),
        ("db.example", false),
        ("one.example", true),
        ("of.one.example", false),
        (NAME, true),
    ] {
        assert_eq!(cache.is_wanted(name), is_wanted, "{name}");
    }
}

#[test]
fn forgets_the_oldest_when_full_and_counts_it() {
    let mut cache = NameCache::default();
    for number in 0..200_000_u32 {
        let client = IpAddr::V4(std::net::Ipv4Addr::from(number));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    assert!(cache.young.pairs.len() + cache.old.pairs.len() <= MAX_PAIRS);
    assert_eq!(cache.evictions() as usize, 200_000 - cache.young.pairs.len() - cache.old.pairs.len());
    let last = IpAddr::V4(std::net::Ipv4Addr::from(199_999));
    assert_eq!(names_in(&cache, last, ip("52.94.5.1"), &[], 100).len(), 1);
    for number in 0..50 {
        cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 1), at(1_000 + 10 * number));
    }
    assert_eq!(names_in(&cache, ip("10.0.0.1"), ip("52.94.5.1"), &[], 1_490).len(), 1);
}

/// What a generation holds, counted anew, without what tables and allocators keep in reserve.
fn held_bytes(generation: &Generation) -> usize {
    let pairs = generation.pairs.values();
    let pairs = pairs
        .map(|server| size_of::<Pair>() + size_of_val(server) + server.known.capacity() * size_of::<Known>());
    pairs.sum::<usize>() + generation.names.iter().map(|name| name.len()).sum::<usize>()
}

#[test]
fn forgets_the_oldest_when_names_are_long_and_counts_it() {
    let mut cache = NameCache::default();
    for number in 0..40_000_u32 {
        let client = IpAddr::V4(Ipv4Addr::from(number));
        let names = (0..8).map(|name| format!("{number:0>60}.{name:0>60}.{NAME}"));
        let told = names.map(|name| Resolution {
            name: name.into(),
            aliases: Arc::default(),
            address: ip("52.94.5.1"),
            ttl_seconds: 60,
        });
        cache.observe(client, None, &told.collect(), at(100));
    }
    let held = held_bytes(&cache.young) + held_bytes(&cache.old);
    assert!((MAX_BYTES / 3..MAX_BYTES).contains(&held), "{held}");
    assert!(cache.young.bytes >= held_bytes(&cache.young));
    assert_eq!(cache.evictions(), 8 * 40_000 - cache.young.count() - cache.old.count());
    assert_eq!(names(&cache, "0.0.156.63", 101).len(), 8, "the last one");
}

#[test]
fn holds_a_name_once_however_many_clients_know_it() {
    let mut cache = NameCache::default();
    for number in 0..100 {
        let client = IpAddr::V4(Ipv4Addr::from(number));
        cache.observe(client, None, &answer(NAME, "52.94.5.1", 5), at(100));
    }
    let known = cache.young.pairs.values().flat_map(|server| &server.known);
    assert_eq!(known.map(|known| Arc::as_ptr(&known.name).addr()).collect::<HashSet<_>>().len(), 1);
    // Nor does a pair that is told again and again take more and more.
    let held = cache.young.bytes;
    for number in 1..1_000 {
        cache.observe(ip("0.0.0.1"), None, &answer(NAME, "52.94.5.1", 1), at(100 + 10 * number));
    }
    assert!(cache.young.bytes <= held + MAX_NAMES_PER_PAIR * size_of::<Known>());
}
