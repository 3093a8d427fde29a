//! Walls around this process: a list of allowed system calls (seccomp) and of reachable files and ports
//! (Landlock), where the kernel has them.
//!
//! Both only ever get narrower and go over to every thread that is started later: build them when
//! everything is open and before threads start. What the kernel lacks is left out and said.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// The newest Landlock whose rights are asked for; an older kernel gives what it has.
const LANDLOCK: ABI = ABI::V5;

/// What stays reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachable {
    /// Files, or folders with all in them, that are read. Configuration is named by its folder, because an
    /// editor puts a new file in its place.
    pub read: Vec<PathBuf>,
    /// Folders in which files are written, made, renamed and removed.
    pub write: Vec<PathBuf>,
    /// Ports that may be listened on.
    pub listen: Vec<u16>,
    /// eBPF programs and maps are used.
    pub uses_bpf: bool,
}

impl Reachable {
    /// What every run reads while it runs: its own state and that of interfaces, control groups and sockets.
    #[must_use]
    pub fn system() -> Self {
        Self { read: vec!["/proc".into(), "/sys".into()], ..Self::default() }
    }
}

/// What holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined {
    pub files: Wall,
    pub calls: Wall,
    /// What is not as it should be, in sentences.
    pub notes: Vec<String>,
}

/// How far a wall stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wall {
    /// All that was asked for.
    Stands,
    /// The kernel is older than some of it.
    Partly,
    /// Nothing, and why.
    Missing(String),
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stands => f.write_str("on"),
            Self::Partly => f.write_str("partly on"),
            Self::Missing(why) => write!(f, "off: {why}"),
        }
    }
}

/// For the log: `files and ports: on, system calls: on`.
impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files and ports: {}, system calls: {}", self.files, self.calls)
    }
}

/// Builds both walls. It needs `no_new_privs`, which [`super::privileges::drop_to`] sets.
#[must_use]
pub fn confine(reachable: &Reachable) -> Confined {
    let mut notes = Vec::new();
    // Landlock first: its calls are not in the list.
    let files = confine_files(reachable, &mut notes).unwrap_or_else(|error| {
        notes.push(format!("files and ports are not walled off: {error}"));
        Wall::Missing(error.to_string())
    });
    let calls = match confine_calls(reachable.uses_bpf) {
        Ok(()) => Wall::Stands,
        Err(error) => {
            notes.push(format!("system calls are not walled off: {error}"));
            Wall::Missing(error.to_string())
        }
    };
    let threads = super::privileges::threads();
    if threads > 1 && !matches!(files, Wall::Missing(_)) {
        notes.push(format!(
            "{threads} threads run already; files are walled off for one of them and those it starts"
        ));
    }
    Confined { files, calls, notes }
}

fn confine_files(reachable: &Reachable, notes: &mut Vec<String>) -> Result<Wall, landlock::RulesetError> {
    let all = AccessFs::from_all(LANDLOCK);
    let reading: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = reading
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate
        | AccessFs::Refer;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        // Nothing is connected to, and nothing listened on that is not named.
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .create()?;
    for (paths, access) in [(&reachable.read, reading), (&reachable.write, writing)] {
        for path in paths {
            match PathFd::new(path) {
                Ok(descriptor) => {
                    // A file has only the rights of files.
                    let access = if path.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK) };
                    ruleset = ruleset.add_rule(PathBeneath::new(descriptor, access))?;
                }
                Err(error) => notes.push(out_of_reach(path, &error)),
            }
        }
    }
    for port in &reachable.listen {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    Ok(match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Wall::Stands,
        RulesetStatus::PartiallyEnforced => Wall::Partly,
        RulesetStatus::NotEnforced => Wall::Missing("the kernel has no Landlock (5.13 or newer)".to_owned()),
    })
}

/// Says why a path stays out of reach.
fn out_of_reach(path: &Path, error: &dyn std::error::Error) -> String {
    let why = match error.source().and_then(|source| source.downcast_ref::<std::io::Error>()) {
        Some(error) if error.kind() == std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        Some(error) => error.to_string(),
        None => error.to_string(),
    };
    format!("{} stays out of reach: {why}", path.display())
}

/// How far the wall around files would stand on this kernel. Tried in a thread of its own, which ends confined.
#[must_use]
pub fn landlock_status() -> Wall {
    std::thread::spawn(|| {
        confine_files(&Reachable::default(), &mut Vec::new())
            .unwrap_or_else(|error| Wall::Missing(error.to_string()))
    })
    .join()
    .unwrap_or_else(|_| Wall::Missing("it could not be asked".to_owned()))
}

/// Calls without a condition. By groups: files; memory; waiting; time; threads; network; the process
/// itself.
///
/// Not in it, and so refused with `EPERM`, is among others whatever starts a program (`execve`,
/// `fork`), looks into another process (`ptrace`, `process_vm_readv`, `pidfd_getfd`), changes what is
/// mounted or which namespace it is in, opens files past their paths (`open_by_handle_at`), loads code into
/// the kernel (`init_module`, `kexec_load`), changes users or capabilities, or has had many holes (`io_uring`,
/// `userfaultfd`, `keyctl`). Refused and not killed: an observer that a library's surprise ends is blind, while
/// the forbidden thing does not happen either way.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_close,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    libc::SYS_capget,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
];

/// The same by their old names, which newer platforms do not have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: &[libc::c_long] = &[libc::SYS_renameat];

/// The families of sockets that are opened: to the system's log and manager, for metrics, for interfaces,
/// for packets.
const FAMILIES: &[libc::c_int] =
    &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];

/// PR_SET_NAME, which every named thread does.
const NAME_OF_THREAD: u64 = 15;
/// PR_SET_VMA, with which glibc and Rust name memory.
const NAME_OF_MEMORY: u64 = 0x5356_4d41;

/// TIOCSTI, whose type differs between C libraries.
const TYPE_INTO_TERMINAL: u64 = 0x5412;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rule(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
}

fn rules(uses_bpf: bool) -> Result<Rules, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let mut rules: Rules = ALLOWED.iter().chain(ALLOWED_OLD).map(|&call| (call, Vec::new())).collect();
    if uses_bpf {
        rules.insert(libc::SYS_bpf, Vec::new());
        rules.insert(libc::SYS_perf_event_open, Vec::new());
    }
    // Threads, never processes. clone3 hides its flags in memory, so it does not exist here (see below).
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![rule(0, Qword, MaskedEq(thread), thread)?]);
    rules.insert(libc::SYS_clone3, Vec::new());
    // Memory that is written is never executed.
    let executable = libc::PROT_EXEC as u64;
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![rule(2, Dword, MaskedEq(executable), 0)?]);
    }
    let families: Result<Vec<SeccompRule>, _> =
        FAMILIES.iter().map(|&family| rule(0, Dword, Eq, family as u64)).collect();
    rules.insert(libc::SYS_socket, families?);
    // Typing into the terminal that started it would be a way out.
    rules.insert(libc::SYS_ioctl, vec![rule(1, Dword, Ne, TYPE_INTO_TERMINAL)?]);
    rules.insert(
        libc::SYS_prctl,
        vec![rule(0, Dword, Eq, NAME_OF_THREAD)?, rule(0, Dword, Eq, NAME_OF_MEMORY)?],
    );
    // Limits are read, not set, and of no other process.
    rules.insert(
        libc::SYS_prlimit64,
        vec![SeccompRule::new(vec![
            SeccompCondition::new(0, Dword, Eq, 0)?,
            SeccompCondition::new(2, Qword, Eq, 0)?,
        ])?],
    );
    // A signal to itself, as abort() sends.
    let own = u64::from(std::process::id());
    for call in [libc::SYS_tgkill, libc::SYS_kill] {
        rules.insert(call, vec![rule(0, Dword, Eq, own)?]);
    }
    Ok(rules)
}

fn confine_calls(uses_bpf: bool) -> Result<(), seccompiler::Error> {
    let architecture = std::env::consts::ARCH.try_into().map_err(seccompiler::Error::Backend)?;
    let program = |rules, otherwise, then| -> Result<seccompiler::BpfProgram, seccompiler::Error> {
        let filter = SeccompFilter::new(rules, otherwise, then, architecture);
        filter.and_then(TryInto::try_into).map_err(seccompiler::Error::Backend)
    };
    let allowed = program(
        rules(uses_bpf).map_err(seccompiler::Error::Backend)?,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
    )?;
    // The C library asks for clone3 first and takes clone only where the former does not exist.
    let old_clone = program(
        [(libc::SYS_clone3, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
    )?;
    seccompiler::apply_filter_all_threads(&old_clone)?;
    seccompiler::apply_filter_all_threads(&allowed)
}

/// Whether the kernel takes filters of system calls, without putting one up.
#[must_use]
pub fn has_seccomp() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")
        .is_ok_and(|actions| actions.split_whitespace().any(|action| action == "errno"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_path_stays_out_of_reach() {
        for (path, why) in [("/no/such/folder", "is not there"), ("/proc/self/stat/x", "Not a directory")] {
            let path = Path::new(path);
            let error = PathFd::new(path).unwrap_err();
            let told = out_of_reach(path, &error);
            assert!(told.contains(why) && told.contains("stays out of reach"), "{told}");
        }
    }

    #[test]
    fn allows_nothing_that_leads_out() {
        let rules = rules(false).unwrap();
        for call in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_open_by_handle_at,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_kexec_load,
            libc::SYS_setuid,
            libc::SYS_setresuid,
            libc::SYS_capset,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
        ] {
            assert!(!rules.contains_key(&call), "{call}");
        }
        assert!(super::rules(true).unwrap().contains_key(&libc::SYS_bpf));
        // A condition on what must have one.
        for call in [libc::SYS_clone, libc::SYS_mmap, libc::SYS_socket, libc::SYS_ioctl, libc::SYS_prctl] {
            assert!(!rules[&call].is_empty(), "{call}");
        }
    }

    #[test]
    fn says_what_holds() {
        let confined = Confined {
            files: Wall::Partly,
            calls: Wall::Missing("no seccomp".to_owned()),
            notes: Vec::new(),
        };
        assert_eq!(confined.to_string(), "files and ports: partly on, system calls: off: no seccomp");
    }
}
