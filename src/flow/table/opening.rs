//! How flows come into the table: as what little a SYN says, and as what more than one packet takes.

use super::ending::HANDSHAKE_IDLE;
use super::slot::{Active, Phase, Slot};
use super::{Place, Sighting, Table};
use crate::decode::TcpFlags;
use crate::flow::Consumer;

impl<C: Consumer> Table<C> {
    /// Makes a slot for a flow that begins with this segment, which is yet to be given to it.
    pub(super) fn open(&mut self, place: &Place, sighting: Sighting<'_>, consumer: &mut C) -> u32 {
        let Sighting { side, segment, moment } = sighting;
        if self.slots.len() - self.free.len() >= self.limits.flows {
            self.evict(consumer);
        }
        let mut slot = Slot::opened(place.key, moment, self.now);
        const ALL: u8 = TcpFlags::SYN | TcpFlags::ACK | TcpFlags::FIN | TcpFlags::RST;
        if segment.flags.0 & ALL == TcpFlags::SYN && segment.payload_wire_bytes == 0 {
            slot.base[side.index()] = segment.sequence.wrapping_add(1);
            slot.has_base[side.index()] = true;
        } else {
            slot.phase = Phase::Active;
            self.held_bytes += size_of::<Active<C::State>>();
            slot.active = Some(Box::new(Active::new(&slot)));
        }
        let index = if let Some(index) = self.free.pop() {
            if let Some(old) = self.slots.get_mut(index as usize) {
                let generation = old.generation.wrapping_add(1);
                *old = Slot { generation, ..slot };
            }
            index
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        self.enlist(index, place);
        self.wheel.schedule(index, self.now.after(HANDSHAKE_IDLE), self.now);
        self.live += 1;
        self.counts.opened += 1;
        self.counts.peak = self.counts.peak.max(self.live as u64);
        index
    }

    /// Makes the slot one that is found by its addresses and ports.
    fn enlist(&mut self, index: u32, place: &Place) {
        if let Some(head) = self.find(&place.key, place.hash) {
            // Appended at the end: the chain stays in order of age.
            let last = self.chain(head).last().unwrap_or(head);
            if let Some(slot) = self.slots.get_mut(last as usize) {
                slot.next = index;
            }
        } else {
            self.edition += 1;
            let (hasher, slots) = (&self.hasher, &self.slots);
            self.index.insert_unique(place.hash, index, |&index| {
                slots.get(index as usize).map_or(0, |slot| slot.key.hash_with(hasher))
            });
        }
    }

    /// Makes of a SYN what is needed for more than one packet.
    pub(super) fn unfold(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.phase == Phase::Opened
        {
            slot.active = Some(Box::new(Active::after_syn(slot)));
            slot.phase = Phase::Active;
            self.held_bytes += size_of::<Active<C::State>>();
        }
    }
}
