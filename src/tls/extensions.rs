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

#[cfg(test)]
mod tests {
    use super::*;

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
