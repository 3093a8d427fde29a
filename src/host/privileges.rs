//! What this process may do, and giving up what it need not.
//!
//! It starts as root or with some capabilities, opens what needs them, and then drops everything but what
//! attaching a new interface needs. Capabilities belong to a thread: drop before other threads start.

use std::fmt;
use std::io;

use caps::{CapSet, CapsHashSet};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};

pub use caps::Capability;

/// The user that is dropped to, where nothing else is said.
pub const DEFAULT_USER: &str = "ddbwatch";

/// What a user is called that owns nothing, and its number where even the name is missing.
const NOBODY: &str = "nobody";
const NOBODY_ID: u32 = 65_534;

/// What the back-end of this name needs to watch a further interface; nothing for what has no interfaces.
#[must_use]
pub fn needed(backend: &str) -> &'static [Capability] {
    match backend {
        "ebpf" => &[Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON],
        "afpacket" | "pcap" => &[Capability::CAP_NET_RAW],
        _ => &[],
    }
}

/// What the program that chooses for packet sockets needs besides, to load and while it runs.
pub const SELECTION: &[Capability] = &[Capability::CAP_BPF, Capability::CAP_PERFMON];

/// Whether this process has a capability now.
#[must_use]
pub fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

/// Whether this process may use a back-end; root's capability `CAP_SYS_ADMIN` stands for `CAP_BPF` and
/// `CAP_PERFMON` on kernels before 5.8.
#[must_use]
pub fn missing(backend: &str) -> Vec<Capability> {
    missing_of(needed(backend))
}

/// Those that this process has not, and that nothing stands in for.
#[must_use]
pub fn missing_of(needed: &[Capability]) -> Vec<Capability> {
    needed
        .iter()
        .copied()
        .filter(|&capability| {
            let has_stand_in = matches!(capability, Capability::CAP_BPF | Capability::CAP_PERFMON)
                && has(Capability::CAP_SYS_ADMIN);
            !has(capability) && !has_stand_in
        })
        .collect()
}

/// The name of the user this process runs as, or its number.
#[must_use]
pub fn user_name() -> String {
    let id = Uid::effective();
    User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name)
}

/// Whether there is such a user.
#[must_use]
pub fn has_user(name: &str) -> bool {
    User::from_name(name).ok().flatten().is_some()
}

/// What holds after dropping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The user it runs as now.
    pub user: String,
    /// What it may still do.
    pub kept: Vec<Capability>,
    pub has_no_new_privileges: bool,
    /// What is not as it should be, in sentences.
    pub notes: Vec<String>,
}

/// For the log: `runs as ddbwatch with CAP_NET_RAW, no new privileges`.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runs as {} with ", self.user)?;
        if self.kept.is_empty() {
            f.write_str("no capability")?;
        }
        for (index, capability) in self.kept.iter().enumerate() {
            write!(f, "{}{capability}", if index == 0 { "" } else { ", " })?;
        }
        f.write_str(if self.has_no_new_privileges { ", no new privileges" } else { "" })
    }
}

/// Why privileges could not be dropped. Whoever gets this must not go on.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The kernel refuses.
    #[error("cannot give up privileges: {step}: {source}")]
    Step { step: &'static str, source: io::Error },
    /// It seemed to work, but something is left.
    #[error("cannot give up privileges: the process could still become {0} again")]
    Left(&'static str),
}

fn step(step: &'static str) -> impl Fn(nix::Error) -> PrivilegeError {
    move |error| PrivilegeError::Step { step, source: error.into() }
}

fn capability_step(step: &'static str) -> impl Fn(caps::errors::CapsError) -> PrivilegeError {
    move |error| PrivilegeError::Step { step, source: io::Error::other(error.to_string()) }
}

/// Becomes `user` (or nobody), keeps no capability but `keep`, and can never get more.
///
/// Started as another user than root, it stays that user and only gives up capabilities. Files and
/// folders that are written later must belong to the user already.
///
/// # Errors
/// Where any step fails; the process then has more than it should and must end.
pub fn drop_to(user: &str, keep: &[Capability]) -> Result<Dropped, PrivilegeError> {
    give_up(Some(user), keep)
}

/// Stays the user it is, keeps no capability but `keep`, and can never get more.
///
/// # Errors
/// As [`drop_to`].
pub fn keep_only(keep: &[Capability]) -> Result<Dropped, PrivilegeError> {
    let has = |capability: &Capability| caps::has_cap(None, CapSet::Permitted, *capability).unwrap_or(false);
    let there: Vec<Capability> = keep.iter().copied().filter(has).collect();
    give_up(None, &there)
}

fn give_up(user: Option<&str>, keep: &[Capability]) -> Result<Dropped, PrivilegeError> {
    let mut notes = Vec::new();
    let may_have = caps::read(None, CapSet::Permitted).map_err(capability_step("reading capabilities"))?;
    let kept: CapsHashSet = keep.iter().copied().filter(|capability| may_have.contains(capability)).collect();
    for capability in keep.iter().filter(|capability| !kept.contains(capability)) {
        notes.push(format!(
            "{capability} is not there to be kept: interfaces that appear later may be missed"
        ));
    }
    // Packets are in memory: no core file shall hold them.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(step("forbidding core files"))?;
    if may_have.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all() {
            // A capability that this kernel does not know cannot be dropped, nor be had.
            if !kept.contains(&capability)
                && caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false)
            {
                caps::drop(None, CapSet::Bounding, capability)
                    .map_err(capability_step("narrowing the bounding set"))?;
            }
        }
    }
    if let Some(user) = user.filter(|_| Uid::effective().is_root()) {
        become_user(user, &mut notes)?;
    }
    // Ambient first: it may hold nothing that is neither permitted nor inheritable.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::set(None, CapSet::Effective, &kept).map_err(capability_step("setting capabilities"))?;
    caps::set(None, CapSet::Permitted, &kept).map_err(capability_step("setting capabilities"))?;
    caps::clear(None, CapSet::Inheritable).map_err(capability_step("setting capabilities"))?;
    nix::sys::prctl::set_no_new_privs().map_err(step("no_new_privs"))?;
    // Changing the user hid /proc/self from the process itself, which counts its own descriptors there.
    let _ = nix::sys::prctl::set_dumpable(true);
    let may_be_root = user.is_none() && Uid::effective().is_root();
    if !may_be_root && setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok() {
        return Err(PrivilegeError::Left("root"));
    }
    let threads = threads();
    if threads > 1 {
        notes.push(format!(
            "{threads} threads run already; capabilities were given up in one of them and in those it starts"
        ));
    }
    let mut list: Vec<Capability> = kept.into_iter().collect();
    list.sort_by_key(Capability::index);
    Ok(Dropped {
        user: user_name(),
        kept: list,
        has_no_new_privileges: nix::sys::prctl::get_no_new_privs().unwrap_or(false),
        notes,
    })
}

/// Changes the user and its groups, keeping capabilities for the moment.
fn become_user(user: &str, notes: &mut Vec<String>) -> Result<(), PrivilegeError> {
    let found = |name: &str| User::from_name(name).ok().flatten().map(|user| (user.uid, user.gid));
    let (uid, gid) = found(user).filter(|(uid, _)| !uid.is_root()).unwrap_or_else(|| {
        notes.push(format!(
            "there is no user {user}, so it runs as {NOBODY}; make one: useradd --system --shell /usr/sbin/nologin {user}"
        ));
        found(NOBODY).unwrap_or((Uid::from_raw(NOBODY_ID), Gid::from_raw(NOBODY_ID)))
    });
    nix::sys::prctl::set_keepcaps(true).map_err(step("keeping capabilities over the change of user"))?;
    setgroups(&[]).map_err(step("leaving all groups"))?;
    setresgid(gid, gid, gid).map_err(step("changing the group"))?;
    setresuid(uid, uid, uid).map_err(step("changing the user"))?;
    Ok(())
}

/// How many threads this process has; 1 where it cannot be read.
pub(super) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, |tasks| tasks.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_the_back_ends_need() {
        assert_eq!(needed("afpacket"), [Capability::CAP_NET_RAW]);
        assert_eq!(needed("ebpf").len(), 3);
        assert_eq!(needed("replay"), []);
        for backend in ["ebpf", "afpacket", "pcap"] {
            let missing = missing(backend);
            assert!(missing.iter().all(|capability| needed(backend).contains(capability)));
        }
    }

    #[test]
    fn says_what_holds() {
        let dropped = Dropped {
            user: "ddbwatch".to_owned(),
            kept: vec![Capability::CAP_NET_ADMIN, Capability::CAP_BPF],
            has_no_new_privileges: true,
            notes: Vec::new(),
        };
        assert_eq!(dropped.to_string(), "runs as ddbwatch with CAP_NET_ADMIN, CAP_BPF, no new privileges");
        assert_eq!(
            Dropped { kept: Vec::new(), has_no_new_privileges: false, ..dropped }.to_string(),
            "runs as ddbwatch with no capability"
        );
    }

    #[test]
    fn knows_its_own_user() {
        assert!(!user_name().is_empty());
        assert!(!has_user("no-such-user-here"));
        assert!(threads() >= 1);
    }
}
