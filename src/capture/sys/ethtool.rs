//! Driver statistics and offload settings of an interface (`SIOCETHTOOL`, uapi/linux/ethtool.h).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::c_char;

const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GTSO: u32 = 0x1e;
const ETHTOOL_GGSO: u32 = 0x23;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;

const STRING_SET_STATISTICS: u32 = 1;
const STRING_BYTES: usize = 32;
const FLAG_RECEIVE_VLAN: u32 = 1 << 8;
const FLAG_LRO: u32 = 1 << 15;

/// More driver counters than this are not read: the largest drivers have some thousands, per queue.
const MAX_STATISTICS: usize = 16_384;

/// Offloads that change what a capture sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Received packets of one flow are merged by the kernel.
    pub gro: bool,
    /// The same by the hardware.
    pub lro: bool,
    /// Sent packets are cut late, by the kernel.
    pub gso: bool,
    /// The same by the hardware.
    pub tso: bool,
    /// The hardware takes the outer VLAN tag off.
    pub vlan_strip: bool,
}

/// Asks the drivers of this network namespace.
#[derive(Debug)]
pub struct Ethtool {
    socket: OwnedFd,
}

impl Ethtool {
    /// Opens the way to them.
    ///
    /// # Errors
    /// Where no socket can be made.
    pub fn open() -> io::Result<Self> {
        // SAFETY: socket takes three numbers; its result is checked before it is used.
        let descriptor = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, is valid, and nobody else has it.
        Ok(Self { socket: unsafe { OwnedFd::from_raw_fd(descriptor) } })
    }

    /// Sends a command. Its first word says what it is; the kernel answers into the same words.
    fn ask(&self, interface: &str, command: &mut [u64]) -> io::Result<()> {
        // SAFETY: all zeros is a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // The last byte stays zero, so that the name ends.
        let room = request.ifr_name.len() - 1;
        if interface.len() > room {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        for (slot, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *slot = byte as c_char;
        }
        request.ifr_ifru.ifru_data = command.as_mut_ptr().cast::<c_char>();
        // SAFETY: the request points to `command`, which is borrowed for the call. How much the kernel
        // writes follows from the command; every caller gives at least that much room.
        let result =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// A setting that is one number.
    fn value(&self, interface: &str, command: u32) -> io::Result<u32> {
        // struct ethtool_value: two words of 32 bits.
        let mut words = [pack(command, 0)];
        self.ask(interface, &mut words)?;
        let [word] = words;
        Ok(unpack(word).1)
    }

    /// Which offloads are on.
    ///
    /// # Errors
    /// Where there is no such interface, or its driver knows of no offloads.
    pub fn offloads(&self, interface: &str) -> io::Result<Offloads> {
        let flags = self.value(interface, ETHTOOL_GFLAGS)?;
        let is_on = |command| self.value(interface, command).is_ok_and(|value| value != 0);
        Ok(Offloads {
            gro: is_on(ETHTOOL_GGRO),
            gso: is_on(ETHTOOL_GGSO),
            tso: is_on(ETHTOOL_GTSO),
            lro: flags & FLAG_LRO != 0,
            vlan_strip: flags & FLAG_RECEIVE_VLAN != 0,
        })
    }

    /// The driver's own counters by name; empty where it has none.
    ///
    /// # Errors
    /// Where the driver does not answer.
    pub fn statistics(&self, interface: &str) -> io::Result<Vec<(String, u64)>> {
        // struct ethtool_sset_info: command, reserved, a mask of 64 bits, one count for each bit.
        let mut info = [pack(ETHTOOL_GSSET_INFO, 0), 1 << STRING_SET_STATISTICS, 0];
        match self.ask(interface, &mut info) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        let [_, mask, counts] = info;
        let count = if mask == 0 { 0 } else { unpack(counts).0 as usize };
        if count == 0 || count > MAX_STATISTICS {
            return Ok(Vec::new());
        }
        // struct ethtool_gstrings: command, set, length, then strings of 32 bytes. A driver fills as many
        // as it has at this moment, whatever was asked: the room is for twice as many as it said.
        let room = count * 2;
        let mut strings = vec![0_u64; 2 + room * STRING_BYTES / 8];
        set(&mut strings, 0, pack(ETHTOOL_GSTRINGS, STRING_SET_STATISTICS));
        set(&mut strings, 1, pack(count as u32, 0));
        self.ask(interface, &mut strings)?;
        // struct ethtool_stats: command, count, then numbers of 64 bits.
        let mut numbers = vec![0_u64; 1 + room];
        set(&mut numbers, 0, pack(ETHTOOL_GSTATS, count as u32));
        self.ask(interface, &mut numbers)?;
        // The strings begin after three words of 32 bits.
        let bytes: Vec<u8> = strings.iter().flat_map(|word| word.to_ne_bytes()).skip(12).collect();
        let names = bytes.chunks_exact(STRING_BYTES).take(count).map(|name| {
            let name: Vec<u8> = name.iter().copied().take_while(|&byte| byte != 0).collect();
            String::from_utf8_lossy(&name).trim().to_owned()
        });
        Ok(names.zip(numbers.into_iter().skip(1)).filter(|(name, _)| !name.is_empty()).collect())
    }
}

fn set(words: &mut [u64], at: usize, value: u64) {
    if let Some(word) = words.get_mut(at) {
        *word = value;
    }
}

/// Two words of 32 bits as they stand in memory, one after the other.
fn pack(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn unpack(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_32_bits_keep_their_order() {
        assert_eq!(unpack(pack(1, 2)), (1, 2));
        assert_eq!(pack(0x0403_0201, 0x0807_0605).to_ne_bytes()[..4], 0x0403_0201_u32.to_ne_bytes());
    }

    #[test]
    fn the_loopback_answers() {
        let ethtool = Ethtool::open().unwrap();
        let offloads = ethtool.offloads("lo").unwrap();
        assert!(!offloads.vlan_strip || offloads.gso, "{offloads:?}");
        assert!(ethtool.statistics("lo").unwrap().len() < MAX_STATISTICS);
        assert!(ethtool.offloads("a-name-that-is-too-long").is_err());
        assert!(ethtool.statistics("no-such-if").is_err());
    }
}
