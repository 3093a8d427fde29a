//! Results of pure functions, kept for the inputs that come again.
//!
//! What was computed once need not be computed for each of a million connections that ask the same.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Results by the bytes of their input. Compares whole inputs, so that a result is never another's.
#[derive(Debug)]
pub struct Memo<V> {
    results: HashMap<Box<[u8]>, V, RandomState>,
    max_results: usize,
    max_input_bytes: usize,
}

impl<V> Memo<V> {
    /// Keeps at most `max_results`, and none of an input longer than `max_input_bytes`.
    #[must_use]
    pub fn new(max_results: usize, max_input_bytes: usize) -> Self {
        Self { results: HashMap::default(), max_results, max_input_bytes }
    }

    /// Keeps the result for `input`, unless that is too long.
    fn insert(&mut self, input: &[u8], result: V) {
        if input.len() <= self.max_input_bytes {
            if self.results.len() >= self.max_results {
                // Begins anew: to keep an order of use would cost more than what is lost.
                self.results.clear();
            }
            self.results.insert(Box::from(input), result);
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
    }
}
