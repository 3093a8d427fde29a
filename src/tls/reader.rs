//! The only place in this stage where a length from the wire becomes a slice.

/// A cursor over bytes; nothing it does can fail other than by answering `None`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True where everything was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// So many bytes; `None`, and nothing read, where there are fewer. So it is with all that follow but the two `at_most`.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// At most `length` bytes: fewer where the input ends.
    pub fn take_at_most(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// As many bytes as the array has.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    /// A number of one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number of two bytes, the highest first, as all numbers of TLS are [RFC 8446 section 3.3].
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of three bytes.
    pub fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// A vector with a one-byte length.
    pub fn vector8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u8()?;
        let taken = ahead.take(length.into())?;
        *self = ahead;
        Some(taken)
    }

    /// A vector with a two-byte length.
    pub fn vector16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u16()?;
        let taken = ahead.take(length.into())?;
        *self = ahead;
        Some(taken)
    }

    /// A vector with a three-byte length.
    pub fn vector24(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u24()?;
        let taken = ahead.take(usize::try_from(length).ok()?)?;
        *self = ahead;
        Some(taken)
    }

    /// As [`Self::vector16`], but gives what is there of a vector that the input cuts short;
    /// the second value says whether all of it was there.
    pub fn vector16_at_most(&mut self) -> Option<(&'a [u8], bool)> {
        let length = usize::from(self.u16()?);
        let taken = self.take_at_most(length);
        Some((taken, taken.len() == length))
    }
}

/// The 16-bit numbers of a list; an odd last byte is left out.
pub fn u16_list(bytes: &[u8]) -> impl ExactSizeIterator<Item = u16> + '_ {
    bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_in_network_order() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.u8(), Some(1));
        assert_eq!(reader.u16(), Some(0x0203));
        assert_eq!(reader.u24(), Some(0x0004_0506));
        assert!(reader.is_empty());
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn leaves_a_short_vector_unread() {
        let mut reader = Reader::new(&[3, 1, 2]);
        assert_eq!(reader.vector8(), None);
        assert_eq!(reader.rest(), &[3, 1, 2]);
        let mut reader = Reader::new(&[0, 3, 1, 2]);
        assert_eq!(reader.vector16(), None);
        assert_eq!(reader.vector16_at_most(), Some((&[1, 2][..], false)));
        let mut reader = Reader::new(&[0, 0, 3, 1, 2]);
        assert_eq!(reader.vector24(), None);
        assert_eq!(Reader::new(&[0, 0, 2, 1, 2]).vector24(), Some(&[1, 2][..]));
    }

    #[test]
    fn confines_a_vector_to_its_length() {
        let mut reader = Reader::new(&[0, 2, 7, 8, 9]);
        assert_eq!(reader.vector16(), Some(&[7, 8][..]));
        assert_eq!(reader.rest(), &[9]);
        assert_eq!(u16_list(&[0, 1, 0, 2, 9]).collect::<Vec<_>>(), [1, 2]);
    }
}
