//! Whose a flow is: process, container and unit of flows that begin or end on this host.
//!
//! Input: the record of a flow. Output: [`HostFacts`], as far as they are certain. The kernel is asked for the socket
//! (sock_diag) and its control group, and the processes of that group for who holds it. Everything has a budget: what
//! costs too much is left unknown and counted. It looks at no packet, and only at sockets of its own network
//! namespace: to the host, flows of containers with one of their own are forwarded.

mod cgroup;
mod sockets;
mod surroundings;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::sockets::{Socket, Sockets};
use self::surroundings::{Passing, Surroundings, is_tunnelled};
use crate::model::{HostFacts, Origin, Outcome, Record};

pub use cgroup::Place;

/// Time that looking for owners may take in each second of the clock.
const BUDGET: Duration = Duration::from_millis(20);

/// Control groups that are walked over to find one by its number.
const MAX_GROUPS: usize = 20_000;

/// Processes of one group, and descriptors of one process, that are looked at.
const MAX_PROCESSES: usize = 512;
const MAX_DESCRIPTORS: usize = 4_096;

/// Addresses and interfaces are asked for again after so long, also without a sign of a change.
const SURROUNDINGS_AGE: Duration = Duration::from_secs(10);

/// The tree of control groups is walked over again at most this often.
const GROUPS_AGE: Duration = Duration::from_secs(10);

/// Whose a socket is; what is not known for certain is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Owner {
    pid: Option<u32>,
    process: Option<Arc<str>>,
    place: Place,
}

/// What came of looking for a socket.
enum Search {
    Found(Owner),
    /// There is none (any more).
    Missing,
    /// It was not looked for.
    OverBudget,
    /// No end is an address of this host, whose sockets may take the flow all the same; none was found.
    MayBeTakenIn,
    /// Neither end is here.
    Elsewhere,
}

/// Gives the number of the control group whose socket had these ends: local, remote.
pub type Senders = Box<dyn Fn(SocketAddr, SocketAddr) -> Option<u64> + Send>;

/// What is known of this host's part in flows beforehand, by configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// It gets copies of what passes elsewhere.
    pub is_mirror: bool,
    /// It is an appliance behind a Gateway Load Balancer, which sends back what it gets.
    pub is_behind_gwlb: bool,
}

/// What was looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub asked: u64,
    pub found: u64,
    /// Not looked for, because the budget of the second was used up.
    pub over_budget: u64,
}

/// Finds owners. It belongs to one thread, which is not the one that reads packets.
pub struct Attribution {
    surroundings: Surroundings,
    asked_again: Instant,
    /// Counted up by whoever notices that addresses or interfaces changed.
    changes: Arc<AtomicU64>,
    changes_known: u64,
    post: Post,
    /// Who sent the packets that opened connections, where the kernel part tells.
    senders: Option<Senders>,
    sockets: Sockets,
    proc: PathBuf,
    groups_root: Option<PathBuf>,
    groups: HashMap<u64, Arc<str>>,
    groups_read: Option<Instant>,
    second: Instant,
    spent: Duration,
    counts: Counts,
}

impl Attribution {
    /// `changes` is to be counted up when addresses or interfaces of this host change.
    ///
    /// # Errors
    /// Where the kernel does not tell its addresses.
    pub fn open(post: Post, changes: Arc<AtomicU64>) -> io::Result<Self> {
        Ok(Self {
            surroundings: Surroundings::ask()?,
            asked_again: Instant::now(),
            changes_known: changes.load(Ordering::Relaxed),
            changes,
            post,
            senders: None,
            sockets: Sockets::open(),
            proc: PathBuf::from("/proc"),
            groups_root: cgroup::root(),
            groups: HashMap::new(),
            groups_read: None,
            second: Instant::now(),
            spent: Duration::ZERO,
            counts: Counts::default(),
        })
    }

    /// With what tells the control group of the socket that had these ends (local, remote), also when it is gone.
    #[must_use]
    pub fn with_senders(mut self, senders: Senders) -> Self {
        self.senders = Some(senders);
        self
    }

    /// Another configuration says otherwise.
    pub const fn set_post(&mut self, post: Post) {
        self.post = post;
    }

    /// What was looked for so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What is certain of a flow that was just reported; to be asked once for each. It takes no longer than the
    /// budget allows.
    pub fn facts(&mut self, record: &Record) -> Option<Box<HostFacts>> {
        self.look_around();
        let mut facts = HostFacts::default();
        let (mut is_own, mut is_translated_here, mut is_unsure) = (false, false, false);
        let mut may_be_taken_in = false;
        let ends = (record.client, record.server);
        let is_over = is_over(record);
        for (number, (client, server)) in std::iter::once(&ends).chain(&record.translated).enumerate() {
            match self.search(*client, *server, is_over) {
                Search::Elsewhere => {}
                Search::Found(owner) => {
                    facts.origin = Some(Origin::Local);
                    (facts.pid, facts.process) = (owner.pid, owner.process);
                    (facts.container, facts.unit) = (owner.place.container, owner.place.unit);
                    return Some(Box::new(facts));
                }
                Search::Missing => (is_own, is_translated_here) = (true, number > 0),
                Search::OverBudget => (is_own, is_unsure) = (true, true),
                Search::MayBeTakenIn => may_be_taken_in = true,
            }
        }
        let surroundings = &self.surroundings;
        facts.origin = if !is_own {
            let is_passed_on = match surroundings.passing(&record.sightings, self.post) {
                Passing::Certain => true,
                // NAT gives it to a socket under another address, too.
                Passing::UnlessTakenIn => !may_be_taken_in && !surroundings.may_translate(),
                Passing::Unknown => false,
            };
            is_passed_on.then_some(Origin::Forwarded)
        } else if is_unsure {
            None
        } else if is_translated_here {
            // Inside another's address, outside one of this host.
            Some(Origin::Forwarded)
        } else {
            // Without a socket it may be another's flow under an address of this host, and within a tunnel
            // another's address that is the same.
            let is_plain = record.sightings.iter().any(|sighting| !is_tunnelled(sighting));
            (is_plain && !surroundings.may_translate()).then_some(Origin::Local)
        };
        facts.origin.is_some().then(|| Box::new(facts))
    }

    /// Asks for addresses and interfaces again, after a change and every few seconds; the former ones stay where
    /// the kernel does not answer.
    fn look_around(&mut self) {
        let changes = self.changes.load(Ordering::Relaxed);
        if changes == self.changes_known && self.asked_again.elapsed() < SURROUNDINGS_AGE {
            return;
        }
        (self.changes_known, self.asked_again) = (changes, Instant::now());
        if let Ok(surroundings) = Surroundings::ask() {
            self.surroundings = surroundings;
        }
    }

    /// Looks for the socket of the flow, of which `client` opened the connection. Where that `is_over`, a socket with its ends
    /// is that of the next one.
    fn search(&mut self, client: SocketAddr, server: SocketAddr, is_over: bool) -> Search {
        let surroundings = &self.surroundings;
        // Where both ends are here, who opened it is meant.
        let is_own = |end: SocketAddr| surroundings.own.contains(&end.ip());
        if is_own(client) {
            return self.look(client, server, true, is_over);
        }
        if is_own(server) {
            return self.look(server, client, true, is_over);
        }
        // A transparent proxy stands in for the server, or for the client.
        let ways = [(server, client), (client, server)];
        let ways = ways.map(|ends| surroundings.takes_in(ends.0.ip()).then_some(ends));
        let mut search = Search::Elsewhere;
        for (local, remote) in ways.into_iter().flatten() {
            match self.look(local, remote, false, is_over) {
                Search::Found(owner) => return Search::Found(owner),
                _ => search = Search::MayBeTakenIn,
            }
        }
        search
    }

    /// Looks for a socket with these ends. At an own address whoever listens tells whose a connection was that is over;
    /// of what only passes it tells nothing.
    fn look(&mut self, local: SocketAddr, remote: SocketAddr, is_own: bool, is_over: bool) -> Search {
        self.counts.asked += 1;
        let start = Instant::now();
        if start.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = start;
            self.spent = Duration::ZERO;
        }
        if self.spent >= BUDGET {
            self.counts.over_budget += 1;
            return Search::OverBudget;
        }
        let may_be_its = |socket: &Socket| if socket.is_listening { is_own } else { !is_over };
        let owner = match self.sockets.find(local, remote).filter(may_be_its) {
            Some(socket) if socket.inode != 0 => Some(self.owner_of(&socket)),
            // Its process has closed it, or has not yet taken it.
            found => self.former_owner(local, remote).or_else(|| found.map(|_| Owner::default())),
        };
        self.spent += start.elapsed();
        match owner {
            Some(owner) => {
                self.counts.found += 1;
                Search::Found(owner)
            }
            None => Search::Missing,
        }
    }

    /// Whose a socket was that is gone. Of the process nobody can be sure any more.
    fn former_owner(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<Owner> {
        let group = self.senders.as_ref()?(local, remote)?;
        let place = self.group(group).map(|path| cgroup::read(&path)).unwrap_or_default();
        Some(Owner { place, ..Owner::default() })
    }

    fn owner_of(&mut self, socket: &Socket) -> Owner {
        let group = socket.group.and_then(|id| self.group(id));
        let mut owner = Owner::default();
        let pid = match (&group, &self.groups_root) {
            (Some(path), Some(root)) if **path != *"/" => {
                let procs = root.join(path.trim_start_matches('/')).join("cgroup.procs");
                let pids = read_pids(&std::fs::read_to_string(procs).unwrap_or_default());
                self.holder(&pids, socket)
            }
            // Without a group of its own any process may be it.
            _ => self.holder(&processes(&self.proc), socket),
        };
        if let Some(pid) = pid {
            owner.pid = Some(pid);
            let folder = self.proc.join(pid.to_string());
            owner.process =
                std::fs::read_to_string(folder.join("comm")).ok().map(|name| Arc::from(name.trim_end()));
            if group.is_none()
                && let Ok(groups) = std::fs::read_to_string(folder.join("cgroup"))
            {
                owner.place = cgroup::of_process(&groups);
            }
        }
        if let Some(path) = group {
            owner.place = cgroup::read(&path);
        }
        owner
    }

    /// Which of the processes holds the socket. Where descriptors of others may not be read, a group
    /// of one process is certain all the same.
    fn holder(&self, pids: &[u32], socket: &Socket) -> Option<u32> {
        let wanted = format!("socket:[{}]", socket.inode);
        let mut is_readable = false;
        let deadline = Instant::now() + BUDGET;
        for pid in pids.iter().take(MAX_PROCESSES) {
            if Instant::now() >= deadline {
                return None;
            }
            let folder = self.proc.join(pid.to_string()).join("fd");
            let Ok(descriptors) = std::fs::read_dir(folder) else { continue };
            for descriptor in descriptors.flatten().take(MAX_DESCRIPTORS) {
                let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
                is_readable = true;
                if target.as_os_str() == wanted.as_str() {
                    return Some(*pid);
                }
            }
        }
        match pids {
            [only] if !is_readable && socket.group.is_some() => Some(*only),
            _ => None,
        }
    }

    /// The path of a control group.
    fn group(&mut self, id: u64) -> Option<Arc<str>> {
        if let Some(path) = self.groups.get(&id) {
            return Some(Arc::clone(path));
        }
        if self.groups_read.is_some_and(|read| read.elapsed() < GROUPS_AGE) {
            return None;
        }
        self.groups_read = Some(Instant::now());
        self.groups = cgroup::walk(self.groups_root.as_deref()?, MAX_GROUPS);
        self.groups.get(&id).map(Arc::clone)
    }
}

/// The numbers in a `cgroup.procs`.
fn read_pids(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.trim().parse().ok()).take(MAX_PROCESSES).collect()
}

/// Every process, the youngest first: it is the likelier to have just connected.
fn processes(proc: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(proc) else { return Vec::new() };
    let mut pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable_by(|one, other| other.cmp(one));
    pids
}

/// True where the connection itself was over when its flow was reported, so that its ends may be in use again. A handshake that
/// was completed or refused is reported before that.
fn is_over(record: &Record) -> bool {
    let is_early =
        matches!(record.outcome, Outcome::Completed | Outcome::RefusedByServer | Outcome::RefusedByClient);
    record.ended_by.is_some() && !is_early
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn open(post: Post) -> Option<Attribution> {
        crate::host::or_skip(Attribution::open(post, Arc::default()))
    }

    #[test]
    fn finds_its_own_process() {
        let Some(mut attribution) = open(Post::default()) else { return };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (client, server) = (stream.local_addr().unwrap(), listener.local_addr().unwrap());
        let Search::Found(owner) = attribution.search(client, server, false) else {
            panic!("its socket is there");
        };
        // A busy machine may have more processes than the budget allows to look at.
        assert!(owner.pid.is_none_or(|pid| pid == std::process::id()));
        // The next connection with the same ends is nobody's that was before.
        assert!(matches!(attribution.search(client, server, true), Search::Missing));
        attribution.counts = Counts { asked: 1, ..attribution.counts };
        drop(stream);
        assert_eq!((attribution.counts().asked, attribution.counts().found), (1, 1));
        let (client, server) = ("192.0.2.1:5".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        assert!(matches!(attribution.search(client, server, false), Search::Elsewhere));
        assert_eq!(attribution.counts().asked, 1);
    }

    #[test]
    fn remembers_whose_a_socket_was_that_is_gone() {
        let Some(attribution) = open(Post::default()) else { return };
        let (client, server) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let mut attribution = attribution
            .with_senders(Box::new(move |local, remote| ((local, remote) == (client, server)).then_some(5)));
        attribution.groups.insert(5, Arc::from("/system.slice/orders.service"));
        let Search::Found(owner) = attribution.search(client, server, false) else { panic!("it is known") };
        assert_eq!((owner.pid, owner.place.unit.as_deref()), (None, Some("orders.service")));
        attribution.spent = Duration::ZERO;
        assert!(matches!(attribution.search(server, client, false), Search::Missing));
    }

    #[test]
    fn keeps_to_its_budget() {
        let Some(mut attribution) = open(Post::default()) else { return };
        let (client, server) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        attribution.spent = BUDGET;
        assert!(matches!(attribution.search(client, server, false), Search::OverBudget));
        assert_eq!(attribution.counts(), Counts { asked: 1, found: 0, over_budget: 1 });
        // The next second has its own.
        attribution.second = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        assert!(matches!(attribution.search(client, server, false), Search::Missing));
        assert_eq!(attribution.counts().over_budget, 1);
    }

    #[test]
    fn one_process_alone_in_its_group_is_certain() {
        let Some(mut attribution) = open(Post::default()) else { return };
        let folder = tempfile::tempdir().unwrap();
        attribution.proc = folder.path().to_owned();
        let socket = |group| Socket { inode: 7, group, is_listening: false };
        assert_eq!(attribution.holder(&[41], &socket(Some(1))), Some(41));
        assert_eq!(attribution.holder(&[41], &socket(None)), None, "any process might be it");
        assert_eq!(attribution.holder(&[41, 42], &socket(Some(1))), None);
        let descriptors = folder.path().join("42/fd");
        std::fs::create_dir_all(&descriptors).unwrap();
        std::os::unix::fs::symlink("socket:[7]", descriptors.join("3")).unwrap();
        assert_eq!(attribution.holder(&[41, 42], &socket(Some(1))), Some(42));
        // Its descriptors can be read, and the socket is not among them.
        assert_eq!(attribution.holder(&[42], &Socket { inode: 8, ..socket(Some(1)) }), None);
        assert_eq!(read_pids("1\n23\nx\n"), [1, 23]);
    }
}
