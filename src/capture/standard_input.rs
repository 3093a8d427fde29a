//! Standard input, which may give nothing for as long as it likes, and a wish to stop in the meantime.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long the wish to stop goes unnoticed at most, in milliseconds.
const LOOK_EVERY: u16 = 100;

/// How long what is on its way is waited for after it: whoever writes into the pipe may have been asked to stop by the
/// same keys, and writes what it has left.
const LAST_WORDS: u16 = 500;

/// Reads standard input until it ends or `stop` is set.
pub(super) struct StandardInput {
    input: File,
    stop: Arc<AtomicBool>,
}

impl StandardInput {
    pub fn new(stop: &Arc<AtomicBool>) -> io::Result<Self> {
        // Not by way of the buffer of `Stdin`: what is in there nobody can wait for.
        Ok(Self { input: File::from(io::stdin().as_fd().try_clone_to_owned()?), stop: Arc::clone(stop) })
    }
}

impl Read for StandardInput {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let is_asked = self.stop.load(Ordering::Relaxed);
            let wait = PollTimeout::from(if is_asked { LAST_WORDS } else { LOOK_EVERY });
            match poll(&mut [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)], wait) {
                Ok(0) if is_asked => return Err(io::Error::other("stopped by a signal")),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return self.input.read(bytes),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
