//! Waiting until one of several descriptors can be read (poll(2)).

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Waits until one of `descriptors` is readable or in error, at most for `wait`.
///
/// # Errors
/// Those of the system; a signal is none.
pub fn wait_for_any(descriptors: &[RawFd], wait: Duration) -> io::Result<()> {
    let mut waiting: Vec<libc::pollfd> =
        descriptors.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // Rounded up: a wait of less than a millisecond is no wait at all.
    let milliseconds = i32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
    // SAFETY: pointer and length are those of a vector that is borrowed for the call; a descriptor that is
    // no longer open is answered with POLLNVAL.
    let result = unsafe { libc::poll(waiting.as_mut_ptr(), waiting.len() as libc::nfds_t, milliseconds) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}
