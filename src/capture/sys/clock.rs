//! Whether the system's clock is kept in step (adjtimex(2)).

use std::io;

/// What the kernel knows of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Something, such as chronyd, keeps it in step.
    pub is_synchronised: bool,
    /// How far off it may be, in microseconds, as far as that is known.
    pub estimated_error_microseconds: i64,
}

/// Asks the kernel; changes nothing.
///
/// # Errors
/// Where the kernel does not answer.
pub fn clock() -> io::Result<Clock> {
    // SAFETY: all zeros is a valid timex, and with `modes` zero nothing is set.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the one structure it is given.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Clock {
        is_synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        #[expect(clippy::useless_conversion, reason = "it has 32 bits on some platforms")]
        estimated_error_microseconds: timex.esterror.into(),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_answers() {
        let clock = super::clock().unwrap();
        assert!(clock.estimated_error_microseconds >= 0);
    }
}
