//! The addresses of this host, and what else it takes for its own.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::netlink::{self, FAMILY_4, FAMILY_6, Netlink};

/// Attributes of a route (RTA_…) and of an address (IFA_…).
const DESTINATION: u16 = 1;
const TABLE: u16 = 15;
const ADDRESS: u16 = 1;
const LOCAL_ADDRESS: u16 = 2;

/// Bytes of `struct rtmsg` and `struct ifaddrmsg` before the attributes.
const ROUTE_HEADER_BYTES: usize = 12;
const ADDRESS_HEADER_BYTES: usize = 8;

/// RTN_LOCAL: what is sent there is for sockets of this host.
const LOCAL: u8 = 2;
/// RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL.
const TABLE_DEFAULT: u32 = 253;
const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;
/// FR_ACT_TO_TBL, FRA_TABLE
const TO_TABLE: u8 = 1;
const RULE_TABLE: u16 = 15;

/// Tables and networks that are looked at; beyond, everything counts as taken in.
const MAX_TABLES: usize = 256;
const MAX_TAKEN_IN: usize = 4_096;

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

/// Networks whose packets this host's sockets may take though they are no addresses of it: local routes to
/// more than an address, and those of tables that a rule names, by which transparent proxies (TPROXY) get what passes.
///
/// The main table, which may be the whole Internet's, is not looked at: local routes go to the local one, or to one of
/// their own.
///
/// # Errors
/// Where the kernel does not answer.
pub fn taken_in(own: &[IpAddr]) -> io::Result<Vec<IpNet>> {
    let mut tables = BTreeSet::from([(FAMILY_4, TABLE_LOCAL), (FAMILY_6, TABLE_LOCAL)]);
    let mut netlink = Netlink::open_strict()?;
    netlink.ask(netlink::GET_RULE, true, &[0; ROUTE_HEADER_BYTES], &mut |message| {
        if message.kind == netlink::NEW_RULE && tables.len() <= MAX_TABLES {
            tables.extend(read_rule(message.body));
        }
    })?;
    let mut networks = Vec::new();
    for (family, table) in &tables {
        let mut body = vec![0_u8; ROUTE_HEADER_BYTES];
        if let Some(header) = body.first_chunk_mut::<8>() {
            *header = [*family, 0, 0, 0, 0, 0, 0, LOCAL];
        }
        netlink::push_attribute(&mut body, TABLE, &table.to_ne_bytes());
        let result = netlink.ask(netlink::GET_ROUTE, true, &body, &mut |message| {
            if message.kind == netlink::NEW_ROUTE
                && let Some(network) = read_local(message.body, *table)
                && !is_own(&network, own)
                && networks.len() <= MAX_TAKEN_IN
            {
                networks.push(network);
            }
        });
        match result {
            Ok(()) => {}
            // A rule may name a table that has no routes.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    if tables.len() > MAX_TABLES || networks.len() > MAX_TAKEN_IN {
        networks = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    }
    Ok(networks)
}

/// The table that a rule (`struct fib_rule_hdr`) names, where it is one of its own.
fn read_rule(body: &[u8]) -> Option<(u8, u32)> {
    let (family, action) = (*body.first()?, *body.get(7)?);
    let table = netlink::attributes(body.get(ROUTE_HEADER_BYTES..)?)
        .find(|(kind, _)| *kind == RULE_TABLE)
        .and_then(|(_, value)| netlink::word_at(value, 0))
        .unwrap_or_else(|| body.get(4).copied().map_or(0, u32::from));
    let is_known = matches!(table, 0 | TABLE_DEFAULT | TABLE_MAIN | TABLE_LOCAL);
    (action == TO_TABLE && !is_known && matches!(family, FAMILY_4 | FAMILY_6)).then_some((family, table))
}

/// The destination of a local route (`struct rtmsg`) of this table.
fn read_local(body: &[u8], table: u32) -> Option<IpNet> {
    let (family, bits, kind) = (*body.first()?, *body.get(1)?, *body.get(7)?);
    let mut destination = match family {
        FAMILY_4 => IpAddr::from([0; 4]),
        FAMILY_6 => IpAddr::from([0_u16; 8]),
        _ => return None,
    };
    let mut of = body.get(4).copied().map(u32::from)?;
    for (kind, value) in netlink::attributes(body.get(ROUTE_HEADER_BYTES..)?) {
        match kind {
            DESTINATION => destination = netlink::address(value)?,
            TABLE => of = netlink::word_at(value, 0)?,
            _ => {}
        }
    }
    if kind == LOCAL && of == table { IpNet::new(destination, bits).ok() } else { None }
}

/// Whether a local route only says that an address is this host's; whatever begins with 127 is.
fn is_own(network: &IpNet, own: &[IpAddr]) -> bool {
    let address = network.addr();
    (address.is_loopback() && (network.prefix_len() >= 8))
        || (network.prefix_len() == network.max_prefix_len() && own.contains(&address))
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
    fn takes_the_own_end_of_a_point_to_point_link() {
        let mut body = vec![0; ADDRESS_HEADER_BYTES];
        netlink::push_attribute(&mut body, ADDRESS, &[10, 0, 0, 2]);
        assert_eq!(read_address(&body), Some(IpAddr::from([10, 0, 0, 2])));
        netlink::push_attribute(&mut body, LOCAL_ADDRESS, &[10, 0, 0, 1]);
        assert_eq!(read_address(&body), Some(IpAddr::from([10, 0, 0, 1])));
    }

    /// A message's header with these bytes at their places, and attributes of 32 bits.
    fn message(bytes: &[(usize, u8)], words: &[(u16, [u8; 4])]) -> Vec<u8> {
        let mut body = vec![0; ROUTE_HEADER_BYTES];
        bytes.iter().for_each(|&(at, byte)| body[at] = byte);
        words.iter().for_each(|(kind, word)| netlink::push_attribute(&mut body, *kind, word));
        body
    }

    #[test]
    fn tables_of_their_own_are_those_that_rules_name() {
        let rule = |family, action, table: u32| {
            message(&[(0, family), (7, action)], &[(RULE_TABLE, table.to_ne_bytes())])
        };
        assert_eq!(read_rule(&rule(FAMILY_4, TO_TABLE, 100)), Some((FAMILY_4, 100)));
        assert_eq!(read_rule(&rule(FAMILY_6, TO_TABLE, 70_000)), Some((FAMILY_6, 70_000)));
        for table in [0, TABLE_DEFAULT, TABLE_MAIN, TABLE_LOCAL] {
            assert_eq!(read_rule(&rule(FAMILY_4, TO_TABLE, table)), None);
        }
        assert_eq!(read_rule(&rule(FAMILY_4, 6, 100)), None, "blackhole");
        assert_eq!(read_rule(&rule(128, TO_TABLE, 100)), None, "of multicast");
        assert_eq!(
            read_rule(&message(&[(0, FAMILY_4), (4, 100), (7, TO_TABLE)], &[])),
            Some((FAMILY_4, 100))
        );
        assert_eq!(read_rule(&[FAMILY_4; 3]), None);
    }

    #[test]
    fn local_routes_to_more_than_own_addresses_take_others_in() {
        let route = |bits, kind, words: &[(u16, [u8; 4])]| {
            read_local(&message(&[(0, FAMILY_4), (1, bits), (4, 100), (7, kind)], words), 100)
        };
        let network = |text: &str| Some(text.parse::<IpNet>().unwrap());
        assert_eq!(route(0, LOCAL, &[]), network("0.0.0.0/0"));
        let net = [(DESTINATION, [52, 94, 0, 0])];
        assert_eq!(route(16, LOCAL, &net), network("52.94.0.0/16"));
        assert_eq!(route(16, 1, &net), None, "unicast");
        assert_eq!(route(16, LOCAL, &[(TABLE, 200_u32.to_ne_bytes())]), None, "of another table");
        assert_eq!(route(33, LOCAL, &net), None);
        let own = [IpAddr::from([10, 0, 0, 1])];
        for (text, is_known) in [
            ("10.0.0.1/32", true),
            ("127.0.0.0/8", true),
            ("10.0.0.0/24", false),
            ("10.0.0.2/32", false),
            ("0.0.0.0/0", false),
            ("::/0", false),
            ("::1/128", true),
        ] {
            assert_eq!(is_own(&text.parse().unwrap(), &own), is_known, "{text}");
        }
    }

    #[test]
    fn the_kernel_answers() {
        let Some(own) = crate::host::or_skip(own_addresses()) else { return };
        let networks = crate::host::or_skip(taken_in(&own)).unwrap_or_default();
        assert!(networks.iter().all(|network| !is_own(network, &own)), "{networks:?}");
    }
}
