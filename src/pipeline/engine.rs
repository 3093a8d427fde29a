//! Frames in, records out: all stages of one input, in order.
//!
//! The one engine of `analyze` and of the daemon. It has no clock, no file and no thread of its own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::assemble;
use super::contexts::Contexts;
use super::inspect::Inspection;
use super::repeated::Repeated;
use super::sessions::Sessions;
use crate::app::dns;
use crate::capture::live::OTHERS;
use crate::capture::{FlowAddresses, Frame, Interface, LinkType};
use crate::classify::{self, NameCache};
use crate::config::Resolved;
use crate::decode::{self, Datagram, Decoded, Decoder};
use crate::flow::{self, Consumer, Ending, FlowView, Moment, Table, Taken};
use crate::model::{
    CertificateFacts, Encapsulation, EndpointFacts, Record, Shared, Side, Sighting, Timestamp, TlsFacts,
};
use crate::telemetry::{Accounts, InterfaceCounts, StageCounts};
use crate::tls::TlsErrors;

/// How much later the packets of one interface may be read than those of another. Recorders that read
/// several interfaces write what each gives in turn, every quarter of a second or so.
const OTHER_INTERFACES: Duration = Duration::from_secs(2);

/// Settled flows remembered between two [`Engine::take_settled`]; what is beyond is told by its next packet.
const MAX_SETTLED: usize = 4_096;

/// ESP and a flow belong to the same window if they are no farther apart than this; IKE's dead
/// peer detection and the tunnels' own keep-alives are more frequent.
const ESP_WINDOW: Duration = Duration::from_secs(60);

/// All stages of one input.
pub struct Engine {
    decoder: Decoder,
    table: Table<Flows>,
    flows: Flows,
    encapsulation: Encapsulation,
    needs_links: bool,
    counts: Vec<InterfaceTally>,
    /// Of interfaces whose numbers stand for others now.
    gone: InterfaceCounts,
    skipped: Tally,
    errors: BTreeMap<(&'static str, &'static str), u64>,
    first_packet: Option<Timestamp>,
    last_packet: Option<Timestamp>,
    unsupported: Vec<(u32, u16)>,
    /// Flows of which no further packet matters, where somebody wants to know.
    settled: Option<Vec<FlowAddresses>>,
}

#[derive(Clone, Copy, Default)]
struct InterfaceTally {
    seen: StageCounts,
    parsed: StageCounts,
    last: Timestamp,
}

impl InterfaceTally {
    fn counts(&self) -> InterfaceCounts {
        InterfaceCounts {
            seen: self.seen,
            skipped: StageCounts {
                packets: self.seen.packets - self.parsed.packets,
                bytes: self.seen.bytes - self.parsed.bytes,
            },
            parsed: self.parsed,
            last_packet: (self.seen.packets > 0).then_some(self.last),
        }
    }
}

/// Counts by reason; few reasons, so a list is searched faster than a map.
#[derive(Default)]
struct Tally(Vec<(&'static str, u64)>);

impl Tally {
    #[inline]
    fn add(&mut self, reason: &'static str) {
        for (known, count) in &mut self.0 {
            if std::ptr::eq(*known, reason) {
                *count += 1;
                return;
            }
        }
        self.add_text(reason);
    }

    /// The same word may stand in several places.
    #[cold]
    fn add_text(&mut self, reason: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.0.push((reason, 1)),
        }
    }
}

/// What the flow table calls: the inspection of every flow and the records it ends in.
pub(super) struct Flows {
    config: Arc<Resolved>,
    all_services: bool,
    names: NameCache,
    source: Arc<str>,
    /// Name of each interface number.
    interface_names: Vec<Option<Arc<str>>>,
    /// Kind of each interface number.
    interface_kinds: Vec<Option<Arc<str>>>,
    contexts: Contexts,
    esp: HashMap<u32, Vec<Timestamp>, RandomState>,
    pub(super) repeated: Repeated,
    records: Vec<(Record, u64)>,
    evictions: Tally,
    reported: u64,
    dns_errors: Tally,
    tls_errors: Tally,
    sessions: Sessions,
    /// TLS or HTTP flows to other services, left out.
    other_services: u64,
}

/// What the flow table may hold of the memory of the process. The other half is for what does not grow
/// with what flows carry: decided flows, names, contexts, sessions, packets in parts, the file's buffer.
const fn table_memory_bytes(config: &Resolved) -> usize {
    config.limits.memory_mib.saturating_mul(1 << 20) / 2
}

impl Engine {
    /// An engine for one input called `source`. Engines with the same `hasher` give equal flows
    /// equal identities.
    #[must_use]
    pub fn new(config: Arc<Resolved>, all_services: bool, source: Arc<str>, hasher: RandomState) -> Self {
        let limits = flow::Limits {
            flows: config.limits.flows,
            flow_bytes: config.limits.flow_bytes,
            memory_bytes: table_memory_bytes(&config),
        };
        let needs_links = config.path.needs_link_addresses();
        let names = NameCache::new(&config.endpoint);
        Self {
            decoder: Decoder::new(decode::Limits::default()),
            table: Table::new(limits, hasher),
            flows: Flows {
                config,
                all_services,
                names,
                source,
                interface_names: Vec::new(),
                interface_kinds: Vec::new(),
                contexts: Contexts::default(),
                esp: HashMap::default(),
                repeated: Repeated::default(),
                records: Vec::new(),
                evictions: Tally::default(),
                reported: 0,
                dns_errors: Tally::default(),
                tls_errors: Tally::default(),
                sessions: Sessions::default(),
                other_services: 0,
            },
            encapsulation: Encapsulation::default(),
            needs_links,
            counts: Vec::new(),
            gone: InterfaceCounts::default(),
            skipped: Tally::default(),
            errors: BTreeMap::new(),
            first_packet: None,
            last_packet: None,
            unsupported: Vec::new(),
            settled: None,
        }
    }

    /// An engine that runs beside others in one process: the memory is shared by `engines` in all.
    #[must_use]
    pub fn sharing_memory(mut self, engines: usize) -> Self {
        self.table.limit_memory(table_memory_bytes(&self.flows.config) / engines.max(1));
        self
    }

    /// Takes one frame.
    #[inline]
    pub fn frame(&mut self, frame: &Frame<'_>, interfaces: &[Interface]) {
        let link_type =
            interfaces.get(frame.interface as usize).map_or(LinkType(0), |interface| interface.link_type);
        if self.counts.len() <= frame.interface as usize {
            self.meet_interfaces(frame.interface, interfaces);
        }
        let bytes = frame.data.len() as u64;
        if let Some(tally) = self.counts.get_mut(frame.interface as usize) {
            tally.seen.packets += 1;
            tally.seen.bytes += bytes;
            tally.last = tally.last.max(frame.timestamp);
        }
        if self.first_packet.is_none_or(|first| frame.timestamp < first) {
            self.first_packet = Some(frame.timestamp);
        }
        if self.last_packet.is_none_or(|last| frame.timestamp > last) {
            self.last_packet = Some(frame.timestamp);
        }
        self.encapsulation.clear();
        let decoded = self.decoder.decode(
            link_type.0,
            frame.timestamp,
            frame.data,
            frame.wire_bytes,
            &mut self.encapsulation,
        );
        // By reference: a segment is too large to be moved for every packet.
        let is_parsed = match &decoded {
            Ok(Decoded::Tcp(segment)) => {
                let context =
                    self.flows.contexts.number(frame.interface, &self.encapsulation, frame.timestamp);
                let moment = Moment {
                    at: frame.timestamp,
                    frame: frame.number,
                    context,
                    interface: frame.interface,
                    link: if self.needs_links {
                        decode::link_addresses(link_type.0, frame.data)
                    } else {
                        None
                    },
                };
                match self.table.push(segment, &moment, &mut self.flows) {
                    Taken::Inspected => true,
                    Taken::Decided => {
                        self.skipped.add("flow_decided");
                        if let Some(settled) = &mut self.settled
                            && settled.len() < MAX_SETTLED
                        {
                            settled.push(FlowAddresses {
                                source: segment.source,
                                destination: segment.destination,
                            });
                        }
                        false
                    }
                    Taken::NoFlow => {
                        self.skipped.add("no_flow");
                        false
                    }
                    Taken::OutOfWindow => {
                        self.skipped.add("out_of_window");
                        false
                    }
                }
            }
            Ok(Decoded::Udp(datagram)) => {
                if datagram.source.port() == 53 {
                    let is_answer = self.flows.observe_dns(datagram, frame.timestamp);
                    if !is_answer {
                        self.skipped.add("dns_no_answer");
                    }
                    is_answer
                } else {
                    self.skipped.add("udp");
                    false
                }
            }
            Ok(Decoded::Esp { source, destination }) => {
                self.flows.observe_esp(*source, *destination, frame.interface, frame.timestamp);
                self.skipped.add("esp");
                false
            }
            Ok(Decoded::Held) => {
                self.skipped.add("fragment_held");
                false
            }
            Ok(Decoded::Skipped(skip)) => {
                self.skipped.add(skip.reason());
                false
            }
            Err(error) => {
                *self.errors.entry((error.layer(), error.reason())).or_default() += 1;
                false
            }
        };
        if is_parsed && let Some(tally) = self.counts.get_mut(frame.interface as usize) {
            tally.parsed.packets += 1;
            tally.parsed.bytes += bytes;
        }
    }

    /// Remembers from now on which flows are settled and which addresses are learned, for
    /// [`Engine::take_settled`] and [`Engine::take_learned`].
    #[must_use]
    pub fn telling_settled(mut self) -> Self {
        self.settled = Some(Vec::new());
        self.flows.names.tell_learned();
        self
    }

    /// Flows of which no further packet matters, so that the source of the frames may leave them out; a
    /// flow may be told more than once. Empty without [`Engine::telling_settled`].
    pub fn take_settled(&mut self) -> impl Iterator<Item = FlowAddresses> + '_ {
        self.settled.iter_mut().flat_map(|settled| settled.drain(..))
    }

    /// Addresses that clients were told for names of interest. Empty without [`Engine::telling_settled`].
    pub fn take_learned(&mut self) -> impl Iterator<Item = IpAddr> + '_ {
        self.flows.names.take_learned()
    }

    /// Ends what is overdue at `now`, as a frame of that time would; for a source that is silent.
    pub fn advance(&mut self, now: Timestamp) {
        self.table.advance(now, &mut self.flows);
        while self.table.has_overdue() {
            self.table.advance(now, &mut self.flows);
        }
    }

    /// Takes another configuration, for every flow that ends from now on. No flow is lost; the limit of
    /// flows and the bytes per flow stay those the engine began with.
    pub fn reconfigure(&mut self, config: Arc<Resolved>) {
        self.needs_links = config.path.needs_link_addresses();
        self.flows.names.set_hosts(&config.endpoint);
        self.flows.repeated = Repeated::default();
        self.flows.config = config;
    }

    /// Records that are complete, each with the identity of its flow.
    pub fn take_records(&mut self) -> impl Iterator<Item = (Record, u64)> + '_ {
        self.flows.records.drain(..)
    }

    /// How many records wait to be taken.
    #[must_use]
    pub fn waiting_records(&self) -> usize {
        self.flows.records.len()
    }

    /// Ends every open flow.
    pub fn finish(&mut self) {
        self.table.finish(&mut self.flows);
    }

    /// Ends up to `most` open flows, in the order they were opened, and says whether there are more: as
    /// [`Engine::finish`], but without the records of all of them at once. No frame may come in between.
    pub fn finish_some(&mut self, most: usize) -> bool {
        self.table.finish_some(most, &mut self.flows)
    }

    /// Interfaces whose link type cannot be read, as (interface, link type number).
    #[must_use]
    pub fn unsupported_interfaces(&self) -> &[(u32, u16)] {
        &self.unsupported
    }

    /// What was counted.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        let counts = self.table.counts();
        let mut accounts = Accounts {
            decode_errors: self.errors.clone(),
            flows_opened: counts.opened,
            records: self.flows.reported,
            flows_open: self.table.open_flows() as u64,
            flow_table_limit: self.flows.config.limits.flows as u64,
            flows_peak: counts.peak,
            first_packet: self.first_packet,
            last_packet: self.last_packet,
            other_services: self.flows.other_services,
            ..Accounts::default()
        };
        for (tally, name) in self.counts.iter().zip(&self.flows.interface_names) {
            let name = name.as_ref().unwrap_or(&self.flows.source);
            accounts.interfaces.entry(name.to_string()).or_default().add(&tally.counts());
        }
        if self.gone.seen.packets > 0 {
            accounts.interfaces.entry(OTHERS.to_owned()).or_default().add(&self.gone);
        }
        for (reason, count) in &self.skipped.0 {
            *accounts.skipped.entry(reason).or_default() += count;
        }
        for (layer, tally) in [("dns", &self.flows.dns_errors), ("tls", &self.flows.tls_errors)] {
            for (reason, count) in &tally.0 {
                *accounts.decode_errors.entry((layer, reason)).or_default() += count;
            }
        }
        for (reason, count) in &self.flows.evictions.0 {
            *accounts.evictions.entry(reason).or_default() += count;
        }
        let fragments = self.decoder.counts();
        for (reason, count) in [
            ("fragment_evicted", fragments.fragment_evicted),
            ("fragment_timeout", fragments.fragment_timeout),
            ("fragment_unfinished", fragments.waiting),
            ("no_room_for_context", counts.contexts_refused + self.flows.contexts.refused()),
            ("no_room_for_name", self.flows.names.evictions()),
            ("no_room_for_segment", counts.segments_refused),
        ] {
            if count > 0 {
                *accounts
                    .dropped
                    .entry((self.flows.source.to_string(), "reassembly", reason))
                    .or_default() += count;
            }
        }
        accounts
    }

    /// The number of an interface stands for another one from the next frame on; what was counted goes to
    /// [`OTHERS`].
    pub fn rename_interface(&mut self, number: u32, interface: &Interface) {
        let at = number as usize;
        // One that was not met yet is named when it is.
        let Some(tally) = self.counts.get_mut(at) else { return };
        self.gone.add(&std::mem::take(tally).counts());
        if let (Some(name), Some(kind)) =
            (self.flows.interface_names.get_mut(at), self.flows.interface_kinds.get_mut(at))
        {
            name.clone_from(&interface.name);
            kind.clone_from(&interface.kind);
        }
        self.flows.contexts.forget(number, self.last_packet.unwrap_or_default());
        self.flows.esp.remove(&number);
    }

    #[cold]
    fn meet_interfaces(&mut self, newest: u32, interfaces: &[Interface]) {
        if newest > 0 {
            self.table.set_linger(OTHER_INTERFACES);
        }
        for number in self.counts.len()..=newest as usize {
            let interface = interfaces.get(number);
            self.counts.push(InterfaceTally::default());
            self.flows.interface_names.push(interface.and_then(|interface| interface.name.clone()));
            self.flows.interface_kinds.push(interface.and_then(|interface| interface.kind.clone()));
            if let Some(interface) = interface
                && !interface.link_type.is_supported()
            {
                self.unsupported.push((number as u32, interface.link_type.0));
            }
        }
    }
}

impl Flows {
    /// False where the datagram was no answer.
    fn observe_dns(&mut self, datagram: &Datagram<'_>, at: Timestamp) -> bool {
        self.observe_answers(datagram.payload, datagram.destination.ip(), at)
    }

    fn observe_answers(&mut self, message: &[u8], client: IpAddr, at: Timestamp) -> bool {
        match dns::parse_response(message) {
            Ok(resolutions) => {
                self.names.observe(client, &resolutions, at);
                true
            }
            // A query on its way to a resolver that also asks from port 53: right, but nothing to learn.
            Err(dns::DnsError::NotResponse) => false,
            Err(error) => {
                self.dns_errors.add(error.reason());
                false
            }
        }
    }

    /// Counts what was wrong with one TLS connection.
    pub(super) fn note_tls_errors(&mut self, errors: TlsErrors) {
        for error in errors.iter() {
            self.tls_errors.add(error.reason());
        }
    }

    /// What a resumed session inherits from its full handshake, where that was seen.
    pub(super) fn complete_resumed(&mut self, facts: &mut TlsFacts) {
        self.sessions.complete(facts);
    }

    fn observe_esp(&mut self, source: IpAddr, destination: IpAddr, interface: u32, at: Timestamp) {
        let outside = &self.config.site.vpn_outside;
        if outside.iter().any(|net| net.contains(&source) || net.contains(&destination)) {
            let seen = self.esp.entry(interface).or_default();
            // First and newest are enough to tell whether a flow lies in the window.
            match seen.as_mut_slice() {
                [_, newest] => *newest = at.max(*newest),
                _ => seen.push(at),
            }
        }
    }

    pub(super) fn esp_seen(
        &self,
        interfaces: impl Iterator<Item = u32>,
        from: Timestamp,
        until: Timestamp,
    ) -> bool {
        interfaces.into_iter().any(|interface| {
            self.esp.get(&interface).is_some_and(|seen| {
                let (first, last) = (seen.first().copied(), seen.last().copied());
                first.is_some_and(|first| first <= until.after(ESP_WINDOW))
                    && last.is_some_and(|last| last.after(ESP_WINDOW) >= from)
            })
        })
    }

    pub(super) fn sightings_of(&self, view: &FlowView) -> Vec<Sighting> {
        // Nearly always one, and a list that grows by itself begins with room for four.
        let mut sightings = Vec::with_capacity(view.contexts.len());
        for &context in &view.contexts {
            if let Some((interface, encapsulation)) = self.contexts.get(context) {
                let name = interface.and_then(|interface| self.interface_names.get(interface as usize));
                sightings.push(Sighting {
                    interface: name.cloned().flatten(),
                    encapsulation: encapsulation.clone(),
                });
            }
        }
        sightings
    }

    pub(super) fn interfaces_of(&self, view: &FlowView) -> impl Iterator<Item = u32> {
        view.contexts.iter().filter_map(|&context| self.contexts.get(context)?.0)
    }

    pub(super) fn kinds_of(&self, view: &FlowView) -> Vec<Arc<str>> {
        let mut kinds = Vec::new();
        for interface in self.interfaces_of(view) {
            if let Some(Some(kind)) = self.interface_kinds.get(interface as usize)
                && !kinds.contains(kind)
            {
                kinds.push(Arc::clone(kind));
            }
        }
        kinds
    }

    pub(super) fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    pub(super) fn config(&self) -> &Resolved {
        &self.config
    }

    /// The endpoint of a flow; `certificate` is that of `input`, as it is shared.
    pub(super) fn endpoint(
        &mut self,
        input: &EndpointInput<'_>,
        certificate: Option<&Arc<CertificateFacts>>,
    ) -> Option<Shared<EndpointFacts>> {
        self.repeated.endpoint(input, certificate, &self.config.endpoint)
    }

    /// The names a server was resolved by; true where it was an address of the other family that was told.
    pub(super) fn names_of(&self, client: IpAddr, server: IpAddr, at: Timestamp) -> (Vec<Arc<str>>, bool) {
        let own = self.names.names(client, server, at);
        if !own.is_empty() {
            return (own, false);
        }
        (self.names.names_of_other_family(client, server, at), true)
    }
}

impl Consumer for Flows {
    type State = Inspection;

    #[inline]
    fn starts_stream(&self, bytes: &[u8]) -> bool {
        Inspection::starts_stream(bytes)
    }

    #[inline]
    fn data(&mut self, state: &mut Inspection, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment) {
        let Self { names, dns_errors, repeated, .. } = self;
        let mut answers = |message: &[u8]| match dns::parse_response(message) {
            Ok(resolutions) => names.observe(view.key.end(side.other()).ip(), &resolutions, moment.at),
            Err(dns::DnsError::NotResponse) => {}
            Err(error) => dns_errors.add(error.reason()),
        };
        state.data(view, side, bytes, moment, &mut repeated.hellos, &mut answers);
    }

    fn seen_again(&mut self, state: &mut Inspection, moment: &Moment) {
        state.note_link(moment);
    }

    fn gap(&mut self, state: &mut Inspection, side: Side) {
        state.gap(side);
    }

    #[inline]
    fn is_decided(&self, state: &Inspection) -> bool {
        state.is_decided()
    }

    #[inline]
    fn held_bytes(&self, state: &Inspection) -> usize {
        state.held_bytes()
    }

    fn end(&mut self, state: Inspection, view: FlowView, ending: Ending, now: Timestamp) {
        match ending {
            Ending::TableFull => return self.evictions.add("table_full"),
            Ending::MemoryFull => return self.evictions.add("memory_full"),
            Ending::Translated => return self.evictions.add("same_flow_translated"),
            _ => {}
        }
        let identity = view.identity;
        match assemble::record(self, state, view, ending, now) {
            Ok(mut record) => {
                if record.endpoint.service.is_none() && !self.all_services {
                    self.other_services += 1;
                    return self.evictions.add("not_dynamodb");
                }
                let policy = crate::policy::evaluate(&record, &self.config.policy);
                record.policy = Some(policy);
                self.reported += 1;
                self.records.push((record, identity));
            }
            Err(reason) => self.evictions.add(reason),
        }
    }
}

/// Whether the classification can use what a name in DNS said: exported for the assembler.
pub(super) type EndpointInput<'a> = classify::EndpointInput<'a>;
