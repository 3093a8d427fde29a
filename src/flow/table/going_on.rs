//! Whether connections that are known go on elsewhere: in the next file of a capture.

use super::slot::{Phase, Slot};
use super::{Place, Table};
use crate::decode::{Segment, TcpFlags};
use crate::flow::Consumer;
use crate::flow::stream::{WINDOW, distance};
use crate::model::Side;

/// What a segment says of whether it was seen where the table's flows were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// It is of a connection that is known: by its numbers, not by addresses and ports alone, which another place may use, too.
    Same,
    /// A connection with these addresses and ports is known, and goes on at other numbers.
    Other,
}

/// Where a number stands that should follow a known one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// As what is sent again does, and what comes next.
    Near,
    /// As behind a transfer that was not followed.
    Ahead,
    Behind,
}

impl Stands {
    fn of(known: u32, number: u32) -> Self {
        let distance = distance(known, number);
        match distance.unsigned_abs() < WINDOW {
            true => Self::Near,
            false if distance > 0 => Self::Ahead,
            false => Self::Behind,
        }
    }
}

impl<C: Consumer> Table<C> {
    /// Whether a segment is of a connection that the table knows; `None` where nothing tells.
    #[must_use]
    pub fn kinship(&self, segment: &Segment<'_>) -> Option<Kinship> {
        let Place { key, side, hash, .. } = self.place(segment);
        let instances = self.chain(self.find(&key, hash)?).filter_map(|index| self.slots.get(index as usize));
        let mut is_other = false;
        for slot in instances {
            match of(slot, side, segment) {
                Some(Kinship::Same) => return Some(Kinship::Same),
                Some(Kinship::Other) => is_other = true,
                None => {}
            }
        }
        is_other.then_some(Kinship::Other)
    }
}

fn of<S>(slot: &Slot<S>, side: Side, segment: &Segment<'_>) -> Option<Kinship> {
    let (mine, other) = (side.index(), side.other().index());
    let acknowledged = segment.flags.has(TcpFlags::ACK).then_some(segment.acknowledgment);
    let base = |end: usize| slot.has_base[end].then_some(slot.base[end]);
    if segment.flags.has(TcpFlags::SYN) {
        // Of another one it may be the next connection from this port.
        let is_known = base(mine) == Some(segment.sequence.wrapping_add(1));
        let answers = acknowledged.is_some() && acknowledged == base(other);
        return (is_known || answers).then_some(Kinship::Same);
    }
    match (&slot.active, slot.phase) {
        (Some(active), _) => match active.streams[mine].offset_of(segment.sequence) {
            Some(offset) if offset.unsigned_abs() < WINDOW => Some(Kinship::Same),
            Some(_) => Some(Kinship::Other),
            None => {
                let is_known = |number: &u32| active.streams[other].is_acknowledged_by(*number);
                acknowledged.filter(is_known).map(|_| Kinship::Same)
            }
        },
        (None, Phase::Opened) => {
            let is_next = base(mine).is_some_and(|base| Stands::of(base, segment.sequence) == Stands::Near);
            let answers = acknowledged.is_some() && acknowledged == base(other);
            (is_next || answers).then_some(Kinship::Same)
        }
        // What followed the handshake was not counted. It may be much, but seldom is in both directions.
        (None, Phase::Decided | Phase::Closed) => {
            let end = |end: usize| Some(slot.ends()[end]).filter(|known| *known != 0).or(base(end));
            let sent = Stands::of(end(mine)?, segment.sequence);
            let heard = end(other).zip(acknowledged).map(|(known, number)| Stands::of(known, number));
            match (sent, heard) {
                (Stands::Near, None | Some(Stands::Near)) => Some(Kinship::Same),
                // What was closed does not grow, and its port may be used again.
                _ if slot.phase == Phase::Closed => None,
                (Stands::Behind, _) | (_, Some(Stands::Behind)) => Some(Kinship::Other),
                (Stands::Near, _) | (_, Some(Stands::Near)) => Some(Kinship::Same),
                (Stands::Ahead, _) => None,
            }
        }
        (None, _) => None,
    }
}
