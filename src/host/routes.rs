//! Which interface a destination is reached by, and the addresses of this host.

use std::io;
use std::net::IpAddr;

use super::netlink::{self, Netlink};

const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 10;

/// Attributes of a route (RTA_…) and of an address (IFA_…).
const DESTINATION: u16 = 1;
const OUTPUT_INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
const ADDRESS: u16 = 1;
const LOCAL_ADDRESS: u16 = 2;

/// Bytes of `struct rtmsg` and `struct ifaddrmsg` before the attributes.
const ROUTE_HEADER_BYTES: usize = 12;
const ADDRESS_HEADER_BYTES: usize = 8;

/// Where packets to a destination leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Kernel number of the interface.
    pub interface: u32,
    /// The next hop, where the destination is not on the link.
    pub gateway: Option<IpAddr>,
}

/// Asks the kernel for routes.
pub struct Routes {
    netlink: Netlink,
}

impl Routes {
    /// # Errors
    /// Where the kernel gives no netlink.
    pub fn open() -> io::Result<Self> {
        Ok(Self { netlink: Netlink::open()? })
    }

    /// How this host would send to `destination`; `None` where it has no route. One question to the
    /// kernel: once per flow at most, never per packet.
    ///
    /// # Errors
    /// Where the kernel does not answer.
    pub fn to(&mut self, destination: IpAddr) -> io::Result<Option<Route>> {
        let mut found = None;
        let result = self.netlink.ask(netlink::GET_ROUTE, false, &question(destination), &mut |message| {
            if message.kind == netlink::NEW_ROUTE {
                found = read(message.body);
            }
        });
        match result {
            Ok(()) => Ok(found),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENETUNREACH | libc::EHOSTUNREACH)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn question(destination: IpAddr) -> Vec<u8> {
    let mut body = vec![0_u8; ROUTE_HEADER_BYTES];
    let (family, bits) = if destination.is_ipv4() { (FAMILY_4, 32) } else { (FAMILY_6, 128) };
    if let Some(header) = body.first_chunk_mut::<2>() {
        *header = [family, bits];
    }
    match destination {
        IpAddr::V4(address) => netlink::push_attribute(&mut body, DESTINATION, &address.octets()),
        IpAddr::V6(address) => netlink::push_attribute(&mut body, DESTINATION, &address.octets()),
    }
    body
}

fn read(body: &[u8]) -> Option<Route> {
    let (mut interface, mut gateway) = (None, None);
    for (kind, value) in netlink::attributes(body.get(ROUTE_HEADER_BYTES..)?) {
        match kind {
            OUTPUT_INTERFACE => interface = netlink::word_at(value, 0),
            GATEWAY => gateway = netlink::address(value),
            _ => {}
        }
    }
    Some(Route { interface: interface?, gateway })
}

/// The addresses of this host, loopback included.
///
/// # Errors
/// Where the kernel does not answer.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let mut own = Vec::new();
    Netlink::open()?.ask(netlink::GET_ADDRESS, true, &[0; ADDRESS_HEADER_BYTES], &mut |message| {
        if message.kind == netlink::NEW_ADDRESS
            && let Some(address) = read_address(message.body)
            && !own.contains(&address)
        {
            own.push(address);
        }
    })?;
    Ok(own)
}

/// On a point-to-point link the first attribute is the other end, and the own address is the second.
fn read_address(body: &[u8]) -> Option<IpAddr> {
    let (mut address, mut local) = (None, None);
    for (kind, value) in netlink::attributes(body.get(ADDRESS_HEADER_BYTES..)?) {
        match kind {
            ADDRESS => address = netlink::address(value),
            LOCAL_ADDRESS => local = netlink::address(value),
            _ => {}
        }
    }
    local.or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_routes_with_and_without_a_next_hop() {
        let mut body = vec![0; ROUTE_HEADER_BYTES];
        netlink::push_attribute(&mut body, OUTPUT_INTERFACE, &7_u32.to_ne_bytes());
        assert_eq!(read(&body), Some(Route { interface: 7, gateway: None }));
        netlink::push_attribute(&mut body, GATEWAY, &[10, 0, 0, 1]);
        let gateway = Some(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(read(&body), Some(Route { interface: 7, gateway }));
        assert_eq!(read(&body[..ROUTE_HEADER_BYTES]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn takes_the_own_end_of_a_point_to_point_link() {
        let mut body = vec![0; ADDRESS_HEADER_BYTES];
        netlink::push_attribute(&mut body, ADDRESS, &[10, 0, 0, 2]);
        assert_eq!(read_address(&body), Some(IpAddr::from([10, 0, 0, 2])));
        netlink::push_attribute(&mut body, LOCAL_ADDRESS, &[10, 0, 0, 1]);
        assert_eq!(read_address(&body), Some(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn the_kernel_answers() {
        let Some(own) = crate::host::or_skip(own_addresses()) else { return };
        if own.iter().any(IpAddr::is_loopback) {
            let route = Routes::open().unwrap().to(IpAddr::from([127, 0, 0, 1])).unwrap();
            assert!(route.is_some());
        }
    }
}
