//! Which back-end takes the packets from the interfaces: the one place where back-ends are plugged in.

use crate::capture::{Link, LiveError, LiveSource};
use crate::config::Capture;

use super::live::OpenSource;

/// A source at work, and why it is this one.
pub struct Opened {
    pub source: Box<dyn LiveSource>,
    /// Opens the same back-end again, with nothing attached.
    pub reopen: OpenSource,
    /// What is attached.
    pub links: Vec<Link>,
    /// A sentence: why this back-end.
    pub reason: String,
}

/// Opens the back-end that is asked for, or the best that this host allows, and attaches the interfaces.
///
/// # Errors
/// Why nothing can be watched.
pub fn open_source(capture: &Capture) -> Result<Opened, LiveError> {
    let _ = capture;
    Err(LiveError::Unsupported {
        what: "watching an interface".to_owned(),
        why: "this program was built without any back-end; --replay CAPTURE plays a capture".to_owned(),
    })
}
