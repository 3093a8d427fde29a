//! Frames in, records out: all stages of one input, in order.
//!
//! The one engine of `analyze` and of the daemon. It has no clock, no file and no thread of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::counts::{FrameCounts, SEGMENTS_DISAGREE};
use super::flows::{Flows, IDLE_DATAGRAM};
use crate::capture::{Beginning, FlowAddresses, Frame, Interface, LinkType, MOST_TOGETHER};
use crate::config::Resolved;
use crate::decode::{self, DecodeError, Decoded, Decoder, LinkAddresses, Segment, TcpFlags};
use crate::flow::{self, Identity, Kinship, Moment, Place, Table, Taken};
use crate::model::{Encapsulation, Record, Timestamp};
use crate::telemetry::Accounts;

/// How much later the packets of one interface may be read than those of another. Recorders that read
/// several interfaces write what each gives in turn, every quarter of a second or so.
const OTHER_INTERFACES: Duration = Duration::from_secs(2);

/// The same of one interface, whose queues are read by several processors.
const OTHER_QUEUES: Duration = Duration::from_millis(100);

/// How much later than the newest packet another one may be read, of so many interfaces.
pub(super) const fn tolerance(interfaces: usize) -> Duration {
    if interfaces > 1 { OTHER_INTERFACES } else { OTHER_QUEUES }
}

/// Settled flows remembered between two [`Engine::take_settled`]; what is beyond is told by its next packet.
const MAX_SETTLED: usize = 4_096;

/// All stages of one input.
pub struct Engine {
    decoder: Decoder,
    streams: Streams,
    /// Of the frames that are looked at together.
    encapsulations: [Encapsulation; MOST_TOGETHER],
    counts: FrameCounts,
}

/// What becomes of TCP segments.
struct Streams {
    table: Table<Flows>,
    flows: Flows,
    needs_links: bool,
    /// Flows of which no further packet matters, and since when, where somebody wants to know.
    settled: Option<Vec<(FlowAddresses, Timestamp)>>,
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
        Self {
            decoder: Decoder::new(decode::Limits::default()),
            streams: Streams {
                table: Table::new(limits, hasher),
                needs_links: config.path.needs_link_addresses(),
                flows: Flows::new(config, all_services, source),
                settled: None,
            },
            encapsulations: Default::default(),
            counts: FrameCounts::default(),
        }
    }

    /// An engine whose packets come from interfaces of this host, not from a file.
    #[must_use]
    pub fn of_interfaces(mut self) -> Self {
        self.streams.flows.set_live();
        self.counts.set_live();
        self
    }

    /// An engine that keeps nothing from one flow to the next but what the flows themselves bring.
    #[cfg(test)]
    pub(super) fn forgetful(mut self) -> Self {
        self.streams.flows.repeated = super::repeated::Repeated::forgetful();
        self
    }

    /// Takes one frame.
    pub fn frame(&mut self, frame: &Frame<'_>, interfaces: &[Interface]) {
        self.frames(std::iter::once(*frame), interfaces);
    }

    /// Takes frames, one after the other. That several are known at once only saves time: flows are looked up
    /// for [`MOST_TOGETHER`] of them before the first is taken, so that the memory they are in comes
    /// while others are waited for.
    #[inline]
    pub fn frames<'a>(
        &mut self,
        frames: impl IntoIterator<Item = Frame<'a>, IntoIter: Clone>,
        interfaces: &[Interface],
    ) {
        let mut frames = frames.into_iter();
        // The segments of plain packets, and where their flows are.
        let mut plain = [const { None::<(Segment<'a>, Place)> }; MOST_TOGETHER];
        loop {
            let mut count = 0;
            for ((frame, plain), encapsulation) in
                frames.clone().zip(&mut plain).zip(&mut self.encapsulations)
            {
                encapsulation.clear();
                let link_type = link_type(&frame, interfaces).0;
                let segment = decode::read_plain(link_type, frame.data, frame.wire_bytes, encapsulation);
                *plain = segment.map(|segment| (segment, self.streams.table.place(&segment)));
                count += 1;
            }
            if count > 1 {
                for (_, place) in plain.iter_mut().take(count).flatten() {
                    self.streams.table.look_ahead(place);
                }
            }
            for (number, (plain, frame)) in plain.iter().take(count).zip(frames.by_ref()).enumerate() {
                self.take(number, plain.as_ref(), &frame, interfaces);
            }
            if count < MOST_TOGETHER {
                return;
            }
        }
    }

    /// Takes the frame that is the how manieth of those together, with the segment of a plain packet and its place.
    #[inline]
    fn take(
        &mut self,
        number: usize,
        plain: Option<&(Segment<'_>, Place)>,
        frame: &Frame<'_>,
        interfaces: &[Interface],
    ) {
        if self.counts.interfaces() <= frame.interface as usize {
            self.meet_interfaces(frame.interface, interfaces);
        }
        self.counts.see(frame);
        let link_type = link_type(frame, interfaces);
        let outcome = match (plain, self.encapsulations.get(number)) {
            (Some((segment, place)), Some(encapsulation)) => {
                let link = self.streams.needs_links.then(|| decode::link_addresses(link_type.0, frame.data));
                self.streams.take(segment, place, frame, link_type, encapsulation, link.flatten())
            }
            _ => match self.take_any(number, frame, link_type) {
                Ok(outcome) => outcome,
                Err(error) => return self.counts.refuse(error),
            },
        };
        match outcome {
            Ok(()) => self.counts.parse(frame),
            Err(reason) => self.counts.skip(reason),
        }
    }

    /// Takes a frame that is no plain packet: whether it was looked into, or why not.
    #[inline(never)]
    fn take_any(
        &mut self,
        number: usize,
        frame: &Frame<'_>,
        link_type: LinkType,
    ) -> Result<Result<(), &'static str>, DecodeError> {
        if decode::is_idle_datagram(link_type.0, frame.data) {
            return Ok(Err(IDLE_DATAGRAM));
        }
        let Some(encapsulation) = self.encapsulations.get_mut(number) else { return Ok(Ok(())) };
        let mut link = None;
        let decoded = self.decoder.decode(
            link_type.0,
            frame.timestamp,
            frame.data,
            frame.wire_bytes,
            encapsulation,
            &mut link,
        )?;
        Ok(match &decoded {
            Decoded::Tcp(segment) => {
                let place = self.streams.table.place(segment);
                let link = link.filter(|_| self.streams.needs_links);
                self.streams.take(segment, &place, frame, link_type, encapsulation, link)
            }
            other => self.streams.flows.take_other(other, frame, encapsulation),
        })
    }

    /// Remembers from now on which flows are settled and which addresses are learned, for
    /// [`Engine::take_settled`] and [`Engine::take_learned`].
    #[must_use]
    pub fn telling_settled(mut self) -> Self {
        self.streams.settled = Some(Vec::new());
        self.streams.flows.tell_learned();
        self
    }

    /// Flows of which no further packet matters, so that the source of the frames may leave them out, each with the
    /// time of the frame that told: another flow may have the same addresses later. A flow may be told more than once.
    /// Empty without [`Engine::telling_settled`].
    pub fn take_settled(&mut self) -> impl Iterator<Item = (FlowAddresses, Timestamp)> + '_ {
        self.streams.settled.iter_mut().flat_map(|settled| settled.drain(..))
    }

    /// Addresses that clients were told for names of interest. Empty without [`Engine::telling_settled`].
    pub fn take_learned(&mut self) -> impl Iterator<Item = IpAddr> + '_ {
        self.streams.flows.take_learned()
    }

    /// Ends what is overdue at `now`, as a frame of that time would; for a source that is silent.
    pub fn advance(&mut self, now: Timestamp) {
        let Streams { table, flows, .. } = &mut self.streams;
        table.advance(now, flows);
        while table.has_overdue() {
            table.advance(now, flows);
        }
    }

    /// Takes another configuration, for every flow that ends from now on. No flow is lost; the limit of
    /// flows and the bytes per flow stay those the engine began with.
    pub fn reconfigure(&mut self, config: Arc<Resolved>) {
        self.streams.needs_links = config.path.needs_link_addresses();
        self.streams.flows.reconfigure(config);
    }

    /// Records that are complete, each with the identity of its flow.
    pub fn take_records(&mut self) -> impl Iterator<Item = (Record, Identity)> + '_ {
        self.streams.flows.records.drain(..)
    }

    /// Bytes held of flows that are open.
    #[must_use]
    pub(super) const fn held_bytes(&self) -> usize {
        self.streams.table.held_bytes()
    }

    /// How many records wait to be taken.
    #[must_use]
    pub fn waiting_records(&self) -> usize {
        self.streams.flows.records.len()
    }

    /// Ends every open flow.
    pub fn finish(&mut self) {
        self.streams.table.finish(&mut self.streams.flows);
    }

    /// Ends up to `most` open flows, in the order they were opened, and says whether there are more: as
    /// [`Engine::finish`], but without the records of all of them at once. No frame may come in between.
    pub fn finish_some(&mut self, most: usize) -> bool {
        self.streams.table.finish_some(most, &mut self.streams.flows)
    }

    /// Interfaces whose packets cannot be read, as (interface, link type number).
    pub fn unsupported_interfaces(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        self.counts.unsupported()
    }

    /// What was counted.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        let Streams { table, flows, .. } = &self.streams;
        let counts = table.counts();
        let mut accounts = Accounts {
            flows_opened: counts.opened,
            flows_open: table.open_flows() as u64,
            flows_peak: counts.peak,
            ..Accounts::default()
        };
        self.counts.add_to(&mut accounts, flows.interface_names());
        flows.add_to(&mut accounts);
        if counts.segments_disagreeing > 0 {
            *accounts.decode_errors.entry(SEGMENTS_DISAGREE).or_default() += counts.segments_disagreeing;
        }
        let decoder = self.decoder.counts();
        for (error, count) in decoder.too_long().into_iter().filter(|(_, count)| *count > 0) {
            *accounts.decode_errors.entry((error.layer(), error.reason())).or_default() += count;
        }
        for (reason, count) in [
            ("fragment_evicted", decoder.fragment_evicted),
            ("fragment_timeout", decoder.fragment_timeout),
            ("fragment_unfinished", decoder.waiting),
            ("no_room_for_context", counts.contexts_refused + flows.contexts.refused()),
            ("no_room_for_flow", counts.beginnings_refused),
            ("no_room_for_name", flows.forgotten_names()),
            ("no_room_for_segment", counts.segments_refused),
        ] {
            if count > 0 {
                *accounts.dropped.entry((flows.source().to_string(), "reassembly", reason)).or_default() +=
                    count;
            }
        }
        accounts
    }

    /// Whether packets that begin so may be those that follow the ones before: on the same interfaces, and not earlier than
    /// these.
    #[must_use]
    pub(super) fn may_go_on(&self, beginning: &Beginning) -> bool {
        let mut known = self.streams.flows.interfaces().enumerate();
        // Those of a second section of a file are those of the first once more.
        let are_same = known.all(|(number, known)| match beginning.interfaces.get(number) {
            None => known.is_some_and(|known| beginning.interfaces.contains(known)),
            same => known == same,
        });
        let latest = beginning.first.after(tolerance(beginning.interfaces.len()));
        are_same && self.last_packet().is_none_or(|last| last <= latest)
    }

    /// Time of the newest packet.
    #[must_use]
    pub(super) fn last_packet(&self) -> Option<Timestamp> {
        self.counts.last_packet()
    }

    /// Whether a segment is of a connection that was met.
    #[must_use]
    pub(super) fn kinship(&self, segment: &Segment<'_>) -> Option<Kinship> {
        self.streams.table.kinship(segment)
    }

    /// The next frames are of the file `source`, whose packets follow those before. Gives what was counted of the frames
    /// of the file that ended.
    pub(super) fn begin_file(&mut self, source: Arc<str>) -> Accounts {
        let Self { streams: Streams { flows, .. }, counts, .. } = self;
        let accounts = counts.begin_file(flows.interface_names());
        flows.begin_file(source);
        accounts
    }

    /// The number of an interface stands for another one from the next frame on; what was counted goes to
    /// [`OTHERS`](crate::capture::live::OTHERS).
    pub fn rename_interface(&mut self, number: u32, interface: &Interface) {
        // One that was not met yet is named when it is.
        if (number as usize) < self.counts.interfaces() {
            let now = self.counts.last_packet().unwrap_or_default();
            self.counts.forget(number);
            self.streams.flows.meet_interface(number, Some(interface), now);
        }
    }

    #[cold]
    fn meet_interfaces(&mut self, newest: u32, interfaces: &[Interface]) {
        if newest > 0 {
            self.streams.table.set_linger(OTHER_INTERFACES);
        }
        let now = self.counts.last_packet().unwrap_or_default();
        for number in self.counts.interfaces() as u32..=newest {
            let interface = interfaces.get(number as usize);
            self.counts.meet_interface(interface);
            self.streams.flows.meet_interface(number, interface, now);
        }
    }
}

/// The link type of a frame's interface; 0, which is none of those read ahead, of an unknown one.
#[inline]
pub(super) fn link_type(frame: &Frame<'_>, interfaces: &[Interface]) -> LinkType {
    interfaces.get(frame.interface as usize).map_or(LinkType(0), |interface| interface.link_type)
}

/// Where a frame was taken: its interface, or that which the frames of a device for all interfaces tell themselves.
#[inline]
fn place_of(frame: &Frame<'_>, link_type: LinkType) -> u32 {
    /// Apart from the numbers of interfaces in files.
    const TOLD: u32 = 1 << 31;
    match decode::cooked_interface(link_type.0, frame.data) {
        Some(number) => TOLD | number << 8 | (frame.interface & 0xff),
        None => frame.interface,
    }
}

impl Streams {
    /// Takes a segment.
    ///
    /// # Errors
    /// The reason why it is not looked into.
    #[inline(always)]
    fn take(
        &mut self,
        segment: &Segment<'_>,
        place: &Place,
        frame: &Frame<'_>,
        link_type: LinkType,
        encapsulation: &Encapsulation,
        link: Option<LinkAddresses>,
    ) -> Result<(), &'static str> {
        let context = self.flows.contexts.number(frame.interface, encapsulation, frame.timestamp);
        let moment = Moment {
            at: frame.timestamp,
            frame: self.flows.number_of(frame),
            context,
            interface: place_of(frame, link_type),
            link,
            acknowledgment: segment.flags.has(TcpFlags::ACK).then_some(segment.acknowledgment),
            end: None,
        };
        match self.table.push_at(place, segment, &moment, &mut self.flows) {
            // Looked into in vain, where there was no room; that is counted as a loss.
            Taken::Inspected | Taken::NoRoom => Ok(()),
            Taken::Decided => {
                // Told by addresses and ports, which another connection may have at the same time, behind another tunnel.
                if let Some(settled) = &mut self.settled
                    && settled.len() < MAX_SETTLED
                    && self.table.is_decided(place)
                {
                    let flow = FlowAddresses { source: segment.source, destination: segment.destination };
                    settled.push((flow, frame.timestamp));
                }
                Err("flow_decided")
            }
            Taken::NoFlow => Err("no_flow"),
            Taken::OutOfWindow => Err("out_of_window"),
        }
    }
}
