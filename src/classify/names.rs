//! DNS answers a client got → the names it knows a server by, while their time to live runs.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use foldhash::fast::{FixedState, RandomState};
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

/// Nor for longer than this, whatever an answer says, as resolvers keep none [RFC 8767 section 4]: what is told in minutes
/// must not count for years.
const MAX_GOOD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Aliases taken of one message, for all of its addresses together: eight of an ordinary answer have one to three each.
const MAX_ALIASES_PER_MESSAGE: usize = 256;

/// Parts of the clients for which it is told apart until when a forgotten name was good.
const FORGOTTEN_PARTS: usize = 1_024;

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
    forgotten_names: Forgotten,
    forgotten_aliases: Forgotten,
    /// Addresses that were told and not yet handed on, where somebody wants them.
    learned: Option<Vec<IpAddr>>,
}

/// Until when names were good that were forgotten together with their pair, by parts of the clients: what one was told
/// leaves little open of others.
#[derive(Default)]
struct Forgotten {
    /// None where nothing was.
    until: Vec<Timestamp>,
}

impl Forgotten {
    /// The part of a client is the same in every run, as is all that is said of one capture.
    fn part(client: IpAddr) -> usize {
        (FixedState::default().hash_one(client) % FORGOTTEN_PARTS as u64) as usize
    }

    fn note(&mut self, client: IpAddr, until: Timestamp) {
        self.until.resize(FORGOTTEN_PARTS, Timestamp::default());
        if let Some(known) = self.until.get_mut(Self::part(client)) {
            *known = until.max(*known);
        }
    }

    /// True where a name that `client` was told may have been forgotten and was good at `at`.
    fn may_have(&self, client: IpAddr, at: Timestamp) -> bool {
        !self.until.is_empty() && self.until.get(Self::part(client)).is_some_and(|until| at < *until)
    }
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
    /// There were more names than are kept.
    pub has_more: bool,
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
    has_more_aliases: bool,
    /// Where there were more names than that: until when the last of the others is good, and in which network, if all of them
    /// were told in one.
    more_names: Option<(Timestamp, Option<Tenant>)>,
}

impl Server {
    /// Takes note that a name was forgotten that is good until then. That may be over: what is asked about may have begun
    /// before.
    fn forget(&mut self, (until, tenant): (Timestamp, Option<Tenant>)) {
        self.more_names = match self.more_names {
            Some((known, of)) => Some((known.max(until), of.filter(|of| Some(*of) == tenant))),
            None => Some((until, tenant)),
        };
    }

    /// Until when the last of its names is good, or of its aliases.
    fn last_good(&self, is_alias: bool) -> Option<Timestamp> {
        let alike = self.known.iter().filter(|known| known.alias.is_some() == is_alias);
        let more = self.more_names.filter(|_| !is_alias).map(|(until, _)| until);
        alike.map(|known| known.until).chain(more).max()
    }
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
        let mut room = MAX_ALIASES_PER_MESSAGE;
        for resolution in resolutions {
            let address = resolution.address.to_canonical();
            let is_of_other_family = client.is_ipv4() != address.is_ipv4();
            let pairs = std::iter::once((client, address))
                .chain(is_of_other_family.then(|| (any_client(client.is_ipv4()), address)));
            let taken = resolution.aliases.len().min(room);
            room -= taken;
            let aliases = resolution.aliases.iter().take(taken);
            let aliases = aliases.map(|alias| (Some(&alias.name), alias.ttl_seconds));
            for (alias, most_seconds) in std::iter::once((None, u32::MAX)).chain(aliases) {
                let ttl = Duration::from_secs(resolution.ttl_seconds.min(most_seconds).into());
                let ttl = ttl.clamp(MIN_GOOD, MAX_GOOD);
                let known = || Known {
                    name: Arc::clone(&resolution.name),
                    alias: alias.cloned(),
                    tenant,
                    from: at,
                    until: at.after(ttl),
                };
                pairs.clone().for_each(|pair| self.insert(pair, known()));
            }
            if taken < resolution.aliases.len() {
                for pair in pairs {
                    self.evictions += (resolution.aliases.len() - taken) as u64;
                    // The second of two pairs may have made the first one old.
                    for generation in [&mut self.young, &mut self.old] {
                        if let Some(server) = generation.pairs.get_mut(&pair) {
                            server.has_more_aliases = true;
                        }
                    }
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

    /// What `client` had been told for the address of `server` that was still good at `at`: the names, or where it says an alias
    /// itself, the names that this stands for. What was told to a client of this address in another network than `tenants` is
    /// left out; these are the networks that the flow was seen in, none where it was seen outside of all.
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
            said.is_some()
                && (servers.iter().any(|server| server.has_more_aliases)
                    || self.forgotten_aliases.may_have(key.0, at))
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
        let may_be_meant = |(until, tenant): (Timestamp, _)| at < until && !is_other(tenant);
        // Aliases have their own room.
        let is_full = |server: &&Server| match sni {
            SniAlias::Yes => server.has_more_aliases,
            SniAlias::No | SniAlias::Possible => server.more_names.is_some_and(may_be_meant),
        };
        let forgotten = if sni == SniAlias::Yes { &self.forgotten_aliases } else { &self.forgotten_names };
        let has_more = !names.is_empty() && (servers.iter().any(is_full) || forgotten.may_have(key.0, at));
        Told { names, has_more, sni }
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
            for ((client, _), server) in &forgotten.pairs {
                let stores = [(&mut self.forgotten_names, false), (&mut self.forgotten_aliases, true)];
                for (store, is_alias) in stores {
                    if let Some(until) = server.last_good(is_alias) {
                        store.note(*client, until);
                    }
                }
            }
            carried = carried.or_else(|| self.old.pairs.remove(&pair));
        }
        if let Some(Server { known, has_more_aliases, more_names }) = carried {
            known.into_iter().for_each(|known| self.young.push(pair, known));
            if let Some(server) = self.young.pairs.get_mut(&pair) {
                server.has_more_aliases |= has_more_aliases;
                more_names.into_iter().for_each(|more_names| server.forget(more_names));
            }
        }
        if let Some(server) = self.young.pairs.get_mut(&pair) {
            let known = &mut server.known;
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
                let oldest = known.swap_remove(oldest);
                if is_alias {
                    server.has_more_aliases = true;
                } else {
                    server.forget((oldest.until, oldest.tenant));
                }
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
mod tests;
