//! What the flow table calls: the inspection of every flow, and the records it ends in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::assemble;
use super::contexts::Contexts;
use super::counts::Reasons;
use super::inspect::{Inspection, Link, Tools};
use super::repeated::Repeated;
use super::sessions::Sessions;
use crate::app::dns;
use crate::capture::{Frame, Interface, LinkType};
use crate::classify::path::Way;
use crate::classify::{EndpointInput, NameCache, SniAlias, Told};
use crate::config::Resolved;
use crate::decode::{Datagram, Decoded};
use crate::flow::{Consumer, Ending, FlowView, Identity, MAX_CONTEXTS, Moment};
use crate::model::{
    CertificateFacts, Encapsulation, EndpointFacts, Eviction, Layer, Record, Shared, Side, Sighting, Sni,
    Tenant, Timestamp, TlsFacts,
};
use crate::telemetry::Accounts;
use crate::tls::TlsErrors;

/// Why a datagram is not looked into that is neither an answer of DNS nor a tunnel.
pub(super) const IDLE_DATAGRAM: &str = "udp";

/// ESP and a flow belong to the same window if they are no farther apart than this; IKE's dead
/// peer detection and the tunnels' own keep-alives are more frequent.
const ESP_WINDOW: Duration = Duration::from_secs(60);

/// The most ways that ESP is remembered of; a VPN takes a few.
const MAX_ESP_WAYS: usize = 4_096;

/// Numbers of frames that each file of a series has: at 16 bytes and more each, no file holds as many.
const FRAMES_OF_A_FILE: u64 = 1 << 40;

/// The state that all flows of one input share.
pub(super) struct Flows {
    config: Arc<Resolved>,
    all_services: bool,
    names: NameCache,
    /// What is read now: `live`, or a file.
    source: Arc<str>,
    /// The files of a series before it.
    files_before: Vec<Arc<str>>,
    /// What is added to the numbers of its frames.
    frames_before: u64,
    is_live: bool,
    /// What each interface number stands for; `None` where packets name one that nothing describes.
    interfaces: Vec<Option<Interface>>,
    pub contexts: Contexts,
    /// When ESP was seen first and last, by the way it came.
    esp: HashMap<u32, Vec<Timestamp>, RandomState>,
    pub repeated: Repeated,
    /// Records that are complete, each with the identity of its flow.
    pub records: Vec<(Record, Identity)>,
    evictions: Reasons,
    reported: u64,
    dns_errors: Reasons,
    tls_errors: Reasons,
    sessions: Sessions,
    /// TLS or HTTP flows to other services, left out.
    other_services: u64,
    /// Room for bytes to be put together in.
    scratch: Vec<u8>,
}

impl Flows {
    /// Counts a flow that has no record.
    fn evict(&mut self, reason: Eviction) {
        self.evictions.add(reason.as_str());
    }

    pub fn new(config: Arc<Resolved>, all_services: bool, source: Arc<str>) -> Self {
        let names = NameCache::new(&config.endpoint);
        Self {
            config,
            all_services,
            names,
            source,
            files_before: Vec::new(),
            frames_before: 0,
            is_live: false,
            interfaces: Vec::new(),
            contexts: Contexts::default(),
            esp: HashMap::default(),
            repeated: Repeated::default(),
            records: Vec::new(),
            evictions: Reasons::default(),
            reported: 0,
            dns_errors: Reasons::default(),
            tls_errors: Reasons::default(),
            sessions: Sessions::default(),
            other_services: 0,
            scratch: Vec::new(),
        }
    }

    /// Takes another configuration, for every flow that ends from now on.
    pub fn reconfigure(&mut self, config: Arc<Resolved>) {
        self.names.set_hosts(&config.endpoint);
        self.repeated = Repeated::default();
        self.config = config;
    }

    /// Learns of an interface, in the order of their numbers. One that was met may stand for another one from now on.
    pub fn meet_interface(&mut self, number: u32, interface: Option<&Interface>, now: Timestamp) {
        match self.interfaces.get_mut(number as usize) {
            None => self.interfaces.push(interface.cloned()),
            Some(known) if known.as_ref() == interface => {}
            Some(known) => {
                *known = interface.cloned();
                self.contexts.forget(number, now);
            }
        }
    }

    /// Remembers from now on which addresses are learned, for [`Flows::take_learned`].
    pub fn tell_learned(&mut self) {
        self.names.tell_learned();
    }

    /// Addresses that clients were told for names of interest.
    pub fn take_learned(&mut self) -> impl Iterator<Item = IpAddr> + '_ {
        self.names.take_learned()
    }

    /// Adds what was counted.
    pub fn add_to(&self, accounts: &mut Accounts) {
        accounts.records = self.reported;
        accounts.flow_table_limit = self.config.limits.flows as u64;
        accounts.other_services = self.other_services;
        for (layer, reasons) in [("dns", &self.dns_errors), ("tls", &self.tls_errors)] {
            for (reason, count) in reasons.iter() {
                *accounts.decode_errors.entry((layer, reason)).or_default() += count;
            }
        }
        for (reason, count) in self.evictions.iter() {
            *accounts.evictions.entry(reason).or_default() += count;
        }
    }

    /// Names of the interfaces, in the order of their numbers; the source's where one has none.
    pub fn interface_names(&self) -> impl Iterator<Item = &Arc<str>> {
        let names = self.interfaces.iter().map(|interface| interface.as_ref()?.name.as_ref());
        names.map(|name| name.unwrap_or(&self.source))
    }

    /// What each interface number stands for.
    pub fn interfaces(&self) -> impl Iterator<Item = Option<&Interface>> {
        self.interfaces.iter().map(Option::as_ref)
    }

    /// Names of hosts that were forgotten for want of room.
    pub fn forgotten_names(&self) -> u64 {
        self.names.evictions()
    }

    /// Takes what a frame holds other than a segment.
    ///
    /// # Errors
    /// The reason why it is not looked into.
    pub fn take_other(
        &mut self,
        decoded: &Decoded<'_>,
        frame: &Frame<'_>,
        encapsulation: &Encapsulation,
    ) -> Result<(), &'static str> {
        match decoded {
            Decoded::Udp(datagram) if datagram.source.port() == 53 => {
                self.observe_dns(datagram, encapsulation.tenant(), frame.timestamp)
            }
            Decoded::Esp { source, destination } => {
                self.observe_esp(*source, *destination, frame, encapsulation);
                Err("esp")
            }
            Decoded::Tcp(_) => Ok(()),
            Decoded::Udp(_) => Err(IDLE_DATAGRAM),
            Decoded::Held => Err("fragment_held"),
            Decoded::Skipped(skip) => Err(skip.reason()),
        }
    }

    fn observe_dns(
        &mut self,
        datagram: &Datagram<'_>,
        tenant: Option<Tenant>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let parse = if datagram.is_whole { dns::parse_response } else { dns::parse_cut_response };
        match parse(datagram.payload, &|name| self.names.is_wanted(name)) {
            Ok(resolutions) => {
                self.names.observe(datagram.destination.ip(), tenant, &resolutions, at);
                return Ok(());
            }
            // A query on its way to a resolver that also asks from port 53: right, but nothing to learn.
            Err(dns::DnsError::NotResponse) => {}
            Err(error) => self.dns_errors.add(error.reason()),
        }
        Err("dns_no_answer")
    }

    /// Counts what was lost of one DNS conversation.
    pub fn note_dns_errors(&mut self, errors: [Option<dns::DnsError>; 2]) {
        for error in errors.into_iter().flatten() {
            self.dns_errors.add(error.reason());
        }
    }

    /// Counts what was wrong with one TLS connection.
    pub fn note_tls_errors(&mut self, errors: TlsErrors) {
        for error in errors.iter() {
            self.tls_errors.add(error.reason());
        }
    }

    /// What a resumed session inherits from its full handshake, where that was seen.
    pub fn complete_resumed(&mut self, facts: &mut TlsFacts, server: IpAddr) {
        self.sessions.complete(facts, server);
    }

    /// Remembers ESP to or from the configured outside addresses.
    fn observe_esp(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        frame: &Frame<'_>,
        encapsulation: &Encapsulation,
    ) {
        let at = frame.timestamp;
        let outside = &self.config.site.vpn_outside;
        if outside.iter().any(|net| net.contains(&source) || net.contains(&destination)) {
            let way = self.contexts.number(frame.interface, encapsulation, at);
            if self.esp.len() >= MAX_ESP_WAYS && !self.esp.contains_key(&way) {
                self.esp.clear();
            }
            let seen = self.esp.entry(way).or_default();
            // First and newest are enough to tell whether a flow lies in the window.
            match seen.as_mut_slice() {
                [_, newest] => *newest = at.max(*newest),
                _ => seen.push(at),
            }
        }
    }

    /// True where ESP came by the same way as the flow, about when the flow did: on the same interface, and in the same
    /// VLAN where there are any.
    pub fn esp_seen(&self, view: &FlowView, until: Timestamp) -> bool {
        let from = view.first_seen;
        view.contexts.iter().any(|way| {
            self.esp.get(way).is_some_and(|seen| {
                let (first, last) = (seen.first().copied(), seen.last().copied());
                first.is_some_and(|first| first <= until.after(ESP_WINDOW))
                    && last.is_some_and(|last| last.after(ESP_WINDOW) >= from)
            })
        })
    }

    /// Adds the ways a flow was seen, with the hardware addresses that `links` has of each context, the client's side first.
    /// True where there were others, of which nothing is known any more.
    pub fn add_ways(
        &self,
        ways: &mut ArrayVec<Way, MAX_CONTEXTS>,
        view: &FlowView,
        links: &[(u32, Link)],
        may_lack_links: bool,
    ) -> bool {
        let mut has_more = view.has_more_contexts;
        for &context in &view.contexts {
            let Some((number, layers)) = self.contexts.get(context) else {
                has_more = true;
                continue;
            };
            has_more |= number.is_none();
            let interface = number.and_then(|number| self.interface(number));
            let of_way = links.iter().filter(|(of, _)| *of == context);
            let link_addresses: Vec<Link> = of_way.map(|(_, link)| *link).collect();
            // Cooked captures keep one of the two, what has none of its own was not looked at, and tunnels that carry no
            // Ethernet do not tell those of the packets in them.
            let knows_link_addresses = interface.is_some_and(|interface| match interface.link_type {
                _ if !link_addresses.is_empty() => !may_lack_links,
                LinkType::LINUX_SLL | LinkType::LINUX_SLL2 | LinkType::ETHERNET => false,
                _ => !layers.iter().any(Layer::is_tunnel),
            });
            ways.push(Way {
                sighting: Sighting {
                    interface: interface.and_then(|interface| interface.name.clone()),
                    encapsulation: layers.clone(),
                },
                link_kind: interface.and_then(|interface| interface.kind.clone()),
                link_addresses,
                knows_link_addresses,
            });
        }
        has_more
    }

    /// True where packets come from interfaces, whose kinds the system tells.
    pub const fn is_live(&self) -> bool {
        self.is_live
    }

    /// Learns that packets come from interfaces.
    pub const fn set_live(&mut self) {
        self.is_live = true;
    }

    fn interface(&self, number: u32) -> Option<&Interface> {
        self.interfaces.get(number as usize)?.as_ref()
    }

    /// What is read now.
    pub const fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The next frames are of another file of the same series.
    pub fn begin_file(&mut self, source: Arc<str>) {
        self.files_before.push(std::mem::replace(&mut self.source, source));
        self.frames_before += FRAMES_OF_A_FILE;
    }

    /// A number for a frame that tells its file, too.
    #[inline]
    pub const fn number_of(&self, frame: &Frame<'_>) -> u64 {
        self.frames_before + frame.number
    }

    /// The file of the frame with this number, and its number there.
    pub fn file_of(&self, number: u64) -> (&Arc<str>, u64) {
        if self.files_before.is_empty() {
            // Live, frames are counted for years.
            return (&self.source, number);
        }
        let file = self.files_before.get((number / FRAMES_OF_A_FILE) as usize);
        (file.unwrap_or(&self.source), number % FRAMES_OF_A_FILE)
    }

    pub fn config(&self) -> &Resolved {
        &self.config
    }

    /// The endpoint of a flow; `certificate` is that of `input`, as it is shared.
    pub fn endpoint(
        &mut self,
        input: &EndpointInput<'_>,
        certificate: Option<&Arc<CertificateFacts>>,
    ) -> Option<Shared<EndpointFacts>> {
        self.repeated.endpoint(input, certificate, &self.config.endpoint)
    }

    /// The names a server was resolved by; true where it was an address of the other family that was told.
    pub fn names_of(&self, client: IpAddr, server: IpAddr, sni: Sni<'_>, view: &FlowView) -> (Told, bool) {
        let at = view.first_seen;
        let tenants: Option<ArrayVec<Tenant, MAX_CONTEXTS>> =
            view.contexts.iter().map(|&context| self.contexts.get(context)?.1.tenant()).collect();
        let tenants = tenants.unwrap_or_default();
        let views = std::iter::once((client, server))
            .chain(view.translated.iter().map(|(client, server)| (client.ip(), server.ip())));
        let mut alias = SniAlias::No;
        for (client, server) in views {
            let own = self.names.told(client, server, &tenants, at, sni);
            alias = alias.max(own.sni);
            if !own.names.is_empty() {
                return (Told { sni: alias, ..own }, false);
            }
        }
        let other = self.names.told_to_other_family(client, server, &tenants, at, sni);
        (Told { sni: alias.max(other.sni), ..other }, true)
    }
}

impl Consumer for Flows {
    type State = Inspection;

    #[inline]
    fn starts_stream(&self, bytes: &[u8]) -> bool {
        Inspection::starts_stream(bytes)
    }

    fn is_answer(&self, bytes: &[u8]) -> bool {
        Inspection::is_answer(bytes)
    }

    #[inline]
    fn data(&mut self, state: &mut Inspection, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment) {
        let Self { config, names, dns_errors, repeated, contexts, scratch, .. } = self;
        let mut answers = |message: dns::Message<'_>| {
            let is_wanted = |name: &str| names.is_wanted(name);
            match message.and_then(|message| dns::parse_response(message, &is_wanted)) {
                Ok(resolutions) => {
                    let tenant = contexts.get(moment.context).and_then(|(_, layers)| layers.tenant());
                    names.observe(view.key.end(side.other()).ip(), tenant, &resolutions, moment.at);
                }
                Err(dns::DnsError::NotResponse) => {}
                Err(error) => dns_errors.add(error.reason()),
            }
        };
        let mut tools = Tools {
            hellos: &mut repeated.hellos,
            answers: &mut answers,
            endpoints: &config.endpoint,
            scratch,
        };
        state.data(view, side, bytes, moment, &mut tools);
    }

    fn linked(
        &mut self,
        state: &mut Inspection,
        side: Side,
        (source, destination): ([u8; 6], [u8; 6]),
        context: u32,
    ) {
        let link = match side {
            Side::A => (source, destination),
            Side::B => (destination, source),
        };
        state.note_link(context, link);
    }

    fn gap(&mut self, state: &mut Inspection, side: Side, until: u32) {
        state.gap(side, until, &self.config.endpoint);
    }

    #[inline]
    fn is_decided(&self, state: &Inspection) -> bool {
        state.is_decided()
    }

    #[inline]
    fn held_bytes(&self, state: &Inspection) -> usize {
        state.held_bytes()
    }

    fn end(&mut self, state: Inspection, view: FlowView, identity: Identity, ending: Ending, now: Timestamp) {
        match ending {
            Ending::TableFull => return self.evict(Eviction::TableFull),
            Ending::MemoryFull => return self.evict(Eviction::MemoryFull),
            Ending::Translated => return self.evict(Eviction::Translated),
            Ending::Stray => return self.evict(Eviction::Stray),
            _ => {}
        }
        match assemble::record(self, state, view, ending, now) {
            Ok(mut record) => {
                if record.endpoint.service.is_none() && !self.all_services {
                    self.other_services += 1;
                    let is_beyond = record.http.is_some_and(|http| http.later.is_beyond_limit);
                    let reason =
                        if is_beyond { Eviction::RequestsBeyondLimit } else { Eviction::NotDynamodb };
                    return self.evict(reason);
                }
                record.policy = Some(self.repeated.judgements.evaluate(&record, &self.config.policy));
                self.reported += 1;
                self.records.push((record, identity));
            }
            Err(reason) => self.evict(reason),
        }
    }
}
