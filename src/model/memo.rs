//! Results of pure functions, kept for the inputs that come again.
//!
//! Clients of one kind send the same hello but for its random, and servers the same certificate: what
//! was computed once need not be computed for each of a million connections.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Results by the bytes of their input. Compares whole inputs, so that a result is never another's.
#[derive(Debug)]
pub struct Memo<V> {
    results: HashMap<Box<[u8]>, V, RandomState>,
    max_results: usize,
    max_input_bytes: usize,
    max_bytes: usize,
    /// Of all inputs kept.
    bytes: usize,
}

impl<V> Memo<V> {
    /// Keeps at most `max_results`, and none of an input longer than `max_input_bytes`.
    #[must_use]
    pub fn new(max_results: usize, max_input_bytes: usize) -> Self {
        Self { results: HashMap::default(), max_results, max_input_bytes, max_bytes: usize::MAX, bytes: 0 }
    }

    /// Keeps inputs of at most `max_bytes` in all.
    #[must_use]
    pub const fn limited_to(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The result for `input`, where it is known.
    #[must_use]
    pub fn get(&self, input: &[u8]) -> Option<&V> {
        self.results.get(input)
    }

    /// Keeps the result for `input`, unless that is too long.
    pub fn insert(&mut self, input: &[u8], result: V) {
        if input.len() <= self.max_input_bytes {
            if self.results.len() >= self.max_results || self.bytes + input.len() > self.max_bytes {
                // Begins anew: to keep an order of use would cost more than what is lost.
                self.results.clear();
                self.bytes = 0;
            }
            if self.results.insert(Box::from(input), result).is_none() {
                self.bytes += input.len();
            }
        }
    }
}

impl<V: Clone> Memo<V> {
    /// The result for `input`, made by `make` where it is not known yet.
    pub fn get_or_make(&mut self, input: &[u8], make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.results.get(input) {
            return known.clone();
        }
        let made = make();
        self.insert(input, made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_result_once_and_tells_inputs_apart() {
        let mut memo = Memo::new(4, 8);
        assert_eq!(memo.get_or_make(b"one", || 1), 1);
        assert_eq!(memo.get_or_make(b"one", || panic!("is known")), 1);
        assert_eq!(memo.get_or_make(b"two", || 2), 2);
        assert_eq!(memo.get_or_make(b"", || 3), 3);
    }

    #[test]
    fn keeps_no_more_than_it_may() {
        let mut memo = Memo::new(4, 2);
        for number in 0..100_u8 {
            memo.get_or_make(&[number], || number);
            assert!(memo.results.len() <= 4);
        }
        memo.get_or_make(b"long", || 1);
        assert_eq!(memo.get_or_make(b"long", || 2), 2);

        let mut memo = Memo::new(100, 8).limited_to(20);
        for number in 0..100_u8 {
            memo.get_or_make(&[number; 8], || number);
            memo.get_or_make(&[number; 8], || number);
            assert!(memo.results.len() <= 2 && memo.bytes <= 20);
        }
    }
}
