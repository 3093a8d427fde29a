//! Flows that are seen under other addresses, too, because these were translated on the way: two of the table that turn
//! out to be one.

use std::hash::BuildHasher;

use super::Table;
use super::slot::{Active, HEAD_BYTES, Phase, Slot, Translated, head_hash};
use crate::decode::Segment;
use crate::flow::{Consumer, Ending, Key, Moment};
use crate::model::Side;

impl<C: Consumer> Table<C> {
    /// The flow that one under other addresses turned out to be, as long as that is open.
    pub(super) fn open_there(&self, there: Translated) -> Option<&Active<C::State>> {
        let slot = self.slots.get(there.slot as usize).filter(|slot| slot.generation == there.generation)?;
        slot.active.as_deref()
    }

    /// Remembers a client's first bytes, or recognises them as those of a flow under other addresses.
    pub(super) fn join(&mut self, index: u32, segment: &Segment<'_>, moment: &Moment, consumer: &mut C) {
        let Some(first_bytes) = segment.payload.get(..HEAD_BYTES) else { return };
        let hash = self.hasher.hash_one((segment.sequence, first_bytes)).max(1);
        let own = self.slots.get(index as usize);
        let key = own.map(|slot| slot.key);
        let sides = |slot: &Slot<C::State>, head: Option<u32>| {
            [Side::A, Side::B].into_iter().find(|side| Some(slot.head[side.index()]) == head)
        };
        let begun = own.and_then(|slot| slot.active.as_ref()).map(|active| {
            let view = &active.view;
            (view.first_seen, view.first_frame)
        });
        let head = head_hash(&self.hasher, segment.payload);
        let own_side = own.and_then(|slot| sides(slot, head));
        if let Some(&primary) = self.views.get(&hash)
            && primary != index
            && let Some(slot) = self.slots.get_mut(primary as usize)
            && slot.phase != Phase::Unused
            && slot.view_hash == hash
            && Some(slot.key) != key
        {
            let is_here = |active: &Active<C::State>| active.interfaces.contains(&moment.interface);
            if slot.interface == moment.interface || slot.active.as_deref().is_some_and(is_here) {
                // Each may be seen elsewhere, too.
                if let Some(active) =
                    self.slots.get_mut(index as usize).and_then(|own| own.active.as_deref_mut())
                {
                    active.awaits_join = true;
                }
                return;
            }
            let sender = sides(slot, head);
            let there = Translated {
                slot: primary,
                generation: slot.generation,
                is_turned: own_side.is_some() && sender.is_some() && own_side != sender,
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
            return;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.view_hash = hash;
            self.views.insert(hash, index);
        }
    }

    /// The same of a flow that is over and waits for other interfaces, of which this is one.
    #[cold]
    pub(super) fn join_late(
        &mut self,
        index: u32,
        side: Side,
        segment: &Segment<'_>,
        moment: &Moment,
        consumer: &mut C,
    ) {
        let head = head_hash(&self.hasher, segment.payload);
        let is_beginning = self.slots.get(index as usize).is_some_and(|slot| {
            slot.base[side.index()] == segment.sequence && head == Some(slot.head[side.index()])
        });
        if is_beginning && consumer.starts_stream(segment.payload) {
            self.join(index, segment, moment, consumer);
        }
    }
}
