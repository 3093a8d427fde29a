//! The rest of a frame, with how long it was on the wire.

use super::error::{DecodeError, Header};

/// What is left of a frame behind the headers read so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// As captured.
    pub bytes: &'a [u8],
    /// Length on the wire; never less than `bytes.len()`.
    pub wire_bytes: u32,
}

impl<'a> View<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8], wire_bytes: u32) -> Self {
        Self { bytes, wire_bytes: wire_bytes.max(u32::try_from(bytes.len()).unwrap_or(u32::MAX)) }
    }

    /// Goes over `count` bytes of `header`.
    #[inline]
    pub fn advance(&mut self, count: usize, header: Header) -> Result<(), DecodeError> {
        match self.bytes.get(count..) {
            Some(rest) => {
                self.bytes = rest;
                self.wire_bytes = self.wire_bytes.saturating_sub(count as u32);
                Ok(())
            }
            None => Err(DecodeError::truncated(header)),
        }
    }

    /// Goes over the `N` bytes of a fixed `header` and gives them.
    #[inline]
    pub fn take<const N: usize>(&mut self, header: Header) -> Result<&'a [u8; N], DecodeError> {
        match self.bytes.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.bytes = rest;
                self.wire_bytes = self.wire_bytes.saturating_sub(N as u32);
                Ok(taken)
            }
            None => Err(DecodeError::truncated(header)),
        }
    }

    /// Says that the packet is `count` bytes long: what was captured beyond is padding or trailer,
    /// what is missing was cut off. Gives by how many bytes that is more than there is room for on the wire.
    #[inline]
    pub fn limit(&mut self, count: u32) -> u32 {
        if let Some(bytes) = self.bytes.get(..count as usize) {
            self.bytes = bytes;
        }
        count.saturating_sub(std::mem::replace(&mut self.wire_bytes, count))
    }

    /// The first byte.
    #[inline]
    pub fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The 16-bit number at `offset`.
    #[inline]
    pub fn u16_at(&self, offset: usize) -> Option<u16> {
        self.bytes.get(offset..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Whether all of it was captured.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == u64::from(self.wire_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_missing() {
        let mut view = View::new(&[1, 2, 3, 4], 10);
        assert_eq!(view.take::<1>(Header::Vlan).unwrap(), &[1]);
        assert_eq!(view.limit(6), 0);
        assert_eq!((view.bytes, view.wire_bytes, view.is_whole()), (&[2, 3, 4][..], 6, false));
        assert_eq!(view.limit(2), 0);
        assert_eq!((view.bytes, view.wire_bytes, view.is_whole()), (&[2, 3][..], 2, true));
        assert_eq!(view.u16_at(0), Some(0x0203));
        assert_eq!(view.u16_at(1), None);
        assert_eq!(view.advance(3, Header::Vlan), Err(DecodeError::truncated(Header::Vlan)));
        assert_eq!(view.bytes, [2, 3]);
        assert_eq!((view.limit(5), view.wire_bytes), (3, 5));
    }

    #[test]
    fn believes_the_bytes_over_the_length() {
        assert_eq!(View::new(&[0; 9], 3).wire_bytes, 9);
    }
}
