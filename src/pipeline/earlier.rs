//! Which flows were reported before, so that none is reported again.
//!
//! Each input (a file, or a series of them) has an engine and a flow table of its own, so what two of them show of one
//! connection meets here, as the identities their tables gave it. So does what one input shows of it twice, longer apart
//! than a table remembers flows that are over: captures that were joined one behind the other.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::flow::Identity;
use crate::model::{Completeness, Record};

/// The most flows remembered: 16 bytes each, and 16 more where the interface has a name.
const MAX_REMEMBERED: usize = 4_000_000;

const EARLIER_IN_FILE: &str = "same_flow_earlier_in_file";

/// Identity → what was agreed on, 0 where that is not known.
type Flows = HashMap<u64, u64, RandomState>;

/// What is known of a flow under its identity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    Yes,
    /// A flow with other handshake bytes is.
    Another,
}

fn known(flows: &Flows, identity: u64, agreement: u64) -> Known {
    match flows.get(&identity) {
        None => Known::No,
        Some(&before) if before != 0 && agreement != 0 && before != agreement => Known::Another,
        Some(_) => Known::Yes,
    }
}

/// The flows of the inputs before this one, and of this one so far.
#[derive(Default)]
pub(super) struct EarlierFlows {
    hasher: RandomState,
    flows: Flows,
    /// First bytes and where they stood → the interface they were seen on.
    views: HashMap<u64, u64, RandomState>,
    flows_of_this: Flows,
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
        let agreement = self.agreement(record);
        // First bytes alone tell flows apart that were sent; what somebody edited, or made, may differ in others.
        let another = self.hasher.hash_one((identity.flow, agreement));
        let is_before = |flow| known(&self.flows, flow, agreement);
        if is_before(identity.flow) == Known::Yes || is_before(another) == Known::Yes {
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
        let here = known(&self.flows_of_this, identity.flow, agreement);
        let is_another = is_before(identity.flow) == Known::Another || here == Known::Another;
        let flow = if is_another { another } else { identity.flow };
        if identity.view.is_some() && known(&self.flows_of_this, flow, agreement) == Known::Yes {
            return Some(EARLIER_IN_FILE);
        }
        if self.flows.len() + self.flows_of_this.len() >= MAX_REMEMBERED {
            return None;
        }
        self.flows_of_this.entry(flow).or_insert(agreement);
        if let (Some(view), Some(interface)) = (identity.view, interface) {
            self.views_of_this.push((view, interface));
        }
        None
    }

    /// What both sides said and agreed on, of a handshake that was seen in full; 0 of others, of which a part may be missing
    /// that another sighting shows.
    fn agreement(&self, record: &Record) -> u64 {
        let hellos =
            record.tls.as_deref().and_then(|tls| tls.client_hello.as_ref().zip(tls.server_hello.as_ref()));
        match hellos {
            Some((client, server)) if record.completeness == Completeness::Full => {
                let offered = (&client.server_name, &client.cipher_suites, &client.alpn);
                self.hasher.hash_one((offered, server.version(), server.cipher_suite, &server.alpn)).max(1)
            }
            _ => 0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;
    use crate::model::registry::CipherSuite;

    /// The same addresses, sequence numbers and first bytes, which nobody sends twice, but somebody may make.
    #[test]
    fn a_flow_with_other_handshake_bytes_is_another_one() {
        let identity = Identity { flow: 7, view: Some(8) };
        let good = sample::tls12();
        let (mut weak, mut half) = (good.clone(), good.clone());
        weak.tls.as_mut().unwrap().server_hello.as_mut().unwrap().cipher_suite = CipherSuite(4);
        half.tls.as_mut().unwrap().server_hello = None;
        half.completeness = Completeness::ClientOnly;
        const EARLIER: Option<&str> = Some("same_flow_in_earlier_file");
        for is_one_file in [false, true] {
            for [one, other] in [[&good, &weak], [&weak, &good]] {
                let mut flows = EarlierFlows::default();
                let mut given = |record| {
                    let repeats = flows.repeats(record, identity).is_some();
                    if !is_one_file {
                        flows.end_input();
                    }
                    !repeats
                };
                assert_eq!(
                    [one, other, one, other, &half].map(&mut given),
                    [true, true, false, false, false]
                );
            }
        }
        // What is missing in one may be what the other one shows.
        for [one, other] in [[&half, &good], [&weak, &half]] {
            let mut flows = EarlierFlows::default();
            assert_eq!(flows.repeats(one, identity), None);
            assert_eq!(flows.repeats(other, identity), Some(EARLIER_IN_FILE));
            flows.end_input();
            assert_eq!(flows.repeats(other, identity), EARLIER);
        }
        // Nothing but addresses tells these apart.
        let mut flows = EarlierFlows::default();
        let unknown = Identity { flow: 7, view: None };
        assert_eq!([(); 2].map(|()| flows.repeats(&half, unknown)), [None, None]);
        flows.end_input();
        assert_eq!(flows.repeats(&half, unknown), EARLIER);
    }
}
