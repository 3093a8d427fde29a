//! Whether connections that are known go on elsewhere: in the next file of a capture.

use super::slot::{Phase, Slot};
use super::{Place, Table};
use crate::decode::{Segment, TcpFlags};
use crate::flow::Consumer;
use crate::flow::stream::{WINDOW, distance};
use crate::model::Side;

/// True for a sequence number close to another one: what retransmits, and what comes next.
fn is_near(known: u32, sequence: u32) -> bool {
    distance(known, sequence).unsigned_abs() < WINDOW
}

impl<C: Consumer> Table<C> {
    /// True where a segment is of a connection that the table knows: not by its addresses and ports alone, which another
    /// place may use too, but also by its sequence number.
    #[must_use]
    pub fn expects(&self, segment: &Segment<'_>) -> bool {
        let Place { key, side, hash, .. } = self.place(segment);
        let Some(head) = self.find(&key, hash) else { return false };
        let mut instances = self.chain(head).filter_map(|index| self.slots.get(index as usize));
        instances.any(|slot| is_of(slot, side, segment))
    }
}

fn is_of<S>(slot: &Slot<S>, side: Side, segment: &Segment<'_>) -> bool {
    let (mine, other) = (side.index(), side.other().index());
    let is_syn = segment.flags.has(TcpFlags::SYN);
    let sequence = segment.sequence.wrapping_add(u32::from(is_syn));
    if is_syn && slot.has_base[mine] {
        return slot.base[mine] == sequence;
    }
    let acknowledges = segment.flags.has(TcpFlags::ACK);
    match (&slot.active, slot.phase) {
        (Some(active), _) => match active.streams[mine].offset_of(sequence) {
            Some(offset) => offset.unsigned_abs() < WINDOW,
            None => acknowledges && active.streams[other].is_acknowledged_by(segment.acknowledgment),
        },
        (None, Phase::Opened) => {
            acknowledges && slot.has_base[other] && slot.base[other] == segment.acknowledgment
        }
        // What followed the handshake was not counted, and may be much.
        (None, Phase::Decided) => {
            let end = match slot.ends()[mine] {
                0 => slot.has_base[mine].then_some(slot.base[mine]),
                end => Some(end),
            };
            end.is_some_and(|end| is_near(end, sequence) || distance(end, sequence) > 0)
        }
        (None, Phase::Closed) => slot.ends()[mine] != 0 && is_near(slot.ends()[mine], sequence),
        (None, _) => false,
    }
}
