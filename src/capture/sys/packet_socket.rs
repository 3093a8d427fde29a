//! A packet socket with a mapped ring of blocks (`AF_PACKET`, `TPACKET_V3`; packet(7),
//! Documentation/networking/packet_mmap.rst of the kernel).

use std::io;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_uint, c_void, socklen_t};

/// Where the owner of a block stands in it: after the version and the offset of the private area.
const STATUS_OFFSET: usize = 8;

/// What of a frame a socket gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStart {
    /// The link header (`SOCK_RAW`).
    Link,
    /// The network header (`SOCK_DGRAM`), for devices without a link header worth its name.
    Network,
}

/// Size of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingShape {
    /// A power of two and a multiple of the page size; the largest frame must fit.
    pub block_bytes: u32,
    pub blocks: u32,
    /// A block that is not full is handed over after this time.
    pub retire_milliseconds: u32,
    /// Free bytes in front of each frame.
    pub reserve_bytes: u32,
}

/// One instruction of classic BPF, as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    /// Instructions to skip if the comparison holds, and if not.
    pub jump_true: u8,
    pub jump_false: u8,
    pub operand: u32,
}

impl Instruction {
    /// The program that keeps nothing of a frame: it returns 0 [Documentation/networking/filter.rst].
    pub const NOTHING: &[Self] =
        &[Self { code: libc::BPF_RET as u16, jump_true: 0, jump_false: 0, operand: 0 }];
}

/// What the kernel counted since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStatistics {
    /// Frames that passed the filter, those dropped included.
    pub frames: u64,
    /// Frames for which no block was free.
    pub dropped: u64,
}

/// A packet socket that sees nothing before [`PacketSocket::bind`].
#[derive(Debug)]
pub struct PacketSocket {
    descriptor: OwnedFd,
}

impl PacketSocket {
    /// A socket without interface and protocol.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn open(start: FrameStart) -> io::Result<Self> {
        let kind = match start {
            FrameStart::Link => libc::SOCK_RAW,
            FrameStart::Network => libc::SOCK_DGRAM,
        };
        // SAFETY: socket takes three numbers; its result is checked before it is used.
        let descriptor =
            unsafe { libc::socket(libc::AF_PACKET, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, is valid, and nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { descriptor })
    }

    fn set<T>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        // SAFETY: the kernel reads as many bytes as `value` has, while it is borrowed.
        let result = unsafe {
            libc::setsockopt(
                self.descriptor.as_raw_fd(),
                level,
                name,
                ptr::from_ref(value).cast::<c_void>(),
                size_of_val(value) as socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A classic filter. It also decides how many bytes of a frame are kept.
    ///
    /// # Errors
    /// Where the kernel refuses the program.
    pub fn attach_classic(&self, program: &[Instruction]) -> io::Result<()> {
        let mut filter: Vec<libc::sock_filter> = program
            .iter()
            .map(|instruction| libc::sock_filter {
                code: instruction.code,
                jt: instruction.jump_true,
                jf: instruction.jump_false,
                k: instruction.operand,
            })
            .collect();
        let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // The pointer is into `filter`, which lives until after the call; the kernel copies it.
        let program = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Keeps the filter as it is, whatever is asked of the socket later.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn lock_filter(&self) -> io::Result<()> {
        let is_locked: c_int = 1;
        self.set(libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &is_locked)
    }

    /// An eBPF program of type socket filter, by its descriptor.
    ///
    /// # Errors
    /// Where it is no such program.
    pub fn attach_extended(&self, program: RawFd) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_BPF, &program)
    }

    /// Frames that this host sends are not shown any more (Linux 4.20).
    ///
    /// # Errors
    /// `ENOPROTOOPT` on older kernels.
    pub fn ignore_outgoing(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &(1 as c_int))
    }

    /// Shares what the interface sees with the other sockets of `group`, flow by flow in either
    /// direction; fragments are put together first. Without a group a new one is made. Says which group
    /// it is. Only after [`PacketSocket::bind`]. What the sockets themselves were told of outgoing frames is
    /// not heeded in a group, so it is told again; Linux 6.1 heeds neither, and each frame that is sent to the same host is a
    /// second sighting.
    ///
    /// # Errors
    /// Where a member of the group is bound to another interface.
    pub fn join_fanout(&self, group: Option<u16>, ignores_outgoing: bool) -> io::Result<u16> {
        let mut way = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;
        if ignores_outgoing {
            way |= libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        }
        if group.is_none() {
            // The kernel chooses a number that nobody has: another program's group is not joined by accident.
            way |= libc::PACKET_FANOUT_FLAG_UNIQUEID;
        }
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &(u32::from(group.unwrap_or(0)) | (way << 16)))?;
        let mut joined: c_uint = 0;
        self.get(libc::SOL_PACKET, libc::PACKET_FANOUT, &mut joined)?;
        // The low half is the number.
        Ok(joined as u16)
    }

    /// Has the interface hand over frames that are addressed to others, as long as the socket lives.
    ///
    /// # Errors
    /// Where there is no such interface.
    pub fn be_promiscuous(&self, interface: u32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: interface as c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// Begins to see every protocol on `interface`.
    ///
    /// # Errors
    /// `ENODEV` without such an interface, `ENETDOWN` where it is down.
    pub fn bind(&self, interface: u32) -> io::Result<()> {
        self.bind_to(interface, libc::ETH_P_ALL as u16)
    }

    /// Begins to see one protocol, on `interface` or, with 0, on every one.
    ///
    /// # Errors
    /// As [`PacketSocket::bind`].
    pub fn bind_to(&self, interface: u32, ether_type: u16) -> io::Result<()> {
        // SAFETY: all zeros is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ether_type.to_be();
        address.sll_ifindex = interface as c_int;
        // SAFETY: the kernel reads one sockaddr_ll, which is borrowed during the call.
        let result = unsafe {
            libc::bind(
                self.descriptor.as_raw_fd(),
                (&raw const address).cast::<libc::sockaddr>(),
                size_of::<libc::sockaddr_ll>() as socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// What happened to the socket since it was asked last, such as `ENETDOWN`.
    ///
    /// # Errors
    /// Where the kernel does not answer.
    pub fn pending_error(&self) -> io::Result<Option<io::Error>> {
        let mut error: c_int = 0;
        self.get(libc::SOL_SOCKET, libc::SO_ERROR, &mut error)?;
        Ok((error != 0).then(|| io::Error::from_raw_os_error(error)))
    }

    fn get<T>(&self, level: c_int, name: c_int, value: &mut T) -> io::Result<()> {
        let mut length = size_of::<T>() as socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `value`; it is asked only for types of
        // plain numbers, of which every bit pattern is valid.
        let result = unsafe {
            libc::getsockopt(
                self.descriptor.as_raw_fd(),
                level,
                name,
                ptr::from_mut(value).cast::<c_void>(),
                &raw mut length,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Maps a ring. It must be done before [`PacketSocket::bind`], so that no frame takes another way.
    ///
    /// # Errors
    /// `ENOMEM` where the kernel finds no room for the ring.
    pub fn into_ring(self, shape: RingShape) -> io::Result<MappedRing> {
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as c_int))?;
        self.set(libc::SOL_PACKET, libc::PACKET_RESERVE, &shape.reserve_bytes)?;
        // Frames have no slots of fixed size in this version; the kernel only checks the sum.
        let frame_bytes: c_uint = 2_048;
        let request = libc::tpacket_req3 {
            tp_block_size: shape.block_bytes,
            tp_block_nr: shape.blocks,
            tp_frame_size: frame_bytes,
            tp_frame_nr: (shape.block_bytes / frame_bytes) * shape.blocks,
            tp_retire_blk_tov: shape.retire_milliseconds,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let bytes = shape.block_bytes as usize * shape.blocks as usize;
        // SAFETY: a new mapping at an address the kernel chooses; its result is checked.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.descriptor.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        Ok(MappedRing {
            socket: self,
            start,
            block_bytes: shape.block_bytes as usize,
            blocks: shape.blocks as usize,
        })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A packet socket and the memory it shares with the kernel.
#[derive(Debug)]
pub struct MappedRing {
    socket: PacketSocket,
    start: NonNull<u8>,
    block_bytes: usize,
    blocks: usize,
}

// SAFETY: the mapping belongs to this value alone and is reached only through it; nothing in it is
// bound to the thread that made it.
unsafe impl Send for MappedRing {}

impl MappedRing {
    /// The socket.
    #[must_use]
    pub const fn socket(&self) -> &PacketSocket {
        &self.socket
    }

    /// The size of the mapping.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.block_bytes as u64 * self.blocks as u64
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.blocks
    }

    /// Where block `index` begins; the number is taken round the ring, so it is always inside.
    const fn block_start(&self, index: usize) -> NonNull<u8> {
        // SAFETY: `index % blocks` is below `blocks`, so the result lies within the mapping of
        // `block_bytes * blocks` bytes, which lives as long as `self`.
        unsafe { self.start.add((index % self.blocks) * self.block_bytes) }
    }

    const fn status(&self, index: usize) -> &AtomicU32 {
        // SAFETY: the status word is inside the block (blocks are whole pages), aligned to four bytes
        // because blocks are aligned to pages, and both sides only touch it as one word.
        unsafe { AtomicU32::from_ptr(self.block_start(index).as_ptr().add(STATUS_OFFSET).cast::<u32>()) }
    }

    /// The block, if the kernel has handed it over.
    #[inline]
    pub fn block(&mut self, index: usize) -> Option<&mut [u8]> {
        // Acquire: what the kernel wrote into the block before it gave it away is seen after this.
        if self.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the range is one block of the mapping. The kernel does not touch a block that it has
        // handed over until `release`, which cannot be called while the slice is borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(self.block_start(index).as_ptr(), self.block_bytes) })
    }

    /// Gives the block back to the kernel.
    #[inline]
    pub fn release(&mut self, index: usize) {
        // Release: what was read from the block was read before it is given away.
        self.status(index).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }

    /// What was counted since this was called last: reading sets the kernel's counters to zero.
    ///
    /// # Errors
    /// Where the kernel does not answer.
    pub fn statistics(&self) -> io::Result<RingStatistics> {
        let mut counted = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        self.socket.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counted)?;
        Ok(RingStatistics { frames: u64::from(counted.tp_packets), dropped: u64::from(counted.tp_drops) })
    }
}

impl Drop for MappedRing {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `into_ring`; no slice into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast::<c_void>(), self.block_bytes * self.blocks) };
    }
}
