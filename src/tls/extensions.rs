//! The list of extensions of a hello [RFC 8446 section 4.2], in wire order, however it ends.

use super::reader::Reader;

/// One extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    pub id: u16,
    pub body: &'a [u8],
    /// All of the body is there.
    pub is_whole: bool,
}

/// Gives every extension of `block` to `take`, the last one as far as it goes; false where the
/// block ends within an extension.
pub fn read<'a>(block: &'a [u8], mut take: impl FnMut(Extension<'a>)) -> bool {
    let mut reader = Reader::new(block);
    while !reader.is_empty() {
        let Some(id) = reader.u16() else { return false };
        let Some((body, is_whole)) = reader.vector16_at_most() else { return false };
        take(Extension { id, body, is_whole });
        if !is_whole {
            return false;
        }
    }
    true
}

/// Which numbers a list has: a bit for each there is, so that one more costs the same however long the list is.
pub struct Numbers([u64; 1 << 10]);

impl Numbers {
    pub const fn new() -> Self {
        Self([0; 1 << 10])
    }

    /// Adds one; false where it was there already.
    pub fn insert(&mut self, number: u16) -> bool {
        let bit = 1 << (number % 64);
        self.0.get_mut(usize::from(number / 64)).is_some_and(|word| {
            let is_new = *word & bit == 0;
            *word |= bit;
            is_new
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_numbers_apart() {
        let mut numbers = Numbers::new();
        assert!((0..=u16::MAX).all(|number| numbers.insert(number)));
        assert!(!(0..=u16::MAX).any(|number| numbers.insert(number)));
    }

    #[test]
    fn gives_the_last_extension_as_far_as_it_goes() {
        let block = [0, 10, 0, 1, 7, 0, 16, 0, 5, 1, 2];
        let mut seen = Vec::new();
        assert!(!read(&block, |extension| seen.push(extension)));
        assert_eq!(
            seen,
            [
                Extension { id: 10, body: &[7], is_whole: true },
                Extension { id: 16, body: &[1, 2], is_whole: false }
            ]
        );
        assert!(read(&block[..5], |_| {}));
        assert!(!read(&block[..7], |_| {}));
    }
}
