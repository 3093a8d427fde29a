//! Whether this host passes packets on, and under which addresses.

use std::io;
use std::path::Path;

use super::links::{self, HostLink};
use super::routes;
use crate::capture::afpacket::Situation;

/// Whether the host forwards, for either version of IP.
#[must_use]
pub fn forwards() -> bool {
    let is_on = |path: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
    is_on("/proc/sys/net/ipv4/ip_forward") || is_on("/proc/sys/net/ipv6/conf/all/forwarding")
}

/// Whether connections are tracked, without which no address is translated. Where the kernel could but does not,
/// it tracks none.
#[must_use]
pub fn may_translate() -> bool {
    let path = Path::new("/proc/sys/net/netfilter/nf_conntrack_count");
    path.exists() && std::fs::read_to_string(path).map_or(true, |count| count.trim() != "0")
}

/// What the packet sockets need to know to leave out what was seen coming in, while the interfaces
/// `watched` are watched.
///
/// # Errors
/// Where the kernel does not answer.
pub fn situation(watched: &[HostLink]) -> io::Result<Situation> {
    let there: Vec<HostLink> = links::list()?.into_iter().map(|(link, _)| link).collect();
    let own = routes::own_addresses()?;
    Ok(Situation {
        forwards: forwards(),
        may_translate: may_translate(),
        watches_every_link: watches_all(&there, watched),
        takes_in_others: !routes::taken_in(&own)?.is_empty(),
        own,
    })
}

/// Whether packets can come in only by what is watched.
fn watches_all(there: &[HostLink], watched: &[HostLink]) -> bool {
    there
        .iter()
        .filter(|link| link.is_up && !link.is_loopback)
        .all(|link| watched.iter().any(|watched| watched.index == link.index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_that_is_up_must_be_watched() {
        let link = |index, is_up, is_loopback| HostLink { is_up, is_loopback, ..HostLink::plain(index, "x") };
        let there = [link(1, true, true), link(2, true, false), link(3, true, false), link(4, false, false)];
        assert!(watches_all(&there, &there[1..3]));
        assert!(!watches_all(&there, &there[1..2]));
        assert!(!watches_all(&there, &[]));
    }
}
