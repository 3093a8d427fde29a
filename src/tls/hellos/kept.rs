//! What many connections have in common, by the bytes it was read of, within a limit that counts all of it.
//!
//! Whoever brings something first counts it as its own memory; those that come after it share it and count nothing. So what
//! is shared must stay within the limit for as long as anybody has it: it is not forgotten before, and where there is no room
//! left for what is new, that is not kept, and belongs to who brought it.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// A value that is kept.
pub trait Keep: Clone {
    /// Bytes of memory that it takes, with what it leads to.
    fn held_bytes(&self) -> usize;
    /// True where somebody else has it, too.
    fn is_shared(&self) -> bool;
}

/// Limits of what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most values.
    pub values: usize,
    /// The longest key, in bytes: what is known by a longer one is not kept.
    pub key_bytes: usize,
    /// The most bytes of all values together, with their keys.
    pub bytes: usize,
}

/// What is kept, by its key.
#[derive(Debug)]
pub struct Kept<V> {
    values: HashMap<Box<[u8]>, Entry<V>, RandomState>,
    limits: Limits,
    bytes: usize,
    /// How many more values have to come before the next search for those that nobody shares.
    is_full_for: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    /// It was shared at least once.
    is_given: bool,
}

impl<V: Keep> Kept<V> {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { values: HashMap::default(), limits, bytes: 0, is_full_for: 0 }
    }

    /// The value that is known by `key`, to share it.
    pub fn get(&mut self, key: &[u8]) -> Option<&V> {
        let entry = self.values.get_mut(key)?;
        entry.is_given = true;
        Some(&entry.value)
    }

    /// Keeps the value that is known by `key` from now on, where there is room.
    pub fn insert(&mut self, key: &[u8], value: &V) {
        if key.len() > self.limits.key_bytes {
            return;
        }
        let bytes = key.len() + value.held_bytes();
        self.is_full_for = self.is_full_for.saturating_sub(1);
        if !self.has_room(bytes) {
            // To look through all of them for each that comes would cost more than to read that.
            if self.is_full_for > 0 {
                return;
            }
            self.make_room();
            if !self.has_room(bytes) {
                return;
            }
        }
        let entry = Entry { value: value.clone(), bytes, is_given: false };
        self.bytes += bytes;
        if let Some(former) = self.values.insert(Box::from(key), entry) {
            self.bytes -= former.bytes;
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.values.len() < self.limits.values && self.bytes + bytes <= self.limits.bytes
    }

    /// Forgets what nobody shares: nobody has it, or only who brought it, and counts it. To keep an order of use would cost
    /// more than what is lost.
    fn make_room(&mut self) {
        self.values.retain(|_, entry| entry.is_given && entry.value.is_shared());
        self.bytes = self.values.values().map(|entry| entry.bytes).sum();
        self.is_full_for = self.values.len();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    impl Keep for Arc<str> {
        fn held_bytes(&self) -> usize {
            self.len()
        }

        fn is_shared(&self) -> bool {
            Self::strong_count(self) > 1
        }
    }

    fn name(number: usize) -> Arc<str> {
        Arc::from(format!("{number:05}"))
    }

    fn kept(values: usize, bytes: usize) -> Kept<Arc<str>> {
        Kept::new(Limits { values, key_bytes: 8, bytes })
    }

    #[test]
    fn forgets_nothing_that_is_shared() {
        for (values, bytes) in [(4, usize::MAX), (usize::MAX, 40)] {
            let mut kept = kept(values, bytes);
            let mut brought = Vec::new();
            for number in 0..3 {
                kept.insert(&name(number).as_bytes()[..5], &name(number));
                brought.push(kept.get(name(number).as_bytes()).unwrap().clone());
            }
            for number in 3..1_000 {
                let new = name(number);
                kept.insert(new.as_bytes(), &new);
                assert!(kept.values.len() <= 4 && kept.bytes <= 40);
                assert!(brought.iter().all(|known| Arc::ptr_eq(known, kept.get(known.as_bytes()).unwrap())));
            }
        }
    }

    #[test]
    fn keeps_nothing_new_as_long_as_all_is_shared() {
        let mut kept = kept(4, 1_000);
        let mut brought = Vec::new();
        for number in 0..4 {
            kept.insert(name(number).as_bytes(), &name(number));
            brought.push(kept.get(name(number).as_bytes()).unwrap().clone());
        }
        for number in 4..20 {
            kept.insert(name(number).as_bytes(), &name(number));
            assert!(kept.get(name(number).as_bytes()).is_none());
        }
        brought.clear();
        for number in 20..30 {
            kept.insert(name(number).as_bytes(), &name(number));
        }
        assert!(kept.get(name(29).as_bytes()).is_some());
    }

    #[test]
    fn keeps_no_more_than_it_may() {
        let mut kept = kept(100, 40);
        let long = Arc::from("a value that is much too long to be kept by anybody");
        kept.insert(b"short", &long);
        kept.insert(b"long long", &name(1));
        assert!(kept.get(b"short").is_none() && kept.get(b"long long").is_none());
        kept.insert(b"same", &name(1));
        kept.insert(b"same", &name(2));
        assert_eq!((kept.bytes, kept.values.len()), (9, 1));
    }
}
