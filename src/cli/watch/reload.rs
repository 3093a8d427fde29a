//! Reading the configuration anew while everything else goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::sync::oneshot;

use super::confinement;
use crate::config::{self, CommandLine, Resolved};

/// Reading gets so long; the rest of a list of addresses or a file system that does not answer is not waited for.
const READING: Duration = Duration::from_secs(10);

/// Reads the configuration on a thread of its own: pages and signals wait for no file.
pub(super) struct Reading {
    path: Option<PathBuf>,
    command_line: CommandLine,
    thread: Option<JoinHandle<()>>,
}

impl Reading {
    pub(super) const fn new(path: Option<PathBuf>, command_line: CommandLine) -> Self {
        Self { path, command_line, thread: None }
    }

    /// The configuration as it is now; `used` is the one in use.
    pub(super) async fn again(&mut self, used: &Arc<Resolved>) -> anyhow::Result<Resolved> {
        ensure!(
            self.thread.as_ref().is_none_or(JoinHandle::is_finished),
            "the configuration is still being read since the reload before: one of its files does not answer"
        );
        let (tell, read) = oneshot::channel();
        let (path, command_line, used) = (self.path.clone(), self.command_line.clone(), Arc::clone(used));
        let thread = std::thread::Builder::new().name("configuration".to_owned());
        self.thread = Some(thread.spawn(move || {
            let result = config::load_again(path.as_deref(), &command_line).map_err(|error| {
                let error = anyhow::Error::from(error);
                match confinement::unreadable(&used) {
                    Some(why) => error.context(why),
                    None => error,
                }
            });
            // Nobody waits any more where it took too long.
            let _ = tell.send(result);
        })?);
        match tokio::time::timeout(READING, read).await {
            Ok(result) => result.context("reading the configuration broke down")?,
            Err(_) => Err(anyhow!(
                "the configuration was not read within {READING:?}: one of its files does not answer, or is very large"
            )),
        }
    }
}

/// A change of what cannot change is no half-taken configuration: it is refused.
pub(super) fn refuse_what_cannot_change(
    now: &Resolved,
    new: &Resolved,
    is_replay: bool,
) -> anyhow::Result<()> {
    ensure!(
        is_replay || !new.capture.interfaces.is_empty(),
        "[capture] interfaces names none any more: name some, or stop ddbwatch"
    );
    for (is_same, what, why) in [
        (
            now.capture.backend == new.capture.backend,
            "[capture] backend",
            "it is opened with privileges that are gone",
        ),
        (
            now.capture.snaplen_bytes == new.capture.snaplen_bytes,
            "[capture] snaplen",
            "rings are made with it",
        ),
        (now.capture.ring_mib == new.capture.ring_mib, "[capture] ring_mib", "rings are made with it"),
        (now.limits == new.limits, "[limits]", "memory is divided by them at the start"),
    ] {
        ensure!(
            is_same,
            "{what} cannot be changed while running, because {why}: restart ddbwatch (systemctl restart ddbwatch), or put \
             it back as it was and reload"
        );
    }
    Ok(())
}
