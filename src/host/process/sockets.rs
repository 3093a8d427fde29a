//! The socket of a connection: by sock_diag (sock_diag(7)), which answers for one socket without any
//! privilege, or from `/proc/net/tcp`, where the kernel lacks it.

use std::net::{IpAddr, SocketAddr};

use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use crate::host::netlink::{self, FAMILY_4, FAMILY_6, Netlink};

/// SOCK_DIAG_BY_FAMILY
const BY_FAMILY: u16 = 20;
const TCP: u8 = 6;
/// Bytes of `struct inet_diag_msg`, and where the inode stands in it.
const ANSWER_BYTES: usize = 72;
const INODE: usize = 68;
const STATE: usize = 1;
/// TCP_LISTEN (tcp_states.h)
const LISTEN: u8 = 10;
/// INET_DIAG_CGROUP_ID (Linux 5.9).
const GROUP: u16 = 21;

/// The table of a host with more sockets than this is too long to be searched for each flow.
const MAX_TABLE_BYTES: u64 = 4 * 1024 * 1024;

/// A socket of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// 0 where no process holds it: it waits to be taken, or for its port to be free.
    pub inode: u32,
    /// Number of its control group.
    pub group: Option<u64>,
    /// It has no other end: the kernel names it where no connection has the ends that were asked for, and it would
    /// take one.
    pub is_listening: bool,
}

/// Asks for sockets.
pub struct Sockets {
    /// Where the kernel answers for TCP.
    netlink: Option<Netlink>,
}

impl Sockets {
    pub fn open() -> Self {
        let netlink = Netlink::open_protocol(NETLINK_SOCK_DIAG).ok();
        Self { netlink: netlink.and_then(|mut netlink| is_served(&mut netlink).then_some(netlink)) }
    }

    /// The socket with these ends; `None` where there is none any more.
    pub fn find(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
        let Some(netlink) = &mut self.netlink else { return find_in_tables(local, remote) };
        let mut found = None;
        let result = netlink.ask(BY_FAMILY, false, &question(local, remote, u32::MAX)?, &mut |message| {
            found = read(message.body);
        });
        match result {
            Ok(()) => found,
            // ENOENT: there is none with these ends, as for each flow that only passes.
            Err(_) => None,
        }
    }
}

/// Whether the kernel answers for TCP (`tcp_diag`). Asked for one socket it says ENOENT also where it does not, so it is
/// asked for all that are in no state, which are none.
fn is_served(netlink: &mut Netlink) -> bool {
    let nobody = SocketAddr::from(([0; 4], 0));
    question(nobody, nobody, 0).is_some_and(|all| netlink.ask(BY_FAMILY, true, &all, &mut |_| {}).is_ok())
}

/// `struct inet_diag_req_v2` for sockets in these states; `None` where the ends are of two versions.
fn question(local: SocketAddr, remote: SocketAddr, states: u32) -> Option<Vec<u8>> {
    if local.is_ipv4() != remote.is_ipv4() {
        return None;
    }
    let mut body = vec![if local.is_ipv4() { FAMILY_4 } else { FAMILY_6 }, TCP, 0, 0];
    body.extend(states.to_ne_bytes());
    body.extend(local.port().to_be_bytes());
    body.extend(remote.port().to_be_bytes());
    for end in [local.ip(), remote.ip()] {
        match end {
            IpAddr::V4(address) => {
                body.extend(address.octets());
                body.extend([0; 12]);
            }
            IpAddr::V6(address) => body.extend(address.octets()),
        }
    }
    body.extend(0_u32.to_ne_bytes());
    // INET_DIAG_NOCOOKIE, twice
    body.extend([0xff; 8]);
    Some(body)
}

fn read(body: &[u8]) -> Option<Socket> {
    let inode = netlink::word_at(body, INODE)?;
    let group = netlink::attributes(body.get(ANSWER_BYTES..)?)
        .find(|(kind, _)| *kind == GROUP)
        .and_then(|(_, value)| netlink::double_at(value, 0));
    Some(Socket { inode, group, is_listening: body.get(STATE) == Some(&LISTEN) })
}

fn find_in_tables(local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    let name = if local.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let mut text = String::new();
    let file = std::fs::File::open(name).ok()?;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, MAX_TABLE_BYTES), &mut text).ok()?;
    find_in_table(&text, local, remote)
}

/// Searches `/proc/net/tcp` or `tcp6` (proc_net_tcp.rst of the kernel's documentation).
fn find_in_table(text: &str, local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    let (local, remote) = (table_end(local), table_end(remote));
    text.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        if fields.next()? != local || fields.next()? != remote {
            return None;
        }
        let inode = fields.nth(6)?.parse().ok()?;
        Some(Socket { inode, group: None, is_listening: false })
    })
}

/// An end as it stands in the table: words of 32 bits in the order of the host, then the port.
fn table_end(end: SocketAddr) -> String {
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let address = match end.ip() {
        IpAddr::V4(address) => word(address.octets()),
        IpAddr::V6(address) => address.octets().as_chunks::<4>().0.iter().map(|bytes| word(*bytes)).collect(),
    };
    format!("{address}:{:04X}", end.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_a_line_of_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \x20  0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1223 1 0 100 0 0 10 0\n\
             \x20  1: 0100007F:9C40 0200007F:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 77001 1 0 20 4 30 10 -1\n";
        let (local, remote) = ("127.0.0.1:40000".parse().unwrap(), "127.0.0.2:443".parse().unwrap());
        if cfg!(target_endian = "little") {
            assert_eq!(
                find_in_table(table, local, remote),
                Some(Socket { inode: 77_001, group: None, is_listening: false })
            );
        }
        assert_eq!(find_in_table(table, remote, local), None);
        for length in 0..table.len() {
            let _ = find_in_table(&table[..length], local, remote);
        }
    }

    #[test]
    fn reads_the_answer_of_the_kernel() {
        let mut body = vec![0; ANSWER_BYTES];
        body[INODE..].copy_from_slice(&9_u32.to_ne_bytes());
        let socket = Socket { inode: 9, group: None, is_listening: false };
        assert_eq!(read(&body), Some(socket));
        netlink::push_attribute(&mut body, 15, &[0; 4]);
        netlink::push_attribute(&mut body, GROUP, &77_u64.to_ne_bytes());
        assert_eq!(read(&body), Some(Socket { group: Some(77), ..socket }));
        body[STATE] = LISTEN;
        assert!(read(&body).is_some_and(|socket| socket.is_listening));
        for length in 0..ANSWER_BYTES {
            assert_eq!(read(&body[..length]), None);
        }
        let nobodys = read(&[0; ANSWER_BYTES]).unwrap();
        assert!(nobodys.inode == 0 && !nobodys.is_listening, "it is there all the same");
    }

    #[test]
    fn asks_only_for_ends_of_one_version() {
        let (four, six) = ("10.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap());
        assert_eq!(question(four, six, 1), None);
        // struct inet_diag_req_v2 has 56 bytes.
        assert_eq!(question(four, four, 1).unwrap().len(), 56);
        assert_eq!(question(six, six, 1).unwrap().len(), 56);
    }

    /// Most flows of a gateway have none, and nothing else is searched for them.
    #[test]
    fn a_socket_that_is_not_there_is_told_from_a_kernel_that_does_not_answer() {
        let mut netlink = Netlink::open_protocol(NETLINK_SOCK_DIAG).unwrap();
        assert!(is_served(&mut netlink), "without tcp_diag the tables are searched");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = SocketAddr::from(([127, 0, 0, 3], listener.local_addr().unwrap().port()));
        assert_eq!(Sockets { netlink: Some(netlink) }.find(elsewhere, "127.0.0.2:9".parse().unwrap()), None);
    }

    #[test]
    fn both_ways_find_the_same_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let by_table = find_in_tables(local, remote).unwrap();
        let by_question = Sockets::open().find(local, remote).unwrap();
        assert_eq!(by_table.inode, by_question.inode);
    }
}
