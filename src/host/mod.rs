//! The host that ddbwatch runs on: its interfaces, privileges and processes.
//!
//! Input: what the kernel tells (netlink, `/proc`, ioctls). Output: links and their events, what is
//! allowed, whose a flow is. It looks at no packet, changes nothing on the host but the privileges of its own
//! process, and everything that it parses is parsed by functions that need no kernel.

pub mod forwarding;
pub mod hardware;
pub mod links;
mod netlink;
pub mod privileges;
pub mod process;
pub mod routes;
pub mod sandbox;
pub mod statistics;

pub use crate::capture::sys::clock::{Clock, clock};

/// What a test asked the kernel by netlink. A sandbox may refuse that; the test is then skipped, and says why.
#[cfg(test)]
#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
fn or_skip<T>(answer: std::io::Result<T>) -> Option<T> {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(!is_ci, "{error}; with CI=true nothing is skipped");
            println!("skipped: {error}");
            None
        }
    }
}
