//! What streams deliver, on its way to who reads it.

use super::Sighting;
use super::slot::{Active, HEAD_BYTES};
use crate::decode::{Segment, TcpFlags};
use crate::flow::consumer::{Consumer, FlowView, Moment};
use crate::flow::stream::{Delivery, Origin};
use crate::model::Side;

/// The header of a TLS record [RFC 8446 section 5.1]. No shorter segment tells by itself how a stream begins.
const RECORD_HEADER_BYTES: usize = 5;

/// True for a segment that a stream may begin with.
pub(super) fn may_start_stream<C: Consumer>(segment: &Segment<'_>, consumer: &C) -> bool {
    segment.payload.len() > RECORD_HEADER_BYTES && consumer.starts_stream(segment.payload)
}

/// Where nothing told the beginning of a stream yet, a segment that one may begin with does. True where it tells the beginning
/// of the other side's, too.
pub(super) fn begin_by_start<C: Consumer>(
    active: &mut Active<C::State>,
    sighting: Sighting<'_>,
    sequence: u32,
    consumer: &mut C,
) -> bool {
    let Sighting { side, segment, moment } = sighting;
    let stream = &mut active.streams[side.index()];
    if !stream.is_unanchored() || !may_start_stream(segment, consumer) {
        return false;
    }
    // What was held right in front of it, as a proxy's header, belongs to the stream too.
    let beginning = stream.run_before(sequence).unwrap_or(sequence);
    stream.anchor(beginning, false);
    release(active, side, moment, consumer);
    // What the other side says from here on is the answer, whatever it begins with.
    let answerer = &mut active.streams[side.other().index()];
    let is_answer_known =
        segment.flags.has(TcpFlags::ACK) && answerer.is_unanchored() && !consumer.is_answer(segment.payload);
    if is_answer_known {
        answerer.anchor_before(segment.acknowledgment, false);
    }
    is_answer_known
}

/// Where no SYN told the beginning of a stream, the segments held may tell it together: a hello that
/// was cut into small pieces.
pub(super) fn begin_by_content<C: Consumer>(
    active: &mut Active<C::State>,
    side: Side,
    moment: &Moment,
    consumer: &mut C,
) {
    let mut head = [0; HEAD_BYTES];
    let stream = &mut active.streams[side.index()];
    let Some((sequence, length)) = stream.lowest_run(&mut head) else { return };
    if consumer.starts_stream(head.get(..length).unwrap_or_default()) {
        stream.anchor(sequence, false);
        release(active, side, moment, consumer);
    }
}

/// Where the answer to a SYN was not seen, its sender tells where the answerer begins: by what it acknowledges before it has
/// said anything else. True where that was not known.
pub(super) fn begin_by_acknowledgment<S>(active: &mut Active<S>, side: Side, segment: &Segment<'_>) -> bool {
    let [mine, other] = [side, side.other()].map(Side::index);
    let is_first_word = active.streams[other].is_unanchored()
        && active.view.has_syn
        && active.view.originator == Some(side)
        && !active.is_answer_disputed
        && !segment.flags.has(TcpFlags::RST)
        && active.streams[mine].is_whole_up_to(segment.sequence);
    if is_first_word {
        active.streams[other].anchor_before(segment.acknowledgment, false);
    }
    is_first_word
}

/// Gives payload that begins at `sequence` to its stream, which may hold up to `room` bytes now, and hands on what that
/// delivers; gaps that nothing will fill any more are given up. True where the stream could not hold it at first.
/// `is_seen_once`: nobody else shows whole what a tap cut off.
pub(super) fn deliver_payload<C: Consumer>(
    active: &mut Active<C::State>,
    sighting: Sighting<'_>,
    sequence: u32,
    [room, flow_bytes]: [usize; 2],
    is_seen_once: bool,
    consumer: &mut C,
) -> bool {
    let Sighting { side, segment, moment } = sighting;
    let (payload, wire_bytes) = (segment.payload, segment.payload_wire_bytes);
    let Active { streams, state, view, .. } = active;
    let stream = &mut streams[side.index()];
    let mut deliver = |delivery: Delivery<'_>| hand_on(delivery, consumer, state, view, side, moment);
    let is_refused = !stream.push(sequence, payload, wire_bytes, room, moment, &mut deliver);
    // No room: what is held is worth more in order with a gap than waiting for ever.
    let is_lost = is_refused
        && (!stream.skip_gap(&mut deliver)
            || !stream.push(sequence, payload, wire_bytes, room, moment, &mut deliver));
    let is_joined = stream.is_beginning_hopeless(flow_bytes);
    let is_hopeless = is_joined || stream.is_gap_hopeless(moment.at);
    stream.skip_gaps(is_hopeless, is_seen_once, &mut deliver);
    let answerer = &mut streams[side.other().index()];
    if is_joined && answerer.is_unanchored() {
        // What both said tells together what it is.
        answerer.skip_gap(&mut |delivery| hand_on(delivery, consumer, state, view, side.other(), moment));
    }
    view.lost_bytes |= is_lost;
    is_refused
}

/// Gives up gaps of `side` that have turned hopeless by a packet of the other one: by its acknowledgement, or its time.
/// True where there were any.
pub(super) fn give_up_gaps<C: Consumer>(
    active: &mut Active<C::State>,
    side: Side,
    moment: &Moment,
    is_seen_once: bool,
    consumer: &mut C,
) -> bool {
    let Active { streams, state, view, .. } = active;
    let stream = &mut streams[side.index()];
    if !stream.has_held() {
        return false;
    }
    let is_hopeless = stream.is_gap_hopeless(moment.at);
    let deliver = &mut |delivery: Delivery<'_>| hand_on(delivery, consumer, state, view, side, moment);
    stream.skip_gaps(is_hopeless, is_seen_once, deliver)
}

/// Delivers what was held of a stream whose beginning has become known.
pub(super) fn release<C: Consumer>(
    active: &mut Active<C::State>,
    side: Side,
    moment: &Moment,
    consumer: &mut C,
) {
    let Active { streams, state, view, .. } = active;
    streams[side.index()].release(&mut |delivery| hand_on(delivery, consumer, state, view, side, moment));
}

/// Hands on what a stream delivers.
pub(super) fn hand_on<C: Consumer>(
    delivery: Delivery<'_>,
    consumer: &mut C,
    state: &mut C::State,
    view: &FlowView,
    side: Side,
    moment: &Moment,
) {
    let (bytes, moment) = match delivery {
        Delivery::Bytes(bytes, end) => (bytes, Moment { end: Some(end), ..*moment }),
        Delivery::Waited(bytes, end, Origin { acknowledgment, .. }) => {
            (bytes, Moment { acknowledgment, end: Some(end), ..*moment })
        }
        Delivery::Late(bytes, end, Origin { frame, at, acknowledgment }) => {
            (bytes, Moment { frame, at, acknowledgment, end: Some(end), ..*moment })
        }
        Delivery::Gap(until) => return consumer.gap(state, side, until),
    };
    consumer.data(state, view, side, bytes, &moment);
}
