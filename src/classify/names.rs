//! DNS answers a client got → the names it knows a server by, while their time to live runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::endpoint::is_recognised;
use super::options::EndpointOptions;
use crate::app::dns::Resolutions;
use crate::model::{Sni, Tenant, Timestamp};

/// (client, server) pairs remembered, in two generations of half as many. Names of DynamoDB have a time to live of
/// seconds, so that even a large site has few alive at once.
const MAX_PAIRS: usize = 65_536;

/// Memory for them, which suffices where two names of ordinary length lead to each server.
const MAX_BYTES: usize = 20 << 20;

/// Names remembered for one pair; DynamoDB's own and those on the way to it.
const MAX_NAMES_PER_PAIR: usize = 8;

/// The same of names of the operator's own that stand for one: many clients behind one address may each have theirs.
const MAX_ALIASES_PER_PAIR: usize = 16;

/// A name is good for this long at least: a time to live of 0 is for the connection that was just being made
/// [RFC 1035 section 3.2.1], and what caches have left of DynamoDB's 5 seconds is told in whole ones.
const MIN_GOOD: Duration = Duration::from_secs(1);

/// Learned addresses that wait to be taken; they are taken every few hundred packets.
const MAX_LEARNED: usize = 128;

/// Names of DynamoDB that clients were told, by the address they were told.
///
/// Only names that matter are kept: those the grammar knows and the configured ones.
#[derive(Default)]
pub struct NameCache {
    hosts: Hosts,
    young: Generation,
    old: Generation,
    evictions: u64,
    /// Until when an alias was good that was forgotten together with its pair.
    forgotten_until: Timestamp,
    /// Addresses that were told and not yet handed on, where somebody wants them.
    learned: Option<Vec<IpAddr>>,
}

/// The configured names in lower case: as they are, and of those for any first label what is behind it.
#[derive(Default)]
struct Hosts {
    names: HashSet<Box<str>, RandomState>,
    parents: HashSet<Box<str>, RandomState>,
}

/// What a client had been told of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// In alphabetical order; where the client says an alias, those that it stands for.
    pub names: Vec<Arc<str>>,
    pub sni: SniAlias,
}

/// Whether the name that a client says in clear stands for others, which matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SniAlias {
    /// Nothing says so.
    #[default]
    No,
    /// It did at another time; or what the client was told is not all remembered.
    Possible,
    /// DNS said so to the client.
    Yes,
}

type Pair = (IpAddr, IpAddr);

/// What was asked for, or refreshed, in some time.
#[derive(Default)]
struct Generation {
    pairs: HashMap<Pair, Server, RandomState>,
    /// The names, each once.
    names: HashSet<Arc<str>, RandomState>,
    bytes: usize,
}

/// What one client was told of one server.
#[derive(Default)]
struct Server {
    /// Those that are no alias at most [`MAX_NAMES_PER_PAIR`], the others [`MAX_ALIASES_PER_PAIR`].
    known: Vec<Known>,
    /// There were more aliases than that.
    has_forgotten: bool,
}

struct Known {
    name: Arc<str>,
    /// Where that is told of a name that stands for it: what the client then calls the server.
    alias: Option<Arc<str>>,
    /// The load balancer's endpoint that the answer came through, where it came through one.
    tenant: Option<Tenant>,
    /// The name is good from the answer, `from`, until `until`, exclusively.
    from: Timestamp,
    until: Timestamp,
}

impl Hosts {
    fn new(options: &EndpointOptions) -> Self {
        let mut hosts = Self::default();
        for rule in &options.hosts {
            let name = rule.name.to_ascii_lowercase();
            match name.strip_prefix("*.") {
                Some(parent) => hosts.parents.insert(parent.into()),
                None => hosts.names.insert(name.into()),
            };
        }
        hosts
    }

    fn contain(&self, name: &str) -> bool {
        self.names.contains(name)
            || name.split_once('.').is_some_and(|(_, parent)| self.parents.contains(parent))
    }
}

impl Generation {
    /// The slot of a pair in a table that has just grown, and the allocation for its names.
    const PAIR_BYTES: usize = 2 * size_of::<(Pair, Server)>() + ALLOCATION_BYTES;

    /// Room for one name more of a pair, taken one at a time: nearly all have one or two.
    fn push(&mut self, pair: Pair, known: Known) {
        let Known { name, alias, tenant, from, until } = known;
        let (name, alias) = (self.shared(name), alias.map(|alias| self.shared(alias)));
        let server = self.pairs.entry(pair).or_insert_with(|| {
            self.bytes += Self::PAIR_BYTES;
            Server::default()
        });
        let before = server.known.capacity();
        server.known.reserve_exact(1);
        self.bytes += (server.known.capacity() - before) * size_of::<Known>();
        server.known.push(Known { name, alias, tenant, from, until });
    }

    /// The name as it is known already, where it is.
    fn shared(&mut self, name: Arc<str>) -> Arc<str> {
        if let Some(known) = self.names.get(&name) {
            return Arc::clone(known);
        }
        self.bytes += 2 * size_of::<Arc<str>>() + ALLOCATION_BYTES + 2 * size_of::<usize>() + name.len();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn count(&self) -> u64 {
        self.pairs.values().map(|server| server.known.len() as u64).sum()
    }

    /// Until when all of the aliases are good.
    fn aliases_until(&self) -> Timestamp {
        let known = self.pairs.values().flat_map(|server| &server.known);
        known.filter(|known| known.alias.is_some()).map(|known| known.until).max().unwrap_or_default()
    }
}

/// What an allocator takes for itself, on average.
const ALLOCATION_BYTES: usize = 16;

impl NameCache {
    /// A cache that also keeps the names configured in `options`.
    #[must_use]
    pub fn new(options: &EndpointOptions) -> Self {
        Self { hosts: Hosts::new(options), ..Self::default() }
    }

    /// Changes the configured names; what was learned stays.
    pub fn set_hosts(&mut self, options: &EndpointOptions) {
        self.hosts = Hosts::new(options);
    }

    /// True for names that matter, of host names in lower case.
    #[must_use]
    pub fn is_wanted(&self, name: &str) -> bool {
        self.hosts.contain(name) || is_recognised(name)
    }

    /// Keeps from now on the addresses of names that matter, for [`NameCache::take_learned`].
    pub fn tell_learned(&mut self) {
        self.learned = Some(Vec::new());
    }

    /// The addresses that were told since this was asked last, each once; more than a hundred or so at once
    /// come with the next answer.
    pub fn take_learned(&mut self) -> impl Iterator<Item = IpAddr> + '_ {
        self.learned.iter_mut().flat_map(|learned| learned.drain(..))
    }

    /// Takes the answers that `client`, in the network of `tenant` if there are several, got at packet time `at`, of names
    /// that are [wanted](Self::is_wanted).
    pub fn observe(
        &mut self,
        client: IpAddr,
        tenant: Option<Tenant>,
        resolutions: &Resolutions,
        at: Timestamp,
    ) {
        let client = client.to_canonical();
        for resolution in resolutions {
            let address = resolution.address.to_canonical();
            let aliases = resolution.aliases.iter().map(|alias| (Some(&alias.name), alias.ttl_seconds));
            for (alias, most_seconds) in std::iter::once((None, u32::MAX)).chain(aliases) {
                let ttl = Duration::from_secs(resolution.ttl_seconds.min(most_seconds).into()).max(MIN_GOOD);
                let known = || Known {
                    name: Arc::clone(&resolution.name),
                    alias: alias.cloned(),
                    tenant,
                    from: at,
                    until: at.after(ttl),
                };
                self.insert((client, address), known());
                if client.is_ipv4() != address.is_ipv4() {
                    self.insert((any_client(client.is_ipv4()), address), known());
                }
            }
            if let Some(learned) = &mut self.learned
                && learned.len() < MAX_LEARNED
                && !learned.contains(&address)
            {
                learned.push(address);
            }
        }
    }

    /// The names `client` had been told for the address of `server` and that were still good at `at`, in
    /// alphabetical order; not those that were told to a client of this address in another network than `tenants`, the
    /// ones that the flow was seen in; none where it was seen outside of all.
    #[must_use]
    pub fn names(&self, client: IpAddr, server: IpAddr, tenants: &[Tenant], at: Timestamp) -> Vec<Arc<str>> {
        self.told(client, server, tenants, at, Sni::NotSent).names
    }

    /// The same of a client that says a name itself: where that is none of those but an alias, the names that it stands for.
    #[must_use]
    pub fn told(
        &self,
        client: IpAddr,
        server: IpAddr,
        tenants: &[Tenant],
        at: Timestamp,
        sni: Sni<'_>,
    ) -> Told {
        let is_other = |known: Option<Tenant>| {
            known.is_some_and(|known| !tenants.is_empty() && !tenants.contains(&known))
        };
        let key = (client.to_canonical(), server.to_canonical());
        // Looked up once: of most flows nothing was told.
        let servers: ArrayVec<&Server, 2> = [&self.young, &self.old]
            .into_iter()
            .filter_map(|generation| generation.pairs.get(&key))
            .collect();
        let ever = || servers.iter().flat_map(|server| &server.known).filter(|known| !is_other(known.tenant));
        let good = || ever().filter(|known| known.from <= at && at < known.until);
        let said = match sni {
            Sni::Name(said) => Some(said.strip_suffix('.').unwrap_or(said)),
            Sni::NotSent | Sni::NotSeen => None,
        };
        let is_said = |name: &str| said.is_some_and(|said| said.eq_ignore_ascii_case(name));
        let is_alias = |known: &&Known| known.alias.as_deref().is_some_and(is_said);
        let is_name = |known: &&Known| known.alias.is_none();
        let may_be_forgotten = || {
            said.is_some() && (servers.iter().any(|server| server.has_forgotten) || at < self.forgotten_until)
        };
        let sni = if good().any(|known| is_name(&known) && is_said(&known.name)) {
            SniAlias::No
        } else if good().any(|known| is_alias(&known)) {
            SniAlias::Yes
        } else if ever().any(|known| is_alias(&known)) || may_be_forgotten() {
            SniAlias::Possible
        } else {
            SniAlias::No
        };
        let is_meant = |known: &&Known| if sni == SniAlias::Yes { is_alias(known) } else { is_name(known) };
        let mut names: Vec<Arc<str>> = good().filter(is_meant).map(|known| Arc::clone(&known.name)).collect();
        names.sort_unstable();
        names.dedup();
        Told { names, sni }
    }

    /// What clients of the other address family had been told for the address of `server`. A host
    /// with both families asks over one and connects over the other, and nothing links its two addresses:
    /// this is a possibility where [`told`](Self::told) knows no names.
    #[must_use]
    pub fn told_to_other_family(
        &self,
        client: IpAddr,
        server: IpAddr,
        tenants: &[Tenant],
        at: Timestamp,
        sni: Sni<'_>,
    ) -> Told {
        let mut told = self.told(any_client(!client.to_canonical().is_ipv4()), server, tenants, at, sni);
        if told.sni == SniAlias::Yes {
            told.sni = SniAlias::Possible;
        }
        told
    }

    /// Names forgotten for want of room, before anybody knew whether they were still needed.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    fn insert(&mut self, pair: Pair, told: Known) {
        let mut carried = self.old.pairs.remove(&pair);
        let is_new = carried.is_none() && !self.young.pairs.contains_key(&pair);
        if is_new && self.young.pairs.len() >= MAX_PAIRS / 2 || self.young.bytes >= MAX_BYTES / 2 {
            // What was not asked for or refreshed in a whole generation goes first.
            let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.evictions += forgotten.count();
            self.forgotten_until = self.forgotten_until.max(forgotten.aliases_until());
            carried = carried.or_else(|| self.old.pairs.remove(&pair));
        }
        if let Some(Server { known, has_forgotten }) = carried {
            known.into_iter().for_each(|known| self.young.push(pair, known));
            if let Some(server) = self.young.pairs.get_mut(&pair) {
                server.has_forgotten |= has_forgotten;
            }
        }
        if let Some(Server { known, has_forgotten }) = self.young.pairs.get_mut(&pair) {
            // An answer that comes while an earlier one still holds prolongs it; the flow that is
            // asked about may have begun before.
            let is_same = |known: &&mut Known| {
                known.name == told.name
                    && known.alias == told.alias
                    && known.tenant == told.tenant
                    && known.from <= told.until
                    && told.from <= known.until
            };
            if let Some(known) = known.iter_mut().find(is_same) {
                known.from = known.from.min(told.from);
                known.until = known.until.max(told.until);
                return;
            }
            let is_alias = told.alias.is_some();
            let most = if is_alias { MAX_ALIASES_PER_PAIR } else { MAX_NAMES_PER_PAIR };
            let alike = || known.iter().enumerate().filter(|(_, known)| known.alias.is_some() == is_alias);
            if alike().count() >= most
                && let Some((oldest, _)) = alike().min_by_key(|(_, known)| known.until)
            {
                known.swap_remove(oldest);
                *has_forgotten |= is_alias;
                self.evictions += 1;
            }
        }
        self.young.push(pair, told);
    }
}

/// Stands for every client of an address family: no client has this address.
fn any_client(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
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
        cache.names(ip(client), ip("52.94.5.1"), &[], at(seconds)).iter().map(ToString::to_string).collect()
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
        let other =
            |sni| cache.told_to_other_family(ip("10.0.0.2"), server, &[], at(101), Sni::Name(sni)).sni;
        assert_eq!((other("db.corp.example"), other("www.corp.example")), (Possible, No));
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
        assert!(cache.names(host, server, &[], at(101)).is_empty());
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
                assert_eq!(cache.names(client, server, seen_in, at(101)).len(), names, "{seen_in:?}");
            }
            // What came outside of all may be of each.
            cache.observe(client, None, &answer(NAME, "52.94.5.2", 5), at(100));
            assert_eq!(cache.names(client, ip("52.94.5.2"), &[other], at(101)).len(), 1);
            cache.observe(client, Some(other), &answer(NAME, "52.94.5.1", 5), at(103));
            assert_eq!(cache.names(client, server, &[one], at(106)).len(), 0);
            assert_eq!(cache.names(client, server, &[other], at(106)).len(), 1);
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
        assert_eq!(cache.names(last, ip("52.94.5.1"), &[], at(100)).len(), 1);
        for number in 0..50 {
            cache.observe(ip("10.0.0.1"), None, &answer(NAME, "52.94.5.1", 1), at(1_000 + 10 * number));
        }
        assert_eq!(cache.names(ip("10.0.0.1"), ip("52.94.5.1"), &[], at(1_490)).len(), 1);
    }

    /// What a generation holds, counted anew, without what tables and allocators keep in reserve.
    fn held_bytes(generation: &Generation) -> usize {
        let pairs = generation.pairs.values();
        let pairs = pairs.map(|server| {
            size_of::<Pair>() + size_of_val(server) + server.known.capacity() * size_of::<Known>()
        });
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
}
