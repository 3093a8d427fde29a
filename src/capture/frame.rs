//! What every source of frames gives.

use std::sync::Arc;

use super::link_type::LinkType;
use crate::model::Timestamp;

/// The place frames were taken at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// How its frames begin.
    pub link_type: LinkType,
    /// Name, where the capture tells it.
    pub name: Option<Arc<str>>,
    /// Kind of the link as the system names it (`vti`, `xfrm`, `vlan`, …), where it is known.
    pub kind: Option<Arc<str>>,
}

/// One frame, borrowed from its source.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// From 1, over the whole input.
    pub number: u64,
    /// When it was taken, UTC.
    pub timestamp: Timestamp,
    /// Index into [`FrameSource::interfaces`].
    pub interface: u32,
    /// Length on the wire; more than `data.len()` where the capture cut it.
    pub wire_bytes: u32,
    /// Its bytes, from the outermost header on, as far as they were captured.
    pub data: &'a [u8],
}

/// A source of frames.
pub trait FrameSource {
    /// What reading may fail with, beyond damage that can be skipped.
    type Error;

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// Where the source cannot be read at all any more.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error>;

    /// The interfaces met so far, in the order of [`Frame::interface`]; it only grows.
    fn interfaces(&self) -> &[Interface];
}
