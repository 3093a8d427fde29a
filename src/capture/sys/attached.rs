//! Which programs hang at an interface (bpf(2), `BPF_PROG_QUERY`).

use std::io;
use std::mem::size_of;

/// The side of an interface, as the kernel numbers the places for programs by TCX (uapi/linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `BPF_TCX_INGRESS`
    Ingress = 46,
    /// `BPF_TCX_EGRESS`
    Egress = 47,
}

const PROG_QUERY: libc::c_int = 16;

/// The kernel lets no more hang at one side (`BPF_MPROG_MAX`).
const MOST: usize = 64;

/// The part of `union bpf_attr` for this question.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    zero: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// The kernel's numbers of the programs at a side of the interface with this number, in the order in which packets
/// meet them.
///
/// # Errors
/// Without `CAP_NET_ADMIN`, on a kernel before 6.6, and where there is no such interface.
pub fn tcx_programs(index: u32, side: Side) -> io::Result<Vec<u32>> {
    let mut programs = [0_u32; MOST];
    let mut query = Query {
        target_ifindex: index,
        attach_type: side as u32,
        prog_ids: programs.as_mut_ptr() as u64,
        count: MOST as u32,
        ..Query::default()
    };
    // SAFETY: the structure is as large as is said and the kernel writes nothing behind it; `prog_ids` has room for
    // `count` numbers and lives until after the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut query, size_of::<Query>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(programs.into_iter().take(query.count as usize).collect())
}
