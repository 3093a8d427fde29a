//! Numbers for the ways packets are seen: an interface, and what wrapped them there.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::Encapsulation;

/// The most distinct (interface, encapsulation) pairs that are told apart; VXLAN alone could name
/// 16 million. Further ones share the last number and are counted.
const MAX_CONTEXTS: usize = 65_536;

/// Numbers for the ways packets are seen.
#[derive(Default)]
pub(super) struct Contexts {
    numbers: HashMap<(u32, Encapsulation), u32, RandomState>,
    list: Vec<(u32, Encapsulation)>,
    /// The context of bare packets, per interface.
    bare: Vec<Option<u32>>,
    last: u32,
    refused: u64,
}

impl Contexts {
    /// The number of a way.
    #[inline]
    pub fn number(&mut self, interface: u32, encapsulation: &Encapsulation) -> u32 {
        if encapsulation.is_empty()
            && let Some(Some(number)) = self.bare.get(interface as usize)
        {
            return *number;
        }
        if let Some((known_interface, known)) = self.list.get(self.last as usize)
            && *known_interface == interface
            && known == encapsulation
        {
            return self.last;
        }
        self.number_of_new(interface, encapsulation)
    }

    fn number_of_new(&mut self, interface: u32, encapsulation: &Encapsulation) -> u32 {
        let key = (interface, encapsulation.clone());
        let number = match self.numbers.get(&key) {
            Some(&number) => number,
            None if self.list.len() >= MAX_CONTEXTS => {
                self.refused += 1;
                (MAX_CONTEXTS - 1) as u32
            }
            None => {
                let number = self.list.len() as u32;
                self.list.push(key.clone());
                self.numbers.insert(key, number);
                number
            }
        };
        if encapsulation.is_empty() && (interface as usize) < MAX_CONTEXTS {
            let at = interface as usize;
            if self.bare.len() <= at {
                self.bare.resize(at + 1, None);
            }
            self.bare[at] = Some(number);
        } else {
            self.last = number;
        }
        number
    }

    /// All ways, in the order of their numbers.
    #[inline]
    pub fn all(&self) -> &[(u32, Encapsulation)] {
        &self.list
    }

    /// Frames that were seen in a way that has no number of its own.
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}
