//! Flows that are seen under other addresses, too, because these were translated on the way: two of the table that turn
//! out to be one.

use std::hash::BuildHasher;

use super::slot::{Active, HEAD_BYTES, Phase, Slot, Translated, head_hash};
use super::{Sighting, Table};
use crate::flow::{Consumer, Ending, Key};
use crate::model::Side;

impl<C: Consumer> Table<C> {
    /// The slot that a flow under other addresses turned out to be, as long as that is there.
    pub(super) fn slot_there(&self, there: Translated) -> Option<&Slot<C::State>> {
        self.slots.get(there.slot as usize).filter(|slot| slot.generation == there.generation)
    }

    /// The flow of it, as long as that is open.
    pub(super) fn open_there(&self, there: Translated) -> Option<&Active<C::State>> {
        self.slot_there(there)?.active.as_deref()
    }

    /// Remembers a client's first bytes, or recognises them as those of a flow under other addresses.
    pub(super) fn join(&mut self, index: u32, sighting: Sighting<'_>, consumer: &mut C) {
        let Some(first_bytes) = sighting.segment.payload.get(..HEAD_BYTES) else { return };
        let hash = self.hasher.hash_one((sighting.segment.sequence, first_bytes)).max(1);
        if let Some(primary) = self.known_elsewhere(index, hash) {
            self.join_with(primary, index, sighting, consumer);
        } else if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.view_hash = hash;
            self.views.insert(hash, index);
        }
    }

    /// The slot of a flow with other addresses than that at `index`, and the same first bytes.
    fn known_elsewhere(&self, index: u32, hash: u64) -> Option<u32> {
        let primary = *self.views.get(&hash)?;
        let slot = self.slots.get(primary as usize)?;
        let is_it = primary != index
            && slot.phase != Phase::Unused
            && slot.view_hash == hash
            && self.slots.get(index as usize).is_none_or(|own| own.key != slot.key);
        is_it.then_some(primary)
    }

    /// The flow at `index` is the one at `primary`, where the two were not seen on the same interface: then each is a flow
    /// of its own, as far as can be told.
    fn join_with(&mut self, primary: u32, index: u32, sighting: Sighting<'_>, consumer: &mut C) {
        let Sighting { segment, moment, .. } = sighting;
        let head = head_hash(&self.hasher, segment.payload);
        let sender_of = |slot: &Slot<C::State>| {
            [Side::A, Side::B].into_iter().find(|side| Some(slot.head[side.index()]) == head)
        };
        let own = self.slots.get(index as usize);
        let own_sender = own.and_then(sender_of);
        let begun = own
            .and_then(|own| own.active.as_ref())
            .map(|active| (active.view.first_seen, active.view.first_frame));
        let Some(slot) = self.slots.get_mut(primary as usize) else { return };
        let is_here = |active: &Active<C::State>| active.interfaces.contains(&moment.interface);
        if slot.interface == moment.interface || slot.active.as_deref().is_some_and(is_here) {
            // Each may be seen elsewhere, too.
            if let Some(active) = self.active_mut(index) {
                active.awaits_join = true;
            }
            return;
        }
        let sender = sender_of(slot);
        let there = Translated {
            slot: primary,
            generation: slot.generation,
            is_turned: own_sender.is_some() && sender.is_some() && own_sender != sender,
        };
        if let Some(active) = slot.active.as_deref_mut() {
            let view = &mut active.view;
            // Interfaces are read in turn: what comes second may have been there first.
            let begun = begun.filter(|(first_seen, _)| *first_seen < view.first_seen);
            let is_first = begun.is_some() && sender.is_some();
            if active.interfaces.try_push(moment.interface).is_ok() {
                let mut other = (segment.source, segment.destination);
                if let (Some((first_seen, first_frame)), Some(sender)) = (begun, sender) {
                    other = (view.key.end(sender), view.key.end(sender.other()));
                    view.key = Key::of_sender(sender, segment.source, segment.destination);
                    (view.first_seen, view.first_frame) = (first_seen, first_frame);
                }
                view.translated.push(other);
            }
            let position = if is_first { 0 } else { view.contexts.len() };
            if view.contexts.try_insert(position, moment.context).is_err() {
                self.counts.contexts_refused += u64::from(view.note_more_contexts());
            }
            if let (Some(link), Some(sender)) = (moment.link, sender) {
                consumer.linked(&mut active.state, sender, link, moment.context);
            }
        }
        self.end(index, Ending::Translated, consumer);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.translated = Some(there);
        }
    }

    /// [`Table::join`] of a flow that is over and waits for other interfaces, of which this is one.
    #[cold]
    pub(super) fn join_late(&mut self, index: u32, sighting: Sighting<'_>, consumer: &mut C) {
        let Sighting { side, segment, .. } = sighting;
        let head = head_hash(&self.hasher, segment.payload);
        let is_beginning = self.slots.get(index as usize).is_some_and(|slot| {
            slot.base[side.index()] == segment.sequence && head == Some(slot.head[side.index()])
        });
        if is_beginning && consumer.starts_stream(segment.payload) {
            self.join(index, sighting, consumer);
        }
    }
}
