//! Whose a flow is: process, container and unit of flows that begin or end on this host.
//!
//! Input: the two ends of a flow. Output: [`Owner`], as far as it can be known, or that the flow is only
//! forwarded. The kernel is asked for the socket (sock_diag) and its control group, and the processes of that
//! group for who holds it. Everything has a budget: what costs too much is left unknown and counted. It looks at
//! no packet, and only at sockets of its own network namespace: to the host, flows of containers with one
//! of their own are forwarded.

mod cgroup;
mod sockets;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::sockets::{Socket, Sockets};
use super::routes;

pub use cgroup::{Place, read as read_cgroup};

/// Time that looking for owners may take in each second of the clock.
const BUDGET: Duration = Duration::from_millis(20);

/// Control groups that are walked over to find one by its number.
const MAX_GROUPS: usize = 20_000;

/// Processes of one group, and descriptors of one process, that are looked at.
const MAX_PROCESSES: usize = 512;
const MAX_DESCRIPTORS: usize = 4_096;

/// The tree of control groups is walked over again at most this often.
const GROUPS_AGE: Duration = Duration::from_secs(10);

/// Where a flow begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// One end is an address of this host.
    Local,
    /// It only passes.
    Forwarded,
}

impl Origin {
    /// The word of the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Forwarded => "forwarded",
        }
    }
}

/// Whose a flow is; what is not known for certain is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub pid: Option<u32>,
    /// The short name of the process (`comm`).
    pub process: Option<Arc<str>>,
    pub container: Option<Arc<str>>,
    /// The systemd unit.
    pub unit: Option<Arc<str>>,
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
    own: HashSet<IpAddr>,
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
    /// # Errors
    /// Where the kernel does not tell its addresses.
    pub fn open() -> io::Result<Self> {
        let mut attribution = Self {
            own: HashSet::new(),
            sockets: Sockets::open(),
            proc: PathBuf::from("/proc"),
            groups_root: cgroup::root(),
            groups: HashMap::new(),
            groups_read: None,
            second: Instant::now(),
            spent: Duration::ZERO,
            counts: Counts::default(),
        };
        attribution.refresh_addresses()?;
        Ok(attribution)
    }

    /// Asks for the addresses of this host again, as after [`super::links::LinkEvent::Addresses`].
    ///
    /// # Errors
    /// Where the kernel does not answer; the former ones stay.
    pub fn refresh_addresses(&mut self) -> io::Result<()> {
        self.own = routes::own_addresses()?.into_iter().collect();
        Ok(())
    }

    /// Whether a flow between these addresses begins or ends here.
    #[must_use]
    pub fn origin(&self, one: IpAddr, other: IpAddr) -> Origin {
        if self.own.contains(&one) || self.own.contains(&other) { Origin::Local } else { Origin::Forwarded }
    }

    /// What was looked for so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whose the flow is, of which `client` opened the connection. To be asked once per flow, while it is open;
    /// it may take as long as the budget.
    pub fn owner(&mut self, client: SocketAddr, server: SocketAddr) -> Option<Owner> {
        // Where both ends are here, who opened it is meant.
        let (local, remote) = if self.own.contains(&client.ip()) {
            (client, server)
        } else if self.own.contains(&server.ip()) {
            (server, client)
        } else {
            return None;
        };
        self.counts.asked += 1;
        let start = Instant::now();
        if start.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = start;
            self.spent = Duration::ZERO;
        }
        if self.spent >= BUDGET {
            self.counts.over_budget += 1;
            return None;
        }
        let owner = self.sockets.find(local, remote).map(|socket| self.owner_of(&socket));
        self.spent += start.elapsed();
        let owner = owner.filter(|owner| *owner != Owner::default())?;
        self.counts.found += 1;
        Some(owner)
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
                let place = cgroup::of_process(&groups);
                (owner.container, owner.unit) = (place.container, place.unit);
            }
        }
        if let Some(path) = group {
            let place = cgroup::read(&path);
            (owner.container, owner.unit) = (place.container, place.unit);
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_its_own_process() {
        let Ok(mut attribution) = Attribution::open() else { return };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (client, server) = (stream.local_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(attribution.origin(client.ip(), server.ip()), Origin::Local);
        let Some(owner) = attribution.owner(client, server) else {
            // A busy machine may have more processes than the budget allows to look at.
            assert!(attribution.counts().asked == 1);
            return;
        };
        if let Some(pid) = owner.pid {
            assert_eq!(pid, std::process::id());
        }
        drop(stream);
        assert!(attribution.counts().found == 1);
    }

    #[test]
    fn guesses_nothing_of_forwarded_flows() {
        let Ok(mut attribution) = Attribution::open() else { return };
        let (client, server) = ("192.0.2.1:5".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        assert_eq!(attribution.owner(client, server), None);
        assert_eq!(attribution.origin(client.ip(), server.ip()), Origin::Forwarded);
        assert_eq!(attribution.counts(), Counts::default());
    }

    #[test]
    fn keeps_to_its_budget() {
        let Ok(mut attribution) = Attribution::open() else { return };
        let (client, server) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        attribution.spent = BUDGET;
        assert_eq!(attribution.owner(client, server), None);
        assert_eq!(attribution.counts(), Counts { asked: 1, found: 0, over_budget: 1 });
        // The next second has its own.
        attribution.second = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        assert_eq!(attribution.owner(client, server), None);
        assert_eq!(attribution.counts().over_budget, 1);
    }

    #[test]
    fn one_process_alone_in_its_group_is_certain() {
        let Ok(mut attribution) = Attribution::open() else { return };
        let folder = tempfile::tempdir().unwrap();
        attribution.proc = folder.path().to_owned();
        let socket = |group| Socket { inode: 7, group };
        assert_eq!(attribution.holder(&[41], &socket(Some(1))), Some(41));
        assert_eq!(attribution.holder(&[41], &socket(None)), None, "any process might be it");
        assert_eq!(attribution.holder(&[41, 42], &socket(Some(1))), None);
        let descriptors = folder.path().join("42/fd");
        std::fs::create_dir_all(&descriptors).unwrap();
        std::os::unix::fs::symlink("socket:[7]", descriptors.join("3")).unwrap();
        assert_eq!(attribution.holder(&[41, 42], &socket(Some(1))), Some(42));
        // Its descriptors can be read, and the socket is not among them.
        assert_eq!(attribution.holder(&[42], &Socket { inode: 8, group: Some(1) }), None);
        assert_eq!(read_pids("1\n23\nx\n"), [1, 23]);
    }
}
