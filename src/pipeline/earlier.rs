//! Which flows earlier inputs showed, so that a later one does not report them again.
//!
//! Each input has an engine and a flow table of its own, so what two files show of one connection
//! meets here, as the identities their tables gave it.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::flow::Identity;
use crate::model::Record;

/// The most flows remembered: 8 bytes each, and 16 more where the interface has a name.
const MAX_REMEMBERED: usize = 4_000_000;

/// The flows of the inputs before this one.
#[derive(Default)]
pub(super) struct EarlierInputs {
    hasher: RandomState,
    flows: HashSet<u64, RandomState>,
    /// First bytes and where they stood → the interface they were seen on.
    views: HashMap<u64, u64, RandomState>,
    /// Those of this input, with the interface where that has a name.
    of_this: Vec<(Identity, Option<u64>)>,
}

impl EarlierInputs {
    /// Why `record` is one flow with a record of an earlier input, if it is; else it is remembered.
    ///
    /// Under other addresses (NAT) it is only where both were seen on interfaces that have names and
    /// the names differ: of files that do not name their interface nothing says that they differ.
    pub fn repeats(&mut self, record: &Record, identity: Identity) -> Option<&'static str> {
        if self.flows.contains(&identity.flow) {
            return Some("same_flow_in_earlier_file");
        }
        let interface = record
            .sightings
            .first()
            .and_then(|sighting| sighting.interface.as_deref())
            .map(|name| self.hasher.hash_one(name));
        if let (Some(view), Some(here)) = (identity.view, interface)
            && self.views.get(&view).is_some_and(|there| *there != here)
        {
            return Some("same_flow_translated_in_earlier_file");
        }
        self.of_this.push((identity, interface));
        None
    }

    /// What comes now is of another input.
    pub fn end_input(&mut self) {
        for (identity, interface) in self.of_this.drain(..) {
            if self.flows.len() >= MAX_REMEMBERED {
                break;
            }
            self.flows.insert(identity.flow);
            if let (Some(view), Some(interface)) = (identity.view, interface) {
                self.views.insert(view, interface);
            }
        }
        self.of_this.clear();
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.flows.clear();
        self.views.clear();
        self.of_this.clear();
    }
}
