//! Frames in: recorded captures, and later live interfaces.
//!
//! Input: paths or a stream. Output: [`Frame`]s with the [`Interface`] they were taken on, in file
//! order, and the damage that was met. It looks at no byte of a frame.

mod frame;

pub use frame::{Frame, FrameSource, Interface, LinkType};
