//! The interfaces of this host: which are watched, and how they come and go.
//!
//! The kernel tells by netlink; where its messages were lost, everything is asked for again. Interfaces are
//! named by patterns: `eth0`, `vti*`, `wg?`, `any`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::hardware;
use super::netlink::{self, Netlink};
use super::statistics::Counters;
use crate::capture::live::Link;

/// rtnetlink groups.
const GROUP_LINK: u32 = 1;
const GROUP_ADDRESS_4: u32 = 5;
const GROUP_ADDRESS_6: u32 = 9;

/// Attributes of a link (IFLA_…, uapi/linux/if_link.h).
mod attribute {
    pub const NAME: u16 = 3;
    pub const MTU: u16 = 4;
    pub const PARENT: u16 = 5;
    pub const MASTER: u16 = 10;
    pub const INFO: u16 = 18;
    pub const STATISTICS: u16 = 23;
    pub const PROMISCUITY: u16 = 30;
    /// In which other namespace the parent is, where it is in another one.
    pub const PARENT_NAMESPACE: u16 = 37;
    pub const PROPERTIES: u16 = 52;
    pub const OTHER_NAME: u16 = 53;
    pub const INFO_KIND: u16 = 1;
    pub const INFO_DATA: u16 = 2;
    /// IFLA_VLAN_ID, IFLA_VXLAN_ID and IFLA_GENEVE_ID.
    pub const DATA_ID: u16 = 1;
}

const FLAG_UP: u32 = 1;
const FLAG_LOOPBACK: u32 = 8;

/// Bytes of `struct ifinfomsg` before the attributes.
const HEADER_BYTES: usize = 16;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLink {
    pub index: u32,
    pub name: Arc<str>,
    /// What it may be called, too (`ip link property add … altname`).
    pub other_names: Vec<Arc<str>>,
    /// `vti`, `xfrm`, `tun`, `wireguard`, `vlan`, `vxlan`, …; `None` for hardware.
    pub kind: Option<Arc<str>>,
    /// `ARPHRD_…`
    pub hardware: u16,
    pub is_up: bool,
    pub is_loopback: bool,
    /// It takes in what is addressed to others, too.
    pub is_promiscuous: bool,
    pub mtu_bytes: u32,
    /// 802.1Q id of a `vlan`.
    pub vlan: Option<u16>,
    /// Network identifier of a `vxlan` or `geneve`.
    pub vni: Option<u32>,
    /// Bridge, bond or VRF it belongs to.
    pub master: Option<u32>,
    /// What it is stacked on, or the other end of a `veth`, where that is in the same namespace.
    pub parent: Option<u32>,
}

impl HostLink {
    /// What the capture is told.
    #[must_use]
    pub fn link(&self) -> Link {
        Link {
            index: self.index,
            name: Arc::clone(&self.name),
            kind: self.kind.clone(),
            link_type: hardware::link_type(self.hardware),
        }
    }

    /// Whether it has this name, its own or another one.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        *self.name == *name || self.other_names.iter().any(|other| **other == *name)
    }

    /// One of hardware that is up and of which nothing else is known.
    #[cfg(test)]
    pub(super) fn plain(index: u32, name: &str) -> Self {
        Self {
            index,
            name: Arc::from(name),
            other_names: Vec::new(),
            kind: None,
            hardware: 1,
            is_up: true,
            is_loopback: false,
            is_promiscuous: false,
            mtu_bytes: 1_500,
            vlan: None,
            vni: None,
            master: None,
            parent: None,
        }
    }

    /// Reads the body of a link message; `None` where it is none.
    fn read(body: &[u8]) -> Option<(Self, Option<Counters>)> {
        if !is_of_the_link(body) {
            return None;
        }
        let flags = netlink::word_at(body, 8)?;
        let mut link = Self {
            index: netlink::word_at(body, 4)?,
            name: Arc::from(""),
            other_names: Vec::new(),
            kind: None,
            hardware: netlink::half_at(body, 2)?,
            is_up: flags & FLAG_UP != 0,
            is_loopback: flags & FLAG_LOOPBACK != 0,
            is_promiscuous: false,
            mtu_bytes: 0,
            vlan: None,
            vni: None,
            master: None,
            parent: None,
        };
        let mut counters = None;
        let mut is_parent_elsewhere = false;
        for (kind, value) in netlink::attributes(body.get(HEADER_BYTES..)?) {
            match kind {
                attribute::NAME => link.name = Arc::from(netlink::text(value)),
                attribute::MTU => link.mtu_bytes = netlink::word_at(value, 0).unwrap_or_default(),
                attribute::PARENT => link.parent = netlink::word_at(value, 0).filter(|&index| index != 0),
                attribute::PARENT_NAMESPACE => is_parent_elsewhere = true,
                attribute::MASTER => link.master = netlink::word_at(value, 0).filter(|&index| index != 0),
                attribute::INFO => link.read_info(value),
                // How many want it so.
                attribute::PROMISCUITY => link.is_promiscuous = netlink::word_at(value, 0) != Some(0),
                attribute::STATISTICS => counters = Counters::read(value),
                attribute::PROPERTIES => {
                    let names = netlink::attributes(value).filter(|(kind, _)| *kind == attribute::OTHER_NAME);
                    link.other_names = names.map(|(_, name)| Arc::from(netlink::text(name))).collect();
                }
                _ => {}
            }
        }
        if is_parent_elsewhere {
            // Here the number is another's.
            link.parent = None;
        }
        (!link.name.is_empty()).then_some((link, counters))
    }

    fn read_info(&mut self, info: &[u8]) {
        let mut data: &[u8] = &[];
        for (kind, value) in netlink::attributes(info) {
            match kind {
                attribute::INFO_KIND => self.kind = Some(Arc::from(netlink::text(value))),
                attribute::INFO_DATA => data = value,
                _ => {}
            }
        }
        let id = netlink::attributes(data).find(|(kind, _)| *kind == attribute::DATA_ID);
        match (self.kind.as_deref(), id) {
            (Some("vlan"), Some((_, value))) => self.vlan = netlink::half_at(value, 0),
            (Some("vxlan" | "geneve"), Some((_, value))) => self.vni = netlink::word_at(value, 0),
            _ => {}
        }
    }
}

/// Whether a link message speaks of the interface itself. A bridge tells its members in messages of its own family, and
/// that one left it in the form of a deletion.
fn is_of_the_link(body: &[u8]) -> bool {
    body.first() == Some(&(libc::AF_UNSPEC as u8))
}

/// Which interfaces are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    patterns: Vec<String>,
}

impl Selection {
    /// Names, patterns with `*` and `?`, or `any` for every interface but the loopback.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        Self { patterns: patterns.to_vec() }
    }

    /// Whether an interface is meant. The loopback only by its name.
    #[must_use]
    pub fn has(&self, link: &HostLink) -> bool {
        self.patterns.iter().any(|pattern| {
            if pattern == "any" {
                !link.is_loopback
            } else if pattern.contains(['*', '?']) {
                !link.is_loopback && matches(pattern.as_bytes(), link.name.as_bytes())
            } else {
                link.is_called(pattern)
            }
        })
    }

    /// Names without a sign of a pattern, which ought to be there.
    pub fn exact_names(&self) -> impl Iterator<Item = &str> {
        self.patterns
            .iter()
            .map(String::as_str)
            .filter(|pattern| *pattern != "any" && !pattern.contains(['*', '?']))
    }
}

/// Whether `name` fits `pattern`; linear but for one step back per star.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star was, and the name behind what it stands for.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == byte => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, stands_for)) => {
                    star = Some((at, stands_for + 1));
                    p = at + 1;
                    n = stands_for + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&byte| byte == b'*')
}

/// What happened to a watched interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is there and up: it can be watched now.
    Appeared(HostLink),
    /// It is still there and up, but something about it is different.
    Changed(HostLink),
    /// It is gone, down, or has another name that is not meant.
    Vanished { index: u32, name: Arc<str> },
    /// The addresses of this host changed.
    Addresses,
}

/// Follows the interfaces that are meant.
pub struct LinkWatch {
    listener: Netlink,
    followed: Followed,
}

/// What is known of them.
#[derive(Default)]
struct Followed {
    selection: Selection,
    /// Those that are meant, there and up.
    links: BTreeMap<u32, HostLink>,
}

impl LinkWatch {
    /// Begins to listen. What is there already stands in [`LinkWatch::links`], and is told by no event.
    ///
    /// # Errors
    /// Where the kernel gives no netlink.
    pub fn open(selection: Selection) -> io::Result<Self> {
        // First listen, then ask: what happens in between is told twice, never missed.
        let listener = Netlink::listen(&[GROUP_LINK, GROUP_ADDRESS_4, GROUP_ADDRESS_6])?;
        let mut watch = Self { listener, followed: Followed { selection, links: BTreeMap::new() } };
        watch.resynchronise(&mut Vec::new())?;
        Ok(watch)
    }

    /// Everything that happened since the last call; never waits. The descriptor ([`AsRawFd`]) is readable when
    /// there is something.
    ///
    /// # Errors
    /// Where the kernel does not answer any more.
    pub fn take_events(&mut self) -> io::Result<Vec<LinkEvent>> {
        let mut events = Vec::new();
        let mut is_some_lost = false;
        loop {
            match self.listener.receive() {
                Ok(datagram) => self.followed.take(&datagram, &mut events),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Told before those that still wait, which are older than a list would be now.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => is_some_lost = true,
                Err(error) => return Err(error),
            }
        }
        if is_some_lost {
            self.resynchronise(&mut events)?;
        }
        Ok(events)
    }

    /// Means other interfaces from now on, as after a reload.
    ///
    /// # Errors
    /// Where the kernel does not answer.
    pub fn select(&mut self, selection: Selection) -> io::Result<Vec<LinkEvent>> {
        self.followed.selection = selection;
        let mut events = Vec::new();
        self.resynchronise(&mut events)?;
        Ok(events)
    }

    /// The interfaces that are meant, there and up.
    pub fn links(&self) -> impl Iterator<Item = &HostLink> {
        self.followed.links.values()
    }

    fn resynchronise(&mut self, events: &mut Vec<LinkEvent>) -> io::Result<()> {
        let there = list()?;
        self.followed.replace(there.into_iter().map(|(link, _)| link).collect(), events);
        Ok(())
    }
}

impl AsRawFd for LinkWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}

impl Followed {
    /// Takes a datagram of notices.
    fn take(&mut self, datagram: &[u8], events: &mut Vec<LinkEvent>) {
        for message in netlink::messages(datagram) {
            match message.kind {
                netlink::NEW_LINK => {
                    if let Some((link, _)) = HostLink::read(message.body) {
                        self.meet(link, events);
                    }
                }
                netlink::DELETE_LINK => {
                    if let Some(index) = netlink::word_at(message.body, 4)
                        && is_of_the_link(message.body)
                    {
                        self.forget(index, events);
                    }
                }
                netlink::NEW_ADDRESS | netlink::DELETE_ADDRESS if !events.contains(&LinkEvent::Addresses) => {
                    events.push(LinkEvent::Addresses);
                }
                _ => {}
            }
        }
    }

    fn meet(&mut self, link: HostLink, events: &mut Vec<LinkEvent>) {
        let is_followed = link.is_up && self.selection.has(&link);
        match self.links.get(&link.index) {
            None if is_followed => {
                self.links.insert(link.index, link.clone());
                events.push(LinkEvent::Appeared(link));
            }
            None => {}
            Some(_) if !is_followed => self.forget(link.index, events),
            Some(known) if *known == link => {}
            // Under another name or as another thing it is watched anew.
            Some(known) if known.name != link.name || known.hardware != link.hardware => {
                self.forget(link.index, events);
                self.meet(link, events);
            }
            Some(_) => {
                self.links.insert(link.index, link.clone());
                events.push(LinkEvent::Changed(link));
            }
        }
    }

    fn forget(&mut self, index: u32, events: &mut Vec<LinkEvent>) {
        if let Some(link) = self.links.remove(&index) {
            events.push(LinkEvent::Vanished { index, name: link.name });
        }
    }

    /// Takes a whole list in place of what is known.
    fn replace(&mut self, there: Vec<HostLink>, events: &mut Vec<LinkEvent>) {
        let gone: Vec<u32> = self
            .links
            .keys()
            .copied()
            .filter(|index| !there.iter().any(|link| link.index == *index))
            .collect();
        for index in gone {
            self.forget(index, events);
        }
        for link in there {
            self.meet(link, events);
        }
    }
}

/// Every interface of this network namespace, with the kernel's counters.
///
/// # Errors
/// Where the kernel does not answer.
pub fn list() -> io::Result<Vec<(HostLink, Option<Counters>)>> {
    let mut links = Vec::new();
    Netlink::open()?.ask(netlink::GET_LINK, true, &[0; HEADER_BYTES], &mut |message| {
        if message.kind == netlink::NEW_LINK
            && let Some(found) = HostLink::read(message.body)
        {
            links.push(found);
        }
    })?;
    Ok(links)
}

#[cfg(test)]
mod tests;
