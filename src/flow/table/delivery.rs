//! What streams deliver, on its way to who reads it.

use super::slot::{Active, HEAD_BYTES};
use crate::decode::{Segment, TcpFlags};
use crate::flow::consumer::{Consumer, FlowView, Moment};
use crate::flow::stream::{Delivery, Origin};
use crate::model::Side;

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
        let beginning = active.streams[other].beginning_before(segment.acknowledgment);
        active.streams[other].anchor(beginning, false);
    }
    is_first_word
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
