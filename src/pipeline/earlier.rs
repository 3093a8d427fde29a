//! Which flows were reported before, so that none is reported again.
//!
//! Each input (a file, or a series of them) has an engine and a flow table of its own, so what two of them show of one
//! connection meets here, as the identities their tables gave it. So does what one input shows of it twice, longer apart
//! than a table remembers flows that are over: captures that were joined one behind the other.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::flow::Identity;
use crate::model::Record;

/// The most flows remembered: 8 bytes each, and 16 more where the interface has a name.
const MAX_REMEMBERED: usize = 4_000_000;

const EARLIER_IN_FILE: &str = "same_flow_earlier_in_file";

/// The flows of the inputs before this one, and of this one so far.
#[derive(Default)]
pub(super) struct EarlierFlows {
    hasher: RandomState,
    flows: HashSet<u64, RandomState>,
    /// First bytes and where they stood → the interface they were seen on.
    views: HashMap<u64, u64, RandomState>,
    flows_of_this: HashSet<u64, RandomState>,
    /// As `views`, where the interface has a name.
    views_of_this: Vec<(u64, u64)>,
}

impl EarlierFlows {
    /// Why `record` is one flow with a record before, if it is; else it is remembered.
    ///
    /// Under other addresses (NAT) it is only where both were seen on interfaces that have names and
    /// the names differ: of files that do not name their interface nothing says that they differ.
    ///
    /// Within an input, flows that nothing but their addresses tells apart are different ones.
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
        if self.flows.len() + self.flows_of_this.len() >= MAX_REMEMBERED {
            let is_known = identity.view.is_some() && self.flows_of_this.contains(&identity.flow);
            return is_known.then_some(EARLIER_IN_FILE);
        }
        if !self.flows_of_this.insert(identity.flow) && identity.view.is_some() {
            return Some(EARLIER_IN_FILE);
        }
        if let (Some(view), Some(interface)) = (identity.view, interface) {
            self.views_of_this.push((view, interface));
        }
        None
    }

    /// What comes now is of another input.
    pub fn end_input(&mut self) {
        if self.flows.is_empty() {
            std::mem::swap(&mut self.flows, &mut self.flows_of_this);
        }
        self.flows.extend(self.flows_of_this.drain());
        self.views.extend(self.views_of_this.drain(..));
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.flows.clear();
        self.views.clear();
        self.flows_of_this.clear();
        self.views_of_this.clear();
    }
}
